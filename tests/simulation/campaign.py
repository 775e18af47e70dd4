"""Many runs, and what came of them in numbers: for continuous integration a few seeds, for the evidence many.

    counts = campaign("ci", "brutal")
    counts = calls(seeds=range(1, 101), plan="brutal", calls=100)

The numbers are the runs' own; whoever writes about them reads them from the file that keeps them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field

from tests.simulation.plan import plan_of
from tests.simulation.world import Played, play

SEEDS = {
    "ci": {
        "realistic": range(101, 103),
        "brutal": range(101, 105),
        "strangers": range(1, 9),
        "duel": range(1, 101),
    },
    "long": {
        "realistic": range(1, 51),
        "brutal": range(1, 51),
        "strangers": range(1, 201),
        "duel": range(1, 20_001),
    },
}
"""By profile and plan. A run has `CALLS` calls, a small one its own."""
CALLS = {"ci": 60, "long": 100}
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


def campaign(profile: str, plan: str, *, processes: int = 1, share: float = 1.0) -> Counts:
    """A plan of a profile, or the first `share` of its seeds."""
    seeds = SEEDS[profile][plan]
    return calls(
        seeds=seeds[: max(1, round(len(seeds) * share))],
        plan=plan,
        calls=plan_of(plan, CALLS[profile]).calls,
        processes=processes,
    )


def _one(plan: str, calls: int, seed: int) -> Played:
    played = play(seed, plan_of(plan, calls))
    played.world, played.trace = None, []  # too much to keep of many, or to hand from one process to another
    return played
