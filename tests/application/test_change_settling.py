"""A change that its turn left open comes to its end: found done, sent again, given up, or looked at again.

What Cal.com does is set up behind the turn; then somebody settles, at times of the test's choosing.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bookend.adapters.dynamodb.adoptions import DynamoAdoptions
from bookend.adapters.dynamodb.changes import DynamoChanges
from bookend.application import alerts
from bookend.application.background import Background
from bookend.application.change_outcomes import KeptForLater, NotChanged
from bookend.application.deadline import Deadline
from bookend.application.patience import AGAIN, SETTLE, STUCK
from bookend.application.settling import Settled, settle
from bookend.domain.answers import Answered, CreateAnswer, KeyRejected, NotSent, NotThere, Refusal, Refused, Unclear
from bookend.domain.appointment import Appointment, AppointmentState, ChangeEnd, ChangeKind, ChangeWhy
from tests.application.changes import (
    CANCEL,
    ELEVEN,
    MOVE,
    TEN,
    accepted_at,
    answers,
    ledger,
    moved_longer,
    only,
    question,
    salon_with_one,
    texts,
    yes,
)
from tests.support.calendar import FakeCalendar

S = AppointmentState
BOTH = pytest.mark.parametrize("kind", list(ChangeKind))
HOUR = timedelta(hours=1)
LOST = Unclear("ReadTimeout")
NEVER_LEFT = NotSent("circuit open", retry_after_s=60.0)
MINUTE = 60.0
LATE = SETTLE.total_seconds() + AGAIN.total_seconds()
STANDS = {"28. 10:00": "C"}
BLOCKED = {MOVE: {"28. 10:00": "C", "28. 11:00": "P"}, CANCEL: STANDS}
"""While it is open."""
DONE = {MOVE: ({"28. 11:00": "C"}, ["moved"]), CANCEL: ({}, ["cancelled"])}
"""The ledger and the messages once it is done."""


class Left:
    """Hans Schuster's move from ten to eleven, or cancellation, that its turn could not end."""

    def __init__(self, kind: ChangeKind, trouble: Any = LOST, *, keep: bool = False) -> None:
        self.kind, self.salon = kind, salon_with_one()
        self.calendar: FakeCalendar = self.salon.calendar
        self.answer(trouble, trouble)
        phone = self.salon.call()
        self.outcome = yes(phone, kind, question(phone, kind).token, keep=keep)
        assert isinstance(self.outcome, KeptForLater if keep else NotChanged)
        self.calendar.move_faults.clear()
        self.calendar.cancel_faults.clear()
        self.salon.alerts.raised.clear()
        self.calendar.asked.clear()
        self.began = self.salon.clock.now()
        self.name = self.now_is.id
        self.uid = self.now_is.segments[0].uid or ""

    def answer(self, *troubles: Any) -> None:
        """Cal.com answers the next requests so; or does what is given."""
        self.calendar.move_faults.extend(each if callable(each) else answers(each) for each in troubles)
        self.calendar.cancel_faults.extend(troubles)

    def settle(self, *, at: float) -> Settled:
        """`at` so many seconds after the turn."""
        self.salon.clock.advance(at - (self.salon.clock.now() - self.began).total_seconds())
        return settle(self.work(), self.name)

    def work(self) -> Background:
        salon = self.salon
        return Background(
            tenant=salon.tenant,
            appointments=salon.appointments,
            adoptions=DynamoAdoptions(salon.table),
            changes=DynamoChanges(salon.table),
            calendar=self.calendar,
            alerts=salon.alerts,
            clock=salon.clock,
            deadline=Deadline.within(8.0, salon.clock),
        )

    @property
    def now_is(self) -> Appointment:
        return only(self.salon)

    @property
    def is_open(self) -> bool:
        """Under way, with its times blocked and nothing told."""
        state = S.MOVING if self.kind is MOVE else S.CANCELLING
        return (self.now_is.state, ledger(self.salon), texts(self.salon)) == (state, BLOCKED[self.kind], [])

    @property
    def end(self) -> tuple[AppointmentState, ChangeEnd | None, ChangeWhy | None]:
        last = self.now_is.last_change
        return self.now_is.state, last.end if last else None, last.why if last else None

    @property
    def kinds(self) -> list[str]:
        return [each.kind for each in self.salon.alerts.raised]

    @property
    def sent(self) -> int:
        """How often it was sent again."""
        return self.calendar.asked.count("reschedule" if self.kind is MOVE else "cancel")


def given_up(why: ChangeWhy) -> tuple[AppointmentState, ChangeEnd, ChangeWhy]:
    return S.CONFIRMED, ChangeEnd.NOT_DONE, why


