"""The breakers in the table: one step wins, the copy costs nothing, and a table that is away opens nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import date
from typing import Any, TypeVar

import pytest
from botocore.exceptions import ClientError

from bookend.adapters.bounded import Late
from bookend.adapters.dynamodb.appointments import DynamoAppointments
from bookend.adapters.dynamodb.circuit import KEPT_S, CircuitCopy, DynamoCircuit
from bookend.adapters.dynamodb.transact import Table
from bookend.application.deadline import Deadline
from bookend.application.ports import StoreUnavailable, Turned
from bookend.bootstrap import RandomIds
from bookend.domain.circuit import FAILURES, PAUSES, Breaker, CircuitKind, CircuitState
from tests.adapters.dynamodb.place import Place
from tests.support.tables.faults import Fault

T = TypeVar("T")
READS, WRITES = CircuitKind
INSTANCES = 20
PAUSE_S = PAUSES[0].total_seconds()


class Instance:
    """One instance of a function: its own table client, copy and breakers, on the place's clock and table."""

    def __init__(self, place: Place, *, bounds: Any = None) -> None:
        self.place = place
        self.trouble: list[str] = []
        self.copy = CircuitCopy(f"https://cal.{place.tenant}.example/", clock=place.clock)
        extra = {} if bounds is None else {"bounds": bounds}
        self.table = Table(place.client, place.name, clock=place.clock, limit_s=2.0, beside=self.copy, **extra)
        self.circuit = DynamoCircuit(self.table, self.copy, ids=RandomIds(), on_trouble=self.trouble.append)
        self.appointments = DynamoAppointments(self.table)

    def soon(self, seconds: float = 2.0) -> Deadline:
        return Deadline.within(seconds, self.place.clock)

    def known(self, kind: CircuitKind = WRITES) -> Breaker:
        return self.circuit.known(kind, deadline=self.soon())

    def fail(self, kind: CircuitKind = WRITES) -> Turned | None:
        now = self.place.clock.now()
        return self.circuit.turn(kind, lambda each: each.failed("HTTP 502", now), deadline=self.soon())

    def claim(self, prober: str, kind: CircuitKind = WRITES) -> Turned | None:
        now = self.place.clock.now()
        return self.circuit.turn(kind, lambda each: each.claimed(prober, now), deadline=self.soon())

    def end(self, prober: str, trouble: str | None, kind: CircuitKind = WRITES) -> Turned | None:
        now = self.place.clock.now()
        return self.circuit.turn(kind, lambda each: each.probed(prober, trouble, now), deadline=self.soon())

    def look(self) -> None:
        """What every turn begins with."""
        self.appointments.look(self.place.tenant, call="call_1", days={("fabian", date(2025, 10, 28))})


def at_once(works: list[Callable[[], T]]) -> list[T]:
    """Each in a thread of its own, let go at the same moment."""
    gate, done = threading.Barrier(len(works)), [None] * len(works)

    def run(number: int) -> None:
        gate.wait()
        done[number] = works[number]()  # type: ignore[call-overload]

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done  # type: ignore[return-value]


def opened(place: Place, kind: CircuitKind = WRITES) -> Instance:
    instance = Instance(place)
    for _ in range(FAILURES):
        instance.fail(kind)
    return instance


def test_what_was_written_is_what_is_read(place: Place) -> None:
    instance, other = Instance(place), Instance(place)
    assert other.circuit.read() == {READS: Breaker(), WRITES: Breaker()}
    steps: list[Callable[[], Turned | None]] = [instance.fail] * FAILURES
    steps += [lambda: (place.clock.advance(PAUSE_S), instance.claim("a"))[1], lambda: instance.end("a", "HTTP 503")]
    steps += [lambda: (place.clock.advance(60), instance.claim("b"))[1], lambda: instance.end("b", None)]
    for step in steps:
        turned = step()
        assert turned is not None
        assert other.circuit.read() == {READS: Breaker(), WRITES: turned.after}


def test_reads_and_writes_are_apart_and_so_is_another_calcom(place: Place) -> None:
    opened(place, READS)
    assert Instance(place).known(READS).state is CircuitState.OPEN
    assert Instance(place).known(WRITES).state is CircuitState.CLOSED
    elsewhere = Instance(place)
    elsewhere.copy._address = "https://api.cal.eu"
    assert elsewhere.known(READS) == Breaker()


def test_twenty_that_fail_together_open_it_once(place: Place) -> None:
    instances = [Instance(place) for _ in range(INSTANCES)]
    turned = at_once([instance.fail for instance in instances])
    opened_by = [each for each in turned if each is not None and each.after.state is CircuitState.OPEN]
    assert len(opened_by) == 1, "one write opened it, so one alert is raised"
    assert sum(each is not None for each in turned) == FAILURES, "nothing is counted after that"
    breaker = Instance(place).known()
    assert (breaker.state, breaker.failures) == (CircuitState.OPEN, FAILURES)
    assert not any(instance.trouble for instance in instances)


def test_of_twenty_probers_one_probes(place: Place) -> None:
    opened(place)
    place.clock.advance(PAUSE_S)
    for round_ in range(3):
        instances = [Instance(place) for _ in range(INSTANCES)]
        for instance in instances:
            instance.circuit.read()
        claims = at_once([lambda i=i, r=round_, n=n: i.claim(f"{r}-{n}") for n, i in enumerate(instances)])
        winners = [number for number, each in enumerate(claims) if each is not None]
        assert len(winners) == 1
        winner = f"{round_}-{winners[0]}"
        assert instances[winners[0]].known().prober == winner
        losers = [each.end(f"{round_}-{n}", None) for n, each in enumerate(instances) if n != winners[0]]
        assert losers == [None] * (INSTANCES - 1)
        assert instances[winners[0]].end(winner, "ReadTimeout") is not None
        until = Instance(place).known().until
        assert until is not None
        place.clock.advance((until - place.clock.now()).total_seconds())


