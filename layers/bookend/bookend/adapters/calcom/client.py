"""The `Calendar` port on Cal.com's API v2. Uids only in paths, a version per resource, each request sent once."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar, cast

import httpx
from pydantic import ValidationError

from bookend.adapters.calcom.answers import (
    count_in,
    error_text,
    kept,
    read_create,
    read_refusal,
    says_success,
    unreadable,
)
from bookend.adapters.calcom.transport import CONNECTIONS, DeadlineTransport
from bookend.adapters.calcom.wire import BookingEnvelope, BookingList, SlotsEnvelope, is_uid
from bookend.application.deadline import Deadline
from bookend.application.ports import (
    BookingRequest,
    CalendarTrouble,
    CancelAnswer,
    Cancelled,
    Clock,
    FreeStarts,
    ListQuery,
    Page,
)
from bookend.domain.answers import (
    Answered,
    Booking,
    CreateAnswer,
    NotSent,
    Unclear,
)
from bookend.domain.timeslot import Slot, instant_text

BOOKINGS_VERSION = "2024-08-13"
SLOTS_VERSION = "2024-09-04"
_CONNECT_S = 0.5
_LATE_S = 0.05
"""Seconds after the deadline in which what ended at it may still say so."""
_NO_TIME = NotSent("no time left to send it")
_RATE_WINDOW_S = 60.0
"""How long what is left of the rate limit means anything (calcom-observed 4)."""
_PAGE = 250
_MOST_PAGES = 40
_LARGEST_BODY = 4_000_000  # bytes; a page of 250 bookings is about 600 kB
_ALREADY_CANCELLED = ("has been cancelled already", "This booking has already been cancelled")
_OF_THE_TRANSFER = {b"content-encoding", b"content-length", b"transfer-encoding"}
_NO_UID = NotSent("no booking of Cal.com's has such a uid")
"""Nothing is asked, so nothing is concluded: not even that there is no such booking."""
_NEVER_LEFT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,  # a key with a line break in it: refused before a byte is written
)
_UNREACHABLE = (httpx.ConnectError, httpx.ConnectTimeout)

_Failed = TypeVar("_Failed", NotSent, Unclear)
_T = TypeVar("_T")


class CalcomCalendar:
    """Cal.com. `observe` is told of each exchange: operation, status (0: none), milliseconds and ids, never people."""

    def __init__(
        self,
        *,
        base_url: str,
        api_key: Callable[[], str],
        clock: Clock,
        observe: Any = None,
        transport: Any = None,
    ) -> None:
        self._clock = clock
        self._api_key = api_key
        self._observe = observe or (lambda **_: None)
        self._transport = transport or DeadlineTransport()
        self._left_told: tuple[float, int] | None = None
        self._client = httpx.Client(
            base_url=base_url.rstrip("/"),
            headers={"Accept": "application/json", "Accept-Encoding": "gzip"},
            transport=self._transport,
            follow_redirects=False,
            trust_env=False,
        )
        # A cookie would make one call's answer depend on another's (reservations: contracts, calcom 4.1).
        self._client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))
        self._threads = ThreadPoolExecutor(max_workers=CONNECTIONS, thread_name_prefix="calcom")

    def free_starts(
        self,
        event_types: Mapping[str, int],
        window: Slot,
        *,
        deadline: Deadline,
        moving: Mapping[str, str] | None = None,
    ) -> Mapping[str, FreeStarts | CalendarTrouble]:
        left_out = moving or {}
        if len(event_types) == 1:
            return {name: self._slots(et, window, deadline, left_out.get(name)) for name, et in event_types.items()}
        asked = {
            name: self._threads.submit(self._slots, event_type, window, deadline, left_out.get(name))
            for name, event_type in event_types.items()
        }
        return {name: future.result() for name, future in asked.items()}

    def book(self, request: BookingRequest, *, deadline: Deadline) -> CreateAnswer:
        attendee: dict[str, str] = {
            "name": request.name,
            "email": request.email,
            "timeZone": request.zone,
            "language": request.language,
        }
        if request.phone is not None:
            attendee["phoneNumber"] = request.phone
        body = {
            "start": instant_text(request.start),
            "eventTypeId": request.event_type,
            "attendee": attendee,
            "metadata": dict(request.metadata),
        }
        response = self._send("create", "POST", "/v2/bookings", deadline, body=body)
        if not isinstance(response, httpx.Response):
            return response
        answer = read_create(response)
        if isinstance(answer, Answered):
            created = answer.booking.created_at
            age = None if created is None else round((self._clock.now() - created).total_seconds(), 3)
            self._observe(
                operation="created",
                status=response.status_code,
                uid=answer.booking.uid,
                id=answer.booking.id,
                age_s=age,
                op_id=request.metadata.get("op_id"),
            )
        return answer

    def book_all(self, requests: Sequence[BookingRequest], *, deadline: Deadline) -> tuple[CreateAnswer, ...]:
        return self._at_once([partial(self.book, each, deadline=deadline) for each in requests], deadline)

    def cancel_all(self, uids: Sequence[str], reason: str, *, deadline: Deadline) -> tuple[CancelAnswer, ...]:
        return self._at_once([partial(self.cancel, uid, reason, deadline=deadline) for uid in uids], deadline)

    def _at_once(self, asks: Sequence[Callable[[], _T]], deadline: Deadline) -> tuple[_T | NotSent | Unclear, ...]:
        """Several requests at the same time, each in a thread of its own. One that hangs keeps no other's answer."""
        if len(asks) == 1:
            return (asks[0](),)
        asked = [self._threads.submit(each) for each in asks]
        wait(asked, timeout=deadline.remaining() + _LATE_S)
        answers: list[_T | NotSent | Unclear] = []
        for each in asked:
            if each.done():
                answers.append(each.result())
            else:  # one that no thread had time to begin is never sent
                answers.append(NotSent("no thread for it") if each.cancel() else Unclear("Late"))
        return tuple(answers)

    def reschedule(self, uid: str, start: datetime, reason: str, *, deadline: Deadline) -> CreateAnswer:
        if not is_uid(uid):
            return _NO_UID
        body = {"start": instant_text(start), "reschedulingReason": reason}
        response = self._send("reschedule", "POST", f"/v2/bookings/{uid}/reschedule", deadline, body=body)
        if not isinstance(response, httpx.Response):
            return response
        answer = read_create(response)
        moved = answer.booking if isinstance(answer, Answered) else None
        self._observe(
            operation="rescheduled",
            status=response.status_code,
            uid=moved.uid if moved is not None else uid,
            id=moved.id if moved is not None else None,
            api_version=BOOKINGS_VERSION,
        )
        return answer

    def reschedule_all(
        self, moves: Sequence[tuple[str, datetime]], reason: str, *, deadline: Deadline
    ) -> tuple[CreateAnswer, ...]:
        asks = [partial(self.reschedule, uid, start, reason, deadline=deadline) for uid, start in moves]
        return self._at_once(asks, deadline)

    def cancel(self, uid: str, reason: str, *, deadline: Deadline) -> CancelAnswer:
        if not is_uid(uid):
            return _NO_UID
        response = self._send(
            "cancel",
            "POST",
            f"/v2/bookings/{uid}/cancel",
            deadline,
            body={"cancellationReason": reason},
        )
        if not isinstance(response, httpx.Response):
            return response
        if response.is_success:
            # The booking's status in it may come from a replica that lags (calcom-observed 2): the 200 is what counts.
            return Cancelled() if says_success(response) else Unclear(kept(response))
        text = error_text(response) or ""
        if response.status_code == 400 and any(each in text for each in _ALREADY_CANCELLED):
            seen = self.booking(uid, deadline=deadline)
            # Without a reason, and by nobody it names, it may be half of a move that others are making (decision 0019),
            # and one that was moved on lives elsewhere.
            shown = seen if isinstance(seen, Booking) and seen.status == "cancelled" else None
            gone = shown is not None and shown.called_off and shown.rescheduled_to is None
            return Cancelled() if gone else Unclear(kept(response), answered=True)
        return read_refusal(response)

    def booking(self, uid: str, *, deadline: Deadline) -> Booking | CalendarTrouble:
        if not is_uid(uid):
            return _NO_UID
        response = self._send("get", "GET", f"/v2/bookings/{uid}", deadline)
        if not isinstance(response, httpx.Response):
            return response
        if not response.is_success:
            return read_refusal(response)
        try:
            return BookingEnvelope.model_validate_json(response.content).data.booking()
        except ValidationError:
            return unreadable(response)

    def find(self, email: str, window: Slot, *, deadline: Deadline) -> tuple[Booking, ...] | CalendarTrouble:
        # Only this sort neither loses nor repeats rows from page to page (calcom-observed 3, 2.4).
        query: dict[str, Any] = {
            "attendeeEmail": email.lower(),
            "afterStart": instant_text(window.start),
            "beforeEnd": instant_text(window.end),
            "sortCreated": "asc",
            "take": _PAGE,
        }
        found: dict[str, Booking] = {}
        for page in range(_MOST_PAGES):
            listed = self._list(query | {"skip": page * _PAGE}, deadline)
            if not isinstance(listed, BookingList):
                return listed
            if None in listed.data:
                return Unclear("a row that cannot be read", answered=True)  # it may be the very one that is looked for
            found |= {each.uid: each.booking() for each in listed.data if each is not None}
            if not listed.pagination.has_next:
                return tuple(found.values())
        return Unclear("more pages than there can be", answered=True)

    def page(self, query: ListQuery, *, skip: int, deadline: Deadline) -> Page | CalendarTrouble:
        asked: dict[str, Any] = {"sortCreated": "asc", "take": _PAGE, "skip": skip}
        if query.changed_since is not None:
            asked["afterUpdatedAt"] = instant_text(query.changed_since)
        if query.window is not None:
            asked |= {"afterStart": instant_text(query.window.start), "beforeEnd": instant_text(query.window.end)}
        listed = self._list(asked, deadline)
        if not isinstance(listed, BookingList):
            return listed
        # Whoever goes through a list concludes nothing from what is not in it, so an odd row stops nobody.
        bookings = tuple(each.booking() for each in listed.data if each is not None)
        odd = len(listed.data) - len(bookings)
        if odd:
            self._observe(operation="unreadable_rows", status=200, rows=odd)
        return Page(bookings, listed.pagination.has_next, odd)

    def headroom(self) -> int | None:
        if self._left_told is None or self._clock.monotonic() - self._left_told[0] >= _RATE_WINDOW_S:
            return None
        return self._left_told[1]

    def _list(self, query: Mapping[str, Any], deadline: Deadline) -> BookingList | CalendarTrouble:
        response = self._send("list", "GET", "/v2/bookings", deadline, query=query)
        if not isinstance(response, httpx.Response):
            return response
        if not response.is_success:
            return read_refusal(response)
        try:
            return BookingList.model_validate_json(response.content)
        except ValidationError:
            return unreadable(response)

    def _slots(
        self, event_type: int, window: Slot, deadline: Deadline, moving: str | None
    ) -> FreeStarts | CalendarTrouble:
        query = {
            "eventTypeId": event_type,
            "start": instant_text(window.start),
            "end": _not_midnight(window.end),
            "timeZone": "UTC",
        }
        if moving is not None and is_uid(moving):
            query["bookingUidToReschedule"] = moving
        read_at = self._clock.now()
        response = self._send("slots", "GET", "/v2/slots", deadline, query=query, version=SLOTS_VERSION)
        if not isinstance(response, httpx.Response):
            return response
        if not response.is_success:
            return read_refusal(response)
        try:
            starts = SlotsEnvelope.model_validate_json(response.content).starts()
        except ValidationError:
            return unreadable(response)
        return FreeStarts(tuple(each for each in starts if window.start <= each < window.end), read_at)

    def _send(
        self,
        operation: str,
        method: str,
        path: str,
        deadline: Deadline,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        version: str = BOOKINGS_VERSION,
    ) -> httpx.Response | NotSent | Unclear:
        """One request, once, over at the deadline at the latest."""
        if deadline.remaining() <= 0:
            return _NO_TIME
        began = self._clock.monotonic()
        try:
            key = self._api_key().encode()
            left = deadline.remaining()
            if left <= 0:
                return _NO_TIME
            headers = {b"cal-api-version": version.encode(), b"Authorization": b"Bearer " + key}
            content = None
            if body is not None:
                content = json.dumps(body).encode()
                headers[b"Content-Type"] = b"application/json"
            timeout = httpx.Timeout(left, connect=min(_CONNECT_S, left), pool=min(_CONNECT_S, left))
            request = self._client.build_request(
                method, path, params=query, content=content, headers=headers, timeout=timeout
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing has left: a secret that cannot be read, …
            return self._failed(NotSent, operation, began, error)
        try:
            with self._bounded(deadline):
                response = self._receive(request, key)
        except _NEVER_LEFT as error:
            never_left = self._failed(NotSent, operation, began, error)
            return replace(never_left, unreachable=isinstance(error, _UNREACHABLE))
        except Exception as error:  # noqa: BLE001 - whatever it is, the request may have taken effect
            return self._failed(Unclear, operation, began, error)
        left_told = count_in(response, "x-ratelimit-remaining-default", -1)
        if left_told >= 0:
            self._left_told = (self._clock.monotonic(), left_told)
        told = {"left": left_told} if left_told >= 0 else {}
        self._note(operation, response.status_code, began, request_id=response.headers.get("x-request-id"), **told)
        return response

    def _failed(self, kind: type[_Failed], operation: str, began: float, error: Exception) -> _Failed:
        """Only the name of what went wrong: its text may hold the key, or people."""
        self._note(operation, 0, began, error=type(error).__name__)
        return kind(type(error).__name__)

    def _receive(self, request: httpx.Request, key: bytes) -> httpx.Response:
        """The response with its body read.

        Answers are kept for operators, and some repeat our key in clear (calcom-observed 3): not by us.
        """
        streamed = self._client.send(request, stream=True)
        try:
            content = _body(streamed).replace(key, b"<our key>")
        finally:
            streamed.close()
        headers = [(k, v) for k, v in streamed.headers.raw if k.lower() not in _OF_THE_TRANSFER]
        return httpx.Response(streamed.status_code, headers=headers, content=content, request=request)

    def _bounded(self, deadline: Deadline) -> Any:
        return self._transport.until(deadline) if isinstance(self._transport, DeadlineTransport) else nullcontext()

    def _note(self, operation: str, status: int, began: float, **facts: Any) -> None:
        milliseconds = round((self._clock.monotonic() - began) * 1000)
        self._observe(operation=operation, status=status, ms=milliseconds, **facts)


def _body(streamed: httpx.Response) -> bytes:
    """The body, as long as it stays reasonable: plain or zipped once, as asked for.

    httpx would unzip as often as it is told, each time all at once: 3 kB can be 2 GB.

    Raises:
        httpx.DecodingError: it is something else.
    """
    coding = streamed.headers.get("content-encoding", "").strip().lower()
    if coding not in {"", "identity", "gzip"}:
        msg = "an encoding that was not asked for"
        raise httpx.DecodingError(msg)
    unzip = zlib.decompressobj(wbits=31) if coding == "gzip" else None
    body = bytearray()
    for chunk in cast("httpx.SyncByteStream", streamed.stream):
        try:
            body += unzip.decompress(chunk, _LARGEST_BODY + 1 - len(body)) if unzip else chunk
        except zlib.error as error:
            raise httpx.DecodingError(str(error)) from None
        if len(body) > _LARGEST_BODY or (unzip and unzip.unused_data):
            msg = "the answer is larger than any that makes sense"
            raise httpx.DecodingError(msg)
    if unzip and not unzip.eof:
        msg = "the answer ends too early"
        raise httpx.DecodingError(msg)
    return bytes(body)


def _not_midnight(end: datetime) -> str:
    """An end at midnight UTC would be stretched over the whole day that begins there (contracts: calcom 4.1)."""
    moment = end.astimezone(UTC).replace(microsecond=0)  # as it is going to be written
    at_midnight = moment.time() == time(0)
    return instant_text(moment - timedelta(seconds=1) if at_midnight else moment)
