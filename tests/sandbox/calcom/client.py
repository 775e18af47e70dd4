"""A few requests in one line, for the tests of the stand-in."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.calcom import CalcomStandIn
from tests.sandbox.calcom.captured import MAIN


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def data(self) -> Any:
        return self.json["data"]

    @property
    def message(self) -> str:
        body = self.json
        return str(body["error"]["message"] if "error" in body and isinstance(body["error"], dict) else body["message"])


class Client:
    """One connection per request; `timeout` in seconds."""

    def __init__(self, calcom: CalcomStandIn, *, key: str | None = MAIN, timeout: float = 5) -> None:
        self.port, self.key, self.timeout = calcom.port, key, timeout

    def send(self, method: str, path: str, body: Any = None, version: str | None = "2024-08-13") -> Answer:
        headers = {"content-type": "application/json"} if body is not None else {}
        if version:
            headers["cal-api-version"] = version
        if self.key:
            headers["authorization"] = f"Bearer {self.key}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, text)
        finally:
            connection.close()

    def book(self, start: str, email: str = "kunde@kunde.example", kind: int = 1, **more: Any) -> Answer:
        attendee = {"name": "Kunde", "email": email, "timeZone": "Europe/Berlin", "language": "de"}
        return self.send("POST", "/v2/bookings", {"start": start, "eventTypeId": kind, "attendee": attendee, **more})

    def get(self, uid: str) -> Answer:
        return self.send("GET", f"/v2/bookings/{uid}")

    def cancel(self, uid: str, reason: str | None = "krank") -> Answer:
        return self.send("POST", f"/v2/bookings/{uid}/cancel", {"cancellationReason": reason} if reason else {})

    def move(self, uid: str, start: str) -> Answer:
        return self.send("POST", f"/v2/bookings/{uid}/reschedule", {"start": start})

    def find(self, query: str) -> list[Any]:
        return list(self.send("GET", f"/v2/bookings?{query}").data)

    def slots(self, day: str, kind: int = 1) -> list[str]:
        path = f"/v2/slots?eventTypeId={kind}&start={day}&end={day}&timeZone=Europe/Berlin"
        data = self.send("GET", path, version="2024-09-04").data
        return [s["start"][11:16] for slots in data.values() for s in slots]

    def control(self, method: str, path: str, body: Any = None) -> Answer:
        return self.send(method, f"/_standin/{path}", body)


def at_once(*calls: Callable[[], Answer]) -> list[Answer]:
    """All calls at the same moment, each in its thread; the answers in their order."""
    answers: list[Answer | None] = [None] * len(calls)
    barrier = threading.Barrier(len(calls))

    def run(number: int) -> None:
        barrier.wait()
        answers[number] = calls[number]()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [a for a in answers if a is not None]
