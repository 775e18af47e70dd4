"""What is in a webhook delivery: the legacy 2021-10-20 payloads, per trigger, as captured (25*).

Three pipelines of the original write them, and each has its own field set and time format.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from .models import Attendee, Booking, EventType, Json, iso_millis
from .views import legacy_responses
from .world import World


def payload_of(world: World, trigger: str, row: Booking, event_type: EventType | None, extra: Json) -> Json:
    match trigger:
        case "BOOKING_CREATED" if extra.get("confirmed"):
            return {**_decided(world, row, event_type), "status": "ACCEPTED"}
        case "BOOKING_CREATED" | "BOOKING_REQUESTED" | "BOOKING_RESCHEDULED":
            return _made(world, row, event_type, extra.get("old"))
        case "BOOKING_REJECTED":
            reason = extra.get("reason")
            return {**_decided(world, row, event_type), "status": "REJECTED", "rejectionReason": reason or ""}
        case "BOOKING_REASSIGNED":
            hosts = {"addedHostUserIds": extra["added"], "removedHostUserIds": extra["removed"]}
            return {**_decided(world, row, event_type), "status": row.status.upper(), **hosts}
        case "BOOKING_NO_SHOW_UPDATED":
            absent: Mapping[str, bool] = extra["absent"]
            who = ", ".join(absent)
            gone = any(absent.values())
            return {
                "message": f"{who} {'marked' if gone else 'unmarked'} as no-show",
                "attendees": [{"email": e, "noShow": n} for e, n in absent.items()],
                "bookingUid": row.uid,
                "bookingId": row.id,
            }
        case _:
            return _cancelled(world, row, event_type, extra.get("reason"))


def _offset(zone: str, moment: datetime) -> int:
    """Minutes east of UTC at that moment."""
    delta = moment.astimezone(ZoneInfo(zone)).utcoffset()
    return int(delta.total_seconds() // 60) if delta else 0


def _organizer(world: World, row: Booking) -> Json:
    host = world.users[row.host_id]
    return {
        "id": host.id,
        "name": host.name,
        "email": host.email,
        "username": host.username,
        "timeZone": host.time_zone,
        "language": {"locale": host.locale},
        "timeFormat": "HH:mm",
        "utcOffset": _offset(host.time_zone, row.start),
    }


def _common(row: Booking, event_type: EventType | None) -> Json:
    return {
        "bookerUrl": "https://cal.com",
        "title": row.title,
        "additionalNotes": row.description,
        "type": event_type.slug if event_type else "",
        "description": row.description,
        "eventTypeId": row.event_type_id,
        "hideOrganizerEmail": False,
        "customReplyToEmail": None,
        "customInputs": {},
        "location": row.location,
        "uid": row.uid,
        "bookingId": row.id,
        "eventTitle": event_type.title if event_type else "",
        "eventDescription": None,
        "currency": "usd",
        "length": row.minutes,
    }


_LABELS = (
    ("name", "your_name", False),
    ("email", "email_address", False),
    ("attendeePhoneNumber", "phone_number", True),
    ("location", "location", False),
    ("title", "what_is_this_meeting_about", True),
    ("notes", "additional_notes", False),
    ("guests", "additional_guests", False),
    ("rescheduleReason", "reason_for_reschedule", False),
)


def _labelled(row: Booking) -> Json:
    """`responses` of the CREATED family: every field with its label, `value` only where there is one (25b)."""
    main = row.attendees[0]
    values: Json = {
        "name": main.name,
        "email": main.email,
        "attendeePhoneNumber": main.phone,
        "location": {"value": row.location, "optionValue": ""},
        "guests": list(row.guests) or None,
        **{k: v for k, v in row.responses.items() if k != "rescheduledReason"},
    }
    shown: Json = {}
    for name, label, hidden in _LABELS:
        value = {} if values.get(name) is None else {"value": values[name]}
        shown[name] = {"label": label, **value, "isHidden": hidden}
    return shown


def _made(world: World, row: Booking, event_type: EventType | None, old: Booking | None) -> Json:
    confirm = bool(event_type and event_type.requires_confirmation)
    with world.lock:
        password = world.ids.uuid() if row.status == "pending" else None
    payload = {
        **_common(row, event_type),
        "startTime": f"{row.start:%Y-%m-%dT%H:%M:%SZ}",
        "endTime": f"{row.end:%Y-%m-%dT%H:%M:%SZ}",
        "hideCalendarNotes": False,
        "hideCalendarEventDetails": False,
        "schedulingType": event_type.scheduling_type if event_type else None,
        "seatsPerTimeSlot": None,
        "seatsShowAttendees": True,
        "seatsShowAvailabilityCount": True,
        "disableRescheduling": bool(event_type and event_type.disable_rescheduling),
        "disableCancelling": bool(event_type and event_type.disable_cancelling),
        "organizer": _organizer(world, row),
        "attendees": [
            {
                "email": a.email,
                "name": a.name,
                "firstName": "",
                "lastName": "",
                "timeZone": a.time_zone,
                **({"phoneNumber": a.phone} if a.phone else {}),
                "language": {"locale": a.language},
                "utcOffset": _offset(a.time_zone, row.start),
            }
            for a in row.attendees
        ],
        "responses": _labelled(row),
        "userFieldsResponses": {},
        "destinationCalendar": None,
        "iCalSequence": row.ics_sequence,
        "requiresConfirmation": confirm,
        "oneTimePassword": password,
        "hashedLink": None,
        "price": 0,
        "metadata": dict(row.metadata),
        "status": row.status.upper(),
    }
    if old is None:
        return {**payload, "iCalUID": row.ics_uid}
    return {
        **payload,
        "appsStatus": [],
        "rescheduleId": old.id,
        "rescheduleUid": old.uid,
        "rescheduleStartTime": f"{old.start:%Y-%m-%dT%H:%M:%SZ}",
        "rescheduleEndTime": f"{old.end:%Y-%m-%dT%H:%M:%SZ}",
    }


def _plain_attendee(person: Attendee, row: Booking) -> Json:
    return {
        "name": person.name,
        "email": person.email,
        "timeZone": person.time_zone,
        "phoneNumber": person.phone,
        "language": {"locale": person.language},
        "utcOffset": _offset(person.time_zone, row.start),
    }


def _plain_responses(row: Booking) -> Json:
    return {k: {"label": k, "value": v} for k, v in legacy_responses(row).items()}


def _decided(world: World, row: Booking, event_type: EventType | None) -> Json:
    """After confirm or decline: no metadata, no seats fields (25g, 25i)."""
    return {
        **_common(row, event_type),
        "startTime": iso_millis(row.start),
        "endTime": iso_millis(row.end),
        "hideCalendarNotes": False,
        "hideCalendarEventDetails": False,
        "organizer": _organizer(world, row),
        "attendees": [_plain_attendee(a, row) for a in row.attendees],
        "responses": _plain_responses(row),
        "userFieldsResponses": {},
        "destinationCalendar": [],
        "requiresConfirmation": True,
        "price": 0,
        "organizationId": None,
    }


def _cancelled(world: World, row: Booking, event_type: EventType | None, reason: str | None) -> Json:
    """No metadata; another time format (25d, 25o2)."""
    own = {k: {"label": k, "value": v} for k, v in row.responses.items()}
    said = {"cancellationReason": reason} if reason else {}
    return {
        **_common(row, event_type),
        **said,
        "startTime": f"{row.start:%Y-%m-%dT%H:%M:%S}+00:00",
        "endTime": f"{row.end:%Y-%m-%dT%H:%M:%S}+00:00",
        "seatsPerTimeSlot": None,
        "seatsShowAttendees": False,
        "organizer": _organizer(world, row),
        "attendees": [_plain_attendee(a, row) for a in row.attendees],
        "responses": _plain_responses(row),
        "userFieldsResponses": own,
        "destinationCalendar": [],
        "iCalUID": row.ics_uid,
        "iCalSequence": row.ics_sequence + 1,
        "requiresConfirmation": None,
        "price": None,
        "status": "CANCELLED",
        "organizationId": None,
        "requestReschedule": False,
    }
