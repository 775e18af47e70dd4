"""Two documents compared: each place that differs, once, and nothing for what is only written otherwise."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bookend.adapters.tenants.difference import Difference, differences

EXAMPLE: dict[str, Any] = json.loads(Path("examples/salon.json").read_text(encoding="utf-8"))


def between(before: Any, after: Any) -> list[Difference]:
    return differences(json.dumps(before), json.dumps(after))


def changed(change: Callable[[Any], object]) -> list[Difference]:
    after = copy.deepcopy(EXAMPLE)
    change(after)
    return between(EXAMPLE, after)


def test_a_changed_value_is_named_with_both() -> None:
    name = EXAMPLE["staff"][0]["name"]
    (found,) = changed(lambda document: document["staff"][0].update(name="Anna Vogt"))
    assert found == Difference(f"staff[{EXAMPLE['staff'][0]['id']}].name", json.dumps(name), '"Anna Vogt"')


def test_what_comes_and_what_goes_is_named_whole_and_does_not_touch_its_neighbours() -> None:
    gone = EXAMPLE["services"][0]
    (found,) = changed(lambda document: document["services"].pop(0))
    assert (found.path, found.after) == (f"services[{gone['id']}]", None)
    assert json.loads(found.before or "") == gone
    (found,) = between({}, {"id": "x"})
    assert found == Difference("id", None, '"x"')


def test_the_order_of_named_things_and_of_attributes_says_nothing() -> None:
    assert changed(lambda document: (document["staff"].reverse(), document["services"].reverse())) == []
    assert between({"a": 1, "b": 2}, dict(reversed({"a": 1, "b": 2}.items()))) == []


@pytest.mark.parametrize(
    ("before", "after", "paths"),
    [
        ([1, 2], [2, 1], ["x[0]", "x[1]"]),
        ([{"id": "a"}, {"id": "a"}], [{"id": "a"}], ["x[1]"]),
        ([], [{"id": "a"}], ["x[a]"]),
        (1, True, ["x"]),
        (None, False, ["x"]),
        ({"a": None}, {}, ["x.a"]),
        ([], {}, ["x"]),
    ],
)
def test_everything_else_is_compared_by_its_place(before: Any, after: Any, paths: list[str]) -> None:
    assert [each.path for each in between({"x": before}, {"x": after})] == paths


def test_nothing_differs_exactly_if_both_mean_the_same() -> None:
    """A value anywhere in the document is changed: it is found, and it alone."""
    rng = random.Random(6)
    for _ in range(200):
        after = copy.deepcopy(EXAMPLE)
        at: Any = after
        while isinstance(at, dict | list) and at:
            parent, key = at, rng.choice([*at]) if isinstance(at, dict) else rng.randrange(len(at))
            at = parent[key]
        if key in {"id", "name"}:  # what names an entry: another entry
            continue
        parent[key] = "changed"
        assert len(between(EXAMPLE, after)) == 1
