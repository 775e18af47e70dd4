"""What others did at Cal.com, taken over, and how far the comparing of both sides has come."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum, auto
from typing import Protocol

from bookend.application.ports.appointments import BookingHasOwner, CustomerHasOne
from bookend.application.ports.surroundings import Alert, Audit
from bookend.domain.answers import Booking
from bookend.domain.appointment import Appointment
from bookend.domain.cases import Case
from bookend.domain.staff_day import StaffDays
from bookend.domain.timeslot import Slot


@dataclass(frozen=True, slots=True)
class Adopted:
    """The booking is in the ledger, as an appointment of ours."""


@dataclass(frozen=True, slots=True)
class AdoptLost:
    """A staff day is not as it was read: look again."""


@dataclass(frozen=True, slots=True)
class TextSent:
    """The caller has had the message that it is not booked: it must stay true."""


class Changed(Enum):
    """What became of a change that Cal.com told of."""

    DONE = auto()
    LEDGER_CHANGED = auto()
    """A staff day is not as it was read: look again."""
    APPOINTMENT_MOVED_ON = auto()
    """The appointment is not as it was read, or knows something newer: decide anew."""


class Adoptions(Protocol):
    """What others did at Cal.com, taken over: never refused, even where it overlaps."""

    def only_while(self, tenant: str, case: Case) -> Adoptions:
        """The same for a decision about a case: what it writes is refused once the case is not as it was read."""
        ...

    def owner(self, tenant: str, uid: str) -> str | None:
        """The appointment a uid belongs, or once belonged, to."""
        ...

    def owners(self, tenant: str, uids: Collection[str]) -> Mapping[str, str]:
        """The same for many; uids nobody has are left out."""
        ...

    def went_on_as(self, tenant: str, ended: Appointment) -> str | None:
        """The appointment that goes on from one that had ended too early (`adopt`, `restores`), if one does."""
        ...

    def adopt(
        self,
        tenant: str,
        appointment: Appointment,
        *,
        booking: Booking,
        days: StaffDays,
        conflict: bool,
        alert: Alert | None,
        audit: Audit,
        revives: Appointment | None,
        now: datetime,
        restores: Appointment | None = None,
        keeps: Appointment | None = None,
    ) -> Adopted | BookingHasOwner | AdoptLost | TextSent | CustomerHasOne:
        """A booking made by others becomes an appointment; flagged where it overlaps. Holds in its way are dropped.

        `revives`: the failed appointment whose late booking this is; the message it owes says "booked" then, and its
        customer must have no other appointment for the same. `restores`: the cancelled appointment that it goes on
        from; what its caller has not been told yet says so. `keeps`: the failed appointment that had claimed the
        booking to cancel it; it stays after all.
        """
        ...

    def link(
        self, tenant: str, before: Appointment, after: Appointment, *, audit: Audit, now: datetime
    ) -> Adopted | AdoptLost | CustomerHasOne:
        """One that was taken over without anybody knowing whose it is, is the customer's of `after`, who is kept.

        AdoptLost: it is not as it was read.
        """
        ...

    def gather(
        self,
        tenant: str,
        before: Appointment,
        after: Appointment,
        others: Sequence[Appointment],
        *,
        audit: Audit,
        now: datetime,
    ) -> bool:
        """What stands as several appointments is one: `before` becomes `after`, which has the bookings of `others` too.

        Those end here, as "gathered"; at Cal.com nothing changes, and nobody is told anything. `after` was read there.
        False: one of them is not as it was read.
        """
        ...

    def overlapping(self, tenant: str, customer: str, slot: Slot) -> Collection[str]:
        """The open and confirmed appointments that a customer has within `slot`, with whomever.

        Found by an index, which is late: one that was made or moved a moment ago may be missing.
        """
        ...

    def follow(
        self,
        tenant: str,
        before: Appointment,
        after: Appointment,
        *,
        booking: Booking,
        days: StaffDays,
        conflict: bool,
        alert: Alert | None,
        audit: Audit,
        now: datetime,
    ) -> Changed:
        """The appointment stands where Cal.com shows it: old intervals go and new ones come in one transaction.

        Of the messages that nobody has sent yet one says "moved", if its caller knows of the appointment, and the
        others are void; one that says of a wish that others have changed the appointment stays.
        """
        ...

    def end(self, tenant: str, appointment: Appointment, *, booking: Booking, audit: Audit, now: datetime) -> bool:
        """Cancelled there, so cancelled here; its uids stay as tombstones. False if the appointment moved on.

        Of the messages that nobody has sent yet one says "cancelled" ("not_booked", if its caller never heard of it),
        and the others are void.
        """
        ...

    def claim(self, tenant: str, appointment: Appointment, booking: Booking, *, audit: Audit, now: datetime) -> bool:
        """Before an orphan is cancelled: its uid is the failed appointment's, and the repair is written down.

        False: it is somebody's meanwhile, and must stay.
        """
        ...

    def flag(self, tenant: str, alert: Alert, *, about: str, now: datetime) -> bool:
        """Put a difference before a person; False if it was already, within the last month."""
        ...


class RunKind(Enum):
    """Which bookings a reconciliation goes through."""

    POLL = "poll"
    """Those that changed at Cal.com since the last one."""
    FULL = "full"
    """Those of a window of days, and everything of ours in it."""


@dataclass(frozen=True, slots=True)
class Strike:
    """A booking of ours that could not be had: when it was looked for in vain for the first time in a row, and last."""

    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A reconciliation and how far it has come. `started` becomes the watermark of the next poll, unless `held` does.

    `since` (POLL) or `first` and `last` (FULL, UTC days, both included) say what it goes through. Of a POLL `skip` rows
    of the list are done; `tail` are the uids of the last of them, which the next page shows once more. Of a FULL every
    day before `day` is done, and of the step from `day` to `until` everything up to the name `after`; `skip` is how
    often the step was halved because its list alone was too much for one invocation.

    `deferred` are uids that something is to be taken away from, at the end of the page or step. `strikes` are kept by
    difference and uid, from one FULL to the next. `idle` counts the invocations in a row that brought it no further,
    `tally` counts by drift and repair; `version` guards against a twin.
    """

    kind: RunKind
    started: datetime
    since: datetime | None = None
    first: date | None = None
    last: date | None = None
    skip: int = 0
    tail: tuple[str, ...] = ()
    day: date | None = None
    until: date | None = None
    after: str = ""
    deferred: tuple[str, ...] = ()
    strikes: Mapping[str, Strike] = field(default_factory=dict)
    held: datetime | None = None
    """The watermark that stays in force at its end: something was left undone, and must be found again."""
    idle: int = 0
    tally: Mapping[str, int] = field(default_factory=dict)
    version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far the runs of one kind are.

    `run` is the unfinished one, `watermark` the instant up to which the last finished one had seen everything;
    `limited`: that one left something undone which a person must decide; `strikes` are those it ended with.
    """

    run: Run | None = None
    watermark: datetime | None = None
    limited: bool = False
    strikes: Mapping[str, Strike] = field(default_factory=dict)
    version: int = 0


class Runs(Protocol):
    """The progress of reconciliations, so that one that is cut off goes on where it was."""

    def current(self, tenant: str, kind: RunKind) -> Progress:
        """How far the runs of this kind are; without any, nothing."""
        ...

    def keep(self, tenant: str, run: Run, *, done: bool, now: datetime) -> bool:
        """Write down how far it is; with `done`, its report instead. False: a twin runs, and this one must stop."""
        ...
