"""What is done about a case: one remedy for each class of failure, decided from what was just read.

Nothing here is believed of a list: what is decided on was read by its own name, here and at Cal.com. Nothing is called
booked unless its bookings were read there and are those of a confirmed appointment here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
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
from bookend.domain.case_claims import first, rightful_of, was_moved
from bookend.domain.case_parts import PARTS, Part, against, fitting, missing_of, parts_of, stands_as_wanted
from bookend.domain.case_wishes import TAKEN_OVER, Unfit, Wanted, read_wanted, same_person, same_wish
from bookend.domain.cases import Case, CaseOrigin, CaseState, Ending, SyncFailure
from bookend.domain.drift import DEAD, LIVE, Drift, agree, is_half_of_a_move
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
    names, where it is now if it was moved, `owner` whose it is here; of a composite service a dead one alone.
    `elsewhere` is one that the customer's address has for the same at that time with another stylist. `unread`: Cal.com
    did not answer a question that matters. `rivals` are other cases that name the same booking. Of a composite service
    `parts` are the live bookings there are of it, and `rest` is the appointment that books what is missing beside them.
    """

    appointment: Appointment | None = None
    bookings: tuple[Booking | None, ...] = ()
    named: Booking | None = None
    elsewhere: Booking | None = None
    owner: Appointment | None = None
    unread: bool = False
    rivals: tuple[Case, ...] = ()
    parts: tuple[Part, ...] = ()
    rest: Appointment | None = None


@dataclass(frozen=True, slots=True)
class Book:
    """Book it: all of its parts, as the service's definition lays them out; or those that are `missing` alone."""

    wanted: Wanted
    again: bool
    """As a new try; else the one that is on record goes on."""
    missing: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class TakeIn:
    """Its booking is there, and nobody's here: it becomes an appointment of ours."""

    wanted: Wanted
    booking: Booking


@dataclass(frozen=True, slots=True)
class TakeInParts:
    """Parts of it are there, by number: together they become one appointment of ours, whatever becomes of the rest."""

    wanted: Wanted
    parts: Mapping[int, Booking]


