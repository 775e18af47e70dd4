"""The audit table: one chain an appointment, a row an entry. Rows are put, and nothing else is ever done to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from bookend.adapters.dynamodb import items, keys
from bookend.adapters.dynamodb.actions import IS_NEW, Action, Actions, names
from bookend.adapters.dynamodb.items import from_wire, to_wire
from bookend.adapters.dynamodb.keys import Item
from bookend.adapters.dynamodb.transact import Table
from bookend.application.deadline import Deadline
from bookend.application.ports.audit_trail import Standing
from bookend.domain.audit_chain import Entry, Stored, place_of

_PAGE = 500
_TEXTS = ("tenant", "appointment", "kind", "about", "at", "by", "call", "before", "after", "key", "prev", "hash")
_NUMBERS = ("seq", "version")
_ATTRIBUTES = {"pk", "sk", *_TEXTS, *_NUMBERS}


class DynamoAuditTrail:
    """The `AuditTrail` port: entries in a table of their own, counters in the one beside it."""

    def __init__(self, audit: Table, table: Table) -> None:
        self._audit = audit
        self._table = table
        self._entries = Actions(audit.name)

    def within(self, deadline: Deadline) -> DynamoAuditTrail:
        """The same, for one batch."""
        return DynamoAuditTrail(self._audit.within(deadline), self._table.within(deadline))

    def last(self, tenant: str, appointment: str) -> Stored | None:
        found = self._audit.query(**_whole_chain(tenant, appointment), ScanIndexForward=False, Limit=1)
        return _stored(found[0]) if found else None

    def chain(self, tenant: str, appointment: str) -> Sequence[Stored]:
        return [_stored(row) for row in self._audit.query_all(**_whole_chain(tenant, appointment))]

    def append(self, entry: Entry, counts: Mapping[str, int], *, hour: datetime) -> bool:
        """Position 0: the place is taken. The counters are added to without a condition: 0 makes them once."""
        row = keys.audit_entry(entry.tenant, entry.appointment, place_of(entry.seq)) | to_wire(_values(entry))
        actions = [self._entries.put(row, IS_NEW), *self._counted(entry.tenant, counts, hour)]
        return self._table.write(actions) is None

    def chains(self, tenant: str) -> Iterator[tuple[str, Sequence[Stored]]]:
        """A page of the table holds whole partitions, but for the last one, which the next page goes on with.

        A name is all that stands behind the tenant's part of the key: nothing is taken for a chain that it is not.
        """
        name, rows = "", list[Stored]()
        for page in self._audit.pages(
            FilterExpression="begins_with(#pk, :of)",
            ExpressionAttributeNames=names("pk"),
            ExpressionAttributeValues=to_wire({":of": keys.chains_of(tenant)}),
            ConsistentRead=True,
            Limit=_PAGE,
        ):
            for row in page:
                of = str(row["pk"]["S"]).removeprefix(keys.chains_of(tenant))
                if of != name and rows:
                    yield name, rows
                    rows = []
                name = of
                rows.append(_stored(row))
        if rows:
            yield name, rows

    def _counted(self, tenant: str, counts: Mapping[str, int], hour: datetime) -> list[Action]:
        """Names are ours, and none of the expression's: they go by number."""
        if not counts:
            return []
        aliases = {f"#c{number}": name for number, name in enumerate(counts)}
        added = ", ".join(f"#c{number} :c{number}" for number in range(len(counts)))
        values = {f":c{number}": value for number, value in enumerate(counts.values())}
        update = {
            "TableName": self._table.name,
            "Key": keys.health(tenant, hour),
            "UpdateExpression": f"ADD {added} SET #ttl = :ttl",
            "ExpressionAttributeNames": aliases | names("ttl"),
            "ExpressionAttributeValues": to_wire(values | {":ttl": items.epoch(hour) + items.HEALTH_KEPT_S}),
        }
        return [{"Update": update}]


class DynamoAuditedState:
    """The `AuditedState` port."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def standing(self, tenant: str, appointment: str) -> Standing | None:
        item = self._table.get(keys.appointment(tenant, appointment))
        return None if item is None else _standing(item)

    def standings(self, tenant: str) -> Mapping[str, Standing]:
        found: dict[str, Standing] = {}
        for page in self._table.pages(
            FilterExpression="begins_with(#pk, :of) AND #sk = :a",
            ProjectionExpression="#pk, #ver, #created_at",
            ExpressionAttributeNames=names("pk", "sk", "ver", "created_at"),
            ExpressionAttributeValues=to_wire({":of": keys.chains_of(tenant), ":a": keys.APPOINTMENT}),
            ConsistentRead=True,
        ):
            found.update((keys.name_of(item), _standing(item)) for item in page)
        return found

    def repairs(self, tenant: str) -> Mapping[str, Sequence[str]]:
        found: dict[str, list[str]] = {}
        for row in self._table.query_all(
            KeyConditionExpression="#pk = :pk",
            ProjectionExpression="#sk, #appt, #booking",
            ExpressionAttributeNames=names("pk", "sk", "appt", "booking"),
            ExpressionAttributeValues=to_wire({":pk": keys.audit_partition(tenant)}),
            ConsistentRead=True,
        ):
            plain = from_wire(row)
            chain = keys.chain_of(plain.get("appt", ""), plain.get("booking", ""))
            found.setdefault(chain, []).append(plain["sk"])
        return found


def _standing(item: Item) -> Standing:
    return Standing(int(item["ver"]["N"]), str(item["created_at"]["S"]))


def _whole_chain(tenant: str, appointment: str) -> dict[str, Any]:
    return {
        "KeyConditionExpression": "#pk = :pk",
        "ExpressionAttributeNames": names("pk"),
        "ExpressionAttributeValues": to_wire({":pk": keys.chain(tenant, appointment)}),
        "ConsistentRead": True,
    }


def _values(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in (*_TEXTS, *_NUMBERS)}


def _stored(row: Item) -> Stored:
    """A row with one attribute more, one less, or one of another type is none that we wrote."""
    place = str(row["sk"]["S"])
    as_written = (
        row.keys() == _ATTRIBUTES
        and all("S" in row[name] for name in _TEXTS)
        and all("N" in row[name] and row[name]["N"].isdecimal() for name in _NUMBERS)
    )
    if not as_written:
        return Stored(place, None)
    values: dict[str, Any] = {name: row[name]["S"] for name in _TEXTS}
    values |= {name: int(row[name]["N"]) for name in _NUMBERS}
    return Stored(place, Entry(**values))
