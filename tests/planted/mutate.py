"""Mutation testing: every small change of a file that its own tests should notice, one at a time.

``python -m tests.planted.mutate [FILE …] [--most 60 --draw 2] [--json evidence/mutants.json]`` (``make mutants``, which
makes the whole of ``evidence/mutants.json`` again; with ``FILE=…`` only looks). It works on a copy of the tree. A
mutant is compiled from the changed syntax tree and put in place of its module in a forked process, so no file is
written, and what is slow to import is imported once (decision 0034).
"""

from __future__ import annotations

import argparse
import ast
import importlib
import importlib.machinery
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.evidence.record import Record
from tests.planted.mutants import Mutant, mutants_of
from tests.planted.targets import EQUIVALENT, TARGETS

ROOT = Path(__file__).parents[2]
LAYER = Path("layers/bookend/bookend")
HEAVY = ("pytest", "boto3", "botocore.session", "hypothesis", "pydantic", "httpx", "aws_lambda_powertools")
"""Imported before the fork: nobody's mutants."""
COPIED = (
    "layers",
    "functions",
    "tests",
    "sandbox",
    "examples",
    "events",
    "docs",
    "README.md",
    "pyproject.toml",
    "template.yaml",
)
PLUGINS = ("pytest_socket",)
"""Those that the tests need. To load all that are installed takes longer than the tests do."""
QUIET = ("-q", "-x", "-m", "not slow", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")
"""The first test that fails is enough; those that take minutes are for `make battery`."""
COUNTED = ("mutants", "tried", "caught", "timed_out", "equivalent", "survived")
"""`tried` are those that were chosen. Of these each was `caught`, by a red test or by taking too long (`timed_out`), or
is `equivalent`, for a reason that is given, or `survived`."""
SURVIVED, KILLED, TIMED_OUT = "survived", "killed", "timed out"


class Mutated(importlib.machinery.SourceFileLoader):
    """Loads one module from a syntax tree instead of its file."""

    def __init__(self, name: str, path: str, tree: ast.Module) -> None:
        super().__init__(name, path)
        self.tree = tree

    def get_code(self, fullname: str) -> Any:
        return compile(self.tree, self.path, "exec")


class Finder:
    """Finds that one module."""

    def __init__(self, name: str, tree: ast.Module) -> None:
        self.name, self.tree = name, tree

    def find_spec(self, fullname: str, path: Sequence[str] | None, _target: object = None) -> Any:
        if fullname != self.name:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path)
        assert spec is not None
        assert spec.origin is not None
        spec.loader = Mutated(fullname, spec.origin, self.tree)
        return spec


def outcome_of(file: str, tree: ast.Module, tests: Sequence[str], *, within: float) -> str:
    """What the tests say of a module made of `tree`; `within` seconds, or it hangs, which is noticed too."""
    ((_, outcome),) = outcomes_of(file, [tree], tests, within=within, processes=1)
    return outcome


def outcomes_of(
    file: str, trees: Sequence[ast.Module], tests: Sequence[str], *, within: float, processes: int
) -> Iterator[tuple[int, str]]:
    """The same of many, so many at a time: the number of each, as they come to an end."""
    waiting, running = deque(enumerate(trees)), dict[int, tuple[int, float]]()
    while waiting or running:
        while waiting and len(running) < processes:
            number, tree = waiting.popleft()
            running[_started(file, tree, tests)] = number, time.monotonic() + within
        for child, (number, until) in [*running.items()]:
            outcome = _ended(child, until)
            if outcome is not None:
                del running[child]
                yield number, outcome
        time.sleep(0.02)


def _started(file: str, tree: ast.Module, tests: Sequence[str]) -> int:
    child = os.fork()
    if child == 0:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        code = 9
        with suppress(BaseException):
            import pytest  # noqa: PLC0415 - in the parent already

            sys.meta_path.insert(0, Finder(_module_of(file), tree))  # type: ignore[arg-type]
            code = int(pytest.main([*QUIET, *(f"-p{each}" for each in PLUGINS), *tests]))
        os._exit(code)
    return child


def _ended(child: int, until: float) -> str | None:
    done, status = os.waitpid(child, os.WNOHANG)
    if done:
        return SURVIVED if os.waitstatus_to_exitcode(status) == 0 else KILLED
    if time.monotonic() < until:
        return None
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return TIMED_OUT


def _module_of(file: str) -> str:
    return ".".join(["bookend", *Path(file).with_suffix("").parts])


def sample(mutants: Sequence[Mutant], most: int | None, draw: int = 1) -> list[Mutant]:
    """All of them, or so many: the same for the same draw, others for another."""
    if most is None or len(mutants) <= most:
        return list(mutants)
    chosen = random.Random(f"mutants {draw}").sample(range(len(mutants)), most)
    return [mutants[number] for number in sorted(chosen)]


