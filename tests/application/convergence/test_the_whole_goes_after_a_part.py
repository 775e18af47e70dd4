"""One part of a composite is moved or cancelled at Cal.com by somebody, and the salon wants the whole to go after it.

What fits where it is stays; what does not is moved or cancelled at Cal.com too; where it cannot be, a person is told.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache

import pytest

from bookend.application import alerts as alert
from bookend.application.change_outcomes import Found
from bookend.application.converged import Converged
from bookend.application.converging import assess, carry_out, converge
from bookend.application.deadline import READ_TURN_S
from bookend.application.find_appointments import find_appointments
from bookend.application.outcomes import Booked, Offers
from bookend.domain.answers import Booking, CreateAnswer, KeyRejected, NotSent, Refusal, Refused, Unclear
from bookend.domain.appointment import Amiss, AppointmentState
from bookend.domain.drift import EndWhole, FollowWhole, is_destructive
from bookend.domain.tenant import Segment, SegmentKind, Tenant
from bookend.domain.timeslot import Slot
from tests.application.convergence.test_a_part_changed_there import FLAGS, LATER, WAS, at_rest, only, part, stands
from tests.application.convergence.world import DAY, TEN, Layer, World, unequal, violations
from tests.support.calendar import BUSY, FakeCalendar, MoveFault
from tests.support.salon import example_tenant
from tests.support.tables.faults import Crash

LAYERS = pytest.mark.parametrize("layer", [Layer.WEBHOOKS, Layer.RECONCILE], ids=lambda layer: layer.name.lower())
PARTS = pytest.mark.parametrize("number", [0, 1])
FOLLOWS = example_tenant()


def flexible(least: int, most: int, *, parts: int = 2) -> Tenant:
    """The example, whose perm may work for so long, and which may have a third part after another hour."""
    *others, perm = FOLLOWS.services
    first, gap, second = perm.segments
    gap = replace(gap, min_minutes=least, max_minutes=most)
    third = (gap, Segment(SegmentKind.BUSY, 15, {"fabian": 3757751})) if parts == 3 else ()
    return replace(FOLLOWS, services=(*others, replace(perm, segments=(first, gap, second, *third))))


def booked(layer: Layer, tenant: Tenant = FOLLOWS, *, last: str = "17:00") -> World:
    world = World(layer, tenant=tenant)
    world.salon.open(DAY, first="09:00", last=last, every=15)
    outcome = world.phone().book(DAY, "10:00", service="Dauerwelle", staff="Fabian")
    assert isinstance(outcome, Booked)
    world.phone().hang_up()
    world.begin_schedules()
    world.run(60)
    world.calendar.asked.clear()
    return world


def told_of(world: World) -> list[tuple[str, str]]:
    """What a person was told: the booking, and what is wrong with the whole."""
    return [
        (each.facts["booking_uid"], each.facts["why"])
        for each in world.alerts.raised
        if each.kind == alert.DRIFT_FOUND and each.facts["drift"] == "part"
    ]


def shifted(by: timedelta) -> dict[str, tuple[datetime, str]]:
    return {name: (start + by, staff) for name, (start, staff) in WAS.items()}


def found(world: World) -> Found:
    outcome = find_appointments(world.phone().turn(READ_TURN_S))
    assert isinstance(outcome, Found)
    return outcome


def changed(world: World) -> tuple[Slot, ...]:
    """Those of which the caller hears that they are no longer whole."""
    return tuple(each.slot for each in found(world).own if each.changed)


@LAYERS
@PARTS
class TestMoved:
    def test_the_other_goes_as_far_and_nobody_is_rung(self, layer: Layer, number: int) -> None:
        world = booked(layer)
        world.calendar.move(part(world, number).uid, WAS[str(number)][0] + timedelta(hours=3))
        world.run(900)
        assert stands(world) == shifted(timedelta(hours=3))
        assert told_of(world) == []
        appointment = only(world)
        assert (appointment.state, appointment.amiss, appointment.moves) == (AppointmentState.CONFIRMED, None, 0)
        assert world.look().outbox == {appointment.id: ["moved"]}, "what was not sent yet is void"
        assert [each.start for each in found(world).slots] == [TEN + timedelta(hours=3)]
        at_rest(world)

    def test_by_less_than_it_lasts_it_is_still_the_other_that_goes(self, layer: Layer, number: int) -> None:
        world = booked(layer, flexible(0, 10))
        assert stands(world)["1"][0] == TEN + timedelta(minutes=45), "one part right after the other"
        moved = world.calendar.move(part(world, number).uid, part(world, number).start + timedelta(minutes=15))
        world.run(900)
        first = moved.start - timedelta(minutes=45 * number)
        assert [each.slot.start for each in only(world).segments] == [first, first + timedelta(minutes=45)]
        assert told_of(world) == []
        at_rest(world)

    def test_within_the_bounds_of_the_gap_the_other_stays(self, layer: Layer, number: int) -> None:
        world = booked(layer, flexible(50, 90))
        before = stands(world)
        by = timedelta(minutes=-15 if number == 0 else 15)
        world.calendar.move(part(world, number).uid, before[str(number)][0] + by)
        world.run(900)
        assert stands(world) == before | {str(number): (before[str(number)][0] + by, "fabian")}
        assert told_of(world) == []
        assert "reschedule" not in world.calendar.asked
        assert only(world).amiss is None
        at_rest(world)

    def test_where_the_other_cannot_go_as_far_it_goes_where_it_can(self, layer: Layer, number: int) -> None:
        world = booked(layer, flexible(60, 120))
        theirs = TEN + timedelta(hours=3, minutes=105) if number == 0 else TEN + timedelta(hours=3)
        world.calendar.book_publicly(3672814, theirs)
        world.run(400)
        by = timedelta(hours=3) if number == 0 else timedelta(hours=3, minutes=15)
        world.calendar.move(part(world, number).uid, WAS[str(number)][0] + by)
        world.run(900)
        first, second = (each.slot for each in only(world).segments)
        assert timedelta(minutes=60) <= second.start - first.end <= timedelta(minutes=120)
        assert told_of(world) == []
        assert len(world.calendar.accepted()) == 3
        assert list(unequal(world.look())) == []

    def test_where_it_can_go_nowhere_a_person_is_told_and_the_caller_hears_that_it_is_not_whole(
        self, layer: Layer, number: int
    ) -> None:
        world = booked(layer)
        moved = world.calendar.move(part(world, number).uid, TEN + timedelta(hours=12))
        world.run(900)
        assert stands(world) == WAS | {str(number): (TEN + timedelta(hours=12), "fabian")}
        why = Amiss.GAP_TOO_SHORT if number == 0 else Amiss.GAP_TOO_LONG
        assert told_of(world) == [(moved.uid, why.value)]
        assert only(world).amiss is why
        assert changed(world) == found(world).slots
        assert "reschedule" not in world.calendar.asked
        at_rest(world)

    def test_when_it_is_whole_again_nothing_is_amiss(self, layer: Layer, number: int) -> None:
        world = booked(layer)
        moved = world.calendar.move(part(world, number).uid, TEN + timedelta(hours=12))
        world.run(900)
        world.calendar.move(moved.uid, WAS[str(number)][0])
        world.run(900)
        assert stands(world) == WAS
        assert len(told_of(world)) == 1
        assert only(world).amiss is None
        assert changed(world) == ()
        at_rest(world)

    def test_onto_somebody_elses_time_the_other_stays_and_both_are_told_of(self, layer: Layer, number: int) -> None:
        world = booked(layer)
        world.calendar.book_publicly(3672814, LATER)
        world.run(400)
        moved = world.calendar.move(part(world, number).uid, LATER)
        world.run(900)
        assert [uid for uid, _ in told_of(world)] == [moved.uid]
        assert alert.CONFLICT_ADOPTED in [each.kind for each in world.alerts.raised]
        assert "reschedule" not in world.calendar.asked

    def test_what_is_given_to_another_stylist_moves_nobody(self, layer: Layer, number: int) -> None:
        world = booked(layer)
        changed = world.calendar.change(part(world, number).uid, host=29)
        world.run(900)
        assert told_of(world) == [(changed.uid, Amiss.OTHER_STYLIST.value)]
        assert "reschedule" not in world.calendar.asked
        at_rest(world)

    def test_that_the_other_was_made_longer_is_not_undone_for_it(self, layer: Layer, number: int) -> None:
        """Cal.com moves to the event type's own length."""
        world = booked(layer)
        other = part(world, 1 - number)
        world.calendar.change(other.uid, end=other.end + timedelta(minutes=10))
        world.run(900)
        world.alerts.raised.clear()
        moved = world.calendar.move(part(world, number).uid, WAS[str(number)][0] + timedelta(hours=3))
        world.run(900)
        assert [uid for uid, _ in told_of(world)] == [moved.uid]
        assert only(world).segments[1 - number].slot.duration == other.end - other.start + timedelta(minutes=10)
        at_rest(world)


