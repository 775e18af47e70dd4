"""The strict table in memory, on the other side of a network: each request pauses on its way there and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, TypeVar

from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from bookend.adapters.bounded import Late
from bookend.application.deadline import Deadline
from tests.simulation.baton import Baton
from tests.simulation.plan import Rates, one_of
from tests.support.tables.faults import Crash, Fault
from tests.support.tables.memory import MemoryDynamoDB

_ENDPOINT = "https://dynamodb.test"
_WRITES = frozenset({"put_item", "update_item", "delete_item", "transact_write_items"})
_READ_S = 1.0
"""After so long botocore gives up an answer, as the composition root tells it to."""
_T = TypeVar("_T")
Committed = Callable[[Mapping[str, Any]], None]


class SimulatedTable(MemoryDynamoDB):
    """`rates` apply while `baton` is with somebody; outside of the run it is the table and nothing else.

    `committed` is called in the instant in which a write took effect, before anybody else can go on.
    """

    def __init__(self, baton: Baton, rates: Callable[[], Rates], committed: Committed) -> None:
        super().__init__(clock=baton.monotonic, check_parameters=False)
        self.baton = baton
        self.rates = rates
        self.committed = committed

    def send(self, operation: str, parameters: Mapping[str, Any], apply: Callable[[], Any]) -> Any:
        baton = self.baton
        if baton.actor is None:
            return apply()
        self.requests[operation] += 1
        actor, rates = baton.who, self.rates()
        name, dice = baton.request_dice()
        there, back = _latency(dice, rates), _latency(dice, rates)
        wrong, lives = self._wrong(name, dice, operation, rates), dice.random() >= rates.crash * 2
        first_half = dice.random() < 0.5
        dies = not lives and baton.strikes(f"{name}:crash")
        left = actor.deadline - baton.at if actor.deadline is not None else float("inf")
        said = describe(operation, parameters)
        if dies and first_half:
            baton.pause(there)
            raise Crash(f"before {said}")
        if wrong == "unsent":
            baton.pause(min(there, left))
            baton.note("!", f"{said}: no connection")
            raise EndpointConnectionError(endpoint_url=_ENDPOINT)
        if wrong in {"conflict", "throttle"}:
            baton.pause(min(there + back, left))
            baton.note("!", f"{said}: {wrong}")
            raise self._refused(operation, parameters, Fault.CONFLICT if wrong == "conflict" else Fault.THROTTLE)
        if wrong == "late":
            there += dice.uniform(0.5, 4.0)
        if there >= min(left, _READ_S):  # it is given up before it arrives, and arrives all the same
            baton.child("late", lambda: self._alone(operation, parameters, apply, said), after=there)
            return self._given_up(left, said)
        baton.pause(there)
        failure, answer = self._apply(operation, parameters, apply, said)
        if dies:
            baton.pause(back)
            raise Crash(f"after {said}")
        if wrong == "lost" or there + back >= left:
            return self._given_up(left - there, said)
        baton.pause(back)
        if failure is not None:
            raise failure
        return answer

    def _wrong(self, name: str, dice: Random, operation: str, rates: Rates) -> str | None:
        shares = {
            "conflict": rates.table_conflict,
            "throttle": rates.table_throttle,
            "lost": rates.table_lost,
            "unsent": rates.table_unsent,
            "late": rates.table_late,
        }
        wrong = one_of(shares, dice)
        if wrong is None or (wrong == "conflict" and operation not in _WRITES):
            return None
        return wrong if self.baton.strikes(f"{name}:{wrong}") else None

    def _given_up(self, left: float, said: str) -> Any:
        actor = self.baton.who
        self.baton.pause(max(0.0, min(left, _READ_S)))
        self.baton.note("!", f"{said}: no answer")
        if actor.deadline is not None and self.baton.at >= actor.deadline:
            raise Late
        raise ReadTimeoutError(endpoint_url=_ENDPOINT)

    def _alone(self, operation: str, parameters: Mapping[str, Any], apply: Callable[[], Any], said: str) -> None:
        self._apply(operation, parameters, apply, f"{said} (given up, and late)")

    def _apply(
        self, operation: str, parameters: Mapping[str, Any], apply: Callable[[], Any], said: str
    ) -> tuple[ClientError | None, Any]:
        try:
            answer = apply()
        except ClientError as error:
            self.baton.note("w" if operation in _WRITES else "r", f"{said}: refused")
            return error, None
        self.baton.note("w" if operation in _WRITES else "r", said)
        if operation in _WRITES:
            self.committed(parameters)
        return None, answer

    def row(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """An item as it is this instant, without a request."""
        (table,) = self._tables.values()
        return table.items.get(table.key_of(key))

    def rows(self, partition: str) -> list[dict[str, Any]]:
        """Every item whose partition key holds this."""
        (table,) = self._tables.values()
        return [item for item in table.items.values() if partition in item["pk"]["S"]]


def bounds(baton: Baton) -> Callable[[Callable[[], _T], Deadline], _T]:
    """The `Bounds` of a turn: whoever waits goes on at the deadline; the request itself takes its time."""

    def bounded(call: Callable[[], _T], deadline: Deadline, /) -> _T:
        if not deadline.remaining():
            raise Late
        actor = baton.who
        outer, actor.deadline = actor.deadline, deadline.ends_at
        try:
            return call()
        finally:
            actor.deadline = outer

    return bounded


def _latency(dice: Random, rates: Rates) -> float:
    """Seconds one way."""
    usual = dice.uniform(0.002, 0.015)
    return usual * dice.uniform(5.0, 60.0) if dice.random() < rates.slow else usual


def keys_of(parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The keys of what a write names."""
    entries = [next(iter(each.values())) for each in parameters.get("TransactItems", ())] or [parameters]
    found = [entry.get("Key") or entry.get("Item") for entry in entries]
    return [{"pk": each["pk"], "sk": each["sk"]} for each in found if each is not None]


def describe(operation: str, parameters: Mapping[str, Any]) -> str:
    """One request in a few words, without anybody's data."""
    if operation == "query":
        return f"query {parameters.get('IndexName', '')}"
    if operation == "batch_get_item":
        keys = [key for each in parameters["RequestItems"].values() for key in each["Keys"]]
        return "read " + " ".join(_kind(key) for key in keys)
    verb = "read" if operation == "get_item" else operation.removesuffix("_items").removesuffix("_item")
    return f"{verb.replace('transact_write', 'write')} " + " ".join(_kind(key) for key in keys_of(parameters))


def _kind(key: Mapping[str, Any]) -> str:
    name = key["pk"]["S"].split("#")
    if name[0] != "T":
        return name[0]
    short = {"STAFF": f"STAFF#{name[-1]}", "APPT": f"APPT#{name[-1][:6]}"}
    return short.get(name[2], name[2])
