"""A plugin for pytest that counts what a battery really did: `pytest -p tests.evidence.plugin --numbers=FILE …`.

Counted are tests by outcome, Hypothesis's test cases, requests at the functions' doors, and salons that were opened (a
scenario begins with a fresh one). Counts are made where the thing happens, not written down beside it, and travel with
the test's report, so that they also arrive from the workers of pytest-xdist.
"""

from __future__ import annotations

import functools
import json
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import statistics

from tests.support import http, salon

DONE = "numbers of the evidence"
_counted: Counter[str] = Counter()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--numbers", help="where to write what was counted, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    _count_examples()
    _count_requests()
    _count_salons()
    target = config.getoption("--numbers")
    if target and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Numbers(Path(target)))


class Numbers:
    """The sum over all tests, written at the end."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self.counts: Counter[str] = Counter()
        self.broken: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One phase of one test."""
        if report.when == "call" or report.outcome == "failed" or (report.when == "setup" and report.skipped):
            self.counts[outcome_of(report)] += 1
        if report.outcome == "failed" and not hasattr(report, "wasxfail"):
            self.broken.append(f"{report.nodeid}: {_reason(report)}")
        for name, value in report.user_properties:
            if name == DONE and report.when == "teardown":
                self.counts.update(value)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that cannot be read is not run, and says so."""
        if report.failed:
            self.broken.append(f"{report.nodeid}: cannot be collected")

    def pytest_sessionfinish(self) -> None:
        """All tests are done."""
        content = {"counts": dict(sorted(self.counts.items())), "broken": self.broken}
        self._target.write_text(json.dumps(content), encoding="utf-8")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, None]:
    """Count anew for each test; modules' fixtures count for the test that asked first."""
    _counted.clear()
    yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, None]:
    """Hand the numbers over with the test's last report."""
    if call.when == "teardown" and _counted:
        item.user_properties.append((DONE, dict(_counted)))
    yield


def outcome_of(report: pytest.TestReport) -> str:
    """In a word of ours: an expected failure is a known limit that still stands."""
    if hasattr(report, "wasxfail"):
        return "known limits" if report.skipped else "failed"
    return {"passed": "tests", "failed": "failed", "skipped": "not run here"}[report.outcome]


def _reason(report: pytest.TestReport) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(getattr(crash, "message", report.longrepr)).strip().partition("\n")[0][:200]


def _count_examples() -> None:
    def counting(collected: Any, *args: Any, **more: Any) -> str:
        for phase, each in collected.items():
            if phase.endswith("-phase"):
                done = Counter(case["status"] for case in each.get("test-cases", ()))
                _counted["examples"] += done["valid"] + done["interesting"]
        return describe(collected, *args, **more)

    describe = statistics.describe_statistics
    statistics.describe_statistics = counting


def _count_requests() -> None:
    opened = http.door

    @functools.wraps(opened)
    def door(function: str) -> Any:
        module = opened(function)
        if not isinstance(module.lambda_handler, _Counting):
            module.lambda_handler = _Counting(module.lambda_handler)
        return module

    for name in ("cache_clear", "cache_info", "cache_parameters"):
        setattr(door, name, getattr(opened, name))
    http.door = door  # type: ignore[assignment]


class _Counting:
    """A function's handler; each event that it is called with counts."""

    def __init__(self, handler: Callable[..., Any]) -> None:
        self._handler = handler
        functools.update_wrapper(self, handler)

    def __call__(self, *args: Any, **more: Any) -> Any:
        _counted["requests at the doors"] += 1
        return self._handler(*args, **more)


def _count_salons() -> None:
    made = salon.Salon.__post_init__

    def counting(self: Any) -> None:
        _counted["salons opened"] += 1
        made(self)

    salon.Salon.__post_init__ = counting  # type: ignore[method-assign]
