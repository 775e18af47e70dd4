"""What the Cal.com stand-in's world is made of: plain data, buildable from JSON.

Field names are snake_case both here and in the JSON of `World.from_json` / `POST /_standin/setup`.
All instants are timezone-aware UTC datetimes; all lengths, notices and buffers are minutes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

Json = dict[str, Any]

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def parse_instant(text: str) -> datetime:
    """An ISO 8601 text as UTC. Without an offset it *is* UTC (captures 02c, 02d)."""
    moment = datetime.fromisoformat(text.strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)


def iso_millis(moment: datetime) -> str:
    """`2026-12-01T09:00:00.000Z`, the form of every instant in the API's answers (02a)."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A bearer token. `requests_per_minute`: None = the world's default, 0 = not limited."""

    key: str
    requests_per_minute: int | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class User:
    id: int
    name: str
    email: str
    username: str
    time_zone: str = "Europe/Berlin"
    api_keys: tuple[ApiKey, ...] = ()
    schedule_id: int | None = None
    """None = the user's first schedule."""
    locale: str = "en"


@dataclass(frozen=True, slots=True)
class Schedule:
    """Opening hours in the schedule's own zone."""

    id: int
    owner_id: int
    name: str
    time_zone: str = "Europe/Berlin"
    weekly: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """English weekday -> ("08:00", "18:00") pairs; a weekday not named is closed."""
    overrides: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """Local date "2026-12-24" -> pairs that replace the weekday's; () = closed."""


@dataclass(frozen=True, slots=True)
class Team:
    id: int
    slug: str
    name: str
    owner_id: int
    member_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class EventType:
    """A bookable service, of one user (`owner_id`) or of a team (`team_id`, `host_ids`, `scheduling_type`)."""

    id: int
    slug: str
    title: str
    length: int = 30
    lengths: tuple[int, ...] = ()
    """All lengths of a multi-duration type; `length` is the default (and what a reschedule resets to)."""
    owner_id: int | None = None
    team_id: int | None = None
    host_ids: tuple[int, ...] = ()
    scheduling_type: str | None = None
    """None, "roundRobin" or "collective"."""
    schedule_id: int | None = None
    requires_confirmation: bool = False
    confirmation_blocks_slot: bool = False
    minimum_notice: int = 120
    booking_window_days: int | None = None
    """None = unlimited, as in the captures (07d books five years ahead)."""
    before_buffer: int = 0
    after_buffer: int = 0
    slot_interval: int | None = None
    bookings_per_day: int | None = None
    max_active_per_attendee: int | None = None
    disable_cancelling: bool = False
    disable_rescheduling: bool = False
    email_required: bool = True
    phone_field: str = "hidden"
    """`attendeePhoneNumber`: "hidden" (not validated at all), "optional" or "required" (validated)."""
    required_fields: tuple[str, ...] = ()
    """Slugs of custom booking fields that must be answered."""
    location: str = "Salonstr. 1, Berlin"
    location_public: bool = False
    recurs_every_weeks: int | None = None
    made_by_api: bool = False
    """Types made through POST /v2/event-types list one more booking field and a label (34a)."""


@dataclass(frozen=True, slots=True)
class Attendee:
    name: str
    email: str
    time_zone: str
    language: str = "en"
    phone: str | None = None
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Booking:
    """One row. Never changed in place: the world replaces it, so that a lagging replica can keep the old one."""

    id: int
    uid: str
    event_type_id: int | None
    host_id: int
    title: str
    status: str
    """accepted | pending | cancelled | rejected."""
    start: datetime
    end: datetime
    created_at: datetime
    updated_at: datetime
    location: str
    attendees: tuple[Attendee, ...]
    responses: Mapping[str, Any]
    metadata: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    guests: tuple[str, ...] = ()
    team_emails: tuple[str, ...] = ()
    """Further hosts of a collective booking; they are listed as attendees (31b)."""
    cancellation_reason: str = ""
    rejection_reason: str | None = None
    rescheduling_reason: str | None = None
    rescheduled_by: str | None = None
    from_uid: str | None = None
    to_uid: str | None = None
    ics_uid: str = ""
    ics_sequence: int = 0
    absent_host: bool = False
    recurring_uid: str | None = None
    unique_key: str | None = None
    """The one database guard: uuid5 of start, end and host; only while accepted from birth (calcom.md 1.5 C)."""

    @property
    def minutes(self) -> int:
        return int((self.end - self.start) / timedelta(minutes=1))

    @property
    def live(self) -> bool:
        return self.status in ("accepted", "pending")


@dataclass(frozen=True, slots=True)
class Reservation:
    uid: str
    event_type_id: int
    user_id: int
    start: datetime
    end: datetime
    minutes: int
    """How long it is held."""
    until: datetime
    visible_at: datetime
    """When the read replica knows it (29k, 29l: two reservations of one slot inside the lag)."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A subscription. Scope: a user's own event types, one event type, or everything (both None)."""

    id: str
    url: str
    triggers: tuple[str, ...]
    active: bool = True
    secret: str | None = None
    user_id: int | None = None
    event_type_id: int | None = None
    payload_template: str | None = None


def _hours(table: Mapping[str, Any]) -> dict[str, tuple[tuple[str, str], ...]]:
    return {day: tuple((str(a), str(b)) for a, b in pairs) for day, pairs in table.items()}


def user_from_json(data: Json) -> User:
    keys = [
        ApiKey(**{**k, "expires_at": parse_instant(k["expires_at"]) if k.get("expires_at") else None})
        if isinstance(k, dict)
        else ApiKey(k)
        for k in [*data.get("api_keys", ()), *([data["api_key"]] if data.get("api_key") else ())]
    ]
    rest = {k: v for k, v in data.items() if k not in ("api_keys", "api_key")}
    return User(**rest, api_keys=tuple(keys))


def schedule_from_json(data: Json) -> Schedule:
    hours = {"weekly": _hours(data.get("weekly", {})), "overrides": _hours(data.get("overrides", {}))}
    return Schedule(**{**data, **hours})


def _frozen(data: Json) -> Json:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}


def team_from_json(data: Json) -> Team:
    return Team(**_frozen(data))


def event_type_from_json(data: Json) -> EventType:
    return EventType(**_frozen(data))


def to_json(thing: Any) -> Any:
    """Any of the records above as JSON values (instants as ISO text)."""
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        return {f.name: to_json(getattr(thing, f.name)) for f in dataclasses.fields(thing)}
    if isinstance(thing, datetime):
        return iso_millis(thing)
    if isinstance(thing, Mapping):
        return {k: to_json(v) for k, v in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [to_json(v) for v in thing]
    return thing
