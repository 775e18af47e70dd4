"""Dying twice: a turn dies, whoever recovers it dies on the way, and then another one has all the time it needs.

The turns, what Cal.com does with them, and what must hold in the end are those of the layers alone
(`tests.application.convergence`). Here the first layer to come dies once, before or after one of its requests to the
store or to Cal.com; from then on the second one is at work, which may be of the same kind: the sweeper a minute later.
"""

from __future__ import annotations

import contextlib
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from bookend.application import settling
from bookend.application.background import Background
from bookend.application.findings import Report
from bookend.application.ports import Job, StoreUnavailable
from bookend.domain.appointment import Appointment, ChangeKind
from bookend.domain.tenant import Tenant
from tests.application.convergence import (
    test_changes_alone,
    test_composite_changes_alone,
    test_composites_alone,
    test_layers_alone,
)
from tests.application.convergence.test_layers_alone import Death
from tests.application.convergence.world import TENANT, WEBHOOK_AFTER_S, Event, Layer, World, transient, unequal
from tests.application.remedies import test_deaths as remedies
from tests.support.tables.faults import Crash, FaultInjector

LIVES = Death()
MOST_DEATHS = 60
"""Of one recovery. One that cannot end what it found goes on for hours; of its later rounds some are taken."""
MOST_CASES = 14
"""Of an operation, in the whole battery. The plain booking has so many."""


class Relay(World):
    """`first` recovers until it dies; from then on only `then` is at work, with all that waits for it."""

    def __init__(self, first: Layer, then: Layer, dies: Death = LIVES, *, tenant: Tenant = TENANT) -> None:
        super().__init__(first, tenant=tenant)
        self.then, self.handed_over = then, False
        self._danger = FaultInjector()
        if dies.boundary:
            self._danger.crash_at(dies.boundary)
        self._calls, self._dies = 0, dies
        self.took = (0, 0)
        """Boundaries and calls of the calendar until it had come to rest."""
        self._rests = False
        self._waiting: list[Job] = []
        self._untold: list[Event] = []

    def begin_schedules(self, *, nightly_after: float = 7200.0) -> None:
        """All of them; whoever is not at work lets its round pass."""
        self._every(60.0, self.sweep)
        self._every(300.0, self.reconcile)
        self.at(nightly_after, lambda: self.reconcile(nightly=True) and None)

    def sweep(self) -> None:
        if Layer.SWEEPER in self.layers:
            self._in_danger(super().sweep)

    def reconcile(self, *, nightly: bool = False) -> Sequence[Report]:
        if Layer.RECONCILE in self.layers:
            self._in_danger(lambda: super(Relay, self).reconcile(nightly=nightly))
        return []

    def send(self, job: Job, *, delay: timedelta = timedelta(0)) -> None:
        super().send(job, delay=delay)
        if Layer.WEBHOOKS not in self.layers:
            self._waiting.append(job)

    def _hand_out(self, job: Job, received: int) -> None:
        if Layer.WEBHOOKS in self.layers:
            super()._hand_out(job, received)
        else:
            self._waiting.append(job)

    def work_on(self, job: Job) -> None:
        if self._in_danger(lambda: super(Relay, self).work_on(job)):
            raise Crash("a worker, on its job")  # which comes back

    def _happened(self, trigger: str, uid: str) -> None:
        super()._happened(trigger, uid)
        if Layer.WEBHOOKS not in self.layers:
            self._untold.append(self.events[-1])

    def _in_danger(self, do: Callable[[], Any]) -> bool:
        """Whether it died of it. Deaths of the turn are none of the recovery's, nor the other way round."""
        if self.handed_over:
            do()
            return False
        client, line = self.client, self.line
        kept = client.faults, line.calls, line.die_before, line.die_after
        client.faults, line.calls = self._danger, self._calls
        line.die_before, line.die_after = self._dies.before_call, self._dies.after_call
        try:
            do()
        except Crash:
            self.hand_over(self.then)
            return True
        finally:
            self._calls = line.calls
            client.faults, line.calls, line.die_before, line.die_after = kept
            if not self._rests:
                self.took = self._danger.boundaries, self._calls
                look = self.look()
                self._rests = not any(transient(look)) and not any(unequal(look))
        return False

    def hand_over(self, to: Layer) -> None:
        """From now on nobody else is at work, and nobody dies."""
        self.handed_over, self.layers = True, frozenset({to})
        if to is Layer.RECONCILE:
            self.at(7200.0, lambda: self.reconcile(nightly=True) and None)
        if to is Layer.WEBHOOKS:
            for job in self._waiting:
                self.at(0.5, lambda job=job: self._hand_out(job, 1))  # type: ignore[misc]
            for event in self._untold:
                self.at(WEBHOOK_AFTER_S, lambda event=event: self.deliver(event))  # type: ignore[misc]

    def state(self, *more: object) -> str:
        return super().state(self._waiting, self._untold, self._rests, *more)


