"""A DynamoDB in memory: one dict, one lock, and the refusals of the real one.

`MemoryDynamoDB` takes the place of ``boto3.client("dynamodb")``: typed attribute values go in and come out,
errors are botocore's. It is for simulations that need thousands of runs and for tests that need faults on
demand. What it does not know, it refuses with NotImplementedError instead of guessing.

    client = MemoryDynamoDB()
    client.create_table(**table_properties(), TableName="appointments")
    client.faults.next("transact_write_items", Fault.LOST_ANSWER)

Every request is atomic and in one total order (the real service promises that for transactions only).
Not modelled: capacity, streams, TTL deletes, the lag of an index and of eventually consistent reads, and
conflicts between transactions that really overlap in time; conflicts and throttles come from `client.faults`.
"""

import itertools
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn

import botocore.session
from botocore.errorfactory import ClientExceptionsFactory
from botocore.exceptions import ParamValidationError
from botocore.validate import ParamValidator

from tests.support.tables import expressions as expr
from tests.support.tables.faults import Gate, cancelled, client_error
from tests.support.tables.values import (
    MAX_ITEM_BYTES,
    AttributeValue,
    InvalidValue,
    Item,
    comparable,
    copied_item,
    item_bytes,
    kind_of,
    normalised,
)

MAX_TRANSACTION_ITEMS = 100
MAX_TRANSACTION_BYTES = 4 * 1024 * 1024
MAX_TOKEN = 36
TOKEN_SECONDS = 600
PAGE_BYTES = 1024 * 1024

Key = tuple[Any, ...]
Parameters = dict[str, Any]


@cache
def _service() -> Any:
    return botocore.session.get_session().get_service_model("dynamodb")


@cache
def exceptions() -> Any:
    """The classes behind ``client.exceptions``, the same objects for every client."""
    return ClientExceptionsFactory().create_client_exceptions(_service())


class _Refused(Exception):
    """Becomes a ClientError with this code."""

    def __init__(self, message: str, code: str = "ValidationException") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class _WrongType(_Refused):
    """A key or index key of the wrong type: in a transaction a cancellation reason, elsewhere a refusal."""


class _ConditionFailed(Exception):
    def __init__(self, old: Item | None) -> None:
        super().__init__("The conditional request failed")
        self.old = old


# ------------------------------------------------------------------------------------------------ tables


@dataclass(frozen=True, slots=True)
class _Index:
    name: str
    keys: tuple[str, ...]
    projection: Mapping[str, Any]
    partitions: dict[Any, dict[Key, Item]]

    def view(self, item: Item, table_keys: tuple[str, ...]) -> Item:
        if self.projection["ProjectionType"] == "ALL":
            return item
        kept = {*self.keys, *table_keys, *self.projection.get("NonKeyAttributes", [])}
        return {name: value for name, value in item.items() if name in kept}


