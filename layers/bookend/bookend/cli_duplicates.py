"""`python -m bookend duplicates`: what is there twice, and its repair (docs/runbook.md). It names no people."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from bookend.application.budget import MOST_DESTRUCTIVE, Limits, Stop
from bookend.application.deadline import Deadline
from bookend.application.duplicates import Done, Duplicate, DuplicateReport, Searching, repair_duplicates
from bookend.application.ports import KeyUnavailable
from bookend.application.reconciling import DAYS_AHEAD, DAYS_BACK
from bookend.cli_shell import FAILED, OK, columns, counted, dependencies, refuse, say

_SHELL_S = 3_600.0
_REQUESTS = 20_000
_HEADS = ("twice", "booking", "kept", "goes", "why", "done")


def add_to(groups: Any) -> None:
    """The command, as one of the groups of the parser."""
    parser = groups.add_parser(
        "duplicates",
        help="find several appointments on one booking, several bookings of one appointment, and a customer's twins",
        description="Keeps the appointment that the booking names (its appointment, its call, or its attendee alone) "
        "and cancels the others here, with an audit entry; the booking stays. Where nothing is named, a person gets a "
        "case. Only says so until --apply is given.",
    )
    parser.add_argument("tenant", help="the tenant's id")
    parser.add_argument("--table", required=True, help="name of the table (output TableName of the stack)")
    parser.add_argument("--calcom-secret", required=True, help="ARN of the secret with the Cal.com key")
    parser.add_argument("--calcom-url", default="https://api.cal.com")
    parser.add_argument("--back", type=int, default=DAYS_BACK, help="days before today (default %(default)s)")
    parser.add_argument("--ahead", type=int, default=DAYS_AHEAD, help="days after today (default %(default)s)")
    parser.add_argument("--apply", action="store_true", help="really repair; without it nothing is written anywhere")
    parser.add_argument("--by", default="command", help="who does it, for the audit entries (default %(default)s)")
    parser.add_argument(
        "--most-destructive",
        type=int,
        default=MOST_DESTRUCTIVE,
        help="leave undone what is more than so many cancellations (default %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="the report as JSON instead of a table")
    parser.set_defaults(run=_duplicates)


def _duplicates(options: argparse.Namespace) -> int:
    deps = dependencies(options)
    work = deps.background(options.tenant, Deadline.within(_SHELL_S, deps.clock), by=options.by)
    if work is None:
        return refuse(f"there is no tenant {options.tenant}")
    today = deps.clock.now().astimezone(work.tenant.zone).date()
    limits = Limits(apply=options.apply, requests=_REQUESTS, most_destructive=options.most_destructive, patient=True)
    searching = Searching(
        work=work,
        duplicates=deps.duplicates(by=options.by),
        cases=deps.cases,
        first=today - timedelta(days=options.back),
        last=today + timedelta(days=options.ahead),
        limits=limits,
    )
    try:
        report = repair_duplicates(searching)
    except Stop:
        return refuse("an hour was not enough; run it again, or over fewer days")
    except KeyUnavailable:
        return refuse(f"the secret {options.calcom_secret} cannot be read")
    if options.json:
        say(json.dumps(_as_json(options, report), ensure_ascii=False, indent=2))
    else:
        say(*lines_of(report, applies=options.apply))
    undone = {Done.LATER, Done.LEFT}
    return FAILED if report.silent or any(each.done in undone for each in report.found) else OK


def lines_of(report: DuplicateReport, *, applies: bool) -> list[str]:
    """A line for each that is there twice, and what was looked at."""
    lines = (
        ["Cal.com did not list its bookings: nothing is said of several of one appointment."] if report.silent else []
    )
    rows = [(f.kind.value, f.booking, f.kept or "-", _goes(f), f.why, _done(f)) for f in report.found]
    lines += columns([_HEADS, *rows]) if rows else []
    done = Counter(each.done for each in report.found)
    if done[Done.LEFT]:
        lines.append(f"{done[Done.LEFT]} not done: more than --most-destructive allows.")
    looked = f"{counted(report.appointments, 'appointment')} and {counted(report.bookings, 'booking')} looked at"
    lines.append(f"{counted(len(report.found), 'duplicate')}. {looked}, {counted(report.requests, 'request')}.")
    if report.found and not applies:
        lines.append("Nothing was written. Add --apply to repair.")
    if any(each.done is Done.PLANNED and _is_for_a_person(each) for each in report.found):
        lines.append("Of what is for a person --apply ends nothing: it opens a case (review), or leaves it as decided.")
    return lines


def _is_for_a_person(found: Duplicate) -> bool:
    """Nothing tells which one is right, or what is kept is one of those that are named."""
    return found.kept in {"", *found.goes.split(", ")}


def _goes(found: Duplicate) -> str:
    return f"undecided: {found.goes}" if _is_for_a_person(found) else found.goes


def _done(found: Duplicate) -> str:
    return "planned: a person" if found.done is Done.PLANNED and _is_for_a_person(found) else found.done.value


def _as_json(options: argparse.Namespace, report: DuplicateReport) -> dict[str, Any]:
    def plain(each: Duplicate) -> dict[str, str]:
        return {name: str(value) for name, value in asdict(each).items()}

    return {
        "tenant": options.tenant,
        "applied": options.apply,
        "appointments": report.appointments,
        "bookings": report.bookings,
        "requests": report.requests,
        "calendar_silent": report.silent,
        "duplicates": [plain(each) for each in report.found],
    }
