"""What a person decides about a case is the salon's wish: rules and limits for callers do not bind it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer

from bookend.adapters.dynamodb import items
from bookend.application.reviewing import Decided, Would
from bookend.cli_review import would_do
from bookend.domain.answers import NotThere, Unclear
from bookend.domain.appointment import Appointment, AppointmentState, Change, ChangeKind, WishedBy
from bookend.domain.cases import Case, CaseState, Ending, SyncFailure
from bookend.domain.policy import PolicySettings
from bookend.domain.reviews import Choice
from tests.application.convergence.world import TEN, TENANT
from tests.application.remedies.test_reviews import of_another_guest, one_too_many
from tests.application.remedies.ward import Ward, later

CLOSED = PolicySettings(move_until=timedelta(days=300), cancel_until=timedelta(days=300), most_moves=0)
"""No caller may move or cancel anything any more."""


@pytest.fixture
def ward() -> Ward:
    return Ward()


def from_wire(value: Any) -> Any:
    return TypeDeserializer().deserialize(value)


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


def test_a_difference_that_a_person_has_tried_in_vain_is_still_over_once_both_sides_agree(ward: Ward) -> None:
    """What was tried in vain is told in the case's `why`; what differs stays a fact of it."""
    mine, case = of_another_guest(ward)
    ward.world.phone("call_2", caller="+491709999999").book("2025-10-28", "13:00", staff="Fabian", name="Ute Neumann")
    ward.decide(case.id, Choice.MOVE, to=later(hours=3))
    assert ward.case(case.id).why == "the new time is not free here"
    ward.world.calendar.change(mine.segments[0].uid or "", attendees=(mine.customer.email,))
    ward.rounds(2)
    assert ward.case(case.id).ending is Ending.EQUAL


def half_gone(ward: Ward) -> tuple[Appointment, Case]:
    """A composite of which Cal.com does not know one part any more; the others stand."""
    ward.open(1, SyncFailure.COMPOSITE_FAILURE, service="dauerwelle")
    ward.rounds(1)
    (mine,) = ward.confirmed()
    del ward.world.calendar.bookings[mine.segments[0].uid or ""]
    for _ in range(3):
        ward.world.reconcile(nightly=True)
        ward.world.run(300)
    with ward.world.at_peace():
        (case,) = ward.cases.unclosed(TENANT.id)
    return mine, case


def test_a_composite_that_stands_in_part_does_not_end_as_one_that_is_gone(ward: Ward) -> None:
    mine, case = half_gone(ward)
    ward.decide(case.id, Choice.TAKE_THEIRS)
    ward.rounds(2)
    now_is = ward.ours(case)
    assert now_is is not None
    assert (ward.case(case.id).state, now_is.state) == (CaseState.REVIEW, AppointmentState.CONFIRMED)
    assert "other parts of it stand" in ward.case(case.id).why
    assert len(ward.world.calendar.accepted()) == len(mine.segments) - 1


def test_a_composite_that_stands_in_part_is_cancelled_with_the_parts_that_stand(ward: Ward) -> None:
    _, case = half_gone(ward)
    strict(ward)
    heard = reasons(ward, "cancel")
    ward.decide(case.id, Choice.CANCEL)
    ward.rounds(3)
    now_is = ward.ours(case)
    assert now_is is not None
    assert (ward.case(case.id).ending, now_is.state) == (Ending.CANCELLED, AppointmentState.CANCELLED)
    assert ward.world.calendar.accepted() == []
    assert {*heard} == {"Vom Salon storniert."}


def test_of_a_composite_whose_other_part_cannot_be_cancelled_yet_none_is_called_cancelled(ward: Ward) -> None:
    mine, case = half_gone(ward)
    ward.world.calendar.cancel_faults.extend([Unclear("ReadTimeout")] * 12)
    ward.decide(case.id, Choice.CANCEL)
    for _ in range(3):
        ward.world.run(40)
        ward.remedy()
    now_is = ward.ours(case)
    assert now_is is not None
    assert (ward.case(case.id).state, now_is.state) == (CaseState.OPEN, AppointmentState.CANCELLING)
    assert [each.uid for each in ward.world.calendar.accepted()] == [mine.segments[1].uid]
    ward.world.calendar.cancel_faults.clear()
    ward.rounds(2)
    assert (ward.case(case.id).ending, ward.world.calendar.accepted()) == (Ending.CANCELLED, [])


def test_a_booking_that_is_not_shown_for_some_seconds_is_not_called_cancelled(ward: Ward) -> None:
    """The schedule comes twice within these seconds: two looks prove nothing that are not apart."""
    mine, case = of_another_guest(ward)
    uid = mine.segments[0].uid or ""
    ward.world.calendar.hidden[uid] = ward.now + timedelta(seconds=20)
    ward.decide(case.id, Choice.CANCEL)
    for _ in range(2):
        ward.world.run(3)
        ward.remedy()
    assert ward.world.calendar.bookings[uid].status == "accepted"
    now_is = ward.ours(case)
    assert now_is is not None
    assert (ward.case(case.id).state, now_is.state) == (CaseState.OPEN, AppointmentState.CANCELLING)
    ward.rounds(2)
    assert (ward.case(case.id).ending, ward.world.calendar.accepted()) == (Ending.CANCELLED, [])


