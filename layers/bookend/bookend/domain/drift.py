"""Differences between the two sides, and the repair that removes each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bookend.domain.answers import Booking, Expected, is_fresh
from bookend.domain.appointment import Amiss, Appointment, AppointmentState, BookedSegment, ChangeWhy
from bookend.domain.composites import parts_in_the_wrong_place, what_is_amiss
from bookend.domain.contacts import Customer
from bookend.domain.tenant import PartRule, Service, Tenant
from bookend.domain.timeslot import Slot

LIVE = "accepted"
DEAD = frozenset({"cancelled", "rejected"})
"""Cal.com's own words for the states of a booking (contracts: calcom 2)."""
CANCELLED_THERE = "cancelled_there"
"""Why an appointment ended: it was cancelled at Cal.com, not by its caller."""
HALF_SHOWN = timedelta(seconds=30)
"""For so long after a change one read may show half of a move: the old booking cancelled, and no successor yet."""
ALL_GOING = timedelta(minutes=3)
"""Who cancels the parts of a composite one after the other is through with it after this long."""
READS_LAG = timedelta(seconds=180)
"""No read of Cal.com's was seen to lag behind its writes for so long (contracts: calcom-observed 2)."""
EDITED = timedelta(seconds=10)
"""A booking whose last change is later than its creation by this much was changed by somebody."""


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
    UNREADABLE = "unreadable"
    """A booking of ours that Cal.com does not show for days, or that it says was changed in the future."""
    LEFT = "left"
    """What polls have not come to an end with for a day; the night's run goes on looking."""
    CHAIN = "chain"
    """Moved in a circle, or so often that where it stands now was not found."""
    TAKEN_OVER = "taken_over"
    """A booking of an operation that failed, which somebody has made their own since: moved, changed or copied."""
    REFUSED = "refused"
    """Must go, and Cal.com will not cancel it any more."""
    UNVERIFIED = "unverified"
    """Imported on another system's word; now its booking has been read."""
    PART = "part"
    """Somebody moved, changed or cancelled one part of a composite, and the whole is not whole any more."""


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
    restores: Appointment | None = None
    """The appointment that ended as cancelled there; this is where its booking was moved, or copied, to."""
    keeps: Appointment | None = None
    """The failed appointment whose booking had to go and stays: Cal.com refuses, or somebody has touched it."""
    customer: Customer | None = None
    """Whose it is, where that is known better than the booking tells."""
    drift: Drift = Drift.FOREIGN


@dataclass(frozen=True, slots=True)
class Follow:
    """Move or change the appointment to what Cal.com shows."""

    appointment: Appointment
    segment: BookedSegment
    booking: Booking
    staff: str
    drift: Drift
    amiss: Amiss | None = None
    """What is wrong with the whole of a composite then."""
    rings: bool = False
    """Whether a person must hear of it."""


@dataclass(frozen=True, slots=True)
class FollowWhole:
    """Others moved one part of a composite to where it does not fit the others: those `going` go after it at Cal.com.

    It changes bookings there that nobody asked us to change: counted against the blast limit.
    """

    follow: Follow
    """What is done if they cannot."""
    going: frozenset[int]

    @property
    def appointment(self) -> Appointment:
        """Whose part it is."""
        return self.follow.appointment

    @property
    def booking(self) -> Booking:
        """The part as it stands at Cal.com."""
        return self.follow.booking

    @property
    def drift(self) -> Drift:
        """What differs."""
        return self.follow.drift


@dataclass(frozen=True, slots=True)
class End:
    """Cancelled there: cancel here."""

    appointment: Appointment
    booking: Booking
    drift: Drift = Drift.GHOST_HERE


@dataclass(frozen=True, slots=True)
class EndPart:
    """One part of a composite is cancelled there, and the others stand: its time is free, and a person is told."""

    appointment: Appointment
    segment: BookedSegment
    booking: Booking
    drift: Drift = Drift.PART


@dataclass(frozen=True, slots=True)
class EndWhole:
    """One part of a composite is cancelled there, and nobody wants the rest without it: that is cancelled as well."""

    appointment: Appointment
    segment: BookedSegment
    booking: Booking
    drift: Drift = Drift.PART


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
    amiss: Amiss | None = None


