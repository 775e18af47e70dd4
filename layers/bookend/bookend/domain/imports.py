"""What an existing system's files say, row by row: read, checked, and what is to become of each row.

Nothing is guessed and nothing is left out in silence: a row becomes an appointment, a case, a customer or a counted
"cancelled", or it is an error with its line and column.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from typing import assert_never

from bookend.domain.appointment import BookedSegment
from bookend.domain.composites import busy_parts, phases
from bookend.domain.contacts import clean_name, customer_id, normalise_email, normalise_phone, placeholder_email
from bookend.domain.tenant import SegmentKind, Service, Staff, Tenant, Unmatched, find_service, find_staff
from bookend.domain.timeslot import Ambiguous, At, Nonexistent, Slot, as_utc, resolve_local

COLUMNS = (
    "external_id",
    "customer_id",
    "customer_name",
    "customer_phone",
    "customer_email",
    "service",
    "staff",
    "start",
    "minutes",
    "calcom_uid",
    "calcom_booking_id",
    "status",
    "sync_status",
    "sync_error",
    "call_id",
)
"""Every column of a file, in any order; docs/import.md says what each may hold."""
OF_APPOINTMENTS = frozenset({"external_id", "service", "staff", "start"})
"""A file or row that has none of these is of customers alone."""
LONGEST_MINUTES = 24 * 60
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_UID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NUMBER = re.compile(r"[0-9]{1,15}")
_CALL = re.compile(r"[0-9]{1,6}|(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9_-]{1,64}")
"""An id as machines make them: a name has no digit, and a telephone number no letter."""
_LOCAL = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})[ T,]+(\d{1,2}):(\d{2})(?::\d{2})?")
_CANCELLED = frozenset({"cancelled", "canceled", "storniert", "abgesagt", "rejected", "deleted", "no_show"})
_STATUSES = frozenset(
    {"", "confirmed", "booked", "scheduled", "accepted", "pending", "completed", "done", "failed"}
    | {"gebucht", "bestätigt"}
)


@dataclass(frozen=True, slots=True)
class RowError:
    """A row that is not imported, and why. `line` counts from 1, the line of heads included; `why` quotes no one."""

    line: int
    column: str
    why: str


@dataclass(frozen=True, slots=True)
class Person:
    """A customer as the file has them. `known_by` is their name there; `email` and `phone` are None if not usable."""

    known_by: str
    name: str
    phone: str | None
    email: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerRow:
    """A row of a customer alone."""

    line: int
    person: Person
    notes: tuple[RowError, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of an appointment. Service, stylist and slot are None where the file says nothing of them.

    `uids` are Cal.com's bookings of it, one a part; `booking_id` is the numeric id of the first one.
    """

    line: int
    external_id: str
    person: Person
    service: Service | None
    staff: Staff | None
    slot: Slot | None
    uids: tuple[str, ...]
    booking_id: int | None
    cancelled: bool
    status: str
    sync_status: str
    error: str
    call: str
    notes: tuple[RowError, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether it says what is done, by whom and when."""
        return self.service is not None and self.staff is not None and self.slot is not None


class Becomes(StrEnum):
    """What a row is to become, as far as it says by itself."""

    APPOINTMENT = "appointment"
    """It names its booking at Cal.com: taken in, unverified until that booking is read."""
    CASE = "case"
    """It should be at Cal.com, and nothing says that it is."""
    CANCELLED = "cancelled"
    """It is over: counted, and nothing else."""


def becomes(row: Row) -> Becomes:
    """What the row is to become. A numeric id alone is no booking that anybody could read (contracts: calcom 9.21)."""
    if row.cancelled:
        return Becomes.CANCELLED
    if row.service is None or row.staff is None or row.slot is None:
        return Becomes.CASE
    return Becomes.APPOINTMENT if len(row.uids) == len(row.service.busy) else Becomes.CASE


class Names:
    """Services and stylists by what a file calls them; each name is looked for once."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self._services: dict[str, Service | Unmatched] = {}
        self._staff: dict[tuple[str, str], Staff | Unmatched] = {}

    def service(self, text: str) -> Service | Unmatched:
        """As `find_service`."""
        if text not in self._services:
            self._services[text] = find_service(self.tenant, text)
        return self._services[text]

    def staff(self, text: str, service: Service | None) -> Staff | Unmatched:
        """As `find_staff`."""
        key = (text, service.id if service is not None else "")
        if key not in self._staff:
            self._staff[key] = find_staff(self.tenant, text, service=service)
        return self._staff[key]


def read_row(raw: Mapping[str, str], line: int, names: Names) -> Row | CustomerRow | tuple[RowError, ...]:
    """One row, or everything that is wrong with it."""
    tenant = names.tenant
    told = {name: (raw.get(name) or "").strip() for name in COLUMNS}
    notes: list[RowError] = []
    errors = [RowError(line, name, "no column of ours") for name in raw if name not in told]
    of_customer = not any(told[name] for name in OF_APPOINTMENTS)
    person = _person(told, line, tenant, errors, notes, own_name=of_customer)
    if of_customer:
        return tuple(errors) or CustomerRow(line=line, person=person, notes=tuple(notes))
    service = _service(told["service"], line, names, errors)
    row = Row(
        line=line,
        external_id=_external_id(told["external_id"], line, errors),
        person=person,
        service=service,
        staff=_staff(told["staff"], service, line, names, errors),
        slot=_slot(told, service, line, tenant, errors),
        uids=_uids(told["calcom_uid"], line, errors),
        booking_id=_number(told["calcom_booking_id"], "calcom_booking_id", line, errors),
        cancelled=_is_cancelled(told["status"], line, errors),
        status=told["status"].casefold(),
        sync_status=told["sync_status"].casefold(),
        error=told["sync_error"],
        call=_call(told["call_id"], line, notes),
        notes=tuple(notes),
    )
    return tuple(errors) or row


def appointment_name(tenant: str, external_id: str) -> str:
    """The one name that an appointment of the other system has here, however often it is imported."""
    return "imp" + hashlib.sha256(f"{tenant}|{external_id}".encode()).hexdigest()[:20]


def case_name(external_id: str) -> str:
    """The same of what is kept as a case."""
    return f"import-{external_id}"


def identity(tenant: Tenant, person: Person) -> str:
    """Who this is to us: known by their number, as a caller is; without one by their name in the other system."""
    return customer_id(tenant.id, caller=person.phone, call=f"import|{person.known_by}")


def address(tenant: Tenant, person: Person, *, shared: bool) -> str:
    """The customer's own address; one made for them where there is none, or where several have the same (I1)."""
    if person.email is not None and not shared:
        return person.email
    return placeholder_email(identity(tenant, person), domain=tenant.placeholder_domain)


def segments_of(row: Row) -> tuple[BookedSegment, ...]:
    """The busy parts as the service's definition lays them out, each with its booking.

    Raises:
        ValueError: the row names not one booking for each part.
    """
    service, staff, slot = row.service, row.staff, row.slot
    if service is None or staff is None or slot is None or len(row.uids) != len(service.busy):
        msg = "it does not name a booking for each of its parts"
        raise ValueError(msg)
    slots = [slot] if not service.is_composite else _laid_out(service, slot.start)
    return tuple(
        BookedSegment(
            index=index,
            staff=staff.id,
            slot=part,
            event_type=segment.event_types[staff.id],
            uid=uid,
            booking_id=row.booking_id if len(slots) == 1 else None,
            host=staff.calcom_user,
        )
        for index, (segment, part, uid) in enumerate(zip(service.busy, slots, row.uids, strict=True))
    )


def _laid_out(service: Service, start: datetime) -> tuple[Slot, ...]:
    gaps = [each.length for each in service.segments if each.kind is SegmentKind.GAP]
    return busy_parts(phases(service, start, gaps))


# One column each


def _external_id(text: str, line: int, errors: list[RowError]) -> str:
    if not text:
        errors.append(RowError(line, "external_id", "missing"))
    elif not _NAME.fullmatch(text):
        errors.append(RowError(line, "external_id", "up to 64 letters, digits and _ . : -"))
    return text


def _person(
    told: Mapping[str, str], line: int, tenant: Tenant, errors: list[RowError], notes: list[RowError], *, own_name: bool
) -> Person:
    name = clean_name(told["customer_name"])
    if name is None:
        errors.append(RowError(line, "customer_name", "missing" if not told["customer_name"] else "no name"))
    known_by = told["customer_id"]
    if own_name and not known_by:
        errors.append(RowError(line, "customer_id", "missing"))
    phone = normalise_phone(told["customer_phone"], country_code=tenant.country_code)
    email = normalise_email(told["customer_email"])
    if told["customer_phone"] and phone is None:
        notes.append(RowError(line, "customer_phone", "no number that can be called; left out"))
    if told["customer_email"] and email is None:
        notes.append(RowError(line, "customer_email", "no address; one is made for the customer"))
    return Person(known_by or f"of {told['external_id']}", name or "", phone, email)


def _service(text: str, line: int, names: Names, errors: list[RowError]) -> Service | None:
    if not text:
        return None
    match names.service(text):
        case Service() as service:
            return service
        case Unmatched(known):
            errors.append(RowError(line, "service", f"none that is sold here; there is: {', '.join(known)}"))
            return None
        case other:
            assert_never(other)


def _staff(text: str, service: Service | None, line: int, names: Names, errors: list[RowError]) -> Staff | None:
    if not text:
        return None
    match names.staff(text, service):
        case Staff() as staff:
            return staff
        case Unmatched(known):
            who = "nobody here" if service is None else "nobody who does this"
            errors.append(RowError(line, "staff", f"{who}; there is: {', '.join(known)}"))
            return None
        case other:
            assert_never(other)


def _slot(
    told: Mapping[str, str], service: Service | None, line: int, tenant: Tenant, errors: list[RowError]
) -> Slot | None:
    minutes = _number(told["minutes"], "minutes", line, errors)
    if minutes is not None and not 0 < minutes <= LONGEST_MINUTES:
        errors.append(RowError(line, "minutes", f"1 to {LONGEST_MINUTES}"))
        return None
    if not told["start"]:
        return None
    start = _start(told["start"], line, tenant, errors)
    lasts = minutes if minutes is not None else (service.minutes if service is not None else None)
    if start is None or lasts is None:
        return None
    return Slot.of(start, lasts)


def _start(text: str, line: int, tenant: Tenant, errors: list[RowError]) -> datetime | None:
    """An instant with its offset, or the salon's wall time; one that does not exist or happens twice is an error."""
    moment = _moment(text)
    if moment is None:
        errors.append(RowError(line, "start", "2025-12-10T14:00 or 10.12.2025 14:00, or with an offset"))
        return None
    try:
        if moment.utcoffset() is not None:
            return as_utc(moment)
        local = resolve_local(moment.date(), time(moment.hour, moment.minute, moment.second), tenant.zone)
    except ValueError:
        errors.append(RowError(line, "start", "no time that there is"))
        return None
    match local:
        case At(instant):
            return instant
        case Nonexistent():
            errors.append(RowError(line, "start", f"does not exist in {tenant.zone.key}: the clocks skip it"))
        case Ambiguous():
            errors.append(RowError(line, "start", f"happens twice in {tenant.zone.key}: say which, with an offset"))
        case other:
            assert_never(other)
    return None


def _moment(text: str) -> datetime | None:
    german = _LOCAL.fullmatch(text)
    try:
        if german is not None:
            day, month, year, hour, minute = (int(each) for each in german.groups())
            return datetime(year, month, day, hour, minute)  # noqa: DTZ001 - a wall time, resolved by the caller
        return datetime.fromisoformat(text) if len(text) > len("2025-12-10") else None
    except ValueError:
        return None


def _uids(text: str, line: int, errors: list[RowError]) -> tuple[str, ...]:
    uids = tuple(text.split())
    if any(not _UID.fullmatch(each) for each in uids):
        errors.append(RowError(line, "calcom_uid", "letters, digits, - and _; several with a space between"))
    elif len({*uids}) < len(uids):
        errors.append(RowError(line, "calcom_uid", "the same booking twice"))
    return uids


def _number(text: str, column: str, line: int, errors: list[RowError]) -> int | None:
    if not text:
        return None
    if not (_NUMBER.fullmatch(text) and text.isascii()):
        errors.append(RowError(line, column, "a whole number"))
        return None
    return int(text)


def _call(text: str, line: int, notes: list[RowError]) -> str:
    """It goes into the audit log in clear and stays there, so it must say nothing of anybody."""
    if not text or _CALL.fullmatch(text):
        return text
    notes.append(RowError(line, "call_id", "no id of a call; left out"))
    return ""


def _is_cancelled(text: str, line: int, errors: list[RowError]) -> bool:
    status = text.casefold()
    if status not in _CANCELLED | _STATUSES:
        known = ", ".join(sorted(each for each in _CANCELLED | _STATUSES if each))
        errors.append(RowError(line, "status", f"one of {known}, or empty"))
    return status in _CANCELLED
