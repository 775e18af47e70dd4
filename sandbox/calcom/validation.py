"""What the API refuses before any rule is asked: bodies and query strings, with the original's exact texts.

Two pipes exist. The bookings' and slots' own one joins everything into one sentence (08i, 11c, 12b); Nest's
common one answers "Bad Request Exception" with the list in `details.errors` (14a, 18j, 25a4).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from .errors import Short, bad_request, invalid
from .models import EventType, Json, parse_instant

LANGUAGES = [
    "ar",
    "ca",
    "de",
    "es",
    "eu",
    "he",
    "id",
    "ja",
    "lv",
    "pl",
    "ro",
    "sr",
    "th",
    "vi",
    "az",
    "cs",
    "el",
    "es-419",
    "fi",
    "hr",
    "it",
    "km",
    "nl",
    "pt",
    "ru",
    "sv",
    "tr",
    "zh-CN",
    "bg",
    "da",
    "en",
    "et",
    "fr",
    "hu",
    "iw",
    "ko",
    "no",
    "pt-BR",
    "sk",
    "ta",
    "uk",
    "zh-TW",
    "bn",
]  # 11g
TRIGGERS = [
    "BOOKING_CREATED",
    "BOOKING_PAYMENT_INITIATED",
    "BOOKING_PAID",
    "BOOKING_RESCHEDULED",
    "BOOKING_REQUESTED",
    "BOOKING_CANCELLED",
    "BOOKING_REJECTED",
    "BOOKING_NO_SHOW_UPDATED",
    "FORM_SUBMITTED",
    "MEETING_ENDED",
    "MEETING_STARTED",
    "RECORDING_READY",
    "INSTANT_MEETING",
    "RECORDING_TRANSCRIPTION_GENERATED",
    "OOO_CREATED",
    "AFTER_HOSTS_CAL_VIDEO_NO_SHOW",
    "AFTER_GUESTS_CAL_VIDEO_NO_SHOW",
    "FORM_SUBMITTED_NO_EVENT",
    "DELEGATION_CREDENTIAL_ERROR",
]  # 25a4

BAD_START = "start must be a valid ISO 8601 date string"
BAD_ZONE = "timeZone must be a valid IANA time-zone"
BAD_METADATA = (
    "Metadata must have at most 50 keys, each key up to 40 characters, and string values up to 500 characters."
)
NO_EVENT_TYPE = "Either eventTypeId or eventTypeSlug + username or eventTypeSlug + teamSlug must be provided"

_CREATE_KEYS = frozenset(
    [
        "start",
        "eventTypeId",
        "eventTypeSlug",
        "username",
        "teamSlug",
        "organizationSlug",
        "attendee",
        "bookingFieldsResponses",
        "guests",
        "location",
        "meetingUrl",
        "metadata",
        "lengthInMinutes",
        "recurrenceCount",
        "instant",
        "routing",
        "emailVerificationCode",
        "rrHostSubsetIds",
    ]
)
_ATTENDEE_KEYS = frozenset(["name", "email", "timeZone", "phoneNumber", "language"])
_RESCHEDULE_KEYS = frozenset(["start", "reschedulingReason", "rescheduledBy", "seatUid", "emailVerificationCode"])
_CANCEL_KEYS = frozenset(["cancellationReason", "cancelSubsequentBookings", "seatUid"])
_SLOTS_KEYS = frozenset(
    [
        "eventTypeId",
        "eventTypeSlug",
        "username",
        "teamSlug",
        "organizationSlug",
        "usernames",
        "start",
        "end",
        "timeZone",
        "duration",
        "format",
        "bookingUidToReschedule",
        "rrHostSubsetIds",
    ]
)

_ISO = re.compile(r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$")
_EMAIL = re.compile(r"^[^@\s]+@[^@\s.]+(\.[^@\s.]+)+$")
_E164 = re.compile(r"^\+[1-9]\d{7,14}$")


@dataclass(slots=True)
class Fault:
    """One property that is wrong; rendered as `<name> property is wrong,<texts> <children>`."""

    name: str
    texts: list[str] = field(default_factory=list)
    children: list[Fault] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.name} property is wrong,{','.join(self.texts)} {', '.join(map(str, self.children))}"


def refuse(faults: list[Fault]) -> None:
    if faults:
        raise bad_request(", ".join(map(str, faults)))


def is_iso(value: object) -> bool:
    if not isinstance(value, str) or not _ISO.match(value):
        return False
    try:
        parse_instant(value)
    except ValueError:
        return False
    return True


def is_zone(value: object) -> bool:
    try:
        # "Berlin" alone is not a zone (11f2).
        return isinstance(value, str) and (value == "UTC" or "/" in value) and bool(ZoneInfo(value))
    except (KeyError, ValueError, OSError):
        return False


def _unknown(body: Mapping[str, Any], known: frozenset[str]) -> list[Fault]:
    return [Fault(key, [f"property {key} should not exist"]) for key in body if key not in known]


def is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def check_create(body: Json) -> None:
    """POST /v2/bookings. E-mail and phone are *not* checked here (09a, 10a-10e)."""
    faults: list[Fault] = []
    if not is_iso(body.get("start")):
        faults.append(Fault("start", [BAD_START]))
    length = body.get("lengthInMinutes")
    if length is not None and (not is_int(length) or length < 1):
        faults.append(Fault("lengthInMinutes", ["lengthInMinutes must be an integer number"]))
    attendee = body.get("attendee")
    if not isinstance(attendee, dict):
        faults.append(Fault("attendee", ["attendee should not be null or undefined"]))
    elif children := _attendee_faults(attendee):
        faults.append(Fault("attendee", [], children))
    if "metadata" in body and not _metadata_fits(body["metadata"]):
        faults.append(Fault("metadata", [BAD_METADATA]))
    event_type_id = body.get("eventTypeId")
    if event_type_id is not None and not is_int(event_type_id):
        faults.append(Fault("eventTypeId", ["eventTypeId must be an integer number"]))
    by_slug = body.get("eventTypeSlug") and (body.get("username") or body.get("teamSlug"))
    if event_type_id is None and not by_slug:
        faults.append(Fault("eventTypeId or eventTypeSlug + username", [NO_EVENT_TYPE]))
    refuse(faults + _unknown(body, _CREATE_KEYS))
    _check_metadata_values(body.get("metadata") or {})


def _attendee_faults(attendee: Json) -> list[Fault]:
    faults: list[Fault] = []
    if not isinstance(attendee.get("name"), str):
        faults.append(Fault("name", ["name must be a string"]))
    if not is_zone(attendee.get("timeZone")):
        faults.append(Fault("timeZone", [BAD_ZONE]))
    if "language" in attendee and attendee["language"] not in LANGUAGES:
        faults.append(Fault("language", [f"language must be one of the following values: {', '.join(LANGUAGES)}"]))
    if not attendee.get("email") and not attendee.get("phoneNumber"):
        text = "Attendee must have at least one contact method (email or phone number)"
        faults.append(Fault("attendee email or phone", [text]))
    return faults + _unknown(attendee, _ATTENDEE_KEYS)


def _metadata_fits(metadata: object) -> bool:
    if not isinstance(metadata, dict) or len(metadata) > 50:
        return False
    return all(
        len(key) <= 40 and not isinstance(value, (dict, list)) and (not isinstance(value, str) or len(value) <= 500)
        for key, value in metadata.items()
    )


def _check_metadata_values(metadata: Json) -> None:
    """Strings only, in spite of what the documentation says (02b, 13f)."""
    for key, value in metadata.items():
        if not isinstance(value, str):
            kind = "null" if value is None else "boolean" if isinstance(value, bool) else "number"
            raise Short(400, "BAD_REQUEST", f"metadata.{key} - Expected string, received {kind}, ")


def check_answers(event_type: EventType, email: str | None, phone: str | None, answers: Json) -> None:
    """The event type's own booking fields (09a, 11a, 11b3, 11d)."""
    faults: list[str] = []
    if email:
        if not _EMAIL.match(email):
            faults.append("{email}email_validation_error")
    elif event_type.email_required:
        faults.append("{email}error_required_field")
    if event_type.phone_field == "required" and not phone:
        faults.append("{attendeePhoneNumber}error_required_field")
    elif event_type.phone_field != "hidden" and phone and not _E164.match(phone):
        faults.append("{attendeePhoneNumber}invalid_number")
    faults += [f"{{{slug}}}error_required_field" for slug in event_type.required_fields if not answers.get(slug)]
    if faults:
        raise Short(400, "BAD_REQUEST", "".join(f"responses - {f}, " for f in faults))


