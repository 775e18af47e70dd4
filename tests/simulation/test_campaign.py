"""What a few hundred calls must show: every promise kept, and the rare states reached, so that it means something."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from tests.simulation.campaign import REACHED, REACHED_BY_MANY, Counts, calls, evidence, interleavings

BRUTAL, REALISTIC, DUELS = range(101, 105), range(101, 103), range(1, 101)


@cache
def campaign() -> tuple[Counts, ...]:
    """That of continuous integration: fixed seeds."""
    return (
        calls(seeds=REALISTIC, plan="realistic", calls=60),
        calls(seeds=BRUTAL, plan="brutal", calls=60),
        interleavings(seeds=DUELS),
    )


def test_every_promise_is_kept_in_every_run() -> None:
    assert [broken for counts in campaign() for broken in counts.broken] == []


def test_the_rare_states_were_reached() -> None:
    together = Counts("all")
    for counts in campaign():
        together.saw += counts.saw
    assert together.missing(REACHED) == []


def test_safety_was_looked_at_after_the_writes_and_the_numbers_are_kept(tmp_path: Path) -> None:
    kept = tmp_path / "simulation.json"
    for counts in campaign():
        assert counts.looks > counts.bookings > 0
        counts.write(kept)

    numbers = json.loads(kept.read_text(encoding="utf-8"))

    assert numbers.keys() == {"realistic", "brutal", "duel"}
    assert numbers["duel"]["runs"] == len(DUELS)
    assert numbers["brutal"]["calls"] == 60 * len(BRUTAL)


@pytest.mark.slow
def test_the_long_campaign_keeps_every_promise_and_reaches_what_is_rarest(tmp_path: Path) -> None:
    """A tenth of the evidence; all of it is `campaign.evidence`."""
    found = evidence(tmp_path / "simulation.json", share=0.1)
    together = Counts("all")
    for counts in found:
        assert counts.broken == []
        together.saw += counts.saw
    assert together.missing(REACHED_BY_MANY) == []


