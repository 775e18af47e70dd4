"""An appointment of several parts on every engine: all of its intervals in one transaction, or none of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.adoptions import DynamoAdoptions
from bookend.application.ports import (
    Audit,
    BookingHasOwner,
    Changed,
    Confirmed,
    Held,
    Released,
    Started,
    StartLost,
    Superseded,
)
from bookend.domain.answers import Booking
from bookend.domain.appointment import Appointment, AppointmentState, BookedSegment, Told
from bookend.domain.availability import HOLD, Offer
from bookend.domain.timeslot import Slot
from tests.adapters.dynamodb.place import ALERT, HANS, NOW, UTE, Place, at, offer, wished

FIRST, GAP, SECOND = at("28T10:00", 45), at("28T10:45", 60), at("28T11:45", 30)
EVENT_TYPES = (3757749, 3757750)
AUDIT = Audit("part", "end_part", "uid0", "a1", {}, {}, "worker")


def perm(name: str = "a1", slots: tuple[Slot, ...] = (FIRST, SECOND), **changed: object) -> Appointment:
    segments = tuple(
        BookedSegment(number, "fabian", slot, kind)
        for number, (slot, kind) in enumerate(zip(slots, EVENT_TYPES, strict=True))
    )
    return replace(wished(name, slots[0]), service="dauerwelle", segments=segments, **changed)


def perm_offer(name: str = "a1", slots: tuple[Slot, ...] = (FIRST, SECOND)) -> Offer:
    return replace(offer(name, Slot(slots[0].start, slots[-1].end)), parts=slots)


def bookings(appointment: Appointment, *, minutes: tuple[int, ...] = (1, 1)) -> dict[int, Booking]:
    return {
        each.index: Booking(
            uid=f"uid{each.index}",
            id=13_000_001 + each.index,
            status="accepted",
            start=each.slot.start,
            end=each.slot.end,
            created_at=NOW,
            updated_at=NOW + timedelta(minutes=minutes[each.index]),
            host=28,
            event_type=each.event_type,
            attendees=(appointment.customer.email,),
            metadata={"op_id": appointment.op, "segment": str(each.index)},
        )
        for each in appointment.segments
    }


def confirm(place: Place, appointment: Appointment, **more: tuple[int, ...]) -> object:
    made = bookings(appointment, **more)
    return place.appointments.confirm(place.tenant, appointment, made, told=Told.BOOKED, now=place.clock.now())


OVER_MIDNIGHT = (at("28T23:30", 45), at("29T01:00", 30))


# START


@pytest.mark.parametrize("slots", [(FIRST, SECOND), OVER_MIDNIGHT], ids=["one day", "two days"])
@pytest.mark.parametrize("held", [True, False])
def test_start_takes_every_part_in_one_request(place: Place, slots: tuple[Slot, ...], held: bool) -> None:
    kept = perm_offer(slots=slots)
    if held:
        assert isinstance(place.hold(kept), Held)
    days = place.days("28", "29")
    place.client.requests.clear()
    assert place.start(perm(slots=slots), hold=kept if held else None, days=days) == Started()
    assert place.client.requests == {"transact_write_items": 1}
    taken = place.intervals("28") | place.intervals("29")
    assert taken == {"a1/0": "P", "a1/1": "P"}
    assert place.now_is("a1") == perm(slots=slots)


@pytest.mark.parametrize("number", [0, 1])
def test_a_start_on_a_hold_of_which_one_part_is_gone_writes_nothing(place: Place, number: int) -> None:
    """Each part's interval is a condition of its own: the other one does not stand for it."""
    kept = perm_offer()
    place.hold(kept)
    place.table.update(
        Key=keys.staff_day(place.tenant, "fabian", FIRST.start.date()),
        UpdateExpression="REMOVE #iv.#k",
        ExpressionAttributeNames={"#iv": "iv", "#k": f"a1/{number}"},
    )
    before = place.snapshot()
    assert place.start(perm(), hold=kept) == StartLost()
    assert place.snapshot() == before


