"""What must be true whatever happened: of the table, of the calendar, and of what callers were told.

`violations` looks at one moment and names every breach; an empty list is a healthy world. The arithmetic of overlaps
and days is its own: a checker that used the code under test would be wrong together with it.

I1 no two live intervals of a stylist overlap · I2 ledger = intervals of open and confirmed appointments (+ holds) ·
I3 confirmed <-> accepted booking, same uid, host, start, end; nothing freed that lives on at Cal.com · I4 a uid or id
has one appointment · I5 what was told is borne out · I8 one outbox row per confirmed operation, and per change

While an appointment is moved it has two places in the ledger: where it stands (C) and where it goes (P, named "+").
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from bookend.adapters.dynamodb import items
from bookend.application.change_outcomes import (
    CancelledNow,
    ChangeOutcome,
    Confirm,
    KeptForLater,
    Moved,
    NewTimes,
    NotChanged,
)
from bookend.application.outcomes import (
    AgainstPolicy,
    Booked,
    BookOutcome,
    CheckOutcome,
    Forbidden,
    NotBooked,
    Offers,
    SlotTaken,
    StillOpen,
    TemporaryTrouble,
)
from bookend.domain.answers import Booking
from bookend.domain.appointment import Appointment, AppointmentState, ChangeEnd, ChangeKind, Told
from bookend.domain.case_parts import GATHERED
from bookend.domain.staff_day import Interval, IntervalState
from bookend.domain.timeslot import instant_text
from tests.support.salon import Salon

OURS = "phone"
"""Source of appointments that we asked for ourselves; others were made on the web and adopted."""
OPEN = frozenset({AppointmentState.PENDING, AppointmentState.COMPENSATING})
_TEXTS = {
    (ChangeKind.MOVE, ChangeEnd.DONE): {"moved"},
    (ChangeKind.CANCEL, ChangeEnd.DONE): {"cancelled"},
    (ChangeKind.MOVE, ChangeEnd.NOT_DONE): {None, "not_moved", "cancelled"},
    (ChangeKind.CANCEL, ChangeEnd.NOT_DONE): {None, "not_cancelled"},
}
"""What the end of a change leaves to be sent; a move may find the appointment cancelled by others."""
_OF_CHANGES = frozenset({"moved", "not_moved", "cancelled", "not_cancelled"})
_UNTRUE_OF = {
    "booked": {AppointmentState.FAILED, AppointmentState.CANCELLED},
    "moved": {AppointmentState.FAILED, AppointmentState.CANCELLED},
    "not_booked": {AppointmentState.CONFIRMED},
    "cancelled": {AppointmentState.CONFIRMED},
}
"""A message that is to be sent, and in which states of its appointment it is not so."""
LIVE = OPEN | {AppointmentState.CONFIRMED, AppointmentState.MOVING, AppointmentState.CANCELLING}


@dataclass(frozen=True)
class Heard:
    """What one call was told; `start` is the instant that the wish was about, where it was about one.

    `confirmed_before` are appointments that were confirmed before this turn: "temporary" denies none of them. Of a
    change `appointment` is what it was about.
    """

    call: str
    outcome: CheckOutcome | BookOutcome | ChangeOutcome
    start: datetime | None = None
    confirmed_before: frozenset[str] = frozenset()
    appointment: str = ""


@dataclass
class World:
    """The table and the calendar at one moment."""

    now: datetime
    placeholder_domain: str
    hosts: dict[str, int]
    bookings: list[Booking]
    appointments: dict[str, Appointment] = field(default_factory=dict)
    ledger: dict[tuple[str, date], dict[str, Interval]] = field(default_factory=dict)
    guards: dict[str, str] = field(default_factory=dict)
    customer_guards: dict[str, str] = field(default_factory=dict)
    offers: set[tuple[str, str]] = field(default_factory=set)
    outbox: dict[str, list[str]] = field(default_factory=dict)
    """Kinds of messages, by appointment; those that are void are none."""
    texts: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Whose message there is, and of which kind, by operation; sent already, maybe."""
    unsent: set[str] = field(default_factory=set)
    """The operations whose message nobody has begun to send."""
    customers: dict[str, str] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)
    """How many bookings a service needs."""
    flagged: set[str] = field(default_factory=set)
    """What was put before a person: the class of difference, and the booking's uid."""
    offered_to_move: dict[str, str] = field(default_factory=dict)
    """Which appointment an offer is for, where it is for one that there is already."""

    def live(self, interval: Interval) -> bool:
        """P and C always; a hold as long as its owner may use it."""
        if interval.state is not IntervalState.HELD:
            return True
        return interval.expires is not None and self.now < interval.expires

    def accepted(self) -> list[Booking]:
        """What lives at Cal.com."""
        return [each for each in self.bookings if each.status == "accepted"]

    def booking(self, uid: str | None) -> Booking | None:
        return next((each for each in self.bookings if each.uid == uid), None)


