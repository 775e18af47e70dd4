"""Changes that meet what others do at Cal.com, one story each."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bookend.application.change_appointment import ChangeAppointment, change_appointment
from bookend.application.change_outcomes import CancelledNow, ChangeOutcome, Confirm, KeptForLater, Moved, NotChanged
from bookend.application.converged import Converged
from bookend.application.converging import converge
from bookend.application.deadline import WRITE_TURN_S
from bookend.application.outcomes import Booked
from bookend.application.ports import Cancelled
from bookend.domain.answers import NotSent, Unclear
from bookend.domain.appointment import Appointment, AppointmentState, ChangeKind
from bookend.domain.failures import FailureClass
from tests.application.changes import moved_unseen
from tests.application.convergence.world import DAY, ONE_S, TEN, Layer, World, violations

NEW = TEN + timedelta(minutes=15)
ELSEWHERE = TEN + timedelta(hours=2)


class Told:
    """A salon in which Hans Schuster is booked at ten, and has been asked whether to move to a quarter past."""

    def __init__(self, *layers: Layer, kind: ChangeKind = ChangeKind.MOVE) -> None:
        self.world = World(*layers)
        self.world.salon.open(DAY, first="09:00", last="14:00", every=15)
        booked = self.world.phone().book(DAY, "10:00", staff="Fabian")
        assert isinstance(booked, Booked)
        self.name = booked.appointment.id
        self.world.run(30)
        self.kind = kind
        asked = self.says(name="Hans Schuster", date=DAY, new_time="10:15")
        assert isinstance(asked, Confirm)
        self.token = asked.token
        self.world.begin_schedules()

    def says(self, **said: Any) -> ChangeOutcome:
        command = ChangeAppointment(kind=self.kind, **said)
        return change_appointment(command, self.world.phone("call_2").turn(WRITE_TURN_S))

    def yes(self, *, keep: bool = False) -> ChangeOutcome:
        return self.says(token=self.token, keep=keep)

    @property
    def uid(self) -> str:
        """The booking it stands on."""
        return self.appointment.segments[0].uid or ""

    @property
    def appointment(self) -> Appointment:
        return self.world.look().appointments[self.name]

    def texts(self) -> list[str]:
        """Messages of changes."""
        return [kind for _, kind in self.world.look().texts.values() if kind != "booked"]

    def alerts(self) -> list[str]:
        return [each.kind + each.facts.get("drift", "") for each in self.world.alerts.raised]


def test_two_moves_of_one_booking_that_cal_com_took_both_are_found_by_a_run() -> None:
    """Ours, and the salon's at the same moment: Cal.com made two live bookings of it (calcom-observed 1)."""
    told = Told(Layer.RECONCILE)
    calendar = told.world.calendar

    def both(_calendar: Any, uid: str, start: Any) -> Any:
        ours = calendar.make_move(uid, start)
        theirs = calendar.move(uid, ELSEWHERE)
        calendar.bookings[theirs.uid] = replace(theirs, status="accepted", rescheduled_to=None)
        return ours

    calendar.move_faults.append(both)
    assert isinstance(told.yes(), Moved)
    told.world.run(1800)
    assert told.appointment.state is AppointmentState.CONFIRMED
    assert sorted(each.start for each in calendar.accepted()) == [NEW, ELSEWHERE], "nobody's booking is taken away"
    assert told.alerts().count("DriftFoundduplicate") == 1


@pytest.mark.parametrize("layer", list(Layer), ids=lambda layer: layer.name.lower())
def test_what_the_salon_does_meanwhile_makes_a_kept_wish_void_and_one_message_says_so(layer: Layer) -> None:
    told = Told(layer)
    told.world.calendar.move_faults.append(lambda *_: NotSent("circuit open", retry_after_s=60.0))
    assert isinstance(told.yes(keep=True), KeptForLater)
    told.world.calendar.move(told.uid, ELSEWHERE)
    told.world.run(3600)
    appointment = told.appointment
    assert (appointment.state, appointment.slot.start) == (AppointmentState.CONFIRMED, ELSEWHERE)
    assert [each.start for each in told.world.calendar.accepted()] == [ELSEWHERE]
    assert told.texts().count("not_moved") == 1
    assert "moved" not in [kind for op, (_, kind) in told.world.look().texts.items() if op != appointment.op]


