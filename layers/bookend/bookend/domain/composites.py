"""Composite services: busy parts of one stylist with gaps between them, in which the stylist is free for others.

Cal.com knows no such thing. Each busy part is a booking of its own there and an interval of its own in the ledger,
`<appointment>/<number of the busy part>`; gaps are nowhere, and so on sale. How the parts lie in time is always derived
from the definition (`phases`), never stored beside it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from bookend.domain.availability import Opening, one_per_start
from bookend.domain.staff_day import StaffDays
from bookend.domain.tenant import Segment, SegmentKind, Service
from bookend.domain.timeslot import Slot

_Span = tuple[datetime, datetime]
"""From an instant to another, which may be the same one: where something may start, or where time is free."""
_NOTHING = timedelta(0)


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of a service as it lies in time."""

    kind: SegmentKind
    slot: Slot


def phases(service: Service, start: datetime, gaps: Sequence[timedelta]) -> tuple[Phase, ...]:
    """The service from `start`, part by part, if its gaps last as long as `gaps` says, in order.

    Parts of no length are left out: nobody waits in them and nothing is booked.

    Raises:
        ValueError: not as many gaps as the service has, or one is shorter or longer than it may be.
    """
    found, begins, lasting = [], start, iter(gaps)
    if len(gaps) != sum(each.kind is SegmentKind.GAP for each in service.segments):
        msg = f"{service.id} has another number of gaps than {len(gaps)}"
        raise ValueError(msg)
    for segment in service.segments:
        length = segment.length if segment.kind is SegmentKind.BUSY else next(lasting)
        if not segment.shortest <= length <= segment.longest:
            msg = f"a gap of {service.id} lasts {segment.shortest} to {segment.longest}, not {length}"
            raise ValueError(msg)
        if length > _NOTHING:
            found.append(Phase(segment.kind, Slot(begins, begins + length)))
        begins += length
    return tuple(found)


def busy_parts(of: Iterable[Phase]) -> tuple[Slot, ...]:
    """The times that are booked, in order: the first one's interval and booking is number 0."""
    return tuple(each.slot for each in of if each.kind is SegmentKind.BUSY)


def arrangements(
    service: Service,
    staff: str,
    listed: Sequence[Collection[datetime]],
    *,
    starts: Iterable[datetime],
    days: StaffDays,
    now: datetime,
    ignoring: Collection[str] = frozenset(),
    moving: str | None = None,
) -> list[Opening]:
    """Those of `starts` at which this stylist can do the whole service, earliest first, each as it would lie in time.

    `listed` are, for each busy part in order, the starts that Cal.com lists for the stylist's event type of it. A part
    fits wherever all of its time is within times listed for its event type: Cal.com takes a start between two listed
    ones if the time is free. Our own ledger must be free there too; a day of it that was not read is not. Where a gap's
    bounds leave a choice, each part begins as early as the parts after it allow. `ignoring` names the caller's own
    holds, `moving` the appointment that is to be moved there.
    """
    busy, gaps = service.busy, _gaps_after(service)

    def left_free(block: Slot) -> list[_Span]:
        return _left_free(staff, block, days=days, now=now, ignoring=ignoring, moving=moving)

    fits = [_fitting(segment.length, told, left_free) for segment, told in zip(busy, listed, strict=True)]
    # From behind: where a part may begin so that all those after it fit as well.
    for number in range(len(busy) - 2, -1, -1):
        shortest, longest = (busy[number].length + each for each in _bounds(gaps[number]))
        reaching = [(first - longest, last - shortest) for first, last in fits[number + 1]]
        fits[number] = _common(fits[number], _merged(reaching))
    found = []
    for start in sorted(set(starts)):
        if start < now or _first_in(fits[0], start, start) is None:
            continue
        lasting = _earliest_gaps(busy, gaps, fits, start)
        parts = busy_parts(phases(service, start, lasting))
        found.append(Opening(staff, Slot(parts[0].start, parts[-1].end), parts))
    return found


