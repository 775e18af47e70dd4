"""The example salon at work: a clock that stands still, a table in memory, a calendar in memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bookend.adapters.dynamodb.appointments import DynamoAppointments
from bookend.adapters.dynamodb.changes import DynamoChanges
from bookend.adapters.dynamodb.slots import DynamoSlotCache
from bookend.adapters.dynamodb.transact import Table
from bookend.adapters.retell.replies import Reply, Speaker
from bookend.adapters.tenants.document import read_tenant
from bookend.application.book_appointment import book_appointment
from bookend.application.booking_goal import BookAppointment
from bookend.application.check_availability import CheckAvailability, check_availability
from bookend.application.deadline import READ_TURN_S, WRITE_TURN_S, Deadline
from bookend.application.end_call import end_call
from bookend.application.outcomes import BookOutcome, CheckOutcome
from bookend.application.ports import Alert, Job, QueueUnavailable
from bookend.application.turn import Call, Turn
from bookend.domain.tenant import Tenant
from bookend.domain.timeslot import local_day_bounds
from tests.support.calendar import EventType, FakeCalendar
from tests.support.tables.engines import table_properties
from tests.support.tables.memory import MemoryDynamoDB

EXAMPLE = Path(__file__).parents[2] / "examples" / "salon.json"
CALLER = "+491701234567"


class KeptQueue:
    """The `Queue` port: what was sent, and after how long it is to be done. `broken`: it takes nothing."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Job, timedelta]] = []
        self.broken = False

    def send(self, job: Job, *, delay: timedelta = timedelta(0)) -> None:
        if self.broken:
            raise QueueUnavailable
        self.jobs.append((job, delay))


class StoppedClock:
    """Time stands still until somebody waits or moves it."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._elapsed = 0.0

    def now(self) -> datetime:
        return self._now + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._elapsed += seconds


class CountedIds:
    """Names in order."""

    def __init__(self, prefix: str = "id") -> None:
        self._numbers = itertools.count(1)
        self.given = 0
        self._prefix = prefix

    def new(self) -> str:
        self.given = number = next(self._numbers)  # one name each, in threads as well
        return f"{self._prefix}{number:05d}"


class HeardAlerts:
    """Alerts that a test can read."""

    def __init__(self) -> None:
        self.raised: list[Alert] = []

    def raise_(self, alert: Alert) -> None:
        self.raised.append(alert)


def example_tenant() -> Tenant:
    """The worked example."""
    return read_tenant(EXAMPLE.read_bytes())


@dataclass
class Salon:
    """One salon; `call` a phone number and then ask and book as an agent does."""

    now: datetime = datetime(2025, 10, 25, 18, 18, 32, tzinfo=UTC)
    tenant: Tenant = field(default_factory=example_tenant)
    client: Any = None
    table_name: str = "appointments"
    calendar: Any = None
    clock: Any = None
    ids: Any = field(default_factory=CountedIds)
    alerts: HeardAlerts = field(default_factory=HeardAlerts)
    queue: KeptQueue = field(default_factory=KeptQueue)

    def __post_init__(self) -> None:
        self.clock = self.clock or StoppedClock(self.now)
        if self.client is None:
            self.client = MemoryDynamoDB()
            self.client.create_table(**table_request(self.table_name))
        kinds = {
            event_type: EventType(self.tenant.member(staff).calcom_user, segment.minutes)
            for service in self.tenant.services
            for segment in service.segments
            for staff, event_type in segment.event_types.items()
        }
        self.calendar = self.calendar or FakeCalendar(self.clock, kinds)
        self.table = Table(self.client, self.table_name, clock=self.clock)
        self.appointments = DynamoAppointments(self.table)
        self.changes = DynamoChanges(self.table)
        self.slots = DynamoSlotCache(self.table)

    def open(
        self, day: str, *, first: str = "09:00", last: str = "17:30", every: int = 30, only: int | None = None
    ) -> None:
        """Put starts on sale at Cal.com on a local day, for every event type or `only` one."""
        bounds = local_day_bounds(datetime.fromisoformat(day).date(), self.tenant.zone)
        moment = bounds.start
        while moment < bounds.end:
            wall = moment.astimezone(self.tenant.zone).strftime("%H:%M")
            if first <= wall <= last:
                for event_type in self.calendar.event_types:
                    if only in {None, event_type}:
                        self.calendar.starts.setdefault(event_type, []).append(moment)
            moment += timedelta(minutes=every)

    def call(self, call_id: str = "call_1", *, caller: str | None = CALLER, branch: str | None = "mitte") -> Phone:
        """Somebody rings."""
        return Phone(self, Call(self.tenant.at_branch(branch), call_id, caller))

    def items(self, kind: str) -> list[dict[str, Any]]:
        """Items of the table whose partition key holds `#kind`."""
        found = self.client.scan(TableName=self.table_name)["Items"]
        return [item for item in found if f"#{kind}" in item["pk"]["S"]]


@dataclass
class Phone:
    """One call to the salon."""

    salon: Salon
    as_call: Call

    def turn(self, seconds: float) -> Turn:
        salon = self.salon
        deadline = Deadline.within(seconds, salon.clock)
        return Turn(
            call=self.as_call,
            appointments=salon.appointments.within(deadline),
            changes=salon.changes.within(deadline),
            calendar=salon.calendar,
            slots=salon.slots.within(deadline),
            queue=salon.queue,
            alerts=salon.alerts,
            clock=salon.clock,
            ids=salon.ids,
            deadline=deadline,
        )

    def check(
        self,
        date: str | None = None,
        time: str | None = None,
        *,
        service: str | None = "Herrenhaarschnitt",
        staff: str | None = None,
    ) -> CheckOutcome:
        """Ask for free times."""
        return check_availability(CheckAvailability(service, staff, date, time), self.turn(READ_TURN_S))

    def book(self, date: str | None = None, time: str | None = None, **said: str | None) -> BookOutcome:
        """Book."""
        return book_appointment(wish(date, time, **said), self.turn(WRITE_TURN_S))

    def said(self, outcome: CheckOutcome | BookOutcome) -> Reply:
        """What the agent gets to read."""
        return Speaker(self.as_call.tenant).reply(outcome)

    def hang_up(self) -> int:
        """The call ends."""
        return end_call(
            self.as_call.tenant.id, self.as_call.id, appointments=self.salon.appointments, clock=self.salon.clock
        )


def wish(date: str | None = None, time: str | None = None, **said: str | None) -> BookAppointment:
    """A wish to book as a model words it; a haircut for Hans Schuster unless said otherwise."""
    fields: dict[str, str | None] = {
        "offer": None,
        "service": "Herrenhaarschnitt",
        "staff": None,
        "name": "Hans Schuster",
        "phone": None,
        "email": None,
    }
    return BookAppointment(date=date, time=time, **(fields | said))


def table_request(name: str) -> dict[str, Any]:
    """The table as the template declares it."""
    return table_properties() | {"TableName": name}


Builder = Callable[..., Salon]