def test_a_wish_is_kept_no_longer_than_was_said() -> None:
    told = Told(Layer.SWEEPER)
    calendar = told.world.calendar
    calendar.move_faults.extend([lambda *_: NotSent("circuit open", retry_after_s=60.0)] * 10_000)
    outcome = told.yes(keep=True)
    assert isinstance(outcome, KeptForLater)
    told.world.run((outcome.until - told.world.clock.now()).total_seconds() - 60)
    assert told.appointment.state is AppointmentState.MOVING
    told.world.run(180)
    assert told.appointment.state is AppointmentState.CONFIRMED
    assert told.appointment.slot.start == TEN
    assert told.texts() == ["not_moved"]


def test_a_wish_whose_time_was_sold_by_others_ends_with_the_old_time() -> None:
    """Our ledger keeps the time from our own callers; Cal.com's page does not know of it."""
    told = Told(Layer.SWEEPER)
    calendar = told.world.calendar
    calendar.move_faults.append(lambda *_: NotSent("circuit open", retry_after_s=60.0))
    assert isinstance(told.yes(keep=True), KeptForLater)
    calendar.book_publicly(3672814, TEN + timedelta(minutes=30))
    told.world.run(600)
    assert told.appointment.slot.start == TEN
    assert told.texts() == ["not_moved"]


def test_without_consent_nothing_is_kept() -> None:
    told = Told(Layer.SWEEPER)
    calendar = told.world.calendar
    calendar.move_faults.append(lambda *_: NotSent("circuit open", retry_after_s=60.0))
    outcome = told.yes()
    assert isinstance(outcome, NotChanged)
    assert (outcome.failure, outcome.open) == (FailureClass.TEMPORARY, False)
    told.world.run(7200)
    assert told.appointment.slot.start == TEN
    assert calendar.asked.count("reschedule") == 1
    assert told.texts() == []


def test_a_cancellation_that_is_kept_is_repeated_until_it_is_done() -> None:
    """Forward only: it is never undone by booking anew."""
    told = Told(Layer.SWEEPER, kind=ChangeKind.CANCEL)
    calendar = told.world.calendar
    calendar.cancel_faults.extend([Unclear("ReadTimeout")] * 8)
    assert isinstance(told.yes(keep=True), KeptForLater)
    told.world.run(3600)
    assert told.appointment.state is AppointmentState.CANCELLED
    assert not calendar.accepted()
    assert told.texts() == ["cancelled"]


def test_a_cancellation_nobody_knows_of_is_not_sent_again_without_consent() -> None:
    told = Told(Layer.SWEEPER, kind=ChangeKind.CANCEL)
    calendar = told.world.calendar
    calendar.cancel_faults.extend([Unclear("ReadTimeout")] * 2)
    outcome = told.yes()
    assert isinstance(outcome, NotChanged)
    assert outcome.open
    told.world.run(3600)
    assert told.appointment.state is AppointmentState.CONFIRMED
    assert calendar.asked.count("cancel") == 2, "the turn's own"
    assert told.texts() == ["not_cancelled"]


