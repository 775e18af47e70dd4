"""Every alarm of the template can ring: somebody really publishes what it watches, and it tells bad from good."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from bookend.application import alerts
from tests.infrastructure.alarm_paths import made_alerts, published
from tests.infrastructure.house_rules import PUBLISHED
from tests.infrastructure.stack import Json, Stack

Datapoints = Sequence[float | None]
"""Of consecutive periods, the newest last; None: nothing was published."""

# A good and a bad value of each metric that is no count of mishaps, as an engineer would call it.
VALUES: dict[str, tuple[float | None, float | None]] = {
    "Swept": (1, None),
    "Reconciled": (1, None),
    "SignatureRejected": (20, 21),
    "WebhookRejected": (20, 21),
    "OldestOpenSeconds": (240, 310),
    "OldestTextSeconds": (120, 700),
    "OldestEventSeconds": (300, 1_000),
    "LeftAloneSeconds": (60, 310),
    "HealthStatus": (1, 2),
    "CallWithoutAnswer": (0.01, 0.05),
    "CalcomRequestsLeft": (40, 12),
    "Duration": (6_600, 8_000),
    "ApproximateAgeOfOldestMessage": (310, 1_000),
    "IteratorAge": (5_000, 3_600_000),
}
MISHAP = (0, 1)

HOLDS = {
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}


def rings(alarm: Json, datapoints: Datapoints) -> bool:
    """Whether CloudWatch would be in ALARM: M of the last N periods breach, missing ones as declared."""
    periods = alarm["EvaluationPeriods"]
    breaches = [
        alarm.get("TreatMissingData") == "breaching"
        if value is None
        else HOLDS[alarm["ComparisonOperator"]](value, alarm["Threshold"])
        for value in ([None] * periods + list(datapoints))[-periods:]
    ]
    return sum(breaches) >= alarm.get("DatapointsToAlarm", periods)


def alarm_names() -> list[str]:
    return sorted(Stack.read().of_type("AWS::CloudWatch::Alarm"))


def dimensions_of(alarm: Json) -> dict[str, Any]:
    return {each["Name"]: each["Value"] for each in alarm.get("Dimensions", [])}


@pytest.mark.parametrize("name", alarm_names())
def test_what_an_alarm_watches_is_really_published(name: str, deployed: Stack) -> None:
    alarm = deployed.properties(name)
    named = dimensions_of(alarm)
    if alarm["Namespace"].startswith("AWS/"):
        sets, statistics = PUBLISHED[alarm["Namespace"], alarm["MetricName"]]
        assert set(named) in sets
        assert alarm.get("Statistic", alarm.get("ExtendedStatistic")) in statistics
        return
    metric = (alarm["Namespace"], alarm["MetricName"], tuple(sorted(named.items())))
    assert metric in published(), "no path of alarm_paths publishes it under these dimensions"


@pytest.mark.parametrize("name", alarm_names())
def test_an_alarm_tells_bad_from_good(name: str, deployed: Stack) -> None:
    alarm = deployed.properties(name)
    good, bad = VALUES.get(alarm["MetricName"], MISHAP)
    periods, needed = alarm["EvaluationPeriods"], alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])
    assert rings(alarm, [good] * (periods - needed) + [bad] * needed)
    assert not rings(alarm, [good] * (periods - needed + 1) + [bad] * (needed - 1))
    assert not rings(alarm, [good] * periods)
    assert rings(alarm, []) is (bad is None), "nothing published is bad news for those alone that ring for silence"


def test_every_kind_of_alert_is_made_by_somebody() -> None:
    assert {each.kind for each in made_alerts()} >= alerts.KINDS


def test_an_alarm_on_a_misspelt_metric_would_be_noticed(stack: Stack) -> None:
    alarm = stack.properties("OpenTooLongAlarm")
    metric = (alarm["Namespace"], alarm["MetricName"], tuple(sorted(dimensions_of(alarm).items())))
    assert metric in published()
    assert (metric[0], "OldestOpenSecond", metric[2]) not in published()
    assert (metric[0], metric[1], (*metric[2], ("tenant", "friseur1"))) not in published()


@pytest.mark.parametrize(
    ("changed", "is_noticed"),
    [({}, False), ({"Threshold": 9_000}, True), ({"ComparisonOperator": "LessThanThreshold"}, True)],
)
def test_an_alarm_that_cannot_ring_would_be_noticed(changed: Json, is_noticed: bool, stack: Stack) -> None:
    alarm = stack.properties("OpenTooLongAlarm") | changed
    good, bad = VALUES["OldestOpenSeconds"]
    assert (rings(alarm, [good, bad, bad]) and not rings(alarm, [good, good, good])) is not is_noticed
