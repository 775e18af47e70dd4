"""The table's stream and who writes the audit log from it; and whether the log is whole once all is told.

Appointments and records of repairs are told, as the template's filter has it: in order within a shard, at least once,
in batches that may come late, twice at the same time, or be taken in part. Who has a batch may die over it.
"""

from __future__ import annotations

import itertools
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.audit_trail import DynamoAuditedState, DynamoAuditTrail
from bookend.adapters.dynamodb.items import from_wire
from bookend.adapters.dynamodb.stream import read_record
from bookend.adapters.dynamodb.transact import Table
from bookend.application.alerts import job_failed
from bookend.application.auditing import AuditKeys, Recorded, record, verify_all
from bookend.application.deadline import ONE_S
from bookend.application.ports import StoreUnavailable
from bookend.domain.audit_chain import AuditKind
from bookend.domain.health import tallied
from tests.simulation.plan import Rates
from tests.simulation.store import TABLE
from tests.support.salon import StoppedClock
from tests.support.stream import AUDIT, SECRET, Record, Stream, audit_table

if TYPE_CHECKING:
    from tests.simulation.salon import SimulatedSalon

SHARDS, BATCH, HANDLER_S = 2, 25, 60.0
KEYS = AuditKeys.of([SECRET])
_VERSIONED = frozenset({AuditKind.CREATED, AuditKind.CHANGED})

AUDITOR = "audit"
"""Who takes in the table's stream."""


class _Told(Stream):
    """What the mapping's filter lets through, handed on in the instant of its write."""

    def __init__(self, client: Any, now: Callable[[], Any], take: Callable[[Record], None]) -> None:
        super().__init__(client, TABLE, now)
        self._take = take

    def _stored(self, key: Any, new: Any) -> None:
        place = new or self._held.items.get(key)
        if place is None or not (place["sk"]["S"] == keys.APPOINTMENT or place["pk"]["S"].endswith("#AUDIT")):
            self._store(key, new)
            return
        super()._stored(key, new)
        while self.records:
            self._take(self.records.pop(0))


@dataclass
class _Shard:
    """What is still to be told, and whether somebody is at it; after a death half as much at once."""

    records: deque[Record] = field(default_factory=deque)
    busy: bool = False
    most: int = BATCH
    tries: Counter[str] = field(default_factory=Counter)


