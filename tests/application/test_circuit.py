"""What counts against Cal.com, what is asked while a breaker is open, and how it comes back."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from bookend.adapters.bounded import Late
from bookend.adapters.dynamodb.circuit import CircuitCopy, DynamoCircuit
from bookend.adapters.dynamodb.transact import Table
from bookend.application import alerts
from bookend.application import circuit as guarding
from bookend.application.circuit import GuardedCalendar, Probed, probe_due, state_of
from bookend.application.deadline import READ_TURN_S, Deadline
from bookend.application.outcomes import Booked, Offers, TemporaryTrouble
from bookend.application.ports import BookingRequest, Cancelled, ListQuery, Page
from bookend.domain.answers import KeyRejected, NotSent, NotThere, Refusal, Refused, Unclear
from bookend.domain.circuit import FAILURES, LEASE, PAUSES, Breaker, CircuitKind, CircuitState
from bookend.domain.timeslot import Slot
from tests.support.calendar import FakeCalendar, lost_before
from tests.support.salon import Phone, Salon
from tests.support.tables.faults import Fault

READS, WRITES = CircuitKind
DAY, AT = "2025-10-28", "10:00"
START = datetime(2025, 10, 28, 9, 0, tzinfo=UTC)
WINDOW = Slot.of(START, 60)
PAUSE_S = PAUSES[0].total_seconds()
LOST = Unclear("ReadTimeout")
UNREACHABLE = NotSent("ConnectError", unreachable=True)
SILENT = [LOST, UNREACHABLE, Unclear("HTTP 500 <html>Hans Schuster</html>"), Unclear("Late")]
DEFINITE = [
    Refused(Refusal.HOST_BUSY, "HTTP 400"),
    Refused(Refusal.INVALID, "HTTP 422"),
    NotSent("HTTP 429", retry_after_s=30.0),
    NotSent("no time left to send it"),
    NotSent("KeyUnavailable"),
    KeyRejected("HTTP 401"),
    NotThere("HTTP 404"),
    Unclear("HTTP 200 {}", answered=True),
]


@dataclass
class World:
    """One salon whose calendar is guarded; `calcom` is what stands behind the guard, and counts what it is asked."""

    salon: Salon = field(default_factory=Salon)

    def __post_init__(self) -> None:
        self.salon.open(DAY)
        self.calcom: FakeCalendar = self.salon.calendar
        self.salon.calendar = self.calendar = self.instance()

    def instance(self, **table: Any) -> GuardedCalendar:
        """The calendar as another instance of a function has it."""
        return GuardedCalendar(self.calcom, self.circuit(**table), alerts=self.salon.alerts, clock=self.salon.clock)

    def circuit(self, **how: Any) -> DynamoCircuit:
        copy = CircuitCopy("https://cal.example", clock=self.salon.clock)
        table = Table(self.salon.client, self.salon.table_name, clock=self.salon.clock, beside=copy, **how)
        return DynamoCircuit(table, copy, ids=self.salon.ids)

    def breaker(self, kind: CircuitKind) -> Breaker:
        return self.circuit().read()[kind]

    def soon(self) -> Deadline:
        return Deadline.within(READ_TURN_S, self.salon.clock)

    def cancel(self, answer: Any = LOST, *, calendar: GuardedCalendar | None = None) -> Any:
        """A request to write that is answered so."""
        self.calcom.cancel_faults.append(answer)
        told = (calendar or self.calendar).cancel("uid1", "why", deadline=self.soon())
        self.calcom.cancel_faults.clear()
        return told

    def free_starts(self, *answers: Any) -> Any:
        """A question for slots, one answer a stylist."""
        self.calcom.slot_faults.extend(answers)
        types = {f"s{number}": 3672814 for number in range(len(answers) or 1)}
        told = self.calendar.free_starts(types, WINDOW, deadline=self.soon())
        self.calcom.slot_faults.clear()
        return told

    def open(self, kind: CircuitKind = WRITES) -> None:
        """Cal.com is silent until the breaker of this kind is open, and everybody knows it."""
        for _ in range(FAILURES):
            self.cancel() if kind is WRITES else self.free_starts(LOST)
        assert self.breaker(kind).state is CircuitState.OPEN
        self.calcom.asked.clear()

    def probe(self, circuit: DynamoCircuit | None = None, calendar: Any = None) -> tuple[Probed, ...]:
        """A round of the sweeper."""
        return probe_due(
            circuit or self.circuit(),
            lambda: calendar or self.calcom,
            alerts=self.salon.alerts,
            clock=self.salon.clock,
            ids=self.salon.ids,
            deadline=Deadline.within(50, self.salon.clock),
        )

    def wait(self, seconds: float = PAUSE_S) -> None:
        self.salon.clock.advance(seconds)

    def raised(self) -> list[str]:
        return [each.kind for each in self.salon.alerts.raised]


@pytest.fixture
def world() -> World:
    return World()


# What counts


@pytest.mark.parametrize("answer", SILENT, ids=str)
def test_silence_opens_it(world: World, answer: Any) -> None:
    for _ in range(FAILURES):
        assert world.cancel(answer) == answer, "the caller gets the answer as it is"
    assert world.breaker(WRITES).state is CircuitState.OPEN
    assert world.breaker(READS) == Breaker()


@pytest.mark.parametrize("answer", DEFINITE, ids=str)
def test_whatever_calcom_says_or_we_keep_back_never_opens_it(world: World, answer: Any) -> None:
    opened_by_definite_answers(world, answer)
    assert world.breaker(WRITES) == world.breaker(READS) == Breaker()
    assert world.raised() == []


def opened_by_definite_answers(world: World, answer: Any) -> None:
    for _ in range(FAILURES * 3):
        world.cancel(answer)
        world.free_starts(answer)


@pytest.mark.parametrize("answer", [each for each in DEFINITE if not isinstance(each, Unclear)], ids=str)
def test_counting_what_is_no_silence_would_be_noticed(
    world: World, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A planted bug: everything that is no success counts."""
    monkeypatch.setattr(guarding, "silence", lambda answer: None if isinstance(answer, Cancelled) else "planted")
    opened_by_definite_answers(world, answer)
    assert world.breaker(WRITES).state is CircuitState.OPEN


