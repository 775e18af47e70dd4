"""What Cal.com said is free, kept for a few seconds: one item a stylist, and a generation that says what is void.

Whoever changes something of a stylist at Cal.com raises the generation and empties the item in the transaction that
records the change (`Actions.forget_slots`); who only hears of a change does the same by itself (`forget`). An answer is
kept only on the generation that was read *before* Cal.com was asked: so what was read before a booking is never kept
after it, however slow its reader is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from bookend.adapters.dynamodb import items, keys
from bookend.adapters.dynamodb.actions import Actions, names
from bookend.adapters.dynamodb.items import to_wire
from bookend.adapters.dynamodb.keys import Item
from bookend.adapters.dynamodb.transact import Table
from bookend.application.deadline import Deadline
from bookend.application.ports import FreeStarts, Generation
from bookend.domain.availability import is_young, may_answer
from bookend.domain.timeslot import Slot

_PATIENCE_S = 0.1
"""How long a busy table is tried again: waiting longer than a few tries costs more than the answer is worth."""
_MOST_S = 0.5
"""How long a table that hangs is waited for: a check goes on without it."""
_MOST_STARTS = 2_500
"""A week of starts every five minutes, with room. More is not kept, so that an item stays far below its 400 kB."""


class DynamoSlotCache:
    """The `SlotCache` port on one table."""

    def __init__(self, table: Table, deadline: Deadline | None = None) -> None:
        self._table = table
        self._deadline = deadline

    def within(self, deadline: Deadline) -> DynamoSlotCache:
        return DynamoSlotCache(self._table, deadline)

    def read(
        self, tenant: str, event_types: Mapping[str, int], window: Slot, *, now: datetime
    ) -> tuple[Mapping[str, FreeStarts], Mapping[str, Generation]]:
        found = self._hurried().get_all([keys.slots(tenant, staff) for staff in event_types])
        kept = dict(zip(event_types, found, strict=True))
        fresh = {}
        for staff, event_type in event_types.items():
            answer = _usable(kept[staff], event_type, window, now=now)
            if answer is not None:
                fresh[staff] = answer
        return fresh, {staff: _generation(item, now=now) for staff, item in kept.items()}

    def store(
        self,
        tenant: str,
        staff: str,
        event_type: int,
        window: Slot,
        answer: FreeStarts,
        *,
        generation: Generation,
        now: datetime,
    ) -> None:
        if len(answer.starts) > _MOST_STARTS:
            return
        key, entry = keys.slots(tenant, staff), items.answer_to_wire(window, answer)
        ttl = items.epoch(now) + items.SLOTS_ITEM_KEPT_S
        if generation.number is None:
            self._hurried().update(
                Key=key,
                UpdateExpression="SET #gen = :zero, #types = :types, #ttl = :ttl",
                ConditionExpression="attribute_not_exists(#gen)",
                ExpressionAttributeNames=names("gen", "types", "ttl"),
                ExpressionAttributeValues=to_wire({":zero": 0, ":ttl": ttl})
                | {":types": {"M": {str(event_type): entry}}},
            )
            return
        outlived = [each for each in generation.outlived if each != event_type]  # one path cannot be both set and gone
        aliases = {f"o{number}": str(each) for number, each in enumerate(outlived)}
        gone = ", ".join(f"#types.#{alias}" for alias in aliases)
        self._hurried().update(
            Key=key,
            UpdateExpression="SET #types.#et = :entry, #ttl = :ttl" + (f" REMOVE {gone}" if gone else ""),
            ConditionExpression="#gen = :gen",
            ExpressionAttributeNames=names("gen", "types", "ttl", et=str(event_type), **aliases),
            ExpressionAttributeValues=to_wire({":gen": generation.number, ":ttl": ttl}) | {":entry": entry},
        )

    def forget(self, tenant: str, staff: str) -> None:
        table = self._table if self._deadline is None else self._table.within(self._deadline)
        table.write([Actions(table.name).forget_slots(tenant, staff)])  # patient: it is no check that could do without

    def _hurried(self) -> Table:
        if self._deadline is None:
            return self._table
        return self._table.within(self._deadline.share(_MOST_S), limit_s=_PATIENCE_S)


def _usable(item: Item | None, event_type: int, window: Slot, *, now: datetime) -> FreeStarts | None:
    """What of the kept answer lies in the window asked for; None unless it is young and covers all of it."""
    entry = item["types"]["M"].get(str(event_type)) if item is not None else None
    if entry is None:
        return None
    asked, answer = items.answer_from_wire(entry)
    if not may_answer(asked, answer.read_at, window, now=now):
        return None
    return replace(answer, starts=tuple(each for each in answer.starts if window.start <= each < window.end))


def _generation(item: Item | None, *, now: datetime) -> Generation:
    if item is None:
        return Generation(None)
    kept = item["types"]["M"].items()
    outlived = (int(each) for each, entry in kept if not is_young(items.answer_read_at(entry), now=now))
    return Generation(int(item["gen"]["N"]), tuple(outlived))
