"""What is done about a case: one remedy for each class of failure, decided from what was just read.

Nothing here is believed of a list: what is decided on was read by its own name, here and at Cal.com. Nothing is called
booked unless its bookings were read there and are those of a confirmed appointment here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from bookend.domain.answers import (
    Answered,
    Booking,
    CreateAnswer,
    KeyRejected,
    NotSent,
    NotThere,
    Refusal,
    Refused,
    Unclear,
)
from bookend.domain.appointment import Appointment, AppointmentState
from bookend.domain.case_wishes import Unfit, Wanted, read_wanted, same_person, same_wish
from bookend.domain.cases import Case, CaseOrigin, CaseState, Ending, SyncFailure
from bookend.domain.drift import DEAD, LIVE, Drift, agree
from bookend.domain.failure_classes import failure_from
from bookend.domain.tenant import Tenant

FIRST_PAUSE = timedelta(minutes=5)
LONGEST_PAUSE = timedelta(hours=12)
MOST_TRIES = 8
"""Then a person decides. The pauses double, so that this is the better part of a day."""
SOON = timedelta(minutes=1)
"""When that is looked at again which is under way."""
DIFFER_FOR = timedelta(days=1)
"""So long the reconciliation has to make both sides equal; then a person looks."""
RETRY = "retry"
"""A person's decision that it is tried anew; the others are carried out by `application/reviewing.py`."""
TAKEN_OVER = "calcom"
"""The source of an appointment that a run has taken over from Cal.com: nobody here says whose it is."""
_NEVER_LEFT = frozenset({"never_arrived", "not_sent"})
"""Why a try ended that says nothing of the appointment."""
SETTLED_BY_LOOKING: frozenset[str] = frozenset(
    {Drift.ATTENDEE, Drift.STATUS, Drift.DUPLICATE, Drift.ORPHAN, Drift.UNKNOWN_HOST}
    | {Drift.UNREADABLE, Drift.LEFT, Drift.GHOST_HERE, Drift.CHAIN}
)
"""Differences that are over once both sides agree. Of the others a person must decide what becomes of the customer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was read before anything is decided.

    `appointment` is ours: the one that the case has tried to book, or that has its booking. `bookings` are those it
    stands on, each read by its uid, None where that is not shown. `named` is the live or dead booking that the case
    names, `owner` whose it is here. `unread`: Cal.com did not answer a question that matters. `rivals` are other cases
    that name the same booking.
    """

    appointment: Appointment | None = None
    bookings: tuple[Booking | None, ...] = ()
    named: Booking | None = None
    owner: Appointment | None = None
    unread: bool = False
    rivals: tuple[Case, ...] = ()


@dataclass(frozen=True, slots=True)
class Book:
    """Book it: all of its parts, as the service's definition lays them out."""

    wanted: Wanted
    again: bool
    """As a new try; else the one that is on record goes on."""


@dataclass(frozen=True, slots=True)
class TakeIn:
    """Its booking is there, and nobody's here: it becomes an appointment of ours."""

    wanted: Wanted
    booking: Booking


@dataclass(frozen=True, slots=True)
class SettleIt:
    """Its operation is open: that is brought to its end first."""

    appointment: Appointment


@dataclass(frozen=True, slots=True)
class Close:
    """It has come to its end."""

    ending: Ending
    why: str
    appointment: str = ""
    booking: str = ""


