"""The composition root: which adapter serves which port. Built on first use, nothing at import.

`dependencies()` is looked up at call time by every door; it is the one seam that tests and the sandbox replace.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from bookend import observability
from bookend.adapters.bounded import Bounds, Late, Threads
from bookend.adapters.dynamodb.adoptions import DynamoAdoptions
from bookend.adapters.dynamodb.appointments import DynamoAppointments
from bookend.adapters.dynamodb.audit_trail import DynamoAuditedState, DynamoAuditTrail
from bookend.adapters.dynamodb.callbacks import DynamoCallbacks
from bookend.adapters.dynamodb.cases import DynamoCases
from bookend.adapters.dynamodb.changes import DynamoChanges
from bookend.adapters.dynamodb.circuit import CircuitCopy, DynamoCircuit
from bookend.adapters.dynamodb.due import DynamoDueWork
from bookend.adapters.dynamodb.health import DynamoHealth
from bookend.adapters.dynamodb.imports import DynamoDuplicates, DynamoImports
from bookend.adapters.dynamodb.inbox import DynamoInbox
from bookend.adapters.dynamodb.outbox import DynamoOutbox
from bookend.adapters.dynamodb.people import DynamoPeople
from bookend.adapters.dynamodb.runs import DynamoRuns
from bookend.adapters.dynamodb.slots import DynamoSlotCache
from bookend.adapters.dynamodb.tenants import DynamoTenants
from bookend.adapters.dynamodb.transact import Table
from bookend.adapters.secrets.store import SecretStore, SecretUnusable
from bookend.adapters.sqs.queue import SqsQueue
from bookend.adapters.tenants.document import TenantInvalid, read_tenant
from bookend.application.auditing import AuditKeys
from bookend.application.background import Background
from bookend.application.circuit import GuardedCalendar
from bookend.application.key_watch import KeyWatch
from bookend.application.ports import KeyUnavailable, TenantUnusable
from bookend.application.texting import Texting
from bookend.config import Settings, is_starting_in_lambda, read_settings
from bookend.domain.texts import Channel

if TYPE_CHECKING:
    from bookend.application.deadline import Deadline
    from bookend.application.ports import (
        Alerts,
        Appointments,
        Calendar,
        Callbacks,
        Changes,
        Circuit,
        Clock,
        DueWork,
        Ids,
        Inbox,
        Queue,
        Runs,
        SlotCache,
        Tenants,
    )
    from bookend.application.ports.audit_trail import AuditedState, AuditTrail
    from bookend.application.ports.cases import Cases
    from bookend.application.ports.erasure import PeopleOnRecord
    from bookend.application.ports.health import HealthRecords
    from bookend.application.ports.imports import Duplicates, Imports
    from bookend.application.ports.texts import Messenger, Outbox
    from bookend.domain.tenant import Tenant


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a request to AWS may take, in seconds, and how often botocore tries it."""

    connect_s: float
    read_s: float
    attempts: int


_LIMITS = Limits(connect_s=0.5, read_s=1.0, attempts=2)
_SHELL_LIMITS = Limits(connect_s=2.0, read_s=20.0, attempts=2)
"""An operator waits, where a caller does not: a page of a scan is a megabyte, and takes what it takes."""
_SECRET_LIMITS = Limits(connect_s=0.5, read_s=1.0, attempts=1)
"""Once: where a secret is known from before it serves on, and there must be time left to use it."""
_QUEUE_LIMITS = Limits(connect_s=0.3, read_s=0.5, attempts=1)
"""A job that the queue does not take at once is found by the sweeper; a caller may be waiting."""
_TEXT_LIMITS = Limits(connect_s=1.0, read_s=4.0, attempts=1)
"""Once: neither provider knows two requests for one."""
_TABLE_LIMIT_S = 2.0
_SHELL_TABLE_LIMIT_S = 30.0
SHELL = "shell"
"""The stage of a command: an operator's settings are no stack's."""
_T = TypeVar("_T")


