"""What DynamoDB refuses and what it takes, case by case, on every engine.

The expected outcome is Amazon's: taken from its documentation and checked on its own DynamoDB Local 3.3.0.
Where another engine answers differently, `DIFFERENCES` says so and the test expects just that: it fails when an
engine gets better, so that the list stays true. The memory engine has no entry.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.tables.engines import Store, table_properties
from tests.support.tables.memory import MemoryDynamoDB
from tests.support.tables.outcomes import outcome

REFUSED = "ValidationException"
FAILED = "ConditionalCheckFailedException"
CANCELLED = "TransactionCanceledException"
OK = "ok"

Parameters = dict[str, Any]


@dataclass(frozen=True)
class At:
    """Where a case plays: table, tenant."""

    table: str
    tenant: str

    def key(self, sk: str = "A") -> Parameters:
        return {"pk": {"S": f"T#{self.tenant}#APPT#1"}, "sk": {"S": sk}}

    def item(self, sk: str = "A", **attributes: Any) -> Parameters:
        return {**self.key(sk), **attributes}


@dataclass(frozen=True)
class Case:
    name: str
    operation: str
    parameters: Callable[[At], Parameters]
    expected: str = REFUSED
    says: str = ""
    """Part of the memory engine's message, so that it refuses for the reason meant."""
    reasons: list[str] = field(default_factory=list)


BASE: Parameters = {
    "st": {"S": "CONFIRMED"},
    "n": {"N": "1"},
    "l": {"L": [{"N": "1"}, {"N": "2"}]},
    "iv": {"M": {"seg": {"M": {"st": {"S": "H"}, "op": {"S": "o1"}, "x": {"N": "100"}}}}},
    "tags": {"SS": ["a", "b"]},
    "bag": {"M": {}},
}


def update(text: str, values: Parameters | None = None, names: Parameters | None = None, **more: Any) -> Any:
    """UpdateItem on the base item."""

    def build(at: At) -> Parameters:
        parameters = {"TableName": at.table, "Key": at.key(), "UpdateExpression": text, **more}
        if values is not None:
            parameters["ExpressionAttributeValues"] = values
        if names is not None:
            parameters["ExpressionAttributeNames"] = names
        return parameters

    return build


def when(text: str, values: Parameters | None = None, names: Parameters | None = None) -> Any:
    """DeleteItem of the base item on a condition."""

    def build(at: At) -> Parameters:
        parameters = {"TableName": at.table, "Key": at.key(), "ConditionExpression": text}
        if values is not None:
            parameters["ExpressionAttributeValues"] = values
        if names is not None:
            parameters["ExpressionAttributeNames"] = names
        return parameters

    return build


def put(**attributes: Any) -> Any:
    return lambda at: {"TableName": at.table, "Item": at.item("B", **attributes)}


def transact(*actions: Callable[[At], Parameters], **more: Any) -> Any:
    return lambda at: {"TransactItems": [action(at) for action in actions], **more}


def transact_put(sk: str, **attributes: Any) -> Callable[[At], Parameters]:
    return lambda at: {"Put": {"TableName": at.table, "Item": at.item(sk, **attributes)}}


def transact_update(
    text: str, values: Parameters | None = None, names: Parameters | None = None, **more: Any
) -> Callable[[At], Parameters]:
    return lambda at: {"Update": update(text, values, names, **more)(at)}


def query(text: str, values: Parameters, **more: Any) -> Any:
    """Values may say ``T`` for the base item's partition."""

    def build(at: At) -> Parameters:
        filled = {name: at.key()["pk"] if value == "T" else value for name, value in values.items()}
        return {
            "TableName": at.table,
            "KeyConditionExpression": text,
            "ExpressionAttributeValues": filled,
            **more,
        }

    return build


def nested(levels: int) -> Parameters:
    value: Parameters = {"S": "bottom"}
    for _ in range(levels):
        value = {"M": {"a": value}}
    return value


ONE = {":v": {"N": "1"}}
TEXT = {":v": {"S": "x"}}
FLAG = {":v": {"BOOL": True}}
U, D, P, T, Q = "update_item", "delete_item", "put_item", "transact_write_items", "query"

