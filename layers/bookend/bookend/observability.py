"""Logs and metrics: ids, states, statuses, milliseconds; never a person, never a body (docs/architecture.md).

Log fields are an allow-list by construction: callers of `log` pass named facts, and nothing here takes an event, a body
or an exception's text.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit, single_metric
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from bookend.application import alerts
from bookend.application.ports import Alert

if TYPE_CHECKING:
    from bookend.application.findings import Report
    from bookend.domain.remedy_report import RemedyReport

NAMESPACE = "Bookend"
SIGNATURE_REJECTED = "SignatureRejected"
TRANSACTION_GAVE_UP = "TransactionGaveUp"
KEY_UNAVAILABLE = "KeyUnavailable"
"""A secret could not be read, and none is known from before: callers hear that nothing can be done."""
TENANT_UNUSABLE = "TenantUnusable"
"""A stored tenant's document is none: its callers hear that nothing can be done."""
WEBHOOK_REJECTED = "WebhookRejected"
"""A delivery that claimed to come from Cal.com and was not signed by it."""
WEBHOOK_EVENT = "WebhookEvent"
"""A stored delivery of Cal.com that was read for the first time, by its trigger."""
SWEPT = "Swept"
"""A round of the sweeper came to its end; an alarm rings when there are none."""
RECONCILED = "Reconciled"
"""A run of the reconciliation came to its end; an alarm rings when there are none."""
DRIFT = "Drift"
"""Differences between both sides that a run found, by their class."""
CALLBACK_REQUESTED = "CallbackRequested"
"""A caller's wish to be rung was put on the salon's list; once a wish, however often it was asked for."""
TEXT_SENT = "TextSent"
"""A text to a caller was taken by its provider, by channel."""
OUTBOX_AGE = "OutboxAge"
"""Seconds from when a message was owed until it was sent or given up."""
FUNCTION_CALL = "FunctionCall"
FUNCTION_CALL_MS = "FunctionCallMilliseconds"
CALL_WITHOUT_ANSWER = "CallWithoutAnswer"
"""1 for a function call whose caller heard that nothing can be done (`_NO_ANSWER`), 0 for any other: a share."""
CALCOM_MS = "CalcomMilliseconds"
"""How long Cal.com took, by operation and by outcome; how many there are is its count."""
CALCOM_LEFT = "CalcomRequestsLeft"
"""What Cal.com says is left of the minute's requests of our key."""
OPEN_OPERATIONS = "OpenOperations"
OLDEST_OPEN_S = "OldestOpenSeconds"
OLDEST_TEXT_S = "OldestTextSeconds"
OLDEST_EVENT_S = "OldestEventSeconds"
LEFT_ALONE_S = "LeftAloneSeconds"
"""What waits, over all tenants, once a sweep (application/health.py, `Pulse`)."""
HEALTH_STATUS = "HealthStatus"
"""0 HEALTHY, 1 DEGRADED, 2 CRITICAL, of each tenant; with a reconciliation, and without the tenant."""
METRICS = frozenset(
    {*alerts.KINDS, SIGNATURE_REJECTED, TRANSACTION_GAVE_UP, WEBHOOK_REJECTED, SWEPT, FUNCTION_CALL, FUNCTION_CALL_MS}
    | {CALLBACK_REQUESTED, WEBHOOK_EVENT, RECONCILED, DRIFT, KEY_UNAVAILABLE, TENANT_UNUSABLE}
    | {TEXT_SENT, OUTBOX_AGE, CALL_WITHOUT_ANSWER, CALCOM_MS, CALCOM_LEFT, HEALTH_STATUS}
    | {OPEN_OPERATIONS, OLDEST_OPEN_S, OLDEST_TEXT_S, OLDEST_EVENT_S, LEFT_ALONE_S}
)
"""Every metric we emit; alarms may watch only these (a test holds the template against it)."""

_STEPS = 8
"""How many steps of the way to an exception are logged, the last ones."""
_MADE_BY_US = re.compile(
    r"(?:call_|web)?[0-9a-f]{20,64}"  # ids
    r"|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"  # of requests
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"
    r"|differs in [a-z, ]{1,80}|its op_id is not ours|it was not moved from ours|its metadata is lost"
    r"|found later, not as asked|uid or id of another appointment|the booking of another part"
    r"|not all of it is (?:taken back|moved|cancelled)"
    r"|HTTP [0-9]{3}|no connection"
    r"|no clear answer|key rejected|not sent|not there|refused after an unknown outcome of the same operation"
)
"""Facts that are what they look like: those of this form that somebody else writes say nothing of people."""
_ID = re.compile(r"[A-Za-z0-9_:,-]{0,160}")
_PHONE = re.compile(r"(?:[0-9][_:,-]?){7}")
_NUMBERS = frozenset({"booking_id", "event_type"})
"""Facts that are numbers, and may be long."""
WITHHELD = "withheld"
"""Stands for a fact that is no id, state or instant: text of Cal.com's, which may repeat who and what we asked for."""

