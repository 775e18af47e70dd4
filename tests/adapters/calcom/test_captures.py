"""The parsers held against reality: what the real API answered, and what we make of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bookend.adapters.calcom.answers import read_create, read_refusal
from bookend.adapters.calcom.wire import BookingEnvelope, BookingList, SlotsEnvelope
from bookend.application.ports import Cancelled
from bookend.domain.answers import (
    Answered,
    Booking,
    KeyRejected,
    NotSent,
    NotThere,
    Refusal,
    Refused,
    Unclear,
)
from tests.adapters.calcom.captured import Captured, exchanges
from tests.adapters.calcom.fixtures import DAY, Exchange, within

BUSY, CONFLICT, INVALID = Refusal.HOST_BUSY, Refusal.CONFLICT, Refusal.INVALID

# POST /v2/bookings, every answer that is no booking: what it is to us.
NOT_BOOKED: dict[str, Refusal | type[Any]] = {
    "03a-repeat-same": BUSY,
    "04a-same-slot-other": BUSY,
    "05a-overlap-start-minus15": BUSY,
    "05b-overlap-start-plus15": BUSY,
    "05c-overlap-other-et-45": BUSY,
    "06b-too-soon": Refusal.OUT_OF_BOUNDS,
    "07a-outside-hours": BUSY,
    "07b-sunday": BUSY,
    "07c-straddles-close": BUSY,
    "08b-unknown-slug": NotThere,
    "08d-no-et": INVALID,
    "08e-et-string": INVALID,
    "08f-bad-start": INVALID,
    "08g-missing-start": INVALID,
    "08h-missing-attendee": INVALID,
    "08i-empty-body": INVALID,
    "08j-broken-json": INVALID,
    "08k-length-on-single": INVALID,
    "08l-bad-length-multi": INVALID,
    "09a-invalid-email": INVALID,
    "11a-phone-only-default-fields": INVALID,
    "11b2-phone-only-repeat": BUSY,
    "11b3-phone-et-invalid-phone": INVALID,
    "11c-neither": INVALID,
    "11d-email-only-on-phone-et": INVALID,
    "11f-bad-timezone": INVALID,
    "11f2-bad-timezone-note": INVALID,
    "11g-bad-language": INVALID,
    "11h-missing-name": INVALID,
    "12a-unknown-key": INVALID,
    "12b-unknown-attendee-key": INVALID,
    "12c-reservedSlotUid": INVALID,
    "13a-metadata-value-long": INVALID,
    "13b-metadata-key-long": INVALID,
    "13c-metadata-too-many": INVALID,
    "13d-metadata-nested": INVALID,
    "14a-no-version-create": INVALID,
    "15a-unknown-version": INVALID,
    "15b-slots-version": NotThere,
    "15c-version-2026-02-25": INVALID,
    "16a-wrong-key-create": KeyRejected,
    "20s-limit-second": Refusal.LIMIT,
    **dict.fromkeys(
        (
            *("22-devmode-diff-16-rep0", "22-devmode-diff-2-rep0", "22-devmode-diff-2-rep1"),
            *("22-devmode-diff-2-rep2", "22-devmode-diff-2-rep3", "22-devmode-diff-8-rep0"),
            *("22-devmode-diff-8-rep1", "22-devmode-diff-8-rep2", "22-devmode-diff-8-rep3"),
            *("22-devmode-rr-2", "22-devmode-rr-8", "22-devmode-rr-same-8"),
            *("22-devmode-same-16-rep1", "22-devmode-same-2-rep0", "22-devmode-same-2-rep1"),
            *("22-devmode-same-8-rep0", "22-devmode-same-8-rep1"),
            *("22-devmode-twoet-8", "22-devmode-twoet30-8"),
            *("22-prodmode-diff-16-rep0", "22-prodmode-diff-16-rep1", "22-prodmode-diff-16-rep2"),
            *("22-prodmode-diff-16-rep3", "22-prodmode-diff-2-rep2", "22-prodmode-diff-2-rep3"),
            *("22-prodmode-diff-8-rep0", "22-prodmode-diff-8-rep1", "22-prodmode-diff-8-rep2"),
            *("22-prodmode-diff-8-rep3", "22-prodmode-same-16-rep0", "22-prodmode-same-2-rep0"),
            *("22-prodmode-same-8-rep0", "22-prodmode-same-8-rep1", "22-prodmode-twoet-8"),
        ),
        CONFLICT,
    ),
    "22b-staggered-two-et-100ms": BUSY,
    "24d-rr-third-attendee": BUSY,
    "28b-retry-after-client-timeout": BUSY,
    "29a-lag-create": Unclear,  # it was booked (calcom-observed 2)
    "29d-lag-repeat-post": BUSY,
    "31c-collective-repeat": BUSY,
    "31d-recurring-create": Unclear,  # a success with a list of bookings, none of them ours
    "31e-recurring-one-taken": BUSY,
    "31g-max-active-second": Refusal.LIMIT,
    "31m-pending-blocks-second": BUSY,
    "32k-text-plain": INVALID,
    "32l-big-body-300k": INVALID,
    "32l2-big-body-60m": INVALID,
    "34f-book-phone-only-api-made": INVALID,
    "36e-db-down-create": Unclear,
    "37c2-dst-monday-0700": BUSY,
}

# Successes in the shape of another version: asked for without the version header, which we never do.
OTHER_SHAPES = {"14b-no-version-list", "14c-no-version-get"}

CREATES = [each for each in exchanges() if each.is_("POST", "/v2/bookings")]
BOOKED = [each for each in CREATES if each.succeeded and each.name != "31d-recurring-create"]
SHOWN = [
    each
    for each in exchanges()
    if each.succeeded
    and re.fullmatch(r"/v2/bookings/[^/]+(/(reschedule|cancel|confirm|decline))?", each.path)
    and each.name not in {*OTHER_SHAPES, "14e-no-version-cancel"}
]
LISTS = [each for each in exchanges() if each.is_("GET", "/v2/bookings") and each.succeeded]
SLOTS = [each for each in exchanges() if each.is_("GET", "/v2/slots") and each.succeeded]


def by_id(each: Captured) -> str:
    return each.id


def test_all_of_them_are_here() -> None:
    """Counted, so that a capture that is no longer found is missed."""
    counts = {"booked": len(BOOKED), "shown": len(SHOWN), "lists": len(LISTS), "slots": len(SLOTS)}
    assert counts == {"booked": 153, "shown": 50, "lists": 37, "slots": 31}


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def hold(booking: Booking, data: dict[str, Any]) -> None:
    """The booking says what the JSON says, read without our parser."""
    assert booking.uid == data["uid"]
    assert booking.id == data["id"]
    assert booking.status == data["status"]
    assert booking.status in {"accepted", "pending", "cancelled", "rejected"}
    for name, ours in (
        ("start", booking.start),
        ("end", booking.end),
        ("createdAt", booking.created_at),
        ("updatedAt", booking.updated_at),
    ):
        assert ours == instant(data[name]), name
        assert ours is not None
        assert ours.tzinfo is UTC
    assert booking.end - booking.start == timedelta(minutes=data["duration"])
    assert booking.host == data["hosts"][0]["id"]
    assert booking.event_type == data["eventTypeId"]
    assert booking.attendees == tuple(each["email"].lower() for each in data["attendees"])
    first = data["attendees"][0]
    assert (booking.attendee_name, booking.attendee_phone) == (first["name"], first.get("phoneNumber"))
    assert booking.metadata == data["metadata"]
    assert booking.rescheduled_from == data.get("rescheduledFromUid")
    assert booking.rescheduled_to == data.get("rescheduledToUid")


@pytest.mark.parametrize("each", BOOKED, ids=by_id)
def test_every_booking_made_is_read(each: Captured) -> None:
    answer = read_create(each.response())
    assert isinstance(answer, Answered)
    hold(answer.booking, each.body["data"])


@pytest.mark.parametrize("each", SHOWN, ids=by_id)
def test_every_booking_shown_is_read(each: Captured) -> None:
    hold(BookingEnvelope.model_validate_json(each.content).data.booking(), each.body["data"])


@pytest.mark.parametrize("each", [each for each in LISTS if each.name not in OTHER_SHAPES], ids=by_id)
def test_every_list_is_read(each: Captured) -> None:
    listed = BookingList.model_validate_json(each.content)
    assert len(listed.data) == len(each.body["data"])
    for one, data in zip(listed.data, each.body["data"], strict=True):
        hold(one.booking(), data)
    assert listed.pagination.has_next is each.body["pagination"]["hasNextPage"]


@pytest.mark.parametrize("each", SLOTS, ids=by_id)
def test_every_answer_about_slots_is_read(each: Captured) -> None:
    starts = SlotsEnvelope.model_validate_json(each.content).starts()
    expected = {instant(slot["start"]) for day in each.body["data"].values() for slot in day}
    assert starts == tuple(sorted(expected))
    assert all(start.tzinfo is UTC for start in starts)


def test_slots_before_and_after_the_clocks_go_back() -> None:
    """Eight o'clock on the wall is another instant on the two sides of it; Sunday is closed."""
    (each,) = (each for each in SLOTS if each.name == "01e-slots-dst-autumn")
    starts = SlotsEnvelope.model_validate_json(each.content).starts()
    half_hours = [timedelta(minutes=30 * number) for number in range(20)]
    summer, winter = datetime(2027, 10, 30, 6, tzinfo=UTC), datetime(2027, 11, 1, 7, tzinfo=UTC)
    assert starts == tuple(eight + later for eight in (summer, winter) for later in half_hours)


