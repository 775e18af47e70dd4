"""A salon whose both sides are equal, of any size, and every way in which they can come to differ.

    world = SeededWorld.grown(2_000)
    seed = world.seed("end")
    report = world.finish(world.full())

The bookings are put straight into the table as the adapters leave them: three stylists, half an hour each, with room
between. Names, addresses and numbers are canaries: none of them may turn up outside of appointments.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from bookend.adapters.dynamodb import items, keys
from bookend.adapters.dynamodb.adoptions import DynamoAdoptions
from bookend.adapters.dynamodb.changes import DynamoChanges
from bookend.adapters.dynamodb.due import DynamoDueWork
from bookend.adapters.dynamodb.items import to_wire
from bookend.adapters.dynamodb.runs import DynamoRuns
from bookend.application.background import Background
from bookend.application.budget import Limits
from bookend.application.deadline import Deadline
from bookend.application.findings import Report
from bookend.application.ports import Run, RunKind, Runs
from bookend.application.reconciling import DAYS_AHEAD, new_full, new_poll, reconcile
from bookend.domain.answers import Booking, booking_metadata
from bookend.domain.appointment import Appointment, AppointmentState, BookedSegment, Told
from bookend.domain.contacts import Customer
from bookend.domain.staff_day import Interval, IntervalState, StaffDay, interval_key
from bookend.domain.timeslot import Slot
from tests.support.salon import HeardAlerts, Salon

CUTS = {"fabian": 3672814, "emma": 3672815, "udo": 3672816}
MINUTE_OF = {"fabian": 0, "emma": 30, "udo": 0}
CANARIES = ("Kanari", "kanari", "4917099")
"""Parts of every customer's name, address and number."""
LONG_AGO = timedelta(days=3)
"""How old everything is that is equal, so that a first poll does not list it."""
_HOURS = range(7, 17)


@dataclass(frozen=True)
class Seed:
    """One difference: what it concerns, and what is to be found and done about it."""

    name: str
    drift: str
    repair: str
    appointments: tuple[str, ...] = ()
    uids: tuple[str, ...] = ()
    days: tuple[tuple[str, date], ...] = ()

    @property
    def destructive(self) -> bool:
        return self.repair in {"End", "CancelOrphan"}

    @property
    def flagged(self) -> bool:
        return self.repair in {"Flag", "flag"}


