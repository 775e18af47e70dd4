"""`python -m bookend rebuild`: our table from Cal.com alone, after it was lost (docs/runbook.md)."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from typing import Any

from bookend.application.deadline import Deadline
from bookend.application.ports import KeyUnavailable
from bookend.application.rebuilding import Rebuilding, Rebuilt, rebuild
from bookend.application.reconciling import DAYS_AHEAD, DAYS_BACK
from bookend.cli_shell import FAILED, OK, dependencies, refuse, say

_SHELL_S = 6 * 3_600.0


def add_to(groups: Any) -> None:
    """The command, as one of the groups of the parser."""
    parser = groups.add_parser(
        "rebuild",
        help="bring back a lost table from what Cal.com knows (docs/runbook.md)",
        description="The tenant's document must be loaded, and the schedules should be off. What was booked by voice "
        "comes back under its own name, what others booked is taken over, nothing is taken away, and both sides are "
        "compared at the end. Cut off, it is begun again and goes on. Only says so until --apply is given.",
    )
    parser.add_argument("tenant", help="the tenant's id")
    parser.add_argument("--table", required=True, help="name of the table (output TableName of the stack)")
    parser.add_argument("--calcom-secret", required=True, help="ARN of the secret with the Cal.com key")
    parser.add_argument("--calcom-url", default="https://api.cal.com")
    parser.add_argument("--back", type=int, default=DAYS_BACK, help="days before today (default %(default)s)")
    parser.add_argument("--ahead", type=int, default=DAYS_AHEAD, help="days after today (default %(default)s)")
    parser.add_argument("--apply", action="store_true", help="really write it; without it nothing is written anywhere")
    parser.add_argument("--json", action="store_true", help="the report as JSON instead of lines")
    parser.set_defaults(run=_rebuild)


def _rebuild(options: argparse.Namespace) -> int:
    deps = dependencies(options)
    work = deps.background(options.tenant, Deadline.within(_SHELL_S, deps.clock), by="rebuild")
    if work is None:
        return refuse(f"there is no tenant {options.tenant}; load its document first: config load")
    rebuilding = Rebuilding(
        work=work,
        imports=deps.imports(by="rebuild"),
        back=options.back,
        ahead=options.ahead,
        apply=options.apply,
        on_progress=_tell,
    )
    try:
        result = rebuild(rebuilding)
    except KeyUnavailable:
        return refuse(f"the secret {options.calcom_secret} cannot be read")
    if options.json:
        say(json.dumps(_as_json(options, result), ensure_ascii=False, indent=2))
    else:
        say(*lines_of(result, applies=options.apply))
    return OK if (result.equal if options.apply else result.stopped is None) else FAILED


def lines_of(result: Rebuilt, *, applies: bool) -> list[str]:
    """What came back, what did not, and whether both sides have the same."""
    lines = [f"STOPPED ({result.stopped.value}): run it again, it goes on where it was."] if result.stopped else []
    came = "came back" if applies else "would come back"
    lines += [
        f"{result.listed} bookings listed at Cal.com, {result.known} live ones known here before.",
        f"{result.ours} appointments of ours {came}, with {result.parts} bookings; {result.foreign} others made.",
    ]
    if result.strangers:
        lines.append(f"{result.strangers} live bookings of hosts who are no stylists of this salon stay out.")
    lines += [f"not taken in: {uid}" for uid in result.left]
    done = Counter((each.drift.value, each.done) for each in result.findings)
    lines += [f"{number:>6}  {drift}: {what}" for (drift, what), number in sorted(done.items())]
    if not applies:
        return [*lines, "Nothing was written. Add --apply to rebuild."]
    lines += [f"missing here: {' '.join(each)}" for each in result.missing]
    lines += [f"not at Cal.com: {' '.join(each)}" for each in result.extra]
    if result.stopped is None:
        lines.append(f"{result.compared} live bookings compared: {'equal' if result.equal else 'NOT EQUAL'}.")
    return lines


def _as_json(options: argparse.Namespace, result: Rebuilt) -> dict[str, Any]:
    return {
        "tenant": options.tenant,
        "applied": options.apply,
        "stopped": result.stopped.value if result.stopped is not None else None,
        "listed": result.listed,
        "known": result.known,
        "ours": result.ours,
        "parts": result.parts,
        "foreign": result.foreign,
        "strangers": result.strangers,
        "left": result.left,
        "compared": result.compared,
        "missing": result.missing,
        "extra": result.extra,
        "requests": result.requests,
    }


def _tell(done: int, of: int) -> None:
    """How far it is, on standard error: over itself on a terminal, else on lines of their own."""
    sys.stderr.write(f"\r{done} of {of} appointments " if sys.stderr.isatty() else f"{done} of {of} appointments\n")
    sys.stderr.flush()