@dataclass(frozen=True, slots=True)
class LookAgain:
    """Cal.com did not answer, or an operation holds the appointment: later."""

    why: str
    drift: Drift = Drift.NONE


Repair = Nothing | Settle | Adopt | Follow | FollowWhole | End | EndPart | EndWhole | CancelOrphan | Flag | LookAgain


def agree(booking: Booking, appointment: Appointment | None, tenant: Tenant, *, claims: bool = True) -> bool:
    """Whether nothing need be looked at more closely: what is listed there is what is on record here.

    `appointment` is the owner of the booking's uid; `claims`: its label names an appointment of ours. A label alone
    makes it not ours: one key serves all salons, and each one's list shows what was booked by voice at the others. In
    doubt it is False: a closer look decides, never a list.
    """
    dead = booking.status in DEAD
    if appointment is None:
        return dead or (not claims and tenant.staff_of_host(booking.host) is None)
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
                and not is_unverified(appointment, own)
            )
        case AppointmentState.FAILED | AppointmentState.CANCELLED:
            return dead
        case _:
            return False


def change_of(appointment: Appointment, own: BookedSegment, seen: Booking, tenant: Tenant) -> Repair:
    """What follows from how a live booking of the appointment's differs from the segment it stands for."""
    staff = tenant.staff_of_host(seen.host)
    if staff is None:
        return Flag(seen, Drift.UNKNOWN_HOST, appointment)
    if staff != own.staff:
        return with_the_rest(Follow(appointment, own, seen, staff, Drift.HOST), tenant)
    if seen.start != own.slot.start:
        return with_the_rest(Follow(appointment, own, seen, staff, Drift.START), tenant)
    if seen.end != own.slot.end:
        return with_the_rest(Follow(appointment, own, seen, staff, Drift.END), tenant)
    if seen.uid != own.uid:
        return with_the_rest(Follow(appointment, own, seen, staff, Drift.NONE), tenant)
    if not has_attendee(seen, appointment):
        return Flag(seen, Drift.ATTENDEE, appointment)
    if is_unverified(appointment, own):
        return Follow(appointment, own, seen, staff, Drift.UNVERIFIED)
    return Nothing()


def with_the_rest(follow: Follow, tenant: Tenant) -> Follow | FollowWhole:
    """The same, where the booking is one part of a composite, with what it means for the whole.

    By the salon's rule. A part that still fits is followed and rings nobody. What has been tried in vain once is a
    person's from then on.
    """
    appointment, service = follow.appointment, tenant.service(follow.appointment.service)
    segments = followed(follow)
    if len(segments) == 1:
        return replace(follow, amiss=appointment.amiss)
    follow = replace(follow, amiss=what_is_amiss(service, segments))
    if follow.drift is Drift.NONE:
        return follow
    if tenant.part_changed is PartRule.FLAG or follow.drift is Drift.PART or service is None:
        return replace(follow, rings=True)
    if follow.amiss is None:
        return follow
    alone = replace(follow, rings=True)
    if follow.amiss not in {Amiss.GAP_TOO_SHORT, Amiss.GAP_TOO_LONG} or is_left_to_a_person(appointment):
        return alone
    slots, moved = [each.slot for each in segments], follow.segment.index
    going = parts_in_the_wrong_place(service, slots, moved=moved)
    others = [each for each in segments if each.index in going]
    return FollowWhole(alone, going) if going and all(_is_as_sold(each, service) for each in others) else alone


def followed(follow: Follow) -> tuple[BookedSegment, ...]:
    """The segments with the one that is followed where its booking stands."""
    booking, segment = follow.booking, follow.segment
    others = [each for each in follow.appointment.segments if each.index != segment.index]
    moved = replace(
        segment,
        staff=follow.staff,
        slot=Slot(booking.start, booking.end),
        event_type=booking.event_type or segment.event_type,
        uid=booking.uid,
        booking_id=booking.id,
        host=booking.host,
        updated_at=booking.updated_at if others else None,
    )
    return tuple(sorted((*others, moved), key=lambda each: each.index))


def is_left_to_a_person(appointment: Appointment) -> bool:
    """Whether the rest of a composite could not go after a changed part, and so is not sent after one again."""
    last = appointment.last_change
    return last is not None and last.why is ChangeWhy.APART


