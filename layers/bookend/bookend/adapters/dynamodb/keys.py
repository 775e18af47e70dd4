"""Every key of the table, tenant first but for a few. Nobody else writes "T#": no key is made without a tenant."""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from typing import Any, TypeAlias

from bookend.domain.timeslot import instant_text

Key: TypeAlias = dict[str, dict[str, str]]
Item: TypeAlias = dict[str, Any]

GUARD = "G"
"""Sort key of items that stand alone in their partition."""
APPOINTMENT = "A"
"""Sort key of an appointment."""
DUE_INDEX = "due-index"
CUSTOMER_INDEX = "customer-index"
_DUE_SHARDS = 4


def _key(pk: str, sk: str) -> Key:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def of_tenant(tenant: str) -> str:
    """What the partitions of a tenant begin with."""
    return f"T#{tenant}#"


def staff_day(tenant: str, staff: str, day: date) -> Key:
    """One stylist's UTC day."""
    return _key(f"T#{tenant}#STAFF#{staff}", f"DAY#{day.isoformat()}")


def appointment(tenant: str, appointment_id: str) -> Key:
    """One appointment."""
    return _key(f"T#{tenant}#APPT#{appointment_id}", APPOINTMENT)


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


def opted_out(tenant: str, address: str) -> Key:
    """A number or an address to which nothing is sent any more; a digest, so that no key carries one."""
    digest = hashlib.sha256(f"{tenant}|optout|{address}".encode()).hexdigest()[:24]
    return _key(f"T#{tenant}#OPTOUT#{digest}", GUARD)


def call(tenant: str, call_id: str) -> Key:
    """What one phone call was offered."""
    return _key(f"T#{tenant}#CALL#{call_id}", "OFFERS")


def callback(tenant: str, asked_at: datetime, callback_id: str) -> Key:
    """One wish to be rung."""
    return _key(callbacks_partition(tenant), f"{instant_text(asked_at)}#{callback_id}")


def callbacks_partition(tenant: str) -> str:
    """Every wish to be rung, the oldest first."""
    return f"T#{tenant}#CALLBACK"


def case(tenant: str, case_id: str, *, closed: bool = False) -> Key:
    """What should be on both sides and is not; closed ones stand apart, so that the open ones are one short list."""
    return _key(cases_partition(tenant) + ("#CLOSED" if closed else ""), case_id)


def cases_partition(tenant: str) -> str:
    """Every case that is not closed."""
    return f"T#{tenant}#CASE"


def case_part(tenant: str, case_id: str, mark: str, number: int) -> Key:
    """A part of a case's answers that are too large for one item; `mark` names the whole that it is of."""
    return _key(f"T#{tenant}#CASEPART#{case_id}", f"{mark}#{number:03d}")


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
    return _key(audit_partition(tenant), f"{instant_text(at)}#{repair}#{uid}")


def audit_partition(tenant: str) -> str:
    """Every repair, the oldest first."""
    return f"T#{tenant}#AUDIT"


def audit_entry(tenant: str, name: str, place: str) -> Key:
    """One entry of a chain, in the audit table."""
    return _key(chain(tenant, name), place)


def chain(tenant: str, name: str) -> str:
    """The chain of an appointment, in the audit table: its partition has the appointment's own key."""
    return f"{chains_of(tenant)}{name}"


def chains_of(tenant: str) -> str:
    """What the partitions of all appointments of a tenant begin with, and those of their chains."""
    return f"T#{tenant}#APPT#"


def chain_of(appointment: str, booking: str) -> str:
    """Which chain a repair belongs to: its appointment's; where it has none, one of the booking itself."""
    return appointment or f"booking-{booking}"


def health(tenant: str, at: datetime) -> Key:
    """What was counted in the hour of an instant."""
    return _key(health_partition(tenant), health_hour(at))


def health_partition(tenant: str) -> str:
    """Every hour that something was counted in, the oldest first."""
    return f"T#{tenant}#HEALTH"


def health_hour(at: datetime) -> str:
    """The sort key of the hour (UTC) of an instant."""
    return f"HOUR#{instant_text(at)[:13]}"


def is_appointment(key: Item) -> bool:
    """Whether it is an appointment's key, or the item itself."""
    return bool(partition_of(key)[1] == "APPT" and key["sk"]["S"] == APPOINTMENT)


def partition_of(key: Item) -> tuple[str, str, str]:
    """Tenant, kind and name of any item, each empty where its key has none: of the tenant itself, or of nobody."""
    if not str(key.get("pk", {}).get("S", "")).startswith("T#"):
        return "", "", ""
    _, tenant, kind, name = [*key["pk"]["S"].split("#", 3), "", ""][:4]
    return tenant, kind, name


def flag(tenant: str, about: str) -> Key:
    """A difference that is before a person already."""
    return _key(f"T#{tenant}#FLAG#{about}", GUARD)


def run(tenant: str, kind: str) -> Key:
    """How far a reconciliation is."""
    return _key(f"T#{tenant}#RUN#{kind}", GUARD)


def report(tenant: str, started: datetime, kind: str) -> Key:
    """What a finished reconciliation found."""
    return _key(f"T#{tenant}#REPORT", f"{instant_text(started)}#{kind}")


def report_partition(tenant: str) -> str:
    """What finished reconciliations found, in the order of their begins."""
    return f"T#{tenant}#REPORT"


def alert_partition(tenant: str) -> str:
    """What an operator must see, in the order it happened."""
    return f"T#{tenant}#ALERT"


def import_progress(tenant: str, file: str) -> Key:
    """How far the import of a file is, by the digest of its bytes."""
    return _key(f"T#{tenant}#IMPORT#{file}", GUARD)


def unverified(tenant: str) -> Key:
    """How many imported appointments nobody has read at Cal.com yet."""
    return _key(f"T#{tenant}#UNVERIFIED", GUARD)


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