_MOST_FINDINGS = 50
"""Of a run in one log line; all are counted, and each repair has its audit entry."""

logger = Logger(service="bookend")
_lines_go_to: TextIO | None = None
"""None: standard output, which Lambda collects."""
_is_quiet = False
"""An operator's command: no metrics, since nothing collects them."""


class _Emf(AmazonCloudWatchEMFProvider):
    def flush_metrics(self, raise_on_empty_metrics: bool = False) -> None:
        """Where nothing was measured there is nothing to say, not even a warning on standard error."""
        if self.metric_set:
            super().flush_metrics(raise_on_empty_metrics)


metrics = Metrics(provider=_Emf(namespace=NAMESPACE, service="bookend"))

for _library in ("httpx", "httpcore", "botocore", "boto3", "urllib3"):
    # Their INFO and DEBUG lines hold URLs with e-mail filters, bodies and secrets.
    logging.getLogger(_library).setLevel(logging.WARNING)


def count(metric: str, value: float = 1, **dimensions: str) -> None:
    """Add to a metric; with dimensions it is one of its own, beside `service`."""
    if metric not in METRICS:
        msg = f"{metric} is not declared in METRICS"
        raise ValueError(msg)
    if _is_quiet:
        return
    unit = _unit_of(metric)
    if not dimensions:
        metrics.add_metric(name=metric, unit=unit, value=value)
        return
    with single_metric(name=metric, unit=unit, value=value, namespace=NAMESPACE) as single:
        single.add_dimension(name="service", value="bookend")
        for name, text in dimensions.items():
            single.add_dimension(name=name, value=text)


def _unit_of(metric: str) -> MetricUnit:
    if metric.endswith("Milliseconds"):
        return MetricUnit.Milliseconds
    return MetricUnit.Seconds if metric.endswith("Seconds") or metric == OUTBOX_AGE else MetricUnit.Count


def answered(function: str, status: str, milliseconds: int) -> None:
    """A function call of the agent was answered."""
    logger.info("answered", extra={"status": status, "ms": milliseconds})
    count(FUNCTION_CALL, function=function, status=status)
    count(FUNCTION_CALL_MS, milliseconds, function=function)
    count(CALL_WITHOUT_ANSWER, int(status in _NO_ANSWER))


_NO_ANSWER = frozenset({"error", "temporary_error"})
"""Statuses of replies that leave a caller with nothing, whoever's fault it is."""


def calcom_exchange(**facts: Any) -> None:
    """One exchange with Cal.com: operation, status, milliseconds, ids, the age of a new booking in seconds."""
    logger.info("calcom", extra=_without_people(facts))
    if "ms" in facts:  # a request; what else is told of says what one of them came to
        _measure({CALCOM_MS: facts["ms"]}, operation=facts["operation"], outcome=_outcome(facts["status"]))
    if "left" in facts:
        _measure({CALCOM_LEFT: facts["left"]})


def _outcome(status: int) -> str:
    """The class of an answer, for a dimension: few, whatever Cal.com thinks of."""
    if status in _OUTCOMES:
        return _OUTCOMES[status]
    return "ok" if 200 <= status < 300 else "refused" if 400 <= status < 500 else "failed"


_OUTCOMES: Mapping[int, str] = {0: "no_answer", 401: "key", 403: "key", 404: "not_there", 429: "limited"}


def _measure(values: Mapping[str, float], **dimensions: str) -> None:
    """A metric line of its own, under each of the dimensions alone. Requests are made by several threads at once, so
    it goes out in one piece, and nothing that the invocation collects is touched."""
    if _is_quiet:
        return
    line = AmazonCloudWatchEMFProvider(namespace=NAMESPACE, service="bookend")
    for metric, value in values.items():
        line.add_metric(name=metric, unit=_unit_of(metric), value=value)
    said: dict[str, Any] = dict(line.serialize_metric_set())
    (directive,) = said["_aws"]["CloudWatchMetrics"]
    directive["Dimensions"] = [["service", name] for name in dimensions] or [["service"]]
    (_lines_go_to or sys.stdout).write(json.dumps(said | dimensions, separators=(",", ":")) + "\n")


def felt(pulse: Mapping[str, float]) -> None:
    """What waits, as the sweeper found it."""
    for metric, value in pulse.items():
        count(metric, value)


def _without_people(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _fact(name, value) for name, value in facts.items()}


