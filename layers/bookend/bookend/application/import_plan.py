"""What becomes of a page of rows: decided on one picture of the table, as one thing to be written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from bookend.application.import_cases import INSTEAD_OF, Closing, is_begun
from bookend.application.ports.imports import Found, Intake
from bookend.domain.appointment import Appointment, AppointmentState, Told
from bookend.domain.case_wishes import TAKEN_OVER
from bookend.domain.cases import Case, CaseOrigin, CaseState, Ending, SyncFailure
from bookend.domain.contacts import Customer
from bookend.domain.failure_classes import FailureFacts, failure_from
from bookend.domain.import_claims import Claims
from bookend.domain.imports import (
    Becomes,
    CustomerRow,
    Person,
    Row,
    address,
    appointment_name,
    becomes,
    case_name,
    identity,
    segments_of,
)
from bookend.domain.staff_day import Interval, IntervalState, StaffDays, interval_key
from bookend.domain.tenant import Tenant
from bookend.domain.timeslot import instant_text

SOURCE = "import"
LEDGER_KEPT = timedelta(days=40)
"""How long the ledger keeps a day that is over: of what ended before that, no interval is written."""
_NO_UID = "its booking is known by its number alone, and Cal.com was not asked or lists none"
_OVERLAPS = "its time is taken here"
_MOVED = "its booking was moved since the file was written"
_ENDED = frozenset({AppointmentState.FAILED, AppointmentState.CANCELLED})


@dataclass(frozen=True, slots=True)
class AsAppointment:
    """Taken in: confirmed as the other system says, unverified until its booking is read."""

    row: Row
    appointment: Appointment


@dataclass(frozen=True, slots=True)
class AsCase:
    """Kept as a case, for a remedy or a person. `of`: who has what it claims; empty if nobody does.

    `instead`: its row was a case before, which was booked as `of`, and now says something else: for a person.
    """

    row: Row
    of: str = ""
    overlaps: bool = False
    moved: bool = False
    instead: bool = False


@dataclass(frozen=True, slots=True)
class AsCustomer:
    """How to reach somebody, and nothing else."""

    row: CustomerRow
    customer: Customer
    is_new: bool


@dataclass(frozen=True, slots=True)
class Known:
    """It is here already."""

    row: Row
    appointment: Appointment


@dataclass(frozen=True, slots=True)
class Over:
    """Its booking was here, and was cancelled since the file was written: nothing is left to take in."""

    row: Row


@dataclass(frozen=True, slots=True)
class Cancelled:
    """It is over, as the file says. `stands`: it is an appointment here all the same."""

    row: Row
    stands: bool


@dataclass(frozen=True, slots=True)
class Left:
    """Its row was a case before, and work on that has begun as it said then: it is one appointment, so nothing more."""

    row: Row
    case: Case


@dataclass(frozen=True, slots=True)
class Linked:
    """It is here already, taken over from Cal.com without its customer being known."""

    row: Row
    before: Appointment
    after: Appointment


Decision = AsAppointment | AsCase | AsCustomer | Known | Linked | Over | Cancelled | Left


@dataclass(frozen=True, slots=True)
class Planned:
    """A page, decided."""

    decisions: tuple[Decision, ...]
    intake: Intake
    closings: tuple[Closing, ...] = ()
    """Cases of rows that are none any more: closed before the rest is written."""
    counts: Counter[str] = field(default_factory=Counter)


def draft_of(tenant: Tenant, row: Row | CustomerRow, claims: Claims, *, now: datetime) -> Appointment | None:
    """The appointment that a row would become, if it names its booking and no other row has more right to it."""
    if isinstance(row, CustomerRow) or becomes(row) is not Becomes.APPOINTMENT or claims.duplicate_of(row) is not None:
        return None
    name = appointment_name(tenant.id, row.external_id)
    return Appointment(
        id=name,
        state=AppointmentState.CONFIRMED,
        op=f"import-{name}",
        version=1,
        service=row.service.id if row.service is not None else "",
        segments=segments_of(row),
        customer=_customer(tenant, row.person, claims),
        call=row.call,
        source=SOURCE,
        created_at=now,
        request="",
        told=Told.NOTHING,
    )


def days_of(drafts: Sequence[Appointment], *, now: datetime) -> set[tuple[str, date]]:
    """The staff days that the ledger still keeps, of all of them."""
    return {
        (segment.staff, day)
        for each in drafts
        for segment in each.segments
        if segment.slot.end > now - LEDGER_KEPT
        for day in segment.slot.utc_days()
    }


def plan(
    tenant: Tenant,
    page: Sequence[tuple[Row | CustomerRow, Appointment | None]],
    claims: Claims,
    found: Found,
    *,
    now: datetime,
) -> Planned:
    """Decide each row in order; the ones before it are in the picture already."""
    at_work = _Page(tenant, claims, found, now)
    for row, draft in page:
        at_work.decide(row, draft)
    return at_work.planned()


class _Page:
    def __init__(self, tenant: Tenant, claims: Claims, found: Found, now: datetime) -> None:
        self._tenant, self._claims, self._found, self._now = tenant, claims, found, now
        self._days = found.days
        self._customers: dict[str, Customer] = {}
        self._decisions: list[Decision] = []
        self._closings: list[Closing] = []

    def planned(self) -> Planned:
        decisions = tuple(self._decisions)
        changed = {key: day for key, day in self._days.days.items() if day is not self._found.days.days[key]}
        intake = Intake(
            new=[each.appointment for each in decisions if isinstance(each, AsAppointment)],
            linked=[(each.before, each.after) for each in decisions if isinstance(each, Linked)],
            customers=list(self._customers.values()),
            days_read=self._found.days,
            days=StaffDays(changed),
        )
        counts = Counter(name for each in decisions for name in self._counted(each))
        counts["customers"] += len(self._customers)
        counts["replaced"] += len(self._closings)
        return Planned(decisions, intake, tuple(self._closings), +counts)

    def decide(self, row: Row | CustomerRow, draft: Appointment | None) -> None:
        decided = self._decided(row, draft)
        self._decisions.append(decided)
        if isinstance(decided, AsAppointment):
            self._know(decided.appointment.customer)
            self._occupy(decided.appointment)
        elif isinstance(decided, Linked):
            self._know(decided.after.customer)
        elif isinstance(decided, AsCustomer) and decided.is_new:
            self._know(decided.customer)

    def _decided(self, row: Row | CustomerRow, draft: Appointment | None) -> Decision:
        if isinstance(row, CustomerRow):
            who = _customer(self._tenant, row.person, self._claims)
            return AsCustomer(row, who, is_new=who.id not in self._customers and who.id not in self._found.customers)
        own = self._found.appointments.get(appointment_name(self._tenant.id, row.external_id))
        if row.cancelled:
            decided: Decision = Cancelled(row, stands=own is not None and own.state not in _ENDED)
        elif own is not None:
            decided = Known(row, own)
        elif draft is None:
            return AsCase(row, of=self._claims.duplicate_of(row) or "")
        else:
            decided = self._of_a_named(row, draft)
        former = self._found.cases.get(case_name(row.external_id))
        return decided if former is None else self._instead_of(former, row, decided)

    def _instead_of(self, former: Case, row: Row, decided: Decision) -> Decision:
        """What becomes of a row that was a case before, and is none any more: never two appointments of it."""
        made = self._found.appointments.get(former.appointment)
        stands = made is not None and made.state not in _ENDED
        name, ending = appointment_name(self._tenant.id, row.external_id), Ending.CANCELLED
        match decided:
            case AsAppointment(_, appointment) | Linked(_, appointment, _) | Known(_, appointment):
                name = appointment.id
                ending = ending if appointment.state in _ENDED else Ending.DUPLICATE
            case Cancelled() | Over():
                pass
            case _:
                return decided
        if former.state is CaseState.CLOSED:
            has = former.facts.get(INSTEAD_OF) or (former.appointment if stands else "")
            is_another = has not in {"", name} and not isinstance(decided, Known | Over)
            return AsCase(row, of=has, instead=True) if is_another else decided
        if is_begun(former, made):
            return Left(row, former)
        self._closings.append(Closing(former, ending, name if ending is Ending.DUPLICATE else former.appointment))
        return decided

    def _of_a_named(self, row: Row, draft: Appointment) -> Decision:
        owner = self._owner_of_booking(draft)
        if owner is not None:
            return self._of_an_owned(row, draft, owner)
        if (other := self._found.times.get(draft.id)) is not None:
            return AsCase(row, of=other)
        if self._is_taken(draft):
            return AsCase(row, overlaps=True)
        return AsAppointment(row, draft)

    def _owner_of_booking(self, draft: Appointment) -> str | None:
        for segment in draft.segments:
            by_uid = self._found.uids.get(segment.uid or "")
            by_id = self._found.ids.get(segment.booking_id) if segment.booking_id is not None else None
            if (owner := by_uid or by_id) is not None:
                return owner
        return None

    def _of_an_owned(self, row: Row, draft: Appointment, owner: str) -> Decision:
        """Its booking is here already: taken over from Cal.com, booked by voice, or another's.

        What was taken over is now known to be this customer's; unless they have the same at another booking.
        """
        before = self._found.appointments.get(owner)
        if before is None:
            return AsCase(row, of=owner)
        if row.call and before.call == row.call:
            return Known(row, before)
        if before.source == TAKEN_OVER and before.state is AppointmentState.CANCELLED:
            return Over(row)
        if before.source == TAKEN_OVER and not {*row.uids} & {each.uid for each in before.segments}:
            return AsCase(row, moved=True)
        same_place = (before.slot.start, before.staff) == (draft.slot.start, draft.staff)
        if before.source != TAKEN_OVER or before.state is not AppointmentState.CONFIRMED or not same_place:
            return AsCase(row, of=owner)
        other = self._found.times.get(draft.id)
        if other is not None or before.service != draft.service or len(before.segments) != len(draft.segments):
            return Known(row, before) if other in {None, owner} else AsCase(row, of=other or "")
        return Linked(row, before, replace(before, customer=draft.customer, source=SOURCE, call=draft.call))

    def _is_taken(self, draft: Appointment) -> bool:
        """Whether an appointment is in the way. A mere hold is not: its offer is lost, that is all."""
        return any(
            interval.state is not IntervalState.HELD
            for segment in draft.segments
            for day in segment.slot.utc_days()
            if (segment.staff, day) in self._days.days
            for interval in self._days.day(segment.staff, day).in_the_way_of(segment.slot, now=self._now)
        )

    def _occupy(self, made: Appointment) -> None:
        for key in sorted(days_of([made], now=self._now)):
            entries = [
                Interval(interval_key(made.id, each.index), each.slot, IntervalState.CONFIRMED, made.op)
                for each in made.segments
                if each.staff == key[0] and key[1] in each.slot.utc_days()
            ]
            written = self._days.day(*key).replaced(made.id, entries, now=self._now)
            self._days = self._days.updated([written])

    def _know(self, who: Customer) -> None:
        if who.id not in self._found.customers:
            self._customers.setdefault(who.id, who)

    def _counted(self, decided: Decision) -> list[str]:
        match decided:
            case AsAppointment():
                return ["appointments"]
            case Linked():
                return ["linked"]
            case Known():
                return ["known"]
            case AsCustomer():
                return ["customer_rows"]
            case Over():
                return ["over"]
            case Cancelled():
                return ["cancelled"]
            case Left():
                return ["at_work"]
            case AsCase():
                return counted_as(decided, case_of(self._tenant, decided, self._claims, now=self._now))


def counted_as(decided: AsCase, case: Case) -> list[str]:
    """By what names a row that is kept as a case is counted."""
    return ["cases", f"case_{case.failure.value}", *(["duplicates"] if decided.of else [])]


def case_of(tenant: Tenant, decided: AsCase, claims: Claims, *, now: datetime) -> Case:
    """The case that a row becomes, with everything that the file says of it; words of people only in `answers`."""
    row = decided.row
    failure = failure_from(
        row.error or ("HOST_UNAVAILABLE" if decided.overlaps else ""),
        FailureFacts(
            incomplete=not row.is_complete,
            claimed_twice=bool(decided.of),
            begun=row.slot is not None and row.slot.start <= now and not _names_a_booking(row),
            parts_missing=row.service is not None
            and row.service.is_composite
            and len(row.uids) < len(row.service.busy),
            without_contact=row.person.email is None and row.person.phone is None,
        ),
    )
    return Case(
        id=case_name(row.external_id),
        state=CaseState.REVIEW if decided.instead else CaseState.OPEN,
        failure=SyncFailure.DOUBLE_BOOKING if decided.instead else failure,
        origin=CaseOrigin.IMPORT,
        facts=_facts(row, decided),
        opened_at=now,
        changed_at=now,
        customer=_customer(tenant, row.person, claims),
        appointment=decided.of if decided.instead and row.cancelled else "",
        booking=row.uids[0] if row.uids else "",
        answers=(row.error,) if row.error else (),
        why=_why(decided),
        by=SOURCE,
    )


def _why(decided: AsCase) -> str:
    row = decided.row
    if decided.instead:
        return f"it was booked as {decided.of}, and a newer file has it {says_of(row)}: one of the two is right"
    if decided.overlaps or decided.moved:
        return _OVERLAPS if decided.overlaps else _MOVED
    return _NO_UID if row.booking_id is not None and not row.uids and not decided.of else ""


def says_of(row: Row) -> str:
    """As what a file has a row, without a word of people."""
    if row.cancelled:
        return "as cancelled"
    when = f" at {instant_text(row.slot.start)}" if row.slot is not None else ""
    return f"as booking {' '.join(row.uids)}{when}"


def _names_a_booking(row: Row) -> bool:
    """What is over and has a booking is not missing at Cal.com; that its number must be looked up is another matter."""
    return bool(row.uids) or row.booking_id is not None


def _facts(row: Row, decided: AsCase) -> dict[str, str]:
    known = {
        "external_id": row.external_id,
        "line": str(row.line),
        "service": row.service.id if row.service is not None else "",
        "staff": row.staff.id if row.staff is not None else "",
        "start": instant_text(row.slot.start) if row.slot is not None else "",
        "minutes": str(int(row.slot.duration.total_seconds()) // 60) if row.slot is not None else "",
        "status": row.status,
        "cancelled": "yes" if row.cancelled else "",
        "sync_status": row.sync_status if _is_word(row.sync_status) else "",
        "booking_id": str(row.booking_id) if row.booking_id is not None else "",
        "bookings": " ".join(row.uids),
        "call": row.call,
        "duplicate_of": decided.of,
        INSTEAD_OF: decided.of if decided.instead else "",
    }
    return {name: text for name, text in known.items() if text}


def _is_word(text: str) -> bool:
    return text.replace("_", "").replace("-", "").isalnum() and text.isascii() and len(text) <= 64


def _customer(tenant: Tenant, person: Person, claims: Claims) -> Customer:
    shared = claims.is_shared(person)
    return Customer(identity(tenant, person), person.name, address(tenant, person, shared=shared), person.phone)
