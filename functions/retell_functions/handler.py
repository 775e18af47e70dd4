"""POST /retell/functions: the caller is waiting. Verify, parse, one use case, reply."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

from bookend import bootstrap
from bookend.adapters import web
from bookend.adapters.retell import replies, wire
from bookend.adapters.retell.door import admitted
from bookend.application.book_appointment import book_appointment
from bookend.application.check_availability import check_availability
from bookend.application.deadline import READ_TURN_S, WRITE_TURN_S, Deadline
from bookend.application.list_services import list_services
from bookend.application.ports import StoreUnavailable
from bookend.application.turn import Call, Turn
from bookend.domain.contacts import normalise_phone
from bookend.observability import FUNCTION_CALL, FUNCTION_CALL_MS, count, logger, metrics

if TYPE_CHECKING:
    from bookend.bootstrap import Dependencies


@logger.inject_lambda_context(clear_state=True, log_event=False)
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """One function call of the agent."""
    deps = bootstrap.dependencies()
    began = deps.clock.monotonic()
    body = admitted(event, deps)
    if isinstance(body, dict):
        return body
    try:
        request = wire.FunctionCall.model_validate_json(body)
    except ValidationError:
        return web.answer(400, wire.NOT_AN_ENVELOPE)
    logger.append_keys(call_id=request.call.call_id, function=request.name)
    reply = _reply(request, deps, context)
    milliseconds = round((deps.clock.monotonic() - began) * 1000)
    logger.info("answered", extra={"status": reply["status"], "ms": milliseconds})
    function = wire.function_name(request.name) or "unknown"
    count(FUNCTION_CALL, function=function, status=reply["status"])
    count(FUNCTION_CALL_MS, milliseconds, function=function)
    return web.answer(200, reply)


def _reply(request: wire.FunctionCall, deps: Dependencies, context: LambdaContext) -> replies.Reply:
    left = context.get_remaining_time_in_millis() / 1000 - 0.5
    try:
        tenant = deps.tenants.of_call(agent=request.call.agent_id, number=request.call.our_number)
    except StoreUnavailable:
        return replies.no_tenant_known()
    if tenant is None:
        return replies.unknown_tenant()
    speaker = replies.Speaker(tenant)
    caller = normalise_phone(request.call.customer_number, country_code=tenant.country_code)
    call = Call(tenant, request.call.call_id, caller)

    def turn(seconds: float) -> Turn:
        deadline = Deadline.within(min(seconds, left), deps.clock)
        return Turn(
            call=call,
            appointments=deps.appointments.within(deadline),
            calendar=deps.calendar,
            slots=deps.slots.within(deadline),
            queue=deps.queue,
            alerts=deps.alerts,
            clock=deps.clock,
            ids=deps.ids,
            deadline=deadline,
        )

    try:
        match wire.function_name(request.name):
            case "check_availability":
                return speaker.reply(check_availability(wire.check_command(request.args), turn(READ_TURN_S)))
            case "book_appointment":
                return speaker.reply(book_appointment(wire.book_command(request.args), turn(WRITE_TURN_S)))
            case "list_services":
                return speaker.reply(list_services(call))
            case None:
                return speaker.unknown_function()
            case other:
                assert_never(other)
    except StoreUnavailable:
        return speaker.temporary()


bootstrap.prepare("appointments", "secrets", "calendar", "queue")
