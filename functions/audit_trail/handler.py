"""The table's stream: every change of an appointment and every repair becomes an entry of the audit log, in order.

Records come at least once. The first one that cannot be recorded ends the batch, and the stream comes again from there:
an audit log that is late is better than one with a hole.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from bookend import bootstrap
from bookend.adapters.dynamodb.stream import read_record
from bookend.application.alerts import job_failed
from bookend.application.auditing import record
from bookend.application.deadline import ONE_S
from bookend.application.ports import KeyUnavailable, StoreUnavailable
from bookend.bootstrap import Dependencies
from bookend.observability import logger, metrics


@logger.inject_lambda_context(clear_state=True, log_event=False)
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """One batch; where it stopped short of its end, the record from which it must come again is named."""
    deps = bootstrap.dependencies()
    for number, told in enumerate(event["Records"]):
        if not (_in_time(context) and _recorded(told, deps)):
            logger.warning("not all recorded", extra={"recorded": number, "told": len(event["Records"])})
            return {"batchItemFailures": [{"itemIdentifier": told["dynamodb"]["SequenceNumber"]}]}
    return {"batchItemFailures": []}


def _in_time(context: LambdaContext) -> bool:
    return bool(context.get_remaining_time_in_millis() > (ONE_S + 1) * 1000)


def _recorded(told: dict[str, Any], deps: Dependencies) -> bool:
    try:
        keys = deps.audit_keys()
        happened = read_record(told, keys.newest.mark)
        if happened is not None:
            record(happened, trail=deps.audit_trail, keys=keys)
    except (StoreUnavailable, KeyUnavailable) as error:
        logger.warning("not now", extra={"reason": type(error).__name__})
        return False
    except Exception as error:  # noqa: BLE001 - seen by a person, and told again until somebody has mended it
        deps.alerts.raise_(job_failed("audit", str(told.get("eventID", "")), error))
        return False
    return True


bootstrap.prepare("audit_trail", "secrets")
