"""Who is free: what blocks a host, the bookable starts, and everything that is asked before an insert."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from . import slots as free_time
from .errors import (
    HOSTS_TAKEN,
    IN_THE_PAST,
    INTERNAL,
    NOT_BOOKABLE,
    USER_TAKEN,
    Raw,
    bad_request,
)
from .models import (
    EventType,
    Schedule,
)
from .state import State


class Diary(State):
    """The database, and what it says about free time."""

    # --- availability --------------------------------------------------------------------------------------

    def schedule_of(self, host_id: int, event_type: EventType) -> Schedule | None:
        user = self.users.get(host_id)
        wanted = event_type.schedule_id or (user.schedule_id if user else None)
        if wanted:
            return self.schedules.get(wanted)
        return next((s for s in self.schedules.values() if s.owner_id == host_id), None)

    def busy(
        self, host_id: int, event_type: EventType, *, ignore: str | None = None, before: datetime | None = None
    ) -> list[free_time.Interval]:
        """What blocks a host: accepted bookings of any event type, with buffers; reservations do not (21f).

        Pending ones block only for a type that says so, and only that type (23c, 31m, 31n).
        `before`: only what was written until then (for a stale list of slots).
        """
        host = self.users.get(host_id)
        found: list[free_time.Interval] = []
        for row in self.bookings():
            if row.uid == ignore or (before and row.created_at > before):
                continue
            if row.host_id != host_id and not (host and host.email in row.team_emails):
                continue
            blocking_pending = (
                row.status == "pending" and event_type.confirmation_blocks_slot and row.event_type_id == event_type.id
            )
            if row.status != "accepted" and not blocking_pending:
                continue
            other = self.event_type(row.event_type_id)
            earlier = (other.before_buffer if other else 0) + event_type.after_buffer
            later = (other.after_buffer if other else 0) + event_type.before_buffer
            found.append((row.start - timedelta(minutes=earlier), row.end + timedelta(minutes=later)))
        return found

    def host_free(
        self, host_id: int, event_type: EventType, start: datetime, end: datetime, *, ignore: str | None = None
    ) -> bool:
        schedule = self.schedule_of(host_id, event_type)
        if schedule is None or not free_time.covers(free_time.working_hours(schedule, start, end), start, end):
            return False
        return all(b <= start or a >= end for a, b in self.busy(host_id, event_type, ignore=ignore))

    def free_starts(
        self,
        event_type: EventType,
        start: datetime,
        end: datetime,
        *,
        length: int | None = None,
        ignore: str | None = None,
        cache_key: str | None = None,
        seconds_old: float = 0.0,
    ) -> list[datetime]:
        """Starts of bookable slots in `[start, end)`, ascending; cached for two seconds by the whole input (27*)."""
        cached = self.settings.slots_cache
        with self.lock:
            now = self.clock()
            hit = self._slot_cache.get(cache_key or "")
            age = now - hit[0] if hit else None
            if hit and age is not None and not seconds_old and timedelta(0) <= age < timedelta(seconds=cached):
                return hit[1]
            seen = now - timedelta(seconds=seconds_old) if seconds_old else None
            found = self._free_starts(event_type, start, end, length or event_type.length, ignore, seen)
            if cache_key:
                self._slot_cache[cache_key] = (now, found)
            return found

    def _free_starts(
        self,
        event_type: EventType,
        start: datetime,
        end: datetime,
        length: int,
        ignore: str | None,
        seen: datetime | None,
    ) -> list[datetime]:
        now = self.clock()
        earliest = max(start, now + timedelta(minutes=event_type.minimum_notice))
        latest = end
        if event_type.booking_window_days is not None:
            latest = min(end, now + timedelta(days=event_type.booking_window_days))
        if latest <= earliest:
            return []
        held = self._held(event_type, seen)
        per_host: list[list[free_time.Interval]] = []
        zone = ZoneInfo("UTC")
        for host_id in self.hosts(event_type):
            schedule = self.schedule_of(host_id, event_type)
            if schedule is None:
                per_host.append([])
                continue
            zone = ZoneInfo(schedule.time_zone)
            hours = free_time.intersect(free_time.working_hours(schedule, earliest, latest), [(earliest, latest)])
            per_host.append(free_time.subtract(hours, self.busy(host_id, event_type, ignore=ignore, before=seen)))
        if event_type.scheduling_type == "collective":
            together = per_host[0] if per_host else []
            for other in per_host[1:]:
                together = free_time.intersect(together, other)
            per_host = [together]
        step = event_type.slot_interval or length
        starts: set[datetime] = set()
        for free in per_host:
            starts.update(free_time.grid(free, length=length, step=step, zone=zone))
        return [s for s in sorted(starts) if all(b <= s or a >= s + timedelta(minutes=length) for a, b in held)]

    def _held(self, event_type: EventType, seen: datetime | None) -> list[free_time.Interval]:
        """Reservations hide their time, one's own too (27f), from all types of a user and from a whole team (24j-l)."""
        now = self.clock()
        hosts = self.hosts(event_type)
        return [
            (r.start, r.end)
            for r in self.reservations.values()
            if r.user_id in hosts and r.until > now and r.visible_at <= now and not (seen and r.visible_at > seen)
        ]

    # --- the check before an insert

    def check(
        self,
        event_type: EventType,
        start: datetime,
        length: int | None,
        email: str,
        *,
        team_text: bool,
        ignore: str | None = None,
    ) -> int:
        """All that is asked before the insert; the host who would get it. Raises what the API answers."""
        now = self.clock()
        end = start + timedelta(minutes=length or event_type.length)
        if start < now:
            raise bad_request(IN_THE_PAST)
        window = event_type.booking_window_days
        if start < now + timedelta(minutes=event_type.minimum_notice) or (
            window is not None and start > now + timedelta(days=window)
        ):
            raise bad_request(NOT_BOOKABLE)
        if not ignore:
            self._check_limits(event_type, start, email, now)
        hosts = self.hosts(event_type)
        free = [h for h in hosts if self.host_free(h, event_type, start, end, ignore=ignore)]
        if event_type.scheduling_type == "collective" and free and len(free) < len(hosts):
            raise Raw(500, INTERNAL)  # 31a: an engine code that nobody maps
        if not free:
            raise bad_request(HOSTS_TAKEN if event_type.team_id and team_text else USER_TAKEN)
        return min(free, key=lambda h: (self._load(h, event_type), hosts.index(h)))

    def _check_limits(self, event_type: EventType, start: datetime, email: str, now: datetime) -> None:
        same = [b for b in self.bookings() if b.event_type_id == event_type.id and b.live]
        most = event_type.max_active_per_attendee
        if most is not None:
            active = [b for b in same if b.end > now and any(a.email == email for a in b.attendees)]
            if len(active) >= most:
                raise bad_request(
                    "Attendee with this email can't book because the maximum number of active bookings "
                    "has been reached."
                )  # 31g
        if event_type.bookings_per_day is not None:
            schedule = self.schedule_of(self.hosts(event_type)[0], event_type)
            zone = ZoneInfo(schedule.time_zone if schedule else "UTC")
            day = start.astimezone(zone).date()
            if sum(b.start.astimezone(zone).date() == day for b in same) >= event_type.bookings_per_day:
                raise Raw(401, "booking_limit_reached")  # 20s: really a 401

    def _load(self, host_id: int, event_type: EventType) -> int:
        """Round robin gives to whoever has least (24a-24f, 25q)."""
        return sum(
            1
            for b in self.bookings()
            if b.host_id == host_id and b.event_type_id == event_type.id and b.status == "accepted"
        )
