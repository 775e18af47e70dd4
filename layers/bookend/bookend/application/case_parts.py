"""Parts that the other system had booked become one appointment here; and what was missing is joined to them.

Nothing is asked of Cal.com but to read. Who dies in between leaves appointments that stand as they are there, and the
next run goes on from what it reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bookend.application.adopting import adopt
from bookend.application.background import Background
from bookend.application.case_records import write
from bookend.application.case_taking import owner_of
from bookend.application.following import audit_of
from bookend.application.ports.cases import Cases
from bookend.domain.answers import Booking
from bookend.domain.appointment import Appointment, AppointmentState, BookedSegment
from bookend.domain.case_parts import PARTS, is_gathered_for, parts_fact
from bookend.domain.case_wishes import TAKEN_OVER
from bookend.domain.cases import Case
from bookend.domain.composites import what_is_amiss
from bookend.domain.contacts import Customer
from bookend.domain.drift import LIVE, Adopt, Drift
from bookend.domain.tenant import Service
from bookend.domain.timeslot import Slot

_SOURCE = "import"


def take_in_parts(
    work: Background, cases: Cases, case: Case, parts: Mapping[int, Booking], *, service: Service, customer: Customer
) -> tuple[Case, Appointment | None]:
    """The same with the case: which parts were there is on record before they are made one, so that the one is known
    again; then the case has it.
    """
    facts, first = case.facts | {PARTS: parts_fact(parts)}, parts[min(parts)]
    if facts != case.facts:
        case, stored = write(work, cases, case, facts=facts, by=work.by)
        if not stored:
            return case, None
    made = gather_parts(work, case, parts, service=service, customer=customer)
    if made is None:
        return case, None
    # A decision on it rests on what it is now: before, it was no appointment that anybody could have seen.
    facts = case.facts | ({"decided_on": str(made.version)} if "decided_on" in case.facts or case.decision else {})
    after, stored = write(work, cases, case, facts=facts, appointment=made.id, booking=first.uid, op="", by=work.by)
    return after, made if stored else None


def gather_parts(
    work: Background, case: Case, parts: Mapping[int, Booking], *, service: Service, customer: Customer
) -> Appointment | None:
    """The one appointment that has these bookings, known to be the customer's. None: not now, it is decided anew.

    Each goes into the ledger first, as it stands, where no run has done that before. The case has the parts on record.
    """
    owners = {number: _owned(work, booking, service, customer) for number, booking in parts.items()}
    first = owners[min(owners)]
    if first is not None and is_gathered_for(case, first):
        return first
    found = {each.id: each for each in owners.values() if each is not None and _is_plain(each)}
    if first is None or len(found) < len(parts):
        return None
    segments = tuple(
        _segment(number, booking, staff)
        for number, booking in sorted(parts.items())
        if (staff := work.tenant.staff_of_host(booking.host)) is not None
    )
    if len(segments) < len(parts):
        return None
    after = replace(
        first,
        service=service.id,
        segments=segments,
        customer=customer,
        source=_SOURCE,
        call=case.facts.get("call", first.call),
        amiss=what_is_amiss(service, segments),
    )
    others = [each for each in found.values() if each.id != first.id]
    booking = parts[min(parts)]
    audit = audit_of(work, Drift.FOREIGN, "gather", booking, before=first, after=after)
    now = work.clock.now()
    gathered = work.adoptions.gather(work.tenant.id, first, after, others, audit=audit, now=now)
    return work.appointments.appointment(work.tenant.id, first.id) if gathered else None


def join(work: Background, there: Appointment, rest: Appointment) -> bool:
    """What was missing goes on with all of the parts, since Cal.com has its name; the other one ends in it here.

    False: not now. All of them are read first, and nothing is joined that does not stand as it does here.
    """
    read: dict[int, Booking] = {}
    for segment in (*there.segments, *rest.segments):
        booking = work.calendar.booking(segment.uid or "", deadline=work.deadline)
        if not isinstance(booking, Booking) or booking.status != LIVE or segment.index in read:
            return False
        if (booking.start, booking.end) != (segment.slot.start, segment.slot.end):
            return False
        read[segment.index] = booking
    segments = tuple(
        replace(each, updated_at=read[each.index].updated_at or work.clock.now())
        for each in sorted((*there.segments, *rest.segments), key=lambda each: each.index)
    )
    after = replace(rest, segments=segments, amiss=what_is_amiss(work.tenant.service(rest.service), segments))
    audit = audit_of(work, Drift.PART, "join", read[rest.segments[0].index], before=rest, after=after)
    return work.adoptions.gather(work.tenant.id, rest, after, [there], audit=audit, now=work.clock.now())


def _owned(work: Background, booking: Booking, service: Service, customer: Customer) -> Appointment | None:
    """The appointment that has the booking; it is taken in where nobody has it."""
    owner, staff = owner_of(work, booking), work.tenant.staff_of_host(booking.host)
    if owner is None and staff is not None:
        comes = replace(customer, email=(*booking.attendees, customer.email)[0])
        adopt(work, Adopt(booking, staff, service.id, customer=comes))
        owner = owner_of(work, booking)
    return owner


def _is_plain(owner: Appointment) -> bool:
    """Whether it is one booking that a run has taken over, and nothing is going on with it."""
    stands = owner.state is AppointmentState.CONFIRMED
    return stands and owner.source == TAKEN_OVER and len(owner.segments) == 1


def _segment(number: int, booking: Booking, staff: str) -> BookedSegment:
    return BookedSegment(
        index=number,
        staff=staff,
        slot=Slot(booking.start, booking.end),
        event_type=booking.event_type or 0,
        uid=booking.uid,
        booking_id=booking.id,
        host=booking.host,
        updated_at=booking.updated_at,
    )