@pytest.mark.parametrize("name", sorted(OTHER_SHAPES))
def test_a_success_in_the_shape_of_another_version_is_unclear(name: str) -> None:
    (each,) = (each for each in exchanges() if each.name == name)
    exchange = Exchange(lambda _: each.response())
    if name == "14c-no-version-get":
        assert isinstance(exchange.calendar.booking("x", deadline=within()), Unclear)
    else:
        assert isinstance(exchange.calendar.find("a@b.example", DAY, deadline=within()), Unclear)


# ---- What is no booking ----


def test_the_table_has_a_row_for_every_capture_that_is_no_booking() -> None:
    unread = {each.name for each in CREATES if not isinstance(read_create(each.response()), Answered)}
    assert unread == set(NOT_BOOKED)


@pytest.mark.parametrize(
    "each", [each for each in CREATES if not each.succeeded or each.name == "31d-recurring-create"], ids=by_id
)
def test_every_refusal_to_book_has_its_class(each: Captured) -> None:
    answer = read_create(each.response())
    assert (answer.why if isinstance(answer, Refused) else type(answer)) == NOT_BOOKED[each.name]


# Reading bookings and slots: what each refusal is to us.
READS: dict[str, type[Any]] = {
    "01k-slots-unknown-param": Refused,
    "01l-slots-unknown-et": NotThere,
    "01n-slots-no-version": NotThere,
    "01o-slots-bookings-version": NotThere,
    "01q-slots-bad-tz": Refused,
    "01r-slots-missing-start": Refused,
    "01s-slots-bad-date": Refused,
    "16b-wrong-key-list": KeyRejected,
    "16c-no-prefix-key": KeyRejected,
    "16d-no-key-list": KeyRejected,
    "16f-wrong-key-slots": KeyRejected,
    "17b-get-numeric-id": NotThere,
    "18j-list-status-bad": Refused,
    "18n-list-take-251": Refused,
    "18o-list-take-0": Refused,
    "18p-list-skip-neg": Refused,
    "18t-list-bad-date": Refused,
    "26a-first-429": NotSent,
    "29c-lag-get-immediately": NotThere,
    "32h-expired-key": KeyRejected,
    "36a-redis-down-get": Unclear,
    "36d-db-down-get": Unclear,
    "36f-db-down-slots": Unclear,
    "37d-list-take-string": Refused,
}
REFUSED_READS = [
    each
    for each in exchanges()
    if each.method == "GET" and not each.succeeded and re.match(r"/v2/(bookings|slots)\b", each.path)
]


