"""BEGIN, SENT and how a change ends: every transaction, and every position that can keep it from being written."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.changes import DynamoChanges
from bookend.application.ports import Audit, Begun, Confirmed, Job, NotBegun, Started
from bookend.domain.answers import Booking
from bookend.domain.appointment import (
    Appointment,
    AppointmentState,
    Change,
    ChangeEnd,
    ChangeEnded,
    ChangeKind,
    ChangeWhy,
    Told,
)
from bookend.domain.authority import (
    MOST_CHANGES_PER_DAY,
    MOST_MISSES_PER_CALL,
    MOST_MISSES_PER_DAY,
    Asked,
)
from bookend.domain.staff_day import StaffDays, interval_key
from bookend.domain.timeslot import Slot, instant_text
from tests.adapters.dynamodb.place import ALERT, HANS, LEASE, NOW, UTE, Place, at, offer, wished

S = AppointmentState
SLOT, LATER, NEXT_DAY = at("28T10:00"), at("28T11:00"), at("29T10:00")
TODAY = date(2025, 10, 27)
SEEN = NOW + timedelta(seconds=7)
AUDIT = Audit("unsettled", "move", "uid2", "a1", {"state": "MOVING"}, {"seen": "uid2"}, "sweeper")
ENDS = ("moved", "cancelled", "given_up")


def changes(place: Place) -> DynamoChanges:
    return DynamoChanges(place.table)


def stands(place: Place, name: str = "a1", slot: Slot = SLOT, **more: Any) -> Appointment:
    """An appointment that is confirmed with the booking `uid-<name>`."""
    known = place.appointments.look(place.tenant, call="x", customer=more.get("who", HANS).id).customer
    wish = wished(name, slot, **more)
    assert place.start(wish, known=known) == Started()
    assert place.confirm(wish, f"uid-{name}", 13_000_000 + sum(name.encode())) == Confirmed()
    place.client.requests.clear()
    return place.now_is(name)


def to(appointment: Appointment, slot: Slot, **more: Any) -> Change:
    """A move that is about to begin."""
    target = replace(appointment.segments[0], slot=slot, uid=None, booking_id=None)
    return replace(cancelling(), kind=ChangeKind.MOVE, segments=(target,), **more)


def cancelling(**more: Any) -> Change:
    return replace(Change(op="op-change", kind=ChangeKind.CANCEL, call="call_1", since=NOW, sent_at=NOW), **more)


def begin(
    place: Place,
    appointment: Appointment,
    change: Change,
    *,
    days: StaffDays | None = None,
    freeing: Collection[str] = (),
    day: date = TODAY,
) -> Begun | NotBegun:
    """BEGIN, on the ledger as it is now unless `days` says otherwise."""
    touched = {(each.staff, day) for each in change.segments for day in each.slot.utc_days()}
    seen = days or place.appointments.look(place.tenant, call="nobody", days=touched).days
    return changes(place).begin(
        place.tenant,
        appointment,
        change,
        lease=NOW + LEASE,
        days=seen,
        freeing=freeing,
        day=day,
        now=place.clock.now(),
    )


def begun(place: Place, kind: ChangeKind = ChangeKind.MOVE, slot: Slot = LATER, **more: Any) -> Appointment:
    """An appointment at ten whose change is under way."""
    appointment = stands(place)
    outcome = begin(
        place, appointment, to(appointment, slot, **more) if kind is ChangeKind.MOVE else cancelling(**more)
    )
    assert isinstance(outcome, Begun), outcome
    place.client.requests.clear()
    return outcome.appointment


def there(slot: Slot = LATER, uid: str = "uid2", number: int = 13_000_002) -> Booking:
    """The booking at the new time."""
    return Booking(
        uid=uid,
        id=number,
        status="accepted",
        start=slot.start,
        end=slot.end,
        created_at=SEEN,
        updated_at=SEEN,
        host=28,
        event_type=3672814,
        attendees=(HANS.email,),
        rescheduled_from="uid-a1",
    )


def moved(
    place: Place,
    appointment: Appointment,
    booking: Booking | None = None,
    audit: Audit | None = None,
    told: Told = Told.DONE,
) -> bool:
    seen = booking or there(appointment.change.slot if appointment.change and appointment.change.segments else LATER)
    return changes(place).moved(place.tenant, appointment, {0: seen}, told=told, audit=audit, now=NOW)


def cancelled(
    place: Place, appointment: Appointment, booking: Booking | None = None, audit: Audit | None = None
) -> bool:
    return changes(place).cancelled(place.tenant, appointment, booking=booking, told=Told.DONE, audit=audit, now=NOW)


def given_up(place: Place, appointment: Appointment, **more: Any) -> bool:
    facts = {"why": ChangeWhy.TAKEN, "owes_text": False, "answer": "", "alert": None, "audit": None} | more
    return changes(place).given_up(place.tenant, appointment, now=NOW, **facts)


def leave_open(place: Place, appointment: Appointment, **more: Any) -> bool:
    facts = {"due": NOW + timedelta(seconds=45), "keep_until": None, "answer": "", "alert": None} | more
    return changes(place).leave_open(place.tenant, appointment, now=NOW, **facts)


def end(place: Place, appointment: Appointment, how: str) -> bool:
    return {"moved": moved, "cancelled": cancelled, "given_up": given_up}[how](place, appointment)


def due(place: Place, after: timedelta) -> list[Job]:
    """What must be looked after; messages that are owed are due as well (test_outbox.py)."""
    return [job for job in place.due_work.due(now=NOW + after, most=100) if job.kind != "text"]


def texts(place: Place) -> dict[str, Any]:
    """Messages of changes that are to be sent, by operation."""
    rows = [each for each in place.all_items() if "#OUT#" in each["pk"] and each["kind"] != "booked"]
    return {each["pk"].rpartition("#")[2]: (each["kind"], each["told"], each["state"], each["appt"]) for each in rows}


def of_kind(place: Place, kind: str) -> list[dict[str, Any]]:
    return [each for each in place.all_items() if each["pk"].endswith(f"#{kind}")]


def guarded(place: Place, slot: Slot) -> str | None:
    """Whose the customer's guard at that time is."""
    found = place.item(keys.customer_guard(place.tenant, HANS.id, slot.start, "herrenhaarschnitt"))
    return found["appt"] if found is not None else None


