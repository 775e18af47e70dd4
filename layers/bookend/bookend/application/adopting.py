"""A booking at Cal.com that no live appointment stands on: taken into the ledger, or cancelled there."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from bookend.application import alerts as alert
from bookend.application.background import Background
from bookend.application.converged import Converged
from bookend.application.following import TRIES, audit_of, overlaps, put_before_a_person
from bookend.application.ports import Adopted, BookingHasOwner, Cancelled, CustomerHasOne, TextSent
from bookend.domain.answers import Booking, NotThere, Refusal, Refused
from bookend.domain.appointment import Appointment, AppointmentState, BookedSegment, Told
from bookend.domain.contacts import Customer, clean_name, customer_id, normalise_phone
from bookend.domain.drift import DEAD, Adopt, Drift, Flag
from bookend.domain.timeslot import Slot

_ORPHAN_REASON = "Automatisch storniert: zu dieser Buchung gibt es keinen Termin."


def adopt(work: Background, repair: Adopt) -> Converged:
    """Take a booking that others made, or that came late, into the ledger."""
    now = work.clock.now()
    booking, staff, late = repair.booking, repair.staff, repair.revives
    before = late or repair.restores
    slot = Slot(booking.start, booking.end)
    appointment = Appointment(
        # One name for one booking: two that adopt it at once write the same item, and one of them loses.
        id="web" + hashlib.sha256(f"{work.tenant.id}|{booking.uid}".encode()).hexdigest()[:20],
        state=AppointmentState.CONFIRMED,
        op=f"adopt-{booking.uid}",
        version=1,
        service=repair.service,
        segments=(BookedSegment(0, staff, slot, booking.event_type or 0, booking.uid, booking.id, booking.host),),
        customer=before.customer if before is not None else repair.customer or _customer_of(work, booking),
        call=before.call if before is not None else "",
        source=before.source if before is not None else "calcom",
        created_at=now,
        request="",
        told=before.told if before is not None else Told.NOTHING,
        verified_at=now,
    )
    audit = audit_of(work, repair.drift, "adopt", booking, before=before or repair.keeps, after=appointment)
    for _ in range(TRIES):
        days = work.appointments.staff_days(work.tenant.id, {(staff, day) for day in slot.utc_days()})
        conflict = overlaps(work, appointment, days, staff, slot)
        if conflict and late is not None:
            return _not_revived(work, repair, late)
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
            restores=repair.restores,
            keeps=repair.keeps,
            now=now,
        )
        if isinstance(outcome, Adopted):
            if raised is not None:
                work.alerts.raise_(raised)
            if repair.drift is Drift.TAKEN_OVER:
                put_before_a_person(work, Flag(booking, repair.drift, appointment))
            return Converged.ADOPTED
        if isinstance(outcome, TextSent | CustomerHasOne) and late is not None:
            # They have just been told that they have none, or have booked another.
            return _not_revived(work, repair, late)
        if isinstance(outcome, BookingHasOwner):
            return Converged.LATER  # somebody else took it in meanwhile: what it is now is decided anew
    return Converged.LATER


def _not_revived(work: Background, repair: Adopt, late: Appointment) -> Converged:
    """Not the caller's any more: cancelled as it was sent; but what somebody has taken over is theirs alone."""
    if repair.drift is Drift.TAKEN_OVER:
        return adopt(work, replace(repair, revives=None))
    return cancel_orphan(work, late, repair.booking)


def cancel_orphan(work: Background, appointment: Appointment, booking: Booking) -> Converged:
    """Read once more by its uid before anything is taken away: a list may lie, and so may what it was built from."""
    current = work.calendar.booking(booking.uid, deadline=work.deadline)
    if isinstance(current, NotThere) or (isinstance(current, Booking) and current.status in DEAD):
        return Converged.EQUAL
    if not isinstance(current, Booking):
        return Converged.LATER
    audit = audit_of(work, Drift.ORPHAN, "cancel_orphan", booking, before=appointment, after=None)
    if not work.adoptions.claim(work.tenant.id, appointment, booking, audit=audit, now=work.clock.now()):
        return Converged.LATER
    outcome = work.calendar.cancel(booking.uid, _ORPHAN_REASON, deadline=work.deadline)
    if isinstance(outcome, Refused) and outcome.why is not Refusal.CONFLICT:
        return _keep_orphan(work, appointment, current)
    if not isinstance(outcome, Cancelled):
        return Converged.LATER
    work.alerts.raise_(alert.orphan_cancelled(appointment, booking))
    return Converged.ORPHAN_CANCELLED


def _keep_orphan(work: Background, appointment: Appointment, booking: Booking) -> Converged:
    """Cal.com will not let it go. Its time is not free then, and a person must know; once taken in it is equal here
    and there, and nobody tries again.
    """
    put_before_a_person(work, Flag(booking, Drift.REFUSED, appointment))
    staff = work.tenant.staff_of_host(booking.host) or appointment.staff
    service = work.tenant.service_of_event_type(booking.event_type)
    kept = Adopt(booking, staff, service, keeps=appointment, drift=Drift.REFUSED)
    done = adopt(work, kept)
    return Converged.ORPHAN_KEPT if done is Converged.ADOPTED else done


def _customer_of(work: Background, booking: Booking) -> Customer:
    """Who booked at Cal.com: known by their number where they gave one, else by their address."""
    email = booking.attendees[0] if booking.attendees else ""
    phone = normalise_phone(booking.attendee_phone, country_code=work.tenant.country_code)
    identity = customer_id(work.tenant.id, caller=phone, call=f"calcom|{email}")
    return Customer(identity, clean_name(booking.attendee_name) or "?", email, phone)
