"""Breaches whose reason is known and not mended yet: each with the story that shows it (`test_found.py`).

A run is not broken by one of these, and counts it. Whoever mends one deletes it here: its test demands that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from tests.support.invariants import World as Look

if TYPE_CHECKING:
    from tests.simulation.world import World

Known = Callable[["World", Look, str], bool]


def elder_sibling(world: World, look: Look, breach: str) -> bool:
    """Of two live bookings after two moves of one, the elder is taken for an old state of the younger: `_is_stale` in
    `application/converging.py` compares instants of different bookings. Nobody hears of it.
    """
    del world
    for booking in look.accepted():
        siblings = [
            each
            for each in look.bookings
            if each.uid != booking.uid and each.rescheduled_from == booking.rescheduled_from is not None
        ]
        if booking.uid in breach and siblings:
            return True
    return False


KNOWN: Mapping[str, Known] = {"elder sibling": elder_sibling}
