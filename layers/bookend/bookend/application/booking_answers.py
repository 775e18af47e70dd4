"""What a caller is told when it is not a plain "booked": refusals with alternatives, and the same wish again."""

from __future__ import annotations

from datetime import timedelta
from typing import assert_never

from bookend.application.booking_goal import Goal
from bookend.application.deadline import COMMIT_RESERVE_S, LEAST_FOR_ALTERNATIVES_S
from bookend.application.offering import Free, keep
from bookend.application.outcomes import (
    AgainstPolicy,
    Booked,
    BookOutcome,
    Forbidden,
    HasOne,
    NotBooked,
    Reason,
    Rule,
    SlotTaken,
    StillOpen,
    TemporaryTrouble,
)
from bookend.application.ports import StoreUnavailable
from bookend.application.salon_rules import against_policy, find_bookable
from bookend.application.settling import EXISTING
from bookend.application.turn import Turn
from bookend.domain.appointment import OPEN, Appointment, AppointmentState, Told
from bookend.domain.availability import Offer
from bookend.domain.contacts import may_be_one_person
from bookend.domain.policy import BookRefusal, TimeRefusal

TAKEN = "taken"
NOT_SENT = "not_sent"
_ASKED_AGAIN = "asked_again"
_PAUSE_S = 0.2
_SAME_ANSWER = timedelta(seconds=60)
"""A refusal is repeated to the same wish for this long, unless the time was offered anew meanwhile."""


def refused(turn: Turn, goal: Goal, why: str, *, retry_after_s: float | None = None) -> BookOutcome:
    """The outcome of a failed appointment, by the reason it is on record with."""
    if why in {TAKEN, EXISTING}:
        return taken(turn, goal, raced=goal.offer is not None)
    if why in set(Rule):
        return Forbidden(Rule(why), goal.slot, goal.service, alternatives(turn, goal), turn.today())
    if why == NOT_SENT:
        return TemporaryTrouble(retry_after_s)
    return NotBooked()


def taken(turn: Turn, goal: Goal, *, raced: bool) -> SlotTaken:
    """It is gone, and what there is instead. `raced`: it was offered, and somebody else has booked it since."""
    reason = Reason.RACE if raced else Reason.NOT_FREE
    return SlotTaken(goal.slot, reason, goal.service, alternatives(turn, goal), turn.today())


def not_allowed(turn: Turn, goal: Goal, refusal: BookRefusal) -> AgainstPolicy:
    """The salon's rules forbid it, and what they allow instead where another time helps."""
    offers = alternatives(turn, goal) if isinstance(refusal, TimeRefusal) else ()
    return against_policy(turn, goal.service, goal.wanted(turn), refusal, offers)


def alternatives(turn: Turn, goal: Goal) -> tuple[Offer, ...]:
    """What there is instead, kept for the caller; nothing where there is no time left to look or to keep."""
    if turn.deadline.remaining() < LEAST_FOR_ALTERNATIVES_S:
        return ()
    wanted = goal.wanted(turn)
    try:
        free = find_bookable(turn, goal.service, goal.stylists, wanted, fresh=True)
        if not isinstance(free, Free):
            return ()
        return keep(turn, goal.service, free, wanted, without=frozenset({goal.slot.start}))
    except StoreUnavailable:
        return ()  # the refusal is on record; only the alternatives are missing from its answer


def replay(turn: Turn, goal: Goal, appointment_id: str) -> BookOutcome | None:
    """What the equal wish led to: waited for while it is in flight. None: it failed and may be tried anew."""
    appointment = _settled(turn, appointment_id)
    if appointment is None:
        return TemporaryTrouble()
    match appointment.state:
        case AppointmentState.CONFIRMED | AppointmentState.MOVING | AppointmentState.CANCELLING:
            other_stylist = appointment.staff not in goal.stylists
            if other_stylist or not may_be_one_person(appointment.customer.name, goal.who.name):
                # A second person's wish: "booked" would be another's booking. It may have been moved since.
                return HasOne(appointment.slot, turn.today())
            return Booked(appointment, turn.today())
        case AppointmentState.PENDING | AppointmentState.COMPENSATING:
            return _still_open(turn, goal, appointment)
        case AppointmentState.CANCELLED:
            return None
        case AppointmentState.FAILED:
            offered_since = goal.offer is not None and goal.offer.offered_at > appointment.created_at
            same = appointment.staff in goal.stylists  # what one stylist refused says nothing of another
            recent = same and turn.clock.now() - appointment.created_at < _SAME_ANSWER
            return refused(turn, goal, appointment.why or "") if recent and not offered_since else None
        case other:
            assert_never(other)


def has_one(turn: Turn, goal: Goal, other: str) -> BookOutcome:
    """The customer's own earlier wish: the same call gets its answer again, another call is told of it."""
    appointment = _settled(turn, other)
    if appointment is not None and appointment.call == turn.call.id:
        answer = replay(turn, goal, other)
        return answer if answer is not None else TemporaryTrouble()
    if appointment is None or appointment.state in {AppointmentState.FAILED, AppointmentState.CANCELLED}:
        return TemporaryTrouble()  # it ended while we waited, and its guard with it: the wish may be tried again
    if appointment.state in {AppointmentState.PENDING, AppointmentState.COMPENSATING}:
        return _still_open(turn, goal, appointment) or TemporaryTrouble()
    return HasOne(goal.slot, turn.today())


def _still_open(turn: Turn, goal: Goal, appointment: Appointment) -> BookOutcome | None:
    """What is told is noted before it is said: whoever settles the operation owes the caller a message then."""
    untold = appointment.state in OPEN and appointment.told is not Told.PENDING
    if untold and not turn.appointments.leave_open(
        turn.tenant.id, appointment, why=_ASKED_AGAIN, answer="", alert=None, now=turn.clock.now()
    ):
        return replay(turn, goal, appointment.id)  # settled at this very moment
    return StillOpen(appointment.slot, turn.today())


def _settled(turn: Turn, appointment_id: str) -> Appointment | None:
    """The appointment once it is no longer in flight, or as it is when the turn's time is nearly up."""
    while True:
        appointment = turn.appointments.appointment(turn.tenant.id, appointment_id)
        if appointment is None or appointment.state is not AppointmentState.PENDING:
            return appointment
        if appointment.told is Told.PENDING or turn.deadline.remaining() < COMMIT_RESERVE_S:
            return appointment
        turn.clock.sleep(_PAUSE_S)
