"""Move or cancel a composite in the turn: each busy part is a booking of its own at Cal.com, and all go or none.

Parts are moved at the same time, except where one goes to the time of another: Cal.com refuses a busy host, whoever
keeps them busy (`waves`). Where a part is not to be had, those that have gone are taken back. A cancellation is never
taken back. What cannot be brought to an end here is noted, said to be open, and finished in the background.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from bookend.application.booking_commit import AFTER_CANCEL_S
from bookend.application.change_commit import (
    CANCELLED_BY_CUSTOMER,
    MOVED_BY_CUSTOMER,
    TAKEN_BACK,
    is_cancelled,
    leave_it_open,
    look_for_move,
    may_be_sent_again,
    refused,
    second_answer,
    unknown,
)
from bookend.application.change_keeping import keep_for_later
from bookend.application.change_outcomes import CancelledNow, ChangeOutcome, Moved
from bookend.application.change_replay import as_recorded, how_it_ended
from bookend.application.deadline import CANCEL_S, COMMIT_RESERVE_S, LEAST_FOR_WRITE_S, LOOK_S, POST_S
from bookend.application.own_bookings import expected_back, expected_move
from bookend.application.patience import TURN_LEASE
from bookend.application.ports import Cancelled, StoreUnavailable
from bookend.application.turn import Turn
from bookend.domain.answers import Answered, Booking, CreateAnswer, Judgement, NotSent, Unclear, Verdict, detail
from bookend.domain.appointment import Appointment, BookedSegment, ChangeKind, Told
from bookend.domain.authority import Asked
from bookend.domain.failures import FailureClass, Trouble, failure_of, why_of
from bookend.domain.move_answers import judge_move
from bookend.domain.moving import waves
from bookend.domain.timeslot import Slot

_DEFINITE = (Verdict.REJECT, Verdict.REFUSED, Verdict.NOT_FOUND)
"""What no waiting helps against, and in which order it is said where several parts are refused."""
_NO_TIME = NotSent("no time left to send all of it")


@dataclass(frozen=True, slots=True)
class _Sent:
    """A part that Cal.com was asked to move, its answer, and what that means."""

    index: int
    answer: CreateAnswer
    judgement: Judgement

    @property
    def verdict(self) -> Verdict:
        return self.judgement.verdict

    @property
    def trouble(self) -> Trouble:
        assert not isinstance(self.answer, Answered)  # noqa: S101 - an answer with a booking is no refusal
        return self.answer


def carry_out_parts(turn: Turn, appointment: Appointment, asked: Asked, *, until: datetime | None) -> ChangeOutcome:
    """Ask Cal.com. `until`: the caller has agreed already that it is tried until then if it cannot be done now."""
    try:
        if appointment.under_way.kind is ChangeKind.MOVE:
            return _move(turn, appointment, asked, until)
        return _cancel(turn, appointment, asked, until)
    except StoreUnavailable:
        # Cal.com has answered, but whether that is written down is not known: say what is on record.
        return as_recorded(turn, appointment)


# Moving


def _move(turn: Turn, appointment: Appointment, asked: Asked, until: datetime | None) -> ChangeOutcome:
    change = appointment.under_way
    order = waves(_slots(appointment.segments), _slots(change.segments))
    if order is None:
        msg = "a place that the parts cannot reach is not offered"
        raise AssertionError(msg)
    gone: dict[int, Booking] = {}
    for wave in order:
        if gone and turn.deadline.remaining() < LEAST_FOR_WRITE_S:
            return _half_done(turn, appointment, until, _NO_TIME, "not all of it is moved")
        sent = _send(turn, appointment, wave)
        gone |= {
            each.index: each.answer.booking
            for each in sent
            if each.verdict is Verdict.OK and isinstance(each.answer, Answered)
        }
        against = [each for each in sent if each.verdict is not Verdict.OK]
        if against:
            return _stopped(turn, appointment, asked, until, against, gone)
    if turn.changes.moved(turn.tenant.id, appointment, gone, told=Told.DONE, audit=None, now=turn.clock.now()):
        return Moved(change.slot, appointment.staff, turn.today())
    return as_recorded(turn, appointment)


def _slots(segments: Sequence[BookedSegment]) -> dict[int, Slot]:
    return {each.index: each.slot for each in segments}


def _send(turn: Turn, appointment: Appointment, wave: Sequence[int]) -> list[_Sent]:
    """Each part of a wave once; and once more where that cannot do harm, unless one of them is refused anyway."""
    parts = [each for each in appointment.segments if each.index in wave]
    targets = _slots(appointment.under_way.segments)
    moves = [(each.uid or "", targets[each.index].start) for each in parts]

    def send(which: Sequence[int]) -> tuple[CreateAnswer, ...]:
        share = turn.deadline.share(POST_S, reserve=COMMIT_RESERVE_S)
        return turn.calendar.reschedule_all([moves[number] for number in which], MOVED_BY_CUSTOMER, deadline=share)

    answers = list(send(range(len(moves))))
    unclear = {number for number, each in enumerate(answers) if isinstance(each, Unclear)}
    again = [number for number, each in enumerate(answers) if may_be_sent_again(each)]
    worth_it = all(isinstance(each, Answered) or number in again for number, each in enumerate(answers))
    if again and worth_it and turn.deadline.remaining() >= LEAST_FOR_WRITE_S + (LOOK_S if unclear else 0):
        for number, answer in zip(again, send(again), strict=True):
            answers[number] = answer
    sent = []
    for number, own in enumerate(parts):
        expected, answer = expected_move(turn.tenant, appointment, own), answers[number]
        judgement = judge_move(answer, expected, now=turn.clock.now(), after_unknown=number in unclear)
        if judgement.verdict is Verdict.UNKNOWN:
            answer, judgement = look_for_move(turn, appointment, own, answer, judgement)
        sent.append(_Sent(own.index, answer, judgement))
    return sent


def _stopped(  # noqa: PLR0917 - the parts of one decision
    turn: Turn,
    appointment: Appointment,
    asked: Asked,
    until: datetime | None,
    against: Sequence[_Sent],
    gone: Mapping[int, Booking],
) -> ChangeOutcome:
    """Not every part has gone: what follows depends on what is certain of the others."""
    odd = next((each for each in against if each.verdict in {Verdict.WRONG, Verdict.EXISTING}), None)
    if odd is not None:
        why = odd.judgement.why
        return leave_it_open(turn, appointment, FailureClass.PENDING, odd.answer, why, wrong=True)
    definite = sorted(
        (each for each in against if each.verdict in _DEFINITE), key=lambda each: _DEFINITE.index(each.verdict)
    )
    open_ = next((each for each in against if each.verdict is Verdict.UNKNOWN), None)
    if open_ is not None and not gone and not definite:
        return unknown(turn, appointment, asked, open_.answer, open_.judgement.why, until)
    if open_ is not None or (gone and not definite):
        return _half_done(turn, appointment, until, (open_ or against[0]).answer, "not all of it is moved")
    first = (definite or against)[0]
    if gone:
        return _take_back(turn, appointment, asked, first.trouble, gone)
    return refused(turn, appointment, asked, first.trouble, until)


def _half_done(
    turn: Turn, appointment: Appointment, until: datetime | None, answer: CreateAnswer, why: str
) -> ChangeOutcome:
    """Some of it is done, and the rest may be soon: nobody is told either, until it is all one or the other."""
    if until is not None:
        return keep_for_later(turn, appointment, until=until, answer=detail(answer)) or how_it_ended(turn, appointment)
    return leave_it_open(turn, appointment, FailureClass.PENDING, answer, why)


def _take_back(
    turn: Turn, appointment: Appointment, asked: Asked, answer: Trouble, gone: Mapping[int, Booking]
) -> ChangeOutcome:
    """A part is not to be had. That the others go back is noted before it is so; else they might go on."""
    now = turn.clock.now()
    going_back = turn.changes.sent(
        turn.tenant.id, appointment, lease=now + TURN_LEASE, now=now, back=why_of(failure_of(answer))
    )
    if going_back is None:
        return as_recorded(turn, appointment)  # it was told to be open meanwhile, so whoever settles it finds out
    back = _bring_back(turn, going_back, gone)
    if back is None:
        why = "not all of it is taken back"
        return leave_it_open(turn, going_back, FailureClass.PENDING, answer, why)
    return refused(turn, going_back, asked, answer, None, seen=back)


def _bring_back(turn: Turn, appointment: Appointment, gone: Mapping[int, Booking]) -> dict[int, Booking] | None:
    """The bookings that stand where the appointment stood; None: not all of them surely do."""
    own = {each.index: each for each in appointment.segments}
    now_at = _slots(appointment.segments) | {index: Slot(each.start, each.end) for index, each in gone.items()}
    back: dict[int, Booking] = {}
    for wave in waves(now_at, {index: own[index].slot for index in gone}) or ():
        share = turn.deadline.share(CANCEL_S, reserve=AFTER_CANCEL_S)
        sent_at = turn.clock.now()
        moves = [(gone[index].uid, own[index].slot.start) for index in wave]
        answers = turn.calendar.reschedule_all(moves, TAKEN_BACK, deadline=share)
        for index, answer in zip(wave, answers, strict=True):
            expected = expected_back(turn.tenant, appointment, own[index], gone[index], sent_at=sent_at)
            judgement = judge_move(answer, expected, now=turn.clock.now(), after_unknown=False)
            if judgement.verdict is not Verdict.OK or not isinstance(answer, Answered):
                return None
            back[index] = answer.booking
    return back if back.keys() == gone.keys() else None


# Cancelling


def _cancel(turn: Turn, appointment: Appointment, asked: Asked, until: datetime | None) -> ChangeOutcome:
    """All parts at the same time. Some cancelled and others not is no end: the others are cancelled later."""
    uids = [each.uid or "" for each in appointment.segments]

    def send(which: Sequence[int]) -> tuple[Cancelled | Trouble, ...]:
        share = turn.deadline.share(POST_S, reserve=COMMIT_RESERVE_S)
        return turn.calendar.cancel_all([uids[number] for number in which], CANCELLED_BY_CUSTOMER, deadline=share)

    answers = list(send(range(len(uids))))
    for number, answer in enumerate(answers):
        if isinstance(answer, Unclear) and is_cancelled(turn, uids[number]) is not None:
            answers[number] = Cancelled()
    again = [
        number for number, each in enumerate(answers) if not isinstance(each, Cancelled) and may_be_sent_again(each)
    ]
    if again and turn.deadline.remaining() >= LEAST_FOR_WRITE_S:
        for number, second in zip(again, send(again), strict=True):
            first = answers[number]
            answers[number] = second if isinstance(first, Cancelled) else second_answer(first, second)
    left = [each for each in answers if not isinstance(each, Cancelled)]
    if not left:
        return _cancelled(turn, appointment)
    unclear = next((each for each in left if isinstance(each, Unclear)), None)
    if len(left) < len(answers):
        return _half_done(turn, appointment, until, unclear or left[0], "not all of it is cancelled")
    if unclear is not None:
        return unknown(turn, appointment, asked, unclear, "no clear answer", until)
    return refused(turn, appointment, asked, left[0], until)


def _cancelled(turn: Turn, appointment: Appointment) -> ChangeOutcome:
    if turn.changes.cancelled(
        turn.tenant.id, appointment, booking=None, told=Told.DONE, audit=None, now=turn.clock.now()
    ):
        return CancelledNow(appointment.slot, turn.today())
    return as_recorded(turn, appointment)
