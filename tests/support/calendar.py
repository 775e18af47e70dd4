"""A calendar of record in memory, from the same port as the real one, with the weaknesses of the real one to order.

It keeps bookings per host, refuses what overlaps, and can be told to lie about the next bookings.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from bookend.application.deadline import Deadline
from bookend.application.ports import (
    BookingRequest,
    CalendarTrouble,
    CancelAnswer,
    Cancelled,
    Clock,
    FreeStarts,
    ListQuery,
    Page,
)
from bookend.domain.answers import Answered, Booking, CreateAnswer, NotSent, NotThere, Refusal, Refused, Unclear
from bookend.domain.timeslot import Slot

BUSY = Refused(Refusal.HOST_BUSY, 'HTTP 400 {"error": "User either already has booking at this time"}')
ListFault = Callable[["FakeCalendar", ListQuery, int], Page | CalendarTrouble]
Fault = Callable[["FakeCalendar", BookingRequest], CreateAnswer]
CancelFault = Callable[["FakeCalendar", str], CancelAnswer]
MoveFault = Callable[["FakeCalendar", str, datetime], CreateAnswer]


@dataclass
class EventType:
    """What Cal.com knows of an event type."""

    host: int
    minutes: int


@dataclass
class FakeCalendar:
    """The `Calendar` port. `open_hours` are the starts on sale per event type; `faults` answer the next bookings."""

    clock: Clock
    event_types: Mapping[int, EventType]
    starts: dict[int, list[datetime]] = field(default_factory=dict)
    faults: deque[Fault] = field(default_factory=deque)
    slot_faults: deque[CalendarTrouble] = field(default_factory=deque)
    move_faults: deque[MoveFault] = field(default_factory=deque)
    cancel_faults: deque[CancelAnswer | CancelFault] = field(default_factory=deque)
    list_faults: deque[ListFault] = field(default_factory=deque)
    page_size: int = 250
    left: int | None = None
    bookings: dict[str, Booking] = field(default_factory=dict)
    hidden: dict[str, datetime] = field(default_factory=dict)
    """Until when a booking is not shown: Cal.com's reads lag behind its writes."""
    asked: list[str] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(13_000_001))

    def free_starts(
        self,
        event_types: Mapping[str, int],
        window: Slot,
        *,
        deadline: Deadline,
        moving: Mapping[str, str] | None = None,
    ) -> Mapping[str, FreeStarts | CalendarTrouble]:
        found: dict[str, FreeStarts | CalendarTrouble] = {}
        for staff, event_type in event_types.items():
            self.asked.append("slots")
            if self.slot_faults:
                found[staff] = self.slot_faults.popleft()
                continue
            kind = self.event_types[event_type]
            free = [
                start
                for start in self.starts.get(event_type, [])
                if window.start <= start < window.end
                and not self.in_the_way(kind.host, Slot.of(start, kind.minutes), but=(moving or {}).get(staff))
            ]
            found[staff] = FreeStarts(tuple(free), self.clock.now())
        return found

    def book(self, request: BookingRequest, *, deadline: Deadline) -> CreateAnswer:
        if not deadline.remaining():
            return NotSent("no time left to send it")
        self.asked.append("create")
        if self.faults:
            return self.faults.popleft()(self, request)
        return self.make(request)

    def book_all(self, requests: Sequence[BookingRequest], *, deadline: Deadline) -> tuple[CreateAnswer, ...]:
        return tuple(self.book(each, deadline=deadline) for each in requests)

    def make(self, request: BookingRequest) -> CreateAnswer:
        """Book as Cal.com does when nothing goes wrong."""
        kind = self.event_types[request.event_type]
        slot = Slot.of(request.start, kind.minutes)
        if self.in_the_way(kind.host, slot):
            return BUSY
        return Answered(self.insert(request))

    def insert(self, request: BookingRequest) -> Booking:
        """Write a booking without looking: Cal.com has no lock between its check and its insert."""
        kind = self.event_types[request.event_type]
        number = next(self._numbers)
        booking = Booking(
            uid=f"uid{number}",
            id=number,
            status="accepted",
            start=request.start,
            end=request.start + timedelta(minutes=kind.minutes),
            created_at=(now := self.written_at()),
            updated_at=now,
            host=kind.host,
            event_type=request.event_type,
            attendees=(request.email,),
            metadata=dict(request.metadata),
        )
        self.bookings[booking.uid] = booking
        return booking

    def written_at(self) -> datetime:
        """The instant of a write, by the clock of the server that makes it."""
        return self.clock.now()

    # What others do at Cal.com

    def book_publicly(self, event_type: int, start: datetime, *, email: str = "gast@example.org") -> Booking:
        """Somebody books on the public page, or the salon does; nobody asked us."""
        return self.insert(BookingRequest(event_type, start, "Gast", email, None, "Europe/Berlin", "de", {}))

    def move(self, uid: str, start: datetime) -> Booking:
        """The salon moves a booking: a new one with the old one's metadata, and the old one is cancelled."""
        old = self.bookings[uid]
        number, now = next(self._numbers), self.written_at()
        length = old.end - old.start
        new = replace(
            old,
            uid=f"uid{number}",
            id=number,
            start=start,
            end=start + length,
            created_at=now,
            updated_at=now,
            rescheduled_from=uid,
        )
        self.bookings[uid] = replace(old, status="cancelled", rescheduled_to=new.uid, updated_at=now)
        self.bookings[new.uid] = new
        return new

    def change(self, uid: str, **changes: Any) -> Booking:
        """The salon changes a booking in place: another host, another end, another state; it gives a reason."""
        if changes.get("status") == "cancelled":
            changes = {"called_off": True} | changes
        self.bookings[uid] = replace(self.bookings[uid], updated_at=self.written_at(), **changes)
        return self.bookings[uid]

    def in_the_way(self, host: int, slot: Slot, *, but: str | None = None) -> bool:
        """Whether the host has an accepted booking that overlaps, other than the one that is moved."""
        return any(
            each.host == host and each.uid != but and Slot(each.start, each.end).overlaps(slot)
            for each in self.accepted()
        )

    def accepted(self) -> list[Booking]:
        """Live bookings."""
        return [each for each in self.bookings.values() if each.status == "accepted"]

    def reschedule(self, uid: str, start: datetime, reason: str, *, deadline: Deadline) -> CreateAnswer:
        if not deadline.remaining():
            return NotSent("no time left to send it")
        self.asked.append("reschedule")
        if self.move_faults:
            return self.move_faults.popleft()(self, uid, start)
        return self.make_move(uid, start)

    def reschedule_all(
        self, moves: Sequence[tuple[str, datetime]], reason: str, *, deadline: Deadline
    ) -> tuple[CreateAnswer, ...]:
        return tuple(self.reschedule(uid, start, reason, deadline=deadline) for uid, start in moves)

    def make_move(self, uid: str, start: datetime) -> CreateAnswer:
        """Move as Cal.com does when nothing goes wrong: to the event type's length, whatever the booking's was."""
        old = self.shown().get(uid)
        if old is None:
            return NotThere("HTTP 404")
        old = self.bookings[uid]
        if old.status != "accepted":
            return Refused(Refusal.GONE, "HTTP 400 it has been cancelled")
        kind = self.event_types[old.event_type or 0]
        if self.in_the_way(old.host or 0, Slot.of(start, kind.minutes), but=uid):
            return BUSY
        moved = self.move(uid, start)
        self.bookings[moved.uid] = replace(moved, end=start + timedelta(minutes=kind.minutes))
        return Answered(self.bookings[moved.uid])

    def cancel(self, uid: str, reason: str, *, deadline: Deadline) -> CancelAnswer:
        if not deadline.remaining():
            return NotSent("no time left to send it")
        self.asked.append("cancel")
        if self.cancel_faults:
            fault = self.cancel_faults.popleft()
            return fault(self, uid) if callable(fault) else fault
        if uid not in self.shown():
            return NotThere("HTTP 404")
        if self.bookings[uid].status == "cancelled":  # as the adapter reads "has been cancelled already"
            moved = self.bookings[uid].rescheduled_to is not None
            return Unclear("HTTP 400 it has been cancelled already") if moved else Cancelled()
        now = self.written_at()
        self.bookings[uid] = replace(self.bookings[uid], status="cancelled", called_off=True, updated_at=now)
        return Cancelled()

    def cancel_all(self, uids: Sequence[str], reason: str, *, deadline: Deadline) -> tuple[CancelAnswer, ...]:
        return tuple(self.cancel(uid, reason, deadline=deadline) for uid in uids)

    def booking(self, uid: str, *, deadline: Deadline) -> Booking | CalendarTrouble:
        self.asked.append("get")
        return self.shown().get(uid, NotThere("HTTP 404"))

    def shown(self) -> dict[str, Booking]:
        """What a read finds."""
        now = self.clock.now()
        return {uid: each for uid, each in self.bookings.items() if self.hidden.get(uid, now) <= now}

    def page(self, query: ListQuery, *, skip: int, deadline: Deadline) -> Page | CalendarTrouble:
        self.asked.append("list")
        if self.list_faults:
            return self.list_faults.popleft()(self, query, skip)
        return self.listed(query, skip)

    def listed(self, query: ListQuery, skip: int) -> Page:
        """A page as it is when nothing goes wrong."""
        rows = [
            each
            for each in self.shown().values()
            if (query.changed_since is None or (each.updated_at or each.start) >= query.changed_since)
            and (query.window is None or (query.window.start <= each.start and each.end <= query.window.end))
        ]
        return Page(tuple(rows[skip : skip + self.page_size]), len(rows) > skip + self.page_size)

    def headroom(self) -> int | None:
        return self.left

    def find(self, email: str, window: Slot, *, deadline: Deadline) -> tuple[Booking, ...] | CalendarTrouble:
        self.asked.append("list")
        return tuple(
            each
            for each in self.shown().values()
            if email in each.attendees and window.start <= each.start and each.end <= window.end
        )


def lost_after(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
    """It is booked, the answer is lost, and for half a minute no read finds it."""
    answer = calendar.make(request)
    if isinstance(answer, Answered):
        calendar.hidden[answer.booking.uid] = calendar.clock.now() + timedelta(seconds=30)
    return Unclear("ReadTimeout")


def lost_but_shown(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
    """It is booked, and the answer is lost."""
    calendar.make(request)
    return Unclear("ReadTimeout")


def lost_before(_calendar: FakeCalendar, _request: BookingRequest) -> CreateAnswer:
    """It is not booked, and nobody says so."""
    return Unclear("ReadTimeout")
