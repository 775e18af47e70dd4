"""A failing run, told in as few words as possible: fewer actors, then fewer of what they began and of their faults.

Everybody's dice are their own, so whatever is left out leaves the others as they were; the run is played again each
time, and what still breaks the same promise is kept (delta debugging).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tests.simulation.baton import Line
from tests.simulation.world import Played, Story, World

SYSTEM = frozenset({"sweeper", "poll", "nightly"})


@dataclass(frozen=True)
class Shrunk:
    """The shortest story that was found, and how many runs it took."""

    played: Played
    runs: int

    def text(self) -> str:
        """What happened, line by line, and how to see it again."""
        story, played = self.played.story, self.played
        told = [line.text() for line in short(played.trace)]
        only = ",".join(sorted(story.only or ()))
        again = f"--seed {story.seed} --plan {story.plan.name} --calls {story.plan.calls} --only {only}"
        if story.without:
            again += f" --without {','.join(sorted(story.without))}"
        head = f"seed {story.seed}, plan {story.plan.name}, step {played.step}: {played.breaches[0]}"
        return "\n".join([head, *told, f"again: python -m tests.simulation {again}"])


def short(trace: Sequence[Line]) -> list[Line]:
    """What changed something, what went wrong, and what was said."""
    return [line for line in trace if line.kind != "r" and not _is_idle(line)]


def _is_idle(line: Line) -> bool:
    """Rounds that keep their own progress, and offers that nobody took up."""
    words = line.what.split()
    return line.kind == "w" and words[0] in {"write", "update", "put"} and {*words[1:]} <= {"RUN", "REPORT", "SLOTS"}


def shrink(failed: Played, *, seconds: float = 120.0) -> Shrunk:
    """The shortest story of the same kind of breach, as far as it is found in that time."""
    until = time.monotonic() + seconds
    best, runs = failed, 0

    def still(story: Story) -> bool:
        nonlocal best, runs
        if time.monotonic() > until:
            return False
        runs += 1
        played = World(story).play()
        if played.kind != failed.kind:
            return False
        best = played
        return True

    story = failed.story
    tops = sorted({name.partition("/")[0] for name in failed.actors})
    kept = _fewest(tops, lambda some: still(Story(story.seed, story.plan, frozenset(some), story.without)))
    only = frozenset(kept)
    # What they began, and their faults, as of the shortest run so far: leave out as much as can be.
    for _ in range(2):
        parts = sorted({name for name in best.actors if "/" in name and "/turn" not in name} | {*best.faults})
        gone = best.story.without

        def without(some: Sequence[str], parts: list[str] = parts, gone: frozenset[str] = gone) -> bool:
            return still(Story(story.seed, story.plan, only, gone | (frozenset(parts) - frozenset(some))))

        _fewest(parts, without)
    if best is failed:
        still(Story(story.seed, story.plan, only, story.without))
    return Shrunk(best, runs)


def _fewest(units: Sequence[str], holds: Callable[[Sequence[str]], bool]) -> list[str]:
    """As few of them as possible with which it still holds (ddmin): halves are left out, then quarters, …"""
    kept, size = list(units), max(1, len(units) // 2)
    while kept:
        smaller = next((rest for rest in _rests(kept, size) if holds(rest)), None)
        if smaller is not None:
            kept = smaller
            size = min(size, max(1, len(kept) // 2))
        elif size == 1:
            break
        else:
            size = max(1, size // 2)
    return kept


def _rests(units: Sequence[str], size: int) -> Iterator[list[str]]:
    for first in range(0, len(units), size):
        yield [*units[:first], *units[first + size :]]
