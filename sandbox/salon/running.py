"""The whole project on this machine: stack, Cal.com (its stand-in or the real one), the tenant in force."""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import secrets
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TextIO, cast

from sandbox.calcom import CalcomStandIn, World, file_clock
from sandbox.salon import calendar, records
from sandbox.salon.handle import Handle
from sandbox.salon.standin import StandIn
from sandbox.stack.clock import set_offset, set_time
from sandbox.stack.engine import REPOSITORY, Progress
from sandbox.stack.local import LocalStack, RuntimeName
from sandbox.stack.processes import minimal_environment
from sandbox.stack.provision import function_credentials
from sandbox.stack.runtime import DEFAULT_POOL_SIZE
from sandbox.texts import Arrived, TextsStandIn

Json = dict[str, Any]
EXAMPLE = REPOSITORY / "examples" / "salon.json"
REAL_CALCOM = "https://api.cal.com"
REGULAR_MAIL: Json = {"mode": "late", "late_seconds": 1.0}
"""Webhooks as the hosted Cal.com sends them: about a second after the event (calcom.md 5.4)."""
HIGHLIGHTS: Json = {
    "id": "straehnen",
    "name": "Strähnen mit Schnitt",
    "segments": [
        {"kind": "busy", "minutes": 30, "event_types": {"fabian": 3757761}},
        {"kind": "gap", "minutes": 30},
        {"kind": "busy", "minutes": 15, "event_types": {"fabian": 3757762}},
        {"kind": "gap", "minutes": 30, "min_minutes": 15, "max_minutes": 45},
        {"kind": "busy", "minutes": 15, "event_types": {"fabian": 3757763}},
        {"kind": "busy", "minutes": 30, "event_types": {"fabian": 3757764}},
    ],
}
"""A service of four bookings, which the example does without; the replays sell it as well."""
ROOTS: Json = {
    "id": "ansatz-laengenausgleich",
    "name": "Ansatz + Längenausgleich",
    "segments": [
        {"kind": "busy", "minutes": 30, "event_types": {"fabian": 3757771}},
        {"kind": "gap", "minutes": 30},
        {"kind": "busy", "minutes": 45, "event_types": {"fabian": 3757772}},
        {"kind": "gap", "minutes": 0},
    ],
}
"""The other composite service of incident I5."""
_BOOKED_BEFORE = timedelta(days=3)
"""Longer ago than the first poll reaches back: the runs of five minutes are about what happens today, the night's
takes in the rest."""
_QUEUE = "SyncQueue"


class CannotStart(Exception):
    """Something this machine or the configuration lacks; the message says what to do about it."""


@dataclass(frozen=True)
class Account:
    """A real Cal.com account, in place of the stand-in."""

    api_key: str
    base_url: str = REAL_CALCOM


