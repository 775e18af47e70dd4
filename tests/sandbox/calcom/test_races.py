"""Concurrency as observed (captures 22*, 25y, 37a): what the database guards, and what nothing guards."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from sandbox.calcom import CalcomStandIn
from tests.sandbox.calcom.captured import LISTENER, index, load
from tests.sandbox.calcom.client import Client, at_once

SLOT = "2026-12-01T09:00:00Z"
DATABASE = "An error occurred while querying the database."
TAKEN = "User either already has booking at this time or is not available"


@pytest.fixture
def client(racing: CalcomStandIn) -> Client:
    return Client(racing)


def accepted(racing: CalcomStandIn) -> int:
    return sum(b.status == "accepted" for b in racing.world.bookings())


@pytest.mark.parametrize("threads", [2, 8, 16])
@pytest.mark.parametrize("same_attendee", [False, True])
def test_one_slot_of_one_event_type_is_sold_once(
    racing: CalcomStandIn, client: Client, threads: int, same_attendee: bool
) -> None:
    emails = ["same@x.example" if same_attendee else f"k{n}@x.example" for n in range(threads)]
    answers = at_once(*[lambda e=e: client.book(SLOT, e) for e in emails])  # type: ignore[misc]
    assert [a.status for a in answers].count(201) == 1
    assert {a.message for a in answers if a.status != 201} <= {DATABASE, TAKEN}
    assert accepted(racing) == 1


def test_in_development_mode_the_losers_hear_409(racing: CalcomStandIn, client: Client) -> None:
    racing.world.settings = replace(racing.world.settings, production_mode=False)
    answers = at_once(lambda: client.book(SLOT, "a@x.example"), lambda: client.book(SLOT, "b@x.example"))
    assert sorted(a.status for a in answers) == [201, 409]
    loser = next(a for a in answers if a.status == 409)
    assert loser.json == {"statusCode": 409, "message": "booking_conflict_error"}


def test_two_lengths_of_one_stylist_at_one_moment_are_both_accepted(racing: CalcomStandIn, client: Client) -> None:
    answers = at_once(lambda: client.book(SLOT, "a@x.example", 1), lambda: client.book(SLOT, "b@x.example", 2))
    assert [a.status for a in answers] == [201, 201]
    assert accepted(racing) == 2


def test_two_event_types_of_equal_length_share_the_guard(client: Client) -> None:
    answers = at_once(lambda: client.book(SLOT, "a@x.example", 1), lambda: client.book(SLOT, "b@x.example", 3))
    assert sorted(a.status for a in answers) == [201, 400]


def test_overlapping_starts_at_one_moment_are_both_accepted(client: Client) -> None:
    answers = at_once(
        lambda: client.book(SLOT, "a@x.example"), lambda: client.book("2026-12-01T09:15:00Z", "b@x.example")
    )
    assert [a.status for a in answers] == [201, 201]


def test_one_after_the_other_the_check_holds(client: Client) -> None:
    assert client.book(SLOT, "a@x.example", 1).status == 201
    refused = client.book(SLOT, "b@x.example", 2)
    assert (refused.status, refused.message) == (400, TAKEN)


def test_pending_requests_for_one_slot_all_get_in(client: Client) -> None:
    answers = at_once(*[lambda: client.book(SLOT, "same@x.example", 4) for _ in range(4)])
    assert [a.status for a in answers] == [201] * 4
    assert len({a.data["uid"] for a in answers}) == 4


def test_a_round_robin_gives_two_racers_the_same_host(client: Client) -> None:
    answers = at_once(lambda: client.book(SLOT, "a@x.example", 6), lambda: client.book(SLOT, "b@x.example", 6))
    assert sorted(a.status for a in answers) == [201, 400]
    assert client.book(SLOT, "c@x.example", 6).status == 201, "the second host was free all the time"


def test_two_reschedules_of_one_booking_make_two_live_ones(racing: CalcomStandIn, client: Client) -> None:
    uid = client.book(SLOT).data["uid"]
    answers = at_once(
        lambda: client.move(uid, "2026-12-01T13:00:00Z"), lambda: client.move(uid, "2026-12-01T14:00:00Z")
    )
    assert [a.status for a in answers] == [201, 201]
    assert {a.data["rescheduledFromUid"] for a in answers} == {uid}
    assert accepted(racing) == 2


def test_two_equal_reschedules_make_one(racing: CalcomStandIn, client: Client) -> None:
    uid = client.book(SLOT).data["uid"]
    answers = at_once(*[lambda: client.move(uid, "2026-12-01T13:00:00Z")] * 2)
    assert sorted(a.status for a in answers) == [201, 400]
    assert accepted(racing) == 1


def test_of_two_bookings_moved_to_one_slot_one_stays_where_it_was(racing: CalcomStandIn, client: Client) -> None:
    uids = [client.book(f"2026-12-01T{h}:00:00Z", f"{h}@x.example").data["uid"] for h in ("09", "10")]
    answers = at_once(*[lambda u=u: client.move(u, "2026-12-01T13:00:00Z") for u in uids])  # type: ignore[misc]
    assert sorted(a.status for a in answers) == [201, 400]
    assert accepted(racing) == 2


def test_racing_cancels_all_succeed_and_each_tells(racing: CalcomStandIn, client: Client) -> None:
    racing.subscribe(f"{LISTENER}/user", "s", ["BOOKING_CANCELLED"])
    uid = client.book(SLOT).data["uid"]
    answers = at_once(*[lambda: client.cancel(uid)] * 4)
    assert [a.status for a in answers] == [200] * 4
    assert [d.uid for d in racing.gateway.postman.log] == [uid] * 4


def test_a_reschedule_that_loses_against_a_cancel_says_so(racing: CalcomStandIn, client: Client) -> None:
    uid = client.book(SLOT).data["uid"]
    racing.world.settings = replace(racing.world.settings, replica_lag=60)
    client.cancel(uid)
    late = client.move(uid, "2026-12-01T13:00:00Z")
    assert (late.status, late.message) == (400, "cancelled_bookings_cannot_be_rescheduled")


def test_racing_confirms_each_tell(racing: CalcomStandIn, client: Client) -> None:
    racing.subscribe(f"{LISTENER}/user", "s", ["BOOKING_CREATED"])
    uid = client.book(SLOT, kind=4).data["uid"]
    answers = at_once(*[lambda: client.send("POST", f"/v2/bookings/{uid}/confirm")] * 3)
    assert [a.status for a in answers] == [200] * 3
    assert len(racing.gateway.postman.log) == 3


def test_racing_reservations_of_one_slot_may_all_get_it(client: Client) -> None:
    body = {"eventTypeId": 1, "slotStart": SLOT}
    answers = at_once(
        *[lambda: client.send("POST", "/v2/slots/reservations", body, version="2024-09-04") for _ in range(4)]
    )
    assert [a.status for a in answers].count(201) > 1


def test_what_the_captured_races_ended_with() -> None:
    """The numbers of 201 these tests rely on, read from the captures themselves."""
    ended = {n: load(n).get("count_201") for n in index() if n.startswith("22-")}
    assert {c for n, c in ended.items() if "-diff-" in n or ("-same-" in n and "confirm" not in n)} == {1}
    assert {c for n, c in ended.items() if "-twoet-" in n} == {2}
    assert {c for n, c in ended.items() if "-confirm-" in n} == {8}


@pytest.mark.parametrize(("sort", "complete"), [("", False), ("sortStart=asc", False), ("sortCreated=asc", True)])
def test_paging_is_complete_only_by_creation(calcom: CalcomStandIn, client: Client, sort: str, complete: bool) -> None:
    calcom.world.settings = replace(calcom.world.settings, check_to_insert_gap=0, requests_per_minute=0)
    for hour, minute in itertools.product(range(8, 16), (0, 30)):
        for kind in (1, 5):
            client.book(f"2026-12-01T{hour:02}:{minute:02}:00Z", f"k{hour}{minute}{kind}@x.example", kind)
            calcom.world.clock.move(seconds=1)  # type: ignore[attr-defined]
    seen = [b["uid"] for skip in range(0, 32, 5) for b in client.find(f"{sort}&take=5&skip={skip}")]
    assert len(seen) == 32
    assert (len(set(seen)) == 32) is complete