@dataclass(frozen=True, slots=True)
class Join:
    """What was missing is booked: `rest` and the parts that were there become one appointment."""

    there: Appointment
    rest: Appointment


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
    """A person decides. `appointment`: about this one; empty: about the one that the case has."""

    failure: SyncFailure
    why: str
    appointment: str = ""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing yet. `for_others`: within this run, until those who claim the same are decided."""

    why: str
    for_others: bool = False


Remedy = Book | TakeIn | TakeInParts | Join | SettleIt | Close | ToReview | Wait


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
        of_it = _of_what_is_there if PARTS in case.facts else _of_appointment
        return of_it(case, tenant, seen, seen.appointment, now=now)
    wanted = read_wanted(case, tenant)
    if isinstance(wanted, Unfit):
        if wanted.invalid:
            return Close(Ending.INVALID, wanted.why)
        return ToReview(case.failure, wanted.why)
    named = seen.named
    over = _of_dead(case, seen, named, wanted, now=now) if named is not None and named.status in DEAD else None
    if over is not None:
        return over
    if wanted.slot.start <= now and (named is None or not was_moved(case, named)):
        return Close(Ending.HISTORICAL, "it has begun, and Cal.com books nothing in the past")
    if named is not None and named.status not in DEAD:
        return _of_named(case, tenant, seen, named, wanted)
    if seen.elsewhere is not None and case.decision != RETRY:
        why = f"booking {seen.elsewhere.uid} of its customer's address is for this at that time, with another stylist"
        return ToReview(SyncFailure.DOUBLE_BOOKING, why)
    older = first(case, seen.rivals) if case.booking or case.facts.get("booking_id") else case
    if older.id != case.id and same_wish(older, case):
        return Close(Ending.DUPLICATE, f"{older.id} is the same customer's same appointment", older.appointment)
    if seen.parts:
        return _of_parts(case, tenant, seen.parts, wanted)
    return _by_class(case, seen.appointment, wanted)


def _of_parts(case: Case, tenant: Tenant, parts: tuple[Part, ...], wanted: Wanted) -> Remedy:
    """The other system has booked some of its parts, or all: taken in, if each is this customer's and in its place.

    Else nothing is done to any of them: they may be somebody's real appointment.
    """
    for each in parts:
        if why := against(case, each, wanted, tenant):
            return ToReview(SyncFailure.DOUBLE_BOOKING, why)
        if each.owner is not None and each.owner.state is not AppointmentState.CONFIRMED:
            return Wait("its booking is being changed")
    found = fitting(parts, wanted, tenant)
    return ToReview(case.failure, found) if isinstance(found, str) else TakeInParts(wanted, found)


def _of_what_is_there(case: Case, tenant: Tenant, seen: Seen, there: Appointment, *, now: datetime) -> Remedy:
    """Its parts are an appointment; what is missing beside them is booked, and joined to it once that is confirmed.

    What others cancel meanwhile is not booked again, unless a person says so.
    """
    rest = seen.rest
    if rest is not None and rest.state not in {AppointmentState.FAILED, AppointmentState.CANCELLED}:
        return _of_both(there, rest)
    done = _of_appointment(case, tenant, seen, there, now=now)
    if isinstance(done, ToReview):
        return replace(done, appointment=there.id)
    if not isinstance(done, Close) or there.state is not AppointmentState.CONFIRMED:
        return done
    wanted = read_wanted(case, tenant)
    if isinstance(wanted, Unfit):
        return ToReview(case.failure, wanted.why, there.id)
    missing = missing_of(there, wanted)
    if not stands_as_wanted(there, wanted):
        return ToReview(case.failure, "its parts do not stand where the service would have them", there.id)
    if not missing:
        return done
    if (case.op == there.op or parts_of(case).keys() & {*missing}) and case.decision != RETRY:
        return ToReview(SyncFailure.COMPOSITE_FAILURE, "a part of it that was there has gone since", there.id)
    if any(wanted.slots[number].start <= now for number in missing):
        return ToReview(SyncFailure.PAST_APPOINTMENT, f"{_named(missing)} was never booked, and is over", there.id)
    decided = _by_class(case, rest, replace(wanted, customer=there.customer), missing)
    if isinstance(decided, ToReview):
        why = f"{_named(missing)} is missing ({decided.why}); what the other system had booked stands, and is left"
        return ToReview(decided.failure, why, there.id)
    return decided


def _of_both(there: Appointment, rest: Appointment) -> Remedy:
    """What was missing is on its way, or is there."""
    if rest.state in {AppointmentState.PENDING, AppointmentState.COMPENSATING}:
        return SettleIt(rest)
    if rest.state is AppointmentState.CONFIRMED and there.state is AppointmentState.CONFIRMED:
        return Join(there, rest)
    if rest.state is AppointmentState.CONFIRMED and there.state is AppointmentState.CANCELLED:
        why = "what the other system had booked is cancelled since; what was missing is booked, and stands alone"
        return ToReview(SyncFailure.COMPOSITE_FAILURE, why, rest.id)
    return Wait("it is being changed")


def _named(parts: tuple[int, ...]) -> str:
    """Parts as people count them."""
    return f"part {' and '.join(str(number + 1) for number in parts)}"


def _why_not_available(case: Case, *, refused: bool) -> str:
    """That somebody has the time is said only where it was seen here: Cal.com says the same of what is not open."""
    if refused:
        return "refused by Cal.com as not available: taken, or not open then"
    unseen = "refused by Cal.com as not available when the system before asked; nobody has looked since"
    return unseen if case.answers else case.why or unseen  # no answer: the import has seen it taken here


def _by_class(case: Case, last: Appointment | None, wanted: Wanted, missing: tuple[int, ...] = ()) -> Remedy:
    """The class's one remedy, where nothing of it (or of the parts that are `missing`) is at Cal.com.

    `last`: what was tried, and came to nothing.
    """
    tries = case.tries - case.forgiven
    refused = last is not None and tries > 0
    book = Book(wanted, not case.op or last is not None, missing)
    failure = case.failure
    if refused and last is not None and last.why in _NEVER_LEFT:
        failure = failure if failure is SyncFailure.HOST_UNAVAILABLE else SyncFailure.TEMPORARY
    match failure:
        case SyncFailure.HOST_UNAVAILABLE:
            asked = bool(case.op) or case.decision == RETRY
            return book if asked and not refused else ToReview(failure, _why_not_available(case, refused=refused))
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
    rightful = rightful_of((case, *seen.rivals), booking)
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
    elsewhere = booking.start != wanted.slot.start and not was_moved(case, booking)
    if booking.status != LIVE or elsewhere or len(wanted.slots) > 1:
        return ToReview(case.failure, "the booking it names is not as it says")
    if tenant.staff_of_host(booking.host) is None:
        return ToReview(case.failure, "the booking it names is with nobody of ours")
    return TakeIn(wanted, booking)


def _of_dead(case: Case, seen: Seen, booking: Booking, wanted: Wanted, *, now: datetime) -> Remedy | None:
    """It was there, and somebody has ended it since: what Cal.com shows is newer than the row, and stays.

    None: it was another's, and a person says that this customer is to have one all the same.
    """
    if booking.rescheduled_to is not None or is_half_of_a_move(booking, now=now):
        if now - case.changed_at > DIFFER_FOR:
            return ToReview(SyncFailure.NOT_FOUND, "the booking it names was moved, and Cal.com does not show where to")
        return Wait("the booking it names was moved, and the new one is not shown")
    owner = seen.owner
    theirs = owner is not None and owner.source != TAKEN_OVER
    rightful = rightful_of((case, *seen.rivals), booking)
    its_own = rightful is not None and (rightful.id == case.id or same_wish(rightful, case))
    if same_person(owner.customer, wanted.customer) if owner is not None and theirs else its_own:
        is_whole = len(seen.bookings) >= len(wanted.slots) and all(
            each and each.status in DEAD for each in seen.bookings
        )
        if len(wanted.slots) > 1 and (seen.parts or not is_whole):
            why = f"booking {booking.uid}, a part of it, was cancelled at Cal.com"
            return None if case.decision == RETRY else ToReview(SyncFailure.COMPOSITE_FAILURE, why)
        why = "its booking was cancelled at Cal.com, and is not booked again"
        return Close(Ending.CANCELLED, why, owner.id if owner is not None else "", booking.uid)
    if case.decision == RETRY:
        return None
    return ToReview(SyncFailure.DOUBLE_BOOKING, "the booking it names is another's, and was cancelled")


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
