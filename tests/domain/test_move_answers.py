"""What an answer to a move means: only a booking that was moved from ours, to where we asked, is done."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bookend.domain.answers import (
    FRESH,
    Answered,
    Booking,
    CreateAnswer,
    KeyRejected,
    NotSent,
    NotThere,
    Refusal,
    Refused,
    Unclear,
    Verdict,
)
from bookend.domain.appointment import Appointment, AppointmentState, BookedSegment, Change, ChangeKind
from bookend.domain.contacts import Customer
from bookend.domain.move_answers import ExpectedMove, as_it_stands, judge_move, judge_moved
from bookend.domain.timeslot import Slot

SENT = datetime(2025, 10, 11, 6, 53, 2, tzinfo=UTC)
NOW = SENT + timedelta(seconds=2)
SLOT = Slot.of(datetime(2025, 10, 15, 7, 30, tzinfo=UTC), 30)
TICK = timedelta(microseconds=1)
WANTED = ExpectedMove("old", SLOT, 2563193, 1414768, "kunde-674@salon.example", SENT)
MOVED = Booking(
    uid="new",
    id=11669999,
    status="accepted",
    start=SLOT.start,
    end=SLOT.end,
    created_at=SENT + timedelta(seconds=1),
    updated_at=SENT + timedelta(seconds=1),
    host=1414768,
    event_type=2563193,
    attendees=("kunde-674@salon.example", "gast@example.org"),
    metadata={"op_id": "op"},
    rescheduled_from="old",
)


def test_a_booking_moved_from_ours_to_where_we_asked_is_done() -> None:
    for judgement in (
        judge_move(Answered(MOVED), WANTED, now=NOW, after_unknown=False),
        judge_move(Answered(MOVED), WANTED, now=NOW, after_unknown=True),
        judge_moved(MOVED, WANTED, now=NOW),
    ):
        assert (judgement.verdict, judgement.why) == (Verdict.OK, "ours, as asked")


@pytest.mark.parametrize("origin", [None, "", "older", "OLD", "new"])
def test_a_booking_that_was_not_moved_from_ours_is_somebody_elses_whatever_else_fits(origin: str | None) -> None:
    judgement = judge_moved(replace(MOVED, rescheduled_from=origin), WANTED, now=NOW)
    assert judgement.verdict is Verdict.EXISTING


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"status": "pending"}, "status"),
        ({"status": "cancelled"}, "status"),
        ({"start": SLOT.start + TICK}, "start"),
        ({"end": SLOT.end + timedelta(minutes=15)}, "end"),
        ({"event_type": 1}, "event type"),
        ({"event_type": None}, "event type"),
        ({"host": 1}, "host"),
        ({"host": None}, "host"),
        ({"attendees": ("gast@example.org",)}, "attendee"),
        ({"attendees": ()}, "attendee"),
        ({"created_at": SENT - FRESH - TICK}, "freshness"),
        ({"created_at": NOW + FRESH + TICK}, "freshness"),
        ({"created_at": None}, "freshness"),
    ],
)
def test_ours_but_not_as_asked_is_named_by_its_difference(changes: dict[str, Any], named: str) -> None:
    """Incident I2: the local end was 09:45 and Cal.com said 09:30."""
    judgement = judge_moved(replace(MOVED, **changes), WANTED, now=NOW)
    assert (judgement.verdict, judgement.why) == (Verdict.WRONG, f"differs in {named}")


def test_several_differences_are_all_named() -> None:
    judgement = judge_moved(replace(MOVED, host=1, end=SLOT.end + TICK), WANTED, now=NOW)
    assert judgement.why == "differs in end, host"


def test_one_that_is_found_later_may_have_been_made_at_any_time() -> None:
    old = replace(MOVED, created_at=SENT - timedelta(days=1))
    assert judge_moved(old, replace(WANTED, sent_at=None), now=NOW).verdict is Verdict.OK
    assert judge_moved(replace(old, created_at=None), replace(WANTED, sent_at=None), now=NOW).verdict is Verdict.OK


@pytest.mark.parametrize("edge", [SENT - FRESH, NOW + FRESH])
def test_the_very_edge_is_fresh(edge: datetime) -> None:
    assert judge_moved(replace(MOVED, created_at=edge), WANTED, now=NOW).verdict is Verdict.OK


CLEAR: list[tuple[CreateAnswer, Verdict]] = [
    (NotSent("ConnectError"), Verdict.NOT_SENT),
    (NotSent("HTTP 429", retry_after_s=60.0), Verdict.NOT_SENT),
    (KeyRejected("HTTP 401"), Verdict.CONFIG),
    (NotThere("HTTP 404"), Verdict.NOT_FOUND),
    (Refused(Refusal.GONE, "HTTP 400"), Verdict.NOT_FOUND),
    (Refused(Refusal.HOST_BUSY, "HTTP 400"), Verdict.REJECT),
    (Refused(Refusal.CONFLICT, "HTTP 400"), Verdict.REJECT),
    (Refused(Refusal.PAST, "HTTP 400"), Verdict.REFUSED),
    (Refused(Refusal.OUT_OF_BOUNDS, "HTTP 400"), Verdict.REFUSED),
    (Refused(Refusal.LIMIT, "HTTP 400"), Verdict.REFUSED),
    (Refused(Refusal.NOT_ALLOWED, "HTTP 400"), Verdict.REFUSED),
    (Refused(Refusal.INVALID, "HTTP 400"), Verdict.REFUSED),
]


@pytest.mark.parametrize(("answer", "verdict"), CLEAR)
def test_a_clear_no_is_a_no(answer: CreateAnswer, verdict: Verdict) -> None:
    assert judge_move(answer, WANTED, now=NOW, after_unknown=False).verdict is verdict


@pytest.mark.parametrize("answer", [answer for answer, _ in CLEAR])
def test_after_an_unknown_outcome_no_refusal_proves_anything(answer: CreateAnswer) -> None:
    """What is in the way may be our own first try, and what is gone may be what it moved away."""
    judgement = judge_move(answer, WANTED, now=NOW, after_unknown=True)
    assert judgement.verdict is Verdict.UNKNOWN
    assert judgement.why == "refused after an unknown outcome of the same operation"


@pytest.mark.parametrize("after_unknown", [False, True])
def test_no_answer_is_unknown_and_said_to_be_none(*, after_unknown: bool) -> None:
    judgement = judge_move(Unclear("HTTP 500 whole answer"), WANTED, now=NOW, after_unknown=after_unknown)
    assert (judgement.verdict, judgement.why) == (Verdict.UNKNOWN, "no clear answer")


def test_every_refusal_has_its_row() -> None:
    assert {answer.why for answer, _ in CLEAR if isinstance(answer, Refused)} == set(Refusal)


@pytest.mark.parametrize("answer", [answer for answer, _ in CLEAR] + [Unclear("whole answer of Ada Kanarienvogel")])
@pytest.mark.parametrize("after_unknown", [False, True])
def test_why_is_in_our_words_and_never_in_cal_coms(answer: CreateAnswer, *, after_unknown: bool) -> None:
    why = judge_move(answer, WANTED, now=NOW, after_unknown=after_unknown).why
    assert "HTTP" not in why
    assert "Kanarienvogel" not in why


# What was seen of an appointment that is being changed

WEEK = timedelta(days=7)
STANDS = tuple(
    BookedSegment(n, "fabian", Slot.of(SLOT.start + timedelta(hours=n), 30), 2563193 + n, f"uid{n}", n)
    for n in range(2)
)
GOES = tuple(replace(each, slot=Slot.of(each.slot.start + WEEK, 30), uid=None, booking_id=None) for each in STANDS)


def being_moved(*parts: BookedSegment) -> Appointment:
    goes = tuple(each for each in GOES if each.index in {part.index for part in parts})
    return Appointment(
        id="a1",
        state=AppointmentState.MOVING,
        op="op",
        version=3,
        service="farbe",
        segments=parts,
        customer=Customer("c1", "Erika Muster", "kunde-c1@salon.example", None),
        call="call_1",
        source="phone",
        created_at=SENT,
        request="wish",
        change=Change(op="move", kind=ChangeKind.MOVE, call="call_2", since=SENT, segments=goes),
    )


def shown(segment: BookedSegment, *, uid: str, slot: Slot | None = None, status: str = "accepted") -> Booking:
    at = slot or segment.slot
    return replace(MOVED, uid=uid, id=77, start=at.start, end=at.end, status=status)


def test_what_was_not_seen_stays_as_it_is_on_record() -> None:
    assert as_it_stands(being_moved(*STANDS), {}) == STANDS
    assert as_it_stands(being_moved(*STANDS), {0: shown(STANDS[0], uid="uid0")}) == STANDS


@pytest.mark.parametrize("status", ["cancelled", "rejected"])
def test_a_part_that_is_cancelled_is_none_any_more(status: str) -> None:
    assert as_it_stands(being_moved(*STANDS), {0: shown(STANDS[0], uid="uid0", status=status)}) == STANDS[1:]


def test_a_part_under_another_uid_stands_where_it_was_or_where_it_was_to_go() -> None:
    back = as_it_stands(being_moved(*STANDS), {0: shown(STANDS[0], uid="back")})
    gone = as_it_stands(being_moved(*STANDS), {0: shown(STANDS[0], uid="gone", slot=GOES[0].slot)})
    assert [(each.uid, each.booking_id, each.slot) for each in back] == [
        ("back", 77, STANDS[0].slot),
        ("uid1", 1, STANDS[1].slot),
    ]
    assert [(each.uid, each.booking_id, each.slot) for each in gone] == [
        ("gone", 77, GOES[0].slot),
        ("uid1", 1, STANDS[1].slot),
    ]


def test_at_a_third_place_it_stays_as_it_is_on_record() -> None:
    elsewhere = Slot.of(SLOT.start + timedelta(days=3), 30)
    assert as_it_stands(being_moved(*STANDS), {0: shown(STANDS[0], uid="third", slot=elsewhere)}) == STANDS


def test_a_part_whose_uid_is_known_is_never_said_to_have_moved() -> None:
    edited = shown(STANDS[0], uid="uid0", slot=GOES[0].slot)
    assert as_it_stands(being_moved(*STANDS), {0: edited}) == STANDS


def test_a_cancellation_has_nowhere_to_go() -> None:
    cancelling = replace(
        being_moved(*STANDS), change=Change(op="cancel", kind=ChangeKind.CANCEL, call="call_2", since=SENT, segments=())
    )
    assert as_it_stands(cancelling, {0: shown(STANDS[0], uid="back")})[0].uid == "back"


def test_how_new_a_state_is_is_known_part_by_part_of_several_and_not_of_one() -> None:
    (one,) = as_it_stands(being_moved(STANDS[0]), {0: shown(STANDS[0], uid="back")})
    first, _ = as_it_stands(being_moved(*STANDS), {0: shown(STANDS[0], uid="back")})
    assert (one.updated_at, first.updated_at) == (None, MOVED.updated_at)
