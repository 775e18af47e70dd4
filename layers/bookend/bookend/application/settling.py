"""Settle an operation whose outcome nobody knows: look it up at Cal.com, then confirm it, undo it, release it, or wait.

Absence proves nothing for a while: a request we gave up on may be carried out minutes later, and Cal.com's reads lag
behind its writes (contracts: calcom-observed 2). Only after the settle time, and after more than one look, is "not
there" believed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum, StrEnum, auto
from typing import assert_never

from bookend.application import alerts as alert
from bookend.application.background import Background
from bookend.application.chain import Endless, Gone, Stands, Unread, end_of_chain, first_of_chain
from bookend.application.change_settling import settle_change
from bookend.application.following import audit_of, put_before_a_person, take_over
from bookend.application.own_bookings import expected_booking, look_up
from bookend.application.patience import AGAIN, SETTLE, STUCK
from bookend.application.ports import (
    BookingHasOwner,
    Cancelled,
    Confirmed,
    Job,
    Queue,
    Released,
    Superseded,
)
from bookend.domain.answers import Answered, Booking, Expected, NotThere, Refused, Verdict, judge
from bookend.domain.appointment import Appointment, AppointmentState, BookedSegment, Told
from bookend.domain.drift import (
    CANCELLED_THERE,
    DEAD,
    LIVE,
    Drift,
    Flag,
    is_edited,
    is_half_of_a_move,
    is_ours,
    is_touched,
    part_of,
    segment_of,
)

JOB_AGAIN = timedelta(seconds=60)
"""How soon a job looks again; the sweeper may have been there meanwhile, which does no harm."""
MOST_JOBS = 15
"""How often a job comes back: until an operator has been told that it is stuck."""
EXISTING = "existing"
NEVER_ARRIVED = "never_arrived"
UNDONE = "wrong"
LET_STAND = "over"
"""What had to go is over, and Cal.com does not cancel what is over."""
UNDO_REASON = "Automatisch storniert: die Buchung entsprach nicht der Anfrage."
PARTS_REASON = "Automatisch storniert: nicht alle Teile des Termins waren frei."


class Settled(StrEnum):
    """What became of it."""

    CONFIRMED = "confirmed"
    RELEASED = "released"
    ENDED = "ended"
    """A move or a cancellation has come to its end."""
    WAITING = "waiting"
    NOTHING_TO_DO = "nothing_to_do"


def settle(work: Background, appointment_id: str) -> Settled:
    """Bring one appointment to an end, or note when to look again.

    May run at any time, any number of times, by several at once: each write names the state it rests on.
    """
    appointment = work.appointments.appointment(work.tenant.id, appointment_id)
    if appointment is None:
        return Settled.NOTHING_TO_DO
    if appointment.lease is not None and work.clock.now() < appointment.lease:
        return Settled.WAITING
    match appointment.state:
        case AppointmentState.PENDING:
            return _find_out(work, appointment)
        case AppointmentState.COMPENSATING:
            return _take_back(work, appointment)
        case AppointmentState.MOVING | AppointmentState.CANCELLING:
            return Settled.ENDED if settle_change(work, appointment) else Settled.WAITING
        case AppointmentState.CONFIRMED | AppointmentState.FAILED | AppointmentState.CANCELLED:
            return Settled.NOTHING_TO_DO
        case other:
            assert_never(other)


def settle_again(job: Job, work: Background, queue: Queue) -> Settled:
    """The same for a job, which comes back while there is something to wait for.

    Raises:
        QueueUnavailable: it waits, and the queue does not take it; then this job must come back itself.
    """
    ended = settle(work, job.name)
    if ended is Settled.WAITING and job.attempt < MOST_JOBS:
        queue.send(replace(job, attempt=job.attempt + 1), delay=JOB_AGAIN)
    return ended


def _find_out(work: Background, appointment: Appointment) -> Settled:
    ours = look_up(appointment, calendar=work.calendar, deadline=work.deadline)
    if ours is None:
        return _wait(work, appointment)
    if len(appointment.segments) > 1:
        return _find_out_parts(work, appointment, ours)
    live = [each for each in ours if each.status not in DEAD]
    segment = appointment.segments[0]
    expected = expected_booking(work.tenant, appointment, segment)
    for booking in live:
        if judge(Answered(booking), expected, now=work.clock.now()).verdict is Verdict.OK:
            return _confirm(work, appointment, {segment.index: booking})
    edited = next((each for each in live if is_edited(each, expected, now=work.clock.now())), None)
    if edited is not None and edited.rescheduled_from is None:
        return _confirm_and_follow(work, appointment, segment, edited, now_is=edited)
    moved = [each for each in ours if each.rescheduled_from is not None or each.rescheduled_to is not None]
    if moved:
        return _moved_meanwhile(work, appointment, segment, moved, expected)
    if live:
        return _undo(work, appointment, {segment.index: live[0]}, wrong=live[0])
    if ours:
        return _moved_meanwhile(work, appointment, segment, list(ours), expected)
    now = work.clock.now()
    if _is_gone(appointment, now=now):
        return _release(work, appointment, NEVER_ARRIVED)
    return _wait(work, appointment, absent=now)


def _find_out_parts(work: Background, appointment: Appointment, ours: Collection[Booking]) -> Settled:
    """A composite is confirmed when every part of it has its booking; else all of it is taken back, once the missing
    ones may be believed not to come. Never a part of it.

    What somebody has moved, changed or cancelled meanwhile was made all the same: the whole is confirmed as it was
    asked for, and what became of that part is found, and put before a person, like any other such change.
    """
    found = [*ours, *_known_besides(work, appointment, ours)]
    made: dict[int, Booking] = {}
    wrong: dict[int, Booking] = {}
    for segment in appointment.segments:
        own = [each for each in found if part_of(each) == segment.index or each.uid == segment.uid]
        booking = _made_for(work, appointment, segment, own)
        if booking is not None:
            made[segment.index] = booking
        elif live := [each for each in own if each.status not in DEAD]:
            wrong[segment.index] = live[0]
    now = work.clock.now()
    if wrong:
        return _undo(work, appointment, made | wrong, wrong=next(iter(wrong.values())))
    if len(made) == len(appointment.segments):
        if any(each.status not in DEAD or each.rescheduled_to is not None for each in made.values()):
            return _confirm_and_follow_parts(work, appointment, made)
        if any(is_half_of_a_move(each, now=now) for each in made.values()):
            return _wait(work, appointment)
        return _release(work, appointment, CANCELLED_THERE)
    if not _is_gone(appointment, now=now):
        return _wait(work, appointment, absent=now)
    return _undo(work, appointment, made, wrong=None) if found else _release(work, appointment, NEVER_ARRIVED)


def _known_besides(work: Background, appointment: Appointment, ours: Collection[Booking]) -> list[Booking]:
    """Bookings that are on record as its parts', and which the look did not show."""
    seen = {each.uid for each in ours}
    missed = [each.uid for each in appointment.segments if each.uid is not None and each.uid not in seen]
    read = [work.calendar.booking(uid, deadline=work.deadline) for uid in missed]
    return [each for each in read if isinstance(each, Booking)]


