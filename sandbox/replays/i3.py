"""2025-10-25: free, then taken; "am gleichen Tag" that was another; 6 Uhr that was 7 Uhr. The clocks go back."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sandbox.replays.caller import Json
from sandbox.replays.story import (
    BERLIN,
    Story,
    berlin,
    claims_booked,
    instant,
    overlaps,
    posts,
    slot_queries,
    starts,
)

TITLE = "2025-10-25 · free, then taken; the wrong day, the wrong hour"
LATER: tuple[str, ...] = ()

CALL = "call_24977a803e9bd80b586fca06259"
CALL_2, CALL_3 = "call_7ab3c1d5e9f24680b1c3d5e7f90", "call_c0ffee15bad0add2e55e5aa51de"
CUT, TEAM = 3672814, 34209
SUNDAY, MONDAY = "2025-10-26", "2025-10-27"
HALF_PAST_EIGHT = berlin(f"{SUNDAY} 08:30")
# 5 slots on the day asked for, 6 on the next; both days begin at 06:00 UTC, which is 7 Uhr in Berlin.
OPEN = {SUNDAY: [("07:00", "09:30")], MONDAY: [("07:00", "10:00")]}
ON_SALE = {
    berlin(f"{day} 07:00") + timedelta(minutes=30 * step)
    for day, count in ((SUNDAY, 5), (MONDAY, 6))
    for step in range(count)
}
REFUSED = "Der Termin um 8 Uhr 30 wurde gerade von einem anderen Kunden gebucht. Möchten Sie stattdessen "
NO_HOST = "One of the hosts either already has booking at this time or is not available"
OTHER_DAY = re.compile(r"am (Sonntag, 26|Montag, 27)\. Oktober, um \d+ Uhr")


def tell(story: Story) -> None:
    """The call as it was, and the public page between its question and its answer."""
    free_then_taken(story)
    told_by_webhook(story)
    found_by_a_run(story)


def free_then_taken(story: Story) -> None:
    """The night the clocks go back, with a second caller on the other line."""
    begins = berlin("2025-10-25 20:18:32")
    story.chapter("Tomorrow at ten, the night the clocks go back", begins=begins, weekly={}, on=OPEN, teams={CUT: TEAM})
    wish = {"service": "Herrenhaarschnitt", "staff": "Fabian", "date": "morgen"}
    schuster = story.caller("Hans Schuster", CALL, "+491713920002")
    words = "Morgen um zehn einen Herrenhaarschnitt bei Fabian, bitte."
    first = schuster.says(words, "check_availability_v17", **wish, time="10:00")
    asked = slot_queries(story.calcom.log())

    story.wait(6)
    other = story.caller("Ralf Berger", CALL_2, "+491713920003")
    second = other.says("Morgen um zehn zu Fabian zum Haareschneiden.", "check_availability_v17", **wish, time="10:00")
    story.wait(5)
    words = "Mein Nachbar sagt, halb neun sei frei."
    pushed = other.says(words, "book_appointment_v17", **wish, time="halb neun", name="Ralf Berger")
    asked_to_book = posts(story.calcom.log())

    story.at(begins + timedelta(seconds=21))
    story.calcom.somebody_books(CUT, HALF_PAST_EIGHT, name="Petra Web")
    story.meanwhile("somebody books 8 Uhr 30 on the public page")
    lost = schuster.takes("Der um halb neun.", offer_at(first, HALF_PAST_EIGHT), staff="Fabian")
    after_loss = story.salon.records()

    story.wait(12)
    monday: Json = next((each for each in lost.get("offers", ()) if each["start"].startswith(MONDAY)), {})
    won = (
        schuster.takes("Dann lieber am Montag.", monday, staff="Fabian")
        if monday
        else {"status": "no Monday was offered"}
    )
    other.hangs_up()
    story.wait(3)
    third = story.caller("Jens Kramer", CALL_3, None)
    freed = third.says(
        "Morgen um halb acht zu Fabian?", "check_availability_v17", **wish | {"service": "Herrenschnitt"}, time="7:30"
    )
    now = story.ends()

    replies = [first, second, pushed, lost, won, freed]
    one_query(story, asked)
    spoken(story, replies)
    held_for_its_caller(story, first, second, pushed, asked_to_book)
    story.holds(
        "A call that ends frees what it held: 7 Uhr 30 is offered to the next caller",
        berlin(f"{SUNDAY} 07:30") in starts(second) and berlin(f"{SUNDAY} 07:30") in starts(freed),
        freed,
    )
    story.holds(
        "The refusal: slot_taken, race_condition, the very words, and alternatives in the same answer",
        (lost.get("status"), lost.get("reason")) == ("slot_taken", "race_condition")
        and lost["message"].startswith(REFUSED)
        and starts(lost),
        lost,
    )
    nothing_left(story, after_loss)
    story.holds(
        "What was booked on the public page is not offered again: nothing of ours remembers old slots",
        not any(HALF_PAST_EIGHT in starts(reply) for reply in (lost, freed)),
        [starts(lost), starts(freed)],
    )
    booked = [each for each in now.appointments if each["state"] == "CONFIRMED"]
    booking = story.calcom.get(booked[0]["uid"]) if booked else None
    story.holds(
        "The alternative he takes is booked: that Monday and that time, on both sides",
        claims_booked(won)
        and "Montag, 27. Oktober, um 7 Uhr 30" in won["message"]
        and len(booked) == 1
        and booking is not None
        and instant(booking["start"]) == instant(booked[0]["start"]) == berlin(f"{MONDAY} 07:30")
        and not overlaps(now),
        won,
    )


def told_by_webhook(story: Story) -> None:
    """Somebody books on the public page and cancels again; webhooks tell, late and doubled."""
    begins, half_past = berlin("2025-10-25 20:18:32"), berlin(f"{SUNDAY} 07:30")
    mail = {"mode": "late", "late_seconds": 0.05, "doubled": 1.0}
    title = "The public page in the middle of the call; its webhooks come late, and twice"
    story.chapter(title, begins=begins, mail=mail, weekly={}, on=OPEN)
    wish = {"service": "Herrenhaarschnitt", "staff": "Fabian", "date": "morgen"}
    schuster = story.caller("Hans Schuster", CALL, "+491713920002")
    words = "Morgen um zehn einen Herrenhaarschnitt bei Fabian, bitte."
    schuster.says(words, "check_availability_v17", **wish, time="10:00")
    asked = [len(slot_queries(story.calcom.log()))]

    story.at(begins + timedelta(seconds=4))
    story.happens("Petra Web books 7 Uhr 30 on the public page")
    uid = str(story.calcom.somebody_books(CUT, half_past, name="Petra Web", force=False)["uid"])
    story.webhooks_came()
    then = story.salon.records()
    story.at(begins + timedelta(seconds=7))
    berger = story.caller("Ralf Berger", CALL_2, "+491713920003")
    taken = berger.says("Morgen um halb acht zu Fabian?", "check_availability", **wish, time="7:30")
    asked.append(len(slot_queries(story.calcom.log())))
    story.at(begins + timedelta(seconds=9))
    story.happens("and cancels it")
    story.calcom.cancels(uid)
    story.webhooks_came()
    story.at(begins + timedelta(seconds=12))
    kramer = story.caller("Jens Kramer", CALL_3, None)
    free = kramer.says("Morgen um halb acht zu Fabian?", "check_availability", **wish, time="7:30")
    asked.append(len(slot_queries(story.calcom.log())))
    now = story.ends()
    story.holds(
        "A booking on the public page is adopted with its webhook, once though that came twice: CONFIRMED, its time "
        "taken, its uid known",
        [(each["state"], each["source"], each["uid"]) for each in then.appointments] == [("CONFIRMED", "calcom", uid)]
        and [(each.state, each.conflict) for each in then.intervals if each.start == half_past] == [("C", False)]
        and then.owners().get(uid) == then.appointments[0]["id"],
        then.appointments,
    )
    story.holds(
        "Its time is not offered 3 seconds later", starts(taken) and half_past not in starts(taken), starts(taken)
    )
    story.holds(
        "What was kept of Cal.com's free times is void at once with each webhook: seconds after the last look Cal.com "
        "is asked anew, and 7 Uhr 30 is offered again",
        asked == [1, 2, 3]
        and half_past in starts(free)
        and [each["state"] for each in now.appointments] == ["CANCELLED"],
        [asked, starts(free), now.appointments],
    )


def found_by_a_run(story: Story) -> None:
    """The same time that was offered to a caller, booked on the public page; no webhook tells, but a run comes by."""
    begins = berlin("2025-10-25 20:18:32")
    story.chapter("The same without webhooks: a run comes by", begins=begins, mail={"lost": 1.0}, weekly={}, on=OPEN)
    wish = {"service": "Herrenhaarschnitt", "staff": "Fabian", "date": "morgen"}
    schuster = story.caller("Hans Schuster", CALL, "+491713920002")
    with story.hushed("20:18:32 as before: Hans Schuster is offered 8 Uhr 30, among others"):
        first = schuster.says("Morgen um zehn?", "check_availability_v17", **wish, time="10:00")
    story.at(begins + timedelta(seconds=12))
    story.happens("Petra Web books 8 Uhr 30 on the public page")
    uid = str(story.calcom.somebody_books(CUT, HALF_PAST_EIGHT, name="Petra Web", force=False)["uid"])
    story.at(begins + timedelta(seconds=15))
    story.reconcile()
    story.at(begins + timedelta(seconds=21))
    lost = schuster.takes("Der um halb neun.", offer_at(first, HALF_PAST_EIGHT), staff="Fabian")
    now = story.ends()
    adopted = [each for each in now.appointments if each["source"] == "calcom"]
    story.holds(
        "Without any webhook the next run adopts it, and what was only on offer gives way: no conflict",
        [(each["state"], each["uid"]) for each in adopted] == [("CONFIRMED", uid)]
        and [(each.state, each.conflict) for each in now.intervals if each.start == HALF_PAST_EIGHT] == [("C", False)]
        and not now.alerts
        and not overlaps(now),
        [adopted, now.intervals],
    )
    story.holds(
        "Its time is not to be had: the refusal's very words, other alternatives, and Cal.com is not asked to book",
        (lost.get("status"), lost.get("reason")) == ("slot_taken", "race_condition")
        and lost["message"].startswith(REFUSED)
        and starts(lost)
        and HALF_PAST_EIGHT not in starts(lost)
        and not posts(story.calcom.log()),
        lost,
    )


def offer_at(reply: Json, start: datetime) -> Json:
    """What was offered then."""
    return next(each for each in reply["offers"] if instant(each["start"]) == start)


def one_query(story: Story, asked: list[Json]) -> None:
    """One upstream query for the day asked for and the days of the alternatives."""
    covered = [parse_qs(urlsplit(each["target"]).query) for each in asked]
    reaches = covered and (
        instant(covered[0]["start"][0]) <= min(ON_SALE) and max(ON_SALE) < instant(covered[0]["end"][0])
    )
    story.holds("One request for slots covers Sunday and Monday", len(asked) == 1 and reaches, covered)


def spoken(story: Story, replies: list[Json]) -> None:
    """Times are the salon's, and a day that was not asked for is named."""
    offers = [(reply, each) for reply in replies for each in reply.get("offers", ())]
    wrong = [each for _, each in offers if not says_its_own_time(each["spoken"], instant(each["start"]))]
    story.holds(
        "Every time is spoken as the salon's clock shows it: 06:00 UTC is “7 Uhr”, and nobody hears “6 Uhr”",
        offers
        and not wrong
        and any(instant(each["start"]) == berlin(f"{MONDAY} 07:00") for _, each in offers)
        and not any(re.search(r"\b6 Uhr", reply.get("message", "")) for reply in replies),
        wrong,
    )
    elsewhere = [(reply, each) for reply, each in offers if not each["start"].startswith(SUNDAY)]
    story.holds(
        "A time on another day than the one asked for is said with weekday and date",
        elsewhere
        and all(OTHER_DAY.fullmatch(each["spoken"].removesuffix(" 30")) for _, each in elsewhere)
        and all(each["spoken"] in reply["message"] for reply, each in elsewhere),
        elsewhere,
    )
    story.holds(
        "Every time offered is one that Cal.com sells", {instant(each["start"]) for _, each in offers} <= ON_SALE
    )


