"""Who signed it: Retell's own code is the oracle, and where ours differs it turns away."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta

import pytest
from retell.lib import webhook_auth as vendor

from bookend.adapters.retell.signature import TOLERANCE_MS, is_authentic
from tests.support.retell import KEY, body_of, milliseconds, signature

NOW = datetime(2025, 10, 25, 18, 18, 32, 437000, tzinfo=UTC)
BODY = body_of({"name": "check_availability", "args": {"wunsch": "Männerhaarschnitt für Jürgen, übermorgen"}})


def vendor_says(body: bytes, header: str, key: str = KEY, *, now: datetime = NOW) -> bool:
    said = vendor.symmetric["verify"](body.decode(), key, header, {"timestamp": milliseconds(now)})
    assert isinstance(said, bool)
    return said


def ours(body: bytes, header: str | None, *keys: str, now: datetime = NOW) -> bool:
    return is_authentic(body, header, keys or (KEY,), now=now)


def test_what_retells_own_code_signs_is_authentic() -> None:
    header = vendor.symmetric["sign"](BODY.decode(), KEY, milliseconds(NOW))
    assert header == signature(BODY, at=NOW)
    assert ours(BODY, header)
    assert vendor_says(BODY, header)


def test_both_agree_on_every_kind_of_header() -> None:
    good = signature(BODY, at=NOW)
    stamp, digest = good[2:].split(",d=")
    rng = random.Random(20251025)
    headers = [
        good,
        "",
        digest,
        f"d={digest},v={stamp}",
        f"v={stamp}d={digest}",
        f"v={stamp}, d={digest}",
        f" {good}",
        f"{good} ",
        f"{good}\n",
        f"{good},{good}",
        f"signature={good}",
        f"v={stamp},d={digest.upper()}",
        f"v={stamp},d={digest[:-1]}",
        f"v={stamp},d={digest}0",
        f"v=-{stamp},d={digest}",
        f"v=+{stamp},d={digest}",
        f"v={stamp}.0,d={digest}",
        f"v=,d={digest}",
        f"v={stamp},d=",
        f"v={'9' * 400},d={digest}",
        f"v={int(stamp) + 1},d={digest}",
        *(signature(BODY, key=key, at=NOW) for key in ("", "another_key_of_this_workspace", KEY + " ", KEY[:-1])),
        *("".join(rng.choices("v=d,0123456789abcdef", k=rng.randrange(90))) for _ in range(300)),
    ]
    disagreements = [each for each in headers if ours(BODY, each) != vendor_says(BODY, each)]
    assert disagreements == []
    assert [each for each in headers if ours(BODY, each)] == [good]


def test_both_agree_on_generated_bodies() -> None:
    rng = random.Random(1)
    for _ in range(300):
        body = "".join(rng.choices('aäöüß€😀\n"\\{}0 ', k=rng.randrange(60))).encode()
        signed = vendor.symmetric["sign"](body.decode(), KEY, milliseconds(NOW))
        other = body + b" "
        assert (ours(body, signed), vendor_says(body, signed)) == (True, True)
        assert (ours(other, signed), vendor_says(other, signed)) == (False, False)


# Where we differ on purpose


def test_an_empty_key_opens_the_vendors_door_and_not_ours() -> None:
    forged = signature(BODY, key="", at=NOW)
    assert vendor_says(BODY, forged, "")
    assert not ours(BODY, forged, "")
    assert not ours(BODY, forged, "", KEY)
    assert not is_authentic(BODY, forged, (), now=NOW)


@pytest.mark.parametrize("key", ["x", "1234567"])
def test_a_key_that_can_be_guessed_is_none(key: str) -> None:
    forged = signature(BODY, key=key, at=NOW)
    assert vendor_says(BODY, forged, key)
    assert not ours(BODY, forged, key)


def test_a_missing_header_is_an_error_there_and_a_no_here() -> None:
    with pytest.raises(TypeError):
        vendor_says(BODY, None)  # type: ignore[arg-type]
    assert not ours(BODY, None)


def test_bytes_are_an_error_there_and_what_we_work_on_here() -> None:
    with pytest.raises(TypeError):
        vendor.verify(BODY, KEY, signature(BODY, at=datetime.now(UTC)))
    not_text = b"\xff\xfe\x00"
    assert ours(not_text, signature(not_text, at=NOW))
    assert not ours(not_text + b"\x00", signature(not_text, at=NOW))


def test_digits_of_other_scripts_pass_there_and_not_here() -> None:
    stamp, digest = signature(BODY, at=NOW)[2:].split(",d=")
    for zero in ("\u0660", "\u0966", "\uff10"):
        header = f"v={''.join(chr(ord(zero) + int(each)) for each in stamp)},d={digest}"
        assert vendor_says(BODY, header)
        assert not ours(BODY, header)


def test_leading_zeros_pass_there_and_not_here() -> None:
    stamp, digest = signature(BODY, at=NOW)[2:].split(",d=")
    assert vendor_says(BODY, f"v=0{stamp},d={digest}")
    assert not ours(BODY, f"v=0{stamp},d={digest}")


# Time


@pytest.mark.parametrize("microseconds", [0, 1000, 437000, 999000, 999999])
@pytest.mark.parametrize(
    ("off", "valid"),
    [
        (0, True),
        (TOLERANCE_MS - 1, True),
        (TOLERANCE_MS, True),
        (TOLERANCE_MS + 1, False),
        (-TOLERANCE_MS + 1, True),
        (-TOLERANCE_MS, True),
        (-TOLERANCE_MS - 1, False),
        (86_400_000, False),
        (-86_400_000, False),
    ],
)
def test_five_minutes_to_the_millisecond_on_both_sides(microseconds: int, off: int, valid: bool) -> None:
    now = NOW.replace(microsecond=microseconds)
    at_ms = (now.replace(microsecond=0) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    at_ms += microseconds // 1000
    header = signature(BODY, at=at_ms + off)
    said = vendor.symmetric["verify"](BODY.decode(), KEY, header, {"timestamp": at_ms})
    assert (ours(BODY, header, now=now), said) == (valid, valid)


def test_the_limit_is_exact_at_every_millisecond_of_a_second() -> None:
    start = milliseconds(NOW.replace(microsecond=0))
    for part in range(1000):
        now = NOW.replace(microsecond=part * 1000)
        assert ours(BODY, signature(BODY, at=start + part - TOLERANCE_MS), now=now)
        assert not ours(BODY, signature(BODY, at=start + part - TOLERANCE_MS - 1), now=now)


def test_stamps_that_are_no_time_at_all() -> None:
    for stamp in (0, 1, 999_999_999_999_999):
        assert not ours(BODY, signature(BODY, at=stamp))


# Bits


def test_every_flipped_bit_of_the_header_is_noticed() -> None:
    header = signature(BODY, at=NOW)
    for position in range(len(header)):
        for bit in range(8):
            flipped = header[:position] + chr(ord(header[position]) ^ 1 << bit) + header[position + 1 :]
            assert not ours(BODY, flipped), (position, bit)


def test_flipped_bits_of_the_body_are_noticed() -> None:
    header, rng = signature(BODY, at=NOW), random.Random(7)
    for position in range(len(BODY)):
        changed = bytearray(BODY)
        changed[position] ^= 1 << rng.randrange(8)
        assert not ours(bytes(changed), header), position


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body + b"\n",
        lambda body: body + b" ",
        lambda body: b" " + body,
        lambda body: body[:-1],
        lambda body: b"",
        lambda body: json.dumps(json.loads(body)).encode(),
        lambda body: json.dumps(json.loads(body), ensure_ascii=False).encode(),
        lambda body: body.decode().encode("utf-16"),
        lambda body: body.replace("ü".encode(), "u\u0308".encode()),
        lambda body: b"\xef\xbb\xbf" + body,
    ],
)
def test_the_same_content_in_other_bytes_is_another_body(change) -> None:  # type: ignore[no-untyped-def]
    assert change(BODY) != BODY
    assert not ours(change(BODY), signature(BODY, at=NOW))


def test_the_stamp_cannot_be_moved_into_the_body() -> None:
    """HMAC over body + stamp, without a separator: a digit may not change sides unnoticed."""
    body = b'{"n":1'
    stamp, digest = signature(body, at=1761416312437)[2:].split(",d=")
    moved = body + stamp[:1].encode()
    assert not ours(moved, f"v={stamp[1:]},d={digest}")


# Rotation


def test_two_keys_in_rotation_both_open_the_door() -> None:
    new = "key_new_5b1d7f90c2e4a6b8"
    for key in (KEY, new):
        header = signature(BODY, key=key, at=NOW)
        assert ours(BODY, header, KEY, new)
        assert ours(BODY, header, new, KEY)
    assert not ours(BODY, signature(BODY, key="key_third_0000000000", at=NOW), KEY, new)
    assert not ours(BODY, signature(BODY, key=KEY, at=NOW), new)
