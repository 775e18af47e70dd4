"""Tenants in the table: the document, the routes from an agent or a dialled number to it, whose stylists' users are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.items import to_wire
from bookend.adapters.dynamodb.transact import Table
from bookend.application.deadline import Deadline
from bookend.application.ports import Clock, TenantUnusable
from bookend.domain.tenant import Tenant

FRESH = timedelta(seconds=60)
"""How long an instance trusts what it read: a change of configuration is in force a minute later at the latest."""
_MOST_CACHED = 500
_USER = "USER"
"""Routes of this kind lead nowhere: they keep a stylist's Cal.com user for one tenant."""


class RouteTaken(Exception):
    """An agent, a number or a stylist's Cal.com user is another tenant's already."""


class DynamoTenants:
    """The `Tenants` port. `parse` turns a stored document into a tenant, or raises TenantUnusable.

    `on_unusable` is told of a stored document that cannot be used: nobody of that tenant is served until it is mended.
    """

    def __init__(
        self,
        table: Table,
        *,
        parse: Callable[[str], Tenant],
        clock: Clock,
        on_unusable: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._table = table
        self._parse = parse
        self._clock = clock
        self._on_unusable = on_unusable
        self._routes: dict[tuple[str | None, str | None], tuple[datetime, str | None]] = {}
        self._tenants: dict[str, tuple[datetime, Tenant]] = {}

    def of_call(self, *, agent: str | None, number: str | None, deadline: Deadline | None = None) -> Tenant | None:
        table = self._table if deadline is None else self._table.within(deadline)
        tenant_id = self._route(agent, number, table)
        if tenant_id is None:
            return None
        tenant = self._tenant(tenant_id, table)
        return None if tenant is None else tenant.at_branch(tenant.branch_of(agent=agent, number=number))

    def of_id(self, tenant: str) -> Tenant | None:
        return self._tenant(tenant, self._table)

    def every(self) -> Sequence[str]:
        item = self._table.get(keys.every_tenant())
        return sorted(item["ids"]["SS"]) if item is not None else []

    def _route(self, agent: str | None, number: str | None, table: Table) -> str | None:
        """The tenant both agree on; where agent and number belong to different ones, nobody's."""
        now = self._clock.now()
        cached = self._routes.get((agent, number))
        if cached is not None and now - cached[0] < FRESH:
            return cached[1]
        wanted = [keys.route(kind, value) for kind, value in (("AGENT", agent), ("NUMBER", number)) if value]
        owners = {item["tenant"]["S"] for item in table.get_all(wanted) if item is not None} if wanted else set()
        found = owners.pop() if len(owners) == 1 else None
        if len(self._routes) >= _MOST_CACHED:
            self._routes.clear()
        self._routes[agent, number] = (now, found)
        return found

    def _tenant(self, tenant_id: str, table: Table) -> Tenant | None:
        now = self._clock.now()
        cached = self._tenants.get(tenant_id)
        if cached is not None and now - cached[0] < FRESH:
            return cached[1]
        document = _document(table, tenant_id)
        if document is None:
            return None
        try:
            tenant = self._parse(document)
        except TenantUnusable:
            self._on_unusable(tenant_id)
            raise
        self._tenants[tenant_id] = (now, tenant)
        return tenant

    def document(self, tenant_id: str) -> str | None:
        """The document in force, as it was stored."""
        return _document(self._table, tenant_id)

    def store(self, tenant: Tenant, document: str) -> None:
        """Write the document and its routes in one transaction, in place of an earlier one of the same tenant.

        Raises:
            RouteTaken: an agent, number or Cal.com user is another tenant's. Two that share a user would each take
                the other's bookings for its own.
        """
        wanted = _routes(tenant)
        before = self.document(tenant.id)
        former = _routes(self._parse(before)) if before is not None else set()
        name = self._table.name
        actions = [
            {
                "Put": {
                    "TableName": name,
                    "Item": keys.tenant_config(tenant.id) | to_wire({"document": document}),
                    "ConditionExpression": "attribute_not_exists(#pk) OR #document = :before",
                    "ExpressionAttributeNames": {"#pk": "pk", "#document": "document"},
                    "ExpressionAttributeValues": to_wire({":before": before or ""}),
                }
            }
        ]
        listed = {
            "TableName": name,
            "Key": keys.every_tenant(),
            "UpdateExpression": "ADD #ids :me",
            "ExpressionAttributeNames": {"#ids": "ids"},
            "ExpressionAttributeValues": {":me": {"SS": [tenant.id]}},
        }
        for kind, value in sorted(wanted | former):
            change = {
                "TableName": name,
                "ConditionExpression": "attribute_not_exists(#pk) OR #tenant = :me",
                "ExpressionAttributeNames": {"#pk": "pk", "#tenant": "tenant"},
                "ExpressionAttributeValues": to_wire({":me": tenant.id}),
            }
            if (kind, value) in wanted:
                item = keys.route(kind, value) | to_wire({"tenant": tenant.id})
                actions.append({"Put": change | {"Item": item}})
            else:
                actions.append({"Delete": change | {"Key": keys.route(kind, value)}})
        actions.append({"Update": listed})  # a set: adding what is there changes nothing
        if (failed := self._table.write(actions)) is not None:
            taken = [
                f"Cal.com user {value}" if kind == _USER else value
                for position, (kind, value) in enumerate(sorted(wanted | former), 1)
                if position in failed.items
            ]
            raise RouteTaken(", ".join(taken) or "the configuration was changed by somebody else meanwhile")


def _document(table: Table, tenant_id: str) -> str | None:
    item = table.get(keys.tenant_config(tenant_id))
    return None if item is None else str(item["document"]["S"])


def _routes(tenant: Tenant) -> set[tuple[str, str]]:
    agents = [*tenant.agents, *(agent for branch in tenant.branches for agent in branch.agents)]
    numbers = [
        *tenant.phone_numbers,
        *(number for branch in tenant.branches for number in branch.phone_numbers),
    ]
    users = {(_USER, str(each.calcom_user)) for each in tenant.staff}
    return users | {("AGENT", agent) for agent in agents} | {("NUMBER", number) for number in numbers}
