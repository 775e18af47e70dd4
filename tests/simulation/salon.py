"""The salon's machinery in a run: instances of functions, the queue and its worker, deliveries, schedules."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from bookend.adapters.bounded import BoundedQueue
from bookend.adapters.calcom.events import read_event
from bookend.adapters.dynamodb.cases import DynamoCases
from bookend.adapters.dynamodb.due import DynamoDueWork
from bookend.adapters.dynamodb.health import DynamoHealth
from bookend.adapters.dynamodb.runs import DynamoRuns
from bookend.application.circuit import probe_due
from bookend.application.deadline import ONE_S, Deadline
from bookend.application.health import pulse
from bookend.application.ports import DueWork, Job, QueueUnavailable, StoreUnavailable
from bookend.application.receiving import receive, work_on
from bookend.application.remedying import remedy_every_tenant
from bookend.application.rounds import reconcile_every_tenant
from bookend.application.settling import settle_again
from bookend.application.sweeping import sweep
from bookend.application.texting import send_text
from bookend.domain.tenant import Tenant
from tests.simulation.baton import Baton
from tests.simulation.calendar import SimulatedCalendar
from tests.simulation.instance import Alerts, Instance
from tests.simulation.plan import Rates
from tests.simulation.store import TABLE, SimulatedTable, bounds
from tests.simulation.stream import AuditStream
from tests.simulation.tenants import Round, Tenancy
from tests.simulation.watch import Breach, Watch
from tests.support.tables.faults import Crash

VISIBLE_AGAIN_S = 300.0
MOST_RECEIVES = 5
DOOR_S = 5.0
SWEEP_S, ROUND_S, PULSE_S = 50.0, 200.0, 4.0


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
        salon = self.salon.of(job.tenant)
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
    """One tenant with its calendar, its queue and whoever works for it. `beside`: the tenant whose table and functions
    these are as well; its schedules serve both.
    """

    def __init__(
        self,
        baton: Baton,
        rates: Callable[[], Rates],
        tenant: Tenant,
        watch: Watch,
        *,
        beside: SimulatedSalon | None = None,
    ) -> None:
        self.baton, self.rates, self.tenant, self.watch = baton, rates, tenant, watch
        self.house: list[SimulatedSalon] = [self] if beside is None else beside.house
        if beside is None:
            self.table = SimulatedTable(baton, rates, watch.committed, watch.saw)
        else:
            self.house.append(self)
            self.table = beside.table
        self.calendar: SimulatedCalendar
        self.stream: AuditStream
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
        return TenantsRows(self.table, self.tenant.id)

    @property
    def clock(self) -> Baton:
        return self.baton

    table_name = TABLE

    def of(self, tenant: str) -> SimulatedSalon:
        """Of those in this table, the one that work is for."""
        return next(each for each in self.house if each.tenant.id == tenant)

    def trouble(self, name: str) -> None:
        """What nobody expected, where the product hides it from a caller."""
        self.baton.fail(Breach(f"EX a breaker could not be noted: {name}"))

    @contextmanager
    def instance(self) -> Iterator[Instance]:
        """An instance that is free, or a new one, whomever it served before. One whose work died is gone."""
        all_of, at_work = self.house[0]._instances, self.house[0]._at_work
        number = next((n for n in range(len(all_of)) if n not in at_work), len(all_of))
        if number == len(all_of):
            all_of.append(Instance(self))
        at_work.add(number)
        all_of[number].salon = self
        try:
            yield all_of[number]
        except Crash:
            all_of[number] = Instance(self)
            raise
        finally:
            at_work.discard(number)

    # Cal.com tells

    def happened(self, trigger: str, uid: str) -> None:
        """Deliveries, as the plan has it: none, one, two; in no order; most before who did it has an answer."""
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
        """`EVERY` round, and the night once."""
        for name, (seconds, late, work) in EVERY.items():
            for number in range(1, int(until // seconds)):
                self.baton.spawn(f"{name}/{number}", partial(work, self), after=seconds * number + late)
        self.baton.spawn(f"{NIGHTLY}/1", lambda: self.reconcile(nightly=True), after=nightly_at)

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
                due, its = _Remembered(DynamoDueWork(instance.table)), Round(self)
                sweep(
                    due_work=due,
                    inbox=its.kept(instance.inbox),
                    outbox=its.kept(instance.outbox),
                    queue=self.queue,
                    background=lambda tenant, share: instance.background(share, "sweeper", its.begun(tenant)),
                    alerts=self.alerts,
                    clock=self.baton,
                    deadline=deadline,
                )
                its.swept(due.jobs)
                records = DynamoHealth(instance.table).within(Deadline.within(PULSE_S, self.baton))
                pulse(records=records, circuit=instance.circuit, clock=self.baton)
        except (StoreUnavailable, QueueUnavailable):
            self.watch.saw["a round of the sweeper failed"] += 1

    def reconcile(self, *, nightly: bool = False) -> None:
        """The same of a poll, and of the night."""
        try:
            with self.instance() as instance:
                its, deadline = Round(self), Deadline.within(ROUND_S, self.baton)
                reports = reconcile_every_tenant(
                    tenants=Tenancy(self.house),
                    runs=DynamoRuns(instance.table),
                    due_work=DynamoDueWork(instance.table),
                    background=lambda tenant, share: instance.background(share, "reconciliation", its.begun(tenant)),
                    alerts=self.alerts,
                    clock=self.baton,
                    deadline=deadline,
                    nightly=nightly,
                )
                requests: Counter[str] = Counter()
                for tenant, report in reports:
                    requests[tenant] += report.requests
                its.reconciled(requests, deadline)
                for _, report in reports:
                    self.watch.saw[f"a reconciliation stopped: {report.stopped}"] += report.stopped is not None
        except (StoreUnavailable, QueueUnavailable):
            self.watch.saw["a round of the reconciliation failed"] += 1

    def remedy(self) -> None:
        """The same of the quarter-hourly remedies."""
        try:
            with self.instance() as instance:
                reports = remedy_every_tenant(
                    tenants=Tenancy(self.house),
                    cases=DynamoCases(instance.table),
                    background=lambda tenant, share: instance.background(share, "remedy", self.of(tenant)),
                    alerts=self.alerts,
                    deadline=Deadline.within(ROUND_S, self.baton),
                )
                self.watch.saw["rounds of remedies"] += len(reports)
        except (StoreUnavailable, QueueUnavailable):
            self.watch.saw["a round of remedies failed"] += 1


@dataclass(frozen=True)
class TenantsRows:
    """The table for whoever looks on: what is one tenant's (the breakers are nobody's)."""

    table: SimulatedTable
    tenant: str

    def scan(self, **_request: Any) -> dict[str, Any]:
        return {"Items": self.table.rows(f"T#{self.tenant}#")}


class _Remembered:
    """The `DueWork` port, and what it said."""

    def __init__(self, inner: DueWork) -> None:
        self._inner = inner
        self.jobs: Sequence[Job] = ()

    def due(self, *, now: datetime, most: int) -> Sequence[Job]:
        self.jobs = self._inner.due(now=now, most=most)
        return self.jobs


NIGHTLY = "nightly"
EVERY = {
    "sweeper": (60.0, 7.3, SimulatedSalon.sweep),
    "poll": (300.0, 31.1, SimulatedSalon.reconcile),
    "remedy": (900.0, 51.7, SimulatedSalon.remedy),
}
"""Who comes every so many seconds, and so many after that."""
