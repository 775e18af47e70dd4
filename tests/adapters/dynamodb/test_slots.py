"""The slot cache: what is kept is young, covers the question, and never outlives a booking."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.actions import Actions
from bookend.adapters.dynamodb.transact import Table
from bookend.application.deadline import Deadline
from bookend.application.ports import BookingHasOwner, FreeStarts, Generation, StoreUnavailable, Superseded
from bookend.domain.appointment import BookedSegment, Told
from bookend.domain.availability import SLOTS_KEPT
from bookend.domain.timeslot import Slot
from tests.adapters.dynamodb.place import HANS, NOW, Place, at, booked, wished
from tests.support.tables.faults import Fault

CUT, ADVICE, COLOUR = 3672814, 3672815, 3672816
WEEK = Slot(NOW, NOW + timedelta(days=7))
TEN, ELEVEN = (datetime(2025, 10, 28, hour, tzinfo=UTC) for hour in (10, 11))
A1 = wished("a1", at("28T10:00"))
Change = Callable[[Place], Any]


def read(
    place: Place, *stylists: str, event_type: int = CUT, window: Slot = WEEK, now: datetime | None = None
) -> tuple[dict[str, FreeStarts], dict[str, Generation]]:
    asked = dict.fromkeys(stylists or ("fabian",), event_type)
    fresh, generations = place.slots.read(place.tenant, asked, window, now=now or place.clock.now())
    return dict(fresh), dict(generations)


def store(
    place: Place,
    *starts: datetime,
    staff: str = "fabian",
    event_type: int = CUT,
    window: Slot = WEEK,
    read_at: datetime | None = None,
    on: Generation | None = None,
) -> None:
    """Keep an answer, on the generation as it is now unless `on` says otherwise."""
    generation = on or read(place, staff)[1][staff]
    answer = FreeStarts(starts, read_at or place.clock.now())
    place.slots.store(place.tenant, staff, event_type, window, answer, generation=generation, now=place.clock.now())


def kept(place: Place, staff: str = "fabian", event_type: int = CUT) -> tuple[datetime, ...] | None:
    answer = read(place, staff, event_type=event_type)[0].get(staff)
    return None if answer is None else answer.starts


def number(place: Place, staff: str = "fabian") -> int | None:
    return read(place, staff)[1][staff].number


def item(place: Place, staff: str = "fabian") -> dict[str, Any]:
    return place.there(keys.slots(place.tenant, staff))


# Keeping and reading


def test_of_nobody_is_anything_known_at_first(place: Place) -> None:
    assert read(place, "fabian", "emma") == ({}, {"fabian": Generation(None), "emma": Generation(None)})


def test_what_was_kept_is_read_again_as_it_was(place: Place) -> None:
    odd = TEN + timedelta(seconds=1, milliseconds=5)
    store(place, TEN, odd, ELEVEN)
    assert read(place)[0] == {"fabian": FreeStarts((TEN, odd, ELEVEN), NOW)}


def test_that_nothing_is_free_is_an_answer_too(place: Place) -> None:
    store(place)
    assert kept(place) == ()


def test_every_stylist_is_one_request_and_a_store_is_one(place: Place) -> None:
    store(place, TEN)
    store(place, ELEVEN, staff="emma")
    place.client.requests.clear()
    fresh, generations = read(place, "fabian", "udo", "emma")
    assert place.client.requests == {"batch_get_item": 1}
    assert {staff: each.starts for staff, each in fresh.items()} == {"fabian": (TEN,), "emma": (ELEVEN,)}
    assert {staff: each.number for staff, each in generations.items()} == {"fabian": 0, "udo": None, "emma": 0}
    store(place, TEN, staff="emma", on=generations["emma"])
    assert place.client.requests == {"batch_get_item": 1, "update_item": 1}


def test_event_types_stand_side_by_side_in_one_item(place: Place) -> None:
    store(place, TEN)
    store(place, ELEVEN, event_type=ADVICE)
    assert (kept(place), kept(place, event_type=ADVICE), kept(place, event_type=COLOUR)) == ((TEN,), (ELEVEN,), None)
    found = item(place)
    assert set(found) == {"pk", "sk", "gen", "types", "ttl"}
    assert (found["pk"], found["sk"]) == (f"T#{place.tenant}#SLOTS#fabian", "G")
    assert set(found["types"]) == {str(CUT), str(ADVICE)}
    assert found["types"][str(CUT)] == {
        "from": "2025-10-27T09:00:00.000000Z",
        "to": "2025-11-03T09:00:00.000000Z",
        "read_at": int(NOW.timestamp() * 1000),
        "starts": [int(TEN.timestamp() * 1000)],
    }
    assert found["ttl"] == int((NOW + timedelta(days=1)).timestamp())


def test_a_new_answer_takes_the_place_of_the_former(place: Place) -> None:
    store(place, TEN)
    store(place, ELEVEN)
    assert kept(place) == (ELEVEN,)


def test_tenants_do_not_share(place: Place) -> None:
    store(place, TEN)
    other = Place(place.store, f"{place.tenant}x", place.name)
    assert kept(other) is None


# What may be used


@pytest.mark.parametrize(
    ("age", "usable"),
    [
        (timedelta(0), True),
        (SLOTS_KEPT - timedelta(milliseconds=1), True),
        (SLOTS_KEPT, False),
        (timedelta(days=1), False),
        (-timedelta(milliseconds=1), False),
        (-timedelta(seconds=10), False),
    ],
)
def test_it_is_used_only_while_it_is_younger_than_its_stated_age(place: Place, age: timedelta, usable: bool) -> None:
    """The age counts from before Cal.com was asked, not from the writing; one from the future has no age."""
    store(place, TEN, read_at=NOW - timedelta(seconds=2))
    fresh, _ = read(place, now=NOW - timedelta(seconds=2) + age)
    assert ("fabian" in fresh) is usable


@pytest.mark.parametrize(
    ("earlier", "later", "usable"),
    [
        (timedelta(0), timedelta(0), True),
        (timedelta(hours=1), -timedelta(hours=1), True),
        (-timedelta(microseconds=1), timedelta(0), False),
        (timedelta(0), timedelta(microseconds=1), False),
        (timedelta(days=7), timedelta(days=7), False),
    ],
)
def test_it_is_used_only_where_it_covers_the_window(
    place: Place, earlier: timedelta, later: timedelta, usable: bool
) -> None:
    store(place, TEN)
    fresh, _ = read(place, window=Slot(WEEK.start + earlier, WEEK.end + later))
    assert ("fabian" in fresh) is usable


def test_of_a_wider_answer_only_what_lies_in_the_window_is_told(place: Place) -> None:
    before, after = TEN - timedelta(minutes=1), TEN + timedelta(hours=2)
    store(place, before, TEN, ELEVEN, after)
    (answer,) = read(place, window=Slot(TEN, after))[0].values()
    assert answer.starts == (TEN, ELEVEN)


# What makes it void

CHANGES: dict[str, Change] = {
    "confirm": lambda place: place.confirm(A1),
    "release": lambda place: place.release(A1),
    "release that owes a text": lambda place: place.release(A1, owes_text=True),
    "must_undo": lambda place: place.must_undo(A1),
    "heard of": lambda place: place.slots.forget(place.tenant, "fabian"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_at_calcom_voids_every_answer_of_the_stylist(place: Place, change: str) -> None:
    place.start(A1)
    store(place, TEN)
    store(place, ELEVEN, event_type=ADVICE)
    store(place, TEN, staff="emma")
    CHANGES[change](place)
    assert (kept(place), kept(place, event_type=ADVICE), kept(place, "emma")) == (None, None, (TEN,))
    assert (number(place), number(place, "emma")) == (1, 0)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("known", [False, True], ids=["a new item", "an item that was there"])
def test_what_was_asked_before_a_change_is_never_kept_after_it(place: Place, change: str, known: bool) -> None:
    place.start(A1)
    if known:
        store(place, TEN)
    before = read(place)[1]["fabian"]
    CHANGES[change](place)
    after = item(place)
    store(place, TEN, on=before)
    assert item(place) == after
    assert kept(place) is None


def test_after_a_change_answers_are_kept_again(place: Place) -> None:
    place.start(A1)
    place.confirm(A1)
    store(place, ELEVEN)
    assert kept(place) == (ELEVEN,)
    assert number(place) == 1


def test_the_generation_grows_with_every_change(place: Place) -> None:
    place.start(A1)
    place.must_undo(A1)
    place.release(place.now_is("a1"), owes_text=True)
    assert number(place) == 2


def test_a_change_that_does_not_come_about_voids_nothing(place: Place) -> None:
    place.start(A1)
    place.release(A1)
    store(place, TEN)
    assert isinstance(place.confirm(A1), Superseded)
    assert isinstance(place.release(A1), Superseded)
    assert not place.must_undo(A1)
    assert (kept(place), number(place)) == ((TEN,), 1)


def test_an_appointment_of_two_stylists_voids_both(place: Place) -> None:
    slots = [Slot.of(TEN + timedelta(minutes=30 * n), 30) for n in range(2)]
    segments = [BookedSegment(n, *each, CUT) for n, each in enumerate(zip(("fabian", "emma"), slots, strict=True))]
    both = replace(A1, segments=tuple(segments))
    place.start(both)
    (one,) = booked(A1).values()
    bookings = {
        n: replace(one, uid=f"uid{n}", id=13_000_001 + n, start=slot.start, end=slot.end)
        for n, slot in enumerate(slots)
    }
    place.appointments.confirm(place.tenant, both, bookings, told=Told.BOOKED, now=NOW)
    assert (number(place), number(place, "emma")) == (1, 1)


def test_a_stylist_of_several_segments_is_named_once(place: Place) -> None:
    """A transaction refuses two writes to one item."""
    segments = [BookedSegment(n, staff, A1.slot, CUT) for n, staff in enumerate(("fabian", "emma", "fabian"))]
    actions = Actions(place.name).forget_slots_of(place.tenant, replace(A1, segments=tuple(segments)))
    assert [each["Update"]["Key"] for each in actions] == [keys.slots(place.tenant, who) for who in ("fabian", "emma")]


def test_voiding_stands_last_so_that_positions_keep_their_meaning(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[list[dict[str, Any]]] = []
    real = Table.write

    def noted(table: Table, actions: Iterable[dict[str, Any]]) -> Any:
        sent.append(list(actions))
        return real(table, sent[-1])

    place.start(A1)
    other = wished("a2", at("29T10:00"))
    place.start(other, known=HANS)
    monkeypatch.setattr(Table, "write", noted)
    place.confirm(A1)
    assert place.confirm(other) == BookingHasOwner("a1")
    place.must_undo(other)
    place.release(other, owes_text=True)
    assert len(sent) == 4
    for actions in sent:
        of_slots = ["#SLOTS#" in str(each) for each in actions]
        assert of_slots == [False] * (len(actions) - 1) + [True]


def test_where_nothing_was_ever_kept_there_is_something_to_void_all_the_same(place: Place) -> None:
    """Somebody may have asked Cal.com, and not have come to keep the answer yet."""
    before = read(place)[1]["fabian"]
    place.slots.forget(place.tenant, "fabian")
    store(place, TEN, on=before)
    assert (kept(place), number(place)) == (None, 1)


def test_to_void_takes_one_request_and_a_busy_table_is_asked_again(troubled: Place) -> None:
    store(troubled, TEN)
    turn = troubled.slots.within(Deadline.within(8.0, troubled.clock))
    troubled.store.client.faults.next("transact_write_items", Fault.THROTTLE, times=3)
    troubled.store.client.requests.clear()
    turn.forget(troubled.tenant, "fabian")
    assert kept(troubled) is None
    assert troubled.store.client.requests["transact_write_items"] == 4


# Two at once, and what is left behind


def test_of_two_who_are_first_one_is_kept_and_neither_is_told(place: Place) -> None:
    first = second = read(place)[1]["fabian"]
    store(place, TEN, on=first)
    store(place, ELEVEN, event_type=ADVICE, on=second)
    assert (kept(place), kept(place, event_type=ADVICE)) == ((TEN,), None)


def test_two_who_ask_for_two_things_both_keep_their_answer(place: Place) -> None:
    store(place, TEN, event_type=COLOUR)
    first = second = read(place)[1]["fabian"]
    store(place, TEN, on=first)
    store(place, ELEVEN, event_type=ADVICE, on=second)
    assert (kept(place), kept(place, event_type=ADVICE)) == ((TEN,), (ELEVEN,))


def test_answers_past_their_age_go_with_the_next_store(place: Place) -> None:
    store(place, TEN)
    store(place, TEN, event_type=ADVICE)
    place.clock.advance(10)
    store(place, TEN, event_type=COLOUR)
    place.clock.advance(10)
    assert set(read(place)[1]["fabian"].outlived) == {CUT, ADVICE}
    store(place, ELEVEN)
    assert set(item(place)["types"]) == {str(CUT), str(COLOUR)}
    assert kept(place) == (ELEVEN,)


def test_a_late_store_on_what_has_been_collected_meanwhile_is_lost(place: Place) -> None:
    """The table drops the item after its `ttl`; then nothing says any more what had been declared void."""
    store(place, TEN)
    before = read(place)[1]["fabian"]
    place.store.client.delete_item(TableName=place.name, Key=keys.slots(place.tenant, "fabian"))
    store(place, TEN, on=before)
    assert kept(place) is None


def test_the_widest_week_fits_and_more_is_not_kept(place: Place) -> None:
    week = [WEEK.start + timedelta(minutes=5 * n) for n in range(2016)]
    store(place, *week)
    assert kept(place) == tuple(week)
    minutes = [WEEK.start + timedelta(minutes=n) for n in range(10_080)]
    store(place, *minutes, event_type=ADVICE)
    assert kept(place, event_type=ADVICE) is None


# A busy table, and none


@pytest.mark.parametrize("fault", [Fault.THROTTLE, Fault.NOT_SENT])
def test_a_table_in_trouble_is_unavailable_soon(troubled: Place, fault: Fault) -> None:
    turn = troubled.slots.within(Deadline.within(3.0, troubled.clock))
    troubled.store.client.faults.next("*", fault, times=100)
    with pytest.raises(StoreUnavailable):
        turn.read(troubled.tenant, {"fabian": CUT}, WEEK, now=NOW)
    with pytest.raises(StoreUnavailable):
        turn.store(troubled.tenant, "fabian", CUT, WEEK, FreeStarts((TEN,), NOW), generation=Generation(None), now=NOW)
    assert troubled.clock.monotonic() <= 0.2, "a tenth of a second each"
    troubled.store.client.faults.clear()
    assert kept(troubled) is None


def test_a_busy_moment_is_waited_for(troubled: Place) -> None:
    turn = troubled.slots.within(Deadline.within(3.0, troubled.clock))
    troubled.store.client.faults.next("batch_get_item", Fault.THROTTLE)
    assert turn.read(troubled.tenant, {"fabian": CUT}, WEEK, now=NOW) == ({}, {"fabian": Generation(None)})
