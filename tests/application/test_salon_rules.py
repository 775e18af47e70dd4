"""The salon's rules at work: what is offered can be booked, and who may not book hears why and what is possible."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from bookend.adapters.dynamodb.appointments import DynamoAppointments
from bookend.application.outcomes import (
    AgainstPolicy,
    Booked,
    BookOutcome,
    CheckOutcome,
    NothingFree,
    Offers,
    SlotTaken,
    TemporaryTrouble,
)
from bookend.domain.answers import Unclear
from bookend.domain.availability import HOLD, Offer
from bookend.domain.policy import BeyondHorizon, NumberWithheld, PolicySettings, TooManyOpen, TooSoon
from bookend.domain.tenant import Tenant
from tests.support.invariants import Heard, look_at, violations
from tests.support.salon import Phone, Salon, example_tenant
from tests.support.tables.faults import Fault

TUESDAY, WEDNESDAY, NEXT_TUESDAY = "2025-10-28", "2025-10-29", "2025-11-04"
NOON = datetime(2025, 10, 28, 11, 0, tzinfo=UTC)
"""Tuesday, twelve o'clock in Berlin, when everybody here calls."""
HOUR = timedelta(hours=1)
HAIRCUT = "herrenhaarschnitt"


def salon_with(*, staff: dict[str, PolicySettings] | None = None, **rules: Any) -> Salon:
    """The example salon with rules, and with those of single stylists; open on two Tuesdays and a Wednesday."""
    tenant = replace(example_tenant(), policy=PolicySettings(**rules))
    own = staff or {}
    tenant = replace(
        tenant, staff=tuple(replace(each, policy=own.get(each.id, PolicySettings())) for each in tenant.staff)
    )
    return opened(tenant)


def opened(tenant: Tenant) -> Salon:
    salon = Salon(now=NOON, tenant=tenant)
    for day in (TUESDAY, WEDNESDAY, NEXT_TUESDAY):
        salon.open(day)
    return salon


def refused(outcome: CheckOutcome | BookOutcome) -> AgainstPolicy:
    assert isinstance(outcome, AgainstPolicy), outcome
    return outcome


def walls(salon: Salon, outcome: Any) -> list[str]:
    return [each.slot.start.astimezone(salon.tenant.zone).strftime("%m-%d %H:%M") for each in outcome.offers]


def offer(outcome: CheckOutcome | BookOutcome, number: int = 0) -> Offer:
    assert isinstance(outcome, Offers | AgainstPolicy), outcome
    return outcome.offers[number]


def sound(phone: Phone, *outcomes: Any) -> None:
    assert violations(phone.salon, [Heard(phone.as_call.id, each) for each in outcomes]) == []


