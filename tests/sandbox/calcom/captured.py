"""The world in which the captures were made, and what happened there between the captures of the folder."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sandbox.calcom import ApiKey, CalcomStandIn, Fault, FaultKind, FaultPlan, ManualClock, Rule, Settings, World
from sandbox.calcom.control import force_booking
from sandbox.calcom.errors import ApiError
from sandbox.calcom.models import Attendee, EventType, Schedule, Team, User, parse_instant
from sandbox.calcom.world import NewBooking

CAPTURES = Path(__file__).parent / "captures"
LISTENER = "http://127.0.0.1:18777"
MAIN, BEN, LIMITED, EXPIRED = "cal_main", "cal_ben", "cal_default_limits", "cal_expired"
WEEK = dict.fromkeys(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"), (("08:00", "18:00"),))


def captured_world(clock: Callable[[], datetime], **settings: Any) -> World:
    """Users anna and ben with a team, Berlin, Mon-Sat 08-18, event types 1-14 (captures 17f-17k, notes of 20-31)."""
    anna = (ApiKey(MAIN, 100_000), ApiKey(LIMITED), ApiKey(EXPIRED, expires_at=datetime(2026, 11, 1, tzinfo=UTC)))
    own = {"owner_id": 1}
    team: dict[str, Any] = {"team_id": 1, "host_ids": (1, 2)}
    return World(
        users=[
            User(1, "Anna Salon", "anna@salon.example", "anna", api_keys=anna),
            User(2, "Ben Salon", "ben@salon.example", "ben", api_keys=(ApiKey(BEN, 100_000),)),
        ],
        schedules=[
            Schedule(1, 1, "Anna hours", weekly=WEEK),
            Schedule(2, 2, "Ben hours", weekly=WEEK),
        ],
        teams=[Team(1, "salon", "Salon Team", owner_id=1, member_ids=(1, 2))],
        event_types=[
            EventType(1, "herrenhaarschnitt", "Herrenhaarschnitt", **own),
            EventType(2, "dauerwelle-a", "Dauerwelle Segment A", 45, **own),
            EventType(3, "dauerwelle-c", "Dauerwelle Segment C", **own),
            EventType(4, "faerben-anfrage", "Faerben auf Anfrage", 60, requires_confirmation=True, **own),
            EventType(5, "herrenhaarschnitt", "Herrenhaarschnitt", owner_id=2),
            EventType(6, "rr-haarschnitt", "RR Haarschnitt", scheduling_type="roundRobin", **team),
            EventType(7, "telefon-termin", "Telefon Termin", email_required=False, phone_field="required", **own),
            EventType(8, "multi-dauer", "Multi Dauer", lengths=(30, 60, 90), **own),
            EventType(9, "limitiert", "Limitiert", bookings_per_day=1, **own),
        ],
        clock=clock,
        settings=Settings(check_to_insert_gap=0.0, **settings),
    )


# Made after 17g had listed the event types.
LATER_EVENT_TYPES = (
    EventType(10, "collective", "Collective", team_id=1, host_ids=(1, 2), scheduling_type="collective"),
    EventType(11, "serie", "Serie", owner_id=1, recurs_every_weeks=1),
    EventType(12, "max-eins", "MaxEins", owner_id=1, max_active_per_attendee=1, after_buffer=15),
    EventType(13, "fest", "Fest", owner_id=1, disable_cancelling=True, disable_rescheduling=True),
    EventType(
        14, "anfrage-blockt", "Anfrage blockt", owner_id=1, requires_confirmation=True, confirmation_blocks_slot=True
    ),
)


def load(name: str) -> Any:
    return json.loads((CAPTURES / f"{name}.json").read_text())


def index() -> list[str]:
    lines = (CAPTURES / "INDEX.tsv").read_text().splitlines()[1:]
    return [line.split("\t")[0] for line in lines]


# The index is sorted by name; these were sent in another order.
_BEFORE = {
    "17a-get-uid": "17a0-create-for-get",
    "19r-reschedule-multi-90": "19r0-create-multi-90",
    "25p-wh-request-reschedule": "25p0-wh-created-legacy-cancel",
}
_AFTER = {"26a-first-429": "26a-request-120"}


def in_order() -> list[str]:
    """Captures that are one exchange each, in the order in which they were sent."""
    names = [n for n in index() if isinstance(one := load(n), dict) and "request" in one]
    for late, early in _BEFORE.items():
        names.remove(early)
        names.insert(names.index(late), early)
    for early, late in _AFTER.items():
        names.remove(early)
        names.insert(names.index(late) + 1, early)
    return names


@dataclass
class Stage:
    """The replay's hands: the running stand-in, its clock, and captured uid -> the stand-in's uid."""

    calcom: CalcomStandIn
    clock: ManualClock
    ours: dict[str, str]

    @property
    def world(self) -> World:
        return self.calcom.world

    def newest(self) -> str:
        return self.world.bookings()[-1].uid

    def book(self, uid: str, kind: int, start: str, email: str, at: str | None = None, **metadata: str) -> str:
        """Somebody books; the captured `uid` gets a counterpart here."""
        if at:
            self.clock.at = parse_instant(f"2026-11-21T{at}Z")
        name = "Test Eins" if email.startswith("eins") else f"Kunde {email.partition('@')[0]}"
        wish = NewBooking(
            self.world.event_types[kind],
            parse_instant(start),
            Attendee(name, email, "Europe/Berlin", "de"),
            {},
            metadata,
        )
        self.ours[uid] = self.world.create(wish)[0].uid
        return self.ours[uid]

    def move_to_past(self, uid: str, start: str) -> None:
        begin = parse_instant(start)
        row = self.world.booking(self.ours[uid])
        assert row
        length = row.end - row.start
        self.world.store(replace(row, start=begin, end=begin + length))

    def faults(self, *rules: Rule) -> None:
        self.calcom.faults = FaultPlan(rules=rules)

    def wait(self, seconds: float) -> None:
        self.clock.move(seconds=seconds)


def _first_booking(s: Stage) -> None:
    s.book("6wbrgYnFo3f7vwtzJhLtLh", 1, "2026-11-23T08:00:00Z", "eins@kunde.example", "10:20:53.802", groupId="g1")
    s.clock.at = parse_instant("2026-11-21T10:40:17Z")


def _cancelled_one(s: Stage) -> None:
    uid = s.book("hAW1NC9QNgiYry12g9LVGs", 1, "2026-12-07T13:00:00Z", "r3@kunde.example")
    s.world.cancel(uid, reason="x")


def _past_one(uid: str, email: str, free: str, start: str) -> Callable[[Stage], None]:
    def do(s: Stage) -> None:
        s.book(uid, 1, free, email)
        s.move_to_past(uid, start)

    return do


def _survivors_of_22(s: Stage) -> None:
    """The races of group 22 left these pending rows (they are all in 23u)."""
    kind = s.world.event_types[4]
    for row in load("23u-list-unconfirmed")["response"]["body"]["data"]:
        person = row["attendees"][0]
        if person["email"].startswith("confirm"):
            who = Attendee(person["name"], person["email"], "Europe/Berlin", "de")
            wish = NewBooking(kind, parse_instant(row["start"]), who, {}, row["metadata"])
            s.world.edit(force_booking(s.world, wish).uid, status="pending")


def _pending_pairs(s: Stage) -> None:
    s.book("xhixBj7dFbDid4xNa8ZZcH", 4, "2027-01-28T08:00:00Z", "q2@kunde.example")


def _q5_moves_twice(s: Stage) -> None:
    anna = s.world.users[1]
    moved = s.world.reschedule(s.ours["bLyqRDtAAjqWxsaAkeE1zq"], parse_instant("2027-01-28T16:00:00Z"), caller=anna)
    s.ours["4X8ppr9tPYBHZhjcuq7C1K"] = moved.uid
    s.world.reschedule(moved.uid, parse_instant("2027-01-29T14:00:00Z"), caller=anna)
    s.book("6E867Su8HLe6BDkVrbPwCF", 4, "2027-01-29T08:00:00Z", "q6@kunde.example")


def _subscribe_user(s: Stage) -> None:
    triggers = load("25a2-webhook-create-dup")["request"]["body"]["triggers"]
    s.calcom.subscribe(f"{LISTENER}/user", "lab-webhook-secret", triggers, user_id=1)


def _subscribe_event_type(s: Stage) -> None:
    triggers = load("25a2-webhook-create-dup")["request"]["body"]["triggers"]
    hook = s.calcom.subscribe(f"{LISTENER}/et1", "lab-webhook-secret", triggers, event_type_id=1)
    s.ours["0c67b29a-de50-41e3-bc22-bc4d7fc9336e"] = hook.id


def _nobody_listens(s: Stage) -> None:
    for hook in [h for h in s.world.webhooks.values() if h.url.endswith("/user")]:
        s.world.webhooks.pop(hook.id)


def _fill_the_window(s: Stage) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", s.calcom.port)
    for _ in range(118):
        connection.request("GET", "/v2/me", headers={"Authorization": f"Bearer {LIMITED}"})
        connection.getresponse().read()
    connection.close()


def _book_27(s: Stage) -> None:
    s.book("booking-of-27b", 1, "2027-02-08T08:00:00Z", "cache@kunde.example")


def _cancel_27(s: Stage) -> None:
    s.world.cancel(s.ours["booking-of-27b"], reason="x")


def _reserve_27(s: Stage) -> None:
    s.world.reserve(1, parse_instant("2027-02-08T08:00:00Z"), length=None, minutes=5)
    s.wait(2.3)


def _just_before(name: str, seconds: float) -> Callable[[Stage], None]:
    """The clock, where an answer without a time precedes one with."""

    def do(s: Stage) -> None:
        moment = sent_at(load(name))
        assert moment
        s.clock.at = moment - timedelta(seconds=seconds)

    return do


def _lag(s: Stage) -> None:
    _just_before("29c-lag-get-immediately", 0.2)(s)
    s.world.settings = replace(s.world.settings, replica_lag=3.0)


def _lag_created(s: Stage) -> None:
    s.ours["j26UJ9vs38W3ipnaN4wjST"] = s.newest()


def _lag_moved_twice_and_cancelled(s: Stage) -> None:
    """29h, 29h2, 29i."""
    old = s.ours["j26UJ9vs38W3ipnaN4wjST"]
    for start, text in (("10:00", "User either"), ("11:00", "Internal server error")):
        with suppress(ApiError):
            s.world.reschedule(old, parse_instant(f"2027-02-10T{start}:00Z"))
            raise AssertionError(text)
    s.ours["vnGmogRFNoHVLd1sV52gYN"] = s.newest()
    s.wait(4)
    assert s.world.cancel(s.newest(), reason="x").status == "accepted"


def _lag_over(s: Stage) -> None:
    s.wait(4)
    s.world.settings = replace(s.world.settings, replica_lag=0.0)


def _later_event_types(s: Stage) -> None:
    s.world.event_types |= {e.id: e for e in LATER_EVENT_TYPES}


def _next_type_is_101(s: Stage) -> None:
    s.world.next_event_type_id = 101


def _down(kind: FaultKind) -> Callable[[Stage], None]:
    return lambda s: s.faults(Rule(Fault(kind), method="*", path="*", times=0))


def _up(s: Stage) -> None:
    s.faults()
    if "nX8y5ADhZ5VSrnd3ctPJEv" not in s.ours:
        s.book("nX8y5ADhZ5VSrnd3ctPJEv", 1, "2027-02-23T08:00:00Z", "rd@kunde.example", "10:56:23.533")


def _killed(s: Stage) -> None:
    s.faults(Rule(Fault(FaultKind.CONNECTION_RESET)))


# What happened before a capture although its own capture is not in the folder.
OFF_STAGE: dict[str, Callable[[Stage], object]] = {
    "02a-create-happy": _first_booking,
    "19a-reschedule-happy": lambda s: s.book(
        "cyZU9QCK1DXpRkjnixCiCx", 1, "2026-12-07T08:00:00Z", "r1@kunde.example", groupId="g-19", part="A"
    ),
    "19g-reschedule-to-taken": lambda s: s.book(
        "kswPFd78b7axL7kGsGtEVo", 1, "2026-12-07T11:00:00Z", "r2@kunde.example"
    ),
    "19j-reschedule-cancelled": _cancelled_one,
    "19n-reschedule-unknown-key": lambda s: s.book(
        "gMvRKkCB8pBXdGURshYQir", 1, "2026-12-07T14:00:00Z", "r4@kunde.example"
    ),
    "20a3-cancel-empty-reason-host": lambda s: s.book(
        "3ZcJoEW5coFN1doRBYkKNn", 1, "2026-12-09T08:00:00Z", "k1@kunde.example"
    ),
    "20h-cancel-other-user-key": lambda s: s.book(
        "uHQFHmdq9yQW7FUWYiyD6F", 1, "2026-12-09T10:00:00Z", "k3@kunde.example"
    ),
    "20i-cancel-past": _past_one(
        "6BpGNArfUVBiGjTAjFaTmd", "k4@kunde.example", "2026-12-09T11:00:00Z", "2026-11-20T11:00:00Z"
    ),
    "20l-reschedule-past-booking": _past_one(
        "r2wkaffHiAYwCkHtadZenz", "k5@kunde.example", "2026-12-09T12:00:00Z", "2026-11-20T12:00:00Z"
    ),
    "20m-mark-absent-before-start": lambda s: s.book(
        "vXmhqhaYUgeKNVg2izG5JK", 1, "2026-12-09T14:00:00Z", "k6@kunde.example"
    ),
    "20o-mark-absent-unknown-attendee": _past_one(
        "7ToebJHb497X2qJAvKnaq3", "k7@kunde.example", "2026-12-09T15:00:00Z", "2026-11-20T13:00:00Z"
    ),
    "23a-confirm-create": _survivors_of_22,
    "23d-confirm-first": _pending_pairs,
    "23h-decline": lambda s: s.book("kLN2BwmwHZXQp2yKHn5NM7", 4, "2027-01-28T12:00:00Z", "q4@kunde.example"),
    "23q-reschedule-pending-anon": _q5_moves_twice,
    "24j-rr-slots-after-reserve": lambda s: s.wait(2.3),
    "25a2-webhook-create-dup": _subscribe_user,
    "25n-wh-noshow": lambda s: s.move_to_past("ogp63p87UiqpopDq42EyJF", "2026-11-20T15:00:00Z"),
    "25r-wh-two-levels": _subscribe_event_type,
    "25v-wh-refused": _nobody_listens,
    "26a-request-1": _just_before("26a-first-429", 3),
    "26a-request-120": _fill_the_window,
    "27b-slots-right-after-booking": _book_27,
    "27c-slots-2300ms-later": lambda s: s.wait(2.3),
    "27d-slots-right-after-cancel": _cancel_27,
    "27e-slots-2300ms-after-cancel": lambda s: s.wait(2.3),
    "27f-slots-own-reservation": _reserve_27,
    "28a-reconcile-after-client-timeout": lambda s: s.book(
        "gzXymmeBSLmh3bLdPHiZ45", 1, "2027-02-09T08:00:00Z", "to@kunde.example", "10:51:01.478", attemptId="abc-123"
    ),
    "29a-lag-create": _lag,
    "29b-lag-list-immediately": _lag_created,
    "29g-lag-reschedule": lambda s: s.wait(4),
    "29j-lag-cancel-again": _lag_moved_twice_and_cancelled,
    "29m-lag-slots": _lag_over,
    "31b-collective-free": _later_event_types,
    "31m-pending-blocks-second": lambda s: s.book("pb1", 14, "2027-02-17T13:00:00Z", "pb1@kunde.example"),
    "34a-event-type-create": _next_type_is_101,
    "35c-delete-et": lambda s: s.book("eSFav2yVkTBSAjvioYxQYk", 102, "2027-02-22T10:00:00Z", "weg@kunde.example"),
    "36a-redis-down-get": _down(FaultKind.ERROR_500_BEFORE),
    "36c-redis-back": _up,
    "36d-db-down-get": _down(FaultKind.ERROR_500_SHORT),
    "36g-db-back-get": _up,
    "36i-api-killed-mid-create": _killed,
    "37b-reschedule-with-metadata": _up,
}

_TOKENS = {
    "<redacted:main>": MAIN,
    "<redacted:ben>": BEN,
    "<redacted:default-limits>": LIMITED,
}
_ODD_TOKENS = {"16c-no-prefix-key": "wrongwithoutprefix", "32h-expired-key": EXPIRED}


def token(name: str, redacted: str) -> str:
    return _ODD_TOKENS.get(name) or _TOKENS.get(redacted) or "cal_wrong"


def sent_at(capture: Any) -> datetime | None:
    """When an exchange took place, as far as its answer tells."""
    body = (capture.get("response") or {}).get("body")
    if not isinstance(body, dict):
        return None
    if "timestamp" in body:
        return parse_instant(body["timestamp"])
    data = body.get("data")
    if capture["request"]["method"] == "GET" or not isinstance(data, dict):
        return None
    if "reservationUntil" in data:
        return parse_instant(data["reservationUntil"]) - timedelta(minutes=data["reservationDuration"])
    if "hosts" not in data:
        return None
    acted = capture["request"]["path"].endswith(("/cancel", "/confirm", "/decline", "/mark-absent"))
    return parse_instant(data["updatedAt" if acted else "createdAt"])
