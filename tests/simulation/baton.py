"""Who goes on, and when: every actor has a thread of its own, and one of them the baton.

    baton = Baton(seed=7)
    baton.spawn("call-1", lambda: ..., after=2.0)
    baton.run(until=600.0)

An actor keeps the baton until it pauses: a request on its way, an answer on its way, a sleep. Then whoever's pause ends
first goes on, and the clock jumps there. So the order of everything follows from how long each pause is, hours pass in
milliseconds, and a race is two pauses that end close together.

Each actor has dice of its own, thrown by its name and by what they are thrown for: without one of the actors the
others throw what they threw before. That is what lets a story be made shorter.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import random
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from tests.support.tables.faults import Crash

_T = TypeVar("_T")
BEGINS = datetime(2025, 10, 25, 6, 0, tzinfo=UTC)
"""A Saturday morning, a day before the clocks change: the first of these hours is 8:00 in Berlin."""


class Stopped(BaseException):
    """The run is over, and whoever is still on the way ends here."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the trace. `kind`: `r` a read, `w` a write, `c` the calendar, `!` a fault, `.` something else."""

    at: float
    actor: str
    kind: str
    what: str

    def text(self) -> str:
        return f"{self.at:10.3f}  {self.actor:<24} {self.what}"


@dataclass(eq=False)
class _Place:
    """A thread, who is at work in it, and the lock it waits at."""

    actor: Actor | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    thread: threading.Thread | None = None


@dataclass(eq=False)
class Actor:
    """Somebody at work. `boss` is who it was begun by, at the top of it: what can be left out of a story."""

    name: str
    do: Callable[[], None]
    dice: random.Random
    place: _Place | None = None
    requests: int = 0
    children: int = 0
    names: int = 0
    deadline: float | None = None
    """Until when whoever waits for its request to the table waits (`bounds`)."""
    phase: str = ""

    @property
    def boss(self) -> str:
        return self.name.partition("/")[0]


