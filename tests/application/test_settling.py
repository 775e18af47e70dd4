"""An operation whose outcome nobody knows comes to its end: found and confirmed, undone, released, or looked at again.

What Cal.com really did is set up behind a turn that did not hear of it; then somebody settles, at times of the test's
choosing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bookend.adapters.dynamodb.adoptions import DynamoAdoptions
from bookend.adapters.dynamodb.changes import DynamoChanges
from bookend.application import alerts
from bookend.application.background import Background
from bookend.application.deadline import Deadline
from bookend.application.outcomes import StillOpen
from bookend.application.patience import AGAIN, SETTLE, STUCK
from bookend.application.ports import BookingRequest, StoreUnavailable
from bookend.application.settling import Settled, settle
from bookend.domain.answers import Answered, Booking, CreateAnswer, NotSent, NotThere, Refusal, Refused, Unclear
from bookend.domain.timeslot import Slot
from tests.support.calendar import FakeCalendar
from tests.support.salon import Salon
from tests.support.tables.faults import Fault

DAY = "2025-10-28"
TEN = datetime(2025, 10, 28, 9, 0, tzinfo=UTC)
"""10:00 in Berlin."""
LONGER = TEN + timedelta(minutes=45)
"""When it would end if Cal.com made something else of it."""
LOST = Unclear("ReadTimeout")


class Open:
    """One operation that Cal.com did not answer. `did` is what Cal.com made of it all the same."""

    def __init__(self, did: Callable[[FakeCalendar, BookingRequest], Any] = lambda _calendar, _request: None) -> None:
        self.salon = Salon()
        self.salon.open(DAY)
        self.calendar: FakeCalendar = self.salon.calendar
        self.calendar.faults.append(self._answer_lost(did))
        self.blind = True
        self.find = self.calendar.find
        self.calendar.find = self._find  # type: ignore[method-assign]
        outcome = self.salon.call().book("28.10.", "10:00")
        assert isinstance(outcome, StillOpen)
        self.blind = False
        self.salon.queue.jobs.clear()
        self.salon.alerts.raised.clear()
        self.made = self.salon.clock.now()
        ((self.name),) = self.states()

    def _answer_lost(self, did: Callable[[FakeCalendar, BookingRequest], Any]) -> Any:
        def fault(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
            did(calendar, request)
            return LOST

        return fault

    def _find(self, email: str, window: Slot, *, deadline: Deadline) -> Any:
        """In the turn itself no read shows anything yet: replicas lag."""
        return () if self.blind else self.find(email, window, deadline=deadline)

    def work(self) -> Background:
        salon = self.salon
        return Background(
            tenant=salon.tenant,
            appointments=salon.appointments,
            adoptions=DynamoAdoptions(salon.table),
            changes=DynamoChanges(salon.table),
            calendar=self.calendar,
            alerts=salon.alerts,
            clock=salon.clock,
            deadline=Deadline.within(8.0, salon.clock),
        )

    def settle(self, *, at: float | None = None) -> Settled:
        """Settle, `at` so many seconds after the operation."""
        if at is not None:
            self.salon.clock.advance(at - (self.salon.clock.now() - self.made).total_seconds())
        return settle(self.work(), self.name)

    def states(self) -> dict[str, str]:
        found = self.salon.items("APPT")
        return {each["pk"]["S"].rpartition("#")[2]: each["state"]["S"] for each in found}

    @property
    def state(self) -> str:
        return self.states()[self.name]

    @property
    def row(self) -> dict[str, Any]:
        (found,) = [each for each in self.salon.items("APPT") if each["pk"]["S"].endswith(self.name)]
        return found

    @property
    def why(self) -> str:
        why: str = self.row["why"]["S"]
        return why

    @property
    def texts(self) -> list[str]:
        """What the caller is going to be told."""
        return [each["kind"]["S"] for each in self.salon.items("OUT")]

    @property
    def blocked(self) -> bool:
        """Whether the ledger keeps the time."""
        days = self.salon.appointments.staff_days(self.salon.tenant.id, {("fabian", TEN.date())})
        return bool(days.day("fabian", TEN.date()).intervals)

    @property
    def kinds(self) -> list[str]:
        return [each.kind for each in self.salon.alerts.raised]


def booked(calendar: FakeCalendar, request: BookingRequest) -> Booking:
    return calendar.insert(request)


def wrong(**changes: Any) -> Callable[[FakeCalendar, BookingRequest], Booking]:
    """Cal.com made something else of it."""

    def did(calendar: FakeCalendar, request: BookingRequest) -> Booking:
        booking = calendar.insert(request)
        return calendar.change(booking.uid, **changes)

    return did


# Found


@pytest.mark.parametrize("after", [20.0, 45.0, 179.0, 181.0, 3600.0])
def test_what_is_found_is_confirmed_whenever_that_is(after: float) -> None:
    case = Open(booked)
    assert case.settle(at=after) is Settled.CONFIRMED
    assert (case.state, case.texts, case.blocked) == ("CONFIRMED", ["booked"], True)
    assert len(case.calendar.accepted()) == 1
    assert case.kinds == []


def test_while_the_turn_may_still_be_at_work_nobody_touches_it() -> None:
    case = Open(booked)
    before = case.row
    assert case.settle(at=5) is Settled.WAITING
    assert (case.row, case.calendar.asked.count("list")) == (before, 0)


def test_what_shows_late_is_confirmed_when_it_shows() -> None:
    def hidden(calendar: FakeCalendar, request: BookingRequest) -> None:
        calendar.hidden[calendar.insert(request).uid] = calendar.clock.now() + timedelta(seconds=100)

    case = Open(hidden)
    assert case.settle(at=45) is Settled.WAITING
    assert (case.state, case.blocked) == ("PENDING", True)
    assert case.settle(at=120) is Settled.CONFIRMED
    assert case.texts == ["booked"]


def test_to_settle_what_is_settled_does_nothing() -> None:
    case = Open(booked)
    case.settle(at=45)
    before = case.row
    for _ in range(3):
        assert case.settle() is Settled.NOTHING_TO_DO
    assert (case.row, case.texts) == (before, ["booked"])


def test_what_is_not_there_to_be_settled_is_nothing_to_do() -> None:
    assert settle(Open(booked).work(), "nobody") is Settled.NOTHING_TO_DO


def test_what_others_moved_before_we_knew_of_it_stays_the_customers() -> None:
    """Confirmed as it was asked for, and followed to where it stands."""

    def moved(calendar: FakeCalendar, request: BookingRequest) -> None:
        calendar.move(calendar.insert(request).uid, TEN + timedelta(hours=3))

    case = Open(moved)
    assert case.settle(at=45) is Settled.CONFIRMED
    assert (case.state, case.kinds) == ("CONFIRMED", [])
    assert [each.start for each in case.calendar.accepted()] == [TEN + timedelta(hours=3)]


# Not found


def test_absence_is_believed_only_after_the_settle_time_and_two_looks() -> None:
    """A request that was given up may be carried out minutes later, and reads lag: the time stays blocked meanwhile."""
    case = Open()
    for at in (45, 75, 105, 135, 165, 179):
        assert case.settle(at=at) is Settled.WAITING
        assert (case.state, case.blocked, case.texts) == ("PENDING", True, [])
    assert case.settle(at=SETTLE.total_seconds() + 1) is Settled.RELEASED
    assert (case.state, case.why, case.blocked) == ("FAILED", "never_arrived", False)
    assert case.texts == ["not_booked"]


def test_one_look_is_not_enough_however_late_it_is() -> None:
    """Nor are two in a row, which one lagging replica answers alike."""
    case = Open()
    assert [case.settle(at=1000), case.settle(), case.settle()] == [Settled.WAITING] * 3
    assert (case.state, case.blocked) == ("PENDING", True)
    assert case.settle(at=1000 + AGAIN.total_seconds() - 1) is Settled.WAITING
    assert case.settle(at=1000 + AGAIN.total_seconds()) is Settled.RELEASED


def test_a_look_that_was_not_answered_is_no_look() -> None:
    case = Open()
    answers = case.calendar.find
    case.calendar.find = lambda *_, **__: Unclear("HTTP 502")  # type: ignore[method-assign]
    assert [case.settle(at=at) for at in (200, 260, 320)] == [Settled.WAITING] * 3
    case.calendar.find = answers  # type: ignore[method-assign]
    assert case.settle(at=380) is Settled.WAITING, "the first look that was answered"
    assert case.settle(at=440) is Settled.RELEASED


def test_what_is_looked_at_in_vain_is_due_again_in_half_a_minute() -> None:
    case = Open()
    case.settle(at=45)
    assert int(case.row["due"]["N"]) == int((case.made + timedelta(seconds=45) + AGAIN).timestamp())


@pytest.mark.parametrize("status", ["cancelled", "rejected"])
def test_what_was_cancelled_there_before_anybody_knew_of_it_is_released_at_once(status: str) -> None:
    case = Open(wrong(status=status))
    assert case.settle(at=20) is Settled.RELEASED
    assert (case.state, case.why, case.blocked, case.texts) == ("FAILED", "cancelled_there", False, ["not_booked"])


def test_somebody_elses_booking_of_the_same_customer_is_none_of_ours() -> None:
    """Found by its op_id and nothing else: the same person, time and stylist are no proof."""

    def another(calendar: FakeCalendar, request: BookingRequest) -> None:
        calendar.insert(replace(request, metadata={**request.metadata, "op_id": "another"}))

    case = Open(another)
    case.settle(at=200)
    assert case.settle(at=260) is Settled.RELEASED
    assert len(case.calendar.accepted()) == 1
    assert "cancel" not in case.calendar.asked


# Found, and wrong


WRONG: list[dict[str, Any]] = [
    {"start": TEN + timedelta(hours=1), "end": TEN + timedelta(minutes=90)},
    {"end": TEN + timedelta(minutes=45)},
    {"event_type": 3672815},
    {"status": "pending"},
    {"created_at": TEN - timedelta(days=30)},
]


@pytest.mark.parametrize("changes", WRONG, ids=[", ".join(each) for each in WRONG])
def test_what_is_ours_and_not_as_asked_is_undone_before_the_time_is_free(changes: dict[str, Any]) -> None:
    case = Open(wrong(**changes))
    assert case.settle(at=45) is Settled.RELEASED
    assert (case.state, case.why, case.blocked, case.texts) == ("FAILED", "wrong", False, ["not_booked"])
    assert {each.status for each in case.calendar.bookings.values()} == {"cancelled"}
    assert case.kinds == [alerts.WRONG_BOOKING]


def test_of_two_bookings_the_right_one_is_confirmed() -> None:
    def twice(calendar: FakeCalendar, request: BookingRequest) -> None:
        calendar.change(calendar.insert(request).uid, host=29)
        calendar.insert(request)

    case = Open(twice)
    assert case.settle(at=45) is Settled.CONFIRMED
    right = max(case.calendar.bookings)
    assert case.row["segments"]["L"][0]["M"]["uid"] == {"S": right}


@pytest.mark.parametrize("trouble", [Unclear("HTTP 502"), NotSent("ConnectError"), NotThere("HTTP 404")])
def test_an_undo_waits_for_cal_coms_yes(trouble: Any) -> None:
    """Until then the time stays blocked and nobody is told anything; a 404 so soon may be a replica that lags."""
    case = Open(wrong(end=LONGER))
    case.calendar.cancel_faults.extend([trouble, trouble])
    for at in (20, 60):
        assert case.settle(at=at) is Settled.WAITING
        assert (case.state, case.texts) == ("COMPENSATING", [])
        assert case.blocked
    assert case.settle(at=100) is Settled.RELEASED
    assert case.calendar.accepted() == []
    assert (case.state, case.texts) == ("FAILED", ["not_booked"])


def test_a_404_of_what_must_go_counts_after_the_settle_time() -> None:
    case = Open(wrong(end=LONGER))
    case.calendar.cancel_faults.append(Unclear("HTTP 502"))
    case.settle(at=20)
    case.calendar.bookings.clear()
    assert case.settle(at=SETTLE.total_seconds() - 1) is Settled.WAITING
    assert case.state == "COMPENSATING"
    assert case.settle(at=SETTLE.total_seconds() + AGAIN.total_seconds()) is Settled.RELEASED


def test_one_404_of_what_must_go_is_not_enough_however_late() -> None:
    case = Open(wrong(end=LONGER))
    case.calendar.cancel_faults.append(Unclear("HTTP 502"))
    case.settle(at=20)
    case.calendar.bookings.clear()
    assert case.settle(at=SETTLE.total_seconds() + 60) is Settled.WAITING
    assert case.settle(at=SETTLE.total_seconds() + 60 + AGAIN.total_seconds()) is Settled.RELEASED


def test_what_was_booked_twice_and_never_heard_of_goes_with_it() -> None:
    def twice(calendar: FakeCalendar, request: BookingRequest) -> None:
        for _ in range(2):
            calendar.change(calendar.insert(request).uid, end=LONGER)

    case = Open(twice)
    assert case.settle(at=45) is Settled.RELEASED
    assert [each.status for each in case.calendar.bookings.values()] == ["cancelled", "cancelled"]


def test_a_booking_that_is_labelled_as_ours_and_belongs_to_another_is_left_alone() -> None:
    case = Open(booked)
    (uid,) = case.calendar.bookings
    guard = {"pk": {"S": f"T#friseur1#CALUID#{uid}"}, "sk": {"S": "G"}, "appt": {"S": "another"}, "seg": {"N": "0"}}
    case.salon.client.put_item(TableName=case.salon.table_name, Item=guard)
    assert case.settle(at=45) is Settled.RELEASED
    assert (case.state, case.why, case.texts) == ("FAILED", "existing", ["not_booked"])
    assert len(case.calendar.accepted()) == 1
    assert "cancel" not in case.calendar.asked
    assert case.kinds == [alerts.FOREIGN_BOOKING]
    assert case.salon.alerts.raised[0].facts["owner_appointment"] == "another"


def test_what_becomes_anothers_while_it_is_being_undone_is_not_cancelled() -> None:
    """Two carry our label, and both have to go; then one of them is somebody's here."""

    def twice(calendar: FakeCalendar, request: BookingRequest) -> None:
        for _ in range(2):
            calendar.change(calendar.insert(request).uid, end=LONGER)

    case = Open(twice)
    case.calendar.cancel_faults += [Unclear("HTTP 502"), Unclear("HTTP 502")]
    assert case.settle(at=20) is Settled.WAITING
    assert len(case.calendar.accepted()) == 2
    adoptions = DynamoAdoptions(case.salon.table)
    (theirs,) = [uid for uid in case.calendar.bookings if adoptions.owner("friseur1", uid) is None]
    guard = {"pk": {"S": f"T#friseur1#CALUID#{theirs}"}, "sk": {"S": "G"}, "appt": {"S": "another"}, "seg": {"N": "0"}}
    case.salon.client.put_item(TableName=case.salon.table_name, Item=guard)
    assert case.settle(at=90) is Settled.RELEASED
    assert [each.uid for each in case.calendar.accepted()] == [theirs]
    assert adoptions.owner("friseur1", theirs) == "another"


