"""To the caller a composite is one appointment; to whoever compares both sides it is several bookings."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bookend.application.deadline import READ_TURN_S
from bookend.application.find_appointments import find_appointments
from bookend.domain.appointment import AppointmentState
from bookend.domain.drift import agree
from bookend.domain.timeslot import Slot
from tests.application.convergence.test_a_part_changed_there import FLAGS, WAS, only, part, stands
from tests.application.convergence.test_the_whole_goes_after_a_part import booked, changed, found
from tests.application.convergence.world import TEN, Layer, World, unequal

PARTS = pytest.mark.parametrize("number", [0, 1])
DIFFERENCES: dict[str, dict[str, Any]] = {
    "later": {"start": TEN + timedelta(hours=4), "end": TEN + timedelta(hours=5)},
    "longer": {"end": TEN + timedelta(hours=6)},
    "emma's": {"host": 29},
    "cancelled": {"status": "cancelled"},
    "not accepted": {"status": "pending"},
    "somebody else's": {"attendees": ("anybody@example.org",)},
}


def test_its_caller_hears_of_one_appointment_from_its_first_minute_to_its_last() -> None:
    world = booked(Layer.WEBHOOKS)
    assert found(world).slots == (Slot(TEN, TEN + timedelta(minutes=135)),)
    assert changed(world) == ()


def test_of_one_that_has_begun_nothing_is_read_out_though_a_part_is_still_to_come() -> None:
    world = booked(Layer.WEBHOOKS)
    world.clock.advance((TEN - world.clock.now()).total_seconds() + 60)
    assert find_appointments(world.phone().turn(READ_TURN_S)).slots == ()  # type: ignore[union-attr]


@PARTS
@pytest.mark.parametrize("difference", DIFFERENCES.values(), ids=list(DIFFERENCES))
def test_each_booking_of_it_agrees_or_differs_by_itself(difference: dict[str, Any], number: int) -> None:
    world = booked(Layer.WEBHOOKS)
    appointment = only(world)
    differs, other = part(world, number), part(world, 1 - number)
    assert agree(differs, appointment, world.tenant)
    assert not agree(replace(differs, **difference), appointment, world.tenant)
    assert agree(other, appointment, world.tenant)


def silently(world: World, number: int, **changes: Any) -> str:
    """Changed at Cal.com, and nothing says so: no event, and the list of what has changed does not show it."""
    booking = part(world, number)
    world.calendar.bookings[booking.uid] = replace(booking, **changes)
    return booking.uid


@PARTS
def test_what_polls_do_not_show_of_a_part_the_full_run_finds(number: int) -> None:
    world = booked(Layer.RECONCILE)
    world.run(1800)
    start = WAS[str(number)][0] + timedelta(hours=3)
    silently(world, number, start=start, end=start + timedelta(minutes=(45, 30)[number]))
    world.run(900)
    assert stands(world) == WAS, "no poll has seen it"
    world.reconcile(nightly=True)
    world.run(900)
    assert stands(world) == {name: (was + timedelta(hours=3), staff) for name, (was, staff) in WAS.items()}
    assert list(unequal(world.look())) == []


@PARTS
def test_a_part_that_polls_do_not_show_as_cancelled_is_found_by_the_full_run(number: int) -> None:
    world = booked(Layer.RECONCILE)
    world.run(1800)
    silently(world, number, status="cancelled", called_off=True)
    world.reconcile(nightly=True)
    world.run(900)
    assert only(world).state is AppointmentState.CANCELLED
    assert world.calendar.accepted() == []


@PARTS
def test_a_part_that_cal_com_does_not_know_any_more_is_put_before_a_person_and_the_whole_stands(number: int) -> None:
    world = booked(Layer.RECONCILE)
    world.run(1800)
    uid = part(world, number).uid
    del world.calendar.bookings[uid]
    world.reconcile(nightly=True)
    world.run(900)
    told = [each.facts for each in world.alerts.raised if each.facts.get("drift") == "ghost_here"]
    assert [uid in each["booking_uid"] for each in told] == [True]
    assert stands(world) == WAS, "a 404 proves nothing"


def test_a_run_that_may_take_nothing_away_moves_and_cancels_no_other_part() -> None:
    """Five a run are ordinary. Beyond that it is left to a person, and the bookings stand at Cal.com."""
    world = World(Layer.RECONCILE)
    world.salon.open("2025-10-28", first="09:00", last="17:00", every=15)
    world.salon.open("2025-10-29", first="09:00", last="17:00", every=15)
    world.salon.open("2025-10-30", first="09:00", last="17:00", every=15)
    made = 0
    for day in ("2025-10-28", "2025-10-29", "2025-10-30"):
        for time in ("09:00", "12:00"):
            phone = world.phone(f"call_{made}", caller=f"+49170{made:07}")
            phone.book(day, time, service="Dauerwelle", staff="Fabian")
            phone.hang_up()
            made += 1
    assert len(world.calendar.accepted()) == 2 * made == 12
    world.begin_schedules()
    world.run(1800)
    world.calendar.asked.clear()
    for each in world.calendar.accepted():
        if each.metadata["segment"] == "0":
            world.calendar.cancel_by_hand(each.uid)
    world.run(900)
    assert "cancel" not in world.calendar.asked
    assert len(world.calendar.accepted()) == made
    assert "BlastLimitReached" in [each.kind for each in world.alerts.raised]


def test_by_the_other_rule_nothing_of_ours_goes_to_cal_com() -> None:
    world = booked(Layer.WEBHOOKS, FLAGS)
    world.calendar.move(part(world, 0).uid, TEN + timedelta(hours=3))
    world.calendar.cancel_by_hand(part(world, 1).uid)
    world.run(900)
    assert not {"reschedule", "cancel"}.intersection(world.calendar.asked)
