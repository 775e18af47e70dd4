"""Import: each row becomes what it is, a kill doubles nothing, and nothing is verified that was not read."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bookend.adapters.dynamodb.adoptions import DynamoAdoptions
from bookend.adapters.dynamodb.cases import DynamoCases
from bookend.adapters.dynamodb.imports import DynamoImports
from bookend.application.background import Background
from bookend.application.booking_numbers import BookingNumbers, CalendarSilent
from bookend.application.budget import Limits
from bookend.application.deadline import Deadline
from bookend.application.importing import Importing, ImportReport, Refusal, import_file
from bookend.application.ports import BookingRequest, Progress, StoreUnavailable
from bookend.application.reconciling import new_full, reconcile
from bookend.application.remedying import RemedyLimits, remedy
from bookend.domain.answers import Unclear
from bookend.domain.appointment import Appointment, AppointmentState
from bookend.domain.cases import Case, CaseState, Ending, SyncFailure
from bookend.domain.imports import COLUMNS, RowError, appointment_name
from tests.support.invariants import look_at
from tests.support.salon import Salon
from tests.support.tables.faults import Crash, Fault

NOW = datetime(2025, 11, 24, 9, 0, tzinfo=UTC)
BUSY = 'HTTP 400 {"message":"One of the hosts either already has booking at this time or is not available"}'
Raw = dict[str, str]


@dataclass
class Rows:
    """The `ImportFile` port: rows as a file has them."""

    raw: list[Raw]
    digest: str = "f1"

    def rows(self) -> Iterator[tuple[int, Mapping[str, str]] | RowError]:
        yield from enumerate(self.raw, start=2)


@dataclass
class Office:
    """A salon that moves in: its table, its Cal.com, and the command at work."""

    salon: Salon = field(default_factory=lambda: Salon(now=NOW))

    @property
    def imports(self) -> DynamoImports:
        return DynamoImports(self.salon.table)

    def take(self, raw: list[Raw], *, applies: bool = True, file: str = "f1", **more: Any) -> ImportReport:
        work = Importing(
            tenant=self.salon.tenant,
            imports=self.imports,
            cases=DynamoCases(self.salon.table),
            clock=self.salon.clock,
            applies=applies,
            **more,
        )
        return import_file(work, Rows(raw, file))

    def appointment(self, external_id: str) -> Appointment | None:
        return self.salon.appointments.appointment("friseur1", appointment_name("friseur1", external_id))

    def of(self, external_id: str) -> Appointment:
        found = self.appointment(external_id)
        assert found is not None
        return found

    def case(self, external_id: str) -> Case:
        found = DynamoCases(self.salon.table).case("friseur1", f"import-{external_id}")
        assert found is not None
        return found

    def stored(self) -> dict[str, int]:
        """How many items of each kind there are; the records of what was written are counted with them."""
        kinds = ("APPT", "CALUID", "CALID", "CUST#", "CUSTOMER", "CASE")
        found: Counter[str] = Counter(dict.fromkeys(kinds, 0))
        page: dict[str, Any] = {}
        while True:
            answer = self.salon.client.scan(TableName="appointments", **page)
            found.update(kind for item in answer["Items"] for kind in kinds if f"#{kind}" in item["pk"]["S"])
            if "LastEvaluatedKey" not in answer:
                return dict(found)
            page = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

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
            deadline=Deadline.within(900, salon.clock),
        )

    def reconcile(self) -> Counter[str]:
        work = self.background()
        run = new_full(salon_now(self), Progress(), today=salon_now(self).date())
        report = reconcile(work, run, runs=None, limits=Limits(requests=10_000))
        return report.tally


def salon_now(office: Office) -> datetime:
    now: datetime = office.salon.clock.now()
    return now


@pytest.fixture
def office() -> Office:
    return Office()


def raw(number: int, **changed: str) -> Raw:
    """A row that names its booking; each of its own customer, half an hour after the one before."""
    start = datetime(2025, 11, 25, 7, tzinfo=UTC) + timedelta(minutes=30 * number)
    row = dict.fromkeys(COLUMNS, "") | {
        "external_id": str(number),
        "customer_id": f"k{number}",
        "customer_name": "Gudrun Beispiel",
        "customer_phone": f"+49170{1000000 + number}",
        "customer_email": f"gudrun{number}@kunde.example",
        "service": "Herrenhaarschnitt",
        "staff": "Emma",
        "start": start.isoformat(),
        "calcom_uid": f"uid{number}",
        "calcom_booking_id": str(5000 + number),
        "status": "confirmed",
    }
    return row | changed


def without_booking(number: int, **changed: str) -> Raw:
    return raw(number, calcom_uid="", calcom_booking_id="", sync_status="failed", **changed)


def a_bit_of_everything() -> list[Raw]:
    return [
        raw(1),
        raw(2, service="Dauerwelle", staff="Fabian", calcom_uid="part1 part2", calcom_booking_id=""),
        without_booking(3, sync_error=BUSY),
        raw(4, calcom_uid="uid1", customer_phone="+491701000001", start=raw(1)["start"]),
        raw(5, status="cancelled"),
        raw(6, service="Massage"),
        dict.fromkeys(COLUMNS, "") | {"customer_id": "k99", "customer_name": "Otto Beispiel"},
        raw(7),
        raw(7),
        raw(8, start=raw(7)["start"]),
    ]


def test_a_row_becomes_what_it_is(office: Office) -> None:
    report = office.take(a_bit_of_everything())
    assert report.counts == {
        "rows": 10,
        "appointments": 3,
        "cases": 3,
        "duplicates": 1,
        "case_HOST_UNAVAILABLE": 2,
        "case_DOUBLE_BOOKING": 1,
        "cancelled": 1,
        "customer_rows": 1,
        "customers": 4,
        "errors": 2,
    }
    assert [(each.line, each.column) for each in report.errors] == [(7, "service"), (10, "external_id")]
    assert [(each.line, each.external_id, each.of) for each in report.duplicates] == [(5, "4", "1")]
    one = office.of("1")
    assert (one.state, one.source, one.verified_at) == (AppointmentState.CONFIRMED, "import", None)
    assert one.customer.email == "gudrun1@kunde.example"
    assert [each.uid for each in office.of("2").segments] == ["part1", "part2"]
    assert office.case("3").answers == (BUSY,)
    assert office.case("4").facts["duplicate_of"] == "1"
    assert office.case("8").failure is SyncFailure.HOST_UNAVAILABLE
    assert office.appointment("8") is None, "its time is another's: two of ours never overlap"
    assert office.imports.unverified("friseur1") == 3


def test_without_apply_it_says_the_same_and_writes_nothing(office: Office) -> None:
    planned = office.take(a_bit_of_everything(), applies=False)
    assert office.salon.client.scan(TableName="appointments")["Items"] == []
    done = office.take(a_bit_of_everything())
    assert (planned.counts, planned.errors, planned.duplicates) == (done.counts, done.errors, done.duplicates)


def test_the_ledger_is_the_imported_appointments(office: Office) -> None:
    office.take(a_bit_of_everything())
    world = look_at(office.salon)
    intervals = {(key, staff, each.slot) for (staff, _), day in world.ledger.items() for key, each in day.items()}
    assert intervals == {
        (f"{each.id}/{segment.index}", segment.staff, segment.slot)
        for each in world.appointments.values()
        for segment in each.segments
    }


def test_what_is_long_over_takes_no_time_from_anybody(office: Office) -> None:
    office.take([raw(1, start="2025-01-07T10:00")])
    assert office.of("1").state is AppointmentState.CONFIRMED
    assert office.salon.items("STAFF") == []


def kill_at_every_boundary(rows: list[Raw]) -> None:
    """Run once, then again with a death at each boundary and a second run behind it: the table is the same."""
    whole = Office()
    before = whole.salon.client.faults.boundaries
    counts = whole.take(rows).counts
    boundaries = whole.salon.client.faults.boundaries - before
    expected = whole.stored(), counts, whole.imports.unverified("friseur1")
    assert boundaries > 6
    for boundary in range(1, boundaries + 1):
        office = Office()
        office.salon.client.faults.crash_at(boundary)
        with pytest.raises(Crash):
            office.take(rows)
        office.salon.client.faults.clear()
        again = office.take(rows, resumes=True)
        found = office.stored(), again.counts, office.imports.unverified("friseur1")
        assert found == expected, f"killed at boundary {boundary}"
        assert [each.column for each in again.errors] == ["service", "external_id"] or again.refused is not None


def test_a_kill_at_any_boundary_doubles_nothing() -> None:
    kill_at_every_boundary([*a_bit_of_everything(), *(raw(number) for number in range(20, 44))])


def test_a_lost_answer_is_found_to_have_taken_effect(office: Office) -> None:
    rows = [raw(number) for number in range(1, 40)]
    office.salon.client.faults.next("transact_write_items", Fault.LOST_ANSWER)
    with pytest.raises(StoreUnavailable):
        office.take(rows)
    office.salon.client.faults.clear()
    again = office.take(rows, resumes=True)
    assert (again.counts["appointments"], again.counts["known"]) == (39, 0)
    assert office.stored()["APPT"] == 39


def test_an_import_that_was_cut_off_goes_on_only_if_that_is_asked_for(office: Office) -> None:
    rows = [raw(number) for number in range(1, 40)]
    office.salon.client.faults.crash_at(8)
    with pytest.raises(Crash):
        office.take(rows)
    office.salon.client.faults.clear()
    assert office.take(rows).refused is Refusal.BEGUN_BEFORE
    assert office.take(rows, resumes=True).refused is None
    assert office.take(rows, resumes=True).refused is Refusal.DONE_BEFORE


def test_another_file_with_the_same_rows_adds_nothing(office: Office) -> None:
    rows = a_bit_of_everything()
    office.take(rows)
    before = office.stored(), office.imports.unverified("friseur1")
    again = office.take(rows, file="f2")
    assert (office.stored(), office.imports.unverified("friseur1")) == before
    assert (again.counts["known"], again.counts["appointments"]) == (3, 0)


def test_a_corrected_row_whose_case_was_closed_as_invalid_is_kept_anew(office: Office) -> None:
    office.take([without_booking(1, service="")])
    cases = DynamoCases(office.salon.table)
    remedy(office.background(), cases, RemedyLimits())
    assert office.case("1").ending is Ending.INVALID
    planned = office.take([without_booking(1)], file="f2", applies=False)
    assert office.take([without_booking(1)], file="f2").counts == planned.counts
    (case,) = cases.unclosed("friseur1")
    assert (case.id, case.facts["service"]) == ("import-1~2", "herrenhaarschnitt")
    remedy(office.background(), cases, RemedyLimits())
    assert office.case("1~2").ending is Ending.BOOKED
    assert len(office.salon.calendar.bookings) == 1


def test_a_corrected_row_takes_the_place_of_a_case_that_nobody_has_begun_with(office: Office) -> None:
    office.take([without_booking(1, service="")])
    assert office.take([without_booking(1)], file="f2").counts["cases"] == 1
    case = office.case("1")
    assert (case.state, case.failure, case.facts["service"]) == (CaseState.OPEN, SyncFailure.OTHER, "herrenhaarschnitt")


def test_a_row_whose_case_came_to_its_end_is_left_and_the_report_says_so(office: Office) -> None:
    """It was booked, and cancelled since: another file without its booking does not bring it back."""
    cases = DynamoCases(office.salon.table)
    office.take([without_booking(1)])
    remedy(office.background(), cases, RemedyLimits())
    assert office.case("1").ending is Ending.BOOKED
    (made,) = office.salon.calendar.bookings.values()
    office.salon.calendar.change(made.uid, status="cancelled")
    again = office.take([without_booking(1, start="2025-11-25T15:00+01:00")], file="f2")
    assert again.counts == {"rows": 1, "closed": 1}
    assert [(each.line, each.why) for each in again.notes] == [
        (2, "its case import-1 was closed as booked, and stays so")
    ]
    assert not cases.unclosed("friseur1")


def test_what_is_here_already_stays_though_another_file_has_it_without_its_booking(office: Office) -> None:
    """The salon has moved it since: the old time is not booked again."""
    row = raw(1)
    made = office.salon.calendar.insert(
        BookingRequest(
            office.salon.tenant.service("herrenhaarschnitt").busy[0].event_types["emma"],  # type: ignore[union-attr]
            datetime.fromisoformat(row["start"]),
            "Gudrun Beispiel",
            row["customer_email"],
            None,
            "Europe/Berlin",
            "de",
            {},
        )
    )
    office.take([row | {"calcom_uid": made.uid, "calcom_booking_id": str(made.id)}])
    office.reconcile()
    office.salon.calendar.move(made.uid, made.start + timedelta(hours=5))
    office.reconcile()
    again = office.take([without_booking(1)], file="f2")
    assert again.counts == {"rows": 1, "known": 1}
    remedy(office.background(), DynamoCases(office.salon.table), RemedyLimits())
    live = [each.start for each in office.salon.calendar.bookings.values() if each.status == "accepted"]
    assert live == [made.start + timedelta(hours=5)] == [office.of("1").slot.start]


def test_two_at_once_do_not_count_twice(office: Office) -> None:
    rows = [raw(number) for number in range(1, 40)]

    def twin(line: int, _seconds: float) -> None:
        if line < 30:
            office.take(rows, resumes=True)

    first = office.take(rows, on_progress=twin)
    assert first.refused is Refusal.TWIN
    assert office.imports.progress("friseur1", "f1", now=NOW).counts["appointments"] == 39
    assert office.stored()["APPT"] == 39


def test_a_page_in_whose_way_somebody_writes_is_decided_anew(office: Office) -> None:
    """A caller books between the look and the write; the row in their way becomes a case, the others are taken in."""
    work = office.imports
    looks: list[int] = []

    class Busy(DynamoImports):
        def look(self, *args: Any, **more: Any) -> Any:
            found = DynamoImports.look(self, *args, **more)
            if not looks:
                other = Office(office.salon)
                other.take([raw(2, external_id="caller", calcom_uid="theirs", calcom_booking_id="1")], file="f9")
            looks.append(1)
            return found

    importing = Importing(
        tenant=office.salon.tenant,
        imports=Busy(office.salon.table),
        cases=DynamoCases(office.salon.table),
        clock=office.salon.clock,
        applies=True,
    )
    report = import_file(importing, Rows([raw(1), raw(2, customer_phone="+491709999999"), raw(3)]))
    assert report.counts["appointments"] == 2
    assert office.appointment("2") is None
    assert office.case("2").failure is SyncFailure.HOST_UNAVAILABLE
    assert work.unverified("friseur1") == 3


# Who has what


def test_the_row_that_names_its_booking_goes_before_one_that_does_not(office: Office) -> None:
    """The other system's failed try stands above the one that it made good."""
    same = {"customer_phone": "+491701000001", "start": raw(1)["start"]}
    report = office.take([without_booking(1, **same), raw(2, **same)])
    assert office.of("2").state is AppointmentState.CONFIRMED
    assert [(each.external_id, each.of) for each in report.duplicates] == [("1", "2")]


