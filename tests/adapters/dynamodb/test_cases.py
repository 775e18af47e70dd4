"""Cases: whole answers whatever their size, a version on every change, and closed for good."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bookend.adapters.dynamodb.adoptions import DynamoAdoptions
from bookend.adapters.dynamodb.cases import DynamoCases
from bookend.application.ports import Alert
from bookend.domain.cases import Case, CaseOrigin, CaseState, Ending, SyncFailure
from bookend.domain.contacts import Customer
from tests.adapters.dynamodb.place import Place

NOW = datetime(2025, 11, 24, 8, 0, tzinfo=UTC)


def case(name: str = "import-753", **changes: object) -> Case:
    made = Case(
        id=name,
        state=CaseState.OPEN,
        failure=SyncFailure.DOUBLE_BOOKING,
        origin=CaseOrigin.IMPORT,
        facts={"external_id": "753", "booking_id": "13060966"},
        opened_at=NOW,
        changed_at=NOW,
        due=NOW + timedelta(minutes=5),
        customer=Customer("c1", "Hans Schuster", "hans@web.example", "+491701234567"),
        answers=("HTTP 400 {}",),
        by="import",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
def cases(place: Place) -> DynamoCases:
    return DynamoCases(place.table)


def test_what_was_opened_is_read_as_it_was(place: Place, cases: DynamoCases) -> None:
    assert cases.open(place.tenant, case(), now=NOW)
    assert cases.case(place.tenant, "import-753") == replace(case(), version=1)
    assert cases.unclosed(place.tenant) == [replace(case(), version=1)]


def test_a_case_is_opened_once(place: Place, cases: DynamoCases) -> None:
    assert cases.open(place.tenant, case(), now=NOW)
    assert not cases.open(place.tenant, case(why="again"), now=NOW + timedelta(seconds=1))
    assert cases.case(place.tenant, "import-753") == replace(case(), version=1)


def test_a_change_rests_on_what_was_read(place: Place, cases: DynamoCases) -> None:
    cases.open(place.tenant, case(), now=NOW)
    read = cases.unclosed(place.tenant)[0]
    first, second = replace(read, tries=1, op="op1"), replace(read, tries=1, op="op2")
    assert cases.change(place.tenant, read, first, now=NOW)
    assert not cases.change(place.tenant, read, second, now=NOW + timedelta(seconds=1))
    assert cases.case(place.tenant, read.id) == replace(first, version=2)


def test_what_is_closed_leaves_the_list_and_is_final(place: Place, cases: DynamoCases) -> None:
    cases.open(place.tenant, case(), now=NOW)
    read = cases.unclosed(place.tenant)[0]
    closed = replace(read, state=CaseState.CLOSED, ending=Ending.DUPLICATE, due=None, by="Maria")
    assert cases.change(place.tenant, read, closed, now=NOW)
    assert not cases.unclosed(place.tenant)
    now_is = cases.case(place.tenant, read.id)
    assert now_is == replace(closed, version=2)
    assert not cases.open(place.tenant, case(), now=NOW + timedelta(seconds=1)), "closed is closed"
    assert now_is is not None
    assert not cases.change(place.tenant, now_is, replace(now_is, state=CaseState.OPEN), now=NOW + timedelta(days=1))


@pytest.mark.parametrize("megabytes", [0.2, 1.3])
def test_an_answer_is_kept_whole_however_long_it_is(place: Place, cases: DynamoCases, megabytes: float) -> None:
    """Of random text, so that it cannot be made small."""
    text = "".join(random.Random(7).choices("abcdefghijklmnopqrstuvwxyz0123456789äöü", k=int(megabytes * 1_000_000)))
    cases.open(place.tenant, case(), now=NOW)
    read = cases.unclosed(place.tenant)[0]
    whole = replace(read, answers=(*read.answers, text))
    assert cases.change(place.tenant, read, whole, now=NOW)
    assert cases.unclosed(place.tenant)[0].answers == whole.answers
    more = replace(whole, answers=(*whole.answers, "and one more"), version=2)
    assert cases.change(place.tenant, replace(whole, version=2), more, now=NOW + timedelta(seconds=1))
    closed = replace(more, state=CaseState.CLOSED, ending=Ending.BY_HAND, version=3)
    assert cases.change(place.tenant, replace(more, version=3), closed, now=NOW + timedelta(seconds=2))
    now_is = cases.case(place.tenant, read.id)
    assert now_is is not None
    assert now_is.answers == more.answers


def test_what_is_put_before_a_person_is_a_case_in_review(place: Place, cases: DynamoCases) -> None:
    adoptions = DynamoAdoptions(place.table)
    alert = Alert("DriftFound", {"drift": "attendee", "booking_uid": "uid1", "appointment": "a1"})
    assert adoptions.flag(place.tenant, alert, about="attendee-uid1", now=NOW)
    assert not adoptions.flag(place.tenant, alert, about="attendee-uid1", now=NOW + timedelta(days=1))
    (made,) = cases.unclosed(place.tenant)
    assert (made.id, made.state, made.booking, made.appointment) == ("attendee-uid1", CaseState.REVIEW, "uid1", "a1")


def test_a_difference_that_comes_again_after_both_sides_agreed_is_before_a_person_again(
    place: Place, cases: DynamoCases
) -> None:
    adoptions = DynamoAdoptions(place.table)
    alert = Alert("DriftFound", {"drift": "attendee", "booking_uid": "uid1", "appointment": "a1"})
    assert adoptions.flag(place.tenant, alert, about="attendee-uid1", now=NOW)
    (made,) = cases.unclosed(place.tenant)
    over = replace(made, state=CaseState.CLOSED, ending=Ending.EQUAL)
    assert cases.change(place.tenant, made, over, now=NOW + timedelta(hours=1))
    assert adoptions.flag(place.tenant, alert, about="attendee-uid1", now=NOW + timedelta(hours=2))
    assert [each.id for each in cases.unclosed(place.tenant)] == ["attendee-uid1~2"]


def test_a_key_that_is_rejected_is_no_case(place: Place, cases: DynamoCases) -> None:
    alert = Alert("CalcomRejectedOurKey", {"asked": "get", "by": "worker"})
    assert DynamoAdoptions(place.table).flag(place.tenant, alert, about="key-2025-11-24T08", now=NOW)
    assert not cases.unclosed(place.tenant)
