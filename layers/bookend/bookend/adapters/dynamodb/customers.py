"""Which appointments a customer has: asked of an index, which is late, so whoever decides reads the appointments."""

from __future__ import annotations

from datetime import datetime

from bookend.adapters.dynamodb import items, keys
from bookend.adapters.dynamodb.items import to_wire
from bookend.adapters.dynamodb.transact import Table


def names_of(
    table: Table, tenant: str, customer: str, *, after: datetime, until: datetime | None = None
) -> tuple[str, ...]:
    """The appointments that start after `after` or, with `until`, between both, the earliest first."""
    when = "#start > :after" if until is None else "#start BETWEEN :after AND :until"
    rows = table.query_all(
        IndexName=keys.CUSTOMER_INDEX,
        KeyConditionExpression=f"#who = :who AND {when}",
        ExpressionAttributeNames={"#who": "customer_key", "#start": "start"},
        ExpressionAttributeValues=to_wire(
            {":who": keys.customer_partition(tenant, customer), ":after": items.text(after)}
            | ({":until": items.text(until)} if until is not None else {})
        ),
    )
    return tuple(keys.name_of(row) for row in rows)
