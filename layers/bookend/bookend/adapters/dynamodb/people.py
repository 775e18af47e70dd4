"""Where a person is on record, and their erasure: row by row, each on the state it was read in, each with its entry."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from bookend.adapters.dynamodb import items, keys
from bookend.adapters.dynamodb.actions import Action, Actions, names
from bookend.adapters.dynamodb.items import to_wire
from bookend.adapters.dynamodb.keys import Item, Key
from bookend.adapters.dynamodb.transact import Table
from bookend.application.ports import Audit
from bookend.application.ports.erasure import PersonalRecord, PersonOnRecord, RecordKind
from bookend.domain.appointment import Appointment
from bookend.domain.identities import Identity, SamePerson, same_person

BY = "command/erase"
_NOBODY = {"name": "", "email": "", "phone": None}
_KINDS = {
    "CUSTOMER": RecordKind.CUSTOMER,
    "CALLBACK": RecordKind.CALLBACK,
    "WH": RecordKind.EVENT,
    "CASE": RecordKind.CASE,
    "OUT": RecordKind.TEXT,
}


class DynamoPeople:
    """The `PeopleOnRecord` port on one table."""

    def __init__(self, table: Table) -> None:
        self._table = table.acting(BY)
        self._actions = Actions(table.name)
        self._rows: dict[tuple[RecordKind, str], Item] = {}

    def of(self, tenant: str, *, customer: str, phone: str | None) -> PersonOnRecord:
        """Two passes: first who they are in all their rows, then what there is of them."""
        rows, calls = set[Identity](), dict[str, tuple[str, str]]()
        for item in self._all(tenant):
            who = _who(item)
            if who is not None:
                rows.add(who)
                if (call := _call_of(item)) is not None:
                    calls[keys.name_of(item)] = (who.id, call)
        person = same_person(rows, customer=customer, phone=phone)
        theirs = _Theirs(person, {name: call for name, (of, call) in calls.items() if of in person.ids})
        appointments, records = list[Appointment](), list[PersonalRecord]()
        for item in self._all(tenant):
            _, kind, name = keys.partition_of(item)
            who = _who(item)
            if kind == "APPT" and who is not None and who.id in person.ids:
                appointments.append(items.appointment_from_item(name, item))
            elif kind in _KINDS and theirs.has(kind, item, who):
                records.append(self._record(_KINDS[kind], item))
        return PersonOnRecord(person.ids, appointments, records, person.doubtful)

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


@dataclass(frozen=True, slots=True)
class _Theirs:
    """What else is a person's: by who they are, and by the call of each of their appointments."""

    person: SamePerson
    calls: dict[str, str]

    def has(self, kind: str, item: Item, who: Identity | None) -> bool:
        match kind:
            case "CALLBACK":
                return self._is_their_wish(item)
            case "WH":
                body, person = item.get("body", {}).get("S", "").lower(), self.person
                return any(each.lower() in body for each in (*person.numbers, *person.addresses, *person.shared))
            case "OUT":
                return item["appt"]["S"] in self.calls and "due_shard" in item
            case _:  # and there is something of them left in it
                return who is not None and who.id in self.person.ids and bool(who.name or who.phone or who.email)

    def _is_their_wish(self, item: Item) -> bool:
        """By the number or address; where it has none, by what it is about, or by the call they booked in."""
        reach, about, call = (item.get(name, {}).get("S", "") for name in ("phone", "appt", "call"))
        is_known = reach in self.person.numbers or reach in self.person.addresses or about in self.calls
        return is_known or bool(call and call in self.calls.values())


def _who(item: Item) -> Identity | None:
    """Whose row it is, as far as it says so; None: it is nobody's."""
    _, kind, name = keys.partition_of(item)
    if kind not in {"CUSTOMER", "APPT", "CASE"}:
        return None
    said = item if kind == "CUSTOMER" else item.get("customer", {}).get("M", {})
    found = {field: said.get(field, {}).get("S", "") for field in ("id", "name", "phone", "email")}
    of = name if kind == "CUSTOMER" else found["id"]
    return Identity(of, found["name"], found["phone"], found["email"]) if of else None


def _call_of(item: Item) -> str | None:
    """The call that an appointment was made in, empty if in none; None: it is no appointment."""
    _, kind, _ = keys.partition_of(item)
    return str(item.get("call", {}).get("S", "")) if kind == "APPT" else None


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
        case RecordKind.TEXT:
            return True


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
