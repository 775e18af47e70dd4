"""How many appointments a customer has before them: found by the index, counted on the appointments themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.appointments import DynamoAppointments
from bookend.adapters.dynamodb.transact import Table
from bookend.application.ports import Started
from bookend.domain.timeslot import instant_text
from tests.adapters.dynamodb.place import HANS, NOW, UTE, Place, at, wished


def count(place: Place, *, after: timedelta = timedelta(0)) -> int:
    return place.appointments.open_of(place.tenant, HANS.id, now=NOW + after)


def test_a_customer_of_whom_nothing_is_known_has_none(place: Place) -> None:
    place.start(wished("hers", at("28T10:00"), who=UTE))
    place.client.requests.clear()
    assert count(place) == 0
    assert place.client.requests == {"query": 1}


def test_what_is_in_flight_and_what_is_confirmed_count_until_they_start(place: Place) -> None:
    first, second = wished("a1", at("28T10:00")), wished("a2", at("29T10:00"))
    assert [place.start(each, known=HANS if each is second else None) for each in (first, second)] == [Started()] * 2
    place.confirm(first)
    place.client.requests.clear()
    assert count(place) == 2
    assert place.client.requests == {"query": 1, "batch_get_item": 1}
    until = at("28T10:00").start - NOW
    assert count(place, after=until - timedelta(microseconds=1)) == 2
    assert count(place, after=until) == 1
    assert count(place, after=until + timedelta(days=1)) == 0


def test_what_was_refused_or_is_being_taken_back_does_not_count(place: Place) -> None:
    refused, undone = wished("a1", at("28T10:00")), wished("a2", at("29T10:00"))
    place.start(refused)
    place.start(undone, known=HANS)
    place.release(refused)
    assert count(place) == 1
    place.must_undo(undone)
    assert count(place) == 0


def test_what_begins_now_is_none_though_the_index_still_has_it_later(place: Place) -> None:
    place.start(wished("a1", at("28T10:00")))
    row = place.store.client.get_item(TableName=place.name, Key=keys.appointment(place.tenant, "a1"))["Item"]
    late = row | {"start": {"S": instant_text(at("29T10:00").start)}}
    place.store.client.put_item(TableName=place.name, Item=late)
    until = at("28T10:00").start - NOW
    assert count(place, after=until - timedelta(microseconds=1)) == 1
    assert count(place, after=until) == 0


def test_every_page_counts(place: Place) -> None:
    class OneRowPages:
        """A service whose pages are full after one row."""

        def __getattr__(self, name: str) -> Any:
            asked = getattr(place.client, name)
            return (lambda **request: asked(**request, Limit=1)) if name == "query" else asked

    for number, day in enumerate(("28", "29", "30")):
        place.start(wished(f"a{number}", at(f"{day}T10:00")), known=HANS if number else None)
    paged = DynamoAppointments(Table(OneRowPages(), place.name, clock=place.clock))
    assert paged.open_of(place.tenant, HANS.id, now=NOW) == 3
