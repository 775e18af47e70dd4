"""A change is on record: ask Cal.com, class the answer, write down what it means, and say so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from bookend.application import alerts as alert
from bookend.application.change_keeping import keep_for_later, may_keep_until
from bookend.application.change_outcomes import CancelledNow, ChangeOutcome, Moved, NotChanged
from bookend.application.change_replay import as_recorded, how_it_ended, not_known
from bookend.application.deadline import (
    COMMIT_RESERVE_S,
    LEAST_FOR_ALTERNATIVES_S,
    LEAST_FOR_LOOK_S,
    LEAST_FOR_WRITE_S,
    LOOK_S,
    POST_S,
)
from bookend.application.offering import NoAnswer, find_free, keep
from bookend.application.own_bookings import expected_move
from bookend.application.patience import SETTLE_SOON
from bookend.application.ports import Alert, Cancelled, StoreUnavailable
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
    detail,
)
from bookend.domain.appointment import Appointment, BookedSegment, Change, ChangeKind, Told, WishedBy
from bookend.domain.authority import Asked
from bookend.domain.availability import Offer, Wanted
from bookend.domain.drift import DEAD
from bookend.domain.failures import TREATMENT, FailureClass, Trouble, failure_of, why_of
from bookend.domain.move_answers import as_it_stands, judge_move, judge_moved
from bookend.domain.tenant import Service
from bookend.domain.timeslot import Slot

MOVED_BY_CUSTOMER = "Vom Kunden telefonisch verschoben."
CANCELLED_BY_CUSTOMER = "Vom Kunden telefonisch storniert."
MOVED_BY_SALON = "Vom Salon verschoben."
CANCELLED_BY_SALON = "Vom Salon storniert."
TAKEN_BACK = "Automatisch zurückverschoben: nicht alle Teile des Termins waren frei."


def reason_of(change: Change) -> str:
    """What Cal.com, and so its mails, say why it was moved or cancelled."""
    is_persons = change.wished_by is WishedBy.PERSON
    if change.kind is ChangeKind.MOVE:
        return MOVED_BY_SALON if is_persons else MOVED_BY_CUSTOMER
    return CANCELLED_BY_SALON if is_persons else CANCELLED_BY_CUSTOMER


def carry_out_change(turn: Turn, appointment: Appointment, asked: Asked, *, until: datetime | None) -> ChangeOutcome:
    """Ask Cal.com. `until`: the caller has agreed already that it is tried until then if it cannot be done now."""
    change = appointment.under_way
    try:
        if change.kind is ChangeKind.MOVE:
            return _move(turn, appointment, asked, until)
        return _cancel(turn, appointment, asked, until)
    except StoreUnavailable:
        # Cal.com has answered, but whether that is written down is not known: say what is on record.
        return as_recorded(turn, appointment)


# Moving


def _move(turn: Turn, appointment: Appointment, asked: Asked, until: datetime | None) -> ChangeOutcome:
    answer, judgement = _send_move(turn, appointment)
    if judgement.verdict is Verdict.UNKNOWN:
        answer, judgement = look_for_move(turn, appointment, appointment.segments[0], answer, judgement)
    match judgement.verdict:
        case Verdict.OK:
            assert isinstance(answer, Answered)  # noqa: S101 - judge_move() says so of nothing else
            return _moved(turn, appointment, answer.booking)
        case Verdict.WRONG | Verdict.EXISTING:
            # Somewhere else than was asked, or not ours at all: what it is, is found out by a look at both.
            return leave_it_open(turn, appointment, FailureClass.PENDING, answer, judgement.why, wrong=True)
        case Verdict.UNKNOWN:
            return unknown(turn, appointment, asked, answer, judgement.why, until)
        case Verdict.REJECT | Verdict.REFUSED | Verdict.NOT_SENT | Verdict.CONFIG | Verdict.NOT_FOUND:
            assert not isinstance(answer, Answered)  # noqa: S101 - an answer with a booking is none of these
            return refused(turn, appointment, asked, answer, until)
        case other:
            assert_never(other)


def _send_move(turn: Turn, appointment: Appointment) -> tuple[CreateAnswer, Judgement]:
    """Once; and once more where that cannot do harm. The same move twice is one (calcom-observed 2: 22b, 29h)."""
    change, segment = appointment.under_way, appointment.segments[0]
    expected = expected_move(turn.tenant, appointment)

    def send() -> CreateAnswer:
        deadline = turn.deadline.share(POST_S, reserve=COMMIT_RESERVE_S)
        return turn.calendar.reschedule(segment.uid or "", change.slot.start, MOVED_BY_CUSTOMER, deadline=deadline)

    answer = send()
    unclear = isinstance(answer, Unclear)
    if may_be_sent_again(answer) and turn.deadline.remaining() >= LEAST_FOR_WRITE_S + (LOOK_S if unclear else 0):
        answer = send()
    return answer, judge_move(answer, expected, now=turn.clock.now(), after_unknown=unclear)


def may_be_sent_again(answer: CreateAnswer) -> bool:
    """Whether it may be, once. A rate limit and an open breaker say when to come back, and that is not in this turn; a
    key does not mend.
    """
    if isinstance(answer, Answered | KeyRejected) or (isinstance(answer, NotSent) and answer.retry_after_s is not None):
        return False
    return TREATMENT[failure_of(answer)].sent_again


def look_for_move(
    turn: Turn, appointment: Appointment, own: BookedSegment, answer: CreateAnswer, judgement: Judgement
) -> tuple[CreateAnswer, Judgement]:
    """One look for what became of it, while the caller can still be told. Only finding it moved says anything."""
    deadline = turn.deadline.share(LOOK_S, reserve=COMMIT_RESERVE_S)
    if deadline.remaining() < LEAST_FOR_LOOK_S:
        return answer, judgement
    old = turn.calendar.booking(own.uid or "", deadline=deadline)
    if not isinstance(old, Booking) or old.status not in DEAD or old.rescheduled_to is None:
        return answer, judgement
    new = turn.calendar.booking(old.rescheduled_to, deadline=deadline)
    if not isinstance(new, Booking):
        return answer, judgement
    return Answered(new), judge_moved(new, expected_move(turn.tenant, appointment, own), now=turn.clock.now())


def _moved(turn: Turn, appointment: Appointment, booking: Booking) -> ChangeOutcome:
    change = appointment.under_way
    moved = {appointment.segments[0].index: booking}
    if turn.changes.moved(turn.tenant.id, appointment, moved, told=Told.DONE, audit=None, now=turn.clock.now()):
        return Moved(change.slot, appointment.staff, turn.today())
    return as_recorded(turn, appointment)


# Cancelling


def _cancel(turn: Turn, appointment: Appointment, asked: Asked, until: datetime | None) -> ChangeOutcome:
    uid = appointment.segments[0].uid or ""

    def send() -> Cancelled | Trouble:
        return turn.calendar.cancel(
            uid, CANCELLED_BY_CUSTOMER, deadline=turn.deadline.share(POST_S, reserve=COMMIT_RESERVE_S)
        )

    answer = send()
    if not isinstance(answer, Cancelled) and may_be_sent_again(answer):
        if isinstance(answer, Unclear) and (seen := is_cancelled(turn, uid)) is not None:
            return _cancelled(turn, appointment, seen)
        if turn.deadline.remaining() >= LEAST_FOR_WRITE_S:
            answer = second_answer(answer, send())
    match answer:
        case Cancelled():
            return _cancelled(turn, appointment, None)
        case Unclear():
            return unknown(turn, appointment, asked, answer, "no clear answer", until)
        case Refused() | NotSent() | KeyRejected() | NotThere():
            return refused(turn, appointment, asked, answer, until)
        case other:
            assert_never(other)


def second_answer(
    first: Trouble,
    second: Cancelled | Trouble,
) -> Cancelled | Trouble:
    """After an unclear one only a success is clear: what is refused now may have been done by the first."""
    return first if isinstance(first, Unclear) and not isinstance(second, Cancelled) else second


def is_cancelled(turn: Turn, uid: str) -> Booking | None:
    """The booking, if a read shows it cancelled and not moved."""
    deadline = turn.deadline.share(LOOK_S, reserve=COMMIT_RESERVE_S)
    if deadline.remaining() < LEAST_FOR_LOOK_S:
        return None
    seen = turn.calendar.booking(uid, deadline=deadline)
    if not isinstance(seen, Booking) or seen.status not in DEAD or seen.rescheduled_to is not None:
        return None
    return seen if seen.called_off else None  # without a reason it may be half of a move that others made


def _cancelled(turn: Turn, appointment: Appointment, seen: Booking | None) -> ChangeOutcome:
    if turn.changes.cancelled(
        turn.tenant.id, appointment, booking=seen, told=Told.DONE, audit=None, now=turn.clock.now()
    ):
        return CancelledNow(appointment.slot, turn.today())
    return as_recorded(turn, appointment)


# Neither


def refused(
    turn: Turn,
    appointment: Appointment,
    asked: Asked,
    answer: Trouble,
    until: datetime | None,
    *,
    seen: Mapping[int, Booking] | None = None,
) -> ChangeOutcome:
    """A definite no: the appointment stands as it stood, and the caller hears why.

    `seen`: parts of it that had gone and were brought back, under other uids.
    """
    change, failure = appointment.under_way, failure_of(answer)
    kind = change.kind
    if until is not None and TREATMENT[failure].may_be_kept:
        kept = keep_for_later(turn, appointment, until=until, answer=detail(answer), unsent=True)
        return kept or how_it_ended(turn, appointment)
    raised = _alert(appointment, answer, failure)
    if raised is not None:
        turn.alerts.raise_(raised)
    outcome = NotChanged(
        kind=kind,
        failure=failure,
        current=appointment.slot,
        wanted=change.slot if change.segments else None,
        retry_after_s=answer.retry_after_s if isinstance(answer, NotSent) else None,
        token=asked.token if TREATMENT[failure].may_be_kept and may_keep_until(turn, appointment, kind) else None,
        today=turn.today(),
    )
    given_up = turn.changes.given_up(
        turn.tenant.id,
        appointment,
        why=why_of(failure),
        owes_text=False,
        answer=detail(answer),
        alert=raised,
        audit=None,
        now=turn.clock.now(),
        seen=seen,
    )
    if not given_up:
        return as_recorded(turn, appointment)
    service = turn.tenant.service(appointment.service) if change.segments else None
    if failure is FailureClass.SLOT_TAKEN and service is not None:
        stands = replace(appointment, segments=as_it_stands(appointment, seen or {}))
        return replace(outcome, offers=other_times(turn, stands, service, change.slot))
    return outcome


def _alert(appointment: Appointment, answer: CreateAnswer, failure: FailureClass) -> Alert | None:
    if isinstance(answer, KeyRejected):
        return alert.key_rejected(appointment)
    if failure in {FailureClass.ERROR, FailureClass.NOT_FOUND}:
        return alert.request_refused(appointment, failure.value)
    return None


def unknown(  # noqa: PLR0917 - see above
    turn: Turn,
    appointment: Appointment,
    asked: Asked,
    answer: CreateAnswer,
    why: str,
    until: datetime | None,
) -> ChangeOutcome:
    """Nobody knows. With the caller's consent it is seen through; without, they hear how it ended."""
    if until is not None:
        return keep_for_later(turn, appointment, until=until, answer=detail(answer)) or how_it_ended(turn, appointment)
    outcome = leave_it_open(turn, appointment, FailureClass.TEMPORARY, answer, why)
    may_keep = may_keep_until(turn, appointment, appointment.under_way.kind) is not None
    return (
        replace(outcome, token=asked.token)
        if isinstance(outcome, NotChanged) and outcome.open and may_keep
        else outcome
    )


