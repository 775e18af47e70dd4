"""Each class of failure has its remedy, and none declares anything booked that was not read at Cal.com."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bookend.application import alerts
from bookend.application.ports import BookingRequest, Page
from bookend.application.remedying import remedy
from bookend.domain.answers import Answered, Booking, CreateAnswer, NotSent, NotThere, Refusal, Refused, Unclear
from bookend.domain.appointment import AppointmentState
from bookend.domain.cases import Case, CaseState, Ending, SyncFailure
from bookend.domain.remedies import MOST_TRIES
from bookend.domain.reviews import Choice
from tests.application.convergence.world import HAIRCUT, TEN, TENANT
from tests.application.remedies.ward import CALL, Ward, later, person
from tests.support.calendar import BUSY, FakeCalendar, lost_after, lost_before

PAST = 'HTTP 400 {"message": "Attempting to book a meeting in the past."}'
TRUNCATED = 'HTTP 400 {"status":"error","timestamp":"2025-11-23T22:06:0'
WHOLE = (
    'HTTP 400 {"status":"error","error":{"code":"BadRequestException","message":"User either already has booking at '
    'this time or is not available"}}'
)


@pytest.fixture
def ward() -> Ward:
    return Ward()


def busy(_: FakeCalendar, __: BookingRequest) -> CreateAnswer:
    return BUSY


def ends(case: Case) -> tuple[CaseState, Ending | None]:
    return case.state, case.ending


def booking_there(ward: Ward, *, email: str, call: str = "", number: int | None = None, **more: Any) -> Booking:
    """One that the other system had made."""
    metadata = {"call_id": call} if call else {}
    made = ward.world.calendar.insert(
        BookingRequest(HAIRCUT["fabian"], TEN, "Gast", email, None, "Europe/Berlin", "de", metadata)
    )
    return ward.world.calendar.change(made.uid, **({"id": number} if number else {}), **more)


def test_without_a_contact_it_is_booked_under_an_address_of_its_own(ward: Ward) -> None:
    first, second = person(1), person(2)
    ward.open(1, SyncFailure.MISSING_CONTACT, customer=first)
    ward.open(2, SyncFailure.MISSING_CONTACT, customer=second, start=later(hours=1))
    ward.remedy()
    assert [ends(ward.case(each)) for each in (1, 2)] == [(CaseState.CLOSED, Ending.BOOKED)] * 2
    addresses = {each.attendees for each in ward.world.calendar.accepted()}
    assert addresses == {(ward.placed(first),), (ward.placed(second),)}
    assert not ward.breaches()


@pytest.mark.parametrize("failure", [SyncFailure.COMPOSITE_FAILURE, SyncFailure.PHASE_ERROR])
def test_the_parts_of_a_composite_come_from_the_services_definition(ward: Ward, failure: SyncFailure) -> None:
    ward.open(1, failure, service="dauerwelle")
    ward.remedy()
    case = ward.case(1)
    mine = ward.ours(case)
    assert ends(case) == (CaseState.CLOSED, Ending.BOOKED)
    assert mine is not None
    assert [(s.slot.start - TEN, s.slot.duration) for s in mine.segments] == [
        (timedelta(0), timedelta(minutes=45)),
        (timedelta(minutes=105), timedelta(minutes=30)),
    ]
    assert [each.status for each in ward.world.calendar.bookings.values()] == ["accepted"] * 2
    assert not ward.breaches()


def test_a_composite_of_which_a_part_is_refused_is_taken_back_whole_and_shown_to_a_person(ward: Ward) -> None:
    ward.world.calendar.book_publicly(3757750, later(minutes=105))
    ward.open(1, SyncFailure.COMPOSITE_FAILURE, service="dauerwelle")
    ward.rounds(2)
    case = ward.case(1)
    assert (case.state, case.failure) == (CaseState.REVIEW, SyncFailure.HOST_UNAVAILABLE)
    assert BUSY.detail in case.answers
    assert [e.status for e in ward.world.calendar.bookings.values() if e.metadata] == ["cancelled"]
    assert not ward.breaches()


def test_several_on_one_booking_keep_the_one_whose_call_it_names(ward: Ward) -> None:
    """753, 754 and 755: one customer, one booking. The second one's call is what the booking was made in."""
    customer = person(7, email="hans@web.example")
    made = booking_there(ward, email="termin@askproai.de", call=CALL, number=13060966)
    for number, call in ((753, "call_a"), (754, CALL), (755, "call_b")):
        ward.open(number, SyncFailure.DOUBLE_BOOKING, customer=customer, booking_id="13060966", call=call)
    ward.remedy()
    assert [ends(ward.case(each)) for each in (753, 754, 755)] == [
        (CaseState.CLOSED, Ending.DUPLICATE),
        (CaseState.CLOSED, Ending.EQUAL),
        (CaseState.CLOSED, Ending.DUPLICATE),
    ]
    assert [(each.segments[0].uid, each.customer.id) for each in ward.confirmed()] == [(made.uid, customer.id)]
    assert ward.world.calendar.bookings[made.uid].status == "accepted"
    assert len(ward.world.calendar.bookings) == 1
    assert len(ward.audits("case_duplicate")) == 2


