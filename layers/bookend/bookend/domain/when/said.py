"""What one text says as a whole: its facts joined, or refused where they contradict each other."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from bookend.domain.when.facts import ClockTime, Day, Fact, FixedDay, Link, Moment, Part, Round, TimeRange
from bookend.domain.when.rules import facts_in
from bookend.domain.when.wish import NotUnderstood, TextKind
from bookend.domain.when.words import plain

_MAX_TEXT = 100  # characters; more is no date
_MISSING = frozenset(
    {"", "none", "null", "nil", "undefined", "n/a", "na", "-", "?", "unknown", "unbekannt"}
    | {"egal", "beliebig", "any", "anytime", "any time"}
)


@dataclass(frozen=True, slots=True)
class Said:
    """All that one text says."""

    days: tuple[Day, ...] = ()
    when: ClockTime | TimeRange | None = None
    parts: tuple[Part, ...] = ()
    round: Round | None = None
    moment: datetime | None = None  # the instant (UTC) that `days` and `when` were taken from


_NOTHING = Said()


def said_in(text: str | None, kind: TextKind, zone: ZoneInfo, *, day_known: bool) -> Said | NotUnderstood:
    """All that `text` says, nothing for a placeholder. `day_known`: the argument before it has named a day."""
    if text is None or "{{" in text:
        return _NOTHING
    if len(text) > _MAX_TEXT:
        return NotUnderstood(kind)
    levelled = plain(text)
    if levelled in _MISSING:
        return _NOTHING
    in_date = kind is TextKind.DATE
    facts = facts_in(levelled, in_date=in_date, day_known=day_known)
    if not facts:
        return NotUnderstood(kind)
    ranged = _ranged(facts)
    if ranged is None:
        return NotUnderstood(kind)
    try:
        said = _assemble(ranged, zone)
    except OverflowError:  # an instant at the end of the calendar
        return NotUnderstood(kind)
    if said is None:
        return NotUnderstood(TextKind.CONTRADICTION)
    if in_date and not said.days and _is_bare(said.when):
        return NotUnderstood(kind)
    return said


def _ranged(facts: list[Fact]) -> list[Fact] | None:
    """The facts with each link and the times beside it made one range, or None if a link is left over."""
    done: list[Fact] = []
    rest = facts
    while rest:
        match rest:
            case [
                Link.FROM,
                ClockTime() as after,
                Link.UNTIL | Link.TO | Link.DASH,
                ClockTime() as before,
                *rest,
            ]:
                done.append(TimeRange(after, before))
            case [Link.BETWEEN, ClockTime() as after, Link.AND | Link.DASH, ClockTime() as before, *rest]:
                done.append(TimeRange(after, before))
            case [ClockTime() as after, Link.UNTIL | Link.DASH, ClockTime() as before, *rest]:
                done.append(TimeRange(after, before))
            case [ClockTime(bare=False) as after, Link.TO, ClockTime() as before, *rest]:
                done.append(TimeRange(after, before))
            case [Link.FROM, ClockTime() as after, *rest]:
                done.append(TimeRange(after, None))
            case [Link.UNTIL | Link.BEFORE, ClockTime() as before, *rest]:
                done.append(TimeRange(None, before))
            case [Link.DASH, *rest]:
                pass
            case [Link(), *_]:
                return None
            case [fact, *rest]:
                done.append(fact)
    return done


def _assemble(facts: list[Fact], zone: ZoneInfo) -> Said | None:
    """The facts of one text as one saying, or None if it says two things about one matter."""
    days: list[Day] = []
    times: list[ClockTime | TimeRange] = []
    parts: list[Part] = []
    rounds: list[Round] = []
    moments: list[datetime] = []
    for fact in facts:
        match fact:
            case Moment(instant):
                local = instant.astimezone(zone)
                moments.append(instant)
                days.append(FixedDay(local.date()))
                times.append(ClockTime(local.hour, local.minute, local.second, certain=True))
            case ClockTime() | TimeRange():
                times.append(fact)
            case Part():
                parts.append(fact)
            case Round():
                rounds.append(fact)
            case Link():
                return None
            case _:
                days.append(fact)
    if max(len(times), len(rounds), len(moments)) > 1:
        return None
    return Said(
        tuple(days),
        times[0] if times else None,
        tuple(parts),
        rounds[0] if rounds else None,
        moments[0] if moments else None,
    )


def _is_bare(when: ClockTime | TimeRange | None) -> bool:
    match when:
        case ClockTime(bare=bare):
            return bare
        case TimeRange(after, before):
            return all(clock.bare for clock in (after, before) if clock is not None)
        case None:
            return False
