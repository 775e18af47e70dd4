"""How far reconciliations are, and what finished ones found."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from bookend.adapters.dynamodb import items, keys
from bookend.adapters.dynamodb.actions import IS_NEW, Actions
from bookend.adapters.dynamodb.items import from_wire, to_wire
from bookend.adapters.dynamodb.transact import Table
from bookend.application.ports import Progress, Run, RunKind, Strike
from bookend.domain.timeslot import parse_instant


class DynamoRuns:
    """The `Runs` port: one item per tenant and kind, and one report per finished run."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._actions = Actions(table.name)

    def current(self, tenant: str, kind: RunKind) -> Progress:
        item = self._table.get(keys.run(tenant, kind.value))
        if item is None:
            return Progress()
        plain = from_wire(item)
        version = int(plain["ver"])
        return Progress(
            run=_run(kind, plain["run"], version) if "run" in plain else None,
            watermark=parse_instant(plain["watermark"]) if "watermark" in plain else None,
            limited=bool(plain.get("limited", False)),
            strikes=_strikes(plain.get("strikes", {})),
            version=version,
        )

    def keep(self, tenant: str, run: Run, *, done: bool, now: datetime) -> bool:
        """Fails if the item is not as it was read: then a twin is at work."""
        values: dict[str, Any] = {"ver": run.version + 1, "at": items.text(now)}
        if done:
            values["watermark"] = items.text(run.held or run.started)
            values["limited"] = run.held is not None
            values["strikes"] = _strikes_to_map(run.strikes)
        else:
            values["run"] = _run_to_map(run)
            before = self.current(tenant, run.kind)  # of the last one that ended, all is as it was
            values["limited"] = before.limited
            if before.watermark is not None:
                values["watermark"] = items.text(before.watermark)
        item = keys.run(tenant, run.kind.value) | to_wire(values)
        actions = [self._actions.put_progress(item, run.version)]
        if done:
            report = {
                "tally": dict(run.tally),
                "started": items.text(run.started),
                "finished": items.text(now),
                "ttl": items.epoch(now) + items.RUN_KEPT_S,
            }
            item = keys.report(tenant, run.started, f"{run.kind.value}#{run.version + 1}") | to_wire(report)
            actions.append(self._actions.put(item, IS_NEW))
        return self._table.write(actions) is None


def _run_to_map(run: Run) -> dict[str, Any]:
    return {
        "started": items.text(run.started),
        "since": items.text(run.since) if run.since is not None else None,
        "first": run.first.isoformat() if run.first is not None else None,
        "last": run.last.isoformat() if run.last is not None else None,
        "skip": run.skip,
        "tail": list(run.tail),
        "day": run.day.isoformat() if run.day is not None else None,
        "until": run.until.isoformat() if run.until is not None else None,
        "after": run.after,
        "deferred": list(run.deferred),
        "strikes": _strikes_to_map(run.strikes),
        "idle": run.idle,
        "tally": dict(run.tally),
    }


def _run(kind: RunKind, kept: dict[str, Any], version: int) -> Run:
    """What an earlier release wrote has no row cursor, nothing deferred and no strikes."""

    def day(name: str) -> date | None:
        return date.fromisoformat(kept[name]) if kept.get(name) is not None else None

    return Run(
        kind=kind,
        started=parse_instant(kept["started"]),
        since=parse_instant(kept["since"]) if kept["since"] is not None else None,
        first=day("first"),
        last=day("last"),
        skip=int(kept["skip"]),
        tail=tuple(kept.get("tail", ())),
        day=day("day"),
        until=day("until"),
        after=kept.get("after", ""),
        deferred=tuple(kept.get("deferred", ())),
        strikes=_strikes(kept.get("strikes", {})),
        idle=int(kept.get("idle", 0)),
        tally={name: int(count) for name, count in kept["tally"].items()},
        version=version,
    )


def _strikes_to_map(strikes: Mapping[str, Strike]) -> dict[str, list[str]]:
    return {name: [items.text(each.first), items.text(each.last)] for name, each in strikes.items()}


def _strikes(kept: Mapping[str, list[str]]) -> dict[str, Strike]:
    return {name: Strike(parse_instant(first), parse_instant(last)) for name, (first, last) in kept.items()}
