"""What is seen of a salon, in a number of requests that its size does not change.

Four queries of the sparse due-index, one to four reads of what it names, and one query each of the counters, reports,
alerts and wishes to be rung: none goes through appointments that are settled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bookend.adapters.dynamodb import items, keys
from bookend.adapters.dynamodb.actions import names
from bookend.adapters.dynamodb.items import from_wire, to_wire
from bookend.adapters.dynamodb.keys import Item
from bookend.adapters.dynamodb.transact import Table
from bookend.application.deadline import Deadline
from bookend.application.ports import RunKind
from bookend.application.ports.health import Backlogs, Unfinished
from bookend.domain.appointment import Appointment, Told
from bookend.domain.callbacks import CallbackState
from bookend.domain.health import Backlog, LastRun, Seen, Waits
from bookend.domain.texts import TextKind, is_owed
from bookend.domain.timeslot import parse_instant

_DAY = timedelta(hours=24)
_HOURS = 24
_MOST_ROWS = 1_000
"""Of a shard of the index; with more waiting than this the number is "at least"."""
_OPERATION, _TEXT, _EVENT = "APPT", "OUT", "WH"
_MOST: Mapping[str, int] = {_OPERATION: 200, _TEXT: 100, _EVENT: 50}
"""Of each kind so many are looked at, those first that are due first."""
_MOST_ALERTS = 500


class DynamoHealth:
    """The `HealthRecords` port on one table."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def within(self, deadline: Deadline) -> DynamoHealth:
        return DynamoHealth(self._table.within(deadline))

    def unfinished(self) -> Unfinished:
        found: list[tuple[int, tuple[str, str, str]]] = []
        whole = True
        for shard in keys.due_shards():
            rows = self._table.query(
                IndexName=keys.DUE_INDEX,
                KeyConditionExpression="#shard = :shard",
                ExpressionAttributeNames={"#shard": "due_shard"},
                ExpressionAttributeValues=to_wire({":shard": shard}),
                Limit=_MOST_ROWS,
            )
            found += [(int(row["due"]["N"]), keys.whose(row)) for row in rows]
            whole = whole and len(rows) < _MOST_ROWS
        found.sort(key=lambda each: each[0])
        return Unfinished([row for _, row in found], whole)

    def backlogs(self, unfinished: Unfinished) -> Backlogs:
        looked_at = _to_look_at(unfinished.rows)
        return _backlogs(unfinished.rows, looked_at, self._table.get_all([_key(*row) for row in looked_at]))

    def seen(self, tenant: str, unfinished: Unfinished, *, now: datetime) -> Seen:
        rows = [row for row in unfinished.rows if row[0] == tenant]
        looked_at = _to_look_at(rows)
        runs = [keys.run(tenant, kind.value) for kind in RunKind]
        found = self._table.get_all([*runs, *(_key(*row) for row in looked_at)])
        backlogs = _backlogs(rows, looked_at, found[len(runs) :])
        reports = self._reports(tenant, now)
        return Seen(
            tenant=tenant,
            at=now,
            counters=self._counters(tenant, now),
            operations=backlogs.operations,
            texts=backlogs.texts,
            events=backlogs.events,
            callbacks=self._callbacks(tenant),
            alerts=self._alerts(tenant, now),
            runs=[_last_run(kind, item, reports) for kind, item in zip(RunKind, found, strict=False)],
        )

    def _counters(self, tenant: str, now: datetime) -> Mapping[str, int]:
        """This hour and the 23 before it."""
        first, last = (keys.health(tenant, hour) for hour in (now - timedelta(hours=_HOURS - 1), now))
        found = self._partition(last["pk"]["S"], first["sk"]["S"], last["sk"]["S"])
        total: Counter[str] = Counter()
        for row in found:
            total.update({name: int(value["N"]) for name, value in row.items() if "N" in value and name != "ttl"})
        return dict(total)

    def _reports(self, tenant: str, now: datetime) -> Sequence[dict[str, Any]]:
        """Those of the runs that began within a day, and those of the night."""
        since = items.text(now - _DAY - timedelta(hours=2))
        return [from_wire(row) for row in self._partition(keys.report_partition(tenant), since, "A")]

    def _alerts(self, tenant: str, now: datetime) -> Sequence[tuple[str, datetime]]:
        rows = self._table.query(
            KeyConditionExpression="#pk = :pk AND #sk >= :since",
            ProjectionExpression="#kind, #at",
            ExpressionAttributeNames=names("pk", "sk", "kind", "at"),
            ExpressionAttributeValues=to_wire(
                {":pk": keys.alert_partition(tenant), ":since": items.text(now - _DAY)[:19]}
            ),
            ScanIndexForward=False,
            Limit=_MOST_ALERTS,
        )
        return [(row["kind"]["S"], parse_instant(row["at"]["S"])) for row in rows]

    def _callbacks(self, tenant: str) -> Backlog:
        """Since when they wait, and nothing of who they are."""
        rows = self._table.query_all(
            KeyConditionExpression="#pk = :pk",
            FilterExpression="#state = :open",
            ProjectionExpression="#sk, #at",
            ExpressionAttributeNames=names("pk", "sk", "at", "state"),
            ExpressionAttributeValues=to_wire(
                {":pk": keys.callbacks_partition(tenant), ":open": CallbackState.OPEN.value}
            ),
        )
        waiting = [Waits(name=row["sk"]["S"].rpartition("#")[2], since=parse_instant(row["at"]["S"])) for row in rows]
        return Backlog(len(waiting), waiting)

    def _partition(self, partition: str, first: str, last: str) -> list[Item]:
        return self._table.query_all(
            KeyConditionExpression="#pk = :pk AND #sk BETWEEN :first AND :last",
            ExpressionAttributeNames=names("pk", "sk"),
            ExpressionAttributeValues=to_wire({":pk": partition, ":first": first, ":last": last}),
        )