def test_a_start_on_an_expired_hold_writes_nothing(place: Place) -> None:
    kept = perm_offer()
    place.hold(kept)
    place.clock.advance(HOLD.total_seconds())
    before = place.snapshot()
    assert place.start(perm(), hold=kept) == StartLost()
    assert place.snapshot() == before


def test_without_a_hold_the_callers_own_holds_on_either_part_are_given_back(place: Place) -> None:
    place.hold(offer("o1", SECOND), offer("o2", at("28T15:00")))
    assert place.start(perm(), freeing={"o1/0", "o2/0"}) == Started()
    assert place.intervals() == {"a1/0": "P", "a1/1": "P", "o2/0": "H"}


def test_another_may_start_in_the_gap(place: Place) -> None:
    place.start(perm())
    assert place.start(wished("b1", GAP, who=UTE)) == Started()
    assert place.intervals() == {"a1/0": "P", "a1/1": "P", "b1/0": "P"}


# CONFIRM, RELEASE, UNDO, OPEN


@pytest.mark.parametrize("slots", [(FIRST, SECOND), OVER_MIDNIGHT], ids=["one day", "two days"])
def test_confirm_takes_every_part_and_guards_every_uid_and_id(place: Place, slots: tuple[Slot, ...]) -> None:
    started = perm(slots=slots)
    place.start(started)
    assert confirm(place, started) == Confirmed()
    now_is = place.now_is("a1")
    assert now_is.state is AppointmentState.CONFIRMED
    assert [(each.uid, each.booking_id) for each in now_is.segments] == [("uid0", 13_000_001), ("uid1", 13_000_002)]
    assert place.intervals("28") | place.intervals("29") == {"a1/0": "C", "a1/1": "C"}
    for number in (0, 1):
        assert place.there(keys.booking_uid(place.tenant, f"uid{number}"))["appt"] == "a1"
        assert place.there(keys.booking_id(place.tenant, 13_000_001 + number))["appt"] == "a1"
    assert confirm(place, started) == Confirmed(), "the same again is the same"


def test_confirm_needs_every_partys_booking(place: Place) -> None:
    started = perm()
    place.start(started)
    one = {0: bookings(started)[0]}
    with pytest.raises(ValueError, match="only with its booking"):
        place.appointments.confirm(place.tenant, started, one, told=Told.BOOKED, now=NOW)


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("what", ["confirm", "release"])
def test_an_interval_that_is_not_ours_any_more_stops_the_whole(place: Place, number: int, what: str) -> None:
    started = perm()
    place.start(started)
    place.table.update(
        Key=keys.staff_day(place.tenant, "fabian", FIRST.start.date()),
        UpdateExpression="REMOVE #iv.#k",
        ExpressionAttributeNames={"#iv": "iv", "#k": f"a1/{number}"},
    )
    before = place.snapshot()
    outcome = confirm(place, started) if what == "confirm" else place.release(started)
    assert isinstance(outcome, Superseded)
    assert place.snapshot() == before


def test_release_frees_every_part(place: Place) -> None:
    started = perm()
    place.start(started)
    place.start(wished("b1", GAP, who=UTE))
    assert place.release(started) == Released()
    assert place.intervals() == {"b1/0": "P"}
    assert place.guard(started) is None


@pytest.mark.parametrize("number", [0, 1])
def test_who_owns_one_of_the_bookings_is_told_with_the_part_it_is(place: Place, number: int) -> None:
    other = wished("b1", at("28T15:00"), who=UTE)
    place.start(other)
    place.confirm(other, f"uid{number}", 13_000_001 + number)
    started = perm()
    place.start(started)
    before = place.snapshot()
    for outcome in (confirm(place, started), undo(place, started)):
        assert isinstance(outcome, BookingHasOwner)
        assert (outcome.appointment, outcome.segment) == ("b1", number)
    assert place.snapshot() == before


