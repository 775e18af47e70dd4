"""Who rings, who books at Cal.com past us, and what the salon does there by hand."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from bookend.adapters.retell.change_replies import ChangeSpeaker
from bookend.application.book_appointment import book_appointment
from bookend.application.booking_goal import BookAppointment
from bookend.application.change_appointment import ChangeAppointment, change_appointment
from bookend.application.change_outcomes import (
    AskedTooLongAgo,
    CancelledNow,
    Confirm,
    Found,
    KeptForLater,
    Moved,
    NotChanged,
)
from bookend.application.check_availability import CheckAvailability, check_availability
from bookend.application.deadline import READ_TURN_S, WRITE_TURN_S
from bookend.application.end_call import end_call
from bookend.application.find_appointments import find_appointments
from bookend.application.outcomes import Booked, HasOne, Offers, Reason, SlotTaken, StillOpen, TemporaryTrouble
from bookend.application.ports import BookingRequest, StoreUnavailable
from bookend.application.turn import Call, Turn
from bookend.domain.answers import Booking
from bookend.domain.appointment import AppointmentState, ChangeKind
from bookend.domain.contacts import customer_id
from bookend.domain.timeslot import Slot
from tests.simulation.plan import Plan
from tests.simulation.salon import SimulatedSalon
from tests.simulation.watch import STANDING, Breach
from tests.support.tables.faults import Crash

NAMES = ("Hans Schuster", "Erika Muster", "Max Beispiel", "Lena Probe", "Otto Normal", "Ida Vorlage")
LEFT_ALONE = timedelta(seconds=30)
"""Nobody's hand is faster than this after a booking was made (docs/limits.md: an edit within ten seconds)."""


@dataclass(frozen=True)
class Said:
    """One reply that was spoken: of which call, what it was about, and when."""

    at: float
    call: str
    outcome: Any
    start: datetime | None = None
    appointment: str = ""
    began: float = 0.0
    """When its turn did."""


