"""The fault plan: which request goes wrong, and how. Seeded, so that a run can be repeated.

A plan has *rules* ("the n-th matching request gets this fault") and *rates* (each request may get one by chance).
Rules come first, in order; a request gets at most one fault. All seconds are real seconds.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from .models import Json
from .webhooks import WebhookPlan


class FaultKind(StrEnum):
    ERROR_500_BEFORE = "error_500_before"
    """Raw 500, nothing happened."""
    ERROR_500_SHORT = "error_500_short"
    """500 in the short envelope, nothing happened: the database is away (36d-36f)."""
    ERROR_500_AFTER = "error_500_after"
    """Raw 500 although it is done (29a, 29g)."""
    TIMEOUT_BEFORE = "timeout_before"
    """Never answers, nothing happens."""
    TIMEOUT_AFTER = "timeout_after"
    """Done, never answers (28a)."""
    TIMEOUT_DELAYED = "timeout_delayed"
    """Never answers; done `seconds` later (36b, 36c2)."""
    EXISTING_RETURNED = "existing_returned"
    """Create answers `status` (default 201) with an existing booking of the same event type and start, or `uid`."""
    REFUSE_TAKEN = "refuse_taken"
    """400 "User either..." (`message="hosts"`: "One of the hosts...")."""
    CONFLICT_409_RAW = "conflict_409_raw"
    DB_400_RAW = "db_400_raw"
    RATE_LIMITED_429 = "rate_limited_429"
    HTML_524 = "html_524"
    """The edge gives up; with `effect` it is done all the same."""
    HTML_502 = "html_502"
    SLOW = "slow"
    """The right answer, `seconds` late."""
    WRONG_END = "wrong_end"
    """The stored booking is `minutes` longer."""
    WRONG_HOST = "wrong_host"
    """The stored booking is another host's (`host_id`, or the first other user)."""
    DROP_METADATA = "drop_metadata"
    CONNECTION_RESET = "connection_reset"
    """TCP reset; with `effect` it is done all the same."""
    REPLICA_LAG = "replica_lag"
    """What this request writes is seen by list, get, cancel only `seconds` (of the world's clock) later."""
    STALE_SLOTS = "stale_slots"
    """The slots as they were `seconds` (of the world's clock) ago."""
    NOT_JSON_2XX = "not_json_2xx"
    """Done, 2xx, but the body is cut off in the middle."""
    NO_UID_2XX = "no_uid_2xx"
    """Done, 2xx, but without id and uid."""


