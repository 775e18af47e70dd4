"""The fixture stack as its callers see it: on the real Lambda runtime, and in process."""

import base64
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sandbox.stack.clock import set_time
from sandbox.stack.local import LocalStack
from tests.sandbox.stack.conftest import TEMPLATE
from tests.sandbox.stack.http_calls import call, tell_door

pytestmark = [pytest.mark.engine, pytest.mark.enable_socket]


def eventually(happened: Callable[[], bool], seconds: float = 15) -> bool:
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        if happened():
            return True
        time.sleep(0.05)
    return False


def has_item(stack: LocalStack, pk: str) -> bool:
    return "Item" in stack.dynamodb().get_item(TableName=stack.table_name, Key={"pk": {"S": pk}})


def test_a_request_arrives_as_a_payload_2_0_event(stack: LocalStack) -> None:
    headers = {"Content-Type": "application/json", "X-Two": "a", "Cookie": "c=1; d=2", "User-Agent": "tests"}
    answer = call(stack.url, "POST", "/door?q=1&q=2&empty=", b'{"x": "\xc3\xa4"}', headers)
    event = answer.json()
    assert answer.status == 200
    assert event["version"] == "2.0"
    assert event["routeKey"] == "POST /door"
    assert event["rawPath"] == "/door"
    assert event["rawQueryString"] == "q=1&q=2&empty="
    assert event["queryStringParameters"] == {"q": "1,2", "empty": ""}
    assert event["cookies"] == ["c=1", "d=2"]
    assert event["headers"]["content-type"] == "application/json"
    assert event["headers"]["x-two"] == "a"
    assert "cookie" not in event["headers"]
    assert event["body"] == '{"x": "ä"}'
    assert event["isBase64Encoded"] is False
    context = event["requestContext"]
    assert context["http"] == {
        "method": "POST",
        "path": "/door",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "tests",
    }
    assert context["stage"] == "$default"
    assert context["routeKey"] == "POST /door"
    assert set(context) >= {"accountId", "apiId", "domainName", "domainPrefix", "requestId", "time", "timeEpoch"}


def test_a_binary_body_arrives_in_base64(stack: LocalStack) -> None:
    body = bytes(range(256))
    event = call(stack.url, "POST", "/door", body, {"Content-Type": "application/octet-stream"}).json()
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == body


def test_a_path_parameter_is_handed_over(stack: LocalStack) -> None:
    event = call(stack.url, "GET", "/items/a%20b").json()
    assert event["routeKey"] == "GET /items/{id}"
    assert event["pathParameters"] == {"id": "a b"}
    assert "body" not in event


@pytest.mark.parametrize(("method", "path"), [("POST", "/nowhere"), ("GET", "/door"), ("GET", "/items/1/2")])
def test_what_is_no_route_is_not_found(stack: LocalStack, method: str, path: str) -> None:
    answer = call(stack.url, method, path)
    assert (answer.status, answer.json()) == (404, {"message": "Not Found"})


def test_a_schedule_can_be_fired_from_outside(stack: LocalStack) -> None:
    name = next(iter(stack.stack.schedules))
    fired = call(stack.url, "POST", f"/_sandbox/schedules/{name}")
    assert fired.status == 200, fired
    assert call(stack.url, "POST", "/_sandbox/schedules/Nothing").status == 404
    assert call(stack.url, "GET", f"/_sandbox/schedules/{name}").status == 404


def test_a_body_over_ten_megabytes_is_refused(stack: LocalStack) -> None:
    answer = call(stack.url, "POST", "/door", None, {"Content-Length": str(10 * 1024 * 1024 + 1)})
    assert answer.status == 413


def test_the_layer_and_the_environment_of_the_template_are_there(stack: LocalStack) -> None:
    names = ["STAGE", "TABLE_NAME", "GREETING", "KEY_SECRET_ARN", "OWN_SECRET_ARN", "QUEUE_URL", "EXTRA"]
    lambda_names = ["AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_LOG_FORMAT"]
    seen = tell_door(stack.url, do="env", names=names + lambda_names).json()
    assert seen["STAGE"] == "dev"
    assert seen["GREETING"] == "hello dev"
    assert seen["EXTRA"] == "override"
    assert seen["TABLE_NAME"] == stack.table_name
    assert seen["QUEUE_URL"] == stack.physical("Queue")
    assert [seen[name] for name in lambda_names] == ["DoorFunction", "256", "JSON"]
    secrets = stack.client("secretsmanager")
    assert secrets.get_secret_value(SecretId=seen["KEY_SECRET_ARN"])["SecretString"] == '{"key": "k"}'
    assert secrets.get_secret_value(SecretId=seen["OWN_SECRET_ARN"])["SecretString"] == "mine"


