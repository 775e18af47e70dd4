"""Two documents of a salon, compared as they are written: what would change, path by path."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_NAMED_BY = ("id", "name")
"""What tells the entries of a list apart, wherever each has it and no two have the same: their order says nothing."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One place: `services[herrenhaarschnitt].minutes`. `before` and `after` are JSON, None where there is nothing."""

    path: str
    before: str | None
    after: str | None


def differences(before: str, after: str) -> list[Difference]:
    """What differs between two documents, in the order of the paths.

    Raises:
        ValueError: one of them is no JSON.
    """
    return sorted(_between("", json.loads(before), json.loads(after)), key=lambda each: each.path)


def _between(path: str, before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        parts = {name: (f"{path}.{name}" if path else name) for name in (*before, *after)}
        yield from _each(parts, before, after)
    elif isinstance(before, list) and isinstance(after, list):
        first, second = _by_name(before, after)
        yield from _each({name: f"{path}[{name}]" for name in (*first, *second)}, first, second)
    elif json.dumps(before, sort_keys=True) != json.dumps(after, sort_keys=True):  # 1, 1.0 and true are not the same
        yield Difference(path, _json(before), _json(after))


def _each(paths: dict[str, str], before: dict[str, Any], after: dict[str, Any]) -> Iterator[Difference]:
    for name, path in paths.items():
        if name in before and name in after:
            yield from _between(path, before[name], after[name])
        else:
            was = _json(before[name]) if name in before else None
            yield Difference(path, was, _json(after[name]) if name in after else None)


def _by_name(before: list[Any], after: list[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both lists by what names their entries, else by their places."""
    for field in _NAMED_BY:
        first, second = _named(before, field), _named(after, field)
        if first is not None and second is not None:
            return first, second
    return {str(n): each for n, each in enumerate(before)}, {str(n): each for n, each in enumerate(after)}


def _named(every: list[Any], field: str) -> dict[str, Any] | None:
    """By the text in this field; None: an entry has none, or two have the same."""
    names = [each.get(field) if isinstance(each, dict) else None for each in every]
    found = {name: each for name, each in zip(names, every, strict=True) if isinstance(name, str)}
    return found if len(found) == len(every) else None


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
