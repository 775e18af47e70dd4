"""Whoever has a telephone, or has talked the agent into anything, changes nothing of others and learns nothing of them.

Every request goes through the real signed door to a salon with several customers, beside another salon in the same
table. The corpus is one request a case; what takes several (tokens, guessing) is written out below it. That each of
them can fail is shown by the bugs of `tests/planted/of_callers.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from bookend.domain.answers import NotSent
from bookend.domain.contacts import customer_id
from tests.functions.abuse_corpus import (
    BASE,
    FREE_DAY,
    GROUPS,
    HAIRCUT,
    INITIALS,
    INITIALS_NAME,
    ME,
    MINE,
    MY_NAME,
    OWN_QUESTION,
    STRANGER,
    SURNAMES,
    THEIRS,
    TWICE_MINE,
    VICTIM,
    VICTIM_NAME,
    Case,
    Traces,
)
from tests.functions.test_hostile import RIVAL, RIVAL_NUMBER, rival_document
from tests.support.calendar import BUSY, EventType
from tests.support.http import Answer, Doors
from tests.support.retell import body_of, function_call, phone_call, signature
from tests.support.salon import EXAMPLE, Salon

GONE, PAST, REFUSED, THERE = "+491701110003", "+491701110004", "+491701110005", "+491701110006"
"""Numbers of which all that is known is cancelled, over, refused, or at the other salon."""
SECRET = ("Viktoria", "Opfermann", "Randau", "1701110001", "1701110002", "Zora", "Geheimsalon", "Flechtfrisur")
THEIR_TIMES = ("28. Oktober", "29. Oktober", "2025-10-28", "2025-10-29", "31. Oktober", "2025-10-31")
"""How a reply would name a day on which others have an appointment; nothing is offered on those days."""
THEIR_LINE = {"agent_id": RIVAL, "to_number": RIVAL_NUMBER}
Row = dict[str, Any]


class Scene:
    """The salon and what is known of it before anybody tries anything; `restore` makes it so again."""

    def __init__(self, doors: Doors) -> None:
        self.doors = doors
        self.salon = doors.salon
        self._fill()
        self.rows_before = self.rows()
        self.bookings_before = dict(self.salon.calendar.bookings)
        self._began = self.salon.clock.monotonic()
        self.ids = self._ids()

    def _fill(self) -> None:
        for day in ("2025-10-26", MINE, THEIRS, "2025-10-29", TWICE_MINE, "2025-10-31", FREE_DAY):
            self.salon.open(day)
        self.salon.open("2025-10-25", first="20:30", last="21:00")
        for number, name, day, times in (
            (ME, MY_NAME, MINE, ["09:00"]),
            (ME, MY_NAME, TWICE_MINE, ["15:00", "16:30"]),
            (VICTIM, VICTIM_NAME, THEIRS, ["10:00"]),
            (VICTIM, VICTIM_NAME, "2025-10-29", ["11:00"]),
            (INITIALS, INITIALS_NAME, "2025-10-31", ["09:00"]),
            (GONE, MY_NAME, MINE, ["12:00"]),
            (PAST, MY_NAME, "2025-10-25", ["20:30"]),
        ):
            for time in times:
                assert self.book(name, day, time, from_number=number)["status"] == "booked"
        there = THEIR_LINE | {"service": "Flechtfrisur"}
        for number, name, day in ((ME, MY_NAME, FREE_DAY), (VICTIM, VICTIM_NAME, THEIRS), (THERE, MY_NAME, MINE)):
            assert self.book(name, day, "11:00", from_number=number, **there)["status"] == "booked"
        self.salon.calendar.faults.append(lambda *_: BUSY)
        assert self.book(MY_NAME, MINE, "14:00", from_number=REFUSED)["status"] == "slot_taken"
        asked = self.ask("call_gone", BASE, from_number=GONE)
        assert self.say_yes("call_gone", asked, from_number=GONE)["status"] == "cancelled"
        self.salon.clock.advance(30 * 60)

    def book(self, name: str, date: str, time: str, *, service: str = HAIRCUT, **call: Any) -> dict[str, Any]:
        args = {"service": service, "date": date, "time": time, "name": name}
        if service == HAIRCUT:
            args["staff"] = "Fabian"
        return self.send("book_appointment", args, call_id=f"call_b{len(self.rows())}", **call).json

    def _ids(self) -> Mapping[str, Any]:
        owned = {}
        for who, number in (("own", ME), ("victim", VICTIM)):
            customer = customer_id("friseur1", caller=number, call="")
            (first, *_) = [row for row in self.of("APPT") if row["customer_key"]["S"].endswith(customer)]
            segment = first["segments"]["L"][0]["M"]
            owned |= {
                f"<{who} customer>": customer,
                f"<{who} appointment>": first["pk"]["S"].rpartition("#")[2],
                f"<{who} uid>": segment["uid"]["S"],
                f"<{who} id>": int(segment["id"]["N"]),
                f"<{who} address>": first["customer"]["M"]["email"]["S"],
            }
        return owned

    # What there is

    def rows(self) -> dict[tuple[str, str], Row]:
        found = self.salon.client.scan(TableName=self.salon.table_name)["Items"]
        return {(row["pk"]["S"], row["sk"]["S"]): row for row in found}

    def of(self, kind: str) -> list[Row]:
        return [row for (pk, _), row in sorted(self.rows().items()) if f"#{kind}#" in pk]

    def changed(self) -> dict[str, Row | None]:
        """Rows that are not as they were before anybody tried anything; None: it is gone."""
        now = self.rows()
        return {
            key[0]: now.get(key)
            for key in sorted(self.rows_before.keys() | now.keys())
            if self.rows_before.get(key) != now.get(key)
        }

    def state_of(self, number: str) -> list[tuple[str, str]]:
        """State and start of a number's appointments here."""
        customer = customer_id("friseur1", caller=number, call="")
        mine = [row for row in self.of("APPT") if row["customer_key"]["S"].endswith(customer)]
        return sorted((row["start"]["S"], row["state"]["S"]) for row in mine)

    def bookings_changed(self) -> list[str]:
        """Uids of Cal.com's bookings that are not as they were, or are new."""
        now = self.salon.calendar.bookings
        return [uid for uid in sorted({*now, *self.bookings_before}) if now.get(uid) != self.bookings_before.get(uid)]

    def intervals_lost(self) -> list[str]:
        """Staff days on which not everything stands that stood there."""
        now = self.rows()
        days = [key for key, row in self.rows_before.items() if "iv" in row]
        before = {key: self.rows_before[key]["iv"]["M"] for key in days}
        return [
            f"{pk} {sk}"
            for pk, sk in days
            if not all(now[pk, sk]["iv"]["M"].get(k) == v for k, v in before[pk, sk].items())
        ]

    def restore(self) -> None:
        client, table = self.salon.client, self.salon.table_name
        now = self.rows()
        for key, row in now.items():
            if key not in self.rows_before:
                client.delete_item(TableName=table, Key={"pk": row["pk"], "sk": row["sk"]})
        for key, row in self.rows_before.items():
            if now.get(key) != row:
                client.put_item(TableName=table, Item=row)
        calendar = self.salon.calendar
        calendar.bookings = dict(self.bookings_before)
        for faults in (calendar.faults, calendar.slot_faults, calendar.move_faults, calendar.cancel_faults):
            faults.clear()
        calendar.asked.clear()
        self.salon.queue.jobs.clear()
        self.salon.alerts.raised.clear()
        self.salon.clock.advance(self._began - self.salon.clock.monotonic())
        self.doors.heard.clear()

    # What is asked

    def send(self, function: str, args: Any, **call: Any) -> Answer:
        return self.doors.function(function, args, call=phone_call(**({"call_id": "call_abuse"} | call)))

    def ask(self, call_id: str, args: Any, *, function: str = "cancel_appointment", **call: Any) -> dict[str, Any]:
        """The first step; in the agent's words what the caller gets."""
        return self.send(function, args, call_id=call_id, **call).json

    def say_yes(
        self,
        call_id: str,
        asked: Mapping[str, Any],
        *,
        function: str = "cancel_appointment",
        keep: bool = False,
        **call: Any,
    ) -> dict[str, Any]:
        """The second step, with the token of a first."""
        args = {"confirmation_token": asked["confirmation_token"]} | ({"keep_for_later": True} if keep else {})
        return self.send(function, args, call_id=call_id, **call).json

    def filled(self, value: Any) -> Any:
        """`<victim uid>` and the like, wherever they stand."""
        if isinstance(value, list):
            return [self.filled(each) for each in value]
        if isinstance(value, dict):
            return {name: self.filled(each) for name, each in value.items()}
        return self.ids.get(value, value) if isinstance(value, str) else value


