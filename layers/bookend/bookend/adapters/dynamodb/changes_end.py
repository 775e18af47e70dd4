"""How moves and cancellations end in the table: MOVED, CANCELLED, GIVEN UP.

Each is one transaction for all parts of the appointment, and each staff day is one item of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, assert_never

from bookend.adapters.dynamodb import items, keys
from bookend.adapters.dynamodb.actions import Action, Actions, customer_guard_key, names
from bookend.adapters.dynamodb.items import to_wire
from bookend.adapters.dynamodb.messages import unsent, void
from bookend.adapters.dynamodb.transact import Table
from bookend.adapters.dynamodb.unverified import no_longer_unverified
from bookend.application.ports import Alert, Audit
from bookend.domain.answers import Booking
from bookend.domain.appointment import (
    Amiss,
    Appointment,
    BookedSegment,
    Change,
    ChangeEnd,
    ChangeEnded,
    ChangeKind,
    ChangeWhy,
    Told,
    WishedBy,
)
from bookend.domain.drift import CANCELLED_THERE
from bookend.domain.move_answers import as_it_stands, with_booking
from bookend.domain.staff_day import Interval, IntervalState, interval_key, target_key
from bookend.domain.timeslot import Slot

IS_UNDER_WAY = "#state IN (:MOVING, :CANCELLING) AND #change.#op = :change_op"
_NOBODY_WAITS = f"{IS_UNDER_WAY} AND #change.#told <> :open"
_NOT_ANOTHERS = "attribute_not_exists(#pk) OR #appt = :me"
_ENDS = "#last = :last, #last_ver = #ver + :one, #ver = #ver + :one REMOVE #change, #lease, #due, #due_shard"
"""How every change ends; `last_ver` is the version that the appointment has right after."""
_LAST = {"last": "last_change", "last_ver": "last_ver"}
_STATES = {":MOVING": "MOVING", ":CANCELLING": "CANCELLING"}
_TEXT = {
    (ChangeKind.MOVE, ChangeEnd.DONE): "moved",
    (ChangeKind.MOVE, ChangeEnd.NOT_DONE): "not_moved",
    (ChangeKind.CANCEL, ChangeEnd.DONE): "cancelled",
    (ChangeKind.CANCEL, ChangeEnd.NOT_DONE): "not_cancelled",
}


class ChangeEnds:
    """Part of the `Changes` port on one table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._actions = Actions(table.name)

    def moved(
        self,
        tenant: str,
        appointment: Appointment,
        bookings: Mapping[int, Booking],
        *,
        told: Told,
        audit: Audit | None,
        now: datetime,
    ) -> bool:
        """Position 0: it has ended. Then guards of the new bookings, old uids, ledgers, the customer's old guard."""
        change, several = appointment.under_way, len(appointment.segments) > 1
        stays = {each.index: each for each in appointment.segments}
        segments = tuple(
            with_booking(each, bookings[each.index], several=several) if each.index in bookings else stays[each.index]
            for each in change.segments
        )
        after = replace(appointment, segments=segments)
        newest = max((each.updated_at for each in bookings.values() if each.updated_at is not None), default=now)
        done = self._update(
            tenant,
            appointment,
            "SET #state = :CONFIRMED, #segments = :segments, #start = :start, #cal_updated = :cal, "
            f"#verified_at = :now, #moves = if_not_exists(#moves, :zero) + :by, {_ENDS}, #amiss",
            IS_UNDER_WAY,
            names(
                *("state", "segments", "start", "cal_updated", "verified_at", "moves", "ver", "amiss"),
                *("change", "op", "lease", "due", "due_shard"),
                **_LAST,
            ),
            {
                ":CONFIRMED": "CONFIRMED",
                ":start": items.text(after.slot.start),
                ":cal": items.text(newest),
                ":now": items.text(now),
                ":zero": 0,
                ":one": 1,
                ":by": 1 if change.wished_by is WishedBy.CALLER else 0,  # what others want is no move of its customer's
            },
            raw={":segments": items.segments_to_wire(segments), ":last": _ended(change, ChangeEnd.DONE)},
        )
        actions = [
            done,
            *self._own_anew(tenant, appointment, after),
            *self._rewrite(tenant, appointment, change, segments),
            self._text(tenant, appointment, change, ChangeEnd.DONE, told, now),
            *([self._actions.put_audit(tenant, audit, now)] if audit is not None else []),
            *no_longer_unverified(self._table.name, tenant, appointment),
            *self._actions.forget_slots_of(tenant, replace(after, segments=(*appointment.segments, *segments))),
        ]
        return self._write(tenant, actions, appointment, keeps_guard=after.slot.start == appointment.slot.start)

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
        seen = booking.updated_at if booking is not None else None
        done = self._update(
            tenant,
            appointment,
            "SET #state = :CANCELLED, #why = :why, #ended_at = :now, "
            + ("#cal_updated = :cal, " if seen is not None else "")
            + _ENDS,
            IS_UNDER_WAY,
            names(
                *("state", "why", "ended_at", "ver", "change", "op", "lease", "due", "due_shard"),
                *(["cal_updated"] if seen is not None else []),
                **_LAST,
            ),
            {
                ":CANCELLED": "CANCELLED",
                ":why": _why_cancelled(change),
                ":now": items.text(now),
                ":one": 1,
            }
            | ({":cal": items.text(seen)} if seen is not None else {}),
            raw={
                ":last": _ended(change, ChangeEnd.DONE)
                if change.kind is ChangeKind.CANCEL
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
            *no_longer_unverified(self._table.name, tenant, appointment),
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
        seen: Mapping[int, Booking] | None = None,
        amiss: Amiss | None = None,
    ) -> bool:
        """Position 0: it has ended, or somebody waits for a message. The rest cannot fail while 0 holds."""
        change = appointment.under_way
        after = replace(appointment, segments=as_it_stands(appointment, seen or {}))
        as_it_was, begins = after.segments == appointment.segments, after.slot.start
        back = self._update(
            tenant,
            appointment,
            "SET #state = :CONFIRMED, "
            + ("#answer = :answer, " if answer else "")
            + ("" if as_it_was else "#segments = :segments, #start = :start, ")
            + ("" if amiss is None else "#amiss = :amiss, ")
            + _ENDS,
            IS_UNDER_WAY if owes_text else _NOBODY_WAITS,
            names(
                *("state", "ver", "change", "op", "lease", "due", "due_shard"),
                *([] if owes_text else ["told"]),
                *(["answer"] if answer else []),
                *([] if as_it_was else ["segments", "start"]),
                *([] if amiss is None else ["amiss"]),
                **_LAST,
            ),
            {":CONFIRMED": "CONFIRMED", ":one": 1}
            | ({} if owes_text else {":open": Told.PENDING.value})
            | ({":answer": answer} if answer else {})
            | ({} if as_it_was else {":start": items.text(begins)})
            | ({} if amiss is None else {":amiss": amiss.value}),
            raw={":last": _ended(change, ChangeEnd.NOT_DONE, why)}
            | ({} if as_it_was else {":segments": items.segments_to_wire(after.segments)}),
        )
        named = replace(appointment, op=change.op)
        goes_there = bool(change.segments) and begins == change.slot.start != appointment.slot.start
        actions = [
            back,
            *self._own_anew(tenant, appointment, after),
            *self._rewrite(tenant, appointment, change, after.segments),
            *([] if goes_there else self._drop_target_guard(tenant, appointment, change)),
            *([self._text(tenant, appointment, change, ChangeEnd.NOT_DONE, change.told, now)] if owes_text else []),
            *self._actions.put_alerts(tenant, named, alert, now),
            *([self._actions.put_audit(tenant, audit, now)] if audit is not None else []),
            *self._actions.forget_slots_of(
                tenant, appointment if as_it_was else replace(after, segments=(*appointment.segments, *after.segments))
            ),
        ]
        if begins != appointment.slot.start:
            return self._write(tenant, actions, appointment)
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

    def _write(
        self, tenant: str, actions: list[Action], appointment: Appointment, *, keeps_guard: bool = False
    ) -> bool:
        """With what may have gone already: the customer's guard, and earlier messages that nobody has sent.

        Others' bookings may stand on another's guard, and a message may be sent at this moment. Then without those.
        `keeps_guard`: it begins when it began.
        """
        delete = {
            "Key": customer_guard_key(tenant, appointment),
            "ConditionExpression": _NOT_ANOTHERS,
            "ExpressionAttributeNames": names("pk", "appt"),
            "ExpressionAttributeValues": to_wire({":me": appointment.id}),
            "TableName": self._table.name,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        besides = [*self._void_earlier(tenant, appointment), *([] if keeps_guard else [{"Delete": delete}])]
        failed = self._table.write([*actions, *besides])
        if failed is not None and min(failed.items) >= len(actions):
            besides = [each for number, each in enumerate(besides, len(actions)) if number not in failed.items]
            failed = self._table.write([*actions, *besides])
        return failed is None

    def _drop_target_guard(self, tenant: str, appointment: Appointment, change: Change) -> list[Action]:
        if not change.segments or change.slot.start == appointment.slot.start:
            return []
        return [self._actions.drop_customer_guard(tenant, replace(appointment, segments=change.segments))]

    def _own_anew(self, tenant: str, before: Appointment, after: Appointment) -> Iterable[Action]:
        """The new uids and ids are the appointment's; the old uids stay, and point to those that came after them."""
        had = {each.index: each.uid for each in before.segments}
        fresh = [each for each in after.segments if each.uid != had[each.index]]
        for each in fresh:
            yield from self._actions.booking_guards(tenant, after, each)
        for each in fresh:
            old = had[each.index]
            if old is not None:
                yield self._actions.supersede(tenant, before, old, each.uid)

    def _rewrite(
        self, tenant: str, appointment: Appointment, change: Change, after: tuple[BookedSegment, ...]
    ) -> Iterable[Action]:
        """Each staff day once: where it was to go is free, and each part has the interval where it stands now."""
        stood = places(appointment.id, appointment.segments, interval_key)
        wanted = places(appointment.id, change.segments, target_key)
        stands = places(appointment.id, after, interval_key)
        for place in sorted({*stood, *wanted, *stands}):
            before, now = stood.get(place, {}), stands.get(place, {})
            free, gone = sorted(wanted.get(place, {})), sorted(before.keys() - now.keys())
            new = [(key, slot) for key, slot in sorted(now.items()) if before.get(key) != slot]
            if free or gone or new:
                yield self._rewrite_day(tenant, place, appointment, change, free=free, gone=gone, new=new)

    def _rewrite_day(
        self,
        tenant: str,
        place: tuple[str, date],
        appointment: Appointment,
        change: Change,
        *,
        free: Sequence[str],
        gone: Sequence[str],
        new: Sequence[tuple[str, Slot]],
    ) -> Action:
        """`free` and `gone` are keys of P and C that go, on the condition that they are this change's and ours."""
        staff, day = place
        aliases = {
            **{f"t{number}": key for number, key in enumerate(free)},
            **{f"k{number}": key for number, key in enumerate(gone)},
            **{f"n{number}": key for number, (key, _) in enumerate(new)},
        }
        removed = ", ".join(f"#iv.#{alias}" for alias in aliases if not alias.startswith("n"))
        sets = "".join(f"#iv.#n{number} = :n{number}, " for number in range(len(new)))
        conditions = [f"#iv.#t{number}.#op = :op AND #iv.#t{number}.#st = :P" for number in range(len(free))]
        conditions += [f"#iv.#k{number}.#op = :own AND #iv.#k{number}.#st = :C" for number in range(len(gone))]
        entries = [Interval(key, slot, IntervalState.CONFIRMED, appointment.op) for key, slot in new]
        return self._actions.update(
            keys.staff_day(tenant, staff, day),
            f"SET {sets}#v = #v + :one" + (f" REMOVE {removed}" if removed else ""),
            " AND ".join(conditions) or "attribute_exists(#iv)",
            names("iv", "v", **({"op": "op", "st": "st"} if conditions else {}), **aliases),
            {":one": 1}
            | ({":op": change.op, ":P": "P"} if free else {})
            | ({":own": appointment.op, ":C": "C"} if gone else {})
            | {f":n{number}": items.interval_to_map(each) for number, each in enumerate(entries)},
        )

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
        by_us, what = change.wished_by is not WishedBy.PERSON, _TEXT[change.kind, end]
        return self._actions.put_outbox(tenant, replace(appointment, op=change.op), what, told, now, by_us=by_us)


def _why_cancelled(change: Change) -> str:
    if change.kind is not ChangeKind.CANCEL:
        return CANCELLED_THERE
    match change.wished_by:
        case WishedBy.CALLER:
            return "cancelled_by_customer"
        case WishedBy.PERSON:
            return "cancelled_by_salon"
        case WishedBy.PART:
            return CANCELLED_THERE
        case other:
            assert_never(other)


def _ended(change: Change, end: ChangeEnd, why: ChangeWhy = ChangeWhy.NONE) -> Any:
    return items.ended_to_wire(ChangeEnded(change.op, change.kind, end, why))


def places(
    appointment: str, segments: Iterable[BookedSegment], key_of: Callable[[str, int], str]
) -> dict[tuple[str, date], dict[str, Slot]]:
    """What the segments take of each staff day, by the ledger's keys: a transaction may name an item only once."""
    found: dict[tuple[str, date], dict[str, Slot]] = {}
    for each in segments:
        for day in each.slot.utc_days():
            found.setdefault((each.staff, day), {})[key_of(appointment, each.index)] = each.slot
    return found