class Baton:
    """The agenda, the clock and the trace. It is the `Clock` and the `Ids` of everybody, too."""

    def __init__(
        self,
        seed: int | str,
        *,
        only: Collection[str] | None = None,
        without: Collection[str] = (),
        just: Collection[str] | None = None,
        most: int = 2_000_000,
    ) -> None:
        """`only` these actors (by their name at the top) begin, `without` these; of the faults `just` these strike."""
        self.seed = seed
        self.only = None if only is None else frozenset(only)
        self.without = frozenset(without)
        self.just = None if just is None else frozenset(just)
        self.most = most
        self.at = 0.0
        self.steps = 0
        self.actor: Actor | None = None
        self.trace: list[Line] = []
        self.begun: list[str] = []
        self.faults: list[str] = []
        self.errors: list[tuple[str, BaseException]] = []
        self.deaths: list[str] = []
        self.on_death: Callable[[Actor], None] = lambda _actor: None
        self._agenda: list[tuple[float, float, int, Actor]] = []
        self._order = itertools.count()
        self._main = threading.Lock()
        self._main.acquire()
        self._stopping = False
        self._until = 0.0
        self._places: list[_Place] = []
        self._idle: list[_Place] = []

    # Actors

    def spawn(self, name: str, do: Callable[[], None], *, after: float = 0.0) -> Actor | None:
        """Have somebody begin in so many seconds; None: the story is told without them."""
        top = name.partition("/")[0]
        if name in self.without or (self.only is not None and top not in self.only):
            return None
        actor = Actor(name, do, self.dice(f"actor {name}"))
        self.begun.append(name)
        self._wake(actor, self.at + after)
        return actor

    def child(self, what: str, do: Callable[[], None], *, after: float = 0.0) -> Actor | None:
        """Somebody whom the one at work has begun: its name says so."""
        return self.spawn(self.child_name(what), do, after=after)

    def child_name(self, what: str) -> str:
        parent = self.who
        parent.children += 1
        return f"{parent.name}/{what}{parent.children}"

    @property
    def who(self) -> Actor:
        """Who has the baton."""
        assert self.actor is not None
        return self.actor

    def dice(self, what: str) -> random.Random:
        """Dice for one purpose."""
        return random.Random(f"{self.seed}|{what}")

    def request_dice(self) -> tuple[str, random.Random]:
        """The name of this request of the one at work, and dice for it alone."""
        actor = self.who
        actor.requests += 1
        name = f"{actor.name}#{actor.requests}"
        return name, self.dice(name)

    def strikes(self, fault: str) -> bool:
        """Whether a fault that was thrown takes place; it is left out of a story that is told without it."""
        if self.just is not None and fault not in self.just:
            return False
        self.faults.append(fault)
        return True

    # Passing it on

    def pause(self, seconds: float) -> None:
        """Let others go on for so long."""
        actor = self.who
        self._wake(actor, self.at + max(0.0, seconds))
        self._hand_on(actor)

    def together(
        self, tasks: Sequence[Callable[[], _T]], what: str, *, patience: float | None = None
    ) -> list[_T | None]:
        """Do several things at the same time. `patience`: who began them is gone by then; what they do goes on."""
        actor = self.who
        found: list[_T | None] = [None] * len(tasks)
        left = len(tasks)
        death: Crash | None = None

        def one(number: int) -> Callable[[], None]:
            def do() -> None:
                nonlocal left, death
                try:
                    found[number] = tasks[number]()
                except Crash as crash:  # it is one process: who began them dies of it as well
                    death = crash
                left -= 1
                if not left and patience is None:
                    self._wake(actor, self.at)

            return do

        base = self.child_name(what)
        for number in range(len(tasks)):
            self.begun.append(f"{base}.{number}")
            self._wake(Actor(f"{base}.{number}", one(number), self.dice(f"{base}.{number}")), self.at)
        if patience is None:
            self._hand_on(actor)
        else:
            self.pause(patience)
        if death is not None:
            raise death
        return found

    def _wake(self, actor: Actor, at: float) -> None:
        heapq.heappush(self._agenda, (at, actor.dice.random(), next(self._order), actor))

    def _hand_on(self, actor: Actor | None) -> None:
        """To whoever is next; returns when `actor` has it again."""
        following = self._next()
        if following is actor and actor is not None:
            return
        self.actor = following
        if following is None:
            self._main.release()
        else:
            self._start(following)
        if actor is not None and actor.place is not None:
            actor.place.lock.acquire()
            if self._stopping:
                raise Stopped
            self.actor = actor

    def _next(self) -> Actor | None:
        if not self._agenda or self._stopping or self.errors or self._agenda[0][0] > self._until:
            return None
        self.steps += 1
        if self.steps > self.most:
            self.errors.append(("baton", RuntimeError("it does not come to an end")))
            return None
        self.at, _, _, following = heapq.heappop(self._agenda)
        return following

    def _start(self, actor: Actor) -> None:
        """It goes on where it waits, or begins where nobody is at work any more."""
        if actor.place is None:
            place = self._idle.pop() if self._idle else _Place()
            actor.place, place.actor = place, actor
            if place.thread is None:
                place.lock.acquire()
                place.thread = threading.Thread(target=self._live, args=(place,), name="actors", daemon=True)
                self._places.append(place)
                place.thread.start()
                return
        actor.place.lock.release()

    def _live(self, place: _Place) -> None:
        """One after the other, as they are given this place."""
        while not self._stopping and place.actor is not None:
            try:
                self._act(place.actor)
            except Stopped:
                return
            place.actor = None
            self._idle.append(place)
            self._hand_on(None)
            place.lock.acquire()

    def _act(self, actor: Actor) -> None:
        try:
            actor.do()
        except Crash as crash:
            self.died(actor, crash)
        except Stopped:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, it fails the run
            self.errors.append((actor.name, error))

    def died(self, actor: Actor, crash: Crash) -> None:
        """Note somebody's death."""
        self.deaths.append(actor.name)
        self.note("!", f"DIES {crash}")
        self.on_death(actor)

    # The run

    def run(self, until: float) -> None:
        """Everything that happens until then."""
        self._until = until
        self._hand_on(None)
        self._main.acquire()
        self.actor = None
        if not self.errors:
            self.at = until

    def end(self) -> None:
        """Nobody is left over: who waits for something ends where it stands."""
        self._stopping = True
        for place in self._places:
            self.actor = place.actor
            place.lock.release()
            assert place.thread is not None
            place.thread.join(timeout=10)
        self.actor = None

    def fail(self, error: BaseException) -> None:
        """The run ends here, and is broken."""
        self.errors.append((self.actor.name if self.actor is not None else "", error))

    # Clock and Ids

    def now(self) -> datetime:
        return BEGINS + timedelta(microseconds=round(self.at * 1e6))

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.pause(seconds)

    def new(self) -> str:
        actor = self.who
        actor.names += 1
        return hashlib.sha256(f"{self.seed}|{actor.name}|{actor.names}".encode()).hexdigest()[:20]

    # The trace

    def note(self, kind: str, what: str) -> None:
        self.trace.append(Line(round(self.at, 3), self.actor.name if self.actor is not None else "", kind, what))

    def digest(self) -> str:
        """Of all that happened: two runs with the same are the same."""
        found = hashlib.sha256()
        for line in self.trace:
            found.update(f"{line.at:.3f}|{line.actor}|{line.kind}|{line.what}\n".encode())
        return found.hexdigest()


def jitter(baton: Baton) -> Any:
    """In place of the module `random` where the table spreads its tries (`adapters/dynamodb/transact`)."""

    class Jitter:
        def uniform(self, low: float, high: float) -> float:
            return baton.request_dice()[1].uniform(low, high) if baton.actor is not None else low

    return Jitter()