class _Table:
    """Items by key, and by partition for each index. Stored items are never changed in place."""

    def __init__(self, properties: Parameters) -> None:
        self.properties = properties
        self.keys = _key_names(properties["KeySchema"])
        self.types = {a["AttributeName"]: a["AttributeType"] for a in properties["AttributeDefinitions"]}
        self.items: dict[Key, Item] = {}
        self.partitions: dict[Any, dict[Key, Item]] = {}
        self.indexes = {
            index["IndexName"]: _Index(index["IndexName"], _key_names(index["KeySchema"]), index["Projection"], {})
            for index in properties.get("GlobalSecondaryIndexes", [])
        }

    def key_of(self, item: Mapping[str, AttributeValue]) -> Key:
        return tuple(comparable(item[name]) for name in self.keys)

    def store(self, key: Key, new: Item | None) -> None:
        old = self.items.pop(key, None)
        for partitions, names in self._partitionings():
            if old is not None and all(name in old for name in names):
                partitions[comparable(old[names[0]])].pop(key)
            # Sparse: an item without all of an index's keys is not in the index.
            if new is not None and all(name in new for name in names):
                partitions.setdefault(comparable(new[names[0]]), {})[key] = new
        if new is not None:
            self.items[key] = new

    def _partitionings(self) -> Iterable[tuple[dict[Any, dict[Key, Item]], tuple[str, ...]]]:
        yield self.partitions, self.keys
        for index in self.indexes.values():
            yield index.partitions, index.keys

    def check_key(self, key: Mapping[str, AttributeValue], *, exact: bool) -> None:
        """`exact`: a Key parameter holds the key and nothing else; an Item holds more."""
        if exact and set(key) != set(self.keys):
            raise _Refused("The provided key element does not match the schema")
        for name, limit in zip(self.keys, (2048, 1024), strict=False):
            if name not in key:
                raise _Refused(f"One or more parameter values were invalid: Missing the key {name} in the item")
            if kind_of(key[name]) != self.types[name]:
                raise _WrongType(
                    "The provided key element does not match the schema"
                    if exact
                    else "One or more parameter values were invalid: Type mismatch for key "
                    f"{name} expected: {self.types[name]} actual: {kind_of(key[name])}"
                )
            _check_not_empty(name, key[name])
            if self.types[name] == "S" and len(key[name]["S"].encode()) > limit:
                which = "hash" if limit == 2048 else "range"
                raise _Refused(
                    f"One or more parameter values were invalid: Aggregated size of all {which} keys "
                    f"has exceeded the size limit of {limit} bytes"
                )

    def check_index_keys(self, item: Item) -> None:
        for index in self.indexes.values():
            for name in index.keys:
                if name not in item:
                    continue
                actual = kind_of(item[name])
                if actual != self.types[name]:
                    raise _WrongType(
                        "One or more parameter values were invalid: Type mismatch for Index Key "
                        f"{name} Expected: {self.types[name]} Actual: {actual} IndexName: {index.name}"
                    )
                if item[name] in ({"S": ""}, {"B": b""}):
                    raise _Refused(
                        "One or more parameter values are not valid. A value specified for a secondary "
                        "index key is not supported. The AttributeValue for a key attribute cannot contain "
                        f"an empty string value. IndexName: {index.name}, IndexKey: {name}"
                    )


