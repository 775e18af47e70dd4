"""What Cal.com sends, as far as we read it (contracts: calcom 1.3, 4.1). What else it sends is ignored."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from bookend.domain.answers import Booking
from bookend.domain.timeslot import as_utc

Instant = Annotated[AwareDatetime, AfterValidator(as_utc)]


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Host(_Lenient):
    id: int | str  # the string "unknown" when the booking has no user row


class _Attendee(_Lenient):
    email: str
    name: str | None = None
    phone_number: str | None = Field(default=None, alias="phoneNumber")


class BookingWire(_Lenient):
    """A booking as create, get and list show it in version 2024-08-13."""

    uid: str = Field(min_length=1)
    id: int
    status: str
    start: Instant
    end: Instant
    created_at: Instant | None = Field(default=None, alias="createdAt")
    updated_at: Instant | None = Field(default=None, alias="updatedAt")
    hosts: list[_Host] = []
    event_type_id: int | None = Field(default=None, alias="eventTypeId")
    attendees: list[_Attendee] = []
    metadata: dict[str, Any] | None = None
    rescheduled_from: str | None = Field(default=None, alias="rescheduledFromUid")
    rescheduled_to: str | None = Field(default=None, alias="rescheduledToUid")

    def booking(self) -> Booking:
        """In our words."""
        host = self.hosts[0].id if self.hosts else None
        return Booking(
            uid=self.uid,
            id=self.id,
            status=self.status.lower(),
            start=self.start,
            end=self.end,
            created_at=self.created_at,
            updated_at=self.updated_at,
            host=host if isinstance(host, int) else None,
            event_type=self.event_type_id,
            attendees=tuple(each.email.lower() for each in self.attendees),
            metadata={key: str(value) for key, value in (self.metadata or {}).items()},
            rescheduled_from=self.rescheduled_from,
            rescheduled_to=self.rescheduled_to,
            attendee_name=self.attendees[0].name if self.attendees else None,
            attendee_phone=self.attendees[0].phone_number if self.attendees else None,
        )


class BookingEnvelope(_Lenient):
    """One booking. A recurring event type would answer a list: that is no booking of ours, and does not validate."""

    data: BookingWire


class _Pagination(_Lenient):
    has_next: bool = Field(alias="hasNextPage")


class BookingList(_Lenient):
    """A page of bookings."""

    data: list[BookingWire]
    pagination: _Pagination


class _Start(_Lenient):
    start: Instant


class SlotsEnvelope(_Lenient):
    """Free starts by local day; days without any are absent."""

    data: dict[str, list[_Start]]

    def starts(self) -> tuple[datetime, ...]:
        """Every start, earliest first, once."""
        return tuple(sorted({each.start for day in self.data.values() for each in day}))


class ErrorWire(_Lenient):
    """All error shapes in one: enveloped, short envelope, raw (contracts: calcom 3.1), or with a text as `error`.

    Any JSON object is one, so that an odd field never makes a definite refusal look like an accident.
    """

    error: Any = None
    message: Any = None

    def text(self) -> str:
        """The message, wherever it stands; empty where there is none."""
        inner = self.error.get("message") if isinstance(self.error, dict) else None
        said = inner or self.message
        if isinstance(said, list):
            return ", ".join(str(each) for each in said)
        return said if isinstance(said, str) else ""
