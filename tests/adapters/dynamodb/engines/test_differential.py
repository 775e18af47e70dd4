"""The same seeded operations on every engine: equal answers, equal errors, equal tables.

The operations are the transactions that the adapter is made of (HOLD, START, PROGRESS, CONFIRM, RELEASE, MOVE,
ADOPT), the reads it uses, and random conditions and updates on small values. Each kind must succeed and fail.
Compared are answers, error codes, the reason of every item in a cancelled transaction, the old items that come
with it, and in the end the whole tables. Messages are not compared.

Where the engines are known to part, the generator does not go, since one difference would hide the next. The
refusals among them are cases in ``test_strictness.py``. What is left out here, and why:

* comparing a number with a string (moto: a TypeError of Python);
* inside a transaction, an update that does not fit the item (moto and DynamoDB Local refuse the request, AWS and the
  others cancel it with the reason ValidationError); outside it is in, as is SET below a missing map;
* REMOVE below a missing map or list (ministack: fine; AWS, moto, memory: refused), and overlapping paths behind
  aliases under a failing condition (ministack: a failed condition);
* REMOVE of two elements of one list (ministack: the second index counts after the first removal);
* ``size`` of a missing attribute (moto: a ValueError) and a projection of ``#list[0]`` behind an alias (moto: refused);
* where a page ends: AWS, memory and ministack give a cursor when a page ends exactly at the limit, moto only when
  more follows. So pages are read to the end and their items are compared;
* ReturnValues UPDATED_NEW and UPDATED_OLD if moto is there (it adds the key of a new item);
* the order of index entries with equal keys, which DynamoDB leaves open.

More seeds: ``DIFFERENTIAL_SEEDS=500``; one of them again: ``DIFFERENTIAL_FIRST=17 DIFFERENTIAL_SEEDS=1``.
"""

import os
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.tables.engines import Store
from tests.support.tables.expressions import placeholders
from tests.support.tables.outcomes import Outcome, outcome, plain

SEEDS = int(os.environ.get("DIFFERENTIAL_SEEDS", "10"))
FIRST = int(os.environ.get("DIFFERENTIAL_FIRST", "1"))
STEPS = 120

Parameters = dict[str, Any]
Call = tuple[str, str, Parameters]
"""A name for the statistics, the client's method, its parameters."""

NAMES = {
    "#pk": "pk",
    "#iv": "iv",
    "#st": "st",
    "#op": "op",
    "#x": "x",
    "#v": "v",
    "#a": "a",
    "#sup": "superseded_by",
    "#ver": "ver",
    "#done": "done",
    "#lease": "lease",
    "#due": "due",
    "#shard": "due_shard",
    "#upd": "updated",
    "#uids": "uids",
}


def aliased(text: str, **values: Any) -> Parameters:
    """The aliases that `text` uses, and the values. ``_seg="a/0"`` is the alias ``#seg`` of this one request."""
    used = placeholders(text)
    names = {alias: name for alias, name in NAMES.items() if alias in used}
    names |= {f"#{key[1:]}": value for key, value in values.items() if key.startswith("_")}
    typed = {f":{key}": _typed(value) for key, value in values.items() if not key.startswith("_")}
    result: Parameters = {"ExpressionAttributeNames": names} if names else {}
    return result | ({"ExpressionAttributeValues": typed} if typed else {})


def _typed(value: Any) -> Parameters:
    match value:
        case dict():
            return {"M": {name: _typed(child) for name, child in value.items()}}
        case list():
            return {"L": [_typed(child) for child in value]}
        case set():
            return {"SS": sorted(value)}
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case _:
            return {"S": value}


