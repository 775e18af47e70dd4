"""Tenants in the table: whose call it is, and how a configuration comes into force."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.tenants import FRESH, DynamoTenants, RouteTaken
from bookend.adapters.tenants.document import read_tenant
from tests.adapters.dynamodb.place import Place
from tests.support.salon import EXAMPLE


@pytest.fixture
def tenants(place: Place) -> DynamoTenants:
    return another_instance(place)


def another_instance(place: Place) -> DynamoTenants:
    """With nothing in its memory."""
    return DynamoTenants(place.table, parse=read_tenant, clock=place.clock)


def document(**changed: Any) -> str:
    return json.dumps(json.loads(EXAMPLE.read_bytes()) | changed)


def store(tenants: DynamoTenants, **changed: Any) -> None:
    text = document(**changed)
    tenants.store(read_tenant(text), text)


@pytest.mark.parametrize(
    ("agent", "number", "staff"),
    [
        ("agent_friseur1", None, {"fabian", "emma", "udo"}),
        (None, "+493033081738", {"fabian", "emma"}),
        ("agent_friseur1", "+493033081739", {"udo"}),
        ("agent_friseur1", "+4930000000", {"fabian", "emma", "udo"}),
        ("agent_unknown", "+493033081739", {"udo"}),
    ],
)
def test_a_call_belongs_to_who_its_agent_or_number_belongs_to(
    tenants: DynamoTenants, agent: str | None, number: str | None, staff: set[str]
) -> None:
    store(tenants)
    found = tenants.of_call(agent=agent, number=number)
    assert found is not None
    assert {each.id for each in found.staff} == staff


@pytest.mark.parametrize(("agent", "number"), [(None, None), ("agent_unknown", None), (None, "+4930000000"), ("", "")])
def test_a_call_of_nobodys_is_nobodys(tenants: DynamoTenants, agent: str | None, number: str | None) -> None:
    store(tenants)
    assert tenants.of_call(agent=agent, number=number) is None


def test_where_agent_and_number_disagree_nobody_is_served(tenants: DynamoTenants) -> None:
    store(tenants)
    store(tenants, id="friseur2", agents=["agent_2"], branches=json.loads(other_branches("+4930222")), staff=others())
    assert tenants.of_call(agent="agent_2", number="+493033081738") is None
    found = tenants.of_call(agent="agent_2", number="+4930222222")
    assert found is not None
    assert found.id == "friseur2"


def others() -> list[dict[str, Any]]:
    """The same stylists with users of their own."""
    named = json.loads(EXAMPLE.read_bytes())["staff"]
    return [each | {"calcom_user": each["calcom_user"] + 1000} for each in named]


def other_branches(prefix: str) -> str:
    named = json.loads(EXAMPLE.read_bytes())["branches"]
    return json.dumps(
        [each | {"phone_numbers": [f"{prefix}{position}22222"[:13]]} for position, each in enumerate(named, 2)]
    )


def test_a_tenant_is_found_by_name_too(tenants: DynamoTenants) -> None:
    store(tenants)
    found = tenants.of_id("friseur1")
    assert found is not None
    assert len(found.staff) == 3
    assert tenants.of_id("friseur9") is None


def test_what_was_read_is_trusted_for_a_minute(place: Place, tenants: DynamoTenants) -> None:
    store(tenants)
    tenants.of_call(agent="agent_friseur1", number=None)
    place.client.requests.clear()
    place.clock.advance(FRESH.total_seconds() - 1)
    tenants.of_call(agent="agent_friseur1", number=None)
    assert not place.client.requests
    store(another_instance(place), name="Umbenannt")
    place.clock.advance(2)
    found = tenants.of_call(agent="agent_friseur1", number=None)
    assert found is not None
    assert found.name == "Umbenannt"


def test_a_document_is_kept_as_it_was_given(tenants: DynamoTenants) -> None:
    assert tenants.document("friseur1") is None
    store(tenants)
    assert tenants.document("friseur1") == document()


def test_routes_that_are_no_longer_named_are_gone(place: Place, tenants: DynamoTenants) -> None:
    store(tenants)
    store(tenants, agents=["agent_new"])
    assert place.item(keys.route("AGENT", "agent_friseur1")) is None
    assert place.there(keys.route("AGENT", "agent_new"))["tenant"] == "friseur1"
    fresh = another_instance(place)
    assert fresh.of_call(agent="agent_friseur1", number=None) is None
    assert fresh.of_call(agent="agent_new", number="+493033081738") is not None


def test_another_tenants_number_is_not_taken_over(place: Place, tenants: DynamoTenants) -> None:
    store(tenants)
    before = place.item(keys.route("NUMBER", "+493033081738"))
    with pytest.raises(RouteTaken, match=r"\+493033081738"):
        store(tenants, id="friseur2", agents=["agent_2"], staff=others())
    assert tenants.document("friseur2") is None
    assert place.item(keys.route("NUMBER", "+493033081738")) == before
    assert place.item(keys.route("AGENT", "agent_2")) is None


def test_another_tenants_stylist_is_not_shared(place: Place, tenants: DynamoTenants) -> None:
    """Both would take whatever is booked with them for their own."""
    store(tenants)
    emma = next(each["calcom_user"] for each in json.loads(EXAMPLE.read_bytes())["staff"] if each["id"] == "emma")
    shared = [each | {"calcom_user": emma} if each["id"] == "emma" else each for each in others()]
    elsewhere = {"id": "friseur2", "agents": ["agent_2"], "branches": json.loads(other_branches("+4930222"))}
    with pytest.raises(RouteTaken, match=f"^Cal.com user {emma}$"):
        store(tenants, **elsewhere, staff=shared)
    assert tenants.document("friseur2") is None
    store(tenants, staff=others())
    store(tenants, **elsewhere, staff=json.loads(EXAMPLE.read_bytes())["staff"])
    assert place.there(keys.route("USER", str(emma)))["tenant"] == "friseur2", "let go by one, free for the other"


def test_of_two_changes_at_once_one_is_refused(place: Place) -> None:
    store(another_instance(place))
    slow = another_instance(place)
    reading: Callable[[str], str | None] = slow.document
    old = reading("friseur1")
    store(another_instance(place), name="Schneller")
    slow.document = lambda tenant_id: old  # type: ignore[method-assign]
    with pytest.raises(RouteTaken, match="changed by somebody else"):
        store(slow, name="Langsamer")
    assert "Schneller" in (another_instance(place).document("friseur1") or "")
