"""The queue's consumer: each job is done or comes back alone, and whatever comes twice, late or too early ends well."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bookend.application import alerts
from bookend.application.deadline import Deadline
from bookend.application.ports import CalendarTrouble, Job
from bookend.application.receiving import MOST_TRIES
from bookend.domain.answers import Booking, KeyRejected, NotSent, NotThere, Unclear
from tests.support.calendar import FakeCalendar, lost_before
from tests.support.http import Doors, LambdaContext, job_body
from tests.support.salon import Salon
from tests.support.tables.faults import Fault

TENANT = "friseur1"
MONDAY = "2025-10-27"
TEN = datetime(2025, 10, 27, 9, 0, tzinfo=UTC)
"""10:00 in Berlin."""
WISH = {"service": "Herrenhaarschnitt", "date": MONDAY, "time": "10:00", "name": "Hans Schuster"}
CUT = 3672814
"""Fabian's haircut."""


class BadLine:
    """Cal.com, of which some reads go wrong."""

    def __init__(self, inner: FakeCalendar) -> None:
        self.inner = inner
        self.reads: list[CalendarTrouble | Callable[[Booking], Booking]] = []
        """What becomes of the next reads: trouble, or the booking as it was before."""
        self.away: CalendarTrouble | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def booking(self, uid: str, *, deadline: Deadline) -> Booking | CalendarTrouble:
        seen = self.inner.booking(uid, deadline=deadline)
        if self.away is not None:
            return self.away
        if not self.reads:
            return seen
        change = self.reads.pop(0)
        if not callable(change):
            return change
        assert isinstance(seen, Booking)
        return change(seen)


class RunningOut(LambdaContext):
    """A Lambda whose time is spent by its jobs."""

    def __init__(self, *left: int) -> None:
        super().__init__()
        self._left = list(left)

    def get_remaining_time_in_millis(self) -> int:
        return self._left.pop(0)


@pytest.fixture
def salon() -> Salon:
    made = Salon()
    made.open(MONDAY)
    return made


@pytest.fixture
def line(salon: Salon) -> BadLine:
    return BadLine(salon.calendar)


@pytest.fixture
def doors(salon: Salon, line: BadLine) -> Iterator[Doors]:
    with Doors(salon, calendar=line) as opened:
        yield opened


def tell(doors: Doors, trigger: str, uid: str | None, **more: Any) -> Job:
    """Cal.com sends an event; the job that came of it."""
    payload = {"uid": uid, "title": "Herrenhaarschnitt"} | more
    body = json.dumps({"triggerEvent": trigger, "createdAt": "2025-10-25T18:18:32.000Z", "payload": payload}).encode()
    assert doors.webhook(body).status == 200
    job = Job("event", TENANT, hashlib.sha256(body).hexdigest())
    doors.salon.queue.jobs.clear()
    return job


def row(doors: Doors, job: Job) -> dict[str, Any]:
    (found,) = [each for each in doors.salon.items("WH#") if each["pk"]["S"].endswith(job.name)]
    return found


def outcome(doors: Doors, job: Job) -> str | None:
    """How the event ended; None: it has not."""
    found = row(doors, job)
    assert ("due" in found) == ("outcome" not in found), "what is not done is looked after"
    return found["outcome"]["S"] if "outcome" in found else None


def waiting(doors: Doors) -> list[tuple[Job, float]]:
    """Jobs in the queue and how many seconds they are to wait."""
    return [(job, delay.total_seconds()) for job, delay in doors.salon.queue.jobs]


def appointments(doors: Doors) -> dict[str, str]:
    return {each["pk"]["S"].rpartition("#")[2]: each["state"]["S"] for each in doors.salon.items("APPT")}


def run_on(doors: Doors, job: Job, *, most: int = 20) -> int:
    """Work on a job and on what comes of it, each in its time; how often that was."""
    doors.salon.queue.jobs.clear()
    rounds, todo = 0, [(job, timedelta(0))]
    while todo:
        following, delay = todo.pop(0)
        doors.salon.clock.advance(delay.total_seconds())
        assert doors.work(following) == []
        rounds += 1
        assert rounds <= most, "it does not end"
        todo += doors.salon.queue.jobs
        doors.salon.queue.jobs.clear()
    return rounds


# One batch


