"""2025-11-23: Cal.com said "gerade vergeben", and the appointment was stored as confirmed."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta

from sandbox.replays.caller import Caller, Json
from sandbox.replays.story import Story, berlin, claims_booked, instant, overlaps, posts, starts
from sandbox.salon.records import Records

TITLE = "2025-11-23 · the ghost: “gerade vergeben”, yet stored as confirmed"
LATER: tuple[str, ...] = ()

CALL = "call_272edd18b16a74df18b9e7a9b9d"
CALL_3 = "call_3b90d1f27c6e4a58a1f0e9d8c7b"
REU, KRAMER = "+491713920004", "+491713920005"
CUT = 3672814
TEN = berlin("2025-11-28 10:00")
OPEN = {"2025-11-28": [("09:00", "12:00")]}
OPEN_LONG = {"2025-11-28": [("09:00", "15:00")]}
BEGINS = berlin("2025-11-23 22:05:20")
WISH = {"service": "Herrenhaarschnitt", "staff": "Fabian", "date": "28.11.2025"}
BUDGET_S = 6.5
"""Promise P7: a turn that writes."""
LOST_AFTER = {"fault": {"kind": "error_500_after"}, "method": "POST"}
TIMED_OUT = {"fault": {"kind": "html_524"}}
TIMED_OUT_AFTER = {"fault": {"kind": "html_524", "effect": True}}
LIST_IS_DOWN = {"fault": {"kind": "html_502"}, "method": "GET", "path": "/v2/bookings", "times": 1}
OLD_LIST = {"fault": {"kind": "stale_slots", "seconds": 86_400}, "method": "GET", "path": "/v2/slots", "times": 0}
CANCEL_FAILS = {
    "fault": {"kind": "error_500_before"},
    "method": "POST",
    "path": "/v2/bookings/{uid}/cancel",
    "times": 1,
}
PERM, HIGHLIGHTS = "Dauerwelle", "Strähnen mit Schnitt"
PARTS = {
    PERM: [(3757749, "10:00", 45), (3757750, "11:45", 30)],
    HIGHLIGHTS: [(3757761, "10:00", 30), (3757762, "11:00", 15), (3757763, "11:30", 15), (3757764, "11:45", 30)],
}
"""Of each composite its bookings from ten o'clock on: event type, start, minutes."""


def tell(story: Story) -> None:
    """The refusal, of a composite too, outcomes that nobody knows, the good case, and the ghost."""
    taken(story)
    for service, parts in PARTS.items():
        for number in range(len(parts)):
            part_lost(story, service, number)
    part_stuck(story)
    perm(story)
    unknown(story)
    found(story)
    silence(story)
    only_a_webhook(story)
    only_a_run(story)
    after_all(story)
    somebody_else(story)
    good(story)
    ghost(story)


def taken(story: Story) -> None:
    """As it happened: available, and 17.6 seconds later vergeben."""
    story.chapter("Available, and 17.6 seconds later Cal.com refuses", begins=BEGINS, weekly={}, on=OPEN)
    reu = story.caller("Siegfried Reu", CALL, REU)
    free, answer = check_and_book(story, reu, {"fault": {"kind": "refuse_taken"}})
    now = story.ends()
    story.holds(
        "10:00 was offered, and Cal.com refused it", TEN in starts(free) and len(posts(story.calcom.log())) == 1
    )
    story.holds(
        "The caller hears slot_taken, race_condition and alternatives",
        (answer.get("status"), answer.get("reason")) == ("slot_taken", "race_condition")
        and starts(answer)
        and TEN not in starts(answer)
        and not claims_booked(answer),
        answer,
    )
    story.holds(
        "No ghost: nothing CONFIRMED, no uid, no time taken; a FAILED record with Cal.com's whole answer is all",
        [each["state"] for each in now.appointments] == ["FAILED"]
        and now.appointments[0]["uid"] is None
        and "either already has booking at this time or is not available" in now.appointments[0]["answer"]
        and not now.owners()
        and not now.customer_guards()
        and not [each for each in now.intervals if each.state != "H"],
        now.appointments,
    )
    story.holds("Cal.com has no booking either", not story.calcom.bookings(), story.calcom.bookings())


