"""Moving a booking: the request that is sent, and what each real answer of Cal.com is to us."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from bookend.adapters.calcom.answers import read_create
from bookend.adapters.calcom.client import BOOKINGS_VERSION
from bookend.adapters.calcom.wire import BookingEnvelope
from bookend.domain.answers import (
    Answered,
    KeyRejected,
    NotSent,
    NotThere,
    Refusal,
    Refused,
    Unclear,
    Verdict,
)
from bookend.domain.failures import FailureClass, failure_of
from bookend.domain.move_answers import ExpectedMove, judge_move
from bookend.domain.timeslot import Slot
from tests.adapters.calcom.captured import Captured, exchanges
from tests.adapters.calcom.fixtures import CANARIES, START, UID, Exchange, answering, booking, raw, success, within

F = FailureClass
MOVES = [each for each in exchanges() if each.is_("POST", "/v2/bookings", ending="/reschedule")]
MOVED = [each for each in MOVES if each.succeeded]

# Every answer that is no booking: what it is to us, and to the caller.
NOT_MOVED: dict[str, tuple[Refusal | type[Any], FailureClass]] = {
    "14d-no-version-reschedule": (NotThere, F.NOT_FOUND),
    "19d-reschedule-old-again": (Refusal.GONE, F.NOT_FOUND),
    "19g-reschedule-to-taken": (Refusal.HOST_BUSY, F.SLOT_TAKEN),
    "19j-reschedule-cancelled": (Refusal.GONE, F.NOT_FOUND),
    "19m-reschedule-unknown": (NotThere, F.NOT_FOUND),
    "19n-reschedule-unknown-key": (Refusal.INVALID, F.ERROR),
    "19o-reschedule-no-start": (Refusal.INVALID, F.ERROR),
    "22b-cancel-vs-reschedule/1": (Refusal.GONE, F.NOT_FOUND),
    "22b-reschedule-same-booking-twice-same-target/1": (Refusal.CONFLICT, F.SLOT_TAKEN),
    "22b-two-bookings-rescheduled-to-one-slot/0": (Refusal.CONFLICT, F.SLOT_TAKEN),
    "25i2-reschedule-declined": (NotThere, F.NOT_FOUND),
    "29g-lag-reschedule": (Unclear, F.TEMPORARY),
    "31k2-disabled-reschedule-anon": (Refusal.GONE, F.NOT_FOUND),
    "35e-reschedule-orphan": (NotThere, F.NOT_FOUND),
    "37b-reschedule-with-metadata": (Refusal.INVALID, F.ERROR),
}


def by_id(each: Captured) -> str:
    return each.id


def only(name: str) -> Captured:
    (each,) = (each for each in exchanges() if each.id == name)
    return each


def uid_in(each: Captured) -> str:
    """The booking that was to be moved."""
    return each.path.split("/")[3]


def wanted(each: Captured, minutes: int = 30) -> ExpectedMove:
    """What we would have expected of the booking in the answer."""
    data = each.body["data"]
    return ExpectedMove(
        old_uid=uid_in(each),
        slot=Slot.of(datetime.fromisoformat(data["start"]), minutes),
        event_type=data["eventTypeId"],
        host=data["hosts"][0]["id"],
        email=data["attendees"][0]["email"].lower(),
        sent_at=datetime.fromisoformat(data["createdAt"]) - timedelta(seconds=1),
    )


# ---- The request ----


def test_a_move_has_its_start_and_its_reason_and_nothing_else() -> None:
    """Metadata and a length are refused (37b), and so is whatever else is not known there (19n)."""
    exchange = answering(201, success(booking(rescheduledFromUid="old")))
    exchange.calendar.reschedule(UID, START, "Vom Kunden verschoben.", deadline=within())
    request = exchange.only
    assert (request.method, request.url.path) == ("POST", f"/v2/bookings/{UID}/reschedule")
    assert json.loads(request.content) == {
        "start": "2026-12-01T09:00:00Z",
        "reschedulingReason": "Vom Kunden verschoben.",
    }
    assert request.headers["cal-api-version"] == BOOKINGS_VERSION == "2024-08-13"
    assert request.headers["content-type"] == "application/json"


def test_a_start_is_sent_as_an_instant_whatever_zone_it_is_in() -> None:
    exchange = answering(201, success(booking()))
    exchange.calendar.reschedule(UID, START.astimezone(ZoneInfo("Europe/Berlin")), "x", deadline=within())
    assert json.loads(exchange.only.content)["start"] == "2026-12-01T09:00:00Z"


@pytest.mark.parametrize("uid", ["", ".", "..", "a/b", "../me", "a?b=c", "a#b", "a b", "a%2Fb", "ü", "a\n", "a" * 101])
def test_what_cannot_be_a_uid_is_not_moved(uid: str) -> None:
    exchange = answering(201, success(booking()))
    answer = exchange.calendar.reschedule(uid, START, "x", deadline=within())
    assert answer == NotSent("no booking of Cal.com's has such a uid")
    assert exchange.sent == []


def test_it_is_sent_once_whatever_comes_back() -> None:
    for status in (201, 400, 404, 409, 429, 500, 503):
        exchange = answering(status, raw(status, "x"))
        exchange.calendar.reschedule(UID, START, "x", deadline=within())
        assert len(exchange.sent) == 1, status


def test_without_time_nothing_is_sent() -> None:
    exchange = answering(201, success(booking()))
    assert exchange.calendar.reschedule(UID, START, "x", deadline=within(0)) == NotSent("no time left to send it")
    assert exchange.sent == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (httpx.ConnectError("x"), NotSent),
        (httpx.ConnectTimeout("x"), NotSent),
        (httpx.ReadTimeout("x"), Unclear),
        (httpx.RemoteProtocolError("x"), Unclear),
        (httpx.WriteError("x"), Unclear),
    ],
)
def test_only_what_never_left_cannot_have_happened(error: Exception, kind: type[Any]) -> None:
    def broken(_: httpx.Request) -> httpx.Response:
        raise error

    assert type(Exchange(broken).calendar.reschedule(UID, START, "x", deadline=within())) is kind


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (201, b"", Unclear),
        (201, b"<html></html>", Unclear),
        (201, success([booking()]), Unclear),
        (200, success(None), Unclear),
        (401, raw(401, "Invalid API Key"), KeyRejected),
        (403, raw(403, "Forbidden"), KeyRejected),
        (429, raw(429, "Too many requests"), NotSent),
        (429, b"<html></html>", NotSent),
        (502, b"<html></html>", Unclear),
        (404, b"<html></html>", Unclear),
        (500, raw(500, "Booking not found"), Unclear),
    ],
)
def test_other_answers(status: int, content: bytes, kind: type[Any]) -> None:
    answer = answering(status, content).calendar.reschedule(UID, START, "x", deadline=within())
    assert type(answer) is kind


def test_incident_2_is_temporary_and_not_not_found() -> None:
    """A 500 on a move was heard as "not found", because one test of the text caught both."""
    answer = answering(500, raw(500, "Internal server error")).calendar.reschedule(UID, START, "x", deadline=within())
    assert isinstance(answer, Unclear)
    assert failure_of(answer) is F.TEMPORARY


# ---- What is told of it ----


def test_the_new_booking_and_both_ids_are_told_and_nobody() -> None:
    exchange = answering(201, success(booking(uid="new", id=77, rescheduledFromUid=UID)))
    exchange.calendar.reschedule(UID, START, "x", deadline=within())
    sent, noted = exchange.facts
    assert (sent["operation"], sent["status"]) == ("reschedule", 201)
    assert noted == {
        "operation": "rescheduled",
        "status": 201,
        "uid": "new",
        "id": 77,
        "api_version": BOOKINGS_VERSION,
    }
    assert not [each for each in CANARIES if each in repr(exchange.facts)]


def test_of_a_refusal_the_booking_that_was_to_be_moved_is_told() -> None:
    exchange = answering(500, raw(500, "Ada Kanarienvogel"))
    exchange.calendar.reschedule(UID, START, "x", deadline=within())
    assert (exchange.facts[-1]["uid"], exchange.facts[-1]["id"], exchange.facts[-1]["status"]) == (UID, None, 500)
    assert not [each for each in CANARIES if each in repr(exchange.facts)]


# ---- Real answers ----


def test_all_of_them_are_here() -> None:
    """Counted, so that a capture that is no longer found is missed."""
    assert (len(MOVES), len(MOVED)) == (33, 18)
    assert {each.id for each in MOVES if not each.succeeded} == set(NOT_MOVED)


@pytest.mark.parametrize("each", [each for each in MOVES if not each.succeeded], ids=by_id)
def test_every_refusal_to_move_has_its_class(each: Captured) -> None:
    exchange = Exchange(lambda _: each.response())
    answer = exchange.calendar.reschedule("x", START, "because", deadline=within())
    kind, failure = NOT_MOVED[each.id]
    assert (answer.why if isinstance(answer, Refused) else type(answer)) == kind
    assert not isinstance(answer, Answered)
    assert failure_of(answer) is failure


@pytest.mark.parametrize("each", MOVED, ids=by_id)
def test_every_moved_booking_is_read_with_where_it_came_from(each: Captured) -> None:
    answer = read_create(each.response())
    assert isinstance(answer, Answered)
    assert (answer.booking.uid, answer.booking.id) == (each.body["data"]["uid"], each.body["data"]["id"])
    assert answer.booking.rescheduled_from == uid_in(each)
    assert answer.booking.start == datetime.fromisoformat(each.body["data"]["start"])


@pytest.mark.parametrize("each", [each for each in MOVED if each.name[:2] in {"19", "22"}], ids=by_id)
def test_a_move_as_asked_is_ours(each: Captured) -> None:
    expected = wanted(each)
    answer = read_create(each.response())
    assert expected.sent_at is not None
    judgement = judge_move(answer, expected, now=expected.sent_at + timedelta(seconds=2), after_unknown=False)
    assert (judgement.verdict, judgement.why) == (Verdict.OK, "ours, as asked")


def test_a_booking_of_ninety_minutes_comes_out_with_the_event_types_thirty() -> None:
    each = only("19r-reschedule-multi-90")
    expected = wanted(each, 90)
    assert expected.sent_at is not None
    judgement = judge_move(read_create(each.response()), expected, now=expected.sent_at, after_unknown=False)
    assert (judgement.verdict, judgement.why) == (Verdict.WRONG, "differs in end")


@pytest.mark.parametrize("name", ["23q-reschedule-pending-anon", "25k-wh-reschedule-pending-anon"])
def test_one_that_must_be_confirmed_first_is_not_done(name: str) -> None:
    each = only(name)
    expected = wanted(each)
    assert expected.sent_at is not None
    judgement = judge_move(read_create(each.response()), expected, now=expected.sent_at, after_unknown=False)
    assert judgement.verdict is Verdict.WRONG
    assert "status" in judgement.why


def test_over_its_own_old_time_cal_com_moves_it_too() -> None:
    assert isinstance(read_create(only("19h-reschedule-overlap-self").response()), Answered)


def test_of_two_at_once_to_one_time_the_second_is_refused_and_proves_nothing_after_an_unclear_first() -> None:
    """The booking that is in its way is what the first one made."""
    each = only("22b-reschedule-same-booking-twice-same-target/1")
    first = wanted(only("22b-reschedule-same-booking-twice-same-target/0"))
    answer = read_create(each.response())
    assert first.sent_at is not None
    for after_unknown, verdict in ((False, Verdict.REJECT), (True, Verdict.UNKNOWN)):
        assert judge_move(answer, first, now=first.sent_at, after_unknown=after_unknown).verdict is verdict


def test_of_two_at_once_to_different_times_both_come_from_one() -> None:
    """Which is why a move is sent again only to the same time, and never while another one may be in flight."""
    both = [read_create(only(f"22b-reschedule-same-booking-twice-different-target/{n}").response()) for n in (0, 1)]
    assert all(isinstance(each, Answered) for each in both)
    assert len({each.booking.rescheduled_from for each in both if isinstance(each, Answered)}) == 1
    assert len({each.booking.uid for each in both if isinstance(each, Answered)}) == 2


def test_the_old_booking_says_where_it_went() -> None:
    """What the one look after an unclear answer goes by."""
    old = BookingEnvelope.model_validate_json(only("19b-get-old-after-reschedule").content).data.booking()
    new = BookingEnvelope.model_validate_json(only("19c-get-new-after-reschedule").content).data.booking()
    assert (old.status, old.rescheduled_to) == ("cancelled", new.uid)
    assert new.rescheduled_from == old.uid


def test_after_a_refused_move_it_stands_where_it_stood() -> None:
    shown = BookingEnvelope.model_validate_json(only("19g2-get-after-failed-reschedule").content).data.booking()
    assert (shown.status, shown.rescheduled_to) == ("accepted", None)
