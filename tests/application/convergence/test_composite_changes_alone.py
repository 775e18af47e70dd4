"""Moving and cancelling composites, each layer alone: whichever parts fail, however, and wherever the turn dies, no run
ends with part of a service in silence.

Cal.com does one of the things it really does with some of the parts, the others go well; the turn dies before or after
one of its requests, or lives; the caller says yes again or not, lets it be kept for later or not. Then exactly one
layer is at work.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest

from bookend.adapters.dynamodb.outbox import DynamoOutbox
from bookend.application.change_appointment import ChangeAppointment, change_appointment
from bookend.application.change_outcomes import CancelledNow, Confirm, KeptForLater, Moved, NotChanged
from bookend.application.deadline import WRITE_TURN_S
from bookend.application.outcomes import Booked
from bookend.application.ports import Cancelled, StoreUnavailable
from bookend.domain.answers import Answered, NotSent, NotThere, Refusal, Refused, Unclear
from bookend.domain.appointment import Amiss, AppointmentState, ChangeKind
from bookend.domain.texts import Person, TextKind, decide
from bookend.domain.timeslot import Slot
from tests.application.convergence.matrix import all_hold
from tests.application.convergence.test_changes_alone import HOURS, Death
from tests.application.convergence.test_changes_alone import _prepare as prepare
from tests.application.convergence.test_composites_alone import SUBSETS, tenant
from tests.application.convergence.world import (
    DAY,
    TEN,
    TENANT,
    Layer,
    World,
    as_the_revived_are,
    tombstones,
    transient,
    unequal,
)
from tests.support.calendar import BUSY, FakeCalendar
from tests.support.invariants import breaches
from tests.support.tables.faults import Crash
from tests.support.tables.faults import Fault as StoreFault

TOOK_S = 3.5
OFFSETS = {2: (0, 105), 3: (0, 105, 135)}
"""Minutes from its start at which each part begins."""
NEAR, ONTO = 15, 105
"""Minutes it is moved by: each part onto itself; the first one onto the second one's time, which so must go first."""
Behaviour = Callable[[World, str, datetime], Any]


def _given_up(world: World) -> Unclear:
    world.clock.advance(TOOK_S)
    return Unclear("ReadTimeout")


def _stale(world: World, uid: str, seconds: float) -> None:
    """Reads go on showing the booking as it is now."""
    calendar = world.calendar
    calendar.stale[uid] = calendar.bookings[uid]
    world.at(seconds, lambda: calendar.stale.pop(uid, None) and None)


# What Cal.com does with the move of a part


def well(world: World, uid: str, start: datetime) -> Any:
    return world.calendar.make_move(uid, start)


def lost_before(world: World, _uid: str, _start: datetime) -> Any:
    return _given_up(world)


def moved_and_lost(world: World, uid: str, start: datetime) -> Any:
    world.calendar.make_move(uid, start)
    return _given_up(world)


def moved_and_not_shown(world: World, uid: str, start: datetime) -> Any:
    """For half a minute every read shows it where it was."""
    _stale(world, uid, 30)
    answer = world.calendar.make_move(uid, start)
    if isinstance(answer, Answered):
        world.calendar.hidden[answer.booking.uid] = world.clock.now() + timedelta(seconds=30)
    return _given_up(world)


def moved_after(seconds: float) -> Behaviour:
    def fault(world: World, uid: str, start: datetime) -> Any:
        world.at(seconds, lambda: world.calendar.make_move(uid, start) and None)
        return _given_up(world)

    return fault


def refused_once(_world: World, _uid: str, _start: datetime) -> Any:
    return BUSY


def done_and_failed(world: World, uid: str, start: datetime) -> Any:
    """500 although it is done; the next try is refused."""
    world.calendar.make_move(uid, start)
    return Unclear("HTTP 500")


def failed_once(_world: World, _uid: str, _start: datetime) -> Any:
    return Unclear("HTTP 500")


def no_connection(_world: World, _uid: str, _start: datetime) -> Any:
    return NotSent("ConnectError")


def rate_limited(_world: World, _uid: str, _start: datetime) -> Any:
    return NotSent("HTTP 429", retry_after_s=30.0)


