"""Every planted bug is noticed by its battery, and by the check that is about it.

A naive battery of a prototype caught 3 of 10, because a later repair hid what an earlier layer broke.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.application.convergence import test_adopt, test_orders
from tests.planted.bug import Battery, Bug, Patch
from tests.planted.registry import BUGS

BATTERIES = {each.battery.name: each.battery for each in BUGS.values()}


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> Iterator[None]:
    """What a broken run came to must not be what others are compared with."""
    yield
    test_orders._end_of.cache_clear()
    test_adopt._undisturbed.cache_clear()


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS)
def test_a_planted_bug_is_noticed(bug: Bug, monkeypatch: Patch) -> None:
    with bug.battery.set_up():
        bug.plant(monkeypatch)
        noticed = bug.noticed()
    print(noticed)
    assert noticed is not None


@pytest.mark.parametrize("battery", BATTERIES.values(), ids=BATTERIES)
def test_a_battery_is_silent_without_a_bug(battery: Battery) -> None:
    with battery.set_up():
        assert next(battery.breaches(), None) is None
