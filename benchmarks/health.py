"""What the health of a salon costs, by size: `python -m benchmarks.health [--large]`.

The table is in memory; what is counted are its requests. Exit status 1 if a larger salon asks for more of them than a
small one, or if anything is scanned.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from bookend.adapters.dynamodb import items, keys
from bookend.adapters.dynamodb.cases import DynamoCases
from bookend.adapters.dynamodb.circuit import CircuitCopy, DynamoCircuit
from bookend.adapters.dynamodb.health import DynamoHealth
from bookend.adapters.dynamodb.items import to_wire
from bookend.adapters.dynamodb.runs import DynamoRuns
from bookend.adapters.dynamodb.tenants import DynamoTenants
from bookend.adapters.tenants.document import read_tenant
from bookend.application.health import SyncHealth, sync_health
from bookend.application.ports import Alert, Run, RunKind
from bookend.domain.appointment import AppointmentState, Told
from bookend.domain.cases import Case, CaseOrigin, CaseState, SyncFailure
from tests.support.salon import EXAMPLE, CountedIds
from tests.support.seeded import CUTS, SeededWorld

QUICK = (100, 2_000)
LARGE = (100, 100_000)
OPEN = 12
"""Operations that are open at the same moment, in a salon of any size: there is one telephone."""
POLLS = 288
"""Of a day."""
CASES = 23
"""As many as waited on the day of incident I5."""


@dataclass(frozen=True)
class Cost:
    """Of one look at a salon's health."""

    size: int
    requests: Counter[str]
    seconds: float
    found: SyncHealth


def main(arguments: list[str]) -> int:
    """Measure, print, judge."""
    costs = [measured(size) for size in (LARGE if "--large" in arguments else QUICK)]
    for each in costs:
        kinds = ", ".join(f"{number} {name}" for name, number in each.requests.items())
        print(
            f"health of a salon with {each.size:,} appointments: {each.requests.total()} requests ({kinds}), "
            f"{each.seconds * 1000:.0f} ms, {each.found.status.name}"
        )
    problems = [f"{each.size}: {each.requests['scan']} scans" for each in costs if each.requests["scan"]]
    problems += [
        f"{each.size}: {each.requests.total()} requests" for each in costs if each.requests != costs[0].requests
    ]
    for problem in problems:
        print(f"OVER BUDGET  {problem}")
    return 1 if problems else 0


def measured(size: int) -> Cost:
    """The health of a salon that has had a busy day, read once."""
    world = SeededWorld()
    fill(world, size)
    table, clock = world.salon.table, world.clock
    tenants = DynamoTenants(table, parse=read_tenant, clock=clock)
    document = EXAMPLE.read_text(encoding="utf-8")
    tenants.store(read_tenant(document), document)
    circuit = DynamoCircuit(table, CircuitCopy("https://cal.example", clock=clock), ids=CountedIds())
    world.client.requests.clear()
    began = time.perf_counter()
    (found,) = sync_health(
        [world.tenant.id],
        tenants=tenants,
        records=DynamoHealth(table),
        cases=DynamoCases(table),
        circuit=circuit,
        clock=clock,
    )
    return Cost(size, Counter(world.client.requests), time.perf_counter() - began, found)


def fill(world: SeededWorld, size: int) -> None:
    """Settled appointments of years, a few that are open, and a day of counters, reports, alerts and events."""
    now, tenant = world.clock.now(), world.tenant.id
    for number in range(size):
        start = now - timedelta(hours=number % 40_000) + timedelta(days=60)
        state = AppointmentState.PENDING if number < OPEN else AppointmentState.CONFIRMED
        made = world.appointment(
            f"b{number:06d}",
            tuple(CUTS)[number % len(CUTS)],
            start,
            uid=f"u{number}",
            booking_id=number,
            state=state,
            told=Told.PENDING if number < OPEN else Told.BOOKED,
            lease=now + timedelta(seconds=number) if number < OPEN else None,
            created_at=now - timedelta(seconds=number),
        )
        world.put(items.appointment_to_item(tenant, made))
    for hour in range(24):
        world.put(keys.health(tenant, now - timedelta(hours=hour)) | to_wire({"confirmed": 4, "started": 5, "ttl": 1}))
        at = now - timedelta(hours=hour)
        world.put(items.alert_to_item(tenant, Alert("OutcomeUnknown", {}), op=f"op{hour}", now=at))
    cases = DynamoCases(world.salon.table)
    for number in range(CASES):
        failed = Case(
            id=f"import-{number}",
            state=CaseState.REVIEW,
            failure=SyncFailure.OTHER,
            origin=CaseOrigin.IMPORT,
            facts={"start": "2025-12-10T13:00:00Z"},
            opened_at=now,
            changed_at=now,
            answers=('{"status":"error"}',),
        )
        assert cases.open(tenant, failed, now=now)
    runs = DynamoRuns(world.salon.table)
    for number in range(POLLS):
        started = now - timedelta(minutes=5 * (POLLS - number))
        version = runs.current(tenant, RunKind.POLL).version
        runs.keep(tenant, Run(kind=RunKind.POLL, started=started, version=version), done=True, now=started)
    runs.keep(tenant, Run(kind=RunKind.FULL, started=now - timedelta(hours=5)), done=True, now=now)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