def test_the_copy_comes_with_what_a_turn_reads_anyway(place: Place) -> None:
    opened(place)
    instance = Instance(place)
    place.client.requests.clear()
    instance.look()
    assert instance.known().state is CircuitState.OPEN
    assert place.client.requests == {"batch_get_item": 1}


def test_a_turn_never_pays_for_a_copy_that_has_become_old_meanwhile(place: Place) -> None:
    instance = Instance(place)
    instance.look()
    opened(place)
    place.client.requests.clear()
    place.clock.advance(KEPT_S - 0.1)
    instance.look()
    assert instance.known().state is CircuitState.CLOSED, "seconds old, as promised"
    place.clock.advance(0.1)
    instance.look()
    place.clock.advance(6.4)
    assert instance.known().state is CircuitState.OPEN
    assert place.client.requests == {"batch_get_item": 2}


def test_without_a_look_the_breakers_are_read_alone_once_in_a_while(place: Place) -> None:
    instance = opened(place)
    other = Instance(place)
    place.client.requests.clear()
    for _ in range(10):
        assert other.known().state is CircuitState.OPEN
        assert other.known(READS).state is CircuitState.CLOSED
    assert place.client.requests == {"batch_get_item": 1}
    assert instance.known().state is CircuitState.OPEN


def test_a_look_at_many_items_is_left_alone(place: Place) -> None:
    instance = Instance(place)
    instance.appointments.several(place.tenant, [f"a{number}" for number in range(99)])
    assert instance.copy.age_s() == float("inf")
    assert instance.appointments.several(place.tenant, []) == {}
    assert place.client.requests == {"batch_get_item": 1}


def test_one_failure_is_one_request(place: Place) -> None:
    instance = Instance(place)
    instance.look()
    place.client.requests.clear()
    instance.fail()
    instance.fail()
    assert place.client.requests == {"update_item": 2}


def test_a_table_that_is_away_opens_nothing_and_is_asked_once_in_a_while(troubled: Place) -> None:
    opened(troubled)
    instance = Instance(troubled)
    troubled.client.requests.clear()
    troubled.client.faults.next("batch_get_item", Fault.NOT_SENT, times=99)
    for _ in range(10):
        assert instance.known() == Breaker()
    assert troubled.client.requests["batch_get_item"] == 1
    with pytest.raises(StoreUnavailable):
        instance.circuit.read()


def test_a_copy_that_cannot_be_renewed_is_not_believed_for_ever(troubled: Place) -> None:
    instance = opened(troubled)
    instance.circuit.read()
    troubled.client.faults.next("batch_get_item", Fault.NOT_SENT, times=99)
    assert instance.known().state is CircuitState.OPEN
    troubled.clock.advance(15)
    assert instance.known() == Breaker()


def test_a_table_that_hangs_costs_a_caller_a_fifth_of_a_second(place: Place) -> None:
    given: list[float] = []

    def hangs(_call: Callable[[], Any], deadline: Deadline, /) -> Any:
        given.append(deadline.remaining())
        raise Late

    instance = Instance(place, bounds=hangs)
    assert instance.known() == Breaker()
    assert given == [pytest.approx(0.2)]


def test_a_failure_that_cannot_be_written_says_so_and_a_later_one_can(troubled: Place) -> None:
    instance = Instance(troubled)
    troubled.client.faults.next("update_item", Fault.NOT_SENT)
    with pytest.raises(StoreUnavailable):
        instance.fail()
    assert instance.fail() is not None
    assert Instance(troubled).known().failures == 1


def test_a_count_whose_answer_is_lost_is_seen_by_the_next(troubled: Place) -> None:
    instance = Instance(troubled)
    troubled.client.faults.next("update_item", Fault.LOST_ANSWER)
    with pytest.raises(StoreUnavailable):
        instance.fail()
    assert instance.fail() is not None
    assert Instance(troubled).known().failures == 2


def test_a_request_that_botocore_sends_twice_is_one_step(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    instance = opened(place)
    place.clock.advance(PAUSE_S)
    once = instance.table.update

    def twice(table: Table, **request: Any) -> Any:
        once(**request)
        return once(**request)

    monkeypatch.setattr(Table, "update", twice)
    claimed = instance.claim("a")
    assert claimed is not None
    assert claimed.after.prober == "a"


def test_a_right_that_is_missing_keeps_no_caller_from_calcom(place: Place) -> None:
    def refused(_call: Callable[[], Any], _deadline: Deadline, /) -> Any:
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": ""}}, "BatchGetItem")

    instance = Instance(place, bounds=refused)
    assert instance.known() == Breaker()
    with pytest.raises(StoreUnavailable):
        instance.fail()
    assert instance.trouble == ["ClientError", "ClientError"]


def test_an_item_of_another_release_disturbs_no_turn(place: Place) -> None:
    instance = opened(place)
    key = instance.copy.key(WRITES)
    place.store.client.put_item(TableName=place.name, Item=key | {"ver": {"N": "9"}, "state": {"S": "ajar"}})
    other = Instance(place)
    other.look()
    assert other.known() == Breaker()


def test_its_key_is_the_address_of_calcom_and_no_tenant(place: Place) -> None:
    assert Instance(place).copy.key(READS) == {
        "pk": {"S": f"CIRCUIT#https://cal.{place.tenant}.example"},
        "sk": {"S": "reads"},
    }
