"""When a salon is HEALTHY, DEGRADED or CRITICAL: every rule, and every number in it, stands here and nowhere else.

docs/runbook.md says what to do about each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from bookend.domain.cases import CaseState
from bookend.domain.circuit import CircuitState
from bookend.domain.health import Backlog, LastRun, Seen, ages_of


class Health(IntEnum):
    """How a salon's both sides are; the number is the exit status of the command and the value of the metric."""

    HEALTHY = 0
    DEGRADED = 1
    """Something waits for a person, or for longer than it should; callers are served."""
    CRITICAL = 2
    """Callers are not served, or were told something that nothing makes true."""


LATE, STUCK = timedelta(minutes=5), timedelta(minutes=15)
"""An operation settles within about four minutes of Cal.com's answering; after a quarter of an hour it is stuck."""
LEAST_ENDED = 10
"""Of fewer operations in a day a rate says nothing."""
GOOD_RATE, BAD_RATE = 0.95, 0.80
POLL_LATE, POLL_SILENT = timedelta(minutes=12), timedelta(minutes=20)
"""It comes every five minutes, and takes a few."""
FULL_LATE, FULL_SILENT = timedelta(hours=27), timedelta(hours=51)
"""One night missed, and two: with room for the run itself and for a change of clocks."""
LEFT_ALONE = timedelta(minutes=5)
"""So long without Cal.com is more than a hiccup."""
TEXT_LATE, TEXT_STUCK = timedelta(minutes=5), timedelta(minutes=30)
"""Callers were promised their message "in wenigen Minuten"."""
EVENT_LATE = timedelta(minutes=15)
CALLBACK_LATE = timedelta(hours=24)
MANY_CASES = 10
KEY_ALERT_LASTS = timedelta(hours=1)
"""So often the alert is repeated while Cal.com rejects our key."""
_KEY_REJECTED = "CalcomRejectedOurKey"
SETTLES_ITSELF = frozenset({"OutcomeUnknown"})
"""Alerts about what ends by itself; while it has not, the operation is in the backlog."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why it is not HEALTHY, in words for an engineer."""

    level: Health
    says: str


def judged(seen: Seen) -> tuple[Health, tuple[Reason, ...]]:
    """The health of a tenant, and every reason why it is no better, the worst first.

    Cases of appointments that have begun count for nothing here: nobody can book them any more.
    """
    found = [reason for rule in _RULES for reason in rule(seen)]
    found.sort(key=lambda each: -each.level)
    return max((each.level for each in found), default=Health.HEALTHY), tuple(found)


def _graded(says: str, value: float, degraded: float, critical: float) -> list[Reason]:
    """DEGRADED from the first bound on, CRITICAL from the second one on."""
    if value < degraded:
        return []
    return [Reason(Health.CRITICAL if value >= critical else Health.DEGRADED, says)]


def _document(seen: Seen) -> list[Reason]:
    return [] if seen.usable else [Reason(Health.CRITICAL, "the salon's document cannot be used: nobody is served")]


def _breakers(seen: Seen) -> list[Reason]:
    found = []
    for kind, breaker in seen.breakers.items():
        if breaker.state is not CircuitState.CLOSED:
            old = seen.at - (breaker.since or seen.at)
            level = Health.CRITICAL if old >= LEFT_ALONE else Health.DEGRADED
            found.append(Reason(level, f"Cal.com is left alone ({kind.value}) for {spoken(old)}"))
    return found


def _key(seen: Seen) -> list[Reason]:
    newest = max((at for kind, at in seen.alerts if kind == _KEY_REJECTED), default=None)
    if newest is None or seen.at - newest > KEY_ALERT_LASTS:
        return []
    return [Reason(Health.CRITICAL, f"Cal.com rejects our key, last {spoken(seen.at - newest)} ago")]


def _operations(seen: Seen) -> list[Reason]:
    late = seen.late()
    if not late:
        return []
    oldest = max(seen.at - each.since for each in late)
    not_looked_at = seen.operations.number - len(seen.operations.looked_at)
    says = f"{len(late) + not_looked_at} operations open, the oldest for {spoken(oldest)}"
    return _graded(says, oldest.total_seconds(), LATE.total_seconds(), STUCK.total_seconds())


