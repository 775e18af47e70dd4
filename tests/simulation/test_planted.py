"""A bug that is put in is found by the simulation, and its story is short enough to be read."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.planted.of_bookings import any_2xx_is_ours, ledger_written_without_its_version, open_bookings_expire
from tests.simulation.plan import Plan, Rates, plan_of
from tests.simulation.shrink import short, shrink
from tests.simulation.world import Played, Story, World, play

Patch = pytest.MonkeyPatch
DUEL = plan_of("duel", 3)
STRANGERS = Plan(
    name="strangers",
    rates=Rates(anothers=0.5, hook_lost=1.0),  # what is taken in already is guarded, and so not given to another
    calls=12,
    guests=12,
    edits=0,
    hours=0.2,
    calm_hours=0.8,
)
PLANTED: dict[str, tuple[Callable[[Patch], None], Plan, int, tuple[str, ...]]] = {
    "the ledger's version": (ledger_written_without_its_version, DUEL, 60, ("I1", "I2")),
    "open ones block": (open_bookings_expire, DUEL, 60, ("I1",)),
    "ours or not": (any_2xx_is_ours, STRANGERS, 8, ("P3",)),
}


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
    assert f"--only {','.join(sorted(story.only))}" in shrunk.text()
