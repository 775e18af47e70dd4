"""Bugs in booking: the ledger, the guards, the classifier, the order of effects of a turn, what is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

import bookend.adapters.dynamodb
from bookend.adapters.dynamodb.actions import Actions
from bookend.adapters.dynamodb.appointments import DynamoAppointments
from bookend.application import booking_answers, booking_commit, booking_goal, offering
from bookend.application.outcomes import Booked, BookOutcome
from bookend.application.ports import Confirmed, Released, ReleaseOutcome
from bookend.domain import answers
from bookend.domain.answers import Answered, CreateAnswer, Judgement, Unclear, Verdict
from bookend.domain.staff_day import Interval, IntervalState, StaffDay
from bookend.domain.timeslot import Slot
from tests.planted.bug import Bug, Patch, booked

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


def numbers_of_bookings_are_not_guarded(patch: Patch) -> None:
    """The guard of Cal.com's numeric id, beside the one of its uid."""
    real = Actions.booking_guards
    patch.setattr(Actions, "booking_guards", lambda *args, **how: real(*args, **how)[:1])


def operations_are_not_compared(patch: Patch) -> None:
    """Another's booking is taken for a wrong one of ours, and undone."""
    real = answers._judge_booking

    def trusting(booking: Any, expected: Any, now: datetime) -> Judgement:
        return real(replace(booking, metadata={**booking.metadata, "op_id": expected.op}), expected, now)

    patch.setattr(answers, "_judge_booking", trusting)


BUGS = (
    Bug(
        numbers_of_bookings_are_not_guarded,
        "one Cal.com booking belongs to two appointments (P2)",
        booked("anothers_uid_under_our_label"),
        "I4",
    ),
    Bug(operations_are_not_compared, "another's booking is cancelled (incident I1)", booked("somebody else's"), "I9"),
    Bug(ledger_written_without_its_version, "two of ours overlap (P1)", booked("two_book_at_once"), "I2"),
    Bug(holds_block_nobody, "a time offered to one caller is sold to another", booked("two_check_at_once"), "I1"),
    Bug(open_bookings_expire, "a time of unknown outcome is sold again (P1)", booked("refused"), "I1"),
    Bug(
        a_new_check_frees_whatever_is_the_callers,
        "a booked time is free in the ledger (P1)",
        booked("checked again after the booking"),
        "I2",
    ),
    Bug(unknown_frees_the_time, "an unclear answer is taken for a no (P4)", booked("unknown, booked"), "I3"),
    Bug(unknown_is_sent_again, "one wish becomes two bookings (P2)", booked("booked"), "I3"),
    Bug(any_2xx_is_ours, "another's booking is confirmed as ours (incident I1, P3)", booked("somebody else's"), "I3"),
    Bug(ends_are_not_compared, "a booking of another length is confirmed (P3)", booked("wrong end"), "I3"),
    Bug(
        hosts_are_not_compared,
        "a booking with another stylist is confirmed (P3)",
        booked("wrong host, cancel unclear"),
        "I3",
    ),
    Bug(
        booked_is_said_before_it_is_committed,
        '"gebucht" is said of what is not confirmed (P4)',
        booked("two_book_at_once"),
        "I5",
    ),
    Bug(
        booked_is_said_although_the_commit_failed,
        '"gebucht" is said while the table is away (P4)',
        booked("the_store_away_after_the_booking"),
        "I5",
    ),
    Bug(
        a_superseded_commit_is_taken_for_a_success,
        '"gebucht" is said of what was given up (P4)',
        booked("given_up_under_way"),
        "I5",
    ),
    Bug(a_wrong_booking_is_left_alone, "a booking that nobody wanted stays at Cal.com", booked("wrong end"), "I3"),
    Bug(
        uids_are_not_guarded,
        "one Cal.com booking belongs to two appointments (P2)",
        booked("anothers_uid_under_our_label"),
        "I4",
    ),
    Bug(the_customer_is_not_guarded, "one customer is booked twice at once", booked("one_customer_in_two_calls"), "I4"),
    Bug(
        one_address_for_all,
        "Cal.com takes two customers for one (incident I1)",
        booked("anothers_uid_under_our_label"),
        "shared placeholder",
    ),
    Bug(
        the_wish_is_known_by_its_words,
        "a wish repeated in other words is sent twice",
        booked("a_refusal_asked_again"),
        "sent 2 times",
    ),
    Bug(what_was_told_is_not_noted, 'who heard "noch offen" never hears the end (P4)', booked("refused"), "I5"),
    Bug(
        a_refused_time_is_offered_at_once,
        "what Cal.com has just refused is offered again",
        booked("anothers_uid_under_our_label"),
        "I5",
    ),
    Bug(
        everybody_in_a_call_is_one_person,
        "the second person of a call hears of the first one's booking",
        booked("a_second_person"),
        "I5",
    ),
    Bug(only_equal_starts_overlap, "two of ours overlap (P1)", booked("two_book_at_once"), "I1"),
    Bug(
        only_the_first_day_is_written,
        "what lasts over midnight UTC is sold twice (P1)",
        booked("over midnight UTC"),
        "I2",
    ),
    Bug(a_release_forgets_the_interval, "a time stays blocked for nobody", booked("given_up_under_way"), "I2"),
    Bug(the_end_of_a_call_frees_bookings, "hanging up frees a booked time (P1)", booked("booked"), "I2"),
    Bug(
        a_release_is_only_claimed,
        '"nicht frei" is said and the appointment stays open (P4)',
        booked("anothers_uid_under_our_label"),
        "I5",
    ),
)