def part_lost(story: Story, service: str, number: int) -> None:
    """Between check and book somebody takes the time of one part at Cal.com, which tells nobody of it."""
    parts = PARTS[service]
    title = f"{service}, {len(parts)} bookings: the time of number {number + 1} is lost between check and book"
    story.chapter(title, begins=BEGINS, weekly={}, on=OPEN_LONG)
    reu = story.caller("Siegfried Reu", CALL, REU)
    free = check_parts(story, reu, service)
    kind, at, _ = parts[number]
    theirs = story.calcom.somebody_books(kind, berlin(f"2025-11-28 {at}"), name="Petra Web", force=False)
    story.happens(f"Petra Web takes {at} at Cal.com")
    answer = book_part_by_part(story, reu, service)
    now = story.ends()
    log = story.calcom.log()
    ours = [each for each in story.calcom.bookings() if each["metadata"].get("op_id")]
    story.holds(
        f"{at} was free when it was asked for, and every part was sent once",
        TEN in starts(free) and len(posts(log)) == len(parts),
        [starts(free), posts(log)],
    )
    story.holds(
        "The caller hears slot_taken, race_condition and other times for all of it",
        (answer.get("status"), answer.get("reason")) == ("slot_taken", "race_condition")
        and starts(answer)
        and TEN not in starts(answer)
        and not claims_booked(answer),
        answer,
    )
    story.holds(
        "Nothing of ours is left at Cal.com: what was booked is cancelled, with a reason, and what is theirs stands",
        {each["status"] for each in ours} <= {"cancelled"}
        and all(each["cancellationReason"] for each in ours)
        and (story.calcom.get(str(theirs["uid"])) or {}).get("status") == "accepted",
        story.calcom.bookings(),
    )
    story.holds(
        "Nor here: one FAILED record, no time taken, no message owed",
        [each["state"] for each in now.appointments] == ["FAILED"]
        and not [each for each in now.intervals if each.state != "H"]
        and not now.customer_guards()
        and not now.owed_texts,
        [now.appointments, now.intervals],
    )


def part_stuck(story: Story) -> None:
    """The second booking is refused, and Cal.com does not cancel the first one at once."""
    title = "Dauerwelle: the second booking is refused, and the first one cannot be cancelled at once"
    story.chapter(title, begins=BEGINS, weekly={}, on=OPEN_LONG)
    reu = story.caller("Siegfried Reu", CALL, REU)
    check_parts(story, reu, PERM)
    kind, at, _ = PARTS[PERM][1]
    story.calcom.somebody_books(kind, berlin(f"2025-11-28 {at}"), name="Petra Web", force=False)
    story.happens(f"Petra Web takes {at} at Cal.com")
    story.calcom.faults(CANCEL_FAILS)
    answer = book_part_by_part(story, reu, PERM)
    then = story.salon.records()
    for seconds in (60, 180, 60):
        story.wait(seconds)
        story.sweep()
    now = story.ends()
    story.holds(
        "The caller hears “noch offen”: it is neither booked nor all gone",
        answer.get("status") == "pending" and not claims_booked(answer),
        answer,
    )
    story.holds(
        "It is listed as COMPENSATING, with a time to look after it, and both of its times stay blocked",
        [each["state"] for each in then.appointments] == ["COMPENSATING"]
        and "due" in then.appointments[0]
        and sorted(each.start for each in then.intervals if each.state == "P")
        == [berlin(f"2025-11-28 {start}") for _, start, _ in PARTS[PERM]],
        [then.appointments, then.intervals],
    )
    story.holds(
        "The sweeper goes on until it is gone: FAILED, its time free, nothing of ours at Cal.com, one text owed",
        [each["state"] for each in now.appointments] == ["FAILED"]
        and not [each for each in now.intervals if each.state in {"P", "C"}]
        and now.owed_texts == [(now.appointments[0]["id"], "not_booked")]
        and not [b for b in story.calcom.bookings() if b["metadata"].get("op_id") and b["status"] == "accepted"],
        [now.appointments, now.owed_texts, story.calcom.bookings()],
    )