@contextmanager
def open_scene() -> Iterator[Scene]:
    salon = Salon()
    salon.calendar.event_types = {**salon.calendar.event_types, 900001: EventType(90, 30)}
    with Doors(salon, documents=[EXAMPLE.read_text(encoding="utf-8"), rival_document()]) as doors:
        yield Scene(doors)


@pytest.fixture(scope="module")
def opened() -> Iterator[Scene]:
    with open_scene() as scene:
        yield scene


@pytest.fixture
def scene(opened: Scene) -> Scene:
    opened.restore()
    return opened


# The corpus


def status_of(reply: Mapping[str, Any]) -> str:
    missing = f":{reply['missing']}" if "missing" in reply else ""
    return f"{reply['status']}{missing}"


ALLOWED: Mapping[Traces, tuple[str, ...]] = {
    Traces.NOTHING: (),
    Traces.TRY: ("TRIES",),
    Traces.QUESTION: ("TRIES", "CALL"),
    Traces.HOLDS: ("CALL", "STAFF", "SLOTS"),
    Traces.BOOKED: ("CALL", "STAFF", "SLOTS", "APPT", "REQ", "CUST", "CUSTOMER", "CALUID", "CALID", "OUT"),
}
CHANGES_THERE = {"create", "reschedule", "cancel"}


