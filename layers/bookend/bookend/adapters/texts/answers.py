"""What an answer of SNS or SES, or none, says of whether a text was sent.

Only what certainly came before the request counts as not sent: anything else that failed may have been carried out.
Names of errors are kept, never their texts, which repeat numbers and addresses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from bookend.adapters.bounded import Bounds, Late
from bookend.application.deadline import Deadline
from bookend.application.ports.texts import NotSent, Refused, SendAnswer, Sent, Unclear

_SERVER = 500
_NO_CONNECTION = (EndpointConnectionError, ConnectTimeoutError)


def send_once(
    ask: Callable[[], Mapping[str, Any]], bounds: Bounds, deadline: Deadline, *, refusals: Callable[[ClientError], str]
) -> SendAnswer:
    """Ask the provider once. `refusals`: our word for an error that is about this address; "" for any other."""
    if deadline.remaining() <= 0:
        return NotSent("no_time")
    try:
        return Sent(str(bounds(ask, deadline)["MessageId"]))
    except Late as error:  # it goes on behind our back, or was never made: nobody knows
        return Unclear(type(error).__name__)
    except ClientError as error:
        return _said(error, refusals(error))
    except _NO_CONNECTION as error:
        return NotSent(type(error).__name__)
    except (HTTPClientError, SSLError, ResponseParserError, KeyError) as error:
        return Unclear(type(error).__name__)
    except BotoCoreError as error:  # no credentials, no region, a malformed request: all before anything is sent
        return NotSent(type(error).__name__)


def _said(error: ClientError, refused: str) -> SendAnswer:
    """A definite no is one of the service's own, below 500; of a failure of its own nobody knows how far it came."""
    if error.response["ResponseMetadata"]["HTTPStatusCode"] >= _SERVER:
        return Unclear(code_of(error))
    return Refused(refused) if refused else NotSent(code_of(error))


def code_of(error: ClientError) -> str:
    """The service's name for it."""
    return str(error.response["Error"].get("Code", "")) or "ClientError"
