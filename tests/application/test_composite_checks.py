"""Asking for a composite service: its busy parts are offered and held together, its gap stays on sale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bookend.application.outcomes import (
    AgainstPolicy,
    CheckOutcome,
    NothingFree,
    Offers,
    TemporaryTrouble,
)
from bookend.application.ports import BookingRequest
from bookend.domain.answers import Answered, Unclear
from bookend.domain.availability import Offer
from bookend.domain.policy import PolicySettings, TooSoon
from bookend.domain.staff_day import CLOCK_SLACK, IntervalState
from bookend.domain.tenant import Tenant
from tests.support.invariants import Heard, look_at, violations
from tests.support.salon import Phone, Salon, example_tenant

FRIDAY = "2025-11-28"
I4 = datetime(2025, 11, 23, 21, 5, 20, tzinfo=UTC)
PERM = "Dauerwelle"
FIRST, SECOND = {"fabian": 3757749, "emma": 11}, {"fabian": 3757750, "emma": 12}


def shared(tenant: Tenant) -> Tenant:
    """The salon in which Emma does perms as well."""
    *others, perm = tenant.services
    first, gap, second = perm.segments
    segments = (replace(first, event_types=FIRST), gap, replace(second, event_types=SECOND))
    return replace(tenant, services=(*others, replace(perm, segments=segments)))


def opened(tenant: Tenant | None = None, *, first: str = "09:00", last: str = "17:30") -> Salon:
    salon = Salon(now=I4, tenant=tenant or example_tenant())
    salon.open(FRIDAY, first=first, last=last, every=15)
    return salon


@pytest.fixture
def salon() -> Salon:
    return opened()


def offered(outcome: CheckOutcome) -> tuple[Offer, ...]:
    assert isinstance(outcome, Offers), outcome
    return outcome.offers


def wall(salon: Salon, moment: datetime) -> str:
    return f"{moment.astimezone(salon.tenant.zone):%H:%M}"


def parts(salon: Salon, offer: Offer) -> list[str]:
    return [f"{wall(salon, each.start)}-{wall(salon, each.end)}" for each in offer.parts]


def held(salon: Salon) -> dict[str, set[str]]:
    """Of each stylist: every live hold."""
    world = look_at(salon)
    found: dict[str, set[str]] = {}
    for (staff, _), intervals in world.ledger.items():
        for each in intervals.values():
            if each.state is IntervalState.HELD and world.live(each):
                span = f"{wall(salon, each.slot.start)}-{wall(salon, each.slot.end)}"
                found.setdefault(staff, set()).add(span)
    return found


def sound(salon: Salon, phone: Phone, outcome: CheckOutcome) -> None:
    assert violations(salon, [Heard(phone.as_call.id, outcome)]) == []


def questions(salon: Salon) -> list[Mapping[str, int]]:
    """From now on: what Cal.com is asked for, at one time each."""
    asked: list[Mapping[str, int]] = []
    inner = salon.calendar.free_starts

    def noted(event_types: Mapping[str, int], *rest: Any, **more: Any) -> Any:
        asked.append(event_types)
        return inner(event_types, *rest, **more)

    salon.calendar.free_starts = noted
    return asked


class TestOffers:
    def test_the_perm_of_the_incident_is_free_from_ten_to_a_quarter_past_twelve(self, salon: Salon) -> None:
        phone = salon.call()
        outcome = phone.check(FRIDAY, "10:00", service=PERM, staff="Fabian")
        best = offered(outcome)[0]
        assert parts(salon, best) == ["10:00-10:45", "11:45-12:15"]
        assert (wall(salon, best.slot.start), wall(salon, best.slot.end)) == ("10:00", "12:15")
        reply = phone.said(outcome)
        assert reply["status"] == "available"
        assert "am Freitag, 28. November, um 10 Uhr ist ein Termin für Dauerwelle frei" in reply["message"]
        sound(salon, phone, outcome)

    def test_only_the_busy_parts_are_held_and_as_they_were_offered(self, salon: Salon) -> None:
        phone = salon.call()
        outcome = phone.check(FRIDAY, "10:00", service=PERM)
        assert held(salon) == {"fabian": {part for each in offered(outcome) for part in parts(salon, each)}}
        known = salon.appointments.look(salon.tenant.id, call="call_1")
        assert known.record.offers == offered(outcome)
        assert all(len(each.intervals) == 2 for each in known.record.offers)

    def test_it_is_found_with_event_types_that_have_the_grid_of_their_lengths(self) -> None:
        salon = Salon(now=I4)
        salon.open(FRIDAY, every=30, only=SECOND["fabian"])
        salon.open(FRIDAY, every=45, first="09:00", only=FIRST["fabian"])
        (best, *_) = offered(salon.call().check(FRIDAY, "10:00", service=PERM))
        assert parts(salon, best) == ["10:00-10:45", "11:45-12:15"], "11:45 is listed by none of them"

    def test_what_is_offered_can_be_booked_at_calcom_if_nothing_changed(self, salon: Salon) -> None:
        salon.calendar.book_publicly(2563195, datetime(2025, 11, 28, 10, 0, tzinfo=UTC))
        for offer in offered(salon.call().check(FRIDAY, "11:00", service=PERM)):
            for slot, event_type in zip(offer.parts, (FIRST["fabian"], SECOND["fabian"]), strict=True):
                request = BookingRequest(event_type, slot.start, "Reu", "r@x.example", None, "Europe/Berlin", "de", {})
                assert isinstance(salon.calendar.make(request), Answered)

    @pytest.mark.parametrize(
        ("after", "event_type", "is_free"), [(0, 3672814, False), (105, 3672814, False), (50, 2563195, True)]
    )
    def test_a_booking_at_calcom_is_in_its_way_on_either_part_and_not_in_the_gap(
        self, salon: Salon, after: int, event_type: int, is_free: bool
    ) -> None:
        salon.calendar.book_publicly(event_type, datetime(2025, 11, 28, 9, 0, tzinfo=UTC) + timedelta(minutes=after))
        outcome = salon.call().check(FRIDAY, "10:00", service=PERM)
        assert ("10:00" in [wall(salon, each.slot.start) for each in offered(outcome)]) is is_free

    def test_where_no_start_leaves_room_for_the_last_part_nothing_is_free(self) -> None:
        salon = opened(last="10:30")
        assert isinstance(salon.call().check(FRIDAY, service=PERM), NothingFree)

    def test_the_salons_rules_bind_it_too(self, salon: Salon) -> None:
        tenant = replace(salon.tenant, policy=PolicySettings(book_notice=timedelta(days=30)))
        outcome = opened(tenant).call().check(FRIDAY, "10:00", service=PERM)
        assert isinstance(outcome, AgainstPolicy)
        assert isinstance(outcome.refusal, TooSoon)


class TestTheGap:
    def test_is_sold_to_another_while_the_perm_is_held(self) -> None:
        salon = opened(first="10:00", last="11:45")
        (perm,) = offered(salon.call("call_1").check(FRIDAY, "10:00", service=PERM))
        assert parts(salon, perm) == ["10:00-10:45", "11:45-12:15"]
        other = salon.call("call_2", caller="+491709999999")
        outcome = other.check(FRIDAY, "11:45", staff="Fabian")
        assert [wall(salon, each.slot.start) for each in offered(outcome)] == ["11:15", "10:45"]
        sound(salon, other, outcome)

    def test_takes_the_busy_part_of_another_perm(self) -> None:
        """Two callers' perms in each other's gaps."""
        salon = opened(first="10:00", last="12:30")
        salon.calendar.starts[FIRST["fabian"]] = [datetime(2025, 11, 28, 9, n, tzinfo=UTC) for n in (0, 45)]
        salon.calendar.starts[SECOND["fabian"]] = [
            datetime(2025, 11, 28, h, n, tzinfo=UTC) for h, n in ((10, 45), (11, 30))
        ]
        first = offered(salon.call("call_1").check(FRIDAY, "10:00", service=PERM))
        assert [parts(salon, each) for each in first] == [
            ["10:00-10:45", "11:45-12:15"],
            ["10:45-11:30", "12:30-13:00"],
        ]
        phone = salon.call("call_2", caller="+491709999999")
        assert isinstance(phone.check(FRIDAY, "10:45", service=PERM), NothingFree), "both are held"
        salon.call("call_1").hang_up()
        salon.calendar.starts[FIRST["fabian"]].pop()
        salon.call("call_1").check(FRIDAY, "10:00", service=PERM)
        salon.calendar.starts[FIRST["fabian"]].append(datetime(2025, 11, 28, 9, 45, tzinfo=UTC))
        outcome = phone.check(FRIDAY, "10:45", service=PERM)
        assert [parts(salon, each) for each in offered(outcome)] == [["10:45-11:30", "12:30-13:00"]]
        assert held(salon) == {"fabian": {"10:00-10:45", "10:45-11:30", "11:45-12:15", "12:30-13:00"}}
        sound(salon, phone, outcome)


class TestHolds:
    def test_a_new_check_gives_every_part_back(self, salon: Salon) -> None:
        phone = salon.call()
        phone.check(FRIDAY, "10:00", service=PERM)
        outcome = phone.check(FRIDAY, "15:00", service="Herrenhaarschnitt", staff="Fabian")
        assert held(salon) == {
            "fabian": {f"{wall(salon, each.slot.start)}-{wall(salon, each.slot.end)}" for each in offered(outcome)}
        }
        sound(salon, phone, outcome)

    def test_the_same_check_again_offers_the_same(self, salon: Salon) -> None:
        phone = salon.call()
        first = offered(phone.check(FRIDAY, "10:00", service=PERM))
        assert [each.parts for each in offered(phone.check(FRIDAY, "10:00", service=PERM))] == [
            each.parts for each in first
        ]

    def test_the_end_of_the_call_frees_every_part(self, salon: Salon) -> None:
        phone = salon.call()
        count = len(offered(phone.check(FRIDAY, "10:00", service=PERM)))
        assert phone.hang_up() == count
        assert held(salon) == {}
        assert not any(intervals for intervals in look_at(salon).ledger.values())

    def test_each_part_stands_in_the_utc_days_that_it_touches_and_no_other(self) -> None:
        tenant = example_tenant()
        salon = Salon(now=I4, tenant=tenant)
        midnight = datetime(2025, 11, 29, 0, 0, tzinfo=UTC)
        for event_type in (FIRST["fabian"], SECOND["fabian"]):
            salon.calendar.starts[event_type] = [midnight + timedelta(minutes=n) for n in range(-60, 120, 15)]
        (offer, *_) = offered(salon.call().check(FRIDAY, service=PERM))
        assert offer.slot.start == midnight - timedelta(minutes=60)
        days = {str(day): set(each) for (_, day), each in look_at(salon).ledger.items()}
        assert f"{offer.id}/0" in days["2025-11-28"] - days["2025-11-29"]
        assert f"{offer.id}/1" in days["2025-11-29"] - days["2025-11-28"]

    def test_who_takes_one_part_first_keeps_it_and_other_times_are_offered(self, salon: Salon) -> None:
        """Between the look at the ledger and the write, another caller is offered 11:45."""
        inner = salon.client.transact_write_items

        def overtaken(**request: Any) -> Any:
            salon.client.transact_write_items = inner
            salon.call("call_2", caller="+491709999999").check(FRIDAY, "11:45", staff="Fabian")
            return inner(**request)

        salon.client.transact_write_items = overtaken
        phone = salon.call()
        outcome = phone.check(FRIDAY, "10:00", service=PERM)
        assert "10:00" not in [wall(salon, each.slot.start) for each in offered(outcome)]
        assert "11:45-12:15" in held(salon)["fabian"]
        sound(salon, phone, outcome)

    def test_an_expired_hold_blocks_none_of_its_parts(self, salon: Salon) -> None:
        salon.call("call_1").check(FRIDAY, "10:00", service=PERM)
        salon.clock.advance(120 + CLOCK_SLACK.total_seconds())
        outcome = salon.call("call_2", caller="+491709999999").check(FRIDAY, "10:00", service=PERM)
        assert wall(salon, offered(outcome)[0].slot.start) == "10:00"


class TestQuestions:
    def test_all_event_types_of_all_stylists_are_asked_for_at_one_time(self) -> None:
        salon = opened(shared(example_tenant()))
        asked = questions(salon)
        salon.call().check(FRIDAY, "10:00", service=PERM)
        assert [sorted(each.values()) for each in asked] == [sorted([*FIRST.values(), *SECOND.values()])]

    def test_two_parts_with_one_event_type_are_one_question(self) -> None:
        *others, perm = example_tenant().services
        twice = replace(perm, segments=(perm.segments[2], perm.segments[1], perm.segments[2]))
        salon = opened(replace(example_tenant(), services=(*others, twice)))
        asked = questions(salon)
        (best, *_) = offered(salon.call().check(FRIDAY, "10:00", service=PERM))
        assert [list(each.values()) for each in asked] == [[SECOND["fabian"]]]
        assert parts(salon, best) == ["10:00-10:30", "11:30-12:00"]

    def test_calcom_is_asked_anew_each_time_and_nothing_is_kept(self, salon: Salon) -> None:
        for number in (1, 2):
            salon.call(f"call_{number}").check(FRIDAY, service=PERM)
            assert salon.calendar.asked.count("slots") == 2 * number
        assert salon.items("SLOTS") == []


class TestSeveralStylists:
    def test_who_has_less_that_day_does_all_of_it(self) -> None:
        salon = opened(shared(example_tenant()))
        first = offered(salon.call("call_1").check(FRIDAY, "10:00", service=PERM))[0]
        assert first.staff == "fabian", "the first of the configuration"
        second = offered(salon.call("call_2", caller="+491709999999").check(FRIDAY, "10:00", service=PERM))[0]
        assert (second.staff, second.slot) == ("emma", first.slot)
        assert set(held(salon)) == {"fabian", "emma"}

    def test_who_was_named_is_the_only_one_asked(self) -> None:
        salon = opened(shared(example_tenant()))
        asked = questions(salon)
        outcome = salon.call().check(FRIDAY, "10:00", service=PERM, staff="Emma")
        assert {each.staff for each in offered(outcome)} == {"emma"}
        assert [set(each.values()) for each in asked] == [{11, 12}]

    @pytest.mark.parametrize("lost", [0, 1])
    def test_who_is_not_known_in_full_is_left_out_and_nothing_is_called_taken_for_that(self, lost: int) -> None:
        """Of one of Fabian's two event types there is no answer; Emma is free later that day only."""
        salon = opened(shared(example_tenant()))
        late = datetime(2025, 11, 28, 13, 0, tzinfo=UTC)
        for event_type in (11, 12):
            salon.calendar.starts[event_type] = [e for e in salon.calendar.starts[event_type] if e >= late]
        inner = salon.calendar.free_starts

        def silent(event_types: Mapping[str, int], *rest: Any, **more: Any) -> Any:
            answers = dict(inner(event_types, *rest, **more))
            (name,) = [each for each, kind in event_types.items() if kind == (FIRST, SECOND)[lost]["fabian"]]
            return answers | {name: Unclear("ReadTimeout")}

        salon.calendar.free_starts = silent
        outcome = salon.call().check(FRIDAY, "10:00", service=PERM)
        assert isinstance(outcome, Offers)
        assert {each.staff for each in outcome.offers} == {"emma"}
        assert not outcome.sure

    def test_without_any_answer_it_is_temporary(self, salon: Salon) -> None:
        salon.calendar.slot_faults.extend([Unclear("ReadTimeout")] * 2)
        assert isinstance(salon.call().check(FRIDAY, "10:00", service=PERM), TemporaryTrouble)