def look_at(salon: Salon) -> World:
    """Read everything; faults of the client should be over by now."""
    world = World(
        now=salon.clock.now(),
        placeholder_domain=salon.tenant.placeholder_domain,
        hosts={each.id: each.calcom_user for each in salon.tenant.staff},
        bookings=list(salon.calendar.bookings.values()),
        parts={each.id: len(each.busy) for each in salon.tenant.services},
    )
    for item in _everything(salon):
        _sort_in(world, item)
    return world


def violations(
    salon: Salon,
    heard: Sequence[Heard] = (),
    *,
    foreign: Collection[str] = (),
    orphans: Collection[str] = (),
    told_may_lag: bool = False,
) -> list[str]:
    """Every breach, as a sentence that begins with its number.

    `heard` are sentences whose moment is now. `foreign` are bookings we never asked for; `orphans` those an operator
    was told of. `told_may_lag`: the store was away, so what was told may not be on record.
    """
    return breaches(look_at(salon), heard, foreign=foreign, orphans=orphans, told_may_lag=told_may_lag)


def breaches(
    world: World,
    heard: Sequence[Heard] = (),
    *,
    foreign: Collection[str] = (),
    orphans: Collection[str] = (),
    told_may_lag: bool = False,
) -> list[str]:
    """`violations` of a world that has been looked at."""
    return [
        *_no_overlap(world),
        *_ledger_is_the_appointments(world),
        *_confirmed_is_accepted(world, frozenset(foreign), frozenset(orphans)),
        *_whole_or_told_of(world),
        *_one_owner(world),
        *_one_outbox_row(world),
        *_addresses_are_their_own(world),
        *(breach for each in heard for breach in _borne_out(world, each, told_may_lag=told_may_lag)),
    ]


def _everything(salon: Salon) -> Iterator[dict[str, Any]]:
    request: dict[str, Any] = {"TableName": salon.table_name}
    while True:
        page = salon.client.scan(**request)
        yield from page["Items"]
        if "LastEvaluatedKey" not in page:
            return
        request["ExclusiveStartKey"] = page["LastEvaluatedKey"]


def _sort_in(world: World, item: dict[str, Any]) -> None:
    _, _, kind = item["pk"]["S"].split("#", 2)
    name, _, rest = kind.partition("#")
    match name:
        case "APPT":
            world.appointments[rest] = items.appointment_from_item(rest, item)
        case "STAFF":
            day = date.fromisoformat(item["sk"]["S"].removeprefix("DAY#"))
            world.ledger[rest, day] = dict(items.staff_day_from_item(rest, day, item).intervals)
        case "CALUID" | "CALID":
            world.guards[rest] = item["appt"]["S"]
        case "CUST":
            world.customer_guards[rest] = item["appt"]["S"]
        case "CALL":
            offers = items.call_from_item(rest, item).offers
            world.offers |= {(offer.id, offer.op) for offer in offers}
            world.offered_to_move |= {offer.id: offer.moving for offer in offers if offer.moving is not None}
        case "OUT" if item["state"]["S"] != "VOID":
            world.outbox.setdefault(item["appt"]["S"], []).append(item["kind"]["S"])
            world.texts[rest] = item["appt"]["S"], item["kind"]["S"]
            world.unsent |= {rest} if item["state"]["S"] == "NEW" else set()
        case "FLAG":
            world.flagged.add(rest)
        case "CUSTOMER":
            world.customers[rest] = item["email"]["S"]