class SeededWorld:
    """A salon, the run's ports, and what is known to be in it."""

    def __init__(self, salon: Salon | None = None) -> None:
        self.salon = salon or Salon()
        self.tenant = self.salon.tenant
        self.clock, self.calendar, self.client = self.salon.clock, self.salon.calendar, self.salon.client
        self.alerts = self.salon.alerts
        self.adoptions = DynamoAdoptions(self.salon.table)
        self.runs = DynamoRuns(self.salon.table)
        self.due_work = DynamoDueWork(self.salon.table)
        self.known: list[Appointment] = []
        self.seeds: list[Seed] = []
        self._names = itertools.count(1)
        self._spare = itertools.count(0)

    # What is there, on both sides

    @classmethod
    def grown(cls, size: int, *, days: int = 91) -> SeededWorld:
        """`size` appointments over `days` days from today, the same on both sides."""
        world = cls()
        today = world.clock.now().date()
        every = [
            (today + timedelta(days=number), hour, staff) for hour in _HOURS for number in range(days) for staff in CUTS
        ]
        while len(every) < size:  # more stylists' worth of time than there is: overlaps do not matter to the comparison
            every += every
        ledger: dict[tuple[str, date], dict[str, Interval]] = {}
        for day, hour, staff in sorted(every[:size]):
            start = datetime(day.year, day.month, day.day, hour, MINUTE_OF[staff], tzinfo=UTC)
            made = world.add(staff, start)
            segment = made.segments[0]
            key = interval_key(made.id, 0)
            interval = Interval(key, segment.slot, IntervalState.CONFIRMED, made.op)
            ledger.setdefault((staff, day), {})[key] = interval
        for (staff, day), intervals in ledger.items():
            world.put(items.staff_day_to_item(world.tenant.id, StaffDay(staff, day, len(intervals), intervals)))
        return world

    def add(self, staff: str, start: datetime) -> Appointment:
        """One appointment and its booking; every third was made by others and adopted."""
        number = next(self._names)
        adopted = number % 3 == 0
        at = self.clock.now() - LONG_AGO
        host = self.tenant.member(staff).calcom_user
        made = self.appointment(f"a{number:05d}", staff, start, host=host, uid=f"u{number:05d}", booking_id=number)
        if adopted:
            made = replace(made, source="calcom", call="", request="", told=Told.NOTHING, op=f"adopt-{number}")
        self.put(items.appointment_to_item(self.tenant.id, replace(made, calendar_updated_at=at)))
        self.put_guards(made)
        if not adopted:
            guard = keys.customer_guard(self.tenant.id, made.customer.id, start, made.service)
            self.put(guard | to_wire({"appt": made.id}))
        segment = made.segments[0]
        self.calendar.bookings[segment.uid] = self.booking_of(made, **({"metadata": {}} if adopted else {}))
        self.known.append(made)
        return made

    def appointment(
        self, name: str, staff: str, start: datetime, *, minutes: int = 30, host: int | None = None, **changed: Any
    ) -> Appointment:
        """One of ours, confirmed unless said otherwise; nothing is written."""
        uid, booking_id = changed.pop("uid", None), changed.pop("booking_id", None)
        segment = BookedSegment(0, staff, Slot.of(start, minutes), CUTS[staff], uid, booking_id, host)
        who = Customer(f"c-{name}", f"Kanari Vogel {name}", f"kanari.{name}@kunde.example", f"+4917099{name[1:]}")
        made = Appointment(
            id=name,
            state=AppointmentState.CONFIRMED,
            op=f"op-{name}",
            version=2,
            service="herrenhaarschnitt",
            segments=(segment,),
            customer=who,
            call=f"call-{name}",
            source="phone",
            created_at=self.clock.now() - LONG_AGO,
            request=f"wish-{name}",
            told=Told.BOOKED,
            verified_at=self.clock.now() - LONG_AGO,
        )
        return replace(made, **changed)

    def booking_of(self, appointment: Appointment, **changed: Any) -> Booking:
        """What Cal.com has of it."""
        segment = appointment.segments[0]
        labels = booking_metadata(op=appointment.op, appointment=appointment.id, segment=0, call=appointment.call)
        made = Booking(
            uid=segment.uid or "",
            id=segment.booking_id or 0,
            status="accepted",
            start=segment.slot.start,
            end=segment.slot.end,
            created_at=appointment.created_at,
            updated_at=appointment.created_at,
            host=self.tenant.member(segment.staff).calcom_user,
            event_type=segment.event_type,
            attendees=(appointment.customer.email,),
            metadata=labels,
            attendee_name=appointment.customer.name,
            attendee_phone=appointment.customer.phone,
        )
        return replace(made, **changed)

    def put(self, item: dict[str, Any]) -> None:
        self.client.put_item(TableName=self.salon.table_name, Item=item)

    def put_guards(self, appointment: Appointment) -> None:
        """The uid and id of each segment are this appointment's."""
        tenant = self.tenant.id
        for segment in appointment.segments:
            owner = to_wire({"appt": appointment.id, "seg": segment.index})
            self.put(keys.booking_uid(tenant, str(segment.uid)) | owner)
            self.put(keys.booking_id(tenant, int(segment.booking_id or 0)) | owner)

    # Differences

    def seed(self, name: str) -> Seed:
        """Make the two sides differ in this way, at a place where nothing differs yet."""
        found = SEEDS[name](self, name)
        self.seeds.append(found)
        return found

    def pick(self, staff: str = "fabian") -> Appointment:
        """One of ours (no adopted one) that nothing was done to; each is further on, over all the days."""
        ours = [each for each in self.known if each.staff == staff and each.source == "phone"]
        return ours[(next(self._spare) * 37 + 5) % len(ours)]

    def gap(self) -> datetime:
        """Half an hour in which Fabian has nothing."""
        return self.pick().slot.start + timedelta(minutes=30)

    def failed(self, *, told: Told, text: str | None, start: datetime | None = None) -> tuple[Appointment, Booking]:
        """An operation of ours that was given up, whose booking came all the same."""
        number = next(self._names)
        start = start or self.gap()
        made = self.appointment(
            *(f"f{number:05d}", "fabian", start),
            state=AppointmentState.FAILED,
            told=told,
            version=4,
            verified_at=None,
        )
        self.put(items.appointment_to_item(self.tenant.id, made))
        if text is not None:
            values = {"kind": "not_booked", "appt": made.id, "told": told.value, "state": text, "at": "x", "ttl": 1}
            self.put(keys.outbox(self.tenant.id, made.op) | to_wire(values))
        now = self.clock.now()
        late = self.booking_of(made, uid=f"late{number}", id=20_000_000 + number, created_at=now, updated_at=now)
        self.calendar.bookings[late.uid] = late
        return made, late

    def open_one(self, *, lease: timedelta = -timedelta(minutes=5), booked: bool = True) -> Appointment:
        """An operation whose outcome nobody has written down, long past its lease."""
        number = next(self._names)
        made = self.appointment(
            *(f"p{number:05d}", "fabian", self.gap()),
            state=AppointmentState.PENDING,
            told=Told.PENDING,
            version=1,
            lease=self.clock.now() + lease,
            verified_at=None,
            created_at=self.clock.now() - timedelta(minutes=6),
        )
        self.put(items.appointment_to_item(self.tenant.id, made))
        guard = keys.customer_guard(self.tenant.id, made.customer.id, made.slot.start, made.service)
        self.put(guard | to_wire({"appt": made.id}))
        self.block(made, IntervalState.PENDING)
        if booked:
            there = self.booking_of(made, uid=f"open{number}", id=30_000_000 + number, updated_at=self.clock.now())
            self.calendar.bookings[there.uid] = there
        return made

    def block(self, appointment: Appointment, state: IntervalState, day: date | None = None) -> None:
        """Its time in the ledger, on its first day or another one."""
        segment = appointment.segments[0]
        day = day or segment.slot.start.date()
        read = self.day(segment.staff, day)
        key = interval_key(appointment.id, 0)
        interval = Interval(key, segment.slot, state, appointment.op)
        self.put(items.staff_day_to_item(self.tenant.id, replace(read, intervals={**read.intervals, key: interval})))

    # Runs

    def work(
        self, *, by: str = "reconciliation", seconds: float = 600.0, alerts: HeardAlerts | None = None
    ) -> Background:
        deadline = Deadline.within(seconds, self.clock)
        return Background(
            tenant=self.tenant,
            appointments=self.salon.appointments.within(deadline),
            adoptions=DynamoAdoptions(self.salon.table.within(deadline)),
            changes=DynamoChanges(self.salon.table.within(deadline)),
            calendar=self.calendar,
            alerts=alerts or self.alerts,
            clock=self.clock,
            deadline=deadline,
            by=by,
        )

    def full(self, ahead: int = DAYS_AHEAD) -> Run:
        """The unfinished full run, or a new one."""
        before = self.runs.current(self.tenant.id, RunKind.FULL)
        now = self.clock.now()
        return before.run or new_full(now, before, today=now.astimezone(self.tenant.zone).date(), ahead=ahead)

    def poll(self) -> Run:
        """The unfinished poll, or a new one."""
        before = self.runs.current(self.tenant.id, RunKind.POLL)
        return before.run or new_poll(self.clock.now(), before)

    def once(self, run: Run, *, limits: Limits | None = None, runs: Runs | None = None, **how: Any) -> Report:
        """One invocation, progress kept unless dry."""
        kept = None if limits is not None and not limits.apply else runs or self.runs
        return reconcile(self.work(**how), run, runs=kept, limits=limits)

    # What is there now

    def table(self) -> dict[tuple[str, str], str]:
        """Every item as text, by its key."""
        return {(row["pk"]["S"], row["sk"]["S"]): json.dumps(row, sort_keys=True, default=str) for row in self._rows()}

    def kind(self, *kinds: str) -> list[dict[str, Any]]:
        """Items of these kinds as plain values, by key."""
        found = [items.from_wire(row) for row in self._rows() if {*kinds}.intersection(row["pk"]["S"].split("#")[2:3])]
        return sorted(found, key=lambda each: (each["pk"], each["sk"]))

    def _rows(self) -> Iterator[dict[str, Any]]:
        request: dict[str, Any] = {"TableName": self.salon.table_name}
        while True:
            page = self.client.scan(**request)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def now_is(self, name: str) -> Appointment:
        """The appointment as it is stored."""
        found = self.salon.appointments.appointment(self.tenant.id, name)
        assert found is not None, name
        return found

    def owner(self, uid: str) -> str | None:
        return self.adoptions.owner(self.tenant.id, uid)

    def day(self, staff: str, day: date) -> StaffDay:
        return self.salon.appointments.staff_days(self.tenant.id, {(staff, day)}).day(staff, day)

    def sides(self) -> tuple[dict[tuple[str, str], str], dict[str, str]]:
        """What counts of the table (neither progress nor reports) and all bookings: to be compared."""
        progress = ("#RUN#", "#REPORT")
        table = {key: row for key, row in self.table().items() if not any(each in key[0] for each in progress)}
        return table, {uid: repr(each) for uid, each in self.calendar.bookings.items()}


