"""A move or a cancellation that a person has decided: of an appointment of ours, or of the booking that a row names."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from bookend.application.background import Background
from bookend.application.booking_numbers import BookingNumbers
from bookend.application.case_looking import Looking
from bookend.application.case_parts import take_in_parts
from bookend.application.case_records import (
    ABSENT_SINCE,
    again,
    back,
    close,
    not_gone_yet,
    ours,
    read,
    while_decided,
    write,
)
from bookend.application.case_taking import NotTaken, owner_of, take_in
from bookend.application.change_settling import settle_change
from bookend.application.following import audit_of
from bookend.application.patience import AGAIN
from bookend.application.ports import Begun, CalendarTrouble, NotBegun
from bookend.application.ports.cases import Cases
from bookend.application.settling import settle
from bookend.domain.answers import Booking, NotThere
from bookend.domain.appointment import (
    Appointment,
    AppointmentState,
    BookedSegment,
    Change,
    ChangeEnd,
    ChangeKind,
    Told,
    WishedBy,
)
from bookend.domain.case_parts import PARTS, is_gathered_for, numbers_by_kind, uids_named
from bookend.domain.case_wishes import Wanted, read_wanted
from bookend.domain.cases import Case, CaseOrigin, Ending
from bookend.domain.drift import DEAD, LIVE, Drift
from bookend.domain.remedies import RETRY
from bookend.domain.reviews import NOBODY_SAYS, Whose, names_a_booking, whose
from bookend.domain.staff_day import StaffDays
from bookend.domain.timeslot import instant_text, parse_instant

TRIED_FOR = timedelta(minutes=15)
"""How long a change that a person decided is tried while Cal.com does not answer."""
NOT_FREE = "the new time is not free here"
NOT_OURS = "its booking is with nobody of ours: put it right at Cal.com, then take-theirs"
_LEASE = timedelta(seconds=20)


def change_it(work: Background, cases: Cases, case: Case, kind: ChangeKind, to: datetime | None) -> Case:
    """A move or cancellation of what stands, like a caller's; of what stands nowhere here: `_of_a_row`."""
    appointment, op = ours(work, case), _op(work, case)
    if appointment is None or appointment.state is AppointmentState.FAILED:
        if case.origin is CaseOrigin.IMPORT:
            return _of_a_row(work, cases, case, kind, to)
        if to is not None:
            return back(work, cases, case, "there is no appointment of ours to move")
        return close(work, cases, case, Ending.CANCELLED, "it was never booked")
    if appointment.state is AppointmentState.CANCELLED:
        return close(work, cases, case, Ending.CANCELLED, "cancelled on both sides")
    change, last = appointment.change, appointment.last_change
    if change is not None and change.op == op:
        _bring_on(work, appointment)
    elif change is not None:
        return case  # the next run goes on with it
    elif last is not None and last.op == op:
        if last.end is ChangeEnd.DONE:
            return _moved(work, cases, case, appointment)
        return back(work, cases, case, f"it could not be done: {last.why.value or 'Cal.com refuses'}")
    elif str(appointment.version) != case.facts.get("decided_on"):
        return back(work, cases, case, "the appointment has changed since this was decided")
    else:
        begun = _begin(while_decided(work, case), appointment, kind, op, _place(case, appointment, to))
        if isinstance(begun, str):
            return back(work, cases, case, begun)
        settle_change(work, begun)
    now_is = ours(work, case)
    if now_is is None or now_is.change is not None or now_is.version == appointment.version:
        return case  # the next run goes on with it
    return change_it(work, cases, case, kind, to)


