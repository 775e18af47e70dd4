"""Make our side equal to what Cal.com shows: one booking read there, one repair decided, one transaction.

The webhook worker, the sweeper and the reconciliation all come through here. What an event says is a hint; what is
read is what counts, so the order, the loss and the doubling of events change nothing about the end.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from enum import StrEnum
from typing import assert_never

from bookend.application import alerts as alert
from bookend.application.background import Background
from bookend.application.own_bookings import expected_booking
from bookend.application.ports import Adopted, Audit, BookingHasOwner, Cancelled, Changed, TextSent
from bookend.application.settling import Settled, settle
from bookend.domain.answers import Answered, Booking, NotThere, Verdict, judge
from bookend.domain.appointment import Appointment, AppointmentState, BookedSegment, Told
from bookend.domain.contacts import Customer, clean_name, customer_id, normalise_phone
from bookend.domain.drift import (
    DEAD,
    LIVE,
    Adopt,
    CancelOrphan,
    Drift,
    End,
    Flag,
    Follow,
    LookAgain,
    Nothing,
    Repair,
    Settle,
    has_attendee,
)
from bookend.domain.staff_day import IntervalState, StaffDays
from bookend.domain.timeslot import Slot, instant_text

LONGEST_CHAIN = 10
"""How many moves of one booking are followed in a row."""
_TRIES = 6
_ORPHAN_REASON = "Automatisch storniert: zu dieser Buchung gibt es keinen Termin."


class Converged(StrEnum):
    """What was done."""

    EQUAL = "equal"
    SETTLED = "settled"
    ADOPTED = "adopted"
    FOLLOWED = "followed"
    ENDED = "ended"
    ORPHAN_CANCELLED = "orphan_cancelled"
    FLAGGED = "flagged"
    LATER = "later"


def assess(work: Background, seen: Booking) -> Repair:
    """What is to be done about a booking as it was just read. Reads only."""
    appointment = _appointment_of(work, seen)
    if appointment is None:
        return _assess_foreign(work, seen)
    if _is_stale(appointment, seen):
        return Nothing()
    match appointment.state:
        case AppointmentState.PENDING | AppointmentState.COMPENSATING:
            return Settle(appointment)
        case AppointmentState.MOVING | AppointmentState.CANCELLING:
            return LookAgain("an operation holds the appointment")
        case AppointmentState.CONFIRMED:
            return _assess_confirmed(work, appointment, seen, steps=LONGEST_CHAIN)
        case AppointmentState.FAILED:
            return _assess_late(work, appointment, seen) if seen.status == LIVE else Nothing()
        case AppointmentState.CANCELLED:
            # Somebody brought back what was cancelled. It may be theirs by now: a person decides.
            return Flag(seen, Drift.ORPHAN, appointment) if seen.status == LIVE else Nothing()
        case other:
            assert_never(other)


def _is_stale(appointment: Appointment, seen: Booking) -> bool:
    """Whether what was read is older than what we know: Cal.com's reads may lag behind its writes."""
    known = appointment.calendar_updated_at
    return known is not None and seen.updated_at is not None and seen.updated_at < known


def _appointment_of(work: Background, seen: Booking) -> Appointment | None:
    """Whose booking it is: by its uid, by the uid it was moved from, or by what we wrote into it."""
    tenant = work.tenant.id
    for uid in (seen.uid, seen.rescheduled_from):
        owner = work.adoptions.owner(tenant, uid) if uid else None
        if owner is not None:
            return work.appointments.appointment(tenant, owner)
    labelled = seen.metadata.get("appointment")
    if not labelled:
        return _of_an_earlier_link(work, seen)
    appointment = work.appointments.appointment(tenant, labelled)
    return appointment if appointment is not None and appointment.op == seen.metadata.get("op_id") else None


