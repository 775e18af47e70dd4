"""What Cal.com's answer to a request to move means, and where an appointment stands of which not every part went.

A new booking comes back; whose it is says `rescheduled_from`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from bookend.domain.appointment import Appointment, BookedSegment
from bookend.domain.drift import DEAD
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


def as_it_stands(appointment: Appointment, seen: Mapping[int, Booking]) -> tuple[BookedSegment, ...]:
    """The parts of an appointment that is being changed, by what was `seen` of them at Cal.com.

    A part is where it was, perhaps under another uid, or where the change was to take it; one that is cancelled there
    is none any more. What was not seen, or stands at a third place, stays as it is on record: what others made of it
    is followed like any such change.
    """
    targets = {each.index: each for each in appointment.under_way.segments}
    several = len(appointment.segments) > 1
    found = []
    for own in appointment.segments:
        booking = seen.get(own.index)
        if booking is not None and booking.status in DEAD:
            continue
        place = own
        if booking is not None and booking.uid != own.uid:
            there = targets.get(own.index)
            known = next((e for e in (there, own) if e is not None and e.slot.start == booking.start), None)
            if known is not None:
                place = with_booking(known, booking, several=several)
        found.append(place)
    return tuple(found)


def with_booking(segment: BookedSegment, booking: Booking, *, several: bool) -> BookedSegment:
    """The segment with its booking; how new a state is, is known part by part where there are `several`."""
    updated = booking.updated_at if several else None
    return replace(segment, uid=booking.uid, booking_id=booking.id, updated_at=updated)
