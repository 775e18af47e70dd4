"""A file tells what was so when it was written: what Cal.com shows now, and a later file, go before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

import pytest

from bookend.adapters.dynamodb.cases import DynamoCases
from bookend.application.booking_numbers import BookingNumbers
from bookend.application.importing import Importing, Refusal, import_file
from bookend.application.ports import BookingRequest, StoreUnavailable
from bookend.application.remedying import RemedyLimits, remedy
from bookend.application.reviewing import decide
from bookend.domain.answers import Booking
from bookend.domain.appointment import AppointmentState
from bookend.domain.cases import CaseState, Ending
from bookend.domain.reviews import Choice
from bookend.domain.tenant import Tenant
from tests.application.test_importing import Office, Raw, Rows, raw, without_booking
from tests.support.calendar import FakeCalendar
from tests.support.invariants import look_at
from tests.support.tables.faults import Crash, Fault

TEN = datetime(2025, 11, 26, 9, tzinfo=UTC)
"""Ten o'clock at the salon."""
ROW_AT_TEN = "2025-11-26T10:00"
ROW_AT_TWO = "2025-11-26T14:00"
HERRENHAARSCHNITT = 3672815
Since = Callable[[FakeCalendar, Booking], object]


@pytest.fixture
def office() -> Office:
    return Office()


def booked(office: Office, at: datetime = TEN, *, email: str = "gudrun1@kunde.example") -> Booking:
    request = BookingRequest(HERRENHAARSCHNITT, at, "Gudrun", email, None, "Europe/Berlin", "de", {})
    made: Booking = office.salon.calendar.insert(request)
    return made


def naming(booking: Booking, *, start: str = ROW_AT_TEN) -> Raw:
    return raw(1, start=start, calcom_uid=booking.uid, calcom_booking_id=str(booking.id))


def by_number(booking: Booking) -> Raw:
    return naming(booking) | {"calcom_uid": ""}


def rounds(office: Office, number: int = 3) -> None:
    for _ in range(number):
        remedy(office.background(), DynamoCases(office.salon.table), RemedyLimits())
        office.salon.clock.advance(900)
        office.reconcile()


def live_there(office: Office) -> list[datetime]:
    return sorted(each.start for each in office.salon.calendar.accepted())


def confirmed(office: Office) -> list[tuple[datetime, str | None]]:
    """Of each appointment that stands when it is, and its customer's number."""
    found = look_at(office.salon).appointments.values()
    return sorted((each.slot.start, each.customer.phone) for each in found if each.state is AppointmentState.CONFIRMED)


# What Cal.com shows now goes before the row


def moved(calendar: FakeCalendar, booking: Booking) -> None:
    calendar.move(booking.uid, booking.start + timedelta(hours=3))


def moved_twice(calendar: FakeCalendar, booking: Booking) -> None:
    between = calendar.move(booking.uid, booking.start + timedelta(hours=2))
    calendar.move(between.uid, booking.start + timedelta(hours=3))


def cancelled(calendar: FakeCalendar, booking: Booking) -> None:
    calendar.change(booking.uid, status="cancelled")


def moved_and_cancelled(calendar: FakeCalendar, booking: Booking) -> None:
    after = calendar.move(booking.uid, booking.start + timedelta(hours=3))
    calendar.change(after.uid, status="cancelled")


NAMED = pytest.mark.parametrize("named", [naming, by_number], ids=["by its uid", "by its number"])
ADOPTED = pytest.mark.parametrize("adopted", [(False, False), (True, False), (True, True)])
"""Whether the reconciliation has seen it before the change, and after."""


def import_after(office: Office, since: Since, named: Callable[[Booking], Raw], adopted: tuple[bool, bool]) -> None:
    booking = booked(office)
    if adopted[0]:
        office.reconcile()
    since(office.salon.calendar, booking)
    office.salon.clock.advance(120)
    if adopted[1]:
        office.reconcile()
    office.take([named(booking)], resolve=BookingNumbers(office.salon.calendar, office.salon.clock).uid)
    office.reconcile()
    rounds(office)