# What does not end


def test_after_a_quarter_of_an_hour_somebody_is_told() -> None:
    case = Open(booked)
    case.calendar.find = lambda *_, **__: Unclear("HTTP 502")  # type: ignore[method-assign]
    case.settle(at=STUCK.total_seconds() - 1)
    assert case.kinds == []
    case.settle(at=STUCK.total_seconds())
    assert case.kinds == [alerts.STUCK]
    assert case.salon.alerts.raised[0].facts["state"] == "PENDING"
    assert (case.state, case.blocked, case.texts) == ("PENDING", True, [])


def test_an_undo_that_does_not_end_is_told_of_too() -> None:
    case = Open(wrong(end=LONGER))
    case.calendar.cancel_faults.extend([Unclear("HTTP 502")] * 9)
    case.settle(at=20)
    case.salon.alerts.raised.clear()
    case.settle(at=STUCK.total_seconds())
    assert case.kinds == [alerts.STUCK]
    assert case.salon.alerts.raised[0].facts["state"] == "COMPENSATING"


# Several at once, and deaths


def test_two_at_once_confirm_it_once() -> None:
    """The second reads before the first writes, and finds that somebody was faster."""
    case, ends = Open(booked), []
    inner = case.calendar.find

    def find_and_be_overtaken(*args: Any, **named: Any) -> Any:
        found = inner(*args, **named)
        case.calendar.find = inner  # type: ignore[method-assign]
        ends.append(case.settle())
        return found

    case.calendar.find = find_and_be_overtaken  # type: ignore[method-assign]
    ends.append(case.settle(at=45))
    assert ends[0] is Settled.CONFIRMED
    assert ends[1] in {Settled.CONFIRMED, Settled.WAITING}
    assert (case.state, case.texts, case.kinds) == ("CONFIRMED", ["booked"], [])
    assert len(case.calendar.accepted()) == 1


