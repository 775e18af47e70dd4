"""The salon's machinery in a run: instances of functions, the queue and its worker, deliveries, schedules."""

from __future__ import annotations

import json
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bookend.adapters.bounded import BoundedCalendar, BoundedQueue
from bookend.adapters.calcom.events import read_event
from bookend.adapters.dynamodb.adoptions import DynamoAdoptions
from bookend.adapters.dynamodb.appointments import DynamoAppointments
from bookend.adapters.dynamodb.changes import DynamoChanges
from bookend.adapters.dynamodb.circuit import CircuitCopy, DynamoCircuit
from bookend.adapters.dynamodb.due import DynamoDueWork
from bookend.adapters.dynamodb.inbox import DynamoInbox
from bookend.adapters.dynamodb.outbox import DynamoOutbox
from bookend.adapters.dynamodb.runs import DynamoRuns
from bookend.adapters.dynamodb.slots import DynamoSlotCache
from bookend.adapters.dynamodb.transact import Table
from bookend.application import alerts as alert
from bookend.application.background import Background
from bookend.application.circuit import GuardedCalendar, probe_due
from bookend.application.deadline import ONE_S, Deadline
from bookend.application.key_watch import KeyWatch
from bookend.application.ports import Alert, Job, QueueUnavailable, StoreUnavailable
from bookend.application.receiving import receive, work_on
from bookend.application.rounds import reconcile_every_tenant
from bookend.application.settling import settle_again
from bookend.application.sweeping import sweep
from bookend.application.ports.texts import NotSent as TextNotSent
from bookend.application.ports.texts import Refused as TextRefused
from bookend.application.ports.texts import SendAnswer, Sent
from bookend.application.ports.texts import Unclear as TextUnclear
from bookend.application.texting import Texting, send_text
from bookend.application.turn import Call, Turn
from bookend.domain.tenant import Tenant
from bookend.domain.texts import Channel, Text
from tests.simulation.baton import Baton
from tests.simulation.calendar import SimulatedCalendar
from tests.simulation.plan import Rates, one_of
from tests.simulation.store import SimulatedTable, bounds
from tests.simulation.watch import Breach, Watch
from tests.support.tables.faults import Crash

ADDRESS = "https://api.cal.test"
TABLE = "appointments"
VISIBLE_AGAIN_S = 60.0
MOST_RECEIVES = 5
DOOR_S = 5.0
_TABLE_LIMIT_S = 2.0
_RESERVE_S = 0.05
SWEEP_S, ROUND_S = 50.0, 200.0


class Instance:
    """One instance of a function: it serves one after the other, and knows the breakers from what it read before."""

    def __init__(self, salon: SimulatedSalon) -> None:
        self.salon = salon
        baton = salon.baton
        copy = CircuitCopy(ADDRESS, clock=baton)
        self.table = Table(
            salon.table, TABLE, clock=baton, limit_s=_TABLE_LIMIT_S, bounds=bounds(baton), beside=copy
        )
        self.circuit = DynamoCircuit(self.table, copy, ids=baton, on_trouble=salon.trouble)
        self.calendar = GuardedCalendar(salon.calendar, self.circuit, alerts=salon.alerts, clock=baton)
        self.slots = DynamoSlotCache(self.table)
        self.inbox = DynamoInbox(self.table)
        self.outbox = DynamoOutbox(self.table)

    def turn(self, call: Call, seconds: float) -> Turn:
        """As the door for functions puts it together."""
        salon, clock = self.salon, self.salon.baton
        deadline = Deadline.within(seconds - _RESERVE_S, clock)
        bounded = bounds(clock)
        return Turn(
            call=call,
            appointments=DynamoAppointments(self.table.within(deadline)),
            changes=DynamoChanges(self.table.within(deadline)),
            calendar=BoundedCalendar(self.calendar, _unbounded),
            slots=self.slots.within(deadline),
            queue=BoundedQueue(salon.queue, deadline, bounded),
            alerts=salon.alerts,
            clock=clock,
            ids=clock,
            deadline=deadline,
        )

    def background(self, deadline: Deadline, by: str) -> Background:
        """As the composition root puts it together."""
        salon = self.salon
        table = self.table.acting(by).patient().within(deadline)
        adoptions = DynamoAdoptions(table)
        watched = KeyWatch(
            self.calendar, adoptions, tenant=salon.tenant.id, by=by, alerts=salon.alerts, clock=salon.baton
        )
        return Background(
            tenant=salon.tenant,
            appointments=DynamoAppointments(table),
            adoptions=adoptions,
            changes=DynamoChanges(table),
            calendar=watched,
            alerts=salon.alerts,
            clock=salon.baton,
            deadline=deadline,
            by=by,
        )


    def texting(self, deadline: Deadline, op: str) -> Texting:
        """The same for one message."""
        salon = self.salon
        provider = Provider(salon, op)
        return Texting(
            tenant=salon.tenant,
            outbox=DynamoOutbox(self.table.patient().within(deadline)),
            messengers=dict.fromkeys(Channel, provider),
            alerts=salon.alerts,
            ids=salon.baton,
            clock=salon.baton,
            deadline=deadline,
        )


