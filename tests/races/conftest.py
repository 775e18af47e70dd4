"""The engine of the races is needed here, or its absence is said aloud."""

import os

import pytest

from bookend.adapters.calcom import client
from bookend.application import offering
from tests.races.live import UNHURRIED_S
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


@pytest.fixture(autouse=True)
def patient_with_the_machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty questions at once, from one process to a stand-in that shares its cores: who wins, not how soon."""
    if "hurry" not in request.node.name:
        monkeypatch.setattr(offering, "SLOTS_S", UNHURRIED_S)
        monkeypatch.setattr(client, "_CONNECT_S", UNHURRIED_S)
