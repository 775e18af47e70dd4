"""The database: users, event types, schedules, rows of bookings; a primary and a replica that may lag.

Reads of the list, of one booking and the look-ups before cancel and reschedule go to the replica (29*).
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from .errors import (
    CONFLICT,
    DATABASE,
    INTERNAL,
    Raw,
)
from .models import (
    ApiKey,
    Booking,
    EventType,
    Json,
    Reservation,
    Schedule,
    Team,
    User,
    Webhook,
    event_type_from_json,
    schedule_from_json,
    team_from_json,
    user_from_json,
)

Clock = Callable[[], datetime]
Event = Callable[[str, Booking, EventType | None, Json], None]
_ALWAYS = datetime.min.replace(tzinfo=UTC)


def utc_now() -> datetime:
    return datetime.now(UTC)


class Ids:
    """The source of uids and uuids, repeatable for a seed. Callers hold the world's lock."""

    _ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(f"ids:{seed}")

    def uid(self) -> str:
        """22 characters, as Cal.com's short uuids."""
        return "".join(self._random.choices(self._ALPHABET, k=22))

    def uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))


@dataclass(frozen=True, slots=True)
class Settings:
    """How this Cal.com behaves. Seconds unless said otherwise."""

    check_to_insert_gap: float = 0.015
    """Real seconds between availability check and insert; the original's window was 25-50 ms wide (22d)."""
    production_mode: bool = True
    """True: a lost race is raw 400 "querying the database"; False: raw 409 booking_conflict_error."""
    slots_cache: float = 2.0
    """By the world's clock (27a-27e)."""
    replica_lag: float = 0.0
    """By the world's clock: how long a write stays unseen by list, get and the look-up before cancel."""
    requests_per_minute: int = 120
    """Default limit of a key and of all anonymous callers together; 0 = none (26a)."""
    cancellation_reason_on_reschedule: bool = False
    """True as the hosted service does: the new booking's cancellationReason is the rescheduling reason."""


