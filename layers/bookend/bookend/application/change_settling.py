"""Bring a move or a cancellation to its end that nobody waits for any more: look at Cal.com, then finish, repeat or
give up.

A cancellation that was confirmed is repeated until it is done: it is never undone by booking anew. A move is tried
again only if its caller agreed, and only once it is sure that the last try did nothing: of two moves of one booking
Cal.com makes two.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from bookend.application import alerts as alert
from bookend.application.background import Background
from bookend.application.change_commit import CANCEL_REASON, MOVE_REASON, TAKEN
from bookend.application.following import follow, put_before_a_person
from bookend.application.own_bookings import LONGEST_CHAIN, expected_move
from bookend.application.ports import Alert, Audit, Cancelled
from bookend.domain.answers import (
    Answered,
    Booking,
    CreateAnswer,
    KeyRejected,
    NotSent,
    NotThere,
    Refused,
    Unclear,
    Verdict,
)
from bookend.domain.appointment import Appointment, AppointmentState, Change, ChangeKind, Told
from bookend.domain.drift import DEAD, Drift, Flag, Follow, change_of
from bookend.domain.failures import FailureClass, failure_of
from bookend.domain.move_answers import judge_move, judge_moved
from bookend.domain.policy import may_cancel, may_move, policy_of
from bookend.domain.timeslot import instant_text

SETTLE = timedelta(seconds=180)
"""How long after it was sent a request may still take effect: above the longest seen (125 s)."""
AGAIN = timedelta(seconds=30)
LEASE = timedelta(seconds=20)
"""How long a repeated request may be at work before somebody else looks."""
STUCK = timedelta(minutes=15)


def settle_change(work: Background, appointment: Appointment) -> bool:
    """Bring the change of one appointment to its end, or note when to look again; whether it has ended.

    May run at any time, any number of times, by several at once: each write names the change it rests on.
    """
    change = _change_of(appointment)
    seen = work.calendar.booking(appointment.segments[0].uid or "", deadline=work.deadline)
    if not isinstance(seen, Booking):
        return _wait(work, appointment)  # a 404 too: reads lag, and what stands there is the customer's
    if seen.status in DEAD:
        successor = _successor(work, seen)
        if successor is None:
            return _wait(work, appointment)
        return _gone(work, appointment, seen) if successor is seen else _elsewhere(work, appointment, successor)
    if _edited(appointment, seen):
        return _give_up(work, appointment, "changed_there", now_is=seen)
    if change.kind is ChangeKind.CANCEL:
        return _cancel_again(work, appointment)
    return _not_moved_yet(work, appointment)


def _successor(work: Background, seen: Booking) -> Booking | None:
    """Where it was moved to, at the end of the chain; itself if nowhere. None: that cannot be read now."""
    for _ in range(LONGEST_CHAIN):
        if seen.status not in DEAD or seen.rescheduled_to is None:
            return seen
        found = work.calendar.booking(seen.rescheduled_to, deadline=work.deadline)
        if not isinstance(found, Booking):
            return None
        seen = found
    return None


def _edited(appointment: Appointment, seen: Booking) -> bool:
    """Whether somebody has changed the booking where it stands: what was confirmed was another appointment."""
    own = appointment.segments[0]
    hosted = own.host is None or seen.host == own.host
    return (seen.start, seen.end) != (own.slot.start, own.slot.end) or not hosted


def _elsewhere(work: Background, appointment: Appointment, now_is: Booking) -> bool:
    """It was moved: by us, then this is its end; by others, then our own wish is void, and both sides are compared."""
    change = _change_of(appointment)
    if now_is.status in DEAD:
        return _gone(work, appointment, now_is)
    if change.kind is ChangeKind.CANCEL:
        return _give_up(work, appointment, "moved_meanwhile", now_is=now_is)
    expected = replace(expected_move(work.tenant, appointment), sent_at=None)
    judgement = judge_moved(now_is, expected, now=work.clock.now())
    as_wanted = now_is.rescheduled_from == expected.old_uid and now_is.start == expected.slot.start
    if judgement.verdict is Verdict.OK or (as_wanted and now_is.host == expected.host):
        if judgement.verdict is not Verdict.OK:  # its length is another: it stands there, and a person must know
            raised = alert.wrong_booking(replace(appointment, op=change.op), judgement.why, Answered(now_is))
            work.alerts.raise_(raised)
        audit = _audit(work, "move", now_is, appointment)
        done = work.changes.moved(work.tenant.id, appointment, now_is, audit=audit, now=work.clock.now())
        if done:
            _compare(work, appointment, now_is)
        return done
    return _give_up(work, appointment, "moved_elsewhere", now_is=now_is)


def _gone(work: Background, appointment: Appointment, seen: Booking) -> bool:
    """Cancelled there. Of a move that may be half of what there is to see, so it is looked at a second time."""
    change = _change_of(appointment)
    half = change.kind is ChangeKind.MOVE and not seen.called_off
    if half and not _seen_twice(change, now=work.clock.now()):
        return _wait(work, appointment, absent=work.clock.now())
    audit = _audit(work, "cancel", seen, appointment)
    return work.changes.cancelled(work.tenant.id, appointment, booking=seen, audit=audit, now=work.clock.now())


# Cancelling


def _cancel_again(work: Background, appointment: Appointment) -> bool:
    change, now = _change_of(appointment), work.clock.now()
    if appointment.slot.start <= now:
        return _give_up(work, appointment, "too_late", flag=True)
    if change.keep_until is not None and _cannot_happen_any_more(change, now=now):
        policy = policy_of(work.tenant, service=appointment.service, staff=appointment.staff)
        if now >= change.keep_until or may_cancel(policy, now=now, slot=appointment.slot) is not None:
            return _give_up(work, appointment, "too_late")
    sending = work.changes.sent(work.tenant.id, appointment, lease=now + LEASE, now=now)
    if sending is None:
        return False  # somebody else is at it
    uid = sending.segments[0].uid or ""
    answer = work.calendar.cancel(uid, CANCEL_REASON, deadline=work.deadline)
    match answer:
        case Cancelled():
            audit = _audit(work, "cancel", None, sending)
            return work.changes.cancelled(work.tenant.id, sending, booking=None, audit=audit, now=work.clock.now())
        case Refused():
            return _give_up(work, sending, failure_of(answer).value, answer=answer.detail, flag=True)
        case NotSent() | KeyRejected():
            return _wait(work, sending, unsent=_cannot_happen_any_more(change, now=now))
        case Unclear() | NotThere():
            return _wait(work, sending)
        case other:
            assert_never(other)


# Moving


def _not_moved_yet(work: Background, appointment: Appointment) -> bool:
    """It stands where it stood. After a request that proves nothing for a while; then it is sent again, or given up."""
    change, now = _change_of(appointment), work.clock.now()
    if change.sent_at is not None and not (_cannot_happen_any_more(change, now=now) and _seen_twice(change, now=now)):
        return _wait(work, appointment, absent=now)
    if change.keep_until is None:
        return _give_up(work, appointment, "never_arrived")
    policy = policy_of(work.tenant, service=appointment.service, staff=appointment.staff)
    refusal = may_move(policy, now=now, current=appointment.slot, new=change.slot, moves=appointment.moves)
    if now >= change.keep_until or refusal is not None:
        return _give_up(work, appointment, "too_late" if refusal is None else FailureClass.POLICY.value)
    return _move_again(work, appointment)


def _move_again(work: Background, appointment: Appointment) -> bool:
    now = work.clock.now()
    sending = work.changes.sent(work.tenant.id, appointment, lease=now + LEASE, now=now)
    if sending is None:
        return False  # somebody else is at it
    uid, slot = sending.segments[0].uid or "", _change_of(sending).slot
    answer = work.calendar.reschedule(uid, slot.start, MOVE_REASON, deadline=work.deadline)
    expected = replace(expected_move(work.tenant, sending), sent_at=now)
    judgement = judge_move(answer, expected, now=work.clock.now(), after_unknown=False)
    match judgement.verdict:
        case Verdict.OK if isinstance(answer, Answered):
            audit = _audit(work, "move", answer.booking, sending)
            return work.changes.moved(work.tenant.id, sending, answer.booking, audit=audit, now=work.clock.now())
        case Verdict.REJECT:
            return _give_up(work, sending, TAKEN, answer=_detail(answer))
        case Verdict.REFUSED:
            return _give_up(work, sending, judgement.why, answer=_detail(answer), flag=True)
        case Verdict.NOT_SENT | Verdict.CONFIG:
            return _wait(work, sending, unsent=True)  # what was sent before was waited for already
        case _:  # nothing is certain yet
            return _wait(work, sending)


# What both have in common


def _give_up(
    work: Background,
    appointment: Appointment,
    why: str,
    *,
    answer: str = "",
    flag: bool = False,
    now_is: Booking | None = None,
) -> bool:
    """It stands where it stands, and its caller hears so. `now_is`: where others have put it meanwhile."""
    change = _change_of(appointment)
    raised: Alert | None = alert.request_refused(replace(appointment, op=change.op), why) if flag else None
    if raised is not None:
        work.alerts.raise_(raised)
    ended = work.changes.given_up(
        work.tenant.id,
        appointment,
        why=why,
        # Who was told nothing may have been told that it is open, in a breath that could not be written down.
        owes_text=change.told in {Told.NOTHING, Told.PENDING},
        answer=answer,
        alert=raised,
        audit=_audit(work, f"not_{change.kind.value}", None, appointment),
        now=work.clock.now(),
    )
    if ended and now_is is not None:
        _compare(work, appointment, now_is)
    return ended


def _compare(work: Background, appointment: Appointment, now_is: Booking) -> None:
    """What others have made of it is taken over at once; whoever is faster, or a later run, does the same."""
    stands = work.appointments.appointment(work.tenant.id, appointment.id)
    if stands is None or stands.state is not AppointmentState.CONFIRMED:
        return
    change = change_of(stands, stands.segments[0], now_is, work.tenant)
    if isinstance(change, Follow):
        follow(work, change)
    elif isinstance(change, Flag):
        put_before_a_person(work, change)


def _wait(work: Background, appointment: Appointment, *, absent: datetime | None = None, unsent: bool = False) -> bool:
    now, change = work.clock.now(), _change_of(appointment)
    kept = change.keep_until is not None and now < change.keep_until
    if now - change.since >= STUCK and not kept:
        raised = alert.stuck(replace(appointment, op=change.op))
        about = f"stuck-{change.op}"
        if work.adoptions.flag(work.tenant.id, raised, about=about, now=now):
            work.alerts.raise_(raised)
    work.changes.postpone(work.tenant.id, appointment, until=now + AGAIN, absent=absent, unsent=unsent)
    return False


def _cannot_happen_any_more(change: Change, *, now: datetime) -> bool:
    """Whether no request that was sent can still take effect: none was, or the last one is too long ago."""
    return change.sent_at is None or now - change.sent_at >= SETTLE


def _seen_twice(change: Change, *, now: datetime) -> bool:
    return change.absent_since is not None and now - change.absent_since >= AGAIN


def _audit(work: Background, repair: str, booking: Booking | None, appointment: Appointment) -> Audit:
    """What the background did about a change: ids, states and instants, never people."""
    change = _change_of(appointment)
    stands = "; ".join(
        f"{each.staff} {instant_text(each.slot.start)} {each.uid or '-'}" for each in appointment.segments
    )
    wanted = "; ".join(f"{each.staff} {instant_text(each.slot.start)}" for each in change.segments)
    return Audit(
        drift=Drift.UNSETTLED.value,
        repair=repair,
        booking=booking.uid if booking is not None else appointment.segments[0].uid or "",
        appointment=appointment.id,
        before={"state": appointment.state.value, "segments": stands, "op": change.op},
        after={"wanted": wanted, "seen": booking.uid if booking is not None else ""},
        by=work.by,
    )


def _change_of(appointment: Appointment) -> Change:
    """The change that is under way.

    Raises:
        ValueError: none is.
    """
    if appointment.change is None:
        msg = "no change is under way"
        raise ValueError(msg)
    return appointment.change


def _detail(answer: CreateAnswer) -> str:
    match answer:
        case Answered(booking):
            return f"booking {booking.uid}"
        case Refused(detail=detail) | Unclear(detail=detail) | NotSent(detail=detail):
            return detail
        case KeyRejected(detail=detail) | NotThere(detail=detail):
            return detail