def wrong_with(scene: Scene, case: Case) -> list[str]:
    """All that one case shows which must not be."""
    scene.restore()
    call = {"from_number": ME} | dict(case.call)
    answer = scene.send(case.function, scene.filled(case.args), **call)
    reply, found = answer.json, []
    if (answer.status, status_of(reply)) != (case.http, case.status):
        found.append(f"HTTP {answer.status} {status_of(reply)}")
    found += wrong_traces(scene, case)
    found += [f"the reply says {each}" for each in (*SECRET, *THEIR_TIMES, *hidden_ids(scene)) if each in answer.text]
    found += [f"a log says {each}" for each in (*SECRET, MY_NAME, ME[3:]) if each in scene.doors.heard.text]
    said = json.dumps(reply.get("message"), ensure_ascii=False)
    if len(answer.text) > 2500 or (answer.status == 200 and ("<" in said or "{" in said)):
        found.append(f"the reply is {answer.text[:200]}")
    if case.function == "find_appointments" and case.status == "ok":
        plain = scene.send("find_appointments", {}, **call)
        found += [] if plain.text == answer.text else ["arguments change what is found"]
    return found


def hidden_ids(scene: Scene) -> list[str]:
    return [str(each) for name, each in scene.ids.items() if not name.endswith("id>")]


