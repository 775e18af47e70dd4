"""The incidents' replays: every line of "Must hold" holds, and the replays notice when the product does not."""

import io
import sys
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.replays import INCIDENTS, replay
from sandbox.replays.story import Screen
from sandbox.salon.running import Salon

pytestmark = pytest.mark.engine

Sabotage = Callable[[pytest.MonkeyPatch], None]


@pytest.mark.parametrize("incident", INCIDENTS)
def test_what_must_hold_holds(incident: str, salon: Salon, screen: Screen) -> None:
    story = replay(incident, salon, screen)
    assert story.lines
    assert not story.failed


class Noticed(BaseException):
    """What was waited for does not hold: the rest need not be told."""


class Until(Screen):
    """A terminal that nobody looks at, until a line that begins so does not hold."""

    def __init__(self, line: str) -> None:
        super().__init__(io.StringIO())
        self._awaited = line

    def entry(self, label: str, text: str, style: str = "", *, indent: int = 10) -> None:
        super().entry(label, text, style, indent=indent)
        if label == "  ✗" and text.startswith(self._awaited):
            raise Noticed


def running_module(name: str) -> Any:
    """The module as the functions in this process use it: the stack imports its own copy of the layer."""
    return sys.modules[name]


def believes_any_success(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTP 2xx is "ours", as it was on 2025-10-06."""
    commit, answers = running_module("bookend.application.booking_commit"), running_module("bookend.domain.answers")
    judge = answers.judge

    def credulous(answer: Any, *args: Any, **more: Any) -> Any:
        if isinstance(answer, answers.Answered):
            return answers.Judgement(answers.Verdict.OK, "it said 2xx")
        return judge(answer, *args, **more)

    monkeypatch.setattr(commit, "judge", credulous)


def shares_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody without an e-mail gets the same one."""
    goal = running_module("bookend.application.booking_goal")
    monkeypatch.setattr(goal, "placeholder_email", lambda *_, **__: "termin@askproai.de")


def holds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is offered to one caller is free for all others."""
    ledger = running_module("bookend.domain.staff_day")
    monkeypatch.setattr(ledger.Interval, "blocks_at", lambda self, now: self.state is not ledger.IntervalState.HELD)


def speaks_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """An instant is read out as the UTC text shows it."""
    saying, replies = running_module("bookend.domain.saying"), running_module("bookend.adapters.retell.replies")
    say_slot = saying.say_slot

    def in_utc(instant: Any, zone: Any, *args: Any, **more: Any) -> str:
        return str(say_slot(instant.replace(tzinfo=zone), zone, *args, **more))

    monkeypatch.setattr(replies, "say_slot", in_utc)


def never_names_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every time is said as if it were on the day asked for."""
    saying, replies = running_module("bookend.domain.saying"), running_module("bookend.adapters.retell.replies")

    def bare(instant: Any, zone: Any, language: Any, **_: Any) -> str:
        return f"um {saying.say_time(instant, zone, language)}"

    monkeypatch.setattr(replies, "say_slot", bare)


def confirms_what_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ghost: the refusal is told, and the appointment is left standing."""
    commit = running_module("bookend.application.booking_commit")
    appointments = running_module("bookend.adapters.dynamodb.appointments").DynamoAppointments
    released = running_module("bookend.application.ports").Released
    assert commit.Released is released
    monkeypatch.setattr(appointments, "release", lambda *_, **__: released())


def frees_what_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A booking without an answer stops blocking its time when its lease is over."""
    ledger = running_module("bookend.domain.staff_day")
    monkeypatch.setattr(ledger.Interval, "blocks_at", lambda self, now: self.state is not ledger.IntervalState.PENDING)


def believes_absence_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What Cal.com does not show yet is taken for never arrived."""
    settling = running_module("bookend.application.settling")

    def gives_up(work: Any, appointment: Any, **_: Any) -> Any:
        return settling._release(work, appointment, settling.NEVER_ARRIVED)

    monkeypatch.setattr(settling, "_wait", gives_up)


def remembers_free_times(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was kept of Cal.com's free times outlives what changes them."""
    actions = running_module("bookend.adapters.dynamodb.actions").Actions
    monkeypatch.setattr(actions, "forget_slots_of", lambda *_: [])
    monkeypatch.setattr(running_module("bookend.adapters.dynamodb.slots").DynamoSlotCache, "forget", lambda *_: None)


def knows_no_tenants(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rounds of the schedule have nobody to look after."""
    monkeypatch.setattr(running_module("bookend.adapters.dynamodb.tenants").DynamoTenants, "every", lambda _: [])


def takes_a_move_for_a_cancellation(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead booking is the end of its appointment, wherever it was moved to."""
    converging = running_module("bookend.application.converging")

    def ended(_: Any, appointment: Any, __: Any, seen: Any, **___: Any) -> Any:
        return converging.End(appointment, seen)

    monkeypatch.setattr(converging, "_assess_dead", ended)


def looks_at_times_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who comes is not compared."""
    for module in ("bookend.domain.drift", "bookend.application.converging"):
        monkeypatch.setattr(running_module(module), "has_attendee", lambda *_: True)


def alerts_every_night(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is before a person already is put there again."""
    keys = running_module("bookend.adapters.dynamodb.keys")
    flag, count = keys.flag, iter(range(1000))
    monkeypatch.setattr(keys, "flag", lambda tenant, about: flag(tenant, f"{about}-{next(count)}"))


def never_repairs_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever it is given to at Cal.com, it stays with the stylist it was booked with."""
    converging = running_module("bookend.application.converging")
    change_of = converging.change_of

    def blind(*args: Any) -> Any:
        repair = change_of(*args)
        is_host = getattr(repair, "drift", None) is converging.Drift.HOST
        return converging.Nothing() if is_host else repair

    monkeypatch.setattr(converging, "change_of", blind)


def sees_no_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    """What others book is taken in as if nothing were there."""
    monkeypatch.setattr(running_module("bookend.application.adopting"), "overlaps", lambda *_: False)


def forgets_what_was_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A booking that comes late is left standing at Cal.com, and its caller without it."""
    converging = running_module("bookend.application.converging")
    monkeypatch.setattr(converging, "_assess_late", lambda *_: converging.Nothing())


def believes_its_own_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody asks whether the booking of a confirmed appointment is still there."""
    monkeypatch.setattr(running_module("bookend.application.reconciling"), "_look_for", lambda *_, **__: None)


def has_one_sentence_for_every_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """The words for "not found" whatever goes wrong, as on 2025-10-11."""
    speaker = running_module("bookend.adapters.retell.change_replies").ChangeSpeaker
    monkeypatch.setattr(speaker, "_why_not", lambda self, _: self._say("reschedule_appointment.not_found"))


def never_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failure that passes is no reason to ask once more."""
    monkeypatch.setattr(running_module("bookend.application.change_commit"), "may_be_sent_again", lambda _: False)


def lets_anybody_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number that rings is not asked for."""
    contacts = running_module("bookend.domain.contacts")
    for module in ("application.find_appointments", "application.booking_goal"):
        monkeypatch.setattr(
            running_module(f"bookend.{module}"),
            "customer_id",
            lambda tenant, **_: contacts.customer_id(tenant, caller=None, call="anybody"),
        )


def owes_nobody_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was said to be open ends in silence."""
    changes = running_module("bookend.adapters.dynamodb.changes").DynamoChanges
    given_up = changes.given_up
    monkeypatch.setattr(
        changes,
        "given_up",
        lambda *args, **more: given_up(*args, **more | {"owes_text": False}),
    )


def forgets_what_it_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wish that was kept is not carried out."""
    settling = running_module("bookend.application.change_settling")
    monkeypatch.setattr(settling, "_move_again", lambda work, appointment: settling._give_up(work, appointment, "no"))


def keeps_half_a_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was booked of a service that is not to be had as a whole is left standing at Cal.com."""
    monkeypatch.setattr(running_module("bookend.application.booking_parts"), "_cancel", lambda *_: True)


SABOTAGES: list[tuple[str, Sabotage, str]] = [
    ("I1", believes_any_success, "Call 688 hears that 08:00 is taken"),
    ("I1", shares_an_address, "Callers who gave no e-mail have one each"),
    ("I3", holds_nothing, "What the first caller was offered is held"),
    ("I3", speaks_utc, "Every time is spoken as the salon's clock shows it"),
    ("I3", never_names_the_day, "A time on another day than the one asked for"),
    ("I3", confirms_what_was_refused, "The refusal leaves nothing but its record"),
    ("I4", keeps_half_a_service, "Nothing of ours is left at Cal.com"),
    ("I4", frees_what_is_unknown, "Its time stays blocked, an hour later too"),
    ("I4", believes_absence_at_once, "That Cal.com does not have it proves nothing after a minute"),
    ("I2", takes_a_move_for_a_cancellation, "Moved there, moved here"),
    ("I2", never_repairs_a_host, "Given to Emma there, with Emma here"),
    ("I2", knows_no_tenants, "With no webhook and one run"),
    ("I2", looks_at_times_only, "The night's report names each difference by its class"),
    ("I2", alerts_every_night, "The night after repairs nothing twice and alerts nobody twice"),
    ("I2", has_one_sentence_for_every_failure, "HTTP 500 is temporary_error"),
    ("I2", never_tries_again, "One retry within the turn"),
    ("I2", lets_anybody_in, "Moving needs the caller's own number"),
    ("I2", owes_nobody_a_message, "The caller was told that it is not certain"),
    ("I2", forgets_what_it_promised, "Cal.com comes back, the move is carried out once"),
    ("I3", remembers_free_times, "What was kept of Cal.com's free times is void at once"),
    ("I4", sees_no_conflict, "It is adopted though it overlaps"),
    ("I4", forgets_what_was_given_up, "What was given up is FAILED and its time free"),
    ("I4", believes_its_own_table, "No ghost outlives a night"),
]


@pytest.mark.parametrize(
    ("incident", "sabotage", "line"), SABOTAGES, ids=[sabotage.__name__ for _, sabotage, _ in SABOTAGES]
)
def test_a_broken_product_fails_its_replay(
    incident: str, sabotage: Sabotage, line: str, salon: Salon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One safety layer taken out: the line that speaks of it does not hold."""
    for function in ("RetellFunctionsFunction", "ReconciliationFunction", "CalcomWebhooksFunction"):
        salon.stack.invoke(function, {})  # imported at the first event
    salon.stack.invoke("SyncWorkerFunction", {"Records": []})
    sabotage(monkeypatch)
    try:
        story = replay(incident, salon, Until(line))
    except Noticed:
        return
    pytest.fail(f"it holds: {[each.text for each in story.lines]}")


def test_what_goes_wrong_in_the_telling_does_not_hold(
    salon: Salon, screen: Screen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Salon, "start_anew", lambda *_, **__: 1 / 0)
    story = replay("I1", salon, screen)
    assert [each.text for each in story.failed] == ["The replay came to its end"]
