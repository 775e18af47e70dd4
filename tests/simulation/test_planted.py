"""A bug that is put in is found by the simulation, and its story is short enough to be read."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bookend.adapters.dynamodb import customers, items, keys
from bookend.adapters.dynamodb.changes import DynamoChanges
from bookend.adapters.dynamodb.keys import CUSTOMER_INDEX
from bookend.adapters.retell.replies import Speaker
from bookend.application import converging, rounds, sweeping
from bookend.application.change_outcomes import Moved, NotChanged
from bookend.application.deadline import Deadline
from bookend.domain.appointment import Appointment
from bookend.domain.drift import Nothing
from tests.planted.of_bookings import (
    any_2xx_is_ours,
    booked_is_said_before_it_is_committed,
    ledger_written_without_its_version,
    numbers_of_bookings_are_not_guarded,
    open_bookings_expire,
)
from tests.planted.of_convergence import (
    absence_is_believed_at_the_first_look,
    nothing_needs_time_to_settle,
    what_looks_older_is_never_believed,
)
from tests.planted.of_layers import a_run_looks_at_nothing, nothing_is_settled, the_sweeper_finds_nothing
from tests.planted.of_records import (
    a_text_is_sent_without_a_claim,
    an_entry_is_put_over_another,
    what_is_told_twice_is_logged_twice,
)
from tests.simulation import index, people
from tests.simulation.__main__ import main
from tests.simulation.index import LaggingIndexes
from tests.simulation.plan import STRANGERS, Plan, Rates, plan_of
from tests.simulation.shrink import short, shrink
from tests.simulation.watch import LEGEND, PROMISE
from tests.simulation.world import Played, Story, World, play

Patch = pytest.MonkeyPatch
DUEL = plan_of("duel", 3)
BESIDE = Plan(
    name="beside",
    rates=Rates(stream_doubled=1.0, slow=0.3),
    calls=6,
    guests=0,
    edits=0,
    hours=0.1,
    calm_hours=0.3,
)
LATE = Plan(
    name="late",
    rates=Rates(index_lag=1.0, index_lag_s=60.0),
    calls=12,
    guests=0,
    edits=0,
    hours=0.05,
    calm_hours=0.3,
)


def the_index_is_trusted(patch: Patch) -> None:
    """As if it held whole items, and whoever asks it read no rows."""
    shown: list[LaggingIndexes] = []
    built = LaggingIndexes.__init__

    def remember(self: LaggingIndexes, *given: Any, **named: Any) -> None:
        built(self, *given, **named)
        shown[:] = [self]

    def of_customer(self: DynamoChanges, tenant: str, customer: str, *, after: datetime) -> tuple[Appointment, ...]:
        names = customers.names_of(self._table, tenant, customer, after=after)
        rows = {row["pk"]["S"].rpartition("#")[2]: row for row in shown[0].held_by(CUSTOMER_INDEX)}
        return tuple(items.appointment_from_item(name, dict(rows[name])) for name in names if name in rows)

    patch.setattr(LaggingIndexes, "__init__", remember)
    patch.setattr(index, "_differs", lambda *_: True)
    patch.setattr(DynamoChanges, "of_customer", of_customer)


TWO = Plan(
    name="two",
    rates=Rates(job_lost=1.0, hook_lost=0.5),
    calls=8,
    guests=2,
    edits=2,
    hours=0.05,
    second=1.0,
    calm_hours=0.5,
)


def a_stylists_day_is_everybodys(patch: Patch) -> None:
    """Its key leaves out whose it is."""
    real = keys.staff_day
    patch.setattr(keys, "staff_day", lambda _tenant, staff, day: real("friseur1", staff, day))


def who_has_most_to_do_comes_first(patch: Patch) -> None:
    patch.setattr(sweeping, "_in_turn", lambda jobs: sorted(jobs, key=lambda job: job.tenant))


def a_round_is_for_the_first(patch: Patch) -> None:
    patch.setattr(rounds, "_least_lately_first", lambda tenants, _runs: tenants[:1])


def what_is_open_is_said_to_be_moved(patch: Patch) -> None:
    """The caller hears "verlegt" of what nobody knows yet (P4)."""
    real = people.change_appointment

    def hopeful(command: Any, turn: Any) -> Any:
        outcome = real(command, turn)
        if isinstance(outcome, NotChanged) and outcome.wanted is not None:
            return Moved(outcome.wanted, "fabian", outcome.today)
        return outcome

    patch.setattr(people, "change_appointment", hopeful)


UNCLEAR = Plan(
    name="unclear",
    rates=Rates(calcom={"late": 0.6}, hook_lost=1.0),
    calls=6,
    guests=0,
    edits=0,
    hours=0.1,
    calm_hours=0.5,
)
"""What has no answer is carried out a minute later, and nobody tells us."""


APART = Plan(
    name="apart",
    rates=Rates(clocks=0.7, clocks_s=30.0),
    calls=3,
    guests=2,
    edits=6,
    hours=0.02,
    days=1,
    eager=True,
    calm_hours=0.5,
)
"""Cal.com's servers have very different clocks, and others change what was just booked."""


def nothing_is_waited_for(patch: Patch) -> None:
    nothing_needs_time_to_settle(patch)
    absence_is_believed_at_the_first_look(patch)


