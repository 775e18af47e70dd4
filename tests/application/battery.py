"""Scenarios, and what can be done to them: a death or a fault at every boundary of the store and of the calendar.

A scenario is a few turns of one call. `boundaries` counts what it touches when nothing goes wrong; `run` plays it with
one thing going wrong, lets the caller (or nobody) try again, sends a rival for the same time, and returns every breach
of `tests.support.invariants` that was to be seen on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bookend.application.deadline import Deadline
from bookend.application.outcomes import Booked, BookOutcome, CheckOutcome, TemporaryTrouble
from bookend.application.ports import BookingRequest, CancelAnswer, FreeStarts, StoreUnavailable
from bookend.domain.answers import Answered, Booking, CreateAnswer, NotSent, Unclear
from bookend.domain.appointment import AppointmentState
from bookend.domain.timeslot import Slot
from tests.support.calendar import BUSY, FakeCalendar, Fault, lost_after, lost_before
from tests.support.invariants import Heard, breaches, look_at
from tests.support.salon import Phone, Salon, table_request
from tests.support.tables.faults import Crash, FaultInjector
from tests.support.tables.faults import Fault as StoreFault
from tests.support.tables.memory import MemoryDynamoDB

DAY = "2025-10-28"
TEN = datetime(2025, 10, 28, 9, 0, tzinfo=UTC)
"""10:00 in Berlin, the time every scenario is about."""
FOREIGN_CALL = "call_927bf219b2cc20cd24dc97c9f0b"

DIES_BEFORE, DIES_AFTER = "dies before", "dies after"
LOST_BEFORE, LOST_AFTER = "lost before", "lost after"
NO_CONNECTION, RATE_LIMITED = "no connection", "rate limited"
CALENDAR_FAULTS = (DIES_BEFORE, DIES_AFTER, LOST_BEFORE, LOST_AFTER, NO_CONNECTION, RATE_LIMITED)
STORE_FAULTS = (StoreFault.NOT_SENT, StoreFault.LOST_ANSWER, StoreFault.THROTTLE, StoreFault.CONFLICT)

Step = Callable[[Phone], CheckOutcome | BookOutcome]


@dataclass
class UnsteadyCalendar:
    """A calendar behind a bad line: its n-th call from now goes wrong."""

    inner: FakeCalendar
    at: int = 0
    fault: str = ""
    calls: int = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def free_starts(
        self,
        event_types: Mapping[str, int],
        window: Slot,
        *,
        deadline: Deadline,
        moving: Mapping[str, str] | None = None,
    ) -> Any:
        return self._through(
            lambda: self.inner.free_starts(event_types, window, deadline=deadline, moving=moving),
            lambda trouble: dict.fromkeys(event_types, trouble),
        )

    def book(self, request: BookingRequest, *, deadline: Deadline) -> Any:
        return self._through(lambda: self.inner.book(request, deadline=deadline), lambda trouble: trouble)

    def book_all(self, requests: Sequence[BookingRequest], *, deadline: Deadline) -> Any:
        return tuple(self.book(each, deadline=deadline) for each in requests)

    def cancel(self, uid: str, reason: str, *, deadline: Deadline) -> Any:
        return self._through(lambda: self.inner.cancel(uid, reason, deadline=deadline), lambda trouble: trouble)

    def cancel_all(self, uids: Sequence[str], reason: str, *, deadline: Deadline) -> Any:
        return tuple(self.cancel(uid, reason, deadline=deadline) for uid in uids)

    def _through(self, apply: Callable[[], Any], told: Callable[[Unclear | NotSent], Any]) -> Any:
        self.calls += 1
        fault = self.fault if self.calls == self.at else ""
        if fault == DIES_BEFORE:
            raise Crash("before the calendar")
        if fault == NO_CONNECTION:
            return told(NotSent("ConnectError"))
        if fault == RATE_LIMITED:
            return told(NotSent("HTTP 429", retry_after_s=30.0))
        if fault == LOST_BEFORE:
            return told(Unclear("ReadTimeout"))
        answer = apply()
        if fault == DIES_AFTER:
            raise Crash("after the calendar")
        return told(Unclear("ReadTimeout")) if fault == LOST_AFTER else answer


@dataclass(frozen=True)
class Scenario:
    """Turns of one call. `faults` answer the bookings; `foreign` is a booking that is there before us."""

    name: str
    steps: tuple[Step, ...]
    faults: tuple[Fault, ...] = ()
    cancel_faults: tuple[CancelAnswer, ...] = ()
    zone: str = "Europe/Berlin"
    start: datetime = TEN
    foreign: bool = False
    caller: str | None = "+491701234567"
    before: Callable[[Salon], None] = lambda _salon: None
    """Set up once the salon is open."""


@dataclass
class Run:
    """One salon, one call, and what was seen."""

    scenario: Scenario
    salon: Salon
    calendar: UnsteadyCalendar
    phone: Phone
    foreign: set[str]
    orphans: set[str] = field(default_factory=set)
    breaches: list[str] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    told_may_lag: bool = False
    confirmed: frozenset[str] = frozenset()
    """Appointments that were, when we last looked."""

    def turn(self, step: Step, phone: Phone | None = None) -> bool:
        """One turn, and a look at the world right after it; False if it died on the way."""
        phone = phone or self.phone
        before = self.confirmed
        try:
            outcome: CheckOutcome | BookOutcome = step(phone)
        except StoreUnavailable:
            outcome = TemporaryTrouble()  # what the door says then
            self.told_may_lag = True
        except Crash:
            return False
        slot = getattr(outcome, "slot", None)
        start = outcome.appointment.slot.start if isinstance(outcome, Booked) else slot.start if slot else None
        heard = Heard(phone.as_call.id, outcome, start or self.scenario.start, before)
        self.heard.append(heard)
        self.look([heard])
        return True

    @contextmanager
    def at_peace(self) -> Iterator[None]:
        """Looking breaks nothing and counts for nothing."""
        client = self.salon.client
        kept = client.faults, client.before, client.after, client.requests.copy()
        client.faults, client.before, client.after = FaultInjector(), [], []
        try:
            yield
        finally:
            client.faults, client.before, client.after, client.requests = kept

    def look(self, heard: list[Heard] | None = None) -> None:
        with self.at_peace():
            world = look_at(self.salon)
        confirmed = AppointmentState.CONFIRMED
        self.confirmed = frozenset(each.id for each in world.appointments.values() if each.state is confirmed)
        self.breaches += breaches(
            world, heard or [], foreign=self.foreign, orphans=self.orphans, told_may_lag=self.told_may_lag
        )
        there = self.calendar.inner.bookings
        self.breaches += [
            f"I9 {uid} is another's, and was cancelled" for uid in self.foreign if uid not in _live(there)
        ]


def _live(bookings: Mapping[str, Booking]) -> set[str]:
    return {uid for uid, each in bookings.items() if each.status == "accepted"}


def begin(scenario: Scenario) -> Run:
    client = MemoryDynamoDB(check_parameters=False)
    client.create_table(**table_request("appointments"))
    salon = Salon(client=client)
    salon.tenant = replace(salon.tenant, zone=ZoneInfo(scenario.zone))
    wall = scenario.start.astimezone(salon.tenant.zone)
    for shift in (-60, -30, -15, 0, 15, 30, 60):
        moment = (wall + timedelta(minutes=shift)).strftime("%H:%M")
        salon.open(wall.date().isoformat(), first=moment, last=moment, every=15)
    calendar = UnsteadyCalendar(salon.calendar)
    salon.calendar = calendar
    foreign = set()
    if scenario.foreign:
        foreign.add(foreign_booking(calendar.inner, scenario.start).uid)
    calendar.inner.faults.extend(scenario.faults)
    calendar.inner.cancel_faults.extend(scenario.cancel_faults)
    client.faults.clear()
    scenario.before(salon)
    return Run(scenario, salon, calendar, salon.call(caller=scenario.caller), foreign)


@dataclass(frozen=True)
class Trouble:
    """What goes wrong, once: a death at a boundary of the store, a fault of one request or of a calendar call."""

    boundary: int = 0
    request: int = -1
    fault: StoreFault | None = None
    lasting: bool = False
    calendar_call: int = 0
    calendar_fault: str = ""

    @property
    def kills(self) -> bool:
        return bool(self.boundary) or self.calendar_fault in {DIES_BEFORE, DIES_AFTER}

    def prepare(self, run: Run) -> None:
        faults = run.salon.client.faults
        if self.boundary:
            faults.crash_at(self.boundary)
        if self.fault is not None:
            writes = self.fault is StoreFault.CONFLICT
            faults.next(
                "*",
                self.fault,
                skip=self.request,
                times=10_000 if self.lasting else 1,
                when=(lambda p: "TransactItems" in p) if writes else None,
            )
            run.told_may_lag = True
        run.calendar.at, run.calendar.fault = self.calendar_call, self.calendar_fault


NONE = Trouble()


def troubles(scenario: Scenario) -> Iterator[Trouble]:
    """Everything that can go wrong once in `scenario`."""
    quiet = begin(scenario)
    quiet.salon.client.requests.clear()
    for step in scenario.steps:
        quiet.turn(step)
    requests = sum(quiet.salon.client.requests.values())
    for boundary in range(1, 2 * requests + 1):
        yield Trouble(boundary=boundary)
    for fault in STORE_FAULTS:
        for number in range(requests):
            yield Trouble(request=number, fault=fault)
    for number in range(requests):
        yield Trouble(request=number, fault=StoreFault.NOT_SENT, lasting=True)
    for number in range(1, quiet.calendar.calls + 1):
        for kind in CALENDAR_FAULTS:
            yield Trouble(calendar_call=number, calendar_fault=kind)


def play(scenario: Scenario, trouble: Trouble = NONE, *, again_after: float | None = 1.0, rival: bool = True) -> Run:
    """The scenario with one thing going wrong. `again_after`: seconds after which the lost turn's wish is repeated;
    None: the caller never tries again.
    """
    run = begin(scenario)
    trouble.prepare(run)
    for step in scenario.steps:
        lived = run.turn(step)
        if trouble.lasting and run.told_may_lag and isinstance(run.heard[-1].outcome, TemporaryTrouble):
            lived = False
        if not lived:
            _over(run)
            run.look()
            if again_after is None:
                break
            run.salon.clock.advance(again_after)
            run.turn(step)
    _over(run)
    run.look()
    if rival:
        _rival(run)
    run.phone.hang_up()
    run.look()
    return run


def _over(run: Run) -> None:
    """The trouble has passed."""
    run.salon.client.faults.clear()
    run.calendar.at = 0


def _rival(run: Run) -> None:
    """Somebody else wants the same time, and a quarter beside it, of the same stylist; at once and much later."""
    wall = run.scenario.start.astimezone(run.salon.tenant.zone)
    for number, (seconds, shift) in enumerate([(0, 15), (400, 0)]):
        run.salon.clock.advance(seconds)
        other = run.salon.call(f"rival_{number}", caller=f"+4917099999{number:02}")
        when = wall + timedelta(minutes=shift)
        day, time = when.date().isoformat(), when.strftime("%H:%M")
        run.turn(lambda phone, day=day, time=time: phone.check(day, time, staff="Fabian"), other)  # type: ignore[misc]
        run.turn(lambda phone, day=day, time=time: phone.book(day, time, staff="Fabian"), other)  # type: ignore[misc]


# What Cal.com may do to a booking


def busy(_calendar: FakeCalendar, _request: BookingRequest) -> CreateAnswer:
    return BUSY


def foreign_booking(calendar: FakeCalendar, start: datetime) -> Booking:
    """Incident I1: the booking that call 687 made 35 minutes before."""
    request = BookingRequest(
        event_type=3672814,
        start=start,
        name="Hansi Sputer",
        email="termin@askproai.de",
        phone=None,
        zone="Europe/Berlin",
        language="de",
        metadata={"call_id": FOREIGN_CALL, "op_id": "op_of_687", "appointment": "642", "segment": "0"},
    )
    booking = replace(
        calendar.insert(request),
        created_at=calendar.clock.now() - timedelta(minutes=35),
    )
    del calendar.bookings[booking.uid]
    named = replace(booking, uid="8Fxv4pCqnb1Jva1w9wn5wX", id=11489895)
    calendar.bookings[named.uid] = named
    return named


def existing(calendar: FakeCalendar, _request: BookingRequest) -> CreateAnswer:
    """It answers 200 with somebody else's booking."""
    return Answered(calendar.bookings["8Fxv4pCqnb1Jva1w9wn5wX"])


