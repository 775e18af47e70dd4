"""Book a composite: one booking for each of its busy parts, all of them asked for at the same time, and all or none.

Cal.com knows no two bookings that belong together. So where one part is not to be had, the others are taken back; and
as long as one of them may still be there, or may still come, the whole of it stays blocked and is "noch offen".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from bookend.application import alerts as alert
from bookend.application.booking_answers import NOT_SENT, TAKEN
from bookend.application.booking_commit import (
    AFTER_CANCEL_S,
    as_recorded,
    booking_request,
    release,
    stands_on,
    still_open,
)
from bookend.application.booking_goal import Goal
from bookend.application.deadline import (
    CANCEL_S,
    COMMIT_RESERVE_S,
    LEAST_FOR_LOOK_S,
    LEAST_FOR_WRITE_S,
    LOOK_S,
    POST_S,
    Deadline,
)
from bookend.application.outcomes import Booked, BookOutcome, NotBooked
from bookend.application.own_bookings import expected_booking, look_up
from bookend.application.ports import Alert, BookingHasOwner, Cancelled, Confirmed, StoreUnavailable, Superseded
from bookend.application.settling import EXISTING, PARTS_REASON, UNDONE
from bookend.application.turn import Turn
from bookend.domain.answers import (
    Answered,
    Booking,
    CreateAnswer,
    Expected,
    Judgement,
    NotSent,
    Refusal,
    Unclear,
    Verdict,
    detail,
    judge,
)
from bookend.domain.appointment import OPEN, STANDING, Appointment, AppointmentState, Told
from bookend.domain.drift import DEAD, part_of

_SAID_FIRST = (
    Verdict.REJECT,
    Verdict.EXISTING,
    Verdict.REFUSED,
    Verdict.WRONG,
    Verdict.NOT_FOUND,
    Verdict.CONFIG,
    Verdict.NOT_SENT,
)
"""Which of several reasons is the one that is said and kept: a time that is taken is so whatever else went wrong."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A busy part, what Cal.com has answered to it, and what that means."""

    expected: Expected
    answer: CreateAnswer
    judgement: Judgement

    @property
    def index(self) -> int:
        return self.expected.segment

    @property
    def verdict(self) -> Verdict:
        return self.judgement.verdict

    @property
    def booking(self) -> Booking | None:
        """What Cal.com has made for it, as asked or not."""
        made = self.verdict in {Verdict.OK, Verdict.WRONG}
        return self.answer.booking if made and isinstance(self.answer, Answered) else None


def book_parts(turn: Turn, goal: Goal, appointment: Appointment) -> BookOutcome:
    """The operation is on record as PENDING: send all its parts, class the answers, write down what they mean."""
    sent_at = turn.clock.now()
    answers = _ask(turn, appointment)
    expected = [
        replace(expected_booking(turn.tenant, appointment, each), sent_at=sent_at) for each in appointment.segments
    ]
    now = turn.clock.now()
    parts = [_Part(each, answer, judge(answer, each, now=now)) for each, answer in zip(expected, answers, strict=True)]
    strays: Collection[str] = ()
    if any(each.verdict is Verdict.UNKNOWN for each in parts):
        parts, strays = _look(turn, appointment, parts)
    try:
        return _commit(turn, goal, appointment, _each_its_own(parts), strays)
    except StoreUnavailable:
        # Cal.com has answered, but whether that is written down is not known: say what is on record.
        return as_recorded(turn, goal, appointment)


def _ask(turn: Turn, appointment: Appointment) -> list[CreateAnswer]:
    """Every part once. What never left is sent again, once, unless a part is not to be had anyway."""
    requests = [booking_request(turn, appointment, each) for each in appointment.segments]
    share = turn.deadline.share(POST_S, reserve=COMMIT_RESERVE_S)
    answers = list(turn.calendar.book_all(requests, deadline=share))
    never_left = [
        number for number, each in enumerate(answers) if isinstance(each, NotSent) and each.retry_after_s is None
    ]
    others = [each for number, each in enumerate(answers) if number not in never_left]
    worth_it = never_left and all(isinstance(each, Answered | Unclear) for each in others)
    if worth_it and turn.deadline.remaining() >= LEAST_FOR_WRITE_S:
        share = turn.deadline.share(POST_S, reserve=COMMIT_RESERVE_S)
        again = turn.calendar.book_all([requests[number] for number in never_left], deadline=share)
        for number, answer in zip(never_left, again, strict=True):
            answers[number] = answer
    return answers


