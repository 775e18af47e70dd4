"""What a few hundred calls must show: every promise kept, and the rare states reached, so that it means something."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.simulation.campaign import REACHED, REACHED_BY_MANY, Counts, calls, evidence, interleavings

BRUTAL, REALISTIC, DUELS = range(101, 105), range(101, 103), range(1, 101)


def test_a_few_hundred_calls_keep_every_promise_and_reach_what_is_rare() -> None:
    found = (
        calls(seeds=REALISTIC, plan="realistic", calls=60),
        calls(seeds=BRUTAL, plan="brutal", calls=60),
        interleavings(seeds=DUELS),
    )
    together = Counts("all")
    for counts in found:
        together.saw += counts.saw
        assert counts.broken == []
        assert counts.looks > counts.bookings > 0, "safety was not looked at"
    assert together.missing(REACHED) == []


def test_the_numbers_of_a_campaign_are_kept_beside_those_of_others(tmp_path: Path) -> None:
    kept = tmp_path / "simulation.json"
    interleavings(seeds=range(1, 4)).write(kept)
    one = calls(seeds=[1], plan="quiet", calls=4)
    one.write(kept)

    numbers = json.loads(kept.read_text(encoding="utf-8"))

    assert numbers.keys() == {"duel", "quiet"}
    assert (numbers["duel"]["runs"], numbers["duel"]["last_seed"]) == (3, 3)
    assert numbers["quiet"]["calls"] == 4
    assert numbers["quiet"]["saw"]["told Booked"] == one.saw["told Booked"] > 0
    assert numbers["quiet"]["broken"] == []


@pytest.mark.slow
def test_the_long_campaign_keeps_every_promise_and_reaches_what_is_rarest(tmp_path: Path) -> None:
    """A tenth of the evidence; all of it is `campaign.evidence`."""
    found = evidence(tmp_path / "simulation.json", share=0.1)
    together = Counts("all")
    for counts in found:
        assert counts.broken == []
        together.saw += counts.saw
    assert together.missing(REACHED_BY_MANY) == []
