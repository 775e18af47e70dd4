"""Duplicates: I1's rule. Kept is what the booking names, the others go here alone, and what nothing names stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bookend.adapters.dynamodb import items, keys
from bookend.adapters.dynamodb.cases import DynamoCases
from bookend.adapters.dynamodb.imports import DynamoDuplicates
from bookend.adapters.dynamodb.items import to_wire
from bookend.application import reviewing
from bookend.application.background import Background
from bookend.application.budget import MOST_DESTRUCTIVE, Limits
from bookend.application.deadline import Deadline
from bookend.application.duplicates import Done, DuplicateReport, Kind, Searching, repair_duplicates
from bookend.application.ports import BookingRequest
from bookend.application.remedying import RemedyLimits, remedy
from bookend.application.reviewing import Decided, Decision, NotPossible, Would, decide
from bookend.cli_review import came_to, would_do
from bookend.domain.answers import Booking, Unclear
from bookend.domain.appointment import Appointment, AppointmentState
from bookend.domain.cases import Case, CaseState, Ending, SyncFailure
from bookend.domain.reviews import Choice
from bookend.domain.staff_day import Interval, IntervalState, interval_key
from tests.support.seeded import SeededWorld

EIGHT = datetime(2025, 10, 30, 7, 0, tzinfo=UTC)
"""08:00 in Berlin, when nobody else is there."""
LOOKS_BEFORE = 1
"""How often a booking is read before anything is decided about it."""


class Table:
    """A world into which duplicates were restored past all guards."""

    def __init__(self) -> None:
        self.world = SeededWorld.grown(0)
        self.cases = DynamoCases(self.world.salon.table)

    def add(self, name: str, start: datetime = EIGHT, **changed: Any) -> Appointment:
        made = self.world.appointment(
            name, "fabian", start, host=28, **{"uid": "8Fxv4", "booking_id": 11489895} | changed
        )
        self.world.put(items.appointment_to_item("friseur1", made))
        for segment in made.segments:
            self.put_interval(made, segment.staff, segment.index)
        return made

    def put_interval(self, made: Appointment, staff: str, index: int) -> None:
        slot = made.segments[index].slot
        for day in slot.utc_days():
            read = self.world.salon.appointments.staff_days("friseur1", {(staff, day)}).day(staff, day)
            key = interval_key(made.id, index)
            new = Interval(key, slot, IntervalState.CONFIRMED, made.op, conflict=bool(read.intervals))
            self.world.put(items.staff_day_to_item("friseur1", replace(read, intervals={**read.intervals, key: new})))

    def guard(self, made: Appointment) -> None:
        self.world.put_guards(made)
        self.world.put(
            keys.customer_guard("friseur1", made.customer.id, made.slot.start, made.service)
            | to_wire({"appt": made.id})
        )

    def booking(self, of: Appointment, **changed: Any) -> Booking:
        made = self.world.booking_of(of, **changed)
        self.world.calendar.bookings[made.uid] = made
        return made

    def background(self) -> Background:
        world = self.world
        return Background(
            tenant=world.tenant,
            appointments=world.salon.appointments,
            adoptions=world.adoptions,
            changes=world.salon.changes,
            calendar=world.calendar,
            alerts=world.alerts,
            clock=world.clock,
            deadline=Deadline.within(900, world.clock),
            duplicates=DynamoDuplicates(world.salon.table),
            by="anna",
        )

    def search(self, *, apply: bool = True, most: int = MOST_DESTRUCTIVE) -> DuplicateReport:
        today = self.world.clock.now().date()
        return repair_duplicates(
            Searching(
                work=self.background(),
                duplicates=DynamoDuplicates(self.world.salon.table),
                cases=self.cases,
                first=today,
                last=today + timedelta(days=30),
                limits=Limits(apply=apply, requests=1000, most_destructive=most, patient=True),
            )
        )

    def now(self, made: Appointment) -> Appointment:
        return self.world.now_is(made.id)

    def intervals(self) -> dict[str, Interval]:
        days = self.world.salon.appointments.staff_days("friseur1", {("fabian", EIGHT.date())})
        return dict(days.day("fabian", EIGHT.date()).intervals)

    def owner(self, uid: str) -> str | None:
        return self.world.adoptions.owner("friseur1", uid)


@pytest.fixture
def table() -> Table:
    return Table()


def two(table: Table) -> tuple[Appointment, Appointment]:
    """I1: 643 points at the booking of 642."""
    rightful = table.add("a642", call="call_687")
    wrong = table.add("a643", call="call_688")
    table.guard(wrong)
    table.booking(rightful, metadata={"call_id": "call_687"})
    return rightful, wrong


def test_the_one_whose_call_the_booking_names_stays_and_the_other_is_cancelled_here(table: Table) -> None:
    rightful, wrong = two(table)
    report = table.search()
    (found,) = report.found
    assert (found.kind, found.booking, found.kept, found.goes) == (Kind.APPOINTMENTS, "8Fxv4", "a642", "a643")
    assert (found.why, found.done) == ("it names this call", Done.RING)
    assert table.now(rightful).state is AppointmentState.CONFIRMED
    after = table.now(wrong)
    assert (after.state, after.why) == (AppointmentState.CANCELLED, "duplicate")
    assert {key: each.conflict for key, each in table.intervals().items()} == {"a642/0": False}
    assert table.owner("8Fxv4") == "a642"
    assert table.world.calendar.bookings["8Fxv4"].status == "accepted", "the booking is the other one's"
    (audit,) = [each for each in table.world.kind("AUDIT") if each["repair"] == "end_duplicate"]
    assert (audit["by"], audit["booking"]) == ("anna", "8Fxv4")
    assert table.search().found == []


def test_without_apply_nothing_is_written_and_the_same_is_said(table: Table) -> None:
    two(table)
    before = table.world.table()
    (planned,) = table.search(apply=False).found
    assert table.world.table() == before
    (done,) = table.search().found
    assert replace(planned, done=Done.RING) == done


def test_another_customer_who_loses_theirs_is_before_a_person_who_rings_them(table: Table) -> None:
    """Incident I1: 643 heard "gebucht" and has none."""
    _, wrong = two(table)
    table.search()
    (case,) = table.cases.unclosed("friseur1")
    assert (case.state, case.appointment, case.booking, case.why) == (CaseState.REVIEW, "a643", "8Fxv4", "has_none")
    assert case.customer == wrong.customer
    work = table.background()
    assert isinstance(decide(work, table.cases, case.id, Choice.CANCEL, by="Maria", apply=True), NotPossible)
    done = decide(work, table.cases, case.id, Choice.KEEP_OURS, by="Maria", apply=True)
    assert isinstance(done, Decided)
    assert done.case.ending is Ending.BY_HAND
    assert table.world.calendar.bookings["8Fxv4"].status == "accepted"


def test_the_same_customers_second_one_ends_without_a_case(table: Table) -> None:
    kept = table.add("a753")
    other = table.add("a754", customer=kept.customer)
    table.booking(kept)
    assert [each.done for each in table.search().found] == [Done.ENDED]
    assert table.now(other).state is AppointmentState.CANCELLED
    assert not table.cases.unclosed("friseur1")


def test_a_booking_that_several_stand_on_is_not_cancelled_for_one_of_them(table: Table) -> None:
    first = table.add("a642")
    table.add("a643")
    table.booking(first, metadata={}, attendees=("termin@askproai.de",))
    table.search()
    for choice in (Choice.CANCEL, Choice.TAKE_THEIRS):
        refused = decide(table.background(), table.cases, "duplicate-8Fxv4", choice, by="Maria", apply=True)
        assert isinstance(refused, NotPossible)
        assert "stands on the same booking" in refused.why
    assert table.world.calendar.bookings["8Fxv4"].status == "accepted"


def test_both_of_a_customers_may_stay_and_that_is_not_asked_again(table: Table) -> None:
    first = table.add("a1")
    second = table.add("a2", customer=first.customer, uid="other", booking_id=2)
    for each in (first, second):
        table.booking(each)
    table.guard(first)
    table.world.put_guards(second)
    table.search()
    done = decide(table.background(), table.cases, "duplicate-other", Choice.KEEP_OURS, by="Maria", apply=True)
    assert isinstance(done, Decided)
    assert done.case.ending is Ending.BY_HAND
    assert {table.now(each).state for each in (first, second)} == {AppointmentState.CONFIRMED}
    assert [each.done for each in table.search().found] == [Done.DECIDED]
    assert not table.cases.unclosed("friseur1")


def test_the_appointment_that_it_names_goes_before_the_call(table: Table) -> None:
    first, second = table.add("a642", call="call_687"), table.add("a643", call="call_688")
    table.booking(first, metadata={"appointment": "a643", "call_id": "call_687"})
    assert [each.kept for each in table.search().found] == ["a643"]
    assert table.now(second).state is AppointmentState.CONFIRMED


def test_where_nothing_is_named_nothing_is_ended_and_a_person_decides(table: Table) -> None:
    first, second = table.add("a642"), table.add("a643")
    table.booking(first, metadata={}, attendees=("termin@askproai.de",))
    (found,) = table.search().found
    assert (found.kept, found.goes, found.done) == ("", "a642, a643", Done.REVIEW)
    assert {table.now(each).state for each in (first, second)} == {AppointmentState.CONFIRMED}
    case = table.cases.case("friseur1", "duplicate-8Fxv4")
    assert case is not None
    assert (case.state, case.failure) == (CaseState.REVIEW, SyncFailure.DOUBLE_BOOKING)
    assert case.facts["appointments"] == "a642 a643"


def test_of_two_of_one_call_the_attendee_says_whose_it_is(table: Table) -> None:
    """A mother has booked for two in one call: the call that the booking names tells nothing."""
    first, second = table.add("a642", call="call_687"), table.add("a643", call="call_687")
    table.booking(second, metadata={"call_id": "call_687"})
    assert first.customer.email != second.customer.email
    (found,) = table.search().found
    assert (found.kept, found.goes, found.why) == ("a643", "a642", "its attendee is this customer")
    assert table.now(second).state is AppointmentState.CONFIRMED


def test_of_two_of_one_customer_and_one_call_nothing_is_ended(table: Table) -> None:
    first = table.add("a642", call="call_687")
    second = table.add("a643", call="call_687", customer=first.customer)
    table.booking(first, metadata={"call_id": "call_687"})
    found = next(each for each in table.search().found if each.kind is Kind.APPOINTMENTS)
    assert (found.kept, found.why, found.done) == ("", "it names none of them", Done.REVIEW)
    assert {table.now(each).state for each in (first, second)} == {AppointmentState.CONFIRMED}


def test_who_shares_a_part_only_is_not_ended_for_it(table: Table) -> None:
    """Its other part would stand at Cal.com, and be nobody's here."""
    kept, other = table.add("a642"), table.add("a643")
    second_part = replace(other.segments[0], index=1, uid="part2", booking_id=2)
    table.world.put(items.appointment_to_item("friseur1", replace(other, segments=(*other.segments, second_part))))
    table.booking(kept, metadata={"appointment": "a642"})
    (found,) = table.search().found
    assert (found.kept, found.why, found.done) == ("a642", "they share a part only", Done.REVIEW)
    assert {table.now(each).state for each in (kept, other)} == {AppointmentState.CONFIRMED}


