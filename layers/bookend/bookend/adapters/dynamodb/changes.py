"""Moves and cancellations in the table: BEGIN, SENT, and how each ends: MOVED, CANCELLED, GIVEN UP.

While an appointment is changed its old interval stays; a move has a second one beside it. At no moment has the customer
no slot, and at no moment can somebody else take either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from bookend.adapters.dynamodb import customers, items, keys
from bookend.adapters.dynamodb.actions import Action, Actions, customer_guard_key, names
from bookend.adapters.dynamodb.items import to_wire
from bookend.adapters.dynamodb.messages import unsent, void
from bookend.adapters.dynamodb.transact import Table
from bookend.application.deadline import Deadline
from bookend.application.ports import Alert, Audit, Begun, NotBegun
from bookend.domain.answers import Booking
from bookend.domain.appointment import (
    Appointment,
    AppointmentState,
    BookedSegment,
    Change,
    ChangeEnd,
    ChangeEnded,
    ChangeKind,
    ChangeWhy,
    Told,
)
from bookend.domain.authority import (
    MOST_CHANGES_PER_DAY,
    MOST_MISSES_PER_CALL,
    MOST_MISSES_PER_DAY,
    Asked,
)
from bookend.domain.drift import CANCELLED_THERE
from bookend.domain.staff_day import Interval, IntervalState, StaffDays, interval_key, target_key

_IS_UNDER_WAY = "#state IN (:MOVING, :CANCELLING) AND #change.#op = :change_op"
_NOBODY_WAITS = f"{_IS_UNDER_WAY} AND #change.#told <> :open"
_NOT_ANOTHERS = "attribute_not_exists(#pk) OR #appt = :me"
_ENDS = "#last = :last, #last_ver = #ver + :one, #ver = #ver + :one REMOVE #change, #lease, #due, #due_shard"
"""How every change ends; `last_ver` is the version that the appointment has right after."""
_LAST = {"last": "last_change", "last_ver": "last_ver"}
_STATES = {":MOVING": "MOVING", ":CANCELLING": "CANCELLING"}
_BEGUN = {ChangeKind.MOVE: AppointmentState.MOVING, ChangeKind.CANCEL: AppointmentState.CANCELLING}
_TEXT = {
    (ChangeKind.MOVE, ChangeEnd.DONE): "moved",
    (ChangeKind.MOVE, ChangeEnd.NOT_DONE): "not_moved",
    (ChangeKind.CANCEL, ChangeEnd.DONE): "cancelled",
    (ChangeKind.CANCEL, ChangeEnd.NOT_DONE): "not_cancelled",
}


class DynamoChanges:
    """The `Changes` port on one table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._actions = Actions(table.name)

    def within(self, deadline: Deadline) -> DynamoChanges:
        return DynamoChanges(self._table.within(deadline))

    # Who asks

    def of_customer(self, tenant: str, customer: str, *, after: datetime) -> tuple[Appointment, ...]:
        named = customers.names_of(self._table, tenant, customer, after=after)
        # Their own record too, so that nobody can tell by the time it takes whether a number has appointments.
        wanted = [keys.customer(tenant, customer), *(keys.appointment(tenant, each) for each in named)]
        _, *read = self._table.get_all(wanted)
        return tuple(
            items.appointment_from_item(name, item) for name, item in zip(named, read, strict=True) if item is not None
        )

    def may_try(self, tenant: str, customer: str, *, call: str, day: date, now: datetime) -> bool:
        failed = self._table.update(
            Key=keys.tries(tenant, customer, day),
            UpdateExpression=(
                "SET #day = if_not_exists(#day, :zero) + :one, #call = if_not_exists(#call, :zero) + :one, #ttl = :ttl"
            ),
            ConditionExpression=(
                "(attribute_not_exists(#day) OR #day < :most_day) "
                "AND (attribute_not_exists(#call) OR #call < :most_call)"
            ),
            ExpressionAttributeNames={"#day": "misses", "#call": f"misses_{call}", "#ttl": "ttl"},
            ExpressionAttributeValues=to_wire(
                {
                    ":zero": 0,
                    ":one": 1,
                    ":most_day": MOST_MISSES_PER_DAY,
                    ":most_call": MOST_MISSES_PER_CALL,
                    ":ttl": items.epoch(now) + items.TRIES_KEPT_S,
                }
            ),
        )
        return failed is None

    def ask(self, tenant: str, call: str, asked: Asked | None, *, customer: str, day: date, now: datetime) -> bool:
        """Position 0: the try is not there any more. 1: the call has ended."""
        back = self._actions.update(
            keys.tries(tenant, customer, day),
            "SET #day = #day - :one, #call = #call - :one",
            "#day >= :one AND #call >= :one",
            {"#day": "misses", "#call": f"misses_{call}"},
            {":one": 1},
        )
        actions = [back]
        if asked is not None:
            actions.append(
                self._actions.update(
                    keys.call(tenant, call),
                    "SET #asked = :asked, #ver = if_not_exists(#ver, :zero) + :one, "
                    "#offers = if_not_exists(#offers, :none), #ended = :no, #ttl = :ttl",
                    "attribute_not_exists(#ended) OR #ended = :no",
                    names("asked", "ver", "offers", "ended", "ttl"),
                    {":zero": 0, ":one": 1, ":none": [], ":no": False, ":ttl": items.epoch(now) + items.CALL_KEPT_S},
                    raw={":asked": items.asked_to_wire(asked)},
                )
            )
        return self._table.write(actions) is None

    # BEGIN

    def begin(
        self,
        tenant: str,
        appointment: Appointment,
        change: Change,
        *,
        lease: datetime,
        days: StaffDays,
        freeing: Collection[str],
        day: date,
        now: datetime,
    ) -> Begun | NotBegun:
        """Position 0: the appointment changed. 1: too many today. 2, of a move: has one there. Then ledgers."""
        state = _BEGUN[change.kind]
        actions = [
            self._actions.update(
                keys.appointment(tenant, appointment.id),
                "SET #state = :to, #change = :change, #lease = :lease, #due = :lease, #due_shard = :shard, "
                "#ver = #ver + :one",
                "#state = :CONFIRMED AND #ver = :ver",
                names("state", "change", "lease", "due", "due_shard", "ver"),
                {
                    ":to": state.value,
                    ":CONFIRMED": "CONFIRMED",
                    ":ver": appointment.version,
                    ":lease": items.epoch(lease),
                    ":shard": keys.due_shard(appointment.id),
                    ":one": 1,
                },
                raw={":change": items.change_to_wire(change)},
            ),
            self._actions.update(
                keys.tries(tenant, appointment.customer.id, day),
                "SET #changes = if_not_exists(#changes, :zero) + :one, #ttl = :ttl",
                "attribute_not_exists(#changes) OR #changes < :most",
                names("changes", "ttl"),
                {
                    ":zero": 0,
                    ":one": 1,
                    ":most": MOST_CHANGES_PER_DAY,
                    ":ttl": items.epoch(now) + items.TRIES_KEPT_S,
                },
            ),
        ]
        then = replace(appointment, segments=change.segments) if change.segments else appointment
        if change.segments:
            actions.append(self._actions.put_customer_guard(tenant, then))
            actions += self._take(tenant, appointment, change, days=days, freeing=freeing, now=now)
        failed = self._table.write(actions)
        if failed is None:
            return Begun(replace(appointment, state=state, change=change, lease=lease, version=appointment.version + 1))
        if 0 in failed.items:
            return NotBegun.APPOINTMENT_CHANGED
        if 1 in failed.items:
            return NotBegun.TOO_MANY
        return NotBegun.CUSTOMER_HAS_ONE if change.segments and 2 in failed.items else NotBegun.LEDGER_CHANGED

    def _take(
        self,
        tenant: str,
        appointment: Appointment,
        change: Change,
        *,
        days: StaffDays,
        freeing: Collection[str],
        now: datetime,
    ) -> Iterable[Action]:
        """The new time to P, on the version of the days it was found free on."""
        for segment in change.segments:
            key = target_key(appointment.id, segment.index)
            taken = Interval(key, segment.slot, IntervalState.PENDING, change.op)
            for day in segment.slot.utc_days():
                read = days.day(segment.staff, day)
                overlapped = [
                    each
                    for each in freeing
                    if each in read.intervals and read.intervals[each].slot.overlaps(segment.slot)
                ]
                yield self._actions.put_ledger(tenant, read, read.rewritten([taken], freeing=overlapped, now=now))

    # What stands between

    def sent(self, tenant: str, appointment: Appointment, *, lease: datetime, now: datetime) -> Appointment | None:
        change = appointment.under_way
        after = replace(change, sent_at=now, absent_since=None)
        written = self._update(
            tenant,
            appointment,
            "SET #change = :change, #lease = :lease, #due = :lease, #ver = #ver + :one",
            f"{_IS_UNDER_WAY} AND #ver = :ver",
            names("state", "change", "op", "lease", "due", "ver"),
            {":lease": items.epoch(lease), ":ver": appointment.version, ":one": 1},
            raw={":change": items.change_to_wire(after)},
        )
        if self._table.write([written]) is not None:
            return None
        return replace(appointment, change=after, lease=lease, version=appointment.version + 1)

    def leave_open(
        self,
        tenant: str,
        appointment: Appointment,
        *,
        due: datetime,
        keep_until: datetime | None,
        answer: str,
        alert: Alert | None,
        now: datetime,
        unsent: bool = False,
    ) -> bool:
        kept = ", #change.#keep = :keep" if keep_until is not None else ""
        said = ", #answer = :answer" if answer else ""
        noted = self._update(
            tenant,
            appointment,
            f"SET #change.#told = :open, #due = :due, #ver = #ver + :one{kept}{said}"
            + (" REMOVE #change.#sent" if unsent else ""),
            _IS_UNDER_WAY,
            names("state", "change", "op", "told", "due", "ver")
            | ({"#sent": "sent_at"} if unsent else {})
            | ({"#keep": "keep_until"} if kept else {})
            | ({"#answer": "answer"} if said else {}),
            {":open": Told.PENDING.value, ":due": items.epoch(due), ":one": 1}
            | ({":keep": items.text(keep_until)} if keep_until is not None else {})
            | ({":answer": answer} if said else {}),
        )
        named = replace(appointment, op=appointment.under_way.op)
        return self._table.write([noted, *self._actions.put_alerts(tenant, named, alert, now)]) is None

    def postpone(
        self,
        tenant: str,
        appointment: Appointment,
        *,
        until: datetime,
        absent: datetime | None = None,
        restore: Change | None = None,
    ) -> bool:
        before = restore.sent_at if restore is not None else None
        sets = ["#due = :due", "#ver = #ver + :one"]
        sets += ["#change.#absent = if_not_exists(#change.#absent, :absent)"] if absent is not None else []
        sets += ["#change.#sent = :sent"] if before is not None else []
        unsent = restore is not None and before is None
        due = self._update(
            tenant,
            appointment,
            f"SET {', '.join(sets)}" + (" REMOVE #change.#sent" if unsent else ""),
            _IS_UNDER_WAY,
            names("state", "change", "op", "due", "ver")
            | ({"#absent": "absent_since"} if absent is not None else {})
            | ({"#sent": "sent_at"} if restore is not None else {}),
            {":due": items.epoch(until), ":one": 1}
            | ({":absent": items.text(absent)} if absent is not None else {})
            | ({":sent": items.text(before)} if before is not None else {}),
        )
        return self._table.write([due]) is None

    # How it ends

    def moved(
        self,
        tenant: str,
        appointment: Appointment,
        booking: Booking,
        *,
        told: Told,
        audit: Audit | None,
        now: datetime,
    ) -> bool:
        """Position 0: it has ended. Then guards of the new booking, the old uid, ledgers, the customer's old guard."""
        change = appointment.under_way
        segments = tuple(replace(each, uid=booking.uid, booking_id=booking.id) for each in change.segments)
        after = replace(appointment, segments=segments)
        done = self._update(
            tenant,
            appointment,
            "SET #state = :CONFIRMED, #segments = :segments, #start = :start, #cal_updated = :cal, "
            f"#verified_at = :now, #moves = if_not_exists(#moves, :zero) + :one, {_ENDS}",
            _IS_UNDER_WAY,
            names(
                *("state", "segments", "start", "cal_updated", "verified_at", "moves", "ver"),
                *("change", "op", "lease", "due", "due_shard"),
                **_LAST,
            ),
            {
                ":CONFIRMED": "CONFIRMED",
                ":start": items.text(after.slot.start),
                ":cal": items.text(booking.updated_at or now),
                ":now": items.text(now),
                ":zero": 0,
                ":one": 1,
            },
            raw={":segments": items.segments_to_wire(segments), ":last": _ended(change, ChangeEnd.DONE)},
        )
        actions = [
            done,
            *(guard for each in segments for guard in self._actions.booking_guards(tenant, after, each)),
            *self._supersede(tenant, appointment, segments),
            *self._relocate(tenant, appointment, change),
            self._text(tenant, appointment, change, ChangeEnd.DONE, told, now),
            *([self._actions.put_audit(tenant, audit, now)] if audit is not None else []),
            *self._actions.forget_slots_of(tenant, replace(after, segments=(*appointment.segments, *segments))),
        ]
        return self._write(tenant, actions, appointment)

    def cancelled(
        self,
        tenant: str,
        appointment: Appointment,
        *,
        booking: Booking | None,
        told: Told,
        audit: Audit | None,
        now: datetime,
    ) -> bool:
        """Position 0: it has ended. Guards of uid and id stay, so that late events find their home."""
        change = appointment.under_way
        wanted = change.kind is ChangeKind.CANCEL
        seen = booking.updated_at if booking is not None else None
        done = self._update(
            tenant,
            appointment,
            "SET #state = :CANCELLED, #why = :why, #ended_at = :now, "
            + ("#cal_updated = :cal, " if seen is not None else "")
            + _ENDS,
            _IS_UNDER_WAY,
            names(
                *("state", "why", "ended_at", "ver", "change", "op", "lease", "due", "due_shard"),
                *(["cal_updated"] if seen is not None else []),
                **_LAST,
            ),
            {
                ":CANCELLED": "CANCELLED",
                ":why": "cancelled_by_customer" if wanted else CANCELLED_THERE,
                ":now": items.text(now),
                ":one": 1,
            }
            | ({":cal": items.text(seen)} if seen is not None else {}),
            raw={
                ":last": _ended(change, ChangeEnd.DONE)
                if wanted
                else _ended(change, ChangeEnd.NOT_DONE, ChangeWhy.CANCELLED_THERE)
            },
        )
        text_of = replace(change, kind=ChangeKind.CANCEL)  # whatever was wanted, this is what became of it
        actions = [
            done,
            *self._free(tenant, appointment, change),
            *self._drop_target_guard(tenant, appointment, change),
            self._text(tenant, appointment, text_of, ChangeEnd.DONE, told, now),
            *([self._actions.put_audit(tenant, audit, now)] if audit is not None else []),
            *self._actions.forget_slots_of(tenant, appointment),
        ]
        return self._write(tenant, actions, appointment)

    def given_up(
        self,
        tenant: str,
        appointment: Appointment,
        *,
        why: ChangeWhy,
        owes_text: bool,
        answer: str,
        alert: Alert | None,
        audit: Audit | None,
        now: datetime,
    ) -> bool:
        """Position 0: it has ended, or somebody waits for a message. The rest cannot fail while 0 holds."""
        change = appointment.under_way
        back = self._update(
            tenant,
            appointment,
            "SET #state = :CONFIRMED, " + ("#answer = :answer, " if answer else "") + _ENDS,
            _IS_UNDER_WAY if owes_text else _NOBODY_WAITS,
            names(
                *("state", "ver", "change", "op", "lease", "due", "due_shard"),
                *([] if owes_text else ["told"]),
                *(["answer"] if answer else []),
                **_LAST,
            ),
            {":CONFIRMED": "CONFIRMED", ":one": 1}
            | ({} if owes_text else {":open": Told.PENDING.value})
            | ({":answer": answer} if answer else {}),
            raw={":last": _ended(change, ChangeEnd.NOT_DONE, why)},
        )
        named = replace(appointment, op=change.op)
        actions = [
            back,
            *self._free_target(tenant, appointment, change),
            *self._drop_target_guard(tenant, appointment, change),
            *([self._text(tenant, appointment, change, ChangeEnd.NOT_DONE, change.told, now)] if owes_text else []),
            *self._actions.put_alerts(tenant, named, alert, now),
            *([self._actions.put_audit(tenant, audit, now)] if audit is not None else []),
            *self._actions.forget_slots_of(tenant, appointment),
        ]
        return self._table.write(actions) is None

    def _update(  # noqa: PLR0917 - as in Actions.update
        self,
        tenant: str,
        appointment: Appointment,
        update: str,
        condition: str,
        used: Mapping[str, str],
        values: Mapping[str, Any],
        raw: Mapping[str, Any] | None = None,
    ) -> Action:
        """An update of the appointment on the condition that this very change is under way."""
        named = {**values, **_STATES, ":change_op": appointment.under_way.op}
        return self._actions.update(keys.appointment(tenant, appointment.id), update, condition, used, named, raw)

    def _write(self, tenant: str, actions: list[Action], appointment: Appointment) -> bool:
        """With what may have gone already: the customer's guard, and earlier messages that nobody has sent.

        Others' bookings may stand on another's guard, and a message may be sent at this moment. Then without those.
        """
        delete = {
            "Key": customer_guard_key(tenant, appointment),
            "ConditionExpression": _NOT_ANOTHERS,
            "ExpressionAttributeNames": names("pk", "appt"),
            "ExpressionAttributeValues": to_wire({":me": appointment.id}),
            "TableName": self._table.name,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        besides = [*self._void_earlier(tenant, appointment), {"Delete": delete}]
        failed = self._table.write([*actions, *besides])
        if failed is not None and min(failed.items) >= len(actions):
            besides = [each for number, each in enumerate(besides, len(actions)) if number not in failed.items]
            failed = self._table.write([*actions, *besides])
        return failed is None

    def _drop_target_guard(self, tenant: str, appointment: Appointment, change: Change) -> list[Action]:
        if not change.segments:
            return []
        return [self._actions.drop_customer_guard(tenant, replace(appointment, segments=change.segments))]

    def _supersede(
        self, tenant: str, appointment: Appointment, segments: tuple[BookedSegment, ...]
    ) -> Iterable[Action]:
        now_at = {each.index: each.uid for each in segments}
        for segment in appointment.segments:
            if segment.uid is not None and now_at[segment.index] != segment.uid:
                yield self._actions.supersede(tenant, appointment, segment.uid, now_at[segment.index])

    def _relocate(self, tenant: str, appointment: Appointment, change: Change) -> Iterable[Action]:
        """Each staff day once: the old interval goes, and the new one becomes the one where it stands."""
        targets = {each.index: each for each in change.segments}
        for segment in appointment.segments:
            target = targets[segment.index]
            key = interval_key(appointment.id, segment.index)
            beside = target_key(appointment.id, segment.index)
            here = {(segment.staff, day) for day in segment.slot.utc_days()}
            there = {(target.staff, day) for day in target.slot.utc_days()}
            entry = items.interval_to_map(Interval(key, target.slot, IntervalState.CONFIRMED, appointment.op))
            for staff, day in sorted(here | there):
                if (staff, day) in there:
                    yield self._actions.update(
                        keys.staff_day(tenant, staff, day),
                        "SET #iv.#k = :entry, #v = #v + :one REMOVE #iv.#t",
                        "#iv.#t.#op = :op AND #iv.#t.#st = :P",
                        names("iv", "op", "st", "v", k=key, t=beside),
                        {":entry": entry, ":op": change.op, ":P": "P", ":one": 1},
                    )
                else:
                    yield self._remove(tenant, staff, day, key, op=appointment.op, state="C")

    def _free(self, tenant: str, appointment: Appointment, change: Change) -> Iterable[Action]:
        """Both where it stands and where it was to go; a staff day that has both is written once."""
        targets = {
            (each.staff, day, target_key(appointment.id, each.index))
            for each in change.segments
            for day in each.slot.utc_days()
        }
        stands = {
            (each.staff, day, interval_key(appointment.id, each.index))
            for each in appointment.segments
            for day in each.slot.utc_days()
        }
        for staff, day in sorted({(staff, day) for staff, day, _ in stands | targets}):
            names_here = sorted(key for s, d, key in stands | targets if (s, d) == (staff, day))
            aliases = {f"k{number}": key for number, key in enumerate(names_here)}
            removed = ", ".join(f"#iv.#{alias}" for alias in aliases)
            own = " AND ".join(f"attribute_exists(#iv.#{alias})" for alias in aliases)
            yield self._actions.update(
                keys.staff_day(tenant, staff, day),
                f"REMOVE {removed} SET #v = #v + :one",
                own,
                names("iv", "v", **aliases),
                {":one": 1},
            )

    def _free_target(self, tenant: str, appointment: Appointment, change: Change) -> Iterable[Action]:
        for each in change.segments:
            for day in each.slot.utc_days():
                yield self._remove(
                    tenant, each.staff, day, target_key(appointment.id, each.index), op=change.op, state="P"
                )

    def _remove(self, tenant: str, staff: str, day: date, key: str, *, op: str, state: str) -> Action:
        return self._actions.update(
            keys.staff_day(tenant, staff, day),
            "REMOVE #iv.#k SET #v = #v + :one",
            "#iv.#k.#op = :op AND #iv.#k.#st = :state",
            names("iv", "op", "st", "v", k=key),
            {":op": op, ":state": state, ":one": 1},
        )

    def _void_earlier(self, tenant: str, appointment: Appointment) -> list[Action]:
        """Messages that nobody has sent yet tell where it stood before: this change tells where it stands."""
        last = appointment.last_change
        ops = sorted({appointment.op} | ({last.op} if last is not None else set()))
        found = self._table.get_all([keys.outbox(tenant, op) for op in ops])
        rows = [row for row in found if row is not None and row["appt"]["S"] == appointment.id]
        return [void(self._actions, row, appointment) for row in unsent(rows)]

    def _text(  # noqa: PLR0917 - the parts of one item
        self, tenant: str, appointment: Appointment, change: Change, end: ChangeEnd, told: Told, now: datetime
    ) -> Action:
        return self._actions.put_outbox(tenant, replace(appointment, op=change.op), _TEXT[change.kind, end], told, now)


def _ended(change: Change, end: ChangeEnd, why: ChangeWhy = ChangeWhy.NONE) -> Any:
    return items.ended_to_wire(ChangeEnded(change.op, change.kind, end, why))
