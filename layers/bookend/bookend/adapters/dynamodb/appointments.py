"""The ledger and the appointments in the table: HOLD, START, CONFIRM, RELEASE and what stands between them.

Each transaction says which of its items fails for which reason; the answer is read by that position. Every change of
state names the old state and the op id in its condition: that, not a token, makes repeats across invocations safe.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from bookend.adapters.dynamodb import customers, items, keys
from bookend.adapters.dynamodb.actions import IS_NEW, Action, Actions, names
from bookend.adapters.dynamodb.items import to_wire
from bookend.adapters.dynamodb.keys import Key
from bookend.adapters.dynamodb.transact import Table
from bookend.application.deadline import Deadline
from bookend.application.ports import (
    Alert,
    AskedBefore,
    Audit,
    BookingHasOwner,
    CallRecord,
    Confirmed,
    ConfirmOutcome,
    CustomerHasOne,
    Held,
    HoldLost,
    Known,
    Released,
    ReleaseOutcome,
    Started,
    StartLost,
    StartOutcome,
    Superseded,
)
from bookend.domain.answers import Booking
from bookend.domain.appointment import Appointment, AppointmentState, BookedSegment, Told
from bookend.domain.availability import Offer
from bookend.domain.case_wishes import BOOKED_FOR_A_CASE
from bookend.domain.contacts import Customer
from bookend.domain.staff_day import Interval, IntervalState, StaffDays, interval_key

_HOLD_IS_LIVE = "#iv.#{k}.#op = :hold AND #iv.#{k}.#st = :H AND #iv.#{k}.#x > :now"
"""The interval is still this caller's hold; nobody else can have taken the time, whatever else changed that day."""
_INTERVAL_IS_OURS = "#iv.#{k}.#op = :op AND #iv.#{k}.#st = :P"
_OPERATION_IS_OPEN = "#op = :op AND #state = :PENDING"
_IS_BEING_UNDONE = "#op = :op AND #state = :COMPENSATING"
_OPERATION_NOT_ENDED = "#op = :op AND #state IN (:PENDING, :COMPENSATING)"
_NOBODY_WAITS = f"{_OPERATION_NOT_ENDED} AND #told <> :open"
"""Nobody was told "noch offen" of it: who was is owed the end of the story, and that goes into the same write."""

_COUNTS_AS_OPEN = frozenset(
    {AppointmentState.PENDING, AppointmentState.CONFIRMED, AppointmentState.MOVING, AppointmentState.CANCELLING}
)
"""Not COMPENSATING: that one is being taken back, and its customer may book another."""


