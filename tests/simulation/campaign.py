"""Many runs, and what came of them in numbers: for continuous integration a few seeds, for the evidence many.

    counts = calls(seeds=range(1, 101), plan="brutal", calls=100)
    counts = interleavings(seeds=range(1, 20_001))
    counts.write(Path("simulation.json"))

The numbers are the runs' own; whoever writes about them reads them from the file.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.simulation.plan import plan_of
from tests.simulation.world import Played, play

REACHED = (
    "Cal.com double-booked by itself",
    "a composite was undone",
    "a conflict was taken in",
    "a job settled",
    "a kept wish was done",
    "a probe closed a breaker",
    "a batch of the stream taken in part",
    "a batch of the stream that came twice",
    "a batch of the stream that was late",
    "a read of the due index that was stale",
    "a read that lagged",
    "a stale index led somebody to what was over",
    "an event before our commit",
    "an event settled",
    "booked longer than asked",
    "both tenants had open work in one round",
    "both tenants were reconciled in one round",
    "breaker open",
    "carried out after it was given up",
    "chain of moves",
    "chains that hold",
    "did not hear of what they have",
    "died having began a change",
    "died having started",
    "success with somebody else's booking",
    "the sweeper settled",
    "told of what was in the log already",
    "told CancelledNow",
    "told KeptForLater",
    "told Moved",
    "told SlotTaken",
    "told StillOpen",
    "two live bookings after two moves",
    "two raced for one slot",
    "unclear, with effect",
    "unclear, without effect",
    "was undone",
    "who had a batch of the stream died",
)
"""States that are rare, and that every campaign must have reached: else it has shown nothing of them."""
REACHED_BY_MANY = (
    *REACHED,
    "a job went to the dead letters",
    "a late booking was given to who waited",
    "a reconciliation settled",
    "a caller's appointment that the index did not show",
    "alert OrphanCancelled",
    "carried out after it was released",
)
"""Those that only a long campaign can be sure to reach."""


@dataclass
class Counts:
    """What was run and what came of it. `broken` has a line for each run that was not sound."""

    plan: str
    first_seed: int = 0
    last_seed: int = 0
    runs: int = 0
    calls: int = 0
    bookings: int = 0
    writes: int = 0
    looks: int = 0
    steps: int = 0
    deaths: int = 0
    faults: int = 0
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)
    saw: Counter[str] = field(default_factory=Counter)

    def add(self, played: Played) -> None:
        """One more run."""
        story = played.story
        self.first_seed = min(self.first_seed or story.seed, story.seed)
        self.last_seed = max(self.last_seed, story.seed)
        self.runs += 1
        self.calls += played.calls
        self.bookings += played.bookings
        self.writes += played.writes
        self.looks += played.checks
        self.steps += played.step
        self.deaths += played.deaths
        self.faults += len(played.faults)
        self.saw += played.saw
        if played.breaches:
            again = f"--seed {story.seed} --plan {story.plan.name} --calls {story.plan.calls}"
            self.broken.append(f"{again}: step {played.step}: {played.breaches[0][:500]}")

    def missing(self, wanted: Iterable[str]) -> list[str]:
        """Which of the rare states were not reached."""
        return sorted(name for name in wanted if not self.saw[name])

    def to_json(self) -> dict[str, object]:
        """All of it."""
        return asdict(self) | {"saw": dict(sorted(self.saw.items())), "seconds": round(self.seconds, 1)}

    def write(self, path: Path) -> None:
        """Into a file, beside what other campaigns have written there."""
        there = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        path.write_text(json.dumps(there | {self.plan: self.to_json()}, indent=1) + "\n", encoding="utf-8")


def calls(*, seeds: Sequence[int], plan: str, calls: int, processes: int = 1) -> Counts:
    """So many runs of so many calls."""
    counts, began = Counts(plan), time.perf_counter()
    if processes == 1:
        for seed in seeds:
            counts.add(_one(plan, calls, seed))
    else:
        with ProcessPoolExecutor(processes) as pool:
            for played in pool.map(_one, *zip(*((plan, calls, seed) for seed in seeds), strict=True), chunksize=8):
                counts.add(played)
    counts.seconds = time.perf_counter() - began
    return counts


def interleavings(*, seeds: Sequence[int], processes: int = 1) -> Counts:
    """As many runs of small worlds: two or three around one slot, each in another order."""
    return calls(seeds=seeds, plan="duel", calls=3, processes=processes)


def _one(plan: str, calls: int, seed: int) -> Played:
    played = play(seed, plan_of(plan, calls))
    played.world, played.trace = None, []  # too much to keep of many, or to hand from one process to another
    return played


def evidence(path: Path, *, processes: int = 2, share: float = 1.0) -> list[Counts]:
    """The long campaign: 10,000 calls, half of them under the realistic plan, and 20,000 interleavings."""
    half = max(1, round(50 * share))
    found = [
        calls(seeds=range(1, half + 1), plan="realistic", calls=100, processes=processes),
        calls(seeds=range(1, half + 1), plan="brutal", calls=100, processes=processes),
        interleavings(seeds=range(1, round(20_000 * share) + 1), processes=processes),
    ]
    for each in found:
        each.write(path)
    return found
