"""How the world's rows look in the API's answers: field names, types and key presence as captured."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from .models import WEEKDAYS, Booking, EventType, Json, Reservation, Schedule, User, Webhook, iso_millis
from .world import World

_DEFAULT_FIELDS = (
    ("radioInput", "location"),
    ("textarea", "notes"),
    ("multiemail", "guests"),
    ("textarea", "rescheduleReason"),
)


def booking(world: World, row: Booking) -> Json:
    """A booking as version 2024-08-13 shows it (02a, 19a-19c, 31d, 35d)."""
    host = world.users.get(row.host_id)
    event_type = world.event_type(row.event_type_id)
    main = row.attendees[0]
    fields: Json = {"email": main.email, "name": main.name}
    if main.phone:
        fields["attendeePhoneNumber"] = main.phone
    if row.guests:
        fields["guests"] = list(row.guests)
    fields.update(row.responses)
    fields["displayEmail"] = main.email
    if row.guests:
        fields["displayGuests"] = list(row.guests)
    shown: Json = {
        "id": row.id,
        "uid": row.uid,
        "title": row.title,
        "description": row.description,
        "hosts": [_host(host)],
        "status": row.status,
        "cancellationReason": row.cancellation_reason,
        "cancelledByEmail": "",
        "rescheduledByEmail": row.rescheduled_by,
        "start": iso_millis(row.start),
        "end": iso_millis(row.end),
        "duration": row.minutes,
        "eventTypeId": event_type.id if event_type else None,
        "eventType": {"id": event_type.id, "slug": event_type.slug} if event_type else None,
        "meetingUrl": row.location,
        "location": row.location,
        "absentHost": row.absent_host,
        "createdAt": iso_millis(row.created_at),
        "updatedAt": iso_millis(row.updated_at),
        # jsonb keeps no key order, so nobody may rely on one: shortest key first, as PostgreSQL does.
        "metadata": {
            k: v for k, v in sorted(row.metadata.items(), key=lambda kv: (len(kv[0]), kv[0])) if k != "videoCallUrl"
        },
        "rating": None,
        "icsUid": row.ics_uid,
        "attendees": [_attendee(a) for a in row.attendees],
        "bookingFieldsResponses": fields,
    }
    if row.recurring_uid:
        del shown["rescheduledByEmail"]  # 31d
        shown["recurringBookingUid"] = row.recurring_uid
    if row.guests:
        shown["guests"] = list(row.guests)
    for name, value in (
        ("reschedulingReason", row.rescheduling_reason),
        ("rescheduledFromUid", row.from_uid),
        ("rescheduledToUid", row.to_uid),
    ):
        if value:
            shown[name] = value
    return shown


def _host(user: User | None) -> Json:
    if user is None:  # calcom.md 1.3: the text "unknown" when the booking has no user row
        return {
            "id": "unknown",
            "name": "unknown",
            "email": "unknown",
            "displayEmail": "unknown",
            "username": "unknown",
            "timeZone": "unknown",
        }
    return {
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "displayEmail": user.email,
        "username": user.username,
        "timeZone": user.time_zone,
    }


def _attendee(person: Any) -> Json:
    shown = {
        "name": person.name,
        "email": person.email,
        "displayEmail": person.email,
        "timeZone": person.time_zone,
        "language": person.language,
        "absent": person.absent,
    }
    return {**shown, "phoneNumber": person.phone} if person.phone else shown


def legacy_responses(row: Booking) -> Json:
    main = row.attendees[0]
    phone = {"attendeePhoneNumber": main.phone} if main.phone else {}
    guests = {"guests": list(row.guests)} if row.guests else {}
    return {"name": main.name, "email": main.email, **phone, **guests, **row.responses}


def legacy_booking(world: World, row: Booking) -> Json:
    """GET of one booking without a version header (14c)."""
    event_type, host, main = world.event_type(row.event_type_id), world.users[row.host_id], row.attendees[0]
    return {
        "title": row.title,
        "id": row.id,
        "uid": row.uid,
        "description": row.description,
        "customInputs": {},
        "smsReminderNumber": None,
        "recurringEventId": row.recurring_uid,
        "startTime": iso_millis(row.start),
        "endTime": iso_millis(row.end),
        "location": row.location,
        "status": row.status.upper(),
        "metadata": dict(row.metadata),
        "cancellationReason": row.cancellation_reason or None,
        "cancelledBy": None,
        "responses": legacy_responses(row),
        "rejectionReason": row.rejection_reason,
        "userPrimaryEmail": host.email,
        "fromReschedule": row.from_uid,
        "rescheduled": True if row.to_uid else None,
        "rescheduledBy": row.rescheduled_by,
        "user": {
            "id": host.id,
            "name": host.name,
            "email": host.email,
            "username": host.username,
            "timeZone": host.time_zone,
            "avatarUrl": None,
        },
        "attendees": [{"name": main.name, "email": main.email, "timeZone": main.time_zone, "phoneNumber": main.phone}],
        "eventTypeId": row.event_type_id,
        "eventType": {
            "eventName": None,
            "slug": event_type.slug,
            "timeZone": None,
            "schedulingType": _scheduling(event_type),
            "hideOrganizerEmail": False,
        }
        if event_type
        else None,
        "seatsReferences": [],
        "tracking": None,
    }


def legacy_list_item(world: World, row: Booking) -> Json:
    """An item of the list without a version header (14b)."""
    event_type, host, main = world.event_type(row.event_type_id), world.users[row.host_id], row.attendees[0]
    kind: Json | None = None
    if event_type:
        kind = {
            "slug": event_type.slug,
            "id": event_type.id,
            "title": event_type.title,
            "eventName": None,
            "price": 0,
            "recurringEvent": None,
            "currency": "usd",
            "metadata": {},
            "disableGuests": False,
            "bookingFields": None,
            "seatsPerTimeSlot": None,
            "seatsShowAttendees": False,
            "seatsShowAvailabilityCount": True,
            "eventTypeColor": None,
            "customReplyToEmail": None,
            "allowReschedulingPastBookings": False,
            "hideOrganizerEmail": False,
            "disableCancelling": event_type.disable_cancelling,
            "disableRescheduling": event_type.disable_rescheduling,
            "minimumRescheduleNotice": None,
            "teamId": event_type.team_id,
            "parentId": None,
            "schedulingType": _scheduling(event_type),
            "hosts": [],
            "length": event_type.length,
            "team": None,
            "hostGroups": [],
        }
    return {
        "id": row.id,
        "title": row.title,
        "userPrimaryEmail": host.email,
        "description": row.description,
        "customInputs": {},
        "startTime": iso_millis(row.start),
        "createdAt": iso_millis(row.created_at),
        "updatedAt": iso_millis(row.updated_at),
        "endTime": iso_millis(row.end),
        "metadata": dict(row.metadata),
        "uid": row.uid,
        "responses": legacy_responses(row),
        "recurringEventId": row.recurring_uid,
        "location": row.location,
        "status": row.status.upper(),
        "paid": False,
        "fromReschedule": row.from_uid,
        "rescheduled": True if row.to_uid else None,
        "rescheduledBy": row.rescheduled_by,
        "cancelledBy": None,
        "isRecorded": False,
        "cancellationReason": row.cancellation_reason or None,
        "rejectionReason": row.rejection_reason,
        "routedFromRoutingFormReponse": None,
        "eventType": kind,
        "references": [],
        "payment": [],
        "user": {
            "id": host.id,
            "name": host.name,
            "email": host.email,
            "avatarUrl": None,
            "username": host.username,
            "timeZone": host.time_zone,
        },
        "attendees": [
            {
                "id": row.id,
                "email": main.email,
                "name": main.name,
                "timeZone": main.time_zone,
                "bookingId": row.id,
                "locale": main.language,
                "phoneNumber": main.phone,
                "noShow": main.absent,
                "user": {"name": None, "email": main.email, "avatarUrl": None, "username": None},
            }
        ],
        "seatsReferences": [],
        "assignmentReason": [],
        "report": None,
        "rescheduler": None,
    }


def _scheduling(event_type: EventType) -> str | None:
    return {"roundRobin": "ROUND_ROBIN", "collective": "COLLECTIVE"}.get(event_type.scheduling_type or "")


def slot_days(starts: list[datetime], length_of_slot: Any, zone_name: str, with_end: bool) -> Json:
    """`{local date: [{start, end?}]}`, times in the zone asked for (01a, 01b, 01c)."""
    zone = ZoneInfo(zone_name)
    days: Json = {}
    for start in starts:
        slot = {"start": _local(start, zone)}
        if with_end:
            slot["end"] = _local(start + length_of_slot, zone)
        days.setdefault(start.astimezone(zone).date().isoformat(), []).append(slot)
    return days


def _local(moment: datetime, zone: ZoneInfo) -> str:
    if zone.key in ("UTC", "Etc/UTC"):
        return iso_millis(moment)
    return moment.astimezone(zone).isoformat(timespec="milliseconds")


def reservation(row: Reservation) -> Json:
    return {
        "eventTypeId": row.event_type_id,
        "slotStart": iso_millis(row.start),
        "slotEnd": iso_millis(row.end),
        "slotDuration": int((row.end - row.start).total_seconds() // 60),
        "reservationUid": row.uid,
        "reservationDuration": row.minutes,
        "reservationUntil": iso_millis(row.until),
    }


def me(world: World, user: User) -> Json:
    schedule = next((s for s in world.schedules.values() if s.owner_id == user.id), None)
    return {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "avatarUrl": None,
        "bio": None,
        "timeFormat": 24,
        "defaultScheduleId": user.schedule_id or (schedule.id if schedule else None),
        "weekStart": "Monday",
        "timeZone": user.time_zone,
        "username": user.username,
        "organizationId": None,
    }


def schedule(row: Schedule, *, default: bool) -> Json:
    """Days with the same hours together, as 17k."""
    days: dict[tuple[str, str], list[str]] = {}
    for day in WEEKDAYS:
        for pair in row.weekly.get(day, ()):
            days.setdefault(pair, []).append(day)
    return {
        "id": row.id,
        "ownerId": row.owner_id,
        "name": row.name,
        "timeZone": row.time_zone,
        "availability": [{"days": d, "startTime": a, "endTime": b} for (a, b), d in days.items()],
        "isDefault": default,
        "overrides": [
            {"date": date, "startTime": a, "endTime": b}
            for date, pairs in row.overrides.items()
            for a, b in pairs or (("00:00", "00:00"),)
        ],
    }


def event_type(world: World, kind: EventType) -> Json:
    """An event type as version 2024-06-14 shows it (17g, 34a)."""
    owner = world.users.get(kind.owner_id or 0)
    users = (
        [
            {
                "id": owner.id,
                "name": owner.name,
                "username": owner.username,
                "avatarUrl": None,
                "brandColor": None,
                "darkBrandColor": None,
                "weekStart": "Monday",
                "metadata": {},
            }
        ]
        if owner
        else []
    )
    always = {"type": "always", "blockUnconfirmedBookingsInBooker": kind.confirmation_blocks_slot}
    window = {"type": "calendarDays", "value": kind.booking_window_days, "rolling": True}
    limit = {"maximumActiveBookings": kind.max_active_per_attendee, "offerReschedule": False}
    disabled = {"disabled": True}
    shown: Json = {"id": kind.id, "ownerId": kind.owner_id, "lengthInMinutes": kind.length}
    if kind.lengths:
        shown["lengthInMinutesOptions"] = list(kind.lengths)
    shown |= {
        "title": kind.title,
        "slug": kind.slug,
        "description": "",
        "locations": [{"type": "address", "address": kind.location, "public": kind.location_public}],
        "bookingFields": _booking_fields(kind),
        "recurrence": {"interval": kind.recurs_every_weeks, "occurrences": 12, "frequency": "weekly"}
        if kind.recurs_every_weeks
        else None,
        "disableGuests": False,
        "slotInterval": kind.slot_interval,
        "minimumBookingNotice": kind.minimum_notice,
        "beforeEventBuffer": kind.before_buffer,
        "afterEventBuffer": kind.after_buffer,
        "metadata": {"multipleDuration": list(kind.lengths)} if kind.lengths else {},
        "price": 0,
        "currency": "usd",
        "lockTimeZoneToggleOnBookingPage": False,
        "forwardParamsSuccessRedirect": True,
        "successRedirectUrl": None,
        "isInstantEvent": False,
        "users": users,
        "scheduleId": kind.schedule_id,
    }
    if kind.bookings_per_day is not None:
        shown["bookingLimitsCount"] = {"day": kind.bookings_per_day}
    return shown | {
        "onlyShowFirstAvailableSlot": False,
        "offsetStart": 0,
        "bookingWindow": disabled if kind.booking_window_days is None else window,
        "confirmationPolicy": always if kind.requires_confirmation else disabled,
        "requiresBookerEmailVerification": False,
        "hideCalendarNotes": False,
        "seats": {"disabled": True},
        "useDestinationCalendarEmail": False,
        "hideCalendarEventDetails": False,
        "hideOrganizerEmail": False,
        "calVideoSettings": {"sendTranscriptionEmails": True},
        "hidden": False,
        "bookingRequiresAuthentication": False,
        "bookerActiveBookingsLimit": disabled if kind.max_active_per_attendee is None else limit,
        "bookingUrl": f"https://cal.com/{owner.username if owner else 'team'}/{kind.slug}",
        "disableCancelling": {"disabled": kind.disable_cancelling},
        "disableRescheduling": {"disabled": kind.disable_rescheduling},
        "interfaceLanguage": None,
        "allowReschedulingPastBookings": False,
        "allowReschedulingCancelledBookings": False,
        "showOptimizedSlots": False,
    }


def _booking_fields(kind: EventType) -> list[Json]:
    name: Json = {"isDefault": True, "type": "name", "slug": "name", "required": True}
    if kind.made_by_api:
        name["label"] = "your_name"
    email = {"isDefault": True, "type": "email", "slug": "email", "required": kind.email_required}
    fields: list[Json] = [{**name, "disableOnPrefill": False}, {**email, "disableOnPrefill": False, "hidden": False}]
    if kind.phone_field != "hidden":  # 17g, event type 7: nothing but the three
        required = kind.phone_field == "required"
        phone = {"isDefault": True, "type": "phone", "slug": "attendeePhoneNumber", "required": required}
        return [*fields, {**phone, "disableOnPrefill": False, "hidden": False}]
    for type_, slug in _DEFAULT_FIELDS:
        if slug == "notes" and kind.made_by_api:
            fields.append(
                {
                    "isDefault": True,
                    "type": "text",
                    "slug": "title",
                    "required": True,
                    "disableOnPrefill": False,
                    "hidden": True,
                }
            )
        plain = {"isDefault": True, "type": type_, "slug": slug, "required": False}
        fields.append(
            {**plain, "hidden": False} if slug == "location" else {**plain, "disableOnPrefill": False, "hidden": False}
        )
    return fields


def webhook(row: Webhook) -> Json:
    """The secret is shown in clear (25a)."""
    shown: Json = {
        "id": row.id,
        "payloadTemplate": row.payload_template,
        "triggers": list(row.triggers),
        "subscriberUrl": row.url,
        "active": row.active,
        "secret": row.secret,
    }
    if row.event_type_id is not None:
        return {**shown, "eventTypeId": row.event_type_id}
    return {**shown, "userId": row.user_id}
