"""Of a composite service the other system has booked some parts: completed, or left to a person with what there is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bookend.application.following import audit_of
from bookend.application.ports import BookingRequest
from bookend.application.reviewing import Decided, NotPossible
from bookend.domain.answers import Booking, NotSent, NotThere, Refusal, Refused
from bookend.domain.appointment import Amiss, AppointmentState
from bookend.domain.cases import Case, CaseState, Ending, SyncFailure
from bookend.domain.drift import Drift
from bookend.domain.remedies import MOST_TRIES
from bookend.domain.reviews import Choice
from bookend.domain.tenant import PartRule, Segment, SegmentKind
from tests.application.convergence.world import TENANT
from tests.application.remedies.ward import CALL, Ward, later, person
from tests.support.calendar import BUSY, lost_after, lost_before

PARTS = {0: (3757749, timedelta()), 1: (3757750, timedelta(minutes=105))}
"""The busy parts of a perm with Fabian: event type, and when after the beginning."""


@pytest.fixture
def ward() -> Ward:
    return Ward()


def there(ward: Ward, part: int, *, email: str = "kunde1@web.example", call: str = "", by: float = 0.0) -> Booking:
    """A part that the other system had booked; `by` minutes from where it should be."""
    kind, after = PARTS[part]
    labels = {"call_id": call} if call else {}
    return ward.world.calendar.insert(
        BookingRequest(kind, later(minutes=by) + after, "Gast", email, None, "Europe/Berlin", "de", labels)
    )


def row(ward: Ward, *parts: Booking, failure: SyncFailure = SyncFailure.COMPOSITE_FAILURE, **more: Any) -> Case:
    """The row of it, as an import opens it."""
    named = {"bookings": " ".join(each.uid for each in parts)} if parts else {}
    case = ward.open(1, failure, service="dauerwelle", **(named | more))
    if parts:
        with ward.world.at_peace():
            assert ward.cases.change(TENANT.id, case, replace(case, booking=parts[0].uid), now=ward.now)
    return ward.case(1)


def made_by_us(ward: Ward) -> list[str]:
    return [each.status for each in ward.world.calendar.bookings.values() if each.metadata.get("op_id")]


def standing(ward: Ward) -> list[tuple[str, list[tuple[int, str | None]], Amiss | None]]:
    """Who has which bookings here."""
    return [(each.customer.id, [(s.index, s.uid) for s in each.segments], each.amiss) for each in ward.confirmed()]


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("known", [False, True], ids=["unknown here", "taken over before"])
def test_what_is_missing_is_booked_and_the_whole_is_one_appointment(ward: Ward, part: int, known: bool) -> None:
    made = there(ward, part)
    if known:
        ward.world.reconcile()
    row(ward, made)
    ward.remedy()
    case = ward.case(1)
    (mine,) = ward.confirmed()
    assert (case.state, case.ending, case.appointment) == (CaseState.CLOSED, Ending.BOOKED, mine.id)
    assert mine.segments[part].uid == made.uid
    assert mine.amiss is None
    assert [(each.index, each.slot.start) for each in mine.segments] == [(0, later()), (1, later(minutes=105))]
    assert mine.customer.id == person(1).id
    assert ward.world.calendar.asked.count("create") == 1, "what is there is not booked again"
    assert ward.world.calendar.bookings[made.uid] == made, "and not touched"
    assert {each["repair"]["S"] for each in ward.world.rows("AUDIT")} >= {"gather", "join", "case_booked"}
    assert not ward.breaches()


def test_it_is_one_appointment_to_the_reconciliation_and_to_its_caller(ward: Ward) -> None:
    phone = "+491701234567"
    row(ward, there(ward, 0), customer=person(1, email="kunde1@web.example", phone=phone))
    ward.remedy()
    with ward.world.at_peace():
        ward.world.reconcile(nightly=True)
    (mine,) = ward.confirmed()
    found = ward.world.salon.changes.of_customer(TENANT.id, mine.customer.id, after=ward.now)
    assert [each.id for each in found if each.state is not AppointmentState.CANCELLED] == [mine.id]
    with ward.world.at_peace():
        assert not ward.cases.unclosed(TENANT.id), "nothing differs"
    assert not [row for row in ward.world.rows("OUT") if row["state"]["S"] == "NEW" and row["appt"]["S"] != mine.id]


def test_all_of_it_is_there_and_nothing_is_booked(ward: Ward) -> None:
    row(ward, there(ward, 0), there(ward, 1))
    ward.remedy()
    (mine,) = ward.confirmed()
    assert (ward.case(1).ending, ward.case(1).appointment) == (Ending.EQUAL, mine.id)
    assert (len(mine.segments), mine.amiss) == (2, None)
    assert "create" not in ward.world.calendar.asked
    assert not ward.breaches()


def test_a_part_that_the_row_does_not_name_is_found_by_who_comes(ward: Ward) -> None:
    made = there(ward, 1)
    row(ward)
    ward.remedy()
    (mine,) = ward.confirmed()
    assert ward.case(1).ending is Ending.BOOKED
    assert mine.segments[1].uid == made.uid
    assert ward.world.calendar.asked.count("create") == 1


def test_a_missing_part_that_is_taken_leaves_what_is_there_and_a_person_decides(ward: Ward) -> None:
    made = there(ward, 0)
    ward.world.calendar.book_publicly(*_at(1))
    row(ward, made)
    ward.rounds(2)
    case = ward.case(1)
    assert (case.state, case.failure) == (CaseState.REVIEW, SyncFailure.HOST_UNAVAILABLE)
    assert case.why.startswith("part 2 is missing")
    assert BUSY.detail in case.answers
    assert ward.world.calendar.bookings[made.uid].status == "accepted", "the customer's real booking"
    assert made_by_us(ward) == []
    assert standing(ward) == [(person(1).id, [(0, made.uid)], Amiss.PART_GONE)]
    assert not ward.breaches()


def test_a_missing_part_whose_time_is_anothers_here_is_not_even_asked_for(ward: Ward) -> None:
    kind, at = _at(1)
    ward.world.calendar.book_publicly(kind, at)
    ward.world.reconcile()
    row(ward, there(ward, 0))
    ward.remedy()
    assert (ward.case(1).state, ward.case(1).failure) == (CaseState.REVIEW, SyncFailure.HOST_UNAVAILABLE)
    assert "create" not in ward.world.calendar.asked


def test_a_missing_part_that_is_refused_for_good_is_asked_for_once(ward: Ward) -> None:
    made = there(ward, 0)
    no = Refused(Refusal.INVALID, 'HTTP 400 {"message":"no"}')
    ward.world.calendar.faults.append(lambda *_: no)
    row(ward, made)
    ward.rounds(3)
    assert (ward.case(1).state, ward.case(1).failure) == (CaseState.REVIEW, SyncFailure.OTHER)
    assert ward.world.calendar.asked.count("create") == 1
    assert [each.uid for each in ward.world.calendar.accepted()] == [made.uid]


def test_temporary_trouble_is_tried_again_and_then_it_is_whole(ward: Ward) -> None:
    ward.world.calendar.faults.extend([lambda *_: NotSent("no connection", unreachable=True)] * 2)
    row(ward, there(ward, 0))
    ward.remedy()
    assert (ward.case(1).state, ward.case(1).failure) == (CaseState.OPEN, SyncFailure.TEMPORARY)
    ward.rounds(3)
    assert ward.case(1).ending is Ending.BOOKED
    assert len(ward.confirmed()) == 1
    assert not ward.breaches()


def test_temporary_trouble_without_an_end_is_a_persons(ward: Ward) -> None:
    ward.world.calendar.faults.extend([lambda *_: NotSent("no connection", unreachable=True)] * (MOST_TRIES + 3))
    row(ward, there(ward, 0))
    for _ in range(60):
        ward.remedy()
        ward.world.run(1800.0)
    assert (ward.case(1).state, ward.case(1).failure) == (CaseState.REVIEW, SyncFailure.TEMPORARY)
    assert ward.case(1).tries == MOST_TRIES


@pytest.mark.parametrize("fault", [lost_after, lost_before])
def test_an_unclear_answer_is_settled_before_anything_is_sent_again(ward: Ward, fault: Any) -> None:
    ward.world.calendar.faults.append(fault)
    row(ward, there(ward, 0))
    ward.remedy()
    assert ward.case(1).state is CaseState.OPEN
    ward.rounds(3)
    assert ward.case(1).ending is Ending.BOOKED
    assert len(ward.world.calendar.accepted()) == 2
    assert len(ward.confirmed()) == 1
    assert not ward.breaches()


def test_a_second_run_changes_nothing(ward: Ward) -> None:
    row(ward, there(ward, 0))
    ward.remedy()
    before, asked = ward.dump(), len(ward.world.calendar.asked)
    ward.world.run(900.0)
    assert ward.remedy().changed == 0
    assert ward.dump() == before
    assert len(ward.world.calendar.asked) == asked


def test_a_dry_run_says_it_and_writes_nothing(ward: Ward) -> None:
    row(ward, there(ward, 0))
    before = ward.dump()
    report = ward.remedy(apply=False)
    assert ward.dump() == before
    assert [each.remedy for each in report.treated] == ["TakeInParts"]
    assert "create" not in ward.world.calendar.asked


# Whose it is, and where it stands


@pytest.mark.parametrize(
    "labels", [{"email": "eve@web.example"}, {"call": CALL}, {"email": "eve@web.example", "call": "call_1"}]
)
def test_parts_that_are_not_surely_this_customers_are_left_alone(ward: Ward, labels: dict[str, str]) -> None:
    """Another's attendee; another's call; this one's call, and an address that is not theirs."""
    made = there(ward, 0, **labels)
    row(ward, made, call="call_1")
    before = dict(ward.world.calendar.bookings)
    ward.rounds(2)
    assert (ward.case(1).state, ward.case(1).failure) == (CaseState.REVIEW, SyncFailure.DOUBLE_BOOKING)
    assert made.uid in ward.case(1).why
    assert ward.world.calendar.bookings == before
    assert not ward.confirmed()


