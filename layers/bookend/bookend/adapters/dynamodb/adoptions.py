"""What others did at Cal.com, taken over: ADOPT, FOLLOW and END. Nothing here is refused for overlapping.

A message that nobody has sent yet is made true again, or void, in the transaction that makes it untrue.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bookend.adapters.dynamodb import cases, customers, items, keys
from bookend.adapters.dynamodb.actions import IS_NEW, Action, Actions, customer_guard_key, names
from bookend.adapters.dynamodb.gathering import Gathering
from bookend.adapters.dynamodb.items import to_wire
from bookend.adapters.dynamodb.messages import VOID, knows_of_it, messages_of, one_says, unsent, void
from bookend.adapters.dynamodb.transact import Table
from bookend.adapters.dynamodb.unverified import no_longer_unverified
from bookend.application.ports import (
    Adopted,
    AdoptLost,
    Alert,
    Audit,
    BookingHasOwner,
    Changed,
    CustomerHasOne,
    TextSent,
)
from bookend.domain.answers import Booking
from bookend.domain.appointment import Appointment, AppointmentState, ChangeWhy, Told
from bookend.domain.cases import Case
from bookend.domain.drift import as_of
from bookend.domain.staff_day import Interval, IntervalState, StaffDay, StaffDays, interval_key
from bookend.domain.timeslot import Slot

_AS_READ = "#state = :CONFIRMED AND #ver = :ver AND (attribute_not_exists(#cal_updated) OR #cal_updated <= :cal)"
"""Nobody has changed the appointment since it was read, and it knows nothing newer than this."""
_PART_AS_READ = "#state = :CONFIRMED AND #ver = :ver"
"""The same of a composite: its parts are changed one by one, and what is newer of one says nothing of another."""
_ENDED = frozenset({AppointmentState.FAILED, AppointmentState.CANCELLED})
_LONGEST = timedelta(days=1)
_TRIES = 6


class DynamoAdoptions:
    """The `Adoptions` port on one table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._actions = Actions(table.name)

    def only_while(self, tenant: str, case: Case) -> DynamoAdoptions:
        return DynamoAdoptions(self._table.only_if(cases.as_read(self._table, tenant, case)))

    def owner(self, tenant: str, uid: str) -> str | None:
        guard = self._table.get(keys.booking_uid(tenant, uid))
        return None if guard is None else str(guard["appt"]["S"])

    def owners(self, tenant: str, uids: Collection[str]) -> Mapping[str, str]:
        wanted = sorted({*uids})
        found = self._table.get_all([keys.booking_uid(tenant, uid) for uid in wanted])
        return {uid: str(item["appt"]["S"]) for uid, item in zip(wanted, found, strict=True) if item is not None}

    def went_on_as(self, tenant: str, ended: Appointment) -> str | None:
        after = self._guard_of(tenant, ended).get("superseded_by")
        return None if after is None else self.owner(tenant, str(after["S"]))

    def adopt(
        self,
        tenant: str,
        appointment: Appointment,
        *,
        booking: Booking,
        days: StaffDays,
        conflict: bool,
        alert: Alert | None,
        audit: Audit,
        revives: Appointment | None,
        now: datetime,
        restores: Appointment | None = None,
        keeps: Appointment | None = None,
    ) -> Adopted | BookingHasOwner | AdoptLost | TextSent | CustomerHasOne:
        """Positions 0 and 1: the booking has an owner. 2: the appointment exists. Of one that is revived, 3: the
        message, and 4: the customer's guard. Then ledgers.
        """
        known = replace(appointment, calendar_updated_at=booking.updated_at)
        actions = [
            *self._actions.booking_guards(tenant, appointment, appointment.segments[0], of=keeps),
            self._actions.put(items.appointment_to_item(tenant, known), IS_NEW),
            *([self._turn_message(tenant, revives, appointment)] if revives is not None else []),
            *([self._actions.put_customer_guard(tenant, appointment)] if revives is not None else []),
            *self._ledgers(tenant, appointment, days, conflict=conflict, now=now),
            *(self._goes_on(tenant, restores, appointment, booking, now) if restores is not None else []),
            *self._actions.put_alerts(tenant, appointment, alert, now),
            self._actions.put_audit(tenant, audit, now),
            *self._actions.forget_slots_of(tenant, appointment),
        ]
        failed = self._table.write(actions)
        if failed is None:
            return Adopted()
        for position in (0, 1):
            if (owner := failed.items.get(position)) is not None:
                return BookingHasOwner(owner["appt"]["S"])
        if 2 in failed.items:
            return BookingHasOwner(appointment.id)
        if revives is not None and 3 in failed.items:
            return TextSent()
        if revives is not None and (guard := failed.items.get(4)) is not None:
            return CustomerHasOne(guard["appt"]["S"])
        return AdoptLost()

    def link(
        self, tenant: str, before: Appointment, after: Appointment, *, audit: Audit, now: datetime
    ) -> Adopted | AdoptLost | CustomerHasOne:
        """Position 0: the appointment moved on. 1: the customer's guard."""
        who = after.customer
        is_new = self._table.get(keys.customer(tenant, who.id)) is None
        failed = self._table.write(
            [
                *self._actions.link(tenant, before, after),
                self._actions.put_audit(tenant, audit, now),
                *([self._actions.put_customer(tenant, who, None)] if is_new else []),
            ]
        )
        if failed is None:
            return Adopted()
        if 0 not in failed.items and (guard := failed.items.get(1)) is not None:
            return CustomerHasOne(guard["appt"]["S"])
        return AdoptLost()

    def gather(
        self,
        tenant: str,
        before: Appointment,
        after: Appointment,
        others: Sequence[Appointment],
        *,
        audit: Audit,
        now: datetime,
    ) -> bool:
        return Gathering(self._table, tenant, before, after, others, now).write(audit)

    def overlapping(self, tenant: str, customer: str, slot: Slot) -> Collection[str]:
        """The index says which, the appointments themselves whether they are open and where they stand."""
        named = customers.names_of(self._table, tenant, customer, after=slot.start - _LONGEST, until=slot.end)
        found = self._table.get_all([keys.appointment(tenant, each) for each in named]) if named else []
        known = [
            items.appointment_from_item(name, item) for name, item in zip(named, found, strict=True) if item is not None
        ]
        return [each.id for each in known if each.state not in _ENDED and each.slot.overlaps(slot)]

    def _turn_message(self, tenant: str, failed: Appointment, appointment: Appointment) -> Action:
        """The message that nobody has sent yet tells of the booking instead."""
        return self._actions.update(
            keys.outbox(tenant, failed.op),
            "SET #kind = :booked, #appt = :appt",
            "#state = :NEW AND #appt = :failed",
            names("kind", "appt", "state"),
            {":booked": "booked", ":appt": appointment.id, ":NEW": "NEW", ":failed": failed.id},
        )

    def follow(
        self,
        tenant: str,
        before: Appointment,
        after: Appointment,
        *,
        booking: Booking,
        days: StaffDays,
        conflict: bool,
        alert: Alert | None,
        audit: Audit,
        now: datetime,
    ) -> Changed:
        """Position 0: the appointment moved on. Then ledgers. Then guards, new and superseded."""
        changed = booking.uid if max(len(before.segments), len(after.segments)) > 1 else None
        ledgers = list(self._ledgers(tenant, after, days, conflict=conflict, now=now, changed=changed))
        had = {segment.uid for segment in before.segments if segment.booking_id is not None}
        fresh = [each for each in after.segments if each.uid not in had and each.booking_id is not None]
        actions = [
            self._update_appointment(tenant, before, after, booking, now),
            *ledgers,
            *self._says_moved(tenant, before, after, booking),
            *(guard for segment in fresh for guard in self._actions.booking_guards(tenant, after, segment)),
            *self._supersede(tenant, before, after),
            *self._guard_moves(tenant, before, after),
            *self._actions.put_alerts(tenant, replace(after, op=f"{after.op}-{booking.uid}"), alert, now),
            self._actions.put_audit(tenant, audit, now),
            *(no_longer_unverified(self._table.name, tenant, before) if _is_read(after) else ()),
            *self._actions.forget_slots_of(tenant, replace(after, segments=(*before.segments, *after.segments))),
        ]
        failed = self._table.write(actions)
        if failed is None:
            return Changed.DONE
        only_ledgers = all(1 <= position <= len(ledgers) for position in failed.items)
        return Changed.LEDGER_CHANGED if only_ledgers else Changed.APPOINTMENT_MOVED_ON

    def end(self, tenant: str, appointment: Appointment, *, booking: Booking, audit: Audit, now: datetime) -> bool:
        """Position 0: the appointment moved on. Guards of uid and id stay, so that late events find their home."""
        for _ in range(_TRIES):
            failed = self._table.write(self._ending(tenant, appointment, booking, audit, now))
            if failed is None:
                return True
            if 0 in failed.items:
                return False
        return False  # what else is in the transaction changes all the time: to be decided anew

    def _ending(
        self, tenant: str, appointment: Appointment, booking: Booking, audit: Audit, now: datetime
    ) -> list[Action]:
        return [
            self._actions.update(
                keys.appointment(tenant, appointment.id),
                "SET #state = :CANCELLED, #why = :why, #cal_updated = :cal, #ended_at = :now, #ver = #ver + :one",
                _AS_READ,
                names("state", "why", "cal_updated", "ended_at", "ver"),
                {
                    ":CANCELLED": "CANCELLED",
                    ":CONFIRMED": "CONFIRMED",
                    ":why": "cancelled_there",
                    ":cal": items.text(as_of(booking, known=appointment.calendar_updated_at, now=now)),
                    ":now": items.text(now),
                    ":ver": appointment.version,
                    ":one": 1,
                },
            ),
            *self._without(tenant, appointment, now),
            *self._says_cancelled(tenant, appointment, booking),
            *self._guard_moves(tenant, appointment, None),
            self._actions.put_audit(tenant, audit, now),
            *no_longer_unverified(self._table.name, tenant, appointment),
            *self._actions.forget_slots_of(tenant, appointment),
        ]

    def claim(self, tenant: str, appointment: Appointment, booking: Booking, *, audit: Audit, now: datetime) -> bool:
        """Position 0: it is somebody's. 1, and no other: the same is written down already, by a try before this one."""
        segment = replace(appointment.segments[0], uid=booking.uid)
        guard = self._actions.uid_guard(tenant, appointment, segment)
        failed = self._table.write([guard, self._actions.put_audit(tenant, audit, now)])
        return failed is None or failed.items.keys() == {1}

    def flag(self, tenant: str, alert: Alert, *, about: str, now: datetime) -> bool:
        """The guard, the alert's record and its case in one transaction: once until the guard is gone."""
        guard = keys.flag(tenant, about) | to_wire({"at": items.text(now), "ttl": items.epoch(now) + items.FLAG_KEPT_S})
        fresh = f"{IS_NEW} OR #ttl < :now"  # the service removes what has expired days late
        actions = [
            self._actions.put(guard, fresh, {":now": items.epoch(now)}, "ttl"),
            self._actions.put(items.alert_to_item(tenant, alert, op=about, now=now), IS_NEW),
        ]
        failed = self._table.write([*actions, *cases.opened(self._table, tenant, alert, about=about, now=now)])
        if failed is not None and not {0, 1} & failed.items.keys():
            failed = self._table.write(actions)  # somebody opened its case in this moment
        return failed is None

    def _update_appointment(
        self, tenant: str, before: Appointment, after: Appointment, booking: Booking, now: datetime
    ) -> Action:
        of_several = max(len(before.segments), len(after.segments)) > 1
        of_one = as_of(booking, known=before.calendar_updated_at, now=now)
        newest = [each.updated_at for each in after.segments if each.updated_at is not None] if of_several else []
        read = before.verified_at is not None or _is_read(after)
        return self._actions.update(
            keys.appointment(tenant, before.id),
            "SET #segments = :segments, #start = :start, #cal_updated = :cal, #ver = #ver + :one"
            + (", #verified_at = :now" if read else "")
            + (", #amiss = :amiss" if after.amiss is not None else " REMOVE #amiss"),
            _PART_AS_READ if of_several else _AS_READ,
            names("state", "segments", "start", "cal_updated", "ver", "amiss", *(["verified_at"] if read else [])),
            ({} if after.amiss is None else {":amiss": after.amiss.value})
            | {
                ":CONFIRMED": "CONFIRMED",
                ":start": items.text(after.slot.start),
                ":cal": items.text(max(newest, default=of_one)),
                ":ver": before.version,
                ":one": 1,
            }
            | ({":now": items.text(now)} if read else {}),
            raw={":segments": items.segments_to_wire(after.segments)},
        )

    def _ledgers(
        self,
        tenant: str,
        after: Appointment,
        days: StaffDays,
        *,
        conflict: bool,
        now: datetime,
        changed: str | None = None,
    ) -> Iterable[Action]:
        """Every staff day at hand, whole, with the appointment's intervals as they now are, and whoever had it in the
        way no longer flagged for that. `changed`: the one of its bookings that `conflict` is said of.
        """
        written = days.updated(
            read.replaced(after.id, _entries(after, read, conflict=conflict, changed=changed), now=now)
            for read in days.days.values()
        ).without_stale_conflicts()
        for (staff, day), read in sorted(days.days.items()):
            yield self._actions.put_ledger(tenant, read, written.day(staff, day))

    def _without(self, tenant: str, appointment: Appointment, now: datetime) -> Iterable[Action]:
        """The staff days without the appointment, as they are at this moment."""
        touched = sorted({(each.staff, day) for each in appointment.segments for day in each.slot.utc_days()})
        found = self._table.get_all([keys.staff_day(tenant, staff, day) for staff, day in touched])
        days = StaffDays(
            {(s, d): items.staff_day_from_item(s, d, item) for (s, d), item in zip(touched, found, strict=True)}
        )
        return self._ledgers(tenant, replace(appointment, segments=()), days, conflict=False, now=now)

    def _says_moved(self, tenant: str, before: Appointment, after: Appointment, booking: Booking) -> Iterable[Action]:
        """Who knows of it has another time or stylist in the ear; to who does not, "booked" is still the news.

        A wish that came to nothing because of what others did says so by itself, and where it stands.
        """
        if (before.slot.start, before.staff) == (after.slot.start, after.staff):
            return
        if len(before.segments) != len(after.segments):
            return  # a part of it went, or came back: that is no move, and a person tells its caller
        rows = messages_of(self._table, tenant, before, booking)
        last = before.last_change
        if last is not None and last.why in {ChangeWhy.CHANGED_THERE, ChangeWhy.APART}:
            own = [row for row in unsent(rows) if keys.name_of(row) == last.op]
            if own:
                yield from (void(self._actions, row, before) for row in unsent(rows) if row not in own)
                return
        if knows_of_it(rows, before):
            yield from one_says(self._actions, rows, before, "moved", of=before.id)

    def _says_cancelled(self, tenant: str, appointment: Appointment, booking: Booking) -> Iterable[Action]:
        rows = messages_of(self._table, tenant, appointment, booking)
        kind = "cancelled" if knows_of_it(rows, appointment) else "not_booked"
        return one_says(self._actions, rows, appointment, kind, of=appointment.id)

    def _goes_on(
        self, tenant: str, ended: Appointment, appointment: Appointment, booking: Booking, now: datetime
    ) -> Iterable[Action]:
        """What an appointment that ended too early leaves to the one that goes on: its guard if free, its message.

        One goes on, and no second: of two that try at once one finds the uid it ended with superseded, and loses.
        """
        if self._guard_of(tenant, ended):
            yield self._actions.supersede(tenant, ended, str(ended.segments[0].uid), booking.uid, once=True)
        if self._table.get(customer_guard_key(tenant, appointment)) is None:
            yield self._actions.put_customer_guard(tenant, appointment)
        rows = messages_of(self._table, tenant, ended, booking)
        kind = "moved" if knows_of_it(rows, ended) else "booked"
        new = unsent(rows)
        if new and ended.last_change is not None and keys.name_of(new[0]) == ended.last_change.op:
            # The one that goes on knows of no change: nobody would find this message from there.
            yield from (void(self._actions, row, ended) for row in new)
            told = Told(new[0]["told"]["S"])
            yield self._actions.put_outbox(tenant, appointment, kind, told, now, overtaken=True)
        elif new:
            yield from one_says(self._actions, rows, ended, kind, of=appointment.id)
        elif any(row["state"]["S"] != VOID and row["kind"]["S"] in {"cancelled", "not_booked"} for row in rows):
            yield self._actions.put_outbox(tenant, appointment, "booked", Told.NOT_BOOKED, now)

    def _guard_of(self, tenant: str, appointment: Appointment) -> Mapping[str, Any]:
        """The guard of its booking, where that is its own still."""
        uid = appointment.segments[0].uid
        guard = self._table.get(keys.booking_uid(tenant, uid)) if uid is not None else None
        return guard if guard is not None and guard["appt"]["S"] == appointment.id else {}

    def _guard_moves(self, tenant: str, before: Appointment, after: Appointment | None) -> Iterable[Action]:
        """The customer guard goes with the appointment, where it has one and the new place is free.

        Bookings that others made may collide there; they are admitted all the same, without a guard.
        """
        old = customer_guard_key(tenant, before)
        new = customer_guard_key(tenant, after) if after is not None else old
        if new == old and after is not None:
            return
        at_old, at_new = self._table.get_all([old, new])
        if at_old is None or at_old["appt"]["S"] != before.id:
            return
        yield self._actions.drop_customer_guard(tenant, before)
        if after is not None and at_new is None:
            yield self._actions.put_customer_guard(tenant, after)

    def _supersede(self, tenant: str, before: Appointment, after: Appointment) -> Iterable[Action]:
        """The old uid stays and points to the new one: its late events still find their home."""
        now_at = {segment.index: segment.uid for segment in after.segments}
        for segment in before.segments:
            if segment.index not in now_at:
                continue  # a part that has gone: its uid stays as a tombstone
            if segment.uid is not None and now_at[segment.index] != segment.uid:
                yield self._actions.supersede(tenant, before, segment.uid, now_at[segment.index])


def _is_read(after: Appointment) -> bool:
    """Whether each of its bookings has been read, once this one is; of an imported composite one after the other."""
    several = len(after.segments) > 1 and after.source == "import"
    return not several or all(each.updated_at is not None for each in after.segments)


def _entries(appointment: Appointment, read: StaffDay, *, conflict: bool, changed: str | None) -> list[Interval]:
    """Its intervals in a staff day. Where one booking of several `changed`, the others' flags stay as they were."""
    entries = []
    for segment in appointment.segments:
        if segment.staff != read.staff or read.day not in segment.slot.utc_days():
            continue
        key = interval_key(appointment.id, segment.index)
        known = read.intervals.get(key)
        flagged = conflict if changed in {None, segment.uid} else known is not None and known.conflict
        entries.append(Interval(key, segment.slot, IntervalState.CONFIRMED, appointment.op, conflict=flagged))
    return entries