CASES = [
    # names and values
    Case("unused name", U, update("SET a = :v", ONE, {"#x": "x"}), says="unused in expressions: keys: {#x}"),
    Case("unused value", U, update("SET a = :v", {**ONE, ":w": {"N": "1"}}), says="keys: {:w}"),
    Case("undefined name", U, update("SET #a = :v", ONE), says="attribute name: #a"),
    Case("undefined value", U, update("SET a = :v"), says="attribute value: :v"),
    Case("undefined value among others", U, update("SET a = :v, b = :w", ONE), says="attribute value: :w"),
    Case("empty names", U, update("SET a = :v", ONE, {}), says="ExpressionAttributeNames must not be empty"),
    Case("empty values", U, update("REMOVE a", {}), says="ExpressionAttributeValues must not be empty"),
    Case("name without #", U, update("SET a = :v", ONE, {"x": "x"}), says='invalid key: Syntax error; key: "x"'),
    Case(
        "names without an expression",
        P,
        lambda at: {**put()(at), "ExpressionAttributeNames": {"#a": "a"}},
        says="can only be specified when using expressions",
    ),
    Case("reserved word", U, update("SET status = :v", TEXT), says="reserved keyword: status"),
    Case("reserved word below", U, update("SET iv.seg.#s = :v, iv.seg.owner = :v", TEXT, {"#s": "state"})),
    Case("reserved word in a condition", D, when("owner = :v", TEXT), says="reserved keyword: owner"),
    Case("reserved word aliased", U, update("SET #s = :v", TEXT, {"#s": "status"}), OK),
    Case("conflict is reserved", U, update("SET conflict = :v", TEXT), says="reserved keyword: conflict"),
    # grammar
    Case("empty expression", D, when(""), says="The expression can not be empty"),
    Case("no clause", U, update("a = :v", ONE), says="Syntax error"),
    Case("clause twice", U, update("SET a = :v SET b = :v", ONE), says="can only be used once"),
    Case("two operators", U, update("SET n = n + :v + :v", ONE), says="Syntax error"),
    Case("unknown function", D, when("exists(st)"), says="Invalid function name"),
    Case("update function in a condition", D, when("if_not_exists(st, :v) = :v", TEXT), says="not allowed"),
    Case("condition function in an update", U, update("SET a = size(l)"), says="not allowed"),
    Case("too few operands", D, when("begins_with(st)"), says="Incorrect number of operands"),
    Case("attribute_exists of a value", D, when("attribute_exists(:v)", TEXT), says="requires a document path"),
    Case("redundant brackets", D, when("((st = :v))", TEXT), says="redundant parentheses"),
    Case("brackets around two brackets", D, when("((st = :v) OR (n = :v))", TEXT), FAILED),
    Case("lower-case keywords", U, update("set a = :v remove n", ONE), OK),
    Case("itself", D, when("st = st"), says="must be distinct"),
    Case("longer than 4 KB", D, when(" OR ".join(["st = :v"] * 400), TEXT), says="Expression size"),
    # types of operands
    Case("number against string", D, when("n < :v", TEXT), FAILED),
    Case("number equals string", D, when("n = :v", {":v": {"S": "1"}}), FAILED),
    Case("number with another scale", D, when("n = :v", {":v": {"N": "1.0"}}), OK),
    Case("order of booleans", D, when("n < :v", FLAG), says="operand type: BOOL"),
    Case("begins_with a number", D, when("begins_with(st, :v)", ONE), says="operand type: N"),
    Case("begins_with on a number", D, when("begins_with(n, :v)", TEXT), FAILED),
    Case("BETWEEN upside down", D, when("n BETWEEN :v AND :w", {**ONE, ":w": {"N": "0"}}), says="upper bound"),
    Case("BETWEEN two types", D, when("n BETWEEN :v AND :w", {**ONE, ":w": {"S": "z"}}), says="same data type"),
    Case("attribute_type of nothing", D, when("attribute_type(n, :v)", TEXT), says="Invalid attribute type"),
    Case("size of a number", D, when("size(n) > :v", ONE), FAILED),
    Case("ADD a string", U, update("ADD n :v", TEXT), says="typeSet: ALLOWED_FOR_ADD_OPERAND"),
    Case("DELETE a number", U, update("DELETE tags :v", ONE), says="typeSet: ALLOWED_FOR_ADD_OPERAND"),
    Case("plus a string", U, update("SET n = n + :v", TEXT), says="operand type: S"),
    Case("list_append of a number", U, update("SET l = list_append(l, :v)", ONE), says="operand type: N"),
    # truth
    Case("missing equals", D, when("nope = :v", TEXT), FAILED),
    Case("missing differs", D, when("nope <> :v", TEXT), OK),
    Case("not of missing", D, when("NOT nope = :v", TEXT), OK),
    Case("missing is less", D, when("nope < :v", ONE), FAILED),
    Case("size of what is missing", D, when("size(nope) > :v", ONE), FAILED),
    Case(
        "projection of an element behind an alias",
        "get_item",
        lambda at: {
            "TableName": at.table,
            "Key": at.key(),
            "ProjectionExpression": "#l[0]",
            "ExpressionAttributeNames": {"#l": "l"},
        },
        OK,
    ),
    Case("IN", D, when("st IN (:v, :w)", {**TEXT, ":w": {"S": "CONFIRMED"}}), OK),
    Case("NOT before AND", D, when("NOT st = :v AND n = :w", {**TEXT, ":w": {"N": "1"}}), OK),
    Case("AND before OR", D, when("n = :w OR n = :v AND n = :v", {":w": {"N": "1"}, ":v": {"N": "2"}}), OK),
    Case("contains in a list", D, when("contains(l, :v)", {":v": {"N": "2.0"}}), OK),
    Case("contains in a set", D, when("contains(tags, :v)", {":v": {"S": "b"}}), OK),
    Case("contains in a text", D, when("contains(st, :v)", {":v": {"S": "FIRM"}}), OK),
    Case("contains a number in a text", D, when("contains(st, :v)", ONE), FAILED),
    Case("size of a map", D, when("size(iv) = :v", ONE), OK),
    Case("size of a text in UTF-16", D, when("size(st) = :v", {":v": {"N": "9"}}), OK),
    Case("attribute_type", D, when("attribute_type(iv, :v)", {":v": {"S": "M"}}), OK),
    Case("list element", D, when("l[1] = :v", {":v": {"N": "2"}}), OK),
    Case("element that is not there", D, when("attribute_exists(l[2])"), FAILED),
    Case("map against map", D, when("bag = :v", {":v": {"M": {}}}), OK),
    Case("set against set", D, when("tags = :v", {":v": {"SS": ["b", "a"]}}), OK),
    # updates
    Case("SET below a missing map", U, update("SET done.i = :v", ONE), says="document path provided"),
    Case("SET below a text", U, update("SET st.i = :v", ONE), says="document path provided"),
    Case("SET in an empty map", U, update("SET bag.i = :v", ONE), OK),
    Case("REMOVE below a missing map", U, update("REMOVE done.i"), says="document path provided"),
    Case("REMOVE from a missing list", U, update("REMOVE nope[0]"), says="document path provided"),
    Case("REMOVE a missing leaf", U, update("REMOVE iv.nope, nope, l[9]"), OK),
    Case("overlap", U, update("SET iv.seg = :v, iv.seg.st = :v", ONE), says="overlap with each other"),
    Case("overlap of clauses", U, update("SET iv.seg.st = :v REMOVE iv.seg", TEXT), says="overlap"),
    Case("overlap behind aliases", U, update("SET #a = :v REMOVE b", ONE, {"#a": "b"}), says="overlap"),
    Case("map and list at once", U, update("SET l[0] = :v, l.a = :v", ONE), says="conflict with each other"),
    Case("key attribute", U, update("SET sk = :v", TEXT), says="Cannot update attribute sk"),
    Case("sum with a missing attribute", U, update("SET n = nope + :v", ONE), says="does not exist in the item"),
    Case("copy of a missing attribute", U, update("SET a = nope"), says="does not exist in the item"),
    Case("sum with a text", U, update("SET n = st + :v", ONE), says="incorrect data type"),
    Case("ADD to a text", U, update("ADD st :v", ONE), says="incorrect data type"),
    Case("if_not_exists", U, update("SET a = if_not_exists(a, :v) + :v", ONE), OK),
    Case("list_append", U, update("SET l = list_append(l, :v)", {":v": {"L": [{"N": "3"}]}}), OK),
    Case("beyond the end of a list", U, update("SET l[7] = :v", ONE), OK),
    Case("removing two elements", U, update("REMOVE l[0], l[1]"), OK),
    Case("operands are read before", U, update("SET n = :v, m = n", {":v": {"N": "5"}}), OK),
    Case("DELETE empties a set", U, update("DELETE tags :v", {":v": {"SS": ["a", "b"]}}), OK),
    Case("ADD to a set", U, update("ADD tags :v", {":v": {"SS": ["b", "c"]}}), OK),
    Case("ADD a missing number", U, update("ADD iv.seg.k :v", ONE), OK),
    Case(
        "interval H to P",
        U,
        update(
            "SET #iv.#seg.#st = :p, #v = if_not_exists(#v, :one) + :one REMOVE #iv.#seg.#x",
            {":p": {"S": "P"}, ":one": {"N": "1"}, ":op": {"S": "o1"}, ":h": {"S": "H"}, ":now": {"N": "99"}},
            {"#iv": "iv", "#seg": "seg", "#st": "st", "#v": "v", "#x": "x", "#op": "op"},
            ConditionExpression="#iv.#seg.#op = :op AND #iv.#seg.#st = :h AND #iv.#seg.#x > :now",
        ),
        OK,
    ),
    # values, keys and sizes
    Case("empty key", P, lambda at: {"TableName": at.table, "Item": at.item("")}, says="empty string value"),
    Case("empty text elsewhere", P, put(a={"S": ""}), OK),
    Case("key of another type", P, lambda at: {"TableName": at.table, "Item": {**at.key(), "sk": {"N": "1"}}}),
    Case("item without its key", P, lambda at: {"TableName": at.table, "Item": {"pk": {"S": "x"}}}),
    Case("key with more", "get_item", lambda at: {"TableName": at.table, "Key": at.item(n={"N": "1"})}),
    Case("key with less", "get_item", lambda at: {"TableName": at.table, "Key": {"pk": {"S": "x"}}}),
    Case(
        "no such table",
        "get_item",
        lambda at: {"TableName": "nope", "Key": at.key()},
        "ResourceNotFoundException",
    ),
    Case("empty set", P, put(a={"SS": []}), says="may not be empty"),
    Case("set with a repeat", P, put(a={"SS": ["x", "x"]}), says="contains duplicates"),
    Case("set with a repeated number", P, put(a={"NS": ["1", "1.0"]}), says="contains duplicates"),
    Case("39 digits", P, put(a={"N": "1" * 39}), says="38 significant digits"),
    Case("not a number", P, put(a={"N": "one"}), says="cannot be converted"),
    Case("too large a number", P, put(a={"N": "1E126"}), says="Number overflow"),
    Case("two types in one value", P, put(a={"N": "1", "S": "1"}), says="more than one datatypes"),
    Case("33 levels", P, put(a=nested(32)), says="Nesting Levels"),
    Case("32 levels", P, put(a=nested(31)), OK),
    Case("more than 400 KB", P, put(a={"S": "x" * 409_600}), says="Item size has exceeded"),
    Case("just below 400 KB", P, put(a={"S": "x" * 409_500}), OK),
    Case(
        "more than 400 KB by update",
        U,
        update("SET a = :v", {":v": {"S": "x" * 409_600}}),
        says="size to update",
    ),
    Case(
        "index key of another type",
        P,
        put(due_shard={"S": "0"}, due={"S": "1"}),
        says="Type mismatch for Index",
    ),
    Case("empty index key", P, put(due_shard={"S": ""}, due={"N": "1"}), says="secondary index key"),
    Case("half an index key", P, put(due_shard={"S": "0"}), OK),
    Case("ReturnValues of a put", P, lambda at: {**put()(at), "ReturnValues": "UPDATED_NEW"}),
    # queries
    Case("query without the partition", Q, query("sk = :v", TEXT), says="missed key schema element: pk"),
    Case("query by a range of partitions", Q, query("pk > :v", TEXT), says="not supported"),
    Case("query with OR", Q, query("pk = :p OR sk = :v", {":p": "T", **TEXT}), says="Invalid operator"),
    Case(
        "query by another attribute",
        Q,
        query("pk = :p AND n = :v", {":p": "T", **ONE}),
        says="missed key schema",
    ),
    Case(
        "query by another type",
        Q,
        query("pk = :p AND sk = :v", {":p": "T", **ONE}),
        says="does not match schema",
    ),
    Case("query by an empty key", Q, query("pk = :v", {":v": {"S": ""}}), says="empty string value"),
    Case(
        "filter by a key",
        Q,
        query("pk = :p", {":p": "T", **TEXT}, FilterExpression="sk = :v"),
        says="non-primary key attributes",
    ),
    Case("index that is not there", Q, query("pk = :p", {":p": "T"}, IndexName="nope"), says="specified index"),
    Case(
        "consistent read of an index",
        Q,
        query("due_shard = :v", TEXT, IndexName="due-index", ConsistentRead=True),
        says="Consistent reads are not supported",
    ),
    Case(
        "query with begins_with",
        Q,
        query("pk = :p AND begins_with(sk, :v)", {":p": "T", ":v": {"S": "A"}}),
        OK,
    ),
    # transactions
    Case(
        "same item twice",
        T,
        transact(transact_put("B"), transact_put("B")),
        says="multiple operations on one item",
    ),
    Case("100 items", T, transact(*(transact_put(f"B{i}") for i in range(100))), OK),
    Case(
        "101 items",
        T,
        transact(*(transact_put(f"B{i}") for i in range(101))),
        says="less than or equal to 100",
    ),
    Case(
        "more than 4 MB",
        T,
        transact(*(transact_put(f"B{i}", a={"S": "x" * 400_000}) for i in range(11))),
        says="4MB",
    ),
    Case("token of 36", T, transact(transact_put("B"), ClientRequestToken="t" * 36), OK),
    Case(
        "token of 37",
        T,
        transact(transact_put("B"), ClientRequestToken="t" * 37),
        says="less than or equal to 36",
    ),
    Case("unused value in an action", T, transact(transact_update("SET a = :v", {**ONE, ":w": {"N": "1"}}))),
    Case(
        "key of another type in a transaction",
        T,
        transact(transact_put("B"), lambda at: {"Put": {"TableName": at.table, "Item": at.key() | {"sk": {"N": "1"}}}}),
        CANCELLED,
        reasons=["None", "ValidationError"],
    ),
    Case(
        "action that does not fit the item",
        T,
        transact(transact_put("B"), transact_update("SET done.i = :v", ONE)),
        CANCELLED,
        reasons=["None", "ValidationError"],
    ),
    Case(
        "failed condition before an update that does not fit",
        T,
        transact(transact_update("SET done.i = :v", ONE, ConditionExpression="n > :v")),
        CANCELLED,
        reasons=["ConditionalCheckFailed"],
    ),
    Case(
        "every loser is named",
        T,
        transact(
            lambda at: {"ConditionCheck": when("attribute_exists(pk)")(At(at.table, at.tenant + "-none"))},
            transact_put("B"),
            transact_update("SET n = :v", ONE, ConditionExpression="n <> :v"),
        ),
        CANCELLED,
        reasons=["ConditionalCheckFailed", "None", "ConditionalCheckFailed"],
    ),
    Case(
        "two actions in one entry",
        T,
        lambda at: {"TransactItems": [{**transact_put("B")(at), **transact_update("SET a = :v", ONE)(at)}]},
    ),
]

