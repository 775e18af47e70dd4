"""What a function's code asks of the composition root, and so of its environment: read, not run."""

import ast
import importlib
import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from bookend import bootstrap
from bookend.config import ENVIRONMENT

Function = ast.FunctionDef | ast.AsyncFunctionDef


def parts_reached(source: str) -> set[str]:
    """The attributes of `Dependencies` that a handler prepares, uses, or hands on to who uses them."""
    tree = ast.parse(source)
    names = set(_called(tree))
    reached = {part.value for call in _calls(tree, "prepare") for part in call.args if isinstance(part, ast.Constant)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_the_set(node.value, names):
            reached.add(node.attr)
        elif isinstance(node, ast.Call):
            for place, argument in enumerate(node.args):
                if _is_the_set(argument, names):
                    reached |= _asked_by(node.func, place, tree)
    return {str(part) for part in reached}


def variables_needed(parts: Iterable[str]) -> set[str]:
    """The environment variables behind these parts, and those that every function needs."""
    (root,) = (n for n in ast.walk(_source(bootstrap)) if isinstance(n, ast.ClassDef) and n.name == "Dependencies")
    methods = {node.name: node for node in root.body if isinstance(node, Function)}
    settings: set[str] = set()
    pending, seen = list(parts), set()
    while pending:
        part = pending.pop()
        if part in seen or part not in methods:
            continue
        seen.add(part)
        for node in ast.walk(methods[part]):
            if isinstance(node, ast.Attribute) and _is_named(node.value, {"self"}):
                pending.append(node.attr)
            elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self.settings":
                settings.add(node.attr.upper())
    return settings | {name for name, by_all in ENVIRONMENT.items() if by_all}


def tasks_known(source: str) -> set[str]:
    """The tasks for which a handler has a case."""
    matches = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Match) and ast.unparse(node.subject) == "event.get('task')"
    ]
    return {
        str(pattern.value.value)
        for match in matches
        for pattern in ast.walk(match)
        if isinstance(pattern, ast.MatchValue) and isinstance(pattern.value, ast.Constant)
    }


def _called(tree: ast.AST) -> Iterator[str]:
    """What the handler calls the set of dependencies."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and _is_dependencies_call(node.value):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.arg) and node.annotation and ast.unparse(node.annotation) == "Dependencies":
            yield node.arg


def _asked_by(function: ast.expr, place: int, tree: ast.Module) -> set[str]:
    """What a function asks of the set that it is handed: its own module's is read with it, another's says so itself."""
    name = ast.unparse(function)
    if any(isinstance(node, Function) and node.name == name for node in tree.body):
        return set()
    (module,) = (
        node.module
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module and name in {alias.name for alias in node.names}
    )
    other = importlib.import_module(module)
    annotated = list(inspect.signature(getattr(other, name)).parameters.values())[place].annotation
    named = getattr(annotated, "__name__", annotated)
    (wanted,) = (node for node in _source(other).body if isinstance(node, ast.ClassDef) and node.name == named)
    return {node.name for node in wanted.body if isinstance(node, Function)} | {
        node.target.id for node in wanted.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def _calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == f"bootstrap.{name}":
            yield node


def _is_dependencies_call(node: ast.expr) -> bool:
    return ast.unparse(node) == "bootstrap.dependencies()"


def _is_the_set(node: ast.expr, names: set[str]) -> bool:
    return _is_named(node, names) or _is_dependencies_call(node)


def _is_named(node: ast.expr, names: set[str]) -> bool:
    return isinstance(node, ast.Name) and node.id in names


def _source(module: ModuleType) -> ast.Module:
    return ast.parse(Path(inspect.getfile(module)).read_text(encoding="utf-8"))
