"""Many callers of one stylist at the same moment, who want plain and composite services: who wants what, from a seed.

wishes = wishes_of(document, callers=50, seed=1, day=date(2025, 11, 24))
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import combinations
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

Json = dict[str, Any]
STYLIST = "fabian"
SERVICES = ("herrenhaarschnitt", "damenhaarschnitt", "dauerwelle", "straehnen")
"""30 minutes; 45; two bookings; four bookings."""
OPENS = 8
_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True)
class Part:
    """One booking that a service needs."""

    event_type: int
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Wish:
    """What one caller wants, and what Cal.com would have to hold for it."""

    caller: int
    service: str
    start: datetime
    parts: tuple[Part, ...]


def wishes_of(document: Json, *, callers: int, seed: int, day: date) -> list[Wish]:
    """All services in turn, at quarter hours drawn from so short a time that most callers are in each other's way.

    The first two are 30 and 45 minutes at the same start: the pair that Cal.com was seen to accept every time (22).
    """
    dice, zone = random.Random(f"load:{seed}:{callers}"), ZoneInfo(document["zone"])
    services = {each["id"]: each for each in document["services"]}
    quarters = [quarter * 15 for quarter in range(min(4 * 11, max(1, callers - 1)))]
    found = []
    for caller in range(callers):
        minutes = quarters[0] if caller < 2 else dice.choice(quarters)
        start = datetime.combine(day, time(OPENS), zone) + timedelta(minutes=minutes)
        service = services[SERVICES[caller % len(SERVICES)]]
        found.append(Wish(caller, service["name"], start, tuple(_parts(service, start))))
    return found


def _parts(service: Json, start: datetime) -> Iterable[Part]:
    """The bookings of a service whose gaps are as long as they are by default."""
    for each in service.get("segments", [service | {"kind": "busy"}]):
        end = start + timedelta(minutes=each["minutes"])
        if each["kind"] == "busy":
            yield Part(each["event_types"][STYLIST], start, end)
        start = end


def overlapping(times: Sequence[tuple[datetime, datetime]]) -> list[tuple[int, int]]:
    """The pairs that share a moment, by position."""
    return [
        (one, other)
        for one, other in combinations(range(len(times)), 2)
        if times[one][0] < times[other][1] and times[other][0] < times[one][1]
    ]


def at_once(work: Callable[[_T], _R], many: Sequence[_T], *, inside: int | None = None) -> list[_R]:
    """Each in a thread of its own, let go at the same moment; `inside`: at most so many of them at a time."""
    ready, room = threading.Barrier(len(many)), threading.Semaphore(inside or len(many))
    results: dict[int, Any] = {}

    def run(position: int) -> None:
        ready.wait()
        try:
            with room:
                results[position] = work(many[position])
        except Exception as error:  # noqa: BLE001 - raised again below, in the thread that reads it
            results[position] = error

    threads = [threading.Thread(target=run, args=(position,), daemon=True) for position in range(len(many))]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for each in results.values():
        if isinstance(each, Exception):
            raise each
    return [results[position] for position in range(len(many))]


def added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Sums by name, in the order of first mention."""
    total: dict[str, int] = {}
    for each in counts:
        for name, number in each.items():
            total[name] = total.get(name, 0) + number
    return total
