"""The rounds of the schedule over all tenants: who is reconciled first, and what an unfinished run means."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from bookend.application.alerts import job_failed
from bookend.application.background import Background, BackgroundOf
from bookend.application.deadline import Deadline
from bookend.application.ports import Alerts, Clock, DueWork, Run, RunKind, Runs, StoreUnavailable, Tenants
from bookend.application.reconciling import ONE_S, REQUESTS, Limits, Report, new_full, new_poll, reconcile

_MOST_OVERDUE = 500
_LEAST_REQUESTS = 6
"""Requests a tenant has in any round; what one leaves over is the others'. One with much to do starves nobody."""
_NEVER = datetime.min.replace(tzinfo=UTC)


def reconcile_every_tenant(
    *,
    tenants: Tenants,
    runs: Runs,
    due_work: DueWork,
    background: BackgroundOf,
    alerts: Alerts,
    clock: Clock,
    deadline: Deadline,
    nightly: bool = False,
) -> Sequence[tuple[str, Report]]:
    """One round. Each tenant is polled, and a full run that is not finished goes on; `nightly` begins one.

    Who was seen least lately comes first, so that a round that is cut off keeps nobody waiting for ever.
    """
    reports: list[tuple[str, Report]] = []
    if nightly:
        for tenant in tenants.every():
            _begin(tenant, background(tenant, deadline), runs)
    overdue = [job for job in due_work.due(now=clock.now(), most=_MOST_OVERDUE) if job.kind == "settle"]
    waiting = _least_lately_first(tenants.every(), runs)
    for number, tenant in enumerate(waiting):
        try:
            work = background(tenant, deadline)
            if work is None:
                continue
            for run in _runs_of(work, runs):
                left = REQUESTS - sum(report.requests for _, report in reports)
                if deadline.remaining() < ONE_S or left <= 0:
                    return reports  # one key serves all tenants, and callers need it too
                share = max(_LEAST_REQUESTS, left // (len(waiting) - number))
                open_ones = [job.name for job in overdue if job.tenant == tenant] if run.kind is RunKind.POLL else []
                reports.append(
                    (tenant, reconcile(work, run, runs=runs, overdue=open_ones, limits=Limits(requests=share)))
                )
        except StoreUnavailable:
            continue  # the next round is five minutes away, and the others need not wait for this one
        except Exception as error:  # noqa: BLE001 - nor for one that breaks in a way nobody thought of
            alerts.raise_(job_failed("reconcile", tenant, error))
    return reports


def _least_lately_first(tenants: Sequence[str], runs: Runs) -> list[str]:
    return sorted(tenants, key=lambda each: runs.current(each, RunKind.POLL)[1] or _NEVER)


def _begin(tenant: str, work: Background | None, runs: Runs) -> None:
    """Write down that a full run is to be done, before anything can stop this round; one that is under way goes on."""
    full, _, version = runs.current(tenant, RunKind.FULL)
    if work is not None and full is None:
        now = work.clock.now()
        runs.keep(tenant, new_full(now, version, today=now.astimezone(work.tenant.zone).date()), done=False, now=now)


def _runs_of(work: Background, runs: Runs) -> Sequence[Run]:
    poll, watermark, version = runs.current(work.tenant.id, RunKind.POLL)
    full, _, _ = runs.current(work.tenant.id, RunKind.FULL)
    begun = [poll or new_poll(work.clock.now(), watermark, version)]
    return [*begun, full] if full is not None else begun
