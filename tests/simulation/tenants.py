"""Two tenants in one table: nothing of one may ever be the other's, and neither waits for the other's work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from bookend.application.budget import REQUESTS
from bookend.application.deadline import ONE_S, Deadline
from bookend.application.ports import Job
from bookend.domain.tenant import Tenant
from tests.simulation.baton import Baton
from tests.simulation.store import SimulatedTable, keys_of
from tests.simulation.watch import Breach, Watch

if TYPE_CHECKING:
    from tests.simulation.people import Caller
    from tests.simulation.salon import SimulatedSalon

SECOND = "two-"
"""What the names of everybody begin with who belongs to the second tenant."""
_PEOPLE = ("call-", "guest-", "salon-")


def beside(first: Tenant) -> Tenant:
    """Another salon with an account of its own at Cal.com: by chance all its numbers are the same there."""
    return replace(
        first, id="friseur2", name="Friseur 2", placeholder_domain="kunden.friseur2.example", agents=("agent_friseur2",)
    )


@dataclass
class Shop:
    """One tenant of a run, with all that is its own."""

    tenant: Tenant
    baton: Baton
    watch: Watch
    salon: SimulatedSalon
    callers: list[Caller] = field(default_factory=list)


@dataclass(frozen=True)
class Tenancy:
    """The `Tenants` port, as far as a round asks."""

    salons: Sequence[SimulatedSalon]

    def every(self) -> tuple[str, ...]:
        return tuple(each.tenant.id for each in self.salons)

    def of_id(self, tenant: str) -> Tenant | None:
        return next((each.tenant for each in self.salons if each.tenant.id == tenant), None)

    def of_call(self, *, agent: str | None, number: str | None, deadline: Deadline | None = None) -> Tenant | None:
        return self.salons[0].tenant


def committed(shops: Sequence[Shop], parameters: Mapping[str, Any], baton: Baton) -> None:
    """M1, at each write: it is of one tenant, and of the one that whoever writes belongs to."""
    named = {key["pk"]["S"].split("#")[1] for key in keys_of(parameters) if key["pk"]["S"].startswith("T#")}
    who = baton.actor.name if baton.actor is not None else ""
    if len(named) > 1:
        baton.fail(Breach(f"M1 {who} writes of {sorted(named)} at once"))
    home = shops[-1] if who.startswith(SECOND) else shops[0] if who.startswith(_PEOPLE) else None
    if home is not None and named - {home.tenant.id}:
        baton.fail(Breach(f"M1 {who} writes of {sorted(named)}"))
    for shop in shops:
        if shop.tenant.id in named or not named:
            shop.watch.committed(parameters)


def mixed(shops: Sequence[Shop], table: SimulatedTable) -> Iterator[str]:
    """M1, in the end: every booking, text and alert is about what is in its own tenant's rows."""
    for shop in shops:
        others = {name for other in shops if other is not shop for name in other.watch.history}
        others |= {uid for other in shops if other is not shop for uid in other.salon.calendar.bookings}
        for uid, booking in shop.salon.calendar.bookings.items():
            if booking.metadata.get("appointment") in others:
                yield f"M1 {uid} at the Cal.com of {shop.tenant.id} is for an appointment of another"
        for raised in shop.salon.alerts.raised:
            if {*raised.facts.values()} & others:
                yield f"M1 an alert {raised.kind} of {shop.tenant.id} is about another's"
        rows = table.rows(f"T#{shop.tenant.id}#OUT#")
        messages = {row["pk"]["S"].rpartition("#")[2] for row in rows}
        yield from (f"M1 {op} was sent by {shop.tenant.id}" for _, op, _ in shop.salon.texts if op not in messages)
        for row in table.rows(f"T#{shop.tenant.id}#"):
            about = {each["S"] for each in row.values() if "S" in each} | {row["pk"]["S"].rpartition("#")[2]}
            if about & others:
                yield f"M1 {row['pk']['S']} names what is another's"


class Round:
    """One round over all tenants, and whether each had its part of it."""

    def __init__(self, salon: SimulatedSalon) -> None:
        self.salon, self.baton = salon, salon.baton
        self.asked: list[str] = []
        """Whose work was begun, in that order."""

    def begun(self, tenant: str) -> SimulatedSalon:
        self.asked.append(tenant)
        return self.salon.of(tenant)

    def kept(self, rows: Any) -> Any:
        """The inbox or the outbox, as the sweeper looks at what waits there."""
        return _Looked(rows, self)

    def swept(self, due: Sequence[Job]) -> None:
        """M2: of two tenants with work in a round none is behind by more than one piece, until one has no more."""
        due_of = {tenant: [each for each in due if each.tenant == tenant] for tenant in {each.tenant for each in due}}
        if len(due_of) < 2:
            return
        self.salon.watch.saw["both tenants had open work in one round"] += 1
        least = min(len(jobs) for jobs in due_of.values())
        done = dict.fromkeys(due_of, 0)
        for tenant in self.asked:
            done[tenant] += 1
            if max(done.values()) - min(done.values()) > 1 and min(done.values()) < least:
                self.baton.fail(Breach(f"M2 of what was due {done} were looked at, in this order: {self.asked}"))

    def reconciled(self, requests: Mapping[str, int], deadline: Deadline) -> None:
        """M2: with time and requests left over at its end, a round has come to every tenant."""
        left = REQUESTS - sum(requests.values())
        missed = {each.tenant.id for each in self.salon.house} - {*self.asked}
        if missed and left > 0 and deadline.remaining() >= ONE_S:
            self.baton.fail(Breach(f"M2 a round did not come to {sorted(missed)}; others asked {dict(requests)}"))
        if len(requests) > 1 and all(requests.values()):
            self.salon.watch.saw["both tenants were reconciled in one round"] += 1


class _Looked:
    """Rows of which it is noted whose were looked at."""

    def __init__(self, rows: Any, its: Round) -> None:
        self._rows, self._its = rows, its

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)

    def requeued(self, tenant: str, name: str) -> Any:
        self._its.begun(tenant)
        return self._rows.requeued(tenant, name)