def _overlap(one: tuple[datetime, datetime], other: tuple[datetime, datetime]) -> bool:
    return max(one[0], other[0]) < min(one[1], other[1])


def _days(start: datetime, end: datetime) -> list[date]:
    last = (end - timedelta(microseconds=1)).date()
    return [start.date() + timedelta(days=n) for n in range((last - start.date()).days + 1)]


def _no_overlap(world: World) -> Iterator[str]:
    for staff in {name for name, _ in world.ledger}:
        taken = {
            key: each
            for (name, _), intervals in world.ledger.items()
            for key, each in intervals.items()
            if name == staff and world.live(each) and not each.conflict
        }
        for (key, one), (other_key, other) in itertools.combinations(sorted(taken.items()), 2):
            if _overlap((one.slot.start, one.slot.end), (other.slot.start, other.slot.end)) and not _of_one_move(
                world, one, other
            ):
                yield f"I1 {staff}: {one.state}:{key} overlaps {other.state}:{other_key} at {one.slot.start}"
    standing = {AppointmentState.CONFIRMED, AppointmentState.MOVING, AppointmentState.CANCELLING}
    confirmed = [each for each in world.appointments.values() if each.state in standing]
    for mine, theirs in itertools.combinations(confirmed, 2):
        for one_seg, other_seg in itertools.product(mine.segments, theirs.segments):
            same = one_seg.staff == other_seg.staff
            if same and _overlap((one_seg.slot.start, one_seg.slot.end), (other_seg.slot.start, other_seg.slot.end)):
                yield f"I1 {mine.id} and {theirs.id} are confirmed at once"


def _of_one_move(world: World, one: Interval, other: Interval) -> bool:
    """Whether both are of one appointment that is moved, or one is a time that was offered to move the other to."""
    owner, other_owner = (each.key.partition("/")[0] for each in (one, other))
    if owner == other_owner:
        return "+" in one.key + other.key
    return any(
        held.state is IntervalState.HELD and world.offered_to_move.get(held.key.partition("/")[0]) == stands
        for held, stands in ((one, other_owner), (other, owner))
    )


def _ledger_is_the_appointments(world: World) -> Iterator[str]:
    owed: dict[tuple[str, date, str], tuple[str, str, datetime, datetime]] = {}
    for each in world.appointments.values():
        if each.state in LIVE:
            state = "P" if each.state in OPEN else "C"
            for segment in each.segments:
                for day in _days(segment.slot.start, segment.slot.end):
                    key = (segment.staff, day, f"{each.id}/{segment.index}")
                    owed[key] = (state, each.op, segment.slot.start, segment.slot.end)
            for segment in each.change.segments if each.change is not None else ():
                for day in _days(segment.slot.start, segment.slot.end):
                    key = (segment.staff, day, f"{each.id}/{segment.index}+")
                    owed[key] = ("P", each.change.op, segment.slot.start, segment.slot.end)
    found = {
        (staff, day, key): (each.state.value, each.op, each.slot.start, each.slot.end)
        for (staff, day), intervals in world.ledger.items()
        for key, each in intervals.items()
        if each.state is not IntervalState.HELD
    }
    for missing in owed.items() - found.items():
        yield f"I2 not in the ledger: {missing}"
    for extra in found.items() - owed.items():
        yield f"I2 in the ledger without an appointment: {extra}"
    for (stylist, _), intervals in world.ledger.items():
        for name, interval in intervals.items():
            held = interval.state is IntervalState.HELD and world.live(interval)
            if held and (name.partition("/")[0], interval.op) not in world.offers:
                yield f"I2 {stylist}: a hold nobody was offered: {name}"


