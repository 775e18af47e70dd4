"""Every kind of response to "create a booking": what it says, and what follows from it."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from bookend.domain.answers import (
    Answered,
    CreateAnswer,
    KeyRejected,
    NotSent,
    NotThere,
    Refusal,
    Refused,
    Unclear,
    Verdict,
    judge,
)
from tests.adapters.calcom.fixtures import (
    CANARIES,
    EXPECTED,
    NOW,
    REQUEST,
    Exchange,
    answering,
    booking,
    enveloped,
    raw,
    short,
    success,
    within,
)

BUSY = "User either already has booking at this time or is not available"
HOSTS_BUSY = "One of the hosts either already has booking at this time or is not available"
DATABASE = "An error occurred while querying the database."
START_TIME = (
    """The event type can't be booked at the "start" time provided. This could be because it's too soon """
    "(violating the minimum booking notice) or too far in the future"
)
PAST = "Attempting to book a meeting in the past."
MOST_ACTIVE = "Attendee with this email can't book because the maximum number of active bookings has been reached."
TRY_LATER = "There was an error, please try again later."
THROTTLED = "CustomThrottlerGuard - Too many requests. Please try again later."
BAD_KEY = "CustomThrottlerGuard - Invalid API Key"
HTML = b"<!DOCTYPE html><html><head><title>524: A timeout occurred</title></head></html>"
IS_HTML = {"Content-Type": "text/html; charset=UTF-8"}


@dataclass(frozen=True)
class Row:
    name: str
    status: int
    content: bytes
    kind: type[CreateAnswer]
    verdict: Verdict
    why: Refusal | None = None
    headers: dict[str, Any] = field(default_factory=dict)
    retry_after_s: float | None = None


def ok(name: str, content: bytes, verdict: Verdict = Verdict.OK, status: int = 201) -> Row:
    return Row(name, status, content, Answered, verdict)


def unclear(name: str, status: int, content: bytes = b"", headers: dict[str, Any] | None = None) -> Row:
    return Row(name, status, content, Unclear, Verdict.UNKNOWN, headers=headers or {})


def refused(name: str, status: int, content: bytes, why: Refusal) -> Row:
    taken = why in {Refusal.HOST_BUSY, Refusal.CONFLICT}
    return Row(name, status, content, Refused, Verdict.REJECT if taken else Verdict.REFUSED, why)


def config(name: str, status: int, content: bytes) -> Row:
    return Row(name, status, content, KeyRejected, Verdict.CONFIG)


def not_there(name: str, content: bytes) -> Row:
    return Row(name, 404, content, NotThere, Verdict.NOT_FOUND)


def limited(name: str, content: bytes, wait: float, headers: dict[str, Any] | None = None) -> Row:
    return Row(name, 429, content, NotSent, Verdict.NOT_SENT, headers=headers or {}, retry_after_s=wait)


RESET = "X-RateLimit-Reset-Default"

ROWS = [
    # A booking came back.
    ok("201 as asked", success(booking())),
    ok("200 as asked", success(booking()), status=200),
    ok("attendee in capitals", success(booking(attendees=[{"email": "Kanari@Kunde.Example"}]))),
    ok("status in capitals", success(booking(status="ACCEPTED"))),
    ok("offsets instead of Z", success(booking(start="2026-12-01T10:00:00+01:00", end="2026-12-01T10:30:00+01:00"))),
    ok("unheard-of fields", success(booking(newField={"a": [1]}), meta=1)),
    ok("pending", success(booking(status="pending")), Verdict.WRONG),
    ok("another start", success(booking(start="2026-12-01T09:15:00.000Z")), Verdict.WRONG),
    ok("another end", success(booking(end="2026-12-01T10:00:00.000Z")), Verdict.WRONG),
    ok("host unknown", success(booking(hosts=[{"id": "unknown", "name": "unknown"}])), Verdict.WRONG),
    ok("no host", success(booking(hosts=[])), Verdict.WRONG),
    ok("event type deleted", success(booking(eventTypeId=None)), Verdict.WRONG),
    ok("createdAt missing", success(booking(createdAt=...)), Verdict.WRONG),
    ok("created long ago", success(booking(createdAt="2026-11-21T10:05:00.000Z")), Verdict.WRONG),
    ok("metadata missing", success(booking(metadata=...)), Verdict.WRONG),
    ok("metadata null", success(booking(metadata=None)), Verdict.WRONG),
    ok("another call's metadata", success(booking(metadata={"op_id": "op-687"})), Verdict.EXISTING),
    # A success without a booking in it.
    unclear("201 without uid", 201, success(booking(uid=...))),
    unclear("201 with an empty uid", 201, success(booking(uid=""))),
    unclear("201 without start", 201, success(booking(start=...))),
    unclear("201 with a start that is no instant", 201, success(booking(start="tomorrow"))),
    unclear("201 with a start without an offset", 201, success(booking(start="2026-12-01T09:00:00"))),
    unclear("201 with a start outside of time", 201, success(booking(start="0001-01-01T00:00:00+14:00"))),
    unclear("201 with an array", 201, success([booking()])),
    unclear("201 with data null", 201, success(None)),
    unclear("201 without data", 201, b'{"status":"success"}'),
    unclear("201 with an array around it", 201, b"[]"),
    unclear("201 empty", 201),
    unclear("204", 204),
    unclear("201 html", 201, HTML, IS_HTML),
    unclear("201 broken json", 201, success(booking())[:-20]),
    unclear("201 not utf-8", 201, b'{"status":"success","data":{"uid":"\xff"}}'),
    unclear("202 accepted", 202, b'{"status":"success"}'),
    # Refusals, in every shape.
    refused("busy", 400, enveloped(400, BUSY), Refusal.HOST_BUSY),
    refused("busy, short", 400, short(BUSY), Refusal.HOST_BUSY),
    refused("busy, raw", 400, raw(400, BUSY), Refusal.HOST_BUSY),
    refused("team busy", 400, enveloped(400, HOSTS_BUSY), Refusal.HOST_BUSY),
    refused("race, development", 409, raw(409, "booking_conflict_error"), Refusal.CONFLICT),
    refused("race, production", 400, raw(400, DATABASE), Refusal.CONFLICT),
    refused("race, enveloped", 400, enveloped(400, DATABASE), Refusal.CONFLICT),
    refused("409 without a known word", 409, raw(409, "something_else"), Refusal.CONFLICT),
    refused("no seats", 409, enveloped(409, "No more seats left at this seated booking."), Refusal.CONFLICT),
    refused("past", 400, enveloped(400, PAST), Refusal.PAST),
    refused("too soon", 400, enveloped(400, START_TIME), Refusal.OUT_OF_BOUNDS),
    refused("limit by 401", 401, raw(401, "booking_limit_reached"), Refusal.LIMIT),
    refused("limit by 403", 403, raw(403, "booking_limit_reached"), Refusal.LIMIT),
    refused("duration limit by 401", 401, raw(401, "duration_limit_reached"), Refusal.LIMIT),
    refused("most active bookings", 400, enveloped(400, MOST_ACTIVE), Refusal.LIMIT),
    refused("attendee blocked", 403, raw(403, "Cannot use this email to create the booking."), Refusal.INVALID),
    refused(
        "attendee blocked, otherwise said",
        403,
        raw(403, "Attendee email has been blocked. Make sure to login as kanari@kunde.example"),
        Refusal.INVALID,
    ),
    refused("invalid, enveloped", 400, enveloped(400, "start property is wrong"), Refusal.INVALID),
    refused("invalid, short", 400, short("responses - {email}email_validation_error, "), Refusal.INVALID),
    refused("invalid, a list of messages", 400, raw(400, ["a is wrong", "b is wrong"]), Refusal.INVALID),
    refused("invalid, Nest's own shape", 400, raw(400, "nope", error="Bad Request"), Refusal.INVALID),
    refused("busy, Nest's own shape", 400, raw(400, BUSY, error="Bad Request"), Refusal.HOST_BUSY),
    refused("a code that is a number", 400, b'{"error":{"code":400,"message":"nope"}}', Refusal.INVALID),
    refused("a message that is an object", 400, b'{"message":{"a":1}}', Refusal.INVALID),
    refused("nothing said", 400, b"{}", Refusal.INVALID),
    refused("busy, but only in the middle", 400, enveloped(400, f"Note: {BUSY}"), Refusal.INVALID),
    refused("413 raw", 413, raw(413, "request entity too large"), Refusal.INVALID),
    refused("415", 415, raw(415, "Unsupported Media Type"), Refusal.INVALID),
    refused("422", 422, enveloped(422, "Can't book this team event type because it has no hosts"), Refusal.INVALID),
    refused("busy by 422", 422, enveloped(422, BUSY), Refusal.HOST_BUSY),
    # Our key, or what it points at.
    config("401 key", 401, enveloped(401, BAD_KEY, "UnauthorizedException")),
    config("401 expired", 401, enveloped(401, "ApiAuthStrategy - api key - Your api key is expired")),
    config("401 nothing said", 401, b"{}"),
    config("401 Nest's own shape", 401, raw(401, "Unauthorized", error="Unauthorized")),
    config("403", 403, enveloped(403, "PermissionsGuard - no authentication provided.", "ForbiddenException")),
    not_there("no such event type", enveloped(404, "Event type with id 99 not found.", "NotFoundException")),
    not_there("no such route", raw(404, "Cannot POST /v2/bookings")),
    # Too many requests: the only refusal that is known even where nothing is said.
    limited("429 with its reset", enveloped(429, THROTTLED), 37.0, {RESET: "37"}),
    limited("429 reset now", enveloped(429, THROTTLED), 0.0, {RESET: "0"}),
    limited("429 without a reset", enveloped(429, THROTTLED), 60.0),
    limited("429 with a strange reset", enveloped(429, THROTTLED), 60.0, {RESET: "soon"}),
    limited("429 with a negative reset", enveloped(429, THROTTLED), 60.0, {RESET: "-5"}),
    limited("429 with foreign digits", enveloped(429, THROTTLED), 60.0, {RESET: b"\xc2\xb2"}),
    limited("429 html", HTML, 60.0, IS_HTML),
    limited("429 empty", b"", 60.0),
    # It may have happened.
    unclear("500 raw", 500, raw(500, "Internal server error")),
    unclear("500 short", 500, short(TRY_LATER, "INTERNAL_SERVER_ERROR")),
    unclear("500 enveloped", 500, enveloped(500, "x", "InternalServerErrorException")),
    unclear("500 with a known refusal", 500, raw(500, BUSY)),
    unclear("500 empty", 500),
    unclear("502 html", 502, HTML, IS_HTML),
    unclear("503 json", 503, raw(503, "Service Unavailable")),
    unclear("504", 504, HTML, IS_HTML),
    unclear("524 html", 524, HTML, IS_HTML),
    unclear("400 html", 400, HTML, IS_HTML),
    unclear("401 html", 401, HTML, IS_HTML),
    unclear("403 html", 403, HTML, IS_HTML),
    unclear("404 html", 404, HTML, IS_HTML),
    unclear("409 html", 409, HTML, IS_HTML),
    unclear("400 broken json", 400, enveloped(400, BUSY)[:-5]),
    unclear("400 empty", 400),
    unclear("400 a text", 400, b'"User either already has booking at this time or is not available"'),
    unclear("400 an array", 400, b"[]"),
    unclear("400 without end", 400, b"[" * 50_000),
    unclear("400 an encoding that is none", 400, b"nope", {"Content-Type": "text/plain; charset=base64"}),
    unclear("301", 301, b"", {"Location": "https://elsewhere.example/v2/bookings"}),
    unclear("302 json", 302, raw(302, "Found"), {"Location": "/login"}),
    unclear("304", 304),
    unclear("307", 307, b"", {"Location": "https://elsewhere.example/v2/bookings"}),
    unclear("308", 308, b"", {"Location": "https://elsewhere.example/v2/bookings"}),
    unclear("402", 402, raw(402, "Payment Required")),
    unclear("405", 405, raw(405, "Method Not Allowed")),
    unclear("408", 408, raw(408, "Request Timeout")),
    unclear("418", 418, raw(418, "teapot")),
    unclear("425", 425, raw(425, "Too Early")),
]


def named(row: Row) -> str:
    return row.name


def test_names_are_unique() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_response(row: Row) -> None:
    exchange = answering(row.status, row.content, row.headers)
    answer = exchange.calendar.book(REQUEST, deadline=within())
    assert type(answer) is row.kind
    assert (answer.why if isinstance(answer, Refused) else None) is row.why
    assert (answer.retry_after_s if isinstance(answer, NotSent) else None) == row.retry_after_s
    assert judge(answer, EXPECTED, now=NOW).verdict is row.verdict
    # One request, whatever came back: only the use case knows what a repeat would mean.
    assert len(exchange.sent) == 1


@pytest.mark.parametrize("row", [row for row in ROWS if row.kind is not Answered], ids=named)
def test_the_whole_answer_is_kept_for_operators(row: Row) -> None:
    """A cut-off message made eight errors unreadable (incident I5)."""
    answer = answering(row.status, row.content, row.headers).calendar.book(REQUEST, deadline=within())
    assert not isinstance(answer, Answered)
    assert answer.detail == f"HTTP {row.status} {row.content.decode(errors='replace')}"


def test_a_very_long_message_is_kept_whole() -> None:
    content = enveloped(400, "x" * 25_000)
    answer = answering(400, content).calendar.book(REQUEST, deadline=within())
    assert answer == Refused(Refusal.INVALID, f"HTTP 400 {content.decode()}")


@pytest.mark.parametrize("row", [row for row in ROWS if row.kind is not Answered], ids=named)
def test_the_judgement_has_no_word_of_the_answer(row: Row) -> None:
    answer = answering(row.status, row.content, row.headers).calendar.book(REQUEST, deadline=within())
    why = judge(answer, EXPECTED, now=NOW).why
    assert not any(canary in why for canary in CANARIES)
    assert len(why) < 80


# ---- No response at all ----

NEVER_LEFT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol", "LocalProtocolError"}
MAY_HAVE_HAPPENED = {
    "ReadTimeout",
    "WriteTimeout",
    "TimeoutException",
    "ReadError",
    "WriteError",
    "CloseError",
    "NetworkError",
    "ProxyError",
    "ProtocolError",
    "RemoteProtocolError",
    "DecodingError",
    "TooManyRedirects",
    "TransportError",
    "RequestError",
    "HTTPError",
    "HTTPStatusError",
}


def exception_classes() -> dict[str, type[httpx.HTTPError]]:
    found = inspect.getmembers(httpx, lambda thing: inspect.isclass(thing) and issubclass(thing, httpx.HTTPError))
    return dict(found)


def raised(kind: type[httpx.HTTPError]) -> httpx.HTTPError:
    text = "kanari@kunde.example"
    if issubclass(kind, httpx.HTTPStatusError):
        request = httpx.Request("POST", "https://x.example")
        return kind(text, request=request, response=httpx.Response(500, request=request))
    return kind(text)


def test_every_exception_of_httpx_has_a_row() -> None:
    assert set(exception_classes()) == NEVER_LEFT | MAY_HAVE_HAPPENED
    assert not NEVER_LEFT & MAY_HAVE_HAPPENED


@pytest.mark.parametrize("name", sorted(NEVER_LEFT | MAY_HAVE_HAPPENED))
def test_exception(name: str) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise raised(exception_classes()[name])

    exchange = Exchange(fail)
    answer = exchange.calendar.book(REQUEST, deadline=within())
    assert answer == (NotSent(name) if name in NEVER_LEFT else Unclear(name))
    verdict = Verdict.NOT_SENT if name in NEVER_LEFT else Verdict.UNKNOWN
    assert judge(answer, EXPECTED, now=NOW).verdict is verdict
    (facts,) = exchange.facts
    assert (facts["operation"], facts["status"], facts["error"]) == ("create", 0, name)


class Breaking(httpx.SyncByteStream):
    """A body that begins well."""

    def __iter__(self) -> Iterator[bytes]:
        yield success(booking())[:40]
        raise httpx.ReadError("reset")


def test_a_body_that_breaks_off_is_unclear() -> None:
    exchange = Exchange(lambda _: httpx.Response(201, stream=Breaking()))
    assert exchange.calendar.book(REQUEST, deadline=within()) == Unclear("ReadError")


def test_whatever_goes_wrong_after_sending_is_unclear_and_named_in_the_log() -> None:
    """An exception would leave a caller without an answer, and perhaps with a booking."""

    def fail(_: httpx.Request) -> httpx.Response:
        raise ZeroDivisionError("kanari@kunde.example")

    exchange = Exchange(fail)
    assert exchange.calendar.book(REQUEST, deadline=within()) == Unclear("ZeroDivisionError")
    assert [(facts["status"], facts["error"]) for facts in exchange.facts] == [(0, "ZeroDivisionError")]


def test_what_a_booking_tells_us() -> None:
    data: dict[str, Any] = booking(
        rescheduledFromUid="old", rescheduledToUid=None, metadata={"op_id": "op-1", "n": 1, "b": True}
    )
    answer = answering(201, json.dumps({"data": data}).encode()).calendar.book(REQUEST, deadline=within())
    assert isinstance(answer, Answered)
    assert answer.booking.rescheduled_from == "old"
    assert answer.booking.metadata == {"op_id": "op-1", "n": "1", "b": "True"}
    assert answer.booking.created_at is not None
    assert answer.booking.start.utcoffset() == NOW.utcoffset()
