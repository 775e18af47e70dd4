"""Bring the move or cancellation of a composite to its end that nobody waits for any more.

Each part is looked for at Cal.com by its uid, and along its moves: no turn's memory is needed for what has gone. All of
it there, or none: as of a plain appointment. Half of a move goes on, since its caller said yes, at once the first time
and then whenever it is certain that the last request did nothing; once a part is refused for good, or the time is over,
all of it goes back. Half of a cancellation is finished, whatever its caller was told: it is never undone by booking
anew. Where it can go neither way, a person is told, and the appointment stands as Cal.com has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bookend.application import alerts as alert
from bookend.application.background import Background
from bookend.application.change_commit import CANCELLED_BY_CUSTOMER, MOVED_BY_CUSTOMER, TAKEN_BACK
from bookend.application.change_ends import (
    LEASE,
    audit_of_change,
    did_nothing,
    give_up,
    is_over,
    is_still_sold,
    wait,
    where_it_stands,
)
from bookend.application.following import follow, put_before_a_person
from bookend.application.own_bookings import expected_back, expected_move
from bookend.application.patience import STUCK
from bookend.application.ports import Cancelled
from bookend.domain.answers import (
    Answered,
    Booking,
    CreateAnswer,
    Judgement,
    KeyRejected,
    NotSent,
    NotThere,
    Refused,
    Verdict,
    detail,
)
from bookend.domain.appointment import Amiss, Appointment, AppointmentState, BookedSegment, ChangeKind, ChangeWhy, Told
from bookend.domain.composites import what_is_amiss
from bookend.domain.drift import DEAD, LIVE, Drift, Flag, Follow, FollowWhole, change_of
from bookend.domain.failures import failure_of, why_of
from bookend.domain.move_answers import ExpectedMove, as_it_stands, judge_move
from bookend.domain.moving import waves
from bookend.domain.policy import may_cancel, may_move, policy_of
from bookend.domain.timeslot import Slot

_WRITTEN_OFF = (Verdict.REJECT, Verdict.REFUSED, Verdict.NOT_FOUND)
"""What no waiting helps against."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the appointment: where it stood, where it shall go (None: nowhere), and what is there of it now."""

    own: BookedSegment
    target: BookedSegment | None
    seen: Booking

    @property
    def index(self) -> int:
        return self.own.index

    @property
    def slot(self) -> Slot:
        return Slot(self.seen.start, self.seen.end)

    @property
    def is_gone(self) -> bool:
        return self.seen.status in DEAD

    @property
    def is_home(self) -> bool:
        """It is where it stood: never moved, or brought back."""
        return self._lives and self.slot == self.own.slot

    @property
    def is_there(self) -> bool:
        """It is where it shall go; by us, and perhaps of another length, if the salon has changed the event type's."""
        if self.target is None:
            return False
        if self.target.slot == self.own.slot:
            return self.is_home
        ours = self.seen.rescheduled_from == self.own.uid and self.seen.start == self.target.slot.start
        return self._lives and ours

    @property
    def _lives(self) -> bool:
        return self.seen.status == LIVE and (self.own.host is None or self.seen.host == self.own.host)


def settle_parts(work: Background, appointment: Appointment) -> bool:
    """Bring it to its end, or note when to look again; whether it has ended."""
    parts = _look(work, appointment)
    if not isinstance(parts, list):
        return _not_to_be_read(work, appointment, not_there=parts)
    if all(each.is_gone for each in parts):
        return _cancelled(work, appointment, _newest(parts))
    if appointment.under_way.kind is ChangeKind.CANCEL:
        return _cancel_rest(work, appointment, parts)
    if all(each.is_there for each in parts):
        return _moved(work, appointment, parts, {})
    if not all(each.is_home or each.is_there for each in parts):
        return _changed_there(work, appointment, parts)
    if all(each.is_home for each in parts):
        return _not_moved_yet(work, appointment, parts)
    return _half_moved(work, appointment, parts)


def _look(work: Background, appointment: Appointment) -> list[_Part] | bool:
    """Every part as it is now; else whether Cal.com says of one that it does not exist, and of none anything worse."""
    targets = {each.index: each for each in appointment.under_way.segments}
    found, not_there = [], False
    for own in appointment.segments:
        seen = work.calendar.booking(own.uid or "", deadline=work.deadline)
        now_is = where_it_stands(work, appointment, seen) if isinstance(seen, Booking) else None
        if isinstance(seen, NotThere):
            not_there = True
        elif now_is is None or now_is.status not in {LIVE, *DEAD}:
            return False  # not to be read now, or somebody must confirm it at Cal.com first
        else:
            found.append(_Part(own, targets.get(own.index), now_is))
    return not_there or found