def spoil(place: Place, key: dict[str, Any], update: str, names: dict[str, str], values: dict[str, Any]) -> None:
    place.store.client.update_item(
        TableName=place.name,
        Key=key,
        UpdateExpression=update,
        ExpressionAttributeNames=names,
        **({"ExpressionAttributeValues": values} if values else {}),
    )


def drop_interval(place: Place, name: str, slot: Slot) -> None:
    spoil(place, keys.staff_day(place.tenant, "fabian", slot.start.date()), "REMOVE iv.#k", {"#k": name}, {})


def drop(place: Place, key: dict[str, Any]) -> None:
    place.store.client.delete_item(TableName=place.name, Key=key)


class TestBegin:
    def test_a_move_is_one_request_and_writes_everything(self, place: Place) -> None:
        appointment = stands(place)
        change, days = to(appointment, LATER), place.days()
        place.client.requests.clear()
        outcome = begin(place, appointment, change, days=days)
        assert isinstance(outcome, Begun)
        assert place.client.requests == {"transact_write_items": 1}
        now_is = place.now_is("a1")
        assert now_is == outcome.appointment
        assert (now_is.state, now_is.change, now_is.version) == (S.MOVING, change, appointment.version + 1)
        assert (now_is.segments, now_is.op) == (appointment.segments, appointment.op), "it stands where it stood"
        assert place.intervals() == {"a1/0": "C", "a1/0+": "P"}
        target = place.interval("a1/0+")
        assert (target.op, target.slot) == ("op-change", LATER)
        assert (guarded(place, SLOT), guarded(place, LATER)) == ("a1", "a1")
        item = place.there(keys.appointment(place.tenant, "a1"))
        assert item["lease"] == item["due"] == int((NOW + LEASE).timestamp())
        assert due(place, LEASE) == [Job("settle", place.tenant, "a1")]
        assert texts(place) == {}

    def test_a_cancellation_leaves_the_ledger_as_it_is(self, place: Place) -> None:
        appointment = stands(place)
        before = place.day()
        outcome = begin(place, appointment, cancelling())
        assert isinstance(outcome, Begun)
        assert place.now_is("a1") == outcome.appointment
        assert outcome.appointment.state is S.CANCELLING
        assert place.day() == before
        assert guarded(place, SLOT) == "a1"

    def test_a_change_is_read_as_it_was_written(self, place: Place) -> None:
        appointment = stands(place)
        change = to(appointment, LATER, sent_at=None, told=Told.PENDING, keep_until=NOW + timedelta(hours=2))
        begin(place, appointment, change)
        assert place.now_is("a1").change == change

    def test_over_its_own_old_time(self, place: Place) -> None:
        appointment = stands(place)
        assert isinstance(begin(place, appointment, to(appointment, at("28T10:15"))), Begun)
        assert place.intervals() == {"a1/0": "C", "a1/0+": "P"}

    def test_over_midnight_takes_both_days_or_none(self, place: Place) -> None:
        appointment, late, seen = stands(place), at("28T23:45"), place.days("28", "29")
        place.hold(offer("o1", at("29T12:00")))
        before = place.snapshot()
        assert begin(place, appointment, to(appointment, late), days=seen) is NotBegun.LEDGER_CHANGED
        assert place.snapshot() == before
        assert isinstance(begin(place, appointment, to(appointment, late)), Begun)
        assert place.intervals("28") == {"a1/0": "C", "a1/0+": "P"}
        assert place.intervals("29") == {"a1/0+": "P", "o1/0": "H"}

    def test_ones_own_holds_in_the_way_are_given_back_and_others_stay(self, place: Place) -> None:
        appointment = stands(place)
        mine = offer("o1", LATER), offer("o2", at("28T12:00"))
        place.hold(*mine)
        place.hold(offer("o9", at("28T15:00"), op="hold9"), call="call_9")
        outcome = begin(place, appointment, to(appointment, LATER), freeing=[interval_key(each.id, 0) for each in mine])
        assert isinstance(outcome, Begun)
        assert place.intervals() == {"a1/0": "C", "a1/0+": "P", "o2/0": "H", "o9/0": "H"}

    # Position 0

    def test_of_an_appointment_that_has_changed_since_nothing_is_written(self, place: Place) -> None:
        appointment = stands(place)
        before = place.snapshot()
        for version in (appointment.version - 1, appointment.version + 1):
            stale = replace(appointment, version=version)
            assert begin(place, stale, to(appointment, LATER)) is NotBegun.APPOINTMENT_CHANGED
            assert begin(place, stale, cancelling()) is NotBegun.APPOINTMENT_CHANGED
        assert place.snapshot() == before

    @pytest.mark.parametrize("kind", list(ChangeKind))
    def test_what_is_under_way_is_not_begun_again(self, place: Place, kind: ChangeKind) -> None:
        under_way = begun(place, kind)
        before = place.snapshot()
        for change in (to(under_way, at("28T15:00"), op="op-2"), cancelling(op="op-2")):
            assert begin(place, under_way, change) is NotBegun.APPOINTMENT_CHANGED
        assert place.snapshot() == before

    def test_what_is_not_confirmed_is_not_changed(self, place: Place) -> None:
        assert begin(place, wished("a0", SLOT), cancelling()) is NotBegun.APPOINTMENT_CHANGED
        place.start(wished("a1", SLOT))
        before = place.snapshot()
        assert begin(place, place.now_is("a1"), cancelling()) is NotBegun.APPOINTMENT_CHANGED
        assert place.snapshot() == before

    def test_of_two_that_saw_the_same_appointment_one_begins(self, place: Place) -> None:
        appointment = stands(place)
        assert isinstance(begin(place, appointment, cancelling()), Begun)
        before = place.snapshot()
        assert begin(place, appointment, to(appointment, LATER, op="op-2")) is NotBegun.APPOINTMENT_CHANGED
        assert place.snapshot() == before

    # Position 1

    def test_a_number_may_change_so_much_a_day(self, place: Place) -> None:
        for number in range(MOST_CHANGES_PER_DAY):
            appointment = stands(place, f"a{number}", at(f"28T{10 + number}:00"))
            assert isinstance(begin(place, appointment, cancelling(op=f"op{number}")), Begun)
        more = stands(place, "more", at("28T16:00"))
        before = place.snapshot()
        assert begin(place, more, cancelling()) is NotBegun.TOO_MANY
        assert begin(place, more, to(more, at("28T17:00"))) is NotBegun.TOO_MANY
        assert place.snapshot() == before
        hers = stands(place, "hers", at("28T18:00"), who=UTE)
        assert isinstance(begin(place, hers, cancelling(op="op-hers")), Begun), "another number has its own"
        assert isinstance(begin(place, more, cancelling(), day=TODAY + timedelta(days=1)), Begun)

    # Position 2

    def test_a_customer_has_one_appointment_per_service_and_start(self, place: Place) -> None:
        appointment = stands(place)
        stands(place, "a2", LATER, staff="emma")
        before = place.snapshot()
        assert begin(place, appointment, to(appointment, LATER)) is NotBegun.CUSTOMER_HAS_ONE
        assert place.snapshot() == before

    # The ledgers

    def test_any_change_of_the_day_sends_one_back_to_look_again(self, place: Place) -> None:
        appointment, seen = stands(place), place.days()
        place.hold(offer("o8", at("28T17:00"), op="hold8"), call="call_8")
        before = place.snapshot()
        assert begin(place, appointment, to(appointment, LATER), days=seen) is NotBegun.LEDGER_CHANGED
        assert place.snapshot() == before

    def test_a_day_that_was_empty_when_it_was_read(self, place: Place) -> None:
        appointment, seen = stands(place), place.days("29")
        stands(place, "a2", NEXT_DAY, who=UTE)
        before = place.snapshot()
        assert begin(place, appointment, to(appointment, at("29T12:00")), days=seen) is NotBegun.LEDGER_CHANGED
        assert place.snapshot() == before

    def test_the_worst_reason_is_told_first(self, place: Place) -> None:
        appointment, seen = stands(place), place.days()
        stands(place, "a2", LATER, staff="emma")
        place.hold(offer("o8", at("28T17:00"), op="hold8"), call="call_8")
        change = to(appointment, LATER)
        assert begin(place, appointment, change, days=seen) is NotBegun.CUSTOMER_HAS_ONE
        place.store.client.put_item(
            TableName=place.name, Item=keys.tries(place.tenant, HANS.id, TODAY) | {"changes": {"N": "5"}}
        )
        assert begin(place, appointment, change, days=seen) is NotBegun.TOO_MANY
        assert begin(place, replace(appointment, version=9), change, days=seen) is NotBegun.APPOINTMENT_CHANGED


