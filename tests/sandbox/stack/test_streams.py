"""The sandbox's stand-in for Lambda's side of a stream: which records come, in which order, and what comes again."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from sandbox.stack.invocation import Failure, InvokeResult
from sandbox.stack.streams import StreamPoller, done_of, handed_on
from sandbox.stack.template import StreamSource

NOW = datetime(2025, 10, 25, 18, 0, tzinfo=UTC)


def source(**said: Any) -> StreamSource:
    fields: dict[str, Any] = {
        "stream_arn": "arn:aws:dynamodb:eu-central-1:000000000000:table/t/stream/s",
        "function": "f",
        "batch_size": 3,
        "partial_failures": True,
        "bisects": True,
        "retries": -1,
        "patterns": (),
    }
    return StreamSource(**(fields | said))


def record(number: int, pk: str = "T#t#APPT#a", sk: str = "A") -> dict[str, Any]:
    keys = {"pk": {"S": pk}, "sk": {"S": sk}}
    change = {
        "Keys": keys,
        "SequenceNumber": str(number),
        "ApproximateCreationDateTime": datetime(2030, 1, 1, tzinfo=UTC),
    }
    return {"eventID": f"e{number}", "eventName": "INSERT", "dynamodb": change}


class Shards:
    """Two shards of a stream, read in pages."""

    def __init__(self, *shards: list[dict[str, Any]], page: int = 4) -> None:
        self._shards, self._page = shards, page

    def describe_stream(self, **_: Any) -> dict[str, Any]:
        return {"StreamDescription": {"Shards": [{"ShardId": str(number)} for number in range(len(self._shards))]}}

    def get_shard_iterator(self, **how: Any) -> dict[str, Any]:
        return {"ShardIterator": f"{how['ShardId']}:0"}

    def get_records(self, **how: Any) -> dict[str, Any]:
        shard, _, at = how["ShardIterator"].partition(":")
        found = self._shards[int(shard)][int(at) : int(at) + self._page]
        return {"Records": found, "NextShardIterator": f"{shard}:{int(at) + len(found)}"}


def followed(
    shards: Shards,
    answer: Callable[[list[str]], InvokeResult],
    until: int,
    monkeypatch: pytest.MonkeyPatch,
    **said: Any,
) -> list[list[str]]:
    """The batches that the function got, until it has got `until` of them."""
    monkeypatch.setattr("sandbox.stack.streams._AGAIN_SECONDS", 0.001)
    monkeypatch.setattr("sandbox.stack.streams._POLL_SECONDS", 0.001)
    batches: list[list[str]] = []
    enough = threading.Event()

    def invoke(_: str, event: Any) -> InvokeResult:
        batch = [each["dynamodb"]["SequenceNumber"] for each in event["Records"]]
        assert {each["dynamodb"]["ApproximateCreationDateTime"] for each in event["Records"]} == {NOW.timestamp()}
        batches.append(batch)
        if len(batches) >= until:
            enough.set()
        return answer(batch)

    poller = StreamPoller(source(**said), shards, invoke, clock=lambda: NOW, progress=lambda _: None)
    poller.start()
    try:
        assert enough.wait(10)
        assert poller.caught_up(10)
    finally:
        poller.close()
    return batches


def done(_: list[str]) -> InvokeResult:
    return InvokeResult({"batchItemFailures": []})


def test_records_come_in_order_and_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    shards = Shards([record(n) for n in range(1, 8)], [record(n) for n in range(11, 13)])
    batches = followed(shards, done, 4, monkeypatch)
    assert [each for batch in batches for each in batch if len(each) == 1] == [*"1234567"]
    assert all(len(batch) <= 3 for batch in batches)
    assert ["11", "12"] in batches


def test_from_the_reported_record_on_the_batch_comes_again(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def second_fails_once(batch: list[str]) -> InvokeResult:
        if "2" in batch and "2" not in seen:
            seen.append("2")
            return InvokeResult({"batchItemFailures": [{"itemIdentifier": "3"}, {"itemIdentifier": "2"}]})
        return done(batch)

    shards = Shards([record(n) for n in range(1, 5)])
    assert followed(shards, second_fails_once, 2, monkeypatch) == [["1", "2", "3"], ["2", "3", "4"]]


def test_a_batch_that_breaks_is_halved_until_the_one_is_alone_and_then_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(batch: list[str]) -> InvokeResult:
        return InvokeResult(None, Failure.RAISED) if "2" in batch else done(batch)

    shards = Shards([record(n) for n in range(1, 4)])
    batches = followed(shards, broken, 6, monkeypatch, retries=2)
    assert batches == [["1", "2", "3"], ["1"], ["2", "3"], ["2"], ["2"], ["3"]]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (InvokeResult(None, Failure.RAISED), 0),
        (InvokeResult({"batchItemFailures": []}), 3),
        (InvokeResult(None), 3),
        (InvokeResult({"batchItemFailures": [{"itemIdentifier": "2"}]}), 1),
        (InvokeResult({"batchItemFailures": [{"itemIdentifier": "3"}, {"itemIdentifier": "2"}]}), 1),
        (InvokeResult({"batchItemFailures": [{"itemIdentifier": "9"}]}), 0),
        (InvokeResult({"batchItemFailures": [{}]}), 0),
        (InvokeResult("nonsense"), 0),
    ],
)
def test_a_report_follows_lambda_s_rules(result: InvokeResult, expected: int) -> None:
    assert done_of([record(n) for n in (1, 2, 3)], result, source()) == expected


@pytest.mark.parametrize(
    ("pk", "sk", "passes"),
    [
        ("T#t#APPT#a", "A", True),
        ("T#t#AUDIT", "2025#x", True),
        ("T#t#AUDITS", "2025#x", False),
        ("T#t#HEALTH", "HOUR#2025-10-25T18", False),
        ("T#t#STAFF#a", "DAY#2025-10-25", False),
    ],
)
def test_a_filter_lets_through_what_matches_one_of_its_patterns(pk: str, sk: str, passes: bool) -> None:
    patterns = (
        {"dynamodb": {"Keys": {"sk": {"S": ["A"]}}}},
        {"dynamodb": {"Keys": {"pk": {"S": [{"suffix": "#AUDIT"}]}}}},
    )
    assert handed_on(record(1, pk, sk), source(patterns=patterns)) is passes


def test_a_filter_that_the_sandbox_does_not_know_is_an_error() -> None:
    with pytest.raises(ValueError, match="anything-but"):
        handed_on(record(1), source(patterns=({"eventName": [{"anything-but": "INSERT"}]},)))
