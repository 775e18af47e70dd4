"""Bring a move or a cancellation to its end that nobody waits for any more: look at Cal.com, then finish, repeat or
give up.

What its caller lets us do later is sent again until then: a cancellation freely, a move only once it is sure that the
last request did nothing, since of two moves of one booking Cal.com makes two. Who was told that nobody knows, and did
not agree, hears how it ended; nothing is sent again. A cancellation whose turn died is finished: its caller said yes,
and heard nothing. It is never undone by booking anew.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from bookend.application import alerts as alert
from bookend.application.background import Background
from bookend.application.chain import where_it_stands
from bookend.application.change_commit import reason_of
from bookend.application.change_ends import (
    LEASE,
    audit_of_change,
    cancel_rule,
    compare,
    did_nothing,
    give_up,
    is_over,
    is_still_sold,
    move_rule,
    wait,
)
from bookend.application.change_parts_settling import settle_parts
from bookend.application.own_bookings import expected_move
from bookend.application.parts_settling import settle_rest
from bookend.application.patience import STUCK
from bookend.application.ports import Cancelled
from bookend.domain.answers import (
    Answered,
    Booking,
    KeyRejected,
    NotSent,
    NotThere,
    Refused,
    Unclear,
    Verdict,
    detail,
)
from bookend.domain.appointment import Appointment, ChangeKind, ChangeWhy, Told
from bookend.domain.drift import DEAD, LIVE
from bookend.domain.failures import failure_of, why_of
from bookend.domain.move_answers import judge_move, judge_moved


def settle_change(work: Background, appointment: Appointment) -> bool:
    """Bring the change of one appointment to its end, or note when to look again; whether it has ended.

    May run at any time, any number of times, by several at once: each write names the change it rests on.
    """
    change = appointment.under_way
    if change.follows is not None:
        return settle_rest(work, appointment)
    if change.sent_at is None and is_over(change, now=work.clock.now()):
        return give_up(work, appointment, ChangeWhy.TOO_LATE)  # nothing was ever sent: that is known without a look
    if len(appointment.segments) > 1:
        return settle_parts(work, appointment)
    seen = work.calendar.booking(appointment.segments[0].uid or "", deadline=work.deadline)
    if not isinstance(seen, Booking):
        return _not_to_be_read(work, appointment, not_there=isinstance(seen, NotThere))
    now_is = where_it_stands(work, appointment, seen)
    if now_is is None:
        return wait(work, appointment)
    if now_is.status in DEAD:
        return _gone(work, appointment, now_is)
    if now_is.uid != seen.uid:
        return _elsewhere(work, appointment, now_is)
    if _edited(appointment, seen):
        return give_up(work, appointment, ChangeWhy.CHANGED_THERE, seen=_as_seen(appointment, seen))
    return _cancel_again(work, appointment) if change.kind is ChangeKind.CANCEL else _not_moved_yet(work, appointment)


def _not_to_be_read(work: Background, appointment: Appointment, *, not_there: bool) -> bool:
    """A 404 alone proves nothing, since reads lag. One that lasts does: the run tells a person of the ghost."""
    change, now = appointment.under_way, work.clock.now()
    waits = now < (change.keep_until or change.since + STUCK)
    if not_there and not waits and did_nothing(change, now=now):
        return give_up(work, appointment, ChangeWhy.NOT_FOUND, flag=True)
    return wait(work, appointment, absent=now if not_there else None)


def _as_seen(appointment: Appointment, booking: Booking) -> dict[int, Booking]:
    return {appointment.segments[0].index: booking}


def _edited(appointment: Appointment, seen: Booking) -> bool:
    """Whether somebody has changed the booking where it stands: what was confirmed was another appointment."""
    own = appointment.segments[0]
    hosted = own.host is None or seen.host == own.host
    return (seen.start, seen.end) != (own.slot.start, own.slot.end) or not hosted


def _elsewhere(work: Background, appointment: Appointment, now_is: Booking) -> bool:
    """It was moved: by us, then this is its end; by others, then our own wish is void, and both sides are compared."""
    change = appointment.under_way
    if now_is.status != LIVE:
        return wait(work, appointment)  # somebody must confirm it at Cal.com first
    if change.kind is ChangeKind.CANCEL:
        return give_up(work, appointment, ChangeWhy.CHANGED_THERE, seen=_as_seen(appointment, now_is))
    expected = replace(expected_move(work.tenant, appointment), sent_at=None)
    judgement = judge_moved(now_is, expected, now=work.clock.now())
    as_wanted = now_is.rescheduled_from == expected.old_uid and now_is.start == expected.slot.start
    if judgement.verdict is Verdict.OK or (as_wanted and now_is.host == expected.host):
        if judgement.verdict is not Verdict.OK:  # its length is another: it stands there, and a person must know
            raised = alert.wrong_booking(appointment, judgement.why, Answered(now_is))
            work.alerts.raise_(raised)
        audit = audit_of_change(work, "move", now_is, appointment)
        done = work.changes.moved(
            work.tenant.id,
            appointment,
            _as_seen(appointment, now_is),
            told=change.told,
            audit=audit,
            now=work.clock.now(),
        )
        if done:
            compare(work, appointment, _as_seen(appointment, now_is))
        return done
    return give_up(work, appointment, ChangeWhy.CHANGED_THERE, seen=_as_seen(appointment, now_is))


def _gone(work: Background, appointment: Appointment, seen: Booking) -> bool:
    """Cancelled there, and not moved: whatever was wanted of it."""
    change = appointment.under_way
    audit = audit_of_change(work, "cancel", seen, appointment)
    return work.changes.cancelled(
        work.tenant.id, appointment, booking=seen, told=change.told, audit=audit, now=work.clock.now()
    )


# Cancelling


def _cancel_again(work: Background, appointment: Appointment) -> bool:
    """It stands. Sent again if its caller lets us, or if they were told nothing; else it only has to be certain."""
    change, now = appointment.under_way, work.clock.now()
    if appointment.slot.start <= now:
        return give_up(work, appointment, ChangeWhy.TOO_LATE, flag=True)
    agreed = change.keep_until is not None or change.told is Told.NOTHING
    closed = change.keep_until is not None and cancel_rule(work, appointment) is not None
    if not agreed or closed or is_over(change, now=now):
        if not did_nothing(change, now=now):
            return wait(work, appointment, absent=now)
        return give_up(work, appointment, ChangeWhy.TOO_LATE if agreed else ChangeWhy.NEVER_ARRIVED)
    sending = work.changes.sent(work.tenant.id, appointment, lease=now + LEASE, now=now)
    if sending is None:
        return False  # somebody else is at it
    answer = work.calendar.cancel(sending.segments[0].uid or "", reason_of(change), deadline=work.deadline)
    match answer:
        case Cancelled():
            audit = audit_of_change(work, "cancel", None, sending)
            return work.changes.cancelled(
                work.tenant.id, sending, booking=None, told=change.told, audit=audit, now=work.clock.now()
            )
        case Refused():
            return give_up(work, sending, why_of(failure_of(answer)), answer=answer.detail, flag=True)
        case NotSent() | KeyRejected():
            return wait(work, sending, restore=change)
        case Unclear() | NotThere():
            return wait(work, sending)
        case other:
            assert_never(other)


# Moving


def _not_moved_yet(work: Background, appointment: Appointment) -> bool:
    """It stands where it stood. After a request that proves nothing for a while; then it is sent again, or given up."""
    change, now = appointment.under_way, work.clock.now()
    if not did_nothing(change, now=now):
        return wait(work, appointment, absent=now)
    if change.keep_until is None:
        return give_up(work, appointment, ChangeWhy.NEVER_ARRIVED)
    if is_over(change, now=now):
        return give_up(work, appointment, ChangeWhy.TOO_LATE)
    if not is_still_sold(work, appointment):
        return give_up(work, appointment, ChangeWhy.REFUSED, flag=True)
    if move_rule(work, appointment) is not None:
        return give_up(work, appointment, ChangeWhy.POLICY)
    return _move_again(work, appointment)


def _move_again(work: Background, appointment: Appointment) -> bool:
    now = work.clock.now()
    sending = work.changes.sent(work.tenant.id, appointment, lease=now + LEASE, now=now)
    if sending is None:
        return False  # somebody else is at it
    uid, slot = sending.segments[0].uid or "", sending.under_way.slot
    answer = work.calendar.reschedule(uid, slot.start, reason_of(sending.under_way), deadline=work.deadline)
    expected = replace(expected_move(work.tenant, sending), sent_at=now)
    judgement = judge_move(answer, expected, now=work.clock.now(), after_unknown=False)
    match judgement.verdict:
        case Verdict.OK if isinstance(answer, Answered):
            audit = audit_of_change(work, "move", answer.booking, sending)
            return work.changes.moved(
                work.tenant.id,
                sending,
                _as_seen(sending, answer.booking),
                told=sending.under_way.told,
                audit=audit,
                now=work.clock.now(),
            )
        case Verdict.REJECT:
            return give_up(work, sending, ChangeWhy.TAKEN, answer=detail(answer))
        case Verdict.REFUSED:
            return give_up(work, sending, ChangeWhy.REFUSED, answer=detail(answer), flag=True)
        case Verdict.NOT_SENT | Verdict.CONFIG:
            return wait(work, sending, restore=appointment.under_way)
        case _:  # nothing is certain yet
            return wait(work, sending)