def test_who_releases_loses_to_who_confirmed_meanwhile() -> None:
    case = Open()
    case.settle(at=200)
    inner = case.calendar.find

    def find_nothing_while_it_is_made(*args: Any, **named: Any) -> Any:
        case.calendar.find = inner  # type: ignore[method-assign]
        row = case.row
        metadata = {"op_id": row["op"]["S"], "appointment": case.name, "segment": "0"}
        email = row["customer"]["M"]["email"]["S"]
        made = case.calendar.insert(BookingRequest(3672814, TEN, "Hans", email, None, "Europe/Berlin", "de", metadata))
        case.calendar.change(made.uid, created_at=case.made)
        assert case.settle() is Settled.CONFIRMED
        return ()

    case.calendar.find = find_nothing_while_it_is_made  # type: ignore[method-assign]
    assert case.settle(at=260) is Settled.WAITING
    assert (case.state, case.texts, case.blocked) == ("CONFIRMED", ["booked"], True)


@pytest.mark.parametrize("did", [booked, wrong(end=LONGER), lambda *_: None], ids=["booked", "wrong", "nothing"])
@pytest.mark.parametrize("fault", [Fault.NOT_SENT, Fault.LOST_ANSWER])
@pytest.mark.parametrize("skip", range(3))
def test_whatever_write_fails_the_next_rounds_bring_the_same_end(did: Any, fault: Fault, skip: int) -> None:
    case = Open(did)
    case.settle(at=150)
    case.salon.client.faults.next("transact_write_items", fault, times=1, skip=skip)
    for at in range(200, 500, 60):
        try:
            case.settle(at=at)
        except StoreUnavailable:
            continue
    confirmed = did is booked
    assert (case.state, case.blocked) == (("CONFIRMED", True) if confirmed else ("FAILED", False))
    assert case.texts == (["booked"] if confirmed else ["not_booked"])
    assert len(case.calendar.accepted()) == (1 if confirmed else 0)


