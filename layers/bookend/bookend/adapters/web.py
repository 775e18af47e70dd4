"""The HttpApi's event (payload 2.0) as raw bytes and headers, and answers to it."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any


def raw_body(event: Mapping[str, Any]) -> bytes | None:
    """The body exactly as it was sent, for signatures; None if it cannot be that."""
    body = event.get("body") or ""
    if not isinstance(body, str):
        return None
    if not event.get("isBase64Encoded"):
        return body.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        return None


def header(event: Mapping[str, Any], name: str) -> str | None:
    """A header by its name in any case; the gateway joins repeated ones with a comma."""
    headers = event.get("headers") or {}
    return next((value for key, value in headers.items() if key.lower() == name), None)


def answer(status: int, body: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON answer; umlauts stay as they are, since every byte is read to a model."""
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json; charset=utf-8"},
        "body": json.dumps(body, ensure_ascii=False),
    }