def wrong_traces(scene: Scene, case: Case) -> list[str]:
    kinds = ALLOWED[case.traces]
    caller = str(case.call.get("from_number", ME))
    here = f"T#friseur1#TRIES#{customer_id('friseur1', caller=caller, call='')}"
    found = []
    for pk, row in scene.changed().items():
        tenant, kind = pk.split("#")[1:3]
        ours = tenant == ("anderer" if case.call.get("agent_id") == RIVAL else "friseur1")
        if not ours or kind not in kinds:
            found.append(f"{pk} has changed")
        elif kind == "TRIES" and case.traces is Traces.TRY and (row or {})["misses"] != {"N": "1"}:
            found.append("not one try was counted")
        elif kind == "TRIES" and case.traces is Traces.QUESTION and (row or {})["misses"] != {"N": "0"}:
            found.append("a hit was counted as a miss")
        elif kind == "TRIES" and case.call.get("direction") != "outbound" and tenant == "friseur1" and pk != here:
            found.append("somebody else's account was charged")
    before, now = scene.rows_before, scene.rows()
    for key, row in before.items():
        if key[0].split("#")[1:2] == ["friseur1"] and f"#{key[0].split('#')[2]}#" in "#APPT#REQ#CUST#CALUID#CALID#OUT#":
            found += [] if now.get(key) == row else [f"{key[0]} has changed"]
    if case.traces is Traces.TRY and not any("#TRIES#" in pk for pk in scene.changed()):
        found.append("the try was not counted")
    if case.traces is not Traces.BOOKED and CHANGES_THERE & set(scene.salon.calendar.asked):
        found.append(f"Cal.com was asked to {scene.salon.calendar.asked}")
    found += [f"{pk} has lost an interval" for pk in scene.intervals_lost()]
    if set(scene.bookings_changed()) & set(scene.bookings_before):
        found.append("a booking at Cal.com has changed")
    if scene.salon.queue.jobs and case.traces is not Traces.BOOKED:
        found.append("there is work in the queue")
    return found


def corpus(scene: Scene, group: Callable[[], Iterator[Case]]) -> None:
    wrong = {case.name: found for case in group() if (found := wrong_with(scene, case))}
    assert wrong == {}


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)
def test_what_is_asked_is_denied_as_specified(scene: Scene, group: Callable[[], Iterator[Case]]) -> None:
    corpus(scene, group)


def test_the_corpus_is_large_and_every_case_has_a_name_of_its_own() -> None:
    names = [(case.function, case.name) for group in GROUPS for case in group()]
    assert len(names) == len(set(names)) > 150


# Whoever says yes must have been asked: in this call, about this, not long ago

SECOND = {"name": MY_NAME, "date": TWICE_MINE, "time": "15:00"}
TO = {"new_date": FREE_DAY, "new_time": "10:00"}


def untouched(scene: Scene) -> None:
    """All appointments and bookings are as they were; what is held for a question may be."""
    kinds = ("APPT", "CUST", "REQ", "CALUID", "CALID", "OUT", "CUSTOMER")
    assert [pk for pk in scene.changed() if pk.split("#")[2] in kinds or "#anderer#" in pk] == []
    assert scene.intervals_lost() == scene.bookings_changed() == []
    assert not CHANGES_THERE & set(scene.salon.calendar.asked)
    assert scene.salon.queue.jobs == []


def only_mine_is_cancelled(scene: Scene) -> None:
    """The one of MINE and nothing else, once."""
    assert scene.state_of(ME) == [
        ("2025-10-27T08:00:00.000000Z", "CANCELLED"),
        ("2025-10-30T14:00:00.000000Z", "CONFIRMED"),
        ("2025-10-30T15:30:00.000000Z", "CONFIRMED"),
    ]
    assert scene.bookings_changed() == [scene.ids["<own uid>"]]
    assert scene.salon.calendar.asked.count("cancel") == 1
    assert [
        row["changes"]["N"] for row in scene.of("TRIES") if row["pk"]["S"].endswith(scene.ids["<own customer>"])
    ] == ["1"]
    assert [pk for pk in scene.changed() if pk.split("#")[2] == "APPT"] == [
        f"T#friseur1#APPT#{scene.ids['<own appointment>']}"
    ]


