"""Each layer alone: what one repairs must not hide that another is broken.

A turn dies before or after each of its requests, Cal.com does one of the things it really does, the caller tries again
or does not, and then exactly one layer is at work: the sweeper, or webhooks with the worker, or the reconciliation.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from typing import Any

import pytest

from bookend.application.outcomes import (
    BookOutcome,
    Forbidden,
    NotBooked,
    SlotTaken,
    StillOpen,
    TemporaryTrouble,
)
from bookend.application.patience import SETTLE
from bookend.application.ports import BookingRequest, StoreUnavailable
from bookend.domain.answers import Answered, Booking, CreateAnswer, Unclear
from bookend.domain.appointment import TRANSIENT, AppointmentState
from tests.application.convergence.matrix import all_hold
from tests.application.convergence.world import (
    DAY,
    HAIRCUT,
    TEN,
    Layer,
    World,
    inbox_is_done,
    unequal,
    violations,
)
from tests.support.invariants import Heard
from tests.support.tables.faults import Crash
from tests.support.tables.faults import Fault as StoreFault

POST_TOOK_S = 3.5
"""Seconds a request takes that is given up."""
FOREIGN_OP = "op_of_687"

# What Cal.com does with the request


def _given_up(world: World) -> CreateAnswer:
    world.clock.advance(POST_TOOK_S)
    return Unclear("ReadTimeout")


def done_well(world: World, request: BookingRequest) -> CreateAnswer:
    return world.calendar.make(request)


def lost_before(world: World, request: BookingRequest) -> CreateAnswer:
    """It never arrives, and nobody says so."""
    return _given_up(world)


def lost_and_shown(world: World, request: BookingRequest) -> CreateAnswer:
    world.calendar.make(request)
    return _given_up(world)


def lost_and_hidden(world: World, request: BookingRequest) -> CreateAnswer:
    """For half a minute no read finds it."""
    answer = world.calendar.make(request)
    if isinstance(answer, Answered):
        world.calendar.hidden[answer.booking.uid] = world.clock.now() + timedelta(seconds=30)
    return _given_up(world)


def carried_out(after: float, *, hidden_s: float = 0.0) -> Callable[[World, BookingRequest], CreateAnswer]:
    """Given up by us and carried out all the same, so many seconds later."""

    def fault(world: World, request: BookingRequest) -> CreateAnswer:
        def late() -> None:
            answer = world.calendar.make(request)
            if isinstance(answer, Answered):
                world.calendar.hidden[answer.booking.uid] = world.clock.now() + timedelta(seconds=hidden_s)

        world.at(after, late)
        return _given_up(world)

    return fault


def _wrong(**wrong: Callable[[Booking], Any]) -> Callable[[World, BookingRequest], CreateAnswer]:
    def fault(world: World, request: BookingRequest) -> CreateAnswer:
        right = world.calendar.insert(request)
        booking = replace(right, **{name: value(right) for name, value in wrong.items()})
        world.calendar.bookings[right.uid] = booking
        return Answered(booking)

    return fault


def wrong_and_lost(world: World, request: BookingRequest) -> CreateAnswer:
    LONGER(world, request)
    return _given_up(world)


def longer_and_hidden(world: World, request: BookingRequest) -> CreateAnswer:
    """We know its uid and must undo it, and for 100 seconds every read and every cancellation says 404."""
    answer = LONGER(world, request)
    if isinstance(answer, Answered):
        world.calendar.hidden[answer.booking.uid] = world.clock.now() + timedelta(seconds=100)
    return answer


def existing(world: World, request: BookingRequest) -> CreateAnswer:
    """It answers 201 with somebody else's booking (incident I1)."""
    return Answered(next(each for each in world.calendar.accepted() if each.metadata.get("op_id") == FOREIGN_OP))


def asleep(hidden_s: float) -> Callable[[World, BookingRequest], CreateAnswer]:
    """The zombie: it is booked at once, no read shows it for a while, and we get our answer 400 seconds later, when
    others have decided what became of it.
    """

    def fault(world: World, request: BookingRequest) -> CreateAnswer:
        answer = world.calendar.make(request)
        if isinstance(answer, Answered):
            world.calendar.hidden[answer.booking.uid] = world.clock.now() + timedelta(seconds=hidden_s)
        with world.at_peace():
            world.run(400)
        return answer

    return fault


