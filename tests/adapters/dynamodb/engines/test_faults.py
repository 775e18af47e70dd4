"""The faults do what they say: what is applied, what is not, and what the caller sees."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from tests.support.tables.engines import Store, engine
from tests.support.tables.faults import Crash, Fault

KEY = {"pk": {"S": "T#t#APPT#1"}, "sk": {"S": "A"}}


@pytest.fixture(params=["memory", "moto"])
def place(request: pytest.FixtureRequest) -> Any:
    with engine(request.param) as store:
        yield store


def increase(store: Store, **more: Any) -> None:
    action = {
        "TableName": store.table,
        "Key": KEY,
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    check = {"TableName": store.table, "Key": {**KEY, "sk": {"S": "B"}}}
    check["ConditionExpression"] = "attribute_not_exists(pk)"
    store.client.transact_write_items(TransactItems=[{"ConditionCheck": check}, {"Update": action}], **more)


def value(store: Store) -> int:
    item = store.client.get_item(TableName=store.table, Key=KEY).get("Item", {"n": {"N": "0"}})
    return int(item["n"]["N"])


@pytest.mark.parametrize("fault", [Fault.CONFLICT, Fault.THROTTLE, Fault.PROVISIONED])
def test_a_refused_transaction_names_one_item_and_writes_nothing(place: Store, fault: Fault) -> None:
    place.client.faults.next("transact_write_items", fault, times=2)
    for _ in range(2):
        with pytest.raises(place.client.exceptions.TransactionCanceledException) as caught:
            increase(place)
        reasons = caught.value.response["CancellationReasons"]
        assert [reason["Code"] for reason in reasons] == ["None", fault.value]
    assert value(place) == 0
    increase(place)
    assert value(place) == 1
    assert place.client.faults.injected[fault] == 2


def test_a_single_write_meets_a_conflict_as_an_exception_of_its_own(place: Store) -> None:
    place.client.faults.next("put_item", Fault.CONFLICT)
    with pytest.raises(place.client.exceptions.TransactionConflictException):
        place.client.put_item(TableName=place.table, Item=KEY)


def test_reads_know_no_conflict(place: Store) -> None:
    with pytest.raises(ValueError, match="never answers get_item"):
        place.client.faults.next("get_item", Fault.CONFLICT)
    place.client.faults.random(seed=1, conflict=1.0)
    assert value(place) == 0


def test_a_lost_answer_was_committed_and_the_token_makes_the_repeat_harmless(place: Store) -> None:
    place.client.faults.next("transact_write_items", Fault.LOST_ANSWER)
    with pytest.raises(ReadTimeoutError):
        increase(place, ClientRequestToken="token")
    assert value(place) == 1
    increase(place, ClientRequestToken="token")
    assert value(place) == 1


def test_what_was_not_sent_was_not_committed(place: Store) -> None:
    place.client.faults.next("*", Fault.NOT_SENT, when=lambda p: "TransactItems" in p)
    with pytest.raises(EndpointConnectionError):
        increase(place)
    assert value(place) == 0


def test_skip_counts_good_calls(place: Store) -> None:
    place.client.faults.next("transact_write_items", Fault.CONFLICT, skip=1)
    increase(place)
    with pytest.raises(ClientError):
        increase(place)
    increase(place)
    assert value(place) == 2


def test_a_crash_at_every_boundary(place: Store) -> None:
    def work() -> None:
        increase(place)
        increase(place)

    before = place.client.faults.boundaries
    work()
    boundaries = place.client.faults.boundaries - before
    assert boundaries == 4
    done = value(place)
    for boundary in range(1, boundaries + 1):
        place.client.faults.crash_at(boundary)
        with pytest.raises(Crash):
            work()
        # Boundary 1 is before the first request, 2 after it was applied, and so on.
        done += boundary // 2
        assert value(place) == done
    work()
    assert value(place) == done + 2


def test_hooks_and_counts(place: Store) -> None:
    seen: list[str] = []
    place.client.requests.clear()
    place.client.before.append(lambda operation, _: seen.append(f"before {operation}"))
    place.client.after.append(lambda operation, p: seen.append(f"after {operation} {p['TableName']}"))
    value(place)
    assert seen == ["before get_item", f"after get_item {place.table}"]
    assert place.client.requests == {"get_item": 1}


def test_a_seed_repeats(place: Store) -> None:
    def run() -> list[str]:
        place.client.faults.clear()
        place.client.faults.random(seed=3, conflict=0.2, throttle=0.1, lost_answer=0.1, not_sent=0.1, crash=0.1)
        seen = []
        for _ in range(30):
            try:
                increase(place)
                seen.append("ok")
            except (ClientError, ReadTimeoutError, EndpointConnectionError, Crash) as fault:
                seen.append(str(fault))
        return seen

    first = run()
    assert first == run()
    assert len(set(first)) > 5
