"""Whoever is woken by an alarm finds it in the runbook."""

import re

from tests.infrastructure.stack import ROOT, Stack

RUNBOOK = ROOT / "docs" / "runbook.md"


def words_of_first_cells(text: str) -> set[str]:
    """What the rows of the tables begin with, word by word."""
    cells = (line.split("|")[1] for line in text.splitlines() if line.startswith("|"))
    return {word for cell in cells for word in re.findall(r"…?\w+", cell)}


def alarms_without_a_row(stack: Stack, text: str) -> list[str]:
    """A row names an alarm as the template does, with or without "Alarm"; "…Errors" is every alarm that ends so."""
    words = words_of_first_cells(text)
    endings = tuple(word.removeprefix("…").removesuffix("Alarm") for word in words if word.startswith("…"))
    return sorted(
        alarm
        for alarm in stack.of_type("AWS::CloudWatch::Alarm")
        if not {alarm, alarm.removesuffix("Alarm")} & words
        and not alarm.removesuffix("Alarm").endswith(endings or "\0")
    )


def test_every_alarm_has_a_row_in_the_runbook(deployed: Stack) -> None:
    assert alarms_without_a_row(deployed, RUNBOOK.read_text(encoding="utf-8")) == []


def test_alarm_without_a_row_would_be_noticed(deployed: Stack) -> None:
    missing = alarms_without_a_row(
        deployed, "| OutcomeUnknown (5 in 5 min) | heard |\n| …Throttles | silent |\nStuck\n"
    )

    assert "OutcomeUnknownAlarm" not in missing
    assert "SyncWorkerThrottlesAlarm" not in missing
    assert {"OperationStuckAlarm", "SyncWorkerErrorsAlarm"} <= set(missing)
