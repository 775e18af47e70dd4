"""`python -m sandbox.operate` and `say`: what is filled in, and where options may stand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox import desk, say
from sandbox.operate import filled_in
from sandbox.salon import handle
from sandbox.stack.engine import REPOSITORY

KNOWN = {"--table": "T", "--audit-table": "A", "--calcom-secret": "S", "--calcom-url": "U", "--keys-secret": "K"}


@pytest.mark.parametrize(
    ("command", "more"),
    [
        ("review list friseur1", ["--table", "T"]),
        ("reconcile friseur1", ["--table", "T", "--calcom-secret", "S", "--calcom-url", "U"]),
        ("audit verify friseur1", ["--table", "T", "--audit-table", "A", "--keys-secret", "K"]),
        ("config check salon.json", []),
        ("erase friseur1 --table mine --phone 030", []),
        ("health --table=mine --all", ["--calcom-url", "U"]),
        ("no such command", []),
        ("", []),
    ],
)
def test_what_a_command_takes_and_was_not_told_is_filled_in(command: str, more: list[str]) -> None:
    assert filled_in(command.split(), KNOWN) == [*command.split(), *more]


STACK = handle.Handle(
    url="",
    retell_key="",
    clock_file="/none",
    agent="",
    number="",
    call="",
    calcom="U",
    table="T",
    audit_table="A",
    audit_keys="K",
    calcom_secret="S",
    aws={},
    dynamodb="",
    staff={},
    event_types={},
    zone="Europe/Berlin",
)


def test_help_lists_the_commands_and_says_what_is_filled_in(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(handle, "read", lambda: STACK)
    assert desk.main(["operate", "--help"]) == 0
    said = capfd.readouterr()
    assert "duplicates" in said.out
    assert "--table, --audit-table, --keys-secret, --calcom-secret, --calcom-url are filled in" in said.err
    assert desk.main(["operate", "review", "lst"]) == 2
    assert "are filled in: leave them out" in capfd.readouterr().err


ENDED = """
import sys, types
from sandbox import desk
from tests.sandbox.test_commands import STACK
desk.sys = types.SimpleNamespace(executable=sys.argv[1], stdout=sys.stdout)
sys.exit(desk._operate(["import"], STACK))
"""


def test_whoever_ends_the_desk_ends_the_command(tmp_path: Path) -> None:
    began = tmp_path / "began"
    long = tmp_path / "long"
    long.write_text(f"#!/bin/sh\necho $$ > {began}.new; mv {began}.new {began}\nexec sleep 60\n", encoding="utf-8")
    long.chmod(0o700)
    there = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    desk_of_somebody = subprocess.Popen([sys.executable, "-c", ENDED, str(long)], cwd=REPOSITORY, env=there)
    try:
        until = time.monotonic() + 30
        while not began.exists() and time.monotonic() < until:
            time.sleep(0.05)
        command = int(began.read_text(encoding="utf-8"))
        desk_of_somebody.terminate()
        assert desk_of_somebody.wait(30) == 128 + signal.SIGTERM
        with pytest.raises(ProcessLookupError):
            os.kill(command, 0)
    finally:
        desk_of_somebody.kill()


@pytest.mark.parametrize(
    "words",
    [
        ["--call", "c2", "name=Erika"],
        ["name=Erika", "--call", "c2"],
        ["--call=c2", "name=Erika", "--number", "anonymous"],
    ],
)
def test_options_of_a_call_stand_anywhere(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(handle, "read", lambda: None)
    assert say.main(["find_appointments", *words]) == 1
    assert "make run" in capsys.readouterr().err
