"""The outbox, as whoever sends sees it: a claim before anything is sent, and what became of it after.

A row leaves NEW in the transaction that claims it, on the condition that neither the row nor its appointment has
changed since both were read; from then on nobody else touches it. Who is to be rung goes into the transaction that
gives it up. Its items name nobody; a number or an address that has opted out stands in no key.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from bookend.adapters.dynamodb import items, keys
from bookend.adapters.dynamodb.actions import IS_NEW, Action, Actions, customer_guard_key, names
from bookend.adapters.dynamodb.callbacks import callback_item
from bookend.adapters.dynamodb.items import from_wire, to_wire
from bookend.adapters.dynamodb.keys import Item
from bookend.adapters.dynamodb.transact import Table
from bookend.application.deadline import Deadline
from bookend.application.ports import Alert
from bookend.application.ports.texts import Claim, Owed
from bookend.domain.appointment import Appointment, Told
from bookend.domain.callbacks import Callback
from bookend.domain.texts import WORDING, Message, MessageState, TextKind
from bookend.domain.timeslot import parse_instant

_AS_READ = "#state = :read AND #kind = :kind AND #appt = :appt"
"""Nobody has sent it, turned it to something else or taken it away since it was read."""
_OUR_TRY = "#state = :SENDING AND #claim = :claim"
_TROUBLES = frozenset({"TextFailed", "TextUnsure"})


class DynamoOutbox:
    """The `Outbox` port on one table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._actions = Actions(table.name)

    def within(self, deadline: Deadline) -> DynamoOutbox:
        return DynamoOutbox(self._table.within(deadline))

    def owed(self, tenant: str, op: str) -> Owed | None:
        row = self._table.get(keys.outbox(tenant, op))
        if row is None:
            return None
        message = _message(op, row)
        item = self._table.get(keys.appointment(tenant, message.appointment))
        if item is None:
            return Owed(message, None, has_another=False, opted_out=frozenset())
        appointment = items.appointment_from_item(message.appointment, item)
        customer = appointment.customer
        addresses = [each for each in (customer.phone, customer.email) if each]
        guard, *out = self._table.get_all(
            [customer_guard_key(tenant, appointment), *(keys.opted_out(tenant, each) for each in addresses)]
        )
        return Owed(
            message,
            appointment,
            has_another=guard is not None and guard["appt"]["S"] != appointment.id,
            opted_out=frozenset(each for each, found in zip(addresses, out, strict=True) if found is not None),
        )

    def claim(self, tenant: str, owed: Owed, claim: Claim, *, now: datetime) -> bool:
        values = {
            "claim": claim.id,
            "claimed_at": items.text(now),
            "lease": items.epoch(claim.leased_until),
            "due": items.epoch(claim.leased_until),
            "due_shard": keys.due_shard(owed.message.op),
            "says": claim.kind.value,
            "channel": claim.channel.value,
            "owed": claim.owed,
            "said": claim.said,
            "wording": WORDING,
        }
        update = self._as_read(
            tenant,
            owed.message,
            "SET #state = :to, " + ", ".join(f"#{name} = :{name}" for name in values) + " REMOVE #not_before, #why",
            {":to": MessageState.SENDING.value} | {f":{name}": value for name, value in values.items()},
            *values,
            "not_before",
            "why",
        )
        return self._table.write([update, *self._unchanged(tenant, owed.appointment)]) is None

    def sent(self, tenant: str, op: str, claim: str, *, provider_id: str, now: datetime) -> bool:
        done = self._actions.update(
            keys.outbox(tenant, op),
            "SET #state = :SENT, #provider_id = :id, #ended_at = :now REMOVE #due, #due_shard, #lease, #why",
            "#state IN (:SENDING, :UNSURE) AND #claim = :claim",
            names("state", "claim", "provider_id", "ended_at", "due", "due_shard", "lease", "why"),
            _states("SENT", "SENDING", "UNSURE") | {":id": provider_id, ":now": items.text(now), ":claim": claim},
        )
        return self._table.write([done]) is None

    def not_sent(self, tenant: str, op: str, claim: str, *, until: datetime, why: str) -> bool:
        back = self._actions.update(
            keys.outbox(tenant, op),
            "SET #state = :NEW, #tries = if_not_exists(#tries, :zero) + :one, #due = :due, #not_before = :due, "
            "#why = :why REMOVE #claim, #lease, #requeued",
            _OUR_TRY,
            names("state", "claim", "tries", "due", "not_before", "why", "lease", "requeued"),
            _states("NEW", "SENDING")
            | {":zero": 0, ":one": 1, ":due": items.epoch(until), ":why": why, ":claim": claim},
        )
        return self._table.write([back]) is None

    def skip(self, tenant: str, owed: Owed, *, why: str, now: datetime) -> bool:
        """Not if others have changed the appointment since: then its caller waits for it after all."""
        skipped = self._as_read(
            tenant,
            owed.message,
            "SET #state = :to, #why = :why, #ended_at = :now REMOVE #due, #due_shard",
            {":to": MessageState.SKIPPED.value, ":why": why, ":now": items.text(now)},
            *("why", "ended_at", "due", "due_shard"),
        )
        return self._table.write([skipped, *self._unchanged(tenant, owed.appointment)]) is None

    def requeued(self, tenant: str, op: str) -> int | None:
        row = self._table.get(keys.outbox(tenant, op))
        if row is None or "due_shard" not in row:
            return None
        return int(row["requeued"]["N"]) if "requeued" in row else 0

    def postpone(self, tenant: str, op: str, *, until: datetime, requeued: int = 0) -> bool:
        later = self._actions.update(
            keys.outbox(tenant, op),
            "SET #due = :due, #requeued = :requeued",
            "#state IN (:NEW, :SENDING) AND attribute_exists(#due_shard)",
            names("state", "due", "due_shard", "requeued"),
            _states("NEW", "SENDING") | {":due": items.epoch(until), ":requeued": requeued},
        )
        return self._table.write([later]) is None

    def give_up(
        self,
        tenant: str,
        owed: Owed,
        state: MessageState,
        *,
        why: str,
        ring: Callback | None,
        alert: Alert | None,
        now: datetime,
    ) -> bool:
        """Position 0: somebody else has ended it. 1, if it was never sent: the appointment changed. The rest: never."""
        message = owed.message
        values = {":to": state.value, ":why": why, ":now": items.text(now)}
        gone = "SET #state = :to, #why = :why, #ended_at = :now REMOVE #due, #due_shard, #lease"
        used = ("why", "ended_at", "due", "due_shard", "lease")
        actions: list[Action] = []
        if message.state is MessageState.SENDING:
            actions.append(
                self._actions.update(
                    keys.outbox(tenant, message.op),
                    gone,
                    _OUR_TRY,
                    names("state", "claim", *used),
                    values | _states("SENDING") | {":claim": message.claim},
                )
            )
        else:
            actions += [
                self._as_read(tenant, message, gone, values, *used),
                *self._unchanged(tenant, owed.appointment),
            ]
        if ring is not None:
            actions.append(self._actions.put(callback_item(tenant, ring), IS_NEW))
        if alert is not None:
            actions.append(self._actions.put(items.alert_to_item(tenant, alert, op=message.op, now=now), IS_NEW))
        return self._table.write(actions) is None

    def resolve(self, tenant: str, message: Message, state: MessageState, *, by: str, now: datetime) -> bool:
        again = state is MessageState.NEW
        update = self._as_read(
            tenant,
            message,
            "SET #state = :to, #by = :by, #resolved_at = :now"
            + (", #overtaken = :yes, #at = :now, #due = :due, #due_shard = :shard, #again = :again" if again else "")
            + " REMOVE #not_before, #tries"
            + (", #claim" if again else ", #due, #due_shard, #lease"),
            {":to": state.value, ":by": by, ":now": items.text(now)} | (_once_more(message, now) if again else {}),
            *("by", "resolved_at", "not_before", "tries", "due", "due_shard"),
            *(("overtaken", "at", "claim", "again") if again else ("lease",)),
        )
        return self._table.write([update]) is None

    def waiting(self, tenant: str) -> Sequence[Message]:
        found: list[Message] = []
        for shard in keys.due_shards():
            rows = self._table.query_all(
                IndexName=keys.DUE_INDEX,
                KeyConditionExpression="#shard = :shard",
                ExpressionAttributeNames={"#shard": "due_shard"},
                ExpressionAttributeValues=to_wire({":shard": shard}),
            )
            ops = [name for whose, kind, name in map(keys.whose, rows) if (whose, kind) == (tenant, "OUT")]
            found += self._read(tenant, ops)
        return sorted((each for each in found if each.state in _UNENDED), key=lambda each: each.at)

    def in_trouble(self, tenant: str, *, since: datetime) -> Sequence[Message]:
        """The alerts name them: rows that ended are in no index."""
        alerts = self._table.query_all(
            KeyConditionExpression="#pk = :pk AND #sk >= :since",
            ExpressionAttributeNames=names("pk", "sk"),
            ExpressionAttributeValues={
                ":pk": keys.alert(tenant, since, "", "")["pk"],
                ":since": {"S": items.text(since)[:19]},
            },
            ConsistentRead=True,
        )
        facts = [from_wire(each) for each in alerts]
        ops = [each["facts"]["op"] for each in facts if each["kind"] in _TROUBLES]
        troubled = {MessageState.UNSURE, MessageState.FAILED}
        return [each for each in self._read(tenant, list(dict.fromkeys(ops))) if each.state in troubled]

    def opt_out(self, tenant: str, address: str, *, out: bool, by: str, now: datetime) -> None:
        """A condition that fails says that it is so already."""
        key = keys.opted_out(tenant, address)
        if out:
            self._table.write([self._actions.put(key | to_wire({"at": items.text(now), "by": by}), IS_NEW)])
            return
        gone = {
            "Key": key,
            "ConditionExpression": "attribute_exists(#pk)",
            "ExpressionAttributeNames": names("pk"),
            "TableName": self._table.name,
        }
        self._table.write([{"Delete": gone}])

    def has_opted_out(self, tenant: str, address: str) -> bool:
        return self._table.get(keys.opted_out(tenant, address)) is not None

    def _read(self, tenant: str, ops: Sequence[str]) -> list[Message]:
        rows = self._table.get_all([keys.outbox(tenant, op) for op in ops])
        return [_message(op, row) for op, row in zip(ops, rows, strict=True) if row is not None]

    def _as_read(self, tenant: str, message: Message, update: str, values: dict[str, Any], *used: str) -> Action:
        overtaken = "attribute_exists(#overtaken)" if message.overtaken else "attribute_not_exists(#overtaken)"
        times = "#again = :times" if message.again else "attribute_not_exists(#again)"
        own = {":read": message.state.value, ":kind": message.kind.value, ":appt": message.appointment}
        return self._actions.update(
            keys.outbox(tenant, message.op),
            update,
            f"{_AS_READ} AND {overtaken} AND {times}",
            names("state", "kind", "appt", *{*used, "overtaken", "again"}),
            own | ({":times": message.again} if message.again else {}) | values,
        )

    def _unchanged(self, tenant: str, appointment: Appointment | None) -> list[Action]:
        """The appointment is what it was when it was read: so is what is said of it."""
        if appointment is None:
            return []
        check = {
            "Key": keys.appointment(tenant, appointment.id),
            "ConditionExpression": "#ver = :ver",
            "ExpressionAttributeNames": names("ver"),
            "ExpressionAttributeValues": to_wire({":ver": appointment.version}),
            "TableName": self._table.name,
        }
        return [{"ConditionCheck": check}]


