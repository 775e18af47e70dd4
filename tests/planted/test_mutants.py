"""The mutants are what they say, and what is said of them is true."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.planted.mutants import mutants_of
from tests.planted.mutate import KILLED, LAYER, SURVIVED, TIMED_OUT
from tests.planted.targets import EQUIVALENT, TARGETS

ROOT = Path(__file__).parents[2]
SOURCE = '''
"""Not this: 1 < 2."""
def f(a: int, b: int = 3) -> bool:
    """Nor this."""
    if not a:
        raise ValueError
    while g(b):
        b += 1
    return a < b and "#x = :x AND #y = :y" in TEXTS
def g(a: int) -> int:
    return [*zip(a, b, strict=True)]
'''

CONDITIONS = """
A = "#a.#b = :b"
def f() -> str:
    put("SET #a = :a", ", #a = :a", "#a = :a", "#pk = :pk AND #sk > :sk")
    put(f"{A} AND (#z > :z OR attribute_not_exists(#z))", "#s IN (:x, :y) AND #v = :v")
"""


def test_each_guard_is_changed_once_in_each_way() -> None:
    names = [each.name.partition(": ")[2] for each in mutants_of(SOURCE)]
    assert "not a → a" in names
    assert "raise ValueError → pass" in names
    assert "b += 1 → pass" in names
    assert "g(b) → not g(b)" in names
    assert {"a < b → a <= b", "a < b → a >= b"} <= {*names}
    assert "'#x = :x AND #y = :y' → '(#x = :x OR NOT #x = :x) AND #y = :y'" in names
    assert sum("→ return not (a < b and" in each for each in names) == 1, "yes or no has an opposite"
    assert "return [*zip(a, b, strict=True)] → return None" in names
    assert not any("strict=True" in each.partition(" → ")[2] or each == "True → False" for each in names)
    assert len({*names}) == len(names)


def test_of_a_condition_each_part_is_asked_no_more_and_what_sets_a_value_is_left_alone() -> None:
    names = [each.name.partition(" → ")[2] for each in mutants_of(CONDITIONS)]
    assert [each for each in names if "OR NOT" in each] == [
        "'(#a.#b = :b OR NOT #a.#b = :b)'",
        "' AND ((#z > :z OR NOT #z > :z) OR attribute_not_exists(#z))'",
        "' AND (#z > :z OR (attribute_not_exists(#z) OR NOT attribute_not_exists(#z)))'",
        "'(#s IN (:x, :y) OR NOT #s IN (:x, :y)) AND #v = :v'",
        "'#s IN (:x, :y) AND (#v = :v OR NOT #v = :v)'",
    ]


def test_a_mutant_differs_from_its_source_in_one_place_and_compiles() -> None:
    source = ast.unparse(ast.parse(SOURCE)).splitlines()
    for mutant in mutants_of(SOURCE):
        compile(mutant.tree, "mutant", "exec")
        after = ast.unparse(mutant.tree).splitlines()
        assert len(after) == len(source), mutant.name
        assert sum(one != other for one, other in zip(source, after, strict=True)) == 1, mutant.name


@pytest.mark.parametrize("file", TARGETS)
def test_what_is_mutated_is_there_with_its_tests(file: str) -> None:
    assert (ROOT / LAYER / file).is_file()
    assert [each for each in TARGETS[file] if not each.startswith("-") and not (ROOT / each).is_file()] == []


@pytest.mark.parametrize("file", EQUIVALENT)
def test_a_mutant_that_is_called_equivalent_is_one_that_there_is(file: str) -> None:
    known = {each.name for each in mutants_of((ROOT / LAYER / file).read_text(encoding="utf-8"))}
    assert {*EQUIVALENT[file]} <= known


def test_only_tests_that_all_pass_let_a_mutant_survive(tmp_path: Path) -> None:
    """In a process of its own, in which nothing of ours is imported yet."""
    for name, line in {"passes": "pass", "fails": "assert False", "hangs": "import time; time.sleep(60)"}.items():
        (tmp_path / f"test_{name}.py").write_text(f"def test_it():\n    {line}\n", encoding="utf-8")
    ask = (
        "import ast, os, sys; os.environ['PYTEST_DISABLE_PLUGIN_AUTOLOAD'] = '1'\n"
        "from tests.planted.mutate import outcome_of\n"
        "for name in ('passes', 'fails', 'hangs'):\n"
        "    tests = [f'{sys.argv[1]}/test_{name}.py']\n"
        "    print(outcome_of('domain/answers.py', ast.parse(''), tests, within=10))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", ask, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [SURVIVED, KILLED, TIMED_OUT]