def _look(turn: Turn, appointment: Appointment, parts: Sequence[_Part]) -> tuple[list[_Part], Collection[str]]:
    """One look for what became of the parts that nobody knows of; it finds all of the operation at once.

    Also what it finds that is no part's: too much was booked, and somebody must take it back.
    """
    deadline = turn.deadline.share(LOOK_S, reserve=COMMIT_RESERVE_S)
    if deadline.remaining() < LEAST_FOR_LOOK_S:
        return list(parts), ()
    found = look_up(appointment, calendar=turn.calendar, deadline=deadline) or ()
    known = {each.booking.uid for each in parts if each.booking is not None}
    live = {each.uid: each for each in found if each.status not in DEAD and each.uid not in known}
    seen, now = [], turn.clock.now()
    for part in parts:
        candidates = [each for each in live.values() if part_of(each) == part.index]
        if part.verdict is not Verdict.UNKNOWN or not candidates:
            seen.append(part)
            continue
        judged = [
            _Part(part.expected, Answered(each), judge(Answered(each), part.expected, now=now)) for each in candidates
        ]
        best = next((each for each in judged if each.verdict is Verdict.OK), judged[0])
        seen.append(best)
        if best.booking is not None:
            del live[best.booking.uid]
    return seen, frozenset(live)


def _each_its_own(parts: Sequence[_Part]) -> list[_Part]:
    """A booking stands for one part, whatever Cal.com answers to another."""
    uids = Counter(each.booking.uid for each in parts if each.booking is not None)
    ids = Counter(each.booking.id for each in parts if each.booking is not None)
    twice = Judgement(Verdict.WRONG, "the booking of another part")
    return [
        replace(each, judgement=twice)
        if each.booking is not None and max(uids[each.booking.uid], ids[each.booking.id]) > 1
        else each
        for each in parts
    ]


def _commit(
    turn: Turn, goal: Goal, appointment: Appointment, parts: Sequence[_Part], strays: Collection[str]
) -> BookOutcome:
    against = sorted(
        (each for each in parts if each.verdict not in {Verdict.OK, Verdict.UNKNOWN}),
        key=lambda each: _SAID_FIRST.index(each.verdict),
    )
    if against or strays:
        return _undo(turn, goal, appointment, parts, against, strays)
    if any(each.verdict is Verdict.UNKNOWN for each in parts):
        return _leave_open(turn, goal, appointment, parts)
    return _confirm(turn, goal, appointment, parts)


def _confirm(turn: Turn, goal: Goal, appointment: Appointment, parts: Sequence[_Part]) -> BookOutcome:
    bookings = _bookings(parts)
    outcome = turn.appointments.confirm(turn.tenant.id, appointment, bookings, told=Told.BOOKED, now=turn.clock.now())
    match outcome:
        case Confirmed():
            return Booked(appointment, turn.today())
        case BookingHasOwner(_, segment):
            # It is labelled as ours, and its uid or id belongs to another appointment: undoing it tells which.
            wrong = Judgement(Verdict.WRONG, "uid or id of another appointment")
            judged = [replace(each, judgement=wrong) if each.index == segment else each for each in parts]
            against = [each for each in judged if each.verdict is Verdict.WRONG]
            return _undo(turn, goal, appointment, judged, against, ())
        case Superseded(now_is):
            return _woke_too_late(turn, goal, appointment, now_is, bookings.values())
        case other:
            assert_never(other)


def _woke_too_late(
    turn: Turn, goal: Goal, appointment: Appointment, now_is: Appointment | None, bookings: Collection[Booking]
) -> BookOutcome:
    """Others have ended the operation while we slept: with these very bookings, or they must go, and with others it
    stands all the same.

    Their time of their own: the turn's is over by then, or nearly.
    """
    if now_is is not None and any(stands_on(now_is, each) for each in bookings):
        return Booked(now_is, turn.today())
    for each in bookings:
        turn.alerts.raise_(alert.woke_too_late(appointment, Answered(each)))
    gone = _cancel(turn, bookings, Deadline.within(CANCEL_S, turn.clock))
    if now_is is not None and now_is.state in STANDING:
        return Booked(now_is, turn.today())
    still_at_work = now_is is not None and now_is.state in OPEN
    return NotBooked() if gone and not still_at_work else still_open(turn, goal)


