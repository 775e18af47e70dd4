"""Files of an existing system as rows of text: CSV (UTF-8, with or without BOM, `;` `,` or tab) and JSON lines.

A file is read from its beginning each time and never held as a whole. What cannot be read is a RowError with its line;
the rows after it are read all the same.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, TextIO

from bookend.domain.imports import COLUMNS, RowError

_LONGEST_CELL = 4 * 1024 * 1024
"""Characters. An error of another system may be a whole page; a quote that is never closed would be a whole file."""
_LINES = frozenset({".jsonl", ".ndjson", ".json"})
_SEPARATORS = ";\t,"
_NOT_UTF_8 = "not UTF-8"

Read = Iterator[tuple[int, Mapping[str, str]] | RowError]


class Unreadable(Exception):
    """It is no file that could be imported; the text says why."""


class RowsFile:
    """The `ImportFile` port on a path. What kind it is its name says: .csv, or .jsonl and .ndjson."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_lines = path.suffix.lower() in _LINES
        if not self._is_lines and path.suffix.lower() not in {".csv", ".txt"}:
            msg = f"{path.name}: a name that ends in .csv, .jsonl or .ndjson"
            raise Unreadable(msg)

    @cached_property
    def digest(self) -> str:
        with self._path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:32]

    def rows(self) -> Read:
        with self._path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            yield from (_checked(each) for each in (_json_lines(file) if self._is_lines else _csv(file)))


def _checked(read: tuple[int, Mapping[str, str]] | RowError) -> tuple[int, Mapping[str, str]] | RowError:
    """A row with bytes that are no UTF-8 is none: a name spelt wrongly would be stored for good.

    Nor can such bytes be said again: where they are part of a column's name, they are shown by their numbers.
    """
    if isinstance(read, RowError):
        return replace(read, column=_sayable(read.column))
    line, row = read
    broken = next((name for name, text in row.items() if not (_is_text(name) and _is_text(text))), None)
    return read if broken is None else RowError(line, _sayable(broken), _NOT_UTF_8)


def _is_text(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _sayable(name: str) -> str:
    return name.encode(errors="backslashreplace").decode()


def _csv(file: TextIO) -> Read:
    csv.field_size_limit(_LONGEST_CELL)
    first = file.readline()
    heads = _heads(first)
    wrong = _wrong_heads(heads)
    if wrong:
        yield from wrong
        return
    reader = csv.reader(file, delimiter=_separator(first), strict=True)
    while True:
        line = reader.line_num + 2  # the next one, and the line of heads before them
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield RowError(line, "", f"no CSV: {error}")
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(heads):
            yield RowError(line, "", f"{len(cells)} cells under {len(heads)} heads")
            continue
        yield line, dict(zip(heads, cells, strict=True))


def _separator(first: str) -> str:
    counted = Counter(char for char in first if char in _SEPARATORS)
    return max(_SEPARATORS, key=lambda char: counted[char])


def _heads(first: str) -> list[str]:
    try:
        rows = list(csv.reader([first], delimiter=_separator(first), strict=True))
    except csv.Error:
        return []
    return [cell.strip().casefold() for cell in rows[0]] if rows else []


def _wrong_heads(heads: Sequence[str]) -> list[RowError]:
    """Nothing is read under heads that are not understood: a column spelt wrongly would be left out in silence."""
    counted = Counter(heads)
    wrong = [
        RowError(1, name, "no column of ours; see docs/import.md" if _is_text(name) else _NOT_UTF_8)
        for name in counted
        if name not in COLUMNS
    ]
    wrong += [RowError(1, name, "more than once") for name, times in counted.items() if times > 1 and name in COLUMNS]
    if not {"external_id", "customer_id"} & {*heads}:
        wrong.append(RowError(1, "external_id", "missing; in a file of customers alone, customer_id"))
    return wrong


def _json_lines(file: TextIO) -> Read:
    for line, text in enumerate(file, start=1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except (ValueError, RecursionError):
            yield RowError(line, "", "no JSON")
            continue
        if not isinstance(row, dict):
            yield RowError(line, "", "no JSON object")
            continue
        yield _as_text(line, row)


def _as_text(line: int, row: Mapping[str, Any]) -> tuple[int, Mapping[str, str]] | RowError:
    texts: dict[str, str] = {}
    for name, value in row.items():
        match value:
            case None:
                continue
            case str():
                texts[name] = value
            case bool():
                return RowError(line, name, "a text or a number")
            case int():
                texts[name] = str(value)
            case list() if name == "calcom_uid" and all(isinstance(each, str) for each in value):
                texts[name] = " ".join(value)
            case dict() | list() if name == "sync_error":
                texts[name] = json.dumps(value, ensure_ascii=False)
            case _:
                return RowError(line, name, "a text or a number")
    return line, texts
