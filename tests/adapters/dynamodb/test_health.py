"""What is seen of a salon: from the index and a few partitions, as it is now, and of one tenant alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from bookend.adapters.dynamodb import items, keys
from bookend.adapters.dynamodb.callbacks import DynamoCallbacks
from bookend.adapters.dynamodb.health import DynamoHealth
from bookend.adapters.dynamodb.inbox import DynamoInbox
from bookend.adapters.dynamodb.items import to_wire
from bookend.adapters.dynamodb.runs import DynamoRuns
from bookend.application.ports import Alert, Run, RunKind, StoreUnavailable
from bookend.domain.appointment import (
    Appointment,
    AppointmentState,
    BookedSegment,
    Change,
    ChangeKind,
    Told,
)
from bookend.domain.callbacks import Callback
from bookend.domain.contacts import Customer
from bookend.domain.health import Seen, Waits
from bookend.domain.timeslot import Slot
from tests.adapters.dynamodb.place import NOW, Place
from tests.support.tables.faults import Fault

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SLOT = Slot.of(NOW + timedelta(days=2), 30)


def appointment(name: str, state: AppointmentState = AppointmentState.PENDING, **changed: Any) -> Appointment:
    made = Appointment(
        id=name,
        state=state,
        op=f"op-{name}",
        version=1,
        service="herrenhaarschnitt",
        segments=(BookedSegment(0, "fabian", SLOT, 3672814, None, None, 28),),
        customer=Customer("c1", "Erika Muster", "erika@kunde.example", None),
        call="call_1",
        source="phone",
        created_at=NOW - 7 * MINUTE,
        request="r1",
        lease=NOW + MINUTE,
    )
    return replace(made, **changed)


def put(place: Place, item: dict[str, Any]) -> None:
    place.store.client.put_item(TableName=place.name, Item=item)


def put_appointment(place: Place, made: Appointment, *, tenant: str | None = None) -> None:
    changing = {} if made.change is None else {"change": items.change_to_wire(made.change)}
    put(place, items.appointment_to_item(tenant or place.tenant, made) | changing)


def seen(place: Place) -> Seen:
    health = DynamoHealth(place.table)
    return health.seen(place.tenant, health.unfinished(), now=place.clock.now())


def test_an_empty_salon_is_seen_empty(place: Place) -> None:
    found = seen(place)
    assert (found.operations.number, found.texts.number, found.events.number, found.callbacks.number) == (0, 0, 0, 0)
    assert (found.counters, found.alerts) == ({}, [])
    assert [(run.kind, run.seen_until, run.found) for run in found.runs] == [("poll", None, {}), ("full", None, {})]


def test_open_operations_are_seen_with_their_age_and_what_was_told(place: Place) -> None:
    since = NOW - 30 * MINUTE
    kept = NOW + HOUR
    move = Change(op="m", kind=ChangeKind.MOVE, call="call_2", since=since, told=Told.PENDING, keep_until=kept)
    put_appointment(place, appointment("a1", told=Told.PENDING))
    put_appointment(place, appointment("a2", AppointmentState.MOVING, created_at=NOW - 90 * HOUR, change=move))
    put_appointment(place, appointment("a3", AppointmentState.CONFIRMED, lease=None))
    found = seen(place).operations
    assert found.number == 2
    assert sorted(found.looked_at, key=lambda each: each.name) == [
        Waits(name="a1", since=NOW - 7 * MINUTE, what="PENDING", begins=SLOT.start, told=True),
        Waits(name="a2", since=since, what="MOVING", begins=SLOT.start, told=True, kept_until=kept),
    ]


def test_what_the_late_index_still_names_is_left_out(place: Place) -> None:
    health = DynamoHealth(place.table)
    put_appointment(place, appointment("a1"))
    unfinished = health.unfinished()
    put_appointment(place, appointment("a1", AppointmentState.CONFIRMED, lease=None))
    assert len(unfinished.rows) == 1
    assert health.seen(place.tenant, unfinished, now=NOW).operations.number == 0
    assert health.backlogs(unfinished).operations.number == 0


def test_events_wait_until_they_are_finished_however_often_they_are_put_off(place: Place) -> None:
    inbox = DynamoInbox(place.table)
    for digest in ("d1", "d2"):
        assert inbox.store(place.tenant, digest, "{}", now=NOW - HOUR, due=NOW)
    inbox.postpone(place.tenant, "d1", until=NOW + HOUR, requeued=3)
    inbox.finish(place.tenant, "d2", outcome="done", now=NOW)
    found = seen(place).events
    assert (found.number, [(each.name, each.since) for each in found.looked_at]) == (1, [("d1", NOW - HOUR)])


def test_a_message_that_something_looks_after_is_owed(place: Place) -> None:
    owed = {"kind": "booked", "appt": "a1", "told": "pending", "state": "NEW", "at": items.text(NOW - HOUR), "ttl": 1}
    put(place, keys.outbox(place.tenant, "op1") | to_wire(owed | {"due": 1, "due_shard": keys.due_shard("op1")}))
    put(place, keys.outbox(place.tenant, "op2") | to_wire(owed | {"state": "SENT"}))
    found = seen(place).texts
    assert found.number == 1
    assert found.looked_at == (Waits(name="op1", since=NOW - HOUR, what="booked", told=True),)


def test_the_counters_of_a_day_are_added_up(place: Place) -> None:
    for back, counts in ((0, {"confirmed": 3, "started": 4}), (23, {"confirmed": 1}), (24, {"confirmed": 100})):
        put(place, keys.health(place.tenant, NOW - back * HOUR) | to_wire(counts | {"ttl": 1}))
    put(place, keys.health("another", NOW) | to_wire({"confirmed": 1_000, "ttl": 1}))
    assert seen(place).counters == {"confirmed": 4, "started": 4}


def test_alerts_of_a_day_are_seen_and_older_ones_not(place: Place) -> None:
    for hours, kind in ((25, "DriftFound"), (23, "OutcomeUnknown"), (1, "DriftFound")):
        at = NOW - hours * HOUR
        put(place, items.alert_to_item(place.tenant, Alert(kind, {"call": "call_1"}), op=f"op{hours}", now=at))
    found = seen(place).alerts
    assert [(kind, at) for kind, at in found] == [("DriftFound", NOW - HOUR), ("OutcomeUnknown", NOW - 23 * HOUR)]


def test_runs_are_seen_with_what_a_day_of_them_found(place: Place) -> None:
    runs = DynamoRuns(place.table)
    for back, tally in ((30, {"drift_foreign": 50}), (2, {"listed": 9, "drift_start": 2}), (1, {"drift_start": 1})):
        started = NOW - back * HOUR
        version = runs.current(place.tenant, RunKind.POLL).version
        run = Run(kind=RunKind.POLL, started=started, tally=tally, version=version)
        assert runs.keep(place.tenant, run, done=True, now=started + MINUTE)
    under_way = Run(kind=RunKind.FULL, started=NOW - MINUTE, first=date(2025, 10, 1), last=date(2025, 10, 2))
    assert runs.keep(place.tenant, under_way, done=False, now=NOW)
    poll, full = seen(place).runs
    assert (poll.kind, poll.seen_until, poll.found, poll.under_way_since) == (
        "poll",
        NOW - HOUR,
        {"drift_start": 3},
        None,
    )
    assert (full.kind, full.seen_until, full.found, full.under_way_since) == ("full", None, {}, NOW - MINUTE)


def test_a_run_that_left_something_to_a_person_says_so(place: Place) -> None:
    held = Run(kind=RunKind.POLL, started=NOW, held=NOW - HOUR, tally={"not_done": 6})
    assert DynamoRuns(place.table).keep(place.tenant, held, done=True, now=NOW)
    poll, _ = seen(place).runs
    assert (poll.limited, poll.seen_until, poll.found) == (True, NOW - HOUR, {"not_done": 6})
    assert poll.ended_by == NOW
    under_way = Run(kind=RunKind.POLL, started=NOW + MINUTE, version=1)
    assert DynamoRuns(place.table).keep(place.tenant, under_way, done=False, now=NOW + 3 * MINUTE)
    poll, _ = seen(place).runs
    assert (poll.limited, poll.seen_until, poll.ended_by) == (True, NOW - HOUR, NOW + MINUTE)


def test_who_waits_to_be_rung_is_seen_without_who_it_is(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    callbacks = DynamoCallbacks(place.table)
    for number in (1, 2):
        callbacks.note(place.tenant, wish(f"cb{number}", NOW - number * HOUR), counted_as=f"s{number}", day=NOW.date())
    first, second = callbacks.listed(place.tenant)
    assert callbacks.done(place.tenant, first, now=NOW)
    came: list[Any] = []
    query_all = place.table.query_all
    monkeypatch.setattr(place.table, "query_all", lambda **request: came.append(query_all(**request)) or came[-1])
    found = seen(place).callbacks
    assert found.number == 1
    assert found.looked_at == [Waits(name=second.id, since=NOW - HOUR)]
    assert "Erika" not in repr(came)
    assert "+4917" not in repr(came)


def wish(name: str, at: datetime) -> Callback:
    return Callback(
        id=name,
        call="call_1",
        name="Erika Muster",
        phone="+491701111111",
        signed=True,
        service=None,
        wished=None,
        reason=None,
        asked_at=at,
        changed_at=at,
    )


def test_another_tenants_work_is_not_this_ones_but_the_pulse_has_both(place: Place) -> None:
    health = DynamoHealth(place.table)
    put_appointment(place, appointment("a1"))
    put_appointment(place, appointment("b1"), tenant="another")
    unfinished = health.unfinished()
    assert {each.name for each in health.seen(place.tenant, unfinished, now=NOW).operations.looked_at} == {"a1"}
    assert {each.name for each in health.backlogs(unfinished).operations.looked_at} == {"a1", "b1"}


def test_very_many_are_counted_and_not_all_looked_at(place: Place) -> None:
    for number in range(230):
        put_appointment(place, appointment(f"a{number:04d}", lease=datetime(2025, 10, 1, tzinfo=UTC) + number * MINUTE))
    found = seen(place).operations
    assert found.number == 230
    assert {each.name for each in found.looked_at} == {f"a{number:04d}" for number in range(200)}


def test_a_table_that_is_away_is_said_to_be(troubled: Place) -> None:
    troubled.store.client.faults.next("query", Fault.NOT_SENT)
    with pytest.raises(StoreUnavailable):
        DynamoHealth(troubled.table).unfinished()
