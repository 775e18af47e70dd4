"""Bring a move or a cancellation to its end that nobody waits for any more: look at Cal.com, then finish, repeat or
give up.

What its caller lets us do later is sent again until then: a cancellation freely, a move only once it is sure that the
last request did nothing, since of two moves of one booking Cal.com makes two. Who was told that nobody knows, and did
not agree, hears how it ended; nothing is sent again. A cancellation whose turn died is finished: its caller said yes,
and heard nothing. It is never undone by booking anew.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from bookend.application import alerts as alert
from bookend.application.background import Background
from bookend.application.change_commit import CANCELLED_BY_CUSTOMER, MOVED_BY_CUSTOMER
from bookend.application.following import take_over
from bookend.application.own_bookings import LONGEST_CHAIN, expected_move, successor
from bookend.application.patience import AGAIN, SETTLE, STUCK
from bookend.application.ports import Alert, Audit, Cancelled
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
from bookend.domain.appointment import Appointment, AppointmentState, Change, ChangeKind, ChangeWhy, Told
from bookend.domain.drift import DEAD, LIVE, Drift, is_half_of_a_move
from bookend.domain.failures import failure_of, why_of
from bookend.domain.move_answers import judge_move, judge_moved
from bookend.domain.policy import may_cancel, may_move, policy_of
from bookend.domain.timeslot import instant_text

_LEASE = timedelta(seconds=20)
"""How long a repeated request may be at work before somebody else looks."""


def settle_change(work: Background, appointment: Appointment) -> bool:
    """Bring the change of one appointment to its end, or note when to look again; whether it has ended.

    May run at any time, any number of times, by several at once: each write names the change it rests on.
    """
    change = appointment.under_way
    if change.sent_at is None and _is_over(change, now=work.clock.now()):
        return _give_up(work, appointment, ChangeWhy.TOO_LATE)  # nothing was ever sent: that is known without a look
    seen = work.calendar.booking(appointment.segments[0].uid or "", deadline=work.deadline)
    if not isinstance(seen, Booking):
        return _not_to_be_read(work, appointment, not_there=isinstance(seen, NotThere))
    now_is = _where_it_stands(work, appointment, seen)
    if now_is is None:
        return _wait(work, appointment)
    if now_is.status in DEAD:
        return _gone(work, appointment, now_is)
    if now_is.uid != seen.uid:
        return _elsewhere(work, appointment, now_is)
    if _edited(appointment, seen):
        return _give_up(work, appointment, ChangeWhy.CHANGED_THERE, now_is=seen)
    return _cancel_again(work, appointment) if change.kind is ChangeKind.CANCEL else _not_moved_yet(work, appointment)


def _not_to_be_read(work: Background, appointment: Appointment, *, not_there: bool) -> bool:
    """A 404 alone proves nothing, since reads lag. One that lasts does: the run tells a person of the ghost."""
    change, now = appointment.under_way, work.clock.now()
    waits = now < (change.keep_until or change.since + STUCK)
    if not_there and not waits and _did_nothing(change, now=now):
        return _give_up(work, appointment, ChangeWhy.NOT_FOUND, flag=True)
    return _wait(work, appointment, absent=now if not_there else None)


def _where_it_stands(work: Background, appointment: Appointment, seen: Booking) -> Booking | None:
    """The end of the chain of its moves, alive or dead. None: that cannot be read now, or may be half of a move."""
    passed: set[str] = set()
    while seen.status in DEAD:
        after = seen.rescheduled_to
        if after is None:
            if seen.called_off or seen.status != "cancelled":
                return seen
            now = work.clock.now()
            found = successor(appointment, seen, calendar=work.calendar, now=now, deadline=work.deadline)
            if found is None or (not found and is_half_of_a_move(seen, now=now)):
                return None
            if not found:
                return seen
            after = found[0].uid
        passed.add(seen.uid)
        if after in passed or len(passed) > LONGEST_CHAIN:
            return None  # a run puts it before a person
        read = work.calendar.booking(after, deadline=work.deadline)
        if not isinstance(read, Booking):
            return None
        seen = read
    return seen


def _edited(appointment: Appointment, seen: Booking) -> bool:
    """Whether somebody has changed the booking where it stands: what was confirmed was another appointment."""
    own = appointment.segments[0]
    hosted = own.host is None or seen.host == own.host
    return (seen.start, seen.end) != (own.slot.start, own.slot.end) or not hosted


def _elsewhere(work: Background, appointment: Appointment, now_is: Booking) -> bool:
    """It was moved: by us, then this is its end; by others, then our own wish is void, and both sides are compared."""
    change = appointment.under_way
    if now_is.status != LIVE:
        return _wait(work, appointment)  # somebody must confirm it at Cal.com first
    if change.kind is ChangeKind.CANCEL:
        return _give_up(work, appointment, ChangeWhy.CHANGED_THERE, now_is=now_is)
    expected = replace(expected_move(work.tenant, appointment), sent_at=None)
    judgement = judge_moved(now_is, expected, now=work.clock.now())
    as_wanted = now_is.rescheduled_from == expected.old_uid and now_is.start == expected.slot.start
    if judgement.verdict is Verdict.OK or (as_wanted and now_is.host == expected.host):
        if judgement.verdict is not Verdict.OK:  # its length is another: it stands there, and a person must know
            raised = alert.wrong_booking(appointment, judgement.why, Answered(now_is))
            work.alerts.raise_(raised)
        audit = _audit(work, "move", now_is, appointment)
        done = work.changes.moved(
            work.tenant.id, appointment, now_is, told=change.told, audit=audit, now=work.clock.now()
        )
        if done:
            _compare(work, appointment, now_is)
        return done
    return _give_up(work, appointment, ChangeWhy.CHANGED_THERE, now_is=now_is)


def _gone(work: Background, appointment: Appointment, seen: Booking) -> bool:
    """Cancelled there, and not moved: whatever was wanted of it."""
    change = appointment.under_way
    audit = _audit(work, "cancel", seen, appointment)
    return work.changes.cancelled(
        work.tenant.id, appointment, booking=seen, told=change.told, audit=audit, now=work.clock.now()
    )


# Cancelling


def _cancel_again(work: Background, appointment: Appointment) -> bool:
    """It stands. Sent again if its caller lets us, or if they were told nothing; else it only has to be certain."""
    change, now = appointment.under_way, work.clock.now()
    if appointment.slot.start <= now:
        return _give_up(work, appointment, ChangeWhy.TOO_LATE, flag=True)
    agreed = change.keep_until is not None or change.told is Told.NOTHING
    policy = policy_of(work.tenant, service=appointment.service, staff=appointment.staff)
    closed = change.keep_until is not None and may_cancel(policy, now=now, slot=appointment.slot) is not None
    if not agreed or closed or _is_over(change, now=now):
        if not _did_nothing(change, now=now):
            return _wait(work, appointment, absent=now)
        return _give_up(work, appointment, ChangeWhy.TOO_LATE if agreed else ChangeWhy.NEVER_ARRIVED)
    sending = work.changes.sent(work.tenant.id, appointment, lease=now + _LEASE, now=now)
    if sending is None:
        return False  # somebody else is at it
    answer = work.calendar.cancel(sending.segments[0].uid or "", CANCELLED_BY_CUSTOMER, deadline=work.deadline)
    match answer:
        case Cancelled():
            audit = _audit(work, "cancel", None, sending)
            return work.changes.cancelled(
                work.tenant.id, sending, booking=None, told=change.told, audit=audit, now=work.clock.now()
            )
        case Refused():
            return _give_up(work, sending, why_of(failure_of(answer)), answer=answer.detail, flag=True)
        case NotSent() | KeyRejected():
            return _wait(work, sending, restore=change)
        case Unclear() | NotThere():
            return _wait(work, sending)
        case other:
            assert_never(other)


# Moving


def _not_moved_yet(work: Background, appointment: Appointment) -> bool:
    """It stands where it stood. After a request that proves nothing for a while; then it is sent again, or given up."""
    change, now = appointment.under_way, work.clock.now()
    if not _did_nothing(change, now=now):
        return _wait(work, appointment, absent=now)
    if change.keep_until is None:
        return _give_up(work, appointment, ChangeWhy.NEVER_ARRIVED)
    if _is_over(change, now=now):
        return _give_up(work, appointment, ChangeWhy.TOO_LATE)
    if not _is_sold(work, appointment):
        return _give_up(work, appointment, ChangeWhy.REFUSED, flag=True)
    policy = policy_of(work.tenant, service=appointment.service, staff=appointment.staff)
    if may_move(policy, now=now, current=appointment.slot, new=change.slot, moves=appointment.moves) is not None:
        return _give_up(work, appointment, ChangeWhy.POLICY)
    return _move_again(work, appointment)


def _is_sold(work: Background, appointment: Appointment) -> bool:
    """Whether the salon's document still has the stylist do this: it may have changed since the caller was asked."""
    service = work.tenant.service(appointment.service)
    known = {each.id for each in work.tenant.staff}
    segment = appointment.segments[0]
    return (
        service is not None
        and segment.staff in known
        and service.segments[0].event_types.get(segment.staff) == segment.event_type
    )