@NAMED
@ADOPTED
@pytest.mark.parametrize("since", [moved, moved_twice])
def test_a_row_whose_booking_was_moved_since_is_followed_and_not_booked_at_its_old_time(
    office: Office, since: Since, named: Callable[[Booking], Raw], adopted: tuple[bool, bool]
) -> None:
    import_after(office, since, named, adopted)
    assert live_there(office) == [TEN + timedelta(hours=3)]
    assert confirmed(office) == [(TEN + timedelta(hours=3), "+491701000001")], "known to be its customer's"
    assert not DynamoCases(office.salon.table).unclosed("friseur1")


@NAMED
@ADOPTED
@pytest.mark.parametrize("since", [cancelled, moved_and_cancelled])
def test_a_row_whose_booking_was_cancelled_since_is_over(
    office: Office, since: Since, named: Callable[[Booking], Raw], adopted: tuple[bool, bool]
) -> None:
    import_after(office, since, named, adopted)
    assert live_there(office) == []
    assert confirmed(office) == []
    assert not DynamoCases(office.salon.table).unclosed("friseur1")


def test_a_row_that_is_over_here_says_so_and_becomes_no_case(office: Office) -> None:
    booking = booked(office)
    office.reconcile()
    cancelled(office.salon.calendar, booking)
    office.salon.clock.advance(120)
    office.reconcile()
    report = office.take([naming(booking)])
    assert report.counts == {"rows": 1, "over": 1}
    assert [(each.line, each.column) for each in report.notes] == [(2, "calcom_uid")]


def test_a_row_whose_booking_has_moved_on_here_claims_nothing_of_anybodys(office: Office) -> None:
    booking = booked(office)
    office.reconcile()
    moved(office.salon.calendar, booking)
    office.salon.clock.advance(120)
    office.reconcile()
    report = office.take([naming(booking)])
    assert (report.counts, report.duplicates) == ({"rows": 1, "cases": 1, "case_OTHER": 1}, [])


def test_one_that_has_begun_by_now_and_was_moved_is_followed_too(office: Office) -> None:
    booking = booked(office)
    moved(office.salon.calendar, booking)
    office.salon.clock.advance((TEN - office.salon.clock.now()).total_seconds() + 60)
    office.take([by_number(booking)])
    rounds(office, 1)
    assert confirmed(office) == [(TEN + timedelta(hours=3), "+491701000001")]
    assert office.case("1").ending is Ending.EQUAL


def test_a_row_whose_booking_was_anothers_and_is_gone_is_for_a_person(office: Office) -> None:
    """Incident I1: the second customer heard "gebucht", and never had one."""
    booking = booked(office, email="somebody@kunde.example")
    cancelled(office.salon.calendar, booking)
    office.take([by_number(booking)])
    rounds(office)
    assert office.case("1").state is CaseState.REVIEW
    assert live_there(office) == []


def test_a_move_whose_new_booking_is_not_shown_decides_nothing(office: Office) -> None:
    booking = booked(office)
    after = office.salon.calendar.move(booking.uid, TEN + timedelta(hours=3))
    office.salon.calendar.hidden[after.uid] = office.salon.clock.now() + timedelta(minutes=20)
    office.take([by_number(booking)])
    remedy(office.background(), DynamoCases(office.salon.table), RemedyLimits())
    assert office.case("1").state is CaseState.OPEN
    assert office.salon.calendar.asked.count("create") == 0
    rounds(office)
    assert (office.case("1").ending, live_there(office)) == (Ending.EQUAL, [TEN + timedelta(hours=3)])


def test_half_of_a_move_is_not_taken_for_a_cancellation(office: Office) -> None:
    """Cal.com names the new booking by a second read, which may lag."""
    booking = booked(office)
    after = office.salon.calendar.move(booking.uid, TEN + timedelta(hours=3))
    office.salon.calendar.change(booking.uid, rescheduled_to=None)
    office.take([by_number(booking)])
    remedy(office.background(), DynamoCases(office.salon.table), RemedyLimits())
    assert office.case("1").state is CaseState.OPEN
    office.salon.calendar.change(booking.uid, rescheduled_to=after.uid)
    rounds(office, 1)
    assert office.case("1").ending is Ending.EQUAL


def test_a_moved_row_is_cancelled_by_a_person_where_it_stands_now(office: Office) -> None:
    booking = booked(office)
    moved(office.salon.calendar, booking)
    office.take([by_number(booking)])
    cases, case = DynamoCases(office.salon.table), office.case("1")
    assert cases.change("friseur1", case, replace(case, state=CaseState.REVIEW), now=office.salon.clock.now())
    decide(office.background(), cases, case.id, Choice.CANCEL, by="Maria", apply=True)
    assert office.case("1").ending is Ending.CANCELLED
    assert live_there(office) == []


