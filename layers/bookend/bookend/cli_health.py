"""`python -m bookend health`: how both sides of a salon are, on one screen. It reads and changes nothing."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from bookend import bootstrap
from bookend.application.circuit import state_of
from bookend.application.health import SyncHealth, UnknownTenant, sync_health
from bookend.application.ports import StoreUnavailable, TenantUnusable
from bookend.cli_shell import UNKNOWN, dependencies, no_answer, refuse, refused_by_aws
from bookend.domain.cases import CaseState
from bookend.domain.circuit import CircuitState
from bookend.domain.health import BUCKETS, REFUSED, Backlog, LastRun, ages_of, buckets_of
from bookend.domain.health_rules import spoken
from bookend.domain.timeslot import instant_text

_BUCKETS = (*(f"< {spoken(bound).removesuffix(' 0 min').removesuffix(' 0 h')}" for bound in BUCKETS), "older")
_MOST_NAMED = 5


def add_to(groups: Any) -> None:
    """The command, as one of the groups of the parser."""
    parser = groups.add_parser(
        "health",
        help="how both sides are, on one screen; exit status 0 HEALTHY, 1 DEGRADED, 2 CRITICAL, 3 not to be had",
        description="How both sides of a salon are: what is wrong first, then what it rests on (docs/runbook.md, "
        "Health). Exit status: 0 HEALTHY, 1 DEGRADED, 2 CRITICAL, 3 if it cannot be said. Of several salons the worst.",
    )
    parser.add_argument("tenant", nargs="?", help="the tenant's id")
    parser.add_argument("--all", action="store_true", help="every tenant, one after the other")
    parser.add_argument("--table", required=True, help="name of the table (output TableName of the stack)")
    parser.add_argument("--calcom-url", default="https://api.cal.com", help="whose breaker is shown")
    parser.add_argument("--json", action="store_true", help="for machines: a list, one entry a tenant")
    parser.add_argument(
        "--past",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="list cases whose appointment has begun as well; they count for nothing either way",
    )
    parser.set_defaults(run=_show)


def _show(options: argparse.Namespace) -> int:
    if (options.tenant is None) is not options.all:
        return _refuse("name one tenant, or --all")
    deps = dependencies(options)
    try:
        found = sync_health(
            deps.tenants.every() if options.all else [options.tenant],
            tenants=deps.tenants,
            records=deps.health,
            cases=deps.cases,
            circuit=deps.circuit,
            clock=deps.clock,
        )
        zones = {each.seen.tenant: _zone_of(each, deps) for each in found}
    except UnknownTenant as unknown:
        return _refuse(f"there is no tenant {unknown}")
    except StoreUnavailable as unavailable:
        return _refuse(no_answer(unavailable, options.table))
    except (BotoCoreError, ClientError) as error:
        return _refuse(refused_by_aws(error, options.table))
    if options.json:
        said = [as_json(each, past=options.past) for each in found]
        sys.stdout.write(json.dumps(said, ensure_ascii=False, indent=2) + "\n")
    else:
        pages = [page_of(each, zones[each.seen.tenant], past=options.past) for each in found]
        sys.stdout.write("\n\n".join("\n".join(page) for page in pages) + "\n")
    return max((each.status.value for each in found), default=0)


def _zone_of(health: SyncHealth, deps: bootstrap.Dependencies) -> tzinfo:
    try:
        tenant = deps.tenants.of_id(health.seen.tenant)
    except TenantUnusable:
        return UTC
    return tenant.zone if tenant is not None else UTC


def page_of(health: SyncHealth, zone: tzinfo, *, past: bool = False) -> list[str]:
    """One screen, the most important first. Times are the salon's."""
    seen = health.seen
    local = seen.at.astimezone(zone)
    lines = [f"{health.status.name}  {seen.tenant}, {local:%a %d.%m.%Y %H:%M %Z}"]
    lines += [f"  {'!!' if reason.level.value > 1 else ' !'} {reason.says}" for reason in health.reasons]
    return [*lines, "", *_backlog_lines(health, past=past), "", *_day_lines(health), "", *_calcom_lines(health, zone)]


