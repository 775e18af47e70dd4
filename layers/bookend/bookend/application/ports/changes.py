"""Moves and cancellations of appointments we have: who asked, what is under way, how it ended."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from bookend.application.ports.surroundings import Alert, Audit
from bookend.domain.answers import Booking
from bookend.domain.appointment import Amiss, Appointment, Change, ChangeWhy, Told
from bookend.domain.authority import Asked
from bookend.domain.cases import Case
from bookend.domain.staff_day import StaffDays

if TYPE_CHECKING:
    from bookend.application.deadline import Deadline


@dataclass(frozen=True, slots=True)
class Begun:
    """The change is on record; Cal.com may be asked. The appointment as it now is."""

    appointment: Appointment


class NotBegun(Enum):
    """Why a change was not written down. Nothing has changed."""

    APPOINTMENT_CHANGED = auto()
    """It is not as it was when the caller was asked."""
    LEDGER_CHANGED = auto()
    """The day is not as it was read: look again."""
    CUSTOMER_HAS_ONE = auto()
    """They have another appointment for the same service at the new time."""
    TOO_MANY = auto()
    """This number has changed as much today as it may."""


class Changes(Protocol):
    """Changes of appointments. Every write names the change it belongs to, and loses to whoever was faster.

    All methods raise StoreUnavailable when the store does not answer.
    """

    def within(self, deadline: Deadline) -> Changes:
        """The same, for one turn."""
        ...

    def only_while(self, tenant: str, case: Case) -> Changes:
        """The same for a decision about a case: what it writes is refused once the case is not as it was read."""
        ...

    def of_customer(self, tenant: str, customer: str, *, after: datetime) -> tuple[Appointment, ...]:
        """Every appointment of a customer that begins after an instant, in any state, as it is now.

        Found by an index, which may lag behind by a moment: what was booked a second ago may be missing.
        """
        ...

    def may_try(self, tenant: str, customer: str, *, call: str, day: date, now: datetime) -> bool:
        """Reserve one try to name an appointment; False if this call or this day has had too many that missed."""
        ...

    def ask(self, tenant: str, call: str, asked: Asked | None, *, customer: str, day: date, now: datetime) -> bool:
        """The try was a hit: give it back, and keep what the caller is asked to confirm, if anything."""
        ...

    def begin(
        self,
        tenant: str,
        appointment: Appointment,
        change: Change,
        *,
        lease: datetime,
        days: StaffDays,
        freeing: Collection[str],
        day: date,
        now: datetime,
    ) -> Begun | NotBegun:
        """Record the change before its effect. A move takes the new time beside the old one; the old one stays.

        `days` are the staff days of the new time as they were read; `freeing` the caller's own holds; `day` the salon's
        date, by which changes are counted.
        """
        ...

    def sent(
        self,
        tenant: str,
        appointment: Appointment,
        *,
        lease: datetime,
        now: datetime,
        back: ChangeWhy | None = None,
    ) -> Appointment | None:
        """Write down, before it is so, that Cal.com is asked (once more); None if the change has ended meanwhile.

        `back`: from here on what has gone is taken back, and why.
        """
        ...

    def leave_open(
        self,
        tenant: str,
        appointment: Appointment,
        *,
        due: datetime,
        keep_until: datetime | None,
        answer: str,
        alert: Alert | None,
        now: datetime,
        unsent: bool = False,
    ) -> bool:
        """The caller is told that it is open, or (`keep_until`) that it is tried again; False if it has ended.

        `unsent`: what BEGIN wrote down beforehand surely never left.
        """
        ...

    def postpone(
        self,
        tenant: str,
        appointment: Appointment,
        *,
        until: datetime,
        absent: datetime | None = None,
        restore: Change | None = None,
    ) -> bool:
        """Look at it again at `until`; False if it has ended.

        `absent`: at this instant it had not happened. `restore`: the last request surely never left, so `sent_at` is
        again what it was in this.
        """
        ...

    def moved(
        self,
        tenant: str,
        appointment: Appointment,
        bookings: Mapping[int, Booking],
        *,
        told: Told,
        audit: Audit | None,
        now: datetime,
    ) -> bool:
        """It stands at its new time, and the old one is free; the message of it is on record. False if it has ended.

        `bookings` are those that were moved, by part. `told`: what the caller has in the ear.
        """
        ...

    def cancelled(
        self,
        tenant: str,
        appointment: Appointment,
        *,
        booking: Booking | None,
        told: Told,
        audit: Audit | None,
        now: datetime,
    ) -> bool:
        """Gone on both sides: its time is free, the message of it is on record. False if the change has ended.

        Also where a move found it cancelled by others. `booking`: as it was seen there, if it was.
        """
        ...

    def given_up(
        self,
        tenant: str,
        appointment: Appointment,
        *,
        why: ChangeWhy,
        owes_text: bool,
        answer: str,
        alert: Alert | None,
        audit: Audit | None,
        now: datetime,
        seen: Mapping[int, Booking] | None = None,
        amiss: Amiss | None = None,
    ) -> bool:
        """It stands where it stood. False if the change has ended, or owes a message that this would not send.

        `seen`: parts whose bookings are others by now, or gone; it stands as they say. `amiss`: so it is no whole.
        """
        ...
