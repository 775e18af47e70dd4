"""The schedule expressions of EventBridge Scheduler, without its L, W and # in cron()."""

import re
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
_DAYS = {name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)}
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"), start=1
    )
}


@dataclass(frozen=True)
class Rate:
    """Every so many seconds."""

    seconds: int


@dataclass(frozen=True)
class Cron:
    """The minutes, hours, days ... at which it is time, in a zone; days of the week count from 1, Sunday."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    years: frozenset[int]
    zone: ZoneInfo

    def matches(self, moment: datetime) -> bool:
        """Whether the minute of the aware `moment` is one of them."""
        local = moment.astimezone(self.zone)
        return (
            local.minute in self.minutes
            and local.hour in self.hours
            and local.day in self.days
            and local.month in self.months
            and local.isoweekday() % 7 + 1 in self.weekdays
            and local.year in self.years
        )


def parse_expression(expression: str, zone: str = "UTC") -> Rate | Cron:
    """Read rate(...) or cron(...); anything else, at(...) too, is a ValueError."""
    if found := re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression):
        return Rate(int(found[1]) * _SECONDS[found[2]])
    if found := re.fullmatch(r"cron\((.+)\)", expression):
        fields = found[1].split()
        if len(fields) != 6:
            raise ValueError(f"{expression} has {len(fields)} fields, not six")
        minutes, hours, days, months, weekdays, years = fields
        return Cron(
            _field(minutes, 0, 59),
            _field(hours, 0, 23),
            _field(days, 1, 31),
            _field(months, 1, 12, _MONTHS),
            _field(weekdays, 1, 7, _DAYS),
            _field(years, 1970, 2199),
            ZoneInfo(zone),
        )
    raise ValueError(f"{expression} is neither rate() nor cron()")


def _field(text: str, low: int, high: int, names: dict[str, int] | None = None) -> frozenset[int]:
    values: set[int] = set()
    for part in text.upper().split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if span in {"*", "?"}:
            start, end = low, high
        else:
            start = _number(first, names)
            end = _number(last, names) if last else (high if step else start)
        if not low <= start <= end <= high:
            raise ValueError(f"{part} is not within {low} to {high}")
        values.update(range(start, end + 1, int(step or 1)))
    return frozenset(values)


def _number(text: str, names: dict[str, int] | None) -> int:
    return names[text] if names and text in names else int(text)
