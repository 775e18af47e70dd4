"""What must hold once everything had the time to come to its end: both sides are equal, and what was said is so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.application.convergence.world import as_the_revived_are, tombstones, transient, unequal
from tests.support.invariants import World as Look
from tests.support.invariants import breaches, look_at

if TYPE_CHECKING:
    from tests.simulation.world import World


def unsound_at_rest(world: World) -> Iterator[str]:
    """Every breach, as a sentence that begins with its number."""
    look = look_at(world.salon)
    yield from breaches(as_the_revived_are(look))
    yield from transient(look)
    yield from tombstones(look)
    yield from unequal(look)
    yield from _inbox_is_done(world)


def _inbox_is_done(world: World) -> Iterator[str]:
    """I7: each delivery was worked on to its end, or is in the dead-letter queue."""
    dead = {job.name for job in world.salon.dead_letters}
    for row in world.salon.table.rows("#WH#"):
        name = row["pk"]["S"].rpartition("#")[2]
        if "done_at" not in row and name not in dead:
            yield f"I7 delivery {name[:8]} is not done"


__all__ = ["Look", "unsound_at_rest"]
