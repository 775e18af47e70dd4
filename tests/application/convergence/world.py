"""One salon with its background work, on an agenda instead of threads: every layer can be switched off on its own.

Whatever is to happen (a job of the queue, a delivery of Cal.com, a round of the sweeper, a request that Cal.com carries
out late) stands on the agenda with its instant, and the clock jumps from one to the next. So hours pass in milliseconds
and a run is the same every time.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Any

from bookend.adapters.calcom.events import read_event
from bookend.adapters.dynamodb.adoptions import DynamoAdoptions
from bookend.adapters.dynamodb.changes import DynamoChanges
from bookend.adapters.dynamodb.due import DynamoDueWork
from bookend.adapters.dynamodb.inbox import DynamoInbox
from bookend.adapters.dynamodb.outbox import DynamoOutbox
from bookend.adapters.dynamodb.runs import DynamoRuns
from bookend.application.background import Background
from bookend.application.deadline import Deadline
from bookend.application.findings import Report
from bookend.application.outcomes import Booked, BookOutcome, HasOne, StillOpen, TemporaryTrouble
from bookend.application.ports import (
    BookingRequest,
    CancelAnswer,
    Job,
    QueueUnavailable,
    Run,
    RunKind,
    StoreUnavailable,
)
from bookend.application.receiving import receive, work_on
from bookend.application.rounds import reconcile_every_tenant
from bookend.application.settling import settle_again
from bookend.application.sweeping import sweep
from bookend.domain.answers import Booking
from bookend.domain.appointment import TRANSIENT, AppointmentState, Told
from bookend.domain.staff_day import IntervalState
from bookend.domain.tenant import Tenant
from tests.support.calendar import EventType, FakeCalendar
from tests.support.invariants import LIVE, Heard, breaches, look_at
from tests.support.invariants import World as Look
from tests.support.salon import HeardAlerts, Phone, Salon, StoppedClock, example_tenant, table_request
from tests.support.tables.faults import Crash, FaultInjector
from tests.support.tables.memory import MemoryDynamoDB

DAY = "2025-10-28"
TEN = datetime(2025, 10, 28, 9, 0, tzinfo=UTC)
"""10:00 in Berlin."""
TENANT = example_tenant()
HAIRCUT = {"fabian": 3672814, "emma": 3672815}
ONE_S, BATCH_S, SWEEP_S, RECONCILE_S = 8.0, 30.0, 50.0, 200.0
"""Seconds a job, a batch, a round of the sweeper and a round of the reconciliation may take, as in `functions/`."""
WEBHOOK_AFTER_S = 2.0
VISIBLE_AGAIN_S = 300.0
"""After this long the queue hands out again what nobody finished."""
MOST_RECEIVES = 5
"""Then a job goes to the dead-letter queue."""


class Layer(Enum):
    """Who may repair."""

    SWEEPER = auto()
    WEBHOOKS = auto()
    """Deliveries of Cal.com and the worker on the queue."""
    RECONCILE = auto()


@dataclass
class TellingCalendar(FakeCalendar):
    """Cal.com that says what happened: trigger and uid, each at the moment it did."""

    tell: Callable[[str, str], None] = lambda _trigger, _uid: None
    stale: dict[str, Booking] = field(default_factory=dict)
    """What a replica still shows of a booking, until it is taken out again."""

    def shown(self) -> dict[str, Booking]:
        return super().shown() | self.stale

    def insert(self, request: BookingRequest) -> Booking:
        booking = super().insert(request)
        self.tell("BOOKING_CREATED", booking.uid)
        return booking

    def move(self, uid: str, start: datetime) -> Booking:
        booking = super().move(uid, start)
        self.tell("BOOKING_RESCHEDULED", booking.uid)
        return booking

    def change(self, uid: str, **changes: Any) -> Booking:
        booking = super().change(uid, **changes)
        self.tell("BOOKING_REASSIGNED", booking.uid)
        return booking

    def cancel(self, uid: str, reason: str, *, deadline: Deadline) -> CancelAnswer:
        was = self.bookings.get(uid)
        answer = super().cancel(uid, reason, deadline=deadline)
        if was is not None and was.status != self.bookings[uid].status:
            self.tell("BOOKING_CANCELLED", uid)
        return answer

    def cancel_by_hand(self, uid: str) -> None:
        """The salon or the guest cancels; whatever trouble we have with Cal.com is none of theirs."""
        now = self.clock.now()
        self.bookings[uid] = replace(self.bookings[uid], status="cancelled", called_off=True, updated_at=now)
        self.tell("BOOKING_CANCELLED", uid)


_ASKED = ("free_starts", "book", "reschedule", "cancel", "booking", "find", "page")
_ONE_OF = {"book_all": "book", "cancel_all": "cancel", "reschedule_all": "reschedule"}


@dataclass
class Line:
    """The way to Cal.com, which may kill who uses it, before or after its n-th call from now."""

    inner: TellingCalendar
    calls: int = 0
    die_before: int = 0
    die_after: int = 0

    def __getattr__(self, name: str) -> Any:
        real = getattr(self.inner, name)
        if name in _ONE_OF:  # each of them is a request of its own, and somebody may die between two
            one = getattr(self, _ONE_OF[name])
            return lambda those, *args, **rest: tuple(
                one(*(each if isinstance(each, tuple) else (each,)), *args, **rest) for each in those
            )
        if name not in _ASKED:
            return real

        def asked(*args: Any, **rest: Any) -> Any:
            self.calls += 1
            number = self.calls
            if number == self.die_before:
                raise Crash("before the calendar")
            answer = real(*args, **rest)
            if number == self.die_after:
                raise Crash("after the calendar")
            return answer

        return asked

    def rest(self) -> None:
        """From here on nobody dies of it."""
        self.calls = self.die_before = self.die_after = 0


class OneTenant:
    """The `Tenants` port, as far as background work asks."""

    def every(self) -> Sequence[str]:
        return (TENANT.id,)

    def of_id(self, tenant: str) -> Any:
        return TENANT if tenant == TENANT.id else None  # of its name and zone alone anything is asked

    def of_call(self, *, agent: str | None, number: str | None) -> Any:
        raise NotImplementedError


@dataclass(frozen=True)
class Event:
    """Something happened at Cal.com."""

    trigger: str
    uid: str
    at: datetime

    def body(self, copy: int = 0) -> bytes:
        """As it is delivered; hosted Cal.com builds the body anew at every delivery, so copies may differ."""
        at = (self.at + timedelta(milliseconds=copy)).isoformat()
        return json.dumps({"triggerEvent": self.trigger, "createdAt": at, "payload": {"uid": self.uid}}).encode()


class World:
    """The salon, the agenda and the layers that are at work."""

    def __init__(self, *layers: Layer, by_hand: bool = False, tenant: Tenant = TENANT) -> None:
        """`by_hand`: the test delivers the webhooks, in the order it likes. `tenant`: the same one, other services."""
        self.layers = frozenset(layers)
        self.tenant = tenant
        self._by_hand = by_hand
        self.clock = StoppedClock(datetime(2025, 10, 25, 18, 18, 32, tzinfo=UTC))
        kinds = {
            event_type: EventType(tenant.member(staff).calcom_user, segment.minutes)
            for service in tenant.services
            for segment in service.segments
            for staff, event_type in segment.event_types.items()
        }
        self.calendar = TellingCalendar(self.clock, kinds, tell=self._happened)
        self.line = Line(self.calendar)
        self.client = MemoryDynamoDB(check_parameters=False)
        self.client.create_table(**table_request("appointments"))
        self.alerts = HeardAlerts()
        self.salon = Salon(
            client=self.client, clock=self.clock, calendar=self.line, alerts=self.alerts, tenant=tenant, queue=self
        )
        table = self.salon.table
        self.adoptions, self.inbox = DynamoAdoptions(table), DynamoInbox(table)
        self.runs, self.due_work = DynamoRuns(table), DynamoDueWork(table)
        # Last night's run has been, so none begins by itself: what a poll misses stays missed.
        self.runs.keep(TENANT.id, Run(kind=RunKind.FULL, started=self.clock.now()), done=True, now=self.clock.now())
        self.events: list[Event] = []
        self.reports: list[Report] = []
        self.dead_letters: list[Job] = []
        self.jobs: Counter[str] = Counter()
        self.sweeps = 0
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    # The agenda

    def at(self, seconds: float, do: Callable[[], None]) -> None:
        """Have it done in so many seconds."""
        heapq.heappush(self._agenda, (self.clock.monotonic() + seconds, next(self._numbers), do))

    def run(self, seconds: float) -> None:
        """Let so much time pass, and everything happen that stands on the agenda."""
        until = self.clock.monotonic() + seconds
        while self._agenda and self._agenda[0][0] <= until:
            moment, _, do = heapq.heappop(self._agenda)
            self.clock.advance(max(0.0, moment - self.clock.monotonic()))
            do()
        self.clock.advance(max(0.0, until - self.clock.monotonic()))

    def forget(self) -> None:
        """Nothing that stands on the agenda happens: the queue has lost its jobs."""
        self._agenda.clear()

    @contextmanager
    def at_peace(self) -> Iterator[None]:
        """What is done in here meets no death that was planned for somebody else, and counts for nothing."""
        client, line = self.client, self.line
        kept = client.faults, client.requests.copy(), line.calls, line.die_before, line.die_after
        client.faults = FaultInjector()
        line.rest()
        try:
            yield
        finally:
            client.faults, client.requests, line.calls, line.die_before, line.die_after = kept

    # What happens at Cal.com

    def _happened(self, trigger: str, uid: str) -> None:
        event = Event(trigger, uid, self.clock.now())
        self.events.append(event)
        if Layer.WEBHOOKS in self.layers and not self._by_hand:
            self.at(WEBHOOK_AFTER_S, lambda: self.deliver(event))

    def deliver(self, event: Event, copy: int = 0) -> None:
        """A webhook comes in and is answered."""
        receive(TENANT.id, event.body(copy), inbox=self.inbox, queue=self, clock=self.clock)

    # The queue and its worker

    def send(self, job: Job, *, delay: timedelta = timedelta(0)) -> None:
        """The `Queue` port. Where the worker is switched off, nothing is ever handed out."""
        self.jobs[f"sent {job.kind}"] += 1
        if Layer.WEBHOOKS in self.layers:
            self.at(delay.total_seconds() + 0.5, lambda: self._hand_out(job, 1))

    def _hand_out(self, job: Job, received: int) -> None:
        try:
            self.work_on(job)
        except (StoreUnavailable, QueueUnavailable, Crash):
            if received >= MOST_RECEIVES:
                self.dead_letters.append(job)
            else:
                self.at(VISIBLE_AGAIN_S, lambda: self._hand_out(job, received + 1))

    def work_on(self, job: Job) -> None:
        """What `functions/sync_worker` does with one job."""
        if job.kind == "text":
            return  # nobody sends here: what is owed stays to be looked at
        work = self.background(ONE_S, "worker")
        if job.kind == "settle":
            self.jobs[settle_again(job, work, self).value] += 1
        else:
            self.jobs[
                work_on(job, work, inbox=self.inbox, queue=self, slots=self.salon.slots, read=read_event).value
            ] += 1

    # The schedules

    def begin_schedules(self, *, nightly_after: float = 7200.0) -> None:
        """Sweeper every minute, poll every five, a nightly run after two hours; those of them that are switched on."""
        if Layer.SWEEPER in self.layers:
            self._every(60.0, self.sweep)
        if Layer.RECONCILE in self.layers:
            self._every(300.0, self.reconcile)
            self.at(nightly_after, lambda: self.reconcile(nightly=True))

    def _every(self, seconds: float, do: Callable[[], Any]) -> None:
        def round_() -> None:
            self.at(seconds, round_)
            do()

        self.at(seconds, round_)

    def sweep(self) -> None:
        """A round of the sweeper."""
        self.sweeps += 1
        sweep(
            due_work=self.due_work,
            inbox=self.inbox,
            outbox=DynamoOutbox(self.salon.table),
            queue=self,
            background=lambda _tenant, share: self.background(share.remaining(), "sweeper"),
            alerts=self.alerts,
            clock=self.clock,
            deadline=Deadline.within(SWEEP_S, self.clock),
        )

    def reconcile(self, *, nightly: bool = False) -> Sequence[Report]:
        """A round of the reconciliation."""
        found = reconcile_every_tenant(
            tenants=OneTenant(),
            runs=self.runs,
            due_work=self.due_work,
            background=lambda _tenant, share: self.background(share.remaining(), "reconciliation"),
            alerts=self.alerts,
            clock=self.clock,
            deadline=Deadline.within(RECONCILE_S, self.clock),
            nightly=nightly,
        )
        self.reports += [report for _, report in found]
        return [report for _, report in found]

    def background(self, seconds: float, by: str) -> Background:
        """The ports for a piece of work."""
        deadline = Deadline.within(seconds, self.clock)
        return Background(
            tenant=self.tenant,
            appointments=self.salon.appointments.within(deadline),
            adoptions=DynamoAdoptions(self.salon.table.within(deadline)),
            changes=DynamoChanges(self.salon.table.within(deadline)),
            calendar=self.line,
            alerts=self.alerts,
            clock=self.clock,
            deadline=deadline,
            by=by,
        )

    # Callers

    def phone(self, call: str = "call_1", *, caller: str = "+491701234567") -> Phone:
        return self.salon.call(call, caller=caller)

    # Looking

    def look(self) -> Look:
        with self.at_peace():
            return look_at(self.salon)

    def state(self, *more: object) -> str:
        """What whoever comes next finds, with `more` that it is to depend on: two worlds of which it is the same cannot
        go on differently.
        """
        with self.at_peace():
            rows = self.client.scan(TableName=self.salon.table_name)["Items"]
        calendar = self.calendar
        wrote = [each for each in calendar.asked if each in {"create", "reschedule", "cancel"}]
        faults = len(calendar.faults), len(calendar.move_faults), len(calendar.cancel_faults)
        there = calendar.bookings, calendar.hidden, calendar.stale, self.events
        waits = sorted(moment for moment, _, _ in self._agenda), sorted(self.jobs.items()), self.dead_letters
        counted = self.salon.ids.given, self.clock.now()
        all_of_it = sorted(map(repr, rows)), there, faults, wrote, waits, counted, more
        return hashlib.sha256(repr(all_of_it).encode()).hexdigest()

    def rows(self, kind: str) -> list[dict[str, Any]]:
        """Items of a kind."""
        with self.at_peace():
            return self.salon.items(kind)


def relevant(look: Look) -> dict[str, list[Any]]:
    """Where everybody stands, as both sides could be asked for it. Which name an appointment got, how often it was
    written and which dead records are left of it depends on who saw what when, and matters to nobody.
    """
    live = {each.id: each for each in look.appointments.values() if each.state in LIVE}
    named = {each.id: f"{each.source} {each.customer.email} {each.segments[0].uid}" for each in live.values()}
    return {
        "appointments": sorted(
            (
                named[each.id],
                each.state.value,
                each.service,
                each.call,
                segment.staff,
                *_span(segment.slot),
                segment.uid,
            )
            for each in live.values()
            for segment in each.segments
        ),
        "intervals": sorted(
            (staff, day.isoformat(), named.get(key.partition("/")[0], key), each.state.value, *_span(each.slot))
            for (staff, day), intervals in look.ledger.items()
            for key, each in intervals.items()
            if each.state is not IntervalState.HELD
        ),
        "conflicts": sorted(
            named.get(key.partition("/")[0], key)
            for intervals in look.ledger.values()
            for key, each in intervals.items()
            if each.conflict
        ),
        "guards": sorted(
            (name, named[owner])
            for name, owner in look.guards.items()
            if owner in live and name in {str(value) for each in live[owner].segments for value in _booked(each)}
        ),
        "customers": sorted((name, named.get(owner, owner)) for name, owner in look.customer_guards.items()),
    }


def _span(slot: Any) -> tuple[str, str]:
    return slot.start.isoformat(), slot.end.isoformat()


def _booked(segment: Any) -> tuple[Any, ...]:
    return segment.uid, segment.booking_id


def unequal(look: Look) -> Iterator[str]:
    """Where the two sides differ: live bookings of our stylists and confirmed appointments, one to one."""
    hosts = {user: staff for staff, user in look.hosts.items()}
    there = {(each.uid, hosts[each.host], each.start, each.end) for each in look.accepted() if each.host in hosts}
    here = [
        (segment.uid, segment.staff, segment.slot.start, segment.slot.end)
        for each in look.appointments.values()
        if each.state is AppointmentState.CONFIRMED
        for segment in each.segments
    ]
    yield from (f"EQ only there: {each}" for each in sorted(there - {*here}, key=str))
    yield from (f"EQ only here: {each}" for each in sorted({*here} - there, key=str))
    yield from (f"EQ twice here: {each}" for each, times in Counter(here).items() if times > 1)


def tombstones(look: Look) -> Iterator[str]:
    """Every guard has an owner that exists, so that a late event finds its home."""
    for name, owner in look.guards.items():
        if owner not in look.appointments:
            yield f"I4 {name} is guarded for {owner}, which does not exist"


def transient(look: Look) -> Iterator[str]:
    """I6: nothing is in flight any more."""
    for each in look.appointments.values():
        if each.state in TRANSIENT:
            yield f"I6 {each.id} is {each.state} (told {each.told})"


def inbox_is_done(world: World) -> Iterator[str]:
    """I7: each delivery was worked on to its end, or is in the dead-letter queue."""
    dead = {job.name for job in world.dead_letters}
    for row in world.rows("WH"):
        name = row["pk"]["S"].rpartition("#")[2]
        if "done_at" not in row and name not in dead:
            yield f"I7 delivery {name[:8]} is not done"


def told_the_truth(look: Look, heard: Sequence[Heard]) -> Iterator[str]:
    """I5 and I8, at the end: what was said last holds, and who heard "noch offen" has exactly one message, a true one.

    A revived appointment carries the message of the operation that it goes back to, so messages are counted by what
    they tell of.
    """
    texts = {name: kinds for name, kinds in look.outbox.items() if kinds}
    for each in look.appointments.values():
        rows = texts.get(each.id, [])
        phone = each.source == "phone"
        if each.state is AppointmentState.CONFIRMED and phone and rows not in (["booked"], ["moved"]):
            yield f"I8 {each.id} is CONFIRMED, its messages are {rows}"
        if each.state is AppointmentState.CANCELLED and phone and rows not in (["cancelled"], ["not_booked"], []):
            yield f"I8 {each.id} is CANCELLED, its messages are {rows}"
        if each.state is AppointmentState.FAILED and "booked" in rows:
            yield f"I8 {each.id} is FAILED, its messages are {rows}"
        owed = each.state is AppointmentState.FAILED and each.told is Told.PENDING
        if owed and rows != ([] if _revived(look, each.op) else ["not_booked"]):
            yield f"I5 {each.id} is FAILED, told open, its messages are {rows}"
    last: dict[tuple[str, datetime | None], BookOutcome | Any] = {
        (each.call, each.start): each.outcome for each in heard if not isinstance(each.outcome, TemporaryTrouble)
    }
    for (call, start), outcome in last.items():
        mine = [each for each in look.appointments.values() if each.call == call and each.slot.start == start]
        confirmed = [each for each in mine if each.state is AppointmentState.CONFIRMED]
        if isinstance(outcome, Booked | HasOne) and not confirmed:
            yield f"I5 told booked, in the end {[(each.id, each.state) for each in mine]}"
        elif isinstance(outcome, StillOpen):
            if sum(len(texts.get(each.id, [])) for each in mine) < 1 and not any(e.state in TRANSIENT for e in mine):
                yield "I5 told open, and no message"
        elif not isinstance(outcome, Booked | HasOne) and confirmed:
            yield f"I5 told {type(outcome).__name__}, in the end {[each.id for each in confirmed]} is CONFIRMED"


def _revived(look: Look, op: str) -> bool:
    """Whether a booking that came late was given back to who waited for it."""
    uids = {each.uid for each in look.bookings if each.metadata.get("op_id") == op}
    return any(f"adopt-{uid}" == each.op for uid in uids for each in look.appointments.values())


def as_the_revived_are(look: Look) -> Look:
    """The same look, with revived operations under the name that Cal.com has for them: `invariants` knows no other.

    And what one that ended too early owed is told by the one that goes on from it.
    """
    by_uid = {each.uid: each for each in look.bookings}
    appointments = dict(look.appointments)
    ops: dict[str, str] = {}
    outbox = {name: list(kinds) for name, kinds in look.outbox.items()}
    for each in look.appointments.values():
        booking = by_uid.get(each.segments[0].uid or "")
        if each.op.startswith("adopt-") and booking is not None and "op_id" in booking.metadata:
            ops[each.op] = booking.metadata["op_id"]
            appointments[each.id] = replace(each, op=booking.metadata["op_id"])
            before = booking.metadata.get("appointment", "")
            if before in appointments and look.outbox.get(each.id):
                outbox.setdefault(before, []).extend(look.outbox[each.id])
    ledger = {
        place: {key: replace(each, op=ops.get(each.op, each.op)) for key, each in intervals.items()}
        for place, intervals in look.ledger.items()
    }
    return replace(look, appointments=appointments, ledger=ledger, outbox=outbox)


def violations(
    world: World, heard: Sequence[Heard] = (), *, foreign: Collection[str] = (), open_allowed: bool = False
) -> list[str]:
    """Every breach of the invariants at rest. `open_allowed`: the layers at work cannot end what never reached Cal.com,
    so PENDING, with its time blocked, is the truth.
    """
    look = world.look()
    revived = {
        each.segments[0].uid or ""
        for each in look.appointments.values()
        if each.op.startswith("adopt-") and each.state is AppointmentState.CONFIRMED
    }
    return [
        *breaches(as_the_revived_are(look), foreign={*foreign, *revived}),
        *([] if open_allowed else transient(look)),
        *tombstones(look),
        *told_the_truth(look, heard),
    ]