@LAYERS
def test_whoever_moves_all_parts_is_left_alone(layer: Layer) -> None:
    """Somebody is at the other one too; it is not moved away from under them."""
    world = booked(layer)
    for number, by in ((0, 180), (1, 180)):
        world.calendar.move(part(world, number).uid, WAS[str(number)][0] + timedelta(minutes=by))
    world.run(900)
    assert stands(world) == shifted(timedelta(hours=3))
    assert told_of(world) == []
    assert "reschedule" not in world.calendar.asked
    at_rest(world)

    """Of three parts the middle one comes ten minutes later: the first one has time to spare, the third one has not."""
    world = booked(layer, flexible(60, 75, parts=3))
    was = {each.index: each.slot.start for each in only(world).segments}
    world.calendar.move(part(world, 1).uid, was[1] + timedelta(minutes=10))
    world.run(900)
    now_is = {each.index: each.slot.start for each in only(world).segments}
    assert now_is == {0: was[0], 1: was[1] + timedelta(minutes=10), 2: was[2] + timedelta(minutes=10)}
    assert told_of(world) == []
    assert list(world.look().customer_guards.values()) == [only(world).id], "it begins when it began"
    at_rest(world)


@LAYERS
def test_where_it_begins_as_before_and_the_rest_cannot_go_its_customer_still_has_it_once(layer: Layer) -> None:
    world = booked(layer, flexible(60, 75, parts=3))
    world.calendar.move_faults.append(lambda *_: BUSY)
    world.calendar.move(part(world, 1).uid, part(world, 1).start + timedelta(minutes=10))
    world.run(900)
    assert only(world).amiss is Amiss.GAP_TOO_SHORT
    assert list(world.look().customer_guards.values()) == [only(world).id]
    at_rest(world)


