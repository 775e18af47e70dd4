"""One part of a composite is moved or cancelled at Cal.com: what becomes of the others (decision 0027).

Who wants the whole to go after it has it written down first, as a move or a cancellation that is under way; nothing is
sent before. Where the rest cannot go, that part is followed alone, and a person is told what is wrong with the whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import assert_never

from bookend.application.background import Background
from bookend.application.chain import Unread, moved_to
from bookend.application.converged import Converged
from bookend.application.following import TRIES, follow, overlaps
from bookend.application.parts_settling import LEASE, settle_rest, stands_as
from bookend.application.ports import Begun, FreeStarts, NotBegun
from bookend.domain.answers import Booking
from bookend.domain.appointment import (
    Appointment,
    AppointmentState,
    BookedSegment,
    Change,
    ChangeEnd,
    ChangeKind,
    WishedBy,
)
from bookend.domain.composites import rearranged, sending_order
from bookend.domain.drift import (
    ALL_GOING,
    DEAD,
    HALF_SHOWN,
    End,
    EndPart,
    EndWhole,
    Follow,
    FollowWhole,
    LookAgain,
    followed,
    is_left_to_a_person,
)
from bookend.domain.staff_day import IntervalState, StaffDays
from bookend.domain.tenant import PartRule, Service
from bookend.domain.timeslot import Slot


def part_gone(
    work: Background, appointment: Appointment, own: BookedSegment, left: Booking
) -> End | EndPart | EndWhole | LookAgain:
    """What follows from a booking that is cancelled at Cal.com, and was moved nowhere. Reads only.

    Where all parts have gone it is the end, and rings nobody. Before anything else is concluded somebody has had the
    time to cancel the others as well; before they are cancelled for them, at least as long as half of a move may show.
    """
    now, gone = work.clock.now(), [left]
    for each in appointment.segments:
        if each.index == own.index:
            continue
        seen = work.calendar.booking(each.uid or "", deadline=work.deadline)
        if not isinstance(seen, Booking):
            return LookAgain("another part cannot be read")
        after = moved_to(work, appointment, seen) if seen.status in DEAD else seen.uid
        if isinstance(after, Unread):
            return LookAgain("another part may be half of a move")
        if isinstance(after, str):
            break  # it stands somewhere
        gone.append(after.booking)
    else:
        return End(appointment, max(gone, key=lambda each: (each.updated_at is not None, each.updated_at or now)))
    wanted = work.tenant.part_changed is PartRule.FOLLOW and not is_left_to_a_person(appointment)
    ends = wanted and appointment.slot.start > now  # of what has begun a person knows more
    known_for = now - left.updated_at if left.updated_at is not None else ALL_GOING
    if known_for < (HALF_SHOWN if ends else ALL_GOING):
        return LookAgain("the other parts may be cancelled as well")
    return EndWhole(appointment, own, left) if ends else EndPart(appointment, own, left)


def end_whole(work: Background, repair: EndWhole) -> Converged:
    """Cancel the other parts too, once that is on record."""
    begun = _begin(work, repair.appointment, _change(work, repair, ChangeKind.CANCEL), StaffDays())
    return _seen_through(work, begun) if isinstance(begun, Begun) else Converged.LATER


def follow_whole(work: Background, repair: FollowWhole) -> Converged:
    """Have those parts that do not fit any more go after the one that others moved; else follow that one alone."""
    follow_alone, appointment = repair.follow, repair.appointment
    stands = work.appointments.appointment(work.tenant.id, appointment.id)
    if stands is None or stands.version != appointment.version:
        return Converged.LATER  # a run may have put it off: nobody is rung for what has been done since
    service = work.tenant.service(appointment.service)
    if service is None:
        return _alone(work, follow_alone)
    segments = followed(follow_alone)
    listed = _listed(work, repair, service, segments)
    if listed is None:
        return Converged.LATER
    if not listed:
        return _alone(work, follow_alone)
    if not _as_known(work, segments, repair.going):
        # Somebody is at them too: what they make of them is found by itself, and measured by where this one stands.
        return _alone(work, replace(follow_alone, rings=False))
    for _ in range(TRIES):
        days = _days(work, service, segments)
        places = _places(work, repair, service, segments, listed, days)
        if places is None:
            return _alone(work, follow_alone)
        targets = tuple(
            replace(each, slot=slot, uid=None, booking_id=None, updated_at=None) if each.index in repair.going else each
            for each, slot in zip(segments, places, strict=True)
        )
        begun = _begin(work, appointment, _change(work, repair, ChangeKind.MOVE, targets), days)
        if isinstance(begun, Begun):
            return _seen_through(work, begun)
        match begun:
            case NotBegun.LEDGER_CHANGED:
                continue
            case NotBegun.APPOINTMENT_CHANGED:
                return Converged.LATER
            case NotBegun.CUSTOMER_HAS_ONE | NotBegun.TOO_MANY:
                return _alone(work, follow_alone)
            case other:
                assert_never(other)
    return Converged.LATER


def _alone(work: Background, repair: Follow) -> Converged:
    return Converged.FOLLOWED if follow(work, repair) else Converged.LATER


def _seen_through(work: Background, begun: Begun) -> Converged:
    """How it ended. What is not over is the sweeper's, like any change that is under way."""
    op = begun.appointment.under_way.op
    if not settle_rest(work, begun.appointment):
        return Converged.LATER
    stands = work.appointments.appointment(work.tenant.id, begun.appointment.id)
    if stands is None or stands.state is AppointmentState.CANCELLED:
        return Converged.ENDED
    last = stands.last_change
    done = last is not None and (last.op, last.end) == (op, ChangeEnd.DONE)
    return Converged.WHOLE_FOLLOWED if done else Converged.FOLLOWED


