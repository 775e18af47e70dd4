"""`python -m bookend audit`: what has happened to an appointment, and whether the log that says so is whole."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bookend import bootstrap
from bookend.application.auditing import Verified, verify_all, verify_one
from bookend.application.ports import KeyUnavailable, TenantUnusable
from bookend.cli_shell import FAILED, OK, UNKNOWN, counted, dependencies, refuse, say
from bookend.domain.audit_chain import Finding, Head, Stored

_EVERY = 500


def add_to(groups: Any) -> None:
    """The commands, as one of the groups of the parser."""
    group = groups.add_parser("audit", help="the log of all that happened to appointments: show it, verify it")
    actions = group.add_subparsers(dest="action", required=True)
    show = actions.add_parser("show", help="who did what to an appointment, when, and what it was before")
    show.set_defaults(run=_show)
    verify = actions.add_parser(
        "verify",
        help="whether any entry was changed, put in, taken out or moved; exit status 1 if so, 3 if it cannot be said",
        description="Look for entries that were changed, put in, taken out or moved, and for a log that ends before "
        "what it logs does. One appointment, or all of a tenant: that reads both tables as a whole. "
        "Exit status: 0 whole, 1 something was found, 3 if it cannot be said, since something could not be read.",
    )
    verify.set_defaults(run=_verify, unread=UNKNOWN)
    for parser in (show, verify):
        parser.add_argument("tenant", help="the tenant's id")
        parser.add_argument("--table", required=True, help="name of the table (output TableName of the stack)")
        parser.add_argument("--audit-table", required=True, help="name of the audit table (output AuditTableName)")
        parser.add_argument("--json", action="store_true", help="as JSON")
    show.add_argument("appointment", help="the appointment's id")
    verify.add_argument("appointment", nargs="?", help="the appointment's id; left out: all")
    verify.add_argument("--keys-secret", required=True, help="ARN of the secret with the keys of the log")
    verify.add_argument(
        "--heads",
        type=Path,
        help="a file that you keep away from both tables: compare with what it kept of the last time, and if nothing "
        "is found keep where every chain ends now; finds ends that were cut off with what they tell of",
    )
    verify.add_argument(
        "--begun", default="", help="since when there is a log (2026-01-31T12:00:00Z); what is older needs no entry"
    )


def _show(options: argparse.Namespace) -> int:
    deps = dependencies(options)
    rows = deps.audit_trail.chain(options.tenant, options.appointment)
    if options.json:
        say(json.dumps([asdict(row) for row in rows], ensure_ascii=False, indent=2))
    else:
        say(*lines_of(rows))
    return OK if rows else refuse(f"there is nothing in the log about {options.appointment}")


def _verify(options: argparse.Namespace) -> int:
    deps = dependencies(options)
    try:
        keys = deps.audit_keys()
    except KeyUnavailable as why:
        return refuse(f"the keys cannot be had: {why}", status=UNKNOWN)
    if options.heads is not None and options.appointment is not None:
        return refuse("--heads is for all appointments of a tenant", status=UNKNOWN)
    try:
        kept = heads_in(options.heads, options.tenant) if options.heads is not None else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        return refuse(f"{options.heads} cannot be used: {error}", status=UNKNOWN)
    trail, state, clock = deps.audit_trail, deps.audited_state, deps.clock
    if options.appointment is not None:
        found = verify_one(options.tenant, options.appointment, trail=trail, state=state, keys=keys, clock=clock)
    else:
        found = verify_all(
            options.tenant,
            trail=trail,
            state=state,
            keys=keys,
            clock=clock,
            begun=options.begun,
            kept=kept,
            progress=_progress,
        )
    if not found.entries and not found.findings and not _is_known(options, deps):
        return refuse(f"nothing is known of {options.appointment or options.tenant}", status=UNKNOWN)
    if options.json:
        say(json.dumps(as_json(options.tenant, found), ensure_ascii=False, indent=2))
    else:
        say(*findings_of(found))
    if found.findings:
        return FAILED
    if options.heads is not None:
        keep_heads(options.heads, options.tenant, found.heads)
        compared = "none were kept before" if kept is None else f"compared with {len(kept)}"
        sys.stderr.write(f"{len(found.heads)} heads kept in {options.heads}, {compared}.\n")
    return OK


def _is_known(options: argparse.Namespace, deps: bootstrap.Dependencies) -> bool:
    """A new salon has no chain yet; a name that was mistyped never has, and is not thereby whole."""
    try:
        return options.appointment is None and deps.tenants.of_id(options.tenant) is not None
    except TenantUnusable:
        return True


def heads_in(file: Path, tenant: str) -> Mapping[str, Head] | None:
    """What was kept the last time; None: there is no such file yet.

    Raises:
        OSError, ValueError, KeyError, TypeError: the file is none of ours, or another tenant's.
    """
    if not file.exists():
        return None
    kept = json.loads(file.read_text(encoding="utf-8"))
    if kept["tenant"] != tenant:
        msg = f"it is of the tenant {kept['tenant']}"
        raise ValueError(msg)
    return {name: Head(int(seq), str(digest)) for name, (seq, digest) in kept["heads"].items()}


def keep_heads(file: Path, tenant: str, heads: Mapping[str, Head]) -> None:
    """Ids, numbers and hashes, nobody's data. Either the old file is there or the new one, whatever breaks."""
    kept = {"tenant": tenant, "heads": {name: [head.seq, head.hash] for name, head in heads.items()}}
    beside = file.with_name(file.name + ".new")
    beside.write_text(json.dumps(kept), encoding="utf-8")
    beside.replace(file)


