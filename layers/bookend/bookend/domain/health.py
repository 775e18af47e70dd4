"""How well both sides agree: what is counted as appointments change, and what is seen of a salon at a moment.

The counters of an hour say what operations came to; everything else is what waits right now. What that means is
`health_rules`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bookend.domain.answers import Refusal
from bookend.domain.appointment import Appointment, AppointmentState, ChangeEnd, ChangeWhy, Told
from bookend.domain.cases import Case, CaseState, SyncFailure
from bookend.domain.circuit import Breaker, CircuitKind
from bookend.domain.timeslot import parse_instant

FAILED = "failed_"
"""With the class of the failure behind it: an operation that came to nothing, though nobody had said no."""
REFUSED = "refused"
"""An operation that Cal.com or the salon's rules clearly said no to: both sides agree, and nothing is wrong."""
DONE = ("confirmed", "moved", "cancelled")
"""Operations that came to what was wished."""

_SAID_NO = frozenset(
    {"taken", Refusal.HOST_BUSY, Refusal.CONFLICT, Refusal.PAST, Refusal.OUT_OF_BOUNDS, Refusal.LIMIT}
    | {Refusal.NOT_ALLOWED, ChangeWhy.POLICY, ChangeWhy.CHANGED_THERE, ChangeWhy.CANCELLED_THERE}
)
_CLASSES: Mapping[str, SyncFailure] = {
    "existing": SyncFailure.DOUBLE_BOOKING,
    "not_found": SyncFailure.NOT_FOUND,
    Refusal.GONE: SyncFailure.NOT_FOUND,
    "not_sent": SyncFailure.TEMPORARY,
    "temporary": SyncFailure.TEMPORARY,
    "never_arrived": SyncFailure.TEMPORARY,
    ChangeWhy.TOO_LATE: SyncFailure.TEMPORARY,
    "over": SyncFailure.PAST_APPOINTMENT,
    "apart": SyncFailure.COMPOSITE_FAILURE,
}
"""By the word that an operation which came to nothing is on record with; any other is OTHER."""


def tallied(before: Appointment | None, after: Appointment | None) -> Mapping[str, int]:
    """What one change of an appointment adds to the counters of its hour; nothing where it says nothing of health."""
    if after is None:
        return {}
    found = Counter(_began(after) if before is None else _stepped(before, after))
    if _is_open_to(after) and not (before is not None and _is_open_to(before)):
        found["opened"] += 1
    return dict(found)


def failure_class(why: str, *, parts: int) -> SyncFailure | None:
    """Which class an operation that came to nothing is of; None: it was clearly refused, and nothing is wrong."""
    if why in _SAID_NO:
        return None
    if parts > 1 and why not in _CLASSES:
        return SyncFailure.COMPOSITE_FAILURE
    return _CLASSES.get(why, SyncFailure.OTHER)


def _began(after: Appointment) -> list[str]:
    match after.state:
        case AppointmentState.PENDING:
            return ["started"]
        case AppointmentState.CONFIRMED:
            return ["taken_in", *(["claimed"] if after.verified_at is None else [])]
        case _:
            return []


def _stepped(before: Appointment, after: Appointment) -> list[str]:
    state = AppointmentState
    match before.state, after.state:
        case state.PENDING, state.CONFIRMED:
            return ["confirmed"]
        case state.PENDING, state.COMPENSATING:
            return ["undone"]
        case ((state.PENDING | state.COMPENSATING), state.FAILED):
            return ["released", *_came_to_nothing(after.why or "", after)]
        case state.CONFIRMED, (state.MOVING | state.CANCELLING):
            return ["begun"]
        case ((state.MOVING | state.CANCELLING), _) if after.state is not before.state:
            return _change_ended(before, after)
        case state.CONFIRMED, state.CANCELLED:
            return ["ended_there"]
        case state.CONFIRMED, state.CONFIRMED if before.segments != after.segments and before.slot != after.slot:
            return ["followed"]
        case _:
            return []


def _change_ended(before: Appointment, after: Appointment) -> list[str]:
    moving = before.state is AppointmentState.MOVING
    ended = after.last_change
    if ended is not None and ended.end is ChangeEnd.DONE:
        return ["moved" if moving else "cancelled"]
    if after.state is AppointmentState.CANCELLED:
        return ["ended_there"]
    why = ended.why if ended is not None else ""
    return ["not_moved" if moving else "not_cancelled", *_came_to_nothing(why, after)]


def _came_to_nothing(why: str, after: Appointment) -> list[str]:
    if why == ChangeWhy.CANCELLED_THERE:
        return []  # others ended it: neither done nor failed
    failed = failure_class(why, parts=len(after.segments))
    return [REFUSED if failed is None else f"{FAILED}{failed.value}"]


