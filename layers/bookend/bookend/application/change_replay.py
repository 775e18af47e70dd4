"""The same yes again, and changes that others ended meanwhile: what is on record is what is said."""

from __future__ import annotations

from collections.abc import Mapping

from bookend.application.change_keeping import keep_for_later, kept, may_keep_until
from bookend.application.change_outcomes import AskedTooLongAgo, CancelledNow, ChangeOutcome, Moved, NotChanged
from bookend.application.patience import SETTLE_SOON
from bookend.application.ports import StoreUnavailable
from bookend.application.turn import Turn
from bookend.domain.appointment import Appointment, AppointmentState, ChangeEnd, ChangeKind, ChangeWhy, Told
from bookend.domain.authority import Asked
from bookend.domain.failures import FailureClass

FAILURE_OF: Mapping[ChangeWhy, FailureClass] = {
    ChangeWhy.NONE: FailureClass.ERROR,
    ChangeWhy.TAKEN: FailureClass.SLOT_TAKEN,
    ChangeWhy.TEMPORARY: FailureClass.TEMPORARY,
    ChangeWhy.NOT_FOUND: FailureClass.NOT_FOUND,
    ChangeWhy.POLICY: FailureClass.POLICY,
    ChangeWhy.REFUSED: FailureClass.ERROR,
    ChangeWhy.TOO_LATE: FailureClass.TEMPORARY,
    ChangeWhy.NEVER_ARRIVED: FailureClass.TEMPORARY,
    ChangeWhy.CHANGED_THERE: FailureClass.ERROR,
    ChangeWhy.CANCELLED_THERE: FailureClass.ERROR,
    ChangeWhy.APART: FailureClass.NOT_ALLOWED,
}
"""What is said of a change that was not made."""


def may_be_kept_after_all(appointment: Appointment, asked: Asked) -> bool:
    """Whether nothing came of the first try, because nothing could be sent, and nothing has happened since."""
    last = appointment.last_change
    return (
        last is not None
        and last.op == asked.op
        and last.why is ChangeWhy.TEMPORARY
        and appointment.version == last.version
    )


def replay_change(turn: Turn, appointment: Appointment, asked: Asked, *, consents: bool) -> ChangeOutcome | None:
    """What the same yes led to before; None: nothing yet, or nothing came of it and it may be kept for later.

    `consents`: the caller lets us do it later, which is noted where it is in flight.
    """
    change, last = appointment.change, appointment.last_change
    if change is not None and change.op in asked.ops:
        until = may_keep_until(turn, appointment, change.kind) if consents and change.keep_until is None else None
        if until is None:
            return in_flight(turn, appointment)
        return keep_for_later(turn, appointment, until=until) or how_it_ended(turn, appointment)
    if last is None or last.op not in asked.ops:
        return None
    if consents and last.op == asked.op and last.why is ChangeWhy.TEMPORARY:
        return None  # they answer the question that came with it
    return _told(turn, appointment)


def in_flight(turn: Turn, appointment: Appointment) -> ChangeOutcome:
    """That it is not known yet; noted before it is said, so that whoever ends it sends the message."""
    change = appointment.under_way
    if change.keep_until is not None:
        return kept(turn, appointment, change.keep_until)
    if change.told is not Told.PENDING and not turn.changes.leave_open(
        turn.tenant.id,
        appointment,
        due=turn.clock.now() + SETTLE_SOON,
        keep_until=None,
        answer="",
        alert=None,
        now=turn.clock.now(),
    ):
        return how_it_ended(turn, appointment)
    return not_known(turn, appointment, FailureClass.PENDING)


def not_known(turn: Turn, appointment: Appointment, failure: FailureClass) -> NotChanged:
    """Neither done nor not done; a message follows."""
    kind, today = appointment.under_way.kind, turn.today()
    return NotChanged(kind=kind, failure=failure, current=appointment.slot, open=True, today=today)


def as_recorded(turn: Turn, appointment: Appointment) -> ChangeOutcome:
    """What a write came to whose answer was lost, or that others were faster than; "open" if nobody tells."""
    unknown = not_known(turn, appointment, FailureClass.TEMPORARY)
    try:
        now_is = turn.appointments.appointment(turn.tenant.id, appointment.id)
    except StoreUnavailable:
        return unknown
    last = now_is.last_change if now_is is not None else None
    if now_is is None or last is None or last.op != appointment.under_way.op:
        return unknown
    return _told(turn, now_is)


def how_it_ended(turn: Turn, appointment: Appointment) -> ChangeOutcome:
    """The change was in flight a moment ago, and somebody has ended it."""
    now_is = turn.appointments.appointment(turn.tenant.id, appointment.id)
    last = now_is.last_change if now_is is not None else None
    if now_is is None or last is None or last.op != appointment.under_way.op:
        return AskedTooLongAgo(appointment.under_way.kind)
    return _told(turn, now_is)


def _told(turn: Turn, appointment: Appointment) -> ChangeOutcome:
    """What is true of an appointment whose last change has ended."""
    last = appointment.last_change
    if appointment.state is AppointmentState.CANCELLED:
        return CancelledNow(appointment.slot, turn.today())
    if last is not None and last.end is ChangeEnd.DONE and last.kind is ChangeKind.MOVE:
        return Moved(appointment.slot, appointment.staff, turn.today())
    kind, why = (last.kind, last.why) if last is not None else (ChangeKind.MOVE, ChangeWhy.NONE)
    return NotChanged(kind=kind, failure=FAILURE_OF[why], current=appointment.slot, today=turn.today())