def _rate(seen: Seen) -> list[Reason]:
    rate = seen.rate()
    if rate is None or seen.done() + seen.failed() < LEAST_ENDED or rate >= GOOD_RATE:
        return []
    level = Health.CRITICAL if rate < BAD_RATE else Health.DEGRADED
    return [Reason(level, f"only {rate:.1%} of the operations of 24 h were done")]


def _cases(seen: Seen) -> list[Reason]:
    review = len(seen.unclosed(CaseState.REVIEW, past=False))
    number = review + len(seen.unclosed(CaseState.OPEN, past=False))
    return _graded(f"{number} failed, {review} of them wait for a person", number, 1, MANY_CASES)


def _runs(seen: Seen) -> list[Reason]:
    found = []
    for run in seen.runs:
        late, silent = (POLL_LATE, POLL_SILENT) if run.kind == "poll" else (FULL_LATE, FULL_SILENT)
        if run.seen_until is None:
            found.append(Reason(Health.DEGRADED, _of_the_first(run, seen.at)))
            continue
        old = seen.at - run.seen_until
        says = f"the last reconciliation ({run.kind}) that ended began {spoken(old)} ago"
        if run.limited:
            old = seen.at - (run.ended_by or run.seen_until)
            says = f"the last reconciliation ({run.kind}) ended {spoken(old)} ago"
            left = f"the last reconciliation ({run.kind}) left something undone that a person must decide"
            found.append(Reason(Health.DEGRADED, left))
        found += _graded(says, old.total_seconds(), late.total_seconds(), silent.total_seconds())
    return found


def _of_the_first(run: LastRun, now: datetime) -> str:
    """A new salon's first full run begins within five minutes and takes in what is booked at Cal.com, bit by bit."""
    if run.under_way_since is None:
        return f"no reconciliation ({run.kind}) has ever come to its end: it begins by itself every five minutes"
    return (
        f"no reconciliation ({run.kind}) has ever come to its end: the first is under way for "
        f"{spoken(now - run.under_way_since)} and goes on every five minutes"
    )


def _texts(seen: Seen) -> list[Reason]:
    oldest = ages_of(seen.texts, seen.at).oldest or timedelta(0)
    says = f"{seen.texts.number} messages to callers are owed, the oldest for {spoken(oldest)}"
    return _graded(says, oldest.total_seconds(), TEXT_LATE.total_seconds(), TEXT_STUCK.total_seconds())


def _waits_too_long(what: str, backlog: Backlog, late: timedelta, now: datetime) -> list[Reason]:
    oldest = ages_of(backlog, now).oldest
    if oldest is None or oldest < late:
        return []
    return [Reason(Health.DEGRADED, f"{backlog.number} {what}, the oldest for {spoken(oldest)}")]


def _alerts(seen: Seen) -> list[Reason]:
    kinds = Counter(kind for kind, _ in seen.alerts if kind not in SETTLES_ITSELF)
    if not kinds:
        return []
    named = ", ".join(f"{kind} {times}" for kind, times in kinds.most_common())
    return [Reason(Health.DEGRADED, f"alerts of 24 h: {named}")]


_RULES: Sequence[Callable[[Seen], list[Reason]]] = (
    _document,
    _key,
    _breakers,
    _operations,
    _rate,
    _texts,
    _cases,
    _runs,
    lambda seen: _waits_too_long("events of Cal.com wait", seen.events, EVENT_LATE, seen.at),
    lambda seen: _waits_too_long("callers wait to be rung", seen.callbacks, CALLBACK_LATE, seen.at),
    _alerts,
)


def spoken(age: timedelta) -> str:
    """An age in its two largest units: `45 s`, `7 min`, `3 h 20 min`, `2 d 4 h`."""
    seconds = max(0, int(age.total_seconds()))
    days, hours, minutes = seconds // 86_400, seconds // 3_600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"
