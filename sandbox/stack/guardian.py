"""Ends sessions of processes; as a program, those of a parent that died.

Standard library only and no imports of ours: it runs by its path, isolated, and must start in milliseconds.
Input: lines "+<session>" and "-<session>". At end of input, which is the parent's death, what was not taken
back ends.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def session_members(session: int) -> list[int]:
    """The processes of the session that still run; those that ended and wait to be reaped do not count."""
    return [pid for pid in _running() if _session_of(pid) == session]


def end_session(session: int, seconds: float = 5.0) -> None:
    """Kill every process of the session and return when none runs."""
    give_up = time.monotonic() + seconds
    while members := session_members(session):
        for pid in members:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > give_up:
            return
        time.sleep(0.005)


def _running() -> list[int]:
    proc = Path("/proc")
    if not (proc / "self" / "stat").exists():
        listing = subprocess.run(["ps", "-axo", "pid=,stat="], capture_output=True, text=True, check=False).stdout
        rows = (line.split() for line in listing.splitlines())
        return [int(row[0]) for row in rows if len(row) == 2 and not row[1].startswith("Z")]
    running = []
    for entry in proc.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # "pid (name) state ...", and a name may hold anything.
                state = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
                if state not in "ZX":
                    running.append(int(entry.name))
    return running


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None


def main() -> None:
    """Read the parent's lines until it is gone, then end what it left."""
    sessions: set[int] = set()
    for line in sys.stdin:
        if line.startswith("+"):
            sessions.add(int(line[1:]))
        elif line.startswith("-"):
            sessions.discard(int(line[1:]))
    for session in sessions:
        end_session(session)


if __name__ == "__main__":
    main()
