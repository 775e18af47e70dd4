"""Items of the table to values of the domain and back. Attribute names are described in docs/data-model.md."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.keys import Item
from bookend.application.ports import Alert, Audit, CallRecord, FreeStarts
from bookend.domain.appointment import (
    Amiss,
    Appointment,
    AppointmentState,
    BookedSegment,
    Change,
    ChangeEnd,
    ChangeEnded,
    ChangeKind,
    ChangeWhy,
    Told,
    WishedBy,
)
from bookend.domain.authority import Asked
from bookend.domain.availability import Offer
from bookend.domain.contacts import Customer
from bookend.domain.staff_day import Interval, IntervalState, StaffDay
from bookend.domain.timeslot import Slot, parse_instant

_SERIALIZER = TypeSerializer()
_DESERIALIZER = TypeDeserializer()
_DAY_S = 86_400
LEDGER_KEPT_S = 40 * _DAY_S
CALL_KEPT_S = 1 * _DAY_S
REQUEST_KEPT_S = 1 * _DAY_S
SLOTS_ITEM_KEPT_S = 1 * _DAY_S
INBOX_KEPT_S = 30 * _DAY_S
TRIES_KEPT_S = 2 * _DAY_S
OUTBOX_KEPT_S = 30 * _DAY_S
FLAG_KEPT_S = 30 * _DAY_S
RUN_KEPT_S = 90 * _DAY_S
CALLBACK_KEPT_S = 90 * _DAY_S
ALERT_KEPT_S = 400 * _DAY_S
HEALTH_KEPT_S = 40 * _DAY_S


def to_wire(values: Mapping[str, Any]) -> Item:
    """Plain values as the service's typed ones."""
    return {name: _SERIALIZER.serialize(value) for name, value in values.items()}


def from_wire(item: Item) -> dict[str, Any]:
    """The service's typed values as plain ones."""
    return {name: _DESERIALIZER.deserialize(value) for name, value in item.items()}


def text(moment: datetime) -> str:
    """An instant, to the microsecond, as text that sorts like the instants do."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def epoch(moment: datetime) -> int:
    """Whole seconds since 1970; what conditions compare."""
    return int(moment.timestamp())


def interval_to_map(interval: Interval) -> dict[str, Any]:
    """A ledger entry. `x`, its expiry in epoch milliseconds, exists only while it is held."""
    entry: dict[str, Any] = {
        "start": text(interval.slot.start),
        "end": text(interval.slot.end),
        "st": interval.state.value,
        "op": interval.op,
    }
    if interval.expires is not None:
        entry["x"] = millis(interval.expires)
    if interval.conflict:
        entry["c"] = True
    return entry


def millis(moment: datetime) -> int:
    """Whole milliseconds since 1970."""
    return int(moment.timestamp() * 1000)


def _from_millis(value: Any) -> datetime:
    return datetime.fromtimestamp(int(value) / 1000, UTC)


def _interval(key: str, entry: Mapping[str, Any]) -> Interval:
    return Interval(
        key=key,
        slot=Slot(parse_instant(entry["start"]), parse_instant(entry["end"])),
        state=IntervalState(entry["st"]),
        op=entry["op"],
        expires=_from_millis(entry["x"]) if "x" in entry else None,
        conflict=bool(entry.get("c", False)),
    )


def staff_day_to_item(tenant: str, day: StaffDay) -> Item:
    """The whole ledger item, at the version after the one `day` was read at."""
    values = {
        "v": day.version + 1,
        "iv": {key: interval_to_map(each) for key, each in day.intervals.items()},
        "ttl": epoch(datetime(day.day.year, day.day.month, day.day.day, tzinfo=UTC)) + LEDGER_KEPT_S,
    }
    return keys.staff_day(tenant, day.staff, day.day) | to_wire(values)


def staff_day_from_item(staff: str, day: date, item: Item | None) -> StaffDay:
    """The ledger; an empty one at version 0 where there is no item."""
    if item is None:
        return StaffDay(staff, day)
    plain = from_wire(item)
    intervals = {key: _interval(key, entry) for key, entry in plain["iv"].items()}
    return StaffDay(staff, day, int(plain["v"]), intervals)


def call_to_item(tenant: str, record: CallRecord, *, now: datetime) -> Item:
    """The call's record at `record.version`."""
    values = {
        "ver": record.version,
        "offers": [_offer_to_map(offer) for offer in record.offers],
        "ended": record.ended,
        "ttl": epoch(now) + CALL_KEPT_S,
    }
    asked = {} if record.asked is None else {"asked": asked_to_wire(record.asked)}
    return keys.call(tenant, record.call) | to_wire(values) | asked