def test_one_bad_record_brings_back_itself_and_nobody_else(doors: Doors) -> None:
    """A batch that failed as a whole would bring back five, and after five times bury five."""
    good = [tell(doors, "BOOKING_CREATED", doors.salon.calendar.book_publicly(CUT, TEN).uid), tell(doors, "PING", None)]
    assert doors.work(good[0], "no job", good[1], "[" * 100_000, '{"kind": "x"}') == ["m1", "m3", "m4"]
    assert [outcome(doors, each) for each in good] == ["adopted", "ignored"]


@pytest.mark.parametrize(
    "body",
    ["", "null", "{}", '{"kind": "delete", "tenant": "friseur1", "name": "x"}', '{"kind": "event", "tenant": 5}'],
)
def test_a_message_that_is_no_job_comes_back_and_changes_nothing(doors: Doors, body: str) -> None:
    """Until the dead-letter queue has it, where a person looks; swallowed it would be lost unseen."""
    before = doors.state()
    assert doors.work(body) == ["m0"]
    assert doors.state() == before
    assert [each["message"] for each in doors.heard.lines] == ["not a job"]


def test_an_empty_batch_is_done() -> None:
    with Doors() as doors:
        assert doors.work() == []


def test_what_there_is_no_time_for_is_named_and_not_begun(doors: Doors) -> None:
    told = [tell(doors, "PING", None, number=number) for number in range(4)]
    context = RunningOut(50_000, 9_001, 9_000, 0)
    assert doors.work(*told, context=context) == ["m2", "m3"]
    assert [outcome(doors, each) for each in told] == ["ignored", "ignored", None, None]


def test_while_the_store_is_away_a_job_comes_back_by_itself(doors: Doors) -> None:
    told = [tell(doors, "PING", None, number=number) for number in range(2)]
    doors.salon.client.faults.next("get_item", Fault.NOT_SENT, when=lambda asked: "#WH#" in asked["Key"]["pk"]["S"])
    assert doors.work(*told) == ["m0"]
    assert [outcome(doors, each) for each in told] == [None, "ignored"]
    assert doors.work(told[0]) == []
    assert outcome(doors, told[0]) == "ignored"


def test_while_the_queue_is_away_what_must_wait_comes_back_by_itself(doors: Doors, line: BadLine) -> None:
    told = tell(doors, "BOOKING_CREATED", "abc")
    line.away = Unclear("HTTP 502")
    doors.salon.queue.broken = True
    assert doors.work(told) == ["m0"]
    assert outcome(doors, told) is None


def test_an_exception_takes_no_other_job_down_and_a_person_hears_of_it(doors: Doors, line: BadLine) -> None:
    """Of the exception no more is told than its type: its text may hold anything."""
    booked = doors.salon.calendar.book_publicly(CUT, TEN)
    bad, good = tell(doors, "BOOKING_CREATED", "abc"), tell(doors, "BOOKING_CREATED", booked.uid)

    def breaks(_seen: Booking) -> Booking:
        raise ZeroDivisionError("Hans Schuster, +491701234567")

    doors.salon.calendar.bookings["abc"] = booked
    line.reads = [breaks]
    assert doors.work(bad, good) == ["m0"]
    assert (outcome(doors, bad), outcome(doors, good)) == (None, "adopted")
    (raised,) = doors.salon.alerts.raised
    assert raised.kind == alerts.JOB_FAILED
    assert raised.facts == {"job": "event", "job_name": bad.name, "error": "ZeroDivisionError"}
    assert "Schuster" not in doors.heard.text


def test_a_line_names_the_job_and_its_outcome_and_nothing_of_the_next_one(doors: Doors) -> None:
    told = tell(doors, "PING", None)
    doors.heard.clear()
    doors.work(told, "no job")
    first, second = doors.heard.lines
    assert (first["message"], first["outcome"]) == ("worked", "ignored")
    assert (first["tenant"], first["job"], first["attempt"]) == (TENANT, "event", 0)
    assert second["message"] == "not a job"
    assert not {"tenant", "job", "attempt"} & set(second), "it is nobody's that is known"


# Who is gone


def test_an_event_for_a_salon_that_is_gone_is_done_with(doors: Doors) -> None:
    """Otherwise the sweeper would bring it back every five minutes for thirty days."""
    doors.vault.secrets.clear()
    doors.deps.inbox.store("gone", "a" * 64, "{}", now=doors.salon.clock.now(), due=doors.salon.clock.now())
    job = Job("event", "gone", "a" * 64)
    assert doors.work(job, Job("settle", "gone", "x")) == []
    assert outcome(doors, job) == "no_such_tenant"
    doors.salon.clock.advance(3600)
    assert doors.sweep() == {}


