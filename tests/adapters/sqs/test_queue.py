"""Jobs as messages: names only, delays as the service allows them, and nothing taken for a job that is none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from moto import mock_aws

from bookend.adapters.sqs.queue import NotAJob, SqsQueue, read_job
from bookend.application.ports import Job, QueueUnavailable

JOB = Job("event", "friseur1", "a" * 64, 3)


class Wire:
    """A client that keeps what it is asked, or fails."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.asked: list[dict[str, Any]] = []
        self._failure = failure

    def send_message(self, **request: Any) -> None:
        self.asked.append(request)
        if self._failure is not None:
            raise self._failure


@pytest.fixture
def sqs() -> Iterator[Any]:
    with mock_aws():
        yield boto3.client(
            "sqs",
            region_name="eu-central-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"total_max_attempts": 1}),
        )


def test_a_job_comes_out_as_it_went_in(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="sync")["QueueUrl"]
    SqsQueue(sqs, url).send(JOB)
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert read_job(message["Body"]) == JOB


def test_a_delayed_job_is_not_there_yet(sqs: Any) -> None:
    url = sqs.create_queue(QueueName="sync")["QueueUrl"]
    SqsQueue(sqs, url).send(JOB, delay=timedelta(seconds=45))
    assert "Messages" not in sqs.receive_message(QueueUrl=url)


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [
        (timedelta(0), 0),
        (timedelta(seconds=45), 45),
        (timedelta(seconds=900), 900),
        (timedelta(hours=1), 900),
        (timedelta(milliseconds=1600), 2),
    ],
)
def test_delays_are_whole_seconds_and_at_most_what_the_service_takes(delay: timedelta, seconds: int) -> None:
    wire = Wire()
    SqsQueue(wire, "https://sqs.example/1/sync").send(JOB, delay=delay)
    assert [each["DelaySeconds"] for each in wire.asked] == [seconds]


def test_a_message_holds_names_and_nothing_else() -> None:
    wire = Wire()
    SqsQueue(wire, "https://sqs.example/1/sync").send(JOB)
    (asked,) = wire.asked
    assert asked["QueueUrl"] == "https://sqs.example/1/sync"
    assert json.loads(asked["MessageBody"]) == {
        "kind": "event",
        "tenant": "friseur1",
        "name": "a" * 64,
        "attempt": 3,
    }


@pytest.mark.parametrize(
    "failure",
    [
        EndpointConnectionError(endpoint_url="https://sqs.example"),
        ReadTimeoutError(endpoint_url="https://sqs.example"),
        ClientError({"Error": {"Code": "AWS.SimpleQueueService.NonExistentQueue", "Message": "x"}}, "SendMessage"),
        ClientError({"Error": {"Code": "RequestThrottled", "Message": "x"}}, "SendMessage"),
    ],
)
def test_a_queue_that_does_not_take_a_job_says_so_and_is_asked_once(failure: Exception) -> None:
    wire = Wire(failure)
    with pytest.raises(QueueUnavailable):
        SqsQueue(wire, "https://sqs.example/1/sync").send(JOB)
    assert len(wire.asked) == 1


def test_a_first_attempt_need_not_be_numbered() -> None:
    assert read_job('{"kind": "settle", "tenant": "t", "name": "n"}') == Job("settle", "t", "n", 0)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "5",
        "[]",
        "{}",
        "{",
        '"settle"',
        '{"kind": "settle", "tenant": "t"}',
        '{"kind": "settle", "name": "n"}',
        '{"tenant": "t", "name": "n"}',
        '{"kind": "delete_everything", "tenant": "t", "name": "n"}',
        '{"kind": null, "tenant": "t", "name": "n"}',
        '{"kind": "event", "tenant": "t", "name": "n", "attempt": "soon"}',
        '{"kind": "event", "tenant": "t", "name": "n", "attempt": null}',
        '{"kind": "event", "tenant": "t", "name": "n", "attempt": Infinity}',
        '{"kind": "event", "tenant": "t", "name": "n", "attempt": NaN}',
        '{"kind": "event", "tenant": "t", "name": "n", "attempt": ' + "9" * 5000 + "}",
        "[" * 100_000,
        '{"Records": [{"s3": {}}]}',
    ],
)
def test_a_message_that_is_no_job_is_named_as_such(body: str) -> None:
    with pytest.raises(NotAJob) as raised:
        read_job(body)
    assert body[:40] not in str(raised.value) or not body, "the message stays out of what may be logged"
