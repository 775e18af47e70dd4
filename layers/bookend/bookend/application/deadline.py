"""The time a caller may be kept waiting, handed down to whatever is asked next."""

from __future__ import annotations

from dataclasses import dataclass

from bookend.application.ports import Clock

READ_TURN_S = 3.0
"""Seconds within which a question is answered (promise P7)."""
WRITE_TURN_S = 6.5
"""Seconds within which a booking is answered (promise P7)."""
POST_S = 3.5
"""Seconds Cal.com has at most to answer a booking."""
SLOTS_S = 2.2
"""Seconds Cal.com has at most to answer a question for slots."""
CANCEL_S = 1.2
"""Seconds Cal.com has at most to undo a booking that came out wrong."""
LOOK_S = 1.2
"""Seconds Cal.com has at most to show what became of a booking that it did not answer."""
LEAST_FOR_LOOK_S = 0.4
"""Seconds that must be left for that look to be worth asking."""
LEAST_FOR_ALTERNATIVES_S = 1.0
"""Seconds that must be left to look for other times, and to keep them."""
COMMIT_RESERVE_S = 1.0
"""Seconds kept back from Cal.com so that its answer can still be written down."""
LEAST_FOR_WRITE_S = 2.0
"""Seconds that must be left before a booking is sent; later it would only make zombies."""
ONE_S = 8.0
"""Seconds that one piece of work may take which no caller waits for: a job, an appointment, a look of a run."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock, in seconds."""

    clock: Clock
    ends_at: float

    @classmethod
    def within(cls, seconds: float, clock: Clock) -> Deadline:
        """`seconds` from now."""
        return cls(clock, clock.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.ends_at - self.clock.monotonic())

    def share(self, seconds: float, *, reserve: float = 0.0) -> Deadline:
        """A nearer deadline: `seconds` from now, and `reserve` seconds before this one at the latest."""
        return Deadline(self.clock, min(self.clock.monotonic() + seconds, self.ends_at - reserve))