def test_an_event_whose_row_is_gone_is_done_with(doors: Doors) -> None:
    before = doors.state()
    assert doors.work(Job("event", TENANT, "f" * 64), Job("settle", TENANT, "nobody")) == []
    assert doors.state() == before
    assert waiting(doors) == []
    assert [each["outcome"] for each in doors.heard.lines] == ["unknown", "nothing_to_do"]


def test_one_salons_event_is_not_found_under_another(doors: Doors) -> None:
    told = tell(doors, "PING", None)
    doors.work(Job("event", "anderer", told.name))
    assert outcome(doors, told) is None


# What an event leads to


def test_an_event_is_a_hint_and_what_is_read_counts(doors: Doors) -> None:
    """Name and body claim a cancellation that never was, with another time: the booking is adopted as it is."""
    booked = doors.salon.calendar.book_publicly(CUT, TEN)
    told = tell(doors, "BOOKING_REJECTED", booked.uid, startTime="2025-10-28T09:00:00Z", status="REJECTED")
    assert run_on(doors, told) == 1
    assert outcome(doors, told) == "adopted"
    (adopted,) = doors.salon.items("APPT")
    assert (adopted["state"]["S"], adopted["start"]["S"]) == ("CONFIRMED", "2025-10-27T09:00:00.000000Z")


def test_a_booking_that_was_made_moved_and_cancelled_by_others_is_followed(doors: Doors) -> None:
    calendar = doors.salon.calendar
    booked = calendar.book_publicly(CUT, TEN)
    assert run_on(doors, tell(doors, "BOOKING_CREATED", booked.uid)) == 1
    doors.salon.clock.advance(60)
    moved = calendar.move(booked.uid, TEN + timedelta(hours=2))
    first = tell(doors, "BOOKING_RESCHEDULED", moved.uid, rescheduleUid=booked.uid)
    assert run_on(doors, first) == 1
    assert outcome(doors, first) == "followed"
    doors.salon.clock.advance(60)
    calendar.change(moved.uid, status="cancelled")
    second = tell(doors, "BOOKING_CANCELLED", moved.uid)
    assert run_on(doors, second) == 1
    assert outcome(doors, second) == "ended"
    assert list(appointments(doors).values()) == ["CANCELLED"]
    late = tell(doors, "BOOKING_CREATED", booked.uid, again=True)
    before = appointments(doors)
    run_on(doors, late)
    assert appointments(doors) == before, "a late event of the old uid finds its home, and brings nothing back"


def test_a_job_done_twice_is_harmless(doors: Doors) -> None:
    """Standard queues deliver at least once: the second time nothing changes but the hour it was looked at."""
    booked = doors.salon.calendar.book_publicly(CUT, TEN)
    told = tell(doors, "BOOKING_CREATED", booked.uid)
    assert doors.work(told, told) == []
    before = doors.state()
    doors.salon.clock.advance(5)
    assert doors.work(told) == []
    assert list(appointments(doors).values()) == ["CONFIRMED"]
    assert len(doors.salon.items("AUDIT")) == 1
    assert doors.state().count("adopt") == before.count("adopt")


# An event that comes before our own answer


def test_an_event_before_our_own_answer_comes_back_later_and_converges(doors: Doors, line: BadLine) -> None:
    """Self-hosted Cal.com delivers before it answers (capture 25b): the operation is PENDING and its lease runs."""
    seen: list[Any] = []

    def told_first(calendar: FakeCalendar, request: Any) -> Any:
        answer = calendar.make(request)
        job = tell(doors, "BOOKING_CREATED", next(iter(calendar.bookings)))
        assert doors.work(job) == []
        seen.extend([job, *waiting(doors), *appointments(doors).values()])
        return answer

    doors.salon.calendar.faults.append(told_first)
    assert doors.function("book_appointment", WISH).json["status"] == "booked"
    job, (again, pause), state = seen
    assert (again, pause, state) == (Job("event", TENANT, job.name, 1), 5.0, "PENDING")
    doors.salon.clock.advance(5)
    assert run_on(doors, again) == 1
    assert outcome(doors, job) == "equal"
    assert list(appointments(doors).values()) == ["CONFIRMED"]
    assert len(doors.salon.calendar.accepted()) == 1


