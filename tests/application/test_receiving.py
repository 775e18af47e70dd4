"""Deliveries: kept before they are answered, looked at until something newer is seen, given up in the end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bookend.adapters.dynamodb.adoptions import DynamoAdoptions
from bookend.adapters.dynamodb.changes import DynamoChanges
from bookend.application import alerts
from bookend.application.background import Background
from bookend.application.deadline import Deadline
from bookend.application.ports import FreeStarts, Job, QueueUnavailable, StoreUnavailable
from bookend.application.receiving import (
    MOST_LOOKS,
    MOST_TRIES,
    REQUEUE_AFTER,
    Hint,
    Irrelevant,
    Received,
    Worked,
    receive,
    work_on,
)
from bookend.domain.answers import Booking, Unclear
from bookend.domain.timeslot import Slot
from tests.support.salon import KeptQueue, Salon
from tests.support.tables.faults import Fault

TENANT = "friseur1"
BODY = b'{"triggerEvent": "BOOKING_CREATED"}'
DIGEST = hashlib.sha256(BODY).hexdigest()
JOB = Job("event", TENANT, DIGEST)
CUT = 3672814
EVERYBODY = {"fabian": CUT, "emma": 3672815}
FABIAN, EMMA = 28, 29
"""As Cal.com names them."""
WEEK = Slot(datetime(2025, 10, 20, tzinfo=UTC), datetime(2025, 11, 10, tzinfo=UTC))


@dataclass
class KeptInbox:
    """The `Inbox` port as a dictionary. `away`: it cannot be reached; `log` says in which order it was used."""

    log: list[str] = field(default_factory=list)
    bodies: dict[tuple[str, str], str] = field(default_factory=dict)
    due: dict[str, datetime] = field(default_factory=dict)
    outcomes: dict[str, str] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=dict)
    away: bool = False

    def _asked(self, what: str) -> None:
        self.log.append(what)
        if self.away:
            raise StoreUnavailable

    def store(self, tenant: str, digest: str, body: str, *, now: datetime, due: datetime) -> bool:
        self._asked("store")
        if (tenant, digest) in self.bodies:
            return False
        self.bodies[tenant, digest] = body
        self.due[digest] = due
        return True

    def body(self, tenant: str, digest: str) -> str | None:
        self._asked("body")
        return self.bodies.get((tenant, digest))

    def finish(self, tenant: str, digest: str, *, outcome: str, now: datetime) -> None:
        self._asked("finish")
        self.outcomes[digest] = outcome
        self.due.pop(digest, None)

    def postpone(self, tenant: str, digest: str, *, until: datetime, requeued: int = 0) -> None:
        self._asked("postpone")
        if digest in self.due:
            self.due[digest] = until
            self.times[digest] = requeued

    def requeued(self, tenant: str, digest: str) -> int | None:
        self._asked("requeued")
        return self.times.get(digest, 0) if digest in self.due else None

    def within(self, deadline: Deadline) -> KeptInbox:
        return self


class LoggedQueue(KeptQueue):
    """Writes into the inbox's log, so that the order of both can be read."""

    def __init__(self, log: list[str]) -> None:
        super().__init__()
        self._log = log

    def send(self, job: Job, *, delay: timedelta = timedelta(0)) -> None:
        self._log.append("send")
        super().send(job, delay=delay)


class Desk:
    """A salon, its inbox and its queue."""

    def __init__(self) -> None:
        self.salon = Salon()
        self.inbox = KeptInbox()
        self.queue = LoggedQueue(self.inbox.log)

    @property
    def now(self) -> datetime:
        now: datetime = self.salon.clock.now()
        return now

    def receive(self, body: bytes = BODY, tenant: str = TENANT) -> Received:
        return receive(tenant, body, inbox=self.inbox, queue=self.queue, clock=self.salon.clock)

    def work(self) -> Background:
        salon = self.salon
        return Background(
            tenant=salon.tenant,
            appointments=salon.appointments,
            adoptions=DynamoAdoptions(salon.table),
            changes=DynamoChanges(salon.table),
            calendar=salon.calendar,
            alerts=salon.alerts,
            clock=salon.clock,
            deadline=Deadline.within(8.0, salon.clock),
        )

    def work_on(self, said: Hint | Irrelevant, *, attempt: int = 0) -> Worked:
        job = Job("event", TENANT, DIGEST, attempt)
        return work_on(
            job, self.work(), inbox=self.inbox, queue=self.queue, slots=self.salon.slots, read=lambda _: said
        )

    def booked(self) -> Booking:
        booking: Booking = self.salon.calendar.book_publicly(CUT, self.now + timedelta(days=2))
        return booking


