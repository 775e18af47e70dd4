"""Finding free times and keeping them for a caller: the one engine behind check and book."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bookend.application import alerts as alert
from bookend.application.deadline import SLOTS_S
from bookend.application.ports import CallRecord, FreeStarts, Generation, Held, Known, StoreUnavailable
from bookend.application.turn import Turn
from bookend.domain.answers import KeyRejected, NotSent, NotThere
from bookend.domain.appointment import Appointment
from bookend.domain.availability import HOLD, Offer, Opening, Wanted, choose, openings, search_window
from bookend.domain.composites import composite_openings, starts_of
from bookend.domain.policy import Policy, last_day, policy_of, time_refused
from bookend.domain.staff_day import StaffDays
from bookend.domain.tenant import Segment, Service
from bookend.domain.timeslot import Slot

_HOLD_TRIES = 30
_HOLD_RESERVE_S = 0.3
_AFTER_SLOTS_S = 0.5
_REMEMBER_RESERVE_S = 0.5
"""Seconds a turn must have left for an answer to be kept: others' gain is not to be this caller's wait."""


@dataclass(frozen=True, slots=True)
class News:
    """What Cal.com was just asked and said, by stylist, with the generation of each as read before it was asked."""

    event_types: Mapping[str, int]
    window: Slot
    answers: Mapping[str, FreeStarts]
    generations: Mapping[str, Generation]


@dataclass(frozen=True, slots=True)
class Free:
    """What both Cal.com and our ledger leave free of `stylists`, and on which picture of the ledger that rests.

    `news`: what of it others may be told too, once the caller is served (`remember`).
    """

    stylists: tuple[str, ...]
    openings: tuple[Opening, ...]
    starts: Mapping[str, tuple[datetime, ...]]
    record: CallRecord
    days: StaffDays
    news: News | None = None
    moving: Appointment | None = None
    """What is to be moved there: where it stands is not in its way."""
    seen: Known | None = None
    """Everything that one look at the store found, for a booking that follows."""
    listed: Mapping[str, tuple[tuple[datetime, ...], ...]] = field(default_factory=dict)
    """Of a composite: what Cal.com lists for each busy part. `starts` are then when the whole of it may begin."""

    @property
    def complete(self) -> bool:
        """Whether Cal.com told of everybody; what is not among the openings is not free only then."""
        return not self.starts or len(self.starts) == len(self.stylists)


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Cal.com did not tell; `retry_after_s` where it said when to ask again."""

    retry_after_s: float | None = None


def find_free(
    turn: Turn,
    service: Service,
    stylists: Sequence[str],
    wanted: Wanted,
    *,
    fresh: bool,
    request: str | None = None,
    customer: str | None = None,
    moving: Appointment | None = None,
) -> Free | NoAnswer:
    """What is free for `service` around the wish: one slots request per event type, all at the same time.

    A stylist whose question got no answer is left out; without any answer the whole is NoAnswer. `fresh`: Cal.com must
    say so now, as on the way to a booking; else what it said seconds ago will do, and it is asked for the rest only.
    Our own ledger is read now in either case, and with it, where a booking is to follow, its `request` and `customer`.
    """
    window = _window(turn, service, stylists, wanted)
    if window is None:
        return Free(tuple(stylists), (), {}, CallRecord(turn.call.id), StaffDays())
    event_types = _questions(service, stylists)
    # A fresh answer is not kept either: its generation would cost a booking one more request, before Cal.com is asked.
    # What is kept is found by stylist, so the several answers that a composite needs are not.
    kept, generations = ({}, {}) if fresh or service.is_composite else _kept(turn, event_types, window)
    asking = {name: event_type for name, event_type in event_types.items() if name not in kept}
    answers = (
        turn.calendar.free_starts(
            asking,
            window,
            deadline=turn.deadline.share(SLOTS_S, reserve=_AFTER_SLOTS_S),
            moving=_left_out(service, moving) if moving is not None else None,
        )
        if asking
        else {}
    )
    told = {name: each for name, each in answers.items() if isinstance(each, FreeStarts)}
    known_free = {**kept, **told}
    # In the order of the configuration, which decides between stylists who are equally free.
    listed = _listed(service, stylists, known_free) if service.is_composite else {}
    if service.is_composite:
        starts = {staff: starts_of(parts) for staff, parts in listed.items()}
    else:
        starts = {staff: known_free[staff].starts for staff in stylists if staff in known_free}
    for each in answers.values():
        if isinstance(each, KeyRejected | NotThere):
            turn.alerts.raise_(alert.question_refused(service.id, turn.call.id, each))
    if not starts:
        waits = [each.retry_after_s for each in answers.values() if isinstance(each, NotSent)]
        return NoAnswer(next((wait for wait in waits if wait is not None), None))
    # The last slot of the window may reach into the next UTC day.
    reach = Slot(window.start, window.end + service.longest)
    wanted_days = {(staff, day) for staff in starts for day in reach.utc_days()}
    known = turn.appointments.look(
        turn.tenant.id, call=turn.call.id, request=request, customer=customer, days=wanted_days
    )
    days = _with_days_of(turn, known.record, known.days)
    found = Free(tuple(stylists), (), starts, known.record, days, moving=moving, listed=listed)
    free = _open(turn, service, found, starts, now=turn.clock.now())
    news = News(asking, window, told, generations) if generations else None
    seen = replace(known, days=days)
    return replace(found, openings=tuple(free), news=news, seen=seen)


