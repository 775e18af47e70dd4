"""GET /v2/bookings: filters, order, pages (18*, 32*, 37*)."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime

from .models import Booking, Json, User, parse_instant
from .world import World


def find(world: World, user: User, query: Json) -> tuple[list[Booking], Json]:
    """One page and its `pagination` object. `query` is what `validation.list_query` made."""
    now = world.clock()
    rows = [b for b in world.replica_bookings() if world.visible_to(user, b) and _matches(b, query, now)]
    # The total is counted without the created/updated bounds (18q, 18q2: 10 and 0 of "25").
    total = len(rows)
    rows = [b for b in rows if _inside_times(b, query)]
    skip, take = query.get("skip", 0), query.get("take", 100)
    page = _ordered(world, rows, query, skip, take)[skip : skip + take]
    return page, pagination(total, skip, take)


def pagination(total: int, skip: int, take: int) -> Json:
    returned = max(0, min(take, total - skip))
    current = skip // take + 1 if total else 0
    pages = -(-total // take)
    return {
        "returnedItems": returned,
        "totalItems": total,
        "itemsPerPage": take,
        "remainingItems": max(0, total - skip - returned),
        "currentPage": current,
        "totalPages": pages,
        "hasNextPage": current < pages,
        "hasPreviousPage": current > 1,
    }


def _matches(row: Booking, query: Json, now: datetime) -> bool:
    statuses = query.get("status")
    if statuses and not any(_is(row, status, now) for status in statuses):
        return False
    if "attendeeEmail" in query:
        # Exact and case-sensitive; a blank is taken for the "+" it was before decoding (18d, 32c, 32d).
        wanted = query["attendeeEmail"].strip().replace(" ", "+")
        if not any(a.email == wanted for a in row.attendees):
            return False
    if "attendeeName" in query and not any(a.name == query["attendeeName"] for a in row.attendees):
        return False
    if "bookingUid" in query and row.uid != query["bookingUid"]:
        return False
    for name in ("eventTypeIds", "eventTypeId"):
        if name in query and row.event_type_id not in query[name]:
            return False
    if "afterStart" in query and row.start < parse_instant(query["afterStart"]):  # inclusive (18e2)
        return False
    return "beforeEnd" not in query or row.end <= parse_instant(query["beforeEnd"])


def _is(row: Booking, status: str, now: datetime) -> bool:
    match status:
        case "upcoming":
            return row.end >= now and row.live
        case "past":
            return row.end < now and row.live
        case "cancelled":
            return not row.live
        case "unconfirmed":
            return row.status == "pending" and row.end >= now
        case _:
            return row.recurring_uid is not None and row.end >= now


def _inside_times(row: Booking, query: Json) -> bool:
    for name, value in (("CreatedAt", row.created_at), ("UpdatedAt", row.updated_at)):
        if f"after{name}" in query and value < parse_instant(query[f"after{name}"]):
            return False
        if f"before{name}" in query and value > parse_instant(query[f"before{name}"]):
            return False
    return True


_SORTS: dict[str, Callable[[Booking], datetime]] = {
    "sortStart": lambda b: b.start,
    "sortEnd": lambda b: b.end,
    "sortCreated": lambda b: b.created_at,
    "sortUpdatedAt": lambda b: b.updated_at,
}


def _ordered(world: World, rows: list[Booking], query: Json, skip: int, take: int) -> list[Booking]:
    """Default is start ascending. Rows of equal start or end come in another order on every page (37a)."""
    name = next((n for n in _SORTS if n in query), "sortStart")
    if name in ("sortStart", "sortEnd"):
        rows = sorted(rows, key=lambda b: b.id)
        random.Random(f"page:{world.seed}:{skip}:{take}:{len(rows)}").shuffle(rows)
    else:
        rows = sorted(rows, key=lambda b: b.id)
    return sorted(rows, key=_SORTS[name], reverse=query.get(name) == "desc")
