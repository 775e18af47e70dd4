"""The semantic key of a wish."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bookend.domain.requests import request_key

WISH: dict[str, Any] = {
    "call": "call_1",
    "operation": "book",
    "service": "herrenhaarschnitt",
    "start": datetime(2025, 10, 28, 17, 16, tzinfo=UTC),
    "name": "Hans Müller",
}


@pytest.mark.parametrize(
    "words",
    [
        {"name": "Herr Hans Müller"},
        {"name": "hans mueller"},
        {"name": "HANS MÜLLER "},
        {"start": datetime(2025, 10, 28, 18, 16, tzinfo=ZoneInfo("Europe/Berlin"))},
        {"start": datetime(2025, 10, 28, 17, 16, 0, 999, tzinfo=UTC)},
    ],
)
def test_the_same_wish_in_other_words_has_the_same_key(words: dict[str, Any]) -> None:
    assert request_key(**WISH | words) == request_key(**WISH)


@pytest.mark.parametrize(
    "other",
    [
        {"call": "call_2"},
        {"operation": "cancel"},
        {"service": "beratung"},
        {"start": datetime(2025, 10, 28, 17, 15, tzinfo=UTC)},
        {"start": datetime(2025, 10, 28, 17, 16, tzinfo=ZoneInfo("Europe/Berlin"))},
        {"start": datetime(2025, 10, 29, 17, 16, tzinfo=UTC)},
        {"name": "Max Müller"},
        {"name": "Müller"},
    ],
)
def test_another_wish_has_another_key(other: dict[str, Any]) -> None:
    assert request_key(**WISH | other) != request_key(**WISH)


def test_the_two_rounds_of_an_hour_that_happens_twice_are_two_wishes() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    first, second = (datetime(2025, 10, 26, 2, 30, tzinfo=berlin, fold=fold) for fold in (0, 1))
    assert request_key(**WISH | {"start": first}) != request_key(**WISH | {"start": second})


def test_the_key_holds_no_name() -> None:
    key = request_key(**WISH)
    assert key.isalnum()
    assert len(key) == 40


def test_a_naive_time_is_nobodys_wish() -> None:
    with pytest.raises(ValueError, match="time zone"):
        request_key(**WISH | {"start": datetime(2025, 10, 28, 17, 16, tzinfo=UTC).replace(tzinfo=None)})
