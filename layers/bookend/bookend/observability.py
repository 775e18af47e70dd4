"""Logs and metrics: ids, states, statuses, milliseconds; never a person, never a body (docs/architecture.md).

Log fields are an allow-list by construction: callers of `log` pass named facts, and nothing here takes an event, a body
or an exception's text.
"""

from __future__ import annotations

import logging
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit, single_metric

from bookend.application import alerts
from bookend.application.ports import Alert

NAMESPACE = "Bookend"
SIGNATURE_REJECTED = "SignatureRejected"
TRANSACTION_GAVE_UP = "TransactionGaveUp"
FUNCTION_CALL = "FunctionCall"
FUNCTION_CALL_MS = "FunctionCallMilliseconds"
METRICS = frozenset({*alerts.KINDS, SIGNATURE_REJECTED, TRANSACTION_GAVE_UP, FUNCTION_CALL, FUNCTION_CALL_MS})
"""Every metric we emit; alarms may watch only these (a test holds the template against it)."""

logger = Logger(service="bookend")
metrics = Metrics(namespace=NAMESPACE, service="bookend")

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


def gave_up() -> None:
    """A write or read of the table was given up."""
    logger.error("table gave up")
    count(TRANSACTION_GAVE_UP)


class LoggedAlerts:
    """The `Alerts` port: an error line with the facts, and a metric of the alert's name that an alarm watches."""

    def raise_(self, alert: Alert) -> None:
        logger.error("alert", extra={"alert": alert.kind, **alert.facts})
        count(alert.kind)
