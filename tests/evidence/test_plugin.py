"""What the plugin counts is what happened; a run of pytest inside shows it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.evidence.batteries import environment
from tests.evidence.record import ROOT

TESTS = '''
import pytest
from hypothesis import given, settings, strategies as st
from tests.support.salon import Salon


def test_one_salon_is_opened():
    Salon()
    Salon()


@settings(max_examples=13, database=None)
@given(st.integers())
def test_of_numbers(number):
    assert isinstance(number, int)


@pytest.mark.parametrize("number", [1, 2])
def test_of_parameters(number):
    assert number == 1, "two is not one"


@pytest.mark.xfail(strict=True)
def test_of_a_limit():
    raise AssertionError


@pytest.mark.skip
def test_of_another_machine():
    """Not here."""
'''


def counted(tests: Path, target: Path) -> Any:
    tests.write_text(TESTS, encoding="utf-8")
    plugins = ["-p", "tests.evidence.plugin", "-p", "no:cacheprovider", f"--rootdir={tests.parent}"]
    line = [sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml"), *plugins]
    subprocess.run([*line, f"--numbers={target}", str(tests)], cwd=ROOT, env=environment(), check=False, stdout=-3)
    return json.loads(target.read_text(encoding="utf-8"))


def test_tests_examples_and_salons_are_counted_where_they_happen(tmp_path: Path) -> None:
    found = counted(tmp_path / "test_inside.py", tmp_path / "numbers.json")

    assert found["counts"] == {
        "examples": 13,
        "failed": 1,
        "known limits": 1,
        "not run here": 1,
        "salons opened": 2,
        "tests": 3,
    }
    assert len(found["broken"]) == 1
    assert "test_of_parameters[2]" in found["broken"][0]
    assert "two is not one" in found["broken"][0]
