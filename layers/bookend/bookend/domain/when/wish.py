"""The answers: a wish, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from enum import Enum
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Wish:
    """A day in the salon's zone, not past, with at most one of: an instant (UTC), a window of wall times.

    The window holds starts from its first time until just before its second.
    """

    day: date
    at: datetime | None = None
    window: tuple[time, time] | None = None


@dataclass(frozen=True, slots=True)
class NoDate:
    """No day was given: both arguments are empty, unset placeholders, or name a time only."""


class TextKind(Enum):
    """What could not be understood."""

    DATE = "date"  # the date argument
    TIME = "time"  # the time argument
    CONTRADICTION = "contradiction"  # understood, but it cannot all be true


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """A text nobody taught us. The text itself is left out: it may hold anything a caller said."""

    text_kind: TextKind


@dataclass(frozen=True, slots=True)
class InPast:
    """The wish is over. `asked` is the day, or the instant (UTC) if the day is today in the salon's zone.

    A datetime is a date too: match it first.
    """

    day_today: date
    asked: date | datetime


@dataclass(frozen=True, slots=True)
class NonexistentTime:
    """The wall time is skipped on that day, because the clocks are put forward over it."""

    day: date
    time: time


@dataclass(frozen=True, slots=True)
class AmbiguousTime:
    """The wall time happens twice on that day, at these instants (UTC), both ahead."""

    day: date
    time: time
    earlier: datetime
    later: datetime


@dataclass(frozen=True, slots=True)
class TooFar:
    """More than 400 days ahead."""

    asked: date


Reading: TypeAlias = Wish | NoDate | NotUnderstood | InPast | NonexistentTime | AmbiguousTime | TooFar
