"""HTTP with one end: a request is over at its deadline, however slowly bytes drip in.

httpx bounds each read, not their sum; a server that sends a byte a second would keep a caller waiting for ever. The
network stream under it is therefore told the deadline of the request that is using it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from bookend.application.deadline import Deadline


CONNECTIONS = 20
"""How many requests may be under way at the same time."""


class DeadlineTransport(httpx.HTTPTransport):
    """HTTP/1.1 with keep-alive, where `until` bounds everything the calling thread does inside it."""

    def __init__(self) -> None:
        trust = httpx.create_ssl_context()  # once: reading the certificates takes its time
        super().__init__(verify=trust, http1=True, http2=False, retries=0)
        self._running = threading.local()
        # httpx offers no way to hand its pool a network backend; a test holds that this attribute is the pool.
        self._pool = httpcore.ConnectionPool(
            ssl_context=trust,
            max_connections=CONNECTIONS,
            max_keepalive_connections=CONNECTIONS,
            keepalive_expiry=30.0,
            network_backend=_Backend(httpcore.SyncBackend(), self._left),
        )

    @contextmanager
    def until(self, deadline: Deadline) -> Iterator[None]:
        """Requests of this thread end at `deadline`."""
        self._running.deadline = deadline
        try:
            yield
        finally:
            self._running.deadline = None

    def _left(self) -> float | None:
        deadline: Deadline | None = getattr(self._running, "deadline", None)
        return None if deadline is None else deadline.remaining()


class _Backend(httpcore.NetworkBackend):
    def __init__(self, inner: httpcore.NetworkBackend, left: Callable[[], float | None]) -> None:
        self._inner = inner
        self._left = left

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        bound = _nearer(timeout, self._left(), httpcore.ConnectTimeout)
        stream = self._inner.connect_tcp(host, port, bound, local_address, socket_options)
        return _Stream(stream, self._left)

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, left: Callable[[], float | None]) -> None:
        self._inner = inner
        self._left = left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _nearer(timeout, self._left(), httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _nearer(timeout, self._left(), httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        bound = _nearer(timeout, self._left(), httpcore.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, bound), self._left)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _nearer(timeout: float | None, left: float | None, late: type[Exception]) -> float | None:
    if left is None:
        return timeout
    if left <= 0:
        raise late("the deadline of the request has passed")
    return left if timeout is None else min(timeout, left)