def test_several_rows_on_one_number_are_one_case_and_its_duplicates(office: Office) -> None:
    """I5: 753, 754 and 755 on booking 13060966."""
    rows = [
        without_booking(n, customer_phone="+491701000001", start="2025-12-10T14:00") | {"calcom_booking_id": "13060966"}
        for n in (753, 754, 755)
    ]
    report = office.take(rows)
    assert [(each.external_id, each.of) for each in report.duplicates] == [("754", "753"), ("755", "753")]
    assert [office.case(n).failure for n in ("754", "755")] == [SyncFailure.DOUBLE_BOOKING] * 2
    assert office.case("753").facts["booking_id"] == "13060966"
    assert "duplicate_of" not in office.case("753").facts


def test_a_booking_known_by_its_number_is_found_in_its_days_list(office: Office) -> None:
    calendar = office.salon.calendar
    booked = calendar.book_publicly(3672815, datetime(2025, 12, 10, 13, tzinfo=UTC))
    gone = calendar.book_publicly(3672815, datetime(2025, 12, 10, 15, tzinfo=UTC))
    calendar.change(gone.uid, status="cancelled")
    numbers = BookingNumbers(calendar, office.salon.clock)
    rows = [
        raw(1, start="2025-12-10T14:00", calcom_uid="", calcom_booking_id=str(booked.id)),
        raw(2, start="2025-12-10T16:00", calcom_uid="", calcom_booking_id=str(gone.id)),
    ]
    report = office.take(rows, resolve=numbers.uid)
    assert office.of("1").segments[0].uid == booked.uid
    assert report.counts["cases"] == 1
    assert calendar.asked == ["list"], "one list a day"
    calendar.list_faults.append(lambda *_: Unclear("ReadTimeout"))
    with pytest.raises(CalendarSilent):
        BookingNumbers(calendar, office.salon.clock).uid(1, office.of("1").slot)


