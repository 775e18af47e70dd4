"""E-mail by Amazon SES (version 2 of its interface), from an address that the salon has had verified."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from bookend.adapters.bounded import Bounds
from bookend.adapters.texts.answers import code_of, send_once
from bookend.application.deadline import Deadline
from bookend.application.ports.texts import NotSent, SendAnswer
from bookend.domain.texts import Text

_REFUSALS = {"MessageRejected": "rejected", "BadRequestException": "invalid_address"}


class SesMessenger:
    """The `Messenger` port for e-mail."""

    def __init__(self, client: Callable[[], Any], bounds: Bounds) -> None:
        self._make = client
        self._bounds = bounds

    @cached_property
    def _client(self) -> Any:
        return self._make()

    def send(self, text: Text, *, deadline: Deadline) -> SendAnswer:
        if text.sender is None:
            return NotSent("no_sender")

        def ask() -> Any:
            return self._client.send_email(
                FromEmailAddress=text.sender,
                Destination={"ToAddresses": [text.to]},
                Content={
                    "Simple": {
                        "Subject": {"Data": text.subject, "Charset": "UTF-8"},
                        "Body": {"Text": {"Data": text.body, "Charset": "UTF-8"}},
                    }
                },
            )

        return send_once(ask, self._bounds, deadline, refusals=_refusal)


def _refusal(error: ClientError) -> str:
    return _REFUSALS.get(code_of(error), "")
