"""All planted bugs in one table; `rows` is what is published of it.

Where the battery needs more than this process, or minutes, bugs are planted beside it: in running stacks, each of which
fails the replay of its incident (`tests/e2e/test_incidents.py`), and those that the simulation must find
(`tests/simulation/test_planted.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.planted import of_bookings, of_callers, of_cases, of_changes, of_convergence, of_layers, of_records
from tests.planted.bug import Bug, Patch, Redundant, table_of

ROOMS = {
    "booking": of_bookings.BUGS,
    "both sides": of_convergence.BUGS,
    "moves and cancellations": of_changes.BUGS,
    "who may": of_callers.BUGS,
    "doors, texts, audit": of_records.BUGS,
    "cases, imports, lists": of_cases.BUGS,
    "whole layers": of_layers.BUGS,
}
BUGS: Mapping[str, Bug] = table_of(*(bug for bugs in ROOMS.values() for bug in bugs))
"""By name; each must be noticed."""
LAYERS: Mapping[str, Bug] = {layer: BUGS[name] for layer, name in of_layers.LAYERS.items()}
"""Each safety layer, taken out."""
REDUNDANT: Mapping[str, Redundant] = {each.name: each for each in of_layers.REDUNDANT}


def noticed(bug: Bug) -> str | None:
    """Put it in, and say what the battery reports."""
    with bug.battery.set_up(), Patch.context() as patch:
        bug.plant(patch)
        return bug.noticed()


def unseen(redundant: Redundant) -> tuple[str | None, str | None, str | None]:
    """What is reported of the bug, of its cover taken away, and of both."""

    def reported(*plants: Any) -> str | None:
        with redundant.battery.set_up(), Patch.context() as patch:
            for plant in plants:
                plant(patch)
            return next((each for each in redundant.battery.breaches() if each.startswith(redundant.expected)), None)

    return reported(redundant.bug), reported(redundant.cover), reported(redundant.bug, redundant.cover)


def rows() -> Iterator[dict[str, Any]]:
    """Play all of them. Takes as long as their tests."""
    layers = {bug.name: layer for layer, bug in LAYERS.items()}
    for room, bugs in ROOMS.items():
        for bug in bugs:
            yield {
                "name": bug.name,
                "room": room,
                "breaks": bug.breaks,
                "battery": bug.battery.name,
                "layer": layers.get(bug.name, ""),
                "caught": noticed(bug) is not None,
            }
    for name, each in REDUNDANT.items():
        alone, cover, both = unseen(each)
        yield {
            "name": name,
            "room": "redundant",
            "breaks": each.reason,
            "battery": each.battery.name,
            "layer": "",
            "covered_by": each.cover.__name__,
            "caught": alone is None and cover is None and both is not None,
        }
