"""The staff-day ledger: one stylist's UTC day, as the intervals that are taken in it.

Two slots that overlap share an instant and so a UTC day, whatever the salon's zone or a change of its clocks; a check
of every UTC day a slot touches is therefore complete (docs/data-model.md).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from bookend.domain.timeslot import Slot

CLOCK_SLACK = timedelta(seconds=2)
"""Two instances of us may disagree by this much: a hold blocks others a little longer than it serves its owner."""


class IntervalState(StrEnum):
    """How firmly an interval is taken."""

    HELD = "H"
    """Offered to a caller; free again once it has expired."""
    PENDING = "P"
    """In flight, or its outcome at Cal.com unknown. Never expires by time: freeing it early makes overlaps."""
    CONFIRMED = "C"
    """Backed by a booking that was checked to be ours."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Time taken in a stylist's day by one segment of one appointment (or offer).

    `key` is "<appointment>/<segment>", `op` the operation that wrote it, `expires` an instant and only for HELD.
    """

    key: str
    slot: Slot
    state: IntervalState
    op: str
    expires: datetime | None = None
    conflict: bool = False

    def blocks_at(self, now: datetime) -> bool:
        """Whether somebody else must keep out of it at `now`."""
        if self.state is not IntervalState.HELD or self.expires is None:
            return True
        return now < self.expires + CLOCK_SLACK

    def usable_at(self, now: datetime) -> bool:
        """Whether the caller it is held for may still turn it into a booking at `now`."""
        return self.state is IntervalState.HELD and self.expires is not None and now < self.expires


def interval_key(appointment: str, segment: int) -> str:
    """The name of a segment's interval in the ledger."""
    return f"{appointment}/{segment}"


def target_key(appointment: str, segment: int) -> str:
    """The name of the interval that a move takes for a segment, beside the one where it still stands."""
    return f"{appointment}/{segment}+"


@dataclass(frozen=True, slots=True)
class StaffDay:
    """One stylist's UTC day. `version` is 0 for a day nothing was ever written to."""

    staff: str
    day: date
    version: int = 0
    intervals: Mapping[str, Interval] = field(default_factory=dict)

    def in_the_way_of(
        self, slot: Slot, *, now: datetime, ignoring: Collection[str] = frozenset(), moving: str | None = None
    ) -> tuple[Interval, ...]:
        """The intervals that keep `slot` from being taken at `now`.

        `ignoring` are keys of the caller's own holds: they are in nobody's way but others'. A key that has become more
        than a hold is never ignored, or the caller's second booking would overlap their first. `moving` is the
        appointment that is to be moved there: it leaves where it stands, so that is not in its way.
        """
        return tuple(
            each
            for each in self.intervals.values()
            if each.slot.overlaps(slot)
            and each.blocks_at(now)
            and not (each.key in ignoring and each.state is IntervalState.HELD)
            and not (moving is not None and each.key.startswith(f"{moving}/"))
        )

    def rewritten(
        self, added: Iterable[Interval], *, freeing: Collection[str] = frozenset(), now: datetime
    ) -> StaffDay:
        """The day with `added` in it, the holds in `freeing` given back and expired holds dropped.

        Only holds can be freed this way. The version is the store's to raise.
        """
        gone = self.expired(now) | {
            key for key in freeing if key in self.intervals and self.intervals[key].state is IntervalState.HELD
        }
        kept = {key: each for key, each in self.intervals.items() if key not in gone}
        return replace(self, intervals=kept | {each.key: each for each in added})

    def replaced(self, appointment: str, entries: Iterable[Interval], *, now: datetime) -> StaffDay:
        """The day with the appointment's intervals as `entries` and no others of its; holds in their way are dropped.

        For what Cal.com has decided already: it is admitted whatever else is there.
        """
        new = tuple(entries)
        own = f"{appointment}/"
        overrun = {
            key
            for key, each in self.intervals.items()
            if each.state is IntervalState.HELD and any(each.slot.overlaps(entry.slot) for entry in new)
        }
        gone = overrun | self.expired(now) | {key for key in self.intervals if key.startswith(own)}
        kept = {key: each for key, each in self.intervals.items() if key not in gone}
        return replace(self, intervals=kept | {each.key: each for each in new})

    def expired(self, now: datetime) -> frozenset[str]:
        """Keys of holds that block nobody any more; the next write of the day drops them."""
        return frozenset(
            key for key, each in self.intervals.items() if each.state is IntervalState.HELD and not each.blocks_at(now)
        )


@dataclass(frozen=True, slots=True)
class StaffDays:
    """Several staff days at hand, as one picture; the store's versions guard what is decided on it."""

    days: Mapping[tuple[str, date], StaffDay] = field(default_factory=dict)

    def day(self, staff: str, day: date) -> StaffDay:
        """The stylist's day; an empty one where nothing was ever written.

        Raises:
            KeyError: the day was not read, so nothing can be said about it.
        """
        return self.days[staff, day]

    def covers(self, staff: str, slot: Slot) -> bool:
        """Whether every UTC day the slot touches was read."""
        return all((staff, day) in self.days for day in slot.utc_days())

    def is_free(
        self,
        staff: str,
        slot: Slot,
        *,
        now: datetime,
        ignoring: Collection[str] = frozenset(),
        moving: str | None = None,
    ) -> bool:
        """Whether `staff` has nothing in the way of `slot` in any UTC day that it touches (see `in_the_way_of`)."""
        return not any(
            self.day(staff, day).in_the_way_of(slot, now=now, ignoring=ignoring, moving=moving)
            for day in slot.utc_days()
        )

    def busy_count(self, staff: str, slot: Slot) -> int:
        """How many intervals the stylist has on the days of the slot; used to share work fairly."""
        return sum(len(self.day(staff, day).intervals) for day in slot.utc_days())

    def without_stale_conflicts(self) -> StaffDays:
        """The same picture, in which a flagged interval that overlaps no other appointment's any more is not flagged.

        One that touches a day not at hand stays as it is: nothing is known of what it overlaps there.
        """
        return self.updated(
            replace(day, intervals={key: self._judged(day.staff, each) for key, each in day.intervals.items()})
            for day in self.days.values()
        )

    def _judged(self, staff: str, interval: Interval) -> Interval:
        if not interval.conflict or not self.covers(staff, interval.slot):
            return interval
        overlapped = any(
            each.key != interval.key and each.state is not IntervalState.HELD and each.slot.overlaps(interval.slot)
            for day in interval.slot.utc_days()
            for each in self.day(staff, day).intervals.values()
        )
        return interval if overlapped else replace(interval, conflict=False)

    def updated(self, changed: Iterable[StaffDay]) -> StaffDays:
        """The same picture with some days seen anew."""
        return StaffDays({**self.days, **{(each.staff, each.day): each for each in changed}})
