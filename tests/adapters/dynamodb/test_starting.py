"""START: recorded before its effect, and every condition that keeps it from being recorded."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bookend.adapters.dynamodb import keys
from bookend.application.ports import AskedBefore, CustomerHasOne, Started, StartLost
from bookend.domain.appointment import AppointmentState, BookedSegment, Told
from bookend.domain.availability import HOLD
from bookend.domain.staff_day import interval_key
from bookend.domain.timeslot import instant_text
from tests.adapters.dynamodb.place import HANS, LEASE, NOW, UTE, Place, at, offer, wished

SLOT = at("28T10:00")


def refused(place: Place, *, leaving: list[dict[str, object]]) -> None:
    """A START that was refused left nothing behind."""
    assert place.snapshot() == leaving


def test_a_start_is_one_request_and_writes_everything(place: Place) -> None:
    days = place.days()
    place.client.requests.clear()
    assert place.start(wished("a1", SLOT), days=days) == Started()
    assert place.client.requests == {"transact_write_items": 1}
    assert place.now_is("a1") == wished("a1", SLOT)
    assert place.intervals() == {"a1/0": "P"}
    interval = place.interval("a1/0")
    assert (interval.op, interval.slot, interval.expires) == ("op-a1", SLOT, None)
    assert place.there(keys.request(place.tenant, "wish-a1"))["appt"] == "a1"
    guard = place.guard(wished("a1", SLOT))
    assert guard is not None
    assert guard["appt"] == "a1"
    known = place.appointments.look(place.tenant, call="x", customer=HANS.id).customer
    assert known == HANS


def test_an_operation_in_flight_never_expires_by_time(place: Place) -> None:
    place.start(wished("a1", SLOT))
    place.clock.advance(timedelta(days=2).total_seconds())
    place.hold(offer("o1", at("28T12:00"), expires=NOW + timedelta(days=3)))
    assert place.intervals() == {"a1/0": "P", "o1/0": "H"}
    assert not place.days().is_free("fabian", SLOT, now=place.clock.now())


# With a hold


def test_a_live_hold_is_taken_as_it_stands_whatever_else_changed_that_day(place: Place) -> None:
    kept = offer("o1", SLOT)
    place.hold(kept)
    stale = place.days()
    place.hold(offer("o2", at("28T12:00"), op="hold2"), call="call_2")
    assert place.start(wished("o1", SLOT), hold=kept, days=stale) == Started()
    assert place.intervals() == {"o1/0": "P", "o2/0": "H"}
    interval = place.interval("o1/0")
    assert (interval.op, interval.expires) == ("op-o1", None)


def test_a_hold_serves_its_caller_until_the_very_moment_it_ends(place: Place) -> None:
    kept = offer("o1", SLOT)
    place.hold(kept)
    place.clock.advance(HOLD.total_seconds() - 0.001)
    assert place.start(wished("o1", SLOT), hold=kept) == Started()


@pytest.mark.parametrize("seconds_over", [0.0, 1.0, 3600.0])
def test_an_expired_hold_is_no_hold(place: Place, seconds_over: float) -> None:
    """It is still in the table: a condition decides, not the service's sweeping."""
    kept = offer("o1", SLOT)
    place.hold(kept)
    place.clock.advance(HOLD.total_seconds() + seconds_over)
    before = place.snapshot()
    assert place.start(wished("o1", SLOT), hold=kept) == StartLost()
    refused(place, leaving=before)


def test_a_hold_that_was_given_back_is_no_hold(place: Place) -> None:
    kept = offer("o1", SLOT)
    place.hold(kept)
    place.hold(offer("o2", at("28T12:00"), op="hold2"))
    before = place.snapshot()
    assert place.start(wished("o1", SLOT), hold=kept) == StartLost()
    refused(place, leaving=before)


def test_a_hold_of_another_operation_is_not_ours(place: Place) -> None:
    place.hold(offer("o1", SLOT, op="theirs"))
    before = place.snapshot()
    assert place.start(wished("o1", SLOT), hold=offer("o1", SLOT, op="mine")) == StartLost()
    refused(place, leaving=before)


def test_a_hold_on_a_day_nobody_ever_wrote_is_none(place: Place) -> None:
    assert place.start(wished("o1", SLOT), hold=offer("o1", SLOT)) == StartLost()
    refused(place, leaving=[])


