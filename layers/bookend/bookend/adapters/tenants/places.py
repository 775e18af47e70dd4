"""How a place in a salon's document is said: `services[dauerwelle].segments[1].minutes`, as `config diff` says it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any


def place_of(path: Sequence[str | int], text: str | bytes) -> str:
    """The place that a path of names and positions leads to. An entry that has an id of its own is named by it."""
    try:
        at: Any = json.loads(text)
    except (ValueError, RecursionError):
        at = None
    said = ""
    for step in path:
        if isinstance(step, int):
            said += f"[{_named(at, step)}]"
            at = at[step] if isinstance(at, list) and step < len(at) else None
        else:
            said += f".{step}" if said else step
            at = at.get(step) if isinstance(at, dict) else None
    return said or "document"


def _named(entries: Any, number: int) -> str:
    """Its id, unless it has none or another has the same; then its position, from 0."""
    ids = [each.get("id") if isinstance(each, dict) else None for each in entries] if isinstance(entries, list) else []
    mine = ids[number] if number < len(ids) else None
    return mine if isinstance(mine, str) and mine and ids.count(mine) == 1 else str(number)
