"""The example salon on a real engine and a Cal.com stand-in over HTTP, with the real client and the real clock.

    with live_salon() as live:
        phone = live.phone("call_1", caller="+491700000001")
        phone.check(...)

One `LiveSalon` serves many rounds; `new_round` gives it an empty table and an empty Cal.com.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

from bookend.adapters.calcom.client import CalcomCalendar
from bookend.adapters.calcom.transport import DeadlineTransport
from bookend.adapters.tenants.document import read_tenant
from bookend.application.book_appointment import book_appointment
from bookend.application.change_appointment import ChangeAppointment, change_appointment
from bookend.application.change_outcomes import ChangeOutcome
from bookend.application.check_availability import CheckAvailability, check_availability
from bookend.application.deadline import READ_TURN_S, WRITE_TURN_S, Deadline
from bookend.application.outcomes import BookOutcome, CheckOutcome
from bookend.application.ports import BookingRequest, CalendarTrouble, CancelAnswer, FreeStarts
from bookend.application.turn import Call
from bookend.bootstrap import RandomIds, SystemClock
from bookend.domain.answers import CreateAnswer
from bookend.domain.appointment import ChangeKind
from bookend.domain.timeslot import Slot
from sandbox.calcom import CalcomStandIn, World
from sandbox.calcom.models import WEEKDAYS
from sandbox.salon.calendar import world
from tests.support.salon import EXAMPLE, Phone, Salon, table_request, wish
from tests.support.tables.engines import Store, engine

KEY = "cal_live_races"
UNHURRIED_S = 60.0
"""The patience of callers that share two cores and one emulator: who wins is the question then, not how soon."""
_T = TypeVar("_T")


COLOUR: dict[str, Any] = {
    "id": "farbe",
    "name": "Farbe",
    "segments": [
        {"kind": "busy", "minutes": 45, "event_types": {"fabian": 3757771}},
        {"kind": "gap", "minutes": 30},
        {"kind": "busy", "minutes": 30, "event_types": {"fabian": 3757772}},
        {"kind": "gap", "minutes": 30, "min_minutes": 15, "max_minutes": 60},
        {"kind": "busy", "minutes": 15, "event_types": {"fabian": 3757773}},
    ],
}
"""A service of three bookings, which the example does without."""


def document() -> dict[str, Any]:
    """The example's document, and the service of three bookings."""
    example: dict[str, Any] = json.loads(EXAMPLE.read_bytes())
    return example | {"services": [*example["services"], COLOUR]}


def calcom_world(*, every: int | None = None) -> World:
    """Cal.com as that document says it is, open every day and without a rate limit.

    `every`: minutes from one start on sale to the next; by default the service's own length.
    """
    open_daily = {day: [("06:00", "22:00")] for day in WEEKDAYS}
    data = world(document(), api_key=KEY, weekly=open_daily)
    event_types = [each | {"minimum_notice": 0, "slot_interval": every} for each in data["event_types"]]
    return World.from_json(data | {"event_types": event_types, "settings": {"requests_per_minute": 0}})


class Traffic:
    """Requests to the table by operation, and why transactions were cancelled. Safe under threads."""

    def __init__(self, client: Any) -> None:
        self._lock = threading.Lock()
        self.requests: Counter[str] = Counter()
        self.cancelled: Counter[str] = Counter()
        self.retries = 0
        client.meta.events.register("after-call.dynamodb", self._answered)

    def _answered(self, parsed: dict[str, Any], model: Any, **_: Any) -> None:
        codes = {reason["Code"] for reason in parsed.get("CancellationReasons", [])} - {"None"}
        with self._lock:
            self.requests[model.name] += 1
            self.retries += parsed.get("ResponseMetadata", {}).get("RetryAttempts", 0)
            self.cancelled.update(codes)

    def clear(self) -> None:
        """Count anew."""
        with self._lock:
            self.requests.clear()
            self.cancelled.clear()
            self.retries = 0


class Unhurried(CalcomCalendar):
    """Cal.com with all the time it needs, whatever the turn's share for it is."""

    def free_starts(
        self,
        event_types: Mapping[str, int],
        window: Slot,
        *,
        deadline: Deadline,
        moving: Mapping[str, str] | None = None,
    ) -> Mapping[str, FreeStarts | CalendarTrouble]:
        return super().free_starts(
            event_types, window, deadline=Deadline.within(UNHURRIED_S, deadline.clock), moving=moving
        )

    def book(self, request: BookingRequest, *, deadline: Deadline) -> CreateAnswer:
        return super().book(request, deadline=Deadline.within(UNHURRIED_S, deadline.clock))

    def book_all(self, requests: Sequence[BookingRequest], *, deadline: Deadline) -> tuple[CreateAnswer, ...]:
        return super().book_all(requests, deadline=Deadline.within(UNHURRIED_S, deadline.clock))

    def cancel_all(self, uids: Sequence[str], reason: str, *, deadline: Deadline) -> tuple[CancelAnswer, ...]:
        return super().cancel_all(uids, reason, deadline=Deadline.within(UNHURRIED_S, deadline.clock))

    def reschedule(self, uid: str, start: datetime, reason: str, *, deadline: Deadline) -> CreateAnswer:
        return super().reschedule(uid, start, reason, deadline=Deadline.within(UNHURRIED_S, deadline.clock))

    def reschedule_all(
        self, moves: Sequence[tuple[str, datetime]], reason: str, *, deadline: Deadline
    ) -> tuple[CreateAnswer, ...]:
        return super().reschedule_all(moves, reason, deadline=Deadline.within(UNHURRIED_S, deadline.clock))

    def cancel(self, uid: str, reason: str, *, deadline: Deadline) -> CancelAnswer:
        return super().cancel(uid, reason, deadline=Deadline.within(UNHURRIED_S, deadline.clock))


