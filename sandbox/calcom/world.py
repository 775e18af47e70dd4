"""Book, move, cancel, confirm: the rules of Cal.com's booking engine, without HTTP.

As careless as the original where that matters: a write *checks*, waits `check_to_insert_gap` seconds without any
lock, and then *inserts*; the only guard of the database is the unique key over start, end and host of bookings
born accepted (calcom-observed.md 1, captures 22*). `diary.py` has the check, `state.py` the rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from .diary import Diary
from .errors import (
    Enveloped,
    Raw,
    Short,
    bad_request,
    not_found,
)
from .models import (
    Attendee,
    Booking,
    EventType,
    Json,
    Reservation,
    User,
    iso_millis,
)
from .state import Settings, unique_key, utc_now

__all__ = ["NO_TWEAKS", "NewBooking", "Settings", "Tweaks", "World", "utc_now"]


@dataclass(frozen=True, slots=True)
class NewBooking:
    """A valid wish to book."""

    event_type: EventType
    start: datetime
    attendee: Attendee
    responses: Json
    metadata: Json
    length: int | None = None
    guests: tuple[str, ...] = ()
    recurrence_count: int | None = None
    recurring_uid: str | None = None


@dataclass(frozen=True, slots=True)
class Tweaks:
    """What a fault changes in the effect of one request."""

    longer_by: int = 0
    """Minutes the stored booking is longer than it should be."""
    host_id: int | None = None
    wrong_host: bool = False
    drop_metadata: bool = False
    replica_lag: float | None = None
    return_existing: bool = False
    existing_uid: str | None = None
    stale_slots: float = 0.0
    """Slots as they were this many seconds ago."""


NO_TWEAKS = Tweaks()


class World(Diary):
    """What may be done to the bookings, and what becomes of them. Thread-safe."""

    # --- booking -------------------------------------------------------------------------------------------

    def create(self, wish: NewBooking, tweaks: Tweaks = NO_TWEAKS) -> list[Booking]:
        """Book. One booking, or as many as a recurring type makes; an old one where Cal.com returns the old one."""
        if wish.event_type.recurs_every_weeks and wish.recurrence_count:
            with self.lock:
                series = self.ids.uuid()
            made: list[Booking] = []
            for n in range(wish.recurrence_count):
                start = wish.start + timedelta(weeks=n * wish.event_type.recurs_every_weeks)
                made += self.create(replace(wish, start=start, recurrence_count=None, recurring_uid=series), tweaks)
            return made
        with self.lock:
            old = self._existing(wish)
            if old is not None:
                return [old]
            host_id = self.check(wish.event_type, wish.start, wish.length, wish.attendee.email, team_text=True)
        self.sleep(self.settings.check_to_insert_gap)
        with self.writing(tweaks.replica_lag), self.lock:
            status = "pending" if wish.event_type.requires_confirmation else "accepted"
            row = self._row(wish, tweaks, host_id, status)
            self.insert(row)
        self._tell("BOOKING_REQUESTED" if status == "pending" else "BOOKING_CREATED", row)
        return [self.reread(row)]

    def _existing(self, wish: NewBooking) -> Booking | None:
        """The repeat rule (calcom.md 1.5 A): same type, start and attendee, as typed (23b, 24b, 24f)."""
        status = (
            "pending"
            if wish.event_type.requires_confirmation
            else "accepted"
            if wish.event_type.scheduling_type == "roundRobin"
            else None
        )
        for row in self.bookings():
            if (
                row.status == status
                and row.event_type_id == wish.event_type.id
                and row.start == wish.start
                and any(
                    a.email == wish.attendee.email and wish.attendee.phone in (None, a.phone) for a in row.attendees
                )
            ):
                return row
        return None

    def existing_at(self, event_type: EventType, start: datetime, uid: str | None) -> Booking | None:
        """For the fault "an existing booking comes back as the new one" (incident 2025-10-06)."""
        if uid:
            return self.booking(uid)
        rows = [b for b in self.bookings() if b.event_type_id == event_type.id and b.start == start and b.live]
        return rows[0] if rows else None

    def _row(self, wish: NewBooking, tweaks: Tweaks, host_id: int, status: str) -> Booking:
        event_type = wish.event_type
        if tweaks.host_id is not None:
            host_id = tweaks.host_id
        elif tweaks.wrong_host:
            host_id = next((u for u in self.users if u != host_id), host_id)
        length = (wish.length or event_type.length) + tweaks.longer_by
        host, uid, now = self.users[host_id], self.ids.uid(), self.clock()
        team = self.teams.get(event_type.team_id or 0)
        collective = event_type.scheduling_type == "collective"
        others = [self.users[h] for h in event_type.host_ids if h != host_id] if collective else []
        people = (
            wish.attendee,
            *(Attendee("", g, wish.attendee.time_zone) for g in wish.guests),
            *(Attendee(o.name, o.email, o.time_zone, o.locale) for o in others),
        )
        by = team.name if team and collective else host.name
        return Booking(
            id=0,
            uid=uid,
            event_type_id=event_type.id,
            host_id=host_id,
            title=f"{event_type.title} between {by} and {wish.attendee.name}",
            status=status,
            start=wish.start,
            end=wish.start + timedelta(minutes=length),
            created_at=now,
            updated_at=now,
            location=wish.metadata.get("videoCallUrl") or event_type.location,
            attendees=people,
            responses=wish.responses,
            metadata={} if tweaks.drop_metadata else dict(wish.metadata),
            description=str(wish.responses.get("notes") or ""),
            guests=wish.guests,
            team_emails=tuple(o.email for o in others),
            ics_uid=f"{uid}@Cal.com",
            recurring_uid=wish.recurring_uid,
        )

    def _tell(self, trigger: str, row: Booking, **extra: Any) -> None:
        """Fire a webhook, outside the lock: an inline delivery may call back into the API."""
        self.on_event(trigger, self.booking(row.uid) or row, self.event_type(row.event_type_id), extra)

    # --- what becomes of it --------------------------------------------------------------------------------

    def reschedule(
        self,
        uid: str,
        start: datetime,
        *,
        reason: str | None = None,
        by: str | None = None,
        caller: User | None = None,
        tweaks: Tweaks = NO_TWEAKS,
    ) -> Booking:
        """A new booking with a new uid and the type's default length; the old one cancelled (19*, 23l, 23q)."""
        known = self.replica_booking(uid)
        if known is None:
            raise not_found(f"Booking with uid={uid} was not found in the database")
        if known.status == "cancelled":
            raise bad_request(_cannot_reschedule(known))
        event_type = self.event_type(known.event_type_id)
        if event_type is None:
            raise not_found(f"Booking with uid={uid} is missing event type")
        with self.lock:
            old = self.booking(uid)
            if old is None or old.status == "rejected":
                raise Raw(404, "Could not find original booking")  # 25i2
            if old.status == "cancelled" and not old.to_uid:
                raise Raw(400, "cancelled_bookings_cannot_be_rescheduled")  # 22b-cancel-vs-reschedule
            host_id = self.check(event_type, start, None, "", team_text=False, ignore=uid)
        self.sleep(self.settings.check_to_insert_gap)
        with self.writing(tweaks.replica_lag), self.lock:
            old = self.booking(uid) or old
            if old.status == "cancelled" and not old.to_uid:
                raise Raw(400, "cancelled_bookings_cannot_be_rescheduled")
            owner = caller is not None and caller.id in (event_type.owner_id, old.host_id)
            status = "pending" if event_type.requires_confirmation and not owner else "accepted"
            attendee = old.attendees[0]
            responses = dict(old.responses)
            if reason:
                responses["rescheduledReason"] = reason
            wish = NewBooking(event_type, start, attendee, responses, dict(old.metadata), guests=old.guests)
            draft = self._row(wish, tweaks, host_id, status)
            new = replace(
                draft,
                location=old.location,
                from_uid=uid,
                rescheduling_reason=reason,
                cancellation_reason=(reason or "") if self.settings.cancellation_reason_on_reschedule else "",
                rescheduled_by=by,
                ics_uid=old.ics_uid,
                ics_sequence=old.ics_sequence + 1,
            )
            self.insert(new, replacing=uid)
            # Old and new change in one transaction; whoever comes second simply makes a second new booking.
            self.store(replace(old, status="cancelled", to_uid=new.uid, rescheduled_by=by, unique_key=None), touch=True)
        trigger = "BOOKING_REQUESTED" if status == "pending" else "BOOKING_RESCHEDULED"
        self._tell(trigger, new, old=old)
        return self.reread(new)

    def cancel(
        self, uid: str, *, reason: str | None, caller: User | None = None, tweaks: Tweaks = NO_TWEAKS
    ) -> Booking:
        """Cancel; the webhook goes out *before* the row changes (25d), and racing cancels all succeed (22b)."""
        known = self.replica_booking(uid)
        if known is None:
            raise not_found(f"Booking with uid={uid} not found")
        if known.status == "cancelled":
            raise bad_request(
                f"Can't cancel booking with uid={uid} because it has been cancelled already. "
                "Please provide uid of a booking that is not cancelled."
            )
        row = self.booking(uid) or known
        if row.status == "cancelled":
            raise Raw(400, "This booking has already been cancelled.")  # 29j
        event_type = self.event_type(row.event_type_id)
        if event_type and event_type.disable_cancelling:
            raise Raw(400, "This event type does not allow cancellations")
        if row.end < self.clock():
            raise Raw(400, "Cannot cancel a booking that has already ended")
        if caller is not None and caller.id == row.host_id and not reason:
            raise Raw(400, "Cancellation reason is required when you are the host")
        self.sleep(self.settings.check_to_insert_gap)
        self._tell("BOOKING_CANCELLED", row, reason=reason)
        with self.writing(tweaks.replica_lag), self.lock:
            row = self.booking(uid) or row
            self.store(
                replace(
                    row,
                    status="cancelled",
                    cancellation_reason=reason or "",
                    unique_key=None,
                    ics_sequence=row.ics_sequence + 1,
                ),
                touch=True,
            )
        return self.replica_booking(uid) or row  # 29i: a lagging replica answers 200 with "accepted"

    def confirm(self, uid: str, caller: User, tweaks: Tweaks = NO_TWEAKS) -> Booking:
        """PENDING or REJECTED becomes ACCEPTED, whoever else has the slot by now (23d-23j)."""
        return self._decide(uid, caller, "accepted", None, tweaks)

    def decline(self, uid: str, caller: User, reason: str | None, tweaks: Tweaks = NO_TWEAKS) -> Booking:
        return self._decide(uid, caller, "rejected", reason, tweaks)

    def _decide(self, uid: str, caller: User, status: str, reason: str | None, tweaks: Tweaks) -> Booking:
        row = self.booking(uid)
        if row is None:
            raise not_found(f"Booking with uid={uid} was not found in the database")
        event_type = self.event_type(row.event_type_id)
        if caller.id not in (row.host_id, event_type.owner_id if event_type else None):
            raise Short(401, "TRPCError", "You are not authorized to access this resource")  # 23t
        if row.status in ("accepted", "cancelled"):
            raise Short(400, "TRPCError", "Bad request: Please check your request data and try again")  # 23e
        self.sleep(self.settings.check_to_insert_gap)
        with self.writing(tweaks.replica_lag), self.lock:
            row = self.booking(uid) or row
            # No unique key: PENDING -> ACCEPTED is unguarded (calcom.md 1.5 C).
            self.store(replace(row, status=status, rejection_reason=reason or row.rejection_reason), touch=True)
        if status == "accepted":
            self._tell("BOOKING_CREATED", row, confirmed=True)
        else:
            self._tell("BOOKING_REJECTED", row, reason=reason)
        return self.replica_booking(uid) or row

    def mark_absent(self, uid: str, *, host: bool | None, attendees: list[Json], tweaks: Tweaks = NO_TWEAKS) -> Booking:
        row = self.booking(uid)
        if row is None:
            raise not_found(f"Booking with uid={uid} not found")
        now = self.clock()
        if row.start > now:
            raise bad_request(
                "Bookings can only be marked as absent after their scheduled start time. "
                f"Current time in UTC+0: {iso_millis(now)}, Booking start time in UTC+0: {iso_millis(row.start)}"
            )
        absent = {str(a.get("email")): bool(a.get("absent")) for a in attendees}
        if set(absent) - {a.email for a in row.attendees}:
            raise Raw(500, "Failed to update no-show status")  # 20o
        with self.writing(tweaks.replica_lag), self.lock:
            people = tuple(replace(a, absent=absent.get(a.email, a.absent)) for a in row.attendees)
            # updatedAt moves for the host only, not for an attendee (25n, 25n2).
            changed = replace(row, attendees=people, absent_host=row.absent_host if host is None else host)
            self.store(changed, touch=host is not None)
        if absent:
            self._tell("BOOKING_NO_SHOW_UPDATED", changed, absent=absent)
        return self.replica_booking(uid) or changed

    def reassign(self, uid: str, caller: User, tweaks: Tweaks = NO_TWEAKS) -> Booking:
        """Round robin only: give it to another host who is free (24g). The uid stays."""
        row = self.booking(uid)
        if row is None:
            raise not_found(f"Booking with uid={uid} was not found in the database")
        event_type = self.event_type(row.event_type_id)
        team = self.teams.get(event_type.team_id or 0) if event_type else None
        if team is None or event_type is None or caller.id not in (team.owner_id, row.host_id):
            raise Enveloped(403, "You do not have permission to reassign this booking")
        others = [
            h
            for h in event_type.host_ids
            if h != row.host_id and self.host_free(h, event_type, row.start, row.end, ignore=uid)
        ]
        if not others:
            raise bad_request("Can't reassign the booking because no other host is available at that time.")
        with self.writing(tweaks.replica_lag), self.lock:
            moved = replace(row, host_id=others[0])
            self.store(replace(moved, unique_key=unique_key(moved)), touch=True)
        return moved

    def hand_over(self, uid: str, host_id: int) -> Booking:
        """The salon gives a booking to a host of its choice, as the hosted service can. The uid stays."""
        with self.lock:
            row = self.booking(uid)
            if row is None:
                raise not_found(f"Booking with uid={uid} was not found in the database")
            if host_id not in self.users:
                raise bad_request(f"There is no user {host_id}")
            moved = replace(row, host_id=host_id)
            self.store(replace(moved, unique_key=unique_key(moved) if row.unique_key else None), touch=True)
        self._tell("BOOKING_REASSIGNED", moved, added=[host_id], removed=[row.host_id])
        return moved

    # --- reservations --------------------------------------------------------------------------------------

    def reserve(
        self,
        event_type_id: int,
        start: datetime,
        *,
        length: int | None,
        minutes: int,
        uid: str | None = None,
        tweaks: Tweaks = NO_TWEAKS,
    ) -> Reservation:
        """Hold a slot, or move the hold `uid`. Working hours, past and other types are not asked (21r, 21s, 21h2)."""
        event_type = self.event_type(event_type_id)
        if event_type is None:
            raise not_found(f"Event Type with ID={event_type_id} not found")
        if length is not None and not event_type.lengths:
            raise bad_request("You passed 'slotDuration' but this event type is not a variable length event type.")
        if length is not None and length not in event_type.lengths:
            possible = ", ".join(str(n) for n in event_type.lengths)
            raise bad_request(
                f"Provided 'slotDuration' is not one of the possible lengths for the event type. "
                f"The possible lengths are: {possible}"
            )
        end = start + timedelta(minutes=length or event_type.length)
        with self.lock:
            now = self.clock()
            if uid and uid not in self.reservations:
                raise not_found(f"Slot with uid={uid} not found")
            for row in self.replica_bookings():
                if row.live and row.event_type_id == event_type_id and row.start < end and row.end > start:
                    raise Enveloped(422, "Can't reserve a slot if the event is already booked.")
            clashes = [
                r
                for r in self.reservations.values()
                if r.event_type_id == event_type_id
                and r.until > now
                and r.visible_at <= now
                and r.start < end
                and r.end > start
            ]
        if len(clashes) >= (len(event_type.host_ids) if event_type.scheduling_type == "roundRobin" else 1):
            raise Enveloped(422, "This time slot is already reserved by another user. Please choose a different time.")
        self.sleep(self.settings.check_to_insert_gap)  # 22b-reserve: check and insert race here too
        with self.lock:
            lag = self.settings.replica_lag if tweaks.replica_lag is None else tweaks.replica_lag
            reservation = Reservation(
                uid=uid or self.ids.uuid(),
                event_type_id=event_type_id,
                user_id=self.hosts(event_type)[0],
                start=start,
                end=end,
                minutes=minutes,
                until=self.clock() + timedelta(minutes=minutes),
                visible_at=self.clock() + timedelta(seconds=lag),
            )
            self.reservations[reservation.uid] = reservation
            return reservation

    def reservation(self, uid: str) -> Reservation | None:
        with self.lock:
            found = self.reservations.get(uid)
            return found if found and found.until > self.clock() else None

    def release(self, uid: str) -> None:
        with self.lock:
            self.reservations.pop(uid, None)


def _cannot_reschedule(row: Booking) -> str:
    if row.to_uid:  # 19d
        return (
            f"Can't reschedule booking with uid={row.uid} because it has been cancelled and rescheduled already to "
            f"booking with uid={row.to_uid}. You probably want to reschedule {row.to_uid} instead by passing it "
            "within the request URL."
        )
    return (  # 19j
        f"Can't reschedule booking with uid={row.uid} because it has been cancelled. "
        "Please provide uid of a booking that is not cancelled."
    )
