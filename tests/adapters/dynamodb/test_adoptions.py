"""ADOPT, FOLLOW, END and FLAG on every engine: what each writes, and to whom it loses."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.adoptions import DynamoAdoptions
from bookend.adapters.dynamodb.items import to_wire
from bookend.application.ports import (
    Adopted,
    AdoptLost,
    Alert,
    Audit,
    BookingHasOwner,
    Changed,
    Confirmed,
    CustomerHasOne,
    Held,
    Started,
    TextSent,
)
from bookend.domain.answers import Booking
from bookend.domain.appointment import Appointment, AppointmentState, BookedSegment, Told
from bookend.domain.staff_day import StaffDays
from tests.adapters.dynamodb.place import HANS, NOW, UTE, Place, at, booked, offer, wished
from tests.adapters.dynamodb.test_tenants import another_instance
from tests.adapters.dynamodb.test_tenants import store as store_tenant
from tests.support.salon import EXAMPLE

SLOT, LATER, NEXT_DAY = at("28T10:00"), at("28T11:00"), at("29T10:00")
A1 = wished("a1", SLOT)
AUDIT = Audit("foreign", "adopt", "uid7", "web7", {}, {"state": "CONFIRMED"}, "worker")
CONFLICT = Alert("ConflictAdopted", {"appointment": "web7"})
EMMAS = (BookedSegment(0, "emma", SLOT, 3672814, "uid7", 13_000_007),)
KEPT_S = 400 * 86_400
MONTH_S = 30 * 86_400


@pytest.fixture
def adoptions(place: Place) -> DynamoAdoptions:
    return DynamoAdoptions(place.table)


def theirs(slot: Any = SLOT, uid: str = "uid7", number: int = 13_000_007, **changed: Any) -> Booking:
    """Somebody else's booking at Cal.com."""
    made = Booking(
        uid=uid,
        id=number,
        status="accepted",
        start=slot.start,
        end=slot.end,
        created_at=NOW,
        updated_at=NOW + timedelta(seconds=1),
        host=28,
        event_type=3672814,
        attendees=(UTE.email,),
    )
    return replace(made, **changed)


def adopted(slot: Any = SLOT, uid: str = "uid7", number: int = 13_000_007, name: str = "web7") -> Appointment:
    """The appointment it becomes."""
    return replace(
        wished(name, slot, who=UTE),
        state=AppointmentState.CONFIRMED,
        op=f"adopt-{uid}",
        segments=(BookedSegment(0, "fabian", slot, 3672814, uid, number),),
        source="calcom",
        call="",
        request="",
        lease=None,
        verified_at=NOW,
    )


def adopt(place: Place, adoptions: DynamoAdoptions, appointment: Appointment | None = None, **how: Any) -> Any:
    appointment = appointment or adopted()
    segment = appointment.segments[0]
    arguments: dict[str, Any] = {
        "booking": theirs(segment.slot, str(segment.uid), int(segment.booking_id or 0)),
        "days": how.get("days") or place.days(f"{segment.slot.start:%d}"),
        "conflict": False,
        "alert": None,
        "audit": AUDIT,
        "revives": None,
        "now": NOW,
    }
    return adoptions.adopt(place.tenant, appointment, **(arguments | how))


def confirmed(
    place: Place, appointment: Appointment = A1, uid: str = "uid1", number: int = 13_000_001, *, known: Any = None
) -> Appointment:
    """One of ours, committed; `known` is its customer's record, where there is one."""
    assert place.start(appointment, known=known) == Started()
    assert place.confirm(appointment, uid, number) == Confirmed()
    return place.now_is(appointment.id)


def kind(place: Place, name: str) -> list[dict[str, Any]]:
    return [each for each in place.snapshot() if f"#{name}" in each["pk"]]


# ADOPT


