"""The task of every quarter of an hour: it remedies the cases of every tenant, and names nobody in what it logs."""

from __future__ import annotations

from datetime import timedelta

from bookend.adapters.dynamodb.cases import DynamoCases
from bookend.domain.cases import Case, CaseOrigin, CaseState, SyncFailure
from bookend.domain.contacts import Customer
from tests.support.http import Doors, LambdaContext, door
from tests.support.seeded import SeededWorld


def test_the_task_remedies_what_waits_and_names_nobody() -> None:
    world = SeededWorld.grown(1, days=1)
    cases, now = DynamoCases(world.salon.table), world.clock.now()
    over = Case(
        id="import-664",
        state=CaseState.OPEN,
        failure=SyncFailure.OTHER,
        origin=CaseOrigin.IMPORT,
        facts={
            "service": "herrenhaarschnitt",
            "staff": "fabian",
            "start": (now - timedelta(days=1)).isoformat(),
        },
        opened_at=now,
        changed_at=now,
        customer=Customer("c1", "Kanari Vogel", "kanari@web.example", "+491709000001"),
        answers=("HTTP 400 Kanari Vogel",),
        by="import",
    )
    assert cases.open(world.tenant.id, over, now=now)
    with Doors(world.salon) as doors:
        with doors.heard.capturing():
            came_to = door("reconciliation").lambda_handler({"task": "remedy"}, LambdaContext(240_000))
        said = [each for each in doors.heard.lines if each.get("message") == "remedied"]
        text = doors.heard.text
    assert [(each["tenant"], each["changed"]) for each in came_to] == [("friseur1", 1)]
    assert said[0]["treated"] == [
        {"case": "import-664", "class": "OTHER", "remedy": "historical", "came_to": "historical"}
    ]
    assert "Kanari" not in text
    assert "kanari@web.example" not in text
    assert not cases.unclosed(world.tenant.id)
