"""What is open about an appointment, and whose message tells how it ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bookend.domain.appointment import (
    Appointment,
    AppointmentState,
    BookedSegment,
    Change,
    ChangeKind,
    Told,
)
from bookend.domain.contacts import Customer
from bookend.domain.standing import OpenPoint, message_follows, open_point
from bookend.domain.timeslot import Slot

NOW = datetime(2025, 10, 25, 18, 0, tzinfo=UTC)
S = AppointmentState
BEFORE, AFTER = NOW - timedelta(seconds=1), NOW + timedelta(seconds=1)


def appointment(
    state: AppointmentState,
    told: Told,
    *,
    lease: datetime | None = None,
    kind: ChangeKind | None = None,
    follows: bool = False,
) -> Appointment:
    change = None
    if kind is not None:
        change = Change(op="c", kind=kind, call="call", since=NOW, told=told, follows=0 if follows else None)
    return Appointment(
        id="a",
        state=state,
        op="op",
        version=2,
        service="herrenhaarschnitt",
        segments=(BookedSegment(0, "fabian", Slot.of(NOW + timedelta(days=3), 30), 1),),
        customer=Customer("c", "Hans Schuster", "c@kunden.example", None),
        call="call",
        source="phone",
        created_at=NOW,
        request="r",
        lease=lease,
        told=Told.BOOKED if kind is not None else told,
        change=change,
    )


def test_what_is_open() -> None:
    assert open_point(appointment(S.PENDING, Told.PENDING)) is OpenPoint.BOOKING
    assert open_point(appointment(S.COMPENSATING, Told.NOTHING)) is OpenPoint.BOOKING
    assert open_point(appointment(S.MOVING, Told.NOTHING, kind=ChangeKind.MOVE)) is OpenPoint.MOVE
    assert open_point(appointment(S.CANCELLING, Told.NOTHING, kind=ChangeKind.CANCEL)) is OpenPoint.CANCEL
    assert open_point(appointment(S.CONFIRMED, Told.BOOKED)) is None


@pytest.mark.parametrize("kind", [None, *ChangeKind])
@pytest.mark.parametrize(
    ("told", "lease", "follows"),
    [
        (Told.PENDING, AFTER, True),
        (Told.PENDING, None, True),
        (Told.NOTHING, BEFORE, True),
        (Told.NOTHING, NOW, True),
        (Told.NOTHING, None, True),
        (Told.NOTHING, AFTER, False),
        (Told.NOT_BOOKED, BEFORE, False),
        (Told.BOOKED, None, False),
    ],
)
def test_a_message_follows_where_its_caller_was_told_that_it_is_open_or_nothing_by_a_turn_that_is_over(
    kind: ChangeKind | None, told: Told, lease: datetime | None, *, follows: bool
) -> None:
    state = {None: S.PENDING, ChangeKind.MOVE: S.MOVING, ChangeKind.CANCEL: S.CANCELLING}[kind]
    assert message_follows(appointment(state, told, lease=lease, kind=kind), now=NOW) is follows


def test_of_what_nobody_wished_a_message_follows_only_for_who_asked() -> None:
    for told, follows in ((Told.NOTHING, False), (Told.PENDING, True)):
        gone_after = appointment(S.MOVING, told, kind=ChangeKind.MOVE, follows=True)
        assert message_follows(gone_after, now=NOW) is follows
