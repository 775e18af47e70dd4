"""Where a person is on record, and their erasure: row by row, each on the state it was read in, each with its entry."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from bookend.adapters.dynamodb import items, keys
from bookend.adapters.dynamodb.actions import Action, Actions, names
from bookend.adapters.dynamodb.items import to_wire
from bookend.adapters.dynamodb.keys import Item, Key
from bookend.adapters.dynamodb.transact import Table
from bookend.application.ports import Audit
from bookend.application.ports.erasure import PersonalRecord, PersonOnRecord, RecordKind
from bookend.domain.appointment import Appointment

BY = "command/erase"
_NOBODY = {"name": "", "email": "", "phone": None}
_KINDS = {
    "CUSTOMER": RecordKind.CUSTOMER,
    "CALLBACK": RecordKind.CALLBACK,
    "WH": RecordKind.EVENT,
    "CASE": RecordKind.CASE,
}


class DynamoPeople:
    """The `PeopleOnRecord` port on one table."""

    def __init__(self, table: Table) -> None:
        self._table = table.acting(BY)
        self._actions = Actions(table.name)
        self._rows: dict[tuple[RecordKind, str], Item] = {}

    def of(self, tenant: str, *, customer: str, phone: str | None) -> PersonOnRecord:
        """Two passes: first who they are in all their rows, then what there is of them."""
        ids, numbers, addresses = {customer} - {""}, {phone} - {None}, set[str]()
        for item in self._all(tenant):
            who = _who(item)
            if who and (who.get("id") in ids or who.get("phone") in numbers):
                ids.add(who["id"])
                numbers |= {who.get("phone")} - {None, ""}
                addresses |= {who.get("email", "")} - {""}
        theirs = {str(each) for each in (*numbers, *addresses)}
        appointments, records = list[Appointment](), list[PersonalRecord]()
        for item in self._all(tenant):
            _, kind, name = keys.partition_of(item)
            who = _who(item)
            if kind == "APPT" and who.get("id") in ids:
                appointments.append(items.appointment_from_item(name, item))
            elif kind in _KINDS and (_is_theirs(who, ids) or _tells_of(kind, item, theirs)):
                records.append(self._record(_KINDS[kind], item))
        return PersonOnRecord(frozenset(map(str, ids)), appointments, records)

    def clear_appointment(self, tenant: str, appointment: Appointment, *, now: datetime) -> bool:
        update = self._actions.update(
            keys.appointment(tenant, appointment.id),
            "SET #customer = :nobody, #ver = #ver + :one REMOVE #answer",
            "#ver = :ver",
            names("customer", "ver", "answer"),
            {":nobody": {"id": appointment.customer.id, **_NOBODY}, ":ver": appointment.version, ":one": 1},
        )
        entry = self._entry(tenant, f"appointment-{appointment.id}", appointment.id, now)
        return self._table.write([update, entry]) is None

    def clear(self, tenant: str, record: PersonalRecord, *, now: datetime) -> bool:
        item = self._rows[record.kind, record.name]
        about = f"{record.kind.value}-{hashlib.sha256(record.name.encode()).hexdigest()[:16]}"
        actions = [*_CLEARING[record.kind](self._actions, self._table.name, tenant, item)]
        return self._table.write([*actions, self._entry(tenant, about, "", now)]) is None

    def _all(self, tenant: str) -> Iterator[Item]:
        for page in self._table.pages(
            FilterExpression="begins_with(#pk, :of)",
            ExpressionAttributeNames=names("pk"),
            ExpressionAttributeValues=to_wire({":of": keys.of_tenant(tenant)}),
            ConsistentRead=True,
        ):
            yield from page

    def _record(self, kind: RecordKind, item: Item) -> PersonalRecord:
        name = item["sk"]["S"] if kind in {RecordKind.CALLBACK, RecordKind.CASE} else keys.name_of(item)
        self._rows[kind, name] = item
        return PersonalRecord(kind, name, _state_of(item), _is_open(kind, item))

    def _entry(self, tenant: str, about: str, appointment: str, now: datetime) -> Action:
        audit = Audit("erasure", "erase", about, appointment, before={}, after={"person": "none"}, by=BY)
        return self._actions.put_audit(tenant, audit, now)


def _who(item: Item) -> dict[str, Any]:
    """Whose row it is: id, number and address, as far as it says so."""
    _, kind, name = keys.partition_of(item)
    if kind == "CUSTOMER":
        found = {"id": name, "phone": item.get("phone"), "email": item.get("email")}
    elif kind in {"APPT", "CASE"}:
        found = dict(item.get("customer", {}).get("M", {}))
    else:
        return {}
    return {field: value if isinstance(value, str) else (value or {}).get("S") for field, value in found.items()}


def _is_theirs(who: dict[str, Any], ids: set[str]) -> bool:
    """And whether there is anything of them left in it."""
    return who.get("id") in ids and any(value for name, value in who.items() if name != "id")


def _tells_of(kind: str, item: Item, theirs: set[str]) -> bool:
    if kind == "CALLBACK":
        return item["phone"]["S"] in theirs
    body = item.get("body", {}).get("S", "").lower() if kind == "WH" else ""
    return any(each.lower() in body for each in theirs)


def _state_of(item: Item) -> str:
    return hashlib.sha256(repr(sorted(item.items(), key=lambda each: each[0])).encode()).hexdigest()


def _is_open(kind: RecordKind, item: Item) -> bool:
    match kind:
        case RecordKind.CUSTOMER:
            return False
        case RecordKind.EVENT:
            return "done_at" not in item
        case RecordKind.CALLBACK:
            return bool(item["state"]["S"] == "OPEN")
        case RecordKind.CASE:
            return bool(item["state"]["S"] != "CLOSED")


def _key(item: Item) -> Key:
    return {"pk": item["pk"], "sk": item["sk"]}


def _gone(table: str, item: Item, *same: str) -> Iterator[Action]:
    """The row as it was read, deleted."""
    yield {
        "Delete": {
            "TableName": table,
            "Key": _key(item),
            "ConditionExpression": " AND ".join(f"#{name} = :{name}" for name in same),
            "ExpressionAttributeNames": names(*same),
            "ExpressionAttributeValues": {f":{name}": item[name] for name in same},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def _customer(_actions: Actions, table: str, _tenant: str, item: Item) -> Iterator[Action]:
    return _gone(table, item, "email")


def _callback(_actions: Actions, table: str, _tenant: str, item: Item) -> Iterator[Action]:
    return _gone(table, item, "changed_at", "state")


def _event(actions: Actions, _table: str, _tenant: str, item: Item) -> Iterator[Action]:
    """The row stays for its time, so that the same delivery is known; nobody reads the body of one that is done."""
    yield actions.update(
        _key(item), "SET #body = :none", "attribute_exists(#done_at)", names("body", "done_at"), {":none": ""}
    )


def _case(actions: Actions, table: str, tenant: str, item: Item) -> Iterator[Action]:
    """A closed one keeps what it was about; the answers go, wherever they stand."""
    customer = {name: items.from_wire({name: value})[name] for name, value in item["customer"]["M"].items()}
    yield actions.update(
        _key(item),
        "SET #customer = :nobody, #ver = #ver + :one REMOVE #answers, #mark, #parts",
        "#ver = :ver",
        names("customer", "ver", "answers", "mark", "parts"),
        {":nobody": customer | _NOBODY, ":ver": int(item["ver"]["N"]), ":one": 1},
    )
    for number in range(int(item.get("parts", {"N": "0"})["N"])):
        yield {
            "Delete": {"TableName": table, "Key": keys.case_part(tenant, item["sk"]["S"], item["mark"]["S"], number)}
        }


_CLEARING: dict[RecordKind, Callable[[Actions, str, str, Item], Iterator[Action]]] = {
    RecordKind.CUSTOMER: _customer,
    RecordKind.CALLBACK: _callback,
    RecordKind.EVENT: _event,
    RecordKind.CASE: _case,
}
