"""POST /retell/events: a call began, ended or was analysed. The end of one frees what was held for it."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

from bookend import bootstrap
from bookend.adapters import web
from bookend.adapters.retell import wire
from bookend.adapters.retell.door import admitted
from bookend.application.deadline import WRITE_TURN_S, Deadline
from bookend.application.end_call import end_call
from bookend.application.ports import KeyUnavailable, StoreUnavailable
from bookend.observability import logger, metrics, without_words

_ENDINGS = frozenset({"call_ended", "call_analyzed"})
_AGAIN = {"status": "temporary_error", "message": "Please send this event again."}
_RESERVE_S = 0.5
"""Seconds of the function's own time that are kept back for the answer."""


@logger.inject_lambda_context(clear_state=True, log_event=False)
@metrics.log_metrics
@without_words()
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """One lifecycle event. Retell repeats what is not answered 2xx, up to three times; repeats change nothing."""
    deps = bootstrap.dependencies()
    left = context.get_remaining_time_in_millis() / 1000 - _RESERVE_S
    deadline = Deadline.within(min(WRITE_TURN_S, left), deps.clock)
    try:
        body = admitted(event, deps, deadline=deadline)
    except KeyUnavailable:
        return web.answer(503, _AGAIN)
    if isinstance(body, dict):
        return body
    try:
        happened = wire.CallEvent.model_validate_json(body)
    except ValidationError:
        return web.answer(400, wire.NOT_AN_EVENT)
    logger.append_keys(call_id=happened.call.call_id, event=happened.event)
    if happened.event not in _ENDINGS:
        return web.answer(200, {"status": "ignored"})
    try:
        tenant = deps.tenants.of_call(agent=happened.call.agent_id, number=happened.call.our_number, deadline=deadline)
        if tenant is None:
            return web.answer(200, {"status": "ignored"})
        appointments = deps.appointments.within(deadline)
        freed = end_call(tenant.id, happened.call.call_id, appointments=appointments, clock=deps.clock)
    except StoreUnavailable:
        return web.answer(503, _AGAIN)
    logger.info("call ended", extra={"freed": freed})
    return web.answer(200, {"status": "ok", "freed": freed})


bootstrap.prepare("appointments", "secrets")
