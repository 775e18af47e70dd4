"""Which row of a file has a booking, or a customer's time, where several claim it; and whose address is their own.

Seen through the whole file once, before anything is decided: the row that names its booking goes before one that does
not, wherever it stands, and an address is shared only if somebody further down has it too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from bookend.domain.imports import Becomes, CustomerRow, Person, Row, becomes, identity
from bookend.domain.tenant import Tenant
from bookend.domain.timeslot import instant_text


@dataclass(frozen=True, slots=True)
class SharedAddress:
    """One address that several customers have. Which one it is stands in the file, not here."""

    line: int
    """Where it stands first."""
    customers: int


@dataclass(slots=True)
class Claims:
    """What the rows of one file claim. `see` each of them in order, then ask."""

    tenant: Tenant
    _lines: dict[str, int] = field(default_factory=dict)
    """The line of each external id."""
    _best: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    """Of each thing that can be claimed: rank, line and external id of who has it."""
    _addresses: dict[bytes, tuple[int, set[str]]] = field(default_factory=dict)

    def see(self, row: Row | CustomerRow) -> None:
        """Take note of a row."""
        self._see_address(row.line, row.person)
        if isinstance(row, CustomerRow):
            return
        self._lines.setdefault(row.external_id, row.line)
        if row.cancelled or self._lines[row.external_id] != row.line:
            return
        rank = 0 if becomes(row) is Becomes.APPOINTMENT else 1 if row.booking_id is not None else 2
        for claimed in self._claimed(row):
            claim = (rank, row.line, row.external_id)
            self._best[claimed] = min(self._best.get(claimed, claim), claim)

    def first_line(self, row: Row) -> int:
        """The line that has the row's external id first; its own, if nobody else has it."""
        return self._lines.get(row.external_id, row.line)

    def duplicate_of(self, row: Row) -> str | None:
        """The external id of the row that has this one's booking, or its customer's time and service; None: itself."""
        found = (self._best[claimed][2] for claimed in self._claimed(row) if claimed in self._best)
        return next((each for each in found if each != row.external_id), None)

    def is_shared(self, person: Person) -> bool:
        """Whether somebody else has the same address."""
        return person.email is not None and len(self._addresses.get(_digest(person.email), (0, set()))[1]) > 1

    def shared(self) -> tuple[SharedAddress, ...]:
        """Every address of several, where it stands first."""
        found = (SharedAddress(line, len(who)) for line, who in self._addresses.values() if len(who) > 1)
        return tuple(sorted(found, key=lambda each: each.line))

    def _see_address(self, line: int, person: Person) -> None:
        if person.email is not None:
            _, who = self._addresses.setdefault(_digest(person.email), (line, set()))
            who.add(identity(self.tenant, person))

    def _claimed(self, row: Row) -> Iterator[str]:
        yield from (f"uid {each}" for each in row.uids)
        if row.booking_id is not None:
            yield f"id {row.booking_id}"
        if row.service is not None and row.slot is not None:
            who = identity(self.tenant, row.person)
            yield f"time {who} {instant_text(row.slot.start)} {row.service.id}"


def _digest(email: str) -> bytes:
    """Short, so that a file of millions fits into memory."""
    return hashlib.blake2b(email.encode(), digest_size=10).digest()
