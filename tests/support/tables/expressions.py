"""DynamoDB's expression language, as strict as AWS: parse, check, evaluate.

Three steps, because AWS answers differently in each:

* ``parse_*`` reads the text alone and is cached; a fault is an `InvalidExpression`.
* ``check_*`` looks at aliases, types of values and overlapping paths; also an `InvalidExpression`. Both
  become a ValidationException of the whole request, whatever the table holds.
* ``holds`` and ``applied`` look at an item. What does not fit the item is `NotApplicable`: a
  ValidationException for a single write, but a cancellation reason ``ValidationError`` in a transaction.

Grammar: developer guide, "Condition and filter expressions, operators, and functions", "Update expressions".
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations

from tests.support.tables.reserved import RESERVED_WORDS
from tests.support.tables.values import (
    AttributeValue,
    InvalidValue,
    Item,
    add,
    comparable,
    copied,
    copied_item,
    equal,
    in_order,
    kind_of,
    length,
    type_names,
)

MAX_EXPRESSION_BYTES = 4096


class InvalidExpression(Exception):
    """The expression is wrong in itself; the caller adds which parameter the text came from."""


class NotApplicable(Exception):
    """A correct update that this very item cannot take."""


# --------------------------------------------------------------------------------------------- the tree


@dataclass(frozen=True, slots=True)
class Path:
    """A document path; a part that starts with ``#`` is an alias, an int is a list index."""

    parts: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """A placeholder such as ``:now``."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    arguments: "tuple[Operand, ...]"


@dataclass(frozen=True, slots=True)
class Sum:
    """``left + right`` or ``left - right`` on the right-hand side of a SET."""

    operator: str
    left: "Operand"
    right: "Operand"


Operand = Path | Value | Call | Sum


@dataclass(frozen=True, slots=True)
class Compare:
    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class Between:
    operand: Operand
    low: Operand
    high: Operand


@dataclass(frozen=True, slots=True)
class In:
    operand: Operand
    choices: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Not:
    condition: "Condition"


@dataclass(frozen=True, slots=True)
class Both:
    left: "Condition"
    right: "Condition"


@dataclass(frozen=True, slots=True)
class Either:
    left: "Condition"
    right: "Condition"


Condition = Compare | Between | In | Not | Both | Either | Call


@dataclass(frozen=True, slots=True)
class Action:
    """One step of an update: SET, REMOVE, ADD or DELETE on a path. REMOVE has no operand."""

    clause: str
    path: Path
    operand: Operand | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """What the aliases and placeholders of one request stand for."""

    names: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, AttributeValue] = field(default_factory=dict)

    def resolve(self, path: Path) -> tuple[str | int, ...]:
        return tuple(self.names[p] if isinstance(p, str) and p[0] == "#" else p for p in path.parts)


# --------------------------------------------------------------------------------------------- reading

_TOKEN = re.compile(r"<>|<=|>=|[=<>(),.\[\]+\-]|[#:][A-Za-z0-9_]+|[A-Za-z][A-Za-z0-9_]*|[0-9]+|\S")
_COMPARATORS = {"=", "<>", "<", "<=", ">", ">="}
_CONDITION_FUNCTIONS = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
    "size": 1,
}
_UPDATE_FUNCTIONS = {"if_not_exists": 2, "list_append": 2}
_CLAUSES = {"SET", "REMOVE", "ADD", "DELETE"}
_END = "<EOF>"


class _Reader:
    """One token of look-ahead over one expression."""

    def __init__(self, text: str, functions: Mapping[str, int], kind: str) -> None:
        if not text.strip():
            raise InvalidExpression("The expression can not be empty;")
        if (size := len(text.encode())) > MAX_EXPRESSION_BYTES:
            raise InvalidExpression(f"Expression size has exceeded the maximum allowed size; expression size: {size}")
        self.tokens = _TOKEN.findall(text)
        self.position = 0
        self.functions = functions
        self.kind = kind

    def peek(self, ahead: int = 0) -> str:
        index = self.position + ahead
        return self.tokens[index] if index < len(self.tokens) else _END

    def next(self) -> str:
        token = self.peek()
        self.position += 1
        return token

    def fail(self) -> InvalidExpression:
        near = " ".join(self.tokens[max(0, self.position - 1) : self.position + 2])
        return InvalidExpression(f'Syntax error; token: "{self.peek()}", near: "{near}"')

    def expect(self, token: str) -> None:
        if self.peek() != token:
            raise self.fail()
        self.position += 1

    def accept(self, token: str) -> bool:
        if self.peek() != token:
            return False
        self.position += 1
        return True

    def keyword(self, word: str) -> bool:
        if self.peek().upper() != word:
            return False
        self.position += 1
        return True

    def end(self) -> None:
        if self.peek() != _END:
            raise self.fail()

    # path ::= name ("." name | "[" index "]")*
    def path(self) -> Path:
        parts: list[str | int] = [self._name()]
        while self.peek() in {".", "["}:
            if self.accept("."):
                parts.append(self._name())
                continue
            self.expect("[")
            if not self.peek().isdigit():
                raise self.fail()
            parts.append(int(self.next()))
            self.expect("]")
        return Path(tuple(parts))

    def _name(self) -> str:
        token = self.peek()
        if token.startswith("#") and len(token) > 1:
            return self.next()
        if not token[0].isalpha():
            raise self.fail()
        if token.upper() in RESERVED_WORDS:
            raise InvalidExpression(f"Attribute name is a reserved keyword; reserved keyword: {token}")
        return self.next()

    # operand ::= path | :value | function "(" operand ("," operand)* ")"
    def operand(self) -> Operand:
        token = self.peek()
        if token.startswith(":") and len(token) > 1:
            return Value(self.next())
        if token[0].isalpha() and self.peek(1) == "(":
            return self.call()
        return self.path()

    def call(self) -> Call:
        name = self.next()
        if name not in _CONDITION_FUNCTIONS and name not in _UPDATE_FUNCTIONS:
            raise InvalidExpression(f"Invalid function name; function: {name}")
        if name not in self.functions:
            raise InvalidExpression(f"The function is not allowed in {self.kind} expression; function: {name}")
        self.expect("(")
        arguments = [self.operand()]
        while self.accept(","):
            arguments.append(self.operand())
        self.expect(")")
        if len(arguments) != self.functions[name]:
            raise InvalidExpression(
                "Incorrect number of operands for operator or function; "
                f"operator or function: {name}, number of operands: {len(arguments)}"
            )
        paths_only = {"attribute_exists", "attribute_not_exists", "if_not_exists"}
        if name in paths_only and not isinstance(arguments[0], Path):
            raise InvalidExpression(f"Operator or function requires a document path; operator or function: {name}")
        return Call(name, tuple(arguments))

    # condition ::= conjunction ("OR" conjunction)*;  conjunction ::= negation ("AND" negation)*
    def condition(self) -> Condition:
        left = self._conjunction()
        while self.keyword("OR"):
            left = Either(left, self._conjunction())
        return left

    def _conjunction(self) -> Condition:
        left = self._negation()
        while self.keyword("AND"):
            left = Both(left, self._negation())
        return left

    def _negation(self) -> Condition:
        return Not(self._negation()) if self.keyword("NOT") else self._predicate()

    def _predicate(self) -> Condition:
        if self.accept("("):
            opened = self.position
            inner = self.condition()
            # AWS refuses "((a = b))" but takes "((a = b) OR (c = d))".
            if self.peek() == ")" and self._is_one_group(opened):
                raise InvalidExpression("The expression has redundant parentheses;")
            self.expect(")")
            return inner
        operand = self.operand()
        if self.peek() in _COMPARATORS:
            return Compare(self.next(), operand, self.operand())
        if self.keyword("BETWEEN"):
            low = self.operand()
            if not self.keyword("AND"):
                raise self.fail()
            return Between(operand, low, self.operand())
        if self.keyword("IN"):
            self.expect("(")
            choices = [self.operand()]
            while self.accept(","):
                choices.append(self.operand())
            self.expect(")")
            return In(operand, tuple(choices))
        if isinstance(operand, Call) and operand.function != "size":
            return operand
        raise self.fail()

    def _is_one_group(self, opened: int) -> bool:
        """Whether everything from `opened` up to here is a single bracket."""
        if self.tokens[opened] != "(":
            return False
        depth = 0
        for index in range(opened, self.position):
            depth += {"(": 1, ")": -1}.get(self.tokens[index], 0)
            if depth == 0:
                return index == self.position - 1
        return False

    # value ::= operand (("+" | "-") operand)?     one operator only, and no brackets: AWS has no more either
    def assigned(self) -> Operand:
        left = self.operand()
        if self.peek() in {"+", "-"}:
            return Sum(self.next(), left, self.operand())
        return left

    def actions(self) -> Iterator[Action]:
        seen: set[str] = set()
        while self.peek() != _END:
            clause = self.peek().upper()
            if clause not in _CLAUSES:
                raise self.fail()
            if clause in seen:
                raise InvalidExpression(f'The "{clause}" section can only be used once in an update expression;')
            seen.add(clause)
            self.next()
            yield self._action(clause)
            while self.accept(","):
                yield self._action(clause)

    def _action(self, clause: str) -> Action:
        path = self.path()
        if clause == "REMOVE":
            return Action(clause, path)
        if clause == "SET":
            self.expect("=")
            return Action(clause, path, self.assigned())
        if not self.peek().startswith(":"):
            raise self.fail()
        return Action(clause, path, Value(self.next()))


@lru_cache(maxsize=4096)
def parse_condition(text: str) -> Condition:
    """A condition, filter or key condition."""
    reader = _Reader(text, _CONDITION_FUNCTIONS, "a condition")
    condition = reader.condition()
    reader.end()
    return condition


@lru_cache(maxsize=4096)
def parse_update(text: str) -> tuple[Action, ...]:
    return tuple(_Reader(text, _UPDATE_FUNCTIONS, "an update").actions())


@lru_cache(maxsize=1024)
def parse_projection(text: str) -> tuple[Path, ...]:
    reader = _Reader(text, {}, "a projection")
    paths = [reader.path()]
    while reader.accept(","):
        paths.append(reader.path())
    reader.end()
    return tuple(paths)


@lru_cache(maxsize=4096)
def placeholders(text: str) -> frozenset[str]:
    """Every ``#name`` and ``:value`` that the text uses."""
    return frozenset(token for token in _TOKEN.findall(text) if token[0] in "#:" and len(token) > 1)


