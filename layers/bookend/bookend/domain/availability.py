"""From free starts to offers: which times are said to a caller.

The same functions serve the check and the alternatives of a refused booking, so that what is offered can be booked if
nothing changed meanwhile.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bookend.domain.staff_day import StaffDays, interval_key
from bookend.domain.timeslot import Slot, local_day_bounds

HOLD = timedelta(seconds=120)
"""How long an offer is kept for its caller."""
MOST_OFFERS = 3
DAYS_AHEAD = 7
"""Days, from the one asked for, that one query covers for its alternatives."""
SLOTS_KEPT = timedelta(seconds=15)
"""The stated age of a kept answer: how long after Cal.com was asked it may still answer a check. Never a booking."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A slot that one stylist could take. `parts` are the busy parts of a composite, in order; a plain one has none."""

    staff: str
    slot: Slot
    parts: tuple[Slot, ...] = ()

    @property
    def busy(self) -> tuple[Slot, ...]:
        """What it takes of the stylist's time."""
        return self.parts or (self.slot,)


@dataclass(frozen=True, slots=True)
class Offer:
    """A slot that was said to a caller. `id` becomes the appointment's id if it is booked; `op` is the hold's.

    `expires` is the instant until which it is kept; `held` is False where it could not be kept at all. `asked_for` are
    the stylists the caller would accept: who asked for one by name is offered nobody else later. `moving` is the
    appointment it was offered for, and which may be in its way for anything but being moved there. `parts` are the busy
    parts of a composite, in order, whose `slot` is from the first to the last; a plain one has none.
    """

    id: str
    op: str
    service: str
    staff: str
    slot: Slot
    offered_at: datetime
    expires: datetime
    asked_for: tuple[str, ...] = ()
    held: bool = True
    moving: str | None = None
    parts: tuple[Slot, ...] = ()

    @property
    def intervals(self) -> Mapping[str, Slot]:
        """What it takes of the stylist's time, by the ledger's keys."""
        return {interval_key(self.id, number): slot for number, slot in enumerate(self.parts or (self.slot,))}

    def touched_days(self) -> frozenset[date]:
        """The UTC days it takes time of; one that lies wholly in a gap is none."""
        return frozenset(day for slot in self.intervals.values() for day in slot.utc_days())


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the caller wishes: a day, and perhaps an instant on it or a window of wall times."""

    day: date
    at: datetime | None = None
    window: tuple[time, time] | None = None


def search_window(day: date, *, zone: ZoneInfo, now: datetime) -> Slot | None:
    """What one slots query covers: the day asked for and those of its alternatives; None if all is past."""
    start = max(local_day_bounds(day, zone).start, now)
    end = local_day_bounds(day + timedelta(days=DAYS_AHEAD - 1), zone).end
    return Slot(start, end) if end > start else None


def may_answer(asked: Slot, read_at: datetime, window: Slot, *, now: datetime) -> bool:
    """Whether an answer for `asked` may be used for `window`: it is young, and says something of every moment of it."""
    return is_young(read_at, now=now) and asked.start <= window.start and window.end <= asked.end


def is_young(read_at: datetime, *, now: datetime) -> bool:
    """Whether an answer that was asked for at `read_at` may still be used.

    One that seems to come from the future may not: by whose clock it is how old, nobody can say.
    """
    return timedelta(0) <= now - read_at < SLOTS_KEPT


def openings(
    starts: Mapping[str, Iterable[datetime]],
    *,
    minutes: int,
    days: StaffDays,
    now: datetime,
    ignoring: Collection[str] = frozenset(),
    moving: str | None = None,
) -> list[Opening]:
    """Every start Cal.com lists that our own ledger leaves free, one per instant, earliest first (`one_per_start`).

    `starts` are in the configuration's order. `ignoring` names the caller's own holds, `moving` the appointment that is
    to be moved there. A start whose day was not read is left out.
    """
    free: dict[str, list[Opening]] = {staff: [] for staff in starts}
    for staff, instants in starts.items():
        for instant in instants:
            slot = Slot.of(instant, minutes)
            if slot.start <= now or not days.covers(staff, slot):
                continue
            if days.is_free(staff, slot, now=now, ignoring=ignoring, moving=moving):
                free[staff].append(Opening(staff, slot))
    return one_per_start(free, days=days)


def one_per_start(free: Mapping[str, Iterable[Opening]], *, days: StaffDays) -> list[Opening]:
    """One of the openings of each instant, earliest first.

    Where several stylists are free, the one with the least on that day serves; equal ones in the order of `free`, which
    is the configuration's.
    """
    best: dict[datetime, tuple[int, int, Opening]] = {}
    for rank, (staff, its) in enumerate(free.items()):
        for each in its:
            candidate = (days.busy_count(staff, each.slot), rank, each)
            best[each.slot.start] = min(best.get(each.slot.start, candidate), candidate, key=lambda other: other[:2])
    return [best[start][2] for start in sorted(best)]


def choose(free: list[Opening], wanted: Wanted, *, zone: ZoneInfo, most: int = MOST_OFFERS) -> list[Opening]:
    """At most `most` of `free`, best first, none of one stylist overlapping another.

    With an instant: that one if it is free, then the nearest on the same day, then the nearest of all. With a window or
    a day only: spread over what is free there, and the first ones after it where that is too little.
    """
    if wanted.at is not None:
        at = wanted.at
        ranked = sorted(free, key=lambda each: (_day(each, zone) != wanted.day, abs(each.slot.start - at), each.slot))
        return _apart(ranked, most)
    preferred = [each for each in free if _day(each, zone) == wanted.day and _inside(each, wanted.window, zone)]
    rest = [each for each in free if each not in preferred]
    rest.sort(key=lambda each: (_day(each, zone) != wanted.day, each.slot))
    return _apart([*_spread(_apart(preferred, len(preferred)), most), *rest], most)


def _day(opening: Opening, zone: ZoneInfo) -> date:
    return opening.slot.start.astimezone(zone).date()


def _inside(opening: Opening, window: tuple[time, time] | None, zone: ZoneInfo) -> bool:
    return window is None or is_inside(opening.slot.start, window, zone=zone)


def is_inside(start: datetime, window: tuple[time, time], *, zone: ZoneInfo) -> bool:
    """Whether a start is within a window of wall times; the end is outside."""
    return window[0] <= start.astimezone(zone).time() < window[1]


def _spread(free: list[Opening], most: int) -> list[Opening]:
    """The first, the last and evenly between: a caller with no time in mind hears the width of the day."""
    if len(free) <= most or most < 2:
        return free[:most]
    return [free[round(step * (len(free) - 1) / (most - 1))] for step in range(most)]


def _apart(ranked: list[Opening], most: int) -> list[Opening]:
    chosen: list[Opening] = []
    for each in ranked:
        if len(chosen) == most:
            break
        if not any(each.staff == other.staff and _in_each_others_way(each, other) for other in chosen):
            chosen.append(each)
    return chosen


def _in_each_others_way(one: Opening, other: Opening) -> bool:
    return any(mine.overlaps(theirs) for mine in one.busy for theirs in other.busy)
