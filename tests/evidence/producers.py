"""The runs that are no tests: replays, load, simulation, planted bugs, mutants. Each returns its numbers."""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from sandbox.replays import INCIDENTS, replay
from sandbox.replays.story import Screen
from sandbox.salon.running import REGULAR_MAIL, Salon, running
from tests.evidence.batteries import environment
from tests.evidence.record import HOME, ROOT, Record, now
from tests.races import deployed
from tests.races.load import added, wishes_of
from tests.races.straight import KEY, sent_straight
from tests.simulation import campaign
from tests.simulation.plan import plan_of

INSTANCES = 4
"""Of each function, in processes of their own, at most so many at a time."""
LOADS: Mapping[str, Mapping[int, int]] = {"ci": {2: 5, 10: 2}, "long": {2: 20, 10: 10, 50: 4, 200: 2}}
"""How many callers at once, and how many times with another seed."""
FIRST_DAY, APART = 3, 9
MUTANTS_OF_A_FILE = 16
COUNTED = ("runs", "calls", "bookings", "writes", "looks", "steps", "deaths", "faults")
Producer = Callable[[str, int], Iterator[Record]]


def replays(profile: str, processes: int) -> Iterator[Record]:
    """The incidents, on the stack as it is deployed: every line of "Must hold"."""
    del profile, processes
    began, clock, rows, broken = now(), time.monotonic(), [], []
    with tempfile.TemporaryDirectory() as folder, running(scratch=Path(folder), progress=_quiet) as salon:
        for incident in INCIDENTS:
            story = replay(incident, salon, Screen(io.StringIO()))
            rows.append({"incident": incident, "lines": len(story.lines), "held": len(story.lines) - len(story.failed)})
            broken += [f"{incident}: {each.text}" for each in story.failed]
    counts = {
        "incidents": len(rows),
        "must hold": sum(each["lines"] for each in rows),
        "held": sum(each["held"] for each in rows),
    }
    seconds = time.monotonic() - clock
    yield Record("replays", "make run ONCE=1", counts, (), broken, seconds, rows).stamped(began)


def simulation(profile: str, processes: int) -> Iterator[Record]:
    """Seeded runs of everybody at once; the rare states of all plans together must have been reached."""
    reached: campaign.Counts = campaign.Counts("all")
    found = []
    for plan in campaign.SEEDS[profile]:  # duels come last, and have what all did not reach
        began = now()
        came = campaign.campaign(profile, plan, processes=processes)
        reached.saw += came.saw
        found.append((plan, came, plan_of(plan, campaign.CALLS[profile]).calls, began))
    wanted = campaign.REACHED_BY_MANY if profile == "long" else campaign.REACHED
    missing = [f"no run reached: {name}" for name in reached.missing(wanted)]
    for plan, came, calls, began in found:
        numbers = came.to_json()
        counts = {name: numbers[name] for name in COUNTED}
        yield Record(
            f"simulation-{plan}",
            f"python -m tests.simulation --plan {plan} --calls {calls} --seed {came.first_seed} --runs {came.runs}",
            counts,
            (came.first_seed, came.last_seed),
            [*came.broken, *(missing if plan == "duel" else [])],
            came.seconds,
            [{"state": name, "times": number} for name, number in sorted(came.saw.items()) if number],
            asdict(plan_of(plan, calls).rates),
        ).stamped(began)


def load(profile: str, processes: int) -> Iterator[Record]:
    """Callers of one stylist at once: through the deployed project, and straight at Cal.com."""
    del processes
    began, clock, rows, broken, most = now(), time.monotonic(), [], [], 0
    with tempfile.TemporaryDirectory() as folder, deployed.deployed(instances=INSTANCES, scratch=Path(folder)) as salon:
        for callers, rounds in LOADS[profile].items():
            salon.start_anew(mail=REGULAR_MAIL, **deployed.HOURS)
            row, breaches = _rounds(salon, callers, rounds)
            rows.append(row)
            broken += breaches
            most = max(most, rounds)
    counts = {
        "callers": sum(each["callers"] * each["rounds"] for each in rows),
        "appointments confirmed": sum(each["with Bookend"]["appointments confirmed"] for each in rows),
        "overlapping pairs": sum(each["with Bookend"]["overlapping pairs"] for each in rows),
        "overlapping pairs straight": sum(each["straight"]["overlapping pairs"] for each in rows),
        "overlapping pairs straight, paced": sum(each["straight, paced"]["overlapping pairs"] for each in rows),
    }
    yield Record(
        "load",
        f"python -m tests.evidence run load --profile {profile}",
        counts,
        (1, most),
        broken,
        time.monotonic() - clock,
        rows,
    ).stamped(began)


def _rounds(salon: Salon, callers: int, rounds: int) -> tuple[dict[str, object], list[str]]:
    """The same callers as often as that, each time with another seed, for another week."""
    ours, straight, paced, windows, broken = [], [], [], [], []
    for seed in range(1, rounds + 1):
        came = deployed.play(salon, callers=callers, seed=seed, ahead=FIRST_DAY + APART * (seed - 1))
        ours.append(came.counts)
        broken += [f"{callers} callers, seed {seed}: {each}" for each in came.breaches]
        day = came.wishes[0].start.date()
        wishes = wishes_of(salon.tenant, callers=callers, seed=seed, day=day)
        world = deployed.world_of(salon, api_key=KEY)
        at_once, window = sent_straight(world, wishes)
        straight.append(at_once)
        windows.append(window)
        paced.append(sent_straight(world, wishes, inside=INSTANCES)[0])
    row = {
        "callers": callers,
        "rounds": rounds,
        "instances": deployed.instances_started(salon),
        "with Bookend": added(ours),
        "straight": added(straight),
        "straight, paced": added(paced),
        "widest median window in ms": round(max(windows), 1),
    }
    return row, broken


def planted(profile: str, processes: int) -> Iterator[Record]:
    """The planted bugs, by the program that plants them."""
    del profile, processes
    yield from _by_another_program("planted", "tests.planted")


def mutants(profile: str, processes: int) -> Iterator[Record]:
    """Small changes of the safety code: of each file so many, others each time, since those that survive get tests.

    Never in the short profile; all there are take hours (`make mutants`).
    """
    if profile == "long":
        path = HOME / "mutants.json"
        (_, before) = (Record.read(path).seeds if path.exists() else ()) or (0, 0)
        how = ("--most", str(MUTANTS_OF_A_FILE), "--draw", str(before + 1), "--processes", str(processes))
        yield from _by_another_program("mutants", "tests.planted.mutate", *how)


def _by_another_program(name: str, module: str, *how: str) -> Iterator[Record]:
    """It writes its own file in the common shape, which is the same for both profiles."""
    path = HOME / f"{name}.json"
    before = path.stat().st_mtime_ns if path.exists() else None
    line = [sys.executable, "-m", module, *how, "--json", str(path.relative_to(ROOT))]
    done = subprocess.run(line, cwd=ROOT, env=environment(), check=False)
    if not path.exists() or path.stat().st_mtime_ns == before:
        msg = f"{module} ended with {done.returncode} and wrote nothing into {path}"
        raise RuntimeError(msg)
    yield Record.read(path)


def _quiet(_: str) -> None:
    """Nobody looks at what is started."""


PRODUCERS: Mapping[str, Producer] = {
    "replays": replays,
    "load": load,
    "simulation": simulation,
    "planted": planted,
    "mutants": mutants,
}
