"""Words and tokens: the tables of what is known, and the patterns that cut a text up."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from bookend.domain.when.facts import (
    AFTERNOON,
    EARLY,
    EVENING,
    MORNING,
    NIGHT,
    NOON,
    PM,
    Link,
)

# ---- Words ----


def plain(text: str) -> str:
    """Lower case with umlauts levelled, so that "nächsten", "naechsten" and "nachsten" are the same word.

    It is applied to texts and tables alike, so that turning "tuesday" into "tusday" does no harm.
    """
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).casefold()
    for written, levelled in (("ae", "a"), ("oe", "o"), ("ue", "u")):
        bare = bare.replace(written, levelled)
    return bare.strip()


def _numbered(names: str, first: int) -> dict[str, int]:
    """Words separated by spaces, counted from `first`; synonyms are joined by `|`."""
    rows = enumerate(names.split(), first)
    return {plain(name): number for number, row in rows for name in row.split("|")}


WEEKDAYS_GERMAN = _numbered(
    "montag|mo dienstag|di mittwoch|mi donnerstag|do freitag|fr samstag|sonnabend|sa sonntag|so", 0
)
_WEEKDAYS_ENGLISH = _numbered(
    "monday|mon tuesday|tue|tues wednesday|wed thursday|thu|thur|thurs friday|fri saturday|sat sunday|sun", 0
)
WEEKDAYS = WEEKDAYS_GERMAN | _WEEKDAYS_ENGLISH
MONTHS = _numbered(
    "januar|jänner|january|jan februar|feber|february|feb märz|mrz|march|mar april|apr mai|may juni|june|jun "
    "juli|july|jul august|aug september|sept|sep oktober|october|okt|oct november|nov "
    "dezember|december|dez|dec",
    1,
)
PARTS_GERMAN = {
    plain(name): part
    for names, part in (
        ("früh morgens frühmorgens", EARLY),
        ("vormittag vormittags", MORNING),
        ("mittag mittags", NOON),
        ("nachmittag nachmittags", AFTERNOON),
        ("abend abends", EVENING),
        ("nacht nachts", NIGHT),
    )
    for name in names.split()
}
_PARTS_ENGLISH = {
    "early": EARLY,
    "morning": MORNING,
    "noon": NOON,
    "afternoon": AFTERNOON,
    "evening": EVENING,
    "night": NIGHT,
    "pm": PM,
}
PARTS = PARTS_GERMAN | _PARTS_ENGLISH
LINKS = {
    plain(name): link
    for names, link in (
        ("ab nach von from after", Link.FROM),
        ("zwischen between", Link.BETWEEN),
        ("bis until till", Link.UNTIL),
        ("to", Link.TO),
        ("vor before", Link.BEFORE),
        ("und and", Link.AND),
        ("- – —", Link.DASH),
    )
    for name in names.split()
}
FILLERS = frozenset(
    _numbered(
        "um gegen ca circa etwa ungefähr an den der dem die das im in am für zum diesen dieser dieses diesem "
        "bitte gern gerne on at the of this for about around please , . ;",
        0,
    )
)
BEFORE_TIMES = frozenset({"um", "gegen", "at"})


def _german_numbers() -> dict[str, int]:
    units = _numbered("ein zwei drei vier fünf sechs sieben acht neun", 1)
    tens = {name: 10 * n for name, n in _numbered("zwanzig dreißig vierzig fünfzig", 2).items()}
    small = _numbered(
        "null ein|eins|eine|einer|einem|einen zwei|zwo drei vier fünf sechs sieben acht neun zehn elf zwölf "
        "dreizehn vierzehn fünfzehn sechzehn siebzehn achtzehn neunzehn",
        0,
    )
    large = {f"{u}und{t}": unit + ten for u, unit in units.items() for t, ten in tens.items()}
    return small | tens | large


def _german_ordinals() -> dict[str, int]:
    stems = _numbered("erst zweit dritt viert fünft sechst siebt|siebent acht neunt zehnt elft zwölft", 1)
    later = {
        word + ("t" if number < 20 else "st"): number
        for word, number in _german_numbers().items()
        if 13 <= number <= 31
    }
    return {stem + ending: n for stem, n in (stems | later).items() for ending in ("e", "en", "er")}


_ENGLISH_NUMBERS = _numbered(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty",
    0,
) | {"thirty": 30, "forty": 40, "fifty": 50}
_NUMBERS = _german_numbers() | _ENGLISH_NUMBERS
_ORDINALS = _german_ordinals()


# ---- Tokens ----


class Kind(Enum):
    """Kinds of token; those without a row in `_LEXICON` are words that stand for a number."""

    INSTANT = auto()
    ISO_WALL = auto()
    ISO_DATE = auto()
    DOTTED = auto()
    CLOCK = auto()
    PAIR = auto()
    ORDINAL = auto()
    NUMBER = auto()
    WORD = auto()
    MARK = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a levelled text; `number` where it stands for one."""

    kind: Kind
    text: str
    number: int = 0