def run(file: str, most: int | None, processes: int = 1, draw: int = 1) -> dict[str, Any]:
    """The score of one file, and who survived."""
    source = (LAYER / file).read_text(encoding="utf-8")
    tests, began = TARGETS[file], time.monotonic()
    if outcome_of(file, ast.parse(source), tests, within=600) != SURVIVED:
        sys.exit(f"{file}: its tests are not green without a mutant: {' '.join(tests)}")
    within = 60 + 6 * processes * (time.monotonic() - began)  # a mutant that is only slow must not count as caught
    every = list(mutants_of(source))
    tried = sample(every, most, draw)
    ends: Counter[str] = Counter()
    reasons = EQUIVALENT.get(file, {})
    equivalent = [f"{each.name}: {reasons[each.name]}" for each in tried if each.name in reasons]
    told_apart = [each for each in tried if each.name not in reasons]
    left: list[int] = []
    trees = [each.tree for each in told_apart]
    for number, outcome in outcomes_of(file, trees, tests, within=within, processes=processes):
        ends[outcome] += 1
        if outcome == SURVIVED:
            left.append(number)
            mutant = told_apart[number]
            print(f"  {ends.total()}/{len(told_apart)}: survived, line {mutant.line}: {mutant.name}", flush=True)
    survived = [told_apart[number].name for number in sorted(left)]
    counted = len(told_apart)
    caught = ends[KILLED] + ends[TIMED_OUT]
    return {
        "file": file,
        "mutants": len(every),
        "tried": len(tried),
        "caught": caught,
        "timed_out": ends[TIMED_OUT],
        "equivalent": equivalent,
        "score": round(100 * caught / counted, 1) if counted else 100.0,
        "survived": survived,
        "tests": list(tests),
    }


def copied() -> Iterator[Path]:
    """A copy of the tree: others may be writing in this one."""
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        for name in COPIED:
            here, there = ROOT / name, Path(folder) / name
            if here.is_dir():
                shutil.copytree(here, there, ignore=shutil.ignore_patterns("__pycache__", ".hypothesis"))
            else:
                shutil.copy2(here, there)
        yield Path(folder)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.planted.mutate", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("file", nargs="*", help=f"of {', '.join(TARGETS)}; default all")
    parser.add_argument("--most", type=int, help="how many mutants of a file, drawn by lot; default all")
    parser.add_argument("--draw", type=int, default=1, help="which lot; survivors of one get tests: try the next")
    parser.add_argument("--processes", type=int, default=2, help="how many at a time")
    parser.add_argument("--json", type=Path, help="where the scores are kept; other files' stay")
    options = parser.parse_args(arguments)
    began = datetime.now(UTC)
    files = [str(each).removeprefix(f"{LAYER}/") for each in options.file] or list(TARGETS)
    if unknown := [each for each in files if each not in TARGETS]:
        parser.error(f"no target: {', '.join(unknown)}")
    kept = options.json.resolve() if options.json else None
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for name in (*HEAVY, *PLUGINS):
        importlib.import_module(name)
    for folder in copied():
        os.chdir(folder)
        sys.path[:] = [str(folder), *(each for each in sys.path if each not in {"", str(ROOT)})]
        for name in [each for each in sys.modules if each == "tests" or each.startswith("tests.")]:
            del sys.modules[name]  # they are the copy's from here on
        for file in files:
            print(f"{file}: {' '.join(TARGETS[file])}", flush=True)
            scored = run(file, options.most, options.processes, options.draw)
            print(
                f"  {scored['score']} %: {scored['caught']} of {scored['tried'] - len(scored['equivalent'])} caught, "
                f"{len(scored['equivalent'])} more equivalent, {scored['mutants']} possible",
                flush=True,
            )
            if kept is not None:
                draw = options.draw if options.most else None
                keep(kept, scored, began, draw, f"python -m tests.planted.mutate {' '.join(arguments)}".strip())


def keep(path: Path, scored: dict[str, Any], began: datetime, draw: int | None, command: str) -> None:
    """The score of a file goes beside the others', which may be of other runs: each row says of which.

    The seed of a sample is its draw; all mutants have none.
    """
    seeds = () if draw is None else (draw, draw)
    run = Record(path.stem, command, {}, seeds, seconds=(datetime.now(UTC) - began).total_seconds()).stamped(began)
    merge(path, [scored | {"command": command, "date": run.date, "commit": run.commit}], run)


def merge(path: Path, fresh: Sequence[Mapping[str, Any]], run: Record) -> None:
    """Rows in place of those of the same files. The command of the whole is the one that would play every row again."""
    new = {row["file"] for row in fresh}
    known = [row for row in (Record.read(path).rows if path.exists() else ()) if row["file"] not in new]
    rows = sorted([*known, *fresh], key=lambda row: row["file"])
    counts = {
        name: sum(len(row[name]) if isinstance(row[name], list) else row[name] for row in rows) for name in COUNTED
    }
    counts["score"] = round(100 * counts["caught"] / max(1, counts["tried"] - counts["equivalent"]), 1)
    commands = dict.fromkeys(row["command"] for row in rows)
    replace(run, command="; ".join(commands), counts=counts, rows=rows).write(path.parent)


if __name__ == "__main__":
    main(sys.argv[1:])