@LAYERS
def test_each_makes_room_for_the_one_behind_it(layer: Layer) -> None:
    """Three parts without a gap: where the second one is to go the third one stands, so that goes first."""
    world = booked(layer, flexible(0, 10, parts=3))
    was = [each.slot.start for each in only(world).segments]
    assert was == [TEN, TEN + timedelta(minutes=45), TEN + timedelta(minutes=75)]
    world.calendar.move(part(world, 0).uid, TEN + timedelta(minutes=15))
    world.run(900)
    assert [each.slot.start for each in only(world).segments] == [each + timedelta(minutes=15) for each in was]
    assert told_of(world) == []
    at_rest(world)


# Cancelled


def ended(world: World) -> None:
    """Nothing is left of it, and nobody was rung."""
    assert only(world).state is AppointmentState.CANCELLED
    assert stands(world) == {}
    assert world.calendar.accepted() == []
    assert world.look().outbox == {only(world).id: ["cancelled"]}
    assert told_of(world) == []
    assert violations(world) == []


@LAYERS
@PARTS
class TestCancelled:
    def test_the_other_is_cancelled_too_and_nobody_is_rung(self, layer: Layer, number: int) -> None:
        world = booked(layer)
        world.calendar.cancel_by_hand(part(world, number).uid)
        world.run(900)
        ended(world)
        assert only(world).why == "cancelled_there"
        assert found(world).slots == ()

    def test_not_before_half_of_a_move_would_have_shown_its_other_half(self, layer: Layer, number: int) -> None:
        world = booked(layer)
        gone, other = part(world, number), part(world, 1 - number)
        world.calendar.change(gone.uid, status="cancelled", called_off=False)
        world.run(25)
        assert [each.uid for each in world.calendar.accepted()] == [other.uid]
        world.run(1200)
        ended(world)

    def test_both_by_hand_is_the_end_of_it(self, layer: Layer, number: int) -> None:
        world = booked(layer)
        for each in (number, 1 - number):
            world.calendar.cancel_by_hand(part(world, each).uid)
            world.run(20)
        world.run(900)
        ended(world)
        assert "cancel" not in world.calendar.asked

    def test_of_what_has_begun_the_other_stands_and_a_person_is_told(self, layer: Layer, number: int) -> None:
        world = booked(layer)
        world.run((TEN - world.clock.now()).total_seconds() + 60)
        gone = part(world, number)
        world.calendar.cancel_by_hand(gone.uid)
        world.run(900)
        assert stands(world) == {name: where for name, where in WAS.items() if name != str(number)}
        assert told_of(world) == [(gone.uid, Amiss.PART_GONE.value)]
        assert only(world).last_change is None, "nothing was begun"

    def test_where_cal_com_will_not_cancel_the_other_it_stands_and_a_person_is_told(
        self, layer: Layer, number: int
    ) -> None:
        world = booked(layer)
        gone = part(world, number)
        world.calendar.cancel_faults.append(Refused(Refusal.NOT_ALLOWED, "x"))
        world.calendar.cancel_by_hand(gone.uid)
        world.run(900)
        assert stands(world) == {name: where for name, where in WAS.items() if name != str(number)}
        assert told_of(world) == [(gone.uid, Amiss.PART_GONE.value)]
        if number == 1:
            assert changed(world) == found(world).slots
        at_rest(world) if number == 1 else None


