"""What must hold once everything had the time to come to its end: both sides are equal, and what was said is so."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bookend.application.change_outcomes import KeptForLater, NotChanged
from bookend.application.outcomes import (
    Booked,
    Forbidden,
    HasOne,
    NotBooked,
    SlotTaken,
    StillOpen,
    TemporaryTrouble,
)
from bookend.application.patience import SETTLE
from bookend.domain.appointment import Appointment, AppointmentState, Told
from bookend.domain.timeslot import Slot
from tests.application.convergence.world import as_the_revived_are, tombstones, transient, unequal
from tests.simulation.watch import STANDING
from tests.support.invariants import World as Look
from tests.support.invariants import breaches, look_at

if TYPE_CHECKING:
    from tests.simulation.people import Said
    from tests.simulation.tenants import Shop

_NO = SlotTaken | Forbidden | NotBooked


def unsound_at_rest(world: Shop) -> Iterator[str]:
    """Every breach, as a sentence that begins with its number.

    What was put before a person is not silent: that the two sides differ there, or that Cal.com has double-booked,
    stays so until they have seen to it. Nothing else that is wrong becomes right since somebody was told.
    """
    look = look_at(world.salon)
    known = {about.partition("-")[2] for about in look.flagged}
    known |= {each.id for each in look.appointments.values() if {str(s.uid) for s in each.segments} & known}
    known |= {each.metadata.get("appointment", "") for each in look.bookings if each.uid in known}
    saw, stands = world.watch.saw, world.watch.stands_by_others
    beside = {key.partition("/")[0] for day in look.ledger.values() for key, each in day.items() if each.conflict}
    for breach in _all(world, look):
        words = set(re.findall(r"\w+", breach))
        if breach.endswith("are confirmed at once"):  # by others, and a person was told of one of the two
            if words & (beside | known) and stands(look, breach):
                saw["overlaps that a person knows of"] += 1
            else:
                yield breach
            continue
        if world.watch.is_twice_by_hand(look, breach):
            saw["two of a customer's at once, put there by others"] += 1
            continue
        if breach.startswith(("I3 ", "EQ ")) and words & known:
            saw["before a person at rest"] += 1
            continue
        yield breach


def _all(world: Shop, look: Look) -> Iterator[str]:
    # A booking that came late, or was taken over by hand, stands for an appointment of its own since it was taken in.
    taken_in = {
        str(segment.uid)
        for each in look.appointments.values()
        if each.op.startswith("adopt-") and each.state in STANDING
        for segment in each.segments
    }
    for breach in breaches(as_the_revived_are(look), foreign=taken_in):
        # "moved" tells where it stands, also where a later change came to nothing (`invariants` knows the last alone).
        if not (breach.startswith("I8 ") and breach.endswith(": []") and _tells_of(look, breach.split()[1])):
            yield breach
    yield from transient(look)
    yield from tombstones(look)
    yield from unequal(look)
    yield from _inbox_is_done(world)
    yield from _told_the_truth(world, look)
    yield from _texts_once(world)
    yield from _kept(world, look)


def _tells_of(look: Look, name: str) -> list[str]:
    """The messages about an appointment. What goes on from a cancelled one, since its booking turned out to live
    elsewhere, owes none of its own: its customer has heard of the first, and Cal.com tells them what others do there.
    """
    told = look.outbox.get(name, [])
    stands = look.appointments.get(name)
    booking = look.booking(stands.segments[0].uid) if stands is not None and stands.op.startswith("adopt-") else None
    before = look.appointments.get(booking.metadata.get("appointment", "")) if booking is not None else None
    if told or before is None or before.state is not AppointmentState.CANCELLED:
        return told
    return look.outbox.get(before.id, [])


def _inbox_is_done(world: Shop) -> Iterator[str]:
    """I7: each delivery was worked on to its end, or is in the dead-letter queue."""
    dead = {job.name for job in world.salon.dead_letters}
    for row in world.salon.table.rows(f"T#{world.tenant.id}#WH#"):
        name = row["pk"]["S"].rpartition("#")[2]
        if "done_at" not in row and name not in dead:
            yield f"I7 delivery {name[:8]} is not done"


def _told_the_truth(world: Shop, look: Look) -> Iterator[str]:
    """I5: who heard no has none there, unless a later word says otherwise; who heard "noch offen" is told its end."""
    last: dict[tuple[str, object], Said] = {}
    customers = {caller.call.id: caller.customer() for caller in world.callers}
    for caller in world.callers:
        for each in caller.said:
            if each.start is not None and not isinstance(each.outcome, TemporaryTrouble):
                last[each.call, each.start] = each
    revived = as_the_revived_are(look).outbox
    for (call, start), said in last.items():
        mine = [each for each in look.appointments.values() if each.call == call and each.slot.start == start]
        standing = [each.id for each in mine if each.state in STANDING]
        kinds = {kind for each in mine for kind in look.outbox.get(each.id, [])}
        if isinstance(said.outcome, _NO) and standing and not kinds - {"not_booked", "cancelled"}:
            yield f"I5 {call} was told {type(said.outcome).__name__}, and {standing} stands"
        if isinstance(said.outcome, StillOpen):
            # One text a customer and wish, in however many calls they asked for it.
            theirs = [e for e in look.appointments.values() if e.call == call or e.customer.id == customers[call]]
            if not any(revived.get(each.id) for each in theirs if _was_at(world, each, start)):
                yield f"I5 {call} was told that it is open, and nothing tells how it ended: {[e.id for e in theirs]}"
        if isinstance(said.outcome, Booked | HasOne):
            world.watch.saw["told booked, and so it is"] += bool(standing)
    for caller in world.callers:
        for said in caller.said:
            match said.outcome:
                case Booked(appointment=booked) if not _stands_or_is_told(world, look, booked.id):
                    yield f"I5 {said.call} was told Booked, and {booked.id} is {look.appointments[booked.id].state}"
                case NotChanged(open=True) | KeptForLater():
                    asked = _changes_during(world, caller.customer(), said)
                    if not any(op in look.texts or revived.get(name) for name, op in asked):
                        yield f"I5 {said.call} was told that a change is open, and nothing tells how it ended"
                case _:
                    pass


def _was_at(world: Shop, appointment: Appointment, start: object) -> bool:
    """Whether an appointment was for that time at some moment."""
    return any(each.slot.start == start for _, each in world.watch.history[appointment.id])


def _stands_or_is_told(world: Shop, look: Look, name: str) -> bool:
    """Whether what was booked stands, wherever by now, or its customer was told that it is gone: by us, or by Cal.com
    where others have cancelled it there.
    """
    appointment = look.appointments[name]
    its = {each.uid for each in look.bookings if each.metadata.get("appointment") == name}
    by_others = its & world.salon.calendar.by_hand
    told = {"cancelled", "not_booked"} & {*look.outbox.get(name, [])}
    return appointment.state in STANDING or bool(told or by_others)


def _changes_during(world: Shop, customer: str, said: Said) -> set[tuple[str, str]]:
    """The customer's changes that were under way at some moment since that turn began: appointment, operation."""
    states = world.watch.states(customer, said.began)
    return {(each.id, each.change.op) for each in states if each.change is not None}