# Kinds that make sense only for requests that write.
WRITES_ONLY = frozenset(
    {
        FaultKind.ERROR_500_AFTER,
        FaultKind.TIMEOUT_AFTER,
        FaultKind.TIMEOUT_DELAYED,
        FaultKind.EXISTING_RETURNED,
        FaultKind.REFUSE_TAKEN,
        FaultKind.CONFLICT_409_RAW,
        FaultKind.DB_400_RAW,
        FaultKind.WRONG_END,
        FaultKind.WRONG_HOST,
        FaultKind.DROP_METADATA,
        FaultKind.REPLICA_LAG,
        FaultKind.NOT_JSON_2XX,
        FaultKind.NO_UID_2XX,
    }
)
# Kinds that by chance hit only POST /v2/bookings and reschedules, because elsewhere Cal.com never says such a thing.
BOOKS_ONLY = frozenset(
    {
        FaultKind.EXISTING_RETURNED,
        FaultKind.REFUSE_TAKEN,
        FaultKind.CONFLICT_409_RAW,
        FaultKind.DB_400_RAW,
        FaultKind.WRONG_END,
        FaultKind.WRONG_HOST,
        FaultKind.DROP_METADATA,
    }
)
CREATE = "/v2/bookings"
RESCHEDULE = "/v2/bookings/{uid}/reschedule"
SLOTS = "/v2/slots"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault with its parameters; each kind uses those its description names."""

    kind: FaultKind
    seconds: float = 0.3
    effect: bool = False
    status: int | None = None
    uid: str | None = None
    minutes: int = 15
    host_id: int | None = None
    message: str = "user"

    @classmethod
    def from_json(cls, data: Json | str) -> Fault:
        if isinstance(data, str):
            return cls(FaultKind(data))
        return cls(**{**data, "kind": FaultKind(data["kind"])})


@dataclass(frozen=True, slots=True)
class Seen:
    """What a rule may look at."""

    method: str
    template: str
    """E.g. `/v2/bookings/{uid}/cancel`."""
    uid: str | None
    """The id in the path."""
    body: Json


@dataclass(frozen=True, slots=True)
class Rule:
    """ "The `nth` matching request (counted from 1) and the `times - 1` after it get `fault`".

    `where`: dotted path into the body (or `uid` of the path) -> value that must be equal, e.g.
    `{"metadata.call_id": "call_1"}`. `times=0` = all from the n-th on. `predicate` only in process.
    """

    fault: Fault
    method: str = "POST"
    path: str = CREATE
    nth: int = 1
    times: int = 1
    where: Mapping[str, Any] = field(default_factory=dict)
    predicate: Callable[[Seen], bool] | None = None

    @classmethod
    def from_json(cls, data: Json) -> Rule:
        return cls(**{**data, "fault": Fault.from_json(data["fault"])})

    def matches(self, seen: Seen) -> bool:
        return (
            self.method in ("*", seen.method)
            and self.path in ("*", seen.template)
            and all(_dig(seen, path) == value for path, value in self.where.items())
            and (self.predicate is None or self.predicate(seen))
        )


def _dig(seen: Seen, path: str) -> Any:
    if path == "uid":
        return seen.uid
    value: Any = seen.body
    for step in path.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value


@dataclass
class FaultPlan:
    """`rates`: kind -> 0..1 chance per request that the kind can hit. `parameters`: kind -> fields of its Fault."""

    seed: int = 0
    rates: Mapping[str, float] = field(default_factory=dict)
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rules: Sequence[Rule] = ()
    webhooks: WebhookPlan | None = None

    def __post_init__(self) -> None:
        for kind in (*self.rates, *self.parameters):
            FaultKind(kind)
        self._lock = threading.Lock()
        self._rule_hits: Counter[int] = Counter()
        self._requests: Counter[tuple[str, str]] = Counter()

    @classmethod
    def from_json(cls, data: Json) -> FaultPlan:
        """`{"seed", "rates": {kind: rate}, "parameters": {kind: {...}}, "rules": [...], "webhooks": {...}}`."""
        webhooks = WebhookPlan(**data["webhooks"]) if data.get("webhooks") else None
        return cls(
            seed=int(data.get("seed", 0)),
            rates=dict(data.get("rates", {})),
            parameters=dict(data.get("parameters", {})),
            rules=[Rule.from_json(r) for r in data.get("rules", ())],
            webhooks=webhooks,
        )

    def pick(self, seen: Seen) -> Fault | None:
        """The fault of this request, if any. Counts the request."""
        with self._lock:
            chosen: Fault | None = None
            for number, rule in enumerate(self.rules):
                if not rule.matches(seen):
                    continue
                self._rule_hits[number] += 1
                hit = self._rule_hits[number] - rule.nth
                if chosen is None and hit >= 0 and (rule.times == 0 or hit < rule.times):
                    chosen = rule.fault
            self._requests[seen.method, seen.template] += 1
            nth = self._requests[seen.method, seen.template]
        return chosen or self._by_chance(seen, nth)

    def _by_chance(self, seen: Seen, nth: int) -> Fault | None:
        """One draw per request, of its own number, so that interleaving with other paths changes nothing."""
        if not self.rates:
            return None
        draw = random.Random(f"fault:{self.seed}:{seen.method}:{seen.template}:{nth}").random()
        for name, rate in self.rates.items():
            kind = FaultKind(name)
            if not _can_hit(kind, seen):
                continue
            if draw < rate:
                return Fault(kind, **self.parameters.get(name, {}))
            draw -= rate
        return None


def _can_hit(kind: FaultKind, seen: Seen) -> bool:
    if kind is FaultKind.EXISTING_RETURNED:
        return seen.method == "POST" and seen.template == CREATE
    if kind in BOOKS_ONLY:
        return seen.method == "POST" and seen.template in (CREATE, RESCHEDULE)
    if kind is FaultKind.STALE_SLOTS:
        return seen.template == SLOTS
    return seen.method != "GET" or kind not in WRITES_ONLY
