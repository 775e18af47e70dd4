"""Create on the engine what the template declares: tables, queues and secrets.

Two settings are left out on purpose. TTL is not switched on: the sandbox may replay a day of 2025, and the
engine deletes by the real clock, so it would collect what is still alive in the story (expiry is a condition
in our code anyway, TTL only collects garbage). Point-in-time recovery, encryption and deletion protection
mean nothing here.
"""

import json
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config

from sandbox.stack.engine import Endpoints
from sandbox.stack.intrinsics import ACCOUNT, Physical, Resolver
from sandbox.stack.template import QUEUE, SECRET, TABLE
from sandbox.stack.translate import REGION

ACCESS_KEY = "sandbox"
"""Both halves of credentials that are worth nothing anywhere else."""

SecretValue = str | Mapping[str, Any]
"""A secret's text, or an object that is stored as JSON."""

_TABLE_SETTINGS = (
    "AttributeDefinitions",
    "KeySchema",
    "LocalSecondaryIndexes",
    "GlobalSecondaryIndexes",
    "BillingMode",
    "ProvisionedThroughput",
)
_QUEUE_SETTINGS = (
    "ContentBasedDeduplication",
    "DelaySeconds",
    "FifoQueue",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
    "RedriveAllowPolicy",
    "RedrivePolicy",
    "VisibilityTimeout",
)


class Aws:
    """Clients of the engine."""

    def __init__(self, endpoints: Endpoints) -> None:
        self.endpoints = endpoints
        # Any: the stubs know a client type for each literal name, and the names here are variables.
        self._session: Any = boto3.session.Session(
            aws_access_key_id=ACCESS_KEY, aws_secret_access_key=ACCESS_KEY, region_name=REGION
        )

    def client(self, service: str) -> Any:
        """A new client of one service. Not for two threads at once: making clients is not thread-safe in boto3."""
        config = Config(
            connect_timeout=5,
            read_timeout=30,
            retries={"total_max_attempts": 2, "mode": "standard"},
            max_pool_connections=32,
        )
        return self._session.client(service, endpoint_url=self.endpoints.of(service), config=config)


def function_credentials() -> dict[str, str]:
    """The same credentials for a function's environment; Lambda sets the region too."""
    return {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": ACCESS_KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
    }


def create_secret(aws: Aws, name: str, value: SecretValue) -> str:
    """Store one secret and return its ARN."""
    text = value if isinstance(value, str) else json.dumps(value)
    return str(aws.client("secretsmanager").create_secret(Name=name, SecretString=text)["ARN"])


def provision(
    aws: Aws, resolver: Resolver, *, stack_name: str, secrets: Mapping[str, SecretValue]
) -> dict[str, Physical]:
    """Create tables, secret resources and queues; return what they are called, for the functions' environment.

    `secrets` gives the values of `AWS::SecretsManager::Secret` resources by logical id; one without a value
    gets "{}".
    """
    kinds = {name: resource["Type"] for name, resource in resolver.live_resources().items()}
    physical: dict[str, Physical] = {}
    for name, kind in kinds.items():
        if kind == TABLE:
            physical[name] = _create_table(aws, f"{stack_name}-{name}", resolver.properties(name))
        elif kind == SECRET:
            arn = create_secret(aws, f"{stack_name}/{name}", secrets.get(name, "{}"))
            physical[name] = Physical(arn, {"Id": arn})
        elif kind == QUEUE:
            physical[name] = _queue_identity(aws, f"{stack_name}-{name}", resolver.properties(name))
    # A queue names its dead-letter queue, which may come later in the template: first all names, then the
    # queues, each with its dead-letter queue before it.
    knowing = resolver.knowing(physical)
    queues = {name: knowing.properties(name) for name, kind in kinds.items() if kind == QUEUE}
    for name in sorted(queues, key=lambda name: "RedrivePolicy" in queues[name]):
        _create_queue(aws, physical[name], queues[name])
    return physical


def _create_table(aws: Aws, name: str, properties: dict[str, Any]) -> Physical:
    client = aws.client("dynamodb")
    settings = {key: properties[key] for key in _TABLE_SETTINGS if key in properties}
    stream = properties.get("StreamSpecification")
    if stream:
        settings["StreamSpecification"] = {"StreamEnabled": True, **stream}
    table = client.create_table(TableName=name, **settings)["TableDescription"]
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    attributes = {"Arn": table["TableArn"]}
    if "LatestStreamArn" in table:
        attributes["StreamArn"] = table["LatestStreamArn"]
    return Physical(name, attributes)


def _queue_identity(aws: Aws, name: str, properties: dict[str, Any]) -> Physical:
    if properties.get("FifoQueue"):
        name = f"{name}.fifo"
    url = f"{aws.endpoints.default}/{ACCOUNT}/{name}"
    arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"
    return Physical(url, {"Arn": arn, "QueueName": name, "QueueUrl": url})


def _create_queue(aws: Aws, physical: Physical, properties: dict[str, Any]) -> None:
    attributes = {key: _attribute(properties[key]) for key in _QUEUE_SETTINGS if key in properties}
    aws.client("sqs").create_queue(QueueName=physical.attributes["QueueName"], Attributes=attributes)


def _attribute(value: Any) -> str:
    """Queue attributes travel as text, policies as JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, dict) else str(value)