def check_reschedule(body: Json) -> None:
    faults = [] if is_iso(body.get("start")) else [Fault("start", [BAD_START])]
    refuse(faults + _unknown(body, _RESCHEDULE_KEYS))


def check_cancel(body: Json) -> None:
    refuse(_unknown(body, _CANCEL_KEYS))


def check_slots(query: Json) -> None:
    faults = [
        Fault(name, [f"{name} must be a valid ISO 8601 date string"])
        for name in ("start", "end")
        if not is_iso(query.get(name))
    ]
    if "timeZone" in query and not is_zone(query["timeZone"]):
        faults.append(Fault("timeZone", [BAD_ZONE]))
    refuse(faults + _unknown(query, _SLOTS_KEYS))


def check_reservation(body: Json) -> None:
    """Unknown keys are dropped here (21v)."""
    faults: list[Fault] = []
    if not is_int(body.get("eventTypeId")):
        faults.append(Fault("eventTypeId", ["eventTypeId must be an integer number"]))
    if not is_iso(body.get("slotStart")):
        faults.append(Fault("slotStart", ["slotStart must be a valid ISO 8601 date string"]))
    refuse(faults)


# --- the common pipe ------------------------------------------------------------------------------------------


def nest_error(target: Json, name: str, constraints: Json, *, value: Any = ...) -> Json:
    shown = {} if value is ... else {"value": value}
    return {"target": target, **shown, "property": name, "children": [], "constraints": constraints}