def words(text: str) -> frozenset[str]:
    """Every name, alias or not, that the text mentions outside a nested path."""
    tokens = _TOKEN.findall(text)
    return frozenset(t for before, t in zip(["", *tokens], tokens, strict=False) if before != ".")


# --------------------------------------------------------------------------------------------- checking


def check_placeholders(text: str, scope: Scope) -> None:
    """Everything used must be defined. (Everything defined must be used: that spans several expressions.)"""
    for token in sorted(placeholders(text)):
        if token.startswith("#") and token not in scope.names:
            raise InvalidExpression(
                f"An expression attribute name used in the document path is not defined; attribute name: {token}"
            )
        if token.startswith(":") and token not in scope.values:
            raise InvalidExpression(
                f"An expression attribute value used in expression is not defined; attribute value: {token}"
            )


def _wrong_type(operator: str, value: AttributeValue) -> InvalidExpression:
    return InvalidExpression(
        "Incorrect operand type for operator or function; "
        f"operator or function: {operator}, operand type: {kind_of(value)}"
    )


def _require(operator: str, operand: Operand, allowed: str, scope: Scope) -> None:
    """Types of *placeholders* are known before the item is read; AWS refuses a wrong one at once."""
    if isinstance(operand, Value) and kind_of(scope.values[operand.name]) not in allowed.split():
        raise _wrong_type(operator, scope.values[operand.name])


