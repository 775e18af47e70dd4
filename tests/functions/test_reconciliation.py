"""The function behind the schedules: its tasks, its time, and what it says about a run."""

from __future__ import annotations

from typing import Any

import pytest

from bookend import observability
from bookend.application import alerts
from bookend.application.budget import REQUESTS
from bookend.application.ports import Run, RunKind
from bookend.domain.appointment import AppointmentState
from tests.support.http import Doors, LambdaContext, door
from tests.support.seeded import CANARIES, SEEDS, SeededWorld

FIVE_MINUTES = 300_000


@pytest.fixture
def world() -> SeededWorld:
    return SeededWorld.grown(90, days=10)


@pytest.fixture(autouse=True)
def _had_a_night(world: SeededWorld) -> None:
    """So that no full run is missed."""
    now = world.clock.now()
    assert world.runs.keep(world.tenant.id, Run(kind=RunKind.FULL, started=now), done=True, now=now)


def invoke(doors: Doors, task: Any, *, milliseconds: int = FIVE_MINUTES) -> Any:
    """One event of a schedule; what the function returns."""
    with doors.heard.capturing():
        return door("reconciliation").lambda_handler({"task": task}, LambdaContext(milliseconds))


def lines(doors: Doors) -> list[dict[str, Any]]:
    return [each for each in doors.heard.lines if each.get("message") == "reconciled"]


@pytest.mark.parametrize(("task", "kinds"), [("reconcile", ["poll"]), ("nightly", ["poll", "full"])])
def test_each_task_does_its_runs_and_says_what_they_found(world: SeededWorld, task: str, kinds: list[str]) -> None:
    for name in SEEDS:
        world.seed(name)
    with Doors(world.salon) as doors:
        came_to = invoke(doors, task)
    said = lines(doors)
    assert [each["kind"] for each in said] == kinds
    assert {each["tenant"] for each in said} == {"friseur1"}
    assert [(each["tenant"], each["kind"], each["stopped"]) for each in came_to] == [
        ("friseur1", kind, "second_look" if kind == "full" else None) for kind in kinds
    ]
    assert [each["counts"].get("repair_followed", 0) for each in came_to] == [4, 0][: len(kinds)]
    asked = [[(each["requests"], each["pages"]) for each in told] for told in (came_to, said)]
    assert asked[0] == asked[1]
    assert len(said[0]["findings"]) == len(SEEDS) - 1
    assert doors.heard.counted(observability.RECONCILED) == 1
    assert doors.heard.counted(observability.DRIFT) == sum(len(each["findings"]) for each in said)


def test_the_nightly_one_finds_what_no_change_tells_of(world: SeededWorld) -> None:
    world.seed("ghost, not there")
    with Doors(world.salon) as doors:
        invoke(doors, "reconcile")
        assert doors.heard.counted(alerts.DRIFT_FOUND) == 0
        invoke(doors, "nightly")
        assert doors.heard.counted(alerts.DRIFT_FOUND) == 0
        world.clock.advance(300)
        invoke(doors, "reconcile")
        assert doors.heard.counted(alerts.DRIFT_FOUND) == 1


def test_a_run_that_is_cut_off_goes_on_at_the_next_schedule(world: SeededWorld) -> None:
    """Cut after its first requests, since callers need what is left of the minute."""
    for name in ("end", "host", "foreign"):
        world.seed(name)
    listed = world.calendar.listed

    def busy(calendar: Any, query: Any, skip: int) -> Any:
        calendar.left = 0
        return listed(query, skip)

    world.calendar.list_faults.append(busy)
    with Doors(world.salon) as doors:
        invoke(doors, "nightly")
        assert [each.get("stopped") for each in lines(doors)] == ["budget", "budget"]
        assert doors.heard.counted(observability.RECONCILED) == 0
        doors.heard.clear()
        world.calendar.left = None
        invoke(doors, "reconcile")
        assert [(each["kind"], each.get("stopped")) for each in lines(doors)] == [("poll", None), ("full", None)]
    assert world.once(world.full()).findings == []


def test_what_stops_for_a_person_rings(world: SeededWorld) -> None:
    for _ in range(6):
        world.seed("ghost, cancelled there")
    with Doors(world.salon) as doors:
        came_to = invoke(doors, "reconcile")
    assert [(each["stopped"], each["counts"]["not_done"]) for each in came_to] == [("blast_limit", 6)]
    assert doors.heard.counted(alerts.BLAST_LIMIT) == 1
    assert doors.heard.counted(observability.RECONCILED) == 1, "it came to its end"
    assert lines(doors)[0]["stopped"] == "blast_limit"
    assert {world.now_is(each.appointments[0]).state for each in world.seeds} == {AppointmentState.CONFIRMED}


def test_nobody_is_named_in_what_is_logged(world: SeededWorld) -> None:
    for name in SEEDS:
        world.seed(name)
    with Doors(world.salon) as doors:
        invoke(doors, "nightly")
    assert [each for each in CANARIES if each in doors.heard.text] == []


def test_of_very_many_differences_the_line_names_some_and_the_metric_counts_all(world: SeededWorld) -> None:
    for mine in world.known[:58]:
        world.calendar.change(str(mine.segments[0].uid), status="pending")
    with Doors(world.salon) as doors:
        invoke(doors, "reconcile")
    (line,) = lines(doors)
    assert line["requests"] <= REQUESTS
    assert len(line["findings"]) == 50
    assert doors.heard.counted(observability.DRIFT) == 58


def test_time_is_kept_back_to_write_down_how_far_it_is(world: SeededWorld) -> None:
    """Of 12 seconds five are kept back, and seven are too few for a request and what follows from it."""
    with Doors(world.salon) as doors:
        assert invoke(doors, "nightly", milliseconds=12_900) == []
        assert world.calendar.asked == []
        invoke(doors, "nightly", milliseconds=13_100)
        assert world.calendar.asked != []


def test_a_task_that_is_not_there_is_an_error_and_does_nothing(world: SeededWorld) -> None:
    before = world.table()
    with Doors(world.salon) as doors:
        for task in (None, "", "wipe", {"task": "reconcile"}):
            with pytest.raises(Exception, match=r"^.{0,40}$") as raised:
                invoke(doors, task)
            assert type(raised.value).__name__ == "UnknownTask"
    assert world.calendar.asked == []
    assert {key for key in world.table() if key not in before} <= {
        key for key in world.table() if not key[0].startswith("T#friseur1#RUN")
    }


def test_the_sweeper_settles_what_is_open_without_any_run(world: SeededWorld) -> None:
    mine = world.open_one()
    with Doors(world.salon) as doors:
        invoke(doors, "sweep", milliseconds=60_000)
    assert world.now_is(mine.id).state is AppointmentState.CONFIRMED
    assert lines(doors) == []
    assert doors.heard.counted(observability.SWEPT) == 1


def test_what_an_invocation_came_to_is_its_own_and_not_the_whole_runs(world: SeededWorld) -> None:
    for mine in world.known[:80]:
        world.calendar.change(str(mine.segments[0].uid), status="pending")
    with Doors(world.salon) as doors:
        (first,) = invoke(doors, "reconcile")
        (second,) = invoke(doors, "reconcile")
    assert (first["stopped"], second["stopped"]) == ("budget", None)
    assert first["counts"]["drift_status"] + second["counts"]["drift_status"] == 80
    assert lines(doors)[1]["tally"]["drift_status"] == 80
