"""A tenant document as the world of Cal.com's stand-in: its stylists, their hours, an event type per service."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

Json = dict[str, Any]
Hours = Mapping[str, Sequence[tuple[str, str]]]
"""English weekday, or date, to the ("09:00", "18:00") that it is open."""

ORDINARY_WEEK: Hours = {day: [("09:00", "18:00")] for day in ("Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")}
DAYS_OF_CUSTOMERS = 21
SALON_TEAM = 1
"""The account whose key we have owns it, and so sees in its list what each of the stylists has (18a, 37f)."""
_NAMES = ("Anna Vogt", "Bernd Lang", "Carla Roth", "Dieter Kuhn", "Elke Simon", "Frank Busch", "Gerda Pohl")


def world(
    tenant: Json,
    *,
    api_key: str,
    weekly: Hours = ORDINARY_WEEK,
    on: Hours | None = None,
    teams: Mapping[int, int] | None = None,
    every: int | None = None,
    requests_per_minute: int | None = None,
) -> Json:
    """What `POST /_standin/setup` takes. `on` replaces the week on single dates; `teams`: event type to its team;
    `every`: minutes from one start on sale to the next, by default the length; `requests_per_minute`: 0 for no limit.
    """
    zone, staff = tenant["zone"], {each["id"]: each for each in tenant["staff"]}
    users = [
        {
            "id": each["calcom_user"],
            "name": each["name"],
            "email": f"{each['id']}@{tenant['id']}.example",
            "username": each["id"],
            "time_zone": zone,
            "schedule_id": each["calcom_user"],
            "api_keys": [],
        }
        for each in staff.values()
    ]
    users[0]["api_keys"] = [api_key]
    hours = {"weekly": _pairs(weekly), "overrides": _pairs(on or {})}
    schedules = [
        {"id": user["id"], "owner_id": user["id"], "name": "Arbeitszeit", "time_zone": zone} | hours for user in users
    ]
    owners = {each["id"]: each["calcom_user"] for each in staff.values()}
    grid = {} if every is None else {"slot_interval": every}
    event_types = [_event_type(kind, minutes, owners[who], teams or {}) | grid for kind, minutes, who in _kinds(tenant)]
    teams_there = [
        {
            "id": team,
            "slug": f"team-{team}",
            "name": tenant["name"],
            "owner_id": users[0]["id"],
            "member_ids": [*owners.values()],
        }
        for team in sorted({*(teams or {}).values()} or {SALON_TEAM})
    ]
    limit = {} if requests_per_minute is None else {"settings": {"requests_per_minute": requests_per_minute}}
    return {"users": users, "schedules": schedules, "event_types": event_types, "teams": teams_there} | limit


def customers(tenant: Json, *, now: datetime, seed: int = 7) -> Iterator[Json]:
    """Bookings of the public page for the next weeks, so that the salon is not empty: bodies of a public booking."""
    chance, zone = random.Random(seed), ZoneInfo(tenant["zone"])
    kinds = {who: kind for kind, minutes, who in _kinds(tenant) if minutes <= 30}
    for ahead in range(1, DAYS_OF_CUSTOMERS):
        day = (now.astimezone(zone) + timedelta(days=ahead)).date()
        if f"{day:%A}" not in ORDINARY_WEEK:
            continue
        for kind in kinds.values():
            for hour in sorted(chance.sample(range(9, 18), 3)):
                start = datetime.combine(day, time(hour, chance.choice((0, 30))), zone)
                yield public_booking(kind, start, name=chance.choice(_NAMES))


def public_booking(kind: int, start: datetime, *, name: str, email: str | None = None, **more: Any) -> Json:
    """A booking that somebody makes on the public page."""
    address = email or f"{name.lower().replace(' ', '.')}@web.example"
    attendee = {"name": name, "email": address, "timeZone": "Europe/Berlin", "language": "de"}
    return {
        "eventTypeId": kind,
        "start": start.astimezone(UTC).isoformat(),
        "attendee": attendee,
        "force": True,
    } | more


def _kinds(tenant: Json) -> Iterator[tuple[int, int, str]]:
    """Every event type: its id, its minutes, whose it is."""
    for service in tenant["services"]:
        for part in service.get("segments", [service]):
            for who, kind in part.get("event_types", {}).items():
                yield kind, part["minutes"], who


def _event_type(kind: int, minutes: int, owner: int, teams: Mapping[int, int]) -> Json:
    whose: Json = {"owner_id": owner}
    if kind in teams:
        whose = {"team_id": teams[kind], "host_ids": [owner], "scheduling_type": "roundRobin"}
    return {"id": kind, "slug": f"type-{kind}", "title": f"Termin {kind}", "length": minutes} | whose


def _pairs(hours: Hours) -> Json:
    return {day: [list(pair) for pair in pairs] for day, pairs in hours.items()}
