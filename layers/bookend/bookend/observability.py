"""Logs and metrics: ids, states, statuses, milliseconds; never a person, never a body (docs/architecture.md).

Log fields are an allow-list by construction: callers of `log` pass named facts, and nothing here takes an event, a body
or an exception's text.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit, single_metric
from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import AmazonCloudWatchEMFProvider

from bookend.application import alerts
from bookend.application.ports import Alert

if TYPE_CHECKING:
    from bookend.application.reconciling import Report

NAMESPACE = "Bookend"
SIGNATURE_REJECTED = "SignatureRejected"
TRANSACTION_GAVE_UP = "TransactionGaveUp"
WEBHOOK_REJECTED = "WebhookRejected"
"""A delivery that claimed to come from Cal.com and was not signed by it."""
SWEPT = "Swept"
"""A round of the sweeper came to its end; an alarm rings when there are none."""
RECONCILED = "Reconciled"
"""A run of the reconciliation came to its end, by its kind; an alarm rings when there are none."""
DRIFT = "Drift"
"""Differences between both sides that a run found, by their class."""
FUNCTION_CALL = "FunctionCall"
FUNCTION_CALL_MS = "FunctionCallMilliseconds"
METRICS = frozenset(
    {*alerts.KINDS, SIGNATURE_REJECTED, TRANSACTION_GAVE_UP, WEBHOOK_REJECTED, SWEPT, FUNCTION_CALL, FUNCTION_CALL_MS}
    | {RECONCILED, DRIFT}
)
"""Every metric we emit; alarms may watch only these (a test holds the template against it)."""

_FACT = re.compile(r"[A-Za-z0-9_.:,+ -]{0,160}")
WITHHELD = "withheld"
"""Stands for a fact that is no id, state or instant: text of Cal.com's, which may repeat who and what we asked for."""

_MOST_FINDINGS = 50
"""Of a run in one log line; all are counted, and each repair has its audit entry."""

logger = Logger(service="bookend")


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
    unit = MetricUnit.Milliseconds if metric == FUNCTION_CALL_MS else MetricUnit.Count
    if not dimensions:
        metrics.add_metric(name=metric, unit=unit, value=value)
        return
    with single_metric(name=metric, unit=unit, value=value, namespace=NAMESPACE) as single:
        single.add_dimension(name="service", value="bookend")
        for name, text in dimensions.items():
            single.add_dimension(name=name, value=text)


def calcom_exchange(**facts: Any) -> None:
    """One exchange with Cal.com: operation, status, milliseconds, ids, the age of a new booking in seconds."""
    logger.info("calcom", extra=facts)


def reconciled(tenant: str, report: Report) -> None:
    """The report of a run: one log line, and metrics of what was found."""
    logger.info(
        "reconciled",
        extra={
            "tenant": tenant,
            "kind": report.kind.value,
            "stopped": report.stopped.value if report.stopped is not None else None,
            "requests": report.requests,
            "pages": report.pages,
            "tally": dict(report.tally),
            "findings": [
                {"drift": each.drift.value, "repair": each.repair, "uid": each.booking, "done": each.done}
                for each in report.findings[:_MOST_FINDINGS]
            ],
        },
    )
    for each in report.findings:
        count(DRIFT, drift=each.drift.value)
    if report.done:
        count(RECONCILED)


def gave_up() -> None:
    """A write or read of the table was given up."""
    logger.error("table gave up")
    count(TRANSACTION_GAVE_UP)


def secret_is_stale() -> None:
    """A secret could not be read; the one known before serves on."""
    logger.error("secret could not be read")


class LoggedAlerts:
    """The `Alerts` port: an error line with the facts, and a metric of the alert's name that an alarm watches."""

    def raise_(self, alert: Alert) -> None:
        facts = {name: value if _FACT.fullmatch(value) else WITHHELD for name, value in alert.facts.items()}
        logger.error("alert", extra={"alert": alert.kind, **facts})
        count(alert.kind)
