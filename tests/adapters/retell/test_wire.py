"""What we believe of what Retell sends: names of functions and arguments, and never who somebody is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from bookend.adapters.retell import wire
from bookend.application.booking_goal import BookAppointment
from bookend.application.check_availability import CheckAvailability
from bookend.domain.contacts import customer_id
from tests.support.http import Doors
from tests.support.retell import CUSTOMER_NUMBER, body_of, function_call, phone_call
from tests.support.salon import Salon

# Names of functions


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("check_availability", "check_availability"),
        ("book_appointment", "book_appointment"),
        ("start_booking", "book_appointment"),
        ("confirm_booking", "book_appointment"),
        ("collect_appointment", "book_appointment"),
        ("list_services", "list_services"),
        ("Check_Availability", "check_availability"),
        ("check", None),
        ("check_availability_v", None),
        ("check_availability_vx", None),
        ("check_availability_17", None),
        ("v17", None),
        ("_v17", None),
        ("book_appointment_v1_v2", None),
    ],
)
def test_aliases(said: str, meant: str | None) -> None:
    assert wire.function_name(said) == meant


@pytest.mark.parametrize("version", ["_v1", "_v17", "_v170", "_V17", "_v0"])
def test_a_version_means_nothing(version: str) -> None:
    assert wire.function_name("check_availability" + version) == "check_availability"
    for alias in ("book_appointment", "start_booking", "confirm_booking", "collect_appointment"):
        assert wire.function_name(alias + version) == "book_appointment"


def test_an_unknown_function_gets_an_answer_that_can_be_said() -> None:
    with Doors() as doors:
        answer = doors.function("cancel_all_appointments")
        assert (answer.status, answer.json) == (200, {"status": "error", "message": "Das kann ich leider nicht."})


# The envelope


def test_args_at_root_is_refused_with_what_to_change() -> None:
    with Doors() as doors:
        for body in ({"service": "Herrenhaarschnitt", "date": "morgen"}, {"name": "Hans", "date": "morgen"}):
            answer = doors.post("retell_functions", body)
            assert answer.status == 400
            assert answer.json["status"] == "invalid_request"
            assert "args_at_root" in answer.json["message"]
            assert "off" in answer.json["message"]


@pytest.mark.parametrize("missing", ["name", "args", "call"])
def test_each_part_of_the_envelope_is_needed(missing: str) -> None:
    body = function_call("list_services")
    del body[missing]
    with Doors() as doors:
        assert doors.post("retell_functions", body).status == 400


@pytest.mark.parametrize("call_id", [None, "", "{{call_id}}", 5, [], "a b", "x" * 129, "a\nb", "call_ü", "T#x#CONFIG"])
def test_a_call_without_a_usable_id_is_no_call(call_id: Any) -> None:
    call = phone_call() | {"call_id": call_id}
    with Doors() as doors:
        before = doors.state()
        assert doors.function("check_availability", {"date": "morgen"}, call=call).status == 400
        assert doors.event("call_ended", call=call).status == 400
        assert doors.state() == before


def test_what_the_envelope_adds_is_ignored() -> None:
    call = phone_call(neu={"a": [1]}, call_cost=None, transcript_with_tool_calls=[{"role": "tool_call_invocation"}])
    request = wire.FunctionCall.model_validate_json(body_of(function_call("x", call=call) | {"neu": 1}))
    assert request.call.call_id == call["call_id"]


@pytest.mark.parametrize("odd", [5, 1.5, True, None, [], {}, "x" * 200, "a\u0000b", "agent id", "ä"])
def test_an_odd_agent_or_number_is_unknown_not_an_error(odd: Any) -> None:
    call = wire.CallWire.model_validate_json(json.dumps({"call_id": "c", "agent_id": odd, "direction": odd}))
    assert call.agent_id is None
    if not isinstance(odd, str) or len(odd) > 64:
        numbers = wire.CallWire.model_validate_json(
            json.dumps({"call_id": "c", "from_number": odd, "to_number": odd, "direction": odd})
        )
        assert (numbers.customer_number, numbers.our_number, numbers.direction) == (None, None, None)


def test_whose_number_is_whose() -> None:
    there, here = "+491701234567", "+493033081738"
    inbound = wire.CallWire(call_id="c", from_number=there, to_number=here, direction="inbound")
    outbound = wire.CallWire(call_id="c", from_number=here, to_number=there, direction="outbound")
    web = wire.CallWire(call_id="c")
    assert [(each.customer_number, each.our_number) for each in (inbound, outbound, web)] == [
        (there, here),
        (there, here),
        (None, None),
    ]


@pytest.mark.parametrize("text", ["\\ud800", "\\udfff", "\\ud83d"])
def test_half_a_surrogate_pair_is_no_text(text: str) -> None:
    with pytest.raises(ValidationError):
        wire.FunctionCall.model_validate_json(f'{{"name":"x","args":{{"a":"{text}"}},"call":{{"call_id":"c"}}}}')


# Arguments


def test_german_names() -> None:
    assert wire.book_command(
        {
            "dienstleistung": "Herrenschnitt",
            "mitarbeiter": "Fabian",
            "datum": "26.10.",
            "uhrzeit": "halb drei",
            "kundenname": "Hans Schuster",
            "telefonnummer": "0170 1234567",
            "e_mail": "hans@example.com",
            "angebot": "id00001",
        }
    ) == BookAppointment(
        offer="id00001",
        service="Herrenschnitt",
        staff="Fabian",
        date="26.10.",
        time="halb drei",
        name="Hans Schuster",
        phone="0170 1234567",
        email="hans@example.com",
    )


def test_english_names() -> None:
    assert wire.book_command(
        {
            "service_name": "men's haircut",
            "staff_name": "Fabian",
            "appointment_date": "2025-10-26",
            "appointment_time": "14:30",
            "customer_name": "Hans Schuster",
            "customer_phone": "+491701234567",
            "customer_email": "hans@example.com",
            "offer_id": "id00001",
        }
    ) == BookAppointment(
        offer="id00001",
        service="men's haircut",
        staff="Fabian",
        date="2025-10-26",
        time="14:30",
        name="Hans Schuster",
        phone="+491701234567",
        email="hans@example.com",
    )


@pytest.mark.parametrize(
    ("field", "names"),
    [
        ("service", ["service", "service_name", "dienstleistung", "leistung", "service_id"]),
        ("staff", ["staff", "staff_name", "mitarbeiter", "stylist", "friseur", "preferred_staff", "staff_id"]),
        (
            "date",
            ["date", "datum", "appointment_date", "day", "tag", "preferred_date", "datetime", "start", "start_time"],
        ),
        ("time", ["time", "uhrzeit", "zeit", "appointment_time", "preferred_time"]),
        ("name", ["name", "customer_name", "kundenname", "full_name", "kunde"]),
        ("phone", ["phone", "telefon", "telefonnummer", "phone_number", "customer_phone"]),
        ("email", ["email", "e_mail", "customer_email", "e-mail"]),
        ("offer", ["offer_id", "offer", "angebot", "slot_id"]),
    ],
)
def test_every_name_of_an_argument_in_order(field: str, names: list[str]) -> None:
    for name in names:
        for spelt in (name, name.upper(), name.title()):
            assert getattr(wire.book_command({spelt: "Wert"}), field) == "Wert", spelt
            if field in CheckAvailability.__slots__:
                assert getattr(wire.check_command({spelt: "Wert"}), field) == "Wert", spelt
    everything = {name: f"von {name}" for name in names}
    while everything:
        first = next(name for name in names if name in everything)
        assert getattr(wire.book_command(everything), field) == f"von {first}"
        everything[first] = "{{unset}}"  # an argument that carries nothing lets the next one speak
        assert getattr(wire.book_command(everything), field) != "{{unset}}"
        del everything[first]


DROPPED = [
    True,
    False,
    None,
    1.5,
    float("nan"),
    float("inf"),
    [],
    ["Fabian"],
    {},
    {"name": "Fabian"},
    10**5000,
    "",
    "   ",
    "\t\n",
    "x" * 301,
    "{{user_name}}",
    "Hallo {{user_name}}",
    "{{",
    "null",
    "None",
    "undefined",
    "NIL",
    "n/a",
    "unknown",
    "unbekannt",
    "\u200b\u200e",
    "\u0000",
    "\u00a0",
]


@pytest.mark.parametrize("value", DROPPED, ids=range(len(DROPPED)))
def test_what_is_no_short_text_or_number_is_dropped(value: Any) -> None:
    assert wire.book_command({"service": value, "leistung": "Beratung"}).service == "Beratung"
    assert wire.book_command({"name": value}).name is None
    assert wire.check_command({"date": value}).date is None


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        (10, "10"),
        (0, "0"),
        (-3, "-3"),
        ("  Hans  Schuster ", "Hans Schuster"),
        ("Hans\nSchuster", "Hans Schuster"),
        ("27.\u00a0Oktober", "27. Oktober"),
        ("Hans\u202e Schuster\u0000", "Hans Schuster"),
        ("x" * 300, "x" * 300),
        ("Größer-Müller Çelik", "Größer-Müller Çelik"),
        ("{nur eine}", "{nur eine}"),
    ],
)
def test_what_is_taken_is_one_clean_line(value: Any, taken: str) -> None:
    assert wire.book_command({"name": value}).name == taken


def test_execution_message_is_never_an_argument() -> None:
    assert wire.Arguments({"execution_message": "Einen Moment"}).first("execution_message") is None


# Identity


def test_identity_is_the_envelopes_whatever_the_arguments_say() -> None:
    salon = Salon()
    salon.open("2025-10-27")
    lies = {
        "call_id": "call_1",
        "phone": "+4915100000000",
        "from_number": "+4915100000000",
        "caller": "+4915100000000",
        "customer_id": "342",
        "tenant": "anderer",
        "tenant_id": "anderer",
        "agent_id": "agent_anderer",
        "to_number": "+4940000000",
        "direction": "outbound",
        "call": {"call_id": "call_1", "from_number": "+4915100000000"},
    }
    with Doors(salon) as doors:
        wish = {"service": "Herrenhaarschnitt", "date": "2025-10-27", "time": "09:00", "name": "Hans Schuster"}
        assert doors.function("book_appointment", lies | wish).json["status"] == "booked"
    (appointment,) = salon.items("APPT")
    expected = customer_id("friseur1", caller=CUSTOMER_NUMBER, call="any")
    assert expected in json.dumps(appointment)
    (booking,) = salon.calendar.accepted()
    assert booking.metadata["call_id"] == "call_24977a803e9bd80b586fca06259"
    text = json.dumps(salon.client.scan(TableName=salon.table_name)["Items"], default=str)
    assert "T#anderer" not in text
    assert '"call_1"' not in text
    (customer,) = salon.items("CUSTOMER")
    assert customer["pk"]["S"] == f"T#friseur1#CUSTOMER#{expected}"


@pytest.mark.parametrize("withheld", ["anonymous", "Anonymous", "unknown", "private", "restricted", "", "+", None])
def test_two_withheld_callers_are_two_customers(withheld: str | None) -> None:
    salon = Salon()
    salon.open("2025-10-27")
    with Doors(salon) as doors:
        for number, time in enumerate(("09:00", "10:00")):
            wish = {"service": "Herrenhaarschnitt", "date": "2025-10-27", "time": time, "name": f"Kunde {time}"}
            call = phone_call(f"call_{number}", from_number=withheld)
            assert doors.function("book_appointment", wish, call=call).json["status"] == "booked"
    assert len(salon.items("CUSTOMER")) == 2
    emails = [booking.attendees for booking in salon.calendar.accepted()]
    assert len(set(emails)) == 2
