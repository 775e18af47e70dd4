"""Booking: what is said, what is on record and what is at Cal.com, whatever Cal.com answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bookend.application.alerts import FOREIGN_BOOKING, KEY_REJECTED, OUTCOME_UNKNOWN, REQUEST_REFUSED, WOKE_TOO_LATE
from bookend.application.alerts import WRONG_BOOKING as WRONG
from bookend.application.book_appointment import book_appointment
from bookend.application.outcomes import (
    Booked,
    BookOutcome,
    Forbidden,
    HasOne,
    Missing,
    NeedInfo,
    NotBooked,
    Offers,
    PastTime,
    Reason,
    Rule,
    SlotTaken,
    StillOpen,
    TemporaryTrouble,
)
from bookend.application.ports import BookingRequest, Job, StoreUnavailable
from bookend.domain.answers import Answered, CreateAnswer, KeyRejected, NotSent, NotThere, Refusal, Refused, Unclear
from bookend.domain.appointment import Appointment, AppointmentState, Told
from bookend.domain.availability import HOLD
from bookend.domain.contacts import normalise_email
from bookend.domain.staff_day import IntervalState
from tests.application.battery import (
    FOREIGN_CALL,
    busy,
    by_another,
    existing,
    foreign_booking,
    longer,
    no_connection,
    unlabelled,
)
from tests.support.calendar import BUSY, FakeCalendar, Fault, lost_after, lost_before, lost_but_shown
from tests.support.invariants import Heard, look_at, violations
from tests.support.salon import Phone, Salon, wish
from tests.support.tables.faults import Fault as StoreFault

TUESDAY = "2025-10-28"
TEN = datetime(2025, 10, 28, 9, 0, tzinfo=UTC)
S = AppointmentState


@pytest.fixture
def salon() -> Salon:
    salon = Salon()
    salon.open(TUESDAY)
    return salon


@pytest.fixture
def phone(salon: Salon) -> Phone:
    """A caller who was offered 10:00, 9:30 and 10:30 with Fabian."""
    phone = salon.call()
    assert isinstance(phone.check(TUESDAY, "10:00", staff="Fabian"), Offers)
    return phone


def ten(phone: Phone, /, **said: str | None) -> BookOutcome:
    return phone.book(TUESDAY, "10:00", **({"staff": "Fabian"} | said))


def sound(phone: Phone, *outcomes: BookOutcome, **allowed: Any) -> None:
    heard = [Heard(phone.as_call.id, each, TEN) for each in outcomes]
    assert violations(phone.salon, heard, **allowed) == []


def recorded(salon: Salon) -> list[Appointment]:
    return list(look_at(salon).appointments.values())


def only(salon: Salon) -> Appointment:
    (appointment,) = recorded(salon)
    return appointment


def taken_states(salon: Salon) -> list[str]:
    world = look_at(salon)
    return [
        each.state.value
        for intervals in world.ledger.values()
        for each in intervals.values()
        if each.state is not IntervalState.HELD
    ]


def as_answer(answer: CreateAnswer) -> Fault:
    return lambda _calendar, _request: answer


def offer_ids(phone: Phone, outcome: object) -> list[str]:
    assert isinstance(outcome, Offers)
    return [each.id for each in outcome.offers]


class TestBooked:
    def test_on_both_sides_and_said_with_weekday_and_date(self, salon: Salon, phone: Phone) -> None:
        outcome = ten(phone)
        assert isinstance(outcome, Booked)
        reply = phone.said(outcome)
        assert reply["status"] == "booked"
        assert "am Dienstag, 28. Oktober, um 10 Uhr" in reply["message"]
        assert "Fabian Spitzer" in reply["message"]
        (booking,) = salon.calendar.accepted()
        appointment = only(salon)
        assert (appointment.state, appointment.told) == (S.CONFIRMED, Told.BOOKED)
        assert appointment.verified_at == salon.clock.now()
        assert appointment.segments[0].uid == booking.uid
        assert booking.metadata == {
            "op_id": appointment.op,
            "appointment": appointment.id,
            "segment": "0",
            "call_id": "call_1",
        }
        sound(phone, outcome)

    def test_by_the_id_of_an_offer_alone(self, salon: Salon) -> None:
        phone = salon.call()
        ids = offer_ids(phone, phone.check(TUESDAY, "10:00", staff="Fabian"))
        outcome = phone.book(offer=ids[1], service=None)
        assert isinstance(outcome, Booked)
        assert only(salon).slot.start == TEN - timedelta(minutes=30)

    @pytest.mark.parametrize("time", ["10:30", "10 Uhr 30", "halb elf"])
    def test_by_the_bare_time_of_an_offer_on_another_day(self, salon: Salon, phone: Phone, time: str) -> None:
        assert isinstance(phone.book(None, time), Booked)
        assert only(salon).slot.start == TEN + timedelta(minutes=30)

    def test_by_yes_when_there_was_but_one_offer(self, salon: Salon) -> None:
        salon.calendar.starts = {3672814: [TEN]}
        phone = salon.call()
        phone.check(TUESDAY, "10:00")
        assert isinstance(phone.book(), Booked)

    def test_yes_to_several_offers_is_a_question(self, salon: Salon, phone: Phone) -> None:
        assert phone.book() == NeedInfo(Missing.TIME)
        assert recorded(salon) == []

    def test_a_time_that_was_not_offered_is_looked_up_first(self, salon: Salon, phone: Phone) -> None:
        outcome = phone.book(TUESDAY, "15:00")
        assert isinstance(outcome, Booked)
        assert salon.calendar.asked[-3:] == ["slots", "slots", "create"]
        sound(phone, outcome)

    def test_a_time_that_is_not_on_sale_is_not_sent(self, salon: Salon, phone: Phone) -> None:
        outcome = phone.book(TUESDAY, "20:00")
        assert isinstance(outcome, SlotTaken)
        assert outcome.reason is Reason.NOT_FREE
        assert outcome.offers
        assert "create" not in salon.calendar.asked
        assert phone.said(outcome)["reason"] == "not_available"
        sound(phone, outcome)

    def test_without_any_check_before(self, salon: Salon) -> None:
        phone = salon.call()
        outcome = ten(phone)
        assert isinstance(outcome, Booked)
        sound(phone, outcome)

    def test_a_second_booking_of_the_caller_never_overlaps_the_first(self, salon: Salon, phone: Phone) -> None:
        assert isinstance(ten(phone), Booked)
        outcome = phone.book(TUESDAY, "10:00", service="Damenhaarschnitt", staff="Fabian")
        assert isinstance(outcome, SlotTaken)
        assert len(salon.calendar.accepted()) == 1
        sound(phone)


class TestNotOffered:
    def test_it_takes_four_requests_to_the_table_and_knows_the_customer_again(self, salon: Salon) -> None:
        salon.open("2025-10-29")
        phone = salon.call()
        assert isinstance(ten(phone, email="hans@example.org"), Booked)
        before = salon.client.requests.total()
        outcome = salon.call("call_2").book("2025-10-29", "11:00", name="Hans Schuster", staff="Fabian")
        assert isinstance(outcome, Booked)
        assert outcome.appointment.customer.email == "hans@example.org"
        assert salon.client.requests.total() - before == 4

    def test_a_wish_of_this_call_is_answered_before_cal_com_is_asked(self, salon: Salon, phone: Phone) -> None:
        assert isinstance(ten(phone), Booked)
        asked = len(salon.calendar.asked)
        assert isinstance(ten(phone), Booked)
        assert len(salon.calendar.asked) == asked


class TestQuestionsBack:
    def test_offer_id_and_time_that_contradict(self, salon: Salon) -> None:
        phone = salon.call()
        ids = offer_ids(phone, phone.check(TUESDAY, "10:00", staff="Fabian"))
        question = NeedInfo(Missing.WHICH_OFFER)
        assert phone.book(TUESDAY, "10:30", offer=ids[0]) == question
        assert phone.book(None, "10:30", offer=ids[0]) == question
        assert phone.book("2025-10-29", None, offer=ids[0]) == question, "another day"
        assert phone.book(None, None, offer=ids[0], service="Damenhaarschnitt") == question
        assert phone.book(None, None, offer=ids[0], staff="Emma") == question
        assert recorded(salon) == []
        assert phone.said(question)["status"] == "need_info"

    def test_offer_id_and_words_that_agree(self, salon: Salon) -> None:
        phone = salon.call()
        ids = offer_ids(phone, phone.check(TUESDAY, "10:00", staff="Fabian"))
        outcome = phone.book(TUESDAY, "10 Uhr", offer=ids[0], staff="Fabian", service="Herrenschnitt")
        assert isinstance(outcome, Booked)

    def test_one_offer_of_another_service_is_not_what_was_wished(self, salon: Salon) -> None:
        salon.calendar.starts = {3672814: [TEN]}
        phone = salon.call()
        phone.check(TUESDAY, "10:00")
        assert phone.book(service="Beratung") == NeedInfo(Missing.TIME)

    def test_a_bare_time_that_two_offers_have_is_a_question_unless_one_is_named(self) -> None:
        salon = Salon()
        for day in (TUESDAY, "2025-10-29"):
            salon.open(day, first="10:00", last="10:00")
        phone = salon.call()
        ids = offer_ids(phone, phone.check("2025-10-27", "10:00", staff="Fabian"))
        assert len(ids) == 2
        assert phone.book(None, "10 Uhr") == NeedInfo(Missing.WHICH_OFFER)
        assert isinstance(phone.book(None, "10 Uhr", offer=ids[1]), Booked)
        assert only(salon).slot.start == TEN + timedelta(days=1)

    def test_a_date_without_a_time(self, phone: Phone) -> None:
        assert phone.book(TUESDAY, None) == NeedInfo(Missing.TIME)

    def test_an_offer_id_nobody_was_given(self, salon: Salon, phone: Phone) -> None:
        assert phone.book(offer="id_made_up") == NeedInfo(Missing.TIME)
        theirs = salon.call("call_2")
        ids = offer_ids(theirs, theirs.check(TUESDAY, "15:00"))
        assert phone.book(offer=ids[0]) == NeedInfo(Missing.TIME), "another call's offer"

    @pytest.mark.parametrize("name", [None, "", "...", "\u202e", "0170 1234567"])
    def test_no_name(self, phone: Phone, name: str | None) -> None:
        assert ten(phone, name=name) == NeedInfo(Missing.NAME)

    @pytest.mark.parametrize("email", ["hans", "hans@", "kunde-0123456789abcdef01234567@kunden.friseur1.example"])
    def test_an_address_that_is_none_or_somebodys_placeholder(self, phone: Phone, email: str) -> None:
        assert ten(phone, email=email) == NeedInfo(Missing.EMAIL)

    def test_an_offer_that_has_begun_meanwhile_is_past(self) -> None:
        salon = Salon(now=TEN - timedelta(seconds=30))
        salon.open(TUESDAY)
        phone = salon.call()
        ids = offer_ids(phone, phone.check(TUESDAY, "10:00"))
        salon.clock.advance(31)
        assert isinstance(phone.book(offer=ids[0]), PastTime)

    def test_who_asked_for_a_stylist_is_offered_nobody_else_when_the_time_is_gone(self, salon: Salon) -> None:
        """The model books by the id of the offer, and the wish for Fabian was said a turn before."""
        phone = salon.call()
        ids = offer_ids(phone, phone.check(TUESDAY, "10:00", staff="Fabian"))
        salon.calendar.faults.append(lambda *_: BUSY)
        outcome = phone.book(offer=ids[0])
        assert isinstance(outcome, SlotTaken)
        assert {each.staff for each in outcome.offers} == {"fabian"}

    def test_a_stylist_who_left_after_the_offer_is_not_booked(self, salon: Salon) -> None:
        phone = salon.call()
        ids = offer_ids(phone, phone.check(TUESDAY, "10:00", staff="Fabian"))
        service = salon.tenant.services[0]
        without = replace(service, segments=(replace(service.segments[0], event_types={"emma": 3672815}),))
        salon.tenant = replace(salon.tenant, staff=salon.tenant.staff[1:], services=(without,))
        assert salon.call().book(offer=ids[0]) == NotBooked()


class TestTheSameWish:
    @pytest.mark.parametrize(
        "words",
        [
            {"time": "10:00:00"},
            {"time": "10 Uhr", "date": "28.10.2025"},
            {"name": "Herr Hans Schuster"},
            {"name": "hans  SCHUSTER"},
            {"name": "Schuster"},
            {"phone": "0170 1234567"},
            {"service": "Herrenschnitt"},
            {"staff": None},
        ],
    )
    @pytest.mark.parametrize("caller", ["+491701234567", None])
    def test_in_other_words_is_one_booking_with_the_same_reply(
        self, salon: Salon, words: dict[str, str | None], caller: str | None
    ) -> None:
        phone = salon.call(caller=caller)
        phone.check(TUESDAY, "10:00", staff="Fabian")
        first = ten(phone)
        salon.clock.advance(1.1)
        again = {"date": TUESDAY, "time": "10:00", "staff": "Fabian"} | words
        second = phone.book(**again)
        assert phone.said(second) == phone.said(first)
        assert len(salon.calendar.bookings) == 1
        assert salon.calendar.asked.count("create") == 1
        sound(phone, first, second)

    def test_of_a_time_that_was_not_offered_is_one_booking_too(self, salon: Salon) -> None:
        phone = salon.call()
        first = phone.book(TUESDAY, "10:00")
        second = phone.book(TUESDAY, "10:00 Uhr", name="Herr Hans Schuster")
        assert phone.said(first) == phone.said(second)
        assert salon.calendar.asked.count("create") == 1

    def test_while_it_is_in_flight_is_not_sent_twice(self, salon: Salon, phone: Phone) -> None:
        second: list[BookOutcome] = []

        def impatient(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
            second.append(ten(phone, phone="0170 1234567"))
            return calendar.make(request)

        salon.calendar.faults.append(impatient)
        first = ten(phone)
        assert isinstance(second[0], StillOpen), "it waited for as long as a turn may take"
        assert isinstance(first, Booked)
        assert salon.calendar.asked.count("create") == 1
        sound(phone, first, second[0])

    def test_while_it_is_in_flight_gets_its_answer_once_it_is_there(self, salon: Salon, phone: Phone) -> None:
        """The second turn waits; the first one's commit arrives while it does."""
        second: list[BookOutcome] = []

        def impatient(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
            booking = calendar.insert(request)
            pending = only(salon)

            def commit(seconds: float) -> None:
                salon.clock.advance(seconds)
                salon.appointments.confirm(
                    salon.tenant.id, pending, {0: booking}, told=Told.BOOKED, now=salon.clock.now()
                )

            salon.clock.sleep = commit
            second.append(ten(phone))
            salon.clock.sleep = salon.clock.advance
            return Answered(booking)

        salon.calendar.faults.append(impatient)
        first = ten(phone)
        assert phone.said(first) == phone.said(second[0])
        sound(phone, first, second[0])

    def test_refused_a_moment_ago_is_not_sent_again(self, salon: Salon, phone: Phone) -> None:
        salon.calendar.faults.append(busy)
        first = ten(phone)
        salon.clock.advance(1.1)
        second = ten(phone, name="Herr Hans Schuster")
        assert isinstance(first, SlotTaken)
        assert isinstance(second, SlotTaken)
        assert salon.calendar.asked.count("create") == 1
        sound(phone, second)

    def test_unknown_a_moment_ago_is_not_sent_again(self, salon: Salon, phone: Phone) -> None:
        salon.calendar.faults.append(lost_after)
        outcomes = [ten(phone), ten(phone, phone="0170 1234567")]
        assert all(isinstance(each, StillOpen) for each in outcomes)
        assert salon.calendar.asked.count("create") == 1
        sound(phone, *outcomes)

    def test_of_another_person_in_the_same_call_is_not_said_to_be_booked(self, salon: Salon, phone: Phone) -> None:
        """One number is one customer, who has one appointment per start and service; "booked" would be the other's."""
        assert isinstance(ten(phone), Booked)
        for said in ({"staff": "Emma"}, {"staff": "Fabian"}, {"staff": None}):
            outcome = phone.book(TUESDAY, "10:00", name="Max Schuster", **said)
            assert isinstance(outcome, HasOne)
            assert phone.said(outcome)["status"] == "already_booked"
        assert len(salon.calendar.bookings) == 1

    @pytest.mark.parametrize("caller", ["+491701234567", None])
    @pytest.mark.parametrize("second", ["Max Schuster", "Frau Schuster"])
    def test_a_second_person_never_hears_that_the_firsts_booking_is_theirs(
        self, salon: Salon, caller: str | None, second: str
    ) -> None:
        phone = salon.call(caller=caller)
        assert isinstance(ten(phone, name="Herr Hans Schuster"), Booked)
        outcome = phone.book(TUESDAY, "10:00", name=second, staff="Emma")
        assert isinstance(outcome, HasOne)
        assert len(salon.calendar.accepted()) == 1
        sound(phone, outcome)

    def test_a_withheld_caller_whose_name_is_spelt_otherwise_gets_no_second_booking(self, salon: Salon) -> None:
        phone = salon.call(caller=None)
        assert isinstance(ten(phone), Booked)
        phone.book(TUESDAY, "10:00", name="Schuster")
        assert len(salon.calendar.accepted()) == 1

    def test_another_stylist_than_the_one_booked_is_another_wish(self, salon: Salon, phone: Phone) -> None:
        assert isinstance(ten(phone), Booked)
        outcome = phone.book(TUESDAY, "10:00", name="Hans Schuster", staff="Emma")
        assert isinstance(outcome, HasOne), "'booked' would be heard as: with Emma"
        sound(phone, outcome)

    @pytest.mark.parametrize("staff", ["Fabian", None])
    def test_whose_own_appointment_of_an_earlier_call_is_in_the_way_hears_that_and_not_that_it_is_taken(
        self, salon: Salon, phone: Phone, staff: str | None
    ) -> None:
        """Found by the state machine (tests/stateful): "not free, but at eleven" would have them book a second one."""
        assert isinstance(ten(phone, staff="Fabian"), Booked)
        again = salon.call("call_2")
        outcome = again.book(TUESDAY, "10:00", staff=staff)
        assert isinstance(outcome, HasOne), outcome
        assert len(salon.calendar.accepted()) == 1
        sound(again, outcome)


class TestRefused:
    def test_nothing_stays_but_the_record_and_alternatives_come_in_the_same_reply(
        self, salon: Salon, phone: Phone
    ) -> None:
        """Incidents I3 and I4: "gerade vergeben" leaves no appointment, and offers the next times at once."""
        salon.calendar.faults.append(busy)
        outcome = ten(phone)
        assert isinstance(outcome, SlotTaken)
        reply = phone.said(outcome)
        assert (reply["status"], reply["reason"]) == ("slot_taken", "race_condition")
        assert TEN not in [each.slot.start for each in outcome.offers]
        assert len(outcome.offers) == 3
        assert len(reply["offers"]) == 3
        failed = only(salon)
        assert (failed.state, failed.why, failed.told) == (S.FAILED, "taken", Told.NOT_BOOKED)
        (item,) = salon.items("APPT")
        assert "already has booking" in item["answer"]["S"], "Cal.com's whole answer is kept"
        assert taken_states(salon) == []
        assert look_at(salon).customer_guards == {}
        assert salon.items("OUT") == []
        sound(phone, outcome)

    def test_its_alternatives_can_be_booked(self, salon: Salon, phone: Phone) -> None:
        salon.calendar.faults.append(busy)
        refusal = ten(phone)
        assert isinstance(refusal, SlotTaken)
        outcome = phone.book(offer=refusal.offers[0].id)
        assert isinstance(outcome, Booked)
        sound(phone, outcome)

    def test_of_a_time_that_was_looked_up_it_is_no_race(self, salon: Salon) -> None:
        salon.calendar.faults.append(busy)
        phone = salon.call()
        outcome = ten(phone)
        assert isinstance(outcome, SlotTaken)
        assert phone.said(outcome)["reason"] == "not_available"

    def test_it_works_later_when_a_new_check_offers_it_again(self, salon: Salon, phone: Phone) -> None:
        salon.calendar.faults.append(busy)
        ten(phone)
        salon.clock.advance(5)
        again = phone.check(TUESDAY, "10:00", staff="Fabian")
        assert isinstance(again, Offers)
        assert again.exact
        outcome = ten(phone)
        assert isinstance(outcome, Booked)
        assert sorted(each.state for each in recorded(salon)) == [S.CONFIRMED, S.FAILED]
        sound(phone, outcome)

    def test_it_works_after_a_minute_without_a_check_too(self, salon: Salon, phone: Phone) -> None:
        salon.calendar.faults.append(busy)
        ten(phone)
        salon.clock.advance(61)
        outcome = ten(phone)
        assert isinstance(outcome, Booked)
        sound(phone, outcome)

    @pytest.mark.parametrize(
        ("why", "rule"),
        [
            (Refusal.PAST, Rule.PAST),
            (Refusal.OUT_OF_BOUNDS, Rule.OUT_OF_BOUNDS),
            (Refusal.LIMIT, Rule.LIMIT),
        ],
    )
    def test_a_rule_of_the_calendar_is_named(self, salon: Salon, phone: Phone, why: Refusal, rule: Rule) -> None:
        salon.calendar.faults.append(as_answer(Refused(why, "HTTP 400 …")))
        outcome = ten(phone)
        assert isinstance(outcome, Forbidden)
        assert outcome.rule is rule
        reply = phone.said(outcome)
        assert (reply["status"], reply["reason"]) == ("policy", rule.value)
        assert only(salon).state is S.FAILED
        sound(phone, outcome)

    @pytest.mark.parametrize("answer", [Refused(Refusal.INVALID, "HTTP 422 whole answer"), NotThere("HTTP 404 whole")])
    def test_what_we_sent_wrongly_is_an_operators_matter(
        self, salon: Salon, phone: Phone, answer: CreateAnswer
    ) -> None:
        salon.calendar.faults.append(as_answer(answer))
        outcome = ten(phone)
        assert outcome == NotBooked()
        assert phone.said(outcome)["status"] == "error"
        assert [each.kind for each in salon.alerts.raised] == [REQUEST_REFUSED]
        assert [item["kind"]["S"] for item in salon.items("ALERT")] == [REQUEST_REFUSED]
        assert "whole" in salon.items("APPT")[0]["answer"]["S"]
        sound(phone, outcome)

    def test_a_rejected_key_is_temporary_for_the_caller_and_pages(self, salon: Salon, phone: Phone) -> None:
        salon.calendar.faults.append(as_answer(KeyRejected("HTTP 401")))
        outcome = ten(phone)
        assert phone.said(outcome)["status"] == "temporary_error"
        assert [each.kind for each in salon.alerts.raised] == [KEY_REJECTED]
        assert taken_states(salon) == []
        sound(phone, outcome)


class TestNotSent:
    def test_no_connection_is_tried_once_more(self, salon: Salon, phone: Phone) -> None:
        salon.calendar.faults.append(no_connection)
        outcome = ten(phone)
        assert isinstance(outcome, Booked)
        assert salon.calendar.asked.count("create") == 2
        sound(phone, outcome)

    def test_and_no_more_than_that(self, salon: Salon, phone: Phone) -> None:
        salon.calendar.faults.extend([no_connection] * 3)
        outcome = ten(phone)
        assert outcome == TemporaryTrouble()
        assert salon.calendar.asked.count("create") == 2
        assert only(salon).state is S.FAILED
        assert taken_states(salon) == []
        sound(phone, outcome)

    def test_a_rate_limit_is_not_tried_again(self, salon: Salon, phone: Phone) -> None:
        salon.calendar.faults.append(as_answer(NotSent("HTTP 429", retry_after_s=42.0)))
        outcome = ten(phone)
        assert outcome == TemporaryTrouble(42.0)
        assert phone.said(outcome)["retry_after_seconds"] == 42
        assert salon.calendar.asked.count("create") == 1
        assert taken_states(salon) == []
        sound(phone, outcome)

    @pytest.mark.parametrize("seconds", [0.0, 0.5, 1.9])
    def test_with_too_little_time_left_nothing_is_sent(self, salon: Salon, phone: Phone, seconds: float) -> None:
        outcome = book_appointment(wish(TUESDAY, "10:00", staff="Fabian"), phone.turn(seconds))
        assert outcome == TemporaryTrouble()
        assert recorded(salon) == []
        assert "create" not in salon.calendar.asked

    def test_when_writing_it_down_took_all_the_time_nothing_is_sent(self, salon: Salon, phone: Phone) -> None:
        def slow(operation: str, _parameters: object) -> None:
            if operation == "transact_write_items":
                salon.client.after.clear()
                salon.clock.advance(6.4)

        salon.client.after.append(slow)
        outcome = ten(phone)
        assert isinstance(outcome, TemporaryTrouble | StillOpen)
        assert salon.calendar.bookings == {}
        sound(phone, outcome, told_may_lag=True)


class TestUnknown:
    @pytest.mark.parametrize("lost", [lost_before, lost_after])
    def test_neither_yes_nor_no_is_said_and_the_time_stays_blocked_for_ever(
        self, salon: Salon, phone: Phone, lost: Fault
    ) -> None:
        salon.calendar.faults.append(lost)
        outcome = ten(phone)
        reply = phone.said(outcome)
        assert reply["status"] == "pending"
        assert not {"gebucht.", "vergeben"} & set(reply["message"].split())
        assert only(salon).state is S.PENDING
        assert only(salon).told is Told.PENDING
        assert taken_states(salon) == ["P"]
        assert [each.kind for each in salon.alerts.raised] == [OUTCOME_UNKNOWN]
        sound(phone, outcome)
        phone.hang_up()
        salon.clock.advance(3600)
        assert taken_states(salon) == ["P"]
        rival = salon.call("call_2", caller="+491709999999")
        theirs = rival.check(TUESDAY, "10:00", staff="Fabian")
        assert isinstance(theirs, Offers)
        assert not theirs.exact
        assert isinstance(ten(rival), SlotTaken)
        assert taken_states(salon) == ["P"]

    def test_one_look_that_finds_it_lets_the_caller_hear_that_it_is_booked(self, salon: Salon, phone: Phone) -> None:
        salon.calendar.faults.append(lost_but_shown)
        outcome = ten(phone)
        assert isinstance(outcome, Booked)
        assert only(salon).state is S.CONFIRMED
        assert salon.calendar.asked.count("create") == 1
        assert (salon.alerts.raised, salon.queue.jobs) == ([], [])
        sound(phone, outcome)

    def test_one_look_that_finds_another_booking_than_asked_takes_it_back(self, salon: Salon, phone: Phone) -> None:
        def longer_and_lost(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
            booking = calendar.insert(request)
            calendar.bookings[booking.uid] = replace(booking, end=booking.end + timedelta(minutes=15))
            return Unclear("ReadTimeout")

        salon.calendar.faults.append(longer_and_lost)
        outcome = ten(phone)
        assert not isinstance(outcome, Booked | StillOpen)
        assert salon.calendar.accepted() == []
        assert only(salon).state is S.FAILED
        sound(phone, outcome)

    def test_what_stays_open_is_looked_after_in_less_than_a_minute(self, salon: Salon, phone: Phone) -> None:
        salon.calendar.faults.append(lost_after)
        ten(phone)
        assert salon.queue.jobs == [(Job("settle", salon.tenant.id, only(salon).id), timedelta(seconds=45))]

    def test_a_queue_that_takes_nothing_changes_nothing_for_the_caller(self, salon: Salon, phone: Phone) -> None:
        salon.queue.broken = True
        salon.calendar.faults.append(lost_after)
        assert isinstance(ten(phone), StillOpen)
        assert only(salon).told is Told.PENDING

    def test_somebody_who_settled_it_meanwhile_is_believed(self, salon: Salon, phone: Phone) -> None:
        """The answer is lost, but a webhook's worker has confirmed the booking before we note that we do not know."""

        def helped(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
            booking = calendar.insert(request)
            salon.appointments.confirm(
                salon.tenant.id, only(salon), {0: booking}, told=Told.NOTHING, now=salon.clock.now()
            )
            return Unclear("ReadTimeout")

        salon.calendar.faults.append(helped)
        outcome = ten(phone)
        assert isinstance(outcome, Booked)
        sound(phone, outcome)


class TestSomebodyElsesBooking:
    def test_incident_1_a_200_with_another_callers_booking_is_not_ours(self) -> None:
        salon = Salon(now=datetime(2025, 10, 6, 9, 39, 22, tzinfo=UTC))
        salon.open("2025-10-10", first="08:00")
        start = datetime(2025, 10, 10, 6, 0, tzinfo=UTC)
        foreign = foreign_booking(salon.calendar, start)
        listed = salon.calendar.starts
        salon.calendar.in_the_way = lambda host, slot, **_: False  # its list and its check are blind to it
        assert listed
        salon.calendar.faults.append(existing)
        phone = salon.call("call_688", caller="+491600000338")
        phone.check("2025-10-10", "08:00", service="Beratung")
        outcome = phone.book("2025-10-10", "08:00", service="Beratung", name="Hans Schuster")
        assert isinstance(outcome, SlotTaken)
        reply = phone.said(outcome)
        assert reply["status"] == "slot_taken"
        assert reply["offers"]
        assert start not in [each.slot.start for each in outcome.offers]
        assert only(salon).state is S.FAILED
        assert taken_states(salon) == []
        (alert,) = salon.alerts.raised
        assert alert.kind == FOREIGN_BOOKING
        assert alert.facts["call"] == "call_688"
        assert alert.facts["their_call"] == FOREIGN_CALL
        assert (alert.facts["booking_uid"], alert.facts["booking_id"]) == ("8Fxv4pCqnb1Jva1w9wn5wX", "11489895")
        (row,) = salon.items("ALERT")
        assert row["facts"]["M"]["their_call"]["S"] == FOREIGN_CALL
        assert salon.calendar.bookings[foreign.uid].status == "accepted", "theirs is left alone"
        assert violations(salon, [Heard("call_688", outcome, start)], foreign={foreign.uid}) == []

    def test_a_booking_without_a_label_is_taken_back(self, salon: Salon, phone: Phone) -> None:
        """It is the one just made, as asked: nobody would find it again, so it goes."""
        salon.calendar.faults.append(unlabelled)
        outcome = ten(phone)
        assert isinstance(outcome, NotBooked)
        assert [each.kind for each in salon.alerts.raised] == [WRONG]
        assert salon.calendar.accepted() == []
        assert taken_states(salon) == []

    def test_what_is_another_customers_is_not_cancelled_whatever_it_is_labelled(
        self, salon: Salon, phone: Phone
    ) -> None:
        """Cal.com shows the victim's booking with our label, and with another start than ours."""
        phone_of_victim = salon.call("call_0", caller="+491705555555")
        phone_of_victim.book(TUESDAY, "14:00", name="Ute Meier", staff="Fabian")
        (theirs,) = salon.calendar.accepted()
        salon.calendar.faults.append(lambda _, request: Answered(replace(theirs, metadata=dict(request.metadata))))
        outcome = ten(phone)
        assert isinstance(outcome, SlotTaken)
        assert salon.calendar.accepted() == [theirs]
        assert [each.kind for each in salon.alerts.raised] == [FOREIGN_BOOKING]
        sound(phone, outcome)

    def test_a_numeric_id_given_twice_does_not_keep_us_from_undoing_what_we_made(
        self, salon: Salon, phone: Phone
    ) -> None:
        ten(salon.call("call_0", caller="+491705555555"), staff="Emma")
        (theirs,) = salon.calendar.accepted()

        def same_id(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
            ours = replace(calendar.insert(request), id=theirs.id)
            calendar.bookings[ours.uid] = ours
            return Answered(ours)

        salon.calendar.faults.append(same_id)
        outcome = ten(phone)
        assert isinstance(outcome, NotBooked)
        assert salon.calendar.accepted() == [theirs]
        sound(phone, outcome)

    @pytest.mark.parametrize("same", ["uid"])
    def test_a_uid_or_id_that_has_an_appointment_gets_no_second_one(
        self, salon: Salon, phone: Phone, same: str
    ) -> None:
        ten(salon.call("call_0", caller="+491705555555"), staff="Emma")
        (theirs,) = salon.calendar.accepted()

        def relabelled(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
            ours = calendar.insert(request)
            del calendar.bookings[ours.uid]
            return Answered(replace(ours, **{same: getattr(theirs, same)}))

        salon.calendar.faults.append(relabelled)
        outcome = ten(phone)
        assert isinstance(outcome, SlotTaken)
        assert taken_states(salon) == ["C"]
        (alert,) = salon.alerts.raised
        assert alert.kind == FOREIGN_BOOKING
        assert alert.facts["owner_appointment"] == theirs.metadata["appointment"]
        sound(phone, outcome)


class TestWrongBooking:
    @pytest.mark.parametrize("wrong", [longer, by_another])
    def test_it_is_taken_back_and_not_said_to_be_booked(self, salon: Salon, phone: Phone, wrong: Fault) -> None:
        salon.calendar.faults.append(wrong)
        outcome = ten(phone)
        assert outcome == NotBooked()
        assert salon.calendar.accepted() == []
        assert only(salon).state is S.FAILED
        assert taken_states(salon) == []
        assert [each.kind for each in salon.alerts.raised] == [WRONG]
        assert [item["kind"]["S"] for item in salon.items("ALERT")] == [WRONG]
        sound(phone, outcome)

    @pytest.mark.parametrize(
        "answer", [Unclear("ReadTimeout"), NotSent("x"), KeyRejected("401"), NotThere("404"), Refused(Refusal.PAST, "")]
    )
    def test_what_could_not_be_taken_back_blocks_its_time_until_it_is_gone(
        self, salon: Salon, phone: Phone, answer: Any
    ) -> None:
        salon.calendar.faults.append(longer)
        salon.calendar.cancel_faults.append(answer)
        outcome = ten(phone)
        assert phone.said(outcome)["status"] == "pending"
        appointment = only(salon)
        assert (appointment.state, appointment.told) == (S.COMPENSATING, Told.PENDING)
        assert appointment.segments[0].uid is not None, "what must go is named"
        assert taken_states(salon) == ["P"]
        sound(phone, outcome)
        again = ten(phone)
        assert isinstance(again, StillOpen)
        other_call = ten(salon.call("call_2"), staff="Emma")
        assert isinstance(other_call, StillOpen), "not yet gone, so nobody says that they have it"

    def test_one_that_somebody_confirmed_meanwhile_is_not_cancelled(self, salon: Salon, phone: Phone) -> None:
        def helped(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
            booking = calendar.insert(request)
            salon.appointments.confirm(
                salon.tenant.id, only(salon), {0: booking}, told=Told.NOTHING, now=salon.clock.now()
            )
            return Answered(replace(booking, created_at=booking.start - timedelta(days=300)))

        salon.calendar.faults.append(helped)
        outcome = ten(phone)
        assert isinstance(outcome, Booked)
        sound(phone, outcome)


class TestWokenTooLate:
    def given_up(self, salon: Salon, seconds: float) -> Fault:
        """While the request is on its way somebody gives the operation up and its time away."""

        def fault(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
            salon.clock.advance(seconds)
            salon.appointments.release(
                salon.tenant.id, only(salon), why="not_found", answer="", alert=None, now=salon.clock.now()
            )
            return Answered(calendar.insert(request))

        return fault

    @pytest.mark.parametrize("seconds", [0.0, 300.0])
    def test_its_booking_is_cancelled_however_late_it_is(self, salon: Salon, phone: Phone, seconds: float) -> None:
        salon.calendar.faults.append(self.given_up(salon, seconds))
        outcome = ten(phone)
        assert outcome == NotBooked()
        assert salon.calendar.accepted() == []
        assert [each.kind for each in salon.alerts.raised] == [WOKE_TOO_LATE]
        assert only(salon).state is S.FAILED
        sound(phone, outcome)

    def test_if_that_fails_an_operator_knows_of_the_orphan(self, salon: Salon, phone: Phone) -> None:
        salon.calendar.faults.append(self.given_up(salon, 0.0))
        salon.calendar.cancel_faults.append(Unclear("ReadTimeout"))
        outcome = ten(phone)
        assert isinstance(outcome, StillOpen)
        (orphan,) = salon.calendar.accepted()
        assert salon.alerts.raised[0].facts["booking_uid"] == orphan.uid
        assert violations(salon, orphans={orphan.uid}) == []

    def test_a_booking_that_others_confirmed_and_are_moving_by_now_is_not_cancelled(
        self, salon: Salon, phone: Phone
    ) -> None:
        def helped(calendar: FakeCalendar, request: BookingRequest) -> CreateAnswer:
            booking = calendar.insert(request)
            salon.appointments.confirm(
                salon.tenant.id, only(salon), {0: booking}, told=Told.NOTHING, now=salon.clock.now()
            )
            (item,) = salon.items("APPT")
            salon.client.put_item(
                TableName=salon.table_name, Item=item | {"state": {"S": "MOVING"}, "op": {"S": "op_of_the_move"}}
            )
            return Answered(booking)

        salon.calendar.faults.append(helped)
        assert isinstance(ten(phone), Booked)
        assert len(salon.calendar.accepted()) == 1
        assert salon.alerts.raised == []

    def test_a_refusal_after_somebody_gave_it_up_is_a_refusal(self, salon: Salon, phone: Phone) -> None:
        def fault(_calendar: FakeCalendar, _request: BookingRequest) -> CreateAnswer:
            salon.appointments.release(
                salon.tenant.id, only(salon), why="taken", answer="", alert=None, now=salon.clock.now()
            )
            return busy(_calendar, _request)

        salon.calendar.faults.append(fault)
        outcome = ten(phone)
        assert isinstance(outcome, SlotTaken), "nobody will text about what is settled"
        sound(phone, outcome)


class TestTheStoreInTrouble:
    def requests_of(self, fault: Fault | None) -> int:
        salon = Salon()
        salon.open(TUESDAY)
        phone = salon.call()
        phone.check(TUESDAY, "10:00", staff="Fabian")
        if fault:
            salon.calendar.faults.append(fault)
        salon.client.requests.clear()
        ten(phone)
        return int(salon.client.requests.total())

    @pytest.mark.parametrize("kind", [StoreFault.NOT_SENT, StoreFault.LOST_ANSWER])
    @pytest.mark.parametrize("lasting", [False, True])
    @pytest.mark.parametrize("fault", [None, busy, lost_after, longer])
    def test_whatever_request_fails_what_is_said_is_true(
        self, kind: StoreFault, lasting: bool, fault: Fault | None
    ) -> None:
        for number in range(self.requests_of(fault)):
            salon = Salon()
            salon.open(TUESDAY)
            phone = salon.call()
            phone.check(TUESDAY, "10:00", staff="Fabian")
            if fault:
                salon.calendar.faults.append(fault)
            salon.client.faults.next("*", kind, skip=number, times=10_000 if lasting else 1)
            try:
                outcome = ten(phone)
            except StoreUnavailable:
                outcome = TemporaryTrouble()
            salon.client.faults.clear()
            sound(phone, outcome, told_may_lag=True)

    def test_a_refusal_whose_record_got_no_answer_is_read_back(self, salon: Salon, phone: Phone) -> None:
        """Said to be open, it would promise a message that nobody owes."""
        salon.calendar.faults.append(busy)
        salon.client.faults.next("transact_write_items", StoreFault.LOST_ANSWER, skip=1)
        outcome = ten(phone)
        assert isinstance(outcome, SlotTaken)
        sound(phone, outcome)

    def test_a_confirmation_that_got_no_answer_is_read_back(self, salon: Salon, phone: Phone) -> None:
        salon.client.faults.next("transact_write_items", StoreFault.LOST_ANSWER, skip=1)
        outcome = ten(phone)
        assert isinstance(outcome, Booked)
        sound(phone, outcome)

    def test_a_confirmation_that_cannot_be_written_is_open_and_its_booking_stays(
        self, salon: Salon, phone: Phone
    ) -> None:
        salon.client.faults.next("transact_write_items", StoreFault.NOT_SENT, skip=1, times=99)
        outcome = ten(phone)
        assert isinstance(outcome, StillOpen)
        salon.client.faults.clear()
        assert len(salon.calendar.accepted()) == 1
        sound(phone, outcome, told_may_lag=True)

    def test_after_a_lost_start_the_same_wish_is_open_and_that_is_noted(self, salon: Salon, phone: Phone) -> None:
        salon.client.faults.next("transact_write_items", StoreFault.LOST_ANSWER)
        with pytest.raises(StoreUnavailable):
            ten(phone)
        assert only(salon).told is Told.NOTHING
        outcome = ten(phone)
        assert isinstance(outcome, StillOpen)
        assert only(salon).told is Told.PENDING
        assert salon.calendar.bookings == {}
        sound(phone, outcome)


class TestCustomers:
    def test_the_same_customer_start_and_service_from_another_call_is_told_so(self, salon: Salon, phone: Phone) -> None:
        ten(phone)
        outcome = ten(salon.call("call_2"), staff="Emma", name="H. Schuster")
        assert isinstance(outcome, HasOne)
        assert len(salon.calendar.bookings) == 1

    def test_another_service_or_time_is_another_appointment(self, salon: Salon, phone: Phone) -> None:
        ten(phone)
        again = salon.call("call_2")
        assert isinstance(again.book(TUESDAY, "11:00"), Booked)
        assert isinstance(again.book(TUESDAY, "10:00", service="Damenhaarschnitt", staff="Emma"), Booked)
        sound(again)

    def test_a_call_that_rings_again_while_its_first_wish_is_being_refused_may_try_again(
        self, salon: Salon, phone: Phone
    ) -> None:
        """It waits for the first; once that has failed "you already have one" would be untrue."""
        second: list[BookOutcome] = []

        def fault(calendar: FakeCalendar, _request: BookingRequest) -> CreateAnswer:
            def refused_meanwhile(seconds: float) -> None:
                salon.clock.advance(seconds)
                pending = next(each for each in recorded(salon) if each.state is S.PENDING)
                salon.appointments.release(
                    salon.tenant.id, pending, why="taken", answer="", alert=None, now=salon.clock.now()
                )
                salon.clock.sleep = salon.clock.advance

            salon.clock.sleep = refused_meanwhile
            second.append(ten(salon.call("call_2"), staff="Emma"))
            return busy(calendar, _request)

        salon.calendar.faults.append(fault)
        ten(phone)
        assert not isinstance(second[0], HasOne | Booked)

    def test_two_customers_of_one_name_have_two_addresses(self, salon: Salon) -> None:
        """Incident I1: one shared address made one booking of two people."""
        ten(salon.call("call_1", caller="+491700000001"))
        ten(salon.call("call_2", caller="+491700000002"), staff="Emma")
        salon.call("call_3", caller=None).book(TUESDAY, "11:00")
        salon.call("call_4", caller=None).book(TUESDAY, "12:00")
        addresses = [each.attendees[0] for each in salon.calendar.accepted()]
        assert len(set(addresses)) == 4
        assert all(normalise_email(each) == each for each in addresses)
        assert violations(salon) == []

    def test_a_placeholder_is_stable_and_a_real_address_is_remembered(self, salon: Salon) -> None:
        def mail_of_booking(call: str, time: str, **said: str) -> str:
            outcome = salon.call(call).book(TUESDAY, time, **said)
            assert isinstance(outcome, Booked)
            return str(max(salon.calendar.accepted(), key=lambda each: each.id).attendees[0])

        first = mail_of_booking("call_1", "09:00")
        assert first.endswith("@" + salon.tenant.placeholder_domain)
        assert mail_of_booking("call_2", "10:00") == first
        assert mail_of_booking("call_3", "11:00", email="Hans@Example.DE") == "hans@example.de"
        assert mail_of_booking("call_4", "12:00") == "hans@example.de"
        assert mail_of_booking("call_5", "13:00", email="neu@example.de") == "neu@example.de"
        assert violations(salon) == []

    def test_a_number_that_is_only_named_is_for_calling_and_makes_nobody(self, salon: Salon) -> None:
        phone = salon.call(caller=None)
        ten(phone, phone="0170 1234567")
        known = salon.call("call_2", caller="+491701234567")
        assert only(salon).customer.phone == "+491701234567"
        assert isinstance(ten(known, staff="Emma"), Booked), "not the customer who was named"

    def test_a_number_that_is_none_leaves_the_callers(self, salon: Salon, phone: Phone) -> None:
        ten(phone, phone="anonymous_1700000000_ab12")
        assert only(salon).customer.phone == "+491701234567"


class TestHoldsAndTime:
    def expire(self, salon: Salon) -> None:
        salon.clock.advance(HOLD.total_seconds() + 5)

    def test_an_expired_hold_nobody_took_is_booked_all_the_same(self, salon: Salon, phone: Phone) -> None:
        self.expire(salon)
        outcome = ten(phone)
        assert isinstance(outcome, Booked)
        sound(phone, outcome)

    def test_an_expired_hold_that_somebody_took_is_a_race_lost(self, salon: Salon, phone: Phone) -> None:
        self.expire(salon)
        assert isinstance(ten(salon.call("call_2", caller="+491709999999")), Booked)
        outcome = ten(phone)
        assert isinstance(outcome, SlotTaken)
        assert outcome.reason is Reason.RACE
        assert salon.calendar.asked.count("create") == 1
        sound(phone, outcome)

    def test_an_expired_hold_that_somebody_holds_is_theirs(self, salon: Salon, phone: Phone) -> None:
        self.expire(salon)
        theirs = salon.call("call_2", caller="+491709999999")
        theirs.check(TUESDAY, "10:00", staff="Fabian")
        assert isinstance(ten(phone), SlotTaken)
        assert isinstance(ten(theirs), Booked)
        sound(phone)

    def test_a_hold_lost_between_the_look_and_the_write_is_noticed(self, salon: Salon) -> None:
        """Somebody books the time while ours is being written; nothing is held, so the version decides."""
        rivals: list[BookOutcome] = []

        def rival(operation: str, _parameters: object) -> None:
            if operation == "transact_write_items":
                salon.client.before.clear()
                rivals.append(ten(salon.call("rival", caller="+491709999999")))

        phone = salon.call()
        salon.client.before.append(rival)
        outcome = ten(phone)
        assert isinstance(rivals[0], Booked)
        assert isinstance(outcome, SlotTaken)
        assert len(salon.calendar.bookings) == 1
        sound(phone, outcome)

    def test_the_end_of_the_call_leaves_what_was_booked_or_is_open(self, salon: Salon, phone: Phone) -> None:
        ten(phone)
        salon.calendar.faults.append(lost_after)
        phone.book(TUESDAY, "15:00", staff="Fabian")
        before = sorted(taken_states(salon))
        assert before == ["C", "P"]
        assert phone.hang_up() == 2, "the two offers that were not taken"
        assert phone.hang_up() == 0
        assert sorted(taken_states(salon)) == before
        sound(phone)

    def test_a_new_check_leaves_what_was_booked(self, salon: Salon, phone: Phone) -> None:
        ten(phone)
        phone.check(TUESDAY, "10:00", staff="Fabian")
        assert taken_states(salon) == ["C"]
        sound(phone)

    def test_a_call_that_never_rang_can_end(self, salon: Salon) -> None:
        assert salon.call("call_9").hang_up() == 0
        assert salon.items("CALL") == []

    @pytest.mark.parametrize("step", [1, 7, 13])
    def test_many_callers_for_one_stylist_never_overlap(self, step: int) -> None:
        salon = Salon()
        salon.open(TUESDAY, every=15)
        services = ["Herrenhaarschnitt", "Damenhaarschnitt", "Beratung"]
        booked = 0
        for number in range(40):
            minutes = 9 * 60 + (number * step * 15) % 480
            phone = salon.call(f"call_{number}", caller=f"+4917000000{number:02}")
            time = f"{minutes // 60:02}:{minutes % 60:02}"
            outcome = phone.book(TUESDAY, time, service=services[number % 3], staff="Fabian")
            booked += isinstance(outcome, Booked)
            salon.clock.advance(7)
        assert booked >= 3
        assert violations(salon) == []
