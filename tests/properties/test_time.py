"""Time in every zone: UTC within, the calendar's words without, elapsed lengths, and hours that are not or are twice.

T1 an instant is stored in UTC and read back as itself · T2 what is said is what the calendar shows, and is understood
as the same instant · T3 a length is elapsed time · T4 a wall time that does not exist is refused, one that happens
twice is asked about · T5 another zone of the salon leaves every instant where it is
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bookend.domain.saying import Language, say_day, say_slot, say_time
from bookend.domain.staff_day import Interval, IntervalState, StaffDay
from bookend.domain.timeslot import (
    Ambiguous,
    At,
    Nonexistent,
    Slot,
    instant_text,
    local_day_bounds,
    parse_instant,
    resolve_local,
)
from bookend.domain.when.reading import parse_wish
from bookend.domain.when.wish import AmbiguousTime, NonexistentTime, Wish
from tests.properties.zones import AHEAD, EVERY, NOW, changes, sample

FEW = sample(60, seed=5)
LENGTHS = (30, 45, 60, 135, 24 * 60)


def instants(name: str, *, each: int) -> Iterator[datetime]:
    """Around every change, at every midnight around it, on the leap day and anywhere else; still ahead."""
    dice = random.Random(f"{name} {each}")
    zone = ZoneInfo(name)
    around = changes(name) or (NOW + timedelta(days=100),)
    for change in around:
        yield change
        for _ in range(each):
            yield change + timedelta(minutes=dice.randint(-26 * 60, 26 * 60))
        midnight = change.astimezone(zone).replace(hour=0, minute=0, second=0, fold=0).astimezone(UTC)
        yield from (midnight, midnight - timedelta(minutes=1), midnight + timedelta(days=1))
    for _ in range(each):
        yield NOW + timedelta(minutes=dice.randint(1, int(AHEAD.total_seconds()) // 60))


def ahead(name: str, *, each: int) -> list[datetime]:
    """The same, to the minute."""
    found = (at.replace(second=0, microsecond=0) for at in instants(name, each=each))
    return [at for at in found if NOW < at < NOW + AHEAD]


def zones(number: int) -> list[object]:
    """A sample for every day, and all of them where there is time."""
    few = [pytest.param(name, number, id=name) for name in FEW]
    return few + [pytest.param(name, 10 * number, id=f"{name}, all", marks=pytest.mark.slow) for name in EVERY]


@pytest.mark.parametrize(("name", "each"), zones(6))
def test_what_is_said_is_what_the_calendar_shows_and_comes_back_as_the_same_instant(name: str, each: int) -> None:
    zone = ZoneInfo(name)
    today = NOW.astimezone(zone).date()
    for start in ahead(name, each=each):
        local = start.astimezone(zone)
        # T1
        assert parse_instant(instant_text(local)) == start
        assert parse_instant(local.isoformat()) == start
        # T2
        said = say_time(start, zone, Language.DE)
        hour, minute = re.fullmatch(r"(\d+) Uhr(?: (\d+))?(?: \w+)?", said).groups()  # type: ignore[union-attr]
        assert (int(hour), int(minute or 0)) == (local.hour, local.minute)
        assert f"{local.day}. " in say_day(local.date(), Language.DE, today=today)
        for language in Language:
            whole = say_slot(start, zone, language, asked_day=None, today=today)
            assert parse_wish(whole, None, now=NOW, zone=zone) == Wish(local.date(), at=start), whole
            clock = say_time(start, zone, language)
            assert parse_wish(local.date().isoformat(), clock, now=NOW, zone=zone) == Wish(local.date(), at=start)


@pytest.mark.parametrize(("name", "each"), zones(4))
def test_a_length_is_elapsed_time_and_a_slot_is_the_same_in_any_zone(name: str, each: int) -> None:
    zone, other = ZoneInfo(name), ZoneInfo("Pacific/Kiritimati")
    for start in ahead(name, each=each):
        for minutes in LENGTHS:
            slot = Slot.of(start.astimezone(zone), minutes)
            # T3
            assert (slot.end - slot.start).total_seconds() == 60 * minutes
            assert slot.end.astimezone(zone).timestamp() - start.timestamp() == 60 * minutes
            # T5
            assert Slot.of(start.astimezone(other), minutes) == slot
            assert Slot(slot.start.astimezone(other), slot.end.astimezone(zone)) == slot
            assert slot.utc_days() == Slot.of(start.astimezone(other), minutes).utc_days()


@pytest.mark.parametrize(
    "name", [*FEW, *(pytest.param(each, marks=pytest.mark.slow, id=f"{each}, all") for each in EVERY)]
)
def test_hours_that_do_not_exist_are_refused_and_hours_that_happen_twice_are_asked_about(name: str) -> None:
    zone = ZoneInfo(name)
    for change in changes(name):
        before = (change - timedelta(seconds=1)).astimezone(zone).utcoffset()
        after = change.astimezone(zone).utcoffset()
        assert before is not None
        assert after is not None
        jump = after - before
        first = (change + before).replace(tzinfo=None)
        """What the clock would have shown, had nobody touched it."""
        inside = [abs(jump) * part / 4 for part in range(4)]
        for offset in inside:
            # T4
            wall = first + offset if jump > timedelta(0) else first - abs(jump) + offset
            found = resolve_local(wall.date(), wall.time(), zone)
            reading = parse_wish(wall.date().isoformat(), wall.strftime("%H:%M"), now=NOW, zone=zone)
            if jump > timedelta(0):
                assert found == Nonexistent(jump)
                assert isinstance(reading, NonexistentTime)
            else:
                earlier = (wall - before).replace(tzinfo=UTC)
                assert found == Ambiguous(earlier, earlier - jump)
                assert isinstance(reading, AmbiguousTime)
        for edge in (first - abs(jump) - timedelta(minutes=1), first + abs(jump)):
            assert isinstance(resolve_local(edge.date(), edge.time(), zone), At)


@pytest.mark.parametrize(
    "name", [*FEW, *(pytest.param(each, marks=pytest.mark.slow, id=f"{each}, all") for each in EVERY)]
)
def test_days_join_at_midnight_and_are_as_long_as_their_clocks_say(name: str) -> None:
    zone = ZoneInfo(name)
    for change in changes(name) or (NOW + timedelta(days=30),):
        day = change.astimezone(zone).date()
        days = [day + timedelta(days=offset) for offset in (-2, -1, 0, 1, 2)]
        bounds = [local_day_bounds(each, zone) for each in days]
        assert [each.end for each in bounds[:-1]] == [each.start for each in bounds[1:]]
        for each, bound in zip(days, bounds, strict=True):
            assert bound.start.astimezone(zone).date() == each
            assert (bound.start - timedelta(seconds=1)).astimezone(zone).date() == each - timedelta(days=1)
        hours = sum((each.duration for each in bounds), timedelta(0))
        offsets = [each.astimezone(zone).utcoffset() for each in (bounds[0].start, bounds[-1].end)]
        assert hours == timedelta(days=5) - ((offsets[1] or timedelta(0)) - (offsets[0] or timedelta(0)))


@pytest.mark.parametrize("name", FEW)
def test_two_overlap_in_the_ledger_whatever_zone_or_midnight_lies_between(name: str) -> None:
    """Whoever shares an instant shares a UTC day, and is found there."""
    dice = random.Random(name)
    for start in ahead(name, each=3):
        one = Slot.of(start, dice.choice(LENGTHS))
        for offset in (-45, -30, -1, 0, 1, 29, 30, 44):
            other = one.shifted(timedelta(minutes=offset))
            held = Interval("a/0", one, IntervalState.CONFIRMED, "op")
            days = {day: StaffDay("fabian", day, 1, {held.key: held}) for day in one.utc_days()}
            found = [days[day].in_the_way_of(other, now=NOW) for day in other.utc_days() if day in days]
            assert any(found) is (max(one.start, other.start) < min(one.end, other.end))


LEAP = date(2028, 2, 29)


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize("language", list(Language))
def test_the_leap_day_is_a_day_like_any_other(name: str, language: Language) -> None:
    zone = ZoneInfo(name)
    now = datetime(2028, 2, 20, 12, tzinfo=UTC)
    bounds = local_day_bounds(LEAP, zone)
    assert bounds.duration == timedelta(hours=24)
    for hours in (0, 9, 23):
        start = bounds.start + timedelta(hours=hours)
        said = say_slot(start, zone, language, asked_day=None, today=now.astimezone(zone).date())
        assert parse_wish(said, None, now=now, zone=zone) == Wish(LEAP, at=start), said
    over_midnight = Slot.of(bounds.end - timedelta(minutes=15), 30)
    assert over_midnight.end.astimezone(zone).date() == date(2028, 3, 1)
    assert parse_wish("29.02.2027", None, now=now, zone=zone) != Wish(date(2027, 3, 1))
