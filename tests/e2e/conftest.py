"""The whole project in this process, for tests that call it as Retell does."""

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.replays.story import Screen
from sandbox.salon.running import Salon, running
from sandbox.stack.engine import REPOSITORY, EngineMissing, ministack_python


@pytest.fixture(scope="module")
def salon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Salon]:
    """The running salon; skipped without the engine, but not where CI demands it."""
    try:
        ministack_python(Path(os.environ.get("ENGINE_VENV", REPOSITORY / ".venv-engine")))
    except EngineMissing as missing:
        if os.environ.get("REQUIRE_ENGINES") == "1":
            raise
        pytest.skip(f"NOT RUN, the incidents are not replayed here: {missing}")
    scratch = tmp_path_factory.mktemp("salon")
    with running(runtime="in-process", scratch=scratch, progress=lambda _: None) as started:
        yield started


@pytest.fixture
def screen() -> Screen:
    """A terminal that nobody looks at."""
    return Screen(io.StringIO())