@LAYERS
@PARTS
@pytest.mark.parametrize("seconds", [20, 150])
def test_whoever_cancels_all_parts_one_after_the_other_rings_nobody_by_either_rule(
    layer: Layer, number: int, seconds: int
) -> None:
    world = booked(layer, FLAGS)
    world.calendar.cancel_by_hand(part(world, number).uid)
    world.run(seconds)
    world.calendar.cancel_by_hand(part(world, 1 - number).uid)
    world.run(900)
    ended(world)
    assert "cancel" not in world.calendar.asked


# What may go wrong on the way


def move_lost(calendar: FakeCalendar, uid: str, start: datetime) -> CreateAnswer:
    """It is moved, and the answer is lost."""
    calendar.make_move(uid, start)
    return Unclear("ReadTimeout")


UNHEARD = {
    "it was done": move_lost,
    "it was not done": lambda *_: Unclear("ReadTimeout"),
    "it never left": lambda *_: NotSent("ConnectError"),
    "the key was rejected": lambda *_: KeyRejected(401),
}


@pytest.mark.parametrize("layer", [Layer.SWEEPER, Layer.RECONCILE], ids=lambda layer: layer.name.lower())
@PARTS
@pytest.mark.parametrize("fault", UNHEARD.values(), ids=list(UNHEARD))
def test_what_is_not_heard_of_a_move_is_found_out(layer: Layer, number: int, fault: MoveFault) -> None:
    """The worker sees the change; whoever is at work after it brings it to its end."""
    world = booked(layer)
    moved = world.calendar.move(part(world, number).uid, WAS[str(number)][0] + timedelta(hours=3))
    world.calendar.move_faults.append(fault)
    converge(world.background(8.0, "worker"), moved)
    world.run(1500)
    assert stands(world) == shifted(timedelta(hours=3))
    assert told_of(world) == []
    at_rest(world)


@pytest.mark.parametrize("layer", [Layer.SWEEPER, Layer.RECONCILE], ids=lambda layer: layer.name.lower())
@PARTS
def test_a_move_that_cal_com_refuses_leaves_them_apart_and_a_person_is_told(layer: Layer, number: int) -> None:
    world = booked(layer)
    moved = world.calendar.move(part(world, number).uid, WAS[str(number)][0] + timedelta(hours=3))
    world.calendar.move_faults.append(lambda *_: BUSY)
    converge(world.background(8.0, "worker"), moved)
    assert stands(world) == WAS | {str(number): (moved.start, "fabian")}
    assert [uid for uid, _ in told_of(world)] == [moved.uid]
    world.run(900)
    assert stands(world) == WAS | {str(number): (moved.start, "fabian")}, "it is not tried again"
    assert len(told_of(world)) == 1
    at_rest(world)


