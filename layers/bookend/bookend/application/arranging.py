"""Book in the background, with no caller on the line: START, ask Cal.com once, commit. In that order.

What is not clear at once is left as it stands on record, PENDING or COMPENSATING with its time blocked, and settled
like any other open operation (`settling`). Nobody is told anything here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from bookend.application import alerts as alert
from bookend.application.background import Background
from bookend.application.booking_answers import NOT_SENT
from bookend.application.deadline import POST_S
from bookend.application.following import TRIES, audit_of
from bookend.application.own_bookings import expected_booking
from bookend.application.ports import AskedBefore, BookingHasOwner, BookingRequest, CustomerHasOne, Started, StartLost
from bookend.domain.answers import (
    Answered,
    Booking,
    CreateAnswer,
    Judgement,
    NotSent,
    Verdict,
    booking_metadata,
    detail,
    judge,
)
from bookend.domain.appointment import Appointment, AppointmentState
from bookend.domain.contacts import is_placeholder
from bookend.domain.drift import Drift
from bookend.domain.staff_day import IntervalState

LEASE = timedelta(seconds=30)
"""How long the one who has begun may be at work before others look after the operation."""


@dataclass(frozen=True, slots=True)
class Begun:
    """It is on record; Cal.com may be asked for it."""

    appointment: Appointment


@dataclass(frozen=True, slots=True)
class BegunBefore:
    """It was on record already."""


@dataclass(frozen=True, slots=True)
class HasOne:
    """The customer has this appointment for the same service at the same start."""

    appointment: str


@dataclass(frozen=True, slots=True)
class InTheWay:
    """The time is not free here: of which appointments. None: it is offered to a caller just now."""

    appointments: tuple[str, ...]


StartOutcome = Begun | BegunBefore | HasOne | InTheWay


def start(work: Background, appointment: Appointment) -> StartOutcome:
    """Write the operation down, on what is free now. A customer's known address stays theirs."""
    for _ in range(TRIES):
        now = work.clock.now()
        days = {(each.staff, day) for each in appointment.segments for day in each.slot.utc_days()}
        known = work.appointments.look(
            work.tenant.id, call=appointment.call or appointment.op, customer=appointment.customer.id, days=days
        )
        customer = appointment.customer
        if known.customer is not None and is_placeholder(customer.email, domain=work.tenant.placeholder_domain):
            customer = replace(customer, email=known.customer.email)
        begun = replace(appointment, customer=customer)
        blocking = [
            each
            for segment in begun.segments
            for day in segment.slot.utc_days()
            for each in known.days.day(segment.staff, day).in_the_way_of(segment.slot, now=now)
        ]
        if blocking:
            if any(each.key.startswith(f"{appointment.id}/") for each in blocking):
                return BegunBefore()
            firm = [each.key.partition("/")[0] for each in blocking if each.state is not IntervalState.HELD]
            return InTheWay(tuple(dict.fromkeys(firm)))
        outcome = work.appointments.start(
            work.tenant.id,
            begun,
            hold=None,
            days=known.days,
            freeing=(),
            replaces=None,
            known=known.customer,
            now=now,
        )
        match outcome:
            case Started():
                return Begun(begun)
            case AskedBefore(_):
                return BegunBefore()
            case CustomerHasOne(other):
                return BegunBefore() if other == appointment.id else HasOne(other)
            case StartLost():
                continue
            case unforeseen:
                assert_never(unforeseen)
    return InTheWay(())


def ask(work: Background, appointment: Appointment) -> tuple[CreateAnswer, ...]:
    """Every part once, at the same time; nothing is sent again."""
    customer = appointment.customer
    requests = [
        BookingRequest(
            event_type=segment.event_type,
            start=segment.slot.start,
            name=customer.name,
            email=customer.email,
            phone=customer.phone,
            zone=work.tenant.zone.key,
            language=work.tenant.language.value,
            metadata=booking_metadata(
                op=appointment.op, appointment=appointment.id, segment=segment.index, call=appointment.call
            ),
        )
        for segment in appointment.segments
    ]
    return work.calendar.book_all(requests, deadline=work.deadline.share(POST_S))


def commit(work: Background, appointment: Appointment, answers: Sequence[CreateAnswer], *, sent_at: datetime) -> None:
    """Write down what the answers mean. All as asked: CONFIRM. None of it there: RELEASE. Else nobody decides yet."""
    now = work.clock.now()
    judged = [
        judge(answer, replace(expected_booking(work.tenant, appointment, segment), sent_at=sent_at), now=now)
        for answer, segment in zip(answers, appointment.segments, strict=True)
    ]
    made = {
        segment.index: answer.booking
        for segment, answer, judgement in zip(appointment.segments, answers, judged, strict=True)
        if isinstance(answer, Answered) and judgement.verdict in {Verdict.OK, Verdict.WRONG}
    }
    uids = [each.uid for each in made.values()]
    if all(each.verdict is Verdict.OK for each in judged) and len({*uids}) == len(uids):
        _confirm(work, appointment, made)
    elif not made and not any(each.verdict is Verdict.UNKNOWN for each in judged):
        _release(work, appointment, answers, judged)
    elif made and any(each.verdict not in {Verdict.OK, Verdict.UNKNOWN} for each in judged):
        _undo(work, appointment, made)


def _confirm(work: Background, appointment: Appointment, made: dict[int, Booking]) -> None:
    after = replace(
        appointment,
        state=AppointmentState.CONFIRMED,
        segments=tuple(replace(each, uid=made[each.index].uid) for each in appointment.segments),
    )
    audit = audit_of(
        work, Drift.UNSETTLED, "book", made[appointment.segments[0].index], before=appointment, after=after
    )
    now = work.clock.now()
    outcome = work.appointments.confirm(work.tenant.id, appointment, made, told=appointment.told, now=now, audit=audit)
    if isinstance(outcome, BookingHasOwner):
        # It is labelled as ours, and its uid or id belongs to another: what is ours of it goes, theirs is left alone.
        _undo(work, appointment, {index: each for index, each in made.items() if index != outcome.segment})


def _release(
    work: Background, appointment: Appointment, answers: Sequence[CreateAnswer], judged: Sequence[Judgement]
) -> None:
    refused = next((n for n, each in enumerate(judged) if each.verdict is not Verdict.NOT_SENT), 0)
    raised = None
    if judged[refused].verdict is Verdict.EXISTING:
        raised = alert.foreign_booking(appointment, answers[refused])
        work.alerts.raise_(raised)
    never_left = all(isinstance(each, NotSent) for each in answers)
    work.appointments.release(
        work.tenant.id,
        appointment,
        why=NOT_SENT if never_left else judged[refused].why,
        answer=detail(answers[refused]),
        alert=raised,
        now=work.clock.now(),
        told=appointment.told,
        audit=audit_of(
            work,
            Drift.UNSETTLED,
            "release",
            None,
            before=appointment,
            after=replace(appointment, state=AppointmentState.FAILED),
        ),
    )


def _undo(work: Background, appointment: Appointment, made: dict[int, Booking]) -> None:
    """What was made is not all of it, or is wrong: it is marked to go, and taken back by whoever settles it."""
    if not made:
        return  # nobody knows what there is: a look will tell
    after = replace(appointment, state=AppointmentState.COMPENSATING)
    first = next(iter(made.values()))
    work.appointments.must_undo(
        work.tenant.id,
        appointment,
        made,
        why="taken",
        alert=None,
        now=work.clock.now(),
        told=appointment.told,
        audit=audit_of(work, Drift.UNSETTLED, "undo", first, before=appointment, after=after),
    )
