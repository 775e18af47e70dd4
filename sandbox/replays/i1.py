"""2025-10-06: Cal.com answered call 688 with the booking of call 687, and the caller heard "gebucht"."""

from __future__ import annotations

import re

from sandbox.replays.caller import Caller, Json
from sandbox.replays.story import Story, berlin, claims_booked, instant, overlaps, posts, starts
from sandbox.salon.records import Records

TITLE = "2025-10-06 · one Cal.com booking, two appointments"
LATER: tuple[str, ...] = ()

CALL_687 = "call_927bf219b2cc20cd24dc97c9f0b"
CALL_688 = "call_5d0e8a41c7b94f6f8e21b3a6d90"
SPUTER, SCHUSTER = "+491713920001", "+491713920002"
SHARED = "termin@askproai.de"
UID_WAS, ID_WAS = "8Fxv4pCqnb1Jva1w9wn5wX", 11489895

BERATUNG = 2563193
BEFORE = berlin("2025-10-05 18:00")
EIGHT, QUARTER_PAST_TEN = berlin("2025-10-10 08:00"), berlin("2025-10-10 10:15")
OPEN = {"2025-10-10": [("08:00", "08:30"), ("10:15", "10:45"), ("14:00", "15:30")]}
OLD_LIST = {"fault": {"kind": "stale_slots", "seconds": 3600}, "method": "GET", "path": "/v2/slots", "times": 0}


def tell(story: Story) -> None:
    """Both calls as they came, then the answer that did the harm, then the repair of what it left behind."""
    both_calls(story)
    the_lie(story)
    the_repair(story)


def both_calls(story: Story) -> None:
    """Call 688 wants what call 687 has; Cal.com's list of free times is an hour old and still shows it."""
    story.chapter("Both calls, 35 minutes apart", begins=BEFORE, weekly={}, on=OPEN)
    story.calcom.somebody_books(BERATUNG, QUARTER_PAST_TEN, name="Karin Moser")

    story.at(berlin("2025-10-06 11:04:54"))
    sputer = story.caller("Hansi Sputer", CALL_687, SPUTER)
    wish = {"service": "Beratung", "date": "2025-10-10"}
    words = "Zur Beratung am Freitag, dem zehnten, um Viertel nach zehn."
    heard = sputer.says(words, "check_availability_v17", **wish, time="10:15")
    story.at(berlin("2025-10-06 11:05:20"))
    first = sputer.says("Dann um acht.", "book_appointment_v17", **wish, time="08:00", name="Hansi Sputer")
    sputer.hangs_up()

    story.at(berlin("2025-10-06 11:39:22"))
    story.calcom.faults(OLD_LIST)
    story.meanwhile("Cal.com lists the free times of an hour ago: 8 Uhr is still among them")
    schuster = story.caller("Hans Schuster", CALL_688, SCHUSTER)
    words = "Einen Termin zur Beratung am zehnten Oktober um acht Uhr, bitte."
    second = schuster.says(words, "book_appointment_v17", **wish, time="08:00", name="Hans Schuster")
    third = take_first(schuster, "Dann den ersten.", second)

    now = story.ends()
    booked = now.of_call(CALL_687)
    story.holds(
        "10:15 is busy, 08:00 is offered instead",
        EIGHT in starts(heard) and QUARTER_PAST_TEN not in starts(heard),
        heard,
    )
    story.holds(
        "Call 687 hears “gebucht”, and it is: CONFIRMED here, accepted at Cal.com, same uid, same call",
        claims_booked(first) and len(booked) == 1 and is_booked(story, booked[0], CALL_687),
        booked or first,
    )
    refused(story, second)
    story.holds(
        "Our own ledger refused, though Cal.com calls it free: Cal.com was asked once in all to book 08:00",
        story.calcom.calls_free(BERATUNG, EIGHT) and len(posts(story.calcom.log(), EIGHT)) == 1,
        posts(story.calcom.log(), EIGHT),
    )
    story.holds("He takes what was offered instead, and it is booked", claims_booked(third), third)
    whose_is_whose(story, now, {CALL_687, CALL_688})
    logged(story, now)