class Generator:
    """Draws operations. It looks at the memory engine so that conditions hold often enough to get anywhere."""

    def __init__(self, seed: int, stores: dict[str, Store], tenant: str) -> None:
        memory = stores["memory"]
        self.updated = () if "moto" in stores else ("UPDATED_NEW", "UPDATED_OLD")
        self.dice = random.Random(seed)
        self.memory = memory
        self.table = memory.table
        self.tenant = tenant
        self.committed: list[Parameters] = []
        self.customer: dict[str, str] = {}
        self.tokens = 0

    # ---------------------------------------------------------------- drawing

    def pick(self, *choices: Any) -> Any:
        return self.dice.choice(choices)

    def key(self, *parts: str, sk: str = "G") -> Parameters:
        return {"pk": {"S": "#".join(("T", self.tenant, *parts))}, "sk": {"S": sk}}

    def day(self) -> Parameters:
        return self.key("STAFF", self.pick("s1", "s2"), sk=self.pick("DAY#2027-01-11", "DAY#2027-01-12"))

    def appointment(self) -> tuple[str, Parameters]:
        name = self.pick("a1", "a2", "a3")
        return name, self.key("APPT", name, sk="A")

    def stored(self, key: Parameters) -> Parameters | None:
        found: Parameters | None = self.memory.client.get_item(TableName=self.table, Key=key).get("Item")
        return found

    def now_of(self, key: Parameters, attribute: str, *others: Any) -> Any:
        """Mostly the value that the item has now, sometimes another one."""
        item = self.stored(key) or {}
        if attribute in item and self.dice.random() < 0.75:
            ((kind, content),) = item[attribute].items()
            return int(content) if kind == "N" else content
        return self.pick(*others)

    def interval(self, *states: str) -> tuple[Parameters, str, str, str, Parameters]:
        """Staff day, segment, its op, its appointment and that one's key; mostly one that is stored so."""
        days = [self.key("STAFF", staff, sk=f"DAY#2027-01-{day}") for staff in ("s1", "s2") for day in (11, 12)]
        found = [
            (day, segment, interval["M"]["op"]["S"])
            for day in days
            for segment, interval in sorted((self.stored(day) or {}).get("iv", {"M": {}})["M"].items())
            if interval["M"]["st"]["S"] in states
        ]
        if found and self.dice.random() < 0.85:
            day, segment, op = self.pick(*found)
        else:
            day, segment, op = self.day(), self.pick("a1/0", "a2/0", "a3/0"), self.pick("o1", "o2")
        name = segment.split("/")[0]
        return day, segment, op, name, self.key("APPT", name, sk="A")

    def guard(self, name: str) -> Parameters:
        """The customer guard of an appointment, mostly the right one."""
        right = self.customer.get(name, "c1")
        return self.key("CUST", right if self.dice.random() < 0.85 else self.pick("c1", "c2", "c3"))

    # ---------------------------------------------------------------- actions of a transaction

    def put(self, key: Parameters, condition: str | None, using: Parameters, **attributes: Any) -> Parameters:
        item = key | {name: _typed(value) for name, value in attributes.items()}
        body: Parameters = {"TableName": self.table, "Item": item}
        if condition is not None:
            body |= {"ConditionExpression": condition, **using}
        return self.asking({"Put": body})

    def update(self, key: Parameters, text: str, condition: str, **values: Any) -> Parameters:
        body = {"TableName": self.table, "Key": key, "UpdateExpression": text, "ConditionExpression": condition}
        return self.asking({"Update": body | aliased(f"{text} {condition}", **values)})

    def remove(self, key: Parameters, condition: str, **values: Any) -> Parameters:
        body = {"TableName": self.table, "Key": key, "ConditionExpression": condition}
        return self.asking({"Delete": body | aliased(condition, **values)})

    def asking(self, action: Parameters) -> Parameters:
        ((_, body),) = action.items()
        if "ConditionExpression" in body and self.dice.random() < 0.8:
            body["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        return action

    def transaction(self, name: str, *actions: Parameters) -> Call:
        kept: dict[str, Parameters] = {}
        for action in actions:
            ((_, body),) = action.items()
            key = body.get("Item") or body["Key"]
            kept.setdefault(f"{key['pk']} {key['sk']}", action)
        request: Parameters = {"TransactItems": list(kept.values())}
        if self.dice.random() < 0.5:
            self.tokens += 1
            request["ClientRequestToken"] = f"{self.tenant}-{self.tokens}"
        return name, "transact_write_items", request

    # ---------------------------------------------------------------- the adapter's transactions

    def hold(self) -> Call:
        day, op = self.day(), self.pick("o1", "o2")
        free = [name for name in ("a1", "a2", "a3") if self.stored(self.key("APPT", name, sk="A")) is None]
        name = self.pick(*free) if free and self.dice.random() < 0.9 else self.pick("a1", "a2", "a3")
        appointment = self.key("APPT", name, sk="A")
        self.customer[name] = self.pick("c1", "c2", "c3")
        version = self.now_of(day, "v", 1, 2)
        old = (self.stored(day) or {}).get("iv", {"M": {}})["M"]
        interval = {"start": "09:00", "end": "10:00", "st": "H", "op": op, "x": self.pick(90, 110, 110)}
        ledger = self.put(
            day,
            "attribute_not_exists(#pk) OR #v = :v",
            aliased("#pk #v", v=version),
            v=version + 1,
        )
        ledger["Put"]["Item"]["iv"] = {"M": {**old, f"{name}/0": _typed(interval)}}
        unused = "attribute_not_exists(#pk)"
        return self.transaction(
            "hold",
            ledger,
            self.put(appointment, unused, aliased(unused), st="HELD", op=op, ver=1, done={}),
            self.put(self.key("REQ", f"r{self.dice.randrange(12)}"), unused, aliased(unused), a=name),
            self.put(
                self.key("CUST", self.customer[name]),
                f"{unused} OR (#st = :h AND #x < :now)",
                aliased("#pk #st #x", h="H", now=100),
                st="H",
                x=self.pick(90, 110),
                a=name,
            ),
        )

    def start(self) -> Call:
        day, segment, op, name, appointment = self.interval("H")
        return self.transaction(
            "start",
            self.update(
                day,
                "SET #iv.#seg.#st = :p, #v = #v + :one REMOVE #iv.#seg.#x",
                "#iv.#seg.#op = :op AND #iv.#seg.#st = :h AND #iv.#seg.#x > :now",
                _seg=segment,
                p="P",
                one=1,
                op=op,
                h="H",
                now=100,
            ),
            self.update(
                appointment,
                "SET #st = :pending, #lease = :l, #due = :l, #shard = :s, #ver = #ver + :one",
                "#st = :held AND #op = :op",
                pending="PENDING",
                l=self.pick(100, 200, 300),
                s=self.pick("0", "1"),
                one=1,
                held="HELD",
                op=self.now_of(appointment, "op", "o1", "o2"),
            ),
            self.update(self.guard(name), "SET #st = :p REMOVE #x", "#a = :me", p="P", me=name),
        )

    def progress(self) -> Call:
        _, appointment = self.appointment()
        action = self.update(
            appointment,
            "SET #done.#i = :uid",
            "#op = :op AND #st = :pending",
            _i=self.pick("0", "1"),
            uid=self.pick("u1", "u2"),
            op=self.now_of(appointment, "op", "o1", "o2"),
            pending=self.now_of(appointment, "st", "PENDING"),
        )["Update"]
        return "progress", "update_item", action | {"ReturnValues": self.pick("NONE", "ALL_NEW", "ALL_OLD")}

    def confirm(self) -> Call:
        day, segment, op, name, appointment = self.interval("P")
        uid = f"u{self.dice.randrange(6)}"
        ours = "attribute_not_exists(#pk) OR #a = :me"
        return self.transaction(
            "confirm",
            self.update(
                day,
                "SET #iv.#seg.#st = :c, #v = #v + :one",
                "#iv.#seg.#op = :op AND #iv.#seg.#st = :p",
                _seg=segment,
                c="C",
                one=1,
                op=op,
                p="P",
            ),
            self.update(
                appointment,
                "SET #st = :confirmed, #uids = :u, #upd = :t, #ver = #ver + :one REMOVE #lease, #due, #shard",
                "#st = :pending AND #op = :op",
                confirmed="CONFIRMED",
                u=[uid],
                t=self.pick(1, 2, 3),
                one=1,
                pending="PENDING",
                op=self.now_of(appointment, "op", "o1", "o2"),
            ),
            self.put(self.key("CALUID", uid), ours, aliased(ours, me=name), a=name),
            self.put(self.key("CALID", uid[1:]), ours, aliased(ours, me=name), a=name),
            self.put(self.key("OUT", f"{op}{self.dice.randrange(50)}"), None, {}, text="Gebucht"),
        )

    def release(self) -> Call:
        day, segment, op, name, appointment = self.interval("H", "P")
        return self.transaction(
            "release",
            self.update(day, "REMOVE #iv.#seg SET #v = #v + :one", "#iv.#seg.#op = :op", _seg=segment, one=1, op=op),
            self.update(
                appointment,
                "SET #st = :failed REMOVE #due",
                "#st IN (:pending, :held) AND attribute_exists(#ver)",
                failed="FAILED",
                pending="PENDING",
                held="HELD",
            ),
            self.remove(self.guard(name), "#a = :me OR attribute_not_exists(#a)", me=name),
        )

    def move(self) -> Call:
        day, old, op, _, appointment = self.interval("C", "P")
        return self.transaction(
            "move",
            self.update(
                day,
                "SET #iv.#new = :seg, #v = #v + :one REMOVE #iv.#old",
                "#iv.#old.#op = :op AND size(#iv) < :many AND NOT attribute_exists(#iv.#new)",
                _new=self.pick(*sorted({"n0/0", "n1/0", "n2/0"} - {old})),
                _old=old,
                seg={"start": "11:00", "end": "12:00", "st": "C", "op": op},
                one=1,
                op=op,
                many=4,
            ),
            self.update(
                appointment,
                "SET #ver = #ver + :one, #sup = :new",
                "#ver = :ver",
                one=1,
                new="u9",
                ver=self.now_of(appointment, "ver", 1, 2),
            ),
        )

    def adopt(self) -> Call:
        """What comes from Cal.com: the newer one wins."""
        _, appointment = self.appointment()
        action = self.update(
            appointment,
            "SET #upd = :t, #ver = if_not_exists(#ver, :zero) + :one, "
            "#uids = list_append(if_not_exists(#uids, :no), :u)",
            "attribute_not_exists(#upd) OR #upd < :t",
            t=self.dice.randrange(6),
            zero=0,
            one=1,
            no=[],
            u=[self.pick("u1", "u2")],
        )["Update"]
        wanted = ["NONE", "ALL_OLD", "ALL_NEW", *self.updated]
        return "adopt", "update_item", action | {"ReturnValues": self.pick(*wanted)}

    def expire(self) -> Call:
        _, appointment = self.appointment()
        body = self.remove(
            appointment,
            "#st = :held OR #due BETWEEN :low AND :high",
            held=self.pick("HELD", "FAILED"),
            low=100,
            high=200,
        )["Delete"]
        return "expire", "delete_item", body | {"ReturnValues": self.pick("NONE", "ALL_OLD")}

    def check(self) -> Call:
        day, (_, appointment) = self.day(), self.appointment()
        action = self.put(appointment, "attribute_exists(#pk)", aliased("#pk"), st="HELD", op="o1", ver=1, done={})
        checked = self.remove(day, "#v >= :v AND attribute_type(#iv, :m)", v=self.pick(1, 2, 3), m="M")
        return self.transaction("check", action, {"ConditionCheck": checked["Delete"]})

    def again(self) -> Call:
        """A request that was sent before, with its token; sometimes the token with another request."""
        with_token = [request for request in self.committed if "ClientRequestToken" in request]
        if not with_token:
            return self.hold()
        request = self.pick(*with_token)
        if self.dice.random() < 0.4:
            request = {**request, "TransactItems": self.hold()[2]["TransactItems"]}
        return "again", "transact_write_items", request

    # ---------------------------------------------------------------- anything else

    def scribble(self) -> Call:
        """Updates of every kind on one item, with conditions of every kind."""
        key = self.key("X", self.pick("x1", "x2"))
        text = self.pick(
            "SET n = if_not_exists(n, :n) + :n",
            "SET n = if_not_exists(n, :n) - :n, m = :map",
            "SET l = list_append(if_not_exists(l, :list), :list)",
            "SET l = list_append(:list, if_not_exists(l, :list)) REMOVE m.a",
            "SET m.#k = :n",
            "SET m.#k.b = :n",
            "SET l[0] = :n",
            "SET l[9] = :n",
            "SET a = :map, b = m.a",
            "REMOVE l[0], n",
            "ADD tags :set, n :n",
            "DELETE tags :set",
            "SET m = :map ADD tags :set REMOVE l",
            "ADD n :n SET c = n",
        )
        condition = self.pick(
            None,
            None,
            "attribute_exists(n) OR attribute_exists(m)",
            "n > :limit",
            "n BETWEEN :limit AND :more OR attribute_not_exists(n)",
            "contains(tags, :word)",
            "NOT contains(tags, :word) AND NOT (attribute_exists(l) AND size(l) > :more)",
            "m.a = :limit OR (m.b <> :limit AND n IN (:limit, :more))",
            "begins_with(s, :word)",
            "m = :same",
            "l[0] < :more",
            "attribute_type(m.a, :type)",
        )
        if "REMOVE m.a" in text or "REMOVE l[0]" in text:
            condition = f"attribute_exists({text[-3:] if 'm.a' in text else 'l'})"  # see above: ministack
        both = f"{text} {condition or ''}"
        values: Parameters = {
            ":n": _typed(self.dice.randrange(1, 4)),
            ":map": _typed({"a": self.dice.randrange(3), "b": self.pick(1, "x")}),
            ":same": _typed({"a": 1, "b": 1}),
            ":list": _typed([self.dice.randrange(3)]),
            ":set": _typed(set(self.dice.sample(["p", "q", "r"], self.dice.randrange(1, 3)))),
            ":limit": _typed(1),
            ":more": _typed(self.dice.randrange(2, 6)),
            ":word": _typed(self.pick("p", "q")),
            ":type": _typed("N"),
        }
        body: Parameters = {"TableName": self.table, "Key": key, "UpdateExpression": text}
        used = {name: value for name, value in values.items() if name in placeholders(both)}
        if used:
            body["ExpressionAttributeValues"] = used
        if "#k" in both:
            body["ExpressionAttributeNames"] = {"#k": self.pick("a", "b", "k.with.dots")}
        if condition:
            body["ConditionExpression"] = condition
            body["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        return "scribble", "update_item", body | {"ReturnValues": self.pick("NONE", "ALL_NEW", "ALL_OLD")}

    def read(self) -> Call:
        _, appointment = self.appointment()
        fields = self.pick(None, "#iv, #st", "#done.#zero, #op", "#uids, #ver")
        request: Parameters = {"TableName": self.table, "Key": self.pick(appointment, self.day())}
        if fields is not None:
            request |= {"ProjectionExpression": fields}
            request |= aliased(fields, **({"_zero": "0"} if "#zero" in fields else {}))
        return "read", "get_item", request | {"ConsistentRead": True}

    def read_many(self) -> Call:
        keys = [self.key("APPT", name, sk="A") for name in ("a1", "a2", "a3")]
        if self.dice.random() < 0.5:
            return "read many", "batch_get_item", {"RequestItems": {self.table: {"Keys": keys}}}
        gets = [{"Get": {"TableName": self.table, "Key": key}} for key in keys]
        return "read together", "transact_get_items", {"TransactItems": gets}

    def ask(self) -> Call:
        request: Parameters = {
            "TableName": self.table,
            "Limit": self.pick(1, 2, 100),
            "ScanIndexForward": self.pick(True, False),
        }
        if self.dice.random() < 0.5:
            low, high = sorted(self.dice.sample([50, 100, 150, 200, 250, 300, 350], 2))
            condition = self.pick("#shard = :s AND #due < :h", "#shard = :s AND #due BETWEEN :l AND :h")
            values = {"s": self.pick("0", "1"), "h": high} | ({"l": low} if ":l" in condition else {})
            request |= {"IndexName": "due-index", "KeyConditionExpression": condition}
            return "ask the index", "query", request | aliased(condition, **values)
        request["KeyConditionExpression"] = "pk = :p AND begins_with(sk, :d)"
        request["ExpressionAttributeValues"] = {":p": self.day()["pk"], ":d": _typed("DAY#")}
        if self.dice.random() < 0.5:
            request["FilterExpression"] = "v > :v"
            request["ExpressionAttributeValues"][":v"] = _typed(2)
        return "ask", "query", request

    def draw(self) -> Call:
        weighted: list[Callable[[], Call]] = [
            *(self.hold, self.start, self.confirm, self.scribble) * 4,
            *(self.progress, self.move, self.adopt, self.expire, self.again) * 2,
            *(self.release, self.check, self.read, self.read_many, self.ask),
        ]
        call: Callable[[], Call] = self.pick(*weighted)
        return call()


def perform(store: Store, operation: str, parameters: Parameters, tenant: str) -> Outcome:
    """One operation; queries are read to the last page and belong to this test's tenant alone."""
    if operation != "query":
        found = outcome(getattr(store.client, operation), parameters)
        if operation == "batch_get_item" and "ok" in found:
            for batch in found["ok"]["Responses"].values():
                batch.sort(key=repr)
        return found
    items: list[Any] = []
    page: Parameters = {}
    while True:
        found = outcome(store.client.query, {**parameters, **page})
        if "ok" not in found:
            return found
        items += [item for item in found["ok"]["Items"] if item["pk"]["S"].startswith(f"T#{tenant}#")]
        if "LastEvaluatedKey" not in found["ok"]:
            break
        page = {"ExclusiveStartKey": found["ok"]["LastEvaluatedKey"]}
    if parameters.get("IndexName"):
        order = [item["due"] for item in items]
        return {"order": order, "items": sorted(items, key=repr)}
    return {"items": items}


def contents(store: Store, tenant: str) -> list[Any]:
    items: list[Any] = []
    page: Parameters = {}
    while True:
        answer = store.client.scan(TableName=store.table, **page)
        items += [item for item in answer["Items"] if item["pk"]["S"].startswith(f"T#{tenant}#")]
        if "LastEvaluatedKey" not in answer:
            return sorted((plain(item) for item in items), key=repr)
        page = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}


def kind_of(found: Outcome) -> str:
    return str(found.get("error", "ok"))


def test_every_engine_says_the_same(stores: dict[str, Store], capsys: pytest.CaptureFixture[str]) -> None:
    if "memory" not in stores or len(stores) < 2:
        pytest.skip(f"needs memory and another engine to compare it with, has {', '.join(stores)}")
    counts: Counter[tuple[str, str]] = Counter()
    for seed in range(FIRST, FIRST + SEEDS):
        tenant = f"d{seed}"
        generator = Generator(seed, stores, tenant)
        for step in range(STEPS):
            name, operation, parameters = generator.draw()
            answers = {engine: perform(store, operation, parameters, tenant) for engine, store in stores.items()}
            for engine, answer in answers.items():
                assert answer == answers["memory"], (
                    f"seed {seed}, step {step}: {engine} differs from memory in {name}\n{parameters}\n"
                    f"{engine}: {answer}\nmemory: {answers['memory']}"
                )
            if operation == "transact_write_items" and "ok" in answers["memory"]:
                generator.committed.append(parameters)
            counts[name, kind_of(answers["memory"])] += 1
        tables = {engine: contents(store, tenant) for engine, store in stores.items()}
        for engine, items in tables.items():
            assert items == tables["memory"], f"seed {seed}: the table of {engine} differs"
        for store in stores.values():
            for item in contents(store, tenant):  # moto slows down with every item in the table
                store.client.delete_item(TableName=store.table, Key={"pk": item["pk"], "sk": item["sk"]})
    with capsys.disabled():
        print(f"\n{sum(counts.values())} operations on each of {', '.join(stores)}:")
        for name in sorted({name for name, _ in counts}):
            kinds = {kind: n for (other, kind), n in sorted(counts.items()) if other == name}
            print(f"  {name:14}", ", ".join(f"{kind} {n}" for kind, n in kinds.items()))
    # A comparison in which nothing ever succeeds, or nothing fails, has compared little.
    for name in ("hold", "start", "progress", "confirm", "release", "move", "adopt", "expire", "check", "again"):
        seen = {kind for other, kind in counts if other == name}
        assert "ok" in seen, f"{name} never succeeded"
        assert len(seen) > 1, f"{name} never failed"
