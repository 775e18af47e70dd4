"""The queue's consumer: nobody waits. Each job is done, or comes back by itself; jobs may come twice."""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from bookend import bootstrap
from bookend.adapters.calcom.events import counted_as, read_event
from bookend.adapters.sqs.queue import NotAJob, read_job
from bookend.application.alerts import job_failed
from bookend.application.deadline import ONE_S, Deadline
from bookend.application.ports import Job, QueueUnavailable, StoreUnavailable
from bookend.application.receiving import Hint, Irrelevant, work_on
from bookend.application.settling import settle_again
from bookend.application.texting import TextEnd, send_text
from bookend.bootstrap import Dependencies
from bookend.observability import OUTBOX_AGE, TEXT_SENT, WEBHOOK_EVENT, count, logger, metrics


@logger.inject_lambda_context(clear_state=True, log_event=False)
@metrics.log_metrics
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """One batch; the jobs that could not be done now are named, so that only they come back."""
    deps = bootstrap.dependencies()
    failed = [record["messageId"] for record in event["Records"] if not (_in_time(context) and _done(record, deps))]
    return {"batchItemFailures": [{"itemIdentifier": message} for message in failed]}


def _in_time(context: LambdaContext) -> bool:
    return bool(context.get_remaining_time_in_millis() > (ONE_S + 1) * 1000)


def _done(record: dict[str, Any], deps: Dependencies) -> bool:
    logger.remove_keys(["tenant", "job", "attempt"])  # of the one before
    try:
        job = read_job(record["body"])
    except NotAJob:
        logger.error("not a job")  # it comes back until the dead-letter queue has it, where a person looks
        return False
    logger.append_keys(tenant=job.tenant, job=job.kind, attempt=job.attempt)
    try:
        logger.info("worked", extra={"outcome": _outcome(job, deps)})
    except (StoreUnavailable, QueueUnavailable) as error:
        logger.warning("not now", extra={"reason": type(error).__name__})
        return False
    except Exception as error:  # noqa: BLE001 - it takes no other job down; after five times a person has it
        deps.alerts.raise_(job_failed(job.kind, job.name, error))
        return False
    return True


def _text(job: Job, deps: Dependencies) -> str:
    work = deps.texting(job.tenant, Deadline.within(ONE_S, deps.clock))
    if work is None:
        return "no_such_tenant"
    outcome = send_text(work, job.name)
    logger.info("texted", extra={"end": outcome.end.value, "why": outcome.why})
    if outcome.end in {TextEnd.SENT, TextEnd.FAILED, TextEnd.UNSURE}:
        count(OUTBOX_AGE, outcome.age.total_seconds())
    if outcome.end is TextEnd.SENT and outcome.channel is not None:
        count(TEXT_SENT, channel=outcome.channel.value)
    return outcome.end.value


def _outcome(job: Job, deps: Dependencies) -> str:
    if job.kind == "text":
        return _text(job, deps)
    work = deps.background(job.tenant, Deadline.within(ONE_S, deps.clock))
    if work is None:
        if job.kind == "event":  # else the sweeper would bring it back until it expires
            deps.inbox.finish(job.tenant, job.name, outcome="no_such_tenant", now=deps.clock.now())
        return "no_such_tenant"
    if job.kind == "settle":
        return settle_again(job, work, deps.queue).value

    def read(body: str) -> Hint | Irrelevant:
        said = read_event(body)
        if job.attempt == 0:
            count(WEBHOOK_EVENT, trigger=counted_as(said))
        return said

    slots = deps.slots.within(work.deadline)
    return work_on(job, work, inbox=deps.inbox, queue=deps.queue, slots=slots, read=read).value


bootstrap.prepare("appointments", "queue", "secrets", "calendar")
