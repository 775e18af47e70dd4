"""A wish to be rung: what must be known for it, whose number counts, and that one call has one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from bookend.adapters.dynamodb.callbacks import DynamoCallbacks
from bookend.application.deadline import READ_TURN_S, Deadline
from bookend.application.request_callback import (
    CallbackNeeds,
    CallbackNoted,
    CallbackNotNoted,
    CallbackOutcome,
    RequestCallback,
    TooManyCallbacks,
    request_callback,
)
from bookend.domain.callbacks import MAX_SAID, MOST_PER_DAY, Callback, CallbackReason, CallbackState
from bookend.domain.contacts import MAX_NAME
from tests.support.salon import CALLER, Salon
from tests.support.tables.faults import Fault

NAMED = "+4915112345678"
NEW, AGAIN = CallbackNoted(signed=True, new=True), CallbackNoted(signed=True, new=False)


@dataclass
class Desk:
    """A salon that takes wishes to be rung."""

    salon: Salon = field(default_factory=Salon)

    def asks(self, call: str = "call_1", *, caller: str | None = CALLER, **said: Any) -> CallbackOutcome:
        """Hans would like a perm on Friday, unless said otherwise."""
        wish = {
            "name": "Hans Schuster",
            "phone": None,
            "service": "Dauerwelle",
            "wished": "Freitag gegen zehn",
            "reason": CallbackReason.BOOK,
        }
        salon = self.salon
        port = DynamoCallbacks(salon.table).within(Deadline.within(READ_TURN_S, salon.clock))
        command = RequestCallback(**(wish | said))
        return request_callback(command, salon.call(call, caller=caller).as_call, callbacks=port, clock=salon.clock)

    def listed(self) -> tuple[Callback, ...]:
        return DynamoCallbacks(self.salon.table).listed(self.salon.tenant.id)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_wish_is_listed_with_name_number_service_time_and_what_had_failed(desk: Desk) -> None:
    assert desk.asks() == NEW
    (wish,) = desk.listed()
    assert (wish.name, wish.phone, wish.signed, wish.call) == ("Hans Schuster", CALLER, True, "call_1")
    assert (wish.service, wish.wished, wish.reason) == ("Dauerwelle", "Freitag gegen zehn", CallbackReason.BOOK)
    assert (wish.asked_at, wish.state) == (desk.salon.now, CallbackState.OPEN)


def test_a_name_and_a_number_are_enough(desk: Desk) -> None:
    assert desk.asks(service=None, wished=None, reason=None) == NEW
    (wish,) = desk.listed()
    assert (wish.service, wish.wished, wish.reason) == (None, None, None)


@pytest.mark.parametrize("name", [None, "", "  ", "1234", "?!"])
def test_without_a_name_it_is_asked_for(desk: Desk, name: str | None) -> None:
    assert desk.asks(name=name) is CallbackNeeds.NAME
    assert desk.listed() == ()


@pytest.mark.parametrize("phone", [None, "anonymous", "12", "0151 12", "+266696687", "weiß nicht"])
def test_a_withheld_number_is_asked_for_until_one_is_named(desk: Desk, phone: str | None) -> None:
    assert desk.asks(caller=None, phone=phone) is CallbackNeeds.PHONE
    assert desk.listed() == ()


@pytest.mark.parametrize("phone", ["0151 12345678", "0049 151 12345678", "+49 (0)151 / 123-45678"])
def test_a_named_number_is_kept_as_one_that_can_be_dialled_and_as_no_proof(desk: Desk, phone: str) -> None:
    assert desk.asks(caller=None, phone=phone) == CallbackNoted(signed=False, new=True)
    (wish,) = desk.listed()
    assert (wish.phone, wish.signed) == (NAMED, False)


def test_the_number_of_the_call_counts_whatever_else_is_named(desk: Desk) -> None:
    assert desk.asks(phone=NAMED) == NEW
    assert [(each.phone, each.signed) for each in desk.listed()] == [(CALLER, True)]


def test_what_was_said_is_kept_as_it_was_said_in_one_line_of_limited_length(desk: Desk) -> None:
    said = "nächsten  Freitag\noder\u202e übermorgen, {{egal}}\u0000; DROP"
    desk.asks(wished=said, service="D" * 400, name="Ä" * 200)
    (wish,) = desk.listed()
    assert wish.wished == "nächsten Freitag oder übermorgen, {{egal}}; DROP"
    assert (wish.service, wish.name) == ("D" * MAX_SAID, "Ä" * MAX_NAME)


def test_the_same_call_asks_once_however_often_it_asks(desk: Desk) -> None:
    assert desk.asks() == NEW
    desk.salon.clock.advance(3)
    assert [desk.asks() for _ in range(MOST_PER_DAY + 2)] == [AGAIN] * (MOST_PER_DAY + 2)
    assert desk.asks(wished="Samstag") == AGAIN
    (wish,) = desk.listed()
    assert (wish.wished, wish.service, wish.asked_at) == ("Samstag", "Dauerwelle", desk.salon.now)


def test_a_number_asks_three_times_a_day_of_the_salons(desk: Desk) -> None:
    desk.salon = Salon(now=datetime(2025, 10, 25, 21, 30, tzinfo=UTC))  # 23:30 in Berlin
    assert [desk.asks(f"call_{number}") for number in range(MOST_PER_DAY)] == [NEW] * MOST_PER_DAY
    assert desk.asks("call_more") == TooManyCallbacks()
    assert len(desk.listed()) == MOST_PER_DAY
    assert desk.asks("call_other", caller=NAMED) == NEW
    desk.salon.clock.advance(1800)
    assert desk.asks("call_more") == NEW


def test_who_only_names_a_number_uses_up_nothing_of_whose_it_is(desk: Desk) -> None:
    for number in range(MOST_PER_DAY):
        assert desk.asks(f"call_{number}", caller=None, phone=CALLER) == CallbackNoted(signed=False, new=True)
    assert desk.asks("call_x", caller=None, phone=CALLER) == TooManyCallbacks()
    assert desk.asks("call_y") == NEW


@pytest.mark.parametrize("fault", [Fault.NOT_SENT, Fault.LOST_ANSWER])
def test_a_store_that_does_not_answer_is_no_promise_and_asking_again_makes_one(desk: Desk, fault: Fault) -> None:
    desk.salon.client.faults.next("transact_write_items", fault)
    assert desk.asks() == CallbackNotNoted()
    assert desk.asks() == CallbackNoted(signed=True, new=fault is Fault.NOT_SENT)
    assert len(desk.listed()) == 1
