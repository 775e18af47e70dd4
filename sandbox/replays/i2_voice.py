"""The move of 2025-10-11 by voice: Cal.com fails in three ways, and the caller hears which; then it comes back."""

from __future__ import annotations

import re
from datetime import datetime

from sandbox.replays.caller import Caller, Json
from sandbox.replays.story import Story, berlin, instant
from sandbox.salon.records import Records

CALL, CALL_2 = "call_8d1c02f3a7be41c69d0b5e2f674", "call_34eccfb40e876f37458e06aa368"
HINTERSEER, STRANGER = "+491600000674", "+491713920099"
WEDNESDAY = "2025-10-15"
NINE, HALF_PAST = berlin(f"{WEDNESDAY} 09:00"), berlin(f"{WEDNESDAY} 09:30")
BOOKED_AT, RINGS_AGAIN = instant("2025-10-11T06:36:20Z"), instant("2025-10-11T06:53:27Z")
TOOL = "reschedule_appointment_v17"
NAMED = {"name": "Hansi Hinterseer", "date": "15.10.2025"}
NOT_NOW = (
    "Die Terminverwaltung ist vorübergehend nicht erreichbar. "
    "Bitte versuchen Sie es in wenigen Minuten erneut oder rufen Sie uns direkt an."
)
NOT_FOUND = "Dieser Termin kann leider nicht online umgebucht werden. Bitte rufen Sie uns direkt an."
RESCHEDULE = "/v2/bookings/{uid}/reschedule"
AWAY = {"fault": {"kind": "error_500_before"}, "method": "POST", "path": RESCHEDULE, "times": 0}
SCENE = {"weekly": {}, "on": {WEDNESDAY: [("09:00", "18:00")]}, "mail": {"mode": "held"}}


def tell(story: Story) -> None:
    """A failure that passes, one that does not, and a wish that is kept."""
    away(story)
    unknown_there(story)
    kept(story)


def away(story: Story) -> None:
    """HTTP 500, as then."""
    story.chapter("The same wish by voice, and Cal.com answers 500", begins=BOOKED_AT, **SCENE)
    uid, caller, token = asked(story)
    story.calcom.faults(AWAY)
    no = caller.says("Ja, bitte.", TOOL, confirmation_token=token)
    then = story.salon.records()
    tries = moves(story)
    story.calcom.faults()
    until_it_ends(story)
    now = story.ends()
    story.holds(
        "HTTP 500 is temporary_error, in the words for it; nobody hears “umgebucht” or “nicht online”",
        no.get("status") == "temporary_error" and no["message"].startswith(NOT_NOW) and not claims_moved(no),
        no,
    )
    story.holds(
        "One retry within the turn, with the uid in the path, never the numeric id",
        [each["status"] for each in tries] == [500, 500] and {each["uid"] for each in tries} == {uid},
        tries,
    )
    story.holds(
        "While nobody knows both times are blocked and the appointment stays where it is; then it is as it was",
        [(each["state"], instant(each["start"]), each["uid"]) for each in then.appointments] == [("MOVING", NINE, uid)]
        and sorted((each.start, each.state) for each in then.intervals if each.state != "H")
        == [(NINE, "C"), (HALF_PAST, "P")]
        and stands(now, NINE, uid)
        and live(story) == [(uid, NINE)],
        [then.appointments, now.appointments],
    )
    story.holds(
        "The caller was told that it is not certain, and gets one message of how it ended",
        "Nachricht" in no["message"] and [kind for _, kind in now.owed_texts] == ["not_moved"],
        now.owed_texts,
    )
    story.holds(
        "Cal.com's whole answer is kept with the appointment",
        "HTTP 500" in then.appointments[0].get("answer", ""),
        then.appointments,
    )


def unknown_there(story: Story) -> None:
    """HTTP 404."""
    story.chapter("Cal.com does not know the booking any more", begins=BOOKED_AT, **SCENE)
    uid, caller, token = asked(story)
    story.happens("the booking vanishes from Cal.com, without a trace")
    story.calcom.vanish(uid)
    no = caller.says("Ja, bitte.", TOOL, confirmation_token=token)
    now = story.ends()
    story.holds(
        "HTTP 404 is not_found, in the words for that; our appointment is unchanged, and a person is told",
        no.get("status") == "not_found"
        and no["message"] == NOT_FOUND
        and stands(now, NINE, uid)
        and [each["kind"] for each in now.alerts] == ["RequestRefused"],
        [no, now.appointments, now.alerts],
    )


