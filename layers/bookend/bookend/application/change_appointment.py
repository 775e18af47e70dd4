"""Move or cancel one appointment: find it by what the caller knows of it, ask them to confirm, then do it.

Two calls of the function, never one: the first names the appointment and gets a token, the second hands it back. A
model cannot change anything in one step, and nothing it makes up is a token.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import assert_never

from bookend.application.change_commit import carry_out_change, other_times
from bookend.application.change_keeping import keep_for_later, may_keep_until
from bookend.application.change_outcomes import (
    AlreadyThere,
    AskAPerson,
    AskedTooLongAgo,
    ChangeOutcome,
    Confirm,
    HasOneThere,
    NewTimes,
    NotChanged,
    NotIdentified,
    NotTheLastQuestion,
    WhichOne,
)
from bookend.application.change_parts import carry_out_parts
from bookend.application.change_replay import may_be_kept_after_all, replay_change
from bookend.application.change_while_open import while_open
from bookend.application.deadline import LEAST_FOR_WRITE_S
from bookend.application.find_appointments import own_appointments, who_calls
from bookend.application.offering import Free, NoAnswer, find_free, keep, own_holds
from bookend.application.outcomes import Missing, NeedInfo, TimeTrouble
from bookend.application.patience import TURN_LEASE
from bookend.application.ports import Begun, Known, NotBegun
from bookend.application.turn import Turn
from bookend.application.wishes import read_wanted
from bookend.domain.appointment import (
    Appointment,
    AppointmentState,
    Change,
    ChangeKind,
    Told,
)
from bookend.domain.authority import CONFIRM_WITHIN, Asked, matching, token_of, was_asked_here
from bookend.domain.availability import Wanted
from bookend.domain.composites import is_as_sold, usual_parts
from bookend.domain.contacts import clean_name
from bookend.domain.failures import FailureClass
from bookend.domain.policy import (
    CancelTooLate,
    MovedTooOften,
    MoveRefusal,
    MoveTooLate,
    may_cancel,
    may_move,
    policy_of,
)
from bookend.domain.tenant import Service
from bookend.domain.timeslot import Slot

_TRIES = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeAppointment:
    """The wish, in the model's words. `date` and `time` are the appointment's, `new_…` where a move goes.

    `token` confirms what was asked before; with `keep` it may be done later, if it cannot be done now. None: not said.
    """

    kind: ChangeKind
    name: str | None = None
    date: str | None = None
    time: str | None = None
    new_date: str | None = None
    new_time: str | None = None
    offer: str | None = None
    token: str | None = None
    keep: bool = False


def change_appointment(command: ChangeAppointment, turn: Turn) -> ChangeOutcome:
    """The first step without a token, the second with it.

    Touches the ledger (a hold, then BEGIN and how it ends) and the calendar (one move or cancellation between the two).
    """
    if turn.call.caller is None:
        return AskAPerson()
    if command.token is not None:
        return _confirmed(command, turn, command.token)
    return _named(command, turn)


# The first step


def _named(command: ChangeAppointment, turn: Turn) -> ChangeOutcome:
    now = turn.clock.now()
    name = clean_name(command.name)
    if name is None:
        return NeedInfo(Missing.OWN_NAME)
    named = read_wanted(turn.tenant, command.date, command.time, now=now)
    if not isinstance(named, Wanted):
        return NeedInfo(Missing.OWN_DATE) if isinstance(named, NeedInfo) else named
    wanted = _where_to(command, turn, named.day) if command.kind is ChangeKind.MOVE else None
    if wanted is not None and not isinstance(wanted, Wanted):
        return wanted
    customer, today = who_calls(turn), turn.today()
    mine = own_appointments(turn, customer)
    # The try is written down before anything is compared: guesses at the same moment are counted one by one.
    if not turn.changes.may_try(turn.tenant.id, customer, call=turn.call.id, day=today, now=now):
        return AskAPerson()
    hits = matching(mine, name=name, day=named.day, at=named.at, zone=turn.tenant.zone)
    if not hits:
        return NotIdentified()

    def hit(asked: Asked | None) -> bool:
        return turn.changes.ask(turn.tenant.id, turn.call.id, asked, customer=customer, day=today, now=now)

    if len(hits) > 1:
        hit(None)
        return WhichOne(tuple(each.slot for each in hits), today)
    outcome = _proposal(command.kind, turn, hits[0], wanted)
    asked = _asked(turn, hits[0], command.kind, outcome)
    if not hit(asked):
        return AskedTooLongAgo(command.kind)  # the call has ended, or something else is asked in it at this moment
    if asked is None:
        return outcome
    return replace(outcome, token=asked.token) if isinstance(outcome, Confirm | NotChanged) else outcome


def _where_to(command: ChangeAppointment, turn: Turn, day: date) -> Wanted | NeedInfo | TimeTrouble:
    """Where it shall go: a time we offered, or one that was said; a time alone is meant on the day where it stands."""
    if command.offer is not None:
        record = turn.appointments.look(turn.tenant.id, call=turn.call.id).record
        offered = next((each.slot.start for each in record.offers if each.id == command.offer), None)
        if offered is not None:
            return Wanted(offered.astimezone(turn.tenant.zone).date(), offered)
    if command.new_date is None and command.new_time is None:
        return NeedInfo(Missing.NEW_TIME)
    new_date = command.new_date or day.isoformat()
    return read_wanted(turn.tenant, new_date, command.new_time, now=turn.clock.now())


def _proposal(
    kind: ChangeKind, turn: Turn, appointment: Appointment, wanted: Wanted | NeedInfo | TimeTrouble | None
) -> ChangeOutcome:
    """What to ask the caller, or why not. A `Confirm` has no token yet."""
    current, today = appointment.slot, turn.today()
    if appointment.state is not AppointmentState.CONFIRMED:
        return while_open(turn, kind, appointment, wanted if isinstance(wanted, Wanted) else None)
    service = _by_phone(turn, appointment)
    if service is None:
        return AskAPerson()
    if kind is ChangeKind.CANCEL:
        refusal = _refusal(turn, appointment, None)
        question = Confirm(kind, "", current, None, today, service=service.id)
        return _by_policy(kind, turn, appointment, refusal) if refusal else question
    assert isinstance(wanted, Wanted)  # noqa: S101 - of a move it was read before
    # What no other time would help against comes first, so that nobody is sent to look for one.
    refusal = _refusal(turn, appointment, current)
    if isinstance(refusal, MoveTooLate | MovedTooOften):
        return _by_policy(kind, turn, appointment, refusal)
    if wanted.at is None:
        return _times_on(turn, appointment, service, wanted)
    if wanted.at == current.start:
        return AlreadyThere(current, today)
    new = Slot.of(wanted.at, service.minutes)
    if (refusal := _refusal(turn, appointment, new)) is not None:
        return _by_policy(kind, turn, appointment, refusal)
    free = find_free(turn, service, (appointment.staff,), wanted, fresh=True, moving=appointment)
    if isinstance(free, NoAnswer):
        return _temporary(kind, turn, appointment, free.retry_after_s, new)
    if any(each.slot.start == new.start for each in free.openings):
        # Kept for them while they think about it; what else there is stays on sale.
        there = replace(free, starts={appointment.staff: (new.start,)})
        if kept := keep(turn, service, there, wanted):
            return Confirm(kind, "", current, kept[0].slot, today, parts=kept[0].parts, service=service.id)
    offers = keep(turn, service, _elsewhere(appointment, free), wanted)
    return NotChanged(
        kind=kind, failure=FailureClass.SLOT_TAKEN, current=current, wanted=new, offers=offers, today=today
    )


def _by_phone(turn: Turn, appointment: Appointment) -> Service | None:
    """The service, where a machine may change the appointment; None where a person must.

    Cal.com moves to the event type's own length (contracts: calcom 2.1): what the salon has made longer or shorter
    would not be what it was. Nor is a composite of which others have changed or taken away a part. A branch changes
    what its own stylists do.
    """
    service = turn.tenant.service(appointment.service)
    here = {each.id for each in turn.tenant.staff}
    if service is None or appointment.amiss is not None or appointment.staff not in here:
        return None
    return service if is_as_sold(service, appointment.segments) else None


def _times_on(turn: Turn, appointment: Appointment, service: Service, wanted: Wanted) -> ChangeOutcome:
    free = find_free(turn, service, (appointment.staff,), wanted, fresh=True, moving=appointment)
    if isinstance(free, NoAnswer):
        return _temporary(ChangeKind.MOVE, turn, appointment, free.retry_after_s, None)
    offers = keep(turn, service, _elsewhere(appointment, free), wanted)
    return NewTimes(wanted.day, offers, turn.today(), window=wanted.window)


def _elsewhere(appointment: Appointment, free: Free) -> Free:
    """Without where it stands already."""
    here = appointment.slot.start
    return replace(free, starts={staff: tuple(e for e in all_ if e != here) for staff, all_ in free.starts.items()})


def _refusal(
    turn: Turn, appointment: Appointment, new: Slot | None, *, now: datetime | None = None
) -> MoveRefusal | CancelTooLate | None:
    policy = policy_of(turn.tenant, service=appointment.service, staff=appointment.staff)
    now = now or turn.clock.now()
    if new is None:
        return may_cancel(policy, now=now, slot=appointment.slot)
    return may_move(policy, now=now, current=appointment.slot, new=new, moves=appointment.moves)


def _by_policy(
    kind: ChangeKind, turn: Turn, appointment: Appointment, refusal: MoveRefusal | CancelTooLate
) -> ChangeOutcome:
    return NotChanged(
        kind=kind,
        failure=FailureClass.POLICY,
        current=appointment.slot,
        refusal=refusal,
        today=turn.today(),
    )


def _temporary(
    kind: ChangeKind, turn: Turn, appointment: Appointment, retry_after_s: float | None, new: Slot | None
) -> ChangeOutcome:
    return NotChanged(
        kind=kind,
        failure=FailureClass.TEMPORARY,
        current=appointment.slot,
        wanted=new,
        retry_after_s=retry_after_s,
        today=turn.today(),
    )


def _asked(turn: Turn, appointment: Appointment, kind: ChangeKind, outcome: ChangeOutcome) -> Asked | None:
    """What a yes would mean: to the question, or to "shall I do it when Cal.com is back?"."""
    match outcome:
        case Confirm(new=new, parts=arranged):
            slot, parts = new, arranged
        case NotChanged(failure=FailureClass.TEMPORARY, wanted=Slot() as wanted):
            service = turn.tenant.service(appointment.service)
            if may_keep_until(turn, appointment, kind) is None or service is None:
                return None
            parts = usual_parts(service, wanted.start) if service.is_composite else (wanted,)
            slot = Slot(parts[0].start, parts[-1].end)
        case _:
            return None
    return Asked(
        token=token_of(turn.call.id, who_calls(turn), mark=turn.ids.new()),
        op=turn.ids.new(),
        kind=kind,
        appointment=appointment.id,
        version=appointment.version,
        expires=turn.clock.now() + CONFIRM_WITHIN,
        slot=slot,
        parts=parts,
    )


# The second step


def _confirmed(command: ChangeAppointment, turn: Turn, token: str) -> ChangeOutcome:
    known = turn.appointments.look(turn.tenant.id, call=turn.call.id)
    asked = known.record.asked
    if asked is None or not hmac.compare_digest(asked.token.encode(), token.encode()) or asked.kind is not command.kind:
        # To this caller, in this call, but to another question; else of another call, or made up.
        mine = was_asked_here(token, turn.call.id, who_calls(turn))
        return NotTheLastQuestion() if mine else NotIdentified()
    appointment = turn.appointments.appointment(turn.tenant.id, asked.appointment)
    if appointment is None or appointment.customer.id != who_calls(turn):
        return NotIdentified()
    if (earlier := replay_change(turn, appointment, asked, consents=command.keep)) is not None:
        return earlier
    again = may_be_kept_after_all(appointment, asked)
    if turn.clock.now() >= asked.expires or not (again or appointment.version == asked.version):
        return AskedTooLongAgo(command.kind)
    op = asked.op_if_kept if again else asked.op
    return _begin(command, turn, appointment, replace(asked, op=op), known, later=again)


def _begin(
    command: ChangeAppointment, turn: Turn, appointment: Appointment, asked: Asked, known: Known, *, later: bool
) -> ChangeOutcome:
    """Write it down, on a picture of the ledger that has not changed; then do it, or (`later`) leave it to others."""
    kind = asked.kind
    service = _by_phone(turn, appointment)
    if service is None or not _may_begin(appointment, asked, now=turn.clock.now()):
        return AskedTooLongAgo(kind)
    # As of when they were asked: whoever was offered a time a minute ago can take it (decision 0022).
    if (refusal := _refusal(turn, appointment, asked.slot, now=asked.expires - CONFIRM_WITHIN)) is not None:
        return _by_policy(kind, turn, appointment, refusal)
    until = may_keep_until(turn, appointment, kind) if command.keep else None
    if later and until is None:
        return _temporary(kind, turn, appointment, None, None)
    for _ in range(_TRIES):
        if asked.slot is not None:
            known = _look(turn, appointment, asked)
            if not _is_free(turn, appointment, asked, known):
                return _taken(turn, appointment, service, asked.slot)
        if turn.deadline.remaining() < LEAST_FOR_WRITE_S:
            break
        now = turn.clock.now()
        begun = turn.changes.begin(
            turn.tenant.id,
            appointment,
            _change(turn, appointment, asked, now, until if later else None),
            lease=now if later else now + TURN_LEASE,
            days=known.days,
            freeing=own_holds(known.record),
            day=turn.today(),
            now=now,
        )
        if isinstance(begun, Begun):
            if later and until is not None:
                kept = keep_for_later(turn, begun.appointment, until=until, unsent=True)
                return kept or AskedTooLongAgo(kind)
            carry_out = carry_out_change if len(appointment.segments) == 1 else carry_out_parts
            return carry_out(turn, begun.appointment, asked, until=until)
        if begun is not NotBegun.LEDGER_CHANGED:
            return _not_begun(command, turn, appointment, asked, begun)
    return _temporary(kind, turn, appointment, None, None)


def _may_begin(appointment: Appointment, asked: Asked, *, now: datetime) -> bool:
    """Whether it stands, has not begun, and goes to where it has not begun either, with all its parts."""
    begins = min(each.start for each in (appointment.slot, asked.slot) if each is not None)
    goes_whole = asked.slot is None or len(asked.busy) == len(appointment.segments)
    return appointment.state is AppointmentState.CONFIRMED and goes_whole and begins > now


def _look(turn: Turn, appointment: Appointment, asked: Asked) -> Known:
    days = {(appointment.staff, day) for slot in asked.busy for day in slot.utc_days()}
    return turn.appointments.look(turn.tenant.id, call=turn.call.id, days=days)


def _is_free(turn: Turn, appointment: Appointment, asked: Asked, known: Known) -> bool:
    now, own = turn.clock.now(), own_holds(known.record)
    return all(
        known.days.is_free(appointment.staff, slot, now=now, ignoring=own, moving=appointment.id) for slot in asked.busy
    )


def _not_begun(
    command: ChangeAppointment, turn: Turn, appointment: Appointment, asked: Asked, why: NotBegun
) -> ChangeOutcome:
    """Somebody was faster, or a rule is in the way: nothing was written."""
    match why:
        case NotBegun.APPOINTMENT_CHANGED:
            now_is = turn.appointments.appointment(turn.tenant.id, appointment.id)
            same = replay_change(turn, now_is, asked, consents=command.keep) if now_is is not None else None
            return same or AskedTooLongAgo(asked.kind)
        case NotBegun.TOO_MANY:
            return AskAPerson()
        case NotBegun.CUSTOMER_HAS_ONE if asked.slot is not None:
            return HasOneThere(asked.slot, turn.today())
        case NotBegun.CUSTOMER_HAS_ONE | NotBegun.LEDGER_CHANGED:
            return _temporary(asked.kind, turn, appointment, None, None)
        case other:
            assert_never(other)


def _change(turn: Turn, appointment: Appointment, asked: Asked, now: datetime, until: datetime | None) -> Change:
    """As it is written down. What is left for later surely was not sent, and its caller was told that it is open."""
    target = tuple(
        replace(each, slot=slot, uid=None, booking_id=None, updated_at=None)
        for each, slot in zip(appointment.segments, asked.busy, strict=False)
    )
    return Change(
        op=asked.op,
        kind=asked.kind,
        call=turn.call.id,
        since=now,
        segments=target,
        sent_at=None if until is not None else now,
        told=Told.NOTHING if until is None else Told.PENDING,
        keep_until=until,
    )


def _taken(turn: Turn, appointment: Appointment, service: Service, slot: Slot) -> ChangeOutcome:
    """Somebody was faster: it stays where it is, and there is this instead."""
    return NotChanged(
        kind=ChangeKind.MOVE,
        failure=FailureClass.SLOT_TAKEN,
        current=appointment.slot,
        wanted=slot,
        offers=other_times(turn, appointment, service, slot),
        today=turn.today(),
    )
