"""Two running stacks of the fixture template, one of each runtime, for all tests of this directory."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.stack.engine import REPOSITORY, EngineMissing, ministack_python
from sandbox.stack.local import LocalStack, RuntimeName

TEMPLATE = Path(__file__).parent / "fixture" / "template.yaml"


@pytest.fixture(scope="session")
def engine_installed() -> None:
    """Skip, or fail where CI demands the engine."""
    try:
        ministack_python(Path(os.environ.get("ENGINE_VENV", REPOSITORY / ".venv-engine")))
    except EngineMissing as missing:
        if os.environ.get("REQUIRE_ENGINES") == "1":
            raise
        pytest.skip(f"NOT RUN, the local stack is untested here: {missing}")


def _stack(runtime: RuntimeName, directory: Path) -> LocalStack:
    return LocalStack(
        TEMPLATE,
        parameters={"Stage": "dev"},
        engine="ministack",
        secrets={"KeySecretArn": {"key": "k"}, "OwnSecret": "mine"},
        env_overrides={"EXTRA": "override"},
        runtime=runtime,
        clock_file=directory / "clock",
        log_dir=directory / "logs",
        progress=lambda _: None,
    )


@pytest.fixture(scope="session")
def stack(engine_installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """The stack on the real Lambda runtime."""
    with _stack("lambda", tmp_path_factory.mktemp("lambda")) as running:
        yield running


@pytest.fixture
def in_process(engine_installed: None, tmp_path: Path) -> Iterator[LocalStack]:
    """The stack with its functions in this process; not longer than a test, it shares our environment."""
    with _stack("in-process", tmp_path) as running:
        yield running


@pytest.fixture
def unique() -> str:
    """A name that no other test uses."""
    return uuid.uuid4().hex
