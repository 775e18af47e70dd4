"""Who may change an appointment: what is theirs, and which of it they have named."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bookend.domain.appointment import Appointment, AppointmentState, BookedSegment
from bookend.domain.authority import is_named, matching, token_of, upcoming, was_asked_here
from bookend.domain.contacts import Customer
from bookend.domain.timeslot import Slot

BERLIN = ZoneInfo("Europe/Berlin")
TEN = datetime(2025, 10, 28, 9, 0, tzinfo=UTC)
TUESDAY = date(2025, 10, 28)
S = AppointmentState


def appointment(name: str, start: datetime = TEN, *, state: AppointmentState = S.CONFIRMED) -> Appointment:
    return Appointment(
        id=name,
        state=state,
        op=f"op-{name}",
        version=2,
        service="herrenhaarschnitt",
        segments=(BookedSegment(0, "fabian", Slot.of(start, 30), 1, f"uid-{name}", 1),),
        customer=Customer("c", "Hans Schuster", "c@kunden.example", None),
        call="call",
        source="phone",
        created_at=TEN - timedelta(days=3),
        request="r",
    )


def ids(found: list[Appointment]) -> list[str]:
    return [each.id for each in found]


def named(
    *appointments: Appointment, name: str = "Hans Schuster", day: date = TUESDAY, at: datetime | None = None
) -> list[str]:
    return ids(matching(appointments, name=name, day=day, at=at, zone=BERLIN))


class TestUpcoming:
    def test_the_earliest_comes_first(self) -> None:
        late, early = appointment("late", TEN + timedelta(days=1)), appointment("early")
        assert ids(upcoming([late, early], now=TEN - timedelta(hours=1))) == ["early", "late"]

    @pytest.mark.parametrize(
        ("state", "heard"),
        [
            (S.CONFIRMED, True),
            (S.MOVING, True),
            (S.CANCELLING, True),
            (S.PENDING, True),
            (S.COMPENSATING, True),
            (S.FAILED, False),
            (S.CANCELLED, False),
        ],
    )
    def test_only_of_what_stands_or_may_come_to_stand(self, state: AppointmentState, *, heard: bool) -> None:
        assert bool(upcoming([appointment("a", state=state)], now=TEN - timedelta(hours=1))) is heard

    def test_every_state_is_decided(self) -> None:
        assert {each.value for each in S} == {
            *("CONFIRMED", "MOVING", "CANCELLING", "PENDING", "COMPENSATING", "FAILED", "CANCELLED"),
        }

    def test_what_has_begun_is_over(self) -> None:
        assert ids(upcoming([appointment("a")], now=TEN - timedelta(microseconds=1))) == ["a"]
        assert upcoming([appointment("a")], now=TEN) == []


class TestToken:
    TOKEN = token_of("call_1", "customer_1", mark="m1")

    def test_a_question_of_this_call_is_known_as_such(self) -> None:
        assert was_asked_here(self.TOKEN, "call_1", "customer_1")
        assert was_asked_here(token_of("call_1", "customer_1", mark="m2"), "call_1", "customer_1")
        assert token_of("call_1", "customer_1", mark="m2") != self.TOKEN

    @pytest.mark.parametrize("token", ["", "-", "m1", "m1-", "ä-ö", TOKEN[:-1], TOKEN + "0", TOKEN[1:], TOKEN.upper()])
    def test_what_was_made_up_is_none(self, token: str) -> None:
        assert not was_asked_here(token, "call_1", "customer_1")

    def test_nor_is_that_of_another_call_or_caller(self) -> None:
        assert not was_asked_here(self.TOKEN, "call_2", "customer_1")
        assert not was_asked_here(self.TOKEN, "call_1", "customer_2")


class TestMatching:
    def test_name_and_day_must_both_fit(self) -> None:
        assert named(appointment("a")) == ["a"]
        assert named(appointment("a"), name="Hans Meier") == []
        assert named(appointment("a"), day=TUESDAY + timedelta(days=1)) == []

    def test_a_time_picks_the_very_one(self) -> None:
        both = appointment("a"), appointment("b", TEN + timedelta(hours=2))
        assert named(*both) == ["a", "b"]
        assert named(*both, at=TEN + timedelta(hours=2)) == ["b"]
        assert named(*both, at=TEN + timedelta(hours=1)) == []

    def test_the_day_is_the_salons(self) -> None:
        """Half past eleven at night in UTC is the next day in Berlin."""
        night = appointment("a", datetime(2025, 10, 27, 23, 30, tzinfo=UTC))
        assert named(night) == ["a"]
        assert named(night, day=date(2025, 10, 27)) == []

    def test_the_name_is_that_of_the_appointment(self) -> None:
        other = replace(appointment("b"), customer=Customer("c", "Ute Neumann", "c@kunden.example", None))
        assert named(appointment("a"), other) == ["a"]
        assert named(appointment("a"), other, name="Ute Neumann") == ["b"]


class TestNames:
    @pytest.mark.parametrize(
        "said",
        [
            "Hans Schuster",
            "hans schuster",
            "Schuster",
            "Herr Schuster",
            "Schuster, Hans",
            "Dr. Hans Schuster",
            "Hans Peter Schuster",
            "Hans Peter Georg Schuster",
        ],
    )
    def test_that_may_be_the_one_on_record(self, said: str) -> None:
        assert is_named(said, "Hans Schuster")

    @pytest.mark.parametrize(
        "said",
        [
            "Hans Meier",
            "Meier",
            "Schu",
            "Schusterin",
            "Frau",
            "Herr",
            "",
            " ",
            "*",
            "%",
            "Hans OR Schuster AND 1=1 --",
            "Hans Schuster Meier Müller Schmidt",
            "Anna Ben Clara Hans Schuster",
        ],
    )
    def test_that_is_not_the_one_on_record(self, said: str) -> None:
        assert not is_named(said, "Hans Schuster")

    def test_herr_and_frau_are_two_people(self) -> None:
        assert not is_named("Frau Schuster", "Herr Schuster")
        assert is_named("Frau Schuster", "Schuster")

    @pytest.mark.parametrize(
        ("said", "known"), [("Müller", "Mueller"), ("José Núñez", "Jose Nunez"), ("Groß", "Gross")]
    )
    def test_spelt_with_or_without_accents(self, said: str, known: str) -> None:
        assert is_named(said, known)
        assert is_named(known, said)

    def test_a_name_of_one_word_is_not_guessed_by_a_list(self) -> None:
        assert is_named("Hans Schuster", "Schuster")
        assert not is_named("Müller Schmidt Schuster", "Schuster")

    def test_in_another_script_only_the_very_same_fits(self) -> None:
        assert is_named("山田", "山田")
        assert not is_named("山田", "山本")

    @pytest.mark.parametrize("known", ["Hans Schuster", "Hans Peter Schuster"])
    def test_a_first_name_alone_is_nobodys_but_a_surname_may_do(self, known: str) -> None:
        assert not is_named("Hans", known)
        assert not is_named("Herr Hans", known)
        assert is_named("Schuster", known)
        assert is_named("Hans", "Hans"), "all there is on record"

    def test_nobody_is_named_by_nothing(self) -> None:
        assert not is_named("", "")
        assert not is_named("...", "!!!")