def _not_to_be_read(work: Background, appointment: Appointment, *, not_there: bool) -> bool:
    """A 404 alone proves nothing, since reads lag. One that lasts does: the run tells a person of the ghost."""
    change, now = appointment.under_way, work.clock.now()
    waits = now < (change.keep_until or change.since + STUCK)
    if not_there and not waits and did_nothing(change, now=now):
        return give_up(work, appointment, ChangeWhy.NOT_FOUND, flag=True)
    return wait(work, appointment, absent=now if not_there else None)


def _newest(parts: Sequence[_Part]) -> Booking:
    """The one that was changed last."""
    told = [each.seen for each in parts if each.seen.updated_at is not None]
    return max(told, key=lambda each: each.updated_at or each.start, default=parts[0].seen)


def _seen(parts: Sequence[_Part]) -> dict[int, Booking]:
    return {each.index: each.seen for each in parts}


def _cancelled(work: Background, appointment: Appointment, booking: Booking | None) -> bool:
    return work.changes.cancelled(
        work.tenant.id,
        appointment,
        booking=booking,
        told=appointment.under_way.told,
        audit=audit_of_change(work, "cancel", booking, appointment),
        now=work.clock.now(),
    )


def _changed_there(work: Background, appointment: Appointment, parts: Sequence[_Part]) -> bool:
    """Others have moved, changed or cancelled a part, so the caller's wish is void. Theirs stays as they made it, ours
    goes back first; not before it is certain that no other part is still on its way.
    """
    now = work.clock.now()
    if any(each.is_there and not each.is_home for each in parts):
        return _take_back(work, appointment, parts, ChangeWhy.CHANGED_THERE)
    if not did_nothing(appointment.under_way, now=now):
        return wait(work, appointment, absent=now)
    return _stand_as_seen(work, appointment, ChangeWhy.CHANGED_THERE, _seen(parts))


# Cancelling


def _cancel_rest(work: Background, appointment: Appointment, parts: Sequence[_Part]) -> bool:
    """What stands is cancelled. None of it gone yet: under the same rules as a plain appointment."""
    change, now = appointment.under_way, work.clock.now()
    left = [each for each in parts if not each.is_gone]
    if not all(each.is_home for each in left):
        return _stand_as_seen(work, appointment, ChangeWhy.CHANGED_THERE, _seen(parts))
    if len(left) == len(parts):
        if appointment.slot.start <= now:
            return give_up(work, appointment, ChangeWhy.TOO_LATE, flag=True)
        agreed = change.keep_until is not None or change.told is Told.NOTHING
        policy = policy_of(work.tenant, service=appointment.service, staff=appointment.staff)
        closed = change.keep_until is not None and may_cancel(policy, now=now, slot=appointment.slot) is not None
        if not agreed or closed or is_over(change, now=now):
            if not did_nothing(change, now=now):
                return wait(work, appointment, absent=now)
            return give_up(work, appointment, ChangeWhy.TOO_LATE if agreed else ChangeWhy.NEVER_ARRIVED)
    sending = work.changes.sent(work.tenant.id, appointment, lease=now + LEASE, now=now)
    if sending is None:
        return False  # somebody else is at it
    uids = [each.seen.uid for each in left]
    answers = work.calendar.cancel_all(uids, CANCELLED_BY_CUSTOMER, deadline=work.deadline)
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
        return _stand_as_seen(work, sending, why, _seen(parts) | now_gone, answer=refused.detail)
    never_left = all(isinstance(each, NotSent | KeyRejected | Cancelled) for each in answers)
    return wait(work, sending, restore=change if never_left else None)


# Moving


def _moved(
    work: Background, appointment: Appointment, parts: Sequence[_Part], now_there: Mapping[int, Booking]
) -> bool:
    seen = {each.index: now_there.get(each.index, each.seen) for each in parts}
    odd = [each for each in parts if each.target is not None and seen[each.index].end != each.target.slot.end]
    for each in odd:  # its length is another: it stands there, and a person must know
        work.alerts.raise_(alert.wrong_booking(appointment, "differs in end", Answered(seen[each.index])))
    done = work.changes.moved(
        work.tenant.id,
        appointment,
        seen,
        told=appointment.under_way.told,
        audit=audit_of_change(work, "move", seen[parts[0].index], appointment),
        now=work.clock.now(),
    )
    for each in odd if done else ():
        _follow_alone(work, appointment, each.index, seen[each.index])
    return done