def lines_of(rows: Sequence[Stored]) -> list[str]:
    """An entry a paragraph: place, instant, kind, who, and each thing that changed."""
    lines: list[str] = []
    for row in rows:
        entry = row.entry
        if entry is None:
            lines.append(f"{row.place}  NOT AN ENTRY OF OURS")
            continue
        call = f", {entry.call}" if entry.call else ""
        lines.append(
            f"{entry.seq:>4}  {entry.at}  {entry.kind}, version {entry.version}, {entry.by or 'not said'}{call}"
        )
        lines += _changed(entry.before, entry.after)
    return lines


def _changed(before: str, after: str) -> list[str]:
    was, now_is = _facts(before), _facts(after)
    return [
        f"        {name}: {_short(was.get(name))} -> {_short(now_is.get(name))}" for name in sorted({*was, *now_is})
    ]


def _facts(text: str) -> dict[str, Any]:
    """Of an entry that somebody changed nothing may be JSON any more."""
    try:
        found = json.loads(text)
    except ValueError:
        return {"?": text}
    return found if isinstance(found, dict) else {"?": found}


def _short(value: Any) -> str:
    return "-" if value is None else json.dumps(value, ensure_ascii=False)


def findings_of(found: Verified) -> list[str]:
    """A line a finding, and what was looked at."""
    lines = [_line(each) for each in found.findings]
    kinds = ", ".join(f"{number} {flaw}" for flaw, number in sorted(Counter(f.flaw for f in found.findings).items()))
    came_to = f"FINDINGS: {kinds}." if lines else "Nothing was changed, put in, taken out or moved."
    return [*lines, f"{counted(found.chains, 'chain')}, {found.entries} entries. {came_to}"]


def _line(finding: Finding) -> str:
    where = f" {finding.place.lstrip('0') or finding.place}" if finding.place else ""
    return f"{finding.appointment}{where}  {finding.flaw.value}  {finding.detail}".rstrip()


def as_json(tenant: str, found: Verified) -> dict[str, Any]:
    """The same for programs."""
    findings = [asdict(each) for each in found.findings]
    return {"tenant": tenant, "chains": found.chains, "entries": found.entries, "findings": findings}


def _progress(chains: int, entries: int) -> None:
    if chains % _EVERY == 0:
        sys.stderr.write(f"{chains} chains, {entries} entries …\n")
