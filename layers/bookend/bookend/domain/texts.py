"""Texts to callers: whether one is owed, whether it is true by now, where it goes, and what it says.

The row of an operation says what its caller was to be told. What is said is what the appointment is at this moment: a
row that has become untrue is said as it is now, or goes before a person. No text names anybody but the stylist.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TypeAlias, assert_never

from bookend.domain.appointment import TRANSIENT, Appointment, AppointmentState, ChangeWhy, Told
from bookend.domain.contacts import Customer, is_placeholder, normalise_email, normalise_phone
from bookend.domain.saying import Language, say_day, say_time
from bookend.domain.tenant import Tenant

WORDING = 1
"""Which edition of the sentences below; it is kept with what was sent."""
CONFIRMED_AFTER = timedelta(minutes=2)
"""A confirmation waits so long after the call, in which its caller may change their mind once more."""
MOST_TRIES = 8
"""Tries that surely sent nothing, with growing pauses over an hour; then a person rings. It was promised in minutes."""


class TextKind(StrEnum):
    """What happened, for the caller."""

    BOOKED = "booked"
    NOT_BOOKED = "not_booked"
    MOVED = "moved"
    NOT_MOVED = "not_moved"
    CANCELLED = "cancelled"
    NOT_CANCELLED = "not_cancelled"


class MessageState(StrEnum):
    """Where a message is. SENT, SKIPPED, FAILED, SETTLED and VOID are final; UNSURE waits for a person."""

    NEW = "NEW"
    """Nobody has begun to send it."""
    SENDING = "SENDING"
    """Somebody sends it, or has died over it."""
    SENT = "SENT"
    """The provider has taken it."""
    SKIPPED = "SKIPPED"
    """Nobody needs it."""
    FAILED = "FAILED"
    """It surely was not sent and will not be."""
    UNSURE = "UNSURE"
    """It may have been sent or not. It is never sent again unless a person says so."""
    SETTLED = "SETTLED"
    """A person has told the caller, or found that they know."""
    VOID = "VOID"
    """It became untrue before anybody sent it, and another one tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What an operation owes its caller. `told` is what they had heard by then.

    `overtaken`: others changed the appointment after that, so what the caller heard is not so any more. `tries` counts
    those that surely sent nothing; before `not_before` there is no other. `again` counts a
    person's "once more". While it is SENDING, `claim` is whose try it is, and until `leased_until` they may still be at
    it. `why` is our word for how it ended, `said` what was sent.
    """

    op: str
    kind: TextKind
    appointment: str
    told: Told
    state: MessageState
    at: datetime
    overtaken: bool = False
    tries: int = 0
    requeued: int = 0
    again: int = 0
    not_before: datetime | None = None
    claim: str = ""
    leased_until: datetime | None = None
    owed: bool = True
    """Of what is being sent: whether its caller waits for it."""
    said: str = ""
    why: str = ""


class Channel(StrEnum):
    """How a text goes."""

    SMS = "sms"
    EMAIL = "email"


@dataclass(frozen=True, slots=True)
class Text:
    """What is sent, to whom. `to` is E.164 or an address; `sender` the alphanumeric sender or the From address."""

    channel: Channel
    to: str
    sender: str | None
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class Say:
    """It is to be sent, as this. `owed`: the caller waits for it; else it only confirms what they have heard."""

    kind: TextKind
    owed: bool


@dataclass(frozen=True, slots=True)
class Skip:
    """Nobody needs it. `why`: not_asked (the salon wants no confirmations), over, apart, has_another, erased (they
    were).
    """

    why: str


@dataclass(frozen=True, slots=True)
class Wait:
    """The appointment is being changed: how it ends, is told."""


@dataclass(frozen=True, slots=True)
class Person:
    """Nothing that could be sent is true or of use. `why`: gone, untrue, over, apart (its parts stand apart)."""

    why: str


Decision: TypeAlias = Say | Skip | Wait | Person

_HEARD_IT = frozenset(
    {
        (TextKind.BOOKED, Told.BOOKED),
        (TextKind.MOVED, Told.DONE),
        (TextKind.CANCELLED, Told.DONE),
    }
)


def is_owed(kind: TextKind, told: Told, *, overtaken: bool) -> bool:
    """Whether a message says what its caller does not know; else it confirms what they have heard on the phone."""
    return overtaken or (kind, told) not in _HEARD_IT


_NOT_STANDING = frozenset({TextKind.NOT_BOOKED, TextKind.CANCELLED})


def decide(
    message: Message, appointment: Appointment | None, *, confirmations: bool, has_another: bool, now: datetime
) -> Decision:
    """What to do with a message, its appointment being what it is now.

    `has_another`: the customer has another appointment of the same start and service, so "not booked" would mislead.
    """
    if appointment is None:
        return Person("gone")
    if appointment.customer.is_nobody:
        return Skip("erased")
    if appointment.state in TRANSIENT:
        return Wait()
    last = appointment.last_change
    if last is not None and last.op == message.op and last.why is ChangeWhy.APART:
        return Person("apart")
    kind = true_now(message.kind, appointment)
    if kind is None:
        return Person("untrue")
    owed = kind is not message.kind or is_owed(kind, message.told, overtaken=message.overtaken)
    if kind is TextKind.NOT_BOOKED and has_another:
        return Skip("has_another")
    if kind not in _NOT_STANDING and appointment.amiss is not None:
        return Person("apart") if owed else Skip("apart")  # no one time is its time
    if kind not in _NOT_STANDING and appointment.slot.start <= now:
        return Person("over") if owed else Skip("over")
    return Say(kind, owed) if owed or confirmations else Skip("not_asked")


def true_now(kind: TextKind, appointment: Appointment) -> TextKind | None:
    """What the row says, as far as it is so; what has become of it where it is cancelled; None: neither."""
    state = appointment.state
    match kind:
        case TextKind.NOT_BOOKED:
            return kind if state in {AppointmentState.FAILED, AppointmentState.CANCELLED} else None
        case TextKind.CANCELLED:
            return kind if state is AppointmentState.CANCELLED else None
        case TextKind.BOOKED | TextKind.MOVED | TextKind.NOT_MOVED | TextKind.NOT_CANCELLED:
            if state is AppointmentState.CANCELLED:
                return TextKind.CANCELLED
            return kind if state is AppointmentState.CONFIRMED else None
        case _:
            assert_never(kind)


@dataclass(frozen=True, slots=True)
class Unreachable:
    """No text can go to this customer. `why`: opted_out, no_address (none that the salon sends to)."""

    why: str


def addresses_of(customer: Customer, tenant: Tenant) -> tuple[tuple[Channel, str], ...]:
    """Where the salon may send texts to this customer, the preferred one first.

    Never to a withheld number, though it looks like one, and never to an address that we have made up ourselves.
    """
    settings = tenant.texts
    found: list[tuple[Channel, str]] = []
    phone = customer.phone
    if settings.sms and phone is not None and normalise_phone(phone, country_code=tenant.country_code) == phone:
        found.append((Channel.SMS, phone))
    email = normalise_email(customer.email)
    if settings.email_from and email and not is_placeholder(email, domain=tenant.placeholder_domain):
        found.append((Channel.EMAIL, email))
    return tuple(found)


def compose(
    kind: TextKind, appointment: Appointment, tenant: Tenant, *, opted_out: Collection[str], now: datetime
) -> Text | Unreachable:
    """The text of `kind` about the appointment as it is, in the salon's language and zone."""
    possible = addresses_of(appointment.customer, tenant)
    allowed = [each for each in possible if each[1] not in opted_out]
    if not allowed:
        return Unreachable("opted_out" if possible else "no_address")
    channel, to = allowed[0]
    match channel:
        case Channel.SMS:
            return Text(channel, to, tenant.texts.sender_id, "", _sms(kind, appointment, tenant, now))
        case Channel.EMAIL:
            subject = f"{tenant.name}: {_SUBJECTS[tenant.language][kind]}"
            return Text(channel, to, tenant.texts.email_from, subject, _email(kind, appointment, tenant, now))
        case _:
            assert_never(channel)