def _made_for(
    work: Background, appointment: Appointment, segment: BookedSegment, own: Collection[Booking]
) -> Booking | None:
    """The booking that was made for a part: as asked, or ours and somebody's by now. None: there is none such."""
    expected, now = expected_booking(work.tenant, appointment, segment), work.clock.now()
    for each in own:
        if judge(Answered(each), expected, now=now).verdict is Verdict.OK:
            return each
    moved = [each for each in own if each.rescheduled_from is not None]
    root = _root(work, moved) if moved else None
    for each in (*own, *([root] if root is not None else [])):
        is_root = each.rescheduled_from is None and is_ours(each, expected, now=now)
        if is_root and (each.status in DEAD or is_edited(each, expected, now=now)):
            return each
    return None


def _moved_meanwhile(
    work: Background, appointment: Appointment, segment: BookedSegment, moved: list[Booking], expected: Expected
) -> Settled:
    """Others moved or cancelled it before we knew of it. Moved, it is the customer's all the same: confirmed as it was
    asked for, and followed to where it stands.
    """
    root = _root(work, moved)
    if root is None:
        return _wait(work, appointment)  # where it came from is not shown yet
    match end_of_chain(work, appointment, root):
        case Gone():
            return _release(work, appointment, CANCELLED_THERE)
        case Stands(now_is) if now_is.status == LIVE and is_ours(root, expected, now=work.clock.now()):
            return _confirm_and_follow(work, appointment, segment, root, now_is=now_is)
        case Endless():
            put_before_a_person(work, Flag(root, Drift.CHAIN, appointment))
            return _wait(work, appointment)
        case Stands() | Unread():  # theirs to confirm yet, or labelled by somebody else: never taken away for us
            return _wait(work, appointment)
        case other:
            assert_never(other)


