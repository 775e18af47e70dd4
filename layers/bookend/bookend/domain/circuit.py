"""When Cal.com is left alone for a while, and when it is tried again: the rules of the circuit breaker.

One breaker for reading and one for writing. CLOSED lets everything through and counts failures; enough of them within
a short time open it. OPEN lets nothing through until a probe is due. HALF: one prober, and only that one, asks Cal.com;
a definite answer closes the breaker, any other opens it again for longer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

FAILURES = 5
"""So many within `WINDOW` open the breaker."""
WINDOW = timedelta(seconds=30)
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (30, 60, 120, 240, 300))
"""How long Cal.com is left alone after the first, second, … opening in a row."""
CALM = timedelta(minutes=10)
"""A breaker that was closed for so long begins with the first pause again."""
LEASE = timedelta(seconds=10)
"""How long a prober has the breaker to itself."""
UNATTENDED = timedelta(minutes=5)
"""A probe that is overdue by this much comes from nobody: then what is asked goes through, and is what tries it."""
_LEAST_WAIT_S = 5.0


class CircuitKind(StrEnum):
    """What is asked of Cal.com. One may work while the other does not."""

    READS = "reads"
    WRITES = "writes"


class CircuitState(StrEnum):
    """What a breaker does with requests."""

    CLOSED = "closed"
    OPEN = "open"
    HALF = "half"


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that Cal.com did not answer. `why` is our word for it, never Cal.com's text."""

    at: datetime
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """One breaker. Each step returns what it becomes, or None where there is nothing to change.

    `since`: when it was last opened or closed. `until`: when the next probe is due; in HALF, when the prober's time is
    over. `pause`: how many openings in a row this one is, the first being 1; it outlives a closing for `CALM`.
    """

    state: CircuitState = CircuitState.CLOSED
    failures: int = 0
    counted_since: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None
    pause: int = 0
    last: Failure | None = None
    prober: str | None = None

    def wait_s(self, now: datetime) -> float | None:
        """Seconds until the next probe while nothing may be asked; None: ask."""
        if self.state is CircuitState.CLOSED or self._is_unattended(now):
            return None
        return max(_LEAST_WAIT_S, -self._overdue(now).total_seconds())

    def failed(self, why: str, now: datetime) -> Breaker | None:
        """A request was not answered. What was asked before it opened and fails after is not counted."""
        failure = Failure(now, why)
        if self.state is not CircuitState.CLOSED:
            return self._opened_again(failure) if self._is_unattended(now) else None
        running = self.counted_since is not None and abs(now - self.counted_since) < WINDOW
        counted = replace(
            self,
            failures=self.failures + 1 if running else 1,
            counted_since=self.counted_since if running else now,
            last=failure,
        )
        return counted if counted.failures < FAILURES else counted._opened(now)

    def claimed(self, prober: str, now: datetime) -> Breaker | None:
        """For one prober, if a probe is due: never asked yet, or by one whose time is over."""
        if not self.is_due(now):
            return None
        return replace(self, state=CircuitState.HALF, prober=prober, until=now + LEASE)

    def is_due(self, now: datetime) -> bool:
        """Whether a probe may be made now."""
        return self.state is not CircuitState.CLOSED and self._overdue(now) >= timedelta(0)

    def probed(self, prober: str, trouble: str | None, now: datetime) -> Breaker | None:
        """What its probe came to: `trouble` in our word, None for a definite answer. A late prober's is not heard."""
        if self.state is not CircuitState.HALF or self.prober != prober:
            return None
        if trouble is not None:
            return self._opened_again(Failure(now, trouble))
        return Breaker(since=now, pause=self.pause, last=self.last)

    def _opened(self, now: datetime) -> Breaker:
        calm = self.since is None or now - self.since >= CALM
        return self._shut(now, since=now, pause=1 if calm else self.pause + 1)

    def _opened_again(self, failure: Failure) -> Breaker:
        return replace(self, last=failure, prober=None)._shut(
            failure.at, since=self.since or failure.at, pause=self.pause + 1
        )

    def _shut(self, now: datetime, *, since: datetime, pause: int) -> Breaker:
        pause = min(pause, len(PAUSES))
        return replace(self, state=CircuitState.OPEN, since=since, until=now + PAUSES[pause - 1], pause=pause)

    def _is_unattended(self, now: datetime) -> bool:
        return self.state is not CircuitState.CLOSED and self._overdue(now) >= UNATTENDED

    def _overdue(self, now: datetime) -> timedelta:
        """Since when a probe is due; negative: not yet. What lies further ahead than any pause is a wrong clock's."""
        if self.until is None or self.until - now > PAUSES[-1]:
            return timedelta(0)
        return now - self.until