def _to_look_at(rows: Sequence[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    return [row for kind, most in _MOST.items() for row in [row for row in rows if row[1] == kind][:most]]


def _key(tenant: str, kind: str, name: str) -> Item:
    match kind:
        case "APPT":
            return keys.appointment(tenant, name)
        case "OUT":
            return keys.outbox(tenant, name)
        case _:
            return keys.inbox(tenant, name)


def _backlogs(
    rows: Sequence[tuple[str, str, str]], looked_at: Sequence[tuple[str, str, str]], found: Sequence[Item | None]
) -> Backlogs:
    """The index is late: what was looked at counts as it is, and what was not as the index has it."""
    waiting: dict[str, list[Waits]] = {kind: [] for kind in _MOST}
    for (_, kind, name), item in zip(looked_at, found, strict=True):
        if item is not None and (waits := _waits(kind, name, item)) is not None:
            waiting[kind].append(waits)
    numbers = {
        kind: len(waiting[kind]) + max(0, sum(row[1] == kind for row in rows) - most) for kind, most in _MOST.items()
    }
    of = {kind: Backlog(numbers[kind], tuple(waiting[kind])) for kind in _MOST}
    return Backlogs(operations=of[_OPERATION], texts=of[_TEXT], events=of[_EVENT])


def _waits(kind: str, name: str, item: Item) -> Waits | None:
    """None: it is done with. Whatever is not has a time at which something looks after it."""
    if "due" not in item:
        return None
    if kind == _OPERATION:
        return _open(items.appointment_from_item(name, item))
    since = parse_instant(item["at"]["S"])
    if kind == _EVENT:
        return Waits(name=name, since=since)
    says, told = TextKind(item["kind"]["S"]), Told(item["told"]["S"])
    owed = is_owed(says, told, overtaken="overtaken" in item)
    return Waits(name=name, since=since, what=says.value, told=told is Told.PENDING, owed=owed)


def _open(appointment: Appointment) -> Waits:
    change = appointment.change
    return Waits(
        name=appointment.id,
        since=change.since if change is not None else appointment.created_at,
        what=appointment.state.value,
        begins=appointment.slot.start,
        told=(change.told if change is not None else appointment.told) is Told.PENDING,
        kept_until=change.keep_until if change is not None else None,
    )


def _last_run(kind: RunKind, item: Item | None, reports: Sequence[dict[str, Any]]) -> LastRun:
    """How far it is, and what those of a day found: differences and what became of them, not how much was compared."""
    plain = from_wire(item) if item is not None else {}
    found: Counter[str] = Counter()
    for report in reports:
        if report["sk"].split("#")[1] == kind.value:
            tally = {name: int(number) for name, number in report["tally"].items()}
            found.update({name: number for name, number in tally.items() if name not in {"listed", "ours"} and number})
    written = plain["run"]["started"] if "run" in plain else plain.get("at")  # one that is under way came after it
    return LastRun(
        kind=kind.value,
        seen_until=parse_instant(plain["watermark"]) if "watermark" in plain else None,
        ended_by=parse_instant(written) if written is not None else None,
        limited=bool(plain.get("limited", False)),
        under_way_since=parse_instant(plain["run"]["started"]) if "run" in plain else None,
        found=dict(found),
    )