def the_lie(story: Story) -> None:
    """The old backend's booking of call 687, unknown to our ledger, comes back as the answer to call 688."""
    story.chapter("The dangerous one: HTTP 200 with somebody else's booking", begins=BEFORE, weekly={}, on=OPEN)
    story.calcom.somebody_books(BERATUNG, QUARTER_PAST_TEN, name="Karin Moser")
    story.at(instant("2025-10-06T09:05:21.002Z"))
    metadata = {"call_id": CALL_687}
    made = story.calcom.somebody_books(BERATUNG, EIGHT, name="Hansi Sputer", email=SHARED, metadata=metadata)
    story.calcom.edit(made["uid"], id=ID_WAS, created_at="2025-10-06T09:05:21.002Z")
    uid = str(made["uid"])
    story.meanwhile(f"11:05:21, the old backend books for call 687, as {SHARED}; our table knows nothing of it")

    story.at(berlin("2025-10-06 11:39:22"))
    lie = {"fault": {"kind": "existing_returned", "status": 200, "uid": uid}, "nth": 1}
    story.calcom.faults(OLD_LIST, lie)
    schuster = story.caller("Hans Schuster", CALL_688, SCHUSTER)
    wish = {"service": "Beratung", "date": "2025-10-10", "time": "08:00"}
    free = schuster.says("Beratung am zehnten Oktober um acht Uhr, bitte.", "check_availability_v17", **wish)
    story.wait(9)
    answer = schuster.says("Ja, den nehme ich.", "book_appointment_v17", **wish, name="Hans Schuster")
    told = story.ends()
    story.holds(
        "The trap is set: 08:00 was offered, and Cal.com did answer 200 with 687's booking", trapped(story, free)
    )
    refused(story, answer)
    story.holds(
        "An operator alert names both calls and the booking",
        any(
            row["kind"] == "ForeignBookingReturned"
            and (row["facts"]["call"], row["facts"].get("their_call")) == (CALL_688, CALL_687)
            and (row["facts"]["booking_uid"], row["facts"]["booking_id"]) == (uid, str(ID_WAS))
            for row in told.alerts
        ),
        told.alerts,
    )
    story.holds(
        "No appointment: of call 688 there is a FAILED record and no time taken, no uid, no guard",
        [each["state"] for each in told.of_call(CALL_688)] == ["FAILED"]
        and not any(each["uid"] for each in told.appointments)
        and not told.owners()
        and not told.customer_guards()
        and not [each for each in told.intervals if each.state != "H"],
        told.appointments,
    )
    left = story.calcom.get(uid)
    story.holds("687's booking is untouched", left and (left["status"], left["id"]) == ("accepted", ID_WAS), left)

    then = take_first(schuster, "Dann den ersten.", answer)
    now = story.salon.records()
    story.holds("What he takes instead is booked, and is his own", claims_booked(then), then)
    whose_is_whose(story, now, {CALL_688}, others={SHARED})


def the_repair(story: Story) -> None:
    """A table as the old backend left it: two appointments on one booking. Our guards admit none, so it is put in."""
    story.chapter("What was left behind: two appointments on one booking", begins=BEFORE, weekly={}, on=OPEN)
    story.at(berlin("2025-10-06 11:04:54"))
    sputer = story.caller("Hansi Sputer", CALL_687, SPUTER)
    wish = {"service": "Beratung", "date": "2025-10-10", "time": "08:00"}
    sputer.says("Zur Beratung am Freitag, dem zehnten, um acht.", "book_appointment_v17", **wish, name="Hansi Sputer")
    sputer.hangs_up()
    (rightful,) = story.salon.records().of_call(CALL_687)
    put_a_second_one_beside(story, str(rightful["id"]))
    story.meanwhile("a restored table: 643, of call 688, points at the booking of 642")

    tenant = str(story.salon.tenant["id"])
    before = story.salon.records()
    dry = story.salon.operate_on_both("duplicates", tenant)
    story.happens("an operator looks: " + dry.splitlines()[-2])
    unchanged = story.salon.records()
    done = story.salon.operate_on_both("duplicates", tenant, "--by", "anna", "--apply")
    now = story.ends()
    again = story.salon.operate_on_both("duplicates", tenant)
    states = {each["call"]: (each["state"], each.get("why")) for each in now.appointments}
    booking = story.calcom.get(str(rightful["uid"]))
    story.holds(
        "Dry, the command names both and changes nothing",
        rightful["id"] in dry
        and "planned" in dry
        and unchanged.appointments == before.appointments
        and unchanged.intervals == before.intervals,
        dry,
    )
    story.holds(
        "The one whose call the booking names stays, the other one is cancelled with the reason",
        states == {CALL_687: ("CONFIRMED", None), CALL_688: ("CANCELLED", "duplicate")},
        states,
    )
    story.holds("Its booking is untouched", booking and booking["status"] == "accepted", booking)
    story.holds(
        "Its time is taken once, its uid and id belong to it, and no overlap is left",
        [each.appointment for each in now.intervals] == [rightful["id"]]
        and {*now.owners().values()} == {rightful["id"]}
        and not overlaps(now),
        now.intervals,
    )
    entries = [each for each in now.audits if each["repair"] == "end_duplicate"]
    story.holds(
        "An audit entry says who did it, and what was before and after",
        [(each["by"], each["booking"]) for each in entries] == [("anna", rightful["uid"])] and entries[0]["before"],
        entries,
    )
    story.holds("Once more there is nothing to repair", again.startswith("0 duplicates"), done + again)


