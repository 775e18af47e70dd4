"""The salon's rules on booking, moving and cancelling: which one applies, and what it refuses.

Notice and windows are elapsed time: 24 hours are 24 hours, also over a change of clocks. The horizon is counted in days
of the salon's calendar, because that is how a caller hears it: "until Monday" is the whole of Monday.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeVar, assert_never
from zoneinfo import ZoneInfo

from bookend.domain.timeslot import Slot, as_utc

if TYPE_CHECKING:
    from bookend.domain.tenant import Tenant

_T = TypeVar("_T")


class Unset(Enum):
    """A level says nothing about a rule: the next, less specific one decides. None is said, and means no limit."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySettings:
    """What one level (tenant, branch, stylist, stylist in a service) says of the rules. Meanings: `Policy`."""

    book_notice: timedelta | Unset = UNSET
    book_horizon_days: int | Unset | None = UNSET
    move_until: timedelta | Unset = UNSET
    cancel_until: timedelta | Unset = UNSET
    most_moves: int | Unset | None = UNSET
    most_open: int | Unset | None = UNSET
    withheld_may_book: bool | Unset = UNSET


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The rules for one stylist and service, every one decided. The defaults refuse nothing.

    `book_notice`: the least time from now to the start of what is booked. `book_horizon_days`: the last day that may be
    booked, counted from today in `zone`. `move_until`, `cancel_until`: the time before its start until which an
    appointment may be moved or cancelled. `most_moves`: how often one appointment may be moved. `most_open`: how many
    appointments a customer may have before them at the whole salon. None: no limit.
    """

    zone: ZoneInfo
    book_notice: timedelta = timedelta(0)
    book_horizon_days: int | None = None
    move_until: timedelta = timedelta(0)
    cancel_until: timedelta = timedelta(0)
    most_moves: int | None = None
    most_open: int | None = None
    withheld_may_book: bool = True


@dataclass(frozen=True, slots=True)
class NumberWithheld:
    """Callers who withhold their number may not book."""


@dataclass(frozen=True, slots=True)
class TooManyOpen:
    """The customer has `most` appointments before them, or more."""

    most: int


@dataclass(frozen=True, slots=True)
class TooSoon:
    """The start is before `earliest`, the first instant that may be booked now."""

    earliest: datetime


@dataclass(frozen=True, slots=True)
class BeyondHorizon:
    """The start is after `last`, the salon's last day that may be booked today."""

    last: date


@dataclass(frozen=True, slots=True)
class MoveTooLate:
    """It could be moved until this instant."""

    until: datetime


@dataclass(frozen=True, slots=True)
class MovedTooOften:
    """It has been moved `most` times, or more."""

    most: int


@dataclass(frozen=True, slots=True)
class CancelTooLate:
    """It could be cancelled until this instant."""

    until: datetime


TimeRefusal = TooSoon | BeyondHorizon
PersonRefusal = NumberWithheld | TooManyOpen
BookRefusal = PersonRefusal | TimeRefusal
MoveRefusal = MoveTooLate | MovedTooOften | TimeRefusal
_R = TypeVar("_R", bound=BookRefusal)


def policy_of(tenant: Tenant, *, service: str, staff: str) -> Policy:
    """The rules for this stylist and service: each is decided by the most specific level that says something of it.

    From the most specific: the stylist in the service, the stylist, their branch, the tenant. A service or stylist that
    is no longer known has no level of its own.
    """
    levels = tuple(_levels(tenant, service, staff))
    rules = Policy(zone=tenant.zone)
    return Policy(
        zone=tenant.zone,
        book_notice=_first((each.book_notice for each in levels), rules.book_notice),
        book_horizon_days=_first((each.book_horizon_days for each in levels), rules.book_horizon_days),
        move_until=_first((each.move_until for each in levels), rules.move_until),
        cancel_until=_first((each.cancel_until for each in levels), rules.cancel_until),
        most_moves=_first((each.most_moves for each in levels), rules.most_moves),
        most_open=_first((each.most_open for each in levels), rules.most_open),
        withheld_may_book=_first((each.withheld_may_book for each in levels), rules.withheld_may_book),
    )


