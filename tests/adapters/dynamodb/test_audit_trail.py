"""The audit table on every engine: entries are put once, read as they were written, and counted with."""

from __future__ import annotations

import random
import threading
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from bookend.adapters.dynamodb import audit_trail, keys
from bookend.adapters.dynamodb.audit_trail import DynamoAuditedState, DynamoAuditTrail
from bookend.adapters.dynamodb.items import from_wire
from bookend.adapters.dynamodb.stream import read_record
from bookend.application.auditing import AuditKeys, Recorded, record
from bookend.application.ports.audit_trail import Happened
from bookend.domain.audit_chain import AuditKey, AuditKind, Entry, Stored, canonical, end_of, linked, verify
from tests.adapters.dynamodb.place import Place
from tests.support.stream import SECRET, audit_table

HOUR = datetime(2025, 10, 27, 6, 59, 59, tzinfo=UTC)
KEYS = AuditKeys.of([SECRET])


@pytest.fixture
def trail(place: Place) -> DynamoAuditTrail:
    name = f"audit-{place.name}"
    with suppress(place.client.exceptions.ResourceInUseException):  # one for all tests of an engine
        audit_table(place.client, name)
    return DynamoAuditTrail(place.table.called(name), place.table)


def happened(place: Place, version: int, name: str = "a1", **said: Any) -> Happened:
    fields: dict[str, Any] = {
        "tenant": place.tenant,
        "appointment": name,
        "kind": AuditKind.CREATED if version == 1 else AuditKind.CHANGED,
        "about": f"e{version}",
        "was": version - 1,
        "version": version,
        "at": HOUR,
        "by": "worker",
        "call": "",
        "before": "{}",
        "after": canonical({"state": "ä", "n": [1, None, True]}),
    }
    return Happened(**(fields | said))


def entry(place: Place, trail: DynamoAuditTrail, version: int, name: str = "a1") -> Entry:
    end = end_of(place.tenant, name, trail.chain(place.tenant, name), KEYS.known)
    new = happened(place, version, name)
    bare = Entry(
        tenant=new.tenant,
        appointment=name,
        seq=0,
        kind=new.kind.value,
        about=new.about,
        version=version,
        at="2025-10-27T06:59:59Z",
        by=new.by,
        call=new.call,
        before=new.before,
        after=new.after,
        key="",
        prev="",
    )
    return linked(bare, end, KEYS.newest)


def counters(place: Place) -> dict[str, Any]:
    item = place.table.get(keys.health(place.tenant, HOUR))
    return (
        {}
        if item is None
        else {name: int(value) for name, value in from_wire(item).items() if name not in {"pk", "sk"}}
    )


def test_an_entry_is_read_as_it_was_put(place: Place, trail: DynamoAuditTrail) -> None:
    assert trail.last(place.tenant, "a1") is None
    first = entry(place, trail, 1)
    assert trail.append(first, {}, hour=HOUR)
    second = entry(place, trail, 2)
    assert trail.append(second, {}, hour=HOUR)
    assert trail.last(place.tenant, "a1") == Stored("000000000002", second)
    rows = trail.chain(place.tenant, "a1")
    assert [row.entry for row in rows] == [first, second]
    assert verify(place.tenant, "a1", rows, KEYS.known, version=2) == []
    assert trail.chain(place.tenant, "a") == []


def test_a_place_that_is_taken_stays_as_it_is_and_nothing_is_counted(place: Place, trail: DynamoAuditTrail) -> None:
    first = entry(place, trail, 1)
    assert trail.append(first, {"confirmed": 1, "failed_OTHER": 2}, hour=HOUR)
    assert not trail.append(linked(first, end_of("", "", [], {}), AuditKey.of("x" * 32)), {"confirmed": 1}, hour=HOUR)
    assert [row.entry for row in trail.chain(place.tenant, "a1")] == [first]
    counted = counters(place)
    assert counted.pop("ttl") == int(HOUR.timestamp()) + 40 * 86_400
    assert counted == {"confirmed": 1, "failed_OTHER": 2}
    assert trail.append(entry(place, trail, 2), {"confirmed": 1}, hour=HOUR)
    assert counters(place)["confirmed"] == 2