class TestTries:
    def try_(self, place: Place, call: str = "call_1", *, who: str = HANS.id, day: date = TODAY) -> bool:
        return changes(place).may_try(place.tenant, who, call=call, day=day, now=NOW)

    def hit(self, place: Place, asked: Asked | None = None, call: str = "call_1") -> bool:
        return changes(place).ask(place.tenant, call, asked, customer=HANS.id, day=TODAY, now=NOW)

    def asked(self, **more: Any) -> Asked:
        fields: dict[str, Any] = {
            "token": "t1",
            "op": "op-change",
            "kind": ChangeKind.MOVE,
            "appointment": "a1",
            "version": 2,
            "expires": NOW + timedelta(minutes=5),
            "slot": LATER,
        }
        return Asked(**(fields | more))

    def test_are_counted_per_call_and_per_day_by_one_request_each(self, place: Place) -> None:
        assert [self.try_(place) for _ in range(MOST_MISSES_PER_CALL + 1)] == [True] * MOST_MISSES_PER_CALL + [False]
        assert place.client.requests == {"update_item": MOST_MISSES_PER_CALL + 1}
        assert self.try_(place, "call_2")
        item = place.there(keys.tries(place.tenant, HANS.id, TODAY))
        assert (item["misses"], item["misses_call_1"], item["misses_call_2"]) == (4, 3, 1)
        assert item["ttl"] == int((NOW + timedelta(days=2)).timestamp())

    def test_end_after_ten_a_day_whatever_the_call(self, place: Place) -> None:
        assert all(self.try_(place, f"call_{number}") for number in range(MOST_MISSES_PER_DAY))
        assert not self.try_(place, "call_new")
        assert self.try_(place, "call_new", day=TODAY + timedelta(days=1))
        assert self.try_(place, "call_new", who=UTE.id)

    def test_a_hit_gives_its_try_back(self, place: Place) -> None:
        for _ in range(MOST_MISSES_PER_DAY + 1):
            assert self.try_(place)
            assert self.hit(place)
        item = place.there(keys.tries(place.tenant, HANS.id, TODAY))
        assert (item["misses"], item["misses_call_1"]) == (0, 0)

    def test_nothing_is_given_back_that_was_not_taken(self, place: Place) -> None:
        assert not self.hit(place, self.asked())
        assert place.snapshot() == []
        self.try_(place, "call_2")
        before = place.snapshot()
        assert not self.hit(place, self.asked(), "call_1")
        assert place.snapshot() == before

    @pytest.mark.parametrize("more", [{}, {"kind": ChangeKind.CANCEL, "slot": None}])
    def test_what_was_asked_is_kept_with_the_call(self, place: Place, more: dict[str, Any]) -> None:
        asked = self.asked(**more)
        self.try_(place)
        assert self.hit(place, asked)
        record = place.record()
        assert (record.asked, record.offers, record.ended, record.version) == (asked, (), False, 1)

    def test_a_later_question_replaces_it_and_a_hit_without_one_does_not(self, place: Place) -> None:
        for asked in (self.asked(), self.asked(token="t2"), None):
            self.try_(place)
            assert self.hit(place, asked)
        assert place.record().asked == self.asked(token="t2")

    def test_the_calls_offers_stay_and_whoever_read_it_before_looks_again(self, place: Place) -> None:
        kept, stale = offer("o1", LATER), place.record()
        place.hold(kept)
        record = place.record()
        self.try_(place)
        assert self.hit(place, self.asked())
        assert (place.record().offers, place.record().version) == ((kept,), record.version + 1)
        assert stale.version < record.version
        place.hold(offer("o2", at("28T12:00")), record=record)
        assert place.intervals() == {"o1/0": "H"}
        place.hold(offer("o2", at("28T12:00")))
        assert place.record().asked == self.asked(), "offers do not void the question"

    def test_a_call_that_has_ended_asks_nothing_any_more(self, place: Place) -> None:
        place.hold(offer("o1", LATER))
        place.appointments.end_call(place.tenant, "call_1", now=NOW)
        self.try_(place)
        before = place.snapshot()
        assert not self.hit(place, self.asked())
        assert place.snapshot() == before

    def test_no_name_and_no_number_is_in_them(self, place: Place) -> None:
        self.try_(place)
        self.hit(place, self.asked())
        text = repr(place.all_items())
        assert not [each for each in (HANS.name, HANS.email, HANS.phone or "") if each in text]


