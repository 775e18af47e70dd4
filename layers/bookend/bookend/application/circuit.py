"""Cal.com behind the circuit breaker: who asks it, what counts against it, and how it is tried again."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from bookend.application import alerts as alert
from bookend.application.deadline import Deadline
from bookend.application.ports import (
    Alerts,
    BookingRequest,
    Calendar,
    CalendarTrouble,
    CancelAnswer,
    Circuit,
    Clock,
    FreeStarts,
    Ids,
    ListQuery,
    Page,
    StoreUnavailable,
)
from bookend.domain.answers import Booking, CreateAnswer, NotSent, Unclear
from bookend.domain.circuit import Breaker, CircuitKind, CircuitState
from bookend.domain.timeslot import Slot, instant_text

_COUNT_S = 0.3
"""Seconds that noting a failure may take. The request has used up its own time by then, so this is a little more."""
_PROBE_S = 5.0
"""Seconds Cal.com has to answer a probe: well within the time the prober has the breaker for."""
_NOBODYS_UID = "bookend-probe-no-such-booking"
"""No uid of Cal.com's looks like this."""
_PROBE_REASON = "probe"
_NO_ANSWER = "no clear answer"
_OUR_WORD = re.compile(r"HTTP [0-9]{3}(?= |$)|[A-Za-z]{3,40}$")
"""The status, or the name of an exception: how the details of unclear answers begin."""
_T = TypeVar("_T")


class GuardedCalendar:
    """The `Calendar` port around another one, which nothing is asked while the breaker is open.

    Then the answer is NotSent with the seconds until the next probe. Only silence counts as a failure: an Unclear
    answer, or no connection at all (Cal.com cannot be reached). Whatever Cal.com itself said is an answer: a refusal,
    a rejected key, a rate limit, even a success that we cannot read. What never left for a reason of ours says nothing
    of Cal.com. The breakers are shared and a store that is away opens none: then everything is asked.
    """

    def __init__(self, calendar: Calendar, circuit: Circuit, *, alerts: Alerts, clock: Clock) -> None:
        self._calendar = calendar
        self._circuit = circuit
        self._alerts = alerts
        self._clock = clock

    def free_starts(
        self,
        event_types: Mapping[str, int],
        window: Slot,
        *,
        deadline: Deadline,
        moving: Mapping[str, str] | None = None,
    ) -> Mapping[str, FreeStarts | CalendarTrouble]:
        """One question, however many stylists it names: it has failed if Cal.com told of none of them."""
        if (shut := self._shut(CircuitKind.READS, deadline)) is not None:
            return dict.fromkeys(event_types, shut)
        answers = self._calendar.free_starts(event_types, window, deadline=deadline, moving=moving)
        troubles = [silence(each) for each in answers.values()]
        if troubles and all(troubles):
            self._count(CircuitKind.READS, troubles[0] or _NO_ANSWER)
        return answers

    def book(self, request: BookingRequest, *, deadline: Deadline) -> CreateAnswer:
        return self._ask(CircuitKind.WRITES, deadline, lambda: self._calendar.book(request, deadline=deadline))

    def book_all(self, requests: Sequence[BookingRequest], *, deadline: Deadline) -> tuple[CreateAnswer, ...]:
        """As many requests, so each that gets no answer counts."""
        return self._ask_all(len(requests), deadline, lambda: self._calendar.book_all(requests, deadline=deadline))

    def reschedule(self, uid: str, start: datetime, reason: str, *, deadline: Deadline) -> CreateAnswer:
        return self._ask(
            CircuitKind.WRITES, deadline, lambda: self._calendar.reschedule(uid, start, reason, deadline=deadline)
        )

    def reschedule_all(
        self, moves: Sequence[tuple[str, datetime]], reason: str, *, deadline: Deadline
    ) -> tuple[CreateAnswer, ...]:
        """As many requests, so each that gets no answer counts."""
        return self._ask_all(
            len(moves), deadline, lambda: self._calendar.reschedule_all(moves, reason, deadline=deadline)
        )

    def cancel(self, uid: str, reason: str, *, deadline: Deadline) -> CancelAnswer:
        return self._ask(CircuitKind.WRITES, deadline, lambda: self._calendar.cancel(uid, reason, deadline=deadline))

    def cancel_all(self, uids: Sequence[str], reason: str, *, deadline: Deadline) -> tuple[CancelAnswer, ...]:
        """As many requests, so each that gets no answer counts."""
        return self._ask_all(len(uids), deadline, lambda: self._calendar.cancel_all(uids, reason, deadline=deadline))

    def booking(self, uid: str, *, deadline: Deadline) -> Booking | CalendarTrouble:
        return self._ask(CircuitKind.READS, deadline, lambda: self._calendar.booking(uid, deadline=deadline))

    def find(self, email: str, window: Slot, *, deadline: Deadline) -> tuple[Booking, ...] | CalendarTrouble:
        return self._ask(CircuitKind.READS, deadline, lambda: self._calendar.find(email, window, deadline=deadline))

    def page(self, query: ListQuery, *, skip: int, deadline: Deadline) -> Page | CalendarTrouble:
        return self._ask(CircuitKind.READS, deadline, lambda: self._calendar.page(query, skip=skip, deadline=deadline))

    def headroom(self) -> int | None:
        return self._calendar.headroom()

    def _ask(self, kind: CircuitKind, deadline: Deadline, ask: Callable[[], _T]) -> _T | NotSent:
        if (shut := self._shut(kind, deadline)) is not None:
            return shut
        answer = ask()
        if (trouble := silence(answer)) is not None:
            self._count(kind, trouble)
        return answer

    def _ask_all(self, number: int, deadline: Deadline, ask: Callable[[], tuple[_T, ...]]) -> tuple[_T | NotSent, ...]:
        if (shut := self._shut(CircuitKind.WRITES, deadline)) is not None:
            return (shut,) * number
        answers = ask()
        for trouble in (silence(each) for each in answers):
            if trouble is not None:
                self._count(CircuitKind.WRITES, trouble)
        return answers

    def _shut(self, kind: CircuitKind, deadline: Deadline) -> NotSent | None:
        wait_s = self._circuit.known(kind, deadline=deadline).wait_s(self._clock.now())
        return None if wait_s is None else NotSent("circuit open", retry_after_s=wait_s)

    def _count(self, kind: CircuitKind, trouble: str) -> None:
        """Whoever's failure opens the breaker says so. A failure that cannot be noted is none: others note theirs."""
        try:
            turned = self._circuit.turn(
                kind,
                lambda breaker: breaker.failed(trouble, self._clock.now()),
                deadline=Deadline.within(_COUNT_S, self._clock),
            )
        except StoreUnavailable:
            return
        if turned is not None and turned.after.state is CircuitState.OPEN:
            self._alerts.raise_(alert.circuit_opened(kind, turned.after))