class TestNotice:
    def test_a_time_that_is_too_soon_is_refused_and_later_ones_are_offered(self) -> None:
        phone = (salon := salon_with(book_notice=3 * HOUR)).call()
        outcome = refused(phone.check(TUESDAY, "14:30", staff="Fabian"))
        assert outcome.refusal == TooSoon(NOON + 3 * HOUR)
        assert walls(salon, outcome) == ["10-28 15:00", "10-28 15:30", "10-28 16:00"]
        reply = phone.said(outcome)
        assert (reply["status"], reply["reason"]) == ("policy", "too_soon")
        assert "frühestens am Dienstag, 28. Oktober, um 15 Uhr" in reply["message"]
        sound(phone, outcome)

    def test_the_very_limit_is_offered_and_can_be_booked(self) -> None:
        phone = salon_with(book_notice=3 * HOUR).call()
        outcome = phone.check(TUESDAY, "15:00", staff="Fabian")
        assert isinstance(outcome, Offers)
        assert outcome.exact
        assert isinstance(phone.book(offer=offer(outcome).id), Booked)

    def test_what_was_offered_can_be_booked_while_it_is_kept_though_the_notice_ends(self) -> None:
        phone = (salon := salon_with(book_notice=3 * HOUR)).call()
        outcome = phone.check(TUESDAY, "15:00", staff="Fabian")
        salon.clock.advance(HOLD.total_seconds() - 1)
        booked = phone.book(offer=offer(outcome).id)
        assert isinstance(booked, Booked)
        sound(phone, booked)

    def test_an_offer_that_ran_out_is_judged_as_of_now(self) -> None:
        phone = (salon := salon_with(book_notice=3 * HOUR)).call()
        outcome = phone.check(TUESDAY, "15:00", staff="Fabian")
        salon.clock.advance(HOLD.total_seconds())
        refusal = refused(phone.book(offer=offer(outcome).id))
        assert isinstance(refusal.refusal, TooSoon)
        assert "10-28 15:30" in walls(salon, refusal)
        assert salon.calendar.accepted() == []
        assert look_at(salon).appointments == {}
        sound(phone, refusal)

    def test_a_time_that_was_not_offered_is_refused_before_anything_is_recorded(self) -> None:
        phone = (salon := salon_with(book_notice=3 * HOUR)).call()
        outcome = refused(phone.book(TUESDAY, "14:30", staff="Fabian"))
        assert outcome.refusal == TooSoon(NOON + 3 * HOUR)
        assert walls(salon, outcome)[0] == "10-28 15:00"
        assert (salon.calendar.accepted(), look_at(salon).appointments) == ([], {})
        booked = phone.book(offer=offer(outcome).id)
        assert isinstance(booked, Booked)

    def test_a_day_that_is_wholly_too_soon_is_refused_and_the_first_possible_ones_are_offered(self) -> None:
        phone = (salon := salon_with(book_notice=24 * HOUR)).call()
        outcome = refused(phone.check("heute"))
        assert outcome.refusal == TooSoon(NOON + 24 * HOUR)
        assert walls(salon, outcome)[0] == "10-29 12:00"
        assert phone.said(outcome)["message"].startswith("Heute kann ich leider keinen Termin mehr buchen")

    def test_notice_of_more_days_than_one_query_covers_still_finds_the_first_that_may_be_booked(self) -> None:
        phone = (salon := salon_with(book_notice=7 * 24 * HOUR)).call()
        outcome = refused(phone.check("morgen", "10:00"))
        assert walls(salon, outcome)[0] == "11-04 12:00"

    def test_a_day_of_which_the_rest_is_too_soon_is_refused_for_that_and_not_called_full(self) -> None:
        salon = Salon(now=NOON, tenant=replace(example_tenant(), policy=PolicySettings(book_notice=3 * HOUR)))
        salon.open(TUESDAY, last="14:30")
        salon.open(WEDNESDAY)
        outcome = refused(salon.call().check("heute"))
        assert isinstance(outcome.refusal, TooSoon)
        assert walls(salon, outcome)[0] == "10-29 09:00"

    def test_a_day_that_is_full_is_not_called_too_soon(self) -> None:
        salon = Salon(now=NOON, tenant=replace(example_tenant(), policy=PolicySettings(book_notice=3 * HOUR)))
        salon.open(WEDNESDAY)
        outcome = salon.call().check("heute")
        assert isinstance(outcome, Offers)
        assert salon.call().said(outcome)["message"].startswith("Heute ist für Herrenhaarschnitt leider nichts frei")

    def test_the_afternoon_is_offered_where_only_the_morning_is_too_soon(self) -> None:
        phone = (salon := salon_with(book_notice=21 * HOUR + HOUR / 2)).call()
        assert isinstance(refused(phone.check("morgen", "vor 9:30")).refusal, TooSoon)
        afternoon = phone.check("morgen", "nachmittags")
        assert isinstance(afternoon, Offers)
        assert walls(salon, afternoon)[0].startswith("10-29 1")

    def test_one_stylist_may_be_booked_at_once_though_the_salon_wants_notice(self) -> None:
        salon = salon_with(book_notice=24 * HOUR, staff={"emma": PolicySettings(book_notice=timedelta(0))})
        outcome = salon.call().check(TUESDAY, "15:00")
        assert isinstance(outcome, Offers)
        assert (outcome.exact, offer(outcome).staff) == (True, "emma")
        fabian = refused(salon.call("call_2").check(TUESDAY, "15:00", staff="Fabian"))
        assert fabian.refusal == TooSoon(NOON + 24 * HOUR)
        assert {each.staff for each in fabian.offers} == {"fabian"}

    def test_alternatives_of_a_taken_time_keep_the_rules_too(self) -> None:
        salon = salon_with(book_notice=3 * HOUR)
        salon.call("call_1").check(TUESDAY, "15:00", staff="Fabian")
        outcome = salon.call("call_2", caller="+491709999999").book(TUESDAY, "15:00", staff="Fabian")
        assert isinstance(outcome, SlotTaken)
        assert outcome.offers
        assert all(each.slot.start >= NOON + 3 * HOUR for each in outcome.offers)