@dataclass(frozen=True)
class Provider:
    """The `Messenger` port, for the message of one operation: it knows no two requests for one."""

    salon: SimulatedSalon
    op: str

    def send(self, text: Text, *, deadline: Deadline) -> SendAnswer:
        baton, rates = self.salon.baton, self.salon.rates()
        name, dice = baton.request_dice()
        fate = one_of(rates.texts, dice)
        fate = fate if fate is not None and baton.strikes(f"{name}:text {fate}") else None
        dies = dice.random() < rates.crash and baton.strikes(f"{name}:crash")
        baton.pause(min(dice.uniform(0.05, 0.4), deadline.remaining()))
        if fate == "refused":
            return TextRefused("invalid_address")
        if fate == "unsent":
            return TextNotSent("Throttling")
        if fate != "lost_before":
            self.salon.texts.append((baton.at, self.op, text.body))
            baton.note("c", f"text of {self.op[:6]} is sent")
        if dies:
            raise Crash("after a text")
        if fate is not None:
            baton.pause(deadline.remaining())
            return TextUnclear("ReadTimeout")
        return Sent(f"sms-{len(self.salon.texts)}")


def _unbounded(call: Callable[[], Any], _deadline: Deadline, /) -> Any:
    """The simulated calendar is over at its deadline by itself."""
    return call()


class Alerts:
    """The `Alerts` port. That a piece of work broke is a bug, and ends the run."""

    def __init__(self, baton: Baton, saw: Counter[str]) -> None:
        self._baton, self._saw = baton, saw
        self.raised: list[Alert] = []

    def raise_(self, raised: Alert) -> None:
        self.raised.append(raised)
        self._saw[f"alert {raised.kind}"] += 1
        self._baton.note(".", f"alert {raised.kind}")
        if raised.kind == alert.JOB_FAILED:
            error = sys.exc_info()[1]
            self._baton.fail(Breach(f"EX {raised.facts}: " + "".join(traceback.format_exception(error)[-3:])))


