"""Bugs at the doors and in what is kept: signatures, the inbox, texts, the audit log."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bookend.adapters.dynamodb import outbox
from bookend.adapters.dynamodb.audit_trail import DynamoAuditTrail
from bookend.adapters.dynamodb.inbox import DynamoInbox
from bookend.adapters.dynamodb.outbox import DynamoOutbox
from bookend.adapters.retell import door as retell_door
from bookend.adapters.retell import signature as retell_signature
from bookend.application import auditing, texting
from bookend.application.ports import texts as text_ports
from bookend.domain import audit_chain
from bookend.domain.texts import MessageState
from tests.adapters.retell import test_door, test_signature
from tests.application import test_auditing, test_texting, test_texting_battery
from tests.domain import test_audit_chain
from tests.functions import test_calcom_webhooks
from tests.functions.test_hostile import rival_document
from tests.planted.bug import Bug, Patch, directed, one_test
from tests.support.http import Doors, door
from tests.support.salon import EXAMPLE
from tests.support.tables.faults import Fault
from tests.support.texts import DIES_BEFORE, OK, UNCLEAR_WITH


def webhook_doors() -> Doors:
    return test_calcom_webhooks.opened(documents=[EXAMPLE.read_text(encoding="utf-8"), rival_document()])


# The doors


def an_unsigned_call_is_let_in(patch: Patch) -> None:
    patch.setattr(retell_door, "may_be_authentic", lambda *_, **__: True)
    patch.setattr(retell_door, "is_authentic", lambda *_, **__: True)


def a_call_that_was_signed_long_ago_is_let_in(patch: Patch) -> None:
    patch.setattr(retell_signature, "TOLERANCE_MS", 24 * 3_600_000)


def an_empty_key_is_a_key(patch: Patch) -> None:
    patch.setattr(retell_signature, "_SHORTEST_KEY", 0)


def an_unsigned_event_is_let_in(patch: Patch) -> None:
    patch.setattr(door("calcom_webhooks"), "is_authentic", lambda *_: True)


def an_event_is_acknowledged_though_it_is_not_kept(patch: Patch) -> None:
    def careless(self: DynamoInbox, *_: Any, **__: Any) -> bool:
        return True

    patch.setattr(DynamoInbox, "store", careless)


def an_event_that_came_before_is_worked_on_again(patch: Patch) -> None:
    real = DynamoInbox.store
    patch.setattr(DynamoInbox, "store", lambda *args, **how: real(*args, **how) or True)


# Texts


def a_text_is_sent_without_a_claim(patch: Patch) -> None:
    patch.setattr(DynamoOutbox, "claim", lambda *_, **__: True)


def a_claim_asks_not_whether_it_is_still_new(patch: Patch) -> None:
    real = DynamoOutbox._as_read

    def whatever(self: DynamoOutbox, *args: Any, **how: Any) -> Any:
        update = dict(real(self, *args, **how)["Update"])
        update["ConditionExpression"] = f"({update['ConditionExpression']}) OR #state <> :read OR #state = :read"
        return {"Update": update}

    patch.setattr(DynamoOutbox, "_as_read", whatever)


def a_text_says_what_was_true_when_it_was_read(patch: Patch) -> None:
    """The claim does not ask whether the appointment is still as it was."""
    patch.setattr(DynamoOutbox, "_unchanged", lambda *_: [])


def a_text_that_may_have_been_sent_is_sent_again(patch: Patch) -> None:
    real = texting._after

    def insistent(work: Any, owed: Any, claim: Any, answer: Any) -> Any:
        again = text_ports.NotSent("unclear") if isinstance(answer, text_ports.Unclear) else answer
        return real(work, owed, claim, again)

    patch.setattr(texting, "_after", insistent)


def a_text_whose_worker_died_is_sent_again(patch: Patch) -> None:
    real = texting._give_up

    def hopeful(work: Any, owed: Any, state: MessageState, why: str, now: Any, **how: Any) -> Any:
        if why == "died":
            owed_again = replace(owed, message=replace(owed.message, state=MessageState.NEW))
            patch.setattr(outbox, "_AS_READ", "#state = :read OR #state = :to AND #kind = :kind AND #appt = :appt")
            return texting._begin(work, owed_again, now)
        return real(work, owed, state, why, now, **how)

    patch.setattr(texting, "_give_up", hopeful)


def nobody_rings_whom_no_text_reached(patch: Patch) -> None:
    patch.setattr(texting, "_wish", lambda *_: None)


# The audit log


def an_entry_is_put_over_another(patch: Patch) -> None:
    real = DynamoAuditTrail.append

    def careless(self: DynamoAuditTrail, *args: Any, **how: Any) -> bool:
        put = self._entries.put
        with Patch.context() as inside:
            inside.setattr(
                self._entries, "put", lambda item, _new: put(item, "attribute_not_exists(#pk) OR attribute_exists(#pk)")
            )
            return real(self, *args, **how)

    patch.setattr(DynamoAuditTrail, "append", careless)


def what_is_told_twice_is_logged_twice(patch: Patch) -> None:
    """The version is not compared."""
    real = auditing.end_of
    patch.setattr(auditing, "end_of", lambda *args: replace(real(*args), version=0))


def a_seal_is_not_checked(patch: Patch) -> None:
    patch.setattr(audit_chain.Entry, "is_sealed_by", lambda *_: True)


def a_seal_leaves_out_the_entry_before(patch: Patch) -> None:
    real = audit_chain._hash
    patch.setattr(audit_chain, "_hash", lambda entry, key: real(replace(entry, prev=""), key))


def an_old_end_linked_anew() -> list[str]:
    """Cut off, written anew by us; then an entry of the old end is put back, and its link rewritten to fit."""
    rows = test_audit_chain.chain(5)
    anew = test_audit_chain.appended(rows[:3], test_audit_chain.entry(4, by="sweeper"))
    (_, last), (*_, old) = test_audit_chain.entries(anew)[-2:], test_audit_chain.entries(rows)
    forged = audit_chain.Stored(rows[4].place, replace(old, prev=last.hash))
    return [] if test_audit_chain.flaws([*anew, forged], version=5) else ["a link was rewritten, and nothing is found"]


BUGS = (
    Bug(
        an_unsigned_call_is_let_in,
        "anybody books and cancels (P6)",
        one_test(test_door.test_unsigned_is_401_with_a_clear_answer, "retell_functions", "v=1,d=2"),
    ),
    Bug(
        a_call_that_was_signed_long_ago_is_let_in,
        "whoever has heard a request once may send it for ever (P6)",
        one_test(test_signature.test_the_limit_is_exact_at_every_millisecond_of_a_second),
    ),
    Bug(
        an_empty_key_is_a_key,
        "a key lost in configuration opens the door (P6)",
        one_test(test_signature.test_an_empty_key_opens_the_vendors_door_and_not_ours),
    ),
    Bug(
        an_unsigned_event_is_let_in,
        "anybody sends us events (P6)",
        one_test(test_calcom_webhooks.test_another_salons_secret_opens_no_door, doors=webhook_doors),
    ),
    Bug(
        an_event_is_acknowledged_though_it_is_not_kept,
        "what was answered 2xx is lost (P5)",
        one_test(
            test_calcom_webhooks.test_while_the_store_is_away_cal_com_is_asked_to_send_it_again,
            doors=webhook_doors,
            fault=lambda: Fault.NOT_SENT,
        ),
    ),
    Bug(
        an_event_that_came_before_is_worked_on_again,
        "a storm of repeats is a storm of reads",
        one_test(
            test_calcom_webhooks.test_a_delivery_that_comes_again_is_acknowledged_and_is_one_row_and_one_job,
            doors=webhook_doors,
        ),
    ),
    Bug(
        a_text_is_sent_without_a_claim,
        "two workers send one text each (I8)",
        one_test(test_texting_battery.test_a_second_worker_at_every_request, OK),
    ),
    Bug(
        a_claim_asks_not_whether_it_is_still_new,
        "two workers send one text each (I8)",
        one_test(test_texting_battery.test_a_second_worker_at_every_request, OK),
    ),
    Bug(
        a_text_says_what_was_true_when_it_was_read,
        "a text names the time that the salon has just changed (P4)",
        one_test(test_texting_battery.test_the_salon_changes_it_at_every_request, "moves", OK),
    ),
    Bug(
        a_text_that_may_have_been_sent_is_sent_again,
        "a caller gets two texts (I8)",
        one_test(test_texting.test_what_may_have_been_sent_is_never_sent_again, UNCLEAR_WITH),
    ),
    Bug(
        a_text_whose_worker_died_is_sent_again,
        "a caller gets two texts (I8)",
        one_test(test_texting.test_a_worker_that_died_over_it_leaves_it_unsure_after_its_lease, DIES_BEFORE),
    ),
    Bug(
        nobody_rings_whom_no_text_reached,
        'who heard "noch offen" never hears the end (P4)',
        one_test(test_texting.test_a_refusal_ends_it_and_a_person_rings),
    ),
    Bug(
        an_entry_is_put_over_another,
        "an entry of the audit log is lost",
        one_test(test_auditing.test_two_writers_at_one_chain_both_find_their_place),
    ),
    Bug(
        what_is_told_twice_is_logged_twice,
        "the audit log tells of what did not happen",
        one_test(test_auditing.test_whatever_is_told_twice_late_or_in_parts_is_logged_and_counted_once, 1),
    ),
    Bug(
        a_seal_is_not_checked,
        "a changed entry of the audit log passes",
        one_test(test_audit_chain.test_a_changed_entry_is_named_as_changed_and_at_its_place),
    ),
    Bug(
        a_seal_leaves_out_the_entry_before,
        "an old end of a chain can be put behind a new one",
        directed(an_old_end_linked_anew),
    ),
)
