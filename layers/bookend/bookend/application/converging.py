"""Make our side equal to what Cal.com shows: one booking read there, one repair decided, one transaction.

The webhook worker, the sweeper and the reconciliation all come through here. What an event says is a hint; what is
read is what counts, so the order, the loss and the doubling of events change nothing about the end.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import assert_never

from bookend.application.adopting import adopt, cancel_orphan
from bookend.application.background import Background
from bookend.application.chain import LONGEST, Endless, Gone, Stands, Unread, end_of_chain
from bookend.application.converged import Converged
from bookend.application.following import audit_of, end_part, follow, overlaps, put_before_a_person
from bookend.application.own_bookings import expected_booking, is_labelled
from bookend.application.parts_changed import end_whole, follow_whole, part_gone
from bookend.application.settling import Settled, settle
from bookend.domain.answers import Answered, Booking, NotThere, Verdict, judge
from bookend.domain.appointment import Appointment, AppointmentState, BookedSegment, Told
from bookend.domain.drift import (
    CANCELLED_THERE,
    DEAD,
    LIVE,
    Adopt,
    CancelOrphan,
    Drift,
    End,
    EndPart,
    EndWhole,
    Flag,
    Follow,
    FollowWhole,
    LookAgain,
    Nothing,
    Repair,
    Settle,
    change_of,
    has_attendee,
    is_touched,
    may_lag,
    part_of,
    segment_of,
    with_the_rest,
)
from bookend.domain.timeslot import Slot


def assess(work: Background, seen: Booking) -> Repair:
    """What is to be done about a booking as it was just read. Reads only."""
    appointment = _appointment_of(work, seen)
    if isinstance(appointment, Unread):
        return LookAgain(appointment.why)
    if appointment is None:
        return _assess_foreign(work, seen)
    known = _newer_than(work, appointment, seen)
    if known is not None:
        own = any(each.uid == seen.uid for each in appointment.segments)
        if may_lag(known, now=work.clock.now()) or not (own or seen.status == LIVE):
            return Nothing()
        # Long after that no read lags any more, and the servers' clocks may differ: what is there now is so.
        again = work.calendar.booking(seen.uid, deadline=work.deadline)
        if not isinstance(again, Booking):
            return LookAgain("it cannot be read again")
        seen = again
    match appointment.state:
        case (
            AppointmentState.PENDING
            | AppointmentState.COMPENSATING
            | AppointmentState.MOVING
            | AppointmentState.CANCELLING
        ):
            return Settle(appointment)
        case AppointmentState.CONFIRMED:
            return _assess_confirmed(work, appointment, seen)
        case AppointmentState.FAILED:
            return _assess_late(work, appointment, seen) if seen.status == LIVE else Nothing()
        case AppointmentState.CANCELLED:
            return _assess_after_the_end(work, appointment, seen) if seen.status == LIVE else Nothing()
        case other:
            assert_never(other)


def _newer_than(work: Background, appointment: Appointment, seen: Booking) -> datetime | None:
    """The instant of what we know, where what was read is older: Cal.com's reads may lag behind its writes.

    That compares states of one booking. Another one of the appointment's that is older (two moves of one booking at the
    same moment make two) is news.
    """
    known, own = appointment.calendar_updated_at, [each for each in appointment.segments if each.uid == seen.uid]
    if len(appointment.segments) > 1:  # each part has a history of its own, which its earlier bookings are of as well
        part = own or [each for each in appointment.segments if each.index == part_of(seen)]
        known = part[0].updated_at if part else None
    if known is None or seen.updated_at is None or seen.updated_at >= known:
        return None
    ours = bool(own) or work.adoptions.owner(work.tenant.id, seen.uid) == appointment.id
    return known if ours else None


def _appointment_of(work: Background, seen: Booking) -> Appointment | Unread | None:
    """Whose booking it is: by its uid, by the uid it was moved from, or by what we wrote into it. None: nobody's."""
    tenant = work.tenant.id
    for uid in (seen.uid, seen.rescheduled_from):
        owner = work.adoptions.owner(tenant, uid) if uid else None
        if owner is not None:
            return work.appointments.appointment(tenant, owner)
    labelled = seen.metadata.get("appointment")
    if not labelled:
        return _of_an_earlier_link(work, seen)
    appointment = work.appointments.appointment(tenant, labelled)
    return appointment if appointment is not None and is_labelled(seen, appointment) else None


def _of_an_earlier_link(work: Background, seen: Booking) -> Appointment | Unread | None:
    """Moved more than once before we looked: it belongs to whoever has one of its earlier uids.

    A link that cannot be read may be the one that tells. Only what is not there makes it nobody's, and that not while
    Cal.com's reads may still lag behind the move (calcom-observed 2).
    """
    young = seen.created_at is not None and may_lag(seen.created_at, now=work.clock.now())
    for _ in range(LONGEST):
        if seen.rescheduled_from is None:
            return None
        before = work.calendar.booking(seen.rescheduled_from, deadline=work.deadline)
        if isinstance(before, NotThere) and not young:
            return None
        if not isinstance(before, Booking):
            return Unread("what it was moved from cannot be read")
        owner = work.adoptions.owner(work.tenant.id, before.rescheduled_from) if before.rescheduled_from else None
        if owner is not None:
            return work.appointments.appointment(work.tenant.id, owner)
        seen = before
    return None