def test_33_customers_without_contact_get_an_address_each_and_no_number(office: Office) -> None:
    rows = [without_booking(n, customer_phone=f"anonymous_17639319{n}_ab{n}", customer_email="") for n in range(10, 43)]
    office.take(rows)
    people = [office.case(str(n)).customer for n in range(10, 43)]
    assert len({each.email for each in people if each is not None}) == 33
    assert all(each is not None and each.phone is None for each in people)
    assert {office.case(str(n)).failure for n in range(10, 43)} == {SyncFailure.MISSING_CONTACT}


def test_one_address_of_several_is_replaced_for_all_of_them_and_reported(office: Office) -> None:
    """I1: the shared fallback address gave two people one booking."""
    shared = {"customer_email": "termin@askproai.de"}
    report = office.take([raw(1), raw(2, **shared), raw(3, **shared)])
    assert [(each.line, each.customers) for each in report.shared] == [(3, 2)]
    emails = {office.of(n).customer.email for n in ("1", "2", "3")}
    assert len(emails) == 3
    assert "termin@askproai.de" not in emails


def test_what_the_reconciliation_had_taken_over_is_now_its_customers(office: Office) -> None:
    """A new salon's bookings are adopted within minutes; the file knows whose they are."""
    booked = office.salon.calendar.book_publicly(3672815, datetime(2025, 12, 10, 13, tzinfo=UTC))
    office.reconcile()
    before = look_at(office.salon).appointments
    row = raw(1, start="2025-12-10T14:00", calcom_uid=booked.uid, calcom_booking_id=str(booked.id), call_id="call_9")
    report = office.take([row])
    (after,) = look_at(office.salon).appointments.values()
    assert report.counts["linked"] == 1
    assert list(before) == [after.id]
    assert (after.customer.phone, after.call) == ("+491701000001", "call_9")
    assert after.verified_at is not None
    assert office.imports.unverified("friseur1") == 0
    again = office.take([row], file="f2")
    assert again.counts["linked"] == 0, "the same customer's now"


