"""The semantic key of a wish: the same wish in other words has the same key."""

from __future__ import annotations

import hashlib
from datetime import datetime

from bookend.domain.contacts import name_identity
from bookend.domain.timeslot import instant_text


def request_key(*, call: str, operation: str, service: str, start: datetime, name: str) -> str:
    """What a caller wants, once per call: never a hash of the raw arguments.

    A model repeats a wish a second later with another spelling of the time, more fields and a new tool-call id
    (contracts: retell 1.7); whom it is for is the name without titles, case and accents.
    """
    meaning = "|".join((call, operation, service, instant_text(start), name_identity(name)))
    return hashlib.sha256(meaning.encode()).hexdigest()[:40]
