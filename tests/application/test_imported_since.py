"""A file tells what was so when it was written: what Cal.com shows now, and a later file, go before it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bookend.adapters.dynamodb.cases import DynamoCases
from bookend.application.booking_numbers import BookingNumbers
from bookend.application.importing import Refusal
from bookend.application.ports import BookingRequest
from bookend.application.remedying import RemedyLimits, remedy
from bookend.domain.answers import Booking
from bookend.domain.appointment import AppointmentState
from bookend.domain.cases import CaseState, Ending
from bookend.domain.reviews import Choice
from bookend.domain.tenant import Tenant
from tests.application.test_importing import Office, Raw, raw, without_booking
from tests.support.calendar import FakeCalendar
from tests.support.invariants import look_at
from tests.support.tables.faults import Crash

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
    from bookend.application.reviewing import decide

    booking = booked(office)
    moved(office.salon.calendar, booking)
    office.take([by_number(booking)])
    cases, case = DynamoCases(office.salon.table), office.case("1")
    assert cases.change("friseur1", case, replace(case, state=CaseState.REVIEW), now=office.salon.clock.now())
    decide(office.background(), cases, case.id, Choice.CANCEL, by="Maria", apply=True)
    assert office.case("1").ending is Ending.CANCELLED
    assert live_there(office) == []