@dataclass
class SimulatedQueue:
    """The `Queue` port: it may be away, lose a job, or hand it out twice; what nobody finished comes back."""

    salon: SimulatedSalon

    def send(self, job: Job, *, delay: timedelta = timedelta(0)) -> None:
        baton, rates = self.salon.baton, self.salon.rates()
        name, dice = baton.request_dice()
        away, lost, doubled = (dice.random() for _ in range(3))
        baton.pause(dice.uniform(0.003, 0.02))
        if away < rates.queue_away and baton.strikes(f"{name}:queue away"):
            raise QueueUnavailable
        copies = 2 if doubled < rates.job_doubled and baton.strikes(f"{name}:job twice") else 1
        if lost < rates.job_lost and baton.strikes(f"{name}:job lost"):
            copies = 0
        for _ in range(copies):
            self._hand_out(job, delay.total_seconds() + dice.uniform(0.02, 1.0), 1)

    def _hand_out(self, job: Job, after: float, received: int) -> None:
        self.salon.baton.child("job", lambda: self._work(job, received), after=after)

    def _work(self, job: Job, received: int) -> None:
        """As `functions/sync_worker` does with one job; whether it died or could not, it comes back."""
        salon = self.salon
        done = False
        try:
            with salon.instance() as instance:
                deadline = Deadline.within(ONE_S, salon.baton)
                work = instance.background(deadline, "worker")
                if job.kind == "text":
                    salon.watch.saw[f"a text: {send_text(instance.texting(deadline, job.name), job.name).end}"] += 1
                elif job.kind == "settle":
                    settle_again(job, work, self)
                else:
                    slots = instance.slots.within(work.deadline)
                    work_on(job, work, inbox=instance.inbox, queue=self, slots=slots, read=read_event)
            done = True
        except (StoreUnavailable, QueueUnavailable):
            pass
        finally:
            if not done and received < MOST_RECEIVES:
                self._hand_out(job, VISIBLE_AGAIN_S, received + 1)
            elif not done:
                salon.dead_letters.append(job)
                salon.watch.saw["a job went to the dead letters"] += 1


