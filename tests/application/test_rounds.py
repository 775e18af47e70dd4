"""The rounds over all tenants: who comes first, what goes on, and that nobody keeps the others waiting."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bookend.adapters.tenants.document import read_tenant
from bookend.application.background import Background
from bookend.application.budget import REQUESTS
from bookend.application.deadline import Deadline
from bookend.application.findings import Report, Stopped
from bookend.application.ports import Job, Run, RunKind, StoreUnavailable
from bookend.application.reconciling import DAYS_AHEAD, DAYS_BACK
from bookend.application.rounds import NIGHT_MISSED, reconcile_every_tenant
from bookend.domain.appointment import AppointmentState
from tests.support.salon import EXAMPLE
from tests.support.seeded import SeededWorld


@dataclass
class Listed:
    """The `Tenants` port, as far as the rounds use it."""

    names: list[str]

    def every(self) -> Sequence[str]:
        return list(self.names)


@dataclass
class Rounds:
    """Several salons in one table and one calendar; `asked_for` are those whose ports were built, in order."""

    world: SeededWorld
    names: list[str] = field(default_factory=lambda: ["friseur1"])
    asked_for: list[str] = field(default_factory=list)
    strangers: set[str] = field(default_factory=set)
    broken: set[str] = field(default_factory=set)
    crashing: set[str] = field(default_factory=set)
    due: list[Job] | None = None

    def background(self, tenant: str, deadline: Deadline) -> Background | None:
        self.asked_for.append(tenant)
        if tenant in self.strangers:
            return None
        if tenant in self.crashing:
            raise RuntimeError
        if tenant in self.broken:
            self.world.calendar.list_faults.append(_breaks)
        work = replace(self.world.work(), deadline=deadline)
        if tenant == self.world.tenant.id:
            return work
        return replace(work, tenant=read_tenant(json.dumps(json.loads(EXAMPLE.read_bytes()) | {"id": tenant})))

    def go(self, *, nightly: bool = False, seconds: float = 295.0) -> list[tuple[str, Report]]:
        """One round."""
        return list(
            reconcile_every_tenant(
                tenants=Listed(self.names),
                runs=self.world.runs,
                due_work=self.world.due_work if self.due is None else Due(self.due),
                background=self.background,
                alerts=self.world.alerts,
                clock=self.world.clock,
                deadline=Deadline.within(seconds, self.world.clock),
                nightly=nightly,
            )
        )


@dataclass
class Due:
    """The `DueWork` port."""

    jobs: list[Job]

    def due(self, *, now: datetime, most: int) -> list[Job]:
        return self.jobs[:most]


def _breaks(*_: Any) -> Any:
    raise StoreUnavailable


def kinds(reports: list[tuple[str, Report]]) -> list[tuple[str, str]]:
    return [(tenant, report.kind.value) for tenant, report in reports]


def rounds(size: int = 12, **more: Any) -> Rounds:
    """Each salon's last full run began an hour ago."""
    return seen_at_night(Rounds(SeededWorld.grown(size, days=2), **more))


def seen_at_night(here: Rounds, *, ago: timedelta = timedelta(hours=1)) -> Rounds:
    now = here.world.clock.now()
    for tenant in here.names:
        assert here.world.runs.keep(tenant, Run(kind=RunKind.FULL, started=now - ago), done=True, now=now)
    return here


@pytest.mark.parametrize(("ago", "begun"), [(NIGHT_MISSED, False), (NIGHT_MISSED + timedelta(seconds=1), True)])
def test_a_night_that_was_missed_is_made_up_for_by_the_next_round(ago: timedelta, begun: bool) -> None:
    here = seen_at_night(Rounds(SeededWorld.grown(12, days=2)), ago=ago)
    assert [kind for _, kind in kinds(here.go())] == (["poll", "full"] if begun else ["poll"])
    if begun:
        here.world.clock.advance(300)
        assert kinds(here.go()) == [("friseur1", "poll")], "the next one is a day away"


