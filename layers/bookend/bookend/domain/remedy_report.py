"""What a run of remedies found and did: the before and after of incident I5, as values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never

from bookend.domain.cases import Case, CaseState, Ending, SyncFailure
from bookend.domain.remedies import Book, Close, Join, Remedy, SettleIt, TakeIn, TakeInParts, ToReview, Wait

OLD = timedelta(hours=24)
_ON_BOTH_SIDES = frozenset({Ending.BOOKED, Ending.EQUAL, Ending.TAKEN_THEIRS, Ending.BY_HAND})


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How the cases of a run stand at one moment. `closed` counts those that it has closed, by how they ended."""

    open: int = 0
    review: int = 0
    closed: Mapping[Ending, int] = field(default_factory=dict)
    failures: Mapping[SyncFailure, int] = field(default_factory=dict)
    """Those that are not closed, by class."""
    older: int = 0
    """How many of them are older than a day."""
    oldest: timedelta | None = None

    @property
    def unclosed(self) -> int:
        """How many are not closed."""
        return self.open + self.review

    @property
    def there(self) -> int:
        """How many of those that the run has closed are on both sides."""
        return sum(number for ending, number in self.closed.items() if ending in _ON_BOTH_SIDES)

    @property
    def succeeded(self) -> float | None:
        """The share, of what is to be on both sides, that is; None: nothing is to be. Of this run's cases alone."""
        there = self.there
        return there / (there + self.unclosed) if there + self.unclosed else None


def standing(cases: Iterable[Case], *, now: datetime) -> Standing:
    """How these cases stand."""
    known = tuple(cases)
    waiting = [each for each in known if each.state is not CaseState.CLOSED]
    ages = [now - each.opened_at for each in waiting]
    return Standing(
        open=sum(each.state is CaseState.OPEN for each in waiting),
        review=sum(each.state is CaseState.REVIEW for each in waiting),
        closed=Counter(each.ending for each in known if each.ending is not None),
        failures=Counter(each.failure for each in waiting),
        older=sum(age > OLD for age in ages),
        oldest=max(ages, default=None),
    )


@dataclass(frozen=True, slots=True)
class Treated:
    """One case: how it was, what was (or, dry, would be) done, how it is."""

    before: Case
    after: Case
    remedy: str
    why: str
    done: bool = True

    @property
    def came_to(self) -> str:
        """Its end, its state, or that nothing was done."""
        if not self.done:
            return "planned" if self.remedy != NOT_DONE else NOT_DONE
        return (self.after.ending or self.after.state).value


NOT_DONE = "not done: blast limit"


@dataclass(slots=True)
class RemedyReport:
    """What one run found, and what came of each case that it looked at."""

    before: Standing = field(default_factory=Standing)
    after: Standing = field(default_factory=Standing)
    treated: list[Treated] = field(default_factory=list)
    limited: int = 0
    """How many closings were left undone, since there were more of them than on any ordinary day."""
    stopped: str = ""
    """Why it ended before all cases were looked at; empty if it did not."""

    @property
    def changed(self) -> int:
        """How many cases are not as they were."""
        return sum(
            replace(each.before, version=0) != replace(each.after, version=0) for each in self.treated if each.done
        )


def name_of(remedy: Remedy) -> str:
    """What a remedy is called in a report."""
    return type(remedy).__name__ if not isinstance(remedy, Close) else remedy.ending.value


def why_of(remedy: Remedy) -> str:
    """What it is about, without anybody in it."""
    match remedy:
        case Book(wanted, _, missing):
            bookings = len(missing or wanted.slots)
            return f"{wanted.service.id} with {wanted.staff}, {bookings} booking{'' if bookings == 1 else 's'}"
        case TakeIn(_, booking):
            return f"{booking.uid} is there"
        case TakeInParts(wanted, parts):
            return f"{', '.join(each.uid for each in parts.values())} of {len(wanted.slots)} bookings there"
        case Join(there, rest):
            return f"{rest.id} is what {there.id} lacks"
        case SettleIt(appointment):
            return f"{appointment.id} is open"
        case Close() | ToReview() | Wait():
            return remedy.why
        case other:
            assert_never(other)
