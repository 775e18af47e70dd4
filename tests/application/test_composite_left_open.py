"""A composite that its turn leaves open: an operator hears of it at once, and of which it is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bookend.application import alerts
from bookend.application.outcomes import StillOpen
from bookend.application.ports import BookingRequest, CancelAnswer
from bookend.domain.answers import Answered, CreateAnswer, Unclear
from bookend.domain.appointment import AppointmentState
from tests.application.convergence.world import DAY, Layer, World
from tests.application.test_book_composite import FRIDAY, PERM, opened
from tests.support.calendar import BUSY, FakeCalendar, Fault, lost_before
from tests.support.invariants import look_at
from tests.support.salon import Salon
from tests.support.tables.faults import Crash


def longer(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
    booking = calendar.insert(request)
    return Answered(calendar.change(booking.uid, end=booking.end + timedelta(minutes=15)))


def left(*faults: Fault, cancels: int = 0) -> tuple[Salon, AppointmentState]:
    """The salon after a turn that ended with "noch offen"."""
    salon = opened()
    salon.calendar.faults.extend(faults)
    salon.calendar.cancel_faults.extend([Unclear("HTTP 502")] * cancels)
    assert isinstance(salon.call().book(FRIDAY, "10:00", service=PERM, staff="Fabian"), StillOpen)
    (now_is,) = look_at(salon).appointments.values()
    assert {each.facts["appointment"] for each in salon.alerts.raised} == {now_is.id}
    assert [job.name for job, _ in salon.queue.jobs] == [now_is.id]
    return salon, now_is.state


def test_that_nobody_knows_of_its_parts_is_told_once() -> None:
    salon, state = left(lost_before, lost_before)
    assert state is AppointmentState.PENDING
    assert [each.kind for each in salon.alerts.raised] == [alerts.OUTCOME_UNKNOWN]


def test_that_it_came_out_wrong_and_is_not_taken_back_yet_are_two_things_to_be_told() -> None:
    salon, state = left(longer, lambda calendar, request: calendar.make(request), cancels=2)
    assert state is AppointmentState.COMPENSATING
    assert [each.kind for each in salon.alerts.raised] == [alerts.WRONG_BOOKING, alerts.OUTCOME_UNKNOWN]
    assert salon.alerts.raised[1].facts["why"] == "not all of it is taken back"


def test_a_turn_that_dies_before_it_has_taken_a_part_back_has_told_nobody_so_a_message_is_owed() -> None:
    """The no is on record by then, and has been heard by nobody."""

    def dies(_calendar: FakeCalendar, _uid: str) -> CancelAnswer:
        raise Crash("before the calendar")

    world = World(Layer.SWEEPER)
    world.salon.open(DAY, every=15)
    world.calendar.faults.extend([FakeCalendar.make, lambda *_: BUSY])
    world.calendar.cancel_faults.append(dies)
    with pytest.raises(Crash):
        world.phone().book(DAY, "10:00", service=PERM, staff="Fabian")
    world.begin_schedules()
    world.run(600)
    (now_is,) = world.look().appointments.values()
    assert (now_is.state, world.calendar.accepted()) == (AppointmentState.FAILED, [])
    assert world.look().outbox == {now_is.id: ["not_booked"]}
