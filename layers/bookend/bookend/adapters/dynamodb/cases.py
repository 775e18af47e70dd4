"""Cases in the table: what should be on both sides and is not.

Those that are not closed are one partition, so that one query lists them; closed ones move to another. Cal.com's
answers are kept whole: compressed, and what is too large for one item stands in numbered parts beside it, under a
digest of the whole, so that nobody reads parts of two.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from bookend.adapters.dynamodb import items, keys
from bookend.adapters.dynamodb.actions import IS_NEW, Action, Actions, names
from bookend.adapters.dynamodb.items import from_wire, to_wire
from bookend.adapters.dynamodb.keys import Item
from bookend.adapters.dynamodb.transact import Table
from bookend.application.deadline import Deadline
from bookend.application.ports import Alert, Audit, StoreUnavailable
from bookend.domain.cases import Case, CaseOrigin, CaseState, Ending, SyncFailure, case_of_flag, opened_again
from bookend.domain.contacts import Customer
from bookend.domain.timeslot import parse_instant

_LARGEST = 100_000
"""Bytes of answers that stand in the item itself; a query of many cases reads them all."""
_PART = 300_000
"""Bytes of one part: an item holds 400 KB."""
_LOOKS = 3
_AS_READ = "#ver = :ver"


class DynamoCases:
    """The `Cases` port on one table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._actions = Actions(table.name)

    def within(self, deadline: Deadline) -> DynamoCases:
        return DynamoCases(self._table.within(deadline))

    def open(self, tenant: str, case: Case, *, now: datetime) -> bool:
        """Position 0: it is there already. 1: it is there, and closed."""
        head, parts = _written(tenant, case)
        closed = {
            "Key": keys.case(tenant, case.id, closed=True),
            "TableName": self._table.name,
            "ConditionExpression": IS_NEW,
            "ExpressionAttributeNames": names("pk"),
        }
        failed = self._table.write(
            [
                self._actions.put(head, IS_NEW),
                {"ConditionCheck": closed},
                *self._parts(parts, instead_of=()),
                self._actions.put_audit(tenant, _audit(None, case), now),
            ]
        )
        return failed is None

    def case(self, tenant: str, name: str) -> Case | None:
        for _ in range(_LOOKS):
            found = self._table.get_all([keys.case(tenant, name), keys.case(tenant, name, closed=True)])
            head = next((each for each in found if each is not None), None)
            if head is None:
                return None
            if (case := self._read(tenant, head)) is not None:
                return case  # else its answers were changed between the two reads
        raise StoreUnavailable("contention")

    def unclosed(self, tenant: str) -> Sequence[Case]:
        heads = self._table.query_all(
            KeyConditionExpression="#pk = :pk",
            ExpressionAttributeNames=names("pk"),
            ExpressionAttributeValues=to_wire({":pk": keys.cases_partition(tenant)}),
            ConsistentRead=True,
        )
        read = (self._read(tenant, head) or self.case(tenant, head["sk"]["S"]) for head in heads)
        found = [each for each in read if each is not None and each.state is not CaseState.CLOSED]
        return sorted(found, key=lambda each: (each.opened_at, each.id))

    def of_heads(self, tenant: str, heads: Sequence[Item]) -> dict[str, Case]:
        """The cases of items that were read along with others, by their names."""
        read = (self._read(tenant, head) or self.case(tenant, head["sk"]["S"]) for head in heads)
        return {each.id: each for each in read if each is not None}

    def change(self, tenant: str, before: Case, after: Case, *, now: datetime) -> bool:
        """Position 0: it is not as read any more. A case that ends because both sides agree may be found anew."""
        head, parts = _written(tenant, replace(after, version=before.version))
        closes = after.state is CaseState.CLOSED
        if closes:
            kept_until = to_wire({"ttl": items.epoch(now) + items.ALERT_KEPT_S})
            head, parts = head | kept_until, [each | kept_until for each in parts]
            actions = [self._drop(tenant, before), self._actions.put(head, IS_NEW)]
        else:
            actions = [self._put_as_read(head, before.version)]
        if closes or after.answers != before.answers:
            actions += self._parts(parts, instead_of=_written(tenant, before)[1])
        actions.append(self._actions.put_audit(tenant, _audit(before, after), now))
        if closes and after.ending is Ending.EQUAL:
            flag = {"Key": keys.flag(tenant, after.id.partition("~")[0]), "TableName": self._table.name}
            actions.append({"Delete": flag})
        return self._table.write(actions) is None

    def _put_as_read(self, head: Item, version: int) -> Action:
        return self._actions.put(head, f"attribute_exists(#pk) AND {_AS_READ}", {":ver": version}, "ver")

    def _drop(self, tenant: str, before: Case) -> Action:
        delete = {
            "Key": keys.case(tenant, before.id),
            "TableName": self._table.name,
            "ConditionExpression": _AS_READ,
            "ExpressionAttributeNames": names("ver"),
            "ExpressionAttributeValues": to_wire({":ver": before.version}),
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        return {"Delete": delete}

    def _parts(self, parts: Sequence[Item], *, instead_of: Sequence[Item]) -> list[Action]:
        """The same bytes stand under the same key, so a repeat does no harm; those of the whole before go."""
        stay = [each["sk"] for each in parts]
        gone = [{"pk": each["pk"], "sk": each["sk"]} for each in instead_of if each["sk"] not in stay]
        return [
            *({"Put": {"Item": part, "TableName": self._table.name}} for part in parts),
            *({"Delete": {"Key": key, "TableName": self._table.name}} for key in gone),
        ]

    def _read(self, tenant: str, head: Item) -> Case | None:
        """The case; None if its answers are not those that the head names any more."""
        plain = from_wire(head)
        if "parts" not in plain:
            return _case(plain, bytes(plain["answers"].value) if "answers" in plain else b"")
        name, mark = plain["sk"], plain["mark"]
        wanted = [keys.case_part(tenant, name, mark, number) for number in range(int(plain["parts"]))]
        found = [each for each in self._table.get_all(wanted) if each is not None]
        if len(found) != len(wanted):
            return None
        return _case(plain, b"".join(bytes(from_wire(each)["bytes"].value) for each in found))


def opened(table: Table, tenant: str, alert: Alert, *, about: str, now: datetime) -> list[Action]:
    """The case of what is put before a person as `about`, where there is none yet, to be written along with that.

    Its alert is the record of it: nothing was changed yet.
    """
    case = case_of_flag(about, alert.facts, now=now)
    case = _unless_it_waits(table, tenant, case) if case is not None else None
    return [] if case is None else [Actions(table.name).put(_written(tenant, case)[0], IS_NEW)]


def opened_with(table: Table, tenant: str, case: Case, *, now: datetime) -> list[Action]:
    """A case with its entry, where there is none of it yet, to be written along with what it tells of."""
    fresh, actions = _unless_it_waits(table, tenant, case), Actions(table.name)
    if fresh is None:
        return []
    return [
        actions.put(_written(tenant, fresh)[0], IS_NEW),
        actions.put_audit(tenant, _audit(None, fresh), now),
    ]


def _unless_it_waits(table: Table, tenant: str, case: Case) -> Case | None:
    """The case, or the same once more where it was closed before; None: a person has it before them."""
    for _ in range(_LOOKS):
        waiting, closed = table.get_all([keys.case(tenant, case.id), keys.case(tenant, case.id, closed=True)])
        if waiting is not None:
            return None
        if closed is None:
            break
        case = opened_again(case)
    return case


def as_read(table: Table, tenant: str, case: Case) -> Action:
    """The case is as it was read: nobody has decided otherwise since."""
    check = {
        "Key": keys.case(tenant, case.id),
        "TableName": table.name,
        "ConditionExpression": _AS_READ,
        "ExpressionAttributeNames": names("ver"),
        "ExpressionAttributeValues": to_wire({":ver": case.version}),
    }
    return {"ConditionCheck": check}


def _written(tenant: str, case: Case) -> tuple[Item, list[Item]]:
    """The case's item, one version on, and the parts of its answers where they are too large for it."""
    values: dict[str, Any] = {
        "state": case.state.value,
        "failure": case.failure.value,
        "origin": case.origin.value,
        "facts": dict(case.facts),
        "opened_at": items.text(case.opened_at),
        "changed_at": items.text(case.changed_at),
        "appt": case.appointment,
        "booking": case.booking,
        "tries": case.tries,
        "forgiven": case.forgiven,
        "why": case.why,
        "by": case.by,
        "op": case.op,
        "decision": case.decision,
        "ver": case.version + 1,
    }
    if case.due is not None:
        values["again_at"] = items.text(case.due)  # `due` is the index of what the sweeper looks after
    if case.ending is not None:
        values["ending"] = case.ending.value
    if case.customer is not None:
        who = case.customer
        values["customer"] = {"id": who.id, "name": who.name, "email": who.email, "phone": who.phone}
    packed = zlib.compress(json.dumps(case.answers, ensure_ascii=False).encode()) if case.answers else b""
    parts: list[Item] = []
    if len(packed) > _LARGEST:
        values["mark"] = hashlib.sha256(packed).hexdigest()[:16]
        cut = [packed[at : at + _PART] for at in range(0, len(packed), _PART)]
        values["parts"] = len(cut)
        parts = [
            keys.case_part(tenant, case.id, values["mark"], number) | to_wire({"bytes": part})
            for number, part in enumerate(cut)
        ]
    elif packed:
        values["answers"] = packed
    return keys.case(tenant, case.id, closed=case.state is CaseState.CLOSED) | to_wire(values), parts


def _case(plain: dict[str, Any], packed: bytes) -> Case:
    who = plain.get("customer")
    return Case(
        id=plain["sk"],
        state=CaseState(plain["state"]),
        failure=SyncFailure(plain["failure"]),
        origin=CaseOrigin(plain["origin"]),
        facts=dict(plain["facts"]),
        opened_at=parse_instant(plain["opened_at"]),
        changed_at=parse_instant(plain["changed_at"]),
        due=parse_instant(plain["again_at"]) if "again_at" in plain else None,
        customer=Customer(who["id"], who["name"], who["email"], who.get("phone")) if who is not None else None,
        appointment=plain["appt"],
        booking=plain["booking"],
        answers=tuple(json.loads(zlib.decompress(packed))) if packed else (),
        tries=int(plain["tries"]),
        why=plain["why"],
        ending=Ending(plain["ending"]) if "ending" in plain else None,
        by=plain["by"],
        version=int(plain["ver"]),
        op=plain["op"],
        forgiven=int(plain["forgiven"]),
        decision=plain["decision"],
    )


def _audit(before: Case | None, after: Case) -> Audit:
    """Who made what of it: states, classes and ids, never people."""
    repair = "case_opened" if before is None else f"case_{(after.ending or after.state).value.lower()}"
    return Audit(
        drift=after.failure.value,
        repair=repair,
        booking=after.booking,
        appointment=after.appointment,
        before=_standing(before, version=before.version if before is not None else 0),
        after=_standing(after, version=before.version + 1 if before is not None else 1),
        by=after.by,
    )


def _standing(case: Case | None, *, version: int) -> dict[str, str]:
    if case is None:
        return {}
    known = {
        "case": case.id,
        "state": case.state.value,
        "failure": case.failure.value,
        "appointment": case.appointment,
        "booking": case.booking,
        "tries": str(case.tries),
        "version": str(version),
        "why": case.why,
        "decision": case.decision,
        "ending": case.ending.value if case.ending is not None else "",
        "start": case.facts.get("start", ""),
    }
    return {name: value for name, value in known.items() if value}
