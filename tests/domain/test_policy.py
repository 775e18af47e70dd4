"""The salon's rules as decision tables: which level decides, what is refused, and what the very limit means."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bookend.domain.policy import (
    UNSET,
    BeyondHorizon,
    BookRefusal,
    CancelTooLate,
    MovedTooOften,
    MoveRefusal,
    MoveTooLate,
    NumberWithheld,
    Policy,
    PolicySettings,
    TooManyOpen,
    TooSoon,
    may_book,
    may_cancel,
    may_move,
    mildest,
    policy_of,
    time_refused,
)
from bookend.domain.tenant import Tenant
from bookend.domain.timeslot import Slot
from tests.support.salon import example_tenant

BERLIN = ZoneInfo("Europe/Berlin")
TENANT = example_tenant()
FREE = Policy(zone=BERLIN)
NOW = datetime(2025, 10, 6, 8, 0, tzinfo=UTC)
"""Monday, ten o'clock in Berlin."""
HOUR, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)


def rules(**said: Any) -> Policy:
    return replace(FREE, **said)


def in_(distance: timedelta) -> Slot:
    return Slot.of(NOW + distance, 30)


def wall(text: str) -> datetime:
    """A wall time in Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def friseur1(
    *,
    tenant: PolicySettings | None = None,
    branch: PolicySettings | None = None,
    staff: PolicySettings | None = None,
    pair: PolicySettings | None = None,
) -> Tenant:
    """The example, with rules at the tenant, at Mitte, for Fabian, and for Fabian's Herrenhaarschnitt."""
    silent = PolicySettings()
    mitte, *branches = TENANT.branches
    fabian, *others = TENANT.staff
    haircut, *services = TENANT.services
    return replace(
        TENANT,
        policy=tenant or silent,
        branches=(replace(mitte, policy=branch or silent), *branches),
        staff=(replace(fabian, policy=staff or silent), *others),
        services=(replace(haircut, policies={"fabian": pair} if pair else {}), *services),
    )


def notice(hours: int) -> PolicySettings:
    return PolicySettings(book_notice=timedelta(hours=hours))


