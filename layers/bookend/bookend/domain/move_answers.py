"""What Cal.com's answer to a request to move means. A new booking comes back; whose it is says `rescheduled_from`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bookend.domain.answers import (
    Answered,
    Booking,
    CreateAnswer,
    Judgement,
    KeyRejected,
    NotSent,
    Unclear,
    Verdict,
    is_fresh,
)
from bookend.domain.failures import FailureClass, failure_of
from bookend.domain.timeslot import Slot

_VERDICTS = {
    FailureClass.TEMPORARY: Verdict.UNKNOWN,
    FailureClass.SLOT_TAKEN: Verdict.REJECT,
    FailureClass.POLICY: Verdict.REFUSED,
    FailureClass.ERROR: Verdict.REFUSED,
    FailureClass.NOT_FOUND: Verdict.NOT_FOUND,
}


@dataclass(frozen=True, slots=True)
class ExpectedMove:
    """What the new booking must look like. `sent_at` None: it may have been made at any time."""

    old_uid: str
    slot: Slot
    event_type: int
    host: int
    email: str
    sent_at: datetime | None


def judge_move(answer: CreateAnswer, expected: ExpectedMove, *, now: datetime, after_unknown: bool) -> Judgement:
    """Class an answer to "move a booking".

    `after_unknown`: an earlier try may have moved it. Then a refusal proves nothing: the booking it made may be what is
    in the way, and the one that is asked for may be cancelled (calcom-observed 2, 29h).
    """
    if isinstance(answer, Answered):
        return judge_moved(answer.booking, expected, now=now)
    if after_unknown and not isinstance(answer, Unclear):
        return Judgement(Verdict.UNKNOWN, "refused after an unknown outcome of the same operation")
    if isinstance(answer, NotSent):
        return Judgement(Verdict.NOT_SENT, "not sent")
    if isinstance(answer, KeyRejected):
        return Judgement(Verdict.CONFIG, "key rejected")
    failure = failure_of(answer)
    why = {Verdict.UNKNOWN: "no clear answer", Verdict.NOT_FOUND: "not there"}.get(_VERDICTS[failure], failure.value)
    return Judgement(_VERDICTS[failure], why)


def judge_moved(booking: Booking, expected: ExpectedMove, *, now: datetime) -> Judgement:
    """Class a booking that is said, or found, to be where it was moved to."""
    if booking.rescheduled_from != expected.old_uid:
        return Judgement(Verdict.EXISTING, "it was not moved from ours")
    checks = [
        ("status", booking.status == "accepted"),
        ("start", booking.start == expected.slot.start),
        ("end", booking.end == expected.slot.end),
        ("event type", booking.event_type == expected.event_type),
        ("host", booking.host == expected.host),
        ("attendee", expected.email in booking.attendees),
        ("freshness", expected.sent_at is None or is_fresh(booking, sent_at=expected.sent_at, now=now)),
    ]
    differences = [name for name, same in checks if not same]
    if differences:
        return Judgement(Verdict.WRONG, "differs in " + ", ".join(differences))
    return Judgement(Verdict.OK, "ours, as asked")
