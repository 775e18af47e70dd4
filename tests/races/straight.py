"""The same load without Bookend: each caller books straight at Cal.com, the way a thin client would.

The stand-in is as careless as the real Cal.com was seen to be, and no more. Two POSTs at the same moment were both
accepted there in 14 of 14 runs, 25 ms apart in 13 of 14, 50 ms and more apart in none of 14 (captures 22d). Here a
booking is inserted `check_to_insert_gap` (15 ms) after its check; where this machine took longer than `WINDOW_S` over
it, it is checked once more, so that a slow machine makes Cal.com no worse than it is.
"""

from __future__ import annotations

import http.client
import json
import statistics
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from sandbox.calcom import CalcomStandIn, World
from sandbox.calcom.errors import USER_TAKEN, bad_request
from sandbox.calcom.models import Booking
from tests.races.load import Json, Wish, at_once, overlapping

KEY = "cal_live_straight"
WINDOW_S = 0.05
"""The widest that was observed: at 50 ms apart none of 14 pairs was accepted twice."""


class Observed(World):
    """Cal.com whose time from check to insert is the observed one at most; `windows` are those that there were."""

    def __init__(self, **options: Any) -> None:
        self.windows: list[float] = []
        self.checked_again = 0
        self._checked = threading.local()
        super().__init__(**options)

    def check(self, *args: Any, **options: Any) -> int:
        host = super().check(*args, **options)
        self._checked.at = time.perf_counter()
        return host

    def insert(self, row: Booking, *, replacing: str | None = None) -> None:
        took = time.perf_counter() - self._checked.at
        if took > WINDOW_S:
            self.checked_again += 1
            kind = self.event_type(row.event_type_id)
            if kind is None or not self.host_free(row.host_id, kind, row.start, row.end, ignore=replacing):
                raise bad_request(USER_TAKEN)
            took = 0.0
        super().insert(row, replacing=replacing)
        self.windows.append(took)


def sent_straight(world: Json, wishes: Sequence[Wish], *, inside: int | None = None) -> tuple[dict[str, int], float]:
    """Everybody books at once, at most `inside` at a time; what came of it, and the median window in milliseconds.

    A caller of a composite books its parts one after the other and stops at the first refusal: nothing in Cal.com takes
    the others back.
    """
    calcom_world = Observed.from_json(world)
    with CalcomStandIn(world=calcom_world) as calcom:
        connections = [http.client.HTTPConnection(CalcomStandIn.HOST, calcom.port, timeout=60) for _ in wishes]
        for each in connections:
            each.connect()
        told = at_once(lambda wish: _book(connections[wish.caller], wish), wishes, inside=inside)
        for each in connections:
            each.close()
        accepted = [each for each in calcom_world.bookings() if each.status == "accepted"]
        pairs = overlapping([(each.start, each.end) for each in accepted])
        requests = calcom.gateway.counts()
    by_uid = [each.attendees[0].email for each in accepted]
    together = {by_uid[position] for pair in pairs for position in pair}
    halves = [1 for wish, parts in zip(wishes, told, strict=True) if 0 < parts < len(wish.parts)]
    counts = {
        "callers": len(wishes),
        "told booked": sum(parts == len(wish.parts) for wish, parts in zip(wishes, told, strict=True)),
        "composites booked in part": len(halves),
        "bookings accepted": len(accepted),
        "overlapping pairs": len(pairs),
        "callers with an overlap": len(together),
        "requests to Cal.com": sum(requests.values()),
        "checked again": calcom_world.checked_again,
    }
    return counts, statistics.median(calcom_world.windows or [0.0]) * 1000


def _book(connection: http.client.HTTPConnection, wish: Wish) -> int:
    """How many of its parts were accepted."""
    for number, part in enumerate(wish.parts):
        body = {
            "start": part.start.isoformat(),
            "eventTypeId": part.event_type,
            "attendee": {"name": "Muster", "email": f"caller{wish.caller}@web.example", "timeZone": "Europe/Berlin"},
        }
        headers = {
            "content-type": "application/json",
            "cal-api-version": "2024-08-13",
            "authorization": f"Bearer {KEY}",
        }
        connection.request("POST", "/v2/bookings", json.dumps(body), headers)
        with closing(connection.getresponse()) as answer:
            answer.read()
            if answer.status != 201:
                return number
    return len(wish.parts)
