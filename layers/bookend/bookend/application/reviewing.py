"""What a person decides about a case, carried out through the state machine like everything else.

The decision is written into the case first, with who made it, on the version that they looked at. What follows from it
may be cut off anywhere: the next run of the remedies goes on with it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, assert_never

from bookend.application.background import Background
from bookend.application.booking_numbers import BookingNumbers, CalendarSilent
from bookend.application.case_looking import Looking
from bookend.application.change_settling import settle_change
from bookend.application.converged import Converged
from bookend.application.converging import carry_out, converge
from bookend.application.following import audit_of
from bookend.application.patience import AGAIN
from bookend.application.ports import Begun, NotBegun
from bookend.application.ports.cases import Cases
from bookend.application.settling import settle
from bookend.domain.answers import Booking, NotThere
from bookend.domain.appointment import Appointment, AppointmentState, BookedSegment, Change, ChangeEnd, ChangeKind, Told
from bookend.domain.cases import Case, CaseOrigin, CaseState, Ending
from bookend.domain.drift import DEAD, LIVE, CancelOrphan, Drift, End
from bookend.domain.remedies import RETRY, is_over
from bookend.domain.reviews import LEFT_AS_IT_IS, Choice, Evidence, refusal
from bookend.domain.timeslot import instant_text, parse_instant

TRIED_FOR = timedelta(minutes=15)
"""How long a change that a person decided is tried while Cal.com does not answer."""
_LEASE = timedelta(seconds=20)
_AROUND = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class NotPossible:
    """Nothing was written."""

    why: str


@dataclass(frozen=True, slots=True)
class Would:
    """It can be decided, and was not: a dry run."""

    evidence: Evidence


@dataclass(frozen=True, slots=True)
class Decided:
    """It is on record who decided what; the case as it is after as much of it as could be done at once."""

    case: Case


Decision = NotPossible | Would | Decided


def evidence(work: Background, case: Case) -> Evidence:
    """The case with both sides as they are now."""
    looking = Looking(work, BookingNumbers(work.calendar, work.clock))
    seen = looking.at_difference(case) or looking.at(case)
    booking = seen.named or next((each for each in seen.bookings if each is not None), None)
    ours = seen.appointment
    if booking is None and not seen.unread and ours is not None and ours.segments[0].uid is not None:
        read = work.calendar.booking(ours.segments[0].uid, deadline=work.deadline)
        booking = read if isinstance(read, Booking) else None
    customer = ours.customer if ours is not None else case.customer
    calls: tuple[Appointment, ...] = ()
    if customer is not None:
        calls = work.changes.of_customer(work.tenant.id, customer.id, after=work.clock.now() - _AROUND)
    return Evidence(case=case, appointment=ours, booking=booking, owner=seen.owner, unread=seen.unread, calls=calls)


def decide(
    work: Background,
    cases: Cases,
    name: str,
    choice: Choice,
    *,
    by: str,
    to: datetime | None = None,
    seen_version: int | None = None,
    apply: bool = False,
) -> Decision:
    """Write down what a person decides, and do it. `by` names them in every entry of it.

    `seen_version`: the case's as it was shown to them; None: as it is now.
    """
    case = cases.case(work.tenant.id, name)
    if case is None:
        return NotPossible("there is no such case")
    if seen_version not in {None, case.version}:
        return NotPossible("it has changed since it was shown: look at it again")
    seen = evidence(work, case)
    now = work.clock.now()
    why_not = refusal(choice, seen, now=now, to=to)
    if why_not is not None:
        return NotPossible(why_not)
    if not apply:
        return Would(seen)
    facts = case.facts | {"decided_at": instant_text(now)}
    if seen.appointment is not None:
        facts["decided_on"] = str(seen.appointment.version)
    words = f"{choice.value} {instant_text(to)}" if to is not None and choice is Choice.MOVE else choice.value
    decided, stored = _write(
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


def carry_on(work: Background, cases: Cases, case: Case) -> Case:
    """Bring what was decided further; the case as it is then. Done again and again until it has ended."""
    try:
        return _carry_on(replace(work, by=case.by), cases, case)
    except CalendarSilent:
        return case


def _carry_on(work: Background, cases: Cases, case: Case) -> Case:
    word, _, to = case.decision.partition(" ")
    choice = Choice(word)
    is_import = case.origin is CaseOrigin.IMPORT
    match choice:
        case Choice.RETRY:
            return case if is_import else _look_anew(work, cases, case)
        case Choice.KEEP_OURS:
            return _again(work, cases, case) if is_import else _keep_ours(work, cases, case)
        case Choice.TAKE_THEIRS:
            if is_import:
                return _close(work, cases, case, Ending.TAKEN_THEIRS, "Cal.com is right: it has none of this")
            return _take_theirs(work, cases, case)
        case Choice.CANCEL:
            return _change(work, cases, case, ChangeKind.CANCEL, None)
        case Choice.MOVE:
            return _change(work, cases, case, ChangeKind.MOVE, parse_instant(to))
        case Choice.HISTORICAL:
            return _close(work, cases, case, Ending.HISTORICAL, "it is over")
        case other:
            assert_never(other)


def _again(work: Background, cases: Cases, case: Case, **facts: str) -> Case:
    """The remedies try it anew, at once."""
    after, _ = _write(
        work, cases, case, decision=RETRY, due=work.clock.now(), facts=case.facts | facts, op="", appointment=""
    )
    return after


def _look_anew(work: Background, cases: Cases, case: Case) -> Case:
    """Both sides are compared once more; a difference that is left waits for a person again."""
    if case.origin is CaseOrigin.OPERATION:
        settle(work, case.appointment)
    elif (seen := _read(work, case.booking)) is not None:
        converge(work, seen)
    now_is = Looking(work, BookingNumbers(work.calendar, work.clock)).at_difference(case)
    undecided = replace(case, decision="")
    if now_is is not None and is_over(undecided, work.tenant, now_is):
        return _close(work, cases, case, Ending.EQUAL, "both sides agree")
    return _back(work, cases, case, case.why)


def _keep_ours(work: Background, cases: Cases, case: Case) -> Case:
    if case.why in LEFT_AS_IT_IS:
        return _close(work, cases, case, Ending.BY_HAND, "it stays as it is")
    appointment, booking = _ours(work, case), _read(work, case.booking)
    if booking is None or booking.status in DEAD:
        return _close(work, cases, case, Ending.EQUAL, "Cal.com has no such booking any more")
    if appointment is None or booking.uid in {each.uid for each in appointment.segments}:
        return _back(work, cases, case, "it is the appointment's own booking by now")
    match carry_out(work, CancelOrphan(appointment, booking)):
        case Converged.ORPHAN_CANCELLED | Converged.EQUAL:
            return _close(work, cases, case, Ending.EQUAL, "Cal.com's booking is cancelled")
        case Converged.LATER:
            return case  # the next run goes on with it
        case other:
            return _back(work, cases, case, f"Cal.com does not let it go ({other.value})")


def _take_theirs(work: Background, cases: Cases, case: Case) -> Case:
    appointment, booking = _ours(work, case), _read(work, case.booking)
    if case.why in LEFT_AS_IT_IS:
        return _close(work, cases, case, Ending.TAKEN_THEIRS, "it stays as Cal.com shows it")
    stands = appointment is not None and appointment.state is AppointmentState.CONFIRMED
    if booking is None:
        return _change(work, cases, case, ChangeKind.CANCEL, None)
    done = converge(work, booking)
    if done is Converged.FLAGGED and appointment is not None and stands and case.why == Drift.UNKNOWN_HOST.value:
        done = carry_out(work, End(appointment, booking, Drift.HOST))  # it is somebody's who is not ours
    match done:
        case Converged.LATER:
            return case  # the next run goes on with it
        case Converged.FLAGGED:
            return _back(work, cases, case, "nothing here can become that: put it right at Cal.com, then retry")
        case _:
            return _close(work, cases, case, Ending.TAKEN_THEIRS, "as Cal.com shows it")


def _change(work: Background, cases: Cases, case: Case, kind: ChangeKind, to: datetime | None) -> Case:
    """A move or cancellation of what stands, like a caller's; what stands nowhere is only noted, or tried there."""
    appointment, op = _ours(work, case), _op(work, case)
    if appointment is None or appointment.state is AppointmentState.FAILED:
        if to is not None:
            facts = {name: text for name, text in case.facts.items() if name != "booking_id"}
            return _again(work, cases, replace(case, facts=facts, booking=""), start=instant_text(to))
        return _close(work, cases, case, Ending.CANCELLED, "it was never booked")
    if appointment.state is AppointmentState.CANCELLED:
        return _close(work, cases, case, Ending.CANCELLED, "cancelled on both sides")
    change, last = appointment.change, appointment.last_change
    if change is not None and change.op == op:
        _bring_on(work, appointment)
    elif change is not None:
        return case  # the next run goes on with it
    elif last is not None and last.op == op:
        if last.end is ChangeEnd.DONE:
            return _moved(work, cases, case, appointment)
        return _back(work, cases, case, f"it could not be done: {last.why.value or 'Cal.com refuses'}")
    elif str(appointment.version) != case.facts.get("decided_on"):
        return _back(work, cases, case, "the appointment has changed since this was decided")
    else:
        begun = _begin(work, appointment, kind, op, to)
        if isinstance(begun, str):
            return _back(work, cases, case, begun)
        settle_change(work, begun)
    now_is = _ours(work, case)
    if now_is is None or now_is.change is not None or now_is.version == appointment.version:
        return case  # the next run goes on with it
    return _change(work, cases, case, kind, to)


