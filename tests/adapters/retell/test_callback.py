"""A wish to be rung, at Retell's side: how it is read and what is promised; test_replies.py hears every sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from bookend.adapters.retell import wire
from bookend.adapters.retell.callback_replies import CallbackSpeaker
from bookend.adapters.retell.replies import Speaker
from bookend.application.outcomes import AgainstPolicy, TemporaryTrouble
from bookend.application.request_callback import (
    CallbackNeeds,
    CallbackNoted,
    CallbackNotNoted,
    CallbackOutcome,
    RequestCallback,
    TooManyCallbacks,
)
from bookend.domain.callbacks import CallbackReason
from bookend.domain.policy import NumberWithheld
from bookend.domain.saying import Language
from tests.support.salon import example_tenant

TENANT = example_tenant()
OUTCOMES: dict[str, CallbackOutcome] = {
    "noted": CallbackNoted(signed=True, new=True),
    "noted before": CallbackNoted(signed=True, new=False),
    "noted as named": CallbackNoted(signed=False, new=True),
    "no name": CallbackNeeds.NAME,
    "no number": CallbackNeeds.PHONE,
    "too many": TooManyCallbacks(),
    "perhaps noted": CallbackNotNoted(),
}


def reply(name: str, language: Language = Language.DE, **tenant: Any) -> dict[str, Any]:
    return CallbackSpeaker(replace(TENANT, language=language, **tenant)).called_for(OUTCOMES[name])


# What is heard


def test_every_outcome_has_its_status() -> None:
    assert {type(each) for each in OUTCOMES.values()} == {*CallbackOutcome.__args__}  # type: ignore[attr-defined]
    assert {name: reply(name)["status"] for name in OUTCOMES} == {
        "noted": "noted",
        "noted before": "noted",
        "noted as named": "noted",
        "no name": "need_info",
        "no number": "need_info",
        "too many": "not_allowed",
        "perhaps noted": "temporary_error",
    }
    assert [reply(name).get("missing") for name in OUTCOMES] == [None, None, None, "name", "phone", None, None]


def test_noted_is_all_that_is_promised() -> None:
    assert reply("noted")["message"] == (
        "Ich habe notiert, dass Sie unter der Nummer zurückgerufen werden möchten, mit der Sie gerade telefonieren. "
        "Gebucht oder geändert ist damit noch nichts."
    )
    assert reply("noted before") == reply("noted")
    assert "unter der genannten Nummer" in reply("noted as named")["message"]
    for name in ("too many", "perhaps noted"):
        assert "ich habe notiert" not in reply(name)["message"].lower()


@pytest.mark.parametrize("language", Language)
def test_the_salons_own_words_end_a_refusal(language: Language) -> None:
    assert reply("too many", language)["message"].endswith(TENANT.callback[language])
    plain = {Language.DE: "Bitte rufen Sie uns direkt an.", Language.EN: "Please call us directly."}
    assert reply("too many", language, callback={})["message"].endswith(plain[language])


def test_a_callback_is_offered_where_cal_com_is_away_and_where_the_number_is_withheld() -> None:
    """As a field: the sentence of an outage is fixed (I2)."""
    speaker = Speaker(TENANT)
    trouble = speaker.reply(TemporaryTrouble(17.4))
    assert (trouble["status"], trouble["callback"]) == ("temporary_error", True)
    assert trouble["message"] == (
        "Die Terminverwaltung ist vorübergehend nicht erreichbar. "
        "Bitte versuchen Sie es in wenigen Minuten erneut oder rufen Sie uns direkt an."
    )
    today = date(2025, 10, 25)
    withheld = speaker.reply(AgainstPolicy(NumberWithheld(), today, None, TENANT.services[0], (), today))
    assert (withheld["reason"], withheld["callback"]) == ("number_withheld", True)


def test_nothing_is_offered_while_the_store_is_away() -> None:
    assert "callback" not in Speaker(TENANT).temporary()


# How it is read


@pytest.mark.parametrize("name", ["request_callback", "callback", "request_callback_v17", "Request_Callback"])
def test_its_names(name: str) -> None:
    assert wire.function_name(name) == "request_callback"
    assert "request_callback" not in wire.WRITES


def test_german_and_english_arguments() -> None:
    german = {
        "kundenname": "Hans Schuster",
        "telefonnummer": "0151 12345678",
        "dienstleistung": "Dauerwelle",
        "wunschtermin": "Freitag gegen zehn",
        "grund": "start_booking_v17",
    }
    english = {
        "customer_name": "Hans Schuster",
        "phone": "0151 12345678",
        "service": "Dauerwelle",
        "wished_time": "Freitag gegen zehn",
        "reason": "book_appointment",
    }
    meant = RequestCallback("Hans Schuster", "0151 12345678", "Dauerwelle", "Freitag gegen zehn", CallbackReason.BOOK)
    assert wire.callback_command(german) == wire.callback_command(english) == meant


@pytest.mark.parametrize(
    ("args", "wished"),
    [
        ({"wish": "irgendwann", "date": "morgen"}, "irgendwann"),
        ({"date": "morgen", "time": "halb drei"}, "morgen halb drei"),
        ({"datum": "26.10."}, "26.10."),
        ({"uhrzeit": "10:00"}, "10:00"),
        ({"date": "{{date}}", "time": None}, None),
        ({}, None),
    ],
)
def test_day_and_time_are_words_here(args: dict[str, Any], wished: str | None) -> None:
    assert wire.callback_command(args).wished == wished


@pytest.mark.parametrize(
    ("args", "wished"),
    [
        ({"reason": "Farbe"}, "Farbe"),
        ({"wish": "Freitag", "grund": "Farbe"}, "Freitag; Farbe"),
        ({"wish": "Freitag", "reason": "book_appointment_v17"}, "Freitag"),
        ({"reason": "list_services"}, None),
        ({"reason": "{{reason}}"}, None),
    ],
)
def test_a_reason_in_words_is_for_the_person_who_rings(args: dict[str, Any], wished: str | None) -> None:
    assert wire.callback_command(args).wished == wished


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("check_availability", CallbackReason.CHECK),
        ("find_appointments", CallbackReason.FIND),
        ("move_appointment", CallbackReason.MOVE),
        ("cancel_appointment_v3", CallbackReason.CANCEL),
        ("list_services", None),
        ("request_callback", None),
        ("Frau Schuster ist krank", None),
        (None, None),
    ],
)
def test_a_reason_is_the_name_of_a_function_or_none(said: str | None, meant: CallbackReason | None) -> None:
    assert wire.callback_command({"reason": said}).reason is meant
