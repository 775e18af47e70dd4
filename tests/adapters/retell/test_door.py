"""Size, then signature, before a byte is parsed: through both doors, as the gateway delivers it."""

from __future__ import annotations

import base64
import json

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from bookend.adapters.retell.wire import MAX_BODY
from tests.support.http import RETELL_ARN, Answer, Doors, http_event
from tests.support.retell import KEY, body_of, function_call, lifecycle, signature

DOORS = ["retell_functions", "retell_events"]
NEW = "key_new_5b1d7f90c2e4a6b8"


def body_for(function: str) -> bytes:
    umlauts = {"wunsch": "Männerhaarschnitt für Jürgen Größer €"}
    content = function_call("list_services", umlauts) if function == "retell_functions" else lifecycle("call_ended")
    return body_of(content)


@pytest.mark.parametrize("function", DOORS)
def test_signed_bytes_come_in_as_text_and_as_base64(function: str) -> None:
    with Doors() as doors:
        body = body_for(function)
        assert doors.post(function, body).status == 200
        assert doors.post(function, body, base64=True).status == 200


@pytest.mark.parametrize("function", DOORS)
@pytest.mark.parametrize("signed", ["", "v=1,d=2", "no-secret-provided"])
def test_unsigned_is_401_with_a_clear_answer(function: str, signed: str) -> None:
    with Doors() as doors:
        answer = doors.post(function, body_for(function), signed=signed)
        assert (answer.status, answer.json["status"]) == (401, "unauthorized")
        assert answer.json["message"] == "The signature does not match."
        assert doors.heard.counted("SignatureRejected") == 1


@pytest.mark.parametrize("function", DOORS)
def test_header_name_in_any_case(function: str) -> None:
    with Doors() as doors:
        body = body_for(function)
        event = http_event(body)
        for name in ("x-retell-signature", "X-Retell-Signature", "X-RETELL-SIGNATURE"):
            event["headers"] = {name: signature(body, at=doors.salon.clock.now())}
            assert doors.raw(function, event).status == 200


@pytest.mark.parametrize("function", DOORS)
def test_a_repeated_header_is_nobodys_signature(function: str) -> None:
    with Doors() as doors:
        body = body_for(function)
        good = signature(body, at=doors.salon.clock.now())
        forged = good[:-1] + ("0" if good[-1] != "0" else "1")
        for joined in (f"{good},{good}", f"{good},{forged}", f"{forged},{good}", f"{good}, {good}"):
            assert doors.post(function, body, signed=joined).status == 401


@pytest.mark.parametrize("function", DOORS)
def test_a_body_that_claims_to_be_base64_and_is_not(function: str) -> None:
    with Doors() as doors:
        event = http_event(b"{}", {"X-Retell-Signature": signature(b"{}", at=doors.salon.clock.now())})
        for text in ("*", "e30", "e30=\n", "ü", "e3 0="):
            answer = doors.raw(function, event | {"body": text, "isBase64Encoded": True})
            assert (answer.status, answer.json["message"]) == (400, "The body is not readable.")


def test_base64_text_itself_was_not_signed() -> None:
    with Doors() as doors:
        body = body_for("retell_functions")
        header = signature(base64.b64encode(body), at=doors.salon.clock.now())
        assert doors.post("retell_functions", body, signed=header, base64=True).status == 401


@pytest.mark.parametrize("function", DOORS)
def test_no_body_is_the_empty_body(function: str) -> None:
    with Doors() as doors:
        event = http_event(None, {"X-Retell-Signature": signature(b"", at=doors.salon.clock.now())})
        assert doors.raw(function, event).status == 400
        assert doors.raw(function, event | {"headers": {}}).status == 401
        without = {name: value for name, value in event.items() if name != "headers"}
        assert doors.raw(function, without).status == 401


@pytest.mark.parametrize("function", DOORS)
def test_too_large_is_refused_before_anything_is_reckoned(function: str) -> None:
    with Doors() as doors:
        limit = b" " * MAX_BODY
        assert doors.post(function, limit).status == 400
        for base64_ in (False, True):
            answer = doors.post(function, limit + b" ", base64=base64_)
            assert (answer.status, answer.json["status"]) == (413, "error")
        assert str(MAX_BODY) in answer.json["message"]


