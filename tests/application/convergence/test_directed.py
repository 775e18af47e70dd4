"""What a product of deaths and orders does not meet by itself: reads that lag, lists that lie, runs that are cut off.

Each is a small world in which exactly one guard stands between a bad reading and a bad end. They return what is wrong
in the end, so that the planted bugs can be tried on them.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from bookend.application.converging import converge
from bookend.application.outcomes import Booked, StillOpen
from bookend.application.ports import BookingRequest, ListQuery, Page
from bookend.domain.answers import CreateAnswer, Unclear
from bookend.domain.appointment import AppointmentState
from tests.application.convergence.test_layers_alone import CALENDAR
from tests.application.convergence.world import DAY, HAIRCUT, ONE_S, TEN, Layer, World, unequal, violations
from tests.support.calendar import FakeCalendar
from tests.support.tables.faults import Crash

EMMA, UDO = 29, 30
HALF = timedelta(minutes=30)


def _equal(world: World) -> list[str]:
    return [*violations(world), *unequal(world.look())]


def a_stale_read_after_a_newer_one() -> list[str]:
    """Reassigned and taken in; then the event comes a second time and is answered by a replica of before."""
    world = World(Layer.WEBHOOKS, by_hand=True)
    booking = world.calendar.book_publicly(HAIRCUT["fabian"], TEN)
    world.deliver(world.events[-1])
    world.run(60)
    before = world.calendar.bookings[booking.uid]
    world.calendar.change(booking.uid, host=EMMA)
    world.deliver(world.events[-1])
    world.run(2)
    world.calendar.stale[booking.uid] = before
    world.deliver(world.events[-1], copy=1)
    world.run(900)
    return _equal(world)


def a_list_that_leaves_it_out_once() -> list[str]:
    """The sweeper was away for four minutes; then its first look is answered without the booking that is there."""
    world = World(Layer.SWEEPER)
    world.salon.open(DAY, first="10:00", last="10:00")
    world.calendar.faults.append(partial(_hidden, world))
    assert isinstance(world.phone().book(DAY, "10:00", staff="Fabian"), StillOpen)
    world.run(240)
    (booking,) = world.calendar.accepted()
    world.calendar.hidden[booking.uid] = world.clock.now() + timedelta(seconds=5)
    world.sweep()
    world.run(10)
    world.begin_schedules()
    world.run(600)
    return _equal(world)


def _hidden(world: World, calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
    """Booked, the answer lost, and for half a minute no read finds it."""
    calendar.hidden[calendar.insert(request).uid] = world.clock.now() + timedelta(seconds=30)
    return Unclear("ReadTimeout")


def a_list_that_calls_the_living_dead() -> list[str]:
    """It shows two bookings as cancelled that are not."""
    world = World()
    world.salon.open(DAY, first="10:00", last="10:00")
    assert isinstance(world.phone().book(DAY, "10:00", staff="Fabian"), Booked)
    world.calendar.book_publicly(HAIRCUT["emma"], TEN)
    world.reconcile()
    world.run(300)

    def lying(calendar: FakeCalendar, query: ListQuery, skip: int) -> Page:
        page = calendar.listed(query, skip)
        return replace(page, bookings=tuple(replace(each, status="cancelled") for each in page.bookings))

    world.calendar.list_faults.append(lying)
    world.reconcile()
    return _equal(world)


def bookings_that_show_only_after_the_poll() -> list[str]:
    """Each is made shortly before a poll and not listed until after it; no nightly run comes to help."""
    world = World(Layer.RECONCILE)
    world.begin_schedules(nightly_after=10**6)
    for number in range(6):

        def book(number: int = number) -> None:
            booking = world.calendar.book_publicly(HAIRCUT["fabian"], TEN + number * HALF)
            world.calendar.hidden[booking.uid] = world.clock.now() + timedelta(seconds=30)

        world.at(300 * (number + 1) - 5 * number - 1, book)
    world.run(3000)
    return _equal(world)


def polls_that_die() -> list[str]:
    """A poll over three pages is killed at every one of its requests; the next ones go on where it was.

    What it goes over is older than the overlap, so nobody comes by it a second time.
    """
    found: list[str] = []
    for number in range(1, 200):
        world = World()
        world.calendar.page_size = 2
        for each in range(5):
            world.calendar.book_publicly(HAIRCUT["fabian"], TEN + each * HALF)
        world.run(3600)
        world.client.faults.crash_at(number)
        try:
            world.reconcile()
        except Crash:
            pass
        else:
            assert number > 20
            return found
        world.client.faults.clear()
        for _ in range(3):
            world.run(300)
            world.reconcile()
        found += [f"{breach} [killed at {number}]" for breach in _equal(world)]
    raise AssertionError("a poll that never ends")


def taken_in_under_two_of_its_uids() -> list[str]:
    """Two workers at once, one with a read of before the moves: one booking has two appointments, until a poll."""
    world = World()
    booking = world.calendar.book_publicly(HAIRCUT["fabian"], TEN)
    before = world.calendar.bookings[booking.uid]
    again = world.calendar.move(booking.uid, TEN + HALF * 4)
    last = world.calendar.move(again.uid, TEN + HALF * 8)
    converge(world.background(ONE_S, "worker"), last)
    converge(world.background(ONE_S, "worker"), before)
    assert len(world.look().appointments) == 2
    world.run(60)
    world.reconcile()
    return _equal(world)


def a_move_nobody_told_of_in_the_middle() -> list[str]:
    """The event of the first of two moves is lost: the second one's finds its home all the same, without a poll."""
    world = World(Layer.WEBHOOKS, by_hand=True)
    booking = world.calendar.book_publicly(HAIRCUT["fabian"], TEN)
    world.deliver(world.events[-1])
    world.run(60)
    again = world.calendar.move(booking.uid, TEN + HALF * 4)
    world.calendar.move(again.uid, TEN + HALF * 8)
    world.deliver(world.events[-1])
    world.run(60)
    return _equal(world)


