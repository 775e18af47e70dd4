"""What the caller hears: the salon's clock, and the day whenever it is not the one asked for."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from bookend.domain.saying import (
    Language,
    join_options,
    say_day,
    say_name,
    say_relative_day,
    say_slot,
    say_slots,
    say_time,
    say_window,
)
from bookend.domain.timeslot import parse_instant
from bookend.domain.when import Wish, parse_wish
from bookend.domain.when.facts import AFTERNOON, EARLY, EVENING, MORNING, NIGHT, Part

BERLIN = ZoneInfo("Europe/Berlin")
DE, EN = Language.DE, Language.EN
TODAY = date(2025, 10, 25)


def test_languages_are_named_as_in_the_tenant_configuration() -> None:
    assert (Language("de"), Language("en")) == (DE, EN)


def test_i3_six_o_clock_utc_is_spoken_as_seven_in_berlin() -> None:
    first = parse_instant("2025-10-27T06:00:00.000Z")
    assert say_time(first, BERLIN, DE) == "7 Uhr"
    assert say_slot(first, BERLIN, DE, asked_day=date(2025, 10, 26), today=TODAY) == (
        "am Montag, 27. Oktober, um 7 Uhr"
    )


@pytest.mark.parametrize(
    ("instant", "german", "english"),
    [
        ("2025-10-27T08:30:00Z", "9 Uhr 30", "9:30 am"),
        ("2025-10-27T08:00:00Z", "9 Uhr", "9 am"),
        ("2025-10-27T08:05:00Z", "9 Uhr 5", "9:05 am"),
        ("2025-10-26T23:15:00Z", "0 Uhr 15", "12:15 am"),
        ("2025-10-27T11:00:00Z", "12 Uhr", "12 pm"),
        ("2025-10-27T17:45:59Z", "18 Uhr 45", "6:45 pm"),
        ("2025-10-27T05:30:00Z", "6 Uhr 30 morgens", "6:30 am"),
        ("2025-10-27T02:00:00Z", "3 Uhr nachts", "3 am"),
        ("2025-07-01T08:00:00Z", "10 Uhr", "10 am"),
        # the night the clocks go back: 2:30 comes twice, its neighbours once
        ("2025-10-25T23:30:00Z", "1 Uhr 30 nachts", "1:30 am"),
        ("2025-10-26T00:30:00Z", "2 Uhr 30 Sommerzeit", "2:30 am summer time"),
        ("2025-10-26T01:30:00Z", "2 Uhr 30 Winterzeit", "2:30 am winter time"),
        ("2025-10-26T02:00:00Z", "3 Uhr nachts", "3 am"),
        # the night they go forward
        ("2026-03-29T00:59:00Z", "1 Uhr 59 nachts", "1:59 am"),
        ("2026-03-29T01:00:00Z", "3 Uhr nachts", "3 am"),
    ],
)
def test_times_are_spoken_in_the_salons_zone(instant: str, german: str, english: str) -> None:
    assert say_time(parse_instant(instant), BERLIN, DE) == german
    assert say_time(parse_instant(instant), BERLIN, EN) == english


def test_a_naive_time_is_not_spoken() -> None:
    with pytest.raises(ValueError):
        say_time(datetime(2025, 10, 27, 9, tzinfo=UTC).replace(tzinfo=None), BERLIN, DE)


@pytest.mark.parametrize(
    ("day", "with_year", "german", "english"),
    [
        (date(2025, 10, 27), None, "Montag, 27. Oktober", "Monday, October 27"),
        (date(2025, 10, 27), True, "Montag, 27. Oktober 2025", "Monday, October 27, 2025"),
        (date(2026, 3, 1), None, "Sonntag, 1. März 2026", "Sunday, March 1, 2026"),
        (date(2026, 3, 1), False, "Sonntag, 1. März", "Sunday, March 1"),
    ],
)
def test_the_year_is_spoken_when_it_is_another_one(
    day: date, with_year: bool | None, german: str, english: str
) -> None:
    assert say_day(day, DE, today=TODAY, with_year=with_year) == german
    assert say_day(day, EN, today=TODAY, with_year=with_year) == english


@pytest.mark.parametrize(
    ("day", "german", "english"),
    [
        (date(2025, 10, 25), "heute", "today"),
        (date(2025, 10, 26), "morgen", "tomorrow"),
        (date(2025, 10, 27), "am Montag, 27. Oktober", "on Monday, October 27"),
        (date(2025, 10, 24), "am Freitag, 24. Oktober", "on Friday, October 24"),
    ],
)
def test_today_and_tomorrow_are_called_so(day: date, german: str, english: str) -> None:
    assert say_relative_day(day, DE, today=TODAY) == german
    assert say_relative_day(day, EN, today=TODAY) == english


@pytest.mark.parametrize(
    ("asked", "german", "english"),
    [
        (date(2025, 10, 27), "um 9 Uhr 30", "at 9:30 am"),
        (date(2025, 10, 26), "am Montag, 27. Oktober, um 9 Uhr 30", "on Monday, October 27, at 9:30 am"),
        (None, "am Montag, 27. Oktober, um 9 Uhr 30", "on Monday, October 27, at 9:30 am"),
    ],
)
def test_the_day_is_spoken_whenever_it_is_not_the_one_asked_for(asked: date | None, german: str, english: str) -> None:
    slot = datetime(2025, 10, 27, 8, 30, tzinfo=UTC)
    assert say_slot(slot, BERLIN, DE, asked_day=asked, today=TODAY) == german
    assert say_slot(slot, BERLIN, EN, asked_day=asked, today=TODAY) == english


def test_the_day_of_a_slot_is_the_salons_not_utcs() -> None:
    after_midnight = parse_instant("2025-10-26T23:15:00Z")
    assert say_slot(after_midnight, BERLIN, DE, asked_day=date(2025, 10, 27), today=TODAY) == "um 0 Uhr 15"
    spoken = say_slot(after_midnight, BERLIN, DE, asked_day=date(2025, 10, 26), today=TODAY)
    assert spoken == "am Montag, 27. Oktober, um 0 Uhr 15"


@pytest.mark.parametrize(
    ("options", "german", "english"),
    [
        (["um 9 Uhr"], "um 9 Uhr", "um 9 Uhr"),
        (["A", "B"], "A oder B", "A or B"),
        (["A", "B", "C"], "A, B oder C", "A, B or C"),
    ],
)
def test_options_are_joined_to_one_choice(options: list[str], german: str, english: str) -> None:
    assert join_options(options, DE) == german
    assert join_options(options, EN) == english


def slots(*instants: str, asked: date | None = date(2025, 10, 27), language: Language = DE) -> str:
    found = [parse_instant(each) for each in instants]
    return say_slots(found, BERLIN, language, asked_day=asked, today=TODAY)


def test_times_of_the_day_that_was_asked_for_need_no_day() -> None:
    assert slots("2025-10-27T09:00:00Z", "2025-10-27T08:00:00Z") == "um 9 Uhr oder um 10 Uhr"


def test_a_day_that_was_not_asked_for_is_named_with_its_first_time() -> None:
    twice = ("2025-10-28T08:00:00Z", "2025-10-28T09:00:00Z")
    assert slots(*twice) == "am Dienstag, 28. Oktober, um 9 Uhr oder um 10 Uhr"
    assert slots(*twice, asked=None) == slots(*twice)


def test_of_several_days_each_is_named() -> None:
    spread = ("2025-10-27T14:15:00Z", "2025-10-28T08:45:00Z", "2025-10-28T12:00:00Z")
    assert slots(*spread) == (
        "am Montag, 27. Oktober, um 15 Uhr 15 oder am Dienstag, 28. Oktober, um 9 Uhr 45 oder um 13 Uhr"
    )
    assert slots(*spread, language=EN) == (
        "on Monday, October 27, at 3:15 pm or on Tuesday, October 28, at 9:45 am or at 1 pm"
    )
    three = ("2025-10-27T14:15:00Z", "2025-10-28T08:45:00Z", "2025-10-29T08:00:00Z")
    assert slots(*three) == (
        "am Montag, 27. Oktober, um 15 Uhr 15, am Dienstag, 28. Oktober, um 9 Uhr 45 oder am Mittwoch, 29. Oktober, "
        "um 9 Uhr"
    )


@pytest.mark.parametrize(
    ("part", "german", "english"),
    [
        (EARLY, "frühmorgens", "early in the morning"),
        (MORNING, "vormittags", "in the morning"),
        (AFTERNOON, "nachmittags", "in the afternoon"),
        (EVENING, "abends", "in the evening"),
        (NIGHT, "nachts", "at night"),
    ],
)
def test_a_part_of_the_day_is_said_as_it_is_understood(part: Part, german: str, english: str) -> None:
    assert (say_window(part.window, DE), say_window(part.window, EN)) == (german, english)
    wish = parse_wish("2025-10-27", german, now=datetime(2025, 10, 25, 8, tzinfo=UTC), zone=BERLIN)
    assert isinstance(wish, Wish)
    assert wish.window == part.window


def test_other_hours_have_no_word() -> None:
    assert say_window((time(10), time(12)), DE) == "zu Ihrer Wunschzeit"


def test_a_sign_in_a_name_is_a_word() -> None:
    assert say_name("Waschen+Föhnen", DE) == say_name("Waschen  +  Föhnen", DE) == "Waschen und Föhnen"
    assert say_name("Cut & Colour", EN) == "Cut and Colour"
    assert say_name("Dauerwelle", DE) == "Dauerwelle"


def test_no_options_are_no_choice() -> None:
    with pytest.raises(ValueError):
        join_options([], DE)
