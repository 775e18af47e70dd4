"""Cal.com API v2 over a `World`: routes, versions, who may, what is answered. No sockets here.

Versions are per resource (calcom.md 1.1): the header's value must be one the resource knows, a missing or unknown
value means 2024-04-15, whose old controllers answer on some paths (14a-14e) and not on others (01n, 14d).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, unquote

from . import listing, validation, views
from .errors import ApiError, Enveloped, Raw, bad_request, not_found, throttled
from .models import Attendee, EventType, Json, User, Webhook, iso_millis, parse_instant
from .world import NO_TWEAKS, NewBooking, Tweaks, World

BOOKINGS, SLOTS, EVENT_TYPES, SCHEDULES = "2024-08-13", "2024-09-04", "2024-06-14", "2024-06-11"
LEGACY = "2024-04-15"
KNOWN_VERSIONS = frozenset({BOOKINGS, SLOTS, EVENT_TYPES, SCHEDULES, LEGACY})
ANY = "any"
BODY_LIMIT = 100 * 1024
"""Bytes; beyond it raw 413 (32l)."""

_NO_LOGIN_403 = (
    "PermissionsGuard - no authentication provided. Provide either authorization bearer token containing managed "
    "user access token or oAuth client id in 'x-cal-client-id' header."
)
_NO_LOGIN_401 = (
    "ApiAuthStrategy - No authentication method provided. Either pass an API key as 'Bearer' header or OAuth client "
    "credentials as 'x-cal-secret-key' and 'x-cal-client-id' headers"
)
# Helmet's, on every answer that got past the body parser (32p).
_FIXED_HEADERS = {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=15552000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "access-control-allow-origin": "*",
}


@dataclass(slots=True)
class Request:
    method: str
    target: str
    """Path and query as sent."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Lower-case names."""
    body: bytes = b""
    tweaks: Tweaks = NO_TWEAKS

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


@dataclass(slots=True)
class Response:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Context:
    """One request on its way through a route."""

    request: Request
    uid: str
    """The id in the path, or ""."""
    query: Json
    body: Json
    user: User | None
    headers: dict[str, str]

    @property
    def caller(self) -> User:
        if self.user is None:
            raise Enveloped(401, _NO_LOGIN_401)
        return self.user


Handler = Callable[[Context], tuple[int, Json]]


@dataclass(frozen=True, slots=True)
class Route:
    method: str
    template: str
    version: str
    """The version that has this route, or ANY."""
    handler: str
    login: str = "optional"
    """optional | 401 (ApiAuthGuard) | 403 (PermissionsGuard)."""


