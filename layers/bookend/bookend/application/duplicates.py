"""Duplicates: what stands for a booking or a time that is another's, found and repaired (incident I1).

Our guards admit none; a table that was imported or restored may have them, and Cal.com makes some by itself. Kept is
what the booking names: its appointment, its call, or alone its attendee. Where nothing is named, nothing is ended, and
a person gets both before them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from bookend.application.background import Background
from bookend.application.budget import Budget, Limits
from bookend.application.findings import Report
from bookend.application.following import audit_of
from bookend.application.ports import Cancelled, ListQuery, Page, RunKind
from bookend.application.ports.cases import Cases
from bookend.application.ports.imports import Duplicates
from bookend.domain.answers import Booking, NotThere
from bookend.domain.appointment import Appointment, AppointmentState
from bookend.domain.case_wishes import same_person
from bookend.domain.cases import Case, CaseOrigin, CaseState, Ending, SyncFailure, opened_again
from bookend.domain.drift import DEAD, LIVE, Drift, has_attendee, is_touched, part_of
from bookend.domain.reviews import HAS_NONE, TWO_AT_ONCE
from bookend.domain.staff_day import IntervalState
from bookend.domain.timeslot import Slot, instant_text

REASON = "Automatisch storniert: derselbe Termin ist doppelt gebucht."
_DAYS_AT_ONCE = 14
_TRIES = 20
_OVER_MIDNIGHT = timedelta(hours=12)


class Kind(StrEnum):
    """What is there twice."""

    APPOINTMENTS = "appointments_of_one_booking"
    BOOKINGS = "bookings_of_one_appointment"
    TIMES = TWO_AT_ONCE


class Done(StrEnum):
    """What was done about it."""

    PLANNED = "planned"
    ENDED = "ended"
    """The appointment is cancelled here; its booking is another's and stays."""
    RING = "ended_ring_them"
    """The same, and its customer is another than the booking's: a case says that they must be rung."""
    CANCELLED = "cancelled_at_calcom"
    REVIEW = "before_a_person"
    DECIDED = "stays_as_decided"
    """A person has decided that just these may stay as they are."""
    LATER = "later"
    """Cal.com did not answer, or somebody else was at it: run it again."""
    LEFT = "not_done_limit"


@dataclass(frozen=True, slots=True)
class Duplicate:
    """One of them. `kept` and `goes` are appointments, or of BOOKINGS uids; `kept` is empty where nothing tells."""

    kind: Kind
    booking: str
    kept: str
    goes: str
    why: str
    done: Done


@dataclass(slots=True)
class DuplicateReport:
    """What was found. `silent`: Cal.com did not list its bookings, so those of one appointment were not looked for."""

    found: list[Duplicate] = field(default_factory=list)
    appointments: int = 0
    bookings: int = 0
    requests: int = 0
    silent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Searching:
    """Where is searched, and how much may be taken away."""

    work: Background
    duplicates: Duplicates
    cases: Cases
    first: date
    last: date
    limits: Limits


def repair_duplicates(searching: Searching) -> DuplicateReport:
    """Find them within the days, and with `limits.apply` repair them."""
    return _Search(searching).report()


