"""How much one invocation of the reconciliation may ask of Cal.com."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

from bookend.application.background import Background
from bookend.application.deadline import ONE_S
from bookend.application.findings import Report, Stopped
from bookend.application.ports import Calendar

REQUESTS = 60
"""Requests one invocation may send for all tenants, give or take what the last look needs.

Cal.com allows 120 a minute for a key, and callers come first.
"""
RESERVED_FOR_CALLS = 40
"""What is left of the minute's requests belongs to live calls from here on."""
MOST_DESTRUCTIVE = 5
"""More than this would be no ordinary day: it is left to a person."""
_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a run may go. `apply` False: it only says what it would do."""

    apply: bool = True
    requests: int = REQUESTS
    reserved: int = RESERVED_FOR_CALLS
    most_destructive: int = MOST_DESTRUCTIVE
    patient: bool = False
    """Wait for the next minute's requests instead of ending: for a run whose progress is not kept."""


def callers_need_the_rest(calendar: Calendar, reserved: int = RESERVED_FOR_CALLS) -> bool:
    """Whether what our key has left in the running minute belongs to live calls, as Cal.com last said."""
    left = calendar.headroom()
    return left is not None and left <= reserved


class Stop(Exception):
    """The run ends here; what is done is kept."""

    def __init__(self, why: Stopped) -> None:
        super().__init__(why.value)
        self.why = why


class Budget:
    """The requests of one invocation, counted in its report."""

    def __init__(self, work: Background, limits: Limits, report: Report) -> None:
        self._work = work
        self._limits = limits
        self._report = report

    def one(self) -> Background:
        """The ports for one request, after a look whether there may be one more.

        Raises:
            Stop: there may not.
        """
        work = self._work
        while self._limits.patient and self._callers_need_the_rest() and work.deadline.remaining() >= ONE_S:
            work.clock.sleep(_PAUSE_S)
        used_up = self._report.requests >= self._limits.requests or self._callers_need_the_rest()
        if used_up or work.deadline.remaining() < ONE_S:
            raise Stop(Stopped.BUDGET)
        self._report.requests += 1
        counted = _Counted(work.calendar, self._one_more)
        return replace(work, calendar=cast("Calendar", counted), deadline=work.deadline.share(ONE_S))

    def _one_more(self) -> None:
        """A request beyond the one that was counted beforehand: a chain followed, a second look, a cancellation."""
        self._report.requests += 1

    def _callers_need_the_rest(self) -> bool:
        return callers_need_the_rest(self._work.calendar, self._limits.reserved)


class _Counted:
    """The calendar, and `one_more` told of each request after the first."""

    def __init__(self, calendar: Calendar, one_more: Callable[[], None]) -> None:
        self._calendar = calendar
        self._one_more = one_more
        self._asked = False

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._calendar, name)
        if name == "headroom":
            return method

        def asked(*arguments: Any, **more: Any) -> Any:
            if self._asked:
                self._one_more()
            self._asked = True
            return method(*arguments, **more)

        return asked
