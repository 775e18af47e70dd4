"""What is overdue, from the sparse index."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bookend.adapters.dynamodb import items, keys
from bookend.adapters.dynamodb.items import to_wire
from bookend.adapters.dynamodb.keys import Item
from bookend.adapters.dynamodb.transact import Table
from bookend.application.ports import Job


class DynamoDueWork:
    """The `DueWork` port: one query a shard, oldest first."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def due(self, *, now: datetime, most: int) -> Sequence[Job]:
        found: list[tuple[int, Job]] = []
        for shard in keys.due_shards():
            rows = self._table.query(
                IndexName=keys.DUE_INDEX,
                KeyConditionExpression="#shard = :shard AND #due <= :now",
                ExpressionAttributeNames={"#shard": "due_shard", "#due": "due"},
                ExpressionAttributeValues=to_wire({":shard": shard, ":now": items.epoch(now)}),
                Limit=most,
            )
            found += [(int(row["due"]["N"]), _job(row)) for row in rows]
        return [due for _, due in sorted(found, key=lambda each: each[0])][:most]


def _job(row: Item) -> Job:
    tenant, kind, name = keys.whose(row)
    return Job({"APPT": "settle", "WH": "event", "OUT": "text"}[kind], tenant, name)