def made_wrong(**wrong: Any) -> Fault:
    """It books, but something else."""

    def fault(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
        right = calendar.insert(request)
        booking = replace(right, **{name: value(right) for name, value in wrong.items()})
        calendar.bookings[right.uid] = booking
        return Answered(booking)

    return fault


longer = made_wrong(end=lambda booking: booking.end + timedelta(minutes=15))
by_another = made_wrong(host=lambda booking: booking.host + 1)
unlabelled = made_wrong(metadata=lambda _booking: {})


def no_connection(_calendar: FakeCalendar, _request: BookingRequest) -> CreateAnswer:
    return NotSent("ConnectError")


def hidden(salon: Salon) -> None:
    """Cal.com still lists the time of the booking that is in the way (its slots are cached)."""
    inner = salon.calendar.inner
    listed = {key: tuple(starts) for key, starts in inner.starts.items()}
    inner.free_starts = lambda event_types, window, deadline, moving=None: {
        staff: FreeStarts(tuple(each for each in listed[kind] if window.start <= each < window.end), salon.clock.now())
        for staff, kind in event_types.items()
    }


# The turns


def check(phone: Phone) -> CheckOutcome:
    return phone.check(DAY, "10:00", staff="Fabian")


def book(phone: Phone) -> BookOutcome:
    return phone.book(DAY, "10:00", staff="Fabian")


def book_in_other_words(phone: Phone) -> BookOutcome:
    return phone.book("28.10.2025", "10 Uhr", staff="Fabian Spitzer", name="Herr Hans Schuster", phone="0170 1234567")


def book_late(phone: Phone) -> BookOutcome:
    phone.salon.clock.advance(130)
    return book(phone)


def check_kiwi(phone: Phone) -> CheckOutcome:
    return phone.check(DAY, "12:45", staff="Fabian")


def book_kiwi(phone: Phone) -> BookOutcome:
    return phone.book(DAY, "12:45", staff="Fabian")


OVER_MIDNIGHT = datetime(2025, 10, 27, 23, 45, tzinfo=UTC)
SCENARIOS = {
    each.name: each
    for each in (
        Scenario("only checked", (check,)),
        Scenario("booked", (check, book)),
        Scenario("booked without a check", (book,)),
        Scenario("booked twice over", (check, book, book_in_other_words)),
        Scenario("checked again after the booking", (check, book, check)),
        Scenario("hold expired", (check, book_late)),
        Scenario("refused", (check, book, book), faults=(busy,)),
        Scenario("unknown, booked", (check, book, book), faults=(lost_after,)),
        Scenario("unknown, not booked", (check, book), faults=(lost_before,)),
        Scenario("somebody else's", (check, book), faults=(existing,), foreign=True, before=hidden),
        Scenario("wrong end", (check, book), faults=(longer,)),
        Scenario("wrong host, cancel unclear", (check, book), faults=(by_another,), cancel_faults=(Unclear("x"),)),
        Scenario("no connection at first", (check, book), faults=(no_connection,)),
        Scenario("number withheld", (check, book, book_in_other_words), caller=None),
        Scenario("over midnight UTC", (check_kiwi, book_kiwi), zone="Pacific/Auckland", start=OVER_MIDNIGHT),
    )
}


# What needs two at once, or a hand in the middle


def _once_before_a_write(run: Run, hand: Callable[[], Any]) -> None:
    def hook(operation: str, _parameters: object) -> None:
        if operation == "transact_write_items" and hook in run.salon.client.before:
            run.salon.client.before.remove(hook)
            hand()

    run.salon.client.before.append(hook)


def _in_use(run: Run) -> Run:
    """The day is in the ledger already: from now on its version counts, not whether it exists."""
    early = run.salon.call("early", caller="+491708888888")
    early.check(DAY, "11:00", staff="Fabian")
    early.hang_up()
    return run


def _rival_phone(run: Run) -> Phone:
    return run.salon.call("rival", caller="+491709999999")


def two_book_at_once() -> list[str]:
    """Nobody holds it, both found it free; the ledger's version decides."""
    run = _in_use(begin(SCENARIOS["booked without a check"]))
    _once_before_a_write(run, lambda: run.turn(book, _rival_phone(run)))
    run.turn(book)
    return run.breaches


def two_check_at_once() -> list[str]:
    """The second to write must not wipe the first one's holds away."""
    run = _in_use(begin(SCENARIOS["only checked"]))
    rivals: list[CheckOutcome] = []
    _once_before_a_write(run, lambda: rivals.append(check(_rival_phone(run))))
    run.turn(check)
    run.look([Heard("rival", each, TEN) for each in rivals])
    return run.breaches


def given_up_under_way() -> list[str]:
    """Somebody releases the operation while its request is on its way."""
    run = begin(SCENARIOS["booked"])

    def fault(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
        appointment = run.salon.appointments.appointment(run.salon.tenant.id, request.metadata["appointment"])
        assert appointment is not None
        now = run.salon.clock.now()
        run.salon.appointments.release(
            run.salon.tenant.id, appointment, why="never_arrived", answer="", alert=None, now=now
        )
        return Answered(calendar.insert(request))

    run.turn(check)
    run.calendar.inner.faults.append(fault)
    run.turn(book)
    return run.breaches


def anothers_uid_under_our_label() -> list[str]:
    """Cal.com answers with our metadata on a booking that has an appointment."""
    run = begin(SCENARIOS["booked"])
    rival = _rival_phone(run)
    run.turn(lambda phone: phone.book(DAY, "11:00", staff="Fabian"), rival)
    (theirs,) = run.calendar.inner.accepted()

    def fault(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
        ours = calendar.insert(request)
        del calendar.bookings[ours.uid]
        return Answered(replace(ours, uid=theirs.uid, id=theirs.id))

    run.turn(check)
    run.calendar.inner.faults.append(fault)
    run.turn(book)
    return run.breaches


def one_customer_in_two_calls() -> list[str]:
    run = begin(SCENARIOS["booked"])
    run.turn(book)
    run.turn(lambda phone: phone.book(DAY, "10:00", staff="Emma"), run.salon.call("call_2"))
    return run.breaches


def a_second_person() -> list[str]:
    """Somebody else's name in the same call: "booked" would be the first one's booking."""
    run = begin(SCENARIOS["booked"])
    run.turn(check)
    run.turn(book)
    outcome = run.phone.book(DAY, "10:00", name="Max Schuster")
    if isinstance(outcome, Booked) and outcome.appointment.customer.name != "Max Schuster":
        run.breaches.append("I5 told booked with another's booking")
    return run.breaches


def a_refusal_asked_again() -> list[str]:
    """A model repeats the wish in other words a second later."""
    run = begin(SCENARIOS["refused"])
    run.turn(check)
    run.turn(book)
    run.salon.clock.advance(1)
    run.turn(book_in_other_words)
    sent = run.calendar.inner.asked.count("create")
    return [*run.breaches, *([f"sent {sent} times"] if sent > 1 else [])]


def the_store_away_after_the_booking() -> list[str]:
    run = begin(SCENARIOS["booked"])
    run.turn(check)
    run.salon.client.faults.next("transact_write_items", StoreFault.NOT_SENT, skip=1, times=99)
    run.told_may_lag = True
    run.turn(book)
    return run.breaches


DIRECTED: tuple[Callable[[], list[str]], ...] = (
    two_book_at_once,
    two_check_at_once,
    given_up_under_way,
    anothers_uid_under_our_label,
    one_customer_in_two_calls,
    a_second_person,
    a_refusal_asked_again,
    the_store_away_after_the_booking,
)


def compact() -> Iterator[str]:
    """Every scenario with nothing and with little going wrong, and what needs two at once, in a second or two."""
    for directed in DIRECTED:
        yield from (f"{breach} [{directed.__name__}]" for breach in directed())
    for scenario in SCENARIOS.values():
        for trouble in (NONE, Trouble(calendar_call=2, calendar_fault=LOST_AFTER)):
            yield from (f"{breach} [{scenario.name}]" for breach in play(scenario, trouble).breaches)