class SimulatedSalon:
    """One tenant with its table, its calendar, its queue and whoever works for it."""

    def __init__(self, baton: Baton, rates: Callable[[], Rates], tenant: Tenant, watch: Watch) -> None:
        self.baton, self.rates, self.tenant, self.watch = baton, rates, tenant, watch
        self.table = SimulatedTable(baton, rates, watch.committed)
        self.calendar: SimulatedCalendar
        self.alerts = Alerts(baton, watch.saw)
        self.queue = SimulatedQueue(self)
        self.dead_letters: list[Job] = []
        self.texts: list[tuple[float, str, str]] = []
        """What the provider has sent: when, of which operation, what."""
        self._instances: list[Instance] = []
        self._at_work: set[int] = set()

    # `tests.support.invariants` looks at a salon by these names
    @property
    def client(self) -> TenantsRows:
        return TenantsRows(self.table)

    @property
    def clock(self) -> Baton:
        return self.baton

    table_name = TABLE

    def trouble(self, name: str) -> None:
        """What nobody expected, where the product hides it from a caller."""
        self.baton.fail(Breach(f"EX a breaker could not be noted: {name}"))

    @contextmanager
    def instance(self) -> Iterator[Instance]:
        """An instance that is free, or a new one. One whose work died is gone."""
        number = next((n for n in range(len(self._instances)) if n not in self._at_work), len(self._instances))
        if number == len(self._instances):
            self._instances.append(Instance(self))
        self._at_work.add(number)
        try:
            yield self._instances[number]
        except Crash:
            self._instances[number] = Instance(self)
            raise
        finally:
            self._at_work.discard(number)

    # Cal.com tells

    def happened(self, trigger: str, uid: str) -> None:
        """Deliveries, as the plan has it: none, one, two; in no order; the first ones before the answer to who did it."""
        baton, rates = self.baton, self.rates()
        name, dice = baton.request_dice()
        lost, doubled, late = (dice.random() for _ in range(3))
        if lost < rates.hook_lost and baton.strikes(f"{name}:hook lost"):
            return
        at = baton.now()
        copies = 2 if doubled < rates.hook_doubled and baton.strikes(f"{name}:hook twice") else 1
        for copy in range(copies):
            after = dice.uniform(0.01, 0.4)
            if late < rates.hook_late and baton.strikes(f"{name}:hook late"):
                after = dice.uniform(1.0, 120.0)
            created = (at + timedelta(milliseconds=copy)).isoformat()
            body = json.dumps({"triggerEvent": trigger, "createdAt": created, "payload": {"uid": uid}}).encode()
            baton.child("hook", lambda body=body: self._deliver(body, uid, 1), after=after)

    def _deliver(self, body: bytes, uid: str, attempt: int) -> None:
        """One delivery; hosted Cal.com tries three times."""
        baton = self.baton
        booking = self.calendar.bookings.get(uid)
        owner = self.watch.history.get(booking.metadata.get("appointment", ""), []) if booking is not None else []
        if owner and owner[-1][1].state.value == "PENDING":
            self.watch.saw["an event before our commit"] += 1
        taken = False
        try:
            with self.instance() as instance:
                deadline = Deadline.within(DOOR_S, baton)
                queue = BoundedQueue(self.queue, deadline, bounds(baton))
                receive(self.tenant.id, body, inbox=instance.inbox.within(deadline), queue=queue, clock=baton)
            taken = True
        except StoreUnavailable:
            pass
        finally:
            if not taken and attempt < 3:
                baton.child("hook", lambda: self._deliver(body, uid, attempt + 1), after=20.0 * attempt)

    # Schedules

    def schedule(self, until: float, nightly_at: float) -> None:
        """The sweeper every minute, the poll every five, the night once; each round is an invocation of its own."""
        for number in range(1, int(until // 60)):
            self.baton.spawn(f"sweeper/{number}", self.sweep, after=60.0 * number + 7.3)
        for number in range(1, int(until // 300)):
            self.baton.spawn(f"poll/{number}", self.reconcile, after=300.0 * number + 31.1)
        self.baton.spawn("nightly/1", lambda: self.reconcile(nightly=True), after=nightly_at)

    def sweep(self) -> None:
        """As `functions/reconciliation` does it; an invocation that fails is followed by the next minute's."""
        try:
            with self.instance() as instance:
                deadline = Deadline.within(SWEEP_S, self.baton)
                for probed in probe_due(
                    instance.circuit,
                    lambda: self.calendar,
                    alerts=self.alerts,
                    clock=self.baton,
                    ids=self.baton,
                    deadline=deadline,
                ):
                    self.watch.saw["a probe failed" if probed.trouble else "a probe closed a breaker"] += 1
                sweep(
                    due_work=DynamoDueWork(instance.table),
                    inbox=instance.inbox,
                    outbox=instance.outbox,
                    queue=self.queue,
                    background=lambda _tenant, share: instance.background(share, "sweeper"),
                    alerts=self.alerts,
                    clock=self.baton,
                    deadline=deadline,
                )
        except (StoreUnavailable, QueueUnavailable):
            self.watch.saw["a round of the sweeper failed"] += 1

    def reconcile(self, *, nightly: bool = False) -> None:
        """The same of a poll, and of the night."""
        try:
            with self.instance() as instance:
                reports = reconcile_every_tenant(
                    tenants=_OneTenant(self.tenant),
                    runs=DynamoRuns(instance.table),
                    due_work=DynamoDueWork(instance.table),
                    background=lambda _tenant, share: instance.background(share, "reconciliation"),
                    alerts=self.alerts,
                    clock=self.baton,
                    deadline=Deadline.within(ROUND_S, self.baton),
                    nightly=nightly,
                )
                for _, report in reports:
                    self.watch.saw[f"a reconciliation stopped: {report.stopped}"] += report.stopped is not None
        except (StoreUnavailable, QueueUnavailable):
            self.watch.saw["a round of the reconciliation failed"] += 1


@dataclass(frozen=True)
class TenantsRows:
    """The table for whoever looks on: what is a tenant's (the breakers are nobody's)."""

    table: SimulatedTable

    def scan(self, **_request: Any) -> dict[str, Any]:
        return {"Items": [each for each in self.table.rows("#") if each["pk"]["S"].startswith("T#")]}


@dataclass(frozen=True)
class _OneTenant:
    """The `Tenants` port, as far as a round asks."""

    tenant: Tenant

    def every(self) -> tuple[str, ...]:
        return (self.tenant.id,)

    def of_id(self, tenant: str) -> Tenant | None:
        return self.tenant if tenant == self.tenant.id else None

    def of_call(self, *, agent: str | None, number: str | None, deadline: Deadline | None = None) -> Tenant | None:
        return self.tenant
