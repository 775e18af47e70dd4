"""The exchanges captured from the real API, one by one, wherever in their files they stand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx

CAPTURES = Path(__file__).parents[2] / "sandbox" / "calcom" / "captures"


@dataclass(frozen=True)
class Captured:
    """One exchange. `id` is the capture's name, with a number where it holds several."""

    name: str
    id: str
    method: str
    path: str
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def content(self) -> bytes:
        if self.body is None:
            return b""
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300

    def response(self) -> httpx.Response:
        return httpx.Response(self.status, content=self.content, headers=self.headers)

    def is_(self, method: str, path: str, *, ending: str = "") -> bool:
        """Whether it asked for this path, or for something below it that ends like this."""
        bare = self.path.partition("?")[0]
        if not ending:
            return self.method == method and bare == path
        return self.method == method and bare.startswith(f"{path}/") and bare.endswith(ending)


@cache
def exchanges() -> tuple[Captured, ...]:
    """Every exchange that was answered."""
    return tuple(each for file in sorted(CAPTURES.glob("*.json")) for each in _of(file))


def _of(file: Path) -> Iterator[Captured]:
    found = [pair for pair in _pairs(json.loads(file.read_text())) if pair["response"] and "status" in pair["response"]]
    for number, pair in enumerate(found):
        request, response = pair["request"], pair["response"]
        name = file.stem if len(found) == 1 else f"{file.stem}/{number}"
        headers = dict(response.get("headers") or {})
        yield Captured(
            file.stem, name, request["method"], request["path"], response["status"], response["body"], headers
        )


def _pairs(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict) and {"request", "response"} <= set(node):
        yield node
        return
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _pairs(child)
