"""One message of the outbox to its end: a text that is sent once, or a person who rings.

Neither provider knows two requests for one, so nothing is sent that may have been sent already (ADR 0030). What is
about to be sent is on record before; only what surely was not sent is tried again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from bookend.application import alerts
from bookend.application.deadline import Deadline
from bookend.application.ports import Alerts, Clock, Ids
from bookend.application.ports.texts import Claim, Messenger, NotSent, Outbox, Owed, Refused, Sent, Unclear
from bookend.domain.appointment import Appointment
from bookend.domain.callbacks import MAX_SAID, Callback
from bookend.domain.contacts import customer_id, is_placeholder, one_line
from bookend.domain.tenant import Tenant
from bookend.domain.texts import (
    MOST_TRIES,
    Channel,
    Message,
    MessageState,
    Person,
    Say,
    Skip,
    Text,
    Unreachable,
    Wait,
    compose,
    decide,
    said_of,
    true_now,
)

LEASE = timedelta(minutes=2)
"""So long a try counts as under way; longer than any of its requests, and than a worker lives after its deadline."""
SEND_S = 4.0
"""Seconds a provider has at most to take a text."""
_LEAST_S = 2.5
"""Seconds that must be left to begin: for the claim, the request, and for writing down what became of it."""
_RESERVE_S = 1.0
_FIRST_PAUSE = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(minutes=15)
_TRIES = 4


class TextEnd(StrEnum):
    """What became of one look at a message."""

    SENT = "sent"
    SKIPPED = "skipped"
    """Nobody needs it."""
    WAITS = "waits"
    """Nothing was sent; it is looked at again."""
    FAILED = "failed"
    UNSURE = "unsure"
    BUSY = "busy"
    """Somebody else is at it."""
    ENDED_BEFORE = "ended_before"
    NO_SUCH_TEXT = "no_such_text"


@dataclass(frozen=True, slots=True)
class TextOutcome:
    """How it ended; by which channel, if something was or may have been sent, and how long after it was owed."""

    end: TextEnd
    channel: Channel | None = None
    age: timedelta = timedelta(0)
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Texting:
    """A tenant and the ports, for one message."""

    tenant: Tenant
    outbox: Outbox
    messengers: Mapping[Channel, Messenger]
    alerts: Alerts
    ids: Ids
    clock: Clock
    deadline: Deadline


def send_text(work: Texting, op: str) -> TextOutcome:
    """Bring the message of an operation on. Safe to do twice at once, and to die anywhere in it."""
    for _ in range(_TRIES):
        now = work.clock.now()
        owed = work.outbox.owed(work.tenant.id, op)
        if owed is None:
            return TextOutcome(TextEnd.NO_SUCH_TEXT)
        outcome = _bring_on(work, owed, now)
        if outcome is not None:
            return outcome
    return TextOutcome(TextEnd.WAITS, why="contention")  # it changes all the time; the sweeper comes again


def _bring_on(work: Texting, owed: Owed, now: datetime) -> TextOutcome | None:
    """None: it has changed since it was read."""
    match owed.message.state:
        case MessageState.NEW:
            return _begin(work, owed, now)
        case MessageState.SENDING:
            if owed.message.leased_until is not None and now < owed.message.leased_until:
                return TextOutcome(TextEnd.BUSY)
            return _give_up(work, owed, MessageState.UNSURE, "died", now)
        case (
            MessageState.SENT
            | MessageState.SKIPPED
            | MessageState.FAILED
            | MessageState.UNSURE
            | MessageState.SETTLED
            | MessageState.VOID
        ):
            return TextOutcome(TextEnd.ENDED_BEFORE)
        case _:
            assert_never(owed.message.state)


def _begin(work: Texting, owed: Owed, now: datetime) -> TextOutcome | None:
    message = owed.message
    if message.not_before is not None and now < message.not_before:
        return TextOutcome(TextEnd.WAITS, why="pause")
    decision = decide(
        message,
        owed.appointment,
        confirmations=work.tenant.texts.confirmations,
        has_another=owed.has_another,
        now=now,
    )
    match decision:
        case Say():
            return _say(work, owed, decision, now)
        case Skip(why=why):
            return TextOutcome(TextEnd.SKIPPED, why=why) if _skipped(work, owed, why, now) else None
        case Wait():
            work.outbox.postpone(work.tenant.id, message.op, until=now + _FIRST_PAUSE)
            return TextOutcome(TextEnd.WAITS, why="changing")
        case Person(why=why):
            return _give_up(work, owed, MessageState.FAILED, why, now)
        case _:
            assert_never(decision)


def _say(work: Texting, owed: Owed, say: Say, now: datetime) -> TextOutcome | None:
    message, appointment = owed.message, owed.appointment
    if appointment is None:
        msg = "nothing is said of an appointment that is not there"
        raise ValueError(msg)
    text = compose(say.kind, appointment, work.tenant, opted_out=owed.opted_out, now=now)
    match text:
        case Unreachable(why=why) if not say.owed:
            return TextOutcome(TextEnd.SKIPPED, why=why) if _skipped(work, owed, why, now) else None
        case Unreachable(why=why):
            return _give_up(work, owed, MessageState.FAILED, why, now)
        case Text():
            pass
        case _:
            assert_never(text)
    if message.tries >= MOST_TRIES:
        return _give_up(work, owed, MessageState.FAILED, message.why, now, waits=say.owed)
    if work.deadline.remaining() < _LEAST_S:
        return TextOutcome(TextEnd.WAITS, why="no_time")
    claim = Claim(work.ids.new(), now + LEASE, say.kind, text.channel, say.owed, text.body)
    if not work.outbox.claim(work.tenant.id, owed, claim, now=now):
        return None
    answer = work.messengers[text.channel].send(text, deadline=work.deadline.share(SEND_S, reserve=_RESERVE_S))
    return _after(work, owed, claim, answer)


def _after(work: Texting, owed: Owed, claim: Claim, answer: Sent | NotSent | Refused | Unclear) -> TextOutcome:
    """Write down what became of it. Where that fails the row stays SENDING, and is unsure when its lease is over."""
    tenant, op, now = work.tenant.id, owed.message.op, work.clock.now()
    outcome = TextOutcome(TextEnd.SENT, claim.channel, now - owed.message.at)
    match answer:
        case Sent(id=provider_id):
            work.outbox.sent(tenant, op, claim.id, provider_id=provider_id, now=now)
            return outcome
        case NotSent(why=why):
            pause = min(_FIRST_PAUSE * 2 ** min(owed.message.tries, 10), _LONGEST_PAUSE)
            work.outbox.not_sent(tenant, op, claim.id, until=now + pause, why=why)
            return TextOutcome(TextEnd.WAITS, claim.channel, outcome.age, why)
        case Refused(why=why):
            state = MessageState.FAILED
        case Unclear(why=why):
            state = MessageState.UNSURE
        case _:
            assert_never(answer)
    claimed = work.outbox.owed(tenant, op)
    if claimed is None or claimed.message.claim != claim.id or claimed.message.state is not MessageState.SENDING:
        return TextOutcome(TextEnd.ENDED_BEFORE)
    given_up = _give_up(work, claimed, state, why, now)
    return given_up or TextOutcome(TextEnd.ENDED_BEFORE)


def _skipped(work: Texting, owed: Owed, why: str, now: datetime) -> bool:
    return work.outbox.skip(work.tenant.id, owed, why=why, now=now)


def _give_up(
    work: Texting, owed: Owed, state: MessageState, why: str, now: datetime, *, waits: bool | None = None
) -> TextOutcome | None:
    """A person rings whoever waits for it; who has heard it on the phone needs nobody. None: it has changed."""
    message, appointment = owed.message, owed.appointment
    waits = message.owed if waits is None else waits
    unsure = state is MessageState.UNSURE
    alert = alerts.text_unsure if unsure else alerts.text_failed
    raised = alert(message, appointment, why) if waits else None
    ring = _wish(work.tenant, owed, why, now) if waits and appointment is not None else None
    if not work.outbox.give_up(work.tenant.id, owed, state, why=why, ring=ring, alert=raised, now=now):
        return None
    if raised is not None:
        work.alerts.raise_(raised)
    return TextOutcome(TextEnd.UNSURE if unsure else TextEnd.FAILED, None, now - message.at, why)


def _wish(tenant: Tenant, owed: Owed, why: str, now: datetime) -> Callback | None:
    """Who is to be rung, and what to say: in the salon's list, like a wish of their own."""
    message, appointment = owed.message, owed.appointment
    if appointment is None:
        return None
    customer = appointment.customer
    real = customer.email if not is_placeholder(customer.email, domain=tenant.placeholder_domain) else ""
    # Each of a person's "once more" that fails is a wish of its own: the one before it may be done, or still be open.
    known = f"{tenant.id}|text|{message.op}|{message.claim}|{message.again}"
    service = tenant.service(appointment.service)
    return Callback(
        id=hashlib.sha256(known.encode()).hexdigest()[:12],
        call=appointment.call,
        name=customer.name,
        phone=customer.phone or real or "-",
        signed=customer.phone is not None and _is_theirs(tenant, appointment),
        service=service.name if service is not None else None,
        wished=one_line(f"[{why}] {_to_say(tenant, owed.message, appointment, now)}", most=MAX_SAID),
        reason=None,
        asked_at=message.at,
        changed_at=now,
        appointment=appointment.id,
    )


def _to_say(tenant: Tenant, message: Message, appointment: Appointment, now: datetime) -> str:
    """As of now; whoever rings looks at the calendar first. Where the row is untrue, only what it was."""
    kind = true_now(message.kind, appointment)
    return f"{message.kind.value}?" if kind is None else said_of(kind, appointment, tenant, now=now)


def _is_theirs(tenant: Tenant, appointment: Appointment) -> bool:
    """Whether the number is the one by which the network showed them."""
    customer = appointment.customer
    return customer.id == customer_id(tenant.id, caller=customer.phone, call=appointment.call)
