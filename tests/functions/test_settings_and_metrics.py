"""Settings that are missing are named; metrics are what the alarms watch."""

from __future__ import annotations

import itertools
import logging
from typing import Any

import pytest

from bookend import bootstrap, observability
from bookend.adapters.retell.replies import MAX_CHARACTERS
from bookend.adapters.secrets.store import SecretStore
from bookend.application import alerts
from bookend.application.ports import Alert
from bookend.config import ENVIRONMENT, SettingsIncomplete, read_settings
from tests.support.http import Doors, Heard, Vault
from tests.support.retell import phone_call
from tests.support.salon import Salon

WHOLE = {name: f"value of {name}" for name in ENVIRONMENT}
NEEDED = [name for name, needed in ENVIRONMENT.items() if needed]


def test_settings_are_the_environments() -> None:
    settings = read_settings(WHOLE | {"OTHER": "x"})
    assert settings.table_name == "value of TABLE_NAME"
    assert settings.retell_keys_secret_arn == "value of RETELL_KEYS_SECRET_ARN"
    assert settings.calcom_secret_arn == "value of CALCOM_SECRET_ARN"


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("empty", [None, ""])
def test_a_needed_setting_that_is_missing_or_empty_is_named(name: str, empty: str | None) -> None:
    environment = {key: value for key, value in WHOLE.items() if key != name}
    if empty is not None:
        environment[name] = empty
    with pytest.raises(SettingsIncomplete) as raised:
        read_settings(environment)
    assert str(raised.value) == name
    assert "value of" not in str(raised.value)


def test_all_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(SettingsIncomplete) as raised:
        read_settings({})
    assert str(raised.value) == ", ".join(NEEDED)


@pytest.mark.parametrize(
    ("name", "use", "lacking"),
    [
        ("CALCOM_SECRET_ARN", lambda deps: deps.calendar, "Cal.com's key"),
        ("CALCOM_BASE_URL", lambda deps: deps.calendar, "Cal.com's address"),
        ("RETELL_KEYS_SECRET_ARN", lambda deps: deps.retell_keys(), "Retell's keys"),
    ],
)
def test_what_not_every_function_has_is_missed_when_it_is_used(name: str, use: Any, lacking: str) -> None:
    for environment in (WHOLE | {name: ""}, {key: value for key, value in WHOLE.items() if key != name}):
        deps = bootstrap.Dependencies(read_settings(environment), clock=bootstrap.SystemClock())
        deps.secrets = SecretStore(Vault({}), clock=deps.clock)
        with pytest.raises(RuntimeError, match=f"the template does not tell this function {lacking}"):
            use(deps)


def test_settings_come_from_the_process_on_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    bootstrap.use(None)
    with pytest.raises(SettingsIncomplete, match="TABLE_NAME"):
        bootstrap.dependencies()
    for name, value in WHOLE.items():
        monkeypatch.setenv(name, value)
    try:
        assert bootstrap.dependencies() is bootstrap.dependencies()
        assert bootstrap.dependencies().settings == read_settings(WHOLE)
    finally:
        bootstrap.use(None)


# Metrics


def test_a_metric_that_is_not_declared_is_refused() -> None:
    for dimensions in ({}, {"function": "check_availability"}):
        with pytest.raises(ValueError, match="SignatureRejectd is not declared in METRICS"):
            observability.count("SignatureRejectd", **dimensions)


def raised_in_a_request(*raise_: Any) -> Heard:
    """What a handler that calls these lets out."""

    @observability.metrics.log_metrics
    def handler(_event: Any, _context: Any) -> None:
        for each in raise_:
            each()

    heard = Heard()
    with heard.listening(), heard.capturing():
        handler({}, None)
    return heard


ALARMED = [*sorted(alerts.KINDS), observability.SIGNATURE_REJECTED, observability.TRANSACTION_GAVE_UP]


