"""How often what goes wrong: the rates of a run, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from random import Random
from typing import Any


@dataclass(frozen=True, slots=True)
class Rates:
    """Shares between 0 and 1, and seconds.

    `table_…`: of the requests to the table. `calcom`: of those that write at Cal.com, by what becomes of them (no
    connection; 429; 500 without and with effect; no answer without and with effect; no answer, and done later);
    `reads` of those that read. `anothers`: of the bookings that were made, those whose answer names somebody else's;
    `odd`: those that come out longer than asked. `hook_…`: of the deliveries. `slow`: of the pauses on the way.
    """

    table_conflict: float = 0.0
    table_throttle: float = 0.0
    table_lost: float = 0.0
    table_unsent: float = 0.0
    table_late: float = 0.0
    crash: float = 0.0
    """Of the boundaries: before and after each request, and in the middle of several."""
    calcom: Mapping[str, float] = field(default_factory=dict)
    reads: Mapping[str, float] = field(default_factory=dict)
    anothers: float = 0.0
    odd: float = 0.0
    rivals: float = 0.0
    """Of the bookings and moves that Cal.com is at: those beside which somebody else does the same right then."""
    lag: float = 0.0
    """Of the writes at Cal.com: those whose reads show them late."""
    lag_s: float = 3.0
    late_s: float = 60.0
    slow: float = 0.0
    hook_lost: float = 0.0
    hook_doubled: float = 0.0
    hook_late: float = 0.0
    job_lost: float = 0.0
    job_doubled: float = 0.0
    queue_away: float = 0.0
    texts: Mapping[str, float] = field(default_factory=dict)
    """Of the messages: those the provider refuses, those that surely were not sent, and those nobody knows of."""
    outage: float = 0.0
    """How likely Cal.com is away for a minute or two of the run."""
    index_lag: float = 0.0
    """Of the writes, for each index: those that it has late."""
    index_lag_s: float = 2.0
    stream_late: float = 0.0
    """Of the batches of the table's stream, as the next two: the same comes twice, and only a part of it is taken."""
    stream_doubled: float = 0.0
    stream_partial: float = 0.0
    stream_late_s: float = 60.0
    sent_twice: float = 0.0
    """Of the function calls: those that Retell sends twice."""
    clocks: float = 0.0
    """Of the writes at Cal.com: those by a server whose clock is ahead or behind. A new rate comes last: dice are
    thrown in this order."""
    clocks_s: float = 2.0


