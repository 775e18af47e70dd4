"""What of Cal.com's answers reaches the log: no name, address or number, whoever wrote it into a booking."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from bookend import observability
from bookend.adapters.calcom.client import CalcomCalendar
from bookend.application import alerts
from bookend.application.ports import Alert
from bookend.domain.answers import Answered, Booking, NotSent, NotThere, Refusal, Refused, Unclear, judge
from tests.adapters.calcom.fixtures import CLOCK, EXPECTED, NOW, REQUEST, SLOT, UID, booking, success, within

PEOPLE = [
    "+491701234567",
    "491701234567",
    "0170 1234567",
    "0170-123-4567",
    "0170-12-34-56-7",
    "tel:01701234567",
    "Hans Schuster",
    "hans schuster",
    "Schuster",
    "hans-schuster",
    "hans.schuster",
    "hans.schuster@mail.example",
    "Schuster, Hans",
    "not Hans",
]
IDS = {
    "call": "call_927bf219b2cc20cd24dc97c9f0b",
    "op": "9f8e7d6c5b4a39281706",
    "appointment": "web12345678901234567890",
    "start": "2025-10-27T06:00:00Z",
    "event_type": "2563193",
    "booking_uid": f"{UID},{UID}",
    "booking_id": "13000001",
    "their_call": "call_927bf219b2cc20cd24dc97c9f0b",
    "their_op": "01234567890123456789",
    "state": "compensating",
    "staff": "fabian",
    "trigger": "BOOKING_CREATED",
    "planned": "6",
}


class Log(list[dict[str, Any]]):
    def note(self, _message: str, extra: dict[str, Any]) -> None:
        self.append(extra)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    heard = Log()
    monkeypatch.setattr(observability.logger, "info", heard.note)
    monkeypatch.setattr(observability.logger, "error", heard.note)
    return heard


def logged(log: Log, facts: dict[str, str]) -> dict[str, Any]:
    observability.LoggedAlerts().raise_(Alert(alerts.FOREIGN_BOOKING, facts))
    observability.metrics.clear_metrics()
    (line,) = log
    assert line.pop("alert") == alerts.FOREIGN_BOOKING
    return line


@pytest.mark.parametrize("who", PEOPLE)
def test_nobody_is_in_what_others_wrote_into_a_booking(log: Log, who: str) -> None:
    facts = dict.fromkeys(("their_call", "their_op", "their_appointment"), who)
    assert set(logged(log, facts).values()) == {"withheld"}


@pytest.mark.parametrize("who", [each for each in PEOPLE if each not in {"Schuster", "hans-schuster"}])
def test_nobody_is_in_any_other_fact(log: Log, who: str) -> None:
    """One word is a state or a stylist's id there: those are ours."""
    facts = dict.fromkeys(("call", "appointment", "op", "booking_uid", "owner_appointment", "why", "state"), who)
    assert set(logged(log, facts).values()) == {"withheld"}


def test_ids_states_and_instants_are_there(log: Log) -> None:
    assert logged(log, IDS) == IDS


OTHERS: dict[str, Any] = {"host": 9, "event_type": 9, "attendees": (), "status": "pending", "created_at": None}


@pytest.mark.parametrize(
    "answer",
    [
        *(Refused(why, "") for why in Refusal),
        Unclear(""),
        NotSent(""),
        NotThere(""),
        *(
            Answered(
                Booking(
                    **{"uid": UID, "id": 2, "status": "accepted", "start": SLOT.start, "end": SLOT.end}
                    | {"created_at": NOW, "updated_at": NOW, "host": 7, "event_type": 1}
                    | {"attendees": ("kanari@kunde.example",), "metadata": metadata}
                    | others
                )
            )
            for metadata in ({}, {"op_id": "x"}, dict(REQUEST.metadata))
            for others in ({}, {"end": SLOT.start}, OTHERS)
        ),
    ],
)
def test_all_that_a_judgement_says_is_there(log: Log, answer: Any) -> None:
    why = judge(answer, EXPECTED, now=NOW).why
    if why != "ours, as asked":  # that raises no alert
        assert logged(log, {"why": why}) == {"why": why}


def test_so_is_what_a_move_says_that_was_sent_twice(log: Log) -> None:
    why = "refused after an unknown outcome of the same operation"
    assert logged(log, {"why": why}) == {"why": why}


def test_nobody_is_in_the_line_of_an_exchange(log: Log) -> None:
    foreign = booking(
        uid="hans-schuster-01701234567",
        metadata={"op_id": "x", "call_id": "+491701234567", "appointment": "Hans Schuster"},
    )
    headers = {"X-Request-Id": "req for Hans Schuster +491701234567"}
    calendar = CalcomCalendar(
        base_url="https://x.example",
        api_key=lambda: "cal_live_x",
        clock=CLOCK,
        observe=observability.calcom_exchange,
        transport=httpx.MockTransport(lambda _: httpx.Response(201, content=success(foreign), headers=headers)),
    )
    assert isinstance(calendar.book(REQUEST, deadline=within()), Answered)
    sent, created = log
    assert (sent["request_id"], created["uid"]) == ("withheld", "withheld")
    assert (created["operation"], created["status"], created["id"], created["op_id"]) == ("created", 201, 2, "op-1")
    assert not any(each in json.dumps(log) for each in ("1701234567", "Hans", "schuster"))


def test_the_id_of_a_request_is_there(log: Log) -> None:
    facts = {
        "operation": "get",
        "request_id": "12345678-4fa1-4f71-845c-123456789012",
        "uid": UID,
        "ms": 12,
        "id": 2,
        "status": 200,
    }
    observability.calcom_exchange(**facts)
    assert log == [facts]
