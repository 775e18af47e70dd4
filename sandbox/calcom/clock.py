"""Clocks for the stand-in: callables that return an aware UTC datetime."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path


def file_clock(path: Path) -> Callable[[], datetime]:
    """Real time plus the seconds written in `path` (a float as text; absent or empty = 0), read at every look."""

    def now() -> datetime:
        try:
            offset = float(path.read_text() or 0)
        except (OSError, ValueError):
            offset = 0.0
        return datetime.now(UTC) + timedelta(seconds=offset)

    return now


class ManualClock:
    """Stands still until it is set or moved."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def move(self, **delta: float) -> None:
        self.at += timedelta(**delta)