# What an engine answers instead, and to which cases. Read it before trusting a green test on that engine alone.
DIFFERENCES: dict[str, dict[str, list[str]]] = {
    "moto": {
        OK: [
            "empty names",
            "empty expression",
            "two operators",
            "itself",
            "SET below a text",  # and the text is gone
            "map and list at once",
            "set with a repeat",
            "set with a repeated number",
            "39 digits",
            "too large a number",
            "two types in one value",
            "33 levels",
            "index key of another type",
            "query by another type",
            "filter by a key",
            "unused value in an action",
        ],
        FAILED: [
            "longer than 4 KB",
            "order of booleans",
            "begins_with a number",
            "BETWEEN upside down",
            "attribute_type of nothing",
        ],
        # Python's own errors come out of the client: the handler runs in process.
        "TypeError": ["number against string", "BETWEEN two types"],
        "KeyError": ["undefined name"],
        "ValueError": [
            "update function in a condition",
            "too few operands",
            "attribute_exists of a value",
            "size of a number",
            "size of what is missing",
            "two actions in one entry",
        ],
        "AssertionError": ["query with OR"],
        "ResourceNotFoundException": ["index that is not there"],
        REFUSED: [
            "projection of an element behind an alias",
            "key of another type in a transaction",
            "just below 400 KB",  # it measures the JSON
            "action that does not fit the item",  # refuses the request instead of cancelling it
        ],
    },
    "ministack": {
        OK: [
            "clause twice",  # the first one is lost
            "two operators",
            "itself",
            "plus a string",  # and nothing is added
            "list_append of a number",
            "sum with a text",
            "REMOVE below a missing map",
            "REMOVE from a missing list",
            "overlap of clauses",
            "overlap behind aliases",
            "query with OR",
            "filter by a key",
            "two actions in one entry",  # the second one is lost
        ],
        FAILED: ["order of booleans", "BETWEEN two types", "attribute_type of nothing"],
        REFUSED: ["begins_with on a number"],
    },
    # The documentation lists the reason ValidationError for this; Amazon's own jar refuses the whole request.
    "dynamodb-local": {REFUSED: ["action that does not fit the item"]},
}


