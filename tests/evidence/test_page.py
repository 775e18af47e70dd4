"""The published numbers are the runs' own: the page is made of the files, and each file says how it came about."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.evidence import page
from tests.evidence.batteries import BATTERIES
from tests.evidence.record import HOME, PROFILES, ROOT, STAMPS, Record

FILES = sorted(HOME.rglob("*.json"))
FOUND_BY = {
    "adversary",
    "crashes",
    "fuzzer",
    "mutants",
    "planted bugs",
    "properties",
    "races",
    "simulation",
    "stateful",
}


def a_record(**more: Any) -> Record:
    simulated = dict.fromkeys(("runs", "calls", "bookings", "steps", "looks", "faults", "deaths"), 7)
    fields: dict[str, Any] = {"name": "simulation-duel", "command": "python -m x", "counts": simulated, "seeds": (1, 7)}
    return Record(**fields | more).stamped(datetime(2026, 11, 21, tzinfo=UTC))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Evidence with one run."""
    a_record().write(tmp_path / "ci")
    return tmp_path


def test_the_page_is_what_the_generator_makes_of_the_files() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.written(), "run: .venv/bin/python -m tests.evidence page"


def test_a_number_in_a_file_is_the_number_on_the_page(home: Path) -> None:
    assert "| CI | duel | 1…7 | 7 | 7 | 7 |" in page.written(home)

    a_record(counts=dict(a_record().counts) | {"calls": 12_345}).write(home / "ci")

    assert "| CI | duel | 1…7 | 7 | 12,345 | 7 |" in page.written(home)


def test_what_did_not_hold_stands_on_the_page(home: Path) -> None:
    assert "**broken**" not in page.written(home)

    a_record(broken=["--seed 3: I1 somebody overlaps"]).write(home / "ci")

    assert "- **broken**, simulation-duel: --seed 3: I1 somebody overlaps" in page.written(home)


def test_what_was_not_run_says_so(home: Path) -> None:
    """What a battery tries is said once; what it did, or that it was not run, for each profile."""
    about = f"| **{BATTERIES[0].name}**: {BATTERIES[0].tries} | CI: not run | – |"
    assert about in page.written(home)
    assert "|  | long: not run | – |" in page.written(home)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(HOME)))
def test_every_file_says_when_of_what_and_by_which_command(path: Path) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))

    assert [name for name in STAMPS if name not in content] == []
    assert content["name"] == path.stem
    assert datetime.fromisoformat(content["date"]).utcoffset() is not None
    assert re.fullmatch(r"[0-9a-f]{7,}\+?", content["commit"])
    assert content["command"]
    assert content["seconds"] > 0
    assert path.parent in {HOME, *(HOME / each for each in PROFILES)}


@pytest.mark.parametrize("stamp", STAMPS)
def test_a_file_without_a_stamp_makes_no_page(home: Path, stamp: str) -> None:
    path = home / "ci" / "simulation-duel.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    del content[stamp]
    path.write_text(json.dumps(content), encoding="utf-8")

    with pytest.raises(ValueError, match=stamp):
        page.written(home)


def test_every_bug_that_was_found_has_a_test_that_finds_it_again() -> None:
    bugs = tomllib.loads(page.FOUND.read_text(encoding="utf-8"))["bug"]

    for bug in bugs:
        path, _, name = bug["test"].partition("::")
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), bug["test"]
        assert bug["by"] in FOUND_BY


def test_names_are_used_once_and_every_path_is_there() -> None:
    names = [each.name for each in BATTERIES]

    assert len(set(names)) == len(names)
    assert [path for each in BATTERIES for path in (*each.paths, *each.less) if not (ROOT / path).exists()] == []