def _undo(  # noqa: PLR0917 - the parts of one decision
    turn: Turn,
    goal: Goal,
    appointment: Appointment,
    parts: Sequence[_Part],
    against: Sequence[_Part],
    strays: Collection[str],
) -> BookOutcome:
    """A part is not to be had, or is wrong, so none is kept; until all of them are gone, the whole is open.

    What is unknown may still come, and what was found besides is nobody's part: both are left to whoever settles it.
    """
    why, answer = (_why(against[0]), against[0].answer) if against else (UNDONE, Unclear("more than was asked for"))
    alerts: list[Alert | None] = [each for part in against if (each := _alert(appointment, part)) is not None]
    raised, *others = alerts or [None]
    bookings = _bookings(parts)
    may_come = bool(strays) or any(each.verdict is Verdict.UNKNOWN for each in parts)
    marked: bool | BookingHasOwner = True
    while bookings or may_come:
        marked = turn.appointments.must_undo(
            turn.tenant.id, appointment, bookings, why=why, alert=raised, told=Told.NOTHING, now=turn.clock.now()
        )
        if not isinstance(marked, BookingHasOwner):
            break
        # It is another customer's, whatever it says: theirs is left alone.
        theirs = Answered(bookings.pop(marked.segment))
        others.append(alert.foreign_booking(appointment, theirs, owner=marked.appointment))
        why = EXISTING if why == UNDONE else why
    for each in others:
        if each is not None:
            turn.alerts.raise_(each)
    if not bookings and not may_come:
        return release(turn, goal, appointment, answer, why, raised)
    if raised is not None:
        turn.alerts.raise_(raised)
    if not marked:
        now_is = turn.appointments.appointment(turn.tenant.id, appointment.id)
        if now_is is not None and any(stands_on(now_is, each) for each in bookings.values()):
            return Booked(now_is, turn.today())
    share = turn.deadline.share(CANCEL_S, reserve=AFTER_CANCEL_S)
    if not _cancel(turn, bookings.values(), share) or may_come:
        return _leave_undoing(turn, goal, appointment)
    return release(turn, goal, appointment, answer, why, None)


def _cancel(turn: Turn, bookings: Collection[Booking], deadline: Deadline) -> bool:
    """Whether Cal.com has agreed to cancel every one of them."""
    uids = [each.uid for each in bookings]
    answers = turn.calendar.cancel_all(uids, PARTS_REASON, deadline=deadline) if uids else ()
    return all(isinstance(each, Cancelled) for each in answers)


def _leave_open(turn: Turn, goal: Goal, appointment: Appointment, parts: Sequence[_Part]) -> BookOutcome:
    """Nobody knows of some parts, and nothing speaks against any: all stays blocked, and somebody looks soon."""
    unknown = next(each for each in parts if each.verdict is Verdict.UNKNOWN)
    raised = alert.outcome_unknown(appointment, unknown.judgement.why)
    turn.alerts.raise_(raised)
    noted = turn.appointments.leave_open(
        turn.tenant.id,
        appointment,
        why=unknown.judgement.why,
        answer=detail(unknown.answer),
        alert=raised,
        now=turn.clock.now(),
        bookings=_bookings(parts),
    )
    if not noted:
        return as_recorded(turn, goal, appointment)
    turn.look_soon(appointment)
    return still_open(turn, goal)


def _leave_undoing(turn: Turn, goal: Goal, appointment: Appointment) -> BookOutcome:
    """It is being taken back and is not all gone: that is noted before the caller hears that it is open."""
    undoing = replace(appointment, state=AppointmentState.COMPENSATING)
    raised = alert.outcome_unknown(appointment, "not all of it is taken back")
    turn.alerts.raise_(raised)
    noted = turn.appointments.leave_open(turn.tenant.id, undoing, why="", answer="", alert=raised, now=turn.clock.now())
    if not noted:
        return as_recorded(turn, goal, appointment)
    turn.look_soon(appointment)
    return still_open(turn, goal)


def _bookings(parts: Sequence[_Part]) -> dict[int, Booking]:
    return {each.index: each.booking for each in parts if each.booking is not None}


def _why(part: _Part) -> str:
    """The reason that goes on record, as of a plain booking."""
    match part.verdict:
        case Verdict.REJECT:
            return TAKEN
        case Verdict.EXISTING:
            return EXISTING
        case Verdict.REFUSED:
            return part.judgement.why
        case Verdict.NOT_FOUND:
            return "not_found"
        case Verdict.CONFIG | Verdict.NOT_SENT:
            return NOT_SENT
        case Verdict.WRONG | Verdict.OK | Verdict.UNKNOWN:
            return UNDONE
        case other:
            assert_never(other)


def _alert(appointment: Appointment, part: _Part) -> Alert | None:
    """What an operator must hear of an answer, as of a plain booking."""
    match part.verdict:
        case Verdict.EXISTING:
            return alert.foreign_booking(appointment, part.answer)
        case Verdict.WRONG:
            return alert.wrong_booking(appointment, part.judgement.why, part.answer)
        case Verdict.REFUSED:
            invalid = part.judgement.why == Refusal.INVALID
            return alert.request_refused(appointment, part.judgement.why) if invalid else None
        case Verdict.NOT_FOUND:
            return alert.request_refused(appointment, part.judgement.why)
        case Verdict.CONFIG:
            return alert.key_rejected(appointment)
        case Verdict.REJECT | Verdict.NOT_SENT | Verdict.OK | Verdict.UNKNOWN:
            return None
        case other:
            assert_never(other)
