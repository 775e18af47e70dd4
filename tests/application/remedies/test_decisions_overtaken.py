"""A decision rests on what both sides are when it is carried out, and has no effect once somebody took it back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from bookend.adapters.dynamodb import items
from bookend.application import reviewing
from bookend.application.change_outcomes import Confirm
from bookend.application.ports import BookingRequest
from bookend.application.reviewing import Decided, NotPossible, Would
from bookend.domain.answers import Booking, NotThere, Unclear
from bookend.domain.appointment import Appointment, AppointmentState, ChangeKind
from bookend.domain.cases import Case, CaseState, Ending
from bookend.domain.reviews import Choice
from tests.application.changes import ask, yes
from tests.application.convergence.world import HAIRCUT, TENANT
from tests.application.remedies.test_reviews import of_another_guest, one_too_many, stands
from tests.application.remedies.ward import Ward, later


@pytest.fixture
def ward() -> Ward:
    return Ward()


def accepted(ward: Ward) -> list[str]:
    return [each.uid for each in ward.world.calendar.accepted()]


# Ours is kept only where it is there


def test_ours_is_not_kept_where_its_own_booking_is_cancelled_there(ward: Ward) -> None:
    """The salon has tidied up: it cancelled the first booking, keeps the other one, and the webhook is late."""
    mine, extra = one_too_many(ward)
    own, name = mine.segments[0].uid or "", f"duplicate-{extra.uid}"
    ward.world.run(300)
    ward.world.calendar.change(own, status="cancelled")
    would = ward.decide(name, Choice.KEEP_OURS, apply=False)
    assert isinstance(would, Would)
    assert would.doubts == (f"{own} is cancelled at Cal.com",)
    done = ward.decide(name, Choice.KEEP_OURS)
    assert isinstance(done, Decided)
    assert (done.case.state, done.case.decision) == (CaseState.REVIEW, "")
    assert done.case.why == f"ours cannot be kept: {own} is cancelled at Cal.com. retry looks anew"
    assert accepted(ward) == [extra.uid]
    ward.decide(name, Choice.RETRY)
    now_is = ward.ours(done.case)
    assert now_is is not None
    assert (now_is.state, now_is.segments[0].uid) == (AppointmentState.CONFIRMED, extra.uid), "it has become theirs"
    assert ward.case(name).ending is Ending.EQUAL
    assert not ward.breaches()


@pytest.mark.parametrize("silence", [NotThere("HTTP 404"), Unclear("ReadTimeout")])
def test_nothing_is_cancelled_while_our_own_booking_is_not_shown(ward: Ward, silence: NotThere | Unclear) -> None:
    mine, extra = one_too_many(ward)
    own, name, read = mine.segments[0].uid or "", f"duplicate-{extra.uid}", ward.world.calendar.booking
    ward.world.calendar.booking = lambda uid, **more: silence if uid == own else read(uid, **more)  # type: ignore[method-assign]
    would = ward.decide(name, Choice.KEEP_OURS, apply=False)
    assert isinstance(would, Would)
    assert len(would.doubts) == 1
    done = ward.decide(name, Choice.KEEP_OURS)
    assert isinstance(done, Decided)
    assert (done.case.state, accepted(ward)) == (CaseState.OPEN, [own, extra.uid])
    ward.world.calendar.booking = read  # type: ignore[method-assign]
    ward.rounds(1)
    assert (ward.case(name).ending, accepted(ward)) == (Ending.EQUAL, [own])


def a_booking_of_one_that_is_cancelled(ward: Ward) -> tuple[Appointment, Booking]:
    """Its customer has called it off, and there is another booking with its labels."""
    mine = stands(ward)
    done = ward.world.phone("call_2")
    asked = ask(done, ChangeKind.CANCEL)
    assert isinstance(asked, Confirm)
    yes(done, ChangeKind.CANCEL, asked.token)
    labels = ward.world.calendar.bookings[mine.segments[0].uid or ""].metadata
    request = BookingRequest(
        HAIRCUT["fabian"], later(hours=3), "H", mine.customer.email, None, "Europe/Berlin", "de", labels
    )
    extra = ward.world.calendar.insert(request)
    ward.world.run(300)
    ward.world.reconcile()
    return mine, extra


def test_what_is_left_of_an_appointment_that_has_ended_goes_as_it_was_decided(ward: Ward) -> None:
    _, extra = a_booking_of_one_that_is_cancelled(ward)
    done = ward.decide(f"orphan-{extra.uid}", Choice.KEEP_OURS)
    assert isinstance(done, Decided)
    assert (done.case.ending, accepted(ward)) == (Ending.EQUAL, [])


def test_ours_is_not_kept_where_it_has_ended_since_that_was_decided(ward: Ward) -> None:
    mine, extra = one_too_many(ward)
    on_record_alone(ward, lambda: ward.decide(f"duplicate-{extra.uid}", Choice.KEEP_OURS))
    with ward.world.at_peace():
        ended = replace(mine, state=AppointmentState.CANCELLED, version=mine.version + 1)
        item = items.appointment_to_item(TENANT.id, ended)
        ward.world.client.put_item(TableName=ward.world.salon.table_name, Item=item)
    ward.remedy()
    case = ward.case(f"duplicate-{extra.uid}")
    assert (case.state, case.why) == (CaseState.REVIEW, "the appointment has ended since this was decided")
    assert extra.uid in accepted(ward)


def test_ours_is_kept_once_the_move_that_its_customer_is_at_has_ended(ward: Ward) -> None:
    mine, extra = one_too_many(ward)
    name = f"duplicate-{extra.uid}"
    on_record_alone(ward, lambda: ward.decide(name, Choice.KEEP_OURS))
    phone = ward.world.phone("call_2")
    asked = ask(phone, ChangeKind.MOVE)
    assert isinstance(asked, Confirm)
    ward.world.calendar.move_faults.extend([lambda *_: Unclear("ReadTimeout")] * 6)
    yes(phone, ChangeKind.MOVE, asked.token)
    ward.remedy()
    now_is, case = ward.ours(ward.case(name)), ward.case(name)
    assert now_is is not None
    assert (now_is.state, case.state, case.decision) == (AppointmentState.MOVING, CaseState.OPEN, "keep-ours")
    assert extra.uid in accepted(ward), "nothing goes while it is open where ours will stand"
    ward.rounds(3)
    assert (ward.case(name).ending, accepted(ward)) == (Ending.EQUAL, [mine.segments[0].uid])


# What was taken back


def taken_back(ward: Ward, name: str) -> None:
    """By somebody else, while a run of the remedies that has read its cases already is at others."""
    unclosed = ward.cases.unclosed

    def and_then(tenant: str) -> Sequence[Case]:
        found = unclosed(tenant)
        ward.cases.unclosed = unclosed  # type: ignore[method-assign]
        back = ward.decide(name, Choice.RETRY, by="Ute")
        assert isinstance(back, Decided)
        assert back.case.state is CaseState.REVIEW
        return found

    ward.cases.unclosed = and_then  # type: ignore[method-assign]
    ward.remedy()


def on_record_alone(ward: Ward, decided: Callable[[], Any]) -> None:
    """The command dies right behind its decision."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reviewing, "carry_on", lambda _work, _cases, case: case)
        done = decided()
    assert isinstance(done, Decided)
    assert done.case.decision


