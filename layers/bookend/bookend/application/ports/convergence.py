"""What others did at Cal.com, taken over, and how far the comparing of both sides has come."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from bookend.domain.answers import Booking
from bookend.domain.appointment import Appointment
from bookend.domain.staff_day import StaffDays

if TYPE_CHECKING:
    from bookend.application.deadline import Deadline

from bookend.application.ports.appointments import BookingHasOwner
from bookend.application.ports.surroundings import Alert


@dataclass(frozen=True, slots=True)
class Adopted:
    """The booking is in the ledger, as an appointment of ours."""


@dataclass(frozen=True, slots=True)
class AdoptLost:
    """A staff day is not as it was read: look again."""


@dataclass(frozen=True, slots=True)
class TextSent:
    """The caller has had the message that it is not booked: it must stay true."""


@dataclass(frozen=True, slots=True)
class Audit:
    """One repair, for those who ask later. What was, what is, by whom: ids, states and instants, never people."""

    drift: str
    repair: str
    booking: str
    appointment: str
    before: Mapping[str, str]
    after: Mapping[str, str]
    by: str


class Changed(Enum):
    """What became of a change that Cal.com told of."""

    DONE = auto()
    LEDGER_CHANGED = auto()
    """A staff day is not as it was read: look again."""
    APPOINTMENT_MOVED_ON = auto()
    """The appointment is not as it was read, or knows something newer: decide anew."""


class Adoptions(Protocol):
    """What others did at Cal.com, taken over: never refused, even where it overlaps."""

    def within(self, deadline: Deadline) -> Adoptions:
        """The same, for one run."""
        ...

    def owner(self, tenant: str, uid: str) -> str | None:
        """The appointment a uid belongs, or once belonged, to."""
        ...

    def owners(self, tenant: str, uids: Collection[str]) -> Mapping[str, str]:
        """The same for many; uids nobody has are left out."""
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
    ) -> Adopted | BookingHasOwner | AdoptLost | TextSent:
        """A booking made by others becomes an appointment; flagged where it overlaps. Holds in its way are dropped.

        `revives`: the failed appointment whose late booking this is; the message it owes says "booked" then.
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
        """The appointment stands where Cal.com shows it: old intervals go and new ones come in one transaction."""
        ...

    def end(self, tenant: str, appointment: Appointment, *, booking: Booking, audit: Audit, now: datetime) -> bool:
        """Cancelled there, so cancelled here; its uids stay as tombstones. False if the appointment moved on."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A reconciliation and how far it has come. `started` becomes the watermark of the next poll.

    `since` (POLL) or `first` and `last` (FULL, UTC days, both included) say what it goes through. Of a POLL `skip` rows
    of the list are done. Of a FULL every day before `day` is done, and `skip` is how often its next step was halved
    because it held too much for one invocation. `tally` counts by drift and repair; `version` guards against a twin.
    """

    kind: RunKind
    started: datetime
    since: datetime | None = None
    first: date | None = None
    last: date | None = None
    skip: int = 0
    day: date | None = None
    tally: Mapping[str, int] = field(default_factory=dict)
    version: int = 0


class Runs(Protocol):
    """The progress of reconciliations, so that one that is cut off goes on where it was."""

    def current(self, tenant: str, kind: RunKind) -> tuple[Run | None, datetime | None, int]:
        """The unfinished run, the instant up to which the last finished one had seen everything, and the version."""
        ...

    def keep(self, tenant: str, run: Run, *, done: bool, now: datetime) -> bool:
        """Write down how far it is; with `done`, its report instead. False: a twin runs, and this one must stop."""
        ...
