"""The one classifier: whose booking came back, and what follows from any other answer (incident I1)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bookend.domain.answers import (
    FRESH,
    Answered,
    Booking,
    CreateAnswer,
    Expected,
    KeyRejected,
    NotSent,
    NotThere,
    Refusal,
    Refused,
    Unclear,
    Verdict,
    booking_metadata,
    detail,
    is_fresh,
    judge,
)
from bookend.domain.timeslot import Slot

SENT = datetime(2025, 10, 6, 9, 39, 22, tzinfo=UTC)
NOW = SENT + timedelta(seconds=2)
START = datetime(2025, 10, 10, 6, 0, tzinfo=UTC)
SLOT = Slot.of(START, 30)
TICK = timedelta(microseconds=1)

OURS = Expected(
    op="op-688",
    appointment="apt-643",
    segment=0,
    slot=SLOT,
    event_type=2563193,
    host=1414768,
    email="kunde-338@salon.example",
    sent_at=SENT,
)
BOOKING = Booking(
    uid="8Fxv4pCqnb1Jva1w9wn5wX",
    id=11489895,
    status="accepted",
    start=SLOT.start,
    end=SLOT.end,
    created_at=SENT + timedelta(seconds=1),
    updated_at=SENT + timedelta(seconds=1),
    host=1414768,
    event_type=2563193,
    attendees=("kunde-338@salon.example",),
    metadata={"op_id": "op-688", "appointment": "apt-643", "segment": "0", "call_id": "call-688"},
)


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in BOOKING.metadata.items() if key != name}


def with_(name: str, value: str) -> dict[str, str]:
    return {**BOOKING.metadata, name: value}


def test_a_booking_as_asked_is_ok() -> None:
    judgement = judge(Answered(BOOKING), OURS, now=NOW)
    assert (judgement.verdict, judgement.why) == (Verdict.OK, "ours, as asked")


EXISTING = [
    pytest.param({"metadata": with_("op_id", "op-687")}, id="another operation"),
    pytest.param({"metadata": with_("op_id", "")}, id="op_id empty"),
    pytest.param({"metadata": with_("op_id", "OP-688")}, id="op_id in other case"),
    pytest.param({"metadata": with_("op_id", "op-688 ")}, id="op_id with a space"),
    pytest.param({"metadata": {"call_id": "call-687"}, "attendees": ("other@salon.example",)}, id="incident I1"),
    pytest.param({"metadata": {}, "attendees": ("other@salon.example",)}, id="no metadata, and another's address"),
    pytest.param({"metadata": {}, "created_at": NOW - timedelta(minutes=35)}, id="no metadata, and made long ago"),
    # What is not ours is not ours, whatever else is the matter with it: it must never be cancelled as "wrong".
    pytest.param({"metadata": {}, "start": START + timedelta(hours=1), "status": "cancelled"}, id="nothing fits"),
]


@pytest.mark.parametrize("change", EXISTING)
def test_a_booking_without_our_operation_is_somebody_elses(change: dict[str, Any]) -> None:
    judgement = judge(Answered(replace(BOOKING, **change)), OURS, now=NOW)
    assert judgement.verdict is Verdict.EXISTING


WRONG = [
    # Made this moment, as asked, for the address that is our customer's alone: ours, and nobody would find it again.
    pytest.param({"metadata": {}}, "metadata", id="metadata lost"),
    pytest.param({"metadata": without("op_id")}, "metadata", id="op_id lost"),
    pytest.param({"metadata": with_("segment", "1")}, "segment", id="another segment"),
    pytest.param({"metadata": without("segment")}, "segment", id="segment missing"),
    pytest.param({"metadata": with_("segment", "00")}, "segment", id="segment spelt otherwise"),
    pytest.param({"metadata": with_("appointment", "apt-642")}, "appointment", id="another appointment"),
    pytest.param({"metadata": without("appointment")}, "appointment", id="appointment missing"),
    pytest.param({"status": "pending"}, "status", id="pending: the event type wants confirmation"),
    pytest.param({"status": "cancelled"}, "status", id="cancelled"),
    pytest.param({"status": "rejected"}, "status", id="rejected"),
    pytest.param({"status": "awaiting_host"}, "status", id="awaiting host"),
    pytest.param({"status": ""}, "status", id="no status"),
    pytest.param({"start": START + timedelta(minutes=15)}, "start", id="later"),
    pytest.param({"start": START - timedelta(hours=1)}, "start", id="an hour off"),
    pytest.param({"start": START + TICK}, "start", id="a microsecond off"),
    pytest.param({"end": SLOT.end + timedelta(minutes=15)}, "end", id="longer"),
    pytest.param({"end": SLOT.end - timedelta(minutes=15)}, "end", id="shorter"),
    pytest.param({"event_type": 2563194}, "event type", id="another event type"),
    pytest.param({"event_type": None}, "event type", id="event type deleted"),
    pytest.param({"host": 1414769}, "host", id="another host"),
    pytest.param({"host": None}, "host", id="host unknown"),
    pytest.param({"attendees": ("kunde-342@salon.example",)}, "attendee", id="another attendee"),
    pytest.param({"attendees": ()}, "attendee", id="no attendee"),
    pytest.param({"attendees": ("xkunde-338@salon.example",)}, "attendee", id="an address that contains ours"),
    pytest.param({"created_at": None}, "freshness", id="createdAt missing"),
    pytest.param({"created_at": SENT - FRESH - TICK}, "freshness", id="stale by a microsecond"),
    pytest.param({"created_at": SENT - timedelta(minutes=35)}, "freshness", id="35 minutes old, as in I1"),
    pytest.param({"created_at": NOW + FRESH + TICK}, "freshness", id="from the future"),
]


@pytest.mark.parametrize(("change", "name"), WRONG)
def test_our_booking_with_a_difference_is_wrong(change: dict[str, Any], name: str) -> None:
    judgement = judge(Answered(replace(BOOKING, **change)), OURS, now=NOW)
    assert (judgement.verdict, judgement.why) == (Verdict.WRONG, f"differs in {name}")


def test_every_difference_is_named() -> None:
    other = replace(BOOKING, status="pending", host=None, end=SLOT.end + timedelta(minutes=15))
    assert judge(Answered(other), OURS, now=NOW).why == "differs in status, end, host"


STILL_OK = [
    pytest.param({"created_at": SENT - FRESH}, id="as old as it may be"),
    pytest.param({"created_at": NOW + FRESH}, id="their clock as far ahead as it may be"),
    pytest.param({"attendees": ("guest@salon.example", "kunde-338@salon.example")}, id="a guest beside"),
    pytest.param({"updated_at": None}, id="updatedAt missing"),
    pytest.param({"metadata": with_("note", "x")}, id="more metadata than ours"),
    pytest.param({"metadata": without("call_id")}, id="the call is not what identifies it"),
    pytest.param({"rescheduled_from": "old"}, id="a predecessor"),
]


@pytest.mark.parametrize("change", STILL_OK)
def test_what_makes_no_difference(change: dict[str, Any]) -> None:
    booking = replace(BOOKING, **change)
    assert judge(Answered(booking), OURS, now=NOW).verdict is Verdict.OK


def test_freshness_is_measured_from_sending_to_answering() -> None:
    slow = SENT + timedelta(minutes=10)
    made = replace(BOOKING, created_at=SENT + timedelta(minutes=5))
    assert is_fresh(made, sent_at=SENT, now=slow)
    assert not is_fresh(made, sent_at=SENT, now=NOW)
    assert timedelta(seconds=30) == FRESH


OF_REFUSAL = {
    Refusal.HOST_BUSY: Verdict.REJECT,
    Refusal.CONFLICT: Verdict.REJECT,
    Refusal.PAST: Verdict.REFUSED,
    Refusal.OUT_OF_BOUNDS: Verdict.REFUSED,
    Refusal.LIMIT: Verdict.REFUSED,
    Refusal.GONE: Verdict.REFUSED,
    Refusal.NOT_ALLOWED: Verdict.REFUSED,
    Refusal.INVALID: Verdict.REFUSED,
}
OTHERS: list[tuple[CreateAnswer, Verdict]] = [
    *((Refused(why, "Cal.com's words"), verdict) for why, verdict in OF_REFUSAL.items()),
    (Unclear("ReadTimeout"), Verdict.UNKNOWN),
    (NotSent("ConnectError"), Verdict.NOT_SENT),
    (NotSent("HTTP 429", retry_after_s=60.0), Verdict.NOT_SENT),
    (KeyRejected("HTTP 401"), Verdict.CONFIG),
    (NotThere("HTTP 404"), Verdict.NOT_FOUND),
]


def test_the_table_knows_every_refusal() -> None:
    assert set(OF_REFUSAL) == set(Refusal)


@pytest.mark.parametrize(("answer", "verdict"), OTHERS, ids=lambda value: str(value)[:40])
def test_answers_without_a_booking(answer: CreateAnswer, verdict: Verdict) -> None:
    assert judge(answer, OURS, now=NOW).verdict is verdict


@pytest.mark.parametrize("why", Refusal)
def test_a_refusal_is_named_by_our_word(why: Refusal) -> None:
    assert judge(Refused(why, "User either already has booking"), OURS, now=NOW).why == why.value


@pytest.mark.parametrize("kind", [Unclear, NotSent, KeyRejected, NotThere, lambda text: Refused(Refusal.INVALID, text)])
def test_the_reason_never_repeats_what_cal_com_wrote(kind: Any) -> None:
    """It becomes a log line and an alert; a whole answer names people."""
    judgement = judge(kind('HTTP 500 {"name":"Hansi Sputer"}'), OURS, now=NOW)
    assert "Sputer" not in judgement.why


def test_metadata_are_texts_and_name_no_person() -> None:
    """Numbers are refused by Cal.com (calcom-observed 3)."""
    made = booking_metadata(op="op-1", appointment="apt-1", segment=2, call="call-1")
    assert made == {"op_id": "op-1", "appointment": "apt-1", "segment": "2", "call_id": "call-1"}


def test_an_answer_is_kept_for_operators_whole_and_a_booking_by_its_uid() -> None:
    assert detail(Refused(Refusal.HOST_BUSY, "HTTP 400 {…}")) == "HTTP 400 {…}"
    assert detail(Answered(BOOKING)) == f"booking {BOOKING.uid}"


def test_unless_it_is_said_nothing_answered_and_nothing_was_out_of_reach() -> None:
    assert (Unclear("x").answered, NotSent("x").unreachable, BOOKING.called_off) == (False, False, False)
    assert Unclear("x") == Unclear("x", answered=True), "what an answer is does not hang on how well Cal.com is"
    assert NotSent("x") == NotSent("x", unreachable=True)
