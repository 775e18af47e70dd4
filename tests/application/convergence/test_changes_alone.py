"""Moving and cancelling, each layer alone: a turn dies before or after each of its requests, Cal.com does one of the
things it really does, the caller says yes again or not, lets it be kept for later or not, and then exactly one layer is
at work.
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

from bookend.application.change_appointment import ChangeAppointment, change_appointment
from bookend.application.change_outcomes import CancelledNow, Confirm, KeptForLater, Moved, NotChanged
from bookend.application.deadline import WRITE_TURN_S
from bookend.application.ports import Cancelled, StoreUnavailable
from bookend.domain.answers import Answered, NotSent, NotThere, Refusal, Refused, Unclear
from bookend.domain.appointment import AppointmentState, ChangeKind
from tests.application.convergence.matrix import all_hold
from tests.application.convergence.world import (
    DAY,
    TEN,
    Layer,
    World,
    as_the_revived_are,
    tombstones,
    transient,
    unequal,
)
from tests.support.calendar import BUSY
from tests.support.invariants import breaches
from tests.support.tables.faults import Crash
from tests.support.tables.faults import Fault as StoreFault

TOOK_S = 3.5
NEW = TEN + timedelta(minutes=15)
"""Where it shall go: it overlaps where it stands."""
SALONS = TEN + timedelta(hours=1)
"""Where the salon puts it, if it does."""
Behaviour = Callable[[World, str], Any]


def _given_up(world: World) -> Unclear:
    world.clock.advance(TOOK_S)
    return Unclear("ReadTimeout")


def _stale(world: World, uid: str, seconds: float) -> None:
    """Reads go on showing the booking as it is now."""
    calendar = world.calendar
    calendar.stale[uid] = calendar.bookings[uid]
    world.at(seconds, lambda: calendar.stale.pop(uid, None) and None)


def _hide_new(world: World, answer: Any, seconds: float) -> None:
    if isinstance(answer, Answered):
        world.calendar.hidden[answer.booking.uid] = world.clock.now() + timedelta(seconds=seconds)


# What Cal.com does with a move


def moved_well(world: World, uid: str) -> Any:
    return world.calendar.make_move(uid, NEW)


def lost_before(world: World, _uid: str) -> Any:
    return _given_up(world)


def moved_and_lost(world: World, uid: str) -> Any:
    world.calendar.make_move(uid, NEW)
    return _given_up(world)


def moved_and_not_shown(world: World, uid: str) -> Any:
    """For half a minute every read shows it where it was."""
    _stale(world, uid, 30)
    _hide_new(world, world.calendar.make_move(uid, NEW), 30)
    return _given_up(world)


def moved_after(seconds: float, *, hidden_s: float = 0.0) -> Behaviour:
    def fault(world: World, uid: str) -> Any:
        def late() -> None:
            if hidden_s:
                _stale(world, uid, hidden_s)
            _hide_new(world, world.calendar.make_move(uid, NEW), hidden_s)

        world.at(seconds, late)
        return _given_up(world)

    return fault


def moved_longer(world: World, uid: str) -> Any:
    """The salon has made the event type a quarter of an hour longer."""
    moved = world.calendar.make_move(uid, NEW)
    if not isinstance(moved, Answered):
        return moved
    booking = replace(moved.booking, end=moved.booking.end + timedelta(minutes=15))
    world.calendar.bookings[booking.uid] = booking
    return Answered(booking)


def moved_longer_and_lost(world: World, uid: str) -> Any:
    moved_longer(world, uid)
    return _given_up(world)


def refused(_world: World, _uid: str) -> Any:
    return BUSY


def failed_once(world: World, uid: str) -> Any:
    """500, and the next try works."""
    world.calendar.move_faults.append(lambda _c, u, _s: moved_well(world, u))
    return Unclear("HTTP 500")


def done_and_failed(world: World, uid: str) -> Any:
    """500 although it is done; the next try is refused for what it made (29g, 29h)."""
    moved_well(world, uid)
    world.calendar.move_faults.append(lambda _c, _u, _s: BUSY)
    return Unclear("HTTP 500")


def no_connection(_world: World, _uid: str) -> Any:
    return NotSent("ConnectError")


def rate_limited(_world: World, _uid: str) -> Any:
    return NotSent("HTTP 429", retry_after_s=30.0)


def not_there(_world: World, _uid: str) -> Any:
    return NotThere("HTTP 404")


def salon_moved_it(world: World, uid: str) -> Any:
    world.calendar.move(uid, SALONS)
    return Refused(Refusal.GONE, "HTTP 400 it has been cancelled and rescheduled already")


def salon_cancelled_it(world: World, uid: str) -> Any:
    world.calendar.cancel_by_hand(uid)
    return Refused(Refusal.GONE, "HTTP 400 it has been cancelled")


def salon_moved_it_and_lost(world: World, uid: str) -> Any:
    world.calendar.move(uid, SALONS)
    return _given_up(world)


def salon_cancelled_it_and_lost(world: World, uid: str) -> Any:
    world.calendar.cancel_by_hand(uid)
    return _given_up(world)


LATE = "moved 400 s later"
CANCELLED_LATE = "cancelled 400 s later"
TOO_LATE = {LATE, CANCELLED_LATE}
"""Later than any request was ever seen to be carried out: it was given up by then."""
MOVES: dict[str, Behaviour] = {
    "moved well": moved_well,
    "lost before": lost_before,
    "moved and lost": moved_and_lost,
    "moved and not shown": moved_and_not_shown,
    "moved 100 s later": moved_after(100),
    "moved 125 s later, and not shown": moved_after(125, hidden_s=20),
    LATE: moved_after(400),
    "moved longer": moved_longer,
    "moved longer, and lost": moved_longer_and_lost,
    "refused": refused,
    "failed once": failed_once,
    "done and failed": done_and_failed,
    "no connection": no_connection,
    "rate limited": rate_limited,
    "not there": not_there,
    "the salon moved it": salon_moved_it,
    "the salon cancelled it": salon_cancelled_it,
    "the salon moved it, and lost": salon_moved_it_and_lost,
    "the salon cancelled it, and lost": salon_cancelled_it_and_lost,
}


# What Cal.com does with a cancellation


def cancelled_well(world: World, uid: str) -> Any:
    world.calendar.cancel_by_hand(uid)
    return Cancelled()


def cancelled_and_lost(world: World, uid: str) -> Any:
    world.calendar.cancel_by_hand(uid)
    return _given_up(world)


def cancelled_and_not_shown(world: World, uid: str) -> Any:
    _stale(world, uid, 30)
    world.calendar.cancel_by_hand(uid)
    return _given_up(world)


def cancelled_after(seconds: float) -> Behaviour:
    def fault(world: World, uid: str) -> Any:
        def late() -> None:
            if world.calendar.bookings[uid].status == "accepted":
                world.calendar.cancel_by_hand(uid)

        world.at(seconds, late)
        return _given_up(world)

    return fault


def not_allowed(_world: World, _uid: str) -> Any:
    return Refused(Refusal.NOT_ALLOWED, "HTTP 400 This event type does not allow cancellations")


def salon_moved_before_the_cancellation(world: World, uid: str) -> Any:
    """It has been cancelled already, says Cal.com; and it lives on elsewhere."""
    world.calendar.move(uid, SALONS)
    return Unclear("HTTP 400 it has been cancelled already")


CANCELLATIONS: dict[str, Behaviour] = {
    "cancelled well": cancelled_well,
    "lost before": lost_before,
    "cancelled and lost": cancelled_and_lost,
    "cancelled and not shown": cancelled_and_not_shown,
    "cancelled 100 s later": cancelled_after(100),
    CANCELLED_LATE: cancelled_after(400),
    "not allowed": not_allowed,
    "no connection": no_connection,
    "rate limited": rate_limited,
    "not there": not_there,
    "the salon moved it": salon_moved_before_the_cancellation,
    "the salon moved it, and lost": salon_moved_it_and_lost,
    "the salon cancelled it, and lost": salon_cancelled_it_and_lost,
}
BEHAVIOURS = {ChangeKind.MOVE: MOVES, ChangeKind.CANCEL: CANCELLATIONS}


@dataclass(frozen=True)
class Death:
    """Where the turn dies, or which of its requests to the store fails. Nothing of it: it lives."""

    boundary: int = 0
    before_call: int = 0
    after_call: int = 0
    request: int = -1
    fault: StoreFault | None = None
    lasting: bool = False


@dataclass(frozen=True)
class Case:
    kind: ChangeKind
    calendar: str
    death: Death = Death()
    again: float | None = None
    keep: bool = False
    layer: Layer = Layer.SWEEPER


@dataclass
class Run:
    """One of them, played."""

    case: Case
    world: World
    token: str = ""
    op: str = ""
    appointment: str = ""
    heard: list[Any] = field(default_factory=list)
    requests: int = 0
    calls: int = 0

    def turn(self) -> None:
        """The caller says yes; a turn that dies says nothing."""
        command = ChangeAppointment(kind=self.case.kind, token=self.token, keep=self.case.keep)
        try:
            self.heard.append(change_appointment(command, self.world.phone("call_2").turn(WRITE_TURN_S)))
        except (StoreUnavailable, Crash):
            return  # "temporary", or nothing at all: neither says what became of it


HOURS = {Layer.SWEEPER: 3.0, Layer.WEBHOOKS: 3.0, Layer.RECONCILE: 3.5}
"""How long the layer has, in hours: a kept wish is given up after two."""


def play(case: Case) -> Run:
    """Booked at ten; the caller names it, is asked, says yes; then one layer."""
    run = begun(case)
    run.world.run(HOURS[case.layer] * 3600)
    return run


def begun(case: Case) -> Run:
    """Up to where the turn dies or ends."""
    return broken_off(case, World(case.layer))


def broken_off(case: Case, world: World) -> Run:
    """The same in a world of one's own."""
    run = Run(case, world)
    world.salon.open(DAY, first="09:00", last="12:00", every=15)
    booked = world.phone().book(DAY, "10:00", staff="Fabian")
    run.appointment = booked.appointment.id  # type: ignore[union-attr]
    world.run(30)
    named = ChangeAppointment(kind=case.kind, name="Hans Schuster", date=DAY, new_time="10:15")
    asked = change_appointment(named, world.phone("call_2").turn(WRITE_TURN_S))
    assert isinstance(asked, Confirm)
    run.token = asked.token
    record = world.salon.appointments.look("friseur1", call="call_2").record
    run.op = record.asked.op  # type: ignore[union-attr]
    behaviour = BEHAVIOURS[case.kind][case.calendar]
    if case.kind is ChangeKind.MOVE:
        world.calendar.move_faults.append(lambda _calendar, uid, _start: behaviour(world, uid))
    else:
        world.calendar.cancel_faults.append(lambda _calendar, uid: behaviour(world, uid))
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


