"""The turns of a call that are measured, and what each may cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time

from bookend.application.change_outcomes import CancelledNow, ChangeOutcome, Confirm, FindOutcome, Found, Moved
from bookend.application.find_appointments import find_appointments
from bookend.application.outcomes import Booked, BookOutcome, CheckOutcome, Offers, SlotTaken
from bookend.domain.appointment import ChangeKind
from sandbox.calcom.control import force_booking
from sandbox.calcom.models import Attendee
from sandbox.calcom.world import NewBooking
from tests.races.live import Caller, LiveSalon

FABIANS_HAIRCUT = 3672814
AT, LATER = "10:00", "11:00"
NAME = "Hans Schuster"

SLOTS = "GET /v2/slots"
CREATE = "POST /v2/bookings"
MOVE = "POST /v2/bookings/{uid}/reschedule"
CANCEL = "POST /v2/bookings/{uid}/cancel"
KINDS = {SLOTS: "slots", CREATE: "create", MOVE: "reschedule", CANCEL: "cancel"}

Run = Callable[[], CheckOutcome | BookOutcome | FindOutcome | ChangeOutcome]


@dataclass(frozen=True)
class Budget:
    """Requests one turn may make at most, by kind at Cal.com and in all at the table."""

    calcom: dict[str, int]
    table: int


@dataclass(frozen=True, eq=False)
class Turn:
    """One turn: `prepare` does what went before it in the call and returns what is measured."""

    name: str
    budget: Budget
    prepare: Callable[[LiveSalon], Run]
    outcome: type


def _caller(live: LiveSalon, *, branch: str | None = "mitte") -> Caller:
    return live.phone("call_1", caller="+491701234567", branch=branch)


def _day(live: LiveSalon) -> str:
    return live.day().isoformat()


def _check_one(live: LiveSalon) -> Run:
    phone = _caller(live)
    return lambda: phone.check(_day(live), AT, staff="Fabian")


def _check_any(live: LiveSalon) -> Run:
    phone = _caller(live, branch=None)
    return lambda: phone.check(_day(live), AT)


def _check_again(live: LiveSalon) -> Run:
    """Another caller asks for the same a moment later."""
    _check_any(live)()
    other = live.phone("call_2", caller="+491709999999", branch=None)
    return lambda: other.check(_day(live), AT)


def _book_offered(live: LiveSalon) -> Run:
    phone = _caller(live)
    phone.check(_day(live), AT, staff="Fabian")
    return lambda: phone.book(_day(live), AT, staff="Fabian")


def _book_composite(live: LiveSalon) -> Run:
    """Three busy parts, so three bookings at Cal.com."""
    phone = _caller(live)
    phone.check(_day(live), AT, service="Farbe", staff="Fabian")
    return lambda: phone.book(_day(live), AT, service="Farbe", staff="Fabian")


def _composite_refused(live: LiveSalon) -> Run:
    """Somebody books the second part's time on the web between the offer and the yes."""
    run = _book_composite(live)
    world = live.calcom.world
    start = datetime.combine(live.day(), time.fromisoformat("11:15"), live.tenant.zone)
    attendee = Attendee("Web", "web@x.example", live.tenant.zone.key)
    force_booking(world, NewBooking(world.event_types[FABIANS_HAIRCUT], start, attendee, {}, {}))
    return run


def _book_unoffered(live: LiveSalon) -> Run:
    phone = _caller(live)
    return lambda: phone.book(_day(live), AT, staff="Fabian")


def _book_refused(live: LiveSalon) -> Run:
    """Somebody books on the web between the offer and the yes."""
    run = _book_offered(live)
    world = live.calcom.world
    start = datetime.combine(live.day(), time.fromisoformat(AT), live.tenant.zone)
    attendee = Attendee("Web", "web@x.example", live.tenant.zone.key)
    force_booking(world, NewBooking(world.event_types[FABIANS_HAIRCUT], start, attendee, {}, {}))
    return run


def _repeat(live: LiveSalon) -> Run:
    """The model sends the same booking once more."""
    run = _book_offered(live)
    run()
    return run


def _stands(live: LiveSalon) -> Caller:
    """Another call of somebody who has an appointment."""
    phone = _caller(live)
    phone.book(_day(live), AT, staff="Fabian", name=NAME)
    phone.hang_up()
    return live.phone("call_2", caller="+491701234567", branch="mitte")


def _find(live: LiveSalon) -> Run:
    phone = _stands(live)
    return lambda: find_appointments(phone.turn(phone.read_s))


def _change(live: LiveSalon, kind: ChangeKind) -> tuple[Caller, Callable[[], ChangeOutcome]]:
    """Who changes, and the first step: the appointment and, of a move, the new time are named."""
    phone = _stands(live)
    to = {"new_time": LATER} if kind is ChangeKind.MOVE else {}
    return phone, lambda: phone.change(kind, name=NAME, date=_day(live), **to)


def _asked(kind: ChangeKind) -> Callable[[LiveSalon], Run]:
    return lambda live: _change(live, kind)[1]


def _confirmed(kind: ChangeKind) -> Callable[[LiveSalon], Run]:
    """The second step: the caller has said yes."""

    def prepare(live: LiveSalon) -> Run:
        phone, ask = _change(live, kind)
        question = ask()
        token = question.token if isinstance(question, Confirm) else None
        return lambda: phone.change(kind, token=token)

    return prepare


ONE_BOOKING = Turn("book, offered", Budget({CREATE: 1}, table=4), _book_offered, Booked)
THREE_BOOKINGS = Turn("book, three parts", Budget({CREATE: 3}, table=4), _book_composite, Booked)

TURNS = (
    # At the table: what is kept of Cal.com's answers, the ledger, the holds; then one update a stylist that was asked.
    Turn("check, one stylist", Budget({SLOTS: 1}, table=4), _check_one, Offers),
    Turn("check, any of three", Budget({SLOTS: 3}, table=6), _check_any, Offers),
    Turn("check, once more", Budget({}, table=3), _check_again, Offers),
    ONE_BOOKING,
    THREE_BOOKINGS,
    Turn("book, not offered", Budget({SLOTS: 1, CREATE: 1}, table=4), _book_unoffered, Booked),
    Turn("book, refused", Budget({SLOTS: 1, CREATE: 1}, table=5), _book_refused, SlotTaken),
    # What was booked of it is cancelled, and it is on record before that it must be.
    Turn("three, refused", Budget({SLOTS: 3, CREATE: 3, CANCEL: 2}, table=6), _composite_refused, SlotTaken),
    Turn("book, once more", Budget({}, table=3), _repeat, Booked),
    # Whose they are is asked of an index, then of the appointments; a try is counted before anything is compared.
    Turn("find", Budget({}, table=2), _find, Found),
    Turn("move, asked", Budget({SLOTS: 1}, table=6), _asked(ChangeKind.MOVE), Confirm),
    Turn("move, confirmed", Budget({MOVE: 1}, table=6), _confirmed(ChangeKind.MOVE), Moved),
    Turn("cancel, asked", Budget({}, table=4), _asked(ChangeKind.CANCEL), Confirm),
    Turn("cancel, confirmed", Budget({CANCEL: 1}, table=5), _confirmed(ChangeKind.CANCEL), CancelledNow),
)
