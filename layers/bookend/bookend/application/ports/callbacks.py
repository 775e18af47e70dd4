"""Wishes to be rung: noted during a call, listed for the salon, done by a person."""

from __future__ import annotations

from datetime import date, datetime
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from bookend.domain.callbacks import Callback

if TYPE_CHECKING:
    from bookend.application.deadline import Deadline


class Noting(Enum):
    """What became of a wish."""

    NEW = auto()
    """It is listed now."""
    KNOWN = auto()
    """This call's wish was listed before; it is as it was said last."""
    TOO_MANY = auto()
    """This number has had as many today as it may. Nothing was written."""


class Callbacks(Protocol):
    """Callbacks of a tenant. All methods raise StoreUnavailable when the store does not answer."""

    def within(self, deadline: Deadline) -> Callbacks:
        """The same, for one turn."""
        ...

    def note(self, tenant: str, callback: Callback, *, counted_as: str, day: date) -> Noting:
        """List a wish, once a call: a second one changes the first, but for what it leaves out (None).

        One that says something new is open again. `counted_as` and `day`, the salon's date, are what is counted by.
        """
        ...

    def listed(self, tenant: str) -> tuple[Callback, ...]:
        """All of the last 90 days, open or done, who has waited longest first."""
        ...

    def done(self, tenant: str, callback: Callback, *, now: datetime) -> bool:
        """A person has rung; False if it is not open any more, or not as it was read."""
        ...