class TestTheMostSpecificLevelDecides:
    EVERY = friseur1(tenant=notice(1), branch=notice(2), staff=notice(3), pair=notice(4))

    @pytest.mark.parametrize(
        ("tenant", "service", "staff", "hours"),
        [
            pytest.param(EVERY, "herrenhaarschnitt", "fabian", 4, id="the stylist in the service before all"),
            pytest.param(EVERY, "beratung", "fabian", 3, id="the stylist, in another service"),
            pytest.param(EVERY, "herrenhaarschnitt", "emma", 2, id="the branch, for another stylist there"),
            pytest.param(EVERY, "herrenhaarschnitt", "udo", 1, id="the tenant, at another branch"),
            pytest.param(EVERY, "gone", "fabian", 3, id="a service that is gone has no level"),
            pytest.param(EVERY, "", "fabian", 3, id="nor has one we do not sell"),
            pytest.param(EVERY, "herrenhaarschnitt", "gone", 1, id="a stylist who is gone is the tenant's"),
            pytest.param(friseur1(tenant=notice(1), pair=notice(4)), "herrenhaarschnitt", "fabian", 4, id="over a gap"),
            pytest.param(friseur1(tenant=notice(5), staff=notice(1)), "beratung", "fabian", 1, id="not the strictest"),
            pytest.param(friseur1(tenant=notice(5), branch=notice(0)), "beratung", "fabian", 0, id="nothing is a word"),
            pytest.param(friseur1(), "herrenhaarschnitt", "fabian", 0, id="nobody says anything"),
        ],
    )
    def test_of_one_rule(self, tenant: Tenant, service: str, staff: str, hours: int) -> None:
        assert policy_of(tenant, service=service, staff=staff).book_notice == timedelta(hours=hours)

    def test_rule_by_rule_so_that_one_salon_needs_to_say_each_thing_once(self) -> None:
        tenant = friseur1(
            tenant=PolicySettings(book_horizon_days=60, cancel_until=DAY, most_open=3),
            branch=PolicySettings(most_moves=2, withheld_may_book=False),
            staff=PolicySettings(move_until=2 * DAY, cancel_until=HOUR),
            pair=notice(48),
        )
        assert policy_of(tenant, service="herrenhaarschnitt", staff="fabian") == Policy(
            zone=BERLIN,
            book_notice=48 * HOUR,
            book_horizon_days=60,
            move_until=2 * DAY,
            cancel_until=HOUR,
            most_moves=2,
            most_open=3,
            withheld_may_book=False,
        )

    @pytest.mark.parametrize("rule", ["book_horizon_days", "most_moves", "most_open"])
    def test_no_limit_is_a_word_too(self, rule: str) -> None:
        tenant = friseur1(tenant=PolicySettings(**{rule: 1}), staff=PolicySettings(**{rule: None}))  # type: ignore[arg-type]
        assert getattr(policy_of(tenant, service="beratung", staff="fabian"), rule) is None
        assert getattr(policy_of(tenant, service="beratung", staff="udo"), rule) == 1

    def test_who_says_nothing_refuses_nothing(self) -> None:
        assert policy_of(friseur1(), service="beratung", staff="fabian") == FREE
        assert may_book(FREE, now=NOW, slot=in_(700 * DAY), open_ones=99, withheld=True) is None
        assert may_move(FREE, now=NOW, current=in_(SECOND), new=in_(700 * DAY), moves=99) is None
        assert may_cancel(FREE, now=NOW, slot=in_(SECOND)) is None

    def test_a_callers_branch_changes_no_rule(self) -> None:
        tenant = friseur1(tenant=notice(1), branch=notice(2), pair=notice(4))
        for staff in ("fabian", "emma"):
            here = policy_of(tenant.at_branch("mitte"), service="herrenhaarschnitt", staff=staff)
            assert here == policy_of(tenant, service="herrenhaarschnitt", staff=staff)

    def test_every_rule_can_be_set_at_every_level(self) -> None:
        assert {each.name for each in fields(PolicySettings)} == {each.name for each in fields(Policy)} - {"zone"}
        assert all(getattr(PolicySettings(), each.name) is UNSET for each in fields(PolicySettings))


A_DAY_BEFORE = rules(book_notice=DAY)
THIRTY_DAYS = rules(book_horizon_days=30)
ONE_OPEN = rules(most_open=1)
NAMED = rules(withheld_may_book=False)
STRICT = rules(book_notice=DAY, book_horizon_days=30, most_open=1, withheld_may_book=False)
TOMORROW_TEN = NOW + DAY
LAST = date(2025, 11, 5)


