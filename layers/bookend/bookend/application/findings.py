"""What a run finds and says about it: each difference with what was done, and why the run ended where it did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from bookend.application.ports import RunKind
from bookend.domain.answers import Booking
from bookend.domain.appointment import Appointment
from bookend.domain.drift import Drift, LookAgain, Repair

NOT_DONE = "not done: blast limit"


class Stopped(StrEnum):
    """Why a run ended without having done everything. The last two want a person."""

    BUDGET = "budget"
    """Its requests or its time are used up, or callers need what is left: it goes on next time."""
    CALENDAR = "calendar"
    """Cal.com did not answer."""
    TWIN = "twin"
    """Another one is at work."""
    SECOND_LOOK = "second_look"
    """What was not there is looked for once more, half a minute later at least: it goes on next time."""
    BLAST_LIMIT = "blast_limit"
    """It came to its end, and left undone what would have taken too much away."""
    LIST_CONTRADICTED = "list_contradicted"


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference, and what was (or, dry, would be) done about it."""

    drift: Drift
    repair: str
    booking: str
    appointment: str
    why: str
    done: str = "planned"


@dataclass(slots=True)
class Report:
    """What a run found. `requests`, `pages`, `counts` and the findings are of this invocation, `tally` of the run."""

    kind: RunKind
    tally: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    requests: int = 0
    pages: int = 0
    stopped: Stopped | None = None

    @property
    def done(self) -> bool:
        """Whether it did everything."""
        return self.stopped is None

    @property
    def ended(self) -> bool:
        """Whether it came to its end, even if it left something to a person."""
        return self.stopped in {None, Stopped.BLAST_LIMIT}


def finding_of(repair: Repair, uid: str, done: str) -> Finding:
    """What a look at the booking called for, in words for an operator; nobody is named."""
    booking = getattr(repair, "booking", None)
    appointment = getattr(repair, "appointment", None)
    why = repair.why if isinstance(repair, LookAgain) else _difference(booking, appointment)
    return Finding(
        drift=repair.drift,
        repair=type(repair).__name__,
        booking=booking.uid if booking is not None else uid,
        appointment=appointment.id if appointment is not None else "",
        why=why,
        done=done,
    )


def _difference(booking: Booking | None, appointment: Appointment | None) -> str:
    there = f"there {booking.status} {booking.start:%d.%m. %H:%M}Z, host {booking.host}" if booking is not None else ""
    here = f"here {appointment.state.value} {appointment.slot.start:%d.%m. %H:%M}Z" if appointment is not None else ""
    return "; ".join(each for each in (here, there) if each)
