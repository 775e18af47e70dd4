"""The salon's document: the example is right, and every mistake is named with its place."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

import pytest

from bookend.adapters.tenants.document import TenantInvalid, read_tenant
from bookend.domain.policy import Policy, PolicySettings, policy_of
from bookend.domain.tenant import PartRule, Service
from tests.support.salon import EXAMPLE

Change = Callable[[dict[str, Any]], Any]
CONTENT: dict[str, Any] = json.loads(EXAMPLE.read_text(encoding="utf-8"))


def problems(change: Change) -> list[str]:
    document = copy.deepcopy(CONTENT)
    change(document)
    with pytest.raises(TenantInvalid) as raised:
        read_tenant(json.dumps(document))
    assert str(raised.value) == "\n".join(raised.value.problems)
    return raised.value.problems


def test_the_example_is_right() -> None:
    tenant = read_tenant(EXAMPLE.read_bytes())
    assert (tenant.id, tenant.zone.key, tenant.language.value) == ("friseur1", "Europe/Berlin", "de")
    assert [each.name for each in tenant.services] == [
        "Herrenhaarschnitt",
        "Damenhaarschnitt",
        "Beratung",
        "Dauerwelle",
    ]
    assert [(part.kind.value, part.minutes) for part in tenant.services[3].segments] == [
        ("busy", 45),
        ("gap", 60),
        ("busy", 30),
    ], "the clean-up of no minutes is nothing that anybody waits for or books"
    assert tenant.services[0].segments[0].event_types == {"fabian": 3672814, "emma": 3672815, "udo": 3672816}
    assert read_tenant(EXAMPLE.read_text(encoding="utf-8")) == tenant


def put(*path: Any, value: Any) -> Change:
    def change(document: dict[str, Any]) -> None:
        place: Any = document
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


def without(*path: Any) -> Change:
    def change(document: dict[str, Any]) -> None:
        place: Any = document
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]

    return change


NO_ID = "is no id; write it with small letters, digits, - and _ (40 at most)"
EITHER = "a service has either 'minutes' and 'event_types', or 'segments'"
BUSY = "a busy segment needs minutes and, for each stylist who does it, an event type"
ORDER = "a gap usually lasts between its 'min_minutes' and 'max_minutes', and"


def busy(event_type: int, minutes: int = 30) -> dict[str, Any]:
    return {"kind": "busy", "minutes": minutes, "event_types": {"fabian": event_type}}


OPTIONAL = {"callback", "agents", "policy", "composites", "texts"}
RULES: list[tuple[Change, str]] = [
    # what must be there, and as what
    *((without(name), f"{name}: Field required") for name in CONTENT if name not in OPTIONAL),
    (without("staff", 0, "calcom_user"), "staff[fabian].calcom_user: Field required"),
    (without("services", 0, "name"), "services[herrenhaarschnitt].name: Field required"),
    (put("name", value=""), "name: String should have at least 1 character"),
    (put("name", value="x" * 81), "name: String should have at most 80 characters"),
    (put("name", value=5), "name: Input should be a valid string"),
    (put("branches", value=[]), "branches: List should have at least 1 item after validation, not 0"),
    (put("staff", value=[]), "staff: List should have at least 1 item after validation, not 0"),
    (put("services", value=[]), "services: List should have at least 1 item after validation, not 0"),
    (put("services", value={}), "services: Input should be a valid array"),
    (put("language", value="fr"), "language: Input should be 'de' or 'en'"),
    (put("callback", value={"fr": "Rappelez."}), "callback.fr.[key]: Input should be 'de' or 'en'"),
    (put("callback", "de", value="x" * 201), "callback.de: String should have at most 200 characters"),
    # ids
    (put("id", value="Friseur 1"), f"id: 'Friseur 1' {NO_ID}"),
    (put("id", value="x" * 41), f"id: '{'x' * 41}' {NO_ID}"),
    (put("id", value="a#b"), f"id: 'a#b' {NO_ID}"),
    (put("id", value="friseur1\n"), f"id: 'friseur1\n' {NO_ID}"),
    (put("staff", 1, "id", value="-emma"), f"staff[-emma].id: '-emma' {NO_ID}"),
    (put("staff", 1, "branch", value=""), f"staff[emma].branch: '' {NO_ID}"),
    # zones, numbers, domains
    (put("zone", value="CEST"), "zone: 'CEST' is no time zone; write it like Europe/Berlin"),
    (put("zone", value="MESZ"), "zone: 'MESZ' is no time zone; write it like Europe/Berlin"),
    (put("zone", value="Europe"), "zone: 'Europe' is no time zone; write it like Europe/Berlin"),
    (put("zone", value="UTC+1"), "zone: 'UTC+1' is no time zone; write it like Europe/Berlin"),
    (put("zone", value=""), "zone: '' is no time zone; write it like Europe/Berlin"),
    (put("zone", value="../Berlin"), "zone: '../Berlin' is no time zone; write it like Europe/Berlin"),
    (put("zone", value="/etc/localtime"), "zone: '/etc/localtime' is no time zone; write it like Europe/Berlin"),
    (put("country_code", value="+49"), "country_code: '+49' is no country code; write digits only, like 49"),
    (put("country_code", value="049"), "country_code: '049' is no country code; write digits only, like 49"),
    (put("country_code", value=49), "country_code: Input should be a valid string"),
    (
        put("placeholder_domain", value="Kunden.Example"),
        "placeholder_domain: 'Kunden.Example' is no domain; write it like kunden.salon.example, in lower case",
    ),
    (
        put("placeholder_domain", value="a@b.de"),
        "placeholder_domain: 'a@b.de' is no domain; write it like kunden.salon.example, in lower case",
    ),
    (
        put("branches", 0, "phone_numbers", 0, value="030 33081738"),
        "branches[mitte].phone_numbers[0]: '030 33081738' is no international number; write it like +493012345678",
    ),
    (
        put("phone_numbers", value=["anonymous"]),
        "phone_numbers[0]: 'anonymous' is no international number; write it like +493012345678",
    ),
    # numbers of Cal.com
    (put("staff", 0, "calcom_user", value=0), "staff[fabian].calcom_user: Input should be greater than 0"),
    (put("staff", 0, "calcom_user", value="28"), "staff[fabian].calcom_user: Input should be a valid integer"),
    (
        put("services", 0, "event_types", "fabian", value=-1),
        "services[herrenhaarschnitt].event_types.fabian: Input should be greater than 0",
    ),
    (
        put("services", 0, "event_types", "fabian", value=True),
        "services[herrenhaarschnitt].event_types.fabian: Input should be a valid integer",
    ),
    (put("services", 0, "minutes", value=0), "services[herrenhaarschnitt].minutes: Input should be greater than 0"),
    (
        put("services", 0, "minutes", value=721),
        "services[herrenhaarschnitt].minutes: Input should be less than or equal to 720",
    ),
    (put("services", 0, "minutes", value=30.5), "services[herrenhaarschnitt].minutes: Input should be a valid integer"),
    # plain or composite
    (without("services", 0, "minutes"), f"services[herrenhaarschnitt]: {EITHER}"),
    (without("services", 0, "event_types"), f"services[herrenhaarschnitt]: {EITHER}"),
    (without("services", 3, "segments"), f"services[dauerwelle]: {EITHER}"),
    (put("services", 3, "minutes", value=135), f"services[dauerwelle]: {EITHER}"),
    (put("services", 3, "event_types", value={"fabian": 5}), f"services[dauerwelle]: {EITHER}"),
    (put("services", 3, "segments", value=[]), "services[dauerwelle]: a composite service needs a busy segment"),
    (
        put("services", 3, "segments", value=[{"kind": "gap", "minutes": 60}]),
        "services[dauerwelle]: a composite service needs a busy segment",
    ),
    (
        without("services", 3, "segments", 0),
        "services[dauerwelle]: the first segment of a composite service must be busy",
    ),
    (
        put("services", 3, "segments", 3, value={"kind": "gap", "minutes": 15}),
        "services[dauerwelle]: the last segment of a composite service must be busy: nobody waits after it",
    ),
    (
        put("services", 3, "segments", value=[busy(5), *[{"kind": "gap", "minutes": 15}] * 2, busy(6)]),
        "services[dauerwelle]: segments 1 and 2 are gaps with nothing between them: make them one",
    ),
    (
        put("services", 3, "segments", 2, value={"kind": "busy", "minutes": 0}),
        "services[dauerwelle]: the last segment of a composite service must be busy",
    ),
    (
        put("services", 3, "segments", value=[busy(1000 + n, 5) for n in range(7)]),
        "services[dauerwelle]: a service has 6 busy segments at most",
    ),
    (
        put("services", 3, "segments", 1, "max_minutes", value=646),
        "services[dauerwelle]: a service takes 720 minutes at most, its gaps at their longest",
    ),
    (
        put("services", 3, "segments", 0, "minutes", value=-45),
        "services[dauerwelle].segments[0].minutes: Input should be greater",
    ),
    (
        put("services", 3, "segments", 1, "minutes", value=-1),
        "services[dauerwelle].segments[1].minutes: Input should be greater",
    ),
    (
        put("services", 3, "segments", 1, "min_minutes", value=-1),
        "services[dauerwelle].segments[1].min_minutes: Input should be",
    ),
    (put("services", 3, "segments", 1, "min_minutes", value=61), f"services[dauerwelle].segments[1]: {ORDER}"),
    (put("services", 3, "segments", 1, "max_minutes", value=59), f"services[dauerwelle].segments[1]: {ORDER}"),
    (
        put("services", 3, "segments", 1, value={"kind": "gap", "minutes": 60, "min_minutes": 70, "max_minutes": 65}),
        f"services[dauerwelle].segments[1]: {ORDER}",
    ),
    (
        put("services", 3, "segments", 0, "max_minutes", value=60),
        "services[dauerwelle].segments[0]: a busy segment is as long as its event types",
    ),
    (put("services", 3, "segments", 0, "minutes", value=0), f"services[dauerwelle].segments[0]: {BUSY}"),
    (put("services", 3, "segments", 0, "event_types", value={}), f"services[dauerwelle].segments[0]: {BUSY}"),
    (
        put("services", 3, "segments", 1, "event_types", value={"fabian": 5}),
        "services[dauerwelle].segments[1]: a gap is not booked at Cal.com and has no event types",
    ),
    (
        put("services", 3, "segments", 1, "kind", value="pause"),
        "services[dauerwelle].segments[1].kind: Input should be 'busy' or 'gap'",
    ),
    # what belongs together
    (put("branches", 1, "id", value="mitte"), "document: branch 'mitte' is there twice"),
    (put("staff", 1, "id", value="fabian"), "document: staff 'fabian' is there twice"),
    (put("services", 1, "id", value="beratung"), "document: service 'beratung' is there twice"),
    (put("staff", 1, "calcom_user", value=28), "document: Cal.com user '28' is there twice"),
    (
        put("branches", 0, "agents", value=["agent_friseur1"]),
        "document: agent 'agent_friseur1' is there twice",
    ),
    (put("phone_numbers", value=["+493033081738"]), "document: phone number '+493033081738' is there twice"),
    (put("staff", 2, "branch", value="ost"), "document: staff 'udo': there is no branch 'ost'"),
    (
        put("services", 0, "event_types", "nora", value=5),
        "document: service 'herrenhaarschnitt': there is no staff 'nora'",
    ),
    (
        put("services", 3, "segments", 2, "event_types", value={"emma": 5}),
        "document: service 'dauerwelle': 'emma' has an event type for some of its segments only, and none for",
    ),
    (
        put("services", 3, "segments", 2, "event_types", value={"fabian": 3757749}),
        "document: event type 3757749 cannot have several lengths: 45 minutes in 'dauerwelle', 30 minutes in 'dauerwe",
    ),
    (
        put("services", 3, "segments", 0, "event_types", value={"fabian": 3672814}),
        "document: event type 3672814 cannot have several lengths: 30 minutes in 'herrenhaarschnitt', 45 minutes in",
    ),
    (
        put("services", 1, "event_types", "fabian", value=2563193),
        "document: event type 2563193 cannot have several lengths: 45 minutes in 'damenhaarschnitt', 30 minutes in",
    ),
    (
        put("services", 0, "event_types", "emma", value=3672814),
        "document: event type 3672814 is given to emma and fabian: each needs their own, or Cal.com chooses who works",
    ),
    (
        put("services", 1, "event_types", "emma", value=3757750),
        "document: event type 3757750 is given to emma and fabian: each needs their own, or Cal.com chooses who works",
    ),
    (
        put("services", 1, "name", value="HERRENSCHNITT"),
        "document: 'herrenschnitt' names the services damenhaarschnitt and herrenhaarschnitt: a caller could mean",
    ),
    (
        put("services", 2, "synonyms", value=["Maennerhaarschnitt"]),
        "document: 'maennerhaarschnitt' names the services beratung and herrenhaarschnitt: a caller could mean either",
    ),
    # policies
    (put("policy", value={"book_notice_minutes": -1}), "policy.book_notice_minutes: Input should be greater than or"),
    (put("policy", value={"book_notice_minutes": "90"}), "policy.book_notice_minutes: Input should be a valid integer"),
    (put("policy", value={"book_notice_minutes": None}), "policy.book_notice_minutes: Input should be a valid integer"),
    (put("policy", value={"move_until_minutes": 1.5}), "policy.move_until_minutes: Input should be a valid integer"),
    (put("policy", value={"cancel_until_minutes": 525_601}), "policy.cancel_until_minutes: Input should be less than"),
    (
        put("policy", value={"book_horizon_days": 401}),
        "policy.book_horizon_days: Input should be less than or equal to",
    ),
    (put("policy", value={"most_moves": -1}), "policy.most_moves: Input should be greater than or equal to 0"),
    (put("policy", value={"most_open": 0}), "policy.most_open: Input should be greater than or equal to 1"),
    (put("policy", value={"withheld_may_book": "no"}), "policy.withheld_may_book: Input should be a valid boolean"),
    (put("policy", value=None), "policy: Input should be an object"),
    (put("composites", value={"part_changed": "ask"}), "composites.part_changed: Input should be 'follow' or 'flag'"),
    (put("composites", value=None), "composites: Input should be an object"),
    (
        put("branches", 0, "policy", value={"most_open": True}),
        "branches[mitte].policy.most_open: Input should be a valid",
    ),
    (put("staff", 2, "policy", value={"most_open": 0}), "staff[udo].policy.most_open: Input should be greater than or"),
    (
        put("services", 0, "policies", value={"fabian": {"most_moves": -1}}),
        "services[herrenhaarschnitt].policies.fabian.most_moves: Input should be greater than or equal to 0",
    ),
    (
        put("services", 1, "policies", value={"udo": {}}),
        "document: service 'damenhaarschnitt': 'udo' has a policy for it and does not do it",
    ),
    (
        put("services", 1, "policies", value={"nora": {}}),
        "document: service 'damenhaarschnitt': 'nora' has a policy for it and does not do it",
    ),
    (
        put("policy", value={"book_notice_minutes": 2 * 24 * 60, "book_horizon_days": 1}),
        "document: service 'beratung': the policies leave no time in which 'fabian' may be booked",
    ),
]


@pytest.mark.parametrize(("change", "problem"), RULES, ids=[problem[:60] for _, problem in RULES])
def test_each_rule_names_the_place_and_what_to_write(change: Change, problem: str) -> None:
    assert any(each.startswith(problem) for each in problems(change))


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ((), "zonee"),
        (("branches", 0), "branches[mitte].zonee"),
        (("staff", 2), "staff[udo].zonee"),
        (("services", 0), "services[herrenhaarschnitt].zonee"),
        (("services", 3, "segments", 1), "services[dauerwelle].segments[1].zonee"),
        (("policy",), "policy.zonee"),
        (("composites",), "composites.zonee"),
        (("branches", 0, "policy"), "branches[mitte].policy.zonee"),
        (("staff", 0, "policy"), "staff[fabian].policy.zonee"),
        (("services", 0, "policies", "fabian"), "services[herrenhaarschnitt].policies.fabian.zonee"),
    ],
)
def test_unknown_keys_are_mistakes_everywhere(path: tuple[Any, ...], place: str) -> None:
    def misspelt(document: dict[str, Any]) -> None:
        place: Any = document
        for step in path:
            place = place.setdefault(step, {}) if isinstance(place, dict) else place[step]
        place["zonee"] = "Europe/Berlin"

    assert problems(misspelt) == [f"{place}: Extra inputs are not permitted"]


def test_an_entry_without_an_id_of_its_own_is_named_by_its_position() -> None:
    def twice(document: dict[str, Any]) -> None:
        document["staff"][1]["id"] = "fabian"
        document["staff"][1]["calcom_user"] = 0
        del document["services"][2]["id"]

    assert problems(twice) == [
        "staff[1].calcom_user: Input should be greater than 0",
        "services[2].id: Field required",
    ]


def test_it_says_whether_what_belongs_together_was_looked_at() -> None:
    for change, of_form in ((put("zone", value="CEST"), True), (put("staff", 2, "branch", value="ost"), False)):
        document = copy.deepcopy(CONTENT)
        change(document)
        with pytest.raises(TenantInvalid) as raised:
            read_tenant(json.dumps(document))
        assert raised.value.of_form is of_form


def test_several_problems_are_all_told_at_once() -> None:
    def form(document: dict[str, Any]) -> None:
        document.update(zone="CEST", language="fr", farbe="rot")
        document["staff"][1]["id"] = "Emma"
        document["services"][0]["minutes"] = 0

    assert sorted(each.split(":")[0] for each in problems(form)) == [
        "farbe",
        "language",
        "services[herrenhaarschnitt].minutes",
        "staff[Emma].id",
        "zone",
    ]

    def meaning(document: dict[str, Any]) -> None:
        document["staff"][2]["branch"] = "ost"
        document["services"][0]["event_types"]["emma"] = 3672814
        document["services"][1]["name"] = "Beratung"
        document["branches"][1]["phone_numbers"] = document["branches"][0]["phone_numbers"]

    found = problems(meaning)
    assert len(found) == 4
    assert all(each.startswith("document: ") for each in found)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"id": "a",}', "nur Text", "[" * 100_000, '{"id": "\\ud800"}']
)
def test_bad_json_is_a_problem_too(text: str | bytes) -> None:
    with pytest.raises(TenantInvalid) as raised:
        read_tenant(text)
    assert raised.value.problems[0].startswith("document: ")


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "Europe/Lisbon", "America/Los_Angeles", "Australia/Lord_Howe", "UTC"]
)
def test_zones_with_and_without_a_change_of_clocks(zone: str) -> None:
    assert read_tenant(json.dumps(CONTENT | {"zone": zone})).zone.key == zone


def test_one_stylist_may_have_one_event_type_for_two_services() -> None:
    document = copy.deepcopy(CONTENT)
    document["services"][2]["event_types"] = {"fabian": 3672814}
    assert read_tenant(json.dumps(document)).services[2].segments[0].event_types == {"fabian": 3672814}


def composite(*segments: dict[str, Any]) -> Service:
    document = copy.deepcopy(CONTENT)
    document["services"][3]["segments"] = list(segments)
    return read_tenant(json.dumps(document)).services[3]


class TestComposites:
    def test_a_gap_lasts_what_it_says_unless_bounds_are_named(self) -> None:
        plain, free = (
            composite(busy(1), {"kind": "gap", "minutes": 60} | bounds, busy(2)).segments[1]
            for bounds in ({}, {"min_minutes": 45, "max_minutes": 75})
        )
        assert (plain.shortest, plain.longest) == (timedelta(minutes=60), timedelta(minutes=60))
        assert (free.shortest, free.longest) == (timedelta(minutes=45), timedelta(minutes=75))

    def test_a_gap_may_shrink_to_nothing(self) -> None:
        (_, gap, _) = composite(busy(1), {"kind": "gap", "minutes": 0, "max_minutes": 15}, busy(2)).segments
        assert (gap.shortest, gap.longest) == (timedelta(0), timedelta(minutes=15))

    def test_parts_of_no_length_are_accepted_anywhere_and_are_none(self) -> None:
        nothing = [{"kind": "gap", "minutes": 0}, {"kind": "busy", "minutes": 0}]
        service = composite(*nothing, busy(1), *nothing, {"kind": "gap", "minutes": 60}, *nothing, busy(2), *nothing)
        assert service == composite(busy(1), {"kind": "gap", "minutes": 60}, busy(2))

    def test_with_one_busy_part_it_is_a_plain_service(self) -> None:
        service = composite(busy(1, 45), {"kind": "gap", "minutes": 0})
        assert not service.is_composite
        assert service.minutes == 45

    def test_two_busy_parts_may_follow_at_once_and_share_an_event_type(self) -> None:
        service = composite(busy(1), busy(1))
        assert [each.event_types for each in service.busy] == [{"fabian": 1}, {"fabian": 1}]


@pytest.mark.parametrize(
    ("said", "rule"),
    [(None, PartRule.FOLLOW), ({}, PartRule.FOLLOW), ({"part_changed": "flag"}, PartRule.FLAG)],
)
def test_the_whole_goes_after_a_changed_part_unless_the_salon_says_otherwise(
    said: dict[str, str] | None, rule: PartRule
) -> None:
    document = copy.deepcopy(CONTENT)
    document.pop("composites", None)
    if said is not None:
        document["composites"] = said
    assert read_tenant(json.dumps(document)).part_changed is rule


def test_an_umlaut_that_is_written_out_names_the_same_service() -> None:
    document = copy.deepcopy(CONTENT)
    document["services"][0]["synonyms"] += ["Maennerhaarschnitt"]
    assert read_tenant(json.dumps(document)).services[0].synonyms[-1] == "Maennerhaarschnitt"


class TestPolicies:
    """What is left out says nothing, and null says that there is no limit."""

    EVERYTHING: ClassVar[dict[str, Any]] = {
        "book_notice_minutes": 90,
        "book_horizon_days": 60,
        "move_until_minutes": 1440,
        "cancel_until_minutes": 2880,
        "most_moves": 2,
        "most_open": 3,
        "withheld_may_book": False,
    }
    SETTINGS = PolicySettings(
        book_notice=timedelta(minutes=90),
        book_horizon_days=60,
        move_until=timedelta(days=1),
        cancel_until=timedelta(days=2),
        most_moves=2,
        most_open=3,
        withheld_may_book=False,
    )

    def test_may_stand_at_every_level(self) -> None:
        document = copy.deepcopy(CONTENT)
        for place in (document, document["branches"][0], document["staff"][0]):
            place["policy"] = self.EVERYTHING
        document["services"][0]["policies"] = {"fabian": self.EVERYTHING}
        tenant = read_tenant(json.dumps(document))
        levels = (tenant, tenant.branches[0], tenant.staff[0])
        assert [each.policy for each in levels] == [self.SETTINGS] * 3
        assert tenant.services[0].policies == {"fabian": self.SETTINGS}
        assert tenant.branches[1].policy == PolicySettings()

    def test_the_example_spells_out_what_holds_without_any(self) -> None:
        tenant = read_tenant(json.dumps(CONTENT))
        assert set(CONTENT["policy"]) == set(self.EVERYTHING)
        assert policy_of(tenant, service="beratung", staff="fabian") == Policy(zone=tenant.zone)

    @pytest.mark.parametrize("change", [without("policy"), put("policy", value={})])
    def test_need_not_stand_anywhere(self, change: Change) -> None:
        document = copy.deepcopy(CONTENT)
        change(document)
        tenant = read_tenant(json.dumps(document))
        assert tenant.policy == PolicySettings()
        assert policy_of(tenant, service="beratung", staff="fabian") == Policy(zone=tenant.zone)

    def test_null_is_no_limit_and_hides_what_is_less_specific(self) -> None:
        document = copy.deepcopy(CONTENT) | {"policy": self.EVERYTHING}
        document["staff"][0]["policy"] = {"most_open": None, "book_horizon_days": None, "most_moves": None}
        tenant = read_tenant(json.dumps(document))
        policy = policy_of(tenant, service="beratung", staff="fabian")
        assert (policy.most_open, policy.book_horizon_days, policy.most_moves) == (None, None, None)
        assert policy.book_notice == timedelta(minutes=90)

    def test_of_several_levels_may_leave_a_time_that_none_would_alone(self) -> None:
        document = copy.deepcopy(CONTENT) | {"policy": {"book_notice_minutes": 2880, "book_horizon_days": 1}}
        for stylist in document["staff"]:
            stylist["policy"] = {"book_horizon_days": 2}
        assert read_tenant(json.dumps(document)).id == "friseur1"
