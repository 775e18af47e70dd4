"""Against a real server: what a network can do to a request, and that a caller never waits longer than was said."""

from __future__ import annotations

import gzip
import re
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpcore
import httpx
import pytest

from bookend.adapters.calcom import client
from bookend.adapters.calcom.transport import DeadlineTransport
from bookend.application.deadline import Deadline
from bookend.application.ports import BookingRequest, Cancelled, FreeStarts
from bookend.domain.answers import Answered, Booking, CreateAnswer, NotSent, Unclear
from tests.adapters.calcom.fixtures import CLOCK, DAY, REQUEST, UID, booking, calendar_at, page, success, within
from tests.adapters.calcom.server import Script, Server, always, hang_up, message, reset

DEADLINE_S = 0.3
LATEST_S = 3.0  # generous: the machine may be busy; a client without an end would take far longer
BOOKED = message(success(booking()), "201 Created")


@pytest.fixture
def serve() -> Iterator[Callable[[Script], Server]]:
    with ExitStack() as open_:
        yield lambda script: open_.enter_context(Server(script))


def timed(ask: Callable[[], Any]) -> tuple[Any, float]:
    began = time.monotonic()
    return ask(), time.monotonic() - began


def book(server: Server, seconds: float = 10.0) -> CreateAnswer:
    return calendar_at(server.url).book(REQUEST, deadline=within(seconds))


def test_a_booking_over_a_real_connection(serve: Callable[[Script], Server]) -> None:
    server = serve(always(BOOKED))
    answer = book(server)
    assert isinstance(answer, Answered)
    assert answer.booking.uid == UID
    (request,) = server.requests
    assert request.startswith("POST /v2/bookings HTTP/1.1\r\n")


# ---- The deadline ----


def never_answers(server: Server) -> Script:
    return lambda _connection, _request: server.over.wait() and None


def drips_the_body(server: Server) -> Script:
    def script(connection: socket.socket, _request: str) -> None:
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 100000\r\n\r\n")
        server.drip(connection, b" " * 100_000)

    return script


def drips_the_headers(server: Server) -> Script:
    return lambda connection, _request: server.drip(connection, b"HTTP/1.1 201 Created\r\nX-A: " + b"a" * 50_000)


