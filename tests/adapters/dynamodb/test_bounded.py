"""Requests that end at the deadline: what is left alone, what is never sent, and what comes of what arrives late."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bookend import bootstrap
from bookend.adapters.bounded import BoundedQueue, Late, Threads
from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.appointments import DynamoAppointments
from bookend.adapters.dynamodb.slots import DynamoSlotCache
from bookend.adapters.dynamodb.transact import Table
from bookend.application.deadline import Deadline
from bookend.application.ports import Job, QueueUnavailable, Started, StoreUnavailable
from bookend.bootstrap import SystemClock
from bookend.domain.timeslot import Slot
from tests.adapters.dynamodb.place import NOW, UTE, Place, at, wished
from tests.support.salon import KeptQueue
from tests.support.tables.engines import Store
from tests.support.tables.faults import Crash

CLOCK = SystemClock()
KEY = keys.tenant_config("t")
SOON_S = 0.15
"""A deadline that is short, but long enough for what does not hang on a machine that is busy."""
NOISE_S = 2.0


def soon(seconds: float = SOON_S) -> Deadline:
    return Deadline.within(seconds, CLOCK)


class Gated:
    """A client whose requests wait until the test lets them go on."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.hanging: set[str] = set()
        self.let_go = threading.Event()
        self.over: list[Any] = []
        self.begun = 0

    def __getattr__(self, name: str) -> Any:
        def ask(**request: Any) -> Any:
            self.begun += 1
            if name in self.hanging:
                assert self.let_go.wait(30)
            try:
                answer = getattr(self._client, name)(**request)
            except Exception as error:
                self.over.append(error)
                raise
            self.over.append(name)
            return answer

        return ask

    def wait_for(self, number: int) -> None:
        """Until so many requests are over."""
        for _ in range(3000):
            if len(self.over) >= number:
                return
            time.sleep(0.01)
        raise AssertionError(self.over)


@pytest.fixture
def place(memory: Store, tenant: str) -> Place:
    return Place(memory, tenant)


@pytest.fixture
def gated(place: Place) -> Iterator[Gated]:
    client = Gated(place.client)
    yield client
    client.let_go.set()


def bounded(place: Place, client: Any, threads: Threads | None = None) -> Table:
    return Table(
        client,
        place.name,
        clock=CLOCK,
        on_give_up=lambda: place.given_up.append("gave up"),
        bounds=threads or Threads(),
    )


# Threads


def test_what_a_call_returns_or_raises_is_returned_or_raised() -> None:
    threads = Threads()
    assert threads(lambda: 7, soon(30)) == 7
    for error in (ValueError("x"), TimeoutError("its own"), Crash("dead"), KeyboardInterrupt()):

        def fail(error: BaseException = error) -> None:
            raise error

        with pytest.raises(type(error)) as raised:
            threads(fail, soon(30))
        assert raised.value is error


def test_a_call_that_hangs_is_left_alone_at_the_deadline() -> None:
    threads, let_go = Threads(), threading.Event()
    began = time.monotonic()
    with pytest.raises(Late):
        threads(lambda: let_go.wait(30), soon())
    assert SOON_S <= time.monotonic() - began < SOON_S + NOISE_S
    let_go.set()


def test_after_the_deadline_nothing_is_begun() -> None:
    begun: list[int] = []
    for seconds in (0.0, -5.0):
        with pytest.raises(Late):
            Threads()(lambda: begun.append(1), soon(seconds))
    assert begun == []


def test_where_all_threads_hang_a_call_is_never_made_not_even_later() -> None:
    threads, let_go, made = Threads(most=2), threading.Event(), []
    for _ in range(2):
        with pytest.raises(Late):
            threads(lambda: let_go.wait(30), soon(0.05))
    with pytest.raises(Late):
        threads(lambda: made.append("starved"), soon(0.05))
    let_go.set()
    for number in range(4):
        threads(lambda number=number: made.append(number), soon(30))  # the threads are back
    assert made == [0, 1, 2, 3]