def perm(story: Story) -> None:
    """As it should have been: all of it, and its gap is sold to another."""
    title = "Dauerwelle, 10:00 to 12:15, as two bookings; its gap is sold to another caller"
    story.chapter(title, begins=BEGINS, mail={"mode": "held"}, weekly={}, on=OPEN_LONG)
    reu = story.caller("Siegfried Reu", CALL, REU)
    check_parts(story, reu, PERM)
    answer = book_part_by_part(story, reu, PERM)
    reu.hangs_up()
    story.wait(60)
    kramer = story.caller("Jens Kramer", CALL_3, KRAMER)
    cut = WISH | {"time": "11:00"}
    kramer.says("Am achtundzwanzigsten um elf zu Fabian, Herrenschnitt.", "check_availability", **cut)
    between = kramer.says("Ja, um elf.", "book_appointment", **cut, name="Jens Kramer")
    story.webhooks()
    now = story.ends()
    live = [each for each in story.calcom.bookings() if each["status"] == "accepted"]
    spans = sorted((instant(each["start"]), instant(each["end"])) for each in live)
    expected = [(at, minutes) for _, at, minutes in PARTS[PERM]]
    expected.insert(1, ("11:00", 30))
    story.holds(
        "“Gebucht” is heard by both callers",
        claims_booked(answer) and claims_booked(between) and "Dauerwelle" in answer["message"],
        [answer, between],
    )
    story.holds(
        "Cal.com has three bookings: the perm's two, 10:00 and 11:45, and the haircut between them",
        spans
        == [
            (berlin(f"2025-11-28 {at}"), berlin(f"2025-11-28 {at}") + timedelta(minutes=minutes))
            for at, minutes in expected
        ],
        spans,
    )
    by_call = {each["call"]: each for each in now.appointments}
    uids = {each["uid"] for each in by_call.get(CALL, {"segments": []})["segments"]}
    labelled = {each["uid"] for each in live if each["metadata"].get("call_id") == CALL}
    story.holds(
        "Here the perm is one appointment with both uids, CONFIRMED; the haircut is another, and nothing overlaps",
        sorted(each["state"] for each in now.appointments) == ["CONFIRMED", "CONFIRMED"]
        and len(uids) == 2
        and uids == labelled
        and len([each for each in now.intervals if each.state == "C"]) == 3
        and not overlaps(now),
        [now.appointments, now.intervals],
    )
    story.holds("The webhooks of all three change nothing", not now.alerts, now.alerts)


def check_parts(story: Story, caller: Caller, service: str) -> Json:
    """22:05:29, ten o'clock is offered."""
    story.at(BEGINS + timedelta(seconds=9.4))
    wish = WISH | {"service": service, "time": "10:00"}
    words = f"{service} bei Fabian, am achtundzwanzigsten November um zehn."
    return caller.says(words, "check_availability_v17", **wish)


def book_part_by_part(story: Story, caller: Caller, service: str) -> Json:
    """17.6 seconds later the caller says yes."""
    story.at(BEGINS + timedelta(seconds=27))
    wish = WISH | {"service": service, "time": "10:00", "name": caller.name}
    return caller.says("Ja, bitte buchen.", "start_booking", **wish)


