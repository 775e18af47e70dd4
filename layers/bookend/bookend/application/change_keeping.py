"""Wishes that are kept for later: until when, and what is written down before it is promised (decision 0023)."""

from __future__ import annotations

from datetime import datetime, timedelta

from bookend.application.change_outcomes import KeptForLater
from bookend.application.turn import Turn
from bookend.domain.appointment import Appointment, ChangeKind
from bookend.domain.policy import policy_of

KEEP = timedelta(hours=2)
"""How long a wish that could not be fulfilled is kept, if its caller agrees."""
_TRY_AGAIN = timedelta(seconds=60)


def may_keep_until(turn: Turn, appointment: Appointment, kind: ChangeKind) -> datetime | None:
    """Until when a wish for this appointment can be kept; None: the salon's window closes before it could be tried."""
    policy = policy_of(turn.tenant, service=appointment.service, staff=appointment.staff)
    window = policy.move_until if kind is ChangeKind.MOVE else policy.cancel_until
    until = min(turn.clock.now() + KEEP, appointment.slot.start - window)
    return until if until > turn.clock.now() + _TRY_AGAIN else None


def keep_for_later(
    turn: Turn, appointment: Appointment, *, until: datetime, answer: str = "", unsent: bool = False
) -> KeptForLater | None:
    """Noted, before it is promised, that it is tried until then and that a message is owed; None: it ended meanwhile.

    `unsent`: nothing of it ever left.
    """
    noted = turn.changes.leave_open(
        turn.tenant.id,
        appointment,
        due=turn.clock.now() + _TRY_AGAIN,
        keep_until=until,
        answer=answer,
        alert=None,
        unsent=unsent,
        now=turn.clock.now(),
    )
    if not noted:
        return None
    turn.look_soon(appointment)
    return kept(turn, appointment, until, unsent=unsent)


def kept(turn: Turn, appointment: Appointment, until: datetime, *, unsent: bool = False) -> KeptForLater:
    """Where it stands is said only of what surely was not sent: of the rest nobody knows."""
    change = appointment.under_way
    stands = unsent or change.sent_at is None
    return KeptForLater(change.kind, appointment.slot if stands else None, until, turn.today())
