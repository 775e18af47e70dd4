"""Cal.com, the calendar of record, as the use cases would like to ask it; and what is kept of its answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from bookend.domain.answers import Booking, CreateAnswer, KeyRejected, NotSent, NotThere, Refused, Unclear
from bookend.domain.timeslot import Slot

if TYPE_CHECKING:
    from bookend.application.deadline import Deadline


@dataclass(frozen=True, slots=True)
class BookingRequest:
    """One booking to be made at Cal.com. `language` is the attendee's, for Cal.com's own mails."""

    event_type: int
    start: datetime
    name: str
    email: str
    phone: str | None
    zone: str
    language: str
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FreeStarts:
    """The instants Cal.com lists as bookable, as they were at `read_at`."""

    starts: tuple[datetime, ...]
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Cal.com says it is cancelled."""


CalendarTrouble = Unclear | NotSent | KeyRejected | NotThere | Refused


CancelAnswer = Cancelled | CalendarTrouble


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Which bookings: those changed at or after an instant, or those that begin and end within a window."""

    changed_since: datetime | None = None
    window: Slot | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list. `more`: there is another page behind it; `odd`: rows of it that nobody can read."""

    bookings: tuple[Booking, ...]
    more: bool
    odd: int = 0

    @property
    def rows(self) -> int:
        """How many rows of the list it is made of."""
        return len(self.bookings) + self.odd


class Calendar(Protocol):
    """Cal.com, the calendar of record."""

    def free_starts(
        self,
        event_types: Mapping[str, int],
        window: Slot,
        *,
        deadline: Deadline,
        moving: Mapping[str, str] | None = None,
    ) -> Mapping[str, FreeStarts | CalendarTrouble]:
        """The free starts of each event type within `window`; all are asked at the same time, once each.

        `event_types` are under names of the asker's own: stylists, or a stylist's parts of a service. `moving`: under
        the same names, the uid of a booking that is to be moved there, and so is not in the way.
        """
        ...

    def book(self, request: BookingRequest, *, deadline: Deadline) -> CreateAnswer:
        """Send one booking, once. Nothing is repeated here: only the caller of this knows what a repeat would mean."""
        ...

    def book_all(self, requests: Sequence[BookingRequest], *, deadline: Deadline) -> tuple[CreateAnswer, ...]:
        """Send several bookings at the same time, each once; the answers in the order of the requests."""
        ...

    def cancel(self, uid: str, reason: str, *, deadline: Deadline) -> CancelAnswer:
        """Cancel one booking, always with a reason."""
        ...

    def cancel_all(self, uids: Sequence[str], reason: str, *, deadline: Deadline) -> tuple[CancelAnswer, ...]:
        """Cancel several bookings at the same time; the answers in the order of the uids."""
        ...

    def reschedule(self, uid: str, start: datetime, reason: str, *, deadline: Deadline) -> CreateAnswer:
        """Move one booking, once. The answer is a new booking; its length is the event type's, whatever it was before.

        To send the same start again is harmless, another one is not: two moves make two bookings (calcom-observed 2).
        """
        ...

    def reschedule_all(
        self, moves: Sequence[tuple[str, datetime]], reason: str, *, deadline: Deadline
    ) -> tuple[CreateAnswer, ...]:
        """Move several bookings at the same time, each once, by uid and new start; the answers in the same order."""
        ...

    def booking(self, uid: str, *, deadline: Deadline) -> Booking | CalendarTrouble:
        """One booking as Cal.com shows it now; its reads may lag behind its writes."""
        ...

    def find(self, email: str, window: Slot, *, deadline: Deadline) -> tuple[Booking, ...] | CalendarTrouble:
        """Every booking of an attendee within `window`, in any state, all pages."""
        ...

    def page(self, query: ListQuery, *, skip: int, deadline: Deadline) -> Page | CalendarTrouble:
        """Up to 250 bookings, in any state, by creation: one that is made meanwhile comes last and shifts nothing."""
        ...

    def headroom(self) -> int | None:
        """How many requests our key has left in the running minute, as Cal.com last said; None: it has not said."""
        ...


@dataclass(frozen=True, slots=True)
class Generation:
    """How often what is kept of a stylist's free starts had been declared void; None: nothing was ever kept.

    `outlived` are event types whose kept answer is too old to be used: they go when the next one is stored.
    """

    number: int | None
    outlived: tuple[int, ...] = ()


class SlotCache(Protocol):
    """Answers of Cal.com that are a few seconds old at most (`SLOTS_KEPT`), for checks alone.

    All methods but `within` raise StoreUnavailable, which is never a reason not to answer a caller: Cal.com can be
    asked instead.
    """

    def within(self, deadline: Deadline) -> SlotCache:
        """The same, for one turn."""
        ...

    def read(
        self, tenant: str, event_types: Mapping[str, int], window: Slot, *, now: datetime
    ) -> tuple[Mapping[str, FreeStarts], Mapping[str, Generation]]:
        """By stylist: what may still be used for `window`, and the generation to store a new answer on. One request.

        To be called before Cal.com is asked; that order is what keeps an answer from outliving a booking.
        """
        ...

    def store(
        self,
        tenant: str,
        staff: str,
        event_type: int,
        window: Slot,
        answer: FreeStarts,
        *,
        generation: Generation,
        now: datetime,
    ) -> None:
        """Keep an answer for others, unless the stylist's were declared void since `generation` was read."""
        ...

    def forget(self, tenant: str, staff: str) -> None:
        """Declare void what is kept of a stylist, and what was asked before now and comes later."""
        ...
