"""While a booking is under way somebody else writes the same operation: what is said then, and what stays at Cal.com.

Found missing by mutation testing: each of these lines could be broken without a test that noticed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bookend.adapters.dynamodb import keys
from bookend.application import alerts
from bookend.application.deadline import LEAST_FOR_WRITE_S, WRITE_TURN_S
from bookend.application.outcomes import Booked, NotBooked, SlotTaken, StillOpen, TemporaryTrouble
from bookend.application.ports import BookingRequest, Confirmed
from bookend.domain.answers import Answered, CreateAnswer, NotSent, NotThere, Refusal, Refused, Unclear
from bookend.domain.appointment import Appointment, AppointmentState
from tests.application import test_book_composite as composite
from tests.support.calendar import BUSY, FakeCalendar
from tests.support.invariants import look_at
from tests.support.salon import Salon
from tests.support.tables.faults import Fault as StoreFault

TUESDAY = "2025-10-28"
Meanwhile = Callable[[Salon, Appointment], Any]


@pytest.fixture
def salon() -> Salon:
    salon = Salon()
    salon.open(TUESDAY)
    return salon


def given_up(salon: Salon, appointment: Appointment) -> None:
    now = salon.clock.now()
    assert salon.appointments.release(salon.tenant.id, appointment, why="never_arrived", answer="", alert=None, now=now)


def told_open(salon: Salon, appointment: Appointment) -> None:
    """The same wish, delivered twice: the other turn came to its deadline and said so."""
    now = salon.clock.now()
    assert salon.appointments.leave_open(
        salon.tenant.id, appointment, why="no clear answer", answer="", alert=None, now=now
    )


def vanished(salon: Salon, appointment: Appointment) -> None:
    """Somebody has deleted its record by hand."""
    key = keys.appointment(salon.tenant.id, appointment.id)
    salon.client.delete_item(TableName=salon.table_name, Key=key)


def under_way(salon: Salon, do: Meanwhile, answer: Callable[[FakeCalendar, BookingRequest], CreateAnswer]) -> None:
    """Before Cal.com answers, somebody does it."""

    def fault(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
        appointment = salon.appointments.appointment(salon.tenant.id, request.metadata["appointment"])
        assert appointment is not None
        do(salon, appointment)
        return answer(calendar, request)

    salon.calendar.faults.append(fault)


def longer(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
    right = calendar.insert(request)
    calendar.bookings[right.uid] = replace(right, end=right.end + timedelta(minutes=15))
    return Answered(calendar.bookings[right.uid])


def only(salon: Salon) -> Appointment:
    (appointment,) = look_at(salon).appointments.values()
    return appointment


def test_a_wrong_booking_of_what_was_given_up_is_cancelled_and_never_called_booked(salon: Salon) -> None:
    under_way(salon, given_up, longer)
    outcome = salon.call().book(TUESDAY, "10:00", staff="Fabian")
    assert not isinstance(outcome, Booked)
    assert only(salon).state is AppointmentState.FAILED
    assert salon.calendar.accepted() == []


def test_a_no_after_the_other_delivery_was_told_that_it_is_open_is_written_down_with_its_message(salon: Salon) -> None:
    under_way(salon, told_open, lambda *_: BUSY)
    outcome = salon.call().book(TUESDAY, "10:00", staff="Fabian")
    assert isinstance(outcome, SlotTaken)
    assert only(salon).state is AppointmentState.FAILED
    assert look_at(salon).outbox == {only(salon).id: ["not_booked"]}


def test_a_no_of_what_was_given_up_meanwhile_is_still_a_no_and_owes_nobody_a_message(salon: Salon) -> None:
    under_way(salon, given_up, lambda *_: BUSY)
    outcome = salon.call().book(TUESDAY, "10:00", staff="Fabian")
    assert not isinstance(outcome, Booked | StillOpen)
    assert look_at(salon).outbox == {}


def test_while_the_table_is_away_after_cal_com_has_answered_it_is_said_to_be_open(salon: Salon) -> None:
    """Neither the commit nor what is on record can be had."""

    def away(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
        salon.client.faults.next("*", StoreFault.NOT_SENT, times=10_000)
        return calendar.make(request)

    salon.calendar.faults.append(away)
    outcome = salon.call().book(TUESDAY, "10:00", staff="Fabian")
    salon.client.faults.clear()
    assert isinstance(outcome, StillOpen)
    assert only(salon).state is AppointmentState.PENDING


@pytest.mark.parametrize(("left", "sent"), [(LEAST_FOR_WRITE_S, 2), (LEAST_FOR_WRITE_S - 0.01, 1)])
def test_what_never_left_is_sent_once_more_only_while_there_is_time_to_write_it_down(
    salon: Salon, left: float, sent: int
) -> None:
    asked: list[BookingRequest] = []

    def slow(_: FakeCalendar, request: BookingRequest) -> CreateAnswer:
        asked.append(request)
        salon.clock.advance(WRITE_TURN_S - left - salon.clock.monotonic())
        return NotSent("ConnectError")

    salon.calendar.faults.extend([slow] * 2)
    outcome = salon.call().book(TUESDAY, "10:00", staff="Fabian")
    assert isinstance(outcome, TemporaryTrouble)
    assert len(asked) == sent


@pytest.mark.parametrize("answer", [FakeCalendar.make, longer], ids=["as asked", "longer"])
def test_a_booking_whose_record_has_vanished_is_cancelled_and_never_called_booked(
    salon: Salon, answer: Callable[[FakeCalendar, BookingRequest], CreateAnswer]
) -> None:
    under_way(salon, vanished, answer)
    assert isinstance(salon.call().book(TUESDAY, "10:00", staff="Fabian"), NotBooked | StillOpen)
    assert salon.calendar.accepted() == []


def test_a_no_whose_record_has_vanished_is_said_to_be_open(salon: Salon) -> None:
    """Nobody can tell any more what became of the operation."""
    under_way(salon, vanished, lambda *_: BUSY)
    assert isinstance(salon.call().book(TUESDAY, "10:00", staff="Fabian"), StillOpen)


# Of a service with several bookings


@pytest.fixture
def parts() -> Salon:
    return composite.opened()


def test_a_part_that_is_refused_as_invalid_is_told_to_an_operator_and_another_refusal_is_not(parts: Salon) -> None:
    for number, refusal in enumerate((Refusal.INVALID, Refusal.OUT_OF_BOUNDS)):
        composite.failing(parts, 1, fault=composite.told(Refused(refusal, "HTTP 400")))
        composite.perm(parts.call(f"call_{number}"), f"1{number}:00")
        parts.calendar.faults.clear()
    assert [each.kind for each in parts.alerts.raised] == [alerts.REQUEST_REFUSED]


def test_a_part_that_is_not_there_is_told_to_an_operator_and_kept_with_its_reason(parts: Salon) -> None:
    composite.failing(parts, 1, fault=composite.told(NotThere("HTTP 404")))
    composite.perm(parts.call())
    assert [each.kind for each in parts.alerts.raised] == [alerts.REQUEST_REFUSED]
    assert only(parts).why == "not_found"


def test_each_part_that_speaks_against_it_is_told_of(parts: Salon) -> None:
    composite.failing(parts, 0, 1, fault=longer)
    composite.perm(parts.call())
    assert [each.kind for each in parts.alerts.raised] == [alerts.WRONG_BOOKING] * 2
    assert parts.calendar.accepted() == []


def test_a_part_of_unknown_outcome_beside_a_refusal_is_waited_for_as_something_to_undo(parts: Salon) -> None:
    answers = {"0": BUSY, "1": Unclear("ReadTimeout")}
    parts.calendar.faults.extend([lambda _, request: answers[request.metadata["segment"]]] * 2)
    assert isinstance(composite.perm(parts.call()), StillOpen)
    assert only(parts).state is AppointmentState.COMPENSATING


def test_a_wrong_part_of_what_was_given_up_is_cancelled_and_the_whole_never_called_booked(parts: Salon) -> None:
    under_way(parts, given_up, longer)
    assert not isinstance(composite.perm(parts.call()), Booked)
    assert only(parts).state is AppointmentState.FAILED
    assert parts.calendar.accepted() == []


@pytest.mark.parametrize(("left", "sent"), [(LEAST_FOR_WRITE_S, 4), (LEAST_FOR_WRITE_S - 0.01, 2)])
def test_parts_that_never_left_are_sent_again_only_while_there_is_time(parts: Salon, left: float, sent: int) -> None:
    asked: list[BookingRequest] = []

    def slow(_: FakeCalendar, request: BookingRequest) -> CreateAnswer:
        asked.append(request)
        if len(asked) == 2:
            parts.clock.advance(WRITE_TURN_S - left - parts.clock.monotonic())
        return NotSent("ConnectError")

    parts.calendar.faults.extend([slow] * 4)
    assert isinstance(composite.perm(parts.call()), TemporaryTrouble)
    assert len(asked) == sent


@pytest.mark.parametrize("answer", [FakeCalendar.make, longer], ids=["as asked", "longer"])
def test_parts_whose_record_has_vanished_are_cancelled_and_never_called_booked(
    parts: Salon, answer: Callable[[FakeCalendar, BookingRequest], CreateAnswer]
) -> None:
    under_way(parts, vanished, answer)
    assert isinstance(composite.perm(parts.call()), NotBooked | StillOpen)
    assert parts.calendar.accepted() == []


def stands_on_another(salon: Salon, appointment: Appointment) -> None:
    """Cal.com made two of one request; whoever looks after open ones has seen the first, and confirmed it."""
    segments, told = {}, appointment.told
    for segment in appointment.segments:
        booking = salon.calendar.insert(
            BookingRequest(
                event_type=segment.event_type,
                start=segment.slot.start,
                name=appointment.customer.name,
                email=appointment.customer.email,
                phone=None,
                zone="Europe/Berlin",
                language="de",
                metadata={"op_id": appointment.op, "appointment": appointment.id, "segment": str(segment.index)},
            )
        )
        segments[segment.index] = booking
    confirmed = salon.appointments.confirm(salon.tenant.id, appointment, segments, told=told, now=salon.clock.now())
    assert isinstance(confirmed, Confirmed)


def test_who_wakes_beside_another_booking_of_the_same_wish_is_told_what_stands(salon: Salon) -> None:
    """ "Nicht gebucht" of what is confirmed would be untrue; and only one of the two may stay."""
    under_way(salon, stands_on_another, lambda calendar, request: Answered(calendar.insert(request)))

    outcome = salon.call().book(TUESDAY, "10:00", staff="Fabian")

    assert isinstance(outcome, Booked)
    assert only(salon).state is AppointmentState.CONFIRMED
    assert [each.uid for each in salon.calendar.accepted()] == [only(salon).segments[0].uid]
    assert [each.kind for each in salon.alerts.raised] == [alerts.WOKE_TOO_LATE]


def test_what_the_salon_moved_at_once_is_not_taken_back_by_the_turns_own_look(salon: Salon) -> None:
    """The answer was lost, and somebody moved it in that second: it is left to whoever has the time to see that."""

    def moved_at_once(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
        made = calendar.insert(request)
        calendar.move(made.uid, made.start + timedelta(hours=1))
        return Unclear("ReadTimeout")

    salon.calendar.faults.append(moved_at_once)

    assert isinstance(salon.call().book(TUESDAY, "10:00", staff="Fabian"), StillOpen)
    assert len(salon.calendar.accepted()) == 1


def test_of_a_composite_too_who_wakes_beside_others_of_the_same_wish_is_told_what_stands(parts: Salon) -> None:
    seen: list[str] = []

    def wakes_late(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
        if not seen:
            appointment = parts.appointments.appointment(parts.tenant.id, request.metadata["appointment"])
            assert appointment is not None
            stands_on_another(parts, appointment)
        seen.append(request.metadata["segment"])
        return Answered(calendar.insert(request))

    parts.calendar.faults.extend([wakes_late] * 3)

    outcome = composite.perm(parts.call())

    assert isinstance(outcome, Booked)
    standing = only(parts)
    assert standing.state is AppointmentState.CONFIRMED
    assert {each.uid for each in parts.calendar.accepted()} == {each.uid for each in standing.segments}
