"""The oracle of `tests/domain/test_composites.py` through the whole application: what is offered can be booked.

A random small salon (services with one to four busy parts, gap bounds, several stylists, bookings at Cal.com and in the
ledger) is asked for everything it offers. That is exactly what counting every possibility out finds; each single start
is then booked in a fresh copy of the salon, with all its parts; and what is offered after that is exact again.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bookend.adapters.dynamodb import items
from bookend.application.deadline import WRITE_TURN_S
from bookend.application.offering import Free, find_free
from bookend.application.outcomes import Booked
from bookend.application.ports import BookingRequest, CalendarTrouble, FreeStarts
from bookend.domain.answers import CreateAnswer
from bookend.domain.appointment import AppointmentState
from bookend.domain.availability import Wanted
from bookend.domain.staff_day import IntervalState, StaffDays
from bookend.domain.tenant import Branch, Service, Staff, Tenant
from bookend.domain.timeslot import Slot
from tests.domain.test_composites import CELL, CELLS, STAFF, Schedule, cells_of, possible, random_schedule
from tests.support.calendar import BUSY, EventType, FakeCalendar
from tests.support.invariants import look_at
from tests.support.salon import Salon, StoppedClock, example_tenant, table_request
from tests.support.tables.memory import MemoryDynamoDB

ZONE = ZoneInfo("Asia/Tokyo")
"""There each schedule lies within one day of the salon's, and many over midnight UTC, where the ledger's days end."""
Found = dict[datetime, tuple[str, list[datetime]]]


@dataclass
class SteppingCalendar(FakeCalendar):
    """Cal.com that lists, of each stretch of free time, every so manieth start, and books within opening hours only."""

    schedule: Schedule = field(default_factory=lambda: random_schedule(random.Random(0)))

    def free_starts(
        self, event_types: Any, window: Slot, *, deadline: Any, moving: Any = None
    ) -> dict[str, FreeStarts | CalendarTrouble]:
        found: dict[str, FreeStarts | CalendarTrouble] = {}
        for name, event_type in event_types.items():
            rank, part = divmod(event_type, 10)
            listed = self.as_it_is().listed(STAFF[rank - 1])[part]
            found[name] = FreeStarts(tuple(each for each in listed if window.start <= each < window.end), self.now())
        return found

    def now(self) -> datetime:
        return self.clock.now()

    def as_it_is(self) -> Schedule:
        """The schedule, with what has been booked here meanwhile."""
        booked = {staff: {*cells} for staff, cells in self.schedule.booked.items()}
        for each in self.accepted():
            staff = STAFF[(each.host or 0) - 1]
            booked[staff] |= cells_between(self.schedule, each.start, each.end)
        return replace(self.schedule, booked=booked)

    def make(self, request: BookingRequest) -> CreateAnswer:
        kind = self.event_types[request.event_type]
        now_is = self.as_it_is()
        staff, slot = STAFF[kind.host - 1], Slot.of(request.start, kind.minutes)
        wanted = cells_between(now_is, slot.start, slot.end)
        if not wanted <= now_is.hours[staff] - now_is.booked[staff]:
            return BUSY
        return super().make(request)


def cells_between(schedule: Schedule, start: datetime, end: datetime) -> set[int]:
    return {cell for cell in range(CELLS) if start <= schedule.at(cell) < end}


def random_salon(seed: int) -> Schedule:
    """As in the domain's oracle. No caller holds anything yet, and every day can be read."""
    schedule = random_schedule(random.Random(seed))
    others = {
        staff: [each for each in intervals if not each.key.startswith("mine/")]
        for staff, intervals in schedule.intervals.items()
    }
    parts = iter(range(len(schedule.service.busy)))
    segments = tuple(
        replace(segment, event_types=event_types(schedule, next(parts))) if segment.event_types else segment
        for segment in schedule.service.segments
    )
    service = Service("service", "Service", segments)
    return replace(schedule, service=service, intervals=others, unread=None, own=frozenset())


def event_types(schedule: Schedule, part: int) -> dict[str, int]:
    """Each stylist has one of their own for each part."""
    return {staff: 10 * rank + part for rank, staff in enumerate(STAFF, 1) if staff in schedule.hours}


def tenant_of(schedule: Schedule) -> Tenant:
    staff = tuple(Staff(each, each, "mitte", rank) for rank, each in enumerate(STAFF, 1) if each in schedule.hours)
    return replace(
        example_tenant(), zone=ZONE, branches=(Branch("mitte", "Mitte"),), staff=staff, services=(schedule.service,)
    )


def salon_of(schedule: Schedule) -> Salon:
    """A salon that has never been used."""
    tenant, clock = tenant_of(schedule), StoppedClock(schedule.now)
    kinds = {
        event_type: EventType(tenant.member(staff).calcom_user, segment.minutes)
        for segment in schedule.service.busy
        for staff, event_type in segment.event_types.items()
    }
    calendar = SteppingCalendar(clock, kinds, schedule=schedule)
    client = MemoryDynamoDB(check_parameters=False)
    client.create_table(**table_request("appointments"))
    salon = Salon(now=schedule.now, tenant=tenant, clock=clock, calendar=calendar, client=client)
    for day in schedule.days().days.values():
        salon.client.put_item(TableName=salon.table_name, Item=items.staff_day_to_item(tenant.id, day))
    return salon


