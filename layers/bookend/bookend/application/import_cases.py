"""The case that an imported row becomes, where there may be one of it: kept, corrected, opened anew, or left.

A corrected file must not lose a row to the case of the wrong one; and what was decided about a row is not undone by
importing it again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from bookend.application.ports import StoreUnavailable
from bookend.application.ports.cases import Cases
from bookend.domain.cases import Case, CaseState, Ending, opened_again

_SAYS = ("service", "staff", "start", "minutes", "bookings", "booking_id")
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


def keep(cases: Cases, tenant: str, case: Case, *, applies: bool) -> Kept:
    """Keep the row as a case. `applies` False: only say what would become of it."""
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
            if known.ending not in _OPENED_ANEW or _same(known, case):
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
