"""What others did to a booking before we knew that it was made: followed to its end, and never taken away for us."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bookend.application import alerts
from bookend.application.ports import BookingRequest
from bookend.application.settling import Settled
from bookend.domain.answers import Unclear
from tests.application.test_settling import TEN, Open, booked
from tests.support.calendar import FakeCalendar

HOUR = timedelta(hours=1)


def moved_twice(calendar: FakeCalendar, request: BookingRequest) -> None:
    first = calendar.insert(request)
    second = calendar.move(first.uid, TEN + HOUR)
    calendar.move(second.uid, TEN + 3 * HOUR)


def where(case: Open) -> tuple[str, str | None]:
    now_is = case.salon.appointments.appointment(case.salon.tenant.id, case.name)
    assert now_is is not None
    return f"{now_is.segments[0].slot.start:%d. %H:%M}", now_is.segments[0].uid


def test_a_chain_of_moves_is_followed_to_its_end() -> None:
    case = Open(moved_twice)
    assert case.settle(at=45) is Settled.CONFIRMED
    (lives,) = case.calendar.accepted()
    assert where(case) == ("28. 12:00", lives.uid)
    assert case.texts == ["booked"]


def test_the_end_of_a_move_that_is_shown_already_is_taken_though_the_old_booking_does_not_name_it_yet() -> None:
    def half(calendar: FakeCalendar, request: BookingRequest) -> None:
        first = calendar.insert(request)
        calendar.move(first.uid, TEN + timedelta(days=5))
        calendar.bookings[first.uid] = replace(calendar.bookings[first.uid], rescheduled_to=None)

    case = Open(half)
    assert case.settle(at=20) is Settled.CONFIRMED
    assert where(case)[0] == "02. 09:00"


def test_moves_in_a_circle_that_does_not_come_back_to_the_beginning_end_with_a_person() -> None:
    def circle(calendar: FakeCalendar, request: BookingRequest) -> None:
        first = calendar.insert(request)
        second = calendar.move(first.uid, TEN + HOUR)
        third = calendar.move(second.uid, TEN + 2 * HOUR)
        calendar.change(third.uid, status="cancelled", called_off=False, rescheduled_to=second.uid)

    case = Open(circle)
    assert case.settle(at=45) is Settled.WAITING
    assert (case.state, case.blocked, case.texts) == ("PENDING", True, [])
    assert [each.facts.get("drift") for each in case.salon.alerts.raised] == ["chain"]


def test_what_was_moved_to_where_somebody_must_confirm_it_waits_for_them() -> None:
    case = Open(moved_twice)
    (lives,) = case.calendar.accepted()
    case.calendar.change(lives.uid, status="pending")
    assert case.settle(at=45) is Settled.WAITING
    assert (case.state, case.blocked, case.texts, case.kinds) == ("PENDING", True, [], [])
    assert "cancel" not in case.calendar.asked
    case.calendar.change(lives.uid, status="accepted")
    assert case.settle(at=105) is Settled.CONFIRMED
    assert where(case) == ("28. 12:00", lives.uid)


def test_a_chain_that_cannot_be_read_to_its_end_is_looked_at_again() -> None:
    case = Open(moved_twice)
    read = case.calendar.booking
    case.calendar.booking = lambda *_, **__: Unclear("HTTP 502")  # type: ignore[method-assign]
    assert case.settle(at=45) is Settled.WAITING
    assert (case.state, case.blocked, case.texts) == ("PENDING", True, [])
    case.calendar.booking = read  # type: ignore[method-assign]
    assert case.settle(at=105) is Settled.CONFIRMED


def test_what_was_moved_and_then_cancelled_there_is_released() -> None:
    case = Open(moved_twice)
    (lives,) = case.calendar.accepted()
    case.calendar.change(lives.uid, status="cancelled")
    assert case.settle(at=45) is Settled.RELEASED
    assert (case.state, case.why, case.blocked, case.texts) == ("FAILED", "cancelled_there", False, ["not_booked"])


@pytest.mark.parametrize("edited", [True, False], ids=["edited", "moved"])
def test_a_booking_of_another_appointment_is_not_confirmed_for_this_one_whatever_was_made_of_it(edited: bool) -> None:
    """Labelled as ours, changed by the salon, and on record as somebody else's."""
    case = Open(booked)
    (uid,) = case.calendar.bookings
    case.salon.clock.advance(30)
    if edited:
        case.calendar.change(uid, host=29)
    else:
        case.calendar.move(uid, TEN + HOUR)
    for each in case.calendar.bookings:
        guard = {"pk": {"S": f"T#friseur1#CALUID#{each}"}, "sk": {"S": "G"}}
        owner = {"appt": {"S": "another"}, "seg": {"N": "0"}}
        case.salon.client.put_item(TableName=case.salon.table_name, Item=guard | owner)
    assert case.settle(at=60) is Settled.RELEASED
    assert (case.state, case.why, case.texts) == ("FAILED", "existing", ["not_booked"])
    assert len(case.calendar.accepted()) == 1
    assert case.kinds == [alerts.FOREIGN_BOOKING]


def test_while_cal_com_does_not_say_where_it_went_nothing_is_decided() -> None:
    """Shown as cancelled by nobody; whether it was moved is asked for, and not answered."""

    def gone(calendar: FakeCalendar, request: BookingRequest) -> None:
        calendar.change(calendar.insert(request).uid, status="cancelled", called_off=False)

    case = Open(gone)
    looks = iter([True])
    find = case.calendar.find

    def once(*args: object, **rest: object) -> object:
        return find(*args, **rest) if next(looks, False) else Unclear("HTTP 502")  # type: ignore[arg-type]

    case.calendar.find = once  # type: ignore[assignment,method-assign]
    assert case.settle(at=60) is Settled.WAITING
    assert (case.state, case.blocked, case.texts) == ("PENDING", True, [])
    case.calendar.find = find  # type: ignore[method-assign]
    assert case.settle(at=120) is Settled.RELEASED
