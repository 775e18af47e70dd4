"""A death or a fault at every boundary of the store and of the calendar, in check and book; afterwards all must hold.

No sweeper runs here: what is left open stays open, and that is what keeps its time from being sold twice.
"""

from __future__ import annotations

import pytest

from tests.application.battery import SCENARIOS, play, troubles

AGAIN = (None, 1.0, 200.0)


@pytest.mark.parametrize("name", SCENARIOS)
def test_nothing_breaks_when_nothing_goes_wrong(name: str) -> None:
    run = play(SCENARIOS[name])
    assert run.breaches == []


@pytest.mark.parametrize("name", SCENARIOS)
def test_whatever_breaks_off_the_invariants_hold(name: str) -> None:
    runs = 0
    broken: dict[str, list[str]] = {}
    for trouble in troubles(SCENARIOS[name]):
        for again in AGAIN if trouble.kills or trouble.lasting else (1.0,):
            run = play(SCENARIOS[name], trouble, again_after=again)
            runs += 1
            if run.breaches:
                broken[f"{trouble}, again after {again}"] = run.breaches[:3]
    print(f"{name}: {runs} runs, {len(broken)} broken")
    assert broken == {}
    assert runs > 30