def _of_an_earlier_link(work: Background, seen: Booking) -> Appointment | None:
    """Moved more than once before we looked: it belongs to whoever has one of its earlier uids."""
    for _ in range(LONGEST_CHAIN):
        before = work.calendar.booking(seen.rescheduled_from, deadline=work.deadline) if seen.rescheduled_from else None
        if not isinstance(before, Booking) or before.rescheduled_from is None:
            return None
        owner = work.adoptions.owner(work.tenant.id, before.rescheduled_from)
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

    Who was told "noch offen" and has had no message yet still wants it: then it is theirs, if it is as they asked and
    its time is still free. Anybody else was told that they have none, so it must go.
    """
    if work.adoptions.owner(work.tenant.id, seen.uid) == appointment.id:
        return CancelOrphan(appointment, seen)  # somebody has begun to take it back
    segment = appointment.segments[0]
    waits = appointment.told in {Told.NOTHING, Told.PENDING} and len(appointment.segments) == 1
    expected = expected_booking(work.tenant, appointment, segment)
    if waits and judge(Answered(seen), expected, now=work.clock.now()).verdict is Verdict.OK:
        days = work.appointments.staff_days(work.tenant.id, {(segment.staff, day) for day in segment.slot.utc_days()})
        if not _conflicts(appointment, days, segment.staff, segment.slot, work):
            return Adopt(seen, segment.staff, appointment.service, revives=appointment)
    return CancelOrphan(appointment, seen)


def _assess_confirmed(work: Background, appointment: Appointment, seen: Booking, *, steps: int) -> Repair:
    own = next((segment for segment in appointment.segments if segment.uid == seen.uid), None)
    if own is None:
        return _assess_relative(work, appointment, seen, steps=steps)
    if seen.status in DEAD:
        if seen.rescheduled_to is None:
            return End(appointment, seen)
        return _assess_successor(work, appointment, own, seen, steps=steps)
    if seen.status != LIVE:
        return Flag(seen, Drift.STATUS, appointment)
    return _assess_change(work, appointment, own, seen)


def _assess_change(work: Background, appointment: Appointment, own: BookedSegment, seen: Booking) -> Repair:
    staff = work.tenant.staff_of_host(seen.host)
    if staff is None:
        return Flag(seen, Drift.UNKNOWN_HOST, appointment)
    if staff != own.staff:
        return Follow(appointment, own, seen, staff, Drift.HOST)
    if seen.start != own.slot.start:
        return Follow(appointment, own, seen, staff, Drift.START)
    if seen.end != own.slot.end:
        return Follow(appointment, own, seen, staff, Drift.END)
    if seen.uid != own.uid:
        return Follow(appointment, own, seen, staff, Drift.NONE)
    if not has_attendee(seen, appointment):
        return Flag(seen, Drift.ATTENDEE, appointment)
    return Nothing()


def _assess_successor(
    work: Background, appointment: Appointment, own: BookedSegment, seen: Booking, *, steps: int
) -> Repair:
    """Moved there: follow the chain of uids to its end."""
    left = seen
    while seen.status in DEAD and seen.rescheduled_to is not None and steps > 0:
        steps -= 1
        successor = work.calendar.booking(seen.rescheduled_to, deadline=work.deadline)
        if not isinstance(successor, Booking):
            return LookAgain("the successor cannot be read")
        seen = successor
    if seen.status in DEAD:
        return End(appointment, seen) if seen.rescheduled_to is None else LookAgain("the chain of moves is too long")
    if work.adoptions.owner(work.tenant.id, seen.uid) not in {None, appointment.id}:
        return End(appointment, left)  # two that took it in at once: where it stands now is the other one's
    return _assess_change(work, appointment, own, seen)


def _assess_relative(work: Background, appointment: Appointment, seen: Booking, *, steps: int) -> Repair:
    """A booking of the appointment's that is not the one it stands on: an older link, a newer one, or one too many.

    A dead one, too, may be all that is ever told: moved, and cancelled before anybody looked.
    """
    if seen.status != LIVE and seen.status not in DEAD:
        return Nothing()
    for own in appointment.segments:
        if own.uid is None:
            continue
        current = work.calendar.booking(own.uid, deadline=work.deadline)
        if not isinstance(current, Booking):
            # Cal.com's reads lag: a 404 of what we know of is no proof that it is gone.
            return LookAgain("the booking it stands on cannot be read")
        if current.status in DEAD and current.rescheduled_to is not None:
            return _assess_successor(work, appointment, own, current, steps=steps)
        if current.status in DEAD:
            live = seen.status == LIVE
            return _assess_change(work, appointment, own, seen) if live else End(appointment, current)
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
            return _adopt(work, repair)
        case Follow():
            return _follow(work, repair)
        case End(appointment, booking):
            audit = _audit(work, repair.drift, "end", booking, before=appointment, after=None)
            now = work.clock.now()
            changed = work.adoptions.end(work.tenant.id, appointment, booking=booking, audit=audit, now=now)
            return Converged.ENDED if changed else Converged.LATER
        case CancelOrphan(appointment, booking):
            return _cancel_orphan(work, appointment, booking)
        case Flag(booking, drift, appointment):
            raised = alert.drift_found(booking, drift, appointment)
            about = f"{drift.value}-{booking.uid}"
            if work.adoptions.flag(work.tenant.id, raised, about=about, now=work.clock.now()):
                work.alerts.raise_(raised)
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


def _adopt(work: Background, repair: Adopt) -> Converged:
    now = work.clock.now()
    booking, staff, late = repair.booking, repair.staff, repair.revives
    slot = Slot(booking.start, booking.end)
    appointment = Appointment(
        # One name for one booking: two that adopt it at once write the same item, and one of them loses.
        id="web" + hashlib.sha256(f"{work.tenant.id}|{booking.uid}".encode()).hexdigest()[:20],
        state=AppointmentState.CONFIRMED,
        op=f"adopt-{booking.uid}",
        version=1,
        service=repair.service,
        segments=(BookedSegment(0, staff, slot, booking.event_type or 0, booking.uid, booking.id, booking.host),),
        customer=late.customer if late is not None else _customer_of(work, booking),
        call=late.call if late is not None else "",
        source=late.source if late is not None else "calcom",
        created_at=now,
        request="",
        told=late.told if late is not None else Told.NOTHING,
        verified_at=now,
    )
    audit = _audit(work, repair.drift, "adopt", booking, before=late, after=appointment)
    for _ in range(_TRIES):
        days = work.appointments.staff_days(work.tenant.id, {(staff, day) for day in slot.utc_days()})
        conflict = _conflicts(appointment, days, staff, slot, work)
        if conflict and late is not None:
            return _cancel_orphan(work, late, booking)
        raised = alert.conflict_adopted(appointment) if conflict else None
        outcome = work.adoptions.adopt(
            work.tenant.id,
            appointment,
            booking=booking,
            days=days,
            conflict=conflict,
            alert=raised,
            audit=audit,
            revives=late,
            now=now,
        )
        if isinstance(outcome, Adopted):
            if raised is not None:
                work.alerts.raise_(raised)
            return Converged.ADOPTED
        if isinstance(outcome, TextSent) and late is not None:
            return _cancel_orphan(work, late, booking)  # they have just been told that they have none
        if isinstance(outcome, BookingHasOwner):
            return Converged.LATER  # somebody else took it in meanwhile: what it is now is decided anew
    return Converged.LATER


def _follow(work: Background, repair: Follow) -> Converged:
    appointment, segment, booking, staff = repair.appointment, repair.segment, repair.booking, repair.staff
    slot = Slot(booking.start, booking.end)
    moved = replace(
        segment,
        staff=staff,
        slot=slot,
        event_type=booking.event_type or segment.event_type,
        uid=booking.uid,
        booking_id=booking.id,
        host=booking.host,
    )
    segments = tuple(moved if each.index == segment.index else each for each in appointment.segments)
    after = replace(appointment, segments=segments)
    audit = _audit(work, repair.drift, "follow", booking, before=appointment, after=after)
    for _ in range(_TRIES):
        touched = {(each.staff, day) for each in (*appointment.segments, *segments) for day in each.slot.utc_days()}
        days = work.appointments.staff_days(work.tenant.id, touched)
        conflict = _conflicts(appointment, days, staff, slot, work)
        raised = alert.conflict_adopted(after) if conflict else None
        outcome = work.adoptions.follow(
            work.tenant.id,
            appointment,
            after,
            booking=booking,
            days=days,
            conflict=conflict,
            alert=raised,
            audit=audit,
            now=work.clock.now(),
        )
        if outcome is Changed.DONE:
            if raised is not None:
                work.alerts.raise_(raised)
            return Converged.FOLLOWED
        if outcome is Changed.APPOINTMENT_MOVED_ON:
            return Converged.LATER
    return Converged.LATER


def _cancel_orphan(work: Background, appointment: Appointment, booking: Booking) -> Converged:
    """Read once more by its uid before anything is taken away: a list may lie, and so may what it was built from."""
    current = work.calendar.booking(booking.uid, deadline=work.deadline)
    if isinstance(current, NotThere) or (isinstance(current, Booking) and current.status in DEAD):
        return Converged.EQUAL
    if not isinstance(current, Booking):
        return Converged.LATER
    audit = _audit(work, Drift.ORPHAN, "cancel_orphan", booking, before=appointment, after=None)
    if not work.adoptions.claim(work.tenant.id, appointment, booking, audit=audit, now=work.clock.now()):
        return Converged.LATER
    outcome = work.calendar.cancel(booking.uid, _ORPHAN_REASON, deadline=work.deadline)
    if not isinstance(outcome, Cancelled):
        return Converged.LATER
    work.alerts.raise_(alert.orphan_cancelled(appointment, booking))
    return Converged.ORPHAN_CANCELLED


def _audit(
    work: Background,
    drift: Drift,
    repair: str,
    booking: Booking,
    *,
    before: Appointment | None,
    after: Appointment | None,
) -> Audit:
    known = after or before
    return Audit(
        drift=drift.value,
        repair=repair,
        booking=booking.uid,
        appointment=known.id if known is not None else "",
        before=_facts(before),
        after=_facts(after),
        by=work.by,
    )


def _facts(appointment: Appointment | None) -> dict[str, str]:
    """Where the appointment stands, without anybody in it."""
    if appointment is None:
        return {}
    segments = "; ".join(
        f"{each.staff} {instant_text(each.slot.start)}/{instant_text(each.slot.end)} {each.uid or '-'}"
        for each in appointment.segments
    )
    return {"appointment": appointment.id, "state": appointment.state.value, "segments": segments}


def _conflicts(appointment: Appointment, days: StaffDays, staff: str, slot: Slot, work: Background) -> bool:
    """Whether an appointment of somebody else is in the way. A mere hold is not: its offer is lost, that is all."""
    own = f"{appointment.id}/"
    return any(
        each.state is not IntervalState.HELD and not each.key.startswith(own)
        for day in slot.utc_days()
        for each in days.day(staff, day).in_the_way_of(slot, now=work.clock.now())
    )


def _customer_of(work: Background, booking: Booking) -> Customer:
    """Who booked at Cal.com: known by their number where they gave one, else by their address."""
    email = booking.attendees[0] if booking.attendees else ""
    phone = normalise_phone(booking.attendee_phone, country_code=work.tenant.country_code)
    identity = customer_id(work.tenant.id, caller=phone, call=f"calcom|{email}")
    return Customer(identity, clean_name(booking.attendee_name) or "?", email, phone)
