"""One part of a composite is moved, changed or cancelled at Cal.com by somebody.

The ledger follows that part, the others stand, and a person is told: half a service is never ended or moved in silence.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bookend.application import alerts as alert
from bookend.application.outcomes import Booked, StillOpen
from bookend.application.ports import BookingRequest
from bookend.domain.answers import Answered, Booking, CreateAnswer, Unclear
from bookend.domain.appointment import Appointment, AppointmentState
from bookend.domain.staff_day import IntervalState
from bookend.domain.tenant import PartRule
from tests.application.convergence.world import DAY, TEN, Layer, World, unequal, violations
from tests.support.calendar import BUSY, FakeCalendar
from tests.support.invariants import Heard
from tests.support.salon import example_tenant

LATER = TEN + timedelta(hours=5)
LAYERS = pytest.mark.parametrize("layer", [Layer.WEBHOOKS, Layer.RECONCILE], ids=lambda layer: layer.name.lower())
PARTS = pytest.mark.parametrize("number", [0, 1])


FLAGS = replace(example_tenant(), part_changed=PartRule.FLAG)


def booked(layer: Layer) -> World:
    world = World(layer, tenant=FLAGS)
    world.salon.open(DAY, first="09:00", last="17:00", every=15)
    outcome = world.phone().book(DAY, "10:00", service="Dauerwelle", staff="Fabian")
    assert isinstance(outcome, Booked)
    world.phone().hang_up()
    world.begin_schedules()
    world.run(60)
    return world


def part(world: World, number: int) -> Booking:
    (found,) = [each for each in world.calendar.accepted() if each.metadata.get("segment") == str(number)]
    return found


def only(world: World) -> Appointment:
    """The one that was booked by voice."""
    (appointment,) = [each for each in world.look().appointments.values() if each.source == "phone"]
    return appointment


def stands(world: World) -> dict[str, tuple[datetime, str]]:
    """What the ledger holds firmly: the part, when it begins, whose it is."""
    return {
        key.partition("/")[2]: (each.slot.start, staff)
        for (staff, _), intervals in world.look().ledger.items()
        for key, each in intervals.items()
        if each.state is IntervalState.CONFIRMED
    }


def told_of(world: World) -> list[str]:
    """The parts' uids that a person was told of."""
    return [
        each.facts["booking_uid"]
        for each in world.alerts.raised
        if each.kind == alert.DRIFT_FOUND and each.facts["drift"] == "part"
    ]


def at_rest(world: World) -> None:
    assert violations(world, [Heard("call_1", Booked(only(world), TEN.date()), only(world).slot.start)]) == []
    assert list(unequal(world.look())) == []


WAS = {"0": (TEN, "fabian"), "1": (TEN + timedelta(minutes=105), "fabian")}


