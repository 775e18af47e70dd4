"""What a network and a busy table do to a caller: planned or seeded faults around a DynamoDB client.

Both `MemoryDynamoDB` and `StrictClient` send every request through one `Gate`, so a test can break either in
the same way::

    client.faults.next("transact_write_items", Fault.CONFLICT, times=2)  # the next two transactions
    client.faults.next("put_item", Fault.LOST_ANSWER, when=lambda p: p["Item"]["pk"]["S"].endswith("OUT#1"))
    client.faults.random(seed=7, conflict=0.1, lost_answer=0.02)         # a share of all calls
    client.faults.crash_at(5)                                            # die at the fifth boundary

A boundary is the moment just before a request (odd numbers) or just after it was applied (even numbers). To
crash at every one: run once, read ``client.faults.boundaries``, then run again with ``crash_at(1)``,
``crash_at(2)`` and so on.

The errors are what a caller sees *after* botocore's own retries: botocore repeats throttles, 5xx and
time-outs of its own accord (with the same ClientRequestToken), but never a TransactionConflict.
"""

import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

Parameters = Mapping[str, Any]
Hook = Callable[[str, Parameters], None]

_ENDPOINT = "https://dynamodb.test"
_TRANSACTIONS = {"transact_write_items", "transact_get_items"}
_WRITES = {"put_item", "update_item", "delete_item", "transact_write_items"}


class Crash(BaseException):
    """The process dies here. Not an Exception, so that no ``except Exception`` survives its own death."""


class Fault(Enum):
    CONFLICT = "TransactionConflict"
    """Another transaction holds the item. Nothing was written. (Plain reads never meet it.)"""
    THROTTLE = "ThrottlingError"
    PROVISIONED = "ProvisionedThroughputExceeded"
    LOST_ANSWER = "committed but answer lost"
    """The request took effect; the caller gets a ReadTimeoutError."""
    NOT_SENT = "not committed, connection error"
    """Nothing took effect; the caller gets an EndpointConnectionError."""
    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"


_MESSAGES = {
    Fault.CONFLICT: "Transaction is ongoing for the item",
    Fault.THROTTLE: "Throughput exceeds the current capacity for one or more global secondary indexes.",
    Fault.PROVISIONED: "The level of configured provisioned throughput for the table was exceeded.",
}
_SINGLE_CODES = {
    Fault.CONFLICT: "TransactionConflictException",
    Fault.THROTTLE: "ThrottlingException",
    Fault.PROVISIONED: "ProvisionedThroughputExceededException",
}


@dataclass(slots=True)
class _Planned:
    operation: str
    fault: Fault
    left: int
    skip: int
    when: Callable[[Parameters], bool] | None


