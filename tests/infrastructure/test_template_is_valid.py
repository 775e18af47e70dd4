"""What a deploy would refuse is found before: by SAM's linter, and by CloudFormation's on SAM's output.

SAM's linter does not expand the template: it calls a wrong !Ref in Globals, a policy or an event valid.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from samtranslator.model.exceptions import InvalidDocumentException

from tests.infrastructure.stack import TEMPLATE, Stack

BIN = Path(sys.executable).parent
ENVIRONMENT = {**os.environ, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "eu-central-1"}


def run(*command: str | Path) -> tuple[int, str]:
    done = subprocess.run(
        [str(BIN / command[0]), *map(str, command[1:])],
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
        cwd=TEMPLATE.parent,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def findings(template: Path, workspace: Path) -> str:
    """What SAM or the linter has against the expanded template; empty if nothing."""
    try:
        stack = Stack.read(template)
    except InvalidDocumentException as refusal:
        return str(refusal.message) + "".join(str(cause.message) for cause in refusal.causes)
    expanded = workspace / "expanded.json"
    expanded.write_text(json.dumps(stack.translated), encoding="utf-8")
    code, output = run("cfn-lint", expanded)
    return output or ("cfn-lint failed" if code else "")


def test_sam_finds_the_template_valid() -> None:
    code, output = run("sam", "validate", "--lint", "--template", TEMPLATE)

    assert code == 0, output


def test_linter_has_nothing_against_the_expanded_template(tmp_path: Path) -> None:
    assert findings(TEMPLATE, tmp_path) == ""


MISTAKES = {
    "ref-in-globals": (
        "TABLE_NAME: !Ref AppointmentsTable",
        "TABLE_NAME: !Ref Appointments",
        "E1020",
    ),
    "getatt-in-policy": (
        "Resource: !GetAtt AppointmentsTable.Arn",
        "Resource: !GetAtt AppointmentsTable.Name",
        "E1010",
    ),
    "ref-in-policy-template": (
        "      Policies:\n",
        "      Policies:\n        - DynamoDBReadPolicy: {TableName: !Ref Appointments}\n",
        "E1020",
    ),
    "name-of-policy-template": (
        "      Policies:\n",
        "      Policies:\n        - DynamoDBReadPolcy: {TableName: !Ref AppointmentsTable}\n",
        "Policy at index 0",
    ),
    "getatt-in-event": (
        "        Call:\n",
        "        Queue: {Type: SQS, Properties: {Queue: !GetAtt AppointmentsTable.Queue}}\n        Call:\n",
        "E1010",
    ),
    "api-of-a-route": (
        "ApiId: !Ref BookendApi\n",
        "ApiId: !Ref Api\n",
        "ApiId must be a valid reference",
    ),
}


@pytest.mark.parametrize(("written", "mistake", "complaint"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistake_is_found(written: str, mistake: str, complaint: str, tmp_path: Path) -> None:
    text = TEMPLATE.read_text(encoding="utf-8")
    assert written in text
    spoilt = tmp_path / "template.yaml"
    spoilt.write_text(text.replace(written, mistake, 1), encoding="utf-8")

    assert complaint in findings(spoilt, tmp_path)
