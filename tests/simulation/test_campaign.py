"""What a few hundred calls must show: every promise kept, and the rare states reached, so that it means something."""

from __future__ import annotations

import pytest

from tests.simulation.campaign import REACHED, REACHED_BY_MANY, SEEDS, Counts, campaign


def test_a_few_hundred_calls_keep_every_promise_and_reach_what_is_rare() -> None:
    together = Counts("all")
    for plan in SEEDS["ci"]:
        counts = campaign("ci", plan)
        together.saw += counts.saw
        assert counts.broken == []
        assert counts.looks > counts.bookings > 0, "safety was not looked at"
    assert together.missing(REACHED) == []


@pytest.mark.slow
def test_the_long_campaign_keeps_every_promise_and_reaches_what_is_rarest() -> None:
    """A tenth of the evidence; all of it is `python -m tests.evidence run simulation --profile long`."""
    together = Counts("all")
    for plan in SEEDS["long"]:
        counts = campaign("long", plan, processes=2, share=0.1)
        assert counts.broken == []
        together.saw += counts.saw
    assert together.missing(REACHED_BY_MANY) == []
