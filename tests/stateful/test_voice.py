"""The public voice API against a model: any order of calls, changes, events and time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.machine import VoiceMachine
from tests.stateful.salon import SEEN

MUST_BE_SEEN = {
    "check_availability: available", "check_availability: alternatives", "book_appointment: booked",
    "book_appointment: slot_taken", "book_appointment: already_booked", "book_appointment: pending",
    "reschedule_appointment: moved", "reschedule_appointment: slot_taken", "cancel_appointment: cancelled",
    "cancel_appointment: not_found", "request_callback: noted", "an offer that is kept is taken",
    "the salon moves a caller's", "the salon cancels a caller's", "an event of Cal.com's",
}  # fmt: skip
"""States without which the run has proven little."""


def run(examples: int, steps: int, **how: Any) -> None:
    SEEN.clear()
    quiet = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
    profile = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=quiet,
        print_blob=True,
        **how,
    )
    run_state_machine_as_test(VoiceMachine, settings=profile)
    print("\n".join(f"{number:6} {what}" for what, number in sorted(SEEN.items())))


def test_both_sides_and_all_answers_are_the_models() -> None:
    run(60, 25, derandomize=True)
    assert {what for what, number in SEEN.items() if number} >= MUST_BE_SEEN


@pytest.mark.slow
def test_both_sides_and_all_answers_are_the_models_at_length() -> None:
    run(2_000, 100)
