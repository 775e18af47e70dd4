"""The grammar: the rows that texts are read by."""

from __future__ import annotations

from bookend.domain.when import builders as build
from bookend.domain.when.builders import Context
from bookend.domain.when.facts import EARLY, EVENING, NIGHT, Day, DaysAhead, Fact, Facts, Moment, NextWeek, Round
from bookend.domain.when.patterns import rule
from bookend.domain.when.words import Token, tokenize

# The first row that fits wins, so the longer and the more special stand above.
_RULES = (
    # days
    rule("INSTANT", build.moment),
    rule("ISO_WALL", build.iso_wall),
    rule("ISO_DATE", build.iso_date),
    rule("DOTTED YEAR", build.dotted),
    rule("DOTTED", build.dotted),
    rule("DAY of? MONTH .? ,? YEAR", build.day_month),
    rule("DAY of? MONTH .?", build.day_month),
    rule("MONTH .? DAY ,? YEAR", build.month_day),
    rule("MONTH .? DAY", build.month_day),
    rule("NTH NTH YEAR", build.day_month),
    rule("NTH NTH", build.day_month),
    rule("vorgestern", build.says(DaysAhead(-2))),
    rule("gestern|yesterday", build.says(DaysAhead(-1))),
    rule("heute|today", build.says(DaysAhead(0))),
    rule("tonight", build.says(DaysAhead(0), EVENING)),
    rule("the? day after tomorrow", build.says(DaysAhead(2))),
    rule("übermorgen", build.says(DaysAhead(2))),
    rule("tomorrow", build.says(DaysAhead(1))),
    rule("in COUNT tagen|tag|days|day", build.days_ahead),
    rule("in COUNT wochen|woche|weeks|week", build.weeks_ahead),
    rule("nächste|nächsten|nächster|kommende|kommenden|next woche|week", build.says(NextWeek())),
    rule("nächste|nächsten|nächster|nächstem|kommende|kommenden|kommender|next|coming WEEKDAY", build.next_weekday),
    # ranges of the day
    rule("am morgen", build.says(EARLY)),
    rule("morgen", build.tomorrow_or_morning),
    rule("am|at night", build.says(NIGHT)),
    rule("PART", build.part),
    # times
    rule("sommerzeit", build.says(Round.FIRST)),
    rule("winterzeit", build.says(Round.SECOND)),
    rule("summer|daylight time", build.says(Round.FIRST)),
    rule("winter|standard time", build.says(Round.SECOND)),
    rule("half past HOUR", build.minutes_from(30)),
    rule("halb HOUR uhr?", build.minutes_from(-30)),
    rule("viertel|quarter nach|past|after HOUR uhr?", build.minutes_from(15)),
    rule("viertel|quarter vor|to HOUR uhr?", build.minutes_from(-15)),
    rule("dreiviertel HOUR uhr?", build.minutes_from(-15)),
    rule("viertel HOUR uhr?", build.minutes_from(-45)),
    rule("COUNT minuten? vor halb HOUR uhr?", build.count_from(-1, -30)),
    rule("COUNT minuten? nach halb HOUR uhr?", build.count_from(1, -30)),
    rule("COUNT minutes to HOUR", build.count_from(-1)),
    rule("COUNT minuten|minutes? vor HOUR uhr?", build.count_from(-1)),
    rule("COUNT minuten|minutes? nach|past HOUR uhr?", build.count_from(1)),
    rule("CLOCK uhr?", build.digital),
    rule("PAIR uhr", build.digital),
    rule("PAIR", build.pair),
    rule("HOUR uhr COUNT minuten?", build.spoken),
    rule("HOUR uhr NTH END", build.spoken),
    rule("HOUR uhr", build.spoken),
    rule("NTH", build.nth),
    rule("HOUR", build.bare),
    # the rest
    rule("so um|gegen|ca|etwa", build.says()),
    rule("WEEKDAY", build.weekday),
    rule("LINK", build.link),
    rule("am", build.am),
    rule("FILLER", build.says()),
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
    for row in _RULES:
        match = row.match(tokens, at)
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
        facts = row.build(captured, context)
        if facts is not None:
            return facts, end
    return None
