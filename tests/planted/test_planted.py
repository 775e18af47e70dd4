"""A test of the tests: every planted bug is noticed by its battery, and by the check that is about it.

A naive battery of a prototype caught 3 of 10 such bugs, because a later repair hid what an earlier layer broke
(reliability 2.5).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.application.battery import compact
from tests.application.convergence import test_adopt, test_orders
from tests.planted.bug import Battery, Bug, Redundant
from tests.planted.registry import BUGS, LAYERS, REDUNDANT, noticed, unseen

BATTERIES = {each.battery.name: each.battery for each in BUGS.values()}


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> Iterator[None]:
    """What a broken run came to must not be what others are compared with."""
    yield
    test_orders._end_of.cache_clear()
    test_adopt._undisturbed.cache_clear()


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS)
def test_a_planted_bug_is_noticed(bug: Bug) -> None:
    breach = noticed(bug)
    print(breach)
    assert breach is not None


@pytest.mark.parametrize("battery", BATTERIES.values(), ids=BATTERIES)
def test_a_battery_is_silent_without_a_bug(battery: Battery) -> None:
    with battery.set_up():
        assert next(battery.breaches(), None) is None


def test_the_compact_battery_finds_nothing_in_what_we_ship() -> None:
    assert list(itertools.islice(compact(), 5)) == []


def test_each_safety_layer_is_taken_out_by_one_of_them() -> None:
    """So that without any one of them a battery that is about it fails, as is seen above."""
    assert len(LAYERS) >= 20
    assert len({bug.name for bug in LAYERS.values()}) == len(LAYERS)
    assert {bug.name for bug in LAYERS.values()} <= {*BUGS}


@pytest.mark.parametrize("redundant", REDUNDANT.values(), ids=REDUNDANT)
def test_what_another_layer_covers_is_noticed_only_without_both(redundant: Redundant) -> None:
    alone, cover, both = unseen(redundant)
    assert (alone, cover) == (None, None)
    assert both is not None


def test_there_are_enough_of_them() -> None:
    assert len(BUGS) >= 100
    assert len({each.battery.name for each in BUGS.values()}) >= 40