def unknown(story: Story) -> None:
    """Cal.com books and then answers 500, and does not list it either: nobody can know."""
    story.chapter(
        "Cal.com answers 500, after taking effect, and its list says nothing", begins=BEGINS, weekly={}, on=OPEN
    )
    reu = story.caller("Siegfried Reu", CALL, REU)
    _, answer = check_and_book(story, reu, LOST_AFTER, LIST_IS_DOWN, again=True)
    then = story.salon.records()

    story.at(BEGINS + timedelta(hours=1))
    story.calcom.faults(OLD_LIST)
    story.meanwhile("an hour later, the sweeper is held back; Cal.com's list is a day old and shows 10 Uhr as free")
    kramer = story.caller("Jens Kramer", CALL_3, KRAMER)
    cut = kramer.says(
        "Am achtundzwanzigsten um zehn zu Fabian, Herrenschnitt.", "check_availability", **WISH, time="10:00"
    )
    forced = kramer.says("Doch, genau um zehn!", "book_appointment", **WISH, time="10:00", name="Jens Kramer")
    damen = {"service": "Damenhaarschnitt", "staff": "Fabian", "date": "28.11.2025", "time": "9:45"}
    longer = kramer.says("Und meine Frau, um Viertel vor zehn?", "check_availability", **damen)
    now, calls_it_free = story.salon.records(), story.calcom.calls_free(CUT, TEN)
    story.calcom.faults()
    story.salon.sweep()
    story.meanwhile("now the sweeper may look")
    settled = story.ends()
    still_open(story, answer, then)
    at_ten = [each for each in now.intervals if each.start == TEN]
    story.holds(
        "Its time stays blocked, an hour later too, and even where Cal.com's list calls it free",
        [each.state for each in at_ten] == ["P"]
        and cut.get("status") == "alternatives"
        and TEN not in starts(cut)
        and calls_it_free,
        [at_ten, cut],
    )
    story.holds(
        "A third caller cannot get it: slot_taken, and Cal.com was asked to book once in all",
        forced.get("status") == "slot_taken" and len(posts(story.calcom.log())) == 1,
        forced,
    )
    length = timedelta(minutes=45)
    story.holds(
        "Nor anything that overlaps it, of another service, start and length",
        starts(longer)
        and not [each for each in starts(longer) if each < TEN + timedelta(minutes=30) and each + length > TEN],
        starts(longer),
    )
    story.holds("No two times of one stylist overlap, held, open or confirmed", not overlaps(now), overlaps(now))
    uids = [each["uid"] for each in story.calcom.bookings()]
    story.holds(
        "The sweeper settles it in one look: the booking is found by what we wrote into it, CONFIRMED, one text owed",
        [(each["state"], each["uid"]) for each in settled.appointments] == [("CONFIRMED", *uids)]
        and settled.owed_texts == [(settled.appointments[0]["id"], "booked")],
        [settled.appointments, settled.owed_texts],
    )
    told(story, REU, "am Freitag, 28. November, um 10:00 Uhr bei Fabian Spitzer ist gebucht.")


def told(story: Story, number: str, words: str) -> None:
    """The promise of "noch offen": the sweeper comes twice, and every caller has one text."""
    for _ in range(2):
        story.wait(60)
        story.sweep()
        story.salon.texts_went()
    arrived = story.salon.texts()
    for text in arrived:
        story.happens(f"a text to {text.to}: {text.body}")
    story.holds(
        "Who was told “noch offen” gets one text, and what it says is so",
        [text.to for text in arrived] == [number] and words in arrived[0].body,
        arrived,
    )


def found(story: Story) -> None:
    """Cal.com books and then answers 500; it is still the same breath, and one look tells."""
    story.chapter(
        "Cal.com answers 500, after taking effect, and one look finds the booking", begins=BEGINS, weekly={}, on=OPEN
    )
    reu = story.caller("Siegfried Reu", CALL, REU)
    _, answer = check_and_book(story, reu, LOST_AFTER, again=True)
    now = story.ends()
    uids = [each["uid"] for each in story.calcom.bookings()]
    story.holds(
        "The look finds what we wrote into it: CONFIRMED, and “gebucht” is true when it is said",
        claims_booked(answer) and [(each["state"], each["uid"]) for each in now.appointments] == [("CONFIRMED", *uids)],
        [answer, now.appointments],
    )
    story.holds("Cal.com was asked to book once", len(posts(story.calcom.log())) == 1, story.calcom.log())


