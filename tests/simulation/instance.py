"""One instance of a function, with its ports as the composition root puts them together, and whoever it asks."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bookend.adapters.bounded import BoundedCalendar, BoundedQueue
from bookend.adapters.dynamodb.adoptions import DynamoAdoptions
from bookend.adapters.dynamodb.appointments import DynamoAppointments
from bookend.adapters.dynamodb.changes import DynamoChanges
from bookend.adapters.dynamodb.circuit import CircuitCopy, DynamoCircuit
from bookend.adapters.dynamodb.inbox import DynamoInbox
from bookend.adapters.dynamodb.outbox import DynamoOutbox
from bookend.adapters.dynamodb.slots import DynamoSlotCache
from bookend.adapters.dynamodb.transact import Table
from bookend.application import alerts as alert
from bookend.application.background import Background
from bookend.application.circuit import GuardedCalendar
from bookend.application.deadline import Deadline
from bookend.application.key_watch import KeyWatch
from bookend.application.ports import Alert
from bookend.application.ports.texts import NotSent as TextNotSent
from bookend.application.ports.texts import Refused as TextRefused
from bookend.application.ports.texts import SendAnswer, Sent
from bookend.application.ports.texts import Unclear as TextUnclear
from bookend.application.texting import Texting
from bookend.application.turn import Call, Turn
from bookend.domain.texts import Channel, Text
from tests.simulation.baton import Baton
from tests.simulation.plan import one_of
from tests.simulation.store import TABLE, bounds
from tests.simulation.watch import Breach, raised_where
from tests.support.tables.faults import Crash

if TYPE_CHECKING:
    from tests.simulation.salon import SimulatedSalon

ADDRESS = "https://api.cal.test"
_TABLE_LIMIT_S = 2.0
_RESERVE_S = 0.05


class Instance:
    """One instance of a function: it serves one after the other, and knows the breakers from what it read before."""

    def __init__(self, salon: SimulatedSalon) -> None:
        self.salon = salon
        baton = salon.baton
        copy = CircuitCopy(ADDRESS, clock=baton)
        self.table = Table(salon.table, TABLE, clock=baton, limit_s=_TABLE_LIMIT_S, bounds=bounds(baton), beside=copy)
        self.circuit = DynamoCircuit(self.table, copy, ids=baton, on_trouble=salon.trouble)
        self.slots = DynamoSlotCache(self.table)
        self.inbox = DynamoInbox(self.table)
        self.outbox = DynamoOutbox(self.table)

    @property
    def calendar(self) -> GuardedCalendar:
        """Of whomever it serves now; the breakers are everybody's."""
        return self._guarded(self.salon)

    def _guarded(self, salon: SimulatedSalon) -> GuardedCalendar:
        return GuardedCalendar(salon.calendar, self.circuit, alerts=salon.alerts, clock=salon.baton)

    def turn(self, call: Call, seconds: float) -> Turn:
        """As the door for functions puts it together."""
        salon, clock = self.salon, self.salon.baton
        deadline = Deadline.within(seconds - _RESERVE_S, clock)
        bounded = bounds(clock)
        return Turn(
            call=call,
            appointments=DynamoAppointments(self.table.within(deadline)),
            changes=DynamoChanges(self.table.within(deadline)),
            calendar=BoundedCalendar(self.calendar, _unbounded),
            slots=self.slots.within(deadline),
            queue=BoundedQueue(salon.queue, deadline, bounded),
            alerts=salon.alerts,
            clock=clock,
            ids=clock,
            deadline=deadline,
        )

    def background(self, deadline: Deadline, by: str, of: SimulatedSalon | None = None) -> Background:
        """As the composition root puts it together; `of` whom, where it is not whom it serves."""
        salon = of or self.salon
        table = self.table.acting(by).patient().within(deadline)
        adoptions = DynamoAdoptions(table)
        watched = KeyWatch(
            self._guarded(salon), adoptions, tenant=salon.tenant.id, by=by, alerts=salon.alerts, clock=salon.baton
        )
        return Background(
            tenant=salon.tenant,
            appointments=DynamoAppointments(table),
            adoptions=adoptions,
            changes=DynamoChanges(table),
            calendar=watched,
            alerts=salon.alerts,
            clock=salon.baton,
            deadline=deadline,
            by=by,
        )

    def texting(self, deadline: Deadline, op: str) -> Texting:
        """The same for one message."""
        salon = self.salon
        provider = Provider(salon, op)
        return Texting(
            tenant=salon.tenant,
            outbox=DynamoOutbox(self.table.patient().within(deadline)),
            messengers=dict.fromkeys(Channel, provider),
            alerts=salon.alerts,
            ids=salon.baton,
            clock=salon.baton,
            deadline=deadline,
        )


@dataclass(frozen=True)
class Provider:
    """The `Messenger` port, for the message of one operation: it knows no two requests for one."""

    salon: SimulatedSalon
    op: str

    def send(self, text: Text, *, deadline: Deadline) -> SendAnswer:
        baton, rates = self.salon.baton, self.salon.rates()
        name, dice = baton.request_dice()
        fate = one_of(rates.texts, dice)
        fate = fate if fate is not None and baton.strikes(f"{name}:text {fate}") else None
        dies = dice.random() < rates.crash and baton.strikes(f"{name}:crash")
        baton.pause(min(dice.uniform(0.05, 0.4), deadline.remaining()))
        if fate == "refused":
            return TextRefused("invalid_address")
        if fate == "unsent":
            return TextNotSent("Throttling")
        if fate != "lost_before":
            self.salon.texts.append((baton.at, self.op, text.body))
            baton.note("c", f"text of {self.op[:6]} is sent")
        if dies:
            raise Crash("after a text")
        if fate is not None:
            baton.pause(deadline.remaining())
            return TextUnclear("ReadTimeout")
        return Sent(f"sms-{len(self.salon.texts)}")


def _unbounded(call: Callable[[], Any], _deadline: Deadline, /) -> Any:
    """The simulated calendar is over at its deadline by itself."""
    return call()


class Alerts:
    """The `Alerts` port. That a piece of work broke is a bug, and ends the run."""

    def __init__(self, baton: Baton, saw: Counter[str]) -> None:
        self._baton, self._saw = baton, saw
        self.raised: list[Alert] = []

    def raise_(self, raised: Alert) -> None:
        self.raised.append(raised)
        self._saw[f"alert {raised.kind}"] += 1
        self._baton.note(".", f"alert {raised.kind}")
        if raised.kind == alert.JOB_FAILED:
            error = sys.exc_info()[1]
            where = raised_where(error) if error is not None else ""
            self._baton.fail(Breach(f"EX {raised.facts}: {where}"))
