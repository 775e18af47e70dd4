"""Cases: what should be on both sides and is not, or differs in a way that nothing may decide by itself.

A case comes from an import (the other system believed in an appointment that Cal.com does not have), from a difference
that a run found, or from an operation that nothing can end. A remedy works on what is OPEN; what is in REVIEW waits for
a person; CLOSED is final and says how it ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from bookend.domain.contacts import Customer
from bookend.domain.drift import Drift


class SyncFailure(StrEnum):
    """Why it is not on both sides (incidents I5)."""

    DOUBLE_BOOKING = "DOUBLE_BOOKING"
    """Several claim one booking, or one customer has the same appointment twice."""
    HOST_UNAVAILABLE = "HOST_UNAVAILABLE"
    """The time is not to be had: somebody else has it, or, as far as Cal.com's answer tells, it is not open."""
    COMPOSITE_FAILURE = "COMPOSITE_FAILURE"
    """Parts of a composite service are missing."""
    PHASE_ERROR = "PHASE_ERROR"
    """The parts that are there do not fit the service's definition."""
    MISSING_CONTACT = "MISSING_CONTACT"
    """Neither an e-mail address nor a number that Cal.com accepts."""
    PAST_APPOINTMENT = "PAST_APPOINTMENT"
    """It has begun: Cal.com books nothing in the past."""
    INVALID_APPOINTMENT = "INVALID_APPOINTMENT"
    """It has no service, no stylist or no time: there is nothing that could be booked."""
    NOT_FOUND = "NOT_FOUND"
    """Cal.com does not know the booking or the event type that it names."""
    TEMPORARY = "TEMPORARY"
    """Cal.com did not answer, or told us to come back later."""
    OTHER = "OTHER"
    """None of these, as far as the answer tells."""


class CaseState(StrEnum):
    """Who works on it."""

    OPEN = "OPEN"
    """The remedies, when it is due."""
    REVIEW = "REVIEW"
    """A person."""
    CLOSED = "CLOSED"


class CaseOrigin(StrEnum):
    """Where it comes from."""

    IMPORT = "import"
    DRIFT = "drift"
    OPERATION = "operation"


class Ending(StrEnum):
    """How a case was closed. None of them says "booked" unless the booking was read at Cal.com."""

    BOOKED = "booked"
    """The appointment is confirmed here, and its bookings were read at Cal.com."""
    EQUAL = "equal"
    """Both sides agree by now, whoever did it."""
    DUPLICATE = "duplicate"
    """Another appointment has it; this one is none."""
    HISTORICAL = "historical"
    """It is over, and was never at Cal.com; kept as what it was."""
    INVALID = "invalid"
    CANCELLED = "cancelled"
    """It is not to be: a person, a newer file, or who cancelled its booking at Cal.com has decided that."""
    TAKEN_THEIRS = "taken_theirs"
    """What Cal.com shows is right."""
    BY_HAND = "by_hand"
    """A person has put it right elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One of them. `version` grows with every change; 0 has not been stored.

    `id` names what it is about, so that the same trouble is one case: `import-<their id>`, `<drift>-<uid>`. `facts` are
    ids, words of ours and instants (UTC, ISO 8601), never people: `service`, `staff`, `start`, `minutes`, `status`,
    `error`, `booking_id`, `external_id`, `call` where they are known. `answers` are Cal.com's answers, whole, the
    newest last. `appointment` is ours, `booking` Cal.com's uid; empty where there is none. `due`: when a remedy looks
    again.
    """

    id: str
    state: CaseState
    failure: SyncFailure
    origin: CaseOrigin
    facts: dict[str, str]
    opened_at: datetime
    changed_at: datetime
    due: datetime | None = None
    customer: Customer | None = None
    appointment: str = ""
    booking: str = ""
    answers: tuple[str, ...] = field(default=(), repr=False)
    tries: int = 0
    why: str = ""
    ending: Ending | None = None
    by: str = ""
    """Who changed it last: `import`, `remedy`, `reconciliation`, or a person's name as given to the command."""
    version: int = 0
    op: str = ""
    """The operation that is under way for it, written down before its effect; empty where there is none."""
    forgiven: int = 0
    """Tries that count no more: a person had it tried anew after them."""
    decision: str = ""
    """What a person has decided and is not done yet: the choice and, behind a blank, what belongs to it (of a move its
    new start, of `keep` the appointment)."""

    @property
    def drift(self) -> str:
        """What differs, by the name that the run gave it. `why` is for people, and changes with what is done."""
        return self.facts.get("drift") or self.why


_OF_DRIFTS: Mapping[str, SyncFailure] = {
    Drift.DUPLICATE: SyncFailure.DOUBLE_BOOKING,
    Drift.GHOST_HERE: SyncFailure.NOT_FOUND,
    Drift.UNREADABLE: SyncFailure.NOT_FOUND,
    Drift.UNKNOWN_HOST: SyncFailure.HOST_UNAVAILABLE,
    Drift.PART: SyncFailure.COMPOSITE_FAILURE,
    Drift.LEFT: SyncFailure.TEMPORARY,
}
_STUCK = "stuck"


def case_of_flag(about: str, facts: Mapping[str, str], *, now: datetime) -> Case | None:
    """The case of what is put before a person as `about` (`<drift>-<uid>`, `stuck-<operation>-<day>`), in REVIEW.

    What is stuck is one case an appointment, however many days it is told of.

    None: it concerns no appointment and no booking, and there is nothing to decide.
    """
    kind = about.partition("-")[0]
    if kind == _STUCK:
        about, failure = f"{_STUCK}-{facts.get('appointment', '')}", SyncFailure.TEMPORARY
        origin = CaseOrigin.OPERATION
    elif "drift" in facts:
        failure, origin = _OF_DRIFTS.get(facts["drift"], SyncFailure.OTHER), CaseOrigin.DRIFT
    else:
        return None
    return Case(
        id=about,
        state=CaseState.REVIEW,
        failure=failure,
        origin=origin,
        facts=dict(facts),
        opened_at=now,
        changed_at=now,
        appointment=facts.get("appointment", ""),
        booking=facts.get("booking_uid", "").partition(",")[0],
        why=facts.get("drift", kind),
        by="reconciliation",
    )


def opened_again(case: Case) -> Case:
    """The same trouble once more, after its case was closed: a case of its own, numbered behind it."""
    name, _, number = case.id.partition("~")
    return replace(case, id=f"{name}~{int(number or 1) + 1}")
