"""In which order the bookings of one appointment are moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bookend.domain.moving import waves
from bookend.domain.timeslot import Slot

DAY = datetime(2025, 11, 28, tzinfo=UTC)


def slot(first: int, last: int) -> Slot:
    """In minutes of the day."""
    return Slot(DAY + timedelta(minutes=first), DAY + timedelta(minutes=last))


PERM = {0: slot(600, 645), 1: slot(705, 735), 2: slot(735, 750)}


def shifted(minutes: int) -> dict[int, Slot]:
    return {
        n: Slot(each.start + timedelta(minutes=minutes), each.end + timedelta(minutes=minutes))
        for n, each in PERM.items()
    }


def test_parts_that_are_in_nobodys_way_go_at_the_same_time() -> None:
    assert waves(PERM, shifted(240)) == ((0, 1, 2),)


def test_who_stands_where_another_goes_goes_first() -> None:
    assert waves(PERM, shifted(15)) == ((0, 2), (1,))
    assert waves(PERM, shifted(-15)) == ((0, 1), (2,))
    assert waves(PERM, shifted(105)) == ((1, 2), (0,))


def test_a_part_that_stands_there_already_does_not_go() -> None:
    assert waves(PERM, {0: slot(615, 660), 1: PERM[1], 2: PERM[2]}) == ((0,),)
    assert waves(PERM, PERM) == ()


def test_one_that_is_not_to_go_stays_in_the_way() -> None:
    assert waves(PERM, {1: slot(720, 750)}) is None


def test_two_that_change_places_cannot() -> None:
    assert waves({0: slot(0, 30), 1: slot(30, 60)}, {0: slot(30, 60), 1: slot(0, 30)}) is None


def _in_a_row(lengths: list[int], gaps: list[int], begins: int) -> dict[int, Slot]:
    found = {}
    for number, (length, gap) in enumerate(zip(lengths, gaps, strict=True)):
        found[number] = slot(begins, begins + length)
        begins += length + gap
    return found


_ROW = st.lists(st.tuples(st.integers(1, 6), st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=5)


@given(_ROW, st.integers(0, 60), st.integers(0, 60))
def test_parts_that_keep_their_order_can_always_go_and_never_onto_one_another(
    row: list[tuple[int, int, int]], old: int, new: int
) -> None:
    lengths = [each for each, _, _ in row]
    stands, goes = _in_a_row(lengths, [g for _, g, _ in row], old), _in_a_row(lengths, [g for _, _, g in row], new)
    order = waves(stands, goes)
    assert order is not None
    for wave in order:
        for index in wave:
            assert not any(other != index and place.overlaps(goes[index]) for other, place in stands.items())
        stands |= {index: goes[index] for index in wave}
    assert stands == goes