@pytest.fixture
def desk() -> Desk:
    return Desk()


def hint(uid: str, expected: set[str] | None = None, trigger: str = "BOOKING_CREATED") -> Hint:
    return Hint(trigger, uid, frozenset(expected) if expected is not None else None)


# Taking in


def test_a_delivery_is_kept_before_it_is_queued(desk: Desk) -> None:
    assert desk.receive() is Received.STORED
    assert desk.inbox.log == ["store", "send"]
    assert desk.inbox.bodies == {(TENANT, DIGEST): BODY.decode()}
    assert desk.inbox.due == {DIGEST: desk.now + REQUEUE_AFTER}
    assert desk.queue.jobs == [(JOB, timedelta(0))]


def test_one_that_is_kept_already_is_not_queued_again(desk: Desk) -> None:
    desk.receive()
    assert desk.receive() is Received.REPEATED
    assert len(desk.queue.jobs) == 1


def test_what_cannot_be_kept_is_neither_queued_nor_acknowledged(desk: Desk) -> None:
    desk.inbox.away = True
    with pytest.raises(StoreUnavailable):
        desk.receive()
    assert desk.queue.jobs == []


def test_what_cannot_be_queued_is_kept_and_acknowledged(desk: Desk) -> None:
    """The sweeper queues it: to ask the sender for another try would only bring the same bytes again."""
    desk.queue.broken = True
    assert desk.receive() is Received.STORED
    assert desk.inbox.due == {DIGEST: desk.now + REQUEUE_AFTER}


def test_another_byte_is_another_delivery_and_so_is_another_salon(desk: Desk) -> None:
    assert [desk.receive(), desk.receive(BODY + b"\n"), desk.receive(tenant="anderer")] == [Received.STORED] * 3
    assert len({(job.tenant, job.name) for job, _ in desk.queue.jobs}) == 3


def test_bytes_that_are_no_text_are_kept_as_well_as_can_be(desk: Desk) -> None:
    assert desk.receive(b"\xff{}\xed\xa0\x80") is Received.STORED
    ((kept),) = desk.inbox.bodies.values()
    kept.encode("utf-8")
    assert "{}" in kept


# Working on one


@pytest.mark.parametrize("what", ["PING", "MEETING_ENDED", "unreadable", "BOOKING_CREATED without a booking"])
def test_what_says_nothing_about_a_booking_is_ignored_and_done(desk: Desk, what: str) -> None:
    desk.receive()
    assert desk.work_on(Irrelevant(what)) is Worked.IGNORED
    assert (desk.inbox.outcomes, desk.inbox.due) == ({DIGEST: "ignored"}, {})
    assert desk.salon.calendar.asked == []


def test_what_is_not_in_the_inbox_any_more_is_unknown_and_nobody_is_asked(desk: Desk) -> None:
    assert desk.work_on(hint("abc")) is Worked.UNKNOWN
    assert (desk.salon.calendar.asked, desk.inbox.outcomes) == ([], {})


def test_a_booking_is_read_and_both_sides_are_made_equal(desk: Desk) -> None:
    desk.receive()
    assert desk.work_on(hint(desk.booked().uid, {"accepted"})) is Worked.DONE
    assert desk.inbox.outcomes == {DIGEST: "adopted"}
    assert len(desk.salon.items("APPT")) == 1


@pytest.mark.parametrize(
    ("expected", "status", "believed"),
    [
        ({"accepted", "cancelled"}, "accepted", True),
        ({"cancelled"}, "cancelled", True),
        ({"cancelled"}, "accepted", False),
        ({"rejected", "cancelled", "accepted"}, "pending", False),
        (None, "accepted", True),
    ],
)
def test_a_read_is_believed_if_it_is_as_new_as_its_event(
    desk: Desk, expected: set[str] | None, status: str, believed: bool
) -> None:
    desk.receive()
    booked = desk.booked()
    desk.salon.calendar.change(booked.uid, status=status)
    assert desk.work_on(hint(booked.uid, expected)) is (Worked.DONE if believed else Worked.AGAIN)
    assert bool(desk.salon.items("APPT")) is (believed and status == "accepted")


def test_an_older_read_is_believed_at_the_fourth_look_and_somebody_hears_of_it(desk: Desk) -> None:
    desk.receive()
    booked = desk.booked()
    for attempt in range(MOST_LOOKS):
        assert desk.work_on(hint(booked.uid, {"cancelled"}), attempt=attempt) is Worked.AGAIN
        assert desk.salon.items("APPT") == []
    assert desk.salon.alerts.raised == []
    assert desk.work_on(hint(booked.uid, {"cancelled"}), attempt=MOST_LOOKS) is Worked.DONE
    assert [each.kind for each in desk.salon.alerts.raised] == [alerts.STALE_READ]
    assert len(desk.salon.items("APPT")) == 1