def test_a_salon_that_never_had_a_full_run_gets_one_at_once() -> None:
    here = Rounds(SeededWorld.grown(12, days=2))
    here.world.calendar.left = 0
    assert [report.stopped for _, report in here.go()] == [Stopped.BUDGET, Stopped.BUDGET]
    begun = here.world.full().started
    here.world.clock.advance(300)
    here.world.calendar.left = None
    reports = here.go()
    assert [report.done for _, report in reports] == [True, True]
    assert here.world.runs.current("friseur1", RunKind.FULL).watermark == begun, "it was gone on with, not begun anew"


def test_a_poll_that_uses_up_what_it_has_leaves_room_for_the_full_run() -> None:
    """Every five minutes the same hundred differences: the night's run would never come to its turn."""
    here = Rounds(SeededWorld.grown(120, days=4))
    for mine in here.world.known[:100]:
        here.world.calendar.change(str(mine.segments[0].uid), status="pending")
    reports = here.go()
    assert [(report.kind, report.pages > 0) for _, report in reports] == [(RunKind.POLL, True), (RunKind.FULL, True)]


def test_a_round_polls_every_tenant_and_no_more() -> None:
    here = rounds(names=["friseur1", "friseur2"])
    reports = here.go()
    assert kinds(reports) == [("friseur1", "poll"), ("friseur2", "poll")]
    assert all(report.done for _, report in reports)
    assert here.world.calendar.asked == ["list", "list"]


def test_at_night_everything_is_gone_through_as_well() -> None:
    here = rounds()
    reports = here.go(nightly=True)
    assert kinds(reports) == [("friseur1", "poll"), ("friseur1", "full")]
    assert reports[1][1].tally["ours"] == 12


def test_the_window_of_the_night_is_in_days_of_the_salon() -> None:
    """At half past eleven in the evening, UTC, the salon's day has long begun."""
    world = SeededWorld.grown(12, days=2)
    world.clock.advance(5.4 * 3600)
    assert world.clock.now().day == 25
    world.calendar.left = 0
    Rounds(world).go(nightly=True)
    kept = world.runs.current(world.tenant.id, RunKind.FULL).run
    assert kept is not None
    assert kept.first == datetime(2025, 10, 26 - DAYS_BACK, tzinfo=UTC).date()
    assert kept.last is not None
    assert (kept.last - kept.first).days == DAYS_BACK + DAYS_AHEAD


def test_a_full_run_that_was_cut_off_goes_on_in_the_next_rounds_until_it_is_done() -> None:
    here = rounds(300)
    for mine in here.world.known[:130]:
        here.world.calendar.change(str(mine.segments[0].uid), end=mine.slot.end + timedelta(minutes=15))
        there = here.world.calendar.bookings[str(mine.segments[0].uid)]
        here.world.calendar.bookings[there.uid] = replace(there, updated_at=here.world.clock.now() - timedelta(days=2))
    reports = here.go(nightly=True)
    assert [report.stopped for _, report in reports] == [None, Stopped.BUDGET]
    found = len(reports[1][1].findings)
    more = 0
    while len(reports := here.go()) > 1 and more < 10:
        more += 1
        here.world.clock.advance(300)
        assert reports[1][1].requests <= REQUESTS
        found += len(reports[1][1].findings)
    assert more > 1
    assert found == 130
    assert kinds(reports) == [("friseur1", "poll")], "the full run is over"


def test_a_night_does_not_begin_anew_what_is_under_way() -> None:
    here = rounds()
    begun = here.world.full()
    kept = replace(
        begun, day=begun.first and begun.first + timedelta(days=30), started=begun.started - timedelta(days=1)
    )
    assert here.world.runs.keep(here.world.tenant.id, kept, done=False, now=here.world.clock.now())
    here.world.calendar.left = 0
    here.go(nightly=True)
    now_is = here.world.runs.current(here.world.tenant.id, RunKind.FULL).run
    assert now_is is not None
    assert (now_is.day, now_is.started) == (kept.day, kept.started)