class _Search:
    def __init__(self, searching: Searching) -> None:
        self._at = searching
        self._work, self._limits = searching.work, searching.limits
        self._counted = Report(RunKind.FULL)
        self._budget = Budget(searching.work, searching.limits, self._counted)
        self._report = DuplicateReport()
        self._taken = 0

    def report(self) -> DuplicateReport:
        ours = self._ours()
        self._report.appointments = len(ours)
        ended = self._of_one_booking(ours)
        self._of_one_customer([each for each in ours if each.id not in ended])
        self._of_one_appointment()
        self._report.requests = self._counted.requests
        return self._report

    # Several appointments on one booking

    def _of_one_booking(self, ours: Sequence[Appointment]) -> set[str]:
        """The ones that go, or would."""
        claimed: dict[str, dict[str, Appointment]] = defaultdict(dict)
        for each in ours:
            for segment in each.segments:
                if segment.uid is not None:
                    claimed[segment.uid][each.id] = each
        gone: set[str] = set()
        for uid, claimants in sorted(claimed.items()):
            several = [each for each in claimants.values() if each.id not in gone]
            if len(several) > 1:
                gone |= self._judge(uid, several)
        return gone

    def _judge(self, uid: str, claimants: Sequence[Appointment]) -> set[str]:
        work = self._budget.one()
        seen = work.calendar.booking(uid, deadline=work.deadline)
        names = ", ".join(sorted(each.id for each in claimants))
        if not isinstance(seen, Booking):
            why = "Cal.com does not know it" if isinstance(seen, NotThere) else "it cannot be read"
            self._note(Kind.APPOINTMENTS, uid, "", names, why, Done.LATER)
            return set()
        kept, why = _rightful(seen, claimants)
        whole = kept is not None and all(_uids(each) <= _uids(kept) for each in claimants)
        if kept is None or not whole or seen.status != LIVE:
            why = why if kept is None else "they share a part only" if not whole else f"it is {seen.status} there"
            self._before_a_person(Kind.APPOINTMENTS, uid, kept, claimants, why)
            return set()
        owner = self._work.adoptions.owner(self._work.tenant.id, uid)
        others = sorted((each for each in claimants if each.id != kept.id), key=lambda each: each.id != owner)
        for each in others:
            self._end(each, kept, seen, why)
        return {each.id for each in others}

    def _end(self, duplicate: Appointment, kept: Appointment, seen: Booking, why: str) -> None:
        done = self._may_take()
        if done is None:
            done = end_one(self._work, self._at.duplicates, duplicate, kept, seen)
        self._note(Kind.APPOINTMENTS, seen.uid, kept.id, duplicate.id, why, done)

    # One customer, twice at the same time

    def _of_one_customer(self, ours: Iterable[Appointment]) -> None:
        """Two bookings of one customer may be for two people: that is for a person to say."""
        at_once: dict[tuple[str, str, str], list[Appointment]] = defaultdict(list)
        for each in ours:
            if each.service:
                at_once[each.customer.id, each.service, instant_text(each.slot.start)].append(each)
        for several in at_once.values():
            if len(several) > 1:
                several.reverse()  # the case is the later one's, by its own booking
                uid = several[0].segments[0].uid or ""
                self._before_a_person(Kind.TIMES, uid, None, several, "the same service at the same time")

    # Several live bookings of one appointment

    def _of_one_appointment(self) -> None:
        listed = self._listed()
        if listed is None:
            self._report.silent = True
            return
        self._report.bookings = len(listed)
        labelled: dict[tuple[str, int | None], list[Booking]] = defaultdict(list)
        for each in listed:
            if each.status == LIVE and (name := each.metadata.get("appointment", "")):
                labelled[name, part_of(each)].append(each)
        several = {key: bookings for key, bookings in labelled.items() if len(bookings) > 1}
        ours = self._work.appointments.several(self._work.tenant.id, {name for name, _ in several})
        for (name, _), bookings in sorted(several.items(), key=lambda each: each[0][0]):
            appointment = ours.get(name)
            if appointment is None or appointment.state is not AppointmentState.CONFIRMED:
                continue  # of another salon, or nothing that stands: the reconciliation's
            own = [each.uid for each in bookings if each.uid in _uids(appointment)]
            for each in bookings:
                if each.uid not in own:
                    self._judge_booking(each.uid, appointment, own[0] if own else "")

    def _judge_booking(self, uid: str, appointment: Appointment, own: str) -> None:
        """Cancelled where Cal.com made it twice by itself; what a person has moved or copied is theirs."""
        work = self._budget.one()
        seen = work.calendar.booking(uid, deadline=work.deadline)
        if isinstance(seen, NotThere) or (isinstance(seen, Booking) and seen.status in DEAD):
            return
        if not isinstance(seen, Booking):
            self._note(Kind.BOOKINGS, uid, own, uid, "it cannot be read", Done.LATER)
            return
        owner = self._work.adoptions.owner(self._work.tenant.id, uid)
        if owner not in {None, appointment.id}:
            return  # taken into the ledger as an appointment of its own
        same = seen.metadata.get("op_id") == appointment.op and has_attendee(seen, appointment)
        if not own or not same or is_touched(seen):
            why = "somebody moved, changed or copied it" if own else "its own booking is not listed"
            self._before_a_person(Kind.BOOKINGS, uid, appointment, [appointment], why)
            return
        if (not_live := self._not_live(own)) is not None:
            self._note(Kind.BOOKINGS, uid, own, uid, f"its own booking is {not_live} there", Done.LATER)
            return
        done = self._may_take()
        if done is None:
            done = self._cancel(appointment, seen)
        self._note(Kind.BOOKINGS, uid, own, uid, "made twice", done)

    def _not_live(self, own: str) -> str | None:
        """How the booking that would be left is read; None: it lives.

        A list may show what is cancelled. Then the other one is all that its customer has: the reconciliation follows.
        """
        work = self._budget.one()
        seen = work.calendar.booking(own, deadline=work.deadline)
        if not isinstance(seen, Booking):
            return "not shown"
        return None if seen.status == LIVE else seen.status

    def _cancel(self, appointment: Appointment, seen: Booking) -> Done:
        """Written down and owned first, so that its events find their home; then cancelled there."""
        work = self._budget.one()
        audit = audit_of(work, Drift.DUPLICATE, "cancel_duplicate", seen, before=appointment, after=appointment)
        if not work.adoptions.claim(work.tenant.id, appointment, seen, audit=audit, now=work.clock.now()):
            return Done.LATER
        answer = work.calendar.cancel(seen.uid, REASON, deadline=work.deadline)
        return Done.CANCELLED if isinstance(answer, Cancelled) else Done.LATER

    # What all have in common

    def _may_take(self) -> Done | None:
        """None: go on; else why not."""
        if not self._limits.apply:
            return Done.PLANNED
        self._taken += 1
        return Done.LEFT if self._taken > self._limits.most_destructive else None

    def _before_a_person(
        self, kind: Kind, uid: str, kept: Appointment | None, claimants: Sequence[Appointment], why: str
    ) -> None:
        names = sorted(each.id for each in claimants)
        done = Done.PLANNED
        if self._limits.apply:
            done = _open(
                self._work,
                self._at.cases,
                _case(kind, uid, claimants, why, by=self._work.by, now=self._work.clock.now()),
            )
        self._note(kind, uid, kept.id if kept is not None else "", ", ".join(names), why, done)

    def _note(self, kind: Kind, uid: str, kept: str, goes: str, why: str, done: Done) -> None:  # noqa: PLR0917
        self._report.found.append(Duplicate(kind, uid, kept, goes, why, done))

    def _ours(self) -> list[Appointment]:
        """The confirmed appointments within the days, by the ledger; the earliest first."""
        work, day, names = self._work, self._at.first, set[str]()
        while day <= self._at.last:
            days = [each for each in (day + timedelta(days=n) for n in range(_DAYS_AT_ONCE)) if each <= self._at.last]
            known = work.appointments.staff_days(
                work.tenant.id, {(staff.id, each) for staff in work.tenant.staff for each in days}
            )
            names |= {
                key.partition("/")[0]
                for each in known.days.values()
                for key, interval in each.intervals.items()
                if interval.state is IntervalState.CONFIRMED
            }
            day += timedelta(days=_DAYS_AT_ONCE)
        found: Mapping[str, Appointment] = work.appointments.several(work.tenant.id, names)
        confirmed = [each for each in found.values() if each.state is AppointmentState.CONFIRMED]
        return sorted(confirmed, key=lambda each: (each.slot.start, each.created_at, each.id))

    def _listed(self) -> list[Booking] | None:
        rows = listed(self._budget.one, self._at.first, self._at.last)
        return None if rows is None else list(rows.values())


