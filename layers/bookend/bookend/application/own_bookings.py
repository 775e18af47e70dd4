"""What a booking of ours must look like, and how those of an operation are found at Cal.com."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bookend.application.deadline import Deadline
from bookend.application.ports import Calendar
from bookend.domain.answers import Booking, Expected
from bookend.domain.appointment import Appointment, BookedSegment
from bookend.domain.drift import DEAD, part_of
from bookend.domain.move_answers import ExpectedMove
from bookend.domain.tenant import Tenant
from bookend.domain.timeslot import Slot

_ROOM = timedelta(days=1)
_AHEAD = timedelta(days=366)


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


def successor(
    appointment: Appointment, dead: Booking, *, calendar: Calendar, now: datetime, deadline: Deadline
) -> tuple[Booking, ...] | None:
    """What a booking that is shown cancelled was moved or copied to, though it does not say so: one booking, or none.

    None: Cal.com did not answer. A whole year is searched, since a move may go anywhere.
    """
    email = dead.attendees[0] if dead.attendees else appointment.customer.email
    window = Slot(min(dead.start, now) - _ROOM, max(dead.start, now) + _AHEAD)
    found = calendar.find(email, window, deadline=deadline)
    if not isinstance(found, tuple):
        return None
    others = [each for each in found if each.uid != dead.uid]
    moved = [each for each in others if each.rescheduled_from == dead.uid]
    same_part = [each for each in others if len(appointment.segments) == 1 or part_of(each) == part_of(dead)]
    copied = [each for each in same_part if each.status not in DEAD and is_labelled(each, appointment)]
    return tuple((moved or copied)[:1])


def is_labelled(booking: Booking, appointment: Appointment) -> bool:
    """Whether it says of itself that it is a booking of this appointment's."""
    labels = booking.metadata.get("appointment"), booking.metadata.get("op_id")
    return labels == (appointment.id, appointment.op)


def expected_move(tenant: Tenant, appointment: Appointment, segment: BookedSegment | None = None) -> ExpectedMove:
    """What the booking of a moved segment must look like at its new time; of the first one, if none is named.

    Raises:
        ValueError: it is not being moved.
    """
    change, segment = appointment.change, segment or appointment.segments[0]
    target = next((each for each in change.segments if each.index == segment.index), None) if change else None
    if change is None or target is None or segment.uid is None:
        msg = "it is not being moved"
        raise ValueError(msg)
    return ExpectedMove(
        old_uid=segment.uid,
        slot=target.slot,
        event_type=segment.event_type,
        host=segment.host if segment.host is not None else tenant.member(segment.staff).calcom_user,
        email=appointment.customer.email,
        sent_at=change.since,
    )


def expected_back(
    tenant: Tenant, appointment: Appointment, segment: BookedSegment, gone: Booking, *, sent_at: datetime
) -> ExpectedMove:
    """The same of a segment that is brought back from where it had `gone` to where it stood."""
    there = expected_move(tenant, appointment, segment)
    return replace(there, old_uid=gone.uid, slot=segment.slot, sent_at=sent_at)


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
