"""What a use case returns: values, matched exhaustively by the door that asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum

from bookend.domain.appointment import Appointment
from bookend.domain.availability import Offer
from bookend.domain.policy import BookRefusal
from bookend.domain.tenant import Service
from bookend.domain.timeslot import Slot


class Reason(StrEnum):
    """Why a wish could not be served, where there is more to say than "taken"."""

    RACE = "race_condition"
    """It was free when it was offered."""
    NOT_FREE = "not_available"
    """It was not on offer, and looking again did not find it free."""


@dataclass(frozen=True, slots=True)
class Offers:
    """Free times, kept for this caller. `asked` is the day they wished for, `exact` whether their very time is free.

    `sure`: whether anything can be said of the times that are not among them. `window`: the wall times they wished for.
    """

    service: Service
    asked: date
    at: datetime | None
    offers: tuple[Offer, ...]
    today: date
    sure: bool = True
    window: tuple[time, time] | None = None

    @property
    def exact(self) -> bool:
        """Whether the time asked for is among them."""
        return self.at is not None and any(each.slot.start == self.at for each in self.offers)


@dataclass(frozen=True, slots=True)
class NothingFree:
    """Nothing is free from the day asked for until `until` (the last day looked at)."""

    service: Service
    asked: date
    until: date
    today: date


class Missing(StrEnum):
    """What must be asked back."""

    SERVICE = "service"
    STAFF = "staff"
    DATE = "date"
    TIME = "time"
    NAME = "name"
    EMAIL = "email"
    WHICH_OFFER = "offer"
    OWN_NAME = "own_name"
    """The name on an appointment that is to be changed, not of a new one."""
    OWN_DATE = "own_date"
    NEW_TIME = "new_time"


@dataclass(frozen=True, slots=True)
class NeedInfo:
    """A question back, with what there is to choose from.

    `unknown`: what was said is nothing of it, nor near it. `beyond` is the service that the stylist who was named, and
    whom the branch has, does not do; those who do are `known`.
    """

    missing: Missing
    known: tuple[str, ...] = ()
    unknown: bool = False
    beyond: str = ""


@dataclass(frozen=True, slots=True)
class NotATime:
    """What was said names no day or time that we understand."""


@dataclass(frozen=True, slots=True)
class PastTime:
    """The wish lies in the past; today's date helps the model that guessed the year."""

    today: date


@dataclass(frozen=True, slots=True)
class SkippedTime:
    """The clocks jump over this wall time."""

    day: date
    wall: time


@dataclass(frozen=True, slots=True)
class TwiceTime:
    """This wall time happens twice that night."""

    earlier: datetime
    later: datetime


@dataclass(frozen=True, slots=True)
class TooFarAhead:
    """Further ahead than anything is sold."""

    today: date


TimeTrouble = NotATime | PastTime | SkippedTime | TwiceTime | TooFarAhead


@dataclass(frozen=True, slots=True)
class TemporaryTrouble:
    """Nothing was done because something we need does not answer; `retry_after_s` where it is known."""

    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Booked:
    """Committed on both sides."""

    appointment: Appointment
    today: date


@dataclass(frozen=True, slots=True)
class SlotTaken:
    """Not booked; `offers` are what there is instead, kept for the caller."""

    slot: Slot
    reason: Reason
    service: Service
    offers: tuple[Offer, ...]
    today: date


class Rule(StrEnum):
    """A rule of the calendar that forbids the booking."""

    PAST = "past"
    OUT_OF_BOUNDS = "out_of_bounds"
    LIMIT = "limit"


@dataclass(frozen=True, slots=True)
class Forbidden:
    """Not booked, because a rule of the calendar says so; `offers` are what it allows."""

    rule: Rule
    slot: Slot
    service: Service
    offers: tuple[Offer, ...]
    today: date


@dataclass(frozen=True, slots=True)
class AgainstPolicy:
    """Not offered or not booked, because the salon's own rules refuse it; `offers` are what they allow.

    `asked` is the day they wished for, `at` the very time, if one was said.
    """

    refusal: BookRefusal
    asked: date
    at: datetime | None
    service: Service
    offers: tuple[Offer, ...]
    today: date


@dataclass(frozen=True, slots=True)
class NotBooked:
    """Not booked, for a reason that is ours to mend (a wrong event type, a rejected key): an operator is told."""


@dataclass(frozen=True, slots=True)
class StillOpen:
    """Neither booked nor refused yet: settled in the background, and the caller gets a message."""

    slot: Slot
    today: date


@dataclass(frozen=True, slots=True)
class HasOne:
    """This customer already has this service at this time."""

    slot: Slot
    today: date


CheckOutcome = Offers | NothingFree | AgainstPolicy | NeedInfo | TimeTrouble | TemporaryTrouble
BookOutcome = (
    Booked
    | SlotTaken
    | Forbidden
    | AgainstPolicy
    | NotBooked
    | StillOpen
    | HasOne
    | NeedInfo
    | TimeTrouble
    | TemporaryTrouble
)


@dataclass(frozen=True, slots=True)
class ServiceList:
    """What the salon offers at the caller's branch."""

    services: tuple[Service, ...]
    staff: tuple[str, ...]
