"""Instants, slots and the salon's wall clock.

Everything that is stored, compared or sent is an *instant*: an aware datetime in UTC. A wall time ("10:00 on
26 October") becomes an instant only through `resolve_local`, which says so when the wall time does not exist
or happens twice. Lengths are elapsed time, never differences of wall times: Python subtracts and adds wall
times when both sides share a zone, which is an hour off across a clock change, so all here go to UTC first.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_MIDNIGHT = time(0, 0)
_TICK = timedelta(microseconds=1)  # datetime's resolution: the last moment before an exclusive end
_SECOND = timedelta(seconds=1)


def as_utc(moment: datetime) -> datetime:
    """The same instant, in UTC.

    Raises:
        ValueError: `moment` is naive, or lies outside the years 1 to 9999 once in UTC.
    """
    if moment.utcoffset() is None:
        msg = "an instant needs a time zone"
        raise ValueError(msg)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        msg = "the instant is outside the years 1 to 9999"
        raise ValueError(msg) from error


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """The time from `start` until just before `end`; both are instants, held in UTC. Sorts by start, end.

    Raises:
        ValueError: a bound is naive, or `end` is not after `start`.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", as_utc(self.start))
        object.__setattr__(self, "end", as_utc(self.end))
        if self.end <= self.start:
            msg = "a slot ends after it starts"
            raise ValueError(msg)

    @classmethod
    def of(cls, start: datetime, minutes: int) -> Slot:
        """The slot of `minutes` elapsed minutes from `start`, whatever the clocks do meanwhile.

        Raises:
            ValueError: `start` is naive, or `minutes` is not positive.
        """
        begin = as_utc(start)
        return cls(begin, begin + timedelta(minutes=minutes))

    @property
    def duration(self) -> timedelta:
        """Elapsed time, always positive."""
        return self.end - self.start

    def overlaps(self, other: Slot) -> bool:
        """Whether the two share a moment. Slots that only touch (one ends where the other starts) do not."""
        return self.start < other.end and other.start < self.end

    def utc_days(self) -> tuple[date, ...]:
        """Every UTC day the slot touches, in order; not the one that begins as the slot ends."""
        first = self.start.date()
        last = (self.end - _TICK).date()
        return tuple(first + timedelta(days=n) for n in range((last - first).days + 1))

    def shifted(self, by: timedelta) -> Slot:
        """The slot of the same length, moved by an elapsed time (negative: earlier)."""
        return Slot(self.start + by, self.end + by)


def instant_text(moment: datetime) -> str:
    """The one way instants are written: `2025-10-27T06:00:00Z`. Texts sort as the instants do.

    Fractions of a second are cut off, so that the text is never later than the instant.

    Raises:
        ValueError: `moment` is naive.
    """
    return as_utc(moment).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def parse_instant(text: str) -> datetime:
    """The instant, in UTC, that an ISO 8601 text with `Z` or an offset names; fractions of a second are kept.

    Raises:
        ValueError: not ISO 8601, or without an offset (whose wall clock would it be?).
    """
    return as_utc(datetime.fromisoformat(text.strip()))


@dataclass(frozen=True, slots=True)
class At:
    """The wall time happens once: at this instant (UTC)."""

    instant: datetime


@dataclass(frozen=True, slots=True)
class Nonexistent:
    """The wall time is skipped: the clocks are put forward over it, by `gap` (positive)."""

    gap: timedelta


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The wall time happens twice, because the clocks are put back over it: at these instants (UTC)."""

    earlier: datetime
    later: datetime


def resolve_local(day: date, time: time, zone: ZoneInfo) -> At | Nonexistent | Ambiguous:
    """When the clock on the wall in `zone` shows `time` on `day`. The `fold` of `time` is ignored.

    Raises:
        ValueError: `time` brings a time zone of its own, or the instant lies outside the years 1 to 9999.
    """
    if time.tzinfo is not None:
        msg = "a wall time has no time zone of its own"
        raise ValueError(msg)
    wall = datetime.combine(day, time.replace(fold=0))
    # Read with the offset in force before a change of the clocks, and after it: the same unless one is near.
    first = as_utc(wall.replace(tzinfo=zone, fold=0))
    second = as_utc(wall.replace(tzinfo=zone, fold=1))
    if first == second:
        return At(first)
    if first.astimezone(zone).replace(tzinfo=None, fold=0) == wall:
        return Ambiguous(first, second)
    return Nonexistent(first - second)


def local_day_bounds(day: date, zone: ZoneInfo) -> Slot:
    """`day` from midnight to midnight in `zone`: 24 hours, or 23 or 25 when the clocks change.

    Where midnight is skipped the day begins when the clocks have been put forward; where it happens twice,
    with the first. Following days join without gap or overlap.

    Raises:
        ValueError: the zone has no such day (Apia, 2011-12-30).
    """
    return Slot(_day_start(day, zone), _day_start(day + timedelta(days=1), zone))


def _day_start(day: date, zone: ZoneInfo) -> datetime:
    match resolve_local(day, _MIDNIGHT, zone):
        case At(instant):
            return instant
        case Ambiguous(earlier, _):
            return earlier
        case Nonexistent(gap):
            return _transition(day, gap, zone)


def _transition(day: date, gap: timedelta, zone: ZoneInfo) -> datetime:
    """The instant at which the clocks jump over midnight, found by halving the stretch that must hold it."""
    late = as_utc(datetime.combine(day, _MIDNIGHT, tzinfo=zone))  # in the new offset, at the jump or after it
    early = late - gap  # still in the old offset
    new_offset = late.astimezone(zone).utcoffset()
    while late - early > _SECOND:
        middle = early + ((late - early) // 2 // _SECOND) * _SECOND
        if middle.astimezone(zone).utcoffset() == new_offset:
            late = middle
        else:
            early = middle
    return late
