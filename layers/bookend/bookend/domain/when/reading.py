"""From what the two texts say to a wish: which time, which day, which instant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bookend.domain.timeslot import Ambiguous, At, Nonexistent, as_utc, resolve_local
from bookend.domain.when.facts import (
    DAY_END,
    DAY_START,
    NOON,
    ClockTime,
    Day,
    DayAndMonth,
    DayOfMonth,
    DaysAhead,
    FixedDay,
    NextWeek,
    Part,
    Round,
    TimeRange,
    Weekday,
    calendar_date,
)
from bookend.domain.when.said import Said, said_in
from bookend.domain.when.wish import (
    AmbiguousTime,
    InPast,
    NoDate,
    NonexistentTime,
    NotUnderstood,
    Reading,
    TextKind,
    TooFar,
    Wish,
)

_MAX_DAYS_AHEAD = 400
_PLAUSIBLE = (time(7), time(21))
_HALF_DAY = 12


# ---- The wish ----


def parse_wish(date_text: str | None, time_text: str | None, *, now: datetime, zone: ZoneInfo) -> Reading:
    """What day and time the two arguments of the voice agent ask for, seen from `now` in the salon's `zone`.

    Either text may hold both day and time; about the day `date_text` goes first, about the time `time_text`.
    Empty texts and unset placeholders (`{{date}}`) are as good as missing. Never raises on any text.

    Raises:
        ValueError: `now` is naive.
    """
    now = as_utc(now)  # Python calls two readings of a time that happens twice unequal unless both are in UTC
    today = now.astimezone(zone).date()
    in_date = said_in(date_text, TextKind.DATE, zone, day_known=False)
    if isinstance(in_date, NotUnderstood):
        return in_date
    in_time = said_in(time_text, TextKind.TIME, zone, day_known=bool(in_date.days))
    if isinstance(in_time, NotUnderstood):
        return in_time
    which = in_time.round or in_date.round
    of_day = _merged_time(in_date, in_time, certain=which is not None)
    if of_day is None:
        return NotUnderstood(TextKind.CONTRADICTION)
    days = in_date.days or in_time.days
    if not days:
        return NoDate()
    day = _settled_day(days, today, today_counts=_still_ahead(today, of_day, now, zone))
    if day is None:
        return NotUnderstood(TextKind.CONTRADICTION)
    if day < today:
        return InPast(today, day)
    if (day - today).days > _MAX_DAYS_AHEAD:
        return TooFar(day)
    moment = in_time.moment if in_time.when is not None else in_date.moment
    return _placed(day, of_day, which=which, moment=moment, now=now, zone=zone)


def _placed(
    day: date,
    of_day: _TimeOfDay,
    *,
    which: Round | None,
    moment: datetime | None,
    now: datetime,
    zone: ZoneInfo,
) -> Reading:
    """The wish on a day from today on: its wall time made an instant, and refused if that is over."""
    today = now.astimezone(zone).date()
    if of_day.wall is None:
        if of_day.window is not None and not _still_ahead(day, of_day, now, zone):
            return InPast(today, as_utc(datetime.combine(day, of_day.window[0], tzinfo=zone)))
        return Wish(day, window=of_day.window)
    at = _resolved(day, of_day.wall, which=which, moment=moment, now=now, zone=zone)
    if not isinstance(at, datetime):
        return at
    return Wish(day, at=at) if at >= now else InPast(today, at)


def _resolved(
    day: date,
    wall: time,
    *,
    which: Round | None,
    moment: datetime | None,
    now: datetime,
    zone: ZoneInfo,
) -> datetime | NonexistentTime | AmbiguousTime:
    if moment is not None and _same_wall(moment.astimezone(zone), day, wall):
        return moment
    match resolve_local(day, wall, zone):
        case At(instant):
            return instant
        case Nonexistent():
            return NonexistentTime(day, wall)
        case Ambiguous(earlier, later):
            if which is Round.FIRST:
                return earlier
            if which is Round.SECOND or earlier < now:  # only one of the two can still be meant
                return later
            return AmbiguousTime(day, wall, earlier, later)


def _same_wall(local: datetime, day: date, wall: time) -> bool:
    return local.date() == day and local.time().replace(microsecond=0) == wall


def _still_ahead(day: date, of_day: _TimeOfDay, now: datetime, zone: ZoneInfo) -> bool:
    """Whether some of what was said of the day is not past; a day without a time is not."""
    last = of_day.wall or (of_day.window[1] if of_day.window is not None else None)
    if last is None:
        return True
    match resolve_local(day, last, zone):
        case At(instant) | Ambiguous(_, instant):
            return instant >= now if of_day.wall is not None else instant > now
        case Nonexistent():
            return as_utc(datetime.combine(day, last, tzinfo=zone)) > now


# ---- Times ----


@dataclass(frozen=True, slots=True)
class _TimeOfDay:
    """At most one of the two is set."""

    wall: time | None = None
    window: tuple[time, time] | None = None


def _wall(clock: ClockTime, parts: tuple[Part, ...], *, certain: bool = False) -> time | None:
    """The time of day a clock time means; None if it is in none of the parts of the day said with it."""
    literal = time(clock.hour, clock.minute, clock.second)
    hours = [clock.hour]
    if 1 <= clock.hour <= _HALF_DAY and (parts or not (certain or clock.certain)):
        hours.append((clock.hour + _HALF_DAY) % 24)
    candidates = [literal.replace(hour=hour) for hour in hours]
    if parts:
        return next((c for c in candidates if all(c.hour in part.hours for part in parts)), None)
    earliest, latest = _PLAUSIBLE
    return next((c for c in candidates if earliest <= c <= latest), literal)


def _window(when: TimeRange, parts: tuple[Part, ...], *, certain: bool) -> tuple[time, time] | None:
    after = DAY_START if when.after is None else _wall(when.after, parts, certain=certain)
    before = DAY_END if when.before is None else _wall(when.before, parts, certain=certain)
    if after is None or before is None:
        return None
    if before <= after and when.before is not None and before.hour < _HALF_DAY and not when.before.certain:
        before = before.replace(hour=before.hour + _HALF_DAY)  # "von 6 bis 8"
    return _overlap([(after, before), *(part.window for part in parts)])


def _overlap(windows: list[tuple[time, time]]) -> tuple[time, time] | None:
    start, end = max(start for start, _ in windows), min(end for _, end in windows)
    return (start, end) if start < end else None


def _time_of_day(when: ClockTime | TimeRange | None, parts: tuple[Part, ...], *, certain: bool) -> _TimeOfDay | None:
    """What time and part of the day mean together, or None if they contradict each other."""
    if when is None and parts == (NOON,):
        return _TimeOfDay(wall=time(12))
    match when:
        case ClockTime():
            wall = _wall(when, parts, certain=certain)
            return None if wall is None else _TimeOfDay(wall=wall)
        case TimeRange():
            window = _window(when, parts, certain=certain)
        case None if parts:
            window = _overlap([part.window for part in parts])
        case None:
            return _TimeOfDay()
    return None if window is None else _TimeOfDay(window=window)


def _merged_time(in_date: Said, in_time: Said, *, certain: bool) -> _TimeOfDay | None:
    """The time argument goes before the date argument; a part of the day in the other one may refine it."""
    if in_time.when is None:
        return _time_of_day(in_date.when, in_date.parts + in_time.parts, certain=certain)
    both = _time_of_day(in_time.when, in_date.parts + in_time.parts, certain=certain)
    return both or _time_of_day(in_time.when, in_time.parts, certain=certain)


# ---- Days ----


def _settled_day(days: tuple[Day, ...], today: date, *, today_counts: bool) -> date | None:
    """The one day that all the facts agree on, or None if there is none."""
    dated = [fact for fact in days if not isinstance(fact, Weekday | NextWeek)]
    weekdays = [fact for fact in days if isinstance(fact, Weekday)]
    next_week = any(isinstance(fact, NextWeek) for fact in days)
    next_monday = today + timedelta(days=7 - today.weekday())
    candidates = {_day_of(fact, today) for fact in dated}
    if not dated and weekdays:
        first = weekdays[0]
        skip = 1 if first.after_today or not today_counts else 0
        start = next_monday if next_week else today + timedelta(days=skip)
        candidates = {start + timedelta(days=(first.number - start.weekday()) % 7)}
    if len(candidates) != 1:
        return None
    (day,) = candidates
    if day is None or any(fact.number != day.weekday() for fact in weekdays):
        return None
    return None if next_week and not 0 <= (day - next_monday).days < 7 else day


def _day_of(fact: Day, today: date) -> date | None:
    match fact:
        case FixedDay(day):
            return day
        case DaysAhead(days):
            return today + timedelta(days=days)
        case DayAndMonth(day=number, month=month):
            years = (
                calendar_date(today.year + n, month, number) for n in range(9)
            )  # 29 February, over a turn of century
            return next((day for day in years if day is not None and day >= today), None)
        case DayOfMonth(day=number):
            days_on = (today + timedelta(days=n) for n in range(63))  # two months of 31 days, and one day more
            return next((day for day in days_on if day.day == number), None)
        case _:
            return None
