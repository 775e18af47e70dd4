"""The tests that are evidence, in groups by what they try; each is one run of pytest that counts what it did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.evidence.record import ROOT, Record, now


@dataclass(frozen=True)
class Battery:
    """A group of tests."""

    name: str
    tries: str
    paths: tuple[str, ...]
    less: tuple[str, ...] = ()
    """Paths below those that are other batteries."""


BATTERIES = (
    Battery(
        "crashes",
        "a booking, a move or a cancellation dies, or loses its answer, at each of its boundaries; "
        "one layer alone must bring it to its end",
        ("tests/application/test_crashes.py", "tests/application/convergence"),
    ),
    Battery(
        "double-crashes",
        "an operation dies, whoever recovers it dies on the way, and another one, or the same one a minute later, "
        "must bring it to its end",
        ("tests/application/test_double_crashes.py",),
    ),
    Battery(
        "stateful",
        "callers, the salon and time in any order, held against a model that was written on its own",
        ("tests/stateful",),
    ),
    Battery(
        "properties",
        "time zones, slots, words for times, segments, rules, parsers: what must hold for all of them",
        ("tests/properties", "tests/domain", "tests/application/test_composite_oracle.py"),
    ),
    Battery(
        "abuse", "whoever has a telephone, or has talked the agent into anything", ("tests/functions/test_abuse.py",)
    ),
    Battery(
        "hostile",
        "forged and broken envelopes, signatures, webhooks, arguments",
        (
            "tests/functions/test_hostile.py",
            "tests/functions/test_calcom_webhooks.py",
            "tests/adapters/retell/test_signature.py",
            "tests/adapters/calcom/test_webhook_signature.py",
        ),
    ),
    Battery("openapi", "what a fuzzer makes of the doors' own description", ("tests/functions/test_openapi.py",)),
    Battery(
        "privacy", "marked people's data, looked for in everything that leaves", ("tests/functions/test_privacy.py",)
    ),
    Battery("deadlines", "everything that Cal.com or AWS may keep waiting", ("tests/functions/test_deadlines.py",)),
    Battery(
        "races",
        "fifty threads on a real engine: bookings, moves, composites, breakers",
        ("tests/races",),
        less=("tests/races/test_deployed.py",),
    ),
    Battery(
        "engines",
        "every transaction and condition, on each engine, and all of them compared",
        ("tests/adapters/dynamodb",),
    ),
    Battery(
        "sabotage", "a product that is broken on purpose fails its replay; the operator's commands", ("tests/e2e",)
    ),
    Battery("stand-in", "our Cal.com against recorded exchanges of the real one", ("tests/sandbox/calcom",)),
    Battery("house", "the template, the rights, the alarms, the rules of the house", ("tests/infrastructure",)),
)


def run(battery: Battery, profile: str, *, processes: int = 1) -> Record:
    """All of it, or without the slow ones."""
    chosen = [*battery.paths, *(f"--ignore={each}" for each in battery.less)]
    chosen += ["-m", "not slow"] if profile == "ci" else []
    began, clock = now(), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "numbers.json"
        line = [sys.executable, "-m", "pytest", "-q", "-p", "tests.evidence.plugin", f"--numbers={target}", *chosen]
        done = subprocess.run(
            [*line, *(["-n", str(processes), "--dist", "worksteal"] if processes > 1 else [])],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        found = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {"counts": {}, "broken": []}
    if done.returncode and not found["broken"]:
        said = (done.stdout + done.stderr).strip().splitlines() or ["it said nothing"]
        found["broken"] = [f"pytest ended with {done.returncode}: {said[-1]}"]
    return Record(
        battery.name,
        _command(chosen),
        found["counts"],
        broken=found["broken"],
        seconds=time.monotonic() - clock,
    ).stamped(began)


def environment() -> dict[str, str]:
    """Ours, with the room where the layer is."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "layers" / "bookend")])
    return os.environ | {"PYTHONPATH": paths, "REQUIRE_ENGINES": "1"}


def _command(chosen: list[str]) -> str:
    words = [f'"{each}"' if " " in each else each for each in chosen]
    return " ".join([".venv/bin/pytest", *words])