def expected_of(engine: str, case: Case) -> str:
    for answer, names in DIFFERENCES.get(engine, {}).items():
        if case.name in names:
            return answer
    return case.expected


@pytest.fixture
def at(store: Store, tenant: str) -> At:
    place = At(store.table, tenant)
    store.client.put_item(TableName=store.table, Item=place.item(**BASE))
    return place


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_answer(case: Case, store: Store, at: At) -> None:
    found = outcome(getattr(store.client, case.operation), case.parameters(at))
    answered = found.get("error", OK)
    assert answered == expected_of(store.engine, case)
    if case.reasons and answered == case.expected:
        assert found["reasons"] == case.reasons


@pytest.mark.parametrize("case", [case for case in CASES if case.says], ids=lambda case: case.name)
def test_memory_says_why(case: Case, memory: Store, tenant: str) -> None:
    place = At(memory.table, tenant)
    memory.client.put_item(TableName=memory.table, Item=place.item(**BASE))
    with pytest.raises(memory.client.exceptions.ClientError) as caught:
        getattr(memory.client, case.operation)(**case.parameters(place))
    assert case.says in caught.value.response["Error"]["Message"]


OF_ONE_FORM = {
    "BETWEEN upside down": ("n BETWEEN :v AND :w", {**ONE, ":w": {"N": "2"}}),
    "BETWEEN two types": ("n BETWEEN :v AND :w", {**ONE, ":w": {"N": "2"}}),
    "attribute_type of nothing": ("attribute_type(n, :v)", {":v": {"S": "N"}}),
    "order of booleans": ("n < :v", TEXT),
}
"""Each beside a sound request of the same words, or of the same words and types."""


