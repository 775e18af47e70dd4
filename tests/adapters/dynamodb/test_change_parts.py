"""Changes of an appointment of several parts on every engine: one transaction each, for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.changes import DynamoChanges
from bookend.application.ports import Begun, Confirmed, Started
from bookend.domain.answers import Booking
from bookend.domain.appointment import (
    Amiss,
    Appointment,
    AppointmentState,
    Change,
    ChangeEnd,
    ChangeKind,
    ChangeWhy,
    Told,
)
from bookend.domain.timeslot import Slot
from tests.adapters.dynamodb.place import LEASE, NOW, Place, at
from tests.adapters.dynamodb.test_parts import FIRST, OVER_MIDNIGHT, SECOND, confirm, perm

S = AppointmentState
A_QUARTER_LATER = (at("28T10:15", 45), at("28T12:00", 30))
TO_MIDNIGHT = OVER_MIDNIGHT
TARGETS = pytest.mark.parametrize("target", [A_QUARTER_LATER, TO_MIDNIGHT], ids=["same day", "over midnight"])


def changes(place: Place) -> DynamoChanges:
    return DynamoChanges(place.table)


def begun(place: Place, target: Sequence[Slot] = (), slots: tuple[Slot, ...] = (FIRST, SECOND)) -> Appointment:
    """A perm whose change is under way; without a target it is cancelled."""
    wish = perm(slots=slots)
    assert place.start(wish) == Started()
    assert confirm(place, wish) == Confirmed()
    stands = place.now_is("a1")
    change = Change(
        op="op-change",
        kind=ChangeKind.MOVE if target else ChangeKind.CANCEL,
        call="call_1",
        since=NOW,
        sent_at=NOW,
        segments=tuple(
            replace(each, slot=slot, uid=None, booking_id=None, updated_at=None)
            for each, slot in zip(stands.segments, target, strict=False)
        ),
    )
    touched = {(each.staff, day) for each in change.segments for day in each.slot.utc_days()}
    outcome = changes(place).begin(
        place.tenant,
        stands,
        change,
        lease=NOW + LEASE,
        days=place.appointments.look(place.tenant, call="nobody", days=touched).days,
        freeing=(),
        day=NOW.date(),
        now=NOW,
    )
    assert isinstance(outcome, Begun), outcome
    return outcome.appointment


def booked(appointment: Appointment, index: int, slot: Slot, uid: str, number: int, **more: object) -> Booking:
    before = appointment.segments[index]
    there = Booking(
        uid=uid,
        id=number,
        status="accepted",
        start=slot.start,
        end=slot.end,
        created_at=NOW,
        updated_at=NOW,
        host=28,
        event_type=before.event_type,
        attendees=(appointment.customer.email,),
        rescheduled_from=before.uid,
    )
    return replace(there, **more)  # type: ignore[arg-type]


def there(appointment: Appointment) -> dict[int, Booking]:
    targets = appointment.under_way.segments
    return {n: booked(appointment, n, each.slot, f"new{n}", 14_000_000 + n) for n, each in enumerate(targets)}


def give_up(place: Place, appointment: Appointment, seen: dict[int, Booking], amiss: Amiss | None = None) -> bool:
    return changes(place).given_up(
        place.tenant,
        appointment,
        why=ChangeWhy.TAKEN,
        owes_text=True,
        answer="",
        alert=None,
        audit=None,
        now=NOW,
        seen=seen,
        amiss=amiss,
    )


def customer_guard(place: Place, slot: Slot) -> str | None:
    """Whose the customer's guard of that start is."""
    customer = place.now_is("a1").customer.id
    item = place.item(keys.customer_guard(place.tenant, customer, slot.start, "dauerwelle"))
    return None if item is None else str(item["appt"])


def every_interval(place: Place) -> dict[str, tuple[str, Slot]]:
    found = {}
    for day in ("28", "29"):
        for key, state in place.intervals(day).items():
            found[key] = (state, place.interval(key, day).slot)
    return found


@TARGETS
def test_begin_takes_every_new_time_beside_the_old_ones(place: Place, target: tuple[Slot, ...]) -> None:
    begun(place, target)
    assert every_interval(place) == {
        "a1/0": ("C", FIRST),
        "a1/1": ("C", SECOND),
        "a1/0+": ("P", target[0]),
        "a1/1+": ("P", target[1]),
    }


@TARGETS
def test_moved_puts_every_part_where_it_goes(place: Place, target: tuple[Slot, ...]) -> None:
    under_way = begun(place, target)
    seen = there(under_way)
    assert changes(place).moved(place.tenant, under_way, seen, told=Told.DONE, audit=None, now=NOW)
    assert every_interval(place) == {"a1/0": ("C", target[0]), "a1/1": ("C", target[1])}
    now_is = place.now_is("a1")
    assert [(each.uid, each.booking_id, each.slot) for each in now_is.segments] == [
        ("new0", 14_000_000, target[0]),
        ("new1", 14_000_001, target[1]),
    ]
    assert (now_is.state, now_is.moves, now_is.change) == (S.CONFIRMED, 1, None)
    for number in (0, 1):
        assert place.there(keys.booking_uid(place.tenant, f"uid{number}"))["superseded_by"] == f"new{number}"
        assert place.there(keys.booking_uid(place.tenant, f"new{number}"))["appt"] == "a1"


