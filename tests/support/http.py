"""The doors, called in this process as API Gateway and Lambda call them.

    with Doors(salon) as doors:
        answer = doors.function("check_availability", {"date": "morgen", "time": "10:00"})
        assert (answer.status, answer.json["status"]) == (200, "available")

Everything behind a door is real but what Amazon and Cal.com run: the repository and the tenants work on the salon's
table in memory, the keys come through the real store from a secret that `doors.vault` holds and counts, and the
calendar is the salon's. `doors.raw` sends any event, `http_event` makes one, and `doors.heard` is what was logged and
measured. A `Doors` is in force from `with` to its end, one at a time in a process.
"""

from __future__ import annotations

import base64 as b64
import contextlib
import hashlib
import hmac
import importlib.util
import io
import json
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self

from bookend import bootstrap, observability
from bookend.adapters.bounded import Bounds, at_once
from bookend.adapters.dynamodb.tenants import DynamoTenants
from bookend.adapters.dynamodb.transact import Table
from bookend.adapters.secrets.store import SecretStore
from bookend.adapters.tenants.document import read_tenant
from bookend.application.ports import Alert, Job
from bookend.bootstrap import Dependencies
from bookend.config import Settings
from tests.support.retell import KEY, body_of, function_call, lifecycle, signature
from tests.support.salon import EXAMPLE, Salon

FUNCTIONS = Path(__file__).parents[2] / "functions"
RETELL_ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:bookend/retell-AbCdEf"
CALCOM_ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:bookend/calcom-GhIjKl"
WEBHOOKS_ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:bookend/webhooks-JkLmNo"
WEBHOOK_SECRET = "whsec-friseur1-0123456789"
CALCOM_KEY = "cal_live_0123456789abcdef0123456789abcdef"


@cache
def door(function: str) -> ModuleType:
    """The module of functions/<function>/handler.py; all of them are called handler, so each gets a name of its own."""
    name = f"_door_{function}"
    spec = importlib.util.spec_from_file_location(name, FUNCTIONS / function / "handler.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def http_event(
    body: bytes | str | None,
    headers: Mapping[str, str] | None = None,
    *,
    path: str = "/retell/functions",
    base64: bool = False,
) -> dict[str, Any]:
    """The HttpApi's event of payload format 2.0 for one POST; bytes that are no text come in base64, as there."""
    if isinstance(body, bytes) and not base64:
        try:
            body = body.decode("utf-8")
        except UnicodeDecodeError:
            base64 = True
    if base64 and body is not None:
        body = b64.b64encode(body.encode() if isinstance(body, str) else body).decode()
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": f"POST {path}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {
            "content-type": "application/json",
            "host": "api.example",
            "user-agent": "axios/1.7.9",
            "x-forwarded-for": "100.20.5.228",
            "x-forwarded-proto": "https",
        }
        | {name.lower(): value for name, value in (headers or {}).items()},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "domainName": "api.example",
            "http": {
                "method": "POST",
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "100.20.5.228",
                "userAgent": "axios/1.7.9",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": f"POST {path}",
            "stage": "$default",
            "timeEpoch": 1761416312000,
        },
        "isBase64Encoded": base64,
    }
    return event if body is None else event | {"body": body}


def webhook_signature(body: bytes, secret: str) -> str:
    """The header with which Cal.com signs a body."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def job_body(job: Job) -> str:
    """A job as it stands in a message."""
    return json.dumps({"kind": job.kind, "tenant": job.tenant, "name": job.name, "attempt": job.attempt})


class LambdaContext:
    """The part of Lambda's context that handlers use."""

    function_name = "bookend-test"
    function_version = "1"
    memory_limit_in_mb = "1024"
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:bookend-test:live"
    aws_request_id = "7e1c0f5a-0000-4000-8000-000000000000"

    def __init__(self, milliseconds: int = 9000) -> None:
        self._milliseconds = milliseconds

    def get_remaining_time_in_millis(self) -> int:
        return self._milliseconds


@dataclass(frozen=True)
class Answer:
    """What the gateway gets back."""

    whole: Mapping[str, Any]

    @property
    def status(self) -> int:
        status: int = self.whole["statusCode"]
        return status

    @property
    def text(self) -> str:
        text: str = self.whole["body"]
        return text

    @property
    def json(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.text)
        return content