def kept(story: Story) -> None:
    """The caller agrees that it is done later."""
    story.chapter("Cal.com is away; the caller lets us do it later", begins=BOOKED_AT, **SCENE)
    uid, caller, token = asked(story)
    story.calcom.faults(AWAY)
    no = caller.says("Ja, bitte.", TOOL, confirmation_token=token)
    yes = caller.says(
        "Ja, machen Sie das.", TOOL, confirmation_token=no.get("confirmation_token", ""), keep_for_later="ja"
    )
    story.calcom.faults()
    story.happens("Cal.com is back")
    until_it_ends(story)
    now = story.ends()
    story.holds(
        "Which of the two it is, is said: noted for later, not moved; nothing is kept unless the caller agrees",
        no.get("can_be_kept_for_later") is True
        and yes.get("status") == "pending"
        and "notiert" in yes["message"]
        and "Nachricht" in yes["message"]
        and not claims_moved(yes),
        [no, yes],
    )
    (moved,) = live(story) or [("", NINE)]
    story.holds(
        "Cal.com comes back, the move is carried out once, and one message tells of it",
        moved[1] == HALF_PAST
        and stands(now, HALF_PAST, moved[0])
        and now.superseded == {uid: moved[0]}
        and [kind for _, kind in now.owed_texts] == ["moved"],
        [now.appointments, now.owed_texts, story.calcom.bookings()],
    )


def asked(story: Story) -> tuple[str, Caller, str]:
    """Booked at 9; seventeen minutes later the caller wants 9:30, and is asked whether it shall be so."""
    with story.hushed("08:36:20 as before: 9 Uhr is booked"):
        first = story.caller("Hansi Hinterseer", CALL, HINTERSEER)
        wish = {"service": "Herrenhaarschnitt", "staff": "Fabian", "date": "15.10.2025", "time": "09:00"}
        first.says("Am fünfzehnten um neun zu Fabian, bitte.", "book_appointment_v17", **wish, name=first.name)
    (uid,) = [str(each["uid"]) for each in story.calcom.bookings()]
    story.at(RINGS_AGAIN)
    stranger = story.caller("Jemand anderes", "call_5f0d7720a1c94d0c9d9b0a77c31", STRANGER)
    with story.hushed("a stranger asks for the same appointment first"):
        denied = stranger.says("Verschieben, bitte.", TOOL, **NAMED, new_time="09:30")
    caller = story.caller("Hansi Hinterseer", CALL_2, HINTERSEER)
    question = caller.says("Gerne verschieben auf neun Uhr dreißig.", TOOL, **NAMED, new_time="09:30")
    token = question.get("confirmation_token")
    story.holds(
        "Moving needs the caller's own number, name and day, and a yes; a stranger finds nothing",
        denied.get("status") == "not_found" and question.get("missing") == "confirmation" and token,
        [denied, question],
    )
    return uid, caller, str(token)


def until_it_ends(story: Story) -> None:
    """The sweeper looks until it is certain: for minutes, and more than once."""
    for seconds in (60, 150, 40, 40, 60):
        story.wait(seconds)
        story.sweep()
        if "MOVING" not in {each["state"] for each in story.salon.records().appointments}:
            return


def moves(story: Story) -> list[Json]:
    """The requests to move."""
    return [each for each in story.calcom.log() if each["template"] == RESCHEDULE]


def live(story: Story) -> list[tuple[str, datetime]]:
    """What is booked at Cal.com."""
    return [(each["uid"], instant(each["start"])) for each in story.calcom.bookings() if each["status"] == "accepted"]


def stands(now: Records, start: datetime, uid: str) -> bool:
    """Whether the one appointment is confirmed there, and nothing else is taken."""
    return [(each["state"], instant(each["start"]), each["uid"]) for each in now.appointments] == [
        ("CONFIRMED", start, uid)
    ] and [(each.start, each.state) for each in now.intervals if each.state != "H"] == [(start, "C")]


def claims_moved(reply: Json) -> bool:
    """Whether a caller would take the sentence for a move of theirs."""
    return reply.get("status") == "moved" or bool(re.search(r"Ihr Termin ist verschoben", reply.get("message", "")))
