"""Which connection a request goes out on, and how long it may take to get one."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from bookend.adapters.calcom import client
from bookend.adapters.calcom.transport import CONNECTIONS
from bookend.application.ports import FreeStarts
from bookend.domain.answers import Answered, Booking, NotSent, Unclear
from tests.adapters.calcom.fixtures import DAY, REQUEST, UID, booking, calendar_at, raw, success, within
from tests.adapters.calcom.server import Script, Server, always, message

BUSY = message(
    raw(400, "User either already has booking at this time or is not available"), "400 Bad Request", "X-Left: over"
)
NAME = "http://api.cal.test"
LATEST_S = 3.0  # generous: the machine may be busy; eight addresses one after the other would take four


@pytest.fixture
def serve() -> Iterator[Callable[[Script], Server]]:
    with ExitStack() as open_:
        yield lambda script: open_.enter_context(Server(script))


def timed(ask: Callable[[], Any]) -> tuple[Any, float]:
    began = time.monotonic()
    return ask(), time.monotonic() - began


# ---- What is left over ----


def chunked(content: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)


@pytest.mark.parametrize("later", [False, True], ids=["at once", "a little later"])
@pytest.mark.parametrize("surplus", [BUSY, BUSY[:20], b"\r\n", b"0"], ids=["an answer", "a part of one", "a line", "0"])
@pytest.mark.parametrize("form", [message, chunked])
def test_what_follows_an_answer_is_not_the_next_one(
    serve: Callable[[Script], Server], form: Callable[[bytes], bytes], surplus: bytes, later: bool
) -> None:
    """An edge that answers twice: the second answer belongs to nobody, least of all to a booking."""

    def script(connection: socket.socket, request: str) -> None:
        if request.startswith("POST"):
            connection.sendall(message(success(booking()), "201 Created"))
        elif later:
            connection.sendall(form(success({})))
            time.sleep(0.05)
            connection.sendall(surplus)
        else:
            connection.sendall(form(success({})) + surplus)

    server = serve(script)
    calendar = calendar_at(server.url)
    for number in range(1, 4):
        (free,) = calendar.free_starts({"anna": 1}, DAY, deadline=within()).values()
        assert isinstance(free, FreeStarts)
        time.sleep(0.1 if later else 0)
        assert isinstance(calendar.book(REQUEST, deadline=within()), Answered)
        assert server.connections <= number + 1
    assert len(server.requests) == 6


def test_a_clean_connection_is_kept_whatever_the_form(serve: Callable[[Script], Server]) -> None:
    server = serve(always(chunked(success(booking()))))
    calendar = calendar_at(server.url)
    for _ in range(5):
        assert isinstance(calendar.booking(UID, deadline=within()), Booking)
    assert server.connections == 1


def test_a_connection_that_is_left_is_closed(serve: Callable[[Script], Server]) -> None:
    gone = threading.Event()

    def script(connection: socket.socket, _request: str) -> None:
        connection.sendall(message(success(booking())) + BUSY)
        connection.settimeout(5)
        if connection.recv(1) == b"":
            gone.set()

    calendar = calendar_at(serve(script).url)
    calendar.booking(UID, deadline=within())
    assert gone.wait(3)


# ---- Looking up ----


def named(monkeypatch: pytest.MonkeyPatch, look_up: Callable[[], list[Any]]) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: look_up())


def addresses(*found: tuple[str, int]) -> list[Any]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", each) for each in found]


@pytest.fixture
def stuck() -> Iterator[Callable[[], list[Any]]]:
    """A look-up that hangs until the test is over."""
    over = threading.Event()

    def look_up() -> list[Any]:
        over.wait(20)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    yield look_up
    over.set()


def test_a_look_up_that_hangs_was_not_sent(monkeypatch: pytest.MonkeyPatch, stuck: Callable[[], list[Any]]) -> None:
    named(monkeypatch, stuck)
    answer, took = timed(lambda: calendar_at(NAME).book(REQUEST, deadline=within(20)))
    assert answer == NotSent("ConnectTimeout")
    assert 0.4 < took < LATEST_S


def test_a_look_up_ends_with_the_deadline(monkeypatch: pytest.MonkeyPatch, stuck: Callable[[], list[Any]]) -> None:
    named(monkeypatch, stuck)
    answer, took = timed(lambda: calendar_at(NAME).booking(UID, deadline=within(0.1)))
    assert answer == NotSent("ConnectTimeout")
    assert took < LATEST_S


def test_look_ups_that_hang_take_no_more_threads_than_there_are_connections(
    monkeypatch: pytest.MonkeyPatch, stuck: Callable[[], list[Any]]
) -> None:
    named(monkeypatch, stuck)
    before = threading.active_count()
    calendar = calendar_at(NAME)
    stylists = {f"s{number}": number for number in range(1, CONNECTIONS + 1)}
    for _ in range(2):
        answers, took = timed(lambda: calendar.free_starts(stylists, DAY, deadline=within(20)))
        assert set(answers.values()) == {NotSent("ConnectTimeout")}
        assert took < LATEST_S
    assert threading.active_count() - before <= 2 * CONNECTIONS


# ---- Connecting ----


@pytest.fixture
def dead() -> Iterator[list[tuple[str, int]]]:
    """Addresses that neither take nor refuse a connection: their queues are full."""
    with ExitStack() as open_:
        found = []
        for _ in range(8):
            full = open_.enter_context(socket.socket())
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            for _ in range(3):
                waiting = open_.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(full.getsockname())
            found.append(full.getsockname())
        yield found


def test_all_addresses_share_one_budget(monkeypatch: pytest.MonkeyPatch, dead: list[tuple[str, int]]) -> None:
    named(monkeypatch, lambda: addresses(*dead))
    answer, took = timed(lambda: calendar_at(NAME).book(REQUEST, deadline=within(20)))
    assert answer == NotSent("ConnectTimeout")
    assert 0.4 < took < LATEST_S


def test_an_address_that_is_alive_is_found_behind_a_dead_one(
    monkeypatch: pytest.MonkeyPatch, dead: list[tuple[str, int]], serve: Callable[[Script], Server]
) -> None:
    server = serve(always(message(success(booking()))))
    alive = ("127.0.0.1", int(server.url.rpartition(":")[2]))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refusing = taken.getsockname()
    monkeypatch.setattr(client, "_CONNECT_S", 2.0)
    named(monkeypatch, lambda: addresses(refusing, dead[0], alive))
    shown, took = timed(lambda: calendar_at(NAME).booking(UID, deadline=within(20)))
    assert isinstance(shown, Booking)
    assert took < LATEST_S


def test_addresses_that_all_refuse_were_not_sent_to(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refusing = taken.getsockname()
    named(monkeypatch, lambda: addresses(refusing, refusing))
    assert calendar_at(NAME).book(REQUEST, deadline=within()) == NotSent("ConnectError")


def test_a_name_without_addresses_was_not_sent_to(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, list)
    assert calendar_at(NAME).book(REQUEST, deadline=within()) == NotSent("ConnectError")


def test_a_request_on_a_kept_connection_looks_nothing_up(
    monkeypatch: pytest.MonkeyPatch, serve: Callable[[Script], Server]
) -> None:
    server = serve(always(message(success(booking()))))
    calendar = calendar_at(server.url)
    calendar.booking(UID, deadline=within())
    named(monkeypatch, lambda: pytest.fail("looked up"))
    assert isinstance(calendar.booking(UID, deadline=within()), Booking | Unclear)
    assert server.connections == 1
