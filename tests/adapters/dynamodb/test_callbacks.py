"""Wishes to be rung, in the table: one a call, three a number and day, in the order they came, until somebody rings."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.callbacks import DynamoCallbacks
from bookend.application.ports import Noting, StoreUnavailable
from bookend.domain.callbacks import MOST_PER_DAY, Callback, CallbackReason, CallbackState, callback_id
from tests.adapters.dynamodb.place import NOW, Place
from tests.support.tables.faults import Fault

DAY = date(2025, 10, 27)
NUMBER = "+491701111111"
SUBJECT = "c0ffee"


def wish(place: Place, call: str = "call_1", **said: Any) -> Callback:
    """Hans would like a haircut on Friday, and calls now."""
    now = place.clock.now()
    whole = Callback(
        id=callback_id(place.tenant, call),
        call=call,
        name="Hans Schuster",
        phone=NUMBER,
        signed=True,
        service="Herrenhaarschnitt",
        wished="Freitag gegen zehn",
        reason=CallbackReason.BOOK,
        asked_at=now,
        changed_at=now,
    )
    return replace(whole, **said)


def note(place: Place, callback: Callback, *, subject: str = SUBJECT, day: date = DAY) -> Noting:
    return DynamoCallbacks(place.table).note(place.tenant, callback, counted_as=subject, day=day)


def listed(place: Place) -> tuple[Callback, ...]:
    return DynamoCallbacks(place.table).listed(place.tenant)


def done(place: Place, callback: Callback) -> bool:
    return DynamoCallbacks(place.table).done(place.tenant, callback, now=place.clock.now())


def test_what_is_noted_is_listed_as_it_was_said(place: Place) -> None:
    assert listed(place) == ()
    bare = wish(place, "call_2", signed=False, service=None, wished=None, reason=None)
    assert note(place, wish(place)) is Noting.NEW
    place.clock.advance(1)
    bare = replace(bare, asked_at=place.clock.now(), changed_at=place.clock.now())
    assert note(place, bare) is Noting.NEW
    assert listed(place) == (wish(place, asked_at=NOW, changed_at=NOW), bare)


def test_who_has_waited_longest_comes_first_and_others_salons_are_not_seen(place: Place) -> None:
    for number in range(MOST_PER_DAY):
        note(place, wish(place, f"call_{number}"))
        place.clock.advance(60)
    assert [each.call for each in listed(place)] == ["call_0", "call_1", "call_2"]
    assert DynamoCallbacks(place.table).listed(place.tenant + "x") == ()


def test_the_same_wish_again_is_one_and_is_not_counted_twice(place: Place) -> None:
    note(place, wish(place))
    before = place.snapshot()
    place.clock.advance(5)
    for _ in range(MOST_PER_DAY + 1):
        assert note(place, wish(place)) is Noting.KNOWN
    assert place.snapshot() == before
    assert note(place, wish(place, "call_2")) is Noting.NEW


def test_another_wish_of_the_same_call_changes_the_first_but_for_what_it_leaves_out(place: Place) -> None:
    note(place, wish(place))
    place.clock.advance(20)
    later = wish(place, wished="Samstag", service=None, reason=None, phone="+491702222222", signed=False)
    assert note(place, later) is Noting.KNOWN
    (now_is,) = listed(place)
    assert now_is == wish(
        place,
        wished="Samstag",
        phone="+491702222222",
        signed=False,
        asked_at=NOW,
        changed_at=NOW + timedelta(seconds=20),
    )


def test_a_number_is_noted_three_times_a_day_and_nothing_is_written_beyond(place: Place) -> None:
    for number in range(MOST_PER_DAY):
        assert note(place, wish(place, f"call_{number}")) is Noting.NEW
    before = place.snapshot()
    assert note(place, wish(place, "call_more")) is Noting.TOO_MANY
    assert place.snapshot() == before
    assert note(place, wish(place, "call_more"), subject="another") is Noting.NEW
    assert note(place, wish(place, "call_morrow"), day=DAY + timedelta(days=1)) is Noting.NEW


def test_a_call_that_is_listed_may_still_change_its_wish_when_the_day_is_used_up(place: Place) -> None:
    for number in range(MOST_PER_DAY):
        note(place, wish(place, f"call_{number}"))
    assert note(place, wish(place, "call_0", wished="Samstag")) is Noting.KNOWN
    assert {each.call: each.wished for each in listed(place)}["call_0"] == "Samstag"


def test_it_is_done_once(place: Place) -> None:
    note(place, wish(place))
    (open_one,) = listed(place)
    place.clock.advance(3600)
    assert done(place, open_one)
    assert not done(place, open_one)
    assert listed(place) == (replace(open_one, state=CallbackState.DONE),)
    row = place.there(keys.callback(place.tenant, NOW, open_one.id))
    assert row["done_at"] == "2025-10-27T10:00:00.000000Z"


def test_a_wish_that_has_changed_since_it_was_read_is_not_done(place: Place) -> None:
    note(place, wish(place))
    (as_read,) = listed(place)
    place.clock.advance(5)
    note(place, wish(place, wished="Samstag"))
    assert not done(place, as_read)
    (now_is,) = listed(place)
    assert now_is.state is CallbackState.OPEN


def test_a_new_wish_after_it_was_done_is_open_again_and_the_same_one_is_not(place: Place) -> None:
    note(place, wish(place))
    done(place, *listed(place))
    place.clock.advance(5)
    assert note(place, wish(place)) is Noting.KNOWN
    assert [each.state for each in listed(place)] == [CallbackState.DONE]
    assert note(place, wish(place, wished="Samstag")) is Noting.KNOWN
    assert [each.state for each in listed(place)] == [CallbackState.OPEN]
    assert "done_at" not in place.there(keys.callback(place.tenant, NOW, wish(place).id))


def test_what_was_deleted_meanwhile_is_noted_anew(place: Place) -> None:
    """The caller hears that it is noted, so it is."""
    note(place, wish(place))
    place.store.client.delete_item(TableName=place.name, Key=keys.callback(place.tenant, NOW, wish(place).id))
    place.clock.advance(5)
    assert note(place, wish(place)) is Noting.KNOWN
    (again,) = listed(place)
    assert (again.wished, again.asked_at, again.state) == ("Freitag gegen zehn", NOW, CallbackState.OPEN)


def test_people_stand_in_one_item_that_ends_after_ninety_days(place: Place) -> None:
    note(place, wish(place))
    personal = ["Hans Schuster", NUMBER, NUMBER[1:], "Herrenhaarschnitt", "Freitag"]
    rows = place.snapshot()
    telling = [each for each in rows if any(word in json.dumps(each, default=str) for word in personal)]
    assert [each["pk"] for each in telling] == [f"T#{place.tenant}#CALLBACK"]
    days = {each["pk"].split("#")[2]: (int(each["ttl"]) - NOW.timestamp()) / 86_400 for each in rows}
    assert days == {"CALLBACK": 90, "REQ": 1, "TRIES": 2}
    assert not any(word in each["pk"] + each["sk"] for each in rows for word in personal)


def test_of_a_wish_that_comes_many_times_at_once_there_is_one(place: Place) -> None:
    gate, ends = threading.Barrier(6), []

    def ask() -> None:
        gate.wait()
        ends.append(note(place, wish(place)))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.name for each in ends) == ["KNOWN"] * 5 + ["NEW"]
    assert len(listed(place)) == 1
    assert place.there(keys.tries(place.tenant, SUBJECT, DAY))["callbacks"] == 1


def test_a_wish_whose_answer_is_lost_is_known_when_it_comes_again(troubled: Place) -> None:
    troubled.client.faults.next("transact_write_items", Fault.LOST_ANSWER)
    with pytest.raises(StoreUnavailable):
        note(troubled, wish(troubled))
    assert note(troubled, wish(troubled)) is Noting.KNOWN
    assert len(listed(troubled)) == 1


def test_every_page_is_listed(place: Place) -> None:
    class OneRowPages:
        """A service whose pages are full after one row."""

        def __getattr__(self, name: str) -> Any:
            asked = getattr(place.client, name)
            return (lambda **request: asked(**request, Limit=1)) if name == "query" else asked

    for number in range(MOST_PER_DAY):
        note(place, wish(place, f"call_{number}"))
    place.table._client = OneRowPages()
    assert len(listed(place)) == MOST_PER_DAY