def test_size_counts_bytes_not_letters() -> None:
    with Doors() as doors:
        assert doors.post("retell_functions", "ü".encode() * (MAX_BODY // 2 + 1)).status == 413


@pytest.mark.parametrize("function", DOORS)
def test_reserialised_json_is_refused(function: str) -> None:
    with Doors() as doors:
        body = body_for(function)
        again = json.dumps(json.loads(body)).encode()
        header = signature(body, at=doors.salon.clock.now())
        assert doors.post(function, again, signed=header).status == 401


# Rotation


def knock(doors: Doors, key: str) -> Answer:
    return doors.function("list_services", key=key)


def test_a_fresh_key_is_picked_up_by_one_refresh() -> None:
    with Doors() as doors:
        assert knock(doors, KEY).status == 200
        doors.vault.rotate(NEW, KEY)
        doors.salon.clock.advance(61)
        assert knock(doors, NEW).status == 200
        assert doors.vault.reads == 2
        assert [knock(doors, key).status for key in (NEW, KEY, NEW)] == [200, 200, 200]
        assert doors.vault.reads == 2
        assert doors.heard.counted("SignatureRejected") == 0


def test_an_old_key_is_out_five_minutes_after_its_removal() -> None:
    with Doors(keys=(NEW, KEY)) as doors:
        assert knock(doors, KEY).status == 200
        doors.vault.rotate(NEW)
        doors.salon.clock.advance(299)
        assert knock(doors, KEY).status == 200
        doors.salon.clock.advance(1)
        assert knock(doors, KEY).status == 401
        assert knock(doors, NEW).status == 200


def test_a_storm_of_forgeries_causes_one_secret_read_a_minute_at_most() -> None:
    with Doors() as doors:
        for _ in range(600):
            assert knock(doors, "key_forged_0123456789").status == 401
            doors.salon.clock.advance(0.5)
        print(f"forgeries: 600 in 300 s, secret reads: {doors.vault.reads}")
        assert doors.vault.reads <= 1 + 5
        assert doors.heard.counted("SignatureRejected") == 600


def test_a_missing_header_never_causes_a_read() -> None:
    with Doors() as doors:
        assert knock(doors, KEY).status == 200
        for _ in range(20):
            doors.salon.clock.advance(14)
            assert doors.function("list_services", signed="").status == 401
        assert doors.vault.reads == 1


def throttled() -> ClientError:
    return ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, "GetSecretValue")


def test_a_forgery_cannot_make_us_lose_good_keys() -> None:
    """It makes us look for a newer key; if nobody answers, those we have go on serving."""
    with Doors() as doors:
        assert knock(doors, KEY).status == 200
        doors.salon.clock.advance(61)
        doors.vault.failures = [throttled() for _ in range(100)]
        for _ in range(50):
            assert knock(doors, "key_forged_0123456789").status == 401
            assert knock(doors, KEY).status == 200
        assert doors.vault.reads == 2
        assert any(line["message"] == "secret could not be read" for line in doors.heard.lines)


@pytest.mark.parametrize(
    "broken",
    [throttled(), ReadTimeoutError(endpoint_url="https://secretsmanager"), None],
    ids=["throttle", "away", "form"],
)
def test_calls_go_on_while_the_secret_cannot_be_read(broken: Exception | None) -> None:
    with Doors() as doors:
        assert knock(doors, KEY).status == 200
        if broken is None:
            doors.vault.secrets[RETELL_ARN] = {"keys": "not a list"}
        for minute in range(59):
            doors.salon.clock.advance(60)
            doors.vault.failures = [broken] if broken is not None else []
            assert knock(doors, KEY).status == 200, minute
        assert doors.vault.reads <= 60
        doors.vault.failures, doors.vault.secrets[RETELL_ARN] = [], {"keys": [NEW]}
        doors.salon.clock.advance(60)
        assert (knock(doors, KEY).status, knock(doors, NEW).status) == (401, 200)
