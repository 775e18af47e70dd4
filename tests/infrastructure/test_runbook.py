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


def anchors(text: str) -> dict[str, str]:
    """For each alarm with a section, how a link to that section ends: as GitHub makes it of the heading."""
    headings = re.findall(r"^### (.+)$", text, re.MULTILINE)
    return {
        name: re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in headings
        for name in in_the_headings(f"### {heading}")
    }


def without_their_section(stack: Stack, text: str) -> list[str]:
    """Alarms whose message, which is all that whoever is woken gets to read, does not lead to their section."""
    found = anchors(text)
    return [
        f"{alarm}: end its AlarmDescription with (docs/runbook.md#{found.get(alarm.removesuffix('Alarm'), '…')})"
        for alarm, properties in stack.of_type("AWS::CloudWatch::Alarm").items()
        if not properties["AlarmDescription"].endswith(f"(docs/runbook.md#{found.get(alarm.removesuffix('Alarm'))})")
    ]


def test_every_alarm_says_where_its_section_is(deployed: Stack) -> None:
    assert without_their_section(deployed, RUNBOOK) == []


def test_alarm_that_leads_nowhere_would_be_noticed(stack: Stack) -> None:
    stack.properties("JobFailedAlarm")["AlarmDescription"] = "Broken (docs/runbook.md#jobfaild)"

    assert without_their_section(stack, RUNBOOK) == [
        "JobFailedAlarm: end its AlarmDescription with (docs/runbook.md#jobfailed)"
    ]


def test_links_within_the_runbook_lead_somewhere() -> None:
    headings = re.findall(r"^#{2,3} (.+)$", RUNBOOK, re.MULTILINE)
    there = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}

    assert set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK)) - there == set()
