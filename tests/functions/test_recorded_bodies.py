"""Whole bodies as Retell sends them (events/retell), through the doors; ids and names are those of the incidents."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from bookend.application.alerts import FOREIGN_BOOKING
from bookend.domain.answers import Answered
from tests.support.calendar import BUSY
from tests.support.http import Answer, Doors
from tests.support.retell import EVENTS, recorded
from tests.support.salon import Salon

I1 = datetime(2025, 10, 6, 9, 4, 54, tzinfo=UTC)
I2 = datetime(2025, 10, 11, 6, 53, 30, tzinfo=UTC)
I3 = datetime(2025, 10, 25, 18, 18, 32, tzinfo=UTC)
I4 = datetime(2025, 11, 23, 21, 5, 20, tzinfo=UTC)


class Row(NamedTuple):
    """What a body comes to, alone, in an open salon."""

    function: str
    now: datetime
    http: int
    status: str


FUNCTIONS, EVENT = "retell_functions", "retell_events"
BODIES = {
    "i1_book_appointment_v17": Row(FUNCTIONS, I1, 200, "booked"),
    "i1_collect_appointment_v17": Row(FUNCTIONS, I1, 200, "booked"),
    "i2_reschedule_appointment_v17": Row(FUNCTIONS, I2, 200, "need_info"),
    "i3_check_availability_v17": Row(FUNCTIONS, I3, 200, "alternatives"),
    "i3_confirm_booking": Row(FUNCTIONS, I3, 200, "booked"),
    "i3_call_started": Row(EVENT, I3, 200, "ignored"),
    "i3_call_ended": Row(EVENT, I3, 200, "ok"),
    "i3_call_analyzed": Row(EVENT, I3, 200, "ok"),
    "i3_transcript_updated": Row(EVENT, I3, 200, "ignored"),
    "i4_check_availability": Row(FUNCTIONS, I4, 200, "available"),
    "i4_start_booking": Row(FUNCTIONS, I4, 200, "booked"),
    "anonymous_check_availability": Row(FUNCTIONS, I3, 200, "available"),
    "anonymous_book_appointment": Row(FUNCTIONS, I3, 200, "booked"),
    "outbound_book_appointment": Row(FUNCTIONS, I3, 200, "booked"),
    "placeholders_book_appointment": Row(FUNCTIONS, I3, 200, "need_info"),
    "web_call_list_services": Row(FUNCTIONS, I3, 200, "ok"),
    "web_call_book_appointment": Row(FUNCTIONS, I3, 200, "booked"),
    "web_call_ended": Row(EVENT, I3, 200, "ok"),
    "call_id_placeholder_check_availability": Row(FUNCTIONS, I3, 400, "invalid_request"),
    "args_at_root_check_availability": Row(FUNCTIONS, I3, 400, "invalid_request"),
}


def salon_at(now: datetime) -> Salon:
    """The salon with a few mornings on sale around the incidents."""
    salon = Salon(now=now)
    salon.open("2025-10-10", first="08:00", last="12:00")
    salon.open("2025-10-26", first="07:00", last="09:00")
    salon.open("2025-10-27", first="07:00", last="12:00")
    salon.open("2025-11-28", first="08:00", last="17:00")
    return salon


def send(doors: Doors, name: str, **changes: Any) -> Answer:
    """A recorded body; `changes` are of its call."""
    body = recorded(name)
    if changes:
        body["call"] |= changes
    return doors.post(BODIES[name].function, body)


def test_every_recorded_body_is_used() -> None:
    assert {each.stem for each in EVENTS.iterdir()} == set(BODIES)
    assert {each.suffix for each in EVENTS.iterdir()} == {".json"}


@pytest.mark.parametrize("name", BODIES)
def test_each_body_alone(name: str) -> None:
    row = BODIES[name]
    with Doors(salon_at(row.now)) as doors:
        answer = send(doors, name)
        assert (answer.status, answer.json["status"]) == (row.http, row.status), answer.text
        assert answer.whole["headers"] == {"content-type": "application/json; charset=utf-8"}
        booked = row.status == "booked"
        parts = 2 if name == "i4_start_booking" else 1  # the perm is two bookings at Cal.com
        assert len(doors.salon.calendar.accepted()) == booked * parts
        assert len(doors.salon.items("APPT")) == booked


@pytest.mark.parametrize("name", BODIES)
def test_each_body_twice_changes_nothing_more(name: str) -> None:
    """Retell may repeat a request, and a model a wish."""
    with Doors(salon_at(BODIES[name].now)) as doors:
        first = send(doors, name)
        bookings = len(doors.salon.calendar.accepted())
        again = send(doors, name)
        assert again.status == first.status
        assert again.json["status"] == first.json["status"]
        assert again.json["message"] == first.json["message"] if "message" in first.json else True
        assert len(doors.salon.calendar.accepted()) == bookings


def test_a_recorded_function_call_has_the_whole_envelope() -> None:
    whole = {
        "call_id", "agent_id", "call_status", "call_type", "start_timestamp",
        "transcript", "transcript_object", "transcript_with_tool_calls", "latency",
    }  # fmt: skip
    for name, row in BODIES.items():
        if row.function == FUNCTIONS and not name.startswith("args_at_root"):
            body = recorded(name)
            assert set(body) == {"name", "args", "call"}
            assert whole <= set(body["call"])
            newest = body["call"]["transcript_with_tool_calls"][-1]
            assert (newest["role"], newest["name"]) == ("tool_call_invocation", body["name"])
            assert json.loads(newest["arguments"]) == body["args"]
            numbers = {"from_number", "to_number", "direction"} & set(body["call"])
            assert len(numbers) == (0 if body["call"]["call_type"] == "web_call" else 3)


# The incidents


def test_i1_somebody_elses_booking_is_not_ours() -> None:
    with Doors(salon_at(I1)) as doors:
        salon = doors.salon
        assert send(doors, "i1_book_appointment_v17").json["status"] == "booked"
        (first,) = salon.calendar.accepted()
        assert first.metadata["call_id"] == "call_927bf219b2cc20cd24dc97c9f0b"
        salon.clock.advance(35 * 60)
        # Our own ledger would not even ask; as if it had not known, Cal.com answers with the booking of the other call.
        salon.calendar.faults.append(lambda _calendar, _request: Answered(first))
        later = recorded("i1_collect_appointment_v17")
        later["args"]["uhrzeit"] = "9 Uhr"
        answer = doors.post(FUNCTIONS, later)
        assert answer.json["status"] == "slot_taken"
        assert "gebucht:" not in answer.json["message"]
        assert answer.json["offers"]
        (raised,) = salon.alerts.raised
        assert raised.kind == FOREIGN_BOOKING
        assert {raised.facts["call"], raised.facts["their_call"]} == {
            "call_927bf219b2cc20cd24dc97c9f0b",
            "call_5e1d07c2a9b84f3d96e0b7a1c38",
        }
        assert doors.heard.counted(FOREIGN_BOOKING) == 1
        assert salon.calendar.accepted() == [first]


def test_i1_the_same_time_is_taken_and_alternatives_come_along() -> None:
    with Doors(salon_at(I1)) as doors:
        send(doors, "i1_book_appointment_v17")
        doors.salon.clock.advance(35 * 60)
        answer = send(doors, "i1_collect_appointment_v17")
        assert answer.json["status"] == "slot_taken"
        assert answer.json["message"].startswith("Der Termin um 8 Uhr ist leider nicht frei. Möchten Sie stattdessen")
        emails = {attendee for booking in doors.salon.calendar.accepted() for attendee in booking.attendees}
        assert "termin@askproai.de" not in emails


def test_i3_the_day_and_the_hour_are_the_right_ones() -> None:
    with Doors(salon_at(I3)) as doors:
        answer = send(doors, "i3_check_availability_v17")
        assert answer.json["status"] == "alternatives"
        assert answer.json["message"].startswith(
            "Um 10 Uhr ist leider kein Termin für Herrenhaarschnitt frei. Möglich wäre es um 8 Uhr, "
        )
        for offer in answer.json["offers"]:
            start = datetime.fromisoformat(offer["start"])
            assert offer["start"].endswith("+01:00")
            assert start.hour >= 7
            assert ("am Montag, 27. Oktober" in offer["spoken"]) == (start.day == 27)


def test_i3_a_refusal_brings_the_next_times_along() -> None:
    with Doors(salon_at(I3)) as doors:
        doors.salon.calendar.faults.append(lambda _calendar, _request: BUSY)
        answer = send(doors, "i3_confirm_booking")
        assert (answer.json["status"], answer.json["reason"]) == ("slot_taken", "not_available")
        assert answer.json["message"].startswith(
            "Der Termin um 8 Uhr 30 ist leider nicht frei. Möchten Sie stattdessen"
        )
        assert "2025-10-27T08:30+01:00" not in [each["start"] for each in answer.json["offers"]]


def test_i3_an_offer_that_is_lost_was_lost_to_somebody() -> None:
    with Doors(salon_at(I3)) as doors:
        offers = send(doors, "i3_check_availability_v17").json["offers"]
        chosen = next(each for each in offers if each["spoken"] == "um 9 Uhr")
        doors.salon.calendar.faults.append(lambda _calendar, _request: BUSY)
        body = recorded("i3_confirm_booking")
        body["args"] = {"offer_id": chosen["offer_id"], "name": "Hans Schuster"}
        answer = doors.post(FUNCTIONS, body)
        assert (answer.json["status"], answer.json["reason"]) == ("slot_taken", "race_condition")
        assert answer.json["message"].startswith(
            "Der Termin um 9 Uhr wurde gerade von einem anderen Kunden gebucht. Möchten Sie stattdessen um 7 Uhr 30"
        )


def test_the_end_of_a_call_frees_what_was_held_for_it() -> None:
    with Doors(salon_at(I3)) as doors:
        held = len(send(doors, "i3_check_availability_v17").json["offers"])
        assert held == 3
        assert send(doors, "i3_call_started").json == {"status": "ignored"}
        assert send(doors, "i3_call_ended").json == {"status": "ok", "freed": 3}
        assert send(doors, "i3_call_analyzed").json == {"status": "ok", "freed": 0}


def test_i4_a_composite_that_was_offered_is_booked_whole() -> None:
    with Doors(salon_at(I4)) as doors:
        answer = send(doors, "i4_check_availability")
        assert answer.json["offers"][0]["start"] == "2025-11-28T10:00+01:00"
        answer = send(doors, "i4_start_booking")
        assert answer.json["message"].startswith("Ihr Termin ist gebucht: Dauerwelle")
        assert len(doors.salon.calendar.accepted()) == 2
        assert len(doors.salon.items("APPT")) == 1


def test_a_customer_is_the_same_inbound_and_outbound() -> None:
    with Doors(salon_at(I3)) as doors:
        assert send(doors, "i3_confirm_booking").json["status"] == "booked"
        assert send(doors, "outbound_book_appointment").json["status"] == "booked"
        assert len(doors.salon.items("CUSTOMER")) == 1


def test_web_calls_and_withheld_callers_are_customers_of_their_call_only() -> None:
    with Doors(salon_at(I3)) as doors:
        assert send(doors, "web_call_book_appointment").json["status"] == "booked"
        assert send(doors, "anonymous_book_appointment").json["status"] == "booked"
        assert len(doors.salon.items("CUSTOMER")) == 2
        given, made = sorted(booking.attendees[0] for booking in doors.salon.calendar.accepted())
        assert (given, made.split("@")[1]) == ("frau.mueller@example.com", "kunden.friseur1.example")


def test_unset_placeholders_are_asked_for() -> None:
    with Doors(salon_at(I3)) as doors:
        answer = send(doors, "placeholders_book_appointment")
        assert answer.json["missing"] == "name"
        body = recorded("placeholders_book_appointment")
        body["args"]["name"] = "Hans Schuster"
        assert doors.post(FUNCTIONS, body).json["status"] == "booked"


def test_a_line_of_nobody_is_said_in_both_languages() -> None:
    with Doors(salon_at(I3)) as doors:
        answer = send(doors, "i3_check_availability_v17", agent_id="agent_nobody", to_number="+4930000000")
        assert answer.json["status"] == "not_allowed"
        assert answer.json["message"] == (
            "Für diesen Anschluss ist keine Terminbuchung eingerichtet. No booking is set up for this line."
        )
        assert send(doors, "i3_call_ended", agent_id="agent_nobody", to_number=None).json == {"status": "ignored"}
