"""2025-10-11: a move that Cal.com failed on, told in the wrong words; and two sides that differ in more than that."""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox.replays import i2_voice
from sandbox.replays.caller import Caller, Json
from sandbox.replays.story import Story, berlin, claims_booked, instant, overlaps, starts
from sandbox.salon.records import Records

TITLE = "2025-10-11 · a move refused with the wrong words, and two sides that differ"
LATER = ("an operator's own move",)

CALL, CALL_2 = "call_8d1c02f3a7be41c69d0b5e2f674", "call_34eccfb40e876f37458e06aa368"
CALL_3 = "call_b2a95c11d0f84e3c8c7d6e5f4a3"
HINTERSEER, KRAMER = "+491600000674", "+491713920005"
CUT, EMMA = 3672814, 29
WEDNESDAY = "2025-10-15"
OPEN = {WEDNESDAY: [("09:00", "18:00")]}
NINE, HALF_PAST, TEN = (berlin(f"{WEDNESDAY} {time}") for time in ("09:00", "09:30", "10:00"))
BOOKED_AT = instant("2025-10-11T06:36:20Z")
WISH = {"service": "Herrenhaarschnitt", "staff": "Fabian", "date": "15.10.2025"}
HELD = {"mode": "held"}
LOST = {"lost": 1.0}
MOVED_TWICE_AND_CANCELLED = [3, 1, 2, 0]
"""The last first: how the four webhooks of a booking, two moves and a cancellation come."""


def tell(story: Story) -> None:
    """A move by hand, the same with its webhooks out of order, with none at all, and every way to differ."""
    by_hand(story)
    ends = [out_of_order(story), none_at_all(story)]
    story.holds("The end is the same as with every webhook", ends[0] == ends[1], ends)
    differences(story)
    i2_voice.tell(story)


def by_hand(story: Story) -> None:
    """The caller wants to move; so far only the salon can, at Cal.com."""
    story.chapter("Moved by hand at Cal.com, and its webhook", begins=BOOKED_AT, mail=HELD, weekly={}, on=OPEN)
    caller = story.caller("Hansi Hinterseer", CALL, HINTERSEER)
    booked = book(caller)
    story.webhooks()
    (uid,) = [each["uid"] for each in story.calcom.bookings()]

    story.at(instant("2025-10-11T06:53:27Z"))
    again = story.caller("Hansi Hinterseer", CALL_2, HINTERSEER)
    wished = again.says("Gerne verschieben auf neun Uhr dreißig.", "reschedule_appointment_v17", time="09:30")
    before = story.salon.records()
    story.at(instant("2025-10-11T06:58:00Z"))
    story.happens("the salon moves the booking to 9 Uhr 30, at Cal.com")
    moved = str(story.calcom.moves(uid, HALF_PAST)["uid"])
    story.webhooks(times=2)
    story.wait(60)
    kramer = story.caller("Jens Kramer", CALL_3, KRAMER)
    free = kramer.says("Am fünfzehnten um halb zehn zu Fabian?", "check_availability", **WISH, time="09:30")
    now = story.salon.records()
    story.wait(60)
    story.happens("the salon gives it to Emma")
    story.calcom.gives(moved, EMMA)
    story.webhooks(times=2)
    emma = story.ends(stylists=True)
    story.holds(
        "Nobody hears that it is moved, and until Cal.com has moved it the appointment is unchanged on both sides",
        claims_booked(booked)
        and wished.get("status") != "booked"
        and [(each["state"], instant(each["start"]), each["uid"]) for each in before.appointments]
        == [("CONFIRMED", NINE, uid)],
        [wished, before.appointments],
    )
    story.holds(
        "Moved there, moved here: the same appointment, its new uid and time, and the old uid still leads to it",
        [(each["state"], instant(each["start"]), each["uid"]) for each in now.appointments]
        == [("CONFIRMED", HALF_PAST, moved)]
        and now.appointments[0]["id"] == before.appointments[0]["id"]
        and now.owners().get(uid) == now.appointments[0]["id"]
        and now.superseded == {uid: moved},
        [now.appointments, now.superseded],
    )
    story.holds(
        "A webhook that comes twice is answered 200 twice and done once: one repair, with before and after in its "
        "audit entry",
        [each["attempts"] for each in story.calcom.deliveries()] == [["200"], ["200", "200"], ["200", "200"]]
        and [(each["repair"], each["drift"]) for each in now.audits] == [("follow", "start")]
        and uid in now.audits[0]["before"]["segments"]
        and moved in now.audits[0]["after"]["segments"],
        now.audits,
    )
    story.holds(
        "The next caller is not offered 9 Uhr 30, and 9 Uhr is for sale again",
        NINE in starts(free) and HALF_PAST not in starts(free),
        free,
    )
    story.holds(
        "Given to Emma there, with Emma here: the same appointment, the same uid, and Fabian's time is free",
        [(each["id"], each["uid"]) for each in emma.appointments] == [(now.appointments[0]["id"], moved)]
        and [(each.staff, each.state) for each in emma.intervals if each.state != "H"] == [("emma", "C")],
        [emma.appointments, emma.intervals],
    )
    story.holds("Cal.com is asked by uid, never by its numeric id", not by_number(story), by_number(story))


