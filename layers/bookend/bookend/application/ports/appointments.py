"""The ledger and the appointments: every write carries the condition it rests on."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol

from bookend.domain.answers import Booking
from bookend.domain.appointment import Appointment, Told
from bookend.domain.authority import Asked
from bookend.domain.availability import Offer
from bookend.domain.contacts import Customer
from bookend.domain.staff_day import StaffDay, StaffDays

if TYPE_CHECKING:
    from bookend.application.deadline import Deadline

from bookend.application.ports.surroundings import Alert, Audit


@dataclass(frozen=True, slots=True)
class CallRecord:
    """What one phone call was offered and asked. `version` is 0 for a call nothing was written of yet."""

    call: str
    version: int = 0
    offers: tuple[Offer, ...] = ()
    ended: bool = False
    asked: Asked | None = None
    """What its caller was last asked to confirm."""


@dataclass(frozen=True, slots=True)
class Known:
    """What one consistent read found. Parts that were not asked for are empty."""

    record: CallRecord
    request: str | None = None
    """The appointment an earlier, equal wish led to."""
    customer: Customer | None = None
    days: StaffDays = field(default_factory=StaffDays)
    own: str | None = None
    """The appointment that the customer has for the start and service asked about."""


@dataclass(frozen=True, slots=True)
class Held:
    """The offers are kept; the record as it now is."""

    record: CallRecord


@dataclass(frozen=True, slots=True)
class HoldLost:
    """Somebody wrote first; `days` are the ones that changed, as they are now. None: the call's own record changed."""

    days: tuple[StaffDay, ...] | None


@dataclass(frozen=True, slots=True)
class Started:
    """The operation is on record; Cal.com may be asked."""


@dataclass(frozen=True, slots=True)
class AskedBefore:
    """The same wish is on record already, as this appointment."""

    appointment: str


@dataclass(frozen=True, slots=True)
class CustomerHasOne:
    """The customer has this appointment for the same service at the same start."""

    appointment: str


@dataclass(frozen=True, slots=True)
class StartLost:
    """The ledger is not as it was read: look again."""


StartOutcome = Started | AskedBefore | CustomerHasOne | StartLost


@dataclass(frozen=True, slots=True)
class Confirmed:
    """Committed, by us or (found so) by somebody who helped."""


@dataclass(frozen=True, slots=True)
class BookingHasOwner:
    """The uid or id of the booking of a `segment` belongs to this other appointment: one booking, one appointment."""

    appointment: str
    segment: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Superseded:
    """The appointment is no longer in this operation's hands; this is what became of it."""

    appointment: Appointment | None


ConfirmOutcome = Confirmed | BookingHasOwner | Superseded


@dataclass(frozen=True, slots=True)
class Released:
    """The time is free again and the appointment FAILED."""


ReleaseOutcome = Released | Superseded


class Appointments(Protocol):
    """The ledger and the appointments of a tenant. Every write carries the condition it rests on.

    All methods raise StoreUnavailable when the store does not answer.
    """

    def within(self, deadline: Deadline) -> Appointments:
        """The same, for one turn: conflicts and throttles are tried again no longer than that."""
        ...

    def look(
        self,
        tenant: str,
        *,
        call: str,
        request: str | None = None,
        customer: str | None = None,
        own: tuple[datetime, str] | None = None,
        days: Collection[tuple[str, date]] = (),
    ) -> Known:
        """One consistent read of everything named; `own` is a start and a service of the `customer`'s."""
        ...

    def staff_days(self, tenant: str, days: Collection[tuple[str, date]]) -> StaffDays:
        """The named staff days, consistently."""
        ...

    def hold(
        self, tenant: str, record: CallRecord, offers: Sequence[Offer], *, days: StaffDays, now: datetime
    ) -> Held | HoldLost:
        """Keep `offers` for the call in place of its former ones, in one transaction."""
        ...

    def start(
        self,
        tenant: str,
        appointment: Appointment,
        *,
        hold: Offer | None,
        days: StaffDays,
        freeing: Collection[str],
        replaces: str | None,
        known: Customer | None,
        now: datetime,
    ) -> StartOutcome:
        """Record the operation before its effect: intervals to PENDING, the appointment, request key, customer guard.

        `hold`: the caller's live offer, taken as it stands; else the slot is taken on the version of `days`, and the
        caller's own holds in `freeing` that it overlaps are given back. `replaces`: the failed appointment the request
        key points to. `known`: the customer's record as it was read; a new one or a new address is written with it.
        """
        ...

    def confirm(
        self,
        tenant: str,
        appointment: Appointment,
        bookings: Mapping[int, Booking],
        *,
        told: Told,
        now: datetime,
        audit: Audit | None = None,
    ) -> ConfirmOutcome:
        """Commit: intervals to CONFIRMED, the appointment, guards for every uid and id, the outbox row.

        `audit`: the entry of it, where it is done in the background and not in the caller's turn.
        """
        ...

    def release(
        self,
        tenant: str,
        appointment: Appointment,
        *,
        why: str,
        answer: str,
        alert: Alert | None,
        now: datetime,
        owes_text: bool = False,
        told: Told = Told.NOT_BOOKED,
        audit: Audit | None = None,
    ) -> ReleaseOutcome:
        """After a definite no: intervals and guards go, the appointment is FAILED; `answer` is kept whole.

        `owes_text`: the caller was told that it is open, so the end of the story goes into the outbox with it. `told`:
        what the caller has in the ear; until that message is sent it is still "noch offen".
        """
        ...

    def postpone(self, tenant: str, appointment: Appointment, *, until: datetime, absent: datetime | None) -> bool:
        """Look at it again at `until`; False if it is no longer open.

        `absent`: a look at this instant found no booking of it; the first such instant is kept.
        """
        ...

    def leave_open(
        self,
        tenant: str,
        appointment: Appointment,
        *,
        why: str,
        answer: str,
        alert: Alert | None,
        now: datetime,
        bookings: Mapping[int, Booking] | None = None,
    ) -> bool:
        """The outcome is unknown and the caller is told so; False if the operation has been settled meanwhile.

        `bookings`: those of its parts that are known already. Of an `appointment` that is read as COMPENSATING only
        what is told is noted.
        """
        ...

    def must_undo(
        self,
        tenant: str,
        appointment: Appointment,
        bookings: Mapping[int, Booking],
        *,
        why: str,
        alert: Alert | None,
        now: datetime,
        told: Told = Told.PENDING,
        audit: Audit | None = None,
    ) -> bool | BookingHasOwner:
        """Cal.com made something that must go: COMPENSATING, time stays blocked. False if settled meanwhile.

        The bookings' uids become this appointment's; one that is another's is nothing of ours to undo. `told`: what the
        caller has in the ear by the time that it is undone, or has not been told yet.
        """
        ...

    def appointment(self, tenant: str, appointment: str) -> Appointment | None:
        """The appointment as it is now."""
        ...

    def several(self, tenant: str, appointments: Collection[str]) -> Mapping[str, Appointment]:
        """Those of the appointments that exist, as they are now."""
        ...

    def open_of(self, tenant: str, customer: str, *, now: datetime) -> int:
        """How many appointments the customer has that start after `now` and are confirmed or in flight.

        Found by an index, which is late: one that was made or moved a moment ago may be missing.
        """
        ...

    def end_call(self, tenant: str, call: str, *, now: datetime) -> int:
        """Free what is still held for the call and note its end; how many holds were freed."""
        ...