def test_a_question_about_several_stylists_is_one_failure_and_none_if_one_of_them_was_told_of(world: World) -> None:
    world.free_starts(LOST, LOST, UNREACHABLE)
    assert world.breaker(READS).failures == 1
    world.free_starts(LOST, NotThere("HTTP 404"))
    assert world.breaker(READS).failures == 1


ASK: dict[str, tuple[CircuitKind, Callable[[Any, Deadline], Any]]] = {
    "book": (
        WRITES,
        lambda c, d: c.book(BookingRequest(3672814, START, "n", "e@x.example", None, "UTC", "de", {}), deadline=d),
    ),
    "cancel": (WRITES, lambda c, d: c.cancel("uid1", "why", deadline=d)),
    "reschedule": (WRITES, lambda c, d: c.reschedule("uid1", START, "why", deadline=d)),
    "booking": (READS, lambda c, d: c.booking("uid1", deadline=d)),
    "find": (READS, lambda c, d: c.find("e@x.example", WINDOW, deadline=d)),
    "page": (READS, lambda c, d: c.page(ListQuery(window=WINDOW), skip=0, deadline=d)),
}


@pytest.mark.parametrize("name", ASK)
def test_each_request_is_of_its_kind(world: World, name: str) -> None:
    """With its breaker open it is answered at once and Cal.com not asked; with the other one open it is asked."""
    kind, ask = ASK[name]
    world.open(READS if kind is WRITES else WRITES)
    ask(world.calendar, world.soon())
    assert len(world.calcom.asked) == 1
    world.open(kind)
    assert ask(world.calendar, world.soon()) == NotSent("circuit open", retry_after_s=PAUSE_S)
    assert world.calcom.asked == []


def test_an_open_breaker_answers_for_each_stylist(world: World) -> None:
    world.open(READS)
    told = world.calendar.free_starts({"a": 1, "b": 2}, WINDOW, deadline=world.soon())
    assert told == dict.fromkeys("ab", NotSent("circuit open", retry_after_s=PAUSE_S))
    assert world.calcom.asked == []


def test_what_is_left_of_the_minute_is_told_whatever_the_breakers_are(world: World) -> None:
    world.open(READS)
    world.calcom.left = 17
    assert world.calendar.headroom() == 17


# Its alert


