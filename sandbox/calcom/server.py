"""The stand-in as a real HTTP/1.1 server on loopback, in a thread of this process."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
import threading
from collections.abc import Callable
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import ClassVar, Self

from .api import Request, Response
from .control import PREFIX, Control, subscribe
from .errors import INTERNAL, Raw
from .faults import FaultPlan
from .gateway import Gateway, NeverAnswers, ResetsConnection
from .models import Webhook
from .world import World


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    block_on_close = False
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], gateway: Gateway) -> None:
        self.gateway = gateway
        self.control = Control(gateway)
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    # One write per answer and no Nagle: otherwise header and body meet delayed ACKs, 40 ms a request.
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 60
    server_version = "calcom-stand-in"
    sys_version = ""

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = {k.lower(): v for k, v in self.headers.items()}
        try:
            if self.path.startswith(PREFIX):
                response = self.server.control.handle(self.command, self.path, body)
            else:
                response = self.server.gateway.handle(Request(self.command, self.path, headers, body))
        except NeverAnswers:
            self._hang()
            return
        except ResetsConnection:
            self._reset()
            return
        except Exception as error:
            # Cal.com, too, answers an unforeseen error with the raw 500; here it would be a bug of the stand-in.
            self.log_error("stand-in bug: %r", error)
            body = json.dumps(Raw(500, INTERNAL).body(self.path, "")).encode()
            response = Response(500, body, {"x-standin-bug": repr(error).replace("\n", " ")})
        self._send(response)

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = handle_any  # noqa: N815 - http.server's names

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if response.status != 304:
            self.send_header("content-length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)
        self.wfile.flush()

    def _hang(self) -> None:
        """Hold the socket until the client or the server closes."""
        self.close_connection = True
        closing = self.server.gateway.closing
        while not closing.wait(0.02):
            readable, _, _ = select.select([self.connection], [], [], 0)
            if readable:
                with contextlib.suppress(OSError):
                    if self.connection.recv(1, socket.MSG_PEEK) == b"":
                        return
                return

    def _reset(self) -> None:
        """Linger 0: close() sends RST."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Quiet; the request log is under /_standin/requests."""


class CalcomStandIn:
    """`with CalcomStandIn(world=world, faults=FaultPlan(...)) as calcom: calcom.url` — Cal.com on loopback.

    `clock`: replaces the world's clock if given. `port=0` picks a free one.
    """

    HOST: ClassVar[str] = "127.0.0.1"

    def __init__(
        self,
        *,
        world: World | None = None,
        clock: Callable[[], datetime] | None = None,
        faults: FaultPlan | None = None,
        port: int = 0,
    ) -> None:
        self.world = world or World()
        if clock is not None:
            self.world.clock = clock
        self.gateway = Gateway(self.world, faults)
        self._server = _Server((self.HOST, port), self.gateway)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Base without `/v2`: `http://127.0.0.1:<port>`."""
        return f"http://{self.HOST}:{self.port}"

    @property
    def faults(self) -> FaultPlan:
        return self.gateway.faults

    @faults.setter
    def faults(self, plan: FaultPlan) -> None:
        self.gateway.plan(plan)

    def subscribe(
        self,
        url: str,
        secret: str | None = None,
        triggers: list[str] | None = None,
        *,
        user_id: int | None = None,
        event_type_id: int | None = None,
    ) -> Webhook:
        return subscribe(self.world, url, secret, triggers, user_id=user_id, event_type_id=event_type_id)

    def start(self) -> Self:
        self._thread.start()
        return self

    def close(self) -> None:
        """Releases hanging requests at once; drops what is delayed."""
        self.gateway.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
