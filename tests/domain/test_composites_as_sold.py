"""Whether the booked parts of a composite are the service as it would be booked now, and where it lies by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bookend.domain.appointment import BookedSegment
from bookend.domain.composites import is_as_sold, rearranged, sending_order, starts_of, usual_parts
from bookend.domain.staff_day import StaffDays
from bookend.domain.timeslot import Slot
from tests.domain.test_availability import NOW, ledger, local, taken
from tests.domain.test_composites import busy, gap, perms, service, walls

PERM = service(busy(45, 1, "fabian", "emma"), gap(60, 50, 75), busy(30, 2, "fabian", "emma"), gap(10))
SOLD = (
    BookedSegment(0, "fabian", Slot.of(local(10), 45), 1),
    BookedSegment(1, "fabian", Slot.of(local(11, 45), 30), 2),
)
CHANGED: dict[str, Callable[[BookedSegment], BookedSegment]] = {
    "another event type": lambda each: replace(each, event_type=each.event_type + 10),
    "longer": lambda each: replace(each, slot=Slot(each.slot.start, each.slot.end + timedelta(minutes=5))),
    "shorter": lambda each: replace(each, slot=Slot(each.slot.start, each.slot.end - timedelta(minutes=5))),
    "another stylist": lambda each: replace(each, staff="emma"),
    "elsewhere": lambda each: replace(each, slot=each.slot.shifted(timedelta(hours=5))),
}


def test_parts_as_they_were_booked_are_as_sold_whichever_stylist_does_them() -> None:
    assert is_as_sold(PERM, SOLD)
    assert is_as_sold(PERM, [replace(each, staff="emma") for each in SOLD])


@pytest.mark.parametrize("gap_of", [50, 60, 75])
def test_so_are_they_with_any_gap_that_could_be_sold(gap_of: int) -> None:
    one, other = SOLD
    begins = one.slot.end + timedelta(minutes=gap_of)
    assert is_as_sold(PERM, (one, replace(other, slot=Slot.of(begins, 30))))


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("change", CHANGED)
def test_one_part_that_is_not_its_own_any_more_is_enough(change: str, number: int) -> None:
    parts = [CHANGED[change](each) if each.index == number else each for each in SOLD]
    assert not is_as_sold(PERM, parts)


@pytest.mark.parametrize("number", [0, 1])
def test_one_part_alone_is_not_the_service(number: int) -> None:
    assert not is_as_sold(PERM, [SOLD[number]])


def test_who_does_not_do_the_service_any_more_has_not_sold_it_so() -> None:
    only_emmas = service(busy(45, 1, "emma"), gap(60, 50, 75), busy(30, 2, "emma"))
    assert not is_as_sold(only_emmas, SOLD)


def test_by_itself_it_lies_with_its_gaps_as_long_as_they_usually_are() -> None:
    assert walls(usual_parts(PERM, local(10))) == ["10:00-10:45", "11:45-12:15"]
    assert walls(usual_parts(service(busy(45)), local(10))) == ["10:00-10:45"]


def test_it_may_begin_whenever_one_of_its_parts_is_listed_once_and_in_order() -> None:
    assert starts_of([[local(11), local(9)], [local(10), local(9)]]) == (local(9), local(10), local(11))


# The part that goes after one that others have moved


def follows(now_minutes: int) -> tuple[Slot, ...] | None:
    """The first part stands from 12:15, the second must begin between 13:50 and 14:15; 13:50 is the only one listed.

    Asked `now_minutes` after 13:50.
    """
    stands = (Slot.of(local(12, 15), 45), Slot.of(local(10), 30))
    now = local(13, 50) + timedelta(minutes=now_minutes)
    days = StaffDays(ledger())
    return rearranged(
        PERM,
        "fabian",
        stands,
        {1: [local(13, 50)]},
        shift=timedelta(minutes=1),
        days=days,
        now=now,
        moving="mine",
    )


def test_no_part_is_sent_into_the_past() -> None:
    found = follows(-1)
    assert found is not None
    assert walls(found)[1:] == ["13:50-14:20"]
    assert follows(0) is not None, "this very moment is not past yet"
    assert follows(1) is None


def test_of_parts_that_go_in_a_ring_none_can_go_first() -> None:
    one, other, third = (Slot.of(local(hour), 30) for hour in (9, 10, 11))
    assert sending_order((one, other, third), (other, third, one)) is None
    assert sending_order((one, other), (other, third)) == [1, 0]
    assert sending_order((one, other), (one, other)) == []


# The moment at which it begins


def test_what_would_begin_now_has_begun_and_the_next_minute_is_free() -> None:
    listed = ([NOW, NOW + timedelta(minutes=1)], [NOW + timedelta(minutes=each) for each in range(240)])
    of = service(busy(45, 1), gap(60), busy(30, 2))
    assert [each.slot.start for each in perms(StaffDays(ledger()), listed, of=of, starts=[NOW])] == []
    later = NOW + timedelta(minutes=1)
    assert [each.slot.start for each in perms(StaffDays(ledger()), listed, of=of, starts=[later])] == [later]


@pytest.mark.parametrize(
    ("begins", "length", "fits"), [(44, 1, False), (45, 60, True), (45, 61, False), (104, 1, True)]
)
def test_what_touches_a_part_is_not_in_its_way(begins: int, length: int, fits: bool) -> None:
    of = service(busy(45, 1), gap(60), busy(30, 2))
    listed = ([local(10)], [local(11, 45)])
    days = StaffDays(ledger(taken("a/0", local(10) + timedelta(minutes=begins), length)))
    assert bool(perms(days, listed, of=of, starts=[local(10)])) is fits
