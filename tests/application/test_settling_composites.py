"""A composite whose outcome nobody knows comes to its end as a whole: each part confirmed, or none left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bookend.application import alerts
from bookend.application.outcomes import StillOpen
from bookend.application.patience import AGAIN, SETTLE
from bookend.application.ports import BookingRequest, Job
from bookend.application.settling import JOB_AGAIN, MOST_JOBS, Settled, settle_again
from bookend.domain.answers import NotThere, Unclear
from bookend.domain.timeslot import Slot
from tests.application.test_settling import DAY, TEN, Open
from tests.support.calendar import FakeCalendar
from tests.support.salon import Salon

PARTS = (Slot.of(TEN, 45), Slot.of(TEN + timedelta(minutes=105), 30))
LATE = SETTLE.total_seconds() + AGAIN.total_seconds()
Did = Callable[[FakeCalendar, BookingRequest], Any]


class OpenPerm(Open):
    """A perm at ten of which Cal.com answered neither part. `did` is what it made of each all the same."""

    def __init__(self, *did: Did) -> None:
        self.salon = Salon()
        self.salon.open(DAY, every=15)
        self.calendar: FakeCalendar = self.salon.calendar
        self.calendar.faults.extend(self._answer_lost(each) for each in did)
        self.blind, self.find = True, self.calendar.find
        self.calendar.find = self._find  # type: ignore[method-assign]
        outcome = self.salon.call().book(DAY, "10:00", service="Dauerwelle", staff="Fabian")
        assert isinstance(outcome, StillOpen)
        self.blind = False
        self.salon.queue.jobs.clear()
        self.salon.alerts.raised.clear()
        self.made = self.salon.clock.now()
        ((self.name),) = self.states()

    def _answer_lost(self, did: Did) -> Did:
        """`FakeCalendar.make` books and answers; of anything else no answer comes."""
        return did if did is FakeCalendar.make else super()._answer_lost(did)

    @property
    def stands(self) -> list[tuple[str, Slot, str | None]]:
        """Stylist, time and booking of each part."""
        now_is = self.salon.appointments.appointment(self.salon.tenant.id, self.name)
        assert now_is is not None
        return [(each.staff, each.slot, each.uid) for each in now_is.segments]

    def uid_of(self, part: int) -> str:
        (found,) = [uid for uid, each in self.calendar.bookings.items() if each.metadata["segment"] == str(part)]
        return found


def made(calendar: FakeCalendar, request: BookingRequest) -> None:
    calendar.insert(request)


def longer(calendar: FakeCalendar, request: BookingRequest) -> None:
    booking = calendar.insert(request)
    calendar.change(booking.uid, end=booking.end + timedelta(minutes=15))


def not_made(_calendar: FakeCalendar, _request: BookingRequest) -> None:
    """It never arrived."""


def cancelled(calendar: FakeCalendar, request: BookingRequest) -> None:
    """Made, and cancelled there at once."""
    calendar.change(calendar.insert(request).uid, status="cancelled")


@pytest.mark.parametrize("after", [20.0, 3600.0])
def test_parts_that_are_known_by_nothing_but_their_labels_are_confirmed_each_with_its_own_booking(after: float) -> None:
    case = OpenPerm(made, made)
    assert case.settle(at=after) is Settled.CONFIRMED
    assert case.stands == [("fabian", slot, case.uid_of(part)) for part, slot in enumerate(PARTS)]
    assert (case.state, case.texts, case.kinds) == ("CONFIRMED", ["booked"], [])


@pytest.mark.parametrize("missing", [0, 1])
def test_while_a_part_may_still_come_nothing_is_confirmed_nothing_goes_and_the_job_comes_back(missing: int) -> None:
    case = OpenPerm(*(not_made if part == missing else made for part in (0, 1)))
    job = Job("settle", case.salon.tenant.id, case.name)
    case.salon.clock.advance(60)
    assert settle_again(job, case.work(), case.salon.queue) is Settled.WAITING
    assert case.salon.queue.jobs == [(replace(job, attempt=1), JOB_AGAIN)]
    assert (case.state, case.blocked, case.texts) == ("PENDING", True, [])
    assert len(case.calendar.accepted()) == 1


def test_a_job_has_an_end_though_its_appointment_has_none() -> None:
    case = OpenPerm(not_made, made)
    case.salon.clock.advance(60)
    for attempt in (MOST_JOBS - 1, MOST_JOBS):
        job = Job("settle", case.salon.tenant.id, case.name, attempt=attempt)
        assert settle_again(job, case.work(), case.salon.queue) is Settled.WAITING
    assert [each.attempt for each, _ in case.salon.queue.jobs] == [MOST_JOBS]


@pytest.mark.parametrize("missing", [0, 1])
def test_a_part_that_never_came_takes_the_other_along_and_the_record_says_why(missing: int) -> None:
    case = OpenPerm(*(not_made if part == missing else made for part in (0, 1)))
    assert case.settle(at=SETTLE.total_seconds() - 1) is Settled.WAITING
    assert case.settle(at=LATE) is Settled.RELEASED
    assert (case.state, case.why, case.blocked, case.texts) == ("FAILED", "never_arrived", False, ["not_booked"])
    assert case.calendar.accepted() == []
    assert case.kinds == [], "too little of it is no booking that came out wrong"


def test_of_one_that_never_came_at_all_nothing_is_undone() -> None:
    case = OpenPerm(not_made, not_made)
    case.settle(at=SETTLE.total_seconds() - 1)
    assert case.settle(at=LATE) is Settled.RELEASED
    assert (case.state, case.why, case.texts) == ("FAILED", "never_arrived", ["not_booked"])
    assert "cancel" not in case.calendar.asked
    assert [each["repair"]["S"] for each in case.salon.items("AUDIT")] == ["release"]


@pytest.mark.parametrize("part", [0, 1])
def test_a_part_that_the_salon_gave_to_another_before_we_knew_of_it_is_the_customers_all_the_same(part: int) -> None:
    case = OpenPerm(made, made)
    case.salon.clock.advance(30)
    case.calendar.change(case.uid_of(part), host=29)
    assert case.settle(at=60) is Settled.CONFIRMED
    staff = ["emma" if number == part else "fabian" for number in (0, 1)]
    assert case.stands == [(who, PARTS[number], case.uid_of(number)) for number, who in enumerate(staff)]
    assert len(case.calendar.accepted()) == 2
    assert "cancel" not in case.calendar.asked


@pytest.mark.parametrize("heard", [0, 1])
def test_a_part_whose_address_the_salon_has_corrected_is_found_by_the_uid_that_is_on_record(heard: int) -> None:
    """The search goes by the customer's address. Taken for missing, the part would take the whole with it."""
    case = OpenPerm(*(FakeCalendar.make if part == heard else made for part in (0, 1)))
    case.salon.clock.advance(30)
    case.calendar.change(case.uid_of(heard), attendees=("hans@web.example",))
    assert case.settle(at=60) is Settled.CONFIRMED
    assert case.stands == [("fabian", slot, case.uid_of(part)) for part, slot in enumerate(PARTS)]
    assert (case.state, case.texts, len(case.calendar.accepted())) == ("CONFIRMED", ["booked"], 2)
    assert "cancel" not in case.calendar.asked


