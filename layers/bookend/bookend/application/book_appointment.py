"""Book one appointment: record it, ask Cal.com once, check whose booking came back, commit. In that order.

Of a composite service every busy part is a booking of its own, asked for at the same time: all of them, or none.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from bookend.application.booking_answers import has_one, not_allowed, replay, taken
from bookend.application.booking_commit import ask_and_commit
from bookend.application.booking_goal import BookAppointment, Goal, read_goal, read_who, request_of
from bookend.application.booking_parts import book_parts
from bookend.application.deadline import LEAST_FOR_WRITE_S
from bookend.application.offering import own_holds
from bookend.application.outcomes import BookOutcome, NeedInfo, PastTime, TemporaryTrouble
from bookend.application.patience import TURN_LEASE
from bookend.application.ports import AskedBefore, CustomerHasOne, Known, Started, StartLost
from bookend.application.salon_rules import offer_refused
from bookend.application.turn import Turn
from bookend.domain.appointment import Appointment, AppointmentState, BookedSegment
from bookend.domain.availability import Offer
from bookend.domain.staff_day import IntervalState

_START_TRIES = 8


def book_appointment(command: BookAppointment, turn: Turn) -> BookOutcome:
    """Book what the caller wants, once, and say only what both sides bear out.

    Touches the ledger (START, then CONFIRM or RELEASE) and the calendar (one booking between the two).
    """
    who = read_who(command, turn)
    if isinstance(who, NeedInfo):
        return who
    request = request_of(command, turn, who)
    known = turn.appointments.look(turn.tenant.id, call=turn.call.id, request=request, customer=who.id)
    goal = read_goal(command, turn, known, who, earlier=lambda asked, seen: _earlier(turn, asked, seen))
    if not isinstance(goal, Goal):
        return goal
    if goal.slot.start <= turn.clock.now():
        return PastTime(turn.today())
    refusal = offer_refused(turn, goal.service, goal.offer) if goal.offer is not None else None
    if refusal is not None:  # a time that was not offered has just come from the engine, which knows the rules
        return _earlier(turn, goal) or not_allowed(turn, goal, refusal)
    started = _start(turn, goal, known)
    if not isinstance(started, Appointment):
        return started
    return ask_and_commit(turn, goal, started) if len(started.segments) == 1 else book_parts(turn, goal, started)


def _earlier(turn: Turn, goal: Goal, seen: Known | None = None) -> BookOutcome | None:
    """The answer to a wish that is on record already, of this call or another; None for a new one.

    `seen`: a look that was for it, before anything was found to be in its way. What is in the way may be the caller's
    own appointment, made in an earlier call: "not free" would have them book a second one.
    """
    known = seen or turn.appointments.look(
        turn.tenant.id,
        call=turn.call.id,
        request=goal.request(turn),
        customer=goal.who.id,
        own=(goal.slot.start, goal.service.id),
    )
    answer = replay(turn, goal, known.request) if known.request is not None else None
    return answer or (has_one(turn, goal, known.own) if known.own is not None else None)


def _start(turn: Turn, goal: Goal, known: Known) -> Appointment | BookOutcome:
    """Write the operation down; loops while the ledger changes under us, never past the deadline.

    A live hold is taken as it stands, on its own condition. Without one the slot is taken on the version of the staff
    days it was found free on; a wish that is on record already is answered from there.
    """
    hold = goal.offer if goal.offer is not None and goal.offer.held and goal.offer.moving is None else None
    appointment = _new_appointment(turn, goal, known)
    replaces: str | None = None
    at_hand = goal.seen
    for _ in range(_START_TRIES):
        if not _is_live(hold, turn):
            hold = None
            seen = _decide(turn, goal, replaces, at_hand or _look_again(turn, goal))
            at_hand = None
            if not isinstance(seen, Known):
                return seen
            known = seen
            if known.request != replaces:
                replaces = known.request
                appointment = replace(appointment, id=turn.ids.new())
            appointment = replace(appointment, customer=goal.who.customer(turn, known.customer))
        if turn.deadline.remaining() < LEAST_FOR_WRITE_S:
            return TemporaryTrouble()
        outcome = turn.appointments.start(
            turn.tenant.id,
            appointment,
            hold=hold,
            days=known.days,
            freeing=own_holds(known.record),
            replaces=replaces,
            known=known.customer,
            now=turn.clock.now(),
        )
        match outcome:
            case Started():
                return appointment
            case AskedBefore(earlier):
                if (answer := replay(turn, goal, earlier)) is not None:
                    return answer
                # That wish failed and may be tried anew: as a new appointment, on what is free now.
                hold, appointment = None, replace(appointment, id=turn.ids.new())
            case CustomerHasOne(other):
                return has_one(turn, goal, other)
            case StartLost():
                hold = None  # it expired or was replaced: take the slot on the ledger's version instead
            case unforeseen:
                assert_never(unforeseen)
    return TemporaryTrouble()


def _is_live(hold: Offer | None, turn: Turn) -> bool:
    return hold is not None and turn.clock.now() < hold.expires


def _look_again(turn: Turn, goal: Goal) -> Known:
    """The wish's record and the staff days as they are now."""
    return turn.appointments.look(
        turn.tenant.id,
        call=turn.call.id,
        request=goal.request(turn),
        customer=goal.who.id,
        days=goal.touched_days,
    )


def _decide(turn: Turn, goal: Goal, replaces: str | None, known: Known) -> Known | BookOutcome:
    """What was seen, to START on; an outcome where that decides already."""
    if known.request is not None and known.request != replaces:
        answer = replay(turn, goal, known.request)
        if answer is not None:
            return answer
    now, own = turn.clock.now(), own_holds(known.record)
    if not all(known.days.is_free(goal.staff, each, now=now, ignoring=own) for each in goal.busy):
        # One batch is not one moment: the same wish, delivered twice, may have taken it between two of its items.
        return _earlier(turn, goal) or taken(turn, goal, raced=_booked_by_others(turn, goal, known))
    return known


def _booked_by_others(turn: Turn, goal: Goal, known: Known) -> bool:
    """Whether what is in the way of an offered time is another caller's booking, and not a mere hold or their own."""
    if goal.offer is None:
        return False
    firm = {
        each.key.partition("/")[0]
        for slot in goal.busy
        for day in slot.utc_days()
        for each in known.days.day(goal.staff, day).in_the_way_of(slot, now=turn.clock.now())
        if each.state is not IntervalState.HELD
    }
    in_the_way = turn.appointments.several(turn.tenant.id, firm).values() if firm else ()
    return any(each.call != turn.call.id for each in in_the_way)


def _new_appointment(turn: Turn, goal: Goal, known: Known) -> Appointment:
    now = turn.clock.now()
    host = turn.tenant.member(goal.staff).calcom_user
    parts = zip(goal.busy, goal.service.busy, strict=True)
    return Appointment(
        id=goal.offer.id if goal.offer is not None else turn.ids.new(),
        state=AppointmentState.PENDING,
        op=turn.ids.new(),
        version=1,
        service=goal.service.id,
        segments=tuple(
            BookedSegment(number, goal.staff, slot, part.event_types[goal.staff], host=host)
            for number, (slot, part) in enumerate(parts)
        ),
        customer=goal.who.customer(turn, known.customer),
        call=turn.call.id,
        source="phone",
        created_at=now,
        request=goal.request(turn),
        lease=now + TURN_LEASE,
    )
