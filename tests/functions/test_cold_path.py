"""What a caller waits for before the first line of ours runs: imports, in a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PROBE = """
import json, runpy, sys, time
began = time.perf_counter()
module = runpy.run_path(sys.argv[1], run_name="handler")
seconds = time.perf_counter() - began
print(json.dumps({"ms": round(seconds * 1000), "modules": sorted(sys.modules), "handler": "lambda_handler" in module}))
"""
DOORS = ["retell_functions", "retell_events"]
HEAVY = {
    "httpx": "90 ms, needed once Cal.com is asked",
    "httpcore": "comes with httpx",
    "aws_xray_sdk": "tracing is off",
    "retell": "a second, for 20 lines",
    "dateparser": "tests only",
    "jinja2": "nothing is rendered",
}


def imported(door: str) -> dict[str, Any]:
    """What importing the handler brings in, with nothing in the environment."""
    run = subprocess.run(
        [sys.executable, "-c", PROBE, str(ROOT / "functions" / door / "handler.py")],
        env={"PYTHONPATH": str(ROOT / "layers" / "bookend"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert run.stderr == ""
    found: dict[str, Any] = json.loads(run.stdout)
    return found


@pytest.mark.parametrize("door", DOORS)
def test_nothing_heavy_before_it_is_used(door: str) -> None:
    found = imported(door)
    assert found["handler"]
    print(f"\n{door}: {found['ms']} ms, {len(found['modules'])} modules")
    tops = {name.partition(".")[0] for name in found["modules"]}
    assert {name: why for name, why in HEAVY.items() if name in tops} == {}
    assert "bookend.adapters.calcom.client" not in found["modules"]


@pytest.mark.xfail(
    strict=True,
    reason="adapters/dynamodb/items.py imports boto3.dynamodb.types, and with it all of boto3 (250 ms here)",
)
@pytest.mark.parametrize("door", DOORS)
def test_no_boto3_before_the_first_client(door: str) -> None:
    assert "boto3" not in imported(door)["modules"]


@pytest.mark.parametrize("door", DOORS)
def test_importing_needs_no_setting_and_opens_nothing(door: str) -> None:
    """`imported` gives no environment: a door that read it, or spoke to Amazon, at import would have failed."""
    assert "bookend.bootstrap" in imported(door)["modules"]


def test_a_heavy_import_would_be_noticed(tmp_path: Path) -> None:
    handler = tmp_path / "handler.py"
    handler.write_text("import httpx\n\ndef lambda_handler(): ...\n")
    run = subprocess.run([sys.executable, "-c", PROBE, str(handler)], capture_output=True, text=True, check=True)
    assert "httpx" in json.loads(run.stdout)["modules"]
