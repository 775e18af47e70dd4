"""The engine of the races is needed here, or its absence is said aloud."""

import os

import pytest

from tests.support.tables.engines import EngineMissing, engine


@pytest.fixture(scope="session")
def engine_installed() -> None:
    """Skip, or fail where CI demands the engine."""
    try:
        with engine("ministack"):
            return
    except EngineMissing as missing:
        if os.environ.get("REQUIRE_ENGINES") == "1":
            raise
        pytest.skip(f"NOT RUN, races need an engine: {missing}")