@pytest.mark.parametrize("metric", ALARMED)
def test_what_an_alarm_watches_has_one_dimension_and_our_namespace(metric: str) -> None:
    if metric in alerts.KINDS:
        heard = raised_in_a_request(lambda: observability.LoggedAlerts().raise_(Alert(metric, {"call": "call_1"})))
    elif metric == observability.TRANSACTION_GAVE_UP:
        heard = raised_in_a_request(observability.gave_up)
    else:
        heard = raised_in_a_request(lambda: observability.count(metric))
    (emf,) = heard.metrics
    (directive,) = emf["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Bookend"
    assert directive["Dimensions"] == [["service"]]
    assert emf["service"] == "bookend"
    assert [each["Name"] for each in directive["Metrics"]] == [metric]
    assert [each["Unit"] for each in directive["Metrics"]] == ["Count"]
    assert heard.counted(metric) == 1


def test_the_same_metric_twice_in_a_request_counts_twice() -> None:
    heard = raised_in_a_request(*itertools.repeat(observability.gave_up, 2))
    assert heard.counted(observability.TRANSACTION_GAVE_UP) == 2
    assert raised_in_a_request().metrics == []


def test_a_request_without_a_metric_says_nothing_not_even_a_warning() -> None:
    assert raised_in_a_request().text == ""


def test_metrics_survive_a_handler_that_breaks() -> None:
    heard = Heard()

    @observability.metrics.log_metrics
    def handler(_event: Any, _context: Any) -> None:
        observability.gave_up()
        raise RuntimeError("broken")

    with heard.listening(), heard.capturing(), pytest.raises(RuntimeError):
        handler({}, None)
    assert heard.counted(observability.TRANSACTION_GAVE_UP) == 1


def test_a_function_call_is_counted_by_function_and_status() -> None:
    with Doors() as doors:
        doors.function("list_services_v3")
        doors.function("cancel_everything")
        found = [
            (each["function"], each.get("status"), each["_aws"]["CloudWatchMetrics"][0]["Dimensions"])
            for each in doors.heard.metrics
            if "function" in each
        ]
        assert found == [
            ("list_services", "ok", [["service", "function", "status"]]),
            ("list_services", None, [["service", "function"]]),
            ("unknown", "error", [["service", "function", "status"]]),
            ("unknown", None, [["service", "function"]]),
        ]
        units = [
            each["_aws"]["CloudWatchMetrics"][0]["Metrics"][0]["Unit"]
            for each in doors.heard.metrics
            if "function" in each
        ]
        assert units == ["Count", "Milliseconds"] * 2


def test_each_line_names_call_function_and_status() -> None:
    with Doors() as doors:
        doors.function("list_services_v3", call=phone_call("call_a"))
        doors.event("call_ended", call=phone_call("call_b"))
        doors.event("call_started", call=phone_call("call_c"))
        first, second = doors.heard.lines
        assert (first["message"], first["call_id"], first["function"], first["status"]) == (
            "answered",
            "call_a",
            "list_services_v3",
            "ok",
        )
        assert (second["message"], second["call_id"], second["event"], second["freed"]) == (
            "call ended",
            "call_b",
            "call_ended",
            0,
        )
        assert "function" not in second  # nothing of one request is left for the next


def test_alert_facts_are_ids_or_withheld() -> None:
    salon = Salon()
    facts = {
        "call": "call_927bf219b2cc20cd24dc97c9f0b",
        "start": "2025-10-10T06:00:00Z",
        "why": 'HTTP 500 {"name": "Hansi Sputer"}',
        "their_call": "hansi@example.com",
        "event_type": "2563193",
        "other": "differs in start, end",
    }
    with Doors(salon) as doors:
        doors.deps.alerts.raise_(Alert(alerts.FOREIGN_BOOKING, facts))
        (line,) = doors.heard.lines
        assert {name: line[name] for name in facts} == facts | {"why": "withheld", "their_call": "withheld"}
        assert [each.kind for each in salon.alerts.raised] == [alerts.FOREIGN_BOOKING]


@pytest.mark.parametrize("library", ["httpx", "httpcore", "botocore", "boto3", "urllib3"])
def test_libraries_that_log_urls_and_bodies_are_quiet(library: str) -> None:
    assert logging.getLogger(library).getEffectiveLevel() >= logging.WARNING


def test_the_longest_answer_is_the_contracts() -> None:
    assert MAX_CHARACTERS == 15_000
