"""Facts: what a piece of text says, before anybody asks what it means today."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from enum import Enum, auto
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class ClockTime:
    """A wall time; unless `certain`, an hour from 1 to 12 may be one of the afternoon."""

    hour: int
    minute: int = 0
    second: int = 0
    certain: bool = False
    bare: bool = False  # nothing but a number: a time only beside a day, or in the time argument


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant, as ISO texts with an offset name it."""

    instant: datetime


@dataclass(frozen=True, slots=True)
class FixedDay:
    """A date with its year."""

    day: date


@dataclass(frozen=True, slots=True)
class DayAndMonth:
    """A date without a year."""

    day: int
    month: int


@dataclass(frozen=True, slots=True)
class DayOfMonth:
    """The day of some month: "am 15."."""

    day: int


@dataclass(frozen=True, slots=True)
class DaysAhead:
    """Days from today; negative: behind."""

    days: int


@dataclass(frozen=True, slots=True)
class Weekday:
    """A day of the week; of which week, the reading decides."""

    number: int  # Monday is 0
    after_today: bool = False


@dataclass(frozen=True, slots=True)
class NextWeek:
    """Some day of the next calendar week."""


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Between two clock times, or before or after one."""

    after: ClockTime | None
    before: ClockTime | None


class Round(Enum):
    """Which one of a wall time that happens twice."""

    FIRST = auto()
    SECOND = auto()


class Link(Enum):
    """A word that makes a range of the times beside it."""

    FROM = auto()
    BETWEEN = auto()
    UNTIL = auto()
    TO = auto()  # "10 to 12" may be ten minutes to twelve
    BEFORE = auto()
    AND = auto()
    DASH = auto()  # between times; elsewhere it means nothing


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the day: the hours a clock time said with it may have, and the window it stands for alone."""

    hours: frozenset[int]
    window: tuple[time, time]


DAY_START, DAY_END = time(0, 0), time(23, 59)
EARLY = Part(frozenset(range(12)), (time(6), time(10)))
MORNING = Part(frozenset(range(5, 13)), (time(6), time(12)))
NOON = Part(frozenset(range(11, 15)), (time(12), time(14)))
AFTERNOON = Part(frozenset(range(12, 19)), (time(12), time(18)))
EVENING = Part(frozenset(range(16, 24)), (time(17), time(22)))
NIGHT = Part(frozenset({*range(6), *range(20, 24)}), (time(20), DAY_END))
AM = Part(frozenset(range(12)), (DAY_START, time(12)))
PM = Part(frozenset(range(12, 24)), (time(12), DAY_END))

Day: TypeAlias = FixedDay | DayAndMonth | DayOfMonth | DaysAhead | Weekday | NextWeek
Fact: TypeAlias = Day | ClockTime | Moment | TimeRange | Part | Round | Link
Facts: TypeAlias = tuple[Fact, ...]


def calendar_date(year: int, month: int, day: int) -> date | None:
    """The day, or None where the calendar has no such day."""
    try:
        return date(year, month, day)
    except ValueError:
        return None
