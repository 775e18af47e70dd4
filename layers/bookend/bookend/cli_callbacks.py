"""`python -m bookend callbacks`: who waits to be rung, and that somebody has. It prints people's names and numbers."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from bookend.cli_shell import OK, columns, dependencies, refuse, say
from bookend.domain.callbacks import Callback, CallbackState
from bookend.domain.timeslot import instant_text

_HEADS = ("callback", "state", "asked", "name", "number", "service", "wished", "failed before", "call")


def add_to(groups: Any) -> None:
    """The commands, as one of the groups of the parser."""
    group = groups.add_parser("callbacks", help="callers who wait to be rung by a person (docs/runbook.md)")
    actions = group.add_subparsers(dest="action", required=True)
    listed = actions.add_parser("list", help="who waits, the longest first; changes nothing")
    listed.add_argument("--all", action="store_true", help="those that are done too, of the last 90 days")
    listed.add_argument("--json", action="store_true", help="as JSON, for programs")
    listed.set_defaults(run=_list)
    done = actions.add_parser("done", help="somebody has rung; says whom until --apply is given")
    done.add_argument("--json", action="store_true", help="whom, as JSON, and whether it was written")
    done.add_argument("--apply", action="store_true", help="really take it off the list")
    done.set_defaults(run=_done)
    for parser in (listed, done):
        parser.add_argument("tenant", help="the tenant's id")
        parser.add_argument("--table", required=True, help="name of the table (output TableName of the stack)")
    done.add_argument("callback", help="its first column in the list")


def _list(options: argparse.Namespace) -> int:
    deps = dependencies(options)
    tenant = deps.tenants.of_id(options.tenant)
    if tenant is None:
        return refuse(f"there is no tenant {options.tenant}")
    listed = deps.callbacks.listed(tenant.id)
    waiting = [each for each in listed if each.state is CallbackState.OPEN]
    shown = listed if options.all else waiting
    if options.json:
        say(json.dumps([_as_json(each) for each in shown], ensure_ascii=False, indent=2))
        return OK
    say(*(lines_of(shown, tenant.zone) if shown else ()), f"{len(waiting)} to be rung.")
    return OK


def _done(options: argparse.Namespace) -> int:
    deps = dependencies(options)
    tenant = deps.tenants.of_id(options.tenant)
    if tenant is None:
        return refuse(f"there is no tenant {options.tenant}")
    listed = deps.callbacks.listed(tenant.id)
    callback = next((each for each in listed if each.id == options.callback), None)
    if callback is None or callback.state is not CallbackState.OPEN:
        return refuse(f"nobody is to be rung for {options.callback}")
    if not options.json:
        say(*lines_of([callback], tenant.zone))
    said = json.dumps(_as_json(callback) | {"written": options.apply}, ensure_ascii=False, indent=2)
    if not options.apply:
        say(said if options.json else "Nothing was written. Add --apply to take it off the list.")
        return OK
    if not deps.callbacks.done(tenant.id, callback, now=deps.clock.now()):
        return refuse("it has changed meanwhile: look at the list again")
    say(said if options.json else "Taken off the list.")
    return OK


def lines_of(callbacks: Sequence[Callback], zone: ZoneInfo) -> list[str]:
    """A line a wish, under a line of heads; times are the salon's; "-" where nothing was said.

    A number marked "named" was not shown by the network: it is no proof of who calls.
    """
    return columns([_HEADS, *(_cells(each, zone) for each in callbacks)])


def _cells(callback: Callback, zone: ZoneInfo) -> tuple[str, ...]:
    return (
        callback.id,
        callback.state.value,
        f"{callback.asked_at.astimezone(zone):%Y-%m-%d %H:%M}",
        callback.name,
        callback.phone if callback.signed else f"{callback.phone} (named)",
        callback.service or "-",
        callback.wished or "-",
        callback.reason.value if callback.reason is not None else "-",
        callback.call,
    )


def _as_json(callback: Callback) -> dict[str, Any]:
    """Instants are UTC; null where nothing was said. `number_shown`: whether the network showed the number."""
    return {
        "callback": callback.id,
        "state": callback.state.value,
        "asked_at": instant_text(callback.asked_at),
        "changed_at": instant_text(callback.changed_at),
        "name": callback.name,
        "number": callback.phone,
        "number_shown": callback.signed,
        "service": callback.service,
        "wished": callback.wished,
        "failed_before": callback.reason.value if callback.reason is not None else None,
        "call": callback.call,
        "appointment": callback.appointment or None,
    }
