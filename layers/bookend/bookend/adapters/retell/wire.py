"""What Retell sends, as far as we believe it (contracts: retell 1 and 2).

Identity (call id, caller, agent, dialled number) comes from the envelope only. Arguments are an untrusted model's:
whatever is not a short text or a number is dropped, and so are unset `{{placeholders}}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from bookend.application.booking_goal import BookAppointment
from bookend.application.change_appointment import ChangeAppointment
from bookend.application.check_availability import CheckAvailability
from bookend.application.request_callback import RequestCallback
from bookend.domain.appointment import ChangeKind
from bookend.domain.callbacks import CallbackReason

MAX_BODY = 256 * 1024
"""Largest body, in bytes, that is looked at; the transcript is sent along with every call and grows."""
_LONGEST_ARGUMENT = 300
_VERSION_SUFFIX = re.compile(r"_v\d+\Z")
_UNSET = frozenset({"", "none", "null", "undefined", "nil", "n/a", "unknown", "unbekannt"})


def _identifier(value: Any) -> Any:
    return value if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9_.:+-]{1,128}", value) else None


def _short_text(value: Any) -> Any:
    return value if isinstance(value, str) and len(value) <= 64 else None


class _Envelope(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class CallWire(_Envelope):
    """The call a request belongs to. Web calls have no numbers; a withheld caller is the text "anonymous"."""

    call_id: str = Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9_.:-]+$")
    agent_id: Annotated[str | None, BeforeValidator(_identifier)] = None
    from_number: Annotated[str | None, BeforeValidator(_short_text)] = None
    to_number: Annotated[str | None, BeforeValidator(_short_text)] = None
    direction: Annotated[str | None, BeforeValidator(_short_text)] = None

    @property
    def customer_number(self) -> str | None:
        """The other side's number: the one dialled when we call out."""
        return self.to_number if self.direction == "outbound" else self.from_number

    @property
    def our_number(self) -> str | None:
        """The salon's number."""
        return self.from_number if self.direction == "outbound" else self.to_number


class FunctionCall(_Envelope):
    """One tool invocation, with its whole envelope (`args_at_root` must be false)."""

    name: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")
    args: dict[str, Any]
    call: CallWire


class CallEvent(_Envelope):
    """A lifecycle event: call_started, call_ended, call_analyzed and others that may come."""

    event: str = Field(min_length=1, max_length=64, pattern=r"^[a-z0-9_]+$")
    call: CallWire


NOT_AN_ENVELOPE = {
    "status": "invalid_request",
    "message": 'Expected {"name", "args", "call"}: set "Payload: args only" (args_at_root) to off for this function.',
}
"""The answer to a signed body that is no full envelope; without one there is no call and no caller."""
NOT_AN_EVENT = {"status": "invalid_request", "message": 'Expected {"event", "call"}.'}

FunctionName = Literal[
    "check_availability",
    "book_appointment",
    "list_services",
    "find_appointments",
    "reschedule_appointment",
    "cancel_appointment",
    "request_callback",
]
WRITES = frozenset({"book_appointment", "reschedule_appointment", "cancel_appointment"})
"""Functions that may change something at Cal.com, and so may take longer (promise P7)."""
_FUNCTIONS: Mapping[str, FunctionName] = {
    "check_availability": "check_availability",
    "book_appointment": "book_appointment",
    "start_booking": "book_appointment",
    "confirm_booking": "book_appointment",
    "collect_appointment": "book_appointment",
    "list_services": "list_services",
    "find_appointments": "find_appointments",
    "find_appointment": "find_appointments",
    "reschedule_appointment": "reschedule_appointment",
    "move_appointment": "reschedule_appointment",
    "cancel_appointment": "cancel_appointment",
    "request_callback": "request_callback",
    "callback": "request_callback",
}
"""Names an agent may use, without their version, to what is meant."""


def function_name(name: str) -> FunctionName | None:
    """What a tool's name means; a version suffix (`_v17`) is not meaning. None: nothing of ours."""
    return _FUNCTIONS.get(_VERSION_SUFFIX.sub("", name.lower()))


class Arguments:
    """The model's arguments, read leniently: by the first of several names that carries something."""

    def __init__(self, args: Mapping[str, Any]) -> None:
        self._said = {
            name.lower(): text
            for name, value in args.items()
            if name != "execution_message" and (text := _said(value)) is not None
        }
        self._yes = {
            name.lower()
            for name, value in args.items()
            if value is True or (isinstance(value, str) and value.strip().lower() in _YES)
        }

    def first(self, *names: str) -> str | None:
        """The first that was said."""
        return next((self._said[name] for name in names if name in self._said), None)

    def agreed(self, *names: str) -> bool:
        """Whether one of them says yes."""
        return any(name in self._yes for name in names)


