"""One invocation of a function and what came of it; the same from every runtime."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol


class Failure(StrEnum):
    """How an invocation can end without a payload."""

    RAISED = "raised"
    """The handler raised, or returned what is no JSON."""
    TIMED_OUT = "timed out"
    EXITED = "exited"
    """The process ended during the invocation, or never came up."""


@dataclass(frozen=True)
class InvokeResult:
    """The handler's return value, or how it failed."""

    payload: Any = None
    failure: Failure | None = None
    error_type: str = ""
    error_message: str = ""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether the handler returned."""
        return self.failure is None


class Runtime(Protocol):
    """Runs functions by their logical id."""

    def invoke(self, function: str, event: Any) -> InvokeResult:
        """Hand `event` to the function and wait for the outcome; failures of the function are results."""
        ...

    def logs(self) -> Mapping[str, str]:
        """What the functions printed, by log name."""
        ...

    def close(self) -> None:
        """End everything that runs."""
        ...
