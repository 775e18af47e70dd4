"""The rounds of the schedule over all tenants: who is reconciled first, and what an unfinished run means."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from bookend.application.alerts import job_failed
from bookend.application.background import Background, BackgroundOf
from bookend.application.budget import REQUESTS, Limits
from bookend.application.deadline import ONE_S, Deadline
from bookend.application.findings import Report
from bookend.application.ports import Alerts, Clock, DueWork, Progress, Run, RunKind, Runs, StoreUnavailable, Tenants
from bookend.application.reconciling import new_full, new_poll, reconcile

NIGHT_MISSED = timedelta(hours=26)
"""So long after the begin of the last full run the next one begins without its schedule: a day, and a change of clocks.

A salon that never had one begins at once.
"""
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
            begun = _runs_of(work, runs)
            for at, run in enumerate(begun):
                left = REQUESTS - sum(report.requests for _, report in reports)
                if deadline.remaining() < ONE_S or left <= 0:
                    return reports  # one key serves all tenants, and callers need it too
                others = len(waiting) - number - 1 + len(begun) - at - 1
                share = max(_LEAST_REQUESTS, left // (1 + others))
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
    return sorted(tenants, key=lambda each: runs.current(each, RunKind.POLL).watermark or _NEVER)


def _begin(tenant: str, work: Background | None, runs: Runs) -> None:
    """Write down that a full run is to be done, before anything can stop this round; one that is under way goes on."""
    before = runs.current(tenant, RunKind.FULL)
    if work is not None and before.run is None:
        runs.keep(tenant, _full_of(work, before), done=False, now=work.clock.now())


def _full_of(work: Background, before: Progress) -> Run:
    now = work.clock.now()
    return new_full(now, before, today=now.astimezone(work.tenant.zone).date())


def _runs_of(work: Background, runs: Runs) -> Sequence[Run]:
    """A poll, and the full run that is under way, or that the night has missed."""
    polled, full = (runs.current(work.tenant.id, kind) for kind in (RunKind.POLL, RunKind.FULL))
    now = work.clock.now()
    begun = [polled.run or new_poll(now, polled)]
    if full.run is not None:
        return [*begun, full.run]
    missed = full.watermark is None or now - full.watermark > NIGHT_MISSED
    return [*begun, _full_of(work, full)] if missed else begun
