"""Behaviour the contract states although its capture is not in the folder, and properties of the whole."""

from __future__ import annotations

import http.client
from dataclasses import replace

import pytest

from sandbox.calcom import CalcomStandIn, ManualClock
from tests.sandbox.calcom.captured import LIMITED, load
from tests.sandbox.calcom.client import Client

SLOT = "2026-12-01T09:00:00Z"


@pytest.mark.parametrize(
    ("value", "kind"), [(1, "number"), (True, "boolean"), (None, "null")], ids=["number", "boolean", "null"]
)
def test_metadata_values_are_strings_only(client: Client, value: object, kind: str) -> None:
    answer = client.book(SLOT, metadata={"num": value})
    assert answer.status == 400
    assert answer.json["error"] == {
        "code": "BAD_REQUEST",
        "message": f"metadata.num - Expected string, received {kind}, ",
    }


def test_the_past_has_its_own_words(client: Client) -> None:
    assert client.book("2026-11-20T09:00:00Z").message == "Attempting to book a meeting in the past."


def test_the_host_must_say_why_anybody_else_need_not(calcom: CalcomStandIn, client: Client) -> None:
    uid = client.book(SLOT).data["uid"]
    assert client.cancel(uid, reason=None).json == {
        "statusCode": 400,
        "message": "Cancellation reason is required when you are the host",
    }
    assert Client(calcom, key=None).cancel(uid, reason=None).data["status"] == "cancelled"


def test_cancel_then_rebook_works(client: Client) -> None:
    client.cancel(client.book(SLOT).data["uid"])
    assert client.book(SLOT).status == 201


def test_a_collective_with_one_busy_host_is_a_raw_500(calcom: CalcomStandIn, client: Client) -> None:
    kind = replace(calcom.world.event_types[6], id=10, slug="collective", scheduling_type="collective")
    calcom.world.event_types[10] = kind
    client.book(SLOT, kind=5)
    assert client.book(SLOT, kind=10).json == {"statusCode": 500, "message": "Internal server error"}


def test_a_pending_booking_does_not_block(client: Client) -> None:
    assert client.book(SLOT, "a@x.example", kind=4).data["status"] == "pending"
    assert client.book(SLOT, "b@x.example", kind=1).status == 201


def test_a_round_robin_repeat_returns_the_old_booking(client: Client) -> None:
    first = client.book(SLOT, kind=6, metadata={"attempt": "1"})
    again = client.book(SLOT, kind=6, metadata={"attempt": "2"})
    assert again.status == 201
    assert again.data == first.data


def test_a_blocked_key_is_free_again_after_a_minute(calcom: CalcomStandIn, clock: ManualClock) -> None:
    limited = Client(calcom, key=LIMITED)
    answers = [limited.send("GET", "/v2/me") for _ in range(121)]
    assert [a.status for a in answers].count(429) == 1
    assert "retry-after" not in answers[-1].headers
    clock.move(seconds=30)
    assert limited.send("GET", "/v2/me").status == 429
    clock.move(seconds=31)
    assert limited.send("GET", "/v2/me").status == 200


def test_the_fixed_headers_are_those_captured(client: Client) -> None:
    captured = load("32p-full-headers")["headers"]
    ours = client.send("GET", "/v2/me").headers
    volatile = ("content-length", "date", "etag", "x-request-id", "server", "x-ratelimit-remaining-default")
    known = {k: v for k, v in ours.items() if k not in volatile and not k.startswith("x-ratelimit")}
    assert known.items() <= captured.items()
    assert {"x-request-id", "etag", "x-ratelimit-limit-default"} <= set(ours)


def test_keep_alive_serves_many_requests_on_one_connection(calcom: CalcomStandIn) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", calcom.port, timeout=5)
    ports = set()
    for _ in range(5):
        connection.request("GET", "/v2/slots?eventTypeId=1", headers={"cal-api-version": "2024-09-04"})
        connection.getresponse().read()
        ports.add(connection.sock.getsockname()[1])
    connection.close()
    assert len(ports) == 1


def test_the_hosted_services_rescheduling_reason_can_be_switched_on(calcom: CalcomStandIn, client: Client) -> None:
    calcom.world.settings = replace(calcom.world.settings, cancellation_reason_on_reschedule=True)
    uid = client.book(SLOT).data["uid"]
    moved = client.send(
        "POST", f"/v2/bookings/{uid}/reschedule", {"start": "2026-12-01T13:00:00Z", "reschedulingReason": "später"}
    )
    assert (moved.data["status"], moved.data["cancellationReason"]) == ("accepted", "später")