def sweeps_that_die() -> list[str]:
    """Confirming, releasing and undoing: a round of the sweeper is killed at every request, and the next goes on."""
    found: list[str] = []
    for calendar in ("lost and hidden", "lost before", "longer than asked, and lost"):
        for number in range(1, 200):
            world = World()
            fault = CALENDAR[calendar]
            world.salon.open(DAY, first="10:00", last="10:00")
            world.calendar.faults.append(lambda _calendar, request, world=world, fault=fault: fault(world, request))
            world.phone().book(DAY, "10:00", staff="Fabian")
            world.run(140)
            world.sweep()
            world.run(60)
            world.client.faults.clear()
            world.client.faults.crash_at(number)
            try:
                world.sweep()
            except Crash:
                pass
            else:
                assert number > 3
                break
            world.client.faults.clear()
            for _ in range(4):
                world.run(60)
                world.sweep()
            texts = [kind for kinds in world.look().outbox.values() for kind in kinds]
            if len(texts) != 1:
                found.append(f"I8 {calendar}, killed at {number}: messages {texts}")
            found += [f"{breach} [{calendar}, killed at {number}]" for breach in _equal(world)]
    return found


def moved_while_its_outcome_was_open() -> list[str]:
    """Our answer was lost, and the salon moved the booking before anybody had found it: it is moved, not undone.

    Others' second move goes further than a look-up by e-mail reaches.
    """
    found: list[str] = []
    for days in (0, 3):
        world = World(Layer.RECONCILE)
        world.salon.open(DAY, first="10:00", last="10:00")
        world.calendar.faults.append(partial(_hidden, world))
        assert isinstance(world.phone().book(DAY, "10:00", staff="Fabian"), StillOpen)
        world.run(10)
        (booking,) = world.calendar.accepted()
        world.calendar.move(booking.uid, TEN + timedelta(days=days, hours=1))
        world.begin_schedules(nightly_after=10**6)
        world.run(1200)
        look = world.look()
        ours = min(look.appointments.values(), key=lambda each: each.created_at)
        if (ours.state, look.outbox.get(ours.id)) != (AppointmentState.CONFIRMED, ["booked"]):
            found.append(f"I9 moved by {days} days: {ours.state}, messages {look.outbox}")
        found += _equal(world)
    return found


