"""Answers that nobody at Cal.com meant to send: each is an answer to us all the same, and fits where it is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from bookend.adapters.calcom.client import CalcomCalendar
from bookend.application.deadline import Deadline
from bookend.application.ports import ListQuery, Page
from bookend.domain.answers import Answered, Booking, NotSent, Refused, Unclear
from tests.adapters.calcom.fixtures import (
    CLOCK,
    DAY,
    KEY,
    REQUEST,
    UID,
    Exchange,
    answering,
    booking,
    enveloped,
    page,
    raw,
    success,
    within,
)

MOST_KEPT = 61_000
EVERYTHING = ListQuery(window=DAY)


# ---- What is kept fits into an item ----


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (502, b"<html>" + b"x" * 500_000),
        (502, "ü€😀".encode() * 100_000),
        (502, b"\xff" * 300_000),  # each becomes three bytes once it is text
        (400, raw(400, "User either already has booking at this time or is not available", stack="y" * 500_000)),
    ],
    ids=["page", "wide characters", "no text", "refusal"],
)
def test_of_a_long_answer_the_beginning_is_kept_and_its_length(status: int, content: bytes) -> None:
    answer = answering(status, content).calendar.book(REQUEST, deadline=within())
    assert isinstance(answer, Unclear if status == 502 else Refused)
    assert len(answer.detail.encode()) < MOST_KEPT
    assert answer.detail.startswith(f"HTTP {status} {content[:100].decode(errors='ignore')}")
    assert answer.detail.endswith(f"… ({len(content)} bytes)")


def test_an_answer_that_fits_is_kept_whole() -> None:
    content = b"<html>" + "ü".encode() * 29_997
    answer = answering(502, content).calendar.book(REQUEST, deadline=within())
    assert answer == Unclear(f"HTTP 502 {content.decode()}")


# ---- No exception ----

CALLS: dict[str, Callable[[CalcomCalendar, Deadline], Any]] = {
    "book": lambda cal, end: cal.book(REQUEST, deadline=end),
    "cancel": lambda cal, end: cal.cancel(UID, "x", deadline=end),
    "booking": lambda cal, end: cal.booking(UID, deadline=end),
    "find": lambda cal, end: cal.find(REQUEST.email, DAY, deadline=end),
    "page": lambda cal, end: cal.page(EVERYTHING, skip=0, deadline=end),
    "free starts": lambda cal, end: cal.free_starts({"anna": 1}, DAY, deadline=end)["anna"],
    "free starts of two": lambda cal, end: cal.free_starts({"anna": 1, "ben": 2}, DAY, deadline=end)["ben"],
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    "location",
    ["javascript:alert(1)", "http://xn--/", "http://[::1", "//", "http://:99999999/", "http://" + "a" * 70_000],
    ids=lambda location: location[:20],
)
def test_a_redirect_to_nowhere_is_unclear(name: str, location: str) -> None:
    """httpx builds the next request even where redirects are not followed."""
    exchange = answering(302, b"{}", {"Location": location})
    assert isinstance(CALLS[name](exchange.calendar, within()), Unclear)
    assert len(exchange.sent) in {1, 2}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    "error", [ClientError({"Error": {"Code": "AccessDenied", "Message": KEY}}, "GetSecretValue"), OSError(KEY)]
)
def test_a_key_that_cannot_be_read_is_an_answer(name: str, error: Exception) -> None:
    """Nothing has left, so nothing can have happened."""
    sent: list[httpx.Request] = []
    facts: list[dict[str, Any]] = []

    def key() -> str:
        raise error

    def never(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(500)

    calendar = CalcomCalendar(
        base_url="https://x.example",
        api_key=key,
        clock=CLOCK,
        observe=lambda **said: facts.append(said),
        transport=httpx.MockTransport(never),
    )
    assert CALLS[name](calendar, within()) == NotSent(type(error).__name__)
    assert {(each["status"], each["error"]) for each in facts} == {(0, type(error).__name__)}
    assert KEY not in repr(facts)
    assert sent == []


@pytest.mark.parametrize(
    ("reset", "wait"),
    [("30", 30.0), ("600", 600.0), ("601", 600.0), ("999999999", 600.0)]
    + [(junk, 60.0) for junk in ("9" * 400, "9" * 5000, "-1", "1e9", "inf", "nan", "٣", "", "60, 60")],
)
def test_a_wait_is_ten_minutes_at_most(reset: str, wait: float) -> None:
    """None would mean that there was no connection, and that the request may be sent again at once."""
    answer = answering(429, enveloped(429, "Too many"), {"X-RateLimit-Reset-Default": reset.encode()}).calendar.book(
        REQUEST, deadline=within()
    )
    assert isinstance(answer, NotSent)
    assert answer.retry_after_s == wait


@pytest.mark.parametrize("junk", ["9" * 5000, "٣", "-1", "x"])
def test_what_is_left_of_the_rate_is_a_count_or_unknown(junk: str) -> None:
    exchange = answering(201, success(booking()), {"X-RateLimit-Remaining-Default": junk.encode()})
    assert isinstance(exchange.calendar.book(REQUEST, deadline=within()), Answered)
    assert exchange.calendar.headroom() is None


# ---- What is no booking ----

NO_BOOKING: dict[str, dict[str, Any]] = {
    "id of 40 digits": {"id": 10**39},
    "id above what a double holds": {"id": 2**53 + 1},
    "id of none": {"id": 0},
    "uid of 3 kB": {"uid": "u" * 3000},
    "uid that is a path": {"uid": ".."},
    "uid that is an address": {"uid": "hans.schuster@mail.example"},
    "uid with a line break": {"uid": "abc\n"},
    "moved from a path": {"rescheduledFromUid": "../me"},
    "moved to a path": {"rescheduledToUid": "."},
    "event type of 40 digits": {"eventTypeId": 10**39},
    "host of 40 digits": {"hosts": [{"id": 10**39}]},
    "state of 3 kB": {"status": "a" * 3000},
    "no length": {"end": "2026-12-01T09:00:00.000Z"},
    "ends before it begins": {"end": "2026-12-01T08:59:00.000Z"},
    "120 days": {"end": "2027-03-31T09:00:00.000Z"},
    "24 hours and a second": {"end": "2026-12-02T09:00:01.000Z"},
    "at the end of time": {"start": "9999-12-31T23:00:00.000Z", "end": "9999-12-31T23:30:00.000Z"},
}


@pytest.mark.parametrize("name", NO_BOOKING)
def test_what_can_be_no_booking_is_unclear(name: str) -> None:
    wrong = booking(**NO_BOOKING[name])
    assert isinstance(answering(201, success(wrong)).calendar.book(REQUEST, deadline=within()), Unclear)
    assert isinstance(answering(200, success(wrong)).calendar.booking(UID, deadline=within()), Unclear)


@pytest.mark.parametrize("name", NO_BOOKING)
def test_of_a_list_only_such_a_row_is_left_out(name: str) -> None:
    """Anybody could stop the reconciliation by one odd booking; nothing is concluded from what a list leaves out."""
    exchange = answering(200, page(booking(), booking(**NO_BOOKING[name]), booking(uid="third"), more=True))
    listed = exchange.calendar.page(EVERYTHING, skip=0, deadline=within())
    assert isinstance(listed, Page)
    assert ([each.uid for each in listed.bookings], listed.more) == ([UID, "third"], True)
    assert exchange.facts[-1] == {"operation": "unreadable_rows", "status": 200, "rows": 1}


@pytest.mark.parametrize("name", NO_BOOKING)
def test_a_search_concludes_nothing_from_a_list_with_such_a_row(name: str) -> None:
    """It may be the one that is looked for: "not there" would release it."""
    exchange = answering(200, page(booking(), booking(**NO_BOOKING[name])))
    assert isinstance(exchange.calendar.find(REQUEST.email, DAY, deadline=within()), Unclear)


def test_rows_that_nobody_can_read_are_counted_so_that_a_run_gets_past_them() -> None:
    exchange = answering(200, page(booking(uid=".."), booking(id=0), more=True))
    told = exchange.calendar.page(EVERYTHING, skip=0, deadline=within())
    assert told == Page((), more=True, odd=2)
    assert told.rows == 2


@pytest.mark.parametrize("end", ["2026-12-02T09:00:00.000Z", "2026-12-01T09:00:01.000Z"], ids=["24 h", "1 s"])
def test_the_longest_and_the_shortest_booking(end: str) -> None:
    shown = answering(200, success(booking(end=end, id=2**53))).calendar.booking(UID, deadline=within())
    assert isinstance(shown, Booking)


# ---- What strangers may write spoils nothing ----


def test_what_strangers_write_into_a_booking_is_cut() -> None:
    strange = booking(
        attendees=[
            {"email": "kanari@kunde.example", "name": "x" * 100_000, "phoneNumber": "1" * 100_000},
            {"email": "a" * 100_000 + "@b.example"},
        ],
        metadata={"op_id": "x" * 100_000, "appointment": {"deep": "y" * 100_000}},
    )
    shown = answering(200, success(strange)).calendar.booking(UID, deadline=within())
    assert isinstance(shown, Booking)
    assert shown.attendees == ("kanari@kunde.example",)
    # Cut and not left out: without any op_id, a booking that is as we asked for would be taken for ours.
    assert shown.metadata["op_id"] == "x" * 500
    assert len(json.dumps([shown.attendee_name, shown.attendee_phone, dict(shown.metadata)])) < 5_000


def test_an_exchange_counts_as_one_however_odd() -> None:
    exchange = Exchange(lambda _: httpx.Response(302, headers={"Location": "javascript:alert(1)"}))
    exchange.calendar.book(REQUEST, deadline=within())
    assert [(each["operation"], each["status"], each["error"]) for each in exchange.facts] == [
        ("create", 0, "InvalidURL")
    ]