def the_yes_of_another_call(scene: Scene) -> None:
    asked, other = scene.ask("call_a", BASE), scene.ask("call_b", SECOND)
    assert scene.say_yes("call_b", asked)["status"] == "not_found"
    assert scene.say_yes("call_c", asked)["status"] == "not_found"
    untouched(scene)
    assert scene.say_yes("call_a", asked)["status"] == "cancelled"
    only_mine_is_cancelled(scene)
    assert scene.say_yes("call_b", other)["status"] == "cancelled"


def the_yes_to_another_question(scene: Scene) -> None:
    to_cancel = scene.ask("call_a", BASE)
    assert scene.say_yes("call_a", to_cancel, function="reschedule_appointment")["status"] == "not_found"
    to_move = scene.ask("call_b", BASE | TO, function="reschedule_appointment")
    assert scene.say_yes("call_b", to_move)["status"] == "not_found"
    untouched(scene)


def only_the_last_question_counts(scene: Scene) -> None:
    first, last = scene.ask("call_a", SECOND), scene.ask("call_a", BASE)
    stale = scene.say_yes("call_a", first)
    assert stale["status"] == "not_found"
    assert stale["message"].startswith("Das muss ich Sie noch einmal fragen.")
    made_up = scene.say_yes("call_a", {"confirmation_token": "x"})
    assert made_up != stale
    for elsewhere in ({"call_id": "call_b"}, {"from_number": VICTIM}, THEIR_LINE):
        assert scene.say_yes(**({"call_id": "call_a", "asked": first} | elsewhere)) == made_up
    untouched(scene)
    assert scene.say_yes("call_a", last)["status"] == "cancelled"
    only_mine_is_cancelled(scene)


def the_same_yes_twice_is_one_change(scene: Scene) -> None:
    asked = scene.ask("call_a", BASE)
    answers = [scene.say_yes("call_a", asked) for _ in range(3)]
    assert [each["status"] for each in answers] == ["cancelled"] * 3
    only_mine_is_cancelled(scene)
    assert scene.ask("call_a", SECOND)["status"] == "need_info", "another one needs a question of its own"
    only_mine_is_cancelled(scene)


def the_same_bytes_twice_are_one_change(scene: Scene) -> None:
    asked = scene.ask("call_a", BASE)
    said = {"confirmation_token": asked["confirmation_token"]}
    body = body_of(function_call("cancel_appointment", said, call=phone_call("call_a")))
    header = signature(body, at=scene.salon.clock.now())
    first, again = (scene.doors.post("retell_functions", body, signed=header) for _ in range(2))
    assert first.text == again.text
    only_mine_is_cancelled(scene)
    scene.salon.clock.advance(301)
    assert scene.doors.post("retell_functions", body, signed=header).status == 401
    only_mine_is_cancelled(scene)


def a_yes_that_comes_too_late(scene: Scene) -> None:
    asked = scene.ask("call_a", BASE)
    scene.salon.clock.advance(5 * 60)
    assert status_of(scene.say_yes("call_a", asked)) == "need_info:date"
    untouched(scene)
    scene.salon.clock.advance(-1)
    assert scene.say_yes("call_a", asked)["status"] == "cancelled"


def a_yes_to_what_has_changed_since(scene: Scene) -> None:
    asked = scene.ask("call_a", BASE)
    elsewhere = scene.ask("call_b", BASE | TO, function="reschedule_appointment")
    assert scene.say_yes("call_b", elsewhere, function="reschedule_appointment")["status"] == "moved"
    assert status_of(scene.say_yes("call_a", asked)) == "need_info:date"
    assert ("2025-11-03T09:00:00.000000Z", "CONFIRMED") in scene.state_of(ME)
    assert "cancel" not in scene.salon.calendar.asked


def facts_beside_a_yes_change_nothing(scene: Scene) -> None:
    asked = scene.ask("call_a", BASE)
    args = {"confirmation_token": asked["confirmation_token"], "name": VICTIM_NAME, "date": THEIRS, "all": True}
    more = {"appointment_id": scene.ids["<victim appointment>"], "new_date": FREE_DAY}
    assert scene.send("cancel_appointment", args | more, call_id="call_a").json["status"] == "cancelled"
    only_mine_is_cancelled(scene)


