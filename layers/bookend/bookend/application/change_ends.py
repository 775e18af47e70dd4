"""What bringing a change to its end in the background needs, of whatever kind it is.

Whether a request can still take effect, giving up, waiting, and the audit entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from bookend.application import alerts as alert
from bookend.application.background import Background
from bookend.application.following import take_over
from bookend.application.patience import AGAIN, SETTLE, STUCK
from bookend.application.ports import Alert, Audit
from bookend.domain.answers import Booking
from bookend.domain.appointment import Amiss, Appointment, AppointmentState, Change, ChangeWhy, Told, WishedBy
from bookend.domain.drift import DEAD, Drift
from bookend.domain.policy import CancelTooLate, MoveRefusal, may_cancel, may_move, policy_of
from bookend.domain.timeslot import instant_text

LEASE = timedelta(seconds=20)
"""How long a repeated request may be at work before somebody else looks."""


def is_still_sold(work: Background, appointment: Appointment) -> bool:
    """Whether the salon's document still has the stylist do this: it may have changed since the caller was asked.

    Of a composite that lacks a part, whether each part that it has is sold as it is.
    """
    service = work.tenant.service(appointment.service)
    if service is None:
        return False
    known, parts = {each.id for each in work.tenant.staff}, dict(enumerate(service.busy))
    whole = len(parts) == len(appointment.segments) or appointment.amiss is Amiss.PART_GONE
    return whole and all(
        own.staff in known and own.index in parts and parts[own.index].event_types.get(own.staff) == own.event_type
        for own in appointment.segments
    )


def move_rule(work: Background, appointment: Appointment) -> MoveRefusal | None:
    """The salon's rule against the move that is under way. Rules bind callers, not the salon."""
    change = appointment.under_way
    if change.wished_by is not WishedBy.CALLER:
        return None
    policy, now = policy_of(work.tenant, service=appointment.service, staff=appointment.staff), work.clock.now()
    return may_move(policy, now=now, current=appointment.slot, new=change.slot, moves=appointment.moves)


def cancel_rule(work: Background, appointment: Appointment) -> CancelTooLate | None:
    """The salon's rule against the cancellation that is under way, as for a move."""
    if appointment.under_way.wished_by is not WishedBy.CALLER:
        return None
    policy = policy_of(work.tenant, service=appointment.service, staff=appointment.staff)
    return may_cancel(policy, now=work.clock.now(), slot=appointment.slot)


def give_up(
    work: Background,
    appointment: Appointment,
    why: ChangeWhy,
    *,
    answer: str = "",
    flag: bool = False,
    seen: Mapping[int, Booking] | None = None,
    amiss: Amiss | None = None,
) -> bool:
    """It stands where it stands, and its caller hears so.

    `seen` are its bookings by part, as far as they are not known to be as on record: under a uid of ours, at the new
    time or gone that is written down with it; where others have put one is taken over at once. `amiss`: it is no whole.
    """
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
        audit=audit_of_change(work, f"not_{change.kind.value}", None, appointment),
        now=work.clock.now(),
        seen=seen if len(appointment.segments) > 1 else None,
        amiss=amiss,
    )
    if ended and seen:
        compare(work, appointment, seen)
    return ended


def compare(work: Background, appointment: Appointment, seen: Mapping[int, Booking]) -> None:
    """What others have made of it is taken over at once."""
    for index, booking in seen.items():
        stands = work.appointments.appointment(work.tenant.id, appointment.id)
        if stands is None or stands.state is not AppointmentState.CONFIRMED:
            return
        own = next((each for each in stands.segments if each.index == index), None)
        if own is not None and booking.status not in DEAD:
            take_over(work, stands, own, booking)


def wait(
    work: Background, appointment: Appointment, *, absent: datetime | None = None, restore: Change | None = None
) -> bool:
    """Look again soon. `absent`: it was not done as of then; `restore`: the last request surely never left."""
    now, change = work.clock.now(), appointment.under_way
    kept = change.keep_until is not None and not is_over(change, now=now)
    if now - change.since >= STUCK and not kept:
        raised = alert.stuck(appointment)
        about = f"stuck-{change.op}-{now:%Y-%m-%d}"
        if work.adoptions.flag(work.tenant.id, raised, about=about, now=now):
            work.alerts.raise_(raised)
    work.changes.postpone(work.tenant.id, appointment, until=now + AGAIN, absent=absent, restore=restore)
    return False


def did_nothing(change: Change, *, now: datetime) -> bool:
    """Whether it is certain that what was sent, if anything was, had no effect and will have none."""
    if change.sent_at is None:
        return True
    return now - change.sent_at >= SETTLE and _seen_twice(change, now=now)


def is_over(change: Change, *, now: datetime) -> bool:
    """Whether the time is over for which it was kept."""
    return change.keep_until is not None and now >= change.keep_until


def _seen_twice(change: Change, *, now: datetime) -> bool:
    return change.absent_since is not None and now - change.absent_since >= AGAIN


def audit_of_change(work: Background, repair: str, booking: Booking | None, appointment: Appointment) -> Audit:
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
