"""Free time: working hours, what a host's day is broken into, and the grid of bookable starts.

Pure functions over UTC intervals `[start, end)`. Facts from captures 01*, 24h-24l, 30e, 30f.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from .models import WEEKDAYS, Schedule

Interval = tuple[datetime, datetime]


def working_hours(schedule: Schedule, start: datetime, end: datetime) -> list[Interval]:
    """The schedule's open intervals that touch `[start, end)`, as instants, uncut."""
    zone = ZoneInfo(schedule.time_zone)
    day = start.astimezone(zone).date() - timedelta(days=1)
    last = end.astimezone(zone).date() + timedelta(days=1)
    found: list[Interval] = []
    while day <= last:
        for opens, closes in _pairs(schedule, day):
            a, b = _instant(day, opens, zone), _instant(day, closes, zone)
            if a < end and b > start:
                found.append((a, b))
        day += timedelta(days=1)
    return found


def _pairs(schedule: Schedule, day: date) -> Iterable[tuple[str, str]]:
    override = schedule.overrides.get(day.isoformat())
    return schedule.weekly.get(WEEKDAYS[day.weekday()], ()) if override is None else override


def _instant(day: date, clock: str, zone: ZoneInfo) -> datetime:
    if clock == "24:00":
        day, clock = day + timedelta(days=1), "00:00"
    return datetime.combine(day, time.fromisoformat(clock), zone).astimezone(UTC)


def subtract(open_: Iterable[Interval], busy: Iterable[Interval]) -> list[Interval]:
    """What of `open_` no interval of `busy` touches."""
    left = sorted(open_)
    for b_start, b_end in sorted(busy):
        next_left: list[Interval] = []
        for start, end in left:
            if b_end <= start or b_start >= end:
                next_left.append((start, end))
                continue
            if start < b_start:
                next_left.append((start, b_start))
            if b_end < end:
                next_left.append((b_end, end))
        left = next_left
    return left


def intersect(first: Iterable[Interval], second: list[Interval]) -> list[Interval]:
    """Times in both."""
    return [(max(a, c), min(b, d)) for a, b in first for c, d in second if max(a, c) < min(b, d)]


def covers(open_: Iterable[Interval], start: datetime, end: datetime) -> bool:
    return any(a <= start and end <= b for a, b in open_)


def grid(free: Iterable[Interval], *, length: int, step: int, zone: ZoneInfo) -> list[datetime]:
    """Starts of slots of `length` minutes, every `step` minutes, in each free interval.

    The first start of an interval is rounded up to a full 60/30/15/10/5 minutes of the local hour, the
    largest of these that divides `step`: a 45-minute type therefore starts anew at 11:15 after a busy
    block, a 30-minute one only at 11:30 (30e, 30f).
    """
    rounding = next((n for n in (60, 30, 15, 10, 5) if step % n == 0), 1)
    starts: list[datetime] = []
    for start, end in sorted(free):
        moment = _round_up(start, rounding, zone)
        while moment + timedelta(minutes=length) <= end:
            starts.append(moment)
            moment += timedelta(minutes=step)
    return starts


def _round_up(moment: datetime, minutes: int, zone: ZoneInfo) -> datetime:
    local = moment.astimezone(zone)
    into_hour = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
    beyond = into_hour % timedelta(minutes=minutes)
    return moment if not beyond else moment + timedelta(minutes=minutes) - beyond
