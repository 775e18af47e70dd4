"""The breaker behind the doors: what callers hear while it is open, and what the sweeper does about it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from bookend import bootstrap, cli
from bookend.application import alerts
from bookend.application.deadline import Deadline
from bookend.application.ports import Job
from bookend.domain.answers import Unclear
from bookend.domain.circuit import FAILURES, PAUSES, CircuitKind, CircuitState
from bookend.domain.timeslot import Slot
from tests.support.calendar import FakeCalendar, lost_before
from tests.support.http import Doors
from tests.support.retell import phone_call
from tests.support.salon import Salon
from tests.support.tables.faults import Fault

READS, WRITES = CircuitKind
DAY = "2025-10-28"
WISH = {"service": "Herrenhaarschnitt", "staff": "Fabian", "date": DAY, "time": "10:00"}
NAMED = WISH | {"name": "Hans Schuster"}
PAUSE_S = PAUSES[0].total_seconds()
OWN_TIME_S = 0.3
TEMPORARY = "Die Terminverwaltung ist vorübergehend nicht erreichbar."


class GuardedDoors(Doors):
    """The doors with the calendar as the composition root makes it."""

    def __init__(self, salon: Salon) -> None:
        super().__init__(salon)
        self.calcom: FakeCalendar = salon.calendar
        self.deps.calcom = self.calcom
        del self.deps.calendar

    def trip(self, kind: CircuitKind) -> None:
        """Cal.com is silent until the breaker of this kind is open."""
        soon = Deadline.within(2.0, self.salon.clock)
        for _ in range(FAILURES):
            if kind is READS:
                self.calcom.slot_faults.append(Unclear("HTTP 502 <html>Hans Schuster</html>"))
                window = Slot.of(self.salon.clock.now(), 60)
                self.deps.calendar.free_starts({"fabian": 3672814}, window, deadline=soon)
            else:
                self.calcom.cancel_faults.append(Unclear("HTTP 502 <html>Hans Schuster</html>"))
                self.deps.calendar.cancel("uid1", "why", deadline=soon)
        self.calcom.asked.clear()

    def breakers(self) -> dict[CircuitKind, CircuitState]:
        return {kind: breaker.state for kind, breaker in self.deps.circuit.read().items()}

    def asks(self, name: str, args: Any, call: str = "call_1") -> dict[str, Any]:
        """A function call, whose own time must be short: nothing in it waits for Cal.com."""
        began = time.monotonic()
        said: dict[str, Any] = self.function(name, args, call=phone_call(call)).json
        assert time.monotonic() - began < OWN_TIME_S
        return said


@pytest.fixture
def doors() -> Iterator[GuardedDoors]:
    salon = Salon()
    salon.open(DAY)
    with GuardedDoors(salon) as opened:
        opened.asks("list_services", {})
        yield opened


def test_a_check_is_answered_truthfully_without_cal_com(doors: GuardedDoors) -> None:
    doors.trip(READS)
    said = doors.asks("check_availability", WISH)
    assert said["status"] == "temporary_error"
    assert said["message"].startswith(TEMPORARY)
    assert said["retry_after_seconds"] == PAUSE_S
    assert doors.calcom.asked == []
    assert doors.salon.items("STAFF#") == []


@pytest.mark.parametrize("kind", CircuitKind)
def test_a_booking_is_answered_truthfully_without_cal_com(doors: GuardedDoors, kind: CircuitKind) -> None:
    """Reads: the time cannot be looked up. Writes: it was offered, and cannot be sent; nothing stays blocked."""
    if kind is WRITES:
        assert doors.asks("check_availability", WISH)["status"] == "available"
    doors.trip(kind)
    said = doors.asks("book_appointment", NAMED)
    assert said["status"] == "temporary_error"
    assert said["message"].startswith(TEMPORARY)
    assert said["retry_after_seconds"] == PAUSE_S
    assert doors.calcom.asked == []
    assert doors.calcom.bookings == {}
    assert {item["state"]["S"] for item in doors.salon.items("APPT#")} <= {"FAILED"}
    in_the_ledger = [each["M"]["st"]["S"] for item in doors.salon.items("STAFF#") for each in item["iv"]["M"].values()]
    assert set(in_the_ledger) <= {"H"}, "what else was offered is still held, and ends by itself"


def test_offers_are_still_made_while_only_bookings_are_not_possible(doors: GuardedDoors) -> None:
    doors.trip(WRITES)
    assert doors.asks("check_availability", WISH)["status"] == "available"


def test_callers_whose_bookings_are_not_answered_open_it_for_the_next(doors: GuardedDoors) -> None:
    doors.calcom.faults.extend([lost_before] * FAILURES)
    said = []
    for number in range(FAILURES + 2):
        wish = NAMED | {"time": f"{9 + number:02d}:00"}
        said.append(doors.asks("book_appointment", wish, call=f"call_{number}")["status"])
    assert said == ["pending"] * FAILURES + ["temporary_error"] * 2
    assert doors.calcom.asked.count("create") == FAILURES
    assert doors.heard.counted(alerts.CIRCUIT_OPENED) == 1
    (line,) = [each for each in doors.heard.lines if each.get("alert") == alerts.CIRCUIT_OPENED]
    assert (line["kind"], line["failures"], line["why"]) == ("writes", "5", "ReadTimeout")


def test_alert_and_table_hold_no_word_of_cal_coms(doors: GuardedDoors) -> None:
    with doors.heard.capturing():
        doors.trip(READS)
    (line,) = [each for each in doors.heard.lines if each.get("alert") == alerts.CIRCUIT_OPENED]
    assert line["why"] == "HTTP 502"
    assert "Schuster" not in doors.heard.text
    assert "Schuster" not in repr(doors.salon.client.scan(TableName=doors.salon.table_name)["Items"])


def test_a_turn_makes_no_request_for_the_breakers() -> None:
    """The same calls at the doors with breakers and without: what is asked of the table is the same, one by one."""
    asked = []
    for kind in (GuardedDoors, Doors):
        salon = Salon()
        salon.open(DAY)
        salon.client = listening = Listening(salon.client)
        with kind(salon) as doors:
            doors.function("list_services")
            _ = doors.deps.calendar  # as where Lambda starts an instance
            listening.asked.clear()
            for number in range(3):
                salon.clock.advance(20)
                wish, call = NAMED | {"time": f"{10 + 3 * number}:00"}, phone_call(f"call_{number}")
                assert doors.function("check_availability", wish, call=call).json["status"] == "available"
                assert doors.function("book_appointment", wish, call=call).json["status"] == "booked"
        asked.append(listening.asked)
    assert asked[0] == asked[1]


class Listening:
    """A table client that notes what it is asked."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._client, name)
        if name in {"exceptions", "meta", "faults"}:
            return attribute
        return lambda **request: (self.asked.append(name), attribute(**request))[1]