def _backlog_lines(health: SyncHealth, *, past: bool) -> list[str]:
    seen = health.seen
    told = Backlog(*_told(seen.operations))
    rows = [("waiting now", "", "oldest", *_BUCKETS)]
    rows += [
        _row("operations open", seen.operations, seen.at),
        _row("  told noch offen", told, seen.at),
        _row("messages owed", seen.texts, seen.at),
        _row("events of Cal.com", seen.events, seen.at),
        _row("to be rung", seen.callbacks, seen.at),
    ]
    for state, words in ((CaseState.OPEN, "failed, a remedy tries"), (CaseState.REVIEW, "failed, a person decides")):
        old = [seen.at - each.opened_at for each in seen.unclosed(state, past=past)]
        rows.append((words, str(len(old)), _oldest(old), *(str(number or ".") for number in buckets_of(old))))
    hidden = 0 if past else _hidden(health)
    note = [f"({hidden} of appointments that have begun are not listed: --past)"] if hidden else []
    classes = [
        f"{each.failure.value} {each.state.value} {each.id}"
        for state in (CaseState.REVIEW, CaseState.OPEN)
        for each in seen.unclosed(state, past=past)[:_MOST_NAMED]
    ]
    waiting = (len(seen.unclosed(state, past=past)) for state in (CaseState.REVIEW, CaseState.OPEN))
    more = sum(max(0, number - _MOST_NAMED) for number in waiting)
    if more:
        classes.append(f"… {more} more: review list {seen.tenant} --all")
    return [*_table(rows), *note, *(f"  {line}" for line in classes)]


def _told(backlog: Backlog) -> tuple[int, Sequence[Any]]:
    told = [each for each in backlog.looked_at if each.told]
    return len(told), told


def _hidden(health: SyncHealth) -> int:
    seen = health.seen
    return len(seen.cases) - sum(len(seen.unclosed(state, past=False)) for state in CaseState)


def _row(words: str, backlog: Backlog, now: datetime) -> tuple[str, ...]:
    ages = ages_of(backlog, now)
    oldest = spoken(ages.oldest) if ages.oldest is not None else "-"
    return (words, str(backlog.number), oldest, *(str(number or ".") for number in ages.buckets))


def _oldest(old: Sequence[timedelta]) -> str:
    return spoken(max(old)) if old else "-"


def _day_lines(health: SyncHealth) -> list[str]:
    seen = health.seen
    rate, count = seen.rate(), seen.counters.get
    said = f"success {rate:.2%}" if rate is not None else "no operation has ended"
    lines = [
        f"24 h: {said}: {seen.done()} done, {seen.failed()} failed, {count(REFUSED, 0)} clearly refused",
        "  " + ", ".join(f"{name.replace('_', ' ')} {count(name, 0)}" for name in _SHOWN),
    ]
    failures = ", ".join(f"{each.value} {number}" for each, number in seen.failures().items())
    unclosed = ", ".join(f"{name} {number}" for name, number in _distribution(health).items())
    lines += [f"  failed by class: {failures or '-'}", f"  cases by class: {unclosed or '-'}"]
    kinds: dict[str, int] = {}
    for kind, _ in seen.alerts:
        kinds[kind] = kinds.get(kind, 0) + 1
    return [*lines, "  alerts: " + (", ".join(f"{kind} {number}" for kind, number in kinds.items()) or "-")]


_SHOWN = ("started", "confirmed", "moved", "cancelled", "opened", "undone", "released", "not_moved", "not_cancelled")


def _distribution(health: SyncHealth) -> Mapping[str, int]:
    """Cases that are not closed, by class, the most frequent first."""
    found: dict[str, int] = {}
    for each in health.seen.cases:
        found[each.failure.value] = found.get(each.failure.value, 0) + 1
    return dict(sorted(found.items(), key=lambda each: -each[1]))