@dataclass
class Caller:
    """One call to the salon, with its wishes and its patience."""

    salon: SimulatedSalon
    plan: Plan
    name: str
    group: str
    id: str = ""
    """Of the call, where it is not its name here: two tenants may have calls of one id."""
    said: list[Said] = field(default_factory=list)

    def __post_init__(self) -> None:
        baton = self.salon.baton
        self.dice = baton.dice(f"{self.name} thinks")
        wish = baton.dice(f"{self.group} wants")  # a group wants the same, at the same moment
        self.begins = wish.uniform(5.0, self.plan.hours * (1800 if self.plan.eager else 3600))
        self.day = wish.randrange(self.plan.days)
        self.hour, self.minute = wish.randrange(9, 16), wish.choice((0, 0, 15, 30, 45))
        self.service = wish.choices(
            ("Herrenhaarschnitt", "Damenhaarschnitt", "Beratung", "Dauerwelle"), (50, 20, 15, 15)
        )[0]
        doing = self.salon.tenant.at_branch("mitte").service(self.service.lower())
        assert doing is not None
        there = [each for each in ("fabian", "emma") if each in doing.segments[0].event_types]
        self.staff = wish.choice((None, "fabian", *there))
        self.begins += self.dice.choice((0.0, 0.0, 0.05, 0.4, 2.0)) * self.dice.random()
        number = self.dice.randrange(max(3, self.plan.calls // 2))
        self.caller = None if self.dice.random() < 0.08 else f"+4917012{number:05d}"
        self.person = NAMES[number % len(NAMES)]
        self.call = Call(self.salon.tenant.at_branch("mitte"), self.id or self.name, self.caller)
        self.speaker = ChangeSpeaker(self.call.tenant)
        self.zone = self.salon.tenant.zone

    # A turn

    def tool(self, what: str, do: Callable[[Turn], Any], seconds: float, *, about: datetime | None = None) -> Any:
        """One function call, as the door has it; None: it died, and the agent gets to read an error.

        Retell may send it twice: the second one runs beside the first, and one of the two is heard.
        """
        dice = self.dice
        twice, wait = dice.random(), dice.choice((0.0, 0.01, 0.3, 2.0))
        if twice < self.plan.rates.sent_twice:
            self.salon.baton.child("again", lambda: self._turn(f"{what} (sent twice)", do, seconds, about), after=wait)
        box: list[Any] = []

        def run() -> None:
            box.append(self._turn(what, do, seconds, about))

        # A function's death is not the caller's: it runs beside them.
        self._beside(run)
        return box[0] if box else None

    def _beside(self, run: Callable[[], None]) -> None:
        baton = self.salon.baton

        def one() -> None:
            try:
                run()
            except Crash as crash:
                baton.died(baton.who, crash)

        baton.together([one], "turn")

    def _turn(self, what: str, do: Callable[[Turn], Any], seconds: float, about: datetime | None) -> Any:
        baton, salon = self.salon.baton, self.salon
        began = baton.at
        with salon.instance() as instance:
            turn = instance.turn(self.call, seconds)
            try:
                outcome = do(turn)
            except StoreUnavailable:
                outcome = TemporaryTrouble()
        took = baton.at - began
        if took > seconds + 1e-6:
            baton.fail(Breach(f"P7 {what} took {took:.2f} s, promised are {seconds} s"))
        baton.note(".", f"{what}: {type(outcome).__name__}{_of(outcome)}")
        appointment = outcome.appointment.id if isinstance(outcome, Booked) else ""
        self.said.append(Said(baton.at, self.call.id, outcome, about, appointment, began))
        self._count(outcome)
        match outcome:
            case Found():
                self._looked_up(outcome, began)
            case Moved(new=Slot() as place) | CancelledNow(slot=place):
                self._was_changed(outcome, place, began)
            case (
                Confirm(current=Slot() as place)
                | KeptForLater(current=Slot() as place)
                | NotChanged(current=Slot() as place)
            ):
                self._stood(outcome, place, began)
            case _:
                pass
        if isinstance(outcome, Booked) and not salon.watch.was_confirmed(outcome.appointment.id, began):
            baton.fail(Breach(f"I5 told booked, and {outcome.appointment.id} was not confirmed since the turn began"))
        return outcome

    def _count(self, outcome: Any) -> None:
        saw = self.salon.watch.saw
        saw[f"told {type(outcome).__name__}"] += 1
        if isinstance(outcome, SlotTaken) and outcome.reason is Reason.RACE:
            saw["two raced for one slot"] += 1
        if isinstance(outcome, NotChanged):
            saw[f"told NotChanged {outcome.failure}"] += 1

    def customer(self) -> str:
        """Whose appointments this caller's are."""
        return customer_id(self.call.tenant.id, caller=self.caller, call=self.call.id)

    def _was_changed(self, outcome: Moved | CancelledNow, place: Slot, began: float) -> None:
        """I5: what is said to be moved there, or cancelled, was so at some moment since the turn began."""
        over = isinstance(outcome, CancelledNow)
        for each in self.salon.watch.states(self.customer(), began):
            is_over, stands = each.state is AppointmentState.CANCELLED, each.state in STANDING
            if each.slot == place and (is_over if over else stands):
                return
        self.salon.baton.fail(
            Breach(f"I5 told {type(outcome).__name__} {place.start}, and it was not since {began:.3f}")
        )

    def _stood(self, outcome: Any, place: Slot, began: float) -> None:
        """I5: where something is said to stand as yet, it stood at some moment since the turn began."""
        if not any(each.slot == place for each in self.salon.watch.states(self.customer(), began)):
            said = type(outcome).__name__
            self.salon.baton.fail(
                Breach(f"I5 told {said}, it stands at {place.start}, and it did not since {began:.3f}")
            )

    def _looked_up(self, found: Found, began: float) -> None:
        """I5: what they are said to have, they had at some moment since the turn began, and there."""
        watch = self.salon.watch
        stood, all_along = watch.stood(self.customer(), began)
        for slot in found.slots:
            if slot not in stood:
                self.salon.baton.fail(Breach(f"I5 told that {slot.start} is theirs, and it was not since {began:.3f}"))
        left_out = [slot for slot in all_along - {*found.slots} if slot.start > self.salon.baton.now()]
        watch.saw["did not hear of what they have"] += bool(left_out)

    def _times(self, outcome: Any) -> None:
        """T2: each time on offer is the calendar's local one, in the reply's data and in what is said."""
        offers = getattr(outcome, "offers", ())
        reply = self.speaker.reply(outcome) if offers else {}
        told = {each["offer_id"]: each for each in reply.get("offers", ())}
        for offer in offers:
            wall = offer.slot.start.astimezone(self.zone)
            its = told[offer.id]
            aloud = re.compile(rf"\b{wall.hour} Uhr{f' {wall.minute}' if wall.minute else ''}\b(?! [0-9])")
            said = all(aloud.search(each) for each in (its["spoken"], reply["message"]))
            if its["start"] != wall.isoformat(timespec="minutes") or not said:
                self.salon.baton.fail(Breach(f"T2 {offer.slot.start} is told as {its}: {reply['message']}"))

    def think(self) -> None:
        self.salon.baton.pause(self.dice.uniform(1.0, 9.0))

    # The call

    def ring(self) -> None:
        """From the first word to hanging up, which Retell may tell us late, twice, or never."""
        shares = (1, 0, 0, 0) if self.plan.eager else (62, 18, 12, 8)
        kind = self.dice.choices(("book", "move", "cancel", "ask"), shares)[0]
        if kind == "ask":
            self.check()
            self.tool("find", find_appointments, READ_TURN_S)
        elif kind == "book" or not self.has_one():
            self.book()
            if self.dice.random() < 0.25:  # and changes their mind at once
                self.think()
                self.change(self.dice.choice((ChangeKind.MOVE, ChangeKind.CANCEL)))
        else:
            self.change(ChangeKind.MOVE if kind == "move" else ChangeKind.CANCEL)
        events = self.dice.choices((1, 0, 2), (8, 1, 1))[0]
        for _ in range(events):
            self.salon.baton.child("ended", self._ended, after=self.dice.uniform(0.0, 5.0))

    def _ended(self) -> None:
        with self.salon.instance() as instance:
            turn = instance.turn(self.call, DOOR_S)
            try:
                end_call(self.call.tenant.id, self.call.id, appointments=turn.appointments, clock=turn.clock)
            except StoreUnavailable:
                return

    def date(self) -> str:
        first = self.salon.baton.now().astimezone(self.zone).date()
        return (first + timedelta(days=self.day + 1)).isoformat()

    def wall(self) -> str:
        return f"{self.hour:02d}:{self.minute:02d}"

    def start(self) -> datetime:
        """The instant of the wish; none of the hours on sale is one that happens twice."""
        return datetime.fromisoformat(f"{self.date()}T{self.wall()}").replace(tzinfo=self.zone)

    def check(self) -> Any:
        wish = CheckAvailability(
            self.service, self.staff, self.date(), self.wall() if self.dice.random() < 0.7 else None
        )
        found = self.tool("check", lambda turn: check_availability(wish, turn), READ_TURN_S)
        self._times(found)
        return found

    def book(self) -> None:
        """With an offer or straight away; a refusal is answered with the next one, trouble with another try."""
        offer = None
        if self.dice.random() < (0.4 if self.plan.eager else 0.75):
            found = self.check()
            self.think()
            if isinstance(found, Offers) and found.offers:
                exact = [each for each in found.offers if each.slot.start == self.start()]
                offer = exact[0] if exact else found.offers[self.dice.randrange(len(found.offers))]
            if self.dice.random() < 0.1:
                return  # hangs up
        for _ in range(4):
            outcome = self._book(offer)
            self._times(outcome)
            if isinstance(outcome, Booked | HasOne):
                if self.dice.random() < 0.1:
                    self._book(offer)  # says it once more
                return
            if isinstance(outcome, StillOpen) and self.dice.random() < 0.6:
                return
            offers = getattr(outcome, "offers", ())
            if offers and self.dice.random() < 0.8:
                offer = offers[self.dice.randrange(len(offers))]
            elif offers or self.dice.random() < 0.3:
                return
            self.think()

    def _book(self, offer: Any) -> Any:
        said = {"service": self.service, "staff": self.staff, "date": None, "time": None, "offer": None}
        if offer is not None and self.dice.random() < 0.7:
            said["offer"] = offer.id
        elif offer is not None:
            local = offer.slot.start.astimezone(self.zone)
            said |= {"date": local.date().isoformat(), "time": local.strftime("%H:%M")}
        else:
            said |= {"date": self.date(), "time": self.wall()}
        about = offer.slot.start if offer is not None else self.start()
        wish = BookAppointment(name=self.person, phone=None, email=None, **said)
        return self.tool("book", lambda turn: book_appointment(wish, turn), WRITE_TURN_S, about=about)

    # What the caller has already

    def has_one(self) -> bool:
        found = self.tool("find", find_appointments, READ_TURN_S)
        if not isinstance(found, Found) or not found.slots:
            return False
        self.mine = found.slots
        return True

    def change(self, kind: ChangeKind) -> None:
        """In two steps; where it cannot be done now, with the caller's leave, later."""
        found = self.tool("find", find_appointments, READ_TURN_S)
        if not isinstance(found, Found) or not found.slots:
            return
        slot = found.slots[self.dice.randrange(len(found.slots))]
        local = slot.start.astimezone(self.zone)
        to = local + timedelta(minutes=self.dice.choice((-60, -30, -15, 15, 30, 60, 90)))
        words: dict[str, Any] = {"date": local.date().isoformat(), "time": local.strftime("%H:%M")}
        if kind is ChangeKind.MOVE:
            words |= {"new_date": to.date().isoformat(), "new_time": to.strftime("%H:%M")}
        first = ChangeAppointment(kind=kind, name=self.person, **words)
        for _ in range(3):
            asked = self.tool(f"{kind}?", lambda turn: change_appointment(first, turn), WRITE_TURN_S)
            self.think()
            token = asked.token if isinstance(asked, Confirm | NotChanged) else None
            if token is not None and self._yes(kind, token, keep=isinstance(asked, NotChanged)):
                return
            if not isinstance(asked, TemporaryTrouble | AskedTooLongAgo | None | Confirm):
                return

    def _yes(self, kind: ChangeKind, token: str, *, keep: bool = False) -> bool:
        """Whether there is nothing more to say."""
        yes = ChangeAppointment(kind=kind, token=token, keep=keep)
        done = self.tool(f"{kind}!", lambda turn: change_appointment(yes, turn), WRITE_TURN_S)
        if self.dice.random() < 0.15:  # a model repeats itself
            self.tool(f"{kind}! again", lambda turn: change_appointment(yes, turn), WRITE_TURN_S)
        if isinstance(done, NotChanged) and done.token is not None and not keep and self.dice.random() < 0.7:
            self.think()
            return self._yes(kind, done.token, keep=True)
        return isinstance(done, Moved | CancelledNow | NotChanged | KeptForLater)


DOOR_S = 5.0


def _of(outcome: Any) -> str:
    if isinstance(outcome, Booked):
        slot = outcome.appointment.slot
        return f" {outcome.appointment.id[:6]} {slot.start:%d. %H:%M} {outcome.appointment.staff}"
    if isinstance(outcome, Moved):
        return f" {outcome.new.start:%d. %H:%M} {outcome.staff}"
    slot = getattr(outcome, "slot", None)
    return f" {slot.start:%d. %H:%M}" if slot is not None else ""


@dataclass
class Hands:
    """Guests and the salon at Cal.com itself, past us."""

    salon: SimulatedSalon
    plan: Plan
    prefix: str = ""

    def guest(self, number: int) -> None:
        """Books on the public page, mostly where callers book; moves or cancels it later, maybe."""
        salon = self.salon
        dice = salon.baton.dice(f"{self.prefix}guest-{number} thinks")
        email = f"gast{number}@example.org"
        service = salon.tenant.services[dice.choice((0, 0, 1, 2))]
        event_type = dice.choice(list(service.segments[0].event_types.values()))
        start = self._somewhere(dice)
        if self.plan.eager:
            wish = Caller(salon, self.plan, "somebody", f"{self.prefix}group-1").start().astimezone(UTC)
            start = wish + timedelta(minutes=dice.choice((-15, 0, 0, 15)))
        request = BookingRequest(event_type, start, "Gast", email, None, "Europe/Berlin", "de", {})
        salon.calendar.book_as_guest(request)
        if dice.random() < 0.4:
            salon.baton.pause(dice.uniform(31.0, 900.0))
            own = [each for each in salon.calendar.accepted() if email in each.attendees]
            if own:
                self._touch(own[0], dice)

    def edit(self, number: int) -> None:
        """The salon, or the guest by the link in the mail, does something with a booking that is there, ours or not."""
        salon = self.salon
        dice = salon.baton.dice(f"{self.prefix}salon-{number} thinks")
        now = salon.baton.now()
        old = [each for each in salon.calendar.accepted() if each.created_at and now - each.created_at > LEFT_ALONE]
        if not old:
            return
        if dice.random() < 0.5:  # one whose customer is changing it by voice, if there is one
            old = [each for each in old if self._is_changed(each)] or old

        def liking(booking: Booking) -> int:
            """Whom it falls on does not change when others are left out of the story."""
            return zlib.crc32(f"{salon.baton.seed}|{self.prefix}salon-{number}|{booking.uid}".encode())

        booking = min(old, key=liking)
        self._touch(booking, dice)

    def _is_changed(self, booking: Booking) -> bool:
        history = self.salon.watch.history.get(booking.metadata.get("appointment", ""), [])
        return bool(history) and history[-1][1].change is not None

    def _touch(self, booking: Booking, dice: Random) -> None:
        calendar = self.salon.calendar
        what = dice.choices(("move", "cancel", "longer", "other stylist"), (40, 30, 15, 15))[0]
        if what == "move":
            start = booking.start + timedelta(minutes=dice.choice((-45, -15, 15, 30)))
            calendar.move_by_hand(booking.uid, start)
        elif what == "cancel":
            calendar.cancel_by_hand(booking.uid)
        elif what == "longer":
            calendar.edit_by_hand(booking.uid, "15 minutes longer", end=booking.end + timedelta(minutes=15))
        else:
            hosts = [each.calcom_user for each in self.salon.tenant.staff if each.calcom_user != booking.host]
            calendar.edit_by_hand(booking.uid, "another stylist", host=dice.choice(hosts))

    def _somewhere(self, dice: Random) -> datetime:
        zone = self.salon.tenant.zone
        day = self.salon.baton.now().astimezone(zone).date() + timedelta(days=1 + dice.randrange(self.plan.days))
        wall = f"{dice.randrange(9, 16):02d}:{dice.choice((0, 0, 15, 30, 45)):02d}"
        return datetime.fromisoformat(f"{day}T{wall}").replace(tzinfo=zone).astimezone(UTC)
