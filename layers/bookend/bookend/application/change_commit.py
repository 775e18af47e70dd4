"""A change is on record: ask Cal.com, class the answer, write down what it means, and say so."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from bookend.application import alerts as alert
from bookend.application.change_outcomes import (
    AskedTooLongAgo,
    CancelledNow,
    ChangeOutcome,
    KeptForLater,
    Moved,
    NotChanged,
)
from bookend.application.deadline import COMMIT_RESERVE_S, LEAST_FOR_WRITE_S, LOOK_S, POST_S
from bookend.application.offering import NoAnswer, find_free, keep
from bookend.application.own_bookings import expected_move
from bookend.application.ports import Alert, Cancelled, Job, QueueUnavailable, StoreUnavailable
from bookend.application.turn import Turn
from bookend.domain.answers import (
    Answered,
    Booking,
    CreateAnswer,
    Judgement,
    KeyRejected,
    NotSent,
    NotThere,
    Refused,
    Unclear,
    Verdict,
)
from bookend.domain.appointment import Appointment, AppointmentState, Change, ChangeEnd, ChangeKind, Told
from bookend.domain.authority import Asked
from bookend.domain.availability import Offer, Wanted
from bookend.domain.drift import DEAD
from bookend.domain.failures import TREATMENT, FailureClass, failure_of
from bookend.domain.move_answers import judge_move, judge_moved
from bookend.domain.policy import policy_of
from bookend.domain.tenant import Service
from bookend.domain.timeslot import Slot

MOVE_REASON = "Vom Kunden telefonisch verschoben."
CANCEL_REASON = "Vom Kunden telefonisch storniert."
KEEP = timedelta(hours=2)
"""How long a wish that could not be fulfilled is kept, if its caller agrees."""
_SETTLE_SOON = timedelta(seconds=45)
_TRY_AGAIN = timedelta(seconds=60)
_LEAST_FOR_LOOK_S = 0.4
_ALTERNATIVES_LEAST_S = 1.0
TAKEN = "taken"
NOT_SENT = "not_sent"


def keep_until(turn: Turn, appointment: Appointment) -> datetime | None:
    """Until when a wish for this appointment can be kept; None: it would be too late by then."""
    policy = policy_of(turn.tenant, service=appointment.service, staff=appointment.staff)
    last = appointment.slot.start - max(policy.move_until, policy.cancel_until)
    until = min(turn.clock.now() + KEEP, last)
    return until if until > turn.clock.now() + _TRY_AGAIN else None


def carry_out_change(turn: Turn, appointment: Appointment, asked: Asked, *, keep: datetime | None) -> ChangeOutcome:
    """Ask Cal.com. `keep`: the caller has agreed already that it is tried until then if it cannot be done now."""
    change = _change_of(appointment)
    try:
        if change.kind is ChangeKind.MOVE:
            return _move(turn, appointment, asked, keep)
        return _cancel(turn, appointment, asked, keep)
    except StoreUnavailable:
        # Cal.com has answered, but whether that is written down is not known: say what is on record.
        return _as_recorded(turn, appointment)


# Moving


def _move(turn: Turn, appointment: Appointment, asked: Asked, keep: datetime | None) -> ChangeOutcome:
    answer, judgement = _send_move(turn, appointment)
    if judgement.verdict is Verdict.UNKNOWN:
        answer, judgement = _look_for_move(turn, appointment, answer, judgement)
    match judgement.verdict:
        case Verdict.OK:
            assert isinstance(answer, Answered)  # noqa: S101 - judge_move() says so of nothing else
            return _moved(turn, appointment, answer.booking)
        case Verdict.WRONG | Verdict.EXISTING:
            # Somewhere else than was asked, or not ours at all: what it is, is found out by a look at both.
            return _open(turn, appointment, FailureClass.PENDING, answer, judgement.why, wrong=True)
        case Verdict.UNKNOWN:
            return _unknown(turn, appointment, asked, answer, judgement.why, keep)
        case Verdict.REJECT | Verdict.REFUSED | Verdict.NOT_SENT | Verdict.CONFIG | Verdict.NOT_FOUND:
            assert not isinstance(answer, Answered)  # noqa: S101 - an answer with a booking is none of these
            return _refused(turn, appointment, asked, answer, keep)
        case other:
            assert_never(other)


def _send_move(turn: Turn, appointment: Appointment) -> tuple[CreateAnswer, Judgement]:
    """Once; and once more where that cannot do harm. The same move twice is one (calcom-observed 2: 22b, 29h)."""
    change, segment = _change_of(appointment), appointment.segments[0]
    expected = expected_move(turn.tenant, appointment)

    def send() -> CreateAnswer:
        deadline = turn.deadline.share(POST_S, reserve=COMMIT_RESERVE_S)
        return turn.calendar.reschedule(segment.uid or "", change.slot.start, MOVE_REASON, deadline=deadline)

    answer = send()
    unclear = isinstance(answer, Unclear)
    if _again(answer) and turn.deadline.remaining() >= LEAST_FOR_WRITE_S + (LOOK_S if unclear else 0):
        answer = send()
    return answer, judge_move(answer, expected, now=turn.clock.now(), after_unknown=unclear)


def _again(answer: CreateAnswer) -> bool:
    """A rate limit and an open breaker say when to come back, and that is not in this turn; a key does not mend."""
    if isinstance(answer, Answered | KeyRejected) or (isinstance(answer, NotSent) and answer.retry_after_s is not None):
        return False
    return TREATMENT[failure_of(answer)].sent_again


def _look_for_move(
    turn: Turn, appointment: Appointment, answer: CreateAnswer, judgement: Judgement
) -> tuple[CreateAnswer, Judgement]:
    """One look for what became of it, while the caller can still be told. Only finding it moved says anything."""
    deadline = turn.deadline.share(LOOK_S, reserve=COMMIT_RESERVE_S)
    if deadline.remaining() < _LEAST_FOR_LOOK_S:
        return answer, judgement
    old = turn.calendar.booking(appointment.segments[0].uid or "", deadline=deadline)
    if not isinstance(old, Booking) or old.status not in DEAD or old.rescheduled_to is None:
        return answer, judgement
    new = turn.calendar.booking(old.rescheduled_to, deadline=deadline)
    if not isinstance(new, Booking):
        return answer, judgement
    return Answered(new), judge_moved(new, expected_move(turn.tenant, appointment), now=turn.clock.now())


def _moved(turn: Turn, appointment: Appointment, booking: Booking) -> ChangeOutcome:
    change = _change_of(appointment)
    if turn.changes.moved(turn.tenant.id, appointment, booking, audit=None, now=turn.clock.now()):
        return Moved(change.slot, appointment.staff, turn.today())
    return _as_recorded(turn, appointment)


# Cancelling


def _cancel(turn: Turn, appointment: Appointment, asked: Asked, keep: datetime | None) -> ChangeOutcome:
    uid = appointment.segments[0].uid or ""

    def send() -> Cancelled | Refused | Unclear | NotSent | KeyRejected | NotThere:
        return turn.calendar.cancel(uid, CANCEL_REASON, deadline=turn.deadline.share(POST_S, reserve=COMMIT_RESERVE_S))

    answer = send()
    if not isinstance(answer, Cancelled) and _again(answer):
        if isinstance(answer, Unclear) and (seen := _is_cancelled(turn, uid)) is not None:
            return _cancelled(turn, appointment, seen)
        if turn.deadline.remaining() >= LEAST_FOR_WRITE_S:
            answer = _second_answer(answer, send())
    match answer:
        case Cancelled():
            return _cancelled(turn, appointment, None)
        case Unclear():
            return _unknown(turn, appointment, asked, answer, "no clear answer", keep)
        case Refused() | NotSent() | KeyRejected() | NotThere():
            return _refused(turn, appointment, asked, answer, keep)
        case other:
            assert_never(other)


def _second_answer(
    first: Refused | Unclear | NotSent | KeyRejected | NotThere,
    second: Cancelled | Refused | Unclear | NotSent | KeyRejected | NotThere,
) -> Cancelled | Refused | Unclear | NotSent | KeyRejected | NotThere:
    """After an unclear one only a success is clear: what is refused now may have been done by the first."""
    return first if isinstance(first, Unclear) and not isinstance(second, Cancelled) else second


def _is_cancelled(turn: Turn, uid: str) -> Booking | None:
    """The booking, if a read shows it cancelled and not moved."""
    deadline = turn.deadline.share(LOOK_S, reserve=COMMIT_RESERVE_S)
    if deadline.remaining() < _LEAST_FOR_LOOK_S:
        return None
    seen = turn.calendar.booking(uid, deadline=deadline)
    gone = isinstance(seen, Booking) and seen.status in DEAD and seen.rescheduled_to is None
    return seen if gone and isinstance(seen, Booking) else None


def _cancelled(turn: Turn, appointment: Appointment, seen: Booking | None) -> ChangeOutcome:
    if turn.changes.cancelled(turn.tenant.id, appointment, booking=seen, audit=None, now=turn.clock.now()):
        return CancelledNow(appointment.slot, turn.today())
    return _as_recorded(turn, appointment)


# Neither


def _refused(
    turn: Turn,
    appointment: Appointment,
    asked: Asked,
    answer: Refused | Unclear | NotSent | KeyRejected | NotThere,
    keep: datetime | None,
) -> ChangeOutcome:
    """A definite no: the appointment stands as it stood, and the caller hears why."""
    change, failure = _change_of(appointment), failure_of(answer)
    if keep is not None and TREATMENT[failure].may_be_kept:
        return keep_for_later(turn, appointment, until=keep, answer=_detail(answer))
    raised = _alert(appointment, answer, failure)
    if raised is not None:
        turn.alerts.raise_(raised)
    outcome = NotChanged(
        kind=change.kind,
        failure=failure,
        current=appointment.slot,
        wanted=change.slot if change.segments else None,
        retry_after_s=answer.retry_after_s if isinstance(answer, NotSent) else None,
        token=asked.token if TREATMENT[failure].may_be_kept and keep_until(turn, appointment) else None,
        today=turn.today(),
    )
    given_up = turn.changes.given_up(
        turn.tenant.id,
        appointment,
        why=TAKEN if failure is FailureClass.SLOT_TAKEN else failure.value,
        owes_text=False,
        answer=_detail(answer),
        alert=raised,
        audit=None,
        now=turn.clock.now(),
    )
    if not given_up:
        return _as_recorded(turn, appointment)
    service = turn.tenant.service(appointment.service) if change.segments else None
    if failure is FailureClass.SLOT_TAKEN and service is not None:
        return replace(outcome, offers=other_times(turn, appointment, service, change.slot))
    return outcome


def _alert(appointment: Appointment, answer: CreateAnswer, failure: FailureClass) -> Alert | None:
    if isinstance(answer, KeyRejected):
        return alert.key_rejected(appointment)
    if failure in {FailureClass.ERROR, FailureClass.NOT_FOUND}:
        return alert.request_refused(appointment, failure.value)
    return None


def _unknown(  # noqa: PLR0917 - see above
    turn: Turn,
    appointment: Appointment,
    asked: Asked,
    answer: CreateAnswer,
    why: str,
    keep: datetime | None,
) -> ChangeOutcome:
    """Nobody knows. With the caller's consent it is seen through; without, they hear how it ended."""
    if keep is not None:
        return keep_for_later(turn, appointment, until=keep, answer=_detail(answer))
    outcome = _open(turn, appointment, FailureClass.TEMPORARY, answer, why)
    may_keep = isinstance(outcome, NotChanged) and keep_until(turn, appointment) is not None
    return replace(outcome, token=asked.token) if isinstance(outcome, NotChanged) and may_keep else outcome


