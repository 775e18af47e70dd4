"""Which rows are one person's, and which only share an address."""

from __future__ import annotations

import pytest

from bookend.domain.identities import Identity, same_person

HANS = Identity("c1", "Hans Schuster", "+491701111111", "hans@web.example")
WEB = Identity("w1", "Schuster", "", "hans@web.example")
FAMILY = Identity("c2", "Erika Schuster", "+491702222222", "hans@web.example")
STRANGER = Identity("w2", "Bernd Beispiel", "", "hans@web.example")


@pytest.mark.parametrize("asked", [{"customer": "c1", "phone": None}, {"customer": "", "phone": HANS.phone}])
def test_who_has_nothing_but_the_address_is_the_same_person(asked: dict[str, str]) -> None:
    found = same_person([WEB, HANS], customer=asked["customer"], phone=asked["phone"])
    assert (found.ids, found.doubtful) == ({"c1": 0, "w1": 1}, frozenset())


@pytest.mark.parametrize("other", [FAMILY, STRANGER])
def test_an_address_that_others_have_as_well_proves_nothing(other: Identity) -> None:
    found = same_person([WEB, HANS, other], customer="c1", phone=None)
    assert (found.ids, found.doubtful) == ({"c1": 0}, {"w1", other.id})
    assert (found.addresses, found.shared) == (frozenset(), {"hans@web.example"})


def test_what_is_found_leads_on_in_whatever_order_the_rows_are() -> None:
    second = Identity("c1", "Hans", "+491703333333", "")
    import_row = Identity("i1", "Hans", "+491703333333", "h@old.example")
    late = Identity("w3", "?", "", "h@old.example")
    for rows in ([late, import_row, second, HANS], [HANS, second, import_row, late]):
        found = same_person(rows, customer="", phone=HANS.phone)
        assert found.ids == {"c1": 0, "i1": 0, "w3": 1}


def test_whoever_is_asked_for_by_an_address_alone_does_not_lead_to_a_number() -> None:
    assert same_person([WEB, HANS], customer="w1", phone=None).ids == {"w1": 0}


def test_nobody_leads_nowhere() -> None:
    erased = Identity("c1")
    found = same_person([erased, Identity("c2"), WEB], customer="c1", phone=None)
    assert (found.ids, found.doubtful) == ({"c1": 0}, frozenset())
