"""What each class of difference means to its case."""

from __future__ import annotations

import pytest

from bookend.domain.drift import Drift
from bookend.domain.remedies import SETTLED_BY_LOOKING
from bookend.domain.reviews import LEFT_AS_IT_IS

REPAIRED_ALONE = {Drift.NONE, Drift.UNSETTLED, Drift.FOREIGN, Drift.START, Drift.END, Drift.HOST, Drift.UNVERIFIED}


@pytest.mark.parametrize("drift", sorted(set(Drift) - REPAIRED_ALONE))
def test_each_difference_for_a_person_is_over_by_looking_or_by_their_word(drift: Drift) -> None:
    """In neither, its case would never close; in both, it would close before anybody told the customer."""
    assert (drift in SETTLED_BY_LOOKING) != (drift in LEFT_AS_IT_IS)