def _change(
    work: Background, repair: FollowWhole | EndWhole, kind: ChangeKind, targets: tuple[BookedSegment, ...] = ()
) -> Change:
    """One name for one change of others: two that see it at once write the same, and one of them loses.

    It is named for the version that it is begun on. A booking names it not: others may change the same one again.
    """
    segment = repair.follow.segment if isinstance(repair, FollowWhole) else repair.segment
    return Change(
        op=f"part-{repair.appointment.id}-{repair.appointment.version}",
        kind=kind,
        call="",
        since=work.clock.now(),
        segments=targets,
        follows=segment.index,
        wished_by=WishedBy.PART,
    )


def _begin(work: Background, appointment: Appointment, change: Change, days: StaffDays) -> Begun | NotBegun:
    now = work.clock.now()
    return work.changes.begin(
        work.tenant.id,
        appointment,
        change,
        lease=now + LEASE,
        days=days,
        freeing=_holds_in_the_way(change, days),
        day=now.astimezone(work.tenant.zone).date(),
        now=now,
    )


def _holds_in_the_way(change: Change, days: StaffDays) -> set[str]:
    """What callers are offered where the part stands by now: those offers are lost, as where anybody books there."""
    return {
        held.key
        for segment in change.segments
        if segment.index == change.follows
        for day in segment.slot.utc_days()
        for held in days.day(segment.staff, day).intervals.values()
        if held.state is IntervalState.HELD and held.slot.overlaps(segment.slot)
    }


def _listed(
    work: Background, repair: FollowWhole, service: Service, segments: Sequence[BookedSegment]
) -> Mapping[int, tuple[datetime, ...]] | None:
    """What Cal.com lists for each part that is to go; nothing if one of them has begun. None: it does not tell."""
    going = {str(each.index): each for each in segments if each.index in repair.going}
    if any(each.slot.start <= work.clock.now() for each in going.values()):
        return {}
    told = work.calendar.free_starts(
        {name: each.event_type for name, each in going.items()},
        _around(service, segments),
        deadline=work.deadline,
        moving={name: each.uid for name, each in going.items() if each.uid is not None},
    )
    starts = {int(name): each.starts for name, each in told.items() if isinstance(each, FreeStarts)}
    return starts if starts.keys() == repair.going else None


def _around(service: Service, segments: Sequence[BookedSegment]) -> Slot:
    """Wherever a part may go: before and after those that stay, as far as the service is long."""
    first, last = min(each.slot.start for each in segments), max(each.slot.end for each in segments)
    return Slot(first - service.longest, last + service.longest)


def _as_known(work: Background, segments: Sequence[BookedSegment], going: frozenset[int]) -> bool:
    """Whether those parts stand at Cal.com where we have them."""
    for each in segments:
        if each.index not in going:
            continue
        seen = work.calendar.booking(each.uid or "", deadline=work.deadline)
        if isinstance(seen, Booking) and not stands_as(seen, each):
            return False
    return True


def _days(work: Background, service: Service, segments: Sequence[BookedSegment]) -> StaffDays:
    days = _around(service, segments).utc_days()
    return work.appointments.staff_days(work.tenant.id, {(each.staff, day) for each in segments for day in days})


def _places(  # noqa: PLR0917 - what it is decided on
    work: Background,
    repair: FollowWhole,
    service: Service,
    segments: Sequence[BookedSegment],
    listed: Mapping[int, tuple[datetime, ...]],
    days: StaffDays,
) -> tuple[Slot, ...] | None:
    """Where the parts lie once those that go have gone; None: there is no such place."""
    appointment, staff, slot = repair.appointment, repair.follow.staff, Slot(repair.booking.start, repair.booking.end)
    if overlaps(work, appointment, days, staff, slot):
        return None  # it stands on somebody else's time: first that is for a person
    was = repair.follow.segment.slot
    by_start = slot.start - was.start
    stands = [each.slot for each in segments]
    places = rearranged(
        service,
        staff,
        stands,
        listed,
        shift=by_start or slot.end - was.end,
        days=days,
        now=work.clock.now(),
        moving=appointment.id,
    )
    return places if places is not None and sending_order(stands, places) is not None else None