def test_a_part_that_is_another_appointments_here_stays_that_ones(ward: Ward) -> None:
    """Two rows of one customer name the same part for different services of theirs."""
    made = there(ward, 0)
    row(ward, made)
    ward.remedy()
    who = person(1, email="kunde1@web.example")
    ward.open(2, SyncFailure.COMPOSITE_FAILURE, service="dauerwelle", customer=who, bookings=made.uid)
    ward.remedy()
    assert (ward.case(2).state, ward.case(2).failure) == (CaseState.REVIEW, SyncFailure.DOUBLE_BOOKING)
    assert len(ward.confirmed()) == 1


def test_a_part_somewhere_else_is_for_a_person(ward: Ward) -> None:
    made = there(ward, 1, by=30)
    row(ward, made)
    ward.remedy()
    assert (ward.case(1).state, ward.case(1).failure) == (CaseState.REVIEW, SyncFailure.COMPOSITE_FAILURE)
    assert "create" not in ward.world.calendar.asked
    assert ward.world.calendar.bookings[made.uid] == made


def test_a_part_that_others_moved_is_not_booked_once_more_where_it_was(ward: Ward) -> None:
    made = there(ward, 0)
    moved = ward.world.calendar.move(made.uid, later(hours=4))
    row(ward, made)
    ward.rounds(2)
    assert (ward.case(1).state, ward.case(1).failure) == (CaseState.REVIEW, SyncFailure.COMPOSITE_FAILURE)
    assert moved.uid in ward.case(1).why
    assert [each.uid for each in ward.world.calendar.accepted()] == [moved.uid]
    ward.decide("import-1", Choice.MOVE, to=later(hours=2))
    ward.rounds(3)
    (mine,) = ward.confirmed()
    assert ward.case(1).ending is Ending.BOOKED
    assert [each.slot.start for each in mine.segments] == [later(hours=2), later(hours=2, minutes=105)]
    assert not ward.breaches()