def test_an_adoption_is_one_request_and_writes_everything(place: Place, adoptions: DynamoAdoptions) -> None:
    days = place.days("28")
    place.client.requests.clear()
    assert adopt(place, adoptions, days=days) == Adopted()
    assert place.client.requests == {"transact_write_items": 1}
    now_is = place.now_is("web7")
    assert now_is == replace(adopted(), calendar_updated_at=NOW + timedelta(seconds=1))
    assert place.intervals() == {"web7/0": "C"}
    assert adoptions.owner(place.tenant, "uid7") == "web7"
    assert place.there(keys.booking_id(place.tenant, 13_000_007))["appt"] == "web7"
    (entry,) = kind(place, "AUDIT")
    assert (entry["repair"], entry["by"], entry["after"]) == ("adopt", "worker", {"state": "CONFIRMED"})
    assert entry["ttl"] == int(NOW.timestamp()) + KEPT_S
    assert kind(place, "OUT#") == kind(place, "ALERT") == []


def test_an_adopted_one_is_not_in_the_due_index(place: Place, adoptions: DynamoAdoptions) -> None:
    adopt(place, adoptions)
    assert list(place.due_work.due(now=NOW + timedelta(days=1), most=100)) == []


def test_an_adoption_voids_what_is_kept_of_the_stylists_slots(place: Place, adoptions: DynamoAdoptions) -> None:
    adopt(place, adoptions)
    assert place.there(keys.slots(place.tenant, "fabian"))["gen"] == 1


def test_the_same_adoption_again_has_an_owner_and_changes_nothing(place: Place, adoptions: DynamoAdoptions) -> None:
    adopt(place, adoptions)
    before = place.snapshot()
    assert adopt(place, adoptions) == BookingHasOwner("web7")
    assert place.snapshot() == before


@pytest.mark.parametrize(("uid", "number"), [("uid1", 13_000_007), ("uid7", 13_000_001)])
def test_a_uid_or_id_of_another_appointments_is_refused(
    place: Place, adoptions: DynamoAdoptions, uid: str, number: int
) -> None:
    confirmed(place)
    before = place.snapshot()
    assert adopt(place, adoptions, adopted(LATER, uid, number)) == BookingHasOwner("a1")
    assert place.snapshot() == before


def test_an_adoption_on_a_ledger_that_changed_is_lost(place: Place, adoptions: DynamoAdoptions) -> None:
    read = place.days("28")
    confirmed(place)
    before = place.snapshot()
    assert adopt(place, adoptions, days=read) == AdoptLost()
    assert place.snapshot() == before
    assert adopt(place, adoptions) == Adopted()


def test_it_is_admitted_where_it_overlaps_and_marked(place: Place, adoptions: DynamoAdoptions) -> None:
    confirmed(place)
    assert adopt(place, adoptions, conflict=True, alert=CONFLICT) == Adopted()
    assert place.intervals() == {"a1/0": "C", "web7/0": "C"}
    assert (place.interval("a1/0").conflict, place.interval("web7/0").conflict) == (False, True)
    (row,) = kind(place, "ALERT")
    assert (row["kind"], row["ttl"]) == ("ConflictAdopted", int(NOW.timestamp()) + KEPT_S)


def test_a_hold_in_its_way_is_dropped_and_its_owner_cannot_book_it(place: Place, adoptions: DynamoAdoptions) -> None:
    held = offer("o1", SLOT)
    beside = offer("o2", LATER)
    assert isinstance(place.hold(held, beside), Held)
    assert adopt(place, adoptions) == Adopted()
    assert place.intervals() == {"o2/0": "H", "web7/0": "C"}
    assert place.start(wished("o1", SLOT), hold=held) != Started()


def failed(place: Place, *, text: str) -> Appointment:
    """One of ours that was given up, and owes its caller a text."""
    place.start(A1)
    place.leave_open(A1)
    place.release(place.now_is("a1"), owes_text=True, told=Told.PENDING)
    key = keys.outbox(place.tenant, A1.op)
    row = place.store.client.get_item(TableName=place.name, Key=key)["Item"]
    place.store.client.put_item(TableName=place.name, Item=row | to_wire({"state": text}))
    return place.now_is("a1")


