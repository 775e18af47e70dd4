"""Composite services: where their parts may lie in time, held against counting every possibility out."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pytest

from bookend.domain.availability import Opening, Wanted, choose
from bookend.domain.composites import arrangements, busy_parts, composite_openings, phases, starts_of
from bookend.domain.staff_day import CLOCK_SLACK, Interval, IntervalState, StaffDay, StaffDays
from bookend.domain.tenant import Segment, SegmentKind, Service
from bookend.domain.timeslot import Slot
from tests.domain.test_availability import BERLIN, MONDAY, NOW, ledger, local, taken

BUSY, GAP = SegmentKind.BUSY, SegmentKind.GAP


def busy(minutes: int, event_type: int = 1, *stylists: str) -> Segment:
    return Segment(BUSY, minutes, dict.fromkeys(stylists or ("fabian",), event_type))


def gap(minutes: int, least: int | None = None, most: int | None = None) -> Segment:
    return Segment(GAP, minutes, {}, least, most)


def service(*segments: Segment) -> Service:
    return Service("dauerwelle", "Dauerwelle", segments)


def minutes(*counts: int) -> list[timedelta]:
    return [timedelta(minutes=each) for each in counts]


def every(step: int, first: datetime, last: datetime) -> list[datetime]:
    """Starts every so many minutes, the last one included."""
    return [first + timedelta(minutes=n) for n in range(0, int((last - first).total_seconds() // 60) + 1, step)]


def walls(parts: Sequence[Slot]) -> list[str]:
    return [f"{each.start.astimezone(BERLIN):%H:%M}-{each.end.astimezone(BERLIN):%H:%M}" for each in parts]


PERM = service(busy(45, 1), gap(60), busy(30, 2))
"""Incident I4: 45 minutes with the stylist, 60 in which they are free for others, 30 with them again."""
ALL_DAY = (every(15, local(9), local(17, 15)), every(15, local(9), local(17, 30)))


def perms(
    days: StaffDays,
    listed: Sequence[Sequence[datetime]] = ALL_DAY,
    *,
    of: Service = PERM,
    starts: Sequence[datetime] | None = None,
    ignoring: frozenset[str] = frozenset(),
) -> list[Opening]:
    at = starts_of(listed) if starts is None else starts
    return arrangements(of, "fabian", listed, starts=at, days=days, now=NOW, ignoring=ignoring)


class TestPhases:
    def test_are_the_parts_in_order_with_the_gap_between(self) -> None:
        found = phases(PERM, local(10), minutes(60))
        assert [each.kind for each in found] == [BUSY, GAP, BUSY]
        assert walls([each.slot for each in found]) == ["10:00-10:45", "10:45-11:45", "11:45-12:15"]
        assert walls(busy_parts(found)) == ["10:00-10:45", "11:45-12:15"]

    def test_last_as_long_as_the_clock_on_the_wall_may_not_show(self) -> None:
        """In the night of 26 October the clocks go back at three: an hour of waiting is an hour."""
        before = datetime(2025, 10, 26, 0, 0, tzinfo=UTC)
        assert walls(busy_parts(phases(PERM, before, minutes(60)))) == ["02:00-02:45", "02:45-03:15"]

    def test_parts_of_no_length_are_none(self) -> None:
        close = service(busy(45), gap(15, 0, 30), busy(30))
        assert [each.kind for each in phases(close, local(10), minutes(0))] == [BUSY, BUSY]

    @pytest.mark.parametrize("lasting", [(), (60, 60), (59,), (61,)])
    def test_other_gaps_than_the_definition_has_are_a_mistake(self, lasting: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match="dauerwelle"):
            phases(PERM, local(10), minutes(*lasting))

    def test_follow_a_changed_definition(self) -> None:
        longer = service(busy(50, 1), gap(60, 45, 75), busy(30, 2))
        assert walls(busy_parts(phases(longer, local(10), minutes(70)))) == ["10:00-10:50", "12:00-12:30"]


class TestOneStylist:
    def test_the_perm_of_the_incident_fits_at_ten(self) -> None:
        found = {each.slot.start: each for each in perms(StaffDays(ledger()))}
        ten = found[local(10)]
        assert walls(ten.busy) == ["10:00-10:45", "11:45-12:15"]
        assert ten.slot == Slot(local(10), local(12, 15))
        assert max(found) == local(15, 45), "the last one ends at six"

    def test_event_types_with_the_grid_of_their_own_lengths_do_as_well(self) -> None:
        """Nobody lists 11:45 with a grid of half hours; the time is free, and Cal.com takes a start between."""
        grids = (every(45, local(9), local(17, 15)), every(30, local(9), local(17, 30)))
        found = {each.slot.start: walls(each.busy) for each in perms(StaffDays(ledger()), grids)}
        assert found[local(10)] == ["10:00-10:45", "11:45-12:15"], "listed for the second part only"
        assert found[local(9, 45)] == ["09:45-10:30", "11:30-12:00"], "listed for the first part only"
        assert local(10, 10) not in found, "listed for none"

    @pytest.mark.parametrize(("start", "length"), [(local(10, 30), 15), (local(11, 45), 30), (local(12), 120)])
    def test_what_is_in_the_way_of_any_busy_part_is_in_its_way(self, start: datetime, length: int) -> None:
        days = StaffDays(ledger(taken("a/0", start, length)))
        assert local(10) not in [each.slot.start for each in perms(days)]

    def test_its_gap_may_be_sold_and_two_perms_share_their_gaps(self) -> None:
        days = StaffDays(ledger(taken("cut/0", local(10, 45), 60)))
        assert local(10) in [each.slot.start for each in perms(days)]
        other = (taken("perm/0", local(10), 45), taken("perm/1", local(11, 45), 30))
        inside = {each.slot.start: walls(each.busy) for each in perms(StaffDays(ledger(*other)))}
        assert inside[local(10, 45)] == ["10:45-11:30", "12:30-13:00"]
        assert local(10, 30) not in inside

    def test_ones_own_hold_is_free(self) -> None:
        days = StaffDays(ledger(taken("mine/1", local(11, 45), 30, IntervalState.HELD)))
        assert not perms(days, starts=[local(10)])
        assert perms(days, starts=[local(10)], ignoring=frozenset({"mine/1"}))

    def test_what_is_to_be_moved_is_not_in_its_own_way(self) -> None:
        days = StaffDays(ledger(taken("a/0", local(10), 45), taken("a/1", local(11, 45), 30)))
        for moving, count in (("a", 1), ("b", 0), (None, 0)):
            starts = [local(10, 15)]
            found = arrangements(PERM, "fabian", ALL_DAY, starts=starts, days=days, now=NOW, moving=moving)
            assert len(found) == count

    def test_a_gap_lasts_as_long_as_it_must_within_its_bounds(self) -> None:
        flexible = service(busy(45, 1), gap(60, 50, 90), busy(30, 2))

        def second_part(*intervals: Interval) -> list[list[str]]:
            found = perms(StaffDays(ledger(*intervals)), of=flexible, starts=[local(10)])
            return [walls(each.busy)[1:] for each in found]

        assert second_part() == [["11:35-12:05"]], "as early as it may"
        assert second_part(taken("a/0", local(11, 30), 30)) == [["12:00-12:30"]], "after what is in its way"
        assert second_part(taken("a/0", local(11, 30), 45)) == [["12:15-12:45"]], "at the latest"
        assert second_part(taken("a/0", local(11, 30), 46)) == []

    def test_an_early_second_part_does_not_cost_the_third(self) -> None:
        """The second part could begin at 10:00, and then the third would have to begin at 10:40, which is taken."""
        three = service(busy(30, 1), gap(30, 30, 60), busy(30, 2), gap(10), busy(30, 3))
        listed = [every(5, local(9), local(17))] * 3
        days = StaffDays(ledger(taken("a/0", local(10, 40), 10)))
        (found,) = perms(days, listed, of=three, starts=[local(9)])
        assert walls(found.busy) == ["09:00-09:30", "10:10-10:40", "10:50-11:20"]

    def test_parts_without_a_gap_follow_at_once(self) -> None:
        twice = service(busy(45, 1), busy(30, 2))
        (found,) = perms(StaffDays(ledger()), of=twice, starts=[local(10)])
        assert walls(found.busy) == ["10:00-10:45", "10:45-11:15"]

    def test_a_part_whose_day_was_not_read_is_not_free(self) -> None:
        late = datetime(2025, 11, 3, 22, 30, tzinfo=UTC)  # the second part begins at 0:15 UTC of the next day
        listed = (every(15, late, late + timedelta(hours=4)),) * 2
        assert perms(StaffDays(ledger()), listed, starts=[late])
        assert not perms(StaffDays(ledger(days=1)), listed, starts=[late])

    def test_the_past_is_not_free(self) -> None:
        listed = (every(15, NOW - timedelta(hours=1), NOW + timedelta(hours=5)),) * 2
        assert perms(StaffDays(ledger()), listed)[0].slot.start == NOW + timedelta(minutes=15), (
            "what begins now has begun"
        )


class TestSeveralStylists:
    PAIR = service(busy(45, 1, "fabian", "emma"), gap(60), busy(30, 2, "fabian", "emma"))

    def at_ten(self, *fabians: Interval, emmas: Sequence[Interval] = ()) -> str:
        listed = dict.fromkeys(("fabian", "emma"), ALL_DAY)
        days = StaffDays(ledger(*fabians) | ledger(*emmas, staff="emma"))
        starts = dict.fromkeys(listed, (local(10),))
        (found,) = composite_openings(self.PAIR, listed, starts, days=days, now=NOW)
        return found.staff

    def test_the_one_with_less_that_day_serves_then_the_first_configured(self) -> None:
        assert self.at_ten() == "fabian"
        assert self.at_ten(taken("a/0", local(15), 30)) == "emma"
        assert self.at_ten(taken("a/0", local(15), 30), emmas=[taken("b/0", local(9), 30)]) == "fabian"

    def test_nobody_begins_what_another_would_have_to_end(self) -> None:
        listed = dict.fromkeys(("fabian", "emma"), ALL_DAY)
        days = StaffDays(ledger(taken("a/0", local(11, 45), 30)) | ledger(taken("b/0", local(10), 45), staff="emma"))
        starts = dict.fromkeys(listed, (local(10),))
        assert composite_openings(self.PAIR, listed, starts, days=days, now=NOW) == []


def test_offers_of_one_stylist_share_a_gap_and_no_busy_part() -> None:
    free = perms(StaffDays(ledger()))
    chosen = choose(free, Wanted(MONDAY, local(10)), zone=BERLIN)
    assert [walls(each.busy) for each in chosen[:2]] == [
        ["10:00-10:45", "11:45-12:15"],
        ["09:15-10:00", "11:00-11:30"],
    ]
    parts = [part for each in chosen for part in each.busy]
    assert not any(one.overlaps(other) for n, one in enumerate(parts) for other in parts[n + 1 :])


# Every possibility counted out, in cells of five minutes

CELL = timedelta(minutes=5)
CELLS = 72
STAFF = ("fabian", "emma", "udo")


@dataclass
class Schedule:
    """A small salon: what Cal.com and the ledger say of every stylist, in cells since `opens`."""

    opens: datetime
    now: datetime
    service: Service
    hours: dict[str, set[int]] = field(default_factory=dict)
    booked: dict[str, set[int]] = field(default_factory=dict)
    steps: dict[str, list[int]] = field(default_factory=dict)
    intervals: dict[str, list[Interval]] = field(default_factory=dict)
    unread: date | None = None
    own: frozenset[str] = frozenset({"mine/0", "mine/1"})

    def at(self, cell: int) -> datetime:
        return self.opens + cell * CELL

    def listed(self, staff: str) -> list[list[datetime]]:
        """As Cal.com lists them: from the beginning of each stretch of free time, step by step."""
        free = self.hours[staff] - self.booked[staff]
        found = []
        for segment, step in zip(self.service.busy, self.steps[staff], strict=True):
            length, starts, cell = segment.length // CELL, [], 0
            while cell < CELLS:
                fits = all(each in free for each in range(cell, cell + length))
                if fits:
                    starts.append(self.at(cell))
                cell += step if fits else 1
            found.append(starts)
        return found

    def days(self) -> StaffDays:
        found = {}
        for staff, intervals in self.intervals.items():
            for day in {self.at(cell).date() for cell in range(CELLS)} - {self.unread}:
                inside = {each.key: each for each in intervals if day in each.slot.utc_days()}
                found[staff, day] = StaffDay(staff, day, 1, inside)
        return StaffDays(found)

    def blocked(self, staff: str) -> set[int]:
        """Cells that others have in the ledger, and those of a day that was not read."""
        found = {cell for cell in range(CELLS) if self.at(cell).date() == self.unread}
        for each in self.intervals[staff]:
            is_hold = each.state is IntervalState.HELD
            if is_hold and (each.key in self.own or (each.expires and each.expires + CLOCK_SLACK <= self.now)):
                continue
            found |= {cell for cell in range(CELLS) if each.slot.start <= self.at(cell) < each.slot.end}
        return found


def random_service(dice: random.Random) -> Service:
    segments = [busy(5 * dice.randint(1, 5), 1)]
    for number in range(2, dice.randint(1, 4) + 1):
        if dice.random() < 0.8:
            least = 5 * dice.randint(0, 4)
            most = least + 5 * dice.choice((0, 0, 1, 3, 6))
            usual = 5 * dice.randint(least // 5, most // 5)
            segments.append(gap(usual, least, most) if most > 0 else gap(5))
        segments.append(busy(5 * dice.randint(1, 5), number))
    return service(*segments)


def random_schedule(dice: random.Random) -> Schedule:
    opens = datetime(2025, 11, 3, dice.choice((8, 20, 22)), 0, tzinfo=UTC)
    now = opens + CELL * dice.choice((-12, -12, 0, 20)) + timedelta(seconds=dice.choice((0, 1)))
    schedule = Schedule(opens, now, random_service(dice))
    if dice.random() < 0.1:
        schedule.unread = (opens + (CELLS - 1) * CELL).date()
    for staff in STAFF[: dice.randint(1, 3)]:
        first = dice.randint(0, 12)
        schedule.hours[staff] = set(range(first, dice.randint(first + 10, CELLS)))
        schedule.booked[staff] = {
            cell for begins in random_cells(dice, 4) for cell in range(begins, begins + dice.randint(1, 8))
        }
        schedule.steps[staff] = [dice.choice((1, 1, 3, segment.length // CELL)) for segment in schedule.service.busy]
        schedule.intervals[staff] = [
            random_interval(dice, schedule, number, begins) for number, begins in enumerate(random_cells(dice, 5))
        ]
    return schedule


def random_cells(dice: random.Random, most: int) -> list[int]:
    return [dice.randrange(CELLS) for _ in range(dice.randint(0, most))]


def random_interval(dice: random.Random, schedule: Schedule, number: int, begins: int) -> Interval:
    state = dice.choice((IntervalState.CONFIRMED, IntervalState.PENDING, IntervalState.HELD, IntervalState.HELD))
    key = dice.choice((f"theirs{number}/0", f"mine/{number}"))
    expires = schedule.now + timedelta(seconds=dice.choice((-60, -1, 60))) if state is IntervalState.HELD else None
    return Interval(key, Slot.of(schedule.at(begins), 5 * dice.randint(1, 6)), state, "op", expires)


def counted_out(schedule: Schedule, staff: str, begins: int, fits: Callable[[int, int], bool]) -> list[int] | None:
    """The first cells of all busy parts if the service begins there: of all possibilities, shorter gaps first."""
    segments = schedule.service.segments

    def from_(number: int, cell: int) -> Iterator[list[int]]:
        if number == len(segments):
            yield []
            return
        segment = segments[number]
        if segment.kind is GAP:
            for lasting in range(segment.shortest // CELL, segment.longest // CELL + 1):
                yield from from_(number + 1, cell + lasting)
            return
        part = sum(each.kind is BUSY for each in segments[:number])
        length = segment.length // CELL
        if all(fits(part, each) for each in range(cell, cell + length)):
            yield from ([cell, *rest] for rest in from_(number + 1, cell + length))

    return next(from_(0, begins), None)


def possible(schedule: Schedule, known: Callable[[str, int, int], bool]) -> dict[datetime, tuple[str, list[datetime]]]:
    """By start: who serves, and when the parts begin. `known`: whether a cell is known to be free for a part."""
    found: dict[datetime, tuple[int, int, str, list[datetime]]] = {}
    days = schedule.days()
    for rank, staff in enumerate(schedule.hours):
        blocked = schedule.blocked(staff)
        on_sale = {start for starts in schedule.listed(staff) for start in starts}
        for cell in range(CELLS):
            if schedule.at(cell) <= schedule.now or schedule.at(cell) not in on_sale:
                continue
            parts = counted_out(
                schedule,
                staff,
                cell,
                lambda part, each, who=staff, out=blocked: each not in out and known(who, part, each),
            )
            if parts is None:
                continue
            starts = [schedule.at(each) for each in parts]
            end = starts[-1] + schedule.service.busy[-1].length
            much = sum(
                len(day.intervals)
                for (who, day_of), day in days.days.items()
                if who == staff and starts[0].date() <= day_of <= (end - CELL).date()
            )
            candidate = (much, rank, staff, starts)
            found[starts[0]] = min(found.get(starts[0], candidate), candidate, key=lambda one: one[:2])
    return {start: (staff, starts) for start, (_, _, staff, starts) in found.items()}


def offered(schedule: Schedule) -> dict[datetime, tuple[str, list[datetime]]]:
    listed = {staff: schedule.listed(staff) for staff in schedule.hours}
    found = composite_openings(
        schedule.service,
        listed,
        {staff: starts_of(told) for staff, told in listed.items()},
        days=schedule.days(),
        now=schedule.now,
        ignoring=schedule.own,
    )
    assert [each.slot.start for each in found] == sorted({each.slot.start for each in found})
    for each in found:
        lengths = [segment.length for segment in schedule.service.busy]
        assert [part.duration for part in each.busy] == lengths
        assert each.slot == Slot(each.busy[0].start, each.busy[-1].end)
    return {each.slot.start: (each.staff, [part.start for part in each.busy]) for each in found}


def cells_of(schedule: Schedule, start: datetime, segment: Segment) -> range:
    first = (start - schedule.opens) // CELL
    return range(first, first + segment.length // CELL)


@pytest.mark.parametrize("batch", range(20))
def test_what_is_offered_is_exactly_what_is_possible(batch: int) -> None:
    """2,000 schedules: of what Cal.com lists and the ledger leaves free, every start that fits and no other."""
    found = 0
    for number in range(100):
        schedule = random_schedule(random.Random(batch * 100 + number))
        told = {
            (staff, part): {cell for start in starts for cell in cells_of(schedule, start, schedule.service.busy[part])}
            for staff in schedule.hours
            for part, starts in enumerate(schedule.listed(staff))
        }
        expected = possible(schedule, lambda staff, part, cell, of=told: cell in of[staff, part])
        assert offered(schedule) == expected, f"seed {batch * 100 + number}"
        found += len(expected)
    assert found > 300, "the schedules are too full to show anything"


@pytest.mark.parametrize("batch", range(3))
def test_where_calcom_lists_every_start_nothing_that_is_really_free_is_missed(batch: int) -> None:
    """And whatever it lists, nothing is offered that Cal.com would refuse: every part lies in hours that are free."""
    for number in range(100):
        schedule = random_schedule(random.Random(5_000 + batch * 100 + number))
        free = {staff: schedule.hours[staff] - schedule.booked[staff] for staff in schedule.hours}
        for staff, starts in offered(schedule).values():
            for segment, start in zip(schedule.service.busy, starts, strict=True):
                assert free[staff] >= set(cells_of(schedule, start, segment))
        for staff in schedule.steps:
            schedule.steps[staff] = [1] * len(schedule.service.busy)
        expected = possible(schedule, lambda staff, _, cell, of=free: cell in of[staff])
        assert offered(schedule) == expected, f"seed {5_000 + batch * 100 + number}"
