"""Bugs in who may change what: names, dates, numbers, tokens, counters, and what an answer tells of others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from bookend.adapters.dynamodb import changes, keys
from bookend.adapters.dynamodb.changes import DynamoChanges
from bookend.adapters.dynamodb.items import appointment_from_item
from bookend.adapters.dynamodb.tenants import DynamoTenants
from bookend.adapters.retell import wire
from bookend.application import change_appointment
from bookend.application.change_outcomes import NotIdentified
from bookend.domain import authority
from tests.functions import abuse_corpus, test_abuse
from tests.functions.abuse_corpus import BASE, STRANGER
from tests.functions.test_abuse import Scene
from tests.planted.bug import Battery, Bug, Patch
from tests.support.http import door

real_matching, real_who_calls = authority.matching, change_appointment.who_calls
real_route, real_of_customer = DynamoTenants._route, DynamoChanges.of_customer


_at_work: list[Scene] = []


@contextmanager
def _a_salon() -> Iterator[None]:
    """It is filled before the bug is put in: nobody is to notice it while nobody does wrong."""
    with test_abuse.open_scene() as opened:
        opened.ask("call_first", BASE, from_number=STRANGER)  # what is read once is read by now
        opened.restore()
        _at_work.append(opened)
        try:
            yield
        finally:
            _at_work.clear()


def abused(check: Callable[..., None], **how: Any) -> Battery:
    """What somebody tries at the signed door of a salon with several customers."""

    def breaches() -> Iterator[str]:
        try:
            check(_at_work[0], **how)
        except AssertionError as failed:
            yield f"{check.__name__}: {failed}"

    group = f" ({how['group'].__name__})" if how else ""
    return Battery(f"abuse: {check.__name__}{group}", breaches, _a_salon)


def names_are_not_compared(patch: Patch) -> None:
    patch.setattr(authority, "is_named", lambda said, known: True)


def initials_are_names(patch: Patch) -> None:
    patch.setattr(authority, "is_named", authority.may_be_one_person)


def dates_are_not_compared(patch: Patch) -> None:
    def careless(appointments: Any, *, name: str, zone: Any, **_: Any) -> list[Any]:
        days = {each.slot.start.astimezone(zone).date() for each in appointments}
        found = (real_matching(appointments, name=name, day=day, at=None, zone=zone) for day in sorted(days))
        return next((hits[:1] for hits in found if hits), [])

    patch.setattr(change_appointment, "matching", careless)


def numbers_are_not_compared(patch: Patch) -> None:
    def everybodys(self: DynamoChanges, tenant: str, customer: str, **_: Any) -> Any:
        found = self._table._client.scan(TableName=self._table.name)["Items"]
        mine = [row for row in found if row["pk"]["S"].startswith(f"T#{tenant}#APPT#")]
        return tuple(appointment_from_item(row["pk"]["S"].rpartition("#")[2], row) for row in mine)

    patch.setattr(DynamoChanges, "of_customer", everybodys)


def the_number_is_taken_from_the_arguments(patch: Patch) -> None:
    handler = door("retell_functions")
    real = handler._reply

    def trusting(request: Any, *rest: Any) -> Any:
        named = wire.Arguments(request.args).first("phone", "from_number", "customer_phone", "caller")
        call = request.call if named is None else request.call.model_copy(update={"from_number": named})
        return real(request.model_copy(update={"call": call}), *rest)

    patch.setattr(handler, "_reply", trusting)


def withheld_is_a_number(patch: Patch) -> None:
    patch.setattr(door("retell_functions"), "normalise_phone", lambda number, **_: str(number))


def the_agent_alone_says_whose_call_it_is(patch: Patch) -> None:
    patch.setattr(DynamoTenants, "_route", lambda self, agent, number, table: real_route(self, agent, None, table))


def every_token_is_right(patch: Patch) -> None:
    patch.setattr(change_appointment.hmac, "compare_digest", lambda *_: True)


def whoever_has_the_token_may(patch: Patch) -> None:
    patch.setattr(change_appointment, "who_calls", lambda turn: Anybody(real_who_calls(turn)))


class Anybody(str):
    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False


def a_question_never_grows_old(patch: Patch) -> None:
    patch.setattr(change_appointment, "CONFIRM_WITHIN", timedelta(hours=1))


def nobody_counts_misses(patch: Patch) -> None:
    patch.setattr(DynamoChanges, "may_try", lambda *_, **__: True)


def misses_of_a_call_are_not_counted(patch: Patch) -> None:
    patch.setattr(changes, "MOST_MISSES_PER_CALL", 99)


def misses_of_a_day_are_not_counted(patch: Patch) -> None:
    patch.setattr(changes, "MOST_MISSES_PER_DAY", 99)


def changes_are_not_counted(patch: Patch) -> None:
    patch.setattr(changes, "MOST_CHANGES_PER_DAY", 99)


def who_has_none_is_answered_sooner(patch: Patch) -> None:
    def hasty(self: DynamoChanges, tenant: str, customer: str, *, after: Any) -> Any:
        table = self._table
        index = {"IndexName": keys.CUSTOMER_INDEX, "KeyConditionExpression": "#c = :c"}
        value = {":c": {"S": keys.customer_partition(tenant, customer)}}
        found = table.query_all(
            **index, ExpressionAttributeNames={"#c": "customer_key"}, ExpressionAttributeValues=value
        )
        return real_of_customer(self, tenant, customer, after=after) if found else ()

    patch.setattr(DynamoChanges, "of_customer", hasty)


def who_is_known_hears_another_sentence(patch: Patch) -> None:
    real = change_appointment._named

    def talkative(command: Any, turn: Any) -> Any:
        outcome = real(command, turn)
        mine = change_appointment.own_appointments(turn, change_appointment.who_calls(turn))
        return change_appointment.AskAPerson() if isinstance(outcome, NotIdentified) and mine else outcome

    patch.setattr(change_appointment, "_named", talkative)


BUGS = (
    Bug(
        names_are_not_compared,
        "whoever knows a day changes others' appointments",
        abused(test_abuse.corpus, group=abuse_corpus.other_people),
    ),
    Bug(
        initials_are_names,
        "whoever says an initial is taken for the customer",
        abused(test_abuse.corpus, group=abuse_corpus.odd_names),
    ),
    Bug(
        dates_are_not_compared,
        "whoever knows no day is taken for the customer",
        abused(test_abuse.corpus, group=abuse_corpus.other_people),
    ),
    Bug(
        numbers_are_not_compared,
        "whoever knows a name and a day changes others' appointments",
        abused(test_abuse.corpus, group=abuse_corpus.other_people),
    ),
    Bug(
        the_number_is_taken_from_the_arguments,
        "a model that is talked into it says whose call it is",
        abused(test_abuse.corpus, group=abuse_corpus.other_people),
    ),
    Bug(
        withheld_is_a_number,
        "callers who withhold their number share one customer",
        abused(test_abuse.corpus, group=abuse_corpus.callers),
    ),
    Bug(
        the_agent_alone_says_whose_call_it_is,
        "another salon's agent reaches this salon's customers",
        abused(test_abuse.corpus, group=abuse_corpus.other_salons),
    ),
    Bug(
        every_token_is_right,
        "a change happens that nobody was asked to confirm",
        abused(test_abuse.a_token_that_is_nearly_right),
    ),
    Bug(
        whoever_has_the_token_may,
        "another caller says yes for this one",
        abused(test_abuse.the_yes_of_another_salon_or_number),
    ),
    Bug(
        a_question_never_grows_old,
        "a yes counts for what was asked an hour ago",
        abused(test_abuse.a_yes_that_comes_too_late),
    ),
    Bug(nobody_counts_misses, "a call may guess for ever", abused(test_abuse.three_misses_end_it_for_a_call)),
    Bug(
        misses_of_a_call_are_not_counted, "a call may guess for ever", abused(test_abuse.three_misses_end_it_for_a_call)
    ),
    Bug(misses_of_a_day_are_not_counted, "a number may guess for ever", abused(test_abuse.ten_misses_end_it_for_a_day)),
    Bug(
        changes_are_not_counted,
        "a number may change appointments for ever",
        abused(test_abuse.five_changes_end_it_for_a_day),
    ),
    Bug(
        who_has_none_is_answered_sooner,
        "the time it takes tells who is a customer",
        abused(test_abuse.nobody_is_told_apart),
    ),
    Bug(
        who_is_known_hears_another_sentence,
        "the sentence tells who is a customer",
        abused(test_abuse.nobody_is_told_apart),
    ),
)
