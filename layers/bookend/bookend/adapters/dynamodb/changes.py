"""Moves and cancellations in the table: who asks, BEGIN, SENT, and what stands between (`changes_end`: how each ends).

While an appointment is changed its old interval stays; a move has a second one beside it. At no moment has the customer
no slot, and at no moment can somebody else take either.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import date, datetime

from bookend.adapters.dynamodb import cases, customers, items, keys
from bookend.adapters.dynamodb.actions import Action, names
from bookend.adapters.dynamodb.changes_end import IS_UNDER_WAY, ChangeEnds, places
from bookend.adapters.dynamodb.items import to_wire
from bookend.application.deadline import Deadline
from bookend.application.ports import Alert, Begun, NotBegun
from bookend.domain.appointment import Appointment, AppointmentState, Change, ChangeKind, ChangeWhy, Told, WishedBy
from bookend.domain.authority import (
    MOST_CHANGES_PER_DAY,
    MOST_MISSES_PER_CALL,
    MOST_MISSES_PER_DAY,
    Asked,
)
from bookend.domain.cases import Case
from bookend.domain.staff_day import Interval, IntervalState, StaffDays, target_key

_BEGUN = {ChangeKind.MOVE: AppointmentState.MOVING, ChangeKind.CANCEL: AppointmentState.CANCELLING}


class DynamoChanges(ChangeEnds):
    """The `Changes` port on one table."""

    def within(self, deadline: Deadline) -> DynamoChanges:
        return DynamoChanges(self._table.within(deadline))

    def only_while(self, tenant: str, case: Case) -> DynamoChanges:
        return DynamoChanges(self._table.only_if(cases.as_read(self._table, tenant, case)))

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
        """Position 0: the appointment changed. Of a caller's wish, 1: too many today. Of a move elsewhere, next: has
        one there. Then ledgers.
        """
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
        ]
        counts = change.wished_by is WishedBy.CALLER
        if counts:
            actions.append(self._count_change(tenant, appointment, day, now))
        then = replace(appointment, segments=change.segments) if change.segments else appointment
        goes = then.slot.start != appointment.slot.start
        if goes:
            actions.append(self._actions.put_customer_guard(tenant, then))
        places_from = len(actions)
        actions += self._take(tenant, appointment, change, days=days, freeing=freeing, now=now)
        failed = self._table.write(actions)
        if failed is None:
            return Begun(replace(appointment, state=state, change=change, lease=lease, version=appointment.version + 1))
        if 0 in failed.items:
            return NotBegun.APPOINTMENT_CHANGED
        if counts and 1 in failed.items:
            return NotBegun.TOO_MANY
        return NotBegun.CUSTOMER_HAS_ONE if goes and places_from - 1 in failed.items else NotBegun.LEDGER_CHANGED

    def _count_change(self, tenant: str, appointment: Appointment, day: date, now: datetime) -> Action:
        return self._actions.update(
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
        )

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
        wanted = places(appointment.id, change.segments, target_key)
        for (staff, day), slots in sorted(wanted.items()):
            read = days.day(staff, day)
            taken = [Interval(key, slot, IntervalState.PENDING, change.op) for key, slot in slots.items()]
            overlapped = [
                each
                for each in freeing
                if each in read.intervals and any(read.intervals[each].slot.overlaps(slot) for slot in slots.values())
            ]
            yield self._actions.put_ledger(tenant, read, read.rewritten(taken, freeing=overlapped, now=now))

    # What stands between

    def sent(
        self,
        tenant: str,
        appointment: Appointment,
        *,
        lease: datetime,
        now: datetime,
        back: ChangeWhy | None = None,
    ) -> Appointment | None:
        change = appointment.under_way
        after = replace(change, sent_at=now, absent_since=None, back=back or change.back)
        written = self._update(
            tenant,
            appointment,
            "SET #change = :change, #lease = :lease, #due = :lease, #ver = #ver + :one",
            f"{IS_UNDER_WAY} AND #ver = :ver",
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
            IS_UNDER_WAY,
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
            IS_UNDER_WAY,
            names("state", "change", "op", "due", "ver")
            | ({"#absent": "absent_since"} if absent is not None else {})
            | ({"#sent": "sent_at"} if restore is not None else {}),
            {":due": items.epoch(until), ":one": 1}
            | ({":absent": items.text(absent)} if absent is not None else {})
            | ({":sent": items.text(before)} if before is not None else {}),
        )
        return self._table.write([due]) is None
