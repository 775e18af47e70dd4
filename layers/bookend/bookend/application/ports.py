"""What the use cases need of the world, as they would like to say it. Adapters serve these."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from bookend.domain.answers import Booking, CreateAnswer, KeyRejected, NotSent, NotThere, Refused, Unclear
from bookend.domain.appointment import Appointment, Told
from bookend.domain.availability import Offer
from bookend.domain.contacts import Customer
from bookend.domain.staff_day import StaffDay, StaffDays
from bookend.domain.tenant import Tenant
from bookend.domain.timeslot import Slot

if TYPE_CHECKING:
    from bookend.application.deadline import Deadline


class StoreUnavailable(Exception):
    """The store did not answer in time or not at all; whether a write happened is not known."""


class TenantUnusable(StoreUnavailable):
    """What is stored of a tenant cannot be read as one: to those who ask for it, the store might as well be away."""


class KeyUnavailable(Exception):
    """A key of ours was not to be had, or is none: nothing was asked, and nothing admitted, with it."""


class Clock(Protocol):
    """Time, so that tests and the sandbox can set it."""

    def now(self) -> datetime:
        """The instant, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump, for deadlines."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        ...


class Ids(Protocol):
    """New names."""

    def new(self) -> str:
        """A name nobody else has."""
        ...


@dataclass(frozen=True, slots=True)
class BookingRequest:
    """One booking to be made at Cal.com. `language` is the attendee's, for Cal.com's own mails."""

    event_type: int
    start: datetime
    name: str
    email: str
    phone: str | None
    zone: str
    language: str
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FreeStarts:
    """The instants Cal.com lists as bookable, as they were at `read_at`."""

    starts: tuple[datetime, ...]
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Generation:
    """How often what is kept of a stylist's free starts had been declared void; None: nothing was ever kept.

    `outlived` are event types whose kept answer is too old to be used: they go when the next one is stored.
    """

    number: int | None
    outlived: tuple[int, ...] = ()


