"""What a person decides is carried out on both sides, on what they saw, and with their name."""

from __future__ import annotations

import pytest

from bookend.application.ports import BookingRequest
from bookend.application.reviewing import Decided, NotPossible, Would, evidence
from bookend.domain.answers import Booking, NotThere
from bookend.domain.appointment import Appointment, AppointmentState
from bookend.domain.cases import Case, CaseState, Ending, SyncFailure
from bookend.domain.reviews import Choice
from tests.application.convergence.world import HAIRCUT, TEN, TENANT
from tests.application.remedies.ward import Ward, later


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
