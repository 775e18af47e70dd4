"""What Cal.com said seconds ago answers a check, never a booking, and never after a booking."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from bookend.application.outcomes import Booked, CheckOutcome, NothingFree, Offers, SlotTaken, StillOpen
from bookend.application.ports import BookingRequest
from bookend.domain.answers import Unclear
from bookend.domain.availability import SLOTS_KEPT
from bookend.domain.timeslot import Slot
from tests.support.calendar import lost_after
from tests.support.invariants import Heard, violations
from tests.support.salon import Salon
from tests.support.tables.faults import Fault

TUESDAY = "2025-10-28"
FABIANS_CUT = 3672814
AGE_S = SLOTS_KEPT.total_seconds()
ANOTHER = "+491709999999"


@pytest.fixture
def salon() -> Salon:
    salon = Salon()
    salon.open(TUESDAY)
    return salon


def walls(salon: Salon, outcome: CheckOutcome) -> list[str]:
    assert isinstance(outcome, Offers), outcome
    return [each.slot.start.astimezone(salon.tenant.zone).strftime("%H:%M") for each in outcome.offers]


def asked(salon: Salon) -> list[str]:
    """What Cal.com was asked since this was asked last."""
    found = list(salon.calendar.asked)
    salon.calendar.asked.clear()
    return found


def checked_and_gone(salon: Salon, staff: str | None = "Fabian", **more: Any) -> None:
    """Somebody else's check leaves an answer behind, and no hold."""
    phone = salon.call("early", caller="+491708888888")
    phone.check(TUESDAY, "10:00", staff=staff, **more)
    phone.hang_up()
    asked(salon)


def at(wall: str) -> datetime:
    return datetime.fromisoformat(f"{TUESDAY}T{wall}+01:00").astimezone(UTC)


def on_the_web(salon: Salon, wall: str, event_type: int = FABIANS_CUT) -> None:
    """Somebody books at Cal.com itself, and no event of it has reached us yet."""
    request = BookingRequest(event_type, at(wall), "Web", "web@x.example", None, "Europe/Berlin", "de", {})
    salon.calendar.insert(request)


class TestCheck:
    def test_a_second_check_asks_calcom_nothing_and_says_the_same(self, salon: Salon) -> None:
        phone = salon.call()
        first = phone.check(TUESDAY, "10:00", staff="Fabian")
        assert asked(salon) == ["slots"]
        salon.clock.advance(AGE_S - 0.001)
        second = phone.check(TUESDAY, "10:00", staff="Fabian")
        assert asked(salon) == []
        assert walls(salon, second) == walls(salon, first)

    def test_it_answers_other_callers_and_other_times_of_those_days(self, salon: Salon) -> None:
        salon.open("2025-10-30")
        salon.call().check(TUESDAY, "10:00")
        assert asked(salon) == ["slots", "slots"]
        other = salon.call("call_2", caller=ANOTHER)
        assert walls(salon, other.check(TUESDAY, "15:00"))[0] == "15:00"
        assert walls(salon, other.check(TUESDAY, "15:00", staff="Emma"))[0] == "15:00"
        assert asked(salon) == []

    def test_that_nothing_is_free_is_remembered_too(self, salon: Salon) -> None:
        phone = salon.call()
        for expected in (["slots"], []):
            assert isinstance(phone.check("2025-11-17", staff="Fabian"), NothingFree)
            assert asked(salon) == expected

    def test_another_service_or_stylist_is_another_question(self, salon: Salon) -> None:
        checked_and_gone(salon)
        salon.call().check(TUESDAY, "10:00", service="Beratung", staff="Fabian")
        assert asked(salon) == ["slots"]
        salon.call().check(TUESDAY, "10:00", staff="Emma")
        assert asked(salon) == ["slots"]
        salon.call().check(TUESDAY, "10:00", staff="Fabian")
        assert asked(salon) == [], "and the first answer is still there"

    def test_a_day_whose_week_was_not_asked_for_whole_is_asked(self, salon: Salon) -> None:
        """Tuesday's answer covers a week from there: one for Wednesday ends later, one for Monday begins earlier."""
        checked_and_gone(salon)
        for day in ("2025-10-29", "2025-10-27"):
            salon.call().check(day, "10:00", staff="Fabian")
            assert asked(salon) == ["slots"]

    def test_only_who_is_not_known_is_asked_and_the_order_stays_the_configurations(self, salon: Salon) -> None:
        checked_and_gone(salon, "Emma")
        outcome = salon.call().check(TUESDAY, "10:00")
        assert asked(salon) == ["slots"]
        assert isinstance(outcome, Offers)
        assert outcome.offers[0].staff == "fabian"

    def test_a_stylist_without_an_answer_is_asked_the_next_time(self, salon: Salon) -> None:
        salon.calendar.slot_faults.append(Unclear("ReadTimeout"))
        salon.call().check(TUESDAY, "10:00")
        assert asked(salon) == ["slots", "slots"]
        outcome = salon.call("call_2").check(TUESDAY, "10:00")
        assert asked(salon) == ["slots"]
        assert isinstance(outcome, Offers)
        assert outcome.offers[0].staff == "fabian"

    def test_if_the_rest_does_not_answer_what_is_known_does(self, salon: Salon) -> None:
        checked_and_gone(salon, "Emma")
        salon.calendar.slot_faults.append(Unclear("ReadTimeout"))
        outcome = salon.call().check(TUESDAY, "10:00")
        assert isinstance(outcome, Offers)
        assert {each.staff for each in outcome.offers} == {"emma"}