# Sent again


@BOTH
@pytest.mark.parametrize("trouble", [LOST, NEVER_LEFT], ids=["unclear", "never left"])
def test_what_the_caller_lets_us_do_later_is_sent_again_and_ends_when_it_is_done(
    kind: ChangeKind, trouble: Any
) -> None:
    left = Left(kind, trouble, keep=True)
    if kind is MOVE and trouble is LOST:
        assert left.settle(at=MINUTE) is Settled.WAITING
        assert left.sent == 0, "of two moves of one booking Cal.com makes two"
    assert left.settle(at=LATE) is Settled.ENDED
    assert (left.sent, (ledger(left.salon), texts(left.salon))) == (1, DONE[kind])
    assert left.kinds == []


@BOTH
def test_who_is_overtaken_between_look_and_request_sends_nothing_and_looks_again(kind: ChangeKind) -> None:
    left = Left(kind, NEVER_LEFT, keep=True)
    read, ends = left.calendar.booking, []

    def overtaken(*args: Any, **rest: Any) -> Any:
        found = read(*args, **rest)
        left.calendar.booking = read  # type: ignore[method-assign]
        ends.append(settle(left.work(), left.name))
        return found

    left.calendar.booking = overtaken  # type: ignore[method-assign]
    assert left.settle(at=MINUTE) is Settled.WAITING
    assert ends == [Settled.ENDED]
    assert (left.sent, (ledger(left.salon), texts(left.salon))) == (1, DONE[kind])


@BOTH
@pytest.mark.parametrize("answer", [NotSent("ConnectError"), KeyRejected("HTTP 401")], ids=lambda each: each.detail)
def test_a_request_that_never_left_again_leaves_the_wish_as_one_that_was_never_sent(
    kind: ChangeKind, answer: Any
) -> None:
    left = Left(kind, NEVER_LEFT, keep=True)
    left.answer(answer)
    assert left.settle(at=MINUTE) is Settled.WAITING
    assert left.is_open
    assert left.now_is.under_way.sent_at is None
    assert left.settle(at=2 * MINUTE) is Settled.ENDED
    assert (ledger(left.salon), texts(left.salon)) == DONE[kind]


@pytest.mark.parametrize(("kind", "answer"), [(MOVE, LOST), (CANCEL, LOST), (CANCEL, NotThere("HTTP 404"))], ids=str)
def test_a_request_of_which_nobody_knows_is_on_record_as_sent(kind: ChangeKind, answer: Any) -> None:
    left = Left(kind, NEVER_LEFT, keep=True)
    left.answer(answer)
    assert left.settle(at=MINUTE) is Settled.WAITING
    assert left.is_open
    assert left.now_is.under_way.sent_at == left.began + timedelta(seconds=MINUTE)


@BOTH
def test_what_cal_com_refuses_is_given_up_and_a_person_is_told(kind: ChangeKind) -> None:
    left = Left(kind, NEVER_LEFT, keep=True)
    left.answer(Refused(Refusal.INVALID, "HTTP 400"))
    assert left.settle(at=MINUTE) is Settled.ENDED
    assert left.end == given_up(ChangeWhy.REFUSED)
    assert (ledger(left.salon), texts(left.salon)) == (STANDS, [f"not_{DONE[kind][1][0]}"])
    assert left.kinds == [alerts.REQUEST_REFUSED]


def test_a_time_that_was_sold_meanwhile_is_told_to_the_caller_and_to_nobody_else() -> None:
    left = Left(MOVE, NEVER_LEFT, keep=True)
    left.calendar.book_publicly(3672814, ELEVEN)
    assert left.settle(at=MINUTE) is Settled.ENDED
    assert left.end == given_up(ChangeWhy.TAKEN)
    assert (ledger(left.salon), texts(left.salon), left.kinds) == (STANDS, ["not_moved"], [])


@BOTH
def test_without_consent_nothing_is_sent_again_and_the_end_is_told_once_it_is_certain(kind: ChangeKind) -> None:
    left = Left(kind)
    assert left.settle(at=MINUTE) is Settled.WAITING
    assert left.settle(at=SETTLE.total_seconds() - 10) is Settled.WAITING
    assert left.is_open
    assert left.settle(at=LATE) is Settled.ENDED
    assert left.end == given_up(ChangeWhy.NEVER_ARRIVED)
    assert (left.sent, ledger(left.salon), texts(left.salon)) == (0, STANDS, [f"not_{DONE[kind][1][0]}"])


