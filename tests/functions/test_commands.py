"""What all commands of the operator have in common: quiet unless asked, JSON for programs, clear refusals."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bookend import bootstrap, cli, observability
from bookend.adapters.dynamodb.tenants import DynamoTenants
from bookend.adapters.tenants.document import read_tenant
from bookend.domain.cases import Case, CaseOrigin, CaseState, SyncFailure
from bookend.domain.contacts import Customer
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


def test_the_document_in_force_is_shown_as_it_can_be_read_and_loaded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    salon = Salon()
    monkeypatch.setattr(bootstrap, "aws_client", lambda *_: salon.client)
    document = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    tenants = DynamoTenants(salon.table, parse=read_tenant, clock=salon.clock)
    tenants.store(read_tenant(json.dumps(document)), json.dumps(document))  # one line, its umlauts escaped
    assert cli.main(["config", "show", "friseur1", *TABLE]) == cli.OK
    said = capsys.readouterr().out
    assert json.loads(said) == document
    assert "\\u00" not in said
    assert len(said.splitlines()) > 50


def test_what_belongs_to_another_choice_is_refused_instead_of_ignored(
    doors: Doors, capsys: pytest.CaptureFixture[str]
) -> None:
    a_case(doors)
    decide = ["review", "decide", "friseur1", "import-1"]
    more = [*TABLE, "--calcom-secret", CALCOM_ARN, "--by", "otto"]
    assert cli.main([*decide, "retry", *more, "--to", "2025-12-10 14:00"]) == cli.FAILED
    assert "--to is for move" in capsys.readouterr().err
    assert cli.main([*decide, "cancel", *more, "--appointment", "abc"]) == cli.FAILED
    assert "--appointment is for keep" in capsys.readouterr().err


def test_a_decision_for_programs(doors: Doors, capsys: pytest.CaptureFixture[str]) -> None:
    a_case(doors)
    words = ["review", "decide", "friseur1", "import-1", "retry", *TABLE, "--calcom-secret", CALCOM_ARN]
    for options, written, version in (([], False, 1), (["--apply"], True, 2)):
        assert cli.main([*words, "--by", "otto", "--json", *options]) == cli.OK
        said = json.loads(capsys.readouterr().out)
        assert (said["choice"], said["by"], said["written"], said["version"]) == ("retry", "otto", written, version)
        assert "Erika" not in json.dumps(said)
    assert said["came_to"].startswith("import-1: on record")


def test_opting_out_for_programs(doors: Doors, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["texts", "opt-out", "friseur1", "0170 1234567", *TABLE, "--by", "otto", "--json"]
    for options, so_far, from_now_on in (([], True, True), (["--apply"], True, False), ([], False, False)):
        assert cli.main([*words, *options]) == cli.OK
        said = json.loads(capsys.readouterr().out)
        assert (said["texts_so_far"], said["texts_from_now_on"]) == (so_far, from_now_on)


def a_case(doors: Doors) -> None:
    """A row that waits for a person."""
    now = doors.salon.clock.now()
    case = Case(
        id="import-1",
        state=CaseState.REVIEW,
        failure=SyncFailure.HOST_UNAVAILABLE,
        origin=CaseOrigin.IMPORT,
        facts={"service": "herrenhaarschnitt", "staff": "fabian", "start": "2025-10-28T09:00:00Z"},
        opened_at=now,
        changed_at=now,
        customer=Customer("c1", "Erika Muster", "", "+491709999999"),
    )
    assert doors.deps.cases.open("friseur1", case, now=now)


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


def test_a_document_that_cannot_be_used_is_not_called_a_table_that_is_away(
    doors: Doors, capsys: pytest.CaptureFixture[str]
) -> None:
    tenant = read_tenant(EXAMPLE.read_text(encoding="utf-8"))
    DynamoTenants(doors.salon.table, parse=read_tenant, clock=doors.salon.clock).store(tenant, "{}")
    assert cli.main(["review", "list", "friseur1", *TABLE]) == cli.FAILED
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "the stored document of friseur1 cannot be used; see: config show"


def test_ctrl_c_is_one_line(doors: Doors, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def pressed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(doors.salon.client, "get_item", pressed)
    monkeypatch.setattr(doors.salon.client, "batch_get_item", pressed)
    assert cli.main(["review", "list", "friseur1", *TABLE]) == cli.CUT
    assert capsys.readouterr().err.splitlines()[-1].startswith("Cut off. What is written stands")