def _is_open_to(appointment: Appointment) -> bool:
    """Whether its caller was told that it is open, and waits."""
    told = appointment.change.told if appointment.change is not None else appointment.told
    waits = appointment.state not in {AppointmentState.FAILED, AppointmentState.CANCELLED, AppointmentState.CONFIRMED}
    return waits and told is Told.PENDING


BUCKETS = (timedelta(minutes=5), timedelta(hours=1), timedelta(hours=24), timedelta(days=7))
"""Ages are counted up to each of these, and beyond the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """One thing that waits. `begins`: of the appointment it is about, if it is about one. `what`: a word of ours."""

    name: str
    since: datetime
    what: str = ""
    begins: datetime | None = None
    told: bool = False
    """Its caller has heard *noch offen*."""
    owed: bool = True
    """Of a message: its caller does not know it. Else they have heard it, and it confirms or is never sent."""
    kept_until: datetime | None = None
    """A wish that its caller agreed to have tried until then: until then it is not late."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits of one kind; `number` may be more than those that were looked at."""

    number: int = 0
    looked_at: Sequence[Waits] = ()


def owed_of(backlog: Backlog) -> Backlog:
    """Without messages that only confirm."""
    owed = [each for each in backlog.looked_at if each.owed]
    return Backlog(backlog.number - len(backlog.looked_at) + len(owed), owed)


@dataclass(frozen=True, slots=True)
class Ages:
    """`number` things, the oldest of them `oldest` old, and how many are of which age (`BUCKETS`, then beyond)."""

    number: int
    oldest: timedelta | None
    buckets: tuple[int, ...]


def ages_of(backlog: Backlog, now: datetime) -> Ages:
    """How long each has waited; what was not looked at is in the number alone."""
    old = [now - each.since for each in backlog.looked_at]
    return Ages(backlog.number, max(old, default=None), buckets_of(old))


def buckets_of(old: Iterable[timedelta]) -> tuple[int, ...]:
    """How many are within each of `BUCKETS`, and how many beyond the last."""
    places = [sum(age >= bound for bound in BUCKETS) for age in old]
    return tuple(places.count(place) for place in range(len(BUCKETS) + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class LastRun:
    """How the reconciliations of one kind are: `seen_until` of the last that ended; `found` in those of a day.

    `ended_by`: the last one had ended at this instant, perhaps earlier. What a limited one has left is found again from
    further back, so of how often they come its `seen_until` says nothing.
    """

    kind: str
    seen_until: datetime | None = None
    ended_by: datetime | None = None
    limited: bool = False
    """It left something undone that a person must decide."""
    under_way_since: datetime | None = None
    found: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Everything that the health of one tenant is judged by, as of `at`. `counters` are those of a day."""

    tenant: str
    at: datetime
    usable: bool = True
    """Whether its document can be read."""
    counters: Mapping[str, int] = field(default_factory=dict)
    operations: Backlog = field(default_factory=Backlog)
    texts: Backlog = field(default_factory=Backlog)
    events: Backlog = field(default_factory=Backlog)
    callbacks: Backlog = field(default_factory=Backlog)
    cases: Sequence[Case] = ()
    alerts: Sequence[tuple[str, datetime]] = ()
    """Kind and instant of those of a day."""
    breakers: Mapping[CircuitKind, Breaker] = field(default_factory=dict)
    runs: Sequence[LastRun] = ()

    def rate(self) -> float | None:
        """Of the operations of a day that ended, but for a clear no, how many are done; None: there are none."""
        done, failed = self.done(), self.failed()
        return done / (done + failed) if done + failed else None

    def done(self) -> int:
        """Operations of a day that came to what was wished."""
        return sum(self.counters.get(name, 0) for name in DONE)

    def failed(self) -> int:
        """Operations of a day that came to nothing, though nobody had said no."""
        return sum(self.failures().values())

    def failures(self) -> dict[SyncFailure, int]:
        """The same by class, the most frequent first."""
        found = {each: self.counters.get(f"{FAILED}{each.value}", 0) for each in SyncFailure}
        return {each: found[each] for each in sorted(found, key=lambda each: -found[each]) if found[each]}

    def unclosed(self, state: CaseState, *, past: bool) -> list[Case]:
        """The cases in this state; without those whose appointment has begun, unless `past`."""
        return [each for each in self.cases if each.state is state and (past or not is_past(each, self.at))]

    def late(self) -> list[Waits]:
        """Operations that are nobody's wish to wait for: all that are open but those kept for later."""
        found = self.operations.looked_at
        return [each for each in found if each.kept_until is None or each.kept_until <= self.at]


def is_past(case: Case, now: datetime) -> bool:
    """Whether the appointment it is about has begun."""
    if case.failure is SyncFailure.PAST_APPOINTMENT:
        return True
    try:
        return parse_instant(case.facts["start"]) < now
    except (KeyError, ValueError):
        return False
