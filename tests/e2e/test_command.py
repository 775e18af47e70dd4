"""`python -m sandbox` and `python -m sandbox.say`: what they say where something is missing, and a real account."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import __main__ as command
from sandbox import say
from sandbox.calcom import CalcomStandIn
from sandbox.salon import calendar, handle, retell
from sandbox.salon.running import EXAMPLE, Account, CannotStart, running
from sandbox.salon.standin import StandIn
from sandbox.stack.engine import REPOSITORY, EngineMissing


def sandbox(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name not in {"CALCOM_API_KEY", "TENANT"}}
    command = [sys.executable, "-m", "sandbox", *arguments]
    return subprocess.run(
        command, cwd=REPOSITORY, env=clean | environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_without_the_engine_it_says_how_to_get_it(tmp_path: Path) -> None:
    ended = sandbox("--once", ENGINE_VENV=str(tmp_path / "nothing"))
    assert ended.returncode == 1
    assert "no engine in" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_real_account_is_never_taken_for_a_replay() -> None:
    ended = sandbox("--once", CALCOM_API_KEY="cal_live", TENANT=str(EXAMPLE))
    assert ended.returncode == 1
    assert "nothing is replayed against a real account" in ended.stderr


def test_a_real_account_needs_the_salon_that_is_on_it() -> None:
    ended = sandbox(CALCOM_API_KEY="cal_live")
    assert ended.returncode == 1
    assert "TENANT=" in ended.stderr


def test_an_unknown_incident_is_refused() -> None:
    ended = sandbox("--once", "--only", "I9")
    assert ended.returncode == 1
    assert "I9" in ended.stderr


def test_without_the_lambda_emulator_it_names_the_other_runtime(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def on_a_mac(**_: object) -> None:
        raise EngineMissing("the emulator is a Linux program")

    monkeypatch.setattr(command, "running", on_a_mac)
    monkeypatch.setattr(command, "terminate_as_interrupt", lambda: None)
    monkeypatch.delenv("CALCOM_API_KEY", raising=False)
    assert command.main(["--once"]) == 1
    assert "make run RUNTIME=in-process" in capsys.readouterr().err


@pytest.mark.engine
def test_with_an_account_the_functions_ask_that_calcom_with_that_key(tmp_path: Path) -> None:
    with CalcomStandIn() as elsewhere:
        account = Account("cal_live_key", elsewhere.url)
        theirs = StandIn(elsewhere.url, account.api_key)
        with running(runtime="in-process", account=account, scratch=tmp_path, progress=lambda _: None) as salon:
            assert not salon.has_standin
            theirs.setup(calendar.world(salon.tenant, api_key=account.api_key))
            line = retell.Line("call_1", salon.agent, salon.number, None, salon.now())
            wish = {"service": "Beratung", "date": "in drei Tagen"}
            body = retell.function_call(line, "check_availability", wish)
            url = f"{salon.stack.url}/retell/functions"
            answer = retell.send(url, body, key=salon.retell_key, now=salon.now())
    assert answer.body["status"] in {"available", "alternatives"}, answer


@pytest.mark.engine
def test_a_tenant_document_that_is_refused_stops_it(tmp_path: Path) -> None:
    broken = tmp_path / "salon.json"
    broken.write_text('{"id": "x", "name": "X"}', encoding="utf-8")
    starting = running(runtime="in-process", tenant=broken, scratch=tmp_path, progress=lambda _: None)
    with pytest.raises(CannotStart, match="was not accepted"), starting:
        pass


def test_saying_something_to_nobody(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(handle, "read", lambda: None)
    assert say.main(["check_availability", "date=morgen"]) == 1
    assert "make run" in capsys.readouterr().err
