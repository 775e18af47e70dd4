"""Rebuild: our table from Cal.com alone, after it was lost. What Cal.com does not know stays lost.

First what was booked by voice: those bookings carry the name of their appointment, its operation, part and call, so it
stands again under its own name. Then a full reconciliation takes in what others booked, and takes nothing away. Each
appointment is written once, so a rebuild that was cut off is begun again and goes on where it was.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from bookend.application.background import Background
from bookend.application.budget import Budget, Limits, Stop
from bookend.application.duplicates import listed
from bookend.application.findings import Finding, Report, Stopped
from bookend.application.following import audit_of, put_before_a_person
from bookend.application.ports import Progress, RunKind
from bookend.application.ports.imports import Imports, Intake, TakenIn
from bookend.application.reconciling import new_full, reconcile
from bookend.domain.answers import Booking
from bookend.domain.appointment import Amiss, Appointment, AppointmentState, BookedSegment, Told
from bookend.domain.composites import what_is_amiss
from bookend.domain.contacts import Customer, clean_name, customer_id, normalise_phone
from bookend.domain.drift import LIVE, Drift, Flag, part_of
from bookend.domain.staff_day import Interval, IntervalState, StaffDays, interval_key
from bookend.domain.tenant import Tenant
from bookend.domain.timeslot import Slot

REQUESTS = 100_000
_OURS = re.compile(r"[A-Za-z0-9_-]{1,100}")
_PLACEHOLDER = re.compile(r"kunde-([0-9a-f]{24})@")
_TRIES = 6

Place = tuple[str, str, str, str]
"""A uid, stylist, start and end: what both sides must agree on."""


@dataclass(slots=True)
class Rebuilt:
    """What came of it. `missing` is at Cal.com and not here, `extra` here and not there: both empty is equal."""

    listed: int = 0
    known: int = 0
    """Live bookings that had their appointment here before."""
    ours: int = 0
    """Appointments that stand again under their own names (dry: would)."""
    parts: int = 0
    """Bookings of these."""
    foreign: int = 0
    """Bookings that others made (dry: that the reconciliation would take in)."""
    strangers: int = 0
    """Live bookings of hosts who are no stylists of this salon; they stay out."""
    left: list[str] = field(default_factory=list)
    """Uids that could not be read, or were not taken in."""
    findings: list[Finding] = field(default_factory=list)
    missing: list[Place] = field(default_factory=list)
    extra: list[Place] = field(default_factory=list)
    compared: int = 0
    requests: int = 0
    stopped: Stopped | None = None

    @property
    def equal(self) -> bool:
        """Whether it came to its end and both sides have the same."""
        return self.stopped is None and not self.missing and not self.extra


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilding:
    """Of which days, with what."""

    work: Background
    imports: Imports
    back: int
    ahead: int
    apply: bool = False
    on_progress: Callable[[int, int], None] = lambda _done, _of: None
    """Told how many appointments of ours are done, of how many."""


def rebuild(rebuilding: Rebuilding) -> Rebuilt:
    """Bring back what Cal.com knows, and compare."""
    result = Rebuilt()
    counted = Report(RunKind.FULL)
    limits = Limits(apply=rebuilding.apply, requests=REQUESTS, most_destructive=0, patient=True)
    try:
        _rebuild(rebuilding, result, Budget(rebuilding.work, limits, counted), limits)
    except Stop as stop:
        result.stopped = stop.why
    result.requests += counted.requests
    return result


def _rebuild(at: Rebuilding, result: Rebuilt, budget: Budget, limits: Limits) -> None:
    work = at.work
    today = work.clock.now().astimezone(work.tenant.zone).date()
    first, last = today - timedelta(days=at.back), today + timedelta(days=at.ahead)
    live = _live(budget, first, last, result)
    owners = work.adoptions.owners(work.tenant.id, list(live))
    result.known = len(owners)
    groups: dict[str, list[Booking]] = defaultdict(list)
    for each in live.values():
        if each.uid in owners:
            continue
        if _name_of(each):
            groups[_name_of(each)].append(each)
        else:
            result.foreign += 1
    taken = work.appointments.several(work.tenant.id, set(groups))
    wanted = sorted(name for name in groups if name not in taken)
    for number, name in enumerate(wanted, start=1):
        _bring_back(at, result, budget, groups[name])
        at.on_progress(number, len(wanted))
    if not at.apply:
        return
    report = reconcile(
        work,
        new_full(work.clock.now(), Progress(), today=today, back=at.back, ahead=at.ahead),
        runs=None,
        limits=limits,
    )
    result.findings = report.findings
    result.requests += report.requests
    if not report.ended:
        result.stopped = report.stopped
    _compare(at, result, budget, first, last)


def _live(budget: Budget, first: date, last: date, result: Rebuilt) -> dict[str, Booking]:
    """The live bookings of this salon's stylists."""
    rows = listed(budget.one, first, last)
    if rows is None:
        raise Stop(Stopped.CALENDAR)
    tenant = budget.one().tenant
    live = {uid: each for uid, each in rows.items() if each.status == LIVE}
    own = {uid: each for uid, each in live.items() if tenant.staff_of_host(each.host) is not None}
    result.listed, result.strangers = len(rows), len(live) - len(own)
    return own


