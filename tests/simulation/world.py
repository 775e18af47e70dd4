"""One run: a seed, a plan, and maybe a part of its story. The same three always give the same run, line by line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from time import perf_counter
from unittest import mock

from bookend.adapters.dynamodb import transact
from bookend.adapters.dynamodb.runs import DynamoRuns
from bookend.application.ports import Run, RunKind
from bookend.domain.tenant import Tenant, TextSettings
from tests.simulation.at_rest import unsound_at_rest
from tests.simulation.baton import BEGINS, Baton, Line, jitter
from tests.simulation.calendar import SimulatedCalendar
from tests.simulation.people import Caller, Hands
from tests.simulation.plan import QUIET, Plan, Rates, swarmed
from tests.simulation.salon import SimulatedSalon
from tests.simulation.store import TABLE
from tests.simulation.stream import AuditStream, unsound_log
from tests.simulation.tenants import SECOND, Shop, beside, committed, mixed
from tests.simulation.watch import Breach, Watch, raised_where
from tests.support.calendar import EventType
from tests.support.salon import example_tenant, table_request

TENANT = replace(
    example_tenant(), texts=TextSettings(sms=True, confirmations=True, sender_id="Salon", phone="+493033081738")
)


@dataclass(frozen=True)
class Story:
    """Which run, and which part of it is told: `only` these actors, `without` these; of the faults `just` these."""

    seed: int
    plan: Plan
    only: frozenset[str] | None = None
    without: frozenset[str] = frozenset()
    just: frozenset[str] | None = None


@dataclass
class Played:
    """How a run came out. `breaches` is empty for a sound one; `step` is where the first one was seen."""

    story: Story
    breaches: list[str]
    step: int
    digest: str
    saw: Counter[str]
    trace: list[Line]
    actors: list[str]
    faults: list[str]
    seconds: float
    calls: int
    writes: int
    checks: int
    bookings: int
    deaths: int
    at_rest: bool = False
    """Whether it was seen in the end only: then whoever repairs must be part of the story."""
    world: World | None = field(default=None, repr=False)

    @property
    def kind(self) -> str:
        """Which promise was broken: the first word of the first breach."""
        return self.breaches[0].partition(" ")[0] if self.breaches else ""


class World:
    """Everything of one run, put together and played to its end."""

    def __init__(self, story: Story, tenant: Tenant = TENANT) -> None:
        self.story, self.plan, self.tenant = story, story.plan, tenant
        self.baton = Baton(f"{story.seed}|{story.plan.name}", only=story.only, without=story.without, just=story.just)
        swarm = story.plan.name in {"brutal", "duel"}
        self.troubles = swarmed(story.plan.rates, self.baton.dice("swarm")) if swarm else story.plan.rates
        self.calm_at = story.plan.hours * 3600 + 300.0
        self.ends_at = self.calm_at + story.plan.calm_hours * 3600
        self.shops = [self._shop(tenant)]
        if self.baton.dice("second tenant").random() < story.plan.second:
            self.shops.append(self._shop(beside(tenant)))
        self.salon, self.watch = self.shops[0].salon, self.shops[0].watch
        self.baton.on_death = self.watch.died
        self.salon.table.committed = lambda parameters: committed(self.shops, parameters, self.baton)
        self.salon.stream = AuditStream(self.salon, self.rates)

    def _shop(self, tenant: Tenant) -> Shop:
        first = self.shops[0] if hasattr(self, "shops") else None
        watch = Watch(self.baton, tenant, None if first is None else first.watch.saw)
        salon = SimulatedSalon(self.baton, self.rates, tenant, watch, beside=None if first is None else first.salon)
        kinds = {
            event_type: EventType(tenant.member(staff).calcom_user, segment.minutes)
            for service in tenant.services
            for segment in service.segments
            for staff, event_type in segment.event_types.items()
        }
        salon.calendar = SimulatedCalendar(
            self.baton, kinds, self.rates, tell=salon.happened, saw=watch.saw, outages=self._outages()
        )
        salon.calendar.way.was_released = watch.was_released
        watch.table, watch.calendar = salon.table, salon.calendar
        if first is None:
            salon.table.create_table(**table_request(TABLE))
        self._on_sale(salon, kinds)
        # Last night's run has been; the next one is this story's own.
        runs = DynamoRuns(transact.Table(salon.table, TABLE, clock=self.baton))
        for kind in (RunKind.FULL, RunKind.POLL):
            runs.keep(tenant.id, Run(kind=kind, started=BEGINS), done=True, now=BEGINS)
        return Shop(tenant, self.baton, watch, salon)

    def rates(self) -> Rates:
        """What may go wrong now; towards the end nothing does, so that all can come to its end."""
        return self.troubles if self.baton.at < self.calm_at else QUIET

    def _outages(self) -> list[tuple[float, float]]:
        dice = self.baton.dice("outage")
        if dice.random() >= self.troubles.outage:
            return []
        begins = dice.uniform(0.1, 0.8) * self.plan.hours * 3600
        return [(begins, begins + dice.uniform(30.0, 240.0))]

    def _on_sale(self, salon: SimulatedSalon, kinds: dict[int, EventType]) -> None:
        """Each day from 9:00 to 17:00, for as many days as the plan has, and two more to look on to."""
        zone = self.tenant.zone
        first = BEGINS.astimezone(zone).date()
        for number in range(1, self.plan.days + 3):
            day = first + timedelta(days=number)
            moment = datetime(day.year, day.month, day.day, 9, 0, tzinfo=zone)
            while moment.hour < 17:
                for event_type in kinds:
                    salon.calendar.starts.setdefault(event_type, []).append(moment.astimezone(BEGINS.tzinfo))
                moment += timedelta(minutes=self.plan.every)

    def _people(self) -> None:
        self._come(self.shops[0], self.plan, "")
        for shop in self.shops[1:]:
            few = {name: max(1, getattr(self.plan, name) // 4) for name in ("guests", "edits")}
            self._come(shop, replace(self.plan, calls=max(2, self.plan.calls // 4), **few), SECOND)
        # The last night of all begins in the calm: it is the one that finds whatever nobody told of.
        self.salon.schedule(self.ends_at - 300, self.calm_at + self.plan.calm_hours * 1800.0)

    def _come(self, shop: Shop, plan: Plan, prefix: str) -> None:
        baton, hands = self.baton, Hands(shop.salon, plan, prefix)
        dice = baton.dice(f"{prefix}groups")
        group, left = 0, 0
        for number in range(1, plan.calls + 1 - (plan.eager and dice.random() < 0.5)):
            if plan.eager:
                group, left = 1, 1
            elif not left:
                group, left = group + 1, dice.randint(1, plan.group)
            left -= 1
            caller = Caller(shop.salon, plan, f"{prefix}call-{number}", f"{prefix}group-{group}", f"call-{number}")
            shop.callers.append(caller)
            baton.spawn(caller.name, caller.ring, after=caller.begins)
        for number in range(1, plan.guests + 1):
            comes = baton.dice(f"{prefix}guest-{number} comes")
            after = comes.uniform(5.0, plan.hours * 3600)
            if plan.eager and shop.callers:
                after = shop.callers[0].begins + comes.uniform(0.0, 2.0)
            baton.spawn(f"{prefix}guest-{number}", lambda number=number: hands.guest(number), after=after)
        for number in range(1, plan.edits + 1):
            after = baton.dice(f"{prefix}salon-{number} comes").uniform(45.0, plan.hours * 3600 + 100)
            baton.spawn(f"{prefix}salon-{number}", lambda number=number: hands.edit(number), after=after)

    def play(self) -> Played:
        """Until everything has had the time to come to its end."""
        began = perf_counter()
        with _seeded(self.baton):
            try:
                self._people()
                self.baton.run(self.ends_at)
            finally:
                self.baton.end()
        breaches = [_said_of(error, who) for who, error in self.baton.errors]
        at_rest = not breaches
        if at_rest:
            for shop in self.shops:
                breaches += [*unsound_at_rest(shop), *unsound_log(shop.salon, self.salon.stream)]
            breaches += mixed(self.shops, self.salon.table) if len(self.shops) > 1 else []
        return Played(
            story=self.story,
            breaches=breaches,
            step=self.baton.steps,
            digest=self.baton.digest(),
            saw=self.watch.saw,
            trace=self.baton.trace,
            actors=self.baton.begun,
            faults=self.baton.faults,
            seconds=round(perf_counter() - began, 3),
            calls=sum(caller.name in self.baton.begun for shop in self.shops for caller in shop.callers),
            writes=sum(line.kind == "w" for line in self.baton.trace),
            checks=sum(shop.watch.checks for shop in self.shops),
            bookings=sum(len(shop.salon.calendar.bookings) for shop in self.shops),
            deaths=len(self.baton.deaths),
            at_rest=at_rest,
            world=self,
        )


@contextmanager
def _seeded(baton: Baton) -> Iterator[None]:
    with mock.patch.object(transact, "random", jitter(baton)):
        yield


def _said_of(error: BaseException, who: str) -> str:
    if isinstance(error, Breach):
        return str(error)
    return f"EX {who}: " + raised_where(error)


def play(
    seed: int,
    plan: Plan,
    *,
    only: Collection[str] | None = None,
    without: Collection[str] = (),
    just: Collection[str] | None = None,
) -> Played:
    """One run."""
    some, faults = (None if each is None else frozenset(each) for each in (only, just))
    return World(Story(seed, plan, some, frozenset(without), faults)).play()


__all__ = ["Played", "Story", "World", "play"]