@pytest.mark.parametrize("kind", list(ChangeKind))
@pytest.mark.parametrize("reads", [True, False], ids=["reads answer", "reads are away"])
@pytest.mark.parametrize("sent", [True, False], ids=["unclear", "never sent"])
def test_however_long_cal_com_is_away_a_kept_wish_ends_when_that_can_be_known(
    kind: ChangeKind, reads: bool, sent: bool
) -> None:
    """What was never sent ends at its time; of what was sent nobody knows until Cal.com can be read."""
    told = Told(Layer.SWEEPER, kind=kind)
    calendar = told.world.calendar
    trouble = Unclear("ReadTimeout") if sent else NotSent("circuit open", retry_after_s=60.0)
    calendar.cancel_faults.extend([trouble] * 10_000)
    calendar.move_faults.extend([lambda *_: trouble] * 10_000)
    outcome = told.yes(keep=True)
    assert isinstance(outcome, KeptForLater)
    if not reads:
        back, read = told.world.clock.now() + timedelta(hours=4), calendar.booking
        told.world.calendar.booking = lambda uid, **more: (  # type: ignore[method-assign]
            Unclear("ReadTimeout") if told.world.clock.now() < back else read(uid, **more)
        )
    told.world.run((outcome.until - told.world.clock.now()).total_seconds() + 600)
    ended = told.appointment.state is AppointmentState.CONFIRMED
    assert ended is (reads or not sent)
    assert len(told.texts()) == (1 if ended else 0)
    told.world.run(3 * 3600)
    assert told.appointment.state is AppointmentState.CONFIRMED
    assert told.texts() == [f"not_{'moved' if kind is ChangeKind.MOVE else 'cancelled'}"]


@pytest.mark.parametrize("kind", list(ChangeKind))
def test_while_the_turn_waits_for_cal_com_a_round_of_the_sweeper_leaves_its_change_alone(kind: ChangeKind) -> None:
    told = Told(kind=kind)
    world, calendar = told.world, told.world.calendar

    def slow(_calendar: Any, uid: str, *start: Any) -> Any:
        world.clock.advance(3)
        before = list(calendar.asked)
        world.sweep()
        assert calendar.asked == before, "the request is under way: nobody sends it a second time"
        if start:
            return calendar.make_move(uid, *start)
        calendar.cancel_by_hand(uid)
        return Cancelled()

    (calendar.move_faults if kind is ChangeKind.MOVE else calendar.cancel_faults).append(slow)
    assert isinstance(told.yes(), Moved if kind is ChangeKind.MOVE else CancelledNow)
    assert told.appointment.state in {AppointmentState.CONFIRMED, AppointmentState.CANCELLED}
    (message,) = [row for row in world.rows("OUT") if row["kind"]["S"] != "booked"]
    assert message["told"]["S"] == "done", "who has heard it is sent no text of it"
    assert violations(world) == []


@pytest.mark.parametrize("how", ["in the turn", "in the background"])
def test_half_of_the_salons_move_is_not_taken_for_the_cancellation(how: str) -> None:
    """Cancelled, without a reason, and as moved nowhere: the other half is shown a little later (decision 0019)."""
    told = Told(Layer.SWEEPER, kind=ChangeKind.CANCEL)
    world, calendar = told.world, told.world.calendar
    calendar.cancel_faults.append(Unclear("ReadTimeout"))
    calendar.cancel_faults.extend([Unclear("HTTP 400 it has been cancelled already")] * 3)
    moved = calendar.move(told.uid, ELSEWHERE)
    calendar.stale[told.uid] = replace(calendar.bookings[told.uid], rescheduled_to=None)
    calendar.hidden[moved.uid] = world.clock.now() + timedelta(seconds=25)
    world.at(25, lambda: calendar.stale.pop(told.uid, None) and None)
    outcome = told.yes(keep=how == "in the background")
    assert isinstance(outcome, KeptForLater | NotChanged)
    world.run(1800)
    appointment = told.appointment
    assert (appointment.state, appointment.slot.start) == (AppointmentState.CONFIRMED, ELSEWHERE)
    assert [each.uid for each in calendar.accepted()] == [moved.uid]
    assert "cancelled" not in told.texts()


# Messages that nobody has sent yet


def unsent(world: World) -> list[str]:
    return [row["kind"]["S"] for row in world.rows("OUT") if row["state"]["S"] == "NEW"]


