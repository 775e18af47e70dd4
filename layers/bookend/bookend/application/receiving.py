"""Cal.com's events: stored before they are answered, and read as hints of where to look."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum

from bookend.application import alerts as alert
from bookend.application.background import Background
from bookend.application.converged import Converged
from bookend.application.converging import converge
from bookend.application.ports import Clock, Inbox, Job, Queue, QueueUnavailable, SlotCache
from bookend.domain.answers import Booking

MOST_LOOKS = 3
"""How often a read that is older than its event is looked at again before the read is believed."""
MOST_TRIES = 8
"""How often an event is worked on before it is left to the reconciliation."""
REQUEUE_AFTER = timedelta(minutes=5)
"""After this long an event that nobody finished is put into the queue again, for the first time."""
_CANCELLED = frozenset({"cancelled"})
"""What only an event of a cancellation expects; a move sends none for the booking it leaves (contracts: calcom 5)."""


@dataclass(frozen=True, slots=True)
class Hint:
    """A booking changed. `expected` are the states a read must show to be at least as new; None: it does not tell."""

    trigger: str
    uid: str
    expected: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Irrelevant:
    """An event that says nothing about a booking: a ping, a recording, something new."""

    what: str


class Received(StrEnum):
    """What became of a delivery."""

    STORED = "stored"
    REPEATED = "repeated"


def receive(tenant: str, body: bytes, *, inbox: Inbox, queue: Queue, clock: Clock) -> Received:
    """Store a delivery, then have it worked on. Once stored it cannot be lost: the sweeper finds what the queue lost.

    Raises:
        StoreUnavailable: it is not stored; the sender must try again.
    """
    digest = hashlib.sha256(body).hexdigest()
    now = clock.now()
    if not inbox.store(tenant, digest, body.decode("utf-8", "replace"), now=now, due=now + REQUEUE_AFTER):
        return Received.REPEATED
    try:
        queue.send(Job("event", tenant, digest))
    except QueueUnavailable:
        return Received.STORED
    return Received.STORED


class Worked(StrEnum):
    """What became of an event."""

    DONE = "done"
    IGNORED = "ignored"
    AGAIN = "again"
    LEFT = "left_to_reconciliation"
    UNKNOWN = "unknown"


def work_on(
    job: Job,
    work: Background,
    *,
    inbox: Inbox,
    queue: Queue,
    slots: SlotCache,
    read: Callable[[str], Hint | Irrelevant],
) -> Worked:
    """Look at the booking an event names, void what is kept of its stylist's free times, make our side equal to it."""
    body = inbox.body(job.tenant, job.name)
    if body is None:
        return Worked.UNKNOWN
    hint = read(body)
    if isinstance(hint, Irrelevant):
        inbox.finish(job.tenant, job.name, outcome="ignored", now=work.clock.now())
        return Worked.IGNORED
    ended = _look(job, hint, work, slots)
    if ended is None:
        if job.attempt + 1 >= MOST_TRIES:
            inbox.finish(job.tenant, job.name, outcome=Worked.LEFT.value, now=work.clock.now())
            return Worked.LEFT
        pause = _pause(job.attempt)  # the sweeper would begin anew, beside the one that waits
        inbox.postpone(job.tenant, job.name, until=work.clock.now() + pause + REQUEUE_AFTER)
        queue.send(Job(job.kind, job.tenant, job.name, job.attempt + 1), delay=pause)
        return Worked.AGAIN
    inbox.finish(job.tenant, job.name, outcome=ended, now=work.clock.now())
    return Worked.DONE


def _look(job: Job, hint: Hint, work: Background, slots: SlotCache) -> str | None:
    """What was done about the booking; None: look again later."""
    seen = work.calendar.booking(hint.uid, deadline=work.deadline)
    patient = job.attempt < MOST_LOOKS
    if not isinstance(seen, Booking):
        return None  # a 404 too: the event came from Cal.com itself, so it is a read that lags
    # Something of theirs has changed there, even if nothing does here. A change here voids it once more, as it commits.
    for staff in work.tenant.stylists_of_booking(seen.host, seen.event_type):
        slots.forget(work.tenant.id, staff)
    if hint.expected is not None and seen.status not in hint.expected:
        if patient:
            return None  # the read is older than the event: a replica lags
        work.alerts.raise_(alert.stale_read(hint.uid, hint.trigger))
    if hint.expected == _CANCELLED and seen.status in _CANCELLED:
        seen = replace(seen, called_off=True)
    done = converge(work, seen)
    if hint.expected is None and done is Converged.EQUAL and job.attempt == 0:
        return None  # the event says that something changed, and not what: a read that lags would look just like this
    return None if done is Converged.LATER else done.value


def _pause(attempt: int) -> timedelta:
    return timedelta(seconds=min(5 * 2**attempt, 600))
