"""What a person decides is carried out on both sides, on what they saw, and with their name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bookend.application.ports import BookingRequest
from bookend.application.reviewing import Decided, NotPossible, Would, evidence
from bookend.domain.answers import Booking, NotThere, Unclear
from bookend.domain.appointment import Appointment, AppointmentState
from bookend.domain.cases import Case, CaseState, Ending, SyncFailure
from bookend.domain.reviews import Choice
from tests.application.convergence.world import HAIRCUT, TEN, TENANT
from tests.application.remedies.test_remedies import booking_there
from tests.application.remedies.ward import CALL, Ward, later


@pytest.fixture
def ward() -> Ward:
    return Ward()


def stands(ward: Ward) -> Appointment:
    """An appointment that stands, booked by voice."""
    ward.world.salon.open("2025-10-28")
    ward.world.phone().book("2025-10-28", "10:00", staff="Fabian")
    (mine,) = ward.confirmed()
    return mine


def of_another_guest(ward: Ward) -> tuple[Appointment, Case]:
    mine = stands(ward)
    uid = mine.segments[0].uid or ""
    ward.world.calendar.change(uid, attendees=("jemand@web.example",))
    ward.world.reconcile()
    return mine, ward.case(f"attendee-{uid}")


def one_too_many(ward: Ward) -> tuple[Appointment, Booking]:
    mine = stands(ward)
    labels = ward.world.calendar.bookings[mine.segments[0].uid or ""].metadata
    extra = ward.world.calendar.insert(
        BookingRequest(HAIRCUT["fabian"], later(hours=3), "H", mine.customer.email, None, "Europe/Berlin", "de", labels)
    )
    ward.world.reconcile()
    return mine, extra


def test_a_dry_decision_shows_the_evidence_and_writes_nothing(ward: Ward) -> None:
    mine, case = of_another_guest(ward)
    before = ward.dump()
    would = ward.decide(case.id, Choice.CANCEL, apply=False)
    assert isinstance(would, Would)
    seen = would.evidence
    assert (seen.appointment and seen.appointment.id, seen.booking and seen.booking.uid) == (mine.id, case.booking)
    assert [each.id for each in seen.calls] == [mine.id]
    assert ward.dump() == before


def test_cancelled_on_both_sides_and_the_entries_name_who(ward: Ward) -> None:
    mine, case = of_another_guest(ward)
    done = ward.decide(case.id, Choice.CANCEL)
    assert isinstance(done, Decided)
    assert (done.case.state, done.case.ending, done.case.by) == (CaseState.CLOSED, Ending.CANCELLED, "Maria")
    now_is = ward.ours(case)
    assert now_is is not None
    assert now_is.state is AppointmentState.CANCELLED
    assert ward.world.calendar.bookings[mine.segments[0].uid or ""].status == "cancelled"
    whose = {row["repair"]["S"] for row in ward.world.rows("AUDIT") if row["by"]["S"] == "Maria"}
    assert {"cancel", "case_cancelled"} <= whose
    assert not ward.breaches()


def test_moved_at_cal_com_and_here(ward: Ward) -> None:
    mine, extra = one_too_many(ward)
    done = ward.decide(f"duplicate-{extra.uid}", Choice.MOVE, to=later(hours=2))
    assert isinstance(done, Decided)
    now_is = ward.ours(done.case)
    assert now_is is not None
    assert (done.case.ending, now_is.id, now_is.slot.start) == (Ending.EQUAL, mine.id, later(hours=2))
    starts = sorted(each.start for each in ward.world.calendar.accepted() if each.uid != extra.uid)
    assert starts == [later(hours=2)]


def test_a_move_of_which_cal_com_answers_something_else_is_settled_by_the_next_run(ward: Ward) -> None:
    _, case = of_another_guest(ward)
    ward.decide(case.id, Choice.MOVE, to=later(hours=3))
    ward.rounds(2)
    assert ward.case(case.id).ending is Ending.EQUAL
    assert [each.start for each in ward.world.calendar.accepted()] == [later(hours=3)]


def test_a_move_to_where_somebody_is_goes_back_to_the_person(ward: Ward) -> None:
    _, case = of_another_guest(ward)
    ward.world.phone("call_2", caller="+491709999999").book("2025-10-28", "13:00", staff="Fabian", name="Ute Neumann")
    done = ward.decide(case.id, Choice.MOVE, to=later(hours=3))
    assert isinstance(done, Decided)
    assert (done.case.state, done.case.why) == (CaseState.REVIEW, "the new time is not free here")


def test_what_changed_since_it_was_decided_is_decided_again(ward: Ward) -> None:
    """Cal.com does not answer, and before it does the salon moves the booking."""
    mine, case = of_another_guest(ward)
    change = ward.cases.change

    def and_the_salon_moves_it(tenant: str, before: Case, after: Case, **more: object) -> bool:
        ward.cases.change = change  # type: ignore[method-assign]
        stored = change(tenant, before, after, **more)  # type: ignore[arg-type]
        uid = mine.segments[0].uid or ""
        ward.world.calendar.change(uid, attendees=(mine.customer.email,))
        ward.world.calendar.move(uid, later(hours=5))
        ward.world.reconcile()
        return stored

    ward.cases.change = and_the_salon_moves_it  # type: ignore[method-assign,assignment]
    done = ward.decide(case.id, Choice.CANCEL)
    assert isinstance(done, Decided)
    assert (done.case.state, done.case.decision) == (CaseState.REVIEW, "")
    assert [each.start for each in ward.world.calendar.accepted()] == [later(hours=5)]


def test_a_case_that_has_changed_since_it_was_shown_is_left_alone(ward: Ward) -> None:
    _, case = of_another_guest(ward)
    assert isinstance(ward.decide(case.id, Choice.CANCEL, seen_version=case.version + 1), NotPossible)
    assert ward.case(case.id) == case


def test_ours_is_kept_and_the_booking_that_stands_against_it_is_cancelled(ward: Ward) -> None:
    mine, extra = one_too_many(ward)
    done = ward.decide(f"duplicate-{extra.uid}", Choice.KEEP_OURS)
    assert isinstance(done, Decided)
    assert done.case.ending is Ending.EQUAL
    assert [each.uid for each in ward.world.calendar.accepted()] == [mine.segments[0].uid]
    assert not ward.breaches()


def test_the_appointments_own_booking_is_never_cancelled_to_keep_ours(ward: Ward) -> None:
    _, case = of_another_guest(ward)
    assert isinstance(ward.decide(case.id, Choice.KEEP_OURS), NotPossible)
    assert len(ward.world.calendar.accepted()) == 1


def test_a_ghost_ends_here_after_two_looks_and_not_after_one(ward: Ward) -> None:
    mine = stands(ward)
    uid = mine.segments[0].uid or ""
    del ward.world.calendar.bookings[uid]
    for _ in range(3):
        ward.world.reconcile(nightly=True)
        ward.world.run(300)
    with ward.world.at_peace():
        (case,) = ward.cases.unclosed(TENANT.id)
    assert isinstance(ward.world.calendar.booking(uid, deadline=None), NotThere)  # type: ignore[arg-type]
    ward.decide(case.id, Choice.TAKE_THEIRS)
    assert ward.case(case.id).state is CaseState.OPEN, "one look that finds none proves nothing"
    ward.rounds(3)
    now_is = ward.ours(case)
    assert now_is is not None
    assert (ward.case(case.id).ending, now_is.state) == (Ending.CANCELLED, AppointmentState.CANCELLED)


def test_an_import_that_is_not_to_be_is_closed_and_nothing_is_sent(ward: Ward) -> None:
    ward.open(750, SyncFailure.HOST_UNAVAILABLE)
    ward.remedy()
    done = ward.decide("import-750", Choice.CANCEL)
    assert isinstance(done, Decided)
    assert done.case.ending is Ending.CANCELLED
    assert "create" not in ward.world.calendar.asked


def test_an_import_that_is_moved_is_booked_at_its_new_time(ward: Ward) -> None:
    ward.open(750, SyncFailure.HOST_UNAVAILABLE)
    ward.remedy()
    ward.decide("import-750", Choice.MOVE, to=later(hours=2))
    ward.remedy()
    assert ward.case(750).ending is Ending.BOOKED
    assert [each.start for each in ward.world.calendar.accepted()] == [later(hours=2)]
    assert not ward.breaches()


def test_history_is_only_what_has_begun(ward: Ward) -> None:
    ward.open(750, SyncFailure.HOST_UNAVAILABLE)
    ward.remedy()
    assert isinstance(ward.decide("import-750", Choice.HISTORICAL), NotPossible)
    ward.world.run((TEN - ward.now).total_seconds() + 60)
    done = ward.decide("import-750", Choice.HISTORICAL)
    assert isinstance(done, Decided)
    assert done.case.ending is Ending.HISTORICAL
    assert isinstance(ward.decide("import-750", Choice.RETRY), NotPossible), "closed is closed"


def test_a_case_that_a_remedy_is_at_is_not_decided(ward: Ward) -> None:
    case = ward.open(1)
    assert isinstance(ward.decide(case.id, Choice.CANCEL), NotPossible)
    assert evidence(ward.world.background(60.0, "command"), case).case == case


def lagging(ward: Ward, uid: str, *, reads: Callable[[int], bool]) -> None:
    """Those of the reads of one booking do not find it."""
    read, number = ward.world.calendar.booking, [0]

    def late(asked: str, **more: Any) -> Any:
        number[0] += asked == uid
        return NotThere("HTTP 404") if asked == uid and reads(number[0]) else read(asked, **more)

    ward.world.calendar.booking = late  # type: ignore[method-assign]


def test_one_look_that_misses_the_extra_booking_cancels_nothing(ward: Ward) -> None:
    mine, extra = one_too_many(ward)
    lagging(ward, extra.uid, reads=lambda number: number <= 2)
    done = ward.decide(f"duplicate-{extra.uid}", Choice.TAKE_THEIRS)
    assert isinstance(done, Decided)
    assert done.case.state is CaseState.OPEN
    ward.rounds(3)
    now_is = ward.ours(done.case)
    assert now_is is not None
    assert now_is.state is AppointmentState.CONFIRMED
    assert {each.uid for each in ward.world.calendar.accepted()} == {mine.segments[0].uid, extra.uid}
    assert (ward.case(done.case.id).state, ward.case(done.case.id).decision) == (CaseState.REVIEW, "")


def test_an_extra_booking_that_is_really_gone_leaves_the_appointment_alone(ward: Ward) -> None:
    mine, extra = one_too_many(ward)
    del ward.world.calendar.bookings[extra.uid]
    ward.decide(f"duplicate-{extra.uid}", Choice.TAKE_THEIRS)
    ward.rounds(3)
    case = ward.case(f"duplicate-{extra.uid}")
    assert (case.state, case.ending) == (CaseState.CLOSED, Ending.EQUAL)
    assert [each.uid for each in ward.world.calendar.accepted()] == [mine.segments[0].uid]
    assert not ward.breaches()


@pytest.mark.parametrize("missed", [2, 3])
def test_ours_is_kept_though_one_look_misses_the_extra_booking(ward: Ward, missed: int) -> None:
    mine, extra = one_too_many(ward)
    lagging(ward, extra.uid, reads=lambda number: number == missed)
    done = ward.decide(f"duplicate-{extra.uid}", Choice.KEEP_OURS)
    assert isinstance(done, Decided)
    assert done.case.state is CaseState.OPEN
    ward.rounds(3)
    assert ward.case(done.case.id).ending is Ending.EQUAL
    assert [each.uid for each in ward.world.calendar.accepted()] == [mine.segments[0].uid]


def test_a_ghost_that_one_look_has_missed_is_not_cancelled(ward: Ward) -> None:
    mine = stands(ward)
    uid = mine.segments[0].uid or ""
    kept = ward.world.calendar.bookings.pop(uid)
    for _ in range(3):
        ward.world.reconcile(nightly=True)
        ward.world.run(300)
    with ward.world.at_peace():
        (case,) = ward.cases.unclosed(TENANT.id)
    ward.decide(case.id, Choice.TAKE_THEIRS)
    ward.world.calendar.bookings[uid] = kept
    ward.rounds(3)
    assert ward.case(case.id).ending is Ending.TAKEN_THEIRS
    assert [each.uid for each in ward.world.calendar.accepted()] == [uid]
    assert [each.id for each in ward.confirmed()] == [mine.id]


def elsewhere(ward: Ward, email: str = "kunde1@web.example", **more: Any) -> Booking:
    """A row whose booking lives at another time than the row says."""
    made = booking_there(ward, email=email, number=5001, **more)
    ward.open(1, SyncFailure.OTHER, start=later(hours=1), booking_id="5001")
    ward.remedy()
    assert ward.case(1).state is CaseState.REVIEW
    return made


@pytest.mark.parametrize("known", [False, True])
def test_a_row_is_cancelled_with_the_booking_that_it_names(ward: Ward, known: bool) -> None:
    made = elsewhere(ward)
    if known:
        ward.world.reconcile()
    done = ward.decide("import-1", Choice.CANCEL)
    assert isinstance(done, Decided)
    assert done.case.ending is Ending.CANCELLED
    assert ward.world.calendar.bookings[made.uid].status == "cancelled"
    ward.world.reconcile()
    assert not ward.confirmed()
    assert not ward.breaches()


def test_a_row_is_moved_with_the_booking_that_it_names(ward: Ward) -> None:
    elsewhere(ward)
    ward.decide("import-1", Choice.MOVE, to=later(hours=4))
    ward.rounds(2)
    case = ward.case(1)
    assert case.ending is Ending.EQUAL
    assert [each.start for each in ward.world.calendar.accepted()] == [later(hours=4)]
    assert [(each.id, each.slot.start) for each in ward.confirmed()] == [(case.appointment, later(hours=4))]
    assert not ward.breaches()


def test_a_row_that_is_cancelled_leaves_anothers_booking_alone(ward: Ward) -> None:
    made = elsewhere(ward, call=CALL)
    done = ward.decide("import-1", Choice.CANCEL)
    assert isinstance(done, Decided)
    assert done.case.ending is Ending.CANCELLED
    assert ward.world.calendar.bookings[made.uid].status == "accepted"


def test_whose_booking_nobody_can_tell_is_not_touched_for_a_row(ward: Ward) -> None:
    made = elsewhere(ward, email="termin@askproai.de")
    assert isinstance(ward.decide("import-1", Choice.CANCEL), NotPossible)
    assert ward.world.calendar.bookings[made.uid].status == "accepted"
    assert ward.case(1).state is CaseState.REVIEW


def test_a_row_whose_booking_one_look_misses_is_not_called_never_booked(ward: Ward) -> None:
    made = elsewhere(ward)
    lagging(ward, made.uid, reads=lambda number: number <= 3)
    done = ward.decide("import-1", Choice.CANCEL)
    assert isinstance(done, Decided)
    assert done.case.state is CaseState.OPEN
    ward.rounds(2)
    assert ward.case(1).ending is Ending.CANCELLED
    assert ward.world.calendar.bookings[made.uid].status == "cancelled"


def test_a_booking_that_is_another_appointments_by_now_is_not_cancelled_to_keep_ours(ward: Ward) -> None:
    _, extra = one_too_many(ward)
    ward.world.phone("call_2", caller="+491709999999").book("2025-10-28", "14:00", staff="Fabian", name="Ute Neumann")
    other = next(each for each in ward.confirmed() if each.customer.phone == "+491709999999")
    guard = {"pk": {"S": f"T#friseur1#CALUID#{extra.uid}"}, "sk": {"S": "G"}, "appt": {"S": other.id}}
    ward.world.client.put_item(TableName=ward.world.salon.table_name, Item=guard)
    refused = ward.decide(f"duplicate-{extra.uid}", Choice.KEEP_OURS)
    assert isinstance(refused, NotPossible)
    assert ward.world.calendar.bookings[extra.uid].status == "accepted"


def test_a_decision_that_comes_to_no_end_can_be_taken_back_and_ends_by_itself_after_a_day(ward: Ward) -> None:
    _, extra = one_too_many(ward)
    name = f"duplicate-{extra.uid}"
    ward.world.calendar.cancel = lambda *_, **__: Unclear("HTTP 500")  # type: ignore[method-assign]
    ward.decide(name, Choice.KEEP_OURS)
    assert isinstance(ward.decide(name, Choice.CANCEL), NotPossible), "one at a time"
    taken_back = ward.decide(name, Choice.RETRY)
    assert isinstance(taken_back, Decided)
    assert (taken_back.case.state, taken_back.case.decision) == (CaseState.REVIEW, "")
    ward.decide(name, Choice.KEEP_OURS)
    ward.world.run(86_000.0)
    ward.remedy()
    assert ward.case(name).state is CaseState.OPEN
    ward.world.run(900.0)
    ward.remedy()
    assert (ward.case(name).state, ward.case(name).why) == (CaseState.REVIEW, "it could not be done within a day")


def test_ours_is_not_kept_by_calling_a_row_that_stands_a_duplicate_of_itself(ward: Ward) -> None:
    ward.open(1, SyncFailure.OTHER)
    ward.remedy(only=SyncFailure.TEMPORARY)
    read = ward.world.calendar.booking

    def of_somebody(uid: str, **more: Any) -> Any:
        ward.world.calendar.change(uid, attendees=("jemand@web.example",))
        return read(uid, **more)

    ward.world.calendar.booking = of_somebody  # type: ignore[method-assign]
    ward.rounds(1)
    ward.world.run(90_000.0)
    ward.remedy()
    assert ward.case(1).state is CaseState.REVIEW
    assert isinstance(ward.decide("import-1", Choice.KEEP_OURS), NotPossible)
    ward.world.calendar.booking = read  # type: ignore[method-assign]
    (mine,) = ward.confirmed()
    ward.world.calendar.change(mine.segments[0].uid or "", attendees=(mine.customer.email,))
    ward.decide("import-1", Choice.RETRY)
    ward.remedy()
    assert ward.case(1).ending in {Ending.EQUAL, Ending.BOOKED}
