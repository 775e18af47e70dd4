"""The control surface of Cal.com's stand-in, called over HTTP as another process would."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sandbox.calcom.validation import TRIGGERS
from sandbox.salon.calendar import public_booking

Json = dict[str, Any]
SUBSCRIBED = [*TRIGGERS, "BOOKING_REASSIGNED"]


class StandIn:
    """Cal.com from behind: what was asked, what is booked, what goes wrong next."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url = url
        self._api_key = api_key

    def setup(self, world: Json, *, webhook: Json | None = None) -> None:
        """A new world; log and faults are empty. `webhook`: the url and the secret of who hears of every event."""
        hooks = [webhook | {"triggers": SUBSCRIBED}] if webhook else []
        self._control("setup", world | {"webhooks": hooks})

    def faults(self, *rules: Json) -> None:
        """What goes wrong from now on, in place of what did before; none: nothing. Webhooks go as they went."""
        self._control("faults", {"rules": list(rules)})

    def mail(self, **plan: Any) -> None:
        """How webhooks go from now on (`WebhookPlan`); no other fault is left."""
        self._control("faults", {"webhooks": plan})

    def deliver(self, order: Sequence[int] | None = None, *, times: int = 1) -> list[Json]:
        """The webhooks that are held, as they happened or in another order; what became of each."""
        sent: list[Json] = self._control("deliver", {"order": order, "times": times})["delivered"]
        return sent

    def deliveries(self) -> list[Json]:
        """Every webhook since `setup`, as it happened: its trigger, its uid, what was answered to each try."""
        found: list[Json] = self._control("state")["deliveries"]
        return found

    @property
    def on_their_way(self) -> int:
        """Webhooks that are late."""
        return int(self._control("state")["waiting_deliveries"])

    def somebody_books(self, kind: int, start: datetime, *, name: str, **more: Any) -> Json:
        """A booking past us, on the public page; more words are fields of the booking's body.

        It is put straight into the database, which no webhook tells of; with `force=False` Cal.com's rules are asked,
        and its webhooks tell.
        """
        return self.book_on_page(public_booking(kind, start, name=name, **more))

    def book_on_page(self, body: Json) -> Json:
        """The same with a whole body."""
        made: Json = self._control("public-booking", body)
        return made

    def moves(self, uid: str, start: datetime) -> Json:
        """Somebody moves a booking at Cal.com."""
        made: Json = self._control("public-reschedule", {"uid": uid, "start": start.isoformat()})
        return made

    def cancels(self, uid: str, reason: str = "") -> None:
        """Somebody cancels a booking at Cal.com."""
        self._control("public-cancel", {"uid": uid, "reason": reason})

    def gives(self, uid: str, host: int) -> None:
        """The salon gives a booking to another stylist."""
        self._control("public-reassign", {"uid": uid, "host_id": host})

    def vanish(self, uid: str) -> None:
        """The booking is gone, as if it had never been."""
        self._control("vanish", {"uid": uid})

    def edit(self, uid: str, **fields: Any) -> None:
        """A hand in Cal.com's database."""
        self._control("edit", {"uid": uid} | fields)

    def bookings(self) -> list[Json]:
        """All of them, cancelled ones too."""
        found: list[Json] = self._control("state")["bookings"]
        return found

    def log(self) -> list[Json]:
        """Every request since `setup`."""
        found: list[Json] = self._control("requests")["log"]
        return found

    def get(self, uid: str) -> Json | None:
        """`GET /v2/bookings/{uid}`, as anybody with the key may ask; None: 404."""
        try:
            return self._api(f"bookings/{uid}", version="2024-08-13")
        except urllib.error.HTTPError as refused:
            if refused.code == 404:
                return None
            raise

    def calls_free(self, kind: int, start: datetime) -> bool:
        """Whether its list of free times, as it is given out now, has this one."""
        return start in self.free(kind, start.date(), zone=str(start.tzinfo))

    def free(self, kind: int, day: date, *, zone: str) -> list[datetime]:
        """Its list of free times of a day, as it is given out now."""
        asked = {"eventTypeId": kind, "start": day.isoformat(), "end": day.isoformat(), "timeZone": zone}
        days = self._api(f"slots?{urllib.parse.urlencode(asked)}", version="2024-09-04")
        return [datetime.fromisoformat(each["start"]) for slots in days.values() for each in slots]

    def _api(self, path: str, *, version: str) -> Json:
        headers = {"authorization": f"Bearer {self._api_key}", "cal-api-version": version}
        with urllib.request.urlopen(
            urllib.request.Request(f"{self.url}/v2/{path}", headers=headers), timeout=5
        ) as answer:
            found: Json = json.load(answer)["data"]
            return found

    def _control(self, what: str, body: Json | None = None) -> Any:
        raw = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_standin/{what}", data=raw)
        # A webhook that is delivered inline holds the answer, and may meet a function that is only starting.
        with urllib.request.urlopen(request, timeout=15) as answer:
            return json.load(answer)
