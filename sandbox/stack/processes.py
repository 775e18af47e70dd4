"""Child processes that never outlive the sandbox, and the free ports they listen on.

Each child leads a session of its own, and ends with everything in it: the runtime emulator puts its Python
into another process group, so a group would not be enough. If this process dies without a word (kill -9), the
guardian, a tiny process that holds the other end of a pipe, ends them. Linux's "die with parent" flag is not
used: it follows the thread that started the child, and request threads come and go.
"""

import atexit
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from sandbox.stack.guardian import end_session

_CHILDREN: set["Child"] = set()


class Child:
    """A running program, its session, and the file that takes what it prints."""

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path, append: bool = False
    ) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab" if append else "wb") as output:
            self._process = subprocess.Popen(
                command,
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.log = log
        self.pid = self._process.pid
        _GUARDIAN.watch(self.pid)
        _CHILDREN.add(self)

    def alive(self) -> bool:
        """Whether the program itself still runs."""
        return self._process.poll() is None

    def last_words(self, characters: int = 1500) -> str:
        """The end of the log, for an error message."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-characters:]

    def stop(self, grace: float = 0.0) -> None:
        """End the whole session; `grace` seconds are allowed for a polite exit. Safe to call twice."""
        if grace and self.alive():
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace)
        if self in _CHILDREN:
            # The leader is reaped last: until then its number, which names the session, cannot be given away.
            end_session(self.pid)
            self._process.wait()
            _CHILDREN.discard(self)
            _GUARDIAN.forget(self.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Guardian:
    """The pipe to the process that ends the children of a parent that was killed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def watch(self, session: int) -> None:
        self._say(f"+{session}")

    def forget(self, session: int) -> None:
        self._say(f"-{session}")

    def close(self) -> None:
        """Let it go: at the end of its input it ends what is left and exits."""
        with self._lock:
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()
                self._process.wait()
                self._process = None

    def _say(self, line: str) -> None:
        with self._lock:
            if self._process is None:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(Path(__file__).with_name("guardian.py"))],
                    stdin=subprocess.PIPE,
                    start_new_session=True,
                )
            if self._process.stdin is not None:
                self._process.stdin.write(f"{line}\n".encode())
                self._process.stdin.flush()


_GUARDIAN = _Guardian()


def stop_all() -> None:
    """End every child that is still there; runs at exit, so an exception or Ctrl-C leaves nothing behind."""
    for child in list(_CHILDREN):
        child.stop()
    _GUARDIAN.close()


atexit.register(stop_all)


def free_port() -> int:
    """A loopback port that nobody listens on.

    Taken at random below the range from which the system picks ports for outgoing connections, so that
    neither such a connection nor another sandbox on this machine is likely to take it before the child does.
    """
    for _ in range(200):
        port = random.randrange(20000, 32000)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free loopback port between 20000 and 32000")


def wait_for_port(port: int, child: Child, *, seconds: float, what: str) -> None:
    """Return once `port` accepts connections; raise with the child's last words if it dies or stays silent."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        if not child.alive():
            raise RuntimeError(f"{what} ended at start:\n{child.last_words()}")
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.settimeout(0.5)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise RuntimeError(f"{what} did not answer within {seconds:.0f} s:\n{child.last_words()}")


def minimal_environment() -> dict[str, str]:
    """What a child may know of this shell: enough to run, nothing that could steer it or lead to a real account."""
    keep = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
    return {name: os.environ[name] for name in keep if name in os.environ}


def terminate_as_interrupt() -> None:
    """Make SIGTERM end the program as Ctrl-C does, through `with` blocks; call it from a main program only."""
    # A shell that starts us in the background has SIGINT ignored; then neither signal would end us.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