def test_opening_raises_one_alert_in_words_of_ours(world: World) -> None:
    for _ in range(FAILURES + 3):
        world.cancel(Unclear("HTTP 502 <html>Hans Schuster, +491701234567</html>"))
    (alert,) = world.salon.alerts.raised
    assert alert.kind == alerts.CIRCUIT_OPENED
    assert alert.facts == {"kind": "writes", "failures": "5", "why": "HTTP 502"}


@pytest.mark.parametrize(
    ("detail", "word"),
    [
        ("ReadTimeout", "ReadTimeout"),
        ("HTTP 503 ", "HTTP 503"),
        ("HTTP 5031", "no clear answer"),
        ("hans@schuster.example", "no clear answer"),
        ("Hans Schuster", "no clear answer"),
        ("", "no clear answer"),
    ],
)
def test_what_is_kept_of_an_unclear_answer_is_never_calcoms_text(world: World, detail: str, word: str) -> None:
    world.cancel(Unclear(detail))
    last = world.breaker(WRITES).last
    assert last is not None
    assert last.why == word


# The table


def test_a_table_that_is_away_costs_no_answer_and_opens_nothing(world: World) -> None:
    for operation in ("batch_get_item", "update_item"):
        world.salon.client.faults.next(operation, Fault.NOT_SENT, times=10_000)
    for _ in range(FAILURES * 2):
        assert world.cancel(LOST) == LOST
        assert world.cancel(Cancelled()) == Cancelled()
    assert len(world.calcom.asked) == FAILURES * 4
    world.salon.client.faults.clear()
    assert world.breaker(WRITES) == Breaker()


def test_a_time_out_is_counted_although_it_has_used_up_its_time(world: World) -> None:
    """The table ends each request at its deadline; Cal.com's is over by then."""

    def ends(call: Callable[[], Any], deadline: Deadline, /) -> Any:
        if deadline.remaining() <= 0:
            raise Late
        return call()

    calendar = world.instance(bounds=ends)
    given: list[float] = []

    def times_out(_uid: str, _reason: str, *, deadline: Deadline) -> Any:
        given.append(deadline.remaining())
        world.wait(deadline.remaining())
        return LOST

    world.calcom.cancel = times_out  # type: ignore[method-assign]
    for _ in range(FAILURES):
        assert calendar.cancel("uid1", "why", deadline=world.soon()) == LOST
    assert given == [READ_TURN_S] * FAILURES
    assert world.breaker(WRITES).state is CircuitState.OPEN


def test_a_table_that_hangs_costs_half_a_second_at_most(world: World) -> None:
    def hangs(_call: Callable[[], Any], deadline: Deadline, /) -> Any:
        world.wait(deadline.remaining())
        raise Late

    calendar, began = world.instance(bounds=hangs), world.salon.clock.monotonic()
    world.calcom.cancel_faults.append(LOST)
    assert calendar.cancel("uid1", "why", deadline=world.soon()) == LOST
    assert world.salon.clock.monotonic() - began <= 0.5


def test_a_success_writes_nothing(world: World) -> None:
    world.cancel(LOST)
    before = world.breaker(WRITES)
    world.cancel(Cancelled())
    assert world.breaker(WRITES) == before


# Probing


def test_no_request_reaches_calcom_while_it_is_open_but_the_probes(world: World) -> None:
    """An hour of calls and rounds of the sweeper, Cal.com away."""
    world.open(WRITES)
    away = Away()
    probes = 0
    for _ in range(60):
        for _ in range(5):
            assert isinstance(world.cancel(), NotSent)
        probes += len(world.probe(calendar=away))
        world.wait(60)
    assert world.calcom.asked == []
    assert away.asked == probes
    assert 12 <= probes <= 18, "after 1, 2, 4 and then every 5 minutes"


class Away(FakeCalendar):
    """Cal.com that never answers, and counts."""

    def __init__(self, answer: Any = LOST, during: Callable[[], Any] = lambda: None) -> None:
        self.asked = 0  # type: ignore[assignment]
        self.answer = answer
        self.during = during

    def cancel(self, uid: str, reason: str, *, deadline: Deadline) -> Any:
        self.asked += 1  # type: ignore[assignment,operator]
        self.during()
        return self.answer

    def page(self, query: ListQuery, *, skip: int, deadline: Deadline) -> Any:
        return self.cancel("", "", deadline=deadline)