def test_a_booking_that_is_not_there_is_looked_for_again_and_then_left(desk: Desk) -> None:
    desk.receive()
    """The event came from Cal.com itself: a 404 is a read that lags, for longer than a stale one is waited for."""
    for attempt in range(MOST_TRIES - 1):
        assert desk.work_on(hint("abc"), attempt=attempt) is Worked.AGAIN
    assert desk.work_on(hint("abc"), attempt=MOST_TRIES - 1) is Worked.LEFT
    assert desk.inbox.outcomes == {DIGEST: "left_to_reconciliation"}


def test_each_try_is_later_than_the_one_before_up_to_ten_minutes(desk: Desk) -> None:
    desk.receive()
    desk.salon.calendar.booking = lambda _uid, *, deadline: Unclear("HTTP 502")
    desk.queue.jobs.clear()
    for attempt in range(MOST_TRIES - 1):
        assert desk.work_on(hint("abc"), attempt=attempt) is Worked.AGAIN
    assert [job.attempt for job, _ in desk.queue.jobs] == [1, 2, 3, 4, 5, 6, 7]
    assert [delay.total_seconds() for _, delay in desk.queue.jobs] == [5, 10, 20, 40, 80, 160, 320]
    assert desk.inbox.outcomes == {}


def test_after_the_last_try_it_is_left_to_the_reconciliation_and_done(desk: Desk) -> None:
    desk.receive()
    desk.queue.jobs.clear()
    desk.salon.calendar.booking = lambda _uid, *, deadline: Unclear("HTTP 502")
    assert desk.work_on(hint("abc"), attempt=MOST_TRIES - 1) is Worked.LEFT
    assert (desk.inbox.outcomes, desk.inbox.due) == ({DIGEST: "left_to_reconciliation"}, {})
    assert desk.queue.jobs == []


@pytest.mark.parametrize("attempt", [MOST_TRIES, 1000, 10**9])
def test_an_attempt_beyond_the_last_one_ends_too(desk: Desk, attempt: int) -> None:
    desk.receive()
    desk.salon.calendar.booking = lambda _uid, *, deadline: Unclear("HTTP 502")
    assert desk.work_on(hint("abc"), attempt=attempt) is Worked.LEFT


def test_while_one_waits_for_its_turn_the_sweeper_leaves_it_alone(desk: Desk) -> None:
    """It is found again only if the queue has lost it: five minutes after its turn would have come."""
    desk.receive()
    desk.salon.calendar.booking = lambda _uid, *, deadline: Unclear("HTTP 502")
    desk.salon.clock.advance(100)
    desk.work_on(hint("abc"), attempt=6)
    assert desk.inbox.due == {DIGEST: desk.now + timedelta(seconds=320) + REQUEUE_AFTER}


def test_what_can_neither_be_done_nor_queued_is_said_and_stays_due(desk: Desk) -> None:
    desk.receive()
    desk.salon.calendar.booking = lambda _uid, *, deadline: Unclear("HTTP 502")
    desk.queue.broken = True
    with pytest.raises(QueueUnavailable):
        desk.work_on(hint("abc"))
    assert desk.inbox.due
    assert desk.inbox.outcomes == {}


def test_what_could_not_be_written_down_is_done_again_and_comes_out_the_same(desk: Desk) -> None:
    """The booking is adopted, and the process dies before the event is finished."""
    desk.receive()
    booked = desk.booked()

    def dies(*_: Any, **__: Any) -> None:
        raise StoreUnavailable

    finish: Callable[..., None] = desk.inbox.finish
    desk.inbox.finish = dies  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        desk.work_on(hint(booked.uid, {"accepted"}))
    desk.inbox.finish = finish  # type: ignore[method-assign]
    assert desk.work_on(hint(booked.uid, {"accepted"})) is Worked.DONE
    assert desk.inbox.outcomes == {DIGEST: "equal"}


def test_an_event_that_does_not_tell_what_changed_is_looked_at_twice(desk: Desk) -> None:
    """Another stylist, and a read that lags: it looks as if nothing had changed."""
    desk.receive()
    booked = desk.booked()
    assert desk.work_on(hint(booked.uid, {"accepted"})) is Worked.DONE
    desk.receive(b"another")
    assert desk.work_on(hint(booked.uid, None), attempt=0) is Worked.AGAIN
    assert desk.work_on(hint(booked.uid, None), attempt=1) is Worked.DONE
    assert len(desk.salon.items("APPT")) == len(desk.salon.items("AUDIT")) == 1