def the_yes_of_another_salon_or_number(scene: Scene) -> None:
    asked = scene.ask("call_a", BASE)
    assert scene.say_yes("call_a", asked, **THEIR_LINE)["status"] == "not_found"
    assert scene.say_yes("call_a", asked, from_number=VICTIM)["status"] == "not_found"
    assert scene.say_yes("call_a", asked, from_number="anonymous")["status"] == "not_allowed"
    assert scene.say_yes("call_a", asked, agent_id=RIVAL)["status"] == "not_allowed"
    untouched(scene)


def a_token_that_is_nearly_right(scene: Scene) -> None:
    asked = scene.ask("call_a", BASE)
    token = asked["confirmation_token"]
    for near in (token[:-1], token + "0", token * 2, token.upper(), token[::-1], f"{token},{token}", f"{token}*"):
        assert scene.say_yes("call_a", {"confirmation_token": near})["status"] == "not_found"
    untouched(scene)
    assert scene.say_yes("call_a", asked)["status"] == "cancelled"


def what_was_offered_to_another(scene: Scene) -> None:
    wish = {"service": HAIRCUT, "staff": "Fabian", "date": FREE_DAY}
    theirs = scene.send("check_availability", wish, call_id="call_b", from_number=STRANGER).json["offers"]
    args = BASE | {"offer_id": theirs[0]["offer_id"]}
    assert status_of(scene.send("reschedule_appointment", args, call_id="call_a").json) == "need_info:new_time"
    at_that_time = BASE | {"new_date": FREE_DAY, "new_time": theirs[0]["start"][11:16]}
    assert scene.ask("call_a", at_that_time, function="reschedule_appointment")["status"] == "slot_taken"
    assert scene.state_of(ME)[0][1] == "CONFIRMED"


def what_is_kept_for_later_is_kept_once(scene: Scene) -> None:
    asked = scene.ask("call_a", BASE)
    scene.salon.calendar.cancel_faults.extend([NotSent("no connection")] * 9)
    sorry = scene.say_yes("call_a", asked)
    assert (sorry["status"], sorry["can_be_kept_for_later"]) == ("temporary_error", True)
    assert scene.state_of(ME)[0][1] == "CONFIRMED", "nothing is kept unless the caller wants it"
    assert scene.say_yes("call_b", sorry, keep=True)["status"] == "not_found"
    assert scene.say_yes("call_a", sorry, keep=True, from_number=VICTIM)["status"] == "not_found"
    assert [scene.say_yes("call_a", sorry, keep=True)["status"] for _ in range(4)] == ["pending"] * 4
    assert [state for _, state in scene.state_of(ME)] == ["CANCELLING", "CONFIRMED", "CONFIRMED"]
    assert {job.name for job, _ in scene.salon.queue.jobs} == {scene.ids["<own appointment>"]}
    assert len(scene.salon.queue.jobs) == 1
    assert scene.bookings_changed() == []


# Whoever guesses does not get far

WRONG = {"name": "Nie Gesehen", "date": MINE}


def three_misses_end_it_for_a_call(scene: Scene) -> None:
    said = [scene.ask("call_a", args)["status"] for args in (WRONG, BASE | {"date": THEIRS}, WRONG, BASE, BASE, WRONG)]
    assert said == ["not_found"] * 3 + ["not_allowed"] * 3
    assert status_of(scene.ask("call_b", BASE)) == OWN_QUESTION
    untouched(scene)


def a_hit_gives_back_no_miss(scene: Scene) -> None:
    said = [status_of(scene.ask("call_a", args)) for args in (WRONG, BASE, WRONG, BASE, WRONG, BASE)]
    assert said == ["not_found", OWN_QUESTION, "not_found", OWN_QUESTION, "not_found", "not_allowed"]
    untouched(scene)


