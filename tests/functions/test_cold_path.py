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


def imported(door: str, settings: dict[str, str] | None = None) -> dict[str, Any]:
    """What importing the handler brings in, with nothing in the environment but `settings`."""
    run = subprocess.run(
        [sys.executable, "-c", PROBE, str(ROOT / "functions" / door / "handler.py")],
        env={"PYTHONPATH": str(ROOT / "layers" / "bookend"), "PATH": "/usr/bin:/bin", **(settings or {})},
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


EVERY_DOOR = sorted(path.parent.name for path in (ROOT / "functions").glob("*/handler.py"))
SETTINGS = {
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_DEFAULT_REGION": "eu-central-1",
    "TABLE_NAME": "t",
    "STAGE": "dev",
    "RELEASE_ID": "0123456789",
    "RETELL_KEYS_SECRET_ARN": "arn:r",
    "CALCOM_SECRET_ARN": "arn:c",
    "CALCOM_WEBHOOK_SECRETS_ARN": "arn:w",
    "CALCOM_BASE_URL": "https://api.cal.com",
    "AUDIT_TABLE_NAME": "a",
    "AUDIT_KEYS_SECRET_ARN": "arn:a",
    "SYNC_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/1/q",
}


@pytest.mark.parametrize("door", EVERY_DOOR)
def test_in_a_starting_lambda_the_clients_are_built_before_anybody_waits(door: str) -> None:
    """No credentials and no network: building asks nobody."""
    modules = imported(door, SETTINGS)["modules"]
    assert "botocore.client" in modules
    if door in {"retell_functions", "sync_worker", "reconciliation"}:
        assert {"httpx", "bookend.adapters.calcom.client"} <= {*modules}


@pytest.mark.parametrize("door", DOORS)
def test_importing_needs_no_setting_and_opens_nothing(door: str) -> None:
    """`imported` gives no environment: a door that read it, or spoke to Amazon, at import would have failed."""
    assert "bookend.bootstrap" in imported(door)["modules"]


def test_a_heavy_import_would_be_noticed(tmp_path: Path) -> None:
    handler = tmp_path / "handler.py"
    handler.write_text("import httpx\n\ndef lambda_handler(): ...\n")
    run = subprocess.run([sys.executable, "-c", PROBE, str(handler)], capture_output=True, text=True, check=True)
    assert "httpx" in json.loads(run.stdout)["modules"]