def test_a_hold_is_used_once(place: Place) -> None:
    kept = offer("o1", SLOT)
    place.hold(kept)
    place.start(wished("o1", SLOT), hold=kept)
    other = wished("o1", SLOT, who=UTE, request="another", op="op-2")
    before = place.snapshot()
    assert place.start(other, hold=kept) == AskedBefore("o1"), "under another name: that wish has the answer"
    refused(place, leaving=before)


# On the version of the day


def test_the_first_of_two_that_saw_the_same_free_time_gets_it(place: Place) -> None:
    seen = place.days()
    assert place.start(wished("a1", SLOT), days=seen) == Started()
    before = place.snapshot()
    assert place.start(wished("a2", at("28T10:15"), who=UTE), days=seen) == StartLost()
    refused(place, leaving=before)


def test_any_change_of_the_day_sends_one_back_to_look_again(place: Place) -> None:
    place.hold(offer("o9", at("28T15:00")), call="call_9")
    seen = place.days()
    place.hold(offer("o8", at("28T17:00"), op="hold8"), call="call_8")
    assert place.start(wished("a1", SLOT), days=seen) == StartLost()
    assert place.start(wished("a1", SLOT)) == Started()


def test_ones_own_holds_in_the_way_are_given_back_and_others_stay(place: Place) -> None:
    mine = offer("o1", at("28T10:15")), offer("o2", at("28T12:00"))
    place.hold(*mine)
    place.hold(offer("o9", at("28T15:00"), op="hold9"), call="call_9")
    assert place.start(wished("a1", SLOT), freeing=[interval_key(each.id, 0) for each in mine]) == Started()
    assert place.intervals() == {"a1/0": "P", "o2/0": "H", "o9/0": "H"}


def test_a_slot_over_midnight_takes_both_days_or_none(place: Place) -> None:
    late, seen = at("28T23:45"), place.days("28", "29")
    place.hold(offer("o1", at("29T12:00")))
    assert place.start(wished("a1", late), days=seen) == StartLost()
    assert place.intervals("28") == {}
    assert place.start(wished("a1", late)) == Started()
    assert place.intervals("28") == {"a1/0": "P"}
    assert place.intervals("29") == {"a1/0": "P", "o1/0": "H"}


def test_a_hold_over_midnight_is_taken_on_both_days_or_none(place: Place) -> None:
    late = offer("o1", at("28T23:45"))
    place.hold(late)
    place.store.client.update_item(
        TableName=place.name,
        Key=keys.staff_day(place.tenant, "fabian", at("29T00:00").start.date()),
        UpdateExpression="REMOVE iv.#k",
        ExpressionAttributeNames={"#k": "o1/0"},
    )
    assert place.start(wished("o1", late.slot), hold=late) == StartLost()
    assert place.intervals("28") == {"o1/0": "H"}


def test_every_segment_takes_its_own_time(place: Place) -> None:
    parts = (BookedSegment(0, "fabian", at("28T10:00", 45), 1), BookedSegment(1, "fabian", at("29T09:00"), 2))
    perm = wished("a1", SLOT, segments=parts)
    assert place.start(perm) == Started()
    assert place.intervals("28") == {"a1/0": "P"}
    assert place.intervals("29") == {"a1/1": "P"}
    assert place.now_is("a1").segments == parts


# Guards


def test_the_same_wish_again_is_told_what_it_led_to(place: Place) -> None:
    place.start(wished("a1", SLOT))
    before = place.snapshot()
    assert place.start(wished("a2", SLOT, request="wish-a1")) == AskedBefore("a1")
    refused(place, leaving=before)


def test_a_wish_that_failed_is_replaced_by_name(place: Place) -> None:
    first = wished("a1", SLOT)
    place.start(first)
    place.release(first)
    again = wished("a2", SLOT, request="wish-a1")
    assert place.start(again, known=HANS) == AskedBefore("a1")
    assert place.start(again, known=HANS, replaces="another") == AskedBefore("a1")
    assert place.start(again, known=HANS, replaces="a1") == Started()
    late = wished("a3", SLOT, request="wish-a1")
    assert place.start(late, known=HANS, replaces="a1") == AskedBefore("a2"), "only one replaces it"