def out_of_order(story: Story) -> Json:
    """Four webhooks, the last first, each twice."""
    title = "Moved twice and cancelled at Cal.com; the webhooks come in the wrong order, each twice"
    story.chapter(title, begins=BOOKED_AT, mail=HELD, weekly={}, on=OPEN)
    uids = moved_twice_and_cancelled(story)
    story.wait(40)
    story.webhooks(MOVED_TWICE_AND_CANCELLED, times=2)
    now = story.ends()
    cancelled_and_free(story, now, uids, "Whatever their order")
    return end_of(now)


def none_at_all(story: Story) -> Json:
    """No webhook at all, and one run."""
    story.chapter("The same, and every webhook is lost", begins=BOOKED_AT, mail=LOST, weekly={}, on=OPEN)
    uids = moved_twice_and_cancelled(story)
    story.wait(300)
    story.reconcile()
    now = story.ends()
    cancelled_and_free(story, now, uids, "With no webhook and one run")
    story.wait(300)
    again = story.reconcile()
    story.holds("The next run finds both sides equal", not [each for each in again if "drift" in each], again)
    return end_of(now)


def differences(story: Story) -> None:
    """Every way in which the two sides can differ, made by hand behind Cal.com's back, and one night."""
    story.chapter("Every kind of difference, and one night", begins=berlin("2025-10-11 20:00"), mail=LOST)
    starts_at = {
        name: NINE + timedelta(hours=hour) for hour, name in enumerate(("start", "end", "host", "status", "attendee"))
    } | {"ghost_here": NINE + timedelta(hours=5)}
    made = {
        name: story.calcom.somebody_books(CUT, start, name=f"Gast {name}".replace("_", " "))
        for name, start in starts_at.items()
    }
    uids = {name: str(booking["uid"]) for name, booking in made.items()}
    story.happens("six bookings from the public page")
    story.wait(1800)
    story.reconcile()
    before = story.salon.records()
    by_hand_in_the_database(story, made, starts_at)
    story.at(berlin("2025-10-12 03:30"))
    found = story.nightly()
    now = story.ends(stylists=True)
    *_, report = [each for each in now.reports if each["sk"].split("#")[1] == "full"] or [{"tally": {}}]
    tally = {name: int(count) for name, count in report["tally"].items() if name.startswith("drift_")}
    story.holds(
        "The night's report names each difference by its class: start, end, host, status, attendee, cancelled there",
        len(before.appointments) == len(uids)
        and tally == {f"drift_{name}": 1 for name in uids}
        and tally.items() <= found.items(),
        [found, report],
    )
    at = {each["uid"]: each for each in now.appointments}
    stood = {each["uid"]: each for each in before.appointments}
    story.holds(
        "What Cal.com decides is followed: its start, its end (9:45 and 9:30 were two ends of one appointment), its "
        "stylist, its cancellation; each with an audit entry",
        instant(at[uids["start"]]["start"]) == starts_at["start"] + timedelta(minutes=30)
        and instant(at[uids["end"]]["segments"][0]["end"]) == starts_at["end"] + timedelta(minutes=45)
        and at[uids["host"]]["segments"][0]["staff"] == "emma"
        and at[uids["ghost_here"]]["state"] == "CANCELLED"
        and {each["drift"] for each in now.audits if each["repair"] != "adopt"}
        == {"start", "end", "host", "ghost_here"}
        and not overlaps(now),
        [now.appointments, now.audits],
    )
    story.holds(
        "What nobody may decide by itself is put before a person, and left as it is: status, attendee",
        sorted(each["facts"]["drift"] for each in now.alerts if each["kind"] == "DriftFound") == ["attendee", "status"]
        and all(at[uids[name]] == stood[uids[name]] for name in ("status", "attendee")),
        now.alerts,
    )
    story.at(berlin("2025-10-13 03:30"))
    story.nightly()
    later = story.salon.records()
    story.holds(
        "The night after repairs nothing twice and alerts nobody twice",
        (len(later.alerts), len(later.audits)) == (len(now.alerts), len(now.audits)),
        [later.alerts, later.audits],
    )


