"""The minute's round: whatever is overdue is settled, one by one, for as long as the round may last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from bookend.application.deadline import Deadline
from bookend.application.ports import (
    Adoptions,
    Alerts,
    Appointments,
    Calendar,
    Clock,
    Due,
    DueWork,
    StoreUnavailable,
    Tenants,
)
from bookend.application.settling import Background, settle

ONE_S = 8.0
"""Seconds one appointment may take; what takes longer is looked at again in the next round."""
MOST = 100
_UNREACHABLE = "store_unavailable"
_NO_TENANT = "no_such_tenant"


def sweep(
    *,
    due_work: DueWork,
    tenants: Tenants,
    appointments: Appointments,
    adoptions: Adoptions,
    calendar: Calendar,
    alerts: Alerts,
    clock: Clock,
    deadline: Deadline,
) -> Mapping[str, int]:
    """Settle what is overdue; how many came to which end. Safe to run twice at once, and to be cut off anywhere."""
    ends: Counter[str] = Counter()
    for due in due_work.due(now=clock.now(), most=MOST):
        if deadline.remaining() < ONE_S:
            ends["left_for_next_round"] += 1
            continue
        ends[_settle_one(due, tenants, appointments, adoptions, calendar, alerts, clock, deadline.share(ONE_S))] += 1
    return ends


def _settle_one(  # noqa: PLR0917 - the ports, as they came
    due: Due,
    tenants: Tenants,
    appointments: Appointments,
    adoptions: Adoptions,
    calendar: Calendar,
    alerts: Alerts,
    clock: Clock,
    deadline: Deadline,
) -> str:
    """One that cannot be reached does not keep the others waiting."""
    try:
        tenant = tenants.of_id(due.tenant)
        if tenant is None:
            return _NO_TENANT
        work = Background(
            tenant=tenant,
            appointments=appointments.within(deadline),
            adoptions=adoptions.within(deadline),
            calendar=calendar,
            alerts=alerts,
            clock=clock,
            deadline=deadline,
        )
        return settle(work, due.appointment).value
    except StoreUnavailable:
        return _UNREACHABLE
