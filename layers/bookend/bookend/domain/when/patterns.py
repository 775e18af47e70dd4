"""How a row of the grammar is written, and how it fits on tokens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from bookend.domain.when.builders import Build
from bookend.domain.when.words import FILLERS, LINKS, MONTHS, PARTS, WEEKDAYS, Kind, Token, plain

_Accepts: TypeAlias = Callable[[Token], bool]


@dataclass(frozen=True, slots=True)
class _Element:
    accepts: _Accepts | None  # None: the end of the text
    captured: bool
    optional: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the grammar: what tokens it fits on, and what they then mean."""

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


def rule(pattern: str, build: Build) -> Rule:
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
    return Rule(tuple(elements), build)
