"""CloudFormation's intrinsic functions, as far as a template of ours uses them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox.stack.translate import REGION

ACCOUNT = "000000000000"
"""The account of the local engine; every ARN here carries it."""

_NO_VALUE = object()
_PLACEHOLDER = re.compile(r"\$\{(!?)([^}]+)\}")


class UnknownIntrinsic(Exception):
    """The template uses a function or a reference that the sandbox cannot work out."""


@dataclass(frozen=True)
class Physical:
    """A resource that exists: what `Ref` gives, and what `Fn::GetAtt` gives by attribute name."""

    ref: str
    attributes: Mapping[str, str] = field(default_factory=dict)


class Resolver:
    """Works out references, conditions and pseudo parameters of one translated template.

    `physical` names what was created. A resource that is not in it answers with made-up but stable names, so
    that a template can be read before (or without) anything being created.
    """

    def __init__(
        self,
        template: dict[str, Any],
        parameters: Mapping[str, str] | None = None,
        *,
        physical: Mapping[str, Physical] | None = None,
        stack_name: str = "sandbox",
    ) -> None:
        self._template = template
        self._given = dict(parameters or {})
        self._stack_name = stack_name
        self._resources: dict[str, Any] = template.get("Resources", {})
        self._physical = dict(physical or {})
        declared = template.get("Parameters", {})
        self._parameters: dict[str, Any] = {
            name: self._given.get(name, spec.get("Default", "")) for name, spec in declared.items()
        }
        self._pseudo: dict[str, Any] = {
            "AWS::Region": REGION,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": stack_name,
            "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{stack_name}/0",
            "AWS::NotificationARNs": [],
            "AWS::NoValue": _NO_VALUE,
        }

    def knowing(self, physical: Mapping[str, Physical]) -> "Resolver":
        """The same resolver, once `physical` was created."""
        return Resolver(
            self._template,
            self._given,
            physical={**self._physical, **physical},
            stack_name=self._stack_name,
        )

    def live_resources(self) -> dict[str, Any]:
        """The resources whose condition holds, by logical id, unresolved."""
        return {
            logical_id: resource
            for logical_id, resource in self._resources.items()
            if "Condition" not in resource or self.condition(resource["Condition"])
        }

    def properties(self, logical_id: str) -> dict[str, Any]:
        """The resolved properties of one resource."""
        resolved = self.resolve(self._resources[logical_id].get("Properties", {}))
        if not isinstance(resolved, dict):
            raise UnknownIntrinsic(f"the properties of {logical_id} are no mapping")
        return resolved

    def resolve(self, value: Any) -> Any:
        """Return `value` with every intrinsic in it replaced."""
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not _NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            if name == "Ref":
                return self.ref(argument)
            if name == "Condition" and isinstance(argument, str):
                return self.condition(argument)
            if name.startswith("Fn::"):
                return self._call(name.removeprefix("Fn::"), argument)
        resolved = {key: self.resolve(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not _NO_VALUE}

    def condition(self, name: str) -> bool:
        """Whether the named condition of the template holds."""
        try:
            return bool(self.resolve(self._template["Conditions"][name]))
        except KeyError as missing:
            raise UnknownIntrinsic(f"no condition {name}") from missing

    def ref(self, name: str) -> Any:
        """What `Ref` gives for a parameter, a pseudo parameter or a resource."""
        if name in self._pseudo:
            return self._pseudo[name]
        if name in self._parameters:
            return self._parameters[name]
        if name in self._physical:
            return self._physical[name].ref
        if name not in self._resources:
            raise UnknownIntrinsic(f"Ref to {name}, which the template does not have")
        kind = self._resources[name]["Type"]
        if kind in {"AWS::Lambda::Alias", "AWS::Lambda::Version"}:
            properties = self._resources[name]["Properties"]
            qualifier = properties.get("Name", "1")
            function = self._function_name(self.resolve(properties["FunctionName"]))
            return f"{function_arn(function)}:{qualifier}"
        if kind == "AWS::SNS::Topic":
            return f"arn:aws:sns:{REGION}:{ACCOUNT}:{name}"
        return name

    def attribute(self, name: str, attribute: str) -> str:
        """What `Fn::GetAtt` gives."""
        if name in self._physical:
            try:
                return self._physical[name].attributes[attribute]
            except KeyError as missing:
                raise UnknownIntrinsic(f"{name} has no attribute {attribute} here") from missing
        if name not in self._resources:
            raise UnknownIntrinsic(f"GetAtt of {name}, which the template does not have")
        kind = self._resources[name]["Type"]
        if kind == "AWS::Lambda::Function" and attribute == "Arn":
            return function_arn(name)
        if kind == "AWS::Lambda::Version" and attribute == "Version":
            return "1"
        if attribute.endswith("Arn"):
            service, _, thing = kind.removeprefix("AWS::").partition("::")
            return f"arn:aws:{service.lower()}:{REGION}:{ACCOUNT}:{thing.lower()}/{name}"
        return f"{name}.{attribute}"

    def _function_name(self, reference: str) -> str:
        return function_name(reference) or reference

    def _call(self, name: str, argument: Any) -> Any:
        match name:
            case "GetAtt":
                logical_id, attribute = argument.split(".", 1) if isinstance(argument, str) else argument
                return self.attribute(logical_id, self.resolve(attribute))
            case "Sub":
                return self._substitute(argument)
            case "If":
                condition, then, otherwise = argument
                return self.resolve(then if self.condition(condition) else otherwise)
            case "Join":
                separator, parts = argument
                return str(separator).join(str(part) for part in self.resolve(parts))
            case "Select":
                index, items = argument
                return self.resolve(items)[int(self.resolve(index))]
            case "Split":
                separator, text = argument
                return str(self.resolve(text)).split(separator)
            case "FindInMap":
                table, first, second = (self.resolve(part) for part in argument)
                return self.resolve(self._template["Mappings"][table][first][second])
            case "Equals":
                left, right = (self.resolve(part) for part in argument)
                return str(left) == str(right)
            case "Not":
                return not self.resolve(argument[0])
            case "And":
                return all(self.resolve(part) for part in argument)
            case "Or":
                return any(self.resolve(part) for part in argument)
            case _:
                raise UnknownIntrinsic(f"Fn::{name} is not supported in the sandbox")

    def _substitute(self, argument: Any) -> str:
        text, names = argument if isinstance(argument, list) else (argument, {})

        def value(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return "${" + name + "}"
            if name in names:
                return str(self.resolve(names[name]))
            if "." in name:
                return str(self.attribute(*name.split(".", 1)))
            return str(self.ref(name))

        return _PLACEHOLDER.sub(value, text)


def function_arn(name: str) -> str:
    """The ARN that a local function goes by."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def function_name(reference: str) -> str | None:
    """The logical id in a function's ARN, alias ARN or API Gateway integration URI; None if it names no function."""
    found = re.search(r":function:([^:/]+)", reference)
    return found.group(1) if found else None