def _assess_foreign(work: Background, seen: Booking) -> Repair:
    if seen.status != LIVE:
        return Nothing()
    staff = work.tenant.staff_of_host(seen.host)
    if staff is None:
        return Nothing(Drift.UNKNOWN_HOST)
    return Adopt(seen, staff, work.tenant.service_of_event_type(seen.event_type))


def _assess_late(work: Background, appointment: Appointment, seen: Booking) -> Repair:
    """A booking of ours that came after its operation was given up.

    Who was told "noch offen" and has had no message yet still wants it: then it is theirs, if its time is still free
    and they have not booked another meanwhile. Anybody else was told that they have none, so it must go. But only a
    booking that is exactly as we sent it goes: what somebody has moved, changed or copied is theirs, and stays.
    """
    segment = segment_of(appointment, seen)
    expected = expected_booking(work.tenant, appointment, segment)
    as_sent = judge(Answered(seen), expected, now=work.clock.now()).verdict is Verdict.OK and not is_touched(seen)
    staff = work.tenant.staff_of_host(seen.host)
    service = work.tenant.service_of_event_type(seen.event_type)
    if work.adoptions.owner(work.tenant.id, seen.uid) == appointment.id:
        # Somebody has begun to take it back, for being wrong maybe.
        if as_sent or not is_touched(seen):
            return CancelOrphan(appointment, seen)
        if staff is None:
            return _taken_over(seen, appointment)
        return Adopt(seen, staff, service, keeps=appointment, drift=Drift.TAKEN_OVER)
    waits = appointment.told in {Told.NOTHING, Told.PENDING} and len(appointment.segments) == 1
    if not as_sent:
        if staff is None:
            return _taken_over(seen, appointment)
        theirs = appointment if waits and has_attendee(seen, appointment) else None
        return Adopt(seen, staff, service, revives=theirs, drift=Drift.TAKEN_OVER)
    if waits and not work.adoptions.overlapping(work.tenant.id, appointment.customer.id, segment.slot):
        days = work.appointments.staff_days(work.tenant.id, {(segment.staff, day) for day in segment.slot.utc_days()})
        if not overlaps(work, appointment, days, segment.staff, segment.slot):
            return Adopt(seen, segment.staff, appointment.service, revives=appointment)
    return CancelOrphan(appointment, seen)


def _taken_over(seen: Booking, appointment: Appointment) -> Flag:
    return Flag(seen, Drift.TAKEN_OVER, appointment)


def _assess_after_the_end(work: Background, appointment: Appointment, seen: Booking) -> Repair:
    """A live booking of an appointment that is cancelled.

    Where it was cancelled at Cal.com and this one was moved or copied from it, only half of that was seen: it goes on.
    One that we cancelled, or the very booking brought back, may be somebody else's by now: a person decides.
    """
    owner = work.adoptions.owner(work.tenant.id, seen.uid)
    staff = work.tenant.staff_of_host(seen.host)
    if owner is not None or staff is None or appointment.why != CANCELLED_THERE:
        return Flag(seen, Drift.ORPHAN, appointment)
    service = work.tenant.service(appointment.service)
    if service is not None and service.is_composite and appointment.request:
        # Of the whole that was booked by voice this is a part: taken into the ledger, and before a person.
        return Adopt(seen, staff, appointment.service, drift=Drift.TAKEN_OVER)
    last = _went_on_as(work, appointment)
    if last.state is not AppointmentState.CANCELLED or last.why != CANCELLED_THERE:
        return Flag(seen, Drift.ORPHAN, appointment)  # it goes on already, and this is one too many
    return Adopt(seen, staff, last.service, restores=last, drift=Drift.GHOST_HERE)


def _went_on_as(work: Background, ended: Appointment) -> Appointment:
    """The last of those that went on from one that ended too early; itself, where none did."""
    for _ in range(LONGEST):
        name = work.adoptions.went_on_as(work.tenant.id, ended)
        after = work.appointments.appointment(work.tenant.id, name) if name is not None else None
        if after is None or after.state is not AppointmentState.CANCELLED:
            return after or ended
        ended = after
    return ended


def _assess_confirmed(work: Background, appointment: Appointment, seen: Booking) -> Repair:
    own = next((segment for segment in appointment.segments if segment.uid == seen.uid), None)
    if own is None:
        missing = part_of(seen) not in {None, *(each.index for each in appointment.segments)}
        if missing or len(appointment.segments) > 1:
            return _assess_relative_of_a_part(work, appointment, seen)
        return _assess_relative(work, appointment, seen, appointment.segments)
    if seen.status in DEAD:
        return _assess_dead(work, appointment, own, seen, told=seen)
    if seen.status != LIVE:
        return Flag(seen, Drift.STATUS, appointment)
    return change_of(appointment, own, seen, work.tenant)