@pytest.mark.parametrize("standing", [False, True], ids=["the only one", "beside one that stands"])
def test_a_part_that_somebody_has_cancelled_there_is_booked_again_only_if_a_person_says_so(
    ward: Ward, standing: bool
) -> None:
    made = there(ward, 0)
    ward.world.calendar.cancel_by_hand(made.uid)
    ward.world.run(60)
    row(ward, made, *([there(ward, 1)] if standing else []))
    ward.remedy()
    assert (ward.case(1).state, ward.case(1).failure) == (CaseState.REVIEW, SyncFailure.COMPOSITE_FAILURE)
    assert made_by_us(ward) == []
    ward.decide("import-1", Choice.RETRY)
    ward.rounds(2)
    assert ward.case(1).ending is Ending.BOOKED
    assert made_by_us(ward) == ["accepted"] * (1 if standing else 2)
    assert not ward.breaches()


def test_a_whole_that_somebody_has_cancelled_there_is_over(ward: Ward) -> None:
    parts = [there(ward, 0), there(ward, 1)]
    for each in parts:
        ward.world.calendar.cancel_by_hand(each.uid)
    ward.world.run(60)
    row(ward, *parts)
    ward.remedy()
    assert ward.case(1).ending is Ending.CANCELLED
    assert "create" not in ward.world.calendar.asked


