"""How days and times are spoken, in the tenant's language and always in the salon's zone.

`when` understands every sentence made here as the instant it was made from: what we offer aloud can come
back, through the caller and the model, as the wish to book it. So a wall time that happens twice is told
apart ("2 Uhr 30 Sommerzeit"), and an hour that a listener would take for the afternoon says that it is not
("6 Uhr 30 morgens").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from enum import Enum
from zoneinfo import ZoneInfo

from bookend.domain.timeslot import Ambiguous, as_utc, resolve_local
from bookend.domain.when.facts import AFTERNOON, AM, EARLY, EVENING, MORNING, NIGHT, NOON, PM


class Language(Enum):
    """What the agent speaks."""

    DE = "de"
    EN = "en"


_WEEKDAYS = {
    Language.DE: ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
    Language.EN: ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
_MONTHS = {
    Language.DE: (
        *("Januar", "Februar", "März", "April", "Mai", "Juni"),
        *("Juli", "August", "September", "Oktober", "November", "Dezember"),
    ),
    Language.EN: (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
}
_TODAY = {Language.DE: "heute", Language.EN: "today"}
_TOMORROW = {Language.DE: "morgen", Language.EN: "tomorrow"}
_ON_DAY = {Language.DE: "am", Language.EN: "on"}
_AT_TIME = {Language.DE: "um", Language.EN: "at"}
_OR = {Language.DE: "oder", Language.EN: "or"}
_AND = {Language.DE: "und", Language.EN: "and"}
_FIRST_TIME_ROUND = {Language.DE: "Sommerzeit", Language.EN: "summer time"}
_SECOND_TIME_ROUND = {Language.DE: "Winterzeit", Language.EN: "winter time"}

_PARTS = {
    Language.DE: {
        EARLY.window: "frühmorgens",
        MORNING.window: "vormittags",
        AM.window: "vormittags",
        NOON.window: "mittags",
        AFTERNOON.window: "nachmittags",
        PM.window: "nachmittags",
        EVENING.window: "abends",
        NIGHT.window: "nachts",
    },
    Language.EN: {
        EARLY.window: "early in the morning",
        MORNING.window: "in the morning",
        AM.window: "in the morning",
        NOON.window: "around noon",
        AFTERNOON.window: "in the afternoon",
        PM.window: "in the afternoon",
        EVENING.window: "in the evening",
        NIGHT.window: "at night",
    },
}
_THEN = {Language.DE: "zu Ihrer Wunschzeit", Language.EN: "at the time you wish"}
_NIGHT = range(1, 4)  # hours said with "nachts"; 0 Uhr cannot be mistaken
_EARLY = range(4, 7)  # hours said with "morgens"; from 7 on the morning is what people expect
_NOON = 12


def say_time(instant: datetime, zone: ZoneInfo, language: Language) -> str:
    """The wall time of an instant in `zone`: "9 Uhr 30", "9 Uhr", "0 Uhr 15"; "9:30 am", "9 am".

    From 1 to before 7 o'clock German adds "nachts" or "morgens". A time that happens twice when the clocks
    are put back adds "Sommerzeit" the first time and "Winterzeit" the second. Seconds are left out.

    Raises:
        ValueError: `instant` is naive.
    """
    local = as_utc(instant).astimezone(zone)
    twice = isinstance(resolve_local(local.date(), local.time(), zone), Ambiguous)
    round_marks = _SECOND_TIME_ROUND if local.fold else _FIRST_TIME_ROUND
    mark = f" {round_marks[language]}" if twice else ""
    match language:
        case Language.DE:
            minute = f" {local.minute}" if local.minute else ""
            return f"{local.hour} Uhr{minute}{mark or _part_of_night(local.hour)}"
        case Language.EN:
            minute = f":{local.minute:02}" if local.minute else ""
            half = "am" if local.hour < _NOON else "pm"
            return f"{local.hour % _NOON or _NOON}{minute} {half}{mark}"


def _part_of_night(hour: int) -> str:
    if hour in _NIGHT:
        return " nachts"
    return " morgens" if hour in _EARLY else ""


def say_day(day: date, language: Language, *, today: date, with_year: bool | None = None) -> str:
    """Weekday and date: "Montag, 27. Oktober"; "Monday, October 27".

    The year follows if it is not today's; `with_year` forces it on or off.
    """
    weekday = _WEEKDAYS[language][day.weekday()]
    month = _MONTHS[language][day.month - 1]
    year_said = day.year != today.year if with_year is None else with_year
    match language:
        case Language.DE:
            return f"{weekday}, {day.day}. {month}" + (f" {day.year}" if year_said else "")
        case Language.EN:
            return f"{weekday}, {month} {day.day}" + (f", {day.year}" if year_said else "")


def say_relative_day(day: date, language: Language, *, today: date) -> str:
    """The day as an adverbial, to be put into a sentence: "heute", "morgen", "am Montag, 27. Oktober"."""
    if day == today:
        return _TODAY[language]
    if day == today + timedelta(days=1):
        return _TOMORROW[language]
    return f"{_ON_DAY[language]} {say_day(day, language, today=today)}"


def say_slot(instant: datetime, zone: ZoneInfo, language: Language, *, asked_day: date | None, today: date) -> str:
    """When a slot starts: "um 9 Uhr 30" on the day asked for, else "am Montag, 27. Oktober, um 9 Uhr 30".

    `asked_day` and `today` are days in `zone`; with no day asked for, weekday and date are always said.

    Raises:
        ValueError: `instant` is naive.
    """
    day = as_utc(instant).astimezone(zone).date()
    clock = f"{_AT_TIME[language]} {say_time(instant, zone, language)}"
    if day == asked_day:
        return clock
    return f"{_ON_DAY[language]} {say_day(day, language, today=today)}, {clock}"


def say_slots(
    instants: Sequence[datetime], zone: ZoneInfo, language: Language, *, asked_day: date | None, today: date
) -> str:
    """Several starts as one choice, as the day goes: "um 9 Uhr, um 10 Uhr oder um 11 Uhr" on the day asked for.

    A day is named with its first time. Where there are several days each is named, the one asked for too: after "um 15
    Uhr oder am Donnerstag, 3. Dezember, um 9 Uhr" nobody knows on which day 15 Uhr is.

    Raises:
        ValueError: an instant is naive, or there is none.
    """
    groups: dict[date, list[datetime]] = {}
    for instant in sorted(instants):
        groups.setdefault(as_utc(instant).astimezone(zone).date(), []).append(instant)
    unnamed = asked_day if len(groups) == 1 else None
    said = []
    for day, (first, *others) in groups.items():
        times = [say_slot(first, zone, language, asked_day=unnamed, today=today)]
        times += [say_slot(each, zone, language, asked_day=day, today=today) for each in others]
        said.append(join_options(times, language))
    return join_options(said, language)


def say_window(window: tuple[time, time], language: Language) -> str:
    """A part of the day as an adverbial: "vormittags"; one that has no word, such as from 10 to 12, is "zu Ihrer
    Wunschzeit"."""
    return _PARTS[language].get(window, _THEN[language])


def say_name(name: str, language: Language) -> str:
    """A name as it is read aloud: "Waschen + Föhnen" is "Waschen und Föhnen"."""
    return " ".join(re.sub(r"[+&]", f" {_AND[language]} ", name).split())


def join_options(options: Sequence[str], language: Language) -> str:
    """The options as one choice: "A", "A oder B", "A, B oder C".

    Raises:
        ValueError: there is nothing to choose from; that is another sentence.
    """
    if not options:
        msg = "a choice needs at least one option"
        raise ValueError(msg)
    *others, last = options
    return f"{', '.join(others)} {_OR[language]} {last}" if others else last
