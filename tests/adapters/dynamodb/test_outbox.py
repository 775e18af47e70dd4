"""The outbox on every engine: each step names what it rests on, and who is too late writes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.adoptions import DynamoAdoptions
from bookend.adapters.dynamodb.callbacks import DynamoCallbacks
from bookend.adapters.dynamodb.outbox import DynamoOutbox
from bookend.application.ports import Alert, Job, Started
from bookend.application.ports.texts import Claim, Owed
from bookend.domain.appointment import Appointment, Told
from bookend.domain.callbacks import Callback
from bookend.domain.texts import Channel, Message, MessageState, TextKind
from tests.adapters.dynamodb.place import HANS, NOW, Place, at, wished
from tests.adapters.dynamodb.test_adoptions import end

A1 = wished("a1", at("28T10:00"))
OP = A1.op
CLAIM = Claim("c1", NOW + timedelta(minutes=2), TextKind.NOT_BOOKED, Channel.SMS, owed=True, said="Leider nicht.")
ALERT = Alert("TextUnsure", {"op": OP, "why": "died"})
RING = Callback(
    id="r1",
    call="call_1",
    name=HANS.name,
    phone=str(HANS.phone),
    signed=True,
    service=None,
    wished="[died] Leider nicht.",
    reason=None,
    asked_at=NOW,
    changed_at=NOW,
)


@pytest.fixture
def outbox(place: Place) -> DynamoOutbox:
    return DynamoOutbox(place.table)


def owing(place: Place, appointment: Appointment = A1) -> Owed:
    """Its caller was told "noch offen", and it came to nothing."""
    assert place.start(appointment) == Started()
    place.leave_open(appointment)
    place.release(place.now_is(appointment.id), owes_text=True)
    return read(place, appointment.op)


def read(place: Place, op: str = OP) -> Owed:
    found = DynamoOutbox(place.table).owed(place.tenant, op)
    assert found is not None
    return found


def row(place: Place, op: str = OP) -> dict[str, object]:
    return place.there(keys.outbox(place.tenant, op))


def due(place: Place, after: timedelta = timedelta(0)) -> list[Job]:
    return list(place.due_work.due(now=NOW + after, most=10))


def test_what_is_owed_is_due_at_once_and_read_as_it_was_written(place: Place, outbox: DynamoOutbox) -> None:
    owed = owing(place)
    assert owed.message == Message(
        op=OP, kind=TextKind.NOT_BOOKED, appointment="a1", told=Told.PENDING, state=MessageState.NEW, at=NOW
    )
    assert owed.appointment == place.now_is("a1")
    assert (owed.has_another, owed.opted_out) == (False, frozenset())
    assert due(place) == [Job("text", place.tenant, OP)]
    assert [each.op for each in outbox.waiting(place.tenant)] == [OP]
    assert outbox.owed(place.tenant, "nothing") is None


def test_a_confirmation_is_due_after_the_call(place: Place) -> None:
    assert place.start(A1) == Started()
    place.confirm(A1)
    assert due(place, timedelta(seconds=119)) == []
    assert due(place, timedelta(seconds=120)) == [Job("text", place.tenant, OP)]


def test_one_claim_wins_and_what_it_says_is_on_record(place: Place, outbox: DynamoOutbox) -> None:
    owed = owing(place)
    assert outbox.claim(place.tenant, owed, CLAIM, now=NOW)
    assert not outbox.claim(place.tenant, owed, replace(CLAIM, id="c2"), now=NOW)
    now_is = row(place)
    assert [now_is[name] for name in ("state", "claim", "says", "channel", "said", "wording")] == [
        *("SENDING", "c1", "not_booked", "sms", "Leider nicht.", 1)
    ]
    assert due(place, timedelta(seconds=119)) == []
    assert due(place, timedelta(seconds=120)) == [Job("text", place.tenant, OP)]


def test_no_claim_once_the_appointment_has_changed(place: Place, outbox: DynamoOutbox) -> None:
    assert place.start(A1) == Started()
    place.confirm(A1)
    owed = read(place)
    assert end(place, DynamoAdoptions(place.table), place.now_is("a1"))
    assert not outbox.claim(place.tenant, owed, CLAIM, now=NOW)
    assert not outbox.skip(place.tenant, owed, why="not_asked", now=NOW)
    assert not outbox.give_up(place.tenant, owed, MessageState.FAILED, why="x", ring=RING, alert=ALERT, now=NOW)
    now_is = read(place).message
    assert (now_is.state, now_is.kind, now_is.overtaken) == (MessageState.NEW, TextKind.CANCELLED, True)
    assert DynamoCallbacks(place.table).listed(place.tenant) == ()


def test_nothing_is_claimed_of_an_appointment_with_another_version_even_if_its_row_is_the_same(
    place: Place, outbox: DynamoOutbox
) -> None:
    owed = owing(place)
    assert owed.appointment is not None
    older = replace(owed, appointment=replace(owed.appointment, version=owed.appointment.version - 1))
    assert not outbox.claim(place.tenant, older, CLAIM, now=NOW)
    assert not outbox.skip(place.tenant, older, why="x", now=NOW)
    assert not outbox.give_up(place.tenant, older, MessageState.FAILED, why="x", ring=RING, alert=ALERT, now=NOW)
    assert row(place)["state"] == "NEW"
    assert DynamoCallbacks(place.table).listed(place.tenant) == ()


def test_what_says_something_else_by_now_is_not_claimed(place: Place, outbox: DynamoOutbox) -> None:
    owed = owing(place)
    place.store.client.update_item(
        TableName=place.name,
        Key=keys.outbox(place.tenant, OP),
        UpdateExpression="SET #kind = :kind",
        ExpressionAttributeNames={"#kind": "kind"},
        ExpressionAttributeValues={":kind": {"S": "booked"}},
    )
    was = place.snapshot()
    assert not outbox.claim(place.tenant, owed, CLAIM, now=NOW)
    assert not outbox.skip(place.tenant, owed, why="x", now=NOW)
    assert not outbox.give_up(place.tenant, owed, MessageState.FAILED, why="x", ring=RING, alert=ALERT, now=NOW)
    assert place.snapshot() == was


def test_a_message_of_an_appointment_that_is_no_more_can_be_given_up(place: Place, outbox: DynamoOutbox) -> None:
    owing(place)
    place.store.client.delete_item(TableName=place.name, Key=keys.appointment(place.tenant, "a1"))
    owed = read(place)
    assert owed.appointment is None
    assert outbox.give_up(place.tenant, owed, MessageState.FAILED, why="gone", ring=None, alert=ALERT, now=NOW)
    assert (row(place)["state"], row(place)["why"]) == ("FAILED", "gone")


def test_how_often_it_was_put_off_is_counted_from_nothing(place: Place, outbox: DynamoOutbox) -> None:
    owing(place)
    assert outbox.requeued(place.tenant, OP) == 0
    assert outbox.postpone(place.tenant, OP, until=NOW, requeued=2)
    assert outbox.requeued(place.tenant, OP) == 2
    assert outbox.requeued(place.tenant, "nothing") is None


def test_each_time_that_a_person_sends_it_once_more_is_counted(place: Place, outbox: DynamoOutbox) -> None:
    owing(place)
    for times in (1, 2):
        outbox.give_up(place.tenant, read(place), MessageState.FAILED, why="x", ring=None, alert=None, now=NOW)
        assert outbox.resolve(place.tenant, read(place).message, MessageState.NEW, by="erika", now=NOW)
        assert read(place).message.again == times


def test_sent_is_final_and_due_no_more(place: Place, outbox: DynamoOutbox) -> None:
    outbox.claim(place.tenant, owing(place), CLAIM, now=NOW)
    assert not outbox.sent(place.tenant, OP, "another", provider_id="m0", now=NOW)
    assert outbox.sent(place.tenant, OP, "c1", provider_id="m1", now=NOW)
    assert not outbox.not_sent(place.tenant, OP, "c1", until=NOW, why="x")
    assert (row(place)["state"], row(place)["provider_id"]) == ("SENT", "m1")
    assert due(place, timedelta(days=1)) == []
    assert not outbox.postpone(place.tenant, OP, until=NOW)
    assert outbox.requeued(place.tenant, OP) is None


def test_what_was_not_sent_is_new_again_and_counts_its_tries(place: Place, outbox: DynamoOutbox) -> None:
    owed = owing(place)
    for tries in (1, 2):
        assert outbox.claim(place.tenant, owed, CLAIM, now=NOW)
        assert not outbox.not_sent(place.tenant, OP, "another", until=NOW, why="x")
        assert outbox.not_sent(place.tenant, OP, "c1", until=NOW + timedelta(minutes=5), why="Throttling")
        owed = read(place)
        assert (owed.message.state, owed.message.tries, owed.message.why) == (MessageState.NEW, tries, "Throttling")
        assert owed.message.not_before == NOW + timedelta(minutes=5)
    assert (due(place, timedelta(seconds=299)), len(due(place, timedelta(minutes=5)))) == ([], 1)


def test_who_gives_it_up_puts_its_caller_on_the_list_in_the_same_write(place: Place, outbox: DynamoOutbox) -> None:
    outbox.claim(place.tenant, owing(place), CLAIM, now=NOW)
    claimed = read(place)
    for wins in (True, False):
        done = outbox.give_up(place.tenant, claimed, MessageState.UNSURE, why="died", ring=RING, alert=ALERT, now=NOW)
        assert done is wins
    assert DynamoCallbacks(place.table).listed(place.tenant) == (RING,)
    assert (row(place)["state"], due(place, timedelta(days=1))) == ("UNSURE", [])
    (trouble,) = outbox.in_trouble(place.tenant, since=NOW - timedelta(days=1))
    assert (trouble.op, trouble.state, trouble.said, trouble.why) == (OP, MessageState.UNSURE, "Leider nicht.", "died")
    assert outbox.in_trouble(place.tenant, since=NOW + timedelta(seconds=1)) == []


def test_a_late_answer_ends_what_was_unsure(place: Place, outbox: DynamoOutbox) -> None:
    outbox.claim(place.tenant, owing(place), CLAIM, now=NOW)
    outbox.give_up(place.tenant, read(place), MessageState.UNSURE, why="died", ring=None, alert=None, now=NOW)
    assert outbox.sent(place.tenant, OP, "c1", provider_id="m1", now=NOW)
    assert row(place)["state"] == "SENT"


@pytest.mark.parametrize("to", [MessageState.NEW, MessageState.SETTLED])
def test_a_person_decides_once(place: Place, outbox: DynamoOutbox, to: MessageState) -> None:
    outbox.claim(place.tenant, owing(place), CLAIM, now=NOW)
    outbox.give_up(place.tenant, read(place), MessageState.UNSURE, why="died", ring=RING, alert=ALERT, now=NOW)
    message = read(place).message
    later = NOW + timedelta(hours=1)
    assert outbox.resolve(place.tenant, message, to, by="erika", now=later)
    assert not outbox.resolve(place.tenant, message, to, by="hans", now=later)
    assert (row(place)["state"], row(place)["by"]) == (to.value, "erika")
    assert not outbox.sent(place.tenant, OP, "c1", provider_id="m1", now=later)
    assert due(place, timedelta(hours=1)) == ([Job("text", place.tenant, OP)] if to is MessageState.NEW else [])
    assert outbox.in_trouble(place.tenant, since=NOW - timedelta(days=1)) == []


def test_the_customers_other_appointment_of_the_same_time_is_seen(place: Place) -> None:
    owing(place)
    again = replace(A1, id="a2", op="op-a2", request="wish-a2")
    assert place.start(again, known=HANS) == Started()
    assert read(place).has_another


def test_addresses_that_opted_out_are_known_and_in_no_key(place: Place, outbox: DynamoOutbox) -> None:
    owing(place)
    for _ in range(2):
        outbox.opt_out(place.tenant, str(HANS.phone), out=True, by="erika", now=NOW)
    assert read(place).opted_out == {HANS.phone}
    assert outbox.has_opted_out(place.tenant, str(HANS.phone))
    (kept,) = [each for each in place.all_items() if "OPTOUT" in each["pk"]]
    assert str(HANS.phone).removeprefix("+") not in str(kept)
    assert set(kept) == {"pk", "sk", "at", "by"}
    for _ in range(2):
        outbox.opt_out(place.tenant, str(HANS.phone), out=False, by="erika", now=NOW)
    assert read(place).opted_out == frozenset()


def test_a_void_message_is_due_no_more(place: Place) -> None:
    """Two messages of one appointment: one says how it is, the other is void."""
    owing(place)
    place.table.update(
        Key=keys.outbox(place.tenant, OP),
        UpdateExpression="SET #state = :void REMOVE #due, #due_shard",
        ConditionExpression="#state = :new",
        ExpressionAttributeNames={"#state": "state", "#due": "due", "#due_shard": "due_shard"},
        ExpressionAttributeValues={":void": {"S": "VOID"}, ":new": {"S": "NEW"}},
    )
    assert due(place, timedelta(days=1)) == []
    assert read(place).message.state is MessageState.VOID


def test_what_a_person_marked_by_hand_before_texts_were_sent_is_settled(place: Place) -> None:
    owing(place)
    place.table.update(
        Key=keys.outbox(place.tenant, OP),
        UpdateExpression="SET #state = :told",
        ConditionExpression="#state = :new",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":told": {"S": "TOLD"}, ":new": {"S": "NEW"}},
    )
    assert read(place).message.state is MessageState.SETTLED