def leave_it_open(
    turn: Turn, appointment: Appointment, failure: FailureClass, answer: CreateAnswer, why: str, *, wrong: bool = False
) -> ChangeOutcome:
    """What is told is noted before it is said, both times stay blocked, and somebody looks soon."""
    raised = alert.wrong_booking(appointment, why, answer) if wrong else alert.outcome_unknown(appointment, why)
    turn.alerts.raise_(raised)
    noted = turn.changes.leave_open(
        turn.tenant.id,
        appointment,
        due=turn.clock.now() + SETTLE_SOON,
        keep_until=None,
        answer=detail(answer),
        alert=raised,
        now=turn.clock.now(),
    )
    if not noted:
        return how_it_ended(turn, appointment)
    turn.look_soon(appointment)
    return not_known(turn, appointment, failure)


def other_times(turn: Turn, appointment: Appointment, service: Service, slot: Slot) -> tuple[Offer, ...]:
    """Where it could go instead, kept for the caller; nothing where there is no time left to look or to keep."""
    if turn.deadline.remaining() < LEAST_FOR_ALTERNATIVES_S:
        return ()
    wanted = Wanted(slot.start.astimezone(turn.tenant.zone).date(), slot.start)
    try:
        free = find_free(turn, service, (appointment.staff,), wanted, fresh=True, moving=appointment)
        if isinstance(free, NoAnswer):
            return ()
        return keep(turn, service, free, wanted, without=frozenset({slot.start, appointment.slot.start}))
    except StoreUnavailable:
        return ()