class TestOfACustomer:
    def test_everything_after_an_instant_in_any_state_as_it_is_now(self, place: Place) -> None:
        stands(place, "early", at("27T10:00"))
        stands(place, "a1")
        place.start(wished("open", at("29T10:00")), known=HANS)
        stands(place, "hers", at("28T12:00"), who=UTE)
        appointment = place.now_is("a1")
        begin(place, appointment, to(appointment, LATER))
        place.client.requests.clear()
        found = changes(place).of_customer(place.tenant, HANS.id, after=at("27T10:00").start)
        assert [each.id for each in found] == ["a1", "open"]
        assert found[0] == place.now_is("a1")
        assert found[0].state is S.MOVING
        assert place.client.requests["query"] == 1

    def test_of_nobody_there_is_nothing_and_it_takes_as_many_requests(self, place: Place) -> None:
        """Nobody can tell by the time it takes whether a number has appointments."""
        stands(place)
        place.client.requests.clear()
        assert changes(place).of_customer(place.tenant, "c-nobody", after=NOW) == ()
        asked_of_nobody = place.client.requests.copy()
        place.client.requests.clear()
        changes(place).of_customer(place.tenant, HANS.id, after=NOW)
        assert place.client.requests == asked_of_nobody == {"query": 1, "batch_get_item": 1}

    def test_more_than_one_page_of_keys(self, memory: Any) -> None:
        place = Place(memory, "many")
        for number in range(120):
            slot = Slot.of(datetime(2025, 10, 28, tzinfo=UTC) + timedelta(hours=number), 30)
            place.start(wished(f"a{number:03}", slot), known=HANS if number else None)
        found = changes(place).of_customer(place.tenant, HANS.id, after=NOW)
        assert [each.id for each in found] == [f"a{number:03}" for number in range(120)]