@cache
def deaths(kind: ChangeKind, calendar: str) -> tuple[Death, ...]:
    """Everywhere the turn can break off, given what Cal.com does."""
    quiet = play(Case(kind, calendar))
    found = [Death()]
    found += [Death(boundary=number) for number in range(1, 2 * quiet.requests + 1)]
    for number in range(1, quiet.calls + 1):
        found += [Death(before_call=number), Death(after_call=number)]
    for number in range(quiet.requests):
        found += [Death(request=number, fault=fault) for fault in (StoreFault.LOST_ANSWER, StoreFault.NOT_SENT)]
        found.append(Death(request=number, fault=StoreFault.NOT_SENT, lasting=True))
    return tuple(found)


AGAIN = (None, 1.0, 30.0, 200.0)


def every_case(layer: Layer, kind: ChangeKind, calendar: str) -> Iterator[Case]:
    """Every death x retry or not x kept for later or not."""
    for death, again, keep in itertools.product(deaths(kind, calendar), AGAIN, (False, True)):
        yield Case(kind, calendar, death, again, keep, layer)


# What must hold in the end


def breaches_of(run: Run) -> list[str]:
    """What is not as it must be, with what the layer cannot reach left out and nothing else."""
    world, case = run.world, run.case
    look = world.look()
    found = [*breaches(as_the_revived_are(look)), *tombstones(look), *_told(run)]
    if case.layer is Layer.WEBHOOKS and list(transient(look)):
        found += _open_only_where_nothing_happened(run)
    else:
        found += transient(look)
        found += unequal(look) if case.layer is not Layer.SWEEPER else ()
    return [each for each in found if not _beyond(run, each)]