def _name_of(booking: Booking) -> str:
    """The appointment that a booking of ours names; anybody may have written anything else there."""
    name, op = booking.metadata.get("appointment", ""), booking.metadata.get("op_id", "")
    return name if _OURS.fullmatch(name) and _OURS.fullmatch(op) else ""


def _bring_back(at: Rebuilding, result: Rebuilt, budget: Budget, rows: Sequence[Booking]) -> None:
    """One appointment, from its bookings as they are read now; a list only says where to look.

    Of a composite that is no whole a person is told first: who knew of it has gone with the table.
    """
    if not at.apply:
        result.ours, result.parts = result.ours + 1, result.parts + len(rows)
        return
    read: list[Booking] = []
    for row in rows:
        work = budget.one()
        seen = work.calendar.booking(row.uid, deadline=work.deadline)
        if not isinstance(seen, Booking) or _name_of(seen) != _name_of(row):
            result.left.append(row.uid)
            return
        if seen.status == LIVE and work.tenant.staff_of_host(seen.host) is not None:
            read.append(seen)
    if not read:
        return
    appointment = _appointment(at.work, read)
    if appointment.amiss is not None:
        put_before_a_person(at.work, Flag(read[0], Drift.PART, appointment, appointment.amiss))
    if _written(at, appointment, read[0]):
        result.ours, result.parts = result.ours + 1, result.parts + len(appointment.segments)
    else:
        result.left += [each.uid for each in read]


def _appointment(work: Background, read: Sequence[Booking]) -> Appointment:
    """As it stands at Cal.com. Of two for one part the older one is meant; the other one gets flagged."""
    tenant, now = work.tenant, work.clock.now()
    parts: dict[int, Booking] = {}
    for each in sorted(read, key=lambda each: (each.created_at or now, each.uid)):
        parts.setdefault(part_of(each) or 0, each)
    several = len(parts) > 1
    first = parts[min(parts)]
    service = tenant.service_of_event_type(first.event_type)
    segments = tuple(
        BookedSegment(
            index=index,
            staff=tenant.staff_of_host(each.host) or "",
            slot=Slot(each.start, each.end),
            event_type=each.event_type or 0,
            uid=each.uid,
            booking_id=each.id,
            host=each.host,
            updated_at=each.updated_at if several else None,
        )
        for index, each in sorted(parts.items())
    )
    return Appointment(
        id=_name_of(first),
        state=AppointmentState.CONFIRMED,
        op=first.metadata["op_id"],
        version=1,
        service=service,
        segments=segments,
        customer=_customer(tenant, first),
        call=first.metadata.get("call_id", ""),
        source="phone",
        created_at=min((each.created_at for each in read if each.created_at is not None), default=now),
        request="rebuilt",
        told=Told.BOOKED,
        verified_at=now,
        calendar_updated_at=max(
            (each.updated_at for each in parts.values() if each.updated_at is not None), default=None
        ),
        amiss=_amiss(tenant, service, segments),
    )