def _move_again(work: Background, appointment: Appointment) -> bool:
    now = work.clock.now()
    sending = work.changes.sent(work.tenant.id, appointment, lease=now + _LEASE, now=now)
    if sending is None:
        return False  # somebody else is at it
    uid, slot = sending.segments[0].uid or "", sending.under_way.slot
    answer = work.calendar.reschedule(uid, slot.start, MOVED_BY_CUSTOMER, deadline=work.deadline)
    expected = replace(expected_move(work.tenant, sending), sent_at=now)
    judgement = judge_move(answer, expected, now=work.clock.now(), after_unknown=False)
    match judgement.verdict:
        case Verdict.OK if isinstance(answer, Answered):
            audit = _audit(work, "move", answer.booking, sending)
            return work.changes.moved(
                work.tenant.id,
                sending,
                answer.booking,
                told=sending.under_way.told,
                audit=audit,
                now=work.clock.now(),
            )
        case Verdict.REJECT:
            return _give_up(work, sending, ChangeWhy.TAKEN, answer=detail(answer))
        case Verdict.REFUSED:
            return _give_up(work, sending, ChangeWhy.REFUSED, answer=detail(answer), flag=True)
        case Verdict.NOT_SENT | Verdict.CONFIG:
            return _wait(work, sending, restore=appointment.under_way)
        case _:  # nothing is certain yet
            return _wait(work, sending)