# A corrected file goes before the one that it corrects


def at_two(office: Office) -> Booking:
    return booked(office, TEN + timedelta(hours=4))


def test_a_row_that_names_its_booking_now_is_one_appointment_and_its_case_is_closed(office: Office) -> None:
    office.take([without_booking(1, start=ROW_AT_TEN)])
    booking = at_two(office)
    planned = office.take([naming(booking, start=ROW_AT_TWO)], file="f2", applies=False)
    assert office.case("1").state is CaseState.OPEN
    report = office.take([naming(booking, start=ROW_AT_TWO)], file="f2")
    assert report.counts == planned.counts == {"rows": 1, "appointments": 1, "customers": 1, "replaced": 1}
    case = office.case("1")
    assert (case.ending, case.appointment, case.by) == (Ending.DUPLICATE, office.of("1").id, "import")
    rounds(office)
    assert live_there(office) == [booking.start]
    assert confirmed(office) == [(booking.start, "+491701000001")]
    again = office.take([without_booking(1, start=ROW_AT_TEN)], file="f3")
    assert again.counts == {"rows": 1, "known": 1}


def test_the_same_where_the_reconciliation_has_its_booking_already(office: Office) -> None:
    office.take([without_booking(1, start=ROW_AT_TEN)])
    booking = at_two(office)
    office.reconcile()
    assert office.take([naming(booking, start=ROW_AT_TWO)], file="f2").counts["linked"] == 1
    assert office.case("1").ending is Ending.DUPLICATE
    again = office.take([without_booking(1, start="2025-11-26T10:30")], file="f3")
    assert again.counts == {"rows": 1, "closed": 1}, "the old file, or one like it, does not open it again"
    rounds(office)
    assert confirmed(office) == [(booking.start, "+491701000001")]


def test_a_row_that_is_cancelled_now_is_not_booked(office: Office) -> None:
    office.take([without_booking(1, start=ROW_AT_TEN)])
    report = office.take([without_booking(1, start=ROW_AT_TEN, status="cancelled")], file="f2")
    assert report.counts == {"rows": 1, "cancelled": 1, "replaced": 1}
    rounds(office)
    assert office.case("1").ending is Ending.CANCELLED
    assert (live_there(office), confirmed(office)) == ([], [])


def test_a_case_that_came_to_nothing_so_far_gives_way_too(office: Office) -> None:
    office.salon.calendar.book_publicly(HERRENHAARSCHNITT, TEN, email="other@kunde.example")
    office.take([without_booking(1, start=ROW_AT_TEN)])
    remedy(office.background(), DynamoCases(office.salon.table), RemedyLimits())
    assert office.case("1").state is CaseState.REVIEW
    booking = at_two(office)
    assert office.take([naming(booking, start=ROW_AT_TWO)], file="f2").counts["replaced"] == 1
    assert office.case("1").ending is Ending.DUPLICATE


@pytest.mark.parametrize("ends", [False, True], ids=["at work", "booked"])
@pytest.mark.parametrize("over", [False, True], ids=["another booking", "cancelled"])
def test_what_was_begun_or_booked_for_a_row_is_before_a_person_when_it_says_something_else(
    office: Office, ends: bool, over: bool
) -> None:
    cases = DynamoCases(office.salon.table)
    office.take([without_booking(1, start=ROW_AT_TEN)])
    if not ends:  # it dies with the booking made, and nothing of it on record yet
        office.salon.calendar.faults.append(dies_of_it)
        with pytest.raises(Crash):
            remedy(office.background(), cases, RemedyLimits())
    else:
        rounds(office, 1)
        assert office.case("1").ending is Ending.BOOKED
    corrected = without_booking(1, start=ROW_AT_TEN, status="cancelled")
    if not over:
        corrected = naming(at_two(office), start=ROW_AT_TWO)
    for file in ("f2", "f3"):
        report = office.take([corrected], file=file)
        assert office.appointment("1") is None, "no second appointment of the row"
        (case,) = cases.unclosed("friseur1")
        assert case.state is CaseState.REVIEW
        assert "a newer file has it" in case.why
        assert report.notes or report.duplicates
    rounds(office)
    (case,) = cases.unclosed("friseur1")
    assert case.state is CaseState.REVIEW
    office.salon.clock.advance(600)
    decide(office.background(), cases, case.id, Choice.CANCEL, by="Maria", apply=True)
    rounds(office)
    office.take([corrected], file="f4")
    rounds(office)
    assert not cases.unclosed("friseur1"), "what a person has decided is not opened again"
    assert len(live_there(office)) == len(confirmed(office)) == int(not over)