def _confirmed_is_accepted(world: World, foreign: frozenset[str], orphans: frozenset[str]) -> Iterator[str]:
    for each in world.appointments.values():
        if each.state is not AppointmentState.CONFIRMED:
            continue
        for segment in each.segments:
            booking = world.booking(segment.uid)
            wanted = (
                "accepted",
                segment.slot.start,
                segment.slot.end,
                world.hosts[segment.staff],
                each.op if each.source == OURS else None,
                segment.booking_id,
            )
            is_now = booking and (
                booking.status,
                booking.start,
                booking.end,
                booking.host,
                booking.metadata.get("op_id") if each.source == OURS else None,
                booking.id,
            )
            if is_now != wanted:
                yield f"I3 {each.id} is confirmed as {wanted}, Cal.com has {is_now}"
    changing = {AppointmentState.MOVING, AppointmentState.CANCELLING}
    for each in world.appointments.values():
        if (each.change is not None) is not (each.state in changing):
            yield f"I3 {each.id} is {each.state} with the change {each.change}"
        if each.last_change is not None and each.state is AppointmentState.CONFIRMED and each.source == OURS:
            labelled = [booking.uid for booking in world.accepted() if booking.metadata.get("op_id") == each.op]
            stands = {segment.uid for segment in each.segments}
            if set(labelled) - (foreign - stands) - orphans != stands:  # what was taken in, and then moved, is its own
                yield f"I3 {each.id} stands as {sorted(map(str, stands))}, and lives at Cal.com as {labelled}"
    for booking in world.bookings:
        if booking.status != "accepted" or booking.uid in foreign | orphans or "op_id" not in booking.metadata:
            continue
        owner = world.appointments.get(booking.metadata.get("appointment", ""))
        if owner is None or owner.state not in LIVE or owner.op != booking.metadata.get("op_id"):
            state = owner.state if owner else None
            yield f"I3 {booking.uid} lives at Cal.com, its appointment is {state}: freed with its outcome unknown"


def _whole_or_told_of(world: World) -> Iterator[str]:
    """No appointment that we booked has fewer parts than its service, unless a person knows of one that went."""
    known = {about.removeprefix("part-") for about in world.flagged if about.startswith("part-")}
    for booking in world.accepted():
        owner = world.appointments.get(booking.metadata.get("appointment", ""))
        if owner is None or owner.state is not AppointmentState.CONFIRMED or world.parts.get(owner.service, 1) == 1:
            continue
        stands = (
            booking.uid in {segment.uid for segment in owner.segments} or f"duplicate-{booking.uid}" in world.flagged
        )
        if owner.op == booking.metadata.get("op_id") and not stands:
            yield f"I3 {booking.uid} lives at Cal.com, and is no part of {owner.id}"
    for each in world.appointments.values():
        lacks = len(each.segments) != world.parts.get(each.service, len(each.segments))
        is_known = any(world.guards.get(uid) == each.id for uid in known)
        if each.state in LIVE and each.source == OURS and lacks and not is_known and not each.op.startswith("adopt-"):
            yield f"I3 {each.id} is {each.state} with {len(each.segments)} of {world.parts[each.service]} parts"


