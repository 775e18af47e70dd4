"""What a full run over equal sides costs, by size: `python -m benchmarks.reconciliation [--large]`.

Cal.com and the table are in memory; the seconds are those of the processor, without what the stand-in for Cal.com
takes (it goes through all of its bookings for each page). Exit status 1 if a run asks for more pages than the
bookings need, or if a larger salon costs more per booking than a smaller one.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from itertools import pairwise

from bookend.application.budget import Limits
from bookend.application.deadline import Deadline
from bookend.application.ports import CalendarTrouble, ListQuery, Page
from bookend.application.reconciling import DAYS_AHEAD
from tests.support.seeded import SeededWorld

QUICK = (250, 2_500)
LARGE = (*QUICK, 25_000)
ROWS = 250
FEWEST_STEPS = 3
"""A list reaches over a month at most."""
_NO_LIMIT = Limits(requests=100_000)
_SLACK = 2.0
"""How much dearer a booking may be in a larger salon, before it is more than noise and fuller pages."""


@dataclass(frozen=True)
class Cost:
    """Of one run. `table` are requests to the table."""

    size: int
    requests: int
    pages: int
    table: int
    seconds: float

    def per_thousand(self, what: float) -> float:
        return what * 1000 / self.size


def main(arguments: list[str]) -> int:
    """Measure, print, judge."""
    costs = [measured(size) for size in (LARGE if "--large" in arguments else QUICK)]
    print(f"{'bookings':>9}{'requests':>10}{'pages':>7}{'table':>7}{'seconds':>9}   per 1,000 bookings: ", end="")
    print(f"{'pages':>7}{'table':>8}{'seconds':>9}")
    for each in costs:
        print(f"{each.size:9}{each.requests:10}{each.pages:7}{each.table:7}{each.seconds:9.2f}{'':24}", end="")
        ratios = (each.per_thousand(each.pages), each.per_thousand(each.table), each.per_thousand(each.seconds))
        print(f"{ratios[0]:7.1f}{ratios[1]:8.1f}{ratios[2]:9.2f}")
    problems = [*_too_many(costs), *_not_linear(costs)]
    for problem in problems:
        print(f"OVER BUDGET  {problem}")
    return 1 if problems else 0


def measured(size: int) -> Cost:
    """A salon that nothing is wrong with, gone through once."""
    world = SeededWorld.grown(size, days=DAYS_AHEAD)
    world.client.requests.clear()
    page, theirs = world.calendar.page, 0.0

    def timed(query: ListQuery, *, skip: int, deadline: Deadline) -> Page | CalendarTrouble:
        nonlocal theirs
        asked = time.process_time()
        answer = page(query, skip=skip, deadline=deadline)
        theirs += time.process_time() - asked
        return answer

    world.calendar.page = timed
    began = time.process_time()
    report = world.once(world.full(), limits=_NO_LIMIT, seconds=3_600)
    seconds = time.process_time() - began - theirs
    if not report.done or report.findings or report.tally["ours"] != size:
        raise AssertionError(report)
    return Cost(size, report.requests, report.pages, world.client.requests.total(), seconds)


def _too_many(costs: list[Cost]) -> list[str]:
    """A step is made to fit into a page; a day that does not needs two, with the evening that is listed twice."""
    return [
        f"{each.size}: {each.requests} requests, {each.pages} pages"
        for each in costs
        if each.requests != each.pages or each.pages > 2 * each.size / ROWS + FEWEST_STEPS
    ]


def _not_linear(costs: list[Cost]) -> list[str]:
    problems = []
    for small, large in pairwise(costs):
        for what in ("pages", "table", "seconds"):
            dearer = large.per_thousand(getattr(large, what)) / small.per_thousand(getattr(small, what))
            if dearer > _SLACK:
                problems.append(f"{what}: {large.size} bookings cost {dearer:.1f} times as much each as {small.size}")
    return problems


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
