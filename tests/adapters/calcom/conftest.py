"""Nothing that a test of the Cal.com adapter opened stays open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.adapters.calcom.fixtures import close_all


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    close_all()
