"""Told "noch offen", exactly one text or exactly one person: a death, a fault, a second worker, a change by the salon
at every boundary, whatever the provider makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from bookend.application.ports import StoreUnavailable
from bookend.application.texting import TextEnd
from tests.support.tables.faults import Crash, Fault
from tests.support.texts import FATES, TextWorld, owing


@contextmanager
def at_request(world: TextWorld, number: int, do: Callable[[], None]) -> Iterator[None]:
    """`do` happens just before the n-th request of the worker to the table; 0: before all of them."""
    count = 0
    busy = False

    def hook(_operation: str, _parameters: Any) -> None:
        nonlocal count, busy
        if busy:
            return
        count += 1
        if count == number:
            busy = True
            do()
            busy = False

    if number == 0:
        do()
    world.client.before.append(hook)
    yield
    world.client.before.remove(hook)


def told_once(world: TextWorld, case: str) -> None:
    """The caller has had one text or somebody rings them; what is on record says which."""
    texts, people = len(world.bodies), len(world.rung())
    alerts = [each for each in world.place.all_items() if "#ALERT" in each["pk"] and each["kind"].startswith("Text")]
    assert texts <= 1, (case, world.bodies)
    assert people <= 1, case
    assert texts + people >= 1, (case, world.row())
    assert len(alerts) == people, case
    match world.state:
        case "SENT":
            assert texts == 1, case
        case "FAILED":
            assert (texts, people) == (0, 1), case
        case "UNSURE":
            assert people == 1, case
        case other:
            raise AssertionError((case, other))


SCENES: tuple[str, ...] = ("booked", "not_booked")
CHANGES = ("moves", "cancels")


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("kind", SCENES)
def test_a_death_at_every_boundary(kind: str, fate: str) -> None:
    boundary = 0
    while True:
        boundary += 1
        world = owing(kind, fate)
        world.client.faults.crash_at(boundary)
        with suppress(Crash):
            world.work()
        passed = world.client.faults.boundaries < boundary  # it came to its end before that
        world.client.faults.clear()
        world.play_on()
        told_once(world, f"{kind}, {fate}, dies at {boundary}")
        if passed:
            break
    assert boundary > 8


@pytest.mark.parametrize("fate", FATES)
def test_a_fault_of_the_table_at_every_request(fate: str) -> None:
    for fault in (Fault.LOST_ANSWER, Fault.NOT_SENT, Fault.THROTTLE, Fault.CONFLICT):
        for request in range(8):
            world = owing("booked", fate)
            writes = fault is Fault.CONFLICT
            world.client.faults.next("transact_write_items" if writes else "*", fault, skip=request)
            with suppress(Crash, StoreUnavailable):
                world.work()
            world.client.faults.clear()
            world.play_on()
            told_once(world, f"{fate}, {fault} at {request}")


@pytest.mark.parametrize("fate", FATES)
def test_a_second_worker_at_every_request(fate: str) -> None:
    for request in range(8):
        world = owing("booked", fate)

        def another(world: TextWorld = world) -> None:
            with suppress(Crash):
                world.work()

        with at_request(world, request, another), suppress(Crash):
            world.work()
        world.play_on()
        told_once(world, f"{fate}, another at {request}")


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("change", CHANGES)
def test_the_salon_changes_it_at_every_request(change: str, fate: str) -> None:
    """A text that was claimed after the change tells of it; one claimed before was true when it was claimed."""
    for request in range(8):
        world = owing("booked", fate)
        changed = False

        def salon(world: TextWorld = world) -> None:
            nonlocal changed
            world.salon_moves() if change == "moves" else world.salon_cancels()
            changed = True

        with at_request(world, request, salon), suppress(Crash):
            world.work()
        happened_before_claim = changed and request <= 4
        world.play_on()
        told_once(world, f"{change} at {request}, {fate}")
        if happened_before_claim and world.bodies:
            true = "14:00 Uhr" if change == "moves" else "nicht zustande gekommen"
            assert true in world.bodies[0], (request, world.bodies)


def test_a_claim_that_lost_is_made_anew_in_the_same_job() -> None:
    """It need not wait for the sweeper: what it says is read again."""
    world = owing("booked")
    with at_request(world, 4, world.salon_moves):
        assert world.work().end is TextEnd.SENT
    assert ["14:00 Uhr" in body for body in world.bodies] == [True]