@LAYERS
@PARTS
class TestOnePart:
    def test_that_is_cancelled_frees_its_time_and_the_other_stands(self, layer: Layer, number: int) -> None:
        world = booked(layer)
        gone = part(world, number)
        world.calendar.cancel_by_hand(gone.uid)
        world.run(900)
        appointment = only(world)
        assert appointment.state is AppointmentState.CONFIRMED
        assert stands(world) == {name: where for name, where in WAS.items() if name != str(number)}
        assert told_of(world) == [gone.uid]
        assert world.look().outbox == {appointment.id: ["booked"]}, "what is said of it is for a person"
        at_rest(world)

    def test_that_is_cancelled_without_a_word_was_not_moved_to_where_the_other_stands(
        self, layer: Layer, number: int
    ) -> None:
        """It may be half of a move, so the other half is looked for: the other part is labelled like it, and is not."""
        world = booked(layer)
        gone = part(world, number)
        world.calendar.change(gone.uid, status="cancelled", called_off=False)
        world.run(1200)
        assert stands(world) == {name: where for name, where in WAS.items() if name != str(number)}
        assert told_of(world) == [gone.uid]
        at_rest(world)

    def test_that_is_moved_is_followed_and_the_other_stands(self, layer: Layer, number: int) -> None:
        world = booked(layer)
        moved = world.calendar.move(part(world, number).uid, LATER)
        world.run(900)
        assert stands(world) == WAS | {str(number): (LATER, "fabian")}
        assert [each.uid for each in only(world).segments][number] == moved.uid
        assert told_of(world) == [moved.uid]
        at_rest(world)

    def test_that_is_given_to_another_stylist_is_followed(self, layer: Layer, number: int) -> None:
        world = booked(layer)
        changed = world.calendar.change(part(world, number).uid, host=29)
        world.run(900)
        assert stands(world) == WAS | {str(number): (WAS[str(number)][0], "emma")}
        assert told_of(world) == [changed.uid]
        at_rest(world)

    def test_that_becomes_longer_is_followed(self, layer: Layer, number: int) -> None:
        world = booked(layer)
        was = part(world, number)
        world.calendar.change(was.uid, end=was.end + timedelta(minutes=10))
        world.run(900)
        assert only(world).segments[number].slot.end == was.end + timedelta(minutes=10)
        assert told_of(world) == [was.uid]
        at_rest(world)

    def test_that_is_moved_to_where_it_is_tells_nobody(self, layer: Layer, number: int) -> None:
        world = booked(layer)
        moved = world.calendar.move(part(world, number).uid, WAS[str(number)][0])
        world.run(900)
        assert only(world).segments[number].uid == moved.uid
        assert told_of(world) == []
        at_rest(world)

    def test_that_is_moved_twice_is_found_at_its_end(self, layer: Layer, number: int) -> None:
        world = booked(layer)
        once = world.calendar.move(part(world, number).uid, LATER)
        world.calendar.move(once.uid, LATER + timedelta(hours=1))
        world.run(900)
        assert stands(world) == WAS | {str(number): (LATER + timedelta(hours=1), "fabian")}
        at_rest(world)

    def test_that_went_and_is_there_again_is_taken_in_again(self, layer: Layer, number: int) -> None:
        """Cancelled without a word, and only minutes later it is shown where it was moved to."""
        world = booked(layer)
        was = part(world, number)
        world.calendar.cancel_by_hand(was.uid)
        world.run(600)
        assert len(only(world).segments) == 1
        request = BookingRequest(was.event_type or 0, LATER, "n", was.attendees[0], None, "UTC", "de", was.metadata)
        copied = world.calendar.insert(request)
        world.run(900)
        assert stands(world) == WAS | {str(number): (LATER, "fabian")}
        assert told_of(world) == [was.uid, copied.uid]
        at_rest(world)


@LAYERS
def test_both_parts_cancelled_is_the_end_of_it(layer: Layer) -> None:
    world = booked(layer)
    for number in (0, 1):
        world.calendar.cancel_by_hand(part(world, number).uid)
        world.run(20)
    world.run(900)
    assert only(world).state is AppointmentState.CANCELLED
    assert stands(world) == {}
    assert world.look().outbox == {only(world).id: ["cancelled"]}
    assert violations(world) == []


@LAYERS
def test_both_parts_moved_are_one_appointment_at_its_new_time(layer: Layer) -> None:
    world = booked(layer)
    for number in (0, 1):
        world.calendar.move(part(world, number).uid, WAS[str(number)][0] + timedelta(hours=3))
    world.run(900)
    assert stands(world) == {name: (start + timedelta(hours=3), "fabian") for name, (start, _) in WAS.items()}
    assert len(told_of(world)) == 2
    at_rest(world)


@PARTS
def test_what_is_newer_of_one_part_does_not_hide_an_older_change_of_the_other(number: int) -> None:
    """Two changes, of which the younger one's event comes first."""
    world = booked(Layer.WEBHOOKS)
    first = world.calendar.move(part(world, number).uid, LATER)
    held, world._agenda = world._agenda, []  # the event of it is late
    world.clock.advance(30)
    other = world.calendar.move(part(world, 1 - number).uid, LATER + timedelta(hours=1))
    world.run(120)
    assert only(world).segments[1 - number].uid == other.uid
    world._agenda = held
    world.run(300)
    assert only(world).segments[number].uid == first.uid
    at_rest(world)


def test_a_part_that_is_moved_onto_another_appointment_is_flagged_as_a_conflict() -> None:
    world = booked(Layer.WEBHOOKS)
    theirs = world.phone("call_2", caller="+491709999999")
    assert isinstance(theirs.book(DAY, "15:00", staff="Fabian"), Booked)
    world.calendar.move(part(world, 1).uid, LATER)
    world.run(300)
    conflicts = [
        key.partition("/")[2]
        for intervals in world.look().ledger.values()
        for key, each in intervals.items()
        if each.conflict
    ]
    assert conflicts == ["1"]
    assert alert.CONFLICT_ADOPTED in [each.kind for each in world.alerts.raised]


# Before we knew that it was booked


