"""A caller who changes an appointment: what they say, in two steps, and what must be true after each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bookend.adapters.retell.change_replies import ChangeSpeaker
from bookend.adapters.retell.replies import Reply
from bookend.application.change_appointment import ChangeAppointment, change_appointment
from bookend.application.change_outcomes import ChangeOutcome, Confirm
from bookend.application.deadline import WRITE_TURN_S
from bookend.application.outcomes import Booked
from bookend.domain.answers import Answered, CreateAnswer, Unclear
from bookend.domain.appointment import Appointment, ChangeKind
from tests.support.calendar import FakeCalendar, MoveFault
from tests.support.invariants import Heard, look_at, violations
from tests.support.salon import Phone, Salon

TUESDAY, WEDNESDAY = "2025-10-28", "2025-10-29"
TEN = datetime(2025, 10, 28, 9, 0, tzinfo=UTC)
"""10:00 in Berlin, where the appointment stands."""
ELEVEN = TEN + timedelta(hours=1)
STRANGER = "+491709999999"
MOVE, CANCEL = ChangeKind.MOVE, ChangeKind.CANCEL


def salon_with_one(salon: Salon | None = None, *, every: int = 30) -> Salon:
    """Open on two days, with Hans Schuster's haircut at ten."""
    salon = salon or Salon()
    for day in (TUESDAY, WEDNESDAY):
        salon.open(day, every=every)
    book(salon, TUESDAY, "10:00")
    return salon


def book(salon: Salon, day: str, time: str, *, call: str = "call_0", **said: Any) -> Appointment:
    """An appointment with Fabian, made in an earlier call."""
    caller = said.pop("caller", None)
    phone = salon.call(call, caller=caller) if caller else salon.call(call)
    outcome = phone.book(day, time, **({"staff": "Fabian"} | said))
    assert isinstance(outcome, Booked), outcome
    phone.hang_up()
    return outcome.appointment


def only(salon: Salon) -> Appointment:
    """The one appointment there is."""
    (appointment,) = look_at(salon).appointments.values()
    return appointment


def ask(phone: Phone, kind: ChangeKind, **said: Any) -> ChangeOutcome:
    """The first step; Hans Schuster on Tuesday, to eleven, unless said otherwise."""
    words = {"name": "Hans Schuster", "date": TUESDAY} | ({"new_time": "11:00"} if kind is MOVE else {})
    return change_appointment(ChangeAppointment(kind=kind, **(words | said)), phone.turn(WRITE_TURN_S))


def question(phone: Phone, kind: ChangeKind, **said: Any) -> Confirm:
    """The first step, which ends in a question."""
    outcome = ask(phone, kind, **said)
    assert isinstance(outcome, Confirm), outcome
    return outcome


def yes(phone: Phone, kind: ChangeKind, token: str | None, *, keep: bool = False) -> ChangeOutcome:
    """The second step."""
    assert token is not None
    return change_appointment(ChangeAppointment(kind=kind, token=token, keep=keep), phone.turn(WRITE_TURN_S))


def said(phone: Phone, kind: ChangeKind, outcome: ChangeOutcome) -> Reply:
    """What the agent gets to read."""
    return ChangeSpeaker(phone.as_call.tenant).changed(kind, outcome)


def sound(phone: Phone, *outcomes: ChangeOutcome, about: Appointment | None = None, **allowed: Any) -> None:
    """Nothing is broken, and what was said is borne out."""
    name = (about or next(iter(look_at(phone.salon).appointments.values()))).id
    heard = [Heard(phone.as_call.id, each, appointment=name) for each in outcomes]
    assert violations(phone.salon, heard, **allowed) == []


def ledger(salon: Salon) -> dict[str, str]:
    """Wall time and state of what is in Fabian's days but holds."""
    return {
        each.slot.start.astimezone(salon.tenant.zone).strftime("%d. %H:%M"): each.state.value
        for (staff, _), intervals in look_at(salon).ledger.items()
        for each in intervals.values()
        if staff == "fabian" and each.state.value != "H"
    }


def texts(salon: Salon) -> list[str]:
    """Kinds of the messages to be sent, apart from that of the booking."""
    return sorted(kind for _, kind in look_at(salon).texts.values() if kind != "booked")


def accepted_at(salon: Salon) -> list[datetime]:
    """What lives at Cal.com."""
    return sorted(each.start for each in salon.calendar.accepted())


# What Cal.com may do with a request to move


def answers(answer: CreateAnswer) -> MoveFault:
    """It does nothing, and says this."""
    return lambda _calendar, _uid, _start: answer


def moved_unheard(calendar: FakeCalendar, uid: str, start: datetime) -> CreateAnswer:
    """It is moved, and the answer is lost."""
    calendar.make_move(uid, start)
    return Unclear("ReadTimeout")


def moved_unseen(calendar: FakeCalendar, uid: str, start: datetime) -> CreateAnswer:
    """The same, and for half a minute no read shows the new booking."""
    answer = calendar.make_move(uid, start)
    assert isinstance(answer, Answered)
    calendar.hidden[answer.booking.uid] = calendar.clock.now() + timedelta(seconds=30)
    return Unclear("ReadTimeout")


def moved_longer(calendar: FakeCalendar, uid: str, start: datetime) -> CreateAnswer:
    """It is moved, and comes out a quarter of an hour longer."""
    answer = calendar.make_move(uid, start)
    assert isinstance(answer, Answered)
    return Answered(calendar.change(answer.booking.uid, end=answer.booking.end + timedelta(minutes=15)))


def anothers(calendar: FakeCalendar, uid: str, start: datetime) -> CreateAnswer:
    """A success with a booking that was not moved from ours."""
    return Answered(calendar.book_publicly(3672815, start))
