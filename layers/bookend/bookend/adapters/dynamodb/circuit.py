"""The circuit breakers in the table: an item a kind, and a copy of them in each instance.

The copy costs no request: whenever a turn reads items anyway, and what is known is old, the breakers come along
(`Table`, `Beside`). A step is one update on the version the copy has; where that is no longer the version, the refusal
brings the item, and the step is taken anew from what it has become.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from bookend.adapters.dynamodb import items, keys
from bookend.adapters.dynamodb.actions import names
from bookend.adapters.dynamodb.items import from_wire, to_wire
from bookend.adapters.dynamodb.keys import Item, Key
from bookend.adapters.dynamodb.transact import Table
from bookend.application.deadline import Deadline
from bookend.application.ports import Clock, Ids, StoreUnavailable, Turned
from bookend.domain.circuit import FAILURES, Breaker, CircuitKind, CircuitState, Failure
from bookend.domain.timeslot import parse_instant

KEPT_S = 5.0
"""A copy so old is read anew with whatever is read next."""
_OLD_S = 12.0
"""A copy so old is read by itself before Cal.com is asked. Longer than a turn: none pays for that."""
_MOST_S = 0.2
"""How long a table that hangs is waited for, once in `KEPT_S`: Cal.com is asked without it."""
_TRIES = 4 * FAILURES
"""Failures that come together open the breaker after `FAILURES` of them, and then nothing is left to write."""
_KINDS = tuple(CircuitKind)


class CircuitCopy:
    """What this instance knows of the breakers of the Cal.com at `address`."""

    def __init__(self, address: str, *, clock: Clock) -> None:
        self._address = address.rstrip("/")
        self._clock = clock
        self._breakers: dict[CircuitKind, tuple[int, Breaker]] = {}
        self._read_at: float | None = None

    def wanted(self) -> Sequence[Key]:
        """For `Table`: both keys, unless both were read just now."""
        return () if self.age_s() < KEPT_S else self.keys()

    def keys(self) -> Sequence[Key]:
        """Both keys."""
        return [self.key(kind) for kind in _KINDS]

    def key(self, kind: CircuitKind) -> Key:
        """The key of one."""
        return keys.circuit(self._address, kind.value)

    def take(self, found: Sequence[Item | None]) -> None:
        """Both were read."""
        try:
            self._breakers = {kind: _breaker(item) for kind, item in zip(_KINDS, found, strict=True)}
        except (KeyError, ValueError):
            self._breakers = {}  # another release wrote it: whoever read them on the way must not fail over that
        self._read_at = self._clock.monotonic()

    def take_one(self, kind: CircuitKind, version: int, breaker: Breaker) -> None:
        """One was seen, or written, beside the others."""
        self._breakers = self._breakers | {kind: (version, breaker)}

    def forget(self) -> None:
        """They cannot be read, so nothing is known of them; and that for as long as a copy is young."""
        self._breakers = {}
        self._read_at = self._clock.monotonic()

    def age_s(self) -> float:
        """Seconds since both were read, or tried."""
        return float("inf") if self._read_at is None else self._clock.monotonic() - self._read_at

    def of(self, kind: CircuitKind) -> tuple[int, Breaker]:
        """Version and breaker; 0: it was never written."""
        return self._breakers.get(kind, (0, Breaker()))


class DynamoCircuit:
    """The `Circuit` port on one table. `on_trouble` hears the name of what nobody expected and no caller may feel."""

    def __init__(
        self, table: Table, copy: CircuitCopy, *, ids: Ids, on_trouble: Callable[[str], None] = lambda _: None
    ) -> None:
        self._table = table
        self._copy = copy
        self._ids = ids
        self._on_trouble = on_trouble

    def known(self, kind: CircuitKind, *, deadline: Deadline) -> Breaker:
        if self._copy.age_s() >= _OLD_S:
            try:
                self._read(self._table.within(deadline.share(_MOST_S), limit_s=0.0))
            except StoreUnavailable:
                self._copy.forget()
            except Exception as error:  # noqa: BLE001 - a right that is missing is no reason not to serve a caller
                self._on_trouble(type(error).__name__)
                self._copy.forget()
        return self._copy.of(kind)[1]

    def read(self) -> Mapping[CircuitKind, Breaker]:
        self._read(self._table)
        return {kind: self._copy.of(kind)[1] for kind in _KINDS}

    def turn(
        self, kind: CircuitKind, step: Callable[[Breaker], Breaker | None], *, deadline: Deadline
    ) -> Turned | None:
        try:
            return self._turn(kind, step, self._table.within(deadline))
        except StoreUnavailable:
            raise
        except Exception as error:
            # Whoever asks has an answer of Cal.com in hand, and must not lose it over a count.
            self._on_trouble(type(error).__name__)
            raise StoreUnavailable(type(error).__name__) from error

    def _turn(self, kind: CircuitKind, step: Callable[[Breaker], Breaker | None], table: Table) -> Turned | None:
        mark = self._ids.new()
        version, before = self._copy.of(kind)
        for _ in range(_TRIES):
            after = step(before)
            if after is None:
                return None
            failed = table.update(Key=self._copy.key(kind), **_written(after, version, mark))
            if failed is None:
                self._copy.take_one(kind, version + 1, after)
                return Turned(before, after)
            in_the_way = failed.items[0]
            now_is = _breaker(in_the_way)
            self._copy.take_one(kind, *now_is)
            if in_the_way is not None and in_the_way["mark"]["S"] == mark:
                return Turned(before, now_is[1])  # botocore sent it twice, and the first one had arrived
            version, before = now_is
        raise StoreUnavailable("contention")

    def _read(self, table: Table) -> None:
        self._copy.take(table.get_all(self._copy.keys()))


def _written(breaker: Breaker, version: int, mark: str) -> dict[str, Any]:
    """The request that puts it in place of the version that was read; `mark` tells our write from everybody else's."""
    values: dict[str, Any] = {
        "ver": version + 1,
        "mark": mark,
        "state": breaker.state.value,
        "failures": breaker.failures,
        "counted_since": _text(breaker.counted_since),
        "since": _text(breaker.since),
        "until": _text(breaker.until),
        "pause": breaker.pause,
        "failed_at": _text(breaker.last.at) if breaker.last is not None else None,
        "failed_why": breaker.last.why if breaker.last is not None else None,
        "prober": breaker.prober,
    }
    there = {name: value for name, value in values.items() if value is not None}
    gone = [f"#{name}" for name, value in values.items() if value is None]
    put = "SET " + ", ".join(f"#{name} = :{name}" for name in there)
    return {
        "UpdateExpression": put + (f" REMOVE {', '.join(gone)}" if gone else ""),
        "ConditionExpression": "#ver = :read" if version else "attribute_not_exists(#ver)",
        "ExpressionAttributeNames": names(*values),
        "ExpressionAttributeValues": to_wire(
            {f":{name}": value for name, value in there.items()} | ({":read": version} if version else {})
        ),
    }


def _breaker(item: Item | None) -> tuple[int, Breaker]:
    if item is None:
        return 0, Breaker()
    plain = from_wire(item)
    failed_at = _instant(plain, "failed_at")
    return int(plain["ver"]), Breaker(
        state=CircuitState(plain["state"]),
        failures=int(plain["failures"]),
        counted_since=_instant(plain, "counted_since"),
        since=_instant(plain, "since"),
        until=_instant(plain, "until"),
        pause=int(plain["pause"]),
        last=Failure(failed_at, plain["failed_why"]) if failed_at is not None else None,
        prober=plain.get("prober"),
    )


def _text(moment: datetime | None) -> str | None:
    return items.text(moment) if moment is not None else None


def _instant(plain: Mapping[str, Any], name: str) -> datetime | None:
    return parse_instant(plain[name]) if name in plain else None