class Salon:
    """The running project, as a replay or a person may use it."""

    def __init__(
        self,
        stack: LocalStack,
        tenant: Json,
        *,
        retell_key: str,
        api_key: str,
        webhook_secret: str,
        calcom_url: str | None,
        logs: Path,
        logged: Callable[[], str],
        texts: TextsStandIn,
    ) -> None:
        self.stack = stack
        self.tenant = tenant
        self.retell_key = retell_key
        self._api_key = api_key
        self._webhook = {"url": f"{stack.url}/calcom/webhook/{tenant['id']}", "secret": webhook_secret}
        self._standin = StandIn(calcom_url, api_key) if calcom_url else None
        self._dynamodb = stack.dynamodb()
        self._calcom_secret: str | None = None
        self._sqs = stack.client("sqs")
        self._texts = texts
        self.logs = logs
        """Where engine and functions print."""
        self.logged = logged
        """All that the functions logged."""

    @property
    def standin(self) -> StandIn:
        """Cal.com's stand-in; there is none beside a real account."""
        if self._standin is None:
            msg = "the stack speaks to the real Cal.com"
            raise RuntimeError(msg)
        return self._standin

    @property
    def has_standin(self) -> bool:
        """Whether Cal.com is the stand-in."""
        return self._standin is not None

    @property
    def agent(self) -> str:
        """The agent that callers speak to."""
        agents = [*self.tenant.get("agents", []), *self._of_branches("agents")]
        return str(agents[0]) if agents else ""

    @property
    def number(self) -> str:
        """The number they dial."""
        numbers = [*self._of_branches("phone_numbers"), *self.tenant.get("phone_numbers", [])]
        return str(numbers[0]) if numbers else ""

    def _of_branches(self, what: str) -> list[str]:
        return [each for branch in self.tenant.get("branches", []) for each in branch.get(what, [])]

    def now(self) -> datetime:
        """The time that functions, stand-in and callers live in."""
        return self.stack.now()

    def set_time(self, now: datetime) -> None:
        """Move all of them there."""
        set_time(self._clock_file, now)

    def real_time(self) -> None:
        """Back to today."""
        set_offset(self._clock_file, 0)

    @property
    def _clock_file(self) -> Path:
        if self.stack.clock_file is None:
            msg = "the stack was started without a clock file"
            raise RuntimeError(msg)
        return self.stack.clock_file

    def start_anew(self, *, mail: Json | None = None, **hours: Any) -> None:
        """An empty table but for the tenant, an empty queue, a new world; `hours` as `calendar.world` takes them.

        `mail` is how Cal.com's webhooks go (`WebhookPlan`); None: nobody has subscribed to any.
        """
        _until(lambda: not self.stack.queue_depth(_QUEUE).in_flight, "the worker does not end")
        self._sqs.purge_queue(QueueUrl=self.stack.physical(_QUEUE))
        # What the log hears of late is counted when it hears of it, so it would count in the new story.
        _until(self.stack.streams_caught_up, "the audit log does not end")
        records.empty(self._dynamodb, self.stack.table_name)
        self._texts.arrived.clear()
        # The log would tell that all appointments were deleted, which is true and of no interest to a new story.
        _until(self.stack.streams_caught_up, "the audit log does not end")
        records.empty(self._dynamodb, self.stack.physical("AuditTable"))
        world = calendar.world(self.tenant, api_key=self._api_key, **hours)
        self.standin.setup(world, webhook=None if mail is None else self._webhook)
        self.standin.mail(**(mail or {}))

    def open_for_business(self) -> None:
        """Today, and the coming weeks with some customers in them, who booked a few days ago."""
        self.real_time()
        self.start_anew(mail=REGULAR_MAIL)
        today = self.now()
        self.set_time(today - _BOOKED_BEFORE)
        for body in calendar.customers(self.tenant, now=today):
            self.standin.book_on_page(body)
        self.real_time()

    def sweep(self) -> Json:
        """What the minute's schedule does; what became of what was overdue, by kind."""
        return cast("Json", self._fire("Sweep"))

    def reconcile(self) -> list[Json]:
        """What the schedule of every five minutes does; each run that went on, and what it came to."""
        return cast("list[Json]", self._fire("Reconcile"))

    def nightly(self) -> list[Json]:
        """What the night's schedule does; each run that went on, and what it came to."""
        return cast("list[Json]", self._fire("Nightly"))

    def remedy(self) -> list[Json]:
        """What the schedule of every quarter of an hour does; what each tenant's cases came to."""
        return cast("list[Json]", self._fire("Remedy"))

    def operate(self, *command: str) -> str:
        """A command of the operator's, at this time, on this table and this Cal.com; what it prints.

        Raises:
            RuntimeError: it refused.
        """
        environment = minimal_environment() | function_credentials()
        environment |= {
            "AWS_ENDPOINT_URL": str(self._dynamodb.meta.endpoint_url),
            "PYTHONPATH": f"{REPOSITORY / 'layers' / 'bookend'}:{REPOSITORY}",
        }
        line = [sys.executable, "-m", "sandbox.operate", str(self._clock_file), *command]
        line += ["--table", self.stack.table_name]
        done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            msg = f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}"
            raise RuntimeError(msg)
        return done.stdout

    def operate_on_both(self, *command: str) -> str:
        """The same for a command that asks Cal.com as well."""
        if self._calcom_secret is None:
            secret = json.dumps({"api_key": self._api_key})
            made = self.stack.client("secretsmanager").create_secret(Name="operator", SecretString=secret)
            self._calcom_secret = str(made["ARN"])
        return self.operate(*command, "--calcom-secret", self._calcom_secret, "--calcom-url", self.standin.url)

    def _fire(self, schedule: str) -> Any:
        result = self.stack.fire_schedule(schedule)
        if not result.ok:
            msg = f"{schedule} failed: {result.error_type} {result.error_message}"
            raise RuntimeError(msg)
        return result.payload

    def caught_up(self) -> None:
        """Wait until every webhook has come, and the worker is done with it."""
        _until(lambda: not self.standin.on_their_way, "webhooks are still on their way")
        _until(lambda: all("done_at" in each for each in self.records().events), "the worker is not done with an event")

    def texts_went(self) -> None:
        """Wait until the worker is done with every text that is due."""
        _until(lambda: not self.records().texts_under_way(self.now()), "a text is not sent")

    def records(self) -> records.Records:
        """What the table holds now."""
        return records.Records.read(self._dynamodb, self.stack.table_name)

    def texts(self) -> list[Arrived]:
        """What callers got since the story began."""
        return list(self._texts.arrived)

    def handle(self) -> Handle:
        """The note for others."""
        return Handle(
            url=self.stack.url,
            retell_key=self.retell_key,
            clock_file=str(self._clock_file),
            agent=self.agent,
            number=self.number,
            call=f"call_{secrets.token_hex(13)}",
            calcom=self._standin.url if self._standin else "",
            table=self.stack.table_name,
            audit_table=self.stack.physical("AuditTable"),
            audit_keys=self.stack.physical("AuditKeysSecretArn"),
            calcom_secret=self.stack.physical("CalcomSecretArn"),
            aws=self.stack.where(),
            dynamodb=str(self._dynamodb.meta.endpoint_url),
            staff={each["name"]: each["calcom_user"] for each in self.tenant["staff"]},
            event_types={
                f"{service['name']}/{each['name']}": service["event_types"][each["id"]]
                for service in self.tenant["services"]
                for each in self.tenant["staff"]
                if each["id"] in service.get("event_types", {})
            },
            zone=self.tenant["zone"],
            texts=self._texts.url,
        )