def _of_a_row(work: Background, cases: Cases, case: Case, kind: ChangeKind, to: datetime | None) -> Case:
    """Nothing of it stands here; but the booking it names may stand at Cal.com.

    If that is its own it becomes an appointment first, and goes or moves from there like any other. Another's stays. Of
    a composite service all of its own are one appointment, and go together.
    """
    looking, wanted = Looking(work, BookingNumbers(work.calendar, work.clock)), read_wanted(case, work.tenant)
    if isinstance(wanted, Wanted) and len(wanted.slots) > 1:
        done = _of_parts(work, cases, case, wanted, looking.live_named(case), kind, to)
        if done is not None:
            return done
    booking = looking.named(case)
    why = "it was never booked"
    if booking is None and names_a_booking(case):
        waits = not_gone_yet(work, cases, case)
        if waits is not None:
            return waits
        why = "Cal.com has no booking of it"
    elif booking is not None and booking.status in DEAD:
        why = "its booking is cancelled there"
    elif booking is not None:
        match whose(case, booking, owner_of(work, booking)):
            case Whose.ITS_OWN:
                return _taken_in(work, cases, case, booking, kind, to)
            case Whose.UNTOLD:
                return back(work, cases, case, NOBODY_SAYS)
            case Whose.ANOTHERS:
                why = "it has no booking; the one it names is another's, and stays"
            case other:
                assert_never(other)
    if to is None:
        return close(work, cases, case, Ending.CANCELLED, why)
    facts = {name: text for name, text in case.facts.items() if name not in {"booking_id", ABSENT_SINCE}}
    return again(work, cases, replace(case, facts=facts, booking=""), start=instant_text(to))


def _of_parts(  # noqa: PLR0917 - the decision, and what was read for it
    work: Background,
    cases: Cases,
    case: Case,
    wanted: Wanted,
    live: Sequence[Booking],
    kind: ChangeKind,
    to: datetime | None,
) -> Case | None:
    """Of the bookings of a composite service that live, its own become one appointment, wherever each stands. None: it
    has none.
    """
    own = []
    for each in live:
        owner = owner_of(work, each)
        match whose(case, each, None if owner is not None and is_gathered_for(case, owner) else owner):
            case Whose.ITS_OWN:
                own.append(each)
            case Whose.UNTOLD:
                return back(work, cases, case, NOBODY_SAYS)
            case Whose.ANOTHERS:
                continue
            case other:
                assert_never(other)
    if not own:
        return None
    if len(live) < len(uids_named(case)) and (waits := not_gone_yet(work, cases, case)) is not None:
        return waits  # the others may be dead, or not be shown
    parts = numbers_by_kind(wanted.service, own)
    if parts is None:
        return back(work, cases, case, "its bookings do not tell which part each is: put them right at Cal.com")
    if any(work.tenant.staff_of_host(each.host) is None or each.status != LIVE for each in own):
        return back(work, cases, case, NOT_OURS)
    customer, service = wanted.customer, wanted.service
    mine, made = take_in_parts(work, cases, case, parts, service=service, customer=customer)
    if made is None or made.state is not AppointmentState.CONFIRMED:
        return mine  # the next run goes on with it
    return change_it(work, cases, mine, kind, to)


def _taken_in(  # noqa: PLR0917 - the decision, and what was read for it
    work: Background, cases: Cases, case: Case, booking: Booking, kind: ChangeKind, to: datetime | None
) -> Case:
    """Owned before it is changed, so that what follows is on record and its events find their home."""
    wanted, tenant = read_wanted(case, work.tenant), work.tenant
    if " " in case.facts.get("bookings", ""):
        return back(work, cases, case, "it has several bookings: put them right at Cal.com, then take-theirs")
    staff = tenant.staff_of_host(booking.host)
    if staff is None:
        return back(work, cases, case, NOT_OURS)
    customer = wanted.customer if isinstance(wanted, Wanted) else case.customer
    service = tenant.service_of_event_type(booking.event_type)
    taken = take_in(work, case, booking, staff=staff, service=service, customer=customer)
    match taken:
        case NotTaken.LATER:
            return case  # the next run goes on with it
        case NotTaken.HAS_ONE:
            return back(work, cases, case, "the customer has the same at that time in another appointment")
        case Appointment() if taken.state is not AppointmentState.CONFIRMED:
            return case  # it is being changed: the next run goes on with it
        case Appointment():
            facts = case.facts | {"decided_on": str(taken.version)}
            mine, stored = write(work, cases, case, appointment=taken.id, booking=booking.uid, facts=facts)
            return change_it(work, cases, mine, kind, to) if stored else case
        case other:
            assert_never(other)


def _bring_on(work: Background, appointment: Appointment) -> None:
    """Settle it; what Cal.com does not know any more is cancelled here, since a person says so and two looks agree."""
    change = appointment.under_way
    absent, now = change.absent_since, work.clock.now()
    if change.kind is ChangeKind.CANCEL and absent is not None and now - absent >= AGAIN:
        answers = [work.calendar.booking(each.uid or "", deadline=work.deadline) for each in appointment.segments]
        if all(isinstance(each, NotThere) or _is_called_off(each) for each in answers):
            audit = audit_of(work, Drift.GHOST_HERE, "cancel", None, before=appointment, after=None)
            work.changes.cancelled(work.tenant.id, appointment, booking=None, told=change.told, audit=audit, now=now)
            return
    settle(work, appointment.id)