def silence(story: Story) -> None:
    """Cal.com does not answer at all."""
    story.chapter("Cal.com never answers", begins=BEGINS, weekly={}, on=OPEN)
    reu = story.caller("Siegfried Reu", CALL, REU)
    _, answer = check_and_book(story, reu, {"fault": {"kind": "timeout_before"}}, again=True)
    then, seconds = story.salon.records(), reu.seconds
    story.wait(60)
    story.salon.sweep()
    story.meanwhile("the sweeper looks after one minute, and finds nothing")
    after_one = story.salon.records()
    story.wait(180)
    story.salon.sweep()
    story.meanwhile("and again three minutes later")
    now = story.ends()
    still_open(story, answer, then)
    story.holds(f"The caller did not wait longer than {BUDGET_S} s", seconds < BUDGET_S, f"{seconds:.1f} s")
    story.holds(
        "That Cal.com does not have it proves nothing after a minute: it may yet come, and the time stays blocked",
        [each["state"] for each in after_one.appointments] == ["PENDING"]
        and [each.state for each in after_one.intervals if each.start == TEN] == ["P"],
        after_one.appointments,
    )
    story.holds(
        "Within minutes it is settled: FAILED, the time is free again, one text owed that says so",
        [each["state"] for each in now.appointments] == ["FAILED"]
        and not [each for each in now.intervals if each.start == TEN]
        and not now.customer_guards()
        and now.owed_texts == [(now.appointments[0]["id"], "not_booked")],
        [now.appointments, now.owed_texts],
    )


def only_a_webhook(story: Story) -> None:
    """Cal.com books and does not say so; the sweeper is held back, and the webhook comes."""
    story.chapter(
        "Unknown, and nothing but the webhook comes", begins=BEGINS, mail={"mode": "held"}, weekly={}, on=OPEN
    )
    left_open(story, TIMED_OUT_AFTER, LIST_IS_DOWN)
    story.wait(60)
    story.webhooks()
    settled(story, "The webhook alone settles it")


def only_a_run(story: Story) -> None:
    """The same, and only the reconciliation comes."""
    story.chapter("Unknown, and nothing but a run comes", begins=BEGINS, mail={"lost": 1.0}, weekly={}, on=OPEN)
    left_open(story, TIMED_OUT_AFTER, LIST_IS_DOWN)
    story.wait(60)
    story.reconcile()
    settled(story, "A run alone settles it")


def settled(story: Story, how: str) -> None:
    """The booking is found, and its caller is owed one text."""
    now = story.ends()
    uids = [each["uid"] for each in story.calcom.bookings()]
    story.holds(
        f"{how}: CONFIRMED, read back and stamped, one text owed that says “gebucht”",
        [(each["state"], each["uid"]) for each in now.appointments] == [("CONFIRMED", *uids)]
        and now.appointments[0].get("verified_at")
        and now.owed_texts == [(now.appointments[0]["id"], "booked")],
        [now.appointments, now.owed_texts],
    )


def after_all(story: Story) -> None:
    """Given up for good, and then Cal.com carries out the request it had not answered."""
    title = "Unknown, given up, and then Cal.com books it after all"
    story.chapter(title, begins=BEGINS, mail={"mode": "held"}, weekly={}, on=OPEN)
    left_open(story, TIMED_OUT)
    given_up(story)
    then = story.salon.records()
    (request, *_) = posts(story.calcom.log())
    story.wait(45)
    story.happens("the request of 22:05:47 takes effect at Cal.com, before the text has been sent")
    story.calcom.book_on_page(dict(request["body"]))
    story.webhooks()
    now = story.ends()
    (booking, *more) = story.calcom.bookings()
    live = [each for each in now.appointments if each["state"] == "CONFIRMED"]
    story.holds(
        "What was given up is FAILED and its time free, and what comes late finds its caller: CONFIRMED, his again",
        [each["state"] for each in then.appointments] == ["FAILED"]
        and not [each for each in then.intervals if each.start == TEN]
        and not more
        and booking["status"] == "accepted"
        and [(each["uid"], each["call"]) for each in live] == [(booking["uid"], CALL)],
        [then.appointments, now.appointments],
    )
    story.holds(
        "One text is owed in all, and it will be true: it said “nicht gebucht”, and says “gebucht” now",
        [kind for _, kind in then.owed_texts] == ["not_booked"]
        and now.owed_texts == [(each["id"], "booked") for each in live],
        [then.owed_texts, now.owed_texts],
    )


