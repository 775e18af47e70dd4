"""What could not be had, remembered: one look that finds nothing proves nothing, since Cal.com's reads lag."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from bookend.application.patience import AGAIN
from bookend.application.ports import Run, Strike
from bookend.domain.drift import Drift

UNREADABLE_FOR = timedelta(hours=36)
"""After so long, on three nights in a row, a booking of ours that cannot be read is put before a person."""
MOST_STRIKES = 100
"""As many are remembered; the others are missed for the first time again in a later run."""


def struck(run: Run, drift: Drift, uid: str, now: datetime) -> tuple[Run, timedelta]:
    """The run with one more look that found nothing, and how long ago the first one in a row was."""
    name = _name(drift, uid)
    known = run.strikes.get(name)
    first = known.first if known is not None else now
    if known is not None or len(run.strikes) < MOST_STRIKES:
        run = replace(run, strikes={**run.strikes, name: Strike(first, now)})
    return run, now - first


def missed_once(run: Run) -> dict[str, datetime]:
    """Uids of which Cal.com has said in this run that there is no such booking, and when; a second look is wanted."""
    prefix = _name(Drift.GHOST_HERE, "")
    return {
        name.removeprefix(prefix): each.first
        for name, each in run.strikes.items()
        if name.startswith(prefix) and each.last >= run.started and each.last - each.first < AGAIN
    }


def forgotten(run: Run, uid: str) -> Run:
    """The second look did not miss it: then the first one proves nothing."""
    name = _name(Drift.GHOST_HERE, uid)
    return replace(run, strikes={key: each for key, each in run.strikes.items() if key != name})


def of_this_run(run: Run) -> dict[str, Strike]:
    """What the next run should know: what was there again is no longer missed in a row."""
    return {name: each for name, each in run.strikes.items() if each.last >= run.started}


def _name(drift: Drift, uid: str) -> str:
    return f"{drift.value}-{uid}"
