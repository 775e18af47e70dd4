"""Many threads, one slot: exactly one transaction wins, whatever the engine.

moto runs behind the lock of `StrictClient`; without it two of them win now and then.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.support.tables.engines import Store

THREADS = 16
ROUNDS = {"memory": 50, "moto": 5, "ministack": 15, "dynamodb-local": 5}


def put(store: Store, pk: str, sk: str, **attributes: Any) -> dict[str, Any]:
    return {
        "Put": {
            "TableName": store.table,
            "Item": {"pk": {"S": pk}, "sk": {"S": sk}, **attributes},
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def race(store: Store, tenant: str, number: int) -> list[str]:
    """One slot, an appointment of one's own, a counter: who took the slot?"""
    start = threading.Barrier(THREADS)
    cancelled = store.client.exceptions.TransactionCanceledException

    def caller(me: int) -> str | None:
        actions = [
            put(store, f"T#{tenant}#SLOT#{number}", "S", owner_id={"N": str(me)}),
            put(store, f"T#{tenant}#APPT#{number}-{me}", "A"),
            {
                "Update": {
                    "TableName": store.table,
                    "Key": {"pk": {"S": f"T#{tenant}#COUNT"}, "sk": {"S": "C"}},
                    "UpdateExpression": "ADD n :one",
                    "ExpressionAttributeValues": {":one": {"N": "1"}},
                }
            },
        ]
        start.wait()
        while True:
            try:
                store.client.transact_write_items(TransactItems=actions)
            except cancelled as lost:
                reasons = lost.response["CancellationReasons"]
                if any(reason["Code"] == "TransactionConflict" for reason in reasons):
                    continue  # undecided: the item was in another transaction
                assert reasons[0]["Code"] == "ConditionalCheckFailed"
                # The loser learns who won without another read.
                assert int(reasons[0]["Item"]["owner_id"]["N"]) != me
                return None
            return str(me)

    with ThreadPoolExecutor(THREADS) as pool:
        return [winner for winner in pool.map(caller, range(THREADS)) if winner is not None]


def test_one_winner(store: Store, tenant: str) -> None:
    rounds = ROUNDS[store.engine]
    for number in range(rounds):
        winners = race(store, tenant, number)
        assert len(winners) == 1
        slot = store.client.get_item(
            TableName=store.table,
            Key={"pk": {"S": f"T#{tenant}#SLOT#{number}"}, "sk": {"S": "S"}},
            ConsistentRead=True,
        )["Item"]
        assert slot["owner_id"] == {"N": winners[0]}
    count = store.client.get_item(
        TableName=store.table, Key={"pk": {"S": f"T#{tenant}#COUNT"}, "sk": {"S": "C"}}, ConsistentRead=True
    )["Item"]
    assert count["n"] == {"N": str(rounds)}


def test_one_effect_per_token(store: Store, tenant: str) -> None:
    """The same transaction from 16 threads at once, as a client with time-outs would send it."""
    request = {
        "TransactItems": [
            {
                "Update": {
                    "TableName": store.table,
                    "Key": {"pk": {"S": f"T#{tenant}#TOKEN"}, "sk": {"S": "C"}},
                    "UpdateExpression": "ADD n :one",
                    "ExpressionAttributeValues": {":one": {"N": "1"}},
                }
            }
        ],
        "ClientRequestToken": f"race-{tenant}",
    }
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda _: store.client.transact_write_items(**request), range(THREADS)))
    found = store.client.get_item(
        TableName=store.table, Key={"pk": {"S": f"T#{tenant}#TOKEN"}, "sk": {"S": "C"}}, ConsistentRead=True
    )["Item"]
    assert found["n"] == {"N": "1"}
