"""The messages of an appointment that nobody has sent yet, kept true in the transaction that makes them untrue.

The operation that made an appointment and the last change of it may each owe its caller a message. Once others have
moved or cancelled it, one of them says so and the other is VOID. Only what is NEW is touched: whoever sends a message
takes it out of NEW first, and then reads where the appointment stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bookend.adapters.dynamodb import keys
from bookend.adapters.dynamodb.actions import Action, Actions, names
from bookend.adapters.dynamodb.keys import Item
from bookend.adapters.dynamodb.transact import Table
from bookend.domain.answers import Booking
from bookend.domain.appointment import Appointment, Told

VOID = "VOID"
"""It was untrue before anybody sent it, and another one tells."""
_OF_A_BOOKING = frozenset({"booked", "not_booked"})
_OWED = frozenset({Told.NOTHING.value, Told.PENDING.value})


def messages_of(table: Table, tenant: str, appointment: Appointment, booking: Booking) -> list[Item]:
    """Those of its last change and of the operation that made it, the later one first, as far as there are any.

    One that was revived has the message of the operation it came from, which the booking still names.
    """
    last = appointment.last_change
    ops = [*([last.op] if last is not None else []), appointment.op, booking.metadata.get("op_id", appointment.op)]
    found = table.get_all([keys.outbox(tenant, op) for op in dict.fromkeys(ops)])
    return [row for row in found if row is not None and row["appt"]["S"] == appointment.id]


def unsent(messages: Sequence[Item]) -> list[Item]:
    """Those that are NEW. First the one whose caller waits for it, so that they stay among those who must be told."""
    return sorted(
        (row for row in messages if row["state"]["S"] == "NEW"), key=lambda row: row["told"]["S"] not in _OWED
    )


def knows_of_it(messages: Sequence[Item], appointment: Appointment) -> bool:
    """Whether its caller has heard that they have it: they were told "booked", or have asked for a change since."""
    return appointment.last_change is not None or any(
        row["told"]["S"] == Told.BOOKED.value or row["kind"]["S"] not in _OF_A_BOOKING for row in messages
    )


def one_says(
    actions: Actions, messages: Sequence[Item], appointment: Appointment, kind: str, *, of: str
) -> Iterable[Action]:
    """Of those that are NEW the first says `kind` of the appointment `of`; the others are void."""
    for number, row in enumerate(unsent(messages)):
        if number:
            yield void(actions, row, appointment)
        elif (row["kind"]["S"], row["appt"]["S"]) != (kind, of) or "overtaken" not in row:
            # What its caller heard on the phone is not so any more: from now on they wait for it.
            yield _while_new(
                actions,
                row,
                appointment,
                "SET #kind = :kind, #appt = :of, #overtaken = :yes",
                {":kind": kind, ":of": of, ":yes": True},
                "kind",
                "overtaken",
            )


def void(actions: Actions, row: Item, appointment: Appointment) -> Action:
    """Never to be sent."""
    gone = "SET #state = :VOID REMOVE #due, #due_shard"
    return _while_new(actions, row, appointment, gone, {":VOID": VOID}, "due", "due_shard")


def _while_new(
    actions: Actions, row: Item, appointment: Appointment, update: str, values: dict[str, Any], *used: str
) -> Action:
    return actions.update(
        {name: row[name] for name in ("pk", "sk")},
        update,
        "#state = :NEW AND #appt = :me",
        names("appt", "state", *used),
        {**values, ":NEW": "NEW", ":me": appointment.id},
    )
