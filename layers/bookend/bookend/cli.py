"""The operator's commands: `python -m bookend --help`. Whatever would change something only says so until --apply."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from bookend import (
    cli_audit,
    cli_breaker,
    cli_callbacks,
    cli_config,
    cli_duplicates,
    cli_erase,
    cli_health,
    cli_import,
    cli_rebuild,
    cli_remedy,
    cli_review,
    cli_texts,
    observability,
)
from bookend.adapters.secrets.store import SecretUnusable
from bookend.application.budget import MOST_DESTRUCTIVE, Limits
from bookend.application.deadline import Deadline
from bookend.application.findings import Report, Stopped
from bookend.application.ports import Progress, StoreUnavailable, TenantUnusable
from bookend.application.reconciling import DAYS_AHEAD, DAYS_BACK, new_full, reconcile
from bookend.cli_shell import (
    FAILED,
    OK,
    columns,
    counted,
    dependencies,
    no_answer,
    refuse,
    refused_by_aws,
    said_by_aws,
    say,
)

CUT = 130
"""The exit status of a command that was interrupted from the keyboard, as shells have it."""
_SHELL_S = 900.0
_SHELL_REQUESTS = 2_000


def main(arguments: Sequence[str]) -> int:
    """Run one command; 0: done or nothing to do, 1: refused, with the reasons on standard error.

    What judges (health, audit verify) ends with 3 where it could not read what it judges by.
    What it logs goes there too: trouble alone, or everything with --verbose.
    """
    parser = _parser()
    for each in commands(parser).values():
        each.add_argument("--verbose", action="store_true", help="log every step to standard error, not trouble alone")
    options = parser.parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        # On standard output are our own words alone.
        with observability.logging_to(sys.stderr, quiet=not options.verbose):
            return run(options)
    except TenantUnusable:  # a kind of StoreUnavailable
        return refuse(f"the stored document of {options.tenant} cannot be used; see: config show")
    except StoreUnavailable as away:
        return refuse(no_answer(away, *_tables(options)), status=getattr(options, "unread", FAILED))
    except (BotoCoreError, ClientError) as error:
        return refuse(refused_by_aws(error, *_tables(options)), status=getattr(options, "unread", FAILED))
    except KeyboardInterrupt:
        return refuse("Cut off. What is written stands, and is whole: run it again (import: --resume).", status=CUT)


def _tables(options: argparse.Namespace) -> tuple[str | None, ...]:
    return options.table, getattr(options, "audit_table", None)


def commands(parser: argparse.ArgumentParser | None = None) -> Mapping[str, argparse.ArgumentParser]:
    """What each command takes, by its words: "review list"."""
    found: dict[str, argparse.ArgumentParser] = {}
    for group in (parser or _parser())._actions:
        if isinstance(group, argparse._SubParsersAction):
            for name, below in group.choices.items():
                inner = commands(below)
                found |= {f"{name} {words}": each for words, each in inner.items()} if inner else {name: below}
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bookend", description="Operate Bookend from a shell.")
    groups = parser.add_subparsers(dest="group", required=True)
    cli_config.add_to(groups)
    reconcile = groups.add_parser(
        "reconcile", help="compare both sides of a tenant, and say what would be repaired (docs/runbook.md)"
    )
    reconcile.add_argument("tenant", help="the tenant's id")
    reconcile.add_argument("--table", required=True, help="name of the table (output TableName of the stack)")
    reconcile.add_argument("--calcom-secret", required=True, help="ARN of the secret with the Cal.com key")
    reconcile.add_argument("--calcom-url", default="https://api.cal.com")
    reconcile.add_argument("--back", type=int, default=DAYS_BACK, help="days before today (default %(default)s)")
    reconcile.add_argument("--ahead", type=int, default=DAYS_AHEAD, help="days after today (default %(default)s)")
    reconcile.add_argument("--apply", action="store_true", help="really repair; without it nothing is written anywhere")
    reconcile.add_argument(
        "--most-destructive",
        type=int,
        default=MOST_DESTRUCTIVE,
        help="leave undone what is more than so many cancellations (default %(default)s)",
    )
    reconcile.add_argument("--json", action="store_true", help="the report as JSON instead of a table")
    reconcile.set_defaults(run=_reconcile)
    cli_audit.add_to(groups)
    cli_breaker.add_to(groups)
    cli_callbacks.add_to(groups)
    cli_texts.add_to(groups)
    cli_erase.add_to(groups)
    cli_health.add_to(groups)
    cli_import.add_to(groups)
    cli_duplicates.add_to(groups)
    cli_rebuild.add_to(groups)
    cli_remedy.add_to(groups)
    cli_review.add_to(groups)
    return parser


def _reconcile(options: argparse.Namespace) -> int:
    """The nightly run from a shell: its own progress is not kept, and it may use every request the callers leave."""
    deps = dependencies(options)
    work = deps.background(options.tenant, Deadline.within(_SHELL_S, deps.clock), by="command")
    if work is None:
        return refuse(f"there is no tenant {options.tenant}")
    try:
        deps.secrets.calcom_key(options.calcom_secret)
    except SecretUnusable as unusable:
        return refuse(str(unusable))
    except (BotoCoreError, ClientError) as error:
        return refuse(f"the secret {options.calcom_secret} cannot be read: {said_by_aws(error)}")
    now = deps.clock.now()
    today = now.astimezone(work.tenant.zone).date()
    run = new_full(now, Progress(), today=today, back=options.back, ahead=options.ahead)
    limits = Limits(
        apply=options.apply, requests=_SHELL_REQUESTS, most_destructive=options.most_destructive, patient=True
    )
    report = reconcile(work, run, runs=None, limits=limits)
    if options.json:
        say(json.dumps(_as_json(options.tenant, report), ensure_ascii=False, indent=2))
        return OK if report.done else FAILED
    for line in table_of(report):
        say(line)
    if not options.apply and report.findings:
        say("Nothing was written. Add --apply to repair.")
    return OK if report.done else FAILED


def table_of(report: Report) -> list[str]:
    """Why it stopped, if it did; then a line for each difference: class, repair, booking, appointment, why, done."""
    heads = ("difference", "repair", "booking", "appointment", "why", "done")
    rows = [(f.drift.value, f.repair, f.booking, f.appointment, f.why, f.done) for f in report.findings]
    lines = columns([heads, *rows]) if rows else []
    if report.stopped is not None:
        lines.insert(0, f"STOPPED ({report.stopped.value}): {_WHY_STOPPED[report.stopped]}")
    listed, ours = report.tally["listed"], report.tally["ours"]
    seen = f"{counted(listed, 'booking')} at Cal.com and {counted(ours, 'appointment')} here compared"
    return [*lines, f"{counted(len(rows), 'difference')}. {seen}, {counted(report.requests, 'request')}."]


_WHY_STOPPED = {
    Stopped.BUDGET: "a quarter of an hour was not enough; run it again, or over fewer days.",
    Stopped.CALENDAR: "Cal.com did not answer as it should.",
    Stopped.TWIN: "another run is at work.",
    Stopped.SECOND_LOOK: "something must be looked at once more; run it again.",
    Stopped.BLAST_LIMIT: "too much would be taken away; see the lines that say so, then --most-destructive.",
    Stopped.LIST_CONTRADICTED: "Cal.com's list and its bookings contradict each other; nothing was concluded from it.",
}


def _as_json(tenant: str, report: Report) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "stopped": report.stopped.value if report.stopped is not None else None,
        "requests": report.requests,
        "tally": {name: number for name, number in report.tally.items() if number},
        "findings": [asdict(each) for each in report.findings],
    }
