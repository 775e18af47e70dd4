"""The health of a salon for people, for programs and for alarms: one page, a few requests, and gauges once a round."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from benchmarks import health as benchmark
from bookend import bootstrap, cli, cli_shell, observability
from bookend.adapters.dynamodb import items, keys
from bookend.adapters.dynamodb.cases import DynamoCases
from bookend.adapters.dynamodb.items import to_wire
from bookend.application import alerts
from bookend.application.health import Pulse
from bookend.application.ports import Alert, Run, RunKind
from bookend.domain.cases import Case, CaseOrigin, CaseState, SyncFailure
from bookend.domain.circuit import Breaker, CircuitKind, CircuitState
from tests.support.http import Doors, LambdaContext, door
from tests.support.seeded import CANARIES, SeededWorld
from tests.support.tables.faults import Fault

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
GAUGES = {"OpenOperations", "OldestOpenSeconds", "OldestTextSeconds", "OldestEventSeconds", "LeftAloneSeconds"}


@pytest.fixture
def world() -> SeededWorld:
    """A salon that has been compared a moment ago."""
    found = SeededWorld.grown(30, days=10)
    now = found.clock.now()
    for kind in RunKind:
        assert found.runs.keep(found.tenant.id, Run(kind=kind, started=now), done=True, now=now)
    return found


@pytest.fixture
def doors(world: SeededWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[Doors]:
    """The command's table is the salon's, whatever it makes of its options."""
    with Doors(world.salon) as opened:
        monkeypatch.setattr(bootstrap, "Dependencies", lambda *_, **__: opened.deps)
        yield opened


def asked(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    """What the command says, and its exit status."""
    capsys.readouterr()
    status = cli.main(["health", "--table", "appointments", *options])
    return status, capsys.readouterr().out


def case(world: SeededWorld, name: str, **said: Any) -> None:
    now = world.clock.now()
    made = Case(
        id=name,
        state=CaseState.REVIEW,
        failure=SyncFailure.HOST_UNAVAILABLE,
        origin=CaseOrigin.IMPORT,
        facts={"start": "2025-12-10T13:00:00Z"},
        opened_at=now - 3 * HOUR,
        changed_at=now,
    )
    assert DynamoCases(world.salon.table).open(world.tenant.id, replace(made, **said), now=now)


def count_hour(world: SeededWorld, **counts: int) -> None:
    world.put(keys.health(world.tenant.id, world.clock.now()) | to_wire({**counts, "ttl": 1}))


# The command


def test_a_salon_in_order_is_healthy_on_one_screen(doors: Doors, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = asked(capsys, "friseur1")
    lines = said.splitlines()
    assert status == 0
    assert lines[0] == "HEALTHY  friseur1, Sat 25.10.2025 20:18 CEST"
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 120


def test_a_bad_morning_says_the_worst_first_and_why(
    doors: Doors, world: SeededWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """The numbers of incident I5: two of three done, ten open for a person."""
    count_hour(world, started=34, confirmed=20, released=14, refused=4, failed_OTHER=7, failed_COMPOSITE_FAILURE=3)
    case(world, "drift-1", opened_at=world.clock.now() - 30 * HOUR)
    case(world, "import-15", failure=SyncFailure.PAST_APPOINTMENT)
    world.open_one()
    status, said = asked(capsys, "friseur1")
    lines = said.splitlines()
    assert status == 2
    assert lines[:4] == [
        "CRITICAL  friseur1, Sat 25.10.2025 20:18 CEST",
        "  !! only 66.7% of the operations of 24 h were done",
        "   ! 1 operations open, the oldest for 6 min",
        "   ! 1 failed, 1 of them wait for a person",
    ]
    assert "24 h: success 66.67%: 20 done, 10 failed, 4 clearly refused" in lines
    assert "  failed by class: OTHER 7, COMPOSITE_FAILURE 3" in lines
    assert "  cases by class: HOST_UNAVAILABLE 1, PAST_APPOINTMENT 1" in lines
    (review,) = [line for line in lines if line.startswith("failed, a person decides")]
    assert review.split()[4:] == ["1", "1", "d", "6", "h", ".", ".", ".", "1", "."]
    (opened,) = [line for line in lines if line.startswith("operations open")]
    assert opened.split()[2:] == ["1", "6", "min", ".", "1", ".", ".", "."]
    assert [each for each in CANARIES if each in said] == []


def test_past_cases_are_listed_only_if_asked_for_and_count_for_nothing(
    doors: Doors, world: SeededWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(5):
        case(world, f"import-{number}", failure=SyncFailure.PAST_APPOINTMENT)
    status, said = asked(capsys, "friseur1")
    assert status == 0
    assert "import-3" not in said
    assert "(5 of appointments that have begun are not listed: --past)" in said
    assert "PAST_APPOINTMENT 5" in said
    status, said = asked(capsys, "friseur1", "--past")
    assert status == 0
    assert "PAST_APPOINTMENT REVIEW import-3" in said
    assert "--past" not in said


def test_of_more_cases_than_fit_it_says_how_many_there_are_and_where(
    doors: Doors, world: SeededWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(7):
        case(world, f"import-{number}", failure=SyncFailure.OTHER)
    _, said = asked(capsys, "friseur1")
    assert said.count("OTHER REVIEW import-") == 5
    assert "  … 2 more: review list friseur1 --all\n" in said
    case(world, "import-7", failure=SyncFailure.OTHER)
    assert "… 3 more: " in asked(capsys, "friseur1")[1]


def test_the_same_for_machines(doors: Doors, world: SeededWorld, capsys: pytest.CaptureFixture[str]) -> None:
    count_hour(world, confirmed=3, failed_TEMPORARY=1)
    case(world, "drift-1")
    waiting = world.open_one()
    kind = alerts.DRIFT_FOUND
    world.put(items.alert_to_item(world.tenant.id, Alert(kind, {}), op="op", now=world.clock.now()))
    status, text = asked(capsys, "friseur1", "--json")
    (said,) = json.loads(text)
    assert status == 1
    assert (said["tenant"], said["at"], said["status"]) == ("friseur1", "2025-10-25T18:18:32Z", "DEGRADED")
    assert {each["level"] for each in said["reasons"]} == {"DEGRADED"}
    assert said["success_rate_24h"] == 0.75
    assert said["failed_by_class_24h"] == {"TEMPORARY": 1}
    assert said["operations"] == {
        "number": 1,
        "oldest_s": 360,
        "by_age": {"< 5 min": 0, "< 1 h": 1, "< 1 d": 0, "< 7 d": 0, "older": 0},
    }
    assert said["told_open"]["number"] == 1
    assert said["cases"]["review"] == [
        {"id": "drift-1", "failure": "HOST_UNAVAILABLE", "age_s": 10_800, "tries": 0, "appointment": ""}
    ]
    assert said["alerts_24h"] == [{"kind": kind, "at": "2025-10-25T18:18:32Z"}]
    assert {name: each["state"] for name, each in said["breakers"].items()} == {"reads": "closed", "writes": "closed"}
    assert [(each["kind"], each["seen_until"]) for each in said["reconciliations"]] == [
        ("poll", "2025-10-25T18:18:32Z"),
        ("full", "2025-10-25T18:18:32Z"),
    ]
    assert waiting.customer.email not in text


def test_all_tenants_have_a_page_each_and_the_worst_decides(
    doors: Doors, world: SeededWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    world.put(keys.every_tenant() | {"ids": {"SS": ["friseur1", "broken"]}})
    world.put(keys.tenant_config("broken") | to_wire({"document": "{}"}))
    status, said = asked(capsys, "--all")
    assert status == 2
    assert "HEALTHY  friseur1" in said
    assert "CRITICAL  broken, Sat 25.10.2025 18:18 UTC\n  !! the salon's document cannot be used" in said


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["nobody"], "there is no tenant nobody"),
        ([], "name one tenant, or --all"),
        (["friseur1", "--all"], "name one tenant, or --all"),
    ],
)
def test_what_cannot_be_said_is_neither_good_nor_bad(
    doors: Doors, options: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["health", "--table", "appointments", *options]) == cli_shell.UNKNOWN
    assert capsys.readouterr().err == why + "\n"


def test_a_table_that_is_away_is_no_health(doors: Doors, capsys: pytest.CaptureFixture[str]) -> None:
    doors.salon.client.faults.next("query", Fault.NOT_SENT)
    assert cli.main(["health", "friseur1", "--table", "appointments"]) == cli_shell.UNKNOWN
    assert "cannot be reached" in capsys.readouterr().err


# What it costs


def test_a_larger_salon_asks_for_no_more_requests_and_scans_nothing() -> None:
    small, large = (benchmark.measured(size) for size in (50, 1_000))
    assert small.requests == large.requests
    assert large.requests.total() == 12
    assert set(large.requests) <= {"query", "get_item", "batch_get_item"}
    assert (large.found.seen.operations.number, len(large.found.seen.cases)) == (benchmark.OPEN, benchmark.CASES)


@pytest.mark.slow
def test_a_hundred_thousand_appointments_cost_what_a_hundred_do() -> None:
    assert benchmark.main(["--large"]) == 0


# The gauges


def invoke(doors: Doors, task: str) -> None:
    with doors.heard.capturing():
        door("reconciliation").lambda_handler({"task": task}, LambdaContext(240_000))


def gauges(doors: Doors) -> dict[str, Any]:
    """What was measured by service alone; a list where it was several times."""
    found: dict[str, Any] = {}
    for line in doors.heard.metrics:
        for directive in line["_aws"]["CloudWatchMetrics"]:
            if ["service"] in directive["Dimensions"]:
                found |= {each["Name"]: line[each["Name"]] for each in directive["Metrics"]}
    return found


def test_the_pulse_is_told_under_the_names_of_its_metrics() -> None:
    silent = Pulse(0, 0.0, 0.0, 0.0, 0.0)
    assert set(silent.numbers()) == GAUGES
    assert observability.METRICS >= GAUGES
    assert len(fields(Pulse)) == len(GAUGES)


def test_a_sweep_tells_what_waits(doors: Doors, world: SeededWorld) -> None:
    """What the same round does not settle is told with its age."""
    waiting = world.open_one(booked=False)
    doors.deps.inbox.store(world.tenant.id, "d1", "{}", now=world.clock.now() - HOUR, due=world.clock.now() + HOUR)
    owed = {"kind": "booked", "appt": waiting.id, "told": "pending", "state": "NEW"}
    at = {"at": items.text(world.clock.now() - 20 * MINUTE), "due": items.epoch(world.clock.now() + HOUR)}
    world.put(keys.outbox(world.tenant.id, "op1") | to_wire(owed | at | {"due_shard": keys.due_shard("op1")}))
    invoke(doors, "sweep")
    told = gauges(doors)
    assert {name: told[name] for name in GAUGES} == {
        "OpenOperations": [1.0],
        "OldestOpenSeconds": [360.0],
        "OldestTextSeconds": [1200.0],
        "OldestEventSeconds": [3600.0],
        "LeftAloneSeconds": [0.0],
    }


def test_only_what_callers_do_not_know_counts_as_owed(
    doors: Doors, world: SeededWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    """An hour old, all of them: what somebody heard on the phone is nothing they wait for, until others change it."""
    at = {"at": items.text(world.clock.now() - HOUR), "due": items.epoch(world.clock.now() + HOUR), "state": "NEW"}
    waiting = world.open_one(booked=False)

    def owe(op: str, **said: Any) -> None:
        row = at | {"appt": waiting.id, "due_shard": keys.due_shard(op)} | said
        world.put(keys.outbox(world.tenant.id, op) | to_wire(row))

    owe("op1", kind="booked", told="booked")
    owe("op2", kind="moved", told="done")
    found = json.loads(asked(capsys, "friseur1", "--json")[1])[0]
    assert found["texts"]["number"] == 0
    assert not [each for each in found["reasons"] if "messages to callers" in each["says"]]
    owe("op3", kind="booked", told="booked", overtaken=True)
    owe("op4", kind="not_booked", told="pending")
    found = json.loads(asked(capsys, "friseur1", "--json")[1])[0]
    assert found["texts"]["number"] == 2
    assert [each["says"] for each in found["reasons"] if "messages to callers" in each["says"]] == [
        "2 messages to callers are owed, the oldest for 1 h 0 min"
    ]


def test_a_salon_that_was_never_compared_says_when_it_is(
    doors: Doors, world: SeededWorld, capsys: pytest.CaptureFixture[str]
) -> None:
    now, tenant = world.clock.now(), world.tenant.id
    for kind in RunKind:
        world.salon.client.delete_item(TableName="appointments", Key=keys.run(tenant, kind.value))
    assert world.runs.keep(tenant, Run(kind=RunKind.FULL, started=now - 4 * MINUTE), done=False, now=now)
    status, said = asked(capsys, "friseur1")
    assert status == 1
    assert " ! no reconciliation (poll) has ever come to its end: it begins by itself every five minutes" in said
    assert "(full) has ever come to its end: the first is under way for 4 min and goes on every five minutes" in said


def test_a_breaker_that_stays_open_is_told_with_its_age(doors: Doors, world: SeededWorld) -> None:
    now = world.clock.now()
    shut = Breaker(state=CircuitState.OPEN, since=now - 7 * MINUTE, until=now + MINUTE, pause=3)
    doors.deps.circuit.turn(CircuitKind.WRITES, lambda _: shut, deadline=world.work().deadline)
    invoke(doors, "sweep")
    assert gauges(doors)["LeftAloneSeconds"] == [420.0]


def test_nothing_waits_is_told_as_well(doors: Doors) -> None:
    invoke(doors, "sweep")
    told = gauges(doors)
    assert {name: told[name] for name in GAUGES} == {name: [0.0] for name in GAUGES}


def test_a_sweep_is_done_though_the_pulse_breaks(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise KeyError("Hansi")

    monkeypatch.setattr(type(doors.deps.health), "unfinished", broken)
    invoke(doors, "sweep")
    assert doors.heard.counted(observability.SWEPT) == 1
    assert doors.heard.counted(alerts.JOB_FAILED) == 1
    assert "Hansi" not in doors.heard.text


def test_each_tenants_status_is_told_with_a_reconciliation_and_without_its_name(
    doors: Doors, world: SeededWorld
) -> None:
    world.put(keys.every_tenant() | {"ids": {"SS": ["friseur1", "broken", "gone"]}})
    world.put(keys.tenant_config("broken") | to_wire({"document": "{}"}))
    invoke(doors, "reconcile")
    assert sorted(gauges(doors)["HealthStatus"]) == [0.0, 2.0]
    lines = [json.dumps(each) for each in doors.heard.metrics]
    assert [line for line in lines if "friseur1" in line or "broken" in line] == []


def test_a_reconciliation_is_done_though_nobody_can_say_the_status(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise KeyError("x")

    monkeypatch.setattr(type(doors.deps.health), "seen", broken)
    invoke(doors, "reconcile")
    assert doors.heard.counted(observability.RECONCILED) == 1
    assert doors.heard.counted(alerts.JOB_FAILED) == 1


# Exchanges with Cal.com, and calls without an answer


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *((0, "no_answer"), (200, "ok"), (201, "ok"), (302, "failed"), (400, "refused"), (401, "key"), (403, "key")),
        *((404, "not_there"), (409, "refused"), (429, "limited"), (500, "failed"), (503, "failed")),
    ],
)
def test_an_exchange_is_measured_by_operation_and_by_outcome(doors: Doors, status: int, outcome: str) -> None:
    with doors.heard.capturing():
        observability.calcom_exchange(operation="create", status=status, ms=312, request_id="r-1")
    (line,) = doors.heard.metrics
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["service", "operation"], ["service", "outcome"]]
    assert directive["Metrics"] == [{"Name": "CalcomMilliseconds", "Unit": "Milliseconds"}]
    assert (line["service"], line["operation"], line["outcome"]) == ("bookend", "create", outcome)
    assert line["CalcomMilliseconds"] in (312, [312])


def test_what_is_left_of_the_minute_is_measured_where_cal_com_says_it(doors: Doors) -> None:
    with doors.heard.capturing():
        observability.calcom_exchange(operation="list", status=200, ms=5, left=17)
        observability.calcom_exchange(operation="created", status=201, uid="u1", age_s=0.2)
    assert gauges(doors) == {"CalcomRequestsLeft": [17.0]}
    assert doors.heard.counted("CalcomMilliseconds") == 5


@pytest.mark.parametrize(("status", "share"), [("ok", 0), ("slot_taken", 0), ("error", 1), ("temporary_error", 1)])
def test_a_call_counts_as_unanswered_if_its_caller_is_left_with_nothing(doors: Doors, status: str, share: int) -> None:
    with doors.heard.capturing():

        @observability.metrics.log_metrics
        def handler(_event: Any, _context: Any) -> None:
            observability.answered("check_availability", status, 40)

        handler({}, None)
    assert gauges(doors)["CallWithoutAnswer"] == [share]
