"""Moves of which one read shows only half, moves without an end, and late bookings that somebody has made their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bookend.application import alerts
from bookend.application.converged import Converged
from bookend.application.converging import assess, carry_out, converge
from bookend.application.deadline import Deadline
from bookend.application.outcomes import Booked, StillOpen
from bookend.application.patience import SETTLE
from bookend.application.ports import BookingRequest, CalendarTrouble, CancelAnswer
from bookend.domain.answers import Booking, CreateAnswer, NotSent, Refusal, Refused, Unclear
from bookend.domain.appointment import Appointment, AppointmentState
from bookend.domain.drift import Adopt, CancelOrphan, Flag
from tests.application.convergence.world import DAY, HAIRCUT, ONE_S, TEN, TENANT, Layer, World, unequal, violations
from tests.support.calendar import FakeCalendar, lost_after

HOUR = timedelta(hours=1)
EMMA = 29


def booked(world: World) -> Booking:
    """Ours, confirmed; the caller has heard "booked"."""
    world.salon.open(DAY, first="09:00", last="12:00", every=15)
    assert isinstance(world.phone().book(DAY, "10:00", staff="Fabian"), Booked)
    (booking,) = world.calendar.accepted()
    return booking


def look_at(world: World, uid: str) -> Converged:
    """What the worker does about a booking."""
    return converge(world.background(ONE_S, "worker"), world.calendar.shown()[uid])


def drifts(world: World) -> Counter[str]:
    return Counter(each.facts["drift"] for each in world.alerts.raised if each.kind == alerts.DRIFT_FOUND)


def confirmed(world: World) -> list[Appointment]:
    return [each for each in world.look().appointments.values() if each.state is AppointmentState.CONFIRMED]


def texts(world: World) -> dict[str, list[str]]:
    return world.look().outbox


# Chains


def in_a_circle(world: World, first: Booking) -> None:
    second = world.calendar.move(first.uid, TEN + HOUR)
    world.calendar.change(second.uid, status="cancelled", called_off=False, rescheduled_to=first.uid)


def eleven_times(world: World, first: Booking) -> None:
    for number in range(12):
        first = world.calendar.move(first.uid, TEN + HOUR * (number + 1))


@pytest.mark.parametrize("moved", [in_a_circle, eleven_times])
def test_moves_without_an_end_are_put_before_a_person_and_not_looked_at_for_ever(
    moved: Callable[[World, Booking], None],
) -> None:
    world = World(Layer.RECONCILE)
    booking = booked(world)
    moved(world, booking)
    assert look_at(world, booking.uid) is Converged.FLAGGED
    world.begin_schedules(nightly_after=10**6)
    world.run(3600)
    assert drifts(world) == {"chain": 1}


def test_ten_moves_are_followed() -> None:
    world = World()
    booking = last = booked(world)
    for number in range(10):
        last = world.calendar.move(last.uid, TEN + HOUR * (number + 1))
    assert look_at(world, booking.uid) is Converged.FOLLOWED
    assert (violations(world), list(unequal(world.look()))) == ([], [])


# Links that cannot be read


def a_guests(world: World) -> Booking:
    """Made on the public page, and taken in."""
    world.salon.open(DAY, first="09:00", last="12:00", every=15)
    booking = world.calendar.book_publicly(HAIRCUT["fabian"], TEN)
    assert look_at(world, booking.uid) is Converged.ADOPTED
    return booking


@pytest.mark.parametrize("seen_after_s", [1, SETTLE.total_seconds() + 1])
def test_a_guests_second_move_waits_for_the_link_before_it(
    seen_after_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That one says whose it is. Asked too often, Cal.com does not; taken for nobody's, it would stand twice here."""
    world = World()
    between = world.calendar.move(a_guests(world).uid, TEN + HOUR)
    last = world.calendar.move(between.uid, TEN + 2 * HOUR)
    world.run(seen_after_s)
    read = world.calendar.booking

    def too_often(uid: str, *, deadline: Deadline) -> Booking | CalendarTrouble:
        return NotSent("429") if uid == between.uid else read(uid, deadline=deadline)

    with monkeypatch.context() as patch:
        patch.setattr(world.calendar, "booking", too_often)
        assert look_at(world, last.uid) is Converged.LATER
    assert len(confirmed(world)) == 1
    assert look_at(world, last.uid) is Converged.FOLLOWED
    (theirs,) = confirmed(world)
    assert theirs.segments[0].uid == last.uid
    assert (violations(world), list(unequal(world.look()))) == ([], [])


