"""Whoever settles the change of a composite says whether it has ended: what has not, is looked at again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bookend.application.change_outcomes import Confirm, KeptForLater
from bookend.application.patience import AGAIN, SETTLE
from bookend.application.settling import Settled, settle
from bookend.domain.answers import NotSent, Unclear
from bookend.domain.appointment import AppointmentState, ChangeKind
from tests.application.changes import MOVE, TUESDAY, ask, yes
from tests.application.convergence.test_a_part_changed_there import WAS, only, part, stands
from tests.application.convergence.test_the_whole_goes_after_a_part import booked, shifted
from tests.application.convergence.world import ONE_S, Layer, World

NEVER_LEFT = NotSent("circuit open", retry_after_s=60.0)
LOST = Unclear("ReadTimeout")
THREE_HOURS = timedelta(hours=3)
LATE = (SETTLE + AGAIN).total_seconds()


@pytest.fixture
def world() -> World:
    """Nobody works in the background but the test."""
    world = booked(Layer.SWEEPER)
    world.forget()
    return world


def settled(world: World, *, after: float) -> Settled:
    world.clock.advance(after)
    return settle(world.background(ONE_S, "test"), only(world).id)


@pytest.mark.parametrize("kind", list(ChangeKind))
def test_a_kept_wish_waits_for_as_long_as_nothing_can_be_sent_and_has_ended_when_it_is_done(
    world: World, kind: ChangeKind
) -> None:
    world.calendar.move_faults.extend([lambda *_: NEVER_LEFT] * 4)
    world.calendar.cancel_faults.extend([NEVER_LEFT] * 4)
    phone = world.phone("call_2")
    asked = ask(phone, kind, date=TUESDAY, **({"new_time": "13:00"} if kind is MOVE else {}))
    assert isinstance(asked, Confirm)
    assert isinstance(yes(phone, kind, asked.token, keep=True), KeptForLater)
    world.calendar.move_faults.extend([lambda *_: NEVER_LEFT] * 2)
    world.calendar.cancel_faults.extend([NEVER_LEFT] * 2)
    assert settled(world, after=60) is Settled.WAITING
    assert only(world).change is not None
    world.calendar.move_faults.clear()
    world.calendar.cancel_faults.clear()
    assert settled(world, after=60) is Settled.ENDED
    assert only(world).change is None
    assert only(world).state is (AppointmentState.CONFIRMED if kind is MOVE else AppointmentState.CANCELLED)
    assert stands(world) == (shifted(THREE_HOURS) if kind is MOVE else {})
    assert settled(world, after=60) is Settled.NOTHING_TO_DO


@pytest.mark.parametrize("number", [0, 1])
def test_the_rest_that_goes_after_a_part_waits_while_nobody_knows_and_has_ended_when_it_has_gone(
    world: World, number: int
) -> None:
    world.calendar.move_faults.extend([lambda *_: LOST] * 2)
    world.calendar.move(part(world, number).uid, WAS[str(number)][0] + THREE_HOURS)
    world.reconcile()
    assert (only(world).state, only(world).under_way.follows) == (AppointmentState.MOVING, number)
    world.calendar.move_faults.clear()
    assert settled(world, after=60) is Settled.WAITING
    assert only(world).state is AppointmentState.MOVING
    ends = [settled(world, after=LATE) for _ in range(2)]
    assert Settled.ENDED in ends
    assert only(world).change is None
    assert stands(world) == shifted(THREE_HOURS)
    assert len(world.calendar.accepted()) == 2
