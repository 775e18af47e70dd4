"""Appointments that come from elsewhere, taken in many at a time; and how far an import is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

from bookend.application.ports.surroundings import Audit
from bookend.domain.appointment import Appointment
from bookend.domain.cases import Case
from bookend.domain.contacts import Customer
from bookend.domain.imports import RowError
from bookend.domain.staff_day import StaffDays


class ImportFile(Protocol):
    """A file of rows; it may be read more than once, and is never in memory as a whole."""

    @property
    def digest(self) -> str:
        """A digest of its bytes: the same content is the same import, whatever it is called."""
        ...

    def rows(self) -> Iterator[tuple[int, Mapping[str, str]] | RowError]:
        """Each row with the line that it begins on, as text by column; or why it is none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportProgress:
    """How far an import is: every line up to `line` is done, and `counts` is what came of them."""

    file: str
    began_at: datetime
    line: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    done: bool = False
    failed: str = ""
    """A digest of the lines up to `line` that were errors; empty: none was."""
    version: int = 0
    """0: nothing is kept of it yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one consistent read found of appointments that are to be taken in."""

    uids: Mapping[str, str]
    """Who has which uid."""
    ids: Mapping[int, str]
    """Who has which numeric id."""
    times: Mapping[str, str]
    """By the name of the wanted one: who has its customer's time and service."""
    appointments: Mapping[str, Appointment]
    """Those of the same names, and those that own something of theirs."""
    customers: Mapping[str, Customer]
    days: StaffDays
    cases: Mapping[str, Case] = field(default_factory=dict)
    """Of rows that were cases before the newest one, by the name that the first one had; closed ones too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intake:
    """What is to be written together."""

    new: Sequence[Appointment] = ()
    unguarded: Collection[str] = frozenset()
    """Those of the new ones whose customer has the same already: they get no guard of the customer's time."""
    linked: Sequence[tuple[Appointment, Appointment]] = ()
    """Appointments that are here already, as read, and with the customer that the file knows."""
    customers: Sequence[Customer] = ()
    days_read: StaffDays = field(default_factory=StaffDays)
    days: StaffDays = field(default_factory=StaffDays)
    """The staff days with the new intervals; only those that change."""
    audits: Sequence[Audit] = ()


@dataclass(frozen=True, slots=True)
class TakenIn:
    """It is written, and the progress with it."""


@dataclass(frozen=True, slots=True)
class IntakeLost:
    """Something is not as it was read: look again. Nothing is written."""


@dataclass(frozen=True, slots=True)
class ImportTwin:
    """Somebody else is importing the same file. Nothing is written."""


class Imports(Protocol):
    """Taking in many appointments at once. All methods raise StoreUnavailable when the store does not answer."""

    def progress(self, tenant: str, file: str, *, now: datetime) -> ImportProgress:
        """How far the import of this file is."""
        ...

    def look(
        self,
        tenant: str,
        wanted: Sequence[Appointment],
        *,
        days: Collection[tuple[str, date]],
        cases: Collection[str] = (),
    ) -> Found:
        """Everything that taking in `wanted` rests on; `days` are staff and UTC day, `cases` names of cases."""
        ...

    def take_in(
        self, tenant: str, intake: Intake, *, progress: ImportProgress | None, now: datetime
    ) -> TakenIn | IntakeLost | ImportTwin:
        """All of it or nothing. `progress`: as it is after it, at the version that it was read at."""
        ...

    def appointments(self, tenant: str, names: Collection[str]) -> Mapping[str, Appointment]:
        """Those of the names that are here, whatever their state."""
        ...

    def customers(self, tenant: str, customers: Collection[str]) -> Mapping[str, Customer]:
        """Those of the customers that are on record."""
        ...

    def unverified(self, tenant: str) -> int:
        """How many imported appointments nobody has read at Cal.com yet; one read of one item."""
        ...


class Duplicates(Protocol):
    """Ending appointments that stand for what is another's. All methods raise StoreUnavailable."""

    def only_while(self, tenant: str, case: Case) -> Duplicates:
        """The same for a decision about a case: what it writes is refused once the case is not as it was read."""
        ...

    def end_duplicate(
        self,
        tenant: str,
        duplicate: Appointment,
        *,
        kept: Appointment,
        audit: Audit,
        now: datetime,
        ring: Case | None = None,
    ) -> bool:
        """Cancel the one here, and here alone: the booking stays, and is the kept one's in all its guards.

        `ring`: the case of whoever must hear of it, opened in the same transaction: nobody is rung for nothing.
        What its caller has not been told yet says "cancelled". False: one of the two is not as it was read.
        """
        ...
