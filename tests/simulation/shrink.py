"""A failing run, told in as few words as possible: fewer actors, then fewer of what they began and of their faults.

Everybody's dice are their own, so whatever is left out leaves the others as they were; the run is played again each
time, and what still breaks the same promise is kept (delta debugging).
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from tests.simulation.baton import Line
from tests.simulation.salon import EVERY, NIGHTLY
from tests.simulation.stream import AUDITOR
from tests.simulation.world import Played, Story, World

SYSTEM = frozenset({*EVERY, NIGHTLY, AUDITOR})
"""Who comes by the clock, or by the stream. A story of what is wrong in the end keeps them all: they would mend it."""

MOST_LINES = 160
"""A longer story is not read: its middle is left out."""


@dataclass(frozen=True)
class Shrunk:
    """The shortest story that was found, and how many runs it took."""

    played: Played
    runs: int

    def text(self) -> str:
        """What happened, line by line, and how to see it again."""
        story, played = self.played.story, self.played
        told = [line.text() for line in short(played.trace)]
        if len(told) > MOST_LINES:
            half = MOST_LINES // 2
            told[half:-half] = [f"… {len(told) - MOST_LINES} lines; all of them: --trace"]
        only = ",".join(sorted(story.only or ()))
        again = ["--seed", str(story.seed), "--plan", story.plan.name, "--calls", str(story.plan.calls), "--only", only]
        again += [] if story.just is None else ["--faults", ",".join(sorted(story.just)) or "none"]
        again += ["--without", ",".join(sorted(story.without))] if story.without else []
        head = (
            f"seed {story.seed}, plan {story.plan.name}, step {played.step}, {played.digest[:12]}: {played.breaches[0]}"
        )
        return "\n".join([head, *told, f"again: .venv/bin/python -m tests.simulation {shlex.join(again)}"])


def short(trace: Sequence[Line]) -> list[Line]:
    """What changed something, what went wrong, and what was said; of the rounds that did nothing, the first one."""
    telling = [line for line in trace if line.kind != "r" and not _is_idle(line)]
    busy = {line.actor for line in telling if line.kind != "c" and not line.what.endswith("refused")}
    found, idle = [], set()
    for line in telling:
        top = line.actor.partition("/")[0]
        if top in SYSTEM and line.actor not in busy:
            if " list" in line.what or ("rounds", line.what) in idle:
                continue
            idle.add(("rounds", line.what))
        found.append(line)
    return found


def _is_idle(line: Line) -> bool:
    """Rounds that keep their own progress, and what is kept of free times."""
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
    needed = SYSTEM if failed.at_rest else frozenset[str]()
    tops = sorted({name.partition("/")[0] for name in failed.actors} - needed)
    near = sorted(_near(failed) & {*tops})
    if still(replace(story, only=frozenset(near) | needed)):
        tops = near
    kept = _fewest(tops, lambda some: still(replace(story, only=frozenset(some) | needed)))
    story = replace(story, only=frozenset(kept) | needed)
    if not still(story):
        return Shrunk(best, runs)
    faults = sorted(best.faults)
    just = _fewest(faults, lambda some: still(replace(story, just=frozenset(some))))
    story = replace(story, just=frozenset(just))
    if not still(story):  # some faults make no trace of their own: then all of them stay
        story = replace(story, just=None)
        still(story)
    parts = sorted(
        name
        for name in best.actors
        if "/" in name and not name.rpartition("/")[2].startswith("turn") and not (failed.at_rest and _repairs(name))
    )
    gone = frozenset(parts) - frozenset(
        _fewest(parts, lambda some: still(replace(story, without=frozenset(parts) - frozenset(some))))
    )
    still(replace(story, without=frozenset(each for each in gone if not any(other in gone for other in _above(each)))))
    return Shrunk(best, runs)


def _near(played: Played) -> set[str]:
    """Who had to do with what the breach names: mostly all that it takes, and a good first guess."""
    named = {name[:6] if len(name) == 20 else name for name in re.findall(r"u\d{10}|[0-9a-f]{20}", played.breaches[0])}
    return {line.actor.partition("/")[0] for line in played.trace if any(name in line.what for name in named)}


def _above(name: str) -> Iterator[str]:
    """Who began it, up to the top."""
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


def _repairs(name: str) -> bool:
    """Whether it is one of those who make the two sides equal again: only a fault may keep them from it."""
    last = name.rpartition("/")[2]
    return name.partition("/")[0] in SYSTEM or last.startswith(("hook", "job"))


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
