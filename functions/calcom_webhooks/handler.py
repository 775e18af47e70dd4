"""POST /calcom/webhook/{tenant}: Cal.com tells of a change. Verify, store, queue, answer; nothing is decided here."""

from __future__ import annotations

import re
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import BotoCoreError, ClientError

from bookend import bootstrap
from bookend.adapters import web
from bookend.adapters.bounded import BoundedQueue, Late
from bookend.adapters.calcom.signature import HEADER, is_authentic
from bookend.adapters.secrets.store import SecretUnusable
from bookend.application.deadline import Deadline
from bookend.application.ports import StoreUnavailable
from bookend.application.receiving import receive
from bookend.bootstrap import Dependencies
from bookend.observability import WEBHOOK_REJECTED, count, logger, metrics, without_words

MAX_BODY = 128 * 1024
"""Bytes. An event of Cal.com has two thousand; bytes that are no text grow threefold in the table, whose items end at
400 KB."""
_LATER = {"status": "temporary_error", "message": "Please send this event again."}
DOOR_S = 5.0
"""Seconds within which a delivery is answered, whatever hangs: well before the function's own end."""
_RESERVE_S = 0.5
"""Seconds of the function's own time that are kept back for the answer."""
_TENANT = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


@logger.inject_lambda_context(clear_state=True, log_event=False)
@metrics.log_metrics
@without_words()
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """One delivery. 2xx only once it is stored; 503 asks for another try; never 410, which would end the webhook."""
    deps = bootstrap.dependencies()
    left = context.get_remaining_time_in_millis() / 1000 - _RESERVE_S
    deadline = Deadline.within(min(DOOR_S, left), deps.clock)
    tenant = str((event.get("pathParameters") or {}).get("tenant", ""))
    body = web.raw_body(event)
    if body is None:
        return web.answer(400, {"status": "error", "message": "The body is not readable."})
    if len(body) > MAX_BODY:
        return web.answer(413, {"status": "error", "message": f"The body is larger than {MAX_BODY} bytes."})
    signature = web.header(event, HEADER)
    try:
        authentic = _TENANT.fullmatch(tenant) is not None and _is_authentic(body, signature, tenant, deps, deadline)
    except (Late, BotoCoreError, ClientError, SecretUnusable) as error:
        logger.error("the webhook secrets cannot be read", extra={"reason": type(error).__name__})
        return web.answer(503, _LATER)
    if not authentic:
        count(WEBHOOK_REJECTED)
        return web.answer(401, {"status": "unauthorized", "message": "The signature does not match."})
    logger.append_keys(tenant=tenant)
    try:
        queue = BoundedQueue(deps.queue, deadline, deps.bounds)
        received = receive(tenant, body, inbox=deps.inbox.within(deadline), queue=queue, clock=deps.clock)
    except StoreUnavailable:
        return web.answer(503, _LATER)
    logger.info("event received", extra={"received": received.value})
    return web.answer(200, {"status": "ok", "received": received.value})


def _is_authentic(body: bytes, signature: str | None, tenant: str, deps: Dependencies, deadline: Deadline) -> bool:
    """Whether the tenant's Cal.com signed it, if need be with a secret that has just been put in force."""
    return signature is not None and (
        is_authentic(body, signature, deps.webhook_secrets(tenant, deadline))
        or is_authentic(body, signature, deps.fresh_webhook_secrets(tenant, deadline))
    )


bootstrap.prepare("inbox", "queue", "secrets")
