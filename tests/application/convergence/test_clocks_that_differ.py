"""Cal.com's servers have clocks of their own: what one of them wrote may look older than what another wrote before it.

While a read may lag, what looks older is not believed. Later it is looked at once more, and then it is so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bookend.adapters.dynamodb import adoptions
from bookend.application.change_outcomes import Moved
from bookend.application.outcomes import Booked
from bookend.application.ports import BookingRequest
from bookend.domain.answers import Answered, Booking, CreateAnswer
from bookend.domain.appointment import AppointmentState
from tests.application.changes import MOVE, ask, yes
from tests.application.convergence.world import DAY, TEN, Layer, World, unequal, violations
from tests.support.calendar import FakeCalendar

HOUR = 3600
EMMA = 29


def _world() -> World:
    world = World(*Layer)
    world.salon.open(DAY, first="10:00", last="14:00")
    world.begin_schedules()
    return world


def _by_a_clock_ahead(seconds: float) -> Callable[[FakeCalendar, BookingRequest], CreateAnswer]:
    """Booked as asked, by a server whose clock is so much ahead."""

    def book(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
        made = calendar.insert(request)
        ahead = replace(made, updated_at=calendar.clock.now() + timedelta(seconds=seconds))
        calendar.bookings[made.uid] = ahead
        return Answered(ahead)

    return book


CHANGES: dict[str, Callable[[FakeCalendar, str], object]] = {
    "cancelled": lambda calendar, uid: calendar.cancel_by_hand(uid),
    "moved": lambda calendar, uid: calendar.move(uid, TEN + timedelta(hours=1)),
    "given to Emma": lambda calendar, uid: calendar.change(uid, host=EMMA),
}


@pytest.mark.parametrize("ahead", [3, 120])
@pytest.mark.parametrize("what", CHANGES)
def test_what_others_do_by_a_slower_clock_is_followed_within_minutes(what: str, ahead: int) -> None:
    world = _world()
    world.calendar.faults.append(_by_a_clock_ahead(ahead))
    assert isinstance(world.phone().book(DAY, "10:00", staff="Fabian"), Booked)
    world.run(2)
    (uid,) = world.calendar.bookings
    CHANGES[what](world.calendar, uid)

    world.run(3 * HOUR)  # with the nightly run in it: the events came while nothing older could be believed

    look = world.look()
    (appointment,) = look.appointments.values()
    assert (appointment.state is AppointmentState.CANCELLED) is (what == "cancelled")
    assert [*violations(world), *unequal(look)] == []


@pytest.mark.parametrize("alone", [False, True], ids=["with the store's condition", "without it"])
def test_a_read_that_lags_is_not_believed_however_often_it_comes(alone: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other half: within minutes what looks older may be from before. The store would refuse it as well."""
    if alone:
        monkeypatch.setattr(
            adoptions, "as_of", lambda booking, *, known, now: max(booking.updated_at or now, known or now)
        )
    world = _world()
    assert isinstance(world.phone().book(DAY, "10:00", staff="Fabian"), Booked)
    world.run(HOUR)
    (uid,) = world.calendar.bookings
    before = world.calendar.bookings[uid]
    world.calendar.change(uid, host=EMMA)
    world.deliver(world.events[-1])
    world.run(5)
    world.calendar.stale[uid] = before
    for _ in range(5):
        world.deliver(world.events[-1], copy=1)
        world.run(30)
        (appointment,) = world.look().appointments.values()
        assert appointment.segments[0].staff == "emma"


def test_a_move_whose_old_booking_stays_alive_is_put_before_a_person() -> None:
    """Cal.com made the new one, said 201, and died before it ended the old one, whose instant is of before."""

    def half_a_move(calendar: FakeCalendar, uid: str, start: object) -> CreateAnswer:
        old: Booking = calendar.bookings[uid]
        answer = calendar.make_move(uid, start)  # type: ignore[arg-type]
        calendar.bookings[uid] = old
        return answer

    world = _world()
    assert isinstance(world.phone().book(DAY, "10:00", staff="Fabian"), Booked)
    world.run(60)
    (uid,) = world.calendar.bookings
    world.calendar.move_faults.append(half_a_move)
    phone = world.phone("call_2")
    asked = ask(phone, MOVE, date=DAY, new_time="11:00")
    assert isinstance(yes(phone, MOVE, asked.token), Moved)

    world.run(3 * HOUR)

    assert f"duplicate-{uid}" in world.look().flagged