def not_there(_world: World, _uid: str, _start: datetime) -> Any:
    return NotThere("HTTP 404")


def salon_moved_it(world: World, uid: str, _start: datetime) -> Any:
    world.calendar.move(uid, TEN + timedelta(hours=6, minutes=30 * _part(world, uid)))
    return Refused(Refusal.GONE, "HTTP 400 it has been cancelled and rescheduled already")


def salon_cancelled_it(world: World, uid: str, _start: datetime) -> Any:
    world.calendar.cancel_by_hand(uid)
    return Refused(Refusal.GONE, "HTTP 400 it has been cancelled")


LATE = "400 s later"
TAKEN, NO_WAY_BACK = "taken for good", "taken, and no way back"
MOVES: dict[str, Behaviour] = {
    "well": well,
    "lost before": lost_before,
    "moved and lost": moved_and_lost,
    "moved and not shown": moved_and_not_shown,
    "moved 100 s later": moved_after(100),
    LATE: moved_after(400),
    "refused once": refused_once,
    TAKEN: refused_once,
    NO_WAY_BACK: refused_once,
    "done and failed": done_and_failed,
    "failed once": failed_once,
    "no connection": no_connection,
    "rate limited": rate_limited,
    "not there": not_there,
    "the salon moved it": salon_moved_it,
    "the salon cancelled it": salon_cancelled_it,
}


# What it does with the cancellation of a part


def gone_well(world: World, uid: str, _start: datetime) -> Any:
    world.calendar.cancel_by_hand(uid)
    return Cancelled()


def cancelled_and_lost(world: World, uid: str, _start: datetime) -> Any:
    world.calendar.cancel_by_hand(uid)
    return _given_up(world)


def cancelled_and_not_shown(world: World, uid: str, _start: datetime) -> Any:
    _stale(world, uid, 30)
    world.calendar.cancel_by_hand(uid)
    return _given_up(world)


def cancelled_after(seconds: float) -> Behaviour:
    def fault(world: World, uid: str, _start: datetime) -> Any:
        def late() -> None:
            if world.calendar.bookings[uid].status == "accepted":
                world.calendar.cancel_by_hand(uid)

        world.at(seconds, late)
        return _given_up(world)

    return fault


def not_allowed(_world: World, _uid: str, _start: datetime) -> Any:
    return Refused(Refusal.NOT_ALLOWED, "HTTP 400 This event type does not allow cancellations")


def salon_moved_first(world: World, uid: str, start: datetime) -> Any:
    """It has been cancelled already, says Cal.com; and it lives on elsewhere."""
    salon_moved_it(world, uid, start)
    return Unclear("HTTP 400 it has been cancelled already")


NEVER = "never allowed"
CANCELLATIONS: dict[str, Behaviour] = {
    "well": gone_well,
    "lost before": lost_before,
    "cancelled and lost": cancelled_and_lost,
    "cancelled and not shown": cancelled_and_not_shown,
    "cancelled 100 s later": cancelled_after(100),
    LATE: cancelled_after(400),
    "not allowed once": not_allowed,
    NEVER: not_allowed,
    "no connection": no_connection,
    "rate limited": rate_limited,
    "not there": not_there,
    "the salon moved it": salon_moved_first,
}
BEHAVIOURS = {ChangeKind.MOVE: MOVES, ChangeKind.CANCEL: CANCELLATIONS}
FOR_GOOD = {TAKEN, NO_WAY_BACK, NEVER}


def _part(world: World, uid: str) -> int:
    return int(world.calendar.bookings[uid].metadata["segment"])


@dataclass(frozen=True)
class Case:
    """`failing` are the parts that Cal.com does `calendar` with; it is moved `by` so many minutes."""

    kind: ChangeKind
    calendar: str
    failing: tuple[int, ...]
    death: Death = field(default_factory=Death)
    again: float | None = None
    keep: bool = False
    layer: Layer = Layer.SWEEPER
    by: int = NEAR
    parts: int = 2


