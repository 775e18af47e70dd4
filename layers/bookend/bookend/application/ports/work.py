"""Work that no caller waits for: the queue, the inbox, and what is overdue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from bookend.application.deadline import Deadline


class QueueUnavailable(Exception):
    """The queue did not take the job."""


@dataclass(frozen=True, slots=True)
class Job:
    """Work that no caller waits for, named by what is in the store. It may be done twice, and late."""

    kind: str
    """"settle": an appointment; "event": a delivery in the inbox; "text": a message in the outbox."""
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
    """Deliveries of Cal.com, by the digest of their bytes. All methods but `within` raise StoreUnavailable."""

    def within(self, deadline: Deadline) -> Inbox:
        """The same, for one delivery that somebody waits for."""
        ...

    def store(self, tenant: str, digest: str, body: str, *, now: datetime, due: datetime) -> bool:
        """Keep a delivery; False if it is kept already. If nobody has finished it by `due`, the sweeper finds it."""
        ...

    def body(self, tenant: str, digest: str) -> str | None:
        """What was delivered; None for what is done with, or was never there."""
        ...

    def finish(self, tenant: str, digest: str, *, outcome: str, now: datetime) -> None:
        """It is done with."""
        ...

    def postpone(self, tenant: str, digest: str, *, until: datetime, requeued: int = 0) -> None:
        """The sweeper finds it again at `until`, unless it is done by then. `requeued` is kept for it: see there."""
        ...

    def requeued(self, tenant: str, digest: str) -> int | None:
        """How often in a row the sweeper has put it into the queue and nobody came to it; None: it is done with."""
        ...


class DueWork(Protocol):
    """What is overdue, oldest first."""

    def due(self, *, now: datetime, most: int) -> Sequence[Job]:
        """At most `most` jobs whose time has come. The index behind it lags: each is read anew before use."""
        ...