def test_who_was_seen_least_lately_comes_first() -> None:
    here = rounds(names=["a", "b", "c", "never"])
    now = here.world.clock.now()
    for tenant, minutes in (("a", 5), ("b", 20), ("c", 10)):
        seen = Run(kind=RunKind.POLL, started=now - timedelta(minutes=minutes), since=now)
        assert here.world.runs.keep(tenant, seen, done=True, now=now)
    here.go()
    assert here.asked_for == ["never", "b", "c", "a"]


def test_who_is_not_there_any_more_is_passed_over() -> None:
    here = rounds(names=["gone", "friseur1"], strangers={"gone"})
    assert kinds(here.go()) == [("friseur1", "poll")]


def test_a_store_that_breaks_off_at_one_tenant_keeps_no_other_waiting() -> None:
    here = rounds(names=["broken", "friseur1"], broken={"broken"})
    assert kinds(here.go()) == [("friseur1", "poll")]


def test_a_round_without_time_begins_nothing() -> None:
    here = rounds(names=["a", "b"])
    assert here.go(seconds=7.9) == []
    assert here.world.calendar.asked == []


def test_a_round_whose_time_runs_out_leaves_the_rest_to_the_next_and_they_come_first() -> None:
    here = rounds(names=["a", "b", "c"])

    def slow(calendar: Any, query: Any, skip: int) -> Any:
        here.world.clock.advance(10)
        return calendar.listed(query, skip)

    here.world.calendar.list_faults.extend([slow] * 2)
    assert kinds(here.go(seconds=25)) == [("a", "poll"), ("b", "poll")]
    here.asked_for.clear()
    here.go()
    assert here.asked_for[0] == "c"


def test_what_is_overdue_is_settled_once_a_round_and_by_its_own_tenant() -> None:
    here = rounds(names=["friseur1", "friseur2"])
    mine = here.world.open_one()
    here.due = [
        Job("settle", "friseur1", mine.id),
        Job("settle", "friseur2", "elsewhere"),
        Job("event", "friseur1", "abc"),
    ]
    reports = dict(here.go(nightly=True))
    assert here.world.now_is(mine.id).state is AppointmentState.CONFIRMED
    assert reports["friseur1"].tally["settled_confirmed"] == 0, "of the full run: the poll has done it"
    (poll,) = [
        each for each in here.world.kind("REPORT") if each["sk"].endswith("#poll#1") and "friseur1" in each["pk"]
    ]
    assert poll["tally"]["settled_confirmed"] == 1


def test_without_sweeper_and_events_what_is_open_is_found_in_the_index() -> None:
    here = rounds()
    mine = here.world.open_one()
    here.world.calendar.bookings = {
        uid: replace(each, updated_at=here.world.clock.now() - timedelta(days=2))
        for uid, each in here.world.calendar.bookings.items()
    }
    ((_, report),) = here.go()
    assert here.world.now_is(mine.id).state is AppointmentState.CONFIRMED
    assert report.tally["settled_confirmed"] == 1


def test_what_nobody_thought_of_at_one_tenant_keeps_no_other_waiting_and_is_heard_of() -> None:
    here = rounds(names=["friseur1", "friseur2"], crashing={"friseur1"})
    assert kinds(here.go()) == [("friseur2", "poll")]
    (heard,) = here.world.alerts.raised
    assert (heard.kind, heard.facts["error"]) == ("JobFailed", "RuntimeError")


def test_a_tenant_with_much_to_do_leaves_requests_for_the_others() -> None:
    here = seen_at_night(Rounds(SeededWorld.grown(100, days=5), names=["friseur1", "friseur2"]))
    for uid in list(here.world.calendar.bookings):
        here.world.calendar.change(uid, attendees=("somebody@else.example",))
    (first, busy), (second, _) = here.go()
    assert (first, second) == ("friseur1", "friseur2")
    assert busy.requests < REQUESTS * 2 // 3


def test_open_operations_leave_requests_for_what_both_sides_differ_in() -> None:
    here = rounds(due=[Job("settle", "friseur1", f"a{number}") for number in range(REQUESTS + 4)])
    ((_, report),) = here.go()
    assert (report.pages, report.stopped) == (1, None)
