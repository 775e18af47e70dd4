"""`python -m bookend texts`: what callers are owed, what a person must decide, and who wants no texts.

It prints ids, states and sentences, never a number or a name; who is to be rung is in `callbacks list`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bookend.cli_shell import OK, columns, dependencies, refuse, say
from bookend.domain.contacts import normalise_email, normalise_phone
from bookend.domain.tenant import Tenant
from bookend.domain.texts import Message, MessageState, is_owed

_KEPT = timedelta(days=30)
_HEADS = ("text", "state", "owed since", "kind", "heard", "appointment", "why", "said")
_TO_DECIDE = frozenset({MessageState.UNSURE, MessageState.FAILED})


def add_to(groups: Any) -> None:
    """The commands, as one of the groups of the parser."""
    group = groups.add_parser("texts", help="texts that callers are owed, and who wants none (docs/runbook.md)")
    actions = group.add_subparsers(dest="action", required=True)
    listed = actions.add_parser(
        "list", help="what waits to be sent, and what was not or perhaps sent in the last 30 days; changes nothing"
    )
    listed.add_argument("--unsure", action="store_true", help="only those of which nobody knows whether they were sent")
    listed.add_argument("--json", action="store_true", help="the list as JSON, for programs")
    listed.set_defaults(run=_list)
    resend = actions.add_parser("resend", help="send an UNSURE or FAILED one once more; it may come twice")
    resend.set_defaults(run=_resolve, to=MessageState.NEW)
    settle = actions.add_parser("settle", help="its caller knows: never send it")
    settle.set_defaults(run=_resolve, to=MessageState.SETTLED)
    out = actions.add_parser("opt-out", help="send nothing to this number or address any more; a person rings instead")
    out.set_defaults(run=_opt, out=True)
    back = actions.add_parser("opt-in", help="send to it again")
    back.set_defaults(run=_opt, out=False)
    for parser in (listed, resend, settle, out, back):
        parser.add_argument("tenant", help="the tenant's id")
        parser.add_argument("--table", required=True, help="name of the table (output TableName of the stack)")
    for parser in (resend, settle):
        parser.add_argument("text", help="its first column in the list")
    for parser in (out, back):
        parser.add_argument("address", help="number (+49… or 0…) or e-mail address")
    for parser in (resend, settle, out, back):
        parser.add_argument("--json", action="store_true", help="what it came to as JSON, and nothing else")
        parser.add_argument("--apply", action="store_true", help="really write it; says what it would do without")
        parser.add_argument("--by", required=True, help="who decides, for the record")


def _list(options: argparse.Namespace) -> int:
    deps = dependencies(options)
    tenant = deps.tenants.of_id(options.tenant)
    if tenant is None:
        return refuse(f"there is no tenant {options.tenant}")
    since = deps.clock.now() - _KEPT
    troubled = [
        each
        for each in deps.outbox.in_trouble(tenant.id, since=since)
        if not options.unsure or each.state is MessageState.UNSURE
    ]
    waiting = [] if options.unsure else [each for each in deps.outbox.waiting(tenant.id) if _is_sent(each, tenant)]
    if options.json:
        say(json.dumps([_as_json(each) for each in (*waiting, *troubled)], ensure_ascii=False, indent=2))
        return OK
    say(*(lines_of([*waiting, *troubled], tenant.zone) if waiting or troubled else ()))
    unsure = sum(each.state is MessageState.UNSURE for each in troubled)
    say(f"{len(waiting)} wait to be sent, {unsure} unsure, {len(troubled) - unsure} failed.")
    return OK


def _is_sent(message: Message, tenant: Tenant) -> bool:
    """What only confirms what its caller has heard is sent where the salon wants that, and is skipped elsewhere."""
    return tenant.texts.confirmations or is_owed(message.kind, message.told, overtaken=message.overtaken)


def _resolve(options: argparse.Namespace) -> int:
    deps = dependencies(options)
    tenant = deps.tenants.of_id(options.tenant)
    if tenant is None:
        return refuse(f"there is no tenant {options.tenant}")
    owed = deps.outbox.owed(tenant.id, options.text)
    if owed is None:
        return refuse(f"there is no text {options.text}")
    message, to = owed.message, options.to
    settles_new = to is MessageState.SETTLED and message.state is MessageState.NEW
    if message.state not in _TO_DECIDE and not settles_new:
        return refuse(f"it is {message.state.value}: nothing is to be decided")
    if not options.json:
        say(*lines_of([message], tenant.zone))
    if not options.apply:
        what = "send it once more" if to is MessageState.NEW else "never send it"
        _tell(options, f"Nothing was written. Add --apply to {what}.", _as_json(message) | {"becomes": to.value})
        return OK
    if not deps.outbox.resolve(tenant.id, message, to, by=options.by, now=deps.clock.now()):
        return refuse("it has changed meanwhile: look at the list again")
    said = "It is sent within two minutes." if to is MessageState.NEW else "It is never sent."
    _tell(options, said, _as_json(message) | {"becomes": to.value})
    return OK


def _opt(options: argparse.Namespace) -> int:
    deps = dependencies(options)
    tenant = deps.tenants.of_id(options.tenant)
    if tenant is None:
        return refuse(f"there is no tenant {options.tenant}")
    address = _address(options.address, tenant)
    if address is None:
        return refuse("this is neither a number nor an address")
    now_out = deps.outbox.has_opted_out(tenant.id, address)
    facts = {"texts_so_far": not now_out, "texts_from_now_on": not (options.out if options.apply else now_out)}
    if not options.json:
        say(f"So far: {'no texts' if now_out else 'texts'}.")
    if not options.apply:
        _tell(options, f"Nothing was written. Add --apply to {'stop' if options.out else 'allow'} texts.", facts)
        return OK
    deps.outbox.opt_out(tenant.id, address, out=options.out, by=options.by, now=deps.clock.now())
    _tell(options, f"From now on: {'no texts' if options.out else 'texts'}.", facts)
    return OK


def _tell(options: argparse.Namespace, words: str, facts: dict[str, Any]) -> None:
    """The last line, or the whole of it for programs."""
    said = json.dumps(facts | {"written": options.apply}, ensure_ascii=False, indent=2)
    say(said if options.json else words)


def _address(said: str, tenant: Tenant) -> str | None:
    return normalise_phone(said, country_code=tenant.country_code) or normalise_email(said)


def lines_of(messages: Sequence[Message], zone: ZoneInfo) -> list[str]:
    """A line a message, under a line of heads; times are the salon's; "-" where nothing was sent or said."""
    return columns([_HEADS, *(_cells(each, zone) for each in messages)])


def _cells(message: Message, zone: ZoneInfo) -> tuple[str, ...]:
    return (
        message.op,
        message.state.value,
        f"{message.at.astimezone(zone):%Y-%m-%d %H:%M}",
        message.kind.value,
        message.told.value,
        message.appointment,
        message.why or "-",
        message.said.strip().replace("\n", " ") or "-",
    )


def _as_json(message: Message) -> dict[str, Any]:
    return {
        "text": message.op,
        "state": message.state.value,
        "owed_since": message.at.isoformat(),
        "kind": message.kind.value,
        "heard": message.told.value,
        "appointment": message.appointment,
        "why": message.why,
        "said": message.said,
        "tries": message.tries,
    }
