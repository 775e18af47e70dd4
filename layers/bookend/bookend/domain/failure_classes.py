"""Which class a failure has that keeps an appointment from being on both sides (incident I5).

By what is known of the appointment first, and then by Cal.com's own words: the answer may be whole ("HTTP 400 {…}"),
its message alone, or what another system made of it. Known beginnings and statuses decide; a number in the middle of a
sentence never does (incident I2), and what nobody knows is OTHER, with its answer kept whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bookend.domain.cases import SyncFailure

_STATUS = re.compile(r"\A\s*(?:HTTP|status(?: code)?)?[\s:]*([1-5]\d\d)\b(?!\s*(?:min|euro|€))", re.IGNORECASE)
"""A status, where an answer begins with one. In JSON it stands under `statusCode`."""
_STATUS_IN_JSON = re.compile(r'"(?:statusCode|status_code)"\s*:\s*([1-5]\d\d)\b')
_TEXTS: tuple[tuple[SyncFailure, tuple[str, ...]], ...] = (
    (SyncFailure.PAST_APPOINTMENT, ("attempting to book a meeting in the past", "booking a meeting in the past")),
    (
        SyncFailure.MISSING_CONTACT,
        (
            "email_validation_error",
            "invalid_number",
            "responses - {email}",
            "responses - {attendeephonenumber}",
            "attendee.email",
            "attendee.phonenumber",
            "email must be an email",
            "cannot use this email to create the booking",
            "attendee email has been blocked",
        ),
    ),
    (
        SyncFailure.HOST_UNAVAILABLE,
        (
            "user either already has booking at this time or is not available",
            "one of the hosts either already has booking at this time or is not available",
            "booking_conflict_error",
            "an error occurred while querying the database",
            "no more seats left",
            "host not available",
            "host is not available",
        ),
    ),
    (SyncFailure.NOT_FOUND, ("was not found in the database", "event type not found", "is missing event type")),
    (
        SyncFailure.TEMPORARY,
        (
            "curl error 28",
            "timed out",
            "timeout",
            "connection refused",
            "could not resolve host",
            "too many requests",
            "throttlerexception",
            "internal server error",
            "internal_server_error",
            "circuit breaker",
        ),
    ),
)
"""Words of Cal.com (contracts: calcom 3.2, calcom-observed 1 and 3) and of those who asked it, in lower case."""
_OWN_WORDS = re.compile(r"\b(" + "|".join(each.value for each in SyncFailure) + r")\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureFacts:
    """What is known of the appointment, whatever Cal.com said. Each is False where nothing is known."""

    incomplete: bool = False
    """It has no service, no stylist or no time."""
    claimed_twice: bool = False
    """Another appointment has its booking, or its customer has the same one already."""
    begun: bool = False
    """Its start is over."""
    parts_missing: bool = False
    """Its service needs more bookings than it has."""
    without_contact: bool = False
    """Its customer has neither an address nor a number that Cal.com accepts."""


def failure_from(answer: str, facts: FailureFacts | None = None) -> SyncFailure:
    """The class of one failure. `answer`: Cal.com's, as whole as it was kept; empty where there was none.

    What is known of the appointment goes first: nothing can be booked in the past or without a service, whatever the
    answer was at the time.
    """
    known = facts or FailureFacts()
    if known.incomplete:
        return SyncFailure.INVALID_APPOINTMENT
    if known.claimed_twice:
        return SyncFailure.DOUBLE_BOOKING
    if known.begun:
        return SyncFailure.PAST_APPOINTMENT
    said = _said(answer)
    if said is not None:
        return said
    if known.parts_missing:
        return SyncFailure.COMPOSITE_FAILURE
    if known.without_contact:
        return SyncFailure.MISSING_CONTACT
    return _by_status(answer) or SyncFailure.OTHER


def _said(answer: str) -> SyncFailure | None:
    """A class that the other system had named itself, else one that Cal.com's own words mean."""
    named = _OWN_WORDS.search(answer)
    if named is not None and named.group(1) != SyncFailure.OTHER.value:
        return SyncFailure(named.group(1))
    lowered = answer.casefold()
    return next((failure for failure, texts in _TEXTS if any(each in lowered for each in texts)), None)


def _by_status(answer: str) -> SyncFailure | None:
    found = _STATUS.match(answer) or _STATUS_IN_JSON.search(answer)
    status = int(found.group(1)) if found is not None else 0
    if status == 404:
        return SyncFailure.NOT_FOUND
    return SyncFailure.TEMPORARY if status in {408, 429} or status >= 500 else None