class DynamoAppointments:
    """The `Appointments` port on one table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._actions = Actions(table.name)

    def within(self, deadline: Deadline) -> DynamoAppointments:
        return DynamoAppointments(self._table.within(deadline))

    # Reading

    def look(
        self,
        tenant: str,
        *,
        call: str,
        request: str | None = None,
        customer: str | None = None,
        own: tuple[datetime, str] | None = None,
        days: Collection[tuple[str, date]] = (),
    ) -> Known:
        wanted_days = sorted(days)
        wanted: list[Key] = [keys.call(tenant, call)]
        wanted += [keys.request(tenant, request)] if request else []
        wanted += [keys.customer(tenant, customer)] if customer else []
        wanted += [keys.customer_guard(tenant, customer, *own)] if customer and own else []
        wanted += [keys.staff_day(tenant, staff, day) for staff, day in wanted_days]
        found = iter(self._table.get_all(wanted))
        record = items.call_from_item(call, next(found))
        asked = next(found) if request else None
        known = items.customer_from_item(customer, next(found)) if customer else None
        has = next(found) if customer and own else None
        ledgers = {(staff, day): items.staff_day_from_item(staff, day, next(found)) for staff, day in wanted_days}
        request_led_to, owned = (each["appt"]["S"] if each else None for each in (asked, has))
        return Known(record, request_led_to, known, StaffDays(ledgers), owned)

    def appointment(self, tenant: str, appointment: str) -> Appointment | None:
        item = self._table.get(keys.appointment(tenant, appointment))
        return items.appointment_from_item(appointment, item) if item is not None else None

    def several(self, tenant: str, appointments: Collection[str]) -> Mapping[str, Appointment]:
        wanted = sorted({*appointments})
        found = self._table.get_all([keys.appointment(tenant, each) for each in wanted])
        read = zip(wanted, found, strict=True)
        return {name: items.appointment_from_item(name, item) for name, item in read if item is not None}

    def staff_days(self, tenant: str, days: Collection[tuple[str, date]]) -> StaffDays:
        wanted = sorted(days)
        found = self._table.get_all([keys.staff_day(tenant, staff, day) for staff, day in wanted])
        read = zip(wanted, found, strict=True)
        return StaffDays({(s, d): items.staff_day_from_item(s, d, item) for (s, d), item in read})

    def open_of(self, tenant: str, customer: str, *, now: datetime) -> int:
        """The index says which, the appointments themselves whether they are open."""
        named = customers.names_of(self._table, tenant, customer, after=now)
        found = self.several(tenant, named).values() if named else ()
        return sum(each.state in _COUNTS_AS_OPEN and each.slot.start > now for each in found)

    # HOLD

    def hold(
        self, tenant: str, record: CallRecord, offers: Sequence[Offer], *, days: StaffDays, now: datetime
    ) -> Held | HoldLost:
        """Position 0: the call's record changed. Positions 1…: that staff day changed."""
        freeing = frozenset(key for offer in record.offers for key in offer.intervals)
        touched = sorted({(o.staff, d) for o in (*record.offers, *offers) for d in o.touched_days()})
        new_record = replace(record, version=record.version + 1, offers=tuple(offers))
        actions = [self._actions.put_record(tenant, record, new_record, now)]
        for staff, day in touched:
            added = [each for offer in offers if offer.staff == staff for each in _held(offer, day)]
            read = days.day(staff, day)
            actions.append(self._actions.put_ledger(tenant, read, read.rewritten(added, freeing=freeing, now=now)))
        failed = self._table.write(actions)
        if failed is None:
            return Held(new_record)
        if 0 in failed.items:
            return HoldLost(None)
        lost = [(touched[position - 1], item) for position, item in failed.items.items()]
        return HoldLost(tuple(items.staff_day_from_item(staff, day, item) for (staff, day), item in lost))

    def end_call(self, tenant: str, call: str, *, now: datetime) -> int:
        """Each hold is freed on its own: one that has become a booking fails its condition and stays."""
        record = self.look(tenant, call=call).record
        freed = sum(self._free_hold(tenant, offer) for offer in record.offers)
        if record.version and not record.ended:
            ended = replace(record, version=record.version + 1, offers=(), ended=True)
            self._table.write([self._actions.put_record(tenant, record, ended, now)])
        return freed

    def _free_hold(self, tenant: str, offer: Offer) -> bool:
        days = [
            self._table.update(
                Key=keys.staff_day(tenant, offer.staff, day),
                UpdateExpression="REMOVE #iv.#k SET #v = #v + :one",
                ConditionExpression="#iv.#k.#op = :hold AND #iv.#k.#st = :H",
                ExpressionAttributeNames=names("iv", "op", "st", "v", k=key),
                ExpressionAttributeValues=to_wire({":hold": offer.op, ":H": "H", ":one": 1}),
            )
            for key, slot in offer.intervals.items()
            for day in slot.utc_days()
        ]
        return None in days

    # START

    def start(
        self,
        tenant: str,
        appointment: Appointment,
        *,
        hold: Offer | None,
        days: StaffDays,
        freeing: Collection[str],
        replaces: str | None,
        known: Customer | None,
        now: datetime,
    ) -> StartOutcome:
        """Position 0: the same wish is on record. 1: the customer has one. 2: the appointment exists. Then ledgers."""
        actions = [
            self._actions.put_request(tenant, appointment, replaces, now),
            self._actions.put_customer_guard(tenant, appointment),
            self._actions.put(items.appointment_to_item(tenant, appointment), IS_NEW),
            *self._take(tenant, appointment, hold=hold, days=days, freeing=freeing, now=now),
        ]
        if known is None or (known.email, known.phone) != (
            appointment.customer.email,
            appointment.customer.phone,
        ):
            actions.append(self._actions.put_customer(tenant, appointment.customer, known))
        failed = self._table.write(actions)
        if failed is None:
            return Started()
        if (asked := failed.items.get(0)) is not None:
            return AskedBefore(asked["appt"]["S"])
        if (guard := failed.items.get(1)) is not None:
            return CustomerHasOne(guard["appt"]["S"])
        if (earlier := failed.items.get(2)) is not None:
            # The offer became an appointment already, under another wish (another name): that wish has the answer.
            return AskedBefore(earlier["pk"]["S"].rpartition("#")[2])
        return StartLost()

    def _take(
        self,
        tenant: str,
        appointment: Appointment,
        *,
        hold: Offer | None,
        days: StaffDays,
        freeing: Collection[str],
        now: datetime,
    ) -> Iterable[Action]:
        """The intervals to P: the live hold as it stands, else the free time on the version it was read at."""
        for (staff, day), segments in _by_day(appointment).items():
            if hold is not None:
                yield self._hold_to_pending(tenant, appointment, staff, day, hold=hold, now=now)
                continue
            read = days.day(staff, day)
            taken = [
                Interval(interval_key(appointment.id, each.index), each.slot, IntervalState.PENDING, appointment.op)
                for each in segments
            ]
            overlapped = [
                key
                for key in freeing
                if key in read.intervals and any(read.intervals[key].slot.overlaps(each.slot) for each in segments)
            ]
            yield self._actions.put_ledger(tenant, read, read.rewritten(taken, freeing=overlapped, now=now))

    def _hold_to_pending(
        self, tenant: str, appointment: Appointment, staff: str, day: date, *, hold: Offer, now: datetime
    ) -> Action:
        held = _aliases(appointment, staff, day)
        to_pending = _of_each(held, "#iv.#{k}.#st = :P, #iv.#{k}.#op = :op")
        return self._actions.update(
            keys.staff_day(tenant, staff, day),
            f"SET {to_pending}, #v = #v + :one REMOVE {_of_each(held, '#iv.#{k}.#x')}",
            _of_each(held, _HOLD_IS_LIVE, " AND "),
            names("iv", "op", "st", "v", "x", **held),
            {
                ":P": "P",
                ":H": "H",
                ":op": appointment.op,
                ":hold": hold.op,
                ":now": items.millis(now),
                ":one": 1,
            },
        )

    # CONFIRM

    def confirm(
        self,
        tenant: str,
        appointment: Appointment,
        bookings: Mapping[int, Booking],
        *,
        told: Told,
        now: datetime,
        audit: Audit | None = None,
    ) -> ConfirmOutcome:
        """Position 0: no longer open. Then two guards a segment: the booking has an owner. Then ledgers, outbox."""
        segments = _with_bookings(appointment.segments, bookings)
        updated = [each.updated_at for each in bookings.values() if each.updated_at is not None]
        actions = [
            self._actions.update(
                keys.appointment(tenant, appointment.id),
                "SET #state = :CONFIRMED, #segments = :segments, #told = :told, #verified_at = :at, "
                "#cal_updated = :cal, #ver = #ver + :one REMOVE #lease, #due, #due_shard, #why",
                _OPERATION_IS_OPEN,
                names(
                    *("op", "state", "segments", "told", "verified_at", "cal_updated", "ver"),
                    *("lease", "due", "due_shard", "why"),
                ),
                {
                    ":CONFIRMED": "CONFIRMED",
                    ":PENDING": "PENDING",
                    ":op": appointment.op,
                    ":told": told.value,
                    ":at": items.text(now),
                    ":cal": items.text(max(updated, default=now)),
                    ":one": 1,
                },
                raw={":segments": items.segments_to_wire(segments)},
            )
        ]
        guards = [guard for segment in segments for guard in self._actions.booking_guards(tenant, appointment, segment)]
        actions += guards
        for staff, day in _by_day(appointment):
            own = _aliases(appointment, staff, day)
            actions.append(
                self._actions.update(
                    keys.staff_day(tenant, staff, day),
                    f"SET {_of_each(own, '#iv.#{k}.#st = :C')}, #v = #v + :one",
                    _of_each(own, _INTERVAL_IS_OURS, " AND "),
                    names("iv", "op", "st", "v", **own),
                    {":C": "C", ":P": "P", ":op": appointment.op, ":one": 1},
                )
            )
        by_us = appointment.source not in BOOKED_FOR_A_CASE
        actions.append(self._actions.put_outbox(tenant, appointment, "booked", told, now, by_us=by_us))
        actions += self._actions.put_audits(tenant, audit, now)
        actions += self._actions.forget_slots_of(tenant, appointment)
        failed = self._table.write(actions)
        if failed is None:
            return Confirmed()
        for position in range(1, 1 + len(guards)):
            if (owner := failed.items.get(position)) is not None and 0 not in failed.items:
                return BookingHasOwner(owner["appt"]["S"], segments[(position - 1) // 2].index)
        return self._what_became_of(tenant, appointment, bookings)

    def _what_became_of(
        self, tenant: str, appointment: Appointment, bookings: Mapping[int, Booking]
    ) -> Confirmed | Superseded:
        """A refused commit is a success if somebody helped: the same operation, confirmed with the same bookings."""
        now_is = self.appointment(tenant, appointment.id)
        same = (
            now_is is not None
            and now_is.state is AppointmentState.CONFIRMED
            and now_is.op == appointment.op
            and {segment.index: segment.uid for segment in now_is.segments}
            == {index: booking.uid for index, booking in bookings.items()}
        )
        return Confirmed() if same else Superseded(now_is)

    # RELEASE, and what is left open

    def release(
        self,
        tenant: str,
        appointment: Appointment,
        *,
        why: str,
        answer: str,
        alert: Alert | None,
        now: datetime,
        owes_text: bool = False,
        told: Told = Told.NOT_BOOKED,
        audit: Audit | None = None,
    ) -> ReleaseOutcome:
        """Position 0: no longer this operation's to end. The rest cannot fail while 0 holds."""
        actions = [
            self._actions.update(
                keys.appointment(tenant, appointment.id),
                "SET #state = :FAILED, #why = :why, #told = :told, #ver = #ver + :one"
                + (", #answer = :answer" if answer else "")  # what Cal.com said first is not forgotten
                + " REMOVE #lease, #due, #due_shard",
                _OPERATION_NOT_ENDED if owes_text else _NOBODY_WAITS,
                names(
                    "op", "state", "why", "told", "ver", "lease", "due", "due_shard", *(["answer"] if answer else [])
                ),
                {
                    ":FAILED": "FAILED",
                    ":PENDING": "PENDING",
                    ":COMPENSATING": "COMPENSATING",
                    ":op": appointment.op,
                    ":why": why,
                    ":told": told.value,
                    ":one": 1,
                }
                | ({} if owes_text else {":open": Told.PENDING.value})
                | ({":answer": answer} if answer else {}),
            ),
            *self._free(tenant, appointment),
            self._actions.drop_customer_guard(tenant, appointment),
            *self._actions.put_alerts(tenant, appointment, alert, now),
        ]
        if owes_text:
            actions.append(self._actions.put_outbox(tenant, appointment, "not_booked", appointment.told, now))
        actions += self._actions.put_audits(tenant, audit, now)
        # Not only where something was cancelled: a refusal says that what we kept of this stylist is no longer so.
        actions += self._actions.forget_slots_of(tenant, appointment)
        failed = self._table.write(actions)
        return Released() if failed is None else Superseded(self.appointment(tenant, appointment.id))

    def postpone(self, tenant: str, appointment: Appointment, *, until: datetime, absent: datetime | None) -> bool:
        due = self._actions.update(
            keys.appointment(tenant, appointment.id),
            "SET #due = :due, #ver = #ver + :one"
            + (", #absent = if_not_exists(#absent, :absent)" if absent is not None else ""),
            _OPERATION_NOT_ENDED,
            names("op", "state", "due", "ver") | ({"#absent": "absent_since"} if absent is not None else {}),
            {
                ":due": items.epoch(until),
                ":PENDING": "PENDING",
                ":COMPENSATING": "COMPENSATING",
                ":op": appointment.op,
                ":one": 1,
            }
            | ({":absent": items.text(absent)} if absent is not None else {}),
        )
        return self._table.write([due]) is None

    def _free(self, tenant: str, appointment: Appointment) -> Iterable[Action]:
        for staff, day in _by_day(appointment):
            own = _aliases(appointment, staff, day)
            yield self._actions.update(
                keys.staff_day(tenant, staff, day),
                f"REMOVE {_of_each(own, '#iv.#{k}')} SET #v = #v + :one",
                _of_each(own, _INTERVAL_IS_OURS, " AND "),
                names("iv", "op", "st", "v", **own),
                {":P": "P", ":op": appointment.op, ":one": 1},
            )

    def leave_open(
        self,
        tenant: str,
        appointment: Appointment,
        *,
        why: str,
        answer: str,
        alert: Alert | None,
        now: datetime,
        bookings: Mapping[int, Booking] | None = None,
    ) -> bool:
        """Fails if settled meanwhile. State, interval and lease stay; what is told and why is noted."""
        if appointment.state is AppointmentState.COMPENSATING:
            noted = self._tell_of_undoing(tenant, appointment, now)
            return self._table.write([noted, *self._actions.put_alerts(tenant, appointment, alert, now)]) is None
        known = (
            {":segments": items.segments_to_wire(_with_bookings(appointment.segments, bookings))} if bookings else {}
        )
        noted = self._actions.update(
            keys.appointment(tenant, appointment.id),
            "SET #told = :told, #why = :why, #answer = :answer, #told_at = :now, #ver = #ver + :one"
            + (", #segments = :segments" if known else ""),
            _OPERATION_IS_OPEN,
            names("op", "state", "told", "why", "answer", "told_at", "ver", *(["segments"] if known else [])),
            {
                ":PENDING": "PENDING",
                ":op": appointment.op,
                ":told": Told.PENDING.value,
                ":why": why,
                ":answer": answer,
                ":now": items.text(now),
                ":one": 1,
            },
            raw=known,
        )
        return self._table.write([noted, *self._actions.put_alerts(tenant, appointment, alert, now)]) is None

    def _tell_of_undoing(self, tenant: str, appointment: Appointment, now: datetime) -> Action:
        """Why it is undone is on record already, and stays."""
        return self._actions.update(
            keys.appointment(tenant, appointment.id),
            "SET #told = :told, #told_at = :now, #ver = #ver + :one",
            _IS_BEING_UNDONE,
            names("op", "state", "told", "told_at", "ver"),
            {
                ":COMPENSATING": "COMPENSATING",
                ":op": appointment.op,
                ":told": Told.PENDING.value,
                ":now": items.text(now),
                ":one": 1,
            },
        )

    def must_undo(
        self,
        tenant: str,
        appointment: Appointment,
        bookings: Mapping[int, Booking],
        *,
        why: str,
        alert: Alert | None,
        now: datetime,
        told: Told = Told.PENDING,
        audit: Audit | None = None,
    ) -> bool | BookingHasOwner:
        """Position 0: settled meanwhile. Then the uids: a booking is named as ours before it is undone, or not undone.

        Not the numeric ids: one that Cal.com gave twice must not keep us from undoing what we made.
        """
        marked = self._actions.update(
            keys.appointment(tenant, appointment.id),
            "SET #state = :COMPENSATING, #segments = :segments, #told = :told, #why = :why, #ver = #ver + :one",
            _OPERATION_IS_OPEN,
            names("op", "state", "segments", "told", "why", "ver"),
            {
                ":COMPENSATING": "COMPENSATING",
                ":PENDING": "PENDING",
                ":op": appointment.op,
                ":told": told.value,
                ":why": why,
                ":one": 1,
            },
            raw={":segments": items.segments_to_wire(_with_bookings(appointment.segments, bookings))},
        )
        claimed = {
            each.uid: each
            for each in _with_bookings(appointment.segments, bookings)
            if each.index in bookings and each.uid is not None
        }
        guards = [self._actions.uid_guard(tenant, appointment, each) for each in claimed.values()]
        actions = [
            marked,
            *guards,
            *self._actions.put_alerts(tenant, appointment, alert, now),
            *self._actions.put_audits(tenant, audit, now),
            *self._actions.forget_slots_of(tenant, appointment),
        ]
        failed = self._table.write(actions)
        if failed is None:
            return True
        for position in range(1, 1 + len(guards)):
            if (owner := failed.items.get(position)) is not None:
                return BookingHasOwner(owner["appt"]["S"], list(claimed.values())[position - 1].index)
        return False


def _held(offer: Offer, day: date) -> list[Interval]:
    """What an offer takes of a day: its slot, or those busy parts of a composite that touch the day."""
    return [
        Interval(key, slot, IntervalState.HELD, offer.op, offer.expires)
        for key, slot in offer.intervals.items()
        if day in slot.utc_days()
    ]


def _by_day(appointment: Appointment) -> dict[tuple[str, date], list[BookedSegment]]:
    """What it takes of each staff day, in order: a transaction may name an item only once."""
    found: dict[tuple[str, date], list[BookedSegment]] = {}
    for segment in appointment.segments:
        for day in segment.slot.utc_days():
            found.setdefault((segment.staff, day), []).append(segment)
    return found


def _aliases(appointment: Appointment, staff: str, day: date) -> dict[str, str]:
    """Names for the keys of its intervals in a staff day, as expressions have them: k, k1, k2 and so on."""
    return {
        f"k{number or ''}": interval_key(appointment.id, segment.index)
        for number, segment in enumerate(_by_day(appointment)[staff, day])
    }


def _of_each(aliases: Iterable[str], template: str, joined: str = ", ") -> str:
    """An expression for every one of the intervals; `{k}` is where its name goes."""
    return joined.join(template.format(k=alias) for alias in aliases)


def _with_bookings(segments: tuple[BookedSegment, ...], bookings: Mapping[int, Booking]) -> tuple[BookedSegment, ...]:
    return tuple(
        replace(
            segment,
            uid=bookings[segment.index].uid,
            booking_id=bookings[segment.index].id,
            updated_at=bookings[segment.index].updated_at if len(segments) > 1 else None,
        )
        if segment.index in bookings
        else segment
        for segment in segments
    )