def _open(
    turn: Turn, appointment: Appointment, failure: FailureClass, answer: CreateAnswer, why: str, *, wrong: bool = False
) -> ChangeOutcome:
    """What is told is noted before it is said, both times stay blocked, and somebody looks soon."""
    raised = alert.wrong_booking(appointment, why, answer) if wrong else alert.outcome_unknown(appointment, why)
    turn.alerts.raise_(raised)
    due = turn.clock.now() + _SETTLE_SOON
    noted = turn.changes.leave_open(
        turn.tenant.id,
        appointment,
        due=due,
        keep_until=None,
        answer=_detail(answer),
        alert=raised,
        now=turn.clock.now(),
    )
    change = _change_of(appointment)
    outcome = NotChanged(kind=change.kind, failure=failure, current=appointment.slot, open=True, today=turn.today())
    if not noted:
        return _now_stands(turn, appointment, change.op, change.kind) or outcome
    _soon(turn, appointment)
    return outcome


def keep_for_later(
    turn: Turn, appointment: Appointment, *, until: datetime | None = None, answer: str = ""
) -> ChangeOutcome:
    """Noted, before it is promised, that it is tried until then and that a message is owed."""
    change = _change_of(appointment)
    last = until or change.keep_until
    assert last is not None  # noqa: S101 - only what may be kept comes here
    noted = turn.changes.leave_open(
        turn.tenant.id,
        appointment,
        due=turn.clock.now() + _TRY_AGAIN,
        keep_until=last,
        answer=answer,
        alert=None,
        now=turn.clock.now(),
    )
    if not noted:
        return _now_stands(turn, appointment, change.op, change.kind) or AskedTooLongAgo(change.kind)
    _soon(turn, appointment)
    return _kept(turn, appointment, last)


