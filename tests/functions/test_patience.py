"""How long a table is waited for: as long as a caller can, or as long as a person at a shell does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bookend import bootstrap
from bookend.application.ports import StoreUnavailable
from bookend.config import Settings

SLOW_S = 1.4
"""A page of a table of thousands of rows, on a machine with other things to do."""


class _Slow(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(SLOW_S)
        body = json.dumps({"Items": [{"pk": {"S": "there"}}], "Count": 1, "ScannedCount": 1}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def slow_table(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A table that is there, and takes its time."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", f"http://127.0.0.1:{server.server_port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    yield
    server.shutdown()
    server.server_close()


def table_of(stage: str) -> bootstrap.Dependencies:
    settings = Settings(table_name="appointments", stage=stage, release_id="0000000000")
    return bootstrap.Dependencies(settings, clock=bootstrap.SystemClock())


@pytest.mark.usefixtures("slow_table")
def test_a_command_waits_for_a_slow_page_where_a_turn_cannot() -> None:
    (page,) = table_of(bootstrap.SHELL).table.patient().pages()
    assert page == [{"pk": {"S": "there"}}]
    with pytest.raises(StoreUnavailable, match="ReadTimeoutError"):
        list(table_of("prod").table.patient().pages())