_UNENDED = frozenset({MessageState.NEW, MessageState.SENDING})


def _once_more(message: Message, now: datetime) -> dict[str, Any]:
    shard = keys.due_shard(message.op)
    return {":yes": True, ":due": items.epoch(now), ":shard": shard, ":again": message.again + 1}


def _states(*used: str) -> dict[str, Any]:
    return {f":{state}": state for state in used}


def _message(op: str, row: Item) -> Message:
    plain = from_wire(row)

    def at(name: str) -> datetime | None:
        return datetime.fromtimestamp(int(plain[name]), UTC) if name in plain else None

    return Message(
        op=op,
        kind=TextKind(plain["kind"]),
        appointment=plain["appt"],
        told=Told(plain["told"]),
        state=_STATES_BEFORE.get(plain["state"]) or MessageState(plain["state"]),
        at=parse_instant(plain["at"]),
        overtaken="overtaken" in plain,
        tries=int(plain.get("tries", 0)),
        requeued=int(plain.get("requeued", 0)),
        again=int(plain.get("again", 0)),
        not_before=at("not_before"),
        claim=plain.get("claim", ""),
        leased_until=at("lease"),
        owed=plain.get("owed", True),
        said=plain.get("said", ""),
        why=plain.get("why", ""),
    )


_STATES_BEFORE = {"TOLD": MessageState.SETTLED}
"""What people wrote by hand while nothing was sent."""