def test_where_the_booking_names_no_call_it_is_who_comes_and_the_first_of_their_rows(ward: Ward) -> None:
    customer = person(7, email="hans@web.example")
    booking_there(ward, email="hans@web.example", number=13060966)
    for number in (755, 753):
        ward.open(number, SyncFailure.DOUBLE_BOOKING, customer=customer, booking_id="13060966")
    ward.remedy()
    assert [ward.case(each).ending for each in (753, 755)] == [Ending.EQUAL, Ending.DUPLICATE]


def test_another_persons_claim_to_the_booking_is_for_a_person_to_decide(ward: Ward) -> None:
    """Incident I1: 642 and 643. The second customer heard "gebucht" and has none."""
    booking_there(ward, email="termin@askproai.de", call="call_687", number=11489895)
    ward.open(642, SyncFailure.DOUBLE_BOOKING, booking_id="11489895", call="call_687")
    ward.open(643, SyncFailure.DOUBLE_BOOKING, booking_id="11489895", call="call_688")
    ward.remedy()
    assert [ends(ward.case(each)) for each in (642, 643)] == [
        (CaseState.CLOSED, Ending.EQUAL),
        (CaseState.REVIEW, None),
    ]


def test_a_booking_that_an_import_took_in_leaves_the_other_rows_as_duplicates(ward: Ward) -> None:
    """Nobody's rival is left, and the booking names nobody: it is the one's that has it."""
    customer = person(7, email="hans@web.example")
    booking_there(ward, email="hans@web.example", number=13060966)
    ward.open(753, SyncFailure.DOUBLE_BOOKING, customer=customer, booking_id="13060966")
    ward.remedy()
    (kept,) = ward.confirmed()
    table = ward.world.salon.table_name
    for row in ward.world.rows(f"APPT#{kept.id}"):
        ward.world.client.put_item(TableName=table, Item=row | {"source": {"S": "import"}})
    ward.open(754, SyncFailure.DOUBLE_BOOKING, customer=customer, booking_id="13060966")
    ward.remedy()
    assert (ward.case(754).ending, ward.case(754).appointment) == (Ending.DUPLICATE, kept.id)
    assert len(ward.confirmed()) == 1


def test_what_has_begun_is_history(ward: Ward) -> None:
    ward.open(664, SyncFailure.OTHER, start=ward.now - timedelta(days=3), answers=(PAST,))
    ward.remedy()
    assert ends(ward.case(664)) == (CaseState.CLOSED, Ending.HISTORICAL)
    assert not ward.world.calendar.asked


@pytest.mark.parametrize("lacks", ["service", "staff", "start"])
def test_what_has_no_service_stylist_or_time_is_none(ward: Ward, lacks: str) -> None:
    case = ward.open(15, SyncFailure.INVALID_APPOINTMENT)
    with_less = {name: text for name, text in case.facts.items() if name != lacks}
    assert ward.cases.change(TENANT.id, case, replace(case, facts=with_less), now=ward.now + timedelta(seconds=1))
    ward.remedy()
    assert ends(ward.case(15)) == (CaseState.CLOSED, Ending.INVALID)
    assert not ward.world.calendar.asked


