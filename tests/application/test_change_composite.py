"""Moving and cancelling a composite by voice: all of its bookings or none, and no sentence that is not so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bookend.adapters.dynamodb import items
from bookend.adapters.dynamodb.adoptions import DynamoAdoptions
from bookend.application.background import Background
from bookend.application.change_outcomes import (
    AskAPerson,
    CancelledNow,
    ChangeOutcome,
    Confirm,
    KeptForLater,
    Moved,
    NewTimes,
    NotChanged,
)
from bookend.application.deadline import Deadline
from bookend.application.patience import SETTLE, SETTLE_SOON, TURN_LEASE
from bookend.application.ports import Cancelled
from bookend.application.settling import Settled, settle
from bookend.domain.answers import Answered, CreateAnswer, NotSent, Refusal, Refused, Unclear
from bookend.domain.appointment import Amiss, Appointment, AppointmentState, ChangeWhy
from bookend.domain.failures import FailureClass
from bookend.domain.tenant import Segment, SegmentKind, Tenant
from bookend.domain.timeslot import Slot
from tests.application.changes import CANCEL, MOVE, TUESDAY, ask, book, ledger, only, question, said, sound, texts, yes
from tests.application.test_book_composite import PERM, longer
from tests.support.calendar import BUSY, FakeCalendar
from tests.support.invariants import look_at
from tests.support.salon import Phone, Salon, example_tenant

TEN = datetime(2025, 10, 28, 9, 0, tzinfo=UTC)
"""10:00 in Berlin, where it stands: 10:00 to 10:45 and 11:45 to 12:15, and of three parts 12:15 to 12:30."""
AT_TEN = ["10:00", "11:45", "12:15"]
NOT_ALLOWED = Refused(Refusal.NOT_ALLOWED, "HTTP 400 This event type does not allow cancellations")
Fault = Callable[[FakeCalendar, str, datetime], CreateAnswer]


def opened(tenant: Tenant | None = None) -> Salon:
    """With Hans Schuster's perm at ten."""
    salon = Salon(tenant=tenant or example_tenant())
    salon.open(TUESDAY, first="08:00", last="18:30", every=15)
    book(salon, TUESDAY, "10:00", service=PERM)
    return salon


@pytest.fixture(params=[2, 3], ids=["two parts", "three parts"])
def salon(request: pytest.FixtureRequest) -> Salon:
    return opened(longer() if request.param == 3 else None)


@pytest.fixture
def three() -> Salon:
    return opened(longer())


@pytest.fixture
def two() -> Salon:
    return opened()


def times(salon: Salon) -> list[str]:
    """When its bookings begin at Cal.com, in the order of its parts."""
    ours = [each for each in salon.calendar.accepted() if each.metadata.get("appointment") == perm(salon).id]
    ours.sort(key=lambda each: each.metadata["segment"])
    return [f"{each.start.astimezone(salon.tenant.zone):%H:%M}" for each in ours]


def parts(salon: Salon) -> list[str]:
    """When its parts begin, as we have it."""
    return [f"{each.slot.start.astimezone(salon.tenant.zone):%H:%M}" for each in perm(salon).segments]


def perm(salon: Salon) -> Appointment:
    """Hans Schuster's."""
    (found,) = [each for each in look_at(salon).appointments.values() if each.service == "dauerwelle"]
    return found


def on_part(salon: Salon, *numbers: int, fault: Fault, times: int = 1) -> None:
    """What Cal.com does when those parts are to leave their places, so many times each; all else goes well."""
    left = dict.fromkeys(numbers, times)

    def answer(calendar: FakeCalendar, uid: str, start: datetime) -> CreateAnswer:
        booking = calendar.bookings[uid]
        number = int(booking.metadata["segment"])
        if left.get(number) and start != calendar.bookings[f"uid{13_000_001 + number}"].start:
            left[number] -= 1
            return fault(calendar, uid, start)
        return calendar.make_move(uid, start)

    salon.calendar.move_faults.extend([answer] * 60)