class TestBetween:
    def test_sent_is_noted_before_it_is_so_and_an_earlier_look_in_vain_is_void(self, place: Place) -> None:
        under_way = begun(place, sent_at=None)
        changes(place).postpone(place.tenant, under_way, until=NOW, absent=NOW)
        now_is = place.now_is("a1")
        later = NOW + timedelta(minutes=1)
        sending = changes(place).sent(place.tenant, now_is, lease=later + LEASE, now=later)
        assert sending == place.now_is("a1")
        assert sending is not None
        assert sending.change is not None
        assert (sending.change.sent_at, sending.change.absent_since) == (later, None)
        assert (sending.lease, sending.version) == (later + LEASE, now_is.version + 1)
        assert due(place, timedelta(minutes=1)) == []

    def test_of_two_who_saw_the_same_only_one_sends(self, place: Place) -> None:
        under_way = begun(place)
        assert changes(place).sent(place.tenant, under_way, lease=NOW + LEASE, now=NOW) is not None
        before = place.snapshot()
        assert changes(place).sent(place.tenant, under_way, lease=NOW + LEASE, now=NOW) is None
        assert place.snapshot() == before

    def test_what_is_left_open_is_on_record_before_it_is_said(self, place: Place) -> None:
        under_way = begun(place)
        assert leave_open(place, under_way, answer="HTTP 500", alert=ALERT)
        assert place.client.requests == {"transact_write_items": 1}
        now_is = place.now_is("a1")
        assert now_is.change is not None
        assert (now_is.state, now_is.change.told, now_is.change.keep_until) == (S.MOVING, Told.PENDING, None)
        assert place.there(keys.appointment(place.tenant, "a1"))["answer"] == "HTTP 500"
        assert [each["kind"] for each in of_kind(place, "ALERT")] == [ALERT.kind]
        assert (due(place, timedelta(seconds=44)), len(due(place, timedelta(seconds=45)))) == ([], 1)
        assert place.intervals() == {"a1/0": "C", "a1/0+": "P"}

    def test_what_is_kept_for_later_has_its_end(self, place: Place) -> None:
        under_way, until = begun(place, ChangeKind.CANCEL), NOW + timedelta(hours=2)
        assert leave_open(place, under_way, keep_until=until)
        change = place.now_is("a1").change
        assert change is not None
        assert (change.told, change.keep_until) == (Told.PENDING, until)
        assert leave_open(place, under_way)
        now_is = place.now_is("a1").change
        assert now_is is not None
        assert now_is.keep_until == until, "what was promised stays promised"

    def test_the_first_look_in_vain_is_kept(self, place: Place) -> None:
        under_way = begun(place)
        for minutes in (0, 5):
            moment = NOW + timedelta(minutes=minutes)
            assert changes(place).postpone(place.tenant, under_way, until=moment + LEASE, absent=moment)
        change = place.now_is("a1").change
        assert change is not None
        assert change.absent_since == NOW
        assert due(place, timedelta(minutes=5)) == []

    @pytest.mark.parametrize("how", ENDS)
    def test_what_has_ended_is_neither_sent_nor_open_nor_put_off(self, place: Place, how: str) -> None:
        under_way = begun(place)
        assert end(place, under_way, how)
        before = place.snapshot()
        assert changes(place).sent(place.tenant, replace(under_way, version=99), lease=NOW, now=NOW) is None
        assert not leave_open(place, under_way, alert=ALERT)
        assert not changes(place).postpone(place.tenant, under_way, until=NOW, absent=NOW)
        assert place.snapshot() == before

    def test_nothing_is_noted_for_another_operation(self, place: Place) -> None:
        under_way = begun(place)
        assert under_way.change is not None
        other = replace(under_way, change=replace(under_way.change, op="op-other"))
        before = place.snapshot()
        assert changes(place).sent(place.tenant, other, lease=NOW, now=NOW) is None
        assert not leave_open(place, other)
        assert not changes(place).postpone(place.tenant, other, until=NOW, absent=None)
        assert not any(end(place, other, how) for how in ENDS)
        assert place.snapshot() == before

    def test_without_a_change_there_is_nothing_to_note(self, place: Place) -> None:
        with pytest.raises(ValueError, match="no change is under way"):
            leave_open(place, stands(place))