def _distinct(operator: str, first: Operand, others: Iterable[Operand], scope: Scope) -> None:
    for other in others:
        same_path = isinstance(first, Path) and isinstance(other, Path)
        if first == other or (same_path and scope.resolve(first) == scope.resolve(other)):  # type: ignore[arg-type]
            shown = first
            if isinstance(first, Path):
                shown = ", ".join(map(str, scope.resolve(first)))  # type: ignore[assignment]
            raise InvalidExpression(
                "The first operand must be distinct from the remaining operands for this operator or "
                f"function; operator: {operator}, first operand: [{shown}]"
            )


def check_condition(condition: Condition, scope: Scope) -> None:
    """What AWS refuses about a condition without looking at an item."""
    match condition:
        case Both(left, right) | Either(left, right):
            check_condition(left, scope)
            check_condition(right, scope)
        case Not(inner):
            check_condition(inner, scope)
        case Compare(operator, left, right):
            _distinct(operator, left, [right], scope)
            for operand in (left, right):
                _check_size(operand, scope)
                if operator not in {"=", "<>"}:
                    _require(operator, operand, "S N B", scope)
        case Between(operand, low, high):
            for bound in (operand, low, high):
                _check_size(bound, scope)
                _require("BETWEEN", bound, "S N B", scope)
            _check_bounds(low, high, scope)
        case In(operand, choices):
            _distinct("IN", operand, choices, scope)
            if len(choices) > 100:
                raise InvalidExpression(
                    f"The IN operator is provided with too many operands; number of operands: {len(choices)}"
                )
        case Call(function, arguments):
            _check_call(function, arguments, scope)