def test_of_three_parts_what_has_gone_already_stays_there_if_another_cannot() -> None:
    world = booked(Layer.SWEEPER, flexible(60, 60, parts=3))
    was = [each.slot.start for each in only(world).segments]
    moved = world.calendar.move(part(world, 0).uid, TEN + timedelta(hours=3))
    world.calendar.move_faults.extend([lambda calendar, uid, start: calendar.make_move(uid, start), lambda *_: BUSY])
    converge(world.background(8.0, "worker"), moved)
    world.run(900)
    stood = [each.slot.start for each in only(world).segments]
    assert stood[0] == moved.start
    assert sorted(now == before for now, before in zip(stood[1:], was[1:], strict=True)) == [False, True]
    assert told_of(world)
    assert only(world).amiss is not None
    at_rest(world)


@PARTS
def test_what_may_still_be_carried_out_is_not_sent_again(number: int) -> None:
    """Of two moves of one booking Cal.com may make two."""
    world = booked(Layer.SWEEPER)
    moved = world.calendar.move(part(world, number).uid, WAS[str(number)][0] + timedelta(hours=3))

    def late(calendar: FakeCalendar, uid: str, start: datetime) -> CreateAnswer:
        world.at(100, lambda: calendar.make_move(uid, start) and None)
        return Unclear("ReadTimeout")

    world.calendar.move_faults.append(late)
    converge(world.background(8.0, "worker"), moved)
    world.run(900)
    assert world.calendar.asked.count("reschedule") == 1
    assert stands(world) == shifted(timedelta(hours=3))
    at_rest(world)


@PARTS
def test_what_others_moved_is_not_put_back_by_whoever_goes_on_after_a_death(number: int) -> None:
    world = booked(Layer.SWEEPER)
    moved = world.calendar.move(part(world, number).uid, WAS[str(number)][0] + timedelta(hours=3))
    world.calendar.move_faults.append(lambda *_: NotSent("ConnectError"))
    converge(world.background(8.0, "worker"), moved)
    assert only(world).state is AppointmentState.MOVING
    world.calendar.move_faults.append(lambda *_: BUSY)
    world.run(900)
    assert stands(world) == WAS | {str(number): (moved.start, "fabian")}
    assert [uid for uid, _ in told_of(world)] == [moved.uid]
    assert world.look().outbox == {only(world).id: ["moved" if number == 0 else "booked"]}
    at_rest(world)


@dataclass(frozen=True)
class Death:
    """Whoever carries it out dies before or after a call of Cal.com, or at a request to the table."""

    before_call: int = 0
    after_call: int = 0
    boundary: int = 0


def change(world: World, kind: str, number: int) -> Booking:
    if kind == "moved":
        return world.calendar.move(part(world, number).uid, WAS[str(number)][0] + timedelta(hours=3))
    uid = part(world, number).uid
    world.calendar.cancel_by_hand(uid)
    world.clock.advance(40)
    return world.calendar.bookings[uid]


def dies(kind: str, number: int, death: Death, layer: Layer) -> World:
    world = booked(layer)
    seen = change(world, kind, number)
    world.line.rest()
    world.client.faults.clear()
    world.line.die_before, world.line.die_after = death.before_call, death.after_call
    world.client.requests.clear()
    if death.boundary:
        world.client.faults.crash_at(death.boundary)
    with suppress(Crash):
        converge(world.background(8.0, "worker"), seen)
    return world


@cache
def deaths(kind: str, number: int) -> list[Death]:
    quiet = dies(kind, number, Death(), Layer.SWEEPER)
    calls, requests = quiet.line.calls, sum(quiet.client.requests.values())
    assert calls >= 3
    assert requests >= 5
    return [
        *(Death(before_call=n) for n in range(1, calls + 1)),
        *(Death(after_call=n) for n in range(1, calls + 1)),
        *(Death(boundary=n) for n in range(1, 2 * requests + 1)),
    ]


