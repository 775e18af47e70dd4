"""What the code really publishes: every path to a metric that an alarm watches, run, and its metric lines read.

A metric is known by its namespace, its name and its dimensions, all of which an alarm must name.
"""

from __future__ import annotations

import inspect
import itertools
import types
import typing
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from unittest import mock

import httpx
from botocore.exceptions import ClientError

from bookend import observability
from bookend.adapters.calcom.client import CalcomCalendar
from bookend.adapters.dynamodb import keys
from bookend.application import alerts
from bookend.application.deadline import Deadline
from bookend.application.ports import Alert, Run, RunKind, StoreUnavailable
from bookend.domain.answers import Answered, Booking, CreateAnswer, KeyRejected, NotThere, Refusal, Refused
from bookend.domain.appointment import Appointment
from bookend.domain.circuit import Breaker, CircuitKind, CircuitState
from bookend.domain.timeslot import Slot
from tests.support.http import Doors, Heard, LambdaContext, door
from tests.support.seeded import SeededWorld
from tests.support.tables.faults import Fault

NOW = datetime(2025, 11, 24, 7, 0, tzinfo=UTC)
Metric = tuple[str, str, tuple[tuple[str, str], ...]]


@cache
def published() -> dict[Metric, list[float]]:
    """Every metric that a path has published, with its values."""
    found: dict[Metric, list[float]] = {}
    for path in PATHS:
        heard = Heard()
        with heard.listening():
            path(heard)
        for line in heard.metrics:
            for metric, values in read(line):
                found.setdefault(metric, []).extend(values)
    return found


def read(line: dict[str, Any]) -> Iterator[tuple[Metric, list[float]]]:
    """A metric line as CloudWatch takes it: each metric under each set of dimensions."""
    for directive in line["_aws"]["CloudWatchMetrics"]:
        for names, metric in itertools.product(directive["Dimensions"], directive["Metrics"]):
            value = line[metric["Name"]]
            dimensions = tuple(sorted((name, str(line[name])) for name in names))
            yield (directive["Namespace"], metric["Name"], dimensions), value if isinstance(value, list) else [value]


def _handled(heard: Heard, *work: Any) -> None:
    """As a handler does it: what was measured goes out with its end."""

    @observability.metrics.log_metrics
    def handler(_event: Any, _context: Any) -> None:
        for each in work:
            each()

    with heard.capturing():
        handler({}, None)


# Alerts: each is made by its own function of what it is about, and raised as the handlers raise it.


def _alerts(heard: Heard) -> None:
    _handled(heard, *(lambda alert=each: observability.LoggedAlerts().raise_(alert) for each in made_alerts()))


def made_alerts() -> list[Alert]:
    """Whatever the functions of `alerts` make of every sort of thing they are given."""
    makers = [each for name, each in inspect.getmembers(alerts, inspect.isfunction) if not name.startswith("_")]
    found = []
    for maker in makers:
        if maker.__module__ != alerts.__name__:
            continue
        hints = typing.get_type_hints(maker)
        given = {name: _samples(hints[name]) for name in inspect.signature(maker).parameters}
        found += [maker(**dict(zip(given, each, strict=True))) for each in itertools.product(*given.values())]
    return found


def _samples(kind: Any) -> list[Any]:
    if kind == CreateAnswer:
        return [Answered(_booking())]
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return [sample for member in typing.get_args(kind) for sample in _samples(member)]
    known: dict[Any, Any] = {
        str: "poll",
        int: 7,
        type(None): None,
        Booking: _booking(),
        Appointment: _appointment(),
        Breaker: Breaker(state=CircuitState.OPEN, failures=5),
        CircuitKind: CircuitKind.READS,
        KeyRejected: KeyRejected("{}"),
        NotThere: NotThere("{}"),
        Refused: Refused(Refusal.INVALID, "{}"),
        Exception: KeyError("x"),
    }
    return [known[kind]] if kind in known else [mock.MagicMock()]


def _appointment() -> Appointment:
    return SeededWorld().appointment("a00001", "fabian", NOW, uid="u1", booking_id=1)


def _booking() -> Booking:
    return SeededWorld().booking_of(_appointment())


# Doors and rounds


def _doors(heard: Heard) -> None:
    with Doors() as doors:
        doors.heard = heard
        doors.function("list_services", {})
        doors.post("retell_functions", {}, signed="v=1,d=00")
        doors.webhook({"triggerEvent": "PING"}, signed="00")


def _secret_is_away(heard: Heard) -> None:
    with Doors() as doors:
        doors.heard = heard
        doors.vault.failures.append(ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetSecretValue"))
        doors.function("list_services", {})


def _document_is_none(heard: Heard) -> None:
    with Doors() as doors:
        doors.heard = heard
        doors.salon.client.put_item(
            TableName=doors.salon.table_name,
            Item=keys.tenant_config("friseur1") | {"document": {"S": "{}"}},
        )
        doors.function("list_services", {})


def _table_is_away(heard: Heard) -> None:
    def give_up() -> None:
        with Doors() as doors:
            doors.salon.client.faults.next("get_item", Fault.NOT_SENT)
            try:
                doors.deps.table.get(keys.every_tenant())
            except StoreUnavailable:
                return

    _handled(heard, give_up)


def _rounds(heard: Heard) -> None:
    world = SeededWorld.grown(5, days=3)
    now = world.clock.now()
    for kind in RunKind:
        world.runs.keep(world.tenant.id, Run(kind=kind, started=now), done=True, now=now)
    world.seed("end")
    with Doors(world.salon):
        for task in ("sweep", "reconcile"):
            with heard.capturing():
                door("reconciliation").lambda_handler({"task": task}, LambdaContext(240_000))


def _exchange(heard: Heard) -> None:
    answer = httpx.Response(200, json={"status": "success"}, headers={"x-ratelimit-remaining-default": "19"})
    calcom = CalcomCalendar(
        base_url="https://cal.example",
        api_key=lambda: "cal_test",
        clock=SeededWorld().clock,
        observe=observability.calcom_exchange,
        transport=httpx.MockTransport(lambda _: answer),
    )
    window = Slot(NOW, NOW + timedelta(days=1))
    with heard.capturing():
        calcom.find("a@b.example", window, deadline=Deadline.within(5.0, SeededWorld().clock))


PATHS = (_alerts, _doors, _secret_is_away, _document_is_none, _table_is_away, _rounds, _exchange)