def test_a_request_that_is_carried_out_after_the_release_does_not_bring_the_appointment_back() -> None:
    """It is an orphan then, which the events or the reconciliation take care of; settling never resurrects."""
    case = Open()
    case.settle(at=200)
    case.settle(at=260)
    assert case.state == "FAILED"
    row = case.row
    metadata = {"op_id": row["op"]["S"], "appointment": case.name, "segment": "0"}
    answer = case.calendar.make(
        BookingRequest(3672814, TEN, "Hans", "x@y.example", None, "Europe/Berlin", "de", metadata)
    )
    assert isinstance(answer, Answered)
    assert case.settle(at=320) is Settled.NOTHING_TO_DO
    assert case.state == "FAILED"


# What the salon has made of it meanwhile


def _row_of(case: Open) -> tuple[str, str, datetime]:
    """Stylist, uid and start of the appointment's one segment."""
    now_is = case.salon.appointments.appointment(case.salon.tenant.id, case.name)
    assert now_is is not None
    (segment,) = now_is.segments
    return segment.staff, segment.uid or "", segment.slot.start


EDITS: dict[str, dict[str, Any]] = {
    "another stylist": {"host": 29},
    "another attendee": {"attendees": ("neu@web.example",)},
    "a host we do not know": {"host": 99},
    "another stylist and attendee": {"host": 29, "attendees": ("neu@web.example", "zwei@web.example")},
}


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("after", [0.0, 60.0], ids=["at once", "a minute later"])
def test_what_the_salon_edits_before_we_knew_of_it_is_never_taken_away(edit: str, after: float) -> None:
    case = Open(booked)
    (uid,) = case.calendar.bookings
    case.salon.clock.advance(after)
    email = case.calendar.bookings[uid].attendees
    case.calendar.change(uid, **EDITS[edit])
    if case.calendar.bookings[uid].attendees != email:
        # It is found by the address we sent, which Cal.com keeps among the guests.
        case.calendar.change(uid, attendees=(*EDITS[edit]["attendees"], *email))
    assert case.settle(at=90) is Settled.CONFIRMED
    assert (case.state, case.texts, case.blocked) == ("CONFIRMED", ["booked"], EDITS[edit].get("host") != 29)
    assert [each.uid for each in case.calendar.accepted()] == [uid]
    assert "cancel" not in case.calendar.asked
    assert _row_of(case) == ("emma" if EDITS[edit].get("host") == 29 else "fabian", uid, TEN)