class TestAge:
    def test_it_is_never_older_than_its_stated_age(self, salon: Salon) -> None:
        checked_and_gone(salon)
        on_the_web(salon, "10:00")
        salon.clock.advance(AGE_S)
        assert "10:00" not in walls(salon, salon.call().check(TUESDAY, "10:00", staff="Fabian"))
        assert asked(salon) == ["slots"]

    def test_being_used_does_not_make_it_younger(self, salon: Salon) -> None:
        checked_and_gone(salon)
        for seconds, expected in ((10, []), (AGE_S - 11, []), (1, ["slots"])):
            salon.clock.advance(seconds)
            salon.call().check(TUESDAY, "10:00", staff="Fabian")
            assert asked(salon) == expected

    def test_the_age_counts_from_before_calcom_was_asked(self, salon: Salon) -> None:
        """Cal.com thinks for two seconds: the answer may be that old when it arrives."""
        inner = salon.calendar.free_starts

        def slow(event_types: Mapping[str, int], window: Slot, **rest: Any) -> Any:
            answer = inner(event_types, window, **rest)
            salon.clock.advance(2)
            return answer

        salon.calendar.free_starts = slow
        checked_and_gone(salon)
        salon.clock.advance(AGE_S - 2)
        salon.call().check(TUESDAY, "10:00", staff="Fabian")
        assert asked(salon) == ["slots"]

    def test_an_answer_from_the_future_is_not_used(self, salon: Salon) -> None:
        """Another instance's clock is ahead of ours."""
        salon.clock.advance(5)
        checked_and_gone(salon)
        salon.clock.advance(-5)
        salon.call().check(TUESDAY, "10:00", staff="Fabian")
        assert asked(salon) == ["slots"]