def put_a_second_one_beside(story: Story, rightful: str) -> None:
    """Copy an appointment and its interval, past every guard, as the one of call 688."""
    client, table = story.salon.stack.dynamodb(), story.salon.stack.table_name
    tenant = f"T#{story.salon.tenant['id']}"
    key = {"pk": {"S": f"{tenant}#APPT#{rightful}"}, "sk": {"S": "A"}}
    item = client.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
    who = item["customer"]["M"] | {"id": {"S": "customer338"}, "name": {"S": "Hans Schuster"}, "email": {"S": SHARED}}
    second = item | {
        "pk": {"S": f"{tenant}#APPT#appointment643"},
        "op": {"S": "op643"},
        "call": {"S": CALL_688},
        "customer": {"M": who},
        "customer_key": {"S": f"{tenant}#CUST#customer338"},
    }
    client.put_item(TableName=table, Item=second)
    staff = item["segments"]["L"][0]["M"]["staff"]["S"]
    day = {"pk": {"S": f"{tenant}#STAFF#{staff}"}, "sk": {"S": f"DAY#{EIGHT.date().isoformat()}"}}
    taken = client.get_item(TableName=table, Key=day, ConsistentRead=True)["Item"]["iv"]["M"][f"{rightful}/0"]["M"]
    client.update_item(
        TableName=table,
        Key=day,
        UpdateExpression="SET iv.#k = :copy, v = v + :one",
        ExpressionAttributeNames={"#k": "appointment643/0"},
        ExpressionAttributeValues={":copy": {"M": taken | {"op": {"S": "op643"}}}, ":one": {"N": "1"}},
    )


def take_first(caller: Caller, words: str, reply: Json) -> Json:
    """The caller takes the first time that the reply offers, if there is any."""
    offers = reply.get("offers")
    return caller.takes(words, offers[0], service="Beratung") if offers else {"status": "nothing was offered"}


def trapped(story: Story, free: Json) -> bool:
    """Whether the fault was really met."""
    lies = [each for each in story.calcom.log() if each["fault"] == "existing_returned"]
    return EIGHT in starts(free) and [each["status"] for each in lies] == [200]


def refused(story: Story, reply: Json) -> None:
    """What caller 2 hears."""
    offered = starts(reply)
    story.holds(
        "Call 688 hears that 08:00 is taken, and alternatives in the same answer; never “gebucht”",
        reply.get("status") == "slot_taken" and not claims_booked(reply) and offered and EIGHT not in offered,
        reply,
    )


def is_booked(story: Story, appointment: Json, call: str) -> bool:
    """Whether both sides have it, with each other's names in it."""
    booking = story.calcom.get(appointment["uid"]) if appointment["uid"] else None
    return (
        appointment["state"] == "CONFIRMED"
        and booking is not None
        and booking["status"] == "accepted"
        and booking["metadata"].get("op_id") == appointment["op"]
        and booking["metadata"].get("call_id") == call
        and instant(booking["start"]) == instant(appointment["start"])
    )


def whose_is_whose(
    story: Story, now: Records, calls: set[str], *, others: frozenset[str] | set[str] = frozenset()
) -> None:
    """One booking, one appointment; one caller, one address."""
    confirmed = [each for each in now.appointments if each["state"] == "CONFIRMED"]
    owners = now.owners()
    story.holds(
        "Each uid and id belongs to one appointment, guarded in the database; each booking to its own call",
        {each["call"] for each in confirmed} == calls
        and all(is_booked(story, each, each["call"]) for each in confirmed)
        and len({each["uid"] for each in confirmed}) == len(confirmed)
        and len(owners) == 2 * len(confirmed)
        and all(owners[each["uid"]] == each["id"] for each in confirmed)
        and not overlaps(now),
        owners,
    )
    emails = {each["customer"]["id"]: each["customer"]["email"] for each in now.appointments}
    addresses = {*emails.values(), *others}
    story.holds(
        "Callers who gave no e-mail have one each, and never the shared one",
        len(addresses) == len(emails) + len(others) and SHARED not in emails.values(),
        emails,
    )


def logged(story: Story, now: Records) -> None:
    """Age and ids of what was created."""
    log = story.salon.logged()
    lines = [line for line in log.splitlines() if '"age_s"' in line]
    uids = [each["uid"] for each in now.appointments if each["state"] == "CONFIRMED"]
    story.holds(
        "Age and ids of every created booking are in the log",
        uids and all(any(uid in line and re.search(r'"id": ?\d', line) for line in lines) for uid in uids),
        lines,
    )
