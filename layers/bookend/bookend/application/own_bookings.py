"""What a booking of ours must look like, and how those of an operation are found at Cal.com."""

from __future__ import annotations

from datetime import timedelta

from bookend.application.deadline import Deadline
from bookend.application.ports import Calendar
from bookend.domain.answers import Booking, Expected
from bookend.domain.appointment import Appointment, BookedSegment
from bookend.domain.tenant import Tenant
from bookend.domain.timeslot import Slot

_ROOM = timedelta(days=1)


def look_up(appointment: Appointment, *, calendar: Calendar, deadline: Deadline) -> tuple[Booking, ...] | None:
    """Every booking at Cal.com that carries this operation's id; None if Cal.com did not answer.

    Searched by the appointment's own e-mail around its slot, since Cal.com finds nothing by metadata; wider than the
    slot, because a booking of another length or start must be found too.
    """
    around = Slot(appointment.slot.start - _ROOM, appointment.slot.end + _ROOM)
    found = calendar.find(appointment.customer.email, around, deadline=deadline)
    if not isinstance(found, tuple):
        return None
    return tuple(each for each in found if each.metadata.get("op_id") == appointment.op)


def expected_booking(tenant: Tenant, appointment: Appointment, segment: BookedSegment) -> Expected:
    """What the booking of a segment must look like to be ours."""
    return Expected(
        op=appointment.op,
        appointment=appointment.id,
        segment=segment.index,
        slot=segment.slot,
        event_type=segment.event_type,
        host=segment.host if segment.host is not None else tenant.member(segment.staff).calcom_user,
        email=appointment.customer.email,
        sent_at=appointment.created_at,
    )