def ten_misses_end_it_for_a_day(scene: Scene) -> None:
    """Somebody with the number of another, a list of names and all the time in the world."""
    said = []
    for number in range(30):
        name = SURNAMES.split()[number % 15]
        args = {"name": name, "date": ("2025-10-26", TWICE_MINE, THEIRS)[number % 3 if number > 8 else 0]}
        said.append(scene.ask(f"call_{number // 3}", args, from_number=VICTIM)["status"])
    assert said == ["not_found"] * 10 + ["not_allowed"] * 20
    right = {"name": VICTIM_NAME, "date": THEIRS}
    assert scene.ask("call_z", right, from_number=VICTIM)["status"] == "not_allowed"
    assert status_of(scene.ask("call_z", BASE)) == OWN_QUESTION, "another number is another account"
    untouched(scene)
    scene.salon.clock.advance(5 * 3600)
    assert status_of(scene.ask("call_y", right, from_number=VICTIM)) == OWN_QUESTION, "a new day of the salon's"
    untouched(scene)


def five_changes_end_it_for_a_day(scene: Scene) -> None:
    said = []
    for number, time in enumerate(("09:30", "10:00", "10:30", "11:00", "11:30", "12:00", "12:30")):
        asked = scene.ask(f"call_{number}", BASE | {"new_time": time}, function="reschedule_appointment")
        said.append(scene.say_yes(f"call_{number}", asked, function="reschedule_appointment")["status"])
        scene.doors.event("call_ended", call=phone_call(f"call_{number}"))  # what was held for it is free again
    assert said == ["moved"] * 5 + ["not_allowed"] * 2
    assert scene.say_yes("call_z", scene.ask("call_z", SECOND))["status"] == "not_allowed"
    assert scene.state_of(ME)[0] == ("2025-10-27T10:30:00.000000Z", "CONFIRMED")
    assert scene.salon.calendar.asked.count("reschedule") == 5


def what_is_not_signed_is_not_heard(scene: Scene) -> None:
    asked = scene.ask("call_a", BASE)
    body = function_call(
        "cancel_appointment", {"confirmation_token": asked["confirmation_token"]}, call=phone_call("call_a")
    )
    for signed in ("", "v=1,d=00", signature(body_of(body), key="key_of_another", at=scene.salon.clock.now())):
        assert scene.doors.post("retell_functions", body, signed=signed).status == 401
    untouched(scene)


STORIES = (
    the_yes_of_another_call,
    the_yes_to_another_question,
    only_the_last_question_counts,
    the_same_yes_twice_is_one_change,
    the_same_bytes_twice_are_one_change,
    a_yes_that_comes_too_late,
    a_yes_to_what_has_changed_since,
    facts_beside_a_yes_change_nothing,
    the_yes_of_another_salon_or_number,
    a_token_that_is_nearly_right,
    what_was_offered_to_another,
    what_is_kept_for_later_is_kept_once,
    three_misses_end_it_for_a_call,
    a_hit_gives_back_no_miss,
    ten_misses_end_it_for_a_day,
    five_changes_end_it_for_a_day,
    what_is_not_signed_is_not_heard,
)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_of_several_requests_only_what_was_agreed_is_done(scene: Scene, story: Callable[[Scene], None]) -> None:
    story(scene)


# Nobody can tell from an answer who is a customer

NOBODYS = {
    "a number we have never seen": STRANGER,
    "another customer": VICTIM,
    "a customer with one appointment": INITIALS,
    "all of it is cancelled": GONE,
    "all of it is over": PAST,
    "the booking was refused": REFUSED,
    "the appointment is at another salon": THERE,
}
"""Who asks for Achim Eigenbrot on MINE without having that appointment."""
NEARLY = {
    "wrong name": BASE | {"name": VICTIM_NAME},
    "wrong date": BASE | {"date": THEIRS},
    "wrong time": BASE | {"time": "10:00"},
    "nothing right": {"name": "Nie Gesehen", "date": "2025-10-31"},
}
"""What a customer may say who has an appointment, and a stranger too."""
FUNCTIONS = {"cancel_appointment": {}, "reschedule_appointment": TO}