def test_a_part_that_somebody_cancelled_there_does_not_keep_the_other_from_being_confirmed() -> None:
    """It was made; what became of it is found by the next look, like any cancellation of a part."""
    case = OpenPerm(cancelled, made)
    assert case.settle(at=60) is Settled.CONFIRMED
    assert case.stands == [("fabian", slot, case.uid_of(part)) for part, slot in enumerate(PARTS)]


def test_one_of_which_every_part_was_cancelled_there_is_released_at_once() -> None:
    case = OpenPerm(cancelled, cancelled)
    assert case.settle(at=60) is Settled.RELEASED
    assert (case.state, case.why, case.blocked, case.texts) == ("FAILED", "cancelled_there", False, ["not_booked"])


def test_parts_that_are_shown_cancelled_by_nobody_may_be_halves_of_moves_and_are_waited_for() -> None:
    case = OpenPerm(cancelled, cancelled)
    for uid in case.calendar.bookings:
        case.calendar.change(uid, called_off=False)
    assert case.settle(at=20) is Settled.WAITING
    assert (case.state, case.blocked, case.texts) == ("PENDING", True, [])
    assert case.settle(at=60) is Settled.RELEASED


def test_parts_that_are_as_asked_are_confirmed_and_nobody_is_told_though_their_stylist_has_left_since() -> None:
    """The stylist's user is on record with each part. What the salon is to be told of it, it is told once, by a run."""
    case = OpenPerm(made, made)
    staff = tuple(each for each in case.salon.tenant.staff if each.id != "fabian")
    case.salon.tenant = replace(case.salon.tenant, staff=staff)
    assert case.settle(at=60) is Settled.CONFIRMED
    assert (case.state, case.texts, case.kinds) == ("CONFIRMED", ["booked"], [])


