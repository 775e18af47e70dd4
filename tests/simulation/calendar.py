"""Cal.com with its true weaknesses, at the end of a `Way` (contracts: calcom-observed 1 and 2).

It checks whether the host is free, and inserts a little later: nothing is locked between the two, and only the same
host, start and end are refused then. So two bookings of different lengths may both be made, and two moves of one
booking leave two. Its reads come from a replica that lags. What was given up may be carried out minutes later. Of what
it lists as free an answer is two seconds old at most.
"""

from __future__ import annotations

import zlib
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from bookend.application.deadline import Deadline
from bookend.application.ports import BookingRequest, CalendarTrouble, CancelAnswer, FreeStarts, ListQuery, Page
from bookend.domain.answers import Answered, Booking, CreateAnswer, NotSent, NotThere, Refusal, Refused, Unclear
from bookend.domain.timeslot import Slot
from tests.simulation.baton import Baton
from tests.simulation.network import Way, clock, word
from tests.simulation.plan import Rates
from tests.support.calendar import BUSY, EventType, FakeCalendar

_KEPT_S = 2.0
"""How long a list of free starts is kept."""
_SHORT_S = 0.5
RACED = Refused(Refusal.CONFLICT, "HTTP 400 An error occurred while querying the database.")
"""What the database says of the same host, start and end."""
_GONE = Refused(Refusal.GONE, "HTTP 400 cancelled_bookings_cannot_be_rescheduled")


class Primary(dict[str, Booking]):
    """The bookings as they are; each change of one is also on its way to the replica."""

    def __init__(self, changed: Callable[[str, Booking], None]) -> None:
        super().__init__()
        self._changed = changed

    def __setitem__(self, uid: str, booking: Booking) -> None:
        super().__setitem__(uid, booking)
        self._changed(uid, booking)


