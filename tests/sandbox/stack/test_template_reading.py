"""Reading templates, expressions and batch reports; nothing is started."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sandbox.stack.cron import Cron, Rate, parse_expression
from sandbox.stack.events import failed_messages
from sandbox.stack.front import Router
from sandbox.stack.intrinsics import Physical, Resolver, UnknownIntrinsic
from sandbox.stack.invocation import Failure, InvokeResult
from sandbox.stack.runtime import read_answer
from sandbox.stack.template import QueueSource, Route, Stack, read_stack
from sandbox.stack.translate import translate

FIXTURE = Path(__file__).parent / "fixture"


def fixture_stack(stage: str = "dev") -> Stack:
    parameters = {"Stage": stage, "KeySecretArn": "arn:aws:secretsmanager:x"}
    template = translate(FIXTURE / "template.yaml", parameters)
    return read_stack(Resolver(template, parameters), FIXTURE)


def test_the_template_is_read_without_an_engine() -> None:
    stack = fixture_stack()
    door = stack.functions["DoorFunction"]
    assert (door.handler, door.timeout, door.memory) == ("handler.lambda_handler", 8, 256)
    assert (door.code, door.layers) == (FIXTURE / "functions" / "door", (FIXTURE / "layer",))
    assert {(route.key, route.function) for route in stack.routes} == {
        ("POST /door", "DoorFunction"),
        ("GET /items/{id}", "DoorFunction"),
    }
    (source,) = stack.queue_sources
    assert (source.function, source.batch_size, source.partial_failures) == ("WorkerFunction", 5, True)
    assert stack.functions["WorkerFunction"].concurrency == 1
    assert {(item.expression, item.zone) for item in stack.schedules.values()} == {
        ("rate(1 minute)", "UTC"),
        ("cron(0 3 * * ? *)", "Europe/Berlin"),
    }


def test_a_condition_decides_values_and_resources() -> None:
    prod = fixture_stack("prod")
    assert prod.functions["DoorFunction"].environment["GREETING"] == "formal"
    assert "ProdOnlyQueue" in prod.queues
    assert "ProdOnlyQueue" not in fixture_stack("dev").queues


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"Fn::Sub": "${AWS::Region}/${P}/${!literal}/${T.Arn}"}, "eu-central-1/p/${literal}/arn:T"),
        ({"Fn::Sub": ["${x}", {"x": {"Ref": "P"}}]}, "p"),
        ({"Fn::Join": ["-", ["a", {"Ref": "P"}]]}, "a-p"),
        ({"Fn::Select": [1, {"Fn::Split": [",", "a,b"]}]}, "b"),
        ({"Fn::If": ["No", 1, {"Ref": "AWS::NoValue"}], "keep": 1}, None),
        ({"a": {"Fn::If": ["No", 1, {"Ref": "AWS::NoValue"}]}, "keep": 1}, {"keep": 1}),
        ([{"Ref": "AWS::NoValue"}, 1], [1]),
        ({"Fn::Or": [{"Condition": "No"}, {"Fn::Not": [{"Condition": "No"}]}]}, True),
        ({"Fn::FindInMap": ["M", {"Ref": "P"}, "k"]}, "found"),
    ],
)
def test_intrinsics(value: object, expected: object) -> None:
    template = {
        "Parameters": {"P": {"Type": "String", "Default": "p"}},
        "Conditions": {"No": {"Fn::Equals": ["a", "b"]}},
        "Mappings": {"M": {"p": {"k": "found"}}},
        "Resources": {"T": {"Type": "AWS::DynamoDB::Table"}},
    }
    resolver = Resolver(template, physical={"T": Physical("t", {"Arn": "arn:T"})})
    if expected is None:
        with pytest.raises(UnknownIntrinsic):
            resolver.resolve({"Fn::Nonsense": 1})
    else:
        assert resolver.resolve(value) == expected


def test_a_reference_to_nothing_is_an_error() -> None:
    with pytest.raises(UnknownIntrinsic, match="Nothing"):
        Resolver({}).resolve({"Ref": "Nothing"})


def test_the_most_specific_route_wins() -> None:
    routes = tuple(
        Route(method, path, name)
        for name, method, path in [
            ("default", "ANY", "$default"),
            ("greedy", "ANY", "/a/{rest+}"),
            ("one", "ANY", "/a/{x}"),
            ("exact", "GET", "/a/b"),
            ("any", "ANY", "/a/b"),
        ]
    )

    def found(method: str, path: str) -> str:
        match = Router(routes).find(method, path)
        assert match is not None
        return match[0].function

    assert found("GET", "/a/b") == "exact"
    assert found("POST", "/a/b") == "any"
    assert found("GET", "/a/c") == "one"
    assert found("GET", "/a/c/d") == "greedy"
    assert found("GET", "/z") == "default"


@pytest.mark.parametrize(
    ("expression", "moment", "expected"),
    [
        ("cron(0 3 * * ? *)", datetime(2025, 10, 26, 2, 0, tzinfo=UTC), True),
        ("cron(0 3 * * ? *)", datetime(2025, 10, 25, 1, 0, tzinfo=UTC), True),
        ("cron(0 3 * * ? *)", datetime(2025, 10, 25, 2, 0, tzinfo=UTC), False),
        ("cron(0/15 8-18 ? * MON-FRI *)", datetime(2025, 10, 24, 6, 45, tzinfo=UTC), True),
        ("cron(0/15 8-18 ? * MON-FRI *)", datetime(2025, 10, 25, 6, 45, tzinfo=UTC), False),
        ("cron(0 0 ? * 1 2025)", datetime(2025, 10, 25, 22, 0, tzinfo=UTC), True),
    ],
)
def test_cron_goes_by_its_zone(expression: str, moment: datetime, expected: bool) -> None:
    cron = parse_expression(expression, "Europe/Berlin")
    assert isinstance(cron, Cron)
    assert cron.matches(moment) is expected


def test_rates_are_seconds_and_the_rest_is_refused() -> None:
    assert parse_expression("rate(5 minutes)") == Rate(300)
    for wrong in ("at(2025-01-01T00:00:00)", "cron(0 3 * * *)", "cron(61 3 * * ? *)", "cron(0 3 L * ? *)", "rate(x)"):
        with pytest.raises(ValueError, match=r".+"):
            parse_expression(wrong)


@pytest.mark.parametrize(
    ("result", "failed"),
    [
        (InvokeResult(None, Failure.RAISED), {"a", "b"}),
        (InvokeResult(None), set()),
        (InvokeResult({"batchItemFailures": []}), set()),
        (InvokeResult({"batchItemFailures": [{"itemIdentifier": "b"}]}), {"b"}),
        (InvokeResult({"batchItemFailures": [{"itemIdentifier": "other"}]}), {"a", "b"}),
        (InvokeResult({"batchItemFailures": [{}]}), {"a", "b"}),
        (InvokeResult("nonsense"), {"a", "b"}),
    ],
)
def test_a_batch_report_follows_lambda_s_rules(result: InvokeResult, failed: set[str]) -> None:
    source = QueueSource("arn", "f", 10, 0, partial_failures=True, concurrency=None)
    assert failed_messages(result, {"a", "b"}, source) == failed


def test_without_partial_failures_a_report_means_nothing() -> None:
    source = QueueSource("arn", "f", 10, 0, partial_failures=False, concurrency=None)
    report = InvokeResult({"batchItemFailures": [{"itemIdentifier": "b"}]})
    assert failed_messages(report, {"a", "b"}, source) == set()


@pytest.mark.parametrize(
    ("status", "text", "failure"),
    [
        (200, '{"ok": 1}', None),
        (200, '"Task timed out after 2.00 seconds"', None),
        (200, "Task timed out after 2.00 seconds", Failure.TIMED_OUT),
        (200, '{"errorMessage": "m", "errorType": "E", "stackTrace": []}', Failure.RAISED),
        (200, '{"errorMessage": "m", "errorType": "E", "and": "more"}', None),
        (502, '{"errorMessage": "m", "errorType": "Runtime.ExitError"}', Failure.EXITED),
        (500, "out of order", Failure.EXITED),
    ],
)
def test_the_emulator_s_answers_are_told_apart(status: int, text: str, failure: Failure | None) -> None:
    assert read_answer(status, text).failure is failure