def test_a_part_that_keeps_its_time_keeps_its_booking(place: Place) -> None:
    under_way = begun(place, (A_QUARTER_LATER[0], SECOND))
    seen = {0: there(under_way)[0]}
    assert changes(place).moved(place.tenant, under_way, seen, told=Told.DONE, audit=None, now=NOW)
    assert every_interval(place) == {"a1/0": ("C", A_QUARTER_LATER[0]), "a1/1": ("C", SECOND)}
    assert [each.uid for each in place.now_is("a1").segments] == ["new0", "uid1"]


@TARGETS
def test_given_up_with_parts_that_were_brought_back_has_their_new_uids(place: Place, target: tuple[Slot, ...]) -> None:
    under_way = begun(place, target)
    assert give_up(place, under_way, {0: booked(under_way, 0, FIRST, "back0", 15_000_000, rescheduled_from="new0")})
    assert every_interval(place) == {"a1/0": ("C", FIRST), "a1/1": ("C", SECOND)}
    now_is = place.now_is("a1")
    assert [each.uid for each in now_is.segments] == ["back0", "uid1"]
    assert (now_is.state, now_is.moves) == (S.CONFIRMED, 0)
    assert now_is.last_change is not None
    assert (now_is.last_change.end, now_is.last_change.why) == (ChangeEnd.NOT_DONE, ChangeWhy.TAKEN)
    assert place.there(keys.booking_uid(place.tenant, "uid0"))["superseded_by"] == "back0"


@TARGETS
@pytest.mark.parametrize("index", [0, 1])
def test_given_up_with_parts_that_stand_apart_says_where_each_is(
    place: Place, target: tuple[Slot, ...], index: int
) -> None:
    under_way = begun(place, target)
    assert give_up(place, under_way, {index: there(under_way)[index]}, Amiss.GAP_TOO_LONG)
    wanted = [FIRST, SECOND]
    wanted[index] = target[index]
    assert every_interval(place) == {"a1/0": ("C", wanted[0]), "a1/1": ("C", wanted[1])}
    now_is = place.now_is("a1")
    assert ([each.slot for each in now_is.segments], now_is.amiss) == (wanted, Amiss.GAP_TOO_LONG)
    for slot in (FIRST, target[0]):  # where it begins at neither time it has none
        assert customer_guard(place, slot) == ("a1" if slot.start == now_is.slot.start else None)


def test_a_part_that_is_gone_is_none_any_more_and_its_time_is_free(place: Place) -> None:
    under_way = begun(place)
    gone = booked(under_way, 0, FIRST, "uid0", 13_000_001, status="cancelled", rescheduled_from=None)
    assert give_up(place, under_way, {0: gone}, Amiss.PART_GONE)
    assert every_interval(place) == {"a1/1": ("C", SECOND)}
    assert [each.index for each in place.now_is("a1").segments] == [1]


def test_cancelled_frees_every_part_and_what_was_wanted_for_it(place: Place) -> None:
    under_way = begun(place, TO_MIDNIGHT)
    assert changes(place).cancelled(place.tenant, under_way, booking=None, told=Told.DONE, audit=None, now=NOW)
    assert every_interval(place) == {}


def test_that_it_goes_back_is_on_record_with_what_is_sent(place: Place) -> None:
    under_way = begun(place, A_QUARTER_LATER)
    sent = changes(place).sent(place.tenant, under_way, lease=NOW + LEASE, now=NOW, back=ChangeWhy.TAKEN)
    assert sent is not None
    change = place.now_is("a1").change
    assert change is not None
    assert change.back is ChangeWhy.TAKEN
    again = changes(place).sent(place.tenant, sent, lease=NOW + LEASE, now=NOW)
    assert again is not None
    assert again.under_way.back is ChangeWhy.TAKEN, "it never goes forward again"


@pytest.mark.parametrize("end", ["moved", "given up"])
def test_an_end_that_somebody_else_was_faster_with_changes_nothing(place: Place, end: str) -> None:
    under_way = begun(place, A_QUARTER_LATER)
    assert give_up(place, under_way, {})
    before = place.now_is("a1"), every_interval(place)
    if end == "moved":
        assert not changes(place).moved(place.tenant, under_way, there(under_way), told=Told.DONE, audit=None, now=NOW)
    else:
        assert not give_up(place, under_way, there(under_way))
    assert (place.now_is("a1"), every_interval(place)) == before