class AuditStream:
    """The mapping between the stream and `functions/audit_trail`."""

    def __init__(self, salon: SimulatedSalon, rates: Callable[[], Rates]) -> None:
        self.salon, self.rates, self.baton, self.saw = salon, rates, salon.baton, salon.watch.saw
        self.shards = [_Shard() for _ in range(SHARDS)]
        audit_table(salon.table)
        _Told(salon.table, self.baton.now, self._take)

    def _take(self, told: Record) -> None:
        shard = self.shards[zlib.crc32(told["dynamodb"]["Keys"]["pk"]["S"].encode()) % SHARDS]
        shard.records.append(told)
        if not shard.busy:
            self._hand_out(shard)

    def _hand_out(self, shard: _Shard) -> None:
        """The next batch, soon. Dice go by what it begins with: without some of the actors the others' are the same."""
        shard.busy = True
        first = _name(shard.records[0])
        shard.tries[first] += 1
        name, rates = f"{AUDITOR}/{first}.{shard.tries[first]}", self.rates()
        dice = self.baton.dice(name)
        after = dice.uniform(0.1, 0.6)
        if dice.random() < rates.stream_late and self.baton.strikes(f"{name}:late"):
            after = dice.uniform(5.0, max(5.1, rates.stream_late_s))
            self.saw["a batch of the stream that was late"] += 1
        twice = dice.random() < rates.stream_doubled and self.baton.strikes(f"{name}:twice")
        stops = dice.random() < rates.stream_partial and self.baton.strikes(f"{name}:in part")
        at = dice.random() if stops else 1.0
        again = dice.uniform(0.0, 2.0) if twice else None
        self.baton.spawn(name, lambda: self._deliver(shard, again, at), after=after)

    def _deliver(self, shard: _Shard, again: float | None, until: float) -> None:
        """One batch. `again`: the same comes once more so many seconds later, beside or after this; `until`: the share
        of it after which the keys are not to be had.
        """
        batch = list(shard.records)[: shard.most]
        if again is not None:
            self.saw["a batch of the stream that came twice"] += 1
            self.baton.child("twice", lambda: self._handle(batch), after=again)
        done, died = 0, True
        try:
            done = self._handle(batch, 1 if until == 1.0 else until)
            died = False
        finally:
            self.saw["who had a batch of the stream died"] += died
            self.saw["a batch of the stream taken in part"] += 0 < done < len(batch)
            for _ in range(done):
                shard.records.popleft()
            shard.most = max(1, len(batch) // 2) if died else BATCH
            shard.busy = False
            if shard.records:
                self._hand_out(shard)

    def _handle(self, batch: Sequence[Record], until: float = 1.0) -> int:
        """As `functions/audit_trail` does with one batch: how many are recorded."""
        ends, baton = self.baton.at + HANDLER_S, self.baton
        with self.salon.instance() as instance:
            table = instance.table.patient()
            trail = DynamoAuditTrail(table.called(AUDIT), table)
            for number, told in enumerate(batch):
                if ends - baton.at <= ONE_S + 1 or (until < 1.0 and number >= until * len(batch)):
                    return number
                try:
                    happened = read_record(told, KEYS.newest.mark)
                    if happened is not None and record(happened, trail=trail, keys=KEYS) is Recorded.KNOWN:
                        self.saw["told of what was in the log already"] += 1
                except StoreUnavailable:
                    return number
                except Exception as error:  # noqa: BLE001 - as the function does: it ends the run here
                    self.salon.alerts.raise_(job_failed("audit", str(told["eventID"]), error))
                    return number
        return len(batch)


def unsound_log(salon: SimulatedSalon, stream: AuditStream) -> Iterator[str]:
    """A1 all was told, and the chains hold; A2 each version has one entry; A3 what is counted was counted once."""
    waiting = sum(len(shard.records) for shard in stream.shards)
    if waiting:
        yield f"A1 {waiting} records of the stream are not recorded"
    clock = StoppedClock(salon.baton.now())  # nothing comes any more
    table = Table(salon.table, TABLE, clock=clock)
    trail, tenant = DynamoAuditTrail(table.called(AUDIT), table), salon.tenant.id
    found = verify_all(tenant, trail=trail, state=DynamoAuditedState(table), keys=KEYS, clock=clock)
    yield from (f"A1 {each.appointment}: {each.flaw} {each.place} {each.detail}" for each in found.findings)
    counted: Counter[str] = Counter()
    for name, rows in trail.chains(tenant):
        told = [row.entry.version for row in rows if row.entry is not None and row.entry.kind in _VERSIONED]
        now_is = salon.table.row(keys.appointment(tenant, name))
        version = int(now_is["ver"]["N"]) if now_is is not None else 0
        if told != [*range(1, version + 1)]:
            yield f"A2 {name} is at version {version}, and its entries are {told}"
    for history in salon.watch.history.values():
        states = [None, *(each for _, each in history)]
        for before, after in itertools.pairwise(states):
            counted.update(tallied(before, after))
    kept: Counter[str] = Counter()
    for row in salon.table.rows(f"T#{tenant}#HEALTH"):
        kept.update({name: int(each) for name, each in from_wire(row).items() if name not in {"pk", "sk", "ttl"}})
    if +counted != +kept:
        yield f"A3 {dict(counted - kept)} were not counted, {dict(kept - counted)} more than once"
    salon.watch.saw["chains that hold"] += found.chains


def _name(told: Record) -> str:
    """Of a record, by whose doing it is and not by how many there were before."""
    change = told["dynamodb"]
    place = change["Keys"]
    if place["sk"]["S"] != keys.APPOINTMENT:
        return f"repair-{zlib.crc32(place['sk']['S'].encode()):08x}"
    version = change.get("NewImage", {}).get("ver", {"N": "0"})["N"]
    return f"{place['pk']['S'].rpartition('#')[2][:6]}v{version}"
