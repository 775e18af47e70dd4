"""The note in `.sandbox/stack.json` by which another program finds the running stack."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from sandbox.stack.engine import REPOSITORY

FILE = REPOSITORY / ".sandbox" / "stack.json"
OFFERS = FILE.with_name("offers.json")
"""What the last call from the shell was offered."""


@dataclass(frozen=True)
class Handle:
    """Where the stack answers, and what a signed call to it needs."""

    url: str
    retell_key: str
    clock_file: str
    agent: str
    number: str
    """The salon's, that is dialled."""
    call: str
    """A call id for everything that is said during this run, so that what was offered can be booked."""
    calcom: str
    """The stand-in's address; empty beside a real account."""
    table: str
    audit_table: str
    audit_keys: str
    """The secret with the keys of the audit log, by its ARN."""
    calcom_secret: str
    """The secret with the key of Cal.com, by its ARN."""
    aws: dict[str, str]
    """Where the engine answers, in the variables that every AWS SDK reads."""
    dynamodb: str
    """Where its tables are."""
    staff: dict[str, int]
    """The stylists, by name, and who they are at Cal.com."""
    event_types: dict[str, int]
    """By "service/stylist"."""
    zone: str
    texts: str = ""
    """Where texts to callers arrive."""

    def write(self, file: Path = FILE) -> None:
        """Leave the note, readable for nobody else: it holds the key."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.chmod(0o600)
        file.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def forget() -> None:
    """The stack is gone."""
    FILE.unlink(missing_ok=True)
    OFFERS.unlink(missing_ok=True)


def read(file: Path = FILE) -> Handle | None:
    """The note of the running stack; None where there is none."""
    try:
        return Handle(**json.loads(file.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None
