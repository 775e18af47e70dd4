"""A real server on this machine that does what its script says with each request, down to the single byte."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Self

Script = Callable[[socket.socket, str], None]
"""What to do with a request: the connection to answer on, and the request as it arrived."""

STEP_S = 0.03


class Server:
    """Listens on a port of its own. `requests` are those read whole, `connections` how many were opened."""

    def __init__(self, script: Script) -> None:
        self.requests: list[str] = []
        self.connections = 0
        self.over = threading.Event()
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(5)  # so that none is accepted after this
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError):
            while request := _read(connection):
                self.requests.append(request)
                self._script(connection, request)

    # ---- Scripts ----

    def drip(self, connection: socket.socket, content: bytes) -> None:
        """Byte by byte, until somebody has had enough."""
        for byte in content:
            connection.sendall(bytes([byte]))
            if self.over.wait(STEP_S):
                return


def _read(connection: socket.socket) -> str:
    """A whole request; empty where the other side has gone."""
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65536)
        if not chunk:
            return ""
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
    )
    while len(body) < length:
        body += connection.recv(65536)
    return (head + b"\r\n\r\n" + body).decode()


def message(content: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """A complete HTTP answer."""
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(content)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def always(answer: bytes) -> Script:
    """The same answer to every request."""
    return lambda connection, _request: connection.sendall(answer)


def hang_up(connection: socket.socket, _request: str) -> None:
    """Close without a word."""
    connection.shutdown(socket.SHUT_RDWR)


def reset(connection: socket.socket, _request: str) -> None:
    """Drop the connection on the floor: the other side sees a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