def test_the_last_day_is_searched_too(table: Table) -> None:
    last = datetime.combine(table.world.clock.now().date() + timedelta(days=30), EIGHT.time(), UTC)
    kept = table.add("a642", last)
    table.add("a643", last)
    table.booking(kept, metadata={"appointment": "a642"})
    assert [(each.kept, each.done) for each in table.search().found] == [("a642", Done.RING)]


def test_of_three_two_go(table: Table) -> None:
    """I5: 753, 754 and 755 on booking 13060966."""
    kept = table.add("a753")
    others = [table.add("a754"), table.add("a755")]
    table.guard(others[1])
    table.booking(kept)
    assert [each.done for each in table.search().found] == [Done.RING, Done.RING]
    assert {table.now(each).state for each in others} == {AppointmentState.CANCELLED}
    assert table.owner("8Fxv4") == "a753"


def test_more_than_the_limit_is_left(table: Table) -> None:
    kept = table.add("a753")
    table.add("a754")
    table.add("a755")
    table.booking(kept)
    assert [each.done for each in table.search(most=1).found] == [Done.RING, Done.LEFT]


def test_a_booking_that_cannot_be_read_ends_nobody(table: Table) -> None:
    two(table)
    table.world.calendar.booking = lambda uid, *, deadline: Unclear("ReadTimeout")
    assert [each.done for each in table.search().found] == [Done.LATER]
    assert len(table.intervals()) == 2