def _kept(turn: Turn, appointment: Appointment, until: datetime) -> KeptForLater:
    """Where it stands is said only of what surely was not sent: of the rest nobody knows."""
    change = _change_of(appointment)
    current = appointment.slot if change.sent_at is None else None
    return KeptForLater(change.kind, current, until, turn.today())


def _soon(turn: Turn, appointment: Appointment) -> None:
    with suppress(QueueUnavailable):  # then the sweeper finds it by its due time
        turn.queue.send(Job("settle", turn.tenant.id, appointment.id), delay=_SETTLE_SOON)


def other_times(turn: Turn, appointment: Appointment, service: Service, slot: Slot) -> tuple[Offer, ...]:
    """Where it could go instead, kept for the caller; nothing where there is no time left to look or to keep."""
    if turn.deadline.remaining() < _ALTERNATIVES_LEAST_S:
        return ()
    wanted = Wanted(slot.start.astimezone(turn.tenant.zone).date(), slot.start)
    try:
        free = find_free(turn, service, (appointment.staff,), wanted, fresh=True, moving=appointment)
        if isinstance(free, NoAnswer):
            return ()
        return keep(turn, service, free, wanted, without=frozenset({slot.start, appointment.slot.start}))
    except StoreUnavailable:
        return ()


# The same yes again, and what others did meanwhile