def _calcom_lines(health: SyncHealth, zone: tzinfo) -> list[str]:
    seen = health.seen
    lines = [f"{run.kind:<5} {_said_of(run, seen.at, zone)}" for run in seen.runs]
    for kind, breaker in seen.breakers.items():
        since = f" for {spoken(seen.at - breaker.since)}" if breaker.since is not None else ""
        what = (
            "asked as usual" if breaker.state is CircuitState.CLOSED else f"left alone ({breaker.state.value}){since}"
        )
        lines.append(f"Cal.com, {kind.value}: {what}")
    return lines


def _said_of(run: LastRun, now: datetime, zone: tzinfo) -> str:
    if run.seen_until is None:
        return "has never come to its end"
    found = ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in sorted(run.found.items()))
    under_way = f"; one under way for {spoken(now - run.under_way_since)}" if run.under_way_since is not None else ""
    ended = f" (ended {spoken(now - run.ended_by)} ago)" if run.ended_by is not None else ""
    limited = f"; LIMITED{ended}, a person must decide" if run.limited else ""
    until = f"{run.seen_until.astimezone(zone):%d.%m. %H:%M}, {spoken(now - run.seen_until)} ago"
    return f"compared up to {until}{under_way}{limited}; in 24 h: {found or 'no difference'}"


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def as_json(health: SyncHealth, *, past: bool = False) -> dict[str, Any]:
    """The same for machines; ages in seconds, instants in UTC."""
    seen = health.seen
    cases = {
        state.value.lower(): [
            {
                "id": each.id,
                "failure": each.failure.value,
                "age_s": int((seen.at - each.opened_at).total_seconds()),
                "tries": each.tries,
                "appointment": each.appointment,
            }
            for each in seen.unclosed(state, past=past)
        ]
        for state in (CaseState.OPEN, CaseState.REVIEW)
    }
    return {
        "tenant": seen.tenant,
        "at": instant_text(seen.at),
        "status": health.status.name,
        "reasons": [{"level": each.level.name, "says": each.says} for each in health.reasons],
        "success_rate_24h": seen.rate(),
        "counters_24h": dict(seen.counters),
        "failed_by_class_24h": {each.value: number for each, number in seen.failures().items()},
        "operations": _ages_json(seen.operations, seen.at),
        "told_open": _ages_json(Backlog(*_told(seen.operations)), seen.at),
        "texts": _ages_json(seen.texts, seen.at),
        "events": _ages_json(seen.events, seen.at),
        "callbacks": _ages_json(seen.callbacks, seen.at),
        "cases": cases,
        "cases_by_class": _distribution(health),
        "cases_hidden": 0 if past else _hidden(health),
        "alerts_24h": [{"kind": kind, "at": instant_text(at)} for kind, at in seen.alerts],
        "breakers": {kind.value: state_of(breaker) for kind, breaker in seen.breakers.items()},
        "reconciliations": [
            {
                "kind": run.kind,
                "seen_until": instant_text(run.seen_until) if run.seen_until is not None else None,
                "limited": run.limited,
                "ended_by": instant_text(run.ended_by) if run.ended_by is not None else None,
                "under_way_since": instant_text(run.under_way_since) if run.under_way_since is not None else None,
                "found_24h": dict(run.found),
            }
            for run in seen.runs
        ],
    }


def _ages_json(backlog: Backlog, now: datetime) -> dict[str, Any]:
    ages = ages_of(backlog, now)
    return {
        "number": ages.number,
        "oldest_s": int(ages.oldest.total_seconds()) if ages.oldest is not None else None,
        "by_age": dict(zip(_BUCKETS, ages.buckets, strict=True)),
    }


def _refuse(why: str) -> int:
    return refuse(why, status=UNKNOWN)