def call_from_item(call: str, item: Item | None) -> CallRecord:
    """The call's record; an empty one at version 0 where there is no item."""
    if item is None:
        return CallRecord(call)
    plain = from_wire(item)
    offers = tuple(_offer(each) for each in plain["offers"])
    asked = _asked(plain["asked"]) if "asked" in plain else None
    return CallRecord(call, int(plain["ver"]), offers, bool(plain["ended"]), asked)


def asked_to_wire(asked: Asked) -> Any:
    """What a caller was asked to confirm, as one typed attribute value."""
    slot = {} if asked.slot is None else {"start": text(asked.slot.start), "end": text(asked.slot.end)}
    values = {
        "token": asked.token,
        "op": asked.op,
        "kind": asked.kind.value,
        "appt": asked.appointment,
        "ver": asked.version,
        "x": millis(asked.expires),
    }
    parts = {"parts": [_slot_to_map(each) for each in asked.parts]} if asked.parts else {}
    return _SERIALIZER.serialize(values | slot | parts)


def _asked(entry: Mapping[str, Any]) -> Asked:
    slot = Slot(parse_instant(entry["start"]), parse_instant(entry["end"])) if "start" in entry else None
    return Asked(
        token=entry["token"],
        op=entry["op"],
        kind=ChangeKind(entry["kind"]),
        appointment=entry["appt"],
        version=int(entry["ver"]),
        expires=_from_millis(entry["x"]),
        slot=slot,
        parts=tuple(_slot(each) for each in entry.get("parts", ())),
    )


def _offer_to_map(offer: Offer) -> dict[str, Any]:
    parts = {"parts": [_slot_to_map(each) for each in offer.parts]} if offer.parts else {}
    return (
        {
            "id": offer.id,
            "op": offer.op,
            "service": offer.service,
            "staff": offer.staff,
            "start": text(offer.slot.start),
            "end": text(offer.slot.end),
            "offered_at": text(offer.offered_at),
            "x": millis(offer.expires),
            "asked_for": list(offer.asked_for),
        }
        | ({} if offer.moving is None else {"moving": offer.moving})
        | parts
    )


def _slot_to_map(slot: Slot) -> dict[str, str]:
    return {"start": text(slot.start), "end": text(slot.end)}


def _slot(entry: Mapping[str, Any]) -> Slot:
    return Slot(parse_instant(entry["start"]), parse_instant(entry["end"]))


def _offer(entry: Mapping[str, Any]) -> Offer:
    return Offer(
        id=entry["id"],
        op=entry["op"],
        service=entry["service"],
        staff=entry["staff"],
        slot=Slot(parse_instant(entry["start"]), parse_instant(entry["end"])),
        offered_at=parse_instant(entry["offered_at"]),
        expires=_from_millis(entry["x"]),
        asked_for=tuple(entry["asked_for"]),
        moving=entry.get("moving"),
        parts=tuple(_slot(each) for each in entry.get("parts", ())),
    )


def customer_to_item(tenant: str, customer: Customer) -> Item:
    """How to reach the customer."""
    values = {"name": customer.name, "email": customer.email, "phone": customer.phone}
    return keys.customer(tenant, customer.id) | to_wire(values)


def customer_from_item(customer: str, item: Item | None) -> Customer | None:
    """The customer, if we know them."""
    if item is None:
        return None
    plain = from_wire(item)
    return Customer(customer, plain["name"], plain["email"], plain.get("phone"))


