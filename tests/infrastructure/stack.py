"""The template as CloudFormation will see it, for the tests of this directory."""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.stack.translate import load_yaml, translate

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template.yaml"
RELEASE = "1700000000"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stack:
    source: Json  # template.yaml as written, short tags in their long form
    translated: Json  # what SAM makes of it

    @classmethod
    def read(cls, template: Path = TEMPLATE, release: str = RELEASE) -> "Stack":
        parameters = {"Stage": "dev", "ReleaseId": release}
        return cls(source=load_yaml(template), translated=translate(template, parameters))

    def copy(self) -> "Stack":
        return copy.deepcopy(self)

    def of_type(self, kind: str) -> dict[str, Json]:
        return {
            name: resource.get("Properties", {})
            for name, resource in self.translated["Resources"].items()
            if resource["Type"] == kind
        }

    def properties(self, name: str) -> Json:
        return self.translated["Resources"][name]["Properties"]

    @property
    def functions(self) -> dict[str, Json]:
        return self.of_type("AWS::Lambda::Function")

    def policy_statements(self, function: str) -> list[Json]:
        """The statements of the function's own role."""
        role = self.functions[function]["Role"]["Fn::GetAtt"][0]
        return [
            statement
            for policy in self.properties(role).get("Policies", [])
            for statement in as_list(policy["PolicyDocument"]["Statement"])
        ]

    def routes(self) -> list[str]:
        return [
            f"{method.upper()} {path}"
            for api in self.of_type("AWS::ApiGatewayV2::Api").values()
            for path, methods in api["Body"]["paths"].items()
            for method in methods
        ]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def actions(statement: Json) -> list[str]:
    return [str(action) for action in as_list(statement["Action"])]
