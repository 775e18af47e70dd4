"""Rows of an existing system's file: what each column may hold, and what is said of what it may not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bookend.domain.imports import (
    Becomes,
    CustomerRow,
    Names,
    Row,
    RowError,
    address,
    becomes,
    identity,
    read_row,
    segments_of,
)
from tests.support.salon import example_tenant

TENANT = example_tenant()
GOOD = {
    "external_id": "642",
    "customer_id": "342",
    "customer_name": "Hansi Sputer",
    "customer_phone": "0171 3920001",
    "service": "Beratung",
    "staff": "Fabian",
    "start": "2025-12-10T08:00",
    "calcom_uid": "8Fxv4pCqnb1Jva1w9wn5wX",
    "calcom_booking_id": "11489895",
}


def row(**changed: str) -> Row:
    read = read_row(GOOD | changed, 7, Names(TENANT))
    assert isinstance(read, Row), read
    return read


def wrong(**changed: str) -> list[tuple[str, str]]:
    read = read_row(GOOD | changed, 7, Names(TENANT))
    assert isinstance(read, tuple), read
    assert all(each.line == 7 for each in read)
    return [(each.column, each.why) for each in read]


def test_a_row_with_its_booking_becomes_an_appointment_that_stands_there() -> None:
    read = row()
    assert becomes(read) is Becomes.APPOINTMENT
    (segment,) = segments_of(read)
    assert (segment.staff, segment.event_type, segment.host) == ("fabian", 2563193, 28)
    assert (segment.uid, segment.booking_id) == ("8Fxv4pCqnb1Jva1w9wn5wX", 11489895)
    assert (segment.slot.start, segment.slot.end) == (
        datetime(2025, 12, 10, 7, tzinfo=UTC),
        datetime(2025, 12, 10, 7, 30, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2025-12-10T08:00", 7),
        ("2025-12-10 08:00:00", 7),
        ("10.12.2025 08:00", 7),
        ("2025-12-10T08:00+01:00", 7),
        ("2025-12-10T08:00:00Z", 8),
        ("2025-07-10T08:00", 6),
    ],
)
def test_a_time_without_offset_is_the_salons(text: str, hour: int) -> None:
    slot = row(start=text).slot
    assert slot is not None
    assert slot.start.hour == hour


@pytest.mark.parametrize(
    ("changed", "column", "why"),
    [
        ({"start": "2025-03-30T02:30"}, "start", "does not exist in Europe/Berlin"),
        ({"start": "2025-10-26T02:30"}, "start", "happens twice in Europe/Berlin"),
        ({"start": "31.02.2025 10:00"}, "start", "2025-12-10T14:00"),
        ({"start": "morgen"}, "start", "2025-12-10T14:00"),
        ({"start": "2025-12-10"}, "start", "2025-12-10T14:00"),
        ({"service": "Massage"}, "service", "none that is sold here"),
        ({"staff": "Udo"}, "staff", "nobody who does this"),
        ({"minutes": "0"}, "minutes", "1 to 1440"),
        ({"minutes": "ten"}, "minutes", "a whole number"),
        ({"calcom_booking_id": "4.5"}, "calcom_booking_id", "a whole number"),
        ({"calcom_uid": "a/b"}, "calcom_uid", "letters, digits"),
        ({"calcom_uid": "abc abc"}, "calcom_uid", "the same booking twice"),
        ({"status": "vielleicht"}, "status", "one of"),
        ({"external_id": ""}, "external_id", "missing"),
        ({"external_id": "a#b"}, "external_id", "up to 64"),
        ({"customer_name": ""}, "customer_name", "missing"),
        ({"strat": "x"}, "strat", "no column of ours"),
    ],
)
def test_what_cannot_be_is_named_with_its_column(changed: dict[str, str], column: str, why: str) -> None:
    (found,) = wrong(**changed)
    assert found[0] == column
    assert found[1].startswith(why)


def test_everything_that_is_wrong_with_a_row_is_said_at_once() -> None:
    found = wrong(external_id="", service="Massage", start="morgen", status="?")
    assert {column for column, _ in found} == {"external_id", "service", "start", "status"}


@pytest.mark.parametrize("column", ["service", "staff", "start"])
def test_a_row_that_lacks_what_an_appointment_needs_is_a_case_and_no_error(column: str) -> None:
    read = row(**{column: ""})
    assert not read.is_complete
    assert becomes(read) is Becomes.CASE


def test_a_number_alone_is_no_booking_that_could_be_read() -> None:
    assert becomes(row(calcom_uid="")) is Becomes.CASE


def test_what_was_cancelled_is_only_counted() -> None:
    assert becomes(row(status="Storniert")) is Becomes.CANCELLED


def test_a_composite_needs_a_booking_for_each_busy_part() -> None:
    composite = {"service": "Dauerwelle", "calcom_booking_id": ""}
    assert becomes(row(**composite)) is Becomes.CASE
    whole = row(**composite, calcom_uid="part1 part2")
    assert becomes(whole) is Becomes.APPOINTMENT
    first, last = segments_of(whole)
    assert (first.uid, last.uid) == ("part1", "part2")
    assert [int((each.slot.end - each.slot.start).total_seconds()) // 60 for each in (first, last)] == [45, 30]
    assert (last.slot.start - first.slot.end).total_seconds() == 3600


def test_a_withheld_number_is_none_and_the_customer_gets_an_address_of_their_own() -> None:
    read = row(customer_phone="anonymous_1763931947_a1b2")
    assert read.person.phone is None
    other = row(customer_phone="anonymous_1763931948_ffff", customer_id="343")
    made = [address(TENANT, each.person, shared=False) for each in (read, other)]
    assert len({*made}) == 2
    assert all(each.endswith("@kunden.friseur1.example") for each in made)
    assert [each.column for each in read.notes] == ["customer_phone"]


def test_an_address_of_several_is_nobodys() -> None:
    person = row(customer_email="Termin@AskProAI.de").person
    assert address(TENANT, person, shared=False) == "termin@askproai.de"
    assert address(TENANT, person, shared=True) == f"kunde-{identity(TENANT, person)}@kunden.friseur1.example"


@pytest.mark.parametrize(
    "said", ["call_927bf219b2cc20cd24dc97c9f0b", "0f8fad5b-d9cb-469f-a165-70867728950e", "753", ""]
)
def test_a_call_is_kept_if_it_looks_like_the_id_of_one(said: str) -> None:
    assert (row(call_id=said).call, row(call_id=said).notes) == (said, ())


@pytest.mark.parametrize(
    "said",
    ["+491701000001 Gudrun Beispiel 25.11.", "Gudrun", "Gudrun-Beispiel", "491701000001", "0170-1000001", "a1" * 33],
)
def test_a_call_that_may_say_who_called_is_left_out_and_noted(said: str) -> None:
    read = row(call_id=said)
    assert (read.call, [(each.column, each.why) for each in read.notes]) == (
        "",
        [("call_id", "no id of a call; left out")],
    )


def test_a_customer_is_known_by_their_number_as_a_caller_is() -> None:
    assert identity(TENANT, row().person) == identity(TENANT, row(customer_id="999", customer_name="H. Sputer").person)
    assert identity(TENANT, row(customer_phone="").person) != identity(
        TENANT, row(customer_phone="", customer_id="999").person
    )


def test_a_row_of_a_customer_alone_needs_their_id() -> None:
    read = read_row({"customer_id": "4", "customer_name": "Erika Muster"}, 3, Names(TENANT))
    assert isinstance(read, CustomerRow)
    assert read_row({"customer_name": "Erika Muster"}, 3, Names(TENANT)) == (RowError(3, "customer_id", "missing"),)