def test_a_late_booking_turns_the_text_that_nobody_has_sent(place: Place, adoptions: DynamoAdoptions) -> None:
    before = failed(place, text="NEW")
    assert (before.state, before.told) == (AppointmentState.FAILED, Told.PENDING)
    assert adopt(place, adoptions, replace(adopted(), customer=HANS), revives=before) == Adopted()
    row = place.there(keys.outbox(place.tenant, A1.op))
    assert (row["kind"], row["appt"], row["state"]) == ("booked", "web7", "NEW")
    assert row["ttl"] == int((NOW + timedelta(days=30)).timestamp())
    assert place.now_is("a1") == before


@pytest.mark.parametrize("text", ["SENT", "SENDING"])
def test_a_text_that_is_out_must_stay_true(place: Place, adoptions: DynamoAdoptions, text: str) -> None:
    before = failed(place, text=text)
    was = place.snapshot()
    assert adopt(place, adoptions, revives=before) == TextSent()
    assert place.snapshot() == was


def test_who_comes_second_to_a_late_booking_learns_who_has_it(place: Place, adoptions: DynamoAdoptions) -> None:
    before = failed(place, text="NEW")
    assert adopt(place, adoptions, revives=before) == Adopted()
    assert adopt(place, adoptions, revives=before) == BookingHasOwner("web7")


def test_a_late_booking_gets_the_guard_of_its_customer(place: Place, adoptions: DynamoAdoptions) -> None:
    before = failed(place, text="NEW")
    mine = replace(adopted(), customer=HANS)
    assert adopt(place, adoptions, mine, revives=before) == Adopted()
    guard = place.guard(mine)
    assert guard is not None
    assert guard["appt"] == "web7"


def test_a_late_booking_loses_to_what_its_customer_booked_meanwhile(place: Place, adoptions: DynamoAdoptions) -> None:
    before = failed(place, text="NEW")
    other = wished("a2", SLOT, staff="emma")
    assert place.start(other, known=HANS) == Started()
    was = place.snapshot()
    assert adopt(place, adoptions, replace(adopted(), customer=HANS), revives=before) == CustomerHasOne("a2")
    assert place.snapshot() == was


def test_what_was_claimed_to_be_cancelled_and_stays_changes_its_owner(place: Place, adoptions: DynamoAdoptions) -> None:
    before = failed(place, text="NEW")
    booking = theirs()
    assert adoptions.claim(place.tenant, before, booking, audit=replace(AUDIT, repair="cancel_orphan"), now=NOW)
    assert adopt(place, adoptions) == BookingHasOwner("a1")
    assert adopt(place, adoptions, keeps=before) == Adopted()
    assert adoptions.owner(place.tenant, "uid7") == "web7"
    assert (place.now_is("a1"), place.intervals()) == (before, {"web7/0": "C"})
    assert message(place) == ("not_booked", "a1")


def test_only_the_one_it_was_claimed_for_gives_its_booking_away(place: Place, adoptions: DynamoAdoptions) -> None:
    before = failed(place, text="NEW")
    confirmed(place, wished("a2", LATER), "uid7", known=HANS)
    was = place.snapshot()
    assert adopt(place, adoptions, keeps=before) == BookingHasOwner("a2")
    assert place.snapshot() == was


def test_what_a_customer_has_within_a_time_is_found_with_whomever_it_is(
    place: Place, adoptions: DynamoAdoptions
) -> None:
    before = failed(place, text="NEW")
    assert list(adoptions.overlapping(place.tenant, HANS.id, SLOT)) == [], "what failed is none"
    place.start(wished("a2", at("28T10:15"), staff="emma"), known=HANS)
    place.start(wished("a3", LATER), known=HANS)
    place.start(wished("a4", at("28T09:00")), known=HANS)
    assert list(adoptions.overlapping(place.tenant, HANS.id, before.slot)) == ["a2"]
    assert list(adoptions.overlapping(place.tenant, UTE.id, SLOT)) == []


