"""`sam build` makes a layer that Lambda can load, and load fast."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.infrastructure.stack import ROOT, TEMPLATE, Stack

pytestmark = pytest.mark.build

LAYER = ROOT / "layers" / "bookend"
UNCHECKED_HASH = 1
AARCH64 = 183


def python313() -> str:
    """The interpreter that the layer's Makefile finds, or nothing."""
    asked = subprocess.run(
        ["make", "--silent", "--file", LAYER / "Makefile", "--eval", "found:;@echo $(PYTHON)", "found"],
        capture_output=True,
        text=True,
        check=True,
    )
    return asked.stdout.strip()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not python313():
        pytest.skip("NO PYTHON 3.13 ON THIS MACHINE: the layer is not built, so nothing here is tested")
    directory = tmp_path_factory.mktemp("build")
    done = subprocess.run(
        [
            Path(sys.executable).parent / "sam",
            "build",
            "--template",
            TEMPLATE,
            "--build-dir",
            directory,
            "--no-cached",
            "--parallel",
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "eu-central-1"},
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return directory


@pytest.fixture(scope="module")
def site(built: Path) -> Path:
    """What Lambda unpacks to /opt/python."""
    return built / "BookendLayer" / "python"


def test_layer_holds_the_package_where_lambda_imports_from(site: Path) -> None:
    source = {file.relative_to(LAYER) for file in (LAYER / "bookend").rglob("*.py")}

    assert {file.relative_to(site) for file in (site / "bookend").rglob("*.py")} == source


def test_every_native_library_is_for_arm64(site: Path) -> None:
    libraries = list(site.rglob("*.so"))

    assert [file for file in libraries if file.name.startswith("_pydantic_core.cpython-313-")]
    for library in libraries:
        (machine,) = struct.unpack_from("<H", library.read_bytes()[:20], 18)
        assert machine == AARCH64, library.name


def test_every_module_is_compiled_so_that_lambda_never_checks_it(site: Path) -> None:
    """Lambda cannot write to /opt, and the zip loses the times that an ordinary .pyc is checked against."""
    for module in site.rglob("*.py"):
        compiled = module.parent / "__pycache__" / f"{module.stem}.cpython-313.pyc"
        (flags,) = struct.unpack_from("<I", compiled.read_bytes()[:8], 4)
        assert flags == UNCHECKED_HASH, compiled.name


def test_tracebacks_name_the_path_on_lambda(site: Path) -> None:
    compiled = (site / "bookend" / "__pycache__" / "__init__.cpython-313.pyc").read_bytes()

    assert b"/opt/python/bookend/__init__.py" in compiled
    assert str(site).encode() not in compiled


def test_layer_ships_nothing_else(site: Path) -> None:
    # boto3 comes with the runtime; the X-Ray SDK costs a caller a sixth of a second, retell-sdk a whole one.
    packages = {"aws_xray_sdk", "boto3", "botocore", "retell", "bin"}
    files = {"tests", "pyproject.toml", "requirements.txt", "Makefile"}

    assert not packages & {entry.name for entry in site.iterdir()}
    assert not files & {file.name for file in site.rglob("*")}
    assert [file.name for file in site.parent.iterdir()] == ["python"]


def test_functions_are_their_handlers_alone(built: Path, deployed: Stack) -> None:
    """All else is in the layer, compiled."""
    shipped = {function: [file.name for file in (built / function).iterdir()] for function in deployed.functions}

    assert shipped == {function: ["handler.py"] for function in deployed.functions}
