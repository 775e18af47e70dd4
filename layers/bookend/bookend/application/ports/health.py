"""What is seen of a salon, from counters and indexes: never by going through the table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from bookend.domain.health import Backlog, Seen

if TYPE_CHECKING:
    from bookend.application.deadline import Deadline


@dataclass(frozen=True, slots=True)
class Unfinished:
    """What something must look after, of every tenant: the tenant, its kind and its name, what is due first first.

    `whole`: whether that is all of it. There may be entries of what has been finished a moment ago.
    """

    rows: Sequence[tuple[str, str, str]]
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Backlogs:
    """What waits: operations that are open, messages that are owed, events of Cal.com that nobody has finished."""

    operations: Backlog
    texts: Backlog
    events: Backlog


class HealthRecords(Protocol):
    """All methods but `within` raise StoreUnavailable when the store does not answer. They change nothing."""

    def within(self, deadline: Deadline) -> HealthRecords:
        """The same, for one piece of work."""
        ...

    def unfinished(self) -> Unfinished:
        """Of every tenant, by the index, which is late."""
        ...

    def backlogs(self, unfinished: Unfinished) -> Backlogs:
        """The same read anew, of all tenants together: what is finished meanwhile is left out."""
        ...

    def seen(self, tenant: str, unfinished: Unfinished, *, now: datetime) -> Seen:
        """Everything of one tenant but its cases and the breakers."""
        ...