class TestHorizon:
    def test_a_day_behind_it_is_refused_with_the_last_one_and_nobody_is_asked(self) -> None:
        phone = (salon := salon_with(book_horizon_days=2)).call()
        outcome = refused(phone.check(NEXT_TUESDAY, "10:00"))
        assert (outcome.refusal, outcome.offers) == (BeyondHorizon(date(2025, 10, 30)), ())
        assert salon.calendar.asked == []
        reply = phone.said(outcome)
        assert (reply["status"], reply["reason"]) == ("policy", "too_far")
        assert "bis Donnerstag, 30. Oktober, buchen" in reply["message"]
        assert refused(phone.book(NEXT_TUESDAY, "10:00")).refusal == outcome.refusal

    def test_nothing_behind_it_is_offered_as_an_alternative(self) -> None:
        salon = Salon(now=NOON, tenant=replace(example_tenant(), policy=PolicySettings(book_horizon_days=2)))
        salon.open(NEXT_TUESDAY)
        outcome = salon.call().check(WEDNESDAY, "10:00")
        assert isinstance(outcome, NothingFree)
        assert outcome.until == date(2025, 10, 30)

    def test_the_last_day_itself_can_be_booked(self) -> None:
        phone = salon_with(book_horizon_days=1).call()
        assert isinstance(phone.book(WEDNESDAY, "17:30", staff="Fabian"), Booked)