def drips_chunks(server: Server) -> Script:
    def script(connection: socket.socket, _request: str) -> None:
        connection.sendall(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not server.over.wait(0.03):
            connection.sendall(b"1\r\n \r\n")

    return script


def drips_early_hints(server: Server) -> Script:
    def script(connection: socket.socket, _request: str) -> None:
        while not server.over.wait(0.03):
            connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")

    return script


SLOW = [never_answers, drips_the_body, drips_the_headers, drips_chunks, drips_early_hints]


def slow_server(serve: Callable[[Script], Server], behaviour: Callable[[Server], Script]) -> Server:
    """The behaviour needs to know its server, so that it ends with it."""

    def script(connection: socket.socket, request: str) -> None:
        behaviour(server)(connection, request)

    server = serve(script)
    return server


@pytest.mark.parametrize("behaviour", SLOW)
def test_a_slow_answer_ends_at_the_deadline(
    serve: Callable[[Script], Server], behaviour: Callable[[Server], Script]
) -> None:
    server = slow_server(serve, behaviour)
    answer, took = timed(lambda: book(server, DEADLINE_S))
    assert answer == Unclear("ReadTimeout")
    assert DEADLINE_S * 0.9 <= took < LATEST_S
    assert len(server.requests) == 1


@pytest.mark.parametrize("behaviour", SLOW)
def test_slow_answers_to_several_end_at_the_deadline_together(
    serve: Callable[[Script], Server], behaviour: Callable[[Server], Script]
) -> None:
    server = slow_server(serve, behaviour)
    stylists = {f"s{number}": number for number in range(6)}
    calendar = calendar_at(server.url)
    answers, took = timed(lambda: calendar.free_starts(stylists, DAY, deadline=within(DEADLINE_S)))
    # On a busy machine one may not even get its connection in time: no answer is made up, that is what counts.
    assert all(isinstance(each, Unclear | NotSent) for each in answers.values())
    assert took < LATEST_S


def test_the_deadline_holds_for_all_pages_together(serve: Callable[[Script], Server]) -> None:
    """Each page is quick enough; their sum is not."""

    def script(connection: socket.socket, _request: str) -> None:
        time.sleep(0.08)
        connection.sendall(message(page(booking(), more=True)))

    server = serve(script)
    answer, took = timed(lambda: calendar_at(server.url).find("a@b.example", DAY, deadline=within(DEADLINE_S)))
    assert isinstance(answer, Unclear | NotSent)
    assert took < LATEST_S
    assert 1 <= len(server.requests) < 10


def test_a_deadline_of_one_request_is_not_the_next_ones(serve: Callable[[Script], Server]) -> None:
    """The connection is the same: it must not remember."""
    server = serve(always(message(success(booking()))))
    calendar = calendar_at(server.url)
    assert isinstance(calendar.booking(UID, deadline=within(DEADLINE_S)), Booking)
    time.sleep(DEADLINE_S)
    assert isinstance(calendar.booking(UID, deadline=within(DEADLINE_S)), Booking)
    assert server.connections == 1


def test_outside_of_a_deadline_httpx_time_outs_hold(serve: Callable[[Script], Server]) -> None:
    server = slow_server(serve, never_answers)
    with httpx.Client(transport=DeadlineTransport(), trust_env=False) as http, pytest.raises(httpx.ReadTimeout):
        http.get(server.url, timeout=0.2)


def test_a_deadline_bounds_even_a_request_without_time_outs(serve: Callable[[Script], Server]) -> None:
    server = slow_server(serve, drips_the_body)
    transport = DeadlineTransport()
    patient = httpx.Client(transport=transport, trust_env=False, timeout=None)
    with patient, transport.until(within(DEADLINE_S)), pytest.raises(httpx.ReadTimeout):
        patient.get(server.url)


@pytest.mark.parametrize("late", ["connect", "write"])
def test_a_deadline_that_has_passed_stops_every_step(serve: Callable[[Script], Server], late: str) -> None:
    server = serve(always(message(b"{}")))
    transport = DeadlineTransport()
    with httpx.Client(transport=transport, trust_env=False, timeout=None) as http:
        if late == "write":
            http.get(server.url)  # the connection is there already
        expected = httpx.ConnectTimeout if late == "connect" else httpx.WriteTimeout
        with transport.until(Deadline(CLOCK, 0.0)), pytest.raises(expected):
            http.get(server.url)
    assert len(server.requests) == (1 if late == "write" else 0)


# ---- Connecting ----


def test_a_refused_connection_was_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    calendar = calendar_at(f"http://127.0.0.1:{port}")
    assert calendar.book(REQUEST, deadline=within()) == NotSent("ConnectError")


def test_a_server_that_does_not_accept_was_not_sent_to() -> None:
    """Its queue is full: the connection is neither made nor refused."""
    with ExitStack() as open_:
        full = open_.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            waiting = open_.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        calendar = calendar_at(f"http://127.0.0.1:{full.getsockname()[1]}")
        answer, took = timed(lambda: calendar.book(REQUEST, deadline=within(20)))
    assert answer == NotSent("ConnectTimeout")
    assert 0.4 < took < LATEST_S


def test_a_name_nobody_knows_was_not_sent_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert calendar_at("http://api.calcom.invalid").book(REQUEST, deadline=within()) == NotSent("ConnectError")


def test_a_failed_handshake_was_not_sent(serve: Callable[[Script], Server]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def greet() -> None:
            connection, _ = plain.accept()
            with connection:
                connection.recv(1024)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        greeter = threading.Thread(target=greet, daemon=True)
        greeter.start()
        answer = calendar_at(f"https://127.0.0.1:{plain.getsockname()[1]}").book(REQUEST, deadline=within())
        greeter.join(5)
    assert answer == NotSent("ConnectError")


def test_a_handshake_that_never_ends_was_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        calendar = calendar_at(f"https://127.0.0.1:{silent.getsockname()[1]}")
        answer, took = timed(lambda: calendar.book(REQUEST, deadline=within(20)))
    assert answer == NotSent("ConnectTimeout")
    assert took < LATEST_S


def test_when_every_connection_is_taken_it_was_not_sent(
    serve: Callable[[Script], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = slow_server(serve, never_answers)
    calendar = calendar_at(server.url)
    monkeypatch.setattr(calendar._transport._pool, "_max_connections", 1)
    other = threading.Thread(target=lambda: calendar.booking(UID, deadline=within(2)))
    other.start()
    while not server.requests:
        time.sleep(0.01)
    assert calendar.book(REQUEST, deadline=within(10)) == NotSent("PoolTimeout")
    server.__exit__()
    other.join(5)


# ---- After the request has left ----


def cut_off(connection: socket.socket, _request: str) -> None:
    connection.sendall(BOOKED[:-30])
    connection.shutdown(socket.SHUT_RDWR)


def nonsense(connection: socket.socket, _request: str) -> None:
    connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
    connection.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (hang_up, "RemoteProtocolError"),
        (reset, "ReadError"),
        (cut_off, "RemoteProtocolError"),
        (nonsense, "RemoteProtocolError"),
    ],
)
def test_a_broken_exchange_is_unclear_and_not_repeated(
    serve: Callable[[Script], Server], script: Script, error: str
) -> None:
    server = serve(script)
    assert book(server) == Unclear(error)
    assert len(server.requests) == 1


def test_a_connection_closed_while_idle_costs_no_booking(serve: Callable[[Script], Server]) -> None:
    """The server closes kept connections when it likes; ours is looked at before it is used again."""

    def once(connection: socket.socket, _request: str) -> None:
        connection.sendall(BOOKED)
        connection.shutdown(socket.SHUT_RDWR)

    server = serve(once)
    calendar = calendar_at(server.url)
    for _ in range(3):
        assert isinstance(calendar.book(REQUEST, deadline=within()), Answered)
        time.sleep(0.05)
    assert (server.connections, len(server.requests)) == (3, 3)


def test_a_connection_is_kept(serve: Callable[[Script], Server]) -> None:
    server = serve(always(BOOKED))
    calendar = calendar_at(server.url)
    for _ in range(3):
        calendar.book(REQUEST, deadline=within())
    assert (server.connections, len(server.requests)) == (1, 3)


def test_a_broken_connection_is_not_kept(serve: Callable[[Script], Server]) -> None:
    """What is left of a slow answer must not be read as the next one's."""
    slow = threading.Event()

    def script(connection: socket.socket, _request: str) -> None:
        if not slow.is_set():
            slow.set()
            time.sleep(DEADLINE_S * 2)
            connection.sendall(message(success(booking(uid="of-the-first"))))
        else:
            connection.sendall(message(success(booking(uid="of-the-second"))))

    server = serve(script)
    calendar = calendar_at(server.url)
    assert calendar.booking("first", deadline=within(DEADLINE_S)) == Unclear("ReadTimeout")
    seen = calendar.booking("second", deadline=within())
    assert isinstance(seen, Booking)
    assert seen.uid == "of-the-second"


# ---- The body ----


def test_a_compressed_body_is_read(serve: Callable[[Script], Server]) -> None:
    """A page of 250 bookings is about 600 kB otherwise."""
    server = serve(always(message(gzip.compress(success(booking())), "201 Created", "Content-Encoding: gzip")))
    assert isinstance(book(server), Answered)
    assert "\r\naccept-encoding: gzip\r\n" in server.requests[0].lower()


@pytest.mark.parametrize("encoding", ["deflate", "br", "zstd", "gzip, gzip", "gzip, identity", "nonsense"])
def test_any_other_encoding_is_refused(serve: Callable[[Script], Server], encoding: str) -> None:
    body = zlib.compress(success(booking())) if encoding == "deflate" else gzip.compress(success(booking()))
    server = serve(always(message(body, "201 Created", f"Content-Encoding: {encoding}")))
    assert book(server) == Unclear("DecodingError")


@pytest.mark.parametrize("what", ["twice", "once", "more behind it", "its end is missing"])
def test_a_bomb_is_unclear_in_no_time(serve: Callable[[Script], Server], what: str) -> None:
    """Zipped twice, 3 kB are 2 GB."""
    once = gzip.compress(bytes(100_000_000), 9)
    body, coding = {
        "twice": (gzip.compress(once, 9), "gzip, gzip"),
        "once": (once, "gzip"),
        "more behind it": (gzip.compress(success(booking())) + b"x" * 100_000, "gzip"),
        "its end is missing": (gzip.compress(success(booking()))[:-20], "gzip"),
    }[what]
    server = serve(always(message(body, "201 Created", f"Content-Encoding: {coding}")))
    answer, took = timed(lambda: book(server))
    assert answer == Unclear("DecodingError")
    assert took < LATEST_S


def test_a_compressed_body_that_is_none_is_unclear(serve: Callable[[Script], Server]) -> None:
    server = serve(always(message(success(booking()), "201 Created", "Content-Encoding: gzip")))
    assert book(server) == Unclear("DecodingError")


def test_a_chunked_body_is_read(serve: Callable[[Script], Server]) -> None:
    whole = success(booking())
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (whole[:50], whole[50:]))
    head = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert isinstance(book(serve(always(head + chunks + b"0\r\n\r\n"))), Answered)


@pytest.mark.parametrize("compressed", [False, True])
def test_a_body_without_measure_is_unclear(
    serve: Callable[[Script], Server], monkeypatch: pytest.MonkeyPatch, compressed: bool
) -> None:
    monkeypatch.setattr(client, "_LARGEST_BODY", 50_000)
    large = success(booking(description="x" * 100_000))
    server = serve(
        always(
            message(gzip.compress(large), "201 Created", "Content-Encoding: gzip")
            if compressed
            else message(large, "201 Created")
        )
    )
    assert book(server) == Unclear("DecodingError")


def test_a_body_without_end_is_unclear_long_before_the_deadline(
    serve: Callable[[Script], Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "_LARGEST_BODY", 200_000)

    def script(connection: socket.socket, _request: str) -> None:
        connection.sendall(b"HTTP/1.1 201 Created\r\n\r\n")
        while True:
            connection.sendall(b" " * 10_000)

    answer, took = timed(lambda: book(serve(script), 30.0))
    assert answer == Unclear("DecodingError")
    assert took < LATEST_S


def test_the_largest_page_there_can_be_is_read(serve: Callable[[Script], Server]) -> None:
    rows = [booking(uid=f"uid-{number}", description="x" * 6_000) for number in range(250)]
    server = serve(always(message(page(*rows))))
    found = calendar_at(server.url).find("a@b.example", DAY, deadline=within(20))
    assert isinstance(found, tuple)
    assert len(found) == 250


def test_a_header_beyond_ascii_harms_nothing(serve: Callable[[Script], Server]) -> None:
    server = serve(always(BOOKED.replace(b"\r\n", b"\r\nX-Served-By: caf\xc3\xa9\r\n", 1)))
    assert isinstance(book(server), Answered)


# ---- Where it goes ----


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "303 See Other", "307 x", "308 x"])
def test_a_redirect_is_not_followed(serve: Callable[[Script], Server], status: str) -> None:
    """Our key and a customer's data go to the address we were given, and nowhere else."""
    elsewhere = serve(always(BOOKED))
    server = serve(always(message(b"", status, f"Location: {elsewhere.url}/v2/bookings")))
    assert isinstance(book(server), Unclear)
    assert (len(server.requests), elsewhere.connections) == (1, 0)


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"])
def test_no_proxy_of_the_environment_gets_in_between(
    serve: Callable[[Script], Server], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    proxy, server = serve(always(message(b"{}"))), serve(always(BOOKED))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv(name, proxy.url)
    assert isinstance(book(server), Answered)
    assert proxy.connections == 0


# ---- Several at once ----


@pytest.mark.parametrize("stylists", [2, 8, 20])
def test_all_stylists_are_asked_at_the_same_time_and_once_each(
    serve: Callable[[Script], Server], stylists: int
) -> None:
    """Nobody is answered before everybody has asked."""
    all_here = threading.Barrier(stylists)

    def script(connection: socket.socket, _request: str) -> None:
        all_here.wait(10)
        connection.sendall(message(success({})))

    server = serve(script)
    wanted = {f"stylist-{number}": 100 + number for number in range(stylists)}
    calendar = calendar_at(server.url)
    free = calendar.free_starts(wanted, DAY, deadline=within(10))
    assert list(free) == list(wanted)
    assert all(isinstance(each, FreeStarts) for each in free.values())
    asked = sorted(request.partition("eventTypeId=")[2].partition("&")[0] for request in server.requests)
    assert asked == sorted(str(event_type) for event_type in wanted.values())


def test_the_answers_are_the_right_stylists(serve: Callable[[Script], Server]) -> None:
    def script(connection: socket.socket, request: str) -> None:
        number = int(request.partition("eventTypeId=")[2].partition("&")[0])
        time.sleep(0.02 * (5 - number))  # the last one answers first
        start = f"2026-12-01T{9 + number:02}:00:00.000Z"
        connection.sendall(message(success({"2026-12-01": [{"start": start}]})))

    free = calendar_at(serve(script).url).free_starts({f"s{n}": n for n in range(5)}, DAY, deadline=within())
    hours = {name: [start.hour for start in each.starts] for name, each in free.items() if isinstance(each, FreeStarts)}
    assert hours == {"s0": [9], "s1": [10], "s2": [11], "s3": [12], "s4": [13]}


def test_one_slow_stylist_does_not_cost_the_others(serve: Callable[[Script], Server]) -> None:
    def script(connection: socket.socket, request: str) -> None:
        if "eventTypeId=2&" in request:
            server.over.wait()
        connection.sendall(message(success({})))

    server = serve(script)
    wanted = {"anna": 1, "ben": 2, "carla": 3}
    free, took = timed(lambda: calendar_at(server.url).free_starts(wanted, DAY, deadline=within(DEADLINE_S)))
    assert [type(free[name]) for name in wanted] == [FreeStarts, Unclear, FreeStarts]
    assert took < LATEST_S


# ---- Several bookings at the same time ----


def three() -> list[BookingRequest]:
    return [replace(REQUEST, event_type=number, metadata={"segment": str(number)}) for number in (1, 2, 3)]


def number_of(request: str) -> int:
    """Which event type a request to book is for."""
    return int(re.findall(r'"eventTypeId": (\d+)', request)[0])


def test_several_bookings_are_sent_at_the_same_time_and_once_each(serve: Callable[[Script], Server]) -> None:
    """Nobody is answered before all have come; the answers are in the order of the requests."""
    all_here = threading.Barrier(3)

    def script(connection: socket.socket, request: str) -> None:
        all_here.wait(10)
        time.sleep(0.03 * (3 - number_of(request)))  # the last one answers first
        made = booking(uid=f"uid{number_of(request)}", eventTypeId=number_of(request))
        connection.sendall(message(success(made), "201 Created"))

    server = serve(script)
    answers = calendar_at(server.url).book_all(three(), deadline=within())
    assert [each.booking.uid for each in answers if isinstance(each, Answered)] == ["uid1", "uid2", "uid3"]
    assert sorted(number_of(each) for each in server.requests) == [1, 2, 3]


def test_one_booking_that_hangs_costs_no_others_answer(serve: Callable[[Script], Server]) -> None:
    def script(connection: socket.socket, request: str) -> None:
        if number_of(request) == 2:
            server.over.wait()
        connection.sendall(BOOKED)

    server = serve(script)
    calendar = calendar_at(server.url)
    answers, took = timed(lambda: calendar.book_all(three(), deadline=within(DEADLINE_S)))
    assert [type(each) for each in answers] == [Answered, Unclear, Answered]
    assert took < LATEST_S
    assert len(server.requests) == 3, "nothing is repeated"


def test_where_nobody_listens_none_of_them_has_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    answers = calendar_at(f"http://127.0.0.1:{port}").book_all(three(), deadline=within())
    assert [type(each) for each in answers] == [NotSent] * 3


def test_a_booking_that_no_thread_begins_in_time_is_never_sent(serve: Callable[[Script], Server]) -> None:
    server = serve(always(BOOKED))
    calendar = calendar_at(server.url)
    over = threading.Event()
    for _ in range(client.CONNECTIONS):
        calendar._threads.submit(over.wait)
    answers = calendar.book_all(three(), deadline=within(DEADLINE_S))
    over.set()
    assert [type(each) for each in answers] == [NotSent] * 3
    time.sleep(DEADLINE_S)
    assert server.requests == []


def test_several_are_cancelled_at_the_same_time_each_with_the_reason(serve: Callable[[Script], Server]) -> None:
    both_here = threading.Barrier(2)

    def script(connection: socket.socket, _request: str) -> None:
        both_here.wait(10)
        connection.sendall(message(success(booking(status="cancelled"))))

    server = serve(script)
    uids = ["2pSgYVwBM7UDxGrsPJD6p2", UID]
    answers = calendar_at(server.url).cancel_all(uids, "nicht frei", deadline=within())
    assert answers == (Cancelled(), Cancelled())
    assert all('"cancellationReason": "nicht frei"' in each for each in server.requests)
    assert {uid for uid in uids for each in server.requests if f"/v2/bookings/{uid}/cancel" in each} == {*uids}


def test_several_are_moved_at_the_same_time_each_to_its_own_start(serve: Callable[[Script], Server]) -> None:
    both_here = threading.Barrier(2)

    def script(connection: socket.socket, _request: str) -> None:
        both_here.wait(10)
        connection.sendall(message(success(booking())))

    server = serve(script)
    first, second = DAY.start, DAY.start + timedelta(minutes=105)
    moves = [("2pSgYVwBM7UDxGrsPJD6p2", first), (UID, second)]
    answers = calendar_at(server.url).reschedule_all(moves, "verschoben", deadline=within())
    assert [type(each) for each in answers] == [Answered, Answered]
    asked = {uid: each for uid, _ in moves for each in server.requests if f"/v2/bookings/{uid}/reschedule" in each}
    assert [f'"start": "{start:%Y-%m-%dT%H:%M:%SZ}"' in asked[uid] for uid, start in moves] == [True, True]


# ---- What we rely on in others' code ----


def test_httpx_still_keeps_its_pool_where_we_replace_it() -> None:
    """`DeadlineTransport` puts its own pool in this private place; were it renamed, there would be no deadline."""
    assert isinstance(vars(httpx.HTTPTransport())["_pool"], httpcore.ConnectionPool)
    assert isinstance(vars(DeadlineTransport())["_pool"], httpcore.ConnectionPool)


def test_httpx_sends_through_the_pool_in_that_place(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    class Pool:
        def handle_request(self, request: httpcore.Request) -> httpcore.Response:
            asked.append(request.url.target)
            return httpcore.Response(204)

    transport = DeadlineTransport()
    monkeypatch.setattr(transport, "_pool", Pool())
    assert transport.handle_request(httpx.Request("GET", "http://x.example/y")).status_code == 204
    assert asked == [b"/y"]


def test_the_default_transport_is_the_one_with_deadlines() -> None:
    assert isinstance(calendar_at("http://x.example")._transport, DeadlineTransport)