class FaultInjector:
    """Decides which request fails, and how. Safe under threads; with one thread a seed repeats exactly."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """No faults from here on, and all counters at zero."""
        self._planned: list[_Planned] = []
        self._dice: random.Random | None = None
        self._shares: dict[Fault, float] = {}
        self._crash_at: int | None = None
        self.boundaries = 0
        self.injected: Counter[Fault] = Counter()

    def next(
        self,
        operation: str,
        fault: Fault,
        *,
        times: int = 1,
        skip: int = 0,
        when: Callable[[Parameters], bool] | None = None,
    ) -> None:
        """The next `times` calls of `operation` (``*``: any) that match `when` fail, after `skip` good."""
        if fault is Fault.CONFLICT and operation not in _WRITES | _TRANSACTIONS | {"*"}:
            raise ValueError(f"DynamoDB never answers {operation} with a transaction conflict")
        with self._lock:
            self._planned.append(_Planned(operation, fault, times, skip, when))

    def random(
        self,
        *,
        seed: int,
        conflict: float = 0.0,
        throttle: float = 0.0,
        lost_answer: float = 0.0,
        not_sent: float = 0.0,
        crash: float = 0.0,
    ) -> None:
        """A share of all calls, chosen by `seed`. Crashes fall before or after the request, half and half."""
        self._dice = random.Random(seed)
        self._shares = {
            Fault.CONFLICT: conflict,
            Fault.THROTTLE: throttle,
            Fault.LOST_ANSWER: lost_answer,
            Fault.NOT_SENT: not_sent,
            Fault.CRASH_BEFORE: crash / 2,
            Fault.CRASH_AFTER: crash / 2,
        }

    def crash_at(self, boundary: int) -> None:
        """Raise `Crash` at that boundary, counted from 1 and from now."""
        with self._lock:
            self._crash_at = self.boundaries + boundary

    def reached(self) -> None:
        """One boundary further; dies if it is the one."""
        with self._lock:
            self.boundaries += 1
            if self.boundaries != self._crash_at:
                return
            self._crash_at = None
        raise Crash(f"at boundary {self.boundaries}")

    def choose(self, operation: str, parameters: Parameters) -> Fault | None:
        with self._lock:
            fault = self._from_plan(operation, parameters) or self._from_dice(operation)
            if fault is not None:
                self.injected[fault] += 1
            return fault

    def _from_plan(self, operation: str, parameters: Parameters) -> Fault | None:
        for plan in self._planned:
            if plan.operation not in {operation, "*"} or (plan.when and not plan.when(parameters)):
                continue
            if plan.skip:
                plan.skip -= 1
                continue
            plan.left -= 1
            if not plan.left:
                self._planned.remove(plan)
            return plan.fault
        return None

    def _from_dice(self, operation: str) -> Fault | None:
        if self._dice is None:
            return None
        point = self._dice.random()
        for fault, share in self._shares.items():
            if point < share:
                impossible = fault is Fault.CONFLICT and operation not in _WRITES | _TRANSACTIONS
                return None if impossible else fault
            point -= share
        return None


def client_error(code: str, message: str, /, **body: Any) -> dict[str, Any]:
    """An error answer in the shape in which botocore hands it out: ``error.response``."""
    return {
        "Error": {"Message": message, "Code": code},
        "ResponseMetadata": {
            "HTTPStatusCode": 400,
            "HTTPHeaders": {},
            "RetryAttempts": 0,
            "RequestId": "",
        },
        **body,
    }


def cancelled(reasons: list[dict[str, Any]]) -> dict[str, Any]:
    """The answer of a cancelled transaction; one reason per item, in the order of the request."""
    codes = ", ".join(reason["Code"] for reason in reasons)
    message = f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]"
    return client_error("TransactionCanceledException", message, Message=message, CancellationReasons=reasons)


class Gate:
    """The way in and out of a client: hooks, faults and a count of requests.

    ``before`` and ``after`` are lists of ``hook(operation, parameters)``, run in the calling thread and
    outside any lock, so a hook may block (a scheduler that hands a baton around does). ``after`` runs once the
    request was answered, with an error too. ``requests`` counts what reached the client, by operation.
    """

    def __init__(self, exceptions: Any) -> None:
        self.exceptions = exceptions
        self.faults = FaultInjector()
        self.before: list[Hook] = []
        self.after: list[Hook] = []
        self.requests: Counter[str] = Counter()
        self._counting = threading.Lock()

    def error(self, operation: str, answer: dict[str, Any]) -> ClientError:
        """`answer` as the exception class that ``except client.exceptions.X`` expects."""
        kind = self.exceptions.from_code(answer["Error"]["Code"])
        name = "".join(word.title() for word in operation.split("_"))
        error: ClientError = kind(answer, name)
        return error

    def send(self, operation: str, parameters: Parameters, apply: Callable[[], Any]) -> Any:
        """One request: hooks and boundaries around `apply`, or a fault instead of it."""
        with self._counting:
            self.requests[operation] += 1
        for hook in self.before:
            hook(operation, parameters)
        self.faults.reached()
        fault = self.faults.choose(operation, parameters)
        if fault is Fault.CRASH_BEFORE:
            raise Crash(f"before {operation}")
        if fault is Fault.NOT_SENT:
            raise EndpointConnectionError(endpoint_url=_ENDPOINT)
        if fault in _MESSAGES:
            raise self._refused(operation, parameters, fault)
        failure: ClientError | None = None
        answer = None
        try:
            answer = apply()
        except ClientError as error:
            failure = error
        for hook in self.after:
            hook(operation, parameters)
        self.faults.reached()
        if fault is Fault.CRASH_AFTER:
            raise Crash(f"after {operation}")
        if fault is Fault.LOST_ANSWER:
            raise ReadTimeoutError(endpoint_url=_ENDPOINT)
        if failure is not None:
            raise failure
        return answer

    def _refused(self, operation: str, parameters: Parameters, fault: Fault) -> ClientError:
        if operation not in _TRANSACTIONS:
            return self.error(operation, client_error(_SINGLE_CODES[fault], _MESSAGES[fault]))
        # One item is to blame and the others are "None": code must look at all reasons, not at the first.
        reasons: list[dict[str, Any]] = [{"Code": "None"} for _ in parameters["TransactItems"]]
        reasons[-1] = {"Code": fault.value, "Message": _MESSAGES[fault]}
        return self.error(operation, cancelled(reasons))