def _follow_alone(work: Background, appointment: Appointment, index: int, seen: Booking) -> None:
    """That a part is longer than it should be is nobody's wish, so no other goes after it."""
    stands = work.appointments.appointment(work.tenant.id, appointment.id)
    if stands is None or stands.state is not AppointmentState.CONFIRMED:
        return
    own = next((each for each in stands.segments if each.index == index), None)
    change = change_of(stands, own, seen, work.tenant) if own is not None else None
    if isinstance(change, Follow | FollowWhole):
        follow(work, change.follow if isinstance(change, FollowWhole) else change)


def _not_moved_yet(work: Background, appointment: Appointment, parts: Sequence[_Part]) -> bool:
    """All of it stands where it stood: as of a plain appointment, sent again if its caller lets us, or given up."""
    change, now = appointment.under_way, work.clock.now()
    if not did_nothing(change, now=now):
        return wait(work, appointment, absent=now)
    if change.back is not None:
        return give_up(work, appointment, change.back, seen=_seen(parts))
    if change.keep_until is None:
        return give_up(work, appointment, ChangeWhy.NEVER_ARRIVED)
    if is_over(change, now=now):
        return give_up(work, appointment, ChangeWhy.TOO_LATE)
    if not is_still_sold(work, appointment):
        return give_up(work, appointment, ChangeWhy.REFUSED, flag=True)
    policy = policy_of(work.tenant, service=appointment.service, staff=appointment.staff)
    if may_move(policy, now=now, current=appointment.slot, new=change.slot, moves=appointment.moves) is not None:
        return give_up(work, appointment, ChangeWhy.POLICY)
    return _go_on(work, appointment, parts, certain=True)


def _half_moved(work: Background, appointment: Appointment, parts: Sequence[_Part]) -> bool:
    """Some of it has gone. The rest goes after it as long as that is wanted and possible; else it comes back.

    The first time it is sent again at once, since the same move twice is one; a refusal proves nothing then.
    """
    change, now = appointment.under_way, work.clock.now()
    if change.back is not None:
        return _take_back(work, appointment, parts, change.back)
    certain = did_nothing(change, now=now)
    at_once = change.sent_at == change.since
    if not certain and not at_once:
        return wait(work, appointment, absent=now)
    until = change.keep_until or change.since + STUCK
    late = any(not each.is_there and each.target is not None and each.target.slot.start <= now for each in parts)
    if now >= until or late:
        return _take_back(work, appointment, parts, ChangeWhy.TOO_LATE)
    if not is_still_sold(work, appointment):
        return _take_back(work, appointment, parts, ChangeWhy.REFUSED)
    return _go_on(work, appointment, parts, certain=certain)


def _go_on(work: Background, appointment: Appointment, parts: Sequence[_Part], *, certain: bool) -> bool:
    """Send what is not there yet. `certain`: nothing that was sent before can be what a refusal comes from."""
    change, now = appointment.under_way, work.clock.now()
    goes = {each.index: each.target.slot for each in parts if each.target is not None and not each.is_there}
    order = waves({each.index: each.slot for each in parts}, goes)
    if order is None:
        return _take_back(work, appointment, parts, ChangeWhy.TAKEN)
    sending = work.changes.sent(work.tenant.id, appointment, lease=now + LEASE, now=now)
    if sending is None:
        return False  # somebody else is at it
    own = {each.index: each.own for each in parts}
    expected = {index: replace(expected_move(work.tenant, sending, own[index]), sent_at=now) for index in goes}
    # One that was brought back before, and goes once more, is moved from there.
    expected |= {
        each.index: replace(expected[each.index], old_uid=each.seen.uid) for each in parts if each.index in goes
    }
    there: dict[int, Booking] = {}
    for wave in order:
        moves = [(expected[index].old_uid, goes[index].start) for index in wave]
        judged = _send(work, moves, [expected[index] for index in wave], MOVED_BY_CUSTOMER, after_unknown=not certain)
        there |= {index: booking for index, (_, _, booking) in zip(wave, judged, strict=True) if booking is not None}
        against = [(answer, judgement) for answer, judgement, booking in judged if booking is None]
        if not against:
            continue
        if all(isinstance(answer, NotSent | KeyRejected) for answer, _ in against):
            return wait(work, sending, restore=change)
        if not all(judgement.verdict in _WRITTEN_OFF for _, judgement in against):
            return wait(work, sending)  # nothing is certain yet
        why = ChangeWhy.TAKEN if against[0][1].verdict is Verdict.REJECT else ChangeWhy.REFUSED
        now_is = [replace(each, seen=there.get(each.index, each.seen)) for each in parts]
        if any(each.is_there and not each.is_home for each in now_is):
            return _bring_back(work, sending, now_is, why)
        answer = detail(against[0][0])
        return give_up(work, sending, why, answer=answer, flag=why is ChangeWhy.REFUSED, seen=_seen(now_is))
    return _moved(work, sending, parts, there)


