"""POST /retell/functions: the caller is waiting. Verify, parse, one use case, reply.

The turn's time begins with the first line. Until it is known what is asked, the shorter promise holds; whatever is
away, the caller gets a sentence with HTTP 200: of anything else the agent gets to read "Axios Error" (contracts: retell
1.6) and falls silent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ValidationError

from bookend import bootstrap
from bookend.adapters import web
from bookend.adapters.bounded import BoundedCalendar, BoundedQueue
from bookend.adapters.retell import replies, wire
from bookend.adapters.retell.callback_replies import CallbackSpeaker
from bookend.adapters.retell.change_replies import ChangeSpeaker
from bookend.adapters.retell.door import admitted
from bookend.application.book_appointment import book_appointment
from bookend.application.change_appointment import change_appointment
from bookend.application.check_availability import check_availability
from bookend.application.deadline import READ_TURN_S, WRITE_TURN_S, Deadline
from bookend.application.find_appointments import find_appointments
from bookend.application.list_services import list_services
from bookend.application.ports import KeyUnavailable, StoreUnavailable
from bookend.application.request_callback import CallbackNoted, RequestCallback, request_callback
from bookend.application.turn import Call, Turn
from bookend.domain.appointment import ChangeKind
from bookend.domain.contacts import normalise_phone
from bookend.observability import CALLBACK_REQUESTED, answered, count, logger, metrics, without_words

if TYPE_CHECKING:
    from bookend.bootstrap import Dependencies


_RESERVE_S = 0.5
"""Seconds of the function's own time that are kept back for the answer."""
_REPLY_S = 0.05
"""Seconds of the turn that are kept back for the same."""


@logger.inject_lambda_context(clear_state=True, log_event=False)
@metrics.log_metrics
@without_words()
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """One function call of the agent."""
    deps = bootstrap.dependencies()
    began = deps.clock.monotonic()
    lasts = Deadline.within(context.get_remaining_time_in_millis() / 1000 - _RESERVE_S, deps.clock)
    read, write = (lasts.share(seconds - _REPLY_S) for seconds in (READ_TURN_S, WRITE_TURN_S))
    try:
        body = admitted(event, deps, deadline=read)
    except KeyUnavailable:
        # Nobody can say who asks. The sentence holds nothing that not everybody may hear, and nothing is done.
        return _answer(replies.no_tenant_known(), None, began, deps)
    if isinstance(body, dict):
        return body
    try:
        request = wire.FunctionCall.model_validate_json(body)
    except ValidationError:
        return web.answer(400, wire.NOT_AN_ENVELOPE)
    logger.append_keys(call_id=request.call.call_id, function=request.name)
    function = wire.function_name(request.name)
    deadline = write if function in wire.WRITES else read
    return _answer(_reply(request, function, deps, deadline), function, began, deps)


def _answer(
    reply: replies.Reply, function: wire.FunctionName | None, began: float, deps: Dependencies
) -> dict[str, Any]:
    milliseconds = round((deps.clock.monotonic() - began) * 1000)
    answered(function or "unknown", reply["status"], milliseconds)
    return web.answer(200, reply)


def _reply(  # noqa: C901 - one row a function
    request: wire.FunctionCall, function: wire.FunctionName | None, deps: Dependencies, deadline: Deadline
) -> replies.Reply:
    try:
        tenant = deps.tenants.of_call(agent=request.call.agent_id, number=request.call.our_number, deadline=deadline)
    except StoreUnavailable:
        return replies.no_tenant_known()
    if tenant is None:
        return replies.unknown_tenant()
    speaker = ChangeSpeaker(tenant)
    caller = normalise_phone(request.call.customer_number, country_code=tenant.country_code)
    call = Call(tenant, request.call.call_id, caller)

    def turn() -> Turn:
        return Turn(
            call=call,
            appointments=deps.appointments.within(deadline),
            changes=deps.changes.within(deadline),
            calendar=BoundedCalendar(deps.calendar, deps.calendar_bounds),
            slots=deps.slots.within(deadline),
            queue=BoundedQueue(deps.queue, deadline, deps.bounds),
            alerts=deps.alerts,
            clock=deps.clock,
            ids=deps.ids,
            deadline=deadline,
        )

    try:
        match function:
            case "check_availability":
                return speaker.reply(check_availability(wire.check_command(request.args), turn()))
            case "book_appointment":
                return speaker.reply(book_appointment(wire.book_command(request.args), turn()))
            case "find_appointments":
                return speaker.found(find_appointments(turn()))
            case "reschedule_appointment":
                command = wire.change_command(ChangeKind.MOVE, request.args)
                return speaker.changed(ChangeKind.MOVE, change_appointment(command, turn()))
            case "cancel_appointment":
                command = wire.change_command(ChangeKind.CANCEL, request.args)
                return speaker.changed(ChangeKind.CANCEL, change_appointment(command, turn()))
            case "list_services":
                return speaker.reply(list_services(call))
            case "request_callback":
                return _called_for(wire.callback_command(request.args), call, deps, deadline)
            case None:
                return speaker.unknown_function()
            case other:
                assert_never(other)
    except StoreUnavailable:
        return speaker.temporary()


def _called_for(command: RequestCallback, call: Call, deps: Dependencies, deadline: Deadline) -> replies.Reply:
    outcome = request_callback(command, call, callbacks=deps.callbacks.within(deadline), clock=deps.clock)
    if isinstance(outcome, CallbackNoted) and outcome.new:
        count(CALLBACK_REQUESTED)
    return CallbackSpeaker(call.tenant).called_for(outcome)


bootstrap.prepare("appointments", "secrets", "calendar", "queue")
