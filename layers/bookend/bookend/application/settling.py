"""Settle an operation whose outcome nobody knows: look it up at Cal.com, then confirm it, undo it, release it, or wait.

Absence proves nothing for a while: a request we gave up on may be carried out minutes later, and Cal.com's reads lag
behind its writes (contracts: calcom-observed 2). Only after the settle time, and after more than one look, is "not
there" believed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from bookend.application import alerts as alert
from bookend.application.background import Background
from bookend.application.own_bookings import expected_booking, look_up
from bookend.application.ports import (
    BookingHasOwner,
    Cancelled,
    Confirmed,
    Job,
    Queue,
    Released,
    Superseded,
)
from bookend.domain.answers import Answered, Booking, Expected, NotThere, Verdict, judge
from bookend.domain.appointment import Appointment, AppointmentState, BookedSegment, Told
from bookend.domain.drift import DEAD

SETTLE = timedelta(seconds=180)
"""How long after its start an operation may still take effect at Cal.com: above the longest request seen (125 s)."""
AGAIN = timedelta(seconds=30)
"""How soon something that is not settled is looked at again; its absence must have been seen twice, so far apart."""
JOB_AGAIN = timedelta(seconds=60)
"""How soon a job looks again; the sweeper may have been there meanwhile, which does no harm."""
MOST_JOBS = 15
"""How often a job comes back: until an operator has been told that it is stuck."""
STUCK = timedelta(minutes=15)
"""After this long an operator is told that something does not end."""
EXISTING = "existing"
NEVER_ARRIVED = "never_arrived"
UNDONE = "wrong"
CANCEL_REASON = "Automatisch storniert: die Buchung entsprach nicht der Anfrage."
_LONGEST_CHAIN = 10
"""How many moves of one booking are followed in a row."""


class Settled(StrEnum):
    """What became of it."""

    CONFIRMED = "confirmed"
    RELEASED = "released"
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
        case _:
            return Settled.NOTHING_TO_DO


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
    live = [each for each in ours if each.status not in DEAD]
    segment = appointment.segments[0]
    expected = expected_booking(work.tenant, appointment, segment)
    for booking in live:
        if judge(Answered(booking), expected, now=work.clock.now()).verdict is Verdict.OK:
            return _confirm(work, appointment, segment, booking)
    moved = [each for each in ours if each.rescheduled_from is not None or each.rescheduled_to is not None]
    if moved:
        return _moved_meanwhile(work, appointment, segment, moved, expected)
    if live:
        return _undo(work, appointment, segment, live[0])
    gone = bool(ours)
    now = work.clock.now()
    if gone or _is_gone(appointment, now=now):
        return _release(work, appointment, "cancelled_there" if gone else NEVER_ARRIVED)
    return _wait(work, appointment, absent=now)


def _moved_meanwhile(
    work: Background, appointment: Appointment, segment: BookedSegment, moved: list[Booking], expected: Expected
) -> Settled:
    """Others moved it before we knew of it: it is the customer's all the same. Confirmed as it was, it is followed."""
    root = next((each for each in moved if each.rescheduled_from is None), None)
    if root is None:
        return _wait(work, appointment)  # where it came from is not shown yet
    now_is = root
    for _ in range(_LONGEST_CHAIN):
        if now_is.rescheduled_to is None:
            break
        successor = work.calendar.booking(now_is.rescheduled_to, deadline=work.deadline)
        if not isinstance(successor, Booking):
            return _wait(work, appointment)
        now_is = successor
    if now_is.status != "accepted":
        return _release(work, appointment, "cancelled_there")
    as_it_was = replace(root, status="accepted")
    if judge(Answered(as_it_was), expected, now=work.clock.now()).verdict is Verdict.OK:
        return _confirm(work, appointment, segment, as_it_was)
    return _undo(work, appointment, segment, now_is)


def _confirm(work: Background, appointment: Appointment, segment: BookedSegment, booking: Booking) -> Settled:
    outcome = work.appointments.confirm(
        work.tenant.id, appointment, {segment.index: booking}, told=appointment.told, now=work.clock.now()
    )
    match outcome:
        case Confirmed():
            return Settled.CONFIRMED
        case BookingHasOwner(_):
            return _undo(work, appointment, segment, booking)
        case Superseded(_):
            return Settled.WAITING
        case other:
            assert_never(other)


def _undo(work: Background, appointment: Appointment, segment: BookedSegment, booking: Booking) -> Settled:
    raised = alert.wrong_booking(appointment, "found later, not as asked", Answered(booking))
    marked = work.appointments.must_undo(
        work.tenant.id, appointment, {segment.index: booking}, why=UNDONE, alert=raised, now=work.clock.now()
    )
    if isinstance(marked, BookingHasOwner):
        work.alerts.raise_(alert.foreign_booking(appointment, Answered(booking), owner=marked.appointment))
        return _release(work, appointment, EXISTING)
    work.alerts.raise_(raised)
    if not marked:
        return Settled.WAITING
    now_is = work.appointments.appointment(work.tenant.id, appointment.id)
    return _take_back(work, now_is) if now_is is not None else Settled.NOTHING_TO_DO


def _take_back(work: Background, appointment: Appointment) -> Settled:
    """Cancel what must go, and free the time only once Cal.com has agreed to all of it.

    Found by metadata, not only by the uids on record: what was booked and never heard of must go too. A 404 counts only
    after the settle time and a second time: a replica that lags says so of bookings that exist.
    """
    ours = look_up(appointment, calendar=work.calendar, deadline=work.deadline)
    if ours is None:
        return _wait(work, appointment)
    known = {segment.uid for segment in appointment.segments if segment.uid is not None}
    live = {each.uid for each in ours if each.status not in DEAD}
    for uid in sorted(live | (known - {each.uid for each in ours})):
        if work.adoptions.owner(work.tenant.id, uid) not in {None, appointment.id}:
            continue  # somebody has it, whatever it is labelled: never taken away for us
        outcome = work.calendar.cancel(uid, CANCEL_REASON, deadline=work.deadline)
        if isinstance(outcome, NotThere) and not _is_gone(appointment, now=work.clock.now()):
            return _wait(work, appointment, absent=work.clock.now())
        if not isinstance(outcome, Cancelled | NotThere):
            return _wait(work, appointment)
    return _release(work, appointment, UNDONE)


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
    )
    return Settled.RELEASED if isinstance(outcome, Released) else Settled.WAITING


def _wait(work: Background, appointment: Appointment, *, absent: datetime | None = None) -> Settled:
    now = work.clock.now()
    if now - appointment.created_at >= STUCK:
        work.alerts.raise_(alert.stuck(appointment))
    work.appointments.postpone(work.tenant.id, appointment, until=now + AGAIN, absent=absent)
    return Settled.WAITING
