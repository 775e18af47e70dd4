"""Which appointments a caller has, for the number that calls, and what is not known of them yet."""

from __future__ import annotations

from bookend.application.change_outcomes import AskAPerson, FindOutcome, Found, Own
from bookend.application.turn import Turn
from bookend.domain.appointment import Appointment
from bookend.domain.authority import upcoming
from bookend.domain.contacts import customer_id
from bookend.domain.standing import message_follows, open_point


def find_appointments(turn: Turn) -> FindOutcome:
    """Those to come, also where the booking is still open: whoever heard nothing of it would book another one."""
    if turn.call.caller is None:
        return AskAPerson()
    mine = own_appointments(turn, who_calls(turn))
    return Found(tuple(heard_of(turn, each) for each in mine), turn.today())


def heard_of(turn: Turn, appointment: Appointment) -> Own:
    """What its customer may hear of it."""
    return Own(
        appointment.slot,
        appointment.service,
        open=open_point(appointment),
        message=message_follows(appointment, now=turn.clock.now()),
        changed=appointment.amiss is not None,
    )


def who_calls(turn: Turn) -> str:
    """The customer behind the signed number of the call."""
    return customer_id(turn.tenant.id, caller=turn.call.caller, call=turn.call.id)


def own_appointments(turn: Turn, customer: str) -> list[Appointment]:
    """Those of a customer that are still to come, earliest first."""
    now = turn.clock.now()
    return upcoming(turn.changes.of_customer(turn.tenant.id, customer, after=now), now=now)
