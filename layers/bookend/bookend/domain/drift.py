"""Differences between the two sides, and the repair that removes each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bookend.domain.answers import Booking
from bookend.domain.appointment import Appointment, AppointmentState, BookedSegment
from bookend.domain.tenant import Tenant

LIVE = "accepted"
DEAD = frozenset({"cancelled", "rejected"})
"""Cal.com's own words for the states of a booking (contracts: calcom 2)."""


class Drift(StrEnum):
    """What differs."""

    NONE = "none"
    UNSETTLED = "unsettled"
    """An operation of ours is still open."""
    FOREIGN = "foreign"
    """Somebody booked at Cal.com: the public page, the salon, a stylist's phone."""
    GHOST_HERE = "ghost_here"
    """Confirmed here, and gone there."""
    ORPHAN = "orphan"
    """A booking of ours there whose appointment is not live here."""
    START = "start"
    END = "end"
    HOST = "host"
    STATUS = "status"
    """Neither accepted nor cancelled: something Cal.com's own rules keep open."""
    ATTENDEE = "attendee"
    """Somebody else comes than the one we booked for."""
    DUPLICATE = "duplicate"
    """A second live booking that claims an appointment which has one."""
    UNKNOWN_HOST = "unknown_host"
    """A booking of somebody who is no stylist of ours."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """Both sides say the same, or it is none of our business."""

    drift: Drift = Drift.NONE


@dataclass(frozen=True, slots=True)
class Settle:
    """Let the settling of the operation decide."""

    appointment: Appointment
    drift: Drift = Drift.UNSETTLED


@dataclass(frozen=True, slots=True)
class Adopt:
    """Take a booking that others made into the ledger, even where it overlaps."""

    booking: Booking
    staff: str
    service: str
    revives: Appointment | None = None
    """The failed appointment whose booking came late, while its caller still waits to hear how it ended."""
    drift: Drift = Drift.FOREIGN


@dataclass(frozen=True, slots=True)
class Follow:
    """Move or change the appointment to what Cal.com shows."""

    appointment: Appointment
    segment: BookedSegment
    booking: Booking
    staff: str
    drift: Drift


@dataclass(frozen=True, slots=True)
class End:
    """Cancelled there: cancel here."""

    appointment: Appointment
    booking: Booking
    drift: Drift = Drift.GHOST_HERE


@dataclass(frozen=True, slots=True)
class CancelOrphan:
    """Cancel at Cal.com what nobody here knows as theirs any more. Destructive: counted against the blast limit."""

    appointment: Appointment
    booking: Booking
    drift: Drift = Drift.ORPHAN


@dataclass(frozen=True, slots=True)
class Flag:
    """For a person: nothing may be decided by itself."""

    booking: Booking
    drift: Drift
    appointment: Appointment | None = None


@dataclass(frozen=True, slots=True)
class LookAgain:
    """Cal.com did not answer, or an operation holds the appointment: later."""

    why: str
    drift: Drift = Drift.NONE


Repair = Nothing | Settle | Adopt | Follow | End | CancelOrphan | Flag | LookAgain


def agree(booking: Booking, appointment: Appointment | None, tenant: Tenant) -> bool:
    """Whether nothing need be looked at more closely: what is listed there is what is on record here.

    `appointment` is the owner of the booking's uid. In doubt it is False: a closer look decides, never a list.
    """
    dead = booking.status in DEAD
    if appointment is None:
        ours = "appointment" in booking.metadata
        return dead or (not ours and tenant.staff_of_host(booking.host) is None)
    match appointment.state:
        case AppointmentState.CONFIRMED:
            own = next((each for each in appointment.segments if each.uid == booking.uid), None)
            if own is None:
                return dead
            return (
                booking.status == LIVE
                and (booking.start, booking.end) == (own.slot.start, own.slot.end)
                and tenant.staff_of_host(booking.host) == own.staff
                and has_attendee(booking, appointment)
            )
        case AppointmentState.FAILED | AppointmentState.CANCELLED:
            return dead
        case _:
            return False


def has_attendee(booking: Booking, appointment: Appointment) -> bool:
    """Whether the one we booked for is among those who come."""
    return appointment.customer.email.lower() in {each.lower() for each in booking.attendees}


def is_destructive(repair: Repair) -> bool:
    """Whether it takes something away that a wrong reading would make us regret."""
    return isinstance(repair, CancelOrphan | End)
