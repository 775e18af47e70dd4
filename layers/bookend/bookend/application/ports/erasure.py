"""What is on record of one person, and its erasure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Protocol

from bookend.domain.appointment import Appointment


class RecordKind(Enum):
    """Rows, beside appointments, that may hold somebody's data."""

    CUSTOMER = "customer"
    """How to reach them."""
    CALLBACK = "callback"
    """Their wish to be rung."""
    EVENT = "event"
    """A delivery of Cal.com about their booking; gone by itself after 30 days."""
    CASE = "case"
    """What was not on both sides."""
    TEXT = "text"
    """A message that their caller is owed and that nobody has ended yet; it holds nobody's data, and needs theirs."""


@dataclass(frozen=True, slots=True)
class PersonalRecord:
    """One row. `name` tells an operator which, and says nothing of the person; `version` is as it was read.

    `open`: somebody, or something of ours, still works with it.
    """

    kind: RecordKind
    name: str
    version: str = field(repr=False)
    open: bool = False


@dataclass(frozen=True, slots=True)
class PersonOnRecord:
    """Everything that is kept of one person.

    `customers` are their ids with us, one for each way they came, with how far each is from what was asked for: a
    farther one is found by a nearer one's data. `doubtful` are ids that only share an address with them.
    """

    customers: Mapping[str, int]
    appointments: Sequence[Appointment]
    records: Sequence[PersonalRecord]
    doubtful: Collection[str] = ()


class PeopleOnRecord(Protocol):
    """All methods raise StoreUnavailable when the store does not answer."""

    def of(self, tenant: str, *, customer: str, phone: str | None) -> PersonOnRecord:
        """What is kept of a customer, or of a number (E.164). It reads the table as a whole."""
        ...

    def clear_appointment(self, tenant: str, appointment: Appointment, *, now: datetime) -> bool:
        """Take the person out of it, with an audit entry; False: it has changed since it was read."""
        ...

    def clear(self, tenant: str, record: PersonalRecord, *, now: datetime) -> bool:
        """The same of another row."""
        ...