def _check_size(operand: Operand, scope: Scope) -> None:
    if isinstance(operand, Call):
        _require(operand.function, operand.arguments[0], "S B L M SS NS BS", scope)


def _check_bounds(low: Operand, high: Operand, scope: Scope) -> None:
    if not (isinstance(low, Value) and isinstance(high, Value)):
        return
    lower, upper = scope.values[low.name], scope.values[high.name]
    shown = f"lower bound operand: AttributeValue: {lower}, upper bound operand: AttributeValue: {upper}"
    if kind_of(lower) != kind_of(upper):
        raise InvalidExpression(f"The BETWEEN operator requires same data type for lower and upper bounds; {shown}")
    if not in_order(lower, upper):
        raise InvalidExpression(
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; " + shown
        )


def _check_call(function: str, arguments: tuple[Operand, ...], scope: Scope) -> None:
    match function:
        case "begins_with":
            for operand in arguments:
                _require(function, operand, "S B", scope)
        case "contains":
            _distinct(function, arguments[0], arguments[1:], scope)
        case "attribute_type":
            if not isinstance(arguments[1], Value):
                raise InvalidExpression(
                    "Incorrect operand type for operator or function; operator or function: attribute_type"
                )
            _require(function, arguments[1], "S", scope)
            wanted = scope.values[arguments[1].name]["S"]
            if wanted not in type_names:
                raise InvalidExpression(
                    f"Invalid attribute type name found; type: {wanted}, valid types: {{B,NULL,SS,BOOL,L,BS,N,NS,S,M}}"
                )


def check_update(actions: Iterable[Action], scope: Scope) -> None:
    """What AWS refuses about an update without looking at an item: types and overlapping paths."""
    paths = []
    for action in actions:
        paths.append(scope.resolve(action.path))
        if action.clause == "ADD":
            _check_clause(action, {"N", "SS", "NS", "BS"}, scope)
        elif action.clause == "DELETE":
            _check_clause(action, {"SS", "NS", "BS"}, scope)
        elif action.operand is not None:
            _check_assigned(action.operand, scope)
    check_overlap(paths)


def _check_clause(action: Action, allowed: set[str], scope: Scope) -> None:
    if isinstance(action.operand, Value):
        kind = kind_of(scope.values[action.operand.name])
        if kind not in allowed:
            raise InvalidExpression(
                f"Incorrect operand type for operator or function; operator: {action.clause}, "
                f"operand type: {type_names[kind]}, typeSet: ALLOWED_FOR_ADD_OPERAND"
            )


def _check_assigned(operand: Operand, scope: Scope) -> None:
    match operand:
        case Sum(operator, left, right):
            for side in (left, right):
                _require(operator, side, "N", scope)
                _check_assigned(side, scope)
        case Call("list_append", arguments):
            for argument in arguments:
                _require("list_append", argument, "L", scope)
                _check_assigned(argument, scope)
        case Call(_, arguments):
            _check_assigned(arguments[1], scope)
        case _:
            pass


def check_overlap(paths: list[tuple[str | int, ...]]) -> None:
    """No two paths of an update (or projection) may touch the same thing, or see it as map and as list."""
    for one, two in combinations(paths, 2):
        shown = f"path one: [{', '.join(map(str, one))}], path two: [{', '.join(map(str, two))}]"
        for a, b in zip(one, two, strict=False):
            if type(a) is not type(b):
                raise InvalidExpression(
                    f"Two document paths conflict with each other; must remove or rewrite one of these paths; {shown}"
                )
            if a != b:
                break
        else:
            raise InvalidExpression(
                f"Two document paths overlap with each other; must remove or rewrite one of these paths; {shown}"
            )


# --------------------------------------------------------------------------------------------- evaluating


