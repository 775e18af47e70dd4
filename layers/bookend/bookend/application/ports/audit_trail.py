"""What has happened to appointments, and the log that keeps it for good."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bookend.domain.appointment import Appointment
from bookend.domain.audit_chain import AuditKind, Entry, Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """One change of an appointment, or one repair, as the table's stream tells it.

    `about` names the event and is the same however often it is told. `was` and `version` are the appointment's versions
    before and after, 0 where there is none; both 0 for a repair. `before` and `after` are what changed, as canonical
    JSON, without people. `of` is the appointment before and after, for the counters; None where there is none.
    """

    tenant: str
    appointment: str
    kind: AuditKind
    about: str
    was: int
    version: int
    at: datetime
    by: str
    call: str
    before: str
    after: str
    of: tuple[Appointment | None, Appointment | None] = (None, None)


class AuditTrail(Protocol):
    """Chains of entries, which are only ever put. All methods raise StoreUnavailable when the store does not answer."""

    def last(self, tenant: str, appointment: str) -> Stored | None:
        """The last row of a chain, None: it has not begun."""
        ...

    def chain(self, tenant: str, appointment: str) -> Sequence[Stored]:
        """All rows of a chain, in the order of their places."""
        ...

    def append(self, entry: Entry, counts: Mapping[str, int], *, hour: datetime) -> bool:
        """Put the entry and, at once with it, add to the counters of its hour; False: its place is taken."""
        ...

    def chains(self, tenant: str) -> Iterator[tuple[str, Sequence[Stored]]]:
        """Every chain of a tenant, read page by page."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """How far an appointment is; `created_at` is UTC text."""

    version: int
    created_at: str


class AuditedState(Protocol):
    """What the chains are compared with. All methods raise StoreUnavailable when the store does not answer."""

    def standing(self, tenant: str, appointment: str) -> Standing | None:
        """How far the appointment is now; None: there is none."""
        ...

    def standings(self, tenant: str) -> Mapping[str, Standing]:
        """The same of every appointment of a tenant; it reads the table as a whole."""
        ...

    def repairs(self, tenant: str) -> Mapping[str, Sequence[str]]:
        """What the repairs on record are about (as in the entries), by the name of their chain."""
        ...
