"""What Retell does: envelopes as it sends them, signed as it signs them."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import secrets
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

Json = dict[str, Any]
TIMEOUT_S = 10.0
"""What our agents set as `timeout_ms`."""


@dataclass(frozen=True)
class Answer:
    """What came back, and how long it took in real seconds."""

    http_status: int
    body: Json
    seconds: float


@dataclass(frozen=True)
class Line:
    """One phone call: Retell's name for it, who calls (None: the number is withheld), whom they reach."""

    call_id: str
    agent: str
    dialled: str
    caller: str | None
    began: datetime


def function_call(line: Line, name: str, args: Json) -> Json:
    """The body of a custom function call; nothing that Retell sends is missing."""
    tool_call = f"tool_call_{secrets.token_hex(3)}"
    invocation = {"role": "tool_call_invocation", "tool_call_id": tool_call, "name": name, "type": "custom"}
    return {
        "name": name,
        "args": args,
        "call": _call(line, "ongoing")
        | {
            "transcript": "",
            "transcript_object": [],
            "transcript_with_tool_calls": [invocation | {"arguments": json.dumps(args, ensure_ascii=False)}],
            "latency": {},
        },
    }


def call_ended(line: Line, now: datetime) -> Json:
    """The body of the webhook when somebody hangs up."""
    ended = {"end_timestamp": _millis(now), "disconnection_reason": "user_hangup", "transcript": ""}
    return {"event": "call_ended", "call": _call(line, "ended") | ended}


def send(url: str, body: Json, *, key: str, now: datetime) -> Answer:
    """POST the body, signed at `now`."""
    raw = json.dumps(body, ensure_ascii=False).encode()
    target = urlsplit(url)
    connection = http.client.HTTPConnection(target.hostname or "", target.port, timeout=TIMEOUT_S)
    began = time.monotonic()
    try:
        headers = {"content-type": "application/json", "x-retell-signature": signature(raw, key=key, now=now)}
        connection.request("POST", target.path, raw, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        return Answer(answer.status, json.loads(text) if text else {}, time.monotonic() - began)
    finally:
        connection.close()


def signature(raw: bytes, *, key: str, now: datetime) -> str:
    """The header `X-Retell-Signature` of these bytes."""
    stamp = str(_millis(now))
    return f"v={stamp},d={hmac.new(key.encode(), raw + stamp.encode(), hashlib.sha256).hexdigest()}"


def _call(line: Line, status: str) -> Json:
    return {
        "call_id": line.call_id,
        "call_type": "phone_call",
        "call_status": status,
        "agent_id": line.agent,
        "agent_version": 17,
        "agent_name": "Friseur 1",
        "from_number": line.caller or "anonymous",
        "to_number": line.dialled,
        "direction": "inbound",
        "telephony_identifier": {"twilio_call_sid": f"CA{line.call_id[-26:]:0>32}"},
        "start_timestamp": _millis(line.began),
        "metadata": {},
        "retell_llm_dynamic_variables": {"twilio-callsid": "CA0"},
        "custom_sip_headers": {"x-twilio-callsid": "CA0"},
        "data_storage_setting": "everything",
        "opt_in_signed_url": False,
    }


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
