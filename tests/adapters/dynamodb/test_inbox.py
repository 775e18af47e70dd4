"""The inbox on every engine: a delivery is kept once, found until it is done, and never brought back."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest

from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.inbox import DynamoInbox
from bookend.application.ports import Job, StoreUnavailable
from tests.adapters.dynamodb.place import NOW, Place
from tests.support.tables.faults import Fault

BODY = '{"triggerEvent": "PING", "payload": {"title": "Färben 👩‍🦰"}}'
DIGEST = hashlib.sha256(BODY.encode()).hexdigest()
LATER = timedelta(minutes=5)


def inbox(place: Place) -> DynamoInbox:
    return DynamoInbox(place.table)


def store(place: Place, digest: str = DIGEST, body: str = BODY, *, after: timedelta = timedelta(0)) -> bool:
    now = NOW + after
    return inbox(place).store(place.tenant, digest, body, now=now, due=now + LATER)


def due(place: Place, after: timedelta = LATER) -> list[Job]:
    """What the sweeper would find."""
    return list(place.due_work.due(now=NOW + after, most=100))


def test_what_is_stored_can_be_read_word_for_word(place: Place) -> None:
    assert store(place) is True
    assert inbox(place).body(place.tenant, DIGEST) == BODY


def test_a_delivery_is_stored_in_one_request(place: Place) -> None:
    place.client.requests.clear()
    store(place)
    assert place.client.requests == {"transact_write_items": 1}


@pytest.mark.parametrize("body", ["", " ", "\u0000", "\ufffd" * 100, "{" * 5000, "x" * (128 * 1024)])
def test_a_body_of_any_form_is_kept(place: Place, body: str) -> None:
    assert store(place, "a" * 64, body) is True
    assert inbox(place).body(place.tenant, "a" * 64) == body


def test_the_largest_body_that_the_door_lets_in_fits_at_its_worst(place: Place) -> None:
    """128 KB of bytes that are no text, each of which became three."""
    body = (b"\xff" * 128 * 1024).decode("utf-8", "replace")
    assert store(place, "a" * 64, body) is True
    assert inbox(place).body(place.tenant, "a" * 64) == body


def test_the_same_delivery_again_is_refused_and_changes_nothing(place: Place) -> None:
    store(place)
    before = place.snapshot()
    assert store(place, after=timedelta(minutes=3)) is False
    assert store(place, body="another body under the same name", after=timedelta(minutes=3)) is False
    assert place.snapshot() == before


def test_a_delivery_that_is_done_is_not_stored_again(place: Place) -> None:
    store(place)
    inbox(place).finish(place.tenant, DIGEST, outcome="ignored", now=NOW)
    before = place.snapshot()
    assert store(place) is False
    assert place.snapshot() == before


def test_a_row_expires_after_thirty_days(place: Place) -> None:
    store(place)
    row = place.there(keys.inbox(place.tenant, DIGEST))
    assert row["ttl"] == int((NOW + timedelta(days=30)).timestamp())
    assert set(row) == {"pk", "sk", "body", "at", "due", "due_shard", "ttl"}


def test_nobody_reads_what_was_never_stored(place: Place) -> None:
    store(place)
    assert inbox(place).body(place.tenant, "f" * 64) is None
    assert inbox(place).body("another", DIGEST) is None


def test_equal_bytes_of_two_salons_are_two_rows(place: Place) -> None:
    store(place)
    assert inbox(place).store("another", DIGEST, "other", now=NOW, due=NOW) is True
    assert inbox(place).body(place.tenant, DIGEST) == BODY
    assert inbox(place).body("another", DIGEST) == "other"


def test_what_nobody_finished_is_found_when_it_is_due_and_not_before(place: Place) -> None:
    store(place)
    assert due(place, LATER - timedelta(seconds=1)) == []
    assert due(place) == [Job("event", place.tenant, DIGEST)]


def test_rows_are_found_on_every_shard_oldest_first(place: Place) -> None:
    names = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(24)]
    for number, name in enumerate(names):
        store(place, name, "x", after=timedelta(seconds=number))
    assert {place.there(keys.inbox(place.tenant, name))["due_shard"] for name in names} == set(keys.due_shards())
    assert [job.name for job in due(place, LATER + timedelta(hours=1))] == names
    assert [job.name for job in place.due_work.due(now=NOW + timedelta(hours=1), most=5)] == names[:5]


def test_what_is_done_is_never_found_again(place: Place) -> None:
    store(place)
    inbox(place).finish(place.tenant, DIGEST, outcome="adopted", now=NOW + timedelta(seconds=4))
    assert due(place, timedelta(days=29)) == []
    row = place.there(keys.inbox(place.tenant, DIGEST))
    assert (row["outcome"], row["done_at"]) == ("adopted", "2025-10-27T09:00:04.000000Z")
    assert not {"due", "due_shard"} & set(row)


def test_finishing_twice_keeps_the_first_instant(place: Place) -> None:
    """A job may be done twice: when it was done first is what is asked for later."""
    store(place)
    for seconds, outcome in ((4, "adopted"), (9, "equal")):
        inbox(place).finish(place.tenant, DIGEST, outcome=outcome, now=NOW + timedelta(seconds=seconds))
    row = place.there(keys.inbox(place.tenant, DIGEST))
    assert (row["outcome"], row["done_at"]) == ("equal", "2025-10-27T09:00:04.000000Z")


def test_finishing_what_was_never_stored_makes_no_row(place: Place) -> None:
    """Its time to live may have ended: a row without one would stay for ever."""
    inbox(place).finish(place.tenant, DIGEST, outcome="ignored", now=NOW)
    inbox(place).postpone(place.tenant, DIGEST, until=NOW)
    assert place.all_items() == []


def test_what_is_put_off_is_found_later(place: Place) -> None:
    store(place)
    inbox(place).postpone(place.tenant, DIGEST, until=NOW + 2 * LATER)
    assert due(place, 2 * LATER - timedelta(seconds=1)) == []
    assert due(place, 2 * LATER) == [Job("event", place.tenant, DIGEST)]


def test_how_often_nobody_came_to_it_is_remembered_until_somebody_does(place: Place) -> None:
    store(place)
    assert inbox(place).requeued(place.tenant, DIGEST) == 0
    inbox(place).postpone(place.tenant, DIGEST, until=NOW + LATER, requeued=3)
    assert inbox(place).requeued(place.tenant, DIGEST) == 3
    inbox(place).postpone(place.tenant, DIGEST, until=NOW + LATER)
    assert inbox(place).requeued(place.tenant, DIGEST) == 0
    inbox(place).finish(place.tenant, DIGEST, outcome="ignored", now=NOW)
    assert inbox(place).requeued(place.tenant, DIGEST) is None
    assert inbox(place).requeued(place.tenant, "f" * 64) is None


def test_what_is_done_cannot_be_put_off_back_into_sight(place: Place) -> None:
    """The sweeper read the index before the worker was done."""
    store(place)
    inbox(place).finish(place.tenant, DIGEST, outcome="ignored", now=NOW)
    before = place.snapshot()
    inbox(place).postpone(place.tenant, DIGEST, until=NOW)
    assert place.snapshot() == before
    assert due(place, timedelta(days=29)) == []


@pytest.mark.parametrize("fault", [Fault.CONFLICT, Fault.THROTTLE])
def test_a_busy_table_is_asked_again(troubled: Place, fault: Fault) -> None:
    troubled.store.client.faults.next("transact_write_items", fault, times=2)
    assert store(troubled) is True
    assert due(troubled) == [Job("event", troubled.tenant, DIGEST)]


@pytest.mark.parametrize("fault", [Fault.NOT_SENT, Fault.LOST_ANSWER, Fault.THROTTLE])
def test_a_store_that_is_away_is_said_to_be(troubled: Place, fault: Fault) -> None:
    troubled.store.client.faults.next("transact_write_items", fault, times=99)
    with pytest.raises(StoreUnavailable):
        store(troubled)
    with pytest.raises(StoreUnavailable):
        inbox(troubled).finish(troubled.tenant, DIGEST, outcome="ignored", now=NOW)
    with pytest.raises(StoreUnavailable):
        inbox(troubled).postpone(troubled.tenant, DIGEST, until=NOW)
    troubled.store.client.faults.clear()
    if fault is not Fault.LOST_ANSWER:
        troubled.store.client.faults.next("get_item", fault, times=99)
        with pytest.raises(StoreUnavailable):
            inbox(troubled).body(troubled.tenant, DIGEST)


def test_a_store_whose_answer_was_lost_has_it_and_says_so_the_next_time(troubled: Place) -> None:
    """503 and sent again: then it is a repeat, and the sweeper finds the row that nobody queued."""
    troubled.store.client.faults.next("transact_write_items", Fault.LOST_ANSWER)
    with pytest.raises(StoreUnavailable):
        store(troubled)
    assert store(troubled) is False
    assert due(troubled) == [Job("event", troubled.tenant, DIGEST)]


def test_what_is_done_with_is_not_worked_on_again(place: Place) -> None:
    store(place)
    assert inbox(place).body(place.tenant, DIGEST) is not None
    inbox(place).finish(place.tenant, DIGEST, outcome="adopted", now=NOW)
    assert inbox(place).body(place.tenant, DIGEST) is None
