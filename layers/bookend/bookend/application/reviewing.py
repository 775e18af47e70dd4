"""What a person decides about a case, carried out through the state machine like everything else.

The decision is written into the case first, with who made it, on the version that they looked at. What follows from it
may be cut off anywhere: the next run of the remedies goes on with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from bookend.application.background import Background
from bookend.application.booking_numbers import BookingNumbers, CalendarSilent
from bookend.application.case_changing import change_it, doubts_of, not_shown
from bookend.application.case_keeping import claimants_of, keep_one, versions_of
from bookend.application.case_looking import Looking
from bookend.application.case_records import (
    ABSENT_SINCE,
    again,
    back,
    close,
    not_gone_yet,
    ours,
    read,
    shown,
    while_decided,
    write,
)
from bookend.application.case_taking import owner_of
from bookend.application.converged import Converged
from bookend.application.converging import carry_out, converge
from bookend.application.ports.cases import Cases
from bookend.application.settling import settle
from bookend.domain.answers import Booking
from bookend.domain.appointment import TRANSIENT, Appointment, AppointmentState, ChangeKind
from bookend.domain.cases import Case, CaseOrigin, CaseState, Ending
from bookend.domain.drift import DEAD, LIVE, CancelOrphan, Drift, End
from bookend.domain.remedies import RETRY, is_over
from bookend.domain.reviews import (
    ANOTHERS_BOOKING,
    LEFT_AS_IT_IS,
    NAMES,
    OWN_BOOKING,
    PARTS_STAND,
    Choice,
    Evidence,
    is_left,
    refusal,
)
from bookend.domain.timeslot import instant_text, parse_instant

GIVEN_UP = timedelta(days=1)
"""How long a decision is carried on that comes to no end."""
_AROUND = timedelta(days=30)
_GONE = "Cal.com has no such booking any more"


@dataclass(frozen=True, slots=True)
class NotPossible:
    """Nothing was written."""

    why: str


@dataclass(frozen=True, slots=True)
class Would:
    """It can be decided, and was not: a dry run. `doubts`: what would speak against it as both sides are now."""

    evidence: Evidence
    doubts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decided:
    """It is on record who decided what; the case as it is after as much of it as could be done at once."""

    case: Case


Decision = NotPossible | Would | Decided


def evidence(work: Background, case: Case) -> Evidence:
    """The case with both sides as they are now."""
    looking = Looking(work, BookingNumbers(work.calendar, work.clock))
    seen = looking.at_difference(case) or looking.at(case)
    mine, unread = seen.appointment, seen.unread
    booking, owner = seen.named or next((each for each in seen.bookings if each is not None), None), seen.owner
    stands = mine is not None and mine.state is not AppointmentState.FAILED
    try:
        if booking is None and not unread and case.origin is CaseOrigin.IMPORT and not stands:
            booking = looking.named(case)
            owner = owner_of(work, booking) if booking is not None else None
    except CalendarSilent:
        unread = True
    if booking is None and not unread and mine is not None and mine.segments[0].uid is not None:
        answer = work.calendar.booking(mine.segments[0].uid, deadline=work.deadline)
        booking = answer if isinstance(answer, Booking) else None
    customer = mine.customer if mine is not None else case.customer
    calls: tuple[Appointment, ...] = ()
    if customer is not None:
        calls = work.changes.of_customer(work.tenant.id, customer.id, after=work.clock.now() - _AROUND)
    return Evidence(
        case=case,
        appointment=mine,
        booking=booking,
        owner=owner,
        unread=unread,
        calls=calls,
        claimants=claimants_of(work, case) if NAMES in case.facts else (),
        others=_on_the_same(work, case, mine),
        in_the_way=() if stands or case.state is CaseState.CLOSED else looking.in_the_way(case),
    )


def _on_the_same(work: Background, case: Case, mine: Appointment | None) -> tuple[Appointment, ...]:
    """Other appointments that the case names, and that stand on a booking of ours."""
    names = {*case.facts.get("appointments", "").split()} - {case.appointment}
    if mine is None or mine.state is not AppointmentState.CONFIRMED or not names:
        return ()
    uids = {each.uid for each in mine.segments} - {None}
    found = work.appointments.several(work.tenant.id, names).values()
    stand = (each for each in found if each.state is AppointmentState.CONFIRMED)
    return tuple(each for each in stand if uids & {segment.uid for segment in each.segments})


def decide(
    work: Background,
    cases: Cases,
    name: str,
    choice: Choice,
    *,
    by: str,
    to: datetime | None = None,
    keep: str = "",
    seen_version: int | None = None,
    apply: bool = False,
) -> Decision:
    """Write down what a person decides, and do it. `by` names them in every entry of it.

    `to` belongs to a move, `keep` (an appointment) to that choice. `seen_version`: the case's as it was shown to them;
    None: as it is now.
    """
    case = cases.case(work.tenant.id, name)
    if case is None:
        return NotPossible("there is no such case")
    if seen_version not in {None, case.version}:
        return NotPossible("it has changed since it was shown: look at it again")
    seen = evidence(work, case)
    now = work.clock.now()
    why_not = refusal(choice, seen, now=now, to=to, keep=keep)
    if why_not is not None:
        return NotPossible(why_not)
    if not apply:
        return Would(seen, _doubts(work, seen, choice, to))
    facts = {name: text for name, text in case.facts.items() if name != ABSENT_SINCE} | {
        "decided_at": instant_text(now),
        "decided_by": by,
        "decided": choice.value,
    }
    if seen.appointment is not None:
        facts["decided_on"] = str(seen.appointment.version)
    words = choice.value
    if to is not None and choice is Choice.MOVE:
        words = f"{choice.value} {instant_text(to)}"
    elif choice is Choice.KEEP:
        words, facts["decided_on"] = f"{choice.value} {keep}", versions_of(seen.claimants)
    decided, stored = write(
        work,
        cases,
        case,
        by=by,
        state=CaseState.OPEN,
        decision=words,
        facts=facts,
        due=now,
        forgiven=case.tries,
    )
    if not stored:
        return NotPossible("it has changed meanwhile: look at it again")
    return Decided(carry_on(work, cases, decided))


def _doubts(work: Background, seen: Evidence, choice: Choice, to: datetime | None) -> tuple[str, ...]:
    mine = seen.appointment
    if mine is None or mine.state is not AppointmentState.CONFIRMED:
        return ()
    if choice in {Choice.CANCEL, Choice.MOVE}:
        return doubts_of(work, mine, to if choice is Choice.MOVE else None)
    is_kept = choice is Choice.KEEP_OURS and seen.case.origin is not CaseOrigin.IMPORT and not is_left(seen.case)
    return not_shown(work, mine) if is_kept else ()


def carry_on(work: Background, cases: Cases, case: Case) -> Case:
    """Bring what was decided further; the case as it is then. Done again and again until it has ended.

    What could not be done within a day goes back to the person.
    """
    named = replace(work, by=case.by)
    try:
        after = _carry_on(named, cases, case)
    except CalendarSilent:
        after = case
    decided_at = case.facts.get("decided_at", "")
    is_old = bool(decided_at) and work.clock.now() - parse_instant(decided_at) > GIVEN_UP
    if after == case and is_old and case.decision != RETRY:
        return back(named, cases, case, "it could not be done within a day")
    return after


def _carry_on(work: Background, cases: Cases, case: Case) -> Case:
    word, _, to = case.decision.partition(" ")
    choice = Choice(word)
    is_import = case.origin is CaseOrigin.IMPORT
    match choice:
        case Choice.RETRY:
            return case if is_import else _look_anew(work, cases, case)
        case Choice.KEEP_OURS:
            return _book_it(work, cases, case) if is_import else _keep_ours(work, cases, case)
        case Choice.TAKE_THEIRS:
            if is_import:
                return close(work, cases, case, Ending.TAKEN_THEIRS, "Cal.com is right: it has none of this")
            return _take_theirs(work, cases, case)
        case Choice.CANCEL:
            return change_it(work, cases, case, ChangeKind.CANCEL, None)
        case Choice.MOVE:
            return change_it(work, cases, case, ChangeKind.MOVE, parse_instant(to))
        case Choice.KEEP:
            return keep_one(work, cases, case, to)
        case Choice.HISTORICAL:
            return close(work, cases, case, Ending.HISTORICAL, "it is over")
        case other:
            assert_never(other)


def _book_it(work: Background, cases: Cases, case: Case) -> Case:
    """A row that stands nowhere here is tried anew; one that does differs only by what Cal.com shows of it."""
    mine = ours(work, case)
    if mine is not None and mine.state is not AppointmentState.FAILED:
        return back(work, cases, case, OWN_BOOKING)
    return again(work, cases, case)


def _look_anew(work: Background, cases: Cases, case: Case) -> Case:
    """Both sides are compared once more; a difference that is left waits for a person again."""
    if case.origin is CaseOrigin.OPERATION:
        settle(work, case.appointment)
    elif (seen := read(work, case.booking)) is not None:
        converge(work, seen)
    now_is = Looking(work, BookingNumbers(work.calendar, work.clock)).at_difference(case)
    undecided = replace(case, decision="")
    if now_is is not None and is_over(undecided, work.tenant, now_is):
        return close(work, cases, case, Ending.EQUAL, "both sides agree")
    return back(work, cases, case, case.why)


def _keep_ours(work: Background, cases: Cases, case: Case) -> Case:
    if is_left(case):
        return close(work, cases, case, Ending.BY_HAND, "it stays as it is")
    mine, booking = ours(work, case), read(work, case.booking)
    if booking is None:
        return not_gone_yet(work, cases, case) or close(work, cases, case, Ending.EQUAL, _GONE)
    if booking.status in DEAD:
        return close(work, cases, case, Ending.EQUAL, _GONE)
    case = shown(work, cases, case)
    if mine is None or booking.uid in {each.uid for each in mine.segments}:
        return back(work, cases, case, "it is the appointment's own booking by now")
    if work.adoptions.owner(work.tenant.id, booking.uid) not in {None, mine.id}:
        return back(work, cases, case, ANOTHERS_BOOKING)
    if mine.state in TRANSIENT:
        return case  # it is being changed: the next run goes on with it
    if (why_not := _why_not_kept(work, case, mine)) is not None:
        return back(work, cases, case, why_not)
    match carry_out(while_decided(work, case), CancelOrphan(mine, booking)):
        case Converged.ORPHAN_CANCELLED:
            return close(work, cases, case, Ending.EQUAL, "Cal.com's booking is cancelled")
        case Converged.LATER | Converged.EQUAL:
            return case  # the next run goes on with it: one look that does not find it proves nothing
        case other:
            return back(work, cases, case, f"Cal.com does not let it go ({other.value})")


def _why_not_kept(work: Background, case: Case, mine: Appointment) -> str | None:
    """Who keeps ours must have it: the salon may have cancelled just that one, and no event has told of it yet.

    Of one that had ended when it was decided there is nothing to lose.

    Raises:
        CalendarSilent: it does not show all of ours. One look proves nothing, so nothing goes before it does.
    """
    if mine.state is not AppointmentState.CONFIRMED:
        as_seen = str(mine.version) == case.facts.get("decided_on")
        return None if as_seen else "the appointment has ended since this was decided"
    own = [read(work, each.uid or "") for each in mine.segments]
    if any(each is None for each in own):
        raise CalendarSilent
    lost = [f"{each.uid} is {each.status} at Cal.com" for each in own if each is not None and each.status != LIVE]
    return f"ours cannot be kept: {', '.join(lost)}. retry looks anew" if lost else None


def _take_theirs(work: Background, cases: Cases, case: Case) -> Case:
    if case.drift in LEFT_AS_IT_IS:
        return close(work, cases, case, Ending.TAKEN_THEIRS, "it stays as Cal.com shows it")
    mine = ours(work, case)
    own = {each.uid or "" for each in mine.segments} if mine is not None else {""}
    uid = case.booking or min(own)
    booking = read(work, uid)
    if booking is None:
        waits = not_gone_yet(work, cases, case) if uid else None
        if waits is not None:
            return waits
        if uid in own and any(_lives(work, each) for each in own):
            return back(work, cases, case, PARTS_STAND)
        if uid in own:
            return change_it(work, cases, case, ChangeKind.CANCEL, None)
        return close(work, cases, case, Ending.EQUAL, _GONE)  # what the appointment stands on is another one
    case = shown(work, cases, case)
    stands = mine is not None and mine.state is AppointmentState.CONFIRMED
    done = converge(decided := while_decided(work, case), booking)
    if done is Converged.FLAGGED and mine is not None and stands and case.drift == Drift.UNKNOWN_HOST.value:
        done = carry_out(decided, End(mine, booking, Drift.HOST))  # it is somebody's who is not ours
    match done:
        case Converged.LATER:
            return case  # the next run goes on with it
        case Converged.FLAGGED:
            return back(work, cases, case, "nothing here can become that: put it right at Cal.com, then retry")
        case _:
            return close(work, cases, case, Ending.TAKEN_THEIRS, "as Cal.com shows it")


def _lives(work: Background, uid: str) -> bool:
    booking = read(work, uid)
    return booking is not None and booking.status not in DEAD