def _amiss(tenant: Tenant, name: str, segments: Sequence[BookedSegment]) -> Amiss | None:
    """What the living bookings of a composite lack to be the whole: some of them may have been cancelled or moved, by
    others or by us, when the table was lost.
    """
    service = tenant.service(name)
    plain = [each.index for each in segments] == [0] and (service is None or not service.is_composite)
    return None if plain else what_is_amiss(service, segments)


def _customer(tenant: Tenant, booking: Booking) -> Customer:
    """Who it is: the address that we made for them says it; else their number, else their address."""
    email = booking.attendees[0] if booking.attendees else ""
    phone = normalise_phone(booking.attendee_phone, country_code=tenant.country_code)
    made = _PLACEHOLDER.match(email)
    if made is not None and email.endswith(f"@{tenant.placeholder_domain}"):
        known = made.group(1)
    else:
        known = customer_id(tenant.id, caller=phone, call=f"calcom|{email}")
    return Customer(known, clean_name(booking.attendee_name) or "?", email, phone)


def _written(at: Rebuilding, appointment: Appointment, seen: Booking) -> bool:
    """Into the table, where it overlaps too: Cal.com has decided that already."""
    work = at.work
    tenant, now = work.tenant.id, work.clock.now()
    touched = {(each.staff, day) for each in appointment.segments for day in each.slot.utc_days()}
    audit = audit_of(work, Drift.FOREIGN, "rebuild", seen, before=None, after=appointment)
    for _ in range(_TRIES):
        found = at.imports.look(tenant, [appointment], days=touched)
        if appointment.id in found.appointments:
            return True  # by a rebuild before this one, or another that is at work
        if any(uid in found.uids for uid in (each.uid or "" for each in appointment.segments)):
            return False
        intake = Intake(
            new=[appointment],
            unguarded={appointment.id} if appointment.id in found.times or not appointment.service else (),
            customers=[] if appointment.customer.id in found.customers else [appointment.customer],
            days_read=found.days,
            days=_occupied(appointment, found.days, work),
            audits=[audit],
        )
        if isinstance(at.imports.take_in(tenant, intake, progress=None, now=now), TakenIn):
            return True
    return False


def _occupied(appointment: Appointment, days: StaffDays, work: Background) -> StaffDays:
    now = work.clock.now()
    for (staff, day), read in sorted(days.days.items()):
        own = [each for each in appointment.segments if each.staff == staff and day in each.slot.utc_days()]
        entries = [
            Interval(interval_key(appointment.id, each.index), each.slot, IntervalState.CONFIRMED, appointment.op)
            for each in own
        ]
        flagged = [
            replace(each, conflict=any(_stands(other) for other in read.in_the_way_of(each.slot, now=now)))
            for each in entries
        ]
        days = days.updated([read.replaced(appointment.id, flagged, now=now)])
    return days


def _stands(other: Interval) -> bool:
    return other.state is not IntervalState.HELD


def _compare(at: Rebuilding, result: Rebuilt, budget: Budget, first: date, last: date) -> None:
    """Bookings there against intervals here, anew from both."""
    live = _live(budget, first, last, Rebuilt())
    work = at.work
    there = {
        (uid, work.tenant.staff_of_host(each.host) or "", each.start.isoformat(), each.end.isoformat())
        for uid, each in live.items()
    }
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    here: set[Place] = set()
    for at_once in range(0, len(days), 14):
        wanted = {(staff.id, day) for staff in work.tenant.staff for day in days[at_once : at_once + 14]}
        known = work.appointments.staff_days(work.tenant.id, wanted)
        places = {
            (key, each.staff, interval.slot)
            for each in known.days.values()
            for key, interval in each.intervals.items()
            if interval.state is IntervalState.CONFIRMED
        }
        names = {key.partition("/")[0] for key, _, _ in places}
        found = work.appointments.several(work.tenant.id, names)
        for key, staff, slot in places:
            name, _, part = key.partition("/")
            owner = found.get(name)
            own = [each for each in owner.segments if str(each.index) == part] if owner is not None else []
            uid = own[0].uid or "" if own else ""
            if first <= slot.start.date() <= last:
                here.add((uid, staff, slot.start.isoformat(), slot.end.isoformat()))
    result.missing, result.extra = sorted(there - here), sorted(here - there)
    result.compared = len(there)