def somebody_else(story: Story) -> None:
    """While our booking is open, somebody takes its very time at Cal.com, which knows of nothing else there."""
    title = "Unknown, and meanwhile the public page sells the same time"
    story.chapter(title, begins=BEGINS, mail={"mode": "inline"}, weekly={}, on=OPEN)
    left_open(story, TIMED_OUT)
    story.wait(20)
    story.happens("Petra Web books 10 Uhr on the public page; its webhook comes before her page has loaded")
    uid = str(story.calcom.somebody_books(CUT, TEN, name="Petra Web", force=False)["uid"])
    story.webhooks_came()
    then = story.salon.records()
    kramer = story.caller("Jens Kramer", CALL_3, KRAMER)
    words = "Am achtundzwanzigsten um zehn zu Fabian, Herrenschnitt."
    cut = kramer.says(words, "check_availability", **WISH, time="10:00")
    given_up(story)
    now = story.ends()
    (booking,) = story.calcom.bookings()
    story.holds(
        "It is adopted though it overlaps what is still open: both times stand, the conflict is flagged, and a person "
        "is told",
        sorted((each["state"], each["source"]) for each in then.appointments)
        == [("CONFIRMED", "calcom"), ("PENDING", "phone")]
        and sorted((each.state, each.conflict) for each in then.intervals if each.start == TEN)
        == [("C", True), ("P", False)]
        and [each["facts"]["booking_uid"] for each in then.alerts if each["kind"] == "ConflictAdopted"] == [uid],
        [then.appointments, then.intervals, then.alerts],
    )
    story.holds("Nobody else is offered it", starts(cut) and TEN not in starts(cut), starts(cut))
    story.holds(
        "It is never cancelled by us: theirs stays, ours ends FAILED, and its caller is owed the text that says so",
        booking["status"] == "accepted"
        and not [each for each in story.calcom.log() if each["template"].endswith("/cancel")]
        and sorted((each["state"], each["source"]) for each in now.appointments)
        == [("CONFIRMED", "calcom"), ("FAILED", "phone")]
        and [kind for _, kind in now.owed_texts] == ["not_booked"]
        and not overlaps(now),
        [now.appointments, now.owed_texts],
    )


def left_open(story: Story, *faults: Json) -> None:
    """The call up to "noch offen", told before."""
    reu = story.caller("Siegfried Reu", CALL, REU)
    with story.hushed("22:05:47 as before: Cal.com answers 524, and the caller hears “noch offen”"):
        _, answer = check_and_book(story, reu, *faults)
    if answer.get("status") != "pending":
        msg = f"the booking is not open: {answer}"
        raise RuntimeError(msg)


def given_up(story: Story) -> None:
    """The sweeper looks until absence is believed: for minutes, and more than once."""
    for seconds in (60, 180, 60):
        story.wait(seconds)
        story.sweep()
        if "PENDING" not in {each["state"] for each in story.salon.records().appointments}:
            return


