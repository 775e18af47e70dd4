"""What could not be had, or not be finished, remembered from one run to the next.

One look that finds nothing proves nothing, since Cal.com's reads lag. And a poll sees what changed since the last one:
what that one left would be out of its sight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from bookend.application.patience import AGAIN
from bookend.application.ports import Run, Strike
from bookend.domain.drift import Drift

UNREADABLE_FOR = timedelta(hours=36)
"""After so long, on three nights in a row, a booking of ours that cannot be read is put before a person."""
LEFT_FOR = timedelta(hours=24)
"""So long polls look again at what they could not finish. A night lies within it: then it is left to the full run."""
MOST_STRIKES = 250
"""As many are remembered; the others are missed for the first time again in a later run."""
_TOLD_AFTER = {Drift.GHOST_HERE: AGAIN, Drift.UNREADABLE: UNREADABLE_FOR}


def struck(run: Run, drift: Drift, uid: str, now: datetime) -> tuple[Run, timedelta]:
    """The run with one more look that found nothing, and how long ago the first one in a row was."""
    name = _name(drift, uid)
    known = run.strikes.get(name)
    first = known.first if known is not None else now
    strikes = run.strikes if known is not None else _with_room(run.strikes)
    if known is not None or len(strikes) < MOST_STRIKES:
        run = replace(run, strikes={**strikes, name: Strike(first, now)})
    return run, now - first


def _with_room(strikes: Mapping[str, Strike]) -> Mapping[str, Strike]:
    """Where there is no room, one that a person was told of makes some, or the others would never be told of.

    The one looked at last: the run at hand does not come to it again.
    """
    told = [(each.last, name) for name, each in strikes.items() if each.last - each.first >= _told_after(name)]
    if len(strikes) < MOST_STRIKES or not told:
        return strikes
    _, gone = max(told)
    return {name: each for name, each in strikes.items() if name != gone}


def _told_after(name: str) -> timedelta:
    return _TOLD_AFTER.get(Drift(name.partition("-")[0]), timedelta.max)


def missed_once(run: Run) -> dict[str, datetime]:
    """Uids of which Cal.com has said in this run that there is no such booking, and when; a second look is wanted."""
    return {
        uid: each.first
        for uid, each in _of(run, Drift.GHOST_HERE).items()
        if each.last >= run.started and each.last - each.first < AGAIN
    }


def left(run: Run) -> dict[str, Strike]:
    """Uids that polls have come to no end with."""
    return _of(run, Drift.LEFT)


def left_before(run: Run) -> list[str]:
    """Those of them that this poll has not looked at."""
    return [uid for uid, each in left(run).items() if each.last < run.started]


def forgotten(run: Run, drift: Drift, uid: str) -> Run:
    """There is nothing more to look for: a second look did not miss it, a later one finished it."""
    name = _name(drift, uid)
    return replace(run, strikes={key: each for key, each in run.strikes.items() if key != name})


def of_this_run(run: Run) -> dict[str, Strike]:
    """What the next run should know: what was there again is no longer missed in a row."""
    return {name: each for name, each in run.strikes.items() if each.last >= run.started}


def _of(run: Run, drift: Drift) -> dict[str, Strike]:
    prefix = _name(drift, "")
    return {name.removeprefix(prefix): each for name, each in run.strikes.items() if name.startswith(prefix)}


def _name(drift: Drift, uid: str) -> str:
    return f"{drift.value}-{uid}"
