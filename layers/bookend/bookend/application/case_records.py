"""What every step of a person's decision needs: its case read and written, and one booking read by its uid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bookend.application.background import Background
from bookend.application.booking_numbers import CalendarSilent
from bookend.application.patience import AGAIN
from bookend.application.ports.cases import Cases
from bookend.domain.answers import Booking, NotThere
from bookend.domain.appointment import Appointment
from bookend.domain.cases import Case, CaseState, Ending
from bookend.domain.remedies import RETRY
from bookend.domain.timeslot import instant_text, parse_instant

ABSENT_SINCE = "absent_since"
"""The fact of a case that says when its booking was first not found."""


def while_decided(work: Background, case: Case) -> Background:
    """The same ports for a decision: they write nothing once the case is not as it was read.

    So what was taken back in the meantime has no effect: the record of the first one is refused, and nothing is asked.
    """
    tenant, duplicates = work.tenant.id, work.duplicates
    return replace(
        work,
        adoptions=work.adoptions.only_while(tenant, case),
        changes=work.changes.only_while(tenant, case),
        duplicates=duplicates.only_while(tenant, case) if duplicates is not None else None,
    )


def ours(work: Background, case: Case) -> Appointment | None:
    """The appointment of the case, as it is now."""
    return work.appointments.appointment(work.tenant.id, case.appointment) if case.appointment else None


def read(work: Background, uid: str) -> Booking | None:
    """The booking; None: Cal.com has none, as far as one look tells.

    Raises:
        CalendarSilent: it does not say.
    """
    answer = work.calendar.booking(uid, deadline=work.deadline) if uid else NotThere("")
    if isinstance(answer, Booking):
        return answer
    if isinstance(answer, NotThere):
        return None
    raise CalendarSilent


def not_gone_yet(work: Background, cases: Cases, case: Case) -> Case | None:
    """What is not found is gone only at the second look; the case, which waits for that. None: this was it.

    Cal.com's reads lag behind its writes: one 404 proves nothing.
    """
    since, now = case.facts.get(ABSENT_SINCE, ""), work.clock.now()
    if since:
        return None if now - parse_instant(since) >= AGAIN else case
    facts = case.facts | {ABSENT_SINCE: instant_text(now)}
    return write(work, cases, case, facts=facts, due=now + AGAIN)[0]


def shown(work: Background, cases: Cases, case: Case) -> Case:
    """Its booking is there: that it was not found once counts no more."""
    if ABSENT_SINCE not in case.facts:
        return case
    facts = {name: text for name, text in case.facts.items() if name != ABSENT_SINCE}
    return write(work, cases, case, facts=facts)[0]


def again(work: Background, cases: Cases, case: Case, **facts: str) -> Case:
    """The remedies try it anew, at once."""
    after, _ = write(
        work, cases, case, decision=RETRY, due=work.clock.now(), facts=case.facts | facts, op="", appointment=""
    )
    return after


def close(work: Background, cases: Cases, case: Case, ending: Ending, why: str) -> Case:
    """It has come to its end."""
    return write(work, cases, case, state=CaseState.CLOSED, ending=ending, why=why, decision="", due=None)[0]


def back(work: Background, cases: Cases, case: Case, why: str) -> Case:
    """A person decides again."""
    return write(work, cases, case, state=CaseState.REVIEW, why=why, decision="", due=None)[0]


def write(work: Background, cases: Cases, before: Case, **changes: Any) -> tuple[Case, bool]:
    """The case as it is stored then; False: somebody else was faster, and goes on with it."""
    now = work.clock.now()
    after = replace(before, changed_at=now, **changes)
    if not cases.change(work.tenant.id, before, after, now=now):
        return before, False
    return replace(after, version=before.version + 1), True
