"""`python -m bookend import`: an existing system's appointments and customers (docs/import.md). It names no people."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bookend.adapters.imports.files import RowsFile, Unreadable
from bookend.adapters.secrets.store import SecretUnusable
from bookend.application.booking_numbers import BookingNumbers, CalendarSilent
from bookend.application.importing import Importing, ImportReport, Refusal, import_file
from bookend.application.ports import KeyUnavailable
from bookend.cli_shell import FAILED, OK, dependencies, refuse, say

_WHY = {
    Refusal.DONE_BEFORE: "this file was imported before",
    Refusal.BEGUN_BEFORE: "the import of this file was begun before and cut off; add --resume to go on",
    Refusal.TWIN: "the same file is being imported by somebody else",
}
_ORDER = (
    "rows",
    "appointments",
    "linked",
    "known",
    "cases",
    "duplicates",
    "replaced",
    "closed",
    "at_work",
    "over",
    "cancelled",
    "customer_rows",
    "customers",
)
_MEANS = {
    "rows": "rows read",
    "appointments": "taken in as appointments, unverified until Cal.com has been read",
    "linked": "here already, taken over from Cal.com; now known to be their customer's",
    "known": "here already",
    "cases": "kept as cases",
    "duplicates": "of these claim what another one has",
    "replaced": "open cases of an earlier file closed: these rows are none any more",
    "closed": "left: their cases came to an end before",
    "at_work": "left: their cases are being worked on as they were",
    "over": "over: their bookings were cancelled since",
    "cancelled": "cancelled, counted only",
    "customer_rows": "customers alone",
    "customers": "customers new here",
    "errors": "rows with errors, not imported",
}


def add_to(groups: Any) -> None:
    """The command, as one of the groups of the parser."""
    parser = groups.add_parser(
        "import",
        help="take in an existing system's appointments and customers from a file (docs/import.md)",
        description="Reads the whole file and says what would become of each row; --apply writes it. Cut off at any "
        "point it goes on with --resume, and nothing is there twice.",
    )
    parser.add_argument("tenant", help="the tenant's id")
    parser.add_argument("file", type=Path, help="CSV (UTF-8; `;` or `,`) or JSON lines (.jsonl)")
    parser.add_argument("--table", required=True, help="name of the table (output TableName of the stack)")
    parser.add_argument("--apply", action="store_true", help="really write it; without it nothing is written anywhere")
    parser.add_argument("--resume", action="store_true", help="go on with an import that was cut off")
    parser.add_argument("--calcom-secret", help="ARN of the Cal.com key: finds bookings known by their number alone")
    parser.add_argument("--calcom-url", default="https://api.cal.com")
    parser.add_argument("--json", action="store_true", help="the report as JSON instead of lines")
    parser.set_defaults(run=_import)


def _import(options: argparse.Namespace) -> int:
    deps = dependencies(options)
    tenant = deps.tenants.of_id(options.tenant)
    if tenant is None:
        return refuse(f"there is no tenant {options.tenant}")
    work = Importing(
        tenant=tenant,
        imports=deps.imports(by="import"),
        cases=deps.cases,
        clock=deps.clock,
        applies=options.apply,
        resumes=options.resume,
        resolve=BookingNumbers(deps.calendar, deps.clock).uid if options.calcom_secret else None,
        on_progress=_tell,
    )
    try:
        report = import_file(work, RowsFile(options.file))
    except Unreadable as unreadable:
        return refuse(str(unreadable))
    except OSError as error:
        return refuse(f"{options.file}: {error.strerror}")
    except (CalendarSilent, KeyUnavailable, SecretUnusable):
        return refuse("Cal.com does not say which bookings it has; what is written stays, add --resume to go on")
    if options.json:
        say(json.dumps(as_json(options, report), ensure_ascii=False, indent=2))
    else:
        say(*lines_of(report, applies=options.apply))
    return OK if report.refused in {None, Refusal.DONE_BEFORE} and not report.errors else FAILED


def lines_of(report: ImportReport, *, applies: bool) -> list[str]:
    """What became of the file: what is wrong with it first, then the counts."""
    lines = [_WHY[report.refused]] if report.refused is not None else []
    if report.anew:
        lines.append("other rows can be read now than when this file was imported: gone through anew")
    lines += [f"line {each.line}, {each.column or 'row'}: {each.why}" for each in report.errors]
    lines += [f"line {each.line}, {each.column}: note: {each.why}" for each in report.notes]
    lines += [
        f"line {each.line}: {each.external_id} claims what {each.of} has; kept as a case" for each in report.duplicates
    ]
    lines += [
        f"line {each.line}: one e-mail address of {each.customers} customers; each gets an address of their own"
        for each in report.shared
    ]
    names = [*_ORDER, *sorted(name for name in report.counts if name.startswith("case_")), "errors"]
    for name in names:
        if report.counts[name] or name in {"rows", "errors"}:
            lines.append(f"{report.counts[name]:>8}  {_MEANS.get(name) or 'cases ' + name.removeprefix('case_')}")
    if not applies and report.refused is None:
        lines.append("Nothing was written. Add --apply to import what has no error.")
    return lines


def as_json(options: argparse.Namespace, report: ImportReport) -> dict[str, Any]:
    """The same for machines."""
    return {
        "tenant": options.tenant,
        "applied": options.apply,
        "refused": report.refused.value if report.refused is not None else None,
        "anew": report.anew,
        "counts": dict(sorted(report.counts.items())),
        "errors": [asdict(each) for each in report.errors],
        "notes": [asdict(each) for each in report.notes],
        "duplicates": [asdict(each) for each in report.duplicates],
        "shared_addresses": [asdict(each) for each in report.shared],
        "requests": report.requests,
    }


def _tell(line: int, seconds: float) -> None:
    """How far it is, on standard error: over itself on a terminal, else on lines of their own."""
    pace = f", {line / seconds:.0f} a second" if seconds > 0 else ""
    sys.stderr.write(f"\r{line} lines{pace} " if sys.stderr.isatty() else f"{line} lines{pace}\n")
    sys.stderr.flush()