class TestBooking:
    @pytest.mark.parametrize(
        ("policy", "slot", "open_ones", "withheld", "refusal"),
        [
            pytest.param(A_DAY_BEFORE, in_(DAY), 0, False, None, id="at the very notice"),
            pytest.param(A_DAY_BEFORE, in_(DAY - SECOND), 0, False, TooSoon(TOMORROW_TEN), id="a second too soon"),
            pytest.param(FREE, in_(timedelta(0)), 0, False, None, id="no notice: until it starts"),
            pytest.param(FREE, in_(-SECOND), 0, False, TooSoon(NOW), id="what has begun is too soon for everybody"),
            pytest.param(
                THIRTY_DAYS, Slot.of(wall("2025-11-05T23:30"), 60), 0, False, None, id="the whole of the last day"
            ),
            pytest.param(
                THIRTY_DAYS, Slot.of(wall("2025-11-06T00:00"), 30), 0, False, BeyondHorizon(LAST), id="the day after"
            ),
            pytest.param(rules(book_horizon_days=0), in_(12 * HOUR), 0, False, None, id="no day ahead: still today"),
            pytest.param(
                rules(book_horizon_days=0),
                in_(14 * HOUR),
                0,
                False,
                BeyondHorizon(date(2025, 10, 6)),
                id="no day ahead: not tomorrow",
            ),
            pytest.param(ONE_OPEN, in_(HOUR), 0, False, None, id="below the number"),
            pytest.param(ONE_OPEN, in_(HOUR), 1, False, TooManyOpen(1), id="at the number"),
            pytest.param(ONE_OPEN, in_(HOUR), 5, False, TooManyOpen(1), id="over it, since the rule became stricter"),
            pytest.param(rules(most_open=0), in_(HOUR), 0, False, TooManyOpen(0), id="none at all"),
            pytest.param(NAMED, in_(HOUR), 0, False, None, id="a number is shown"),
            pytest.param(NAMED, in_(HOUR), 0, True, NumberWithheld(), id="it is withheld"),
            pytest.param(FREE, in_(HOUR), 0, True, None, id="it is withheld, and may be"),
            pytest.param(STRICT, in_(HOUR), 1, True, NumberWithheld(), id="the number before everything"),
            pytest.param(STRICT, in_(HOUR), 1, False, TooManyOpen(1), id="what no other time helps before the time"),
            pytest.param(STRICT, in_(HOUR), 0, False, TooSoon(TOMORROW_TEN), id="then the time"),
            pytest.param(STRICT, in_(31 * DAY), 0, False, BeyondHorizon(LAST), id="whichever end of it"),
            pytest.param(
                rules(book_notice=2 * DAY, book_horizon_days=0),
                in_(DAY),
                0,
                False,
                TooSoon(NOW + 2 * DAY),
                id="rules that leave no time refuse every time",
            ),
        ],
    )
    def test_what_is_refused(
        self, policy: Policy, slot: Slot, open_ones: int, withheld: bool, refusal: BookRefusal | None
    ) -> None:
        assert may_book(policy, now=NOW, slot=slot, open_ones=open_ones, withheld=withheld) == refusal


class TestMoving:
    WINDOW = rules(move_until=DAY)
    TWICE = rules(most_moves=2)

    @pytest.mark.parametrize(
        ("policy", "current", "new", "moves", "refusal"),
        [
            pytest.param(WINDOW, in_(DAY), in_(3 * DAY), 0, None, id="at the very end of the window"),
            pytest.param(WINDOW, in_(DAY - SECOND), in_(3 * DAY), 0, MoveTooLate(NOW - SECOND), id="a second late"),
            pytest.param(
                WINDOW, in_(2 * DAY), in_(HOUR), 0, None, id="the window is the old time's, not the new one's"
            ),
            pytest.param(FREE, in_(SECOND), in_(DAY), 0, None, id="no window: until it starts"),
            pytest.param(FREE, in_(timedelta(0)), in_(DAY), 0, MoveTooLate(NOW), id="but not what has begun"),
            pytest.param(TWICE, in_(DAY), in_(2 * DAY), 1, None, id="the last move"),
            pytest.param(TWICE, in_(DAY), in_(2 * DAY), 2, MovedTooOften(2), id="one more"),
            pytest.param(rules(most_moves=0), in_(DAY), in_(2 * DAY), 0, MovedTooOften(0), id="never"),
            pytest.param(A_DAY_BEFORE, in_(HOUR), in_(DAY), 0, None, id="notice is asked of the new time only"),
            pytest.param(A_DAY_BEFORE, in_(DAY), in_(HOUR), 0, TooSoon(TOMORROW_TEN), id="to a time that is too soon"),
            pytest.param(THIRTY_DAYS, in_(DAY), in_(31 * DAY), 0, BeyondHorizon(LAST), id="to one beyond the horizon"),
            pytest.param(
                rules(move_until=DAY, most_moves=0, book_notice=DAY),
                in_(HOUR),
                in_(HOUR),
                0,
                MoveTooLate(NOW - 23 * HOUR),
                id="what no other time helps comes first",
            ),
        ],
    )
    def test_what_is_refused(
        self, policy: Policy, current: Slot, new: Slot, moves: int, refusal: MoveRefusal | None
    ) -> None:
        assert may_move(policy, now=NOW, current=current, new=new, moves=moves) == refusal