class SlotCache(Protocol):
    """Answers of Cal.com that are a few seconds old at most (`SLOTS_KEPT`), for checks alone.

    Both methods raise StoreUnavailable, which is never a reason not to answer: Cal.com can be asked instead.
    """

    def within(self, deadline: Deadline) -> SlotCache:
        """The same, for one turn."""
        ...

    def read(
        self, tenant: str, event_types: Mapping[str, int], window: Slot, *, now: datetime
    ) -> tuple[Mapping[str, FreeStarts], Mapping[str, Generation]]:
        """By stylist: what may still be used for `window`, and the generation to store a new answer on. One request.

        To be called before Cal.com is asked; that order is what keeps an answer from outliving a booking.
        """
        ...

    def store(
        self,
        tenant: str,
        staff: str,
        event_type: int,
        window: Slot,
        answer: FreeStarts,
        *,
        generation: Generation,
        now: datetime,
    ) -> None:
        """Keep an answer for others, unless the stylist's were declared void since `generation` was read."""
        ...


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Cal.com says it is cancelled."""


CalendarTrouble = Unclear | NotSent | KeyRejected | NotThere | Refused
CancelAnswer = Cancelled | CalendarTrouble


class Calendar(Protocol):
    """Cal.com, the calendar of record."""

    def free_starts(
        self, event_types: Mapping[str, int], window: Slot, *, deadline: Deadline
    ) -> Mapping[str, FreeStarts | CalendarTrouble]:
        """Per stylist, the free starts within `window`; all are asked at the same time, once each."""
        ...

    def book(self, request: BookingRequest, *, deadline: Deadline) -> CreateAnswer:
        """Send one booking, once. Nothing is repeated here: only the caller of this knows what a repeat would mean."""
        ...

    def cancel(self, uid: str, reason: str, *, deadline: Deadline) -> CancelAnswer:
        """Cancel one booking, always with a reason."""
        ...

    def booking(self, uid: str, *, deadline: Deadline) -> Booking | CalendarTrouble:
        """One booking as Cal.com shows it now; its reads may lag behind its writes."""
        ...

    def find(self, email: str, window: Slot, *, deadline: Deadline) -> tuple[Booking, ...] | CalendarTrouble:
        """Every booking of an attendee within `window`, in any state, all pages."""
        ...

    def page(self, query: ListQuery, *, skip: int, deadline: Deadline) -> Page | CalendarTrouble:
        """Up to 250 bookings, in any state, by creation: one that is made meanwhile comes last and shifts nothing."""
        ...

    def headroom(self) -> int | None:
        """How many requests our key has left in the running minute, as Cal.com last said; None: it has not said."""
        ...


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Which bookings: those changed at or after an instant, or those that begin and end within a window."""

    changed_since: datetime | None = None
    window: Slot | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list. `more`: there is another page behind it; `odd`: rows of it that nobody can read."""

    bookings: tuple[Booking, ...]
    more: bool
    odd: int = 0

    @property
    def rows(self) -> int:
        """How many rows of the list it is made of."""
        return len(self.bookings) + self.odd


class Tenants(Protocol):
    """Whose call it is."""

    def of_call(self, *, agent: str | None, number: str | None, deadline: Deadline | None = None) -> Tenant | None:
        """The tenant (narrowed to a branch where agent or dialled number belong to one), or None: not ours."""
        ...

    def of_id(self, tenant: str) -> Tenant | None:
        """The whole tenant, for work that no caller waits for."""
        ...

    def every(self) -> Sequence[str]:
        """The id of every tenant."""
        ...


@dataclass(frozen=True, slots=True)
class CallRecord:
    """What one phone call was offered. `version` is 0 for a call nothing was written of yet."""

    call: str
    version: int = 0
    offers: tuple[Offer, ...] = ()
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Alert:
    """Something an operator must see. `facts` are ids and states, never people."""

    kind: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """What one consistent read found. Parts that were not asked for are empty."""

    record: CallRecord
    request: str | None = None
    """The appointment an earlier, equal wish led to."""
    customer: Customer | None = None
    days: StaffDays = field(default_factory=StaffDays)


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
    """The uid or id belongs to this other appointment: one booking, one appointment."""

    appointment: str


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
        days: Collection[tuple[str, date]] = (),
    ) -> Known:
        """One consistent read of everything named."""
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
    ) -> ConfirmOutcome:
        """Commit: intervals to CONFIRMED, the appointment, guards for every uid and id, the outbox row."""
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
        self, tenant: str, appointment: Appointment, *, why: str, answer: str, alert: Alert | None, now: datetime
    ) -> bool:
        """The outcome is unknown and the caller is told so; False if the operation has been settled meanwhile."""
        ...

    def must_undo(
        self,
        tenant: str,
        appointment: Appointment,
        bookings: Mapping[int, Booking],
        *,
        why: str,
        alert: Alert,
        now: datetime,
    ) -> bool | BookingHasOwner:
        """Cal.com made something that must go: COMPENSATING, time stays blocked. False if settled meanwhile.

        The bookings' uids become this appointment's; one that is another's is nothing of ours to undo.
        """
        ...

    def appointment(self, tenant: str, appointment: str) -> Appointment | None:
        """The appointment as it is now."""
        ...

    def several(self, tenant: str, appointments: Collection[str]) -> Mapping[str, Appointment]:
        """Those of the appointments that exist, as they are now."""
        ...

    def end_call(self, tenant: str, call: str, *, now: datetime) -> int:
        """Free what is still held for the call and note its end; how many holds were freed."""
        ...


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


class QueueUnavailable(Exception):
    """The queue did not take the job."""


@dataclass(frozen=True, slots=True)
class Job:
    """Work that no caller waits for, named by what is in the store. It may be done twice, and late."""

    kind: str
    """"settle": an appointment; "event": a delivery in the inbox."""
    tenant: str
    name: str
    attempt: int = 0


class Queue(Protocol):
    """Where jobs wait."""

    def send(self, job: Job, *, delay: timedelta = timedelta(0)) -> None:
        """Have it done after `delay` (15 minutes at most).

        Raises:
            QueueUnavailable: it was not taken.
        """
        ...


class Inbox(Protocol):
    """Deliveries of Cal.com, by the digest of their bytes. All methods raise StoreUnavailable."""

    def store(self, tenant: str, digest: str, body: str, *, now: datetime, due: datetime) -> bool:
        """Keep a delivery; False if it is kept already. If nobody has finished it by `due`, the sweeper finds it."""
        ...

    def body(self, tenant: str, digest: str) -> str | None:
        """What was delivered; None for what is done with, or was never there."""
        ...

    def finish(self, tenant: str, digest: str, *, outcome: str, now: datetime) -> None:
        """It is done with."""
        ...

    def postpone(self, tenant: str, digest: str, *, until: datetime) -> None:
        """The sweeper finds it again at `until`, unless it is done by then."""
        ...


class DueWork(Protocol):
    """What is overdue, oldest first."""

    def due(self, *, now: datetime, most: int) -> Sequence[Job]:
        """At most `most` jobs whose time has come. The index behind it lags: each is read anew before use."""
        ...


class Alerts(Protocol):
    """Where the operator is told at once; the record of it is written with the state it belongs to."""

    def raise_(self, alert: Alert) -> None:
        """Log it and count it."""
        ...
