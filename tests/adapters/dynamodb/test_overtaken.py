"""What others write between the reading of a row and the write that rests on it: whoever comes second gives way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.adoptions import DynamoAdoptions
from bookend.adapters.dynamodb.changes import DynamoChanges
from bookend.adapters.dynamodb.imports import DynamoDuplicates
from bookend.adapters.dynamodb.items import staff_day_to_item, to_wire
from bookend.adapters.dynamodb.transact import Table
from bookend.application.ports import Adopted, AdoptLost, Alert, Begun, Changed, Confirmed, Started, TextSent
from bookend.domain.appointment import Appointment, AppointmentState, ChangeKind, Told
from tests.adapters.dynamodb.place import HANS, NOW, UTE, Place, at, wished
from tests.adapters.dynamodb.test_adoptions import (
    A1,
    AUDIT,
    LATER,
    NEXT_DAY,
    SLOT,
    adopt,
    adopted,
    confirmed,
    end,
    failed,
    follow,
    message,
    moved,
    set_message,
)
from tests.adapters.dynamodb.test_changes import begin, cancelling, stands, there, to
from tests.adapters.dynamodb.test_parts import confirm as confirm_parts
from tests.adapters.dynamodb.test_parts import perm

JOIN, GONE = replace(AUDIT, repair="join"), replace(AUDIT, repair="end_duplicate")


class Overtaken:
    """A client whose next transaction comes after what somebody else does: all was read, nothing is written yet."""

    def __init__(self, client: Any, others: Callable[[], object]) -> None:
        self._client = client
        self._others = [others]

    def __getattr__(self, name: str) -> Any:
        if name == "transact_write_items" and self._others:
            self._others.pop()()
        return getattr(self._client, name)


def overtaken(place: Place, others: Callable[[], object]) -> Table:
    return Table(Overtaken(place.store.client, others), place.name, clock=place.clock)


def put(place: Place, key: dict[str, Any], **changes: Any) -> None:
    row = place.store.client.get_item(TableName=place.name, Key=key).get("Item", key)
    place.store.client.put_item(TableName=place.name, Item=row | to_wire(changes))


# The message that nobody has sent yet


def _moves(place: Place, adoptions: DynamoAdoptions, before: Appointment) -> bool:
    return follow(place, adoptions, before, moved(before, LATER)) is Changed.DONE


@pytest.mark.parametrize("they", [end, _moves])
def test_a_message_that_begins_to_be_sent_meanwhile_is_left_as_it_is(place: Place, they: Callable[..., bool]) -> None:
    """Whoever sends it has decided what to say; told anew under their hands, nobody would know what was said."""
    before = confirmed(place)
    adoptions = DynamoAdoptions(overtaken(place, lambda: set_message(place, state="SENDING")))
    they(place, adoptions, before)
    assert place.there(keys.outbox(place.tenant, A1.op))["state"] == "SENDING"
    assert message(place) == ("booked", "a1")
    assert "overtaken" not in place.there(keys.outbox(place.tenant, A1.op))


def test_a_message_that_becomes_anothers_meanwhile_is_told_of_that_one(place: Place) -> None:
    before = confirmed(place)
    adoptions = DynamoAdoptions(overtaken(place, lambda: set_message(place, appt="a2")))
    assert end(place, adoptions, before)
    assert place.now_is("a1").state is AppointmentState.CANCELLED
    assert message(place) == ("booked", "a2")


def test_a_message_that_is_anothers_by_now_is_not_turned_for_a_late_booking(place: Place) -> None:
    before = failed(place, text="NEW")
    set_message(place, appt="a2")
    was = place.snapshot()
    assert adopt(place, DynamoAdoptions(place.table), revives=before) == TextSent()
    assert place.snapshot() == was


@pytest.mark.parametrize("how", ["moved", "cancelled"])
def test_a_change_ends_though_an_earlier_message_begins_to_be_sent_meanwhile(place: Place, how: str) -> None:
    appointment = stands(place)
    kind = ChangeKind.MOVE if how == "moved" else ChangeKind.CANCEL
    outcome = begin(place, appointment, to(appointment, LATER) if kind is ChangeKind.MOVE else cancelling())
    assert isinstance(outcome, Begun)
    changes = DynamoChanges(overtaken(place, lambda: set_message(place, state="SENDING")))
    if how == "moved":
        assert changes.moved(place.tenant, outcome.appointment, {0: there()}, told=Told.DONE, audit=None, now=NOW)
    else:
        assert changes.cancelled(place.tenant, outcome.appointment, booking=None, told=Told.DONE, audit=None, now=NOW)
    assert place.now_is("a1").last_change is not None
    assert place.there(keys.outbox(place.tenant, A1.op))["state"] == "SENDING"
    assert place.guard(A1) is None


# The appointment


def test_a_part_is_never_followed_over_a_newer_appointment(place: Place) -> None:
    """Each part is changed by itself: what was made of the other one meanwhile would be written over."""
    assert place.start(perm()) == Started()
    assert confirm_parts(place, perm()) == Confirmed()
    before, adoptions = place.now_is("a1"), DynamoAdoptions(place.table)
    first, second = before.segments
    later = replace(before, segments=(first, replace(second, slot=at("28T13:00"))))
    assert follow(place, adoptions, before, later, audit=replace(AUDIT, booking="uid1")) is Changed.DONE
    was = place.snapshot()
    earlier = replace(before, segments=(replace(first, slot=at("28T09:00", 45)), second))
    assert follow(place, adoptions, before, earlier) is Changed.APPOINTMENT_MOVED_ON
    assert place.snapshot() == was
    now_is = place.now_is("a1")
    both = replace(now_is, segments=(earlier.segments[0], now_is.segments[1]))
    assert follow(place, adoptions, now_is, both) is Changed.DONE
    assert [each.slot for each in place.now_is("a1").segments] == [at("28T09:00", 45), at("28T13:00")]


def test_nobody_is_made_the_customer_of_an_appointment_that_has_changed(place: Place) -> None:
    adoptions = DynamoAdoptions(place.table)
    before = confirmed(place)
    after = replace(before, customer=UTE)
    assert follow(place, adoptions, before, moved(before, NEXT_DAY)) is Changed.DONE
    was = place.snapshot()
    assert adoptions.link(place.tenant, before, after, audit=AUDIT, now=NOW) == AdoptLost()
    assert place.snapshot() == was
    now_is = place.now_is("a1")
    assert adoptions.link(place.tenant, now_is, replace(now_is, customer=UTE), audit=AUDIT, now=NOW) == Adopted()
    assert place.now_is("a1").customer == UTE


@pytest.mark.parametrize("ends", ["release", "must_undo", "postpone"])
def test_an_operation_is_ended_by_itself_alone(place: Place, ends: str) -> None:
    """Its appointment is another operation's by now."""
    assert place.start(A1) == Started()
    read = place.now_is("a1")
    put(place, keys.appointment(place.tenant, "a1"), op="op-later")
    was = place.snapshot()
    match ends:
        case "release":
            place.release(read, owes_text=True)
        case "must_undo":
            place.must_undo(read)
        case _:
            place.appointments.postpone(place.tenant, read, until=NOW + timedelta(hours=1), absent=None)
    assert place.snapshot() == was


