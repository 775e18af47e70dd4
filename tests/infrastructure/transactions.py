"""What a function's code does to items of its table: followed from its handler to the transactions, read, not run.

Calls are followed by name: through functions that are imported, through every method of a class that is made, and
through a port to the methods of the adapter that serves it. It may see more than there is. It does not see a call
by a name that is neither a part of `Dependencies` nor typed as a port.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import bookend

_ROOT = Path(bookend.__file__).parent
_STORE = "bookend.adapters.dynamodb"
_ROOT_OF_ALL = "bookend.bootstrap"
"""It makes everything; what a function uses of that, the names of the ports tell."""
_KINDS = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
"""The parts of a transaction, and the right that each needs."""
_CALLED_BY_NAME = ("Dynamo", "Actions")
"""Classes that do nothing by being made: their methods are followed one by one."""
_ASKED = {
    "get": "GetItem",
    "get_all": "BatchGetItem",
    "update": "UpdateItem",
    "put": "PutItem",
    "query": "Query",
    "query_all": "Query",
    "pages": "Scan",
}
"""What `Table` asks for by itself. To query an index is a right of its own: see `rules_of_rights`."""

Node = tuple[str, str]
"""A module, and a function or `Class.method` in it."""


@dataclass
class _Module:
    name: str
    bodies: dict[str, ast.AST] = field(default_factory=dict)
    classes: dict[str, list[str]] = field(default_factory=dict)
    """Each with the names of those it is made from."""
    imported: dict[str, Node] = field(default_factory=dict)
    """By the name it has here; a module as such has an empty second name."""


@cache
def items_touched(handler: str) -> frozenset[str]:
    """The actions on items that the code of a handler comes to, as AWS calls them."""
    return frozenset(right for node in _reached(handler) for right in _rights(node))


def _reached(handler: str) -> set[Node]:
    door = _read("handler", handler)
    pending, seen = [("handler", name) for name in door.bodies], set[Node]()
    while pending:
        node = pending.pop()
        if node in seen:
            continue
        seen.add(node)
        module = door if node[0] == "handler" else _modules()[node[0]]
        pending += (each for each in _called(module, node[1]) if each[0] != _ROOT_OF_ALL)
    return seen


def _called(module: _Module, name: str) -> Iterator[Node]:
    body, ports = module.bodies[name], _ports()
    owner = name.partition(".")[0] if "." in name else ""
    typed = {a.arg: _last(a.annotation) for a in ast.walk(body) if isinstance(a, ast.arg) and a.annotation}
    for node in _code_of(body):
        if isinstance(node, ast.Name):
            yield from _named(module, node.id)
        elif isinstance(node, ast.Attribute):
            of = _last(node.value).lstrip("_")
            if of == "self" and owner:
                yield from _method(module, owner, node.attr)
            elif isinstance(node.value, ast.Name) and module.imported.get(of, ("", "-"))[1] == "":
                yield from _named(_modules()[module.imported[of][0]], node.attr)
            elif of in {"actions", "entries", "Actions"}:
                yield from _method(_modules()[f"{_STORE}.actions"], "Actions", node.attr)
            for served in (of, typed.get(of, "")):
                if served in ports:
                    where, adapter = ports[served]
                    yield from _method(_modules()[where], adapter, node.attr)


def _code_of(body: ast.AST) -> Iterator[ast.AST]:
    """Without annotations: what something is called is not what it does."""
    pending = [body]
    while pending:
        node = pending.pop()
        yield node
        for name, value in ast.iter_fields(node):
            inside = value if isinstance(value, list) else [value]
            if name not in {"annotation", "returns"}:
                pending += [each for each in inside if isinstance(each, ast.AST)]


def _named(module: _Module, name: str) -> Iterator[Node]:
    """A function, or all of a class, wherever it is written."""
    if name in module.imported:
        where, original = module.imported[name]
        if original and where in _modules():
            yield from _named(_modules()[where], original)
    elif name in module.classes and not name.startswith(_CALLED_BY_NAME):
        yield from ((module.name, each) for each in module.bodies if each.partition(".")[0] == name and "." in each)
    elif name in module.bodies:
        yield module.name, name


def _method(module: _Module, owner: str, name: str) -> Iterator[Node]:
    """One method, its own or one of a class that it is made from."""
    if f"{owner}.{name}" in module.bodies:
        yield module.name, f"{owner}.{name}"
        return
    for base in module.classes.get(owner, []):
        where, original = module.imported.get(base, (module.name, base))
        if where in _modules():
            yield from _method(_modules()[where], original, name)


def _rights(node: Node) -> Iterator[str]:
    """The kinds of parts that stand in the code of an adapter, and what it asks the table for."""
    if not node[0].startswith(_STORE) or node[0] == f"{_STORE}.transact":
        return
    for each in ast.walk(_modules()[node[0]].bodies[node[1]]):
        if isinstance(each, ast.Dict):
            kinds = (key.value for key in each.keys if isinstance(key, ast.Constant))
            yield from (_KINDS[kind] for kind in kinds if kind in _KINDS)
        elif isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute):
            of_index = any(given.arg == "IndexName" for given in each.keywords)
            if _last(each.func.value).lstrip("_") in {"table", "audit"} and not of_index:
                yield from ({_ASKED[each.func.attr]} if each.func.attr in _ASKED else ())


@cache
def _modules() -> dict[str, _Module]:
    found = {}
    for path in _ROOT.rglob("*.py"):
        parts = ("bookend", *path.relative_to(_ROOT).with_suffix("").parts)
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = _read(name, path.read_text(encoding="utf-8"))
    return found


def _read(name: str, source: str) -> _Module:
    module = _Module(name)
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("bookend"):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                is_module = (_ROOT.parent / whole.replace(".", "/")).with_suffix(".py").exists()
                origin = (whole, "") if is_module else (str(node.module), alias.name)
                module.imported[alias.asname or alias.name] = origin
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            module.bodies[node.name] = node
        elif isinstance(node, ast.ClassDef):
            module.classes[node.name] = [ast.unparse(each) for each in node.bases]
            methods = (each for each in node.body if isinstance(each, ast.FunctionDef))
            module.bodies |= {f"{node.name}.{each.name}": each for each in methods}
    return module


@cache
def _ports() -> dict[str, tuple[str, str]]:
    """By the name of the part, and of its protocol: the adapter that the composition root puts there."""
    root = _modules()[_ROOT_OF_ALL]
    found: dict[str, tuple[str, str]] = {}
    for name, body in root.bodies.items():
        made = [each.id for each in ast.walk(body) if isinstance(each, ast.Name) and each.id.startswith("Dynamo")]
        if isinstance(body, ast.FunctionDef) and len(made) == 1 and body.returns is not None:
            for called in (name.rpartition(".")[2], ast.unparse(body.returns)):
                found[called] = root.imported[made[0]]
    # Background work has it as a field, from the same class.
    found["adoptions"] = found["Adoptions"] = (f"{_STORE}.adoptions", "DynamoAdoptions")
    return found


def _last(node: ast.AST | None) -> str:
    """The last name of a chain: `cases` of `self._at.cases`, of `deps.cases.within(…)`, of `cases: Cases | None`."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(attr=name):
            return name
        case ast.Call(func=ast.Attribute(value=value)):
            return _last(value)
        case ast.BinOp(left=left):
            return _last(left)
        case ast.Constant(value=str(text)):
            return text
        case _:
            return ""