def test_a_function_cannot_see_the_repository(stack: LocalStack) -> None:
    repository = Path(__file__).parents[3]
    fixture = Path(__file__).parent / "fixture"
    path = [Path(entry) for entry in tell_door(stack.url, do="path").json()]
    ours = {entry for entry in path if entry.is_relative_to(repository) and ".venv" not in entry.parts}
    assert ours == {fixture / "functions" / "door", fixture / "layer"}


def test_a_function_writes_the_table_of_the_template(stack: LocalStack, unique: str) -> None:
    assert tell_door(stack.url, do="write", pk=unique).json() == {"written": unique}
    assert has_item(stack, unique)
    found = stack.dynamodb().query(
        TableName=stack.table_name,
        IndexName="by-owner",
        KeyConditionExpression="#o = :o",
        ExpressionAttributeNames={"#o": "owner"},
        ExpressionAttributeValues={":o": {"S": "door"}},
    )
    assert {"pk": {"S": unique}, "owner": {"S": "door"}} in found["Items"]


def test_ttl_stays_off(stack: LocalStack) -> None:
    described = stack.dynamodb().describe_time_to_live(TableName=stack.table_name)
    assert described["TimeToLiveDescription"]["TimeToLiveStatus"] == "DISABLED"


def test_a_function_past_its_timeout_is_unavailable_and_the_next_call_works(stack: LocalStack) -> None:
    late = tell_door(stack.url, do="sleep", seconds=30)
    assert (late.status, late.json()) == (503, {"message": "Service Unavailable"})
    assert tell_door(stack.url, do="sleep", seconds=0).status == 200


@pytest.mark.parametrize("end", ["raise", "exit"])
def test_a_function_that_fails_is_an_error_and_the_next_call_works(stack: LocalStack, end: str) -> None:
    failed = tell_door(stack.url, do=end)
    assert (failed.status, failed.json()) == (500, {"message": "Internal Server Error"})
    assert tell_door(stack.url, do="sleep", seconds=0).status == 200


def test_what_a_function_raised_is_in_its_log_and_result(stack: LocalStack) -> None:
    event = {"body": json.dumps({"do": "raise"})}
    result = stack.invoke("DoorFunction", event)
    assert (result.failure, result.error_type, result.error_message) == ("raised", "ValueError", "as told")
    assert any("as told" in text for name, text in stack.logs().items() if name.startswith("DoorFunction"))


def test_more_requests_than_instances_wait_their_turn(stack: LocalStack) -> None:
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda _: tell_door(stack.url, do="sleep", seconds=0.05), range(24)))
    assert [answer.status for answer in answers] == [200] * 24


def test_two_requests_really_overlap(stack: LocalStack) -> None:
    with ThreadPoolExecutor(2) as callers:
        # The first round starts the second instance, if no test before did.
        for _ in range(2):
            first, second = (
                answer.json()
                for answer in callers.map(lambda _: tell_door(stack.url, do="sleep", seconds=0.8), range(2))
            )
    assert first["pid"] != second["pid"]
    assert first["from"] < second["to"]
    assert second["from"] < first["to"]


def test_a_message_reaches_the_function(stack: LocalStack, unique: str) -> None:
    sqs = stack.client("sqs")
    sqs.send_message(QueueUrl=stack.physical("Queue"), MessageBody=unique)
    assert eventually(lambda: has_item(stack, f"message/{unique}"))


def test_only_the_failed_message_of_a_batch_comes_back_and_ends_as_a_dead_letter(
    stack: LocalStack, unique: str
) -> None:
    sqs = stack.client("sqs")
    bodies = [f"{unique}-0", "bad", f"{unique}-1"]
    sqs.send_message_batch(
        QueueUrl=stack.physical("Queue"),
        Entries=[{"Id": str(index), "MessageBody": body} for index, body in enumerate(bodies)],
    )
    assert eventually(lambda: stack.queue_depth("DeadLetters").ready == 1)
    assert stack.queue_depth("Queue") == (0, 0, 0)
    assert has_item(stack, f"message/{unique}-0")
    assert has_item(stack, f"message/{unique}-1")
    (dead,) = sqs.receive_message(QueueUrl=stack.physical("DeadLetters"))["Messages"]
    assert dead["Body"] == "bad"


def test_a_schedule_reaches_the_function_with_its_input_at_the_stack_s_time(stack: LocalStack) -> None:
    result = stack.fire_schedule("Sweep")
    assert result.payload["function"] == "TickerFunction"
    assert result.payload["event"]["job"] == "sweep"
    at = datetime.fromisoformat(result.payload["event"]["at"])
    assert timedelta(0) <= stack.now() - at < timedelta(minutes=1)


def test_a_schedule_without_input_sends_the_default_event(stack: LocalStack) -> None:
    assert stack.fire_schedule("Nightly").payload["event"]["detail-type"] == "Scheduled Event"


def test_an_unknown_schedule_is_named(stack: LocalStack) -> None:
    with pytest.raises(KeyError, match="Weekly"):
        stack.fire_schedule("Weekly")


