"""The grammar: the rows that texts are read by, and how a row fits on tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from bookend.domain.when import builders as build
from bookend.domain.when.builders import Build, Context
from bookend.domain.when.facts import (
    EARLY,
    EVENING,
    NIGHT,
    Day,
    DaysAhead,
    Fact,
    Facts,
    Moment,
    NextWeek,
    Round,
)
from bookend.domain.when.words import (
    FILLERS,
    LINKS,
    MONTHS,
    PARTS,
    WEEKDAYS,
    Kind,
    Token,
    plain,
    tokenize,
)

_Accepts: TypeAlias = Callable[[Token], bool]


@dataclass(frozen=True, slots=True)
class _Element:
    accepts: _Accepts | None  # None: the end of the text
    captured: bool
    optional: bool


@dataclass(frozen=True, slots=True)
class _Rule:
    elements: tuple[_Element, ...]
    build: Build

    def match(self, tokens: list[Token], at: int) -> tuple[list[Token], int] | None:
        """The captured tokens and the position after the rule, or None where it does not fit."""
        captured: list[Token] = []
        for element in self.elements:
            token = tokens[at] if at < len(tokens) else None
            if element.accepts is None:
                if token is not None:
                    return None
            elif token is not None and element.accepts(token):
                if element.captured:
                    captured.append(token)
                at += 1
            elif not element.optional:
                return None
        return captured, at


def _kind(*kinds: Kind) -> _Accepts:
    return lambda token: token.kind in kinds


def _number(low: int, high: int, *kinds: Kind) -> _Accepts:
    return lambda token: token.kind in (kinds or (Kind.NUMBER,)) and low <= token.number <= high


def _word_in(table: Iterable[str]) -> _Accepts:
    return lambda token: token.text in table


_CLASSES: Mapping[str, _Accepts] = {
    "INSTANT": _kind(Kind.INSTANT),
    "ISO_WALL": _kind(Kind.ISO_WALL),
    "ISO_DATE": _kind(Kind.ISO_DATE),
    "DOTTED": _kind(Kind.DOTTED),
    "CLOCK": _kind(Kind.CLOCK),
    "PAIR": _kind(Kind.PAIR),
    "NTH": _kind(Kind.ORDINAL),
    "HOUR": _number(0, 23),
    "COUNT": _number(0, 59),
    "YEAR": _number(1900, 2199),
    "DAY": _number(1, 31, Kind.NUMBER, Kind.ORDINAL),
    "MONTH": _word_in(MONTHS),
    "WEEKDAY": _word_in(WEEKDAYS),
    "PART": _word_in(PARTS),
    "LINK": _word_in(LINKS),
    "FILLER": _word_in(FILLERS),
}


def _rule(pattern: str, build: Build) -> _Rule:
    """A row of the grammar. UPPER CASE is a class of tokens and handed to `build`; `a|b` are literal words;
    `x?` may be missing; END is the end of the text.
    """
    elements = []
    for item in pattern.split():
        name = item.removesuffix("?")
        optional = name != item
        if name == "END":
            elements.append(_Element(None, captured=False, optional=False))
        elif name.isupper():
            elements.append(_Element(_CLASSES[name], captured=True, optional=optional))
        else:
            words = frozenset(plain(word) for word in name.split("|"))
            elements.append(_Element(_word_in(words), captured=False, optional=optional))
    return _Rule(tuple(elements), build)


# The first row that fits wins, so the longer and the more special stand above.
_RULES = (
    # days
    _rule("INSTANT", build.moment),
    _rule("ISO_WALL", build.iso_wall),
    _rule("ISO_DATE", build.iso_date),
    _rule("DOTTED YEAR", build.dotted),
    _rule("DOTTED", build.dotted),
    _rule("DAY of? MONTH .? ,? YEAR", build.day_month),
    _rule("DAY of? MONTH .?", build.day_month),
    _rule("MONTH .? DAY ,? YEAR", build.month_day),
    _rule("MONTH .? DAY", build.month_day),
    _rule("NTH NTH YEAR", build.day_month),
    _rule("NTH NTH", build.day_month),
    _rule("vorgestern", build.says(DaysAhead(-2))),
    _rule("gestern|yesterday", build.says(DaysAhead(-1))),
    _rule("heute|today", build.says(DaysAhead(0))),
    _rule("tonight", build.says(DaysAhead(0), EVENING)),
    _rule("the? day after tomorrow", build.says(DaysAhead(2))),
    _rule("übermorgen", build.says(DaysAhead(2))),
    _rule("tomorrow", build.says(DaysAhead(1))),
    _rule("in COUNT tagen|tag|days|day", build.days_ahead),
    _rule("in COUNT wochen|woche|weeks|week", build.weeks_ahead),
    _rule("nächste|nächsten|nächster|kommende|kommenden|next woche|week", build.says(NextWeek())),
    _rule("nächste|nächsten|nächster|nächstem|kommende|kommenden|kommender|next|coming WEEKDAY", build.next_weekday),
    # ranges of the day
    _rule("am morgen", build.says(EARLY)),
    _rule("morgen", build.tomorrow_or_morning),
    _rule("am|at night", build.says(NIGHT)),
    _rule("PART", build.part),
    # times
    _rule("sommerzeit", build.says(Round.FIRST)),
    _rule("winterzeit", build.says(Round.SECOND)),
    _rule("summer|daylight time", build.says(Round.FIRST)),
    _rule("winter|standard time", build.says(Round.SECOND)),
    _rule("half past HOUR", build.minutes_from(30)),
    _rule("halb HOUR uhr?", build.minutes_from(-30)),
    _rule("viertel|quarter nach|past|after HOUR uhr?", build.minutes_from(15)),
    _rule("viertel|quarter vor|to HOUR uhr?", build.minutes_from(-15)),
    _rule("dreiviertel HOUR uhr?", build.minutes_from(-15)),
    _rule("viertel HOUR uhr?", build.minutes_from(-45)),
    _rule("COUNT minuten? vor halb HOUR uhr?", build.count_from(-1, -30)),
    _rule("COUNT minuten? nach halb HOUR uhr?", build.count_from(1, -30)),
    _rule("COUNT minutes to HOUR", build.count_from(-1)),
    _rule("COUNT minuten|minutes? vor HOUR uhr?", build.count_from(-1)),
    _rule("COUNT minuten|minutes? nach|past HOUR uhr?", build.count_from(1)),
    _rule("CLOCK uhr?", build.digital),
    _rule("PAIR uhr", build.digital),
    _rule("PAIR", build.pair),
    _rule("HOUR uhr COUNT minuten?", build.spoken),
    _rule("HOUR uhr NTH END", build.spoken),
    _rule("HOUR uhr", build.spoken),
    _rule("NTH", build.nth),
    _rule("HOUR", build.bare),
    # the rest
    _rule("so um|gegen|ca|etwa", build.says()),
    _rule("WEEKDAY", build.weekday),
    _rule("LINK", build.link),
    _rule("am", build.am),
    _rule("FILLER", build.says()),
)


def facts_in(text: str, *, in_date: bool, day_known: bool) -> list[Fact] | None:
    """What the text says, piece by piece, or None if a piece is not understood."""
    tokens = tokenize(text)
    if tokens is None:
        return None
    found: list[Fact] = []
    at = 0
    while at < len(tokens):
        hit = _first_hit(tokens, at, found, in_date=in_date, day_known=day_known)
        if hit is None:
            return None
        facts, at = hit
        found += facts
        day_known = day_known or any(isinstance(fact, Day | Moment) for fact in facts)
    return found


def _first_hit(
    tokens: list[Token], at: int, found: list[Fact], *, in_date: bool, day_known: bool
) -> tuple[Facts, int] | None:
    for rule in _RULES:
        match = rule.match(tokens, at)
        if match is None:
            continue
        captured, end = match
        context = Context(
            in_date=in_date,
            day_known=day_known,
            previous=found[-1] if found else None,
            preceding=tokens[at - 1] if at else None,
            following=tokens[end] if end < len(tokens) else None,
        )
        facts = rule.build(captured, context)
        if facts is not None:
            return facts, end
    return None
