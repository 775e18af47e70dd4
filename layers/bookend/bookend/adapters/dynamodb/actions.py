"""The single items that transactions are made of: what each writes, and on which condition.

Every action asks for the old item back when its condition fails, so that the loser sees who won.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

from bookend.adapters.dynamodb import items, keys
from bookend.adapters.dynamodb.items import to_wire
from bookend.adapters.dynamodb.keys import Item, Key
from bookend.application.ports import Alert, Audit, CallRecord
from bookend.domain.appointment import Appointment, BookedSegment, Told
from bookend.domain.contacts import Customer
from bookend.domain.staff_day import StaffDay
from bookend.domain.texts import CONFIRMED_AFTER

Action: TypeAlias = dict[str, Any]

BY_OTHERS = "told_by_others"
"""Why a message is not sent: what a remedy has booked was told long ago, what a person decides they tell themselves."""
IS_NEW = "attribute_not_exists(#pk)"
"""Nobody has written the item."""
_LEDGER_AS_READ = "#v = :v"
"""Nobody has written the staff day since it was read: what was decided on it still holds."""
_RECORD_AS_READ = "#ver = :ver"
_NOT_ANOTHERS = "attribute_not_exists(#pk) OR #appt = :me"
"""A Cal.com uid or id belongs to nobody yet, or to this appointment already (a repeat)."""
_IS_MINE = "#appt = :me"


def names(*attributes: str, **others: str) -> dict[str, str]:
    """Aliases for every attribute name: many are reserved words, and more become so."""
    return {f"#{name}": name for name in attributes} | {f"#{alias}": name for alias, name in others.items()}


def signed(action: Action, by: str) -> Action:
    """The same, and where it writes an appointment, who does: the audit log takes it from there.

    Written every time, if only as "nobody said", or the one before would be named for what somebody else did.
    """
    ((kind, request),) = action.items()
    key = request.get("Item") or request.get("Key") or {}
    if kind not in {"Put", "Update"} or not keys.is_appointment(key):
        return action
    value = {"S": by}
    if kind == "Put":
        return {kind: request | {"Item": request["Item"] | {"by": value}}}
    update = request["UpdateExpression"]
    return {
        kind: request
        | {
            "UpdateExpression": update.replace("SET ", "SET #signed_by = :signed_by, ", 1),
            "ExpressionAttributeNames": request["ExpressionAttributeNames"] | {"#signed_by": "by"},
            "ExpressionAttributeValues": request["ExpressionAttributeValues"] | {":signed_by": value},
        }
    }


class Actions:
    """Actions on one table."""

    def __init__(self, table_name: str) -> None:
        self._common = {"TableName": table_name, "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}

    def put(self, item: Item, condition: str, values: Mapping[str, Any] | None = None, *used: str) -> Action:
        """A whole item."""
        put = {"Item": item, "ConditionExpression": condition, "ExpressionAttributeNames": names("pk", *used)}
        if values:
            put["ExpressionAttributeValues"] = to_wire(values)
        return {"Put": put | self._common}

    def update(  # noqa: PLR0917 - the parts of one request, in the order the service names them
        self,
        key: Key,
        update: str,
        condition: str,
        used: Mapping[str, str],
        values: Mapping[str, Any],
        raw: Mapping[str, Any] | None = None,
    ) -> Action:
        """Some attributes of an item; `raw` are values that are typed already."""
        request = {
            "Key": key,
            "UpdateExpression": update,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": dict(used),
            "ExpressionAttributeValues": to_wire(values) | dict(raw or {}),
        }
        return {"Update": request | self._common}

    def put_ledger(self, tenant: str, read: StaffDay, written: StaffDay) -> Action:
        """A staff day in place of the one that was read."""
        return self._put_as_read(items.staff_day_to_item(tenant, written), "v", _LEDGER_AS_READ, read.version)

    def put_record(self, tenant: str, read: CallRecord, written: CallRecord, now: datetime) -> Action:
        """A call's record in place of the one that was read."""
        item = items.call_to_item(tenant, written, now=now)
        return self._put_as_read(item, "ver", _RECORD_AS_READ, read.version)

    def put_progress(self, item: Item, version: int) -> Action:
        """How far a run is, in place of what was read at `version`."""
        return self._put_as_read(item, "ver", _RECORD_AS_READ, version)

    def _put_as_read(self, item: Item, attribute: str, condition: str, version: int) -> Action:
        if version == 0:
            return self.put(item, IS_NEW)
        put = {
            "Item": item,
            "ConditionExpression": condition,
            "ExpressionAttributeNames": names(attribute),
            "ExpressionAttributeValues": to_wire({f":{attribute}": version}),
        }
        return {"Put": put | self._common}

    def put_request(self, tenant: str, appointment: Appointment, replaces: str | None, now: datetime) -> Action:
        """The wish points to the appointment; to this one only if it is new, or in place of a failed one."""
        item = keys.request(tenant, appointment.request) | to_wire(
            {"appt": appointment.id, "ttl": items.epoch(now) + items.REQUEST_KEPT_S}
        )
        if replaces is None:
            return self.put(item, IS_NEW)
        return self.put(item, f"{IS_NEW} OR #appt = :replaces", {":replaces": replaces}, "appt")

    def put_customer_guard(self, tenant: str, appointment: Appointment) -> Action:
        """One appointment per customer, start and service."""
        return self.put(customer_guard_key(tenant, appointment) | to_wire({"appt": appointment.id}), IS_NEW)

    def drop_customer_guard(self, tenant: str, appointment: Appointment) -> Action:
        """The guard goes, as long as it is this appointment's."""
        delete = {
            "Key": customer_guard_key(tenant, appointment),
            "ConditionExpression": _IS_MINE,
            "ExpressionAttributeNames": names("appt"),
            "ExpressionAttributeValues": to_wire({":me": appointment.id}),
        }
        return {"Delete": delete | self._common}

    def link(self, tenant: str, before: Appointment, after: Appointment) -> list[Action]:
        """One that is here already is known to be this customer's; the second action is the guard of their time."""
        who = after.customer
        values = {"id": who.id, "name": who.name, "email": who.email, "phone": who.phone}
        known = self.update(
            keys.appointment(tenant, before.id),
            "SET #customer = :who, #customer_key = :key, #source = :source, #call = :call, #ver = #ver + :one",
            "#state = :state AND #ver = :ver",
            names("customer", "customer_key", "source", "call", "state", "ver"),
            {
                ":who": values,
                ":key": keys.customer_partition(tenant, who.id),
                ":source": after.source,
                ":call": after.call,
                ":state": before.state.value,
                ":ver": before.version,
                ":one": 1,
            },
        )
        return [known, self.put_customer_guard(tenant, after)]

    def put_customer(self, tenant: str, customer: Customer, known: Customer | None) -> Action:
        """How to reach the customer, in place of what was known."""
        item = items.customer_to_item(tenant, customer)
        if known is None:
            return self.put(item, IS_NEW)
        return self.put(item, f"{IS_NEW} OR #email = :email", {":email": known.email}, "email")

    def booking_guards(
        self, tenant: str, appointment: Appointment, segment: BookedSegment, *, of: Appointment | None = None
    ) -> list[Action]:
        """The segment's uid and numeric id belong to this appointment and to no other; `of` may have had the uid.

        Raises:
            ValueError: the segment has no booking.
        """
        if segment.uid is None or segment.booking_id is None:
            msg = "a segment is confirmed only with its booking"
            raise ValueError(msg)
        by_id = keys.booking_id(tenant, segment.booking_id)
        return [self.uid_guard(tenant, appointment, segment, of=of), self._owned(by_id, appointment, segment)]

    def uid_guard(
        self, tenant: str, appointment: Appointment, segment: BookedSegment, *, of: Appointment | None = None
    ) -> Action:
        """The segment's uid belongs to this appointment and to no other; `of` may have had it.

        Raises:
            ValueError: the segment has no booking.
        """
        if segment.uid is None:
            msg = "there is no booking to own"
            raise ValueError(msg)
        return self._owned(keys.booking_uid(tenant, segment.uid), appointment, segment, of=of)

    def _owned(
        self, key: Key, appointment: Appointment, segment: BookedSegment, *, of: Appointment | None = None
    ) -> Action:
        owner = to_wire({"appt": appointment.id, "seg": segment.index})
        if of is None:
            return self.put(key | owner, _NOT_ANOTHERS, {":me": appointment.id}, "appt")
        return self.put(key | owner, f"{_NOT_ANOTHERS} OR #appt = :of", {":me": appointment.id, ":of": of.id}, "appt")

    def supersede(
        self, tenant: str, appointment: Appointment, uid: str, new: str | None, *, once: bool = False
    ) -> Action:
        """The old uid stays and points to the new one: its late events still find their home. `once`: to no other."""
        return self.update(
            keys.booking_uid(tenant, uid),
            "SET #superseded_by = :new",
            f"{_IS_MINE} AND attribute_not_exists(#superseded_by)" if once else _IS_MINE,
            names("superseded_by", "appt"),
            {":new": new, ":me": appointment.id},
        )

    def put_outbox(
        self,
        tenant: str,
        appointment: Appointment,
        kind: str,
        told: Told,
        now: datetime,
        *,
        overtaken: bool = False,
        by_us: bool = True,
    ) -> Action:
        """The message that the end of this operation owes its caller; once an operation.

        It is due at once for who waits for it; for who has heard it on the phone, after the call. Not `by_us`: others
        tell them, so it is never sent, not even to confirm.
        """
        if not by_us and told in {Told.BOOKED, Told.DONE}:
            skipped = {"kind": kind, "appt": appointment.id, "told": told.value, "state": "SKIPPED", "why": BY_OTHERS}
            known = skipped | {"at": items.text(now), "ttl": items.epoch(now) + items.OUTBOX_KEPT_S}
            return self.put(keys.outbox(tenant, appointment.op) | to_wire(known), IS_NEW)
        heard = told in {Told.BOOKED, Told.DONE} and not overtaken
        values = {
            "due": items.epoch(now + CONFIRMED_AFTER if heard else now),
            "due_shard": keys.due_shard(appointment.op),
            "kind": kind,
            "appt": appointment.id,
            "told": told.value,
            "state": "NEW",
            "at": items.text(now),
            "ttl": items.epoch(now) + items.OUTBOX_KEPT_S,
        } | ({"overtaken": True} if overtaken else {})
        return self.put(keys.outbox(tenant, appointment.op) | to_wire(values), IS_NEW)

    def forget_slots(self, tenant: str, staff: str) -> Action:
        """What is kept of Cal.com's answers for a stylist is void, and so is what was asked before this and comes late.

        Unconditional, so it can never be what a transaction fails for; it goes last, behind what can.
        """
        update = {
            "Key": keys.slots(tenant, staff),
            "UpdateExpression": "SET #gen = if_not_exists(#gen, :zero) + :one, #types = :none",
            "ExpressionAttributeNames": names("gen", "types"),
            "ExpressionAttributeValues": to_wire({":zero": 0, ":one": 1, ":none": {}}),
        }
        return {"Update": update | self._common}

    def forget_slots_of(self, tenant: str, appointment: Appointment) -> list[Action]:
        """The same for each stylist of an appointment, once: a transaction may not name an item twice."""
        stylists = dict.fromkeys(segment.staff for segment in appointment.segments)
        return [self.forget_slots(tenant, staff) for staff in stylists]

    def put_audit(self, tenant: str, audit: Audit, now: datetime) -> Action:
        """The entry of a repair, with the repair."""
        return self.put(items.audit_to_item(tenant, audit, now=now), IS_NEW)

    def put_audits(self, tenant: str, audit: Audit | None, now: datetime) -> list[Action]:
        """The same, where there is one."""
        return [] if audit is None else [self.put_audit(tenant, audit, now)]

    def put_alerts(self, tenant: str, appointment: Appointment, alert: Alert | None, now: datetime) -> list[Action]:
        """The record of an alert, with the state it belongs to."""
        if alert is None:
            return []
        return [self.put(items.alert_to_item(tenant, alert, op=appointment.op, now=now), IS_NEW)]


def customer_guard_key(tenant: str, appointment: Appointment) -> Key:
    """The key of the guard that stands for this customer, start and service."""
    return keys.customer_guard(tenant, appointment.customer.id, appointment.slot.start, appointment.service)
