"""What invokes functions besides HTTP: queues with their pollers, and schedules with their timer."""

import json
import threading
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.stack.cron import Cron, Rate, parse_expression
from sandbox.stack.engine import Progress
from sandbox.stack.intrinsics import ACCOUNT
from sandbox.stack.invocation import InvokeResult
from sandbox.stack.template import QueueSource, Schedule
from sandbox.stack.translate import REGION

Invoke = Callable[[str, Any], InvokeResult]
Clock = Callable[[], datetime]

_LONG_POLL_SECONDS = 1
_TICK_SECONDS = 0.25


class QueuePoller:
    """Lambda's side of one event source mapping: receive, invoke, delete what succeeded.

    What failed stays in the queue and comes back after its visibility timeout, until the engine's redrive
    moves it to the dead-letter queue.
    """

    def __init__(
        self,
        source: QueueSource,
        sqs: Any,
        queue_url: str,
        invoke: Invoke,
        *,
        pollers: int,
        progress: Progress,
    ) -> None:
        self._source = source
        self._sqs = sqs
        self._url = queue_url
        self._invoke = invoke
        self._progress = progress
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"poller-{source.function}-{number}", daemon=True)
            for number in range(pollers)
        ]

    def start(self) -> None:
        """Begin to receive."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Receive no more; returns when no poller is in the middle of a batch."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def poll_once(self) -> int:
        """Take one batch through the function, and return how many messages it had."""
        messages = self._collect()
        if not messages:
            return 0
        event = {"Records": [_record(message, self._source.queue_arn) for message in messages]}
        result = self._invoke(self._source.function, event)
        failed = failed_messages(result, {message["MessageId"] for message in messages}, self._source)
        done = [message for message in messages if message["MessageId"] not in failed]
        for start in range(0, len(done), 10):
            self._sqs.delete_message_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
                    for index, message in enumerate(done[start : start + 10])
                ],
            )
        outcome = f"{len(failed)} of {len(messages)} failed" if failed else "done"
        self._progress(f"queue     {self._source.function} took {len(messages)}: {outcome}")
        return len(messages)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.poll_once()
            except (BotoCoreError, ClientError) as error:
                # The engine is going, or was restarted under us.
                self._progress(f"queue     {self._source.function}: {error}")
                self._stop.wait(1)
            except Exception as error:
                if not self._stop.is_set():
                    self._progress(f"queue     {self._source.function}: {error!r}")
                    self._stop.wait(1)

    def _collect(self) -> list[dict[str, Any]]:
        """Up to a batch of messages; a batching window waits for more once the first is there."""
        messages: list[dict[str, Any]] = []
        closes = 0.0
        while len(messages) < self._source.batch_size and not self._stop.is_set():
            left = self._source.batch_size - len(messages)
            received = self._sqs.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(left, 10),
                WaitTimeSeconds=_LONG_POLL_SECONDS if not messages else 0,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            if received and not messages:
                closes = monotonic() + self._source.window
            messages += received
            if not messages or (not received and monotonic() >= closes):
                break
            if not received:
                self._stop.wait(0.1)
        return messages


def failed_messages(result: InvokeResult, ids: set[str], source: QueueSource) -> set[str]:
    """The ids of the messages to leave in the queue, by Lambda's rules for a batch.

    A function that failed, and a report that cannot be read or names a message that was not in the batch,
    fail the whole batch; no report, or an empty one, is a success.
    """
    if not result.ok:
        return ids
    if not source.partial_failures or not result.payload:
        return set()
    if not isinstance(result.payload, dict):
        return ids
    failures = result.payload.get("batchItemFailures") or []
    try:
        failed = {failure["itemIdentifier"] for failure in failures}
    except (TypeError, KeyError):
        return ids
    return ids if failed - ids else failed


def _record(message: Mapping[str, Any], queue_arn: str) -> dict[str, Any]:
    attributes = {
        name: {
            "stringValue" if "StringValue" in value else "binaryValue": value.get("StringValue")
            or value["BinaryValue"].decode("latin-1"),
            "stringListValues": [],
            "binaryListValues": [],
            "dataType": value["DataType"],
        }
        for name, value in message.get("MessageAttributes", {}).items()
    }
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message.get("Attributes", {})),
        "messageAttributes": attributes,
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": REGION,
    }


class Scheduler:
    """Fires schedules: by hand at any time, and by its own timer once started.

    rate() counts real time from the start. cron() goes by the sandbox's clock; minutes that the clock jumps
    over are not made up for. A failed run is told and not repeated (on AWS it would be, twice).
    """

    def __init__(self, schedules: Mapping[str, Schedule], invoke: Invoke, *, clock: Clock, progress: Progress) -> None:
        self._schedules = schedules
        self._invoke = invoke
        self._clock = clock
        self._progress = progress
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)
        self._timers: dict[str, Rate | Cron] = {}
        for name, schedule in schedules.items():
            if not schedule.enabled:
                continue
            try:
                self._timers[name] = parse_expression(schedule.expression, schedule.zone)
            except ValueError as error:
                progress(f"schedule  {name} fires by hand only: {error}")

    def start(self) -> None:
        """Start the timer."""
        self._thread.start()

    def close(self) -> None:
        """Stop the timer; runs that are under way end with their functions."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def fire(self, name: str) -> InvokeResult:
        """Run one schedule now, named by its logical id or by an ending that only it has."""
        matches = [known for known in self._schedules if known == name] or [
            known for known in self._schedules if known.endswith(name)
        ]
        if len(matches) != 1:
            raise KeyError(f"no one schedule {name}; there are {', '.join(self._schedules) or 'none'}")
        schedule = self._schedules[matches[0]]
        result = self._invoke(schedule.function, schedule_event(schedule, self._clock()))
        outcome = "done" if result.ok else f"{result.failure}: {result.error_type} {result.error_message}"
        self._progress(f"schedule  {schedule.name}: {outcome}")
        return result

    def _run(self) -> None:
        began = monotonic()
        rates = {name: timer.seconds for name, timer in self._timers.items() if isinstance(timer, Rate)}
        due = {name: began + seconds for name, seconds in rates.items()}
        crons = {name: timer for name, timer in self._timers.items() if isinstance(timer, Cron)}
        minute = _minute(self._clock())
        while not self._stop.wait(_TICK_SECONDS):
            for name, when in due.items():
                if monotonic() >= when:
                    due[name] = when + rates[name]
                    self._fire_aside(name)
            now = _minute(self._clock())
            if now != minute:
                minute = now
                for name, cron in crons.items():
                    if cron.matches(now):
                        self._fire_aside(name)

    def _fire_aside(self, name: str) -> None:
        threading.Thread(target=self._fire_quietly, args=(name,), name=f"schedule-{name}", daemon=True).start()

    def _fire_quietly(self, name: str) -> None:
        try:
            self.fire(name)
        except Exception as error:
            if not self._stop.is_set():
                self._progress(f"schedule  {name}: {error!r}")


def schedule_event(schedule: Schedule, now: datetime) -> Any:
    """What EventBridge Scheduler sends: the Input with its keywords filled in, or its default event."""
    when = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    arn = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/{schedule.name}"
    execution = str(uuid.uuid4())
    if schedule.input is None:
        return {
            "version": "0",
            "id": execution,
            "detail-type": "Scheduled Event",
            "source": "aws.scheduler",
            "account": ACCOUNT,
            "time": when,
            "region": REGION,
            "resources": [arn],
            "detail": "{}",
        }
    text = schedule.input
    for keyword, value in {
        "schedule-arn": arn,
        "scheduled-time": when,
        "execution-id": execution,
        "attempt-number": "1",
    }.items():
        text = text.replace(f"<aws.scheduler.{keyword}>", value)
    return json.loads(text)


def _minute(moment: datetime) -> datetime:
    return moment - timedelta(seconds=moment.second, microseconds=moment.microsecond)