@pytest.mark.parametrize("shown", [{"called_off": True}, {"rescheduled_to": None}], ids=["asked to", "half a move"])
def test_what_was_moved_meanwhile_is_not_cancelled_here_for_its_old_booking(ward: Ward, shown: dict[str, Any]) -> None:
    """Asked to take another time its guest has taken one, so the old booking has both a reason and a successor; or it
    has neither yet.
    """
    mine, case = of_another_guest(ward)
    uid = mine.segments[0].uid or ""
    ward.world.calendar.hidden[uid] = ward.now + timedelta(seconds=20)
    ward.decide(case.id, Choice.CANCEL)
    moved = ward.world.calendar.move(uid, later(hours=4))
    ward.world.calendar.change(uid, **shown)
    ward.world.run(40)
    ward.remedy()
    now_is = ward.ours(case)
    assert now_is is not None
    assert now_is.state is AppointmentState.CONFIRMED
    assert [(each.uid, each.slot.start) for each in now_is.segments] == [(moved.uid, later(hours=4))]
    assert [each.uid for each in ward.world.calendar.accepted()] == [moved.uid]
    ward.world.reconcile()
    assert ward.case(f"attendee-{moved.uid}").state is CaseState.REVIEW, "of where it stands now it is decided anew"


@pytest.mark.parametrize("shown", [None, {"status": "cancelled"}, {"start": later(hours=6)}])
def test_a_move_is_not_called_done_before_cal_com_shows_it(ward: Ward, shown: dict[str, Any] | None) -> None:
    """It has answered that it was moved; a read does not find it there, or finds what others have made of it by now."""
    mine, extra = one_too_many(ward)
    name, read = f"duplicate-{extra.uid}", ward.world.calendar.booking

    def late(uid: str, **more: Any) -> Any:
        seen = read(uid, **more)
        if uid in {mine.segments[0].uid, extra.uid}:
            return seen
        return NotThere("HTTP 404") if shown is None else replace(seen, **shown)

    ward.world.calendar.booking = late  # type: ignore[method-assign]
    done = ward.decide(name, Choice.MOVE, to=later(hours=2))
    assert isinstance(done, Decided)
    now_is = ward.ours(done.case)
    assert now_is is not None
    assert (now_is.state, now_is.slot.start) == (AppointmentState.CONFIRMED, later(hours=2))
    assert (done.case.state, done.case.ending) == (CaseState.OPEN, None)
    ward.world.calendar.booking = read  # type: ignore[method-assign]
    ward.remedy()
    assert (ward.case(name).ending, ward.case(name).why) == (Ending.EQUAL, "moved, and read at Cal.com")


def test_a_dry_move_says_what_would_be_done_and_what_speaks_against_it(ward: Ward) -> None:
    mine, case = of_another_guest(ward)
    ward.world.phone("call_2", caller="+491709999999").book("2025-10-28", "13:00", staff="Fabian", name="Ute Neumann")
    uid = mine.segments[0].uid or ""
    before = ward.dump()
    free = ward.decide(case.id, Choice.MOVE, to=later(hours=5), apply=False)
    taken = ward.decide(case.id, Choice.MOVE, to=later(hours=3), apply=False)
    assert isinstance(free, Would)
    assert isinstance(taken, Would)
    assert (free.doubts, taken.doubts) == ((), ("the new time is not free here",))
    assert would_do(Choice.MOVE, free.evidence, TENANT.zone, to=later(hours=5)) == (
        f"Would move {mine.id} on 2025-10-28 10:00 (booking {uid}) to 2025-10-28 15:00, at Cal.com and here."
    )
    del ward.world.calendar.bookings[uid]
    gone = ward.decide(case.id, Choice.CANCEL, apply=False)
    assert isinstance(gone, Would)
    assert gone.doubts == (f"Cal.com does not show {uid}",)
    assert ward.dump() == before


@pytest.mark.parametrize("wished_by", [*WishedBy])
def test_whose_wish_a_change_is_is_read_as_it_was_written(wished_by: WishedBy) -> None:
    change = Change(op="op", kind=ChangeKind.CANCEL, call="", since=TEN, wished_by=wished_by)
    assert items._change(from_wire(items.change_to_wire(change))) == change


@pytest.mark.parametrize(("follows", "whose"), [(None, WishedBy.CALLER), (1, WishedBy.PART)])
def test_a_change_begun_before_that_was_stored_is_a_callers_unless_it_follows_a_part(
    follows: int | None, whose: WishedBy
) -> None:
    stored = from_wire(
        items.change_to_wire(Change(op="op", kind=ChangeKind.CANCEL, call="", since=TEN, follows=follows))
    )
    del stored["wished_by"]
    assert items._change(stored).wished_by is whose
