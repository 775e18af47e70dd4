"""Moves and cancellations that meet: real threads, a real engine, the real Cal.com client, the real clock.

Cal.com itself takes both of two moves of one booking (calcom-observed 1: one booking becomes two live ones), so one of
them must be refused by us before anything is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from functools import partial

import pytest

from bookend.application.change_outcomes import CancelledNow, ChangeOutcome, Confirm, Moved, NotChanged
from bookend.application.outcomes import Booked
from bookend.domain.appointment import AppointmentState, ChangeKind
from bookend.domain.failures import FailureClass
from tests.races.checks import Settled, breaches, overlaps
from tests.races.live import Caller, LiveSalon, at_once, live_salon

RESCHEDULE = "POST /v2/bookings/{uid}/reschedule"
CALLERS = 8

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def running(engine_installed: None) -> Iterator[LiveSalon]:
    with live_salon(every=15) as started:
        yield started


@pytest.fixture
def live(running: LiveSalon) -> LiveSalon:
    running.new_round()
    return running


def asked(phone: Caller, kind: ChangeKind, day: date, new_time: str | None = None) -> str:
    """The caller names their appointment, and is asked; the token of the question."""
    outcome = phone.change(kind, name="Hans Schuster", date=day.isoformat(), new_time=new_time)
    assert isinstance(outcome, Confirm), outcome
    return outcome.token


def of_kinds(outcomes: list[ChangeOutcome]) -> Counter[str]:
    return Counter(
        f"{type(each).__name__} {each.failure}" if isinstance(each, NotChanged) else type(each).__name__
        for each in outcomes
    )


def test_many_move_to_one_slot_one_wins_and_the_others_keep_theirs_and_hear_so(live: LiveSalon) -> None:
    day = live.day()
    phones = [live.phone(f"call_{n}", caller=f"+4917000{n:05d}", instance=n, unhurried=True) for n in range(CALLERS)]
    for n, phone in enumerate(phones):
        booked = phone.book(day.isoformat(), f"{9 + n // 2:02}:{30 * (n % 2):02}", staff="Fabian")
        assert isinstance(booked, Booked)
    tokens = []
    for phone in phones:  # one after the other: each question holds the time it is about, for its call alone
        tokens.append(asked(phone, ChangeKind.MOVE, day, "16:00"))
        phone.hang_up()
    before = {each.id: each.slot for each in Settled(live).records().appointments.values()}
    live.forget_traffic()
    outcomes = at_once(
        [partial(phone.change, ChangeKind.MOVE, token=token) for phone, token in zip(phones, tokens, strict=True)]
    )
    settled = Settled(live)
    print(of_kinds(outcomes), live.calcom.gateway.counts())
    assert of_kinds(outcomes) == {"Moved": 1, f"NotChanged {FailureClass.SLOT_TAKEN}": CALLERS - 1}
    assert not breaches(settled, {})
    assert live.calcom.gateway.counts()[RESCHEDULE] == 1, "nobody asks Cal.com in vain"
    stays = [each for each in settled.records().appointments.values() if each.slot == before[each.id]]
    assert len(stays) == CALLERS - 1
    assert {each.state for each in settled.records().appointments.values()} == {AppointmentState.CONFIRMED}


@pytest.mark.parametrize("rivals", [2, 6])
def test_two_moves_of_one_appointment_are_one_and_cal_com_is_asked_once(live: LiveSalon, rivals: int) -> None:
    day = live.day()
    phones = [live.phone(f"call_{n}", caller="+491700099999", instance=n, unhurried=True) for n in range(rivals)]
    assert isinstance(phones[0].book(day.isoformat(), "10:00", staff="Fabian"), Booked)
    tokens = []
    for n, phone in enumerate(phones):
        tokens.append(asked(phone, ChangeKind.MOVE, day, f"{12 + n}:00"))
        phone.hang_up()
    live.forget_traffic()
    outcomes = at_once(
        [partial(phone.change, ChangeKind.MOVE, token=token) for phone, token in zip(phones, tokens, strict=True)]
    )
    settled = Settled(live)
    assert of_kinds(outcomes) == {"Moved": 1, "AskedTooLongAgo": rivals - 1}
    assert live.calcom.gateway.counts()[RESCHEDULE] == 1
    assert len(settled.accepted()) == 1
    assert not breaches(settled, {})


def test_a_move_and_a_cancellation_of_one_appointment_are_one_of_them(live: LiveSalon) -> None:
    day = live.day()
    mover, canceller = (live.phone(f"call_{n}", caller="+491700099999", instance=n, unhurried=True) for n in range(2))
    assert isinstance(mover.book(day.isoformat(), "10:00", staff="Fabian"), Booked)
    moves, cancels = asked(mover, ChangeKind.MOVE, day, "12:00"), asked(canceller, ChangeKind.CANCEL, day)
    outcomes = at_once(
        [
            partial(mover.change, ChangeKind.MOVE, token=moves),
            partial(canceller.change, ChangeKind.CANCEL, token=cancels),
        ]
    )
    settled = Settled(live)
    won = [each for each in outcomes if isinstance(each, Moved | CancelledNow)]
    assert len(won) == 1, outcomes
    assert len(settled.accepted()) == (1 if isinstance(won[0], Moved) else 0)
    assert not breaches(settled, {})


def test_the_same_yes_twice_at_once_is_one_move(live: LiveSalon) -> None:
    day = live.day()
    phones = [live.phone("call_1", caller="+491700099999", instance=n, unhurried=True) for n in range(2)]
    assert isinstance(phones[0].book(day.isoformat(), "10:00", staff="Fabian"), Booked)
    token = asked(phones[0], ChangeKind.MOVE, day, "10:15")
    live.forget_traffic()
    outcomes = at_once([partial(phone.change, ChangeKind.MOVE, token=token) for phone in phones])
    settled = Settled(live)
    told = of_kinds(outcomes)
    assert told["Moved"] >= 1
    assert set(told) <= {"Moved", f"NotChanged {FailureClass.PENDING}"}
    assert live.calcom.gateway.counts()[RESCHEDULE] == 1
    assert not breaches(settled, {})


def test_movers_and_bookers_of_one_stylist_never_overlap(live: LiveSalon) -> None:
    day = live.day()
    movers = [live.phone(f"call_m{n}", caller=f"+4917000{n:05d}", instance=n, unhurried=True) for n in range(CALLERS)]
    for n, phone in enumerate(movers):
        assert isinstance(phone.book(day.isoformat(), f"{9 + n // 2:02}:{30 * (n % 2):02}", staff="Fabian"), Booked)
    tokens = []
    for n, phone in enumerate(movers):
        tokens.append(asked(phone, ChangeKind.MOVE, day, f"{14 + n // 4}:{15 * (n % 4):02}"))
        phone.hang_up()
    bookers = [
        live.phone(f"call_b{n}", caller=f"+4917001{n:05d}", instance=20 + n, unhurried=True) for n in range(CALLERS)
    ]
    at_once(
        [
            *(partial(phone.change, ChangeKind.MOVE, token=token) for phone, token in zip(movers, tokens, strict=True)),
            *(
                partial(phone.book, day.isoformat(), f"{14 + n // 4}:{15 * (n % 4):02}", staff="Fabian")
                for n, phone in enumerate(bookers)
            ),
        ]
    )
    settled = Settled(live)
    assert not overlaps(settled.accepted())
    assert not breaches(settled, {})