class TestMoved:
    def test_is_one_request_and_writes_everything(self, place: Place) -> None:
        under_way = begun(place)
        assert moved(place, under_way)
        assert place.client.requests == {"batch_get_item": 1, "transact_write_items": 1}
        now_is = place.now_is("a1")
        assert (now_is.state, now_is.slot, now_is.moves, now_is.change) == (S.CONFIRMED, LATER, 1, None)
        assert (now_is.segments[0].uid, now_is.segments[0].booking_id) == ("uid2", 13_000_002)
        assert (now_is.op, now_is.told, now_is.lease) == (under_way.op, Told.BOOKED, None)
        assert (now_is.calendar_updated_at, now_is.verified_at) == (SEEN, NOW)
        assert now_is.last_change == ChangeEnded("op-change", ChangeKind.MOVE, ChangeEnd.DONE, version=now_is.version)
        assert place.intervals() == {"a1/0": "C"}
        interval = place.interval("a1/0")
        assert (interval.slot, interval.op) == (LATER, "op-a1")
        assert (guarded(place, SLOT), guarded(place, LATER)) == (None, "a1")
        for key in (keys.booking_uid(place.tenant, "uid2"), keys.booking_id(place.tenant, 13_000_002)):
            assert place.there(key)["appt"] == "a1"
        old = place.there(keys.booking_uid(place.tenant, "uid-a1"))
        assert (old["appt"], old["superseded_by"]) == ("a1", "uid2"), "late events of the old one find their home"
        assert texts(place) == {"op-change": ("moved", "done", "NEW", "a1")}
        item = place.there(keys.appointment(place.tenant, "a1"))
        assert item["start"].startswith(instant_text(LATER.start)[:-1])
        assert not {"due", "due_shard", "lease", "change"} & set(item)
        assert due(place, timedelta(days=1)) == []

    def test_by_a_quarter_of_an_hour(self, place: Place) -> None:
        assert moved(place, begun(place, slot=at("28T10:15")))
        assert place.intervals() == {"a1/0": "C"}
        assert place.interval("a1/0").slot == at("28T10:15")

    def test_to_another_day(self, place: Place) -> None:
        assert moved(place, begun(place, slot=NEXT_DAY))
        assert (place.intervals("28"), place.intervals("29")) == ({}, {"a1/0": "C"})

    def test_into_and_out_of_midnight(self, place: Place) -> None:
        assert moved(place, begun(place, slot=at("28T23:45")))
        assert place.intervals("28") == place.intervals("29") == {"a1/0": "C"}
        appointment = place.now_is("a1")
        again = begin(place, appointment, to(appointment, at("29T00:00"), op="op-2"))
        assert isinstance(again, Begun)
        back = replace(there(at("29T00:00"), "uid3", 13_000_003), rescheduled_from="uid2")
        assert moved(place, again.appointment, back)
        assert (place.intervals("28"), place.intervals("29")) == ({}, {"a1/0": "C"})
        assert place.interval("a1/0", "29").slot == at("29T00:00")
        assert place.now_is("a1").moves == 2
        assert set(texts(place)) == {"op-change", "op-2"}

    def test_what_was_said_goes_with_the_message(self, place: Place) -> None:
        under_way = begun(place)
        leave_open(place, under_way)
        assert moved(place, place.now_is("a1"), told=Told.PENDING)
        assert texts(place)["op-change"][:2] == ("moved", "pending")

    def test_what_somebody_else_did_is_told_to_the_audit(self, place: Place) -> None:
        assert moved(place, begun(place), audit=AUDIT)
        assert [(each["repair"], each["by"]) for each in of_kind(place, "AUDIT")] == [("move", "sweeper")]

    def test_the_old_time_can_be_taken_at_once(self, place: Place) -> None:
        moved(place, begun(place))
        assert place.start(wished("a2", SLOT, who=UTE)) == Started()
        assert place.start(wished("a3", SLOT, staff="emma"), known=HANS) == Started(), "also by the same customer"

    def test_kept_answers_of_the_stylist_are_void(self, place: Place) -> None:
        under_way = begun(place)
        before = place.there(keys.slots(place.tenant, "fabian"))["gen"]
        moved(place, under_way)
        assert place.there(keys.slots(place.tenant, "fabian"))["gen"] == before + 1

    @pytest.mark.parametrize("how", ENDS)
    def test_what_has_ended_does_not_end_again(self, place: Place, how: str) -> None:
        under_way = begun(place)
        assert end(place, under_way, how)
        before = place.snapshot()
        assert not any(end(place, under_way, again) for again in ENDS)
        assert place.snapshot() == before

    # Each position that can be in the way

    def nothing_is_written(self, place: Place, under_way: Appointment, booking: Booking | None = None) -> None:
        before = place.snapshot()
        assert not moved(place, under_way, booking)
        assert place.snapshot() == before

    @pytest.mark.parametrize(("uid", "number"), [("uid-hers", 13_000_002), ("uid2", 0)], ids=["uid", "id"])
    def test_a_booking_has_one_owner(self, place: Place, uid: str, number: int) -> None:
        hers = stands(place, "hers", at("28T15:00"), who=UTE)
        under_way = begun(place)
        self.nothing_is_written(place, under_way, there(uid=uid, number=number or hers.segments[0].booking_id or 0))

    def test_a_guard_that_is_ours_already_is_no_obstacle(self, place: Place) -> None:
        under_way = begun(place)
        mine = {"appt": {"S": "a1"}, "seg": {"N": "0"}}
        place.store.client.put_item(TableName=place.name, Item=keys.booking_uid(place.tenant, "uid2") | mine)
        assert moved(place, under_way)

    def test_the_old_booking_must_be_ours(self, place: Place) -> None:
        under_way = begun(place)
        key = keys.booking_uid(place.tenant, "uid-a1")
        spoil(place, key, "SET #a = :other", {"#a": "appt"}, {":other": {"S": "another"}})
        self.nothing_is_written(place, under_way)

    @pytest.mark.parametrize(("name", "slot"), [("a1/0+", NEXT_DAY), ("a1/0", SLOT)], ids=["new", "old"])
    def test_without_its_intervals_nothing_is_moved(self, place: Place, name: str, slot: Slot) -> None:
        under_way = begun(place, slot=NEXT_DAY)
        drop_interval(place, name, slot)
        self.nothing_is_written(place, under_way)

    @pytest.mark.parametrize(("attribute", "value"), [("op", "op-other"), ("st", "C")])
    def test_the_new_interval_must_be_this_changes(self, place: Place, attribute: str, value: str) -> None:
        under_way = begun(place)
        key = keys.staff_day(place.tenant, "fabian", LATER.start.date())
        spoil(place, key, "SET iv.#k.#a = :v", {"#k": "a1/0+", "#a": attribute}, {":v": {"S": value}})
        self.nothing_is_written(place, under_way)

    def test_a_message_that_is_there_already_is_not_written_over(self, place: Place) -> None:
        under_way = begun(place)
        row = keys.outbox(place.tenant, "op-change") | {"kind": {"S": "x"}, "appt": {"S": "a1"}}
        place.store.client.put_item(TableName=place.name, Item=row)
        self.nothing_is_written(place, under_way)

    @pytest.mark.parametrize("guard", ["another's", "gone"])
    def test_a_guard_of_the_old_time_that_is_not_ours_is_left_alone(self, place: Place, guard: str) -> None:
        """What was moved there by the salon stands without one, or beside another's."""
        under_way = begun(place)
        key = keys.customer_guard(place.tenant, HANS.id, SLOT.start, "herrenhaarschnitt")
        if guard == "gone":
            drop(place, key)
        else:
            spoil(place, key, "SET #a = :other", {"#a": "appt"}, {":other": {"S": "another"}})
        assert moved(place, under_way)
        assert place.now_is("a1").slot == LATER
        assert guarded(place, SLOT) == (None if guard == "gone" else "another")

    def test_without_that_guard_the_rest_must_still_hold(self, place: Place) -> None:
        under_way = begun(place)
        key = keys.customer_guard(place.tenant, HANS.id, SLOT.start, "herrenhaarschnitt")
        spoil(place, key, "SET #a = :other", {"#a": "appt"}, {":other": {"S": "another"}})
        drop_interval(place, "a1/0+", LATER)
        self.nothing_is_written(place, under_way)