@pytest.mark.parametrize("name", OF_ONE_FORM)
def test_what_memory_has_found_sound_once_is_looked_at_again_with_other_values(
    name: str, memory: Store, tenant: str
) -> None:
    """It keeps the trees of expressions; what its checks say of contents it must not keep."""
    (case,) = [each for each in CASES if each.name == name]
    place = At(memory.table, tenant)
    memory.client.put_item(TableName=memory.table, Item=place.item(**BASE))
    text, values = OF_ONE_FORM[name]
    sound = outcome(memory.client.delete_item, when(text, values)(place)).get("error", OK)
    assert sound in (OK, FAILED)
    memory.client.put_item(TableName=memory.table, Item=place.item(**BASE))
    assert outcome(getattr(memory.client, case.operation), case.parameters(place)).get("error", OK) == case.expected


def test_every_difference_names_a_case() -> None:
    names = {case.name for case in CASES}
    assert len(names) == len(CASES)
    listed = [name for answers in DIFFERENCES.values() for group in answers.values() for name in group]
    assert set(listed) <= names


def test_removed_elements_are_counted_before_the_update(store: Store, at: At) -> None:
    store.client.update_item(**update("REMOVE l[0], l[1]")(at))
    left = store.client.get_item(TableName=store.table, Key=at.key())["Item"]["l"]["L"]
    # ministack removes one after the other, so that the second index means another element.
    assert left == ([{"N": "2"}] if store.engine == "ministack" else [])


