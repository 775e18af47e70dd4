"""Neither people nor the key leave the adapter by any way but the request itself."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from bookend import observability
from bookend.adapters.calcom.client import CalcomCalendar
from bookend.application.deadline import Deadline
from bookend.domain.answers import Answered, KeyRejected, NotSent, Unclear, judge
from tests.adapters.calcom.fixtures import (
    CANARIES,
    DAY,
    EXPECTED,
    KEY,
    NOW,
    REQUEST,
    UID,
    Exchange,
    answering,
    booking,
    calendar_at,
    enveloped,
    page,
    raw,
    short,
    success,
    within,
)
from tests.adapters.calcom.server import Server, always, message

FACTS = {"operation", "status", "ms", "request_id", "error", "uid", "id", "age_s", "op_id", "left"}
NAMES_PEOPLE = enveloped(400, "Ada Kanarienvogel <kanari@kunde.example> +4915112345678")

RESPONSES: dict[str, Callable[[httpx.Request], httpx.Response]] = {
    "booked": lambda _: httpx.Response(201, content=success(booking()), headers={"X-Request-Id": "r-1"}),
    "a list": lambda _: httpx.Response(200, content=page(booking())),
    "not understood": lambda _: httpx.Response(201, content=success([booking()])),
    "slots with people": lambda _: httpx.Response(200, content=success({"2026-12-01": [booking()]})),
    "refused": lambda _: httpx.Response(400, content=NAMES_PEOPLE),
    "refused, short": lambda _: httpx.Response(400, content=short("responses - kanari@kunde.example")),
    "cancelled already": lambda _: httpx.Response(400, content=raw(400, "This booking has already been cancelled.")),
    "key echoed": lambda _: httpx.Response(403, content=enveloped(403, f"no client found for access token={KEY}")),
    "limited": lambda _: httpx.Response(429, content=NAMES_PEOPLE),
    "500": lambda _: httpx.Response(500, content=NAMES_PEOPLE),
    "key echoed by a success": lambda _: httpx.Response(200, content=f"<html>Authorization: {KEY}</html>".encode()),
    "key echoed by a cancel": lambda _: httpx.Response(200, content=f"Bearer {KEY}".encode()),
    "html": lambda _: httpx.Response(524, content=b"<html>kanari@kunde.example</html>"),
    "redirect": lambda _: httpx.Response(302, headers={"Location": "https://x.example/?e=kanari@kunde.example"}),
    "connect error": lambda request: fail(httpx.ConnectError(f"{KEY} {request.url}")),
    "read error": lambda request: fail(httpx.ReadError(f"{KEY} {request.url} kanari@kunde.example")),
    "protocol error": lambda _: fail(httpx.LocalProtocolError(f"Illegal header value b'Bearer {KEY}'")),
}
CALLS: list[Callable[[CalcomCalendar, Deadline], Any]] = [
    lambda cal, end: cal.book(REQUEST, deadline=end),
    lambda cal, end: cal.cancel(UID, "Ada Kanarienvogel ist krank", deadline=end),
    lambda cal, end: cal.booking(UID, deadline=end),
    lambda cal, end: cal.find(REQUEST.email, DAY, deadline=end),
    lambda cal, end: cal.free_starts({"anna": 1, "ben": 2}, DAY, deadline=end),
]


def fail(error: Exception) -> httpx.Response:
    raise error


def says_nothing_of(thing: object, *words: str) -> bool:
    text = repr(thing) + str(thing)
    return not any(word in text for word in words)


@pytest.mark.parametrize("name", RESPONSES)
def test_what_is_observed_is_ids_statuses_and_times(name: str) -> None:
    exchange = Exchange(RESPONSES[name])
    for call in CALLS:
        call(exchange.calendar, within())
    assert len(exchange.facts) >= len(exchange.sent)
    for facts in exchange.facts:
        assert set(facts) <= FACTS
        assert says_nothing_of(facts, *CANARIES, KEY)
        assert isinstance(facts["status"], int)
        json.dumps(facts)


@pytest.mark.parametrize("name", RESPONSES)
def test_no_answer_repeats_the_key(name: str) -> None:
    """Cal.com repeats a key it does not know in clear (calcom-observed 3), and answers are kept."""
    exchange = Exchange(RESPONSES[name])
    for call in CALLS:
        assert says_nothing_of(call(exchange.calendar, within()), KEY)


def test_an_echoed_key_is_still_a_rejected_key_and_the_rest_is_kept() -> None:
    exchange = Exchange(RESPONSES["key echoed"])
    answer = exchange.calendar.book(REQUEST, deadline=within())
    assert isinstance(answer, KeyRejected)
    assert "access token=<our key>" in answer.detail


def test_a_booking_that_repeats_the_key_is_a_booking_without_it() -> None:
    echo = booking(metadata={**REQUEST.metadata, "authorization": f"Bearer {KEY}"})
    answer = answering(201, success(echo)).calendar.book(REQUEST, deadline=within())
    assert isinstance(answer, Answered)
    assert answer.booking.metadata["authorization"] == "Bearer <our key>"


def test_the_facts_of_a_booking() -> None:
    exchange = answering(201, success(booking()), {"X-Request-Id": "r-1"})
    exchange.calendar.book(REQUEST, deadline=within())
    sent, created = exchange.facts
    assert sent.pop("ms") >= 0
    assert sent == {"operation": "create", "status": 201, "request_id": "r-1"}
    # Incident I1: the age and the ids of every booking that came back are on record.
    assert created == {
        "operation": "created",
        "status": 201,
        "uid": UID,
        "id": 2,
        "age_s": -0.661,
        "op_id": "op-1",
    }


def test_the_age_of_an_old_booking_shows() -> None:
    exchange = answering(201, success(booking(createdAt="2026-11-21T10:05:00.000Z")))
    exchange.calendar.book(REQUEST, deadline=within())
    assert exchange.facts[1]["age_s"] == 35 * 60.0


def test_a_booking_without_its_time_has_no_age() -> None:
    exchange = answering(201, success(booking(createdAt=None)))
    exchange.calendar.book(REQUEST, deadline=within())
    assert exchange.facts[1]["age_s"] is None


def test_each_exchange_is_observed_with_its_operation() -> None:
    exchange = answering(500)
    for call in CALLS:
        call(exchange.calendar, within())
    assert [facts["operation"] for facts in exchange.facts] == ["create", "cancel", "get", "list", "slots", "slots"]
    assert {facts["status"] for facts in exchange.facts} == {500}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("cal_broken\n", NotSent),
        ("cal_bro\r\nX-Injected: 1", NotSent),
        ("cal_br\x00ken", NotSent),
        ("cal_käputt", KeyRejected),
        ("cal_\u20ac", KeyRejected),
    ],
    ids=repr,
)
def test_a_spoilt_key_is_an_answer_and_not_an_exception(key: str, expected: type[Any]) -> None:
    """An exception could carry it into a log."""
    facts: list[dict[str, Any]] = []
    refusal = message(enveloped(401, "CustomThrottlerGuard - Invalid API Key"), "401 Unauthorized")
    with Server(always(refusal)) as server:
        calendar = calendar_at(server.url, facts, key=key)
        answer = calendar.book(REQUEST, deadline=within())
        assert type(answer) is expected
        assert all("X-Injected" not in request for request in server.requests)
        assert len(server.requests) == (0 if expected is NotSent else 1)
    assert says_nothing_of(answer, key, key[:7])
    assert says_nothing_of(facts, key, key[:7])


def test_the_calendar_itself_says_nothing() -> None:
    assert says_nothing_of(answering(500).calendar, KEY, *CANARIES)


@pytest.mark.parametrize("name", RESPONSES)
def test_a_judgement_names_nobody(name: str) -> None:
    answer = Exchange(RESPONSES[name]).calendar.book(REQUEST, deadline=within())
    assert says_nothing_of(judge(answer, EXPECTED, now=NOW), KEY, *CANARIES)


# ---- Logs of the libraries underneath ----

SEARCH_LINE = "attendeeEmail"


def search_over_http() -> None:
    with Server(always(message(page(booking())))) as server:
        found = calendar_at(server.url).find(REQUEST.email, DAY, deadline=within())
        assert isinstance(found, tuple)
        calendar_at(server.url).book(REQUEST, deadline=within())


def test_at_the_levels_we_set_no_library_logs_an_address(caplog: pytest.LogCaptureFixture) -> None:
    assert observability.logger is not None  # importing it sets the levels
    caplog.set_level(logging.DEBUG)
    search_over_http()
    assert says_nothing_of([record.getMessage() for record in caplog.records], *CANARIES, KEY, SEARCH_LINE)


def test_httpx_would_log_the_address_without_those_levels(caplog: pytest.LogCaptureFixture) -> None:
    """Else the test above could not fail."""
    caplog.set_level(logging.INFO, logger="httpx")
    search_over_http()
    assert not says_nothing_of([record.getMessage() for record in caplog.records], SEARCH_LINE)


def test_what_is_kept_for_operators_is_nowhere_else() -> None:
    """The whole answer stays with the appointment, and only there."""
    exchange = Exchange(RESPONSES["500"])
    answer = exchange.calendar.book(REQUEST, deadline=within())
    assert isinstance(answer, Unclear)
    assert "kanari@kunde.example" in answer.detail
    assert says_nothing_of(exchange.facts, *CANARIES)
