"""What exactly is asked of Cal.com, and how its answers to anything but a booking are taken."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from bookend.adapters.calcom.client import CalcomCalendar
from bookend.application.deadline import Deadline
from bookend.application.ports import BookingRequest, Cancelled, FreeStarts
from bookend.domain.answers import Booking, KeyRejected, NotSent, NotThere, Refusal, Refused, Unclear
from bookend.domain.timeslot import Slot
from tests.adapters.calcom.fixtures import (
    CLOCK,
    DAY,
    KEY,
    NOW,
    REQUEST,
    START,
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

BERLIN_WINTER = timezone(timedelta(hours=1))
CANCELLED_ALREADY = (
    f"Can't cancel booking with uid={UID} because it has been cancelled already. "
    "Please provide uid of a booking that is not cancelled."
)


def sent_body(exchange: Exchange) -> Any:
    return json.loads(exchange.only.content)


# ---- Every request ----

CALLS: dict[str, tuple[Callable[[CalcomCalendar, Deadline], Any], str, str, str]] = {
    "book": (lambda cal, end: cal.book(REQUEST, deadline=end), "POST", "/v2/bookings", "2024-08-13"),
    "cancel": (lambda cal, end: cal.cancel(UID, "x", deadline=end), "POST", f"/v2/bookings/{UID}/cancel", "2024-08-13"),
    "booking": (lambda cal, end: cal.booking(UID, deadline=end), "GET", f"/v2/bookings/{UID}", "2024-08-13"),
    "find": (lambda cal, end: cal.find("a@b.example", DAY, deadline=end), "GET", "/v2/bookings", "2024-08-13"),
    "free_starts": (lambda cal, end: cal.free_starts({"anna": 1}, DAY, deadline=end), "GET", "/v2/slots", "2024-09-04"),
}


@pytest.mark.parametrize("name", CALLS)
def test_method_path_version_and_key(name: str) -> None:
    """A missing version header would still cancel (calcom-observed 3)."""
    call, method, path, version = CALLS[name]
    exchange = answering(500)
    call(exchange.calendar, within())
    request = exchange.only
    assert (request.method, request.url.path) == (method, path)
    assert request.url.host == "api.calcom.example"
    assert request.headers["cal-api-version"] == version
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["accept"] == "application/json"
    assert (request.headers.get("content-type") == "application/json") is (method == "POST")
    assert "cookie" not in request.headers


@pytest.mark.parametrize("name", CALLS)
def test_without_time_left_nothing_is_sent(name: str) -> None:
    call, *_ = CALLS[name]
    exchange = answering(500)
    result = call(exchange.calendar, within(0))
    (answer,) = result.values() if isinstance(result, dict) else (result,)
    assert answer == NotSent("no time left to send it")
    assert exchange.sent == []


@pytest.mark.parametrize("name", CALLS)
def test_the_time_outs_are_what_is_left_and_half_a_second_to_connect(name: str) -> None:
    call, *_ = CALLS[name]
    exchange = answering(500)
    call(exchange.calendar, within(3.0))
    times = exchange.only.extensions["timeout"]
    assert times["connect"] == times["pool"] == 0.5
    assert 2.0 < times["read"] <= 3.0
    assert times["read"] == times["write"]


def test_connecting_may_not_take_longer_than_is_left() -> None:
    exchange = answering(500)
    exchange.calendar.booking(UID, deadline=within(0.2))
    times = exchange.only.extensions["timeout"]
    assert max(times.values()) <= 0.2


def test_the_key_is_asked_for_each_time() -> None:
    keys = iter(["cal_old", "cal_new"])
    used: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        used.append(request.headers["authorization"])
        return httpx.Response(500)

    calendar = CalcomCalendar(
        base_url="https://x.example", api_key=lambda: next(keys), clock=CLOCK, transport=httpx.MockTransport(answer)
    )
    calendar.booking(UID, deadline=within())
    calendar.booking(UID, deadline=within())
    assert used == ["Bearer cal_old", "Bearer cal_new"]


def test_no_cookie_is_kept() -> None:
    """Reservations are told apart by a cookie; no call of ours may depend on another one's."""
    exchange = answering(200, success(booking()), {"Set-Cookie": "uid=abc; Path=/"})
    for _ in range(2):
        exchange.calendar.booking(UID, deadline=within())
    assert ["cookie" in request.headers for request in exchange.sent] == [False, False]