def _said(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    try:
        raw = str(value)
    except ValueError:
        return None  # an integer of thousands of digits
    # Line breaks and no-break spaces part words; other unprintable characters are nothing.
    spaced = (" " if char.isspace() else char for char in raw if char.isspace() or char.isprintable())
    text = " ".join("".join(spaced).split())
    return None if len(text) > _LONGEST_ARGUMENT or "{{" in text or text.lower() in _UNSET else text


_YES = frozenset({"true", "ja", "yes", "1"})
_SERVICE = ("service", "service_name", "dienstleistung", "leistung", "service_id")
_STAFF = ("staff", "staff_name", "mitarbeiter", "stylist", "friseur", "preferred_staff", "staff_id")
_DATE = (
    "date",
    "datum",
    "appointment_date",
    "day",
    "tag",
    "preferred_date",
    "datetime",
    "start",
    "start_time",
)
_TIME = ("time", "uhrzeit", "zeit", "appointment_time", "preferred_time")
_NAME = ("name", "customer_name", "kundenname", "full_name", "kunde")
_PHONE = ("phone", "telefon", "telefonnummer", "phone_number", "customer_phone")
_EMAIL = ("email", "e_mail", "customer_email", "e-mail")
_OFFER = ("offer_id", "offer", "angebot", "slot_id")


def check_command(args: Mapping[str, Any]) -> CheckAvailability:
    """The arguments as a question for free times."""
    said = Arguments(args)
    return CheckAvailability(
        service=said.first(*_SERVICE),
        staff=said.first(*_STAFF),
        date=said.first(*_DATE),
        time=said.first(*_TIME),
    )


def book_command(args: Mapping[str, Any]) -> BookAppointment:
    """The arguments as a wish to book."""
    said = Arguments(args)
    return BookAppointment(
        offer=said.first(*_OFFER),
        service=said.first(*_SERVICE),
        staff=said.first(*_STAFF),
        date=said.first(*_DATE),
        time=said.first(*_TIME),
        name=said.first(*_NAME),
        phone=said.first(*_PHONE),
        email=said.first(*_EMAIL),
    )


_OLD_DATE = ("old_date", "current_date", "original_date", "bisheriges_datum", "altes_datum")
_OLD_TIME = ("old_time", "current_time", "original_time", "bisherige_uhrzeit", "alte_uhrzeit")
_NEW_DATE = ("new_date", "neues_datum", "target_date", "new_datetime", "new_start")
_NEW_TIME = ("new_time", "neue_uhrzeit", "target_time")
_TOKEN = ("confirmation_token", "token")
_KEEP = ("keep_for_later", "later_ok", "spaeter_erledigen")


def change_command(kind: ChangeKind, args: Mapping[str, Any]) -> ChangeAppointment:
    """The arguments as a wish to move or cancel.

    A bare date or time is the appointment's own; of a move whose old date or time is named as such it is the new one.
    """
    said = Arguments(args)
    old_date, old_time = said.first(*_OLD_DATE), said.first(*_OLD_TIME)
    new_date, new_time = said.first(*_NEW_DATE), said.first(*_NEW_TIME)
    bare_date, bare_time = said.first(*_DATE), said.first(*_TIME)
    if kind is ChangeKind.MOVE and (old_date is not None or old_time is not None):
        if old_date is not None:
            new_date, bare_date = new_date or bare_date, None
        new_time, bare_time = new_time or bare_time, None
    return ChangeAppointment(
        kind=kind,
        name=said.first(*_NAME),
        date=old_date or bare_date,
        time=old_time or bare_time,
        new_date=new_date,
        new_time=new_time,
        offer=said.first(*_OFFER),
        token=said.first(*_TOKEN),
        keep=said.agreed(*_KEEP),
    )


_WISHED = ("wished_time", "wish", "wunsch", "wunschtermin", "wunschzeit")
_REASON = ("reason", "grund", "failed_function")


def callback_command(args: Mapping[str, Any]) -> RequestCallback:
    """The arguments as a wish to be rung. Day and time are words here: a person reads them.

    So is a reason that names no function of ours ("Farbe"): it goes with what was wished.
    """
    said = Arguments(args)
    day_and_time = " ".join(filter(None, (said.first(*_DATE), said.first(*_TIME))))
    reason = said.first(*_REASON)
    in_words = reason if reason is not None and function_name(reason) is None else None
    wished = said.first(*_WISHED) or day_and_time
    return RequestCallback(
        name=said.first(*_NAME),
        phone=said.first(*_PHONE),
        service=said.first(*_SERVICE),
        wished="; ".join(filter(None, (wished, in_words))) or None,
        reason=_failed(reason),
    )


def _failed(function: str | None) -> CallbackReason | None:
    """Which function could not help, by any name an agent may use for it; other words are no reason."""
    meant = function_name(function) if function is not None else None
    return next((each for each in CallbackReason if each.value == meant), None)