def _questions(service: Service, stylists: Sequence[str]) -> dict[str, int]:
    """The event types Cal.com is asked for, by stylist; those of a composite's parts, each once, by part of one."""
    if not service.is_composite:
        return {staff: service.segments[0].event_types[staff] for staff in stylists}
    return {_part(staff, each): each.event_types[staff] for staff in stylists for each in service.busy}


def _part(staff: str, segment: Segment) -> str:
    return f"{staff}/{segment.event_types[staff]}"


def _left_out(service: Service, moving: Appointment) -> dict[str, str]:
    """By question, the booking that is to be moved and so not in the way; Cal.com leaves one out of each answer.

    Of parts that share an event type, the first one's; where the others stand is known besides (`arrangements`).
    """
    if not service.is_composite:
        return {moving.staff: moving.segments[0].uid or ""}
    found: dict[str, str] = {}
    for part, own in zip(service.busy, moving.segments, strict=True):
        found.setdefault(_part(own.staff, part), own.uid or "")
    return found


def _listed(
    service: Service, stylists: Sequence[str], told: Mapping[str, FreeStarts]
) -> dict[str, tuple[tuple[datetime, ...], ...]]:
    """By stylist, what Cal.com lists for each busy part; only those of whom it told all."""
    return {
        staff: tuple(told[_part(staff, each)].starts for each in service.busy)
        for staff in stylists
        if all(_part(staff, each) in told for each in service.busy)
    }


def _window(turn: Turn, service: Service, stylists: Sequence[str], wanted: Wanted) -> Slot | None:
    """What to look at: from the day asked for, or the first that the salon's rules allow; None: they allow nothing."""
    now, zone = turn.clock.now(), turn.tenant.zone
    policies = [policy_of(turn.tenant, service=service.id, staff=staff) for staff in stylists]
    earliest = now + min((policy.book_notice for policy in policies), default=timedelta(0))
    first = max(wanted.day, earliest.astimezone(zone).date())
    lasts = [last_day(policy, now=now) for policy in policies]
    if all(last is not None and last < first for last in lasts) and lasts:
        return None
    return search_window(first, zone=zone, now=now)


def _kept(
    turn: Turn, event_types: Mapping[str, int], window: Slot
) -> tuple[Mapping[str, FreeStarts], Mapping[str, Generation]]:
    """What was asked seconds ago; nothing if the store does not say, and then nothing is kept of what Cal.com says."""
    try:
        return turn.slots.read(turn.tenant.id, event_types, window, now=turn.clock.now())
    except StoreUnavailable:
        return {}, {}