def edited_while_its_outcome_was_open() -> list[str]:
    """Our answer was lost, and the salon gave the booking to another stylist before anybody had found it."""
    found: list[str] = []
    for layer in (Layer.SWEEPER, Layer.WEBHOOKS, Layer.RECONCILE):
        world = World(layer)
        world.salon.open(DAY, first="10:00", last="10:00")
        world.calendar.faults.append(partial(_hidden, world))
        assert isinstance(world.phone().book(DAY, "10:00", staff="Fabian"), StillOpen)
        world.run(12)
        (booking,) = world.calendar.accepted()
        world.calendar.change(booking.uid, host=EMMA)
        world.begin_schedules(nightly_after=10**6)
        world.run(1200)
        look = world.look()
        ours = min(look.appointments.values(), key=lambda each: each.created_at)
        if (ours.state, ours.staff, look.outbox.get(ours.id)) != (AppointmentState.CONFIRMED, "emma", ["booked"]):
            found.append(f"I9 edited, {layer}: {ours.state} with {ours.staff}, messages {look.outbox}")
        found += _equal(world)
    return found


def nobody_tells() -> list[str]:
    """Zero webhooks: a day of others' doings, in whatever order the dice say; one poll, and both sides are equal."""
    found: list[str] = []
    for seed in range(40):
        dice = random.Random(seed)
        world = World()
        world.salon.open(DAY, first="10:00", last="10:00")
        world.phone().book(DAY, "10:00", staff="Fabian")
        for number in range(dice.randrange(5, 25)):
            live = world.calendar.accepted()
            start = TEN + timedelta(hours=1) + HALF * (3 * number)
            what = dice.choice(("book", "book", "move", "cancel", "reassign"))
            if what == "book" or not live:
                world.calendar.book_publicly(HAIRCUT[dice.choice(("fabian", "emma"))], start)
            elif what == "move":
                world.calendar.move(dice.choice(live).uid, start)
            elif what == "cancel":
                world.calendar.cancel_by_hand(dice.choice(live).uid)
            else:
                chosen = dice.choice(live)
                world.calendar.change(chosen.uid, host=dice.choice((EMMA, UDO)))
            world.run(dice.choice((1, 60, 600)))
            if dice.random() < 0.1:
                world.reconcile()
        world.run(300)
        world.reconcile()
        world.run(300)
        found += [f"{breach} [seed {seed}]" for breach in _overlaps_aside(world)]
    return found


def _overlaps_aside(world: World) -> list[str]:
    """What others double-book at Cal.com stands, flagged: only what is flagged may overlap, and the ledger says so."""
    return [each for each in _equal(world) if not each.endswith("are confirmed at once")]


DIRECTED: tuple[Callable[[], list[str]], ...] = (
    a_stale_read_after_a_newer_one,
    a_list_that_leaves_it_out_once,
    a_list_that_calls_the_living_dead,
    bookings_that_show_only_after_the_poll,
    polls_that_die,
    sweeps_that_die,
    taken_in_under_two_of_its_uids,
    a_move_nobody_told_of_in_the_middle,
    moved_while_its_outcome_was_open,
    edited_while_its_outcome_was_open,
    nobody_tells,
)


@pytest.mark.parametrize("directed", DIRECTED, ids=lambda directed: directed.__name__)
def test_in_the_end_both_sides_are_equal(directed: Callable[[], list[str]]) -> None:
    assert directed() == []