def test_what_goes_on_has_the_message_of_what_ended_too_early(place: Place, adoptions: DynamoAdoptions) -> None:
    before = confirmed(place)
    assert end(place, adoptions, before)
    assert message(place) == ("cancelled", "a1")
    on = replace(adopted(LATER), customer=HANS, source="phone")
    assert adopt(place, adoptions, on, restores=place.now_is("a1")) == Adopted()
    assert message(place) == ("moved", "web7")
    assert place.guard(on) is not None


@pytest.mark.parametrize(("sent", "owed"), [("cancelled", 1), ("booked", 0)])
def test_who_was_sent_that_it_is_cancelled_is_owed_another_message_when_it_goes_on(
    place: Place, adoptions: DynamoAdoptions, sent: str, owed: int
) -> None:
    before = confirmed(place)
    if sent == "booked":
        set_message(place, state="SENT")
    assert end(place, adoptions, before)
    set_message(place, state="SENT")
    on = replace(adopted(LATER), customer=HANS, source="phone")
    assert adopt(place, adoptions, on, restores=place.now_is("a1")) == Adopted()
    assert message(place) == (sent, "a1")
    fresh = [each for each in kind(place, "OUT#") if each["appt"] == "web7"]
    assert [(each["kind"], each["state"]) for each in fresh] == [("booked", "NEW")] * owed


# FOLLOW


def moved(before: Appointment, slot: Any, **segment: Any) -> Appointment:
    return replace(before, segments=(replace(before.segments[0], slot=slot, **segment),))


def follow(place: Place, adoptions: DynamoAdoptions, before: Appointment, after: Appointment, **how: Any) -> Changed:
    new = after.segments[0]
    touched = {(each.staff, d) for x in (before, after) for each in x.segments for d in each.slot.utc_days()}
    arguments: dict[str, Any] = {
        "booking": theirs(new.slot, str(new.uid), int(new.booking_id or 0), updated_at=NOW + timedelta(minutes=1)),
        "days": place.appointments.staff_days(place.tenant, touched),
        "conflict": False,
        "alert": None,
        "audit": replace(AUDIT, drift="start", repair="follow", booking=str(new.uid), appointment=before.id),
        "now": NOW + timedelta(minutes=2),
    }
    return adoptions.follow(place.tenant, before, after, **(arguments | how))


def test_a_move_takes_the_old_time_back_and_the_new_one_in_one_request(
    place: Place, adoptions: DynamoAdoptions
) -> None:
    before = confirmed(place)
    after = moved(before, NEXT_DAY, uid="uid2", booking_id=13_000_002)
    assert follow(place, adoptions, before, after) is Changed.DONE
    now_is = place.now_is("a1")
    assert (now_is.slot, now_is.state, now_is.version) == (NEXT_DAY, AppointmentState.CONFIRMED, before.version + 1)
    assert now_is.calendar_updated_at == NOW + timedelta(minutes=1)
    assert place.there(keys.appointment(place.tenant, "a1"))["start"].startswith("2025-10-29T10:00")
    assert (place.intervals("28"), place.intervals("29")) == ({}, {"a1/0": "C"})
    (entry,) = kind(place, "AUDIT")
    assert entry["repair"] == "follow"


def test_the_old_uid_still_leads_to_it_and_says_what_followed(place: Place, adoptions: DynamoAdoptions) -> None:
    before = confirmed(place)
    follow(place, adoptions, before, moved(before, NEXT_DAY, uid="uid2", booking_id=13_000_002))
    assert adoptions.owners(place.tenant, ["uid1", "uid2", "uid3"]) == {"uid1": "a1", "uid2": "a1"}
    assert place.there(keys.booking_uid(place.tenant, "uid1"))["superseded_by"] == "uid2"


def test_the_customers_guard_moves_with_it(place: Place, adoptions: DynamoAdoptions) -> None:
    before = confirmed(place)
    after = moved(before, NEXT_DAY)
    follow(place, adoptions, before, after)
    assert place.guard(before) is None
    guard = place.guard(after)
    assert guard is not None
    assert guard["appt"] == "a1"