class State:
    """All of Cal.com's data, without the rules. Thread-safe: hold `lock` for more than one step."""

    def __init__(
        self,
        *,
        users: Iterable[User] = (),
        schedules: Iterable[Schedule] = (),
        teams: Iterable[Team] = (),
        event_types: Iterable[EventType] = (),
        clock: Clock = utc_now,
        seed: int = 0,
        settings: Settings | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.clock = clock
        self.seed = seed
        self.settings = settings or Settings()
        self.sleep = sleep
        self.on_event: Event = lambda *_: None
        self.lock = threading.RLock()
        self._local = threading.local()
        self._origin = (tuple(users), tuple(schedules), tuple(teams), tuple(event_types))
        self.reset()

    @classmethod
    def from_json(cls, data: Json, **options: Any) -> Self:
        """`{"users": [...], "schedules": [...], "teams": [...], "event_types": [...], "settings": {...}}`."""
        if "settings" in data:
            options["settings"] = Settings(**data["settings"])
        return cls(
            users=[user_from_json(d) for d in data.get("users", ())],
            schedules=[schedule_from_json(d) for d in data.get("schedules", ())],
            teams=[team_from_json(d) for d in data.get("teams", ())],
            event_types=[event_type_from_json(d) for d in data.get("event_types", ())],
            **options,
        )

    def load(self, data: Json) -> None:
        """Replace the whole world by that of `data` (as `from_json`); without a key, that part is empty."""
        other = type(self).from_json(data, clock=self.clock, seed=self.seed)
        with self.lock:
            self._origin = other._origin
            if "settings" in data:
                self.settings = other.settings
            self.reset()

    def reset(self) -> None:
        """Back to the users, schedules, teams and event types it was set up with; no bookings."""
        with self.lock:
            users, schedules, teams, event_types = self._origin
            self.users = {u.id: u for u in users}
            self.schedules = {s.id: s for s in schedules}
            self.teams = {t.id: t for t in teams}
            self.event_types = {e.id: e for e in event_types}
            self.reservations: dict[str, Reservation] = {}
            self.webhooks: dict[str, Webhook] = {}
            self.ids = Ids(self.seed)
            self.next_booking_id = 1
            self.next_event_type_id = max(self.event_types, default=0) + 1
            self._rows: dict[str, list[tuple[datetime, Booking]]] = {}
            self._keys: dict[str, str] = {}
            self._slot_cache: dict[str, tuple[datetime, list[datetime]]] = {}

    # --- reading -----------------------------------------------------------------------------------------

    def key(self, bearer: str) -> tuple[User, ApiKey] | None:
        for user in self.users.values():
            for key in user.api_keys:
                if key.key == bearer:
                    return user, key
        return None

    def bookings(self) -> list[Booking]:
        """All rows of the primary."""
        with self.lock:
            return [versions[-1][1] for versions in self._rows.values()]

    def booking(self, uid: str) -> Booking | None:
        """A row of the primary."""
        with self.lock:
            versions = self._rows.get(uid)
            return versions[-1][1] if versions else None

    def replica_bookings(self) -> list[Booking]:
        with self.lock:
            return [b for uid in self._rows if (b := self.replica_booking(uid))]

    def replica_booking(self, uid: str) -> Booking | None:
        """The row as the read replica knows it by now."""
        with self.lock:
            now = self.clock()
            for visible_at, row in reversed(self._rows.get(uid, [])):
                if visible_at <= now:
                    return row
            return None

    def hosts(self, event_type: EventType) -> tuple[int, ...]:
        return event_type.host_ids if event_type.team_id else (event_type.owner_id or 0,)

    def event_type(self, event_type_id: int | None) -> EventType | None:
        return self.event_types.get(event_type_id or 0)

    def event_type_by_slug(self, slug: str, *, username: str | None, team_slug: str | None) -> EventType | None:
        for event_type in self.event_types.values():
            if event_type.slug != slug:
                continue
            owner = self.users.get(event_type.owner_id or 0)
            team = self.teams.get(event_type.team_id or 0)
            if (username and owner and owner.username == username) or (team_slug and team and team.slug == team_slug):
                return event_type
        return None

    def visible_to(self, user: User, booking: Booking) -> bool:
        """The list shows what one hosts, attends, and what the members of one's own teams host (18a, 37f)."""
        hosts = {user.id}
        for team in self.teams.values():
            if team.owner_id == user.id:
                hosts.update(team.member_ids)
        return booking.host_id in hosts or any(a.email == user.email for a in booking.attendees)

    # --- writing

    def store(self, row: Booking, *, touch: bool = False) -> Booking:
        """Write a row to the primary. `touch` moves `updatedAt`. The replica sees it after the lag."""
        with self.lock:
            now = self.clock()
            if touch:
                row = replace(row, updated_at=now)
            versions = self._rows.setdefault(row.uid, [])
            if versions and (gone := versions[-1][1].unique_key) and gone != row.unique_key:
                self._keys.pop(gone, None)
            if row.unique_key:
                self._keys[row.unique_key] = row.uid
            lag = getattr(self._local, "lag", None)
            lag = self.settings.replica_lag if lag is None else lag
            if not lag and all(v[0] <= now for v in versions):
                versions.clear()
            versions.append((now + timedelta(seconds=lag) if lag else _ALWAYS, row))
            return row

    def insert(self, row: Booking, *, replacing: str | None = None) -> None:
        """Put a new row in; the unique key over (start, end, host) is the database's only guard."""
        key = unique_key(row) if row.status == "accepted" else None
        if key and self._keys.get(key, replacing) != replacing:
            raise Raw(400, DATABASE) if self.settings.production_mode else Raw(409, CONFLICT)
        numbered = replace(row, id=self.next_booking_id, unique_key=key)
        self.next_booking_id += 1
        self.store(numbered)

    def reread(self, row: Booking) -> Booking:
        """After a write the API reads the row again, from the replica (29a, 29g: raw 500 although it is done)."""
        seen = self.replica_booking(row.uid)
        if seen is None:
            raise Raw(500, INTERNAL)
        return seen

    @contextmanager
    def writing(self, lag: float | None) -> Iterator[None]:
        """Within it, what this thread stores is seen by the replica `lag` seconds later (None: the world's own lag)."""
        self._local.lag = lag
        try:
            yield
        finally:
            self._local.lag = None

    def vanish(self, uid: str) -> None:
        """Take a row out of primary and replica, for tests: whoever asks for it hears 404 (incident 2025-11-23)."""
        with self.lock:
            for _, row in self._rows.pop(uid):
                if row.unique_key:
                    self._keys.pop(row.unique_key, None)

    def edit(self, uid: str, **changes: Any) -> Booking:
        """A hand in the database, for tests: any field of a booking, no rule asked, no webhook.

        The unique key follows, unless it is among the changes.
        """
        with self.lock:
            row = self.booking(uid)
            if row is None:
                raise KeyError(uid)
            edited = replace(row, **changes)
            if "unique_key" not in changes and edited.unique_key:
                edited = replace(edited, unique_key=unique_key(edited) if edited.status == "accepted" else None)
            return self.store(edited, touch="updated_at" not in changes)


def unique_key(row: Booking) -> str:
    """UUIDv5 of `<startMs>.<endMs>.<hostUserId>` (calcom.md 1.5 C)."""
    start, end = (int(t.timestamp() * 1000) for t in (row.start, row.end))
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{start}.{end}.{row.host_id}"))
