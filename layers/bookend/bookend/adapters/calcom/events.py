"""What a webhook of Cal.com tells: which booking to look at, and what is to be seen there (contracts: calcom 5).

Names and order of events prove nothing: rescheduling has been sent as REQUESTED, events overtake each other, and hosted
Cal.com rebuilds the body at delivery. So an event is read for its uid and for how new the booking must be, no more.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bookend.adapters.calcom.wire import Uid
from bookend.application.receiving import Hint, Irrelevant

TRIGGERS = frozenset(
    {"BOOKING_CREATED", "BOOKING_REQUESTED", "BOOKING_RESCHEDULED", "BOOKING_CANCELLED", "BOOKING_REJECTED"}
    | {"BOOKING_REASSIGNED", "BOOKING_LOCATION_UPDATED", "BOOKING_PAYMENT_INITIATED", "BOOKING_PAID"}
    | {"BOOKING_NO_SHOW_UPDATED", "AFTER_HOSTS_CAL_VIDEO_NO_SHOW", "AFTER_GUESTS_CAL_VIDEO_NO_SHOW"}
    | {"MEETING_STARTED", "MEETING_ENDED", "INSTANT_MEETING", "INSTANT_MEETING_ACCEPTED"}
    | {"RECORDING_READY", "RECORDING_TRANSCRIPTION_GENERATED", "OOO_CREATED", "PING"}
    | {"FORM_SUBMITTED", "FORM_SUBMITTED_NO_EVENT", "ROUTING_FORM_FALLBACK_HIT", "WRONG_ASSIGNMENT_REPORT"}
    | {"DELEGATION_CREDENTIAL_ERROR"}
)
"""Those that are known; others are counted together, since a metric cannot have a dimension of strangers' making."""
_UNREADABLE = "unreadable"

_EXPECTED = {
    "BOOKING_CREATED": frozenset({"accepted", "pending", "cancelled", "rejected"}),
    "BOOKING_RESCHEDULED": frozenset({"accepted", "pending", "cancelled", "rejected"}),
    "BOOKING_CANCELLED": frozenset({"cancelled"}),
    "BOOKING_REJECTED": frozenset({"rejected", "cancelled", "accepted"}),
}
"""Per trigger, the states that a read must show to be at least as new as the event. Others do not tell."""


class _Payload(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)
    uid: Uid | None = None
    booking_uid: Uid | None = Field(default=None, alias="bookingUid")


class _Event(BaseModel):
    """Enveloped, or (MEETING_*) flat with the booking's row at the top."""

    model_config = ConfigDict(extra="ignore", frozen=True)
    trigger: str = Field(alias="triggerEvent", min_length=1, max_length=80, pattern=r"^[A-Z_]+$")
    payload: _Payload | None = None
    uid: Uid | None = None


def read_event(body: str) -> Hint | Irrelevant:
    """The booking to look at, or why there is none."""
    try:
        event = _Event.model_validate_json(body)
    except ValidationError:
        return Irrelevant(_UNREADABLE)
    payload = event.payload or _Payload()
    uid = payload.uid or payload.booking_uid or event.uid
    if not event.trigger.startswith("BOOKING_"):
        return Irrelevant(event.trigger)
    if uid is None:
        return Irrelevant(f"{event.trigger} without a booking")
    return Hint(event.trigger, uid, _EXPECTED.get(event.trigger))


def counted_as(said: Hint | Irrelevant) -> str:
    """The name an event is counted by."""
    name = said.trigger if isinstance(said, Hint) else said.what.partition(" ")[0]
    return name if name in TRIGGERS | {_UNREADABLE} else "other"
