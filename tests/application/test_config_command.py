"""`python -m bookend config`: what a document would change is said before it is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bookend import bootstrap, cli
from tests.support.salon import table_request
from tests.support.tables.memory import MemoryDynamoDB

EXAMPLE = Path("examples/salon.json")


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> MemoryDynamoDB:
    made = MemoryDynamoDB()
    made.create_table(**table_request("appointments"))
    monkeypatch.setattr(bootstrap, "aws_client", lambda _: made)
    return made


def config(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    status = cli.main(["config", *arguments, "--table", "appointments"])
    return status, capsys.readouterr().out.splitlines()


def written(tmp_path: Path, **changed: Any) -> str:
    document = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    document["staff"][0] |= changed
    file = tmp_path / "salon.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    return str(file)


def test_a_document_that_is_in_force_differs_in_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert config(capsys, "load", str(EXAMPLE), "--apply")[0] == cli.OK
    assert config(capsys, "diff", written(tmp_path)) == (cli.OK, ["It is what is in force already."])


def test_what_differs_is_said_place_by_place_and_is_the_exit_status(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, table: MemoryDynamoDB
) -> None:
    config(capsys, "load", str(EXAMPLE), "--apply")
    before = table.scan(TableName="appointments")["Items"]
    first = json.loads(EXAMPLE.read_text(encoding="utf-8"))["staff"][0]
    file = written(tmp_path, name="Anna Vogt")
    line = f'~ staff[{first["id"]}].name: "{first["name"]}" -> "Anna Vogt"'
    assert config(capsys, "diff", file) == (cli.FAILED, [line, "1 difference to what is in force."])
    status, said = config(capsys, "load", file)
    assert (status, line in said) == (cli.OK, True)
    assert table.scan(TableName="appointments")["Items"] == before
    changes = json.loads("\n".join(config(capsys, "load", file, "--apply", "--json")[1]))["changes"]
    assert [each["path"] for each in changes] == [f"staff[{first['id']}].name"]
    assert config(capsys, "diff", file)[0] == cli.OK


def test_a_salon_that_is_not_there_yet_comes_whole(capsys: pytest.CaptureFixture[str]) -> None:
    status, said = config(capsys, "diff", str(EXAMPLE))
    assert (status, len(said) > 5) == (cli.FAILED, True)
    assert all(line.startswith("+ ") for line in said[:-1])


def test_a_document_that_would_be_refused_is_not_compared(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert config(capsys, "diff", written(tmp_path, event_types="none")) == (cli.FAILED, [])