def _told(run: Run) -> Iterator[str]:
    """What was said last holds, and whoever was told that it is open has exactly one message, a true one."""
    look = run.world.look()
    now_is = look.appointments[run.appointment]
    texts = [kind for op, (_, kind) in look.texts.items() if op.startswith(run.op)]
    lives = [each for each in look.accepted() if each.metadata.get("appointment") == now_is.id]
    at = [each.start for each in lives]
    if len(texts) > 1:
        yield f"I8 messages: {texts}"
    true = {
        "moved": at == [NEW],
        "not_moved": run.case.calendar in TOO_LATE or NEW not in at,
        "cancelled": not at,
        "not_cancelled": run.case.calendar in TOO_LATE or len(at) == 1,
    }
    yield from (f"I5 the message {kind} is not true: {at}" for kind in texts if not true[kind])
    for outcome in run.heard:
        open_ = isinstance(outcome, KeptForLater) or (isinstance(outcome, NotChanged) and outcome.open)
        if open_ and len(texts) != 1 and now_is.state in {AppointmentState.CONFIRMED, AppointmentState.CANCELLED}:
            yield f"I5 told that it is open, and the messages are {texts}"
        if isinstance(outcome, Moved) and at != [NEW]:
            yield f"I5 told moved, lives at {at}"
        if isinstance(outcome, CancelledNow) and at:
            yield f"I5 told cancelled, lives at {at}"
        definite = isinstance(outcome, NotChanged) and not outcome.open and outcome is run.heard[-1]
        if definite and run.case.calendar not in TOO_LATE and (NEW in at or "moved" in texts):
            yield f"I5 told {outcome.failure}, lives at {at}"


