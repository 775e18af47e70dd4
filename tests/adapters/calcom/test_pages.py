"""The list that reconciliation goes through, and what is left of the minute's requests."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from bookend.adapters.calcom.client import CalcomCalendar
from bookend.application.deadline import Deadline
from bookend.application.ports import ListQuery, Page
from bookend.domain.answers import KeyRejected, NotSent, NotThere, Refused, Unclear
from bookend.domain.timeslot import Slot
from tests.adapters.calcom.fixtures import KEY, NOW, UID, answering, booking, page, success, within
from tests.support.salon import StoppedClock

SINCE = datetime(2026, 11, 21, 10, 25, tzinfo=UTC)
WINDOW = Slot(datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 12, 1, 12, tzinfo=UTC))


def test_what_changed_is_asked_for_by_its_instant_in_the_order_of_creation() -> None:
    exchange = answering(200, page())
    exchange.calendar.page(ListQuery(changed_since=SINCE), skip=500, deadline=within())
    assert exchange.only.url.path == "/v2/bookings"
    assert dict(exchange.only.url.params) == {
        "sortCreated": "asc",
        "take": "250",
        "skip": "500",
        "afterUpdatedAt": "2026-11-21T10:25:00Z",
    }


def test_a_window_is_asked_for_by_both_of_its_ends() -> None:
    exchange = answering(200, page())
    exchange.calendar.page(ListQuery(window=WINDOW), skip=0, deadline=within())
    assert dict(exchange.only.url.params) == {
        "sortCreated": "asc",
        "take": "250",
        "skip": "0",
        "afterStart": "2026-11-20T00:00:00Z",
        "beforeEnd": "2026-12-01T12:00:00Z",
    }


def test_no_state_is_left_out() -> None:
    """A filter by status would hide what was cancelled."""
    exchange = answering(200, page())
    exchange.calendar.page(ListQuery(changed_since=SINCE), skip=0, deadline=within())
    assert "status" not in exchange.only.url.params


def test_an_instant_is_written_in_utc_whatever_zone_it_came_in() -> None:
    exchange = answering(200, page())
    there = SINCE.astimezone(timezone(timedelta(hours=1)))
    exchange.calendar.page(ListQuery(changed_since=there), skip=0, deadline=within())
    assert exchange.only.url.params["afterUpdatedAt"] == "2026-11-21T10:25:00Z"


@pytest.mark.parametrize("more", [False, True])
def test_a_page_is_its_bookings_in_their_order_and_whether_there_is_another(more: bool) -> None:
    rows = [
        booking(uid="b", id=2, status="cancelled"),
        booking(uid="a", id=1),
        booking(uid="c", id=3, status="pending"),
    ]
    found = answering(200, page(*rows, more=more)).calendar.page(ListQuery(), skip=0, deadline=within())
    assert isinstance(found, Page)
    assert [(each.uid, each.status) for each in found.bookings] == [
        ("b", "cancelled"),
        ("a", "accepted"),
        ("c", "pending"),
    ]
    assert found.more is more


def test_a_row_that_is_listed_twice_is_handed_on_twice() -> None:
    """Whoever compares must see that the list is wrong."""
    found = answering(200, page(booking(), booking())).calendar.page(ListQuery(), skip=0, deadline=within())
    assert isinstance(found, Page)
    assert [each.uid for each in found.bookings] == [UID, UID]


def test_a_page_is_one_request_whatever_it_says_of_others() -> None:
    exchange = answering(200, page(booking(), more=True))
    exchange.calendar.page(ListQuery(), skip=0, deadline=within())
    assert len(exchange.sent) == 1


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (200, b"<html>", Unclear),
        (200, b"", Unclear),
        (200, success([booking()]), Unclear),
        (400, b'{"message": "x"}', Refused),
        (401, b'{"message": "x"}', KeyRejected),
        (403, b'{"message": "x"}', KeyRejected),
        (404, b'{"message": "x"}', NotThere),
        (429, b"", NotSent),
        (500, b"", Unclear),
        (502, b"<html>", Unclear),
    ],
)
def test_what_is_no_page_is_no_page(status: int, content: bytes, kind: type) -> None:
    """Least of all an empty one: half a list read as a whole one would make ghosts of the other half."""
    found = answering(status, content).calendar.page(ListQuery(), skip=0, deadline=within())
    assert isinstance(found, kind)


def test_without_time_left_no_page_is_asked_for() -> None:
    exchange = answering(200, page())
    assert isinstance(exchange.calendar.page(ListQuery(), skip=0, deadline=within(0)), NotSent)
    assert exchange.sent == []


# ---- What is left of the minute


class Limited:
    """Cal.com, which says how many requests are left; `said` is its header's next value, None: none."""

    def __init__(self, name: str = "x-ratelimit-remaining-default") -> None:
        self.clock = StoppedClock(NOW)
        self.said: str | None = None
        self.status = 200
        self._name = name
        self.calendar = CalcomCalendar(
            base_url="https://api.calcom.example",
            api_key=lambda: KEY,
            clock=self.clock,
            transport=httpx.MockTransport(self._answer),
        )

    def _answer(self, _: httpx.Request) -> httpx.Response:
        headers = {self._name: self.said} if self.said is not None else {}
        return httpx.Response(self.status, content=page(), headers=headers)

    def ask(self, said: str | None) -> int | None:
        """One request, and what is known afterwards."""
        self.said = said
        self.calendar.page(ListQuery(), skip=0, deadline=Deadline.within(10, self.clock))
        return self.calendar.headroom()


@pytest.fixture
def limited() -> Iterator[Limited]:
    made = Limited()
    yield made
    made.calendar._client.close()
    made.calendar._threads.shutdown()


def test_before_the_first_answer_nothing_is_known(limited: Limited) -> None:
    assert limited.calendar.headroom() is None


def test_what_the_last_answer_said_is_left(limited: Limited) -> None:
    assert [limited.ask("119"), limited.ask("41"), limited.ask("0")] == [119, 41, 0]


def test_it_is_forgotten_after_a_minute(limited: Limited) -> None:
    """The window is over: an old zero must not stop anybody."""
    limited.ask("0")
    limited.clock.advance(59.9)
    assert limited.calendar.headroom() == 0
    limited.clock.advance(0.2)
    assert limited.calendar.headroom() is None


def test_an_answer_that_says_nothing_leaves_what_was_said(limited: Limited) -> None:
    limited.ask("41")
    limited.clock.advance(30)
    assert limited.ask(None) == 41
    limited.clock.advance(31)
    assert limited.calendar.headroom() is None


@pytest.mark.parametrize("said", ["", "many", "-1", "1.5", "0x10"])
def test_what_is_no_number_is_not_believed(limited: Limited, said: str) -> None:
    assert limited.ask(said) is None


@pytest.mark.parametrize("status", [400, 404, 429, 500])
def test_a_refusal_says_it_too(limited: Limited, status: int) -> None:
    limited.status = status
    assert limited.ask("3") == 3


def test_every_request_of_ours_counts_not_only_lists(limited: Limited) -> None:
    limited.said = "77"
    limited.calendar.booking(UID, deadline=Deadline.within(10, limited.clock))
    assert limited.calendar.headroom() == 77


def test_another_limits_header_is_not_ours() -> None:
    other: Any = Limited("x-ratelimit-remaining-slots")
    try:
        assert other.ask("1") is None
    finally:
        other.calendar._client.close()
        other.calendar._threads.shutdown()
