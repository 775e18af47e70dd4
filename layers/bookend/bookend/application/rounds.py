"""The rounds of the schedule over all tenants: who is reconciled first, and what an unfinished run means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from bookend.application.deadline import Deadline
from bookend.application.ports import Clock, DueWork, Run, RunKind, Runs, StoreUnavailable, Tenants
from bookend.application.reconciling import ONE_S, Report, new_full, new_poll, reconcile
from bookend.application.settling import Background

_MOST_OVERDUE = 100
_NEVER = datetime.min.replace(tzinfo=UTC)

BackgroundOf = Callable[[str, Deadline], Background | None]
"""The tenant's ports for a piece of work; None: there is no such tenant."""


def reconcile_every_tenant(
    *,
    tenants: Tenants,
    runs: Runs,
    due_work: DueWork,
    background: BackgroundOf,
    clock: Clock,
    deadline: Deadline,
    nightly: bool = False,
) -> Sequence[tuple[str, Report]]:
    """One round. Each tenant is polled, and a full run that is not finished goes on; `nightly` begins one.

    Who was seen least lately comes first, so that a round that is cut off keeps nobody waiting for ever.
    """
    reports: list[tuple[str, Report]] = []
    overdue = [job for job in due_work.due(now=clock.now(), most=_MOST_OVERDUE) if job.kind == "settle"]
    for tenant in _least_lately_first(tenants.every(), runs):
        try:
            work = background(tenant, deadline)
            if work is None:
                continue
            for run in _runs_of(work, runs, nightly=nightly):
                if deadline.remaining() < ONE_S:
                    return reports
                open_ones = [job.name for job in overdue if job.tenant == tenant] if run.kind is RunKind.POLL else []
                reports.append((tenant, reconcile(work, run, runs=runs, overdue=open_ones)))
        except StoreUnavailable:
            continue  # the next round is five minutes away, and the others need not wait for this one
    return reports


def _least_lately_first(tenants: Sequence[str], runs: Runs) -> list[str]:
    return sorted(tenants, key=lambda each: runs.current(each, RunKind.POLL)[1] or _NEVER)


def _runs_of(work: Background, runs: Runs, *, nightly: bool) -> Sequence[Run]:
    now = work.clock.now()
    poll, watermark, version = runs.current(work.tenant.id, RunKind.POLL)
    full, _, full_version = runs.current(work.tenant.id, RunKind.FULL)
    if full is None and nightly:
        full = new_full(now, full_version, today=now.astimezone(work.tenant.zone).date())
    begun = [poll or new_poll(now, watermark, version)]
    return [*begun, full] if full is not None else begun
