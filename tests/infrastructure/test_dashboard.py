"""The dashboard shows what there is: every metric on it is published, under the dimensions it names."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.infrastructure.alarm_paths import published
from tests.infrastructure.house_rules import GAUGES, PUBLISHED
from tests.infrastructure.stack import Json, Stack

WIDTH = 24
SEARCH = re.compile(r"SEARCH\('\{(?P<namespace>\w+),(?P<names>[\w,]+)\} MetricName=\"(?P<metric>\w+)\"', '\w+', \d+\)")


def widgets(stack: Stack) -> list[Json]:
    (dashboard,) = stack.of_type("AWS::CloudWatch::Dashboard").values()
    found: list[Json] = json.loads(dashboard["DashboardBody"]["Fn::Sub"])["widgets"]
    return found


def shows_nothing(stack: Stack) -> Iterator[str]:
    """Metrics that nobody publishes so, and resources that do not exist."""
    for widget in widgets(stack):
        for row in widget["properties"]["metrics"]:
            if isinstance(row[0], dict):
                yield from _searched(row[0]["expression"])
            else:
                yield from _named(stack, row)


def _searched(expression: str) -> Iterator[str]:
    search = SEARCH.fullmatch(expression)
    if search is None:
        yield f"not understood: {expression}"
        return
    names = sorted(search["names"].split(","))
    there = {(space, metric, tuple(sorted(name for name, _ in dims))) for space, metric, dims in published()}
    if (search["namespace"], search["metric"], tuple(names)) not in there:
        yield f"{search['metric']} is not published by {names}"


def _named(stack: Stack, row: list[Any]) -> Iterator[str]:
    namespace, metric, *pairs, options = row
    dimensions = dict(zip(pairs[::2], pairs[1::2], strict=True))
    for resource in re.findall(r"\$\{(\w+)", json.dumps(dimensions)):
        if resource not in stack.translated["Resources"]:
            yield f"{metric}: there is no {resource}"
    if namespace.startswith("AWS/"):
        sets, statistics = PUBLISHED.get((namespace, metric), ([], set()))
        if set(dimensions) not in sets or options["stat"] not in statistics:
            yield f"{metric} is not published by {sorted(dimensions)} as {options['stat']}"
        return
    if (namespace, metric, tuple(sorted(dimensions.items()))) not in published():
        yield f"{metric} is not published by {dimensions}"
    if options["stat"] != GAUGES.get(metric, "Maximum" if metric == "OpenOperations" else "Sum"):
        yield f"{options['stat']} of {metric} says nothing"


def test_everything_on_the_dashboard_is_published(deployed: Stack) -> None:
    assert list(shows_nothing(deployed)) == []


def test_widgets_lie_beside_one_another(deployed: Stack) -> None:
    places = [
        (x, y)
        for each in widgets(deployed)
        for x in range(each["x"], each["x"] + each["width"])
        for y in range(each["y"], each["y"] + each["height"])
    ]
    assert len(places) == len(set(places))
    assert max(x for x, _ in places) < WIDTH


def test_promises_stand_first(deployed: Stack) -> None:
    top = min(widgets(deployed), key=lambda each: int(each["y"]))
    assert {row[1] for row in top["properties"]["metrics"]} >= {
        "ForeignBookingReturned",
        "WrongBookingAnswered",
        "DriftFound",
    }


def test_metric_that_nobody_publishes_would_be_noticed(stack: Stack) -> None:
    (dashboard,) = stack.of_type("AWS::CloudWatch::Dashboard").values()
    body = dashboard["DashboardBody"]["Fn::Sub"]
    for right, wrong in (
        ('"OldestOpenSeconds"', '"OldestOpenSecond"'),
        ("{Bookend,service,drift}", "{Bookend,service,class}"),
        ("${SyncQueue.QueueName}", "${SinkQueue.QueueName}"),
        ('"Duration"', '"Durations"'),
    ):
        assert right in body
        dashboard["DashboardBody"]["Fn::Sub"] = body.replace(right, wrong)
        assert list(shows_nothing(stack)) != [], right
