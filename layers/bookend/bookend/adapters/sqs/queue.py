"""Jobs on SQS (standard: at least once, in any order; every job may run twice)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from bookend.application.ports import Job, QueueUnavailable

_LONGEST_DELAY_S = 900
_KINDS = frozenset({"settle", "event", "text"})


class SqsQueue:
    """The `Queue` port. A message holds names of what is in the table, never what is in it."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, job: Job, *, delay: timedelta = timedelta(0)) -> None:
        body = json.dumps({"kind": job.kind, "tenant": job.tenant, "name": job.name, "attempt": job.attempt})
        seconds = min(round(delay.total_seconds()), _LONGEST_DELAY_S)
        try:
            self._client.send_message(QueueUrl=self._url, MessageBody=body, DelaySeconds=seconds)
        except (BotoCoreError, ClientError) as error:
            raise QueueUnavailable(type(error).__name__) from error


class NotAJob(ValueError):
    """A message that we did not send."""


def read_job(body: str) -> Job:
    """The job in a message.

    Raises:
        NotAJob: it is none.
    """
    try:
        said = json.loads(body)
        job = Job(str(said["kind"]), str(said["tenant"]), str(said["name"]), int(said.get("attempt", 0)))
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise NotAJob(type(error).__name__) from error
    if job.kind not in _KINDS:
        raise NotAJob("kind")
    return job
