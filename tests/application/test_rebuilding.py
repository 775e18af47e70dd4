"""Rebuild: a table that is gone comes back from Cal.com, equal in everything that Cal.com knows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bookend.adapters.dynamodb.adoptions import DynamoAdoptions
from bookend.adapters.dynamodb.imports import DynamoImports
from bookend.application.background import Background
from bookend.application.deadline import Deadline
from bookend.application.findings import Stopped
from bookend.application.outcomes import Booked
from bookend.application.ports import Progress
from bookend.application.rebuilding import Rebuilding, Rebuilt, rebuild
from bookend.application.reconciling import new_full, reconcile
from bookend.domain.answers import Unclear
from bookend.domain.appointment import Amiss, Appointment, AppointmentState
from tests.support.invariants import look_at, violations
from tests.support.salon import Salon
from tests.support.tables.faults import Crash

MONDAY = "2025-10-27"


class Lost:
    """A salon with everything in it, whose table is then gone."""

    def __init__(self) -> None:
        self.salon = Salon()
        self.salon.open(MONDAY)
        self.salon.open("2025-10-28")
        for number, (time, service) in enumerate((("09:00", "Herrenhaarschnitt"), ("13:00", "Dauerwelle")), start=1):
            phone = self.salon.call(f"call_{number}", caller=f"+49170123456{number}")
            assert isinstance(phone.book(MONDAY, time, service=service, staff="Fabian"), Booked)
        gone = self.salon.call("call_3", caller="+491701234563")
        assert isinstance(gone.book(MONDAY, "11:00", staff="Emma"), Booked)
        moved = self.salon.call("call_4", caller="+491701234564")
        assert isinstance(moved.book(MONDAY, "12:00", staff="Emma"), Booked)
        calendar = self.salon.calendar
        calendar.change(self.of("call_3").segments[0].uid, status="cancelled")
        calendar.move(self.of("call_4").segments[0].uid, datetime(2025, 10, 28, 9, tzinfo=UTC))
        calendar.book_publicly(3672815, datetime(2025, 10, 28, 12, tzinfo=UTC))
        self.reconcile()

    def of(self, call: str) -> Appointment:
        return next(each for each in look_at(self.salon).appointments.values() if each.call == call)

    def background(self) -> Background:
        salon = self.salon
        return Background(
            tenant=salon.tenant,
            appointments=salon.appointments,
            adoptions=DynamoAdoptions(salon.table),
            changes=salon.changes,
            calendar=salon.calendar,
            alerts=salon.alerts,
            clock=salon.clock,
            deadline=Deadline.within(3600, salon.clock),
            by="rebuild",
        )

    def reconcile(self) -> None:
        now = self.salon.clock.now()
        assert reconcile(self.background(), new_full(now, Progress(), today=now.date()), runs=None).done

    def wipe(self) -> None:
        found = self.salon.client.scan(TableName="appointments")["Items"]
        for item in found:
            self.salon.client.delete_item(TableName="appointments", Key={"pk": item["pk"], "sk": item["sk"]})
        self.salon.clock.advance(600)

    def rebuild(self, *, apply: bool = True) -> Rebuilt:
        return rebuild(
            Rebuilding(work=self.background(), imports=DynamoImports(self.salon.table), back=1, ahead=90, apply=apply)
        )

    def live(self) -> dict[str, Any]:
        """What must come back: where each live appointment stands, with which booking, whose it is, from which call."""
        return {
            each.id: (each.service, [replace(s, updated_at=None) for s in each.segments], each.customer.id, each.call)
            for each in look_at(self.salon).appointments.values()
            if each.state is AppointmentState.CONFIRMED
        }

    def ledger(self) -> set[tuple[str, str, datetime, datetime]]:
        world = look_at(self.salon)
        return {
            (key, staff, each.slot.start, each.slot.end)
            for (staff, _), day in world.ledger.items()
            for key, each in day.items()
            if world.live(each)
        }


@pytest.fixture
def lost() -> Lost:
    return Lost()


def test_what_cal_com_knows_is_back_under_its_own_name(lost: Lost) -> None:
    before, ledger = lost.live(), lost.ledger()
    assert len(before) == 4
    lost.wipe()
    result = lost.rebuild()
    assert (result.ours, result.parts, result.foreign) == (3, 4, 1)
    assert result.equal
    assert lost.live() == before
    assert lost.ledger() == {each for each in ledger if each[0].partition("/")[0] in before}
    assert lost.of("call_1").verified_at is not None
    assert lost.salon.calendar.asked.count("cancel") == 0


def test_both_sides_are_as_a_healthy_world_is(lost: Lost) -> None:
    lost.wipe()
    lost.rebuild()
    told = [each for each in violations(lost.salon, []) if not each.startswith("I8")]
    assert told == [], "messages that were owed are lost, and nothing else"


def test_a_dry_one_says_what_would_come_back_and_writes_nothing(lost: Lost) -> None:
    lost.wipe()
    planned = lost.rebuild(apply=False)
    assert lost.salon.client.scan(TableName="appointments")["Items"] == []
    done = lost.rebuild()
    assert (planned.ours, planned.parts, planned.foreign) == (done.ours, done.parts, done.foreign)


def test_killed_anywhere_and_begun_again_it_ends_the_same(lost: Lost) -> None:
    before = lost.live()
    lost.wipe()
    for boundary in range(1, 40, 3):
        lost.salon.client.faults.crash_at(boundary)
        try:
            result = lost.rebuild()
        except Crash:
            lost.salon.client.faults.clear()
            continue
        lost.salon.client.faults.clear()
        break
    else:
        result = lost.rebuild()
    assert result.equal
    assert lost.live() == before


def test_a_second_one_finds_everything_known(lost: Lost) -> None:
    lost.wipe()
    lost.rebuild()
    stored = look_at(lost.salon).appointments
    again = lost.rebuild()
    assert (again.known, again.ours, again.foreign) == (5, 0, 0)
    assert again.equal
    assert look_at(lost.salon).appointments == stored


def test_two_bookings_of_one_appointment_are_one_and_a_difference_for_a_person(lost: Lost) -> None:
    booking = lost.salon.calendar.bookings[str(lost.of("call_1").segments[0].uid)]
    later = booking.start + timedelta(days=1)
    lost.salon.clock.advance(60)
    copy = replace(
        booking, uid="copy", id=9, start=later, end=later + timedelta(minutes=30), created_at=lost.salon.clock.now()
    )
    lost.salon.calendar.bookings["copy"] = copy
    lost.wipe()
    result = lost.rebuild()
    assert not result.equal
    assert [each[0] for each in result.missing] == ["copy"]
    assert lost.of("call_1").segments[0].uid == booking.uid
    assert lost.salon.calendar.bookings["copy"].status == "accepted", "nothing is taken away"


def test_another_salons_bookings_stay_out(lost: Lost) -> None:
    own = next(iter(lost.salon.calendar.bookings.values()))
    lost.salon.calendar.bookings["theirs"] = replace(own, uid="theirs", id=10, host=4711)
    lost.wipe()
    result = lost.rebuild()
    assert (result.strangers, result.equal) == (1, True)


def test_a_calendar_that_does_not_list_stops_it_before_anything(lost: Lost) -> None:
    lost.wipe()
    lost.salon.calendar.list_faults.append(lambda *_: Unclear("ReadTimeout"))
    result = lost.rebuild()
    assert result.stopped is Stopped.CALENDAR
    assert not result.equal
    assert lost.salon.client.scan(TableName="appointments")["Items"] == []


def test_what_overlaps_at_cal_com_is_brought_back_and_flagged(lost: Lost) -> None:
    own = lost.salon.calendar.bookings[str(lost.of("call_1").segments[0].uid)]
    other = replace(own, uid="over", id=11, metadata={**own.metadata, "appointment": "zz9", "op_id": "op-zz9"})
    lost.salon.calendar.bookings["over"] = other
    lost.wipe()
    assert lost.rebuild().equal
    flagged = {
        key: each.conflict
        for day in look_at(lost.salon).ledger.values()
        for key, each in day.items()
        if each.slot.start == own.start
    }
    assert sorted(flagged.values()) == [False, True]


def test_what_is_here_and_gone_there_is_said_and_left_to_a_person(lost: Lost) -> None:
    own = lost.of("call_1")
    lost.salon.calendar.change(own.segments[0].uid, status="cancelled")
    result = lost.rebuild()
    assert not result.equal
    assert [each[0] for each in result.extra] == [own.segments[0].uid]
    assert lost.of("call_1").state is AppointmentState.CONFIRMED


class TestHalfOfAComposite:
    """One part is cancelled at Cal.com when the table is lost: by others, or since we were just taking it back."""

    @pytest.mark.parametrize("number", [0, 1])
    def test_comes_back_as_what_it_is_and_a_person_is_told(self, lost: Lost, number: int) -> None:
        whole = lost.of("call_2")
        left = whole.segments[1 - number].uid
        lost.salon.calendar.change(whole.segments[number].uid, status="cancelled", called_off=True)
        lost.wipe()
        lost.salon.alerts.raised.clear()
        assert lost.rebuild().equal
        half = lost.of("call_2")
        assert ([each.uid for each in half.segments], half.amiss) == ([left], Amiss.PART_GONE)
        told = [each.facts for each in lost.salon.alerts.raised if each.facts.get("drift") == "part"]
        assert [(each["booking_uid"], each["why"]) for each in told] == [(left, "part_gone")]

    def test_a_second_rebuild_tells_nobody_again(self, lost: Lost) -> None:
        lost.salon.calendar.change(lost.of("call_2").segments[1].uid, status="cancelled", called_off=True)
        lost.wipe()
        lost.rebuild()
        lost.salon.alerts.raised.clear()
        lost.rebuild()
        assert lost.salon.alerts.raised == []

    def test_parts_that_do_not_fit_together_are_told_of_as_well(self, lost: Lost) -> None:
        second = lost.of("call_2").segments[1]
        lost.salon.calendar.move(second.uid, second.slot.start + timedelta(hours=2))
        lost.wipe()
        lost.rebuild()
        assert lost.of("call_2").amiss is Amiss.GAP_TOO_LONG
        assert [each.facts["why"] for each in lost.salon.alerts.raised if each.facts.get("drift") == "part"] == [
            "gap_too_long"
        ]

    def test_a_whole_one_and_a_plain_one_ring_nobody(self, lost: Lost) -> None:
        lost.wipe()
        lost.salon.alerts.raised.clear()
        lost.rebuild()
        assert [lost.of(call).amiss for call in ("call_1", "call_2")] == [None, None]
        assert lost.salon.alerts.raised == []