# What both have in common


def _give_up(
    work: Background,
    appointment: Appointment,
    why: ChangeWhy,
    *,
    answer: str = "",
    flag: bool = False,
    now_is: Booking | None = None,
) -> bool:
    """It stands where it stands, and its caller hears so. `now_is`: where others have put it meanwhile."""
    change = appointment.under_way
    raised: Alert | None = alert.request_refused(appointment, why.value) if flag else None
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
    """What others have made of it is taken over at once."""
    stands = work.appointments.appointment(work.tenant.id, appointment.id)
    if stands is None or stands.state is not AppointmentState.CONFIRMED:
        return
    take_over(work, stands, stands.segments[0], now_is)


def _wait(
    work: Background, appointment: Appointment, *, absent: datetime | None = None, restore: Change | None = None
) -> bool:
    now, change = work.clock.now(), appointment.under_way
    kept = change.keep_until is not None and not _is_over(change, now=now)
    if now - change.since >= STUCK and not kept:
        raised = alert.stuck(appointment)
        about = f"stuck-{change.op}-{now:%Y-%m-%d}"
        if work.adoptions.flag(work.tenant.id, raised, about=about, now=now):
            work.alerts.raise_(raised)
    work.changes.postpone(work.tenant.id, appointment, until=now + AGAIN, absent=absent, restore=restore)
    return False


def _did_nothing(change: Change, *, now: datetime) -> bool:
    """Whether it is certain that what was sent, if anything was, had no effect and will have none."""
    if change.sent_at is None:
        return True
    return now - change.sent_at >= SETTLE and _seen_twice(change, now=now)


def _is_over(change: Change, *, now: datetime) -> bool:
    """Whether the time is over for which it was kept."""
    return change.keep_until is not None and now >= change.keep_until


def _seen_twice(change: Change, *, now: datetime) -> bool:
    return change.absent_since is not None and now - change.absent_since >= AGAIN


def _audit(work: Background, repair: str, booking: Booking | None, appointment: Appointment) -> Audit:
    """What the background did about a change: ids, states and instants, never people."""
    change = appointment.under_way
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