def ended_outcome(turn: Turn, appointment: Appointment, asked: Asked, *, keep: bool) -> ChangeOutcome | None:
    """What the same yes led to before; None: nothing yet, or nothing came of it and it may be kept for later."""
    change, last = appointment.change, appointment.last_change
    if change is not None and change.op in _ops(asked):
        if keep and change.keep_until is None and (until := keep_until(turn, appointment)) is not None:
            return keep_for_later(turn, appointment, until=until)
        return under_way(turn, appointment)
    if last is None or last.op not in _ops(asked):
        return None
    if last.end is ChangeEnd.NOT_DONE and keep and last.op == asked.op and last.why == FailureClass.TEMPORARY:
        return None
    return _now_stands(turn, appointment, last.op, last.kind)


def under_way(turn: Turn, appointment: Appointment) -> ChangeOutcome:
    """That a change is in flight; noted before it is said, so that whoever ends it sends the message."""
    change = _change_of(appointment)
    if change.keep_until is not None:
        return _kept(turn, appointment, change.keep_until)
    if change.told is not Told.PENDING and not turn.changes.leave_open(
        turn.tenant.id,
        appointment,
        due=turn.clock.now() + _SETTLE_SOON,
        keep_until=None,
        answer="",
        alert=None,
        now=turn.clock.now(),
    ):
        return _now_stands(turn, appointment, change.op, change.kind) or AskedTooLongAgo(change.kind)
    return NotChanged(
        kind=change.kind, failure=FailureClass.PENDING, current=appointment.slot, open=True, today=turn.today()
    )


def _ops(asked: Asked) -> set[str]:
    return {asked.op, f"{asked.op}k"}


def _as_recorded(turn: Turn, appointment: Appointment) -> ChangeOutcome:
    """What a write came to whose answer was lost, or that others were faster than; "open" if nobody tells."""
    change = _change_of(appointment)
    unknown = NotChanged(
        kind=change.kind, failure=FailureClass.TEMPORARY, current=appointment.slot, open=True, today=turn.today()
    )
    try:
        return _now_stands(turn, appointment, change.op, change.kind) or unknown
    except StoreUnavailable:
        return unknown


def _now_stands(turn: Turn, appointment: Appointment, op: str, kind: ChangeKind) -> ChangeOutcome | None:
    """How this very change ended; None while it has not."""
    now_is = turn.appointments.appointment(turn.tenant.id, appointment.id)
    last = now_is.last_change if now_is is not None else None
    if now_is is None or last is None or last.op != op:
        return None
    if last.end is ChangeEnd.DONE and kind is ChangeKind.MOVE and now_is.state is not AppointmentState.CANCELLED:
        return Moved(now_is.slot, now_is.staff, turn.today())
    if now_is.state is AppointmentState.CANCELLED:
        return CancelledNow(now_is.slot, turn.today())
    failure = FailureClass.SLOT_TAKEN if last.why == TAKEN else FailureClass.ERROR
    known = {each.value: each for each in FailureClass}
    return NotChanged(kind=kind, failure=known.get(last.why, failure), current=now_is.slot, today=turn.today())


def _change_of(appointment: Appointment) -> Change:
    """The change that is under way.

    Raises:
        ValueError: none is.
    """
    if appointment.change is None:
        msg = "no change is under way"
        raise ValueError(msg)
    return appointment.change


def _detail(answer: CreateAnswer) -> str:
    """Cal.com's answer as it is kept for operators; of a booking, only which one it was."""
    return f"booking {answer.booking.uid}" if isinstance(answer, Answered) else answer.detail
