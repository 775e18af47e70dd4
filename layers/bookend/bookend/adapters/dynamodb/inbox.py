"""Deliveries of Cal.com, stored before they are answered.

Their bodies hold people's data: encrypted at rest with the table, and gone after 30 days.
"""

from __future__ import annotations

from datetime import datetime

from bookend.adapters.dynamodb import items, keys
from bookend.adapters.dynamodb.actions import IS_NEW, Actions, names
from bookend.adapters.dynamodb.items import to_wire
from bookend.adapters.dynamodb.transact import Table
from bookend.application.deadline import Deadline


class DynamoInbox:
    """The `Inbox` port on one table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._actions = Actions(table.name)

    def within(self, deadline: Deadline) -> DynamoInbox:
        return DynamoInbox(self._table.within(deadline))

    def store(self, tenant: str, digest: str, body: str, *, now: datetime, due: datetime) -> bool:
        item = keys.inbox(tenant, digest) | to_wire(
            {
                "body": body,
                "at": items.text(now),
                "due": items.epoch(due),
                "due_shard": keys.due_shard(digest),
                "ttl": items.epoch(now) + items.INBOX_KEPT_S,
            }
        )
        return self._table.write([self._actions.put(item, IS_NEW)]) is None

    def body(self, tenant: str, digest: str) -> str | None:
        item = self._table.get(keys.inbox(tenant, digest))
        return None if item is None or "done_at" in item else str(item["body"]["S"])

    def finish(self, tenant: str, digest: str, *, outcome: str, now: datetime) -> None:
        self._table.write(
            [
                self._actions.update(
                    keys.inbox(tenant, digest),
                    "SET #done_at = if_not_exists(#done_at, :now), #outcome = :outcome REMOVE #due, #due_shard",
                    "attribute_exists(#pk)",
                    names("pk", "done_at", "outcome", "due", "due_shard"),
                    {":now": items.text(now), ":outcome": outcome},
                )
            ]
        )

    def postpone(self, tenant: str, digest: str, *, until: datetime, requeued: int = 0) -> None:
        self._table.write(
            [
                self._actions.update(
                    keys.inbox(tenant, digest),
                    "SET #due = :due, #requeued = :requeued",
                    "attribute_exists(#due_shard)",
                    names("due", "due_shard", "requeued"),
                    {":due": items.epoch(until), ":requeued": requeued},
                )
            ]
        )

    def requeued(self, tenant: str, digest: str) -> int | None:
        item = self._table.get(keys.inbox(tenant, digest))
        if item is None or "done_at" in item:
            return None
        return int(item["requeued"]["N"]) if "requeued" in item else 0
