"""What the machine found, alone and in few words."""

from __future__ import annotations

from datetime import timedelta

from bookend.application.outcomes import HasOne
from tests.application.changes import ELEVEN, MOVE, TEN, TUESDAY, question, salon_with_one, yes
from tests.support.invariants import look_at
from tests.support.salon import Salon


def moved_to_eleven() -> Salon:
    """Booked with Fabian at ten in one call, and moved in another."""
    salon = salon_with_one()
    phone = salon.call("call_mover")
    yes(phone, MOVE, question(phone, MOVE).token)
    salon.clock.advance(timedelta(minutes=5).total_seconds())
    (appointment,) = look_at(salon).appointments.values()
    assert appointment.slot.start == ELEVEN
    return salon


def test_who_wishes_again_what_was_moved_since_hears_where_it_stands() -> None:
    """With another stylist, in the call that booked it: nothing is booked at ten any more, and nobody says so."""
    salon = moved_to_eleven()
    phone = salon.call("call_0")
    outcome = phone.book(TUESDAY, "10:00", staff="Emma")
    assert isinstance(outcome, HasOne), outcome
    assert outcome.slot.start == ELEVEN
    reply = phone.said(outcome)
    assert (reply["status"], "11 Uhr" in str(reply["message"]), "10 Uhr" in str(reply["message"])) == (
        "already_booked",
        True,
        False,
    )
    assert TEN not in {each.start for each in salon.calendar.accepted()}
