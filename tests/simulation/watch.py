"""What must hold in every instant, looked at whenever a write took effect; and how often the rare states were reached.

Only what the write touched is looked at: the staff days, the appointments on them, their guards. That is enough, since
nothing else has changed, and it is cheap enough to be done each time.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date
from typing import Any

from bookend.adapters.dynamodb import items, keys
from bookend.domain.answers import Booking
from bookend.domain.appointment import Appointment, AppointmentState
from bookend.domain.staff_day import IntervalState
from bookend.domain.timeslot import Slot
from tests.simulation.baton import Actor, Baton
from tests.simulation.calendar import SimulatedCalendar
from tests.simulation.store import SimulatedTable, keys_of
from tests.support import invariants

_OVER = frozenset({AppointmentState.FAILED, AppointmentState.CANCELLED})
STANDING = frozenset({AppointmentState.CONFIRMED, AppointmentState.MOVING, AppointmentState.CANCELLING})
"""Its customer has it, whatever is being done about it."""


LEGEND = {
    "I1": "two live times of a stylist overlap",
    "I2": "the ledger has not exactly the times of open and confirmed appointments, and what is kept for offers",
    "I3": "a confirmed appointment is not an accepted booking of the same place, or something lives on without one",
    "I4": "a booking has two appointments, or a customer one twice",
    "I5": "what was said is not so",
    "I6": "what was open has not come to its end",
    "I7": "an event was not worked on to its end",
    "I8": "a message too many, too few, or untrue",
    "I9": "a booking that was accepted in time, and as asked, did not live",
    "P3": "somebody else's booking, or one that was never made, is confirmed",
    "P7": "a turn took longer than is promised",
    "T2": "a time is read out that is not the calendar's",
    "M1": "one tenant touches what is another's",
    "M2": "one tenant waits for the work of another",
    "A1": "the audit has not recorded it, or its chain does not hold",
    "A2": "a change of an appointment has no entry of its own",
    "A3": "the counters are not what was recorded",
    "EQ": "Cal.com and the ledger differ in the end",
    "EX": "an exception nobody expected",
}
"""How each breach begins, and what it says. They are no incidents: those are called I1 to I5 as well."""
PROMISE = {
    "I1": "P1",
    "I2": "P1",
    "I3": "P3",
    "I4": "P2",
    "I5": "P4",
    "I6": "P4",
    "I7": "P5",
    "I8": "P4",
    "I9": "P4",
    "P3": "P3",
    "P7": "P7",
    "T2": "P4",
    "M1": "P6",
    "M2": "P7",
    "A1": "P5",
    "A2": "P5",
    "A3": "P5",
    "EQ": "P3",
    "EX": "any",
}
"""Which of the promises in README each is about."""


class Breach(Exception):
    """Something that must never be so, is so."""


def raised_where(error: BaseException) -> str:
    """An exception, the product's innermost line, and the one that raised it where that is of the world around it."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [each for each in frames if "/layers/" in each.filename or "/functions/" in each.filename]
    shown = [*ours[-1:], *(each for each in frames[-1:] if each not in ours[-1:])]
    lines = "".join(traceback.format_list(shown)) + "".join(traceback.format_exception_only(error))
    return lines.rstrip()


def _names_one_of(uids: Collection[str], look: invariants.World, breach: str) -> bool:
    """Whether an appointment that a breach names has one of these bookings."""
    named = [each for name, each in look.appointments.items() if name in breach.split()]
    return any(str(part.uid) in uids for each in named for part in each.segments)