def refused(_calendar: FakeCalendar, _uid: str, _start: datetime) -> CreateAnswer:
    return BUSY


def lost_before(_calendar: FakeCalendar, _uid: str, _start: datetime) -> CreateAnswer:
    return Unclear("ReadTimeout")


def lost_after(calendar: FakeCalendar, uid: str, start: datetime) -> CreateAnswer:
    calendar.make_move(uid, start)
    return Unclear("ReadTimeout")


def never_left(_calendar: FakeCalendar, _uid: str, _start: datetime) -> CreateAnswer:
    return NotSent("HTTP 429", retry_after_s=30.0)


def moving(salon: Salon, to: str, *, call: str = "call_1", keep: bool = False) -> tuple[Phone, ChangeOutcome]:
    """Asked, and said yes to."""
    phone = salon.call(call)
    asked = question(phone, MOVE, new_time=to)
    return phone, yes(phone, MOVE, asked.token, keep=keep)


def cancelling(salon: Salon) -> tuple[Phone, ChangeOutcome]:
    phone = salon.call()
    return phone, yes(phone, CANCEL, question(phone, CANCEL).token)


def after(salon: Salon, wait: timedelta, *waits: timedelta) -> Settled:
    """So much later somebody looks; and again after each further wait."""
    ended = Settled.WAITING
    for each in (wait, *waits):
        salon.clock.advance(each.total_seconds())
        deadline = Deadline.within(8.0, salon.clock)
        ended = settle(
            Background(
                tenant=salon.tenant,
                appointments=salon.appointments,
                adoptions=DynamoAdoptions(salon.table),
                changes=salon.changes,
                calendar=salon.calendar,
                alerts=salon.alerts,
                clock=salon.clock,
                deadline=deadline,
            ),
            only(salon).id,
        )
    return ended


def waves_of(salon: Salon) -> list[list[str]]:
    """From here on, which parts are asked to be moved at the same time."""
    found: list[list[str]] = []
    inner = salon.calendar.reschedule_all

    def told(moves: Sequence[tuple[str, datetime]], reason: str, *, deadline: Deadline) -> tuple[CreateAnswer, ...]:
        found.append([salon.calendar.bookings[uid].metadata["segment"] for uid, _ in moves])
        return inner(moves, reason, deadline=deadline)  # type: ignore[no-any-return]

    salon.calendar.reschedule_all = told
    return found


