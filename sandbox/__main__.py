"""`python -m sandbox`: the whole project on this machine; replays the incidents, then stays for you to call it.

With CALCOM_API_KEY in the environment it works on that Cal.com account instead of the stand-in: no replays, real
bookings, the salon of the document that TENANT names.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

try:
    from sandbox.replays import INCIDENTS, replay
    from sandbox.replays.story import Screen, Story
    from sandbox.salon.handle import forget
    from sandbox.salon.running import EXAMPLE, REAL_CALCOM, Account, CannotStart, Salon, running, scratch_directory
    from sandbox.stack.engine import REPOSITORY, EngineMissing
    from sandbox.stack.processes import terminate_as_interrupt
except ModuleNotFoundError as missing:
    sys.exit(f"This Python lacks {missing.name}: make setup, then .venv/bin/python -m sandbox")

REPLAYED, NOT_REPLAYED, CANNOT_START = 0, 2, 1
INTERRUPTED = 130
_LOST = '{"rules": [{"fault": "timeout_after"}]}'
"""A fault plan, as an example."""


def main(arguments: Sequence[str] | None = None) -> int:
    """0: every line of every replay holds; 1: it could not start; 2: something does not hold."""
    options = _options(arguments)
    key = os.environ.get("CALCOM_API_KEY")
    if key and options.once:
        return _refuse(
            "CALCOM_API_KEY is set, and nothing is replayed against a real account: unset it, or leave --once out."
        )
    if key and "TENANT" not in os.environ:
        # The example's event types may be a stranger's at the real Cal.com, and anybody can book those.
        return _refuse("CALCOM_API_KEY is set: name the salon of that account too, TENANT=path/to/salon.json")
    try:
        return _run(options, key)
    except KeyboardInterrupt:
        return INTERRUPTED


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument(
        "--once", action="store_true", help="end after the replays; the exit status says whether all holds"
    )
    parser.add_argument("--runtime", choices=("lambda", "in-process"), default="lambda", help="what runs the functions")
    parser.add_argument("--only", default="", help="incidents to replay, such as I1,I3; 'none' for none")
    parser.add_argument("--port", type=int, default=0, help="of the HTTP front; 0: any free one")
    parser.add_argument("--verbose", action="store_true", help="show what is started, and every request")
    return parser.parse_args(arguments)


def _run(options: argparse.Namespace, key: str | None) -> int:
    terminate_as_interrupt()
    screen = Screen()
    wanted = [each for each in options.only.upper().split(",") if each] or list(INCIDENTS)
    if options.only.lower() == "none":
        wanted = []
    if options.once and not wanted:
        return _refuse("--once is for the replays, and none is wanted.")
    if unknown := [each for each in wanted if each not in INCIDENTS]:
        return _refuse(f"There is no replay of {', '.join(unknown)}; there are {', '.join(INCIDENTS)}.")
    account = Account(key, os.environ.get("CALCOM_BASE_URL") or REAL_CALCOM) if key else None
    progress = _Progress(screen, verbose=options.verbose)
    tenant = Path(os.environ.get("TENANT") or EXAMPLE) if account else EXAMPLE
    began = time.monotonic()
    try:
        with running(
            runtime=options.runtime,
            tenant=tenant,
            account=account,
            port=options.port,
            scratch=scratch_directory(),
            progress=progress,
        ) as salon:
            if account is not None:
                screen.rule("Real Cal.com: no stand-in, no replays. What is booked here is really booked.")
                return _stay(salon, screen, progress)
            screen.line(f"started in {time.monotonic() - began:.1f} s", "2")
            progress.mute()
            stories = [replay(each, salon, screen) for each in wanted]
            verdict = _verdict(stories, screen, time.monotonic() - began) if stories else REPLAYED
            if options.once:
                return verdict
            salon.open_for_business()
            return _stay(salon, screen, progress)
    except (EngineMissing, CannotStart) as missing:
        return _refuse(f"{missing}{_way_out(str(missing))}")


class _Progress:
    """What the parts say while they start; the long tail of it only with --verbose."""

    _SHORT = frozenset({"cal.com", "engine", "tenant", "ready", "request", "text"})

    def __init__(self, screen: Screen, *, verbose: bool) -> None:
        self._screen = screen
        self._verbose = verbose
        self._muted = False

    def __call__(self, text: str) -> None:
        label = text.partition(" ")[0]
        told = label == "function" or (not self._muted and label in self._SHORT)
        if told or self._verbose:
            self._screen.line(text, "2")

    def mute(self, *, muted: bool = True) -> None:
        """Whether requests are told: during a replay the story tells them."""
        self._muted = muted


def _verdict(stories: Sequence[Story], screen: Screen, seconds: float) -> int:
    lines = [line for story in stories for line in story.lines]
    failed = [(story.incident, line) for story in stories for line in story.failed]
    screen.rule("Incidents")
    for story in stories:
        held = len(story.lines) - len(story.failed)
        screen.line(f"{story.incident}  {held} of {len(story.lines)} lines hold", "31" if story.failed else "32")
    for incident, line in failed:
        screen.entry("  ✗", f"{incident}, {line.chapter}: {line.text}", "31")
    verdict = f"{len(failed)} DO NOT HOLD" if failed else "all hold"
    screen.line(f"{len(lines)} lines of “Must hold”: {verdict} ({seconds:.0f} s)", "1;31" if failed else "1;32")
    return NOT_REPLAYED if failed else REPLAYED


def _stay(salon: Salon, screen: Screen, progress: _Progress) -> int:
    """Say where everything is, and wait for Ctrl-C."""
    handle = salon.handle()
    handle.write()
    salon.stack.start_schedules()
    progress.mute(muted=False)
    stack = salon.stack
    screen.rule(f"{salon.tenant['name']} is open")
    screen.line(f"function calls  {stack.url}/retell/functions")
    screen.line(f"call events     {stack.url}/retell/events")
    screen.line(f"webhooks        {stack.url}/calcom/webhook/{salon.tenant['id']}")
    if salon.has_standin:
        screen.line(
            f"Cal.com         {salon.standin.url}/_standin/state   (the stand-in; its faults: POST /_standin/faults)"
        )
    screen.line(f"table           {stack.table_name}   at {stack.dynamodb().meta.endpoint_url}")
    screen.line(f"logs            {salon.logs.relative_to(REPOSITORY)}/")
    screen.line()
    screen.line("Call it from another terminal:", "1")
    service = next((each["name"] for each in salon.tenant["services"] if "segments" not in each), "…")
    for said in (
        f"check_availability service={service} date=morgen",
        'book_appointment offer=1 name="Erika Muster"',
    ):
        screen.line(f"  .venv/bin/python -m sandbox.say {said}")
    screen.line()
    if salon.has_standin:
        screen.line("Book, move and cancel at Cal.com past it, and see both sides become equal again:", "1")
        for done in _desk(salon, service):
            screen.line(f"  .venv/bin/python -m sandbox.desk {done}")
        screen.line()
        screen.line("Let something go wrong at Cal.com (sandbox/calcom/faults.py has the kinds; '{}' ends it):", "1")
        screen.line(f"  curl -d '{_LOST}' {salon.standin.url}/_standin/faults")
        screen.line("  the next booking is made, and its answer lost", "2")
        screen.line()
    screen.line("Ctrl-C ends it.", "2")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        screen.line()
        screen.line("ending …", "2")
    finally:
        forget()
    return REPLAYED


def _desk(salon: Salon, service: str) -> Iterator[str]:
    """Commands that work as they stand, but for the UID."""
    stylist, other = salon.tenant["staff"][:2]
    offered = next(each for each in salon.tenant["services"] if each["name"] == service)["event_types"]
    today, zone = salon.now().astimezone(ZoneInfo(salon.tenant["zone"])).date(), salon.tenant["zone"]
    days = (
        salon.standin.free(offered[stylist["id"]], today + timedelta(days=ahead), zone=zone) for ahead in range(1, 9)
    )
    first, then = next((free[0], free[-1]) for free in days if len(free) > 1)
    name, colleague = (str(each["name"]).split()[0] for each in (stylist, other))
    yield f'book {service} {name} "{first:%Y-%m-%d %H:%M}" "Petra Web"'
    yield "show                              both sides, and the uids"
    yield f'move UID "{then:%Y-%m-%d %H:%M}"   ·   assign UID {colleague}   ·   cancel UID'
    yield "webhooks lost                     from now on; late: as they were"
    yield "reconcile                         or nightly, sweep, remedy: now, and not when it is time"
    yield f"operate review list {salon.tenant['id']}     any of the operator's commands; or health, texts, audit ID"


def _way_out(missing: str) -> str:
    if "emulator" in missing:
        return "\nWithout the Lambda emulator: make run RUNTIME=in-process"
    return "\nBoth are done by: make setup" if "no engine" in missing else ""


def _refuse(why: str) -> int:
    print(why, file=sys.stderr)
    return CANNOT_START


if __name__ == "__main__":
    sys.exit(main())
