"""What commands share: their exits, their words, what is behind them, and what AWS says, naming what was typed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError

from bookend import bootstrap
from bookend.application.ports import StoreUnavailable
from bookend.config import Settings

OK, FAILED = 0, 1
UNKNOWN = 3
"""The exit status where a command that judges could read nothing to judge by."""
_TOO_SLOW = frozenset({"ReadTimeoutError", "RequestTimeout", "Late"})
_TOO_MUCH = frozenset(
    {
        "ThrottlingException",
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "UnprocessedKeys",
    }
)
_IN_THE_WAY = frozenset(
    {
        "contention",
        "TransactionCanceledException",
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
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


def no_answer(away: StoreUnavailable, *tables: str | None) -> str:
    """What kept a table from answering: one that is slow, or turns much away, is there all the same."""
    named = f"the table {' or '.join(each for each in tables if each)}"
    why = str(away)
    if why in _TOO_SLOW:
        return f"{named} is there, but was too slow to answer ({why}): run it again"
    if why in _TOO_MUCH:
        return f"{named} is there, but turns away so many requests at once ({why}): run it again in a minute"
    if why in _IN_THE_WAY:
        return f"{named} is there, but others write the same at the same time ({why}): run it again"
    return f"{named} cannot be reached"


def dependencies(options: argparse.Namespace) -> bootstrap.Dependencies:
    """Everything behind a command, as far as its options name it."""
    settings = Settings(
        table_name=options.table,
        stage=bootstrap.SHELL,
        release_id=bootstrap.SHELL,
        calcom_secret_arn=getattr(options, "calcom_secret", None),
        calcom_base_url=getattr(options, "calcom_url", None),
        audit_table_name=getattr(options, "audit_table", None),
        audit_keys_secret_arn=getattr(options, "keys_secret", None),
    )
    return bootstrap.Dependencies(settings, clock=bootstrap.SystemClock())


def say(*lines: str) -> None:
    """The command's own words, on standard output."""
    sys.stdout.writelines(line + "\n" for line in lines)


def refuse(why: str, *, status: int = FAILED) -> int:
    """Why nothing was done, on standard error; the exit status that goes with it."""
    sys.stderr.write(why + "\n")
    return status


def counted(number: int, what: str) -> str:
    """1 chain, 2 chains."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines, each column as wide as its widest cell."""
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