def composite_openings(
    service: Service,
    listed: Mapping[str, Sequence[Collection[datetime]]],
    starts: Mapping[str, Iterable[datetime]],
    *,
    days: StaffDays,
    now: datetime,
    ignoring: Collection[str] = frozenset(),
    moving: str | None = None,
) -> list[Opening]:
    """Every one of `starts` at which a stylist can do the whole service, one per instant, earliest first.

    One stylist does all of it. Where several could, it is chosen as for a plain service (`one_per_start`).
    """
    found = {
        staff: arrangements(
            service, staff, listed[staff], starts=wanted, days=days, now=now, ignoring=ignoring, moving=moving
        )
        for staff, wanted in starts.items()
    }
    return one_per_start(found, days=days)


def starts_of(listed: Iterable[Iterable[datetime]]) -> tuple[datetime, ...]:
    """When a composite may begin: whenever Cal.com lists one of its parts, so that it keeps to times the salon sells.

    Not the first part's starts alone: with event types of 45 and 30 minutes, ten o'clock is often listed for the
    second one only, and the first one fits there just as well.
    """
    return tuple(sorted({start for told in listed for start in told}))


def _gaps_after(service: Service) -> list[Segment | None]:
    """The gap after each busy part; None where the next part follows at once, and after the last."""
    found: list[Segment | None] = []
    for segment in service.segments:
        if segment.kind is SegmentKind.BUSY:
            found.append(None)
        else:
            found[-1] = segment
    return found


def _bounds(gap: Segment | None) -> tuple[timedelta, timedelta]:
    return (_NOTHING, _NOTHING) if gap is None else (gap.shortest, gap.longest)


def _earliest_gaps(
    busy: Sequence[Segment], gaps: Sequence[Segment | None], fits: Sequence[list[_Span]], start: datetime
) -> list[timedelta]:
    """How long each gap of the definition lasts if every part begins as early as it can. `start` is known to fit."""
    lasting, begins = [], start
    for number, gap in enumerate(gaps[:-1]):
        ends = begins + busy[number].length
        shortest, longest = _bounds(gap)
        following = _first_in(fits[number + 1], ends + shortest, ends + longest)
        if following is None:
            msg = "a start that fits has a place for each of its parts"
            raise AssertionError(msg)
        if gap is not None:
            lasting.append(following - ends)
        begins = following
    return lasting


def _fitting(
    length: timedelta, listed: Iterable[datetime], left_free: Callable[[Slot], Iterable[_Span]]
) -> list[_Span]:
    """Where one busy part may begin, whatever the others do."""
    found = []
    for first, last in _merged((start, start + length) for start in listed):
        for begins, ends in left_free(Slot(first, last)):
            if ends - begins >= length:
                found.append((begins, ends - length))
    return found


def _left_free(
    staff: str,
    block: Slot,
    *,
    days: StaffDays,
    now: datetime,
    ignoring: Collection[str],
    moving: str | None,
) -> list[_Span]:
    """What the ledger leaves of a block of time."""
    taken: list[_Span] = []
    for day in block.utc_days():
        if (staff, day) not in days.days:
            midnight = datetime.combine(day, time(0), tzinfo=UTC)
            taken.append((midnight, midnight + timedelta(days=1)))
            continue
        in_the_way = days.day(staff, day).in_the_way_of(block, now=now, ignoring=ignoring, moving=moving)
        taken += [(each.slot.start, each.slot.end) for each in in_the_way]
    free, begins = [], block.start
    for first, last in _merged(taken):
        if first > begins:
            free.append((begins, first))
        begins = last
    if begins < block.end:
        free.append((begins, block.end))
    return free


def _merged(spans: Iterable[_Span]) -> list[_Span]:
    """The same time in as few spans as possible, in order. Those that touch become one."""
    merged: list[_Span] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def _common(some: Sequence[_Span], others: Sequence[_Span]) -> list[_Span]:
    """The instants that are in both; each is in order and apart."""
    found, here, there = [], 0, 0
    while here < len(some) and there < len(others):
        first = max(some[here][0], others[there][0])
        last = min(some[here][1], others[there][1])
        if first <= last:
            found.append((first, last))
        if some[here][1] < others[there][1]:
            here += 1
        else:
            there += 1
    return found


def _first_in(spans: Sequence[_Span], earliest: datetime, latest: datetime) -> datetime | None:
    """The first instant from `earliest` to `latest`, both included, that is in one of the spans."""
    place = bisect_left(spans, earliest, key=lambda each: each[1])
    if place == len(spans) or spans[place][0] > latest:
        return None
    return max(spans[place][0], earliest)