@dataclass
class Run:
    """One of them, played."""

    case: Case
    world: World
    token: str = ""
    op: str = ""
    appointment: str = ""
    heard: list[Any] = field(default_factory=list)
    foreign: set[str] = field(default_factory=set)
    requests: int = 0
    calls: int = 0

    def turn(self) -> None:
        """The caller says yes; a turn that dies says nothing."""
        command = ChangeAppointment(kind=self.case.kind, token=self.token, keep=self.case.keep)
        try:
            self.heard.append(change_appointment(command, self.world.phone("call_2").turn(WRITE_TURN_S)))
        except (StoreUnavailable, Crash):
            return

    @property
    def old(self) -> list[datetime]:
        return [TEN + timedelta(minutes=each) for each in OFFSETS[self.case.parts]]

    @property
    def new(self) -> list[datetime]:
        return [each + timedelta(minutes=self.case.by) for each in self.old]

    @property
    def lives_at(self) -> list[datetime]:
        """Where its parts stand at Cal.com."""
        accepted = self.world.calendar.accepted()
        return sorted(each.start for each in accepted if each.metadata.get("appointment") == self.appointment)

    @property
    def is_whole(self) -> bool:
        """Whether all of its parts live, as they belong together, or none."""
        at = self.lives_at
        return not at or [each - at[0] for each in at] == [each - TEN for each in self.old]


def play(case: Case) -> Run:
    """Booked at ten; the caller names it, is asked, says yes; then one layer."""
    run = begun(case)
    run.world.run(HOURS[case.layer] * 3600)
    return run


def begun(case: Case) -> Run:
    """Up to where the turn dies or ends."""
    return broken_off(case, World(case.layer, tenant=tenant(case.parts)))


def broken_off(case: Case, world: World) -> Run:
    """The same in a world of one's own."""
    run = Run(case, world)
    world.salon.open(DAY, first="09:00", last="18:30", every=15)
    booked = world.phone().book(DAY, "10:00", service="Dauerwelle", staff="Fabian")
    assert isinstance(booked, Booked)
    run.appointment = booked.appointment.id
    world.run(30)
    new_time = (datetime(2025, 10, 28, 10, 0) + timedelta(minutes=case.by)).strftime("%H:%M")  # noqa: DTZ001
    named = ChangeAppointment(kind=case.kind, name="Hans Schuster", date=DAY, new_time=new_time)
    asked = change_appointment(named, world.phone("call_2").turn(WRITE_TURN_S))
    assert isinstance(asked, Confirm), asked
    run.token = asked.token
    record = world.salon.appointments.look("friseur1", call="call_2").record
    assert record.asked is not None
    run.op = record.asked.op
    _plan(run)
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


def _plan(run: Run) -> None:
    """Each failing part fails the first time it is asked for; what is for good, whenever it is to leave its place."""
    case, world, failed = run.case, run.world, set[int]()
    behaviour = BEHAVIOURS[case.kind][case.calendar]

    def answer(calendar: FakeCalendar, uid: str, start: datetime) -> Any:
        number = _part(world, uid)
        leaves = case.kind is ChangeKind.CANCEL or start == run.new[number]
        if number in case.failing and leaves and (case.calendar in FOR_GOOD or number not in failed):
            failed.add(number)
            return behaviour(world, uid, start)
        if case.calendar == NO_WAY_BACK and start == run.old[number]:
            free = not calendar.in_the_way(calendar.bookings[uid].host or 0, Slot.of(start, 30))
            if free and not run.foreign:
                run.foreign.add(calendar.book_publicly(3672814, start).uid)
            return BUSY
        if case.kind is ChangeKind.CANCEL:
            if calendar.bookings[uid].status == "accepted":
                return gone_well(world, uid, start)
            moved = calendar.bookings[uid].rescheduled_to is not None
            return Unclear("HTTP 400 it has been cancelled already") if moved else Cancelled()
        return calendar.make_move(uid, start)

    if case.kind is ChangeKind.MOVE:
        world.calendar.move_faults.extend([answer] * 400)
    else:
        world.calendar.cancel_faults.extend([lambda calendar, uid: answer(calendar, uid, TEN)] * 400)


