"""Booking a composite service: all of its busy parts at Cal.com, or none, and no sentence that is not so."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bookend.application import alerts as alert
from bookend.application.outcomes import (
    Booked,
    BookOutcome,
    Forbidden,
    HasOne,
    NotBooked,
    Offers,
    Reason,
    SlotTaken,
    StillOpen,
    TemporaryTrouble,
)
from bookend.application.ports import BookingRequest, Job
from bookend.domain.answers import (
    Answered,
    Booking,
    CreateAnswer,
    KeyRejected,
    NotSent,
    NotThere,
    Refusal,
    Refused,
    Unclear,
)
from bookend.domain.appointment import Appointment, AppointmentState, Told
from bookend.domain.staff_day import IntervalState
from bookend.domain.tenant import Segment, SegmentKind, Tenant
from tests.support.calendar import BUSY, FakeCalendar, Fault, lost_before, lost_but_shown
from tests.support.invariants import Heard, look_at, violations
from tests.support.salon import Phone, Salon, example_tenant
from tests.support.tables.faults import Fault as StoreFault

FRIDAY = "2025-11-28"
I4 = datetime(2025, 11, 23, 21, 5, 20, tzinfo=UTC)
TEN = datetime(2025, 11, 28, 9, 0, tzinfo=UTC)
"""10:00 in Berlin."""
PERM = "Dauerwelle"
FIRST, SECOND, THIRD = 3757749, 3757750, 3757751


def longer() -> Tenant:
    """The salon whose perm has a third busy part, right after the second one."""
    tenant = example_tenant()
    *others, perm = tenant.services
    third = Segment(SegmentKind.BUSY, 15, {"fabian": THIRD})
    return replace(tenant, services=(*others, replace(perm, segments=(*perm.segments, third))))


def opened(tenant: Tenant | None = None) -> Salon:
    salon = Salon(now=I4, tenant=tenant or example_tenant())
    salon.open(FRIDAY, first="09:00", last="17:30", every=15)
    return salon


@pytest.fixture
def salon() -> Salon:
    return opened()


def perm(phone: Phone, time: str = "10:00", **said: str | None) -> BookOutcome:
    return phone.book(FRIDAY, time, **({"service": PERM, "staff": "Fabian", "name": "Siegfried Reu"} | said))


def offered(phone: Phone, time: str = "10:00") -> str:
    outcome = phone.check(FRIDAY, time, service=PERM, staff="Fabian")
    assert isinstance(outcome, Offers)
    return outcome.offers[0].id


def only(salon: Salon) -> Appointment:
    (appointment,) = look_at(salon).appointments.values()
    return appointment


def spans(salon: Salon) -> list[tuple[str, str]]:
    """What lives at Cal.com, in the salon's time."""
    zone = salon.tenant.zone
    return sorted(
        (f"{each.start.astimezone(zone):%H:%M}", f"{each.end.astimezone(zone):%H:%M}")
        for each in salon.calendar.accepted()
    )


def firm(salon: Salon) -> list[str]:
    """Keys of what is taken in the ledger, and how firmly."""
    found = {
        f"{key.partition('/')[2]}:{each.state.value}"
        for intervals in look_at(salon).ledger.values()
        for key, each in intervals.items()
        if each.state is not IntervalState.HELD
    }
    return sorted(found)


def sound(salon: Salon, outcome: BookOutcome, call: str = "call_1", **more: Any) -> None:
    assert violations(salon, [Heard(call, outcome, TEN)], **more) == []