def said_of(kind: TextKind, appointment: Appointment, tenant: Tenant, *, now: datetime) -> str:
    """The sentence alone, for the person who rings instead."""
    return _sentence(kind, appointment, tenant, now, with_staff=True)


_SENTENCES = {
    Language.DE: {
        TextKind.BOOKED: "Ihr Termin {when}{staff} ist gebucht.",
        TextKind.NOT_BOOKED: "Ihr Wunschtermin {when} ist leider nicht zustande gekommen.",
        TextKind.MOVED: "Ihr Termin wurde verschoben. Er ist jetzt {when}{staff}.",
        TextKind.NOT_MOVED: "Ihr Termin konnte leider nicht wie gewünscht verschoben werden. Er ist {when}{staff}.",
        TextKind.CANCELLED: "Ihr Termin {when} ist abgesagt.",
        TextKind.NOT_CANCELLED: "Ihr Termin konnte leider nicht abgesagt werden. Er ist weiterhin {when}{staff}.",
    },
    Language.EN: {
        TextKind.BOOKED: "Your appointment {when}{staff} is booked.",
        TextKind.NOT_BOOKED: "We are sorry, the appointment you wished for {when} could not be made.",
        TextKind.MOVED: "Your appointment was moved. It is now {when}{staff}.",
        TextKind.NOT_MOVED: "We are sorry, your appointment could not be moved as you wished. It is {when}{staff}.",
        TextKind.CANCELLED: "Your appointment {when} is cancelled.",
        TextKind.NOT_CANCELLED: "We are sorry, your appointment could not be cancelled. It is still {when}{staff}.",
    },
}
_SUBJECTS = {
    Language.DE: {
        TextKind.BOOKED: "Ihr Termin ist gebucht",
        TextKind.NOT_BOOKED: "Ihr Wunschtermin ist nicht zustande gekommen",
        TextKind.MOVED: "Ihr Termin wurde verschoben",
        TextKind.NOT_MOVED: "Ihr Termin konnte nicht verschoben werden",
        TextKind.CANCELLED: "Ihr Termin ist abgesagt",
        TextKind.NOT_CANCELLED: "Ihr Termin konnte nicht abgesagt werden",
    },
    Language.EN: {
        TextKind.BOOKED: "Your appointment is booked",
        TextKind.NOT_BOOKED: "Your appointment could not be made",
        TextKind.MOVED: "Your appointment was moved",
        TextKind.NOT_MOVED: "Your appointment could not be moved",
        TextKind.CANCELLED: "Your appointment is cancelled",
        TextKind.NOT_CANCELLED: "Your appointment could not be cancelled",
    },
}
_WITH = {Language.DE: " bei {name}", Language.EN: " with {name}"}
_ASK = {Language.DE: "Fragen? Tel. {phone}", Language.EN: "Questions? Call {phone}"}
_HELLO = {Language.DE: "Guten Tag,", Language.EN: "Hello,"}


