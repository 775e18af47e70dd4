"""The template and the code mean the same names: environment, metrics, routes, handlers."""

import importlib
import importlib.util
import re
from types import ModuleType
from typing import Any

import pytest

from tests.infrastructure.stack import ROOT, Stack

# Read by libraries: Powertools, and botocore when it is imported.
READ_BY_LIBRARIES = {
    "AWS_NEW_RETRIES_2026",
    "POWERTOOLS_LOG_LEVEL",
    "POWERTOOLS_METRICS_NAMESPACE",
    "POWERTOOLS_SERVICE_NAME",
}


def module(name: str) -> ModuleType:
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} IS NOT WRITTEN YET: the template is not compared with it")
    return importlib.import_module(name)


def environment_of(stack: Stack) -> dict[str, set[str]]:
    return {
        function: set(properties["Environment"]["Variables"]) - READ_BY_LIBRARIES
        for function, properties in stack.functions.items()
    }


def own_alarm_metrics(stack: Stack) -> set[str]:
    return {a["MetricName"] for a in stack.of_type("AWS::CloudWatch::Alarm").values() if a["Namespace"] == "Bookend"}


def unread_by_the_code(stack: Stack) -> set[str]:
    return set().union(*environment_of(stack).values()) - set(module("bookend.config").ENVIRONMENT)


def unnamed_routes(stack: Stack, text: str) -> list[str]:
    words = (route.split(" ") for route in stack.routes())
    return [
        f"{verb} {path}" for verb, path in words if not re.search(rf"{verb}\s+`?{re.escape(path)}(?![\w/{{])", text)
    ]


def test_code_reads_every_variable_a_function_is_given(deployed: Stack) -> None:
    assert unread_by_the_code(deployed) == set()


def test_variable_that_nobody_reads_would_be_noticed(stack: Stack) -> None:
    stack.functions["RetellEventsFunction"]["Environment"]["Variables"]["TABEL_NAME"] = "misspelt"

    assert unread_by_the_code(stack) == {"TABEL_NAME"}


def test_function_calls_are_given_every_variable_the_code_requires(deployed: Stack) -> None:
    required = {name for name, is_required in module("bookend.config").ENVIRONMENT.items() if is_required}

    assert required <= environment_of(deployed)["RetellFunctionsFunction"]


def test_every_alarm_on_our_own_metrics_watches_one_the_code_declares(deployed: Stack) -> None:
    declared: Any = module("bookend.observability").METRICS

    assert own_alarm_metrics(deployed) <= set(declared)


def test_alarm_metric_that_nobody_declares_would_be_noticed(stack: Stack) -> None:
    stack.properties("OutcomeUnknownAlarm")["MetricName"] = "OutcomeUnkown"

    assert "OutcomeUnkown" in own_alarm_metrics(stack) - set(module("bookend.observability").METRICS)


def test_every_function_has_its_handler(deployed: Stack) -> None:
    if not (ROOT / "functions").exists():
        pytest.skip("functions/ IS NOT WRITTEN YET")
    for name, resource in deployed.source["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            handler = ROOT / resource["Properties"]["CodeUri"] / "handler.py"
            assert "def lambda_handler(" in handler.read_text(encoding="utf-8"), name


def test_readme_names_every_route(deployed: Stack) -> None:
    readme = ROOT / "README.md"
    if not readme.exists():
        pytest.skip("README.md IS NOT WRITTEN YET")

    assert deployed.routes()
    assert unnamed_routes(deployed, readme.read_text(encoding="utf-8")) == []


def test_route_missing_from_the_readme_would_be_noticed(deployed: Stack) -> None:
    assert unnamed_routes(deployed, "POST /retell/events") == [
        "POST /retell/functions",
        "POST /calcom/webhook/{tenant}",
    ]
