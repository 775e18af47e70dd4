"""The schedules: nobody waits. Each event names its task; `sweep` settles what is overdue, every minute."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from bookend import bootstrap
from bookend.application.deadline import Deadline
from bookend.application.sweeping import sweep
from bookend.observability import SWEPT, count, logger, metrics


class UnknownTask(Exception):
    """The schedule names a task that this function does not have."""


@logger.inject_lambda_context(clear_state=True, log_event=False)
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """One run of one task; what came of it, by kind."""
    if event.get("task") != "sweep":
        raise UnknownTask(str(event.get("task"))[:40])
    deps = bootstrap.dependencies()
    ends = sweep(
        due_work=deps.due_work,
        inbox=deps.inbox,
        queue=deps.queue,
        background=deps.background,
        clock=deps.clock,
        deadline=Deadline.within(context.get_remaining_time_in_millis() / 1000 - 2, deps.clock),
    )
    count(SWEPT)
    logger.info("swept", extra={"ends": dict(ends)})
    return dict(ends)


bootstrap.prepare("appointments", "queue", "secrets", "calendar")
