"""`python -m sandbox.calcom --port 8411 --setup world.json`: the stand-in as a process of its own.

Prints one line `ready http://127.0.0.1:<port>` and runs until SIGINT or SIGTERM.
"""

from __future__ import annotations

import argparse
import json
import signal
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .clock import file_clock
from .control import subscribe
from .faults import FaultPlan
from .server import CalcomStandIn
from .world import World, utc_now


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="sandbox.calcom", description="A Cal.com API v2 stand-in on loopback.")
    parser.add_argument("--port", type=int, default=0, help="0 = any free one (see the line printed)")
    parser.add_argument("--seed", type=int, default=0, help="of uids and of the page order")
    parser.add_argument("--setup", type=Path, help="JSON as for POST /_standin/setup")
    parser.add_argument("--faults", type=Path, help="JSON as for POST /_standin/faults")
    parser.add_argument("--clock-file", type=Path, help="file with seconds to add to real time; read at every look")
    parser.add_argument("--gap", type=float, help="seconds between availability check and insert (default 0.015)")
    parser.add_argument("--dev-mode", action="store_true", help="lost races answer 409 instead of 400")
    parser.add_argument("--no-rate-limit", action="store_true")
    options = parser.parse_args(arguments)

    setup = json.loads(options.setup.read_text()) if options.setup else {}
    hooks = setup.pop("webhooks", [])
    clock = file_clock(options.clock_file) if options.clock_file else utc_now
    world = World.from_json(setup, clock=clock, seed=options.seed)
    if options.gap is not None:
        world.settings = replace(world.settings, check_to_insert_gap=options.gap)
    if options.dev_mode:
        world.settings = replace(world.settings, production_mode=False)
    if options.no_rate_limit:
        world.settings = replace(world.settings, requests_per_minute=0)
    for hook in hooks:
        subscribe(world, **hook)
    faults = FaultPlan.from_json(json.loads(options.faults.read_text())) if options.faults else None

    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    with CalcomStandIn(world=world, faults=faults, port=options.port) as calcom:
        print(f"ready {calcom.url}", flush=True)
        stop.wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