def _one_owner(world: World) -> Iterator[str]:
    held: Counter[str] = Counter()
    for each in world.appointments.values():
        for segment in each.segments:
            if each.state is AppointmentState.CONFIRMED:
                for name in (segment.uid, str(segment.booking_id)):
                    held[str(name)] += 1
                    if world.guards.get(str(name)) != each.id:
                        yield f"I4 {name} of {each.id} is guarded for {world.guards.get(str(name))}"
    yield from (f"I4 {name} has {number} appointments" for name, number in held.items() if number > 1)
    wishes: dict[tuple[str, datetime, str], list[str]] = {}
    for each in world.appointments.values():
        if each.state in LIVE:
            wishes.setdefault((each.customer.id, each.slot.start, each.service), []).append(each.id)
    for (_, start, service), own in wishes.items():
        if len(own) > 1:
            yield f"I4 customer has {len(own)} at once: {' and '.join(sorted(own))} , {service} at {start}"
    for name, appointment in world.customer_guards.items():
        owner = world.appointments.get(appointment)
        if owner is None or owner.state not in LIVE:
            yield f"I4 {name} is guarded for {appointment}, which is {owner.state if owner else None}"
        elif owner.change is not None or owner.last_change is not None:
            goes = [owner.change.slot.start] if owner.change is not None and owner.change.segments else []
            starts = {instant_text(start) for start in (owner.slot.start, *goes)}
            if name.split("|")[1] not in starts:
                yield f"I4 {name} is guarded for {appointment}, which has {sorted(starts)}"


def _one_outbox_row(world: World) -> Iterator[str]:
    """Confirmed: one "booked". Failed: one "not_booked" at most (who was told "open" is owed it). Open: none.

    None that is still to be sent says what is not so (one that is sent was, when it was).
    """
    for op in sorted(world.unsent):
        owner, kind = world.texts[op]
        its = world.appointments.get(owner)
        if its is not None and its.state in _UNTRUE_OF.get(kind, ()):
            yield f"I8 {owner} is {its.state}, and {kind} is to be sent"
    for each in world.appointments.values():
        yield from _one_text_a_change(world, each)
        rows = [
            kind
            for op, (owner, kind) in world.texts.items()
            if owner == each.id and (op == each.op or kind not in _OF_CHANGES)
        ]
        if each.source != OURS:
            continue
        if each.state is AppointmentState.CONFIRMED:
            last = each.last_change  # its message may tell where it stands, and that of the booking is void then
            told_by_change = not rows and last is not None and last.op in world.texts
            sound = rows in (["booked"], ["moved"]) or told_by_change  # moved before anybody sent "booked"
        else:
            failed = each.state is AppointmentState.FAILED
            sound = not rows or (rows == ["not_booked"] if failed else each.state not in OPEN)
        if not sound:
            yield f"I8 {each.id} is {each.state} with messages to send: {rows}"


def _one_text_a_change(world: World, appointment: Appointment) -> Iterator[str]:
    """Done: its message. Not done: one at most. Under way: none yet."""
    under_way, last = appointment.change, appointment.last_change
    if under_way is not None and under_way.op in world.texts:
        yield f"I8 {appointment.id} is {appointment.state}, and its end is to be sent: {world.texts[under_way.op]}"
    _, kind = world.texts.get(last.op, ("", None)) if last is not None else ("", None)
    if last is None or appointment.why == GATHERED:  # it goes on as a part of another, which tells
        return
    since = {"cancelled"} if appointment.state is AppointmentState.CANCELLED else {"moved"}  # by others
    since |= {None} if appointment.id in world.outbox else set()  # void: another message of its tells
    if kind not in _TEXTS[last.kind, last.end] | (since if appointment.version != last.version else set()):
        yield f"I8 {appointment.id}: {last.kind} is {last.end}, to be sent is {kind}"


def _addresses_are_their_own(world: World) -> Iterator[str]:
    own = Counter(mail for mail in world.customers.values() if mail.endswith("@" + world.placeholder_domain))
    yield from (f"shared placeholder {mail}: {number} customers" for mail, number in own.items() if number > 1)


def _of(world: World, heard: Heard) -> list[Appointment]:
    """Appointments of this call at the instant the sentence is about."""
    return [each for each in world.appointments.values() if each.call == heard.call and each.slot.start == heard.start]