class SimulatedCalendar(FakeCalendar):
    """The `Calendar` port. `tell` hears trigger and uid of whatever happens here; `saw` counts what is rare."""

    def __init__(
        self,
        baton: Baton,
        event_types: Mapping[int, EventType],
        rates: Callable[[], Rates],
        *,
        tell: Callable[[str, str], None],
        saw: Counter[str],
        outages: Sequence[tuple[float, float]] = (),
    ) -> None:
        super().__init__(baton, event_types)
        self.baton, self.rates, self.tell, self.saw = baton, rates, tell, saw
        self.way = Way(baton, rates, saw=saw, outages=outages)
        self.bookings = Primary(self._replicate)
        self.made: dict[str, Booking] = {}
        """Each booking as it was when it was made."""
        self.shows: dict[str, float] = {}
        """When reads first show it, in seconds of the run."""
        self.by_hand: set[str] = set()
        """Those that others made or changed here, past us."""
        self.placed: set[str] = set()
        """Of those the ones whose time others have chosen."""
        self.longer: set[str] = set()
        """Those that came out longer than they were asked for."""
        self._replica: dict[str, Booking] = {}
        self._on_the_way: deque[tuple[float, str, Booking]] = deque()
        self._lists: dict[tuple[Any, ...], tuple[float, FreeStarts]] = {}
        self._of_one: Counter[str] = Counter()
        self._clocks: Counter[str] = Counter()

    # The replica

    def _replicate(self, uid: str, booking: Booking) -> None:
        """In the order of the writes, as a replica does; how late, the writer's dice say."""
        rates, at = self.rates(), self.baton.at
        if self.baton.actor is not None and rates.lag:
            name, dice = self.baton.request_dice()
            if dice.random() < rates.lag and self.baton.strikes(f"{name}:lag"):
                at += dice.uniform(0.2, rates.lag_s)
        if self._on_the_way:
            at = max(at, self._on_the_way[-1][0])
        self._on_the_way.append((at, uid, booking))
        self.shows.setdefault(uid, at)

    def shown(self) -> dict[str, Booking]:
        while self._on_the_way and self._on_the_way[0][0] <= self.baton.at:
            _, uid, booking = self._on_the_way.popleft()
            self._replica[uid] = booking
        return self._replica

    # Writes

    def book(self, request: BookingRequest, *, deadline: Deadline) -> CreateAnswer:
        said = f"book {clock(request.start)} type {request.event_type}"
        return self.way.ask(said, self.rates().calcom, lambda: self._book(request), deadline, writes=True)

    def book_all(self, requests: Sequence[BookingRequest], *, deadline: Deadline) -> tuple[CreateAnswer, ...]:
        return self.way.ask_all([lambda each=each: self.book(each, deadline=deadline) for each in requests])

    def _book(self, request: BookingRequest) -> CreateAnswer:
        name, dice = self.baton.request_dice()
        rates = self.rates()
        gap, luck = _gap(dice), dice.random()
        kind = self.event_types[request.event_type]
        slot = Slot.of(request.start, kind.minutes)
        if luck < rates.anothers:
            others = [each for each in self.accepted() if each.event_type == request.event_type]
            if others and self.baton.strikes(f"{name}:anothers"):
                self.saw["success with somebody else's booking"] += 1
                return Answered(min(others, key=lambda each: zlib.crc32(f"{name}|{each.uid}".encode())))
        if self.in_the_way(kind.host, slot):
            return BUSY
        if dice.random() < rates.rivals and self.baton.strikes(f"{name}:rival"):
            self._rival(kind.host, slot, dice)
        self.baton.pause(gap)
        if self._same(kind.host, slot):
            return RACED
        if self.in_the_way(kind.host, slot):
            self.saw["Cal.com double-booked by itself"] += 1
        booking = self.insert(request)
        if rates.anothers <= luck < rates.anothers + rates.odd and self.baton.strikes(f"{name}:odd"):
            self.saw["booked longer than asked"] += 1
            booking = replace(booking, end=booking.end + timedelta(minutes=15))
            self.bookings[booking.uid] = booking
            self.longer.add(booking.uid)
        return Answered(booking)

    def _rival(self, host: int, slot: Slot, dice: Random) -> None:
        """A guest wants the same stylist at about the same time, in this moment."""
        types = sorted(number for number, kind in self.event_types.items() if kind.host == host)
        start = slot.start + timedelta(minutes=dice.choice((-15, 0, 0, 15)))
        kind, after = dice.choice(types), dice.uniform(0.0, 0.05)
        email = f"gast{zlib.crc32(self.baton.who.name.encode())}@example.org"
        request = BookingRequest(kind, start, "Gast", email, None, "Europe/Berlin", "de", {})
        self.baton.child("rival", lambda: self.book_as_guest(request), after=after)

    def insert(self, request: BookingRequest) -> Booking:
        kind, now = self.event_types[request.event_type], self.written_at()
        uid, number = self._name()
        booking = Booking(
            uid=uid,
            id=number,
            status="accepted",
            start=request.start,
            end=request.start + timedelta(minutes=kind.minutes),
            created_at=now,
            updated_at=now,
            host=kind.host,
            event_type=request.event_type,
            attendees=(request.email,),
            metadata=dict(request.metadata),
        )
        self.bookings[uid] = self.made[uid] = booking
        self.tell("BOOKING_CREATED", uid)
        return booking

    def written_at(self) -> datetime:
        """Cal.com's servers have a clock each. Dice of its own: what was found with seeds before has none of this."""
        now, rates = self.baton.now(), self.rates()
        if self.baton.actor is None or not rates.clocks:
            return now
        who = self.baton.who.name
        self._clocks[who] += 1
        name = f"{who}@{self._clocks[who]}:clock"
        dice = Random(zlib.crc32(f"{self.baton.seed}|{name}".encode()))
        if dice.random() >= rates.clocks or not self.baton.strikes(name):
            return now
        self.saw["a server of Cal.com's had another time"] += 1
        return now + timedelta(seconds=dice.uniform(-rates.clocks_s, rates.clocks_s))

    def _name(self) -> tuple[str, int]:
        """By whose doing it is, so that other bookings that are left out change no names."""
        who = self.baton.who.name
        self._of_one[who] += 1
        number = zlib.crc32(f"{self.baton.seed}|{who}|{self._of_one[who]}".encode())
        while any(each.id == number for each in self.bookings.values()):
            number += 1
        return f"u{number:010d}", number

    def _same(self, host: int, slot: Slot, *, but: str | None = None) -> bool:
        return any(
            (each.host, each.start, each.end) == (host, slot.start, slot.end) and each.uid != but
            for each in self.accepted()
        )

    def reschedule(self, uid: str, start: datetime, reason: str, *, deadline: Deadline) -> CreateAnswer:
        said = f"move {uid} to {clock(start)}"
        return self.way.ask(said, self.rates().calcom, lambda: self._move(uid, start), deadline, writes=True)

    def reschedule_all(
        self, moves: Sequence[tuple[str, datetime]], reason: str, *, deadline: Deadline
    ) -> tuple[CreateAnswer, ...]:
        return self.way.ask_all([lambda one=one: self.reschedule(*one, reason, deadline=deadline) for one in moves])

    def _move(self, uid: str, start: datetime) -> CreateAnswer:
        """To the event type's own length, whatever the booking's was."""
        name, dice = self.baton.request_dice()
        old = self.bookings.get(uid)
        if old is None or uid not in self.shown():
            return NotThere("HTTP 404")
        if old.status != "accepted":
            return _GONE
        kind = self.event_types[old.event_type or 0]
        slot = Slot.of(start, kind.minutes)
        if self.in_the_way(old.host or 0, slot, but=uid):
            return BUSY
        if dice.random() < self.rates().rivals and self.baton.strikes(f"{name}:rival"):
            other, after = start + timedelta(minutes=dice.choice((-30, 15, 45))), dice.uniform(0.0, 0.05)
            self.baton.child("rival", lambda: self.move_by_hand(uid, other), after=after)
        self.baton.pause(_gap(dice))
        old = self.bookings[uid]
        if self._same(old.host or 0, slot, but=uid):
            return RACED
        if old.called_off:
            return _GONE
        if any(each.rescheduled_from == uid for each in self.accepted()):
            self.saw["two live bookings after two moves"] += 1
        if old.rescheduled_from is not None:
            self.saw["chain of moves"] += 1
        return Answered(self._moved(old, slot))

    def _moved(self, old: Booking, slot: Slot) -> Booking:
        now = self.written_at()
        uid, number = self._name()
        new = replace(
            old,
            uid=uid,
            id=number,
            status="accepted",
            start=slot.start,
            end=slot.end,
            created_at=now,
            updated_at=now,
            rescheduled_from=old.uid,
            rescheduled_to=None,
            called_off=False,
        )
        self.bookings[old.uid] = replace(old, status="cancelled", rescheduled_to=uid, updated_at=now)
        self.bookings[uid] = self.made[uid] = new
        self.tell("BOOKING_RESCHEDULED", uid)
        return new

    def cancel(self, uid: str, reason: str, *, deadline: Deadline) -> CancelAnswer:
        return self.way.ask(f"cancel {uid}", self.rates().calcom, lambda: self._cancel(uid), deadline, writes=True)

    def cancel_all(self, uids: Sequence[str], reason: str, *, deadline: Deadline) -> tuple[CancelAnswer, ...]:
        return self.way.ask_all([lambda uid=uid: self.cancel(uid, reason, deadline=deadline) for uid in uids])

    def _cancel(self, uid: str) -> CancelAnswer:
        if uid not in self.shown():
            return NotThere("HTTP 404")
        was = self.bookings[uid].status
        answer = super().cancel(uid, "", deadline=Deadline.within(1.0, self.clock))
        if was != self.bookings[uid].status:
            self.tell("BOOKING_CANCELLED", uid)
        return answer

    # What others do there: at the same machine, past our network

    def book_as_guest(self, request: BookingRequest) -> CreateAnswer:
        """On the public page."""
        answer = self._book(request)
        self._by_hand(answer)
        self.baton.note("c", f"books by themselves {clock(request.start)}: {word(answer)}")
        return answer

    def move_by_hand(self, uid: str, start: datetime) -> CreateAnswer:
        """By the guest or the salon; the length stays what it was."""
        answer = self._move(uid, start)
        self._by_hand(answer)
        self.baton.note("c", f"moves {uid} to {clock(start)} by hand: {word(answer)}")
        return answer

    def cancel_by_hand(self, uid: str) -> None:
        """By the guest or the salon."""
        if self.bookings[uid].status != "accepted":
            return
        self.baton.note("c", f"cancels {uid} by hand")
        self.by_hand.add(uid)
        self.change(uid, status="cancelled")
        self.tell("BOOKING_CANCELLED", uid)

    def edit_by_hand(self, uid: str, what: str, **changes: Any) -> None:
        """By the salon: another end, another stylist."""
        self.by_hand.add(uid)
        self.change(uid, **changes)
        self.tell("BOOKING_REASSIGNED", uid)
        self.baton.note("c", f"edits {uid} by hand: {what}")

    def _by_hand(self, answer: CreateAnswer) -> None:
        if isinstance(answer, Answered):
            self.by_hand.add(answer.booking.uid)
            self.placed.add(answer.booking.uid)

    # Reads

    def free_starts(
        self,
        event_types: Mapping[str, int],
        window: Slot,
        *,
        deadline: Deadline,
        moving: Mapping[str, str] | None = None,
    ) -> Mapping[str, FreeStarts | CalendarTrouble]:
        def serve() -> Mapping[str, FreeStarts | CalendarTrouble]:
            left_out = moving or {}
            return {name: self._listed_free(each, window, left_out.get(name)) for name, each in event_types.items()}

        found = self.way.ask("slots", self.rates().reads, serve, deadline)
        return dict.fromkeys(event_types, found) if isinstance(found, Unclear | NotSent) else found

    def _listed_free(self, event_type: int, window: Slot, moving: str | None) -> FreeStarts:
        key = event_type, window.start, window.end, moving
        kept = self._lists.get(key)
        if kept is not None and self.baton.at - kept[0] < _KEPT_S:
            return replace(kept[1], read_at=self.baton.now())
        kind = self.event_types[event_type]
        rivals = [
            Slot(each.start, each.end) for each in self.accepted() if each.host == kind.host and each.uid != moving
        ]
        free = FreeStarts(
            tuple(
                start
                for start in self.starts.get(event_type, ())
                if window.start <= start < window.end
                and start > self.baton.now()
                and not any(each.overlaps(Slot.of(start, kind.minutes)) for each in rivals)
            ),
            self.baton.now(),
        )
        self._lists[key] = self.baton.at, free
        return free

    def booking(self, uid: str, *, deadline: Deadline) -> Booking | CalendarTrouble:
        def serve() -> Booking | CalendarTrouble:
            found = self.shown().get(uid)
            if found is not self.bookings.get(uid):
                self.saw["a read that lagged"] += 1
            return found or NotThere("HTTP 404")

        return self.way.ask(f"read {uid}", self.rates().reads, serve, deadline)

    def find(self, email: str, window: Slot, *, deadline: Deadline) -> tuple[Booking, ...] | CalendarTrouble:
        def serve() -> tuple[Booking, ...]:
            return tuple(
                each
                for each in self.shown().values()
                if email in each.attendees and window.start <= each.start and each.end <= window.end
            )

        return self.way.ask("find", self.rates().reads, serve, deadline)

    def page(self, query: ListQuery, *, skip: int, deadline: Deadline) -> Page | CalendarTrouble:
        return self.way.ask("list", self.rates().reads, lambda: self.listed(query, skip), deadline)


def _gap(dice: Random) -> float:
    """Seconds between its check and its insert, in which nothing is locked."""
    return dice.uniform(0.002, 0.08) if dice.random() < 0.8 else dice.uniform(0.1, _SHORT_S)
