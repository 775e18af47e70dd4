"""What a machine can run of a translated template: a value of plain data, with every reference worked out."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.stack.intrinsics import Resolver, function_name
from sandbox.stack.translate import local_path

TABLE = "AWS::DynamoDB::Table"
QUEUE = "AWS::SQS::Queue"
SECRET = "AWS::SecretsManager::Secret"
FUNCTION = "AWS::Lambda::Function"
LAYER = "AWS::Lambda::LayerVersion"
SQS_SOURCE = "AWS::Lambda::EventSourceMapping"
HTTP_API = "AWS::ApiGatewayV2::Api"
HTTP_STAGE = "AWS::ApiGatewayV2::Stage"
SCHEDULE = "AWS::Scheduler::Schedule"
_ONLY_READ = {"AWS::Lambda::Alias", "AWS::Lambda::Version", HTTP_STAGE}

ANY_METHOD = "ANY"
DEFAULT_STAGE = "$default"


@dataclass(frozen=True)
class Function:
    """One function, known by its logical id."""

    name: str
    handler: str
    code: Path
    layers: tuple[Path, ...]
    environment: dict[str, str]
    timeout: int
    """Seconds."""
    memory: int
    """Megabytes; told to the function, not enforced."""
    concurrency: int | None
    """ReservedConcurrentExecutions."""


@dataclass(frozen=True)
class Route:
    """A method and a path of the HTTP API; `{name}` matches one segment, `{name+}` the rest."""

    method: str
    path: str
    function: str

    @property
    def key(self) -> str:
        """The route as API Gateway names it."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class QueueSource:
    """A queue whose messages are handed to a function in batches."""

    queue_arn: str
    function: str
    batch_size: int
    window: int
    """Seconds to wait for a batch to fill."""
    partial_failures: bool
    """Whether the function reports the messages that failed (ReportBatchItemFailures)."""
    concurrency: int | None
    """ScalingConfig.MaximumConcurrency."""


@dataclass(frozen=True)
class StreamSource:
    """A table's stream whose records are handed to a function, in order and in batches."""

    stream_arn: str
    function: str
    batch_size: int
    partial_failures: bool
    bisects: bool
    """Whether a batch that fails as a whole is tried again in halves."""
    retries: int
    """Tries of a record after the first one; -1: as long as the stream has it."""
    patterns: tuple[dict[str, Any], ...]
    """A record is handed on if it matches one of them, or if there are none."""


@dataclass(frozen=True)
class Schedule:
    """A schedule of EventBridge Scheduler that invokes a function."""

    name: str
    expression: str
    zone: str
    function: str
    input: str | None
    enabled: bool


@dataclass(frozen=True)
class Stack:
    """The template, ready to run; resources without a type of their own are their properties by logical id."""

    functions: dict[str, Function]
    routes: tuple[Route, ...]
    api_stage: str
    tables: dict[str, dict[str, Any]]
    queues: dict[str, dict[str, Any]]
    secrets: dict[str, dict[str, Any]]
    queue_sources: tuple[QueueSource, ...]
    stream_sources: tuple[StreamSource, ...]
    schedules: dict[str, Schedule]
    not_run: tuple[tuple[str, str], ...]
    """Logical id and kind of what nothing here acts upon: alarms, roles, log groups ..."""


def read_stack(resolver: Resolver, base: Path) -> Stack:
    """Read the resolver's template, whose local code paths are relative to `base`."""
    live = resolver.live_resources()
    by_kind: dict[str, dict[str, dict[str, Any]]] = {}
    not_run: list[tuple[str, str]] = []
    for logical_id, resource in live.items():
        kind = resource["Type"]
        if kind in _READ:
            by_kind.setdefault(kind, {})[logical_id] = resolver.properties(logical_id)
        elif kind not in _ONLY_READ:
            not_run.append((logical_id, kind))

    apis = by_kind.get(HTTP_API, {})
    if len(apis) > 1:
        raise ValueError(f"one HTTP API is supported, the template has {', '.join(apis)}")
    stages = [
        resolver.properties(name)["StageName"] for name, resource in live.items() if resource["Type"] == HTTP_STAGE
    ]
    sources, streams = [], []
    for logical_id, properties in by_kind.get(SQS_SOURCE, {}).items():
        if ":sqs:" in str(properties.get("EventSourceArn")):
            sources.append(_queue_source(properties))
        elif ":dynamodb:" in str(properties.get("EventSourceArn")):
            streams.append(_stream_source(properties))
        else:
            not_run.append((logical_id, f"{SQS_SOURCE} of {properties.get('EventSourceArn')}"))
    schedules = {}
    for logical_id, properties in by_kind.get(SCHEDULE, {}).items():
        schedule = _schedule(logical_id, properties)
        if schedule is None:
            not_run.append((logical_id, f"{SCHEDULE} whose target is no function"))
        else:
            schedules[logical_id] = schedule

    return Stack(
        functions={
            name: _function(name, properties, by_kind.get(LAYER, {}), base)
            for name, properties in by_kind.get(FUNCTION, {}).items()
        },
        routes=tuple(route for properties in apis.values() for route in _routes(properties)),
        api_stage=stages[0] if stages else DEFAULT_STAGE,
        tables=by_kind.get(TABLE, {}),
        queues=by_kind.get(QUEUE, {}),
        secrets=by_kind.get(SECRET, {}),
        queue_sources=tuple(sources),
        stream_sources=tuple(streams),
        schedules=schedules,
        not_run=tuple(sorted(not_run)),
    )


