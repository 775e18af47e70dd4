"""What others write between the reading of a row and the write that rests on it: whoever comes second gives way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.adoptions import DynamoAdoptions
from bookend.adapters.dynamodb.imports import DynamoDuplicates
from bookend.adapters.dynamodb.items import to_wire
from bookend.adapters.dynamodb.transact import Table
from bookend.application.ports import Adopted, AdoptLost, Changed, Confirmed, Started, TextSent
from bookend.domain.appointment import Appointment, AppointmentState
from tests.adapters.dynamodb.place import HANS, NOW, UTE, Place, at
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
