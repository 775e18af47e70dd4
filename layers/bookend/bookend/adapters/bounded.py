"""Calls that end at a deadline, however what is called hangs.

botocore bounds the connection, each read and the number of tries, but neither their sum nor the look-up of a name. So
a call that somebody waits for runs in a thread, and at its deadline the thread is left alone: whether the call takes
effect is then unknown, as it is of every answer that is lost on the way.

A call left alone does no harm when it takes effect later: every write names the state it rests on (docs/data-model.md),
and no request is sent after the deadline (`refuse_late`), even where Lambda froze the instance and thaws it minutes
later. Its thread comes back when botocore gives up by itself, seconds later. Until then it is missing; where all are
missing, a call waits for one until its deadline and is never sent.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from bookend.application.deadline import Deadline
from bookend.application.ports import (
    BookingRequest,
    Calendar,
    CalendarTrouble,
    CancelAnswer,
    FreeStarts,
    Job,
    ListQuery,
    Page,
    Queue,
    QueueUnavailable,
)
from bookend.domain.answers import Booking, CreateAnswer, Unclear
from bookend.domain.timeslot import Slot

MOST = 32
"""Calls under way at the same time. A turn makes one after the other, and few can be left alone before it ends."""
_GRACE_S = 0.1
"""Seconds the calendar has after its deadline to say itself what became of a request: it knows more than we do."""
_T = TypeVar("_T")


class Late(Exception):
    """The call was not over at its deadline; whether it takes effect is not known."""


class Bounds(Protocol):
    """Makes a call and returns or raises what it does, or raises Late at the deadline."""

    def __call__(self, call: Callable[[], _T], deadline: Deadline, /) -> _T:
        """One call."""
        ...


def at_once(call: Callable[[], _T], _deadline: Deadline, /) -> _T:
    """No bounds: the call is made here and now, and takes as long as it takes."""
    return call()


class Threads:
    """Bounds by threads of their own."""

    def __init__(self, most: int = MOST) -> None:
        self._threads = ThreadPoolExecutor(max_workers=most, thread_name_prefix="bounded")
        self._running = threading.local()

    def __call__(self, call: Callable[[], _T], deadline: Deadline, /) -> _T:
        left = deadline.remaining()
        if left <= 0:
            raise Late
        future = self._threads.submit(self._run, call, deadline)
        try:
            return future.result(timeout=left)
        except TimeoutError:
            if future.done():
                return future.result()  # the call's own TimeoutError, or it ended at this very moment
            future.cancel()  # one that nobody has begun is never made
            raise Late from None

    def refuse_late(self, **_: Any) -> None:
        """For botocore's `before-send`: a call that was left alone sends nothing any more, not even its next try."""
        deadline: Deadline | None = getattr(self._running, "deadline", None)
        if deadline is not None and deadline.remaining() <= 0:
            raise Late

    def _run(self, call: Callable[[], _T], deadline: Deadline) -> _T:
        self._running.deadline = deadline
        try:
            self.refuse_late()
            return call()
        finally:
            self._running.deadline = None


class BoundedQueue:
    """A queue for one turn: what it does not take by the end is left to the sweeper."""

    def __init__(self, queue: Queue, deadline: Deadline, bounds: Bounds) -> None:
        self._queue = queue
        self._deadline = deadline
        self._bounds = bounds

    def send(self, job: Job, *, delay: timedelta = timedelta(0)) -> None:
        try:
            self._bounds(lambda: self._queue.send(job, delay=delay), self._deadline)
        except Late as late:
            raise QueueUnavailable(type(late).__name__) from late


class BoundedCalendar:
    """A calendar for one turn. It minds its deadlines itself; this ends what it cannot: a name that is not found."""

    def __init__(self, calendar: Calendar, bounds: Bounds) -> None:
        self._calendar = calendar
        self._bounds = bounds

    def free_starts(
        self,
        event_types: Mapping[str, int],
        window: Slot,
        *,
        deadline: Deadline,
        moving: Mapping[str, str] | None = None,
    ) -> Mapping[str, FreeStarts | CalendarTrouble]:
        def ask() -> Mapping[str, FreeStarts | CalendarTrouble]:
            return self._calendar.free_starts(event_types, window, deadline=deadline, moving=moving)

        told = self._by(deadline, ask)
        return dict.fromkeys(event_types, told) if isinstance(told, Unclear) else told

    def book(self, request: BookingRequest, *, deadline: Deadline) -> CreateAnswer:
        return self._by(deadline, lambda: self._calendar.book(request, deadline=deadline))

    def book_all(self, requests: Sequence[BookingRequest], *, deadline: Deadline) -> tuple[CreateAnswer, ...]:
        told = self._by(deadline, lambda: self._calendar.book_all(requests, deadline=deadline))
        return (told,) * len(requests) if isinstance(told, Unclear) else told

    def reschedule(self, uid: str, start: datetime, reason: str, *, deadline: Deadline) -> CreateAnswer:
        return self._by(deadline, lambda: self._calendar.reschedule(uid, start, reason, deadline=deadline))

    def reschedule_all(
        self, moves: Sequence[tuple[str, datetime]], reason: str, *, deadline: Deadline
    ) -> tuple[CreateAnswer, ...]:
        told = self._by(deadline, lambda: self._calendar.reschedule_all(moves, reason, deadline=deadline))
        return (told,) * len(moves) if isinstance(told, Unclear) else told

    def cancel(self, uid: str, reason: str, *, deadline: Deadline) -> CancelAnswer:
        return self._by(deadline, lambda: self._calendar.cancel(uid, reason, deadline=deadline))

    def cancel_all(self, uids: Sequence[str], reason: str, *, deadline: Deadline) -> tuple[CancelAnswer, ...]:
        told = self._by(deadline, lambda: self._calendar.cancel_all(uids, reason, deadline=deadline))
        return (told,) * len(uids) if isinstance(told, Unclear) else told

    def booking(self, uid: str, *, deadline: Deadline) -> Booking | CalendarTrouble:
        return self._by(deadline, lambda: self._calendar.booking(uid, deadline=deadline))

    def find(self, email: str, window: Slot, *, deadline: Deadline) -> tuple[Booking, ...] | CalendarTrouble:
        return self._by(deadline, lambda: self._calendar.find(email, window, deadline=deadline))

    def page(self, query: ListQuery, *, skip: int, deadline: Deadline) -> Page | CalendarTrouble:
        return self._by(deadline, lambda: self._calendar.page(query, skip=skip, deadline=deadline))

    def headroom(self) -> int | None:
        return self._calendar.headroom()

    def _by(self, deadline: Deadline, ask: Callable[[], _T]) -> _T | Unclear:
        try:
            return self._bounds(ask, Deadline(deadline.clock, deadline.ends_at + _GRACE_S))
        except Late as late:
            return Unclear(type(late).__name__)
