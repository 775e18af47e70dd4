"""What a person decides about a case is the salon's wish: rules and limits for callers do not bind it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bookend.application.reviewing import Decided
from bookend.domain.appointment import AppointmentState
from bookend.domain.cases import Ending
from bookend.domain.policy import PolicySettings
from bookend.domain.reviews import Choice
from tests.application.convergence.world import TENANT
from tests.application.remedies.test_reviews import of_another_guest, one_too_many
from tests.application.remedies.ward import Ward, later

CLOSED = PolicySettings(move_until=timedelta(days=300), cancel_until=timedelta(days=300), most_moves=0)
"""No caller may move or cancel anything any more."""


@pytest.fixture
def ward() -> Ward:
    return Ward()


def strict(ward: Ward) -> None:
    """The rules are made after it was booked; the salon's own decisions come after that."""
    ward.world.tenant = replace(TENANT, policy=CLOSED)


def reasons(ward: Ward, method: str) -> list[str]:
    """What Cal.com, and so its mails, are told why."""
    heard: list[str] = []
    real = getattr(ward.world.calendar, method)

    def hear(*args: Any, **rest: Any) -> Any:
        heard.append(args[-1])
        return real(*args, **rest)

    setattr(ward.world.calendar, method, hear)
    return heard


def changes_counted(ward: Ward) -> list[str]:
    with ward.world.at_peace():
        rows = ward.world.client.scan(TableName=ward.world.salon.table_name)["Items"]
    return [row["changes"]["N"] for row in rows if "#TRIES#" in row["pk"]["S"] and "changes" in row]


def test_a_person_cancels_what_no_caller_may_and_it_is_the_salons_cancellation(ward: Ward) -> None:
    _, case = of_another_guest(ward)
    strict(ward)
    heard = reasons(ward, "cancel")
    done = ward.decide(case.id, Choice.CANCEL)
    assert isinstance(done, Decided)
    now_is = ward.ours(case)
    assert now_is is not None
    assert (done.case.ending, now_is.state) == (Ending.CANCELLED, AppointmentState.CANCELLED)
    assert now_is.why == "cancelled_by_salon"
    assert heard == ["Vom Salon storniert."]
    assert changes_counted(ward) == [], "the customer has used up none of theirs"
    assert [row["by"]["S"] for row in ward.audits("cancel")] == ["Maria"]


def test_a_person_moves_what_no_caller_may_and_it_is_no_move_of_its_customers(ward: Ward) -> None:
    _, extra = one_too_many(ward)
    strict(ward)
    heard = reasons(ward, "reschedule")
    done = ward.decide(f"duplicate-{extra.uid}", Choice.MOVE, to=later(hours=2))
    assert isinstance(done, Decided)
    now_is = ward.ours(done.case)
    assert now_is is not None
    assert (done.case.ending, now_is.slot.start, now_is.moves) == (Ending.EQUAL, later(hours=2), 0)
    assert heard == ["Vom Salon verschoben."]
    assert changes_counted(ward) == []
    assert [row["by"]["S"] for row in ward.audits("move")] == ["Maria"]
