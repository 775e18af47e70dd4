"""What AWS says to an operator, in words that name what they have typed."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

_NO_SUCH_THING = "ResourceNotFoundException"


def said_by_aws(error: BotoCoreError | ClientError) -> str:
    """The name of what went wrong and, of a refusal, AWS's own word for it."""
    code = error.response["Error"].get("Code") if isinstance(error, ClientError) else None
    return code or f"{type(error).__name__} ({error})"


def refused_by_aws(error: BotoCoreError | ClientError, *tables: str | None) -> str:
    """The same as a sentence; a table that is not there is named."""
    said = said_by_aws(error)
    named = [each for each in tables if each]
    if said != _NO_SUCH_THING or not named:
        return f"AWS refuses: {said}"
    return f"there is no table {' or no '.join(named)} in this account and region ({said})"
