"""From what the model passed on to what the caller wants: service, stylist, day and time, or a question back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from bookend.application.outcomes import (
    Missing,
    NeedInfo,
    NotATime,
    PastTime,
    SkippedTime,
    TimeTrouble,
    TooFarAhead,
    TwiceTime,
)
from bookend.domain.availability import Wanted
from bookend.domain.tenant import Service, Staff, Tenant, Unmatched, find_service, find_staff, folded, is_near_a_service
from bookend.domain.when import (
    AmbiguousTime,
    InPast,
    NoDate,
    NonexistentTime,
    NotUnderstood,
    TooFar,
    Wish,
    parse_wish,
)

_ANYONE = frozenset(
    {
        "egal",
        "egal wer",
        "ist egal",
        "beliebig",
        "irgendwer",
        "irgendjemand",
        "jeder",
        "alle",
        "keine praeferenz",
    }
    | {
        "any",
        "anyone",
        "anybody",
        "no preference",
        "whoever",
        "doesn t matter",
        "none",
        "keiner",
        "niemand bestimmtes",
    }
)


@dataclass(frozen=True, slots=True)
class ServiceWish:
    """A service and the stylists that may do it: one who was named, or all who can."""

    service: Service
    stylists: tuple[str, ...]


def read_service(tenant: Tenant, service: str | None, staff: str | None) -> ServiceWish | NeedInfo:
    """What the caller asks for and by whom. Unknown names lead to a question, never to a default."""
    found = _named(tenant, service)
    if isinstance(found, Unmatched):
        return NeedInfo(
            Missing.SERVICE, found.known, unknown=service is not None and not is_near_a_service(tenant, service)
        )
    if staff is None or folded(staff) in _ANYONE:
        return ServiceWish(found, found.stylists)
    member = find_staff(tenant, staff, service=found)
    if isinstance(member, Unmatched):
        works_here = isinstance(find_staff(tenant, staff), Staff)
        return NeedInfo(Missing.STAFF, member.known, beyond=found.name if works_here else "")
    return ServiceWish(found, (member.id,))


def _named(tenant: Tenant, service: str | None) -> Service | Unmatched:
    if service is not None:
        return find_service(tenant, service)
    if len(tenant.services) == 1:
        return tenant.services[0]
    return Unmatched(tuple(each.name for each in tenant.services))


def read_wanted(
    tenant: Tenant, date: str | None, time: str | None, *, now: datetime
) -> Wanted | NeedInfo | TimeTrouble:
    """The day, and perhaps the time, the caller wants; naive times are the salon's."""
    match parse_wish(date, time, now=now, zone=tenant.zone):
        case Wish(day, at, window):
            return Wanted(day, at, window)
        case NoDate():
            return NeedInfo(Missing.DATE)
        case NotUnderstood():
            return NotATime()
        case InPast(today, _):
            return PastTime(today)
        case NonexistentTime(day, wall):
            return SkippedTime(day, wall)
        case AmbiguousTime(earlier=earlier, later=later):
            return TwiceTime(earlier, later)
        case TooFar():
            return TooFarAhead(now.astimezone(tenant.zone).date())
        case other:
            assert_never(other)
