"""The words of a language model about day and time: lenient in form, strict in meaning."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bookend.domain.saying import Language, say_day, say_relative_day, say_slot, say_time
from bookend.domain.timeslot import instant_text
from bookend.domain.when import (
    AmbiguousTime,
    InPast,
    NoDate,
    NonexistentTime,
    NotUnderstood,
    Reading,
    TextKind,
    TooFar,
    Wish,
    parse_wish,
)

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2025, 10, 25, 18, 18, 32, tzinfo=UTC)  # incident I3: Saturday, 20:18:32 in Berlin
SATURDAY, SUNDAY, MONDAY = date(2025, 10, 25), date(2025, 10, 26), date(2025, 10, 27)
properties = settings(derandomize=True, max_examples=300, deadline=None, database=None)


def asked(date_text: str | None, time_text: str | None = None, *, now: datetime = NOW) -> Reading:
    return parse_wish(date_text, time_text, now=now, zone=BERLIN)


def utc(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


def in_berlin(day: date, hour: int, minute: int = 0) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=BERLIN).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2025-12-01", date(2025, 12, 1)),
        ("2025-12-1", date(2025, 12, 1)),
        ("2025-12-01T00:00:00", date(2025, 12, 1)),
        ("2025-12-01T00:00", date(2025, 12, 1)),
        ("01.12.2025", date(2025, 12, 1)),
        ("1.12.2025", date(2025, 12, 1)),
        ("1.12.25", date(2025, 12, 1)),
        ("1.12.", date(2025, 12, 1)),
        ("1.12", date(2025, 12, 1)),
        ("1. 12.", date(2025, 12, 1)),
        ("1. 12. 2025", date(2025, 12, 1)),
        ("24.10.", date(2026, 10, 24)),
        ("25.10.", SATURDAY),
        ("1. Dezember", date(2025, 12, 1)),
        ("1 Dezember", date(2025, 12, 1)),
        ("1. Dez.", date(2025, 12, 1)),
        ("1. Dezember 2025", date(2025, 12, 1)),
        ("am 1. Dezember 2025", date(2025, 12, 1)),
        ("1. März", date(2026, 3, 1)),
        ("1. Maerz", date(2026, 3, 1)),
        ("1. Marz", date(2026, 3, 1)),
        ("erster Dezember", date(2025, 12, 1)),
        ("am siebenundzwanzigsten Oktober", MONDAY),
        ("am siebenundzwanzigsten zehnten", MONDAY),
        ("December 1", date(2025, 12, 1)),
        ("December 1st, 2025", date(2025, 12, 1)),
        ("1st of December", date(2025, 12, 1)),
        ("am 27.", MONDAY),
        ("am 24.", date(2025, 11, 24)),
        ("am 31.", date(2025, 10, 31)),
        ("heute", SATURDAY),
        ("HEUTE", SATURDAY),
        (" Heute. ", SATURDAY),
        ("today", SATURDAY),
        ("morgen", SUNDAY),
        ("tomorrow", SUNDAY),
        ("übermorgen", MONDAY),
        ("uebermorgen", MONDAY),
        ("u\u0308bermorgen", MONDAY),
        ("day after tomorrow", MONDAY),
        ("the day after tomorrow", MONDAY),
        ("Montag", MONDAY),
        ("am Montag", MONDAY),
        ("Mo.", MONDAY),
        ("monday", MONDAY),
        ("diesen Montag", MONDAY),
        ("nächsten Montag", MONDAY),
        ("naechsten Montag", MONDAY),
        ("kommenden Freitag", date(2025, 10, 31)),
        ("next monday", MONDAY),
        ("Sonnabend", SATURDAY),
        ("Samstag", SATURDAY),
        ("nächsten Samstag", date(2025, 11, 1)),
        ("kommenden Samstag", date(2025, 11, 1)),
        ("next saturday", date(2025, 11, 1)),
        ("nächste Woche Mittwoch", date(2025, 10, 29)),
        ("Mittwoch nächste Woche", date(2025, 10, 29)),
        ("next week sunday", date(2025, 11, 2)),
        ("in 3 Tagen", date(2025, 10, 28)),
        ("in einer Woche", date(2025, 11, 1)),
        ("in zwei Wochen", date(2025, 11, 8)),
        ("Montag, 27. Oktober", MONDAY),
        ("morgen, Sonntag", SUNDAY),
    ],
)
def test_days_are_understood_in_many_forms(text: str, day: date) -> None:
    assert asked(text) == Wish(day)


@pytest.mark.parametrize(
    ("text", "hour", "minute"),
    [
        ("14:00", 14, 0),
        ("08:30", 8, 30),
        ("um 08:30 Uhr", 8, 30),
        ("14:00:00", 14, 0),
        ("14.30", 14, 30),
        ("14.30 Uhr", 14, 30),
        ("10.12", 10, 12),
        ("14 Uhr", 14, 0),
        ("14Uhr", 14, 0),
        ("14 Uhr 30", 14, 30),
        ("14 Uhr 30.", 14, 30),
        ("vierzehn Uhr dreißig", 14, 30),
        ("neun Uhr fünfundvierzig", 9, 45),
        ("14h", 14, 0),
        ("14h30", 14, 30),
        ("9", 9, 0),
        ("um 9", 9, 0),
        ("um 9.", 9, 0),
        ("so gegen 9", 9, 0),
        ("gegen neun", 9, 0),
        ("0:15", 0, 15),
        ("0 Uhr 15", 0, 15),
        # the twelve-hour clock, told apart by the salon's day
        ("halb drei", 14, 30),
        ("halb 3", 14, 30),
        ("halb eins", 12, 30),
        ("halb zwei", 13, 30),
        ("halb acht", 7, 30),
        ("halb sieben", 18, 30),
        ("halb zwölf", 11, 30),
        ("halb fünfzehn", 14, 30),
        ("viertel nach drei", 15, 15),
        ("viertel vor drei", 14, 45),
        ("dreiviertel drei", 14, 45),
        ("viertel drei", 14, 15),
        ("viertel vor eins", 12, 45),
        ("viertel vor sieben", 18, 45),
        ("zehn nach drei", 15, 10),
        ("5 vor halb vier", 15, 25),
        ("fünf nach halb vier", 15, 35),
        ("fünf Minuten vor neun", 8, 55),
        ("half past two", 14, 30),
        ("quarter to four", 15, 45),
        ("quarter past nine", 9, 15),
        ("3", 15, 0),
        ("3 Uhr", 15, 0),
        ("2:30", 14, 30),
        ("7", 7, 0),
        ("12", 12, 0),
        # … but not where the form or a word makes it certain
        ("03:30", 3, 30),
        ("06:30", 6, 30),
        ("6 Uhr 30 morgens", 6, 30),
        ("3 Uhr nachts", 3, 0),
        ("halb sieben morgens", 6, 30),
        ("halb acht abends", 19, 30),
        ("abends um 8", 20, 0),
        ("8 Uhr abends", 20, 0),
        ("3 Uhr nachmittags", 15, 0),
        ("9 Uhr vormittags", 9, 0),
        ("morgens um 9", 9, 0),
        ("2 pm", 14, 0),
        ("2pm", 14, 0),
        ("2 p.m.", 14, 0),
        ("14:00 pm", 14, 0),
        ("10:30 am", 10, 30),
        ("10:30 a.m.", 10, 30),
        ("6 am", 6, 0),
        ("12 am", 0, 0),
        ("12 pm", 12, 0),
        ("3 o'clock", 15, 0),
        ("mittags", 12, 0),
        ("noon", 12, 0),
        ("halb eins mittags", 12, 30),
    ],
)
def test_times_are_understood_in_many_forms(text: str, hour: int, minute: int) -> None:
    expected = Wish(MONDAY, at=in_berlin(MONDAY, hour, minute))
    assert asked("2025-10-27", text) == expected
    assert asked(f"Montag {text}") == expected


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("früh", time(6), time(10)),
        ("frueh", time(6), time(10)),
        ("am Morgen", time(6), time(10)),
        ("vormittags", time(6), time(12)),
        ("am Vormittag", time(6), time(12)),
        ("in the morning", time(6), time(12)),
        ("nachmittag", time(12), time(18)),
        ("am Nachmittag", time(12), time(18)),
        ("this afternoon", time(12), time(18)),
        ("abend", time(17), time(22)),
        ("evening", time(17), time(22)),
        ("ab 16 Uhr", time(16), time(23, 59)),
        ("nach 17:00 Uhr", time(17), time(23, 59)),
        ("vor 12", time(0), time(12)),
        ("bis mittag", time(0), time(12)),
        ("zwischen 2 und 4", time(14), time(16)),
        ("von 9 bis 12 Uhr", time(9), time(12)),
        ("9-12 Uhr", time(9), time(12)),
        ("10:00 - 12:30", time(10), time(12, 30)),
        ("from 10 to 12", time(10), time(12)),
        ("nachmittags ab 3", time(15), time(18)),
    ],
)
def test_parts_of_the_day_and_ranges_become_a_window(text: str, start: time, end: time) -> None:
    assert asked("Montag", text) == Wish(MONDAY, window=(start, end))


@pytest.mark.parametrize(
    ("date_text", "time_text", "expected"),
    [
        ("morgen um 10:00", None, in_berlin(SUNDAY, 10)),
        ("Montag 14 Uhr 30", None, in_berlin(MONDAY, 14, 30)),
        ("26.10.2025 10 Uhr", None, in_berlin(SUNDAY, 10)),
        ("27.10. 10 Uhr", None, in_berlin(MONDAY, 10)),
        ("27.10 10:15", None, in_berlin(MONDAY, 10, 15)),
        ("morgen 10.15", None, in_berlin(SUNDAY, 10, 15)),
        ("morgen um 10.12", None, in_berlin(SUNDAY, 10, 12)),
        ("um 10 am Montag", None, in_berlin(MONDAY, 10)),
        ("10 am Monday", None, in_berlin(MONDAY, 10)),
        ("Montagnachmittag um 4", None, in_berlin(MONDAY, 16)),
        ("Montag Nachmittag", "halb vier", in_berlin(MONDAY, 15, 30)),
        ("Montag 4 Uhr", "nachmittags", in_berlin(MONDAY, 16)),
        ("morgen früh", "um 6", in_berlin(SUNDAY, 6)),
        ("Montag früh", "15:00", in_berlin(MONDAY, 15)),  # the time argument knows better
        (None, "2025-11-27T18:16", utc(2025, 11, 27, 17, 16)),
        (None, "2025-11-27T18:16:00", utc(2025, 11, 27, 17, 16)),
        ("2025-11-27 18:16", None, utc(2025, 11, 27, 17, 16)),
        ("", "Montag um 9", in_berlin(MONDAY, 9)),
        ("{{date}}", "morgen um 10", in_berlin(SUNDAY, 10)),
        ("None", "morgen um 10", in_berlin(SUNDAY, 10)),
        ("2025-11-27", "2025-11-28T18:16:00", utc(2025, 11, 27, 17, 16)),
        ("Montag um 9", "10:00", in_berlin(MONDAY, 10)),
        ("2025-10-27T06:00:00Z", None, utc(2025, 10, 27, 6)),
        ("2025-10-27T06:00:00.000Z", None, utc(2025, 10, 27, 6)),
        ("2025-10-27T07:00:00+01:00", None, utc(2025, 10, 27, 6)),
        ("2025-10-27 07:00+0100", None, utc(2025, 10, 27, 6)),
        ("2025-10-27", "2025-10-27T06:00:00Z", utc(2025, 10, 27, 6)),
        ("2025-10-28", "2025-10-27T06:00:00Z", in_berlin(date(2025, 10, 28), 7)),
    ],
)
def test_both_arguments_may_hold_both(date_text: str | None, time_text: str | None, expected: datetime) -> None:
    assert asked(date_text, time_text) == Wish(expected.astimezone(BERLIN).date(), at=expected)


def test_an_instant_belongs_to_the_salons_day() -> None:
    assert asked("2025-10-27T23:30:00Z") == Wish(date(2025, 10, 28), at=utc(2025, 10, 27, 23, 30))


def test_morgen_is_the_morning_once_the_day_is_known() -> None:
    early = utc(2025, 10, 25, 3)
    assert asked("heute morgen", now=early) == Wish(SATURDAY, window=(time(6), time(10)))
    assert asked("Montag", "morgen") == Wish(MONDAY, window=(time(6), time(10)))
    assert asked(None, "morgen") == Wish(SUNDAY)


@pytest.mark.parametrize(
    ("time_text", "expected"),
    [
        (None, Wish(SATURDAY)),
        ("21 Uhr", Wish(SATURDAY, at=in_berlin(SATURDAY, 21))),
        ("19 Uhr", Wish(date(2025, 11, 1), at=in_berlin(date(2025, 11, 1), 19))),
        ("abends", Wish(SATURDAY, window=(time(17), time(22)))),
        ("vormittags", Wish(date(2025, 11, 1), window=(time(6), time(12)))),
    ],
)
def test_a_weekday_is_today_only_while_its_time_is_ahead(time_text: str | None, expected: Wish) -> None:
    assert asked("Samstag", time_text) == expected


@pytest.mark.parametrize(
    ("date_text", "time_text", "when"),
    [
        ("04.10.2023", "14:00", date(2023, 10, 4)),
        ("2023-06-13", None, date(2023, 6, 13)),
        ("2024-06-17", "9 Uhr", date(2024, 6, 17)),
        ("gestern", None, date(2025, 10, 24)),
        ("24.10.2025", "23:59", date(2025, 10, 24)),
        ("heute", "20:18", utc(2025, 10, 25, 18, 18)),
        ("25.10.", "10 Uhr", utc(2025, 10, 25, 8)),
        ("heute vormittag", None, utc(2025, 10, 25, 4)),
        ("2025-10-25T18:18:31Z", None, datetime(2025, 10, 25, 18, 18, 31, tzinfo=UTC)),
    ],
)
def test_what_is_over_is_refused_with_todays_date(date_text: str, time_text: str | None, when: date | datetime) -> None:
    assert asked(date_text, time_text) == InPast(SATURDAY, when)


def test_this_very_second_is_not_past() -> None:
    assert asked(instant_text(NOW)) == Wish(SATURDAY, at=NOW)


def test_today_is_the_salons_day_not_utcs() -> None:
    after_midnight = utc(2025, 10, 26, 23, 30)  # already Monday in Berlin
    assert asked("heute", now=after_midnight) == Wish(MONDAY)
    assert asked("26.10.2025", now=after_midnight) == InPast(MONDAY, SUNDAY)


def test_four_hundred_days_ahead_is_the_limit() -> None:
    assert asked("2026-11-29") == Wish(date(2026, 11, 29))
    assert asked("2026-11-30") == TooFar(date(2026, 11, 30))
    assert asked("9999-12-31", "23:59") == TooFar(date(9999, 12, 31))


def test_a_time_the_clocks_skip_does_not_exist() -> None:
    assert asked("2026-03-29", "02:30") == NonexistentTime(date(2026, 3, 29), time(2, 30))
    assert asked("2026-03-29", "halb drei") == Wish(date(2026, 3, 29), at=utc(2026, 3, 29, 12, 30))


def test_a_time_that_happens_twice_needs_a_word_more() -> None:
    first, second = utc(2025, 10, 26, 0, 30), utc(2025, 10, 26, 1, 30)
    assert asked("morgen", "02:30") == AmbiguousTime(SUNDAY, time(2, 30), first, second)
    assert asked("morgen", "2 Uhr 30 Sommerzeit") == Wish(SUNDAY, at=first)
    assert asked("morgen", "2 Uhr 30 Winterzeit") == Wish(SUNDAY, at=second)
    assert asked("2025-10-26T01:30:00Z") == Wish(SUNDAY, at=second)


def test_between_the_two_only_the_second_is_left() -> None:
    between = utc(2025, 10, 26, 0, 45)
    assert asked("heute", "02:30", now=between) == Wish(SUNDAY, at=utc(2025, 10, 26, 1, 30))
    assert asked("heute", "02:30 Sommerzeit", now=between) == InPast(SUNDAY, utc(2025, 10, 26, 0, 30))


@pytest.mark.parametrize(
    ("date_text", "time_text"),
    [
        (None, None),
        ("", ""),
        ("  ", None),
        ("{{appointment_date}}", "{{appointment_time}}"),
        ("{{date}} 14:00", "16:00"),
        (None, "16:00"),
        ("null", "nachmittags"),
        ("um 9", None),
        ("14:00", None),
    ],
)
def test_without_a_day_there_is_no_date(date_text: str | None, time_text: str | None) -> None:
    assert asked(date_text, time_text) == NoDate()


@pytest.mark.parametrize("text", ["egal", "{{time}}", "", "None", "anytime"])
def test_no_matter_when_is_no_time(text: str) -> None:
    assert asked("Montag", text) == Wish(MONDAY)


@pytest.mark.parametrize(
    "text",
    [
        "irgendwann",
        "nicht Montag",
        "Montag oder Dienstag",
        "Montag bis Mittwoch",
        "nächste Woche",
        "9",
        "1430",
        "30.02.",
        "29.02.2026",
        "32.12.2025",
        "2025-13-01",
        "2025-02-30T10:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "morgen 25 Uhr",
        "01/12/2025",
        "Montag Montag" * 20,
        "x" * 10_000,
        "２０２５年",
        "🙂",
        "`rm -rf`",
    ],
)
def test_what_no_rule_knows_is_not_understood(text: str) -> None:
    reading = asked(text, "14:00")
    assert isinstance(reading, NotUnderstood)
    assert text not in repr(reading)


@pytest.mark.parametrize("text", ["24 Uhr", "14:75", "bald", "10 to 12", "ab sofort", "in 2 Stunden", "nicht vor 9"])
def test_the_time_argument_is_named_when_it_is_the_unclear_one(text: str) -> None:
    assert asked("Montag", text) == NotUnderstood(TextKind.TIME)


@pytest.mark.parametrize(
    ("date_text", "time_text"),
    [
        ("Dienstag, 27. Oktober 2025", None),
        ("heute, 27.10.", None),
        ("Montag Dienstag", None),
        ("Montag", "14 Uhr morgens"),
        ("Montag", "um 9, um 10"),
        ("Montag 9:00", "nachmittags"),
        ("Montag", "morgens abends"),
        ("Montag", "von 17 Uhr bis 14:00"),
    ],
)
def test_two_things_that_cannot_both_be_true_are_a_contradiction(date_text: str, time_text: str | None) -> None:
    assert asked(date_text, time_text) == NotUnderstood(TextKind.CONTRADICTION)


def test_a_long_text_is_no_date_even_if_every_word_is_known() -> None:
    assert asked("bitte " * 15 + "morgen") == Wish(SUNDAY)
    assert asked("bitte " * 16 + "morgen") == NotUnderstood(TextKind.DATE)
    assert asked("Montag", "9 " * 51) == NotUnderstood(TextKind.TIME)


def test_a_range_of_bare_numbers_is_a_time_only_beside_a_day() -> None:
    assert asked("Montag 9-12") == Wish(MONDAY, window=(time(9), time(12)))
    assert asked("9-12", "Montag") == NotUnderstood(TextKind.DATE)


def test_an_evening_range_follows_its_start_into_the_afternoon() -> None:
    assert asked("Montag", "von 6 bis 8") == Wish(MONDAY, window=(time(18), time(20)))


def test_a_weekday_whose_time_is_skipped_today_does_not_exist_today() -> None:
    night = utc(2026, 3, 28, 23, 30)  # Sunday, 0:30, the night the clocks go forward
    assert asked("Sonntag", "02:30", now=night) == NonexistentTime(date(2026, 3, 29), time(2, 30))


def test_a_naive_now_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError):
        parse_wish("heute", None, now=NOW.replace(tzinfo=None), zone=BERLIN)


# ---- what we say, we understand ----

languages = st.sampled_from(Language)


@st.composite
def slots_ahead(draw: st.DrawFn) -> tuple[datetime, datetime, ZoneInfo]:
    """(now, a slot's start within 399 days, zone), drawn to a clock change half of the time."""
    zone, change = draw(
        st.sampled_from(
            [
                (BERLIN, utc(2025, 10, 26, 1)),
                (BERLIN, utc(2026, 3, 29, 1)),
                (ZoneInfo("Australia/Lord_Howe"), utc(2026, 4, 4, 15)),
                (ZoneInfo("Australia/Lord_Howe"), utc(2026, 10, 3, 15, 30)),
                (ZoneInfo("Asia/Kathmandu"), utc(2025, 12, 31, 18, 15)),
                (ZoneInfo("America/New_York"), utc(2025, 11, 2, 6)),
                (ZoneInfo("America/New_York"), utc(2026, 3, 8, 7)),
                (ZoneInfo("Pacific/Apia"), utc(2011, 12, 30, 10)),
                (ZoneInfo("America/Havana"), utc(2025, 11, 2, 5)),
            ]
        )
    )
    now = change - timedelta(minutes=draw(st.integers(0, 200 * 24 * 60)))
    near = st.integers(-180, 180).map(lambda minutes: change + timedelta(minutes=minutes))
    far = st.integers(0, 399 * 24 * 60).map(lambda minutes: now + timedelta(minutes=minutes))
    return now, max(now, draw(near | far)), zone


@properties
@given(slots_ahead(), languages)
def test_every_slot_is_understood_as_it_is_said(drawn: tuple[datetime, datetime, ZoneInfo], language: Language) -> None:
    now, start, zone = drawn
    today, day = now.astimezone(zone).date(), start.astimezone(zone).date()
    expected = Wish(day, at=start)
    whole = say_slot(start, zone, language, asked_day=None, today=today)
    on_day = say_slot(start, zone, language, asked_day=day, today=today)
    clock = say_time(start, zone, language)
    for date_text, time_text in (
        (whole, None),
        (None, whole),
        (day.isoformat(), on_day),
        (say_day(day, language, today=today, with_year=True), clock),
        (say_relative_day(day, language, today=today), clock),
        (instant_text(start), None),
        (None, start.astimezone(zone).isoformat()),
    ):
        assert parse_wish(date_text, time_text, now=now, zone=zone) == expected, (date_text, time_text)


@properties
@given(slots_ahead(), languages)
def test_every_day_is_understood_as_it_is_said(drawn: tuple[datetime, datetime, ZoneInfo], language: Language) -> None:
    now, start, zone = drawn
    today, day = now.astimezone(zone).date(), start.astimezone(zone).date()
    for text in (say_day(day, language, today=today), say_relative_day(day, language, today=today)):
        assert parse_wish(text, None, now=now, zone=zone) == Wish(day)


@properties
@given(slots_ahead(), slots_ahead(), languages)
def test_two_slots_never_sound_the_same(
    one: tuple[datetime, datetime, ZoneInfo], other: tuple[datetime, datetime, ZoneInfo], language: Language
) -> None:
    now, start, zone = one
    today = now.astimezone(zone).date()
    for second in (
        other[1],
        start + timedelta(hours=1),
        start + timedelta(minutes=30),
        start - timedelta(hours=1),
    ):
        said = [say_slot(at, zone, language, asked_day=None, today=today) for at in (start, second)]
        assert (said[0] == said[1]) == (start == second)


VOCABULARY = """
um am ab bis - und von vor nach der , . : halb viertel dreiviertel drei eins 9 14 30 99 2026 0 uhr morgen
heute montag sonntag nächsten woche in tagen 26.10. 10.12 2025-10-26 2026-03-29t02:30 2025-10-26T00:30:00Z
02:30 14h 1. 31. dezember may pm abends früh mittags sommerzeit winterzeit {{x}} to 9999-12-31 ² ٣ \u0308
"""
vocabulary = st.sampled_from(VOCABULARY.split())
texts = st.none() | st.text(max_size=110) | st.lists(vocabulary, max_size=8).map(" ".join)


@properties
@given(texts, texts, st.sampled_from([BERLIN, ZoneInfo("Pacific/Apia"), ZoneInfo("America/New_York")]))
@example("9999-12-31T23:59:59Z", None, ZoneInfo("Pacific/Apia"))
@example("0001-01-01T00:00:00Z", None, ZoneInfo("America/New_York"))
def test_no_text_makes_it_raise_or_wish_for_the_past(
    date_text: str | None, time_text: str | None, zone: ZoneInfo
) -> None:
    reading = parse_wish(date_text, time_text, now=NOW, zone=zone)
    if isinstance(reading, Wish):
        assert NOW.astimezone(zone).date() <= reading.day <= NOW.astimezone(zone).date() + timedelta(days=400)
        assert reading.at is None or reading.window is None
        if reading.at is not None:
            assert reading.at >= NOW
            assert reading.at.tzinfo is UTC
            assert reading.at.astimezone(zone).date() == reading.day
        if reading.window is not None:
            assert reading.window[0] < reading.window[1]
