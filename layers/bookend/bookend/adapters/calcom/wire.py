"""What Cal.com sends, as far as we read it (contracts: calcom 1.3, 4.1). What else it sends is ignored.

What Cal.com makes (uid, id, state, times) must be what it can be, else it is no booking. What anybody who books there
may write (attendees, metadata) is cut to what may be stored, and spoils nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    WrapValidator,
    model_validator,
)

from bookend.domain.answers import Booking
from bookend.domain.timeslot import as_utc

_UID = r"[A-Za-z0-9_-]{1,100}"
is_uid = re.compile(_UID).fullmatch
"""Whether a text can be a uid: nothing else goes into a path ("." and ".." would name another one) or a key."""
Uid = Annotated[str, Field(pattern=f"^{_UID}$")]
Number = Annotated[int, Field(ge=1, le=2**53)]
Instant = Annotated[AwareDatetime, AfterValidator(as_utc)]
_LONGEST = timedelta(hours=24)
_MOST_METADATA = 500
"""Characters of one value; Cal.com takes no more itself (calcom-observed 3)."""
_MOST_EMAIL = 320
_MOST_NAME = 1000


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Host(_Lenient):
    id: Number | str  # the string "unknown" when the booking has no user row


class _Attendee(_Lenient):
    email: str
    name: str | None = None
    phone_number: str | None = Field(default=None, alias="phoneNumber")


class BookingWire(_Lenient):
    """A booking as create, get and list show it in version 2024-08-13."""

    uid: Uid
    id: Number
    status: str = Field(pattern="^[A-Za-z_]{1,40}$")
    start: Instant
    end: Instant
    created_at: Instant | None = Field(default=None, alias="createdAt")
    updated_at: Instant | None = Field(default=None, alias="updatedAt")
    hosts: list[_Host] = []
    event_type_id: Number | None = Field(default=None, alias="eventTypeId")
    attendees: list[_Attendee] = []
    metadata: dict[str, Any] | None = None
    rescheduled_from: Uid | None = Field(default=None, alias="rescheduledFromUid")
    rescheduled_to: Uid | None = Field(default=None, alias="rescheduledToUid")
    cancellation_reason: Any = Field(default=None, alias="cancellationReason")
    rescheduling_reason: Any = Field(default=None, alias="reschedulingReason")
    cancelled_by: Any = Field(default=None, alias="cancelledByEmail")

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if not timedelta() < self.end - self.start <= _LONGEST or not 2000 <= self.start.year < 2200:
            msg = "no time that anybody could book"
            raise ValueError(msg)
        return self

    def booking(self) -> Booking:
        """In our words."""
        host = self.hosts[0].id if self.hosts else None
        first = self.attendees[0] if self.attendees else _Attendee(email="")
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
            attendees=tuple(each.email.lower() for each in self.attendees if len(each.email) <= _MOST_EMAIL),
            # Cut, not left out: a booking whose op_id is not ours is not the same as one without any.
            metadata={key: str(value)[:_MOST_METADATA] for key, value in (self.metadata or {}).items()},
            rescheduled_from=self.rescheduled_from,
            rescheduled_to=self.rescheduled_to,
            attendee_name=first.name and first.name[:_MOST_NAME],
            attendee_phone=first.phone_number and first.phone_number[:_MOST_NAME],
            called_off=bool(self.cancelled_by) or self._has_reason_of_its_own(),
        )

    def _has_reason_of_its_own(self) -> bool:
        """A booking that came of a move has the move's reason there, and keeps it (contracts: calcom 1.3)."""
        of_the_move = self.rescheduling_reason if self.rescheduled_from is not None else ""
        return bool(self.cancellation_reason) and of_the_move not in {None, self.cancellation_reason}


class BookingEnvelope(_Lenient):
    """One booking. A recurring event type would answer a list: that is no booking of ours, and does not validate."""

    data: BookingWire


class _Pagination(_Lenient):
    has_next: bool = Field(alias="hasNextPage")


def _or_none(row: Any, read: Callable[[Any], BookingWire]) -> BookingWire | None:
    try:
        return read(row)
    except ValidationError:
        return None


class BookingList(_Lenient):
    """A page of bookings; None in place of each that is none, so that one of them does not hide all the others."""

    data: list[Annotated[BookingWire | None, WrapValidator(_or_none)]]
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

    status: Any = None
    error: Any = None
    message: Any = None

    def text(self) -> str:
        """The message, wherever it stands; empty where there is none."""
        inner = self.error.get("message") if isinstance(self.error, dict) else None
        said = inner or self.message
        if isinstance(said, list):
            return ", ".join(str(each) for each in said)
        return said if isinstance(said, str) else ""