def test_a_moved_clock_moves_running_functions(stack: LocalStack) -> None:
    file = stack.clock_file
    assert file is not None
    then = datetime(2025, 10, 26, 0, 59, tzinfo=UTC)
    for moment in (then, then + timedelta(days=30)):
        set_time(file, moment)
        seen = datetime.fromisoformat(tell_door(stack.url, do="clock").json()["now"])
        assert timedelta(0) <= seen - moment < timedelta(minutes=1)
        event = call(stack.url, "GET", "/items/1").json()
        epoch = datetime.fromtimestamp(event["requestContext"]["timeEpoch"] / 1000, UTC)
        assert timedelta(0) <= epoch - moment < timedelta(minutes=1)


def test_what_is_not_run_is_listed(stack: LocalStack) -> None:
    assert ("Alarm", "AWS::CloudWatch::Alarm") in stack.stack.not_run
    assert "ProdOnlyQueue" not in stack.stack.queues
    assert not {"Queue", "Table", "DoorFunction"} & {name for name, _ in stack.stack.not_run}


@pytest.mark.parametrize(
    ("answer", "status", "content_type", "body"),
    [
        ({"plain": 1}, 200, "application/json", b'{"plain": 1}'),
        ("text", 200, "application/json", b"text"),
        ({"statusCode": 201}, 201, "text/plain;charset=UTF-8", b""),
        ({"statusCode": "202", "body": "b"}, 202, "text/plain;charset=UTF-8", b"b"),
        (
            {"statusCode": 200, "headers": {"Content-Type": "image/x"}, "body": "AP8=", "isBase64Encoded": True},
            200,
            "image/x",
            b"\x00\xff",
        ),
        ({"statusCode": 200, "body": {"not": "text"}}, 500, "application/json", None),
        ({"statusCode": "abc"}, 500, "application/json", None),
    ],
)
def test_an_answer_becomes_a_response(
    stack: LocalStack, answer: object, status: int, content_type: str, body: bytes | None
) -> None:
    response = tell_door(stack.url, do="answer", answer=answer)
    assert (response.status, response.headers["content-type"]) == (status, content_type)
    assert body is None or response.body == body


def test_in_process_the_answers_are_the_same(stack: LocalStack, in_process: LocalStack, unique: str) -> None:
    for order in (
        {"do": "write", "pk": unique},
        {"do": "env", "names": ["STAGE", "EXTRA", "GREETING"]},
        {"do": "raise"},
        {"do": "exit"},
        {"do": "answer", "answer": {"statusCode": 418, "body": "tea"}},
    ):
        real = tell_door(stack.url, **order)
        near = tell_door(in_process.url, **order)
        assert (near.status, near.body) == (real.status, real.body)
    assert has_item(in_process, unique)
    assert in_process.fire_schedule("Sweep").payload["event"]["job"] == "sweep"
    in_process.client("sqs").send_message(QueueUrl=in_process.physical("Queue"), MessageBody=unique)
    assert eventually(lambda: has_item(in_process, f"message/{unique}"))


def test_in_process_leaves_this_process_as_it_was(engine_installed: None, tmp_path: Path) -> None:
    before = (dict(os.environ), list(sys.path), {name: id(module) for name, module in sys.modules.items()})
    with LocalStack(
        TEMPLATE,
        parameters={"Stage": "dev"},
        engine="ministack",
        secrets={"KeySecretArn": "k"},
        runtime="in-process",
        clock_file=tmp_path / "clock",
        log_dir=tmp_path / "logs",
        progress=lambda _: None,
    ) as stack:
        set_time(tmp_path / "clock", datetime(2025, 10, 26, tzinfo=UTC))
        assert tell_door(stack.url, do="clock").json()["now"].startswith("2025-10-26T00:00")
        loaded = Path(sys.modules["bookend"].__file__ or "")
        assert loaded.is_relative_to(TEMPLATE.parent / "layer")
    assert (dict(os.environ), list(sys.path)) == before[:2]
    ours = {name: id(module) for name, module in sys.modules.items() if name.partition(".")[0] == "bookend"}
    assert ours == {name: number for name, number in before[2].items() if name.partition(".")[0] == "bookend"}


def test_a_function_whose_layer_takes_no_clock_says_so(engine_installed: None, tmp_path: Path) -> None:
    fixture = tmp_path / "fixture"
    shutil.copytree(TEMPLATE.parent, fixture)
    (fixture / "layer" / "bookend" / "bootstrap.py").write_text("")
    with LocalStack(
        fixture / "template.yaml",
        parameters={"Stage": "dev"},
        engine="ministack",
        secrets={"KeySecretArn": "k"},
        clock_file=tmp_path / "clock",
        progress=lambda _: None,
    ) as stack:
        assert stack.invoke("TickerFunction", {}).failure == "exited"
        assert "has no use_clock" in stack.logs()["TickerFunction-1"]
