"""HTTP with one end: a request is over at its deadline, however slowly bytes drip in.

httpx bounds each read, not their sum; a server that sends a byte a second would keep a caller waiting for ever. The
network stream under it is therefore told the deadline of the request that is using it. Nor does it bound the look-up
of a name, and a name with several dead addresses costs it its time-out for each: both share one budget here.

A connection that brought more than the answer is not used again: what is left over would be taken for the next answer.
A fresh connection for every booking would be as safe, and cost each one a handshake: two round trips and some 3 ms.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpcore
import httpx
from httpcore._backends.sync import SyncStream  # no public way to make a stream of a socket

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from bookend.application.deadline import Deadline


CONNECTIONS = 20
"""How many requests may be under way at the same time."""
_LEAST_FOR_ONE_S = 0.2
"""An address gets its share of the budget for connecting, and no less than this: less is no try."""


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
            network_backend=_Backend(self._left),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        response.stream = _Body(response.stream)
        return response

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


class _Body(httpx.SyncByteStream):
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __iter__(self) -> Iterator[bytes]:
        yield from self._inner

    def close(self) -> None:
        # Private places, held by a test; were one renamed, no answer could be read any more.
        connection = self._inner._httpcore_stream._stream._connection
        if connection._h11_state.trailing_data[0]:
            connection._network_stream.close()  # then the pool finds it closed, and drops it
        self._inner.close()


class _Backend(httpcore.SyncBackend):
    def __init__(self, left: Callable[[], float | None]) -> None:
        self._left = left
        self._threads = ThreadPoolExecutor(max_workers=CONNECTIONS, thread_name_prefix="look-up")

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 - a pool that is not told of any gives none
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - the same
    ) -> httpcore.NetworkStream:
        bound = _nearer(timeout, self._left(), httpcore.ConnectTimeout)
        ends = None if bound is None else time.monotonic() + bound
        return _Stream(SyncStream(self._connected(self._addresses(host, port, bound), ends)), self._left)

    def _addresses(self, host: str, port: int, bound: float | None) -> list[Any]:
        """Where the name leads; a look-up that hangs is left to its thread, of which there are only so many."""
        asked = self._threads.submit(socket.getaddrinfo, host, port, 0, socket.SOCK_STREAM)
        try:
            return asked.result(bound)
        except TimeoutError as error:
            asked.cancel()
            raise httpcore.ConnectTimeout(type(error).__name__) from error
        except OSError as error:
            raise httpcore.ConnectError(type(error).__name__) from error

    def _connected(self, addresses: list[Any], ends: float | None) -> socket.socket:
        """A connection to the first address that answers."""
        failed: Exception = httpcore.ConnectError("a name without addresses")
        for number, (family, kind, protocol, _, address) in enumerate(addresses):
            left = None if ends is None else ends - time.monotonic()
            if left is not None and left <= 0:
                raise httpcore.ConnectTimeout("no time left to connect")
            connection = socket.socket(family, kind, protocol)
            try:
                connection.settimeout(left and min(left, max(left / (len(addresses) - number), _LEAST_FOR_ONE_S)))
                connection.connect(address)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                connection.close()
                late = isinstance(error, TimeoutError)
                failed = (httpcore.ConnectTimeout if late else httpcore.ConnectError)(type(error).__name__)
            else:
                return connection
        raise failed


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