def touching(appointment: Appointment, *others: Slot) -> tuple[tuple[str, date], ...]:
    """The staff days an appointment has something to do with."""
    slots = (appointment.slot, *others)
    return tuple((staff, day) for staff in CUTS for slot in slots for day in slot.utc_days())


Seeder = Callable[[SeededWorld, str], Seed]
SEEDS: dict[str, Seeder] = {}


def seeder(name: str) -> Callable[[Seeder], Seeder]:
    def keep(function: Seeder) -> Seeder:
        SEEDS[name] = function
        return function

    return keep


def _changed(world: SeededWorld, name: str, drift: str, repair: str, **changes: Any) -> Seed:
    """A booking of one of ours was changed at Cal.com."""
    mine = world.pick()
    uid = str(mine.segments[0].uid)
    new = world.calendar.change(uid, **changes)
    return Seed(name, drift, repair, (mine.id,), (uid,), touching(mine, Slot(new.start, new.end)))


@seeder("ghost, cancelled there")
def _ghost_cancelled(world: SeededWorld, name: str) -> Seed:
    return _changed(world, name, "ghost_here", "End", status="cancelled")


@seeder("ghost, not there")
def _ghost_gone(world: SeededWorld, name: str) -> Seed:
    mine = world.pick()
    uid = str(mine.segments[0].uid)
    del world.calendar.bookings[uid]
    return Seed(name, "ghost_here", "flag", (mine.id,), (uid,), ())