# A part is not as asked


@pytest.mark.parametrize("wrong", [0, 1])
def test_a_part_that_is_not_as_asked_takes_the_whole_with_it(wrong: int) -> None:
    case = OpenPerm(*(longer if part == wrong else made for part in (0, 1)))
    assert case.settle(at=45) is Settled.RELEASED
    assert (case.state, case.why, case.blocked, case.texts) == ("FAILED", "wrong", False, ["not_booked"])
    assert case.calendar.accepted() == []
    assert case.kinds == [alerts.WRONG_BOOKING]


@pytest.mark.parametrize("wrong", [0, 1])
def test_the_time_of_what_is_undone_is_blocked_for_as_long_as_its_other_part_may_come(wrong: int) -> None:
    """Freed at once, the part whose request is still on its way would land where somebody else is booked by then."""
    case = OpenPerm(*(longer if part == wrong else not_made for part in (0, 1)))
    assert case.settle(at=45) is Settled.WAITING
    assert (case.state, case.blocked, case.texts, case.calendar.accepted()) == ("COMPENSATING", True, [], [])
    assert case.settle(at=SETTLE.total_seconds() - 1) is Settled.WAITING
    assert (case.state, case.blocked, case.texts) == ("COMPENSATING", True, [])
    assert case.settle(at=LATE) is Settled.RELEASED
    assert (case.state, case.why, case.blocked, case.texts) == ("FAILED", "wrong", False, ["not_booked"])


def test_the_part_that_comes_while_the_other_is_undone_goes_too() -> None:
    late: list[BookingRequest] = []
    case = OpenPerm(longer, lambda _calendar, request: late.append(request))
    assert case.settle(at=45) is Settled.WAITING
    case.salon.clock.advance(60)
    case.calendar.insert(late[0])
    assert case.settle(at=120) is Settled.RELEASED
    assert case.calendar.accepted() == []
    assert (case.state, case.why, case.blocked, case.texts) == ("FAILED", "wrong", False, ["not_booked"])


@pytest.mark.parametrize("trouble", [Unclear("HTTP 502"), NotThere("HTTP 404")])
@pytest.mark.parametrize("which", [0, 1])
def test_one_part_that_does_not_go_keeps_the_time_of_both(trouble: Any, which: int) -> None:
    case = OpenPerm(longer, made)
    answers = [trouble if part == which else None for part in (0, 1)]

    def cancel(calendar: FakeCalendar, uid: str) -> Any:
        return answers.pop(0) or FakeCalendar.cancel(calendar, uid, "", deadline=case.work().deadline)

    case.calendar.cancel_faults.extend([cancel, cancel])
    assert case.settle(at=45) is Settled.WAITING
    assert (case.state, case.blocked, case.texts) == ("COMPENSATING", True, [])
    assert len(case.calendar.accepted()) == 1
    assert case.settle(at=105) is Settled.RELEASED
    assert (case.state, case.calendar.accepted(), case.texts) == ("FAILED", [], ["not_booked"])
