"""The states of an appointment: which steps are legal, and that nothing can get stuck."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bookend.domain.appointment import (
    LEGAL_TRANSITIONS,
    TRANSIENT,
    Appointment,
    AppointmentState,
    BookedSegment,
    may_become,
)
from bookend.domain.contacts import Customer
from bookend.domain.timeslot import Slot

S = AppointmentState
LEGAL = {
    ("PENDING", "CONFIRMED"),
    ("PENDING", "FAILED"),
    ("PENDING", "COMPENSATING"),
    ("COMPENSATING", "FAILED"),
    ("CONFIRMED", "MOVING"),
    ("CONFIRMED", "CANCELLING"),
    ("CONFIRMED", "CANCELLED"),
    ("MOVING", "CONFIRMED"),
    ("MOVING", "CANCELLED"),
    ("CANCELLING", "CANCELLED"),
    ("CANCELLING", "CONFIRMED"),
}


@pytest.mark.parametrize("old", S)
@pytest.mark.parametrize("new", S)
def test_exactly_the_listed_steps_are_legal(old: S, new: S) -> None:
    assert may_become(old, new) is ((old.value, new.value) in LEGAL)


def test_every_state_has_its_steps_written_down() -> None:
    assert set(LEGAL_TRANSITIONS) == set(S)


def test_the_transient_states_are_those_that_something_must_end() -> None:
    assert {S.PENDING, S.COMPENSATING, S.MOVING, S.CANCELLING} == TRANSIENT


@pytest.mark.parametrize("state", sorted(TRANSIENT))
def test_every_transient_state_can_end(state: S) -> None:
    reached, edge = {state}, {state}
    while edge:
        edge = {new for old in edge for new in LEGAL_TRANSITIONS[old]} - reached
        reached |= edge
    assert reached & {S.FAILED, S.CANCELLED, S.CONFIRMED}
    assert LEGAL_TRANSITIONS[state] - TRANSIENT, "it can end in one step"


@pytest.mark.parametrize("state", [S.FAILED, S.CANCELLED])
def test_what_is_over_stays_over(state: S) -> None:
    assert LEGAL_TRANSITIONS[state] == frozenset()


def test_nothing_is_confirmed_that_was_given_up() -> None:
    assert not may_become(S.COMPENSATING, S.CONFIRMED)
    assert not may_become(S.FAILED, S.CONFIRMED)


def test_an_appointment_lasts_from_its_first_segment_to_its_last_and_belongs_to_the_first_stylist() -> None:
    start = datetime(2025, 11, 28, 9, tzinfo=UTC)
    segments = (
        BookedSegment(0, "fabian", Slot.of(start, 45), 1),
        BookedSegment(2, "emma", Slot.of(start + timedelta(minutes=105), 30), 2),
    )
    customer = Customer("c", "Siegfried Reu", "kunde-c@kunden.example")
    appointment = Appointment("a", S.PENDING, "op", 1, "dauerwelle", segments, customer, "call", "phone", start, "r")
    assert appointment.slot == Slot.of(start, 135)
    assert appointment.staff == "fabian"