def test_a_link_that_is_not_there_is_waited_for_while_reads_may_lag_and_then_the_booking_is_nobodys() -> None:
    world = World()
    between = world.calendar.move(a_guests(world).uid, TEN + HOUR)
    last = world.calendar.move(between.uid, TEN + 2 * HOUR)
    world.calendar.hidden[between.uid] = world.clock.now() + timedelta(days=1)
    assert look_at(world, last.uid) is Converged.LATER
    world.run(SETTLE.total_seconds() + 1)
    assert look_at(world, last.uid) is Converged.ADOPTED


# Two moves at once, and then a cancellation


def copied(world: World, booking: Booking, start: datetime) -> Booking:
    """Another move of the same booking in the same instant: Cal.com makes one more of it (calcom-observed)."""
    copy = world.calendar.book_publicly(HAIRCUT["fabian"], start)
    changes = {"metadata": booking.metadata, "attendees": booking.attendees, "rescheduled_from": booking.uid}
    return world.calendar.change(copy.uid, **changes)


def three_after_a_cancellation(world: World) -> tuple[Booking, Booking]:
    """Of three live bookings after three moves of one the salon cancels the one that ours stood on."""
    booking = booked(world)
    first = world.calendar.move(booking.uid, TEN + HOUR)
    second, third = (copied(world, booking, TEN + HOUR * number) for number in (2, 3))
    assert look_at(world, first.uid) is Converged.FOLLOWED
    world.calendar.cancel_by_hand(first.uid)
    assert look_at(world, first.uid) is Converged.ENDED
    return second, third


def test_of_two_that_are_left_one_goes_on_and_a_person_hears_of_the_other() -> None:
    world = World()
    second, third = three_after_a_cancellation(world)
    assert look_at(world, second.uid) is Converged.ADOPTED
    assert look_at(world, third.uid) is Converged.FLAGGED
    (ours,) = confirmed(world)
    assert (ours.segments[0].uid, drifts(world)) == (second.uid, {"orphan": 1})
    assert [kinds for kinds in texts(world).values() if kinds] == [["moved"]]


def test_of_two_that_are_looked_at_at_once_one_goes_on() -> None:
    world = World()
    second, third = three_after_a_cancellation(world)
    both = [assess(world.background(ONE_S, "worker"), world.calendar.shown()[each.uid]) for each in (second, third)]
    assert [type(each) for each in both] == [Adopt, Adopt]
    assert [carry_out(world.background(ONE_S, "worker"), each) for each in both] == [Converged.ADOPTED, Converged.LATER]
    assert look_at(world, third.uid) is Converged.FLAGGED


def test_once_that_one_is_cancelled_too_the_last_one_goes_on() -> None:
    world = World()
    second, third = three_after_a_cancellation(world)
    look_at(world, second.uid)
    world.calendar.cancel_by_hand(second.uid)
    assert look_at(world, second.uid) is Converged.ENDED
    assert look_at(world, third.uid) is Converged.ADOPTED
    (ours,) = confirmed(world)
    assert (ours.segments[0].uid, drifts(world)) == (third.uid, {})
    assert [kinds for name, kinds in texts(world).items() if name == ours.id] == [["moved"]]


# Half of a move


def half_of_a_move(world: World, booking: Booking, *, hidden_s: float) -> Booking:
    """One read shows the old booking as cancelled and nothing else; the new one shows later."""
    new = world.calendar.move(booking.uid, TEN + 3 * HOUR)
    world.calendar.bookings[booking.uid] = replace(world.calendar.bookings[booking.uid], rescheduled_to=None)
    world.calendar.hidden[new.uid] = world.clock.now() + timedelta(seconds=hidden_s)
    return new


def test_half_of_a_move_does_not_end_the_appointment() -> None:
    world = World()
    booking = booked(world)
    new = half_of_a_move(world, booking, hidden_s=20)
    assert look_at(world, booking.uid) is Converged.LATER
    world.run(21)
    assert look_at(world, booking.uid) is Converged.FOLLOWED
    (ours,) = confirmed(world)
    assert ours.segments[0].uid == new.uid
    assert (violations(world), list(unequal(world.look()))) == ([], [])