@cache
def deaths(kind: ChangeKind, calendar: str, failing: tuple[int, ...], by: int, parts: int) -> tuple[Death, ...]:
    """Everywhere the turn can break off, given what Cal.com does; where it takes something back, there too."""
    quiet = play(Case(kind, calendar, failing, by=by, parts=parts))
    found = [Death()]
    found += [Death(boundary=number) for number in range(1, 2 * quiet.requests + 1)]
    for number in range(1, quiet.calls + 1):
        found += [Death(before_call=number), Death(after_call=number)]
    for number in range(quiet.requests):
        found += [Death(request=number, fault=fault) for fault in (StoreFault.LOST_ANSWER, StoreFault.NOT_SENT)]
        found.append(Death(request=number, fault=StoreFault.NOT_SENT, lasting=True))
    return tuple(found)


AGAIN = (None, 1.0, 30.0, 200.0)


def every_case(layer: Layer, kind: ChangeKind, calendar: str, parts: int = 2) -> Iterator[Case]:
    """Every subset x distance x death x second yes x kept for later or not."""
    for failing, by in itertools.product(SUBSETS[parts], (NEAR, ONTO) if kind is ChangeKind.MOVE else (NEAR,)):
        every = deaths(kind, calendar, failing, by, parts)
        for death, again, keep in itertools.product(every, AGAIN, (False, True)):
            yield Case(kind, calendar, failing, death, again, keep, layer, by, parts)


# What must hold in the end


def breaches_of(run: Run) -> list[str]:
    """What is not as it must be, with what the layer cannot reach left out and nothing else."""
    world, case = run.world, run.case
    look = world.look()
    found = [*breaches(as_the_revived_are(look), foreign=run.foreign), *tombstones(look), *told(run), *silence(run)]
    if case.layer is Layer.WEBHOOKS and list(transient(look)):
        found += open_only_where_nothing_tells(run)
    else:
        found += transient(look)
        theirs = [f"EQ only there: ('{uid}'" for uid in run.foreign]  # booked there by others, whom nobody looks for
        if case.layer is not Layer.SWEEPER:
            found += [each for each in unequal(look) if not each.startswith(tuple(theirs))]
    return [each for each in found if not beyond(run, each)]


def told(run: Run) -> Iterator[str]:
    """What was said last holds, and whoever was told that it is open has exactly one message, a true one."""
    look, at = run.world.look(), run.lives_at
    now_is = look.appointments[run.appointment]
    texts = [kind for owner, kind in look.texts.values() if owner == run.appointment and kind != "booked"]
    apart = any(each.startswith("part-") for each in look.flagged)
    late, theirs = run.case.calendar == LATE, run.case.calendar == "the salon moved it"
    if len(texts) > 1:
        yield f"I8 messages: {texts}"
    true = {
        "moved": at == run.new or (theirs and (run.is_whole or now_is.amiss is not None)),  # then a person rings
        "not_moved": late or apart or at == run.old,
        "cancelled": not at,
        "not_cancelled": late or apart or at == run.old,
    }
    yield from (f"I5 the message {kind} is not true: {at}" for kind in texts if not true[kind])
    for outcome in run.heard:
        open_ = isinstance(outcome, KeptForLater) or (isinstance(outcome, NotChanged) and outcome.open)
        if open_ and len(texts) != 1 and now_is.state in {AppointmentState.CONFIRMED, AppointmentState.CANCELLED}:
            yield f"I5 told that it is open, and the messages are {texts}"
        if isinstance(outcome, Moved) and at != run.new:
            yield f"I5 told moved, lives at {at}"
        if isinstance(outcome, CancelledNow) and at:
            yield f"I5 told cancelled, lives at {at}"
        definite = isinstance(outcome, NotChanged) and not outcome.open and outcome is run.heard[-1]
        if (
            definite
            and not late
            and not apart
            and (set(at) & (set(run.new) - set(run.old)) or ("moved" in texts and not theirs))
        ):
            yield f"I5 told {outcome.failure}, lives at {at}"