def appointment_to_item(tenant: str, appointment: Appointment) -> Item:
    """The appointment, with the sparse index attributes that its state calls for."""
    customer = appointment.customer
    values: dict[str, Any] = {
        "state": appointment.state.value,
        "op": appointment.op,
        "ver": appointment.version,
        "service": appointment.service,
        "segments": [_segment_to_map(segment) for segment in appointment.segments],
        "customer": {
            "id": customer.id,
            "name": customer.name,
            "email": customer.email,
            "phone": customer.phone,
        },
        "customer_key": keys.customer_partition(tenant, customer.id),
        "start": text(appointment.slot.start),
        "call": appointment.call,
        "source": appointment.source,
        "created_at": text(appointment.created_at),
        "request": appointment.request,
        "told": appointment.told.value,
    }
    if appointment.verified_at is not None:
        values["verified_at"] = text(appointment.verified_at)
    if appointment.calendar_updated_at is not None:
        values["cal_updated"] = text(appointment.calendar_updated_at)
    if appointment.moves:
        values["moves"] = appointment.moves
    if appointment.amiss is not None:
        values["amiss"] = appointment.amiss.value
    if appointment.lease is not None:
        values |= {
            "lease": epoch(appointment.lease),
            "due": epoch(appointment.lease),
            "due_shard": keys.due_shard(appointment.id),
        }
    return keys.appointment(tenant, appointment.id) | to_wire(values)


def appointment_from_item(appointment: str, item: Item) -> Appointment:
    """The appointment."""
    plain = from_wire(item)
    who = plain["customer"]
    return Appointment(
        id=appointment,
        state=AppointmentState(plain["state"]),
        op=plain["op"],
        version=int(plain["ver"]),
        service=plain["service"],
        segments=tuple(_segment(each) for each in plain["segments"]),
        customer=Customer(who["id"], who["name"], who["email"], who.get("phone")),
        call=plain["call"],
        source=plain["source"],
        created_at=parse_instant(plain["created_at"]),
        request=plain["request"],
        lease=datetime.fromtimestamp(int(plain["lease"]), UTC) if "lease" in plain else None,
        told=Told(plain["told"]),
        why=plain.get("why"),
        verified_at=parse_instant(plain["verified_at"]) if "verified_at" in plain else None,
        absent_since=parse_instant(plain["absent_since"]) if "absent_since" in plain else None,
        calendar_updated_at=parse_instant(plain["cal_updated"]) if "cal_updated" in plain else None,
        change=_change(plain["change"]) if "change" in plain else None,
        last_change=_ended(plain["last_change"], plain["last_ver"]) if "last_change" in plain else None,
        moves=int(plain.get("moves", 0)),
        amiss=Amiss(plain["amiss"]) if "amiss" in plain else None,
    )


def change_to_wire(change: Change) -> Any:
    """A change that is under way, as one typed attribute value."""
    values = {
        "op": change.op,
        "kind": change.kind.value,
        "call": change.call,
        "since": text(change.since),
        "segments": [_segment_to_map(segment) for segment in change.segments],
        "told": change.told.value,
        "wished_by": change.wished_by.value,
    }
    instants = {"sent_at": change.sent_at, "keep_until": change.keep_until, "absent_since": change.absent_since}
    back = {} if change.back is None else {"back": change.back.value}
    follows = {} if change.follows is None else {"follows": change.follows}
    return _SERIALIZER.serialize(
        values | back | follows | {name: text(at) for name, at in instants.items() if at is not None}
    )


def _change(entry: Mapping[str, Any]) -> Change:
    def at(name: str) -> datetime | None:
        return parse_instant(entry[name]) if name in entry else None

    return Change(
        op=entry["op"],
        kind=ChangeKind(entry["kind"]),
        call=entry["call"],
        since=parse_instant(entry["since"]),
        segments=tuple(_segment(each) for each in entry["segments"]),
        sent_at=at("sent_at"),
        told=Told(entry["told"]),
        keep_until=at("keep_until"),
        absent_since=at("absent_since"),
        back=ChangeWhy(entry["back"]) if "back" in entry else None,
        follows=int(entry["follows"]) if "follows" in entry else None,
        # One that was begun before this was stored is a caller's, unless it follows a part.
        wished_by=WishedBy(entry.get("wished_by", WishedBy.PART if "follows" in entry else WishedBy.CALLER)),
    )


