"""The stand-in of Cal.com has the weaknesses of the real one (contracts: calcom-observed 1, 2), under a run's baton."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bookend.application.deadline import Deadline
from bookend.application.ports import BookingRequest
from bookend.domain.answers import Answered, NotThere, Refusal, Refused, Unclear
from bookend.domain.timeslot import Slot
from tests.simulation.baton import BEGINS, Baton
from tests.simulation.calendar import SimulatedCalendar
from tests.simulation.plan import QUIET, Rates
from tests.support.calendar import EventType

SHORT, LONG = 1, 2
TEN = BEGINS + timedelta(days=1, hours=3)
KINDS = {SHORT: EventType(28, 30), LONG: EventType(28, 45)}


class There:
    """Cal.com and whoever asks it, each an actor; `said` are their answers by name."""

    def __init__(self, rates: Rates = QUIET, seed: int = 1) -> None:
        self.baton = Baton(seed)
        self.told: list[str] = []
        self.saw: Counter[str] = Counter()
        self.calendar = SimulatedCalendar(
            self.baton, KINDS, lambda: rates, tell=lambda trigger, _uid: self.told.append(trigger), saw=self.saw
        )
        self.said: dict[str, Any] = {}

    def at(self, seconds: float, name: str, ask: Callable[[], Any]) -> None:
        def do() -> None:
            self.said[name] = ask()

        self.baton.spawn(name, do, after=seconds)

    def run(self, until: float = 600.0) -> None:
        self.baton.run(until)
        self.baton.end()
        assert self.baton.errors == []

    def soon(self, seconds: float = 3.5) -> Deadline:
        return Deadline.within(seconds, self.baton)

    def book(self, kind: int, start: datetime = TEN, *, seconds: float = 3.5) -> Any:
        request = BookingRequest(kind, start, "Gast", "gast@example.org", None, "Europe/Berlin", "de", {})
        return self.calendar.book(request, deadline=self.soon(seconds))

    def live(self) -> list[datetime]:
        return sorted(each.start for each in self.calendar.accepted())


def together(ask: Callable[[There], None]) -> list[There]:
    """Many orders of the same two requests."""
    found = []
    for seed in range(60):
        there = There(seed=seed)
        ask(there)
        there.run()
        found.append(there)
    return found


def test_two_lengths_at_once_may_both_be_booked_and_one_after_the_other_never() -> None:
    def both(there: There, apart: float = 0.0) -> None:
        there.at(0.0, "short", lambda: there.book(SHORT))
        there.at(apart, "long", lambda: there.book(LONG))

    ends = {len(each.live()) for each in together(both)}
    assert ends == {1, 2}
    assert {len(each.live()) for each in together(lambda there: both(there, 5.0))} == {1}


def test_the_same_host_start_and_end_is_booked_once_and_the_loser_hears_of_its_database() -> None:
    def twice(there: There) -> None:
        there.at(0.0, "one", lambda: there.book(SHORT))
        there.at(0.0, "other", lambda: there.book(SHORT))

    found = together(twice)
    losers = [next(answer for answer in each.said.values() if isinstance(answer, Refused)).why for each in found]
    assert {len(each.live()) for each in found} == {1}
    assert {*losers} == {Refusal.CONFLICT, Refusal.HOST_BUSY}


def test_two_moves_of_one_booking_at_once_make_two_of_it() -> None:
    def moved_twice(there: There) -> None:
        there.at(0.0, "book", lambda: there.book(SHORT))
        for name, minutes in (("one", 60), ("other", 120)):
            start = TEN + timedelta(minutes=minutes)
            there.at(
                10.0,
                name,
                lambda start=start: there.calendar.reschedule(
                    there.said["book"].booking.uid, start, "", deadline=there.soon()
                ),
            )

    found = together(moved_twice)
    assert {len(each.live()) for each in found} == {1, 2}
    double = next(each for each in found if len(each.live()) == 2)
    (old,) = {each.rescheduled_from for each in double.calendar.accepted()}
    assert old == double.said["book"].booking.uid
    assert double.saw["two live bookings after two moves"] == 1


def test_a_read_lags_behind_a_write_and_a_booking_nobody_sees_cannot_be_cancelled() -> None:
    there = There(replace(QUIET, lag=1.0, lag_s=60.0))
    there.at(0.0, "book", lambda: there.book(SHORT))
    uid = lambda: there.said["book"].booking.uid  # noqa: E731
    there.at(1.2, "read", lambda: there.calendar.booking(uid(), deadline=there.soon()))
    there.at(1.2, "cancel", lambda: there.calendar.cancel(uid(), "", deadline=there.soon()))
    there.at(90.0, "again", lambda: there.calendar.booking(uid(), deadline=there.soon()))
    there.run()

    assert isinstance(there.said["read"], NotThere)
    assert isinstance(there.said["cancel"], NotThere)
    assert there.said["again"].status == "accepted"


def test_what_was_given_up_is_carried_out_later() -> None:
    there = There(replace(QUIET, calcom={"late": 1.0}, late_s=240.0))
    there.at(0.0, "book", lambda: there.book(SHORT))
    there.run(4.0)
    assert isinstance(there.said["book"], Unclear)
    assert there.live() == []

    there = There(replace(QUIET, calcom={"late": 1.0}, late_s=240.0))
    there.at(0.0, "book", lambda: there.book(SHORT))
    there.run(300.0)
    assert there.live() == [TEN]
    assert there.told == ["BOOKING_CREATED"]


def test_nobody_waits_beyond_the_deadline_and_what_was_sent_is_done() -> None:
    there = There()
    there.at(0.0, "book", lambda: there.book(SHORT, seconds=0.1))
    there.at(0.1001, "waited", lambda: "book" in there.said)
    there.run()
    assert isinstance(there.said["book"], Unclear)
    assert there.said["waited"]
    assert there.live() == [TEN]


def test_a_list_of_free_starts_is_two_seconds_old_at_most() -> None:
    there = There()
    there.calendar.starts[SHORT] = [TEN]
    window = Slot(TEN, TEN + timedelta(hours=1))

    def free() -> int:
        return len(there.calendar.free_starts({"fabian": SHORT}, window, deadline=there.soon())["fabian"].starts)

    there.at(0.0, "before", free)
    there.at(0.4, "book", lambda: there.book(LONG))
    there.at(1.4, "old", free)
    there.at(4.0, "new", free)
    there.run()
    assert (there.said["before"], there.said["old"], there.said["new"]) == (1, 1, 0)
    assert isinstance(there.said["book"], Answered)
