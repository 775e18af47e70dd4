"""One turn of a phone call: who calls, what the use case may touch, and when it must be over."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import date

from bookend.application.deadline import Deadline
from bookend.application.patience import SETTLE_SOON
from bookend.application.ports import (
    Alerts,
    Appointments,
    Calendar,
    Changes,
    Clock,
    Ids,
    Job,
    Queue,
    QueueUnavailable,
    SlotCache,
)
from bookend.domain.appointment import Appointment
from bookend.domain.tenant import Tenant


@dataclass(frozen=True, slots=True)
class Call:
    """The phone call as its signed envelope tells it: never from a model's arguments.

    `caller` is the caller's number as E.164, or None when it is withheld.
    """

    tenant: Tenant
    id: str
    caller: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The call and the ports, as the steps of one turn hand them on."""

    call: Call
    appointments: Appointments
    changes: Changes
    calendar: Calendar
    slots: SlotCache
    queue: Queue
    alerts: Alerts
    clock: Clock
    ids: Ids
    deadline: Deadline

    @property
    def tenant(self) -> Tenant:
        """The tenant, as a caller of its branch sees it."""
        return self.call.tenant

    def today(self) -> date:
        """The salon's date."""
        return self.clock.now().astimezone(self.tenant.zone).date()

    def look_soon(self, appointment: Appointment) -> None:
        """Have somebody look after an operation that stays open."""
        with suppress(QueueUnavailable):  # then the sweeper finds it by its due time, a little later
            self.queue.send(Job("settle", self.tenant.id, appointment.id), delay=SETTLE_SOON)