@seeder("orphan, told not booked")
def _orphan_denied(world: SeededWorld, name: str) -> Seed:
    mine, late = world.failed(told=Told.NOT_BOOKED, text=None)
    return Seed(name, "orphan", "CancelOrphan", (mine.id,), (late.uid,))


@seeder("orphan, still waiting")
def _orphan_waiting(world: SeededWorld, name: str) -> Seed:
    mine, late = world.failed(told=Told.PENDING, text="NEW")
    return Seed(name, "foreign", "Adopt", (mine.id,), (late.uid,), touching(mine))


@seeder("orphan, text sent")
def _orphan_texted(world: SeededWorld, name: str) -> Seed:
    mine, late = world.failed(told=Told.PENDING, text="SENT")
    # The repair is decided before the text is seen: it starts as an adoption and ends as a cancellation.
    return Seed(name, "foreign", "Adopt", (mine.id,), (late.uid,))


@seeder("orphan, time taken")
def _orphan_in_the_way(world: SeededWorld, name: str) -> Seed:
    mine, late = world.failed(told=Told.PENDING, text="NEW", start=world.pick().slot.start)
    return Seed(name, "orphan", "CancelOrphan", (mine.id,), (late.uid,))


@seeder("start, in place")
def _start(world: SeededWorld, name: str) -> Seed:
    mine = world.pick()
    uid = str(mine.segments[0].uid)
    later = timedelta(minutes=30)
    new = world.calendar.change(uid, start=mine.slot.start + later, end=mine.slot.end + later)
    return Seed(name, "start", "Follow", (mine.id,), (uid,), touching(mine, Slot(new.start, new.end)))


