"""The table's indexes as their readers see them: each write is in them a while later than in the table.

The table in memory keeps its own indexes true, so what a reader gets can be compared with what there is. Items follow
one by one, each in the order of its own writes, as AWS has it: two that were written together may come apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from tests.support.tables.memory import _Table
from tests.support.tables.values import comparable

Key = tuple[Any, ...]
Item = Mapping[str, Any]


@dataclass
class _Shown:
    """One index as it is shown: its partitions, and for each item what is on its way."""

    names: tuple[str, ...]
    partitions: dict[Any, dict[Key, Item]] = field(default_factory=dict)
    items: dict[Key, Item] = field(default_factory=dict)
    coming: dict[Key, list[tuple[float, Item | None]]] = field(default_factory=dict)

    def is_in(self, item: Item | None) -> bool:
        """Sparse: an item without all of the index's keys is not in it."""
        return item is not None and all(name in item for name in self.names)

    def take(self, key: Key, item: Item | None) -> None:
        old = self.items.pop(key, None)
        if old is not None:
            self.partitions[comparable(old[self.names[0]])].pop(key)
        if item is not None and self.is_in(item):
            self.items[key] = item
            self.partitions.setdefault(comparable(item[self.names[0]]), {})[key] = item


class LaggingIndexes:
    """`lag` says of the write that is being applied how many seconds later an index has it."""

    def __init__(self, table: _Table, *, now: Callable[[], float], lag: Callable[[str], float]) -> None:
        self._table, self._now, self._lag = table, now, lag
        self._shown = {name: _Shown(index.keys) for name, index in table.indexes.items()}
        self._store = table.store
        table.store = self._stored  # type: ignore[method-assign]

    def _stored(self, key: Key, new: Item | None) -> None:
        old = self._table.items.get(key)
        self._store(key, new)  # type: ignore[arg-type]
        for name, shown in self._shown.items():
            if not shown.is_in(old) and not shown.is_in(new):
                continue
            coming = shown.coming.get(key)
            at = self._now() + (self._lag(name) if _differs(shown, old, new) else 0.0)
            if coming:
                coming.append((max(at, coming[-1][0]), new))
            elif at <= self._now():
                shown.take(key, new)
            else:
                shown.coming[key] = [(at, new)]

    def held_by(self, name: str) -> list[Item]:
        """The items behind an index, as it has them."""
        return list(self._shown[name].items.values())

    @contextmanager
    def as_shown(self, name: str) -> Iterator[bool]:
        """Within it the index of that name is as its readers see it now; whether that may be less than there is."""
        shown, now = self._shown[name], self._now()
        for key in list(shown.coming):
            coming = shown.coming[key]
            while coming and coming[0][0] <= now:
                shown.take(key, coming.pop(0)[1])
            if not coming:
                del shown.coming[key]
        true = self._table.indexes[name]
        self._table.indexes[name] = replace(true, partitions=shown.partitions)
        try:
            yield bool(shown.coming)
        finally:
            self._table.indexes[name] = true


def _differs(shown: _Shown, old: Item | None, new: Item | None) -> bool:
    """Whether the index would be another: in it or not, or in another place."""
    if not shown.is_in(old) or not shown.is_in(new) or old is None or new is None:
        return True
    return any(old[name] != new[name] for name in shown.names)