@pytest.mark.parametrize("each", REFUSED_READS, ids=by_id)
def test_every_refused_read_has_its_class(each: Captured) -> None:
    assert type(read_refusal(each.response())) is READS[each.name]


def test_no_row_without_its_capture() -> None:
    assert {each.name for each in REFUSED_READS} == set(READS)
    assert {each.name for each in CANCELLING} == set(CANCELS)


def test_the_rate_limit_says_when_it_ends() -> None:
    (each,) = (each for each in exchanges() if each.name == "26a-first-429")
    answer = read_refusal(each.response())
    assert isinstance(answer, NotSent)
    assert answer.retry_after_s == float(each.headers["x-ratelimit-reset-default"]) == 60.0


# ---- Cancelling ----

# Second: what a look at the booking shows where Cal.com says it was cancelled already (a capture, or nothing).
CANCELS: dict[str, tuple[type[Any], str | None]] = {
    "14e-no-version-cancel": (Cancelled, None),  # another shape, and really cancelled
    "19e-cancel-old-rescheduled": (Unclear, "19b-get-old-after-reschedule"),  # moved away: it lives under another uid
    "20a3-cancel-empty-reason-host": (Refused, None),
    "20b-cancel-with-reason": (Cancelled, None),
    "20e-cancel-unknown": (NotThere, None),
    "20h-cancel-other-user-key": (Cancelled, None),
    "20i-cancel-past": (Refused, None),
    "20p-cancel-unknown-key": (Refused, None),
    "20q-cancel-numeric": (NotThere, None),
    "22b-cancel-twice-concurrent": (Cancelled, None),
    "23m-cancel-declined": (Cancelled, "20d-get-cancelled"),
    "23s-cancel-pending": (Cancelled, None),
    "25d-wh-cancelled": (Cancelled, None),
    "25i3-cancel-declined": (Cancelled, None),
    "25o2-wh-cancel-anon-noreason": (Cancelled, None),
    "29e-lag-cancel-immediately": (NotThere, None),
    "29j-lag-cancel-again": (Unclear, "29c-lag-get-immediately"),
    "31j-disabled-cancel": (Refused, None),
    "31j2-disabled-cancel-anon": (Refused, None),
    "35f-cancel-orphan": (Cancelled, None),
}
CANCELLING = [
    each
    for each in exchanges()
    if each.is_("POST", "/v2/bookings", ending="/cancel") and each.name != "22b-cancel-vs-reschedule"
]


