"""Lambda's side of a table's stream: records in order, each at least once, the rest of a batch again if it fails."""

import base64
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from time import monotonic
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sandbox.stack.engine import Progress
from sandbox.stack.invocation import InvokeResult
from sandbox.stack.template import StreamSource

_POLL_SECONDS = 0.2
_AGAIN_SECONDS = 0.5
_PAGE = 1000

Invoke = Callable[[str, Any], InvokeResult]
Record = dict[str, Any]


class StreamPoller:
    """Follows every shard of one stream in one thread.

    Records carry the sandbox's time, since functions and callers live by it. What is given up after the last try is
    told, and not kept anywhere.
    """

    def __init__(
        self, source: StreamSource, streams: Any, invoke: Invoke, *, clock: Callable[[], datetime], progress: Progress
    ) -> None:
        self._source = source
        self._streams = streams
        self._invoke = invoke
        self._clock = clock
        self._progress = progress
        self._iterators: dict[str, str | None] = {}
        self._stop = threading.Event()
        self._rounds = 0
        """Rounds that found nothing more, each counted at its end."""
        self._thread = threading.Thread(target=self._run, name=f"stream-{source.function}", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def close(self) -> None:
        """Follow no more; returns when the batch at hand is done."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def caught_up(self, seconds: float = 20) -> bool:
        """Wait until all that is in the stream now was handed on; False if that takes too long."""
        until, wanted = monotonic() + seconds, self._rounds + 2  # the round under way may have looked before
        while self._rounds < wanted:
            if monotonic() > until or self._stop.wait(0.02):
                return False
        return True

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if not self._round():
                    self._rounds += 1
                    self._stop.wait(_POLL_SECONDS)
            except (BotoCoreError, ClientError) as error:
                # The engine is going, or was restarted under us.
                self._progress(f"stream    {self._source.function}: {error}")
                self._stop.wait(1)
            except Exception as error:
                if not self._stop.is_set():
                    self._progress(f"stream    {self._source.function}: {error!r}")
                    self._stop.wait(1)

    def _round(self) -> int:
        """One page of each shard; how many records there were."""
        self._find_shards()
        found = 0
        for shard, iterator in list(self._iterators.items()):
            if iterator is None:
                continue  # closed, and read to its end
            answer = self._streams.get_records(ShardIterator=iterator, Limit=_PAGE)
            records = [self._as_event(each) for each in answer["Records"]]
            self._hand_on([each for each in records if handed_on(each, self._source)])
            if self._stop.is_set():
                break
            self._iterators[shard] = answer.get("NextShardIterator")
            found += len(records)
        return found

    def _find_shards(self) -> None:
        described = self._streams.describe_stream(StreamArn=self._source.stream_arn)["StreamDescription"]
        for shard in described["Shards"]:
            name = shard["ShardId"]
            if name not in self._iterators:
                self._iterators[name] = self._streams.get_shard_iterator(
                    StreamArn=self._source.stream_arn, ShardId=name, ShardIteratorType="TRIM_HORIZON"
                )["ShardIterator"]

    def _hand_on(self, records: list[Record]) -> None:
        size, tries = self._source.batch_size, 0
        while records and not self._stop.is_set():
            batch = records[:size]
            result = self._invoke(self._source.function, {"Records": batch})
            done = done_of(batch, result, self._source)
            records = records[done:]
            if done == len(batch):
                size, tries = self._source.batch_size, 0
                self._progress(f"stream    {self._source.function} took {len(batch)}")
                continue
            tries = 1 if done else tries + 1
            if not result.ok and self._source.bisects and len(batch) > 1:
                size = len(batch) // 2
            elif 0 <= self._source.retries < tries:
                given_up, records, tries = records[0], records[1:], 0
                self._progress(f"stream    {self._source.function} gave up {given_up['eventID']}")
            self._stop.wait(_AGAIN_SECONDS)

    def _as_event(self, record: Mapping[str, Any]) -> Record:
        change = dict(record["dynamodb"]) | {"ApproximateCreationDateTime": int(self._clock().timestamp())}
        return {**_plain(record), "dynamodb": _plain(change), "eventSourceARN": self._source.stream_arn}


def done_of(batch: list[Record], result: InvokeResult, source: StreamSource) -> int:
    """How many records of a batch are done, from its beginning, by Lambda's rules for a stream.

    The earliest record that is reported counts, and all behind it come again. A function that failed, and a report that
    cannot be read or names a record that was not in the batch, fail the whole batch.
    """
    if not result.ok:
        return 0
    if not source.partial_failures or not result.payload:
        return len(batch)
    if not isinstance(result.payload, dict):
        return 0
    try:
        failed = {each["itemIdentifier"] for each in result.payload.get("batchItemFailures") or []}
    except (TypeError, KeyError):
        return 0
    places = {each["dynamodb"]["SequenceNumber"]: number for number, each in enumerate(batch)}
    if not failed <= places.keys():
        return 0
    return min((places[each] for each in failed), default=len(batch))


def handed_on(record: Record, source: StreamSource) -> bool:
    """Whether the mapping's filter lets a record through."""
    return not source.patterns or any(_matches(pattern, record) for pattern in source.patterns)


def _matches(pattern: Any, value: Any) -> bool:
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(_matches(each, value.get(name)) for name, each in pattern.items())
    return any(_holds(rule, value) for rule in pattern)


def _holds(rule: Any, value: Any) -> bool:
    match rule:
        case {"prefix": str() as text}:
            return isinstance(value, str) and value.startswith(text)
        case {"suffix": str() as text}:
            return isinstance(value, str) and value.endswith(text)
        case {"exists": bool() as wanted}:
            return (value is not None) is wanted
        case dict():
            raise ValueError(f"the sandbox does not know the filter rule {rule}")
        case _:
            return bool(rule == value)


def _plain(value: Any) -> Any:
    """As JSON carries it."""
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(each) for each in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value