def test_a_cancellation_of_what_has_begun_meanwhile_is_given_up_and_a_person_is_told() -> None:
    left = Left(CANCEL)
    over = (TEN - left.began).total_seconds()
    assert left.settle(at=over) is Settled.ENDED
    assert left.end == given_up(ChangeWhy.TOO_LATE)
    assert (left.sent, left.kinds, texts(left.salon)) == (0, [alerts.REQUEST_REFUSED], ["not_cancelled"])


# It cannot be read


@BOTH
def test_a_booking_that_is_not_shown_is_given_up_only_when_it_has_been_gone_for_a_quarter_of_an_hour(
    kind: ChangeKind,
) -> None:
    left = Left(kind)
    left.calendar.hidden[left.uid] = left.began + timedelta(days=30)
    since = (left.now_is.under_way.since - left.began).total_seconds() + STUCK.total_seconds()
    for at in (MINUTE, LATE, 10 * MINUTE, since - 1):
        assert left.settle(at=at) is Settled.WAITING
        assert left.is_open
    left.salon.alerts.raised.clear()
    assert left.settle(at=since) is Settled.ENDED
    assert left.end == given_up(ChangeWhy.NOT_FOUND)
    assert (left.kinds, texts(left.salon)) == ([alerts.REQUEST_REFUSED], [f"not_{DONE[kind][1][0]}"])


@BOTH
def test_a_kept_wish_for_a_booking_that_is_not_shown_is_not_given_up_before_its_time(kind: ChangeKind) -> None:
    left = Left(kind, NEVER_LEFT, keep=True)
    left.calendar.hidden[left.uid] = left.began + timedelta(hours=1)
    for at in (MINUTE, LATE, STUCK.total_seconds() + MINUTE):
        assert left.settle(at=at) is Settled.WAITING
        assert left.is_open
    assert left.settle(at=3700) is Settled.ENDED
    assert (ledger(left.salon), texts(left.salon)) == DONE[kind]


@BOTH
def test_however_long_cal_com_cannot_be_read_that_is_no_end(kind: ChangeKind) -> None:
    """One look has shown it standing; from then on there is no answer, which is not a 404."""
    left = Left(kind)
    assert left.settle(at=MINUTE) is Settled.WAITING
    read = left.calendar.booking
    left.calendar.booking = lambda *_, **__: Unclear("HTTP 502")  # type: ignore[method-assign]
    for at in (LATE, STUCK.total_seconds() + MINUTE, 4 * 3600.0):
        assert left.settle(at=at) is Settled.WAITING
        assert left.is_open
    assert left.kinds == [alerts.STUCK]
    left.calendar.booking = read  # type: ignore[method-assign]
    assert left.settle(at=4 * 3600.0 + MINUTE) is Settled.ENDED
    assert left.end == given_up(ChangeWhy.NEVER_ARRIVED)


# It has been done, or others have done something


def test_a_move_that_was_done_and_not_heard_of_is_found_and_told() -> None:
    left = Left(MOVE)
    left.calendar.make_move(left.uid, ELEVEN)
    assert left.settle(at=MINUTE) is Settled.ENDED
    assert (left.sent, (ledger(left.salon), texts(left.salon))) == (0, DONE[MOVE])
    assert left.end == (S.CONFIRMED, ChangeEnd.DONE, ChangeWhy.NONE)
    assert left.kinds == []


def test_a_move_that_came_out_longer_stands_where_it_is_and_a_person_is_told() -> None:
    left = Left(MOVE)
    moved = moved_longer(left.calendar, left.uid, ELEVEN)
    assert isinstance(moved, Answered)
    assert left.settle(at=MINUTE) is Settled.ENDED
    now_is = left.now_is
    assert (now_is.state, now_is.slot.start, now_is.slot.end) == (S.CONFIRMED, ELEVEN, moved.booking.end)
    assert now_is.segments[0].uid == moved.booking.uid
    assert texts(left.salon) == ["moved"]
    assert left.kinds == [alerts.WRONG_BOOKING]


def test_what_the_salon_moved_twice_is_theirs_though_it_stands_where_it_was_wanted() -> None:
    left = Left(MOVE, keep=True)
    elsewhere = left.calendar.make_move(left.uid, TEN + 5 * HOUR)
    left.calendar.make_move(elsewhere.booking.uid, ELEVEN)
    assert left.settle(at=MINUTE) is Settled.ENDED
    assert left.end == given_up(ChangeWhy.CHANGED_THERE)
    assert (left.now_is.slot.start, left.kinds) == (ELEVEN, [])