def ended_to_wire(ended: ChangeEnded) -> Any:
    """How the last change ended, as one typed attribute value."""
    return _SERIALIZER.serialize(
        {"op": ended.op, "kind": ended.kind.value, "end": ended.end.value, "why": ended.why.value}
    )


def _ended(entry: Mapping[str, Any], version: Any) -> ChangeEnded:
    kind, end, why = ChangeKind(entry["kind"]), ChangeEnd(entry["end"]), ChangeWhy(entry["why"])
    return ChangeEnded(entry["op"], kind, end, why, int(version))


def segments_to_wire(segments: tuple[BookedSegment, ...]) -> Any:
    """The segments as one typed attribute value."""
    return _SERIALIZER.serialize([_segment_to_map(segment) for segment in segments])


def _segment_to_map(segment: BookedSegment) -> dict[str, Any]:
    known = {} if segment.updated_at is None else {"updated": text(segment.updated_at)}
    return known | {
        "i": segment.index,
        "staff": segment.staff,
        "start": text(segment.slot.start),
        "end": text(segment.slot.end),
        "event_type": segment.event_type,
        "uid": segment.uid,
        "id": segment.booking_id,
        "host": segment.host,
    }


def _segment(entry: Mapping[str, Any]) -> BookedSegment:
    return BookedSegment(
        index=int(entry["i"]),
        staff=entry["staff"],
        slot=Slot(parse_instant(entry["start"]), parse_instant(entry["end"])),
        event_type=int(entry["event_type"]),
        uid=entry["uid"],
        booking_id=int(entry["id"]) if entry["id"] is not None else None,
        host=int(entry["host"]) if entry.get("host") is not None else None,
        updated_at=parse_instant(entry["updated"]) if entry.get("updated") is not None else None,
    )


def answer_to_wire(window: Slot, answer: FreeStarts) -> Any:
    """What Cal.com said is free within `window`, as one typed attribute value.

    Starts are numbers and typed here by hand: there may be hundreds, of which each would be a map more to serialise.
    """
    entry = to_wire({"from": text(window.start), "to": text(window.end), "read_at": millis(answer.read_at)})
    return {"M": entry | {"starts": {"L": [{"N": str(millis(each))} for each in answer.starts]}}}


def answer_from_wire(entry: Any) -> tuple[Slot, FreeStarts]:
    """The window that was asked for, and what was free within it."""
    plain = entry["M"]
    window = Slot(parse_instant(plain["from"]["S"]), parse_instant(plain["to"]["S"]))
    starts = tuple(_from_millis(each["N"]) for each in plain["starts"]["L"])
    return window, FreeStarts(starts, answer_read_at(entry))


def answer_read_at(entry: Any) -> datetime:
    """The instant before Cal.com was asked."""
    return _from_millis(entry["M"]["read_at"]["N"])


def alert_to_item(tenant: str, alert: Alert, *, op: str, now: datetime) -> Item:
    """The alert's record."""
    values = {
        "kind": alert.kind,
        "facts": dict(alert.facts),
        "at": text(now),
        "ttl": epoch(now) + ALERT_KEPT_S,
    }
    return keys.alert(tenant, now, op, alert.kind) | to_wire(values)


def audit_to_item(tenant: str, audit: Audit, *, now: datetime) -> Item:
    """The record of a repair."""
    values = {
        "drift": audit.drift,
        "repair": audit.repair,
        "booking": audit.booking,
        "appt": audit.appointment,
        "before": dict(audit.before),
        "after": dict(audit.after),
        "by": audit.by,
        "at": text(now),
        "ttl": epoch(now) + ALERT_KEPT_S,
    }
    # The same repair at the same instant is one entry; another one, however soon, is another.
    facts = json.dumps([values["before"], values["after"]], sort_keys=True)
    mark = hashlib.sha256(facts.encode()).hexdigest()[:8]
    return keys.audit(tenant, now, audit.repair, f"{audit.booking}#{mark}") | to_wire(values)
