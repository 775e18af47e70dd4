"""The operator's commands: `python -m bookend --help`. Whatever would change something only says so until --apply."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bookend import bootstrap
from bookend.adapters.dynamodb.tenants import DynamoTenants, RouteTaken
from bookend.adapters.dynamodb.transact import Table
from bookend.adapters.tenants.document import TenantInvalid, read_tenant
from bookend.domain.tenant import Tenant

OK, FAILED = 0, 1


def main(arguments: Sequence[str]) -> int:
    """Run one command; 0: done or nothing to do, 1: refused, with the reasons on standard error."""
    options = _parser().parse_args(arguments)
    run = {"check": _check, "load": _load, "show": _show}[options.action]
    return run(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bookend", description="Operate Bookend from a shell.")
    groups = parser.add_subparsers(dest="group", required=True)
    config = groups.add_parser("config", help="a tenant's configuration (docs/tenant.md)")
    actions = config.add_subparsers(dest="action", required=True)
    check = actions.add_parser("check", help="read a document and say what is wrong with it; needs no AWS account")
    check.add_argument("file", type=Path)
    load = actions.add_parser("load", help="put a document in force; says what it would do until --apply is given")
    load.add_argument("file", type=Path)
    load.add_argument("--table", required=True, help="name of the table (output TableName of the stack)")
    load.add_argument("--apply", action="store_true", help="really write it; in force within a minute")
    show = actions.add_parser("show", help="print the document that is in force")
    show.add_argument("tenant", help="the tenant's id")
    show.add_argument("--table", required=True, help="name of the table")
    return parser


def _check(options: argparse.Namespace) -> int:
    tenant = _read(options.file)
    if tenant is None:
        return FAILED
    _say(json.dumps(_summary(tenant), ensure_ascii=False, indent=2))
    return OK


def _load(options: argparse.Namespace) -> int:
    tenant = _read(options.file)
    if tenant is None:
        return FAILED
    _say(json.dumps(_summary(tenant), ensure_ascii=False, indent=2))
    if not options.apply:
        _say("Nothing was written. Add --apply to put this in force.")
        return OK
    try:
        _tenants(options.table).store(tenant, options.file.read_text(encoding="utf-8"))
    except RouteTaken as taken:
        return _refuse(f"another tenant has: {taken}")
    _say(f"In force within a minute: tenant {tenant.id}.")
    return OK


def _show(options: argparse.Namespace) -> int:
    document = _tenants(options.table).document(options.tenant)
    if document is None:
        return _refuse(f"there is no tenant {options.tenant}")
    _say(document)
    return OK


def _read(file: Path) -> Tenant | None:
    try:
        return read_tenant(file.read_bytes())
    except OSError as error:
        _refuse(f"{file}: {error.strerror}")
    except TenantInvalid as invalid:
        for problem in invalid.problems:
            _refuse(f"{file}: {problem}")
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


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _refuse(why: str) -> int:
    sys.stderr.write(why + "\n")
    return FAILED