@pytest.mark.parametrize("kind", CircuitKind)
@pytest.mark.parametrize("answer", [*DEFINITE, Cancelled(), Page((), False)], ids=str)
def test_any_definite_answer_to_the_probe_closes_it(world: World, kind: CircuitKind, answer: Any) -> None:
    world.open(kind)
    world.wait()
    (probed,) = world.probe(calendar=Away(answer))
    assert (probed.kind, probed.trouble, probed.breaker.state) == (kind, None, CircuitState.CLOSED)
    assert world.instance()._shut(kind, world.soon()) is None


@pytest.mark.parametrize("kind", CircuitKind)
@pytest.mark.parametrize("answer", SILENT, ids=str)
def test_silence_keeps_it_open_for_longer(world: World, kind: CircuitKind, answer: Any) -> None:
    world.open(kind)
    world.wait()
    (probed,) = world.probe(calendar=Away(answer))
    assert probed.breaker.state is CircuitState.OPEN
    assert probed.breaker.wait_s(world.salon.clock.now()) == PAUSES[1].total_seconds()
    world.wait(PAUSE_S)
    assert world.probe() == (), "not due yet"


def test_the_probe_of_writes_cancels_what_cannot_exist_and_that_of_reads_only_lists(world: World) -> None:
    phone = world.salon.call()
    phone.check(DAY, AT, staff="Fabian")
    assert isinstance(phone.book(DAY, AT, staff="Fabian"), Booked)
    before = dict(world.calcom.bookings)
    world.open(READS)
    world.open(WRITES)
    world.wait()
    assert [each.breaker.state for each in world.probe()] == [CircuitState.CLOSED] * 2
    assert sorted(world.calcom.asked) == ["cancel", "list"]
    assert world.calcom.bookings == before


def test_nothing_is_asked_where_no_probe_is_due(world: World) -> None:
    assert world.probe() == ()
    world.open(WRITES)
    assert world.probe() == ()
    assert world.calcom.asked == []


