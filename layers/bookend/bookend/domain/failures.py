"""What a failure is to the caller: one table for what is said, what is tried again and what is counted (incident I2).

Classed by Cal.com's status and known texts (adapters/calcom/answers.py), never by looking for "500" in a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from bookend.domain.answers import KeyRejected, NotSent, NotThere, Refusal, Refused, Unclear
from bookend.domain.appointment import ChangeWhy

Trouble = Refused | Unclear | NotSent | KeyRejected | NotThere


class FailureClass(StrEnum):
    """Why a wish was not fulfilled. The value is the reply's status and the metric's dimension."""

    TEMPORARY = "temporary_error"
    """Cal.com does not answer now: 5xx, time-out, rate limit, no connection, breaker open, a key of ours."""
    NOT_FOUND = "not_found"
    """There is no such appointment: at Cal.com, or for this caller."""
    ERROR = "error"
    """Anything else."""
    SLOT_TAKEN = "slot_taken"
    POLICY = "policy"
    """A rule of the salon's or of the calendar."""
    PENDING = "pending"
    """Neither done nor refused yet: a message follows."""
    NEED_INFO = "need_info"
    NOT_ALLOWED = "not_allowed"
    """A person must do it."""


@dataclass(frozen=True, slots=True)
class Treatment:
    """What follows. `sent_again`: once, within the turn, where that cannot do harm. `may_be_kept`: for later."""

    sent_again: bool = False
    may_be_kept: bool = False


TREATMENT: Mapping[FailureClass, Treatment] = {
    FailureClass.TEMPORARY: Treatment(sent_again=True, may_be_kept=True),
    FailureClass.NOT_FOUND: Treatment(),
    FailureClass.ERROR: Treatment(),
    FailureClass.SLOT_TAKEN: Treatment(),
    FailureClass.POLICY: Treatment(),
    FailureClass.PENDING: Treatment(),
    FailureClass.NEED_INFO: Treatment(),
    FailureClass.NOT_ALLOWED: Treatment(),
}


def failure_of(trouble: Trouble) -> FailureClass:
    """The class of an answer of Cal.com that is no success."""
    match trouble:
        case Unclear() | NotSent() | KeyRejected():
            return FailureClass.TEMPORARY
        case NotThere():
            return FailureClass.NOT_FOUND
        case Refused(why, _):
            return _REFUSALS[why]
        case other:
            assert_never(other)


_REFUSALS: Mapping[Refusal, FailureClass] = {
    Refusal.HOST_BUSY: FailureClass.SLOT_TAKEN,
    Refusal.CONFLICT: FailureClass.SLOT_TAKEN,
    Refusal.PAST: FailureClass.POLICY,
    Refusal.OUT_OF_BOUNDS: FailureClass.POLICY,
    Refusal.LIMIT: FailureClass.POLICY,
    Refusal.NOT_ALLOWED: FailureClass.POLICY,
    Refusal.GONE: FailureClass.NOT_FOUND,
    Refusal.INVALID: FailureClass.ERROR,
}


def why_of(failure: FailureClass) -> ChangeWhy:
    """As what a change that Cal.com refused is on record."""
    return _WHY.get(failure, ChangeWhy.REFUSED)


_WHY: Mapping[FailureClass, ChangeWhy] = {
    FailureClass.TEMPORARY: ChangeWhy.TEMPORARY,
    FailureClass.NOT_FOUND: ChangeWhy.NOT_FOUND,
    FailureClass.SLOT_TAKEN: ChangeWhy.TAKEN,
    FailureClass.POLICY: ChangeWhy.POLICY,
}