def test_the_sweeper_probes_closes_and_says_so(doors: GuardedDoors) -> None:
    doors.trip(READS)
    doors.trip(WRITES)
    doors.sweep()
    assert doors.calcom.asked == []
    doors.salon.clock.advance(PAUSE_S)
    doors.calcom.cancel_faults.append(Unclear("HTTP 502"))
    doors.sweep()
    assert sorted(doors.calcom.asked) == ["cancel", "list"]
    assert doors.breakers() == {READS: CircuitState.CLOSED, WRITES: CircuitState.OPEN}
    said = {each["kind"]: each for each in doors.heard.lines if each.get("message") == "circuit probed"}
    assert (said["reads"]["state"], said["writes"]["state"]) == ("closed", "open")
    assert said["writes"]["trouble"] == "HTTP 502"
    doors.salon.clock.advance(PAUSES[1].total_seconds())
    doors.sweep()
    assert set(doors.breakers().values()) == {CircuitState.CLOSED}
    assert doors.asks("book_appointment", NAMED)["status"] == "booked"


def test_background_work_asks_nothing_either(doors: GuardedDoors) -> None:
    doors.calcom.faults.append(lost_before)
    assert doors.asks("book_appointment", NAMED)["status"] == "pending"
    ((job, _),) = doors.salon.queue.jobs
    doors.trip(READS)
    doors.salon.clock.advance(20)
    doors.work(Job(job.kind, job.tenant, job.name))
    assert doors.calcom.asked == []
    assert [item["state"]["S"] for item in doors.salon.items("APPT#")] == ["PENDING"]


def test_a_table_that_is_away_keeps_no_round_from_its_end(doors: GuardedDoors) -> None:
    doors.salon.client.faults.next("batch_get_item", Fault.NOT_SENT)
    assert doors.sweep() == {}


@pytest.fixture
def instead_of_aws(doors: GuardedDoors, monkeypatch: pytest.MonkeyPatch) -> GuardedDoors:
    """The command's table is the salon's, whatever it makes of its options."""
    monkeypatch.setattr(bootstrap, "Dependencies", lambda *_, **__: doors.deps)
    return doors


def test_the_command_prints_the_state(instead_of_aws: GuardedDoors, capsys: pytest.CaptureFixture[str]) -> None:
    instead_of_aws.trip(WRITES)
    capsys.readouterr()
    assert cli.main(["breaker", "--table", "appointments"]) == cli.OK
    assert capsys.readouterr().out.splitlines() == [
        "breaker  state   failures  since                 last failure                   next probe",
        "reads    closed  0         -                     -                              -",
        "writes   open    5         2025-10-25T18:18:32Z  2025-10-25T18:18:32Z HTTP 502  2025-10-25T18:19:02Z",
    ]


def test_the_command_says_that_the_table_is_away(
    instead_of_aws: GuardedDoors, capsys: pytest.CaptureFixture[str]
) -> None:
    instead_of_aws.salon.client.faults.next("batch_get_item", Fault.NOT_SENT)
    assert cli.main(["breaker", "--table", "appointments"]) == cli.FAILED
    assert "the table appointments cannot be reached" in capsys.readouterr().err