@pytest.mark.parametrize("each", CANCELLING, ids=by_id)
def test_every_answer_to_cancelling_has_its_class(each: Captured) -> None:
    kind, seen = CANCELS[each.name]
    shown = next((other for other in exchanges() if other.name == seen), None)

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return each.response()
        assert shown is not None, "nothing to look up"
        return shown.response()

    exchange = Exchange(answer)
    assert type(exchange.calendar.cancel("x", "because", deadline=within())) is kind
    assert [request.method for request in exchange.sent] == (["POST", "GET"] if seen else ["POST"])


def test_who_cancels_leaves_a_reason_and_a_move_leaves_none() -> None:
    """Half of a move, whose successor is not shown yet, is told from a cancellation by that alone."""
    seen = [
        BookingEnvelope.model_validate(each.body).data.booking()
        for each in exchanges()
        if each.method == "GET" and each.succeeded and isinstance(each.body, dict)
        if isinstance(each.body.get("data"), dict) and each.body["data"].get("status") == "cancelled"
    ]
    moved = [each for each in seen if each.rescheduled_to is not None]
    assert moved
    assert not any(each.called_off for each in moved)
    assert any(each.called_off for each in seen)


def test_the_reason_of_a_move_that_a_booking_carries_says_nothing_of_its_end() -> None:
    (given,) = [each for each in exchanges() if each.id == "20d-get-cancelled"]
    body = {"data": {**given.body["data"], "cancellationReason": "Der Salon hat verschoben."}}
    assert BookingEnvelope.model_validate(body).data.booking().called_off
    body["data"]["rescheduledFromUid"] = "before"
    assert not BookingEnvelope.model_validate(body).data.booking().called_off
    body["data"]["reschedulingReason"] = "Der Salon hat verschoben."
    assert not BookingEnvelope.model_validate(body).data.booking().called_off
    assert (
        BookingEnvelope.model_validate({"data": body["data"] | {"cancellationReason": "Kommt nicht"}})
        .data.booking()
        .called_off
    )
    body["data"]["cancelledByEmail"] = "salon@example.org"
    assert BookingEnvelope.model_validate(body).data.booking().called_off
