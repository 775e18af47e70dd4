"""Instants and slots: elapsed time, UTC, and wall clocks that jump."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bookend.domain.timeslot import (
    Ambiguous,
    At,
    Nonexistent,
    Slot,
    as_utc,
    instant_text,
    local_day_bounds,
    parse_instant,
    resolve_local,
)

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [
    BERLIN,
    *(ZoneInfo(key) for key in ("Australia/Lord_Howe", "Asia/Kathmandu", "America/New_York", "Pacific/Apia")),
    *(ZoneInfo(key) for key in ("America/Sao_Paulo", "America/Havana", "Europe/Dublin", "UTC")),
]
properties = settings(derandomize=True, max_examples=300, deadline=None, database=None)

zones = st.sampled_from(ZONES)
walls = st.datetimes(*(datetime(year, 1, 1, tzinfo=UTC).replace(tzinfo=None) for year in (1995, 2037)))
instants = walls.map(lambda wall: wall.replace(tzinfo=UTC))
lengths = st.timedeltas(timedelta(seconds=1), timedelta(days=3))
slots = st.builds(lambda start, length: Slot(start, start + length), instants, lengths)
apia_lost_day = (ZoneInfo("Pacific/Apia"), date(2011, 12, 30))


def utc(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


def berlin(year: int, month: int, day: int, hour: int = 0, minute: int = 0, *, fold: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=BERLIN, fold=fold)


class TestSlot:
    def test_holds_its_bounds_in_utc(self) -> None:
        slot = Slot(berlin(2025, 10, 27, 7), berlin(2025, 10, 27, 8))
        assert (slot.start, slot.end) == (utc(2025, 10, 27, 6), utc(2025, 10, 27, 7))
        assert slot.start.tzinfo is UTC
        assert slot.end.tzinfo is UTC

    @pytest.mark.parametrize(
        ("start", "end"),
        [
            (utc(2025, 10, 27, 6).replace(tzinfo=None), utc(2025, 10, 27, 7)),
            (utc(2025, 10, 27, 6), utc(2025, 10, 27, 7).replace(tzinfo=None)),
            (utc(2025, 10, 27, 6), utc(2025, 10, 27, 6)),
            (utc(2025, 10, 27, 7), utc(2025, 10, 27, 6)),
            # the wall clock goes on, the instant goes back
            (berlin(2025, 10, 26, 2, 10, fold=1), berlin(2025, 10, 26, 2, 40, fold=0)),
        ],
    )
    def test_refuses_naive_empty_and_reversed_bounds(self, start: datetime, end: datetime) -> None:
        with pytest.raises(ValueError):
            Slot(start, end)

    @pytest.mark.parametrize("minutes", [0, -30])
    def test_refuses_a_length_that_is_not_positive(self, minutes: int) -> None:
        with pytest.raises(ValueError):
            Slot.of(utc(2025, 10, 27), minutes)

    def test_lasts_elapsed_minutes_across_both_clock_changes(self) -> None:
        back = Slot.of(berlin(2025, 10, 26, 1, 30), 120)
        assert back.end == as_utc(berlin(2025, 10, 26, 2, 30, fold=1)) == utc(2025, 10, 26, 1, 30)
        forward = Slot.of(berlin(2026, 3, 29, 1, 30), 60)
        assert forward.end == berlin(2026, 3, 29, 3, 30)
        assert (back.duration, forward.duration) == (timedelta(hours=2), timedelta(hours=1))

    @pytest.mark.parametrize(
        ("start", "minutes", "days"),
        [
            (utc(2025, 10, 27, 23, 0), 60, (date(2025, 10, 27),)),
            (utc(2025, 10, 27, 23, 0), 61, (date(2025, 10, 27), date(2025, 10, 28))),
            (utc(2025, 10, 27, 0, 0), 1, (date(2025, 10, 27),)),
            (utc(2025, 12, 31, 23, 59), 1442, (date(2025, 12, 31), date(2026, 1, 1), date(2026, 1, 2))),
            (berlin(2025, 10, 27, 0, 30), 45, (date(2025, 10, 26), date(2025, 10, 27))),
        ],
    )
    def test_touches_utc_days_up_to_its_exclusive_end(
        self, start: datetime, minutes: int, days: tuple[date, ...]
    ) -> None:
        assert Slot.of(start, minutes).utc_days() == days

    def test_only_touching_is_not_overlapping(self) -> None:
        first = Slot.of(utc(2025, 10, 27, 9), 30)
        assert not first.overlaps(first.shifted(timedelta(minutes=30)))
        assert not first.overlaps(first.shifted(timedelta(minutes=-30)))
        assert first.overlaps(first.shifted(timedelta(minutes=29)))

    @properties
    @given(slots, slots)
    def test_overlap_is_mutual_and_means_a_shared_moment_and_a_shared_utc_day(self, a: Slot, b: Slot) -> None:
        shared = max(a.start, b.start) < min(a.end, b.end)
        assert a.overlaps(b) == b.overlaps(a) == shared
        if shared:
            assert set(a.utc_days()) & set(b.utc_days())

    @properties
    @given(slots, st.timedeltas(timedelta(days=-400), timedelta(days=400)))
    def test_shifting_keeps_the_length_and_can_be_undone(self, slot: Slot, by: timedelta) -> None:
        assert slot.shifted(by).duration == slot.duration
        assert slot.shifted(by).shifted(-by) == slot
        assert slot.overlaps(slot)

    @properties
    @given(slots)
    def test_utc_days_are_consecutive_and_cover_the_slot(self, slot: Slot) -> None:
        days = slot.utc_days()
        assert days[0] == slot.start.date()
        assert [b - a for a, b in pairwise(days)] == [timedelta(days=1)] * (len(days) - 1)
        last_midnight = datetime.combine(days[-1], time(0), tzinfo=UTC)
        assert last_midnight < slot.end <= last_midnight + timedelta(days=1)

    @properties
    @given(instants, st.integers(1, 5000), zones)
    def test_the_zone_a_start_is_given_in_makes_no_difference(
        self, start: datetime, minutes: int, zone: ZoneInfo
    ) -> None:
        assert Slot.of(start.astimezone(zone), minutes) == Slot.of(start, minutes)
        assert Slot.of(start, minutes).duration == timedelta(minutes=minutes)


class TestInstantText:
    def test_is_utc_to_the_second(self) -> None:
        assert instant_text(berlin(2025, 10, 27, 7)) == "2025-10-27T06:00:00Z"
        assert instant_text(utc(2025, 10, 27, 6).replace(microsecond=999999)) == "2025-10-27T06:00:00Z"

    @pytest.mark.parametrize(
        "text",
        [
            "2025-10-27T06:00:00Z",
            "2025-10-27T06:00:00.000Z",
            "2025-10-27T07:00:00+01:00",
            "2025-10-27T07:00:00.000+01:00",
            "2025-10-27T07:00+0100",
            " 2025-10-27 06:00:00+00:00 ",
            "2025-10-26T23:30:00-06:30",
        ],
    )
    def test_every_iso_form_with_an_offset_names_the_same_instant(self, text: str) -> None:
        parsed = parse_instant(text)
        assert parsed == utc(2025, 10, 27, 6)
        assert parsed.tzinfo is UTC

    @pytest.mark.parametrize(
        "text",
        [
            "2025-10-27T06:00:00",
            "2025-10-27",
            "",
            "morgen",
            "2025-13-01T00:00:00Z",
            "0001-01-01T00:00:00+14:00",
        ],
    )
    def test_without_an_offset_or_a_meaning_there_is_no_instant(self, text: str) -> None:
        with pytest.raises(ValueError):
            parse_instant(text)

    def test_a_naive_datetime_is_no_instant(self) -> None:
        naive = utc(2025, 10, 27).replace(tzinfo=None)
        with pytest.raises(ValueError):
            instant_text(naive)
        with pytest.raises(ValueError):
            as_utc(naive)

    @properties
    @given(instants, instants, st.integers(-14 * 60, 14 * 60))
    def test_reads_back_and_sorts_like_the_instants(self, a: datetime, b: datetime, offset: int) -> None:
        elsewhere = a.astimezone(timezone(timedelta(minutes=offset)))
        whole = a.replace(microsecond=0)
        assert parse_instant(instant_text(elsewhere)) == whole
        assert parse_instant(elsewhere.isoformat()) == a
        assert (instant_text(a) < instant_text(b)) == (whole < b.replace(microsecond=0))


class TestResolveLocal:
    @pytest.mark.parametrize(
        ("day", "at", "zone", "expected"),
        [
            (date(2025, 10, 26), time(10), BERLIN, At(utc(2025, 10, 26, 9))),
            (date(2025, 10, 25), time(10), BERLIN, At(utc(2025, 10, 25, 8))),
            (date(2026, 3, 29), time(2, 30), BERLIN, Nonexistent(timedelta(hours=1))),
            (date(2026, 3, 29), time(2, 0), BERLIN, Nonexistent(timedelta(hours=1))),
            (date(2026, 3, 29), time(3, 0), BERLIN, At(utc(2026, 3, 29, 1))),
            (date(2026, 3, 29), time(1, 59), BERLIN, At(utc(2026, 3, 29, 0, 59))),
            (
                date(2025, 10, 26),
                time(2, 30),
                BERLIN,
                Ambiguous(utc(2025, 10, 26, 0, 30), utc(2025, 10, 26, 1, 30)),
            ),
            (date(2025, 10, 26), time(3, 0), BERLIN, At(utc(2025, 10, 26, 2))),
            (date(2025, 10, 26), time(1, 59), BERLIN, At(utc(2025, 10, 25, 23, 59))),
            (
                date(2025, 10, 5),
                time(2, 15),
                ZoneInfo("Australia/Lord_Howe"),
                Nonexistent(timedelta(minutes=30)),
            ),
            (date(2011, 12, 30), time(12), ZoneInfo("Pacific/Apia"), Nonexistent(timedelta(days=1))),
            (date(2025, 10, 27), time(9), ZoneInfo("Asia/Kathmandu"), At(utc(2025, 10, 27, 3, 15))),
        ],
    )
    def test_wall_times_around_the_clock_changes(
        self, day: date, at: time, zone: ZoneInfo, expected: At | Nonexistent | Ambiguous
    ) -> None:
        assert resolve_local(day, at, zone) == expected
        assert resolve_local(day, at.replace(fold=1), zone) == expected

    def test_a_wall_time_with_a_zone_of_its_own_is_refused(self) -> None:
        with pytest.raises(ValueError):
            resolve_local(date(2025, 10, 27), time(9, tzinfo=UTC), BERLIN)

    @properties
    @given(instants, zones)
    def test_every_instant_is_found_again_from_what_its_clock_shows(self, instant: datetime, zone: ZoneInfo) -> None:
        local = instant.astimezone(zone)
        match resolve_local(local.date(), local.time(), zone):
            case At(found):
                assert found == instant
            case Ambiguous(earlier, later):
                assert instant == (later if local.fold else earlier)
                assert earlier < later
            case Nonexistent():
                pytest.fail("a clock showed it, so it exists")

    @properties
    @given(walls, zones)
    def test_every_wall_time_agrees_with_the_round_trip_through_utc(self, wall: datetime, zone: ZoneInfo) -> None:
        shows = {
            instant
            for fold in (0, 1)
            for instant in [wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)]
            if instant.astimezone(zone).replace(tzinfo=None) == wall
        }
        match resolve_local(wall.date(), wall.time(), zone):
            case At(instant):
                assert shows == {instant}
            case Ambiguous(earlier, later):
                assert shows == {earlier, later}
            case Nonexistent(gap):
                assert not shows
                assert gap > timedelta(0)


class TestLocalDayBounds:
    @pytest.mark.parametrize(
        ("day", "zone", "start", "hours"),
        [
            (date(2025, 10, 26), "Europe/Berlin", utc(2025, 10, 25, 22), 25),
            (date(2026, 3, 29), "Europe/Berlin", utc(2026, 3, 28, 23), 23),
            (date(2025, 10, 27), "Europe/Berlin", utc(2025, 10, 26, 23), 24),
            (date(2025, 10, 5), "Australia/Lord_Howe", utc(2025, 10, 4, 13, 30), 23.5),
            (date(2018, 11, 4), "America/Sao_Paulo", utc(2018, 11, 4, 3), 23),  # midnight is skipped
            (date(2024, 11, 3), "America/Havana", utc(2024, 11, 3, 4), 25),  # midnight happens twice
            (date(1919, 3, 31), "America/Toronto", utc(1919, 3, 31, 4, 30), 23.5),  # 23:30 goes to 0:30
            (date(2011, 12, 29), "Pacific/Apia", utc(2011, 12, 29, 10), 24),
        ],
    )
    def test_run_from_midnight_to_midnight(self, day: date, zone: str, start: datetime, hours: float) -> None:
        bounds = local_day_bounds(day, ZoneInfo(zone))
        assert bounds.start == start
        assert bounds.duration == timedelta(hours=hours)

    def test_a_day_that_never_was_has_none(self) -> None:
        zone, day = apia_lost_day
        with pytest.raises(ValueError):
            local_day_bounds(day, zone)

    @properties
    @given(st.dates(date(1995, 1, 1), date(2037, 12, 30)), zones)
    def test_days_join_without_gap_or_overlap(self, day: date, zone: ZoneInfo) -> None:
        tomorrow = day + timedelta(days=1)
        if (zone, day) == apia_lost_day or (zone, tomorrow) == apia_lost_day:
            return
        assert local_day_bounds(day, zone).end == local_day_bounds(tomorrow, zone).start

    @properties
    @given(instants, zones)
    def test_hold_every_instant_whose_clock_shows_the_day(self, instant: datetime, zone: ZoneInfo) -> None:
        bounds = local_day_bounds(instant.astimezone(zone).date(), zone)
        assert bounds.start <= instant < bounds.end