def silence(run: Run) -> Iterator[str]:
    """No run ends with part of a service that no person knows of: it is whole, wherever others have put it, or gone."""
    look, at = run.world.look(), run.lives_at
    at_rest = look.appointments[run.appointment].state in {AppointmentState.CONFIRMED, AppointmentState.CANCELLED}
    if at_rest and not run.is_whole and not any(each.startswith("part-") for each in look.flagged):
        yield f"I9 part of it, in silence: {at}"


def open_only_where_nothing_tells(run: Run) -> Iterator[str]:
    """Webhooks tell of what happened at Cal.com, and a job for an open change comes back for a quarter of an hour. What
    has no end by then stays open, its times blocked, for others; whoever is told nothing of it has not heard an end.
    """
    last = run.heard[-1] if run.heard else None
    if isinstance(last, Moved | CancelledNow) or (isinstance(last, NotChanged) and not last.open):
        yield f"I6 {run.appointment} is open, and was told {last}"


def beyond(run: Run, breach: str) -> bool:
    """What the layer cannot know of, by what it goes by: as of plain changes (test_changes_alone)."""
    late = run.case.calendar == LATE or run.case.calendar.startswith("the salon")
    quiet = run.case.layer is Layer.SWEEPER and late
    return quiet and breach.startswith(("I3", "I5 the message", "I9"))


def _all_hold(cases: list[Case]) -> None:
    all_hold(cases, begun, HOURS, breaches_of)


ALONE = [(layer, kind, calendar) for layer in Layer for kind, calendars in BEHAVIOURS.items() for calendar in calendars]
NAMES = [f"{layer.name.lower()} alone, {kind.value}, {calendar}" for layer, kind, calendar in ALONE]


@pytest.mark.parametrize(("layer", "kind", "calendar"), ALONE, ids=NAMES)
def test_whichever_part_fails_one_layer_alone_makes_it_whole(layer: Layer, kind: ChangeKind, calendar: str) -> None:
    by, failing = (ONTO, 1) if layer is Layer.SWEEPER else (NEAR, len(calendar) % 2)
    _all_hold([Case(kind, calendar, (failing,), layer=layer, by=by)])


@pytest.mark.slow
@pytest.mark.parametrize(("layer", "kind", "calendar"), ALONE, ids=NAMES)
def test_every_death_and_every_second_yes_with_one_layer_alone(layer: Layer, kind: ChangeKind, calendar: str) -> None:
    _all_hold(list(every_case(layer, kind, calendar)))


@pytest.mark.slow
@pytest.mark.parametrize(("layer", "kind", "calendar"), ALONE, ids=NAMES)
def test_of_three_parts_every_subset_comes_to_an_end(layer: Layer, kind: ChangeKind, calendar: str) -> None:
    distances = (NEAR, ONTO) if kind is ChangeKind.MOVE else (NEAR,)
    _all_hold([Case(kind, calendar, each, layer=layer, by=by, parts=3) for each in SUBSETS[3] for by in distances])


def test_parts_that_the_salon_moved_in_silence_are_one_change_however_many_they_are() -> None:
    """Each is listed by its old uid and by its new one; six of them would be more than a run may do by itself."""
    run = play(Case(ChangeKind.CANCEL, "the salon moved it", (0, 1, 2), layer=Layer.RECONCILE, parts=3))

    assert "BlastLimitReached" not in {each.kind for each in run.world.alerts.raised}
    assert max(each.tally.get("destructive", 0) for each in run.world.reports) == 1
    assert breaches_of(run) == []


def test_of_what_stands_apart_no_text_names_a_time() -> None:
    """The salon has moved the first part and the last one; the message that nobody has sent is for a person."""
    run = play(Case(ChangeKind.MOVE, "the salon moved it", (0, 2), layer=Layer.RECONCILE, parts=3))

    world, stands = run.world, run.world.look().appointments[run.appointment]
    owed = DynamoOutbox(world.salon.table).owed(TENANT.id, stands.op)
    assert owed is not None
    assert (owed.message.kind, stands.amiss) == (TextKind.MOVED, Amiss.GAP_TOO_SHORT)
    assert decide(owed.message, stands, confirmations=True, has_another=False, now=world.clock.now()) == Person("apart")
