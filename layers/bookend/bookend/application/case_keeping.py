"""Which of several appointments on one booking is right, as a person has decided it: the others are ended here."""

from __future__ import annotations

from bookend.application.background import Background
from bookend.application.case_records import back, not_gone_yet, read, while_decided, write
from bookend.application.duplicates import Done, end_one
from bookend.application.ports.cases import Cases
from bookend.domain.appointment import Appointment, AppointmentState
from bookend.domain.cases import Case, CaseState, Ending
from bookend.domain.drift import LIVE
from bookend.domain.reviews import A_PART_ONLY, NAMES, on_booking, uids_of

_ENDED = frozenset({AppointmentState.CANCELLED, AppointmentState.FAILED})


def claimants_of(work: Background, case: Case) -> tuple[Appointment, ...]:
    """The appointments that the case names, as far as they stand on its booking."""
    found = work.appointments.several(work.tenant.id, {*case.facts.get(NAMES, "").split()}).values()
    return on_booking(found, case.booking)


def versions_of(claimants: tuple[Appointment, ...]) -> str:
    """What a person saw of them."""
    return " ".join(f"{each.id}:{each.version}" for each in claimants)


def keep_one(work: Background, cases: Cases, case: Case, name: str) -> Case:
    """End the others here, each on the version that was seen; the booking stays, and is the kept one's."""
    found = work.appointments.several(work.tenant.id, {name, *case.facts.get(NAMES, "").split()})
    if any(each.state not in {AppointmentState.CONFIRMED, *_ENDED} for each in found.values()):
        return case  # one of them is being changed: the next run goes on with it
    claimants = on_booking(found.values(), case.booking)
    kept = next((each for each in claimants if each.id == name), None)
    if kept is None:
        return back(work, cases, case, f"{name} does not stand on this booking any more")
    if not {*versions_of(claimants).split()} <= {*case.facts.get("decided_on", "").split()}:
        return back(work, cases, case, "the appointments have changed since this was decided")
    seen = read(work, case.booking)
    if seen is None:
        return not_gone_yet(work, cases, case) or back(work, cases, case, "Cal.com has no such booking any more")
    if seen.status != LIVE:
        return back(work, cases, case, f"the booking is {seen.status} there")
    others = [each for each in claimants if each.id != name]
    if not all(uids_of(each) <= uids_of(kept) for each in others):
        return back(work, cases, case, A_PART_ONLY)
    decided = while_decided(work, case)
    if decided.duplicates is None:
        return case  # whoever may end appointments goes on with it
    owner = work.adoptions.owner(work.tenant.id, case.booking)
    for each in sorted(others, key=lambda each: each.id != owner):
        if end_one(decided, decided.duplicates, each, kept, seen) is Done.LATER:
            return case  # the next run goes on with it, as it is then
    why = f"{name} stays, the others on its booking are ended here"
    after = {"state": CaseState.CLOSED, "ending": Ending.EQUAL, "why": why, "decision": "", "due": None}
    return write(work, cases, case, appointment=name, customer=kept.customer, **after)[0]