class TestTheQuestion:
    def test_names_the_whole_and_holds_every_part_of_it(self, two: Salon) -> None:
        phone = two.call()
        asked = question(phone, MOVE, new_time="14:00")
        assert (asked.current, asked.new) == (
            Slot(TEN, TEN + timedelta(minutes=135)),
            Slot(TEN + timedelta(hours=4), TEN + timedelta(hours=4, minutes=135)),
        )
        assert [each.start for each in asked.parts] == [TEN + timedelta(hours=4), TEN + timedelta(minutes=345)]
        assert "um 10 Uhr" in said(phone, MOVE, asked)["message"]
        assert "um 14 Uhr" in said(phone, MOVE, asked)["message"]
        held = [each for day in look_at(two).ledger.values() for each in day.values() if each.state.value == "H"]
        assert sorted(each.slot for each in held) == sorted(asked.parts)
        sound(phone, asked)

    @pytest.mark.parametrize("to", ["10:15", "09:45", "10:30", "11:45", "08:15"])
    def test_times_that_overlap_where_it_stands_are_free_for_it(self, salon: Salon, to: str) -> None:
        assert isinstance(ask(salon.call(), MOVE, new_time=to), Confirm)

    def test_a_day_alone_gets_times_of_the_whole(self, two: Salon) -> None:
        outcome = ask(two.call(), MOVE, new_time=None, new_date=TUESDAY)
        assert isinstance(outcome, NewTimes)
        assert outcome.offers
        assert all(len(each.parts) == 2 for each in outcome.offers)

    def test_a_time_at_which_one_part_does_not_fit_gets_others(self, two: Salon) -> None:
        book(two, TUESDAY, "16:00", call="call_9", caller="+491709999999", name="Erika Muster")
        outcome = ask(two.call(), MOVE, new_time="14:15")  # its second part would be from 16:00
        assert isinstance(outcome, NotChanged)
        assert outcome.failure is FailureClass.SLOT_TAKEN
        assert outcome.offers

    @pytest.mark.parametrize("kind", [MOVE, CANCEL])
    @pytest.mark.parametrize(
        "changed",
        [{"minutes": 15}, {"event_type": 1}, {"starts": 15}, {"staff": "emma"}, {"gone": True}, {"amiss": True}],
        ids=lambda each: next(iter(each)),
    )
    def test_what_others_have_changed_of_it_is_for_a_person(
        self, two: Salon, kind: Any, changed: dict[str, Any]
    ) -> None:
        phone = two.call()
        stands = only(two)
        first, second = stands.segments
        match changed:
            case {"minutes": more}:
                second = replace(second, slot=Slot(second.slot.start, second.slot.end + timedelta(minutes=more)))
            case {"starts": later}:
                second = replace(second, slot=Slot.of(second.slot.start + timedelta(minutes=later), 30))
            case {"event_type": other}:
                second = replace(second, event_type=other)
            case {"staff": staff}:
                second = replace(second, staff=staff)
        segments = (first,) if "gone" in changed else (first, second)
        amiss = Amiss.GAP_TOO_LONG if "amiss" in changed else None
        overwrite(two, replace(stands, segments=segments, amiss=amiss))
        assert isinstance(ask(phone, kind), AskAPerson)


def overwrite(salon: Salon, appointment: Appointment) -> None:
    """The appointment as others have left it."""
    salon.client.put_item(TableName=salon.table_name, Item=items.appointment_to_item(salon.tenant.id, appointment))


class TestMoved:
    @pytest.mark.parametrize("to", ["10:15", "09:45", "10:30", "11:45", "14:00", "08:15"])
    def test_as_a_whole_wherever_it_goes(self, salon: Salon, to: str) -> None:
        number = len(salon.calendar.accepted())
        phone, outcome = moving(salon, to)
        assert isinstance(outcome, Moved), outcome
        hours, minutes = (int(each) for each in to.split(":"))
        begins = datetime(2025, 10, 28, hours, minutes, tzinfo=salon.tenant.zone)
        wanted = [f"{begins + timedelta(minutes=each):%H:%M}" for each in (0, 105, 135)[:number]]
        assert times(salon) == parts(salon) == wanted
        appointment = only(salon)
        assert (appointment.state, appointment.moves) == (AppointmentState.CONFIRMED, 1)
        assert {each.uid for each in appointment.segments} == {each.uid for each in salon.calendar.accepted()}
        assert sorted(ledger(salon).values()) == ["C"] * number
        assert texts(salon) == ["moved"]
        assert appointment.slot.start.astimezone(salon.tenant.zone).strftime("%H:%M") == to
        sound(phone, outcome)

    def test_all_at_once_where_no_part_goes_to_the_place_of_another(self, three: Salon) -> None:
        sent = waves_of(three)
        moving(three, "14:00")
        assert sent == [["0", "1", "2"]]

    def test_who_is_in_the_way_goes_first(self, three: Salon) -> None:
        sent = waves_of(three)
        moving(three, "10:15")  # the second part goes onto the third one's place
        assert sent == [["0", "2"], ["1"]]

    def test_and_backwards_the_other_way_round(self, three: Salon) -> None:
        sent = waves_of(three)
        moving(three, "09:45")
        assert sent == [["0", "1"], ["2"]]

    def test_the_gap_stays_on_sale_and_the_old_place_is_free(self, two: Salon) -> None:
        phone, _ = moving(two, "14:00")
        phone.hang_up()
        for number, at in enumerate(["10:00", "11:30", "15:00"]):
            book(two, TUESDAY, at, call=f"call_{number + 5}", caller=f"+49170999999{number}", name="Erika Muster")
        assert len(two.calendar.accepted()) == 5

    def test_a_part_that_stays_where_it_is_is_left_alone(self) -> None:
        salon = opened(elastic())
        assert parts(salon) == ["10:00", "11:30"]
        book(salon, TUESDAY, "11:00", call="call_9", caller="+491709999999", name="Erika Muster")
        kept = perm(salon).segments[1].uid
        phone, outcome = moving(salon, "09:45")
        assert isinstance(outcome, Moved), outcome
        assert parts(salon) == times(salon) == ["09:45", "11:30"]
        assert perm(salon).segments[1].uid == kept
        sound(phone, outcome, about=perm(salon))

    def test_the_same_yes_again_is_one_move(self, two: Salon) -> None:
        phone = two.call()
        token = question(phone, MOVE, new_time="14:00").token
        first, second = yes(phone, MOVE, token), yes(phone, MOVE, token)
        assert first == second
        assert two.calendar.asked.count("reschedule") == 2


