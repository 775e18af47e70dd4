"""The section `texts` of the salon's document: what is sent, from whom, and what is refused with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bookend.adapters.tenants.document import TenantInvalid, read_tenant
from bookend.domain.tenant import TextSettings
from tests.support.salon import EXAMPLE


def settings(texts: Any) -> TextSettings:
    document = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    document.pop("texts")
    return read_tenant(json.dumps(document if texts is None else document | {"texts": texts})).texts


def test_left_out_nothing_is_sent() -> None:
    assert settings(None) == settings({}) == TextSettings()


def test_everything_that_can_be_said() -> None:
    said = {
        "sms": True,
        "email": {"from": "termine@salon.example"},
        "sender_id": "Salon1",
        "confirmations": True,
        "phone": "+493012345678",
    }
    assert settings(said) == TextSettings(True, "termine@salon.example", "Salon1", True, "+493012345678")


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        ({"email": {"from": "Termine@salon.example"}}, "texts.email.from: 'Termine@salon.example' is no address"),
        ({"email": {"from": "salon"}}, "texts.email.from: 'salon' is no address"),
        ({"email": {}}, "texts.email.from: Field required"),
        ({"email": {"from": "a@kunden.friseur1.example"}}, "is in the placeholder domain"),
        ({"sms": True, "sender_id": "493012345"}, "texts.sender_id: '493012345' is no sender"),
        ({"sms": True, "sender_id": "Zu lang für alle"}, "texts.sender_id"),
        ({"sms": True, "sender_id": "Salon!"}, "texts.sender_id"),
        ({"sms": True, "phone": "030 12345"}, "texts.phone: '030 12345' is no international number"),
        ({"confirmations": True}, "texts: 'confirmations' need 'sms' or 'email' to go by"),
        ({"sms": "yes"}, "texts.sms"),
        ({"whatsapp": True}, "texts.whatsapp"),
    ],
)
def test_what_is_refused_says_where(texts: Any, problem: str) -> None:
    with pytest.raises(TenantInvalid) as refused:
        settings(texts)
    assert problem in str(refused.value)


def test_the_example_sends_sms_and_no_confirmations() -> None:
    example = read_tenant(EXAMPLE.read_bytes()).texts
    assert (example.sms, example.confirmations, example.phone) == (True, False, "+493033081738")