_READ = {TABLE, QUEUE, SECRET, FUNCTION, LAYER, SQS_SOURCE, HTTP_API, SCHEDULE}


def _function(name: str, properties: dict[str, Any], layers: dict[str, dict[str, Any]], base: Path) -> Function:
    code = local_path(properties.get("Code", {}), base)
    if code is None:
        raise ValueError(f"{name}: only code in a local directory (CodeUri) runs here")
    environment = properties.get("Environment", {}).get("Variables", {})
    logging = properties.get("LoggingConfig", {})
    if logging.get("LogFormat") == "JSON":
        # Lambda turns these settings of the function into variables that its Python runtime reads.
        level = logging.get("ApplicationLogLevel", "INFO")
        environment = {"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": level, **environment}
    return Function(
        name=name,
        handler=properties["Handler"],
        code=code,
        layers=tuple(_layer_path(reference, name, layers, base) for reference in properties.get("Layers", [])),
        environment={key: _variable(value) for key, value in environment.items()},
        timeout=int(properties.get("Timeout", 3)),
        memory=int(properties.get("MemorySize", 128)),
        concurrency=_optional_int(properties.get("ReservedConcurrentExecutions")),
    )


def _layer_path(reference: str, function: str, layers: dict[str, dict[str, Any]], base: Path) -> Path:
    path = local_path(layers.get(reference, {}).get("Content", {}), base)
    if path is None:
        raise ValueError(f"{function}: layer {reference} is not a layer of this template with local content")
    # SAM builds such a directory into python/ of the layer; here its source is imported where it lies.
    return path / "python" if (path / "python").is_dir() else path


def _variable(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _optional_int(value: Any) -> int | None:
    return None if value is None else int(value)


def _routes(api: dict[str, Any]) -> list[Route]:
    routes = []
    for path, methods in api.get("Body", {}).get("paths", {}).items():
        for method, operation in methods.items():
            integration = operation.get("x-amazon-apigateway-integration", {})
            function = function_name(str(integration.get("uri", "")))
            if function is None:
                raise ValueError(f"{method} {path} does not lead to a function")
            version = str(integration.get("payloadFormatVersion"))
            if version != "2.0":
                raise ValueError(f"{method} {path} asks for payload format {version}, only 2.0 is known here")
            any_method = method == "x-amazon-apigateway-any-method"
            routes.append(Route(ANY_METHOD if any_method else method.upper(), path, function))
    return routes


def _queue_source(properties: dict[str, Any]) -> QueueSource:
    return QueueSource(
        queue_arn=properties["EventSourceArn"],
        function=function_name(properties["FunctionName"]) or properties["FunctionName"],
        batch_size=int(properties.get("BatchSize", 10)),
        window=int(properties.get("MaximumBatchingWindowInSeconds", 0)),
        partial_failures="ReportBatchItemFailures" in properties.get("FunctionResponseTypes", []),
        concurrency=_optional_int(properties.get("ScalingConfig", {}).get("MaximumConcurrency")),
    )


def _stream_source(properties: dict[str, Any]) -> StreamSource:
    if properties.get("StartingPosition") != "TRIM_HORIZON":
        raise ValueError("a stream is followed from its beginning here (TRIM_HORIZON)")
    filters = properties.get("FilterCriteria", {}).get("Filters", [])
    return StreamSource(
        stream_arn=properties["EventSourceArn"],
        function=function_name(properties["FunctionName"]) or properties["FunctionName"],
        batch_size=int(properties.get("BatchSize", 100)),
        partial_failures="ReportBatchItemFailures" in properties.get("FunctionResponseTypes", []),
        bisects=bool(properties.get("BisectBatchOnFunctionError", False)),
        retries=int(properties.get("MaximumRetryAttempts", -1)),
        patterns=tuple(json.loads(each["Pattern"]) for each in filters),
    )


def _schedule(name: str, properties: dict[str, Any]) -> Schedule | None:
    target = properties["Target"]
    function = function_name(target["Arn"])
    if function is None:
        return None
    payload = target.get("Input")
    return Schedule(
        name=name,
        expression=re.sub(r"\s+", " ", properties["ScheduleExpression"]).strip(),
        zone=properties.get("ScheduleExpressionTimezone", "UTC"),
        function=function,
        input=payload if payload is None or isinstance(payload, str) else json.dumps(payload),
        enabled=properties.get("State", "ENABLED") == "ENABLED",
    )
