"""Ask Cal.com once, check whose booking came back, and commit what that means."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from bookend.application import alerts as alert
from bookend.application.booking_answers import NOT_SENT, TAKEN, refused
from bookend.application.booking_goal import Goal
from bookend.application.deadline import (
    CANCEL_S,
    COMMIT_RESERVE_S,
    LEAST_FOR_LOOK_S,
    LEAST_FOR_WRITE_S,
    LOOK_S,
    POST_S,
    Deadline,
)
from bookend.application.outcomes import Booked, BookOutcome, NotBooked, StillOpen
from bookend.application.own_bookings import expected_booking, look_up
from bookend.application.ports import (
    Alert,
    BookingHasOwner,
    BookingRequest,
    Cancelled,
    Confirmed,
    Released,
    StoreUnavailable,
    Superseded,
)
from bookend.application.settling import EXISTING, UNDO_REASON, UNDONE
from bookend.application.turn import Turn
from bookend.domain.answers import (
    Answered,
    Booking,
    CreateAnswer,
    Expected,
    Judgement,
    NotSent,
    Refusal,
    Verdict,
    booking_metadata,
    detail,
    judge,
)
from bookend.domain.appointment import OPEN, STANDING, Appointment, AppointmentState, BookedSegment, Told
from bookend.domain.drift import DEAD, is_touched

AFTER_CANCEL_S = 0.6


def ask_and_commit(turn: Turn, goal: Goal, appointment: Appointment) -> BookOutcome:
    """The operation is on record as PENDING: send it, class the answer, write down what it means, say so."""
    sent_at = turn.clock.now()
    answer = _ask(turn, appointment)
    expected = replace(expected_booking(turn.tenant, appointment, appointment.segments[0]), sent_at=sent_at)
    judgement = judge(answer, expected, now=turn.clock.now())
    if judgement.verdict is Verdict.UNKNOWN:
        answer, judgement = _look(turn, appointment, expected, answer, judgement)
    try:
        return _commit(turn, goal, appointment, answer, judgement)
    except StoreUnavailable:
        # Cal.com has answered, but whether that is written down is not known: say what is on record.
        return as_recorded(turn, goal, appointment)


def booking_request(turn: Turn, appointment: Appointment, segment: BookedSegment) -> BookingRequest:
    """What Cal.com is asked to book for a segment."""
    customer = appointment.customer
    return BookingRequest(
        event_type=segment.event_type,
        start=segment.slot.start,
        name=customer.name,
        email=customer.email,
        phone=customer.phone,
        zone=turn.tenant.zone.key,
        language=turn.tenant.language.value,
        metadata=booking_metadata(
            op=appointment.op, appointment=appointment.id, segment=segment.index, call=turn.call.id
        ),
    )


def _ask(turn: Turn, appointment: Appointment) -> CreateAnswer:
    request = booking_request(turn, appointment, appointment.segments[0])
    answer = turn.calendar.book(request, deadline=turn.deadline.share(POST_S, reserve=COMMIT_RESERVE_S))
    no_connection = isinstance(answer, NotSent) and answer.retry_after_s is None
    if no_connection and turn.deadline.remaining() >= LEAST_FOR_WRITE_S:
        # It never left, so sending it again cannot book twice. A rate limit is not retried: it lasts a minute.
        return turn.calendar.book(request, deadline=turn.deadline.share(POST_S, reserve=COMMIT_RESERVE_S))
    return answer


def _look(
    turn: Turn, appointment: Appointment, expected: Expected, answer: CreateAnswer, judgement: Judgement
) -> tuple[CreateAnswer, Judgement]:
    """One look for what became of it, while the caller can still be told. Only finding it says anything.

    Cal.com's reads lag behind its writes, and a request we gave up on may be carried out later.
    """
    deadline = turn.deadline.share(LOOK_S, reserve=COMMIT_RESERVE_S)
    if deadline.remaining() < LEAST_FOR_LOOK_S:
        return answer, judgement
    for booking in look_up(appointment, calendar=turn.calendar, deadline=deadline) or ():
        if booking.status not in DEAD and not is_touched(booking):  # what somebody moved at once is theirs
            found = Answered(booking)
            return found, judge(found, expected, now=turn.clock.now())
    return answer, judgement


def _commit(
    turn: Turn, goal: Goal, appointment: Appointment, answer: CreateAnswer, judgement: Judgement
) -> BookOutcome:
    why = judgement.why
    match judgement.verdict:
        case Verdict.OK | Verdict.WRONG:
            assert isinstance(answer, Answered)  # noqa: S101 - judge() says these of nothing else
            settle = _confirm if judgement.verdict is Verdict.OK else _undo
            return settle(turn, goal, appointment, answer.booking, why)
        case Verdict.UNKNOWN:
            return _leave_open(turn, goal, appointment, why, detail(answer))
        case Verdict.EXISTING:
            return release(turn, goal, appointment, answer, EXISTING, alert.foreign_booking(appointment, answer))
        case Verdict.REJECT:
            return release(turn, goal, appointment, answer, TAKEN, None)
        case Verdict.REFUSED:
            raised = alert.request_refused(appointment, why) if why == Refusal.INVALID else None
            return release(turn, goal, appointment, answer, why, raised)
        case Verdict.NOT_SENT:
            return release(turn, goal, appointment, answer, NOT_SENT, None)
        case Verdict.CONFIG:
            return release(turn, goal, appointment, answer, NOT_SENT, alert.key_rejected(appointment))
        case Verdict.NOT_FOUND:
            return release(turn, goal, appointment, answer, "not_found", alert.request_refused(appointment, why))
        case other:
            assert_never(other)


def _confirm(turn: Turn, goal: Goal, appointment: Appointment, booking: Booking, _why: str) -> BookOutcome:
    outcome = turn.appointments.confirm(
        turn.tenant.id,
        appointment,
        {appointment.segments[0].index: booking},
        told=Told.BOOKED,
        now=turn.clock.now(),
    )
    match outcome:
        case Confirmed():
            return Booked(appointment, turn.today())
        case BookingHasOwner(_):
            # It is labelled as ours, and its uid or id belongs to another appointment: undoing it tells which.
            return _undo(turn, goal, appointment, booking, "uid or id of another appointment")
        case Superseded(now_is) if now_is is not None and stands_on(now_is, booking):
            return Booked(now_is, turn.today())
        case Superseded(now_is):
            # We woke up too late: others have given the operation up, or it stands on another booking that Cal.com has
            # made of it. So this one must not stay. Its time of its own: the turn's is over by then, or nearly.
            turn.alerts.raise_(alert.woke_too_late(appointment, Answered(booking)))
            undone = turn.calendar.cancel(booking.uid, UNDO_REASON, deadline=Deadline.within(CANCEL_S, turn.clock))
            if now_is is not None and now_is.state in STANDING:
                return Booked(now_is, turn.today())
            return NotBooked() if isinstance(undone, Cancelled) else still_open(turn, goal)
        case other:
            assert_never(other)


def _undo(turn: Turn, goal: Goal, appointment: Appointment, booking: Booking, why: str) -> BookOutcome:
    """Cal.com booked something else than we asked: take it back, and until that is sure, leave it open."""
    raised = alert.wrong_booking(appointment, why, Answered(booking))
    bookings = {appointment.segments[0].index: booking}
    tenant = turn.tenant.id
    marked = turn.appointments.must_undo(tenant, appointment, bookings, why=why, alert=raised, now=turn.clock.now())
    if isinstance(marked, BookingHasOwner):
        # It is another customer's, whatever it says: theirs is left alone, ours is not booked.
        answer = Answered(booking)
        foreign = alert.foreign_booking(appointment, answer, owner=marked.appointment)
        return release(turn, goal, appointment, answer, EXISTING, foreign)
    turn.alerts.raise_(raised)
    if not marked:
        now_is = turn.appointments.appointment(tenant, appointment.id)
        if now_is is not None and stands_on(now_is, booking):
            return Booked(now_is, turn.today())
    share = turn.deadline.share(CANCEL_S, reserve=AFTER_CANCEL_S)
    if not isinstance(turn.calendar.cancel(booking.uid, UNDO_REASON, deadline=share), Cancelled):
        return still_open(turn, goal)
    return release(turn, goal, appointment, Answered(booking), UNDONE, None, owes_text=True)


def _leave_open(turn: Turn, goal: Goal, appointment: Appointment, why: str, answer: str) -> BookOutcome:
    """Nobody knows: the interval stays blocked, what is told is noted before it is said, and somebody looks soon."""
    raised = alert.outcome_unknown(appointment, why)
    turn.alerts.raise_(raised)
    noted = turn.appointments.leave_open(
        turn.tenant.id, appointment, why=why, answer=answer, alert=raised, now=turn.clock.now()
    )
    if not noted:
        return as_recorded(turn, goal, appointment)
    turn.look_soon(appointment)
    return still_open(turn, goal)


def release(  # noqa: PLR0917 - what every step of this module hands on
    turn: Turn,
    goal: Goal,
    appointment: Appointment,
    answer: CreateAnswer,
    why: str,
    raised: Alert | None,
    *,
    owes_text: bool = False,
) -> BookOutcome:
    """A definite no: everything goes but the record of it, then the caller hears why and what there is instead.

    `owes_text`: it is, or was, on record that the caller hears "noch offen".
    """
    if raised is not None:
        turn.alerts.raise_(raised)
    wait = answer.retry_after_s if isinstance(answer, NotSent) else None
    try:
        outcome = turn.appointments.release(
            turn.tenant.id,
            appointment,
            why=why,
            answer=detail(answer),
            alert=raised,
            now=turn.clock.now(),
            owes_text=owes_text,
        )
    except StoreUnavailable:
        # A no stays a no, written down or not. "Open" would promise a message, which nobody owes if it was written.
        return refused(turn, goal, why, retry_after_s=wait)
    match outcome:
        case Released():
            return refused(turn, goal, why, retry_after_s=wait)
        case Superseded(now_is) if now_is is not None and now_is.state in OPEN and not owes_text:
            # The same wish, delivered twice, was told "noch offen" meanwhile: the message tells how it ended.
            return release(turn, goal, now_is, answer, why, None, owes_text=True)
        case Superseded(now_is):
            return _standing(turn, goal, now_is)
        case other:
            assert_never(other)


def as_recorded(turn: Turn, goal: Goal, appointment: Appointment) -> BookOutcome:
    """What a write came to whose answer was lost, or that others were faster than; "open" if nobody tells."""
    try:
        return _standing(turn, goal, turn.appointments.appointment(turn.tenant.id, appointment.id))
    except StoreUnavailable:
        return still_open(turn, goal)


def _standing(turn: Turn, goal: Goal, now_is: Appointment | None) -> BookOutcome:
    if now_is is not None and now_is.state is AppointmentState.CONFIRMED:
        return Booked(now_is, turn.today())
    if now_is is not None and now_is.state is AppointmentState.FAILED:
        return refused(turn, goal, now_is.why or "")
    return still_open(turn, goal)


def stands_on(now_is: Appointment, booking: Booking) -> bool:
    """Whether somebody has committed this very booking meanwhile: then it is the customer's, and stays."""
    return now_is.state in STANDING and any(segment.uid == booking.uid for segment in now_is.segments)


def still_open(turn: Turn, goal: Goal) -> StillOpen:
    """What is said as long as nobody knows."""
    return StillOpen(goal.slot, turn.today())