# What is put before a person


def test_what_somebody_opens_a_case_of_meanwhile_is_flagged_all_the_same(place: Place) -> None:
    alert = Alert("Drift", {"drift": "end", "booking_uid": "uid7"})
    key = keys.case(place.tenant, "end-uid7")
    adoptions = DynamoAdoptions(overtaken(place, lambda: put(place, key, state="REVIEW", by="hand")))
    assert adoptions.flag(place.tenant, alert, about="end-uid7", now=NOW)
    assert place.item(keys.flag(place.tenant, "end-uid7")) is not None
    assert place.there(key)["by"] == "hand"


# Whose it is


@pytest.mark.parametrize("guard", ["uid", "id"])
def test_parts_are_not_gathered_from_who_has_nothing_to_do_with_it(place: Place, guard: str) -> None:
    """Two appointments become one; a booking of theirs is a third one's by now."""
    adoptions = DynamoAdoptions(place.table)
    assert adopt(place, adoptions) == Adopted()
    other = adopted(LATER, "uid8", 13_000_008, "web8")
    assert adopt(place, adoptions, other, audit=replace(AUDIT, booking="uid8")) == Adopted()
    first, second = place.now_is("web7"), place.now_is("web8")
    key = keys.booking_uid(place.tenant, "uid8") if guard == "uid" else keys.booking_id(place.tenant, 13_000_008)
    put(place, key, appt="stranger")
    was = place.snapshot()
    whole = replace(first, segments=(*first.segments, replace(second.segments[0], index=1)))
    assert not adoptions.gather(place.tenant, first, whole, [second], audit=JOIN, now=NOW)
    assert place.snapshot() == was
    put(place, key, appt="web8")
    assert adoptions.gather(place.tenant, first, whole, [second], audit=JOIN, now=NOW)
    assert adoptions.owner(place.tenant, "uid8") == "web7"


def two_of_hers(place: Place) -> tuple[Appointment, Appointment, Appointment]:
    """Hers at eleven, hers at ten, and the first as the whole that both will be."""
    adoptions = DynamoAdoptions(place.table)
    earlier = adopted(SLOT, "uid8", 13_000_008, "web8")
    assert adopt(place, adoptions, adopted(LATER)) == Adopted()
    assert adopt(place, adoptions, earlier, audit=replace(AUDIT, booking="uid8")) == Adopted()
    first, second = place.now_is("web7"), place.now_is("web8")
    return first, second, replace(first, segments=(second.segments[0], replace(first.segments[0], index=1)))


