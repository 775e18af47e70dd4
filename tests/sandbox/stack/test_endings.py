"""However a sandbox ends, no process of it stays."""

import gc
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sandbox.stack import runtime
from sandbox.stack.in_process import InProcessRuntime
from sandbox.stack.template import Function
from tests.sandbox.stack.conftest import TEMPLATE

pytestmark = [pytest.mark.engine, pytest.mark.enable_socket, pytest.mark.usefixtures("engine_installed")]

REPOSITORY = Path(__file__).parents[3]


class Answers(BaseHTTPRequestHandler):
    """An emulator that still listens."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_args: object) -> None:
        pass


def test_an_instance_that_is_stopped_while_it_is_asked_leaves_no_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that is closed opens itself anew with the next request; nobody would have closed that one."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as emulator:
        threading.Thread(target=emulator.serve_forever, daemon=True).start()
        instance = runtime.Instance(a_function(), {}, tmp_path / "log")
        connection = runtime._Connection("127.0.0.1", emulator.server_port, timeout=5)
        monkeypatch.setattr(instance, "_connection", connection)
        ask = connection.request

        def stopped_first(*args: object) -> None:
            instance.stop()
            ask(*args)

        monkeypatch.setattr(connection, "request", stopped_first)
        assert instance.invoke({}).payload == {}
        assert connection.sock is None
        emulator.shutdown()


HOLDS = """
import socket
KEPT = socket.create_connection(("127.0.0.1", {port}))
def lambda_handler(event, context):
    return KEPT.fileno()
"""


def test_functions_in_this_process_take_their_connections_with_them(tmp_path: Path) -> None:
    """A client keeps its connections, and nobody tells a function that its environment ends."""
    noticed: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "unraisablehook", noticed.append)
        (tmp_path / "handler.py").write_text(HOLDS.format(port=server.getsockname()[1]))
        running = InProcessRuntime({"DoorFunction": a_function(tmp_path)}, lambda _: {}, progress=lambda _: None)
        assert running.invoke("DoorFunction", {}).payload >= 0
        accepted, _ = server.accept()
        with accepted, warnings.catch_warnings():
            warnings.simplefilter("error")
            running.close()
            accepted.settimeout(5)
            assert accepted.recv(1) == b"", "the connection outlives its function"
            gc.collect()
    assert noticed == []
    assert not [name for name in sys.modules if name.startswith("_sandbox_")]


def a_function(code: Path = Path()) -> Function:
    return Function("DoorFunction", "handler.lambda_handler", code, (), {}, timeout=1, memory=128, concurrency=None)


PROGRAM = """
import sys, threading, time
from sandbox.stack.local import LocalStack
from sandbox.stack.processes import terminate_as_interrupt
terminate_as_interrupt()
given = {"parameters": {"Stage": "dev"}, "secrets": {"KeySecretArn": "k"}, "log_dir": sys.argv[2]}
with LocalStack(sys.argv[1], engine="ministack", **given) as stack:
    busy = {"body": '{"do": "sleep", "seconds": 60}'}
    stack.invoke("DoorFunction", {})
    threading.Thread(target=stack.invoke, args=("DoorFunction", busy), daemon=True).start()
    time.sleep(0.3)
    print("UP", flush=True)
    if sys.argv[3] == "raise":
        raise RuntimeError("as told")
    time.sleep(60)
"""


def descendants_by_marker(marker: str) -> list[int]:
    """Processes whose command line or environment names the marker."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if marker.encode() in words:
                found.append(int(entry.name))
    return found


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("end", ["raise", "interrupt", "terminate", "kill"])
def test_no_process_stays(end: str, tmp_path: Path) -> None:
    # TMPDIR is handed on to every child, and so marks it.
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(tmp_path)}
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(TEMPLATE), str(tmp_path / "logs"), end],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=tmp_path,
    )
    with program:
        assert program.stdout is not None
        lines = []
        for line in program.stdout:
            lines.append(line)
            if line == "UP\n":
                break
        assert lines[-1] == "UP\n", "".join(lines)
        # The program, its guardian, the engine, an emulator each with a Python.
        assert end == "raise" or len(descendants_by_marker(str(tmp_path))) >= 5
        if end != "raise":
            numbers = {"interrupt": signal.SIGINT, "terminate": signal.SIGTERM, "kill": signal.SIGKILL}
            program.send_signal(numbers[end])
        program.stdout.read()
        program.wait(15)
    give_up = time.monotonic() + 5
    while (left := descendants_by_marker(str(tmp_path))) and time.monotonic() < give_up:
        time.sleep(0.05)
    assert left == []