def elastic() -> Tenant:
    """The salon whose perm may have a gap of 45 to 90 minutes."""
    tenant = example_tenant()
    *others, perm = tenant.services
    first, gap, *rest = perm.segments
    assert gap.kind is SegmentKind.GAP
    wide = Segment(SegmentKind.GAP, 60, min_minutes=45, max_minutes=90)
    return replace(tenant, services=(*others, replace(perm, segments=(first, wide, *rest))))


class TestAPartIsRefused:
    @pytest.mark.parametrize("number", [0, 1, 2])
    @pytest.mark.parametrize("to", ["14:00", "10:15", "09:45", "11:45"])
    def test_each_in_turn_and_the_others_are_taken_back(self, three: Salon, to: str, number: int) -> None:
        on_part(three, number, fault=refused, times=9)
        phone, outcome = moving(three, to)
        assert isinstance(outcome, NotChanged)
        assert (outcome.failure, outcome.open, outcome.current) == (FailureClass.SLOT_TAKEN, False, only(three).slot)
        assert times(three) == parts(three) == AT_TEN
        assert {each.uid for each in only(three).segments} == {each.uid for each in three.calendar.accepted()}
        assert sorted(ledger(three).values()) == ["C", "C", "C"]
        assert texts(three) == []
        assert "bleibt" in said(phone, MOVE, outcome)["message"]
        sound(phone, outcome)

    def test_with_other_times_for_the_whole(self, two: Salon) -> None:
        on_part(two, 1, fault=refused)
        _, outcome = moving(two, "14:00")
        assert isinstance(outcome, NotChanged)
        assert outcome.offers
        assert all(len(each.parts) == 2 for each in outcome.offers)

    def test_what_was_taken_back_can_be_moved_and_cancelled_again(self, three: Salon) -> None:
        on_part(three, 1, fault=refused)
        phone, _ = moving(three, "10:15")
        phone.hang_up()
        phone, outcome = moving(three, "14:00", call="call_2")
        assert isinstance(outcome, Moved), outcome
        sound(phone, outcome)
        phone = three.call("call_3")
        outcome = yes(phone, CANCEL, question(phone, CANCEL).token)
        assert isinstance(outcome, CancelledNow)
        assert three.calendar.accepted() == []

    def test_it_is_noted_before_the_first_goes_back(self, two: Salon) -> None:
        """A death in between is no way to have it move on again."""
        seen: list[ChangeWhy | None] = []

        def home(calendar: FakeCalendar, uid: str, start: datetime) -> CreateAnswer:
            if start == TEN:
                change = only(two).change
                seen.append(change.back if change is not None else None)
            return calendar.make_move(uid, start)

        two.calendar.move_faults.extend([home, lambda _c, _u, _s: BUSY, home])
        moving(two, "14:00")
        assert seen == [ChangeWhy.TAKEN]

    def test_where_its_old_time_is_taken_meanwhile_a_person_is_rung_and_each_part_stands_where_it_is(
        self, two: Salon
    ) -> None:
        def taken_meanwhile(calendar: FakeCalendar, _uid: str, _start: datetime) -> CreateAnswer:
            calendar.book_publicly(3672814, TEN)
            return BUSY

        on_part(two, 1, fault=taken_meanwhile, times=9)
        phone, outcome = moving(two, "14:00")
        assert isinstance(outcome, NotChanged)
        assert outcome.open
        assert "noch offen" in said(phone, MOVE, outcome)["message"]
        assert after(two, SETTLE_SOON) is Settled.WAITING
        assert after(two, SETTLE) is Settled.ENDED
        stands = only(two)
        assert (stands.state, stands.amiss) == (AppointmentState.CONFIRMED, Amiss.GAP_TOO_SHORT)
        assert parts(two) == times(two) == ["14:00", "11:45"]
        assert stands.last_change is not None
        assert stands.last_change.why is ChangeWhy.APART
        assert any(each.startswith("part-") for each in look_at(two).flagged)
        foreign = {each.uid for each in two.calendar.accepted() if "segment" not in each.metadata}
        sound(phone, outcome, foreign=foreign)
        assert isinstance(ask(two.call("call_7"), MOVE, new_time="16:00"), AskAPerson)


