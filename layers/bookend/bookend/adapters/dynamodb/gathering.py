"""GATHER: bookings that stand here as several appointments become the parts of one, in one transaction.

Nothing is asked of Cal.com and no booking changes: what ends here was never more than a part of what goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from bookend.adapters.dynamodb import items, keys
from bookend.adapters.dynamodb.actions import IS_NEW, Action, Actions, customer_guard_key, names
from bookend.adapters.dynamodb.items import to_wire
from bookend.adapters.dynamodb.keys import Key
from bookend.adapters.dynamodb.messages import messages_of, unsent, void
from bookend.adapters.dynamodb.transact import Table
from bookend.adapters.dynamodb.unverified import no_longer_unverified
from bookend.application.ports import Audit
from bookend.domain.answers import Booking
from bookend.domain.appointment import Appointment
from bookend.domain.case_parts import GATHERED
from bookend.domain.staff_day import Interval, IntervalState, StaffDays, interval_key

_AS_READ = "#state = :CONFIRMED AND #ver = :ver"
_TRIES = 6


@dataclass(frozen=True, slots=True)
class Gathering:
    """One of them: `before` becomes `after`, and `others` end in it."""

    table: Table
    tenant: str
    before: Appointment
    after: Appointment
    others: Sequence[Appointment]
    now: datetime

    def write(self, audit: Audit) -> bool:
        """Position 0: the one that goes on is not as read. Then those that end. All else is read and tried anew."""
        for _ in range(_TRIES):
            failed = self.table.write(list(self._actions(audit)))
            if failed is None:
                return True
            if failed.items.keys() & {*range(1 + len(self.others))}:
                return False
        return False  # what else is in the transaction changes all the time: to be decided anew

    def _actions(self, audit: Audit) -> Iterator[Action]:
        actions = Actions(self.table.name)
        yield self._goes_on(actions)
        yield from (self._ends(actions, each) for each in self.others)
        yield from self._ledgers(actions)
        yield from self._guards(actions)
        yield from self._customer_guards(actions)
        if self.table.get(keys.customer(self.tenant, self.after.customer.id)) is None:
            yield actions.put_customer(self.tenant, self.after.customer, None)
        for each in self.others:
            # What was said of it is said of the one that goes on: nobody may hear that it is cancelled.
            rows = messages_of(self.table, self.tenant, each, _names_nothing(each))
            yield from (void(actions, row, each) for row in unsent(rows))
        yield actions.put_audit(self.tenant, audit, self.now)
        for each in (self.before, *self.others):
            yield from no_longer_unverified(self.table.name, self.tenant, each)
        stylists = dict.fromkeys(each.staff for each in self.after.segments)
        yield from (actions.forget_slots(self.tenant, each) for each in stylists)

    def _goes_on(self, actions: Actions) -> Action:
        after, who = self.after, self.after.customer
        return actions.update(
            keys.appointment(self.tenant, self.before.id),
            "SET #segments = :segments, #start = :start, #service = :service, #customer = :who, #customer_key = :key, "
            "#source = :source, #call = :call, #verified_at = :now, #ver = #ver + :one"
            + (", #amiss = :amiss" if after.amiss is not None else " REMOVE #amiss"),
            _AS_READ,
            names(
                *("state", "segments", "start", "service", "customer", "customer_key", "source", "call"),
                *("verified_at", "ver", "amiss"),
            ),
            {
                ":CONFIRMED": "CONFIRMED",
                ":ver": self.before.version,
                ":one": 1,
                ":start": items.text(after.slot.start),
                ":service": after.service,
                ":who": {"id": who.id, "name": who.name, "email": who.email, "phone": who.phone},
                ":key": keys.customer_partition(self.tenant, who.id),
                ":source": after.source,
                ":call": after.call,
                ":now": items.text(self.now),
            }
            | ({} if after.amiss is None else {":amiss": after.amiss.value}),
            raw={":segments": items.segments_to_wire(after.segments)},
        )

    def _ends(self, actions: Actions, other: Appointment) -> Action:
        return actions.update(
            keys.appointment(self.tenant, other.id),
            "SET #state = :CANCELLED, #why = :why, #ended_at = :now, #ver = #ver + :one",
            _AS_READ,
            names("state", "why", "ended_at", "ver"),
            {
                ":CANCELLED": "CANCELLED",
                ":CONFIRMED": "CONFIRMED",
                ":why": GATHERED,
                ":now": items.text(self.now),
                ":ver": other.version,
                ":one": 1,
            },
        )

    def _ledgers(self, actions: Actions) -> Iterable[Action]:
        """Each part where it stood, under its new name; a flag of a conflict goes with it."""
        gone = (self.before, *self.others)
        parts = [*self.after.segments, *(segment for each in gone for segment in each.segments)]
        touched = sorted({(each.staff, day) for each in parts for day in each.slot.utc_days()})
        found = self.table.get_all([keys.staff_day(self.tenant, staff, day) for staff, day in touched])
        read = StaffDays(
            {(s, d): items.staff_day_from_item(s, d, item) for (s, d), item in zip(touched, found, strict=True)}
        )
        had = {f"{each.id}/" for each in gone}
        for (staff, day), known in read.days.items():
            flagged = [each.slot for each in known.intervals.values() if each.conflict and _is_of(each, had)]
            written = known
            for each in self.others:
                written = written.replaced(each.id, (), now=self.now)
            entries = [
                Interval(
                    interval_key(self.after.id, each.index),
                    each.slot,
                    IntervalState.CONFIRMED,
                    self.after.op,
                    conflict=each.slot in flagged,
                )
                for each in self.after.segments
                if each.staff == staff and day in each.slot.utc_days()
            ]
            yield actions.put_ledger(self.tenant, known, written.replaced(self.after.id, entries, now=self.now))

    def _guards(self, actions: Actions) -> Iterable[Action]:
        """Every booking is the part of the one that goes on; it had no other owner than those that are gathered."""
        owners = {segment.uid: each.id for each in self.others for segment in each.segments}
        for segment in self.after.segments:
            ids: list[Key] = [keys.booking_uid(self.tenant, segment.uid)] if segment.uid is not None else []
            if segment.booking_id is not None:
                ids.append(keys.booking_id(self.tenant, segment.booking_id))
            for key in ids:
                owner = to_wire({"appt": self.after.id, "seg": segment.index})
                was = {":me": self.after.id, ":of": owners.get(segment.uid, self.before.id)}
                yield actions.put(key | owner, f"{IS_NEW} OR #appt = :me OR #appt = :of", was, "appt")

    def _customer_guards(self, actions: Actions) -> Iterable[Action]:
        """The customer's time is where the whole begins; if somebody else has that, it stands without."""
        new = customer_guard_key(self.tenant, self.after)
        mine = {each.id: customer_guard_key(self.tenant, each) for each in (self.before, *self.others)}
        known = {_name(key): self.table.get(key) for key in (new, *mine.values())}
        for each in (self.before, *self.others):
            item = known[_name(mine[each.id])]
            if item is not None and item["appt"]["S"] == each.id and mine[each.id] != new:
                yield actions.drop_customer_guard(self.tenant, each)
        owner = known[_name(new)]
        if owner is None:
            yield actions.put_customer_guard(self.tenant, self.after)
        elif (was := owner["appt"]["S"]) in mine and was != self.after.id:
            here = "attribute_exists(#pk) AND #appt = :was"
            yield actions.put(new | to_wire({"appt": self.after.id}), here, {":was": was}, "appt")


def _is_of(interval: Interval, had: set[str]) -> bool:
    return any(interval.key.startswith(each) for each in had)


def _name(key: Key) -> tuple[str, str]:
    return key["pk"]["S"], key["sk"]["S"]


def _names_nothing(appointment: Appointment) -> Booking:
    """A booking that names no operation, so that the messages are the appointment's own."""
    slot = appointment.slot
    return Booking("", 0, "", slot.start, slot.end, None, None, None, None, ())