def test_every_chain_is_found_page_by_page(
    place: Place, trail: DynamoAuditTrail, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_trail, "_PAGE", 3)
    dice = random.Random(1)
    length = {"a1": 4, "a2": 3, "a10": 5, "b": 1}
    order = [name for name, number in length.items() for _ in range(number)]
    dice.shuffle(order)
    for name in order:
        version = len(trail.chain(place.tenant, name)) + 1
        assert trail.append(entry(place, trail, version, name), {}, hour=HOUR)
    found: dict[str, int] = {}
    for name, rows in trail.chains(place.tenant):
        found[name] = found.get(name, 0) + len(rows)
    assert found == length
    assert list(trail.chains(place.tenant + "x")) == []


def test_what_stands_in_the_table_is_compared(place: Place) -> None:
    state = DynamoAuditedState(place.table)
    assert state.standing(place.tenant, "nobody") is None
    assert state.standings(place.tenant) == {}
    assert state.repairs(place.tenant) == {}


def test_writers_at_the_same_time_make_one_chain(place: Place, trail: DynamoAuditTrail) -> None:
    """Three writers, of whom each has the same six events to tell, in its own order after the first."""
    events = [happened(place, 1)] + [
        happened(place, 0, kind=AuditKind.REPAIRED, about=f"r{number}", was=0) for number in range(5)
    ]
    ends: list[Recorded] = []

    def tell(seed: int) -> None:
        order = [events[0], *random.Random(seed).sample(events[1:], 5)]
        ends.extend([record(each, trail=trail, keys=KEYS) for each in order])

    threads = [threading.Thread(target=tell, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = trail.chain(place.tenant, "a1")
    assert ends.count(Recorded.NEW) == 6 == len(rows)
    assert verify(place.tenant, "a1", rows, KEYS.known, version=1, repairs=[f"r{n}" for n in range(5)]) == []


# What the stream tells


def stream_record(old: dict[str, Any] | None, new: dict[str, Any] | None, **said: Any) -> dict[str, Any]:
    change: dict[str, Any] = {"Keys": {"pk": {"S": "T#t#AUDIT"}, "sk": {"S": "2025#end#u1"}}}
    change |= {"ApproximateCreationDateTime": 1761548399, "SequenceNumber": "1"}
    change |= ({"OldImage": old} if old else {}) | ({"NewImage": new} if new else {})
    return {"eventID": "e1", "dynamodb": change} | said


REPAIR = {"appt": {"S": "a1"}, "booking": {"S": "u1"}, "by": {"S": "worker"}, "repair": {"S": "end"}}
BY_TTL = {"userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"}}


def test_a_repair_is_told_and_its_end_by_time_is_not() -> None:
    told = read_record(stream_record(None, REPAIR), KEYS.newest.mark)
    assert told is not None
    assert (told.kind, told.about, told.appointment, told.by) == (AuditKind.REPAIRED, "2025#end#u1", "a1", "worker")
    assert read_record(stream_record(REPAIR, None, **BY_TTL), KEYS.newest.mark) is None


@pytest.mark.parametrize("new", [None, REPAIR | {"by": {"S": "nobody"}}])
def test_a_repair_that_somebody_changes_or_takes_away_is_told(new: dict[str, Any] | None) -> None:
    told = read_record(stream_record(REPAIR, new), KEYS.newest.mark)
    assert told is not None
    assert (told.kind, told.about) == (AuditKind.UNVERSIONED, "e1")
    assert '"worker"' in told.before


def test_a_repair_of_no_appointment_has_a_chain_of_its_booking() -> None:
    told = read_record(stream_record(None, REPAIR | {"appt": {"S": ""}}), KEYS.newest.mark)
    assert told is not None
    assert told.appointment == "booking-u1"


def test_a_field_that_nobody_has_declared_clear_is_a_mark() -> None:
    item = {"ver": {"N": "1"}, "request": {"S": "digest of a wish"}, "new_field": {"S": "Hans"}, "state": {"S": "X"}}
    record_ = stream_record(None, item)
    record_["dynamodb"]["Keys"] = {"pk": {"S": "T#t#APPT#a1"}, "sk": {"S": "A"}}
    told = read_record(record_, KEYS.newest.mark)
    assert told is not None
    assert ("Hans" in told.after, "digest" in told.after, '"state":"X"' in told.after) == (False, False, True)
