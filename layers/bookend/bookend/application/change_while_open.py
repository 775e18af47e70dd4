"""A wish to change what nobody knows yet: that is said, and that the wish is not noted.

One change at a time: of two that are open nobody could tell which of them a message is about.
"""

from __future__ import annotations

from dataclasses import replace

from bookend.application.change_outcomes import AskedTooLongAgo, ChangeOutcome, KeptForLater, NotChanged, NotNoted
from bookend.application.change_replay import in_flight
from bookend.application.find_appointments import heard_of
from bookend.application.turn import Turn
from bookend.domain.appointment import OPEN, Appointment, Change, ChangeKind
from bookend.domain.availability import Wanted


def while_open(turn: Turn, kind: ChangeKind, appointment: Appointment, wanted: Wanted | None) -> ChangeOutcome:
    """What is said of an appointment that is being booked, moved or cancelled, when its customer wishes a change.

    The same wish again hears of itself; what is told of a change is noted first (`in_flight`).
    """
    if appointment.state in OPEN:
        return NotNoted(kind, heard_of(turn, appointment), turn.today())
    outcome = in_flight(turn, appointment)
    if _is_the_same(turn, kind, appointment.under_way, wanted):
        return outcome
    if isinstance(outcome, KeptForLater) or (isinstance(outcome, NotChanged) and outcome.open):
        return NotNoted(kind, replace(heard_of(turn, appointment), message=True), turn.today())
    return AskedTooLongAgo(kind)  # it has ended at this moment, so the wish may be said again


def _is_the_same(turn: Turn, kind: ChangeKind, change: Change, wanted: Wanted | None) -> bool:
    if kind is not change.kind:
        return False
    if kind is ChangeKind.CANCEL or wanted is None:
        return True
    goes = change.slot.start
    return wanted.at == goes or (wanted.at is None and wanted.day == goes.astimezone(turn.tenant.zone).date())