def test_where_the_customer_has_one_already_it_is_followed_without_a_guard(
    place: Place, adoptions: DynamoAdoptions
) -> None:
    before = confirmed(place)
    other = confirmed(place, wished("a2", NEXT_DAY, staff="emma"), "uid2", 13_000_002, known=HANS)
    assert place.guard(other) is not None
    assert follow(place, adoptions, before, moved(before, NEXT_DAY)) is Changed.DONE
    assert place.guard(before) is None
    guard = place.guard(other)
    assert guard is not None
    assert guard["appt"] == "a2"


def test_a_change_of_length_keeps_guard_and_uid(place: Place, adoptions: DynamoAdoptions) -> None:
    before = confirmed(place)
    assert follow(place, adoptions, before, moved(before, at("28T10:00", 45))) is Changed.DONE
    assert place.interval("a1/0").slot == at("28T10:00", 45)
    assert place.guard(before) is not None
    assert "superseded_by" not in place.there(keys.booking_uid(place.tenant, "uid1"))


def test_another_stylist_has_it_and_the_first_has_not(place: Place, adoptions: DynamoAdoptions) -> None:
    before = confirmed(place)
    assert follow(place, adoptions, before, moved(before, SLOT, staff="emma")) is Changed.DONE
    assert (place.intervals("28"), place.intervals("28", "emma")) == ({}, {"a1/0": "C"})
    for staff in ("fabian", "emma"):
        assert place.there(keys.slots(place.tenant, staff))["gen"] >= 1


def test_a_change_on_a_ledger_that_changed_is_to_be_looked_at_again(place: Place, adoptions: DynamoAdoptions) -> None:
    before = confirmed(place)
    read = place.days("28", "29")
    confirmed(place, wished("a2", LATER, who=UTE), "uid2", 13_000_002)
    was = place.snapshot()
    assert follow(place, adoptions, before, moved(before, NEXT_DAY), days=read) is Changed.LEDGER_CHANGED
    assert place.snapshot() == was
    assert follow(place, adoptions, before, moved(before, NEXT_DAY)) is Changed.DONE


def test_the_second_of_two_changes_has_to_decide_anew(place: Place, adoptions: DynamoAdoptions) -> None:
    before = confirmed(place)
    assert follow(place, adoptions, before, moved(before, LATER)) is Changed.DONE
    was = place.snapshot()
    assert follow(place, adoptions, before, moved(before, NEXT_DAY)) is Changed.APPOINTMENT_MOVED_ON
    assert place.snapshot() == was


def test_what_is_older_than_what_is_known_changes_nothing(place: Place, adoptions: DynamoAdoptions) -> None:
    before = confirmed(place)
    follow(place, adoptions, before, moved(before, LATER))
    newer = place.now_is("a1")
    was = place.snapshot()
    older = theirs(SLOT, "uid1", 13_000_001, updated_at=NOW)
    assert follow(place, adoptions, newer, moved(newer, SLOT), booking=older) is Changed.APPOINTMENT_MOVED_ON
    audit = replace(AUDIT, repair="end")
    assert not adoptions.end(place.tenant, newer, booking=older, audit=audit, now=NOW)
    assert place.snapshot() == was


def test_a_booking_of_anothers_is_never_followed(place: Place, adoptions: DynamoAdoptions) -> None:
    before = confirmed(place)
    confirmed(place, wished("a2", LATER, who=UTE), "uid2", 13_000_002)
    was = place.snapshot()
    after = moved(before, NEXT_DAY, uid="uid2", booking_id=13_000_002)
    assert follow(place, adoptions, before, after) is Changed.APPOINTMENT_MOVED_ON
    assert place.snapshot() == was


# END


def end(place: Place, adoptions: DynamoAdoptions, appointment: Appointment, **changed: Any) -> bool:
    booking = theirs(SLOT, "uid1", 13_000_001, status="cancelled", **changed)
    audit = replace(AUDIT, drift="ghost_here", repair="end", booking="uid1", appointment=appointment.id)
    return adoptions.end(place.tenant, appointment, booking=booking, audit=audit, now=NOW)