def _texts_once(world: Shop) -> Iterator[str]:
    """I8: each message has one effect at most, and what the table says of it is so."""
    sent = Counter(op for _, op, _ in world.salon.texts)
    yield from (f"I8 the message of {op} was sent {times} times" for op, times in sent.items() if times > 1)
    for row in world.salon.table.rows(f"T#{world.tenant.id}#OUT#"):
        op, state = row["pk"]["S"].rpartition("#")[2], row["state"]["S"]
        if state == "SENT" and not sent[op]:
            yield f"I8 the message of {op} is SENT, and nobody has sent it"
        if state not in {"SENT", "UNSURE"} and sent[op]:
            yield f"I8 the message of {op} is {state}, and it was sent"
        if state in {"NEW", "SENDING"} and _is_due(world, row):
            yield f"I8 the message of {op} is still {state}"


def _is_due(world: Shop, row: dict[str, dict[str, str]]) -> bool:
    due = row.get("due", {}).get("N")
    return due is None or float(due) < world.baton.now().timestamp() - 7200


def _kept(world: Shop, look: Look) -> Iterator[str]:
    """I9: what Cal.com accepted in time and as asked lives on, unless its caller was told no or nobody can keep it.

    Of several parts it is kept where all of them were accepted so; where one was not, the others rightly go with it.
    """
    said_no = {(e.call, e.start) for c in world.callers for e in c.said if isinstance(e.outcome, _NO)}
    calendar, kept = world.salon.calendar, defaultdict[str, dict[Slot, str]](dict)
    owners = {each.op: each for each in look.appointments.values() if each.state is AppointmentState.FAILED}
    for uid, made in calendar.made.items():
        owner, booking = owners.get(made.metadata.get("op_id", "")), calendar.bookings[uid]
        if owner is None or uid in calendar.by_hand or booking.rescheduled_to is not None or booking.end != made.end:
            continue
        # In time is what a look could have shown: Cal.com's reads lag behind its writes.
        shows = (world.baton.now() - owner.created_at).total_seconds() - world.baton.at + calendar.shows[uid]
        if shows < SETTLE.total_seconds():
            kept[owner.op][Slot(made.start, made.end)] = uid
    for op, uids in kept.items():
        owner = owners[op]
        refused = (owner.call, owner.slot.start) in said_no or owner.told is Told.NOT_BOOKED
        if refused or any(part.slot not in uids for part in owner.segments):
            continue
        for uid in uids.values():
            if (status := calendar.bookings[uid].status) != "accepted":
                yield f"I9 {uid} was accepted in time and is {status}; {owner.id} is {owner.state} ({owner.why})"
