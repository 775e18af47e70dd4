"""Composites, each layer alone: whichever of their parts fail, however, and wherever the turn dies, nothing is half.

Some of the bookings of a perm go wrong in one of the ways of Cal.com, the others are made; the turn dies at one of its
requests, compensation included, or lives; the caller tries again or does not. Then exactly one layer is at work.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache

import pytest

from bookend.application.outcomes import (
    Booked,
    BookOutcome,
    Forbidden,
    NotBooked,
    SlotTaken,
    StillOpen,
    TemporaryTrouble,
)
from bookend.application.patience import SETTLE
from bookend.application.ports import BookingRequest, StoreUnavailable
from bookend.domain.answers import Answered, CreateAnswer, NotSent, Refusal, Refused
from bookend.domain.appointment import TRANSIENT, AppointmentState
from bookend.domain.tenant import Segment, SegmentKind, Tenant
from tests.application.convergence.matrix import all_hold
from tests.application.convergence.test_layers_alone import AS_ASKED, CALENDAR, HOURS, LATE, Death
from tests.application.convergence.test_layers_alone import _booking_of_687 as booking_of_687
from tests.application.convergence.test_layers_alone import _prepare as prepare
from tests.application.convergence.world import DAY, TEN, Layer, World, inbox_is_done, unequal, violations
from tests.support.calendar import BUSY, FakeCalendar
from tests.support.invariants import Heard
from tests.support.salon import example_tenant
from tests.support.tables.faults import Crash
from tests.support.tables.faults import Fault as StoreFault

THIRD = 3757751


def refused(_world: World, _request: BookingRequest) -> CreateAnswer:
    return BUSY


def forbidden(_world: World, _request: BookingRequest) -> CreateAnswer:
    return Refused(Refusal.LIMIT, "x")


def not_sent(_world: World, _request: BookingRequest) -> CreateAnswer:
    return NotSent("ConnectError")


KINDS = CALENDAR | {"refused": refused, "forbidden": forbidden, "never left": not_sent}
SUBSETS = {2: ((0,), (1,), (0, 1)), 3: tuple(s for n in (1, 2, 3) for s in itertools.combinations(range(3), n))}


@cache
def tenant(parts: int) -> Tenant:
    """The example, whose perm has that many busy parts."""
    example = example_tenant()
    *others, perm = example.services
    if parts == 2:
        return example
    third = Segment(SegmentKind.BUSY, 15, {"fabian": THIRD})
    return replace(example, services=(*others, replace(perm, segments=(*perm.segments, third))))


@dataclass(frozen=True)
class Case:
    """`failing` are the parts that Cal.com does `kind` with."""

    kind: str
    failing: tuple[int, ...]
    death: Death = field(default_factory=Death)
    again: float | None = None
    layer: Layer = Layer.SWEEPER
    parts: int = 2


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
        try:
            outcome: BookOutcome = self.world.phone().book(DAY, "10:00", service="Dauerwelle", staff="Fabian")
        except StoreUnavailable:
            outcome = TemporaryTrouble()
        except Crash:
            return
        self.heard.append(Heard("call_1", outcome, TEN))

    @property
    def last(self) -> BookOutcome | None:
        said = [each.outcome for each in self.heard if not isinstance(each.outcome, TemporaryTrouble)]
        return said[-1] if said else None


def play(case: Case) -> Run:
    run = begun(case)
    run.world.run(HOURS[case.layer] * 3600)
    return run


def begun(case: Case) -> Run:
    """Up to where the turn dies or ends."""
    return broken_off(case, World(case.layer, tenant=tenant(case.parts)))


def broken_off(case: Case, world: World) -> Run:
    """The same in a world of one's own."""
    run = Run(case, world)
    world.salon.open(DAY, first="09:00", last="12:30", every=15)
    world.phone().check(DAY, "10:00", service="Dauerwelle", staff="Fabian")
    if case.kind == "somebody else's":
        run.foreign.add(booking_of_687(world).uid)

    def answer(_calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
        fails = int(request.metadata["segment"]) in case.failing
        return KINDS[case.kind](world, request) if fails else world.calendar.make(request)

    world.calendar.faults.extend([answer] * case.parts)
    world.begin_schedules()
    world.client.requests.clear()
    world.line.rest()
    prepare(world, case.death)
    if case.again is not None:
        world.at(case.again, run.turn)
    run.turn()
    run.requests, run.calls = sum(world.client.requests.values()), world.line.calls
    world.client.faults.clear()
    world.line.rest()
    return run


@cache
def deaths(kind: str, failing: tuple[int, ...], parts: int) -> tuple[Death, ...]:
    """Everywhere the turn can break off, given what Cal.com does; where it compensates, there too."""
    quiet = play(Case(kind, failing, parts=parts))
    found = [Death()]
    found += [Death(boundary=number) for number in range(1, 2 * quiet.requests + 1)]
    for number in range(1, quiet.calls + 1):
        found += [Death(before_call=number), Death(after_call=number)]
    for number in range(quiet.requests):
        found += [Death(request=number, fault=fault) for fault in (StoreFault.LOST_ANSWER, StoreFault.NOT_SENT)]
        found.append(Death(request=number, fault=StoreFault.NOT_SENT, lasting=True))
    return tuple(found)


def every_case(layer: Layer, kind: str, *, parts: int = 2) -> Iterator[Case]:
    for failing in SUBSETS[parts]:
        for death, again in itertools.product(deaths(kind, failing, parts), (None, 1.0, 30.0, 200.0)):
            yield Case(kind, failing, death, again, layer, parts)


def some_of(layer: Layer, kind: str, most: int) -> list[Case]:
    """Every subset with a turn that lives, and a sample of the deaths, the same every time."""
    cases = list(every_case(layer, kind))
    always = [each for each in cases if each.again is None and each.death == Death()]
    rest = [each for each in cases if each not in always]
    return [*always, *random.Random(f"composites alone {layer} {kind}").sample(rest, min(most, len(rest)))]


# What must hold in the end


def breaches_of(run: Run) -> list[str]:
    """What is not as it must be, less what the layer cannot reach."""
    world, case = run.world, run.case
    found = [
        *violations(world, run.heard, foreign=run.foreign, open_allowed=nobody_tells(run)),
        *kept(run),
        *(inbox_is_done(world) if case.layer is Layer.WEBHOOKS else ()),
    ]
    if case.layer is not Layer.SWEEPER:
        found += unequal(world.look())
    return [each for each in found if not beyond(run, each)]


def kept(run: Run) -> Iterator[str]:
    """I9: where Cal.com accepted every part in time and as asked, all of it lives on, unless its caller was told no."""
    if run.case.kind not in AS_ASKED or isinstance(run.last, SlotTaken | Forbidden | NotBooked):
        return
    for owner in run.world.look().appointments.values():
        made = [each for each in run.world.calendar.bookings.values() if each.metadata.get("op_id") == owner.op]
        in_time = [each for each in made if each.created_at is not None and each.created_at - owner.created_at < SETTLE]
        if len(in_time) == run.case.parts and any(each.status != "accepted" for each in in_time):
            yield f"I9 {owner.id} was accepted in time and is {owner.state}; told {type(run.last).__name__}"


def nobody_tells(run: Run) -> bool:
    """Webhooks alone, and the turn died before it sent the job that looks after an open operation."""
    return run.case.layer is Layer.WEBHOOKS and not run.world.jobs["sent settle"]


def beyond(run: Run, breach: str) -> bool:
    """What the layer cannot know of: as of plain bookings (test_layers_alone), and of a composite, of which webhooks
    tell only what was booked: what is missing stays missing, and its others open, until somebody looks by himself.
    """
    look = run.world.look()
    owners = {each.op: each for each in look.appointments.values()}
    for booking in run.world.calendar.accepted():
        owner = owners.get(booking.metadata.get("op_id", ""))
        if owner is None or booking.created_at is None or booking.uid not in breach:
            continue
        shown = max(booking.created_at, run.world.calendar.hidden.get(booking.uid, booking.created_at))
        if run.case.layer is Layer.SWEEPER and breach.startswith(f"I3 {booking.uid} lives at Cal.com"):
            return owner.state is AppointmentState.FAILED and shown - owner.created_at >= SETTLE
        if run.case.layer is Layer.WEBHOOKS and breach.startswith(("I6", "EQ only there")):
            late = shown - booking.created_at > timedelta(seconds=35)
            return owner.state in TRANSIENT and (late or nobody_tells(run))
    return False


def _all_hold(cases: list[Case]) -> None:
    all_hold(cases, begun, HOURS, breaches_of)


ALONE = list(itertools.product(Layer, KINDS))
NAMES = [f"{layer.name.lower()} alone, {kind}" for layer, kind in ALONE]


@pytest.mark.parametrize(("layer", "kind"), ALONE, ids=NAMES)
def test_whichever_parts_fail_and_wherever_it_breaks_off_nothing_is_half(layer: Layer, kind: str) -> None:
    _all_hold(some_of(layer, kind, 12))


@pytest.mark.slow
@pytest.mark.parametrize(("layer", "kind"), ALONE, ids=NAMES)
def test_every_death_and_every_retry_of_every_subset(layer: Layer, kind: str) -> None:
    _all_hold(list(every_case(layer, kind)))


@pytest.mark.parametrize("layer", Layer, ids=lambda layer: layer.name.lower())
def test_of_three_parts_every_subset_comes_to_an_end(layer: Layer) -> None:
    kinds = ("refused", "lost before", "lost and hidden", "longer than asked, and hidden", LATE)
    _all_hold([Case(kind, failing, layer=layer, parts=3) for kind in kinds for failing in SUBSETS[3]])


# Where the ends lie


def only(run: Run) -> tuple[AppointmentState, list[str], int]:
    """State of the one appointment, its messages, and how many bookings live at Cal.com."""
    look = run.world.look()
    (appointment,) = look.appointments.values()
    return appointment.state, look.outbox.get(appointment.id, []), len(look.accepted())


@pytest.mark.parametrize("failing", SUBSETS[2])
def test_parts_that_come_late_but_in_time_make_it_whole_and_the_caller_is_told_once(failing: tuple[int, ...]) -> None:
    run = play(Case("carried out 100 s later", failing))
    assert isinstance(run.last, StillOpen)
    assert only(run) == (AppointmentState.CONFIRMED, ["booked"], 2)


@pytest.mark.parametrize("failing", SUBSETS[2])
def test_parts_that_never_come_take_the_others_along_and_the_caller_is_told_once(failing: tuple[int, ...]) -> None:
    run = play(Case("lost before", failing))
    assert isinstance(run.last, StillOpen)
    assert only(run) == (AppointmentState.FAILED, ["not_booked"], 0)


def test_beside_a_refusal_what_may_come_is_waited_for_with_its_time_blocked() -> None:
    """Released at once, its time would be sold a second time before the late part comes."""
    world = World(Layer.SWEEPER)
    world.salon.open(DAY, first="09:00", last="12:30", every=15)
    late = CALENDAR["carried out 100 s later"]
    world.calendar.faults.extend([lambda _c, _r: BUSY, lambda _c, request: late(world, request)])
    world.begin_schedules()
    outcome = world.phone().book(DAY, "10:00", service="Dauerwelle", staff="Fabian")
    assert isinstance(outcome, StillOpen)
    world.run(170)
    (appointment,) = world.look().appointments.values()
    assert appointment.state is AppointmentState.COMPENSATING
    world.run(300)
    (appointment,) = world.look().appointments.values()
    assert appointment.state is AppointmentState.FAILED
    assert world.calendar.accepted() == []
    assert len(world.calendar.bookings) == 1, "it came, and was taken back"
    assert world.look().outbox == {appointment.id: ["not_booked"]}
    assert violations(world, [Heard("call_1", outcome, TEN)]) == []


@pytest.mark.parametrize("answers", [1, 5, 40])
def test_what_cannot_be_cancelled_is_tried_until_it_is_gone(answers: int) -> None:
    world = World(Layer.SWEEPER)
    world.salon.open(DAY, first="09:00", last="12:30", every=15)
    made: list[str] = []

    def first(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
        answer = calendar.make(request)
        assert isinstance(answer, Answered)
        made.append(answer.booking.uid)
        return answer

    world.calendar.faults.extend([first, lambda _c, _r: BUSY])
    world.calendar.cancel_faults.extend([NotSent("x")] * answers)
    world.begin_schedules()
    outcome = world.phone().book(DAY, "10:00", service="Dauerwelle", staff="Fabian")
    assert isinstance(outcome, StillOpen)
    world.run(3600)
    assert world.calendar.bookings[made[0]].called_off
    assert only(Run(Case("", ()), world)) == (AppointmentState.FAILED, ["not_booked"], 0)
    assert violations(world, [Heard("call_1", outcome, TEN)]) == []


def test_booked_is_booked() -> None:
    run = play(Case("done well", ()))
    assert isinstance(run.last, Booked)
    assert only(run) == (AppointmentState.CONFIRMED, ["booked"], 2)
