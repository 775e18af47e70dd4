"""Did Cal.com send this? Over the raw bytes, before anything is parsed.

`X-Cal-Signature-256` is the lower-case hex HMAC-SHA256 of the body, without prefix. A webhook without a secret sends
the literal `no-secret-provided` (contracts: calcom 5.3). There is no stamp, so a captured event can be sent again: it
is only ever a hint to look.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

HEADER = "x-cal-signature-256"
_HEX = re.compile(r"[0-9a-f]{64}")
_SHORTEST_SECRET = 16


def is_authentic(body: bytes, header: str | None, secrets: Sequence[str]) -> bool:
    """Whether one of `secrets` (two during a rotation) signed exactly these bytes. Empty and short ones never match."""
    if header is None or _HEX.fullmatch(header) is None:
        return False
    matches = [
        hmac.compare_digest(hmac.new(secret.encode("utf-8", "surrogatepass"), body, hashlib.sha256).hexdigest(), header)
        for secret in secrets
        if len(secret) >= _SHORTEST_SECRET
    ]
    return any(matches)