def _bring_on(work: Background, appointment: Appointment) -> None:
    """Settle it; what Cal.com does not know any more is cancelled here, since a person says so and two looks agree."""
    change = appointment.under_way
    absent, now = change.absent_since, work.clock.now()
    if change.kind is ChangeKind.CANCEL and absent is not None and now - absent >= AGAIN:
        read = work.calendar.booking(appointment.segments[0].uid or "", deadline=work.deadline)
        if isinstance(read, NotThere):
            audit = audit_of(work, Drift.GHOST_HERE, "cancel", None, before=appointment, after=None)
            work.changes.cancelled(work.tenant.id, appointment, booking=None, told=change.told, audit=audit, now=now)
            return
    settle(work, appointment.id)


def _begin(
    work: Background, appointment: Appointment, kind: ChangeKind, op: str, to: datetime | None
) -> Appointment | str:
    """The change on record, before Cal.com is asked; or why it was not begun. Who decided it tells the customer."""
    now = work.clock.now()
    segments: tuple[BookedSegment, ...] = ()
    if to is not None:
        by = to - appointment.slot.start
        segments = tuple(
            replace(each, slot=each.slot.shifted(by), uid=None, booking_id=None, updated_at=None)
            for each in appointment.segments
        )
    days = work.appointments.staff_days(
        work.tenant.id, {(each.staff, day) for each in segments for day in each.slot.utc_days()}
    )
    if not all(days.is_free(each.staff, each.slot, now=now, moving=appointment.id) for each in segments):
        return "the new time is not free here"
    begun = work.changes.begin(
        work.tenant.id,
        appointment,
        Change(
            op=op,
            kind=kind,
            call=appointment.call,
            since=now,
            segments=segments,
            told=Told.DONE,
            keep_until=now + TRIED_FOR,
        ),
        lease=now + _LEASE,
        days=days,
        freeing=(),
        day=now.astimezone(work.tenant.zone).date(),
        now=now,
    )
    match begun:
        case Begun(changing):
            return changing
        case NotBegun.APPOINTMENT_CHANGED | NotBegun.LEDGER_CHANGED:
            return "it has changed in this moment: look at it again"
        case NotBegun.CUSTOMER_HAS_ONE:
            return "the customer has the same at that time already"
        case NotBegun.TOO_MANY:
            return "this customer's appointments were changed too often today"
        case other:
            assert_never(other)


