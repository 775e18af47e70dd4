"""The ports on every engine: `place` is a tenant of one's own in a table, with the adapters that serve it."""

from collections.abc import Iterator

import pytest

from tests.adapters.dynamodb.place import Place
from tests.support.tables.engines import Store, engine
from tests.support.tables.fixtures import memory, store, stores, tenant  # noqa: F401


@pytest.fixture
def place(store: Store, tenant: str) -> Place:  # noqa: F811 - a fixture by its name
    return Place(store, tenant)


@pytest.fixture(scope="module", params=["memory", "moto"])
def breakable(request: pytest.FixtureRequest) -> Iterator[Store]:
    """An engine whose requests can be made to fail."""
    with engine(request.param) as opened:
        yield opened


@pytest.fixture
def troubled(breakable: Store, tenant: str) -> Iterator[Place]:  # noqa: F811
    breakable.client.faults.clear()
    yield Place(breakable, tenant)
    breakable.client.faults.clear()
