"""`python -m sandbox.operate` and `say`: what is filled in, and where options may stand."""

from __future__ import annotations

import pytest

from sandbox import say
from sandbox.operate import filled_in
from sandbox.salon import handle

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