def test_of_which_one_part_is_not_shown_is_not_called_over(ward: Ward) -> None:
    parts = [there(ward, 0), there(ward, 1)]
    ward.world.calendar.cancel_by_hand(parts[0].uid)
    ward.world.calendar.hidden[parts[1].uid] = later(days=30)
    ward.world.run(60)
    row(ward, *parts)
    ward.remedy()
    assert ward.case(1).state is CaseState.REVIEW


def test_a_whole_that_somebody_has_moved_there_is_not_booked_at_its_old_time(ward: Ward) -> None:
    parts = [there(ward, 0), there(ward, 1)]
    row(ward, *parts)
    for each in parts:
        ward.world.calendar.move(each.uid, each.start + timedelta(hours=4))
    ward.rounds(2)
    assert ward.case(1).state is CaseState.REVIEW
    assert made_by_us(ward) == []
    ward.decide("import-1", Choice.CANCEL)
    ward.rounds(2)
    assert ward.case(1).ending is Ending.CANCELLED
    assert not ward.world.calendar.accepted(), "and not left where it stands"


@pytest.mark.parametrize("choice", [Choice.CANCEL, Choice.MOVE])
def test_of_a_row_whose_first_part_is_cancelled_there_the_other_one_is_not_left_behind(
    ward: Ward, choice: Choice
) -> None:
    first, second = there(ward, 0), there(ward, 1)
    ward.world.calendar.cancel_by_hand(first.uid)
    ward.world.run(60)
    row(ward, first, second)
    ward.remedy()
    ward.decide("import-1", choice, to=later(hours=4) if choice is Choice.MOVE else None)
    ward.rounds(4)
    case, live = ward.case(1), sorted(each.start for each in ward.world.calendar.accepted())
    if choice is Choice.CANCEL:
        assert (case.ending, live) == (Ending.CANCELLED, [])
    else:
        assert (case.ending, live) == (Ending.BOOKED, [later(hours=4), later(hours=4, minutes=105)])
    assert not ward.breaches()


def test_a_list_that_shows_a_part_that_is_none_does_no_damage(ward: Ward) -> None:
    """Read by its uid it is another time's: it is not taken in."""
    made = there(ward, 0, by=300)
    find = ward.world.calendar.find

    def lie(*args: Any, **rest: Any) -> Any:
        found = find(*args, **rest)
        shifted = (
            [
                ward.world.calendar.change(each.uid) if each.uid != made.uid else _moved(each, minutes=-300)
                for each in found
            ]
            if isinstance(found, tuple)
            else found
        )
        return tuple(shifted)

    ward.world.calendar.find = lie  # type: ignore[method-assign]
    row(ward)
    ward.remedy()
    assert ward.case(1).ending is Ending.BOOKED
    assert made_by_us(ward) == ["accepted"] * 2
    assert made.uid not in {segment.uid for each in ward.confirmed() for segment in each.segments}
    assert ward.world.calendar.bookings[made.uid] == made


def test_a_list_that_leaves_a_part_out_ends_before_a_person_and_nothing_is_lost(ward: Ward) -> None:
    made = there(ward, 0)
    ward.world.calendar.find = lambda *_, **__: ()  # type: ignore[method-assign]
    row(ward)
    ward.remedy()
    del ward.world.calendar.find  # type: ignore[method-assign]
    ward.rounds(2)
    assert ward.case(1).state is CaseState.REVIEW
    assert [each.uid for each in ward.world.calendar.accepted()] == [made.uid]
    ward.decide("import-1", Choice.RETRY)
    ward.rounds(2)
    assert ward.case(1).ending is Ending.BOOKED, "now that it is shown, the rest is booked beside it"
    assert not ward.breaches()


