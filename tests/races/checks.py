"""What must hold when the dust has settled: the invariants of every test, on the live table and the stand-in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from types import SimpleNamespace

from bookend.application.outcomes import BookOutcome, CheckOutcome
from bookend.bootstrap import RandomIds
from bookend.domain.answers import Booking
from bookend.domain.timeslot import Slot
from sandbox.calcom import models
from tests.races.live import LiveSalon
from tests.support.invariants import Heard, World, look_at, violations
from tests.support.salon import Salon

Outcome = BookOutcome | CheckOutcome


@dataclass
class Settled:
    """The salon as it is now, in the form that the invariants look at."""

    live: LiveSalon
    salon: Salon = field(init=False)

    def __post_init__(self) -> None:
        bookings = {each.uid: _as_port_sees_it(each) for each in self.live.calcom.world.bookings()}
        self.salon = Salon(
            tenant=self.live.tenant,
            client=self.live.client,
            table_name=self.live.table,
            calendar=SimpleNamespace(bookings=bookings),
            clock=self.live.clock,
            ids=RandomIds(),
        )

    def records(self) -> World:
        """Everything in the table."""
        return look_at(self.salon)

    def accepted(self) -> list[models.Booking]:
        """Live bookings at Cal.com."""
        return [each for each in self.live.calcom.world.bookings() if each.status == "accepted"]


def breaches(settled: Settled, told: Mapping[str, Outcome]) -> list[str]:
    """Every broken invariant; `told` is the last answer that each call was given, about its one wish."""
    starts = {each.call: each.slot.start for each in settled.records().appointments.values()}
    heard = [Heard(call, outcome, starts.get(call)) for call, outcome in told.items()]
    return [
        *violations(settled.salon, heard),
        *(f"I1 at Cal.com: {one} overlaps {other}" for one, other in overlaps(settled.accepted())),
    ]


def overlaps(bookings: list[models.Booking]) -> list[tuple[str, str]]:
    """Pairs of one host's bookings that share a moment."""
    return [
        (one.uid, other.uid)
        for one, other in combinations(bookings, 2)
        if one.host_id == other.host_id and Slot(one.start, one.end).overlaps(Slot(other.start, other.end))
    ]


def _as_port_sees_it(row: models.Booking) -> Booking:
    return Booking(
        uid=row.uid,
        id=row.id,
        status=row.status,
        start=row.start,
        end=row.end,
        created_at=row.created_at,
        updated_at=row.updated_at,
        host=row.host_id,
        event_type=row.event_type_id,
        attendees=tuple(each.email for each in row.attendees),
        metadata=dict(row.metadata),
    )