def _root(work: Background, moved: list[Booking]) -> Booking | None:
    """The booking that the moves began with. It may stand on a day that was not searched, if it was edited before it
    was moved: then it is read by its uid. None: that cannot be read.
    """
    return first_of_chain(work, next((each for each in moved if each.rescheduled_from is None), moved[0]))


def _confirm_and_follow(
    work: Background, appointment: Appointment, segment: BookedSegment, made: Booking, *, now_is: Booking
) -> Settled:
    """Ours, and somebody's by now: what we asked for is confirmed, then what they made of it is taken over."""
    ended = _confirm(work, appointment, {segment.index: made})
    confirmed = work.appointments.appointment(work.tenant.id, appointment.id) if ended is Settled.CONFIRMED else None
    if confirmed is None or confirmed.state is not AppointmentState.CONFIRMED:
        return ended
    take_over(work, confirmed, confirmed.segments[0], now_is)
    return ended


def _confirm_and_follow_parts(work: Background, appointment: Appointment, made: Mapping[int, Booking]) -> Settled:
    """The same of a composite. What was moved on or cancelled is left to whoever looks at that booking next."""
    ended = _confirm(work, appointment, made)
    asked = {each.index: expected_booking(work.tenant, appointment, each) for each in appointment.segments}
    now = work.clock.now()
    differing = {
        index: booking
        for index, booking in made.items()
        if booking.status == LIVE and judge(Answered(booking), asked[index], now=now).verdict is not Verdict.OK
    }
    for index, booking in differing.items() if ended is Settled.CONFIRMED else ():
        confirmed = work.appointments.appointment(work.tenant.id, appointment.id)
        if confirmed is None or confirmed.state is not AppointmentState.CONFIRMED:
            break
        own = next((each for each in confirmed.segments if each.index == index), None)
        if own is not None:
            take_over(work, confirmed, own, booking)
    return ended


def _confirm(work: Background, appointment: Appointment, bookings: Mapping[int, Booking]) -> Settled:
    """Every part has its booking; a plain appointment is one part."""
    booked = tuple(
        replace(each, uid=bookings[each.index].uid, booking_id=bookings[each.index].id) for each in appointment.segments
    )
    after = replace(appointment, state=AppointmentState.CONFIRMED, segments=booked)
    first = bookings[appointment.segments[0].index]
    outcome = work.appointments.confirm(
        work.tenant.id,
        appointment,
        bookings,
        told=appointment.told,
        now=work.clock.now(),
        audit=audit_of(work, Drift.UNSETTLED, "confirm", first, before=appointment, after=after),
    )
    match outcome:
        case Confirmed():
            return Settled.CONFIRMED
        case BookingHasOwner(_, segment):
            return _undo(work, appointment, bookings, wrong=bookings[segment])
        case Superseded(_):
            return Settled.WAITING
        case other:
            assert_never(other)


def _undo(
    work: Background, appointment: Appointment, bookings: Mapping[int, Booking], *, wrong: Booking | None
) -> Settled:
    """Take back what was made. `wrong` is the one that is not as asked; None: there is too little of it."""
    raised = None
    if wrong is not None:
        raised = alert.wrong_booking(appointment, "found later, not as asked", Answered(wrong))
    left = dict(bookings)
    while True:
        marked = work.appointments.must_undo(
            work.tenant.id,
            appointment,
            left,
            why=UNDONE if wrong is not None else NEVER_ARRIVED,
            alert=raised,
            now=work.clock.now(),
            audit=audit_of(
                work,
                Drift.UNSETTLED,
                "undo",
                wrong or next(iter(left.values()), None),
                before=appointment,
                after=replace(appointment, state=AppointmentState.COMPENSATING),
            ),
        )
        if not isinstance(marked, BookingHasOwner):
            break
        theirs = Answered(left.pop(marked.segment))
        work.alerts.raise_(alert.foreign_booking(appointment, theirs, owner=marked.appointment))
        if len(appointment.segments) == 1:
            return _release(work, appointment, EXISTING)
    if raised is not None:
        work.alerts.raise_(raised)
    if not marked:
        return Settled.WAITING
    now_is = work.appointments.appointment(work.tenant.id, appointment.id)
    return _take_back(work, now_is) if now_is is not None else Settled.NOTHING_TO_DO


