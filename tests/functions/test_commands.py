"""What all commands of the operator have in common: quiet unless asked, JSON for programs, clear refusals."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bookend import bootstrap, cli, observability
from tests.support.http import CALCOM_ARN, Doors
from tests.support.salon import EXAMPLE, Salon

TABLE = ["--table", "appointments"]


@pytest.fixture
def doors(monkeypatch: pytest.MonkeyPatch) -> Doors:
    """The command's table is the salon's, whatever it makes of its options; Cal.com's requests are logged as ever."""
    opened = Doors(Salon())

    def build(*_: object, **__: object) -> bootstrap.Dependencies:
        observability.calcom_exchange(operation="list", status=200, ms=3, left=100)
        observability.circuit_not_noted("Trouble")
        return opened.deps

    monkeypatch.setattr(bootstrap, "Dependencies", build)
    return opened


def logged(capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    capsys.readouterr()
    assert cli.main(["reconcile", "friseur1", *TABLE, "--calcom-secret", CALCOM_ARN, *options]) == cli.OK
    said = capsys.readouterr()
    assert '"message"' not in said.out
    return [line for line in said.err.splitlines() if line.startswith("{")]


def test_a_command_logs_trouble_alone_unless_it_is_asked_for_more(
    doors: Doors, capsys: pytest.CaptureFixture[str]
) -> None:
    before = observability.logger.log_level
    (line,) = logged(capsys)
    assert "circuit not noted" in line
    everything = logged(capsys, "--verbose")
    assert any('"calcom"' in each for each in everything)
    assert any("CalcomRequestsLeft" in each for each in everything)
    assert observability.logger.log_level == before == logging.INFO


def test_every_command_takes_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    for words in cli.commands():
        with pytest.raises(SystemExit):
            cli.main([*words.split(), "--help"])
        assert "--verbose" in capsys.readouterr().out, words


def test_breakers_for_programs(doors: Doors, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["breaker", *TABLE, "--json"]) == cli.OK
    said = json.loads(capsys.readouterr().out)
    assert {name: each["state"] for name, each in said.items()} == {"reads": "closed", "writes": "closed"}


def test_a_load_for_programs_is_json_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    salon = Salon()
    monkeypatch.setattr(bootstrap, "aws_client", lambda *_: salon.client)
    for options, written in (([], False), (["--apply"], True)):
        assert cli.main(["config", "load", str(EXAMPLE), *TABLE, "--json", *options]) == cli.OK
        said = json.loads(capsys.readouterr().out)
        assert (said["tenant"], said["written"]) == ("friseur1", written)


@pytest.mark.parametrize(
    "command", [["health", "--all"], ["review", "list", "friseur1"], ["texts", "list", "friseur1"], ["breaker"]]
)
def test_a_table_that_is_not_there_is_named(
    command: list[str], doors: Doors, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nothing(**_: Any) -> Any:
        raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "Requested resource"}}, "GetItem")

    for ask in ("get_item", "query", "scan", "batch_get_item"):
        monkeypatch.setattr(doors.salon.client, ask, nothing, raising=False)
    assert cli.main([*command, "--table", "apointments"]) != cli.OK
    assert "there is no table apointments in this account and region" in capsys.readouterr().err