_ISO_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_ISO_TIME = r"[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?"
_LEXICON = tuple(
    (kind, re.compile(pattern))
    for kind, pattern in (
        (
            Kind.INSTANT,
            rf"{_ISO_DAY}[t ]{_ISO_TIME} ?(?:z(?![a-z])|[+-][0-9]{{2}}(?::?[0-9]{{2}})?(?![0-9:]))",
        ),
        (Kind.ISO_WALL, rf"{_ISO_DAY}t{_ISO_TIME}(?![0-9:])"),
        (Kind.ISO_DATE, r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?![0-9])"),
        (Kind.DOTTED, r"[0-9]{1,2}\.[0-9]{1,2}\.(?:[0-9]{4}|[0-9]{2})?(?![0-9:])"),
        (Kind.CLOCK, r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?![0-9:])"),
        (Kind.CLOCK, r"[0-9]{1,2}h(?:[0-9]{2})?(?![0-9a-z])"),
        (Kind.PAIR, r"[0-9]{1,2}\.[0-9]{1,2}(?![0-9.:])"),
        (Kind.ORDINAL, r"[0-9]{1,2}(?:\.(?![0-9])|(?:st|nd|rd|th)(?![a-z]))"),
        (Kind.NUMBER, r"[0-9]{1,4}(?![0-9])"),
        (Kind.WORD, r"[a-z]+"),
        (Kind.MARK, r"[,;.–—-]"),
    )
)
_SPACE = re.compile(r"\s+")
_REWRITES = (
    (re.compile(r"\b([ap])\.\s?m\b\.?"), r"\1m"),
    (re.compile(r"\bo\s?['’´`]\s?clock\b"), "uhr"),
)
_COMPOUND = re.compile(rf"({'|'.join(WEEKDAYS_GERMAN)})({'|'.join([*PARTS_GERMAN, 'morgen'])})")


def tokenize(text: str) -> list[Token] | None:
    """The text cut up, or None if it holds something that is in no pattern."""
    for pattern, new in _REWRITES:
        text = pattern.sub(new, text)
    found: list[Token] = []
    at = 0
    while at < len(text):
        if space := _SPACE.match(text, at):
            at = space.end()
            continue
        hits = ((kind, pattern.match(text, at)) for kind, pattern in _LEXICON)
        kind, hit = next(((kind, hit) for kind, hit in hits if hit), (None, None))
        if kind is None or hit is None:
            return None
        found += _valued(kind, hit.group())
        at = hit.end()
    return found


def _valued(kind: Kind, text: str) -> Iterable[Token]:
    if kind is Kind.NUMBER:
        return [Token(kind, text, int(text))]
    if kind is Kind.ORDINAL:
        return [Token(kind, text, digits(text)[0])]
    if text in _NUMBERS:
        return [Token(Kind.NUMBER, text, _NUMBERS[text])]
    if text in _ORDINALS:
        return [Token(Kind.ORDINAL, text, _ORDINALS[text])]
    if kind is Kind.WORD and (compound := _COMPOUND.fullmatch(text)):
        return [Token(kind, word) for word in compound.groups()]
    return [Token(kind, text)]


def digits(text: str) -> list[int]:
    """The numbers in a text, in their order."""
    return [int(run) for run in re.findall(r"[0-9]+", text)]
