"""`python -m tests.simulation --seed 7 --calls 100 [--brutal] [--trace] [--shrink]`: one run, or part of its story."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "layers" / "bookend")]

from tests.simulation.plan import PLANS, plan_of  # noqa: E402 - the layer must be found first
from tests.simulation.shrink import SYSTEM, shrink  # noqa: E402
from tests.simulation.world import play  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    """0: every promise held; 1: one was broken, and its story was told; 2: what was asked for cannot be played."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=_some, default=1, help="so many seeds from that one on")
    parser.add_argument(
        "--calls",
        type=_some,
        default=100,
        help="callers of the salon (a second one has a quarter as many besides); small plans have their own number",
    )
    parser.add_argument("--plan", choices=PLANS, default="realistic")
    parser.add_argument("--brutal", action="store_const", const="brutal", dest="plan")
    parser.add_argument("--only", help="these actors alone, by name: call-3,guest-1,sweeper")
    parser.add_argument("--without", default="", help="without these actors, nor what they began")
    parser.add_argument("--faults", help="of all that goes wrong, this alone (none: nothing)")
    parser.add_argument("--trace", action="store_true", help="everything that happened, line by line")
    parser.add_argument("--shrink", action="store_true", help="of a broken run, the shortest story that can be found")
    parser.add_argument("--seconds", type=float, default=120.0, help="how long to look for it")
    chosen = parser.parse_args(arguments)
    plan = plan_of(chosen.plan, chosen.calls)
    only = _names(chosen.only) if chosen.only else None
    just = None if chosen.faults is None else _names(chosen.faults.removeprefix("none"))
    partial = only is not None and not SYSTEM.issubset(only)
    broken = looks = 0
    for seed in range(chosen.seed, chosen.seed + chosen.runs):
        played = play(seed, plan, only=only, without=_names(chosen.without), just=just)
        rate = played.calls / played.seconds if played.seconds else 0.0
        print(
            f"seed {seed}, {plan.name}: {played.calls} calls, {played.bookings} bookings, {played.writes} writes, "
            f"{played.deaths} deaths, {len(played.faults)} faults, {played.checks} looks; "
            f"{rate:.0f} calls a second; {played.digest[:12]}"
        )
        looks += played.checks
        if missing := sorted({*(only or ())} - {name.partition("/")[0] for name in played.actors}):
            parser.error(f"nobody is called {', '.join(missing)} in this run")
        if idle := sorted({*(just or ())} - {*played.faults}):
            print(f"These did not strike: {', '.join(idle)}")
        if chosen.trace:
            print("\n".join(line.text() for line in played.trace))
        if not played.breaches:
            if chosen.runs == 1:
                print("\n".join(f"{number:8d}  {name}" for name, number in sorted(played.saw.items()) if number))
            continue
        if played.at_rest and partial:
            print("What is unsound at rest is not told: whoever would have mended it is left out.")
            continue
        broken += 1
        print(f"BROKEN at step {played.step}:", *played.breaches[:5], sep="\n  ")
        if chosen.shrink:
            shrunk = shrink(played, seconds=chosen.seconds)
            print(f"The shortest story, after {shrunk.runs} runs:\n{shrunk.text()}")
        else:
            print(
                f"Its story: .venv/bin/python -m tests.simulation --seed {seed} --plan {plan.name} "
                f"--calls {plan.calls} --shrink"
            )
    if not broken:
        print(f"Sound: no promise was broken, in {looks} looks{'' if partial else ' and at rest'}.")
    return 1 if broken else 0


def _some(text: str) -> int:
    """At least one: of none it could only be said that nothing was broken."""
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"at least 1, not {text}")
    return number


def _names(text: str) -> list[str]:
    return [each for each in text.split(",") if each]


if __name__ == "__main__":
    sys.exit(main())
