"""Who signed a webhook: over the raw bytes, in one spelling, by a secret that is one. Real deliveries are the judge."""

from __future__ import annotations

import hashlib
import hmac
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from bookend.adapters.calcom.signature import is_authentic
from tests.adapters.calcom.captured import CAPTURES
from tests.support.http import webhook_signature

LAB = "lab-webhook-secret"
"""The secret of the machine on which the captures were taken; it stands in 25a3 in clear."""
SECRET = "whsec-0123456789"
BODY = '{"triggerEvent":"BOOKING_CREATED","payload":{"uid":"abc","title":"Färben"}}'.encode()
SIGNED = webhook_signature(BODY, SECRET)


def deliveries() -> Iterator[Any]:
    """Body, header and what the recorder thought of it."""
    for file in sorted(CAPTURES.glob("25*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        found = content.get("deliveries") or [] if isinstance(content, dict) else []
        for number, each in enumerate(found):
            header = each["headers"]["X-Cal-Signature-256"]
            yield pytest.param(each["raw_body"].encode(), header, each["signature_valid"], id=f"{file.stem}/{number}")


@pytest.mark.parametrize(("body", "header", "valid"), list(deliveries()))
def test_real_deliveries_are_judged_as_they_were_when_they_came(body: bytes, header: str, valid: bool) -> None:
    assert is_authentic(body, header, [LAB]) is valid
    assert not is_authentic(body, header, [SECRET])
    assert not is_authentic(json.dumps(json.loads(body)).encode(), header, [LAB]), "the bytes count, not the content"


def test_there_are_real_deliveries_signed_and_not() -> None:
    found = [each.values[2] for each in deliveries()]
    assert found.count(True) >= 20
    assert found.count(False) == 1


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "no-secret-provided",
        "No-Secret-Provided",
        SIGNED.upper(),
        SIGNED[:40] + SIGNED[40:].upper() if SIGNED[40:].upper() != SIGNED[40:] else SIGNED.upper(),
        f"sha256={SIGNED}",
        f" {SIGNED}",
        f"{SIGNED} ",
        f"{SIGNED}\n",
        f"{SIGNED},{SIGNED}",
        SIGNED[:-1],
        SIGNED + "0",
        "0" * 64,
        "\u0661" * 64,
        "\uff10" * 64,
        SIGNED[:32] + "\u0000" + SIGNED[33:],
    ],
)
def test_any_other_spelling_is_refused(header: str | None) -> None:
    assert is_authentic(BODY, SIGNED, [SECRET])
    assert not is_authentic(BODY, header, [SECRET])


@pytest.mark.parametrize("secret", ["", " ", "short", "fifteen-letters", "no-secret"])
def test_a_secret_that_is_none_never_signs(secret: str) -> None:
    """An empty field of the secret must close the door, not open it to whoever signs with nothing."""
    assert not is_authentic(BODY, webhook_signature(BODY, secret), [secret])
    assert not is_authentic(BODY, webhook_signature(BODY, secret), [secret, SECRET])


def test_without_secrets_nobody_is_let_in() -> None:
    for header in (SIGNED, webhook_signature(BODY, ""), hashlib.sha256(BODY).hexdigest()):
        assert not is_authentic(BODY, header, [])


def test_sixteen_characters_are_enough() -> None:
    assert is_authentic(BODY, webhook_signature(BODY, "x" * 16), ["x" * 16])


@pytest.mark.parametrize("secrets", [[SECRET, "whsec-the-new-one-1"], ["whsec-the-new-one-1", SECRET]])
def test_during_a_rotation_both_secrets_sign(secrets: list[str]) -> None:
    for each in secrets:
        assert is_authentic(BODY, webhook_signature(BODY, each), secrets)
    assert not is_authentic(BODY, webhook_signature(BODY, "whsec-the-old-one-0"), secrets)


def test_a_secret_beyond_ascii_signs_as_cal_com_would() -> None:
    secret = "geheim-ü-0123456789"
    header = hmac.new(secret.encode("utf-8"), BODY, hashlib.sha256).hexdigest()
    assert is_authentic(BODY, header, [secret])


def test_half_a_surrogate_in_a_secret_breaks_nothing() -> None:
    """JSON may hold one; the other secret must go on working."""
    assert is_authentic(BODY, SIGNED, ["\ud800" + "x" * 20, SECRET])


def test_every_flipped_bit_of_body_or_header_is_noticed() -> None:
    for bit in range(len(BODY) * 8):
        flipped = bytearray(BODY)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not is_authentic(bytes(flipped), SIGNED, [SECRET]), bit
    for place in range(64):
        for digit in "0123456789abcdef":
            changed = SIGNED[:place] + digit + SIGNED[place + 1 :]
            assert is_authentic(BODY, changed, [SECRET]) is (changed == SIGNED)


def test_bytes_of_any_kind_can_be_signed() -> None:
    rng = random.Random(256)
    for length in (0, 1, 17, 4096):
        body = rng.randbytes(length)
        assert is_authentic(body, webhook_signature(body, SECRET), [SECRET])
        assert not is_authentic(body + b"\n", webhook_signature(body, SECRET), [SECRET])