def _settled(how: str, *layers: Layer) -> Told:
    """A change whose caller was told that it is open, brought to its end; nobody has sent them a message yet."""
    told = Told(*layers, kind=ChangeKind.CANCEL if how == "not_cancelled" else ChangeKind.MOVE)
    calendar = told.world.calendar
    if how == "moved":
        calendar.move_faults.append(moved_unseen)
    calendar.move_faults.extend([lambda *_: Unclear("ReadTimeout")] * 2)
    calendar.cancel_faults.extend([Unclear("ReadTimeout")] * 2)
    outcome = told.yes()
    assert isinstance(outcome, NotChanged)
    assert outcome.open
    told.world.run(600)
    assert how in unsent(told.world)
    return told


@pytest.mark.parametrize("how", ["moved", "not_moved", "not_cancelled"])
@pytest.mark.parametrize("then", ["cancelled", "moved"])
def test_what_others_do_after_a_change_leaves_one_message_and_it_is_true(how: str, then: str) -> None:
    told = _settled(how, Layer.SWEEPER, Layer.WEBHOOKS)
    if then == "cancelled":
        told.world.calendar.cancel_by_hand(told.uid)
    else:
        told.world.calendar.move(told.uid, ELSEWHERE)
    told.world.run(60)
    assert unsent(told.world) == [then]
    (row,) = [row for row in told.world.rows("OUT") if row["state"]["S"] == "NEW"]
    assert row["told"]["S"] == "pending", "it stays among those who must be told"
    assert violations(told.world) == []


def test_a_message_of_a_change_that_is_being_sent_is_left_alone() -> None:
    told = _settled("not_moved", Layer.SWEEPER, Layer.WEBHOOKS)
    (row,) = [row for row in told.world.rows("OUT") if row["kind"]["S"] == "not_moved"]
    told.world.client.put_item(TableName=told.world.salon.table_name, Item=row | {"state": {"S": "SENDING"}})
    told.world.calendar.cancel_by_hand(told.uid)
    told.world.run(60)
    assert told.appointment.state is AppointmentState.CANCELLED
    assert {row["kind"]["S"]: row["state"]["S"] for row in told.world.rows("OUT")} == {
        "cancelled": "NEW",
        "not_moved": "SENDING",
    }


def test_a_wish_that_others_made_void_says_so_and_nothing_else_is_sent() -> None:
    told = Told(Layer.SWEEPER, Layer.WEBHOOKS)
    told.world.calendar.move_faults.append(lambda *_: NotSent("circuit open", retry_after_s=60.0))
    assert isinstance(told.yes(keep=True), KeptForLater)
    told.world.calendar.move(told.uid, ELSEWHERE)
    told.world.run(600)
    assert told.appointment.slot.start == ELSEWHERE
    assert unsent(told.world) == ["not_moved"]
    told.world.calendar.cancel_by_hand(told.uid)
    told.world.run(60)
    assert unsent(told.world) == ["cancelled"]


def test_an_appointment_that_goes_on_after_all_says_so_in_a_message_of_its_own() -> None:
    """Ended on half of a move: the message of its change said "cancelled", and is void when the other half shows."""
    told = _settled("moved", Layer.SWEEPER)
    world, calendar = told.world, told.world.calendar

    def look(uid: str) -> Converged:
        return converge(world.background(ONE_S, "worker"), calendar.shown()[uid])

    old = told.uid
    new = calendar.move(old, ELSEWHERE)
    calendar.bookings[old] = replace(calendar.bookings[old], rescheduled_to=None)
    calendar.hidden[new.uid] = world.clock.now() + timedelta(seconds=400)
    world.run(60)
    assert look(old) is Converged.ENDED
    assert unsent(world) == ["cancelled"]
    world.run(400)
    assert look(new.uid) is Converged.ADOPTED
    assert unsent(world) == ["moved"]
    calendar.cancel_by_hand(new.uid)
    assert look(new.uid) is Converged.ENDED
    assert unsent(world) == ["cancelled"]
