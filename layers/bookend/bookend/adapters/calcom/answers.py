"""What a response of Cal.com says, before anybody asks what it means for us.

Status and known texts decide; nothing is searched for "500". An answer that could have had an effect is Unclear.
"""

from __future__ import annotations

import json
import re

import httpx
from pydantic import ValidationError

from bookend.adapters.calcom.wire import BookingEnvelope, ErrorWire
from bookend.domain.answers import (
    Answered,
    CreateAnswer,
    KeyRejected,
    NotSent,
    NotThere,
    Refusal,
    Refused,
    Unclear,
)

_REFUSALS: tuple[tuple[str, Refusal], ...] = (
    # contracts: calcom 3.2, calcom-observed 1 and 3; the beginning of each text identifies it
    ("User either already has booking at this time or is not available", Refusal.HOST_BUSY),
    ("One of the hosts either already has booking at this time or is not available", Refusal.HOST_BUSY),
    ("booking_conflict_error", Refusal.CONFLICT),
    ("An error occurred while querying the database.", Refusal.CONFLICT),
    ("No more seats left", Refusal.CONFLICT),
    ("Attempting to book a meeting in the past", Refusal.PAST),
    ("""The event type can't be booked at the "start" time provided.""", Refusal.OUT_OF_BOUNDS),
    ("booking_limit_reached", Refusal.LIMIT),
    ("duration_limit_reached", Refusal.LIMIT),
    (
        "Attendee with this email can't book because the maximum number of active bookings has been reached",
        Refusal.LIMIT,
    ),
    # contracts: calcom 2.1, 2.2; calcom-observed 1
    ("Can't reschedule booking with uid=", Refusal.GONE),
    ("cancelled_bookings_cannot_be_rescheduled", Refusal.GONE),
    ("Rescheduling is not allowed within the minimum notice period", Refusal.NOT_ALLOWED),
    ("This event type does not allow cancellations", Refusal.NOT_ALLOWED),
    ("Cannot cancel a booking that has already ended", Refusal.NOT_ALLOWED),
    # A blocked attendee is a 403, and says nothing against our key.
    ("Cannot use this email to create the booking", Refusal.INVALID),
    ("Attendee email has been blocked", Refusal.INVALID),
)
_RESET_HEADER = "x-ratelimit-reset-default"  # seconds, not an epoch; there is no Retry-After (contracts: calcom 3.3)
_LONGEST_RESET_S = 600
_MOST_KEPT = 60_000  # bytes; an item of DynamoDB holds 400 KB, and not only this


def read_create(response: httpx.Response) -> CreateAnswer:
    """A response to POST /v2/bookings."""
    if response.is_success:
        try:
            return Answered(BookingEnvelope.model_validate_json(response.content).data.booking())
        except ValidationError:
            return Unclear(kept(response))
    return read_refusal(response)


def read_refusal(response: httpx.Response) -> Refused | Unclear | NotSent | KeyRejected | NotThere:
    """Any response that is no success."""
    status, whole = response.status_code, kept(response)
    text = error_text(response)
    if text is None and status != 429:
        return Unclear(whole)  # HTML or nothing: an edge speaks, and nobody knows what happened behind it
    known = next((why for start, why in _REFUSALS if text and text.startswith(start)), None)
    if status in {400, 401, 403, 409, 422} and known is not None:
        return Refused(known, whole)
    match status:
        case 429:
            return NotSent(whole, retry_after_s=_reset(response))
        case 401 | 403:
            return KeyRejected(whole)
        case 404:
            return NotThere(whole)
        case 409:
            return Refused(Refusal.CONFLICT, whole)
        case 400 | 413 | 415 | 422:
            return Refused(Refusal.INVALID, whole)
        case _:
            return Unclear(whole)


def says_success(response: httpx.Response) -> bool:
    """Whether the body of a success is one of the API's and does not say the contrary: an old version has no status."""
    body = _error(response)
    return body is not None and body.status != "error"


def error_text(response: httpx.Response) -> str | None:
    """Cal.com's own words, or None where the body is not one of its error shapes."""
    body = _error(response)
    return None if body is None else body.text()


def _error(response: httpx.Response) -> ErrorWire | None:
    try:
        return ErrorWire.model_validate(json.loads(response.content))
    except (ValueError, RecursionError):
        return None


def unreadable(response: httpx.Response) -> Unclear:
    """A success of Cal.com's API that is not what was asked for; of anybody else's, no answer of Cal.com's at all."""
    return Unclear(kept(response), answered=error_text(response) is not None)


def kept(response: httpx.Response) -> str:
    """The whole answer for an operator: status and body (incident I5), as long as it fits into an item of the table.

    What is longer is no answer of Cal.com's API but somebody's page: its beginning is kept, and how long it was.
    """
    body = response.content[:_MOST_KEPT].decode(errors="replace").encode()[:_MOST_KEPT].decode(errors="ignore")
    cut = "" if len(response.content) <= _MOST_KEPT else f"… ({len(response.content)} bytes)"
    return f"HTTP {response.status_code} {body}{cut}"


def _reset(response: httpx.Response) -> float:
    """Never None, which would mean "no connection" and have the request sent again: a limit lasts a minute."""
    return float(min(count_in(response, _RESET_HEADER, 60), _LONGEST_RESET_S))


def count_in(response: httpx.Response, header: str, otherwise: int) -> int:
    """A header that holds a count, or `otherwise` where it is missing or holds anything else."""
    text = response.headers.get(header, "")
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else otherwise