def at(item: Mapping[str, AttributeValue], path: tuple[str | int, ...]) -> AttributeValue | None:
    """The value at a resolved path, or None. Not a copy."""
    found = item.get(str(path[0]))
    for part in path[1:]:
        if found is None:
            return None
        if isinstance(part, int):
            elements = found.get("L", [])
            found = elements[part] if part < len(elements) else None
        else:
            found = found.get("M", {}).get(part)
    return found


def _value(operand: Operand, item: Item, scope: Scope) -> AttributeValue | None:
    match operand:
        case Path():
            return at(item, scope.resolve(operand))
        case Value(name):
            return scope.values[name]
        case Call("size", (argument,)):
            measured = _value(argument, item, scope)
            size = None if measured is None else length(measured)
            return None if size is None else {"N": str(size)}
        case _:
            raise InvalidExpression("The function is not allowed to be used this way in an expression")


def holds(condition: Condition, item: Item, scope: Scope) -> bool:
    """Whether an item meets a condition. A missing item is ``{}``.

    A missing attribute makes every comparison false but ``<>``, which it makes true. Different types are not
    equal and have no order: a number compared with a string is false and never an error.
    """
    match condition:
        case Both(left, right):
            return holds(left, item, scope) and holds(right, item, scope)
        case Either(left, right):
            return holds(left, item, scope) or holds(right, item, scope)
        case Not(inner):
            return not holds(inner, item, scope)
        case Compare(operator, left, right):
            return _compare(operator, _value(left, item, scope), _value(right, item, scope))
        case Between(operand, low, high):
            value, lower, upper = (_value(each, item, scope) for each in (operand, low, high))
            if value is None or lower is None or upper is None:
                return False
            return in_order(lower, value) and in_order(value, upper)
        case In(operand, choices):
            value = _value(operand, item, scope)
            candidates = (_value(choice, item, scope) for choice in choices)
            return value is not None and any(c is not None and equal(value, c) for c in candidates)
        case Call(function, arguments):
            return _test(function, [_value(argument, item, scope) for argument in arguments])


def _compare(operator: str, left: AttributeValue | None, right: AttributeValue | None) -> bool:
    if left is None or right is None:
        return operator == "<>"
    match operator:
        case "=":
            return equal(left, right)
        case "<>":
            return not equal(left, right)
        case "<=":
            return in_order(left, right)
        case ">=":
            return in_order(right, left)
        case "<":
            return in_order(left, right) and not equal(left, right)
        case _:
            return in_order(right, left) and not equal(left, right)


def _test(function: str, arguments: list[AttributeValue | None]) -> bool:
    first = arguments[0]
    if function == "attribute_not_exists":
        return first is None
    if first is None:
        return False
    if function == "attribute_exists":
        return True
    second = arguments[1]
    if second is None:
        return False
    if function == "attribute_type":
        return bool(kind_of(first) == second["S"])
    if function == "begins_with":
        same = kind_of(first) == kind_of(second) and kind_of(first) in {"S", "B"}
        return same and bool(comparable(first).startswith(comparable(second)))
    return _contains(first, second)


def _contains(whole: AttributeValue, part: AttributeValue) -> bool:
    ((kind, content),) = whole.items()
    if kind == "L":
        return any(equal(element, part) for element in content)
    if kind in {"SS", "NS", "BS"}:
        return kind[0] == kind_of(part) and comparable(part) in comparable(whole)
    return kind in {"S", "B"} and kind == kind_of(part) and content.find(comparable(part)) >= 0


_MISSING_PARENT = "The document path provided in the update expression is invalid for update"
_MISSING_OPERAND = "The provided expression refers to an attribute that does not exist in the item"
_WRONG_OPERAND = "An operand in the update expression has an incorrect data type"


def applied(actions: Iterable[Action], item: Item, scope: Scope) -> Item:
    """The item after the update; the item given stays as it is. Raises `NotApplicable`.

    Every operand is read from the item *before* the update, and list indexes mean positions before it.
    """
    planned: list[tuple[Action, tuple[str | int, ...], AttributeValue | None]] = []
    for action in actions:
        path = scope.resolve(action.path)
        # AWS demands the parent for REMOVE too; only the leaf may be missing.
        if len(path) > 1:
            parent = at(item, path[:-1])
            if parent is None or kind_of(parent) != ("L" if isinstance(path[-1], int) else "M"):
                raise NotApplicable(_MISSING_PARENT)
        planned.append((action, path, _new_value(action, at(item, path), item, scope)))

    result = copied_item(item)
    gone = [step for step in planned if step[2] is None]
    for _, path, value in sorted((s for s in planned if s[2] is not None), key=lambda s: _index(s[1])):
        _put(result, path, copied(value))  # type: ignore[arg-type]
    # From the back, so that removing one element does not move the next one to be removed.
    for _, path, _none in sorted(gone, key=lambda step: -_index(step[1])):
        _drop(result, path)
    return result