def on_part(number: int, fault: Fault) -> Callable[[FakeCalendar, BookingRequest], CreateAnswer]:
    """A fault of one part; the others are booked."""

    def answer(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
        return fault(calendar, request) if request.metadata["segment"] == str(number) else calendar.make(request)

    return answer


def failing(salon: Salon, *numbers: int, fault: Fault) -> None:
    """The next bookings, of which those parts fail."""

    def answer(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
        return fault(calendar, request) if int(request.metadata["segment"]) in numbers else calendar.make(request)

    salon.calendar.faults.extend([answer] * 3)


def told(answer: CreateAnswer) -> Fault:
    return lambda _calendar, _request: answer


def made_wrong(**wrong: Callable[[Booking], Any]) -> Fault:
    def fault(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
        right = calendar.insert(request)
        booking = replace(right, **{name: value(right) for name, value in wrong.items()})
        calendar.bookings[right.uid] = booking
        return Answered(booking)

    return fault


LONGER = made_wrong(end=lambda booking: booking.end + timedelta(minutes=15))


def somebody_elses(salon: Salon) -> Fault:
    theirs = salon.calendar.book_publicly(2563195, datetime(2025, 11, 28, 16, 0, tzinfo=UTC))
    return told(Answered(theirs))


class TestBooked:
    def test_the_perm_of_the_incident_is_two_bookings_and_one_appointment(self, salon: Salon) -> None:
        phone = salon.call()
        outcome = perm(phone, offer=offered(phone))
        assert isinstance(outcome, Booked)
        assert spans(salon) == [("10:00", "10:45"), ("11:45", "12:15")]
        appointment = only(salon)
        assert appointment.state is AppointmentState.CONFIRMED
        assert [(each.index, each.event_type, each.staff) for each in appointment.segments] == [
            (0, FIRST, "fabian"),
            (1, SECOND, "fabian"),
        ]
        labels = [(b.metadata["segment"], b.metadata["op_id"]) for b in salon.calendar.accepted()]
        assert labels == [("0", appointment.op), ("1", appointment.op)]
        assert firm(salon) == ["0:C", "1:C"]
        assert look_at(salon).outbox == {appointment.id: ["booked"]}
        sound(salon, outcome)

    def test_it_is_said_as_one_appointment(self, salon: Salon) -> None:
        phone = salon.call()
        reply = phone.said(perm(phone, offer=offered(phone)))
        assert reply["status"] == "booked"
        for word in ("Dauerwelle", "10 Uhr", "28. November", "Fabian"):
            assert word in reply["message"]

    def test_without_an_offer_it_is_looked_up_and_booked(self, salon: Salon) -> None:
        outcome = perm(salon.call())
        assert isinstance(outcome, Booked)
        assert spans(salon) == [("10:00", "10:45"), ("11:45", "12:15")]
        sound(salon, outcome)

    def test_three_parts_of_which_two_follow_at_once(self) -> None:
        salon = opened(longer())
        phone = salon.call()
        outcome = perm(phone, offer=offered(phone))
        assert isinstance(outcome, Booked)
        assert spans(salon) == [("10:00", "10:45"), ("11:45", "12:15"), ("12:15", "12:30")]
        sound(salon, outcome)

    def test_a_hold_that_has_expired_is_taken_anew_as_a_whole(self, salon: Salon) -> None:
        phone = salon.call()
        offer = offered(phone)
        salon.clock.advance(130)
        outcome = perm(phone, offer=offer)
        assert isinstance(outcome, Booked)
        assert firm(salon) == ["0:C", "1:C"]
        sound(salon, outcome)

    def test_who_takes_a_part_after_the_hold_expired_keeps_it_and_nothing_is_asked(self, salon: Salon) -> None:
        phone = salon.call()
        offer = offered(phone)
        salon.clock.advance(130)
        rival = salon.call("call_2", caller="+491709999999")
        assert isinstance(rival.book(FRIDAY, "11:45", staff="Fabian"), Booked)
        outcome = perm(phone, offer=offer)
        assert isinstance(outcome, SlotTaken)
        assert outcome.reason is Reason.RACE
        assert outcome.offers
        assert len(salon.calendar.accepted()) == 1
        sound(salon, outcome)

    def test_the_gap_is_sold_to_another_and_both_stand(self, salon: Salon) -> None:
        phone = salon.call()
        assert isinstance(perm(phone, offer=offered(phone)), Booked)
        phone.hang_up()  # what else they were offered is in the gap too
        other = salon.call("call_2", caller="+491709999999")
        outcome = other.book(FRIDAY, "10:45", staff="Fabian")
        assert isinstance(outcome, Booked)
        assert spans(salon) == [("10:00", "10:45"), ("10:45", "11:15"), ("11:45", "12:15")]
        sound(salon, outcome, "call_2")

    def test_two_perms_in_each_others_gaps(self, salon: Salon) -> None:
        one, other = salon.call("call_1"), salon.call("call_2", caller="+491709999999")
        assert isinstance(perm(one), Booked)
        assert isinstance(perm(other, "10:45", name="Erika Muster"), Booked)
        assert spans(salon) == [("10:00", "10:45"), ("10:45", "11:30"), ("11:45", "12:15"), ("12:30", "13:00")]
        assert violations(salon) == []

    def test_the_same_wish_again_gets_the_same_answer_and_sends_nothing(self, salon: Salon) -> None:
        phone = salon.call()
        perm(phone, offer=offered(phone))
        sent = salon.calendar.asked.count("create")
        again = perm(phone, "10 Uhr", name="Herr Siegfried Reu")
        assert isinstance(again, Booked)
        assert salon.calendar.asked.count("create") == sent == 2

    def test_the_same_customer_has_it_already(self, salon: Salon) -> None:
        perm(salon.call("call_1"))
        assert isinstance(perm(salon.call("call_2")), HasOne | SlotTaken)
        assert len(salon.calendar.accepted()) == 2

    def test_parts_over_midnight_utc_stand_on_the_days_that_they_touch(self) -> None:
        salon = Salon(now=I4)
        midnight = datetime(2025, 11, 29, 0, 0, tzinfo=UTC)
        for event_type in (FIRST, SECOND):
            salon.calendar.starts[event_type] = [midnight + timedelta(minutes=n) for n in range(-60, 120, 15)]
        phone = salon.call()
        outcome = phone.check(FRIDAY, service=PERM)
        outcome = phone.check("2025-11-29", service=PERM) if not isinstance(outcome, Offers) else outcome
        assert isinstance(outcome, Offers)
        booked = phone.book(offer=outcome.offers[0].id, service=None, name="Siegfried Reu")
        assert isinstance(booked, Booked)
        days = {str(day) for (_, day), each in look_at(salon).ledger.items() if each}
        assert days == {"2025-11-28", "2025-11-29"}
        assert violations(salon) == []


class TestTheDocumentChanges:
    def change(self, salon: Salon, tenant: Tenant) -> Phone:
        salon.tenant = tenant
        return salon.call()

    def test_an_offer_of_two_parts_is_not_booked_as_three(self, salon: Salon) -> None:
        offer = offered(salon.call())
        assert isinstance(perm(self.change(salon, longer()), offer=offer), NotBooked)
        assert salon.calendar.bookings == {}

    def test_an_offer_of_parts_is_not_booked_as_a_plain_service(self, salon: Salon) -> None:
        offer = offered(salon.call())
        *others, service = salon.tenant.services
        plain = replace(service, segments=service.segments[:1])
        outcome = perm(self.change(salon, replace(salon.tenant, services=(*others, plain))), offer=offer)
        assert isinstance(outcome, NotBooked)
        assert salon.calendar.bookings == {}

    def test_a_plain_offer_is_not_booked_as_parts(self, salon: Salon) -> None:
        phone = salon.call()
        outcome = phone.check(FRIDAY, "10:00", staff="Fabian")
        assert isinstance(outcome, Offers)
        haircut, *others = salon.tenant.services
        parts = replace(haircut, segments=(*haircut.segments, Segment(SegmentKind.BUSY, 15, {"fabian": THIRD})))
        phone = self.change(salon, replace(salon.tenant, services=(parts, *others)))
        assert isinstance(phone.book(offer=outcome.offers[0].id), NotBooked)
        assert salon.calendar.bookings == {}

    def test_a_part_of_another_length_is_not_booked(self, salon: Salon) -> None:
        offer = offered(salon.call())
        *others, service = salon.tenant.services
        first, *rest = service.segments
        changed = replace(service, segments=(replace(first, minutes=60), *rest))
        outcome = perm(self.change(salon, replace(salon.tenant, services=(*others, changed))), offer=offer)
        assert isinstance(outcome, NotBooked)


PARTS = [numbers for size in (1, 2) for numbers in itertools.combinations(range(3), size)]
ALL = (0, 1, 2)


class TestAPartIsNotToBeHad:
    @pytest.mark.parametrize("numbers", [*PARTS, ALL])
    def test_taken_parts_take_the_others_back_and_the_caller_hears_alternatives(self, numbers: tuple[int, ...]) -> None:
        salon = opened(longer())
        phone = salon.call()
        offer = offered(phone)
        failing(salon, *numbers, fault=told(BUSY))
        outcome = perm(phone, offer=offer)
        assert isinstance(outcome, SlotTaken)
        assert outcome.reason is Reason.RACE
        assert outcome.offers
        assert all(each.parts for each in outcome.offers)
        assert salon.calendar.accepted() == []
        assert all(each.called_off for each in salon.calendar.bookings.values()), "with a reason"
        appointment = only(salon)
        assert (appointment.state, appointment.why) == (AppointmentState.FAILED, "taken")
        assert firm(salon) == []
        assert look_at(salon).outbox == {}, "they have heard it, so no message is owed"
        sound(salon, outcome)

    def test_what_is_offered_instead_can_be_booked(self, salon: Salon) -> None:
        phone = salon.call()
        offer = offered(phone)
        failing(salon, 1, fault=told(BUSY))
        outcome = perm(phone, offer=offer)
        assert isinstance(outcome, SlotTaken)
        salon.calendar.faults.clear()
        chosen = outcome.offers[0]
        booked = phone.book(offer=chosen.id, service=None, name="Siegfried Reu")
        assert isinstance(booked, Booked)
        assert sorted(each.start for each in salon.calendar.accepted()) == [each.start for each in chosen.parts]
        assert violations(salon) == []

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (Refused(Refusal.PAST, "x"), Forbidden),
            (Refused(Refusal.OUT_OF_BOUNDS, "x"), Forbidden),
            (Refused(Refusal.LIMIT, "x"), Forbidden),
            (Refused(Refusal.INVALID, "x"), NotBooked),
            (NotThere("x"), NotBooked),
            (KeyRejected("x"), TemporaryTrouble),
            (NotSent("HTTP 429", retry_after_s=30.0), TemporaryTrouble),
        ],
    )
    @pytest.mark.parametrize("number", ALL)
    def test_every_definite_no_has_its_own_words_and_leaves_nothing(
        self, answer: CreateAnswer, kind: type, number: int
    ) -> None:
        salon = opened(longer())
        failing(salon, number, fault=told(answer))
        outcome = perm(salon.call())
        assert isinstance(outcome, kind)
        assert salon.calendar.accepted() == []
        assert only(salon).state is AppointmentState.FAILED
        assert look_at(salon).outbox == {}
        sound(salon, outcome)

    def test_a_time_that_is_taken_is_said_whatever_else_went_wrong(self) -> None:
        salon = opened(longer())
        answers = iter([NotSent("HTTP 429", retry_after_s=9.0), BUSY, Refused(Refusal.LIMIT, "x")])
        salon.calendar.faults.extend([lambda _c, _r: next(answers)] * 3)
        outcome = perm(salon.call())
        assert isinstance(outcome, SlotTaken)
        assert only(salon).why == "taken"
        assert salon.calendar.asked.count("cancel") == 0, "nothing was booked"

    def test_somebody_elses_booking_is_not_ours_and_stays(self, salon: Salon) -> None:
        fault = somebody_elses(salon)
        failing(salon, 1, fault=fault)
        outcome = perm(salon.call())
        assert isinstance(outcome, SlotTaken)
        assert [each.metadata for each in salon.calendar.accepted()] == [{}]
        assert alert.FOREIGN_BOOKING in [each.kind for each in salon.alerts.raised]
        sound(salon, outcome, foreign=[each.uid for each in salon.calendar.accepted()])

    @pytest.mark.parametrize("numbers", [*PARTS, ALL])
    def test_a_part_that_ends_otherwise_than_asked_is_never_booked(self, numbers: tuple[int, ...]) -> None:
        salon = opened(longer())
        failing(salon, *numbers, fault=LONGER)
        outcome = perm(salon.call())
        assert isinstance(outcome, NotBooked | SlotTaken), "the second one, if it is longer, is in the third one's way"
        assert salon.calendar.accepted() == []
        assert alert.WRONG_BOOKING in [each.kind for each in salon.alerts.raised]
        sound(salon, outcome)

    def test_one_booking_does_not_stand_for_two_parts(self, salon: Salon) -> None:
        """Cal.com answers both with bookings of one id."""
        made: list[Booking] = []

        def twice(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
            booking = calendar.insert(request)
            if made:
                booking = replace(booking, id=made[0].id)
                calendar.bookings[booking.uid] = booking
            made.append(booking)
            return Answered(booking)

        salon.calendar.faults.extend([twice] * 2)
        outcome = perm(salon.call())
        assert isinstance(outcome, NotBooked)
        assert salon.calendar.accepted() == []

    def test_a_uid_that_has_an_owner_is_left_to_them(self, salon: Salon) -> None:
        other = salon.call("call_2", caller="+491709999999")
        assert isinstance(other.book(FRIDAY, "15:00", staff="Fabian"), Booked)
        (theirs,) = salon.calendar.accepted()

        def under_our_label(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
            ours = calendar.insert(request)
            del calendar.bookings[ours.uid]
            return Answered(replace(ours, uid=theirs.uid, id=theirs.id))

        failing(salon, 0, fault=under_our_label)
        outcome = perm(salon.call())
        assert isinstance(outcome, SlotTaken)
        assert [each.uid for each in salon.calendar.accepted()] == [theirs.uid]
        assert violations(salon) == []

    def test_a_part_that_never_left_is_sent_again_and_no_other(self, salon: Salon) -> None:
        salon.calendar.faults.append(on_part(0, told(NotSent("ConnectError"))))
        outcome = perm(salon.call())
        assert isinstance(outcome, Booked)
        assert salon.calendar.asked.count("create") == 3
        sound(salon, outcome)

    def test_a_part_that_never_left_is_not_sent_again_where_another_is_taken(self, salon: Salon) -> None:
        salon.calendar.faults.extend([told(NotSent("ConnectError")), told(BUSY)])
        assert isinstance(perm(salon.call()), SlotTaken)
        assert salon.calendar.asked.count("create") == 2


class TestNotAllIsGoneWithinTheTurn:
    def open(self, salon: Salon, trouble: Any) -> BookOutcome:
        failing(salon, 1, fault=told(BUSY))
        salon.calendar.cancel_faults.append(trouble)
        return perm(salon.call())

    @pytest.mark.parametrize("trouble", [Unclear("x"), NotSent("x"), NotThere("x"), KeyRejected("x")])
    def test_it_is_open_and_blocked_and_somebody_looks_soon(self, salon: Salon, trouble: Any) -> None:
        outcome = self.open(salon, trouble)
        assert isinstance(outcome, StillOpen)
        appointment = only(salon)
        assert (appointment.state, appointment.told) == (AppointmentState.COMPENSATING, Told.PENDING)
        assert appointment.why == "taken"
        assert firm(salon) == ["0:P", "1:P"]
        assert [job for job, _ in salon.queue.jobs] == [Job("settle", salon.tenant.id, appointment.id)]
        assert look_at(salon).outbox == {}, "how it ends is told when it has ended"
        sound(salon, outcome)

    def test_the_same_wish_meanwhile_hears_that_it_is_open(self, salon: Salon) -> None:
        self.open(salon, Unclear("x"))
        outcome = perm(salon.call())
        assert isinstance(outcome, StillOpen)
        sound(salon, outcome)

    def test_a_twin_that_was_told_open_is_owed_its_message(self, salon: Salon) -> None:
        """The same wish, delivered twice: the second one asks while the first one takes its part back."""
        heard: list[BookOutcome] = []

        def meanwhile(calendar: FakeCalendar, uid: str) -> Any:
            heard.append(perm(salon.call()))
            return calendar.cancel(uid, "x", deadline=salon.call().turn(1.0).deadline)

        outcome = self.open(salon, meanwhile)
        assert isinstance(outcome, SlotTaken)
        assert [type(each) for each in heard] == [StillOpen]
        assert look_at(salon).outbox == {only(salon).id: ["not_booked"]}
        sound(salon, outcome)


class TestUnknown:
    def test_found_at_once_it_is_booked(self) -> None:
        salon = opened(longer())
        failing(salon, 0, 2, fault=lost_but_shown)
        outcome = perm(salon.call())
        assert isinstance(outcome, Booked)
        assert salon.calendar.asked.count("list") == 1, "one look finds all"
        sound(salon, outcome)

    @pytest.mark.parametrize("numbers", [*PARTS, ALL])
    def test_not_found_it_is_open_and_what_is_known_is_on_record(self, numbers: tuple[int, ...]) -> None:
        salon = opened(longer())
        failing(salon, *numbers, fault=lost_before)
        outcome = perm(salon.call())
        assert isinstance(outcome, StillOpen)
        appointment = only(salon)
        assert (appointment.state, appointment.told) == (AppointmentState.PENDING, Told.PENDING)
        assert [each.uid is None for each in appointment.segments] == [each in numbers for each in ALL]
        assert firm(salon) == ["0:P", "1:P", "2:P"]
        assert len(salon.calendar.accepted()) == 3 - len(numbers), "nothing is taken back yet"
        assert [type(job) for job, _ in salon.queue.jobs] == [Job]
        sound(salon, outcome)

    def test_with_a_refusal_beside_it_what_is_known_goes_and_the_rest_is_waited_for(self) -> None:
        salon = opened(longer())
        salon.calendar.faults.extend([told(BUSY), lost_before])
        outcome = perm(salon.call())
        assert isinstance(outcome, StillOpen)
        appointment = only(salon)
        assert (appointment.state, appointment.told) == (AppointmentState.COMPENSATING, Told.PENDING)
        assert salon.calendar.accepted() == []
        assert firm(salon) == ["0:P", "1:P", "2:P"]
        sound(salon, outcome)

    def test_with_a_refusal_beside_it_what_is_found_goes_at_once(self, salon: Salon) -> None:
        salon.calendar.faults.extend([told(BUSY), lost_but_shown])
        outcome = perm(salon.call())
        assert isinstance(outcome, SlotTaken)
        assert salon.calendar.accepted() == []
        sound(salon, outcome)

    def test_more_than_was_asked_for_is_left_to_be_taken_back(self, salon: Salon) -> None:
        def twice(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
            calendar.insert(request)
            calendar.insert(request)
            return Unclear("x")

        failing(salon, 1, fault=twice)
        assert isinstance(perm(salon.call()), StillOpen)
        assert only(salon).state is AppointmentState.COMPENSATING


class TestTheStoreIsAway:
    @pytest.mark.parametrize("skip", [1, 2])
    @pytest.mark.parametrize("fault", [StoreFault.NOT_SENT, StoreFault.LOST_ANSWER])
    def test_what_cannot_be_written_down_is_open(self, salon: Salon, skip: int, fault: StoreFault) -> None:
        phone = salon.call()
        offer = offered(phone)
        failing(salon, 1, fault=told(BUSY))
        salon.client.faults.next("transact_write_items", fault, skip=skip, times=99)
        outcome = perm(phone, offer=offer)
        salon.client.faults.clear()
        assert isinstance(outcome, StillOpen | SlotTaken)
        sound(salon, outcome, told_may_lag=True)

    def test_a_confirmation_that_took_effect_unheard_is_booked(self, salon: Salon) -> None:
        phone = salon.call()
        offer = offered(phone)
        salon.client.faults.next("transact_write_items", StoreFault.LOST_ANSWER, skip=1)
        outcome = perm(phone, offer=offer)
        assert isinstance(outcome, Booked)
        sound(salon, outcome)


def test_who_wakes_too_late_cancels_every_part(salon: Salon) -> None:
    """Others have given the operation up while its requests were on their way."""

    def given_up(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
        now_is = salon.appointments.appointment(salon.tenant.id, request.metadata["appointment"])
        assert now_is is not None
        salon.appointments.release(
            salon.tenant.id, now_is, why="never_arrived", answer="", alert=None, now=salon.clock.now()
        )
        return calendar.make(request)

    salon.calendar.faults.append(given_up)
    outcome = perm(salon.call())
    assert isinstance(outcome, NotBooked)
    assert salon.calendar.accepted() == []
    assert [each.kind for each in salon.alerts.raised].count(alert.WOKE_TOO_LATE) == 2
    sound(salon, outcome)


def test_who_wakes_while_others_take_it_back_hears_that_it_is_open(salon: Salon) -> None:
    """It is not over yet: "nicht gebucht" would be said of something that may still be there."""

    def being_undone(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
        now_is = salon.appointments.appointment(salon.tenant.id, request.metadata["appointment"])
        assert now_is is not None
        salon.appointments.must_undo(salon.tenant.id, now_is, {}, why="wrong", alert=None, now=salon.clock.now())
        return calendar.make(request)

    salon.calendar.faults.append(being_undone)
    outcome = perm(salon.call())
    assert isinstance(outcome, StillOpen)
    assert salon.calendar.accepted() == []
    sound(salon, outcome)