def offered(salon: Salon) -> Found:
    """Everything that the application would offer."""
    schedule: Schedule = salon.calendar.schedule
    turn = salon.call(branch=None).turn(WRITE_TURN_S)
    day = schedule.opens.astimezone(salon.tenant.zone).date()
    free = find_free(turn, schedule.service, schedule.service.stylists, Wanted(day), fresh=True)
    assert isinstance(free, Free)
    return {each.slot.start: (each.staff, [part.start for part in each.busy]) for each in free.openings}


def counted_out(schedule: Schedule) -> Found:
    """Everything that there is. Cal.com lists nothing that has begun, whatever time it would show to be free."""
    told = {
        (staff, part): {
            cell
            for start in starts
            if start >= schedule.now
            for cell in cells_of(schedule, start, schedule.service.busy[part])
        }
        for staff in schedule.hours
        for part, starts in enumerate(schedule.listed(staff))
    }
    return possible(schedule, lambda staff, part, cell: cell in told[staff, part])


def booked(salon: Salon, start: datetime) -> None:
    """By voice, at that time, with whomever."""
    wall = start.astimezone(salon.tenant.zone)
    outcome = salon.call(branch=None).book(wall.date().isoformat(), f"{wall:%H:%M}", service="Service")
    assert isinstance(outcome, Booked), f"{start}: {outcome}"


def stands_as_offered(salon: Salon, staff: str, starts: list[datetime]) -> Schedule:
    """The one appointment has all its parts, here and at Cal.com. What the salon's schedule has become."""
    before: Schedule = salon.calendar.schedule
    lengths = [each.length for each in before.service.busy]
    slots = [Slot(start, start + length) for start, length in zip(starts, lengths, strict=True)]
    look = look_at(salon)
    (appointment,) = look.appointments.values()
    assert appointment.state is AppointmentState.CONFIRMED
    assert [(each.staff, each.slot) for each in appointment.segments] == [(staff, slot) for slot in slots]
    assert sorted((each.start, each.end) for each in salon.calendar.accepted()) == [(e.start, e.end) for e in slots]
    stands = {staff: {} for staff in before.hours}
    for (who, _), intervals in look.ledger.items():
        stands[who] |= intervals
    own = {key: each for key, each in stands[staff].items() if key.startswith(f"{appointment.id}/")}
    assert [(each.slot, each.state) for _, each in sorted(own.items())] == [(e, IntervalState.CONFIRMED) for e in slots]
    for who, intervals in before.intervals.items():
        firm = {each.key for each in intervals if each.state is not IntervalState.HELD}
        assert firm <= stands[who].keys(), "what others have stays theirs"
    now_is: Schedule = salon.calendar.as_it_is()
    return replace(now_is, intervals={who: list(each.values()) for who, each in stands.items()})


def prove(seed: int, *, most: int | None = None) -> int:
    """One schedule; how many starts were booked: all of them, or `most` at random."""
    schedule = random_salon(seed)
    expected = counted_out(schedule)
    assert offered(salon_of(schedule)) == expected, f"seed {seed}"
    wanted = list(expected) if most is None else random.Random(seed).sample(list(expected), min(most, len(expected)))
    for start in wanted:
        staff, starts = expected[start]
        salon = salon_of(schedule)
        booked(salon, start)
        now_is = stands_as_offered(salon, staff, starts)
        assert offered(salon) == counted_out(now_is), f"seed {seed}, after {start}"
    return len(wanted)


@pytest.mark.parametrize("batch", range(3))
def test_each_start_that_is_offered_can_be_booked_with_all_its_parts(batch: int) -> None:
    """150 schedules: of every tenth one each start, of the others one."""
    seeds = [9_000 + 50 * batch + number for number in range(50)]
    assert sum(prove(seed, most=None if seed % 10 == 0 else 1) for seed in seeds) > 60


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(20))
def test_each_start_of_two_thousand_schedules_can_be_booked(batch: int) -> None:
    assert sum(prove(100 * batch + number) for number in range(100)) > 200


def test_the_calendar_of_the_oracle_refuses_what_is_not_open_and_what_is_taken() -> None:
    schedule = next(each for each in map(random_salon, range(100)) if counted_out(each))
    salon = salon_of(schedule)
    start = next(iter(counted_out(schedule)))
    booked(salon, start)
    taken = salon.calendar.accepted()[0]
    labels = BookingRequest(taken.event_type, taken.start, "x", "x@example.org", None, "UTC", "de", {})
    assert salon.calendar.make(labels) == BUSY
    closed = replace(labels, start=schedule.opens - 100 * CELL)
    assert not cells_between(schedule, closed.start, closed.start + CELL)
    assert StaffDays(schedule.days().days).days.keys() == schedule.days().days.keys()
