"""`python -m bookend breaker`: what the circuit breakers of Cal.com are doing. It reads and changes nothing."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any

from bookend.application.circuit import state_of
from bookend.application.ports import StoreUnavailable
from bookend.cli_shell import OK, dependencies, no_answer, refuse
from bookend.domain.circuit import Breaker, CircuitKind

_HEADS = ("breaker", "state", "failures", "since", "last failure", "next probe")


def add_to(groups: Any) -> None:
    """The command, as one of the groups of the parser."""
    parser = groups.add_parser("breaker", help="say whether Cal.com is being left alone, and since when")
    parser.add_argument("--table", required=True, help="name of the table (output TableName of the stack)")
    parser.add_argument("--calcom-url", default="https://api.cal.com")
    parser.add_argument("--json", action="store_true", help="as JSON, by breaker")
    parser.set_defaults(run=_show)


def _show(options: argparse.Namespace) -> int:
    deps = dependencies(options)
    try:
        breakers = deps.circuit.read()
    except StoreUnavailable as unavailable:
        return refuse(no_answer(unavailable, options.table))
    if options.json:
        said = {kind.value: dict(state_of(breaker)) for kind, breaker in breakers.items()}
        sys.stdout.write(json.dumps(said, ensure_ascii=False, indent=2) + "\n")
    else:
        sys.stdout.writelines(line + "\n" for line in lines_of(breakers))
    return OK


def lines_of(breakers: Mapping[CircuitKind, Breaker]) -> list[str]:
    """A line a breaker, under a line of heads; "-" where there is nothing to say."""
    rows: list[tuple[str, ...]] = [_HEADS]
    for kind, breaker in breakers.items():
        said = state_of(breaker)
        cells = [said[name] for name in ("state", "failures", "since", "last_failure", "next_probe")]
        rows.append((kind.value, *("-" if cell is None else str(cell) for cell in cells)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