def pages(store: Store, limit: int, **query_parameters: Any) -> list[list[str]]:
    """Sort keys, page by page, without the empty page that may come last."""
    found: list[list[str]] = []
    cursor: Parameters = {}
    while True:
        answer = store.client.query(TableName=store.table, Limit=limit, **query_parameters, **cursor)
        found.append([item["sk"]["S"] for item in answer["Items"]])
        if "LastEvaluatedKey" not in answer:
            return [page for page in found if page]
        cursor = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


class TestQueries:
    @pytest.fixture
    def filled(self, store: Store, tenant: str) -> Store:
        """Five items; four of them are due, in another order than their keys."""
        for sk, due in (("A", 30), ("B", 9), ("C", None), ("D", 100), ("E", 20)):
            index = {} if due is None else {"due_shard": {"S": tenant}, "due": {"N": str(due)}}
            item = {"pk": {"S": f"T#{tenant}"}, "sk": {"S": sk}, "n": {"N": str(ord(sk))}, **index}
            store.client.put_item(TableName=store.table, Item=item)
        return store

    def test_pages_of_a_partition(self, filled: Store, tenant: str) -> None:
        partition = {
            "KeyConditionExpression": "pk = :p",
            "ExpressionAttributeValues": {":p": {"S": f"T#{tenant}"}},
        }
        assert pages(filled, 2, **partition) == [["A", "B"], ["C", "D"], ["E"]]
        assert pages(filled, 2, **partition, ScanIndexForward=False) == [["E", "D"], ["C", "B"], ["A"]]

    def test_a_filter_runs_after_the_page_was_cut(self, filled: Store, tenant: str) -> None:
        answer = filled.client.query(
            TableName=filled.table,
            KeyConditionExpression="pk = :p",
            FilterExpression="n > :n",
            ExpressionAttributeValues={":p": {"S": f"T#{tenant}"}, ":n": {"N": str(ord("B"))}},
            Limit=3,
        )
        assert [item["sk"]["S"] for item in answer["Items"]] == ["C"]
        assert (answer["Count"], answer["ScannedCount"]) == (1, 3)

    def test_a_sparse_index_in_numeric_order(self, filled: Store, tenant: str) -> None:
        index = {
            "IndexName": "due-index",
            "KeyConditionExpression": "due_shard = :s AND due < :d",
            "ExpressionAttributeValues": {":s": {"S": tenant}, ":d": {"N": "100"}},
        }
        assert pages(filled, 2, **index) == [["B", "E"], ["A"]]
        assert pages(filled, 2, **index, ScanIndexForward=False) == [["A", "E"], ["B"]]

    def test_an_item_leaves_the_index_with_its_attribute(self, filled: Store, tenant: str) -> None:
        filled.client.update_item(
            TableName=filled.table,
            Key={"pk": {"S": f"T#{tenant}"}, "sk": {"S": "B"}},
            UpdateExpression="REMOVE due",
        )
        index = {
            "IndexName": "due-index",
            "KeyConditionExpression": "due_shard = :s",
            "ExpressionAttributeValues": {":s": {"S": tenant}},
        }
        assert pages(filled, 10, **index) == [["E", "A", "D"]]


