"""What a person may decide about a case, and why some of it is not possible now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from bookend.domain.answers import Booking
from bookend.domain.appointment import Appointment, AppointmentState
from bookend.domain.case_wishes import TAKEN_OVER, same_person
from bookend.domain.cases import Case, CaseOrigin, CaseState
from bookend.domain.drift import DEAD, LIVE, Drift
from bookend.domain.remedies import RETRY
from bookend.domain.timeslot import parse_instant

HAS_NONE = "has_none"
"""Why a case was opened: a duplicate was ended whose customer is another, was told "gebucht", and has none now."""
LEFT_AS_IT_IS: frozenset[str] = frozenset({Drift.PART, Drift.TAKEN_OVER, Drift.REFUSED, HAS_NONE})
"""Differences that both sides agree on by now; what was for a person was to tell the customer."""
TWO_AT_ONCE = "customer_has_two"
"""The fact `kind` of a case: two appointments of one customer for the same. They may be for two people."""
OWN_BOOKING = "it is the appointment's own booking: change it at Cal.com, then retry"
ANOTHERS_BOOKING = "it is another appointment's booking by now: decide about that one at Cal.com"
NOBODY_SAYS = "its booking lives and does not tell whose it is: put it right at Cal.com, then take-theirs"
A_PART_ONLY = "they share a part only: put the others right at Cal.com, then run duplicates"
PARTS_STAND = "other parts of it stand at Cal.com: cancel ends them too; or book the missing one there, then retry"
NAMES = "appointments"
"""The fact of a case that names all the appointments it is about, with blanks between."""
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
    KEEP = "keep"
    """Of several on one booking this one is right: the others are ended here."""
    HISTORICAL = "historical"
    """It is over, and stays what it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A case with what was read of it just now: our appointment, Cal.com's booking, whose that is here.

    `calls` are the customer's other appointments around it, the oldest first: how the call went on. `claimants` are
    those that the case names and that stand on its booking, `others` other ones that stand on a booking of ours.
    `in_the_way` are those that have the time here which a row would be booked at.
    """

    case: Case
    appointment: Appointment | None = None
    booking: Booking | None = None
    owner: Appointment | None = None
    unread: bool = False
    calls: tuple[Appointment, ...] = ()
    claimants: tuple[Appointment, ...] = ()
    others: tuple[Appointment, ...] = ()
    in_the_way: tuple[Appointment, ...] = ()


class Whose(StrEnum):
    """Whose a live booking is that an imported row names."""

    ITS_OWN = "its_own"
    ANOTHERS = "anothers"
    UNTOLD = "untold"


def uids_of(appointment: Appointment) -> set[str]:
    """The bookings that it stands on."""
    return {each.uid for each in appointment.segments if each.uid is not None}


def on_booking(appointments: Iterable[Appointment], uid: str) -> tuple[Appointment, ...]:
    """Those that stand, and stand on this booking; by their names."""
    stand = (each for each in appointments if each.state is AppointmentState.CONFIRMED and uid in uids_of(each))
    return tuple(sorted(stand, key=lambda each: each.id))


def names_a_booking(case: Case) -> bool:
    """By its uid, or by its number."""
    return bool(case.booking) or case.facts.get("booking_id", "").isdecimal()


def whose(case: Case, booking: Booking, owner: Appointment | None) -> Whose:
    """Whether a booking is the row's own: by what it names, by who has it here, or by who comes to it."""
    if owner is not None and owner.id != case.appointment and owner.source != TAKEN_OVER:
        return Whose.ANOTHERS
    named = {booking.metadata.get("appointment"), booking.metadata.get("call_id")} - {None, ""}
    if named:
        own = {case.facts.get("external_id"), case.facts.get("call"), case.appointment} - {None, ""}
        return Whose.ITS_OWN if named & own else Whose.ANOTHERS
    if case.customer is None:
        return Whose.UNTOLD
    comes = bool(case.customer.email) and case.customer.email.lower() in {each.lower() for each in booking.attendees}
    known = owner is not None and same_person(owner.customer, case.customer)
    return Whose.ITS_OWN if comes or known else Whose.UNTOLD