# Verified only by a read


def book(office: Office, *numbers: int) -> list[Raw]:
    rows = []
    for number in numbers:
        start = datetime.fromisoformat(raw(number)["start"])
        made = office.salon.calendar.book_publicly(3672815, start, email=raw(number)["customer_email"])
        rows.append(raw(number, calcom_uid=made.uid, calcom_booking_id=str(made.id)))
    return rows


def test_nothing_is_verified_until_its_booking_has_been_read(office: Office) -> None:
    office.take([*book(office, 1, 2), raw(3)])
    assert office.imports.unverified("friseur1") == 3
    tally = office.reconcile()
    assert tally["drift_unverified"] == 2
    assert [office.of(n).verified_at is not None for n in ("1", "2", "3")] == [True, True, False]
    assert office.imports.unverified("friseur1") == 1
    assert office.reconcile()["drift_unverified"] == 0


def test_a_composite_is_verified_when_each_part_has_been_read(office: Office) -> None:
    calendar, start = office.salon.calendar, datetime(2025, 12, 10, 9, tzinfo=UTC)
    email = "erika@kunde.example"
    first = calendar.book_publicly(3757749, start, email=email)
    last = calendar.book_publicly(3757750, start + timedelta(minutes=105), email=email)
    composite = {"service": "Dauerwelle", "staff": "Fabian", "customer_email": email, "calcom_booking_id": ""}
    office.take([raw(1, **composite, start=start.isoformat(), calcom_uid=f"{first.uid} {last.uid}")])
    hidden = office.salon.clock.now() + timedelta(minutes=10)
    calendar.hidden[last.uid] = hidden
    office.reconcile()
    assert office.of("1").verified_at is None, "one of its bookings was not to be seen"
    assert office.imports.unverified("friseur1") == 1
    office.salon.clock.advance(3600)
    office.salon.alerts.raised.clear()
    office.reconcile()
    assert office.of("1").verified_at is not None
    assert office.imports.unverified("friseur1") == 0
    assert office.salon.alerts.raised == []


