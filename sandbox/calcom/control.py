"""The control surface under `/_standin/`: what a test in another process may do to the stand-in. JSON both ways.

GET  state            bookings, reservations, deliveries, requests, pending_effects, waiting_deliveries, now
GET  requests         {"counts": {"POST /v2/bookings": 1, ...}, "log": [...]}
POST reset            empty world (same users and event types), logs, fault plan; drops subscriptions
POST setup            a world (`World.from_json`) plus "webhooks": [{"url", "secret"?, "triggers"?, ...}]
POST faults           a fault plan (`FaultPlan.from_json`)
POST webhooks         one subscription, added to those there are
POST forget-requests  empties the request log only
POST public-booking   somebody books on the public page: a body of POST /v2/bookings plus "force": true (asks no rule)
POST public-cancel    {"uid", "reason"?}     POST public-reschedule  {"uid", "start", "by"?}
POST public-reassign  {"uid", "host_id"}: the salon gives it to another host; tells BOOKING_REASSIGNED (calcom.md 5.2,
     documented of the hosted service and never captured), to those who subscribed to that
POST deliver          {"order"?: [2, 0, 1], "times"?: 2}: webhooks that are held (mode "held"); the triggers, as sent
POST vanish           {"uid"}: the row is gone, as if it had never been
POST edit             {"uid", + any of status, start, end, host_id, metadata, ...}: a hand in the database
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from . import views
from .api import Response
from .errors import ApiError
from .faults import FaultPlan
from .gateway import Gateway
from .models import Attendee, Booking, Json, Webhook, iso_millis, parse_instant
from .validation import TRIGGERS
from .world import NewBooking, World

PREFIX = "/_standin/"


class Control:
    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self._routes: dict[tuple[str, str], Callable[[Json], Any]] = {
            ("GET", "state"): lambda _: state(gateway),
            ("GET", "requests"): lambda _: {"counts": gateway.counts(), "log": gateway.log()},
            ("POST", "reset"): lambda _: gateway.reset(),
            ("POST", "setup"): self._setup,
            ("POST", "faults"): lambda body: gateway.plan(FaultPlan.from_json(body)),
            ("POST", "webhooks"): lambda body: {"id": subscribe(gateway.world, **body).id},
            ("POST", "forget-requests"): lambda _: gateway.forget_requests(),
            ("POST", "public-booking"): self._public_booking,
            ("POST", "public-cancel"): self._public_cancel,
            ("POST", "public-reschedule"): self._public_reschedule,
            ("POST", "public-reassign"): self._public_reassign,
            ("POST", "deliver"): self._deliver,
            ("POST", "vanish"): lambda body: gateway.world.vanish(body["uid"]),
            ("POST", "edit"): self._edit,
        }

    def handle(self, method: str, path: str, raw: bytes) -> Response:
        route = self._routes.get((method, path.removeprefix(PREFIX).partition("?")[0].rstrip("/")))
        if route is None:
            return _answer(404, {"error": f"no such control: {method} {path}"})
        try:
            result = route(json.loads(raw) if raw else {})
        except ApiError as error:
            return _answer(error.status, {"error": error.message})
        except (LookupError, TypeError, ValueError) as error:
            return _answer(400, {"error": f"{type(error).__name__}: {error}"})
        return _answer(200, {"ok": True} if result is None else result)

    def _setup(self, body: Json) -> None:
        self.gateway.reset()
        self.gateway.world.load({k: v for k, v in body.items() if k != "webhooks"})
        for hook in body.get("webhooks", ()):
            subscribe(self.gateway.world, **hook)

    def _public_booking(self, body: Json) -> Json:
        force = bool(body.pop("force", False))
        wish = self.gateway.api.wish(body)
        row = force_booking(self.gateway.world, wish) if force else self.gateway.world.create(wish)[0]
        return views.booking(self.gateway.world, row)

    def _public_cancel(self, body: Json) -> Json:
        row = self.gateway.world.cancel(body["uid"], reason=body.get("reason"))
        return views.booking(self.gateway.world, row)

    def _public_reschedule(self, body: Json) -> Json:
        row = self.gateway.world.reschedule(body["uid"], parse_instant(body["start"]), by=body.get("by"))
        return views.booking(self.gateway.world, row)

    def _public_reassign(self, body: Json) -> Json:
        row = self.gateway.world.hand_over(body["uid"], int(body["host_id"]))
        return views.booking(self.gateway.world, row)

    def _deliver(self, body: Json) -> Json:
        sent = self.gateway.postman.deliver(body.get("order"), int(body.get("times", 1)))
        return {"delivered": [{"trigger": each.trigger, "uid": each.uid, "outcome": each.outcome} for each in sent]}

    def _edit(self, body: Json) -> Json:
        changes = {k: v for k, v in body.items() if k != "uid"}
        for name in ("start", "end", "created_at", "updated_at"):
            if name in changes:
                changes[name] = parse_instant(changes[name])
        if "attendees" in changes:
            changes["attendees"] = tuple(Attendee(**a) for a in changes["attendees"])
        return views.booking(self.gateway.world, self.gateway.world.edit(body["uid"], **changes))


def _answer(status: int, body: Any) -> Response:
    return Response(status, json.dumps(body, ensure_ascii=False).encode(), {"content-type": "application/json"})


def state(gateway: Gateway) -> Json:
    """Everything, from the primary. Bookings in the API's 2024-08-13 form."""
    world = gateway.world
    return {
        "now": iso_millis(world.clock()),
        "bookings": [views.booking(world, b) for b in world.bookings()],
        "reservations": [views.reservation(r) for r in list(world.reservations.values())],
        "deliveries": gateway.postman.as_json(),
        "requests": gateway.log(),
        "pending_effects": gateway.pending_effects,
        "waiting_deliveries": gateway.postman.waiting,
    }


def subscribe(
    world: World,
    url: str,
    secret: str | None = None,
    triggers: list[str] | None = None,
    *,
    user_id: int | None = None,
    event_type_id: int | None = None,
) -> Webhook:
    """A subscription without the API. Without a scope it hears of everything, team event types too."""
    with world.lock:
        row = Webhook(world.ids.uuid(), url, tuple(triggers or TRIGGERS), True, secret, user_id, event_type_id)
        world.webhooks[row.id] = row
        return row


def force_booking(world: World, wish: NewBooking, *, host_id: int | None = None) -> Booking:
    """An accepted booking put straight into the database, whatever it overlaps; no unique key, no webhook."""
    with world.lock:
        kind = wish.event_type
        host = world.users[host_id if host_id is not None else world.hosts(kind)[0]]
        uid, now = world.ids.uid(), world.clock()
        row = Booking(
            id=world.next_booking_id,
            uid=uid,
            event_type_id=kind.id,
            host_id=host.id,
            title=f"{kind.title} between {host.name} and {wish.attendee.name}",
            status="accepted",
            start=wish.start,
            end=wish.start + timedelta(minutes=wish.length or kind.length),
            created_at=now,
            updated_at=now,
            location=kind.location,
            attendees=(wish.attendee,),
            responses=wish.responses,
            metadata=wish.metadata,
            ics_uid=f"{uid}@Cal.com",
        )
        world.next_booking_id += 1
        return world.store(replace(row))