def test_an_end_frees_the_time_and_the_guard_and_keeps_the_uid(place: Place, adoptions: DynamoAdoptions) -> None:
    before = confirmed(place)
    assert end(place, adoptions, before)
    now_is = place.now_is("a1")
    assert (now_is.state, now_is.why) == (AppointmentState.CANCELLED, "cancelled_there")
    assert (place.intervals(), place.guard(before)) == ({}, None)
    assert adoptions.owner(place.tenant, "uid1") == "a1"
    (entry,) = kind(place, "AUDIT")
    assert (entry["repair"], entry["ttl"]) == ("end", int(NOW.timestamp()) + KEPT_S)


def test_a_second_end_changes_nothing(place: Place, adoptions: DynamoAdoptions) -> None:
    before = confirmed(place)
    assert end(place, adoptions, before)
    was = place.snapshot()
    assert not end(place, adoptions, before)
    assert not end(place, adoptions, place.now_is("a1"))
    assert place.snapshot() == was


def test_an_end_loses_to_a_move_that_was_faster(place: Place, adoptions: DynamoAdoptions) -> None:
    before = confirmed(place)
    assert follow(place, adoptions, before, moved(before, LATER)) is Changed.DONE
    was = place.snapshot()
    assert not end(place, adoptions, before, updated_at=NOW + timedelta(hours=1))
    assert place.snapshot() == was


def test_an_end_takes_nobody_elses_guard(place: Place, adoptions: DynamoAdoptions) -> None:
    before = confirmed(place)
    key = keys.customer_guard(place.tenant, HANS.id, SLOT.start, A1.service)
    place.store.client.put_item(TableName=place.name, Item=key | to_wire({"appt": "a9"}))
    assert end(place, adoptions, before)
    assert place.there(key)["appt"] == "a9"


def test_an_end_on_a_ledger_that_changes_meanwhile_is_written_all_the_same(
    place: Place, adoptions: DynamoAdoptions
) -> None:
    """It is decided by the appointment, and written on the day as it is then."""
    before = confirmed(place)
    inner = adoptions._table.get_all
    others: list[Any] = []

    def overtaken(wanted: Any) -> Any:
        found = inner(wanted)
        if not others:
            others.append("begun")
            others.append(place.start(wished("a2", LATER, who=UTE)))
        return found

    adoptions._table.get_all = overtaken  # type: ignore[method-assign]
    assert end(place, adoptions, before)
    assert place.intervals() == {"a2/0": "P"}


def test_with_the_end_of_one_the_other_is_no_conflict_any_more(place: Place, adoptions: DynamoAdoptions) -> None:
    before = confirmed(place)
    assert adopt(place, adoptions, conflict=True, alert=CONFLICT) == Adopted()
    assert place.interval("web7/0").conflict
    assert end(place, adoptions, before)
    assert place.intervals() == {"web7/0": "C"}
    assert not place.interval("web7/0").conflict


def test_with_the_move_of_one_the_other_is_no_conflict_any_more(place: Place, adoptions: DynamoAdoptions) -> None:
    before = confirmed(place)
    assert adopt(place, adoptions, conflict=True, alert=CONFLICT) == Adopted()
    assert follow(place, adoptions, before, moved(before, LATER)) is Changed.DONE
    assert not place.interval("web7/0").conflict


def test_a_conflict_that_stands_stays_flagged(place: Place, adoptions: DynamoAdoptions) -> None:
    before = confirmed(place)
    assert adopt(place, adoptions, conflict=True, alert=CONFLICT) == Adopted()
    assert follow(place, adoptions, before, moved(before, at("28T09:45", 45))) is Changed.DONE
    assert place.interval("web7/0").conflict


# LINK