@dataclass
class Caller(Phone):
    """A phone with a patience of its own."""

    read_s: float = READ_TURN_S
    write_s: float = WRITE_TURN_S

    def check(
        self,
        date: str | None = None,
        time: str | None = None,
        *,
        service: str | None = "Herrenhaarschnitt",
        staff: str | None = None,
    ) -> CheckOutcome:
        return check_availability(CheckAvailability(service, staff, date, time), self.turn(self.read_s))

    def book(self, date: str | None = None, time: str | None = None, **said: str | None) -> BookOutcome:
        return book_appointment(wish(date, time, **said), self.turn(self.write_s))

    def change(self, kind: ChangeKind, **said: str | None) -> ChangeOutcome:
        """Name an appointment, or say yes with its `token`."""
        return change_appointment(ChangeAppointment(kind=kind, **said), self.turn(self.write_s))  # type: ignore[arg-type]


class LiveSalon:
    """Everything real but the two services, which run on loopback; made by `live_salon`."""

    def __init__(self, store: Store, calcom: CalcomStandIn, stack: ExitStack) -> None:
        self.client = store.client
        self.calcom = calcom
        self.clock = SystemClock()
        self.tenant = read_tenant(json.dumps(document()).encode())
        self.traffic = Traffic(store.client)
        self.unanswered: Counter[str] = Counter()
        """Requests to Cal.com that got no answer, by operation and error."""
        self._stack = stack
        self._calendars: dict[tuple[int, type[CalcomCalendar]], CalcomCalendar] = {}
        self._tables = (f"{store.table}-{number}" for number in itertools.count(1))
        self.new_round()

    def new_round(self) -> None:
        """An empty table, and a Cal.com without bookings."""
        self.table = next(self._tables)
        self.client.create_table(**table_request(self.table))
        self.calcom.world.reset()
        self.forget_traffic()

    def forget_traffic(self) -> None:
        """Count anew."""
        self.calcom.gateway.forget_requests()
        self.traffic.clear()
        self.unanswered.clear()

    def day(self, ahead: int = 3) -> date:
        """A day on sale, in the salon's zone."""
        return self.clock.now().astimezone(self.tenant.zone).date() + timedelta(days=ahead)

    def phone(
        self,
        call: str,
        *,
        caller: str | None,
        instance: int = 0,
        unhurried: bool = False,
        branch: str | None = "mitte",
    ) -> Caller:
        """Somebody rings, and the function's instance number `instance` answers them."""
        kind = Unhurried if unhurried else CalcomCalendar
        salon = Salon(
            tenant=self.tenant,
            client=self.client,
            table_name=self.table,
            calendar=self._calendar(instance, kind),
            clock=self.clock,
            ids=RandomIds(),
        )
        patience = (UNHURRIED_S, UNHURRIED_S) if unhurried else (READ_TURN_S, WRITE_TURN_S)
        return Caller(salon, Call(self.tenant.at_branch(branch), call, caller), *patience)

    def _calendar(self, instance: int, kind: type[CalcomCalendar]) -> CalcomCalendar:
        """A client of one's own, as every instance of a function has one; its connections end with `stack`."""
        if (instance, kind) not in self._calendars:
            transport = DeadlineTransport()
            self._stack.callback(transport.close)
            self._calendars[instance, kind] = kind(
                base_url=self.calcom.url,
                api_key=lambda: KEY,
                clock=self.clock,
                observe=self._observed,
                transport=transport,
            )
        return self._calendars[instance, kind]

    def _observed(self, *, operation: str, status: int, error: str | None = None, **_: Any) -> None:
        if status == 0:
            self.unanswered[f"{operation} {error}"] += 1


@contextmanager
def live_salon(*, every: int | None = None, engine_name: str = "ministack") -> Iterator[LiveSalon]:
    """A running salon; see `calcom_world` for `every`."""
    with (
        engine(engine_name) as store,
        CalcomStandIn(world=calcom_world(every=every)) as calcom,
        ExitStack() as stack,
    ):
        yield LiveSalon(store, calcom, stack)


def at_once(works: Sequence[Callable[[], _T]]) -> list[_T]:
    """All of them, each in a thread of its own, let go at the same moment; what they returned, in order."""
    barrier = threading.Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def run(position: int) -> None:
        barrier.wait()
        try:
            results[position] = works[position]()
        except BaseException as error:  # noqa: BLE001 - raised again below
            results[position] = error

    threads = [threading.Thread(target=run, args=(position,)) for position in range(len(works))]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for each in results:
        if isinstance(each, BaseException):
            raise each
    return results