QUIET = Rates()
REALISTIC = Rates(
    table_conflict=0.005,
    table_throttle=0.001,
    table_lost=0.001,
    table_unsent=0.001,
    table_late=0.0005,
    crash=0.0005,
    calcom={
        "unsent": 0.005,
        "limited": 0.004,
        "error_before": 0.01,
        "error_after": 0.01,
        "lost_before": 0.005,
        "lost_after": 0.01,
        "late": 0.004,
    },
    reads={"unsent": 0.004, "limited": 0.002, "error_before": 0.01, "lost_before": 0.006},
    anothers=0.004,
    odd=0.002,
    rivals=0.02,
    lag=0.05,
    hook_lost=0.03,
    hook_doubled=0.03,
    hook_late=0.05,
    job_lost=0.002,
    job_doubled=0.01,
    queue_away=0.002,
    slow=0.01,
    texts={"refused": 0.01, "unsent": 0.02, "lost_before": 0.005, "lost_after": 0.005},
    outage=0.15,
    index_lag=0.05,
    stream_late=0.03,
    stream_doubled=0.03,
    stream_partial=0.01,
    sent_twice=0.05,
    clocks=0.05,
)
"""What a bad week may look like, every day."""
BRUTAL = Rates(
    table_conflict=0.10,
    table_throttle=0.02,
    table_lost=0.015,
    table_unsent=0.01,
    table_late=0.01,
    crash=0.02,
    calcom={
        "unsent": 0.05,
        "limited": 0.03,
        "error_before": 0.07,
        "error_after": 0.09,
        "lost_before": 0.05,
        "lost_after": 0.08,
        "late": 0.05,
    },
    reads={"unsent": 0.04, "limited": 0.02, "error_before": 0.08, "lost_before": 0.06},
    anothers=0.05,
    odd=0.03,
    rivals=0.15,
    lag=0.30,
    lag_s=20.0,
    late_s=240.0,
    hook_lost=0.25,
    hook_doubled=0.2,
    hook_late=0.3,
    job_lost=0.1,
    job_doubled=0.1,
    queue_away=0.1,
    slow=0.05,
    texts={"refused": 0.05, "unsent": 0.15, "lost_before": 0.05, "lost_after": 0.1},
    outage=0.5,
    index_lag=0.3,
    index_lag_s=6.0,
    stream_late=0.2,
    stream_doubled=0.2,
    stream_partial=0.1,
    stream_late_s=240.0,
    sent_twice=0.2,
    clocks=0.2,
    clocks_s=20.0,
)
"""42 of 100 requests to Cal.com go wrong, as in the laboratory (one in fifty boundaries is somebody's death)."""
RATES = {"quiet": QUIET, "realistic": REALISTIC, "brutal": BRUTAL}


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. `calls` are spread over `hours`, in groups that want the same; `guests` book at Cal.com past us, and the
    salon makes `edits` there.
    """

    name: str = "realistic"
    rates: Rates = REALISTIC
    calls: int = 100
    guests: int = 25
    edits: int = 15
    hours: float = 1.0
    group: int = 3
    """How many calls at most begin at the same moment with the same wish."""
    days: int = 3
    """On how many days there is something to be had: fewer days, more rivals."""
    every: int = 15
    """Minutes from one start on sale to the next."""
    eager: bool = False
    """A small world: all callers want the very same at the very same moment, and so do the guests."""
    second: float = 0.0
    """How many of the runs have a second tenant in the same table, a smaller one."""
    calm_hours: float = 4.0
    """How long the salon has, without new troubles, until everything must have come to its end."""


DUEL = Plan(
    name="duel",
    rates=BRUTAL,
    calls=3,
    guests=1,
    edits=1,
    hours=0.03,
    group=3,
    days=1,
    every=30,
    eager=True,
    second=0.1,
    calm_hours=0.8,
)
"""Two or three around one slot: for many runs, each with another order of the same few steps."""
STRANGERS = Plan(
    name="strangers",
    rates=Rates(
        anothers=0.5, hook_lost=1.0, sent_twice=0.2
    ),  # what is taken in already is guarded, and so not given to another
    calls=12,
    guests=12,
    edits=0,
    hours=0.2,
    calm_hours=0.8,
)
"""Every second booking is answered with somebody else's (incident I1), and no event tells whose it is."""
SMALL = {each.name: each for each in (DUEL, STRANGERS)}
"""Those that have as many callers as they have, whatever is asked for."""
PLANS = ("quiet", "realistic", "brutal", *SMALL)


def swarmed(rates: Rates, dice: Random) -> Rates:
    """Each kind of trouble as it is, halved, half as frequent again, or left out: together they hide each other (one
    that dies early meets nothing else), so every run has troubles of its own.
    """
    chosen: dict[str, Any] = {}
    for each in fields(rates):
        value, weight = getattr(rates, each.name), dice.choice((0.0, 0.5, 1.0, 1.0, 1.5))
        if each.name.endswith("_s"):
            continue
        if isinstance(value, float):
            chosen[each.name] = min(1.0, value * weight)
        else:
            chosen[each.name] = {name: share * dice.choice((0.0, 0.5, 1.0, 1.5)) for name, share in value.items()}
    return replace(rates, **chosen)


def plan_of(name: str, calls: int) -> Plan:
    """The plan of that name for so many calls; a small one has its own."""
    if name in SMALL:
        return SMALL[name]
    base = Plan(name=name, rates=RATES[name], calls=calls, guests=max(1, calls // 4), edits=max(1, calls // 6))
    return replace(base, hours=max(0.25, calls / 100), second=0.0 if name == "quiet" else 0.3)


def one_of(shares: Mapping[str, float], dice: Random) -> str | None:
    """Which of them it is; None: none, and all is well."""
    point = dice.random()
    for name, share in shares.items():
        if point < share:
            return name
        point -= share
    return None
