"""Which appointments a caller has: the day and time of their own, for the number that calls."""

from __future__ import annotations

from bookend.application.change_outcomes import AskAPerson, FindOutcome, Found
from bookend.application.turn import Turn
from bookend.domain.appointment import Appointment
from bookend.domain.authority import upcoming
from bookend.domain.contacts import customer_id


def find_appointments(turn: Turn) -> FindOutcome:
    """Read aloud is only when: who rings from somebody's telephone need not hear what for, or with whom."""
    if turn.call.caller is None:
        return AskAPerson()
    mine = own_appointments(turn, who_calls(turn))
    changed = tuple(each.slot for each in mine if each.amiss is not None)
    return Found(tuple(each.slot for each in mine), turn.today(), changed)


def who_calls(turn: Turn) -> str:
    """The customer behind the signed number of the call."""
    return customer_id(turn.tenant.id, caller=turn.call.caller, call=turn.call.id)


def own_appointments(turn: Turn, customer: str) -> list[Appointment]:
    """Those of a customer that are still to come, earliest first."""
    now = turn.clock.now()
    return upcoming(turn.changes.of_customer(turn.tenant.id, customer, after=now), now=now)