def _moved(work: Background, cases: Cases, case: Case, appointment: Appointment) -> Case:
    """Closed once its bookings were read where they stand now."""
    read = [_read(work, each.uid or "") for each in appointment.segments]
    stand = [
        each is not None and (each.status, each.start) == (LIVE, segment.slot.start)
        for each, segment in zip(read, appointment.segments, strict=True)
    ]
    if not all(stand):
        return case  # the next run goes on with it
    return _close(work, cases, case, Ending.EQUAL, "moved, and read at Cal.com")


def _op(work: Background, case: Case) -> str:
    """The operation of this decision: the same, however often it is carried on."""
    decided = f"{work.tenant.id}|{case.id}|{case.facts.get('decided_at', '')}"
    return hashlib.sha256(decided.encode()).hexdigest()[:20]


def _ours(work: Background, case: Case) -> Appointment | None:
    return work.appointments.appointment(work.tenant.id, case.appointment) if case.appointment else None


def _read(work: Background, uid: str) -> Booking | None:
    """The booking; None: Cal.com has none.

    Raises:
        CalendarSilent: it does not say.
    """
    read = work.calendar.booking(uid, deadline=work.deadline) if uid else NotThere("")
    if isinstance(read, Booking):
        return read
    if isinstance(read, NotThere):
        return None
    raise CalendarSilent


def _close(work: Background, cases: Cases, case: Case, ending: Ending, why: str) -> Case:
    return _write(work, cases, case, state=CaseState.CLOSED, ending=ending, why=why, decision="", due=None)[0]


def _back(work: Background, cases: Cases, case: Case, why: str) -> Case:
    return _write(work, cases, case, state=CaseState.REVIEW, why=why, decision="", due=None)[0]


def _write(work: Background, cases: Cases, before: Case, **changes: Any) -> tuple[Case, bool]:
    """The case as it is stored then; False: somebody else was faster, and goes on with it."""
    now = work.clock.now()
    after = replace(before, changed_at=now, **changes)
    if not cases.change(work.tenant.id, before, after, now=now):
        return before, False
    return replace(after, version=before.version + 1), True
