"""Is this request from our Retell workspace? Over the raw bytes, before anything is parsed.

Header `v=<unix ms>,d=<64 lower-case hex>`, where d is HMAC-SHA256(key, body + v) (contracts: retell 1.5). The vendor's
own verifier accepts an empty key; this one has no key that matches when there is none.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

_HEADER = re.compile(r"v=([0-9]{1,15}),d=([0-9a-f]{64})")
TOLERANCE_MS = 5 * 60 * 1000
"""How far, in milliseconds, a stamp may lie in the past or in the future."""
_SHORTEST_KEY = 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def is_authentic(body: bytes, header: str | None, keys: Sequence[str], *, now: datetime) -> bool:
    """Whether one of `keys` (two during a rotation) signed exactly these bytes within five minutes of `now`.

    Empty and very short keys never match: a key that was lost in configuration must not open the door.
    """
    read = _read(header, now=now)
    if read is None:
        return False
    stamp, digest = read
    matches = [
        hmac.compare_digest(hmac.new(key.encode(), body + stamp.encode(), hashlib.sha256).hexdigest(), digest)
        for key in keys
        if len(key) >= _SHORTEST_KEY
    ]
    return any(matches)


def may_be_authentic(header: str | None, *, now: datetime) -> bool:
    """Whether it is a signature of these minutes at all; what is none needs no key to be turned away."""
    return _read(header, now=now) is not None


def _read(header: str | None, *, now: datetime) -> tuple[str, str] | None:
    """Stamp and digest."""
    match = _HEADER.fullmatch(header or "")
    if match is None or abs((now - _EPOCH) // _MILLISECOND - int(match[1])) > TOLERANCE_MS:
        return None
    return match[1], match[2]
