"""The arguments of a move or cancellation: which date and time are the appointment's, and which are the new ones."""

from __future__ import annotations

from typing import Any

import pytest

from bookend.adapters.retell import wire
from bookend.adapters.retell.wire import change_command
from bookend.application.change_appointment import ChangeAppointment
from bookend.domain.appointment import ChangeKind

MOVE, CANCEL = ChangeKind.MOVE, ChangeKind.CANCEL
TUE, WED, TEN, ELEVEN = "2025-10-28", "2025-10-29", "10:00", "11:00"


def times(kind: ChangeKind, **args: Any) -> tuple[str | None, str | None, str | None, str | None]:
    """Own date and time, new date and time."""
    command = change_command(kind, args)
    return command.date, command.time, command.new_date, command.new_time


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("find_appointments", "find_appointments"),
        ("find_appointment_v3", "find_appointments"),
        ("reschedule_appointment", "reschedule_appointment"),
        ("Reschedule_Appointment_V17", "reschedule_appointment"),
        ("move_appointment", "reschedule_appointment"),
        ("cancel_appointment", "cancel_appointment"),
        ("cancel_appointment_v2", "cancel_appointment"),
        ("cancel_all", None),
        ("cancel_appointments", None),
        ("delete_appointment", None),
    ],
)
def test_names_of_functions(said: str, meant: str | None) -> None:
    """There is none for all appointments at once."""
    assert wire.function_name(said) == meant


def test_who_may_take_longer() -> None:
    assert {"reschedule_appointment", "cancel_appointment"} <= wire.WRITES
    assert "find_appointments" not in wire.WRITES


# Which date and time is which

BOTH_NAMED = {"old_date": TUE, "old_time": TEN, "new_date": WED, "new_time": ELEVEN}


@pytest.mark.parametrize(
    ("args", "meant"),
    [
        pytest.param(BOTH_NAMED, (TUE, TEN, WED, ELEVEN), id="all named"),
        pytest.param(
            {"date": TUE, "time": TEN, "new_date": WED, "new_time": ELEVEN}, (TUE, TEN, WED, ELEVEN), id="own bare"
        ),
        pytest.param(
            {"old_date": TUE, "old_time": TEN, "date": WED, "time": ELEVEN}, (TUE, TEN, WED, ELEVEN), id="new bare"
        ),
        pytest.param({"date": TUE, "new_time": ELEVEN}, (TUE, None, None, ELEVEN), id="new time alone"),
        pytest.param({"old_date": TUE, "new_time": ELEVEN}, (TUE, None, None, ELEVEN), id="no new date"),
        pytest.param({"old_date": TUE, "time": ELEVEN}, (TUE, None, None, ELEVEN), id="old date, and a time"),
        pytest.param(
            {"old_date": TUE, "new_date": WED, "time": ELEVEN}, (TUE, None, WED, ELEVEN), id="both dates, and a time"
        ),
        pytest.param({"old_date": TUE, "date": WED}, (TUE, None, WED, None), id="old date, and a date"),
        pytest.param({"old_time": TEN, "time": ELEVEN, "date": TUE}, (TUE, TEN, None, ELEVEN), id="old time, and both"),
        pytest.param({"old_time": TEN, "date": TUE}, (TUE, TEN, None, None), id="old time, and a date"),
        pytest.param({"date": TUE, "time": TEN}, (TUE, TEN, None, None), id="bare ones alone are its own"),
        pytest.param({"new_date": WED}, (None, None, WED, None), id="new date alone"),
        pytest.param({"new_time": ELEVEN}, (None, None, None, ELEVEN), id="new time alone, nothing else"),
        pytest.param({"old_date": TUE}, (TUE, None, None, None), id="old date alone"),
        pytest.param({"old_time": TEN}, (None, TEN, None, None), id="old time alone"),
        pytest.param({"date": TUE, "new_date": WED}, (TUE, None, WED, None), id="two dates"),
        pytest.param({"time": TEN, "new_time": ELEVEN}, (None, TEN, None, ELEVEN), id="two times"),
        pytest.param({}, (None, None, None, None), id="nothing"),
    ],
)
def test_a_move(args: dict[str, str], meant: tuple[str | None, ...]) -> None:
    assert times(MOVE, **args) == meant


