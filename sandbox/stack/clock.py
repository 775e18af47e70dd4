"""The sandbox's clock: real UTC time plus an offset that a file holds.

A text file, because several processes must agree on the time and a replay must be able to move it while they
run. Standard library only and no imports of ours: function processes load this file by its path.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path


class SandboxClock:
    """Tells the sandbox's time when called; reads the file again when it was changed."""

    def __init__(self, file: str | Path) -> None:
        self._file = Path(file)
        self._seen: tuple[int, int] | None = None
        self._offset = timedelta()

    def __call__(self) -> datetime:
        """Now, as an aware UTC datetime."""
        status = self._file.stat()
        # The inode too: a file that was replaced within one tick of the file system's clock has another.
        seen = (status.st_mtime_ns, status.st_ino)
        if seen != self._seen:
            self._offset = timedelta(seconds=float(self._file.read_text(encoding="ascii")))
            self._seen = seen
        return datetime.now(UTC) + self._offset


def set_offset(file: str | Path, seconds: float) -> None:
    """Move the clock: `seconds` are added to real time. Replaces the file, so nobody reads half a number."""
    path = Path(file)
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(repr(float(seconds)), encoding="ascii")
    fresh.replace(path)


def set_time(file: str | Path, now: datetime) -> None:
    """Move the clock so that it is `now` (aware) at this moment; it runs on from there."""
    set_offset(file, (now - datetime.now(UTC)).total_seconds())
