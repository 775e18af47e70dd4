"""Prints one line a turn: requests at Cal.com and at the table, and the ratio of the turn to one answer of Cal.com.

The counts are held against the budget of each turn; exit status 1 if one is exceeded. The ratios are only shown: how
fast a machine is says nothing about the code. One is held too: three bookings at once take little longer than one.
Cal.com is the stand-in, slowed down to what the real one takes.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from benchmarks import health, reconciliation
from benchmarks.turns import KINDS, ONE_BOOKING, SLOTS, THREE_BOOKINGS, TURNS, Turn
from bookend.application.deadline import Deadline
from bookend.domain.timeslot import local_day_bounds
from sandbox.calcom import Fault, FaultKind, FaultPlan, Rule
from tests.races.live import LiveSalon, live_salon

CALCOM_S = 0.3
ROUNDS = 3
MOST_FOR_THREE = 1.3
"""How long a composite of three bookings may take, as a multiple of a single one."""
_SLOW = FaultPlan(rules=[Rule(Fault(FaultKind.SLOW, seconds=CALCOM_S), method="*", path="*", times=0)])


@dataclass
class Measured:
    """What a turn made, the same in every round, and how long each round took."""

    calcom: Counter[str] = field(default_factory=Counter)
    table: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def main() -> int:
    """Measure, print, judge."""
    with live_salon() as live:
        measured = {turn: _measure(live, turn) for turn in TURNS}
        one_answer = statistics.median(_one_answer(live) for _ in range(ROUNDS))
    print(f"{'turn':21}{'Cal.com':32}{'table':66}turn / one answer of Cal.com ({one_answer * 1000:.0f} ms)")
    for turn, each in measured.items():
        calcom = ", ".join(f"{count} {KINDS.get(kind, kind)}" for kind, count in each.calcom.items()) or "-"
        kinds = ", ".join(f"{count} {kind}" for kind, count in each.table.items())
        ratio = statistics.median(each.seconds) / one_answer
        print(f"{turn.name:21}{calcom:32}{f'{each.table.total()}: {kinds}':66}{ratio:5.2f}")
    problems = [f"{turn.name}: {problem}" for turn, each in measured.items() for problem in each.problems]
    one, three = (statistics.median(measured[turn].seconds) for turn in (ONE_BOOKING, THREE_BOOKINGS))
    print(f"three bookings of a composite took {three / one:.2f} times as long as one")
    if three > one * MOST_FOR_THREE:
        problems.append(f"{THREE_BOOKINGS.name}: {three / one:.2f} times a single booking, {MOST_FOR_THREE} allowed")
    for problem in problems:
        print(f"OVER BUDGET  {problem}")
    print()
    dear = [reconciliation.main([]), health.main(["--large"])]
    return 1 if any(dear) or problems else 0


def _measure(live: LiveSalon, turn: Turn) -> Measured:
    """Each round in an empty salon; Cal.com is slow for the measured turn only."""
    found = Measured()
    for _ in range(ROUNDS):
        live.calcom.faults = FaultPlan()
        live.new_round()
        run = turn.prepare(live)
        live.forget_traffic()
        live.calcom.faults = _SLOW
        began = time.monotonic()
        outcome = run()
        found.seconds.append(time.monotonic() - began)
        if not isinstance(outcome, turn.outcome):
            found.problems.append(f"came to {type(outcome).__name__}, not to {turn.outcome.__name__}")
        calcom, table = Counter(live.calcom.gateway.counts()), Counter(live.traffic.requests)
        found.calcom |= calcom
        found.table |= table
        over = calcom - Counter(turn.budget.calcom)
        found.problems += [f"{count} x {kind} too many" for kind, count in over.items()]
        if table.total() > turn.budget.table:
            found.problems.append(f"{table.total()} requests to the table, {turn.budget.table} allowed")
        if not _at_once(live):
            found.problems.append("stylists are asked about one after the other")
    return found


def _at_once(live: LiveSalon) -> bool:
    """Whether the last question for slots arrived before the first one can have been answered."""
    arrived = [
        datetime.fromisoformat(each["at"])
        for each in live.calcom.gateway.log()
        if f"{each['method']} {each['template']}" == SLOTS
    ]
    return not arrived or (max(arrived) - min(arrived)).total_seconds() < CALCOM_S


def _one_answer(live: LiveSalon) -> float:
    """What one question to the slowed Cal.com takes through our client."""
    turn = live.phone("call_1", caller=None).turn(10.0)
    event_types = {"fabian": live.tenant.services[0].segments[0].event_types["fabian"]}
    began = time.monotonic()
    turn.calendar.free_starts(
        event_types, local_day_bounds(live.day(), live.tenant.zone), deadline=Deadline.within(10.0, live.clock)
    )
    return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