# What is kept of free times


def keep_free_times(desk: Desk) -> None:
    """A check has just asked about everybody."""
    now = desk.now
    _, generations = desk.salon.slots.read(TENANT, EVERYBODY, WEEK, now=now)
    for staff, event_type in EVERYBODY.items():
        answer = FreeStarts((now,), now)
        desk.salon.slots.store(TENANT, staff, event_type, WEEK, answer, generation=generations[staff], now=now)
    assert of_whom_times_are_kept(desk) == {*EVERYBODY}


def of_whom_times_are_kept(desk: Desk) -> set[str]:
    return set(desk.salon.slots.read(TENANT, EVERYBODY, WEEK, now=desk.now)[0])


@pytest.mark.parametrize(
    ("host", "event_type", "voided"),
    [
        (FABIAN, CUT, {"fabian"}),
        (FABIAN, 4711, {"fabian"}),
        (None, CUT, {"fabian"}),
        (None, 4711, set()),
        (None, None, set()),
        (4711, CUT, set()),
    ],
    ids=["host", "unknown event type", "no host", "neither is known", "neither is named", "somebody else's"],
)
def test_an_event_that_changes_nothing_here_voids_the_free_times_of_its_stylist(
    desk: Desk, host: int | None, event_type: int | None, voided: set[str]
) -> None:
    """Booked and cancelled on the web before we ever saw it: the ledger has nothing to change, and a time is free."""
    desk.receive()
    booked = desk.booked()
    desk.salon.calendar.change(booked.uid, status="cancelled", host=host, event_type=event_type)
    keep_free_times(desk)
    assert desk.work_on(hint(booked.uid, {"cancelled"})) is Worked.DONE
    assert desk.inbox.outcomes == {DIGEST: "equal"}
    assert of_whom_times_are_kept(desk) == {*EVERYBODY} - voided


def test_an_event_voids_even_where_its_booking_is_read_as_it_was_before(desk: Desk) -> None:
    desk.receive()
    booked = desk.booked()
    keep_free_times(desk)
    assert desk.work_on(hint(booked.uid, {"cancelled"})) is Worked.AGAIN
    assert of_whom_times_are_kept(desk) == {*EVERYBODY} - {"fabian"}


def test_a_booking_that_is_moved_to_another_stylist_voids_both(desk: Desk) -> None:
    desk.receive()
    booked = desk.booked()
    desk.work_on(hint(booked.uid, {"accepted"}))
    desk.receive(b"another")
    desk.salon.calendar.change(booked.uid, host=EMMA)
    keep_free_times(desk)
    desk.work_on(hint(booked.uid, {"accepted"}))
    assert of_whom_times_are_kept(desk) == {*EVERYBODY} - {"fabian", "emma"}


@pytest.mark.parametrize("what", ["PING", "MEETING_ENDED", "unreadable", "BOOKING_CREATED without a booking"])
def test_what_names_no_booking_voids_nothing(desk: Desk, what: str) -> None:
    desk.receive()
    keep_free_times(desk)
    desk.work_on(Irrelevant(what))
    assert of_whom_times_are_kept(desk) == {*EVERYBODY}


def test_what_could_not_be_voided_comes_back(desk: Desk) -> None:
    desk.receive()
    booked = desk.booked()
    desk.salon.calendar.change(booked.uid, status="cancelled")
    keep_free_times(desk)
    desk.salon.client.faults.next("transact_write_items", Fault.NOT_SENT, times=9)
    with pytest.raises(StoreUnavailable):
        desk.work_on(hint(booked.uid, {"cancelled"}))
    desk.salon.client.faults.clear()
    assert desk.inbox.outcomes == {}
    assert desk.work_on(hint(booked.uid, {"cancelled"})) is Worked.DONE
    assert of_whom_times_are_kept(desk) == {*EVERYBODY} - {"fabian"}


@pytest.mark.parametrize("boundary", range(1, 4))
def test_a_store_that_fails_in_the_middle_leaves_the_event_open(desk: Desk, boundary: int) -> None:
    desk.receive()
    booked = desk.booked()
    operation = ["get_item", "batch_get_item", "transact_write_items"][boundary - 1]
    desk.salon.client.faults.next(operation, Fault.NOT_SENT, times=9)
    with pytest.raises(StoreUnavailable):
        desk.work_on(hint(booked.uid))
    assert (desk.inbox.outcomes, desk.salon.items("APPT")) == ({}, [])
    desk.salon.client.faults.clear()
    assert desk.work_on(hint(booked.uid)) is Worked.DONE
    assert len(desk.salon.items("APPT")) == 1