@pytest.mark.parametrize("seconds", [0, 60])
def test_half_of_a_move_ends_nothing_while_cal_com_does_not_answer_where_it_went(
    seconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long ago it was cancelled: nobody has looked for the other half."""
    world = World()
    booking = booked(world)
    new = half_of_a_move(world, booking, hidden_s=0)
    world.run(seconds)
    with monkeypatch.context() as patch:
        patch.setattr(world.calendar, "find", lambda *_, **__: Unclear("HTTP 503"))
        assert look_at(world, booking.uid) is Converged.LATER
    assert [each.segments[0].uid for each in confirmed(world)] == [booking.uid]
    assert look_at(world, booking.uid) is Converged.FOLLOWED
    assert [each.segments[0].uid for each in confirmed(world)] == [new.uid]
    assert (violations(world), list(unequal(world.look()))) == ([], [])


def test_that_a_copy_was_called_off_says_nothing_of_the_booking_that_is_half_moved() -> None:
    world = World()
    booking = booked(world)
    copy = copy_of(world, booking, TEN + 2 * HOUR)
    new = half_of_a_move(world, booking, hidden_s=20)
    world.calendar.cancel_by_hand(copy.uid)
    assert look_at(world, copy.uid) is Converged.LATER
    assert len(confirmed(world)) == 1
    world.run(21)
    assert look_at(world, copy.uid) is Converged.FOLLOWED
    assert [each.segments[0].uid for each in confirmed(world)] == [new.uid]
    assert (violations(world), list(unequal(world.look()))) == ([], [])


def test_a_successor_that_the_old_booking_never_names_is_found_by_the_customers_address() -> None:
    world = World()
    booking = booked(world)
    half_of_a_move(world, booking, hidden_s=0)
    world.run(600)
    assert look_at(world, booking.uid) is Converged.FOLLOWED


@pytest.mark.parametrize("layer", [Layer.WEBHOOKS, Layer.RECONCILE], ids=lambda layer: layer.name.lower())
def test_a_cancellation_that_names_somebody_ends_it_at_the_first_look(layer: Layer) -> None:
    """No second look, and no search: an ordinary cancellation costs what it did."""
    world = World(layer)
    booking = booked(world)
    world.run(60)
    world.calendar.asked.clear()
    world.calendar.cancel_by_hand(booking.uid)
    if layer is Layer.RECONCILE:
        world.run(1)
        world.reconcile()
        assert world.calendar.asked.count("list") == 1, "the poll's own page"
    else:
        world.run(5)
        assert world.calendar.asked == ["get"]
    assert confirmed(world) == []


def silently(world: World, booking: Booking) -> None:
    """A guest cancels, and leaves neither a reason nor a name."""
    world.calendar.bookings[booking.uid] = replace(
        world.calendar.bookings[booking.uid], status="cancelled", updated_at=world.clock.now()
    )
    world.calendar.tell("BOOKING_CANCELLED", booking.uid)


def test_a_cancellation_that_names_nobody_ends_it_at_the_first_look_if_its_event_comes() -> None:
    """No event of a cancellation is sent for a booking that was moved: it says as much as a reason would."""
    world = World(Layer.WEBHOOKS)
    booking = booked(world)
    world.run(60)
    world.calendar.asked.clear()
    silently(world, booking)
    world.run(5)
    assert (confirmed(world), world.calendar.asked) == ([], ["get"])
    assert violations(world) == []


def test_the_event_of_a_cancellation_counts_for_its_own_booking_at_the_end_of_a_chain() -> None:
    world = World(Layer.WEBHOOKS, by_hand=True)
    booking = booked(world)
    last = world.calendar.move(world.calendar.move(booking.uid, TEN + HOUR).uid, TEN + 2 * HOUR)
    silently(world, last)
    world.deliver(world.events[-1])
    world.run(3)
    assert confirmed(world) == []


def test_the_event_of_a_cancellation_says_nothing_of_a_booking_that_is_shown_as_moved() -> None:
    world = World(Layer.WEBHOOKS, by_hand=True)
    booking = booked(world)
    world.calendar.move(booking.uid, TEN + HOUR)
    world.calendar.tell("BOOKING_CANCELLED", booking.uid)
    world.deliver(world.events[-1])
    world.run(3)
    (ours,) = confirmed(world)
    assert ours.slot.start == TEN + HOUR


@pytest.mark.parametrize(("seconds", "ended"), [(29, False), (31, True)])
def test_a_cancellation_that_names_nobody_and_whose_event_is_lost_is_believed_after_half_a_minute(
    seconds: int, ended: bool
) -> None:
    world = World()
    booking = booked(world)
    silently(world, booking)
    world.run(seconds)
    world.reconcile()
    assert (confirmed(world) == []) is ended
    world.run(300)
    world.reconcile()
    assert confirmed(world) == []
    assert violations(world) == []


@pytest.mark.parametrize("layer", [Layer.WEBHOOKS, Layer.RECONCILE], ids=lambda layer: layer.name.lower())
def test_what_ended_on_half_of_a_move_goes_on_when_the_other_half_shows(layer: Layer) -> None:
    """Hidden for longer than a half is waited for: then the same customer has the appointment again."""
    world = World(layer)
    booking = booked(world)
    (before,) = confirmed(world)
    half_of_a_move(world, booking, hidden_s=400)
    world.begin_schedules(nightly_after=10**6)
    world.run(60)
    assert look_at(world, booking.uid) in {Converged.ENDED, Converged.EQUAL}
    assert confirmed(world) == []
    assert texts(world) == {before.id: ["cancelled"]}
    world.run(400)
    if layer is Layer.WEBHOOKS:
        world.deliver(world.events[-1], copy=1)
    world.run(600)
    (again,) = confirmed(world)
    assert (again.customer, again.service, again.call, again.slot.start) == (
        before.customer,
        before.service,
        before.call,
        TEN + 3 * HOUR,
    )
    assert texts(world) == {again.id: ["moved"]}
    assert (violations(world), list(unequal(world.look()))) == ([], [])
    assert {each["repair"]["S"] for each in world.rows("AUDIT")} == {"end", "adopt"}


def copy_of(world: World, booking: Booking, start: datetime, **changes: object) -> Booking:
    """Somebody copies a booking at Cal.com, with what we wrote into it."""
    made = world.calendar.insert(
        BookingRequest(
            booking.event_type or 0,
            start,
            "Hans",
            booking.attendees[0],
            None,
            "Europe/Berlin",
            "de",
            booking.metadata,
        )
    )
    return world.calendar.change(made.uid, **changes) if changes else made


def test_a_copy_whose_original_is_cancelled_is_taken_in_for_the_same_customer() -> None:
    world = World()
    booking = booked(world)
    (before,) = confirmed(world)
    world.calendar.cancel_by_hand(booking.uid)
    assert look_at(world, booking.uid) is Converged.ENDED
    copy = copy_of(world, booking, TEN + 2 * HOUR)
    assert look_at(world, copy.uid) is Converged.ADOPTED
    (again,) = confirmed(world)
    assert (again.customer, again.segments[0].uid) == (before.customer, copy.uid)
    assert (violations(world), list(unequal(world.look()))) == ([], [])


def test_a_copy_is_followed_where_the_original_goes_without_a_word() -> None:
    world = World()
    booking = booked(world)
    copy = copy_of(world, booking, TEN + 2 * HOUR)
    world.calendar.bookings[booking.uid] = replace(booking, status="cancelled", updated_at=world.clock.now())
    assert look_at(world, booking.uid) is Converged.FOLLOWED
    (ours,) = confirmed(world)
    assert ours.segments[0].uid == copy.uid


def test_the_very_booking_brought_back_is_for_a_person() -> None:
    world = World()
    booking = booked(world)
    world.calendar.cancel_by_hand(booking.uid)
    look_at(world, booking.uid)
    world.run(60)
    world.calendar.change(booking.uid, status="accepted")
    assert look_at(world, booking.uid) is Converged.FLAGGED
    assert confirmed(world) == []


# Late bookings


def late(world: World) -> tuple[Booking, Appointment]:
    """A booking that came after its operation was given up, while its caller still waits for the message."""
    sent: list[BookingRequest] = []

    def keep(_calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
        sent.append(request)
        return Unclear("ReadTimeout")

    world.salon.open(DAY, first="09:00", last="12:00", every=15)
    world.calendar.faults.append(keep)
    assert isinstance(world.phone().book(DAY, "10:00", staff="Fabian"), StillOpen)
    for _ in range(3):
        world.run(SETTLE.total_seconds())
        world.sweep()
    (failed,) = world.look().appointments.values()
    assert failed.state is AppointmentState.FAILED
    return world.calendar.insert(sent[0]), failed


TAKEN: dict[str, Callable[[World, Booking], str]] = {
    "moved": lambda world, late: world.calendar.move(late.uid, TEN + HOUR).uid,
    "another attendee": lambda world, late: world.calendar.change(late.uid, attendees=("neu@web.example",)).uid,
    "another stylist": lambda world, late: world.calendar.change(late.uid, host=EMMA).uid,
    "longer": lambda world, late: world.calendar.change(late.uid, end=TEN + HOUR).uid,
    "a host nobody knows": lambda world, late: world.calendar.change(late.uid, host=99).uid,
    "touched": lambda world, late: world.calendar.change(late.uid, attendee_name="Herr Hans").uid,
}


@pytest.mark.parametrize("what", TAKEN)
@pytest.mark.parametrize("told", ["waits", "heard no"])
def test_a_late_booking_that_a_person_has_taken_over_is_never_cancelled(what: str, told: str) -> None:
    world = World()
    booking, failed = late(world)
    if told == "heard no":
        world.client.update_item(
            TableName=world.salon.table_name,
            Key={"pk": {"S": f"T#{TENANT.id}#OUT#{failed.op}"}, "sk": {"S": "G"}},
            UpdateExpression="SET #s = :s",
            ExpressionAttributeNames={"#s": "state"},
            ExpressionAttributeValues={":s": {"S": "SENT"}},
        )
    world.run(120)
    uid = TAKEN[what](world, booking)
    done = look_at(world, uid)
    assert [each.uid for each in world.calendar.accepted()] == [uid]
    assert "cancel" not in world.calendar.asked
    assert drifts(world) == {"taken_over": 1}
    if what == "a host nobody knows":
        assert (done, confirmed(world)) == (Converged.FLAGGED, [])
        return
    assert done is Converged.ADOPTED
    (theirs,) = confirmed(world)
    assert theirs.segments[0].uid == uid
    still_theirs = told == "waits" and what != "another attendee"
    assert texts(world) == ({theirs.id: ["booked"]} if still_theirs else {failed.id: ["not_booked"]})
    assert list(unequal(world.look())) == []


def test_a_late_booking_as_we_sent_it_is_the_callers_or_goes() -> None:
    for heard_no in (False, True):
        world = World()
        booking, failed = late(world)
        if heard_no:
            failed = replace(failed, told=failed.told.NOT_BOOKED)
            world.client.update_item(
                TableName=world.salon.table_name,
                Key={"pk": {"S": f"T#{TENANT.id}#APPT#{failed.id}"}, "sk": {"S": "A"}},
                UpdateExpression="SET #t = :t",
                ExpressionAttributeNames={"#t": "told"},
                ExpressionAttributeValues={":t": {"S": "not_booked"}},
            )
        repair = assess(world.background(ONE_S, "worker"), booking)
        assert isinstance(repair, CancelOrphan if heard_no else Adopt)
        assert not isinstance(repair, Flag)


@pytest.mark.parametrize(("staff", "start"), [("Emma", "10:00"), ("Emma", "10:15")], ids=["same start", "overlapping"])
def test_a_late_booking_beside_its_replacement_goes(staff: str, start: str) -> None:
    """Its caller has rung again and booked with somebody else."""
    world = World()
    booking, failed = late(world)
    assert isinstance(world.phone("call_2").book(DAY, start, staff=staff), Booked)
    assert look_at(world, booking.uid) is Converged.ORPHAN_CANCELLED
    (ours,) = confirmed(world)
    assert ours.call == "call_2"
    assert texts(world) == {failed.id: ["not_booked"], ours.id: ["booked"]}
    assert (violations(world), list(unequal(world.look()))) == ([], [])


def test_a_replacement_that_is_booked_while_the_late_one_is_taken_in_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The index has not shown it yet: the guard of the customer decides, in the transaction."""
    world = World()
    booking, _ = late(world)
    assert isinstance(world.phone("call_2").book(DAY, "10:00", staff="Emma"), Booked)
    monkeypatch.setattr(type(world.adoptions), "overlapping", lambda *_: [])
    assert look_at(world, booking.uid) is Converged.ORPHAN_CANCELLED
    assert [each.call for each in confirmed(world)] == ["call_2"]


def test_who_was_booked_at_its_time_while_the_late_one_is_taken_in_wins() -> None:
    """Free when it was decided. No conflict is made here with a booking that we can take back."""
    world = World()
    booking, failed = late(world)
    repair = assess(world.background(ONE_S, "worker"), booking)
    assert isinstance(repair, Adopt)
    theirs = world.calendar.book_publicly(HAIRCUT["fabian"], TEN)
    assert look_at(world, theirs.uid) is Converged.ADOPTED
    assert carry_out(world.background(ONE_S, "worker"), repair) is Converged.ORPHAN_CANCELLED
    assert [each.uid for each in world.calendar.accepted()] == [theirs.uid]
    assert ([each.segments[0].uid for each in confirmed(world)], _flagged(world)) == ([theirs.uid], 0)
    assert texts(world)[failed.id] == ["not_booked"]
    assert (violations(world), list(unequal(world.look()))) == ([], [])


def test_another_time_the_same_day_is_no_replacement() -> None:
    world = World()
    booking, _ = late(world)
    assert isinstance(world.phone("call_2").book(DAY, "11:00", staff="Emma"), Booked)
    assert look_at(world, booking.uid) is Converged.ADOPTED
    assert len(confirmed(world)) == 2


def test_who_was_given_a_late_booking_cannot_book_it_a_second_time() -> None:
    world = World()
    booking, _ = late(world)
    assert look_at(world, booking.uid) is Converged.ADOPTED
    (ours,) = confirmed(world)
    assert ours.id in world.look().customer_guards.values()


# Conflicts that are over


def _conflicting(world: World) -> tuple[Booking, Booking]:
    mine = booked(world)
    theirs = world.calendar.book_publicly(HAIRCUT["fabian"], TEN + timedelta(minutes=15))
    assert look_at(world, theirs.uid) is Converged.ADOPTED
    assert _flagged(world) == 1
    return mine, theirs


def _flagged(world: World) -> int:
    return sum(each.conflict for intervals in world.look().ledger.values() for each in intervals.values())


GOES: dict[str, Callable[[World, Booking], str]] = {
    "cancelled": lambda world, booking: (world.calendar.cancel_by_hand(booking.uid), booking.uid)[1],
    "moved": lambda world, booking: world.calendar.move(booking.uid, TEN + 4 * HOUR).uid,
    "another stylist": lambda world, booking: world.calendar.change(booking.uid, host=EMMA).uid,
}


@pytest.mark.parametrize("which", [0, 1], ids=["the first", "the second"])
@pytest.mark.parametrize("how", GOES)
def test_when_one_of_two_that_overlap_goes_the_other_is_no_conflict_any_more(which: int, how: str) -> None:
    world = World()
    pair = _conflicting(world)
    look_at(world, GOES[how](world, pair[which]))
    assert _flagged(world) == 0
    assert (violations(world), list(unequal(world.look()))) == ([], [])


def test_one_of_three_goes_and_the_others_still_overlap() -> None:
    world = World()
    mine, _ = _conflicting(world)
    third = world.calendar.book_publicly(HAIRCUT["fabian"], TEN + timedelta(minutes=30), email="dritte@example.org")
    look_at(world, third.uid)
    assert _flagged(world) == 2
    world.calendar.cancel_by_hand(mine.uid)
    look_at(world, mine.uid)
    assert _flagged(world) == 2


# Late bookings that Cal.com will not let go


def to_be_cancelled(world: World) -> Booking:
    """A late booking, as we sent it, of a caller who has heard that they have none."""
    booking, failed = late(world)
    world.client.update_item(
        TableName=world.salon.table_name,
        Key={"pk": {"S": f"T#{TENANT.id}#APPT#{failed.id}"}, "sk": {"S": "A"}},
        UpdateExpression="SET #t = :t",
        ExpressionAttributeNames={"#t": "told"},
        ExpressionAttributeValues={":t": {"S": "not_booked"}},
    )
    return booking


def test_what_cal_com_will_not_cancel_is_put_before_a_person_once_and_its_time_is_not_sold() -> None:
    world = World(Layer.RECONCILE)
    booking = to_be_cancelled(world)
    world.calendar.cancel_faults.extend([Refused(Refusal.NOT_ALLOWED, "HTTP 400")] * 100)
    for _ in range(3):
        world.run(60)
        world.reconcile(nightly=True)
    assert drifts(world) == {"refused": 1}
    assert world.calendar.asked.count("cancel") == 1
    assert [each.tally["destructive"] for each in world.reports if each.tally["destructive"]] == [1]
    (kept,) = confirmed(world)
    assert (kept.segments[0].uid, kept.source, kept.slot.start) == (booking.uid, "calcom", TEN)
    assert not isinstance(world.phone("call_2").book(DAY, "10:00", staff="Fabian"), Booked)
    assert (violations(world), list(unequal(world.look()))) == ([], [])


@pytest.mark.parametrize(
    "answer",
    [Unclear("ReadTimeout"), NotSent("429"), Refused(Refusal.CONFLICT, "HTTP 409")],
    ids=str,
)
def test_what_was_not_cancelled_this_time_is_tried_again_and_told_to_nobody(answer: CancelAnswer) -> None:
    world = World()
    booking = to_be_cancelled(world)
    world.calendar.cancel_faults.append(answer)
    repair = assess(world.background(ONE_S, "worker"), booking)
    assert carry_out(world.background(ONE_S, "worker"), repair) is Converged.LATER
    assert (confirmed(world), drifts(world)) == ([], {})
    assert look_at(world, booking.uid) is Converged.ORPHAN_CANCELLED


@pytest.mark.parametrize("trouble", [Unclear("HTTP 502"), NotSent("429")], ids=str)
def test_what_cannot_be_read_once_more_is_not_cancelled(
    trouble: CalendarTrouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it was decided on may have been an old list; since then somebody may have made it theirs."""
    world = World()
    booking = to_be_cancelled(world)
    with monkeypatch.context() as patch:
        patch.setattr(world.calendar, "booking", lambda *_, **__: trouble)
        assert look_at(world, booking.uid) is Converged.LATER
    assert ([each.uid for each in world.calendar.accepted()], confirmed(world)) == ([booking.uid], [])
    assert "cancel" not in world.calendar.asked
    assert look_at(world, booking.uid) is Converged.ORPHAN_CANCELLED


def test_what_somebody_has_taken_in_since_it_was_decided_is_not_cancelled() -> None:
    """Two look at a late booking; for the slower one its time was taken when it looked."""
    world = World()
    booking, failed = late(world)
    assert look_at(world, booking.uid) is Converged.ADOPTED
    assert carry_out(world.background(ONE_S, "worker"), CancelOrphan(failed, booking)) is Converged.LATER
    assert "cancel" not in world.calendar.asked
    assert [each.segments[0].uid for each in confirmed(world)] == [booking.uid]
    assert (violations(world), list(unequal(world.look()))) == ([], [])


def test_a_late_booking_that_is_over_is_told_of_once_and_not_tried_again() -> None:
    world = World()
    booking = to_be_cancelled(world)
    world.run(90_000)
    world.calendar.cancel_faults.extend([Refused(Refusal.NOT_ALLOWED, "HTTP 400")] * 10)
    assert look_at(world, booking.uid) is Converged.ORPHAN_KEPT
    assert look_at(world, booking.uid) is Converged.EQUAL
    assert drifts(world) == {"refused": 1}


def test_an_orphan_of_a_stylist_who_has_left_is_kept_as_theirs() -> None:
    world = World()
    booking = to_be_cancelled(world)
    world.calendar.bookings[booking.uid] = replace(booking, host=99)
    world.calendar.cancel_faults.append(Refused(Refusal.NOT_ALLOWED, "HTTP 400"))
    work = world.background(ONE_S, "worker")
    (failed,) = world.look().appointments.values()
    assert carry_out(work, CancelOrphan(failed, booking)) is Converged.ORPHAN_KEPT
    (kept,) = confirmed(world)
    assert kept.staff == "fabian"
    assert not isinstance(assess(work, world.calendar.bookings[booking.uid]), CancelOrphan)


def test_a_booking_that_is_touched_between_two_tries_to_cancel_it_is_the_salons() -> None:
    world = World()
    booking = to_be_cancelled(world)
    world.calendar.cancel_faults.append(Unclear("ReadTimeout"))
    repair = assess(world.background(ONE_S, "worker"), booking)
    assert carry_out(world.background(ONE_S, "worker"), repair) is Converged.LATER
    world.run(60)
    world.calendar.change(booking.uid, attendee_name="Herr Hans")
    for _ in range(2):
        look_at(world, booking.uid)
    (theirs,) = confirmed(world)
    assert (theirs.segments[0].uid, theirs.source, drifts(world)) == (booking.uid, "calcom", {"taken_over": 1})
    assert world.calendar.asked.count("cancel") == 1
    assert (violations(world), list(unequal(world.look()))) == ([], [])


# An open booking that somebody has edited, and then moved


def test_an_open_booking_that_was_edited_to_another_day_and_then_moved_is_followed() -> None:
    """Where it came from lies outside the days that are searched; it is read by its uid."""
    world = World(Layer.SWEEPER)
    world.begin_schedules()
    world.salon.open(DAY, first="10:00", last="10:00")
    world.calendar.faults.append(lost_after)
    assert isinstance(world.phone().book(DAY, "10:00", staff="Fabian"), StillOpen)
    (booking,) = world.calendar.accepted()
    world.run(12)
    far = TEN + timedelta(days=3)
    world.calendar.change(booking.uid, start=far, end=far + timedelta(minutes=30))
    world.run(5)
    moved = world.calendar.move(booking.uid, TEN + HOUR)
    world.run(600)
    (ours,) = confirmed(world)
    assert (ours.segments[0].uid, ours.slot.start) == (moved.uid, TEN + HOUR)
    assert texts(world) == {ours.id: ["booked"]}
    assert (violations(world), list(unequal(world.look()))) == ([], [])


# Messages that nobody has sent yet


@pytest.mark.parametrize(
    ("how", "kind"), [("cancelled", "cancelled"), ("moved", "moved"), ("another stylist", "moved")]
)
def test_a_message_that_nobody_has_sent_says_what_is_true_now(how: str, kind: str) -> None:
    world = World()
    booking = booked(world)
    look_at(world, GOES[how](world, booking))
    assert [each for kinds in texts(world).values() for each in kinds] == [kind]


@pytest.mark.parametrize(("how", "kind"), [("cancelled", "not_booked"), ("moved", "booked")])
def test_who_has_not_heard_booked_hears_the_end_of_it(how: str, kind: str) -> None:
    """Settled in the background: "booked" is the first they hear of it, wherever it stands."""
    world = World()
    world.salon.open(DAY, first="10:00", last="10:00")

    def lost(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
        calendar.hidden[calendar.insert(request).uid] = world.clock.now() + timedelta(seconds=10)
        return Unclear("ReadTimeout")

    world.calendar.faults.append(lost)
    assert isinstance(world.phone().book(DAY, "10:00", staff="Fabian"), StillOpen)
    world.run(60)
    world.sweep()
    assert [each for kinds in texts(world).values() for each in kinds] == ["booked"]
    (booking,) = world.calendar.accepted()
    look_at(world, GOES[how](world, booking))
    assert [each for kinds in texts(world).values() for each in kinds] == [kind]


def test_a_message_that_is_being_sent_is_left_alone() -> None:
    world = World()
    booking = booked(world)
    (row,) = world.rows("OUT")
    world.client.put_item(TableName=world.salon.table_name, Item=row | {"state": {"S": "SENDING"}})
    world.calendar.cancel_by_hand(booking.uid)
    assert look_at(world, booking.uid) is Converged.ENDED
    assert [each["kind"]["S"] for each in world.rows("OUT")] == ["booked"]


def test_a_message_that_somebody_takes_to_send_meanwhile_keeps_its_words_and_the_end_is_written_all_the_same() -> None:
    """Read as NEW, and no longer NEW when the end is written: the end is decided anew."""
    world = World()
    booking = booked(world)
    (row,) = world.rows("OUT")
    world.calendar.cancel_by_hand(booking.uid)
    write = world.client.transact_write_items
    taken: list[bool] = []

    def overtaken(**request: object) -> object:
        if not taken:
            taken.append(True)
            world.client.put_item(TableName=world.salon.table_name, Item=row | {"state": {"S": "SENDING"}})
        return write(**request)

    world.client.transact_write_items = overtaken  # type: ignore[method-assign]
    assert look_at(world, booking.uid) is Converged.ENDED
    assert [each["kind"]["S"] for each in world.rows("OUT")] == ["booked"]