@pytest.mark.parametrize("layer", [Layer.SWEEPER, Layer.RECONCILE], ids=lambda layer: layer.name.lower())
@PARTS
@pytest.mark.parametrize("kind", ["moved", "cancelled"])
def test_wherever_it_dies_the_whole_goes_after_the_part_all_the_same(kind: str, number: int, layer: Layer) -> None:
    """The sweeper alone ends what was on record; a run ends also what was not."""
    for death in deaths(kind, number):
        world = dies(kind, number, death, layer)
        world.line.rest()
        world.client.faults.clear()
        begun = only(world).state is not AppointmentState.CONFIRMED or stands(world) != WAS
        world.run(1500)
        if layer is Layer.SWEEPER and not begun:
            assert stands(world) == WAS, f"{death}: nothing was written, and nothing done"
            assert not {"reschedule", "cancel"}.intersection(world.calendar.asked), death
            continue
        assert told_of(world) == [], death
        if kind == "moved":
            assert stands(world) == shifted(timedelta(hours=3)), death
            at_rest(world)
        else:
            ended(world)


def test_what_was_decided_before_the_appointment_changed_is_not_done_and_rings_nobody() -> None:
    """A run puts it off to the end of its page."""
    world = booked(Layer.RECONCILE)
    moved = world.calendar.move(part(world, 0).uid, TEN + timedelta(hours=12))
    work = world.background(8.0, "reconciliation")
    decided = assess(work, moved)
    world.calendar.move(moved.uid, TEN)
    world.run(900)
    assert isinstance(decided, FollowWhole)
    assert carry_out(work, decided) is Converged.LATER
    assert told_of(world) == []
    assert stands(world) == WAS


def test_a_run_that_would_take_too_much_away_leaves_it_to_a_person() -> None:
    """Cancelling the rest of an appointment counts, and so does moving it."""
    repair = EndWhole(only(world := booked(Layer.RECONCILE)), only(world).segments[0], world.calendar.accepted()[0])
    assert is_destructive(repair)
    world.calendar.move(part(world, 0).uid, LATER)
    work = world.background(8.0, "reconciliation")
    moved = assess(work, part(world, 0))
    assert isinstance(moved, FollowWhole)
    assert is_destructive(moved)


@LAYERS
def test_an_offer_where_the_part_stands_by_now_is_lost(layer: Layer) -> None:
    """Found by the simulation: written over a live hold, it let that hold's caller book there as well."""
    world = booked(layer)
    there = TEN + timedelta(hours=3)
    other = world.salon.call("call_other", caller="+491701112233")
    offers = other.check(DAY, "13:00", service="Herrenhaarschnitt", staff="Fabian")
    assert isinstance(offers, Offers)
    held = next(each for each in offers.offers if each.slot.start == there)
    world.calendar.move(part(world, 0).uid, there)
    world.run(60)
    booked_too = other.book(offer=held.id, name="Otto Opfer")
    assert not isinstance(booked_too, Booked)
    world.run(900)
    assert stands(world) == shifted(timedelta(hours=3))
    assert violations(world) == []


def test_what_was_told_to_be_open_ends_although_nobody_asked_for_it() -> None:
    """Found by the simulation: GIVEN UP never came true of an appointment whose caller had asked about it meanwhile."""
    world = booked(Layer.WEBHOOKS)
    world.calendar.move_faults.append(lambda *_: Unclear("ReadTimeout"))
    moved = world.calendar.move(part(world, 0).uid, TEN + timedelta(hours=3))
    converge(world.background(8.0, "worker"), moved)
    appointment = only(world)
    assert appointment.state is AppointmentState.MOVING
    now = world.clock.now()
    assert world.salon.changes.leave_open(
        world.tenant.id, appointment, due=now, keep_until=None, answer="", alert=None, now=now
    )
    world.calendar.change(part(world, 1).uid, host=29)
    world.run(1800)
    assert only(world).state is AppointmentState.CONFIRMED
    assert list(unequal(world.look())) == []
