"""The cases that are gone on with once are those that go on alike, and one that is broken is noticed."""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import Any

import pytest

from bookend.domain.appointment import ChangeKind
from tests.application.convergence import (
    test_changes_alone,
    test_composite_changes_alone,
    test_composites_alone,
    test_layers_alone,
)
from tests.application.convergence.matrix import all_hold, what_is_found
from tests.application.convergence.world import Layer

SOME = {
    "book": (test_layers_alone, ("lost and hidden",)),
    "book a composite": (test_composites_alone, ("lost and hidden",)),
    "move": (test_changes_alone, (ChangeKind.MOVE, "moved and lost")),
    "cancel a composite": (test_composite_changes_alone, (ChangeKind.CANCEL, "lost before")),
}


@pytest.mark.parametrize("layer", Layer, ids=lambda each: each.name.lower())
@pytest.mark.parametrize("name", SOME)
def test_what_nobody_can_tell_apart_ends_alike(name: str, layer: Layer) -> None:
    module, those = SOME[name]
    alike: dict[str, list[Any]] = defaultdict(list)
    once = (each for each in module.every_case(layer, *those) if each.again == 30.0)
    for case in itertools.islice(once, 40):
        alike[what_is_found(module.begun(case))].append(case)
    some = [each[-1:] + each[:1] for each in alike.values() if len(each) > 1][:3]
    assert some

    for one, other in some:
        ends = [module.play(each) for each in (one, other)]
        assert one.death != other.death
        assert what_is_found(ends[0]) == what_is_found(ends[1]), (one, other)


def test_a_broken_case_is_noticed_and_of_those_that_are_alike_one_is_ended() -> None:
    cases = list(itertools.islice(test_layers_alone.every_case(Layer.SWEEPER, "done well"), 40))
    ended: list[Any] = []

    def none(run: Any) -> list[str]:
        ended.append(run)
        return []

    differ = all_hold(cases, test_layers_alone.begun, test_layers_alone.HOURS, none)

    assert len(ended) == differ
    assert 1 < differ < len(cases)
    with pytest.raises(AssertionError, match="I1 it is broken"):
        all_hold(cases, test_layers_alone.begun, test_layers_alone.HOURS, lambda _run: ["I1 it is broken"])
