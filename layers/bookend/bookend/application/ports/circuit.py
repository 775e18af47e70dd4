"""The circuit breakers of Cal.com as all instances share them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bookend.domain.circuit import Breaker, CircuitKind

if TYPE_CHECKING:
    from bookend.application.deadline import Deadline


@dataclass(frozen=True, slots=True)
class Turned:
    """What a breaker was and what it has become, by this very write."""

    before: Breaker
    after: Breaker


class Circuit(Protocol):
    """The breakers of one Cal.com, one for each kind."""

    def known(self, kind: CircuitKind, *, deadline: Deadline) -> Breaker:
        """The breaker as this instance knows it, seconds old; a closed one if nobody tells. Never raises."""
        ...

    def read(self) -> Mapping[CircuitKind, Breaker]:
        """Every breaker as it is now. Raises StoreUnavailable."""
        ...

    def turn(
        self, kind: CircuitKind, step: Callable[[Breaker], Breaker | None], *, deadline: Deadline
    ) -> Turned | None:
        """Write what `step` makes of the breaker as it is at that moment; None: it makes nothing of it.

        Of several that take a step at the same time each sees what the one before it has written. Raises
        StoreUnavailable, also where others were faster for too long.
        """
        ...
