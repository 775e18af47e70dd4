"""One part of a composite is moved by others: whether the whole is still one, and where the rest can go."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from bookend.domain.appointment import Amiss, BookedSegment
from bookend.domain.composites import parts_in_the_wrong_place, rearranged, sending_order, what_is_amiss
from bookend.domain.staff_day import StaffDays
from bookend.domain.tenant import SegmentKind, Service
from bookend.domain.timeslot import Slot
from tests.domain.test_availability import NOW, ledger, local, taken
from tests.domain.test_composites import CELL, CELLS, busy, every, gap, random_service, service, walls

PERM = service(busy(45, 1), gap(60, 50, 75), busy(30, 2))
TEN = (Slot.of(local(10), 45), Slot.of(local(11, 45), 30))
THREE = service(busy(45, 1), gap(60, 50, 75), busy(30, 2), gap(10), busy(15, 3))
ALL_DAY = every(5, local(8), local(18))


def segments(*slots: Slot, staff: str = "fabian") -> list[BookedSegment]:
    return [BookedSegment(number, staff, slot, number + 1) for number, slot in enumerate(slots)]


def later(slot: Slot, minutes: int) -> Slot:
    by = timedelta(minutes=minutes)
    return Slot(slot.start + by, slot.end + by)


class TestWhatIsAmiss:
    @pytest.mark.parametrize(
        ("by", "amiss"),
        [
            (0, None),
            (15, None),
            (-10, None),
            (16, Amiss.GAP_TOO_LONG),
            (-11, Amiss.GAP_TOO_SHORT),
            (-300, Amiss.GAP_TOO_SHORT),
        ],
    )
    def test_is_a_gap_beyond_its_bounds(self, by: int, amiss: Amiss | None) -> None:
        assert what_is_amiss(PERM, segments(TEN[0], later(TEN[1], by))) is amiss

    def test_is_no_part_that_is_longer_than_it_was_sold(self) -> None:
        assert what_is_amiss(PERM, segments(TEN[0], Slot.of(TEN[1].start, 50))) is None

    def test_is_a_part_that_has_gone_whichever(self) -> None:
        for left in segments(*TEN):
            assert what_is_amiss(PERM, [left]) is Amiss.PART_GONE

    def test_is_another_stylist_for_one_part(self) -> None:
        one, other = segments(*TEN)
        assert what_is_amiss(PERM, [one, segments(*TEN, staff="emma")[1]]) is Amiss.OTHER_STYLIST
        assert what_is_amiss(PERM, segments(*TEN, staff="emma")) is None
        assert other.index == 1

    def test_cannot_be_told_where_the_service_has_fewer_parts_or_is_not_there(self) -> None:
        assert what_is_amiss(None, segments(*TEN)) is Amiss.NOT_SOLD
        assert what_is_amiss(service(busy(45, 1)), segments(*TEN)) is Amiss.NOT_SOLD

    def test_parts_without_a_gap_between_them_must_follow_at_once(self) -> None:
        twice = service(busy(45, 1), busy(30, 2))
        assert what_is_amiss(twice, segments(TEN[0], Slot.of(TEN[0].end, 30))) is None
        assert what_is_amiss(twice, segments(TEN[0], Slot.of(TEN[0].end + CELL, 30))) is Amiss.GAP_TOO_LONG


class TestWhoShouldGo:
    STANDS = (*TEN, Slot.of(local(12, 25), 15))

    @pytest.mark.parametrize(
        ("moved", "by", "going"),
        [(0, 15, {1, 2}), (0, 5, set()), (1, 10, {2}), (1, 30, {0, 2}), (2, 10, {0, 1}), (2, 0, set())],
    )
    def test_is_every_part_on_a_side_that_does_not_fit_any_more(self, moved: int, by: int, going: set[int]) -> None:
        slots = [later(each, by) if number == moved else each for number, each in enumerate(self.STANDS)]
        assert parts_in_the_wrong_place(THREE, slots, moved=moved) == going


def around(
    stands: Sequence[Slot],
    *going: int,
    of: Service = PERM,
    shift: int = 0,
    days: StaffDays | None = None,
    listed: Sequence[datetime] = ALL_DAY,
    now: datetime = NOW,
) -> tuple[Slot, ...] | None:
    days = days or StaffDays(ledger())
    by = timedelta(minutes=shift)
    return rearranged(of, "fabian", stands, dict.fromkeys(going, listed), shift=by, days=days, now=now, moving="mine")


class TestRearranged:
    def test_by_the_same_shift_if_that_is_free(self) -> None:
        found = around((later(TEN[0], 90), TEN[1]), 1, shift=90)
        assert found is not None
        assert walls(found) == ["11:30-12:15", "13:15-13:45"]

    def test_what_was_sold_with_a_short_gap_keeps_it(self) -> None:
        found = around((later(TEN[0], 90), later(TEN[1], -10)), 1, shift=90)
        assert found is not None
        assert walls(found) == ["11:30-12:15", "13:05-13:35"]

    def test_else_the_part_after_it_goes_as_early_as_it_can(self) -> None:
        days = StaffDays(ledger(taken("theirs/0", local(13, 30), 5)))
        found = around((later(TEN[0], 105), TEN[1]), 1, shift=105, days=days)
        assert found is not None
        assert walls(found) == ["11:45-12:30", "13:35-14:05"]

    def test_and_the_part_before_it_as_late_as_it_can(self) -> None:
        days = StaffDays(ledger(taken("theirs/0", local(12, 20), 5)))
        found = around((TEN[0], later(TEN[1], 100)), 0, shift=100, days=days)
        assert found is not None
        assert walls(found) == ["11:35-12:20", "13:25-13:55"]

    def test_ones_own_old_time_is_free_though_cal_com_does_not_list_it(self) -> None:
        found = around((later(TEN[0], 20), TEN[1]), 1, shift=20, listed=[local(12, 15)])
        assert found is not None
        assert walls(found) == ["10:20-11:05", "12:05-12:35"]

    @pytest.mark.parametrize("why", ["taken", "not listed", "not read", "over"])
    def test_nowhere(self, why: str) -> None:
        days = StaffDays(ledger(taken("theirs/0", local(13), 60))) if why == "taken" else StaffDays(ledger())
        if why == "not read":
            days = StaffDays()
        listed = [] if why == "not listed" else ALL_DAY
        now = local(14) if why == "over" else NOW
        assert around((later(TEN[0], 90), TEN[1]), 1, shift=90, days=days, listed=listed, now=now) is None

    def test_one_own_interval_in_the_ledger_is_in_nobodys_way(self) -> None:
        days = StaffDays(ledger(taken("mine/1", local(13, 15), 30)))
        assert around((later(TEN[0], 90), TEN[1]), 1, shift=90, days=days) is not None

    def test_what_stays_is_as_long_as_it_is_there(self) -> None:
        found = around((Slot.of(local(10), 60), TEN[1]), 1, shift=15)
        assert found is not None
        assert walls(found) == ["10:00-11:00", "12:00-12:30"]

    @pytest.mark.parametrize("batch", range(4))
    def test_exactly_where_counting_out_finds_a_place(self, batch: int) -> None:
        """Random services, of which one part was moved and any of the others may go: there is a place, or none."""
        some = none = 0
        for number in range(100):
            dice = random.Random(batch * 100 + number)
            of = random_service(dice)
            count = len(of.busy)
            if count == 1:
                continue
            begins = local(8)
            stands = []
            for segment in of.busy:
                begins += CELL * dice.randint(0, 4)
                stands.append(Slot(begins, begins + segment.length))
                begins += segment.length
            moved = dice.randrange(count)
            going = {each for each in range(count) if each != moved and dice.random() < 0.8}
            free = [{cell for cell in range(CELLS) if dice.random() < 0.85} for _ in of.busy]
            listed = {
                each: [
                    local(8) + CELL * cell
                    for cell in range(CELLS)
                    if {*range(cell, cell + of.busy[each].length // CELL)} <= free[each]
                ]
                for each in going
            }
            days = StaffDays(ledger())
            by = CELL * dice.randint(-6, 6)
            found = rearranged(of, "fabian", stands, listed, shift=by, days=days, now=NOW, moving="mine")
            possible = counted_out(of, stands, listed, free)
            assert (found is not None) == possible, f"seed {batch * 100 + number}"
            if found is None:
                none += 1
                continue
            some += 1
            assert what_is_amiss(of, segments(*found)) is None
            assert all(found[each] == stands[each] for each in range(count) if each not in going)
        assert min(some, none) >= 10


def counted_out(
    of: Service, stands: Sequence[Slot], listed: dict[int, list[datetime]], free: Sequence[set[int]]
) -> bool:
    """Whether any choice of gaps fits, cell by cell."""
    own = {cell_of(stands[each].start) + n for each in listed for n in range(stands[each].duration // CELL)}

    def fits(part: int, cell: int) -> bool:
        length = of.busy[part].length // CELL
        if part not in listed:
            return cell == cell_of(stands[part].start)
        told = {each + n for each in map(cell_of, listed[part]) for n in range(length)}
        return {*range(cell, cell + length)} <= told | own

    def from_(number: int, cell: int, part: int) -> bool:
        if number == len(of.segments):
            return True
        segment = of.segments[number]
        if segment.kind is SegmentKind.GAP:
            lasting = range(segment.shortest // CELL, segment.longest // CELL + 1)
            return any(from_(number + 1, cell + each, part) for each in lasting)
        return fits(part, cell) and from_(number + 1, cell + segment.length // CELL, part + 1)

    return any(from_(0, cell, 0) for cell in range(-40, CELLS + 40))


def cell_of(moment: datetime) -> int:
    return (moment - local(8)) // CELL


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_sending_never_asks_for_a_time_that_a_part_still_has(seed: int) -> None:
    """And there is none only if no order would do."""
    dice = random.Random(seed)
    orders = nones = 0
    for _ in range(300):
        count = dice.randint(2, 4)
        stands = apart(dice, count)
        places = [
            each if dice.random() < 0.2 else other for each, other in zip(stands, apart(dice, count), strict=True)
        ]
        left = [number for number in range(count) if stands[number] != places[number]]
        found = sending_order(stands, places)
        if found is None:
            nones += 1
            assert not any(works(order, stands, places) for order in itertools.permutations(left))
        else:
            orders += 1
            assert sorted(found) == left
            assert works(found, stands, places)
    assert orders > 50


def apart(dice: random.Random, count: int) -> list[Slot]:
    begins, found = local(8), []
    for _ in range(count):
        begins += CELL * dice.randint(0, 3)
        found.append(Slot.of(begins, 5 * dice.randint(1, 4)))
        begins = found[-1].end
    dice.shuffle(found)
    return found


def works(order: Sequence[int], stands: Sequence[Slot], places: Sequence[Slot]) -> bool:
    """No part is sent onto another one of those that go, as long as that is still where it was."""
    return not any(
        places[number].overlaps(stands[other]) for at, number in enumerate(order) for other in order[at + 1 :]
    )
