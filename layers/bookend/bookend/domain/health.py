"""How well both sides agree: what is counted as appointments change, and what the numbers mean."""

from __future__ import annotations

from collections.abc import Mapping

from bookend.domain.appointment import Appointment


def tallied(before: Appointment | None, after: Appointment | None) -> Mapping[str, int]:
    """What one change of an appointment adds to the counters of its hour; nothing where it says nothing of health."""
    del before, after
    return {}