def test_a_kept_move_that_nobody_knows_the_end_of_is_given_up_when_its_time_is_over() -> None:
    left = Left(MOVE, LOST, keep=True)
    assert left.settle(at=MINUTE) is Settled.WAITING
    until = left.now_is.under_way.keep_until
    assert until is not None
    assert left.settle(at=(until - left.began).total_seconds()) is Settled.ENDED
    assert (left.end, left.sent) == (given_up(ChangeWhy.TOO_LATE), 0)


@BOTH
def test_what_the_salon_moved_meanwhile_stands_there_and_the_wish_is_void(kind: ChangeKind) -> None:
    left = Left(kind, keep=True)
    left.calendar.move(left.uid, TEN + 5 * HOUR)
    assert left.settle(at=MINUTE) is Settled.ENDED
    assert left.end == given_up(ChangeWhy.CHANGED_THERE)
    assert (ledger(left.salon), left.sent) == ({"28. 15:00": "C"}, 0)
    assert accepted_at(left.salon) == [TEN + 5 * HOUR]
    assert texts(left.salon) == [f"not_{DONE[kind][1][0]}"]


@BOTH
def test_what_was_moved_to_where_somebody_must_confirm_it_waits_for_them(kind: ChangeKind) -> None:
    left = Left(kind, keep=True)
    new = left.calendar.move(left.uid, TEN + 5 * HOUR)
    left.calendar.change(new.uid, status="pending")
    for at in (MINUTE, LATE):
        assert left.settle(at=at) is Settled.WAITING
        assert left.is_open
    left.calendar.change(new.uid, status="accepted")
    assert left.settle(at=LATE + MINUTE) is Settled.ENDED
    assert left.end == given_up(ChangeWhy.CHANGED_THERE)


EDITS: dict[str, dict[str, Any]] = {
    "earlier": {"start": TEN - HOUR / 2, "end": TEN},
    "longer": {"end": TEN + HOUR},
    "emma's": {"host": 29},
}


@BOTH
@pytest.mark.parametrize("edit", EDITS)
def test_what_the_salon_has_edited_meanwhile_is_not_what_the_caller_spoke_of(kind: ChangeKind, edit: str) -> None:
    left = Left(kind, NEVER_LEFT, keep=True)
    seen = left.calendar.change(left.uid, **EDITS[edit])
    assert left.settle(at=MINUTE) is Settled.ENDED
    assert left.end == given_up(ChangeWhy.CHANGED_THERE)
    (own,) = left.now_is.segments
    assert (own.staff, own.slot.start, own.slot.end) == ("emma" if seen.host == 29 else "fabian", seen.start, seen.end)
    assert (left.sent, texts(left.salon)) == (0, [f"not_{DONE[kind][1][0]}"])


@BOTH
@pytest.mark.parametrize("keep", [True, False], ids=["kept", "not kept"])
def test_what_was_cancelled_there_is_cancelled_whatever_was_wanted_of_it(kind: ChangeKind, keep: bool) -> None:
    left = Left(kind, keep=keep)
    left.calendar.change(left.uid, status="cancelled")
    assert left.settle(at=MINUTE) is Settled.ENDED
    assert (left.now_is.state, ledger(left.salon), left.sent) == (S.CANCELLED, {}, 0)
    assert texts(left.salon) == ["cancelled"]


def test_half_of_a_move_is_no_cancellation() -> None:
    left = Left(MOVE)

    def half() -> None:
        new = left.calendar.move(left.uid, ELEVEN)
        left.calendar.bookings[left.uid] = replace(left.calendar.bookings[left.uid], rescheduled_to=None)
        left.calendar.hidden[new.uid] = left.salon.clock.now() + timedelta(seconds=20)

    left.salon.clock.advance(50)
    half()
    assert left.settle(at=MINUTE) is Settled.WAITING
    assert left.is_open
    assert left.settle(at=2 * MINUTE) is Settled.ENDED
    assert (ledger(left.salon), texts(left.salon)) == DONE[MOVE]


def test_a_repeated_move_of_which_the_answer_is_lost_is_not_repeated_while_it_may_still_come() -> None:
    """Of two moves of one booking Cal.com makes two."""
    left = Left(MOVE, NEVER_LEFT, keep=True)

    def slow(_calendar: FakeCalendar, _uid: str, _start: datetime) -> CreateAnswer:
        return LOST

    left.answer(slow)
    assert left.settle(at=MINUTE) is Settled.WAITING
    for at in (2 * MINUTE, 3 * MINUTE, MINUTE + SETTLE.total_seconds() - 1):
        assert left.settle(at=at) is Settled.WAITING
        assert left.sent == 1
    assert left.settle(at=MINUTE + SETTLE.total_seconds()) is Settled.ENDED
    assert (left.sent, (ledger(left.salon), texts(left.salon))) == (2, DONE[MOVE])
