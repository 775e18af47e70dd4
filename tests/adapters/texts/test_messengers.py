"""SNS and SES as botocore shows them: what counts as sent, not sent, refused and unclear; one request, once."""

from __future__ import annotations

import functools
import http.server
import json
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectTimeoutError, NoCredentialsError, ReadTimeoutError

from bookend.adapters.bounded import Bounds, Threads, at_once
from bookend.adapters.texts.ses import SesMessenger
from bookend.adapters.texts.sns import SnsMessenger
from bookend.application.deadline import Deadline
from bookend.application.ports.texts import NotSent, Refused, Sent, Unclear
from bookend.bootstrap import SystemClock
from bookend.domain.texts import Channel, Text

NUMBER, ADDRESS = "+4915711223344", "kanarinchen@quastenflosser.example"
SMS = Text(Channel.SMS, NUMBER, "Friseur1", "", "Ihr Termin ist gebucht.")
MAIL = Text(Channel.EMAIL, ADDRESS, "termine@friseur1.example", "Friseur 1: Ihr Termin", "Guten Tag,\n\nja.\n")
ENVELOPE = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{text}</Message></Error></ErrorResponse>"
)


class Provider(http.server.ThreadingHTTPServer):
    """Answers what it is told to; `seen` are the requests."""

    daemon_threads = True

    def __init__(self) -> None:
        self.begin_anew()
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def begin_anew(self) -> None:
        self.seen: list[tuple[str, Any]] = []
        self.opted_out = False
        self.answer: tuple[int, str] = (200, "")
        self.hangs_s = 0.0
        self.hangs_up = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def actions(self) -> list[str]:
        return [name for name, _ in self.seen]


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Provider

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path.startswith("/v2/"):
            name, said = "SendEmail", json.loads(body)
        else:
            said = dict(urllib.parse.parse_qsl(body))
            name = said["Action"]
        self.server.seen.append((name, said))
        if name == "CheckIfPhoneNumberIsOptedOut":
            flag = str(self.server.opted_out).lower()
            wrapped = f"<{name}Result><isOptedOut>{flag}</isOptedOut></{name}Result>"
            return self._say(200, f"<{name}Response>{wrapped}</{name}Response>")
        if self.server.hangs_up:
            self.connection.close()
            return None
        time.sleep(self.server.hangs_s)
        status, text = self.server.answer
        if not text:
            text = (
                json.dumps({"MessageId": "m1"})
                if name == "SendEmail"
                else "<PublishResponse><PublishResult><MessageId>m1</MessageId></PublishResult></PublishResponse>"
            )
        return self._say(status, text)

    def _say(self, status: int, text: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def served() -> Iterator[Provider]:
    """One for all: a client takes half a second to build."""
    provider = Provider()
    yield provider
    provider.shutdown()
    provider.server_close()


@pytest.fixture
def provider(served: Provider) -> Provider:
    served.begin_anew()
    return served


@functools.cache
def client(service: str, url: str) -> Any:
    config = Config(
        connect_timeout=0.3, read_timeout=0.5, retries={"mode": "standard", "total_max_attempts": 1}, proxies={}
    )
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=url,
        region_name="eu-central-1",
        aws_access_key_id="x",
        aws_secret_access_key="y",
        config=config,
    )


def sms(provider: Provider, bounds: Bounds = at_once, seconds: float = 5.0) -> Any:
    return SnsMessenger(lambda: client("sns", provider.url), bounds).send(SMS, deadline=within(seconds))


def mail(provider: Provider, bounds: Bounds = at_once, seconds: float = 5.0) -> Any:
    return SesMessenger(lambda: client("sesv2", provider.url), bounds).send(MAIL, deadline=within(seconds))


def within(seconds: float) -> Deadline:
    return Deadline.within(seconds, SystemClock())


Ask = Callable[..., Any]


def test_an_sms_goes_to_the_number_and_says_whose_it_is(provider: Provider) -> None:
    assert sms(provider) == Sent("m1")
    (_, asked), (action, said) = provider.seen
    assert (asked["phoneNumber"], action, said["PhoneNumber"], said["Message"]) == (NUMBER, "Publish", NUMBER, SMS.body)
    attributes = {
        said[f"MessageAttributes.entry.{n}.Name"]: said[f"MessageAttributes.entry.{n}.Value.StringValue"]
        for n in (1, 2)
    }
    assert attributes == {"AWS.SNS.SMS.SMSType": "Transactional", "AWS.SNS.SMS.SenderID": "Friseur1"}


def test_a_mail_goes_to_the_address_alone(provider: Provider) -> None:
    assert mail(provider) == Sent("m1")
    ((_, said),) = provider.seen
    assert said["FromEmailAddress"] == "termine@friseur1.example"
    assert said["Destination"] == {"ToAddresses": [ADDRESS]}
    assert said["Content"]["Simple"]["Subject"]["Data"] == MAIL.subject
    assert said["Content"]["Simple"]["Body"] == {"Text": {"Data": MAIL.body, "Charset": "UTF-8"}}


def test_a_number_on_snss_own_opt_out_list_is_sent_nothing(provider: Provider) -> None:
    provider.opted_out = True
    assert sms(provider) == Refused("opted_out")
    assert provider.actions() == ["CheckIfPhoneNumberIsOptedOut"]