class TestBookings:
    @pytest.mark.parametrize("service", ["Herrenhaarschnitt", "Beratung"])
    def test_after_a_booking_in_any_service_the_stylist_is_asked_again(self, salon: Salon, service: str) -> None:
        checked_and_gone(salon, None)
        outcome = salon.call("call_2").book(TUESDAY, "10:00", service=service, staff="Fabian")
        assert isinstance(outcome, Booked)
        asked(salon)
        phone = salon.call(caller=ANOTHER)
        assert "10:00" not in walls(salon, phone.check(TUESDAY, "10:00", staff="Fabian"))
        assert asked(salon) == ["slots"]
        phone.check(TUESDAY, "10:00", staff="Emma")
        assert asked(salon) == [], "the others' answers stay"

    def test_after_a_refusal_the_stylist_is_asked_again(self, salon: Salon) -> None:
        """Cal.com's no says that the answer we have is no longer so."""
        phone = salon.call()
        phone.check(TUESDAY, "10:00", staff="Fabian")
        on_the_web(salon, "10:00")
        assert isinstance(phone.book(TUESDAY, "10:00", staff="Fabian"), SlotTaken)
        asked(salon)
        other = salon.call("call_2", caller=ANOTHER).check(TUESDAY, "10:00", staff="Fabian")
        assert asked(salon) == ["slots"]
        assert "10:00" not in walls(salon, other)

    @pytest.mark.parametrize("known", [False, True], ids=["nothing kept yet", "something kept before"])
    def test_a_slow_reader_cannot_keep_an_answer_older_than_a_booking(self, salon: Salon, known: bool) -> None:
        """Cal.com's answer lists 10:00; while it is on its way somebody books that; only then it is to be kept."""
        if known:
            checked_and_gone(salon, service="Beratung")
        inner = salon.calendar.free_starts

        def overtaken(event_types: Mapping[str, int], window: Slot, **rest: Any) -> Any:
            answer = inner(event_types, window, **rest)
            salon.calendar.free_starts = inner
            assert isinstance(salon.call("fast").book(TUESDAY, "10:00", staff="Fabian"), Booked)
            return answer

        salon.calendar.free_starts = overtaken
        slow = salon.call("slow", caller=ANOTHER).check(TUESDAY, "10:00", staff="Fabian")
        assert "10:00" not in walls(salon, slow), "our own ledger knew"
        asked(salon)
        salon.call("third").check(TUESDAY, "10:00", staff="Fabian")
        assert asked(salon) == ["slots"]

    def test_our_own_holds_are_subtracted_from_kept_starts(self, salon: Salon) -> None:
        first = walls(salon, salon.call().check(TUESDAY, "10:00", staff="Fabian"))
        asked(salon)
        second = walls(salon, salon.call("call_2", caller=ANOTHER).check(TUESDAY, "10:00", staff="Fabian"))
        assert asked(salon) == []
        assert not set(first) & set(second)

    def test_what_is_still_open_is_subtracted_from_kept_starts(self, salon: Salon) -> None:
        phone = salon.call()
        phone.check(TUESDAY, "10:00", staff="Fabian")
        salon.calendar.faults.append(lost_after)
        salon.calendar.find = lambda *_args, **_rest: Unclear("ReadTimeout")
        assert isinstance(phone.book(TUESDAY, "10:00", staff="Fabian"), StillOpen)
        asked(salon)
        other = salon.call("call_2", caller=ANOTHER).check(TUESDAY, "10:00", staff="Fabian")
        assert asked(salon) == []
        assert "10:00" not in walls(salon, other)


class TestTheBookingPath:
    """Whatever is kept, a booking is between us and Cal.com."""

    @staticmethod
    def forbid(salon: Salon) -> None:
        """From now on nobody may look at what is kept, nor keep anything: whoever does fails the test."""

        def watch(operation: str, parameters: Any) -> None:
            if operation in {"batch_get_item", "get_item", "update_item"}:
                assert "#SLOTS#" not in str(parameters), operation

        salon.client.before.append(watch)

    def test_a_time_that_was_not_offered_is_looked_up_at_calcom(self, salon: Salon) -> None:
        checked_and_gone(salon)
        on_the_web(salon, "10:00")
        self.forbid(salon)
        outcome = salon.call().book(TUESDAY, "10:00", staff="Fabian")
        assert isinstance(outcome, SlotTaken)
        assert asked(salon) == ["slots"], "it was seen without a booking being sent"
        assert at("10:00") not in {each.slot.start for each in outcome.offers}

    def test_a_time_that_was_not_offered_and_is_free_is_booked_after_a_look(self, salon: Salon) -> None:
        checked_and_gone(salon)
        self.forbid(salon)
        assert isinstance(salon.call().book(TUESDAY, "10:00", staff="Fabian"), Booked)
        assert asked(salon) == ["slots", "create"]

    def test_alternatives_are_what_calcom_says_now(self, salon: Salon) -> None:
        phone = salon.call()
        phone.check(TUESDAY, "10:00", staff="Fabian")
        asked(salon)
        for wall in ("09:30", "10:00", "10:30"):
            on_the_web(salon, wall)
        self.forbid(salon)
        outcome = phone.book(TUESDAY, "10:00", staff="Fabian")
        assert isinstance(outcome, SlotTaken)
        assert asked(salon) == ["create", "slots"]
        assert {each.slot.start for each in outcome.offers} == {at("11:00"), at("09:00"), at("11:30")}

    def test_an_offer_from_a_kept_answer_that_is_taken_by_now_is_refused_and_said_so(self, salon: Salon) -> None:
        """The most a kept answer can do: offer a time that was taken elsewhere within its age."""
        checked_and_gone(salon)
        on_the_web(salon, "10:00")
        phone = salon.call()
        assert "10:00" in walls(salon, phone.check(TUESDAY, "10:00", staff="Fabian"))
        outcome = phone.book(TUESDAY, "10:00", staff="Fabian")
        assert isinstance(outcome, SlotTaken)
        foreign = [uid for uid, each in salon.calendar.bookings.items() if each.metadata == {}]
        assert violations(salon, [Heard("call_1", outcome)], foreign=foreign) == []


