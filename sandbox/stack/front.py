"""The HTTP API on a loopback port: finds the function of a request and hands it over.

Beside the template's routes there is `POST /_sandbox/schedules/<name>`, which runs a schedule now and answers what the
function returned: for whoever is not in this process.
"""

import json
import re
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from sandbox.stack.engine import Progress
from sandbox.stack.invocation import Failure, InvokeResult
from sandbox.stack.payload import Request, Response, build_event, build_response, message
from sandbox.stack.template import ANY_METHOD, DEFAULT_STAGE, Route

BODY_LIMIT = 10 * 1024 * 1024
"""Bytes; API Gateway's limit for a request."""

SCHEDULES = "/_sandbox/schedules/"

Invoke = Callable[[str, Any], InvokeResult]
Fire = Callable[[str], InvokeResult]
Clock = Callable[[], datetime]


class Router:
    """Finds the route of a request; as at API Gateway the most specific one wins, then the exact method."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self._routes = [(route, _pattern(route.path)) for route in sorted(routes, key=_specificity)]

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """The route and its path parameters."""
        for route, pattern in self._routes:
            if route.method not in {method, ANY_METHOD}:
                continue
            if found := pattern.fullmatch(path):
                return route, {name: unquote(value) for name, value in found.groupdict().items()}
        return None


class Api:
    """The HTTP API without its socket: a request in, a response out."""

    def __init__(
        self,
        routes: tuple[Route, ...],
        invoke: Invoke,
        *,
        stage: str = DEFAULT_STAGE,
        fire: Fire | None = None,
        clock: Clock = lambda: datetime.now(UTC),
        progress: Progress = print,
    ) -> None:
        self._router = Router(routes)
        self._invoke = invoke
        self._fire = fire
        self._stage = stage
        self._clock = clock
        self._progress = progress
        self.domain = "127.0.0.1"
        self.base_path = "" if stage == DEFAULT_STAGE else f"/{stage}"

    def answer(self, request: Request) -> Response:
        """Route the request to its function and form the response."""
        path, _, query = request.target.partition("?")
        if len(request.body) > BODY_LIMIT:
            return message(413, "Request Entity Too Large")
        if request.method == "POST" and path.startswith(SCHEDULES) and self._fire is not None:
            return _fired(self._fire, path.removeprefix(SCHEDULES))
        inside = path.startswith(f"{self.base_path}/") or not self.base_path
        found = self._router.find(request.method, path.removeprefix(self.base_path) or "/") if inside else None
        if found is None:
            return message(404, "Not Found")
        route, parameters = found
        event = build_event(
            request,
            route=route,
            path=path,
            query=query,
            path_parameters=parameters,
            stage=self._stage,
            domain=self.domain,
            now=self._clock(),
        )
        began = time.monotonic()
        try:
            result = self._invoke(route.function, event)
        except Exception as error:
            result = InvokeResult(None, Failure.EXITED, type(error).__name__, str(error))
        response = build_response(result)
        took = (time.monotonic() - began) * 1000
        self._progress(f"request   {request.method} {path} -> {response.status} in {took:.0f} ms")
        return response


class Front:
    """The API on a socket, in threads of its own."""

    def __init__(self, api: Api, port: int = 0) -> None:
        self._server = _Server(("127.0.0.1", port), _handler(api))
        self.url = f"http://127.0.0.1:{self._server.server_port}{api.base_path}"
        api.domain = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="front", daemon=True
        )

    def start(self) -> None:
        """Accept requests."""
        self._thread.start()

    def close(self) -> None:
        """Accept no more, and free the port."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


def _fired(fire: Fire, name: str) -> Response:
    try:
        result = fire(name)
    except KeyError as error:
        return message(404, str(error.args[0]))
    if not result.ok:
        return message(500, f"{result.failure}: {result.error_type} {result.error_message}")
    return Response(200, (("content-type", "application/json"),), json.dumps(result.payload).encode())


def _pattern(path: str) -> re.Pattern[str]:
    if path == DEFAULT_STAGE:
        return re.compile(".*")
    parts = re.split(r"\{(\w+)(\+?)\}", path)
    pattern = re.escape(parts[0])
    for name, greedy, literal in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        pattern += f"(?P<{name}>{'.+' if greedy else '[^/]+'})" + re.escape(literal)
    return re.compile(pattern)


def _specificity(route: Route) -> tuple[bool, bool, int, int, bool]:
    return (
        route.path == DEFAULT_STAGE,
        "+}" in route.path,
        route.path.count("{"),
        -len(route.path),
        route.method == ANY_METHOD,
    )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller who hung up is no news."""


def _handler(api: Api) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Without these two every kept-alive answer takes 44 ms (Nagle against delayed ACK).
        disable_nagle_algorithm = True
        wbufsize = 65536
        # An idle connection must not hold its thread for ever.
        timeout = 75

        def __getattr__(self, name: str) -> Any:
            # http.server looks for do_GET, do_POST ...; all methods go the same way.
            if name.startswith("do_"):
                return self._serve
            raise AttributeError(name)

        def _serve(self) -> None:
            body = self._body()
            if body is None:
                # The rest of the body is still on its way and would be read as the next request.
                self.close_connection = True
                response = message(413, "Request Entity Too Large")
            else:
                request = Request(self.command, self.path, tuple(self.headers.items()), body, self.client_address[0])
                response = api.answer(request)
            self.send_response_only(response.status)
            self.send_header("date", self.date_time_string())
            for name, value in response.headers:
                self.send_header(name, value)
            bodiless = response.status in {204, 304} or response.status < 200
            if not bodiless:
                self.send_header("content-length", str(len(response.body)))
            self.send_header("apigw-requestid", uuid.uuid4().hex[:15] + "=")
            if self.close_connection:
                self.send_header("connection", "close")
            self.end_headers()
            if not bodiless and self.command != "HEAD":
                self.wfile.write(response.body)

        def _body(self) -> bytes | None:
            """The request's body, None if it is longer than the limit."""
            if "chunked" in self.headers.get("transfer-encoding", "").lower():
                return self._chunks()
            length = int(self.headers.get("content-length") or 0)
            return None if length > BODY_LIMIT else self.rfile.read(length)

        def _chunks(self) -> bytes | None:
            body = b""
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                if len(body) + size > BODY_LIMIT:
                    return None
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return body

        def logmessage(self, *_: object) -> None:
            """Requests are told by the API, with their function's time."""

    return Handler