def test_many_at_once_keep_their_own_deadlines() -> None:
    """What `refuse_late` goes by belongs to the thread of the call."""
    threads = Threads()

    def call(number: int) -> int:
        def work() -> int:
            time.sleep(0.002)
            threads.refuse_late()
            return number

        return threads(work, soon(30))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(call, range(200))) == list(range(200))
    threads.refuse_late()  # outside of a call there is nothing to refuse


def test_what_a_call_costs(capsys: pytest.CaptureFixture[str]) -> None:
    threads, deadline, calls = Threads(), soon(60), 2000
    threads(lambda: None, deadline)
    began = time.perf_counter()
    for _ in range(calls):
        threads(lambda: None, deadline)
    each = (time.perf_counter() - began) / calls * 1e6
    with capsys.disabled():
        print(f"\nbounding a call costs {each:.0f} µs")
    assert each < 5000  # a round trip to the table is that long


# The table


def test_every_operation_ends_at_the_deadline_and_says_so(place: Place, gated: Gated) -> None:
    gated.hanging = {"get_item", "batch_get_item", "query", "update_item", "put_item", "transact_write_items"}
    table = bounded(place, gated)
    asked: list[Callable[[Table], Any]] = [
        lambda t: t.get(KEY),
        lambda t: t.get_all([KEY]),
        lambda t: t.query(IndexName="due"),
        lambda t: t.update(Key=KEY),
        lambda t: t.put(Item=KEY),
        lambda t: t.write([{"Put": {"TableName": place.name, "Item": KEY}}]),
    ]
    for ask in asked:
        with pytest.raises(StoreUnavailable, match="Late"):
            ask(table.within(soon(0.05)))
    assert gated.begun == len(asked)
    assert len(place.given_up) == len(asked)


def test_tries_and_pages_share_one_deadline(place: Place, gated: Gated) -> None:
    """250 keys are three requests; the second hangs."""
    real, asked = place.client.batch_get_item, []

    class Client:
        def batch_get_item(self, **request: Any) -> Any:
            asked.append(1)
            if len(asked) == 2:
                assert gated.let_go.wait(30)
            return real(**request)

    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        bounded(place, Client()).within(soon()).get_all([keys.appointment("t", f"a{n}") for n in range(250)])
    assert time.monotonic() - began < SOON_S + NOISE_S
    assert len(asked) == 2


def test_background_work_is_heard_out(place: Place, gated: Gated) -> None:
    """What was begun in time is worth its answer, and nobody waits."""
    gated.hanging = {"get_item"}
    threading.Timer(0.2, gated.let_go.set).start()
    table = bounded(place, gated).patient().within(soon(0.02))
    assert table.get(KEY) is None
    assert table.get(KEY) is None, "nor is a request refused that begins after the deadline"
    assert not place.given_up


def test_a_slot_cache_that_hangs_costs_half_a_second_of_the_turn(place: Place, gated: Gated) -> None:
    gated.hanging = {"batch_get_item"}
    turn = soon(30)
    cache = DynamoSlotCache(bounded(place, gated)).within(turn)
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        cache.read(place.tenant, {"fabian": 1}, Slot(NOW, NOW + timedelta(days=7)), now=NOW)
    assert 0.5 <= time.monotonic() - began < 0.5 + NOISE_S
    assert turn.remaining() > 20


# Effects that come late


def start(place: Place, appointments: DynamoAppointments, wish: Any) -> Any:
    return appointments.start(
        place.tenant, wish, hold=None, days=place.days(), freeing=(), replaces=None, known=None, now=NOW
    )


def test_a_start_that_arrives_late_takes_effect_if_nothing_has_changed(place: Place, gated: Gated) -> None:
    """As a lost answer: it is on record as PENDING, and whoever asks again meets it."""
    gated.hanging = {"transact_write_items"}
    wish = wished("a1", at("28T10:00"))
    appointments = DynamoAppointments(bounded(place, gated).within(soon()))
    with pytest.raises(StoreUnavailable):
        start(place, appointments, wish)
    assert place.intervals() == {}
    gated.let_go.set()
    gated.wait_for(1)
    assert place.now_is("a1") == wish