def test_nobody_is_given_a_second_appointment_of_the_same_time(place: Place, adoptions: DynamoAdoptions) -> None:
    confirmed(place)
    assert adopt(place, adoptions, replace(adopted(slot=SLOT), segments=EMMAS)) == Adopted()
    before, was = place.now_is("web7"), place.snapshot()
    after = replace(before, customer=HANS)
    assert adoptions.link(place.tenant, before, after, audit=AUDIT, now=NOW) == CustomerHasOne("a1")
    assert place.snapshot() == was


# The message that nobody has sent yet


def message(place: Place) -> tuple[str, str]:
    """Its kind, and whose it is."""
    row = place.there(keys.outbox(place.tenant, A1.op))
    return row["kind"], row["appt"]


def set_message(place: Place, **changes: str) -> None:
    key = keys.outbox(place.tenant, A1.op)
    row = place.store.client.get_item(TableName=place.name, Key=key)["Item"]
    place.store.client.put_item(TableName=place.name, Item=row | to_wire(changes))


@pytest.mark.parametrize(
    ("told", "state", "kind_"),
    [
        ("booked", "NEW", "cancelled"),
        ("pending", "NEW", "not_booked"),
        ("booked", "SENT", "booked"),
        ("booked", "SENDING", "booked"),
    ],
)
def test_with_the_end_the_message_says_what_is_true(
    place: Place, adoptions: DynamoAdoptions, told: str, state: str, kind_: str
) -> None:
    before = confirmed(place)
    set_message(place, told=told, state=state)
    assert end(place, adoptions, before)
    assert message(place) == (kind_, "a1")


@pytest.mark.parametrize(
    ("told", "state", "kind_"), [("booked", "NEW", "moved"), ("pending", "NEW", "booked"), ("booked", "SENT", "booked")]
)
def test_with_a_move_the_message_says_what_is_true(
    place: Place, adoptions: DynamoAdoptions, told: str, state: str, kind_: str
) -> None:
    before = confirmed(place)
    set_message(place, told=told, state=state)
    assert follow(place, adoptions, before, moved(before, LATER)) is Changed.DONE
    assert message(place) == (kind_, "a1")


def test_who_was_told_that_it_moved_has_it_to_lose(place: Place, adoptions: DynamoAdoptions) -> None:
    before = confirmed(place)
    set_message(place, told="pending", kind="moved")
    assert end(place, adoptions, before)
    assert message(place) == ("cancelled", "a1")


def test_a_change_of_length_says_nothing_new(place: Place, adoptions: DynamoAdoptions) -> None:
    before = confirmed(place)
    assert follow(place, adoptions, before, moved(before, at("28T10:00", 45))) is Changed.DONE
    assert message(place) == ("booked", "a1")


def test_the_message_of_a_revived_one_is_found_by_what_its_booking_names(
    place: Place, adoptions: DynamoAdoptions
) -> None:
    before = failed(place, text="NEW")
    assert adopt(place, adoptions, replace(adopted(), customer=HANS), revives=before) == Adopted()
    gone = theirs(status="cancelled", metadata={"op_id": A1.op}, updated_at=NOW + timedelta(minutes=1))
    audit = replace(AUDIT, repair="end")
    assert adoptions.end(place.tenant, place.now_is("web7"), booking=gone, audit=audit, now=NOW)
    assert message(place) == ("not_booked", "web7")


# What is written down


def test_an_orphan_is_claimed_and_written_down_before_it_is_cancelled(place: Place, adoptions: DynamoAdoptions) -> None:
    gone, (orphan,) = failed(place, text="SENT"), booked(A1, "uid7").values()

    def claim(audit: Audit = AUDIT, now: datetime = NOW) -> bool:
        return adoptions.claim(place.tenant, gone, orphan, audit=audit, now=now)

    assert claim()
    assert claim(), "again, after a cancellation that failed"
    assert adoptions.owner(place.tenant, "uid7") == gone.id
    assert len(kind(place, "AUDIT")) == 1, "the same repair at the same instant is one entry"
    assert claim(replace(AUDIT, before={"state": "FAILED"}))
    assert claim(now=NOW + timedelta(seconds=1))
    entries = kind(place, "AUDIT")
    assert len(entries) == 3
    assert all(each["ttl"] > NOW.timestamp() + KEPT_S - 1 for each in entries)


