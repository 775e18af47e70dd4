"""What Cal.com's answer to a request to book means: the one classifier (design 5).

The adapter says what came back (`CreateAnswer`); `judge` decides what that means for us. A success of HTTP is not yet
a success of ours: Cal.com may return somebody else's booking as new (incident I1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from bookend.domain.timeslot import Slot

_WRITTEN_BY_US = frozenset({"segment", "appointment"})
FRESH = timedelta(seconds=30)
"""A booking made for our request was created at most this long before or after it (incident I1, Must hold)."""


@dataclass(frozen=True, slots=True)
class Booking:
    """A booking as Cal.com shows it. `host` is None where it names none ("unknown"); `event_type` None once deleted."""

    uid: str
    id: int
    status: str
    start: datetime
    end: datetime
    created_at: datetime | None
    updated_at: datetime | None
    host: int | None
    event_type: int | None
    attendees: tuple[str, ...]
    metadata: Mapping[str, str] = field(default_factory=dict)
    rescheduled_from: str | None = None
    rescheduled_to: str | None = None
    attendee_name: str | None = None
    attendee_phone: str | None = None
    called_off: bool = False
    """Cancelled with a reason, or by somebody it names: a move leaves neither on the booking it cancels."""


class Refusal(StrEnum):
    """Why Cal.com will not book, where it says so in a way that can be told apart."""

    HOST_BUSY = "host_busy"
    """Busy, conflicting or closed: one text for all three (calcom-observed 3)."""
    CONFLICT = "conflict"
    """Its database or it lost a race for exactly this host, start and end."""
    PAST = "past"
    OUT_OF_BOUNDS = "out_of_bounds"
    """Too soon, or further ahead than is sold."""
    LIMIT = "limit"
    """A booking limit of the event type or of the attendee."""
    GONE = "gone"
    """The booking that was to be moved is cancelled, or was moved already."""
    NOT_ALLOWED = "not_allowed"
    """A rule of the calendar forbids this booking to be moved or cancelled: too late, ended, or never."""
    INVALID = "invalid"
    """Something we sent; the whole answer is kept for the operator."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A 2xx with a booking in it."""

    booking: Booking


@dataclass(frozen=True, slots=True)
class Refused:
    """A definite no. `detail` is Cal.com's whole answer, for operators' eyes."""

    why: Refusal
    detail: str


@dataclass(frozen=True, slots=True)
class Unclear:
    """It may have happened: a time-out after sending, a 5xx, HTML from the edge, a 2xx without a booking.

    `answered`: Cal.com is well and has answered; only what it says of this one booking or list cannot be used.
    """

    detail: str
    answered: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class NotSent:
    """It cannot have happened: no connection, or rate limited. `retry_after_s` where the answer says so.

    `unreachable`: there is no way to Cal.com. Otherwise it was a reason of ours: no time left, no key.
    """

    detail: str
    retry_after_s: float | None = None
    unreachable: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class KeyRejected:
    """Our key or its rights: nothing happened, and nothing will until an operator acts."""

    detail: str


@dataclass(frozen=True, slots=True)
class NotThere:
    """The event type or booking does not exist."""

    detail: str


CreateAnswer = Answered | Refused | Unclear | NotSent | KeyRejected | NotThere


def detail(answer: CreateAnswer) -> str:
    """An answer as it is kept for operators; of a booking, only which one it was."""
    return f"booking {answer.booking.uid}" if isinstance(answer, Answered) else answer.detail


@dataclass(frozen=True, slots=True)
class Expected:
    """What a booking must look like to be ours. `sent_at` is the instant before the request left."""

    op: str
    appointment: str
    segment: int
    slot: Slot
    event_type: int
    host: int
    email: str
    sent_at: datetime


class Verdict(StrEnum):
    """What follows from an answer."""

    OK = "ok"
    """Ours, as asked: confirm."""
    WRONG = "wrong"
    """Ours, but not as asked: undo at Cal.com, never say "booked"."""
    EXISTING = "existing"
    """Somebody else's booking: release, alternatives, alert."""
    UNKNOWN = "unknown"
    """Stay pending and say so."""
    REJECT = "reject"
    """Taken: release and offer what else there is."""
    REFUSED = "refused"
    """Cal.com's rules forbid it: release, say why."""
    NOT_SENT = "not_sent"
    CONFIG = "config"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict and, for operators, what it rests on: our words, never Cal.com's."""

    verdict: Verdict
    why: str


def judge(answer: CreateAnswer, expected: Expected, *, now: datetime) -> Judgement:
    """Class the answer to the one "create a booking" of an operation that may have left.

    None is sent after an unclear one: a refusal would then prove nothing, since our own first try may be in the way.
    """
    match answer:
        case Answered(booking):
            return _judge_booking(booking, expected, now)
        case Refused(why, _):
            taken = why in {Refusal.HOST_BUSY, Refusal.CONFLICT}
            return Judgement(Verdict.REJECT if taken else Verdict.REFUSED, why.value)
        case Unclear():  # its detail may be a whole answer with people in it, and this is logged
            return Judgement(Verdict.UNKNOWN, "no clear answer")
        case NotSent():
            return Judgement(Verdict.NOT_SENT, "not sent")
        case KeyRejected():
            return Judgement(Verdict.CONFIG, "key rejected")
        case NotThere():
            return Judgement(Verdict.NOT_FOUND, "not there")
        case _:
            assert_never(answer)


def _judge_booking(booking: Booking, expected: Expected, now: datetime) -> Judgement:
    differences = [name for name, same in _checks(booking, expected, now) if not same]
    if "op_id" not in booking.metadata and not {*differences} - _WRITTEN_BY_US:
        # Made just now, for our customer, as asked, and what we wrote into it is lost: nobody would find it again.
        return Judgement(Verdict.WRONG, "differs in metadata")
    if booking.metadata.get("op_id") != expected.op:
        return Judgement(Verdict.EXISTING, "its op_id is not ours")
    if differences:
        return Judgement(Verdict.WRONG, "differs in " + ", ".join(differences))
    return Judgement(Verdict.OK, "ours, as asked")


def _checks(booking: Booking, expected: Expected, now: datetime) -> list[tuple[str, bool]]:
    return [
        ("segment", booking.metadata.get("segment") == str(expected.segment)),
        ("appointment", booking.metadata.get("appointment") == expected.appointment),
        ("status", booking.status == "accepted"),
        ("start", booking.start == expected.slot.start),
        ("end", booking.end == expected.slot.end),
        ("event type", booking.event_type == expected.event_type),
        ("host", booking.host == expected.host),
        ("attendee", expected.email in booking.attendees),
        ("freshness", is_fresh(booking, sent_at=expected.sent_at, now=now)),
    ]


def is_fresh(booking: Booking, *, sent_at: datetime, now: datetime) -> bool:
    """Whether the booking was created for a request that left at `sent_at` and was answered by `now`."""
    created = booking.created_at
    return created is not None and sent_at - FRESH <= created <= now + FRESH


def booking_metadata(*, op: str, appointment: str, segment: int, call: str) -> dict[str, str]:
    """What every booking of ours carries: strings only, no person's data (calcom-observed 3)."""
    return {"op_id": op, "appointment": appointment, "segment": str(segment), "call_id": call}
