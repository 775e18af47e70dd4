"""What a request came to, in a form in which engines can be compared."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

Outcome = dict[str, Any]

# Sent unasked by some engines; nobody decides anything by them.
_METERS = {"ResponseMetadata", "ConsumedCapacity", "ItemCollectionMetrics"}


def plain(value: Any) -> Any:
    """Sets without order, numbers by value, keys sorted: equal exactly if DynamoDB says the same."""
    if isinstance(value, dict):
        if len(value) == 1:
            ((kind, content),) = value.items()
            if kind == "N" and isinstance(content, str):
                return {"N": str(Decimal(content).normalize())}
            if kind in {"SS", "NS", "BS"} and isinstance(content, list):
                members = [str(Decimal(m).normalize()) if kind == "NS" else m for m in content]
                return {kind: sorted(members)}
        return {name: plain(child) for name, child in sorted(value.items()) if name not in _METERS}
    return [plain(child) for child in value] if isinstance(value, list) else value


def outcome(call: Callable[..., Any], parameters: dict[str, Any]) -> Outcome:
    """The answer, or the error's code with what came along: reasons of a transaction and old items.

    Messages are left out: only AWS's own are right, and no engine has all of them.
    """
    try:
        answer = call(**parameters)
    except ClientError as error:
        response: dict[str, Any] = {**error.response}
        found: Outcome = {"error": response["Error"]["Code"]}
        if "CancellationReasons" in response:
            reasons = response["CancellationReasons"]
            found["reasons"] = [reason["Code"] for reason in reasons]
            found["items"] = [plain(reason.get("Item")) for reason in reasons]
        elif "Item" in response:
            found["items"] = [plain(response["Item"])]
        return found
    except (AssertionError, AttributeError, LookupError, TypeError, ValueError) as fault:
        # moto in process: its own faults come out as what they are.
        return {"error": type(fault).__name__}
    return {"ok": plain(answer)}
