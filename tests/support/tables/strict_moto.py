"""moto, with what moto leaves out of DynamoDB put in front of it.

moto 5.2.5 understands expressions well, but as a table for concurrent, repeated transactions it is too kind:

* It is not atomic under threads. ``transact_write_items`` copies the table, applies, and on failure puts the
  copy *back*, which also wipes what other threads committed meanwhile. (Measured: 8-14 of 60 races had two
  winners.) So one lock lets one request in at a time.
* It ignores ``ClientRequestToken``: a repeated transaction is applied again, a token may be of any length, and
  the same token may carry another transaction.
* It takes more than 4 MB in a transaction.
* It never answers TransactionConflict or a throttle, and never loses an answer: `faults` does.

What stays moto's own is listed in ``tests/adapters/dynamodb/engines/test_differential.py``.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from tests.support.tables.faults import Gate, client_error
from tests.support.tables.memory import (
    MAX_TRANSACTION_BYTES,
    MAX_TRANSACTION_ITEMS,
    TokenBook,
    frozen,
    token_fault,
)
from tests.support.tables.values import item_bytes


class StrictClient(Gate):
    """A proxy around a low-level client with the same gate as `MemoryDynamoDB`."""

    def __init__(self, inner: Any, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(inner.exceptions)
        self.inner = inner
        self.meta = inner.meta
        self._lock = threading.RLock()
        self._tokens = TokenBook(clock)

    def _send(self, operation: str, parameters: dict[str, Any]) -> Any:
        def locked() -> Any:
            with self._lock:
                return getattr(self.inner, operation)(**parameters)

        return self.send(operation, parameters, locked)

    def get_item(self, **parameters: Any) -> Any:
        return self._send("get_item", parameters)

    def put_item(self, **parameters: Any) -> Any:
        return self._send("put_item", parameters)

    def update_item(self, **parameters: Any) -> Any:
        return self._send("update_item", parameters)

    def delete_item(self, **parameters: Any) -> Any:
        return self._send("delete_item", parameters)

    def query(self, **parameters: Any) -> Any:
        return self._send("query", parameters)

    def scan(self, **parameters: Any) -> Any:
        return self._send("scan", parameters)

    def batch_get_item(self, **parameters: Any) -> Any:
        return self._send("batch_get_item", parameters)

    def batch_write_item(self, **parameters: Any) -> Any:
        return self._send("batch_write_item", parameters)

    def transact_get_items(self, **parameters: Any) -> Any:
        return self._send("transact_get_items", parameters)

    def create_table(self, **parameters: Any) -> Any:
        return self._send("create_table", parameters)

    def describe_table(self, **parameters: Any) -> Any:
        return self._send("describe_table", parameters)

    def delete_table(self, **parameters: Any) -> Any:
        return self._send("delete_table", parameters)

    def transact_write_items(self, **parameters: Any) -> Any:
        return self.send("transact_write_items", parameters, lambda: self._transact(parameters))

    def _transact(self, parameters: dict[str, Any]) -> Any:
        token = parameters.get("ClientRequestToken")
        if token is not None and (fault := token_fault(token)):
            raise self._refused_as("ValidationException", fault)
        if len(parameters["TransactItems"]) > MAX_TRANSACTION_ITEMS:
            raise self._refused_as(
                "ValidationException",
                f"Member must have length less than or equal to {MAX_TRANSACTION_ITEMS}",
            )
        if sum(map(_action_bytes, parameters["TransactItems"])) > MAX_TRANSACTION_BYTES:
            raise self._refused_as("ValidationException", "Transaction request exceeds the 4MB transaction size limit")
        if token is None:
            with self._lock:
                return self.inner.transact_write_items(**parameters)
        request = {name: value for name, value in parameters.items() if name != "ClientRequestToken"}
        with self._lock:
            replay = self._tokens.is_replay(token, request)
            if replay is None:
                raise self._refused_as(
                    "IdempotentParameterMismatchException",
                    "Request token already in use for another request with a different payload",
                )
            if replay:
                return {"ResponseMetadata": {"HTTPStatusCode": 200, "HTTPHeaders": {}, "RetryAttempts": 0}}
            # Kept only after success: a refused transaction may be tried again with its token.
            answer = self.inner.transact_write_items(**parameters)
            self._tokens.keep(token, frozen(request))
            return answer

    def _refused_as(self, code: str, message: str) -> Exception:
        return self.error("transact_write_items", client_error(code, message))


def _action_bytes(action: dict[str, Any]) -> int:
    ((_, body),) = action.items()
    return item_bytes(body.get("Item") or body["Key"]) + item_bytes(body.get("ExpressionAttributeValues", {}))