def _is_as_sold(segment: BookedSegment, service: Service) -> bool:
    """Whether Cal.com would move it and leave it what it is: it moves to the length of the event type."""
    sold = service.busy[segment.index]
    return segment.slot.duration == sold.length and sold.event_types.get(segment.staff) == segment.event_type


def is_half_of_a_move(dead: Booking, *, now: datetime) -> bool:
    """Whether a booking that is shown cancelled, and as moved nowhere, may have been moved all the same.

    Cal.com cancels the old booking and makes the new one at once, and names the new one by a second read, which may
    lag. It takes no rejected booking along, and no reason; who cancels leaves one, or a name.
    """
    if dead.status != "cancelled" or dead.called_off or dead.updated_at is None:
        return False
    return now - dead.updated_at < HALF_SHOWN


def part_of(booking: Booking) -> int | None:
    """The number of the busy part that it says it was made for; None: it says none."""
    named = booking.metadata.get("segment", "")
    return int(named) if named.isdecimal() and named.isascii() else None


def segment_of(appointment: Appointment, booking: Booking) -> BookedSegment:
    """The segment that the booking says it was made for; the first one where it names none of them."""
    named = part_of(booking)
    return next((each for each in appointment.segments if each.index == named), appointment.segments[0])


def may_lag(known: datetime, *, now: datetime) -> bool:
    """Whether what is read now may still be from before `known`, an instant of Cal.com's."""
    return now - known < READS_LAG


def as_of(booking: Booking, *, known: datetime | None, now: datetime) -> datetime:
    """The instant of a booking that was just read: Cal.com's own.

    Long after what we knew it is newer than that, whatever the clock of the server said that made it.
    """
    its = booking.updated_at or now
    return its if known is None or may_lag(known, now=now) else max(its, known)


def is_touched(booking: Booking) -> bool:
    """Whether somebody moved or changed the booking after it was made."""
    moved = booking.rescheduled_from is not None or booking.rescheduled_to is not None
    made, changed = booking.created_at, booking.updated_at
    return moved or (made is not None and changed is not None and changed - made >= EDITED)


def is_ours(booking: Booking, expected: Expected, *, now: datetime) -> bool:
    """Whether the booking was made by this operation, whatever became of it: by what we wrote into it, and by when."""
    labels = (booking.metadata.get("op_id"), booking.metadata.get("appointment"), booking.metadata.get("segment"))
    ours = (expected.op, expected.appointment, str(expected.segment))
    return labels == ours and is_fresh(booking, sent_at=expected.sent_at, now=now)


def is_edited(booking: Booking, expected: Expected, *, now: datetime) -> bool:
    """Whether a live booking is ours, and what differs is somebody's doing: it is theirs to decide, never undone.

    Changed after it was made, or other in nothing but who does it and who comes, which Cal.com never changes itself.
    """
    as_asked = (booking.start, booking.end, booking.event_type) == (
        expected.slot.start,
        expected.slot.end,
        expected.event_type,
    )
    return booking.status == LIVE and is_ours(booking, expected, now=now) and (is_touched(booking) or as_asked)


def is_unverified(appointment: Appointment, own: BookedSegment) -> bool:
    """Whether it was imported, and the booking of this part has not been read at Cal.com since."""
    if appointment.source != "import":
        return False
    return appointment.verified_at is None if len(appointment.segments) == 1 else own.updated_at is None


def has_attendee(booking: Booking, appointment: Appointment) -> bool:
    """Whether the one we booked for is among those who come.

    Of one that was imported without an address of its own nobody knows under which one Cal.com has it; of one that was
    erased nobody knows who it was.
    """
    if appointment.customer.is_nobody:
        return True
    if appointment.source == "import" and appointment.customer.email.startswith(f"kunde-{appointment.customer.id}@"):
        return True
    return appointment.customer.email.lower() in {each.lower() for each in booking.attendees}


def is_destructive(repair: Repair) -> bool:
    """Whether it takes something away that a wrong reading would make us regret."""
    return isinstance(repair, CancelOrphan) or counted_once(repair) is not None


def counted_once(repair: Repair | None) -> str | None:
    """The appointment that it takes something of: each part that others moved is listed, by its old uid and its new
    one, and it is one change. None: nothing of ours, or one booking at Cal.com.
    """
    return repair.appointment.id if isinstance(repair, End | EndPart | EndWhole | FollowWhole) else None
