"""A key that Cal.com rejects is told of by whatever work meets it, and once an hour however much work there is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bookend.application import alerts
from bookend.application.patience import SETTLE
from bookend.domain.answers import KeyRejected, Unclear
from tests.support.calendar import lost_before
from tests.support.http import Doors, LambdaContext, door
from tests.support.retell import phone_call
from tests.support.salon import Salon
from tests.support.tables.faults import Fault

DAY = "2025-10-28"
WISH = {"service": "Herrenhaarschnitt", "staff": "Fabian", "date": DAY, "time": "10:00", "name": "Hans Schuster"}
CREATED = (Path(__file__).parents[2] / "events/calcom/booking_created.2021-10-20.json").read_bytes()
REJECTED = KeyRejected("HTTP 401 Invalid API Key")


@pytest.fixture
def doors() -> Iterator[Doors]:
    salon = Salon()
    salon.open(DAY)
    with Doors(salon) as made:
        yield made


def reject(doors: Doors) -> None:
    """From now on Cal.com knows no key of ours."""
    calendar = doors.salon.calendar
    for name in ("book", "reschedule", "cancel", "booking", "find", "page"):
        setattr(calendar, name, lambda *_, **__: REJECTED)
    calendar.free_starts = lambda event_types, *_, **__: dict.fromkeys(event_types, REJECTED)


def told(doors: Doors) -> list[dict[str, Any]]:
    """The facts of what was raised about the key."""
    return [dict(each.facts) for each in doors.salon.alerts.raised if each.kind == alerts.KEY_REJECTED]


def left_open(doors: Doors, *times: str) -> None:
    """Bookings whose answers were lost."""
    for number, time in enumerate(times):
        doors.salon.calendar.faults.append(lost_before)
        call = phone_call(f"call_{number}", from_number=f"+49170123456{number}")
        assert doors.function("book_appointment", WISH | {"time": time}, call=call).json["status"] == "pending"
    doors.salon.clock.advance(SETTLE.total_seconds() + 60)


def settle(doors: Doors) -> None:
    left_open(doors, "10:00", "11:00", "12:00")
    reject(doors)
    doors.sweep()


def settle_a_change(doors: Doors) -> None:
    """A move whose answer was lost."""
    doors.function("book_appointment", WISH)
    call = phone_call("call_later")
    said = {"name": WISH["name"], "date": DAY, "new_time": "11:00"}
    token = doors.function("reschedule_appointment", said, call=call).json["confirmation_token"]
    doors.salon.calendar.move_faults.extend([lambda *_: Unclear("ReadTimeout")] * 2)
    doors.function("reschedule_appointment", {"confirmation_token": token}, call=call)
    reject(doors)
    doors.salon.clock.advance(600)
    doors.sweep()


def converge(doors: Doors) -> None:
    assert doors.webhook(CREATED).status == 200
    reject(doors)
    ((job, _),) = doors.salon.queue.jobs
    assert doors.work(job) == []


def reconcile(doors: Doors) -> None:
    reject(doors)
    run(doors)


def run(doors: Doors) -> None:
    with doors.heard.capturing():
        door("reconciliation").lambda_handler({"task": "reconcile"}, LambdaContext(240_000))


WORK: dict[str, tuple[Callable[[Doors], None], dict[str, str]]] = {
    "settling": (settle, {"asked": "list", "by": "sweeper"}),
    "settling a change": (settle_a_change, {"asked": "get", "by": "sweeper"}),
    "converging": (converge, {"asked": "get", "by": "worker"}),
    "reconciling": (reconcile, {"asked": "list", "by": "reconciliation"}),
}


@pytest.mark.parametrize("kind", WORK)
def test_whatever_work_meets_it_tells_of_it_once(doors: Doors, kind: str) -> None:
    work, facts = WORK[kind]
    work(doors)
    assert told(doors) == [facts]
    assert doors.heard.counted(alerts.KEY_REJECTED) == 1


def test_it_is_told_of_once_an_hour_however_much_work_meets_it(doors: Doors) -> None:
    settle(doors)
    for _ in range(3):
        doors.salon.clock.advance(300)
        doors.sweep()
        run(doors)
    assert len(told(doors)) == 1
    doors.salon.clock.advance(3600)
    doors.sweep()
    run(doors)
    assert len(told(doors)) == 2
    (first, second) = sorted(each["sk"]["S"] for each in doors.salon.items("ALERT") if "key-" in each["sk"]["S"])
    assert (first[:10], second[:10]) == ("2025-10-25", "2025-10-25")


def test_while_the_store_is_away_nothing_breaks_and_it_is_told_of_later(doors: Doors) -> None:
    left_open(doors, "10:00")
    reject(doors)
    doors.salon.client.faults.next(
        "transact_write_items", Fault.NOT_SENT, times=9, when=lambda asked: "FLAG" in json.dumps(asked)
    )
    assert doors.sweep() == {"waiting": 1}, "what was not told of is no reason to break off"
    assert told(doors) == []
    doors.salon.client.faults.clear()
    doors.salon.clock.advance(timedelta(minutes=2).total_seconds())
    doors.sweep()
    assert len(told(doors)) == 1


@pytest.mark.parametrize("answer", [Unclear("HTTP 502"), Unclear("ReadTimeout")])
def test_other_troubles_say_nothing_of_the_key(doors: Doors, answer: Any) -> None:
    left_open(doors, "10:00")
    doors.salon.calendar.find = lambda *_, **__: answer
    doors.sweep()
    assert told(doors) == []


def test_a_key_that_is_well_is_told_of_nowhere(doors: Doors) -> None:
    left_open(doors, "10:00")
    assert doors.webhook(CREATED).status == 200
    assert doors.work(*(job for job, _ in doors.salon.queue.jobs if job.kind == "event")) == []
    doors.sweep()
    run(doors)
    assert told(doors) == []