def check_legacy_create(body: Json) -> None:
    """The 2024-04-15 create, which a missing or unknown version header reaches (14a, 15a, 15c)."""
    known = {"start", "end", "recurringEventId", "eventTypeId", "timeZone", "user", "language", "metadata"}
    target = {k: v for k, v in body.items() if k in known}
    tests: tuple[tuple[str, Callable[[Any], bool], Json], ...] = (
        ("start", lambda v: isinstance(v, str), {"isString": "start must be a string"}),
        ("eventTypeId", is_int, {"isNumber": "eventTypeId must be a number conforming to the specified constraints"}),
        ("timeZone", is_zone, {"isTimeZone": BAD_ZONE}),
        ("language", lambda v: isinstance(v, str), {"isString": "language must be a string"}),
        ("metadata", lambda v: isinstance(v, dict), {"isObject": "metadata must be an object"}),
    )
    raise invalid([nest_error(target, name, texts) for name, test, texts in tests if not test(body.get(name))])


_STATUSES = ("upcoming", "recurring", "past", "cancelled", "unconfirmed")
_DATES = {
    "afterStart": "fromDate",
    "beforeEnd": "toDate",
    "afterCreatedAt": "afterCreatedAt",
    "beforeCreatedAt": "beforeCreatedAt",
    "afterUpdatedAt": "afterUpdatedAt",
    "beforeUpdatedAt": "beforeUpdatedAt",
}
_SORTS = ("sortStart", "sortEnd", "sortCreated", "sortUpdatedAt")
_LIST_TEXTS = ("attendeeEmail", "attendeeName", "bookingUid")


def list_query(query: Mapping[str, str]) -> Json:
    """The known parameters of GET /v2/bookings, converted; unknown ones vanish (18k)."""
    given: Json = {k: query[k] for k in (*_LIST_TEXTS, *_DATES, *_SORTS) if k in query}
    for name in ("take", "skip"):
        if name in query:
            given[name] = int(query[name]) if re.fullmatch(r"-?\d+", query[name]) else None
    if "status" in query:
        given["status"] = query["status"].split(",")
    for name in ("eventTypeIds", "eventTypeId", "teamIds", "teamId"):
        if name in query:
            given[name] = [int(n) for n in query[name].split(",") if n.strip().isdigit()]
    errors: list[Json] = []
    for name, low, high in (("take", 1, 250), ("skip", 0, None)):
        if name in given and (constraints := _number_faults(name, given[name], low, high)):
            errors.append(nest_error(given, name, constraints, value=given[name]))
    if bad := [s for s in given.get("status", ()) if s not in _STATUSES]:
        text = f"Invalid status. Allowed are {', '.join(_STATUSES)}"
        errors.append(nest_error(given, "status", {"isEnum": text}, value=given["status"] if bad else None))
    for name, shown in _DATES.items():
        if name in given and not is_iso(given[name]):
            text = f"{shown} must be a valid ISO 8601 date."  # 18t really says fromDate
            errors.append(nest_error(given, name, {"isIso8601": text}, value=given[name]))
    for name in _SORTS:
        if name in given and given[name] not in ("asc", "desc"):
            text = f"{name} must be one of the following values: asc, desc"
            errors.append(nest_error(given, name, {"isEnum": text}, value=given[name]))
    if errors:
        raise invalid(errors)
    return given


def _number_faults(name: str, value: int | None, low: int, high: int | None) -> Json:
    faults: Json = {}
    if high is not None and (value is None or value > high):
        faults["max"] = f"{name} must not be greater than {high}"
    if value is None or value < low:
        faults["min"] = f"{name} must not be less than {low}"
    if value is None:
        faults["isNumber"] = f"{name} must be a number conforming to the specified constraints"
    return faults


def check_webhook(body: Json) -> None:
    target = {
        k: v
        for k, v in body.items()
        if k in ("active", "subscriberUrl", "triggers", "secret", "payloadTemplate", "version")
    }
    errors: list[Json] = []
    triggers = body.get("triggers")
    if not isinstance(triggers, list) or any(t not in TRIGGERS for t in triggers):
        text = f"each value in triggers must be one of the following values: {', '.join(TRIGGERS)}"
        errors.append(nest_error(target, "triggers", {"isEnum": text}, value=triggers))
    if not isinstance(body.get("subscriberUrl"), str):  # not checked to be a URL (25a5)
        errors.append(nest_error(target, "subscriberUrl", {"isString": "subscriberUrl must be a string"}))
    if not isinstance(body.get("active"), bool):
        errors.append(nest_error(target, "active", {"isBoolean": "active must be a boolean value"}))
    if errors:
        raise invalid(errors)
