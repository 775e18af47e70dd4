"""The rules of the breaker, step by step."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bookend.domain.circuit import CALM, FAILURES, LEASE, PAUSES, UNATTENDED, WINDOW, Breaker, CircuitState

NOW = datetime(2025, 10, 27, 9, 0, tzinfo=UTC)
CLOSED, OPEN, HALF = CircuitState


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def failing(breaker: Breaker, *moments: datetime, why: str = "ReadTimeout") -> Breaker:
    for moment in moments:
        breaker = breaker.failed(why, moment) or breaker
    return breaker


def opened(now: datetime = NOW, breaker: Breaker | None = None) -> Breaker:
    return failing(breaker or Breaker(), *[now] * FAILURES)


def probed(breaker: Breaker, now: datetime, trouble: str | None) -> Breaker:
    """A probe is made and ends at once."""
    claimed = breaker.claimed("p", now)
    assert claimed is not None
    ended = claimed.probed("p", trouble, now)
    assert ended is not None
    return ended


@pytest.mark.parametrize(
    ("seconds", "state", "failures"),
    [
        ([0, 1, 2, 3], CLOSED, 4),
        ([0, 1, 2, 3, 4], OPEN, 5),
        ([0, 7, 14, 21, 29.9], OPEN, 5),
        ([0, 7, 14, 21, 30], CLOSED, 1),
        ([0, 31, 62, 93, 124, 155], CLOSED, 1),
        ([0, 1, 2, 40, 41, 42, 43, 44], OPEN, 5),
        ([5, 4, 3, 2, 1], OPEN, 5),  # five clocks that disagree
    ],
)
def test_five_failures_within_half_a_minute_open_it(seconds: list[float], state: CircuitState, failures: int) -> None:
    breaker = failing(Breaker(), *map(after, seconds))
    assert (breaker.state, breaker.failures) == (state, failures)
    assert breaker.last is not None
    assert (breaker.last.at, breaker.last.why) == (after(seconds[-1]), "ReadTimeout")


def test_while_it_is_open_nobody_asks_and_late_failures_change_nothing() -> None:
    breaker = opened()
    assert breaker.wait_s(NOW) == PAUSES[0].total_seconds()
    assert breaker.wait_s(after(20)) == 10.0
    assert breaker.wait_s(after(29)) == 5.0, "the next probe is a matter of seconds even when it is due now"
    assert breaker.wait_s(after(60)) == 5.0, "whoever probes it has not come yet"
    assert breaker.failed("ReadTimeout", after(1)) is None


def test_a_probe_is_claimed_by_one_and_again_only_when_its_time_is_over() -> None:
    breaker = opened()
    assert breaker.claimed("a", after(29.9)) is None
    claimed = breaker.claimed("a", after(30))
    assert claimed is not None
    assert (claimed.state, claimed.prober) == (HALF, "a")
    assert claimed.wait_s(after(31)) is not None, "nobody but the prober asks"
    assert claimed.claimed("b", after(30) + LEASE - timedelta(seconds=0.1)) is None
    taken_over = claimed.claimed("b", after(30) + LEASE)
    assert taken_over is not None
    assert taken_over.probed("a", None, after(41)) is None, "the late one is not heard"
    assert taken_over.probed("b", None, after(41)) is not None


def test_a_definite_answer_closes_it_and_forgets_the_failures() -> None:
    breaker = probed(opened(), after(30), None)
    assert (breaker.state, breaker.failures, breaker.since, breaker.prober) == (CLOSED, 0, after(30), None)
    assert breaker.wait_s(after(30)) is None
    assert breaker.last is not None, "what the last failure was stays readable"
    assert failing(breaker, *[after(31)] * (FAILURES - 1)).state is CLOSED


def test_pauses_grow_with_every_probe_in_vain_up_to_five_minutes() -> None:
    breaker, now, waited = opened(), NOW, []
    for _ in range(7):
        assert breaker.until is not None
        waited.append(breaker.until - now)
        now = breaker.until
        breaker = probed(breaker, now, "HTTP 502")
    assert waited == [*PAUSES, PAUSES[-1], PAUSES[-1]]
    assert breaker.since == NOW, "it has been open since the first time"
    assert breaker.last is not None
    assert (breaker.last.at, breaker.last.why) == (now, "HTTP 502")


def test_one_that_flaps_is_left_alone_longer_each_time_until_it_was_calm() -> None:
    breaker, now, pauses = Breaker(), NOW, []
    for _ in range(4):
        breaker = opened(now, breaker)
        assert breaker.until is not None
        pauses.append(breaker.until - now)
        now = breaker.until
        breaker = probed(breaker, now, None)
        now += timedelta(seconds=1)
    assert pauses == [*PAUSES[:4]]
    restless = opened(now - timedelta(seconds=1) + CALM - WINDOW, breaker)
    calm = opened(now + CALM, breaker)
    assert (restless.pause, calm.pause) == (5, 1)


def test_a_probe_that_nobody_makes_locks_nobody_out_for_ever() -> None:
    for breaker in (opened(), opened().claimed("dead", after(30))):
        assert breaker is not None
        assert breaker.until is not None
        abandoned = breaker.until + UNATTENDED
        assert breaker.wait_s(abandoned - timedelta(seconds=1)) is not None
        assert breaker.wait_s(abandoned) is None
        again = breaker.failed("ReadTimeout", abandoned)
        assert again is not None, "the one that went through is what tried it"
        assert (again.state, again.until) == (OPEN, abandoned + PAUSES[1])


def test_an_instant_of_a_wrong_clock_is_not_waited_for() -> None:
    breaker = replace(opened(), until=NOW + timedelta(days=300))
    assert breaker.is_due(NOW)
    assert breaker.wait_s(NOW) == 5.0


def test_a_closed_one_is_never_probed() -> None:
    assert Breaker().claimed("a", NOW) is None
    assert failing(Breaker(), NOW).claimed("a", after(999)) is None