def end_one(work: Background, duplicates: Duplicates, duplicate: Appointment, kept: Appointment, seen: Booking) -> Done:
    """End an appointment here whose booking is the kept one's; on the versions that were read.

    Of another customer a case comes with it: they were told "gebucht", have none now, and must be rung.
    """
    is_same, now = same_person(duplicate.customer, kept.customer), work.clock.now()
    ring = None if is_same else _case_of_who_has_none(duplicate, seen, by=work.by, now=now)
    audit = audit_of(work, Drift.DUPLICATE, "end_duplicate", seen, before=duplicate, after=kept)
    if not duplicates.end_duplicate(work.tenant.id, duplicate, kept=kept, audit=audit, now=now, ring=ring):
        return Done.LATER
    return Done.ENDED if is_same else Done.RING


def _open(work: Background, cases: Cases, case: Case) -> Done:
    """The case, or the one that is open of it already; anew, if that was closed and this is not as decided then."""
    tenant = work.tenant.id
    for _ in range(_TRIES):
        if cases.open(tenant, case, now=case.opened_at):
            return Done.REVIEW
        known = cases.case(tenant, case.id)
        if known is None:
            continue  # its record has expired in this moment
        if known.state is not CaseState.CLOSED:
            return Done.REVIEW
        if known.ending is Ending.BY_HAND and known.facts.get("appointments") == case.facts["appointments"]:
            return Done.DECIDED
        case = opened_again(case)
    return Done.LATER


