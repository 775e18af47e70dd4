"""Times that must fit together: who is at work is left alone for as long as that may take, and a caller may think."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bookend.application import arranging, case_changing, change_ends, parts_settling, settling, texting
from bookend.application.deadline import COMMIT_RESERVE_S, ONE_S, POST_S, READ_TURN_S, WRITE_TURN_S
from bookend.application.outcomes import Booked, Offers
from bookend.application.patience import AGAIN, SETTLE, STUCK, TURN_LEASE
from bookend.domain.availability import HOLD
from tests.support.salon import Salon

WORK = {
    "a change that is sent again": change_ends.LEASE,
    "a part that goes after another": parts_settling.LEASE,
    "a change that a person decided on": case_changing._LEASE,
    "a remedy": arranging.LEASE,
    "a text": texting.LEASE,
}


@pytest.mark.parametrize("lease", WORK.values(), ids=WORK)
def test_nobody_comes_near_while_a_piece_of_work_may_still_be_at_it(lease: timedelta) -> None:
    """Until then two would send the same request at once."""
    assert lease > timedelta(seconds=ONE_S + COMMIT_RESERVE_S)
    assert lease > timedelta(seconds=POST_S + COMMIT_RESERVE_S)
    assert lease > timedelta(seconds=texting.SEND_S + COMMIT_RESERVE_S)


def test_nobody_comes_near_while_a_turn_may_still_be_at_it() -> None:
    assert timedelta(seconds=WRITE_TURN_S + POST_S) < TURN_LEASE


def test_two_looks_are_those_of_two_tries() -> None:
    """One piece of work that looks twice has looked once; and absence is never believed at the first look."""
    assert timedelta(seconds=max(ONE_S, READ_TURN_S + WRITE_TURN_S)) < AGAIN
    assert AGAIN <= settling.JOB_AGAIN, "each time a job comes back counts as a look"
    assert TURN_LEASE + AGAIN < SETTLE
    assert SETTLE < STUCK < settling.JOB_AGAIN * (settling.MOST_JOBS + 1), "a job comes back until somebody is told"


def test_who_thinks_about_an_offer_for_a_minute_and_a_half_still_gets_it() -> None:
    """Held for no shorter time than it takes to hear three times, to think, and to say one's name."""
    salon = Salon()
    salon.open("2025-10-28")
    slow = salon.call("call_1")
    offers = slow.check("28.10.", "10:00")
    assert isinstance(offers, Offers)
    first = offers.offers[0]
    salon.clock.advance(90)
    other = salon.call("call_2", caller="+491709999999")
    assert not isinstance(other.book("28.10.", "10:00", name="Ute Neumann", staff="Fabian"), Booked)
    booked = slow.book(offer=first.id)
    assert isinstance(booked, Booked)
    assert booked.appointment.slot == first.slot
    assert timedelta(seconds=READ_TURN_S + WRITE_TURN_S) < HOLD