def _key_names(schema: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    return tuple(part["AttributeName"] for part in sorted(schema, key=lambda part: part["KeyType"]))


def _check_not_empty(name: str, value: AttributeValue) -> None:
    if value in ({"S": ""}, {"B": b""}):
        what = "string" if "S" in value else "binary"
        raise _Refused(
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot "
            f"contain an empty {what} value. Key: {name}"
        )


def _normalised_item(item: Mapping[str, AttributeValue]) -> Item:
    if "" in item:
        raise _Refused("Empty attribute name")
    return {name: normalised(value) for name, value in item.items()}


# ------------------------------------------------------------------------------------------------ requests

_SLOTS = (
    "KeyConditionExpression",
    "ConditionExpression",
    "UpdateExpression",
    "FilterExpression",
    "ProjectionExpression",
)


_SOUND: dict[object, tuple[Any, ...]] = {}
"""The trees of expressions that have been found sound, by all that their checks look at. Simulations ask the same few
hundred of them millions of times."""
_OF_CONTENT = re.compile(r"BETWEEN|attribute_type", re.IGNORECASE)
"""Whose check looks at what a value is, not only at its type."""


def _form_of(texts: Mapping[str, str], names: Mapping[str, str] | None, values: Mapping[str, Any] | None) -> object:
    """Equal for requests that the checks of expressions cannot tell apart; None where they look at contents."""
    if any(_OF_CONTENT.search(text) for text in texts.values()):
        return None
    return (
        tuple(texts.items()),
        None if names is None else tuple(names.items()),
        None if values is None else tuple((name, *value) for name, value in values.items()),
    )


class _Expressions:
    """The expressions of one request or of one action of a transaction, parsed and checked."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self.texts = {slot: parameters[slot] for slot in _SLOTS if slot in parameters}
        values = parameters.get("ExpressionAttributeValues")
        form = _form_of(self.texts, parameters.get("ExpressionAttributeNames"), values)
        if form in _SOUND:
            self.scope = expr.Scope(parameters.get("ExpressionAttributeNames") or {}, _normalised_item(values or {}))
            trees = _SOUND[form]
        else:
            self.scope = expr.Scope(self._names(parameters), self._values(parameters))
            trees = self._trees()
            self._check_all_used()
            if form is not None:
                _SOUND[form] = trees
        self.condition, self.filter, self.key_condition, self.update, self.projection = trees

    def _trees(self) -> tuple[Any, ...]:
        return (
            self._read("ConditionExpression", expr.parse_condition, expr.check_condition),
            self._read("FilterExpression", expr.parse_condition, expr.check_condition),
            self._read("KeyConditionExpression", expr.parse_condition, expr.check_condition),
            self._read("UpdateExpression", expr.parse_update, expr.check_update) or (),
            self._read("ProjectionExpression", expr.parse_projection, _check_projection),
        )

    def _names(self, parameters: Mapping[str, Any]) -> Mapping[str, str]:
        names: Mapping[str, str] | None = parameters.get("ExpressionAttributeNames")
        self._check_given("ExpressionAttributeNames", names, "#")
        return names or {}

    def _values(self, parameters: Mapping[str, Any]) -> Mapping[str, AttributeValue]:
        values = parameters.get("ExpressionAttributeValues")
        self._check_given("ExpressionAttributeValues", values, ":")
        return _normalised_item(values or {})

    def _check_given(self, parameter: str, given: Mapping[str, Any] | None, sign: str) -> None:
        if given is None:
            return
        if not self.texts:
            raise _Refused(f"{parameter} can only be specified when using expressions")
        if not given:
            raise _Refused(f"{parameter} must not be empty")
        for name in given:
            if not name.startswith(sign) or name not in expr.placeholders(name):
                raise _Refused(f'{parameter} contains invalid key: Syntax error; key: "{name}"')

    def _read(self, slot: str, parse: Callable[[str], Any], check: Callable[[Any, expr.Scope], None]) -> Any:
        if slot not in self.texts:
            return None
        text = self.texts[slot]
        try:
            tree = parse(text)
            expr.check_placeholders(text, self.scope)
            check(tree, self.scope)
        except expr.InvalidExpression as fault:
            raise _Refused(f"Invalid {slot}: {fault}") from fault
        return tree

    def _check_all_used(self) -> None:
        used = set().union(*(expr.placeholders(text) for text in self.texts.values())) if self.texts else set()
        for parameter, given in (
            ("ExpressionAttributeNames", self.scope.names),
            ("ExpressionAttributeValues", self.scope.values),
        ):
            unused = ", ".join(sorted(set(given) - used))
            if unused:
                raise _Refused(f"Value provided in {parameter} unused in expressions: keys: {{{unused}}}")

    def view(self, item: Item) -> Item:
        """A copy of what the caller may see."""
        if self.projection is None:
            return copied_item(item)
        return expr.projected(self.projection, item, self.scope)


def _check_projection(paths: Iterable[expr.Path], scope: expr.Scope) -> None:
    expr.check_overlap([scope.resolve(path) for path in paths])


class _Write:
    """A Put, Update, Delete or ConditionCheck, alone or in a transaction."""

    def __init__(self, kind: str, parameters: Mapping[str, Any], table: _Table) -> None:
        self.kind = kind
        self.table = table
        self.expressions = _Expressions(parameters)
        wanted = parameters.get("ReturnValuesOnConditionCheckFailure", "NONE")
        if wanted not in {"NONE", "ALL_OLD"}:
            raise _Refused(
                f"1 validation error detected: Value '{wanted}' at 'returnValuesOnConditionCheckFailure' "
                "failed to satisfy constraint: Member must satisfy enum value set: [ALL_OLD, NONE]"
            )
        self.wants_old = wanted == "ALL_OLD"
        self.given = _normalised_item(parameters["Item" if kind == "Put" else "Key"])
        self.bytes = item_bytes(self.given) + item_bytes(self.expressions.scope.values)
        table.check_key(self.given, exact=kind != "Put")
        self.key = table.key_of(self.given)
        if kind == "Put":
            table.check_index_keys(self.given)
            if item_bytes(self.given) > MAX_ITEM_BYTES:
                raise _Refused("Item size has exceeded the maximum allowed size")
        for action in self.expressions.update:
            top = self.expressions.scope.resolve(action.path)[0]
            if top in table.keys:
                raise _Refused(
                    f"One or more parameter values were invalid: Cannot update attribute {top}. "
                    "This attribute is part of the key"
                )

    def outcome(self) -> tuple[Item | None, Item | None]:
        """The item before and after. Nothing is stored yet."""
        old = self.table.items.get(self.key)
        condition = self.expressions.condition
        if condition is not None and not expr.holds(condition, old or {}, self.expressions.scope):
            raise _ConditionFailed(copied_item(old) if self.wants_old and old is not None else None)
        if self.kind == "Delete":
            return old, None
        if self.kind == "ConditionCheck":
            return old, old
        if self.kind == "Put":
            return old, self.given
        new = expr.applied(self.expressions.update, old or self.given, self.expressions.scope)
        self.table.check_index_keys(new)
        if item_bytes(new) > MAX_ITEM_BYTES:
            raise expr.NotApplicable("Item size to update has exceeded the maximum allowed size")
        return old, new


def token_fault(token: str) -> str | None:
    if 1 <= len(token) <= MAX_TOKEN:
        return None
    bound = "less than or equal to 36" if token else "greater than or equal to 1"
    return (
        "1 validation error detected: Value at 'clientRequestToken' failed to satisfy constraint: "
        f"Member must have length {bound}"
    )


class TokenBook:
    """ClientRequestTokens of the last ten minutes, with the request each one stood for."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.used: dict[str, tuple[float, Parameters]] = {}

    def is_replay(self, token: str, request: Parameters) -> bool | None:
        """True: the same request again. False: new. None: the token was used for something else."""
        known = self.used.get(token)
        if known is None or self.clock() - known[0] >= TOKEN_SECONDS:
            return False
        return True if known[1] == request else None

    def keep(self, token: str, request: Parameters) -> None:
        self.used[token] = (self.clock(), request)


# ------------------------------------------------------------------------------------------------ the client

# The legacy parameters that expressions replaced, and what only AWS can answer.
_UNSUPPORTED = {
    "AttributeUpdates",
    "AttributesToGet",
    "ConditionalOperator",
    "Expected",
    "KeyConditions",
    "LocalSecondaryIndexes",
    "QueryFilter",
    "ReturnConsumedCapacity",
    "ReturnItemCollectionMetrics",
    "ScanFilter",
    "Segment",
    "TotalSegments",
}


class MemoryDynamoDB(Gate):
    """See the module. One instance is one region: its tables and tokens are its own.

    `clock` (seconds) only serves the ten minutes of a ClientRequestToken. `check_parameters=False` leaves out
    botocore's own check of parameter names and types, half of the time of a call.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, check_parameters: bool = True) -> None:
        super().__init__(exceptions())
        self._lock = threading.RLock()
        self._tables: dict[str, _Table] = {}
        self._tokens = TokenBook(clock)
        self._check_parameters = check_parameters
        self._request_ids = itertools.count(1)

    # -------------------------------------------------------------------------------- single items

    def get_item(self, **parameters: Any) -> dict[str, Any]:
        def read(p: Parameters) -> dict[str, Any]:
            found = self._get(p)
            return {} if found is None else {"Item": found}

        return self._send("get_item", parameters, read)

    def put_item(self, **parameters: Any) -> dict[str, Any]:
        return self._send("put_item", parameters, lambda p: self._write("Put", p, {"NONE", "ALL_OLD"}))

    def update_item(self, **parameters: Any) -> dict[str, Any]:
        allowed = {"NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"}
        return self._send("update_item", parameters, lambda p: self._write("Update", p, allowed))

    def delete_item(self, **parameters: Any) -> dict[str, Any]:
        return self._send("delete_item", parameters, lambda p: self._write("Delete", p, {"NONE", "ALL_OLD"}))

    def _get(self, parameters: Mapping[str, Any]) -> Item | None:
        table = self._table(parameters["TableName"])
        expressions = _Expressions(parameters)
        key = _normalised_item(parameters["Key"])
        table.check_key(key, exact=True)
        found = table.items.get(table.key_of(key))
        return None if found is None else expressions.view(found)

    def _write(self, kind: str, parameters: Parameters, allowed: set[str]) -> dict[str, Any]:
        wanted = parameters.get("ReturnValues", "NONE")
        if wanted not in allowed:
            raise _Refused("Return values set to invalid value")
        write = _Write(kind, parameters, self._table(parameters["TableName"]))
        old, new = write.outcome()
        write.table.store(write.key, new)
        shown = {"ALL_OLD": old, "UPDATED_OLD": old, "ALL_NEW": new, "UPDATED_NEW": new}.get(wanted)
        if shown is not None and wanted.startswith("UPDATED"):
            paths = [action.path for action in write.expressions.update]
            shown = expr.projected(paths, shown, write.expressions.scope) if paths else None
        return {"Attributes": copied_item(shown)} if shown else {}

    # -------------------------------------------------------------------------------- transactions

    def transact_write_items(self, **parameters: Any) -> dict[str, Any]:
        return self._send("transact_write_items", parameters, self._transact_write)

    def transact_get_items(self, **parameters: Any) -> dict[str, Any]:
        def read(p: Parameters) -> dict[str, Any]:
            gets = [entry["Get"] for entry in p["TransactItems"]]
            self._check_count(gets)
            found = [self._get(get) for get in gets]
            keys = [(get["TableName"], str(sorted(get["Key"].items()))) for get in gets]
            self._check_distinct(keys, "Transaction request cannot include multiple operations on one item")
            return {"Responses": [{} if item is None else {"Item": item} for item in found]}

        return self._send("transact_get_items", parameters, read)

    def _transact_write(self, parameters: Parameters) -> dict[str, Any]:
        actions = parameters["TransactItems"]
        self._check_count(actions)
        token = parameters.get("ClientRequestToken")
        if token is not None and (fault := token_fault(token)):
            raise _Refused(fault)
        planned = [self._plan(action) for action in actions]
        writes = [write for write in planned if isinstance(write, _Write)]
        self._check_distinct(
            [(write.table.properties["TableName"], write.key) for write in writes],
            "Transaction request cannot include multiple operations on one item",
        )
        if sum(write.bytes for write in writes) > MAX_TRANSACTION_BYTES:
            raise _Refused("Transaction request exceeds the 4MB transaction size limit")
        request = {name: value for name, value in parameters.items() if name != "ClientRequestToken"}
        if token is not None:
            replay = self._tokens.is_replay(token, request)
            if replay is None:
                raise _Refused(
                    "Request token already in use for another request with a different payload",
                    "IdempotentParameterMismatchException",
                )
            if replay:
                return {}
        outcomes = self._outcomes(planned)
        for write, new in outcomes:
            if write.kind != "ConditionCheck":
                write.table.store(write.key, new)
        if token is not None:
            self._tokens.keep(token, frozen(request))
        return {}

    def _plan(self, action: Mapping[str, Any]) -> "_Write | _WrongType":
        if len(action) != 1:
            raise _Refused(
                "TransactItems can only contain one of Check, Put, Update or Delete"
                if action
                else "Invalid Request: TransactWriteRequest should contain Delete or Put or Update request"
            )
        ((kind, parameters),) = action.items()
        try:
            return _Write(kind, parameters, self._table(parameters["TableName"]))
        except _WrongType as fault:
            return fault

    def _outcomes(self, planned: list["_Write | _WrongType"]) -> list[tuple[_Write, Item | None]]:
        """All conditions are looked at, so that the reasons name every loser and not only the first."""
        outcomes: list[tuple[_Write, Item | None]] = []
        reasons: list[dict[str, Any]] = []
        for write in planned:
            reason: dict[str, Any] = {"Code": "None"}
            try:
                if isinstance(write, _WrongType):
                    raise write
                outcomes.append((write, write.outcome()[1]))
            except _ConditionFailed as fault:
                reason = {"Code": "ConditionalCheckFailed", "Message": str(fault)}
                if fault.old is not None:
                    reason["Item"] = fault.old
            except (expr.NotApplicable, InvalidValue, _WrongType) as fault:
                reason = {"Code": "ValidationError", "Message": str(fault)}
            reasons.append(reason)
        if any(reason["Code"] != "None" for reason in reasons):
            raise self.error("transact_write_items", cancelled(reasons))
        return outcomes

    @staticmethod
    def _check_count(members: list[Any]) -> None:
        if len(members) > MAX_TRANSACTION_ITEMS:
            raise _Refused(
                "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: "
                f"Member must have length less than or equal to {MAX_TRANSACTION_ITEMS}"
            )

    @staticmethod
    def _check_distinct(keys: list[Any], message: str) -> None:
        if len(set(keys)) != len(keys):
            raise _Refused(message)

    # -------------------------------------------------------------------------------- batches

    def batch_get_item(self, **parameters: Any) -> dict[str, Any]:
        def read(p: Parameters) -> dict[str, Any]:
            requests = p["RequestItems"]
            if sum(len(request["Keys"]) for request in requests.values()) > 100:
                raise _Refused("Too many items requested for the BatchGetItem call")
            responses: dict[str, list[Item]] = {}
            for name, request in requests.items():
                table = self._table(name)
                keys = [table.key_of(_normalised_item(key)) for key in request["Keys"]]
                self._check_distinct(keys, "Provided list of item keys contains duplicates")
                rest = {k: v for k, v in request.items() if k != "Keys"}
                found = [self._get({"TableName": name, "Key": key, **rest}) for key in request["Keys"]]
                # AWS promises no order: whoever relies on the order of the keys shall find out here.
                responses[name] = [item for item in reversed(found) if item is not None]
            return {"Responses": responses, "UnprocessedKeys": {}}

        return self._send("batch_get_item", parameters, read)

    def batch_write_item(self, **parameters: Any) -> dict[str, Any]:
        def write(p: Parameters) -> dict[str, Any]:
            writes = []
            for name, requests in p["RequestItems"].items():
                for request in requests:
                    kind, body = ("Put", "PutRequest") if "PutRequest" in request else ("Delete", "DeleteRequest")
                    writes.append(_Write(kind, request[body], self._table(name)))
            if len(writes) > 25:
                raise _Refused("Too many items requested for the BatchWriteItem call")
            keys = [(w.table.properties["TableName"], w.key) for w in writes]
            self._check_distinct(keys, "Provided list of item keys contains duplicates")
            for each in writes:
                each.table.store(each.key, each.outcome()[1])
            return {"UnprocessedItems": {}}

        return self._send("batch_write_item", parameters, write)

    # -------------------------------------------------------------------------------- query and scan

    def query(self, **parameters: Any) -> dict[str, Any]:
        def read(p: Parameters) -> dict[str, Any]:
            table = self._table(p["TableName"])
            index = self._index(table, p)
            names = table.keys if index is None else index.keys
            expressions = _Expressions(p)
            if expressions.key_condition is None:
                raise _Refused(
                    "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
                )
            partition = _partition(expressions, names, table)
            _check_filter(expressions, names)
            partitions = table.partitions if index is None else index.partitions
            found = [
                (key, item)
                for key, item in partitions.get(partition, {}).items()
                if expr.holds(expressions.key_condition, item, expressions.scope)
            ]

            # Items of an index with equal keys have no promised order; by table key it is at least stable.
            def order(key: Key, item: Mapping[str, AttributeValue]) -> Key:
                return (*(comparable(item[name]) for name in names[1:]), *key)

            found.sort(key=lambda entry: order(*entry), reverse=not p.get("ScanIndexForward", True))
            start = p.get("ExclusiveStartKey")
            if start is not None:
                cursor = self._cursor(table, index, start)
                forward = p.get("ScanIndexForward", True)
                after = order(table.key_of(cursor), cursor)
                found = [e for e in found if (order(*e) > after if forward else order(*e) < after)]
            return _page([item for _, item in found], p, expressions, table, index)

        return self._send("query", parameters, read)

    def scan(self, **parameters: Any) -> dict[str, Any]:
        def read(p: Parameters) -> dict[str, Any]:
            table = self._table(p["TableName"])
            index = self._index(table, p)
            partitions = table.partitions if index is None else index.partitions
            rows = {key: item for part in partitions.values() for key, item in part.items()}
            found = sorted(rows)
            if (start := p.get("ExclusiveStartKey")) is not None:
                after = table.key_of(self._cursor(table, index, start))
                found = [key for key in found if key > after]
            return _page([rows[key] for key in found], p, _Expressions(p), table, index)

        return self._send("scan", parameters, read)

    @staticmethod
    def _index(table: _Table, parameters: Parameters) -> _Index | None:
        name = parameters.get("IndexName")
        if name is None:
            return None
        if name not in table.indexes:
            raise _Refused(f"The table does not have the specified index: {name}")
        if parameters.get("ConsistentRead"):
            raise _Refused("Consistent reads are not supported on global secondary indexes")
        return table.indexes[name]

    @staticmethod
    def _cursor(table: _Table, index: _Index | None, start: Mapping[str, AttributeValue]) -> Item:
        expected = {*table.keys, *(index.keys if index else ())}
        if set(start) != expected:
            raise _Refused("The provided starting key is invalid")
        return _normalised_item(start)

    # -------------------------------------------------------------------------------- tables

    def create_table(self, **parameters: Any) -> dict[str, Any]:
        def create(p: Parameters) -> dict[str, Any]:
            name = p["TableName"]
            if name in self._tables:
                raise _Refused(f"Table already exists: {name}", "ResourceInUseException")
            schemas = [p["KeySchema"], *(i["KeySchema"] for i in p.get("GlobalSecondaryIndexes", []))]
            used = {part["AttributeName"] for schema in schemas for part in schema}
            defined = {attribute["AttributeName"] for attribute in p["AttributeDefinitions"]}
            if used != defined:
                raise _Refused(
                    "One or more parameter values were invalid: Number of attributes in KeySchema does not "
                    "exactly match number of attributes defined in AttributeDefinitions"
                )
            self._tables[name] = _Table(p)
            return {"TableDescription": self._description(name)}

        return self._send("create_table", parameters, create)

    def describe_table(self, **parameters: Any) -> dict[str, Any]:
        return self._send("describe_table", parameters, lambda p: {"Table": self._description(p["TableName"])})

    def delete_table(self, **parameters: Any) -> dict[str, Any]:
        def delete(p: Parameters) -> dict[str, Any]:
            description = self._description(p["TableName"])
            del self._tables[p["TableName"]]
            return {"TableDescription": description | {"TableStatus": "DELETING"}}

        return self._send("delete_table", parameters, delete)

    def _description(self, name: str) -> dict[str, Any]:
        table = self._table(name)
        return {**table.properties, "TableStatus": "ACTIVE", "ItemCount": len(table.items)}

    def _table(self, name: str) -> _Table:
        if name not in self._tables:
            raise _Refused("Requested resource not found", "ResourceNotFoundException")
        return self._tables[name]

    # -------------------------------------------------------------------------------- the way through

    def _send(
        self, operation: str, parameters: Parameters, apply: Callable[[Parameters], dict[str, Any]]
    ) -> dict[str, Any]:
        self._check(operation, parameters)

        def locked() -> dict[str, Any]:
            with self._lock:
                try:
                    answer = apply(parameters)
                except _Refused as refused:
                    self._raise(operation, client_error(refused.code, refused.message))
                except (InvalidValue, expr.NotApplicable) as fault:
                    self._raise(operation, client_error("ValidationException", str(fault)))
                except expr.InvalidExpression as fault:  # pragma: no cover - a check that is missing above
                    self._raise(operation, client_error("ValidationException", str(fault)))
                except _ConditionFailed as failed:
                    body = {"message": str(failed)} | ({} if failed.old is None else {"Item": failed.old})
                    code = "ConditionalCheckFailedException"
                    self._raise(operation, client_error(code, str(failed), **body))
                metadata = {
                    "RequestId": str(next(self._request_ids)),
                    "HTTPStatusCode": 200,
                    "HTTPHeaders": {},
                    "RetryAttempts": 0,
                }
                return {**answer, "ResponseMetadata": metadata}

        answer: dict[str, Any] = self.send(operation, parameters, locked)
        return answer

    def _raise(self, operation: str, answer: dict[str, Any]) -> NoReturn:
        raise self.error(operation, answer)

    def _check(self, operation: str, parameters: Parameters) -> None:
        """What botocore would refuse before sending, and what nobody has built here yet."""
        if self._check_parameters:
            name = "".join(word.title() for word in operation.split("_"))
            report = ParamValidator().validate(parameters, _service().operation_model(name).input_shape)
            if report.has_errors():
                raise ParamValidationError(report=report.generate_report())
        unknown = _UNSUPPORTED & parameters.keys()
        if unknown:
            raise NotImplementedError(f"{operation}: {', '.join(sorted(unknown))}")


def frozen(value: Any) -> Any:
    """A deep copy of a request, so that a caller who changes it later does not change the token book."""
    if isinstance(value, dict):
        return {name: frozen(child) for name, child in value.items()}
    return [frozen(child) for child in value] if isinstance(value, list) else value


def _clauses(condition: expr.Condition) -> Iterable[expr.Condition]:
    if isinstance(condition, expr.Both):
        yield from _clauses(condition.left)
        yield from _clauses(condition.right)
    else:
        yield condition


def _partition(expressions: _Expressions, names: tuple[str, ...], table: _Table) -> Any:
    """The partition that a key condition names; refuses every key condition that AWS refuses."""
    seen: dict[str, expr.Condition] = {}
    for clause in _clauses(expressions.key_condition):
        match clause:
            case expr.Compare(operator, expr.Path() as path, expr.Value() as first) if operator != "<>":
                values = [first]
            case expr.Between(expr.Path() as path, expr.Value() as low, expr.Value() as high):
                values = [low, high]
            case expr.Call("begins_with", (expr.Path() as path, expr.Value() as first)):
                values = [first]
            case _:
                raise _Refused("Invalid operator used in KeyConditionExpression")
        resolved = expressions.scope.resolve(path)
        if len(resolved) > 1:
            raise _Refused("KeyConditionExpressions cannot have conditions on nested attributes")
        name = str(resolved[0])
        if name in seen:
            raise _Refused(
                "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key"
            )
        seen[name] = clause
        for placeholder in values:
            value = expressions.scope.values[placeholder.name]
            if name in names and kind_of(value) != table.types[name]:
                raise _Refused(
                    "One or more parameter values were invalid: Condition parameter type does not match schema type"
                )
            _check_not_empty(name, value)
    for name in names:
        if name not in seen and (name == names[0] or len(seen) > 1):
            raise _Refused(f"Query condition missed key schema element: {name}")
    if len(seen) > len(names) or not set(seen) <= set(names):
        raise _Refused(f"Query condition missed key schema element: {names[-1]}")
    hashed = seen[names[0]]
    if not (isinstance(hashed, expr.Compare) and hashed.operator == "=" and isinstance(hashed.right, expr.Value)):
        raise _Refused("Query key condition not supported")
    return comparable(expressions.scope.values[hashed.right.name])


def _check_filter(expressions: _Expressions, names: tuple[str, ...]) -> None:
    """A filter runs after the page was cut, so AWS refuses to filter by the keys that cut it."""
    if expressions.filter is None:
        return
    text = expressions.texts["FilterExpression"]
    mentioned = {expressions.scope.names.get(token, token) for token in expr.words(text)}
    for name in names:
        if name in mentioned:
            raise _Refused(
                f"Filter Expression can only contain non-primary key attributes: Primary key attribute: {name}"
            )


def _page(
    items: list[Item], parameters: Parameters, expressions: _Expressions, table: _Table, index: _Index | None
) -> dict[str, Any]:
    """One page: cut by Limit and 1 MB first, then filtered, then projected. In this order, as AWS does."""
    limit = parameters.get("Limit")
    page: list[Item] = []
    size = 0
    for item in items:
        page.append(item)
        size += item_bytes(item)
        if len(page) == limit or size >= PAGE_BYTES:
            break
    # AWS does not look ahead: a page that ends exactly at the limit has a cursor, and the next one is empty.
    stopped = bool(page) and (len(page) == limit or size >= PAGE_BYTES)
    kept = [
        item for item in page if expressions.filter is None or expr.holds(expressions.filter, item, expressions.scope)
    ]
    answer: dict[str, Any] = {"Count": len(kept), "ScannedCount": len(page)}
    if parameters.get("Select") != "COUNT":
        seen = kept if index is None else [index.view(item, table.keys) for item in kept]
        answer["Items"] = [expressions.view(item) for item in seen]
    if stopped:
        names = (*table.keys, *(index.keys if index else ()))
        answer["LastEvaluatedKey"] = copied_item({name: page[-1][name] for name in names})
    return answer
