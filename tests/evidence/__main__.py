"""`python -m tests.evidence run [NAME …] [--profile ci|long]`: runs that write numbers; `… page`: the page of them.

Names are those of `… list`; none: all of the profile. What ran is written at once, so that an interrupted run loses
nothing but the one it was in. Exit status 1: something did not hold.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "layers" / "bookend")]

from tests.evidence import batteries, page  # noqa: E402 - the layer must be found first
from tests.evidence.producers import PRODUCERS  # noqa: E402
from tests.evidence.record import HOME, PROFILES, Record  # noqa: E402

BATTERIES = {each.name: each for each in batteries.BATTERIES}
NAMES = (*PRODUCERS, *BATTERIES)
OF_BOTH_PROFILES = ("planted", "mutants")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.evidence", description=__doc__)
    what = parser.add_subparsers(dest="what", required=True)
    what.add_parser("list", help="the names there are")
    what.add_parser("page", help="write docs/evidence.md from what lies under evidence/")
    run = what.add_parser("run", help="run, and write the numbers under evidence/")
    run.add_argument("names", nargs="*", type=_known, metavar="NAME")
    run.add_argument("--profile", choices=PROFILES, default="ci")
    run.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args(arguments)
    if chosen.what == "list":
        print("\n".join(NAMES))
        return 0
    if chosen.what == "page":
        page.PAGE.write_text(page.written(), encoding="utf-8")
        print(f"{page.PAGE.relative_to(ROOT)} is made of {len(list(HOME.rglob('*.json')))} files")
        return 0
    return _run(chosen.names or list(NAMES), chosen.profile, chosen.processes)


def _known(name: str) -> str:
    if name not in NAMES:
        raise argparse.ArgumentTypeError(f"there is no {name}; there are: {', '.join(NAMES)}")
    return name


def _run(names: Sequence[str], profile: str, processes: int) -> int:
    """All of them, whatever becomes of one; 1 if anything did not hold."""
    broken = 0
    for name in names:
        print(f"{name} ({profile})", flush=True)
        try:
            for record in _records(name, profile, processes):
                broken += _kept(record, profile)
        except Exception as error:  # noqa: BLE001 - one that cannot be run is told, and does not keep the others from it
            broken += 1
            print(f"  not run: {type(error).__name__}: {error}", flush=True)
    print("docs/evidence.md is of before: .venv/bin/python -m tests.evidence page", flush=True)
    return 1 if broken else 0


def _kept(record: Record, profile: str) -> int:
    """Written, where the program that ran it has not done so itself, and told; how much did not hold."""
    if record.name not in OF_BOTH_PROFILES:
        record.write(HOME / profile)
    numbers = ", ".join(f"{number} {what}" for what, number in record.counts.items())
    print(f"  {record.name}: {numbers}; {len(record.broken)} broken; {record.seconds:.0f} s", flush=True)
    for line in record.broken:
        print(f"    {line}", flush=True)
    return len(record.broken)


def _records(name: str, profile: str, processes: int) -> Iterator[Record]:
    if name in PRODUCERS:
        yield from PRODUCERS[name](profile, processes)
    else:
        yield batteries.run(BATTERIES[name], profile, processes=processes)


if __name__ == "__main__":
    sys.exit(main())