def test_an_event_confirms_what_our_own_answer_was_lost_of(doors: Doors) -> None:
    """The process died with the answer in its hands: after the lease the event brings the confirmation."""

    def dies(calendar: FakeCalendar, request: Any) -> Any:
        calendar.make(request)
        raise KeyboardInterrupt

    doors.salon.calendar.faults.append(dies)
    with pytest.raises(KeyboardInterrupt):
        doors.function("book_appointment", WISH)
    (uid,) = doors.salon.calendar.bookings
    told = tell(doors, "BOOKING_CREATED", uid)
    assert run_on(doors, told) > 1
    assert outcome(doors, told) == "settled"
    assert list(appointments(doors).values()) == ["CONFIRMED"]
    assert len(doors.salon.calendar.accepted()) == 1


# Reads that lag


def older(seen: Booking) -> Booking:
    """What a replica that lags says of a cancelled booking (capture 25d)."""
    return Booking(
        uid=seen.uid,
        id=seen.id,
        status="accepted",
        start=seen.start,
        end=seen.end,
        created_at=seen.created_at,
        updated_at=seen.created_at,
        host=seen.host,
        event_type=seen.event_type,
        attendees=seen.attendees,
        metadata=seen.metadata,
    )


@pytest.mark.parametrize("lagging", [1, 2, 3])
def test_a_read_that_is_older_than_its_event_is_not_believed(doors: Doors, line: BadLine, lagging: int) -> None:
    booked = doors.salon.calendar.book_publicly(CUT, TEN)
    run_on(doors, tell(doors, "BOOKING_CREATED", booked.uid))
    doors.salon.clock.advance(60)
    doors.salon.calendar.change(booked.uid, status="cancelled")
    told = tell(doors, "BOOKING_CANCELLED", booked.uid)
    line.reads = [older] * lagging
    assert run_on(doors, told) == lagging + 1
    assert outcome(doors, told) == "ended"
    assert list(appointments(doors).values()) == ["CANCELLED"]
    assert doors.salon.alerts.raised == []


def test_after_three_older_reads_the_read_is_believed_and_somebody_is_told(doors: Doors, line: BadLine) -> None:
    booked = doors.salon.calendar.book_publicly(CUT, TEN)
    told = tell(doors, "BOOKING_CANCELLED", booked.uid)
    pauses = []
    for _ in range(3):
        assert doors.work(told) == []
        ((told, pause),) = waiting(doors)
        doors.salon.queue.jobs.clear()
        pauses.append(pause)
        assert appointments(doors) == {}
        assert doors.salon.alerts.raised == []
    assert doors.work(told) == []
    assert (pauses, told.attempt, waiting(doors)) == ([5, 10, 20], 3, [])
    assert outcome(doors, told) == "adopted"
    (raised,) = doors.salon.alerts.raised
    assert raised.kind == alerts.STALE_READ
    assert raised.facts == {"booking_uid": booked.uid, "trigger": "BOOKING_CANCELLED"}
    assert doors.heard.counted(alerts.STALE_READ) == 1


def test_a_booking_that_cannot_be_found_is_looked_for_for_minutes(doors: Doors) -> None:
    """A read may be of before the booking; that it never was there is left to the reconciliation."""
    told = tell(doors, "BOOKING_CREATED", "abc")
    assert run_on(doors, told) == 8
    assert outcome(doors, told) == "left_to_reconciliation"
    assert appointments(doors) == {}


def test_a_booking_that_shows_late_is_found(doors: Doors) -> None:
    booked = doors.salon.calendar.book_publicly(CUT, TEN)
    doors.salon.calendar.hidden[booked.uid] = doors.salon.clock.now() + timedelta(seconds=30)
    told = tell(doors, "BOOKING_CREATED", booked.uid)
    assert run_on(doors, told) == 4
    assert outcome(doors, told) == "adopted"


# Cal.com is away


TROUBLES = [Unclear("HTTP 502"), NotSent("ConnectError"), NotSent("HTTP 429", 30.0), KeyRejected("HTTP 401")]


@pytest.mark.parametrize("trouble", TROUBLES)
def test_while_cal_com_is_away_it_is_asked_less_and_less_often(
    doors: Doors, line: BadLine, trouble: CalendarTrouble
) -> None:
    """Then the event is left to the reconciliation, which finds the change by itself: nothing goes on for ever."""
    line.away = trouble
    told, pauses = tell(doors, "BOOKING_CREATED", "abc"), []
    for attempt in range(MOST_TRIES - 1):
        assert doors.work(told) == []
        ((following, pause),) = waiting(doors)
        assert following.attempt == attempt + 1
        assert outcome(doors, told) is None
        doors.salon.queue.jobs.clear()
        pauses.append(pause)
        told = following
    assert doors.work(told) == []
    assert (waiting(doors), outcome(doors, told)) == ([], "left_to_reconciliation")
    assert pauses == [5, 10, 20, 40, 80, 160, 320]
    assert appointments(doors) == {}