# ---- Booking ----


def test_the_whole_body_of_a_booking() -> None:
    exchange = answering(201, success(booking()))
    exchange.calendar.book(REQUEST, deadline=within())
    assert sent_body(exchange) == {
        "start": "2026-12-01T09:00:00Z",
        "eventTypeId": 1,
        "attendee": {
            "name": "Ada Kanarienvogel",
            "email": "kanari@kunde.example",
            "timeZone": "Europe/Berlin",
            "language": "de",
            "phoneNumber": "+4915112345678",
        },
        "metadata": {"op_id": "op-1", "appointment": "apt-1", "segment": "0", "call_id": "call-1"},
    }
    assert exchange.only.url.query == b""


def test_metadata_are_texts() -> None:
    """A number in them is a 400 (calcom-observed 3)."""
    exchange = answering(201, success(booking()))
    exchange.calendar.book(REQUEST, deadline=within())
    assert {type(value) for value in sent_body(exchange)["metadata"].values()} == {str}


def test_a_withheld_phone_is_left_out() -> None:
    exchange = answering(201, success(booking()))
    exchange.calendar.book(replace(REQUEST, phone=None), deadline=within())
    assert "phoneNumber" not in sent_body(exchange)["attendee"]


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(START.astimezone(BERLIN_WINTER), id="another zone"),
        pytest.param(START + timedelta(microseconds=999_999), id="fractions"),
    ],
)
def test_a_start_is_always_written_in_utc(start: datetime) -> None:
    exchange = answering(201, success(booking()))
    exchange.calendar.book(replace(REQUEST, start=start), deadline=within())
    assert sent_body(exchange)["start"] == "2026-12-01T09:00:00Z"


@pytest.mark.parametrize("name", ["Jürgen Müßig-Ødegård", "王小明", '"; DROP', "half a character \ud83d"])
def test_any_name_arrives_as_it_is(name: str) -> None:
    exchange = answering(201, success(booking()))
    exchange.calendar.book(replace(REQUEST, name=name), deadline=within())
    assert sent_body(exchange)["attendee"]["name"] == name


# ---- Cancelling ----


def test_a_cancel_has_its_reason_and_nothing_else() -> None:
    exchange = answering(200, success(booking(status="cancelled")))
    assert exchange.calendar.cancel(UID, "Kunde krank", deadline=within()) == Cancelled()
    assert sent_body(exchange) == {"cancellationReason": "Kunde krank"}


@pytest.mark.parametrize(
    "uid", ["", ".", "..", "a/b", "../me", "a?b=c", "a#b", "a b", "a%2Fb", "%2e%2e", "ü", "a\n", "a" * 101]
)
def test_what_cannot_be_a_uid_is_not_asked_for(uid: str) -> None:
    """It would name another path: ".." a POST to /v2/cancel. And nothing is concluded: it is not "not there"."""
    exchange = answering(200, success(booking(status="cancelled")))
    for answer in (
        exchange.calendar.cancel(uid, "x", deadline=within()),
        exchange.calendar.booking(uid, deadline=within()),
    ):
        assert answer == NotSent("no booking of Cal.com's has such a uid")
    assert exchange.sent == []


def test_a_cancel_counts_whatever_status_it_shows() -> None:
    """The status comes from a replica that may lag (calcom-observed 2)."""
    exchange = answering(200, success(booking(status="accepted")))
    assert exchange.calendar.cancel(UID, "x", deadline=within()) == Cancelled()


A_NO = b'{"status": "error", "error": {"message": "Internal"}}'


