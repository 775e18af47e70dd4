"""What a planted bug is, and the small batteries that are to notice one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from typing import Any

import pytest

from bookend.domain.appointment import ChangeKind
from tests.application import battery as bookings
from tests.application.convergence import test_adopt, test_changes_alone, test_layers_alone, test_orders
from tests.application.convergence.world import Layer

Patch = pytest.MonkeyPatch
Plant = Callable[[Patch], None]


@dataclass(frozen=True)
class Battery:
    """A slice of a battery: what it is called, and the breaches that it finds. Silent without a bug.

    `set_up` is what must stand before the bug is put in.
    """

    name: str
    breaches: Callable[[], Iterator[str]] = field(compare=False)
    set_up: Callable[[], AbstractContextManager[Any]] = field(default=nullcontext, compare=False)


@dataclass(frozen=True)
class Bug:
    """One guarded line broken.

    `breaks` is what it does to a caller or to the salon; `expected` how the breach begins that must be reported, so
    that it is not noticed by accident. Without one it is the battery's only check.
    """

    plant: Plant
    breaks: str
    battery: Battery
    expected: str = ""

    @property
    def name(self) -> str:
        return self.plant.__name__

    def noticed(self) -> str | None:
        """The breach, if the battery finds it. The bug is in force already."""
        return next((each for each in self.battery.breaches() if each.startswith(self.expected)), None)


@dataclass(frozen=True)
class Redundant:
    """A bug that nothing notices while `cover` is there. With both taken out it is noticed; with `cover` alone taken
    out nothing is, or there would be no cover.
    """

    bug: Plant
    cover: Plant
    reason: str
    battery: Battery
    expected: str

    @property
    def name(self) -> str:
        return self.bug.__name__


# Batteries

_SECOND_LOST = bookings.Trouble(calendar_call=2, calendar_fault=bookings.LOST_AFTER)


def booked(*parts: str) -> Battery:
    """Scenes of two at once, and scenarios with nothing and with little going wrong, of the booking battery."""

    def breaches() -> Iterator[str]:
        for directed_ in bookings.DIRECTED:
            if directed_.__name__ in parts:
                yield from directed_()
        for name in parts:
            if name in bookings.SCENARIOS:
                for trouble in (bookings.NONE, _SECOND_LOST):
                    yield from bookings.play(bookings.SCENARIOS[name], trouble).breaches

    return Battery(f"bookings: {', '.join(parts)}", breaches)


def orders(whose: str, end: str, mode: str) -> Battery:
    """Events in every order, nothing lost, nothing doubled."""

    def breaches() -> Iterator[str]:
        test_orders._end_of.cache_clear()
        for order in test_orders.ORDERS:
            yield from test_orders.breaches_of(test_orders.Case(whose, end, mode, order))

    return Battery(f"orders: {whose} {end}, {mode}", breaches)


def alone(layer: Layer, calendar: str) -> Battery:
    """A turn that lives, and one that dies right after Cal.com has been asked; nobody tries again."""

    def breaches() -> Iterator[str]:
        for death in (test_layers_alone.Death(), test_layers_alone.Death(after_call=1)):
            case = test_layers_alone.Case(calendar, death, None, layer)
            yield from test_layers_alone.breaches_of(test_layers_alone.play(case))

    return Battery(f"{layer.name.lower()} alone: {calendar}", breaches)


def changed(layer: Layer, kind: ChangeKind, calendar: str, *, keep: bool = False, after_call: int = 0) -> Battery:
    """A move or a cancellation, and then one layer."""

    def breaches() -> Iterator[str]:
        death = test_changes_alone.Death(after_call=after_call)
        case = test_changes_alone.Case(kind, calendar, death, None, keep, layer)
        yield from test_changes_alone.breaches_of(test_changes_alone.play(case))

    how = f"{', kept' if keep else ''}{', dies' if after_call else ''}"
    return Battery(f"{layer.name.lower()} alone: {kind.value}, {calendar}{how}", breaches)


def scene(of: Callable[[Any], None]) -> Battery:
    """One scene of ADOPT, undisturbed."""

    def breaches() -> Iterator[str]:
        test_adopt._undisturbed.cache_clear()
        yield from test_adopt.breaches_of(test_adopt.Case(of))

    return Battery(f"adopt: {of.__name__}", breaches)


def directed(of: Callable[[], list[str]]) -> Battery:
    """A scene written out for one danger."""
    return Battery(f"directed: {of.__name__}", lambda: iter(of()))


def one_test(test: Callable[..., None], *given: Any, also: Plant | None = None, **made: Callable[[], Any]) -> Battery:
    """A test of its own. `made` stand for its fixtures. `also` is no bug, but takes away what would make up for it."""

    def breaches() -> Iterator[str]:
        with pytest.MonkeyPatch.context() as patch, ExitStack() as opened:
            if also is not None:
                also(patch)
            fixtures = {name: _entered(opened, make()) for name, make in made.items()}
            try:
                test(*given, **fixtures)
            except (AssertionError, ValueError, pytest.fail.Exception) as failed:
                yield f"{test.__name__}: {failed}"

    # By name: a function's address differs from process to process, and so would the test's.
    about = f" ({', '.join(getattr(each, '__name__', str(each)) for each in given)})" if given else ""
    return Battery(f"{test.__name__}{about}", breaches)


def _entered(opened: ExitStack, fixture: Any) -> Any:
    return opened.enter_context(fixture) if isinstance(fixture, AbstractContextManager) else fixture


def table_of(*bugs: Bug) -> Mapping[str, Bug]:
    """By name.

    Raises:
        ValueError: two have one name.
    """
    named = {each.name: each for each in bugs}
    if len(named) != len(bugs):
        msg = "two planted bugs have one name"
        raise ValueError(msg)
    return named