def test_a_start_that_arrives_late_loses_against_what_was_written_meanwhile(place: Place, gated: Gated) -> None:
    gated.hanging = {"transact_write_items"}
    appointments = DynamoAppointments(bounded(place, gated).within(soon()))
    with pytest.raises(StoreUnavailable):
        start(place, appointments, wished("a1", at("28T10:00")))
    assert place.start(wished("a2", at("28T10:00"), who=UTE)) == Started()
    before = place.snapshot()
    gated.let_go.set()
    gated.wait_for(1)
    assert "TransactionCanceledException" in str(gated.over[0])
    assert place.snapshot() == before


def test_a_confirmation_or_release_that_arrives_late_changes_nothing_that_was_decided(
    place: Place, gated: Gated
) -> None:
    wish = wished("a1", at("28T10:00"))
    place.start(wish)
    gated.hanging = {"transact_write_items"}
    appointments = DynamoAppointments(bounded(place, gated).within(soon()))
    with pytest.raises(StoreUnavailable):
        appointments.release(place.tenant, wish, why="taken", answer="", alert=None, now=NOW)
    place.confirm(wish)
    before = place.snapshot()
    gated.let_go.set()
    gated.wait_for(1)
    assert place.snapshot() == before
    assert place.intervals() == {"a1/0": "C"}


# The queue


def test_a_queue_that_hangs_did_not_take_the_job() -> None:
    let_go = threading.Event()

    class Hanging(KeptQueue):
        def send(self, job: Job, *, delay: timedelta = timedelta(0)) -> None:
            let_go.wait(30)

    with pytest.raises(QueueUnavailable):
        BoundedQueue(Hanging(), soon(), Threads()).send(Job("settle", "t", "a1"))
    let_go.set()
    kept = KeptQueue()
    BoundedQueue(kept, soon(30), Threads()).send(Job("settle", "t", "a1"), delay=timedelta(seconds=45))
    assert kept.jobs == [(Job("settle", "t", "a1"), timedelta(seconds=45))]


# With botocore and sockets


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def silent(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A DynamoDB that takes every request and answers none; what it was asked."""
    asked: list[str] = []
    let_go = threading.Event()

    class Silent(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

        def do_POST(self) -> None:
            asked.append(self.headers["X-Amz-Target"])
            let_go.wait(30)
            self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Silent)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{server.server_port}")
    yield asked
    let_go.set()
    server.shutdown()
    server.server_close()


def test_botocore_is_cut_off_and_sends_nothing_afterwards(silent: list[str]) -> None:
    """By itself it would wait for a second, twice."""
    threads = Threads()
    client = bootstrap.aws_client("dynamodb", bootstrap.Limits(connect_s=0.5, read_s=0.4, attempts=2))
    client.meta.events.register_first("before-send", threads.refuse_late)
    table = Table(client, "t", clock=CLOCK, bounds=threads)
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="ReadTimeoutError"):
        table.get(KEY)
    alone = time.monotonic() - began
    assert len(silent) == 2, "botocore tries again"
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="Late"):
        table.within(soon(0.2)).get(KEY)
    assert time.monotonic() - began < alone / 2
    time.sleep(3 * 0.4 + 1.1)  # its first time-out and the longest pause before another try
    assert len(silent) == 3, "but not what was left alone"


def test_a_name_that_is_not_found_keeps_nobody_waiting(aws: None, monkeypatch: pytest.MonkeyPatch) -> None:
    let_go = threading.Event()

    def hanging(*_: Any, **__: Any) -> Any:
        let_go.wait(30)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://nowhere.test:81")
    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    table = Table(bootstrap.aws_client("dynamodb"), "t", clock=CLOCK, bounds=Threads())
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="Late"):
        table.within(soon()).get(KEY)
    assert time.monotonic() - began < SOON_S + NOISE_S
    let_go.set()


def test_production_is_wired_so(aws: None) -> None:
    from bookend.config import Settings  # noqa: PLC0415

    settings = Settings(table_name="t", stage="dev", release_id="0")
    deps = bootstrap.Dependencies(settings, clock=CLOCK)
    assert isinstance(deps.bounds, Threads)
    assert isinstance(deps.calendar_bounds, Threads)
    assert deps.calendar_bounds is not deps.bounds
    assert deps.table._bounds is deps.bounds
    assert deps.table.within(soon())._bounds is deps.bounds
    assert deps.table.patient().within(soon())._bounds is not deps.bounds