@dataclass(frozen=True)
class Operation:
    """One that may break off: its cases, how they are begun, where they die, what must hold of them in the end."""

    name: str
    of: Any
    """The test module that knows all that."""
    cases: tuple[Any, ...]

    def deaths(self, case: Any) -> list[Any]:
        """Where its turn dies; and that it lives, with an outcome that may be open."""
        run = self.of.broken_off(case, self._world(case, Layer.SWEEPER, Layer.SWEEPER, LIVES))
        found = [self.of.Death(), *(self.of.Death(boundary=each) for each in range(1, 2 * run.requests + 1))]
        for number in range(1, run.calls + 1):
            found += [self.of.Death(before_call=number), self.of.Death(after_call=number)]
        return found

    @staticmethod
    def _world(case: Any, first: Layer, then: Layer, dies: Death) -> Relay:
        return Relay(first, then, dies, tenant=test_composites_alone.tenant(getattr(case, "parts", 2)))

    def begun(self, case: Any, first: Layer, then: Layer, dies: Death = LIVES) -> Any:
        """The turn is over, and nobody has come yet."""
        return self.of.broken_off(replace(case, layer=then), self._world(case, first, then, dies))

    def until_handed_over(self, run: Any, first: Layer) -> None:
        """The first one is at work, until it dies or has had its time."""
        world = run.world
        for _ in range(int(self.of.HOURS[first] * 60)):
            if world.handed_over:
                return
            world.run(60.0)

    def second_deaths(self, case: Any, first: Layer, then: Layer) -> list[Death]:
        """Everywhere the first one to recover may die, until it has come to rest."""
        run = self.begun(case, first, then)
        self.until_handed_over(run, first)
        boundaries, calls = run.world.took
        found = [Death(boundary=each) for each in range(1, boundaries + 1)]
        for number in range(1, calls + 1):
            found += [Death(before_call=number), Death(after_call=number)]
        if len(found) <= MOST_DEATHS:
            return found
        early, late = found[: MOST_DEATHS // 2], found[MOST_DEATHS // 2 :]
        return [*early, *random.Random(f"{case} {first} {then}").sample(late, MOST_DEATHS // 2)]

    def breaches(self, run: Any, then: Layer) -> list[str]:
        """What does not hold, when the second one has had its time."""
        run.world.run(self.of.HOURS[then] * 3600)
        found = self._now(run)
        left = [each for each in found if not _is_edited(each)]
        if then is not Layer.SWEEPER or left == found:
            return found
        # The sweeper looks after what is open. Who dies between a commit and what follows from it leaves nothing open:
        # that a live booking is longer, or elsewhere, is found by whoever reads lists. Nothing else is left to it: it
        # would heal what the sweeper breaks.
        run.world.hand_over(Layer.RECONCILE)
        run.case = replace(run.case, layer=Layer.RECONCILE)
        run.world.run(self.of.HOURS[Layer.RECONCILE] * 3600)
        return [*left, *self._now(run)]

    def _now(self, run: Any) -> list[str]:
        found = [*self.of.breaches_of(run), *more_than_one(run)]
        return [each for each in found if not _later_word(run, each)]


def _is_edited(breach: str) -> bool:
    """Whether the booking of a confirmed appointment lives, and is another than it was asked for."""
    return breach.startswith("I3 ") and " is confirmed as " in breach and "Cal.com has ('accepted'" in breach


def _later_word(run: Any, breach: str) -> bool:
    """Whether who heard no was told otherwise since: theirs was shown so late that it was given up, stood in the way of
    their second try, and was given back to them once it was seen, with a message (docs/limits.md).
    """
    if not breach.startswith("I5 told SlotTaken, in the end"):
        return False
    look = run.world.look()
    named = [each for each in look.appointments.values() if f"'{each.id}'" in breach]
    return all(each.op.startswith("adopt-") and look.outbox.get(each.id) == ["booked"] for each in named)


def more_than_one(run: Any) -> Iterator[str]:
    """An operation is asked for once however often it is recovered: each part of it was made once at most."""
    made = Counter(
        (each.metadata["op_id"], each.metadata["segment"])
        for each in run.world.calendar.bookings.values()
        if "op_id" in each.metadata and each.rescheduled_from is None
    )
    yield from (f"I8 {part} was booked {times} times" for part, times in made.items() if times > 1)


PLAIN, CHANGE = test_layers_alone, test_changes_alone
WHOLE, WHOLE_CHANGE = test_composites_alone, test_composite_changes_alone
KEPT = {"no connection", "rate limited", "lost before", "moved and lost", "refused", "refused once", "not allowed"}
"""What a caller may be asked about whether it shall be kept for later."""
OPERATIONS = (
    Operation("book", PLAIN, tuple(PLAIN.Case(each) for each in PLAIN.CALENDAR)),
    Operation("book a composite", WHOLE, tuple(WHOLE.Case(k, f) for k in WHOLE.KINDS for f in WHOLE.SUBSETS[2])),
    *(
        Operation(kind.value.lower(), CHANGE, tuple(CHANGE.Case(kind, each) for each in CHANGE.BEHAVIOURS[kind]))
        for kind in ChangeKind
    ),
    *(
        Operation(
            f"{kind.value.lower()}, kept for later",
            CHANGE,
            tuple(CHANGE.Case(kind, each, keep=True) for each in CHANGE.BEHAVIOURS[kind] if each in KEPT),
        )
        for kind in ChangeKind
    ),
    *(
        Operation(
            f"{kind.value.lower()} a composite",
            WHOLE_CHANGE,
            tuple(
                WHOLE_CHANGE.Case(kind, each, failing, by=by, keep=keep)
                for each in WHOLE_CHANGE.BEHAVIOURS[kind]
                for failing in WHOLE_CHANGE.SUBSETS[2]
                for by in ((WHOLE_CHANGE.NEAR, WHOLE_CHANGE.ONTO) if kind is ChangeKind.MOVE else (WHOLE_CHANGE.NEAR,))
                for keep in ((False, True) if each in KEPT else (False,))
            ),
        )
        for kind in ChangeKind
    ),
)
PAIRS = tuple(itertools.product(Layer, Layer))


def played(operation: Operation, case: Any, first: Layer, then: Layer, dies: Death) -> list[str]:
    """Both deaths, and what does not hold in the end."""
    run = operation.begun(case, first, then, dies)
    operation.until_handed_over(run, first)
    assert run.world.handed_over, f"nobody died: {dies}"
    return operation.breaches(run, then)


def every_pair(operation: Operation, case: Any, first: Layer, then: Layer) -> Iterator[tuple[str, list[str]]]:
    """Both deaths at each of their places; what cannot be told apart is played once."""
    begun: set[str] = set()
    ended: set[str] = set()
    for death in operation.deaths(case):
        dying = replace(case, death=death)
        broken_off = operation.begun(dying, first, then)
        if (state := broken_off.world.state(broken_off.heard)) in begun:
            continue
        begun.add(state)
        for dies in operation.second_deaths(dying, first, then):
            run = operation.begun(dying, first, then, dies)
            operation.until_handed_over(run, first)
            assert run.world.handed_over, f"nobody died: {dies}"
            if (state := run.world.state(run.heard)) not in ended:
                ended.add(state)
                yield f"{dying}; {first.name} dies: {dies}", operation.breaches(run, then)


def all_hold(found: Iterator[tuple[str, list[str]]]) -> int:
    """How many there were, none of them broken."""
    broken: dict[str, list[str]] = {}
    number = 0
    for name, breaches in found:
        number += 1
        if breaches:
            broken[name] = breaches[:3]
    print(f"{number} pairs of deaths, {len(broken)} broken")
    assert dict(itertools.islice(broken.items(), 5)) == {}
    return number


def some_of(operation: Operation, first: Layer, then: Layer, most: int) -> Iterator[tuple[str, list[str]]]:
    """A few of them, the same every time; in some the caller says it once more half a minute later."""
    dice = random.Random(f"twice {operation.name} {first} {then}")
    for number in range(most):
        case = replace(dice.choice(operation.cases), again=(None, 30.0)[number % 2])
        dying = replace(case, death=dice.choice(operation.deaths(case)))
        if places := operation.second_deaths(dying, first, then):
            dies = dice.choice(places)
            yield f"{dying}; {first.name} dies: {dies}", played(operation, dying, first, then, dies)


NAMES = [f"{first.name.lower()}, then {then.name.lower()}" for first, then in PAIRS]


@pytest.mark.parametrize(("first", "then"), PAIRS, ids=NAMES)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_who_recovers_dies_too_and_another_brings_it_to_its_end(
    operation: Operation, first: Layer, then: Layer
) -> None:
    all_hold(some_of(operation, first, then, 1))


@pytest.mark.slow
@pytest.mark.parametrize(("first", "then"), PAIRS, ids=NAMES)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_a_second_try_between_two_deaths(operation: Operation, first: Layer, then: Layer) -> None:
    all_hold(some_of(operation, first, then, 40))


@pytest.mark.slow
@pytest.mark.parametrize(("first", "then"), PAIRS, ids=NAMES)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_every_pair_of_deaths(operation: Operation, first: Layer, then: Layer) -> None:
    """Of an operation with very many cases a share of them, another one for each two who recover."""
    dice = random.Random(f"pairs {operation.name} {first} {then}")
    cases = dice.sample(operation.cases, min(MOST_CASES, len(operation.cases)))
    assert all_hold(each for case in cases for each in every_pair(operation, case, first, then)) > 0


def test_what_is_freed_before_calcom_has_agreed_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The battery can fail: who frees the time first and then dies leaves a booking that nobody looks after."""
    take_back = settling._take_back

    def freed_first(work: Background, appointment: Appointment) -> settling.Settled:
        ended = settling._release(work, appointment, settling.UNDONE)
        take_back(work, appointment)
        return ended

    monkeypatch.setattr(settling, "_take_back", freed_first)
    case = WHOLE.Case("longer than asked", (0,))
    by_operation = {each.name: each for each in OPERATIONS}
    found = every_pair(by_operation["book a composite"], case, Layer.SWEEPER, Layer.SWEEPER)
    noticed = next(breaches for _, breaches in found if breaches)
    assert any("lives at Cal.com, its appointment is FAILED" in each for each in noticed)


# The remedies: a run, or a person's decision, dies, and so does who goes on with it


def _again(ward: remedies.Ward, by: str) -> None:
    if by == "the sweeper":
        for _ in range(6):
            ward.world.run(60.0)
            ward.world.sweep()
    else:
        ward.world.run(900.0)
        ward.remedy()


def remedied_twice(
    scenario: remedies.Scenario, kill: Callable[[remedies.Ward], None], by: str, boundary: int | None
) -> tuple[remedies.Ward, int]:
    """What dies, and who goes on and dies as well (0: it lives; None: nobody goes on); and how far the second came."""
    ward = remedies.begun(scenario)
    kill(ward)
    with contextlib.suppress(Crash, StoreUnavailable):
        scenario.do(ward)
    faults = ward.world.client.faults
    faults.clear()
    ward.world.line.rest()
    if boundary is None:
        return ward, 0
    if boundary:
        faults.crash_at(boundary)
    with contextlib.suppress(Crash, StoreUnavailable):
        _again(ward, by)
    reached = faults.boundaries
    faults.clear()
    return ward, reached


def pairs_of_a_remedy(scenario: remedies.Scenario, by: str, most: int | None = None) -> Iterator[tuple[str, list[str]]]:
    """Each death with each death of whoever goes on, what cannot be told apart once; or so many of them, the same every
    time.
    """
    every = list(remedies.deaths(scenario))
    chosen = random.Random(f"remedies twice {scenario.name} {by}")
    begun: set[str] = set()
    ended: set[str] = set()
    for name, kill in every if most is None else chosen.sample(every, min(most, len(every))):
        if (state := remedied_twice(scenario, kill, by, None)[0].world.state()) in begun:
            continue
        begun.add(state)
        reached = remedied_twice(scenario, kill, by, 0)[1]
        places = range(1, reached + 1)
        for boundary in places if most is None else chosen.sample(places, min(1, reached)):
            ward, _ = remedied_twice(scenario, kill, by, boundary)
            if (state := ward.world.state()) not in ended:
                ended.add(state)
                ward.rounds(5)
                yield f"{name}; {by} dies at {boundary}", remedies.wrong_with(scenario, ward, Counter())


GOES_ON = ("the sweeper", "the next run")


@pytest.mark.parametrize("by", GOES_ON)
@pytest.mark.parametrize("scenario", remedies.SCENARIOS, ids=lambda each: each.name)
def test_a_remedy_dies_twice_and_comes_to_the_same_end(scenario: remedies.Scenario, by: str) -> None:
    all_hold(pairs_of_a_remedy(scenario, by, 2))


@pytest.mark.slow
@pytest.mark.parametrize("by", GOES_ON)
@pytest.mark.parametrize("scenario", remedies.SCENARIOS, ids=lambda each: each.name)
def test_every_pair_of_deaths_of_a_remedy(scenario: remedies.Scenario, by: str) -> None:
    assert all_hold(pairs_of_a_remedy(scenario, by)) > 0
