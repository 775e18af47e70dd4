"""Changes whose booking is gone, waits for somebody, or is no longer sold; and what is left to be told of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bookend.application.change_outcomes import CancelledNow, Confirm, KeptForLater, Moved
from bookend.domain.answers import Answered, NotSent, Unclear
from bookend.domain.appointment import AppointmentState, ChangeKind
from tests.application.convergence.test_changes_directed import NEW, Told
from tests.application.convergence.world import DAY, TEN, Layer


@pytest.mark.parametrize("kind", list(ChangeKind))
def test_a_change_of_a_booking_that_is_gone_for_good_ends_and_a_person_is_told(kind: ChangeKind) -> None:
    told = Told(Layer.SWEEPER, kind=kind)
    calendar = told.world.calendar
    calendar.move_faults.extend([lambda *_: Unclear("ReadTimeout")] * 2)
    calendar.cancel_faults.extend([Unclear("ReadTimeout")] * 2)
    told.yes()
    calendar.hidden[told.uid] = told.world.clock.now() + timedelta(days=30)
    told.world.run(3600)
    assert told.appointment.state is AppointmentState.CONFIRMED
    assert told.appointment.change is None
    assert len(told.texts()) == 1
    assert told.alerts().count("RequestRefused") == 1


def test_a_move_that_somebody_must_confirm_at_cal_com_is_not_told_as_done() -> None:
    told = Told(Layer.SWEEPER)
    calendar = told.world.calendar

    def pending(_calendar: Any, uid: str, start: Any) -> Any:
        answer = calendar.make_move(uid, start)
        moved = replace(answer.booking, status="pending")
        calendar.bookings[moved.uid] = moved
        return Answered(moved)

    calendar.move_faults.append(pending)
    told.yes()
    told.world.run(600)
    assert told.appointment.state is AppointmentState.MOVING
    assert told.texts() == []
    (waiting,) = [each for each in calendar.bookings.values() if each.status == "pending"]
    calendar.change(waiting.uid, status="accepted")
    told.world.run(600)
    assert told.appointment.slot.start == NEW
    assert told.texts() == ["moved"]


def test_a_kept_move_is_not_made_to_a_stylist_who_no_longer_does_it() -> None:
    told = Told(Layer.SWEEPER)
    calendar, world = told.world.calendar, told.world
    calendar.move_faults.append(lambda *_: NotSent("circuit open", retry_after_s=60.0))
    assert isinstance(told.yes(keep=True), KeptForLater)
    background = world.background

    def without_fabian(seconds: float, by: str) -> Any:
        work = background(seconds, by)
        staff = tuple(each for each in work.tenant.staff if each.id != "fabian")
        return replace(work, tenant=replace(work.tenant, staff=staff))

    world.background = without_fabian  # type: ignore[method-assign]
    world.run(1800)
    assert calendar.asked.count("reschedule") == 1
    assert told.appointment.slot.start == TEN
    assert told.texts() == ["not_moved"]


def test_of_a_move_and_a_cancellation_only_the_last_has_a_message_to_send() -> None:
    told = Told(Layer.SWEEPER)
    assert isinstance(told.yes(), Moved)
    told.kind = ChangeKind.CANCEL
    asked = told.says(name="Hans Schuster", date=DAY)
    assert isinstance(asked, Confirm)
    told.token = asked.token
    assert isinstance(told.yes(), CancelledNow)
    rows = told.world.rows("OUT")
    assert sorted((row["kind"]["S"], row["state"]["S"]) for row in rows) == [
        ("booked", "VOID"),
        ("cancelled", "NEW"),
        ("moved", "VOID"),
    ]
