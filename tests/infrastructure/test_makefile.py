"""The commands a newcomer types first say what they do, and do what they say."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from requirements import install
from requirements.install import NO_NETWORK
from tests.infrastructure.stack import ROOT


def make(*arguments: str) -> str:
    done = subprocess.run(
        ["make", "--no-print-directory", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_help_names_every_command_and_says_all_of_it() -> None:
    said = make("help")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (commands,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)

    assert sorted(re.findall(r"^  make (\S+) +\S", said, re.MULTILINE)) == sorted(commands.split())
    assert "STAGE=dev|staging|prod" in said


@pytest.mark.parametrize(("once", "ends"), [("1", True), ("yes", True), ("0", False), ("no", False), ("", False)])
def test_once_means_what_it_says(once: str, ends: bool) -> None:
    assert ("--once" in make("--dry-run", "run", f"ONCE={once}").splitlines()[-1]) is ends


@pytest.mark.parametrize("stage", ["dev", "staging", "prod"])
def test_deploy_takes_the_settings_of_its_stage(stage: str) -> None:
    said = make("--dry-run", "deploy", f"STAGE={stage}")

    assert f"file://params/{stage}.yaml" in said
    assert f"--config-env {'default' if stage == 'dev' else stage} " in said


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (
            "'NewConnectionError('<...>: Failed to establish a new connection: [Errno -2] Name or service not known')'",
            "[Errno -2] Name or service not known",
        ),
        (
            "'ConnectTimeoutError(<...>, 'Connection to pypi.org timed out. (connect timeout=15.0)')': /simple/boto3/",
            "connect timeout=15.0",
        ),
        ("ERROR: No matching distribution found for nopkg==99", None),
        ("Collecting boto3==1.43.108 (from -r requirements/dev.txt (line 13))", None),
    ],
)
def test_missing_network_is_told_from_other_trouble(line: str, reason: str | None) -> None:
    found = NO_NETWORK.search(line)

    assert (next(group for group in found.groups() if group) if found else None) == reason


@pytest.mark.parametrize(
    ("venv", "said", "advice"),
    [
        ("exit('/usr/bin/python3: No module named venv')", "No module named venv", "apt install python3-venv"),
        (
            "exit('created successfully because ensurepip is not\\navailable. On Debian')",
            "ensurepip is not",
            "apt install python3-venv",
        ),
        ("exit('Error: [Errno 28] No space left on device')", "No space left on device", "see above"),
    ],
)
def test_what_venv_itself_said_is_shown(
    venv: str,
    said: str,
    advice: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{venv}"\n', encoding="utf-8")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    assert install.main(str(tmp_path / "venv"), str(ROOT / "requirements" / "engine.txt")) == 1
    err = capsys.readouterr().err
    assert said in err
    assert advice in err
    assert ("apt install" in err) is ("apt install" in advice)


def test_a_venv_that_is_a_link_is_called_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "venv").symlink_to(tmp_path / "file")
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert install.main(str(tmp_path / "venv"), str(ROOT / "requirements" / "engine.txt")) == 1
    err = capsys.readouterr().err
    assert "it is a link to" in err
    assert "apt install" not in err