def test_of_twenty_sweepers_at_once_one_asks(world: World) -> None:
    world.open(WRITES)
    world.wait()
    away, gate = Away(), threading.Barrier(20)

    def sweeper() -> None:
        circuit = world.circuit()
        circuit.read()
        gate.wait()
        world.probe(circuit, calendar=away)

    threads = [threading.Thread(target=sweeper) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert away.asked == 1


def test_a_probe_under_way_is_the_only_one_until_its_time_is_over(world: World) -> None:
    world.open(WRITES)
    world.wait()
    meanwhile: list[int] = []

    def during() -> None:
        meanwhile.append(len(world.probe()))
        world.wait(LEASE.total_seconds())
        meanwhile.append(len(world.probe()))

    assert world.probe(calendar=Away(during=during)) == (), "it took too long: another one's word counts"
    assert meanwhile == [0, 1]
    assert world.breaker(WRITES).state is CircuitState.CLOSED


def test_a_prober_that_dies_is_followed_by_the_next_round(world: World) -> None:
    world.open(WRITES)
    world.wait()

    class Dies(BaseException):
        pass

    def die() -> None:
        raise Dies

    with pytest.raises(Dies):
        world.probe(calendar=Away(during=die))
    assert world.probe() == ()
    world.wait(60)
    assert len(world.probe()) == 1


def test_a_probe_that_breaks_is_told_and_keeps_the_other_from_nothing(world: World) -> None:
    world.open(READS)
    world.open(WRITES)
    world.wait()

    class Broken(FakeCalendar):
        def page(self, query: ListQuery, *, skip: int, deadline: Deadline) -> Any:
            raise ZeroDivisionError

    broken = Broken(world.salon.clock, {})
    assert [each.kind for each in world.probe(calendar=broken)] == [WRITES]
    assert world.raised()[-1] == alerts.JOB_FAILED


def test_a_table_that_is_away_makes_no_probe_and_breaks_no_round(world: World) -> None:
    world.open(WRITES)
    world.wait()
    world.salon.client.faults.next("batch_get_item", Fault.NOT_SENT, times=10)
    assert world.probe() == ()
    world.salon.client.faults.clear()
    world.salon.client.faults.next("update_item", Fault.NOT_SENT, times=10)
    assert world.probe() == ()
    assert world.calcom.asked == []


# In a call


def test_callers_are_served_again_as_soon_as_it_is_closed(world: World) -> None:
    world.open(READS)
    phone = world.salon.call()
    assert phone.check(DAY, AT, staff="Fabian") == TemporaryTrouble(retry_after_s=PAUSE_S)
    world.wait()
    world.probe()
    world.wait(5.0)
    world.salon.calendar = world.instance()
    assert isinstance(world.salon.call("call_2").check(DAY, AT, staff="Fabian"), Offers)


def test_a_booking_that_may_not_be_sent_leaves_nothing_behind_and_can_be_made_later(world: World) -> None:
    phone = world.salon.call()
    phone.check(DAY, AT, staff="Fabian")
    world.open(WRITES)
    assert phone.book(DAY, AT, staff="Fabian") == TemporaryTrouble(retry_after_s=PAUSE_S)
    assert world.calcom.asked == []
    assert [item["state"]["S"] for item in world.salon.items("APPT#")] == ["FAILED"]
    world.wait()
    world.probe()
    world.salon.calendar = world.instance()
    world.wait(61)
    later = world.salon.call("call_2")
    assert isinstance(later.book(DAY, AT, staff="Fabian"), Booked)


def test_an_outage_reaches_calcom_with_a_handful_of_requests(world: World) -> None:
    """Twenty instances, a booking each, none answered: five open it; of the others none is sent."""
    phones = []
    for number in range(20):
        salon = Salon(client=world.salon.client, clock=world.salon.clock, ids=world.salon.ids)
        salon.calendar = world.instance()
        phones.append(Phone(salon, salon.call(f"call_{number}", caller=f"+4917000000{number:02d}").as_call))
    world.calcom.faults.extend([lost_before] * 99)
    slots = [f"{hour:02d}:{minute}" for hour in range(9, 17) for minute in ("00", "30")]
    outcomes = [
        phone.book(DAY, slots[number % 16], staff=("Fabian", "Emma")[number // 16])
        for number, phone in enumerate(phones)
    ]
    assert world.calcom.asked.count("create") == FAILURES
    assert outcomes[FAILURES:] == [TemporaryTrouble(retry_after_s=PAUSE_S)] * (20 - FAILURES)


# In words


def test_its_state_is_readable(world: World) -> None:
    assert state_of(Breaker()) == {
        "state": "closed",
        "failures": 0,
        "since": None,
        "last_failure": None,
        "next_probe": None,
    }
    world.open(WRITES)
    assert state_of(world.breaker(WRITES)) == {
        "state": "open",
        "failures": 5,
        "since": "2025-10-25T18:18:32Z",
        "last_failure": "2025-10-25T18:18:32Z ReadTimeout",
        "next_probe": "2025-10-25T18:19:02Z",
    }


# Several requests at the same time


def test_each_of_several_bookings_counts_for_itself(world: World) -> None:
    """Three parts of one service are three requests: five of six silent ones open the breaker."""
    requests = [BookingRequest(3672814, START, "n", "e@x.example", None, "UTC", "de", {})] * 3
    world.calcom.faults.extend([lambda _c, _r: LOST] * 3)
    world.calendar.book_all(requests, deadline=world.soon())
    assert world.breaker(WRITES).failures == 3
    world.calcom.faults.extend([lambda _c, _r: LOST] * 2)
    world.calendar.book_all(requests, deadline=world.soon())
    assert world.breaker(WRITES).state is CircuitState.OPEN


def test_each_of_several_cancellations_counts_for_itself(world: World) -> None:
    world.calcom.cancel_faults.extend([LOST] * 2)
    world.calendar.cancel_all(["uid1", "uid2", "uid3"], "why", deadline=world.soon())
    assert world.breaker(WRITES).failures == 2


def test_while_it_is_open_none_of_several_is_sent(world: World) -> None:
    world.open()
    requests = [BookingRequest(3672814, START, "n", "e@x.example", None, "UTC", "de", {})] * 3
    answers = (
        *world.calendar.book_all(requests, deadline=world.soon()),
        *world.calendar.cancel_all(["uid1", "uid2"], "why", deadline=world.soon()),
    )
    assert [type(each) for each in answers] == [NotSent] * 5
    assert all(isinstance(each, NotSent) and each.retry_after_s is not None for each in answers)
    assert world.calcom.asked == []
