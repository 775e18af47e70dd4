"""Told "noch offen", a caller gets exactly one text, or exactly one person rings: whatever dies, doubles or changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.actions import Actions
from bookend.adapters.dynamodb.messages import void
from bookend.application.deadline import ONE_S, Deadline
from bookend.application.ports import Confirmed, Started
from bookend.application.ports.texts import SendAnswer
from bookend.application.texting import LEASE, SEND_S, TextEnd, send_text
from bookend.domain.appointment import Told
from bookend.domain.contacts import Customer
from bookend.domain.tenant import TextSettings
from bookend.domain.texts import MessageState, Text
from tests.support.tables.faults import Crash
from tests.support.texts import (
    DIES_AFTER,
    DIES_BEFORE,
    HANS,
    LATER,
    NOT_SENT,
    PHONE,
    REFUSED,
    SALON,
    UNCLEAR_WITH,
    UNCLEAR_WITHOUT,
    once,
    owing,
)

BOOKED = "Friseur 1: Ihr Termin am Dienstag, 28. Oktober, um 10:00 Uhr bei Fabian Spitzer ist gebucht. "
ASK = "Fragen? Tel. +493033081738"
NOTHING = "nothing"


# Who is owed what


def test_noch_offen_that_was_booked_is_told_once() -> None:
    world = owing("booked")
    world.play_on()
    assert world.bodies == [BOOKED + ASK]
    assert (world.state, world.rung(), world.alerts.raised) == ("SENT", (), [])
    assert [(text.to, text.sender) for text in world.provider.arrived] == [(PHONE, "Friseur1")]


def test_noch_offen_that_came_to_nothing_is_told_once() -> None:
    world = owing("not_booked")
    world.play_on()
    (said,) = world.bodies
    assert "am Dienstag, 28. Oktober, um 10:00 Uhr ist leider nicht zustande gekommen" in said


def test_whoever_heard_gebucht_gets_no_text_unless_the_salon_wants_it() -> None:
    world = owing("booked", told=Told.BOOKED)
    world.play_on()
    assert (world.bodies, world.state, world.row()["why"], world.rung()) == ([], "SKIPPED", "not_asked", ())
    wanted = replace(SALON, texts=replace(SALON.texts, confirmations=True))
    world = owing("booked", told=Told.BOOKED, tenant=wanted)
    world.play_on()
    assert (world.bodies, world.state) == ([BOOKED + ASK], "SENT")


def test_what_nobody_asked_for_is_said_to_be_skipped() -> None:
    outcome = owing("booked", told=Told.BOOKED).work()
    assert (outcome.end, outcome.why) == (TextEnd.SKIPPED, "not_asked")


def test_a_confirmation_waits_until_the_call_is_over() -> None:
    """Who changes their mind in the same call gets one text, of where it stands."""
    wanted = replace(SALON, texts=replace(SALON.texts, confirmations=True))
    world = owing("booked", told=Told.BOOKED, tenant=wanted)
    world.clock.advance(119)
    assert world.sweep() == {}
    world.clock.advance(1)
    assert world.sweep() == {"requeued": 1}


def test_who_heard_gebucht_and_was_moved_before_any_text_is_owed_one() -> None:
    world = owing("booked", told=Told.BOOKED)
    world.salon_moves()
    world.play_on()
    (said,) = world.bodies
    assert "Ihr Termin wurde verschoben. Er ist jetzt am Dienstag, 28. Oktober, um 14:00 Uhr" in said


def test_who_heard_umgebucht_and_was_moved_again_before_any_text_is_owed_one() -> None:
    """The row says "moved" before and after: what its caller heard is another time all the same."""
    world = owing("booked", told=Told.BOOKED)
    table = world.table
    table.update(
        Key=keys.outbox(world.tenant.id, world.op),
        UpdateExpression="SET #kind = :moved, #told = :done",
        ConditionExpression="attribute_exists(#pk)",
        ExpressionAttributeNames={"#kind": "kind", "#told": "told", "#pk": "pk"},
        ExpressionAttributeValues={":moved": {"S": "moved"}, ":done": {"S": "done"}},
    )
    world.salon_moves()
    world.play_on()
    (said,) = world.bodies
    assert "14:00 Uhr" in said


def test_who_heard_gebucht_and_was_cancelled_before_any_text_is_owed_one() -> None:
    world = owing("booked", told=Told.BOOKED)
    world.salon_cancels()
    world.play_on()
    (said,) = world.bodies
    assert "um 10:00 Uhr ist abgesagt" in said


def test_a_row_that_became_untrue_unseen_is_said_as_it_is_now() -> None:
    """It was being sent while the salon cancelled, surely was not, and is NEW again: nobody has rewritten it."""
    world = owing("booked", NOT_SENT)
    world.provider.meanwhile = once(world.salon_cancels)
    world.play_on()
    (said,) = world.bodies
    assert "um 10:00 Uhr ist abgesagt" in said


def test_an_appointment_that_is_over_is_told_by_a_person() -> None:
    world = owing("booked")
    world.clock.advance(24 * 3600)
    world.play_on()
    assert (world.bodies, world.state, world.row()["why"], len(world.rung())) == ([], "FAILED", "over", 1)


def test_not_booked_is_not_said_to_who_has_booked_the_same_again() -> None:
    world = owing("not_booked")
    again = replace(world.appointment, id="a2", op="op-a2", request="wish-a2")
    assert world.place.start(again, known=HANS) == Started()
    assert world.place.confirm(again) == Confirmed()
    world.play_on()
    assert (world.bodies, world.state, world.row()["why"]) == ([], "SKIPPED", "has_another")
    assert world.row("op-a2")["state"] == "SKIPPED"


# Where it goes


@pytest.mark.parametrize(
    ("who", "to"),
    [
        (HANS, PHONE),
        (replace(HANS, phone=None, email="hans@web.example"), "hans@web.example"),
        (replace(HANS, phone="+266696687", email="hans@web.example"), "hans@web.example"),
        (replace(HANS, phone="017012345", email="hans@web.example"), "hans@web.example"),
    ],
)
def test_a_text_goes_to_the_number_else_to_a_real_address(who: Customer, to: str) -> None:
    world = owing("booked", customer=who)
    world.play_on()
    assert [text.to for text in world.provider.arrived] == [to]


@pytest.mark.parametrize(
    "who", [replace(HANS, phone=None), replace(HANS, phone="+266696687"), replace(HANS, phone=None, email="none")]
)
def test_whom_nothing_can_reach_is_put_before_a_person(who: Customer) -> None:
    world = owing("booked", customer=who)
    world.play_on()
    assert (world.provider.asked, world.state, world.row()["why"]) == (0, "FAILED", "no_address")
    (ring,) = world.rung()
    assert (ring.name, ring.wished) == ("Hans Schuster", f"[no_address] {BOOKED.removeprefix('Friseur 1: ').strip()}")
    assert [alert.kind for alert in world.alerts.raised] == ["TextFailed"]


def test_whoever_rings_has_the_address_of_whom_no_number_is_known() -> None:
    world = owing("booked", REFUSED, customer=replace(HANS, phone=None, email="hans@web.example"))
    world.play_on()
    (ring,) = world.rung()
    assert (ring.phone, ring.signed) == ("hans@web.example", False)


def test_a_salon_that_sends_nothing_has_a_person_ring() -> None:
    world = owing("booked", tenant=replace(SALON, texts=TextSettings()))
    world.play_on()
    (ring,) = world.rung()
    assert (world.provider.asked, world.state, ring.phone, ring.signed) == (0, "FAILED", PHONE, True)


def test_who_has_opted_out_gets_nothing_and_is_rung() -> None:
    world = owing("booked")
    world.outbox.opt_out(world.tenant.id, PHONE, out=True, by="test", now=world.clock.now())
    world.play_on()
    assert (world.provider.asked, world.state, world.row()["why"], len(world.rung())) == (0, "FAILED", "opted_out", 1)


def test_who_has_opted_out_of_sms_gets_a_mail() -> None:
    world = owing("booked", customer=replace(HANS, email="hans@web.example"))
    world.outbox.opt_out(world.tenant.id, PHONE, out=True, by="test", now=world.clock.now())
    world.play_on()
    assert [text.to for text in world.provider.arrived] == ["hans@web.example"]


def test_who_has_opted_in_again_gets_texts_again() -> None:
    world = owing("booked")
    for out in (True, True, False, False):
        world.outbox.opt_out(world.tenant.id, PHONE, out=out, by="test", now=world.clock.now())
    world.play_on()
    assert world.bodies == [BOOKED + ASK]


def test_a_confirmation_that_cannot_be_sent_wakes_nobody() -> None:
    wanted = replace(SALON, texts=replace(SALON.texts, confirmations=True))
    for fates, end in (([REFUSED], "FAILED"), ([UNCLEAR_WITHOUT], "UNSURE")):
        world = owing("booked", *fates, told=Told.BOOKED, tenant=wanted)
        world.play_on()
        assert (world.state, world.rung(), world.alerts.raised) == (end, (), [])


# What the provider says


def test_a_refusal_ends_it_and_a_person_rings() -> None:
    world = owing("booked", REFUSED)
    assert world.work().end is TextEnd.FAILED
    world.clock.advance(3600)
    world.sweep()
    assert (world.provider.asked, world.state, world.row()["why"]) == (1, "FAILED", "invalid_address")
    (ring,) = world.rung()
    assert (ring.phone, ring.call) == (PHONE, "call_1")
    (alert,) = world.alerts.raised
    assert (alert.kind, alert.facts["op"], alert.facts["why"]) == ("TextFailed", world.op, "invalid_address")


def test_what_surely_was_not_sent_is_tried_again_with_growing_pauses() -> None:
    world = owing("booked", NOT_SENT, NOT_SENT, NOT_SENT)
    asked = []
    for minute in range(20):
        before = world.provider.asked
        world.work()
        asked += [minute] * (world.provider.asked - before)
        world.clock.advance(60)
    assert asked == [0, 1, 3, 7]
    assert (world.bodies, world.state, world.rung()) == ([BOOKED + ASK], "SENT", ())


def test_before_its_pause_is_over_it_waits() -> None:
    world = owing("booked", NOT_SENT)
    assert world.work().end is TextEnd.WAITS
    again = world.work()
    assert (again.end, again.why, world.provider.asked) == (TextEnd.WAITS, "pause", 1)


def test_what_cannot_be_sent_for_an_hour_is_told_by_a_person() -> None:
    world = owing("booked", *[NOT_SENT] * 100)
    world.play_on(rounds=90)
    assert (world.bodies, world.state, world.row()["why"], len(world.rung())) == ([], "FAILED", "Throttling", 1)


@pytest.mark.parametrize("fate", [UNCLEAR_WITH, UNCLEAR_WITHOUT])
def test_what_may_have_been_sent_is_never_sent_again(fate: str) -> None:
    world = owing("booked", fate)
    world.play_on()
    world.clock.advance(3600)
    world.sweep()
    assert (world.provider.asked, world.state, len(world.rung())) == (1, "UNSURE", 1)
    assert [alert.kind for alert in world.alerts.raised] == ["TextUnsure"]


@pytest.mark.parametrize("fate", [DIES_BEFORE, DIES_AFTER])
def test_a_worker_that_died_over_it_leaves_it_unsure_after_its_lease(fate: str) -> None:
    world = owing("booked", fate)
    with pytest.raises(Crash):
        world.work()
    assert world.work().end is TextEnd.BUSY
    world.clock.advance(LEASE.total_seconds() - 1)
    assert world.work().end is TextEnd.BUSY
    world.clock.advance(1)
    assert world.work().end is TextEnd.UNSURE
    assert (world.provider.asked, world.state, len(world.rung())) == (1, "UNSURE", 1)


def test_a_slow_worker_that_has_sent_it_after_all_says_so() -> None:
    """It was held for dead; what it knows is better than what was feared."""
    world = owing("booked")

    def meanwhile() -> None:
        world.clock.advance(LEASE.total_seconds())
        world.provider.meanwhile = lambda: None
        assert world.work().end is TextEnd.UNSURE

    world.provider.meanwhile = meanwhile
    world.work()
    assert (world.state, world.bodies) == ("SENT", [BOOKED + ASK])


def test_while_a_provider_takes_its_time_nobody_else_holds_the_text_for_lost() -> None:
    world = owing("booked")

    def meanwhile() -> None:
        world.clock.advance(SEND_S)
        assert world.work().end is TextEnd.BUSY

    world.provider.meanwhile = once(meanwhile)
    world.work()
    assert (world.state, world.bodies, world.rung()) == ("SENT", [BOOKED + ASK], ())


@pytest.mark.parametrize("late", [REFUSED, UNCLEAR_WITHOUT])
def test_what_a_slow_worker_hears_late_ends_no_try_but_its_own(late: str) -> None:
    """It was held for dead, a person had it sent once more, and that try is under way."""
    world = owing("booked", DIES_BEFORE, late)

    def meanwhile() -> None:
        world.clock.advance(LEASE.total_seconds())
        assert world.work().end is TextEnd.UNSURE
        owed = world.outbox.owed(world.tenant.id, world.op)
        assert owed is not None
        assert world.outbox.resolve(world.tenant.id, owed.message, MessageState.NEW, by="test", now=world.clock.now())
        with pytest.raises(Crash):
            world.work()

    world.provider.meanwhile = once(meanwhile)
    assert world.work().end is TextEnd.ENDED_BEFORE
    assert (world.state, len(world.rung())) == ("SENDING", 1)


def test_what_is_sent_is_on_record_before_it_is_sent() -> None:
    world = owing("booked")
    seen: list[tuple[str, str, str]] = []
    world.provider.meanwhile = lambda: seen.append((world.state, world.row()["said"], world.row()["says"]))
    world.work()
    assert seen == [("SENDING", BOOKED + ASK, "booked")]
    assert PHONE not in str(world.row())
    assert world.row()["provider_id"] == "m1"


def test_no_text_is_begun_without_the_time_to_write_down_what_became_of_it() -> None:
    world = owing("booked")
    work = world.texting()
    world.clock.advance(6)
    assert send_text(work, world.op).end is TextEnd.WAITS
    assert (world.provider.asked, world.state) == (0, "NEW")


def test_a_provider_that_takes_all_its_time_leaves_enough_to_write_down_that_it_was_sent() -> None:
    world = owing("booked")
    work, send = world.texting(), world.provider.send
    world.clock.advance(ONE_S - 3)

    def slow(text: Text, *, deadline: Deadline) -> SendAnswer:
        world.clock.advance(deadline.remaining())
        return send(text, deadline=deadline)

    world.provider.send = slow  # type: ignore[method-assign]
    assert send_text(work, world.op).end is TextEnd.SENT
    assert (world.state, world.bodies) == ("SENT", [BOOKED + ASK])
    assert work.deadline.remaining() > 0


# A person decides


def test_an_unsure_one_that_a_person_sends_again_is_sent_once_more() -> None:
    world = owing("booked", UNCLEAR_WITHOUT)
    world.play_on()
    owed = world.outbox.owed(world.tenant.id, world.op)
    assert owed is not None
    assert world.outbox.resolve(world.tenant.id, owed.message, MessageState.NEW, by="test", now=world.clock.now())
    assert not world.outbox.resolve(world.tenant.id, owed.message, MessageState.NEW, by="test", now=world.clock.now())
    world.play_on()
    assert (world.provider.asked, world.state, world.bodies) == (2, "SENT", [BOOKED + ASK])


def test_the_answer_to_a_text_whose_row_is_gone_ends_nothing() -> None:
    """Its customer was erased in this moment."""
    world = owing("booked", REFUSED)
    key = keys.outbox(world.tenant.id, world.op)
    world.provider.meanwhile = once(lambda: world.client.delete_item(TableName=world.table.name, Key=key))
    assert world.work().end is TextEnd.ENDED_BEFORE
    assert (world.rung(), world.alerts.raised) == ((), [])


def test_one_that_is_sent_again_and_cannot_be_is_before_a_person_again_each_time() -> None:
    world = owing("booked")
    world.outbox.opt_out(world.tenant.id, PHONE, out=True, by="test", now=world.clock.now())
    for wishes in (1, 2, 3):
        assert world.work().end is TextEnd.FAILED  # all of it in one second, too
        assert (world.state, len(world.rung())) == ("FAILED", wishes)
        owed = world.outbox.owed(world.tenant.id, world.op)
        assert owed is not None
        assert world.outbox.resolve(world.tenant.id, owed.message, MessageState.NEW, by="test", now=world.clock.now())
        world.clock.advance(1)
    world.play_on()
    assert (world.state, world.bodies, len(world.rung())) == ("FAILED", [], 4)


def test_what_was_read_before_a_person_sent_it_once_more_ends_nothing() -> None:
    world = owing("booked")
    world.outbox.opt_out(world.tenant.id, PHONE, out=True, by="test", now=world.clock.now())
    read = []
    for _ in range(3):
        world.work()
        failed = world.outbox.owed(world.tenant.id, world.op)
        assert failed is not None
        world.outbox.resolve(world.tenant.id, failed.message, MessageState.NEW, by="test", now=world.clock.now())
        read.append(world.outbox.owed(world.tenant.id, world.op))
    now = world.clock.now()
    ended = [
        world.outbox.give_up(world.tenant.id, each, MessageState.FAILED, why="late", ring=None, alert=None, now=now)
        for each in read
        if each is not None
    ]
    assert ended == [False, False, True]


def test_one_that_a_person_has_settled_is_never_sent() -> None:
    world = owing("booked", UNCLEAR_WITHOUT)
    world.play_on()
    owed = world.outbox.owed(world.tenant.id, world.op)
    assert owed is not None
    assert world.outbox.resolve(world.tenant.id, owed.message, MessageState.SETTLED, by="test", now=world.clock.now())
    assert world.work().end is TextEnd.ENDED_BEFORE
    assert world.provider.asked == 1


# Both at once


def test_a_row_may_be_rewritten_only_while_nobody_sends_it() -> None:
    """What is under way stays as it was claimed; the salon's change goes through all the same."""
    world = owing("booked")
    world.provider.meanwhile = once(world.salon_moves)
    world.work()
    assert (world.state, world.row()["kind"], world.bodies) == ("SENT", "booked", [BOOKED + ASK])
    assert world.place.now_is("a1").slot == LATER


def test_a_message_that_was_void_before_is_not_sent() -> None:
    world = owing("booked")
    row = world.table.get(keys.outbox(world.tenant.id, world.op))
    assert row is not None
    assert world.table.write([void(Actions(world.table.name), row, world.place.now_is("a1"))]) is None
    assert "due" not in world.row()
    assert world.work().end is TextEnd.ENDED_BEFORE
    assert world.bodies == []


def test_while_it_is_being_moved_its_message_waits() -> None:
    world = owing("booked")
    world.table.update(
        Key=keys.appointment(world.tenant.id, "a1"),
        UpdateExpression="SET #state = :moving",
        ConditionExpression="attribute_exists(#pk)",
        ExpressionAttributeNames={"#state": "state", "#pk": "pk"},
        ExpressionAttributeValues={":moving": {"S": "MOVING"}},
    )
    assert world.work().end is TextEnd.WAITS
    assert (world.provider.asked, world.state) == (0, "NEW")
    assert world.row()["due"] == int((world.clock.now() + timedelta(minutes=1)).timestamp())
