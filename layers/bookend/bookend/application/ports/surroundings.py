"""Time, names, tenants, and who is told: what every use case may need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from bookend.domain.tenant import Tenant

if TYPE_CHECKING:
    from bookend.application.deadline import Deadline


class StoreUnavailable(Exception):
    """The store did not answer in time or not at all; whether a write happened is not known."""


class TenantUnusable(StoreUnavailable):
    """What is stored of a tenant cannot be read as one: to those who ask for it, the store might as well be away."""


class KeyUnavailable(Exception):
    """A key of ours was not to be had, or is none: nothing was asked, and nothing admitted, with it."""


class Clock(Protocol):
    """Time, so that tests and the sandbox can set it."""

    def now(self) -> datetime:
        """The instant, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump, for deadlines."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        ...


class Ids(Protocol):
    """New names."""

    def new(self) -> str:
        """A name nobody else has."""
        ...


@dataclass(frozen=True, slots=True)
class Alert:
    """Something an operator must see. `facts` are ids and states, never people."""

    kind: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Audit:
    """One repair, for those who ask later. What was, what is, by whom: ids, states and instants, never people."""

    drift: str
    repair: str
    booking: str
    appointment: str
    before: Mapping[str, str]
    after: Mapping[str, str]
    by: str


class Alerts(Protocol):
    """Where the operator is told at once; the record of it is written with the state it belongs to."""

    def raise_(self, alert: Alert) -> None:
        """Log it and count it."""
        ...


class Tenants(Protocol):
    """Whose call it is."""

    def of_call(self, *, agent: str | None, number: str | None, deadline: Deadline | None = None) -> Tenant | None:
        """The tenant (narrowed to a branch where agent or dialled number belong to one), or None: not ours."""
        ...

    def of_id(self, tenant: str) -> Tenant | None:
        """The whole tenant, for work that no caller waits for."""
        ...

    def every(self) -> Sequence[str]:
        """The id of every tenant."""
        ...