@seeder("start, moved")
def _moved(world: SeededWorld, name: str) -> Seed:
    mine = world.pick()
    uid = str(mine.segments[0].uid)
    new = world.calendar.move(uid, mine.slot.start + timedelta(minutes=30))
    return Seed(name, "start", "Follow", (mine.id,), (uid, new.uid), touching(mine, Slot(new.start, new.end)))


@seeder("end")
def _end(world: SeededWorld, name: str) -> Seed:
    mine = world.pick()
    uid = str(mine.segments[0].uid)
    new = world.calendar.change(uid, end=mine.slot.end + timedelta(minutes=15))
    return Seed(name, "end", "Follow", (mine.id,), (uid,), touching(mine, Slot(new.start, new.end)))


@seeder("host")
def _host(world: SeededWorld, name: str) -> Seed:
    return _changed(world, name, "host", "Follow", host=29)


@seeder("status")
def _status(world: SeededWorld, name: str) -> Seed:
    return _changed(world, name, "status", "Flag", status="pending")


@seeder("attendee")
def _attendee(world: SeededWorld, name: str) -> Seed:
    return _changed(world, name, "attendee", "Flag", attendees=("kanari.anders@kunde.example",))


@seeder("unknown host")
def _unknown_host(world: SeededWorld, name: str) -> Seed:
    return _changed(world, name, "unknown_host", "Flag", host=99)


@seeder("duplicate")
def _duplicate(world: SeededWorld, name: str) -> Seed:
    mine = world.pick()
    number = next(world._names)
    start = mine.slot.start + timedelta(minutes=30)
    twice = world.booking_of(
        *(mine,),
        uid=f"twice{number}",
        id=40_000_000 + number,
        start=start,
        end=start + timedelta(minutes=30),
        updated_at=world.clock.now(),
    )
    world.calendar.bookings[twice.uid] = twice
    return Seed(name, "duplicate", "Flag", (mine.id,), (twice.uid,))


@seeder("foreign")
def _foreign(world: SeededWorld, name: str) -> Seed:
    new = world.calendar.book_publicly(CUTS["fabian"], world.gap(), email="kanari.gast@kunde.example")
    return Seed(
        name, "foreign", "Adopt", (), (new.uid,), tuple(("fabian", d) for d in Slot(new.start, new.end).utc_days())
    )


@seeder("foreign, in the way")
def _foreign_conflict(world: SeededWorld, name: str) -> Seed:
    new = world.calendar.book_publicly(CUTS["fabian"], world.pick().slot.start, email="kanari.gast@kunde.example")
    return Seed(
        name, "foreign", "Adopt", (), (new.uid,), tuple(("fabian", d) for d in Slot(new.start, new.end).utc_days())
    )


@seeder("unsettled")
def _unsettled(world: SeededWorld, name: str) -> Seed:
    mine = world.open_one()
    uid = next(each.uid for each in world.calendar.bookings.values() if each.metadata.get("appointment") == mine.id)
    return Seed(name, "unsettled", "Settle", (mine.id,), (uid,), touching(mine))
