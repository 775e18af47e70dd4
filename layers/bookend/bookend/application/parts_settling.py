"""Bring to its end what was begun because others changed one part of a composite: the rest goes after it.

Nobody's wish is at stake, and no caller waits. What cannot be done is not taken back either: the part that others moved
is theirs. Then each part is followed to where it stands, and a person is told (decision 0027).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from bookend.application import alerts as alert
from bookend.application.background import Background
from bookend.application.chain import where_it_stands
from bookend.application.following import audit_of, end_part, follow, put_before_a_person
from bookend.application.patience import AGAIN, SETTLE, STUCK
from bookend.application.ports import Audit, Cancelled
from bookend.domain.answers import Answered, Booking, KeyRejected, NotSent, Refusal, Refused
from bookend.domain.appointment import Appointment, AppointmentState, BookedSegment, ChangeKind, ChangeWhy, Told
from bookend.domain.composites import sending_order
from bookend.domain.drift import DEAD, LIVE, Drift, EndPart, Flag, Follow, change_of

LEASE = timedelta(seconds=20)
"""How long whoever begins it, or sends it again, may be at work before somebody else looks."""
MOVED_AFTER = "Automatisch verschoben: ein anderer Teil dieses Termins wurde verschoben."
CANCELLED_AFTER = "Automatisch storniert: ein anderer Teil dieses Termins wurde storniert."


def settle_rest(work: Background, appointment: Appointment) -> bool:
    """Bring it to its end, or note when to look again; whether it has ended.

    May run at any time, any number of times, by several at once: each write names the change it rests on.
    """
    seen = _look(work, appointment)
    if seen is None:
        return _wait(work, appointment)
    if all(each.status in DEAD for each in seen.values()):
        last = max(seen.values(), key=lambda each: (each.updated_at is not None, each.updated_at or work.clock.now()))
        return _cancelled(work, appointment, last)
    if appointment.under_way.kind is ChangeKind.CANCEL:
        return _cancel(work, appointment, seen)
    return _move(work, appointment, seen)


def stands_as(seen: Booking, segment: BookedSegment) -> bool:
    """Whether a booking lives, and where and as long as the segment."""
    as_long = (seen.start, seen.end) == (segment.slot.start, segment.slot.end)
    return seen.status == LIVE and as_long and (segment.host is None or seen.host == segment.host)


# Cancelling


def _cancel(work: Background, appointment: Appointment, seen: Mapping[int, Booking]) -> bool:
    """The others are cancelled, as often as it takes: what has gone already counts as done."""
    change, now = appointment.under_way, work.clock.now()
    left = [each for each in appointment.segments if seen[each.index].status not in DEAD]
    changed = any(seen[each.index].uid != each.uid or not stands_as(seen[each.index], each) for each in left)
    if changed or appointment.slot.start <= now or now - change.since >= STUCK:
        return _leave_apart(work, appointment, seen)
    sending = work.changes.sent(work.tenant.id, appointment, lease=now + LEASE, now=now)
    if sending is None:
        return False  # somebody else is at it
    answers = work.calendar.cancel_all([each.uid or "" for each in left], CANCELLED_AFTER, deadline=work.deadline)
    if all(isinstance(each, Cancelled) for each in answers):
        return _cancelled(work, sending, None)
    refused = any(isinstance(each, Refused) and each.why is not Refusal.CONFLICT for each in answers)
    stands = _look(work, sending) if refused else None  # some have gone, and some will not
    return _wait(work, sending) if stands is None else _leave_apart(work, sending, stands)


def _cancelled(work: Background, appointment: Appointment, booking: Booking | None) -> bool:
    return work.changes.cancelled(
        work.tenant.id,
        appointment,
        booking=booking,
        told=appointment.under_way.told,
        audit=_audit(work, "end_whole", appointment),
        now=work.clock.now(),
    )


# Moving


def _move(work: Background, appointment: Appointment, seen: Mapping[int, Booking]) -> bool:
    """Those that are not there yet are moved; one after the other, where one has to make room for another."""
    change, now = appointment.under_way, work.clock.now()
    targets = {each.index: each for each in change.segments}
    there = {index: each for index, each in seen.items() if stands_as(each, targets[index])}
    left = [each for each in appointment.segments if each.index not in there]
    if not left:
        return _moved(work, appointment, seen)
    as_before = all(seen[each.index].uid == each.uid and stands_as(seen[each.index], each) for each in left)
    too_late = any(targets[each.index].slot.start <= now for each in left) or now - change.since >= STUCK
    if not as_before or (too_late and _did_nothing(appointment, now=now)):
        return _leave_apart(work, appointment, seen)
    if not _did_nothing(appointment, now=now):
        return _wait(work, appointment, absent=now)
    stands = [each.slot for each in left]
    order = sending_order(stands, [targets[each.index].slot for each in left])
    if order is None:
        return _leave_apart(work, appointment, seen)
    sending = work.changes.sent(work.tenant.id, appointment, lease=now + LEASE, now=now)
    if sending is None:
        return False  # somebody else is at it
    stood = dict(seen)
    for place in order:
        segment = left[place]
        target = targets[segment.index]
        answer = work.calendar.reschedule(segment.uid or "", target.slot.start, MOVED_AFTER, deadline=work.deadline)
        if isinstance(answer, Refused) and answer.why not in {Refusal.CONFLICT, Refusal.GONE}:
            return _leave_apart(work, sending, stood)
        if isinstance(answer, NotSent | KeyRejected) and stood == seen:
            work.changes.postpone(work.tenant.id, sending, until=now + AGAIN, restore=change)
            return False
        if not isinstance(answer, Answered) or answer.booking.rescheduled_from != segment.uid:
            return _wait(work, sending)
        if not stands_as(answer.booking, target):
            return _wait(work, sending)  # what it is, is found out by a look at all of them
        stood[segment.index] = answer.booking
    return _moved(work, sending, stood)


def _moved(work: Background, appointment: Appointment, seen: Mapping[int, Booking]) -> bool:
    return work.changes.moved(
        work.tenant.id,
        appointment,
        seen,
        told=appointment.under_way.told,
        audit=_audit(work, "follow_whole", appointment),
        now=work.clock.now(),
    )


def _did_nothing(appointment: Appointment, *, now: datetime) -> bool:
    """Whether it is certain that what was sent, if anything was, did not move those parts and will not."""
    change = appointment.under_way
    if change.sent_at is None:
        return True
    seen_twice = change.absent_since is not None and now - change.absent_since >= AGAIN
    return seen_twice and now - change.sent_at >= SETTLE


# Neither


def _leave_apart(work: Background, appointment: Appointment, seen: Mapping[int, Booking]) -> bool:
    """It cannot be made whole. Each part is followed to where it stands, and a person is told of each that differs."""
    ended = work.changes.given_up(
        work.tenant.id,
        appointment,
        why=ChangeWhy.APART,
        # Nobody asked for it; but whoever asked about it meanwhile was told that it is open.
        owes_text=appointment.under_way.told is Told.PENDING,
        answer="",
        alert=None,
        audit=_audit(work, "leave_apart", appointment),
        now=work.clock.now(),
    )
    for index, booking in seen.items() if ended else ():
        stands = work.appointments.appointment(work.tenant.id, appointment.id)
        if stands is None or stands.state is not AppointmentState.CONFIRMED:
            break
        own = next((each for each in stands.segments if each.index == index), None)
        if own is None:
            continue
        if booking.status in DEAD:
            end_part(work, EndPart(stands, own, booking))
            continue
        change = change_of(stands, own, booking, work.tenant)
        if isinstance(change, Follow):
            follow(work, change)
        elif isinstance(change, Flag):
            put_before_a_person(work, change)
    return ended


def _look(work: Background, appointment: Appointment) -> dict[int, Booking] | None:
    """Where each part stands at Cal.com now; None: that cannot be told of all of them."""
    found = {}
    for segment in appointment.segments:
        now_is = _where_it_stands(work, appointment, segment)
        if now_is is None:
            return None
        found[segment.index] = now_is
    return found


def _where_it_stands(work: Background, appointment: Appointment, segment: BookedSegment) -> Booking | None:
    """The end of the chain of its moves, alive or dead. None: that cannot be read now, or may be half of a move."""
    seen = work.calendar.booking(segment.uid or "", deadline=work.deadline)
    now_is = where_it_stands(work, appointment, seen) if isinstance(seen, Booking) else None
    if now_is is None or now_is.status in DEAD or now_is.status == LIVE:
        return now_is
    return None  # somebody must confirm it at Cal.com first


def _wait(work: Background, appointment: Appointment, *, absent: datetime | None = None) -> bool:
    now, change = work.clock.now(), appointment.under_way
    if now - change.since >= STUCK:
        raised = alert.stuck(appointment)
        if work.adoptions.flag(work.tenant.id, raised, about=f"stuck-{change.op}-{now:%Y-%m-%d}", now=now):
            work.alerts.raise_(raised)
    work.changes.postpone(work.tenant.id, appointment, until=now + AGAIN, absent=absent)
    return False


def _audit(work: Background, repair: str, appointment: Appointment) -> Audit:
    after = replace(appointment, segments=appointment.under_way.segments)
    return audit_of(work, Drift.PART, repair, None, before=appointment, after=after)