def undo(place: Place, appointment: Appointment, *parts: int, told: Told = Told.NOTHING) -> object:
    made = {index: each for index, each in bookings(appointment).items() if index in (parts or (0, 1))}
    return place.appointments.must_undo(
        place.tenant, appointment, made, why="taken", alert=None, told=told, now=place.clock.now()
    )


@pytest.mark.parametrize("parts", [(0,), (1,), (0, 1)])
def test_what_must_go_is_owned_and_its_times_stay_blocked(place: Place, parts: tuple[int, ...]) -> None:
    started = perm()
    place.start(started)
    assert undo(place, started, *parts) is True
    now_is = place.now_is("a1")
    assert (now_is.state, now_is.why, now_is.told) == (AppointmentState.COMPENSATING, "taken", Told.NOTHING)
    assert [each.uid for each in now_is.segments] == [f"uid{n}" if n in parts else None for n in (0, 1)]
    owned = [n for n in (0, 1) if place.item(keys.booking_uid(place.tenant, f"uid{n}")) is not None]
    assert owned == list(parts)
    assert place.intervals() == {"a1/0": "P", "a1/1": "P"}


def test_what_must_go_may_be_nothing_that_is_known_of(place: Place) -> None:
    started = perm()
    place.start(started)
    assert place.appointments.must_undo(place.tenant, started, {}, why="taken", alert=None, now=NOW) is True
    assert place.now_is("a1").state is AppointmentState.COMPENSATING


def test_a_release_without_a_message_is_refused_once_somebody_was_told_open(place: Place) -> None:
    started = perm()
    place.start(started)
    undo(place, started)
    undoing = replace(started, state=AppointmentState.COMPENSATING)
    noted = place.appointments.leave_open(place.tenant, undoing, why="x", answer="x", alert=ALERT, now=NOW)
    assert noted
    now_is = place.now_is("a1")
    assert (now_is.told, now_is.why) == (Told.PENDING, "taken"), "why it is undone stays"
    assert isinstance(place.release(started), Superseded)
    assert place.release(started, owes_text=True) == Released()


@pytest.mark.parametrize("state", [AppointmentState.PENDING, AppointmentState.FAILED])
def test_only_what_is_being_undone_is_told_of_as_that(place: Place, state: AppointmentState) -> None:
    started = perm()
    place.start(started)
    if state is AppointmentState.FAILED:
        place.release(started)
    undoing = replace(started, state=AppointmentState.COMPENSATING)
    before = place.snapshot()
    assert not place.appointments.leave_open(place.tenant, undoing, why="", answer="", alert=None, now=NOW)
    assert place.snapshot() == before


def test_what_is_known_while_the_rest_is_open_is_on_record(place: Place) -> None:
    started = perm()
    place.start(started)
    known = {1: bookings(started)[1]}
    assert place.appointments.leave_open(
        place.tenant, started, why="no clear answer", answer="", alert=None, now=NOW, bookings=known
    )
    now_is = place.now_is("a1")
    assert [each.uid for each in now_is.segments] == [None, "uid1"]
    assert now_is.state is AppointmentState.PENDING


# What others do to a part


@pytest.fixture
def adoptions(place: Place) -> DynamoAdoptions:
    return DynamoAdoptions(place.table)


def follow(place: Place, adoptions: DynamoAdoptions, after: Appointment, booking: Booking, **how: object) -> Changed:
    before = place.now_is("a1")
    touched = {(each.staff, d) for x in (before, after) for each in x.segments for d in each.slot.utc_days()}
    days = place.appointments.staff_days(place.tenant, touched)
    arguments: dict[str, object] = {"conflict": False, "alert": None, "audit": AUDIT, "now": NOW} | how
    return adoptions.follow(place.tenant, before, after, booking=booking, days=days, **arguments)  # type: ignore[arg-type]


