"""One table for what an answer of Cal.com is to the caller (incident I2)."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from bookend.domain.answers import KeyRejected, NotSent, NotThere, Refusal, Refused, Unclear
from bookend.domain.failures import TREATMENT, FailureClass, Trouble, failure_of

F = FailureClass
REFUSALS = {
    Refusal.HOST_BUSY: F.SLOT_TAKEN,
    Refusal.CONFLICT: F.SLOT_TAKEN,
    Refusal.PAST: F.POLICY,
    Refusal.OUT_OF_BOUNDS: F.POLICY,
    Refusal.LIMIT: F.POLICY,
    Refusal.NOT_ALLOWED: F.POLICY,
    Refusal.GONE: F.NOT_FOUND,
    Refusal.INVALID: F.ERROR,
}
ANSWERS: list[tuple[Any, FailureClass]] = [
    (Unclear("HTTP 500"), F.TEMPORARY),
    (Unclear("ReadTimeout"), F.TEMPORARY),
    (NotSent("ConnectTimeout"), F.TEMPORARY),
    (NotSent("HTTP 429", retry_after_s=60.0), F.TEMPORARY),
    (NotSent("breaker open", retry_after_s=30.0), F.TEMPORARY),
    (KeyRejected("HTTP 401"), F.TEMPORARY),
    (NotThere("HTTP 404"), F.NOT_FOUND),
    *((Refused(why, "HTTP 400"), failure) for why, failure in REFUSALS.items()),
]


@pytest.mark.parametrize(("answer", "failure"), ANSWERS)
def test_every_answer_has_its_class(answer: Trouble, failure: FailureClass) -> None:
    assert failure_of(answer) is failure


def test_no_answer_and_no_refusal_is_left_out() -> None:
    assert set(REFUSALS) == set(Refusal)
    assert {type(answer) for answer, _ in ANSWERS} == set(get_args(Trouble))


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (NotThere('HTTP 404 {"message": "HTTP 500 internal error"}'), F.NOT_FOUND),
        (Unclear('HTTP 500 {"message": "Booking not found"}'), F.TEMPORARY),
        (Refused(Refusal.INVALID, "not found, 500, timeout"), F.ERROR),
    ],
)
def test_the_words_of_an_answer_decide_nothing(answer: Trouble, failure: FailureClass) -> None:
    """Incident I2: a test of the text caught both "500" and "not found"."""
    assert failure_of(answer) is failure


def test_every_class_has_its_treatment_and_only_what_passes_is_tried_again_or_kept() -> None:
    assert set(TREATMENT) == set(F)
    assert [each for each in F if TREATMENT[each].sent_again] == [F.TEMPORARY]
    assert [each for each in F if TREATMENT[each].may_be_kept] == [F.TEMPORARY]


def test_the_values_are_the_statuses_the_agent_knows() -> None:
    assert {each.value for each in F} == {
        *("temporary_error", "not_found", "error", "slot_taken", "policy", "pending", "need_info", "not_allowed"),
    }