class TestCancelled:
    def test_is_one_request_and_frees_everything_but_the_bookings_name(self, place: Place) -> None:
        under_way = begun(place, ChangeKind.CANCEL)
        assert cancelled(place, under_way)
        assert place.client.requests == {"batch_get_item": 1, "transact_write_items": 1}
        now_is = place.now_is("a1")
        assert (now_is.state, now_is.why, now_is.change) == (S.CANCELLED, "cancelled_by_customer", None)
        assert now_is.last_change == ChangeEnded("op-change", ChangeKind.CANCEL, ChangeEnd.DONE, version=now_is.version)
        item = place.there(keys.appointment(place.tenant, "a1"))
        assert "ended_at" in item
        assert not {"due", "due_shard", "lease", "change"} & set(item)
        assert place.intervals() == {}
        assert guarded(place, SLOT) is None
        assert place.there(keys.booking_uid(place.tenant, "uid-a1"))["appt"] == "a1", "late events find their home"
        assert texts(place) == {"op-change": ("cancelled", "done", "NEW", "a1")}
        assert place.start(wished("a2", SLOT), known=HANS) == Started()

    @pytest.mark.parametrize("slot", [LATER, NEXT_DAY, at("28T23:45"), at("28T10:15")])
    def test_a_move_that_found_it_cancelled_by_others_frees_both_times(self, place: Place, slot: Slot) -> None:
        assert cancelled(place, begun(place, slot=slot), audit=AUDIT)
        now_is = place.now_is("a1")
        assert (now_is.state, now_is.why) == (S.CANCELLED, "cancelled_there")
        assert now_is.last_change == ChangeEnded(
            "op-change", ChangeKind.MOVE, ChangeEnd.NOT_DONE, ChangeWhy.CANCELLED_THERE, now_is.version
        )
        assert place.intervals("28") == place.intervals("29") == {}
        assert (guarded(place, SLOT), guarded(place, slot)) == (None, None)
        assert texts(place)["op-change"][0] == "cancelled", "whatever was wanted, this is what became of it"
        assert len(of_kind(place, "AUDIT")) == 1

    def test_as_it_was_seen_there(self, place: Place) -> None:
        seen = replace(there(SLOT, "uid-a1"), status="cancelled", updated_at=SEEN)
        assert cancelled(place, begun(place, ChangeKind.CANCEL), seen)
        assert place.now_is("a1").calendar_updated_at == SEEN

    def test_over_midnight_on_both_days(self, place: Place) -> None:
        late = stands(place, "a1", at("28T23:45"))
        outcome = begin(place, late, cancelling())
        assert isinstance(outcome, Begun)
        assert cancelled(place, outcome.appointment)
        assert place.intervals("28") == place.intervals("29") == {}

    @pytest.mark.parametrize("name", ["a1/0", "a1/0+"])
    def test_without_its_intervals_nothing_is_written(self, place: Place, name: str) -> None:
        under_way = begun(place)
        drop_interval(place, name, SLOT)
        before = place.snapshot()
        assert not cancelled(place, under_way)
        assert place.snapshot() == before

    def test_a_guard_of_the_new_time_that_is_not_ours_stops_it(self, place: Place) -> None:
        under_way = begun(place)
        key = keys.customer_guard(place.tenant, HANS.id, LATER.start, "herrenhaarschnitt")
        spoil(place, key, "SET #a = :other", {"#a": "appt"}, {":other": {"S": "another"}})
        before = place.snapshot()
        assert not cancelled(place, under_way)
        assert place.snapshot() == before

    def test_a_guard_of_its_own_time_that_is_not_ours_is_left_alone(self, place: Place) -> None:
        under_way = begun(place, ChangeKind.CANCEL)
        key = keys.customer_guard(place.tenant, HANS.id, SLOT.start, "herrenhaarschnitt")
        spoil(place, key, "SET #a = :other", {"#a": "appt"}, {":other": {"S": "another"}})
        assert cancelled(place, under_way)
        assert guarded(place, SLOT) == "another"


