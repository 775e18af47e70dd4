"""A booking at Cal.com that a case names, and nobody's here: it becomes the appointment of the case's customer."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from typing import assert_never

from bookend.application.adopting import adopt
from bookend.application.background import Background
from bookend.application.following import audit_of
from bookend.application.ports import Adopted, AdoptLost, CustomerHasOne
from bookend.domain.answers import Booking
from bookend.domain.appointment import Appointment
from bookend.domain.case_wishes import TAKEN_OVER, same_person
from bookend.domain.cases import Case
from bookend.domain.contacts import Customer
from bookend.domain.drift import Adopt, Drift

_SOURCE = "import"


class NotTaken(StrEnum):
    """Why it is not the customer's."""

    LATER = "later"
    """Somebody else is at it: it is decided anew."""
    HAS_ONE = "has_one"
    """They have the same service at that time in another appointment."""


def take_in(
    work: Background, case: Case, booking: Booking, *, staff: str, service: str, customer: Customer | None
) -> Appointment | NotTaken:
    """The appointment that has the booking, known to be the customer's. It keeps the address that the booking has.

    What a run has taken over meanwhile is theirs from then on, so that it is found when they ring.
    """
    owner = owner_of(work, booking)
    if owner is None:
        comes = None if customer is None else replace(customer, email=(*booking.attendees, customer.email)[0])
        adopt(work, Adopt(booking, staff, service, customer=comes))
        owner = owner_of(work, booking)
    if owner is None:
        return NotTaken.LATER
    return owner if customer is None else link(work, case, owner, customer)


def link(work: Background, case: Case, owner: Appointment, customer: Customer) -> Appointment | NotTaken:
    """What a run has taken over is known to be this customer's."""
    if owner.customer.id == customer.id:
        return owner
    if owner.source != TAKEN_OVER:
        return owner if same_person(owner.customer, customer) else NotTaken.LATER
    theirs = replace(customer, email=owner.customer.email or customer.email)
    after = replace(owner, customer=theirs, source=_SOURCE, call=case.facts.get("call", owner.call))
    audit = audit_of(work, Drift.FOREIGN, "link", None, before=owner, after=after)
    outcome = work.adoptions.link(work.tenant.id, owner, after, audit=audit, now=work.clock.now())
    match outcome:
        case Adopted():
            return replace(after, version=owner.version + 1)
        case AdoptLost():
            return NotTaken.LATER
        case CustomerHasOne(_):
            return NotTaken.HAS_ONE
        case other:
            assert_never(other)


def owner_of(work: Background, booking: Booking) -> Appointment | None:
    """The appointment that has the booking, or once had it."""
    owner = work.adoptions.owner(work.tenant.id, booking.uid)
    return work.appointments.appointment(work.tenant.id, owner) if owner is not None else None