def test_parts_are_gathered_though_others_write_their_day_meanwhile(place: Place) -> None:
    first, second, whole = two_of_hers(place)
    theirs = wished("b1", at("28T15:00"), who=HANS)
    adoptions = DynamoAdoptions(overtaken(place, lambda: place.start(theirs)))
    assert adoptions.gather(place.tenant, first, whole, [second], audit=JOIN, now=NOW)
    assert place.intervals() == {"web7/0": "C", "web7/1": "C", "b1/0": "P"}
    now_is, gone = place.now_is("web7"), place.now_is("web8")
    assert (now_is.segments, now_is.version) == (whole.segments, first.version + 1)
    assert (gone.state, gone.version) == (AppointmentState.CANCELLED, second.version + 1)


@pytest.mark.parametrize("name", ["web7", "web8"])
def test_what_is_being_changed_is_not_gathered(place: Place, name: str) -> None:
    first, second, whole = two_of_hers(place)
    put(place, keys.appointment(place.tenant, name), state="MOVING")
    was = place.snapshot()
    assert not DynamoAdoptions(place.table).gather(place.tenant, first, whole, [second], audit=JOIN, now=NOW)
    assert place.snapshot() == was


@pytest.mark.parametrize(("meanwhile", "whose"), [("web8", "web7"), ("stranger", "stranger")])
def test_the_time_of_a_whole_is_not_taken_from_whoever_has_it_meanwhile(
    place: Place, meanwhile: str, whose: str
) -> None:
    first, second, whole = two_of_hers(place)
    key = keys.customer_guard(place.tenant, UTE.id, SLOT.start, A1.service)
    put(place, key, appt="web8")
    adoptions = DynamoAdoptions(overtaken(place, lambda: put(place, key, appt=meanwhile)))
    assert adoptions.gather(place.tenant, first, whole, [second], audit=JOIN, now=NOW)
    assert place.there(key)["appt"] == whose


@pytest.mark.parametrize("flagged", ["web7", "web8", "b1"])
def test_a_conflict_goes_with_the_part_that_has_it(place: Place, flagged: str) -> None:
    """What is another's in that time is no conflict of theirs."""
    first, second, whole = two_of_hers(place)
    other = replace(adopted(SLOT, "uid9", 13_000_009, "b1"), customer=HANS)
    assert adopt(place, DynamoAdoptions(place.table), other, audit=replace(AUDIT, booking="uid9")) == Adopted()
    day = place.day()
    marked = {key: replace(each, conflict=key == f"{flagged}/0") for key, each in day.intervals.items()}
    place.store.client.put_item(
        TableName=place.name, Item=staff_day_to_item(place.tenant, replace(day, intervals=marked))
    )
    assert DynamoAdoptions(place.table).gather(place.tenant, first, whole, [second], audit=JOIN, now=NOW)
    conflicts = [key for key, each in place.day().intervals.items() if each.conflict]
    assert conflicts == [{"web7": "web7/1", "web8": "web7/0", "b1": "b1/0"}[flagged]]


def test_the_guard_of_a_duplicates_time_that_is_anothers_meanwhile_stays_theirs(place: Place) -> None:
    duplicate = confirmed(place)
    kept = replace(adopted(NEXT_DAY), customer=HANS)
    assert adopt(place, DynamoAdoptions(place.table), kept) == Adopted()
    same_time = replace(place.now_is("web7"), segments=(replace(place.now_is("web7").segments[0], slot=SLOT),))
    key = keys.customer_guard(place.tenant, HANS.id, SLOT.start, A1.service)
    duplicates = DynamoDuplicates(overtaken(place, lambda: put(place, key, appt="stranger")))
    assert duplicates.end_duplicate(place.tenant, duplicate, kept=same_time, audit=GONE, now=NOW)
    assert place.now_is("a1").state is AppointmentState.CANCELLED
    assert place.there(key)["appt"] == "stranger"


def test_a_guard_that_nobody_disputes_passes_to_the_one_that_stays(place: Place) -> None:
    duplicate = confirmed(place)
    assert adopt(place, DynamoAdoptions(place.table), replace(adopted(LATER), customer=HANS)) == Adopted()
    kept = replace(place.now_is("web7"), segments=(replace(place.now_is("web7").segments[0], slot=SLOT),))
    assert DynamoDuplicates(place.table).end_duplicate(place.tenant, duplicate, kept=kept, audit=GONE, now=NOW)
    assert place.there(keys.customer_guard(place.tenant, HANS.id, SLOT.start, A1.service))["appt"] == "web7"
