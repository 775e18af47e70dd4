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

from bookend.domain.appointment import Amiss, BookedSegment
from bookend.domain.availability import Opening, one_per_start
from bookend.domain.moving import waves
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


def usual_parts(service: Service, start: datetime) -> tuple[Slot, ...]:
    """The times that are booked from `start` if each gap lasts as long as it usually does."""
    gaps = [each.length for each in service.segments if each.kind is SegmentKind.GAP]
    return busy_parts(phases(service, start, gaps))


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
    stands: Sequence[Slot] = (),
) -> list[Opening]:
    """Those of `starts` at which this stylist can do the whole service, earliest first, each as it would lie in time.

    `listed` are, for each busy part in order, the starts that Cal.com lists for the stylist's event type of it. A part
    fits wherever all of its time is within times listed for its event type: Cal.com takes a start between two listed
    ones if the time is free. Our own ledger must be free there too; a day of it that was not read is not. Where a gap's
    bounds leave a choice, each part begins as early as the parts after it allow. `ignoring` names the caller's own
    holds, `moving` the appointment that is to be moved there, and `stands` where its parts are now: that time is as
    good as listed, though Cal.com leaves only one booking at a time out of its answer. A place that they cannot reach,
    because they are in each other's way, is none.
    """
    busy, gaps = service.busy, _gaps_after(service)

    def left_free(block: Slot) -> list[_Span]:
        return _left_free(staff, block, days=days, now=now, ignoring=ignoring, moving=moving)

    lengths = [segment.length for segment in busy]
    own = [(each.start, each.end) for each in stands]
    fits = [_fitting(segment.length, told, left_free, own) for segment, told in zip(busy, listed, strict=True)]
    fits = _with_what_follows(lengths, gaps, fits)
    found = []
    for start in sorted(set(starts)):
        if start <= now or _first_in(fits[0], start, start) is None:
            continue
        begins = _earliest(lengths, gaps, fits, start)
        lasting = [
            following - one - length
            for one, following, length, gap in zip(begins, begins[1:], lengths, gaps, strict=False)
            if gap is not None
        ]
        parts = busy_parts(phases(service, start, lasting))
        if stands and waves(dict(enumerate(stands)), dict(enumerate(parts))) is None:
            continue
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
    stands: Sequence[Slot] = (),
) -> list[Opening]:
    """Every one of `starts` at which a stylist can do the whole service, one per instant, earliest first.

    One stylist does all of it. Where several could, it is chosen as for a plain service (`one_per_start`).
    """
    found = {
        staff: arrangements(
            service,
            staff,
            listed[staff],
            starts=wanted,
            days=days,
            now=now,
            ignoring=ignoring,
            moving=moving,
            stands=stands,
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


def what_is_amiss(service: Service | None, segments: Sequence[BookedSegment]) -> Amiss | None:
    """What keeps the booked parts from being the service; None: they are one, wherever and how long each is.

    `service` None: the salon does not offer it any more, so that nobody can tell.
    """
    if service is None:
        return Amiss.NOT_SOLD
    known = {each.index: each for each in segments}
    if len(known) > len(service.busy):
        return Amiss.NOT_SOLD
    if known.keys() != {*range(len(service.busy))}:
        return Amiss.PART_GONE
    if len({each.staff for each in segments}) > 1:
        return Amiss.OTHER_STYLIST
    slots = [known[number].slot for number in sorted(known)]
    return next((each for each in _joints(service, slots) if each is not None), None)


def is_as_sold(service: Service, segments: Sequence[BookedSegment]) -> bool:
    """Whether the booked parts are the service as it would be booked now: nothing amiss, lengths and types its own."""
    return what_is_amiss(service, segments) is None and all(
        part.event_types.get(own.staff) == own.event_type and own.slot.duration == part.length
        for part, own in zip(service.busy, segments, strict=True)
    )


def _joints(service: Service, slots: Sequence[Slot]) -> list[Amiss | None]:
    """What is wrong between each part and the next one."""
    found: list[Amiss | None] = []
    for one, other, gap in zip(slots, slots[1:], _gaps_after(service), strict=False):
        shortest, longest = _bounds(gap)
        lasting = other.start - one.end
        too_long = Amiss.GAP_TOO_LONG if lasting > longest else None
        found.append(Amiss.GAP_TOO_SHORT if lasting < shortest else too_long)
    return found


def parts_in_the_wrong_place(service: Service, slots: Sequence[Slot], *, moved: int) -> frozenset[int]:
    """Which parts should go after the one that others have `moved`: all on a side of it that does not fit any more."""
    joints = _joints(service, slots)
    before = range(moved) if any(joints[:moved]) else range(0)
    after = range(moved + 1, len(slots)) if any(joints[moved:]) else range(0)
    return frozenset((*before, *after))


def rearranged(
    service: Service,
    staff: str,
    stands: Sequence[Slot],
    listed: Mapping[int, Collection[datetime]],
    *,
    shift: timedelta,
    days: StaffDays,
    now: datetime,
    moving: str,
) -> tuple[Slot, ...] | None:
    """Where all busy parts lie if those that are `listed` go, and the others stay where each stands; None: nowhere.

    `listed` are the starts that Cal.com lists for a part that goes; where any of the appointment `moving` stands is
    free for it too. They go by the same `shift` if that fits. Else those before one that stays go as late as they can,
    which makes the visit shortest, and all others as early as the parts after them allow.
    """
    gaps = _gaps_after(service)
    lengths = [segment.length if n in listed else stands[n].duration for n, segment in enumerate(service.busy)]

    def left_free(block: Slot) -> list[_Span]:
        return _left_free(staff, block, days=days, now=now, ignoring=(), moving=moving)

    own = [(stands[number].start, stands[number].end) for number in listed]
    fits = [
        _not_before(now, _fitting(length, listed[number], left_free, own))
        if number in listed
        else [(stands[number].start, stands[number].start)]
        for number, length in enumerate(lengths)
    ]
    begins = [each.start + shift if number in listed else each.start for number, each in enumerate(stands)]
    slots = tuple(Slot(start, start + length) for start, length in zip(begins, lengths, strict=True))
    is_free = all(_first_in(fits[number], start, start) is not None for number, start in enumerate(begins))
    if is_free and not any(_joints(service, slots)):
        return slots
    fits = _with_what_follows(lengths, gaps, fits)
    if not fits[0]:
        return None
    begins = _earliest(lengths, gaps, fits, fits[0][-1][1])
    return tuple(Slot(start, start + length) for start, length in zip(begins, lengths, strict=True))


def sending_order(stands: Sequence[Slot], places: Sequence[Slot]) -> list[int] | None:
    """In which order the parts of one stylist can be moved, none onto one that has not gone yet; None: in none.

    Cal.com refuses a time that another booking of the same appointment still has.
    """
    left = [number for number, (stand, place) in enumerate(zip(stands, places, strict=True)) if stand != place]
    found: list[int] = []
    while left:
        free = [n for n in left if not any(places[n].overlaps(stands[other]) for other in left if other != n)]
        if not free:
            return None
        found += free[:1]
        left.remove(free[0])
    return found


def _not_before(now: datetime, spans: Iterable[_Span]) -> list[_Span]:
    return [(max(first, now), last) for first, last in spans if last >= now]


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


def _with_what_follows(
    lengths: Sequence[timedelta], gaps: Sequence[Segment | None], fits: Sequence[list[_Span]]
) -> list[list[_Span]]:
    """Where each part may begin so that all those after it fit as well; found from behind."""
    found = list(fits)
    for number in range(len(found) - 2, -1, -1):
        shortest, longest = (lengths[number] + each for each in _bounds(gaps[number]))
        reaching = [(first - longest, last - shortest) for first, last in found[number + 1]]
        found[number] = _common(found[number], _merged(reaching))
    return found


def _earliest(
    lengths: Sequence[timedelta], gaps: Sequence[Segment | None], fits: Sequence[list[_Span]], start: datetime
) -> list[datetime]:
    """When the parts begin if each does so as early as it can. `start` is known to fit."""
    begins = [start]
    for number, gap in enumerate(gaps[:-1]):
        ends = begins[number] + lengths[number]
        shortest, longest = _bounds(gap)
        following = _first_in(fits[number + 1], ends + shortest, ends + longest)
        if following is None:
            msg = "a start that fits has a place for each of its parts"
            raise AssertionError(msg)
        begins.append(following)
    return begins


def _fitting(
    length: timedelta,
    listed: Iterable[datetime],
    left_free: Callable[[Slot], Iterable[_Span]],
    besides: Iterable[_Span] = (),
) -> list[_Span]:
    """Where one busy part may begin, whatever the others do. `besides`: what is free though it is not listed."""
    found = []
    for first, last in _merged((*((start, start + length) for start in listed), *besides)):
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
