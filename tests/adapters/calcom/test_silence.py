"""Which unclear answers are Cal.com's silence, and which of what was not sent is for want of a way to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from bookend.adapters.calcom.client import CalcomCalendar
from bookend.application.ports import ListQuery
from bookend.domain.answers import NotSent, Unclear
from tests.adapters.calcom.fixtures import DAY, REQUEST, UID, Exchange, booking, page, raw, success, within

Ask = Callable[[CalcomCalendar], Any]
READS: dict[str, Ask] = {
    "slots": lambda calendar: calendar.free_starts({"a": 1}, DAY, deadline=within())["a"],
    "get": lambda calendar: calendar.booking(UID, deadline=within()),
    "find": lambda calendar: calendar.find(REQUEST.email, DAY, deadline=within()),
    "list": lambda calendar: calendar.page(ListQuery(window=DAY), skip=0, deadline=within()),
}
WRITES: dict[str, Ask] = {
    "create": lambda calendar: calendar.book(REQUEST, deadline=within()),
    "cancel": lambda calendar: calendar.cancel(UID, "why", deadline=within()),
}


def told(ask: Ask, status: int, content: bytes) -> Any:
    return ask(Exchange(lambda _: httpx.Response(status, content=content)).calendar)


@pytest.mark.parametrize("ask", READS.values(), ids=READS)
def test_a_success_that_cannot_be_read_is_an_answer_all_the_same(ask: Ask) -> None:
    answer = told(ask, 200, success({"odd": True}))
    assert isinstance(answer, Unclear)
    assert answer.answered


def test_an_odd_row_of_a_customers_list_is_an_answer() -> None:
    answer = told(READS["find"], 200, page(booking(), booking(status=...)))
    assert isinstance(answer, Unclear)
    assert answer.answered


@pytest.mark.parametrize("ask", [*READS.values(), *WRITES.values()], ids=[*READS, *WRITES])
@pytest.mark.parametrize(
    ("status", "content"),
    [(200, b"<html>Just a moment</html>"), (200, b""), (500, raw(500, "Internal server error")), (502, b"<html>")],
    ids=["a page with 200", "nothing", "500", "502"],
)
def test_an_edge_that_speaks_and_a_server_that_fails_are_silence(ask: Ask, status: int, content: bytes) -> None:
    answer = told(ask, status, content)
    assert isinstance(answer, Unclear)
    assert not answer.answered


def test_a_booking_that_was_made_without_saying_which_is_silence() -> None:
    """It leaves a caller with "noch offen", like one that was not answered."""
    answer = told(WRITES["create"], 201, success({"odd": True}))
    assert isinstance(answer, Unclear)
    assert not answer.answered


def test_cancelled_already_is_an_answer_even_where_the_booking_is_shown_as_live() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, content=success(booking()))
        return httpx.Response(400, content=raw(400, "This booking has already been cancelled"))

    said = WRITES["cancel"](Exchange(answer).calendar)
    assert isinstance(said, Unclear)
    assert said.answered


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout])
def test_no_connection_means_that_cal_com_cannot_be_reached(error: type[httpx.TransportError]) -> None:
    said = WRITES["create"](failing(error))
    assert isinstance(said, NotSent)
    assert said.unreachable


@pytest.mark.parametrize("error", [httpx.PoolTimeout, httpx.LocalProtocolError])
def test_what_we_keep_back_ourselves_says_nothing_of_cal_com(error: type[httpx.TransportError]) -> None:
    said = WRITES["create"](failing(error))
    assert isinstance(said, NotSent)
    assert not said.unreachable


def test_neither_does_a_rate_limit_nor_a_lack_of_time_nor_a_uid_that_is_none() -> None:
    exchange = Exchange(lambda _: httpx.Response(429, content=b""))
    limited = exchange.calendar.book(REQUEST, deadline=within())
    late = exchange.calendar.book(REQUEST, deadline=within(0))
    no_uid = exchange.calendar.cancel("..", "why", deadline=within())
    assert [isinstance(each, NotSent) and not each.unreachable for each in (limited, late, no_uid)] == [True] * 3


def failing(error: type[httpx.TransportError]) -> CalcomCalendar:
    def answer(request: httpx.Request) -> httpx.Response:
        raise error("x", request=request)

    return Exchange(answer).calendar