def test_when_cal_com_is_back_the_event_is_done(doors: Doors, line: BadLine) -> None:
    booked = doors.salon.calendar.book_publicly(CUT, TEN)
    line.reads = [Unclear("HTTP 502"), NotSent("ConnectError"), NotThere("HTTP 404"), Unclear("ReadTimeout")]
    told = tell(doors, "BOOKING_CREATED", booked.uid)
    assert run_on(doors, told) == 5
    assert outcome(doors, told) == "adopted"


def test_an_event_that_waits_its_turn_is_not_begun_anew_by_the_sweeper(doors: Doors, line: BadLine) -> None:
    """Otherwise an outage of Cal.com's would multiply the requests to it, five minutes after five minutes."""
    line.away = Unclear("HTTP 502")
    todo, ends, worked = [(tell(doors, "BOOKING_CREATED", "abc"), 0.0)], [], 0
    elapsed = 0
    while todo and elapsed < 3600:
        (job, wait) = todo.pop(0)
        while wait > 0:  # the sweeper comes by every minute meanwhile
            step = min(60.0, wait)
            doors.salon.clock.advance(step)
            elapsed, wait = elapsed + round(step), wait - step
            ends.append(doors.sweep())
        assert doors.work(job) == []
        worked += 1
        todo += waiting(doors)
        doors.salon.queue.jobs.clear()
    assert worked == MOST_TRIES
    assert [each for each in ends if each] == []


def test_a_job_that_the_queue_lost_on_the_way_is_begun_anew(doors: Doors, line: BadLine) -> None:
    line.away = Unclear("HTTP 502")
    told = tell(doors, "BOOKING_CREATED", "abc")
    doors.work(told)
    doors.salon.queue.jobs.clear()
    doors.salon.clock.advance(299)
    assert doors.sweep() == {}
    doors.salon.clock.advance(6)
    assert doors.sweep() == {"requeued": 1}
    assert waiting(doors) == [(told, 0.0)]


# Operations whose outcome is open


def test_a_settle_job_confirms_what_was_booked_and_says_so(doors: Doors) -> None:
    def answer_lost(calendar: FakeCalendar, request: Any) -> Any:
        calendar.make(request)
        return Unclear("ReadTimeout")

    calendar = doors.salon.calendar
    calendar.faults.append(answer_lost)
    calendar.hidden = HiddenAtFirst(doors.salon)
    assert doors.function("book_appointment", WISH).json["status"] == "pending"
    ((job, wait),) = waiting(doors)
    assert (job.kind, wait) == ("settle", 45.0)
    doors.salon.clock.advance(wait)
    assert doors.work(job, job) == []
    assert appointments(doors) == {job.name: "CONFIRMED"}
    assert [each["kind"]["S"] for each in doors.salon.items("OUT")] == ["booked"]


class HiddenAtFirst(dict[str, datetime]):
    """No booking is shown for half a minute from now."""

    def __init__(self, salon: Salon) -> None:
        super().__init__()
        self._until = salon.clock.now() + timedelta(seconds=30)

    def get(self, _uid: str, _default: Any = None) -> datetime:
        return self._until


def test_a_settle_job_that_comes_too_early_comes_back_until_it_is_settled(doors: Doors) -> None:
    doors.salon.calendar.faults.append(lost_before)
    assert doors.function("book_appointment", WISH).json["status"] == "pending"
    ((job, wait),) = waiting(doors)
    doors.salon.queue.jobs.clear()
    doors.salon.clock.advance(wait)
    assert doors.work(job) == []
    assert appointments(doors) == {job.name: "PENDING"}
    for _ in range(4):  # no sweeper is needed
        ((job, wait),) = waiting(doors)
        doors.salon.queue.jobs.clear()
        doors.salon.clock.advance(wait)
        assert doors.work(job) == []
        if not waiting(doors):
            break
    assert appointments(doors) == {job.name: "FAILED"}
    assert [each["kind"]["S"] for each in doors.salon.items("OUT")] == ["not_booked"]


def test_messages_are_read_as_they_were_written(doors: Doors) -> None:
    told = tell(doors, "PING", None)
    assert doors.work(job_body(told)) == []
    assert outcome(doors, told) == "ignored"
