"""The ledger: what blocks whom, for how long, and what a write may free."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookend.domain.staff_day import (
    CLOCK_SLACK,
    Interval,
    IntervalState,
    StaffDay,
    StaffDays,
    interval_key,
    target_key,
)
from bookend.domain.timeslot import Slot

NOW = datetime(2025, 10, 27, 8, 0, tzinfo=UTC)
DAY = NOW.date()
HELD, PENDING, CONFIRMED = IntervalState.HELD, IntervalState.PENDING, IntervalState.CONFIRMED
properties = settings(derandomize=True, max_examples=150, deadline=None, database=None)


def at(hour: float, minutes: int = 30) -> Slot:
    return Slot.of(datetime(2025, 10, 27, tzinfo=UTC) + timedelta(hours=hour), minutes)


def interval(key: str, slot: Slot, state: IntervalState, *, expires: datetime | None = None) -> Interval:
    if state is HELD and expires is None:
        expires = NOW + timedelta(seconds=120)
    return Interval(key, slot, state, f"op of {key}", expires)


def day_of(*intervals: Interval, day: date = DAY) -> StaffDay:
    return StaffDay("fabian", day, 7, {each.key: each for each in intervals})


def days_of(*days: StaffDay) -> StaffDays:
    return StaffDays({(each.staff, each.day): each for each in days})


class TestBlocking:
    @pytest.mark.parametrize("state", [HELD, PENDING, CONFIRMED])
    def test_every_state_blocks_others(self, state: IntervalState) -> None:
        day = day_of(interval("a/0", at(9), state))
        assert [each.key for each in day.in_the_way_of(at(9.25), now=NOW)] == ["a/0"]

    @pytest.mark.parametrize("state", [HELD, PENDING, CONFIRMED])
    def test_what_only_touches_blocks_nobody(self, state: IntervalState) -> None:
        day = day_of(interval("a/0", at(9), state))
        assert not day.in_the_way_of(at(9.5), now=NOW)
        assert not day.in_the_way_of(at(8.5), now=NOW)

    def test_a_hold_blocks_others_two_seconds_longer_than_it_serves_its_owner(self) -> None:
        hold = interval("a/0", at(9), HELD)
        assert hold.expires is not None
        last = hold.expires - timedelta(milliseconds=1)
        assert (hold.usable_at(last), hold.blocks_at(last)) == (True, True)
        assert (hold.usable_at(hold.expires), hold.blocks_at(hold.expires)) == (False, True)
        gone = hold.expires + CLOCK_SLACK
        assert timedelta(seconds=2) == CLOCK_SLACK
        assert hold.blocks_at(gone - timedelta(milliseconds=1))
        assert not hold.blocks_at(gone)

    @pytest.mark.parametrize("state", [PENDING, CONFIRMED])
    def test_what_is_more_than_a_hold_never_expires_even_if_an_expiry_was_left_on_it(
        self, state: IntervalState
    ) -> None:
        taken = interval("a/0", at(9), state, expires=NOW - timedelta(days=1))
        day = day_of(taken)
        assert taken.blocks_at(NOW + timedelta(days=365))
        assert day.in_the_way_of(at(9), now=NOW)
        assert day.expired(NOW) == frozenset()

    def test_ones_own_hold_is_in_nobodys_way_but_others(self) -> None:
        day = day_of(interval("mine/0", at(9), HELD), interval("theirs/0", at(9.5), HELD))
        assert not day.in_the_way_of(at(9), now=NOW, ignoring={"mine/0"})
        assert [each.key for each in day.in_the_way_of(at(9.25), now=NOW, ignoring={"mine/0"})] == ["theirs/0"]

    @pytest.mark.parametrize("state", [PENDING, CONFIRMED])
    def test_ones_own_booking_is_never_ignored(self, state: IntervalState) -> None:
        day = day_of(interval("mine/0", at(9), state))
        assert day.in_the_way_of(at(9.25), now=NOW, ignoring={"mine/0"})

    def test_an_expired_hold_is_in_nobodys_way(self) -> None:
        day = day_of(interval("old/0", at(9), HELD, expires=NOW - CLOCK_SLACK))
        assert not day.in_the_way_of(at(9), now=NOW)

    @pytest.mark.parametrize("state", [PENDING, CONFIRMED])
    def test_only_a_hold_can_be_turned_into_a_booking(self, state: IntervalState) -> None:
        assert not interval("a/0", at(9), state, expires=NOW + timedelta(seconds=60)).usable_at(NOW)

    def test_a_hold_whose_end_is_not_known_blocks_everybody_and_serves_nobody(self) -> None:
        endless = Interval("a/0", at(9), HELD, "op")
        assert endless.blocks_at(NOW + timedelta(days=365))
        assert not endless.usable_at(NOW)

    def test_what_is_moved_is_not_in_its_own_way_and_everything_else_is(self) -> None:
        day = day_of(interval("a/0", at(9), CONFIRMED), interval("b/0", at(9.25), CONFIRMED))
        assert [each.key for each in day.in_the_way_of(at(9), now=NOW, moving="a")] == ["b/0"]
        assert [each.key for each in day.in_the_way_of(at(9), now=NOW)] == ["a/0", "b/0"]
        assert days_of(day_of(interval("a/0", at(9), CONFIRMED))).is_free("fabian", at(9.25), now=NOW, moving="a")

    def test_where_a_part_stands_and_where_it_shall_go_have_two_names(self) -> None:
        assert (interval_key("a", 1), target_key("a", 1)) == ("a/1", "a/1+")


class TestReplacing:
    def test_it_takes_the_holds_that_are_in_its_way_and_no_others(self) -> None:
        day = day_of(
            interval("a/0", at(9), CONFIRMED),
            interval("a/0+", at(15), PENDING),
            interval("over/0", at(12), HELD),
            interval("beside/0", at(12.5), HELD),
            interval("old/0", at(17), HELD, expires=NOW - CLOCK_SLACK),
            interval("b/0", at(12.25), CONFIRMED),
        )
        after = day.replaced("a", [interval("a/0", at(12), CONFIRMED)], now=NOW)
        assert set(after.intervals) == {"a/0", "beside/0", "b/0"}
        assert after.intervals["a/0"].slot == at(12)


class TestRewriting:
    def test_only_holds_are_freed(self) -> None:
        day = day_of(interval("h/0", at(9), HELD), interval("p/0", at(10), PENDING), interval("c/0", at(11), CONFIRMED))
        after = day.rewritten([], freeing={"h/0", "p/0", "c/0", "unknown/0"}, now=NOW)
        assert set(after.intervals) == {"p/0", "c/0"}

    def test_expired_holds_are_dropped_and_everything_else_kept(self) -> None:
        day = day_of(
            interval("old/0", at(9), HELD, expires=NOW - CLOCK_SLACK),
            interval("just/0", at(9.5), HELD, expires=NOW - timedelta(seconds=1)),
            interval("p/0", at(10), PENDING, expires=NOW - timedelta(days=1)),
        )
        assert set(day.rewritten([], now=NOW).intervals) == {"just/0", "p/0"}

    def test_the_version_stays_the_one_that_was_read(self) -> None:
        new = interval("n/0", at(12), PENDING)
        after = day_of(interval("h/0", at(9), HELD)).rewritten([new], now=NOW)
        assert after.version == 7
        assert after.intervals["n/0"] == new

    def test_an_expired_hold_turns_into_the_booking_that_was_made_of_it(self) -> None:
        key = interval_key("offer", 0)
        day = day_of(interval(key, at(9), HELD, expires=NOW - timedelta(hours=1)))
        after = day.rewritten([interval(key, at(9), PENDING)], now=NOW)
        assert after.intervals[key].state is PENDING


class TestSeveralDays:
    def test_a_slot_over_midnight_is_checked_on_both_days(self) -> None:
        slot = at(23.75)
        tomorrow = DAY + timedelta(days=1)
        late = interval("late/0", at(24.1, 5), CONFIRMED)
        free = days_of(day_of(), day_of(day=tomorrow))
        taken = days_of(day_of(), day_of(late, day=tomorrow))
        assert free.is_free("fabian", slot, now=NOW)
        assert not taken.is_free("fabian", slot, now=NOW)

    def test_a_day_that_was_not_read_says_nothing(self) -> None:
        days = days_of(day_of())
        assert days.covers("fabian", at(9))
        assert not days.covers("fabian", at(23.75))
        assert not days.covers("emma", at(9))
        with pytest.raises(KeyError):
            days.is_free("fabian", at(23.75), now=NOW)

    def test_days_seen_anew_replace_the_old_picture(self) -> None:
        days = days_of(day_of()).updated([day_of(interval("c/0", at(9), CONFIRMED))])
        assert not days.is_free("fabian", at(9), now=NOW)
        assert days.busy_count("fabian", at(15)) == 1


class TestStaleConflicts:
    def flagged(self, days: StaffDays) -> set[str]:
        known = {
            key: each for day in days.without_stale_conflicts().days.values() for key, each in day.intervals.items()
        }
        return {key for key, each in known.items() if each.conflict}

    def test_a_flag_stays_while_another_appointment_overlaps_and_no_longer(self) -> None:
        a, b = (replace(interval(f"{name}/0", at(9), CONFIRMED), conflict=True) for name in "ab")
        assert self.flagged(days_of(day_of(a, b))) == {"a/0", "b/0"}
        assert self.flagged(days_of(day_of(a, interval("c/0", at(9.5), CONFIRMED)))) == set()

    def test_a_hold_is_no_appointment(self) -> None:
        a = replace(interval("a/0", at(9), CONFIRMED), conflict=True)
        assert self.flagged(days_of(day_of(a, interval("h/0", at(9), HELD)))) == set()

    def test_of_what_is_over_midnight_nothing_is_known_with_one_day_at_hand(self) -> None:
        late = replace(interval("a/0", at(23.75), CONFIRMED), conflict=True)
        assert self.flagged(days_of(day_of(late))) == {"a/0"}
        assert self.flagged(days_of(day_of(late), day_of(late, day=DAY + timedelta(days=1)))) == set()


starts = st.integers(0, 40 * 60).map(lambda minute: datetime(2025, 10, 26, tzinfo=UTC) + timedelta(minutes=minute))
wishes = st.lists(
    st.tuples(starts, st.integers(1, 180), st.sampled_from([HELD, PENDING, CONFIRMED]), st.integers(0, 300)),
    max_size=25,
)


@given(wishes)
@properties
def test_whatever_is_asked_for_no_two_slots_that_were_found_free_overlap(
    asked: list[tuple[datetime, int, IntervalState, int]],
) -> None:
    """Wishes arrive one after the other; what is_free accepts is written to every day it touches."""
    days = days_of(*(day_of(day=date(2025, 10, 26) + timedelta(days=n)) for n in range(4)))
    taken: list[tuple[Slot, datetime | None]] = []
    now = NOW
    for number, (start, minutes, state, later) in enumerate(asked):
        now += timedelta(seconds=later)
        slot = Slot.of(start, minutes)
        if not days.is_free("fabian", slot, now=now):
            continue
        expires = now + timedelta(seconds=120) if state is HELD else None
        added = interval(f"{number}/0", slot, state, expires=expires)
        days = days.updated([days.day("fabian", day).rewritten([added], now=now) for day in slot.utc_days()])
        for other, until in taken:
            meets = max(other.start, slot.start) < min(other.end, slot.end)
            assert not meets or (until is not None and now >= until + timedelta(seconds=2))
        taken.append((slot, expires))