class SystemClock:
    """The machine's clock. `now_from` lets the sandbox live in another year; deadlines stay on the monotonic clock."""

    def __init__(self, now_from: Callable[[], datetime] | None = None) -> None:
        self._now_from = now_from

    def now(self) -> datetime:
        return self._now_from() if self._now_from is not None else datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class RandomIds:
    """Random names of 80 bits: short enough for a model to hand back unharmed, and guarded by conditions anyway."""

    def new(self) -> str:
        return secrets.token_hex(10)


class Dependencies:
    """Everything a door may hand to a use case."""

    def __init__(self, settings: Settings, *, clock: Clock, ids: Ids | None = None) -> None:
        self.settings = settings
        self.clock = clock
        self.ids: Ids = ids or RandomIds()
        self.alerts: Alerts = observability.LoggedAlerts()

    @cached_property
    def bounds(self) -> Bounds:
        """Ends what a caller waits for at the deadline of the turn."""
        return self._threads

    @cached_property
    def calendar_bounds(self) -> Bounds:
        """The same for Cal.com, in threads of its own: if it hangs it must not keep the table waiting."""
        return Threads()

    @cached_property
    def _threads(self) -> Threads:
        return Threads()

    @cached_property
    def table(self) -> Table:
        """The table, with connection limits that fit into a turn; of a command, with those of somebody who waits."""
        of_a_command = self.settings.stage == SHELL
        client = aws_client("dynamodb", _SHELL_LIMITS if of_a_command else _LIMITS)
        client.meta.events.register_first("before-send", self._threads.refuse_late)
        return Table(
            client,
            self.settings.table_name,
            clock=self.clock,
            on_give_up=observability.gave_up,
            limit_s=_SHELL_TABLE_LIMIT_S if of_a_command else _TABLE_LIMIT_S,
            bounds=self.bounds,
            by="command" if of_a_command else "caller",
        )

    @cached_property
    def appointments(self) -> Appointments:
        return DynamoAppointments(self.table)

    @cached_property
    def changes(self) -> Changes:
        return DynamoChanges(self.table)

    @cached_property
    def callbacks(self) -> Callbacks:
        return DynamoCallbacks(self.table)

    @cached_property
    def slots(self) -> SlotCache:
        return DynamoSlotCache(self.table)

    @cached_property
    def inbox(self) -> Inbox:
        return DynamoInbox(self.table)

    @cached_property
    def outbox(self) -> Outbox:
        return DynamoOutbox(self.table)

    @cached_property
    def messengers(self) -> Mapping[Channel, Messenger]:
        """Who sends texts; each once, and none of them after its deadline."""
        from bookend.adapters.texts.ses import SesMessenger  # noqa: PLC0415 - only where texts are sent
        from bookend.adapters.texts.sns import SnsMessenger  # noqa: PLC0415

        def client(service: str) -> Any:
            made = aws_client(service, _TEXT_LIMITS)
            made.meta.events.register_first("before-send", self._threads.refuse_late)
            return made

        return {
            Channel.SMS: SnsMessenger(lambda: client("sns"), self.bounds),
            Channel.EMAIL: SesMessenger(lambda: client("sesv2"), self.bounds),
        }

    def texting(self, tenant_id: str, deadline: Deadline) -> Texting | None:
        """A tenant's ports for one message; None: there is no such tenant."""
        tenant = self.tenants.of_id(tenant_id)
        if tenant is None:
            return None
        return Texting(
            tenant=tenant,
            outbox=DynamoOutbox(self.table.patient().within(deadline)),
            messengers=self.messengers,
            alerts=self.alerts,
            ids=self.ids,
            clock=self.clock,
            deadline=deadline,
        )

    @cached_property
    def queue(self) -> Queue:
        return SqsQueue(aws_client("sqs", _QUEUE_LIMITS), _named(self.settings.sync_queue_url, "the queue"))

    def background(self, tenant_id: str, deadline: Deadline, *, by: str = "worker") -> Background | None:
        """A tenant's ports for work that no caller waits for; None: there is no such tenant."""
        tenant = self.tenants.of_id(tenant_id)
        if tenant is None:
            return None
        table = self.table.acting(by).patient().within(deadline)
        adoptions = DynamoAdoptions(table)
        return Background(
            tenant=tenant,
            appointments=DynamoAppointments(table),
            adoptions=adoptions,
            changes=DynamoChanges(table),
            calendar=KeyWatch(self.calendar, adoptions, tenant=tenant.id, by=by, alerts=self.alerts, clock=self.clock),
            alerts=self.alerts,
            clock=self.clock,
            deadline=deadline,
            duplicates=DynamoDuplicates(table),
            by=by,
        )

    @cached_property
    def runs(self) -> Runs:
        return DynamoRuns(self.table)

    @cached_property
    def audit_trail(self) -> AuditTrail:
        """The audit log. Nobody waits on the phone for it."""
        table = self.table.patient()
        return DynamoAuditTrail(table.called(_named(self.settings.audit_table_name, "the audit table")), table)

    @cached_property
    def people(self) -> PeopleOnRecord:
        return DynamoPeople(self.table.patient())

    @cached_property
    def audited_state(self) -> AuditedState:
        return DynamoAuditedState(self.table.patient())

    def audit_keys(self) -> AuditKeys:
        """The keys that seal entries.

        Raises:
            KeyUnavailable: they are not to be had.
        """
        arn = _named(self.settings.audit_keys_secret_arn, "the keys of the audit log")
        return AuditKeys.of(self._key(lambda: self.secrets.audit_keys(arn)))

    @cached_property
    def due_work(self) -> DueWork:
        return DynamoDueWork(self.table)

    def imports(self, *, by: str) -> Imports:
        """Taking in many appointments; `by` is who does it."""
        return DynamoImports(self.table.patient().acting(by))

    def duplicates(self, *, by: str) -> Duplicates:
        """Ending duplicates; `by` is who does it."""
        return DynamoDuplicates(self.table.patient().acting(by))

    @cached_property
    def cases(self) -> Cases:
        return DynamoCases(self.table)

    @cached_property
    def health(self) -> HealthRecords:
        return DynamoHealth(self.table)

    @cached_property
    def tenants(self) -> Tenants:
        return DynamoTenants(
            self.table, parse=_stored_tenant, clock=self.clock, on_unusable=observability.tenant_unusable
        )

    @cached_property
    def secrets(self) -> SecretStore:
        client = aws_client("secretsmanager", _SECRET_LIMITS)
        return SecretStore(client, clock=self.clock, on_stale=observability.secret_is_stale)

    @cached_property
    def calendar(self) -> Calendar:
        """Cal.com, left alone while its breaker is open."""
        return GuardedCalendar(self.calcom, self.circuit, alerts=self.alerts, clock=self.clock)

    @cached_property
    def circuit(self) -> Circuit:
        """The breakers; from now on they come along with what is read from the table."""
        self.table.bring_along(self._circuit_copy)
        return DynamoCircuit(self.table, self._circuit_copy, ids=self.ids, on_trouble=observability.circuit_not_noted)

    @cached_property
    def _circuit_copy(self) -> CircuitCopy:
        return CircuitCopy(_named(self.settings.calcom_base_url, "Cal.com's address"), clock=self.clock)

    @cached_property
    def calcom(self) -> Calendar:
        """Cal.com itself, breaker or not: for probes."""
        from bookend.adapters.calcom.client import CalcomCalendar  # noqa: PLC0415 - httpx only where Cal.com is asked

        arn = _named(self.settings.calcom_secret_arn, "Cal.com's key")
        base_url = _named(self.settings.calcom_base_url, "Cal.com's address")
        return CalcomCalendar(
            base_url=base_url,
            api_key=lambda: self._key(lambda: self.secrets.calcom_key(arn)),
            clock=self.clock,
            observe=observability.calcom_exchange,
        )

    def retell_keys(self, deadline: Deadline | None = None) -> tuple[str, ...]:
        """The keys that may sign a request.

        Raises:
            KeyUnavailable: they are not to be had, or not by `deadline`.
        """
        arn = self._retell_secret()
        return self._key(lambda: self.secrets.retell_keys(arn), deadline)

    def fresh_retell_keys(self, deadline: Deadline | None = None) -> tuple[str, ...]:
        """The keys once more, for a signature that did not match: a new one may just have been put in force."""
        arn = self._retell_secret()
        return self._key(lambda: self.secrets.retell_keys(arn) if self.secrets.refresh(arn) else (), deadline)

    def _key(self, read: Callable[[], _T], deadline: Deadline | None = None) -> _T:
        try:
            return read() if deadline is None else self.bounds(read, deadline)
        except (Late, BotoCoreError, ClientError, SecretUnusable) as error:
            observability.key_unavailable(type(error).__name__)
            raise KeyUnavailable(type(error).__name__) from error

    def _retell_secret(self) -> str:
        return _named(self.settings.retell_keys_secret_arn, "Retell's keys")

    def webhook_secrets(self, tenant: str, deadline: Deadline) -> tuple[str, ...]:
        """The secrets that may sign a tenant's events.

        Raises:
            Late: they are not to be had by `deadline`.
        """
        arn = _named(self.settings.calcom_webhook_secrets_arn, "the webhook secrets")
        return self.bounds(lambda: self.secrets.webhook_secrets(arn, tenant), deadline)

    def fresh_webhook_secrets(self, tenant: str, deadline: Deadline) -> tuple[str, ...]:
        """The same once more, for a signature that did not match: a new one may just have been put in force."""
        arn = _named(self.settings.calcom_webhook_secrets_arn, "the webhook secrets")
        return self.bounds(
            lambda: self.secrets.webhook_secrets(arn, tenant) if self.secrets.refresh(arn) else (), deadline
        )

    def signature_rejected(self) -> None:
        """Count a request that was turned away."""
        observability.count(observability.SIGNATURE_REJECTED)


