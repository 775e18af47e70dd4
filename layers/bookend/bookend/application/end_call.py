"""The phone call is over: what was held for it goes back on sale."""

from __future__ import annotations

from bookend.application.ports import Appointments, Clock


def end_call(tenant: str, call: str, *, appointments: Appointments, clock: Clock) -> int:
    """Free the call's holds; how many there were. Bookings in flight or made are not touched. May be repeated."""
    return appointments.end_call(tenant, call, now=clock.now())
