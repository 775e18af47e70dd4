"""Each kind of fault does what it says."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from sandbox.calcom import CalcomStandIn, Fault, FaultKind, FaultPlan, ManualClock, Rule
from sandbox.calcom.faults import Seen
from tests.sandbox.calcom.captured import captured_world
from tests.sandbox.calcom.client import Answer, Client

SLOT, LATER = "2026-12-01T09:00:00Z", "2026-12-01T13:00:00Z"
NO_ANSWER = (OSError, ConnectionError)


def plan(calcom: CalcomStandIn, kind: str, *, rule: dict[str, Any] | None = None, **parameters: Any) -> None:
    calcom.faults = FaultPlan(rules=[Rule(Fault(FaultKind(kind), **parameters), **(rule or {}))])


def until(true: Callable[[], bool]) -> bool:
    end = time.monotonic() + 5
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return true()


@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [
        ("error_500_before", 500, '{"statusCode": 500, "message": "Internal server error"}'),
        ("error_500_short", 500, '"code": "INTERNAL_SERVER_ERROR"'),
        ("refuse_taken", 400, "User either already has booking at this time or is not available"),
        ("conflict_409_raw", 409, '{"statusCode": 409, "message": "booking_conflict_error"}'),
        ("db_400_raw", 400, '"An error occurred while querying the database."'),
        ("rate_limited_429", 429, "ThrottlerException"),
        ("html_524", 524, "<!DOCTYPE html>"),
        ("html_502", 502, "502 Bad Gateway"),
    ],
)
def test_an_answer_without_effect(calcom: CalcomStandIn, client: Client, kind: str, status: int, text: str) -> None:
    plan(calcom, kind)
    answer = client.book(SLOT)
    assert (answer.status, text in answer.text) == (status, True), answer.text
    assert calcom.world.bookings() == []
    assert client.book(SLOT).status == 201, "the fault hits one request"


def test_a_team_can_be_refused_in_its_own_words(calcom: CalcomStandIn, client: Client) -> None:
    plan(calcom, "refuse_taken", message="hosts")
    assert client.book(SLOT).message.startswith("One of the hosts")


def test_a_500_after_the_effect(calcom: CalcomStandIn, client: Client) -> None:
    plan(calcom, "error_500_after")
    assert client.book(SLOT, "a@x.example").json == {"statusCode": 500, "message": "Internal server error"}
    assert len(client.find("attendeeEmail=a@x.example")) == 1


@pytest.mark.parametrize("kind", ["html_524", "html_502"])
def test_the_edge_may_give_up_on_what_is_done_all_the_same(calcom: CalcomStandIn, client: Client, kind: str) -> None:
    plan(calcom, kind, effect=True)
    assert client.book(SLOT).status >= 500
    assert len(calcom.world.bookings()) == 1


@pytest.mark.parametrize(("kind", "rows"), [("timeout_before", 0), ("timeout_after", 1)])
def test_a_time_out(calcom: CalcomStandIn, kind: str, rows: int) -> None:
    plan(calcom, kind)
    with pytest.raises(TimeoutError):
        Client(calcom, timeout=0.1).book(SLOT)
    assert len(calcom.world.bookings()) == rows


def test_an_abandoned_request_is_executed_later(calcom: CalcomStandIn) -> None:
    plan(calcom, "timeout_delayed", seconds=0.2)
    with pytest.raises(TimeoutError):
        Client(calcom, timeout=0.05).book(SLOT)
    assert calcom.world.bookings() == []
    assert calcom.gateway.pending_effects == 1
    assert until(lambda: len(calcom.world.bookings()) == 1)


def test_hanging_requests_are_released_when_the_server_closes(clock: ManualClock) -> None:
    gone = threading.Event()

    def book(calcom: CalcomStandIn) -> None:
        with pytest.raises(NO_ANSWER):
            Client(calcom, timeout=30).book(SLOT)
        gone.set()

    with CalcomStandIn(world=captured_world(clock)) as calcom:
        plan(calcom, "timeout_before")
        threading.Thread(target=book, args=(calcom,), daemon=True).start()
        assert until(lambda: bool(calcom.gateway.requests))
    assert gone.wait(5)


@pytest.mark.parametrize("effect", [False, True])
def test_a_reset_connection(calcom: CalcomStandIn, client: Client, effect: bool) -> None:
    plan(calcom, "connection_reset", effect=effect)
    with pytest.raises(NO_ANSWER):
        client.book(SLOT)
    assert len(calcom.world.bookings()) == effect


def test_slow_is_right_but_late(calcom: CalcomStandIn, client: Client) -> None:
    plan(calcom, "slow", seconds=0.1)
    started = time.monotonic()
    assert client.book(SLOT).status == 201
    assert time.monotonic() - started >= 0.1


@pytest.mark.parametrize("status", [200, 201])
def test_another_customers_booking_comes_back_as_the_new_one(
    calcom: CalcomStandIn, client: Client, status: int
) -> None:
    """The incident of 2025-10-06: two callers, one booking."""
    first = client.book(SLOT, "hansi@x.example", metadata={"call_id": "call_1"}).data
    plan(calcom, "existing_returned", status=status)
    second = client.book(SLOT, "hans@x.example", metadata={"call_id": "call_2"})
    assert second.status == status
    assert second.data == first
    assert len(calcom.world.bookings()) == 1


def test_a_scripted_existing_booking_comes_back(calcom: CalcomStandIn, client: Client) -> None:
    other = client.book(LATER).data["uid"]
    plan(calcom, "existing_returned", uid=other)
    assert client.book(SLOT).data["uid"] == other


def test_without_an_existing_booking_there_is_a_new_one(calcom: CalcomStandIn, client: Client) -> None:
    plan(calcom, "existing_returned")
    assert client.book(SLOT, "a@x.example").data["attendees"][0]["email"] == "a@x.example"


def test_the_stored_booking_is_longer(calcom: CalcomStandIn, client: Client) -> None:
    plan(calcom, "wrong_end", minutes=15)
    uid = client.book(SLOT).data["uid"]
    assert client.get(uid).data["end"] == "2026-12-01T09:45:00.000Z"


def test_the_stored_booking_is_another_hosts(calcom: CalcomStandIn, client: Client) -> None:
    plan(calcom, "wrong_host")
    assert client.book(SLOT).data["hosts"][0]["id"] == 2


def test_metadata_get_lost(calcom: CalcomStandIn, client: Client) -> None:
    plan(calcom, "drop_metadata")
    assert client.book(SLOT, metadata={"op_id": "1"}).data["metadata"] == {}


def test_a_lagging_replica_hides_what_is_done(calcom: CalcomStandIn, client: Client, clock: ManualClock) -> None:
    plan(calcom, "replica_lag", seconds=3)
    assert client.book(SLOT, "a@x.example").status == 500
    uid = calcom.world.bookings()[0].uid
    assert client.find("attendeeEmail=a@x.example") == []
    assert client.get(uid).status == 404
    assert client.cancel(uid).status == 404
    assert client.book(SLOT, "a@x.example").status == 400, "the availability check reads the primary"
    clock.move(seconds=3)
    assert client.get(uid).data["status"] == "accepted"


def test_a_cancel_on_a_lagging_replica_answers_the_old_state(
    calcom: CalcomStandIn, client: Client, clock: ManualClock
) -> None:
    uid = client.book(SLOT).data["uid"]
    plan(calcom, "replica_lag", seconds=3, rule={"path": "/v2/bookings/{uid}/cancel"})
    answer = client.cancel(uid)
    assert (answer.status, answer.data["status"]) == (200, "accepted")
    assert client.cancel(uid).message == "This booking has already been cancelled."
    clock.move(seconds=3)
    assert client.get(uid).data["status"] == "cancelled"


def test_stale_slots_do_not_know_the_last_bookings(calcom: CalcomStandIn, client: Client, clock: ManualClock) -> None:
    client.book(SLOT)
    clock.move(seconds=10)
    assert "10:00" not in client.slots("2026-12-01")
    plan(calcom, "stale_slots", seconds=30, rule={"method": "GET", "path": "/v2/slots"})
    assert "10:00" in client.slots("2026-12-01")


def test_a_2xx_that_is_not_json(calcom: CalcomStandIn, client: Client) -> None:
    plan(calcom, "not_json_2xx")
    answer = client.book(SLOT)
    assert answer.status == 201
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        _ = answer.json
    assert len(calcom.world.bookings()) == 1


def test_a_2xx_without_uid(calcom: CalcomStandIn, client: Client) -> None:
    plan(calcom, "no_uid_2xx")
    answer = client.book(SLOT)
    assert answer.status == 201
    assert not {"id", "uid"} & set(answer.data)


def test_a_refusal_stays_a_refusal_under_a_fault_of_the_answer(calcom: CalcomStandIn, client: Client) -> None:
    client.book(SLOT)
    plan(calcom, "error_500_after")
    assert client.book(SLOT).status == 400


# --- which request is hit ---------------------------------------------------------------------------------------


def test_a_rule_hits_the_nth_request_that_matches(calcom: CalcomStandIn, client: Client) -> None:
    rule = {"nth": 2, "times": 2, "where": {"metadata.call_id": "call_1"}}
    plan(calcom, "error_500_before", rule=rule)

    def book(hour: int, call: str) -> Answer:
        return client.book(f"2026-12-01T{hour:02}:00:00Z", f"{hour}@x.example", metadata={"call_id": call})

    calls = ["call_1", "call_2", "call_1", "call_2", "call_1", "call_1"]
    assert [book(8 + n, c).status for n, c in enumerate(calls)] == [201, 201, 500, 201, 500, 201]


def test_a_predicate_may_look_at_everything(calcom: CalcomStandIn, client: Client) -> None:
    def of_hans(seen: Seen) -> bool:
        return str(seen.body["attendee"]["email"]).startswith("hans")

    plan(calcom, "error_500_before", rule={"predicate": of_hans, "times": 0})
    assert client.book(SLOT, "eva@x.example").status == 201
    assert [client.book(LATER, "hans@x.example").status for _ in range(3)] == [500] * 3


def test_rates_are_drawn_from_the_seed() -> None:
    def hits(seed: int) -> list[str | None]:
        faults = FaultPlan(seed=seed, rates={"error_500_after": 0.2, "slow": 0.1})
        picked = [faults.pick(Seen("POST", "/v2/bookings", None, {})) for _ in range(300)]
        return [p and str(p.kind) for p in picked]

    assert hits(1) == hits(1) != hits(2)
    assert 30 < hits(1).count("error_500_after") < 90


def test_by_chance_a_read_never_gets_a_fault_of_writes() -> None:
    faults = FaultPlan(rates={"error_500_after": 0.5, "wrong_end": 0.5})
    assert {faults.pick(Seen("GET", "/v2/bookings", None, {})) for _ in range(50)} == {None}


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        FaultPlan(rates={"nonsense": 1.0})


def test_small_answers_do_not_wait_for_delayed_acks(calcom: CalcomStandIn) -> None:
    """Header and body leave in one write and Nagle is off."""
    with socket.create_connection(("127.0.0.1", calcom.port), timeout=5) as raw:
        raw.sendall(b"GET /v2/nope HTTP/1.1\r\nhost: x\r\n\r\n")
        assert b"Cannot GET /v2/nope" in raw.recv(65536)
