"""Several requests at once within a turn's bounds: a calendar that hangs past its deadline leaves them all unknown."""

from __future__ import annotations

import threading
from dataclasses import replace

from bookend.adapters.bounded import BoundedCalendar, Threads
from bookend.application.ports import Cancelled
from bookend.domain.answers import Unclear
from tests.adapters.calcom.fixtures import CLOCK, REQUEST, within
from tests.support.calendar import EventType, FakeCalendar


def test_what_hangs_past_the_deadline_is_unknown_for_each_and_what_does_not_is_answered() -> None:
    over = threading.Event()
    inner = FakeCalendar(CLOCK, {1: EventType(7, 30)})
    inner.faults.append(lambda _calendar, _request: over.wait(10) and Unclear("x"))  # type: ignore[arg-type, return-value]
    inner.cancel_faults.append(lambda _calendar, _uid: over.wait(10) and Cancelled())  # type: ignore[arg-type, return-value]
    calendar = BoundedCalendar(inner, Threads())
    requests = [REQUEST, replace(REQUEST, metadata={"segment": "1"})]
    try:
        assert calendar.book_all(requests, deadline=within(0.1)) == (Unclear("Late"), Unclear("Late"))
        assert calendar.cancel_all(["a", "b"], "why", deadline=within(0.1)) == (Unclear("Late"), Unclear("Late"))
    finally:
        over.set()
    inner.cancel_faults.extend([Cancelled(), Cancelled()])
    assert calendar.cancel_all(["a", "b"], "why", deadline=within()) == (Cancelled(), Cancelled())