class Seen:
    """An answer as the caller's side sees it, and what it took: table requests and Cal.com's, in order."""

    def __init__(self, scene: Scene, function: str, args: Any, number: str, *, misses: int = 0) -> None:
        scene.restore()
        for _ in range(misses):
            scene.ask("call_abuse", WRONG, from_number=number)
        took: list[Any] = []
        client, calendar = scene.salon.client, scene.salon.calendar
        watch = lambda name, request: took.append((name, len(request.get("TransactItems", "."))))  # noqa: E731
        client.before.append(watch)
        calendar.asked.clear()
        try:
            answer = scene.send(function, args, from_number=number)
        finally:
            client.before.remove(watch)
        self.answer = answer.whole
        self.text = re.sub(r"id\d{5}", "id", answer.text)
        self.took = (*took, *calendar.asked)


def nobody_is_told_apart(scene: Scene) -> None:
    for function, more in FUNCTIONS.items():
        stranger = Seen(scene, function, BASE | more, STRANGER)
        assert stranger.took
        for who, number in NOBODYS.items():
            seen = Seen(scene, function, BASE | more, number)
            assert (seen.answer, seen.took) == (stranger.answer, stranger.took), who
        for what, args in NEARLY.items():
            mine, theirs = (Seen(scene, function, args | more, number) for number in (ME, STRANGER))
            assert (mine.answer, mine.took) == (theirs.answer, theirs.took) == (stranger.answer, stranger.took), what


def nobody_is_told_apart_after_too_many_misses(scene: Scene) -> None:
    for function, more in FUNCTIONS.items():
        stranger = Seen(scene, function, BASE | more, STRANGER, misses=3)
        for args in (BASE, *NEARLY.values()):
            seen = Seen(scene, function, args | more, ME, misses=3)
            assert (seen.answer, seen.took) == (stranger.answer, stranger.took)


def a_made_up_token_tells_nothing(scene: Scene) -> None:
    for function in FUNCTIONS:
        stranger = Seen(scene, function, {"confirmation_token": "x"}, STRANGER)
        for number in (ME, VICTIM, GONE, THERE):
            seen = Seen(scene, function, {"confirmation_token": "x"}, number)
            assert (seen.answer, seen.took) == (stranger.answer, stranger.took)


def looking_costs_the_same_for_all(scene: Scene) -> None:
    """What is found may be heard by whoever has the number; that something is must not show in what it takes."""
    took = {Seen(scene, "find_appointments", {}, number).took for number in (ME, *NOBODYS.values())}
    assert len(took) == 1
    none = {Seen(scene, "find_appointments", {}, number).text for number in (STRANGER, GONE, PAST, REFUSED, THERE)}
    assert len(none) == 1


def a_new_customer_is_served_like_an_old_one(scene: Scene) -> None:
    wish = {"service": HAIRCUT, "staff": "Fabian", "date": FREE_DAY, "time": "10:00"}
    for function, more in (("check_availability", {}), ("book_appointment", {"name": MY_NAME})):
        new, old = (Seen(scene, function, wish | more, number) for number in (STRANGER, ME))
        assert new.text == old.text
        assert [name for name, *_ in new.took] == [name for name, *_ in old.took]


ALIKE = (
    nobody_is_told_apart,
    nobody_is_told_apart_after_too_many_misses,
    a_made_up_token_tells_nothing,
    looking_costs_the_same_for_all,
    a_new_customer_is_served_like_an_old_one,
)


@pytest.mark.parametrize("alike", ALIKE, ids=lambda alike: alike.__name__)
def test_answer_and_effort_do_not_tell_who_is_a_customer(scene: Scene, alike: Callable[[Scene], None]) -> None:
    alike(scene)
