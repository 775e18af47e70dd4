"""Every key of the table, tenant first but for a few. Nobody else writes "T#": no key is made without a tenant."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, TypeAlias

from bookend.domain.timeslot import instant_text

Key: TypeAlias = dict[str, dict[str, str]]
Item: TypeAlias = dict[str, Any]

GUARD = "G"
"""Sort key of items that stand alone in their partition."""
DUE_INDEX = "due-index"
CUSTOMER_INDEX = "customer-index"
_DUE_SHARDS = 4


def _key(pk: str, sk: str) -> Key:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def staff_day(tenant: str, staff: str, day: date) -> Key:
    """One stylist's UTC day."""
    return _key(f"T#{tenant}#STAFF#{staff}", f"DAY#{day.isoformat()}")


def appointment(tenant: str, appointment_id: str) -> Key:
    """One appointment."""
    return _key(f"T#{tenant}#APPT#{appointment_id}", "A")


def request(tenant: str, request_key: str) -> Key:
    """One wish, semantically."""
    return _key(f"T#{tenant}#REQ#{request_key}", GUARD)


def customer_guard(tenant: str, customer: str, start: datetime, service: str) -> Key:
    """One appointment per customer, start and service."""
    return _key(f"T#{tenant}#CUST#{customer}|{instant_text(start)}|{service}", GUARD)


def booking_uid(tenant: str, uid: str) -> Key:
    """Who owns a Cal.com uid."""
    return _key(f"T#{tenant}#CALUID#{uid}", GUARD)


def booking_id(tenant: str, numeric_id: int) -> Key:
    """Who owns a Cal.com numeric id."""
    return _key(f"T#{tenant}#CALID#{numeric_id}", GUARD)


def outbox(tenant: str, op: str) -> Key:
    """The message an operation owes its caller."""
    return _key(f"T#{tenant}#OUT#{op}", GUARD)


def call(tenant: str, call_id: str) -> Key:
    """What one phone call was offered."""
    return _key(f"T#{tenant}#CALL#{call_id}", "OFFERS")


def callback(tenant: str, asked_at: datetime, callback_id: str) -> Key:
    """One wish to be rung."""
    return _key(callbacks_partition(tenant), f"{instant_text(asked_at)}#{callback_id}")


def callbacks_partition(tenant: str) -> str:
    """Every wish to be rung, the oldest first."""
    return f"T#{tenant}#CALLBACK"


def tries(tenant: str, customer_id: str, day: date) -> Key:
    """How often a customer has named appointments that are not theirs, and changed theirs, on a day of the salon's."""
    return _key(f"T#{tenant}#TRIES#{customer_id}", day.isoformat())


def customer(tenant: str, customer_id: str) -> Key:
    """How to reach a customer."""
    return _key(f"T#{tenant}#CUSTOMER#{customer_id}", "C")


def alert(tenant: str, raised_at: datetime, op: str, kind: str) -> Key:
    """Something an operator must see."""
    return _key(f"T#{tenant}#ALERT", f"{instant_text(raised_at)}#{kind}#{op}")


def audit(tenant: str, at: datetime, repair: str, uid: str) -> Key:
    """One repair."""
    return _key(f"T#{tenant}#AUDIT", f"{instant_text(at)}#{repair}#{uid}")


def flag(tenant: str, about: str) -> Key:
    """A difference that is before a person already."""
    return _key(f"T#{tenant}#FLAG#{about}", GUARD)


def run(tenant: str, kind: str) -> Key:
    """How far a reconciliation is."""
    return _key(f"T#{tenant}#RUN#{kind}", GUARD)


def report(tenant: str, started: datetime, kind: str) -> Key:
    """What a finished reconciliation found."""
    return _key(f"T#{tenant}#REPORT", f"{instant_text(started)}#{kind}")


def every_tenant() -> Key:
    """The ids of all tenants; not of one, so not tenant first."""
    return _key("TENANTS", GUARD)


def tenant_config(tenant: str) -> Key:
    """The tenant's document."""
    return _key(f"T#{tenant}#CONFIG", "TENANT")


def route(kind: str, value: str) -> Key:
    """Which tenant an agent, a number or a Cal.com user belongs to; asked across tenants, so not tenant first."""
    return _key(f"ROUTE#{kind}#{value}", GUARD)


def customer_partition(tenant: str, customer_id: str) -> str:
    """Index partition of a customer's appointments."""
    return f"T#{tenant}#CUST#{customer_id}"


def due_shards() -> tuple[str, ...]:
    """Every index partition of what something must look after."""
    return tuple(f"DUE#{number}" for number in range(_DUE_SHARDS))


def whose(key: Item) -> tuple[str, str, str]:
    """Tenant, kind and name of an item in the due index."""
    _, tenant, kind, name = key["pk"]["S"].split("#")
    return tenant, kind, name


def name_of(key: Item) -> str:
    """The name of an item that stands alone in its partition."""
    return str(key["pk"]["S"]).rpartition("#")[2]


def inbox(tenant: str, digest: str) -> Key:
    """One delivery of Cal.com, by the digest of its bytes."""
    return _key(f"T#{tenant}#WH#{digest}", GUARD)


def circuit(address: str, kind: str) -> Key:
    """A breaker of one Cal.com, by its address; all tenants share it, so not tenant first."""
    return _key(f"CIRCUIT#{address}", kind)


def slots(tenant: str, staff: str) -> Key:
    """What Cal.com last said is free of one stylist, for every event type: one booking changes them all."""
    return _key(f"T#{tenant}#SLOTS#{staff}", GUARD)


def due_shard(appointment_id: str) -> str:
    """Index partition of what something must look after; spread, so that a busy salon does not heat one."""
    return f"DUE#{sum(appointment_id.encode()) % _DUE_SHARDS}"
