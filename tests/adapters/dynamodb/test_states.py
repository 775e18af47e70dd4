"""Each transaction takes an appointment from the states it may, and from no other: all of them, and nothing else, are
the legal steps of the domain.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.adoptions import DynamoAdoptions
from bookend.adapters.dynamodb.items import to_wire
from bookend.application.ports import Started
from bookend.domain.appointment import LEGAL_TRANSITIONS, AppointmentState, ChangeKind
from tests.adapters.dynamodb import test_adoptions as others
from tests.adapters.dynamodb import test_changes as callers
from tests.adapters.dynamodb.place import NOW, Place, wished

S = AppointmentState


@dataclass(frozen=True)
class Step:
    """A transaction: how the place is made ready for it, what it does, and between which states."""

    ready: Callable[[Place], object]
    do: Callable[[Place], object]
    old: frozenset[S]
    new: S


def _pending(place: Place) -> None:
    assert place.start(wished("a1", callers.SLOT)) == Started()


def _confirmed(place: Place) -> None:
    callers.stands(place)


def _compensating(place: Place) -> None:
    _pending(place)
    assert place.must_undo(place.now_is("a1"))


def _moving(place: Place) -> None:
    callers.begun(place)


def _cancelling(place: Place) -> None:
    callers.begun(place, ChangeKind.CANCEL)


def _begin(kind: ChangeKind) -> Callable[[Place], object]:
    def do(place: Place) -> object:
        now_is = place.now_is("a1")
        change = callers.to(now_is, callers.LATER) if kind is ChangeKind.MOVE else callers.cancelling()
        return callers.begin(place, now_is, change)

    return do


def _follow(place: Place) -> object:
    now_is = place.now_is("a1")
    return others.follow(place, DynamoAdoptions(place.table), now_is, others.moved(now_is, callers.LATER))


def _end(place: Place) -> object:
    later = NOW + timedelta(minutes=1)
    return others.end(place, DynamoAdoptions(place.table), place.now_is("a1"), updated_at=later)


UNDER_WAY = frozenset({S.MOVING, S.CANCELLING})
STEPS = {
    "CONFIRM": Step(_pending, lambda place: place.confirm(place.now_is("a1")), frozenset({S.PENDING}), S.CONFIRMED),
    "UNDO": Step(_pending, lambda place: place.must_undo(place.now_is("a1")), frozenset({S.PENDING}), S.COMPENSATING),
    "RELEASE": Step(
        _pending, lambda place: place.release(place.now_is("a1")), frozenset({S.PENDING, S.COMPENSATING}), S.FAILED
    ),
    "RELEASE after UNDO": Step(
        _compensating,
        lambda place: place.release(place.now_is("a1"), owes_text=True),
        frozenset({S.PENDING, S.COMPENSATING}),
        S.FAILED,
    ),
    "BEGIN a move": Step(_confirmed, _begin(ChangeKind.MOVE), frozenset({S.CONFIRMED}), S.MOVING),
    "BEGIN a cancellation": Step(_confirmed, _begin(ChangeKind.CANCEL), frozenset({S.CONFIRMED}), S.CANCELLING),
    "MOVED": Step(_moving, lambda place: callers.moved(place, place.now_is("a1")), UNDER_WAY, S.CONFIRMED),
    "CANCELLED": Step(_cancelling, lambda place: callers.cancelled(place, place.now_is("a1")), UNDER_WAY, S.CANCELLED),
    "CANCELLED by others": Step(
        _moving, lambda place: callers.cancelled(place, place.now_is("a1")), UNDER_WAY, S.CANCELLED
    ),
    "GIVEN UP a move": Step(_moving, lambda place: callers.given_up(place, place.now_is("a1")), UNDER_WAY, S.CONFIRMED),
    "GIVEN UP a cancellation": Step(
        _cancelling, lambda place: callers.given_up(place, place.now_is("a1")), UNDER_WAY, S.CONFIRMED
    ),
    "FOLLOW": Step(_confirmed, _follow, frozenset({S.CONFIRMED}), S.CONFIRMED),
    "END": Step(_confirmed, _end, frozenset({S.CONFIRMED}), S.CANCELLED),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("old", S)
def test_a_transaction_is_written_from_its_own_states_alone(place: Place, step: Step, old: S) -> None:
    step.ready(place)
    key = keys.appointment(place.tenant, "a1")
    row = place.store.client.get_item(TableName=place.name, Key=key)["Item"]
    place.store.client.put_item(TableName=place.name, Item=row | to_wire({"state": old.value}))
    was = place.snapshot()
    step.do(place)
    if old in step.old:
        assert place.there(key)["state"] == step.new.value
    else:
        assert place.snapshot() == was


def test_the_transactions_take_every_legal_step_and_no_other() -> None:
    taken = {(old, step.new) for step in STEPS.values() for old in step.old if old is not step.new}
    assert taken == {(old, new) for old, follow in LEGAL_TRANSITIONS.items() for new in follow}