def good(story: Story) -> None:
    """And where nothing goes wrong."""
    story.chapter("The same call when nothing goes wrong", begins=BEGINS, weekly={}, on=OPEN)
    reu = story.caller("Siegfried Reu", CALL, REU)
    _, answer = check_and_book(story, reu, again=True)
    now = story.ends()
    (appointment, *more) = now.appointments or [{"uid": None}]
    booking = story.calcom.get(appointment["uid"]) if appointment["uid"] else None
    story.holds(
        "“Gebucht” is heard, CONFIRMED is written and stamped verified_at",
        claims_booked(answer) and not more and appointment["state"] == "CONFIRMED" and appointment.get("verified_at"),
        appointment,
    )
    story.holds(
        "GET by its uid finds it at Cal.com: accepted, Fabian, 28.11. 10:00, named after our operation",
        booking
        and booking["status"] == "accepted"
        and booking["hosts"][0]["id"] == 28
        and instant(booking["start"]) == TEN
        and booking["metadata"].get("op_id") == appointment["op"],
        booking,
    )
    story.holds(
        "One look into the stylist's day says that it is taken",
        [each.state for each in now.intervals if each.staff == "fabian" and each.start == TEN] == ["C"],
        now.intervals,
    )


def ghost(story: Story) -> None:
    """As it was found in 2025: confirmed here, and GET by its id says 404."""
    title = "The ghost itself: CONFIRMED here, and 404 at Cal.com"
    story.chapter(title, begins=BEGINS, mail={"lost": 1.0}, weekly={}, on=OPEN)
    reu = story.caller("Siegfried Reu", CALL, REU)
    with story.hushed("22:05:47 as before: 10 Uhr is booked"):
        check_and_book(story, reu)
    (uid,) = [str(each["uid"]) for each in story.calcom.bookings()]
    story.at(berlin("2025-11-24 02:00"))
    story.happens("the booking vanishes from Cal.com, without a trace")
    story.calcom.vanish(uid)
    story.at(berlin("2025-11-24 03:30"))
    story.nightly()
    story.wait(300)
    story.reconcile()
    now = story.ends()
    story.holds(
        "No ghost outlives a night: a person is told of the appointment and its uid; nothing is cancelled unseen",
        [(each["kind"], each["facts"]["drift"], each["facts"]["booking_uid"]) for each in now.alerts]
        == [("DriftFound", "ghost_here", uid)]
        and [each["state"] for each in now.appointments] == ["CONFIRMED"],
        [now.alerts, now.appointments],
    )
    gets = [each for each in story.calcom.log() if each["method"] == "GET" and each["uid"] == uid]
    story.holds(
        "The list alone proves nothing, nor does one look: Cal.com was asked for it by its uid, and said 404 twice",
        [each["status"] for each in gets] == [404, 404],
        gets,
    )


def check_and_book(story: Story, caller: Caller, *faults: Json, again: bool = False) -> tuple[Json, Json]:
    """22:05:29 check, 17.6 seconds later start_booking. `again`: the check was told before."""
    story.at(BEGINS + timedelta(seconds=9.4))
    with story.hushed("22:05:29 as before: 10 Uhr is free, and offered") if again else nullcontext():
        words = "Dann einen Herrenhaarschnitt bei Fabian, am achtundzwanzigsten um zehn."
        free = caller.says(words, "check_availability_v17", **WISH, time="10:00")
    story.calcom.faults(*faults)
    story.at(BEGINS + timedelta(seconds=27))
    return free, caller.says("Ja, bitte buchen.", "start_booking", **WISH, time="10:00", name=caller.name)


def still_open(story: Story, answer: Json, now: Records) -> None:
    """Neither yes nor no."""
    story.holds(
        "The caller hears neither yes nor no: pending, “noch offen”",
        answer.get("status") == "pending" and "noch offen" in answer["message"] and not claims_booked(answer),
        answer,
    )
    story.holds(
        "PENDING is on record, with what the caller was told, a time to look after it, and the slot blocked",
        [(each["state"], each["told"]) for each in now.appointments] == [("PENDING", "pending")]
        and "due" in now.appointments[0]
        and [each.state for each in now.intervals if each.start == TEN] == ["P"],
        now.appointments,
    )