@dataclass(frozen=True, slots=True)
class ToReview:
    """A person decides."""

    failure: SyncFailure
    why: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing yet. `for_others`: within this run, until those who claim the same are decided."""

    why: str
    for_others: bool = False


Remedy = Book | TakeIn | SettleIt | Close | ToReview | Wait


def is_destructive(remedy: Remedy) -> bool:
    """Whether it says of an appointment that somebody believes in that it is none."""
    return isinstance(remedy, Close) and remedy.ending in {Ending.DUPLICATE, Ending.INVALID}


def plan(case: Case, tenant: Tenant, seen: Seen, *, now: datetime) -> Remedy:
    """What is to be done about an open case."""
    if case.origin is not CaseOrigin.IMPORT:
        return ToReview(case.failure, case.why)
    if seen.unread:
        return Wait("Cal.com could not be read")
    if seen.appointment is not None and seen.appointment.state is not AppointmentState.FAILED:
        return _of_appointment(case, tenant, seen, seen.appointment, now=now)
    wanted = read_wanted(case, tenant)
    if isinstance(wanted, Unfit):
        if wanted.invalid:
            return Close(Ending.INVALID, wanted.why)
        return ToReview(case.failure, wanted.why)
    if wanted.slot.start <= now:
        return Close(Ending.HISTORICAL, "it has begun, and Cal.com books nothing in the past")
    if seen.named is not None and seen.named.status not in DEAD:
        return _of_named(case, tenant, seen, seen.named, wanted)
    older = _first(case, seen.rivals) if case.booking or case.facts.get("booking_id") else case
    if older.id != case.id and same_wish(older, case):
        return Close(Ending.DUPLICATE, f"{older.id} is the same customer's same appointment", older.appointment)
    return _by_class(case, seen, wanted)


def _by_class(case: Case, seen: Seen, wanted: Wanted) -> Remedy:
    """The class's one remedy, where nothing of it is at Cal.com."""
    tries = case.tries - case.forgiven
    refused = seen.appointment is not None and tries > 0
    book = Book(wanted, again=not case.op or seen.appointment is not None)
    failure = case.failure
    if refused and seen.appointment is not None and seen.appointment.why in _NEVER_LEFT:
        failure = failure if failure is SyncFailure.HOST_UNAVAILABLE else SyncFailure.TEMPORARY
    match failure:
        case SyncFailure.HOST_UNAVAILABLE:
            asked = bool(case.op) or case.decision == RETRY
            return book if asked and not refused else ToReview(failure, "somebody else has the time")
        case SyncFailure.TEMPORARY:
            return book if tries < MOST_TRIES or not refused else ToReview(failure, f"{tries} tries came to nothing")
        case (
            SyncFailure.DOUBLE_BOOKING
            | SyncFailure.COMPOSITE_FAILURE
            | SyncFailure.PHASE_ERROR
            | SyncFailure.MISSING_CONTACT
            | SyncFailure.OTHER
            | SyncFailure.PAST_APPOINTMENT
            | SyncFailure.INVALID_APPOINTMENT
            | SyncFailure.NOT_FOUND
        ):
            return ToReview(failure, "Cal.com does not take it") if refused else book
        case other:
            assert_never(other)


def _of_appointment(case: Case, tenant: Tenant, seen: Seen, appointment: Appointment, *, now: datetime) -> Remedy:
    """It has an appointment here: an open one is settled, a confirmed one compared with what was read at Cal.com."""
    match appointment.state:
        case AppointmentState.PENDING | AppointmentState.COMPENSATING:
            return SettleIt(appointment)
        case AppointmentState.MOVING | AppointmentState.CANCELLING:
            return Wait("it is being changed")
        case AppointmentState.CANCELLED:
            return Close(Ending.CANCELLED, "it was booked, and is cancelled since", appointment.id)
        case AppointmentState.CONFIRMED:
            read = [each for each in seen.bookings if each is not None]
            if len(read) < len(appointment.segments):
                if now - case.changed_at > DIFFER_FOR:
                    return ToReview(SyncFailure.NOT_FOUND, "confirmed here, and Cal.com does not show its booking")
                return Wait("its booking is not shown")
            if not all(each.status == LIVE and agree(each, appointment, tenant) for each in read):
                if now - case.changed_at > DIFFER_FOR:
                    return ToReview(case.failure, "both sides differ, and nothing makes them equal")
                return Wait("both sides differ: the reconciliation makes them equal")
            uid = appointment.segments[0].uid or ""
            if case.op and case.op == appointment.op:
                return Close(Ending.BOOKED, "booked, and read at Cal.com", appointment.id, uid)
            return Close(Ending.EQUAL, "on both sides, read at Cal.com", appointment.id, uid)
        case AppointmentState.FAILED:
            msg = "a try that failed is decided by its class"
            raise ValueError(msg)
        case other:
            assert_never(other)


