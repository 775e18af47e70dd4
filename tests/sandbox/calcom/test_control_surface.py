"""What a test in another process can do to the stand-in, and the stand-in as a process of its own."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.calcom import CalcomStandIn
from tests.sandbox.calcom.client import Client

SLOT = "2026-12-01T09:00:00Z"
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
SALON: dict[str, Any] = {
    "users": [
        {"id": 28, "name": "Fabian", "email": "fabian@salon.example", "username": "fabian", "api_key": "cal_salon"}
    ],
    "schedules": [{"id": 1, "owner_id": 28, "name": "Salon", "weekly": {d: [["08:00", "18:00"]] for d in WEEKDAYS}}],
    "event_types": [
        {"id": 2563193, "slug": "herrenhaarschnitt", "title": "Herrenhaarschnitt", "length": 30, "owner_id": 28},
        {"id": 3672814, "slug": "dauerwelle-1", "title": "Dauerwelle 1", "length": 45, "owner_id": 28},
    ],
    "settings": {"check_to_insert_gap": 0.0, "requests_per_minute": 0},
}


def attendee(email: str = "web@x.example") -> dict[str, str]:
    return {"name": "Web", "email": email, "timeZone": "Europe/Berlin"}


def test_a_salon_is_set_up_from_json(calcom: CalcomStandIn, client: Client) -> None:
    assert client.control("POST", "setup", SALON).json == {"ok": True}
    salon = Client(calcom, key="cal_salon")
    booked = salon.book(SLOT, kind=2563193)
    assert booked.data["hosts"][0]["id"] == 28
    assert client.book(SLOT).status == 401, "the old world's key is gone"


def test_somebody_books_on_the_public_page(calcom: CalcomStandIn, client: Client) -> None:
    body = {"eventTypeId": 1, "start": SLOT, "attendee": attendee()}
    booked = client.control("POST", "public-booking", body)
    assert booked.json["status"] == "accepted"
    assert client.control("POST", "public-booking", body).status == 400
    forced = client.control("POST", "public-booking", {**body, "force": True})
    assert forced.json["start"] == booked.json["start"]
    assert client.control("GET", "requests").json["counts"] == {}, "not one of our requests"


def test_somebody_moves_and_cancels_on_the_public_page(calcom: CalcomStandIn, client: Client) -> None:
    uid = client.book(SLOT).data["uid"]
    moved = client.control("POST", "public-reschedule", {"uid": uid, "start": "2026-12-01T13:00:00Z"}).json
    assert moved["rescheduledFromUid"] == uid
    assert client.control("POST", "public-cancel", {"uid": moved["uid"]}).json["status"] == "cancelled"


def test_requests_are_counted_by_method_and_path(calcom: CalcomStandIn, client: Client) -> None:
    uid = client.book(SLOT).data["uid"]
    client.get(uid)
    client.slots("2026-12-01")
    requests = client.control("GET", "requests").json
    assert requests["counts"] == {"POST /v2/bookings": 1, "GET /v2/bookings/{uid}": 1, "GET /v2/slots": 1}
    assert [entry["status"] for entry in requests["log"]] == [201, 200, 200]
    client.control("POST", "forget-requests")
    assert client.control("GET", "requests").json["counts"] == {}


def test_the_state_shows_bookings_deliveries_and_requests(calcom: CalcomStandIn, client: Client) -> None:
    client.control("POST", "webhooks", {"url": "http://127.0.0.1:1/", "secret": "s"})
    client.book(SLOT)
    state = client.control("GET", "state").json
    assert [b["status"] for b in state["bookings"]] == ["accepted"]
    assert [(d["trigger"], d["outcome"]) for d in state["deliveries"]] == [("BOOKING_CREATED", "failed")]
    assert (len(state["requests"]), state["pending_effects"], state["waiting_deliveries"]) == (1, 0, 0)


def test_a_fault_plan_comes_as_json(calcom: CalcomStandIn, client: Client) -> None:
    rule = {"fault": {"kind": "wrong_end", "minutes": 30}, "where": {"attendee.email": "a@x.example"}}
    client.control("POST", "faults", {"seed": 7, "rules": [rule, {"fault": "db_400_raw", "nth": 2}]})
    assert client.book(SLOT, "a@x.example").data["duration"] == 60
    assert client.book("2026-12-01T13:00:00Z").message == "An error occurred while querying the database."


def test_a_hand_in_the_database(calcom: CalcomStandIn, client: Client) -> None:
    uid = client.book(SLOT).data["uid"]
    client.control("POST", "edit", {"uid": uid, "status": "cancelled", "host_id": 2})
    row = client.get(uid).data
    assert (row["status"], row["hosts"][0]["id"]) == ("cancelled", 2)
    assert client.book(SLOT).status == 201, "the guard followed the edit"


def test_a_booking_vanishes(calcom: CalcomStandIn, client: Client) -> None:
    uid = client.book(SLOT).data["uid"]
    client.control("POST", "vanish", {"uid": uid})
    assert client.get(uid).status == 404
    assert client.control("GET", "state").json["bookings"] == []
    assert client.book(SLOT).status == 201, "its unique key went with it"
    assert client.control("POST", "vanish", {"uid": uid}).status == 400


def test_reset_empties_everything(calcom: CalcomStandIn, client: Client) -> None:
    client.book(SLOT)
    client.control("POST", "faults", {"rates": {"error_500_before": 1.0}})
    client.control("POST", "reset")
    assert client.control("GET", "state").json["bookings"] == []
    assert client.book(SLOT).status == 201


def test_reset_forgets_what_was_still_to_happen(calcom: CalcomStandIn, client: Client) -> None:
    fault = {"kind": "timeout_delayed", "seconds": 0.3}
    client.control("POST", "faults", {"rules": [{"fault": fault}]})
    with pytest.raises(TimeoutError):
        Client(calcom, timeout=0.05).book(SLOT)
    client.control("POST", "reset")
    time.sleep(0.4)
    assert calcom.world.bookings() == []
    assert calcom.gateway.pending_effects == 0


@pytest.mark.parametrize("body", [{"rates": {"nonsense": 1}}, {"rules": [{"fault": {"kind": "slow", "x": 1}}]}])
def test_nonsense_is_refused(calcom: CalcomStandIn, client: Client, body: Any) -> None:
    assert client.control("POST", "faults", body).status == 400


def test_an_unknown_control_is_404(calcom: CalcomStandIn, client: Client) -> None:
    assert client.control("GET", "nothing").status == 404


@pytest.fixture
def process(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """The stand-in as `python -m sandbox.calcom`: (port, clock file)."""
    setup, clock = tmp_path / "world.json", tmp_path / "clock"
    setup.write_text(json.dumps(SALON))
    command = [sys.executable, "-m", "sandbox.calcom", "--setup", str(setup), "--clock-file", str(clock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as running:
        assert running.stdout
        ready = running.stdout.readline()
        try:
            yield int(ready.rpartition(":")[2]), clock
        finally:
            running.terminate()
            assert running.wait(10) == 0


def test_a_process_of_its_own_lives_in_the_time_of_its_clock_file(process: tuple[int, Path]) -> None:
    port, clock = process

    def now() -> str:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/_standin/state")
            return str(json.loads(connection.getresponse().read())["now"])
        finally:
            connection.close()

    before = now()
    clock.write_text(str(-400 * 86400.0))
    assert int(now()[:4]) < int(before[:4])