def test_a_part_that_is_not_shown_is_not_booked_twice(ward: Ward) -> None:
    made = there(ward, 0)
    read = ward.world.calendar.booking
    hidden = lambda uid, **more: NotThere("HTTP 404") if uid == made.uid else read(uid, **more)  # noqa: E731
    ward.world.calendar.booking = hidden  # type: ignore[method-assign]
    row(ward, made)
    ward.remedy()
    ward.world.calendar.booking = read  # type: ignore[method-assign]
    ward.rounds(2)
    assert ward.case(1).state is CaseState.REVIEW
    assert [each.uid for each in ward.world.calendar.accepted()] == [made.uid]


def test_a_half_that_a_run_took_over_is_never_called_the_whole(ward: Ward) -> None:
    """The row says nothing of it, and Cal.com has it under another address with the same number."""
    phone = "+491701234567"
    there(ward, 0, email="anders@web.example")
    for each in list(ward.world.calendar.bookings):
        ward.world.calendar.change(each, attendee_phone=phone)
    ward.world.reconcile()
    row(ward, customer=person(1, email="kunde1@web.example", phone=phone))
    ward.rounds(2)
    assert ward.case(1).state is CaseState.REVIEW


def test_what_others_cancel_while_the_rest_is_booked_is_not_booked_again(ward: Ward) -> None:
    made = there(ward, 0)
    row(ward, made)
    make = ward.world.calendar.make

    def meanwhile(_: object, request: BookingRequest) -> object:
        ward.world.calendar.cancel_by_hand(made.uid)
        return make(request)

    ward.world.calendar.faults.append(meanwhile)  # type: ignore[arg-type]
    ward.remedy()
    ward.world.run(60.0)
    ward.world.reconcile()
    ward.rounds(3)
    case = ward.case(1)
    (mine,) = ward.confirmed()
    assert (case.state, case.failure, case.appointment) == (CaseState.REVIEW, SyncFailure.COMPOSITE_FAILURE, mine.id)
    assert [each.index for each in mine.segments] == [1]
    assert mine.amiss is Amiss.PART_GONE, "and its caller hears that something is changed"
    done = ward.decide("import-1", Choice.CANCEL)
    assert isinstance(done, Decided)
    assert done.case.ending is Ending.CANCELLED
    assert not ward.world.calendar.accepted()


# What a person decides


def half(ward: Ward, part: int = 0) -> Booking:
    """A part is there, the other one's time is taken, and a person has it before them."""
    made = there(ward, part)
    ward.world.calendar.book_publicly(*_at(1 - part))
    row(ward, made)
    ward.rounds(2)
    assert ward.case(1).state is CaseState.REVIEW
    return made


def test_retry_completes_it_once_the_time_is_free(ward: Ward) -> None:
    made = half(ward)
    (theirs,) = (each for each in ward.world.calendar.accepted() if each.uid != made.uid)
    ward.world.calendar.cancel_by_hand(theirs.uid)
    ward.world.reconcile()
    ward.decide("import-1", Choice.RETRY)
    ward.remedy()
    assert ward.case(1).ending is Ending.BOOKED
    assert ward.world.calendar.bookings[made.uid].status == "accepted"
    assert not ward.breaches()


def test_cancel_ends_the_part_that_is_there_on_both_sides(ward: Ward) -> None:
    made = half(ward)
    done = ward.decide("import-1", Choice.CANCEL)
    assert isinstance(done, Decided)
    assert done.case.ending is Ending.CANCELLED
    assert ward.world.calendar.bookings[made.uid].status == "cancelled"
    mine = ward.ours(done.case)
    assert mine is not None
    assert mine.state is AppointmentState.CANCELLED
    assert not ward.breaches()


@pytest.mark.parametrize("part", [0, 1])
def test_move_takes_the_part_along_and_books_the_rest_beside_it(ward: Ward, part: int) -> None:
    half(ward, part)
    ward.decide("import-1", Choice.MOVE, to=later(hours=4))
    ward.rounds(3)
    case = ward.case(1)
    mine = ward.ours(case)
    assert mine is not None
    assert case.ending is Ending.BOOKED
    assert [each.slot.start for each in mine.segments] == [later(hours=4), later(hours=4, minutes=105)]
    unsent = [row for row in ward.world.rows("OUT") if row["state"]["S"] == "NEW" and row["appt"]["S"] != mine.id]
    assert not unsent, "nobody hears of an end of what goes on in another"
    assert not ward.breaches()


