"""The way to Cal.com: how long it takes, and what becomes of a request on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from random import Random
from typing import Any, TypeVar

from bookend.application.deadline import Deadline
from bookend.application.ports import Page
from bookend.domain.answers import Answered, Booking, NotSent, Refused, Unclear
from tests.simulation.baton import Baton
from tests.simulation.plan import Rates, one_of
from tests.support.tables.faults import Crash

_T = TypeVar("_T")


class Way:
    """`serve` is what Cal.com does with a request once it is there. `was_released`: whether nobody waits for it."""

    def __init__(
        self,
        baton: Baton,
        rates: Callable[[], Rates],
        *,
        saw: Counter[str],
        outages: Sequence[tuple[float, float]] = (),
    ) -> None:
        self.baton, self.rates, self.saw, self.outages = baton, rates, saw, outages
        self.was_released: Callable[[Booking], bool] = lambda _booking: False

    def _fate(self, name: str, dice: Random, shares: Mapping[str, float]) -> str | None:
        away = any(begins <= self.baton.at < ends for begins, ends in self.outages)
        fate = one_of(shares, dice)
        if away:
            fate = "lost_before" if dice.random() < 0.7 else "unsent"
        return fate if fate is None or self.baton.strikes(f"{name}:{fate}") else None

    def ask(
        self,
        said: str,
        shares: Mapping[str, float],
        serve: Callable[[], _T],
        deadline: Deadline,
        *,
        writes: bool = False,
    ) -> _T | Unclear | NotSent:
        """One request: on its way, served, on its way back; or one of the things that become of it."""
        baton, rates = self.baton, self.rates()
        if not deadline.remaining():
            return NotSent("no time left to send it")
        name, dice = baton.request_dice()
        there, back = _way(dice, rates), _way(dice, rates)
        if writes:
            back += dice.uniform(0.1, 0.8)
        fate = self._fate(name, dice, shares)
        crash, delay = dice.random(), dice.uniform(5.0, max(5.1, rates.late_s))
        dies = crash < rates.crash * 2 and baton.strikes(f"{name}:crash")
        if dies and crash < rates.crash:
            baton.pause(there)
            raise Crash(f"before calendar {said}")
        left = deadline.remaining()
        trouble = self._not_served(said, fate, there, back, left)
        if trouble is not None:
            return trouble
        if fate == "late" or there >= left:
            baton.child("late", lambda: self._alone(said, serve), after=delay if fate == "late" else there)
            return self._silence(said, left)
        baton.pause(there)
        answer = serve()
        baton.note("c", f"calendar {said}: {word(answer)}")
        if dies:
            baton.pause(back)
            raise Crash(f"after calendar {said}")
        left = deadline.remaining()
        if fate == "lost_after" or back >= left:
            self._count_lost(said, answer)
            return self._silence(said, left)
        baton.pause(back)
        if fate == "error_after":
            self._count_lost(said, answer)
            baton.note("!", f"calendar {said}: HTTP 500")
            return Unclear("HTTP 500")
        return answer

    def _not_served(
        self, said: str, fate: str | None, there: float, back: float, left: float
    ) -> Unclear | NotSent | None:
        """What comes back without anything having been done."""
        match fate:
            case "unsent":
                self.baton.pause(min(there, left))
                answer: Unclear | NotSent = NotSent("ConnectError", unreachable=True)
            case "limited":
                self.baton.pause(min(there + back, left))
                answer = NotSent("HTTP 429", retry_after_s=30.0)
            case "error_before" if there + back < left:
                self.baton.pause(there + back)
                answer = Unclear("HTTP 500")
            case "lost_before" | "error_before":
                answer = self._silence(said, left)
            case _:
                return None
        if said.startswith("book"):
            self.saw["unclear, without effect" if isinstance(answer, Unclear) else "not sent"] += 1
        self.baton.note("!", f"calendar {said}: {answer.detail}, nothing done")
        return answer

    def _count_lost(self, said: str, answer: object) -> None:
        if said.startswith("book") and isinstance(answer, Answered):
            self.saw["unclear, with effect"] += 1

    def _silence(self, said: str, left: float) -> Unclear:
        self.baton.pause(left)
        self.baton.note("!", f"calendar {said}: no answer")
        return Unclear("ReadTimeout")

    def _alone(self, said: str, serve: Callable[[], object]) -> None:
        """It was given up, and is served all the same."""
        answer = serve()
        self.baton.note("c", f"calendar {said}, given up before: {word(answer)}")
        if isinstance(answer, Answered):
            self.saw["carried out after it was given up"] += 1
            if self.was_released(answer.booking):
                self.saw["carried out after it was released"] += 1

    def ask_all(self, asks: Sequence[Callable[[], Any]]) -> tuple[Any, ...]:
        """At the same time; whoever asks may die meanwhile, and what was asked goes on."""
        name, dice = self.baton.request_dice()
        rate = self.rates().crash
        if dice.random() < rate * 2 and self.baton.strikes(f"{name}:crash"):
            self.baton.together(asks, "part", patience=dice.uniform(0.0, 1.5))
            raise Crash("in the middle of several requests")
        return tuple(self.baton.together(asks, "part"))


def _way(dice: Random, rates: Rates) -> float:
    """Seconds one way, with what Cal.com needs to begin."""
    usual = dice.uniform(0.03, 0.2)
    return usual * dice.uniform(5.0, 30.0) if dice.random() < rates.slow else usual


def word(answer: object) -> str:
    """An answer for the trace."""
    match answer:
        case Answered(booking):
            return f"{booking.uid} {clock(booking.start)}-{booking.end:%H:%M}"
        case Refused(why, _):
            return f"refused, {why}"
        case Booking():
            return f"{answer.status} {clock(answer.start)}"
        case tuple() | Page():
            return ", ".join(each.uid for each in (answer if isinstance(answer, tuple) else answer.bookings)[:6])
        case dict():
            return f"{sum(len(each.starts) for each in answer.values())} starts"
        case _:
            return type(answer).__name__


def clock(moment: datetime) -> str:
    """A start for the trace."""
    return moment.strftime("%d. %H:%M")
