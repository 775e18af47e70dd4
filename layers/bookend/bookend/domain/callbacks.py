"""A caller's wish to be rung by a person, where the phone agent cannot help.

What they would like is kept as they said it: whoever rings reads it, and nothing here interprets it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

MOST_PER_DAY = 3
"""Wishes of one number on a day of the salon's; beyond that the salon must be rung."""
MAX_SAID = 160
"""Longest text we keep of what was said, in characters."""


class CallbackState(StrEnum):
    """Whether a person still has to ring."""

    OPEN = "OPEN"
    DONE = "DONE"


class CallbackReason(StrEnum):
    """What the caller wanted and the agent could not do; the value is the function's name."""

    CHECK = "check_availability"
    BOOK = "book_appointment"
    FIND = "find_appointments"
    MOVE = "reschedule_appointment"
    CANCEL = "cancel_appointment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """Who is to be rung, and what for. `service`, `wished` and `reason` are None where nothing was said of them.

    `phone` is E.164. It is proof of who calls only if it is `signed`: one that was merely named can be anybody's.
    `changed_at` is when the same call last said something else, at first `asked_at`. `appointment` is what it is about
    where we know that; without a number or an address (`-`) nothing else tells whose it is.
    """

    id: str
    call: str
    name: str
    phone: str
    signed: bool
    service: str | None
    wished: str | None
    reason: CallbackReason | None
    asked_at: datetime
    changed_at: datetime
    state: CallbackState = CallbackState.OPEN
    appointment: str = ""


def callback_id(tenant: str, call: str) -> str:
    """One wish a call, however often the model asks and however it words it."""
    return hashlib.sha256(f"{tenant}|callback|{call}".encode()).hexdigest()[:12]


def counted_as(tenant: str, phone: str, *, signed: bool) -> str:
    """Under which name a number's wishes are counted; a digest, so that no key carries a number.

    A number that was merely named is counted apart: nobody can use up the wishes of somebody else.
    """
    known_by = "signed" if signed else "named"
    return hashlib.sha256(f"{tenant}|callback|{known_by}|{phone}".encode()).hexdigest()[:24]