def _take_back(work: Background, appointment: Appointment) -> Settled:
    """Cancel what must go, and free the time only once Cal.com has agreed to all of it.

    Found by metadata, not only by the uids on record: what was booked and never heard of must go too. A 404 counts only
    after the settle time and a second time: a replica that lags says so of bookings that exist. What somebody has
    moved or changed since, and what is over so that Cal.com cancels it no more, stands, and is put before a person.
    """
    ours = look_up(appointment, calendar=work.calendar, deadline=work.deadline)
    if ours is None:
        return _wait(work, appointment)
    known = {segment.uid for segment in appointment.segments if segment.uid is not None}
    seen = {each.uid: each for each in ours}
    live = {each.uid for each in ours if each.status not in DEAD}
    went = {_let_go(work, appointment, uid, seen.get(uid)) for uid in sorted(live | (known - seen.keys()))}
    now = work.clock.now()
    if _Went.NOT_YET in went:
        return _wait(work, appointment)
    may_come = len(appointment.segments) > 1 and _may_come(appointment, ours)
    if (_Went.NOT_SHOWN in went or may_come) and not _is_gone(appointment, now=now):
        return _wait(work, appointment, absent=now)
    if _Went.STANDS in went:
        return _release(work, appointment, LET_STAND)
    is_composite = len(appointment.segments) > 1  # it may be undone for what a caller is told of
    return _release(work, appointment, (appointment.why or UNDONE) if is_composite else UNDONE)


class _Went(Enum):
    """What became of a booking that has to go."""

    AWAY = auto()
    """Cancelled; or somebody's, whatever it is labelled, and never taken away for us."""
    STANDS = auto()
    """It is over, and Cal.com cancels it no more."""
    NOT_SHOWN = auto()
    NOT_YET = auto()


def _let_go(work: Background, appointment: Appointment, uid: str, seen: Booking | None) -> _Went:
    """Cancel one booking. What somebody has moved or changed since stands, and is put before a person."""
    if work.adoptions.owner(work.tenant.id, uid) not in {None, appointment.id}:
        return _Went.AWAY
    if seen is not None and is_touched(seen) and _is_of(work, appointment, seen):
        put_before_a_person(work, Flag(seen, Drift.TAKEN_OVER, appointment))
        return _Went.AWAY
    reason = UNDO_REASON if len(appointment.segments) == 1 else PARTS_REASON
    outcome = work.calendar.cancel(uid, reason, deadline=work.deadline)
    if isinstance(outcome, Refused):
        left = seen or work.calendar.booking(uid, deadline=work.deadline)
        if isinstance(left, Booking) and left.end <= work.clock.now():
            put_before_a_person(work, Flag(left, Drift.REFUSED, appointment))
            return _Went.STANDS
    if isinstance(outcome, Cancelled):
        return _Went.AWAY
    return _Went.NOT_SHOWN if isinstance(outcome, NotThere) else _Went.NOT_YET


def _is_of(work: Background, appointment: Appointment, booking: Booking) -> bool:
    """Whether this operation made the booking, for the part that it names."""
    expected = expected_booking(work.tenant, appointment, segment_of(appointment, booking))
    return is_ours(booking, expected, now=work.clock.now())


def _may_come(appointment: Appointment, ours: Collection[Booking]) -> bool:
    """Whether a part has no booking that is known of: it was refused, or it is on its way."""
    known = {part_of(each) for each in ours}
    return any(each.uid is None and each.index not in known for each in appointment.segments)


def _is_gone(appointment: Appointment, *, now: datetime) -> bool:
    """Whether what is not there now may be believed: late enough, and not for the first time."""
    absent = appointment.absent_since
    seen_twice = absent is not None and now - absent >= AGAIN
    return seen_twice and now - appointment.created_at >= SETTLE


def _release(work: Background, appointment: Appointment, why: str) -> Settled:
    outcome = work.appointments.release(
        work.tenant.id,
        appointment,
        why=why,
        answer="",
        alert=None,
        now=work.clock.now(),
        # Who was told nothing may have been told "noch offen" in a breath that could not be written down.
        owes_text=appointment.told in {Told.NOTHING, Told.PENDING},
        told=appointment.told,
        audit=audit_of(
            work,
            Drift.UNSETTLED,
            "release",
            None,
            before=appointment,
            after=replace(appointment, state=AppointmentState.FAILED),
        ),
    )
    return Settled.RELEASED if isinstance(outcome, Released) else Settled.WAITING


def _wait(work: Background, appointment: Appointment, *, absent: datetime | None = None) -> Settled:
    now = work.clock.now()
    work.appointments.postpone(work.tenant.id, appointment, until=now + AGAIN, absent=absent)
    if now - appointment.created_at >= STUCK:
        raised = alert.stuck(appointment)
        if work.adoptions.flag(work.tenant.id, raised, about=f"stuck-{appointment.id}-{now:%Y-%m-%d}", now=now):
            work.alerts.raise_(raised)
    return Settled.WAITING
