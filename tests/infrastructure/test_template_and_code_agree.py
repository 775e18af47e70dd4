"""The template and the code mean the same names: environment, metrics, routes, handlers."""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import pytest

from bookend.config import ENVIRONMENT, Settings, SettingsIncomplete, read_settings
from bookend.observability import METRICS
from tests.application.convergence import world as convergence
from tests.infrastructure.reached import parts_reached, tasks_known, variables_needed
from tests.infrastructure.rules_of_rights import OF_LIBRARIES, handler_of
from tests.infrastructure.stack import ROOT, Stack
from tests.simulation import salon as simulated


def environment_of(stack: Stack) -> dict[str, set[str]]:
    return {
        function: set(properties["Environment"]["Variables"]) - set(OF_LIBRARIES)
        for function, properties in stack.functions.items()
    }


def own_alarm_metrics(stack: Stack) -> set[str]:
    return {a["MetricName"] for a in stack.of_type("AWS::CloudWatch::Alarm").values() if a["Namespace"] == "Bookend"}


def unread_by_the_code(stack: Stack) -> set[str]:
    return set().union(*environment_of(stack).values()) - set(ENVIRONMENT)


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


def test_every_function_is_given_every_variable_the_code_requires(deployed: Stack) -> None:
    required = {name for name, is_required in ENVIRONMENT.items() if is_required}

    assert required == {"TABLE_NAME", "STAGE", "RELEASE_ID"}
    assert {f: required - given for f, given in environment_of(deployed).items() if required - given} == {}


def test_every_function_has_its_settings_in_its_environment(deployed: Stack) -> None:
    for function, properties in deployed.functions.items():
        variables = {name: str(value) for name, value in properties["Environment"]["Variables"].items()}
        assert read_settings(variables).table_name, function


def test_required_variable_that_a_function_lacks_would_be_noticed(stack: Stack) -> None:
    variables: Mapping[str, Any] = stack.functions["SyncWorkerFunction"]["Environment"]["Variables"]

    with pytest.raises(SettingsIncomplete, match="TABLE_NAME"):
        read_settings({name: str(value) for name, value in variables.items() if name != "TABLE_NAME"})


def test_every_setting_is_named_after_its_variable() -> None:
    """What a function needs is found by the names of the settings that its code reads."""
    assert {field.name.upper() for field in dataclasses.fields(Settings)} == set(ENVIRONMENT)


def test_needs_are_followed_to_the_setting() -> None:
    required = {"TABLE_NAME", "STAGE", "RELEASE_ID"}

    assert variables_needed(["clock"]) == required
    assert variables_needed(["queue"]) == required | {"SYNC_QUEUE_URL"}
    assert variables_needed(["fresh_retell_keys"]) == required | {"RETELL_KEYS_SECRET_ARN"}
    assert variables_needed(["background"]) == required | {"CALCOM_SECRET_ARN", "CALCOM_BASE_URL"}


def test_parts_are_found_wherever_a_handler_reaches_for_them() -> None:
    handler = """
from bookend import bootstrap
from bookend.adapters.retell.door import admitted

def lambda_handler(event, context):
    deps = bootstrap.dependencies()
    body = admitted(event, deps)
    return _other(deps), bootstrap.dependencies().slots

def _other(held: Dependencies):
    return lambda: held.tenants

bootstrap.prepare("queue")
"""

    assert parts_reached(handler) == {
        *("clock", "retell_keys", "fresh_retell_keys", "signature_rejected"),
        *("slots", "tenants", "queue"),
    }


def test_tasks_are_the_cases_of_the_handler(deployed: Stack) -> None:
    assert tasks_known(handler_of(deployed, "ReconciliationFunction")) == {"sweep", "reconcile", "nightly", "remedy"}


def test_every_alarm_on_our_own_metrics_watches_one_the_code_declares(deployed: Stack) -> None:
    assert own_alarm_metrics(deployed) <= METRICS


def test_alarm_metric_that_nobody_declares_would_be_noticed(stack: Stack) -> None:
    stack.properties("OutcomeUnknownAlarm")["MetricName"] = "OutcomeUnkown"

    assert "OutcomeUnkown" in own_alarm_metrics(stack) - METRICS


def test_every_function_has_its_handler(deployed: Stack) -> None:
    for function in deployed.functions:
        assert "def lambda_handler(" in handler_of(deployed, function), function


def test_every_handler_has_its_function(deployed: Stack) -> None:
    directories = {f"functions/{handler.parent.name}/" for handler in (ROOT / "functions").glob("*/handler.py")}

    assert {deployed.source["Resources"][f]["Properties"]["CodeUri"] for f in deployed.functions} == directories


def test_readme_names_every_route(deployed: Stack) -> None:
    assert deployed.routes()
    assert unnamed_routes(deployed, (ROOT / "README.md").read_text(encoding="utf-8")) == []


def test_route_missing_from_the_readme_would_be_noticed(deployed: Stack) -> None:
    assert unnamed_routes(deployed, "POST /retell/events") == [
        "POST /retell/functions",
        "POST /calcom/webhook/{tenant}",
    ]


def test_the_worlds_of_the_tests_wait_as_long_as_the_template_says(deployed: Stack) -> None:
    """A queue that handed a job out sooner there would make recovery look better than it is."""
    queue = deployed.properties("SyncQueue")
    hands_out = (queue["VisibilityTimeout"], queue["RedrivePolicy"]["maxReceiveCount"])
    assert hands_out == (simulated.VISIBLE_AGAIN_S, simulated.MOST_RECEIVES)
    assert hands_out == (convergence.VISIBLE_AGAIN_S, convergence.MOST_RECEIVES)

    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    minutes = {60.0 * int(each) for each in re.findall(r"rate\((\d+) minutes?\)", text)}
    assert minutes == {seconds for seconds, *_ in simulated.EVERY.values()}
