"""A row of a composite service of which the other system has booked some parts, or all: what fits, and what is missing.

Parts are told by what was read at Cal.com: stylist, start, length and event type, and whose they are. What is there is
the customer's and stays, whatever becomes of the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from bookend.domain.answers import Booking
from bookend.domain.appointment import Appointment
from bookend.domain.case_wishes import TAKEN_OVER, Wanted, operation_of, same_person
from bookend.domain.cases import Case
from bookend.domain.contacts import is_placeholder
from bookend.domain.drift import LIVE
from bookend.domain.tenant import Service, Tenant

PARTS = "parts"
"""The fact of a case that says which parts the other system has booked: `<number>=<uid>`, with blanks between."""
GATHERED = "gathered"
"""Why an appointment ended whose bookings are parts of another one here."""


@dataclass(frozen=True, slots=True)
class Part:
    """A live booking that a row names, or that its customer has for a part of it; and whose it is here."""

    booking: Booking
    owner: Appointment | None = None


def parts_of(case: Case) -> dict[int, str]:
    """The parts that were there, by number, each with its booking's uid as of then."""
    pairs = (each.partition("=") for each in case.facts.get(PARTS, "").split())
    return {int(number): uid for number, _, uid in pairs}


def parts_fact(parts: Mapping[int, Booking]) -> str:
    """The same as a fact."""
    return " ".join(f"{number}={parts[number].uid}" for number in sorted(parts))


def uids_named(case: Case) -> tuple[str, ...]:
    """Every booking that the case names by its uid."""
    named = (*case.facts.get("bookings", "").split(), case.booking, *parts_of(case).values())
    return tuple(dict.fromkeys(each for each in named if each))


def rest_of(tenant: Tenant, case: Case) -> str:
    """The appointment that books what is missing, while that is under way; empty while nothing is."""
    if PARTS not in case.facts or not case.op:
        return ""
    op, name = operation_of(tenant.id, case, case.tries)
    return name if op == case.op else ""


def number_of(booking: Booking, wanted: Wanted, tenant: Tenant) -> int | None:
    """Which part a booking is, exactly as the row would have it booked; None: none."""
    host = tenant.member(wanted.staff).calcom_user
    if booking.status != LIVE or booking.host != host:
        return None
    fitting = (
        number
        for number, (slot, part) in enumerate(zip(wanted.slots, wanted.service.busy, strict=True))
        if (booking.start, booking.end) == (slot.start, slot.end)
        and booking.event_type == part.event_types.get(wanted.staff)
    )
    return next(fitting, None)


def numbers_by_kind(service: Service, bookings: Collection[Booking]) -> dict[int, Booking] | None:
    """Which part each is, by its event type alone, wherever they stand; None: that does not tell."""
    found: dict[int, Booking] = {}
    for each in bookings:
        kinds = [n for n, part in enumerate(service.busy) if each.event_type in part.event_types.values()]
        if len(kinds) != 1 or kinds[0] in found:
            return None
        found[kinds[0]] = each
    return found


def fitting(parts: Iterable[Part], wanted: Wanted, tenant: Tenant) -> dict[int, Booking] | str:
    """The parts that are there, by number; or what keeps them from being parts of this."""
    found: dict[int, Booking] = {}
    for each in parts:
        number = number_of(each.booking, wanted, tenant)
        if number is None:
            return f"booking {each.booking.uid} is not where, as long or with whom the service would have it"
        if number in found:
            return f"bookings {found[number].uid} and {each.booking.uid} are for the same part"
        found[number] = each.booking
    return found


def against(case: Case, part: Part, wanted: Wanted, tenant: Tenant) -> str:
    """What keeps a booking from being this customer's part; empty: nothing does."""
    booking, owner = part.booking, part.owner
    if owner is not None and owner.source != TAKEN_OVER and not is_gathered_for(case, owner):
        return f"booking {booking.uid}, a part of it, is another appointment's"
    named = {booking.metadata.get("appointment"), booking.metadata.get("call_id")} - {None, ""}
    own = {case.facts.get("external_id"), case.facts.get("call"), case.appointment} - {None, ""}
    if named and not named & own:
        return f"booking {booking.uid}, a part of it, names another appointment or call"
    email = wanted.customer.email
    if email.lower() in {each.lower() for each in booking.attendees}:
        return ""
    if not named:
        return f"booking {booking.uid}, a part of it, does not tell whose it is"
    if not is_placeholder(email, domain=tenant.placeholder_domain):
        return f"booking {booking.uid}, a part of it, is under another address than the customer's"
    return ""


def is_gathered_for(case: Case, owner: Appointment) -> bool:
    """Whether its parts were made one appointment for this case before, and the case was not told any more."""
    known, has = {*parts_of(case).values()}, {each.uid for each in owner.segments}
    if owner.source == TAKEN_OVER or not known or has != known:
        return False
    return case.customer is not None and same_person(owner.customer, case.customer)


def missing_of(appointment: Appointment, wanted: Wanted) -> tuple[int, ...]:
    """Which parts of the service it does not have."""
    has = {each.index for each in appointment.segments}
    return tuple(number for number in range(len(wanted.slots)) if number not in has)


def stands_as_wanted(appointment: Appointment, wanted: Wanted) -> bool:
    """Whether what it has of the service is where the row would have it."""
    asked = {(number, wanted.staff, slot) for number, slot in enumerate(wanted.slots)}
    return {(each.index, each.staff, each.slot) for each in appointment.segments} <= asked
