"""Bring the move or cancellation of a composite to its end that nobody waits for any more.

All of it there, or none: as of a plain appointment. Half of a move goes on or comes back (`change_parts_moving`). Half
of a cancellation is finished, whatever its caller was told: it is never undone by booking anew. Where it can go neither
way, a person is told, and the appointment stands as Cal.com has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bookend.application.background import Background
from bookend.application.change_commit import reason_of
from bookend.application.change_ends import LEASE, audit_of_change, cancel_rule, did_nothing, give_up, is_over, wait
from bookend.application.change_parts_moving import half_moved, moved, not_moved_yet, take_back
from bookend.application.change_parts_seen import Part, look, restored, seen_of, stand_as_seen
from bookend.application.patience import AGAIN, STUCK
from bookend.application.ports import Cancelled
from bookend.domain.answers import Booking, KeyRejected, NotSent, Refused
from bookend.domain.appointment import Appointment, ChangeKind, ChangeWhy, Told, WishedBy
from bookend.domain.failures import failure_of, why_of


def settle_parts(work: Background, appointment: Appointment) -> bool:
    """Bring it to its end, or note when to look again; whether it has ended."""
    looked = look(work, appointment)
    if looked is None:
        return wait(work, appointment)
    parts = looked.parts
    if not looked.all_there:
        return _not_there(work, appointment, parts)
    if all(each.is_gone for each in parts):
        return _cancelled(work, appointment, _newest(parts))
    if appointment.under_way.kind is ChangeKind.CANCEL:
        return _cancel_rest(work, appointment, parts)
    if all(each.is_there for each in parts):
        return moved(work, appointment, parts, {})
    if not all(each.is_home or each.is_there for each in parts):
        return _changed_there(work, appointment, parts)
    if all(each.is_home for each in parts):
        return not_moved_yet(work, appointment, parts)
    return half_moved(work, appointment, parts)


def _not_there(work: Background, appointment: Appointment, others: Sequence[Part]) -> bool:
    """A 404 alone proves nothing, since reads lag. One that lasts does: the run tells a person of the ghost.

    What has become of the others is so all the same: the appointment stands with as much of them as there is.
    """
    change, now = appointment.under_way, work.clock.now()
    is_persons = change.kind is ChangeKind.CANCEL and change.wished_by is WishedBy.PERSON
    twice = change.absent_since is not None and now - change.absent_since >= AGAIN
    if is_persons and twice and any(not each.is_gone for each in others):
        return _cancel_rest(work, appointment, others)  # a person says that all of it goes: so does what is shown
    if now < (change.keep_until or change.since + STUCK) or not did_nothing(change, now=now):
        return wait(work, appointment, absent=now)
    return stand_as_seen(work, appointment, ChangeWhy.NOT_FOUND, seen_of(others), flag=True)


def _newest(parts: Sequence[Part]) -> Booking:
    """The one that was changed last."""
    told = [each.seen for each in parts if each.seen.updated_at is not None]
    return max(told, key=lambda each: each.updated_at or each.start, default=parts[0].seen)


def _cancelled(work: Background, appointment: Appointment, booking: Booking | None) -> bool:
    return work.changes.cancelled(
        work.tenant.id,
        appointment,
        booking=booking,
        told=appointment.under_way.told,
        audit=audit_of_change(work, "cancel", booking, appointment),
        now=work.clock.now(),
    )


def _changed_there(work: Background, appointment: Appointment, parts: Sequence[Part]) -> bool:
    """Others have moved, changed or cancelled a part, so the caller's wish is void. Theirs stays as they made it, ours
    goes back first; not before it is certain that no other part is still on its way.
    """
    now = work.clock.now()
    if any(each.is_there and not each.is_home for each in parts):
        return take_back(work, appointment, parts, ChangeWhy.CHANGED_THERE)
    if not did_nothing(appointment.under_way, now=now):
        return wait(work, appointment, absent=now)
    return stand_as_seen(work, appointment, ChangeWhy.CHANGED_THERE, seen_of(parts))


# Cancelling


def _cancel_rest(work: Background, appointment: Appointment, parts: Sequence[Part]) -> bool:
    """What stands is cancelled. None of it gone yet: under the same rules as a plain appointment."""
    change, now = appointment.under_way, work.clock.now()
    left = [each for each in parts if not each.is_gone]
    if not all(each.is_home for each in left):
        return stand_as_seen(work, appointment, ChangeWhy.CHANGED_THERE, seen_of(parts))
    if len(left) == len(parts):
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
    uids = [each.seen.uid for each in left]
    answers = work.calendar.cancel_all(uids, reason_of(change), deadline=work.deadline)
    if all(isinstance(each, Cancelled) for each in answers):
        return _cancelled(work, sending, None)
    refused = next((each for each in answers if isinstance(each, Refused)), None)
    if refused is not None and all(isinstance(each, Refused | Cancelled) for each in answers):
        why = why_of(failure_of(refused))
        if len(left) == len(parts) and not any(isinstance(each, Cancelled) for each in answers):
            return give_up(work, sending, why, answer=refused.detail, flag=True)
        now_gone = {
            each.index: replace(each.seen, status="cancelled")
            for each, answer in zip(left, answers, strict=True)
            if isinstance(answer, Cancelled)
        }
        return stand_as_seen(work, sending, why, seen_of(parts) | now_gone, answer=refused.detail)
    if not all(isinstance(each, NotSent | KeyRejected | Cancelled) for each in answers):
        return wait(work, sending)
    nothing_done = len(left) == len(parts) and not any(isinstance(each, Cancelled) for each in answers)
    return wait(work, sending, restore=restored(change, nothing_done=nothing_done))