def test_a_host_nobody_knows_is_put_before_a_person() -> None:
    case = Open(wrong(host=99))
    assert case.settle(at=45) is Settled.CONFIRMED
    assert case.kinds == [alerts.DRIFT_FOUND]
    assert case.salon.alerts.raised[0].facts["drift"] == "unknown_host"


def test_what_the_salon_made_longer_is_followed_and_what_cal_com_made_longer_is_undone() -> None:
    """Who has done it is told by when: nobody edits within seconds."""
    ends = {}
    for after in (0.0, 30.0):
        case = Open(booked)
        (uid,) = case.calendar.bookings
        case.salon.clock.advance(after)
        case.calendar.change(uid, end=LONGER)
        case.settle(at=60)
        ends[after] = case.state, [each.end for each in case.calendar.accepted()]
    assert ends == {0.0: ("FAILED", []), 30.0: ("CONFIRMED", [LONGER])}


def test_a_move_that_goes_in_a_circle_is_put_before_a_person_and_the_time_stays_blocked() -> None:
    def circle(calendar: FakeCalendar, request: BookingRequest) -> None:
        first = calendar.insert(request)
        second = calendar.move(first.uid, TEN + timedelta(hours=1))
        calendar.change(second.uid, status="cancelled", called_off=False, rescheduled_to=first.uid)

    case = Open(circle)
    assert [case.settle(at=at) for at in (45, 90, 400)] == [Settled.WAITING] * 3
    assert (case.state, case.blocked) == ("PENDING", True)
    assert [each.facts.get("drift") for each in case.salon.alerts.raised] == ["chain"]