class TestOpenOnes:
    def test_one_more_than_the_rule_allows_is_refused_and_nothing_is_offered(self) -> None:
        salon = salon_with(most_open=1)
        assert isinstance(salon.call("call_1").book(WEDNESDAY, "10:00"), Booked)
        phone = salon.call("call_2")
        for outcome in (phone.check(WEDNESDAY, "14:00"), phone.book(WEDNESDAY, "14:00")):
            assert refused(outcome).refusal == TooManyOpen(1)
            assert refused(outcome).offers == ()
        reply = phone.said(outcome)
        assert (reply["status"], reply["reason"], reply["offers"]) == ("policy", "too_many_open", [])
        assert reply["message"].endswith(salon.tenant.callback[salon.tenant.language])
        assert len(salon.calendar.accepted()) == 1
        sound(phone, outcome)

    def test_an_offer_cannot_be_booked_after_another_one_was(self) -> None:
        phone = (salon := salon_with(most_open=1)).call()
        outcome = phone.check(WEDNESDAY, "10:00", staff="Fabian")
        assert isinstance(phone.book(offer=offer(outcome, 0).id), Booked)
        assert refused(phone.book(offer=offer(outcome, 1).id)).refusal == TooManyOpen(1)
        assert len(salon.calendar.accepted()) == 1

    def test_the_same_wish_again_is_still_booked(self) -> None:
        phone = (salon := salon_with(most_open=1)).call()
        outcome = phone.check(WEDNESDAY, "10:00", staff="Fabian")
        for _ in range(2):
            assert isinstance(phone.book(offer=offer(outcome).id), Booked)
        assert isinstance(phone.book(WEDNESDAY, "10:00", staff="Fabian"), Booked)
        assert len(salon.calendar.accepted()) == 1

    def test_the_same_wish_for_a_time_that_was_not_offered_is_still_booked(self) -> None:
        phone = (salon := salon_with(most_open=1)).call()
        for _ in range(2):
            assert isinstance(phone.book(WEDNESDAY, "10:00", staff="Fabian"), Booked)
        assert len(salon.calendar.accepted()) == 1

    def test_the_same_wish_delivered_twice_at_once_is_booked_for_both(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The first is at Cal.com, and so counts, when the second asks how many there are."""
        phone = (salon := salon_with(most_open=1)).call()
        count = DynamoAppointments.open_of
        first: list[Any] = []

        def open_of(self: DynamoAppointments, tenant: str, customer: str, *, now: datetime) -> int:
            if not first:
                first.append(None)
                first[0] = phone.book(WEDNESDAY, "10:00", staff="Fabian")
            return count(self, tenant, customer, now=now)

        monkeypatch.setattr(DynamoAppointments, "open_of", open_of)
        second = phone.book(WEDNESDAY, "10:00", staff="Fabian")
        assert [type(each) for each in (*first, second)] == [Booked, Booked]
        assert len(salon.calendar.accepted()) == 1

    def test_what_is_over_counts_no_longer(self) -> None:
        salon = salon_with(most_open=1)
        assert isinstance(salon.call("call_1").book(TUESDAY, "14:00"), Booked)
        salon.clock.advance(3 * 3600)
        assert isinstance(salon.call("call_2").book(WEDNESDAY, "10:00"), Booked)

    def test_a_stylist_with_a_lower_limit_is_left_out_and_another_serves(self) -> None:
        salon = salon_with(staff={"fabian": PolicySettings(most_open=1)})
        assert isinstance(salon.call("call_1").book(WEDNESDAY, "10:00", staff="Emma"), Booked)
        outcome = salon.call("call_2").check(WEDNESDAY, "14:00")
        assert isinstance(outcome, Offers)
        assert {each.staff for each in outcome.offers} == {"emma"}
        assert refused(salon.call("call_3").check(WEDNESDAY, "14:00", staff="Fabian")).refusal == TooManyOpen(1)

    def test_who_rings_without_a_number_has_only_what_was_booked_in_this_call(self) -> None:
        salon = salon_with(most_open=1)
        phone = salon.call("call_1", caller=None)
        assert isinstance(phone.book(WEDNESDAY, "10:00"), Booked)
        assert refused(phone.book(WEDNESDAY, "14:00")).refusal == TooManyOpen(1)
        assert isinstance(salon.call("call_2", caller=None).book(WEDNESDAY, "14:00"), Booked)

    def test_the_store_is_not_asked_for_them_without_a_rule(self) -> None:
        salon = salon_with(book_notice=HOUR, withheld_may_book=False)
        phone = salon.call()
        salon.client.faults.next("query", Fault.NOT_SENT, times=99)
        assert isinstance(phone.check(WEDNESDAY, "10:00"), Offers)
        assert isinstance(phone.book(WEDNESDAY, "10:00"), Booked)


class TestWithheldNumbers:
    def test_may_not_book_and_hear_what_helps(self) -> None:
        phone = (salon := salon_with(withheld_may_book=False)).call(caller=None)
        for outcome in (phone.check(WEDNESDAY, "10:00"), phone.book(WEDNESDAY, "10:00")):
            assert (refused(outcome).refusal, refused(outcome).offers) == (NumberWithheld(), ())
        assert "Mit angezeigter Nummer wäre es möglich." in phone.said(outcome)["message"]
        assert (salon.calendar.asked, look_at(salon).appointments) == ([], {})

    def test_may_not_book_what_was_offered_before_the_rule_came_into_force(self) -> None:
        phone = (salon := salon_with()).call(caller=None)
        offered = offer(phone.check(WEDNESDAY, "10:00", staff="Fabian"))
        stricter = replace(phone.as_call.tenant, policy=PolicySettings(withheld_may_book=False))
        later = Phone(salon, replace(phone.as_call, tenant=stricter))
        assert refused(later.book(offer=offered.id)).refusal == NumberWithheld()
        assert (salon.calendar.accepted(), look_at(salon).appointments) == ([], {})

    def test_a_number_that_is_only_said_is_no_number(self) -> None:
        phone = salon_with(withheld_may_book=False).call(caller=None)
        assert isinstance(phone.book(WEDNESDAY, "10:00", phone="0170 1234567"), AgainstPolicy)

    def test_a_shown_number_books(self) -> None:
        assert isinstance(salon_with(withheld_may_book=False).call().book(WEDNESDAY, "10:00"), Booked)


def test_without_rules_nothing_is_refused() -> None:
    phone = (salon := opened(example_tenant())).call(caller=None)
    for day, time in ((TUESDAY, "12:30"), (WEDNESDAY, "10:00"), (NEXT_TUESDAY, "17:30")):
        assert isinstance(phone.book(day, time), Booked)
    assert len(salon.calendar.accepted()) == 3


def test_a_calendar_that_does_not_answer_is_no_rule() -> None:
    salon = salon_with(book_notice=3 * HOUR)
    salon.calendar.slot_faults.extend([Unclear("late")] * 2)
    assert isinstance(salon.call().check(TUESDAY, "15:00"), TemporaryTrouble)
