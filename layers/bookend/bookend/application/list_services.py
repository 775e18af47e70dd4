"""What the salon offers."""

from __future__ import annotations

from bookend.application.outcomes import ServiceList
from bookend.application.turn import Call


def list_services(call: Call) -> ServiceList:
    """The services and stylists of the branch that was called."""
    return ServiceList(call.tenant.services, tuple(each.name for each in call.tenant.staff))