@pytest.mark.parametrize(
    ("args", "meant"),
    [
        ({"date": TUE, "time": TEN}, (TUE, TEN, None, None)),
        ({"old_date": TUE, "old_time": TEN}, (TUE, TEN, None, None)),
        ({"current_date": TUE, "time": TEN}, (TUE, TEN, None, None)),
        ({"old_date": TUE, "date": WED}, (TUE, None, None, None)),
        ({}, (None, None, None, None)),
    ],
)
def test_a_cancellation_has_one_time_and_it_is_the_appointments(
    args: dict[str, str], meant: tuple[str | None, ...]
) -> None:
    assert times(CANCEL, **args) == meant


def test_each_bare_one_is_used_once() -> None:
    """A date that is where it goes is not where it stands as well."""
    for args in ({"old_date": TUE, "date": WED}, {"old_date": TUE, "time": ELEVEN}, {"old_time": TEN, "time": ELEVEN}):
        own_date, own_time, new_date, new_time = times(MOVE, **args)
        assert own_date is None or own_date != new_date
        assert own_time is None or own_time != new_time


@pytest.mark.parametrize(
    "args",
    [
        {"bisheriges_datum": TUE, "bisherige_uhrzeit": TEN, "neues_datum": WED, "neue_uhrzeit": ELEVEN},
        {"altes_datum": TUE, "alte_uhrzeit": TEN, "target_date": WED, "target_time": ELEVEN},
        {"Current_Date": TUE, "CURRENT_TIME": TEN, "New_Date": WED, "NEW_TIME": ELEVEN},
        {"original_date": TUE, "original_time": TEN, "new_datetime": WED, "new_time": ELEVEN},
        {"datum": TUE, "uhrzeit": TEN, "new_start": WED, "new_time": ELEVEN},
    ],
)
def test_names_of_arguments(args: dict[str, str]) -> None:
    assert times(MOVE, **args) == (TUE, TEN, WED, ELEVEN)


# The rest


def test_everything_at_once() -> None:
    args = BOTH_NAMED | {"name": "Hans Schuster", "offer_id": "id00001", "confirmation_token": "t1", "later_ok": True}
    assert change_command(MOVE, args) == ChangeAppointment(
        kind=MOVE,
        name="Hans Schuster",
        date=TUE,
        time=TEN,
        new_date=WED,
        new_time=ELEVEN,
        offer="id00001",
        token="t1",
        keep=True,
    )


@pytest.mark.parametrize("value", [True, "true", "ja", "Yes", "1", " JA "])
def test_an_agreement(value: Any) -> None:
    assert change_command(MOVE, {"keep_for_later": value}).keep
    assert change_command(CANCEL, {"spaeter_erledigen": value}).keep


@pytest.mark.parametrize("value", [False, None, 0, "", "nein", "false", "vielleicht", "{{keep}}", [], {}, "ja bitte"])
def test_no_agreement(value: Any) -> None:
    assert not change_command(MOVE, {"keep_for_later": value}).keep


@pytest.mark.parametrize("value", [None, "", "null", "{{confirmation_token}}", True, [], {}, "x" * 301])
def test_what_is_no_token_is_none(value: Any) -> None:
    assert change_command(CANCEL, {"confirmation_token": value}).token is None


@pytest.mark.parametrize(
    "name", ["appointment_id", "booking_id", "uid", "phone", "caller", "customer_id", "call_id", "tenant"]
)
def test_nobody_and_no_appointment_is_named_by_an_argument(name: str) -> None:
    """Whose call it is says the envelope; which appointment, a name and a date."""
    assert change_command(CANCEL, {name: "id00001"}) == ChangeAppointment(kind=CANCEL)


@pytest.mark.parametrize("kind", list(ChangeKind))
def test_a_hostile_argument_is_a_word_or_nothing(kind: ChangeKind) -> None:
    said = change_command(
        kind, {"name": "Hans\u202e\nSchuster", "date": {"$ne": None}, "time": ["10:00"], "token": 5.0}
    )
    assert (said.name, said.date, said.time, said.token) == ("Hans Schuster", None, None, None)
