"""`python -m bookend remedy`: what is done about every case, before and after (docs/runbook.md). It names no people."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from bookend import bootstrap
from bookend.application.background import Background
from bookend.application.deadline import Deadline
from bookend.application.ports import KeyUnavailable
from bookend.application.remedying import RemedyLimits, remedy
from bookend.cli_shell import FAILED, OK, columns, dependencies, refuse, say
from bookend.domain.cases import CaseState, Ending, SyncFailure
from bookend.domain.remedy_report import RemedyReport, Standing

_SHELL_S = 900.0
_HEADS = ("case", "class", "remedy", "came to", "why")
_WORDS = {
    "Book": "book",
    "TakeIn": "take its booking in",
    "TakeInParts": "take its parts in",
    "Join": "join its parts",
    "SettleIt": "settle what is open",
    "ToReview": "ask a person",
    "Wait": "wait",
}


def add_to(groups: Any) -> None:
    """The command, as one of the groups of the parser."""
    limits = RemedyLimits()
    parser = groups.add_parser(
        "remedy",
        help="give every case that waits its remedy, and say how it was before and after",
        description="What the schedule does every quarter of an hour: books what is missing, closes what is a "
        "duplicate or over or invalid, and leaves to a person (see: review) what nothing may decide. Nothing is called "
        "booked that was not read at Cal.com. Only says so until --apply is given.",
    )
    add_what_both_need(parser)
    parser.add_argument("--apply", action="store_true", help="really do it; without it nothing is written anywhere")
    parser.add_argument("--by", default="command", help="who runs it, for the audit entries (default %(default)s)")
    parser.add_argument("--class", dest="only", choices=[each.value for each in SyncFailure], help="cases of one class")
    parser.add_argument("--most", type=int, default=limits.most, help="cases in this run (default %(default)s)")
    parser.add_argument(
        "--most-destructive",
        type=int,
        default=limits.most_destructive,
        help="close none as duplicates or invalid if there are more than so many (default %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="the report as JSON instead of a table")
    parser.set_defaults(run=_remedy)


def add_what_both_need(parser: argparse.ArgumentParser) -> None:
    """Which tenant, which table, which Cal.com."""
    parser.add_argument("tenant", help="the tenant's id")
    parser.add_argument("--table", required=True, help="name of the table (output TableName of the stack)")
    parser.add_argument("--calcom-secret", required=True, help="ARN of the secret with the Cal.com key")
    parser.add_argument("--calcom-url", default="https://api.cal.com")


def ports(options: argparse.Namespace, *, by: str) -> tuple[bootstrap.Dependencies, Background | None]:
    """Everything behind a command; None: there is no such tenant."""
    deps = dependencies(options)
    return deps, deps.background(options.tenant, Deadline.within(_SHELL_S, deps.clock), by=by)


def _remedy(options: argparse.Namespace) -> int:
    deps, work = ports(options, by=options.by)
    if work is None:
        return refuse(f"there is no tenant {options.tenant}")
    limits = RemedyLimits(
        apply=options.apply,
        most=options.most,
        most_of_class=options.most,
        most_destructive=options.most_destructive,
        only=SyncFailure(options.only) if options.only else None,
    )
    try:
        report = remedy(work, deps.cases, limits)
    except KeyUnavailable:
        return refuse(f"the secret {options.calcom_secret} cannot be read")
    if options.json:
        say(json.dumps(as_json(options.tenant, report), ensure_ascii=False, indent=2))
    else:
        say(*lines_of(report, applies=options.apply))
    return FAILED if report.stopped or report.limited else OK


def lines_of(report: RemedyReport, *, applies: bool = True) -> list[str]:
    """Before and after by class, then a line for each case: what was done to it; then what is left, and why."""
    lines = _counts(report, applies=applies)
    rows = [(t.before.id, t.before.failure.value, said_of(t.remedy), t.came_to, t.why) for t in report.treated]
    if rows:
        lines += ["", *columns([_HEADS, *rows])]
    left = [each.after for each in report.treated if each.done and each.after.state is not CaseState.CLOSED]
    if left:
        lines += ["", "left:", *columns([(each.id, each.state.value, each.failure.value, each.why) for each in left])]
    if report.limited:
        lines += ["", f"{report.limited} closings not done: more than --most-destructive allows on one day."]
    if report.stopped:
        lines += ["", f"STOPPED: {report.stopped}. Run it again."]
    if rows and not applies:
        lines += ["", "Nothing was written. Add --apply to do it."]
    return lines or ["no cases"]


def said_of(remedy: str) -> str:
    """A remedy, or a person's decision, in words; JSON keeps the name."""
    return _WORDS.get(remedy) or (f"close as {remedy.replace('_', ' ')}" if remedy in {*Ending} else remedy)


def _counts(report: RemedyReport, *, applies: bool) -> list[str]:
    before, after = report.before, report.after
    rows = [("", "before", "after")]
    rows += [
        (failure.value, str(before.failures.get(failure, 0)), str(after.failures.get(failure, 0)))
        for failure in SyncFailure
        if before.failures.get(failure) or after.failures.get(failure)
    ]
    rows += [
        ("failed", str(before.unclosed), str(after.unclosed)),
        ("  waiting for a remedy", str(before.open), str(after.open)),
        ("  waiting for a person", str(before.review), str(after.review)),
        ("  older than 24 h", str(before.older), str(after.older)),
        ("  oldest", _age(before.oldest), _age(after.oldest)),
    ]
    if applies:  # of those this run has found: what earlier ones have closed is none of them
        rows.append(("brought onto both sides by this run", "", f"{after.there} of {after.there + after.unclosed}"))
    rows += [(f"closed as {ending.value}", "", str(number)) for ending, number in sorted(after.closed.items())]
    return columns(rows)


def as_json(tenant: str, report: RemedyReport) -> dict[str, Any]:
    """The same for machines."""
    return {
        "tenant": tenant,
        "before": _standing(report.before),
        "after": _standing(report.after),
        "changed": report.changed,
        "limited": report.limited,
        "stopped": report.stopped,
        "cases": [
            {
                "case": each.before.id,
                "class": each.before.failure.value,
                "class_now": each.after.failure.value,
                "remedy": each.remedy,
                "came_to": each.came_to,
                "why": each.why,
                "appointment": each.after.appointment,
                "booking": each.after.booking,
            }
            for each in report.treated
        ],
    }


def _standing(standing: Standing) -> dict[str, Any]:
    return {
        "open": standing.open,
        "review": standing.review,
        "older_than_24_h": standing.older,
        "oldest_s": round(standing.oldest.total_seconds()) if standing.oldest is not None else None,
        "succeeded": standing.succeeded,
        "classes": _plain(standing.failures),
        "closed": _plain(standing.closed),
    }


def _plain(counts: Mapping[Any, int]) -> dict[str, int]:
    return {name.value: number for name, number in sorted(counts.items())}


def _age(age: timedelta | None) -> str:
    if age is None:
        return "-"
    hours = int(age.total_seconds()) // 3600
    return f"{hours // 24} d {hours % 24} h" if hours >= 24 else f"{hours} h"
