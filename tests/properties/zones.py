"""Every zone of the tz database, and where its clocks are put on or back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

NOW = datetime(2025, 10, 25, 18, 18, tzinfo=UTC)
"""The evening before Europe's clocks are put back."""
AHEAD = timedelta(days=399)
"""As far as a wish may reach."""
SURELY = (
    "Europe/Berlin",
    "Europe/Dublin",  # its summer time is the standard one
    "Australia/Lord_Howe",  # half an hour
    "America/Havana",  # midnight happens twice
    "Africa/Casablanca",  # put back for a month
    "Pacific/Apia",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Africa/El_Aaiun",
    "Antarctica/Troll",  # two hours
    "UTC",
)
"""Zones that no sample leaves out."""
EVERY = tuple(sorted(each for each in available_timezones() if each not in {"localtime", "posixrules", "Factory"}))


def sample(number: int, *, seed: int) -> tuple[str, ...]:
    """Some zones, always the odd ones among them."""
    rest = [each for each in EVERY if each not in SURELY]
    return SURELY + tuple(random.Random(seed).sample(rest, number - len(SURELY)))


@cache
def changes(name: str) -> tuple[datetime, ...]:
    """The instants, within what can be booked, at which the zone's clocks jump, found by halving."""
    zone = ZoneInfo(name)

    def offset(moment: datetime) -> timedelta | None:
        return moment.astimezone(zone).utcoffset()

    def found() -> Iterator[datetime]:
        early = NOW
        while early < NOW + AHEAD:
            late = early + timedelta(days=5)
            if offset(early) != offset(late):
                one, other = early, late
                while other - one > timedelta(seconds=1):
                    middle = (one + (other - one) / 2).replace(microsecond=0)
                    one, other = (middle, other) if offset(middle) == offset(early) else (one, middle)
                yield other.replace(microsecond=0)
            early = late

    return tuple(found())