def dies_of_it(calendar: FakeCalendar, request: BookingRequest) -> NoReturn:
    calendar.make(request)
    raise Crash


def test_a_row_that_is_cancelled_and_stands_here_is_left_to_cal_com_and_listed(office: Office) -> None:
    booking = booked(office)
    office.take([naming(booking)])
    report = office.take([naming(booking) | {"status": "cancelled"}], file="f2")
    assert (report.counts, [each.column for each in report.notes]) == ({"rows": 1, "cancelled": 1}, ["status"])
    assert office.of("1").state is AppointmentState.CONFIRMED


def test_a_case_that_changes_while_it_gives_way_is_looked_at_again(office: Office) -> None:
    """A remedy begins with it in this moment: then it does not give way."""
    office.take([without_booking(1, start=ROW_AT_TEN)])
    cases, booking = DynamoCases(office.salon.table), at_two(office)
    rows, begun = [naming(booking, start=ROW_AT_TWO)], list[int]()

    class Late(DynamoCases):
        def change(self, *args: Any, **more: Any) -> bool:
            if not begun:
                begun.append(1)
                remedy(office.background(), cases, RemedyLimits())
            return DynamoCases.change(self, *args, **more)

    work = Importing(
        tenant=office.salon.tenant,
        imports=office.imports,
        cases=Late(office.salon.table),
        clock=office.salon.clock,
        applies=True,
    )
    import_file(work, Rows(rows, "f2"))
    assert office.appointment("1") is None
    assert [each.state for each in cases.unclosed("friseur1")] == [CaseState.REVIEW]


# What was an error for the salon's document is tried again


def without_emma(tenant: Tenant) -> Tenant:
    services = []
    for service in tenant.services:
        parts = [
            replace(part, event_types={who: kind for who, kind in part.event_types.items() if who != "emma"})
            for part in service.segments
        ]
        services.append(replace(service, segments=tuple(parts)))
    return replace(tenant, staff=tuple(each for each in tenant.staff if each.id != "emma"), services=tuple(services))


@pytest.mark.parametrize("more", [{}, {"resumes": True}])
def test_errors_of_the_document_are_imported_with_the_same_file_once_it_is_mended(
    office: Office, more: dict[str, bool]
) -> None:
    whole, rows = office.salon.tenant, [raw(1), raw(2, staff="Fabian"), raw(3)]
    office.salon.tenant = without_emma(whole)
    assert office.take(rows).counts == {"rows": 3, "errors": 2, "appointments": 1, "customers": 1}
    again = office.take(rows)
    assert (again.refused, [each.line for each in again.errors]) == (Refusal.DONE_BEFORE, [2, 4]), "listed again"
    office.salon.tenant = whole
    planned = office.take(rows, applies=False)
    report = office.take(rows, **more)
    assert report.counts == planned.counts == {"rows": 3, "known": 1, "appointments": 2, "customers": 2}
    assert (report.anew, report.errors) == (True, [])
    assert all(office.appointment(str(number)) for number in (1, 2, 3))
    assert office.imports.unverified("friseur1") == 3
    assert office.take(rows).refused is Refusal.DONE_BEFORE


def test_a_cut_off_import_that_is_resumed_takes_in_what_the_mended_document_reads(office: Office) -> None:
    whole = office.salon.tenant
    office.salon.tenant = without_emma(whole)
    rows = [raw(number, staff="Fabian" if number % 2 else "Emma") for number in range(1, 40)]
    office.salon.client.faults.next("transact_write_items", Fault.NOT_SENT, skip=1)
    with pytest.raises(StoreUnavailable):
        office.take(rows)
    office.salon.client.faults.clear()
    assert office.take(rows, resumes=True, applies=False).errors
    office.salon.tenant = whole
    report = office.take(rows, resumes=True)
    assert (report.counts["rows"], report.counts["errors"], report.errors) == (39, 0, [])
    assert all(office.appointment(row["external_id"]) for row in rows)
    assert office.stored()["APPT"] == 39
