"""Very many cases of one operation, each with everything that may come next brought to its end.

Where a turn dies at one of its reads, nobody who comes later can tell it from a death at the next one: such cases are
gone on with once. So all of them are tried in half the time.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, TypeVar

from tests.application.convergence.world import Layer, World


class Run(Protocol):
    """A case that was begun: its turn has died or ended, and nobody has come yet."""

    @property
    def case(self) -> Any: ...
    @property
    def world(self) -> World: ...
    @property
    def heard(self) -> Sequence[Any]: ...


R = TypeVar("R", bound=Run)


def what_is_found(run: Run) -> str:
    """All that what comes next depends on; how the turn died is no part of it."""
    return run.world.state(replace(run.case, death=type(run.case.death)()), run.heard)


def all_hold(
    cases: Sequence[Any],
    begun: Callable[[Any], R],
    hours: Mapping[Layer, float],
    breaches_of: Callable[[R], Sequence[str]],
) -> int:
    """How many differed, none of them broken once its layer had so many hours."""
    broken: dict[str, Sequence[str]] = {}
    ended: set[str] = set()
    for case in cases:
        run = begun(case)
        if (found := what_is_found(run)) in ended:
            continue
        ended.add(found)
        run.world.run(hours[case.layer] * 3600)
        if breaches := breaches_of(run):
            broken[str(case)] = breaches[:3]
    print(f"{len(cases)} cases, {len(ended)} that differ, {len(broken)} broken")
    assert not broken, dict(itertools.islice(broken.items(), 5))
    return len(ended)