LONGER = _wrong(end=lambda booking: booking.end + timedelta(minutes=15))
LATE = "carried out 400 s later"
CALENDAR: dict[str, Callable[[World, BookingRequest], CreateAnswer]] = {
    "done well": done_well,
    "lost before": lost_before,
    "lost and shown": lost_and_shown,
    "lost and hidden": lost_and_hidden,
    "carried out 100 s later": carried_out(100),
    "carried out 125 s later, and hidden": carried_out(125, hidden_s=30),
    LATE: carried_out(400),
    "longer than asked": LONGER,
    "longer than asked, and lost": wrong_and_lost,
    "longer than asked, and hidden": longer_and_hidden,
    "by another host": _wrong(host=lambda booking: booking.host + 1 if booking.host else None),
    "somebody else's": existing,
    "asleep, shown": asleep(0),
    "asleep, hidden": asleep(300),
}
AS_ASKED = {"done well", "lost and shown", "lost and hidden", "carried out 100 s later", "asleep, shown"} | {
    "carried out 125 s later, and hidden"
}
"""Then Cal.com accepted in time what was asked for."""


@dataclass(frozen=True)
class Death:
    """Where the turn dies, or which of its requests to the store fails. Nothing of it: it lives."""

    boundary: int = 0
    before_call: int = 0
    after_call: int = 0
    request: int = -1
    fault: StoreFault | None = None
    lasting: bool = False

    @property
    def kills(self) -> bool:
        return bool(self.boundary or self.before_call or self.after_call)


@dataclass(frozen=True)
class Case:
    calendar: str
    death: Death = Death()
    again: float | None = None
    layer: Layer = Layer.SWEEPER


@dataclass
class Run:
    """One of them, played."""

    case: Case
    world: World
    heard: list[Heard] = field(default_factory=list)
    foreign: set[str] = field(default_factory=set)
    requests: int = 0
    calls: int = 0

    def turn(self) -> None:
        """The caller says what they want; a turn that dies says nothing."""
        try:
            outcome: BookOutcome = self.world.phone().book(DAY, "10:00", staff="Fabian")
        except StoreUnavailable:
            outcome = TemporaryTrouble()
        except Crash:
            return
        self.heard.append(Heard("call_1", outcome, TEN))

    @property
    def last(self) -> BookOutcome | None:
        """What the caller has in the ear."""
        said = [each.outcome for each in self.heard if not isinstance(each.outcome, TemporaryTrouble)]
        return said[-1] if said else None


HOURS = {Layer.SWEEPER: 0.75, Layer.WEBHOOKS: 1.0, Layer.RECONCILE: 2.5}
"""How long the layer has, in hours."""


def play(case: Case) -> Run:
    """The turn, the caller's second try if there is one, and then one layer."""
    run = begun(case)
    run.world.run(HOURS[case.layer] * 3600)
    return run


def begun(case: Case) -> Run:
    """Up to where the turn dies or ends."""
    return broken_off(case, World(case.layer))


def broken_off(case: Case, world: World) -> Run:
    """The same in a world of one's own."""
    run = Run(case, world)
    world.salon.open(DAY, first="09:00", last="11:00", every=15)
    phone = world.phone()
    phone.check(DAY, "10:00", staff="Fabian")
    if case.calendar == "somebody else's":
        run.foreign.add(_booking_of_687(world).uid)
    world.calendar.faults.append(lambda _calendar, request: CALENDAR[case.calendar](world, request))
    world.begin_schedules()
    world.client.requests.clear()
    world.line.rest()
    _prepare(world, case.death)
    if case.again is not None:
        world.at(case.again, run.turn)
    run.turn()
    run.requests, run.calls = sum(world.client.requests.values()), world.line.calls
    world.client.faults.clear()
    world.line.rest()
    return run


def _prepare(world: World, death: Death) -> None:
    faults = world.client.faults
    faults.clear()
    if death.boundary:
        faults.crash_at(death.boundary)
    if death.fault is not None:
        faults.next("*", death.fault, skip=death.request, times=10_000 if death.lasting else 1)
    world.line.die_before, world.line.die_after = death.before_call, death.after_call


