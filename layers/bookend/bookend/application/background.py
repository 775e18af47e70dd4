"""What work that no caller waits for is done with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bookend.application.deadline import Deadline
from bookend.application.ports import Adoptions, Alerts, Appointments, Calendar, Changes, Clock
from bookend.application.ports.imports import Duplicates
from bookend.domain.tenant import Tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """A tenant and the ports, for work that no caller waits for."""

    tenant: Tenant
    appointments: Appointments
    adoptions: Adoptions
    changes: Changes
    calendar: Calendar
    alerts: Alerts
    clock: Clock
    deadline: Deadline
    duplicates: Duplicates | None = None
    """Ends what stands for another's booking; None: this work never does."""
    by: str = "worker"
    """Who does it, for the audit entries."""


BackgroundOf = Callable[[str, Deadline], Background | None]
"""The tenant's ports for a piece of work; None: there is no such tenant."""