def test_a_replaced_wish_may_have_been_swept_meanwhile(place: Place) -> None:
    assert place.start(wished("a2", SLOT), replaces="long-gone") == Started()


def test_a_customer_has_one_appointment_per_service_and_start(place: Place) -> None:
    place.start(wished("a1", SLOT))
    before = place.snapshot()
    assert place.start(wished("a2", SLOT, staff="emma", call="call_2"), known=HANS) == CustomerHasOne("a1")
    refused(place, leaving=before)
    assert place.start(wished("a3", SLOT, staff="emma", service="beratung"), known=HANS) == Started()
    assert place.start(wished("a4", at("28T12:00")), known=HANS) == Started()
    assert place.start(wished("a5", SLOT, staff="udo", who=UTE)) == Started()


def test_an_appointment_is_never_written_over(place: Place) -> None:
    place.start(wished("a1", SLOT))
    before = place.snapshot()
    other = wished("a1", at("29T10:00"), who=UTE, request="another", op="op-2")
    assert place.start(other) == AskedBefore("a1")
    refused(place, leaving=before)


# The customer's record


def test_a_known_customer_is_not_written_again(place: Place) -> None:
    place.start(wished("a1", SLOT))
    changed = replace(HANS, name="H. Schuster")
    assert place.start(wished("a2", at("28T12:00"), who=changed), known=HANS) == Started()
    assert place.there(keys.customer(place.tenant, HANS.id))["name"] == "Hans Schuster"
    assert place.now_is("a2").customer.name == "H. Schuster", "the appointment says whom it was booked for"


def test_a_new_address_or_number_is_written_with_the_appointment(place: Place) -> None:
    place.start(wished("a1", SLOT))
    moved = replace(HANS, email="hans@web.example", phone=None)
    assert place.start(wished("a2", at("28T12:00"), who=moved), known=HANS) == Started()
    assert place.appointments.look(place.tenant, call="x", customer=HANS.id).customer == moved


def test_two_first_appointments_of_one_customer_do_not_write_over_each_other(place: Place) -> None:
    place.start(wished("a1", SLOT))
    before = place.snapshot()
    assert place.start(wished("a2", at("28T12:00"), who=replace(HANS, email="b@web.example"))) == StartLost()
    refused(place, leaving=before)


def test_a_change_of_address_rests_on_the_one_that_was_read(place: Place) -> None:
    place.start(wished("a1", SLOT))
    place.start(wished("a2", at("28T12:00"), who=replace(HANS, email="b@web.example")), known=HANS)
    before = place.snapshot()
    late = wished("a3", at("28T14:00"), who=replace(HANS, email="c@web.example"))
    assert place.start(late, known=HANS) == StartLost()
    refused(place, leaving=before)


# What is stored


def test_the_appointment_is_stored_with_what_finds_it(place: Place) -> None:
    place.start(wished("a1", SLOT))
    item = place.there(keys.appointment(place.tenant, "a1"))
    assert item["state"] == AppointmentState.PENDING
    assert item["told"] == Told.NOTHING
    assert item["lease"] == item["due"] == int((NOW + LEASE).timestamp())
    assert item["due_shard"] == keys.due_shard("a1")
    assert item["customer_key"] == f"T#{place.tenant}#CUST#{HANS.id}"
    assert item["start"].startswith(instant_text(SLOT.start)[:-1])
    assert "ttl" not in item, "an appointment is no garbage"


def test_a_request_key_lives_for_a_day(place: Place) -> None:
    place.start(wished("a1", SLOT))
    item = place.there(keys.request(place.tenant, "wish-a1"))
    assert item["ttl"] == int((NOW + timedelta(days=1)).timestamp())
    assert set(item) == {"pk", "sk", "appt", "ttl"}


def test_people_are_named_in_the_appointment_and_the_customers_record_only(place: Place) -> None:
    kept = offer("o1", SLOT)
    place.hold(kept)
    place.start(wished("o1", SLOT), hold=kept)
    place.confirm(wished("o1", SLOT))
    for item in place.all_items():
        kind = item["pk"].split("#")[2]
        text = repr(item)
        personal = [each for each in (HANS.name, HANS.email, HANS.phone or "") if each in text]
        assert bool(personal) is (kind in {"APPT", "CUSTOMER"}), item
