"""What a person reads of a case says what is known, whose it is and who has been told, and no more than that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bookend.application.duplicates import Done, Duplicate, DuplicateReport, Kind
from bookend.application.reviewing import NotPossible, evidence
from bookend.cli_duplicates import lines_of as duplicates_of
from bookend.cli_remedy import lines_of
from bookend.cli_review import _cells, _shown
from bookend.domain.cases import SyncFailure
from bookend.domain.drift import Drift
from bookend.domain.reviews import Choice
from bookend.domain.timeslot import instant_text
from tests.application.convergence.world import TEN, TENANT
from tests.application.remedies.test_remedies import busy
from tests.application.remedies.test_reviews import of_another_guest, stands
from tests.application.remedies.ward import Ward, later

TAKEN = "One of the hosts either already has booking at this time or is not available"


@pytest.fixture
def ward() -> Ward:
    return Ward()


def shown(ward: Ward, name: int | str) -> list[str]:
    seen = evidence(ward.world.background(60.0, "command"), ward.case(name))
    return list(_shown(seen, TENANT.zone, now=ward.now))


def line(lines: list[str], head: str) -> str:
    (found,) = [each for each in lines if each.startswith(head)]
    return found.removeprefix(head).strip()


def test_that_somebody_has_the_time_is_not_said_of_what_nobody_has_looked_at(ward: Ward) -> None:
    ward.open(1, SyncFailure.HOST_UNAVAILABLE, answers=(TAKEN,))
    ward.remedy()
    assert ward.case(1).why == (
        "refused by Cal.com as not available when the system before asked; nobody has looked since"
    )


def test_what_cal_com_refuses_is_taken_or_not_open_and_it_does_not_say_which(ward: Ward) -> None:
    ward.world.calendar.faults.append(busy)
    ward.open(1, SyncFailure.OTHER)
    ward.remedy()
    assert ward.case(1).why == "refused by Cal.com as not available: taken, or not open then"


def test_who_has_the_time_here_is_named_with_what_it_is_and_whom_to_ring(ward: Ward) -> None:
    mine = stands(ward)
    ward.open(1, SyncFailure.OTHER)
    report = ward.remedy()
    why = f"its time is taken here, by {mine.id} (herrenhaarschnitt with fabian)"
    assert ward.case(1).why == why
    (row,) = [each for each in lines_of(report) if each.startswith("import-1 ") and "  book  " in each]
    assert row.endswith(why), "the plan is said instead of what became of it"
    said = shown(ward, 1)
    assert line(said, "in the way").startswith(f"{mine.id} CONFIRMED 2025-10-28 10:00")
    assert line(said, "  of").startswith(f"{mine.customer.name}, {mine.customer.phone}, ")


def test_a_difference_has_its_customer_and_says_what_its_code_means(ward: Ward) -> None:
    mine, case = of_another_guest(ward)
    said = shown(ward, case.id)
    assert line(said, "customer ").startswith(f"{mine.customer.name}, {mine.customer.phone}, ")
    assert line(said, "why") == "attendee: somebody else comes than the one it was booked for"
    assert not [each for each in line(said, "facts").split(", ") if each.endswith(" ") or " " not in each]


@pytest.mark.parametrize("drift", sorted(set(Drift) - {Drift.NONE, Drift.UNSETTLED, Drift.FOREIGN, Drift.UNVERIFIED}))
def test_every_code_that_can_be_before_a_person_has_words(ward: Ward, drift: Drift) -> None:
    if drift in {Drift.START, Drift.END, Drift.HOST}:
        return  # these are always repaired
    _, case = of_another_guest(ward)
    seen = evidence(ward.world.background(60.0, "command"), case)
    lines = list(_shown(replace(seen, case=replace(case, why=drift.value)), TENANT.zone, now=ward.now))
    assert line(lines, "why").startswith(f"{drift.value}: ")


def test_whoever_was_erased_is_called_that(ward: Ward) -> None:
    ward.open(1, SyncFailure.HOST_UNAVAILABLE)
    seen = evidence(ward.world.background(60.0, "command"), ward.case(1))
    assert seen.case.customer is not None
    nobody = replace(seen.case, customer=replace(seen.case.customer, name="", email="", phone=None))
    assert line(list(_shown(replace(seen, case=nobody), TENANT.zone, now=ward.now)), "customer ") == "erased"


def test_of_what_a_remedy_has_booked_nobody_of_ours_has_told_anybody(ward: Ward) -> None:
    ward.world.calendar.faults.append(busy)
    ward.open(1, SyncFailure.OTHER)
    ward.remedy()
    ours = line(shown(ward, 1), "ours")
    assert " FAILED " in ours
    assert "told nothing by us, host_busy" in ours


def test_what_the_phone_has_booked_was_told_by_us(ward: Ward) -> None:
    _, case = of_another_guest(ward)
    assert "told booked" in line(shown(ward, case.id), "ours")


def test_a_run_counts_what_it_brought_and_loses_nothing_the_next_time(ward: Ward) -> None:
    ward.open(1, SyncFailure.OTHER)
    ward.open(2, SyncFailure.HOST_UNAVAILABLE, start=later(hours=2))
    label = "brought onto both sides by this run"
    assert line(lines_of(ward.remedy()), label) == "1 of 2"
    assert line(lines_of(ward.remedy()), label) == "0 of 1"
    assert not [each for each in lines_of(ward.remedy(apply=False), applies=False) if each.startswith(label)]


def test_remedies_have_words_of_a_person(ward: Ward) -> None:
    ward.open(1, SyncFailure.OTHER)
    ward.open(2, SyncFailure.HOST_UNAVAILABLE, start=later(hours=2))
    ward.open(3, SyncFailure.INVALID_APPOINTMENT, service="")
    dry = "\n".join(lines_of(ward.remedy(apply=False), applies=False))
    assert "  book          " in dry
    assert "  ask a person  " in dry
    assert "  close as invalid  " in dry.replace("\n", "  ")


def test_before_anything_is_tried_it_is_not_said_that_a_remedy_is_at_it(ward: Ward) -> None:
    ward.open(1, SyncFailure.OTHER)
    refused = ward.decide("import-1", Choice.CANCEL)
    assert isinstance(refused, NotPossible)
    assert refused.why.startswith("nothing was tried yet")


def test_what_was_decided_and_by_whom_stays_with_the_case(ward: Ward) -> None:
    _, case = of_another_guest(ward)
    at = instant_text(ward.now)
    ward.decide(case.id, Choice.CANCEL)
    assert "decided cancel, decided_at" in line(shown(ward, case.id), "facts")
    assert "decided_by Maria" in line(shown(ward, case.id), "facts")
    assert at <= ward.case(case.id).facts["decided_at"]


def test_a_decision_that_waits_is_listed_as_one(ward: Ward) -> None:
    ward.open(1, SyncFailure.HOST_UNAVAILABLE, answers=(TAKEN,), start=TEN)
    ward.remedy()
    ward.decide("import-1", Choice.RETRY)
    assert _cells(ward.case(1), TENANT.zone)[-1] == "retry is decided, a remedy goes on with it"


def test_what_only_a_person_can_tell_apart_does_not_read_as_if_both_went() -> None:
    sure = Duplicate(Kind.APPOINTMENTS, "u1", "a1", "a2", "its call", Done.PLANNED)
    unsure = Duplicate(Kind.APPOINTMENTS, "u2", "", "b1, b2", "it names nothing", Done.PLANNED)
    dry = "\n".join(duplicates_of(DuplicateReport([sure, unsure]), applies=False))
    assert "undecided: b1, b2" in dry
    assert dry.count("planned: a person") == 1
    assert "--apply ends nothing" in dry
    assert "undecided" not in "\n".join(duplicates_of(DuplicateReport([sure]), applies=False))