def _booking_of_687(world: World) -> Booking:
    """Incident I1: it came into being after our check, and Cal.com gives it to us as new."""
    labels = {"call_id": "call_927", "op_id": FOREIGN_OP, "appointment": "642", "segment": "0"}
    request = BookingRequest(HAIRCUT["fabian"], TEN, "Hansi", "hansi@example.org", None, "Europe/Berlin", "de", labels)
    return world.calendar.insert(request)


@cache
def deaths(calendar: str) -> tuple[Death, ...]:
    """Everywhere the turn can break off, given what Cal.com does."""
    quiet = play(Case(calendar))
    found = [Death()]
    found += [Death(boundary=number) for number in range(1, 2 * quiet.requests + 1)]
    for number in range(1, quiet.calls + 1):
        found += [Death(before_call=number), Death(after_call=number)]
    for number in range(quiet.requests):
        found += [Death(request=number, fault=fault) for fault in (StoreFault.LOST_ANSWER, StoreFault.NOT_SENT)]
        found.append(Death(request=number, fault=StoreFault.NOT_SENT, lasting=True))
    return tuple(found)


AGAIN = (None, 1.0, 30.0, 200.0)


def every_case(layer: Layer, calendar: str) -> Iterator[Case]:
    """Every death x retry or not."""
    for death, again in itertools.product(deaths(calendar), AGAIN):
        yield Case(calendar, death, again, layer)


# What must hold in the end


def breaches_of(run: Run) -> list[str]:
    """What is not as it must be, with what the layer cannot reach left out and nothing else."""
    world, case = run.world, run.case
    look = world.look()
    found = [
        *violations(world, run.heard, foreign=run.foreign, open_allowed=_nobody_tells(run)),
        *_kept(run),
        *(inbox_is_done(world) if case.layer is Layer.WEBHOOKS else ()),
    ]
    if case.layer is Layer.RECONCILE:
        found += unequal(look)
    if case.layer is Layer.WEBHOOKS:
        found += _open_only_without_a_booking(run) if _nobody_tells(run) else ()
        found += unequal(look)
    return [each for each in found if not _beyond(run, each)]


def _kept(run: Run) -> Iterator[str]:
    """I9: what Cal.com accepted in time and as asked lives on, unless its caller was told no."""
    appointments = {each.op: each for each in run.world.look().appointments.values()}
    said_no = isinstance(run.last, SlotTaken | Forbidden | NotBooked)
    for booking in run.world.calendar.bookings.values():
        owner = appointments.get(booking.metadata.get("op_id", ""))
        if owner is None or booking.created_at is None or run.case.calendar not in AS_ASKED | {LATE}:
            continue
        in_time = booking.created_at - owner.created_at < SETTLE
        if in_time and booking.status != "accepted" and not said_no:
            yield f"I9 {booking.uid} was accepted in time and is {booking.status}; told {type(run.last).__name__}"


def _nobody_tells(run: Run) -> bool:
    """Webhooks alone, and the turn died before it sent the job that looks after an open operation."""
    return run.case.layer is Layer.WEBHOOKS and not run.world.jobs["sent settle"]


def _open_only_without_a_booking(run: Run) -> Iterator[str]:
    """Webhooks tell of what happened at Cal.com, and nothing of what never arrived there: without a job it stays
    PENDING, its time blocked, for others.
    """
    look = run.world.look()
    for each in look.appointments.values():
        ours = [booking.uid for booking in look.accepted() if booking.metadata.get("op_id") == each.op]
        if each.state in TRANSIENT and (ours or each.state is not AppointmentState.PENDING):
            yield f"I6 {each.id} is {each.state} with {ours} at Cal.com"


def _beyond(run: Run, breach: str) -> bool:
    """What the layer cannot know of, by what it goes by.

    The sweeper looks after open operations, so it never hears of a booking that is first to be seen after its
    operation was given up (carried out, or shown, later than the settle time). Webhooks are worked on for about 35
    seconds against a calendar that does not show the booking yet. Others go by lists and by the next event.
    """
    unseen = run.world.calendar.hidden
    owners = {each.op: each for each in run.world.look().appointments.values()}
    for booking in run.world.calendar.accepted():
        owner = owners.get(booking.metadata.get("op_id", ""))
        if owner is None or booking.created_at is None or booking.uid not in breach:
            continue
        shown = max(booking.created_at, unseen.get(booking.uid, booking.created_at))
        if run.case.layer is Layer.SWEEPER and breach.startswith(f"I3 {booking.uid} lives at Cal.com"):
            return owner.state is AppointmentState.FAILED and shown - owner.created_at >= SETTLE
        if run.case.layer is Layer.WEBHOOKS and breach.startswith(("I6", "EQ only there")):
            return owner.state in TRANSIENT and shown - booking.created_at > timedelta(seconds=35)
    return False