@pytest.mark.parametrize(
    ("status", "code", "text", "expected"),
    [
        (
            400,
            "InvalidParameter",
            f"Invalid parameter: PhoneNumber Reason: {NUMBER} is not valid",
            Refused("invalid_address"),
        ),
        (400, "InvalidParameter", f"Phone number {NUMBER} is opted out", Refused("opted_out")),
        (429, "Throttling", "Rate exceeded", NotSent("Throttling")),
        (403, "AuthorizationError", "not authorized", NotSent("AuthorizationError")),
        (403, "SignatureDoesNotMatch", "no", NotSent("SignatureDoesNotMatch")),
        (500, "InternalError", "try again", Unclear("InternalError")),
        (503, "ServiceUnavailable", "try again", Unclear("ServiceUnavailable")),
    ],
)
def test_what_sns_says(provider: Provider, status: int, code: str, text: str, expected: Any) -> None:
    provider.answer = (status, ENVELOPE.format(code=code, text=text))
    assert sms(provider) == expected
    assert provider.actions().count("Publish") == 1


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "MessageRejected", Refused("rejected")),
        (400, "BadRequestException", Refused("invalid_address")),
        (400, "AccountSuspendedException", NotSent("AccountSuspendedException")),
        (400, "SendingPausedException", NotSent("SendingPausedException")),
        (400, "MailFromDomainNotVerifiedException", NotSent("MailFromDomainNotVerifiedException")),
        (429, "TooManyRequestsException", NotSent("TooManyRequestsException")),
        (403, "AccessDeniedException", NotSent("AccessDeniedException")),
        (500, "InternalFailure", Unclear("InternalFailure")),
    ],
)
def test_what_ses_says(provider: Provider, status: int, code: str, expected: Any) -> None:
    provider.answer = (status, json.dumps({"__type": code, "message": f"{ADDRESS} is no good"}))
    assert mail(provider) == expected
    assert provider.actions() == ["SendEmail"]


@pytest.mark.parametrize("ask", [sms, mail])
def test_no_answer_is_unclear_and_nobody_asks_again(provider: Provider, ask: Ask) -> None:
    provider.hangs_s = 0.8
    assert ask(provider) == Unclear("ReadTimeoutError")
    assert len([each for each in provider.actions() if not each.startswith("Check")]) == 1


@pytest.mark.parametrize("ask", [sms, mail])
def test_a_connection_that_breaks_after_the_request_is_unclear(provider: Provider, ask: Ask) -> None:
    provider.hangs_up = True
    assert ask(provider) == Unclear("ConnectionClosedError")


@pytest.mark.parametrize("ask", [sms, mail])
def test_an_answer_that_nobody_can_read_is_unclear(provider: Provider, ask: Ask) -> None:
    provider.answer = (200, "<html>")
    assert isinstance(ask(provider), Unclear)


@pytest.mark.parametrize("ask", [sms, mail])
def test_without_a_connection_nothing_was_sent(ask: Ask) -> None:
    served = Provider()
    served.shutdown()
    served.server_close()
    assert ask(served) == NotSent("EndpointConnectionError")


@pytest.mark.parametrize("ask", [sms, mail])
def test_after_the_deadline_nothing_is_sent(provider: Provider, ask: Ask) -> None:
    assert isinstance(ask(provider, Threads(), 0.0), NotSent)
    assert provider.seen == []


@pytest.mark.parametrize("ask", [sms, mail])
def test_what_is_not_answered_by_the_deadline_is_unclear(provider: Provider, ask: Ask) -> None:
    provider.hangs_s = 0.4
    assert ask(provider, Threads(), 0.3) == Unclear("Late")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NoCredentialsError(), NotSent("NoCredentialsError")),
        (ConnectTimeoutError(endpoint_url="x"), NotSent("ConnectTimeoutError")),
        (ReadTimeoutError(endpoint_url="x"), Unclear("ReadTimeoutError")),
    ],
)
def test_what_botocore_raises(error: Exception, expected: Any) -> None:
    class Broken:
        def send_email(self, **_: Any) -> Any:
            raise error

    assert SesMessenger(Broken, at_once).send(MAIL, deadline=within(5)) == expected


def test_trouble_with_the_question_before_is_no_sending(provider: Provider) -> None:
    class Broken:
        def check_if_phone_number_is_opted_out(self, **_: Any) -> Any:
            raise ReadTimeoutError(endpoint_url="x")

    assert SnsMessenger(Broken, at_once).send(SMS, deadline=within(5)) == NotSent("ReadTimeoutError")


@pytest.mark.parametrize("ask", [sms, mail])
def test_no_answer_repeats_the_number_or_the_address(provider: Provider, ask: Ask) -> None:
    for status, code in ((400, "InvalidParameter"), (400, "BadRequestException"), (500, "InternalError")):
        text = f"{NUMBER} {ADDRESS}"
        body = ENVELOPE.format(code=code, text=text) if ask is sms else json.dumps({"__type": code, "message": text})
        provider.answer = (status, body)
        said = str(ask(provider))
        assert NUMBER not in said
        assert ADDRESS not in said
