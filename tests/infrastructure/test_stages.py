"""Each stage has its parameters and its settings, and a deploy cannot forget which stage it is."""

import re
import tomllib
from typing import Any

import pytest

from sandbox.stack.translate import load_yaml
from tests.infrastructure.stack import ROOT, Stack

STAGES = {"dev": "default", "staging": "staging", "prod": "prod"}
SAMCONFIG = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))


def values_of(stage: str) -> dict[str, Any]:
    return load_yaml(ROOT / "params" / f"{stage}.yaml")


@pytest.mark.parametrize("stage", STAGES)
def test_stage_gives_every_parameter_but_the_release(stage: str, deployed: Stack) -> None:
    assert values_of(stage).keys() == deployed.source["Parameters"].keys() - {"ReleaseId"}


@pytest.mark.parametrize("stage", STAGES)
def test_values_of_a_stage_are_accepted(stage: str, deployed: Stack) -> None:
    for name, value in values_of(stage).items():
        parameter = deployed.source["Parameters"][name]
        assert re.search(parameter.get("AllowedPattern", ""), str(value)), name
        assert value in parameter.get("AllowedValues", [value]), name


@pytest.mark.parametrize("stage", STAGES)
def test_stage_is_named_after_itself(stage: str) -> None:
    settings = SAMCONFIG[STAGES[stage]]

    assert values_of(stage)["Stage"] == stage
    assert settings["global"]["parameters"]["stack_name"] == f"bookend-{stage}"
    assert f"stage={stage}" in settings["deploy"]["parameters"]["tags"]


def test_parameters_are_in_their_files_alone() -> None:
    """A list in samconfig.toml is dropped without a word as soon as the command line names a ReleaseId."""
    assert "parameter_overrides" not in str(SAMCONFIG)


def test_prod_asks_before_it_changes() -> None:
    assert SAMCONFIG["prod"]["deploy"]["parameters"]["confirm_changeset"] is True


def test_no_secret_value_is_among_the_parameters() -> None:
    for stage in STAGES:
        for name, value in values_of(stage).items():
            assert "Secret" not in name or str(value).startswith("arn:aws:secretsmanager:")


@pytest.mark.parametrize(
    ("release", "accepted"),
    [
        ("1700000000", True),
        ("170000000", False),
        ("17000000000", False),
        ("170000000A", False),
        ("2024-01-01", False),
    ],
)
def test_release_is_ten_digits_or_small_letters(release: str, accepted: bool, deployed: Stack) -> None:
    pattern = deployed.source["Parameters"]["ReleaseId"]["AllowedPattern"]

    assert bool(re.search(pattern, release)) is accepted