def says_its_own_time(text: str, start: datetime) -> bool:
    """Whether the words end in the wall time of the instant."""
    local = start.astimezone(BERLIN)
    return text.endswith(f"um {local.hour} Uhr" + (f" {local.minute}" if local.minute else ""))


def held_for_its_caller(story: Story, first: Json, second: Json, pushed: Json, asked_to_book: list[Any]) -> None:
    """What was offered to one caller is no other's."""
    story.holds(
        "What the first caller was offered is held: the second is offered none of it",
        starts(first) and starts(second) and not set(starts(first)) & set(starts(second)),
        [starts(first), starts(second)],
    )
    story.holds(
        "Nor can he book it unoffered: looked at again, refused with alternatives, and Cal.com was not asked",
        pushed.get("status") == "slot_taken" and starts(pushed) and not asked_to_book,
        pushed,
    )


def nothing_left(story: Story, after: Any) -> None:
    """A refusal leaves the record of it behind and nothing else."""
    (record, *more) = after.of_call(CALL) or [{}]
    story.holds(
        "The refusal leaves nothing but its record, with Cal.com's whole answer in it",
        not more
        and record.get("state") == "FAILED"
        and record["uid"] is None
        and NO_HOST in record["answer"]
        and not [each for each in after.intervals if each.state != "H"]
        and not after.owners()
        and not after.customer_guards(),
        record,
    )