def _stored_tenant(document: str) -> Tenant:
    """A document that was valid when it was loaded; today's code may ask for more."""
    try:
        return read_tenant(document)
    except TenantInvalid as error:
        raise TenantUnusable(type(error).__name__) from error


def aws_client(service: str, limits: Limits = _LIMITS) -> Any:
    """A low-level client whose time-outs fit into a turn."""
    import boto3  # noqa: PLC0415 - 160 ms, and not needed to import a door
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        connect_timeout=limits.connect_s,
        read_timeout=limits.read_s,
        retries={"mode": "standard", "total_max_attempts": limits.attempts},
        max_pool_connections=10,
    )
    return boto3.client(service, config=config)  # type: ignore[call-overload]  # a name it cannot know


def _named(setting: str | None, what: str) -> str:
    if setting is None:
        msg = f"the template does not tell this function {what}"
        raise RuntimeError(msg)
    return setting


def prepare(*parts: str) -> None:
    """Build these parts of `dependencies()` now, where Lambda is starting an instance; anywhere else do nothing.

    A starting function has a whole CPU for its modules, and a fraction of one by its memory afterwards (AWS: Lambda,
    execution environment lifecycle). boto3 and httpx take a third of a second of a whole one. Nothing is asked yet.
    """
    if is_starting_in_lambda():
        for part in parts:
            getattr(dependencies(), part)


_dependencies: Dependencies | None = None
_clock: Clock = SystemClock()


def dependencies() -> Dependencies:
    """The one set of this instance."""
    global _dependencies
    if _dependencies is None:
        _dependencies = Dependencies(read_settings(), clock=_clock)
    return _dependencies


def use(replacement: Dependencies | None) -> None:
    """Put another set in place (tests), or none so that the next use builds one."""
    global _dependencies
    _dependencies = replacement


def use_clock(now_from: Callable[[], datetime]) -> None:
    """Let another clock tell the time (the sandbox, whose replays live in the year of their incidents)."""
    global _clock
    _clock = SystemClock(now_from)
    use(None)