@dataclass
class Vault:
    """Secrets Manager: `secrets` by ARN, `reads` counted; the next reads fail with what is in `failures`."""

    secrets: dict[str, Any]
    reads: int = 0
    failures: list[Exception] = field(default_factory=list)

    def get_secret_value(self, **request: Any) -> dict[str, Any]:
        self.reads += 1
        if self.failures:
            raise self.failures.pop(0)
        held = self.secrets[request["SecretId"]]
        return {"ARN": request["SecretId"], "SecretString": held if isinstance(held, str) else json.dumps(held)}

    def rotate(self, *keys: str) -> None:
        """Put these Retell keys into the secret."""
        self.secrets[RETELL_ARN] = {"keys": list(keys)}


class Heard:
    """Everything that left the process as text: log lines of every logger at every level, EMF, and other output."""

    def __init__(self) -> None:
        self._out = io.StringIO()

    @property
    def text(self) -> str:
        return self._out.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The JSON lines that are no metrics."""
        return [each for each in self._json() if "_aws" not in each]

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The metrics, as EMF."""
        return [each for each in self._json() if "_aws" in each]

    def counted(self, metric: str) -> float:
        """The sum of a metric over all its dimensions."""
        return sum(sum(v) if isinstance(v := each[metric], list) else v for each in self.metrics if metric in each)

    def clear(self) -> None:
        self._out.seek(0)
        self._out.truncate()

    def _json(self) -> Iterator[dict[str, Any]]:
        for line in self.text.splitlines():
            with contextlib.suppress(ValueError):
                content = json.loads(line)
                if isinstance(content, dict):
                    yield content

    @contextlib.contextmanager
    def capturing(self) -> Iterator[None]:
        """Take what is printed; around each request, since pytest changes the streams between setup and test."""
        with contextlib.redirect_stdout(self._out), contextlib.redirect_stderr(self._out):
            yield

    @contextlib.contextmanager
    def listening(self) -> Iterator[Heard]:
        """Hear what is logged; the libraries' loggers keep the levels that production gives them."""
        spoken = observability.logger.registered_handler
        before, everything = spoken.stream, logging.StreamHandler(self._out)
        everything.setFormatter(_Everything())
        root, level = logging.getLogger(), logging.getLogger().level
        root.addHandler(everything)
        root.setLevel(logging.DEBUG)
        spoken.setStream(self._out)
        try:
            yield self
        finally:
            spoken.setStream(before)
            root.setLevel(level)
            root.removeHandler(everything)