class TestCancelling:
    @pytest.mark.parametrize(
        ("policy", "slot", "refusal"),
        [
            pytest.param(rules(cancel_until=DAY), in_(DAY), None, id="at the very end of the window"),
            pytest.param(rules(cancel_until=DAY), in_(DAY - SECOND), CancelTooLate(NOW - SECOND), id="a second late"),
            pytest.param(rules(move_until=DAY), in_(HOUR), None, id="the window for moves is another"),
            pytest.param(FREE, in_(SECOND), None, id="no window: until it starts"),
            pytest.param(FREE, in_(timedelta(0)), CancelTooLate(NOW), id="but not what has begun"),
        ],
    )
    def test_what_is_refused(self, policy: Policy, slot: Slot, refusal: CancelTooLate | None) -> None:
        assert may_cancel(policy, now=NOW, slot=slot) == refusal


class TestTheChangeOfClocks:
    """On 26 October 2025 the day has 25 hours, on 30 March 2026 the day before had 23."""

    @pytest.mark.parametrize(
        ("now", "start", "allowed"),
        [
            pytest.param("2025-10-25T12:00", "2025-10-26T11:00", True, id="24 hours end an hour early in autumn"),
            pytest.param("2025-10-25T12:00", "2025-10-26T10:59", False, id="and not before"),
            pytest.param("2026-03-28T12:00", "2026-03-29T13:00", True, id="and an hour late in spring"),
            pytest.param("2026-03-28T12:00", "2026-03-29T12:59", False, id="though the wall says a day"),
        ],
    )
    def test_notice_and_windows_are_hours(self, now: str, start: str, allowed: bool) -> None:
        slot = Slot.of(wall(start), 30)
        assert (time_refused(A_DAY_BEFORE, now=wall(now), slot=slot) is None) == allowed
        assert (may_cancel(rules(cancel_until=DAY), now=wall(now), slot=slot) is None) == allowed

    @pytest.mark.parametrize(
        ("now", "start", "allowed"),
        [
            pytest.param("2025-10-25T12:00", "2025-10-26T23:59", True, id="the long day is one day"),
            pytest.param("2025-10-25T23:59", "2025-10-26T23:59", True, id="however late one asks"),
            pytest.param("2025-10-25T12:00", "2025-10-27T00:00", False, id="the next is the next"),
            pytest.param("2026-03-28T23:59", "2026-03-29T23:59", True, id="so is the short one"),
            pytest.param("2026-03-28T23:59", "2026-03-30T00:00", False, id="and after it the next"),
            pytest.param("2026-01-01T00:30", "2026-01-03T00:30", False, id="today is the salon's, not UTC's"),
        ],
    )
    def test_the_horizon_is_days_of_the_salon(self, now: str, start: str, allowed: bool) -> None:
        refused = time_refused(rules(book_horizon_days=1), now=wall(now), slot=Slot.of(wall(start), 30))
        assert (refused is None) == allowed

    def test_an_instant_in_another_zone_is_the_same_instant(self) -> None:
        tokyo = NOW.astimezone(ZoneInfo("Asia/Tokyo"))
        assert time_refused(A_DAY_BEFORE, now=tokyo, slot=in_(DAY)) is None
        assert time_refused(A_DAY_BEFORE, now=tokyo, slot=in_(HOUR)) == TooSoon(TOMORROW_TEN)


@pytest.mark.parametrize(
    ("refusals", "mildest_one"),
    [
        pytest.param([TooSoon(NOW + DAY), TooSoon(NOW + HOUR)], 1, id="the earliest time"),
        pytest.param([BeyondHorizon(LAST), BeyondHorizon(LAST - DAY)], 0, id="the last day"),
        pytest.param([TooManyOpen(1), TooManyOpen(3)], 1, id="the highest number"),
        pytest.param([NumberWithheld(), TooManyOpen(1)], 1, id="a number before a number that is not shown"),
        pytest.param([BeyondHorizon(LAST), TooSoon(NOW + DAY)], 1, id="what waiting helps against"),
    ],
)
def test_of_several_stylists_refusals_the_mildest_is_told(refusals: list[BookRefusal], mildest_one: int) -> None:
    assert mildest(refusals) == refusals[mildest_one]
    assert mildest(refusals[::-1]) == refusals[mildest_one]
