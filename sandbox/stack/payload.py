"""Between HTTP and a function: requests become payload 2.0 events, answers become responses."""

import base64
import binascii
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from sandbox.stack.intrinsics import ACCOUNT
from sandbox.stack.invocation import Failure, InvokeResult
from sandbox.stack.template import DEFAULT_STAGE, Route

API_ID = "sandbox"

_TEXT = re.compile(r"text/.*|application/(json|javascript|xml|.+\+json|.+\+xml)", re.IGNORECASE)


@dataclass(frozen=True)
class Request:
    """One HTTP request as it came in."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    source: str
    protocol: str = "HTTP/1.1"


@dataclass(frozen=True)
class Response:
    """What the caller gets."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def build_event(
    request: Request,
    *,
    route: Route,
    path: str,
    query: str,
    path_parameters: Mapping[str, str],
    stage: str,
    domain: str,
    now: datetime,
) -> dict[str, Any]:
    """API Gateway's payload format 2.0 for one request; keys with nothing to say are left out, as there."""
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for name, value in request.headers:
        key = name.lower()
        if key == "cookie":
            cookies += [cookie.strip() for cookie in value.split(";")]
        elif key not in {"connection", "transfer-encoding"}:
            headers[key] = f"{headers[key]},{value}" if key in headers else value
    headers.setdefault("content-length", str(len(request.body)))
    headers |= {
        "x-forwarded-for": request.source,
        "x-forwarded-port": domain.rpartition(":")[2],
        "x-forwarded-proto": "http",
        "x-amzn-trace-id": f"Root=1-{int(now.timestamp()):08x}-{uuid.uuid4().hex[:24]}",
    }
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route.key if route.path != DEFAULT_STAGE else DEFAULT_STAGE,
        "rawPath": unquote(path),
        "rawQueryString": query,
    }
    if cookies:
        event["cookies"] = cookies
    event["headers"] = headers
    if parameters:
        event["queryStringParameters"] = parameters
    event["requestContext"] = {
        "accountId": ACCOUNT,
        "apiId": API_ID,
        "domainName": domain,
        "domainPrefix": API_ID,
        "http": {
            "method": request.method,
            "path": unquote(path),
            "protocol": request.protocol,
            "sourceIp": request.source,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": uuid.uuid4().hex[:15] + "=",
        "routeKey": event["routeKey"],
        "stage": stage,
        "time": now.astimezone(UTC).strftime("%d/%b/%Y:%H:%M:%S +0000"),
        "timeEpoch": int(now.timestamp() * 1000),
    }
    if path_parameters:
        event["pathParameters"] = dict(path_parameters)
    text = _text_body(request.body, headers)
    if request.body:
        event["body"] = base64.b64encode(request.body).decode() if text is None else text
    event["isBase64Encoded"] = bool(request.body) and text is None
    return event


def build_response(result: InvokeResult) -> Response:
    """Form the response from what the function returned; payload 2.0 lets it return a bare value."""
    if result.failure is Failure.TIMED_OUT:
        return message(503, "Service Unavailable")
    if not result.ok:
        return message(500, "Internal Server Error")
    payload = result.payload
    if not isinstance(payload, dict) or "statusCode" not in payload:
        text = payload if isinstance(payload, str) else json.dumps(payload)
        return Response(200, (("content-type", "application/json"),), text.encode())
    try:
        return _explicit_response(payload)
    except (TypeError, ValueError, AttributeError, binascii.Error):
        return message(500, "Internal Server Error")


def _explicit_response(payload: dict[str, Any]) -> Response:
    status = int(payload["statusCode"])
    if not 100 <= status <= 599:
        raise ValueError("no HTTP status")
    headers = {str(name).lower(): str(value) for name, value in (payload.get("headers") or {}).items()}
    headers.pop("content-length", None)
    headers.setdefault("content-type", "text/plain;charset=UTF-8")
    body = payload.get("body") or ""
    if not isinstance(body, str):
        raise TypeError("the body must be text")
    content = base64.b64decode(body, validate=True) if payload.get("isBase64Encoded") else body.encode()
    cookies = [("set-cookie", str(cookie)) for cookie in payload.get("cookies") or []]
    return Response(status, (*headers.items(), *cookies), content)


def _text_body(body: bytes, headers: Mapping[str, str]) -> str | None:
    """The body as text, or None where API Gateway hands it over in base64.

    Text are text/*, JSON, XML and JavaScript; forms and everything else are not. Without a content type it
    goes by whether the bytes are UTF-8.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip()
    if (kind and not _TEXT.fullmatch(kind)) or "content-encoding" in headers:
        return None
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return None


def message(status: int, text: str) -> Response:
    """API Gateway's own JSON answer."""
    return Response(status, (("content-type", "application/json"),), json.dumps({"message": text}).encode())