class _Everything(logging.Formatter):
    """A record with all that was handed to the logger, so that nothing hides in a field that no line shows."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{super().format(record)} {record.__dict__!r}"


class _SalonAlerts(observability.LoggedAlerts):
    """Logged and measured as in production, and kept for the test to read."""

    def __init__(self, salon: Salon) -> None:
        self._salon = salon

    def raise_(self, alert: Alert) -> None:
        self._salon.alerts.raise_(alert)
        super().raise_(alert)


class Doors:
    """The doors of one salon; `documents` are the tenants in the table, the worked example unless said otherwise.

    `bounds` end what a caller waits for; without any, everything happens in the calling thread, one after the other.
    """

    def __init__(
        self,
        salon: Salon | None = None,
        *,
        keys: Sequence[str] = (KEY,),
        documents: Sequence[str] | None = None,
        calendar: Any = None,
        webhook_secrets: Any = None,
        bounds: Bounds = at_once,
    ) -> None:
        self.salon = salon or Salon()
        self.vault = Vault(
            {
                RETELL_ARN: {"keys": list(keys)},
                CALCOM_ARN: {"api_key": CALCOM_KEY},
                WEBHOOKS_ARN: {"friseur1": [WEBHOOK_SECRET]} if webhook_secrets is None else webhook_secrets,
            }
        )
        self.heard = Heard()
        clock = self.salon.clock
        self.deps = Dependencies(
            Settings(
                table_name=self.salon.table_name,
                retell_keys_secret_arn=RETELL_ARN,
                stage="test",
                release_id="0000000000",
                calcom_secret_arn=CALCOM_ARN,
                calcom_base_url="https://cal.example",
                calcom_webhook_secrets_arn=WEBHOOKS_ARN,
                sync_queue_url="https://sqs.example/1/sync",
            ),
            clock=clock,
            ids=self.salon.ids,
        )
        self.deps.bounds = self.deps.calendar_bounds = bounds
        self.deps.alerts = _SalonAlerts(self.salon)
        # The cached properties that would open a connection; what stands on them builds itself.
        self.deps.table = Table(
            self.salon.client,
            self.salon.table_name,
            clock=clock,
            on_give_up=observability.gave_up,
            limit_s=2.0,
            bounds=bounds,
        )
        self.deps.secrets = SecretStore(self.vault, clock=clock, on_stale=observability.secret_is_stale)
        self.deps.calendar = calendar or self.salon.calendar
        self.deps.queue = self.salon.queue
        tenants = DynamoTenants(self.deps.table, parse=read_tenant, clock=clock)
        for document in documents if documents is not None else [EXAMPLE.read_text(encoding="utf-8")]:
            tenants.store(read_tenant(document), document)
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        bootstrap.use(self.deps)
        self._open.callback(bootstrap.use, None)
        self._open.enter_context(self.heard.listening())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def raw(self, function: str, event: Mapping[str, Any], *, milliseconds: int = 9000) -> Answer:
        """Any event to functions/<function>; `milliseconds` are left to the Lambda."""
        handler = door(function).lambda_handler
        with self.heard.capturing():
            return Answer(handler(dict(event), LambdaContext(milliseconds)))

    def post(
        self,
        function: str,
        body: bytes | Any,
        *,
        key: str = KEY,
        signed: str | None = None,
        base64: bool = False,
        milliseconds: int = 9000,
    ) -> Answer:
        """A body (JSON unless bytes) signed now with `key`, or with the header `signed`; an empty one is left out."""
        content = body if isinstance(body, bytes) else body_of(body)
        header = signature(content, key=key, at=self.salon.clock.now()) if signed is None else signed
        path = "/" + function.replace("_", "/", 1)
        headers = {"X-Retell-Signature": header} if header else {}
        return self.raw(function, http_event(content, headers, path=path, base64=base64), milliseconds=milliseconds)

    def function(self, name: str, args: Any = None, *, call: dict[str, Any] | None = None, **how: Any) -> Answer:
        """A function call of the agent, signed."""
        return self.post("retell_functions", function_call(name, args, call=call), **how)

    def event(self, name: str, *, call: dict[str, Any] | None = None, **how: Any) -> Answer:
        """A lifecycle event, signed."""
        return self.post("retell_events", lifecycle(name, call=call), **how)

    def webhook(
        self,
        body: bytes | Any,
        *,
        tenant: str = "friseur1",
        secret: str = WEBHOOK_SECRET,
        signed: str | None = None,
        version: str = "2021-10-20",
        base64: bool = False,
    ) -> Answer:
        """A delivery of Cal.com (JSON unless bytes), signed with `secret` or with the header `signed` (empty: none)."""
        content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        header = webhook_signature(content, secret) if signed is None else signed
        headers = {"X-Cal-Webhook-Version": version} | ({"X-Cal-Signature-256": header} if header else {})
        event = http_event(content, headers, path=f"/calcom/webhook/{tenant}", base64=base64)
        return self.raw("calcom_webhooks", event | {"pathParameters": {"tenant": tenant}})

    def work(self, *bodies: str | Job, context: LambdaContext | None = None) -> list[str]:
        """One batch of messages m0, m1, … for the worker; the names of those that come back."""
        records = [
            {"messageId": f"m{number}", "body": each if isinstance(each, str) else job_body(each)}
            for number, each in enumerate(bodies)
        ]
        with self.heard.capturing():
            said = door("sync_worker").lambda_handler({"Records": records}, context or LambdaContext(50_000))
        return [each["itemIdentifier"] for each in said["batchItemFailures"]]

    def sweep(self, *, milliseconds: int = 240_000) -> dict[str, int]:
        """One round of the sweeper; what came of it."""
        with self.heard.capturing():
            ends: dict[str, int] = door("reconciliation").lambda_handler({"task": "sweep"}, LambdaContext(milliseconds))
        return ends

    def state(self) -> str:
        """The whole table and calendar as one text, to be compared."""
        rows = self.salon.client.scan(TableName=self.salon.table_name)["Items"]
        table = sorted(json.dumps(row, sort_keys=True, default=str) for row in rows)
        return json.dumps([table, repr(self.salon.calendar.bookings)])