def test_a_service_that_is_not_sold_any_more_is_for_a_person(ward: Ward) -> None:
    ward.open(1, SyncFailure.OTHER, service="balayage")
    ward.remedy()
    assert ward.case(1).state is CaseState.REVIEW


def test_a_host_conflict_waits_for_a_person_and_nothing_is_sent(ward: Ward) -> None:
    ward.open(750, SyncFailure.HOST_UNAVAILABLE)
    ward.remedy()
    assert ward.case(750).state is CaseState.REVIEW
    assert "create" not in ward.world.calendar.asked


def test_what_cal_com_does_not_know_is_booked_anew(ward: Ward) -> None:
    """The ghost of incident I4: the number that it names answers 404."""
    ward.open(762, SyncFailure.NOT_FOUND, booking_id="13068993")
    ward.remedy()
    assert ends(ward.case(762)) == (CaseState.CLOSED, Ending.BOOKED)


def test_an_event_type_that_is_not_there_is_for_a_person(ward: Ward) -> None:
    ward.world.calendar.faults.append(lambda *_: NotThere("HTTP 404 event type not found"))
    ward.open(1, SyncFailure.OTHER)
    ward.remedy()
    assert (ward.case(1).state, ward.case(1).failure) == (CaseState.REVIEW, SyncFailure.NOT_FOUND)


def test_a_truncated_answer_is_asked_for_once_more_whole_and_classed_by_it(ward: Ward) -> None:
    ward.world.calendar.faults.append(lambda *_: Refused(Refusal.INVALID, WHOLE))
    ward.open(661, SyncFailure.OTHER, answers=(TRUNCATED,))
    ward.remedy()
    case = ward.case(661)
    assert (case.state, case.failure) == (CaseState.REVIEW, SyncFailure.HOST_UNAVAILABLE)
    assert case.answers == (TRUNCATED, WHOLE)
    assert ward.world.calendar.asked.count("create") == 1


def test_a_truncated_answer_that_is_none_any_more_is_booked(ward: Ward) -> None:
    ward.open(662, SyncFailure.OTHER, answers=(TRUNCATED,))
    ward.remedy()
    assert ends(ward.case(662)) == (CaseState.CLOSED, Ending.BOOKED)