def _is_called_off(answer: Booking | CalendarTrouble) -> bool:
    return isinstance(answer, Booking) and answer.status in DEAD and answer.called_off and not answer.rescheduled_to


def _begin(
    work: Background, appointment: Appointment, kind: ChangeKind, op: str, to: datetime | None
) -> Appointment | str:
    """The change on record, before Cal.com is asked; or why it was not begun. Who decided it tells the customer."""
    now = work.clock.now()
    segments, days = _target(work, appointment, to)
    if not all(days.is_free(each.staff, each.slot, now=now, moving=appointment.id) for each in segments):
        return NOT_FREE
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
            wished_by=WishedBy.PERSON,
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


def _target(
    work: Background, appointment: Appointment, to: datetime | None
) -> tuple[tuple[BookedSegment, ...], StaffDays]:
    """Where it shall stand (of a cancellation nowhere), and the stylists' days there."""
    segments: tuple[BookedSegment, ...] = ()
    if to is not None:
        by = to - appointment.slot.start
        segments = tuple(
            replace(each, slot=each.slot.shifted(by), uid=None, booking_id=None, updated_at=None)
            for each in appointment.segments
        )
    wanted = {(each.staff, day) for each in segments for day in each.slot.utc_days()}
    return segments, work.appointments.staff_days(work.tenant.id, wanted)


def _place(case: Case, appointment: Appointment, to: datetime | None) -> datetime | None:
    """Where the appointment begins if the whole that a row tells of begins at `to`: its first part may be missing."""
    if to is None or PARTS not in case.facts or any(each.index == 0 for each in appointment.segments):
        return to
    return to + (appointment.slot.start - parse_instant(case.facts["start"]))


def doubts_of(work: Background, appointment: Appointment, to: datetime | None) -> tuple[str, ...]:
    """What can be told without writing anything that speaks against moving (None: cancelling) it, as it is now.

    Whether Cal.com takes the new time only the move itself can tell: its list of free times leaves out what the
    appointment itself takes.
    """
    now, found = work.clock.now(), not_shown(work, appointment)
    segments, days = _target(work, appointment, to)
    if not all(days.is_free(each.staff, each.slot, now=now, moving=appointment.id) for each in segments):
        return (*found, NOT_FREE)
    return found


def not_shown(work: Background, appointment: Appointment) -> tuple[str, ...]:
    """Which of its own bookings Cal.com does not show as live, one look each, and how."""
    found = list[str]()
    for each in appointment.segments:
        answer = work.calendar.booking(each.uid or "", deadline=work.deadline)
        if isinstance(answer, NotThere):
            found.append(f"Cal.com does not show {each.uid}")
        elif not isinstance(answer, Booking):
            found.append(f"Cal.com does not answer for {each.uid}")
        elif answer.status != LIVE:
            found.append(f"{each.uid} is {answer.status} at Cal.com")
    return tuple(found)


def _moved(work: Background, cases: Cases, case: Case, appointment: Appointment) -> Case:
    """Closed once its bookings were read where they stand now."""
    found = [read(work, each.uid or "") for each in appointment.segments]
    stand = [
        each is not None and (each.status, each.start) == (LIVE, segment.slot.start)
        for each, segment in zip(found, appointment.segments, strict=True)
    ]
    if not all(stand):
        return case  # the next run goes on with it
    service, (_, _, to) = work.tenant.service(appointment.service), case.decision.partition(" ")
    if PARTS in case.facts and service is not None and len(appointment.segments) < len(service.busy):
        # What the other system had booked of it: the rest is booked beside it, where it stands now.
        facts = case.facts | {"start": to}
        return write(work, cases, case, decision=RETRY, due=work.clock.now(), facts=facts, op="")[0]
    return close(work, cases, case, Ending.EQUAL, "moved, and read at Cal.com")


def _op(work: Background, case: Case) -> str:
    """The operation of this decision: the same, however often it is carried on."""
    decided = f"{work.tenant.id}|{case.id}|{case.facts.get('decided_at', '')}"
    return hashlib.sha256(decided.encode()).hexdigest()[:20]
