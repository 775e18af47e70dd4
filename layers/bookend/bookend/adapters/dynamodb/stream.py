"""What the table's stream tells: an appointment that changed, a repair that was recorded. Anything else is nothing.

Of the images only what is named here goes on in clear. All else, and so whatever belongs to people, goes on as a mark:
that it changed can be seen, what it was cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeAlias

from boto3.dynamodb.types import TypeDeserializer

from bookend.adapters.dynamodb import items, keys
from bookend.adapters.dynamodb.keys import Item
from bookend.application.ports.audit_trail import Happened
from bookend.domain.appointment import Appointment
from bookend.domain.audit_chain import AuditKind, canonical

Mark: TypeAlias = Callable[..., str]
"""Stands for a value (`AuditKey.mark`): tenant, appointment, attribute, and the value as text."""

_CLEAR = frozenset(
    {"state", "op", "service", "segments", "customer_key", "start", "call", "source", "created_at", "told"}
    | {"told_at", "why", "verified_at", "cal_updated", "lease", "due", "due_shard", "absent_since", "ended_at", "moves"}
    | {"change", "last_change", "last_ver", "by", "amiss"}
)
"""Attributes of an appointment that hold ids, words of ours, numbers and instants."""
_LEFT_OUT = frozenset({"pk", "sk", "ver"})
_MARKED = "~"
"""What a mark begins with."""
_PLAIN = TypeDeserializer()


def read_record(record: Mapping[str, Any], mark: Mark) -> Happened | None:
    """One record of the stream, as Lambda hands it on; None: it concerns neither an appointment nor a repair.

    Raises:
        KeyError, ValueError: it is none, or the stream does not carry both images.
    """
    change = record["dynamodb"]
    old, new = change.get("OldImage"), change.get("NewImage")
    if old is None and new is None:
        msg = "the stream must carry the new and the old image"
        raise ValueError(msg)
    tenant, kind, name = keys.partition_of(change["Keys"])
    at = datetime.fromtimestamp(float(change["ApproximateCreationDateTime"]), UTC)
    if kind == "APPT" and change["Keys"]["sk"]["S"] == keys.APPOINTMENT:
        return _appointment(tenant, name, event=str(record["eventID"]), at=at, old=old, new=new, mark=mark)
    if kind == "AUDIT":
        return _repair(tenant, record, at=at, old=old, new=new, mark=mark)
    return None


def _appointment(
    tenant: str, name: str, *, event: str, at: datetime, old: Item | None, new: Item | None, mark: Mark
) -> Happened:
    was, version = _version(old), _version(new)
    if new is None:
        kind = AuditKind.REMOVED
    elif old is None:
        kind = AuditKind.CREATED
    else:
        kind = AuditKind.CHANGED if version > was else AuditKind.UNVERSIONED
    before, after = _facts(tenant, name, old, mark), _facts(tenant, name, new, mark)
    differs = {field for field in {*before, *after} if before.get(field) != after.get(field)}
    now_is = new or old or {}
    # Who wrote the state that is there now. Whoever deleted an appointment has left no name in it.
    by = str(new["by"]["S"]) if new is not None and "by" in new else ""
    return Happened(
        tenant=tenant,
        appointment=name,
        kind=kind,
        about=event,
        was=was,
        version=version,
        at=at,
        by=by,
        call=_call(now_is),
        before=canonical({field: before[field] for field in differs & before.keys()}),
        after=canonical({field: after[field] for field in differs & after.keys()}),
        of=(_parsed(name, old), _parsed(name, new)),
    )


def _repair(
    tenant: str, record: Mapping[str, Any], *, at: datetime, old: Item | None, new: Item | None, mark: Mark
) -> Happened | None:
    if new is None and _expired(record):
        return None  # its time was over; the chain has what it said
    row = new or old or {}
    about = str(record["dynamodb"]["Keys"]["sk"]["S"])
    chain = keys.chain_of(_text(row, "appt"), _text(row, "booking"))
    recorded = new is not None and old is None
    before, after = ({}, _whole(tenant, chain, new, mark)) if recorded else (_whole(tenant, chain, old, mark), {})
    if not recorded and new is not None:
        after = _whole(tenant, chain, new, mark)
    return Happened(
        tenant=tenant,
        appointment=chain,
        # The record of a repair is written once. Who changes it, or takes it away, is none of ours.
        kind=AuditKind.REPAIRED if recorded else AuditKind.UNVERSIONED,
        about=about if recorded else str(record["eventID"]),
        was=0,
        version=0,
        at=at,
        by=_text(row, "by"),
        call="",
        before=canonical(before),
        after=canonical(after),
    )


_OF_REPAIRS = frozenset({"drift", "repair", "booking", "appt", "before", "after", "by", "at", "ttl"})


def _whole(tenant: str, chain: str, row: Item | None, mark: Mark) -> dict[str, Any]:
    return _clear(tenant, chain, row or {}, _OF_REPAIRS, mark)


def _facts(tenant: str, name: str, image: Item | None, mark: Mark) -> dict[str, Any]:
    if image is None:
        return {}
    facts = _clear(tenant, name, image, _CLEAR, mark)
    who = image.get("customer", {}).get("M")
    if who is not None:
        known = {"id": _plain(who["id"])} if "id" in who else {}
        facts["customer"] = known | {
            field: _hidden(tenant, name, field, value, mark) for field, value in who.items() if field != "id"
        }
    return facts


def _clear(tenant: str, name: str, image: Item, clear: frozenset[str], mark: Mark) -> dict[str, Any]:
    return {
        field: _plain(value) if field in clear else _hidden(tenant, name, field, value, mark)
        for field, value in image.items()
        if field not in _LEFT_OUT
    }


def _hidden(tenant: str, name: str, field: str, value: Any, mark: Mark) -> str | None:
    """A mark in place of a value; that there is none is no secret, and after an erasure it must be seen."""
    if value in ({"NULL": True}, {"S": ""}):
        return None
    return _MARKED + mark(tenant, name, field, canonical(value))


def _plain(value: Any) -> Any:
    """A typed value as plain JSON has it."""
    return _as_json(_PLAIN.deserialize(value))


def _as_json(value: Any) -> Any:
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() else str(value)
        case dict():
            return {name: _as_json(each) for name, each in value.items()}
        case list():
            return [_as_json(each) for each in value]
        case set():
            return sorted(str(each) for each in value)
        case _:
            return value


def _version(image: Item | None) -> int:
    return int(image["ver"]["N"]) if image is not None and "ver" in image else 0


def _text(image: Item, name: str) -> str:
    return str(image.get(name, {}).get("S", ""))


def _call(image: Item) -> str:
    """The phone call that the newest thing in it comes from."""
    change = image.get("change", {}).get("M", {})
    return _text(change, "call") or _text(image, "call")


def _parsed(name: str, image: Item | None) -> Appointment | None:
    """The appointment, for the counters. One that does not read as such is counted as nothing; it is audited."""
    try:
        return None if image is None else items.appointment_from_item(name, image)
    except (KeyError, ValueError, TypeError):
        return None


def _expired(record: Mapping[str, Any]) -> bool:
    """Whether the service itself removed the row, by its `ttl`."""
    return bool(record.get("userIdentity", {}).get("principalId") == "dynamodb.amazonaws.com")