class TestNobodyKnowsOfAPart:
    @pytest.mark.parametrize("number", [0, 1, 2])
    @pytest.mark.parametrize("to", ["14:00", "10:15"])
    def test_that_was_moved_all_the_same_one_look_finds_it(self, three: Salon, to: str, number: int) -> None:
        on_part(three, number, fault=lost_after)
        phone, outcome = moving(three, to)
        assert isinstance(outcome, Moved)
        sound(phone, outcome)

    @pytest.mark.parametrize("number", [0, 1, 2])
    @pytest.mark.parametrize("to", ["14:00", "10:15", "11:45"])
    def test_is_noch_offen_and_the_rest_goes_after_it_within_two_minutes(
        self, three: Salon, to: str, number: int
    ) -> None:
        on_part(three, number, fault=lost_before, times=2)
        phone, outcome = moving(three, to)
        assert isinstance(outcome, NotChanged)
        assert outcome.open
        assert sorted(ledger(three).values()).count("P") > 0, "where it goes stays blocked, where it stands as well"
        sound(phone, outcome)
        half = times(three) != AT_TEN
        ended = after(three, SETTLE_SOON)
        if half:
            assert ended is Settled.ENDED
            assert times(three) == parts(three)
            assert times(three)[0] == to
            assert texts(three) == ["moved"]
        else:  # none of it has gone: who did not agree that it is tried again hears how it ended
            assert after(three, SETTLE, timedelta(seconds=31)) is Settled.ENDED
            assert times(three) == parts(three) == AT_TEN
            assert texts(three) == ["not_moved"]
        sound(phone, outcome)

    def test_a_refusal_of_what_may_still_come_proves_nothing(self, two: Salon) -> None:
        answered: list[CreateAnswer] = [Unclear("ReadTimeout"), Unclear("ReadTimeout"), BUSY, BUSY]
        on_part(two, 1, fault=lambda _c, _u, _s: answered.pop(0), times=4)
        phone, outcome = moving(two, "14:00")
        assert after(two, SETTLE_SOON) is Settled.WAITING
        assert times(two) == ["14:00", "11:45"], "neither forward nor back before it is certain"
        assert after(two, SETTLE, timedelta(seconds=31)) is Settled.ENDED
        assert times(two) == parts(two) == AT_TEN[:2]
        assert texts(two) == ["not_moved"]
        sound(phone, outcome)

    def test_a_wave_that_the_turn_has_no_time_for_is_sent_in_the_background(self, three: Salon) -> None:
        def slow(calendar: FakeCalendar, uid: str, start: datetime) -> CreateAnswer:
            three.clock.advance(2.5)
            return calendar.make_move(uid, start)

        on_part(three, 0, 2, fault=slow)
        phone, outcome = moving(three, "10:15")
        assert isinstance(outcome, NotChanged)
        assert outcome.open
        assert three.queue.jobs
        assert after(three, SETTLE_SOON) is Settled.ENDED
        assert times(three) == parts(three) == ["10:15", "12:00", "12:30"]
        sound(phone, outcome)

    def test_what_never_left_beside_one_that_went_goes_after_it(self, two: Salon) -> None:
        on_part(two, 1, fault=never_left)
        phone, outcome = moving(two, "14:00")
        assert isinstance(outcome, NotChanged)
        assert outcome.open
        assert after(two, SETTLE_SOON) is Settled.ENDED
        assert times(two) == parts(two) == ["14:00", "15:45"]
        sound(phone, outcome)

    def test_where_nothing_left_it_can_be_kept_for_later_as_a_whole(self, two: Salon) -> None:
        on_part(two, 0, 1, fault=never_left)
        phone, outcome = moving(two, "14:00")
        assert isinstance(outcome, NotChanged)
        assert outcome.token is not None
        kept = yes(phone, MOVE, outcome.token, keep=True)
        assert isinstance(kept, KeptForLater)
        assert after(two, timedelta(seconds=61)) is Settled.ENDED
        assert times(two) == parts(two) == ["14:00", "15:45"]
        assert texts(two) == ["moved"]
        sound(phone, kept)

    @pytest.mark.parametrize("made", [Answered, None])
    def test_one_that_comes_out_longer_stands_and_a_person_knows(self, two: Salon, made: Any) -> None:
        def longer_there(calendar: FakeCalendar, uid: str, start: datetime) -> CreateAnswer:
            answer = calendar.make_move(uid, start)
            assert isinstance(answer, Answered)
            booking = calendar.change(answer.booking.uid, end=answer.booking.end + timedelta(minutes=15))
            return Answered(booking) if made is Answered else Unclear("ReadTimeout")

        on_part(two, 0, fault=longer_there)
        phone, outcome = moving(two, "14:00")
        assert isinstance(outcome, NotChanged)
        assert outcome.open
        after(two, SETTLE_SOON, SETTLE, timedelta(seconds=31))
        assert times(two) == parts(two) == ["14:00", "15:45"]
        assert only(two).segments[0].slot.duration == timedelta(minutes=60)
        sound(phone, outcome)