def _send(
    work: Background,
    moves: Sequence[tuple[str, datetime]],
    expected: Sequence[ExpectedMove],
    reason: str,
    *,
    after_unknown: bool,
) -> list[tuple[CreateAnswer, Judgement, Booking | None]]:
    """Each answer, what it means, and the booking of those that are as asked."""
    answers = work.calendar.reschedule_all(moves, reason, deadline=work.deadline)
    judged = []
    for answer, each in zip(answers, expected, strict=True):
        judgement = judge_move(answer, each, now=work.clock.now(), after_unknown=after_unknown)
        is_ok = judgement.verdict is Verdict.OK and isinstance(answer, Answered)
        judged.append((answer, judgement, answer.booking if is_ok and isinstance(answer, Answered) else None))
    return judged


# Back again


def _take_back(work: Background, appointment: Appointment, parts: Sequence[_Part], why: ChangeWhy) -> bool:
    """Once it is certain that no part is on its way any more."""
    now = work.clock.now()
    if not did_nothing(appointment.under_way, now=now):
        return wait(work, appointment, absent=now)
    return _bring_back(work, appointment, parts, why)


def _bring_back(work: Background, appointment: Appointment, parts: Sequence[_Part], why: ChangeWhy) -> bool:
    """Those that have gone are moved to where they stood, and noted to be going back first."""
    change, now = appointment.under_way, work.clock.now()
    gone = {each.index: each for each in parts if each.is_there and not each.is_home}
    order = waves(
        {each.index: each.slot for each in parts if not each.is_gone},
        {each.index: each.own.slot for each in gone.values()},
    )
    past = any(each.own.slot.start <= now for each in gone.values())
    if order is None or past:
        return _stand_as_seen(work, appointment, why, _seen(parts))
    going = work.changes.sent(work.tenant.id, appointment, lease=now + LEASE, now=now, back=why)
    if going is None:
        return False  # somebody else is at it
    seen = _seen(parts)
    for wave in order:
        expected = [expected_back(work.tenant, going, gone[index].own, gone[index].seen, sent_at=now) for index in wave]
        moves = [(each.old_uid, each.slot.start) for each in expected]
        judged = _send(work, moves, expected, TAKEN_BACK, after_unknown=False)
        seen |= {index: booking for index, (_, _, booking) in zip(wave, judged, strict=True) if booking is not None}
        against = [(answer, judgement) for answer, judgement, booking in judged if booking is None]
        if not against:
            continue
        if all(isinstance(answer, NotSent | KeyRejected) for answer, _ in against):
            return wait(work, going, restore=change)
        if not all(judgement.verdict in _WRITTEN_OFF for _, judgement in against):
            return wait(work, going)
        return _stand_as_seen(work, going, why, seen, answer=detail(against[0][0]))
    if all(each.is_home for each in (replace(each, seen=seen[each.index]) for each in parts)):
        return give_up(work, going, why, seen=seen)
    return _stand_as_seen(work, going, why, seen)


def _stand_as_seen(
    work: Background, appointment: Appointment, why: ChangeWhy, seen: Mapping[int, Booking], *, answer: str = ""
) -> bool:
    """It stands as Cal.com has it, whole or not. A person is told first of each part that is not where it was."""
    after = as_it_stands(appointment, seen)
    kept = {each.index: each.slot for each in after}
    amiss: Amiss | None = None
    if any(kept.get(each.index) != each.slot for each in appointment.segments):
        amiss = what_is_amiss(work.tenant.service(appointment.service), after)
        why = ChangeWhy.APART
    for each in appointment.segments:
        if kept.get(each.index) != each.slot and each.index in seen:
            put_before_a_person(work, Flag(seen[each.index], Drift.PART, appointment, amiss))
    return give_up(work, appointment, why, answer=answer, seen=seen, amiss=amiss)