def _sms(kind: TextKind, appointment: Appointment, tenant: Tenant, now: datetime) -> str:
    """As much as fits into one message: first the stylist is left out, then the salon's number."""
    phone = tenant.texts.phone
    tail = f" {_ASK[tenant.language].format(phone=phone)}" if phone else ""
    versions = [
        _plain(f"{tenant.name}: {_sentence(kind, appointment, tenant, now, with_staff=with_staff)}{end}")
        for with_staff, end in ((True, tail), (False, tail), (False, ""))
    ]
    return next((each for each in versions if messages_needed(each) == 1), versions[-1])


def _email(kind: TextKind, appointment: Appointment, tenant: Tenant, now: datetime) -> str:
    language = tenant.language
    parts = [_HELLO[language], _sentence(kind, appointment, tenant, now, with_staff=True)]
    if tenant.texts.phone:
        parts.append(_ASK[language].format(phone=tenant.texts.phone))
    return "\n\n".join([*parts, tenant.name]) + "\n"


def _sentence(kind: TextKind, appointment: Appointment, tenant: Tenant, now: datetime, *, with_staff: bool) -> str:
    name = next((each.name for each in tenant.staff if each.id == appointment.staff), None)
    staff = _WITH[tenant.language].format(name=name) if name and with_staff else ""
    return _SENTENCES[tenant.language][kind].format(when=_when(appointment, tenant, now), staff=staff)


def _when(appointment: Appointment, tenant: Tenant, now: datetime) -> str:
    """Day and time where the salon is, always the date: nobody knows when a text is read."""
    start, language = appointment.slot.start, tenant.language
    local = start.astimezone(tenant.zone)
    day = say_day(local.date(), language, today=now.astimezone(tenant.zone).date())
    match language:
        case Language.DE:
            spoken = say_time(start, tenant.zone, language)  # its last word tells two equal hours apart
            mark = f" {spoken.rsplit(' ', 1)[1]}" if spoken.endswith("zeit") else ""
            return f"am {day}, um {local.hour}:{local.minute:02} Uhr{mark}"
        case Language.EN:
            return f"on {day}, at {say_time(start, tenant.zone, language)}"
        case _:
            assert_never(language)


_GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_7_TWICE = frozenset("^{}\\[~]|€\f")
_PLAIN = str.maketrans(
    {"\u2013": "-", "\u2014": "-", "\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u201e": '"'}
    | {"\u00a0": " ", "\u202f": " ", "\u2026": "..."}
)


def _plain(text: str) -> str:
    """Dashes and quotes as telephones write them: one of another kind would halve what fits into a message."""
    return text.translate(_PLAIN)


def messages_needed(text: str) -> int:
    """How many SMS a text takes: 160 characters of GSM-7 or 70 of UCS-2, of several 153 and 67 each."""
    if all(char in _GSM_7 or char in _GSM_7_TWICE for char in text):
        length, alone, joined = sum(2 if char in _GSM_7_TWICE else 1 for char in text), 160, 153
    else:
        length, alone, joined = len(text.encode("utf-16-be")) // 2, 70, 67
    return 1 if length <= alone else -(-length // joined)
