"""What the machine found, alone and in few words; and that its model can tell a right answer from a wrong one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from bookend.adapters.retell import change_replies
from bookend.application.outcomes import HasOne
from tests.application.changes import ELEVEN, MOVE, TEN, TUESDAY, question, salon_with_one, yes
from tests.stateful.machine import CALLERS, VoiceMachine
from tests.stateful.model import DAYS, FIRST, When
from tests.support.invariants import look_at
from tests.support.salon import Salon


def moved_to_eleven() -> Salon:
    """Booked with Fabian at ten in one call, and moved in another."""
    salon = salon_with_one()
    phone = salon.call("call_mover")
    yes(phone, MOVE, question(phone, MOVE).token)
    salon.clock.advance(timedelta(minutes=5).total_seconds())
    (appointment,) = look_at(salon).appointments.values()
    assert appointment.slot.start == ELEVEN
    return salon


def test_who_wishes_again_what_was_moved_since_hears_where_it_stands() -> None:
    """With another stylist, in the call that booked it: nothing is booked at ten any more, and nobody says so."""
    salon = moved_to_eleven()
    phone = salon.call("call_0")
    outcome = phone.book(TUESDAY, "10:00", staff="Emma")
    assert isinstance(outcome, HasOne), outcome
    assert outcome.slot.start == ELEVEN
    reply = phone.said(outcome)
    assert (reply["status"], "11 Uhr" in str(reply["message"]), "10 Uhr" in str(reply["message"])) == (
        "already_booked",
        True,
        False,
    )
    assert TEN not in {each.start for each in salon.calendar.accepted()}


@pytest.fixture
def machine() -> Iterator[VoiceMachine]:
    """A salon that nobody has rung yet."""
    one = VoiceMachine()
    one.opens()
    one.nobody_rings_yet()
    yield one
    one.teardown()


def booked(machine: VoiceMachine, number: int) -> str:
    """A caller with so many appointments, half an hour apart."""
    caller = next(iter(CALLERS))
    for each in range(number):
        when = When(DAYS[each // 4], FIRST + each % 4 * 45)
        machine.books(caller=caller, line=0, service="Herrenhaarschnitt", when=when, by_name=False, fate=9)
    assert len(machine.model.of(caller, now=machine.now)) == number
    return caller


def test_of_seven_the_first_five_are_read_out_and_the_model_knows_it(machine: VoiceMachine) -> None:
    machine.asks_for_ones_own(booked(machine, 7), 0)


def test_one_that_is_left_out_is_noticed(machine: VoiceMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = booked(machine, 7)
    monkeypatch.setattr(change_replies, "_MOST_SAID", 4)
    with pytest.raises(AssertionError):
        machine.asks_for_ones_own(caller, 0)


def test_two_at_once_that_the_salon_has_not_put_there_are_noticed(machine: VoiceMachine) -> None:
    caller = booked(machine, 1)
    (one,) = machine.model.of(caller, now=machine.now)
    machine.the_salon_moves(0, When(DAYS[1], FIRST))
    machine.books(caller=caller, line=1, service="Herrenhaarschnitt", when=When(DAYS[1], FIRST), by_name=False, fate=9)
    machine.everything_is_settled()
    assert machine.model.two_at_once() == 1
    one.put_there = False
    with pytest.raises(AssertionError, match="2 at once"):
        machine.after()
    one.put_there = True
