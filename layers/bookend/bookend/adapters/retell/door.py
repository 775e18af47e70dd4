"""Who may come in: size, then signature, before a byte is parsed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from bookend.adapters import web
from bookend.adapters.retell import wire
from bookend.adapters.retell.signature import is_authentic, may_be_authentic
from bookend.application.deadline import Deadline
from bookend.application.ports import Clock

SIGNATURE_HEADER = "x-retell-signature"
_FORGED = {"status": "unauthorized", "message": "The signature does not match."}
_TOO_LARGE = {"status": "error", "message": f"The body is larger than {wire.MAX_BODY} bytes."}
_UNREADABLE = {"status": "error", "message": "The body is not readable."}


class Keys(Protocol):
    """What the door needs to know."""

    clock: Clock

    def retell_keys(self, deadline: Deadline | None = None) -> tuple[str, ...]:
        """The keys that may sign.

        Raises:
            KeyUnavailable: they are not to be had by `deadline`.
        """
        ...

    def fresh_retell_keys(self, deadline: Deadline | None = None) -> tuple[str, ...]:
        """Keys put in force since; empty if there is nothing new to know."""
        ...

    def signature_rejected(self) -> None:
        """Count one that was turned away."""
        ...


def admitted(event: Mapping[str, Any], keys: Keys, *, deadline: Deadline) -> bytes | dict[str, Any]:
    """The raw body of an authentic request, or the answer for one that is not.

    Raises:
        KeyUnavailable: nobody can say whether it is; what is no signature at all is answered without a key.
    """
    body = web.raw_body(event)
    if body is None:
        return web.answer(400, _UNREADABLE)
    if len(body) > wire.MAX_BODY:
        return web.answer(413, _TOO_LARGE)
    signature, now = web.header(event, SIGNATURE_HEADER), keys.clock.now()
    if may_be_authentic(signature, now=now) and (
        is_authentic(body, signature, keys.retell_keys(deadline), now=now)
        or is_authentic(body, signature, keys.fresh_retell_keys(deadline), now=now)
    ):
        return body
    keys.signature_rejected()
    return web.answer(401, _FORGED)
