"""Appointments taken in from elsewhere, many to a transaction (TAKE IN), and the end of duplicates (END DUPLICATE)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from bookend.adapters.dynamodb import cases, items, keys
from bookend.adapters.dynamodb.actions import IS_NEW, Action, Actions, customer_guard_key, names
from bookend.adapters.dynamodb.cases import DynamoCases
from bookend.adapters.dynamodb.items import from_wire, to_wire
from bookend.adapters.dynamodb.keys import Item, Key
from bookend.adapters.dynamodb.messages import messages_of, one_says
from bookend.adapters.dynamodb.transact import Table
from bookend.adapters.dynamodb.unverified import count_unverified, no_longer_unverified
from bookend.application.ports import Audit
from bookend.application.ports.imports import Found, ImportProgress, ImportTwin, Intake, IntakeLost, TakenIn
from bookend.domain.answers import Booking
from bookend.domain.appointment import Appointment, BookedSegment
from bookend.domain.cases import Case
from bookend.domain.contacts import Customer
from bookend.domain.staff_day import StaffDays
from bookend.domain.timeslot import parse_instant

DUPLICATE = "duplicate"
"""Why an appointment ended: what it stood for is another's."""
_TRIES = 6


class DynamoImports:
    """The `Imports` port on one table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._actions = Actions(table.name)

    def progress(self, tenant: str, file: str, *, now: datetime) -> ImportProgress:
        item = self._table.get(keys.import_progress(tenant, file))
        if item is None:
            return ImportProgress(file=file, began_at=now)
        plain = from_wire(item)
        return ImportProgress(
            file=file,
            began_at=parse_instant(plain["began_at"]),
            line=int(plain["line"]),
            counts={name: int(count) for name, count in plain["counts"].items()},
            done=bool(plain["done"]),
            failed=plain.get("failed", ""),
            version=int(plain["ver"]),
        )

    def look(
        self,
        tenant: str,
        wanted: Sequence[Appointment],
        *,
        days: Collection[tuple[str, date]],
        cases: Collection[str] = (),
    ) -> Found:
        """One batch of keys for all of them, and a second one for who owns what."""
        segments = [segment for each in wanted for segment in each.segments]
        uids = sorted({each.uid for each in segments if each.uid is not None})
        ids = sorted({each.booking_id for each in segments if each.booking_id is not None})
        staff_days, of_rows = sorted(days), sorted(cases)
        groups: list[list[Key]] = [
            [keys.booking_uid(tenant, uid) for uid in uids],
            [keys.booking_id(tenant, number) for number in ids],
            [customer_guard_key(tenant, each) for each in wanted],
            [keys.appointment(tenant, each.id) for each in wanted],
            [keys.customer(tenant, each.customer.id) for each in wanted],
            [keys.staff_day(tenant, staff, day) for staff, day in staff_days],
            [keys.case(tenant, each) for each in of_rows],
            [keys.case(tenant, each, closed=True) for each in of_rows],
        ]
        of_uids, of_ids, of_times, known, of_customers, of_days, waiting, closed = self._read(groups)
        heads = [one or other for one, other in zip(waiting, closed, strict=True)]
        found = Found(
            uids={uid: _owner(item) for uid, item in zip(uids, of_uids, strict=True) if item is not None},
            ids={number: _owner(item) for number, item in zip(ids, of_ids, strict=True) if item is not None},
            times={each.id: _owner(item) for each, item in zip(wanted, of_times, strict=True) if item is not None},
            appointments=_appointments([each.id for each in wanted], known),
            customers=_customers([each.customer.id for each in wanted], of_customers),
            days=StaffDays(
                {
                    (staff, day): items.staff_day_from_item(staff, day, item)
                    for (staff, day), item in zip(staff_days, of_days, strict=True)
                }
            ),
            cases=DynamoCases(self._table).of_heads(tenant, [each for each in heads if each is not None]),
        )
        owners = {*found.uids.values(), *found.ids.values(), *found.times.values()} - {*found.appointments}
        return replace(found, appointments={**found.appointments, **self._several(tenant, sorted(owners))})

    def take_in(
        self, tenant: str, intake: Intake, *, progress: ImportProgress | None, now: datetime
    ) -> TakenIn | IntakeLost | ImportTwin:
        """TAKE IN. Position 0, where there is a progress: it is not as it was read, a twin is at work."""
        actions = [
            *([self._put_progress(tenant, progress, now)] if progress is not None else []),
            *(action for each in intake.new for action in self._put_new(tenant, each, intake.unguarded)),
            *(action for before, after in intake.linked for action in self._actions.link(tenant, before, after)),
            *(self._actions.put_customer(tenant, each, None) for each in intake.customers),
            *(
                self._actions.put_ledger(tenant, intake.days_read.day(staff, day), written)
                for (staff, day), written in sorted(intake.days.days.items())
            ),
            *(self._actions.put_audit(tenant, each, now) for each in intake.audits),
        ]
        claimed = sum(each.verified_at is None for each in intake.new)
        if claimed:
            actions.append(count_unverified(self._table.name, tenant, claimed))
        if not actions:
            return TakenIn()
        failed = self._table.write(actions)
        if failed is None:
            return TakenIn()
        return ImportTwin() if progress is not None and 0 in failed.items else IntakeLost()

    def appointments(self, tenant: str, names: Collection[str]) -> Mapping[str, Appointment]:
        return self._several(tenant, sorted({*names}))

    def customers(self, tenant: str, customers: Collection[str]) -> Mapping[str, Customer]:
        wanted = sorted({*customers})
        return _customers(wanted, self._table.get_all([keys.customer(tenant, each) for each in wanted]))

    def unverified(self, tenant: str) -> int:
        item = self._table.get(keys.unverified(tenant))
        return 0 if item is None else int(item["n"]["N"])

    def _read(self, groups: Sequence[Sequence[Key]]) -> list[list[Item | None]]:
        every = [key for group in groups for key in group]
        found = iter(self._table.get_all(every) if every else [])
        return [[next(found) for _ in group] for group in groups]

    def _several(self, tenant: str, wanted: Sequence[str]) -> Mapping[str, Appointment]:
        found = self._table.get_all([keys.appointment(tenant, each) for each in wanted]) if wanted else []
        return _appointments(wanted, found)

    def _put_progress(self, tenant: str, progress: ImportProgress, now: datetime) -> Action:
        values = {
            "ver": progress.version + 1,
            "at": items.text(now),
            "began_at": items.text(progress.began_at),
            "line": progress.line,
            "counts": dict(progress.counts),
            "done": progress.done,
            "failed": progress.failed,
        }
        item = keys.import_progress(tenant, progress.file) | to_wire(values)
        return self._actions.put_progress(item, progress.version)

    def _put_new(self, tenant: str, appointment: Appointment, unguarded: Collection[str]) -> Iterable[Action]:
        yield self._actions.put(items.appointment_to_item(tenant, appointment), IS_NEW)
        for segment in appointment.segments:
            yield from self._guards(tenant, appointment, segment)
        if appointment.id not in unguarded:
            yield self._actions.put_customer_guard(tenant, appointment)

    def _guards(self, tenant: str, appointment: Appointment, segment: BookedSegment) -> Iterable[Action]:
        """Of the uid, and of the numeric id where it is known: the first read at Cal.com puts that of one it finds."""
        if segment.booking_id is None:
            yield self._actions.uid_guard(tenant, appointment, segment)
        else:
            yield from self._actions.booking_guards(tenant, appointment, segment)


class DynamoDuplicates:
    """The `Duplicates` port on one table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._actions = Actions(table.name)

    def only_while(self, tenant: str, case: Case) -> DynamoDuplicates:
        return DynamoDuplicates(self._table.only_if(cases.as_read(self._table, tenant, case)))

    def end_duplicate(
        self,
        tenant: str,
        duplicate: Appointment,
        *,
        kept: Appointment,
        audit: Audit,
        now: datetime,
        ring: Case | None = None,
    ) -> bool:
        """END DUPLICATE. Positions 0 and 1: the duplicate, or the one that is kept, moved on."""
        for _ in range(_TRIES):
            opened = cases.opened_with(self._table, tenant, ring, now=now) if ring is not None else []
            failed = self._table.write([*self._ending(tenant, duplicate, kept, audit, now), *opened])
            if failed is None:
                return True
            if {0, 1} & failed.items.keys():
                return False
        return False  # what else is in the transaction changes all the time: to be decided anew

    def _ending(
        self, tenant: str, duplicate: Appointment, kept: Appointment, audit: Audit, now: datetime
    ) -> Iterable[Action]:
        yield self._actions.update(
            keys.appointment(tenant, duplicate.id),
            "SET #state = :CANCELLED, #why = :why, #ended_at = :now, #ver = #ver + :one",
            "#state = :CONFIRMED AND #ver = :ver",
            names("state", "why", "ended_at", "ver"),
            {
                ":CANCELLED": "CANCELLED",
                ":CONFIRMED": "CONFIRMED",
                ":why": DUPLICATE,
                ":now": items.text(now),
                ":ver": duplicate.version,
                ":one": 1,
            },
        )
        yield self._is_as_read(tenant, kept)
        yield from self._without(tenant, duplicate, now)
        yield from self._guards_go_to(tenant, duplicate, kept)
        rows = messages_of(self._table, tenant, duplicate, _named_by(duplicate))
        yield from one_says(self._actions, rows, duplicate, "cancelled", of=duplicate.id)
        yield self._actions.put_audit(tenant, audit, now)
        yield from no_longer_unverified(self._table.name, tenant, duplicate)
        yield from self._actions.forget_slots_of(tenant, duplicate)

    def _is_as_read(self, tenant: str, kept: Appointment) -> Action:
        check = {
            "TableName": self._table.name,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            "Key": keys.appointment(tenant, kept.id),
            "ConditionExpression": "#state = :CONFIRMED AND #ver = :ver",
            "ExpressionAttributeNames": names("state", "ver"),
            "ExpressionAttributeValues": to_wire({":CONFIRMED": "CONFIRMED", ":ver": kept.version}),
        }
        return {"ConditionCheck": check}

    def _without(self, tenant: str, duplicate: Appointment, now: datetime) -> Iterable[Action]:
        """The staff days without it, as they are at this moment, and nobody flagged for what is over."""
        touched = sorted({(each.staff, day) for each in duplicate.segments for day in each.slot.utc_days()})
        found = self._table.get_all([keys.staff_day(tenant, staff, day) for staff, day in touched])
        days = StaffDays(
            {(s, d): items.staff_day_from_item(s, d, item) for (s, d), item in zip(touched, found, strict=True)}
        )
        written = days.updated(each.replaced(duplicate.id, (), now=now) for each in days.days.values())
        for (staff, day), after in sorted(written.without_stale_conflicts().days.items()):
            read = days.day(staff, day)
            if after != read:
                yield self._actions.put_ledger(tenant, read, after)

    def _guards_go_to(self, tenant: str, duplicate: Appointment, kept: Appointment) -> Iterable[Action]:
        """The kept one owns its bookings; the customer's time is the kept one's, where it is the same, or free."""
        for segment in kept.segments:
            if segment.uid is not None:
                yield self._actions.uid_guard(tenant, kept, segment, of=duplicate)
        own, theirs = customer_guard_key(tenant, duplicate), customer_guard_key(tenant, kept)
        guard = self._table.get(own)
        if guard is None or guard["appt"]["S"] != duplicate.id:
            return
        if own != theirs:
            yield self._actions.drop_customer_guard(tenant, duplicate)
            return
        yield self._actions.put(
            own | to_wire({"appt": kept.id}), "attribute_exists(#pk) AND #appt = :was", {":was": duplicate.id}, "appt"
        )


def _named_by(appointment: Appointment) -> Booking:
    """A booking that names no other operation than the appointment's own: the booking itself names the kept one's."""
    slot = appointment.slot
    return Booking("", 0, "", slot.start, slot.end, None, None, None, None, ())


def _owner(item: Item) -> str:
    return str(item["appt"]["S"])


def _appointments(wanted: Sequence[str], found: Sequence[Item | None]) -> dict[str, Appointment]:
    pairs = zip(wanted, found, strict=True)
    return {name: items.appointment_from_item(name, item) for name, item in pairs if item is not None}


def _customers(wanted: Sequence[str], found: Sequence[Item | None]) -> dict[str, Customer]:
    known = (items.customer_from_item(name, item) for name, item in zip(wanted, found, strict=True))
    return {each.id: each for each in known if each is not None}
