"""What a person may decide about a case, and why some of it is not possible now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from bookend.domain.answers import Booking
from bookend.domain.appointment import Appointment, AppointmentState
from bookend.domain.cases import Case, CaseOrigin, CaseState
from bookend.domain.drift import LIVE
from bookend.domain.timeslot import parse_instant

LEFT_AS_IT_IS = frozenset({"part", "taken_over", "refused"})
"""Differences that both sides agree on by now; what was for a person was to tell the customer."""
_ENDED = frozenset({AppointmentState.FAILED, AppointmentState.CANCELLED})


class Choice(StrEnum):
    """What a person may decide."""

    RETRY = "retry"
    """Try it anew; of a difference, look anew."""
    KEEP_OURS = "keep-ours"
    """What is here is right: Cal.com is made equal."""
    TAKE_THEIRS = "take-theirs"
    """What Cal.com shows is right: we are made equal."""
    CANCEL = "cancel"
    """It is not to be, on either side."""
    MOVE = "move"
    """It is to be at another time."""
    HISTORICAL = "historical"
    """It is over, and stays what it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A case with what was read of it just now: our appointment, Cal.com's booking, whose that is here.

    `calls` are the customer's other appointments around it, the oldest first: how the call went on.
    """

    case: Case
    appointment: Appointment | None = None
    booking: Booking | None = None
    owner: Appointment | None = None
    unread: bool = False
    calls: tuple[Appointment, ...] = ()


def refusal(  # noqa: C901, PLR0911, PLR0912 - one answer for each choice and reason
    choice: Choice, seen: Evidence, *, now: datetime, to: datetime | None = None
) -> str | None:
    """Why this cannot be decided now, in words for who decides; None: it can."""
    case, ours, theirs = seen.case, seen.appointment, seen.booking
    if case.state is CaseState.CLOSED:
        return "it is closed"
    if case.decision:
        return f"{case.decision.partition(' ')[0]} was decided, and is being carried out"
    if case.state is CaseState.OPEN:
        return "a remedy is at it: wait for the next run"
    is_import = case.origin is CaseOrigin.IMPORT
    lives = ours is not None and ours.state is AppointmentState.CONFIRMED
    if ours is not None and ours.state not in {AppointmentState.CONFIRMED, *_ENDED} and choice is not Choice.RETRY:
        return f"the appointment is {ours.state.value}: wait until that has ended"
    match choice:
        case Choice.RETRY:
            return None
        case Choice.KEEP_OURS:
            if is_import or case.why in LEFT_AS_IT_IS:
                return None
            if ours is None or theirs is None or theirs.status != LIVE:
                return "there is no booking of Cal.com's that stands against ours"
            own = theirs.uid in {each.uid for each in ours.segments}
            return "it is the appointment's own booking: change it at Cal.com, then retry" if own else None
        case Choice.TAKE_THEIRS:
            if seen.unread:
                return "Cal.com does not answer"
            if is_import and lives:
                return "it is booked on both sides: cancel or move it"
            return None
        case Choice.CANCEL:
            return None if is_import or lives else "there is no appointment of ours to cancel"
        case Choice.MOVE:
            if to is None:
                return "say where to"
            if to <= now:
                return "that time is over"
            return None if is_import or lives else "there is no appointment of ours to move"
        case Choice.HISTORICAL:
            start = ours.slot.start if ours is not None else _start(case)
            return None if start is not None and start <= now else "it has not begun yet"
        case other:
            assert_never(other)


def _start(case: Case) -> datetime | None:
    try:
        return parse_instant(case.facts.get("start", ""))
    except ValueError:
        return None