def _levels(tenant: Tenant, service: str, staff: str) -> Iterable[PolicySettings]:
    sold = tenant.service(service)
    if sold is not None and staff in sold.policies:
        yield sold.policies[staff]
    member = next((each for each in tenant.staff if each.id == staff), None)
    if member is not None:
        yield member.policy
        yield from (each.policy for each in tenant.branches if each.id == member.branch)
    yield tenant.policy


def _first(said: Iterable[_T | Unset], default: _T) -> _T:
    return next((each for each in said if not isinstance(each, Unset)), default)


def may_book(policy: Policy, *, now: datetime, slot: Slot, open_ones: int, withheld: bool) -> BookRefusal | None:
    """Why this booking is refused; None if it is allowed.

    What no other time would help against comes first, so that nobody is offered times they may not book. `open_ones`
    counts only where the policy limits them.
    """
    return person_refused(policy, open_ones=open_ones, withheld=withheld) or time_refused(policy, now=now, slot=slot)


def person_refused(policy: Policy, *, open_ones: int, withheld: bool) -> PersonRefusal | None:
    """Why this caller may book no time at all; None if they may."""
    if withheld and not policy.withheld_may_book:
        return NumberWithheld()
    if policy.most_open is not None and open_ones >= policy.most_open:
        return TooManyOpen(policy.most_open)
    return None


def time_refused(policy: Policy, *, now: datetime, slot: Slot) -> TimeRefusal | None:
    """Why this time may not be booked by anybody; None if it may. The very limit is still allowed."""
    earliest = as_utc(now) + policy.book_notice
    if slot.start < earliest:
        return TooSoon(earliest)
    last = last_day(policy, now=now)
    if last is not None and slot.start.astimezone(policy.zone).date() > last:
        return BeyondHorizon(last)
    return None


def mildest(refusals: Sequence[_R]) -> _R:
    """Of several stylists' refusals the one that says most of what is possible: the earliest time, the last day.

    Raises:
        ValueError: there is none.
    """
    return max(refusals, key=_mildness)


def _mildness(refusal: BookRefusal) -> tuple[int, float]:
    match refusal:
        case TooSoon(earliest):
            return 3, -earliest.timestamp()
        case BeyondHorizon(last):
            return 2, last.toordinal()
        case TooManyOpen(most):
            return 1, most
        case NumberWithheld():
            return 0, 0
        case other:
            assert_never(other)


def last_day(policy: Policy, *, now: datetime) -> date | None:
    """The salon's last day that may be booked; None: no limit."""
    if policy.book_horizon_days is None:
        return None
    return as_utc(now).astimezone(policy.zone).date() + timedelta(days=policy.book_horizon_days)


def may_move(policy: Policy, *, now: datetime, current: Slot, new: Slot, moves: int) -> MoveRefusal | None:
    """Why this move is refused; None if it is allowed. `moves`: how often the appointment was moved before.

    The new time must be one that may be booked. `policy` is that of the stylist and service as they are booked; a move
    to another stylist also asks `time_refused` with the policy there.
    """
    if _is_over(current, policy.move_until, now):
        return MoveTooLate(current.start - policy.move_until)
    if policy.most_moves is not None and moves >= policy.most_moves:
        return MovedTooOften(policy.most_moves)
    return time_refused(policy, now=now, slot=new)


def may_cancel(policy: Policy, *, now: datetime, slot: Slot) -> CancelTooLate | None:
    """Why this cancellation is refused; None if it is allowed."""
    return CancelTooLate(slot.start - policy.cancel_until) if _is_over(slot, policy.cancel_until, now) else None


def _is_over(slot: Slot, window: timedelta, now: datetime) -> bool:
    """Whether it is past the window; the very limit is still in it, but never the start itself."""
    return now > slot.start - window or now >= slot.start
