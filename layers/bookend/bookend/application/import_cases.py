"""The case that an imported row becomes, or was: kept, corrected, opened anew, closed, or left.

A corrected file must not lose a row to the case of the wrong one, nor have both of them booked; and what was decided
about a row is not undone by importing it again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from bookend.application.ports import StoreUnavailable
from bookend.application.ports.cases import Cases
from bookend.domain.appointment import Appointment, AppointmentState
from bookend.domain.case_parts import PARTS
from bookend.domain.cases import Case, CaseState, Ending, opened_again
from bookend.domain.remedies import RETRY

INSTEAD_OF = "instead_of"
"""The fact of a case that says as what its row was booked before a newer file had it otherwise: a person decides."""
_BY = "import"
_SAYS = ("service", "staff", "start", "minutes", "bookings", "booking_id", "cancelled")
"""The facts that make a row another one when they are corrected."""
_OPENED_ANEW = frozenset({Ending.INVALID, Ending.DUPLICATE, Ending.HISTORICAL})
"""What the remedies close for what the row says: it ends otherwise if the row says something else."""
_TRIES = 6


class AsRow(StrEnum):
    """As what a row is counted that became no case."""

    CLOSED = "closed"
    """Its case was closed before, and stays so."""
    AT_WORK = "at_work"
    """Its case was opened by another file, and somebody has begun to work on it: it keeps what that one said."""


@dataclass(frozen=True, slots=True)
class Kept:
    """`as_row` None: it is a case now, or was already. `why`: what whoever imports is told of the others."""

    requests: int
    as_row: AsRow | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Closing:
    """The case of a row that is none any more, and how it ends: `appointment` is what the row is instead."""

    case: Case
    ending: Ending
    appointment: str


def newest(cases: Cases, tenant: str, case: Case) -> Case:
    """The newest case of the same row: those before it were closed."""
    while case.state is CaseState.CLOSED:
        after = cases.case(tenant, opened_again(case).id)
        if after is None:
            break
        case = after
    return case


def is_begun(case: Case, made: Appointment | None) -> bool:
    """Whether something of an unclosed case may be at Cal.com, or a person has decided what is to be. `made`: its
    appointment.

    What was tried and came to nothing is nothing: a new try is written into the case first, which then is not as read.
    """
    if (
        INSTEAD_OF in case.facts
        or case.decision not in {"", RETRY}
        or (case.op and (made is None or PARTS in case.facts))
    ):
        return True
    return made is not None and made.state not in {AppointmentState.FAILED, AppointmentState.CANCELLED}


def close(cases: Cases, tenant: str, closing: Closing, *, now: datetime) -> bool:
    """End it before the row becomes something else. False: it is not as it was read, and the row is decided anew."""
    case, ending = closing.case, closing.ending
    why = "a newer file says that it is over" if ending is Ending.CANCELLED else "a newer file names its booking"
    ended = {"state": CaseState.CLOSED, "ending": ending, "why": why, "appointment": closing.appointment}
    after = replace(case, **ended, decision="", due=None, changed_at=now, by=_BY)  # type: ignore[arg-type]
    return cases.change(tenant, case, after, now=now)


def put_before_a_person(cases: Cases, tenant: str, case: Case, says: str, *, now: datetime) -> bool:
    """Work on it has begun, and the row says something else now. False: it is not as it was read.

    Where a person has it before them, or has decided it, it stays as it is.
    """
    if case.state is not CaseState.OPEN or case.decision not in {"", RETRY}:
        return True
    why = f"a newer file has it {says}, and work on it had begun: one of the two is right"
    after = replace(case, state=CaseState.REVIEW, why=why, decision="", due=None, changed_at=now, by=_BY)
    return cases.change(tenant, case, after, now=now)


def keep(cases: Cases, tenant: str, case: Case, *, applies: bool, anew: bool = False) -> Kept:
    """Keep the row as a case. `applies` False: only say what would become of it.

    `anew`: though one before it has ended well, since this is about what came of that one.
    """
    requests = 0
    for _ in range(_TRIES):
        requests += 1
        if applies and cases.open(tenant, case, now=case.opened_at):
            return Kept(requests)
        requests += applies
        known = cases.case(tenant, case.id)
        if known is None:
            if applies:
                continue  # the record of it has expired in this moment
            return Kept(requests)
        if known.state is CaseState.CLOSED:
            ended_for_good = known.ending not in _OPENED_ANEW or known.by == _BY
            if (ended_for_good and not anew) or _same(known, case):
                how = known.ending.value if known.ending is not None else "closed"
                return Kept(requests, AsRow.CLOSED, f"its case {known.id} was closed as {how}, and stays so")
            case = opened_again(case)
            continue
        if _same(known, case) and known.customer == case.customer:
            return Kept(requests)
        if known.op or known.appointment or known.decision:
            return Kept(requests, AsRow.AT_WORK, f"its case {known.id} is being worked on, and keeps what it says")
        requests += applies
        if not applies or cases.change(tenant, known, _corrected(known, case), now=case.opened_at):
            return Kept(requests)
    raise StoreUnavailable("contention")


def _same(known: Case, case: Case) -> bool:
    return all(known.facts.get(name, "") == case.facts.get(name, "") for name in _SAYS)


def _corrected(known: Case, case: Case) -> Case:
    """As the file says it now, for the remedies; it has waited for as long as it did."""
    return replace(case, opened_at=known.opened_at, tries=known.tries, forgiven=known.tries, version=known.version)
