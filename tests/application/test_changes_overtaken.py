"""A turn is at work on a change, and somebody else ends it first: the caller hears what is so, and nothing twice.

The sweeper takes over what a turn holds for too long, so a turn may come back from Cal.com to a change that has ended.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bookend.application.change_commit import (
    CANCELLED_BY_CUSTOMER,
    CANCELLED_BY_SALON,
    MOVED_BY_CUSTOMER,
    MOVED_BY_SALON,
    reason_of,
)
from bookend.application.change_outcomes import (
    CancelledNow,
    ChangeOutcome,
    KeptForLater,
    Moved,
    NotChanged,
)
from bookend.application.ports import CancelAnswer
from bookend.domain.answers import Answered, CreateAnswer, NotSent, Refusal, Refused, Unclear
from bookend.domain.appointment import AppointmentState, Change, ChangeKind, ChangeWhy, Told, WishedBy
from bookend.domain.failures import FailureClass
from bookend.domain.policy import PolicySettings
from tests.application.changes import (
    CANCEL,
    ELEVEN,
    MOVE,
    TEN,
    accepted_at,
    ledger,
    only,
    question,
    salon_with_one,
    sound,
    texts,
    yes,
)
from tests.support.calendar import FakeCalendar
from tests.support.salon import Phone, Salon

BOTH = pytest.mark.parametrize("kind", list(ChangeKind))
S = AppointmentState
LOST = Unclear("ReadTimeout")
LIMITED = NotSent("HTTP 429", retry_after_s=42.0)
NO = Refused(Refusal.LIMIT, "HTTP 400")


class Overtaken:
    """While Cal.com is asked, somebody else ends the change: `done`, or given up. Then Cal.com answers."""

    def __init__(self, kind: ChangeKind, answer: Any, *, done: bool, keep: bool = False) -> None:
        self.kind, self.done, self.answer = kind, done, answer
        self.salon: Salon = salon_with_one()
        self.phone: Phone = self.salon.call()
        token = question(self.phone, kind).token
        first: list[Callable[[], None]] = [self.ended_by_another]

        def faster() -> None:
            if first:
                first.pop()()

        def move(_calendar: FakeCalendar, _uid: str, _start: Any) -> CreateAnswer:
            faster()
            return self.after()

        def cancel(_calendar: FakeCalendar, _uid: str) -> CancelAnswer:
            faster()
            return self.after()

        self.salon.calendar.move_faults.extend([move, move])
        self.salon.calendar.cancel_faults.extend([cancel, cancel])
        self.outcome: ChangeOutcome = yes(self.phone, kind, token, keep=keep)

    def after(self) -> Any:
        if self.answer != "done":
            return self.answer
        if self.kind is CANCEL:
            return self.salon.calendar.cancel(self.uid, "", deadline=self.phone.turn(6.5).deadline)
        (lives,) = self.salon.calendar.accepted()
        return Answered(lives)

    def ended_by_another(self) -> None:
        salon, appointment = self.salon, only(self.salon)
        self.uid = appointment.segments[0].uid or ""
        now = salon.clock.now()
        if not self.done:
            ended = salon.changes.given_up(
                salon.tenant.id,
                appointment,
                why=ChangeWhy.CHANGED_THERE,
                owes_text=False,
                answer="",
                alert=None,
                audit=None,
                now=now,
                seen=None,
            )
        elif self.kind is MOVE:
            answer = salon.calendar.make_move(self.uid, ELEVEN)
            assert isinstance(answer, Answered)
            moved = {0: answer.booking}
            ended = salon.changes.moved(salon.tenant.id, appointment, moved, told=Told.NOTHING, audit=None, now=now)
        else:
            seen = salon.calendar.change(self.uid, status="cancelled")
            ended = salon.changes.cancelled(
                salon.tenant.id, appointment, booking=seen, told=Told.NOTHING, audit=None, now=now
            )
        assert ended


@BOTH
@pytest.mark.parametrize("keep", [True, False], ids=["kept", "not kept"])
@pytest.mark.parametrize("answer", ["done", NO, LOST, LIMITED], ids=["done", "no", "lost", "limited"])
def test_what_another_has_done_is_said_to_be_done_whatever_cal_com_answered_this_turn(
    kind: ChangeKind, answer: Any, keep: bool
) -> None:
    case = Overtaken(kind, answer, done=True, keep=keep)
    assert isinstance(case.outcome, Moved if kind is MOVE else CancelledNow)
    now_is = only(case.salon)
    assert now_is.state is (S.CONFIRMED if kind is MOVE else S.CANCELLED)
    assert accepted_at(case.salon) == ([ELEVEN] if kind is MOVE else [])
    assert ledger(case.salon) == ({"28. 11:00": "C"} if kind is MOVE else {})
    assert len(texts(case.salon)) == 1
    sound(case.phone, case.outcome)


@BOTH
@pytest.mark.parametrize("keep", [True, False], ids=["kept", "not kept"])
@pytest.mark.parametrize("answer", [NO, LOST, LIMITED], ids=["no", "lost", "limited"])
def test_what_another_has_given_up_is_said_not_to_be_done_and_is_not_kept(
    kind: ChangeKind, answer: Any, keep: bool
) -> None:
    case = Overtaken(kind, answer, done=False, keep=keep)
    outcome = case.outcome
    assert isinstance(outcome, NotChanged)
    assert (outcome.kind, outcome.failure, outcome.open, outcome.token) == (kind, FailureClass.ERROR, False, None)
    now_is = only(case.salon)
    assert (now_is.state, now_is.change, now_is.slot.start) == (S.CONFIRMED, None, TEN)
    assert (accepted_at(case.salon), ledger(case.salon)) == ([TEN], {"28. 10:00": "C"})
    assert case.salon.queue.jobs == []
    sound(case.phone, outcome)


@BOTH
def test_a_wish_that_cannot_be_kept_is_not_offered_to_be(kind: ChangeKind) -> None:
    """The salon's window closes before it could be tried again, so no yes to "later" is asked for."""
    for minutes, offered in ((10, True), (0.5, False)):
        salon = salon_with_one()
        window = TEN - salon.clock.now() - timedelta(minutes=minutes)
        rules = PolicySettings(move_until=window, cancel_until=window)
        salon.tenant = replace(salon.tenant, policy=rules)
        phone = salon.call()
        token = question(phone, kind).token
        salon.calendar.move_faults.extend([lambda *_: LOST] * 2)
        salon.calendar.cancel_faults.extend([LOST] * 2)
        outcome = yes(phone, kind, token)
        assert isinstance(outcome, NotChanged)
        assert (outcome.open, outcome.token is not None) == (True, offered)


