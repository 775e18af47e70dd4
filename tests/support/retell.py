"""Retell's side: its signature, and bodies as it sends them.

The signer is written down here a second time, from the contract, so that a mistake in `signature.py` is not repeated
by its tests; one of those holds this one against Retell's own.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime
from pathlib import Path
from typing import Any

EVENTS = Path(__file__).parents[2] / "events" / "retell"
KEY = "key_3f9a1c5e7b2d4860a1b2c3d4e5f6"
AGENT = "agent_friseur1"
SALON_NUMBER = "+493033081738"
CUSTOMER_NUMBER = "+491701234567"


def milliseconds(moment: datetime) -> int:
    """Retell's time stamps."""
    return round(moment.timestamp() * 1000)


def signature(body: bytes, *, key: str = KEY, at: datetime | int) -> str:
    """The header for `body`, signed at an instant (or at this many milliseconds)."""
    stamp = at if isinstance(at, int) else milliseconds(at)
    digest = hmac.new(key.encode(), body + str(stamp).encode(), hashlib.sha256).hexdigest()
    return f"v={stamp},d={digest}"


def body_of(content: Any) -> bytes:
    """JSON as Retell writes it: compact, umlauts as they are."""
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def recorded(name: str) -> dict[str, Any]:
    """A body of events/retell, to be changed at will."""
    content: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return content


def phone_call(call_id: str = "call_24977a803e9bd80b586fca06259", **fields: Any) -> dict[str, Any]:
    """The `call` of an inbound phone call; a field given as None is left out."""
    call = {
        "call_id": call_id,
        "call_type": "phone_call",
        "call_status": "ongoing",
        "agent_id": AGENT,
        "agent_version": 17,
        "from_number": CUSTOMER_NUMBER,
        "to_number": SALON_NUMBER,
        "direction": "inbound",
        "start_timestamp": 1761416290000,
        "transcript": "Agent: Guten Tag, Friseur 1.\nUser: Morgen um zehn Uhr bitte.\n",
    } | fields
    return {name: value for name, value in call.items() if value is not None}


def function_call(name: str, args: Any = None, *, call: dict[str, Any] | None = None) -> dict[str, Any]:
    """A function call's body."""
    return {"name": name, "args": {} if args is None else args, "call": phone_call() if call is None else call}


def lifecycle(event: str, *, call: dict[str, Any] | None = None) -> dict[str, Any]:
    """A lifecycle event's body."""
    return {"event": event, "call": phone_call() if call is None else call}