def remember(turn: Turn, free: Free) -> None:
    """Keep what Cal.com said for the next who asks. Last in a turn: the offers are held, only the reply is to come.

    One conditional update a stylist, one after the other. Not one transaction: a booking of one stylist meanwhile would
    lose the answers of all, and it costs twice the capacity. A batch write knows no conditions. Threads would gain
    little: an update is a few milliseconds, much of it on our own half of a processor, and each thread may need a
    connection of its own. The first trouble or the last half second of the turn ends it; the next caller's check asks
    Cal.com for what was not kept.
    """
    if free.news is None:
        return
    news = free.news
    try:
        for staff, answer in news.answers.items():
            if turn.deadline.remaining() <= _REMEMBER_RESERVE_S:
                return
            turn.slots.store(
                turn.tenant.id,
                staff,
                news.event_types[staff],
                news.window,
                answer,
                generation=news.generations[staff],
                now=turn.clock.now(),
            )
    except StoreUnavailable:
        return


def own_holds(record: CallRecord) -> frozenset[str]:
    """Ledger keys of what is held for this call: in nobody's way but others'."""
    return frozenset(key for offer in record.offers for key in offer.intervals)


def _open(
    turn: Turn,
    service: Service,
    found: Free,
    starts: Mapping[str, Sequence[datetime]],
    *,
    now: datetime,
) -> list[Opening]:
    """What of `starts` is free on the picture that was found, and may be booked: the salon's rules are asked with the
    very instant that an offer is dated with.
    """
    allowed = {
        staff: _in_time(policy_of(turn.tenant, service=service.id, staff=staff), service, all_, now=now)
        for staff, all_ in starts.items()
    }
    own, days = own_holds(found.record), found.days
    moving = found.moving.id if found.moving is not None else None
    if not service.is_composite:
        return openings(allowed, minutes=service.minutes, days=days, now=now, ignoring=own, moving=moving)
    stands = tuple(each.slot for each in found.moving.segments) if found.moving is not None else ()
    return composite_openings(
        service, found.listed, allowed, days=days, now=now, ignoring=own, moving=moving, stands=stands
    )


def _in_time(policy: Policy, service: Service, starts: Sequence[datetime], *, now: datetime) -> list[datetime]:
    return [each for each in starts if time_refused(policy, now=now, slot=Slot.of(each, service.minutes)) is None]


def _with_days_of(turn: Turn, record: CallRecord, days: StaffDays) -> StaffDays:
    """The days of the call's former offers too: they are freed in the same write that holds the new ones."""
    missing = {
        (offer.staff, day)
        for offer in record.offers
        for day in offer.touched_days()
        if (offer.staff, day) not in days.days
    }
    if not missing:
        return days
    former = turn.appointments.look(turn.tenant.id, call=turn.call.id, days=missing)
    return days.updated(former.days.days.values())


def keep(
    turn: Turn, service: Service, free: Free, wanted: Wanted, *, without: frozenset[datetime] = frozenset()
) -> tuple[Offer, ...]:
    """Choose two or three of what is free and hold them for the call in place of its former offers.

    Somebody may write first; then the choice is made anew on what the ledger has become. Where the time for that runs
    out the offers come back not held: they were free when looked at, and booking one checks again. `without` leaves out
    starts that Cal.com has just refused, whatever its list (which it keeps for two seconds) still says.
    """
    record, days = free.record, free.days
    starts = {staff: [each for each in all_ if each not in without] for staff, all_ in free.starts.items()}
    offers: tuple[Offer, ...] = ()
    for _ in range(_HOLD_TRIES):
        now = turn.clock.now()
        chosen = choose(
            _open(turn, service, replace(free, record=record, days=days), starts, now=now),
            wanted,
            zone=turn.tenant.zone,
        )
        op = turn.ids.new()
        offers = tuple(
            Offer(
                turn.ids.new(),
                op,
                service.id,
                each.staff,
                each.slot,
                now,
                now + HOLD,
                asked_for=free.stylists,
                moving=free.moving.id if free.moving is not None else None,
                parts=each.parts,
            )
            for each in chosen
        )
        if not offers and not record.offers:
            return ()
        if turn.deadline.remaining() < _HOLD_RESERVE_S:
            break
        outcome = turn.appointments.hold(turn.tenant.id, record, offers, days=days, now=now)
        if isinstance(outcome, Held):
            return offers
        if outcome.days is not None:
            days = days.updated(outcome.days)
            continue
        known = turn.appointments.look(turn.tenant.id, call=turn.call.id, days=list(days.days))
        record = known.record
        days = _with_days_of(turn, record, known.days)
    return tuple(replace(each, held=False) for each in offers)
