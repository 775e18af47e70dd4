"""Fixtures over the engines. A conftest takes them over by name::

    from tests.support.tables.fixtures import store, tenant  # noqa: F401

* ``store``: a `Store`, once for each engine in ``ENGINE`` (default: memory, moto, ministack); one table a
  session.
* ``stores``: all of them at once, by name, for tests that compare. Their tables have one name.
* ``tenant``: a prefix of its own for each test, which is how tests share a table.
* ``memory``: a new `MemoryDynamoDB` with a table of its own, for tests that inject faults or count requests.

An engine that is not installed skips its tests, with the reason; ``REQUIRE_ENGINES=1`` (CI) makes that a
failure.
"""

import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from tests.support.tables.engines import EngineMissing, Store, engine, selected, unused_table

_numbers = itertools.count(1)


def opened(stack: ExitStack, name: str, table: str | None = None) -> Store:
    """An engine until `stack` ends; skips, or fails if engines are required."""
    try:
        return stack.enter_context(engine(name, table))
    except EngineMissing as missing:
        if os.environ.get("REQUIRE_ENGINES") == "1":
            pytest.fail(f"REQUIRE_ENGINES=1, but {missing}")
        pytest.skip(f"ENGINE {name} NOT TESTED: {missing}")


def _marked(name: str) -> object:
    served = name in {"ministack", "dynamodb-local"}
    return pytest.param(name, marks=[pytest.mark.engine] if served else [])


@pytest.fixture(scope="session", params=[_marked(name) for name in selected()])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    with ExitStack() as stack:
        yield opened(stack, request.param)


@pytest.fixture(scope="session")
def stores() -> Iterator[dict[str, Store]]:
    with ExitStack() as stack:
        table = unused_table()
        present = {}
        for name in selected():
            # One engine less still leaves a comparison; the tests of `store` say loudly which one is missing.
            with suppress(pytest.skip.Exception):
                present[name] = opened(stack, name, table)
        yield present


@pytest.fixture
def tenant() -> str:
    """Unique in this process; every xdist worker has engines and tables of its own."""
    return f"t{next(_numbers)}"


@pytest.fixture
def memory() -> Iterator[Store]:
    with engine("memory") as opened_store:
        yield opened_store