def confirmed(place: Place, *, minutes: tuple[int, ...] = (1, 1)) -> Appointment:
    place.start(perm())
    confirm(place, perm(), minutes=minutes)
    return place.now_is("a1")


@pytest.mark.parametrize("number", [0, 1])
def test_a_part_that_goes_frees_its_time_and_the_other_stands(
    place: Place, adoptions: DynamoAdoptions, number: int
) -> None:
    before = confirmed(place)
    left = tuple(each for each in before.segments if each.index != number)
    gone = replace(bookings(before)[number], status="cancelled", updated_at=NOW + timedelta(hours=1))
    assert follow(place, adoptions, replace(before, segments=left), gone) is Changed.DONE
    now_is = place.now_is("a1")
    assert now_is.segments == left
    assert now_is.state is AppointmentState.CONFIRMED
    assert place.intervals() == {f"a1/{1 - number}": "C"}
    assert place.there(keys.booking_uid(place.tenant, f"uid{number}"))["appt"] == "a1", "its events find their home"
    assert place.there(keys.outbox(place.tenant, before.op))["kind"] == "booked", "it was not moved"
    guard = place.guard(now_is)
    assert guard is not None
    assert guard["appt"] == "a1"


def test_what_is_newer_of_one_part_does_not_hide_what_happened_to_the_other(
    place: Place, adoptions: DynamoAdoptions
) -> None:
    """The second part's last state is ten minutes younger than what is told of the first one now."""
    before = confirmed(place, minutes=(1, 20))
    assert [each.updated_at for each in before.segments] == [NOW + timedelta(minutes=1), NOW + timedelta(minutes=20)]
    first, second = before.segments
    moved = replace(first, slot=at("28T08:00", 45), uid="uid8", booking_id=13_000_008)
    seen = replace(bookings(before)[0], uid="uid8", updated_at=NOW + timedelta(minutes=10))
    assert follow(place, adoptions, replace(before, segments=(moved, second)), seen) is Changed.DONE
    assert place.intervals() == {"a1/0": "C", "a1/1": "C"}
    assert place.there(keys.booking_uid(place.tenant, "uid0"))["superseded_by"] == "uid8"
    assert place.now_is("a1").calendar_updated_at == NOW + timedelta(minutes=20)


def test_a_conflict_is_flagged_on_the_part_that_has_it_alone(place: Place, adoptions: DynamoAdoptions) -> None:
    before = confirmed(place)
    other = wished("b1", at("28T15:00"), who=UTE)
    place.start(other)
    place.confirm(other, "uid7", 13_000_007)
    first, second = before.segments
    moved = replace(second, slot=at("28T15:00", 30), uid="uid8", booking_id=13_000_008)
    seen = replace(bookings(before)[1], uid="uid8", updated_at=NOW + timedelta(minutes=10))
    after = replace(before, segments=(first, moved))
    assert follow(place, adoptions, after, seen, conflict=True, alert=ALERT) is Changed.DONE
    assert {key: each.conflict for key, each in place.day().intervals.items()} == {
        "a1/0": False,
        "a1/1": True,
        "b1/0": False,
    }


def test_where_a_part_was_moved_before_the_first_one_it_begins_there(place: Place, adoptions: DynamoAdoptions) -> None:
    before = confirmed(place)
    first, second = before.segments
    moved = replace(second, slot=at("27T15:00", 30), uid="uid8", booking_id=13_000_008)
    seen = replace(bookings(before)[1], uid="uid8", updated_at=NOW + timedelta(minutes=10))
    assert follow(place, adoptions, replace(before, segments=(first, moved)), seen) is Changed.DONE
    now_is = place.now_is("a1")
    assert now_is.slot == Slot(moved.slot.start, first.slot.end)
    assert datetime.fromisoformat(place.there(keys.appointment(place.tenant, "a1"))["start"]) == moved.slot.start
    assert place.guard(now_is) is not None
    assert now_is.customer == HANS
