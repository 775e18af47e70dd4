"""How far a run is, on every engine: kept whole, lost to a twin, and reported once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.items import to_wire
from bookend.adapters.dynamodb.runs import DynamoRuns
from bookend.application.ports import Progress, Run, RunKind, Strike
from tests.adapters.dynamodb.place import NOW, Place

POLL = Run(kind=RunKind.POLL, started=NOW, since=NOW - timedelta(minutes=20, microseconds=7), tail=("u1", "u2"))
FULL = Run(
    kind=RunKind.FULL,
    started=NOW,
    first=date(2025, 10, 26),
    last=date(2026, 1, 25),
    day=date(2025, 11, 3),
    until=date(2025, 11, 9),
    after="1u00001",
    skip=2,
    deferred=("u00001", "u00007"),
    strikes={"ghost_here-u00009": Strike(NOW - timedelta(days=1), NOW)},
    idle=3,
    tally={"listed": 12, "drift_end": 1},
)
DAYS_90_S = 90 * 86_400


@pytest.fixture
def runs(place: Place) -> DynamoRuns:
    return DynamoRuns(place.table)


def keep(place: Place, runs: DynamoRuns, run: Run, *, done: bool = False, after: timedelta = timedelta(0)) -> bool:
    return runs.keep(place.tenant, run, done=done, now=NOW + after)


def reports(place: Place) -> list[dict[str, object]]:
    return [each for each in place.snapshot() if each["pk"].endswith("#REPORT")]


def test_before_the_first_run_there_is_nothing(place: Place, runs: DynamoRuns) -> None:
    assert runs.current(place.tenant, RunKind.POLL) == Progress()


@pytest.mark.parametrize("run", [POLL, FULL], ids=["poll", "full"])
def test_progress_comes_back_as_it_was_kept(place: Place, runs: DynamoRuns, run: Run) -> None:
    assert keep(place, runs, run)
    assert runs.current(place.tenant, run.kind) == Progress(run=replace(run, version=1), version=1)


def test_the_kinds_and_the_tenants_are_apart(place: Place, runs: DynamoRuns) -> None:
    keep(place, runs, POLL)
    assert runs.current(place.tenant, RunKind.FULL) == Progress()
    assert runs.current(f"{place.tenant}x", RunKind.POLL) == Progress()


def test_a_finished_run_leaves_its_start_as_the_watermark_and_a_report(place: Place, runs: DynamoRuns) -> None:
    keep(place, runs, replace(POLL, skip=250))
    done = replace(POLL, version=1, tally={"listed": 260, "repair_adopted": 2})
    assert keep(place, runs, done, done=True, after=timedelta(minutes=4))
    assert runs.current(place.tenant, RunKind.POLL) == Progress(watermark=NOW, version=2)
    (report,) = reports(place)
    assert report["tally"] == {"listed": 260, "repair_adopted": 2}
    assert (report["started"], report["finished"]) == (
        "2025-10-27T09:00:00.000000Z",
        "2025-10-27T09:04:00.000000Z",
    )
    assert report["ttl"] == int((NOW + timedelta(minutes=4)).timestamp()) + DAYS_90_S


def test_the_watermark_outlives_the_progress_of_the_next_run(place: Place, runs: DynamoRuns) -> None:
    keep(place, runs, POLL, done=True)
    following = replace(POLL, started=NOW + timedelta(minutes=5), version=1, skip=250)
    assert keep(place, runs, following)
    assert runs.current(place.tenant, RunKind.POLL) == Progress(
        run=replace(following, version=2), watermark=NOW, version=2
    )


def test_how_far_it_is_never_expires(place: Place, runs: DynamoRuns) -> None:
    """An old watermark makes a long poll; a lost one would make a hole."""
    keep(place, runs, POLL, done=True)
    assert "ttl" not in place.there(keys.run(place.tenant, "poll"))


@pytest.mark.parametrize("done", [False, True])
def test_the_slower_of_two_writes_nothing(place: Place, runs: DynamoRuns, done: bool) -> None:
    keep(place, runs, POLL)
    assert keep(place, runs, replace(POLL, version=1, skip=250))
    before = place.snapshot()
    assert not keep(place, runs, replace(POLL, version=1, skip=500), done=done)
    assert place.snapshot() == before


@pytest.mark.parametrize("done", [False, True])
def test_the_slower_of_two_first_ones_writes_nothing(place: Place, runs: DynamoRuns, done: bool) -> None:
    assert keep(place, runs, POLL)
    before = place.snapshot()
    assert not keep(place, runs, POLL, done=done)
    assert place.snapshot() == before


def test_a_twin_that_comes_in_between_is_noticed(place: Place, runs: DynamoRuns) -> None:
    """The watermark is read before the write: whoever writes in between wins, and keeps what they wrote."""
    keep(place, runs, POLL, done=True)
    mine = replace(POLL, version=1, skip=10)
    read = runs.current

    def overtaken(tenant: str, kind: RunKind) -> object:
        found = read(tenant, kind)
        assert DynamoRuns(place.table).keep(place.tenant, replace(POLL, version=1, skip=99), done=False, now=NOW)
        return found

    runs.current = overtaken  # type: ignore[method-assign, assignment]
    assert not keep(place, runs, mine)
    now_is = DynamoRuns(place.table).current(place.tenant, RunKind.POLL)
    assert now_is.run is not None
    assert (now_is.run.skip, now_is.watermark, now_is.version) == (99, NOW, 2)


def test_two_runs_that_began_at_one_instant_have_a_report_each(place: Place, runs: DynamoRuns) -> None:
    assert keep(place, runs, POLL, done=True)
    assert keep(place, runs, replace(POLL, version=1), done=True)
    assert keep(place, runs, FULL, done=True)
    assert len(reports(place)) == 3


def test_progress_is_two_requests_and_an_end_is_one(place: Place, runs: DynamoRuns) -> None:
    keep(place, runs, POLL)
    assert place.client.requests == {"get_item": 1, "transact_write_items": 1}
    place.client.requests.clear()
    keep(place, runs, replace(POLL, version=1), done=True)
    assert place.client.requests == {"transact_write_items": 1}


def test_what_was_left_undone_holds_the_watermark_back(place: Place, runs: DynamoRuns) -> None:
    held = NOW - timedelta(hours=3)
    assert keep(place, runs, replace(POLL, held=held), done=True)
    assert runs.current(place.tenant, RunKind.POLL) == Progress(watermark=held, limited=True, version=1)
    assert keep(place, runs, replace(POLL, version=1), done=True)
    assert runs.current(place.tenant, RunKind.POLL) == Progress(watermark=NOW, version=2)


def test_what_could_not_be_had_is_known_to_the_next_run(place: Place, runs: DynamoRuns) -> None:
    assert keep(place, runs, FULL, done=True)
    assert runs.current(place.tenant, RunKind.FULL) == Progress(watermark=NOW, strikes=FULL.strikes, version=1)


def test_a_run_that_an_earlier_release_began_goes_on(place: Place, runs: DynamoRuns) -> None:
    run = {"started": "2025-10-27T09:00:00.000000Z", "since": None, "first": "2025-10-26", "last": "2026-01-25"}
    run |= {"day": "2025-11-03", "skip": 0, "tally": {}}
    item = keys.run(place.tenant, "full") | to_wire({"ver": 4, "at": "x", "run": run})
    place.client.put_item(TableName=place.name, Item=item)
    found = runs.current(place.tenant, RunKind.FULL).run
    assert found == Run(
        kind=RunKind.FULL,
        started=NOW,
        first=date(2025, 10, 26),
        last=date(2026, 1, 25),
        day=date(2025, 11, 3),
        version=4,
    )