def test_what_somebody_has_taken_over_is_not_claimed(place: Place, adoptions: DynamoAdoptions) -> None:
    before = confirmed(place)
    (booking,) = booked(before, before.segments[0].uid or "").values()
    other = wished("a2", at("28T12:00"), who=UTE)
    state = place.snapshot()
    assert not adoptions.claim(place.tenant, other, booking, audit=AUDIT, now=NOW)
    assert place.snapshot() == state


def test_a_difference_is_put_before_a_person_once_a_month(place: Place, adoptions: DynamoAdoptions) -> None:
    def flag(after: timedelta, about: str = "end-uid7") -> bool:
        return adoptions.flag(place.tenant, CONFLICT, about=about, now=NOW + after)

    assert flag(timedelta(0))
    before = place.snapshot()
    assert not flag(timedelta(days=1))
    assert not flag(timedelta(days=30))
    assert place.snapshot() == before
    assert flag(timedelta(days=30, seconds=1)), "the service removes what has expired days late"
    assert flag(timedelta(0), about="end-uid8")
    assert len(kind(place, "ALERT")) == 3
    assert all("ttl" in each for each in (*kind(place, "ALERT"), *kind(place, "FLAG#")))
    assert place.there(keys.flag(place.tenant, "end-uid8"))["ttl"] == int(NOW.timestamp()) + MONTH_S


# Many at once


def test_owners_of_many_uids_come_in_as_few_requests_as_there_can_be(place: Place, adoptions: DynamoAdoptions) -> None:
    for number in range(130):
        key = keys.booking_uid(place.tenant, f"u{number:03d}")
        place.store.client.put_item(TableName=place.name, Item=key | to_wire({"appt": f"a{number}", "seg": 0}))
    asked = [f"u{number:03d}" for number in range(150)]
    found = adoptions.owners(place.tenant, [*asked, *asked[:20]])
    assert found == {f"u{number:03d}": f"a{number}" for number in range(130)}
    assert place.client.requests["batch_get_item"] == 2
    assert adoptions.owners(place.tenant, []) == {}


def test_several_appointments_are_those_that_exist(place: Place) -> None:
    confirmed(place)
    place.start(wished("a2", LATER, who=UTE))
    found = place.appointments.several(place.tenant, {"a1", "a2", "nobody"})
    assert found == {"a1": place.now_is("a1"), "a2": place.now_is("a2")}
    assert place.appointments.several(place.tenant, set()) == {}


def test_staff_days_that_nobody_wrote_are_empty_and_at_hand(place: Place) -> None:
    days = place.appointments.staff_days(place.tenant, {("fabian", SLOT.start.date()), ("udo", SLOT.start.date())})
    assert isinstance(days, StaffDays)
    assert [(each.version, dict(each.intervals)) for each in days.days.values()] == [(0, {}), (0, {})]


def test_every_tenant_is_listed_once_however_often_it_is_stored(place: Place) -> None:
    tenants = another_instance(place)
    assert list(tenants.every()) == []
    for name in ("b", "a", "b"):
        staff = [each | {"calcom_user": each["calcom_user"] + 100 * ord(name)} for each in EXAMPLE_STAFF]
        store_tenant(tenants, id=name, agents=[f"agent_{name}"], branches=_branches(name), staff=staff)
    assert list(tenants.every()) == ["a", "b"]
    assert list(another_instance(place).every()) == ["a", "b"]


EXAMPLE_STAFF = json.loads(EXAMPLE.read_bytes())["staff"]


def _branches(name: str) -> list[dict[str, Any]]:
    """The example's, without the numbers that only one tenant can have."""
    return [
        {"id": "mitte", "name": f"{name} Mitte", "phone_numbers": [], "agents": [f"agent_{name}_mitte"]},
        {"id": "west", "name": f"{name} West", "phone_numbers": [], "agents": [f"agent_{name}_west"]},
    ]
