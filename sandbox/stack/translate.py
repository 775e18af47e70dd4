"""SAM to CloudFormation, offline, by the library that AWS itself runs at deploy time."""

import os
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, unquote

import yaml

REGION = "eu-central-1"
LOCAL_SOURCE = "local-source"
"""Pretended bucket of every CodeUri and ContentUri; the key is the path in the template, percent-encoded."""

_CODE_PROPERTY = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
}


def translate(template_path: str | Path, parameters: dict[str, str] | None = None) -> dict[str, Any]:
    """Return the CloudFormation template that the SAM template at `template_path` expands to.

    Parameters keep their references; SAM itself looks only into those it must know to generate resources.
    Code stays where it is: `local_path` finds it again from the translated properties.
    """
    template = load_yaml(template_path)
    _point_code_at_pretended_bucket(template)
    # The library builds ARNs with boto3 and wants a region, though it calls nobody.
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    # Half a second of imports that only this function needs.
    from samtranslator.translator.transform import transform  # noqa: PLC0415

    return cast("dict[str, Any]", transform(template, dict(parameters or {}), _NoManagedPolicies()))


def local_path(code: dict[str, Any], base: Path) -> Path | None:
    """Where a function's `Code` or a layer's `Content` lies on this machine, None for other code."""
    if code.get("S3Bucket") != LOCAL_SOURCE:
        return None
    return (base / unquote(str(code["S3Key"]))).resolve()


def load_yaml(path: str | Path) -> dict[str, Any]:
    """Read a template with CloudFormation's short tags (!Ref, !Sub, !GetAtt ...) in their long form."""
    with Path(path).open(encoding="utf-8") as file:
        # It is a SafeLoader, which bandit cannot see.
        read: dict[str, Any] = yaml.load(file, Loader=_CloudFormationLoader)  # nosec B506
        return read


class _NoManagedPolicies:
    """Stands in for the IAM look-up of managed policies by name; ARNs in the template need none."""

    def load(self) -> dict[str, str]:
        return {}


class _CloudFormationLoader(yaml.SafeLoader):  # type: ignore[misc, unused-ignore]
    """A loader of its own, so that the tags are not taught to every SafeLoader of the process."""


def _short_tag(loader: _CloudFormationLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = str(value).split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(cast("yaml.MappingNode", node), deep=True)
    return {name: value}


_CloudFormationLoader.add_multi_constructor("!", _short_tag)
# A plain date such as 2012-10-17 is a string to CloudFormation.
_CloudFormationLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _point_code_at_pretended_bucket(template: dict[str, Any]) -> None:
    function_globals = template.get("Globals", {}).get("Function", {})
    for properties, key in [
        (function_globals, "CodeUri"),
        *(
            (resource.get("Properties", {}), _CODE_PROPERTY[resource["Type"]])
            for resource in template.get("Resources", {}).values()
            if resource.get("Type") in _CODE_PROPERTY
        ),
    ]:
        if isinstance(properties.get(key), str) and not properties[key].startswith("s3://"):
            properties[key] = f"s3://{LOCAL_SOURCE}/{quote(properties[key], safe='')}"
