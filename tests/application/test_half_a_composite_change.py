"""Half of a composite's change is done, and the rest comes to no end: nothing is said or written as if none were.

What never left, what Cal.com does not know any more, and what others did meanwhile.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from bookend.application.change_outcomes import AskAPerson, KeptForLater, NotChanged
from bookend.application.settling import Settled
from bookend.domain.answers import CreateAnswer, NotSent
from bookend.domain.appointment import Amiss, AppointmentState, ChangeWhy
from tests.application.changes import CANCEL, MOVE, ask, only, question, sound, texts, yes
from tests.application.test_change_composite import (
    AT_TEN,
    TEN,
    Fault,
    after,
    gone,
    lost_after,
    lost_before,
    moving,
    never_left,
    on_part,
    opened,
    parts,
    times,
)
from tests.support.calendar import BUSY, FakeCalendar
from tests.support.invariants import look_at
from tests.support.salon import Phone, Salon

LIMITED = NotSent("HTTP 429", retry_after_s=30.0)
MINUTE = timedelta(seconds=60)
KEPT_FOR = [MINUTE] * 120
"""Until the time is over for which a wish is kept."""


@pytest.fixture
def two() -> Salon:
    return opened()


def kept(salon: Salon, kind: Any) -> tuple[Phone, KeptForLater]:
    """Of which nothing was sent yet."""
    salon.calendar.cancel_faults.extend([LIMITED] * 2)
    salon.calendar.move_faults.extend([never_left] * 2)
    phone = salon.call()
    asked = question(phone, kind, **({"new_time": "14:00"} if kind is MOVE else {}))
    outcome = yes(phone, kind, asked.token, keep=True)
    assert isinstance(outcome, KeptForLater), outcome
    assert outcome.current is not None, "nothing has left, so where it stands is known"
    for faults in (salon.calendar.move_faults, salon.calendar.cancel_faults):
        faults.clear()
    return phone, outcome


def none_goes_but(number: int) -> Any:
    """Cal.com cancels that part, and turns every other request away."""

    def answer(calendar: FakeCalendar, uid: str) -> Any:
        return gone(calendar, uid) if calendar.bookings[uid].metadata["segment"] == str(number) else LIMITED

    return answer


@pytest.mark.parametrize("number", [0, 1])
class TestTheOtherPartNeverLeaves:
    def test_a_kept_cancellation_is_finished_though_its_time_is_over(self, two: Salon, number: int) -> None:
        phone, outcome = kept(two, CANCEL)
        two.calendar.cancel_faults.extend([none_goes_but(number)] * 400)
        assert after(two, MINUTE, *KEPT_FOR) is Settled.WAITING
        assert (only(two).state, texts(two)) == (AppointmentState.CANCELLING, []), "nobody hears that it stands"
        assert [each for each in look_at(two).flagged if each.startswith("stuck")], "somebody looks after it"
        two.calendar.cancel_faults.clear()
        assert after(two, MINUTE) is Settled.ENDED
        assert two.calendar.accepted() == []
        assert (only(two).state, texts(two)) == (AppointmentState.CANCELLED, ["cancelled"])
        sound(phone, outcome)

    @pytest.mark.parametrize("whose", ["ours", "theirs"])
    def test_nor_is_it_given_up_at_the_next_look_after_its_time(self, two: Salon, number: int, whose: str) -> None:
        kept(two, CANCEL)
        if whose == "theirs":
            two.calendar.change(only(two).segments[number].uid, status="cancelled", called_off=True)
        two.calendar.cancel_faults.extend([none_goes_but(number)] * 400)
        assert after(two, MINUTE, timedelta(hours=2)) is Settled.WAITING
        assert (only(two).state, texts(two)) == (AppointmentState.CANCELLING, [])

    def test_a_kept_move_is_taken_back_when_its_time_is_over(self, two: Salon, number: int) -> None:
        phone, outcome = kept(two, MOVE)
        on_part(two, 1 - number, fault=never_left, times=400)
        two.calendar.move_faults.extend([two.calendar.move_faults[0]] * 400)
        after(two, MINUTE)
        assert times(two).count("11:45" if number == 0 else "10:00") == 1, "half of it has gone"
        again = ask(two.call("call_7"), MOVE, new_time="14:00")
        assert isinstance(again, KeptForLater)
        assert again.current is None, "where it stands is not said while half of it has gone"
        assert after(two, *KEPT_FOR, *[MINUTE] * 5) is not Settled.WAITING
        assert times(two) == parts(two) == AT_TEN[:2]
        assert texts(two) == ["not_moved"]
        sound(phone, outcome)

    def test_once_it_can_be_sent_the_move_is_finished(self, two: Salon, number: int) -> None:
        phone, outcome = kept(two, MOVE)
        on_part(two, 1 - number, fault=never_left, times=3)
        after(two, *[MINUTE] * 15)
        assert times(two) == parts(two) == ["14:00", "15:45"]
        assert texts(two) == ["moved"]
        sound(phone, outcome)

    def test_half_of_it_that_others_moved_is_not_given_up_unseen_either(self, two: Salon, number: int) -> None:
        """Others have moved a part to the very place; then the time is over, and nothing of ours gets through."""
        kept(two, MOVE)
        segment = only(two).segments[number]
        two.calendar.move(segment.uid or "", segment.slot.start + timedelta(hours=4))
        two.calendar.move_faults.extend([never_left] * 400)
        assert after(two, MINUTE, *KEPT_FOR, *[MINUTE] * 5) is Settled.WAITING
        assert (only(two).state, texts(two)) == (AppointmentState.MOVING, [])

    def test_nor_half_that_is_on_its_way_back(self, two: Salon, number: int) -> None:
        """The salon does not offer the service any more, so it cannot go on."""
        kept(two, MOVE)
        segment = only(two).segments[number]
        two.calendar.move(segment.uid or "", segment.slot.start + timedelta(hours=4))
        *others, _ = two.tenant.services
        two.tenant = replace(two.tenant, services=tuple(others))
        two.calendar.move_faults.extend([never_left] * 400)
        assert after(two, MINUTE, *KEPT_FOR, *[MINUTE] * 5) is Settled.WAITING
        assert (only(two).state, texts(two)) == (AppointmentState.MOVING, [])


def test_where_nothing_has_gone_a_kept_wish_ends_on_time_without_a_look(two: Salon) -> None:
    """Cal.com may be away altogether: who was promised a word by then gets it."""
    phone, outcome = kept(two, MOVE)
    two.calendar.move_faults.extend([never_left] * 400)
    assert after(two, MINUTE, *KEPT_FOR) is not Settled.WAITING
    assert (only(two).state, texts(two)) == (AppointmentState.CONFIRMED, ["not_moved"])
    assert times(two) == parts(two) == AT_TEN[:2]
    sound(phone, outcome)


class TestCalComDoesNotKnowTheOtherPart:
    @pytest.mark.parametrize("number", [0, 1])
    @pytest.mark.parametrize("keep", [False, True], ids=["open", "kept"])
    def test_what_was_cancelled_of_it_is_gone_and_a_person_rings(self, two: Salon, number: int, keep: bool) -> None:
        phone = two.call()
        token = question(phone, CANCEL).token
        other = only(two).segments[1 - number].uid or ""
        cancelled = only(two).segments[number].uid
        del two.calendar.bookings[other]
        outcome = yes(phone, CANCEL, token, keep=keep)
        assert isinstance(outcome, KeptForLater) if keep else isinstance(outcome, NotChanged) and outcome.open
        ends_by = KEPT_FOR if keep else [MINUTE] * 16
        assert after(two, *ends_by[:-3]) is Settled.WAITING, "one that is missing now may be late"
        after(two, *[MINUTE] * 6)
        stands = only(two)
        assert (stands.state, stands.amiss) == (AppointmentState.CONFIRMED, Amiss.PART_GONE)
        assert [each.uid for each in stands.segments] == [other]
        assert stands.last_change is not None
        assert stands.last_change.why is ChangeWhy.APART, "so that no text says that it stands"
        assert f"part-{cancelled}" in look_at(two).flagged
        assert isinstance(ask(two.call("call_7"), CANCEL), AskAPerson)

    def test_what_was_moved_of_it_stands_where_it_is_and_a_person_rings(self, two: Salon) -> None:
        lost = only(two).segments[1].uid or ""

        def deleted(calendar: FakeCalendar, _uid: str, _start: datetime) -> CreateAnswer:
            calendar.bookings.pop(lost, None)
            return lost_before(calendar, lost, TEN)

        outcome = moving_with(two, deleted)
        assert isinstance(outcome, NotChanged)
        assert outcome.open
        after(two, *[MINUTE] * 20)
        stands = only(two)
        assert (stands.state, stands.amiss) == (AppointmentState.CONFIRMED, Amiss.GAP_TOO_SHORT)
        assert parts(two) == ["14:00", "11:45"]
        assert stands.last_change is not None
        assert stands.last_change.why is ChangeWhy.APART

    def test_where_nothing_of_it_has_gone_it_stands_and_its_caller_hears_so(self, two: Salon) -> None:
        two.calendar.cancel_faults.extend([LIMITED, LIMITED])
        kept(two, CANCEL)
        del two.calendar.bookings[only(two).segments[1].uid or ""]
        two.calendar.cancel_faults.extend([LIMITED] * 400)
        after(two, *KEPT_FOR, *[MINUTE] * 5)
        stands = only(two)
        assert (stands.state, stands.amiss, len(stands.segments)) == (AppointmentState.CONFIRMED, None, 2)
        assert texts(two) == ["not_cancelled"]


def moving_with(salon: Salon, fault: Fault) -> Any:
    """To 14:00; and what Cal.com does when the second part is to go."""
    segments = {each.uid: each.index for each in only(salon).segments}

    def answer(calendar: FakeCalendar, uid: str, start: datetime) -> CreateAnswer:
        return fault(calendar, uid, start) if segments.get(uid) == 1 else calendar.make_move(uid, start)

    salon.calendar.move_faults.extend([answer] * 60)
    return moving(salon, "14:00")[1]


class TestOthersMovedItAwayAndBackBefore:
    def away_and_back(self, salon: Salon) -> None:
        away = salon.calendar.move(only(salon).segments[0].uid or "", TEN + timedelta(hours=8))
        salon.calendar.move(away.uid, TEN)

    def test_our_own_move_of_it_is_known_as_ours_though_its_answer_is_lost(self, two: Salon) -> None:
        phone, outcome = kept(two, MOVE)
        self.away_and_back(two)
        two.calendar.move_faults.append(lost_after)
        after(two, *[MINUTE] * 8)
        assert times(two) == parts(two) == ["14:00", "15:45"]
        assert (only(two).amiss, texts(two)) == (None, ["moved"])
        assert [each for each in look_at(two).flagged if each.startswith("part")] == []
        sound(phone, outcome)

    def test_and_is_taken_back_where_another_part_is_refused(self, two: Salon) -> None:
        phone, outcome = kept(two, MOVE)
        self.away_and_back(two)
        two.calendar.move_faults.extend([FakeCalendar.make_move, lambda *_: BUSY])
        after(two, *[MINUTE] * 8)
        assert times(two) == parts(two) == AT_TEN[:2]
        assert {each.uid for each in only(two).segments} == {each.uid for each in two.calendar.accepted()}
        assert texts(two) == ["not_moved"]
        sound(phone, outcome)

    def test_but_theirs_to_that_very_time_by_another_way_is_theirs(self, two: Salon) -> None:
        kept(two, MOVE)
        away = two.calendar.move(only(two).segments[0].uid or "", TEN + timedelta(hours=8))
        theirs = two.calendar.move(away.uid, TEN + timedelta(hours=4))
        after(two, *[MINUTE] * 8)
        last = only(two).last_change
        assert last is not None
        assert last.why in {ChangeWhy.CHANGED_THERE, ChangeWhy.APART}
        assert theirs.uid in {each.uid for each in two.calendar.accepted()}, "and stays where they put it"