@BOTH
@pytest.mark.parametrize("answer", [LOST, LIMITED], ids=["lost", "limited"])
def test_with_consent_what_could_not_be_done_is_kept_and_somebody_looks_soon(kind: ChangeKind, answer: Any) -> None:
    salon = salon_with_one()
    phone = salon.call()
    token = question(phone, kind).token
    salon.calendar.move_faults.extend([lambda *_: answer] * 2)
    salon.calendar.cancel_faults.extend([answer] * 2)
    outcome = yes(phone, kind, token, keep=True)
    assert isinstance(outcome, KeptForLater)
    assert only(salon).under_way.keep_until == outcome.until
    assert [job.kind for job, _ in salon.queue.jobs] == ["settle"]
    assert (outcome.current is None) is (answer is LOST), "where it stands is said only of what surely was not sent"
    assert texts(salon) == []


@pytest.mark.parametrize(
    ("kind", "wished_by", "reason"),
    [
        (MOVE, WishedBy.CALLER, MOVED_BY_CUSTOMER),
        (CANCEL, WishedBy.CALLER, CANCELLED_BY_CUSTOMER),
        (MOVE, WishedBy.PERSON, MOVED_BY_SALON),
        (CANCEL, WishedBy.PERSON, CANCELLED_BY_SALON),
    ],
)
def test_the_customers_mail_says_whose_wish_it_was(kind: ChangeKind, wished_by: WishedBy, reason: str) -> None:
    change = Change(op="op", kind=kind, call="call_1", since=TEN, wished_by=wished_by)
    assert reason_of(change) == reason
