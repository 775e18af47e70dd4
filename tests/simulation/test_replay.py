"""The same seed is the same run, wherever it is played; and what is left out of a story leaves the rest as it was."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bookend.application import book_appointment as booking
from tests.simulation import people
from tests.simulation.baton import Baton
from tests.simulation.plan import QUIET, Plan, plan_of
from tests.simulation.watch import LEGEND
from tests.simulation.world import play

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["realistic", "brutal"])
def test_the_same_seed_gives_the_same_run_line_by_line(name: str) -> None:
    plan = plan_of(name, 12)

    one, other = play(7, plan), play(7, plan)

    assert one.trace == other.trace
    assert (one.digest, one.saw) == (other.digest, other.saw)
    assert play(8, plan).digest != one.digest


def test_it_is_the_same_in_another_process_whose_hashes_differ() -> None:
    def played(hashes: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "tests.simulation", "--seed", "5", "--plan", "duel"],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": hashes},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()[0].rpartition("; ")[2]

    assert played("1") == played("2") == play(5, plan_of("duel", 3)).digest[:12]


def test_what_is_left_out_leaves_the_others_as_they_were() -> None:
    """Two guests, far from each other: the second one's booking is the very same without the first."""
    plan = Plan(name="quiet", rates=QUIET, calls=2, guests=2, edits=0, hours=0.5, calm_hours=0.2)
    both = play(3, plan)
    one = play(3, plan, only=["guest-2"])

    def of_second(trace: list) -> list[str]:
        return [line.text() for line in trace if line.actor == "guest-2"]

    assert of_second(one.trace) == of_second(both.trace) != []
    assert any(line.actor.startswith("call-1") for line in both.trace)
    assert {line.actor.partition("/")[0] for line in one.trace} == {"guest-2"}


def test_a_fault_that_is_left_out_does_not_strike() -> None:
    plan = plan_of("brutal", 4)

    assert play(1, plan).faults
    assert play(1, plan, just=[]).faults == []


def test_nobody_is_left_over_after_a_run() -> None:
    before = threading.active_count()
    play(2, plan_of("brutal", 6))
    assert threading.active_count() == before


def test_an_exception_of_anybody_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        raise TypeError("nobody thought of this")

    monkeypatch.setattr(people, "book_appointment", broken)
    before = threading.active_count()

    played = play(1, Plan(name="quiet", rates=QUIET, calls=3, guests=0, edits=0, hours=0.1, calm_hours=0.1))

    assert booking.book_appointment is not broken
    assert played.kind == "EX"
    assert "nobody thought of this" in played.breaches[0]
    assert threading.active_count() == before


def test_an_exception_that_a_worker_swallows_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweeper goes on behind one that breaks, and tells of it: nothing of that kind may happen here."""
    monkeypatch.setattr("bookend.application.sweeping.settle", lambda *_args: 1 // 0)

    played = next(found for seed in range(1, 40) if (found := play(seed, plan_of("duel", 3))).breaches)

    assert "ZeroDivisionError" in played.breaches[0]


def test_whoever_pauses_shortest_goes_first_and_the_clock_jumps() -> None:
    baton = Baton(1)
    seen: list[tuple[str, float]] = []

    def someone(name: str, pauses: list[float]) -> None:
        for pause in pauses:
            baton.pause(pause)
            seen.append((name, baton.monotonic()))

    baton.spawn("slow", lambda: someone("slow", [3.0, 3600.0]))
    baton.spawn("quick", lambda: someone("quick", [1.0, 1.0, 2.0]))
    baton.run(7200.0)
    baton.end()

    assert seen == [("quick", 1.0), ("quick", 2.0), ("slow", 3.0), ("quick", 4.0), ("slow", 3603.0)]
    assert baton.monotonic() == 7200.0


def test_every_sign_that_a_breach_may_begin_with_is_explained() -> None:
    others = ("tests/support/invariants.py", "tests/application/convergence/world.py")
    rooms = [*(ROOT / "tests/simulation").glob("*.py"), *(ROOT / each for each in others)]
    used = {sign for room in rooms for sign in re.findall(r'f"([A-Z][0-9]|EQ|EX) ', room.read_text(encoding="utf-8"))}
    assert used == {*LEGEND}
