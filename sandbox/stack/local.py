"""The whole stack on this machine, as one context manager."""

import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

from sandbox.stack.clock import SandboxClock, set_offset
from sandbox.stack.engine import REPOSITORY, Progress, start_engines
from sandbox.stack.events import QueuePoller, Scheduler
from sandbox.stack.front import Api, Front
from sandbox.stack.in_process import InProcessRuntime
from sandbox.stack.intrinsics import Resolver
from sandbox.stack.invocation import InvokeResult, Runtime
from sandbox.stack.lambda_entry import CLOCK_VARIABLE
from sandbox.stack.provision import Aws, SecretValue, create_secret, function_credentials, provision
from sandbox.stack.runtime import DEFAULT_POOL_SIZE, LambdaRuntime
from sandbox.stack.streams import StreamPoller
from sandbox.stack.template import SECRET, Function, Stack, read_stack
from sandbox.stack.translate import translate

RuntimeName = Literal["lambda", "in-process"]


class QueueDepth(NamedTuple):
    """Messages of a queue: ready to be received, received and not settled, and not yet due."""

    ready: int
    in_flight: int
    delayed: int


class LocalStack:
    """Template, engine, functions, HTTP front, pollers and schedules; everything ends with the `with` block.

    `secrets` names each secret by a parameter of the template that takes its ARN, by a secret resource's
    logical id, or by a name of its own. `env_overrides` go into every function's environment last.
    `clock_file` holds an offset in seconds to real time (see `clock`) and makes everything here live by it;
    it is created if missing.
    """

    def __init__(
        self,
        template: str | Path = "template.yaml",
        *,
        parameters: Mapping[str, str] | None = None,
        secrets: Mapping[str, SecretValue] | None = None,
        env_overrides: Mapping[str, str] | None = None,
        runtime: RuntimeName = "lambda",
        engine: str | None = None,
        clock_file: str | Path | None = None,
        port: int = 0,
        pool_size: int = DEFAULT_POOL_SIZE,
        schedules: bool = True,
        log_dir: str | Path | None = None,
        progress: Progress = print,
    ) -> None:
        path = Path(template)
        self._template = path if path.exists() or path.is_absolute() else REPOSITORY / path
        self._parameters = dict(parameters or {})
        self._secrets = dict(secrets or {})
        self._env_overrides = dict(env_overrides or {})
        self._runtime_name = runtime
        self._engine = engine
        self.clock_file = Path(clock_file).resolve() if clock_file else None
        self._port = port
        self._pool_size = pool_size
        self._run_schedules = schedules
        self._log_dir = Path(log_dir or self._template.parent / ".sandbox" / "logs").resolve()
        self._progress = progress
        self._cleanup = ExitStack()
        self.url = ""

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything, the last started first."""
        self._cleanup.close()

    def invoke(self, function: str, event: Any) -> InvokeResult:
        """Invoke a function directly by its logical id."""
        return self._runtime.invoke(function, event)

    def fire_schedule(self, name: str) -> InvokeResult:
        """Run a schedule now; the event name of the template is enough if no other schedule ends with it."""
        return self._scheduler.fire(name)

    def client(self, service: str) -> Any:
        """A boto3 client of the engine."""
        return self._aws.client(service)

    def where(self) -> dict[str, str]:
        """The engine's addresses, in the variables that every AWS SDK reads."""
        return self._aws.endpoints.environment()

    def dynamodb(self) -> Any:
        """A DynamoDB client of the engine."""
        return self.client("dynamodb")

    @property
    def table_name(self) -> str:
        """The name of the table that the functions know as TABLE_NAME; of others, use `physical`."""
        (table,) = {name for each in self.stack.functions.values() if (name := each.environment.get("TABLE_NAME"))}
        return table

    def physical(self, logical_id: str) -> str:
        """What `Ref` gives: a table's name, a queue's URL, a secret's ARN."""
        return str(self._resolver.ref(logical_id))

    def queue_depth(self, logical_id: str) -> QueueDepth:
        """How many messages the queue has."""
        names = ("", "NotVisible", "Delayed")
        found = self._sqs.get_queue_attributes(
            QueueUrl=self.physical(logical_id),
            AttributeNames=[f"ApproximateNumberOfMessages{name}" for name in names],
        )["Attributes"]
        return QueueDepth(*(int(found[f"ApproximateNumberOfMessages{name}"]) for name in names))

    def streams_caught_up(self) -> bool:
        """Wait until all that is in the tables' streams now was handed on; False if that takes too long."""
        return all(follower.caught_up() for follower in self._followers)

    def start_schedules(self) -> None:
        """Let the timer run from now on, where it was not to run from the start (`schedules=False`)."""
        if not self._run_schedules:
            self._run_schedules = True
            self._cleanup.callback(self._scheduler.close)
            self._scheduler.start()

    def logs(self) -> Mapping[str, str]:
        """What the functions printed: by instance, `<function>-<n>`; in process the tracebacks by function."""
        return self._runtime.logs()

    def now(self) -> datetime:
        """The time that the stack lives in."""
        return self._clock()

    def _start(self) -> None:
        began = time.monotonic()
        self._clock = self._make_clock()
        self._log_dir.mkdir(parents=True, exist_ok=True)
        translated = translate(self._template, self._parameters)
        endpoints = start_engines(self._engine, self._cleanup, log_dir=self._log_dir, progress=self._progress)
        self._aws = Aws(endpoints)
        self._resolver, self.stack = self._provision(translated)
        self._runtime = self._make_runtime()
        # Pollers wait for the batch they are in, so instances must go only after them.
        self._cleanup.callback(self._runtime.close)
        self._start_events()
        api = Api(
            self.stack.routes,
            self.invoke,
            stage=self.stack.api_stage,
            fire=self.fire_schedule,
            clock=self._clock,
            progress=self._progress,
        )
        front = Front(api, self._port)
        self._cleanup.callback(front.close)
        front.start()
        self.url = front.url
        self._tell(time.monotonic() - began)

    def _make_clock(self) -> Callable[[], datetime]:
        if self.clock_file is None:
            return lambda: datetime.now(UTC)
        if not self.clock_file.exists():
            self.clock_file.parent.mkdir(parents=True, exist_ok=True)
            set_offset(self.clock_file, 0)
        return SandboxClock(self.clock_file)

    def _provision(self, translated: dict[str, Any]) -> tuple[Resolver, Stack]:
        # Two stacks may share an engine one day, and names say whose they are.
        name = f"sandbox-{os.getpid()}"
        resources = translated.get("Resources", {})
        parameters = dict(self._parameters)
        for secret, value in self._secrets.items():
            if resources.get(secret, {}).get("Type") != SECRET:
                arn = create_secret(self._aws, secret, value)
                if secret in translated.get("Parameters", {}):
                    parameters[secret] = arn
        resolver = Resolver(translated, parameters, stack_name=name)
        knowing = resolver.knowing(provision(self._aws, resolver, stack_name=name, secrets=self._secrets))
        return knowing, read_stack(knowing, self._template.resolve().parent)

    def _make_runtime(self) -> Runtime:
        if self._runtime_name == "in-process":
            return InProcessRuntime(self.stack.functions, self._environment, progress=self._progress)
        return LambdaRuntime(
            self.stack.functions,
            self._environment,
            log_dir=self._log_dir,
            pool_size=self._pool_size,
            progress=self._progress,
        )

    def _environment(self, function: Function) -> dict[str, str]:
        clock = {CLOCK_VARIABLE: str(self.clock_file)} if self.clock_file else {}
        return {
            **function_credentials(),
            **self._aws.endpoints.environment(),
            **clock,
            **function.environment,
            **self._env_overrides,
        }

    def _start_events(self) -> None:
        urls = {self._resolver.attribute(queue, "Arn"): self.physical(queue) for queue in self.stack.queues}
        self._sqs = self.client("sqs")
        for source in self.stack.queue_sources:
            function = self.stack.functions[source.function]
            limits = [limit for limit in (source.concurrency, function.concurrency) if limit]
            poller = QueuePoller(
                source,
                self._sqs,
                urls[source.queue_arn],
                self.invoke,
                pollers=min(self._pool_size, *limits) if limits else self._pool_size,
                progress=self._progress,
            )
            self._cleanup.callback(poller.close)
            poller.start()
        self._followers = [
            StreamPoller(each, self.client("dynamodbstreams"), self.invoke, clock=self._clock, progress=self._progress)
            for each in self.stack.stream_sources
        ]
        for follower in self._followers:
            self._cleanup.callback(follower.close)
            follower.start()
        self._scheduler = Scheduler(self.stack.schedules, self.invoke, clock=self._clock, progress=self._progress)
        if self._run_schedules:
            self._cleanup.callback(self._scheduler.close)
            self._scheduler.start()

    def _tell(self, seconds: float) -> None:
        for route in self.stack.routes:
            self._progress(f"route     {route.key} -> {route.function}")
        for source in self.stack.queue_sources:
            self._progress(f"queue     {source.queue_arn.rpartition(':')[2]} -> {source.function}")
        for stream in self.stack.stream_sources:
            self._progress(f"stream    {stream.stream_arn.split('/')[1]} -> {stream.function}")
        for schedule in self.stack.schedules.values():
            timer = "" if self._run_schedules and schedule.enabled else " (by hand)"
            self._progress(f"schedule  {schedule.name} {schedule.expression}{timer} -> {schedule.function}")
        if self.stack.not_run:
            kinds = sorted({kind.removeprefix("AWS::") for _, kind in self.stack.not_run})
            self._progress(f"not run   {len(self.stack.not_run)} resources: {', '.join(kinds)}")
        self._progress(f"ready     {self.url} ({self._runtime_name}, {seconds:.1f} s)")
