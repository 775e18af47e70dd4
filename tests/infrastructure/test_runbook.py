"""Whoever is woken by an alarm finds it in the runbook: a heading of the third level names it, without its "Alarm"."""

import re

from tests.infrastructure.stack import ROOT, Stack

RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")


def in_the_headings(text: str) -> set[str]:
    """Names of the shape that alarms have: more than one word, written as one."""
    headings = re.findall(r"^### (.+)$", text, re.MULTILINE)
    return {name for heading in headings for name in re.findall(r"\b(?:[A-Z][a-z]+){2,}\b", heading)}


def alarms(stack: Stack) -> set[str]:
    return {alarm.removesuffix("Alarm") for alarm in stack.of_type("AWS::CloudWatch::Alarm")}


def test_every_alarm_is_in_the_runbook(deployed: Stack) -> None:
    assert alarms(deployed) - in_the_headings(RUNBOOK) == set()


def test_runbook_knows_no_alarm_that_is_gone(deployed: Stack) -> None:
    assert in_the_headings(RUNBOOK) - alarms(deployed) == set()


def test_alarm_that_is_only_mentioned_would_be_noticed(deployed: Stack) -> None:
    text = (
        "### DeadJobs · OldJobs (15 minutes)\nSee JobFailed.\n| StaleRead | |\n### NoSuchThing\n### Not paged: nobody\n"
    )

    assert in_the_headings(text) == {"DeadJobs", "OldJobs", "NoSuchThing"}
    assert {"JobFailed", "StaleRead"} <= alarms(deployed) - in_the_headings(text)
