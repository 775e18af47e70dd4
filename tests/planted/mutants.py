"""The small changes: a comparison, a boundary, a condition, a return, a statement, a number, a part of a condition."""

from __future__ import annotations

import ast
import copy
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
RECKONED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
Change = Callable[[ast.AST], ast.AST]


@dataclass(frozen=True)
class Mutant:
    """A whole module with one change in it. `name` says which, and stays when lines move."""

    name: str
    line: int
    tree: ast.Module


def mutants_of(source: str) -> Iterator[Mutant]:
    """Every one of a module. Annotations, decorators, docstrings, `assert_never` and the `strict` of `zip`, which asks
    for as many of the one as of the other where there always are, are left alone.
    """
    tree = ast.parse(source)
    seen: Counter[str] = Counter()
    for path, node, where in _walk(tree, (), _Place()):
        for change in _changes(node, _field(path), where):
            after = change(copy.deepcopy(node))
            name = f"{where.name or 'module'}: {_text(node)} → {_text(after)}"
            seen[name] += 1
            numbered = name if seen[name] == 1 else f"{name} ({seen[name]})"
            yield Mutant(numbered, getattr(node, "lineno", 0), _with(tree, path, after))


Path = tuple[tuple[str, int | None], ...]
LEFT_ALONE = {"annotation", "returns", "decorator_list", "type_params", "bases"}


@dataclass(frozen=True)
class _Place:
    """The function or class around a node; `says_whether`: it returns yes or no."""

    name: str = ""
    says_whether: bool = False

    def inside(self, node: ast.FunctionDef | ast.ClassDef) -> _Place:
        says_whether = isinstance(node, ast.FunctionDef) and node.returns is not None
        return _Place(
            f"{self.name}.{node.name}" if self.name else node.name,
            says_whether and ast.unparse(node.returns) == "bool",  # type: ignore[union-attr]
        )


def _walk(node: ast.AST, path: Path, where: _Place) -> Iterator[tuple[Path, ast.AST, _Place]]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        where = where.inside(node)
    yield path, node, where
    for name, value in ast.iter_fields(node):
        if name in LEFT_ALONE or (isinstance(node, ast.keyword) and node.arg == "strict"):
            continue
        if isinstance(value, ast.AST):
            yield from _walk(value, (*path, (name, None)), where)
        elif isinstance(value, list):
            for number, each in enumerate(value):
                if isinstance(each, ast.AST) and not _is_docstring(each) and not _is_unreachable(each):
                    yield from _walk(each, (*path, (name, number)), where)


def _field(path: Path) -> str:
    return path[-1][0] if path else ""


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _is_unreachable(node: ast.AST) -> bool:
    text = ast.unparse(node)
    return text.startswith(("assert_never(", "case _:", "if TYPE_CHECKING"))


def _with(tree: ast.Module, path: Path, after: ast.AST) -> ast.Module:
    changed = copy.deepcopy(tree)
    parent: ast.AST = changed
    for name, number in path[:-1]:
        value = getattr(parent, name)
        parent = value if number is None else value[number]
    name, number = path[-1]
    if number is None:
        setattr(parent, name, after)
    else:
        getattr(parent, name)[number] = after
    return ast.fix_missing_locations(changed)


def _text(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 100 else f"{text[:70]} … {text[-25:]}"


# What may become of a node


def _changes(node: ast.AST, field: str, where: _Place) -> Iterator[Change]:
    match node:
        case ast.Compare(ops=[op]):
            yield from (_compared(other) for other in COMPARED.get(type(op), ()))
        case ast.Compare(ops=ops):
            yield from (_one_compared(number) for number, op in enumerate(ops) if type(op) in COMPARED)
        case ast.BoolOp(values=values):
            yield from (_without(number) for number in range(len(values)))
        case ast.UnaryOp(op=ast.Not()):
            yield lambda each: each.operand  # type: ignore[attr-defined]
        case ast.Constant(value=bool()):
            yield lambda each: ast.Constant(not each.value)  # type: ignore[attr-defined]
        case ast.Constant(value=int()):
            yield lambda each: ast.Constant(each.value + 1)  # type: ignore[attr-defined]
        case ast.Constant(value=str() as text):
            yield from (_asked_less(text, part) for part in _conditions(text, where))
        case ast.BinOp(op=op) if type(op) in RECKONED:
            yield _reckoned
        case ast.Return(value=ast.Name() | ast.Attribute() | ast.Call() | ast.BoolOp()) if where.says_whether:
            yield lambda each: ast.Return(ast.UnaryOp(ast.Not(), each.value))  # type: ignore[attr-defined]
        case ast.Return() if where.says_whether:
            pass  # a constant, a comparison or a "not", of which the opposite is made above; None would be a no as well
        case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and value.value is None):
            yield lambda _: ast.Return(ast.Constant(None))
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break():
            yield lambda _: ast.Pass()
        case ast.match_case(guard=ast.expr()):
            yield _unguarded
    if field == "test" and isinstance(node, ast.Name | ast.Call | ast.Attribute | ast.BoolOp):
        yield lambda each: ast.UnaryOp(ast.Not(), each)  # type: ignore[arg-type]


def _compared(other: type[ast.cmpop]) -> Change:
    return lambda node: ast.Compare(node.left, [other()], node.comparators)  # type: ignore[attr-defined]


def _one_compared(number: int) -> Change:
    def change(node: ast.AST) -> ast.AST:
        assert isinstance(node, ast.Compare)
        node.ops[number] = COMPARED[type(node.ops[number])][0]()
        return node

    return change


def _without(number: int) -> Change:
    """A condition loses one of its parts."""

    def change(node: ast.AST) -> ast.AST:
        assert isinstance(node, ast.BoolOp)
        rest = [each for index, each in enumerate(node.values) if index != number]
        return rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest)

    return change


_NAME = r"(?:#[\w{}]+\.)*#[\w{}]+"
_CONDITION = re.compile(
    rf"attribute_(?:not_)?exists\({_NAME}\)|(?:{_NAME}|size\({_NAME}\)) (?:(?:=|<>|<=?|>=?) :\w+|IN \([^)]*\))"
)


def _conditions(text: str, where: _Place) -> Iterator[re.Match[str]]:
    """The conditions that a text asks of an item, each whole. Where it sets values, it asks nothing; a lone "=" in a
    function may do that. Without its key a query is none.
    """
    sets = text.startswith(("SET ", "REMOVE ", "ADD ", ", ", ".")) or re.search(r":\w+, #|#pk = ", text)
    if not sets and (not where.name or " AND " in text or " OR " in text or "attribute_" in text):
        yield from _CONDITION.finditer(text)


def _asked_less(text: str, part: re.Match[str]) -> Change:
    """A condition always holds. It is still named: a value that is not used is refused."""
    return lambda _: ast.Constant(f"{text[: part.start()]}({part.group()} OR NOT {part.group()}){text[part.end() :]}")


def _reckoned(node: ast.AST) -> ast.AST:
    assert isinstance(node, ast.BinOp)
    return ast.BinOp(node.left, RECKONED[type(node.op)](), node.right)


def _unguarded(node: ast.AST) -> ast.AST:
    assert isinstance(node, ast.match_case)
    node.guard = None
    return node
