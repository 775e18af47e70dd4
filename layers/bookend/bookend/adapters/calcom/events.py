"""What a webhook of Cal.com tells: which booking to look at, and what is to be seen there (contracts: calcom 5).

Names and order of events prove nothing: rescheduling has been sent as REQUESTED, events overtake each other, and hosted
Cal.com rebuilds the body at delivery. So an event is read for its uid and for how new the booking must be, no more.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bookend.application.receiving import Hint, Irrelevant

_EXPECTED = {
    "BOOKING_CREATED": frozenset({"accepted", "pending", "cancelled", "rejected"}),
    "BOOKING_RESCHEDULED": frozenset({"accepted", "pending", "cancelled", "rejected"}),
    "BOOKING_CANCELLED": frozenset({"cancelled"}),
    "BOOKING_REJECTED": frozenset({"rejected", "cancelled", "accepted"}),
}
"""Per trigger, the states that a read must show to be at least as new as the event. Others do not tell."""


class _Payload(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)
    uid: str | None = Field(default=None, min_length=1, max_length=100)
    booking_uid: str | None = Field(default=None, alias="bookingUid", min_length=1, max_length=100)


class _Event(BaseModel):
    """Enveloped, or (MEETING_*) flat with the booking's row at the top."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    trigger: str = Field(alias="triggerEvent", min_length=1, max_length=80, pattern=r"^[A-Z_]+$")
    payload: _Payload | None = None
    uid: str | None = Field(default=None, min_length=1, max_length=100)


def read_event(body: str) -> Hint | Irrelevant:
    """The booking to look at, or why there is none."""
    try:
        event = _Event.model_validate_json(body)
    except ValidationError:
        return Irrelevant("unreadable")
    payload = event.payload or _Payload()
    uid = payload.uid or payload.booking_uid or event.uid
    if not event.trigger.startswith("BOOKING_"):
        return Irrelevant(event.trigger)
    if uid is None:
        return Irrelevant(f"{event.trigger} without a booking")
    return Hint(event.trigger, uid, _EXPECTED.get(event.trigger))