def _fact(name: str, value: Any) -> Any:
    """A fact, if it cannot be anybody's name, address or number: ids may come from bookings that others wrote into."""
    if not isinstance(value, str) or _MADE_BY_US.fullmatch(value) or (name in _NUMBERS and value.isdecimal()):
        return value
    named = name.startswith("their_") and re.search("[0-9]", value) is None  # an id has digits, a name has none
    return WITHHELD if named or _PHONE.search(value) or not _ID.fullmatch(value) else value


def remedied(tenant: str, report: RemedyReport) -> dict[str, Any]:
    """The report of a run of remedies: one log line, of ids and words of ours; what it came to."""
    came_to = {
        "tenant": tenant,
        "before": {"open": report.before.open, "review": report.before.review},
        "after": {"open": report.after.open, "review": report.after.review},
        "changed": report.changed,
        "limited": report.limited,
        "stopped": report.stopped,
    }
    treated = [
        {"case": each.before.id, "class": each.after.failure.value, "remedy": each.remedy, "came_to": each.came_to}
        for each in report.treated[:_MOST_FINDINGS]
    ]
    logger.info("remedied", extra={**came_to, "treated": treated})
    return came_to


def reconciled(tenant: str, report: Report) -> dict[str, Any]:
    """The report of a run: one log line, and metrics of what was found; what it came to in this invocation."""
    came_to = {
        "tenant": tenant,
        "kind": report.kind.value,
        "stopped": report.stopped.value if report.stopped is not None else None,
        "requests": report.requests,
        "pages": report.pages,
        "counts": {name: number for name, number in report.counts.items() if number},
    }
    findings = [
        {"drift": each.drift.value, "repair": each.repair, "uid": each.booking, "done": each.done}
        for each in report.findings[:_MOST_FINDINGS]
    ]
    logger.info("reconciled", extra={**came_to, "tally": dict(report.tally), "findings": findings})
    for each in report.findings:
        count(DRIFT, drift=each.drift.value)
    if report.ended:
        count(RECONCILED)
    return came_to


@contextmanager
def logging_to(stream: TextIO, *, quiet: bool = False) -> Iterator[None]:
    """Log and metric lines go there instead of standard output, where a command's own words must be readable.

    `quiet`: warnings and errors alone.
    """
    global _lines_go_to, _is_quiet
    _lines_go_to, _is_quiet = stream, quiet
    level = logger.log_level
    if quiet:
        logger.setLevel(max(level, logging.WARNING))
    handlers = [each for each in logger.handlers if isinstance(each, logging.StreamHandler)]
    before = [(each, each.setStream(stream)) for each in handlers]
    try:
        yield
    finally:
        _lines_go_to, _is_quiet = None, False
        logger.setLevel(level)
        for handler, former in before:
            if former is not None:  # it was this one already
                handler.setStream(former)


class Unexpected(Exception):
    """Something that nobody thought of; its text is the name of what it was."""


@contextmanager
def without_words() -> Iterator[None]:
    """What nobody thought of ends the invocation as before, but what is printed is its kind and place, not its words.

    An exception may quote what it stumbled over: a name, a number, a whole body.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is, it goes on as `Unexpected`
        steps = traceback.extract_tb(error.__traceback__)[-_STEPS:]
        where = [f"{Path(each.filename).name}:{each.lineno}" for each in steps]
        logger.error("unexpected", extra={"reason": type(error).__name__, "where": where})
        raise Unexpected(type(error).__name__) from None


def gave_up() -> None:
    """A write or read of the table was given up."""
    logger.error("table gave up")
    count(TRANSACTION_GAVE_UP)


def key_unavailable(reason: str) -> None:
    """A key was needed and could not be had; `reason` is the name of an error."""
    logger.error("key unavailable", extra={"reason": reason})
    count(KEY_UNAVAILABLE)


def tenant_unusable(tenant: str) -> None:
    """A stored document does not read as a tenant."""
    logger.error("tenant unusable", extra={"tenant": tenant})
    count(TENANT_UNUSABLE)


def circuit_not_noted(reason: str) -> None:
    """A breaker could not be read or written, for a reason nobody expected; `reason` is the name of an error."""
    logger.error("circuit not noted", extra={"reason": reason})


def circuit_probed(kind: str, breaker: Mapping[str, Any], trouble: str | None) -> None:
    """Cal.com was tried while a breaker was open; `trouble` is our word, None: it has answered."""
    logger.warning("circuit probed", extra={"kind": kind, "trouble": trouble, **breaker})


def secret_is_stale() -> None:
    """A secret could not be read; the one known before serves on."""
    logger.error("secret could not be read")


class LoggedAlerts:
    """The `Alerts` port: an error line with the facts, and a metric of the alert's name that an alarm watches."""

    def raise_(self, alert: Alert) -> None:
        facts = _without_people(alert.facts)
        logger.error("alert", extra={"alert": alert.kind, **facts})
        count(alert.kind)
