"""The doors as docs/openapi.yaml describes them: the same routes as the template, the same fields as the parsers, and
whatever a schema-driven fuzzer makes of it is answered as described, never with a 5xx, never unsigned with a 2xx.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
import schemathesis
import yaml
from hypothesis import HealthCheck, Phase, settings
from requests import PreparedRequest
from requests.auth import AuthBase
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from bookend.adapters.retell import wire
from sandbox.stack.front import Api, Front
from sandbox.stack.invocation import InvokeResult
from sandbox.stack.template import Route
from tests.infrastructure.stack import ROOT, Stack
from tests.support.http import WEBHOOK_SECRET, Doors, LambdaContext, door
from tests.support.retell import signature
from tests.support.salon import Salon

DESCRIPTION = ROOT / "docs" / "openapi.yaml"
FUNCTIONS = {"/retell/functions": "retell_functions", "/retell/events": "retell_events"}
WEBHOOK = "/calcom/webhook/{tenant}"
EXAMPLES = 60


def described() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(DESCRIPTION.read_text(encoding="utf-8"))
    return content


def test_it_describes_the_routes_of_the_template_and_no_others() -> None:
    told = [f"{method.upper()} {path}" for path, methods in described()["paths"].items() for method in methods]

    assert sorted(told) == sorted(Stack.read().routes())


def test_it_names_every_function_of_the_agent_and_every_argument_by_its_first_name() -> None:
    envelope = described()["components"]["schemas"]["FunctionCall"]["properties"]
    first_names = {
        value[0]
        for name, value in vars(wire).items()
        if re.fullmatch(r"_[A-Z]+(_[A-Z]+)?", name)
        and isinstance(value, tuple)
        and all(isinstance(each, str) for each in value)
    }

    assert envelope["name"]["enum"] == list(get_args(wire.FunctionName))
    # The first name of an offer is the one the replies hand out.
    assert set(envelope["args"]["properties"]) == first_names


@pytest.mark.parametrize(
    ("schema", "model"), [("FunctionCall", wire.FunctionCall), ("CallEvent", wire.CallEvent), ("Call", wire.CallWire)]
)
def test_its_bodies_have_the_fields_of_the_parser(schema: str, model: Any) -> None:
    told = described()["components"]["schemas"][schema]

    assert set(told["properties"]) == set(model.model_fields)
    assert set(told["required"]) == {name for name, field in model.model_fields.items() if field.is_required()}


class Signed(AuthBase):
    """Signs whatever body the fuzzer has made, as Retell and Cal.com do."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        body = request.body or b""
        raw = body if isinstance(body, bytes) else str(body).encode()
        request.headers["X-Retell-Signature"] = signature(raw, at=self._doors.salon.clock.now())
        request.headers["X-Cal-Signature-256"] = hmac.new(WEBHOOK_SECRET.encode(), raw, hashlib.sha256).hexdigest()
        return request


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Doors, str]]:
    """The real doors behind a real socket, with a table and a calendar in memory."""
    salon = Salon()
    salon.open("2025-10-28")
    with Doors(salon) as doors:

        def invoke(function: str, event: Any) -> InvokeResult:
            with doors.heard.capturing():
                return InvokeResult(door(function).lambda_handler(event, LambdaContext(9000)))

        routes = tuple(
            Route(method="POST", path=path, function=FUNCTIONS.get(path, "calcom_webhooks"))
            for path in described()["paths"]
        )
        front = Front(Api(routes, invoke, clock=salon.clock.now, progress=lambda _said: None))
        front.start()
        yield doors, front.url
        front.close()


schema = schemathesis.openapi.from_path(DESCRIPTION)
CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]
QUICK = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@schema.parametrize()
@QUICK
def test_what_a_fuzzer_signs_is_answered_as_described(case: Any, served: tuple[Doors, str]) -> None:
    doors, url = served
    answer = case.call(base_url=url, auth=Signed(doors))

    case.validate_response(answer, checks=CHECKS)


@schema.parametrize()
@QUICK
def test_what_nobody_signed_is_turned_away_and_changes_nothing(case: Any, served: tuple[Doors, str]) -> None:
    doors, url = served
    case.headers = {name: each for name, each in (case.headers or {}).items() if "signature" not in name.lower()}
    before = doors.state()
    answer = case.call(base_url=url, headers={"X-Retell-Signature": "v=1,d=00", "X-Cal-Signature-256": "00"})

    # 404: the fuzzer also tries methods that there are not.
    assert answer.status_code in {401, 413} or (answer.status_code == 404 and case.method != "POST")
    assert doors.state() == before