def test_half_of_a_move_is_no_cancellation() -> None:
    """The old booking is shown as cancelled; where it was moved to shows half a minute later, days away."""

    def half(calendar: FakeCalendar, request: BookingRequest) -> None:
        first = calendar.insert(request)
        second = calendar.move(first.uid, TEN + timedelta(days=5))
        calendar.bookings[first.uid] = replace(calendar.bookings[first.uid], rescheduled_to=None)
        calendar.hidden[second.uid] = calendar.clock.now() + timedelta(seconds=25)

    case = Open(half)
    assert case.settle(at=20) is Settled.WAITING
    assert case.settle(at=50) is Settled.CONFIRMED
    assert _row_of(case)[2] == TEN + timedelta(days=5)
    assert case.texts == ["booked"]


def test_a_cancellation_that_names_nobody_is_believed_half_a_minute_later() -> None:
    case = Open(wrong(status="cancelled", called_off=False))
    assert case.settle(at=20) is Settled.WAITING
    assert case.settle(at=50) is Settled.RELEASED
    assert (case.state, case.why, case.texts) == ("FAILED", "cancelled_there", ["not_booked"])


def test_what_somebody_has_taken_over_while_it_was_being_undone_stays_and_is_told_of() -> None:
    case = Open(wrong(end=LONGER))
    case.calendar.cancel_faults.append(Unclear("HTTP 502"))
    assert case.settle(at=20) is Settled.WAITING
    (uid,) = case.calendar.bookings
    case.salon.clock.advance(30)
    case.calendar.change(uid, start=TEN + timedelta(hours=2), end=LONGER + timedelta(hours=2))
    case.salon.alerts.raised.clear()
    assert case.settle(at=90) is Settled.RELEASED
    assert [each.uid for each in case.calendar.accepted()] == [uid]
    assert [each.facts.get("drift") for each in case.salon.alerts.raised] == ["taken_over"]


