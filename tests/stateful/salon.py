"""The salon of a stateful run and everything that happens to it but its callers.

Cal.com's events come late, twice or never; the salon and its guests change what is at Cal.com; schedules run. In the
end everybody has looked at everything, and both sides must be what the model says.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from bookend import bootstrap
from bookend.application.ports import Job
from bookend.domain.answers import Booking
from bookend.domain.appointment import AppointmentState
from bookend.domain.texts import Channel
from tests.stateful.model import DAYS, EVERY, FIRST, LAST, Busy, Model, When, local_day
from tests.support.http import Doors, LambdaContext, door
from tests.support.invariants import LIVE, World, breaches, look_at
from tests.support.salon import Salon
from tests.support.texts import Provider

TYPES = {"fabian": 3672814, "emma": 3672815}
"""The haircut that guests book at Cal.com."""
MOST_CANCELLED = 5
"""Cancellations that no event tells of; of more, a run asks a person before it believes them (ADR 0012)."""
SEEN: Counter[str] = Counter()
"""What was reached, over all runs."""
whens = st.builds(
    When,
    st.sampled_from((DAYS[0], DAYS[0], DAYS[1])),
    st.sampled_from([*range(FIRST, LAST + 1, EVERY), LAST + EVERY]),
)
pick = st.integers(0, 7)


@dataclass(frozen=True)
class TenantsRows:
    """The table for whoever looks on: what is a tenant's."""

    salon: Salon

    def scan(self, **_request: Any) -> dict[str, Any]:
        rows = self.salon.client.scan(TableName=self.salon.table_name)["Items"]
        return {"Items": [each for each in rows if each["pk"]["S"].startswith("T#")]}


@dataclass(frozen=True)
class Seen:
    """A salon as the invariants look at it."""

    salon: Salon
    table_name: str = "appointments"

    @property
    def client(self) -> TenantsRows:
        return TenantsRows(self.salon)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.salon, name)