def test_one_that_stands_elsewhere_is_followed_and_verified_by_that(office: Office) -> None:
    rows = book(office, 1)
    office.take(rows)
    moved = office.salon.calendar.move(rows[0]["calcom_uid"], datetime(2025, 12, 11, 9, tzinfo=UTC))
    office.reconcile()
    assert office.of("1").slot.start == moved.start
    assert office.imports.unverified("friseur1") == 0


def test_one_that_is_cancelled_there_is_over_and_counts_no_more(office: Office) -> None:
    rows = book(office, 1)
    office.take(rows)
    office.salon.calendar.change(rows[0]["calcom_uid"], status="cancelled")
    office.reconcile()
    assert office.of("1").state is AppointmentState.CANCELLED
    assert office.imports.unverified("friseur1") == 0


def test_under_which_address_cal_com_has_a_customer_without_one_is_no_difference(office: Office) -> None:
    (row,) = book(office, 1)
    office.take([row | {"customer_email": ""}])
    tally = office.reconcile()
    assert tally["drift_attendee"] == 0
    assert office.imports.unverified("friseur1") == 0


def test_its_number_is_guarded_once_it_has_been_read(office: Office) -> None:
    (row,) = book(office, 1)
    office.take([row | {"calcom_booking_id": ""}])
    assert office.stored()["CALID"] == 0
    office.reconcile()
    assert office.stored()["CALID"] == 1