def refusal(  # noqa: C901, PLR0911, PLR0912 - one answer for each choice and reason
    choice: Choice, seen: Evidence, *, now: datetime, to: datetime | None = None, keep: str = ""
) -> str | None:
    """Why this cannot be decided now, in words for who decides; None: it can."""
    case, ours, theirs = seen.case, seen.appointment, seen.booking
    if case.state is CaseState.CLOSED:
        return "it is closed"
    if case.decision:
        withdraws = choice is Choice.RETRY and case.decision != RETRY
        what = case.decision.partition(" ")[0]
        return None if withdraws else f"{what} was decided, and is being carried out: retry takes that back"
    if case.state is CaseState.OPEN and not case.tries and not case.op:
        return "nothing was tried yet, and a remedy is due: wait for the next run, or run remedy --apply"
    if case.state is CaseState.OPEN:
        return "a remedy is at it: wait for the next run"
    several = seen.others or (seen.claimants if len(seen.claimants) > 1 else ())
    if several and choice in {Choice.TAKE_THEIRS, Choice.CANCEL, Choice.MOVE}:
        names = ", ".join(each.id for each in several)
        return f"{names} stands on the same booking: decide first which is right, with keep --appointment ID"
    is_import = case.origin is CaseOrigin.IMPORT
    lives = ours is not None and ours.state is AppointmentState.CONFIRMED
    if ours is not None and ours.state not in {AppointmentState.CONFIRMED, *_ENDED} and choice is not Choice.RETRY:
        return f"the appointment is {ours.state.value}: wait until that has ended"
    match choice:
        case Choice.RETRY:
            return None
        case Choice.KEEP_OURS:
            if is_import:
                return OWN_BOOKING if lives else None
            if is_left(case):
                return None
            if ours is None or theirs is None or theirs.status != LIVE:
                return "there is no booking of Cal.com's that stands against ours"
            if theirs.uid in {each.uid for each in ours.segments}:
                return OWN_BOOKING
            is_owned = seen.owner is not None and seen.owner.id != ours.id
            return ANOTHERS_BOOKING if is_owned else None
        case Choice.TAKE_THEIRS:
            if seen.unread:
                return "Cal.com does not answer"
            if is_import and lives:
                return "it is booked on both sides: cancel or move it"
            return None
        case Choice.CANCEL:
            return _untold(seen) if is_import or lives else "there is no appointment of ours to cancel"
        case Choice.MOVE:
            if to is None:
                return "say where to"
            if to <= now:
                return "that time is over"
            return _untold(seen) if is_import or lives else "there is no appointment of ours to move"
        case Choice.KEEP:
            return _not_kept(seen, keep)
        case Choice.HISTORICAL:
            start = ours.slot.start if ours is not None else _start(case)
            return None if start is not None and start <= now else "it has not begun yet"
        case other:
            assert_never(other)


def _not_kept(seen: Evidence, keep: str) -> str | None:
    """Why this one cannot be kept before the others on the booking."""
    kept = next((each for each in seen.claimants if each.id == keep), None)
    names = ", ".join(each.id for each in seen.claimants)
    if len(seen.claimants) < 2:
        return "no two appointments that it names stand on its booking"
    if kept is None:
        return f"say which one is right: --appointment with one of {names}"
    if seen.unread:
        return "Cal.com does not answer"
    if seen.booking is None or seen.booking.status != LIVE:
        return "their booking does not stand at Cal.com: look again, with retry"
    return None if all(uids_of(each) <= uids_of(kept) for each in seen.claimants) else A_PART_ONLY


def is_left(case: Case) -> bool:
    """Whether keeping ours changes nothing on either side."""
    return case.drift in LEFT_AS_IT_IS or is_two_at_once(case)


def is_two_at_once(case: Case) -> bool:
    """Whether it is about two appointments that both stand on both sides."""
    return case.facts.get("kind") == TWO_AT_ONCE


def _untold(seen: Evidence) -> str | None:
    """Of a row that stands nowhere here: whether the booking it names may be touched for it."""
    stands = seen.appointment is not None and seen.appointment.state is not AppointmentState.FAILED
    if seen.case.origin is not CaseOrigin.IMPORT or stands or seen.booking is None or seen.booking.status in DEAD:
        return None
    return NOBODY_SAYS if whose(seen.case, seen.booking, seen.owner) is Whose.UNTOLD else None


def _start(case: Case) -> datetime | None:
    try:
        return parse_instant(case.facts.get("start", ""))
    except ValueError:
        return None
