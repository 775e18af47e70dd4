"""Requests to the table: what a failure means, and which ones are worth another try.

A cancelled transaction with a failed condition is a decision of ours and comes back as a value. One that met a
concurrent transaction or a throttle is tried again, with full jitter, for as long as a caller can wait: botocore
retries neither (reliability 1.1). A service that is away is StoreUnavailable; what it calls our mistake is a bug and
is raised as it came. Where somebody waits, a request is over at the deadline, whatever becomes of it then (`bounds`).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from botocore.exceptions import BotoCoreError, ClientError

from bookend.adapters.bounded import Bounds, Late, at_once
from bookend.adapters.dynamodb.actions import signed
from bookend.adapters.dynamodb.keys import Item
from bookend.application.deadline import Deadline
from bookend.application.ports import Clock, StoreUnavailable

_BASE_S = 0.02
_CAP_S = 0.2
_TRIES = 8
_BACKGROUND_S = 5.0
_MOST_KEYS = 100
_AGAIN = frozenset(
    {
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
        "ThrottlingError",
        "ThrottlingException",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
    }
)
_DOWN = frozenset({"InternalServerError", "InternalFailure", "ServiceUnavailable", "RequestTimeout"})
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Failed:
    """Conditions that did not hold: per position of the request, the item that was in the way (None: there is none)."""

    items: dict[int, Item | None]


class _LeftOut(Exception):
    """A batch came back in part: what a throttle of some of its keys looks like."""


class Beside(Protocol):
    """Items that come along when others are read anyway, so that they cost no request of their own."""

    def wanted(self) -> Sequence[Item]:
        """Their keys; none while what is known of them will do."""
        ...

    def take(self, found: Sequence[Item | None]) -> None:
        """They were read, in the order of their keys."""
        ...


class Table:
    """One table, asked politely. `limit_s` bounds, in seconds, how long tries of one request go on.

    `bounds` ends each request at the deadline that `within` gives; without a deadline nothing does.
    """

    def __init__(
        self,
        client: Any,
        name: str,
        *,
        clock: Clock,
        on_give_up: Callable[[], None] = lambda: None,
        limit_s: float = _BACKGROUND_S,
        deadline: Deadline | None = None,
        bounds: Bounds = at_once,
        beside: Beside | None = None,
        by: str = "",
        only_if: Sequence[dict[str, Any]] = (),
    ) -> None:
        self._client = client
        self.name = name
        self._clock = clock
        self._on_give_up = on_give_up
        self._limit_s = limit_s
        self._deadline = deadline
        self._bounds = bounds
        self._beside = beside
        self._by = by
        self._only_if = tuple(only_if)

    def called(self, name: str) -> Table:
        """Another table, asked in the same way."""
        other = self._but(self._deadline, self._bounds, self._limit_s)
        other.name, other._beside = name, None
        return other

    def acting(self, by: str) -> Table:
        """The same table for one who changes appointments: they carry in `by` who wrote what is there."""
        return self._but(self._deadline, self._bounds, self._limit_s, by=by)

    def only_if(self, check: dict[str, Any]) -> Table:
        """The same table for work that rests on one more item: every transaction ends with this check of it."""
        other = self._but(self._deadline, self._bounds, self._limit_s)
        other._only_if = (check,)
        return other

    def bring_along(self, beside: Beside) -> None:
        """From now on, these items too whenever several are read."""
        self._beside = beside

    def within(self, deadline: Deadline, *, limit_s: float | None = None) -> Table:
        """The same table for one turn: tries end with it, and so does the request that is under way then."""
        return self._but(deadline, self._bounds, self._limit_s if limit_s is None else limit_s)

    def patient(self) -> Table:
        """The same table for work that no caller waits for: a request that was begun is heard out."""
        return self._but(self._deadline, at_once, self._limit_s)

    def _but(self, deadline: Deadline | None, bounds: Bounds, limit_s: float, *, by: str | None = None) -> Table:
        return Table(
            self._client,
            self.name,
            clock=self._clock,
            on_give_up=self._on_give_up,
            limit_s=limit_s,
            deadline=deadline,
            bounds=bounds,
            beside=self._beside,
            by=self._by if by is None else by,
            only_if=self._only_if,
        )

    def write(self, actions: Sequence[dict[str, Any]]) -> Failed | None:
        """All actions or none. Each names its table and asks for the old item if its condition fails."""
        signed_actions = [*(signed(each, self._by) for each in actions), *self._only_if]
        return self._with_tries(lambda: self._transact(signed_actions))

    def update(self, **request: Any) -> Failed | None:
        """One conditional update of one item."""
        return self._with_tries(lambda: self._update(request))

    def put(self, **request: Any) -> None:
        """One put without a rival: configuration only."""
        self._with_tries(lambda: self._ask("put_item", TableName=self.name, **request))

    def get(self, key: Item) -> Item | None:
        """One item, consistently."""
        answer = self._with_tries(lambda: self._ask("get_item", TableName=self.name, Key=key, ConsistentRead=True))
        item: Item | None = answer.get("Item")
        return item

    def query(self, **request: Any) -> list[Item]:
        """One page of an index; what it says is late, so nobody decides on it alone."""
        answer = self._with_tries(lambda: self._ask("query", TableName=self.name, **request))
        found: list[Item] = answer["Items"]
        return found

    def query_all(self, **request: Any) -> list[Item]:
        """Every page of an index."""
        found: list[Item] = []
        start: dict[str, Any] = {}
        while True:
            asked = {"TableName": self.name, **request, **start}
            answer = self._with_tries(lambda asked=asked: self._ask("query", **asked))  # type: ignore[misc]
            found += answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return found
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def pages(self, **request: Any) -> Iterator[list[Item]]:
        """The table as a whole, page by page: for people at a shell, who may wait."""
        asked = {"TableName": self.name, **request}
        while True:
            answer = self._with_tries(lambda asked=asked: self._ask("scan", **asked))  # type: ignore[misc]
            yield answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            asked |= {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def get_all(self, keys: Sequence[Item]) -> list[Item | None]:
        """The items in the order of their keys, each read consistently, in as few requests as the service allows."""
        found: dict[tuple[str, str], Item] = {}
        beside = self._beside.wanted() if self._beside is not None and 0 < len(keys) <= _MOST_KEYS // 2 else ()
        pending = list({_id(key): key for key in (*keys, *beside)}.values())

        def read_on() -> None:
            while pending:
                request = {self.name: {"Keys": pending[:_MOST_KEYS], "ConsistentRead": True}}
                answer = self._ask("batch_get_item", RequestItems=request)
                found.update((_id(item), item) for item in answer["Responses"].get(self.name, []))
                left = answer.get("UnprocessedKeys", {}).get(self.name, {}).get("Keys", [])
                pending[:_MOST_KEYS] = left
                if left:
                    raise _LeftOut

        self._with_tries(read_on)
        if self._beside is not None and beside:
            self._beside.take([found.get(_id(key)) for key in beside])
        return [found.get(_id(key)) for key in keys]

    def _transact(self, actions: Sequence[dict[str, Any]]) -> Failed | None:
        try:
            self._ask("transact_write_items", TransactItems=list(actions))
        except ClientError as error:
            reasons: list[Any] = _response(error).get("CancellationReasons", [])
            if not any(each["Code"] == "ConditionalCheckFailed" for each in reasons):
                raise
            return Failed(
                {
                    position: each.get("Item")
                    for position, each in enumerate(reasons)
                    if each["Code"] == "ConditionalCheckFailed"
                }
            )
        return None

    def _update(self, request: dict[str, Any]) -> Failed | None:
        try:
            self._ask("update_item", TableName=self.name, ReturnValuesOnConditionCheckFailure="ALL_OLD", **request)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return Failed({0: _response(error).get("Item")})
        return None

    def _ask(self, operation: str, **request: Any) -> Any:
        """One request, over at the deadline."""
        ask = getattr(self._client, operation)
        if self._deadline is None:
            return ask(**request)
        return self._bounds(lambda: ask(**request), self._deadline)

    def _with_tries(self, attempt: Callable[[], _T]) -> _T:
        until = self._clock.monotonic() + self._limit_s
        if self._deadline is not None:
            until = min(until, self._deadline.ends_at)
        tries = max(_TRIES, int((self._limit_s - _BACKGROUND_S) / _CAP_S))  # a person at a shell waits out a throttle
        why = "contention"
        for number in range(tries):
            try:
                return attempt()
            except (ClientError, _LeftOut) as error:
                again, why = _worth_another_try(error), _code(error)
                if not again and why not in _DOWN:
                    raise  # a request the service does not understand or allow is a bug of ours, and must be seen
                pause = random.uniform(0, min(_CAP_S, _BASE_S * 2**number))  # noqa: S311 - jitter, not a secret
                if not again or self._clock.monotonic() + pause >= until:
                    self._on_give_up()
                    raise StoreUnavailable(why) from error
                self._clock.sleep(pause)
            except (BotoCoreError, Late) as error:
                self._on_give_up()
                raise StoreUnavailable(type(error).__name__) from error
        self._on_give_up()
        raise StoreUnavailable(why)


def _id(key: Item) -> tuple[str, str]:
    return key["pk"]["S"], key["sk"]["S"]


def _response(error: ClientError) -> dict[str, Any]:
    """The whole answer; the stubs know less of it than there is."""
    return cast("dict[str, Any]", error.response)


def _code(error: ClientError | _LeftOut) -> str:
    return "UnprocessedKeys" if isinstance(error, _LeftOut) else str(error.response["Error"]["Code"])


def _worth_another_try(error: ClientError | _LeftOut) -> bool:
    if isinstance(error, _LeftOut):
        return True
    reasons = _response(error).get("CancellationReasons")
    if reasons:
        return any(each["Code"] in _AGAIN for each in reasons)
    return _code(error) in _AGAIN
