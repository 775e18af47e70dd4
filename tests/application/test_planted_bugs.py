"""A test of the tests: bugs planted one at a time, each of which the compact battery must notice by the named check.

A naive battery of a prototype caught 3 of 10 such bugs. No sweeper runs here that could heal what was broken.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

import bookend.adapters.dynamodb
from bookend.adapters.dynamodb.appointments import DynamoAppointments
from bookend.application import booking_answers, booking_commit, booking_goal, offering
from bookend.application.outcomes import Booked, BookOutcome
from bookend.application.ports import Confirmed, Released, ReleaseOutcome
from bookend.domain import answers
from bookend.domain.answers import Answered, CreateAnswer, Judgement, Unclear, Verdict
from bookend.domain.staff_day import Interval, IntervalState, StaffDay
from bookend.domain.timeslot import Slot
from tests.application.battery import compact

Patch = pytest.MonkeyPatch
real_judge = answers.judge
real_days = Slot.utc_days
real_ask = booking_commit._ask
real_rewritten = StaffDay.rewritten
real_in_the_way = StaffDay.in_the_way_of
real_keep = offering.keep
real_checks = answers._checks


def modules_of_the_store() -> list[ModuleType]:
    return [each for each in vars(bookend.adapters.dynamodb).values() if isinstance(each, ModuleType)]


def plant_condition(patch: Patch, name: str, condition: str) -> None:
    """In whichever module of the store the condition lives."""
    places = [module for module in modules_of_the_store() if hasattr(module, name)]
    assert places, f"no module has {name}"
    for module in places:
        patch.setattr(module, name, condition)


def ledger_written_without_its_version(patch: Patch) -> None:
    plant_condition(patch, "_LEDGER_AS_READ", "#v = :v OR attribute_exists(#v)")


def holds_block_nobody(patch: Patch) -> None:
    def blind(day: StaffDay, slot: Slot, **rest: Any) -> tuple[Interval, ...]:
        return tuple(each for each in real_in_the_way(day, slot, **rest) if each.state is not IntervalState.HELD)

    patch.setattr(StaffDay, "in_the_way_of", blind)


def open_bookings_expire(patch: Patch) -> None:
    """What is in flight is nobody's after a while."""

    def forgetful(day: StaffDay, slot: Slot, **rest: Any) -> tuple[Interval, ...]:
        return tuple(each for each in real_in_the_way(day, slot, **rest) if each.state is not IntervalState.PENDING)

    patch.setattr(StaffDay, "in_the_way_of", forgetful)


def a_new_check_frees_whatever_is_the_callers(patch: Patch) -> None:
    def generous(day: StaffDay, added: Any, *, freeing: Any = frozenset(), now: datetime) -> StaffDay:
        after = real_rewritten(day, added, freeing=freeing, now=now)
        new = {each.key for each in added}
        kept = {key: each for key, each in after.intervals.items() if key not in freeing or key in new}
        return StaffDay(day.staff, day.day, day.version, kept)

    patch.setattr(StaffDay, "rewritten", generous)


def unknown_frees_the_time(patch: Patch) -> None:
    def freed(turn: Any, goal: Any, appointment: Any, why: str, answer: str) -> Any:
        return booking_commit.release(turn, goal, appointment, Unclear(answer), booking_answers.TAKEN, None)

    patch.setattr(booking_commit, "_leave_open", freed)


def unknown_is_sent_again(patch: Patch) -> None:
    def insistent(turn: Any, appointment: Any) -> CreateAnswer:
        answer = real_ask(turn, appointment)
        return real_ask(turn, appointment) if isinstance(answer, Unclear) else answer

    patch.setattr(booking_commit, "_ask", insistent)


def any_2xx_is_ours(patch: Patch) -> None:
    def trusting(answer: CreateAnswer, expected: Any, **rest: Any) -> Judgement:
        if isinstance(answer, Answered):
            return Judgement(Verdict.OK, "2xx")
        return real_judge(answer, expected, **rest)

    patch.setattr(booking_commit, "judge", trusting)


def ends_are_not_compared(patch: Patch) -> None:
    def careless(*args: Any) -> list[tuple[str, bool]]:
        return [each for each in real_checks(*args) if each[0] != "end"]

    patch.setattr(answers, "_checks", careless)


def hosts_are_not_compared(patch: Patch) -> None:
    def careless(*args: Any) -> list[tuple[str, bool]]:
        return [each for each in real_checks(*args) if each[0] != "host"]

    patch.setattr(answers, "_checks", careless)


def booked_is_said_before_it_is_committed(patch: Patch) -> None:
    def hasty(turn: Any, goal: Any, appointment: Any, *_rest: Any) -> BookOutcome:
        return Booked(appointment, turn.today())

    patch.setattr(booking_commit, "_confirm", hasty)


def booked_is_said_although_the_commit_failed(patch: Patch) -> None:
    def hopeful(turn: Any, goal: Any, appointment: Any) -> BookOutcome:
        return Booked(appointment, turn.today())

    patch.setattr(booking_commit, "as_recorded", hopeful)


def a_superseded_commit_is_taken_for_a_success(patch: Patch) -> None:
    patch.setattr(DynamoAppointments, "_what_became_of", lambda *_args: Confirmed())


def a_wrong_booking_is_left_alone(patch: Patch) -> None:
    def lazy(turn: Any, goal: Any, appointment: Any, booking: Any, why: str) -> Any:
        return booking_commit.release(turn, goal, appointment, Answered(booking), "wrong", None)

    patch.setattr(booking_commit, "_undo", lazy)


