"""Wishes to be rung, in the table: a partition a tenant, in the order of their instants. One call has one.

Their items hold people's data, and are gone after 90 days. The keys, and what else is written here, hold none.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from bookend.adapters.dynamodb import items, keys
from bookend.adapters.dynamodb.actions import IS_NEW, Action, Actions, names
from bookend.adapters.dynamodb.items import from_wire, to_wire
from bookend.adapters.dynamodb.keys import Item
from bookend.adapters.dynamodb.transact import Table
from bookend.application.deadline import Deadline
from bookend.application.ports import Noting
from bookend.domain.callbacks import MOST_PER_DAY, Callback, CallbackReason, CallbackState
from bookend.domain.timeslot import parse_instant


class DynamoCallbacks:
    """The `Callbacks` port on one table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._actions = Actions(table.name)

    def within(self, deadline: Deadline) -> DynamoCallbacks:
        return DynamoCallbacks(self._table.within(deadline))

    def note(self, tenant: str, callback: Callback, *, counted_as: str, day: date) -> Noting:
        """Position 0: this call has one already, and the old item tells since when. 1: too many. 2: never."""
        failed = self._table.write(
            [
                self._put_request(tenant, callback),
                self._count(tenant, counted_as, day, callback.asked_at),
                self._actions.put(callback_item(tenant, callback), IS_NEW),
            ]
        )
        if failed is None:
            return Noting.NEW
        if 0 not in failed.items:
            return Noting.TOO_MANY
        first = from_wire(failed.items[0] or {})
        self._change(tenant, callback, asked_at=parse_instant(first["at"]))
        return Noting.KNOWN

    def listed(self, tenant: str) -> tuple[Callback, ...]:
        found = self._table.query_all(
            KeyConditionExpression="#pk = :pk",
            ExpressionAttributeNames=names("pk"),
            ExpressionAttributeValues=to_wire({":pk": keys.callbacks_partition(tenant)}),
            ConsistentRead=True,
        )
        return tuple(_callback(each) for each in found)

    def done(self, tenant: str, callback: Callback, *, now: datetime) -> bool:
        failed = self._table.update(
            Key=keys.callback(tenant, callback.asked_at, callback.id),
            UpdateExpression="SET #state = :done, #done_at = :now",
            ConditionExpression="#state = :open AND #changed_at = :read",
            ExpressionAttributeNames=names("state", "done_at", "changed_at"),
            ExpressionAttributeValues=to_wire(
                {
                    ":done": CallbackState.DONE.value,
                    ":open": CallbackState.OPEN.value,
                    ":now": items.text(now),
                    ":read": items.text(callback.changed_at),
                }
            ),
        )
        return failed is None

    def _put_request(self, tenant: str, callback: Callback) -> Action:
        values = {"at": items.text(callback.asked_at), "ttl": items.epoch(callback.asked_at) + items.REQUEST_KEPT_S}
        return self._actions.put(keys.request(tenant, callback.id) | to_wire(values), IS_NEW)

    def _count(self, tenant: str, counted_as: str, day: date, now: datetime) -> Action:
        return self._actions.update(
            keys.tries(tenant, counted_as, day),
            "SET #callbacks = if_not_exists(#callbacks, :zero) + :one, #ttl = :ttl",
            "attribute_not_exists(#callbacks) OR #callbacks < :most",
            names("callbacks", "ttl"),
            {":zero": 0, ":one": 1, ":most": MOST_PER_DAY, ":ttl": items.epoch(now) + items.TRIES_KEPT_S},
        )

    def _change(self, tenant: str, callback: Callback, *, asked_at: datetime) -> None:
        """What was said now, in place of what was said before; not written where it is the same."""
        said = {name: value for name, value in _said(callback).items() if value != ""}
        differs = " OR ".join(f"#{name} <> :{name}" for name in said)
        failed = self._table.update(
            Key=keys.callback(tenant, asked_at, callback.id),
            UpdateExpression=(
                "SET " + ", ".join(f"#{name} = :{name}" for name in said) + ", #state = :open, #changed_at = :now "
                "REMOVE #done_at"
            ),
            ConditionExpression=f"attribute_exists(#pk) AND ({differs})",
            ExpressionAttributeNames=names(*said, "pk", "state", "changed_at", "done_at"),
            ExpressionAttributeValues=to_wire(
                {f":{name}": value for name, value in said.items()}
                | {":open": CallbackState.OPEN.value, ":now": items.text(callback.changed_at)}
            ),
        )
        if failed is not None and failed.items[0] is None:
            # Somebody has deleted it since. The caller hears that it is noted, so it is noted anew.
            self._table.write([self._actions.put(callback_item(tenant, callback, asked_at=asked_at), IS_NEW)])


def _said(callback: Callback) -> dict[str, Any]:
    """Every attribute is always there, so that conditions can compare it; empty where nothing was said."""
    return {
        "name": callback.name,
        "phone": callback.phone,
        "signed": callback.signed,
        "service": callback.service or "",
        "wished": callback.wished or "",
        "reason": callback.reason.value if callback.reason is not None else "",
    }


def callback_item(tenant: str, callback: Callback, *, asked_at: datetime | None = None) -> Item:
    """A wish to be rung, as it is kept."""
    first = callback.asked_at if asked_at is None else asked_at
    values = _said(callback) | {
        "call": callback.call,
        "at": items.text(first),
        "changed_at": items.text(callback.changed_at),
        "state": callback.state.value,
        "ttl": items.epoch(first) + items.CALLBACK_KEPT_S,
    }
    if callback.appointment:
        values["appt"] = callback.appointment
    return keys.callback(tenant, first, callback.id) | to_wire(values)


def _callback(item: Item) -> Callback:
    plain = from_wire(item)
    return Callback(
        id=plain["sk"].rpartition("#")[2],
        call=plain["call"],
        name=plain["name"],
        phone=plain["phone"],
        signed=plain["signed"],
        service=plain["service"] or None,
        wished=plain["wished"] or None,
        reason=CallbackReason(plain["reason"]) if plain["reason"] else None,
        asked_at=parse_instant(plain["at"]),
        changed_at=parse_instant(plain["changed_at"]),
        state=CallbackState(plain["state"]),
        appointment=plain.get("appt", ""),
    )