def elsewhere(ward: Ward) -> list[Booking]:
    """Both parts are there, half an hour later than the row says: before a person."""
    made = [there(ward, part, by=30) for part in PARTS]
    row(ward, *made)
    ward.remedy()
    assert ward.case(1).state is CaseState.REVIEW
    return made


@pytest.mark.parametrize("known", [False, True])
def test_a_row_is_cancelled_with_all_of_its_bookings(ward: Ward, known: bool) -> None:
    made = elsewhere(ward)
    if known:
        ward.world.reconcile()
    done = ward.decide("import-1", Choice.CANCEL)
    assert isinstance(done, Decided)
    assert done.case.ending is Ending.CANCELLED
    assert {ward.world.calendar.bookings[each.uid].status for each in made} == {"cancelled"}
    ward.world.reconcile()
    assert not ward.confirmed()
    assert not ward.breaches()


def test_a_row_is_moved_with_all_of_its_bookings(ward: Ward) -> None:
    elsewhere(ward)
    ward.decide("import-1", Choice.MOVE, to=later(hours=4))
    ward.rounds(2)
    (mine,) = ward.confirmed()
    assert (ward.case(1).ending, ward.case(1).appointment) == (Ending.EQUAL, mine.id)
    assert [each.slot.start for each in mine.segments] == [later(hours=4), later(hours=4, minutes=105)]
    assert not ward.breaches()


def test_a_row_that_is_cancelled_leaves_anothers_part_alone(ward: Ward) -> None:
    own, other = there(ward, 0, by=30), there(ward, 1, by=30, call=CALL)
    row(ward, own, other)
    ward.remedy()
    ward.decide("import-1", Choice.CANCEL)
    ward.rounds(2)
    assert ward.case(1).ending is Ending.CANCELLED
    assert ward.world.calendar.bookings[own.uid].status == "cancelled"
    assert ward.world.calendar.bookings[other.uid].status == "accepted"


def test_of_a_row_that_is_cancelled_the_part_that_is_not_shown_for_a_moment_is_not_left_behind(ward: Ward) -> None:
    parts = [there(ward, 0, by=30), there(ward, 1, by=30)]
    row(ward, *parts)
    ward.remedy()
    assert ward.case(1).state is CaseState.REVIEW
    ward.world.calendar.hidden[parts[1].uid] = ward.now + timedelta(seconds=20)
    done = ward.decide("import-1", Choice.CANCEL)
    assert isinstance(done, Decided)
    assert (done.case.state, len(ward.world.calendar.accepted())) == (CaseState.OPEN, 2), "not the half of it"
    ward.rounds(2)
    assert (ward.case(1).ending, ward.world.calendar.accepted()) == (Ending.CANCELLED, [])
    assert not ward.breaches()


def test_parts_that_do_not_tell_whose_they_are_are_not_touched_for_a_row(ward: Ward) -> None:
    made = there(ward, 0, email="termin@askproai.de")
    row(ward, made)
    ward.remedy()
    assert isinstance(ward.decide("import-1", Choice.CANCEL), NotPossible)
    assert ward.world.calendar.bookings[made.uid].status == "accepted"


def _at(part: int) -> tuple[int, Any]:
    kind, after = PARTS[part]
    return kind, later() + after


def _moved(booking: Booking, **by: float) -> Booking:
    return replace(booking, start=booking.start + timedelta(**by), end=booking.end + timedelta(**by))


# Three parts


def of_three(**rules: Any) -> Ward:
    """A perm with a third part, a quarter of an hour, right after the second one."""
    perm = TENANT.service("dauerwelle")
    assert perm is not None
    third = Segment(SegmentKind.BUSY, 15, {"fabian": 3757751})
    longer = replace(perm, segments=(*perm.segments, third))
    services = tuple(longer if each.id == perm.id else each for each in TENANT.services)
    return Ward(tenant=replace(TENANT, services=services, **rules))


def test_of_three_parts_both_that_are_missing_are_booked_together() -> None:
    ward = of_three()
    made = there(ward, 1)
    row(ward, made)
    ward.remedy()
    (mine,) = ward.confirmed()
    assert ward.case(1).ending is Ending.BOOKED
    assert [each.index for each in mine.segments] == [0, 1, 2]
    assert made_by_us(ward) == ["accepted"] * 2
    assert not [each for each in ward.breaches() if not each.startswith("I3 fix")]


