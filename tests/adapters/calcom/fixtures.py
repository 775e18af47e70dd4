"""What the tests of the Cal.com adapter share: a calendar that notes what it sends and says, and good answers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx

from bookend.adapters.calcom.client import CalcomCalendar
from bookend.application.deadline import Deadline
from bookend.application.ports import BookingRequest
from bookend.domain.answers import Expected
from bookend.domain.timeslot import Slot

KEY = "cal_test_4f0c2b"
NOW = datetime(2026, 11, 21, 10, 40, tzinfo=UTC)
START = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
SLOT = Slot.of(START, 30)
DAY = Slot(datetime(2026, 12, 1, 6, tzinfo=UTC), datetime(2026, 12, 1, 18, tzinfo=UTC))
UID = "3tSgYVwBM7UDxGrsPJD6p2"

REQUEST = BookingRequest(
    event_type=1,
    start=START,
    name="Ada Kanarienvogel",
    email="kanari@kunde.example",
    phone="+4915112345678",
    zone="Europe/Berlin",
    language="de",
    metadata={"op_id": "op-1", "appointment": "apt-1", "segment": "0", "call_id": "call-1"},
)
CANARIES = ("Kanarienvogel", "kanari", "15112345678")
EXPECTED = Expected(
    op="op-1",
    appointment="apt-1",
    segment=0,
    slot=SLOT,
    event_type=1,
    host=7,
    email="kanari@kunde.example",
    sent_at=NOW,
)


class RunningClock:
    """Stands still by the calendar, while seconds pass as they do."""

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


CLOCK = RunningClock()


def within(seconds: float = 10.0) -> Deadline:
    return Deadline.within(seconds, CLOCK)


def booking(**changes: Any) -> dict[str, Any]:
    """A booking as Cal.com shows it, ours and as asked."""
    data: dict[str, Any] = {
        "id": 2,
        "uid": UID,
        "title": "Herrenhaarschnitt between Anna Salon and Ada Kanarienvogel",
        "hosts": [{"id": 7, "name": "Anna Salon", "email": "anna@salon.example", "timeZone": "Europe/Berlin"}],
        "status": "accepted",
        "start": "2026-12-01T09:00:00.000Z",
        "end": "2026-12-01T09:30:00.000Z",
        "duration": 30,
        "eventTypeId": 1,
        "eventType": {"id": 1, "slug": "herrenhaarschnitt"},
        "createdAt": "2026-11-21T10:40:00.661Z",
        "updatedAt": "2026-11-21T10:40:00.703Z",
        "metadata": dict(REQUEST.metadata),
        "attendees": [{"name": REQUEST.name, "email": REQUEST.email, "timeZone": "Europe/Berlin", "absent": False}],
    }
    return {key: value for key, value in (data | changes).items() if value is not ...}


def success(data: Any, **more: Any) -> bytes:
    return json.dumps({"status": "success", "data": data, **more}).encode()


def page(*bookings: dict[str, Any], more: bool = False) -> bytes:
    return success(list(bookings), pagination={"hasNextPage": more, "totalItems": 999, "returnedItems": len(bookings)})


def enveloped(status: int, message: str, code: str = "BadRequestException") -> bytes:
    """Error shape 1 (contracts: calcom 3.1)."""
    details = {"message": message, "error": "Bad Request", "statusCode": status}
    return json.dumps(_error({"code": code, "message": message, "details": details})).encode()


def short(message: str, code: str = "BAD_REQUEST") -> bytes:
    """Error shape 2."""
    return json.dumps(_error({"code": code, "message": message})).encode()


def raw(status: int, message: Any, **more: Any) -> bytes:
    """Error shape 3."""
    return json.dumps({"statusCode": status, "message": message, **more}).encode()


def _error(error: dict[str, Any]) -> dict[str, Any]:
    return {"status": "error", "timestamp": "2026-11-21T10:40:00.000Z", "path": "/v2/bookings", "error": error}


class Exchange:
    """A calendar whose requests are answered by a function, and what was sent and observed."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response], *, key: str = KEY) -> None:
        self.sent: list[httpx.Request] = []
        self.facts: list[dict[str, Any]] = []
        self._answer = answer
        self.calendar = CalcomCalendar(
            base_url="https://api.calcom.example/",
            api_key=lambda: key,
            clock=CLOCK,
            observe=lambda **facts: self.facts.append(facts),
            transport=httpx.MockTransport(self._note),
        )

    def _note(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        return self._answer(request)

    @property
    def only(self) -> httpx.Request:
        (request,) = self.sent
        return request


def answering(status: int, content: bytes = b"", headers: dict[str, Any] | None = None, *, key: str = KEY) -> Exchange:
    """Every request gets this answer."""
    fields = [
        (name.encode(), value if isinstance(value, bytes) else value.encode())
        for name, value in (headers or {}).items()
    ]
    return Exchange(lambda _: httpx.Response(status, content=content, headers=fields), key=key)


_opened: list[CalcomCalendar] = []


def calendar_at(base_url: str, facts: list[dict[str, Any]] | None = None, *, key: str = KEY) -> CalcomCalendar:
    """A calendar with the real transport."""
    noted = facts if facts is not None else []
    calendar = CalcomCalendar(
        base_url=base_url, api_key=lambda: key, clock=CLOCK, observe=lambda **said: noted.append(said)
    )
    _opened.append(calendar)
    return calendar


def close_all() -> None:
    """Give back connections and threads; in production they live as long as the process."""
    while _opened:
        calendar = _opened.pop()
        calendar._client.close()
        calendar._threads.shutdown()
