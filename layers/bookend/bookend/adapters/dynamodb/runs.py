"""How far reconciliations are, and what finished ones found."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from bookend.adapters.dynamodb import items, keys
from bookend.adapters.dynamodb.actions import IS_NEW, Actions
from bookend.adapters.dynamodb.items import from_wire, to_wire
from bookend.adapters.dynamodb.transact import Table
from bookend.application.ports import Run, RunKind
from bookend.domain.timeslot import parse_instant


class DynamoRuns:
    """The `Runs` port: one item per tenant and kind, and one report per finished run."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._actions = Actions(table.name)

    def current(self, tenant: str, kind: RunKind) -> tuple[Run | None, datetime | None, int]:
        item = self._table.get(keys.run(tenant, kind.value))
        if item is None:
            return None, None, 0
        plain = from_wire(item)
        version = int(plain["ver"])
        watermark = parse_instant(plain["watermark"]) if "watermark" in plain else None
        return (_run(kind, plain["run"], version) if "run" in plain else None), watermark, version

    def keep(self, tenant: str, run: Run, *, done: bool, now: datetime) -> bool:
        """Fails if the item is not as it was read: then a twin is at work."""
        values: dict[str, Any] = {"ver": run.version + 1, "at": items.text(now)}
        if done:
            values["watermark"] = items.text(run.started)
        else:
            values["run"] = _run_to_map(run)
            _, watermark, _ = self.current(tenant, run.kind)
            if watermark is not None:
                values["watermark"] = items.text(watermark)
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
        "day": run.day.isoformat() if run.day is not None else None,
        "tally": dict(run.tally),
    }


def _run(kind: RunKind, kept: dict[str, Any], version: int) -> Run:
    def day(name: str) -> date | None:
        return date.fromisoformat(kept[name]) if kept[name] is not None else None

    return Run(
        kind=kind,
        started=parse_instant(kept["started"]),
        since=parse_instant(kept["since"]) if kept["since"] is not None else None,
        first=day("first"),
        last=day("last"),
        skip=int(kept["skip"]),
        day=day("day"),
        tally={name: int(count) for name, count in kept["tally"].items()},
        version=version,
    )
