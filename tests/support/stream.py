"""The stream of a table in memory, as Lambda hands it on, and the audit log that is made of it.

audited = Audited(salon)          # from now on every change is told
...
audited.catch_up()                # the log is written
assert audited.verified() == []
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from bookend.adapters.dynamodb.audit_trail import DynamoAuditedState, DynamoAuditTrail
from bookend.adapters.dynamodb.items import from_wire
from bookend.adapters.dynamodb.stream import read_record
from bookend.adapters.dynamodb.transact import Table
from bookend.application.auditing import AuditKeys, Recorded, Verified, record, verify_all
from bookend.domain.audit_chain import Entry
from tests.support.tables.memory import MemoryDynamoDB
from tests.support.tables.values import copied_item

AUDIT = "audit"
SECRET = "an audit key of thirty-two chars."
_KEYS = (("pk", "HASH"), ("sk", "RANGE"))

Record = dict[str, Any]


def audit_table(client: Any, name: str = AUDIT) -> None:
    """The table as the template declares it."""
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key, _ in _KEYS],
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in _KEYS],
    )


class Stream:
    """Every change of a table from now on, oldest first."""

    def __init__(self, client: MemoryDynamoDB, table: str, now: Callable[[], Any]) -> None:
        self.records: list[Record] = []
        self._numbers = itertools.count(1)
        self._now = now
        held = client._tables[table]
        self._store = held.store
        self._held = held
        held.store = self._stored  # type: ignore[method-assign]

    def _stored(self, key: Any, new: Any) -> None:
        old = self._held.items.get(key)
        self._store(key, new)
        if old == new:
            return  # DynamoDB tells nothing of a write that changes nothing
        number = next(self._numbers)
        item = new or old
        change: dict[str, Any] = {
            "ApproximateCreationDateTime": int(self._now().timestamp()),
            "Keys": {name: item[name] for name in ("pk", "sk")},
            "SequenceNumber": f"{number:021d}",
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        }
        change |= {} if old is None else {"OldImage": copied_item(old)}
        change |= {} if new is None else {"NewImage": copied_item(new)}
        name = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
        self.records.append({"eventID": f"{number:032x}", "eventName": name, "dynamodb": change})


class Audited:
    """A salon (or anything with client, table, clock and tenant) whose changes are logged when `catch_up` is called."""

    def __init__(self, salon: Any, *, keys: Sequence[str] = (SECRET,)) -> None:
        self.tenant = salon.tenant.id
        self.clock, self.client = salon.clock, salon.client
        audit_table(self.client)
        self.stream = Stream(self.client, salon.table.name, self.clock.now)
        self.main = salon.table
        self.keys = AuditKeys.of(keys)
        self.trail = DynamoAuditTrail(Table(self.client, AUDIT, clock=self.clock), salon.table)
        self.state = DynamoAuditedState(salon.table)
        self._next = 0

    def deliver(self, *records: Record) -> list[Recorded | None]:
        """These records, in this order; None: the log has nothing to do with it."""
        ends: list[Recorded | None] = []
        for each in records:
            happened = read_record(each, self.keys.newest.mark)
            ends.append(None if happened is None else record(happened, trail=self.trail, keys=self.keys))
        return ends

    def catch_up(self) -> list[Recorded | None]:
        """All that was not delivered yet."""
        new = self.stream.records[self._next :]
        self._next = len(self.stream.records)
        return self.deliver(*new)

    def verified(self, **how: Any) -> Verified:
        """Everything, against everything."""
        return verify_all(self.tenant, trail=self.trail, state=self.state, keys=self.keys, clock=self.clock, **how)

    def entries(self, appointment: str) -> list[Entry]:
        """A chain, every row of which is an entry."""
        rows = [each.entry for each in self.trail.chain(self.tenant, appointment)]
        assert None not in rows
        return [each for each in rows if each is not None]

    def rows(self) -> list[dict[str, Any]]:
        """The audit table as it is."""
        return list(self.client.scan(TableName=AUDIT)["Items"])

    def counted(self) -> dict[str, int]:
        """All counters of health, over all hours."""
        total: dict[str, int] = {}
        for item in self.client.scan(TableName=self.main.name)["Items"]:
            if item["pk"]["S"].endswith("#HEALTH"):
                for name, value in from_wire(item).items():
                    if name not in {"pk", "sk", "ttl"}:
                        total[name] = total.get(name, 0) + int(value)
        return total
