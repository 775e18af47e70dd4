"""Typed attribute values: what DynamoDB accepts, how it normalises, compares and measures them."""

import re
from collections.abc import Iterable, Mapping
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any

type_names = {
    "S": "STRING",
    "N": "NUMBER",
    "B": "BINARY",
    "BOOL": "BOOLEAN",
    "NULL": "NULL",
    "L": "LIST",
    "M": "MAP",
    "SS": "STRING SET",
    "NS": "NUMBER SET",
    "BS": "BINARY SET",
}

AttributeValue = dict[str, Any]
Item = dict[str, AttributeValue]

MAX_ITEM_BYTES = 400 * 1024
MAX_NESTING = 32
_ARITHMETIC = Context(prec=38)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,9})?")


class InvalidValue(Exception):
    """A value that DynamoDB refuses; the text is the message of its ValidationException."""


def kind_of(value: AttributeValue) -> str:
    """The type letter of a value: ``{"N": "1"}`` -> ``N``."""
    return next(iter(value))


@lru_cache(maxsize=4096)
def number(text: str) -> Decimal:
    """A number within DynamoDB's limits (38 digits, 1E-130 to 9.99E+125), or `InvalidValue`."""
    if not _NUMBER.fullmatch(text):
        raise InvalidValue(f"The parameter cannot be converted to a numeric value: {text}")
    parsed = Decimal(text)
    if parsed.is_zero():
        return Decimal(0)
    digits = "".join(map(str, parsed.as_tuple().digits)).strip("0")
    if len(digits) > 38:
        raise InvalidValue("Attempting to store more than 38 significant digits in a Number")
    if parsed.adjusted() > 125:
        raise InvalidValue("Number overflow. Attempting to store a number with magnitude larger than supported range")
    if parsed.adjusted() < -130:
        raise InvalidValue("Number underflow. Attempting to store a number with magnitude smaller than supported range")
    return parsed


def number_text(value: Decimal) -> str:
    """The way DynamoDB writes a number back: no exponent, no trailing zeros, no ``-0``."""
    if value.is_zero():
        return "0"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def add(left: AttributeValue, right: AttributeValue, sign: int = 1) -> AttributeValue:
    """``left + right`` or ``left - right`` for two numbers, exact to 38 digits."""
    a, b = number(left["N"]), number(right["N"])
    total = _ARITHMETIC.add(a, b) if sign > 0 else _ARITHMETIC.subtract(a, b)
    return {"N": number_text(number(str(total)))}


def normalised(value: AttributeValue, depth: int = 1) -> AttributeValue:
    """A checked deep copy as the table stores it. Raises `InvalidValue`."""
    if depth > MAX_NESTING:
        raise InvalidValue(
            "Nesting Levels have exceeded supported limits: "
            "Attributes in the item have nested levels beyond supported limit"
        )
    if len(value) != 1:
        raise InvalidValue(
            "Supplied AttributeValue has more than one datatypes set, "
            "must contain exactly one of the supported datatypes"
            if value
            else "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"
        )
    ((kind, content),) = value.items()
    match kind:
        case "S" | "BOOL":
            return {kind: content}
        case "N":
            return {"N": number_text(number(content))}
        case "B":
            return {"B": bytes(content)}
        case "NULL":
            if content is not True:
                raise InvalidValue(
                    "One or more parameter values were invalid: Null attribute value types must have the value of true"
                )
            return {"NULL": True}
        case "M":
            return {"M": {name: normalised(child, depth + 1) for name, child in content.items()}}
        case "L":
            return {"L": [normalised(child, depth + 1) for child in content]}
        case "SS" | "NS" | "BS":
            return {kind: _normalised_set(kind, content)}
        case _:
            raise InvalidValue("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")


def _normalised_set(kind: str, members: Iterable[Any]) -> list[Any]:
    stored = [next(iter(normalised({kind[0]: member}).values())) for member in members]
    if not stored:
        noun = {"SS": "string set", "NS": "number set", "BS": "binary set"}[kind]
        raise InvalidValue(f"One or more parameter values were invalid: An {noun}  may not be empty")
    if len(set(stored)) != len(stored):
        raise InvalidValue(
            f"One or more parameter values were invalid: Input collection {list(members)} contains duplicates."
        )
    return sorted(stored, key=Decimal) if kind == "NS" else sorted(stored)


def copied(value: AttributeValue) -> AttributeValue:
    """A deep copy of a stored value; several times faster than `copy.deepcopy`."""
    ((kind, content),) = value.items()
    if kind == "M":
        return {"M": {name: copied(child) for name, child in content.items()}}
    if kind == "L":
        return {"L": [copied(child) for child in content]}
    if kind in {"SS", "NS", "BS"}:
        return {kind: list(content)}
    return {kind: content}


def copied_item(item: Mapping[str, AttributeValue]) -> Item:
    return {name: copied(value) for name, value in item.items()}


def comparable(value: AttributeValue) -> Any:
    """Something that is equal exactly when two values of one type are equal; ordered for S, N and B."""
    ((kind, content),) = value.items()
    match kind:
        case "N":
            return Decimal(content)
        case "B":
            return bytes(content)
        case "SS" | "BS":
            return frozenset(content)
        case "NS":
            return frozenset(Decimal(member) for member in content)
        case "L":
            return [(kind_of(child), comparable(child)) for child in content]
        case "M":
            return {name: (kind_of(child), comparable(child)) for name, child in content.items()}
        case _:
            return content


def equal(left: AttributeValue, right: AttributeValue) -> bool:
    """Equality of type and value: ``{"N": "1"}`` equals ``{"N": "1.0"}`` and never ``{"S": "1"}``."""
    return kind_of(left) == kind_of(right) and bool(comparable(left) == comparable(right))


def in_order(left: AttributeValue, right: AttributeValue) -> bool:
    """``left <= right``; false for different types, as DynamoDB has no order between them."""
    if kind_of(left) != kind_of(right) or kind_of(left) not in {"S", "N", "B"}:
        return False
    return bool(comparable(left) <= comparable(right))


def length(value: AttributeValue) -> int | None:
    """What the expression function ``size`` returns; None where it is not defined."""
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode("utf-16-le")) // 2
    return len(content) if kind in {"B", "L", "M", "SS", "NS", "BS"} else None


@lru_cache(maxsize=4096)
def _number_bytes(text: str) -> int:
    sign, digits, exponent = Decimal(text).as_tuple()
    significant = "".join(map(str, digits)).strip("0")
    # Stored in base 100 around the decimal point: an odd exponent or an odd count costs half a byte more.
    trailing = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    padding = (int(exponent) + trailing) % 2
    return 1 + (len(significant) + padding + 1) // 2 + sign


def value_bytes(value: AttributeValue) -> int:
    """The size of a value by the rules of the developer guide ("Item sizes and formats")."""
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return _number_bytes(content)
        case "B":
            return len(content)
        case "SS" | "NS" | "BS":
            return sum(value_bytes({kind[0]: member}) for member in content)
        case "L":
            return 3 + sum(1 + value_bytes(child) for child in content)
        case "M":
            return 3 + sum(1 + len(name.encode()) + value_bytes(child) for name, child in content.items())
        case _:
            return 1


def item_bytes(item: Mapping[str, AttributeValue]) -> int:
    return sum(len(name.encode()) + value_bytes(value) for name, value in item.items())
