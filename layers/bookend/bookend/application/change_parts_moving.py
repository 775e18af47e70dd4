"""Bring the move of a composite to its end that nobody waits for any more: on, or back.

Half of a move goes on, since its caller said yes, at once the first time and then whenever it is certain that the last
request did nothing; once a part is refused for good, or the time is over, all of it goes back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bookend.application import alerts as alert
from bookend.application.background import Background
from bookend.application.change_commit import TAKEN_BACK, reason_of
from bookend.application.change_ends import (
    LEASE,
    audit_of_change,
    did_nothing,
    give_up,
    is_over,
    is_still_sold,
    move_rule,
    wait,
)
from bookend.application.change_parts_seen import Part, restored, seen_of, stand_as_seen
from bookend.application.following import follow
from bookend.application.own_bookings import expected_back, expected_move
from bookend.application.patience import STUCK
from bookend.domain.answers import (
    Answered,
    Booking,
    CreateAnswer,
    Judgement,
    KeyRejected,
    NotSent,
    Verdict,
    detail,
)
from bookend.domain.appointment import Appointment, AppointmentState, ChangeWhy
from bookend.domain.drift import Follow, FollowWhole, change_of
from bookend.domain.move_answers import ExpectedMove, judge_move
from bookend.domain.moving import waves

_WRITTEN_OFF = (Verdict.REJECT, Verdict.REFUSED, Verdict.NOT_FOUND)
"""What no waiting helps against."""


def moved(work: Background, appointment: Appointment, parts: Sequence[Part], now_there: Mapping[int, Booking]) -> bool:
    """All of it is where it shall go; `now_there` are the bookings that have just been made of it."""
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


def not_moved_yet(work: Background, appointment: Appointment, parts: Sequence[Part]) -> bool:
    """All of it stands where it stood: as of a plain appointment, sent again if its caller lets us, or given up."""
    change, now = appointment.under_way, work.clock.now()
    if not did_nothing(change, now=now):
        return wait(work, appointment, absent=now)
    if change.back is not None:
        return give_up(work, appointment, change.back, seen=seen_of(parts))
    if change.keep_until is None:
        return give_up(work, appointment, ChangeWhy.NEVER_ARRIVED)
    if is_over(change, now=now):
        return give_up(work, appointment, ChangeWhy.TOO_LATE)
    if not is_still_sold(work, appointment):
        return give_up(work, appointment, ChangeWhy.REFUSED, flag=True)
    if move_rule(work, appointment) is not None:
        return give_up(work, appointment, ChangeWhy.POLICY)
    return _go_on(work, appointment, parts, certain=True)


def half_moved(work: Background, appointment: Appointment, parts: Sequence[Part]) -> bool:
    """Some of it has gone. The rest goes after it as long as that is wanted and possible; else it comes back.

    The first time it is sent again at once, since the same move twice is one; a refusal proves nothing then.
    """
    change, now = appointment.under_way, work.clock.now()
    if change.back is not None:
        return take_back(work, appointment, parts, change.back)
    certain = did_nothing(change, now=now)
    at_once = change.sent_at == change.since
    if not certain and not at_once:
        return wait(work, appointment, absent=now)
    until = change.keep_until or change.since + STUCK
    late = any(not each.is_there and each.target is not None and each.target.slot.start <= now for each in parts)
    if now >= until or late:
        return take_back(work, appointment, parts, ChangeWhy.TOO_LATE)
    if not is_still_sold(work, appointment):
        return take_back(work, appointment, parts, ChangeWhy.REFUSED)
    return _go_on(work, appointment, parts, certain=certain)


def _go_on(work: Background, appointment: Appointment, parts: Sequence[Part], *, certain: bool) -> bool:
    """Send what is not there yet. `certain`: nothing that was sent before can be what a refusal comes from."""
    change, now = appointment.under_way, work.clock.now()
    goes = {each.index: each.target.slot for each in parts if each.target is not None and not each.is_there}
    order = waves({each.index: each.slot for each in parts}, goes)
    if order is None:
        return take_back(work, appointment, parts, ChangeWhy.TAKEN)
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
        judged = _send(work, moves, [expected[index] for index in wave], reason_of(change), after_unknown=not certain)
        there |= {index: booking for index, (_, _, booking) in zip(wave, judged, strict=True) if booking is not None}
        against = [(answer, judgement) for answer, judgement, booking in judged if booking is None]
        if not against:
            continue
        if all(isinstance(answer, NotSent | KeyRejected) for answer, _ in against):
            nothing_done = not there and all(each.is_home for each in parts)
            return wait(work, sending, restore=restored(change, nothing_done=nothing_done))
        if not all(judgement.verdict in _WRITTEN_OFF for _, judgement in against):
            return wait(work, sending)  # nothing is certain yet
        why = ChangeWhy.TAKEN if against[0][1].verdict is Verdict.REJECT else ChangeWhy.REFUSED
        now_is = [replace(each, seen=there.get(each.index, each.seen)) for each in parts]
        if any(each.is_there and not each.is_home for each in now_is):
            return _bring_back(work, sending, now_is, why)
        answer = detail(against[0][0])
        return give_up(work, sending, why, answer=answer, flag=why is ChangeWhy.REFUSED, seen=seen_of(now_is))
    return moved(work, sending, parts, there)


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


def take_back(work: Background, appointment: Appointment, parts: Sequence[Part], why: ChangeWhy) -> bool:
    """Once it is certain that no part is on its way any more."""
    now = work.clock.now()
    if not did_nothing(appointment.under_way, now=now):
        return wait(work, appointment, absent=now)
    return _bring_back(work, appointment, parts, why)


def _bring_back(work: Background, appointment: Appointment, parts: Sequence[Part], why: ChangeWhy) -> bool:
    """Those that have gone are moved to where they stood, and noted to be going back first."""
    change, now = appointment.under_way, work.clock.now()
    gone = {each.index: each for each in parts if each.is_there and not each.is_home}
    order = waves(
        {each.index: each.slot for each in parts if not each.is_gone},
        {each.index: each.own.slot for each in gone.values()},
    )
    past = any(each.own.slot.start <= now for each in gone.values())
    if order is None or past:
        return stand_as_seen(work, appointment, why, seen_of(parts))
    going = work.changes.sent(work.tenant.id, appointment, lease=now + LEASE, now=now, back=why)
    if going is None:
        return False  # somebody else is at it
    seen = seen_of(parts)
    for wave in order:
        expected = [expected_back(work.tenant, going, gone[index].own, gone[index].seen, sent_at=now) for index in wave]
        moves = [(each.old_uid, each.slot.start) for each in expected]
        judged = _send(work, moves, expected, TAKEN_BACK, after_unknown=False)
        seen |= {index: booking for index, (_, _, booking) in zip(wave, judged, strict=True) if booking is not None}
        against = [(answer, judgement) for answer, judgement, booking in judged if booking is None]
        if not against:
            continue
        if all(isinstance(answer, NotSent | KeyRejected) for answer, _ in against):
            return wait(work, going, restore=restored(change, nothing_done=False))
        if not all(judgement.verdict in _WRITTEN_OFF for _, judgement in against):
            return wait(work, going)
        return stand_as_seen(work, going, why, seen, answer=detail(against[0][0]))
    if all(each.is_home for each in (replace(each, seen=seen[each.index]) for each in parts)):
        return give_up(work, going, why, seen=seen)
    return stand_as_seen(work, going, why, seen)