def open_ones(world: World, touch: str) -> tuple[StillOpen, list[Booking]]:
    """Both answers are lost and nothing is shown at first; meanwhile the salon does something to the first part."""
    made: list[Booking] = []

    def lost(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
        answer = calendar.make(request)
        assert isinstance(answer, Answered)
        calendar.hidden[answer.booking.uid] = calendar.clock.now() + timedelta(seconds=20)
        made.append(answer.booking)
        return Unclear("ReadTimeout")

    world.calendar.faults.extend([lost] * 2)
    outcome = world.phone().book(DAY, "10:00", service="Dauerwelle", staff="Fabian")
    assert isinstance(outcome, StillOpen)
    world.phone().hang_up()
    world.clock.advance(15)
    if touch == "cancelled":
        world.calendar.cancel_by_hand(made[0].uid)
    elif touch == "moved":
        world.calendar.move(made[0].uid, LATER)
    elif touch == "given to Emma":
        world.calendar.change(made[0].uid, host=29)
    else:
        for each in made:
            world.calendar.cancel_by_hand(each.uid)
    world.begin_schedules()
    return outcome, made


@pytest.mark.parametrize(
    ("touch", "left"),
    [
        ("cancelled", {"1": WAS["1"]}),
        ("moved", WAS | {"0": (LATER, "fabian")}),
        ("given to Emma", WAS | {"0": (TEN, "emma")}),
    ],
)
def test_what_somebody_did_to_a_part_before_it_was_settled_is_found_and_told_of(
    touch: str, left: dict[str, tuple[datetime, str]]
) -> None:
    world = World(Layer.SWEEPER, Layer.RECONCILE, tenant=FLAGS)
    world.salon.open(DAY, first="09:00", last="17:00", every=15)
    open_ones(world, touch)
    world.run(1800)
    assert only(world).state is AppointmentState.CONFIRMED
    assert stands(world) == left
    assert len(told_of(world)) == 1
    assert len(world.look().outbox[only(world).id]) == 1, "exactly one message"
    assert violations(world) == []


def test_a_part_that_is_on_record_is_looked_for_by_its_uid_where_the_list_does_not_show_it() -> None:
    world = World(Layer.SWEEPER)
    world.salon.open(DAY, first="09:00", last="17:00", every=15)
    made: list[Booking] = []
    find = world.calendar.find

    def first(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
        made.append(calendar.insert(request))
        return Answered(made[0])

    def second(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
        world.at(100, lambda: calendar.insert(request) and None)
        return Unclear("ReadTimeout")

    world.calendar.faults.extend([first, second])
    world.calendar.find = lambda *args, **more: tuple(  # type: ignore[method-assign]
        each
        for each in find(*args, **more)
        if each.uid != made[0].uid  # type: ignore[union-attr]
    )
    assert isinstance(world.phone().book(DAY, "10:00", service="Dauerwelle", staff="Fabian"), StillOpen)
    world.begin_schedules()
    world.run(600)
    assert only(world).state is AppointmentState.CONFIRMED
    assert len(world.calendar.accepted()) == 2


def test_all_parts_cancelled_before_it_was_settled_is_the_end_of_it() -> None:
    world = World(Layer.SWEEPER, Layer.RECONCILE, tenant=FLAGS)
    world.salon.open(DAY, first="09:00", last="17:00", every=15)
    outcome, _ = open_ones(world, "all cancelled")
    world.run(1800)
    assert only(world).state is AppointmentState.FAILED
    assert world.look().outbox == {only(world).id: ["not_booked"]}
    assert violations(world, [Heard("call_1", outcome, TEN)]) == []


def test_what_somebody_touched_of_what_must_go_stays_and_is_told_of() -> None:
    """The second part was refused, the first one cannot be cancelled, and the salon moves it meanwhile."""
    world = World(Layer.SWEEPER, Layer.RECONCILE, tenant=FLAGS)
    world.salon.open(DAY, first="09:00", last="17:00", every=15)
    made: list[Booking] = []

    def first(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
        made.append(calendar.insert(request))
        return Answered(made[0])

    world.calendar.faults.extend([first, lambda _c, _r: replace(BUSY)])
    world.calendar.cancel_faults.append(Unclear("x"))
    assert isinstance(world.phone().book(DAY, "10:00", service="Dauerwelle", staff="Fabian"), StillOpen)
    world.clock.advance(15)
    moved = world.calendar.move(made[0].uid, LATER)
    world.begin_schedules()
    world.run(3600)
    states = {each.source: each.state for each in world.look().appointments.values()}
    assert states == {"phone": AppointmentState.FAILED, "calcom": AppointmentState.CONFIRMED}
    assert [each.uid for each in world.calendar.accepted()] == [moved.uid]
    assert "taken_over" in [each.facts.get("drift") for each in world.alerts.raised]
    assert list(unequal(world.look())) == []