@pytest.mark.parametrize("content", [b"", b"<html></html>", b"[]", b"null", A_NO], ids=str)
def test_a_cancel_answered_by_something_else_is_unclear(content: bytes) -> None:
    assert isinstance(answering(200, content).calendar.cancel(UID, "x", deadline=within()), Unclear)


WHY = {"cancellationReason": "Kommt nicht"}


@pytest.mark.parametrize(
    "refusal", [enveloped(400, CANCELLED_ALREADY), raw(400, "This booking has already been cancelled.")], ids=["E", "R"]
)
@pytest.mark.parametrize(
    ("status", "shown", "expected"),
    [
        pytest.param(200, success(booking(status="cancelled", **WHY)), Cancelled, id="it is cancelled"),
        pytest.param(200, success(booking(status="CANCELLED", **WHY)), Cancelled, id="cancelled in capitals"),
        pytest.param(200, success(booking(status="cancelled")), Unclear, id="perhaps half of a move"),
        pytest.param(200, success(booking(status="accepted")), Unclear, id="it is not"),
        pytest.param(200, success(booking(status="rejected")), Unclear, id="it was declined"),
        pytest.param(
            200, success(booking(status="cancelled", rescheduledToUid="new")), Unclear, id="it lives on elsewhere"
        ),
        pytest.param(
            200,
            success(booking(status="cancelled", rescheduledToUid="new", **WHY)),
            Unclear,
            id="it lives on elsewhere, for a reason",
        ),
        pytest.param(404, enveloped(404, "Booking was not found in the database"), Unclear, id="it cannot be seen"),
        pytest.param(500, raw(500, "Internal server error"), Unclear, id="nobody knows"),
    ],
)
def test_cancelled_already_is_looked_up(refusal: bytes, status: int, shown: bytes, expected: type[Any]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(400, content=refusal)
        return httpx.Response(status, content=shown)

    exchange = Exchange(answer)
    answer_ = exchange.calendar.cancel(UID, "x", deadline=within())
    assert type(answer_) is expected
    assert [request.method for request in exchange.sent] == ["POST", "GET"]
    assert exchange.sent[1].url.path == f"/v2/bookings/{UID}"


@pytest.mark.parametrize(
    ("status", "content", "expected"),
    [
        (400, raw(400, "Cancellation reason is required when you are the host"), Refused),
        (400, raw(400, "Cannot cancel a booking that has already ended"), Refused),
        (404, enveloped(404, f"Booking with uid={UID} not found"), NotThere),
        (401, enveloped(401, "CustomThrottlerGuard - Invalid API Key"), KeyRejected),
        (429, enveloped(429, "Too many requests"), NotSent),
        (500, raw(500, "Internal server error"), Unclear),
        # Only a 400 says so of a booking; anything else is not looked up.
        (500, raw(500, "This booking has already been cancelled."), Unclear),
        (404, enveloped(404, CANCELLED_ALREADY), NotThere),
    ],
)
def test_other_refusals_to_cancel(status: int, content: bytes, expected: type[Any]) -> None:
    exchange = answering(status, content)
    assert type(exchange.calendar.cancel(UID, "x", deadline=within())) is expected
    assert len(exchange.sent) == 1


# ---- Looking one up ----


def test_a_booking_is_shown_as_it_is() -> None:
    shown = answering(200, success(booking(status="cancelled", rescheduledToUid="new"))).calendar.booking(
        UID, deadline=within()
    )
    assert isinstance(shown, Booking)
    assert (shown.uid, shown.status, shown.rescheduled_to, shown.host) == (UID, "cancelled", "new", 7)
    assert shown.start == START


@pytest.mark.parametrize(
    ("status", "content", "expected"),
    [
        (404, enveloped(404, f"Booking with uid={UID} was not found in the database"), NotThere),
        (200, success([booking()]), Unclear),
        (200, b"<html></html>", Unclear),
        (304, b"", Unclear),
        (500, raw(500, "Internal server error"), Unclear),
    ],
)
def test_a_booking_that_is_not_shown(status: int, content: bytes, expected: type[Any]) -> None:
    assert type(answering(status, content).calendar.booking(UID, deadline=within())) is expected


# ---- Finding ----


def pages(*contents: bytes) -> Exchange:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=contents[int(request.url.params["skip"]) // 250])

    return Exchange(answer)


def test_the_whole_query_of_a_search() -> None:
    exchange = pages(page())
    found = exchange.calendar.find("Kanari+Eins@Kunde.Example", DAY, deadline=within())
    assert found == ()
    assert dict(exchange.only.url.params) == {
        "attendeeEmail": "kanari+eins@kunde.example",
        "afterStart": "2026-12-01T06:00:00Z",
        "beforeEnd": "2026-12-01T18:00:00Z",
        "sortCreated": "asc",
        "take": "250",
        "skip": "0",
    }
    # A plus that is not escaped is a space to some servers.
    assert "kanari%2Beins%40kunde.example" in str(exchange.only.url)


def test_all_pages_are_read_and_none_after_the_last() -> None:
    rows = [booking(uid=f"uid-{number}") for number in range(5)]
    # A row that moved to the next page meanwhile is counted once.
    exchange = pages(page(*rows[:2], more=True), page(*rows[1:4], more=True), page(rows[4]), page(booking(uid="never")))
    found = exchange.calendar.find("a@b.example", DAY, deadline=within())
    assert isinstance(found, tuple)
    assert [each.uid for each in found] == ["uid-0", "uid-1", "uid-2", "uid-3", "uid-4"]
    assert [request.url.params["skip"] for request in exchange.sent] == ["0", "250", "500"]
    assert len({str(request.url.copy_remove_param("skip")) for request in exchange.sent}) == 1


def test_an_empty_page_is_not_the_end_if_there_are_more() -> None:
    exchange = pages(page(more=True), page(booking()))
    found = exchange.calendar.find("a@b.example", DAY, deadline=within())
    assert isinstance(found, tuple)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("status", "content", "expected"),
    [
        (500, raw(500, "Internal server error"), Unclear),
        (429, enveloped(429, "Too many requests"), NotSent),
        (401, enveloped(401, "Invalid API Key"), KeyRejected),
        (200, success([booking()]), Unclear),
        (200, success({"bookings": []}, pagination={"hasNextPage": False}), Unclear),
        (200, page(booking(uid=...)), Unclear),
    ],
    ids=["500", "429", "401", "no pagination", "another shape", "a row without uid"],
)
def test_half_a_list_is_no_list(status: int, content: bytes, expected: type[Any]) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.params["skip"] == "0":
            return httpx.Response(200, content=page(booking(), more=True))
        return httpx.Response(status, content=content)

    assert type(Exchange(answer).calendar.find("a@b.example", DAY, deadline=within())) is expected


def test_a_list_without_end_is_given_up() -> None:
    exchange = answering(200, page(booking(), more=True))
    assert isinstance(exchange.calendar.find("a@b.example", DAY, deadline=within()), Unclear)
    assert len(exchange.sent) == 40


# ---- Free starts ----


def slots(*starts: str) -> bytes:
    return success({"2026-12-01": [{"start": each} for each in starts]})


def test_the_whole_query_for_slots() -> None:
    """No key beyond these: unknown ones are a 400 (calcom-observed 4)."""
    exchange = answering(200, slots())
    exchange.calendar.free_starts({"anna": 17}, DAY, deadline=within())
    assert dict(exchange.only.url.params) == {
        "eventTypeId": "17",
        "start": "2026-12-01T06:00:00Z",
        "end": "2026-12-01T18:00:00Z",
        "timeZone": "UTC",
    }


MIDNIGHT = datetime(2026, 12, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("end", "sent"),
    [
        (MIDNIGHT, "2026-12-01T23:59:59Z"),
        (MIDNIGHT + timedelta(microseconds=5), "2026-12-01T23:59:59Z"),
        (MIDNIGHT.replace(hour=1, tzinfo=BERLIN_WINTER), "2026-12-01T23:59:59Z"),
        (MIDNIGHT.replace(tzinfo=BERLIN_WINTER), "2026-12-01T23:00:00Z"),
        (MIDNIGHT + timedelta(seconds=1), "2026-12-02T00:00:01Z"),
        (MIDNIGHT - timedelta(seconds=1), "2026-12-01T23:59:59Z"),
    ],
)
def test_an_end_is_never_at_midnight(end: datetime, sent: str) -> None:
    """It would be stretched over the whole day that begins there (calcom-observed 4)."""
    exchange = answering(200, slots())
    exchange.calendar.free_starts({"anna": 1}, Slot(DAY.start, end), deadline=within())
    assert exchange.only.url.params["end"] == sent


def test_starts_are_instants_in_order_once_and_within_the_window() -> None:
    content = success(
        {
            "2026-12-02": [{"start": "2026-12-02T00:00:00.000+01:00"}],
            "2026-12-01": [
                {"start": "2026-12-01T11:00:00.000+01:00"},
                {"start": "2026-12-01T10:00:00.000Z", "end": "2026-12-01T10:30:00.000Z"},
                {"start": "2026-12-01T07:00:00.000+01:00"},  # where the window begins
                {"start": "2026-12-01T06:59:59.000+01:00"},
                {"start": "2026-12-01T19:00:00.000+01:00"},  # where it ends
            ],
        }
    )
    free = answering(200, content).calendar.free_starts({"anna": 1}, DAY, deadline=within())
    assert free == {"anna": FreeStarts((DAY.start, datetime(2026, 12, 1, 10, tzinfo=UTC)), NOW)}


def test_nothing_free_is_an_answer() -> None:
    free = answering(200, success({})).calendar.free_starts({"anna": 1}, DAY, deadline=within())
    assert free == {"anna": FreeStarts((), NOW)}


@pytest.mark.parametrize(
    ("status", "content", "expected"),
    [
        (404, enveloped(404, "Event Type not found"), NotThere),
        (400, enveloped(400, "timeZone must be a valid IANA time-zone"), Refused),
        (429, enveloped(429, "Too many requests"), NotSent),
        (500, raw(500, "Internal server error"), Unclear),
        (200, b"", Unclear),
        (200, success([]), Unclear),
        (200, success({"2026-12-01": [{"start": "09:00"}]}), Unclear),
        (200, success({"2026-12-01": [{"start": "2026-12-01T09:00:00"}]}), Unclear),
    ],
)
def test_trouble_with_slots(status: int, content: bytes, expected: type[Any]) -> None:
    (answer,) = answering(status, content).calendar.free_starts({"anna": 1}, DAY, deadline=within()).values()
    assert type(answer) is expected


def test_nobody_to_ask_is_no_request() -> None:
    exchange = answering(200, slots())
    assert exchange.calendar.free_starts({}, DAY, deadline=within()) == {}
    assert exchange.sent == []


def test_one_stylists_trouble_is_not_anothers() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.params["eventTypeId"] == "2":
            return httpx.Response(500, content=raw(500, "Internal server error"))
        return httpx.Response(200, content=slots("2026-12-01T09:00:00.000Z"))

    free = Exchange(answer).calendar.free_starts({"anna": 1, "ben": 2, "carla": 3}, DAY, deadline=within())
    assert list(free) == ["anna", "ben", "carla"]
    assert [type(free[name]) for name in free] == [FreeStarts, Unclear, FreeStarts]


def test_a_refusal_is_the_ports_word_for_it() -> None:
    request: BookingRequest = replace(REQUEST, event_type=99)
    answer = answering(400, raw(400, "booking_conflict_error")).calendar.book(request, deadline=within())
    assert isinstance(answer, Refused)
    assert answer.why is Refusal.CONFLICT