def nobody_looks_at_the_clock(patch: Patch) -> None:
    real = Deadline.remaining
    patch.setattr(Deadline, "remaining", lambda self: real(self) + 20.0)


def who_books_past_us_is_nobody(patch: Patch) -> None:
    patch.setattr(converging, "_assess_foreign", lambda *_: Nothing())


def times_are_told_in_utc(patch: Patch) -> None:
    """As the agent did before us (I3)."""
    real = Speaker.__init__
    patch.setattr(Speaker, "__init__", lambda self, tenant: real(self, replace(tenant, zone=ZoneInfo("UTC"))))


PLANTED: dict[str, tuple[Callable[[Patch], None], Plan, int, tuple[str, ...]]] = {
    "the ledger's version": (ledger_written_without_its_version, DUEL, 60, ("I1", "I2")),
    "open ones block": (open_bookings_expire, DUEL, 60, ("I1",)),
    "ours or not": (any_2xx_is_ours, STRANGERS, 8, ("P3",)),
    "the index is late": (the_index_is_trusted, LATE, 20, ("I5",)),
    "a place in the log": (an_entry_is_put_over_another, BESIDE, 20, ("A1", "A2", "A3")),
    "whose day": (a_stylists_day_is_everybodys, TWO, 3, ("M1",)),
    "in turn": (who_has_most_to_do_comes_first, TWO, 20, ("M2",)),
    "everybody's round": (a_round_is_for_the_first, TWO, 3, ("M2",)),
    "nobody settles": (nothing_is_settled, DUEL, 20, ("I6",)),
    "nobody sweeps": (the_sweeper_finds_nothing, DUEL, 20, ("I6", "I7")),
    "nobody compares": (a_run_looks_at_nothing, DUEL, 40, ("I3", "EQ")),
    "no claim": (a_text_is_sent_without_a_claim, DUEL, 20, ("I8",)),
    "said too early": (booked_is_said_before_it_is_committed, DUEL, 20, ("I5",)),
    "moved, perhaps": (what_is_open_is_said_to_be_moved, DUEL, 60, ("I5",)),
    "the second number": (numbers_of_bookings_are_not_guarded, DUEL, 20, ("I4",)),
    "another clock": (what_looks_older_is_never_believed, APART, 40, ("I3",)),
    "given up at once": (nothing_is_waited_for, UNCLEAR, 20, ("I9",)),
    "past us": (who_books_past_us_is_nobody, plan_of("quiet", 12), 3, ("EQ",)),
    "all the time in the world": (nobody_looks_at_the_clock, DUEL, 20, ("P7",)),
    "six o'clock": (times_are_told_in_utc, DUEL, 3, ("T2",)),
    "told twice": (what_is_told_twice_is_logged_twice, BESIDE, 5, ("A1", "A2")),
}


def test_each_promise_has_a_bug_that_breaks_it_here() -> None:
    """A sign that no bug can bring about would say nothing by its absence."""
    assert {sign for *_, signs in PLANTED.values() for sign in signs} | {"EX"} == LEGEND.keys() == PROMISE.keys()


def first_broken(plan: Plan, seeds: range) -> Played | None:
    """The first run that is not sound."""
    return next((played for seed in seeds if (played := play(seed, plan)).breaches), None)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_found(name: str, monkeypatch: Patch) -> None:
    plant, plan, seeds, promises = PLANTED[name]
    plant(monkeypatch)

    found = first_broken(plan, range(1, seeds + 1))

    assert found is not None
    assert found.kind in promises, found.breaches


def test_its_story_is_told_in_a_few_lines_and_can_be_played_again(monkeypatch: Patch) -> None:
    ledger_written_without_its_version(monkeypatch)
    found = first_broken(DUEL, range(1, 61))
    assert found is not None

    shrunk = shrink(found, seconds=20.0)

    story = shrunk.played.story
    assert len(short(shrunk.played.trace)) < 40, shrunk.text()
    assert story.only is not None
    assert len(story.only) < len({name.partition("/")[0] for name in found.actors})
    again = World(Story(story.seed, story.plan, story.only, story.without, story.just)).play()
    assert (again.digest, again.breaches) == (shrunk.played.digest, shrunk.played.breaches)


@pytest.mark.parametrize("name", ["the ledger's version", "ours or not"])
def test_what_it_says_plays_it_again_and_once_it_is_mended_plays_soundly(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pasted into a shell as it stands; some faults have two words."""
    plant, plan, seeds, _ = PLANTED[name]
    with Patch.context() as patch:
        plant(patch)
        found = first_broken(plan, range(1, seeds + 1))
        assert found is not None
        shrunk = shrink(found, seconds=5.0)
        program, *again = shlex.split(shrunk.text().splitlines()[-1])[3:]
        assert (program, main(again)) == ("tests.simulation", 1)
        assert shrunk.played.digest[:12] in capsys.readouterr().out
    assert main(again) == 0
    assert "Sound" in capsys.readouterr().out


@pytest.mark.parametrize("words", ["--runs 0", "--calls -1", "--only nobody", "--plan nope"])
def test_of_nothing_it_is_not_said_that_nothing_was_broken(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--plan", "duel", *words.split()])
    assert ended.value.code == 2
    assert "Sound" not in capsys.readouterr().out
