"""CONFIRM, RELEASE and what is left open: each named after the old state and the operation it rests on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bookend.adapters.dynamodb import keys
from bookend.application.ports import Audit, BookingHasOwner, Confirmed, Job, Released, Started, Superseded
from bookend.domain.appointment import AppointmentState, BookedSegment, Told
from tests.adapters.dynamodb.place import ALERT, HANS, LEASE, NOW, UTE, Place, at, booked, offer, wished

SLOT = at("28T10:00")
A1 = wished("a1", SLOT)


@pytest.fixture
def started(place: Place) -> Place:
    assert place.start(A1) == Started()
    place.client.requests.clear()
    return place


def due(place: Place, *, after: timedelta = LEASE) -> list[Job]:
    """What the sweeper would find."""
    """What must be looked after; messages that are owed are due as well (test_outbox.py)."""
    return [job for job in place.due_work.due(now=NOW + after, most=100) if job.kind != "text"]


def outbox(place: Place) -> list[dict[str, Any]]:
    return [each for each in place.all_items() if "#OUT#" in each["pk"]]


def alerts(place: Place) -> list[dict[str, Any]]:
    return [each for each in place.all_items() if each["pk"].endswith("#ALERT")]


# CONFIRM


def test_a_confirm_is_one_request_and_writes_everything(started: Place) -> None:
    assert started.confirm(A1) == Confirmed()
    assert started.client.requests == {"transact_write_items": 1}
    now_is = started.now_is("a1")
    assert (now_is.state, now_is.told, now_is.version) == (AppointmentState.CONFIRMED, Told.BOOKED, 2)
    assert (now_is.lease, now_is.verified_at) == (None, NOW)
    assert (now_is.segments[0].uid, now_is.segments[0].booking_id) == ("uid1", 13_000_001)
    assert started.intervals() == {"a1/0": "C"}
    for key in (keys.booking_uid(started.tenant, "uid1"), keys.booking_id(started.tenant, 13_000_001)):
        assert (started.there(key)["appt"], started.there(key)["seg"]) == ("a1", 0)
    (row,) = outbox(started)
    assert (row["kind"], row["appt"], row["told"], row["state"]) == ("booked", "a1", "booked", "NEW")
    assert row["ttl"] == int((NOW + timedelta(days=30)).timestamp())


def test_what_a_repair_confirms_is_written_down_with_it(started: Place) -> None:
    audit = Audit("unsettled", "confirm", "uid1", "a1", {"state": "PENDING"}, {"state": "CONFIRMED"}, "sweeper")
    done = started.appointments.confirm(
        started.tenant, A1, booked(A1), told=Told.BOOKED, audit=audit, now=started.clock.now()
    )
    assert done == Confirmed()
    (entry,) = [each for each in started.all_items() if "#AUDIT" in each["pk"]]
    assert (entry["repair"], entry["by"], entry["after"]) == ("confirm", "sweeper", {"state": "CONFIRMED"})


def test_a_confirmed_appointment_leaves_the_due_index_and_stays_in_the_customers(started: Place) -> None:
    assert due(started) == [Job("settle", started.tenant, "a1")]
    started.confirm(A1)
    assert due(started) == []
    assert "due_shard" not in started.there(keys.appointment(started.tenant, "a1"))
    assert of_customer(started) == ["a1"]


def of_customer(place: Place) -> list[str]:
    answer = place.store.client.query(
        TableName=place.name,
        IndexName=keys.CUSTOMER_INDEX,
        KeyConditionExpression="customer_key = :c",
        ExpressionAttributeValues={":c": {"S": keys.customer_partition(place.tenant, HANS.id)}},
    )
    assert all(set(each) == {"pk", "sk", "customer_key", "start"} for each in answer["Items"]), "keys alone"
    return [each["pk"]["S"].rpartition("#")[2] for each in answer["Items"]]


def test_a_customers_appointments_come_in_the_order_of_their_starts(place: Place) -> None:
    for name, slot in (("late", at("30T10:00")), ("early", at("28T10:00")), ("middle", at("29T10:00"))):
        place.start(wished(name, slot), known=None if name == "late" else HANS)
    place.start(wished("hers", at("28T12:00"), who=UTE))
    assert of_customer(place) == ["early", "middle", "late"]


def test_the_same_confirm_again_is_a_success_and_changes_nothing(started: Place) -> None:
    started.confirm(A1)
    before = started.snapshot()
    assert started.confirm(A1) == Confirmed()
    assert started.snapshot() == before
    assert len(outbox(started)) == 1


def test_a_confirm_with_another_booking_comes_too_late(started: Place) -> None:
    started.confirm(A1)
    before = started.snapshot()
    outcome = started.confirm(A1, "uid2", 13_000_002)
    assert isinstance(outcome, Superseded)
    assert outcome.appointment is not None
    assert outcome.appointment.segments[0].uid == "uid1"
    assert started.snapshot() == before


def test_a_confirm_by_another_operation_is_refused(started: Place) -> None:
    before = started.snapshot()
    outcome = started.confirm(replace(A1, op="op-other"))
    assert isinstance(outcome, Superseded)
    assert outcome.appointment == A1
    assert started.snapshot() == before


def test_nothing_is_written_down_of_an_operation_that_is_not_on_record(started: Place) -> None:
    before, other = started.snapshot(), replace(A1, op="op-other")
    assert not started.leave_open(other)
    assert not started.leave_open(replace(other, state=AppointmentState.COMPENSATING))
    assert not started.must_undo(other)
    assert started.snapshot() == before


def test_a_confirm_after_a_release_brings_nothing_back(started: Place) -> None:
    started.release(A1)
    before = started.snapshot()
    outcome = started.confirm(A1)
    assert isinstance(outcome, Superseded)
    assert outcome.appointment is not None
    assert outcome.appointment.state is AppointmentState.FAILED
    assert started.snapshot() == before


def test_a_confirm_of_nothing_is_refused(place: Place) -> None:
    assert place.confirm(A1) == Superseded(None)
    assert place.snapshot() == []


@pytest.mark.parametrize(("uid", "number"), [("uid1", 13_000_002), ("uid2", 13_000_001)], ids=["uid", "id"])
def test_a_booking_has_one_owner(started: Place, uid: str, number: int) -> None:
    started.confirm(A1)
    other = wished("a2", at("28T12:00"), who=UTE)
    started.start(other)
    before = started.snapshot()
    assert started.confirm(other, uid, number) == BookingHasOwner("a1")
    assert started.snapshot() == before


def test_the_owner_is_told_though_the_interval_is_gone_too(started: Place) -> None:
    """Reasons come by position; the owner of the booking is the worst news and is said first."""
    started.confirm(A1)
    other = wished("a2", at("28T12:00"), who=UTE)
    started.start(other)
    started.store.client.update_item(
        TableName=started.name,
        Key=keys.staff_day(started.tenant, "fabian", SLOT.start.date()),
        UpdateExpression="REMOVE iv.#k",
        ExpressionAttributeNames={"#k": "a2/0"},
    )
    assert started.confirm(other) == BookingHasOwner("a1")


def test_without_its_interval_nothing_is_confirmed(started: Place) -> None:
    started.store.client.update_item(
        TableName=started.name,
        Key=keys.staff_day(started.tenant, "fabian", SLOT.start.date()),
        UpdateExpression="SET iv.#k.#op = :other",
        ExpressionAttributeNames={"#k": "a1/0", "#op": "op"},
        ExpressionAttributeValues={":other": {"S": "op-other"}},
    )
    outcome = started.confirm(A1)
    assert isinstance(outcome, Superseded)
    assert outcome.appointment is not None
    assert outcome.appointment.state is AppointmentState.PENDING
    assert outbox(started) == []


def test_a_guard_that_is_ours_already_is_no_obstacle(started: Place) -> None:
    """Somebody who helped may have written it."""
    started.store.client.put_item(
        TableName=started.name,
        Item=keys.booking_uid(started.tenant, "uid1") | {"appt": {"S": "a1"}, "seg": {"N": "0"}},
    )
    assert started.confirm(A1) == Confirmed()


def test_a_slot_over_midnight_is_confirmed_and_freed_on_both_days(place: Place) -> None:
    late = wished("a1", at("28T23:45"))
    place.start(late)
    assert place.confirm(late) == Confirmed()
    assert place.intervals("28") == place.intervals("29") == {"a1/0": "C"}
    other = wished("a2", at("29T23:45"), who=UTE)
    place.start(other)
    assert place.release(other) == Released()
    assert place.intervals("29") == {"a1/0": "C"}
    assert place.intervals("30") == {}


def test_all_segments_or_none(place: Place) -> None:
    parts = (BookedSegment(0, "fabian", at("28T10:00", 45), 1), BookedSegment(1, "emma", at("28T11:45"), 2))
    perm = wished("a1", SLOT, segments=parts)
    place.start(perm)
    first = booked(perm)
    both = first | {1: replace(first[0], uid="uid2", id=13_000_002)}
    with pytest.raises(ValueError, match="only with its booking"):
        place.appointments.confirm(place.tenant, perm, first, told=Told.BOOKED, now=NOW)
    assert place.appointments.confirm(place.tenant, perm, both, told=Told.BOOKED, now=NOW) == Confirmed()
    assert place.intervals() == {"a1/0": "C"}
    assert place.intervals(staff="emma") == {"a1/1": "C"}
    assert [each.uid for each in place.now_is("a1").segments] == ["uid1", "uid2"]


# RELEASE


def test_a_release_frees_everything_but_the_record_of_it(started: Place) -> None:
    assert started.release(A1) == Released()
    assert started.client.requests == {"transact_write_items": 1}
    now_is = started.now_is("a1")
    assert (now_is.state, now_is.why, now_is.told) == (AppointmentState.FAILED, "taken", Told.NOT_BOOKED)
    item = started.there(keys.appointment(started.tenant, "a1"))
    assert item["answer"] == "HTTP 400"
    assert not {"lease", "due", "due_shard"} & set(item)
    assert started.intervals() == {}
    assert started.guard(A1) is None
    assert not due(started)
    assert not outbox(started)
    assert not alerts(started)
    assert started.there(keys.request(started.tenant, "wish-a1"))["appt"] == "a1", "the same wish hears the same"


def test_a_second_release_is_too_late(started: Place) -> None:
    started.release(A1)
    before = started.snapshot()
    outcome = started.release(A1)
    assert isinstance(outcome, Superseded)
    assert outcome.appointment is not None
    assert outcome.appointment.state is AppointmentState.FAILED
    assert started.snapshot() == before


@pytest.mark.parametrize("spoil", ["confirmed", "other operation"])
def test_what_is_not_this_operations_is_not_released(started: Place, spoil: str) -> None:
    if spoil == "confirmed":
        started.confirm(A1)
    before = started.snapshot()
    outcome = started.release(A1 if spoil == "confirmed" else replace(A1, op="op-other"))
    assert isinstance(outcome, Superseded)
    assert outcome.appointment is not None
    assert started.snapshot() == before


def test_the_time_can_be_taken_anew_after_a_release(started: Place) -> None:
    started.release(A1)
    assert started.start(wished("a2", SLOT, who=UTE)) == Started()
    assert started.start(wished("a3", at("28T12:00")), known=HANS) == Started()
    assert started.start(wished("a4", at("28T10:30")), known=HANS) == Started()


def test_a_release_writes_its_alert_with_it(started: Place) -> None:
    assert started.release(A1, ALERT) == Released()
    (row,) = alerts(started)
    assert (row["kind"], row["facts"]) == (ALERT.kind, dict(ALERT.facts))
    assert row["ttl"] > int((NOW + timedelta(days=365)).timestamp())


def test_a_release_that_was_refused_writes_no_alert(started: Place) -> None:
    started.confirm(A1)
    started.release(A1, ALERT)
    assert alerts(started) == []


def test_who_was_told_that_it_is_open_is_owed_the_end_of_the_story(started: Place) -> None:
    started.leave_open(A1)
    assert started.release(started.now_is("a1"), owes_text=True, told=Told.PENDING) == Released()
    (row,) = outbox(started)
    assert (row["kind"], row["told"], row["appt"]) == ("not_booked", "pending", "a1")
    assert started.now_is("a1").told is Told.PENDING, "nobody has told them yet"


# Left open, and to be undone


def test_what_is_left_open_stays_blocked_and_due(started: Place) -> None:
    assert started.leave_open(A1)
    now_is = started.now_is("a1")
    assert (now_is.state, now_is.told, now_is.why) == (AppointmentState.PENDING, Told.PENDING, "ReadTimeout")
    assert now_is.lease == NOW + LEASE
    assert started.intervals() == {"a1/0": "P"}
    assert due(started) == [Job("settle", started.tenant, "a1")]
    assert [row["kind"] for row in alerts(started)] == [ALERT.kind]


@pytest.mark.parametrize("settle", ["confirm", "release", "must_undo"])
def test_what_is_settled_is_not_left_open(started: Place, settle: str) -> None:
    getattr(started, settle)(A1)
    before = started.snapshot()
    assert not started.leave_open(A1)
    assert not started.leave_open(replace(A1, op="op-other"))
    assert started.snapshot() == before


def test_what_was_left_open_can_still_be_confirmed_and_released(started: Place) -> None:
    started.leave_open(A1)
    assert started.confirm(A1) == Confirmed()
    assert started.now_is("a1").why is None, "what was once unclear is clear"
    other = wished("a2", at("28T12:00"), who=UTE)
    started.start(other)
    started.leave_open(other)
    assert isinstance(started.release(other), Superseded), "who heard noch offen is owed the end of the story"
    assert started.release(started.now_is("a2"), owes_text=True) == Released()


def test_what_must_be_undone_is_named_before_it_is_undone(started: Place) -> None:
    assert started.must_undo(A1)
    now_is = started.now_is("a1")
    assert (now_is.state, now_is.told, now_is.why) == (AppointmentState.COMPENSATING, Told.PENDING, "differs in host")
    assert now_is.segments[0].uid == "uid1"
    assert started.intervals() == {"a1/0": "P"}, "blocked until it is gone"
    assert [each["kind"] for each in alerts(started)] == [ALERT.kind]
    assert due(started) == [Job("settle", started.tenant, "a1")]
    assert started.there(keys.booking_uid(started.tenant, "uid1"))["appt"] == "a1", "named as ours before it is undone"


def test_what_is_anothers_is_not_undone(started: Place) -> None:
    started.confirm(A1)
    other = wished("a2", at("28T12:00"), who=UTE)
    started.start(other)
    before = started.snapshot()
    assert started.must_undo(other, "uid1") == BookingHasOwner("a1")
    assert started.snapshot() == before


def test_what_must_be_undone_can_only_be_released(started: Place) -> None:
    started.must_undo(A1)
    assert isinstance(started.confirm(A1), Superseded)
    assert not started.must_undo(A1)
    assert isinstance(started.release(A1), Superseded), "who may hear noch offen is owed the end of the story"
    assert started.release(started.now_is("a1"), owes_text=True) == Released()
    assert started.intervals() == {}
    assert started.now_is("a1").state is AppointmentState.FAILED


@pytest.mark.parametrize("settle", ["confirm", "release"])
def test_what_is_settled_is_not_undone(started: Place, settle: str) -> None:
    getattr(started, settle)(A1)
    before = started.snapshot()
    assert started.must_undo(A1) is False
    assert started.snapshot() == before


# The sweeper's list


def test_only_what_is_overdue_is_due_and_the_oldest_comes_first(place: Place) -> None:
    for number in range(6):
        slot = at(f"28T{10 + number}:00")
        place.start(wished(f"a{number}", slot, lease=NOW + (6 - number) * LEASE), known=HANS if number else None)
    assert [each.name for each in due(place, after=3 * LEASE)] == ["a5", "a4", "a3"]
    assert due(place, after=LEASE / 2) == []
    place.hold(offer("o1", at("29T10:00")))
    assert len(due(place, after=timedelta(days=1))) == 6, "holds are nobody's work"


def test_what_is_put_off_is_due_later(started: Place) -> None:
    assert started.appointments.postpone(started.tenant, A1, until=NOW + timedelta(minutes=5), absent=None)
    assert due(started) == []
    assert due(started, after=timedelta(minutes=5)) == [Job("settle", started.tenant, "a1")]
    assert started.now_is("a1").absent_since is None, "Cal.com did not answer: that is no look"
    started.must_undo(A1)
    assert started.appointments.postpone(started.tenant, A1, until=NOW, absent=None), "until it is gone it is open"


def test_the_first_look_in_vain_is_kept(started: Place) -> None:
    started.appointments.postpone(started.tenant, A1, until=NOW, absent=NOW)
    started.appointments.postpone(started.tenant, A1, until=NOW, absent=NOW + timedelta(minutes=5))
    assert started.now_is("a1").absent_since == NOW


@pytest.mark.parametrize("settle", ["confirm", "release"])
def test_what_is_settled_is_not_put_off(started: Place, settle: str) -> None:
    getattr(started, settle)(A1)
    before = started.snapshot()
    assert not started.appointments.postpone(started.tenant, A1, until=NOW, absent=NOW)
    assert started.snapshot() == before
