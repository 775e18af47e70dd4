"""Others change the same part of a composite more than once: each change has a name and an end of its own."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bookend.application.converged import Converged
from bookend.application.converging import assess, converge
from bookend.domain.appointment import AppointmentState
from bookend.domain.drift import DEAD, Flag, Nothing
from tests.application.convergence.test_a_part_changed_there import WAS, at_rest, only, part, stands
from tests.application.convergence.test_the_whole_goes_after_a_part import booked, shifted, told_of
from tests.application.convergence.world import TEN, Layer, World, unequal

LAYERS = pytest.mark.parametrize("layer", [Layer.WEBHOOKS, Layer.RECONCILE], ids=lambda layer: layer.name.lower())
SENT = pytest.mark.parametrize("sent", [False, True], ids=["unsent", "sent"])
"""Whether the message of the first change has gone out when the second one ends."""


def messages_sent(world: World) -> None:
    for row in world.rows("OUT"):
        world.client.update_item(
            TableName="appointments",
            Key={"pk": row["pk"], "sk": row["sk"]},
            UpdateExpression="SET #state = :sent REMOVE #due, #shard",
            ExpressionAttributeNames={"#state": "state", "#due": "due", "#shard": "due_shard"},
            ExpressionAttributeValues={":sent": {"S": "SENT"}},
        )


@LAYERS
@SENT
class TestTheRestGoesAfterItEachTime:
    def test_moved_and_then_cancelled(self, layer: Layer, sent: bool) -> None:
        world = booked(layer)
        moved = world.calendar.move(part(world, 0).uid, TEN + timedelta(hours=3))
        world.run(1200)
        assert stands(world) == shifted(timedelta(hours=3))
        if sent:
            messages_sent(world)
        world.calendar.cancel_by_hand(moved.uid)
        world.run(1800)
        assert (only(world).state, world.calendar.accepted(), stands(world)) == (AppointmentState.CANCELLED, [], {})
        assert [kind for _, kind in world.look().texts.values()].count("cancelled") == 1
        assert world.alerts.raised == []

    def test_made_longer_where_it_stands_and_longer_again(self, layer: Layer, sent: bool) -> None:
        world = booked(layer)
        for number in (1, 2):
            seen = part(world, 0)
            world.calendar.change(seen.uid, end=seen.end + timedelta(minutes=15))
            world.run(1200)
            by = timedelta(minutes=15 * number)
            assert stands(world) == WAS | {"1": (WAS["1"][0] + by, "fabian")}
            if sent:
                messages_sent(world)
        assert (only(world).state, told_of(world)) == (AppointmentState.CONFIRMED, [])
        kinds = sorted(kind for _, kind in world.look().texts.values())
        assert kinds == (["booked", "moved", "moved"] if sent else ["moved"]), "what was not sent is void"
        assert list(unequal(world.look())) == []


def test_two_that_see_the_same_change_do_it_once() -> None:
    world = booked(Layer.WEBHOOKS)
    moved = world.calendar.move(part(world, 0).uid, TEN + timedelta(hours=3))
    first, second = (converge(world.background(8.0, by), moved) for by in ("worker", "reconciliation"))
    assert (first, second) == (Converged.WHOLE_FOLLOWED, Converged.EQUAL)
    assert world.calendar.asked.count("reschedule") == 1
    world.run(900)
    at_rest(world)


@pytest.mark.parametrize("number", [0, 1])
class TestAReadThatLags:
    def test_of_a_booking_that_a_part_had_before_is_no_duplicate(self, number: int) -> None:
        """A worker has read it, or a replica shows it alive; meanwhile the move is on record."""
        world = booked(Layer.WEBHOOKS)
        before = part(world, number)
        world.clock.advance(60)
        world.calendar.move(part(world, 0).uid, TEN + timedelta(hours=3))
        world.run(900)
        assert before.uid not in {each.uid for each in only(world).segments}
        assert isinstance(assess(world.background(8.0, "worker"), before), Nothing)

    def test_but_one_that_is_brought_back_to_life_there_is(self, number: int) -> None:
        world = booked(Layer.WEBHOOKS)
        before = part(world, number)
        world.calendar.move(part(world, 0).uid, TEN + timedelta(hours=3))
        world.run(900)
        assert world.calendar.bookings[before.uid].status in DEAD
        again = world.calendar.change(before.uid, status="accepted")
        assert isinstance(assess(world.background(8.0, "worker"), again), Flag)