def _assess_dead(
    work: Background, appointment: Appointment, own: BookedSegment, seen: Booking, *, told: Booking
) -> Repair:
    """Gone from there: moved, then the chain of uids is followed to its end; or cancelled.

    `told` is the booking that led here: an event may have said of it that somebody cancelled it.
    """
    match end_of_chain(work, appointment, seen, told=told):
        case Stands(now_is, left):
            if left is not None and work.adoptions.owner(work.tenant.id, now_is.uid) not in {None, appointment.id}:
                # Two that took it in at once: where it stands now is the other one's.
                return part_gone(work, appointment, own, left)
            return change_of(appointment, own, now_is, work.tenant)
        case Gone(left):
            return part_gone(work, appointment, own, left)
        case Unread(why):
            return LookAgain(why)
        case Endless():
            return Flag(seen, Drift.CHAIN, appointment)
        case other:
            assert_never(other)


def _assess_relative_of_a_part(work: Background, appointment: Appointment, seen: Booking) -> Repair:
    """The same of a composite: it is measured by the part that it was moved from or made for, and by no other.

    One of a part that had gone, and is there again, is that part.
    """
    from_it = [each for each in appointment.segments if each.uid is not None and each.uid == seen.rescheduled_from]
    own = from_it or [each for each in appointment.segments if each.index == part_of(seen)]
    if own:
        return _assess_relative(work, appointment, seen, own)
    staff, index = work.tenant.staff_of_host(seen.host), part_of(seen)
    if seen.status != LIVE:
        return Nothing()
    if staff is None or index is None:
        return Flag(seen, Drift.DUPLICATE, appointment)
    again = BookedSegment(index, staff, Slot(seen.start, seen.end), seen.event_type or 0)
    return with_the_rest(Follow(appointment, again, seen, staff, Drift.PART), work.tenant)


def _assess_relative(
    work: Background, appointment: Appointment, seen: Booking, segments: Iterable[BookedSegment]
) -> Repair:
    """A booking of the appointment's that is not the one it stands on: an older link, a newer one, or one too many.

    A dead one, too, may be all that is ever told: moved, and cancelled before anybody looked.
    """
    if seen.status != LIVE and seen.status not in DEAD:
        return Nothing()
    for own in segments:
        if own.uid is None:
            continue
        current = work.calendar.booking(own.uid, deadline=work.deadline)
        if not isinstance(current, Booking):
            # Cal.com's reads lag: a 404 of what we know of is no proof that it is gone.
            return LookAgain("the booking it stands on cannot be read")
        if current.status in DEAD and current.rescheduled_to is None and seen.status == LIVE:
            return change_of(appointment, own, seen, work.tenant)
        if current.status in DEAD:
            return _assess_dead(work, appointment, own, current, told=seen)
    return Flag(seen, Drift.DUPLICATE, appointment) if seen.status == LIVE else Nothing()


def carry_out(work: Background, repair: Repair) -> Converged:
    """Do what was decided; each write names the state it was decided on, and loses to whoever was faster."""
    match repair:
        case Nothing():
            return Converged.EQUAL
        case LookAgain():
            return Converged.LATER
        case Settle(appointment):
            ended = settle(work, appointment.id)
            return Converged.LATER if ended is Settled.WAITING else Converged.SETTLED
        case Adopt():
            return adopt(work, repair)
        case Follow():
            return Converged.FOLLOWED if follow(work, repair) else Converged.LATER
        case End(appointment, booking):
            audit = audit_of(work, repair.drift, "end", booking, before=appointment, after=None)
            now = work.clock.now()
            changed = work.adoptions.end(work.tenant.id, appointment, booking=booking, audit=audit, now=now)
            return Converged.ENDED if changed else Converged.LATER
        case EndPart():
            return Converged.PART_ENDED if end_part(work, repair) else Converged.LATER
        case FollowWhole():
            return follow_whole(work, repair)
        case EndWhole():
            return end_whole(work, repair)
        case CancelOrphan(appointment, booking):
            return cancel_orphan(work, appointment, booking)
        case Flag():
            put_before_a_person(work, repair)
            return Converged.FLAGGED
        case other:
            assert_never(other)


def converge(work: Background, seen: Booking) -> Converged:
    """Decide and do; once more where somebody was faster, and where it had to be settled first."""
    done = carry_out(work, assess(work, seen))
    if done is Converged.SETTLED:
        now_is = work.calendar.booking(seen.uid, deadline=work.deadline)
        again = carry_out(work, assess(work, now_is)) if isinstance(now_is, Booking) else Converged.LATER
        return done if again is Converged.EQUAL else again
    return carry_out(work, assess(work, seen)) if done is Converged.LATER else done
