"""How many imported appointments nobody has read at Cal.com yet: one number, kept with what changes it."""

from __future__ import annotations

from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.actions import Action, names
from bookend.adapters.dynamodb.items import to_wire
from bookend.domain.appointment import Appointment


def count_unverified(table: str, tenant: str, by: int) -> Action:
    """So many more, or fewer. Unconditional, so it can never be what a transaction fails for; to go last."""
    update = {
        "TableName": table,
        "Key": keys.unverified(tenant),
        "UpdateExpression": "SET #n = if_not_exists(#n, :zero) + :by",
        "ExpressionAttributeNames": names("n"),
        "ExpressionAttributeValues": to_wire({":zero": 0, ":by": by}),
    }
    return {"Update": update}


def no_longer_unverified(table: str, tenant: str, before: Appointment) -> list[Action]:
    """One fewer, where this is one that was imported and never read: it has been read now, or is over."""
    return [count_unverified(table, tenant, -1)] if before.source == "import" and before.verified_at is None else []