def _index(path: tuple[str | int, ...]) -> int:
    return path[-1] if isinstance(path[-1], int) else -1


def _new_value(action: Action, current: AttributeValue | None, item: Item, scope: Scope) -> AttributeValue | None:
    """What the path holds afterwards; None: nothing."""
    if action.operand is None:
        return None
    if action.clause == "SET":
        return _assigned(action.operand, item, scope)
    given = scope.values[action.operand.name]  # type: ignore[union-attr]
    if current is None:
        return given if action.clause == "ADD" else None
    if kind_of(current) != kind_of(given):
        raise NotApplicable(_WRONG_OPERAND)
    if kind_of(given) == "N":
        return _sum(current, given, 1)
    ((kind, members),) = current.items()
    if action.clause == "ADD":
        return {kind: sorted({*members, *given[kind]})}
    left = [member for member in members if member not in given[kind]]
    return {kind: left} if left else None


def _assigned(operand: Operand, item: Item, scope: Scope) -> AttributeValue:
    match operand:
        case Sum(operator, left, right):
            return _sum(_assigned(left, item, scope), _assigned(right, item, scope), 1 if operator == "+" else -1)
        case Call("if_not_exists", (Path() as path, default)):
            present = at(item, scope.resolve(path))
            return _assigned(default, item, scope) if present is None else present
        case Call("list_append", (first, second)):
            one, two = _assigned(first, item, scope), _assigned(second, item, scope)
            if kind_of(one) != "L" or kind_of(two) != "L":
                raise NotApplicable(_WRONG_OPERAND)
            return {"L": [*one["L"], *two["L"]]}
        case _:
            value = _value(operand, item, scope)
            if value is None:
                raise NotApplicable(_MISSING_OPERAND)
            return value


def _sum(left: AttributeValue, right: AttributeValue, sign: int) -> AttributeValue:
    if kind_of(left) != "N" or kind_of(right) != "N":
        raise NotApplicable(_WRONG_OPERAND)
    try:
        return add(left, right, sign)
    except InvalidValue as fault:
        raise NotApplicable(str(fault)) from fault


def _put(item: Item, path: tuple[str | int, ...], value: AttributeValue) -> None:
    if len(path) == 1:
        item[str(path[0])] = value
        return
    ((_, container),) = at(item, path[:-1]).items()  # type: ignore[union-attr]
    if isinstance(path[-1], int) and path[-1] >= len(container):
        container.append(value)
    else:
        container[path[-1]] = value


def _drop(item: Item, path: tuple[str | int, ...]) -> None:
    if len(path) == 1:
        item.pop(str(path[0]), None)
        return
    ((_, container),) = at(item, path[:-1]).items()  # type: ignore[union-attr]
    if isinstance(path[-1], str):
        container.pop(path[-1], None)
    elif path[-1] < len(container):
        del container[path[-1]]


def projected(paths: Iterable[Path], item: Item, scope: Scope) -> Item:
    """The part of an item that a projection names; list elements close up, as AWS returns them."""
    tree: dict[str | int, dict] = {}  # type: ignore[type-arg]
    for path in paths:
        node = tree
        for part in scope.resolve(path):
            node = node.setdefault(part, {})
    cut = _cut({"M": item}, tree)
    return {} if cut is None else cut["M"]


def _cut(value: AttributeValue, tree: dict) -> AttributeValue | None:  # type: ignore[type-arg]
    if not tree:
        return copied(value)
    ((kind, content),) = value.items()
    if kind == "M":
        children = {k: _cut(content[k], sub) for k, sub in tree.items() if k in content}
        kept = {k: child for k, child in children.items() if child is not None}
        return {"M": kept} if kept else None
    if kind == "L":
        indexes = sorted(k for k in tree if isinstance(k, int) and k < len(content))
        elements = [e for e in (_cut(content[index], tree[index]) for index in indexes) if e is not None]
        return {"L": elements} if elements else None
    return None