@pytest.mark.parametrize("loser", ["a642", "a643"])
def test_whoever_was_changed_meanwhile_is_decided_anew(table: Table, loser: str) -> None:
    """The version of both is part of the condition."""
    two(table)
    read = table.world.calendar.booking

    def changed(uid: str, **more: Any) -> Any:
        key = keys.appointment("friseur1", loser)
        table.world.client.update_item(
            TableName="appointments",
            Key=key,
            UpdateExpression="SET ver = ver + :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )
        return read(uid, **more)

    table.world.calendar.booking = changed
    assert [each.done for each in table.search().found] == [Done.LATER]
    assert len(table.intervals()) == 2


def test_the_guard_of_the_customers_time_passes_to_the_one_that_stays(table: Table) -> None:
    kept = table.add("a753")
    who = kept.customer
    other = table.add("a754", customer=who)
    table.guard(other)
    table.booking(kept)
    table.search()
    (guard,) = table.world.salon.items("CUST#")
    assert guard["appt"]["S"] == "a753"


def test_a_customer_with_two_of_the_same_is_before_a_person(table: Table) -> None:
    first = table.add("a1")
    second = table.add("a2", customer=first.customer, uid="other", booking_id=2)
    table.booking(first)
    table.booking(second)
    (found,) = table.search().found
    assert (found.kind, found.done) == (Kind.TIMES, Done.REVIEW)
    assert {table.now(each).state for each in (first, second)} == {AppointmentState.CONFIRMED}


def twice_at_calcom(table: Table, **changed: Any) -> Appointment:
    made = table.add("a1")
    table.guard(made)
    table.booking(made)
    table.booking(
        made,
        uid="second",
        id=7,
        start=made.slot.start + timedelta(hours=1),
        end=made.slot.end + timedelta(hours=1),
        **changed,
    )
    return made


def test_a_second_booking_that_cal_com_made_by_itself_is_cancelled_there(table: Table) -> None:
    made = twice_at_calcom(table)
    (found,) = table.search().found
    assert (found.kind, found.kept, found.goes, found.done) == (Kind.BOOKINGS, "8Fxv4", "second", Done.CANCELLED)
    assert table.world.calendar.bookings["second"].status == "cancelled"
    assert table.world.calendar.bookings["8Fxv4"].status == "accepted"
    assert table.now(made).state is AppointmentState.CONFIRMED
    assert table.search().found == []


def test_what_is_cancelled_there_is_ours_and_on_record_before(table: Table) -> None:
    made = twice_at_calcom(table)
    table.search()
    assert table.owner("second") == made.id, "its events find their home"
    (audit,) = [each for each in table.world.kind("AUDIT") if each["repair"] == "cancel_duplicate"]
    assert (audit["by"], audit["booking"]) == ("anna", "second")


def test_one_that_becomes_anothers_in_this_moment_is_not_cancelled(table: Table) -> None:
    twice_at_calcom(table)
    read = table.world.calendar.booking

    def and_it_is_taken_over(uid: str, **more: Any) -> Any:
        if uid == "8Fxv4":  # the last look before
            table.world.put(keys.booking_uid("friseur1", "second") | to_wire({"appt": "a2"}))
        return read(uid, **more)

    table.world.calendar.booking = and_it_is_taken_over  # type: ignore[method-assign]
    assert [each.done for each in table.search().found] == [Done.LATER]
    assert table.world.calendar.bookings["second"].status == "accepted"
    assert table.owner("second") == "a2"


def test_one_with_another_guest_is_no_second_booking_of_ours(table: Table) -> None:
    """Somebody has put another guest into it, or copied it for one: its labels alone do not make it ours."""
    twice_at_calcom(table, attendees=("anna@web.example",))
    (found,) = table.search().found
    assert (found.kind, found.done) == (Kind.BOOKINGS, Done.REVIEW)
    assert table.world.calendar.bookings["second"].status == "accepted"
    assert table.owner("second") is None


def lying(table: Table) -> None:
    """The list shows as accepted whatever it shows."""
    listed = table.world.calendar.page

    def lie(*asked: Any, **more: Any) -> Any:
        page = listed(*asked, **more)
        return replace(page, bookings=tuple(replace(each, status="accepted") for each in page.bookings))

    table.world.calendar.page = lie  # type: ignore[method-assign]


@pytest.mark.parametrize("apply", [False, True])
def test_a_list_that_shows_our_cancelled_booking_as_live_loses_nobody_the_other_one(
    table: Table, *, apply: bool
) -> None:
    """The salon has cancelled one of the two, no event has told of it yet, and the list lags."""
    twice_at_calcom(table)
    table.world.calendar.change("8Fxv4", status="cancelled")
    lying(table)
    (found,) = table.search(apply=apply).found
    assert (found.goes, found.why, found.done) == ("second", "its own booking is cancelled there", Done.LATER)
    assert table.world.calendar.bookings["second"].status == "accepted"


def test_nothing_is_cancelled_while_our_own_booking_is_not_shown(table: Table) -> None:
    twice_at_calcom(table)
    read = table.world.calendar.booking
    table.world.calendar.booking = lambda uid, **more: Unclear("ReadTimeout") if uid == "8Fxv4" else read(uid, **more)
    assert [each.done for each in table.search().found] == [Done.LATER]
    assert table.world.calendar.bookings["second"].status == "accepted"


def test_one_that_a_person_moved_is_theirs(table: Table) -> None:
    twice_at_calcom(table, rescheduled_from="8Fxv4")
    (found,) = table.search().found
    assert (found.kind, found.done) == (Kind.BOOKINGS, Done.REVIEW)
    assert table.world.calendar.bookings["second"].status == "accepted"


def test_a_list_that_is_not_to_be_had_is_said(table: Table) -> None:
    two(table)
    table.world.calendar.list_faults.append(lambda *_: Unclear("ReadTimeout"))
    report = table.search()
    assert report.silent
    assert [each.done for each in report.found] == [Done.RING]


def test_a_healthy_table_has_none() -> None:
    table = Table()
    table.world = SeededWorld.grown(60, days=10)
    table.cases = DynamoCases(table.world.salon.table)
    report = table.search()
    assert (report.found, report.appointments, report.bookings) == ([], 60, 60)


def test_others_bookings_of_one_guest_are_nobodys_duplicates(table: Table) -> None:
    for minutes in (0, 60):
        request = BookingRequest(
            3672814, EIGHT + timedelta(minutes=minutes), "G", "g@example.org", None, "UTC", "de", {}
        )
        table.world.calendar.insert(request)
    assert table.search().found == []


def test_the_cases_it_opens_name_who_ran_it(table: Table) -> None:
    first, _ = table.add("a642"), table.add("a643")
    table.booking(first, metadata={}, attendees=("termin@askproai.de",))
    table.search()
    (case,) = table.cases.unclosed("friseur1")
    assert case.by == "anna"


def test_nobody_is_rung_for_an_appointment_that_has_not_ended(table: Table) -> None:
    """The salon gives 643 a booking of its own in just this moment: the end is lost, and with it whom to ring."""
    _, wrong = two(table)
    read = table.world.calendar.booking

    def meanwhile(uid: str, **more: Any) -> Any:
        own = replace(wrong.segments[0], uid="own643", booking_id=643)
        table.world.put(
            items.appointment_to_item("friseur1", replace(wrong, segments=(own,), version=wrong.version + 1))
        )
        return read(uid, **more)

    table.world.calendar.booking = meanwhile  # type: ignore[method-assign]
    assert [each.done for each in table.search().found] == [Done.LATER]
    assert table.now(wrong).state is AppointmentState.CONFIRMED
    assert not table.cases.unclosed("friseur1")


def shared(table: Table) -> tuple[Appointment, Appointment]:
    """Two customers' appointments on one booking that names neither."""
    first, second = table.add("a642"), table.add("a643")
    table.guard(first)
    table.booking(first, metadata={}, attendees=("termin@askproai.de",))
    table.search()
    return first, second


def keep(table: Table, name: str) -> Decision:
    return decide(table.background(), table.cases, "duplicate-8Fxv4", Choice.KEEP, by="Maria", keep=name, apply=True)


def test_a_person_says_which_one_is_right_and_the_other_is_ended_here_alone(table: Table) -> None:
    first, second = shared(table)
    done = keep(table, "a643")
    assert isinstance(done, Decided)
    assert (done.case.state, done.case.ending, done.case.appointment) == (CaseState.CLOSED, Ending.EQUAL, "a643")
    assert (table.now(first).state, table.now(first).why) == (AppointmentState.CANCELLED, "duplicate")
    assert table.now(second) == second
    assert table.owner("8Fxv4") == "a643"
    assert table.world.calendar.bookings["8Fxv4"].status == "accepted"
    (audit,) = [each for each in table.world.kind("AUDIT") if each["repair"] == "end_duplicate"]
    assert audit["by"] == "Maria"
    (ring,) = table.cases.unclosed("friseur1")
    assert (ring.why, ring.appointment, ring.by) == ("has_none", "a642", "Maria"), "they were told they have one"


@pytest.mark.parametrize("name", ["", "a999"])
def test_only_one_that_stands_on_the_booking_can_be_kept(table: Table, name: str) -> None:
    both = shared(table)
    refused = keep(table, name)
    assert isinstance(refused, NotPossible)
    assert "--appointment with one of a642, a643" in refused.why
    assert tuple(table.now(each) for each in both) == both


def test_one_that_changed_after_it_was_decided_is_decided_again(table: Table) -> None:
    first, second = shared(table)
    change = table.cases.change

    def and_meanwhile_it_changes(tenant: str, before: Case, after: Case, **more: Any) -> bool:
        table.cases.change = change  # type: ignore[method-assign]
        stored = change(tenant, before, after, **more)
        table.world.put(items.appointment_to_item("friseur1", replace(first, version=first.version + 1)))
        return stored

    table.cases.change = and_meanwhile_it_changes  # type: ignore[method-assign]
    done = keep(table, "a643")
    assert isinstance(done, Decided)
    assert (done.case.state, done.case.decision) == (CaseState.REVIEW, "")
    assert {table.now(each).state for each in (first, second)} == {AppointmentState.CONFIRMED}


def test_a_booking_that_is_silent_ends_nobody_and_the_next_run_goes_on(table: Table) -> None:
    first, _ = shared(table)
    booking, read = table.world.calendar.booking, []

    def falls_silent(uid: str, **more: Any) -> Any:
        read.append(uid)
        return booking(uid, **more) if len(read) <= LOOKS_BEFORE else Unclear("ReadTimeout")

    table.world.calendar.booking = falls_silent  # type: ignore[method-assign]
    done = keep(table, "a643")
    assert isinstance(done, Decided)
    assert done.case.decision == "keep a643"
    assert table.now(first).state is AppointmentState.CONFIRMED
    table.world.calendar.booking = booking  # type: ignore[method-assign]
    remedy(table.background(), table.cases, RemedyLimits())
    closed = table.cases.case("friseur1", "duplicate-8Fxv4")
    assert closed is not None
    assert (closed.ending, table.now(first).state) == (Ending.EQUAL, AppointmentState.CANCELLED)


def test_of_a_customers_two_it_is_said_which_one_a_decision_is_about(table: Table) -> None:
    first = table.add("a1")
    second = table.add("a2", customer=first.customer, uid="other", booking_id=2)
    for each in (first, second):
        table.booking(each)
        table.world.put_guards(each)
    table.search()
    would = decide(table.background(), table.cases, "duplicate-other", Choice.CANCEL, by="Maria")
    assert isinstance(would, Would)
    assert (would.evidence.appointment, would.evidence.booking and would.evidence.booking.uid) == (second, "other")
    told = would_do(Choice.CANCEL, would.evidence, table.world.tenant.zone)
    assert told == "Would cancel a2 on 2025-10-30 08:00 (booking other), on both sides."
    done = decide(table.background(), table.cases, "duplicate-other", Choice.CANCEL, by="Maria", apply=True)
    assert isinstance(done, Decided)
    assert "about appointment a2, booking other; a1 is looked at apart." in came_to(done.case)
    assert table.now(first) == first


def test_nobody_is_kept_whose_booking_is_not_all_that_the_others_stand_on(table: Table) -> None:
    """Its other part would stand at Cal.com, and be nobody's here."""
    first, _ = shared(table)
    second_part = replace(first.segments[0], index=1, uid="part2", booking_id=2)
    table.world.put(items.appointment_to_item("friseur1", replace(first, segments=(*first.segments, second_part))))
    refused = keep(table, "a643")
    assert isinstance(refused, NotPossible)
    assert "share a part only" in refused.why
    assert table.now(first).state is AppointmentState.CONFIRMED


@pytest.mark.parametrize("before", [True, False])
def test_nobody_is_kept_on_a_booking_that_is_cancelled(table: Table, *, before: bool) -> None:
    """Cancelled before it was decided, or after it and before it was done."""
    first, _ = shared(table)
    change = table.cases.change

    def cancel() -> None:
        seen = table.world.calendar.bookings["8Fxv4"]
        table.world.calendar.bookings["8Fxv4"] = replace(seen, status="cancelled")

    def and_meanwhile_it_goes(tenant: str, old: Case, new: Case, **more: Any) -> bool:
        table.cases.change = change  # type: ignore[method-assign]
        cancel()
        return change(tenant, old, new, **more)

    if before:
        cancel()
    else:
        table.cases.change = and_meanwhile_it_goes  # type: ignore[method-assign]
    done = keep(table, "a643")
    assert isinstance(done, NotPossible if before else Decided)
    case = table.cases.case("friseur1", "duplicate-8Fxv4")
    assert case is not None
    assert (case.state, case.decision) == (CaseState.REVIEW, "")
    assert table.now(first).state is AppointmentState.CONFIRMED


def test_a_choice_that_was_taken_back_ends_nobody_in_a_run_that_had_read_it_before(table: Table) -> None:
    first, second = shared(table)
    with pytest.MonkeyPatch.context() as patch:  # the command dies right behind its decision
        patch.setattr(reviewing, "carry_on", lambda _work, _cases, case: case)
        keep(table, "a643")
    unclosed = table.cases.unclosed

    def and_then(tenant: str) -> Any:
        found = unclosed(tenant)
        table.cases.unclosed = unclosed  # type: ignore[method-assign]
        decide(table.background(), table.cases, "duplicate-8Fxv4", Choice.RETRY, by="Ute", apply=True)
        return found

    table.cases.unclosed = and_then  # type: ignore[method-assign]
    remedy(table.background(), table.cases, RemedyLimits())
    assert {table.now(each).state for each in (first, second)} == {AppointmentState.CONFIRMED}
    left = {each.id: (each.state, each.decision, each.why) for each in table.cases.unclosed("friseur1")}
    assert left["duplicate-8Fxv4"][:2] == (CaseState.REVIEW, "")
    assert "has_none" not in {why for _, _, why in left.values()}, "and nobody is rung"
