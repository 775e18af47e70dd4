"""Builders: what facts a row of the grammar makes of its tokens. None: not this row, try the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from bookend.domain.timeslot import parse_instant
from bookend.domain.when.facts import (
    AM,
    EARLY,
    NOON,
    ClockTime,
    DayAndMonth,
    DayOfMonth,
    DaysAhead,
    Fact,
    Facts,
    FixedDay,
    Link,
    Moment,
    Weekday,
    calendar_date,
)
from bookend.domain.when.words import (
    BEFORE_TIMES,
    LINKS,
    MONTHS,
    PARTS,
    PARTS_GERMAN,
    WEEKDAYS,
    WEEKDAYS_GERMAN,
    Kind,
    Token,
    digits,
)


@dataclass(frozen=True, slots=True)
class Context:
    """What a rule may look at beside its own tokens."""

    in_date: bool  # the text is the date argument
    day_known: bool  # this text, or the date argument before it, has named a day
    previous: Fact | None
    preceding: Token | None
    following: Token | None

    @property
    def time_expected(self) -> bool:
        """Whether a number here can only be a time: "um 9", "ab 9", "10.12 pm"."""
        return (
            (self.preceding is not None and self.preceding.text in BEFORE_TIMES)
            or (self.following is not None and self.following.text == "pm")
            or (isinstance(self.previous, Link) and self.previous is not Link.DASH)  # "9-12" may be a date
        )


Build: TypeAlias = Callable[[list[Token], Context], Facts | None]
"""Of the captured tokens, in their order, and what stands around them."""


def says(*facts: Fact) -> Build:
    """The row always says the same."""
    return lambda _tokens, _context: facts


def _fixed(year: int, month: int, day: int) -> Facts | None:
    found = calendar_date(year, month, day)
    return None if found is None else (FixedDay(found),)


def _yearless(day: int, month: int) -> Facts | None:
    leap_year = 2000
    return None if calendar_date(leap_year, month, day) is None else (DayAndMonth(day, month),)


def moment(tokens: list[Token], _context: Context) -> Facts | None:
    """An instant, day and time in one: `2025-10-27t14:30z`."""
    try:
        return (Moment(parse_instant(tokens[0].text.replace(" ", "T", 1).replace(" ", "").upper())),)
    except ValueError:
        return None


def iso_wall(tokens: list[Token], _context: Context) -> Facts | None:
    """A day and a wall time: `2025-10-27t14:30`; with midnight it is a date only."""
    day, _, clock = tokens[0].text.partition("t")
    facts, wall = _fixed(*digits(day)), _clock_of(clock, certain=True)
    if facts is None or wall is None:
        return None
    return facts if wall == ClockTime(0, certain=True) else (*facts, wall)


def iso_date(tokens: list[Token], _context: Context) -> Facts | None:
    """A date in ISO form: `2025-10-27`."""
    return _fixed(*digits(tokens[0].text))


def dotted(tokens: list[Token], _context: Context) -> Facts | None:
    """A date with dots: `27.10.`, `27.10.25`, `27.10.2025`, or the year in a token of its own."""
    day, month, *year = digits(tokens[0].text) + [token.number for token in tokens[1:]]
    match year:
        case []:
            return _yearless(day, month)
        case [short] if short < 100:
            return _fixed(2000 + short, month, day)
        case [full]:
            return _fixed(full, month, day)
        case _:
            return None


def day_month(tokens: list[Token], _context: Context) -> Facts | None:
    """A day and its month ("27. Oktober", "27. 10."), with or without a year."""
    day, month, *year = tokens
    number = MONTHS.get(month.text, month.number)
    return _fixed(year[0].number, number, day.number) if year else _yearless(day.number, number)


def month_day(tokens: list[Token], context: Context) -> Facts | None:
    """A month and its day ("October 27th"), with or without a year."""
    month, day, *year = tokens
    return day_month([day, month, *year], context)


def nth(tokens: list[Token], context: Context) -> Facts | None:
    """The day in "am 15."; but "um 9." is a time before a full stop."""
    number = tokens[0].number
    if context.time_expected:
        return (ClockTime(number),) if number <= 23 else None
    return (DayOfMonth(number),) if 1 <= number <= 31 else None


def weekday(tokens: list[Token], _context: Context) -> Facts:
    """The next such day, today perhaps: "Montag"."""
    return (Weekday(WEEKDAYS[tokens[0].text]),)


def next_weekday(tokens: list[Token], _context: Context) -> Facts:
    """The next one after today: "nächsten Montag"."""
    return (Weekday(WEEKDAYS[tokens[0].text], after_today=True),)


def days_ahead(tokens: list[Token], _context: Context) -> Facts:
    """So many days from today: "in drei Tagen"."""
    return (DaysAhead(tokens[0].number),)


def weeks_ahead(tokens: list[Token], _context: Context) -> Facts:
    """So many weeks from today: "in zwei Wochen"."""
    return (DaysAhead(tokens[0].number * 7),)


def tomorrow_or_morning(_tokens: list[Token], context: Context) -> Facts:
    """Tomorrow, or the morning of a day that is known: "heute morgen"."""
    return (EARLY,) if context.day_known else (DaysAhead(1),)


def _clock_of(text: str, *, certain: bool = False) -> ClockTime | None:
    """`9`, `09`, `9:30`, `14.30`, `14h`, `14:00:30.5`; a leading zero makes the hour certain."""
    hour, *rest = digits(text)
    minute, second = [*rest[:2], 0, 0][:2]
    if hour > 23 or minute > 59 or second > 59:
        return None
    return ClockTime(hour, minute, second, certain=certain or text.startswith("0"))


def digital(tokens: list[Token], _context: Context) -> Facts | None:
    """A clock time in digits; after a dot two of them: "14.30 Uhr", but not "14.3"."""
    clock = _clock_of(tokens[0].text)
    if clock is None or (tokens[0].kind is Kind.PAIR and tokens[0].text[-3] != "."):
        return None
    return (clock,)


def pair(tokens: list[Token], context: Context) -> Facts | None:
    """`10.12` is a date in the date argument as long as none is known, else a time."""
    day, month = digits(tokens[0].text)
    may_be_date = context.in_date and not context.day_known and not context.time_expected
    dated = _yearless(day, month) if may_be_date else None
    return dated or digital(tokens, context)


def spoken(tokens: list[Token], _context: Context) -> Facts:
    """A clock time in words ("14 Uhr 30"); a leading zero makes the hour certain."""
    hour, *minute = tokens
    certain = hour.text.startswith("0")
    return (ClockTime(hour.number, minute[0].number if minute else 0, certain=certain),)


def bare(tokens: list[Token], context: Context) -> Facts | None:
    """A number alone: a time if the context says so, else perhaps."""
    if tokens[0].text.isdigit() and len(tokens[0].text) > 2:
        return None
    hour = tokens[0]
    return (ClockTime(hour.number, certain=hour.text.startswith("0"), bare=not context.time_expected),)


def minutes_from(offset: int) -> Build:
    """`offset` minutes from the full hour that is said: "halb drei" is -30 from three."""
    return lambda tokens, _context: (_clock_near(tokens[0].number, offset),)


def count_from(sign: int, offset: int = 0) -> Build:
    """As many minutes as are said, before (-1) or after (+1) a point `offset` minutes from the full hour."""
    return lambda tokens, _context: (_clock_near(tokens[1].number, sign * tokens[0].number + offset),)


def _clock_near(hour: int, offset: int) -> ClockTime:
    minutes = (hour * 60 + offset) % (24 * 60)
    if hour == 1 and offset < 0:  # "halb eins" is half past twelve
        minutes += 12 * 60
    return ClockTime(minutes // 60, minutes % 60)


def am(_tokens: list[Token], context: Context) -> Facts:
    """English a.m. after a time, unless German goes on with it: "um 10 am Montag"."""
    token = context.following
    german = token is not None and (
        token.kind in (Kind.ORDINAL, Kind.DOTTED, Kind.PAIR)
        or token.text in WEEKDAYS_GERMAN
        or token.text in PARTS_GERMAN
        or token.text == "morgen"
    )
    return (AM,) if isinstance(context.previous, ClockTime) and not german else ()


def part(tokens: list[Token], context: Context) -> Facts:
    """A part of the day; "ab mittag" is a clock time."""
    said = PARTS[tokens[0].text]
    return (ClockTime(12, certain=True),) if said is NOON and isinstance(context.previous, Link) else (said,)


def link(tokens: list[Token], _context: Context) -> Facts:
    """A word that makes a range of the times beside it."""
    return (LINKS[tokens[0].text],)
