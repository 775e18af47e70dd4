"""Files as they come: encodings, separators, quotes, and the line of whatever cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from bookend.adapters.imports.files import RowsFile, Unreadable
from bookend.domain.imports import RowError


def read(tmp_path: Path, content: str | bytes, *, name: str = "rows.csv") -> list[object]:
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(RowsFile(file).rows())


@pytest.mark.parametrize("separator", [";", ",", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_heads_tell_the_separator_and_a_mark_of_the_encoding_is_none_of_them(
    tmp_path: Path, separator: str, mark: str, end: str
) -> None:
    lines = [separator.join(("external_id", "Customer_Name")), separator.join(("1", "Jürgen Groß"))]
    assert read(tmp_path, mark + end.join(lines) + end) == [(2, {"external_id": "1", "customer_name": "Jürgen Groß"})]


def test_lines_are_those_of_the_file_however_many_a_cell_has(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        'external_id;sync_error\n1;"HTTP 400 {""a"";\n""b""}"\n\n2;x;y\n3;\n',
    )
    assert rows == [
        (2, {"external_id": "1", "sync_error": 'HTTP 400 {"a";\n"b"}'}),
        RowError(5, "", "3 cells under 2 heads"),
        (6, {"external_id": "3", "sync_error": ""}),
    ]


def test_a_row_that_is_no_utf_8_is_named_and_the_next_one_read(tmp_path: Path) -> None:
    rows = read(tmp_path, b"external_id;customer_name\n1;J\xfcrgen\n2;Anna\n")
    assert rows == [RowError(2, "customer_name", "not UTF-8"), (3, {"external_id": "2", "customer_name": "Anna"})]


def test_a_head_that_is_no_utf_8_is_named_as_far_as_it_can_be_said(tmp_path: Path) -> None:
    (wrong,) = read(tmp_path, b"external_id;gesch\xe4ft\n1;2\n")
    assert wrong == RowError(1, "gesch\\udce4ft", "not UTF-8")


@pytest.mark.parametrize(
    ("heads", "column"),
    [("external_id;strat", "strat"), ("external_id;start;start", "start"), ("start", "external_id")],
)
def test_nothing_is_read_under_heads_that_are_not_understood(tmp_path: Path, heads: str, column: str) -> None:
    found = read(tmp_path, f"{heads}\n1;2;3\n")
    assert [(each.line, each.column) for each in found if isinstance(each, RowError)] == [(1, column)]
    assert len(found) == 1


def test_an_empty_file_has_no_heads(tmp_path: Path) -> None:
    assert [each for each in read(tmp_path, "") if isinstance(each, RowError)]


def test_json_lines_may_hold_numbers_lists_of_uids_and_whole_answers(tmp_path: Path) -> None:
    lines = [
        '{"external_id": 5, "calcom_uid": ["a", "b"], "sync_error": {"statusCode": 500}, "staff": null}',
        "",
        "nonsense",
        "[1]",
        '{"external_id": true}',
        '{"start": {}}',
    ]
    assert read(tmp_path, "\n".join(lines), name="rows.jsonl") == [
        (1, {"external_id": "5", "calcom_uid": "a b", "sync_error": '{"statusCode": 500}'}),
        RowError(3, "", "no JSON"),
        RowError(4, "", "no JSON object"),
        RowError(5, "external_id", "a text or a number"),
        RowError(6, "start", "a text or a number"),
    ]


def test_the_same_content_is_the_same_import_under_any_name(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.csv", "b.csv", "c.csv")]
    for file, text in zip(files, ("x", "x", "y"), strict=True):
        file.write_text(text)
    one, same, other = (RowsFile(file).digest for file in files)
    assert one == same != other


def test_what_is_neither_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable):
        RowsFile(tmp_path / "table.xlsx")
