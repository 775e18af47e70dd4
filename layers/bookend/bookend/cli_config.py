"""`python -m bookend config`: a salon's document: check it, compare it with the one in force, load it, show it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bookend import bootstrap
from bookend.adapters.dynamodb.tenants import DynamoTenants, RouteTaken
from bookend.adapters.dynamodb.transact import Table
from bookend.adapters.tenants.difference import Difference, differences
from bookend.adapters.tenants.document import TenantInvalid, read_tenant
from bookend.cli_shell import FAILED, OK, counted, refuse, say
from bookend.domain.tenant import Tenant


def add_to(groups: Any) -> None:
    """The commands, as one of the groups of the parser."""
    config = groups.add_parser("config", help="a tenant's configuration (docs/tenant.md)")
    actions = config.add_subparsers(dest="action", required=True)
    check = actions.add_parser("check", help="read a document and say what is wrong with it; needs no AWS account")
    check.set_defaults(run=_check)
    diff = actions.add_parser(
        "diff",
        help="what a document would change; exit status 1 if anything",
        description="What would change if the document in force were replaced by this file, place by place: "
        "`services[cut].minutes: 30 -> 35`. Exit status: 0 nothing, 1 something, or the file is refused.",
    )
    diff.set_defaults(run=_diff)
    load = actions.add_parser("load", help="put a document in force; says what it would change until --apply is given")
    load.set_defaults(run=_load)
    for parser in (check, diff, load):
        parser.add_argument("file", type=Path)
    show = actions.add_parser("show", help="print the document that is in force")
    show.add_argument("tenant", help="the tenant's id")
    show.set_defaults(run=_show)
    for parser in (diff, load, show):
        parser.add_argument("--table", required=True, help="name of the table (output TableName of the stack)")
    diff.add_argument("--json", action="store_true", help="as JSON")
    load.add_argument("--apply", action="store_true", help="really write it; in force within a minute")
    load.add_argument("--json", action="store_true", help="what it came to as JSON, and nothing else")


def _check(options: argparse.Namespace) -> int:
    tenant = _read(options.file)
    if tenant is None:
        return FAILED
    say(json.dumps(_summary(tenant), ensure_ascii=False, indent=2))
    return OK


def _diff(options: argparse.Namespace) -> int:
    tenant = _read(options.file)
    if tenant is None:
        return FAILED
    found = _changes(tenant, options)
    if options.json:
        say(json.dumps([asdict(each) for each in found], ensure_ascii=False, indent=2))
    else:
        say(*lines_of(found))
    return FAILED if found else OK


def _load(options: argparse.Namespace) -> int:
    tenant = _read(options.file)
    if tenant is None:
        return FAILED
    found = _changes(tenant, options)
    if options.apply:
        try:
            _tenants(options.table).store(tenant, options.file.read_text(encoding="utf-8"))
        except RouteTaken as taken:
            return refuse(f"another tenant has: {taken}")
    if options.json:
        said = _summary(tenant) | {"changes": [asdict(each) for each in found], "written": options.apply}
        say(json.dumps(said, ensure_ascii=False, indent=2))
        return OK
    say(json.dumps(_summary(tenant), ensure_ascii=False, indent=2), *lines_of(found))
    applied = f"In force within a minute: tenant {tenant.id}."
    say(applied if options.apply else "Nothing was written. Add --apply to put this in force.")
    return OK


def _show(options: argparse.Namespace) -> int:
    document = _tenants(options.table).document(options.tenant)
    if document is None:
        return refuse(f"there is no tenant {options.tenant}")
    say(_readable(document))
    return OK


def _readable(document: str) -> str:
    """A place a line and letters as they are, so that it can be read, mended and loaded; what is no JSON as it is."""
    try:
        return json.dumps(json.loads(document), ensure_ascii=False, indent=2)
    except ValueError:
        return document


def _changes(tenant: Tenant, options: argparse.Namespace) -> list[Difference]:
    """Against the document in force, or against none."""
    return differences(_tenants(options.table).document(tenant.id) or "{}", options.file.read_text(encoding="utf-8"))


def lines_of(found: Sequence[Difference]) -> list[str]:
    """A line a place: what goes, what comes, what changes; and how many there are."""
    lines = [f"{_mark(each)} {each.path}: {_what(each)}" for each in found]
    if not found:
        return ["It is what is in force already."]
    return [*lines, f"{counted(len(found), 'difference')} to what is in force."]


def _mark(found: Difference) -> str:
    return "+" if found.before is None else "-" if found.after is None else "~"


def _what(found: Difference) -> str:
    return " -> ".join(each for each in (found.before, found.after) if each is not None)


def _read(file: Path) -> Tenant | None:
    try:
        return read_tenant(file.read_bytes())
    except OSError as error:
        refuse(f"{file}: {error.strerror}")
    except TenantInvalid as invalid:
        for problem in invalid.problems:
            refuse(f"{file}: {problem}")
        if invalid.of_form:
            refuse("What belongs together (ids, event types, names, rules) is looked at when these are right.")
    return None


def _summary(tenant: Tenant) -> dict[str, Any]:
    return {
        "tenant": tenant.id,
        "zone": tenant.zone.key,
        "branches": [each.name for each in tenant.branches],
        "staff": [each.name for each in tenant.staff],
        "services": [f"{each.name}, {each.minutes} min" for each in tenant.services],
    }


def _tenants(table: str) -> DynamoTenants:
    clock = bootstrap.SystemClock()
    return DynamoTenants(Table(bootstrap.aws_client("dynamodb"), table, clock=clock), parse=read_tenant, clock=clock)
