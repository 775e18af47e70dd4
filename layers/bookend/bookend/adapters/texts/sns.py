"""SMS by Amazon SNS, straight to a number: no topic, no subscription.

SNS takes a text to a number that has opted out and drops it without a word, so it is asked for that first.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from bookend.adapters.bounded import Bounds, Late
from bookend.adapters.texts.answers import code_of, send_once
from bookend.application.deadline import Deadline
from bookend.application.ports.texts import NotSent, Refused, SendAnswer
from bookend.domain.texts import Text

_OF_THE_NUMBER = frozenset({"InvalidParameter", "InvalidParameterValue", "ParameterValueInvalid", "ValidationError"})


class SnsMessenger:
    """The `Messenger` port for SMS."""

    def __init__(self, client: Callable[[], Any], bounds: Bounds) -> None:
        self._make = client
        self._bounds = bounds

    @cached_property
    def _client(self) -> Any:
        return self._make()

    def send(self, text: Text, *, deadline: Deadline) -> SendAnswer:
        trouble = self._opted_out(text.to, deadline)
        if trouble is not None:
            return trouble
        kind = {"AWS.SNS.SMS.SMSType": {"DataType": "String", "StringValue": "Transactional"}}
        if text.sender:
            kind["AWS.SNS.SMS.SenderID"] = {"DataType": "String", "StringValue": text.sender}
        return send_once(
            lambda: self._client.publish(PhoneNumber=text.to, Message=text.body, MessageAttributes=kind),
            self._bounds,
            deadline,
            refusals=_refusal,
        )

    def _opted_out(self, number: str, deadline: Deadline) -> NotSent | Refused | None:
        """Whatever goes wrong here, nothing was sent yet."""
        try:
            said = self._bounds(
                lambda: self._client.check_if_phone_number_is_opted_out(phoneNumber=number),
                deadline,
            )
        except ClientError as error:
            refused = _refusal(error)
            return Refused(refused) if refused else NotSent(code_of(error))
        except (BotoCoreError, Late) as error:
            return NotSent(type(error).__name__)
        return Refused("opted_out") if said.get("isOptedOut") else None


def _refusal(error: ClientError) -> str:
    if "opted out" in str(error.response["Error"].get("Message", "")).lower():
        return "opted_out"
    return "invalid_address" if code_of(error) in _OF_THE_NUMBER else ""
