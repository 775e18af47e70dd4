"""When the table is busy, away, or answers into the void: what is tried again, for how long, and what is said then."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from botocore.httpsession import URLLib3Session

from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.transact import Table
from bookend.application.deadline import Deadline
from bookend.application.ports import AskedBefore, Confirmed, Held, Released, Started, StoreUnavailable, Superseded
from tests.adapters.dynamodb.place import HANS, NOW, Place, at, offer, wished
from tests.support.tables.engines import engine
from tests.support.tables.faults import Fault
from tests.support.tables.fixtures import opened

SLOT = at("28T10:00")
A1 = wished("a1", SLOT)
TRANSACT = "transact_write_items"

Operation = Callable[[Place], Any]


def _hold(place: Place) -> Any:
    return place.hold(offer("o1", at("29T10:00")))


def _start(place: Place) -> Any:
    return place.start(wished("a2", at("29T10:00")), known=HANS)


WRITES: dict[str, tuple[Operation, type]] = {
    "hold": (_hold, Held),
    "start": (_start, Started),
    "confirm": (lambda place: place.confirm(A1), Confirmed),
    "release": (lambda place: place.release(A1), Released),
    "leave_open": (lambda place: place.leave_open(A1), bool),
    "must_undo": (lambda place: place.must_undo(A1), bool),
}


@pytest.fixture(params=WRITES)
def write(request: pytest.FixtureRequest, troubled: Place) -> tuple[Operation, type]:
    """Each write on its own, on a table where it would succeed."""
    troubled.start(A1)
    return WRITES[request.param]


@pytest.mark.parametrize("fault", [Fault.CONFLICT, Fault.THROTTLE, Fault.PROVISIONED])
def test_a_busy_table_is_tried_again(troubled: Place, write: tuple[Operation, type], fault: Fault) -> None:
    operation, success = write
    troubled.store.client.faults.next(TRANSACT, fault, times=4)
    outcome = operation(troubled)
    assert isinstance(outcome, success)
    assert outcome
    assert troubled.store.client.faults.injected[fault] == 4
    assert 0 < troubled.clock.monotonic() < 4 * 0.2
    assert not troubled.given_up


@pytest.mark.parametrize(
    "code",
    [
        "TransactionConflictException",
        "TransactionInProgressException",
        "ThrottlingException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
    ],
)
def test_what_the_service_asks_to_try_again_is_tried_again(code: str) -> None:
    """TransactionInProgressException: our own transaction of before, by its token, is not through yet."""
    with engine("memory") as store:
        place, left = Place(store, "busy"), [code] * 3
        ask = store.client.transact_write_items

        def busy(**request: Any) -> Any:
            if left:
                raise ClientError({"Error": {"Code": left.pop(), "Message": "not now"}}, "TransactWriteItems")
            return ask(**request)

        store.client.transact_write_items = busy
        assert place.start(A1) == Started()
        assert (left, place.given_up, place.now_is("a1")) == ([], [], A1)


def test_a_table_that_stays_busy_is_given_up_and_nothing_was_written(
    troubled: Place, write: tuple[Operation, type]
) -> None:
    before = troubled.snapshot()
    troubled.store.client.faults.next(TRANSACT, Fault.CONFLICT, times=100)
    with pytest.raises(StoreUnavailable):
        write[0](troubled)
    troubled.store.client.faults.clear()
    assert troubled.given_up == ["gave up"]
    assert troubled.snapshot() == before


def test_tries_end_with_the_turn(troubled: Place) -> None:
    troubled.store.client.faults.next(TRANSACT, Fault.THROTTLE, times=100)
    hurried = troubled.appointments.within(Deadline.within(0.05, troubled.clock))
    with pytest.raises(StoreUnavailable):
        hurried.hold(troubled.tenant, troubled.record(), [offer("o1", SLOT)], days=troubled.days(), now=NOW)
    assert troubled.clock.monotonic() <= 0.05
    assert troubled.given_up


def test_tries_end_with_the_limit(troubled: Place) -> None:
    place = Place(troubled.store, troubled.tenant, troubled.name, limit_s=0.03)
    place.store.client.faults.next(TRANSACT, Fault.THROTTLE, times=100)
    with pytest.raises(StoreUnavailable):
        _hold(place)
    assert place.clock.monotonic() <= 0.03


@pytest.mark.parametrize("fault", [Fault.NOT_SENT, Fault.LOST_ANSWER])
def test_a_table_that_does_not_answer_is_not_asked_again(
    troubled: Place, write: tuple[Operation, type], fault: Fault
) -> None:
    """botocore has tried by then, with the same token; a second request of ours would be another transaction."""
    troubled.store.client.faults.next(TRANSACT, fault)
    troubled.client.requests.clear()
    with pytest.raises(StoreUnavailable):
        write[0](troubled)
    assert troubled.client.requests[TRANSACT] == 1
    assert troubled.given_up == ["gave up"]


def test_reads_that_meet_no_answer_say_so(troubled: Place) -> None:
    for operation, read in (
        ("batch_get_item", troubled.record),
        ("get_item", lambda: troubled.appointments.appointment(troubled.tenant, "a1")),
        ("query", lambda: troubled.due_work.due(now=NOW, most=1)),
    ):
        troubled.store.client.faults.next(operation, Fault.NOT_SENT)
        with pytest.raises(StoreUnavailable):
            read()
    assert len(troubled.given_up) == 3


def test_a_lost_answer_is_found_out_by_asking_again(troubled: Place) -> None:
    """The next try of the same operation meets its own conditions, and each tells what has become of it."""
    lost = Fault.LOST_ANSWER
    for operation, again in (
        (lambda: troubled.start(A1), lambda: troubled.start(A1) == AskedBefore("a1")),
        (lambda: troubled.confirm(A1), lambda: troubled.confirm(A1) == Confirmed()),
        (lambda: troubled.release(A1), lambda: isinstance(troubled.release(A1), Superseded)),
    ):
        troubled.store.client.faults.next(TRANSACT, lost)
        try:
            operation()
        except StoreUnavailable:
            assert again()
    assert troubled.intervals() == {"a1/0": "C"}


def test_a_hold_whose_answer_was_lost_is_seen_by_the_next_question(troubled: Place) -> None:
    before = troubled.record()
    troubled.store.client.faults.next(TRANSACT, Fault.LOST_ANSWER)
    with pytest.raises(StoreUnavailable):
        _hold(troubled)
    lost = troubled.hold(offer("o2", SLOT, op="hold2"), record=before)
    assert lost != Held(before)
    assert isinstance(troubled.hold(offer("o2", SLOT, op="hold2")), Held)
    assert troubled.intervals("29") == {}


def test_a_mistake_of_ours_is_seen_as_one(troubled: Place) -> None:
    with pytest.raises(ClientError) as caught:
        troubled.table.write([{"Put": {"TableName": troubled.name, "Item": {"pk": {"S": "no sort key"}}}}])
    assert caught.value.response["Error"]["Code"] in {"ValidationException", "TransactionCanceledException"}
    with pytest.raises(ClientError, match="ResourceNotFound"):
        Table(troubled.client, "no-such-table", clock=troubled.clock).get(keys.tenant_config("t"))
    assert not troubled.given_up


# Reads in part


class InPart:
    """A client whose batches come back without their last `missing` keys, the first `times` times."""

    def __init__(self, place: Place, *, times: int) -> None:
        self._place = place
        self._left = times
        self.asked: list[int] = []

    def batch_get_item(self, **request: Any) -> Any:
        wanted = request["RequestItems"][self._place.name]["Keys"]
        self.asked.append(len(wanted))
        if not self._left:
            return self._place.store.client.batch_get_item(**request)
        self._left -= 1
        now, later = wanted[:-1], wanted[-1:]
        answer: dict[str, Any] = {"Responses": {self._place.name: []}}
        if now:
            some = {self._place.name: {"Keys": now, "ConsistentRead": True}}
            answer = self._place.store.client.batch_get_item(RequestItems=some)
        return answer | {"UnprocessedKeys": {self._place.name: {"Keys": later, "ConsistentRead": True}}}


def test_what_a_busy_table_left_out_is_asked_for_after_a_pause(troubled: Place) -> None:
    troubled.start(A1)
    wanted = [keys.appointment(troubled.tenant, "a1"), keys.request(troubled.tenant, "wish-a1")]
    client = InPart(troubled, times=2)
    found = Table(client, troubled.name, clock=troubled.clock).get_all(wanted)
    assert [each is not None for each in found] == [True, True]
    assert client.asked == [2, 1, 1]
    assert troubled.clock.monotonic() > 0


def test_a_table_that_always_leaves_something_out_is_given_up(troubled: Place) -> None:
    client = InPart(troubled, times=1000)
    table = Table(client, troubled.name, clock=troubled.clock, on_give_up=lambda: troubled.given_up.append("up"))
    with pytest.raises(StoreUnavailable):
        table.get_all([keys.tenant_config("t")])
    assert len(client.asked) < 10
    assert troubled.given_up


def test_more_keys_than_fit_into_one_request(troubled: Place) -> None:
    troubled.start(A1)
    wanted = [keys.appointment(troubled.tenant, f"a{n}") for n in range(250)]
    troubled.client.requests.clear()
    found = troubled.table.get_all([*wanted, *wanted[:5]])
    assert len(found) == 255
    assert [number for number, item in enumerate(found) if item] == [1, 251]
    assert troubled.client.requests == {"batch_get_item": 3}
    assert troubled.clock.monotonic() == 0, "nothing was left out, so nobody waits"


# With botocore in between


@pytest.fixture(scope="module")
def served() -> Iterator[Any]:
    """An engine behind HTTP: what botocore repeats of its own accord is seen here only."""
    with ExitStack() as stack:
        yield opened(stack, "ministack")


@pytest.mark.engine
def test_botocore_repeats_a_lost_answer_with_the_same_token(served: Any, tenant: str) -> None:
    """It was committed, the answer is lost: the repeat is the same transaction, so it is no second one."""
    place, sent = Place(served, tenant), []
    session = URLLib3Session()

    def lose_the_first(request: Any, **_: Any) -> None:
        sent.append(request.headers["X-Amz-Target"])
        if len(sent) == 1:
            answer = session.send(request)
            assert answer.status_code == 200, "it was committed"
            raise ReadTimeoutError(endpoint_url=request.url)

    event = "before-send.dynamodb.TransactWriteItems"
    served.client.meta.events.register(event, lose_the_first, unique_id="lose")
    try:
        assert place.start(A1) == Started()
    finally:
        served.client.meta.events.unregister(event, unique_id="lose")
        session.close()
    assert len(sent) == 2
    assert place.now_is("a1") == A1
    assert place.day().version == 1
    assert not place.given_up


@pytest.mark.engine
def test_a_table_that_is_gone_is_unavailable_within_the_limit() -> None:
    with engine("ministack") as store:
        place = Place(store, "gone")
    began = time.monotonic()
    with pytest.raises(StoreUnavailable):
        place.record()
    assert time.monotonic() - began < 10
    assert place.given_up