class TestTrouble:
    @pytest.mark.parametrize("fault", [Fault.NOT_SENT, Fault.LOST_ANSWER, Fault.THROTTLE])
    @pytest.mark.parametrize("times", [1, 50])
    def test_a_cache_that_cannot_be_read_is_done_without(self, salon: Salon, fault: Fault, times: int) -> None:
        checked_and_gone(salon)
        salon.client.faults.next("*", fault, times=times, when=lambda p: "#SLOTS#" in str(p))
        outcome = salon.call().check(TUESDAY, "10:00", staff="Fabian")
        assert walls(salon, outcome)[0] == "10:00"
        assert asked(salon) == (["slots"] if times > 1 or fault is not Fault.THROTTLE else [])

    @pytest.mark.parametrize("fault", [Fault.NOT_SENT, Fault.LOST_ANSWER, Fault.THROTTLE, Fault.CONFLICT])
    @pytest.mark.parametrize("times", [1, 50])
    def test_a_cache_that_cannot_be_written_is_done_without(self, salon: Salon, fault: Fault, times: int) -> None:
        salon.client.faults.next("update_item", fault, times=times)
        phone = salon.call()
        outcome = phone.check(TUESDAY, "10:00")
        assert walls(salon, outcome)[0] == "10:00"
        assert violations(salon, [Heard("call_1", outcome)]) == []
        assert salon.clock.monotonic() < 0.2

    def test_nothing_is_kept_when_the_turn_is_nearly_over(self, salon: Salon) -> None:
        inner = salon.calendar.free_starts

        def slow(event_types: Mapping[str, int], window: Slot, **rest: Any) -> Any:
            salon.clock.advance(2.5)
            return inner(event_types, window, **rest)

        salon.calendar.free_starts = slow
        assert isinstance(salon.call().check(TUESDAY, "10:00", staff="Fabian"), Offers)
        assert salon.items("SLOTS") == []
        assert salon.client.requests["update_item"] == 0

    def test_a_caller_is_served_before_anything_is_kept(self, salon: Salon) -> None:
        order: list[str] = []
        salon.client.before.append(lambda operation, _: order.append(operation))
        salon.call().check(TUESDAY, "10:00")
        assert order == ["batch_get_item", "batch_get_item", "transact_write_items", "update_item", "update_item"]


class TestRoundTrips:
    """What a turn costs at the table; the budget of each kind of turn is in benchmarks/turns.py."""

    def test_a_check_that_is_answered_from_what_is_kept(self, salon: Salon) -> None:
        checked_and_gone(salon, None)
        salon.client.requests.clear()
        salon.call().check(TUESDAY, "10:00")
        assert salon.client.requests == {"batch_get_item": 2, "transact_write_items": 1}

    def test_a_booking_costs_what_it_did(self, salon: Salon) -> None:
        phone = salon.call()
        phone.check(TUESDAY, "10:00", staff="Fabian")
        salon.client.requests.clear()
        phone.book(TUESDAY, "10:00", staff="Fabian")
        assert salon.client.requests == {"batch_get_item": 1, "transact_write_items": 2}