class TestTokens:
    """ClientRequestToken: a repeat is a success without effect, another request with it is refused."""

    def test_a_repeat_is_applied_once(self, store: Store, at: At) -> None:
        request = transact(transact_update("ADD n :v", ONE), ClientRequestToken=f"{at.tenant}-repeat")(at)
        for _ in range(3):
            store.client.transact_write_items(**request)
        found = store.client.get_item(TableName=store.table, Key=at.key(), ConsistentRead=True)["Item"]
        assert found["n"] == {"N": "2"}

    def test_another_request_is_refused(self, store: Store, at: At) -> None:
        token = f"{at.tenant}-other"
        store.client.transact_write_items(**transact(transact_put("B"), ClientRequestToken=token)(at))
        found = outcome(store.client.transact_write_items, transact(transact_put("C"), ClientRequestToken=token)(at))
        assert found["error"] == "IdempotentParameterMismatchException"

    def test_a_cancelled_transaction_leaves_its_token_free(self, store: Store, at: At) -> None:
        request = transact(
            transact_update("SET n = :v", {":v": {"N": "5"}, ":old": {"N": "2"}}, ConditionExpression="n = :old"),
            ClientRequestToken=f"{at.tenant}-again",
        )(at)
        assert outcome(store.client.transact_write_items, request)["error"] == CANCELLED
        store.client.update_item(**update("SET n = :v", {":v": {"N": "2"}})(at))
        assert "ok" in outcome(store.client.transact_write_items, request)

    def test_ten_minutes_later_it_is_a_new_request(self) -> None:
        now = [0.0]
        client = MemoryDynamoDB(clock=lambda: now[0])
        client.create_table(TableName="t", **table_properties())
        request = transact(transact_update("ADD n :v", ONE), ClientRequestToken="token")(At("t", "x"))
        for now[0] in (0.0, 599.0, 600.0):
            client.transact_write_items(**request)
        assert client.get_item(TableName="t", Key=At("t", "x").key())["Item"]["n"] == {"N": "2"}