ROUTES = (
    Route("GET", "/v2/slots", SLOTS, "slots"),
    Route("POST", "/v2/slots/reservations", SLOTS, "reserve"),
    Route("GET", "/v2/slots/reservations/{uid}", SLOTS, "reservation"),
    Route("PATCH", "/v2/slots/reservations/{uid}", SLOTS, "move_reservation"),
    Route("DELETE", "/v2/slots/reservations/{uid}", SLOTS, "release"),
    Route("POST", "/v2/bookings", BOOKINGS, "create"),
    Route("POST", "/v2/bookings", LEGACY, "legacy_create"),
    Route("GET", "/v2/bookings", BOOKINGS, "bookings", "403"),
    Route("GET", "/v2/bookings", LEGACY, "legacy_bookings", "403"),
    Route("GET", "/v2/bookings/{uid}", BOOKINGS, "booking"),
    Route("GET", "/v2/bookings/{uid}", LEGACY, "legacy_booking"),
    Route("POST", "/v2/bookings/{uid}/reschedule", BOOKINGS, "reschedule"),
    Route("POST", "/v2/bookings/{uid}/cancel", BOOKINGS, "cancel"),
    Route("POST", "/v2/bookings/{uid}/cancel", LEGACY, "legacy_cancel"),
    Route("POST", "/v2/bookings/{uid}/confirm", BOOKINGS, "confirm", "403"),
    Route("POST", "/v2/bookings/{uid}/decline", BOOKINGS, "decline", "403"),
    Route("POST", "/v2/bookings/{uid}/mark-absent", BOOKINGS, "mark_absent", "403"),
    Route("POST", "/v2/bookings/{uid}/reassign", BOOKINGS, "reassign", "403"),
    Route("GET", "/v2/me", ANY, "me", "401"),
    Route("GET", "/v2/schedules", SCHEDULES, "schedules", "401"),
    Route("GET", "/v2/event-types", EVENT_TYPES, "event_types"),
    Route("POST", "/v2/event-types", EVENT_TYPES, "make_event_type", "401"),
    Route("GET", "/v2/event-types/{uid}", EVENT_TYPES, "event_type"),
    Route("PATCH", "/v2/event-types/{uid}", EVENT_TYPES, "change_event_type", "401"),
    Route("DELETE", "/v2/event-types/{uid}", EVENT_TYPES, "remove_event_type", "401"),
    Route("GET", "/v2/webhooks", ANY, "webhooks", "401"),
    Route("POST", "/v2/webhooks", ANY, "make_webhook", "401"),
    Route("GET", "/v2/webhooks/{uid}", ANY, "webhook", "401"),
    Route("PATCH", "/v2/webhooks/{uid}", ANY, "change_webhook", "401"),
    Route("DELETE", "/v2/webhooks/{uid}", ANY, "remove_webhook", "401"),
    Route("GET", "/v2/event-types/{uid}/webhooks", ANY, "event_type_webhooks", "401"),
    Route("POST", "/v2/event-types/{uid}/webhooks", ANY, "make_event_type_webhook", "401"),
    Route("DELETE", "/v2/event-types/{uid}/webhooks/{hook}", ANY, "remove_webhook", "401"),
)
_PATTERNS = [
    (route, re.compile("^" + re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.template) + "$")) for route in ROUTES
]


def template_of(method: str, path: str) -> tuple[str, str]:
    """(path template, id in the path) of a request; an unknown path is its own template."""
    for route, pattern in _PATTERNS:
        found = pattern.match(path)
        if found and route.method == method:
            groups = found.groupdict()
            return route.template, unquote(groups.get("hook") or groups.get("uid") or "")
    return path, ""


class Throttle:
    """120 requests in 60 s per key; the one too many blocks the key for 60 s, by the world's clock (26a-26e)."""

    WINDOW = 60.0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[datetime, int]] = {}
        self._blocked: dict[str, datetime] = {}

    def hit(self, key: str, limit: int, now: datetime, headers: dict[str, str]) -> None:
        """Count one request; fills the rate limit headers; raises 429."""
        with self._lock:
            until = self._blocked.get(key)
            if until and now < until:
                self._headers(headers, limit, 0, (until - now).total_seconds())
                raise throttled()
            started, used = self._windows.get(key, (now, 0))
            if until or not timedelta(0) <= now - started < timedelta(seconds=self.WINDOW):
                started, used = now, 0
                self._blocked.pop(key, None)
            used += 1
            self._windows[key] = (started, used)
            if limit and used > limit:
                self._blocked[key] = now + timedelta(seconds=self.WINDOW)
                self._headers(headers, limit, 0, self.WINDOW)
                raise throttled()
            self._headers(headers, limit, max(0, limit - used), self.WINDOW - (now - started).total_seconds())

    @staticmethod
    def _headers(headers: dict[str, str], limit: int, remaining: int, reset: float) -> None:
        if limit:  # Reset is seconds left, not an epoch; there is no Retry-After
            headers["x-ratelimit-limit-default"] = str(limit)
            headers["x-ratelimit-remaining-default"] = str(remaining)
            headers["x-ratelimit-reset-default"] = str(max(1, round(reset)))


