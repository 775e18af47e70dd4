"""Webhook deliveries: who gets one, what is in it, and how faithfully the mail arrives.

Payloads are the legacy 2021-10-20 ones of captures 25*. Signature: lower-case hex HMAC-SHA256 of the raw body
with the subscriber's secret, or the text `no-secret-provided`.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import random
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit

from .models import Booking, EventType, Json, Webhook, iso_millis
from .payloads import payload_of
from .world import World

VERSION = "2021-10-20"
NO_SECRET = "no-secret-provided"


@dataclass(frozen=True, slots=True)
class WebhookPlan:
    """How deliveries go. Rates are 0..1 per delivery, drawn from the seed; seconds are real ones.

    `mode`: "inline" = before the HTTP answer, holding it (25s); "late" = `late_seconds` after the event; "held" = when
    somebody says so, and in the order they say (`Postman.deliver`).
    `shuffled` = the share of late deliveries that wait up to `late_seconds` longer, so that others overtake them;
    in inline mode such a delivery becomes a late one.
    """

    mode: str = "inline"
    late_seconds: float = 0.2
    lost: float = 0.0
    doubled: float = 0.0
    shuffled: float = 0.0
    timeout: float = 10.0
    """The original waits for ever; so that nothing hangs, this stand-in gives up after these seconds."""


@dataclass(slots=True)
class Delivery:
    """One entry of the delivery log."""

    trigger: str
    uid: str
    url: str
    body: str
    headers: Mapping[str, str]
    outcome: str = "waiting"
    """waiting | held | delivered | failed | lost."""
    http_status: int | None = None
    attempts: list[str] = field(default_factory=list)


def sign(secret: str | None, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest() if secret else NO_SECRET


class Postman:
    """Delivers events of a world. One per stand-in; `close()` drops what is still on its way."""

    def __init__(self, world: World, plan: WebhookPlan | None = None, *, seed: int = 0) -> None:
        self.world = world
        self.plan = plan or WebhookPlan()
        self.seed = seed
        self.log: list[Delivery] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._waiting = 0
        self._count = 0
        self._held: list[Delivery] = []

    def event(self, trigger: str, row: Booking, event_type: EventType | None, extra: Json) -> None:
        """World's `on_event`."""
        subscribers = [w for w in self.world.webhooks.values() if _wants(w, trigger, event_type)]
        if not subscribers:
            return
        payload = payload_of(self.world, trigger, row, event_type, extra)
        body = json.dumps(
            {"triggerEvent": trigger, "createdAt": iso_millis(self.world.clock()), "payload": payload},
            separators=(",", ":"),
            ensure_ascii=False,
        ).encode()
        for webhook in subscribers:
            self._dispatch(webhook, trigger, row.uid, body)

    def _dispatch(self, webhook: Webhook, trigger: str, uid: str, body: bytes) -> None:
        headers = {
            "Content-Type": "application/json",
            "X-Cal-Signature-256": sign(webhook.secret, body),
            "X-Cal-Webhook-Version": VERSION,
            "User-Agent": "node",
        }
        delivery = Delivery(trigger, uid, webhook.url, body.decode(), headers)
        with self._lock:
            self._count += 1
            draw = random.Random(f"webhook:{self.seed}:{self._count}")
            self.log.append(delivery)
        lost, doubled, shuffled = (draw.random() < p for p in (self.plan.lost, self.plan.doubled, self.plan.shuffled))
        if lost:
            delivery.outcome = "lost"
            return
        if self.plan.mode == "held":
            delivery.outcome = "held"
            with self._lock:
                self._held.append(delivery)
            return
        wait = self.plan.late_seconds if self.plan.mode == "late" else 0.0
        if shuffled:
            wait += draw.random() * self.plan.late_seconds
        if wait:
            self._later(delivery, wait)
        else:
            self._send(delivery)
        if doubled:
            self._later(delivery, wait + draw.random() * self.plan.late_seconds)

    def _later(self, delivery: Delivery, seconds: float) -> None:
        with self._lock:
            self._waiting += 1
            closing = self._closing
        threading.Thread(target=self._send_late, args=(delivery, seconds, closing), daemon=True).start()

    def _send_late(self, delivery: Delivery, seconds: float, closing: threading.Event) -> None:
        try:
            if not closing.wait(seconds):
                self._send(delivery)
        finally:
            with self._lock:
                self._waiting -= 1

    def _send(self, delivery: Delivery) -> None:
        """One POST, no retry; whatever happens is only logged (25t, 25v)."""
        try:
            parts = urlsplit(delivery.url)
            kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
            if not parts.hostname:
                raise ValueError("not a URL")
            connection = kind(parts.hostname, parts.port, timeout=self.plan.timeout)
            try:
                target = parts.path or "/"
                target += f"?{parts.query}" if parts.query else ""
                connection.request("POST", target, delivery.body.encode(), dict(delivery.headers))
                answer = connection.getresponse()
                answer.read()
            finally:
                connection.close()
            delivery.http_status = answer.status
            delivery.outcome = "delivered"
            delivery.attempts.append(str(answer.status))
        except (OSError, ValueError, http.client.HTTPException) as error:
            if delivery.outcome != "delivered":
                delivery.outcome = "failed"
            delivery.attempts.append(type(error).__name__)

    def deliver(self, order: Sequence[int] | None = None, times: int = 1) -> list[Delivery]:
        """Send what is held, each so often, one after the other; in the order of the events, or in that of `order`.

        Raises:
            IndexError: there are not so many.
        """
        with self._lock:
            held = list(self._held)
            chosen = held if order is None else [held[number] for number in order]
            self._held.clear()
        for delivery in chosen:
            for _ in range(times):
                self._send(delivery)
        return chosen

    @property
    def waiting(self) -> int:
        """Deliveries still on their way."""
        with self._lock:
            return self._waiting

    def drain(self, timeout: float = 10.0) -> bool:
        """Wait until nothing is on its way; False if that took longer than `timeout` real seconds."""
        end = time.monotonic() + timeout
        while self.waiting:
            if time.monotonic() > end:
                return False
            time.sleep(0.005)
        return True

    def forget(self) -> None:
        """Empty log; what is on its way is dropped."""
        self._closing.set()
        with self._lock:
            self._closing = threading.Event()
            self.log.clear()
            self._held.clear()

    def close(self) -> None:
        self._closing.set()

    def as_json(self) -> list[Json]:
        with self._lock:
            return [asdict(d) for d in self.log]


def _wants(webhook: Webhook, trigger: str, event_type: EventType | None) -> bool:
    if not webhook.active or trigger not in webhook.triggers:
        return False
    if webhook.event_type_id is not None:
        return event_type is not None and event_type.id == webhook.event_type_id
    if webhook.user_id is not None:  # silent for team event types (25q)
        return event_type is not None and event_type.owner_id == webhook.user_id
    return True