def listed(one: Callable[[], Background], first: date, last: date) -> dict[str, Booking] | None:
    """Every booking at Cal.com that begins within the days (UTC), by uid; None: it did not answer."""
    start, end = _midnight(first), _midnight(last) + timedelta(days=1)
    query, rows, read = ListQuery(window=Slot(start, end + _OVER_MIDNIGHT)), dict[str, Booking](), 0
    while True:
        work = one()
        page = work.calendar.page(query, skip=read, deadline=work.deadline)
        if not isinstance(page, Page):
            return None
        rows |= {each.uid: each for each in page.bookings if each.start < end}
        read += page.rows
        if not page.more or not page.rows:
            return rows


def _rightful(seen: Booking, claimants: Sequence[Appointment]) -> tuple[Appointment | None, str]:
    """Whose booking it is: by the appointment it names, by its call, or by the one attendee; None: nothing tells."""
    call = seen.metadata.get("call_id", "")
    tests: tuple[tuple[str, Callable[[Appointment], bool]], ...] = (
        ("it names this appointment", lambda each: seen.metadata.get("appointment") == each.id),
        ("it names this call", lambda each: bool(call) and each.call == call),
        ("its attendee is this customer", lambda each: each.customer.email in seen.attendees),
    )
    for why, test in tests:
        named = [each for each in claimants if test(each)]
        if len(named) == 1:
            return named[0], why
    return None, "it names none of them"


def _uids(appointment: Appointment) -> set[str]:
    return {each.uid for each in appointment.segments if each.uid is not None}


def _case(kind: Kind, uid: str, claimants: Sequence[Appointment], why: str, *, by: str, now: datetime) -> Case:
    first = claimants[0]
    return Case(
        id=f"{Drift.DUPLICATE.value}-{uid}",
        state=CaseState.REVIEW,
        failure=SyncFailure.DOUBLE_BOOKING,
        origin=CaseOrigin.DRIFT,
        facts={
            "kind": kind.value,
            "appointments": " ".join(sorted(each.id for each in claimants)),
            "service": first.service,
            "staff": first.staff,
            "start": instant_text(first.slot.start),
        },
        opened_at=now,
        changed_at=now,
        customer=first.customer,
        appointment=first.id,
        booking=uid,
        why=why,
        by=by,
    )


def _case_of_who_has_none(duplicate: Appointment, seen: Booking, *, by: str, now: datetime) -> Case:
    """Of an appointment that is ended because its booking is another customer's: a person rings whose it was."""
    case = _case(Kind.APPOINTMENTS, seen.uid, [duplicate], HAS_NONE, by=by, now=now)
    return replace(case, id=f"{case.id}-{duplicate.id}", facts=case.facts | {"drift": HAS_NONE})


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
