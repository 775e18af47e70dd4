"""Bugs that the simulation found, each with the shortest story of its seed."""

from __future__ import annotations

from tests.simulation.plan import plan_of
from tests.simulation.shrink import SYSTEM
from tests.simulation.world import Played, play


def test_of_two_live_bookings_after_two_moves_a_person_hears_whichever_was_seen_first() -> None:
    """Two move one booking at the same moment, and Cal.com makes two of it. Ours follows the younger one; the elder was
    taken for an old state of it, in each look, for ever: it blocked no time, and nobody heard of it.
    """
    played = two_moves_at_once()

    assert played.saw["two live bookings after two moves"] == 1
    assert played.breaches == []


def two_moves_at_once() -> Played:
    return play(30, plan_of("duel", 3), only=["call-2", "salon-1", *SYSTEM], just=["salon-1#1:rival"])