class TestCancelled:
    def test_all_parts_at_once_and_said_so(self, salon: Salon) -> None:
        phone, outcome = cancelling(salon)
        assert isinstance(outcome, CancelledNow)
        assert salon.calendar.accepted() == []
        assert (only(salon).state, ledger(salon), texts(salon)) == (AppointmentState.CANCELLED, {}, ["cancelled"])
        sound(phone, outcome)

    @pytest.mark.parametrize("number", [0, 1, 2])
    def test_one_whose_answer_is_lost_is_found(self, three: Salon, number: int) -> None:
        def lost(calendar: FakeCalendar, uid: str) -> Any:
            calendar.change(uid, status="cancelled")
            return Unclear("ReadTimeout")

        three.calendar.cancel_faults.extend([gone] * number + [lost])
        phone, outcome = cancelling(three)
        assert isinstance(outcome, CancelledNow)
        assert three.calendar.accepted() == []
        sound(phone, outcome)

    @pytest.mark.parametrize("number", [0, 1, 2])
    @pytest.mark.parametrize(
        "answer", [NotSent("HTTP 429", retry_after_s=30.0), Unclear("ReadTimeout"), NOT_ALLOWED], ids=str
    )
    def test_half_of_it_is_noch_offen_and_is_finished(self, three: Salon, answer: Any, number: int) -> None:
        twice = [answer] if isinstance(answer, Unclear) else []
        three.calendar.cancel_faults.extend([*[gone] * number, answer, *[gone] * (2 - number), *twice])
        phone, outcome = cancelling(three)
        assert isinstance(outcome, NotChanged)
        assert outcome.open
        assert only(three).state is AppointmentState.CANCELLING
        assert "noch offen" in said(phone, CANCEL, outcome)["message"]
        assert sorted(ledger(three).values()) == ["C", "C", "C"]
        sound(phone, outcome)
        assert after(three, SETTLE_SOON) is Settled.ENDED
        assert three.calendar.accepted() == []
        assert (only(three).state, texts(three)) == (AppointmentState.CANCELLED, ["cancelled"])
        sound(phone, outcome)

    @pytest.mark.parametrize("number", [0, 1])
    def test_a_part_that_cal_com_will_not_cancel_is_for_a_person_and_never_booked_anew(
        self, two: Salon, number: int
    ) -> None:
        two.calendar.cancel_faults.extend([*[gone] * number, NOT_ALLOWED, *[gone] * (1 - number), NOT_ALLOWED])
        phone, outcome = cancelling(two)
        assert isinstance(outcome, NotChanged)
        assert outcome.open
        assert after(two, SETTLE_SOON) is Settled.ENDED
        stands = only(two)
        assert (stands.state, stands.amiss) == (AppointmentState.CONFIRMED, Amiss.PART_GONE)
        assert [each.index for each in stands.segments] == [number]
        assert parts(two) == times(two)
        assert texts(two) == ["not_cancelled"]
        assert any(each.startswith("part-") for each in look_at(two).flagged)
        sound(phone, outcome)

    def test_refused_for_all_parts_it_stands(self, two: Salon) -> None:
        two.calendar.cancel_faults.extend([NOT_ALLOWED, NOT_ALLOWED])
        phone, outcome = cancelling(two)
        assert isinstance(outcome, NotChanged)
        assert (outcome.failure, outcome.open) == (FailureClass.POLICY, False)
        assert times(two) == parts(two) == AT_TEN[:2]
        sound(phone, outcome)

    def test_a_turn_that_died_in_between_is_finished(self, two: Salon) -> None:
        def dies(_calendar: FakeCalendar, _uid: str) -> Any:
            raise _DiedError

        two.calendar.cancel_faults.extend([gone, dies])
        phone = two.call()
        token = question(phone, CANCEL).token
        with pytest.raises(_DiedError):
            yes(phone, CANCEL, token)
        assert after(two, TURN_LEASE) is Settled.ENDED
        assert two.calendar.accepted() == []
        assert texts(two) == ["cancelled"]
        sound(phone)


class _DiedError(Exception):
    """The turn is over."""


def gone(calendar: FakeCalendar, uid: str) -> Any:
    """It is cancelled."""
    calendar.change(uid, status="cancelled")
    return Cancelled()


def test_a_move_that_died_between_two_waves_goes_on(three: Salon) -> None:
    def dies(_calendar: FakeCalendar, _uid: str, _start: datetime) -> CreateAnswer:
        raise _DiedError

    on_part(three, 1, fault=dies)
    phone = three.call()
    token = question(phone, MOVE, new_time="10:15").token
    with pytest.raises(_DiedError):
        yes(phone, MOVE, token)
    assert times(three) == ["10:15", "11:45", "12:30"]
    assert after(three, TURN_LEASE) is Settled.ENDED
    assert times(three) == parts(three) == ["10:15", "12:00", "12:30"]
    assert texts(three) == ["moved"]
    sound(phone)