class Watch:
    """Looks on. `history` has, by appointment, every state it was in and since when, with its operation."""

    def __init__(self, baton: Baton, tenant: Any, saw: Counter[str] | None = None) -> None:
        self.baton, self.tenant = baton, tenant
        self.saw: Counter[str] = Counter() if saw is None else saw
        self.table: SimulatedTable
        self.calendar: SimulatedCalendar
        self.history: dict[str, list[tuple[float, Appointment]]] = {}
        self.conflicts: set[str] = set()
        self.checks = 0
        self._offers: dict[str, dict[tuple[str, str], str | None]] = {}
        self._on_day: dict[tuple[str, date], set[str]] = {}
        self._hosts = {each.id: each.calcom_user for each in tenant.staff}

    def committed(self, parameters: Mapping[str, Any]) -> None:
        """A write took effect in this instant."""
        look = invariants.World(
            now=self.baton.now(), placeholder_domain=self.tenant.placeholder_domain, hosts=self._hosts, bookings=[]
        )
        names: set[str] = set()
        days: set[tuple[str, date]] = set()
        for key in keys_of(parameters):
            kind, _, rest = key["pk"]["S"].partition("#")[2].partition("#")[2].partition("#")
            row = self.table.row(key)
            match kind:
                case "APPT" if row is not None:
                    self._changed(items.appointment_from_item(rest, row))
                    names.add(rest)
                case "STAFF" if row is not None:
                    day = date.fromisoformat(key["sk"]["S"].removeprefix("DAY#"))
                    days.add((rest, day))
                    names |= self._day(rest, day, row)
                case "CALL" if row is not None:
                    offers = items.call_from_item(rest, row).offers
                    self._offers[rest] = {(each.id, each.op): each.moving for each in offers}
                case "CUST" if row is not None:
                    look.customer_guards[rest] = row["appt"]["S"]
                    names.add(row["appt"]["S"])
                case _ if key["pk"]["S"].startswith("CIRCUIT#") and row is not None:
                    self._breaker(row["state"]["S"])
        if not names and not days:
            return
        self._fill(look, names, days)
        self.checks += 1
        found = list(self._unsound(look))
        if found:
            self.baton.fail(Breach("; ".join(found[:3])))

    def _fill(self, look: invariants.World, names: set[str], days: set[tuple[str, date]]) -> None:
        """The touched days and appointments, and whatever they name."""
        known: set[tuple[str, date]] = set()
        while days - known or names - look.appointments.keys():
            for place in days - known:
                known.add(place)
                row = self.table.row(keys.staff_day(self.tenant.id, *place))
                if row is None:
                    continue
                look.ledger[place] = dict(items.staff_day_from_item(*place, row).intervals)
                held = IntervalState.HELD
                names |= {key.partition("/")[0] for key, each in look.ledger[place].items() if each.state is not held}
            for name in names - look.appointments.keys():
                row = self.table.row(keys.appointment(self.tenant.id, name))
                if row is None:
                    names = names - {name}  # an interval of nobody's: said below
                    continue
                appointment = look.appointments[name] = items.appointment_from_item(name, row)
                if appointment.state in _OVER:
                    continue
                segments = [*appointment.segments, *(appointment.change.segments if appointment.change else ())]
                days |= {(each.staff, day) for each in segments for day in each.slot.utc_days()}
                for each in appointment.segments:
                    if each.uid is not None and each.booking_id is not None:
                        self._guard(look, each.uid, keys.booking_uid(self.tenant.id, each.uid))
                        self._guard(look, str(each.booking_id), keys.booking_id(self.tenant.id, each.booking_id))
        for offers in self._offers.values():
            for (offer, op), moving in offers.items():
                look.offers.add((offer, op))
                if moving is not None:
                    look.offered_to_move[offer] = moving

    def _guard(self, look: invariants.World, name: str, key: Mapping[str, Any]) -> None:
        row = self.table.row(key)
        if row is not None:
            look.guards[name] = row["appt"]["S"]

    def _unsound(self, look: invariants.World) -> Iterable[str]:
        appointments, look.appointments = look.appointments, {}
        yield from invariants._no_overlap(look)  # of the ledger: who is confirmed beside a conflict is flagged there
        look.appointments = appointments
        yield from invariants._ledger_is_the_appointments(look)
        yield from (each for each in invariants._one_owner(look) if not self.is_twice_by_hand(look, each))

    def is_twice_by_hand(self, look: invariants.World, breach: str) -> bool:
        """Whether a customer has two at one time because others have put one of them there: nobody can refuse that."""
        return breach.startswith("I4 customer has ") and _names_one_of(self.calendar.placed, look, breach)

    def stands_by_others(self, look: invariants.World, breach: str) -> bool:
        """Whether one that a breach names stands where others have put it, since Cal.com let them, or where Cal.com has
        by itself: a booking that came out longer than asked, and was seen as that only after it was confirmed.
        """
        return _names_one_of(self.calendar.by_hand | self.calendar.longer, look, breach)

    # What is rare

    def _changed(self, now_is: Appointment) -> None:
        history = self.history.setdefault(now_is.id, [])
        before = history[-1][1] if history else None
        history.append((self.baton.at, now_is))
        actor = self.baton.actor
        who = actor.name if actor is not None else ""
        if before is None or before.state is not now_is.state:
            self.baton.note(".", f"{now_is.id[:6]} is {now_is.state} ({now_is.why or now_is.told})")
            self._count_states(before, now_is, who)
        if actor is not None and now_is.call and (before is None or before.state is not now_is.state):
            actor.phase = {
                AppointmentState.PENDING: "started",
                AppointmentState.MOVING: "began a change",
                AppointmentState.CANCELLING: "began a change",
            }.get(now_is.state, "")
        self._confirmed_as_there(before, now_is)

    def _count_states(self, before: Appointment | None, now_is: Appointment, who: str) -> None:
        saw, state, was = self.saw, now_is.state, before.state if before is not None else None
        told = f"{was} -> {state}"
        saw[told] += 1
        open_before = was in {AppointmentState.PENDING, AppointmentState.COMPENSATING}
        by = who.partition("/")[0]
        if open_before and by == "sweeper":
            saw["the sweeper settled"] += 1
        if open_before and "/hook" in who:
            saw["an event settled"] += 1
        if open_before and "/job" in who:
            saw["a job settled"] += 1
        if open_before and by in {"poll", "nightly"}:
            saw["a reconciliation settled"] += 1
        if before is not None and by == "remedy":
            saw["a remedy changed something"] += 1
        if state is AppointmentState.COMPENSATING:
            composite = self.tenant.service(now_is.service)
            saw["a composite was undone" if composite is not None and composite.is_composite else "was undone"] += 1
        if before is not None and before.change is not None and before.change.keep_until is not None:
            last = now_is.last_change
            done = last is not None and last.end.value == "done"
            saw["a kept wish was done" if done else "a kept wish came to nothing"] += 1
        if was is None and state is AppointmentState.CONFIRMED and now_is.source == "phone":
            saw["a late booking was given to who waited"] += 1

    def _confirmed_as_there(self, before: Appointment | None, now_is: Appointment) -> None:
        """P3: "confirmed" is written only of bookings that were made at Cal.com, as they are written."""
        if now_is.state is not AppointmentState.CONFIRMED or (
            before is not None and [each.uid for each in before.segments] == [each.uid for each in now_is.segments]
        ):
            return
        for each in now_is.segments:
            made = self.calendar.made.get(each.uid or "")
            if made is None or made.id != each.booking_id:
                self.baton.fail(Breach(f"P3 {now_is.id} is confirmed with {each.uid}, which was never made"))
                continue
            ours = now_is.source == "phone" and not now_is.op.startswith("adopt-")
            if ours and made.metadata.get("op_id") != now_is.op:
                self.baton.fail(Breach(f"P3 {now_is.id} is confirmed with {each.uid}, which is somebody else's"))

    def _day(self, staff: str, day: date, row: Mapping[str, Any]) -> set[str]:
        """Whose time was on it before this write: whoever is not on it any more must have gone by a right."""
        intervals = items.staff_day_from_item(staff, day, dict(row)).intervals
        flagged = {key for key, each in intervals.items() if each.conflict} - self.conflicts
        self.conflicts |= flagged
        self.saw["a conflict was taken in"] += len(flagged)
        before = self._on_day.get((staff, day), set())
        held = IntervalState.HELD
        self._on_day[staff, day] = {key.partition("/")[0] for key, each in intervals.items() if each.state is not held}
        return before

    def _breaker(self, state: str) -> None:
        self.saw[f"breaker {state}"] += 1

    def died(self, actor: Actor) -> None:
        """Somebody's death, by what they were about."""
        self.saw["deaths"] += 1
        if actor.phase:
            self.saw[f"died having {actor.phase}"] += 1

    def was_released(self, booking: Booking) -> bool:
        """Whether whoever asked for it has been given up by now."""
        history = self.history.get(booking.metadata.get("appointment", ""), [])
        return bool(history) and history[-1][1].state is AppointmentState.FAILED

    def was_confirmed(self, name: str, since: float) -> bool:
        """Whether the appointment was confirmed at some moment from `since` on."""
        history = self.history.get(name, [])
        before = [each for at, each in history if at <= since][-1:]
        after = [each for at, each in history if at > since]
        return any(each.state in STANDING for each in [*before, *after])

    def states(self, customer: str, since: float) -> Iterator[Appointment]:
        """Every state that a customer's appointments were in at some moment from `since` on."""
        for history in self.history.values():
            if history[-1][1].customer.id == customer:
                yield from [each for at, each in history if at <= since][-1:]
                yield from (each for at, each in history if at > since)

    def stood(self, customer: str, since: float) -> tuple[set[Slot], set[Slot]]:
        """What a customer had at some moment from `since` on (open, or confirmed), and what all the time."""
        some, always = set[Slot](), set[Slot]()
        for history in self.history.values():
            if history[-1][1].customer.id != customer:
                continue
            was = [each for at, each in history if at <= since][-1:]
            states = [*was, *(each for at, each in history if at > since)]
            had = [each.slot for each in states if each.state not in _OVER]
            some |= {*had}
            if was and len(had) == len(states) and len({*had}) == 1:
                always |= {*had}
        return some, always
