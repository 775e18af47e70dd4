"""A stricter rule never allows more: notice, horizon, windows and limits, each against all the others."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from bookend.domain.policy import Policy, last_day, may_book, may_cancel, may_move, time_refused
from bookend.domain.timeslot import Slot
from tests.properties.zones import SURELY

properties = settings(derandomize=True, max_examples=400, deadline=None, database=None)
NOW = datetime(2025, 10, 24, 12, tzinfo=UTC)

spans = st.integers(0, 14 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))
limits = st.none() | st.integers(0, 20)
policies = st.builds(
    Policy,
    zone=st.sampled_from(SURELY).map(ZoneInfo),
    book_notice=spans,
    book_horizon_days=limits,
    move_until=spans,
    cancel_until=spans,
    most_moves=limits,
    most_open=limits,
    withheld_may_book=st.booleans(),
)
nows = st.integers(0, 5 * 24 * 60).map(lambda minutes: NOW + timedelta(minutes=minutes))
slots = st.integers(-600, 30 * 24 * 60).map(lambda minutes: Slot.of(NOW + timedelta(minutes=minutes), 30))
counts = st.integers(0, 25)


def stricter_limit(one: int | None, other: int | None) -> int | None:
    return min((each for each in (one, other) if each is not None), default=None)


def stricter(one: Policy, other: Policy) -> Policy:
    """What both allow, rule by rule."""
    return replace(
        one,
        book_notice=max(one.book_notice, other.book_notice),
        book_horizon_days=stricter_limit(one.book_horizon_days, other.book_horizon_days),
        move_until=max(one.move_until, other.move_until),
        cancel_until=max(one.cancel_until, other.cancel_until),
        most_moves=stricter_limit(one.most_moves, other.most_moves),
        most_open=stricter_limit(one.most_open, other.most_open),
        withheld_may_book=one.withheld_may_book and other.withheld_may_book,
    )


@properties
@given(policies, policies, nows, slots, slots, counts, st.booleans())
def test_what_the_stricter_of_two_allows_both_allow(
    one: Policy, other: Policy, now: datetime, slot: Slot, new: Slot, count: int, withheld: bool
) -> None:
    other = replace(other, zone=one.zone)
    both = stricter(one, other)

    def allowed(policy: Policy) -> list[bool]:
        return [
            may_book(policy, now=now, slot=slot, open_ones=count, withheld=withheld) is None,
            may_move(policy, now=now, current=slot, new=new, moves=count) is None,
            may_cancel(policy, now=now, slot=slot) is None,
        ]

    for strict, first, second in zip(allowed(both), allowed(one), allowed(other), strict=True):
        assert strict == (first and second)


@properties
@given(policies, nows, st.integers(0, 10 * 24 * 60), slots)
def test_what_can_be_booked_now_and_not_later_is_only_what_notice_took(
    policy: Policy, now: datetime, minutes: int, slot: Slot
) -> None:
    """Time goes on: the horizon only opens, the notice only closes."""
    later = now + timedelta(minutes=minutes)
    before, after = (time_refused(policy, now=each, slot=slot) for each in (now, later))
    if before is None and after is not None:
        assert slot.start < later + policy.book_notice
    if before is not None and after is None:
        last = last_day(policy, now=now)
        assert last is not None
        assert slot.start.astimezone(policy.zone).date() > last


@properties
@given(policies, nows, slots)
def test_the_very_limit_is_allowed_and_a_moment_further_is_not(policy: Policy, now: datetime, slot: Slot) -> None:
    limit = slot.start - policy.cancel_until
    at_it = may_cancel(policy, now=limit, slot=slot)
    assert (at_it is None) is (limit < slot.start)
    assert may_cancel(policy, now=limit + timedelta(microseconds=1), slot=slot) is not None
    free = replace(policy, book_horizon_days=None)
    earliest = now + policy.book_notice
    assert time_refused(free, now=now, slot=Slot.of(earliest, 30)) is None
    assert time_refused(free, now=now, slot=Slot.of(earliest - timedelta(microseconds=1), 30)) is not None


@properties
@given(policies, nows, slots)
def test_nothing_is_changed_once_it_has_begun(policy: Policy, now: datetime, slot: Slot) -> None:
    began = max(now, slot.start)
    assert may_cancel(policy, now=began, slot=slot) is not None
    assert may_move(policy, now=began, current=slot, new=slot.shifted(timedelta(days=1)), moves=0) is not None