def _until(done: Callable[[], bool], otherwise: str, *, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            msg = f"{otherwise}, after {seconds:.0f} s"
            raise RuntimeError(msg)
        time.sleep(0.05)


@contextmanager
def running(
    *,
    runtime: RuntimeName = "lambda",
    tenant: Path = EXAMPLE,
    account: Account | None = None,
    port: int = 0,
    pool_size: int = DEFAULT_POOL_SIZE,
    scratch: Path,
    progress: Progress = print,
) -> Iterator[Salon]:
    """Start everything; end everything with the block. `scratch` takes the clock and the logs. `pool_size`: at most so
    many instances of each function.

    Raises:
        CannotStart, EngineMissing: something is missing.
    """
    document = _tenant_document(tenant)
    if tenant == EXAMPLE:
        document["services"] += [HIGHLIGHTS, ROOTS]
    retell_key, api_key = f"key_{secrets.token_hex(16)}", account.api_key if account else f"cal_{secrets.token_hex(16)}"
    webhook_secret = f"whsec_{secrets.token_hex(16)}"
    clock_file = scratch / "clock"
    with ExitStack() as parts:
        scratch.mkdir(parents=True, exist_ok=True)
        set_offset(clock_file, 0)
        if account is None:
            standin = parts.enter_context(CalcomStandIn(world=World(clock=file_clock(clock_file))))
            calcom_url = standin.url
            progress(f"cal.com   stand-in at {calcom_url}")
        else:
            calcom_url = account.base_url
            progress(f"cal.com   {calcom_url}, your account")
        # Beside the real Cal.com too: nobody gets a text from a stack on somebody's machine.
        texts = parts.enter_context(TextsStandIn(lambda text: progress(f"text      {text.to}: {text.body.strip()}")))
        in_process = parts.enter_context(_captured(scratch / "logs")) if runtime == "in-process" else None
        stack = LocalStack(
            REPOSITORY / "template.yaml",
            parameters={"Stage": "dev", "ReleaseId": f"{int(time.time()):010d}"},
            secrets={
                "RetellKeysSecretArn": {"keys": [retell_key]},
                "CalcomSecretArn": {"api_key": api_key},
                "AuditKeysSecretArn": {"keys": [secrets.token_hex(32)]},
                "CalcomWebhookSecretsArn": {str(document.get("id")): [webhook_secret]},
            },
            env_overrides={"CALCOM_BASE_URL": calcom_url, **texts.environment()},
            runtime=runtime,
            clock_file=clock_file,
            port=port,
            pool_size=pool_size,
            log_dir=scratch / "logs",
            # A replay says itself when the sweeper and the reconciliation come.
            schedules=False,
            progress=progress,
        )
        try:
            parts.enter_context(stack)
        except (RuntimeError, OSError) as error:
            raise CannotStart(f"The stack did not start: {error}") from error
        if in_process:
            parts.callback(_let_go_of_connections)
        in_force = tenant
        if tenant == EXAMPLE:
            in_force = scratch / "tenant.json"
            in_force.write_text(json.dumps(document), encoding="utf-8")
        _load_tenant(stack, in_force)
        progress(f"tenant    {document['name']} ({tenant.name}) is in force in {stack.table_name}")
        yield Salon(
            stack,
            document,
            retell_key=retell_key,
            api_key=api_key,
            webhook_secret=webhook_secret,
            calcom_url=calcom_url if account is None else None,
            logs=scratch / "logs",
            logged=in_process or (lambda: "\n".join(stack.logs().values())),
            texts=texts,
        )


def scratch_directory() -> Path:
    """A directory of this process alone; what was left by processes that are gone goes."""
    home = REPOSITORY / ".sandbox"
    for left in home.glob("run-*"):
        if not _lives(left.name.removeprefix("run-")):
            shutil.rmtree(left, ignore_errors=True)
    return home / f"run-{os.getpid()}"


def _lives(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def _tenant_document(file: Path) -> Json:
    try:
        document: Json = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CannotStart(f"{file} is not a readable tenant document: {error}") from error
    return document


def _load_tenant(stack: LocalStack, file: Path) -> None:
    """`python -m bookend config load`, as an operator would on a real table."""
    environment = minimal_environment() | function_credentials()
    environment |= {
        "AWS_ENDPOINT_URL": str(stack.dynamodb().meta.endpoint_url),
        "PYTHONPATH": str(REPOSITORY / "layers" / "bookend"),
    }
    command = ["-m", "bookend", "config", "load", str(file.resolve()), "--table", stack.table_name, "--apply"]
    done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotStart(f"{file} was not accepted:\n{done.stderr.strip() or done.stdout.strip()}")


@contextmanager
def _captured(log_dir: Path) -> Iterator[Callable[[], str]]:
    """Functions in this process print where we tell the story: send that to a file, and keep their log lines."""
    log_dir.mkdir(parents=True, exist_ok=True)
    keeping = _Keeping()
    logger = logging.getLogger("bookend")
    logger.addHandler(keeping)
    with (log_dir / "in-process.log").open("w", encoding="utf-8") as file, contextlib.redirect_stdout(file):
        try:
            yield keeping.text
        finally:
            logger.removeHandler(keeping)
            _let_go_of(logger, file)


def _let_go_of_connections() -> None:
    """A function keeps its connections for as long as its instance lives; ours ends while this process lives on."""
    if bootstrap := sys.modules.get("bookend.bootstrap"):
        bootstrap.use(None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def _let_go_of(logger: logging.Logger, file: TextIO) -> None:
    """Powertools keeps the stream that was standard output when it was imported."""
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler) and handler.stream is file:
            handler.setStream(sys.__stdout__)


class _Keeping(logging.Handler):
    """Log lines with their facts, as text."""

    _ORDINARY = frozenset(logging.makeLogRecord({}).__dict__)

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        facts = {name: value for name, value in record.__dict__.items() if name not in self._ORDINARY}
        self._lines.append(json.dumps({"message": record.getMessage()} | facts, default=str))

    def text(self) -> str:
        return "\n".join(self._lines)
