"""What every repair has in common: following a booking to where it stands, the audit entry, and telling a person."""

from __future__ import annotations

from dataclasses import replace

from bookend.application import alerts as alert
from bookend.application.background import Background
from bookend.application.ports import Audit, Changed
from bookend.domain.answers import Booking
from bookend.domain.appointment import Amiss, Appointment, BookedSegment
from bookend.domain.drift import Drift, EndPart, Flag, Follow, change_of, followed
from bookend.domain.staff_day import IntervalState, StaffDays
from bookend.domain.timeslot import Slot, instant_text

TRIES = 6
"""How often a transaction is decided anew on a staff day that somebody else has just written."""


def follow(work: Background, repair: Follow) -> bool:
    """Move or change the appointment to what Cal.com shows. False: it moved on meanwhile, to be decided anew.

    Where that is one part of a composite, the others stay where they are. Who must hear of it does so first.
    """
    appointment, booking, staff = repair.appointment, repair.booking, repair.staff
    if repair.rings:
        put_before_a_person(work, Flag(booking, Drift.PART, appointment, repair.amiss))
    slot, segments = Slot(booking.start, booking.end), followed(repair)
    others = [each for each in segments if each.index != repair.segment.index]
    after = replace(appointment, segments=segments, amiss=repair.amiss)
    audit = audit_of(work, repair.drift, "follow", booking, before=appointment, after=after)
    for _ in range(TRIES):
        touched = {(each.staff, day) for each in (*appointment.segments, *segments) for day in each.slot.utc_days()}
        days = work.appointments.staff_days(work.tenant.id, touched)
        on_its_own = any(each.staff == staff and each.slot.overlaps(slot) for each in others)
        conflict = on_its_own or overlaps(work, appointment, days, staff, slot)
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
            return True
        if outcome is Changed.APPOINTMENT_MOVED_ON:
            return False
    return False


def end_part(work: Background, repair: EndPart) -> bool:
    """Take one part out of the appointment; the others stand, and a person is told first.

    False: it moved on meanwhile, to be decided anew.
    """
    appointment, booking = repair.appointment, repair.booking
    put_before_a_person(work, Flag(booking, repair.drift, appointment, Amiss.PART_GONE))
    left = tuple(each for each in appointment.segments if each.index != repair.segment.index)
    after = replace(appointment, segments=left, amiss=Amiss.PART_GONE)
    audit = audit_of(work, repair.drift, "end_part", booking, before=appointment, after=after)
    for _ in range(TRIES):
        touched = {(each.staff, day) for each in appointment.segments for day in each.slot.utc_days()}
        outcome = work.adoptions.follow(
            work.tenant.id,
            appointment,
            after,
            booking=booking,
            days=work.appointments.staff_days(work.tenant.id, touched),
            conflict=False,
            alert=None,
            audit=audit,
            now=work.clock.now(),
        )
        if outcome is not Changed.LEDGER_CHANGED:
            return outcome is Changed.DONE
    return False


def take_over(work: Background, appointment: Appointment, own: BookedSegment, seen: Booking) -> None:
    """What others have made of a confirmed segment, at once; whoever is faster, or the next look, does the same.

    Where the rest of a composite is to go after it, the next look does.
    """
    change = change_of(appointment, own, seen, work.tenant)
    if isinstance(change, Follow):
        follow(work, change)
    elif isinstance(change, Flag):
        put_before_a_person(work, change)


def put_before_a_person(work: Background, flag: Flag) -> None:
    """Tell of a difference, once a month."""
    raised = alert.drift_found(flag.booking, flag.drift, flag.appointment, flag.amiss)
    about = f"{flag.drift.value}-{flag.booking.uid}"
    if work.adoptions.flag(work.tenant.id, raised, about=about, now=work.clock.now()):
        work.alerts.raise_(raised)


def overlaps(work: Background, appointment: Appointment, days: StaffDays, staff: str, slot: Slot) -> bool:
    """Whether an appointment of somebody else is in the way. A mere hold is not: its offer is lost, that is all."""
    own = f"{appointment.id}/"
    return any(
        each.state is not IntervalState.HELD and not each.key.startswith(own)
        for day in slot.utc_days()
        for each in days.day(staff, day).in_the_way_of(slot, now=work.clock.now())
    )


def audit_of(
    work: Background,
    drift: Drift,
    repair: str,
    booking: Booking | None,
    *,
    before: Appointment | None,
    after: Appointment | None,
) -> Audit:
    """The entry of a repair: what was, what is, and by whom."""
    known = after or before
    return Audit(
        drift=drift.value,
        repair=repair,
        booking=booking.uid if booking is not None else "",
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