def silence(answer: Any) -> str | None:
    """Our word for an answer that counts against Cal.com; None for one that does not."""
    match answer:
        case Unclear(detail, answered=False):
            return word.group() if (word := _OUR_WORD.match(detail)) is not None else _NO_ANSWER
        case NotSent(unreachable=True):
            return "no connection"
        case _:
            return None


@dataclass(frozen=True, slots=True)
class Probed:
    """A probe that was made, and what the breaker has become; `trouble` in our word, None: Cal.com has answered."""

    kind: CircuitKind
    trouble: str | None
    breaker: Breaker


def probe_due(
    circuit: Circuit, calendar: Callable[[], Calendar], *, alerts: Alerts, clock: Clock, ids: Ids, deadline: Deadline
) -> tuple[Probed, ...]:
    """Try each breaker whose probe is due, with one request to Cal.com and only if no other prober has it.

    `calendar` gives the one without a breaker around it. One that breaks here keeps neither the other from its probe
    nor the round from its work.
    """
    try:
        due = [kind for kind, breaker in circuit.read().items() if breaker.is_due(clock.now())]
    except StoreUnavailable:
        return ()  # a table that is away keeps nobody from Cal.com, and the next round comes
    made = []
    for kind in due:
        try:
            made.append(_probe(kind, circuit, calendar, clock=clock, prober=ids.new(), deadline=deadline))
        except StoreUnavailable:
            continue  # a claim that nothing follows ends by itself
        except Exception as error:  # noqa: BLE001 - whatever it is, the sweep itself goes on
            alerts.raise_(alert.job_failed("probe", kind.value, error))
    return tuple(each for each in made if each is not None)


def _probe(
    kind: CircuitKind,
    circuit: Circuit,
    calendar: Callable[[], Calendar],
    *,
    clock: Clock,
    prober: str,
    deadline: Deadline,
) -> Probed | None:
    """Claim it, ask once, write down what came of it. None: another prober has it, or was given it meanwhile."""
    if circuit.turn(kind, lambda breaker: breaker.claimed(prober, clock.now()), deadline=deadline) is None:
        return None
    trouble = silence(_harmless(kind, calendar(), clock.now(), deadline.share(_PROBE_S)))
    ended = circuit.turn(kind, lambda breaker: breaker.probed(prober, trouble, clock.now()), deadline=deadline)
    return Probed(kind, trouble, ended.after) if ended is not None else None


def _harmless(kind: CircuitKind, calendar: Calendar, now: datetime, deadline: Deadline) -> object:
    """A request that changes nothing: a list of one minute; or cancelling a booking that cannot exist, a sure 404."""
    if kind is CircuitKind.READS:
        window = Slot(now, now + timedelta(minutes=1))
        return calendar.page(ListQuery(window=window), skip=0, deadline=deadline)
    return calendar.cancel(_NOBODYS_UID, _PROBE_REASON, deadline=deadline)


def state_of(breaker: Breaker) -> dict[str, str | int | None]:
    """A breaker for people and health data: words, counts and instants in UTC."""
    last = breaker.last
    return {
        "state": breaker.state.value,
        "failures": breaker.failures,
        "since": instant_text(breaker.since) if breaker.since is not None else None,
        "last_failure": f"{instant_text(last.at)} {last.why}" if last is not None else None,
        "next_probe": instant_text(breaker.until) if breaker.until is not None else None,
    }