# What Cal.com will not cancel any more

ENDED = Refused(Refusal.NOT_ALLOWED, "HTTP 400 Cannot cancel a booking that has already ended")


def test_what_is_over_and_cannot_be_cancelled_ends_and_a_person_is_told_once() -> None:
    case = Open(wrong(end=LONGER))
    case.calendar.cancel_faults.extend([ENDED] * 9)
    case.settle(at=20)
    assert (case.state, case.blocked) == ("COMPENSATING", True)
    over = (LONGER - case.made).total_seconds()
    assert case.settle(at=over - 1) is Settled.WAITING, "a refusal is no end while somebody may still come"
    case.salon.alerts.raised.clear()
    assert case.settle(at=over) is Settled.RELEASED
    assert (case.state, case.why, case.blocked) == ("FAILED", "over", False)
    assert [each.facts.get("drift") for each in case.salon.alerts.raised] == ["refused"]
    assert case.settle() is Settled.NOTHING_TO_DO


def test_what_does_not_end_is_told_of_once_a_day() -> None:
    case = Open(booked)
    case.calendar.find = lambda *_, **__: Unclear("HTTP 502")  # type: ignore[method-assign]
    for at in range(900, 5 * 3600, 300):
        case.settle(at=at)
    assert case.kinds == [alerts.STUCK]
    case.settle(at=30 * 3600)
    assert case.kinds == [alerts.STUCK] * 2


# What is written down


@pytest.mark.parametrize(
    ("did", "repairs"),
    [(booked, ["confirm"]), (lambda *_: None, ["release"]), (wrong(end=LONGER), ["undo", "release"])],
    ids=["booked", "nothing", "wrong"],
)
def test_what_is_settled_in_the_background_leaves_an_entry_of_before_and_after(did: Any, repairs: list[str]) -> None:
    case = Open(did)
    case.settle(at=200)
    case.settle(at=260)
    entries = {each["repair"]["S"]: each for each in case.salon.items("AUDIT")}
    assert sorted(entries) == sorted(repairs)
    states = [(each["before"]["M"]["state"]["S"], each["after"]["M"]["state"]["S"]) for each in entries.values()]
    assert {before for before, _ in states} <= {"PENDING", "COMPENSATING"}
    assert case.state in {after for _, after in states}
    assert {each["by"]["S"] for each in entries.values()} == {"worker"}
