"""Where cases are kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from bookend.domain.cases import Case

if TYPE_CHECKING:
    from bookend.application.deadline import Deadline


class Cases(Protocol):
    """What should be on both sides and is not. All methods raise StoreUnavailable when the store does not answer."""

    def within(self, deadline: Deadline) -> Cases:
        """The same, for one piece of work."""
        ...

    def open(self, tenant: str, case: Case, *, now: datetime) -> bool:
        """Keep a new case; False if there is one of that id already, open or closed: then nothing is written."""
        ...

    def case(self, tenant: str, name: str) -> Case | None:
        """One case, as it is now, closed ones too."""
        ...

    def unclosed(self, tenant: str) -> Sequence[Case]:
        """All that are OPEN or in REVIEW, the oldest first."""
        ...

    def change(self, tenant: str, before: Case, after: Case, *, now: datetime) -> bool:
        """Put `after` in place of `before`, with an audit entry that names who; False if it is not as read any more."""
        ...
