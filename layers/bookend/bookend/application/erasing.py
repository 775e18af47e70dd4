"""Erasure of a person: what goes, what must wait, and what is not ours to erase.

What they had stays, with its times, its state and their id; who they were goes. The audit log needs no change: it never
held more than marks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bookend.application.ports.erasure import PeopleOnRecord, PersonalRecord, PersonOnRecord, RecordKind
from bookend.domain.appointment import Appointment, AppointmentState

QUIET_FOR = timedelta(days=2)
"""For so long after its end an appointment is still compared with its booking, address and all."""
_NO_MORE = frozenset({AppointmentState.CANCELLED, AppointmentState.FAILED})


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure comes to. While something is `ahead` or `waiting` nothing is erased at all.

    `ahead` are appointments that are not over: to be cancelled first. `waiting` are rows that somebody works with, and
    texts that are owed: without the person nobody would get them. `bookings` are those of theirs at Cal.com, which has
    the person as well. `doubtful` are customers that only share an address with them: not erased, but to be looked at.
    """

    customers: Mapping[str, int]
    appointments: Sequence[Appointment]
    records: Sequence[PersonalRecord]
    ahead: Sequence[Appointment]
    waiting: Sequence[PersonalRecord]
    bookings: Sequence[str]
    doubtful: Sequence[str] = ()

    @property
    def is_possible(self) -> bool:
        """Whether nothing keeps it from being done."""
        return not self.ahead and not self.waiting


@dataclass(frozen=True, slots=True)
class Erased:
    """How many rows are without the person now, and which have changed meanwhile, so that it must be done again."""

    cleared: int
    changed: Sequence[str]


def plan(person: PersonOnRecord, *, now: datetime) -> Erasure:
    """What would be done, and what keeps it from being done."""
    ahead = [each for each in person.appointments if not _is_over(each, now)]
    # A wish to be rung ends with the person; a case that is open is about an appointment that somebody still wants.
    waiting = [each for each in person.records if each.open and each.kind is not RecordKind.CALLBACK]
    return Erasure(
        customers=person.customers,
        appointments=[each for each in person.appointments if _is_over(each, now) and not each.customer.is_nobody],
        records=[each for each in person.records if each not in waiting],
        ahead=ahead,
        waiting=waiting,
        bookings=sorted({part.uid for each in person.appointments for part in each.segments if part.uid is not None}),
        doubtful=sorted(person.doubtful),
    )


def erase(tenant: str, erasure: Erasure, *, people: PeopleOnRecord, now: datetime) -> Erased:
    """Do it. May be repeated: what is cleared is not found again.

    What others are found by goes after them, the customer last: whatever is left, a repetition finds.

    Raises:
        ValueError: something keeps it from being done.
    """
    if not erasure.is_possible:
        msg = "what is ahead must be cancelled first, and what is open closed"
        raise ValueError(msg)
    others = [each for each in erasure.records if each.kind is not RecordKind.CUSTOMER]
    done = {f"{each.kind.value} {each.name}": people.clear(tenant, each, now=now) for each in others}
    for far in sorted({*erasure.customers.values()}, reverse=True):
        ids = {each for each, how_far in erasure.customers.items() if how_far == far}
        theirs = [each for each in erasure.appointments if each.customer.id in ids]
        if all(done.values()):
            done |= {f"appointment {each.id}": people.clear_appointment(tenant, each, now=now) for each in theirs}
        if all(done.values()):
            customers = [each for each in erasure.records if each.kind is RecordKind.CUSTOMER and each.name in ids]
            done |= {f"customer {each.name}": people.clear(tenant, each, now=now) for each in customers}
    return Erased(sum(done.values()), [name for name, is_done in done.items() if not is_done])


def _is_over(appointment: Appointment, now: datetime) -> bool:
    if appointment.state in _NO_MORE:
        return True
    return appointment.state is AppointmentState.CONFIRMED and appointment.slot.end + QUIET_FOR < now
