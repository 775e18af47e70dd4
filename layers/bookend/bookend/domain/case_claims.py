"""Whose a booking is that several cases name, and whether it is still the one that they name."""

from __future__ import annotations

from collections.abc import Iterable

from bookend.domain.answers import Booking
from bookend.domain.case_wishes import same_wish
from bookend.domain.cases import Case


def rightful_of(claimants: Iterable[Case], booking: Booking) -> Case | None:
    """Whose a booking is, of those who claim it; None: nobody's of them, or it does not tell."""
    known = tuple(claimants)
    named = {booking.metadata.get("appointment"), booking.metadata.get("call_id")} - {None, ""}
    if named:
        said = [each for each in known if named & {each.facts.get("external_id"), each.facts.get("call")}]
        return first(said[0], said[1:]) if said else None
    attendees = {each.lower() for each in booking.attendees}
    comes = [each for each in known if each.customer is not None and each.customer.email.lower() in attendees]
    alike = bool(comes) and all(same_wish(comes[0], each) for each in comes)
    return first(comes[0], comes[1:]) if alike else None


def first(case: Case, others: Iterable[Case]) -> Case:
    """The one that stands first in the other system."""
    return min((case, *others), key=lambda each: (_number(each), each.id))


def _number(case: Case) -> int:
    external = case.facts.get("external_id", "")
    return int(external) if external.isdecimal() and external.isascii() else 10**18


def was_moved(case: Case, booking: Booking) -> bool:
    """Whether it is not the one that the case names, but what that became."""
    if case.booking:
        return booking.uid != case.booking
    return bool(case.facts.get("booking_id")) and str(booking.id) != case.facts["booking_id"]
