"""The schedules: nobody waits. Each event names its task.

`sweep` tries a breaker that is due and settles what is overdue, every minute; `reconcile` looks at what changed at
Cal.com, every five minutes, and goes on with a full run that was cut off, or begins one that the night has missed;
`nightly` begins a full run; `remedy` gives every case that waits for one its remedy, every quarter of an hour.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from bookend import bootstrap
from bookend.application.alerts import job_failed
from bookend.application.circuit import probe_due, state_of
from bookend.application.deadline import Deadline
from bookend.application.health import every_status, pulse
from bookend.application.ports import StoreUnavailable
from bookend.application.remedying import remedy_every_tenant
from bookend.application.rounds import reconcile_every_tenant
from bookend.application.sweeping import sweep
from bookend.bootstrap import Dependencies
from bookend.observability import (
    HEALTH_STATUS,
    SWEPT,
    circuit_probed,
    count,
    felt,
    logger,
    metrics,
    reconciled,
    remedied,
)

SWEEP_S = 50.0
"""Seconds one round of the sweeper may take: the next one comes after a minute."""
LAST_S = 5.0
"""Seconds kept back at the end of an invocation, to write down how far it came."""
PULSE_S, STATUS_S = 4.0, 20.0
"""Seconds for the numbers that alarms watch: of their own, for they count most when everything else takes too long."""


class UnknownTask(Exception):
    """The schedule names a task that this function does not have."""


@logger.inject_lambda_context(clear_state=True, log_event=False)
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int] | list[dict[str, Any]]:
    """One run of one task; what came of it: of a sweep by kind, of a reconciliation for each run of it."""
    deps = bootstrap.dependencies()
    left = context.get_remaining_time_in_millis() / 1000 - LAST_S
    match event.get("task"):
        case "sweep":
            return _sweep(deps, Deadline.within(min(left, SWEEP_S), deps.clock))
        case "reconcile" | "nightly" as task:
            return _reconcile(deps, Deadline.within(left, deps.clock), nightly=task == "nightly")
        case "remedy":
            return _remedy(deps, Deadline.within(left, deps.clock))
        case other:
            raise UnknownTask(str(other)[:40])


def _probe(deps: Dependencies, deadline: Deadline) -> None:
    for each in probe_due(
        deps.circuit, lambda: deps.calcom, alerts=deps.alerts, clock=deps.clock, ids=deps.ids, deadline=deadline
    ):
        circuit_probed(each.kind.value, state_of(each.breaker), each.trouble)


def _sweep(deps: Dependencies, deadline: Deadline) -> dict[str, int]:
    _probe(deps, deadline)
    ends = sweep(
        due_work=deps.due_work,
        inbox=deps.inbox,
        outbox=deps.outbox,
        queue=deps.queue,
        background=lambda tenant, share: deps.background(tenant, share, by="sweeper"),
        alerts=deps.alerts,
        clock=deps.clock,
        deadline=deadline,
    )
    count(SWEPT)
    logger.info("swept", extra={"ends": dict(ends)})
    _feel_pulse(deps)
    return dict(ends)


def _feel_pulse(deps: Dependencies) -> None:
    """Whatever happens here, the sweep is done. Where the table is away, so is the sweep, and an alarm rings for it."""
    records = deps.health.within(Deadline.within(PULSE_S, deps.clock))
    try:
        felt(pulse(records=records, circuit=deps.circuit, clock=deps.clock).numbers())
    except StoreUnavailable:
        return
    except Exception as error:  # noqa: BLE001 - numbers are no reason to lose what was done
        deps.alerts.raise_(job_failed("pulse", "sweep", error))


def _tell_status(deps: Dependencies) -> None:
    """The same: a reconciliation is done whether or not anybody can say how it stands."""
    deadline = Deadline.within(STATUS_S, deps.clock)
    records, cases = deps.health.within(deadline), deps.cases.within(deadline)
    try:
        for status in every_status(
            tenants=deps.tenants,
            records=records,
            cases=cases,
            circuit=deps.circuit,
            clock=deps.clock,
            deadline=deadline,
        ):
            count(HEALTH_STATUS, status.value)
    except StoreUnavailable:
        return
    except Exception as error:  # noqa: BLE001 - as above
        deps.alerts.raise_(job_failed("status", "reconcile", error))


def _reconcile(deps: Dependencies, deadline: Deadline, *, nightly: bool) -> list[dict[str, Any]]:
    _tell_status(deps)
    reports = reconcile_every_tenant(
        tenants=deps.tenants,
        runs=deps.runs,
        due_work=deps.due_work,
        background=lambda tenant, share: deps.background(tenant, share, by="reconciliation"),
        alerts=deps.alerts,
        clock=deps.clock,
        deadline=deadline,
        nightly=nightly,
    )
    return [reconciled(tenant, report) for tenant, report in reports]


def _remedy(deps: Dependencies, deadline: Deadline) -> list[dict[str, Any]]:
    reports = remedy_every_tenant(
        tenants=deps.tenants,
        cases=deps.cases,
        background=lambda tenant, share: deps.background(tenant, share, by="remedy"),
        alerts=deps.alerts,
        deadline=deadline,
    )
    return [remedied(tenant, report) for tenant, report in reports]


bootstrap.prepare("appointments", "queue", "secrets", "calendar")