def test_temporary_trouble_is_tried_again_with_growing_pauses_and_at_last_for_a_person(ward: Ward) -> None:
    ward.world.calendar.faults.extend([lambda *_: NotSent("no connection", unreachable=True)] * (MOST_TRIES + 3))
    ward.open(1, SyncFailure.TEMPORARY)
    begun = []
    for _ in range(4 * 24 * 6):
        before = ward.case(1).tries
        ward.remedy()
        if ward.case(1).tries > before:
            begun.append(ward.now)
        ward.world.run(300.0)
    pauses = [int((then - first).total_seconds()) // 60 for first, then in itertools.pairwise(begun)]
    assert pauses == [5, 10, 20, 40, 80, 160, 320]
    assert (ward.case(1).state, ward.case(1).failure) == (CaseState.REVIEW, SyncFailure.TEMPORARY)
    assert not ward.breaches()


def test_it_is_booked_at_the_next_try_after_temporary_trouble(ward: Ward) -> None:
    ward.world.calendar.faults.append(lambda *_: NotSent("no connection", unreachable=True))
    ward.open(1, SyncFailure.OTHER)
    ward.remedy()
    assert (ward.case(1).state, ward.case(1).failure) == (CaseState.OPEN, SyncFailure.TEMPORARY)
    ward.world.run(301.0)
    ward.remedy()
    assert ends(ward.case(1)) == (CaseState.CLOSED, Ending.BOOKED)
    assert not ward.breaches()


@pytest.mark.parametrize("fault", [lost_after, lost_before])
def test_an_unclear_answer_is_settled_before_anything_is_sent_again(ward: Ward, fault: Any) -> None:
    ward.world.calendar.faults.append(fault)
    ward.open(1, SyncFailure.OTHER)
    ward.remedy()
    assert ward.case(1).state is CaseState.OPEN
    ward.rounds(3)
    assert ends(ward.case(1)) == (CaseState.CLOSED, Ending.BOOKED)
    assert len(ward.world.calendar.accepted()) == 1
    assert not ward.breaches()


def test_a_booking_that_is_there_already_is_found_by_who_comes_and_taken_in(ward: Ward) -> None:
    made = booking_there(ward, email="kunde1@web.example")
    ward.open(1, SyncFailure.OTHER)
    ward.remedy()
    assert (ward.case(1).ending, ward.case(1).booking) == (Ending.EQUAL, made.uid)
    assert "create" not in ward.world.calendar.asked
    assert [each.customer.id for each in ward.confirmed()] == [person(1).id]


def test_what_its_address_has_with_another_stylist_is_not_taken_for_it(ward: Ward) -> None:
    """A couple with one address: the husband is with Fabian, booked on the public page, and she is to be with Emma."""
    theirs = booking_there(ward, email="familie@web.example")
    ward.world.reconcile()
    ward.open(1, staff="emma", customer=person(1, email="familie@web.example", phone="+491701111111"))
    ward.remedy()
    assert ends(ward.case(1)) == (CaseState.REVIEW, None), "or the salon has booked hers by hand with him: who knows"
    assert theirs.uid in ward.case(1).why
    assert [(each.staff, each.customer.phone) for each in ward.confirmed()] == [("fabian", None)]
    ward.decide("import-1", Choice.RETRY)
    ward.rounds(2)
    assert ends(ward.case(1)) == (CaseState.CLOSED, Ending.BOOKED)
    assert {(each.staff, each.customer.phone) for each in ward.confirmed()} == {
        ("fabian", None),
        ("emma", "+491701111111"),
    }


def test_what_its_address_has_with_another_stylist_is_not_cancelled_for_it(ward: Ward) -> None:
    theirs = booking_there(ward, email="familie@web.example")
    ward.open(1, staff="emma", customer=person(1, email="familie@web.example"))
    ward.remedy()
    ward.decide("import-1", Choice.CANCEL)
    ward.rounds(2)
    assert ends(ward.case(1)) == (CaseState.CLOSED, Ending.CANCELLED)
    assert [each.uid for each in ward.world.calendar.accepted()] == [theirs.uid]


def test_a_time_that_is_anothers_here_is_for_a_person_and_cal_com_is_not_asked(ward: Ward) -> None:
    ward.open(1, SyncFailure.OTHER)
    ward.open(2, SyncFailure.OTHER, start=later(minutes=15))
    ward.remedy()
    assert ends(ward.case(2)) == (CaseState.REVIEW, None)
    assert ward.case(2).failure is SyncFailure.HOST_UNAVAILABLE
    assert ward.world.calendar.asked.count("create") == 1


def test_the_same_appointment_told_twice_is_booked_once(ward: Ward) -> None:
    customer = person(7, email="hans@web.example")
    ward.open(1, SyncFailure.OTHER, customer=customer)
    ward.open(2, SyncFailure.OTHER, customer=customer)
    ward.remedy()
    ward.remedy()
    assert ward.case(1).ending is Ending.BOOKED
    assert (ward.case(2).ending, ward.case(2).appointment) == (Ending.DUPLICATE, ward.case(1).appointment)
    assert len(ward.world.calendar.accepted()) == 1


def test_it_is_closed_as_booked_only_after_it_was_read(ward: Ward) -> None:
    ward.open(1, SyncFailure.OTHER)
    shown = ward.world.calendar.shown
    ward.world.calendar.shown = dict  # type: ignore[method-assign]  # a replica that shows nothing
    ward.remedy()
    (mine,) = ward.confirmed()
    assert ward.case(1).state is CaseState.OPEN, "confirmed by its answer, and not read yet"
    ward.remedy()
    assert ward.case(1).state is CaseState.OPEN
    ward.world.calendar.shown = shown  # type: ignore[method-assign]
    ward.remedy()
    assert (ward.case(1).ending, ward.case(1).appointment) == (Ending.BOOKED, mine.id)


def test_an_answer_that_is_somebody_elses_booking_is_not_believed(ward: Ward) -> None:
    theirs = booking_there(ward, email="termin@askproai.de", call=CALL)
    ward.world.calendar.change(theirs.uid, start=later(hours=3), end=later(hours=3.5))
    ward.world.calendar.faults.append(lambda calendar, _: Answered(calendar.bookings[theirs.uid]))
    ward.open(1, SyncFailure.OTHER)
    ward.remedy()
    assert ward.case(1).state is not CaseState.CLOSED
    assert not ward.confirmed()
    assert ward.world.calendar.bookings[theirs.uid].status == "accepted"
    assert alerts.FOREIGN_BOOKING in {each.kind for each in ward.world.alerts.raised}


# Limits, dry runs, lists that lie


def test_a_dry_run_writes_nothing_and_sends_nothing(ward: Ward) -> None:
    _one_of_each(ward)
    before = ward.dump()
    report = ward.remedy(apply=False)
    assert ward.dump() == before
    assert "create" not in ward.world.calendar.asked
    assert {each.remedy for each in report.treated} >= {"Book", "historical", "ToReview", "invalid"}
    assert {each.came_to for each in report.treated} == {"planned"}
    assert report.changed == 0


def test_a_second_run_changes_nothing(ward: Ward) -> None:
    _one_of_each(ward)
    first = ward.remedy()
    assert first.changed > 0
    before, asked = ward.dump(), len(ward.world.calendar.asked)
    ward.world.run(900.0)
    again = ward.remedy()
    assert ward.dump() == before
    assert again.changed == 0
    assert len(ward.world.calendar.asked) == asked


def test_more_closings_than_on_any_ordinary_day_are_all_left_undone(ward: Ward) -> None:
    for number in range(6):
        ward.open(number, SyncFailure.INVALID_APPOINTMENT, service="")
    ward.open(9, SyncFailure.OTHER)
    report = ward.remedy()
    assert [ward.case(number).state for number in range(6)] == [CaseState.OPEN] * 6
    assert ward.case(9).ending is Ending.BOOKED, "what takes nothing away goes on"
    assert report.limited == 6
    assert alerts.BLAST_LIMIT in {each.kind for each in ward.world.alerts.raised}
    ward.remedy(most_destructive=6)
    assert [ward.case(number).ending for number in range(6)] == [Ending.INVALID] * 6


def test_what_can_only_be_held_back_or_waits_keeps_nobody_behind_it_waiting(ward: Ward) -> None:
    for number in range(6):
        ward.open(number, SyncFailure.INVALID_APPOINTMENT, service="")
    for number in range(6, 12):
        ward.open(number, SyncFailure.OTHER, service="")
    ward.world.run(60.0)
    ward.open(99, SyncFailure.OTHER, start=later(days=2))
    ward.remedy(most=4, most_of_class=2)
    assert ward.case(99).ending is Ending.BOOKED
    assert [ward.case(number).state for number in range(12)] == [CaseState.OPEN] * 12


def test_behind_more_than_one_run_can_look_at_all_have_their_turn(ward: Ward) -> None:
    for number in range(16):
        ward.open(number, SyncFailure.INVALID_APPOINTMENT, service="")
    ward.world.run(60.0)
    ward.open(99, SyncFailure.OTHER, start=later(days=2))
    for _ in range(8):
        ward.remedy(most=2, most_destructive=0)
        ward.world.run(900.0)
    assert ward.case(99).ending is Ending.BOOKED


def test_what_is_confirmed_here_and_not_shown_for_a_day_is_for_a_person(ward: Ward) -> None:
    ward.open(1, SyncFailure.OTHER)
    ward.world.calendar.shown = dict  # type: ignore[method-assign]
    ward.remedy()
    ward.remedy()
    assert ward.case(1).state is CaseState.OPEN
    ward.world.run(86_500.0)
    read = ward.world.calendar.booking
    ward.world.calendar.booking = lambda *_, **__: Unclear("HTTP 500")  # type: ignore[method-assign]
    ward.remedy()
    assert ward.case(1).state is CaseState.OPEN, "a silence says nothing"
    ward.world.calendar.booking = read  # type: ignore[method-assign]
    ward.remedy()
    assert (ward.case(1).state, ward.case(1).failure) == (CaseState.REVIEW, SyncFailure.NOT_FOUND)


def test_what_a_run_has_taken_over_before_becomes_its_customers(ward: Ward) -> None:
    """So that it is theirs when they ring."""
    who = person(1, email="kunde1@web.example", phone="+491701234567")
    booking_there(ward, email="kunde1@web.example", number=5001)
    ward.world.reconcile()
    ward.open(1, SyncFailure.OTHER, customer=who, booking_id="5001")
    ward.rounds(2)
    assert ward.case(1).ending is Ending.EQUAL
    mine = ward.ours(ward.case(1))
    assert mine is not None
    assert (mine.customer, mine.source) == (who, "import")
    ward.world.run(200)
    with ward.world.at_peace():
        found = ward.world.salon.changes.of_customer(TENANT.id, who.id, after=ward.now)
    assert [each.id for each in found] == [mine.id]
    assert len(ward.audits("link")) == 1
    assert not ward.breaches()


def test_a_run_does_so_many_and_so_many_of_a_class(ward: Ward) -> None:
    for number in range(4):
        ward.open(number, SyncFailure.OTHER, start=later(hours=number))
    ward.open(9, SyncFailure.MISSING_CONTACT, start=later(hours=5))
    ward.remedy(most_of_class=2)
    assert [ward.case(each).state is CaseState.CLOSED for each in (0, 1, 2, 3, 9)] == [True, True, False, False, True]
    ward.remedy(only=SyncFailure.OTHER, most=1)
    assert [ward.case(each).state is CaseState.CLOSED for each in (2, 3)] == [True, False]


def test_callers_come_first(ward: Ward) -> None:
    ward.open(1, SyncFailure.OTHER)
    ward.world.calendar.left = 10
    report = ward.remedy()
    assert report.stopped
    assert not ward.world.calendar.asked


def test_a_list_that_names_a_wrong_booking_does_no_damage(ward: Ward) -> None:
    """What is listed under the number is another's; read by its uid it is what it is."""
    theirs = booking_there(ward, email="eve@web.example", call=CALL)
    ward.world.calendar.change(theirs.uid, start=later(hours=3), end=later(hours=3.5))

    def lie(calendar: FakeCalendar, *_: Any) -> Page:
        shown = calendar.bookings[theirs.uid]
        lying = replace(shown, id=13060966, start=TEN, attendees=("kunde753@web.example",), metadata={})
        return Page((lying,), more=False)

    ward.world.calendar.list_faults.append(lie)
    ward.open(753, SyncFailure.DOUBLE_BOOKING, booking_id="13060966")
    ward.remedy()
    assert ends(ward.case(753)) == (CaseState.REVIEW, None)
    assert not ward.confirmed()
    assert ward.world.calendar.bookings[theirs.uid].status == "accepted"


def test_a_list_that_leaves_the_booking_out_does_no_damage(ward: Ward) -> None:
    made = booking_there(ward, email="kunde753@web.example", number=13060966)
    ward.world.calendar.list_faults.append(lambda *_: Page((), more=False))
    ward.open(753, SyncFailure.DOUBLE_BOOKING, booking_id="13060966")
    ward.remedy()
    assert ward.case(753).state is CaseState.REVIEW, "Cal.com refuses the second one, and a person looks"
    assert [each.uid for each in ward.world.calendar.accepted()] == [made.uid]
    assert not ward.confirmed()


def test_a_list_that_does_not_answer_decides_nothing(ward: Ward) -> None:
    case = ward.open(753, SyncFailure.DOUBLE_BOOKING, booking_id="13060966")
    ward.world.calendar.list_faults.append(lambda *_: Unclear("HTTP 500"))
    ward.remedy()
    assert ward.case(753) == case


def test_nobody_is_told_anything(ward: Ward) -> None:
    """The other system's customers were told "gebucht" long ago: a try that fails owes them no message."""
    ward.world.calendar.faults.append(busy)
    ward.open(1, SyncFailure.OTHER)
    ward.open(2, SyncFailure.OTHER, start=later(hours=2))
    ward.remedy()
    texts = {row["kind"]["S"]: row["told"]["S"] for row in ward.world.rows("OUT")}
    assert texts == {"booked": "booked"}


def test_the_report_tells_before_and_after(ward: Ward) -> None:
    _one_of_each(ward)
    report = ward.remedy()
    assert (report.before.unclosed, report.before.succeeded) == (6, 0.0)
    assert report.before.failures[SyncFailure.OTHER] == 2
    assert report.after.closed == {
        Ending.BOOKED: 2,
        Ending.HISTORICAL: 1,
        Ending.INVALID: 1,
        Ending.DUPLICATE: 1,
    }
    assert (report.after.review, report.after.succeeded) == (1, 2 / 3)
    assert {each.before.id: each.came_to for each in report.treated} == {
        "import-1": "booked",
        "import-2": "historical",
        "import-3": "REVIEW",
        "import-4": "invalid",
        "import-5": "booked",
        "import-6": "duplicate",
    }


def _one_of_each(ward: Ward) -> None:
    ward.open(1, SyncFailure.MISSING_CONTACT, customer=person(1))
    ward.open(2, SyncFailure.OTHER, start=ward.now - timedelta(days=2))
    ward.open(3, SyncFailure.HOST_UNAVAILABLE)
    ward.open(4, SyncFailure.INVALID_APPOINTMENT, service="")
    hans = person(7, email="hans@web.example")
    ward.open(5, SyncFailure.OTHER, start=later(hours=4), customer=hans)
    ward.open(6, SyncFailure.DOUBLE_BOOKING, start=later(hours=4), customer=hans, booking_id="1", duplicate_of="5")


def test_a_difference_that_is_over_closes_its_case_by_itself(ward: Ward) -> None:
    phone = ward.world.phone()
    ward.world.salon.open("2025-10-28")
    phone.book("2025-10-28", "10:00", staff="Fabian")
    (mine,) = ward.confirmed()
    uid = mine.segments[0].uid or ""
    ward.world.calendar.change(uid, status="pending")
    ward.world.reconcile()
    case = ward.case(f"status-{uid}")
    assert (case.state, case.appointment) == (CaseState.REVIEW, mine.id)
    ward.remedy()
    assert ward.case(case.id).state is CaseState.REVIEW
    ward.world.calendar.change(uid, status="accepted")
    ward.remedy()
    assert ends(ward.case(case.id)) == (CaseState.CLOSED, Ending.EQUAL)
    ward.world.calendar.change(uid, status="pending")
    ward.world.run(300)
    ward.world.reconcile()
    assert ward.case(f"{case.id}~2").state is CaseState.REVIEW, "it is there again, and before a person again"


def test_one_that_cannot_be_settled_is_one_case_however_often_it_is_told_of(ward: Ward) -> None:
    ward.world.salon.open("2025-10-28")
    ward.world.calendar.faults.append(lost_before)
    ward.world.phone().book("2025-10-28", "10:00", staff="Fabian")
    ward.world.calendar.find = lambda *_, **__: Unclear("HTTP 500")  # type: ignore[method-assign]
    for _ in range(3):
        ward.world.run(86_400.0)
        ward.world.sweep()
    with ward.world.at_peace():
        (case,) = ward.cases.unclosed(TENANT.id)
    mine = ward.ours(case)
    assert case.id.startswith("stuck-")
    assert mine is not None
    assert mine.state is AppointmentState.PENDING
    del ward.world.calendar.find  # type: ignore[method-assign]
    for _ in range(4):
        ward.world.run(60.0)
        ward.world.sweep()
    ward.remedy()
    assert ends(ward.case(case.id)) == (CaseState.CLOSED, Ending.EQUAL)


def test_a_round_has_a_deadline(ward: Ward) -> None:
    ward.open(1, SyncFailure.OTHER)
    assert remedy(ward.world.background(1.0, "remedy"), ward.cases).stopped
    assert not ward.world.calendar.asked
