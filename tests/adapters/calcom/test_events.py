"""What is read from an event: which booking to look at, or that there is none. One example per trigger and version."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from bookend.adapters.calcom.events import TRIGGERS, counted_as, read_event
from bookend.application.receiving import Hint, Irrelevant
from tests.adapters.calcom.captured import CAPTURES

EVENTS = Path(__file__).parents[3] / "events" / "calcom"
EXAMPLES = sorted(EVENTS.glob("*.json"))
OLD, NEW = "2021-10-20", "2026-07-27"
CREATED = "nhzbnQg2h3uLpFt1SWarfy"
UIDS = {
    "BOOKING_RESCHEDULED": "7UjT91JgEGvzew7HUDQDeV",
    "BOOKING_CANCELLED": "7UjT91JgEGvzew7HUDQDeV",
    "BOOKING_REQUESTED": "ji2Qacg798cfZaKHS9yhwJ",
    "BOOKING_REJECTED": "uF6Dj4aqaGrrdPxeTSyFHv",
    "BOOKING_NO_SHOW_UPDATED": "ogp63p87UiqpopDq42EyJF",
}
ONLY_HOSTED = {"BOOKING_REASSIGNED", "BOOKING_LOCATION_UPDATED", "INSTANT_MEETING_ACCEPTED"} | {
    "WRONG_ASSIGNMENT_REPORT",
    "ROUTING_FORM_FALLBACK_HIT",
}


def trigger_of(file: Path) -> str:
    trigger: str = json.loads(file.read_text(encoding="utf-8"))["triggerEvent"]
    return trigger


def event(trigger: str = "BOOKING_CREATED", **payload: Any) -> str:
    return json.dumps({"triggerEvent": trigger, "createdAt": "2026-11-21T10:47:16.249Z", "payload": payload})


def test_every_known_trigger_has_an_example_of_each_version_that_has_it() -> None:
    found = {(trigger_of(each), each.stem.partition(".")[2]) for each in EXAMPLES}
    wanted = {(trigger, NEW) for trigger in TRIGGERS} | {(trigger, OLD) for trigger in TRIGGERS - ONLY_HOSTED}
    assert found == wanted
    assert all(each.name == f"{trigger_of(each).lower()}.{each.stem.partition('.')[2]}.json" for each in EXAMPLES)


@pytest.mark.parametrize("file", EXAMPLES, ids=[each.stem for each in EXAMPLES])
def test_an_event_of_a_booking_names_it_and_any_other_is_irrelevant(file: Path) -> None:
    trigger, said = trigger_of(file), read_event(file.read_text(encoding="utf-8"))
    if trigger.startswith("BOOKING_"):
        assert isinstance(said, Hint)
        assert (said.trigger, said.uid) == (trigger, UIDS.get(trigger, CREATED))
    else:
        assert said == Irrelevant(trigger)
    assert counted_as(said) == trigger


def test_real_deliveries_name_their_booking() -> None:
    """Of each capture, the uid that its HTTP exchange was about."""
    seen: dict[str, int] = {}
    for file in sorted(CAPTURES.glob("25*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        for each in (content.get("deliveries") or []) if isinstance(content, dict) else []:
            said = read_event(each["raw_body"])
            assert isinstance(said, Hint), file.name
            seen[said.trigger] = seen.get(said.trigger, 0) + 1
            booked = content["response"]["body"].get("data") if content["response"]["body"] else None
            if isinstance(booked, dict) and each["hook_path"] == "/user" and "uid" in booked:
                assert said.uid == booked["uid"], file.name
    assert set(seen) == {"BOOKING_CREATED", *UIDS}


@pytest.mark.parametrize(
    ("trigger", "newer", "older"),
    [
        ("BOOKING_CREATED", {"accepted", "pending", "cancelled", "rejected"}, set()),
        ("BOOKING_RESCHEDULED", {"accepted", "pending", "cancelled", "rejected"}, set()),
        ("BOOKING_CANCELLED", {"cancelled"}, {"accepted", "pending", "rejected"}),
        ("BOOKING_REJECTED", {"rejected", "cancelled", "accepted"}, {"pending"}),
    ],
)
def test_a_trigger_says_which_reads_are_older_than_it(trigger: str, newer: set[str], older: set[str]) -> None:
    """In the handler of CANCELLED a read still says accepted (capture 25d); a declined one may be accepted again."""
    said = read_event(event(trigger, uid="abc"))
    assert isinstance(said, Hint)
    assert said.expected == newer
    assert not newer & older


@pytest.mark.parametrize(
    "trigger",
    ["BOOKING_REQUESTED", "BOOKING_NO_SHOW_UPDATED", "BOOKING_REASSIGNED", "BOOKING_PAID", "BOOKING_SOMETHING_NEW"],
)
def test_other_triggers_do_not_tell_how_new_the_booking_must_be(trigger: str) -> None:
    assert read_event(event(trigger, uid="abc")) == Hint(trigger, "abc", None)


def test_the_name_of_the_uid_does_not_matter() -> None:
    assert read_event(event(uid="abc")) == read_event(event(bookingUid="abc"))
    assert read_event(event("BOOKING_CREATED", uid="abc", bookingUid="def")) == read_event(event(uid="abc"))
    flat = {"triggerEvent": "BOOKING_CANCELLED", "id": 515, "uid": "abc", "status": "CANCELLED"}
    assert read_event(json.dumps(flat)) == read_event(event("BOOKING_CANCELLED", uid="abc"))


def test_a_booking_event_without_a_uid_is_irrelevant_and_counted_by_its_trigger() -> None:
    for payload in ({}, {"uid": None}, {"bookingId": 5}, {"uid": None, "bookingUid": None}):
        said = read_event(event("BOOKING_CREATED", **payload))
        assert said == Irrelevant("BOOKING_CREATED without a booking")
        assert counted_as(said) == "BOOKING_CREATED"


@pytest.mark.parametrize("trigger", ["SOMETHING_NEW", "BOOKING_SOMETHING_NEW", "RECORDING_STOPPED", "X" * 80])
def test_triggers_that_nobody_knows_are_counted_together(trigger: str) -> None:
    """A dimension of a metric costs money for each value: no sender may choose them."""
    assert counted_as(read_event(event(trigger, uid="abc"))) == "other"


@pytest.mark.parametrize(
    "uid",
    ["", "x" * 101, "..", ".", "a/b", "a/../b", "%2e%2e", "a?b", "a#b", "a b", "a\n", "ü", "\u0000", "T#x", "'", "{}"],
)
def test_a_uid_that_means_something_in_a_path_or_a_key_is_none(uid: str) -> None:
    for said in (event(uid=uid), event(bookingUid=uid), json.dumps({"triggerEvent": "BOOKING_CREATED", "uid": uid})):
        assert read_event(said) == Irrelevant("unreadable")


@pytest.mark.parametrize(
    "body",
    [
        "",
        " ",
        "null",
        "5",
        "[]",
        "{}",
        '"BOOKING_CREATED"',
        "\ufeff{}",
        "NaN",
        "{",
        "triggerEvent=BOOKING_CREATED&uid=abc",
        '{"triggerEvent": null}',
        '{"triggerEvent": 5}',
        '{"triggerEvent": ["BOOKING_CREATED"]}',
        '{"triggerEvent": ""}',
        '{"triggerEvent": "booking_created", "payload": {"uid": "abc"}}',
        '{"triggerEvent": "BOOKING_CREATED\\n", "payload": {"uid": "abc"}}',
        '{"triggerEvent": "BOOKING_CREATED", "payload": []}',
        '{"triggerEvent": "BOOKING_CREATED", "payload": "uid"}',
        '{"triggerEvent": "BOOKING_CREATED", "payload": {"uid": 5}}',
        '{"triggerEvent": "BOOKING_CREATED", "payload": {"uid": {"$ne": null}}}',
        '{"triggerEvent": "BOOKING_CREATED", "payload": {"uid": "\\ud800"}}',
        '{"triggerEvent": "BOOKING_CREATED", "payload": {"uid": ' + "9" * 5000 + "}}",
        '{"triggerEvent": "BOOKING_CREATED", "payload": {"uid": 1e999}}',
        '{"triggerEvent": "BOOKING_CREATED", "payload": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"a":' * 50_000 + "1" + "}" * 50_000,
        '{"triggerEvent": "' + "A" * 81 + '"}',
    ],
)
def test_what_is_no_event_is_unreadable_and_nothing_breaks(body: str) -> None:
    said = read_event(body)
    assert said == Irrelevant("unreadable")
    assert counted_as(said) == "unreadable"


def test_odd_things_beside_the_uid_do_not_hide_it() -> None:
    """Everything but trigger and uid is somebody else's: a field of an odd form must not cost us the event."""
    odd = '"metadata": 5, "attendees": "x", "startTime": NaN, "price": 1e999, "bookingId": ' + "9" * 4000
    body = '{"triggerEvent": "BOOKING_CREATED", "createdAt": [], "payload": {"uid": "abc", ' + odd + "}}"
    assert read_event(body) == read_event(event(uid="abc"))


def test_no_mangled_example_breaks_the_reader() -> None:
    rng, outcomes = random.Random(515), dict.fromkeys(("hint", "irrelevant"), 0)
    examples = [each.read_bytes() for each in EXAMPLES]
    for _ in range(4000):
        body = bytearray(rng.choice(examples))
        for _ in range(rng.randrange(1, 6)):
            body[rng.randrange(len(body))] = rng.randrange(256)
        if rng.random() < 0.2:
            del body[rng.randrange(len(body)) :]
        said = read_event(bytes(body).decode("utf-8", "replace"))
        outcomes["hint" if isinstance(said, Hint) else "irrelevant"] += 1
        assert isinstance(said, Hint | Irrelevant)
        assert counted_as(said) in TRIGGERS | {"unreadable", "other"}
    assert min(outcomes.values()) > 100