def _open_only_where_nothing_happened(run: Run) -> Iterator[str]:
    """Webhooks tell of what happened at Cal.com. Of what never arrived there nothing is told, and a job sent for
    an open change comes back for a quarter of an hour: it stays open, both times blocked, for others.
    """
    look = run.world.look()
    own = look.appointments[run.appointment].segments[0]
    lives = [(each.uid, each.start) for each in look.accepted() if each.metadata.get("appointment") == run.appointment]
    if lives != [(own.uid, TEN)]:
        yield f"I6 {run.appointment} is open, and lives at {lives}"


def _beyond(run: Run, breach: str) -> bool:
    """What the layer cannot know of, by what it goes by.

    The sweeper looks after open operations only: what the salon does to an appointment at rest, and what Cal.com
    carries out after it was given up, it never hears of. Webhooks tell of nothing that did not happen at Cal.com.
    """
    late = run.case.calendar in TOO_LATE or run.case.calendar.startswith("the salon")
    quiet = run.case.layer is Layer.SWEEPER and late
    return quiet and breach.startswith(("I3", "I5 the message"))


def some_of(layer: Layer, kind: ChangeKind, calendar: str, most: int) -> list[Case]:
    """A sample, the same every time; deaths without a second try are always in it."""
    cases = list(every_case(layer, kind, calendar))
    always = [each for each in cases if each.again is None and not each.keep]
    rest = [each for each in cases if each not in always]
    chosen = random.Random(f"changes {layer} {kind} {calendar}")
    return [*chosen.sample(always, min(most, len(always))), *chosen.sample(rest, min(most, len(rest)))]


def _all_hold(cases: list[Case]) -> None:
    all_hold(cases, begun, HOURS, breaches_of)


ALONE = [(layer, kind, calendar) for layer in Layer for kind, calendars in BEHAVIOURS.items() for calendar in calendars]
NAMES = [f"{layer.name.lower()} alone, {kind.value}, {calendar}" for layer, kind, calendar in ALONE]


@pytest.mark.parametrize(("layer", "kind", "calendar"), ALONE, ids=NAMES)
def test_wherever_a_change_breaks_off_one_layer_alone_brings_it_to_an_end(
    layer: Layer, kind: ChangeKind, calendar: str
) -> None:
    _all_hold(some_of(layer, kind, calendar, 4))


@pytest.mark.slow
@pytest.mark.parametrize(("layer", "kind", "calendar"), ALONE, ids=NAMES)
def test_every_death_and_every_second_yes_with_one_layer_alone(layer: Layer, kind: ChangeKind, calendar: str) -> None:
    _all_hold(list(every_case(layer, kind, calendar)))
