"""The minute's round: whatever is overdue gets its turn, whoever else is in trouble, and however often it runs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from bookend.adapters.dynamodb.adoptions import DynamoAdoptions
from bookend.adapters.dynamodb.changes import DynamoChanges
from bookend.adapters.dynamodb.due import DynamoDueWork
from bookend.adapters.dynamodb.inbox import DynamoInbox
from bookend.adapters.dynamodb.outbox import DynamoOutbox
from bookend.application import alerts
from bookend.application.background import Background
from bookend.application.budget import RESERVED_FOR_CALLS
from bookend.application.deadline import ONE_S, Deadline
from bookend.application.patience import SETTLE, STUCK
from bookend.application.ports import Job, StoreUnavailable
from bookend.application.receiving import REQUEUE_AFTER
from bookend.application.sweeping import MOST, sweep
from bookend.domain.answers import Unclear
from tests.support.calendar import lost_before
from tests.support.salon import Salon
from tests.support.tables.faults import Crash, Fault

DAY = "2025-10-28"
TENANT = "friseur1"
OTHER = "anderer"


class Round:
    """A salon with open operations and unfinished events, and the sweeper."""

    def __init__(self) -> None:
        self.salon = Salon()
        self.salon.open(DAY)
        self.inbox = DynamoInbox(self.salon.table)
        self.tenants = {TENANT: self.salon.tenant}
        self.broken: dict[str, Exception] = {}
        """By tenant: what happens when its ports are made."""

    def leave_open(self, *times: str) -> list[str]:
        """Bookings that were asked for and never answered, at Cal.com they are not; their appointments."""
        for number, time in enumerate(times):
            self.salon.calendar.faults.append(lost_before)
            self.salon.call(f"call_{time}_{number}").book("28.10.", time)
        self.salon.alerts.raised.clear()
        self.salon.queue.jobs.clear()
        return list(self.states())

    def deliver(self, *names: str, tenant: str = TENANT) -> None:
        """Events that were stored, and that nobody finished."""
        now = self.salon.clock.now()
        for name in names:
            self.inbox.store(tenant, name, "{}", now=now, due=now + REQUEUE_AFTER)

    def advance(self, seconds: float | timedelta) -> None:
        self.salon.clock.advance(seconds if isinstance(seconds, float | int) else seconds.total_seconds())

    def background(self, tenant: str, deadline: Deadline) -> Background | None:
        if tenant in self.broken:
            raise self.broken[tenant]
        found = self.tenants.get(tenant)
        if found is None:
            return None
        salon = self.salon
        return Background(
            tenant=found,
            appointments=salon.appointments.within(deadline),
            adoptions=DynamoAdoptions(salon.table.within(deadline)),
            changes=DynamoChanges(salon.table.within(deadline)),
            calendar=salon.calendar,
            alerts=salon.alerts,
            clock=salon.clock,
            deadline=deadline,
            by="sweeper",
        )

    def sweep(self, *, seconds: float = 50.0) -> Mapping[str, int]:
        salon = self.salon
        return sweep(
            due_work=DynamoDueWork(salon.table),
            inbox=self.inbox,
            outbox=DynamoOutbox(salon.table),
            queue=salon.queue,
            background=self.background,
            alerts=salon.alerts,
            clock=salon.clock,
            deadline=Deadline.within(seconds, salon.clock),
        )

    def states(self) -> dict[str, str]:
        found = self.salon.items("APPT")
        return {each["pk"]["S"].rpartition("#")[2]: each["state"]["S"] for each in found}

    def copy_to(self, tenant: str, names: list[str], times: int = 1) -> None:
        """The same open appointments for another salon, `times` over, and older than ours."""
        for row, number in itertools.product(self.salon.items(f"{TENANT}#APPT"), range(times)):
            name = row["pk"]["S"].rpartition("#")[2]
            if name in names:
                older = {"N": str(int(row["due"]["N"]) - 100)}
                changed = {"pk": {"S": f"T#{tenant}#APPT#{name}x{number}"}, "due": older}
                self.salon.client.put_item(TableName=self.salon.table_name, Item=row | changed)


@pytest.fixture
def round_() -> Round:
    return Round()


def queued(round_: Round) -> list[Job]:
    return [job for job, _ in round_.salon.queue.jobs]


# What is due


def test_what_the_key_has_left_is_the_callers_and_the_next_round_settles(round_: Round) -> None:
    """After an outage there may be more to do than Cal.com allows a key in a minute."""
    (name,) = round_.leave_open("10:00")
    round_.advance(SETTLE)
    calendar = round_.salon.calendar
    asked, calendar.left = len(calendar.asked), RESERVED_FOR_CALLS
    assert round_.sweep() == {"left_to_callers": 1}
    assert len(calendar.asked) == asked
    assert round_.states() == {name: "PENDING"}
    calendar.left = RESERVED_FOR_CALLS + 1
    assert "left_to_callers" not in round_.sweep()
    assert len(calendar.asked) > asked


def test_nothing_is_due_nothing_is_done(round_: Round) -> None:
    assert round_.sweep() == {}
    assert round_.salon.calendar.asked == []


def test_what_is_not_due_yet_is_left_alone(round_: Round) -> None:
    round_.leave_open("10:00")
    round_.deliver("a" * 64)
    asked = len(round_.salon.calendar.asked)
    assert round_.sweep() == {}
    assert len(round_.salon.calendar.asked) == asked


def test_open_operations_are_settled_and_events_queued_in_one_round(round_: Round) -> None:
    first, second = round_.leave_open("10:00", "11:00")
    round_.deliver("a" * 64)
    round_.advance(SETTLE + REQUEUE_AFTER)
    assert round_.sweep() == {"waiting": 2, "requeued": 1}
    assert queued(round_) == [Job("event", TENANT, "a" * 64)]
    round_.advance(60)
    assert round_.sweep() == {"released": 2}
    assert round_.states() == {first: "FAILED", second: "FAILED"}


def requeued_at(round_: Round, minutes: int) -> list[int]:
    """In which of the next minutes an event is put into the queue."""
    seen = []
    for minute in range(1, minutes + 1):
        round_.advance(60)
        if round_.sweep().get("requeued"):
            seen.append(minute)
    return seen


def test_an_event_that_nobody_comes_to_is_queued_again_ever_more_seldom(round_: Round) -> None:
    """A worker that stands still for a day finds two dozen copies when it is back, not three hundred."""
    round_.deliver("a" * 64)
    assert requeued_at(round_, 24 * 60) == [5, 15, 35, *range(75, 24 * 60, 60)]
    assert set(queued(round_)) == {Job("event", TENANT, "a" * 64)}


def test_an_event_is_found_however_long_the_worker_stood_still_and_then_no_more(round_: Round) -> None:
    round_.deliver("a" * 64)
    requeued_at(round_, 24 * 60)
    assert len(requeued_at(round_, 60)) == 1, "at the latest an hour after the worker is back"
    round_.inbox.finish(TENANT, "a" * 64, outcome="ignored", now=round_.salon.clock.now())
    assert requeued_at(round_, 120) == []


def test_once_the_worker_has_come_to_it_the_pauses_begin_anew(round_: Round) -> None:
    round_.deliver("a" * 64)
    assert requeued_at(round_, 35) == [5, 15, 35]
    round_.inbox.postpone(TENANT, "a" * 64, until=round_.salon.clock.now() + REQUEUE_AFTER)  # the worker, for later
    assert requeued_at(round_, 15) == [5, 15]


def test_what_was_done_since_the_index_was_read_is_not_queued_again(round_: Round) -> None:
    class Lagging:
        def due(self, *, now: Any, most: int) -> list[Job]:
            return [Job("event", TENANT, "a" * 64), Job("event", TENANT, "b" * 64)]

    salon = round_.salon
    round_.deliver("a" * 64)
    round_.inbox.finish(TENANT, "a" * 64, outcome="ignored", now=salon.clock.now())
    ends = sweep(
        due_work=Lagging(),
        inbox=round_.inbox,
        outbox=DynamoOutbox(salon.table),
        queue=salon.queue,
        background=round_.background,
        alerts=salon.alerts,
        clock=salon.clock,
        deadline=Deadline.within(50, salon.clock),
    )
    assert (ends, queued(round_)) == ({"done_already": 2}, [])


def test_while_the_queue_is_away_an_event_waits_for_the_next_five_minutes(round_: Round) -> None:
    """However often: no copy of it was made, so its pauses do not grow."""
    round_.deliver("a" * 64)
    round_.salon.queue.broken = True
    for _ in range(6):
        round_.advance(REQUEUE_AFTER)
        assert round_.sweep() == {"queue_unavailable": 1}
    round_.salon.queue.broken = False
    round_.advance(REQUEUE_AFTER)
    assert round_.sweep() == {"requeued": 1}
    assert requeued_at(round_, 10) == [10]


def test_what_was_settled_since_the_index_was_read_is_left_alone(round_: Round) -> None:
    """The index lags: each one is read anew before anything is decided."""
    (name,) = round_.leave_open("10:00")
    round_.advance(SETTLE)
    ghost = round_.salon.items("APPT")[0]
    round_.sweep()
    round_.advance(60)
    round_.sweep()
    assert round_.states() == {name: "FAILED"}

    class Lagging:
        def due(self, *, now: Any, most: int) -> list[Job]:
            return [Job("settle", TENANT, ghost["pk"]["S"].rpartition("#")[2]), Job("settle", TENANT, "gone")]

    salon = round_.salon
    ends = sweep(
        due_work=Lagging(),
        inbox=round_.inbox,
        outbox=DynamoOutbox(salon.table),
        queue=salon.queue,
        background=round_.background,
        alerts=salon.alerts,
        clock=salon.clock,
        deadline=Deadline.within(50, salon.clock),
    )
    assert ends == {"nothing_to_do": 2}


# Time


def test_a_round_that_is_out_of_time_leaves_the_rest_to_the_next_one(round_: Round) -> None:
    names = round_.leave_open("10:00", "11:00", "12:00", "13:00")
    find = round_.salon.calendar.find

    def slow(*args: Any, **named: Any) -> Any:
        round_.advance(7.0)
        return find(*args, **named)

    round_.salon.calendar.find = slow
    round_.advance(SETTLE)
    assert round_.sweep(seconds=2 * 7 + ONE_S - 0.5) == {"waiting": 2, "left_for_next_round": 2}
    assert round_.sweep(seconds=50) == {"waiting": 2}, "those that were left come first, the others have been put off"
    round_.salon.calendar.find = find
    round_.advance(60)
    assert round_.sweep() == {"released": 4}
    assert set(round_.states()) == set(names)


def test_without_time_for_one_nothing_is_begun(round_: Round) -> None:
    round_.leave_open("10:00")
    asked = len(round_.salon.calendar.asked)
    round_.advance(SETTLE)
    assert round_.sweep(seconds=ONE_S - 0.1) == {"left_for_next_round": 1}
    assert len(round_.salon.calendar.asked) == asked


def test_one_operation_has_its_share_and_not_the_whole_round(round_: Round) -> None:
    round_.leave_open("10:00")
    shares: list[float] = []
    find = round_.salon.calendar.find

    def measured(*args: Any, deadline: Deadline) -> Any:
        shares.append(deadline.remaining())
        return find(*args, deadline=deadline)

    round_.salon.calendar.find = measured
    round_.advance(SETTLE)
    round_.sweep(seconds=50)
    assert shares == [ONE_S]


# Somebody's trouble


@pytest.mark.parametrize("trouble", [StoreUnavailable(), KeyError("fabian"), ValueError("Hans Schuster")])
def test_one_salons_trouble_keeps_nobody_else_waiting(round_: Round, trouble: Exception) -> None:
    (name,) = round_.leave_open("10:00")
    round_.copy_to(OTHER, [name], 3)
    round_.broken[OTHER] = trouble
    round_.advance(SETTLE)
    kind = "store_unavailable" if isinstance(trouble, StoreUnavailable) else "failed"
    assert round_.sweep() == {kind: 3, "waiting": 1}
    round_.advance(60)
    assert round_.sweep() == {kind: 3, "released": 1}
    assert round_.states()[name] == "FAILED"


def test_of_what_nobody_thought_of_a_person_hears_and_nothing_of_its_text(round_: Round) -> None:
    (name,) = round_.leave_open("10:00")
    round_.broken[TENANT] = ValueError("Hans Schuster, +491701234567")
    round_.advance(SETTLE)
    round_.sweep()
    (raised,) = round_.salon.alerts.raised
    assert raised.kind == alerts.JOB_FAILED
    assert raised.facts == {"job": "settle", "job_name": name, "error": "ValueError"}


def test_a_crowd_of_one_salons_dead_work_does_not_use_up_the_round(round_: Round) -> None:
    """A salon that was deleted with two hundred operations open, all older than ours: ours gets the second turn."""
    (name,) = round_.leave_open("10:00")
    round_.copy_to(OTHER, [name], 200)
    find, order = round_.salon.calendar.find, []
    round_.salon.calendar.find = lambda *args, **named: (order.append("ours"), find(*args, **named))[1]
    inner = round_.background
    round_.background = lambda tenant, deadline: (order.append(tenant), inner(tenant, deadline))[1]  # type: ignore[method-assign]
    round_.advance(SETTLE)
    assert round_.sweep() == {"no_such_tenant": 200, "waiting": 1}
    assert order[:3] == [OTHER, TENANT, "ours"]
    assert MOST > 200


def test_a_salon_whose_calendar_is_slow_does_not_take_the_others_time(round_: Round) -> None:
    names = round_.leave_open("10:00", "11:00", "12:00")
    round_.copy_to(OTHER, names, 3)
    inner = round_.background

    def slow(tenant: str, deadline: Deadline) -> Background | None:
        if tenant == OTHER:
            round_.advance(8.0)
        return inner(tenant, deadline)

    round_.background = slow  # type: ignore[method-assign]
    round_.advance(SETTLE)
    ends = round_.sweep(seconds=50)
    assert ends["waiting"] == 3, "each of ours had its turn"
    assert ends["left_for_next_round"] == 9 - ends["no_such_tenant"]


def test_a_store_that_fails_for_one_item_is_no_end_of_the_round(round_: Round) -> None:
    first, second = sorted(round_.leave_open("10:00", "11:00"))
    round_.advance(SETTLE)
    round_.salon.client.faults.next(
        "get_item", Fault.NOT_SENT, times=9, when=lambda asked: asked["Key"]["pk"]["S"].endswith(first)
    )
    assert round_.sweep() == {"store_unavailable": 1, "waiting": 1}
    round_.salon.client.faults.clear()
    round_.advance(60)
    assert round_.sweep() == {"waiting": 1, "released": 1}
    assert round_.states() == {first: "PENDING", second: "FAILED"}


def test_what_does_not_end_is_told_of_after_a_quarter_of_an_hour(round_: Round) -> None:
    round_.leave_open("10:00")
    round_.salon.calendar.find = lambda *_, **__: Unclear("HTTP 502")
    minutes = round(STUCK.total_seconds()) // 60
    for _ in range(minutes - 1):
        round_.advance(60)
        round_.sweep()
    assert round_.salon.alerts.raised == []
    round_.advance(61)
    round_.sweep()
    assert [each.kind for each in round_.salon.alerts.raised] == [alerts.STUCK]


# Twice at once


def test_two_rounds_at_once_end_as_one(round_: Round) -> None:
    """One begins while the other has read its list and not yet written: each end is told of once."""
    names = round_.leave_open("10:00", "11:00")
    round_.deliver("a" * 64)
    round_.advance(SETTLE + REQUEUE_AFTER)
    round_.sweep()
    round_.advance(60)
    find, ends = round_.salon.calendar.find, []

    def find_and_be_overtaken(*args: Any, **named: Any) -> Any:
        found = find(*args, **named)
        round_.salon.calendar.find = find
        ends.append(round_.sweep())
        return found

    round_.salon.calendar.find = find_and_be_overtaken
    ends.append(round_.sweep())
    assert ends[0] == {"released": 2}
    assert set(ends[1]) <= {"waiting", "released", "nothing_to_do"}
    assert round_.states() == dict.fromkeys(names, "FAILED")
    assert len(round_.salon.items("OUT")) == 2
    days = round_.salon.appointments.staff_days(TENANT, {("fabian", round_.salon.clock.now().date())})
    assert days.day("fabian", round_.salon.clock.now().date()).intervals == {}


@pytest.mark.parametrize("boundary", range(1, 15))
def test_a_round_that_dies_anywhere_is_made_good_by_the_next(round_: Round, boundary: int) -> None:
    names = round_.leave_open("10:00", "11:00")
    round_.deliver("a" * 64)
    round_.advance(SETTLE + REQUEUE_AFTER)
    round_.sweep()
    round_.advance(REQUEUE_AFTER)
    round_.salon.client.faults.clear()
    round_.salon.client.faults.crash_at(boundary)
    died = False
    try:
        round_.sweep()
    except Crash:
        died = True
    round_.salon.client.faults.clear()
    for _ in range(6):
        round_.advance(60)
        round_.sweep()
    assert died or boundary > 10
    assert round_.states() == dict.fromkeys(names, "FAILED")
    assert len(round_.salon.items("OUT")) == 2
    assert Job("event", TENANT, "a" * 64) in queued(round_)
