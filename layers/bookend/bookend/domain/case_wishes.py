"""What a case says should be on both sides: read with the salon's document of today, and made an appointment of.

Parts of a composite always follow from the service's definition; what the other system stored of them is not asked.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime

from bookend.domain.appointment import Amiss, Appointment, AppointmentState, BookedSegment, Told
from bookend.domain.cases import Case, CaseOrigin
from bookend.domain.composites import busy_parts, phases
from bookend.domain.contacts import Customer, placeholder_email
from bookend.domain.tenant import SegmentKind, Service, Tenant, Unmatched, find_service, find_staff
from bookend.domain.timeslot import Slot, parse_instant

TAKEN_OVER = "calcom"
"""The source of an appointment that a run has taken over from Cal.com: nobody here says whose it is."""


BOOKED_FOR_A_CASE = frozenset({"import", "remedy"})
"""The sources of an appointment that a remedy has booked. Its customer was told long ago: nothing is sent for that."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the case says should be on both sides, as the salon's document has it today."""

    service: Service
    staff: str
    slots: tuple[Slot, ...]
    customer: Customer

    @property
    def slot(self) -> Slot:
        """From its first minute to its last."""
        return Slot(self.slots[0].start, self.slots[-1].end)


@dataclass(frozen=True, slots=True)
class Unfit:
    """It cannot be booked as it is. `invalid`: there is nothing to book at all, so nothing for a person to decide."""

    why: str
    invalid: bool = False


def read_wanted(case: Case, tenant: Tenant) -> Wanted | Unfit:
    """What is to be booked, from the case's facts and the salon's document; parts are never taken from the case."""
    service, staff, start = (case.facts.get(name, "") for name in ("service", "staff", "start"))
    missing = [name for name, known in (("service", service), ("stylist", staff), ("time", start)) if not known]
    if missing:
        return Unfit(f"it has no {' and no '.join(missing)}", invalid=True)
    sold = find_service(tenant, service)
    if isinstance(sold, Unmatched):
        return Unfit("its service is not sold here")
    able = find_staff(tenant, staff, service=sold)
    if isinstance(able, Unmatched):
        return Unfit("its stylist is not here, or does not do this")
    try:
        begins = parse_instant(start)
    except ValueError:
        return Unfit("it has no time", invalid=True)
    if case.customer is None:
        return Unfit("it has no customer")
    gaps = [each.length for each in sold.segments if each.kind is SegmentKind.GAP]
    return Wanted(sold, able.id, busy_parts(phases(sold, begins, gaps)), _reachable(case.customer, tenant))


def _reachable(customer: Customer, tenant: Tenant) -> Customer:
    """With an address of their own, made for them where they gave none (incident I5: Cal.com books nobody without)."""
    if customer.email:
        return customer
    return replace(customer, email=placeholder_email(customer.id, domain=tenant.placeholder_domain))


def operation_of(tenant: str, case: Case, number: int) -> tuple[str, str]:
    """The operation and the appointment of a case's n-th try: the same names, however often it is begun."""
    digest = hashlib.sha256(f"{tenant}|{case.id}|{number}".encode()).hexdigest()
    return digest[:20], "fix" + digest[20:40]


def appointment_of(
    case: Case, wanted: Wanted, tenant: Tenant, *, now: datetime, lease: datetime, missing: tuple[int, ...] = ()
) -> Appointment:
    """The appointment that the case's operation books. Its caller was told long ago that it is booked: no text is owed.

    `missing`: of a composite these parts alone. They are no whole until they are joined to those that are there.

    Raises:
        KeyError: the stylist is not the salon's.
    """
    host = tenant.member(wanted.staff).calcom_user
    return Appointment(
        id=operation_of(tenant.id, case, case.tries)[1] if missing else case.appointment,
        state=AppointmentState.PENDING,
        op=case.op,
        version=1,
        service=wanted.service.id,
        segments=tuple(
            BookedSegment(number, wanted.staff, slot, part.event_types[wanted.staff], host=host)
            for number, (slot, part) in enumerate(zip(wanted.slots, wanted.service.busy, strict=True))
            if not missing or number in missing
        ),
        customer=wanted.customer,
        call=case.facts.get("call", ""),
        source="import" if case.origin is CaseOrigin.IMPORT else "remedy",
        created_at=now,
        request=case.op,
        lease=lease,
        told=Told.BOOKED,
        amiss=Amiss.PART_GONE if missing else None,
    )


def is_the_same(appointment: Appointment, wanted: Wanted) -> bool:
    """Whether an appointment that is here already is the very one, and no part of it: a run may have taken it in."""
    at = (appointment.service, appointment.staff, appointment.slot.start, len(appointment.segments))
    same = at == (wanted.service.id, wanted.staff, wanted.slot.start, len(wanted.slots))
    return same and same_person(appointment.customer, wanted.customer)


def same_wish(one: Case, other: Case) -> bool:
    """Whether two cases are one appointment told twice: customer, start and service are the same."""
    if one.customer is None or other.customer is None:
        return False
    same = all(one.facts.get(name) == other.facts.get(name) for name in ("start", "service"))
    return same and same_person(one.customer, other.customer)


def same_person(one: Customer, other: Customer) -> bool:
    return one.id == other.id or (one.phone is not None and one.phone == other.phone) or one.email == other.email