def some_of(layer: Layer, calendar: str, most: int) -> list[Case]:
    """A sample, the same every time; deaths without a second try are always in it."""
    cases = list(every_case(layer, calendar))
    always = [each for each in cases if each.again is None and (each.death.kills or each.death == Death())]
    rest = [each for each in cases if each not in always]
    return [*always, *random.Random(f"alone {layer} {calendar}").sample(rest, min(most, len(rest)))]


def _all_hold(cases: list[Case]) -> None:
    all_hold(cases, begun, HOURS, breaches_of)


# What a layer does not reach by itself, and who does


def _open_operation(layer: Layer, calendar: str) -> Run:
    run = play(Case(calendar, layer=layer))
    assert [type(each.outcome) for each in run.heard] == [StillOpen]
    return run


def _only(run: Run) -> tuple[AppointmentState, list[str], list[str]]:
    """State of the one appointment, its messages, and the uids that live at Cal.com."""
    look = run.world.look()
    (appointment,) = look.appointments.values()
    return appointment.state, look.outbox.get(appointment.id, []), [each.uid for each in look.accepted()]


def test_the_job_alone_ends_what_never_reached_calcom() -> None:
    """Nothing happened there, so no event tells; the job comes back until absence may be believed."""
    run = _open_operation(Layer.WEBHOOKS, "lost before")
    assert _only(run) == (AppointmentState.FAILED, ["not_booked"], [])
    assert violations(run.world, run.heard) == []


def test_webhooks_alone_keep_open_what_never_reached_calcom_and_has_no_job_and_a_sweeper_ends_it() -> None:
    """The time stays blocked and no message is sent, which is the truth."""
    first = play(Case("lost before", layer=Layer.WEBHOOKS))
    run = play(Case("lost before", Death(after_call=first.calls), layer=Layer.WEBHOOKS))
    assert _only(run) == (AppointmentState.PENDING, [], [])
    run.world.sweep()
    run.world.run(60)
    run.world.sweep()
    assert _only(run) == (AppointmentState.FAILED, ["not_booked"], [])
    assert violations(run.world, run.heard) == []


@pytest.mark.parametrize("by", [Layer.WEBHOOKS, Layer.RECONCILE], ids=lambda layer: layer.name.lower())
def test_the_sweeper_alone_never_hears_of_a_booking_that_comes_after_it_gave_up_and_others_do(by: Layer) -> None:
    """Its caller waits for a message that nobody has sent yet: it says "booked" then."""
    run = _open_operation(Layer.SWEEPER, LATE)
    state, texts, there = _only(run)
    assert (state, texts, len(there)) == (AppointmentState.FAILED, ["not_booked"], 1)
    world = run.world
    world.layers = frozenset({by})
    if by is Layer.WEBHOOKS:
        world.deliver(world.events[-1])
        world.run(5)
    else:
        world.reconcile()
    look = world.look()
    (revived,) = [each for each in look.appointments.values() if each.state is AppointmentState.CONFIRMED]
    assert (revived.segments[0].uid, look.outbox) == (there[0], {revived.id: ["booked"]})
    assert violations(world, run.heard) == []
    assert list(unequal(look)) == []


ALONE = list(itertools.product(Layer, CALENDAR))
NAMES = [f"{layer.name.lower()} alone, {calendar}" for layer, calendar in ALONE]


@pytest.mark.parametrize(("layer", "calendar"), ALONE, ids=NAMES)
def test_wherever_a_booking_breaks_off_one_layer_alone_brings_it_to_an_end(layer: Layer, calendar: str) -> None:
    _all_hold(some_of(layer, calendar, 8))


@pytest.mark.slow
@pytest.mark.parametrize(("layer", "calendar"), ALONE, ids=NAMES)
def test_every_death_and_every_retry_with_one_layer_alone(layer: Layer, calendar: str) -> None:
    _all_hold(list(every_case(layer, calendar)))