def test_of_two_missing_parts_one_is_taken_and_ours_alone_is_taken_back() -> None:
    ward = of_three()
    made = there(ward, 1)
    ward.world.calendar.book_publicly(3757751, later(minutes=135))
    row(ward, made)
    ward.rounds(3)
    assert (ward.case(1).state, ward.case(1).failure) == (CaseState.REVIEW, SyncFailure.HOST_UNAVAILABLE)
    assert ward.case(1).why.startswith("part 1 and 3 is missing")
    assert made_by_us(ward) == ["cancelled"]
    assert ward.world.calendar.bookings[made.uid] == made
    assert standing(ward) == [(person(1).id, [(1, made.uid)], Amiss.PART_GONE)]


def test_two_parts_that_are_there_become_one_appointment_before_the_third_is_booked() -> None:
    ward = of_three()
    made = [there(ward, 0), there(ward, 1)]
    ward.world.reconcile()
    assert len(ward.confirmed()) == 2, "a run has taken over each by itself"
    ward.world.calendar.book_publicly(3757751, later(minutes=135))
    row(ward, *made)
    ward.rounds(2)
    assert ward.case(1).state is CaseState.REVIEW
    assert [each for each in standing(ward) if each[0] == person(1).id] == [
        (person(1).id, [(number, each.uid) for number, each in enumerate(made)], Amiss.PART_GONE)
    ]
    assert [each.status for each in ward.world.calendar.bookings.values()] == ["accepted"] * 3


def test_what_others_cancel_of_several_is_not_booked_again_until_a_person_says_so() -> None:
    ward = of_three(part_changed=PartRule.FLAG)
    made = [there(ward, 0), there(ward, 1)]
    ward.world.calendar.faults.append(lambda *_: NotSent("no connection", unreachable=True))
    row(ward, *made)
    ward.remedy()
    ward.world.calendar.cancel_by_hand(made[0].uid)
    ward.world.run(240.0)
    ward.world.reconcile()
    ward.rounds(2)
    case = ward.case(1)
    assert (case.state, case.failure) == (CaseState.REVIEW, SyncFailure.COMPOSITE_FAILURE)
    assert [each.uid for each in ward.world.calendar.accepted()] == [made[1].uid]
    ward.decide("import-1", Choice.RETRY)
    ward.rounds(2)
    assert ward.case(1).ending is Ending.BOOKED
    (mine,) = ward.confirmed()
    assert (len(mine.segments), mine.segments[1].uid) == (3, made[1].uid)


def test_a_half_of_the_customers_is_no_reason_to_call_the_whole_a_duplicate() -> None:
    perm = TENANT.service("dauerwelle")
    assert perm is not None
    both = tuple(
        replace(each, event_types=each.event_types | {"emma": 900 + number}) if each.event_types else each
        for number, each in enumerate(perm.segments)
    )
    services = tuple(replace(perm, segments=both) if each.id == perm.id else each for each in TENANT.services)
    ward = Ward(tenant=replace(TENANT, services=services))
    half(ward)
    ward.world.calendar.find = lambda *_, **__: ()  # type: ignore[method-assign]
    who = person(1, email="kunde1@web.example")
    ward.open(2, SyncFailure.OTHER, service="dauerwelle", staff="emma", customer=who)
    ward.remedy()
    assert (ward.case(2).state, ward.case(2).failure) == (CaseState.REVIEW, SyncFailure.DOUBLE_BOOKING)


@pytest.mark.parametrize("changed", ["whole", "part"])
def test_what_has_changed_since_it_was_read_is_not_gathered(changed: str) -> None:
    ward = of_three()
    made = [there(ward, 0), there(ward, 1)]
    ward.world.reconcile()
    first, second = sorted(ward.confirmed(), key=lambda each: each.slot.start)
    (other,) = second.segments
    after = replace(first, segments=(*first.segments, replace(other, index=1)))
    stale = {"whole": (replace(first, version=0), second), "part": (first, replace(second, version=0))}[changed]
    audit = audit_of(ward.world.background(60.0, "remedy"), Drift.PART, "join", made[0], before=first, after=after)
    before = ward.dump()
    assert not ward.world.adoptions.gather(TENANT.id, stale[0], after, [stale[1]], audit=audit, now=ward.now)
    assert ward.dump() == before
