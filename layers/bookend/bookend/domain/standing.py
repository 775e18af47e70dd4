"""What of a customer's appointment is not known yet, and whether a message will tell how it ends."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from bookend.domain.appointment import OPEN, Appointment, ChangeKind, Told


class OpenPoint(StrEnum):
    """What nobody knows yet of an appointment."""

    BOOKING = "booking"
    """Whether there is one at all."""
    MOVE = "move"
    CANCEL = "cancel"


def open_point(appointment: Appointment) -> OpenPoint | None:
    """What is open about it; None: it is as it is on record."""
    if appointment.state in OPEN:
        return OpenPoint.BOOKING
    if appointment.change is None:
        return None
    return OpenPoint.MOVE if appointment.change.kind is ChangeKind.MOVE else OpenPoint.CANCEL


def message_follows(appointment: Appointment, *, now: datetime) -> bool:
    """Whether its customer gets a message of how what is open ends.

    Who was told that it is open is owed one. So is who was told nothing, since they may have heard it; but while a turn
    is still at work on it, that turn's own words may be all there will be. How that ends which
    nobody wished, no message tells.
    """
    change = appointment.change
    told = appointment.told if change is None else change.told
    if told is Told.PENDING:
        return True
    at_work = appointment.lease is not None and appointment.lease > now
    wished = change is None or change.follows is None
    return told is Told.NOTHING and wished and not at_work