def uids_are_not_guarded(patch: Patch) -> None:
    plant_condition(patch, "_NOT_ANOTHERS", "attribute_not_exists(#pk) OR #appt = :me OR #appt <> :me")


def the_customer_is_not_guarded(patch: Patch) -> None:
    def unguarded(owner: Any) -> Callable[..., dict[str, Any]]:
        real = owner.put_customer_guard

        def put(*args: Any, **kwargs: Any) -> dict[str, Any]:
            action = dict(real(*args, **kwargs)["Put"])
            action["ConditionExpression"] = "attribute_not_exists(#pk) OR attribute_exists(#pk)"
            return {"Put": action}

        return put

    owners = [
        each
        for module in modules_of_the_store()
        for each in vars(module).values()
        if isinstance(each, type) and hasattr(each, "put_customer_guard")
    ]
    assert owners
    patch.setattr(owners[0], "put_customer_guard", unguarded(owners[0]))


def one_address_for_all(patch: Patch) -> None:
    patch.setattr(booking_goal, "placeholder_email", lambda _customer, *, domain: f"termin@{domain}")


def the_wish_is_known_by_its_words(patch: Patch) -> None:
    patch.setattr(booking_goal, "request_key", lambda *, name, start, **rest: f"{start}|{name}|{rest}".replace("#", ""))


def what_was_told_is_not_noted(patch: Patch) -> None:
    patch.setattr(DynamoAppointments, "leave_open", lambda *_args, **_rest: True)


def a_refused_time_is_offered_at_once(patch: Patch) -> None:
    def forgetful(*args: Any, without: frozenset[datetime] = frozenset()) -> Any:
        return real_keep(*args)

    patch.setattr(booking_answers, "keep", forgetful)


def everybody_in_a_call_is_one_person(patch: Patch) -> None:
    patch.setattr(booking_answers, "may_be_one_person", lambda *_names: True)


def only_equal_starts_overlap(patch: Patch) -> None:
    patch.setattr(Slot, "overlaps", lambda one, other: one.start == other.start)


def only_the_first_day_is_written(patch: Patch) -> None:
    def short_sighted(slot: Slot) -> tuple[date, ...]:
        days = real_days(slot)
        return days[:1] if slot.duration < timedelta(days=1) else days

    patch.setattr(Slot, "utc_days", short_sighted)


def a_release_forgets_the_interval(patch: Patch) -> None:
    places = [each for each in ("_free", "free") if hasattr(DynamoAppointments, each)]
    assert places
    patch.setattr(DynamoAppointments, places[0], lambda *_args: [])


def the_end_of_a_call_frees_bookings(patch: Patch) -> None:
    """It looks for the key only, not for whose it is and whether it is still a hold."""
    real = DynamoAppointments.end_call

    def careless(store: DynamoAppointments, *args: Any, **rest: Any) -> int:
        table = store._table
        update = table.update

        def unconditional(**request: Any) -> Any:
            always = "#iv.#k.#op = :hold OR #iv.#k.#st = :H OR attribute_exists(#iv)"
            return update(**request | {"ConditionExpression": always})

        with pytest.MonkeyPatch.context() as inside:
            inside.setattr(table, "update", unconditional)
            return real(store, *args, **rest)

    patch.setattr(DynamoAppointments, "end_call", careless)


def a_release_is_only_claimed(patch: Patch) -> None:
    """The refusal is said and nothing is written."""

    def claimed(*_args: Any, **_rest: Any) -> ReleaseOutcome:
        return Released()

    patch.setattr(DynamoAppointments, "release", claimed)


PLANTED: Mapping[Callable[[Patch], None], str] = {
    ledger_written_without_its_version: "I2",
    holds_block_nobody: "I1",
    open_bookings_expire: "I1",
    a_new_check_frees_whatever_is_the_callers: "I2",
    unknown_frees_the_time: "I3",
    unknown_is_sent_again: "I3",
    any_2xx_is_ours: "I3",
    ends_are_not_compared: "I3",
    hosts_are_not_compared: "I3",
    booked_is_said_before_it_is_committed: "I5",
    booked_is_said_although_the_commit_failed: "I5",
    a_superseded_commit_is_taken_for_a_success: "I5",
    a_wrong_booking_is_left_alone: "I3",
    uids_are_not_guarded: "I4",
    the_customer_is_not_guarded: "I4",
    one_address_for_all: "shared placeholder",
    the_wish_is_known_by_its_words: "sent 2 times",
    what_was_told_is_not_noted: "I5",
    a_refused_time_is_offered_at_once: "I5",
    everybody_in_a_call_is_one_person: "I5",
    only_equal_starts_overlap: "I1",
    only_the_first_day_is_written: "I2",
    a_release_forgets_the_interval: "I2",
    the_end_of_a_call_frees_bookings: "I2",
    a_release_is_only_claimed: "I5",
}


def test_the_compact_battery_finds_nothing_in_what_we_ship() -> None:
    assert list(itertools.islice(compact(), 5)) == []


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_noticed(bug: Callable[[Patch], None], monkeypatch: Patch) -> None:
    bug(monkeypatch)
    noticed = next((breach for breach in compact() if breach.startswith(PLANTED[bug])), None)
    print(noticed)
    assert noticed is not None


def test_there_are_enough_of_them() -> None:
    assert len(PLANTED) >= 12