class TestGivenUp:
    @pytest.mark.parametrize("slot", [LATER, NEXT_DAY, at("28T23:45"), at("28T10:15")])
    def test_a_move_leaves_it_where_it_stood_and_frees_the_rest(self, place: Place, slot: Slot) -> None:
        appointment = stands(place)
        ledger, guards = place.day(), guarded(place, SLOT)
        outcome = begin(place, appointment, to(appointment, slot))
        assert isinstance(outcome, Begun)
        place.client.requests.clear()
        assert given_up(place, outcome.appointment, answer="HTTP 400")
        assert place.client.requests == {"transact_write_items": 1}
        now_is = place.now_is("a1")
        assert (now_is.state, now_is.segments, now_is.moves) == (S.CONFIRMED, appointment.segments, 0)
        assert now_is.last_change == ChangeEnded(
            "op-change", ChangeKind.MOVE, ChangeEnd.NOT_DONE, ChangeWhy.TAKEN, now_is.version
        )
        item = place.there(keys.appointment(place.tenant, "a1"))
        assert item["answer"] == "HTTP 400"
        assert not {"due", "due_shard", "lease", "change"} & set(item)
        assert place.day().intervals == ledger.intervals
        assert place.intervals("29") == {}
        assert (guarded(place, SLOT), guarded(place, slot)) == (guards, None)
        assert texts(place) == {}
        assert isinstance(begin(place, now_is, to(now_is, LATER, op="op-2")), Begun), "it may be tried anew"

    def test_a_cancellation_leaves_everything_as_it_was(self, place: Place) -> None:
        appointment = stands(place)
        ledger = place.day()
        outcome = begin(place, appointment, cancelling())
        assert isinstance(outcome, Begun)
        assert given_up(place, outcome.appointment, why=ChangeWhy.POLICY, alert=ALERT)
        now_is = place.now_is("a1")
        assert (now_is.state, now_is.change) == (S.CONFIRMED, None)
        assert now_is.last_change == ChangeEnded(
            "op-change", ChangeKind.CANCEL, ChangeEnd.NOT_DONE, ChangeWhy.POLICY, now_is.version
        )
        assert place.day() == ledger
        assert guarded(place, SLOT) == "a1"
        assert [each["kind"] for each in of_kind(place, "ALERT")] == [ALERT.kind]

    @pytest.mark.parametrize(("kind", "text"), [(ChangeKind.MOVE, "not_moved"), (ChangeKind.CANCEL, "not_cancelled")])
    def test_who_was_told_that_it_is_open_is_owed_the_end_of_the_story(
        self, place: Place, kind: ChangeKind, text: str
    ) -> None:
        under_way = begun(place, kind)
        leave_open(place, under_way)
        now_is = place.now_is("a1")
        before = place.snapshot()
        assert not given_up(place, under_way), "not in silence"
        assert not given_up(place, now_is)
        assert place.snapshot() == before
        assert given_up(place, now_is, owes_text=True, audit=AUDIT)
        assert texts(place) == {"op-change": (text, "pending", "NEW", "a1")}
        assert len(of_kind(place, "AUDIT")) == 1

    def test_who_may_have_been_told_can_be_sent_a_message(self, place: Place) -> None:
        assert given_up(place, begun(place), owes_text=True)
        assert texts(place)["op-change"][:2] == ("not_moved", "nothing")

    def test_without_its_interval_nothing_is_written(self, place: Place) -> None:
        under_way = begun(place)
        drop_interval(place, "a1/0+", LATER)
        before = place.snapshot()
        assert not given_up(place, under_way)
        assert place.snapshot() == before

    def test_a_guard_of_the_new_time_that_is_not_ours_stops_it(self, place: Place) -> None:
        under_way = begun(place)
        drop(place, keys.customer_guard(place.tenant, HANS.id, LATER.start, "herrenhaarschnitt"))
        before = place.snapshot()
        assert not given_up(place, under_way)
        assert place.snapshot() == before

    def test_the_new_time_can_be_taken_at_once(self, place: Place) -> None:
        given_up(place, begun(place))
        assert place.start(wished("a2", LATER, who=UTE)) == Started()
        assert place.start(wished("a3", LATER, staff="emma"), known=HANS) == Started()


def test_people_are_named_in_the_appointment_and_the_customers_record_only(place: Place) -> None:
    under_way = begun(place)
    leave_open(place, under_way, alert=ALERT)
    moved(place, under_way, audit=AUDIT)
    for item in place.all_items():
        kind = item["pk"].split("#")[2]
        personal = [each for each in (HANS.name, HANS.email, HANS.phone or "") if each in repr(item)]
        assert bool(personal) is (kind in {"APPT", "CUSTOMER"}), item