@pytest.mark.parametrize("choice", [Choice.KEEP_OURS, Choice.CANCEL])
def test_what_was_taken_back_is_not_carried_out_by_a_run_that_had_read_it_before(ward: Ward, choice: Choice) -> None:
    _, extra = one_too_many(ward)
    name, before = f"duplicate-{extra.uid}", accepted(ward)
    on_record_alone(ward, lambda: ward.decide(name, choice))
    taken_back(ward, name)
    now_is, case = ward.ours(ward.case(name)), ward.case(name)
    assert now_is is not None
    assert (now_is.state, accepted(ward)) == (AppointmentState.CONFIRMED, before)
    assert (case.state, case.decision) == (CaseState.REVIEW, "")
    assert "cancel" not in ward.world.calendar.asked


def test_an_appointment_does_not_end_here_for_what_was_taken_back(ward: Ward) -> None:
    """Its booking is with somebody who is not ours: only a person ends it for that."""
    mine = stands(ward)
    uid = mine.segments[0].uid or ""
    ward.world.calendar.change(uid, host=999)
    ward.world.reconcile()
    on_record_alone(ward, lambda: ward.decide(f"unknown_host-{uid}", Choice.TAKE_THEIRS))
    taken_back(ward, f"unknown_host-{uid}")
    assert [each.id for each in ward.confirmed()] == [mine.id]
    ward.decide(f"unknown_host-{uid}", Choice.TAKE_THEIRS)
    assert not ward.confirmed(), "decided again, it ends"


def test_what_cal_com_was_asked_before_it_was_taken_back_goes_on_to_its_end(ward: Ward) -> None:
    _, case = of_another_guest(ward)
    ward.world.calendar.cancel = lambda *_, **__: Unclear("HTTP 500")  # type: ignore[method-assign]
    ward.decide(case.id, Choice.CANCEL)
    del ward.world.calendar.cancel
    taken_back_now = ward.decide(case.id, Choice.RETRY)
    assert isinstance(taken_back_now, Decided | NotPossible)
    ward.rounds(3)
    assert not ward.confirmed()
    assert accepted(ward) == []
