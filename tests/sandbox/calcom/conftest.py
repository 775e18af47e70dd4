"""A stand-in with the world of the captures, its clock standing still on the day they were made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from sandbox.calcom import CalcomStandIn, ManualClock
from sandbox.calcom.models import parse_instant
from tests.sandbox.calcom.captured import captured_world
from tests.sandbox.calcom.client import Client


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(parse_instant("2026-11-21T10:40:00Z"))


@pytest.fixture
def calcom(clock: ManualClock) -> Iterator[CalcomStandIn]:
    with CalcomStandIn(world=captured_world(clock)) as stand_in:
        yield stand_in


@pytest.fixture
def racing(calcom: CalcomStandIn) -> CalcomStandIn:
    """The same with a gap between check and insert that is wide even for a busy machine."""
    calcom.world.settings = replace(calcom.world.settings, check_to_insert_gap=0.15, requests_per_minute=0)
    return calcom


@pytest.fixture
def client(calcom: CalcomStandIn) -> Client:
    return Client(calcom)
