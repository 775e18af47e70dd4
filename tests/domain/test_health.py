"""What a change of an appointment counts as, and when a salon is HEALTHY, DEGRADED or CRITICAL."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bookend.application import alerts, booking_answers, settling
from bookend.domain import drift
from bookend.domain.answers import Refusal
from bookend.domain.appointment import (
    Appointment,
    AppointmentState,
    BookedSegment,
    Change,
    ChangeEnd,
    ChangeEnded,
    ChangeKind,
    ChangeWhy,
    Told,
)
from bookend.domain.cases import Case, CaseOrigin, CaseState, SyncFailure
from bookend.domain.circuit import Breaker, CircuitKind, CircuitState
from bookend.domain.contacts import Customer
from bookend.domain.health import Backlog, LastRun, Seen, Waits, ages_of, failure_class, tallied
from bookend.domain.health_rules import Health, judged, spoken
from bookend.domain.timeslot import Slot

NOW = datetime(2025, 11, 24, 7, 0, tzinfo=UTC)
STATE = AppointmentState


def appointment(state: AppointmentState, **changed: Any) -> Appointment:
    segment = BookedSegment(0, "fabian", Slot.of(NOW, 30), 3672814, "uid", 1, 28)
    made = Appointment(
        id="a1",
        state=state,
        op="op1",
        version=1,
        service="herrenhaarschnitt",
        segments=(segment,),
        customer=Customer("c1", "Erika Muster", "erika@kunde.example", None),
        call="call_1",
        source="phone",
        created_at=NOW,
        request="r1",
        verified_at=NOW,
    )
    return replace(made, **changed)


def change(kind: ChangeKind, told: Told = Told.NOTHING) -> Change:
    return Change(op="op2", kind=kind, call="call_2", since=NOW, told=told)


def ended(kind: ChangeKind, end: ChangeEnd, why: ChangeWhy = ChangeWhy.NONE) -> ChangeEnded:
    return ChangeEnded("op2", kind, end, why, 3)


MOVE, CANCEL = ChangeKind
LATER = (replace(appointment(STATE.CONFIRMED).segments[0], slot=Slot.of(NOW + timedelta(hours=1), 30)),)


@pytest.mark.parametrize(
    ("before", "after", "counted"),
    [
        (None, appointment(STATE.PENDING), {"started": 1}),
        (appointment(STATE.PENDING), appointment(STATE.CONFIRMED), {"confirmed": 1}),
        (appointment(STATE.PENDING), appointment(STATE.PENDING, told=Told.PENDING), {"opened": 1}),
        (
            appointment(STATE.PENDING, told=Told.PENDING),
            appointment(STATE.CONFIRMED, told=Told.PENDING),
            {"confirmed": 1},
        ),
        (appointment(STATE.PENDING), appointment(STATE.COMPENSATING, told=Told.PENDING), {"undone": 1, "opened": 1}),
        (appointment(STATE.PENDING), appointment(STATE.FAILED, why="taken"), {"released": 1, "refused": 1}),
        (
            appointment(STATE.PENDING),
            appointment(STATE.FAILED, why="not_sent"),
            {"released": 1, "failed_TEMPORARY": 1},
        ),
        (
            appointment(STATE.COMPENSATING),
            appointment(STATE.FAILED, why="wrong", segments=LATER * 2),
            {"released": 1, "failed_COMPOSITE_FAILURE": 1},
        ),
        (appointment(STATE.PENDING), appointment(STATE.FAILED, why="cancelled_there"), {"released": 1}),
        (None, appointment(STATE.CONFIRMED), {"taken_in": 1}),
        (None, appointment(STATE.CONFIRMED, verified_at=None), {"taken_in": 1, "claimed": 1}),
        (None, appointment(STATE.CANCELLED), {}),
        (appointment(STATE.CONFIRMED), appointment(STATE.MOVING, change=change(MOVE)), {"begun": 1}),
        (
            appointment(STATE.MOVING, change=change(MOVE)),
            appointment(STATE.MOVING, change=change(MOVE, Told.PENDING)),
            {"opened": 1},
        ),
        (
            appointment(STATE.MOVING, change=change(MOVE)),
            appointment(STATE.CONFIRMED, segments=LATER, last_change=ended(MOVE, ChangeEnd.DONE)),
            {"moved": 1},
        ),
        (
            appointment(STATE.MOVING, change=change(MOVE)),
            appointment(STATE.CONFIRMED, last_change=ended(MOVE, ChangeEnd.NOT_DONE, ChangeWhy.TOO_LATE)),
            {"not_moved": 1, "failed_TEMPORARY": 1},
        ),
        (
            appointment(STATE.MOVING, change=change(MOVE)),
            appointment(STATE.CONFIRMED, last_change=ended(MOVE, ChangeEnd.NOT_DONE, ChangeWhy.TAKEN)),
            {"not_moved": 1, "refused": 1},
        ),
        (
            appointment(STATE.CANCELLING, change=change(CANCEL)),
            appointment(STATE.CANCELLED, last_change=ended(CANCEL, ChangeEnd.DONE)),
            {"cancelled": 1},
        ),
        (
            appointment(STATE.MOVING, change=change(MOVE)),
            appointment(STATE.CANCELLED, last_change=ended(MOVE, ChangeEnd.NOT_DONE, ChangeWhy.CANCELLED_THERE)),
            {"ended_there": 1},
        ),
        (
            appointment(STATE.CANCELLING, change=change(CANCEL)),
            appointment(STATE.CONFIRMED, last_change=ended(CANCEL, ChangeEnd.NOT_DONE, ChangeWhy.REFUSED)),
            {"not_cancelled": 1, "failed_OTHER": 1},
        ),
        (appointment(STATE.CONFIRMED), appointment(STATE.CANCELLED), {"ended_there": 1}),
        (appointment(STATE.CONFIRMED), appointment(STATE.CONFIRMED, segments=LATER), {"followed": 1}),
        (appointment(STATE.CONFIRMED), appointment(STATE.CONFIRMED, version=9), {}),
        (appointment(STATE.CONFIRMED), None, {}),
        (appointment(STATE.PENDING, told=Told.PENDING), appointment(STATE.PENDING, told=Told.PENDING, version=2), {}),
    ],
)
def test_a_change_is_counted_as_what_it_means(
    before: Appointment | None, after: Appointment | None, counted: dict[str, int]
) -> None:
    assert tallied(before, after) == counted


def test_every_word_an_operation_ends_with_is_classed_on_purpose() -> None:
    """A word that is not in the table would be OTHER: that is meant for these alone."""
    words = {
        booking_answers.TAKEN,
        booking_answers.NOT_SENT,
        settling.EXISTING,
        settling.NEVER_ARRIVED,
        settling.UNDONE,
        settling.LET_STAND,
        drift.CANCELLED_THERE,
        "not_found",
        *(each.value for each in Refusal),
        *(each.value for each in ChangeWhy if each is not ChangeWhy.NONE),
    }
    others = {str(word) for word in words if failure_class(word, parts=1) is SyncFailure.OTHER}
    assert others == {settling.UNDONE, Refusal.INVALID, ChangeWhy.REFUSED}
    assert failure_class(settling.EXISTING, parts=2) is SyncFailure.DOUBLE_BOOKING
    assert failure_class(settling.UNDONE, parts=2) is SyncFailure.COMPOSITE_FAILURE


# Rules

RUNS = (
    LastRun(kind="poll", seen_until=NOW - timedelta(minutes=4)),
    LastRun(kind="full", seen_until=NOW - timedelta(hours=4)),
)
FINE = Seen(tenant="friseur1", at=NOW, runs=RUNS, breakers={kind: Breaker() for kind in CircuitKind})


def waits(minutes: float, **said: Any) -> Waits:
    return Waits(name="x", since=NOW - timedelta(minutes=minutes), **said)


def backlog(*minutes: float) -> Backlog:
    return Backlog(len(minutes), [waits(each) for each in minutes])


def case(number: int = 0, state: CaseState = CaseState.REVIEW, **said: Any) -> Case:
    values: dict[str, Any] = {
        "failure": SyncFailure.HOST_UNAVAILABLE,
        "facts": {"start": "2025-12-10T13:00:00Z"},
        "opened_at": NOW - timedelta(hours=3),
    } | said
    return Case(id=f"import-{number}", state=state, origin=CaseOrigin.IMPORT, changed_at=NOW, **values)


def opened(minutes: float, state: CircuitState = CircuitState.OPEN) -> dict[CircuitKind, Breaker]:
    return {
        CircuitKind.READS: Breaker(),
        CircuitKind.WRITES: Breaker(state=state, since=NOW - timedelta(minutes=minutes)),
    }


def run(kind: str, age: timedelta, **said: Any) -> tuple[LastRun, ...]:
    return (LastRun(kind=kind, seen_until=NOW - age, **said),)


GOOD, SO_SO, BAD = Health


@pytest.mark.parametrize(
    ("seen", "status"),
    [
        ({}, GOOD),
        ({"usable": False}, BAD),
        ({"operations": backlog(4.9)}, GOOD),
        ({"operations": backlog(1, 5)}, SO_SO),
        ({"operations": backlog(1, 15)}, BAD),
        ({"operations": Backlog(1, [waits(90, kept_until=NOW + timedelta(minutes=1))])}, GOOD),
        ({"operations": Backlog(1, [waits(90, kept_until=NOW)])}, BAD),
        ({"counters": {"confirmed": 7, "failed_OTHER": 2}}, GOOD),
        ({"counters": {"confirmed": 190, "failed_OTHER": 10}}, GOOD),
        ({"counters": {"confirmed": 189, "failed_OTHER": 11}}, SO_SO),
        ({"counters": {"confirmed": 4, "moved": 2, "cancelled": 2, "failed_OTHER": 1, "failed_NOT_FOUND": 1}}, SO_SO),
        ({"counters": {"confirmed": 20, "failed_OTHER": 10}}, BAD),
        ({"counters": {"confirmed": 20, "refused": 100, "released": 100}}, GOOD),
        ({"cases": [case()]}, SO_SO),
        ({"cases": [case(state=CaseState.OPEN)]}, SO_SO),
        ({"cases": [case(number) for number in range(9)]}, SO_SO),
        ({"cases": [case(number) for number in range(10)]}, BAD),
        ({"cases": [case(n, facts={"start": "2025-11-20T13:00:00Z"}) for n in range(30)]}, GOOD),
        ({"cases": [case(failure=SyncFailure.PAST_APPOINTMENT, facts={})]}, GOOD),
        ({"cases": [case(facts={})]}, SO_SO),
        ({"cases": [case(facts={"start": "soon"})]}, SO_SO),
        ({"breakers": opened(1)}, SO_SO),
        ({"breakers": opened(1, CircuitState.HALF)}, SO_SO),
        ({"breakers": opened(5)}, BAD),
        ({"texts": backlog(4)}, GOOD),
        ({"texts": backlog(5)}, SO_SO),
        ({"texts": backlog(30)}, BAD),
        ({"events": backlog(14)}, GOOD),
        ({"events": backlog(15)}, SO_SO),
        ({"callbacks": backlog(23 * 60)}, GOOD),
        ({"callbacks": backlog(24 * 60)}, SO_SO),
        ({"alerts": [("OutcomeUnknown", NOW)]}, GOOD),
        ({"alerts": [("DriftFound", NOW - timedelta(hours=20))]}, SO_SO),
        ({"alerts": [("CalcomRejectedOurKey", NOW - timedelta(minutes=59))]}, BAD),
        ({"alerts": [("CalcomRejectedOurKey", NOW - timedelta(minutes=61))]}, SO_SO),
        ({"runs": run("poll", timedelta(minutes=11))}, GOOD),
        ({"runs": run("poll", timedelta(minutes=12))}, SO_SO),
        ({"runs": run("poll", timedelta(minutes=20))}, BAD),
        ({"runs": run("poll", timedelta(hours=9), limited=True, ended_by=NOW - timedelta(minutes=5))}, SO_SO),
        ({"runs": run("poll", timedelta(hours=9), limited=True, ended_by=NOW - timedelta(minutes=20))}, BAD),
        ({"runs": run("full", timedelta(hours=26))}, GOOD),
        ({"runs": run("full", timedelta(hours=27))}, SO_SO),
        ({"runs": run("full", timedelta(hours=51))}, BAD),
        ({"runs": (LastRun(kind="full"),)}, SO_SO),
    ],
)
def test_status_follows_the_rules(seen: dict[str, Any], status: Health) -> None:
    found, reasons = judged(replace(FINE, **seen))
    assert found is status, reasons
    assert (reasons == ()) is (status is GOOD)


def test_the_worst_reason_comes_first_and_decides() -> None:
    status, reasons = judged(replace(FINE, callbacks=backlog(3000), operations=backlog(20), cases=[case()]))
    assert status is BAD
    assert [each.level for each in reasons] == [BAD, SO_SO, SO_SO]
    assert [each.says for each in reasons] == [
        "1 operations open, the oldest for 20 min",
        "1 failed, 1 of them wait for a person",
        "1 callers wait to be rung, the oldest for 2 d 2 h",
    ]


def test_what_is_critical_is_said_before_what_comes_first_among_the_rules() -> None:
    _, reasons = judged(replace(FINE, operations=backlog(6), texts=backlog(40)))
    assert [each.level for each in reasons] == [BAD, SO_SO]


def test_a_limited_reconciliation_that_comes_no_more_is_said_with_its_age() -> None:
    dead = run("poll", timedelta(days=2), limited=True, ended_by=NOW - timedelta(hours=47))
    _, reasons = judged(replace(FINE, runs=dead))
    assert [(each.level, each.says) for each in reasons] == [
        (BAD, "the last reconciliation (poll) ended 1 d 23 h ago"),
        (SO_SO, "the last reconciliation (poll) left something undone that a person must decide"),
    ]


def test_what_was_not_looked_at_is_counted_all_the_same() -> None:
    _, (reason,) = judged(replace(FINE, operations=Backlog(900, [waits(6), waits(7)])))
    assert reason.says == "900 operations open, the oldest for 7 min"


def test_ages_fall_into_their_buckets() -> None:
    ages = ages_of(backlog(0, 4.9, 5, 59, 60, 24 * 60, 7 * 24 * 60 - 1, 7 * 24 * 60), NOW)
    assert ages.buckets == (2, 2, 1, 2, 1)
    assert ages.oldest == timedelta(days=7)
    assert ages_of(Backlog(), NOW).oldest is None


def test_the_kinds_of_alerts_that_rules_name_are_alerts() -> None:
    assert {"OutcomeUnknown", "CalcomRejectedOurKey"} <= alerts.KINDS


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (12_000, "3 h 20 min"), (187_200, "2 d 4 h"), (-5, "0 s")],
)
def test_ages_are_said_in_two_units(seconds: int, words: str) -> None:
    assert spoken(timedelta(seconds=seconds)) == words