def _of_named(case: Case, tenant: Tenant, seen: Seen, booking: Booking, wanted: Wanted) -> Remedy:
    """Several may claim one booking (incident I1): it is whose call or appointment it names, or who comes to it.

    Those who tell the same appointment once more are closed first; another person's claim is for a person to decide,
    since they have none then.
    """
    rightful = _rightful((case, *seen.rivals), booking)
    owner = seen.owner
    if owner is not None and (rightful is None or owner.source != TAKEN_OVER):
        if same_person(owner.customer, wanted.customer):
            return Close(Ending.DUPLICATE, "another appointment has the booking", owner.id, booking.uid)
        return ToReview(SyncFailure.DOUBLE_BOOKING, "the booking it names is another appointment's")
    if rightful is None:
        return ToReview(SyncFailure.DOUBLE_BOOKING, "the booking it names is another's")
    if rightful.id != case.id and same_wish(rightful, case):
        return Close(Ending.DUPLICATE, f"{rightful.id} has the booking", rightful.appointment, booking.uid)
    if rightful.id != case.id:
        return ToReview(SyncFailure.DOUBLE_BOOKING, f"the booking is {rightful.id}'s, and this customer has none")
    if any(each.state is CaseState.OPEN for each in seen.rivals):
        return Wait("others claim the same booking", for_others=True)
    if owner is not None and owner.state is not AppointmentState.CONFIRMED:
        return Wait("its booking is being changed")
    if booking.status != LIVE or booking.start != wanted.slot.start or len(wanted.slots) > 1:
        return ToReview(case.failure, "the booking it names is not as it says")
    if tenant.staff_of_host(booking.host) is None:
        return ToReview(case.failure, "the booking it names is with nobody of ours")
    return TakeIn(wanted, booking)


def _rightful(claimants: Iterable[Case], booking: Booking) -> Case | None:
    """Whose a booking is, of those who claim it; None: nobody's of them, or it does not tell."""
    known = tuple(claimants)
    named = {booking.metadata.get("appointment"), booking.metadata.get("call_id")} - {None, ""}
    if named:
        said = [each for each in known if named & {each.facts.get("external_id"), each.facts.get("call")}]
        return _first(said[0], said[1:]) if said else None
    attendees = {each.lower() for each in booking.attendees}
    comes = [each for each in known if each.customer is not None and each.customer.email.lower() in attendees]
    alike = bool(comes) and all(same_wish(comes[0], each) for each in comes)
    return _first(comes[0], comes[1:]) if alike else None


def _first(case: Case, others: Iterable[Case]) -> Case:
    """The one that stands first in the other system."""
    return min((case, *others), key=lambda each: (_number(each), each.id))


def _number(case: Case) -> int:
    external = case.facts.get("external_id", "")
    return int(external) if external.isdecimal() and external.isascii() else 10**18


def class_of(case: Case, answers: Iterable[CreateAnswer]) -> SyncFailure:
    """The class that Cal.com's answers give the case. A composite's is that of the first part that was refused."""
    said = [each for each in answers if not isinstance(each, Answered)]
    first = next((each for each in said if isinstance(each, Refused)), said[0] if said else None)
    match first:
        case None:
            return case.failure
        case Refused(Refusal.HOST_BUSY | Refusal.CONFLICT, _):
            return SyncFailure.HOST_UNAVAILABLE
        case Refused(Refusal.PAST, _):
            return SyncFailure.PAST_APPOINTMENT
        case Refused(_, answer):
            return failure_from(answer)
        case NotThere():
            return SyncFailure.NOT_FOUND
        case Unclear() | NotSent() | KeyRejected():
            return SyncFailure.TEMPORARY
        case other:
            assert_never(other)


def pause_after(tries: int) -> timedelta:
    """How long to wait after so many tries."""
    doubled: int = 2 ** max(0, min(tries, MOST_TRIES) - 1)
    return min(LONGEST_PAUSE, FIRST_PAUSE * doubled)


def is_over(case: Case, tenant: Tenant, seen: Seen) -> bool:
    """Whether a difference that a person has before them is none any more, as it was just read."""
    if case.state is CaseState.CLOSED or case.decision or seen.unread:
        return False
    if case.origin is CaseOrigin.OPERATION:
        ended = {AppointmentState.CONFIRMED, AppointmentState.FAILED, AppointmentState.CANCELLED}
        return seen.appointment is not None and seen.appointment.state in ended
    if case.origin is not CaseOrigin.DRIFT or case.drift not in SETTLED_BY_LOOKING:
        return False
    if seen.named is None:
        gone = {AppointmentState.FAILED, AppointmentState.CANCELLED}
        return seen.owner is not None and seen.owner.state in gone
    return agree(seen.named, seen.owner, tenant, claims=bool(seen.named.metadata.get("appointment")))
