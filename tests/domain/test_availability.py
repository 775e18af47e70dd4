"""Which starts are free, and which of them are said."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import combinations
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookend.domain.availability import DAYS_AHEAD, MOST_OFFERS, Opening, Wanted, choose, openings, search_window
from bookend.domain.staff_day import Interval, IntervalState, StaffDay, StaffDays
from bookend.domain.timeslot import Slot

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2025, 11, 3)
NOW = datetime(2025, 11, 3, 5, 0, tzinfo=UTC)
properties = settings(derandomize=True, max_examples=150, deadline=None, database=None)


def local(hour: int, minute: int = 0, *, day: date = MONDAY, zone: ZoneInfo = BERLIN, fold: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone, fold=fold).astimezone(UTC)


def opening(hour: int, minute: int = 0, *, staff: str = "fabian", length: int = 30, day: date = MONDAY) -> Opening:
    return Opening(staff, Slot.of(local(hour, minute, day=day), length))


def walls(chosen: list[Opening], zone: ZoneInfo = BERLIN) -> list[str]:
    return [each.slot.start.astimezone(zone).strftime("%a %H:%M") for each in chosen]


def ledger(*intervals: Interval, staff: str = "fabian", days: int = 3) -> dict[tuple[str, date], StaffDay]:
    found = {}
    for day in (MONDAY + timedelta(days=n) for n in range(-1, days)):
        inside = {each.key: each for each in intervals if day in each.slot.utc_days()}
        found[staff, day] = StaffDay(staff, day, 1, inside)
    return found


def taken(key: str, start: datetime, minutes: int, state: IntervalState = IntervalState.CONFIRMED) -> Interval:
    expires = NOW + timedelta(seconds=120) if state is IntervalState.HELD else None
    return Interval(key, Slot.of(start, minutes), state, "op", expires)


class TestOpenings:
    def test_what_the_ledger_leaves_free_earliest_first(self) -> None:
        starts = {"fabian": [local(11), local(10), local(9), local(9, 30)]}
        days = StaffDays(ledger(taken("a/0", local(9, 45), 30)))
        free = openings(starts, minutes=30, days=days, now=NOW)
        assert walls(free) == ["Mon 09:00", "Mon 11:00"]

    def test_a_longer_service_needs_its_whole_length(self) -> None:
        days = StaffDays(ledger(taken("a/0", local(10), 30)))
        assert openings({"fabian": [local(9, 15)]}, minutes=45, days=days, now=NOW)
        assert not openings({"fabian": [local(9, 16)]}, minutes=45, days=days, now=NOW)

    def test_the_past_is_not_free(self) -> None:
        starts = {"fabian": [NOW - timedelta(seconds=1), NOW, NOW + timedelta(hours=1)]}
        free = openings(starts, minutes=30, days=StaffDays(ledger()), now=NOW)
        assert [each.slot.start for each in free] == [NOW + timedelta(hours=1)], "what begins now has begun"

    def test_a_day_that_was_not_read_is_left_out(self) -> None:
        far = local(10, day=MONDAY + timedelta(days=30))
        over_midnight = datetime(2025, 11, 5, 23, 45, tzinfo=UTC)
        days = StaffDays(ledger(days=3))
        assert not openings({"fabian": [far, over_midnight]}, minutes=30, days=days, now=NOW)

    def test_ones_own_hold_is_free_and_others_are_not(self) -> None:
        hold = taken("mine/0", local(10), 30, IntervalState.HELD)
        days = StaffDays(ledger(hold))
        assert not openings({"fabian": [local(10)]}, minutes=30, days=days, now=NOW)
        assert openings({"fabian": [local(10)]}, minutes=30, days=days, now=NOW, ignoring={"mine/0"})

    def test_of_two_stylists_the_one_with_less_that_day_serves(self) -> None:
        days = StaffDays(ledger(taken("a/0", local(15), 30)) | ledger(staff="emma"))
        free = openings({"fabian": [local(10)], "emma": [local(10)]}, minutes=30, days=days, now=NOW)
        assert [each.staff for each in free] == ["emma"]

    def test_equals_serve_in_the_order_of_the_configuration(self) -> None:
        days = StaffDays(ledger() | ledger(staff="emma"))
        starts = {"emma": [local(10)], "fabian": [local(10), local(11)]}
        free = openings(starts, minutes=30, days=days, now=NOW)
        assert [(each.staff, walls([each])) for each in free] == [("emma", ["Mon 10:00"]), ("fabian", ["Mon 11:00"])]


class TestChoosing:
    DAY = tuple(opening(hour, minute) for hour in range(9, 17) for minute in (0, 30))
    TUESDAY = tuple(opening(hour, day=MONDAY + timedelta(days=1)) for hour in range(9, 17))

    def test_the_very_time_comes_first_then_the_nearest(self) -> None:
        chosen = choose([*self.DAY], Wanted(MONDAY, local(14)), zone=BERLIN)
        assert walls(chosen) == ["Mon 14:00", "Mon 13:30", "Mon 14:30"]

    def test_the_nearest_on_the_day_come_before_nearer_ones_of_other_days(self) -> None:
        early = opening(9)
        free = [early, *self.TUESDAY]
        chosen = choose(free, Wanted(MONDAY, local(23)), zone=BERLIN)
        assert walls(chosen) == ["Mon 09:00", "Tue 09:00", "Tue 10:00"]

    def test_none_of_one_stylist_overlap(self) -> None:
        free = [opening(9, minute, length=45) for minute in range(0, 60, 5)]
        chosen = choose(free, Wanted(MONDAY, local(9, 30)), zone=BERLIN)
        assert walls(chosen) == ["Mon 09:30"]

    def test_two_stylists_may_overlap(self) -> None:
        free = [opening(10), opening(10, 15, staff="emma"), opening(10, 20)]
        assert walls(choose(free, Wanted(MONDAY, local(10)), zone=BERLIN)) == ["Mon 10:00", "Mon 10:15"]

    def test_a_day_is_heard_in_its_width(self) -> None:
        assert walls(choose([*self.DAY], Wanted(MONDAY), zone=BERLIN)) == ["Mon 09:00", "Mon 13:00", "Mon 16:30"]

    def test_a_window_is_heard_in_its_width_and_ends_before_its_end(self) -> None:
        wanted = Wanted(MONDAY, window=(time(12), time(15)))
        assert walls(choose([*self.DAY], wanted, zone=BERLIN)) == ["Mon 12:00", "Mon 13:00", "Mon 14:30"]

    def test_too_little_in_the_window_is_filled_up_with_the_rest_of_the_day_then_others(self) -> None:
        free = [opening(10), opening(13), *self.TUESDAY]
        wanted = Wanted(MONDAY, window=(time(12), time(15)))
        assert walls(choose(free, wanted, zone=BERLIN)) == ["Mon 13:00", "Mon 10:00", "Tue 09:00"]

    def test_a_full_day_leads_to_the_first_of_the_next(self) -> None:
        chosen = choose([*self.TUESDAY], Wanted(MONDAY), zone=BERLIN)
        assert walls(chosen) == ["Tue 09:00", "Tue 10:00", "Tue 11:00"]

    def test_nothing_free_is_nothing_chosen(self) -> None:
        assert choose([], Wanted(MONDAY), zone=BERLIN) == []
        assert choose([], Wanted(MONDAY, local(10)), zone=BERLIN) == []

    def test_the_day_is_the_salons_not_utcs(self) -> None:
        """0:30 on Tuesday in Berlin is Monday in UTC."""
        night = [opening(0, 30, day=MONDAY + timedelta(days=1)), opening(22)]
        assert walls(choose(night, Wanted(MONDAY), zone=BERLIN)) == ["Mon 22:00", "Tue 00:30"]

    @given(
        st.lists(st.tuples(st.integers(0, 4 * 24 * 12), st.sampled_from(["fabian", "emma"])), max_size=60, unique=True),
        st.sampled_from([15, 30, 45, 135]),
        st.one_of(st.none(), st.integers(0, 24 * 12 - 1)),
        st.one_of(st.none(), st.tuples(st.integers(0, 22), st.integers(1, 23)).filter(lambda w: w[0] < w[1])),
    )
    @properties
    def test_whatever_is_free_the_choice_is_small_free_apart_and_holds_the_wish(
        self, free: list[tuple[int, str]], minutes: int, at: int | None, window: tuple[int, int] | None
    ) -> None:
        base = local(0)
        one_per_instant = dict(free)
        found = [
            Opening(staff, Slot.of(base + timedelta(minutes=5 * tick), minutes))
            for tick, staff in sorted(one_per_instant.items())
        ]
        instant = base + timedelta(minutes=5 * at) if at is not None else None
        hours = (time(window[0]), time(window[1])) if window and instant is None else None
        chosen = choose(found, Wanted(MONDAY, instant, hours), zone=BERLIN)
        assert len(chosen) <= MOST_OFFERS
        assert bool(chosen) == bool(found)
        assert all(each in found for each in chosen)
        for one, other in combinations(chosen, 2):
            assert one != other
            if one.staff == other.staff:
                assert max(one.slot.start, other.slot.start) >= min(one.slot.end, other.slot.end)
        if instant is not None and any(each.slot.start == instant for each in found):
            assert chosen[0].slot.start == instant


class TestWindow:
    def test_it_covers_the_day_and_those_of_its_alternatives(self) -> None:
        window = search_window(MONDAY + timedelta(days=2), zone=BERLIN, now=NOW)
        assert window == Slot(
            local(0, day=MONDAY + timedelta(days=2)), local(0, day=MONDAY + timedelta(days=2 + DAYS_AHEAD))
        )

    def test_today_begins_now(self) -> None:
        window = search_window(MONDAY, zone=BERLIN, now=NOW)
        assert window is not None
        assert window.start == NOW

    def test_what_is_all_over_has_no_window(self) -> None:
        assert search_window(MONDAY - timedelta(days=DAYS_AHEAD), zone=BERLIN, now=NOW) is None
        assert search_window(MONDAY - timedelta(days=DAYS_AHEAD - 1), zone=BERLIN, now=NOW) is not None

    @pytest.mark.parametrize(
        ("zone", "day", "hours"),
        [
            ("Europe/Berlin", date(2025, 10, 26), 7 * 24 + 1),
            ("Europe/Berlin", date(2026, 3, 29), 7 * 24 - 1),
            ("Europe/Berlin", date(2025, 10, 20), 7 * 24 + 1),
            ("Pacific/Auckland", date(2026, 4, 5), 7 * 24 + 1),
            ("America/Los_Angeles", date(2026, 3, 8), 7 * 24 - 1),
            ("Asia/Kathmandu", date(2026, 3, 8), 7 * 24),
        ],
    )
    def test_seven_days_are_an_hour_more_or_less_when_the_clocks_change(self, zone: str, day: date, hours: int) -> None:
        window = search_window(day, zone=ZoneInfo(zone), now=datetime(2025, 1, 1, tzinfo=UTC))
        assert window is not None
        assert window.duration == timedelta(hours=hours)

    def test_both_rounds_of_an_hour_that_happens_twice_are_on_the_day(self) -> None:
        day = date(2025, 10, 26)
        rounds = [Opening("fabian", Slot.of(local(2, 30, day=day, fold=fold), 30)) for fold in (0, 1)]
        assert choose(rounds, Wanted(day), zone=BERLIN) == rounds
        assert choose(rounds, Wanted(day, rounds[1].slot.start), zone=BERLIN)[0] == rounds[1]
