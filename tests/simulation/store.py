"""The strict table in memory, on the other side of a network: each request pauses on its way there and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, TypeVar

from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from bookend.adapters.bounded import Late
from bookend.adapters.dynamodb.keys import CUSTOMER_INDEX
from bookend.application.deadline import Deadline
from tests.simulation.baton import Baton
from tests.simulation.index import LaggingIndexes
from tests.simulation.plan import Rates, one_of
from tests.support.tables.faults import Crash, Fault
from tests.support.tables.memory import MemoryDynamoDB

TABLE = "appointments"
_ENDPOINT = "https://dynamodb.test"
_WRITES = frozenset({"put_item", "update_item", "delete_item", "transact_write_items"})
_READ_S = 1.0
"""After so long botocore gives up an answer, as the composition root tells it to."""
_T = TypeVar("_T")
Committed = Callable[[Mapping[str, Any]], None]


class SimulatedTable(MemoryDynamoDB):
    """`rates` apply while `baton` is with somebody; outside of the run it is the table and nothing else.

    `committed` is called in the instant in which a write took effect, before anybody else can go on. Its indexes follow
    late (`rates.index_lag`); items that are read are as they are.
    """

    def __init__(self, baton: Baton, rates: Callable[[], Rates], committed: Committed, saw: Counter[str]) -> None:
        super().__init__(clock=baton.monotonic, check_parameters=False)
        self.baton = baton
        self.rates = rates
        self.committed = committed
        self.saw = saw
        self._indexes: LaggingIndexes
        self._request = ""
        self._misled: dict[str, frozenset[str]] = {}
        """Whom an index has shown what is over, and what that was: whether they go there is to be seen."""

    def create_table(self, **parameters: Any) -> dict[str, Any]:
        made = super().create_table(**parameters)
        held = self._tables[parameters["TableName"]]
        if held.indexes:
            self._indexes = LaggingIndexes(held, now=self.baton.monotonic, lag=self._lag)
        return made

    def _lag(self, index: str) -> float:
        """Seconds until an index has what this request writes; dice of its own, thrown for nothing else."""
        rates = self.rates()
        if not rates.index_lag or self.baton.actor is None:
            return 0.0
        name = f"{self._request}:{index}"
        dice = self.baton.dice(name)
        lags = dice.random() < rates.index_lag and self.baton.strikes(f"{name} lags")
        return dice.uniform(0.05, rates.index_lag_s) if lags else 0.0

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
            baton.child("late", lambda: self._alone(name, operation, parameters, apply, said), after=there)
            return self._given_up(left, said)
        baton.pause(there)
        failure, answer = self._apply(name, operation, parameters, apply, said)
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

    def _alone(
        self, name: str, operation: str, parameters: Mapping[str, Any], apply: Callable[[], Any], said: str
    ) -> None:
        self._apply(name, operation, parameters, apply, f"{said} (given up, and late)")

    def _apply(
        self, name: str, operation: str, parameters: Mapping[str, Any], apply: Callable[[], Any], said: str
    ) -> tuple[ClientError | None, Any]:
        self._request = name
        if operation == "query" and "IndexName" in parameters:
            return None, self._of_index(parameters["IndexName"], apply, said)
        self._count_misled(operation, parameters)
        try:
            answer = apply()
        except ClientError as error:
            self.baton.note("w" if operation in _WRITES else "r", f"{said}: refused")
            return error, None
        self.baton.note("w" if operation in _WRITES else "r", said)
        if operation in _WRITES:
            self.committed(parameters)
        return None, answer

    def _of_index(self, index: str, apply: Callable[[], Any], said: str) -> Any:
        with self._indexes.as_shown(index) as is_behind:
            shown = apply()
        self.baton.note("r", said)
        true = apply() if is_behind else shown
        found, there = ({each["pk"]["S"] for each in answer["Items"]} for answer in (shown, true))
        if found == there:
            return shown
        who, short = self.baton.who.name, index.removesuffix("-index")
        self.saw[f"a read of the {short} index that was stale"] += 1
        self.baton.note("r", f"{said}: {len(found - there)} that are gone, without {len(there - found)} that are there")
        if index == CUSTOMER_INDEX and there - found:
            self.saw["a caller's appointment that the index did not show"] += 1
        if found - there:
            self._misled[who] = frozenset(found - there)
        return shown

    def _count_misled(self, operation: str, parameters: Mapping[str, Any]) -> None:
        """Whoever reads or writes an item that only the index still knew did what they would not have done."""
        gone = self._misled.get(self.baton.who.name)
        if gone is None:
            return
        asked = (key for each in parameters.get("RequestItems", {}).values() for key in each.get("Keys", ()))
        touched = {key["pk"]["S"] for key in (*asked, *keys_of(parameters))}
        if touched & gone:
            self.saw["a stale index led somebody to what was over"] += 1
            self._misled[self.baton.who.name] = gone - touched

    def row(self, key: Mapping[str, Any]) -> dict[str, Any] | None:
        """An item as it is this instant, without a request."""
        table = self._tables[TABLE]
        return table.items.get(table.key_of(key))

    def rows(self, partition: str) -> list[dict[str, Any]]:
        """Every item whose partition key holds this."""
        table = self._tables[TABLE]
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
    if key["sk"]["S"].isdecimal():
        return f"ENTRY#{name[-1][:6]}"
    short = {"STAFF": f"STAFF#{name[-1]}", "APPT": f"APPT#{name[-1][:6]}"}
    return short.get(name[2], name[2])
