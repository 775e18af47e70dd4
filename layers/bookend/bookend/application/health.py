"""How a salon is: put together for people (`sync_health`), and as a few numbers for alarms (`pulse`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bookend.application.deadline import Deadline
from bookend.application.ports import Circuit, Clock, Tenants, TenantUnusable
from bookend.application.ports.cases import Cases
from bookend.application.ports.health import HealthRecords
from bookend.domain.circuit import Breaker, CircuitKind, CircuitState
from bookend.domain.health import Backlog, Seen, ages_of, owed_of
from bookend.domain.health_rules import Health, Reason, judged


@dataclass(frozen=True, slots=True)
class SyncHealth:
    """How both sides of one tenant are, why it is no better, and what that rests on."""

    status: Health
    reasons: Sequence[Reason]
    seen: Seen


class UnknownTenant(Exception):
    """There is no tenant of this id."""


def sync_health(
    names: Sequence[str],
    *,
    tenants: Tenants,
    records: HealthRecords,
    cases: Cases,
    circuit: Circuit,
    clock: Clock,
) -> Sequence[SyncHealth]:
    """The health of these tenants. What belongs to all of them is read once.

    Raises:
        UnknownTenant: there is none of a name.
        StoreUnavailable: the store does not answer, so nothing can be said.
    """
    unfinished, breakers = records.unfinished(), circuit.read()
    found = []
    for name in names:
        usable = _is_usable(name, tenants)
        seen = records.seen(name, unfinished, now=clock.now())
        whole = _whole(seen, usable=usable, cases=cases, breakers=breakers)
        found.append(SyncHealth(*judged(whole), whole))
    return found


def _whole(seen: Seen, *, usable: bool, cases: Cases, breakers: Mapping[CircuitKind, Breaker]) -> Seen:
    """With what comes from elsewhere. Nobody is owed a message that only confirms what they have heard."""
    unclosed = tuple(cases.unclosed(seen.tenant))
    return replace(seen, usable=usable, cases=unclosed, breakers=breakers, texts=owed_of(seen.texts))


def _is_usable(name: str, tenants: Tenants) -> bool:
    try:
        known = tenants.of_id(name)
    except TenantUnusable:
        return False
    if known is None:
        raise UnknownTenant(name)
    return True


@dataclass(frozen=True, slots=True)
class Pulse:
    """What waits, over all tenants, as numbers. Ages are those of the oldest, in seconds; 0 where nothing waits."""

    open_operations: int
    oldest_open_s: float
    oldest_text_s: float
    oldest_event_s: float
    left_alone_s: float
    """How long Cal.com has been left alone by now, of the breaker that is open for longest."""

    def numbers(self) -> Mapping[str, float]:
        """By the name of the metric each is."""
        return {
            "OpenOperations": self.open_operations,
            "OldestOpenSeconds": self.oldest_open_s,
            "OldestTextSeconds": self.oldest_text_s,
            "OldestEventSeconds": self.oldest_event_s,
            "LeftAloneSeconds": self.left_alone_s,
        }


def pulse(*, records: HealthRecords, circuit: Circuit, clock: Clock) -> Pulse:
    """How it is right now. Cheap enough for every minute: an index, and what it names.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    unfinished = records.unfinished()
    backlogs = records.backlogs(unfinished)
    now = clock.now()
    late = [each for each in backlogs.operations.looked_at if each.kept_until is None or each.kept_until <= now]
    return Pulse(
        open_operations=backlogs.operations.number,
        oldest_open_s=_oldest_s(Backlog(len(late), late), now),
        oldest_text_s=_oldest_s(backlogs.texts, now),
        oldest_event_s=_oldest_s(backlogs.events, now),
        left_alone_s=max(
            (
                (now - (breaker.since or now)).total_seconds()
                for breaker in circuit.read().values()
                if breaker.state is not CircuitState.CLOSED
            ),
            default=0.0,
        ),
    )


def _oldest_s(backlog: Backlog, now: datetime) -> float:
    oldest = ages_of(backlog, now).oldest
    return 0.0 if oldest is None else max(0.0, oldest.total_seconds())


def every_status(
    *,
    tenants: Tenants,
    records: HealthRecords,
    cases: Cases,
    circuit: Circuit,
    clock: Clock,
    deadline: Deadline,
) -> Sequence[Health]:
    """For the metric: the status of each tenant, whichever it is, as far as there is time.

    Raises:
        StoreUnavailable: the store does not answer.
    """
    unfinished, breakers = records.unfinished(), circuit.read()
    found = []
    for name in tenants.every():
        if deadline.remaining() <= 0:
            break
        try:
            usable = _is_usable(name, tenants)
        except UnknownTenant:
            continue  # loaded at this moment, or taken out by hand: nobody is served by that name
        seen = records.seen(name, unfinished, now=clock.now())
        whole = _whole(seen, usable=usable, cases=cases, breakers=breakers)
        found.append(judged(whole)[0])
    return found
