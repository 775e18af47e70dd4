"""What finding, moving and cancelling return: values, matched exhaustively by the door that asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time

from bookend.application.outcomes import NeedInfo, TimeTrouble
from bookend.domain.appointment import ChangeKind
from bookend.domain.availability import Offer
from bookend.domain.failures import FailureClass
from bookend.domain.policy import CancelTooLate, MoveRefusal
from bookend.domain.standing import OpenPoint
from bookend.domain.timeslot import Slot


@dataclass(frozen=True, slots=True)
class Own:
    """One appointment of the caller's: when, and for which service (its id; empty: none of ours).

    `open` is what nobody knows yet of it, and `message` whether a message will tell. `changed`: it is no longer the
    whole that was booked, since others changed a part.
    """

    slot: Slot
    service: str
    open: OpenPoint | None = None
    message: bool = False
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """The caller's own appointments that are still to come, earliest first."""

    own: tuple[Own, ...]
    today: date

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Where those stand that surely were booked."""
        return tuple(each.slot for each in self.own if each.open is not OpenPoint.BOOKING)


@dataclass(frozen=True, slots=True)
class NotIdentified:
    """No appointment of this caller's is what was named. Not told apart from one that does not exist."""


@dataclass(frozen=True, slots=True)
class NotTheLastQuestion:
    """A yes to a question of this call that does not count any more, since something else was asked after it."""


@dataclass(frozen=True, slots=True)
class NotNoted:
    """Something is open about the appointment, and until that is known nothing else can be done with it.

    What was wished now is not done, nor written down for later.
    """

    wished: ChangeKind
    about: Own
    today: date


@dataclass(frozen=True, slots=True)
class AskAPerson:
    """This cannot be done by phone, for this caller or this appointment: somebody rings back."""


@dataclass(frozen=True, slots=True)
class WhichOne:
    """Several fit what was named: a question back, never a guess."""

    slots: tuple[Slot, ...]
    today: date


@dataclass(frozen=True, slots=True)
class NewTimes:
    """Where the appointment could go on the day that was named; kept for the caller. `window`: as they wished."""

    asked: date
    offers: tuple[Offer, ...]
    today: date
    window: tuple[time, time] | None = None


@dataclass(frozen=True, slots=True)
class Confirm:
    """The caller must say yes first. `new`: where it would go, a composite with these `parts`; None: cancelled.

    `service` is the id of what it is for; empty: none of ours.
    """

    kind: ChangeKind
    token: str
    current: Slot
    new: Slot | None
    today: date
    parts: tuple[Slot, ...] = ()
    service: str = ""


@dataclass(frozen=True, slots=True)
class AskedTooLongAgo:
    """The question is too old, or the appointment has changed since: it must be asked anew."""

    kind: ChangeKind


@dataclass(frozen=True, slots=True)
class AlreadyThere:
    """It stands where it is wanted."""

    slot: Slot
    today: date


@dataclass(frozen=True, slots=True)
class HasOneThere:
    """The customer has another appointment for the same service at that time."""

    slot: Slot
    today: date


@dataclass(frozen=True, slots=True)
class Moved:
    """Committed on both sides."""

    new: Slot
    staff: str
    today: date


@dataclass(frozen=True, slots=True)
class CancelledNow:
    """Gone on both sides."""

    slot: Slot
    today: date


@dataclass(frozen=True, slots=True, kw_only=True)
class NotChanged:
    """It was not moved or cancelled, or (`open`) nobody knows yet, and the caller gets a message.

    `failure` is the class. `current` is where it stands, `token` what the caller can say yes to so that it is done when
    Cal.com is back (None: that cannot be). `refusal` names the salon's rule, `offers` are what there is instead.
    """

    kind: ChangeKind
    failure: FailureClass
    today: date
    current: Slot | None = None
    open: bool = False
    retry_after_s: float | None = None
    token: str | None = None
    refusal: MoveRefusal | CancelTooLate | None = None
    wanted: Slot | None = None
    offers: tuple[Offer, ...] = ()


@dataclass(frozen=True, slots=True)
class KeptForLater:
    """It is done as soon as Cal.com is back, until this instant at the latest; a message tells either way.

    `current` is where it stands until then; None: it may have been done already.
    """

    kind: ChangeKind
    current: Slot | None
    until: datetime
    today: date


FindOutcome = Found | AskAPerson
ChangeOutcome = (
    NotIdentified
    | NotTheLastQuestion
    | NotNoted
    | AskAPerson
    | WhichOne
    | NewTimes
    | Confirm
    | AskedTooLongAgo
    | AlreadyThere
    | HasOneThere
    | Moved
    | CancelledNow
    | NotChanged
    | KeptForLater
    | NeedInfo
    | TimeTrouble
)
