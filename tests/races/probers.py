"""What one of many processes does to a breaker in the table; each is an instance of a function of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config

from bookend.adapters.dynamodb.circuit import CircuitCopy, DynamoCircuit
from bookend.adapters.dynamodb.transact import Table
from bookend.application.deadline import Deadline
from bookend.bootstrap import RandomIds
from bookend.domain.circuit import PAUSES, CircuitKind, CircuitState
from sandbox.stack.translate import REGION
from tests.support.salon import StoppedClock

PATIENCE_S = 60.0


@dataclass(frozen=True)
class Ends:
    """What came of it, in one process."""

    counted: bool
    opened: bool
    probes: bool


def circuit_at(endpoint: str, table: str, now: datetime) -> DynamoCircuit:
    """The breakers as a new instance sees them, with a connection of its own."""
    client = boto3.client(
        "dynamodb",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(account_id_endpoint_mode="disabled"),
    )
    clock = StoppedClock(now)
    copy = CircuitCopy("https://cal.example", clock=clock)
    return DynamoCircuit(Table(client, table, clock=clock, limit_s=PATIENCE_S), copy, ids=RandomIds())


def instance(endpoint: str, table: str, now: datetime, name: str, gate: Any, said: Any) -> None:
    """Fails once and later wants to probe, each at the same moment as all the others."""
    circuit, kind = circuit_at(endpoint, table, now), CircuitKind.WRITES
    patience = Deadline.within(PATIENCE_S, StoppedClock(now))
    circuit.read()
    gate.wait()
    failed = circuit.turn(kind, lambda breaker: breaker.failed("ReadTimeout", now), deadline=patience)
    opened = failed is not None and failed.after.state is CircuitState.OPEN
    due = now + timedelta(seconds=PAUSES[0].total_seconds())
    gate.wait()
    circuit.read()
    gate.wait()
    claimed = circuit.turn(kind, lambda breaker: breaker.claimed(name, due), deadline=patience)
    said.put(Ends(failed is not None, opened, claimed is not None))
