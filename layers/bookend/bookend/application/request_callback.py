"""A caller whom we cannot help is rung by a person: their wish is put on the salon's list."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bookend.application.ports import Callbacks, Clock, Noting, StoreUnavailable
from bookend.application.turn import Call
from bookend.domain.callbacks import MAX_SAID, Callback, CallbackReason, callback_id, counted_as
from bookend.domain.contacts import clean_name, normalise_phone, one_line


@dataclass(frozen=True, slots=True)
class RequestCallback:
    """What was said. `phone` counts only where the call shows no number."""

    name: str | None
    phone: str | None
    service: str | None
    wished: str | None
    reason: CallbackReason | None


class CallbackNeeds(StrEnum):
    """What must be asked back."""

    NAME = "name"
    PHONE = "phone"


@dataclass(frozen=True, slots=True)
class CallbackNoted:
    """It is on the list, with the number of the call (`signed`) or the one that was named. `new`: not before."""

    signed: bool
    new: bool


@dataclass(frozen=True, slots=True)
class TooManyCallbacks:
    """This number has asked as often today as it may. Nothing was noted."""


@dataclass(frozen=True, slots=True)
class CallbackNotNoted:
    """The store did not answer, so it may be on the list or not."""


CallbackOutcome = CallbackNeeds | CallbackNoted | TooManyCallbacks | CallbackNotNoted


def request_callback(command: RequestCallback, call: Call, *, callbacks: Callbacks, clock: Clock) -> CallbackOutcome:
    """Put the wish on the list. Asked again in the same call it is the same wish, with what was said last."""
    name = clean_name(command.name)
    if name is None:
        return CallbackNeeds.NAME
    signed = call.caller is not None
    phone = call.caller or normalise_phone(command.phone, country_code=call.tenant.country_code)
    if phone is None:
        return CallbackNeeds.PHONE
    tenant, now = call.tenant.id, clock.now()
    callback = Callback(
        id=callback_id(tenant, call.id),
        call=call.id,
        name=name,
        phone=phone,
        signed=signed,
        service=one_line(command.service, most=MAX_SAID),
        wished=one_line(command.wished, most=MAX_SAID),
        reason=command.reason,
        asked_at=now,
        changed_at=now,
    )
    try:
        noting = callbacks.note(
            tenant,
            callback,
            counted_as=counted_as(tenant, phone, signed=signed),
            day=now.astimezone(call.tenant.zone).date(),
        )
    except StoreUnavailable:
        return CallbackNotNoted()
    if noting is Noting.TOO_MANY:
        return TooManyCallbacks()
    return CallbackNoted(signed=signed, new=noting is Noting.NEW)