def _borne_out(world: World, heard: Heard, *, told_may_lag: bool) -> Iterable[str]:
    outcome = heard.outcome
    match outcome:
        case Booked(appointment, _):
            now_is = world.appointments.get(appointment.id)
            if now_is is None or now_is.state is not AppointmentState.CONFIRMED:
                yield f"I5 told booked, {appointment.id} is {now_is.state if now_is else None}"
        case SlotTaken() | Forbidden() | NotBooked() | TemporaryTrouble():
            told = type(outcome).__name__
            for each in _of(world, heard):
                claims_nothing = each.state in OPEN or each.id in heard.confirmed_before
                if isinstance(outcome, TemporaryTrouble) and claims_nothing:
                    continue
                ours = [booking for booking in world.accepted() if booking.metadata.get("op_id") == each.op]
                unwritten = told_may_lag and each.state in OPEN and not ours
                if each.state in LIVE and not unwritten:
                    yield f"I5 told {told}, {each.id} is {each.state}"
            if isinstance(outcome, SlotTaken | Forbidden):
                yield from _kept(world, outcome.offers)
                if any(offer.slot.start == outcome.slot.start for offer in outcome.offers):
                    yield "I5 offered at once what was refused"
        case StillOpen():
            known = _of(world, heard)
            open_ = [each for each in known if each.state in OPEN]
            noted = [each for each in open_ if each.told is Told.PENDING or told_may_lag]
            texted = [each for each in known if each.state is AppointmentState.CONFIRMED and each.id in world.outbox]
            if not noted and not texted:
                yield f"I5 told open, nobody owes a text: {[(each.id, each.state, each.told) for each in known]}"
        case Offers(offers=offers) | AgainstPolicy(offers=offers) | NewTimes(offers=offers):
            yield from _kept(world, offers)
        case Moved() | CancelledNow() | NotChanged() | KeptForLater() | Confirm() if heard.appointment:
            yield from _change_borne_out(world, world.appointments[heard.appointment], outcome, told_may_lag)


def _change_borne_out(
    world: World,
    now_is: Appointment,
    outcome: Moved | CancelledNow | NotChanged | KeptForLater | Confirm,
    told_may_lag: bool,
) -> Iterator[str]:
    """What was said of a change: where it stands, that it is gone, or that a message will tell."""
    change, last = now_is.change, now_is.last_change
    owed = change is not None and (change.told is Told.PENDING or told_may_lag)
    texted = last is not None and last.op in world.texts
    match outcome:
        case Moved(new=new):
            sound = now_is.state in LIVE and now_is.slot == new
        case CancelledNow():
            sound = now_is.state is AppointmentState.CANCELLED
        case NotChanged(open=True):
            sound = owed or texted
        case KeptForLater(until=until):
            sound = texted or (owed and change is not None and change.keep_until == until)
        case NotChanged(current=current) | Confirm(current=current):
            sound = now_is.state in LIVE and current in {None, now_is.slot}
    if not sound:
        yield f"I5 told {outcome}, {now_is.id} is {now_is.state} at {now_is.slot.start}, {change}, {last}"
    if isinstance(outcome, NotChanged):
        yield from _kept(world, outcome.offers)
        if outcome.wanted is not None and outcome.wanted.start in {each.slot.start for each in outcome.offers}:
            yield "I5 offered at once what was refused"


def _kept(world: World, offers: Iterable[Any]) -> Iterator[str]:
    for offer in offers:
        for key, slot in offer.intervals.items() if offer.held else ():
            for day in _days(slot.start, slot.end):
                interval = world.ledger.get((offer.staff, day), {}).get(key)
                if interval is None or interval.state is not IntervalState.HELD or interval.op != offer.op:
                    yield f"I5 offered {offer.id} at {offer.slot.start}, but it is not kept on {day}"