class SalonMachine(RuleBasedStateMachine):
    """One salon, from a Saturday evening on; both days on sale are still to come."""

    # Setting up, and what all rules share

    @initialize()
    def opens(self) -> None:
        self.salon = Salon()
        for day in DAYS:
            self.salon.open(day, first="09:00", last="12:00", every=EVERY)
        self.doors = Doors(self.salon)
        bootstrap.use(self.doors.deps)
        logging.disable(logging.CRITICAL)  # a third of the time, and nobody listens here
        self.provider = Provider()
        self.doors.deps.messengers = {Channel.SMS: self.provider, Channel.EMAIL: self.provider}
        self.model = Model()
        self.jobs: list[tuple[datetime, Job]] = []
        self.deliveries: list[tuple[str, str]] = []
        self.known: dict[str, Booking] = {}
        self.events = 0

    @property
    def clock(self) -> Any:
        return self.salon.clock

    @property
    def now(self) -> datetime:
        now: datetime = self.salon.clock.now()
        return now

    @property
    def seconds(self) -> float:
        return self.now.timestamp()

    @property
    def today(self) -> Any:
        return local_day(self.now)

    def after(self) -> None:
        """What Cal.com has to tell, what is queued, and what must never be otherwise."""
        for uid, booking in self.salon.calendar.bookings.items():
            if self.known.get(uid) != booking:
                created = uid not in self.known
                name = "BOOKING_CANCELLED" if booking.status == "cancelled" else "BOOKING_RESCHEDULED"
                self.deliveries.append(("BOOKING_CREATED" if created else name, uid))
                self.known[uid] = booking
        self.queued()
        found = self.violations()
        assert found == [], found

    def queued(self) -> None:
        """What was sent to the queue waits for its time."""
        self.jobs += [(self.now + delay, job) for job, delay in self.salon.queue.jobs]
        self.salon.queue.jobs.clear()

    def violations(self) -> list[str]:
        """Every breach, but of those appointments that others have changed and nobody has told us of yet."""
        world = look_at(Seen(self.salon))  # type: ignore[arg-type]
        untold = self._untold(world)
        found = [
            each
            for each in breaches(world)
            if not ((each.startswith("I3") or each.endswith("are confirmed at once")) and untold & set(each.split()))
        ]
        twice = [each for each in found if each.startswith("I4 customer has 2 at once")]
        if len(twice) <= self.model.two_at_once():
            SEEN["two of a customer's at once, by the salon's hand"] += len(twice)
            found = [each for each in found if each not in twice]
        return found

    def _untold(self, world: World) -> set[str]:
        """The bookings that others have changed, and whose appointments they are: by their names in a breach."""
        uids = {uid for each in self.model.standing if each.untold for uid in each.uids}
        ours = {booking.metadata.get("appointment", uid) for booking in world.bookings if (uid := booking.uid) in uids}
        stood = {each.id for each in world.appointments.values() if uids & {part.uid for part in each.segments}}
        return uids | ours | stood | {world.guards[uid] for uid in uids & world.guards.keys()}

    # What the salon and its guests do at Cal.com, past us

    @rule(stylist=st.sampled_from(sorted(TYPES)), when=whens)
    def a_guest_books(self, stylist: str, when: When) -> None:
        guest = Busy("Herrenhaarschnitt", stylist, when, untold=True)
        if self.model.at_calcom(guest):
            calendar = self.salon.calendar
            email = f"gast{len(calendar.bookings)}@example.org"
            guest.uids = {calendar.book_publicly(TYPES[stylist], when.instant, email=email).uid}
            self.model.take(guest)
        self.after()

    @rule(which=pick, to=whens, cancels=st.booleans())
    def the_salon_changes_one(self, which: int, to: When, cancels: bool) -> None:
        if cancels:
            self.the_salon_cancels(which)
        else:
            self.the_salon_moves(which, to)

    def the_salon_moves(self, which: int, to: When) -> None:
        self.clock.advance(31)  # what is changed within ten seconds is taken for Cal.com's own doing (limits.md)
        old = self._changeable(which)
        if old is None or to == old.when:
            return
        goes = Busy(old.service, old.stylist, to, minutes=old.minutes)
        twice = any(
            each is not old
            and (each.caller, each.service) == (old.caller, old.service)
            and to in (each.when, *each.elsewhere)
            for each in self.model.standing
            if old.caller
        )
        if twice or not self.model.at_calcom(goes, but=old):
            return
        (uid,) = self._live(old)
        old.uids.add(self.salon.calendar.move(uid, to.instant).uid)
        old.elsewhere.append(old.when)
        old.when, old.untold, old.put_there = to, True, True
        self.model.touched.update([old.caller])
        self.model.drop_holds(old)
        self._spoil(old)
        SEEN["the salon moves " + ("a caller's" if old.caller else "a guest's")] += 1
        self.after()

    def the_salon_cancels(self, which: int) -> None:
        self.clock.advance(31)
        old = self._changeable(which)
        if old is None or sum(each.gone and each.untold for each in self.model.standing) >= MOST_CANCELLED:
            return
        (uid,) = self._live(old)
        self.salon.calendar.change(uid, status="cancelled")
        old.gone = old.untold = True
        self.model.touched.update([old.caller])
        self._spoil(old)
        SEEN["the salon cancels " + ("a caller's" if old.caller else "a guest's")] += 1
        self.after()

    def _changeable(self, which: int) -> Busy | None:
        """One whose outcome is not open, and which is one booking."""
        found = [each for each in self.model.standing if not (each.open or each.gone) and len(self._live(each)) == 1]
        return found[which % len(found)] if found else None

    def _live(self, one: Busy) -> list[str]:
        bookings = self.salon.calendar.bookings
        return [uid for uid in sorted(one.uids) if bookings[uid].status == "accepted"]

    def _spoil(self, one: Busy) -> None:
        """What was asked about it is no question any more."""

    # What Cal.com tells, and the background

    @rule(which=pick, times=st.sampled_from((0, 1, 1, 1, 2)))
    def cal_com_tells(self, which: int, times: int) -> None:
        """One of its events, in any order, twice or not at all; the worker does what is due."""
        if not self.deliveries:
            return
        trigger, uid = self.deliveries.pop(which % len(self.deliveries))
        if not times:
            return
        for _ in range(times):
            self._deliver(trigger, uid)
        self.work()
        # An event of a booking that was moved on tells nothing for sure of what became of the one after it.
        told = [each for each in self.model.standing if each.uids and uid == max(each.uids)]
        for each in told:
            each.untold, each.elsewhere = False, each.elsewhere if each.open else []
        self.model.standing = [e for e in self.model.standing if not (e in told and e.gone and not e.open)]
        SEEN["an event of Cal.com's"] += 1
        self.after()

    def _deliver(self, trigger: str, uid: str) -> None:
        self.events += 1
        body = {"triggerEvent": trigger, "createdAt": f"{self.now.isoformat()}#{self.events}", "payload": {"uid": uid}}
        assert self.doors.webhook(body).status == 200
        self.queued()

    def work(self) -> None:
        """The worker does what is due."""
        while True:
            due = [job for at, job in self.jobs if at <= self.now]
            self.jobs = [(at, job) for at, job in self.jobs if at > self.now]
            if not due:
                return
            assert self.doors.work(*due) == []
            self.queued()

    @rule(seconds=st.sampled_from((2, 14, 31, 60, 60, 125, 310, 900)))
    def time_passes(self, seconds: int) -> None:
        """A minute is one with the sweeper, and a quarter of an hour one in which everybody looks."""
        if seconds == 900:
            self.everything_is_settled()
        elif seconds == 60:
            self.the_minute_comes()
        else:
            self.clock.advance(seconds)
            self.after()

    def the_minute_comes(self) -> None:
        """The sweeper, and the worker after it."""
        self.clock.advance(60)
        self.doors.sweep()
        self.queued()
        self.work()
        self.after()

    def everything_is_settled(self) -> None:
        """A quarter of an hour without a caller: all that is open is settled, and what was not told is found."""
        for minute in range(15):
            self.clock.advance(60)
            self.doors.sweep()
            self.queued()
            self.work()
            if minute % 5 == 2:
                with self.doors.heard.capturing():
                    door("reconciliation").lambda_handler({"task": "reconcile"}, LambdaContext(240_000))
                self.queued()
                self.work()
        self.model.settled()
        self.after()

    # The end

    def teardown(self) -> None:
        if not hasattr(self, "doors"):
            return
        try:
            self.everything_is_settled()
            self.both_sides_are_the_models()
            self.everybody_was_told()
        finally:
            bootstrap.use(None)
            logging.disable(logging.NOTSET)

    def both_sides_are_the_models(self) -> None:
        """Who has what, when, with whom; nothing else stands, and nothing is under way."""
        wanted = Counter((each.caller, each.when, each.stylist) for each in self.model.standing)
        world = look_at(Seen(self.salon))  # type: ignore[arg-type]
        found = [each for each in world.appointments.values() if each.state in LIVE]
        assert {each.state for each in found} <= {AppointmentState.CONFIRMED}
        ours = Counter(
            (each.customer.phone if each.source == "phone" else "", When.of(each.slot.start), each.staff)
            for each in found
        )
        assert ours == wanted, (ours - wanted, wanted - ours)
        hosts = {each.calcom_user: each.id for each in self.salon.tenant.staff}
        theirs = Counter((When.of(each.start), hosts[each.host or 0]) for each in world.accepted())
        parts = Counter(
            (When(each.when.day, start), each.stylist) for each in self.model.standing for start, _ in each.takes()
        )
        assert theirs == parts, (theirs - parts, parts - theirs)

    def everybody_was_told(self) -> None:
        """Who heard "noch offen" has a text, and nobody has more than one for each thing that happened."""
        self.everything_is_settled()
        sent = Counter(text.to for text in self.provider.arrived)
        assert set(sent) <= set(self.model.promised) | set(self.model.touched), sent
        for caller, owed in self.model.promised.items():
            assert sent[caller] >= 1, f"{owed} promised, {sent[caller]} sent"
        for caller, number in sent.items():
            assert number <= self.model.promised[caller] + self.model.touched[caller]
        wishes = {each.call for each in self.doors.deps.callbacks.listed("friseur1")}
        assert wishes == {call for calls in self.model.callbacks.values() for call in calls}