def book(caller: Caller) -> Json:
    """9 Uhr with Fabian."""
    words = "Am fünfzehnten um neun zum Herrenhaarschnitt bei Fabian, bitte."
    return caller.says(words, "book_appointment_v17", **WISH, time="09:00", name=caller.name)


def moved_twice_and_cancelled(story: Story) -> list[str]:
    """Booked by phone; then moved, moved and cancelled at Cal.com. The uids of its three bookings."""
    with story.hushed("08:36:20 as before: 9 Uhr is booked"):
        book(story.caller("Hansi Hinterseer", CALL, HINTERSEER))
    (uid,) = [str(each["uid"]) for each in story.calcom.bookings()]
    story.at(instant("2025-10-11T06:58:00Z"))
    story.happens("at Cal.com somebody moves it to 9 Uhr 30, then to 10 Uhr, then cancels it")
    second = str(story.calcom.moves(uid, HALF_PAST)["uid"])
    story.wait(10)
    third = str(story.calcom.moves(second, TEN)["uid"])
    story.wait(10)
    story.calcom.cancels(third, "Kommt nicht")
    return [uid, second, third]


def cancelled_and_free(story: Story, now: Records, uids: list[str], how: str) -> None:
    """What both chapters must come to."""
    owners = now.owners()
    story.holds(
        f"{how}: one appointment, CANCELLED; no time is taken, and none of the three bookings became another one",
        [each["state"] for each in now.appointments] == ["CANCELLED"]
        and not now.intervals
        and not now.customer_guards()
        and all(each["status"] == "cancelled" for each in story.calcom.bookings())
        and owners.get(uids[0]) == now.appointments[0]["id"]
        and {owners.get(uid, now.appointments[0]["id"]) for uid in uids} == {now.appointments[0]["id"]},
        [now.appointments, now.intervals, owners],
    )


def end_of(now: Records) -> Json:
    """What is in the table in the end, without the names and instants that differ from run to run."""
    return {
        "appointments": [(each["state"], each["start"], each["told"], each.get("why")) for each in now.appointments],
        "taken": len(now.intervals),
        "alerts": [each["kind"] for each in now.alerts],
        "texts": now.owed_texts,
    }


def by_hand_in_the_database(story: Story, made: dict[str, Json], starts_at: dict[str, datetime]) -> None:
    """One difference of each kind, of which no webhook tells and no instant of change: only the night can find it."""

    def edit(name: str, **fields: object) -> None:
        story.calcom.edit(made[name]["uid"], **fields, updated_at=made[name]["updatedAt"])

    story.happens(
        "by hand in Cal.com's database: one later, one 15 minutes longer, one with Emma, one pending, one with another "
        "guest, one cancelled; nothing tells of it, not even when they were changed"
    )
    half_an_hour, end = timedelta(minutes=30), starts_at["end"] + timedelta(minutes=45)
    later = starts_at["start"] + half_an_hour
    edit("start", start=later.isoformat(), end=(later + half_an_hour).isoformat())
    edit("end", end=end.isoformat())
    edit("host", host_id=EMMA)
    edit("status", status="pending")
    somebody = {"name": "Jemand Anderes", "email": "jemand@web.example", "time_zone": "Europe/Berlin"}
    edit("attendee", attendees=[somebody])
    edit("ghost_here", status="cancelled")


def by_number(story: Story) -> list[Json]:
    """Requests with a numeric id in the path."""
    return [each for each in story.calcom.log() if each["uid"].isdigit()]
