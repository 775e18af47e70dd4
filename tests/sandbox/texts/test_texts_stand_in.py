"""The stand-in for SNS and SES, asked by the adapters that ask the real ones."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from bookend.adapters.bounded import at_once
from bookend.adapters.texts.ses import SesMessenger
from bookend.adapters.texts.sns import SnsMessenger
from bookend.application.deadline import Deadline
from bookend.application.ports.texts import Refused, Sent, Unclear
from bookend.bootstrap import SystemClock
from bookend.domain.texts import Channel, Text
from sandbox.texts import LIST, Arrived, TextsStandIn

SMS = Text(Channel.SMS, "+491701111111", "Friseur1", "", "Grüße")
MAIL = Text(Channel.EMAIL, "hans@web.example", "termine@friseur1.example", "Betreff", "Grüße\n")


@pytest.fixture(scope="module")
def standin() -> Iterator[TextsStandIn]:
    with TextsStandIn() as served:
        yield served


@pytest.fixture(scope="module")
def both(standin: TextsStandIn) -> Any:
    def client(service: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=standin.url,
            region_name="eu-central-1",
            aws_access_key_id="x",
            aws_secret_access_key="y",
            config=Config(retries={"total_max_attempts": 1}),
        )

    sms, mail = SnsMessenger(lambda: client("sns"), at_once), SesMessenger(lambda: client("sesv2"), at_once)

    def send(text: Text) -> Any:
        to = sms if text.channel is Channel.SMS else mail
        return to.send(text, deadline=Deadline.within(5, SystemClock()))

    return send


def test_what_is_sent_arrives_and_is_listed(standin: TextsStandIn, both: Any) -> None:
    standin.arrived.clear()
    assert isinstance(both(SMS), Sent)
    assert isinstance(both(MAIL), Sent)
    expected = [
        Arrived("sms", "+491701111111", "Friseur1", "", "Grüße"),
        Arrived("email", "hans@web.example", "termine@friseur1.example", "Betreff", "Grüße\n"),
    ]
    assert standin.arrived == expected
    with urllib.request.urlopen(standin.url + LIST) as answer:
        assert [Arrived(**each) for each in json.load(answer)] == expected


@pytest.mark.parametrize("text", [SMS, MAIL])
def test_what_may_go_wrong(standin: TextsStandIn, both: Any, text: Text) -> None:
    standin.arrived.clear()
    standin.refuse = 1
    assert isinstance(both(text), Refused)
    assert standin.arrived == []
    standin.lose = 1
    assert isinstance(both(text), Unclear)
    assert len(standin.arrived) == 1
    assert isinstance(both(text), Sent)


def test_a_number_that_opted_out_gets_nothing(standin: TextsStandIn, both: Any) -> None:
    standin.arrived.clear()
    standin.opted_out = {SMS.to}
    assert both(SMS) == Refused("opted_out")
    assert standin.arrived == []
    standin.opted_out = set()