# Many


def many(count: int) -> list[Raw]:
    """Over all stylists and as many days as it takes; a tenth is trouble of some kind."""
    dice = random.Random(4)
    kinds: list[Callable[[int, Raw], Raw]] = [
        lambda n, row: row | {"calcom_uid": "", "calcom_booking_id": "", "sync_error": BUSY},
        lambda n, row: row | {"status": "cancelled"},
        lambda n, row: row | {"service": ""},
        lambda n, row: row | {"start": "morgen"},
    ]
    rows = []
    for number in range(count):
        day, at = divmod(number, 60)
        staff, hour = ("Emma", "Fabian", "Udo")[at // 20], at % 20
        start = datetime(2025, 11, 25, 6, tzinfo=UTC) + timedelta(days=day, minutes=30 * hour)
        row = raw(number, staff=staff, start=start.isoformat())
        rows.append(dice.choice(kinds)(number, row) if dice.random() < 0.1 else row)
    return rows


def import_with_kills(count: int, *, kills: int) -> None:
    rows, office = many(count), Office()
    dice, began = random.Random(9), time.monotonic()
    for _ in range(kills):
        office.salon.client.faults.crash_at(dice.randint(1, max(20, count // 40)))
        with pytest.raises(Crash):
            office.take(rows, resumes=True)
        office.salon.client.faults.clear()
    report = office.take(rows, resumes=True)
    taken = time.monotonic() - began
    assert report.counts["rows"] == count
    appointments = report.counts["appointments"]
    assert office.stored()["APPT"] == appointments == office.imports.unverified("friseur1")
    assert appointments + report.counts["cases"] + report.counts["cancelled"] + report.counts["errors"] == count
    print(f"{count} rows, {kills} kills: {count / taken:.0f} rows/s")


def test_thousands_are_taken_in_whatever_kills_it_on_the_way() -> None:
    import_with_kills(1_000, kills=3)


@pytest.mark.slow
def test_100_000_rows_are_taken_in_whatever_kills_it_on_the_way() -> None:
    import_with_kills(100_000, kills=4)


def test_many_rows_share_a_transaction() -> None:
    office, rows = Office(), [raw(number) for number in range(320)]
    report = office.take(rows)
    per_row = report.requests / len(rows)
    print(f"{per_row:.3f} requests a row")
    assert report.counts["appointments"] == 320
    assert per_row < 0.2
