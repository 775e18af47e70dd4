"""Which appointments a caller hears of: their own, by the number that calls, and only when they are."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bookend.adapters.retell.change_replies import ChangeSpeaker
from bookend.adapters.retell.replies import Reply
from bookend.application.change_outcomes import AskAPerson, FindOutcome, Found
from bookend.application.deadline import READ_TURN_S
from bookend.application.find_appointments import find_appointments
from bookend.domain.answers import CreateAnswer, Unclear
from tests.application.changes import (
    CANCEL,
    MOVE,
    STRANGER,
    TEN,
    TUESDAY,
    WEDNESDAY,
    answers,
    book,
    question,
    salon_with_one,
    yes,
)
from tests.support.calendar import BUSY, FakeCalendar
from tests.support.salon import Phone, Salon


@pytest.fixture
def salon() -> Salon:
    return salon_with_one()


def find(phone: Phone) -> FindOutcome:
    return find_appointments(phone.turn(READ_TURN_S))


def starts(phone: Phone) -> list[object]:
    outcome = find(phone)
    assert isinstance(outcome, Found)
    return [each.start for each in outcome.slots]


def heard(phone: Phone) -> Reply:
    return ChangeSpeaker(phone.as_call.tenant).found(find(phone))


def test_those_to_come_earliest_first(salon: Salon) -> None:
    book(salon, WEDNESDAY, "09:00", call="call_8")
    book(salon, TUESDAY, "15:00", call="call_9")
    assert starts(salon.call()) == [TEN, TEN + timedelta(hours=5), TEN + timedelta(hours=23)]


def test_day_and_time_are_read_out_and_neither_what_for_nor_with_whom(salon: Salon) -> None:
    phone = salon.call()
    assert heard(phone) == {
        "status": "ok",
        "message": "Ihr nächster Termin ist am Dienstag, 28. Oktober, um 10 Uhr.",
        "appointments": ["2025-10-28T10:00+01:00"],
    }


def test_nobody_elses(salon: Salon) -> None:
    assert starts(salon.call(caller=STRANGER)) == []


def test_a_withheld_number_hears_of_nothing_and_is_not_told_whether_there_is_something(salon: Salon) -> None:
    assert find(salon.call(caller=None)) == AskAPerson()
    assert find(Salon().call(caller=None)) == AskAPerson()


def test_one_that_has_begun_is_no_more_to_come(salon: Salon) -> None:
    salon.clock.advance((TEN - salon.clock.now()).total_seconds() - 1)
    assert starts(salon.call()) == [TEN]
    salon.clock.advance(1)
    assert starts(salon.call()) == []


def test_what_is_open_is_said_to_be_open_and_is_no_appointment_yet(salon: Salon) -> None:
    """Whoever heard nothing of it would book another one."""
    salon.calendar.faults.append(lambda *_: Unclear("ReadTimeout"))
    salon.call("call_8").book(WEDNESDAY, "09:00", staff="Fabian")
    phone = salon.call()
    assert starts(phone) == [TEN]
    reply = heard(phone)
    assert reply["message"] == (
        "Ihr nächster Termin ist am Dienstag, 28. Oktober, um 10 Uhr. Ihr Termin "
        "am Mittwoch, 29. Oktober, um 9 Uhr ist noch offen: Die Bestätigung der Terminverwaltung "
        "steht aus. Sie bekommen eine Nachricht, ob er gebucht ist."
    )
    assert reply["open"] == [{"start": "2025-10-29T09:00+01:00", "what": "booking"}]


def test_nobody_else_hears_of_what_is_open(salon: Salon) -> None:
    salon.calendar.faults.append(lambda *_: Unclear("ReadTimeout"))
    salon.call("call_8").book(WEDNESDAY, "09:00", staff="Fabian")
    assert heard(salon.call(caller=STRANGER)) == {
        "status": "ok",
        "message": "Unter Ihrer Telefonnummer finde ich keinen kommenden Termin.",
        "appointments": [],
    }


def test_what_was_refused_is_no_more_heard_of(salon: Salon) -> None:
    salon.calendar.faults.append(lambda *_: BUSY)
    salon.call("call_8").book(WEDNESDAY, "09:00", staff="Fabian")
    assert "offen" not in heard(salon.call())["message"]


def test_one_that_is_being_moved_is_where_it_stands_and_said_to_be_open(salon: Salon) -> None:
    phone = salon.call()
    salon.calendar.move_faults.extend([answers(Unclear("HTTP 500"))] * 2)
    yes(phone, MOVE, question(phone, MOVE).token)
    assert starts(phone) == [TEN]
    assert heard(phone)["message"] == (
        "Ihr Termin ist bisher am Dienstag, 28. Oktober, um 10 Uhr. Ob er verschoben wird, ist "
        "noch offen. Dazu bekommen Sie eine Nachricht."
    )


def test_while_a_turn_is_at_work_on_it_no_message_is_promised(salon: Salon) -> None:
    phone, said = salon.call(), []

    def asked_about(_calendar: FakeCalendar, _uid: str, _start: datetime) -> CreateAnswer:
        said.append(heard(salon.call("call_2")))
        return Unclear("HTTP 500")

    salon.calendar.move_faults.extend([asked_about, answers(Unclear("HTTP 500"))])
    yes(phone, MOVE, question(phone, MOVE).token)
    assert said[0]["message"].endswith("ist noch offen. Bitte fragen Sie in wenigen Minuten noch einmal nach.")


def test_a_moved_one_is_where_it_went_and_a_cancelled_one_nowhere(salon: Salon) -> None:
    phone = salon.call()
    yes(phone, MOVE, question(phone, MOVE).token)
    assert starts(phone) == [TEN + timedelta(hours=1)]
    yes(phone, CANCEL, question(phone, CANCEL).token)
    assert starts(phone) == []


def test_two_requests_to_the_table_and_none_to_cal_com(salon: Salon) -> None:
    phone, asked = salon.call(), len(salon.calendar.asked)
    before = salon.client.requests.copy()
    find(phone)
    assert salon.client.requests - before == {"query": 1, "batch_get_item": 1}
    assert len(salon.calendar.asked) == asked


def test_without_an_appointment_it_takes_as_many(salon: Salon) -> None:
    before = salon.client.requests.copy()
    find(salon.call(caller=STRANGER))
    assert salon.client.requests - before == {"query": 1, "batch_get_item": 1}