class Api:
    """`handle` is the whole API: a request in, a response out."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.throttle = Throttle()

    def handle(self, request: Request) -> Response:
        headers = {"content-type": "application/json; charset=utf-8"}
        try:
            status, body = self._answer(request, headers)
        except ApiError as error:
            status = error.status
            body = error.body(request.target, iso_millis(self.world.clock()))
        response = Response(status, json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(), headers)
        if request.method == "GET" and status == 200:
            self._etag(request, response)
        return response

    @staticmethod
    def _etag(request: Request, response: Response) -> None:
        digest = base64.b64encode(hashlib.sha1(response.body, usedforsecurity=False).digest()).decode().rstrip("=")
        tag = f'W/"{len(response.body):x}-{digest}"'
        response.headers["etag"] = tag
        if request.headers.get("if-none-match") in ("*", tag):  # 32o
            response.status, response.body = 304, b""
            del response.headers["content-type"]

    def _answer(self, request: Request, headers: dict[str, str]) -> tuple[int, Json]:
        if len(request.body) > BODY_LIMIT:
            raise Raw(413, "request entity too large")  # before any guard: without the other headers
        body = self._parse(request, headers)
        headers.update(_FIXED_HEADERS)
        headers["x-request-id"] = str(uuid.uuid4())
        route, uid = self._route(request)
        if route is None:  # no guard runs and nothing is counted (01n)
            raise not_found(f"Cannot {request.method} {request.target}")
        user = self._who(request, headers)
        if user is None:
            self._refuse_stranger(request, route)
        query = dict(parse_qsl(request.target.partition("?")[2], keep_blank_values=True))
        context = Context(request, uid, query, body, user, headers)
        handler: Handler = getattr(self, f"_{route.handler}")
        return handler(context)

    @staticmethod
    def _parse(request: Request, headers: dict[str, str]) -> Json:
        if not request.body or "application/json" not in request.headers.get("content-type", "application/json"):
            return {}  # other content types are ignored (32k)
        try:
            body = json.loads(request.body)
        except ValueError as error:
            headers["x-request-id"] = "unknown-request-id"
            at_end = getattr(error, "pos", 0) >= len(request.body.rstrip())
            text = "Unexpected end of JSON input" if at_end else "Unexpected token in JSON"  # 08j
            raise bad_request(text) from None
        return body if isinstance(body, dict) else {}

    def _who(self, request: Request, headers: dict[str, str]) -> User | None:
        """The throttle guard runs first and already knows wrong keys (16a, 16f); expired ones come later (32h)."""
        now, default = self.world.clock(), self.world.settings.requests_per_minute
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if not bearer:
            self.throttle.hit("anonymous", default, now, headers)
            return None
        if not bearer.startswith("cal_"):
            self.throttle.hit(f"token:{bearer}", 500 if default else 0, now, headers)
            return None
        found = self.world.key(bearer)
        if found is None:
            raise Enveloped(401, "CustomThrottlerGuard - Invalid API Key")
        user, key = found
        limit = default if key.requests_per_minute is None else key.requests_per_minute
        self.throttle.hit(f"key:{bearer}", limit, now, headers)
        if key.expires_at and key.expires_at <= now:
            raise Enveloped(401, "ApiAuthStrategy - api key - Your api key is expired")
        return user

    @staticmethod
    def _refuse_stranger(request: Request, route: Route) -> None:
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ").strip()
        if route.login == "403":
            if bearer:  # 16c: repeats the token in clear
                raise Enveloped(403, f"PermissionsGuard - no oAuth client found for access token={bearer}")
            raise Enveloped(403, _NO_LOGIN_403)
        if route.login == "401":
            raise Enveloped(401, _NO_LOGIN_401)
        if bearer and route.template.startswith("/v2/bookings"):
            # Not captured; the optional guard does check a token that is there. The text is assumed.
            raise Enveloped(401, "ApiAuthStrategy - access token - Your access token is not valid")

    @staticmethod
    def _route(request: Request) -> tuple[Route | None, str]:
        version = request.headers.get("cal-api-version", "")
        version = version if version in KNOWN_VERSIONS else LEGACY
        for route, pattern in _PATTERNS:
            found = pattern.match(request.path)
            if found and route.method == request.method and route.version in (ANY, version):
                groups = found.groupdict()
                return route, unquote(groups.get("hook") or groups.get("uid") or "")
        return None, ""

    # --- slots -------------------------------------------------------------------------------------------------

    def _slots(self, c: Context) -> tuple[int, Json]:
        query = c.query
        validation.check_slots(query)
        event_type = self._kind(query.get("eventTypeId"), query)
        if event_type is None:
            raise not_found("Event Type not found")
        start, end = parse_instant(query["start"]), parse_instant(query["end"])
        if (end.hour, end.minute, end.second) == (0, 0, 0):  # a date, or any midnight (01g)
            end = end.replace(hour=23, minute=59, second=59)
        length = int(query["duration"]) if query.get("duration", "").isdigit() else event_type.length
        starts = self.world.free_starts(
            event_type,
            start,
            end,
            length=length,
            ignore=query.get("bookingUidToReschedule"),
            cache_key=json.dumps(query, sort_keys=True),
            seconds_old=c.request.tweaks.stale_slots,
        )
        step = timedelta(minutes=length)
        days = views.slot_days(starts, step, query.get("timeZone", "UTC"), query.get("format") == "range")
        return 200, {"data": days, "status": "success"}

    def _kind(self, event_type_id: Any, data: Json) -> EventType | None:
        if event_type_id is not None:
            return self.world.event_type(int(event_type_id) if str(event_type_id).isdigit() else None)
        return self.world.event_type_by_slug(
            data.get("eventTypeSlug", ""), username=data.get("username"), team_slug=data.get("teamSlug")
        )

    def _reserve(self, c: Context) -> tuple[int, Json]:
        return 201, self._hold(c, None)

    def _move_reservation(self, c: Context) -> tuple[int, Json]:
        return 200, self._hold(c, c.uid)

    def _hold(self, c: Context, uid: str | None) -> Json:
        validation.check_reservation(c.body)
        minutes = c.body.get("reservationDuration")
        if minutes is not None:
            self._may_choose_duration(c)
        row = self.world.reserve(
            c.body["eventTypeId"],
            parse_instant(c.body["slotStart"]),
            length=c.body.get("slotDuration"),
            minutes=int(minutes or 5),
            uid=uid,
            tweaks=c.request.tweaks,
        )
        return _ok(views.reservation(row))

    def _may_choose_duration(self, c: Context) -> None:
        if c.user is None:  # 21p
            raise Enveloped(
                401,
                "reservationDuration can only be used for authenticated requests - use access token, "
                "api key or OAuth credentials",
            )
        kind = self.world.event_type(c.body["eventTypeId"])
        hosts = set(self.world.hosts(kind)) if kind else set()
        together = any(
            c.user.id in {*t.member_ids, t.owner_id} and hosts & {*t.member_ids, t.owner_id}
            for t in self.world.teams.values()
        )
        if kind and c.user.id not in hosts and not together:  # colleagues of a team may (21q)
            raise Enveloped(
                403,
                "reservationDuration can only be used by the owner of the event type: "
                "authenticated user is not owner of event type",
            )

    def _reservation(self, c: Context) -> tuple[int, Json]:
        found = self.world.reservation(c.uid)
        return 200, _ok(views.reservation(found) if found else None)  # unknown: 200 null (21l, 21n)

    def _release(self, c: Context) -> tuple[int, Json]:
        self.world.release(c.uid)
        return 200, {"status": "success"}

    # --- bookings ----------------------------------------------------------------------------------------------

    def wish(self, body: Json) -> NewBooking:
        """A body of POST /v2/bookings, checked."""
        validation.check_create(body)
        kind = self._kind(body.get("eventTypeId"), body)
        if kind is None:
            raise not_found(_no_such_type(body))
        length = body.get("lengthInMinutes")
        if length is not None and not kind.lengths:  # 08k
            raise bad_request(
                "Can't specify 'lengthInMinutes' because event type does not have multiple possible "
                "lengths. Please, remove the 'lengthInMinutes' field from the request."
            )
        if length is not None and length not in kind.lengths:  # 08l
            possible = ", ".join(str(n) for n in kind.lengths)
            raise bad_request(
                "Provided 'lengthInMinutes' is not one of the possible lengths for the event type. "
                f"The possible lengths are: {possible}"
            )
        person = body["attendee"]
        email, phone = person.get("email"), person.get("phoneNumber")
        answers = {k: "" if v is None else v for k, v in (body.get("bookingFieldsResponses") or {}).items()}
        validation.check_answers(kind, email, phone, answers)
        # Phone only: the e-mail is made from the digits (11b).
        email = email or re.sub(r"\D", "", phone or "") + "@sms.cal.com"
        return NewBooking(
            event_type=kind,
            start=parse_instant(body["start"]),
            attendee=Attendee(person["name"], email, person["timeZone"], person.get("language") or "en", phone),
            responses=answers,
            metadata=body.get("metadata") or {},
            length=length,
            guests=tuple(body.get("guests") or ()),
            recurrence_count=body.get("recurrenceCount"),
        )

    def _create(self, c: Context) -> tuple[int, Json]:
        wish = self.wish(c.body)
        tweaks = c.request.tweaks
        if tweaks.return_existing:
            old = self.world.existing_at(wish.event_type, wish.start, tweaks.existing_uid)
            if old is not None:
                return 201, _ok(views.booking(self.world, old))
        rows = [views.booking(self.world, row) for row in self.world.create(wish, tweaks)]
        return 201, _ok(rows if wish.event_type.recurs_every_weeks and wish.recurrence_count else rows[0])

    def _bookings(self, c: Context) -> tuple[int, Json]:
        page, pagination = listing.find(self.world, c.caller, validation.list_query(c.query))
        return 200, {**_ok([views.booking(self.world, b) for b in page]), "pagination": pagination}

    def _booking(self, c: Context) -> tuple[int, Json]:
        row = self.world.replica_booking(c.uid)
        if row is None:
            raise not_found(f"Booking with uid={c.uid} was not found in the database")
        return 200, _ok(views.booking(self.world, row))

    def _reschedule(self, c: Context) -> tuple[int, Json]:
        # The look-up comes after the body's check (19n, 19o).
        validation.check_reschedule(c.body)
        row = self.world.reschedule(
            c.uid,
            parse_instant(c.body["start"]),
            reason=c.body.get("reschedulingReason"),
            by=c.body.get("rescheduledBy"),
            caller=c.user,
            tweaks=c.request.tweaks,
        )
        return 201, _ok(views.booking(self.world, row))

    def _cancel(self, c: Context) -> tuple[int, Json]:
        validation.check_cancel(c.body)
        row = self.world.cancel(c.uid, reason=c.body.get("cancellationReason"), caller=c.user, tweaks=c.request.tweaks)
        return 200, _ok(views.booking(self.world, row))

    def _confirm(self, c: Context) -> tuple[int, Json]:
        return 200, _ok(views.booking(self.world, self.world.confirm(c.uid, c.caller, c.request.tweaks)))

    def _decline(self, c: Context) -> tuple[int, Json]:
        row = self.world.decline(c.uid, c.caller, c.body.get("reason"), c.request.tweaks)
        return 200, _ok(views.booking(self.world, row))

    def _mark_absent(self, c: Context) -> tuple[int, Json]:
        row = self.world.mark_absent(
            c.uid, host=c.body.get("host"), attendees=c.body.get("attendees") or [], tweaks=c.request.tweaks
        )
        return 200, _ok(views.booking(self.world, row))

    def _reassign(self, c: Context) -> tuple[int, Json]:
        row = self.world.reassign(c.uid, c.caller, c.request.tweaks)
        host = self.world.users[row.host_id]
        to = {"id": host.id, "name": host.name, "email": host.email, "displayEmail": host.email}
        return 200, _ok({"bookingUid": row.uid, "reassignedTo": to})

    # --- bookings without a version header ----------------------------------------------------------------------

    def _legacy_create(self, c: Context) -> tuple[int, Json]:
        validation.check_legacy_create(c.body)
        raise AssertionError("check_legacy_create always refuses: the old create itself is not modelled")

    def _legacy_bookings(self, c: Context) -> tuple[int, Json]:
        """Pages of ten, only `status` understood (14b)."""
        query = validation.list_query({k: v for k, v in c.query.items() if k == "status"})
        page, pagination = listing.find(self.world, c.caller, {**query, "take": 10})
        more = 10 if pagination["remainingItems"] else None
        rows = [views.legacy_list_item(self.world, b) for b in page]
        return 200, _ok(
            {"bookings": rows, "recurringInfo": [], "totalCount": pagination["totalItems"], "nextCursor": more}
        )

    def _legacy_booking(self, c: Context) -> tuple[int, Json]:
        row = self.world.replica_booking(c.uid)
        if row is None:
            raise not_found(f"Booking with UID={c.uid} does not exist.")
        return 200, _ok(views.legacy_booking(self.world, row))

    def _legacy_cancel(self, c: Context) -> tuple[int, Json]:
        """It really cancels (14e)."""
        row = self.world.cancel(c.uid, reason=c.body.get("cancellationReason"), caller=c.user, tweaks=c.request.tweaks)
        return 201, _ok({"bookingId": row.id, "bookingUid": row.uid, "onlyRemovedAttendee": False})

    # --- the rest ----------------------------------------------------------------------------------------------

    def _me(self, c: Context) -> tuple[int, Json]:
        return 200, _ok(views.me(self.world, c.caller))

    def _schedules(self, c: Context) -> tuple[int, Json]:
        own = [s for s in self.world.schedules.values() if s.owner_id == c.caller.id]
        return 200, _ok([views.schedule(s, default=n == 0) for n, s in enumerate(own)])

    def _event_types(self, c: Context) -> tuple[int, Json]:
        name = c.query.get("username")
        owner = next((u for u in self.world.users.values() if u.username == name), None) if name else c.user
        slug = c.query.get("eventSlug")
        own = [
            e for e in self.world.event_types.values() if owner and e.owner_id == owner.id and slug in (None, e.slug)
        ]
        return 200, _ok([views.event_type(self.world, e) for e in own])

    def _found_type(self, c: Context) -> EventType:
        found = self.world.event_type(int(c.uid) if c.uid.isdigit() else None)
        if found is None:
            raise not_found(f"Event type with id {c.uid} not found")
        return found

    def _event_type(self, c: Context) -> tuple[int, Json]:
        return 200, _ok(views.event_type(self.world, self._found_type(c)))

    def _make_event_type(self, c: Context) -> tuple[int, Json]:
        body, world = c.body, self.world
        with world.lock:
            if any(e.owner_id == c.caller.id and e.slug == body.get("slug") for e in world.event_types.values()):
                raise bad_request("User already has an event type with this slug.")
            place = (body.get("locations") or [{}])[0]
            kind = EventType(
                id=world.next_event_type_id,
                slug=body["slug"],
                title=body["title"],
                length=body["lengthInMinutes"],
                owner_id=c.caller.id,
                location=place.get("address", ""),
                location_public=bool(place.get("public")),
                minimum_notice=body.get("minimumBookingNotice", 120),
                made_by_api=True,
                before_buffer=body.get("beforeEventBuffer", 0),
                after_buffer=body.get("afterEventBuffer", 0),
            )
            world.next_event_type_id += 1
            world.event_types[kind.id] = kind
        return 201, _ok(views.event_type(world, kind))

    def _change_event_type(self, c: Context) -> tuple[int, Json]:
        kind, fields = self._found_type(c), c.body.get("bookingFields")
        if fields is not None and not fields:
            raise bad_request("'bookingFields' must contain at least 1 booking field.")
        if fields and any(f.get("type") == "email" and (not f.get("required") or f.get("hidden")) for f in fields):
            raise bad_request("checkIsEmailUserAccessible - Email booking field must be required and visible")
        names = {
            "title": "title",
            "slug": "slug",
            "lengthInMinutes": "length",
            "slotInterval": "slot_interval",
            "beforeEventBuffer": "before_buffer",
            "afterEventBuffer": "after_buffer",
            "minimumBookingNotice": "minimum_notice",
        }
        changed = replace(kind, **{names[k]: v for k, v in c.body.items() if k in names})
        self.world.event_types[kind.id] = changed
        return 200, _ok(views.event_type(self.world, changed))

    def _remove_event_type(self, c: Context) -> tuple[int, Json]:
        kind = self._found_type(c)
        self.world.event_types.pop(kind.id)
        return 200, _ok({"id": kind.id, "lengthInMinutes": kind.length, "slug": kind.slug, "title": kind.title})

    def _webhooks(self, c: Context) -> tuple[int, Json]:
        return 200, _ok([views.webhook(w) for w in self.world.webhooks.values() if w.user_id == c.caller.id])

    def _event_type_webhooks(self, c: Context) -> tuple[int, Json]:
        kind = self._found_type(c)
        return 200, _ok([views.webhook(w) for w in self.world.webhooks.values() if w.event_type_id == kind.id])

    def _make_webhook(self, c: Context) -> tuple[int, Json]:
        return 201, self._subscribe(c, user_id=c.caller.id)

    def _make_event_type_webhook(self, c: Context) -> tuple[int, Json]:
        return 201, self._subscribe(c, event_type_id=self._found_type(c).id)

    def _subscribe(self, c: Context, *, user_id: int | None = None, event_type_id: int | None = None) -> Json:
        validation.check_webhook(c.body)
        with self.world.lock:
            for other in self.world.webhooks.values():
                same_scope = (other.user_id, other.event_type_id) == (user_id, event_type_id)
                if same_scope and other.url == c.body["subscriberUrl"]:  # 25a2
                    whose = "this user" if user_id else "this event type"
                    raise Enveloped(409, f"Webhook with this subscriber url already exists for {whose}")
            row = Webhook(
                id=self.world.ids.uuid(),
                url=c.body["subscriberUrl"],
                triggers=tuple(c.body["triggers"]),
                active=c.body["active"],
                secret=c.body.get("secret"),
                user_id=user_id,
                event_type_id=event_type_id,
                payload_template=c.body.get("payloadTemplate"),
            )
            self.world.webhooks[row.id] = row
        return _ok(views.webhook(row))

    def _found_webhook(self, c: Context) -> Webhook:
        found = self.world.webhooks.get(c.uid)
        if found is None:
            raise not_found(f"Webhook ({c.uid}) not found")
        return found

    def _webhook(self, c: Context) -> tuple[int, Json]:
        return 200, _ok(views.webhook(self._found_webhook(c)))

    def _change_webhook(self, c: Context) -> tuple[int, Json]:
        row, body = self._found_webhook(c), c.body
        changed = replace(
            row,
            url=body.get("subscriberUrl", row.url),
            triggers=tuple(body.get("triggers", row.triggers)),
            active=body.get("active", row.active),
            secret=body.get("secret", row.secret),
        )
        self.world.webhooks[row.id] = changed
        return 200, _ok(views.webhook(changed))

    def _remove_webhook(self, c: Context) -> tuple[int, Json]:
        row = self._found_webhook(c)
        self.world.webhooks.pop(row.id, None)
        return 200, _ok(views.webhook(row))


def _ok(data: Any) -> Json:
    return {"status": "success", "data": data}


def _no_such_type(body: Json) -> str:
    if body.get("eventTypeId") is not None:
        return f"Event type with id {body['eventTypeId']} not found."
    who = f"user {body['username']}" if body.get("username") else f"team {body.get('teamSlug')}"
    return f"Event type with slug {body.get('eventTypeSlug')} belonging to {who} not found."  # 08b
