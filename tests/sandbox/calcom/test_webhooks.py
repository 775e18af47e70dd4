"""Deliveries: when they come, signed how, and how they get lost."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from sandbox.calcom import CalcomStandIn, FaultPlan, ManualClock, WebhookPlan
from tests.sandbox.calcom.client import Client

SLOT = "2026-12-01T09:00:00Z"


@dataclass
class Listener:
    url: str
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    status: int = 200

    def triggers(self) -> list[str]:
        return [json.loads(body)["triggerEvent"] for _, body in self.got]


@pytest.fixture
def listener() -> Iterator[Listener]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            heard.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(heard.status)
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    heard = Listener(f"http://127.0.0.1:{server.server_address[1]}/hook")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield heard
    server.shutdown()
    server.server_close()
    thread.join()


def mail(calcom: CalcomStandIn, seed: int = 0, **plan: Any) -> None:
    calcom.faults = FaultPlan(seed=seed, webhooks=WebhookPlan(**plan))


def test_inline_it_is_there_before_the_answer_and_signed(
    calcom: CalcomStandIn, client: Client, listener: Listener
) -> None:
    calcom.subscribe(listener.url, "geheim")
    uid = client.book(SLOT, metadata={"op_id": "1"}).data["uid"]
    (headers, body), *_ = listener.got
    assert headers["x-cal-signature-256"] == hmac.new(b"geheim", body, hashlib.sha256).hexdigest()
    payload = json.loads(body)["payload"]
    assert (payload["uid"], payload["status"], payload["metadata"]) == (uid, "ACCEPTED", {"op_id": "1"})


def test_without_a_secret_the_signature_says_so(calcom: CalcomStandIn, client: Client, listener: Listener) -> None:
    calcom.subscribe(listener.url)
    client.book(SLOT)
    assert listener.got[0][0]["x-cal-signature-256"] == "no-secret-provided"


def test_in_the_handler_of_cancelled_the_booking_is_still_accepted(
    calcom: CalcomStandIn, client: Client, clock: ManualClock
) -> None:
    seen: list[str] = []
    calcom.world.on_event = lambda trigger, row, *_: seen.append(f"{trigger} {calcom.world.booking(row.uid).status}")  # type: ignore[union-attr]
    client.cancel(client.book(SLOT).data["uid"])
    assert seen == ["BOOKING_CREATED accepted", "BOOKING_CANCELLED accepted"]


def test_a_move_tells_once_and_names_the_old_uid(calcom: CalcomStandIn, client: Client, listener: Listener) -> None:
    calcom.subscribe(listener.url)
    uid = client.book(SLOT).data["uid"]
    client.move(uid, "2026-12-01T13:00:00Z")
    assert listener.triggers() == ["BOOKING_CREATED", "BOOKING_RESCHEDULED"]
    assert json.loads(listener.got[1][1])["payload"]["rescheduleUid"] == uid


def test_there_is_no_retry(calcom: CalcomStandIn, client: Client, listener: Listener) -> None:
    listener.status = 500
    calcom.subscribe(listener.url)
    assert client.book(SLOT).status == 201
    assert len(listener.got) == 1


def test_late(calcom: CalcomStandIn, client: Client, listener: Listener) -> None:
    calcom.subscribe(listener.url)
    mail(calcom, mode="late", late_seconds=0.1)
    client.book(SLOT)
    assert (len(listener.got), calcom.gateway.postman.waiting) == (0, 1)
    assert calcom.gateway.postman.drain()
    assert len(listener.got) == 1


def test_lost(calcom: CalcomStandIn, client: Client, listener: Listener) -> None:
    calcom.subscribe(listener.url)
    mail(calcom, lost=1.0)
    client.book(SLOT)
    assert listener.got == []
    assert [d.outcome for d in calcom.gateway.postman.log] == ["lost"]


def test_doubled(calcom: CalcomStandIn, client: Client, listener: Listener) -> None:
    calcom.subscribe(listener.url)
    mail(calcom, doubled=1.0, late_seconds=0.05)
    client.book(SLOT)
    assert calcom.gateway.postman.drain()
    first, second = listener.got
    assert first[1] == second[1]


def test_shuffled(calcom: CalcomStandIn, client: Client, listener: Listener) -> None:
    calcom.subscribe(listener.url)
    mail(calcom, shuffled=0.6, late_seconds=0.3, seed=3)
    sent = [client.book(f"2026-12-01T{hour:02}:00:00Z", f"{hour}@x.example").data["uid"] for hour in range(8, 16)]
    assert calcom.gateway.postman.drain()
    got = [json.loads(body)["payload"]["uid"] for _, body in listener.got]
    assert sorted(got) == sorted(sent)
    assert got != sent


def test_a_users_webhook_is_silent_for_the_team(calcom: CalcomStandIn, client: Client, listener: Listener) -> None:
    calcom.subscribe(listener.url, user_id=1)
    client.book(SLOT, kind=6)
    assert listener.got == []
    calcom.subscribe(listener.url)
    client.book("2026-12-01T13:00:00Z", kind=6)
    assert len(listener.got) == 1


def test_held_until_somebody_says_so_and_in_the_order_they_say(
    calcom: CalcomStandIn, client: Client, listener: Listener
) -> None:
    calcom.subscribe(listener.url)
    mail(calcom, mode="held")
    first, second = (client.book(f"2026-12-01T{hour}:00:00Z", f"{hour}@x.example").data["uid"] for hour in ("09", "10"))
    assert listener.got == []
    assert [each["outcome"] for each in client.control("GET", "state").json["deliveries"]] == ["held", "held"]
    sent = client.control("POST", "deliver", {"order": [1, 0], "times": 2}).json["delivered"]
    assert [each["uid"] for each in sent] == [second, first]
    assert [json.loads(body)["payload"]["uid"] for _, body in listener.got] == [second, second, first, first]
    assert client.control("POST", "deliver", {}).json["delivered"] == []
    assert client.control("POST", "deliver", {"order": [7]}).status == 400


def test_what_is_held_is_forgotten_with_its_world(calcom: CalcomStandIn, client: Client, listener: Listener) -> None:
    calcom.subscribe(listener.url)
    mail(calcom, mode="held")
    client.book(SLOT)
    client.control("POST", "reset")
    assert client.control("POST", "deliver", {}).json["delivered"] == []


def test_a_reassignment_is_told_to_who_asked_for_it(calcom: CalcomStandIn, client: Client, listener: Listener) -> None:
    calcom.subscribe(listener.url, triggers=["BOOKING_REASSIGNED"])
    booked = client.book(SLOT).data
    given = client.control("POST", "public-reassign", {"uid": booked["uid"], "host_id": 2}).json
    assert (given["uid"], given["hosts"][0]["id"]) == (booked["uid"], 2)
    assert given["updatedAt"] >= booked["updatedAt"]
    (_, body), *more = listener.got
    payload = json.loads(body)["payload"]
    assert not more
    assert (payload["uid"], payload["addedHostUserIds"], payload["removedHostUserIds"]) == (booked["uid"], [2], [1])
    assert client.control("POST", "public-reassign", {"uid": booked["uid"], "host_id": 999}).status == 400
