"""What became of a difference between both sides."""

from __future__ import annotations

from enum import StrEnum


class Converged(StrEnum):
    """What was done."""

    EQUAL = "equal"
    SETTLED = "settled"
    ADOPTED = "adopted"
    FOLLOWED = "followed"
    WHOLE_FOLLOWED = "whole_followed"
    """The other parts of a composite have gone after the one that others moved."""
    ENDED = "ended"
    PART_ENDED = "part_ended"
    ORPHAN_CANCELLED = "orphan_cancelled"
    ORPHAN_KEPT = "orphan_kept"
    """Cal.com will not cancel it: it stands there and in our ledger, and is before a person."""
    FLAGGED = "flagged"
    LATER = "later"
